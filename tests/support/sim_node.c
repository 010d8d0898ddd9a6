/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_node: nodes that come and go, sessions between them, data planes. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/sim_own.h"

/* ---- nodes ---- */

void sim_node_start(struct sim *s, uint32_t no)
{
	struct sim_node *n = &s->node[no];

	n->up = true;
	n->epoch++;
	memset(n->plane, 0, n->ids_cnt * sizeof(*n->plane));
	n->plane_cnt = 0;
	n->plane_ns = s->now;
	ids_init(&n->ids, n->slot, n->ids_cnt, (uint16_t)sim_below(s, 65536));
}

/* Its circuits are gone with all they knew; nobody is told. */
void sim_node_crash(struct sim *s, uint32_t no)
{
	struct sim_node *n = &s->node[no];

	while (n->circs) {
		n->circs->crashed = true;
		s->told.crashed += n->circs->is_origin;
		sim_circ_free(s, n->circs);
	}
	for (uint32_t i = 0; i < s->setup.nodes; i++)
		if (s->view[no * s->setup.nodes + i])
			sim_cut(s, s->view[no * s->setup.nodes + i]);
	n->up = false;
	n->epoch++;
}

/* ---- sessions ---- */

static struct sim_sess **view_of(struct sim *s, uint32_t a, uint32_t b)
{
	return &s->view[a * s->setup.nodes + b];
}

/* Each end finds out in its own time; what is on its way is lost. */
void sim_cut(struct sim *s, struct sim_sess *sess)
{
	if (sess->cut)
		return;
	sess->cut = true;
	s->told.cut++;
	for (unsigned i = 0; i < 2; i++)
		sim_at(s, (struct sim_event){
				  .kind = SIM_LOST,
				  .at_ns = s->now + sim_between_ms(s, 0, 3000),
				  .sess = sess,
				  .end = i });
}

void sim_seek(struct sim *s, struct sim_circ *c, uint32_t to)
{
	struct sim_sess *known = *view_of(s, c->node, to);
	uint64_t wait = 0;

	if (!known) /* a dial, which may take longer than a hop waits */
		wait = sim_between_ms(s, 20, sim_odd(s, 5) ? 6000 : 800);
	sim_at(s, (struct sim_event){ .kind = SIM_DIALLED,
				      .at_ns = s->now + wait,
				      .node = to,
				      .circ = c });
}

struct sim_sess *sim_dialled(struct sim *s, uint32_t from, uint32_t to)
{
	struct sim_sess *sess = *view_of(s, from, to);
	struct sim_sess *theirs = *view_of(s, to, from);

	if (sess) /* it may be dead; that is not known yet */
		return sess;
	if (!s->node[to].up || sim_odd(s, 2))
		return NULL;
	if (theirs) /* a new one shows that the old one is dead */
		sim_cut(s, theirs);
	sess = sim_alloc(1, sizeof(*sess));
	sess->node[0] = from;
	sess->node[1] = to;
	sess->delay_ns = sim_between_ms(s, 1, 150);
	sess->all = s->sessions;
	s->sessions = sess;
	*view_of(s, from, to) = *view_of(s, to, from) = sess;
	return sess;
}

void sim_send(struct sim *s, struct sim_sess *sess, uint32_t from,
	      const struct sim_msg *m)
{
	unsigned to = sess->node[0] == from;
	uint64_t at = s->now + sess->delay_ns + sim_below(s, 20) * VX6_MS;
	struct sim_msg *copy;

	if (sess->cut || sess->lost[!to]) {
		s->told.lost_msgs++;
		return;
	}
	if (sim_odd(s, 1)) /* a path that is stuck for a while */
		at += sim_between_ms(s, 100, 14000);
	if (at < sess->last_ns[to])
		at = sess->last_ns[to];
	sess->last_ns[to] = at;
	copy = sim_alloc(1, sizeof(*copy));
	*copy = *m;
	sim_at(s, (struct sim_event){ .kind = SIM_MSG,
				      .at_ns = at,
				      .sess = sess,
				      .end = to,
				      .msg = copy });
}

void sim_destroy(struct sim *s, struct sim_sess *sess, uint32_t from,
		 uint32_t id)
{
	if (sess && id)
		sim_send(s, sess, from,
			 &(struct sim_msg){ .kind = SIM_DESTROY, .id = id });
}

/* ---- data planes: commands in order ---- */

static uint64_t plane_turn(struct sim *s, struct sim_node *n)
{
	uint64_t at = s->now + sim_below(s, 3000) * VX6_US;

	if (sim_odd(s, 1))
		at += sim_between_ms(s, 1, 2000);
	if (at > n->plane_ns)
		n->plane_ns = at;
	return n->plane_ns;
}

void sim_plane_add(struct sim *s, struct sim_circ *c, uint32_t id)
{
	struct sim_node *n = &s->node[c->node];

	c->pending++;
	sim_at(s, (struct sim_event){ .kind = SIM_ADD,
				      .at_ns = plane_turn(s, n),
				      .node = c->node,
				      .epoch = n->epoch,
				      .id = id,
				      .circ = c });
}

void sim_plane_remove(struct sim *s, uint32_t node, uint32_t id)
{
	struct sim_node *n = &s->node[node];

	if (id)
		sim_at(s, (struct sim_event){ .kind = SIM_REMOVE,
					      .at_ns = plane_turn(s, n),
					      .node = node,
					      .epoch = n->epoch,
					      .id = id });
}

void sim_plane_event(struct sim *s, const struct sim_event *e)
{
	struct sim_node *n = &s->node[e->node];
	uint32_t *place = &n->plane[e->id & IDS_INDEX_MASK];
	bool ok;

	if (n->epoch != e->epoch)
		return;
	if (e->kind == SIM_REMOVE) {
		if (*place == e->id) {
			*place = 0;
			n->plane_cnt--;
		}
		return;
	}
	ok = !sim_odd(s, n->busy);
	if (ok && *place)
		sim_fault(s, "node %u: %x is added over %x", e->node, e->id,
			  *place);
	if (ok) {
		*place = e->id;
		n->plane_cnt++;
	}
	sim_at(s, (struct sim_event){ .kind = SIM_ADDED,
				      .at_ns = s->now +
					       sim_below(s, 2000) * VX6_US,
				      .circ = e->circ,
				      .ok = ok });
}

/* ---- circuits at a node ---- */

struct sim_circ *sim_circ_new(struct sim *s, uint32_t node, bool is_origin)
{
	struct sim_circ *c = sim_alloc(1, sizeof(*c));
	struct sim_node *n = &s->node[node];

	c->is_origin = is_origin;
	c->node = node;
	c->no = s->circ_cnt++;
	c->timer_ns = VX6_NEVER;
	c->all = s->circs;
	s->circs = c;
	c->next_here = n->circs;
	if (n->circs)
		n->circs->at = &c->next_here;
	c->at = &n->circs;
	n->circs = c;
	return c;
}

/* It stays in memory: what is under way may still name it. */
void sim_circ_free(struct sim *s, struct sim_circ *c)
{
	struct ids *t = &s->node[c->node].ids;

	if (c->gone)
		sim_fault(s, "circuit %u is freed twice", c->no);
	c->gone = true;
	*c->at = c->next_here;
	if (c->next_here)
		c->next_here->at = c->at;
	ids_give(t, c->back_id);
	ids_give(t, c->forward_id);
}

void sim_timer(struct sim *s, struct sim_circ *c, uint64_t due_ns)
{
	if (due_ns == c->timer_ns)
		return;
	c->timer_ns = due_ns;
	if (due_ns != VX6_NEVER)
		sim_at(s, (struct sim_event){ .kind = SIM_TIMER,
					      .at_ns = due_ns,
					      .circ = c });
}

struct sim_circ *sim_find(struct sim *s, uint32_t node, struct sim_sess *sess,
			  uint32_t id, bool *from_next)
{
	struct ids_slot *slot = ids_find(&s->node[node].ids, id);
	struct sim_circ *c;

	if (!slot)
		return NULL;
	c = slot->owner;
	if (c->gone || c->node != node)
		sim_fault(s, "node %u: %x belongs to the dead", node, id);
	*from_next = slot->what != SIM_ID_FORWARD;
	return (*from_next ? c->next : c->prev) == sess ? c : NULL;
}
