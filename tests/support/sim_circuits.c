/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_circuits: the plan, the loop, and the two judgements. */
#include "tests/support/sim_circuits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "tests/support/sim_own.h"

#define ONE_TIME_MAX 100000u         /* events at one instant */
#define SETTLE_NS    (120 * VX6_SEC) /* longer than anybody waits in a row */

void sim_fault(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->told.fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->told.fault, sizeof(s->told.fault), fmt, ap);
	va_end(ap);
}

const struct sim_told *sim_told(const struct sim *s)
{
	return &s->told;
}

/* ---- the plan ---- */

/* Three quarters are as they should be. */
static void plan_node(struct sim *s, uint32_t no)
{
	struct sim_node *n = &s->node[no];
	uint32_t nature = s->setup.fair ? 99 : sim_below(s, 100);

	n->ids_cnt = 4096;
	n->deaf = nature < 2;
	n->liar = nature >= 2 && nature < 4;
	n->policy = nature >= 4 && nature < 6;
	n->cramped = nature >= 6 && nature < 12;
	n->keyless = nature >= 12 && nature < 16 ? 30 : 1;
	n->busy = nature >= 16 && nature < 20 ? 30 : 1;
	if (n->cramped)
		n->ids_cnt = 4 + sim_below(s, 24);
	else if (nature >= 20 && nature < 24)
		n->ids_cnt = 16;
	n->slot = sim_alloc(n->ids_cnt, sizeof(*n->slot));
	n->plane = sim_alloc(n->ids_cnt, sizeof(*n->plane));
	sim_node_start(s, no);
}

static void plan(struct sim *s, enum sim_kind kind, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		sim_at(s, (struct sim_event){
				  .kind = kind,
				  .at_ns = VX6_SEC +
					   sim_below(s, 1u << 30) *
						   (s->setup.churn_ns >> 30),
				  .node = sim_below(s, s->setup.nodes) });
}

struct sim *sim_open(const struct sim_setup *setup)
{
	struct sim *s = sim_alloc(1, sizeof(*s));
	uint8_t seed[32] = { 0 };

	s->setup = *setup;
	vx6_put64(seed, setup->seed);
	vx6_rand_seed(&s->rnd, seed);
	s->now = VX6_SEC;
	s->node = sim_alloc(setup->nodes, sizeof(*s->node));
	s->view = (struct sim_sess **)sim_alloc(
		(size_t)setup->nodes * setup->nodes, sizeof(*s->view));
	for (uint32_t i = 0; i < setup->nodes; i++)
		plan_node(s, i);
	plan(s, SIM_BEGIN, setup->circuits);
	plan(s, SIM_CRASH, setup->crashes);
	plan(s, SIM_CUT, setup->cuts);
	return s;
}

/* ---- the loop ---- */

static void arrives(struct sim *s, struct sim_sess *sess, unsigned end,
		    const struct sim_msg *m)
{
	uint32_t node = sess->node[end];
	bool from_next = false, waits;
	struct sim_circ *c;

	if (sess->cut || sess->lost[end]) {
		s->told.lost_msgs++;
		return;
	}
	if (m->kind == SIM_CREATE) {
		sim_hop_create(s, sess, node, m);
		return;
	}
	c = sim_find(s, node, sess, m->id, &from_next);
	s->told.strange += !c;
	waits = c && from_next &&
		(c->is_origin ? c->origin.origin.state == ORIGIN_WAIT
			      : c->hop.hop.state == HOP_EXTEND);
	if (m->kind == SIM_CREATED && !waits) {
		s->told.late++;
		sim_destroy(s, sess, node, m->forward_id);
	} else if (m->kind == SIM_CREATED && c->is_origin) {
		sim_origin_created(s, c, m);
	} else if (m->kind == SIM_CREATED) {
		sim_hop_created(s, c, m);
	} else if (c && c->is_origin) {
		sim_origin_step(s, c,
				m->kind == SIM_FAIL ? ORIGIN_EV_FAILED
						    : ORIGIN_EV_DESTROY,
				0, m->code);
	} else if (c && m->kind == SIM_DESTROY) {
		sim_hop_step(s, c,
			     from_next ? HOP_EV_DESTROY_NEXT
				       : HOP_EV_DESTROY_PREV,
			     0);
	} else if (c && from_next) {
		sim_hop_step(s, c, HOP_EV_FAILED, m->code);
	}
}

static void lost(struct sim *s, struct sim_sess *sess, unsigned end)
{
	uint32_t node = sess->node[end], other = sess->node[!end];
	struct sim_sess **view = &s->view[node * s->setup.nodes + other];
	struct sim_circ *c, *next;

	sess->lost[end] = true;
	if (*view == sess)
		*view = NULL;
	for (c = s->node[node].circs; c && !s->told.fault[0]; c = next) {
		next = c->next_here;
		if (c->is_origin && c->next == sess)
			sim_origin_step(s, c, ORIGIN_EV_LOST, 0, 0);
		else if (!c->is_origin && c->prev == sess)
			sim_hop_step(s, c, HOP_EV_LOST_PREV, 0);
		else if (!c->is_origin && c->next == sess)
			sim_hop_step(s, c, HOP_EV_LOST_NEXT, 0);
	}
}

static void timer(struct sim *s, struct sim_circ *c)
{
	uint64_t due = c->is_origin ? origin_due(&c->origin.origin)
				    : hop_due(&c->hop.hop);

	if (due > s->now)
		return; /* it was set anew */
	c->timer_ns = VX6_NEVER;
	if (c->is_origin)
		sim_origin_step(s, c, ORIGIN_EV_TICK, 0, 0);
	else
		sim_hop_step(s, c, HOP_EV_TICK, 0);
}

static void dialled(struct sim *s, struct sim_circ *c)
{
	if (!c->is_origin) {
		sim_hop_dialled(s, c);
		return;
	}
	if (c->origin.origin.state != ORIGIN_SEEK)
		return;
	c->next = sim_dialled(s, c->node, c->onion.path[0]);
	sim_origin_step(s, c, c->next ? ORIGIN_EV_READY : ORIGIN_EV_UNREACHABLE,
			0, 0);
}

static void circ_event(struct sim *s, const struct sim_event *e)
{
	struct sim_circ *c = e->circ;

	if (c->gone)
		return;
	if (e->kind == SIM_DIALLED)
		dialled(s, c);
	else if (e->kind == SIM_OPENED)
		sim_hop_opened(s, c);
	else if (e->kind == SIM_TIMER)
		timer(s, c);
	else if (e->kind == SIM_CLOSE)
		sim_origin_step(s, c, ORIGIN_EV_CLOSE, 0, 0);
	else if (!c->is_origin)
		sim_hop_added(s, c, e->ok);
	else
		sim_origin_step(s, c,
				e->ok ? ORIGIN_EV_INSTALLED : ORIGIN_EV_NO_ROOM,
				0, 0);
}

static void crash(struct sim *s, uint32_t no)
{
	if (!s->node[no].up)
		return;
	sim_node_crash(s, no);
	if (sim_chance(s, 70))
		sim_at(s,
		       (struct sim_event){
			       .kind = SIM_RESTART,
			       .at_ns = s->now + sim_between_ms(s, 10, 20000),
			       .node = no });
}

/* One of node's sessions, if it has any. */
static void cut_one(struct sim *s, uint32_t no)
{
	uint32_t first = sim_below(s, s->setup.nodes);

	for (uint32_t i = 0; i < s->setup.nodes; i++) {
		uint32_t with = (first + i) % s->setup.nodes;
		struct sim_sess *sess = s->view[no * s->setup.nodes + with];

		if (sess && !sess->cut) {
			sim_cut(s, sess);
			return;
		}
	}
}

static void happens(struct sim *s, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_MSG:
		arrives(s, e->sess, e->end, e->msg);
		free(e->msg);
		break;
	case SIM_LOST: lost(s, e->sess, e->end); break;
	case SIM_ADD:
	case SIM_REMOVE: sim_plane_event(s, e); break;
	case SIM_DIALLED:
	case SIM_OPENED:
	case SIM_ADDED:
	case SIM_TIMER:
	case SIM_CLOSE: circ_event(s, e); break;
	case SIM_BEGIN: sim_origin_begin(s); break;
	case SIM_CRASH: crash(s, e->node); break;
	case SIM_RESTART: sim_node_start(s, e->node); break;
	case SIM_CUT: cut_one(s, e->node); break;
	}
}

static void mix(struct sim *s, uint64_t v)
{
	s->told.digest = (s->told.digest ^ v) * UINT64_C(0x100000001b3);
	s->told.digest ^= s->told.digest >> 29;
}

static void run(struct sim *s, uint64_t until_ns)
{
	uint32_t at_once = 0;
	struct sim_event e;

	while (!s->told.fault[0] && sim_next(s, until_ns, &e)) {
		at_once = e.at_ns > s->now ? 0 : at_once + 1;
		if (at_once > ONE_TIME_MAX)
			sim_fault(s, "time stands still");
		s->now = e.at_ns;
		s->told.now_ns = s->now;
		s->told.events++;
		mix(s, e.at_ns);
		mix(s, e.kind);
		mix(s, e.seq);
		mix(s, e.node);
		mix(s, e.id);
		happens(s, &e);
	}
	if (!s->told.fault[0] && until_ns != VX6_NEVER)
		s->now = until_ns;
}

/* ---- the judgements ---- */

static bool installed(const struct sim_node *n, uint32_t id)
{
	return id && n->plane[id & IDS_INDEX_MASK] == id;
}

/* Hop pos of the circuit of o, which stands, must stand too. */
static struct sim_circ *stands(struct sim *s, struct sim_circ *o, unsigned pos,
			       struct sim_circ *before)
{
	uint32_t no = o->onion.path[pos];
	struct sim_node *n = &s->node[no];
	struct ids_slot *slot =
		n->up ? ids_find(&n->ids, before->next_forward_id) : NULL;
	struct sim_circ *c = slot ? slot->owner : NULL;
	bool end = pos + 1 == o->onion.cnt;

	if (!c || c->hop.hop.state != HOP_OPEN || slot->what != SIM_ID_FORWARD)
		sim_fault(s, "origin %u is open, its hop %u is not", o->no,
			  pos);
	else if (c->prev != before->next || c->prev_back_id != before->back_id)
		sim_fault(s, "origin %u: hop %u looks elsewhere", o->no, pos);
	else if (c->seen || c->hop.hop.end != end)
		sim_fault(s, "origin %u: hop %u is another's", o->no, pos);
	else if (!installed(n, c->forward_id) ||
		 (!end && !installed(n, c->back_id)))
		sim_fault(s, "origin %u: hop %u has no half-circuit", o->no,
			  pos);
	else
		c->seen = true;
	return c;
}

static void circuit_stands(struct sim *s, struct sim_circ *o)
{
	struct sim_circ *c = o;

	o->seen = true;
	if (o->origin.origin.state != ORIGIN_OPEN ||
	    !installed(&s->node[o->node], o->back_id))
		sim_fault(s, "origin %u is half open", o->no);
	for (unsigned i = 0; i < o->onion.cnt && !s->told.fault[0]; i++)
		c = stands(s, o, i, c);
	s->told.standing++;
}

/* What a node holds is what its circuits hold. */
static void node_holds(struct sim *s, uint32_t no)
{
	struct sim_node *n = &s->node[no];
	uint32_t ids = 0;

	if (!n->up)
		return;
	for (struct sim_circ *c = n->circs; c; c = c->next_here) {
		if (!c->seen)
			sim_fault(s, "node %u: hop %u is left behind", no,
				  c->no);
		ids += c->forward_id != 0;
		ids += c->back_id != 0;
	}
	if (n->ids.used != ids)
		sim_fault(s, "node %u: %u ids are used, not %u", no,
			  n->ids.used, ids);
	if (n->plane_cnt != ids)
		sim_fault(s, "node %u: %u half-circuits are left, not %u", no,
			  n->plane_cnt, ids);
}

bool sim_still(struct sim *s)
{
	run(s, VX6_SEC + s->setup.churn_ns + SETTLE_NS);
	if (s->under_way)
		sim_fault(s, "%u things are under way for ever", s->under_way);
	for (struct sim_circ *c = s->circs; c && !s->told.fault[0]; c = c->all)
		if (c->is_origin && !c->gone)
			circuit_stands(s, c);
	for (uint32_t i = 0; i < s->setup.nodes; i++)
		node_holds(s, i);
	return !s->told.fault[0];
}

bool sim_over(struct sim *s)
{
	uint32_t ended;

	for (struct sim_circ *c = s->circs; c; c = c->all)
		if (c->is_origin && !c->gone && sim_chance(s, 50))
			sim_at(s, (struct sim_event){
					  .kind = SIM_CLOSE,
					  .at_ns = s->now +
						   sim_between_ms(s, 0, 60000),
					  .circ = c });
	run(s, VX6_NEVER);
	for (struct sim_circ *c = s->circs; c; c = c->all)
		if (!c->gone)
			sim_fault(s, "%s %u is left at the end",
				  c->is_origin ? "origin" : "hop", c->no);
	for (uint32_t i = 0; i < s->setup.nodes; i++)
		node_holds(s, i);
	ended = s->told.crashed;
	for (unsigned i = 0; i < VX6_COUNT(s->told.why); i++)
		ended += s->told.why[i];
	if (ended != s->told.begun)
		sim_fault(s, "%u circuits began, %u ended", s->told.begun,
			  ended);
	return !s->told.fault[0];
}

void sim_close(struct sim *s)
{
	for (size_t i = 0; i < s->heap_cnt; i++)
		free(s->heap[i].msg);
	for (uint32_t i = 0; i < s->setup.nodes; i++) {
		free(s->node[i].slot);
		free(s->node[i].plane);
	}
	while (s->circs) {
		struct sim_circ *c = s->circs;

		s->circs = c->all;
		free(c);
	}
	while (s->sessions) {
		struct sim_sess *sess = s->sessions;

		s->sessions = sess->all;
		free(sess);
	}
	free(s->heap);
	free((void *)s->view);
	free(s->node);
	free(s);
}
