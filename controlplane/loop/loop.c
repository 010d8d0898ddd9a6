/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "controlplane/loop/log.h"
#include "controlplane/loop/loop_own.h"

#define JOBS   256u
#define ROUNDS 8 /* of tasks and prepare in one turn */

struct loop_fd {
	uv_poll_t poll;
	struct loop *loop;
	loop_fd_fn fn;
	void *ctx;
	unsigned want;
	bool running; /* libuv watches it; it stops by itself on errors */
	bool closed;
};

void loop_wake(struct loop *l)
{
	if (!l->stale)
		return;
	l->stale = false;
	l->now_ns = vx6_now_ns();
	l->stats.turns++;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now_ns;
}

void loop_stats(const struct loop *l, struct loop_stats *s)
{
	*s = l->stats;
}

/* ---- descriptors ---- */

static int to_uv(unsigned events)
{
	return (events & LOOP_READ ? UV_READABLE : 0) |
	       (events & LOOP_WRITE ? UV_WRITABLE : 0) |
	       (events & LOOP_HUP ? UV_PRIORITIZED : 0);
}

static unsigned from_uv(int events)
{
	return (events & UV_READABLE ? LOOP_READ : 0) |
	       (events & UV_WRITABLE ? LOOP_WRITE : 0) |
	       (events & UV_PRIORITIZED ? LOOP_HUP : 0);
}

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch_again(struct loop_fd *f)
{
	if (f->want != 0) {
		uv_poll_start(&f->poll, to_uv(f->want), on_poll);
	} else if (f->running) {
		uv_poll_stop(&f->poll);
	}
	f->running = f->want != 0;
}

/* libuv stops a handle whose descriptor has an error.  The owner finds the
 * error by reading or writing, and then the handle is watched on. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop_fd *f = handle->data;

	loop_wake(f->loop);
	if (status < 0)
		f->running = false;
	f->fn(f->ctx, status < 0 ? f->want : from_uv(events));
	if (!f->closed && !f->running && f->want != 0)
		watch_again(f);
}

enum vx6_status loop_fd_open(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
			     struct loop_fd **out)
{
	struct loop_fd *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return VX6_NO_MEMORY;
	rc = uv_poll_init(&l->uv, &f->poll, fd);
	if (rc < 0) {
		free(f);
		errno = -rc;
		return VX6_SYS;
	}
	f->poll.data = f;
	f->loop = l;
	f->fn = fn;
	f->ctx = ctx;
	*out = f;
	return VX6_OK;
}

void loop_fd_watch(struct loop_fd *f, unsigned events)
{
	if (f->want == events)
		return;
	f->want = events;
	watch_again(f);
}

static void on_fd_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_fd_close(struct loop_fd *f)
{
	if (!f)
		return;
	f->closed = true;
	f->want = 0;
	uv_close((uv_handle_t *)&f->poll, on_fd_closed);
}

/* ---- tasks ---- */

void loop_task_init(struct loop_task *t, struct loop *l, void (*run)(void *ctx),
		    void *ctx)
{
	*t = (struct loop_task){ .run = run, .ctx = ctx, .loop = l };
}

void loop_task_add(struct loop_task *t)
{
	struct loop_task *head = &t->loop->tasks;

	if (t->next)
		return;
	t->next = head;
	t->prev = head->prev;
	head->prev->next = t;
	head->prev = t;
}

void loop_task_clear(struct loop_task *t)
{
	if (!t->next)
		return;
	t->next->prev = t->prev;
	t->prev->next = t->next;
	t->next = t->prev = NULL;
}

static bool has_tasks(const struct loop *l)
{
	return l->tasks.next != &l->tasks;
}

/* run_tasks runs what was added before it began: a mark behind the last
 * one keeps a task that adds itself from running for ever. */
static void run_tasks(struct loop *l)
{
	struct loop_task mark = { .loop = l };

	if (!has_tasks(l))
		return;
	loop_task_add(&mark);
	while (l->tasks.next != &mark) {
		struct loop_task *t = l->tasks.next;

		loop_task_clear(t);
		t->run(t->ctx);
	}
	loop_task_clear(&mark);
}

/* ---- the turn ---- */

static void arm(struct loop *l, uint64_t due_ns)
{
	struct itimerspec at = { 0 };

	if (due_ns >= l->armed_ns)
		return; /* it wakes early enough, and then is armed again */
	if (due_ns == 0)
		due_ns = 1; /* 0 would disarm */
	at.it_value.tv_sec = (time_t)(due_ns / VX6_SEC);
	at.it_value.tv_nsec = (long)(due_ns % VX6_SEC);
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	l->armed_ns = due_ns;
}

static void on_timer(void *ctx, unsigned events)
{
	struct loop *l = ctx;
	uint64_t expired;

	(void)events;
	if (read(l->timer_fd, &expired, sizeof(expired)) < 0)
		return; /* nothing expired: it was set anew meanwhile */
	l->armed_ns = VX6_NEVER;
	timer_fire_due(l);
}

static void on_prepare(uv_prepare_t *handle)
{
	struct loop *l = handle->data;
	uint64_t due;

	loop_wake(l);
	l->now_ns = vx6_now_ns();
	for (int i = 0; i < ROUNDS; i++) {
		run_tasks(l);
		if (l->opts.prepare)
			l->opts.prepare(l->opts.ctx);
		if (!has_tasks(l))
			break;
	}
	log_tick(l->now_ns);
	due = log_due();
	if (l->root && l->root->due_ns < due)
		due = l->root->due_ns;
	if (has_tasks(l))
		due = l->now_ns;
	if (due != VX6_NEVER)
		arm(l, due);
	l->stale = true;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	uv_stop(&l->uv);
}

void loop_run(struct loop *l)
{
	while (!l->stopping)
		uv_run(&l->uv, UV_RUN_DEFAULT);
	l->stopping = false;
}

void loop_turn(struct loop *l, bool wait)
{
	uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int signo)
{
	struct loop *l = handle->data;

	loop_wake(l);
	for (size_t i = 0; i < VX6_COUNT(l->signal); i++)
		uv_signal_stop(&l->signal[i]);
	l->opts.signalled(l->opts.ctx, signo);
}

static int signals_open(struct loop *l)
{
	static const int signo[LOOP_SIGNALS] = { SIGTERM, SIGINT, SIGUSR1 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < VX6_COUNT(signo); i++) {
		rc = uv_signal_init(&l->uv, &l->signal[i]);
		if (rc < 0)
			break;
		l->signal[i].data = l;
		if (l->opts.signalled)
			rc = uv_signal_start(&l->signal[i], on_signal,
					     signo[i]);
	}
	if (l->opts.signalled)
		signal(SIGPIPE, SIG_IGN);
	return rc;
}

/* ---- jobs ---- */

static void job_run(uv_work_t *work)
{
	struct loop_job *j = work->data;

	j->run(j->job);
}

static void job_done(uv_work_t *work, int status)
{
	struct loop_job *j = work->data;
	struct loop *l = j->loop;
	void (*done)(void *job, enum vx6_status st) = j->done;
	void *job = j->job;

	loop_wake(l);
	j->next = l->job_free;
	l->job_free = j;
	j->run = NULL;
	l->stats.jobs_now--;
	done(job, status == UV_ECANCELED ? VX6_CLOSED : VX6_OK);
}

enum vx6_status loop_work(struct loop *l, void (*run)(void *job),
			  void (*done)(void *job, enum vx6_status st),
			  void *job)
{
	struct loop_job *j = l->job_free;

	if (!j) {
		l->stats.jobs_refused++;
		return VX6_NO_ROOM;
	}
	l->job_free = j->next;
	j->work.data = j;
	j->loop = l;
	j->run = run;
	j->done = done;
	j->job = job;
	uv_queue_work(&l->uv, &j->work, job_run, job_done);
	l->stats.jobs++;
	l->stats.jobs_now++;
	return VX6_OK;
}

void loop_work_end(struct loop *l)
{
	for (uint32_t i = 0; l->stats.jobs_now > 0 && i < l->opts.jobs; i++)
		if (l->jobs[i].run) /* libuv would cancel a done one, too */
			uv_cancel((uv_req_t *)&l->jobs[i].work);
	while (l->stats.jobs_now > 0)
		loop_turn(l, true);
}

static void nothing_to_do(uv_work_t *work)
{
	(void)work;
}

static void nothing_done(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

/* libuv makes all its threads with the first thing there is to do, and
 * returns when they are there. */
void loop_threads(struct loop *l)
{
	uv_queue_work(&l->uv, &l->first, nothing_to_do, nothing_done);
}

static bool jobs_open(struct loop *l)
{
	if (l->opts.jobs == 0)
		l->opts.jobs = JOBS;
	l->jobs = calloc(l->opts.jobs, sizeof(*l->jobs));
	for (uint32_t i = 0; l->jobs && i < l->opts.jobs; i++) {
		l->jobs[i].next = l->job_free;
		l->job_free = &l->jobs[i];
	}
	return l->jobs != NULL;
}

/* ---- open and close ---- */

static int handles_open(struct loop *l)
{
	int rc = uv_prepare_init(&l->uv, &l->prepare);

	if (rc == 0) {
		l->prepare.data = l;
		rc = uv_prepare_start(&l->prepare, on_prepare);
	}
	if (rc == 0)
		rc = signals_open(l);
	if (rc != 0)
		return rc;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return -errno;
	if (loop_fd_open(l, l->timer_fd, on_timer, l, &l->timer_watch))
		return -ENOMEM;
	loop_fd_watch(l->timer_watch, LOOP_READ);
	return 0;
}

enum vx6_status loop_open(struct loop **out, const struct loop_opts *opts)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return VX6_NO_MEMORY;
	l->opts = *opts;
	l->timer_fd = -1;
	l->armed_ns = VX6_NEVER;
	l->now_ns = vx6_now_ns();
	l->tasks.next = l->tasks.prev = &l->tasks;
	rc = uv_loop_init(&l->uv);
	if (rc < 0) {
		free(l);
		errno = -rc;
		return VX6_SYS;
	}
	rc = jobs_open(l) ? handles_open(l) : -ENOMEM;
	if (rc < 0) {
		loop_close(l);
		errno = -rc;
		return rc == -ENOMEM ? VX6_NO_MEMORY : VX6_SYS;
	}
	*out = l;
	return VX6_OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (uv_is_closing(handle))
		return;
	if (handle->type == UV_POLL) /* each is the first of a loop_fd */
		loop_fd_close(handle->data);
	else
		uv_close(handle, NULL);
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	loop_work_end(l);
	uv_walk(&l->uv, close_handle, NULL);
	while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
		continue;
	uv_loop_close(&l->uv);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	free(l->jobs);
	free(l);
}
