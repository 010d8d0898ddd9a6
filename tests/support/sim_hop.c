/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_hop: a hop's actions carried out. */
#include "tests/support/sim_own.h"

static const struct hop_times times = {
	.seek_ns = 2 * VX6_SEC,
	.extend_ns = 10 * VX6_SEC,
};

/* ---- what core/hop asks for; false: NO_ROOM must be told next ---- */

static bool do_extend(struct sim *s, struct sim_circ *c)
{
	struct sim_msg m = { .kind = SIM_CREATE, .onion = c->onion };

	c->back_id = ids_take(&s->node[c->node].ids, c, SIM_ID_BACKWARD);
	if (!c->back_id) {
		c->hop.hop.next_told = c->hop.sent = false;
		return false;
	}
	m.back_id = c->back_id;
	m.onion.pos++;
	sim_send(s, c->next, c->node, &m);
	return true;
}

static bool do_install(struct sim *s, struct sim_circ *c)
{
	c->forward_id = ids_take(&s->node[c->node].ids, c, SIM_ID_FORWARD);
	if (!c->forward_id)
		return false;
	sim_plane_add(s, c, c->forward_id);
	if (!c->hop.hop.end)
		sim_plane_add(s, c, c->back_id);
	return true;
}

static void do_answer(struct sim *s, struct sim_circ *c)
{
	struct sim_msg m = { .kind = SIM_CREATED,
			     .id = c->prev_back_id,
			     .forward_id = c->forward_id };
	uint8_t code = c->hop.hop.code;

	if (code == VX6_CREATED_OK && !c->hop.hop.end) {
		m.reply = c->reply;
		m.reply.depth++;
	} else {
		m.reply.code = code;
	}
	if (s->node[c->node].liar)
		m.reply = (struct sim_reply){ .forged = true };
	sim_send(s, c->prev, c->node, &m);
}

static bool act(struct sim *s, struct sim_circ *c, enum hop_act what)
{
	struct sim_msg fail = { .kind = SIM_FAIL, .id = c->prev_back_id };

	s->told.hop_act[what]++;
	switch (what) {
	case HOP_ACT_SEEK:
		sim_seek(s, c, c->onion.path[c->onion.pos + 1]);
		break;
	case HOP_ACT_EXTEND: return do_extend(s, c);
	case HOP_ACT_INSTALL: return do_install(s, c);
	case HOP_ACT_ANSWER: do_answer(s, c); break;
	case HOP_ACT_FAIL:
		fail.code = sim_chance(s, 50) ? VX6_CREATED_NEXT_NO_KEY
					      : VX6_CREATED_NEXT_REFUSED;
		sim_send(s, c->prev, c->node, &fail);
		break;
	case HOP_ACT_REMOVE:
		sim_plane_remove(s, c->node, c->forward_id);
		sim_plane_remove(s, c->node, c->back_id);
		break;
	case HOP_ACT_DESTROY_PREV:
		sim_destroy(s, c->prev, c->node, c->prev_back_id);
		break;
	case HOP_ACT_DESTROY_NEXT:
		sim_destroy(s, c->next, c->node, c->next_forward_id);
		break;
	case HOP_ACT_FREE: sim_circ_free(s, c); break;
	}
	return true;
}

void sim_hop_step(struct sim *s, struct sim_circ *c, enum hop_ev kind,
		  unsigned code)
{
	struct hop_event ev = { .kind = kind,
				.code = (uint8_t)code,
				.now_ns = s->now };
	bool more = true;

	while (more && !s->told.fault[0]) {
		struct hop_out out;
		enum vx6_status st;
		const char *broken = law_hop_step(&c->hop, &ev, &out, &st);

		if (broken)
			sim_fault(s, "hop %u at node %u: %s", c->no, c->node,
				  broken);
		more = false;
		for (unsigned i = 0; i < out.n && !broken; i++)
			more = !act(s, c, out.act[i]);
		ev.kind = HOP_EV_NO_ROOM;
	}
	if (!c->gone)
		sim_timer(s, c, hop_due(&c->hop.hop));
}

/* ---- what a hop hears ---- */

void sim_hop_create(struct sim *s, struct sim_sess *sess, uint32_t node,
		    const struct sim_msg *m)
{
	struct sim_node *n = &s->node[node];
	struct sim_circ *c;

	if (n->deaf)
		return;
	if (!n->cramped && n->ids.cnt - n->ids.used < 4) {
		sim_send(s, sess, node,
			 &(struct sim_msg){ .kind = SIM_FAIL,
					    .id = m->back_id,
					    .code = VX6_CREATED_NEXT_REFUSED });
		return;
	}
	c = sim_circ_new(s, node, false);
	law_hop_init(&c->hop, &times);
	c->prev = sess;
	c->prev_back_id = m->back_id;
	c->onion = m->onion;
	if (m->onion.path[m->onion.pos] != node)
		sim_fault(s, "CREATE came to node %u, not to %u", node,
			  m->onion.path[m->onion.pos]);
	sim_at(s, (struct sim_event){ .kind = SIM_OPENED,
				      .at_ns = s->now +
					       sim_below(s, 5000) * VX6_US,
				      .circ = c });
}

void sim_hop_opened(struct sim *s, struct sim_circ *c)
{
	struct sim_node *n = &s->node[c->node];
	enum hop_ev kind = HOP_EV_OPENED_RELAY;

	c->hop.hop.times.life_ns = c->onion.life_ns;
	if (sim_odd(s, n->keyless))
		kind = HOP_EV_REFUSED;
	else if (n->policy)
		kind = HOP_EV_OPENED_OTHER;
	else if (c->onion.pos + 1 == c->onion.cnt)
		kind = HOP_EV_OPENED_END;
	sim_hop_step(s, c, kind, 0);
}

void sim_hop_dialled(struct sim *s, struct sim_circ *c)
{
	if (c->hop.hop.state != HOP_SEEK)
		return;
	if (sim_odd(s, 1)) {
		sim_hop_step(s, c, HOP_EV_NEXT_UNKNOWN, 0);
		return;
	}
	c->next = sim_dialled(s, c->node, c->onion.path[c->onion.pos + 1]);
	sim_hop_step(s, c,
		     c->next ? HOP_EV_NEXT_READY : HOP_EV_NEXT_UNREACHABLE, 0);
}

/* Both halves are answered before the hop hears of it. */
void sim_hop_added(struct sim *s, struct sim_circ *c, bool ok)
{
	c->pending--;
	c->add_failed |= !ok;
	if (c->pending == 0 && c->hop.hop.state == HOP_INSTALL)
		sim_hop_step(s, c,
			     c->add_failed ? HOP_EV_NO_ROOM : HOP_EV_INSTALLED,
			     0);
}

void sim_hop_created(struct sim *s, struct sim_circ *c, const struct sim_msg *m)
{
	c->next_forward_id = m->forward_id;
	c->reply = m->reply;
	sim_hop_step(s, c, HOP_EV_CREATED, 0);
}
