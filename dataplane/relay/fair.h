/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_RELAY_FAIR_H
#define VX6_DATAPLANE_RELAY_FAIR_H

/* fair: which cells of others go out now, which wait, and which are lost.
 *
 *                     it may go: nobody waits, and all have bytes left
 *     cells of        +-----------------------------------------> tx
 *     a burst --------+                                           ^
 *                     |   queue of its half-circuit               |
 *                     +-> [ | | ] --+                             |
 *                         [ | ]   --+-- ring: one quantum each ---+
 *                         [ | | | ]-+    ^            |
 *                           |            | has bytes  | none left
 *                           v            +- own, link <+
 *                          lost            wait for their bucket
 *
 * Three kinds of buckets (meter.h) limit what goes out, in bytes: each
 * half-circuit has one, each link, and the relay as a whole; and the port
 * may have room for fewer frames than there are.  Whoever cannot go waits
 * in the queue of its half-circuit.  Those that could go but for the relay's
 * bucket or the port take turns by deficit round robin: a quantum of bytes
 * each, so that small cells are worth no more and no less than large ones,
 * and who sends ten times its share waits ten times as long, not the
 * others.  A half-circuit whose own bucket is empty, or its link's, stands
 * aside until there is something in it, and keeps what it had left of its
 * quantum.  As long as somebody could go and there is room, somebody goes.
 *
 * Queues are bounded twice: in cells of one half-circuit and in cells of
 * all.  What comes when its own queue is full pushes out the oldest of it;
 * what comes when all are full, the oldest of the longest.  The oldest,
 * because the sender learns of the loss one queue sooner by it, and what
 * has waited longest is worth least.  So one that floods loses its own
 * cells and nobody else's.
 *
 * Cells of our own (half 0: probes, control cells, what vx6d sends) always
 * go at once and are charged nothing.
 *
 * Several workers share one relay budget: each draws from it what it is
 * about to send.  While others wait as well, a worker that has waiting
 * half-circuits draws of what was earned since its last turn the share that
 * it has of what all of them would send in a turn.  A link's bucket is
 * theirs together, too, and whoever comes first takes from it; a
 * half-circuit is one worker's.
 *
 * Ownership: a cell that waits is held here; every other frame that came in
 * is in tx or lost when the call returns.  Memory is the caller's.
 * Threads: one worker's; struct fair_budget is shared by all.
 * Cost: while nothing is limited and nobody waits, the caller's one look at
 * `on`.  Otherwise a few operations on lists a cell, whatever number waits;
 * a line of memory a half-circuit, which is not the relay's own and stays
 * untouched unless half-circuits are limited or wait. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/net/frame.h"
#include "dataplane/relay/meter.h"

#define FAIR_IN      80u /* frames of one call */
#define FAIR_OUT     (FAIR_IN + NET_BURST)
#define FAIR_QUANTUM NET_FRAME_CAP /* bytes; no cell is longer */
#define FAIR_ANY     UINT32_MAX    /* room: as many as there are */

#define FAIR_QUEUE         4096u /* cells of all, by default, */
#define FAIR_CIRCUIT_QUEUE 128u  /* of one half-circuit */

#define FAIR_LOOK_NS        (10 * VX6_MS) /* others may give back */
#define FAIR_LOOK_SHARED_NS (1 * VX6_MS)

struct VX6_ALIGNED(VX6_CACHELINE) fair_budget { /* zeroed by the caller */
	_Atomic uint64_t drawn;
	_Atomic uint32_t waiting; /* wanted by all workers' rings */
	_Atomic uint64_t *link;   /* of each link; see fair_init */
};

struct fair_opts {
	uint32_t links_max, halves_max; /* as the relay has them */
	uint32_t cells_max; /* frames that may be held, whatever is limited */
	struct fair_budget *budget;
};

struct fair_count {
	uint64_t held, sent; /* cells that had to wait; that went after it */
	uint64_t lost_rate, lost_full; /* VX6_RATE, VX6_CONGESTED */
	uint32_t most;                 /* that ever waited together */
};

struct fair_cell { /* one that waits */
	struct net_frame *f;
	uint32_t next;
};

struct VX6_ALIGNED(VX6_CACHELINE) fair_half {
	uint64_t drawn;
	uint64_t ready_ns; /* aside: when its bucket has enough */
	uint32_t head, tail, cnt;
	uint32_t bytes;
	uint32_t credit;        /* bytes that it may still send in its turn */
	uint32_t next;          /* in the ring or list that it is in */
	uint32_t before, after; /* among those with as many cells */
	uint32_t link; /* that let it into the ring, 0 = entered by itself */
	uint8_t at;    /* enum fair_at */
};

struct fair_list {
	uint32_t first, last; /* 0 = none */
};

struct fair_link {
	uint64_t ready_ns;     /* timed: when its bucket has enough */
	struct fair_list wait; /* half-circuits that wait for it */
	uint32_t in;           /* those that it let into the ring */
	uint32_t next;         /* of the links that are timed */
	bool timed;
};

struct fair {
	bool on; /* something is limited, or somebody waits */
	struct fair_opts o;
	struct abi_limits limits;
	struct meter circuit, link, relay;
	struct fair_half *half;
	struct fair_link *links;
	struct fair_cell *cell; /* 1 .. cells_max */
	uint32_t free, fresh;   /* cells used before; never used from here */
	uint32_t cnt;           /* cells held, */
	uint64_t bytes;         /* and their bytes */
	struct fair_list ring;  /* those that take turns, */
	uint32_t wanted;        /* bytes that their next turns would take */
	struct fair_list own;   /* wait for their own bucket, */
	struct fair_list due;   /* links, timed */
	uint64_t share, seen;   /* of the budget, where several wait */
	uint32_t told;          /* our part of budget->waiting */
	uint32_t longest;       /* cells of the longest queue */
	struct fair_count n;
	/* half-circuits by the number of cells they hold */
	uint32_t with[ABI_CIRCUIT_QUEUE_MAX + 1];
};

struct fair_out {                       /* every call fills it anew */
	struct net_frame *tx[FAIR_OUT]; /* `waited` that did, then those that
					   did not */
	struct net_frame *lost[FAIR_OUT];
	uint8_t why[FAIR_OUT]; /* enum vx6_status of each that is lost */
	unsigned tx_cnt, waited, lost_cnt;
};

/* fair_need is the memory that fair_init wants, zeroed and aligned to a
 * page; most of it is never touched. */
VX6_MUST_CHECK VX6_NONNULL size_t fair_need(const struct fair_opts *o);
/* fair_init; the links' buckets lie in the memory of the first that has this
 * budget, so all of them end together. */
VX6_NONNULL void fair_init(struct fair *q, const struct fair_opts *o,
			   void *mem);

/* fair_limit sets other limits; cells that wait go on waiting, by the new
 * ones.  All zero: none. */
VX6_NONNULL void fair_limit(struct fair *q, const struct abi_limits *l);

/* fair_burst takes n <= FAIR_IN frames to send, and lets those that wait go
 * as far as may be: at most room frames that are not our own, and at most
 * NET_BURST that waited.  n may be 0. */
VX6_NONNULL_ARGS(1, 6)
void fair_burst(struct fair *q, struct net_frame *const f[], unsigned n,
		uint64_t now_ns, uint32_t room, struct fair_out *out);

/* fair_due is when somebody who waits could go; VX6_NEVER: nobody waits.
 * Where only the port's room is lacking it has come already. */
VX6_MUST_CHECK VX6_NONNULL uint64_t fair_due(const struct fair *q);

/* fair_drain takes one frame that waits out, NULL: none does.  For the
 * end. */
VX6_MUST_CHECK VX6_NONNULL struct net_frame *fair_drain(struct fair *q);

#endif
