/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/peer.h"
#include "controlplane/node/relay.h"

static bool judge(struct node *n, struct adopt *a)
{
	uint32_t *scratch;

	memcpy(a->self, n->id.id, sizeof(a->self));
	a->links_max = n->plane->links_max;
	a->halves_max = n->ids.cnt;
	a->slack_ns = RELAY_SLACK_NS;
	scratch = calloc(adopt_scratch(a), sizeof(*scratch));
	if (!scratch)
		return false;
	adopt_judge(a, scratch);
	free(scratch);
	return true;
}

static uint32_t take_links(struct node *n, struct adopt *a)
{
	uint32_t took = 0;

	for (uint32_t i = 0; i < a->link_cnt; i++) {
		struct adopt_link *l = &a->link[i];

		if (l->verdict != ADOPT_KEEP)
			continue;
		if (link_adopt(n, l, took))
			took++;
		else
			l->verdict = ADOPT_SWEEP;
	}
	return took;
}

static uint32_t take_circuits(struct node *n, struct adopt *a)
{
	uint32_t took = 0;

	for (uint32_t i = 0; i < a->half_cnt; i++) {
		struct adopt_half *f = &a->half[i];

		if (f->verdict != ADOPT_KEEP || f->kind != ADOPT_FORWARD)
			continue;
		struct adopt_half *b = &a->half[f->pair];

		if (relay_adopt(n, f, b))
			took++;
		else
			f->verdict = b->verdict = ADOPT_SWEEP;
	}
	return took;
}

/* The ids of what is swept are not told again as long as there are others:
 * a neighbour may use them still. */
static void line_up_ids(struct node *n, const struct adopt *a)
{
	for (uint32_t i = 0; i < a->half_cnt; i++)
		if (a->half[i].verdict == ADOPT_SWEEP &&
		    !ids_keep(&n->ids, a->half[i].id, NULL, 0))
			log_debug("adopt", "no-such-id");
	ids_settle(&n->ids);
}

void adopt_found(struct node *n, struct adopt *a)
{
	uint32_t links, circuits;

	if (a->link_cnt + a->half_cnt == 0)
		return;
	if (!judge(n, a)) {
		log_error("adopt", "no-memory");
		return; /* all of it is swept */
	}
	links = take_links(n, a);
	circuits = take_circuits(n, a);
	line_up_ids(n, a);
	log_info("adopt", "taken-up", log_u64("links", links),
		 log_u64("circuits", circuits),
		 log_u64("links_swept", a->link_cnt - links),
		 log_u64("halves_swept", a->half_cnt - 2u * circuits));
}
