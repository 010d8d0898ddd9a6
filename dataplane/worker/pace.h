/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_PACE_H
#define VX6_DATAPLANE_WORKER_PACE_H

/* pace: stands between the relay and the port, and lets cells of others
 * through as fast as they may and can go.
 *
 *     relay -- tx --> clear? -- yes ----------------> port
 *                       | no                            ^
 *                       +--> fair (relay/fair.h) -------+
 *                              | lost: counted by the relay, to the pool
 *
 * While nothing is limited and the port has room that is one comparison.
 * A cell that waited goes where its link is when it goes, or nowhere if its
 * half-circuit has ended meanwhile.
 *
 * Ownership: cells that wait are held here, until pace_close gives them
 * back to the port.  Memory is the caller's.  Threads: the worker's; the
 * budget is shared. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/port/port.h"
#include "dataplane/relay/fair.h"
#include "dataplane/relay/relay.h"

#define PACE_FRAMES_PART 4u /* one in so many of a port's frames may wait */

struct pace {
	bool open; /* else everything is clear */
	struct fair fair;
	struct fair_out out;
};

/* pace_need is the memory that pace_open wants, zeroed and aligned to a
 * page; little of it is touched while nothing is limited. */
VX6_MUST_CHECK VX6_NONNULL size_t pace_need(const struct relay *r,
					    const struct port *p);
VX6_NONNULL void pace_open(struct pace *pc, const struct relay *r,
			   const struct port *p, struct fair_budget *budget,
			   void *mem);
/* pace_close gives back what waits; harmless on a zeroed one. */
VX6_NONNULL void pace_close(struct pace *pc, struct port *p);

/* pace_clear: n frames may go to the port as they are. */
VX6_MUST_CHECK VX6_NONNULL static inline bool
pace_clear(const struct pace *pc, const struct port *p, unsigned n)
{
	return vx6_likely(!pc->fair.on && (n <= p->tx_room || !pc->open));
}

/* pace_send takes n <= RELAY_OUT frames of the relay's tx. */
VX6_NONNULL_ARGS(1, 2, 3)
void pace_send(struct pace *pc, struct port *p, struct relay *r,
	       struct net_frame *const f[], unsigned n, uint64_t now_ns);

/* pace_step lets those go whose time has come; true: it did something. */
VX6_NONNULL bool pace_step(struct pace *pc, struct port *p, struct relay *r,
			   uint64_t now_ns);

/* pace_due is when to call pace_step; VX6_NEVER: nobody waits. */
VX6_MUST_CHECK VX6_NONNULL uint64_t pace_due(const struct pace *pc,
					     const struct port *p,
					     uint64_t now_ns);

/* pace_count fills what the relaying of this worker came to. */
VX6_NONNULL void pace_count(const struct pace *pc, const struct relay *r,
			    struct abi_budget *b);

/* port_send hands any number of frames to the port, a burst at a time. */
VX6_NONNULL_ARGS(1)
void port_send(struct port *p, struct net_frame *f[], unsigned n);

#endif
