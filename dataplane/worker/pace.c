/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/pace.h"

#include "dataplane/base/clock.h"

#define ROOM_NS (1 * VX6_MS) /* a full port is looked at again after it */

_Static_assert(FAIR_IN >= RELAY_OUT, "all that the relay sends fits");

static struct fair_opts opts_of(const struct relay *r, const struct port *p)
{
	return (struct fair_opts){ .links_max = r->opts.links_max,
				   .halves_max = r->opts.halves_max,
				   .cells_max = p->frame_cnt /
						PACE_FRAMES_PART };
}

size_t pace_need(const struct relay *r, const struct port *p)
{
	const struct fair_opts o = opts_of(r, p);

	return fair_need(&o);
}

void pace_open(struct pace *pc, const struct relay *r, const struct port *p,
	       struct fair_budget *budget, void *mem)
{
	struct fair_opts o = opts_of(r, p);

	o.budget = budget;
	fair_init(&pc->fair, &o, mem);
	pc->open = true;
}

void pace_close(struct pace *pc, struct port *p)
{
	struct net_frame *f;

	if (!pc->open)
		return;
	while ((f = fair_drain(&pc->fair)) != NULL)
		port_give(p, &f, 1);
	pc->open = false;
}

void port_send(struct port *p, struct net_frame *f[], unsigned n)
{
	for (unsigned at = 0; at < n; at += NET_BURST)
		port_tx(p, f + at, n - at < NET_BURST ? n - at : NET_BURST);
}

static void lose(struct port *p, struct relay *r, struct net_frame *f,
		 enum vx6_status why)
{
	relay_lost(r, f, why);
	port_give(p, &f, 1);
}

void pace_send(struct pace *pc, struct port *p, struct relay *r,
	       struct net_frame *const f[], unsigned n, uint64_t now_ns)
{
	struct fair_out *out = &pc->out;
	unsigned kept = 0;

	fair_burst(&pc->fair, f, n, now_ns, p->tx_room, out);
	for (unsigned i = 0; i < out->tx_cnt; i++) {
		struct net_frame *g = out->tx[i];

		if (i < out->waited && vx6_unlikely(!relay_again(r, g)))
			lose(p, r, g, VX6_NO_CIRCUIT);
		else
			out->tx[kept++] = g;
	}
	for (unsigned i = 0; i < out->lost_cnt; i++)
		lose(p, r, out->lost[i], (enum vx6_status)out->why[i]);
	port_send(p, out->tx, kept);
}

bool pace_step(struct pace *pc, struct port *p, struct relay *r,
	       uint64_t now_ns)
{
	if (vx6_likely(!pc->fair.on) || pace_due(pc, p, now_ns) > now_ns)
		return false;
	pace_send(pc, p, r, NULL, 0, now_ns);
	return pc->out.tx_cnt > 0;
}

uint64_t pace_due(const struct pace *pc, const struct port *p, uint64_t now_ns)
{
	uint64_t due;

	if (vx6_likely(!pc->fair.on))
		return VX6_NEVER;
	due = fair_due(&pc->fair);
	if (p->tx_room == 0 && due < now_ns + ROOM_NS)
		due = now_ns + ROOM_NS;
	return due;
}

void pace_count(const struct pace *pc, const struct relay *r,
		struct abi_budget *b)
{
	const struct fair *q = &pc->fair;

	*b = (struct abi_budget){ .sent_bytes = r->relayed_bytes - q->bytes,
				  .held = q->n.held,
				  .lost_rate = q->n.lost_rate,
				  .lost_full = q->n.lost_full,
				  .waiting = q->cnt,
				  .most = q->n.most,
				  .room = q->o.cells_max };
}
