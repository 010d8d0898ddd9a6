/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker: the loop, its queues and its watchdog; the control socket; and
 * three whole data planes in this process with cells through all of them
 * over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/workers.h"
#include "dataplane/base/clock.h"
#include "dataplane/worker/control.h"
#include "dataplane/worker/count.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_path.h"
#include "tests/support/one_relay.h"

/* ---- queue ---- */

static struct queue queue;

static void queue_is_a_queue(void **state)
{
	uint32_t in = 0, out = 0;
	uint64_t rng = 7;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	for (unsigned i = 0; i < 100000; i++) {
		struct abi_msg *m;

		rng = rng * 6364136223846793005u + 1;
		if (rng >> 63) {
			m = queue_room(&queue);
			assert_int_equal(m == NULL, in - out == QUEUE_SLOTS);
			assert_int_equal(queue_free(&queue),
					 QUEUE_SLOTS - (in - out));
			if (m == NULL)
				continue;
			assert_int_equal(m->seq, 0); /* wiped */
			m->seq = ++in;
			queue_push(&queue);
		} else {
			m = queue_peek(&queue);
			assert_int_equal(m == NULL, in == out);
			if (m == NULL)
				continue;
			assert_int_equal(m->seq, ++out);
			queue_pop(&queue);
		}
	}
}

#define MANY 200000u

static void *push_many(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= MANY;) {
		struct abi_msg *m = queue_room(&queue);

		if (m == NULL) {
			sched_yield(); /* a CPU of its own is not promised */
			continue;
		}
		m->seq = i;
		m->u.stall.stalled_ns = (uint64_t)i * i;
		queue_push(&queue);
		i++;
	}
	return NULL;
}

static void two_threads_share_a_queue(void **state)
{
	pthread_t t;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	assert_int_equal(pthread_create(&t, NULL, push_many, NULL), 0);
	for (uint32_t i = 1; i <= MANY;) {
		const struct abi_msg *m = queue_peek(&queue);

		if (m == NULL) {
			sched_yield();
			continue;
		}
		assert_int_equal(m->seq, i);
		assert_int_equal(m->u.stall.stalled_ns, (uint64_t)i * i);
		queue_pop(&queue);
		i++;
	}
	pthread_join(t, NULL);
	assert_null(queue_peek(&queue));
}

/* ---- options ---- */

static enum vx6_status parse(struct dp_options *o, const char *a, const char *b)
{
	char text[3][80] = { "vx6-dataplane" }, why[DP_WHY] = "";
	char *argv[4] = { text[0], text[1], text[2], NULL };
	enum vx6_status st;

	snprintf(text[1], sizeof(text[1]), "%s", a);
	snprintf(text[2], sizeof(text[2]), "%s", b);
	dp_options_init(o);
	snprintf(o->run, sizeof(o->run), "/nowhere");
	st = dp_options_parse(o, *b == '\0' ? 2 : 3, argv, why);
	/* a refusal says what is wrong and names the option */
	if (st != VX6_OK)
		assert_non_null(strstr(why, "--"));
	return st;
}

/* CPUs, queues, workers. */
static void workers_are_counted(void **state)
{
	static const uint32_t want[][3] = {
		{ 0,  CONFIG_QUEUES_ANY, 1             },
		{ 1,  CONFIG_QUEUES_ANY, 1             },
		{ 2,  CONFIG_QUEUES_ANY, 1             },
		{ 3,  CONFIG_QUEUES_ANY, 2             },
		{ 4,  CONFIG_QUEUES_ANY, 3             },
		{ 5,  CONFIG_QUEUES_ANY, 3             },
		{ 8,  CONFIG_QUEUES_ANY, 6             },
		{ 9,  CONFIG_QUEUES_ANY, 6             },
		{ 16, CONFIG_QUEUES_ANY, 12            },
		{ 64, CONFIG_QUEUES_ANY, RELAY_WORKERS },
		{ 8,  1,                 1             },
		{ 8,  4,                 4             },
		{ 8,  0,                 1             },
		{ 64, 64,                RELAY_WORKERS },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(want); i++)
		assert_int_equal(config_workers(0, 0, want[i][0], want[i][1]),
				 want[i][2]);
	/* what is said counts, whatever there is */
	assert_int_equal(config_workers(16, 2, 1, 1), 16);
	assert_int_equal(config_workers(0, 2, 1, 1), 2);
	assert_in_range(count_cpus(), 1, sysconf(_SC_NPROCESSORS_CONF));
}

static void options_are_read(void **state)
{
	struct dp_options o;
	struct vx6_addr a;

	(void)state;
	assert_int_equal(vx6_addr_parse(&a, "192.0.2.1:99"), VX6_OK);
	assert_int_equal(parse(&o, "--listen", "192.0.2.1:99"), VX6_OK);
	assert_memory_equal(&o.listen, &a, sizeof(a));
	assert_int_equal(parse(&o, "--listen=192.0.2.1:99", ""), VX6_OK);
	assert_memory_equal(&o.listen, &a, sizeof(a));
	assert_int_equal(parse(&o, "--run", "/tmp/x"), VX6_OK);
	assert_string_equal(o.run, "/tmp/x");
	assert_int_equal(parse(&o, "--halves", "1048576"), VX6_OK);
	assert_int_equal(o.halves, 1048576);
	assert_int_equal(parse(&o, "--links", "2"), VX6_OK);
	assert_int_equal(o.links, 2);
	assert_false(o.spin);
	assert_int_equal(parse(&o, "--idle", "spin"), VX6_OK);
	assert_true(o.spin);
	assert_int_equal(dp_options_workers(&o),
			 config_workers(0, 0, count_cpus(), CONFIG_QUEUES_ANY));
	o.backend = CONFIG_BACKEND_DPDK;
	assert_int_equal(dp_options_workers(&o), 1);
	assert_int_equal(parse(&o, "--cpus", "3,0"), VX6_OK);
	assert_int_equal(o.cpu_cnt, 2);
	assert_int_equal(o.cpus[0], 3);
	assert_int_equal(dp_options_workers(&o), 2);
	assert_int_equal(parse(&o, "--workers", "16"), VX6_OK);
	assert_int_equal(dp_options_workers(&o), 16);
	assert_int_equal(parse(&o, "--log", "json"), VX6_OK);
	assert_true(o.json);
	assert_int_equal(parse(&o, "--port", "udp"), VX6_OK);
	assert_int_equal(parse(&o, "--help", ""), VX6_OK);
	assert_true(o.help);
	assert_int_equal(o.listen.port, 4243);
}

static void wrong_options_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "--bogus",   ""                  },
                { "--listen",  "here"              },
		{ "--listen",  ""                  },
                { "--halves",  "1"                 },
		{ "--halves",  "1048577"           },
                { "--halves",  "12x"               },
		{ "--halves",  "-5"                },
                { "--links",   "99999999999999999" },
		{ "--idle",    "lazy"              },
                { "--cpus",    "1,one"             },
		{ "--cpus",    "1,,2"              },
                { "--workers", "17"                },
		{ "--log",     "xml"               },
                { "--port",    "pigeon"            },
		{ "--run=",    ""                  },
                { "extra",     ""                  },
		{ "--runs",    "/tmp"              },
                { "--",        ""                  },
	};
	struct dp_options o;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++)
		assert_int_equal(parse(&o, bad[i][0], bad[i][1]), VX6_CONFIG);
}

/* ---- log ---- */

static void read_log(int fd, char *to, size_t room)
{
	ssize_t n = read(fd, to, room - 1);

	assert_true(n > 0);
	to[n] = '\0';
}

static void log_lines_have_a_form(void **state)
{
	char text[2000], num[LOG_NUM];
	struct log l;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	log_init(&l, fd[1], false);
	log_say(&l, LOG_INFO, "worker", "start", "cpu", log_num(num, 3), "why",
		"two words", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text, "Z info worker start cpu=3 "
				     "why=\"two words\"\n"));
	/* repeats are counted, and told with the next */
	for (unsigned i = 0; i < 5; i++)
		log_say(&l, LOG_WARN, "a", "b", LOG_END);
	log_say(&l, LOG_ERROR, "c", "d", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text, " warning a b\n"));
	assert_non_null(strstr(text, " warning a b repeated=4\n"));
	assert_non_null(strstr(text, " error c d\n"));
	log_init(&l, fd[1], true);
	log_say(&l, LOG_INFO, "m", "e", "k", "q\"\\\n", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text,
			       "\"level\":\"info\",\"module\":\"m\",\"event\":"
			       "\"e\",\"k\":\"q\\\"\\\\\\u000a\"}\n"));
	/* too long is cut, and still a line */
	memset(text, 'x', 900);
	text[900] = '\0';
	log_say(&l, LOG_INFO, "m", text, LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_true(strlen(text) < LOG_LINE);
	assert_int_equal(text[strlen(text) - 1], '\n');
	close(fd[0]);
	close(fd[1]);
}

/* ---- the loop without a thread ---- */

static struct worker *worker;

static int worker_open(void **state)
{
	const struct relay_opts o = { 0 };

	(void)state;
	one_open(&o, 0);
	worker = one_worker();
	return 0;
}

static int worker_close(void **state)
{
	(void)state;
	worker_stop(worker);
	one_worker_end(worker);
	return 0;
}

static void command(uint32_t seq, struct abi_msg m)
{
	struct abi_msg *slot = queue_room(&worker->cmd);

	assert_non_null(slot);
	m.version = ABI_VERSION;
	m.seq = seq;
	*slot = m;
	queue_push(&worker->cmd);
}

static struct abi_msg answer(uint32_t seq)
{
	struct abi_msg *a = queue_peek(&worker->ans), m;

	assert_non_null(a);
	m = *a;
	assert_int_equal(m.seq, seq);
	assert_int_equal(abi_check(&m, false), VX6_OK);
	queue_pop(&worker->ans);
	return m;
}

static void discard_sent(void)
{
	for (struct net_frame *f; (f = port_mem_get(node.port)) != NULL;)
		one_give(f);
}

static void turn(void)
{
	(void)worker_turn(worker, node.now += VX6_MS);
	discard_sent();
}

static void commands_are_answered_in_order(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_BACKWARD, 5, 2, 1, 9);
	struct abi_msg m;

	(void)state;
	command(1,
		(struct abi_msg){ .type = ABI_LINK_ADD, .u.link = dp_link(1) });
	command(2, (struct abi_msg){ .type = ABI_HALF_ADD, .u.half = h });
	command(3,
		(struct abi_msg){ .type = ABI_LINK_ADD, .u.link = dp_link(2) });
	command(4, (struct abi_msg){ .type = ABI_HALF_ADD, .u.half = h });
	command(5, (struct abi_msg){ .type = ABI_HALF_ADD, .u.half = h });
	command(6, (struct abi_msg){
			   .type = ABI_SPLICE, .u.splice = { 5, 6 }
        });
	command(7, (struct abi_msg){
			   .type = ABI_INJECT,
			   .u.control = { .id = 5, .len = 3 }
        });
	command(8, (struct abi_msg){ .type = ABI_STATS });
	command(9, (struct abi_msg){ .type = ABI_HALF_REMOVE, .u.ref.id = 5 });
	command(10,
		(struct abi_msg){ .type = ABI_LINK_REMOVE, .u.ref.index = 1 });
	command(11, (struct abi_msg){ .type = ABI_WELCOME });
	turn();
	static const enum vx6_status want[] = {
		VX6_OK,     VX6_NO_LINK,    VX6_OK, VX6_OK,
		VX6_EXISTS, VX6_NO_CIRCUIT, VX6_OK,
	};
	for (uint32_t i = 0; i < VX6_COUNT(want); i++) {
		m = answer(i + 1);
		assert_int_equal(m.type, ABI_DONE);
		assert_int_equal(m.status, want[i]);
	}
	m = answer(8);
	assert_int_equal(m.type, ABI_STATS_ARE);
	assert_int_equal(m.u.stats.links, 2);
	assert_int_equal(m.u.stats.halves, 1);
	assert_int_equal(m.u.stats.injected, 1);
	assert_int_equal(answer(9).status, VX6_OK);
	assert_int_equal(answer(10).status, VX6_OK);
	assert_int_equal(answer(11).status, VX6_BAD_KIND);
	assert_null(queue_peek(&worker->ans));
}

static void a_dump_waits_for_room_and_ends(void **state)
{
	const unsigned n = 600;
	unsigned halves = 0, links = 0;
	struct abi_msg m = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= 2; i++) {
		struct abi_link l = dp_link(i);

		l.peer = (struct vx6_addr){ 0 };
		assert_int_equal(relay_link_add(node.relay, &l, node.now),
				 VX6_OK);
	}
	for (uint32_t i = 1; i <= n; i++) {
		struct abi_half h = dp_half(ABI_HALF_BACKWARD, i, 1, 2, 9);

		assert_int_equal(relay_half_add(node.relay, &h, node.now),
				 VX6_OK);
	}
	command(1, (struct abi_msg){ .type = ABI_DUMP });
	command(2, (struct abi_msg){ .type = ABI_STATS });
	/* nobody takes answers: it fills the queue and stops */
	for (unsigned i = 0; i < 200; i++)
		turn();
	assert_int_equal(queue_free(&worker->ans), 0);
	while (m.type != ABI_DUMP_END) {
		m = answer(1);
		halves += m.type == ABI_HALF_IS;
		links += m.type == ABI_LINK_IS;
		turn();
	}
	assert_int_equal(halves, n);
	assert_int_equal(links, 2);
	/* and what was behind it is done */
	assert_int_equal(answer(2).type, ABI_STATS_ARE);
}

static void events_wait_when_nobody_listens(void **state)
{
	struct abi_link l = dp_link(1);
	uint32_t n = 0;

	(void)state;
	l.peer = (struct vx6_addr){ 0 };
	assert_int_equal(relay_link_add(node.relay, &l, node.now), VX6_OK);
	for (uint32_t i = 1; i <= 1000; i++) {
		struct abi_half h = dp_half(ABI_HALF_LOCAL, i, 1, 0, 0);

		h.life_ns = VX6_SEC;
		assert_int_equal(relay_half_add(node.relay, &h, node.now),
				 VX6_OK);
	}
	for (unsigned i = 0; i < 10; i++) {
		node.now += VX6_SEC;
		turn();
	}
	assert_true(node.relay->halves > 0); /* expired, not all said */
	for (unsigned i = 0; i < 10000 && n < 1000; i++) {
		const struct abi_msg *m = queue_peek(&worker->ev);

		if (m == NULL) {
			node.now += VX6_SEC;
			turn();
			continue;
		}
		assert_int_equal(m->type, ABI_HALF_EVENT);
		assert_int_equal(m->u.ref.event, ABI_HALF_EXPIRED);
		queue_pop(&worker->ev);
		n++;
	}
	assert_int_equal(n, 1000);
	assert_int_equal(node.relay->halves, 0);
}

static struct abi_shm ours, theirs;
static int shm_fd[3];

/* A datagram for the LOCAL half-circuit that it adds. */
static size_t local_cell(uint8_t p[VX6_CELL_MAX])
{
	struct abi_half h = dp_half(ABI_HALF_LOCAL, 7, 1, 0, 0);
	const struct dp_cell c = { .ctr = h.start_rx,
				   .circ = 7,
				   .kind = VX6_KIND_DATA };
	const uint8_t text[100] = { 1, 2, 3 };
	struct abi_link l = dp_link(1);

	assert_int_equal(relay_link_add(node.relay, &l, node.now), VX6_OK);
	assert_int_equal(relay_half_add(node.relay, &h, node.now), VX6_OK);
	return dp_raw(p, 1, &c, text, sizeof(text));
}

static void arrives(const uint8_t *p, size_t len)
{
	one_arrives(p, len, 1);
	turn();
}

static void ring_opens(void)
{
	assert_int_equal(abi_shm_create(&ours, shm_fd), VX6_OK);
	assert_int_equal(abi_shm_attach(&theirs, shm_fd), VX6_OK);
	worker_offer_ring(worker, &ours);
	assert_false(worker_ring_settled(worker));
}

static void ring_closes(void)
{
	worker_offer_ring(worker, NULL);
	turn();
	assert_true(worker_ring_settled(worker));
	abi_shm_close(&theirs);
	abi_shm_close(&ours); /* a touch of it would end the test */
	for (unsigned i = 0; i < 3; i++)
		close(shm_fd[i]);
}

static void rings_come_and_go(void **state)
{
	uint8_t p[VX6_CELL_MAX];
	size_t len = local_cell(p);
	struct abi_slot *s;

	(void)state;
	/* no client: dropped and counted */
	arrives(p, len);
	assert_int_equal(worker->ring_full, 1);
	ring_opens();
	arrives(p, len);
	assert_true(worker_ring_settled(worker));
	s = abi_ring_peek(&theirs.up);
	assert_non_null(s);
	assert_int_equal(s->link, 1);
	assert_int_equal(s->circ, 7);
	assert_int_equal(s->size, len);
	assert_int_equal(s->data[16], 1);
	assert_int_equal(s->data[18], 3);
	abi_ring_pop(&theirs.up);
	/* full is a counted drop */
	for (unsigned i = 0; i < ABI_RING_SLOTS + 3; i++)
		arrives(p, len);
	assert_int_equal(worker->ring_full, 1 + 3);
	ring_closes();
	arrives(p, len);
	assert_int_equal(worker->ring_full, 1 + 3 + 1);
}

static void slots_from_above_are_judged(void **state)
{
	uint8_t p[VX6_CELL_MAX];
	struct net_frame *f;
	unsigned seen = 0;

	(void)state;
	(void)local_cell(p);
	ring_opens();
	turn();
	/* two good ones around two that are not */
	for (unsigned i = 0; i < 4; i++) {
		struct abi_slot *s = abi_ring_room(&theirs.down);

		memset(s, 0, sizeof(*s));
		s->link = 1;
		s->circ = 1234;
		s->size = i == 1 ? 5000 : 8 + 100;
		s->zero = i == 2;
		vx6_h8_put(s->data, 99 + i, VX6_KIND_DATA, 100);
		abi_ring_push(&theirs.down);
	}
	(void)worker_turn(worker, node.now);
	while ((f = port_mem_get(node.port)) != NULL) {
		struct vx6_cell got;

		assert_true(dp_unprotect(f->data, f->len, 1, &got));
		if (got.circ != 0) { /* no probe */
			assert_int_equal(got.circ, 1234);
			assert_int_equal(got.ctr, seen++ == 0 ? 99 : 102);
		}
		one_give(f);
	}
	assert_int_equal(seen, 2);
	assert_int_equal(worker->refused_down, 2);
	assert_int_equal(node.relay->n.down, 2);
	ring_closes();
}

/* ---- whole data planes ---- */

static struct dp_path path;

static int path_close(void **state)
{
	(void)state;
	dp_path_close(&path);
	return 0;
}

static void cells_go_through_three(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_stats s;

	(void)state;
	assert_true(dp_path_open(&path, 3, 0, &o));
	assert_true(dp_path_carries(&path, 200));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(dp_box_stats(&path.box[i], &s));
		assert_int_equal(s.forwarded, 100);
		assert_int_equal(s.backwarded, 100);
		assert_int_equal(s.links, 2);
		assert_int_equal(s.halves, 2);
		/* an ask that came before its link was added, perhaps */
		for (unsigned k = 1; k < VX6_STATUS_CNT; k++)
			if (k != VX6_NO_LINK)
				assert_int_equal(s.drop[k], 0);
		assert_true(s.busy_ns > 0);
	}
}

static void constant_size_stays_constant(void **state)
{
	const struct dp_options o = dp_path_options(1);

	(void)state;
	assert_true(dp_path_open(&path, 3, 1232, &o));
	/* each is judged by its size when it is opened */
	assert_true(dp_path_carries(&path, 100));
}

static void spinning_works_too(void **state)
{
	struct dp_options o = dp_path_options(1);
	struct abi_stats s;

	(void)state;
	o.spin = true;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_true(dp_path_carries(&path, 20));
	assert_true(dp_box_stats(&path.box[0], &s));
	assert_int_equal(s.blocked_ns, 0);
	assert_true(s.spin_ns > 0);
}

static void cells_flow_without_a_client(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_DUMP };
	struct dp_box *b = &path.box[1];
	unsigned halves = 0, links = 0;

	(void)state;
	assert_true(dp_path_open(&path, 3, 0, &o));
	assert_true(dp_path_carries(&path, 20));
	for (unsigned i = 0; i < 3; i++)
		dp_box_leave(&path.box[i]);
	assert_true(dp_path_carries(&path, 20));
	/* the next client finds what is there, notes and all */
	assert_true(dp_box_connect(b));
	assert_true(dp_path_carries(&path, 20));
	m.version = ABI_VERSION;
	m.seq = 77;
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	do {
		assert_true(dp_box_recv(b, &m));
		assert_int_equal(m.seq, 77);
		if (m.type == ABI_LINK_IS) {
			struct abi_link l =
				m.u.link.index > 100
					? dp_far(m.u.link.index - 100)
					: dp_link(m.u.link.index);

			assert_memory_equal(m.u.link.note, l.note,
					    sizeof(l.note));
			links++;
		} else if (m.type == ABI_HALF_IS) {
			assert_int_equal(m.u.half.cells, 30);
			halves++;
		}
	} while (m.type != ABI_DUMP_END);
	assert_int_equal(links, 2);
	assert_int_equal(halves, 2);
	/* what a dead client still writes to its rings reaches nobody: this
	 * one has its own */
	assert_int_equal(b->event_cnt, 0);
}

/* Local cells both ways through the ring of a client, and of the next. */
static void local_cells_reach_each_client(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct dp_box *b = &path.box[0];
	struct abi_half h = dp_half(ABI_HALF_LOCAL, 0x300, 101, 0, 0);

	(void)state;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_int_equal(dp_box_half(b, &h), VX6_OK);
	for (unsigned i = 0; i < 6; i++) {
		struct pollfd pf = { .fd = b->shm.up.wake_fd,
				     .events = POLLIN };
		struct abi_link l = dp_link(1);
		uint8_t cell[VX6_CELL_MAX], buf[DP_BUF];
		struct abi_slot *s;
		struct vx6_cell got = { 0 };
		struct vx6_aes hp;
		uint32_t index;
		size_t len;

		memset(cell, (int)i, sizeof(cell));
		vx6_cell_put(cell, l.peer_index, h.id);
		vx6_h8_put(cell + 8, h.start_rx + i, VX6_KIND_DATA, 200);
		vx6_aes_init(&hp, l.keys.hdr_tx, 16);
		vx6_cell_protect(&hp, cell);
		assert_true(dp_path_send(&path, true, cell, 216));
		while ((s = abi_ring_peek(&b->shm.up)) == NULL) {
			if (abi_ring_sleep(&b->shm.up))
				assert_int_equal(poll(&pf, 1, 10000), 1);
			abi_ring_awake(&b->shm.up);
		}
		assert_int_equal(s->circ, h.id);
		assert_int_equal(s->size, 216);
		assert_int_equal(vx6_h8_ctr(s->data + 8), h.start_rx + i);
		abi_ring_pop(&b->shm.up);
		/* and one down, out on link 2 */
		s = abi_ring_room(&b->shm.down);
		assert_non_null(s);
		memset(s, 0, sizeof(*s));
		s->link = 2;
		s->circ = 4711 + i;
		s->size = 8 + 300;
		s->cell_size = 1232;
		vx6_h8_put(s->data, i, VX6_KIND_DATA, 300);
		abi_ring_push(&b->shm.down);
		abi_ring_flush(&b->shm.down);
		assert_true(dp_path_recv(&path, false, buf, &len));
		assert_int_equal(len, 1232);
		l = dp_far(2);
		assert_int_equal(vx6_cell_link(buf, len, &index), VX6_OK);
		vx6_aes_init(&hp, l.keys.hdr_rx, 16);
		vx6_cell_unprotect(&hp, buf);
		assert_int_equal(vx6_cell_parse(&got, buf, len), VX6_OK);
		assert_int_equal(got.circ, 4711 + i);
		if (i == 2) {
			dp_box_leave(b);
			assert_true(dp_box_connect(b));
		}
	}
}

static void greetings_are_demanded(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_STATS,
			     .version = ABI_VERSION,
			     .seq = 5 };
	struct dp_box *b = &path.box[0];
	uint8_t junk[100] = { 1 };
	char at[100];

	(void)state;
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	/* a command before HELLO */
	assert_int_equal(abi_connect(&b->client, at), VX6_OK);
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	assert_true(dp_box_recv(b, &m));
	assert_int_equal(m.type, ABI_DONE);
	assert_int_equal(m.status, VX6_BAD_STATE);
	/* a version of tomorrow: told, and let go */
	m = (struct abi_msg){ .type = ABI_HELLO,
			      .version = ABI_VERSION + 1,
			      .seq = 6 };
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	assert_true(dp_box_recv(b, &m));
	assert_int_equal(m.status, VX6_BAD_VERSION);
	assert_false(dp_box_recv(b, &m));
	close(b->client);
	/* half a message: let go without a word */
	assert_int_equal(abi_connect(&b->client, at), VX6_OK);
	assert_int_equal(send(b->client, junk, sizeof(junk), 0), sizeof(junk));
	assert_false(dp_box_recv(b, &m));
	close(b->client);
	b->client = -1;
	/* the next is served; HELLO twice is out of turn */
	assert_true(dp_box_connect(b));
	m = (struct abi_msg){ .type = ABI_HELLO };
	assert_int_equal(dp_box_call(b, &m), VX6_BAD_STATE);
	m = (struct abi_msg){ .type = ABI_LINK_ADD }; /* index 0 */
	assert_int_equal(dp_box_call(b, &m), VX6_MALFORMED);
	m = (struct abi_msg){ .type = ABI_SUBSCRIBE };
	assert_int_equal(dp_box_call(b, &m), VX6_OK);
}

static void a_second_client_waits(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct dp_box *b = &path.box[0], second;
	struct pollfd pf;

	(void)state;
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	assert_true(dp_box_connect(b));
	second = (struct dp_box){ .client = -1 };
	char at[100];
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	assert_int_equal(abi_connect(&second.client, at), VX6_OK);
	struct abi_msg m = { .type = ABI_HELLO,
			     .version = ABI_VERSION,
			     .seq = 1 };
	assert_int_equal(abi_send(second.client, &m, NULL, 0), VX6_OK);
	/* the first one is served as before, the second has no answer */
	struct abi_stats s;
	for (unsigned i = 0; i < 20; i++)
		assert_true(dp_box_stats(b, &s));
	pf = (struct pollfd){ .fd = second.client, .events = POLLIN };
	assert_int_equal(poll(&pf, 1, 0), 0);
	dp_box_leave(b);
	assert_true(dp_box_recv(&second, &m));
	assert_int_equal(m.type, ABI_WELCOME);
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		close(second.fd[i]);
	close(second.client);
}

static void events_reach_a_subscriber(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_SUBSCRIBE };
	uint8_t buf[DP_BUF], text[11] = { 4, 0, 8 }, *h8 = buf + 128;
	struct dp_box *b = &path.box[0];
	struct abi_link l;
	struct vx6_aes hp;

	(void)state;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_int_equal(dp_box_call(b, &m), VX6_OK);
	memcpy(h8 + 8, text, sizeof(text));
	vx6_layer_seal(&path.lf[0], path.fwd[0].start_rx, VX6_KIND_CONTROL, h8,
		       sizeof(text));
	l = dp_link(1);
	vx6_cell_put(h8 - 8, l.peer_index, path.fwd[0].id);
	vx6_aes_init(&hp, l.keys.hdr_tx, 16);
	vx6_cell_protect(&hp, h8 - 8);
	assert_true(dp_path_send(&path, true, h8 - 8, 16 + 11 + 16));
	do
		assert_true(dp_box_recv(b, &m));
	while (m.type == ABI_LINK_EVENT);
	assert_int_equal(m.type, ABI_CONTROL);
	assert_int_equal(m.u.control.id, path.fwd[0].id);
	assert_int_equal(m.u.control.len, 11);
	assert_memory_equal(m.u.control.body, text, 11);
}

static void starts_are_refused_in_words(void **state)
{
	struct dp_options o = dp_path_options(1);
	char why[DP_WHY] = "";
	struct stat st;
	struct log l;
	struct dp *dp;
	struct dp_box *b = &path.box[0];
	char at[100];

	(void)state;
	log_init(&l, -1, false);
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	assert_int_equal(stat(at, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* the directory is taken */
	snprintf(o.run, sizeof(o.run), "%s", b->dir);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_EXISTS);
	assert_non_null(strstr(why, "another vx6-dataplane"));
	/* the port is taken */
	snprintf(o.run, sizeof(o.run), "%s/x", b->dir);
	o.listen = dp_at(b->dp);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "in use"));
	assert_non_null(strstr(why, "--listen"));
	o.listen = dp_peer(1);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "no address of this host"));
	o = dp_path_options(1);
	snprintf(o.run, sizeof(o.run), "%s/x/y", b->dir);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "--run"));
	/* and the socket goes with its owner */
	dp_box_stop(b);
	assert_int_not_equal(stat(at, &st), 0);
}

#define W(f) cmocka_unit_test_setup_teardown(f, worker_open, worker_close)
#define P(f) cmocka_unit_test_teardown(f, path_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(queue_is_a_queue),
		cmocka_unit_test(two_threads_share_a_queue),
		cmocka_unit_test(workers_are_counted),
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(log_lines_have_a_form),
		W(commands_are_answered_in_order),
		W(a_dump_waits_for_room_and_ends),
		W(events_wait_when_nobody_listens),
		W(rings_come_and_go),
		W(slots_from_above_are_judged),
		P(cells_go_through_three),
		P(constant_size_stays_constant),
		P(spinning_works_too),
		P(cells_flow_without_a_client),
		P(local_cells_reach_each_client),
		P(greetings_are_demanded),
		P(a_second_client_waits),
		P(events_reach_a_subscriber),
		P(starts_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("worker", test, NULL, NULL);
}
