/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_WORKER_H
#define VX6_DATAPLANE_WORKER_WORKER_H

/* worker: one thread, one port, one relay, and the loop that joins them.
 * Several stand side by side and share nothing that is written, but for the
 * rings between each two of them (hand.h).
 *
 *            port            ring of vx6d        control thread
 *          rx | ^ tx         up ^ | down         cmd | ^ ans, ev
 *             v |               | v                  v |
 *     +-------------------------------------------------------+
 *     | clock, rx, relay_burst, down, timers, commands, events |
 *     +-------------------------------------------------------+
 *          work: again at once · none: spin, after 50 us block
 *
 * It never allocates or logs, and waits in one place only: poll(2) on the
 * port's descriptors, the ring's and its own, and only when told to be
 * adaptive.  The clock is read once a turn and once after a wait.
 *
 * Commands are done between bursts, in order, and each is answered once
 * (DUMP with as many messages as it takes, a few each turn).  Events that
 * find their queue full wait in the relay, which drops further control
 * cells and says everything else again.
 *
 * A cell goes to the worker that owns its link, wherever it arrived
 * (relay.h says who that is); one for vx6d goes on to the first worker, which
 * alone has the client's ring.  What the ring brings down the first worker
 * sends itself, over whichever link.
 *
 * The ring belongs to one client.  The control thread offers it with
 * worker_offer_ring and takes it away again with NULL.  Cells for vx6d are
 * dropped and counted while there is none.
 *
 * Watchdog: `beat` moves with every turn.  A worker that is not blocked and
 * whose beat stands still is stalled; watch_step, on another thread, finds
 * that out.
 *
 * Ownership: port and relay are lent by the caller, before worker_start
 * and until worker_stop has returned.  Threads: as said above. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/ring.h"
#include "dataplane/port/port.h"
#include "dataplane/relay/relay.h"
#include "dataplane/worker/hand.h"
#include "dataplane/worker/pace.h"
#include "dataplane/worker/queue.h"

#define WORKER_SPIN_NS  (50 * VX6_US) /* without work, before it blocks */
#define WORKER_LATE_NS  (50 * VX6_MS) /* timers never wait longer for rx */
#define WORKER_CMDS     16u           /* commands of one turn */
#define WORKER_DUMP     16u           /* messages of a dump in one turn */
#define WORKER_STALL_NS (500 * VX6_MS)
#define WORKER_SLICE_NS (100 * VX6_US) /* the shortest that Linux gives */
#define WORKER_ANY_CPU  (-1)

struct worker_opts {
	uint32_t index; /* as relay_opts.worker */
	bool spin;      /* never block */
	int cpu;        /* to stay on, or WORKER_ANY_CPU */
};

struct worker {
	struct worker_opts opts;
	struct port *port;
	struct relay *relay;
	pthread_t thread;
	bool running;
	int wake_fd; /* eventfd: commands, ring, stop */
	int said_fd; /* eventfd: answers, events, ring given up */
	struct queue cmd, ans, ev;
	_Atomic bool stop;
	_Atomic(struct abi_shm *) ring_offered;
	_Atomic uint32_t ring_asked, ring_done; /* offers made, and seen */
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint64_t beat;
	_Atomic bool blocked;
	_Atomic uint32_t asleep; /* wake it when something is handed over */
	/* the worker's own from here on */
	VX6_ALIGNED(VX6_CACHELINE) struct abi_shm *ring;
	struct relay_out out;
	struct pace pace;
	uint64_t now, idle_since, late_since;
	uint64_t busy_ns, spin_ns, blocked_ns;
	uint64_t longest_ns; /* of its turns */
	uint64_t up, ring_full, refused_down;
	uint64_t dump_cursor;
	uint32_t dump_seq; /* 0 = no dump under way */
	bool said;         /* something for said_fd this turn */
	struct abi_slot slot;
	/* the others; see worker_meet */
	unsigned peers; /* with us; 0 = alone */
	struct worker *peer[RELAY_WORKERS];
	struct hand *to[RELAY_WORKERS], *from[RELAY_WORKERS];
	uint32_t to_wake; /* bit for each that was handed something */
	bool news_wait;   /* of links, for room */
	uint64_t handed, hand_full;
};

/* worker_init prepares *w (VX6_SYS with errno: no eventfd).  Its size asks
 * for memory from the heap, aligned. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
worker_init(struct worker *w, const struct worker_opts *opts, struct port *port,
	    struct relay *relay);

/* worker_limit lends the worker a share of a budget, and memory of
 * pace_need bytes, zeroed, so that it can hold cells back; without it a
 * worker knows no limits (LIMITS: VX6_UNSUPPORTED).  Before worker_start. */
VX6_NONNULL void worker_limit(struct worker *w, struct fair_budget *budget,
			      void *mem);
/* worker_meet joins n workers, all[k] with index k, by rings; hand has
 * n * n of them, by who gives and who takes.  Before any starts. */
VX6_NONNULL void worker_meet(struct worker *const all[], unsigned n,
			     struct hand hand[]);

/* worker_hasten asks for short turns on the core, for the calling thread and
 * those that it makes afterwards: who has short ones is run soon after it was
 * woken, while others wait for the tick, 4 ms at 250 Hz, and what comes
 * meanwhile fills the rings.  It has no more of the core for it, and needs no
 * privilege.  Without effect before Linux 6.12, and on a thread that has a
 * policy of its own. */
void worker_hasten(void);

/* worker_start makes the thread.  VX6_SYS with errno (EINVAL: no such
 * CPU). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status worker_start(struct worker *w);

/* worker_stop ends the thread and waits for it; worker_free closes what
 * worker_init opened.  Both are harmless when there is nothing to end. */
VX6_NONNULL void worker_stop(struct worker *w);
VX6_NONNULL void worker_free(struct worker *w);

/* worker_wake makes a blocked worker look at its queues. */
VX6_NONNULL void worker_wake(struct worker *w);

/* worker_offer_ring gives the worker a ring to use from its next turn on,
 * NULL for none; the one before may be touched until worker_ring_settled is
 * true, which said_fd tells. */
VX6_NONNULL_ARGS(1)
void worker_offer_ring(struct worker *w, struct abi_shm *ring);
VX6_NONNULL bool worker_ring_settled(struct worker *w);

/* worker_turn is one turn of the loop at time now_ns; true: there was work.
 * worker_start's thread calls it; so does a test without a thread. */
VX6_NONNULL bool worker_turn(struct worker *w, uint64_t now_ns);

/* ---- watchdog, on the control thread ---- */

struct watch {
	uint64_t beat, last_ns, stalled_ns;
	uint64_t stalls; /* so far */
	bool said;
};

/* watch_step judges once; call it a few times within WORKER_STALL_NS.
 * True once for each stall, with w->stalled_ns.  A caller that was itself
 * held up counts at most one such interval. */
VX6_MUST_CHECK VX6_NONNULL bool watch_step(struct watch *w, uint64_t beat,
					   bool blocked, uint64_t now_ns);

#endif
