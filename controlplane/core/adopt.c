/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/adopt.h"

#include <string.h>

#include "controlplane/core/ids.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/cell.h"
#include "dataplane/wire/link.h"

/* Rows by number, plus 1; 0 = none. */
struct maps {
	uint32_t *link; /* by index */
	uint32_t *half; /* by index of the id */
	uint32_t *peer; /* by node ID: open addressing */
	uint32_t peer_mask;
};

static uint32_t table_size(uint32_t links)
{
	uint32_t size = 8;

	while (size / 2 < links)
		size *= 2;
	return size;
}

size_t adopt_scratch(const struct adopt *a)
{
	return (size_t)a->links_max + a->halves_max + table_size(a->link_cnt);
}

static void lay_out(const struct adopt *a, uint32_t *scratch, struct maps *m)
{
	memset(scratch, 0, adopt_scratch(a) * sizeof(*scratch));
	m->link = scratch;
	m->half = m->link + a->links_max;
	m->peer = m->half + a->halves_max;
	m->peer_mask = table_size(a->link_cnt) - 1u;
}

/* Node IDs are hashes: any four bytes of one spread well. */
static bool first_of_peer(const struct adopt *a, struct maps *m, uint32_t row)
{
	const uint8_t *id = a->link[row].note.node;
	uint32_t at = vx6_get32(id) & m->peer_mask;

	for (; m->peer[at]; at = (at + 1u) & m->peer_mask)
		if (memcmp(a->link[m->peer[at] - 1u].note.node, id, 32) == 0)
			return false;
	m->peer[at] = row + 1u;
	return true;
}

static bool link_sane(const struct adopt *a, const struct adopt_link *l)
{
	return l->known && l->note.use == NOTE_LINK && !l->down &&
	       l->index != 0 && l->index < a->links_max && l->peer_index != 0 &&
	       l->peer_index <= VX6_LINK_INDEX_MAX && l->u >= VX6_PROBE_MIN &&
	       l->u <= VX6_CELL_MAX && memcmp(l->note.node, a->self, 32) != 0;
}

static void judge_links(struct adopt *a, struct maps *m)
{
	for (uint32_t i = 0; i < a->link_cnt; i++) {
		struct adopt_link *l = &a->link[i];

		if (l->index < a->links_max && m->link[l->index]) {
			l->verdict = ADOPT_AGAIN;
			continue;
		}
		if (l->index < a->links_max)
			m->link[l->index] = i + 1u;
		l->verdict = link_sane(a, l) && first_of_peer(a, m, i)
				     ? ADOPT_KEEP
				     : ADOPT_SWEEP;
	}
}

static const struct adopt_link *kept(const struct adopt *a,
				     const struct maps *m, uint32_t index)
{
	uint32_t row = index < a->links_max ? m->link[index] : 0;

	return row && a->link[row - 1u].verdict == ADOPT_KEEP
		       ? &a->link[row - 1u]
		       : NULL;
}

/* One half of a circuit that goes through here, by itself. */
static bool half_sane(const struct adopt *a, const struct maps *m,
		      const struct adopt_half *h)
{
	const struct adopt_link *in = kept(a, m, h->in_link);
	uint64_t life = (uint64_t)h->note.life_s * VX6_SEC + a->slack_ns;

	return in && kept(a, m, h->out_link) && h->known && h->out_id != 0 &&
	       memcmp(in->note.node, h->note.node, 32) == 0 &&
	       vx6_cell_size_ok(h->size_in) && h->size_in == h->size_out &&
	       h->left_ns != 0 && h->left_ns <= life;
}

static bool fit(const struct adopt_half *f, const struct adopt_half *b)
{
	return b->kind == ADOPT_BACKWARD && b->note.use == NOTE_BACKWARD &&
	       f->note.other == b->id && b->note.other == f->id &&
	       f->in_link == b->out_link && f->out_link == b->in_link &&
	       f->suite == b->suite && f->size_in == b->size_in &&
	       f->note.life_s == b->note.life_s;
}

static uint32_t index_of(uint32_t id)
{
	return id & IDS_INDEX_MASK;
}

static void number_halves(struct adopt *a, struct maps *m)
{
	for (uint32_t i = 0; i < a->half_cnt; i++) {
		struct adopt_half *h = &a->half[i];
		uint32_t at = index_of(h->id);

		h->verdict = ADOPT_SWEEP;
		h->pair = 0;
		if (at >= a->halves_max)
			continue;
		if (m->half[at] == 0)
			m->half[at] = i + 1u;
		else if (a->half[m->half[at] - 1u].id == h->id)
			h->verdict = ADOPT_AGAIN;
	}
}

static void judge_pair(struct adopt *a, const struct maps *m, uint32_t row)
{
	struct adopt_half *f = &a->half[row], *b;
	uint32_t at = index_of(f->id), other = index_of(f->note.other);

	if (f->kind != ADOPT_FORWARD || f->note.use != NOTE_FORWARD ||
	    at == 0 || at >= a->halves_max || m->half[at] != row + 1u ||
	    other == 0 || other >= a->halves_max || m->half[other] == 0)
		return;
	b = &a->half[m->half[other] - 1u];
	if (!half_sane(a, m, f) || !half_sane(a, m, b) || !fit(f, b))
		return;
	f->pair = m->half[other] - 1u;
	b->pair = row;
	f->verdict = b->verdict = ADOPT_KEEP;
}

void adopt_judge(struct adopt *a, uint32_t *scratch)
{
	struct maps m;

	lay_out(a, scratch, &m);
	judge_links(a, &m);
	number_halves(a, &m);
	for (uint32_t i = 0; i < a->half_cnt; i++)
		if (a->half[i].verdict == ADOPT_SWEEP)
			judge_pair(a, &m, i);
}
