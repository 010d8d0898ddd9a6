/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_origin: an origin's actions carried out. */
#include <string.h>

#include "controlplane/core/path.h"
#include "tests/support/sim_own.h"

static const struct origin_times times = {
	.seek_ns = 5 * VX6_SEC,
	.per_hop_ns = 2 * VX6_SEC,
	.whole_ns = 10 * VX6_SEC,
};

/* ---- which way ---- */

/* Relays are drawn as a client draws them; a third of the ends is reached
 * by three of them only. */
static void choose(struct sim *s, uint32_t from, struct sim_onion *o)
{
	uint32_t end = sim_below(s, s->setup.nodes), n = 0, no[4096];
	bool any_last = sim_chance(s, 66);
	struct path_relay relay[4096];
	size_t pick[VX6_HOPS_MAX];
	unsigned hops = sim_below(s, VX6_HOPS_MAX);

	while (end == from)
		end = sim_below(s, s->setup.nodes);
	for (uint32_t i = 0; i < s->setup.nodes; i++)
		if (i != from && i != end)
			no[n++] = i;
	for (uint32_t i = 0; i < n; i++) {
		relay[i] = (struct path_relay){ .used = sim_chance(s, 10),
						.last = i % 64 == end % 64 };
		memcpy(relay[i].id, &no[i], sizeof(no[i]));
	}
	o->cnt = (uint8_t)(hops + 1);
	o->path[hops] = (uint16_t)end;
	if (hops &&
	    path_draw(relay, n, hops, any_last, &s->rnd, pick) != VX6_OK) {
		o->cnt = 1;
		o->path[0] = (uint16_t)end;
		return;
	}
	for (unsigned i = 0; i < hops; i++) {
		memcpy(&no[0], relay[pick[i]].id, sizeof(no[0]));
		o->path[i] = (uint16_t)no[0];
	}
}

void sim_origin_begin(struct sim *s)
{
	uint32_t from = sim_below(s, s->setup.nodes);
	struct sim_circ *c;

	if (!s->node[from].up)
		return;
	c = sim_circ_new(s, from, true);
	choose(s, from, &c->onion);
	c->onion.life_ns = sim_chance(s, 30)
				   ? sim_between_ms(s, 500, 20000)
				   : sim_between_ms(s, 600000, 3600000);
	law_origin_init(&c->origin, c->onion.cnt, &times);
	c->origin.origin.times.life_ns = c->onion.life_ns;
	s->told.begun++;
	if (sim_chance(s, 30))
		sim_at(s, (struct sim_event){
				  .kind = SIM_CLOSE,
				  .at_ns = s->now + sim_between_ms(s, 0, 20000),
				  .circ = c });
	sim_timer(s, c, origin_due(&c->origin.origin));
}

/* ---- what core/origin asks for; false: NO_ROOM must be told next ---- */

static bool do_create(struct sim *s, struct sim_circ *c)
{
	struct sim_msg m = { .kind = SIM_CREATE, .onion = c->onion };

	c->back_id = ids_take(&s->node[c->node].ids, c, SIM_ID_ORIGIN);
	m.back_id = c->back_id;
	if (c->back_id)
		sim_send(s, c->next, c->node, &m);
	return c->back_id;
}

static bool act(struct sim *s, struct sim_circ *c, enum origin_act what)
{
	const struct origin *o = &c->origin.origin;

	switch (what) {
	case ORIGIN_ACT_SEEK: sim_seek(s, c, c->onion.path[0]); break;
	case ORIGIN_ACT_CREATE: return do_create(s, c);
	case ORIGIN_ACT_INSTALL: sim_plane_add(s, c, c->back_id); break;
	case ORIGIN_ACT_OPENED: s->told.opened++; break;
	case ORIGIN_ACT_FAILED:
	case ORIGIN_ACT_CLOSED:
		s->told.why[o->why]++;
		if (o->why == ORIGIN_WHY_CODE)
			s->told.code[o->code % 16]++;
		break;
	case ORIGIN_ACT_REMOVE: sim_plane_remove(s, c->node, c->back_id); break;
	case ORIGIN_ACT_DESTROY:
		sim_destroy(s, c->next, c->node, c->next_forward_id);
		break;
	case ORIGIN_ACT_FREE: sim_circ_free(s, c); break;
	}
	return true;
}

void sim_origin_step(struct sim *s, struct sim_circ *c, enum origin_ev kind,
		     unsigned hop, unsigned code)
{
	struct origin_event ev = { .kind = kind,
				   .hop = (uint8_t)hop,
				   .code = (uint8_t)code,
				   .now_ns = s->now };
	bool more = true;

	while (more && !s->told.fault[0]) {
		struct origin_out out;
		enum vx6_status st;
		const char *broken = law_origin_step(&c->origin, &ev, &out,
						     &st);

		if (broken)
			sim_fault(s, "origin %u at node %u: %s", c->no, c->node,
				  broken);
		more = false;
		for (unsigned i = 0; i < out.n && !broken; i++)
			more = !act(s, c, out.act[i]);
		ev.kind = ORIGIN_EV_NO_ROOM;
	}
	if (!c->gone)
		sim_timer(s, c, origin_due(&c->origin.origin));
}

/* The reply speaks of one hop: the first that lied, the one that failed,
 * or the end. */
void sim_origin_created(struct sim *s, struct sim_circ *c,
			const struct sim_msg *m)
{
	const struct sim_reply *r = &m->reply;

	c->next_forward_id = m->forward_id;
	if (r->depth >= c->onion.cnt)
		sim_fault(s, "origin %u: a reply from beyond its end", c->no);
	if (r->forged)
		sim_origin_step(s, c, ORIGIN_EV_FORGED, r->depth, 0);
	else if (r->code != VX6_CREATED_OK)
		sim_origin_step(s, c, ORIGIN_EV_CREATED_BAD, r->depth, r->code);
	else if (r->depth + 1 != c->onion.cnt)
		sim_fault(s, "origin %u: hop %u says that it is the end", c->no,
			  r->depth);
	else if (sim_odd(s, 1))
		sim_origin_step(s, c, ORIGIN_EV_NO_ROOM, 0, 0);
	else
		sim_origin_step(s, c, ORIGIN_EV_CREATED, 0, 0);
}
