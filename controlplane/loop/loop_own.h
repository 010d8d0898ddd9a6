/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_LOOP_OWN_H
#define VX6_CONTROLPLANE_LOOP_LOOP_OWN_H

/* loop_own: what the files of this room share.  Nobody else includes it.
 *
 * Timers are a pairing heap, linked through the timers themselves:
 *
 *     root --child--> a --next--> b --next--> c       (siblings)
 *                     |           |
 *                   child       child ..
 *
 * prev is the left sibling, or the parent of the first child, or NULL for
 * the root.  Every parent is due before its children.  Setting is O(1),
 * clearing O(log n) amortized, and neither recurses nor allocates. */

#include <uv.h>

#include "controlplane/loop/loop.h"

struct loop_job {
	uv_work_t work;
	struct loop *loop;
	void (*run)(void *job);
	void (*done)(void *job, enum vx6_status st);
	void *job;
	struct loop_job *next; /* free */
};

#define LOOP_SIGNALS 3u /* SIGTERM, SIGINT, SIGUSR1 */

struct loop {
	uv_loop_t uv;
	struct loop_opts opts;
	uint64_t now_ns;
	bool stale; /* now_ns is from before the wait */
	bool stopping;
	/* timers */
	int timer_fd;
	struct loop_fd *timer_watch;
	struct loop_timer *root;
	uint64_t order;    /* of the next timer set */
	uint64_t armed_ns; /* what timer_fd will tell; VX6_NEVER: nothing */
	/* tasks: a ring, this its head */
	struct loop_task tasks;
	uv_prepare_t prepare;
	uv_signal_t signal[LOOP_SIGNALS];
	struct loop_job *jobs, *job_free;
	uv_work_t first; /* what the pool begins with */
	struct loop_stats stats;
};

/* loop_wake reads the clock, once for each time that the loop woke.  Every
 * callback from libuv begins with it. */
VX6_NONNULL void loop_wake(struct loop *l);

/* timer_fire_due fires what is due now; what is set meanwhile waits for
 * the next turn. */
VX6_NONNULL void timer_fire_due(struct loop *l);

#endif
