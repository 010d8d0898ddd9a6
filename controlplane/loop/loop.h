/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_LOOP_H
#define VX6_CONTROLPLANE_LOOP_LOOP_H

/* loop: the one place where the control plane waits.
 *
 * A thin layer over libuv, whose types no other room sees: descriptors,
 * nanosecond timers, tasks, thread-pool jobs, signals.  One turn is
 *
 *     wait --> descriptors, due timers, finished jobs, signals
 *      ^            |
 *      |            v
 *      +--- prepare hook <--> tasks     (until no task is left)
 *
 * prepare runs exactly before the loop may block: there the owner flushes
 * what the turn's callbacks queued (QUIC packets) and sets its timers.
 *
 * Why own timers: libuv's count milliseconds, and pacing needs less.  They
 * hang on one timerfd, and sit in an intrusive heap, so that setting one
 * cannot fail and costs O(log n) (amortized) and mostly no system call.
 *
 * Time: loop_now is read once when the loop wakes and once before prepare;
 * it never runs backwards.  Callbacks get or read that time, never a clock.
 *
 * Any callback may open, set, clear and close anything of the loop,
 * itself included, except loop_close.
 *
 * Ownership: loop_open owns the loop; timers and tasks are embedded by
 * their owners and must be cleared before their memory goes; a loop_fd is
 * the loop's own memory and is freed some time after loop_fd_close.
 * Threads: one, but for the `run` of a job. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct loop;

struct loop_opts {
	uint32_t jobs; /* accepted and not done at once; 0 = 256 */
	/* prepare is called before the loop waits; NULL: nothing to do. */
	void (*prepare)(void *ctx);
	/* signalled is called once, for the first SIGTERM, SIGINT or
	 * SIGUSR1.  The second ends the process in the system's way: who asks
	 * twice is in a hurry.  SIGPIPE is ignored.  NULL: signals are left
	 * alone. */
	void (*signalled)(void *ctx, int signo);
	void *ctx;
};

struct loop_stats {
	uint64_t turns;
	uint64_t timers_fired;
	uint64_t jobs, jobs_refused; /* accepted; over the limit */
	uint32_t jobs_now;           /* accepted and not done */
};

/* loop_open makes a loop.  VX6_NO_MEMORY, or VX6_SYS with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
loop_open(struct loop **l, const struct loop_opts *opts);

/* loop_close waits for jobs that run, gives the others back (done with
 * VX6_CLOSED) and frees the loop.  Every loop_fd is closed before; timers
 * and tasks still set are forgotten.  l NULL: nothing. */
void loop_close(struct loop *l);

VX6_NONNULL uint64_t loop_now(const struct loop *l);

/* loop_run turns until loop_stop, also one said before.  loop_turn does one
 * turn and, without wait, does not block in it. */
VX6_NONNULL void loop_run(struct loop *l);
VX6_NONNULL void loop_turn(struct loop *l, bool wait);
VX6_NONNULL void loop_stop(struct loop *l);

VX6_NONNULL void loop_stats(const struct loop *l, struct loop_stats *s);

/* ---- timers ---- */

struct loop_timer {
	void (*fire)(void *ctx); /* cleared already; may be set again */
	void *ctx;
	uint64_t due_ns; /* VX6_NEVER: not set */
	/* internal */
	struct loop *loop;
	uint64_t order;
	struct loop_timer *child, *next, *prev;
};

/* loop_timer_init readies t, not set.  Timers that are due at one time
 * fire in the order they were set. */
VX6_NONNULL_ARGS(1, 2, 3)
void loop_timer_init(struct loop_timer *t, struct loop *l,
		     void (*fire)(void *ctx), void *ctx);

/* loop_timer_set sets or moves t.  A time that is past counts as now and
 * fires in the next turn; VX6_NEVER clears. */
VX6_NONNULL void loop_timer_set(struct loop_timer *t, uint64_t due_ns);
VX6_NONNULL void loop_timer_clear(struct loop_timer *t);

/* loop_backoff is how long to wait after another failure: least after the
 * first (was is 0), twice as long as before after each other, most at most. */
static inline uint64_t loop_backoff(uint64_t was_ns, uint64_t least_ns,
				    uint64_t most_ns)
{
	uint64_t next = was_ns == 0 ? least_ns : was_ns * 2;

	return next < most_ns ? next : most_ns;
}

/* ---- tasks: later in this turn, once ---- */

struct loop_task {
	void (*run)(void *ctx);
	void *ctx;
	/* internal */
	struct loop *loop;
	struct loop_task *next, *prev; /* next NULL: not added */
};

VX6_NONNULL_ARGS(1, 2, 3)
void loop_task_init(struct loop_task *t, struct loop *l, void (*run)(void *ctx),
		    void *ctx);

/* loop_task_add makes t run once, before the next prepare, or, from inside
 * prepare, before the loop waits (and then prepare comes again).  Adding
 * twice is adding once. */
VX6_NONNULL void loop_task_add(struct loop_task *t);
VX6_NONNULL void loop_task_clear(struct loop_task *t);

/* ---- descriptors ---- */

struct loop_fd;

#define LOOP_READ  1u
#define LOOP_WRITE 2u
/* LOOP_HUP: the descriptor has an error, or is closed in both directions,
 * though neither reading nor writing is watched.  It also comes for urgent
 * data; whoever gets it and finds nothing wrong stops watching it. */
#define LOOP_HUP 4u

/* events: what was seen among what was watched.  An error on the
 * descriptor shows as all that was watched: the next read or write says
 * which error.  Level-triggered. */
typedef void (*loop_fd_fn)(void *ctx, unsigned events);

/* loop_fd_open takes a non-blocking descriptor that epoll can watch and
 * watches nothing yet.  VX6_NO_MEMORY, or VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 3, 5) enum vx6_status
	loop_fd_open(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
		     struct loop_fd **out);

/* loop_fd_watch replaces what is watched; costs nothing when it is the
 * same. */
VX6_NONNULL void loop_fd_watch(struct loop_fd *f, unsigned events);

/* loop_fd_close forgets f: no callback any more.  The descriptor stays the
 * caller's, who may close it at once after.  NULL: nothing. */
void loop_fd_close(struct loop_fd *f);

/* ---- jobs: public-key work, off the loop's thread ---- */

/* loop_threads makes the pool's threads now, all of them, and not with the
 * first job: for who may make none later.  Call it once. */
VX6_NONNULL void loop_threads(struct loop *l);

/* loop_work runs run(job) in a thread of the pool and then done(job, ..)
 * in the loop: VX6_OK, or VX6_CLOSED when it was never run.
 * VX6_NO_ROOM: as many jobs as allowed are under way (counted), neither is
 * called. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
loop_work(struct loop *l, void (*run)(void *job),
	  void (*done)(void *job, enum vx6_status st), void *job);

/* loop_work_end does what loop_close does to jobs, for whoever frees what
 * they work on before: one that runs is waited for, the others are given
 * back.  The loop turns meanwhile. */
VX6_NONNULL void loop_work_end(struct loop *l);

#endif
