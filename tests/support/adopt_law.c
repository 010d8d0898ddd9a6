/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/adopt_law.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/core/ids.h"
#include "dataplane/base/clock.h"

static const char *links_hold(const struct adopt *a)
{
	for (uint32_t i = 0; i < a->link_cnt; i++) {
		const struct adopt_link *l = &a->link[i];
		bool before = false;

		for (uint32_t k = 0; k < i; k++) {
			const struct adopt_link *o = &a->link[k];

			before |= o->index == l->index;
			if (l->verdict != ADOPT_KEEP ||
			    o->verdict != ADOPT_KEEP)
				continue;
			if (o->index == l->index)
				return "two links of one index are kept";
			if (memcmp(o->note.node, l->note.node, 32) == 0)
				return "two links to one node are kept";
		}
		if (l->verdict == ADOPT_AGAIN && !before)
			return "a link was not there before";
		if (l->verdict != ADOPT_AGAIN && before &&
		    l->index < a->links_max)
			return "a link was there before";
		if (l->verdict != ADOPT_KEEP)
			continue;
		if (l->index == 0 || l->index >= a->links_max || l->down ||
		    !l->known || l->note.use != NOTE_LINK)
			return "a link is kept that cannot be";
		if (memcmp(l->note.node, a->self, 32) == 0)
			return "a link to ourselves is kept";
	}
	return NULL;
}

static const struct adopt_link *kept(const struct adopt *a, uint32_t index)
{
	for (uint32_t i = 0; i < a->link_cnt; i++)
		if (a->link[i].index == index &&
		    a->link[i].verdict == ADOPT_KEEP)
			return &a->link[i];
	return NULL;
}

static const char *half_holds(const struct adopt *a, uint32_t row)
{
	const struct adopt_half *h = &a->half[row], *o;
	const struct adopt_link *in = kept(a, h->in_link);

	if (h->pair >= a->half_cnt || a->half[h->pair].pair != row ||
	    a->half[h->pair].verdict != ADOPT_KEEP || h->pair == row)
		return "a half is kept alone";
	o = &a->half[h->pair];
	if (h->kind + o->kind != ADOPT_FORWARD + ADOPT_BACKWARD ||
	    h->kind == o->kind)
		return "two directions are one";
	if (!in || !kept(a, h->out_link))
		return "a half is kept without its link";
	if (memcmp(in->note.node, h->note.node, 32) != 0)
		return "a half is kept on another node's link";
	if (h->in_link != o->out_link || h->note.other != o->id)
		return "two halves are not one circuit";
	if ((h->id & IDS_INDEX_MASK) == 0 ||
	    (h->id & IDS_INDEX_MASK) >= a->halves_max || h->left_ns == 0)
		return "a half is kept that cannot be";
	for (uint32_t k = 0; k < row; k++)
		if (a->half[k].verdict == ADOPT_KEEP &&
		    ((a->half[k].id ^ h->id) & IDS_INDEX_MASK) == 0)
			return "two halves of one slot are kept";
	return NULL;
}

const char *adopt_law(struct adopt *a)
{
	uint32_t *scratch = malloc(adopt_scratch(a) * sizeof(*scratch));
	const char *broken;

	if (!scratch)
		abort();
	memset(scratch, 0xff, adopt_scratch(a) * sizeof(*scratch));
	adopt_judge(a, scratch);
	free(scratch);
	broken = links_hold(a);
	for (uint32_t i = 0; i < a->half_cnt && !broken; i++)
		if (a->half[i].verdict == ADOPT_KEEP)
			broken = half_holds(a, i);
	return broken;
}

struct adopt_link adopt_row_link(uint32_t index, uint32_t peer_index,
				 uint8_t node)
{
	struct adopt_link l = { .index = index,
				.peer_index = peer_index,
				.u = 1452,
				.u_proved = 1452,
				.known = true,
				.note.use = NOTE_LINK };

	memset(l.note.node, node, sizeof(l.note.node));
	return l;
}

void adopt_row_pair(struct adopt_half to[2], uint32_t f, uint32_t b,
		    const struct adopt_link *prev,
		    const struct adopt_link *next)
{
	to[0] = (struct adopt_half){
		.id = f,
		.in_link = prev->index,
		.out_link = next->index,
		.out_id = 0x00100000u | f,
		.size_in = 1452,
		.size_out = 1452,
		.kind = ADOPT_FORWARD,
		.suite = 1,
		.known = true,
		.left_ns = 600 * VX6_SEC,
		.note = { .use = NOTE_FORWARD, .other = b, .life_s = 3600 }
	};
	to[1] = to[0];
	to[1].id = b;
	to[1].in_link = next->index;
	to[1].out_link = prev->index;
	to[1].out_id = 0x00200000u | b;
	to[1].kind = ADOPT_BACKWARD;
	to[1].note.use = NOTE_BACKWARD;
	to[1].note.other = f;
	memcpy(to[0].note.node, prev->note.node, 32);
	memcpy(to[1].note.node, next->note.node, 32);
}
