/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop with real descriptors, timers, threads and signals; nothing
 * here waits for a time, only for conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controlplane/loop/log_own.h"
#include "controlplane/loop/loop.h"
#include "controlplane/loop/loop_udp.h"
#include "dataplane/base/rand.h"

static struct loop *open_loop(const struct loop_opts *opts)
{
	struct loop *l = NULL;

	assert_int_equal(loop_open(&l, opts), VX6_OK);
	return l;
}

static struct loop *plain_loop(void)
{
	return open_loop(&(struct loop_opts){ 0 });
}

/* ---- timers ---- */

#define TIMERS 2000

struct trial {
	struct loop_timer timer;
	uint64_t wanted; /* VX6_NEVER: must not fire */
	uint64_t order;
	int fired;
	struct trials *all;
};

struct trials {
	struct loop *loop;
	struct trial t[TIMERS];
	uint64_t last_due, last_order;
	int fired, expected;
};

static void on_trial(void *ctx)
{
	struct trial *t = ctx;
	struct trials *all = t->all;

	assert_true(t->wanted != VX6_NEVER);
	assert_true(loop_now(all->loop) >= t->wanted);
	assert_true(t->wanted >= all->last_due);
	if (t->wanted == all->last_due)
		assert_true(t->order > all->last_order);
	all->last_due = t->wanted;
	all->last_order = t->order;
	t->fired++;
	all->fired++;
}

/* Timers set, moved and cleared at random fire in order, once, not early. */
static void timers_fire_in_order(void **state)
{
	struct trials *all = calloc(1, sizeof(*all));
	struct vx6_rand r;
	uint64_t base, order = 0;

	(void)state;
	assert_non_null(all);
	vx6_rand_seed(&r, (const uint8_t[32]){ 1 });
	all->loop = plain_loop();
	base = loop_now(all->loop);
	for (int i = 0; i < TIMERS; i++) {
		all->t[i].all = all;
		all->t[i].wanted = VX6_NEVER;
		loop_timer_init(&all->t[i].timer, all->loop, on_trial,
				&all->t[i]);
	}
	for (int i = 0; i < 5 * TIMERS; i++) {
		struct trial *t = &all->t[vx6_rand_below(&r, TIMERS)];
		uint64_t due = base + vx6_rand_below(&r, 300) * 100 * VX6_US;

		if (vx6_rand_below(&r, 4) == 0) {
			loop_timer_clear(&t->timer);
			t->wanted = VX6_NEVER;
		} else {
			loop_timer_set(&t->timer, due);
			t->order = due == t->wanted ? t->order : ++order;
			t->wanted = due;
		}
		assert_true(t->timer.due_ns == t->wanted);
	}
	for (int i = 0; i < TIMERS; i++)
		all->expected += all->t[i].wanted != VX6_NEVER;
	assert_true(all->expected > TIMERS / 2);
	while (all->fired < all->expected)
		loop_turn(all->loop, true);
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(all->t[i].fired,
				 all->t[i].wanted != VX6_NEVER);
	loop_close(all->loop);
	free(all);
}

struct again {
	struct loop *loop;
	struct loop_timer self, other;
	int self_fired, other_fired;
};

static void on_self(void *ctx)
{
	struct again *a = ctx;

	a->self_fired++;
	loop_timer_set(&a->self, 1); /* always past */
}

static void on_other(void *ctx)
{
	struct again *a = ctx;

	a->other_fired++;
}

/* A timer that always sets itself into the past does not stop the loop
 * from doing anything else. */
static void timer_cannot_starve_others(void **state)
{
	struct again a = { .loop = plain_loop() };

	(void)state;
	loop_timer_init(&a.self, a.loop, on_self, &a);
	loop_timer_init(&a.other, a.loop, on_other, &a);
	loop_timer_set(&a.self, 1);
	loop_timer_set(&a.other, loop_now(a.loop) + VX6_MS);
	while (a.other_fired == 0)
		loop_turn(a.loop, true);
	assert_true(a.self_fired > 1);
	loop_timer_clear(&a.self);
	loop_close(a.loop);
}

/* A timer set earlier than the one the kernel is armed for wins. */
static void timer_moved_earlier(void **state)
{
	struct again a = { .loop = plain_loop() };

	(void)state;
	loop_timer_init(&a.other, a.loop, on_other, &a);
	loop_timer_set(&a.other, loop_now(a.loop) + 3600 * VX6_SEC);
	loop_turn(a.loop, false);
	loop_timer_set(&a.other, loop_now(a.loop) + VX6_MS);
	while (a.other_fired == 0)
		loop_turn(a.loop, true);
	loop_close(a.loop);
}

/* ---- prepare and tasks ---- */

struct turn {
	struct loop *loop;
	struct loop_task task;
	int prepared, ran;
	int to_add; /* by prepare */
	bool for_ever;
};

static void on_prepare(void *ctx)
{
	struct turn *t = ctx;

	t->prepared++;
	if (t->to_add > 0) {
		t->to_add--;
		loop_task_add(&t->task);
		loop_task_add(&t->task);
	}
}

static void on_task(void *ctx)
{
	struct turn *t = ctx;

	t->ran++;
	if (t->for_ever)
		loop_task_add(&t->task);
}

/* What a task of prepare queues is flushed by prepare in the same turn. */
static void prepare_comes_after_tasks(void **state)
{
	struct turn t = { .to_add = 2 };

	(void)state;
	t.loop = open_loop(
		&(struct loop_opts){ .prepare = on_prepare, .ctx = &t });
	loop_task_init(&t.task, t.loop, on_task, &t);
	loop_turn(t.loop, false);
	assert_int_equal(t.ran, 2);
	assert_int_equal(t.prepared, 3);
	loop_task_add(&t.task);
	loop_task_clear(&t.task);
	loop_turn(t.loop, false);
	assert_int_equal(t.ran, 2);
	/* A task that never ends neither hangs the turn nor is forgotten. */
	t.for_ever = true;
	loop_task_add(&t.task);
	for (int i = 0; i < 10; i++)
		loop_turn(t.loop, true);
	assert_true(t.ran >= 12);
	loop_task_clear(&t.task);
	loop_close(t.loop);
}

/* ---- descriptors ---- */

struct seen {
	struct loop_fd *fd;
	unsigned events;
	int calls;
	bool close_it;
};

static void on_seen(void *ctx, unsigned events)
{
	struct seen *s = ctx;

	s->events |= events;
	s->calls++;
	if (s->close_it) {
		loop_fd_close(s->fd);
		s->fd = NULL;
	}
}

static void descriptors_are_watched(void **state)
{
	struct loop *l = plain_loop();
	struct seen s = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(loop_fd_open(l, pair[0], on_seen, &s, &s.fd), VX6_OK);
	assert_int_equal(write(pair[1], "x", 1), 1);
	loop_turn(l, false);
	assert_int_equal(s.calls, 0); /* not asked yet */
	loop_fd_watch(s.fd, LOOP_WRITE);
	while (s.calls == 0)
		loop_turn(l, true);
	assert_int_equal(s.events, LOOP_WRITE);
	s.events = 0;
	loop_fd_watch(s.fd, LOOP_READ);
	while (s.events == 0)
		loop_turn(l, true);
	assert_int_equal(s.events, LOOP_READ);
	s.calls = 0;
	loop_fd_watch(s.fd, 0);
	loop_turn(l, false);
	loop_turn(l, false);
	assert_int_equal(s.calls, 0);
	loop_fd_watch(s.fd, LOOP_READ);
	s.close_it = true;
	while (s.fd)
		loop_turn(l, true);
	assert_int_equal(s.calls, 1);
	close(pair[0]);
	close(pair[1]);
	loop_close(l);
}

static void tcp_pair(int pair[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int lis = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(lis, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(lis, 1), 0);
	assert_int_equal(getsockname(lis, (struct sockaddr *)&at, &len), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair[0], (struct sockaddr *)&at, len), 0);
	pair[1] = accept(lis, NULL, NULL);
	assert_true(pair[1] >= 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	close(lis);
}

/* RST is noticed though neither reading nor writing is watched, a FIN with
 * unread bytes is not taken for one. */
static void hang_up_is_seen(void **state)
{
	const struct linger now = { .l_onoff = 1 };
	struct loop *l = plain_loop();
	struct seen s = { 0 };
	int pair[2];

	(void)state;
	tcp_pair(pair);
	assert_int_equal(loop_fd_open(l, pair[0], on_seen, &s, &s.fd), VX6_OK);
	loop_fd_watch(s.fd, LOOP_HUP);
	assert_int_equal(write(pair[1], "x", 1), 1);
	shutdown(pair[1], SHUT_WR);
	for (int i = 0; i < 20; i++)
		loop_turn(l, false);
	assert_int_equal(s.calls, 0);
	setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(pair[1]);
	while (s.calls == 0)
		loop_turn(l, true);
	assert_int_equal(s.events, LOOP_HUP);
	loop_fd_close(s.fd);
	close(pair[0]);
	loop_close(l);
}

/* ---- jobs ---- */

struct jobs {
	sem_t gate; /* 0: jobs wait */
	int done, cancelled;
	pthread_t loop_thread;
};

static void job_run(void *job)
{
	struct jobs *j = job;

	assert_false(pthread_equal(pthread_self(), j->loop_thread));
	sem_wait(&j->gate);
	sem_post(&j->gate);
}

static void job_done(void *job, enum vx6_status st)
{
	struct jobs *j = job;

	assert_true(pthread_equal(pthread_self(), j->loop_thread));
	if (st == VX6_OK)
		j->done++;
	else
		j->cancelled++;
}

static void jobs_are_bounded(void **state)
{
	struct jobs j = { .loop_thread = pthread_self() };
	struct loop *l = open_loop(&(struct loop_opts){ .jobs = 8 });
	struct loop_stats s;

	(void)state;
	sem_init(&j.gate, 0, 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(loop_work(l, job_run, job_done, &j), VX6_OK);
	assert_int_equal(loop_work(l, job_run, job_done, &j), VX6_NO_ROOM);
	loop_stats(l, &s);
	assert_int_equal(s.jobs_refused, 1);
	assert_int_equal(s.jobs_now, 8);
	sem_post(&j.gate);
	while (j.done < 8)
		loop_turn(l, true);
	assert_int_equal(loop_work(l, job_run, job_done, &j), VX6_OK);
	while (j.done < 9)
		loop_turn(l, true);
	loop_close(l);
}

static void *open_gate(void *arg)
{
	struct jobs *j = arg;

	sem_post(&j->gate);
	return NULL;
}

/* 64 jobs behind a gate that *helper opens. */
static void start_jobs(struct loop *l, struct jobs *j, pthread_t *helper)
{
	sem_init(&j->gate, 0, 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(loop_work(l, job_run, job_done, j), VX6_OK);
	assert_int_equal(pthread_create(helper, NULL, open_gate, j), 0);
}

/* loop_close hands every job back, run or not. */
static void close_hands_jobs_back(void **state)
{
	struct jobs j = { .loop_thread = pthread_self() };
	struct loop *l = plain_loop();
	pthread_t helper;

	(void)state;
	start_jobs(l, &j, &helper);
	loop_close(l);
	pthread_join(helper, NULL);
	assert_int_equal(j.done + j.cancelled, 64);
}

/* Whoever frees what jobs work on asks for their end; the loop goes on. */
static void jobs_end_before_the_loop(void **state)
{
	struct jobs j = { .loop_thread = pthread_self() };
	struct loop *l = plain_loop();
	pthread_t helper;

	(void)state;
	start_jobs(l, &j, &helper);
	loop_work_end(l);
	assert_int_equal(j.done + j.cancelled, 64);
	pthread_join(helper, NULL);
	loop_work_end(l);
	assert_int_equal(loop_work(l, job_run, job_done, &j), VX6_OK);
	loop_work_end(l);
	assert_int_equal(j.done + j.cancelled, 65);
	loop_close(l);
}

/* ---- signals ---- */

static void on_signal(void *ctx, int signo)
{
	*(int *)ctx = signo;
}

/* In a child: the first SIGTERM is told, the second ends the process. */
static void second_signal_ends(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int got = 0;
		struct loop *l = NULL;

		if (loop_open(&l, &(struct loop_opts){ .signalled = on_signal,
						       .ctx = &got }))
			_exit(1);
		raise(SIGTERM);
		while (got == 0)
			loop_turn(l, true);
		if (got != SIGTERM)
			_exit(2);
		raise(SIGTERM);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void run_until_stop(void **state)
{
	struct loop *l = plain_loop();
	struct loop_timer t;

	(void)state;
	loop_timer_init(&t, l, on_stop, l);
	loop_timer_set(&t, 1);
	loop_run(l);
	loop_stop(l);
	loop_run(l); /* said before: returns */
	loop_close(l);
}

/* ---- UDP ---- */

struct port {
	struct loop_udp *udp;
	int got;
	bool close_it;
	struct vx6_addr from, to;
	size_t len;
	unsigned ecn;
};

static void on_dgram(void *ctx, const struct vx6_addr *from,
		     const struct vx6_addr *to, uint8_t *data, size_t len,
		     unsigned ecn)
{
	struct port *p = ctx;

	p->from = *from;
	p->to = *to;
	p->len = len;
	p->ecn = ecn;
	p->got++;
	memset(data, 0xee, len); /* it is ours to change */
	if (p->close_it) {
		loop_udp_close(p->udp);
		p->udp = NULL;
	}
}

static void open_port(struct loop *l, struct port *p, const char *at)
{
	struct net_opts opts = { 0 };
	struct loop_udp_hooks hooks = { .recv = on_dgram, .ctx = p };

	assert_int_equal(vx6_addr_parse(&opts.bind, at), VX6_OK);
	assert_int_equal(loop_udp_open(l, &opts, &hooks, &p->udp), VX6_OK);
}

static void udp_splits_batches(void **state)
{
	static const struct vx6_addr none;
	static uint8_t data[40 * 1200 + 700];
	struct loop *l = plain_loop();
	struct port a = { 0 }, b = { 0 };

	(void)state;
	open_port(l, &a, "127.0.0.1:0");
	open_port(l, &b, "127.0.0.1:0");
	assert_true(loop_udp_send(a.udp, &none, &loop_udp_sock(b.udp)->at, data,
				  sizeof(data), 1200, 1));
	while (b.got < 41)
		loop_turn(l, true);
	assert_int_equal(b.got, 41);
	assert_int_equal(b.len, 700);
	assert_int_equal(b.ecn, 1);
	assert_true(vx6_addr_eq(&b.from, &loop_udp_sock(a.udp)->at));
	assert_true(vx6_addr_eq(&b.to, &loop_udp_sock(b.udp)->at));
	assert_true(loop_udp_send(b.udp, &b.to, &b.from, data, 33, 0, 0));
	while (a.got < 1)
		loop_turn(l, true);
	assert_int_equal(a.len, 33);
	/* Closing inside recv, with a batch half handed out. */
	b.close_it = true;
	b.got = 0;
	assert_true(loop_udp_send(a.udp, &none, &loop_udp_sock(b.udp)->at, data,
				  sizeof(data), 1200, 0));
	while (b.udp)
		loop_turn(l, true);
	assert_int_equal(b.got, 1);
	/* Nobody there: ICMP comes back and hurts nothing. */
	assert_true(loop_udp_send(a.udp, &none, &b.to, data, 100, 0, 0));
	for (int i = 0; i < 20; i++)
		loop_turn(l, false);
	open_port(l, &b, "127.0.0.1:0");
	b.close_it = false;
	assert_true(loop_udp_send(a.udp, &none, &loop_udp_sock(b.udp)->at, data,
				  100, 0, 0));
	while (b.got < 2)
		loop_turn(l, true);
	loop_udp_close(a.udp);
	loop_udp_close(b.udp);
	loop_udp_close(NULL);
	loop_close(l);
}

static void udp_port_in_use(void **state)
{
	struct loop *l = plain_loop();
	struct port a = { 0 };
	struct net_opts opts = { 0 };
	struct loop_udp_hooks hooks = { .recv = on_dgram, .ctx = &a };
	struct loop_udp *second = NULL;

	(void)state;
	open_port(l, &a, "127.0.0.1:0");
	opts.bind = loop_udp_sock(a.udp)->at;
	assert_int_equal(loop_udp_open(l, &opts, &hooks, &second), VX6_SYS);
	assert_int_equal(errno, EADDRINUSE);
	loop_udp_close(a.udp);
	loop_close(l);
}

/* ---- log ---- */

static off_t said_before;

static int log_fd(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	said_before = 0;
	return fd;
}

/* said returns what was written since the last call. */
static char *said(int fd)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof(text) - 1, said_before);

	assert_true(n >= 0);
	text[n] = '\0';
	said_before += n;
	return text;
}

#define FORTY_SEVEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define T0            (100 * VX6_SEC)
#define UNIX0         UINT64_C(1795258953123) /* 2026-11-21T11:02:33.123Z */
#define KV(...)       ((const struct log_kv[]){ __VA_ARGS__, { .type = LOG_END } })

static void log_lines(void **state)
{
	static const uint8_t id[32] = { 1, 2, 3 };
	static const char evil[] = "a b\"\n=\\\xff\x1b[0m";
	struct logger *g = malloc(sizeof(*g));
	struct vx6_addr at;

	(void)state;
	assert_int_equal(vx6_addr_parse(&at, "[2001:db8::1]:53"), VX6_OK);
	logger_init(g, log_fd(), T0);
	logger_write(g, T0, UNIX0, LOG_LEVEL_INFO, "link", "up",
		     KV(log_str("s", "plain"), log_str("e", ""),
			log_u64("u", UINT64_MAX), log_i64("i", -5),
			log_addr("at", &at), log_hex("h", id, 4)));
	assert_string_equal(said(g->fd),
			    "2026-11-21T11:02:33.123Z info link up s=plain "
			    "e=\"\" u=18446744073709551615 i=-5 "
			    "at=[2001:db8::1]:53 h=01020300\n");
	logger_write(g, T0, UNIX0, LOG_LEVEL_WARN, "m", "e",
		     KV(log_bytes("v", evil, sizeof(evil)), log_node("n", id)));
	assert_string_equal(said(g->fd),
			    "2026-11-21T11:02:33.123Z warn m e "
			    "v=\"a b\\\"\\x0a=\\\\\\xff\\x1b[0m\\x00\" "
			    "n=vx6aebag" FORTY_SEVEN_A "\n");
	logger_write(g, T0, UNIX0, LOG_LEVEL_DEBUG, "m", "hidden",
		     KV(log_u64("u", 1)));
	assert_string_equal(said(g->fd), "");
	g->json = true;
	logger_write(
		g, T0, UNIX0, LOG_LEVEL_INFO, "m", "e",
		KV(log_str("v", evil), log_u64("u", 7), log_hex("h", id, 2)));
	assert_string_equal(said(g->fd),
			    "{\"time\":\"2026-11-21T11:02:33.123Z\","
			    "\"level\":\"info\",\"module\":\"m\","
			    "\"event\":\"e\","
			    "\"v\":\"a b\\\"\\u000a=\\\\\\u00ff\\u001b[0m\","
			    "\"u\":7,\"h\":\"0102\"}\n");
	close(g->fd);
	free(g);
}

/* A value longer than a line is cut, and the line stays one line. */
static void log_cuts_long_values(void **state)
{
	struct logger *g = malloc(sizeof(*g));
	char *big = malloc(5000);

	(void)state;
	logger_init(g, log_fd(), T0);
	for (int json = 0; json < 2; json++) {
		for (size_t len = 700; len < 1100; len++) {
			char *line;
			size_t n;

			memset(big, '"', 5000);
			big[len / 2] = '\0';
			g->json = json;
			g->tokens = LOG_BURST * VX6_SEC;
			memset(g->slot, 0, sizeof(g->slot));
			logger_write(g, T0, UNIX0, LOG_LEVEL_INFO, "m", "e",
				     KV(log_str("v", big), log_u64("u", 7)));
			line = said(g->fd);
			n = strlen(line);
			assert_true(n > 0 && n <= LOG_LINE);
			assert_ptr_equal(strchr(line, '\n'), line + n - 1);
			if (strstr(line, "cut"))
				assert_non_null(
					strstr(line, json ? "\",\"cut\":1}\n"
							  : "\" cut=1\n"));
			else
				assert_non_null(
					strstr(line, json ? "\",\"u\":7}\n"
							  : "\" u=7\n"));
		}
	}
	close(g->fd);
	free(big);
	free(g);
}

static void log_counts_repeats(void **state)
{
	struct logger *g = malloc(sizeof(*g));
	uint64_t t = T0;

	(void)state;
	logger_init(g, log_fd(), t);
	assert_true(logger_due(g) == VX6_NEVER);
	for (int i = 0; i < 1000; i++)
		logger_write(g, t, UNIX0, LOG_LEVEL_INFO, "m", "e",
			     KV(log_u64("u", 1)));
	assert_string_equal(said(g->fd),
			    "2026-11-21T11:02:33.123Z info m e u=1\n");
	assert_true(logger_due(g) == T0 + LOG_AGAIN);
	logger_tick(g, T0 + LOG_AGAIN - 1, UNIX0);
	assert_string_equal(said(g->fd), "");
	logger_tick(g, T0 + LOG_AGAIN, UNIX0 + 10000);
	assert_string_equal(said(g->fd), "2026-11-21T11:02:43.123Z info m e "
					 "u=1 repeated=999\n");
	/* going on: counted again, once in ten seconds */
	t += 12 * VX6_SEC;
	logger_write(g, t, UNIX0, LOG_LEVEL_INFO, "m", "e",
		     KV(log_u64("u", 1)));
	assert_string_equal(said(g->fd), "");
	logger_tick(g, t + 8 * VX6_SEC, UNIX0);
	assert_non_null(strstr(said(g->fd), "u=1 repeated=1\n"));
	/* silence, then once more: an ordinary line */
	logger_tick(g, t + 40 * VX6_SEC, UNIX0);
	assert_string_equal(said(g->fd), "");
	logger_write(g, t + 41 * VX6_SEC, UNIX0, LOG_LEVEL_INFO, "m", "e",
		     KV(log_u64("u", 1)));
	assert_string_equal(said(g->fd),
			    "2026-11-21T11:02:33.123Z info m e u=1\n");
	close(g->fd);
	free(g);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void log_rate_is_bounded(void **state)
{
	struct logger *g = malloc(sizeof(*g));
	const char *text;

	(void)state;
	logger_init(g, log_fd(), T0);
	for (unsigned i = 0; i < 1000; i++)
		logger_write(g, T0, UNIX0, LOG_LEVEL_INFO, "m", "e",
			     KV(log_u64("u", i)));
	assert_int_equal(count_lines(said(g->fd)), LOG_BURST);
	assert_true(logger_due(g) == T0 + LOG_REPORT);
	logger_tick(g, T0 + LOG_REPORT, UNIX0);
	text = said(g->fd);
	assert_int_equal(count_lines(text), 1);
	assert_non_null(strstr(text, "warn log dropped lines=800\n"));
	for (unsigned i = 0; i < 1000; i++)
		logger_write(g, T0 + LOG_REPORT, UNIX0, LOG_LEVEL_INFO, "m",
			     "e", KV(log_u64("w", i)));
	assert_int_equal(count_lines(said(g->fd)), LOG_RATE - 1);
	close(g->fd);
	free(g);
}

/* A reader that does not read never holds the process up. */
static void log_never_waits(void **state)
{
	struct logger *g = malloc(sizeof(*g));
	int pipe_fd[2];

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0); /* blocking, 64 KiB */
	logger_init(g, pipe_fd[1], T0);
	for (unsigned i = 0; i < 10000; i++) {
		g->tokens = LOG_BURST * VX6_SEC;
		logger_write(g, T0, UNIX0, LOG_LEVEL_INFO, "m", "e",
			     KV(log_u64("u", i)));
	}
	assert_true(g->dropped > 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	free(g);
}

static void log_levels(void **state)
{
	(void)state;
	log_setup(LOG_LEVEL_ERROR, false);
	log_info("test", "hidden");
	log_debug("test", "hidden", log_status(VX6_DENIED));
	log_text(LOG_LEVEL_INFO, "test", "hidden", "%d", 1);
	log_tick(VX6_NEVER);
	assert_true(log_due() == VX6_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(timer_cannot_starve_others),
		cmocka_unit_test(timer_moved_earlier),
		cmocka_unit_test(prepare_comes_after_tasks),
		cmocka_unit_test(descriptors_are_watched),
		cmocka_unit_test(hang_up_is_seen),
		cmocka_unit_test(jobs_are_bounded),
		cmocka_unit_test(close_hands_jobs_back),
		cmocka_unit_test(jobs_end_before_the_loop),
		cmocka_unit_test(second_signal_ends),
		cmocka_unit_test(run_until_stop),
		cmocka_unit_test(udp_splits_batches),
		cmocka_unit_test(udp_port_in_use),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(log_cuts_long_values),
		cmocka_unit_test(log_counts_repeats),
		cmocka_unit_test(log_rate_is_bounded),
		cmocka_unit_test(log_never_waits),
		cmocka_unit_test(log_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
