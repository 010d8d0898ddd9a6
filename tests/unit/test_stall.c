/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watchdog: when a worker counts as stalled, and who hears of it.
 *
 * Method: time is told, so that no test waits for it.  The worker that hangs
 * is a real one, in a port that hangs on demand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/control.h"
#include "dataplane/worker/worker.h"
#include "tests/support/in_stack.h"
#include "tests/support/one_relay.h"

#define PATIENCE_MS 10000

/* ---- watchdog ---- */

static void a_stall_is_found_and_nothing_else(void **state)
{
	struct watch w = { 0 };
	uint64_t now = 5 * VX6_SEC, beat = 1;

	(void)state;
	/* turning, or blocked: never */
	for (unsigned i = 0; i < 100; i++) {
		now += 250 * VX6_MS;
		assert_false(
			watch_step(&w, beat += i % 2 == 0, i % 2 != 0, now));
	}
	assert_false(watch_step(&w, beat, false, now += VX6_MS));
	/* half a second without a turn: once */
	assert_false(watch_step(&w, beat, false, now += 200 * VX6_MS));
	assert_false(watch_step(&w, beat, false, now += 200 * VX6_MS));
	assert_true(watch_step(&w, beat, false, now += 200 * VX6_MS));
	assert_true(w.stalled_ns >= WORKER_STALL_NS);
	assert_false(watch_step(&w, beat, false, now += 10 * VX6_SEC));
	/* it goes on, and stalls again */
	assert_false(watch_step(&w, ++beat, false, now += VX6_MS));
	assert_false(watch_step(&w, beat, false, now += 200 * VX6_MS));
	/* the watcher was held up too: that proves nothing */
	assert_false(watch_step(&w, beat, false, now += 3600 * VX6_SEC));
	assert_false(watch_step(&w, ++beat, false, now += VX6_MS));
	assert_int_equal(w.stalls, 1);
}

/* ---- a worker that hangs in its port ---- */

static struct worker *worker;
static sem_t in_port, go_on;
static _Atomic bool hang;

static unsigned stuck_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	(void)p;
	(void)f;
	(void)n;
	if (!atomic_load(&hang))
		return 0;
	sem_post(&in_port);
	sem_wait(&go_on);
	return 0;
}

static unsigned no_fds(struct port *p, int fd[PORT_FDS])
{
	(void)p;
	(void)fd;
	return 0;
}

static const struct port_ops stuck = { .name = "stuck",
				       .rx = stuck_rx,
				       .fds = no_fds };
static const struct port_ops *real;

struct hung { /* a control thread, which this one is, and its client */
	struct control c;
	struct log l;
	int log_fd[2], listen_fd, client;
	char dir[24], path[40];
	uint64_t now;
};

static void make_worker(void)
{
	const struct relay_opts o = { 0 };

	assert_int_equal(sem_init(&in_port, 0, 0), 0);
	assert_int_equal(sem_init(&go_on, 0, 0), 0);
	atomic_store(&hang, false);
	one_open(&o, 0);
	worker = one_worker();
	real = node.port->ops;
	node.port->ops = &stuck;
}

static int hung_open(void **state)
{
	static struct hung h;
	const struct abi_welcome hello = { .data.port = 1,
					   .links_max = 2,
					   .halves_max = 2,
					   .workers = 1,
					   .u_v6 = VX6_CELL_MAX,
					   .u_v4 = VX6_CELL_MAX,
					   .suites = 2,
					   .backend = ABI_BACKEND_UDP,
					   .asked = ABI_BACKEND_UDP };

	memset(&h, 0, sizeof(h));
	*state = &h;
	h.now = 100 * VX6_SEC;
	h.client = -1;
	snprintf(h.dir, sizeof(h.dir), "/tmp/vx6-stall-XXXXXX");
	assert_non_null(mkdtemp(h.dir));
	snprintf(h.path, sizeof(h.path), "%s/sock", h.dir);
	assert_int_equal(abi_listen(&h.listen_fd, h.path), VX6_OK);
	assert_int_equal(pipe2(h.log_fd, O_NONBLOCK), 0);
	log_init(&h.l, h.log_fd[1], false);
	make_worker();
	assert_int_equal(control_init(&h.c, h.listen_fd, &worker, &hello, &h.l),
			 VX6_OK);
	assert_int_equal(worker_start(worker), VX6_OK);
	return 0;
}

static int hung_close(void **state)
{
	struct hung *h = *state;

	atomic_store(&hang, false);
	sem_post(&go_on);
	worker_stop(worker);
	node.port->ops = real;
	sem_destroy(&in_port);
	sem_destroy(&go_on);
	if (h->client >= 0)
		close(h->client);
	control_close(&h->c);
	one_worker_end(worker);
	close(h->log_fd[0]);
	close(h->log_fd[1]);
	close(h->listen_fd);
	unlink(h->path);
	return rmdir(h->dir);
}

/* The worker hangs, and more than half a second goes by. */
static void stall(struct hung *h)
{
	atomic_store(&hang, true);
	worker_wake(worker);
	sem_wait(&in_port);
	for (unsigned i = 0; i < 5; i++)
		control_step(&h->c, h->now += 200 * VX6_MS);
}

static void go(void)
{
	atomic_store(&hang, false);
	sem_post(&go_on);
}

/* One message for the client, while the control thread does its part. */
static struct abi_msg hear(struct hung *h)
{
	struct pollfd p[CONTROL_FDS + 1];
	int fds[ABI_FD_CNT];
	struct abi_msg m;

	for (;;) {
		unsigned n = control_fds(&h->c, p);
		enum vx6_status st = abi_recv(h->client, &m, fds, ABI_FD_CNT);

		if (st == VX6_OK)
			break;
		assert_int_equal(st, VX6_AGAIN);
		p[n] = (struct pollfd){ .fd = h->client, .events = POLLIN };
		assert_true(poll(p, n + 1, PATIENCE_MS) > 0);
		control_step(&h->c, h->now);
	}
	assert_int_equal(abi_check(&m, false), VX6_OK);
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return m;
}

static struct abi_msg ask(struct hung *h, unsigned type)
{
	static uint32_t seq;
	struct abi_msg m = { .version = ABI_VERSION,
			     .type = (uint16_t)type,
			     .seq = ++seq };

	assert_int_equal(abi_send(h->client, &m, NULL, 0), VX6_OK);
	return hear(h);
}

static void a_hanging_worker_is_reported(void **state)
{
	struct hung *h = *state;
	char text[1000] = "";

	stall(h);
	assert_true(read(h->log_fd[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, " error worker stall ms="));
	assert_non_null(strstr(text, " stack=\""));
	assert_true(in_stack(text, "test_stall", (uintptr_t)stuck_rx));
}

static void counts(struct hung *h, uint64_t stalls)
{
	struct abi_msg m = ask(h, ABI_STATS);

	assert_int_equal(m.type, ABI_WORKER_IS);
	assert_int_equal(m.u.worker.stalls, stalls);
	assert_int_equal(hear(h).type, ABI_STATS_ARE);
}

/* The one who subscribed is told where, and with the counters how often. */
static void its_client_is_told_where(void **state)
{
	struct hung *h = *state;
	struct abi_msg m;

	assert_int_equal(abi_connect(&h->client, h->path), VX6_OK);
	assert_int_equal(ask(h, ABI_HELLO).type, ABI_WELCOME);
	assert_int_equal(ask(h, ABI_SUBSCRIBE).type, ABI_DONE);
	counts(h, 0);
	for (unsigned times = 1; times <= 2; times++) {
		stall(h);
		m = hear(h);
		assert_int_equal(m.type, ABI_STALL);
		assert_int_equal(m.u.stall.worker, 0);
		assert_true(m.u.stall.stalled_ns >= WORKER_STALL_NS);
		assert_true(in_stack(m.u.stall.stack, "test_stall",
				     (uintptr_t)stuck_rx));
		go();
		counts(h, times);
	}
}

/* A client that asks and does not read, until its answers have no room. */
static unsigned fill(struct hung *h)
{
	struct abi_msg m = { .version = ABI_VERSION,
			     .type = ABI_SUBSCRIBE,
			     .seq = 1 };
	unsigned n = 0;

	while (!h->c.own_waits) {
		assert_int_equal(abi_send(h->client, &m, NULL, 0), VX6_OK);
		n++;
		control_step(&h->c, h->now);
	}
	return n;
}

/* Neither are its answers lost, nor what could not wait for them. */
static void a_stall_waits_for_no_answer(void **state)
{
	struct hung *h = *state;
	unsigned answers, stalls = 0;
	struct abi_msg m;

	assert_int_equal(abi_connect(&h->client, h->path), VX6_OK);
	assert_int_equal(ask(h, ABI_HELLO).type, ABI_WELCOME);
	answers = fill(h);
	stall(h);
	assert_true(h->c.own_waits);
	while (answers > 0 || stalls == 0) {
		m = hear(h);
		if (m.type == ABI_DONE) {
			assert_true(answers-- > 0);
			continue;
		}
		assert_int_equal(m.type, ABI_STALL);
		assert_int_equal(stalls++, 0);
		assert_true(in_stack(m.u.stall.stack, "test_stall",
				     (uintptr_t)stuck_rx));
	}
	go();
	counts(h, 1);
}

/* What was said of a worker to the client that went is not the next one's. */
static void the_next_client_hears_its_own(void **state)
{
	struct hung *h = *state;

	assert_int_equal(abi_connect(&h->client, h->path), VX6_OK);
	assert_int_equal(ask(h, ABI_HELLO).type, ABI_WELCOME);
	(void)fill(h);
	stall(h);
	go();
	close(h->client);
	assert_int_equal(abi_connect(&h->client, h->path), VX6_OK);
	assert_int_equal(ask(h, ABI_HELLO).type, ABI_WELCOME);
	counts(h, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stall_is_found_and_nothing_else),
		cmocka_unit_test_setup_teardown(a_hanging_worker_is_reported,
						hung_open, hung_close),
		cmocka_unit_test_setup_teardown(its_client_is_told_where,
						hung_open, hung_close),
		cmocka_unit_test_setup_teardown(a_stall_waits_for_no_answer,
						hung_open, hung_close),
		cmocka_unit_test_setup_teardown(the_next_client_hears_its_own,
						hung_open, hung_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
