/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker: its turns, without a thread: commands, dumps, events, rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/worker.h"
#include "tests/support/one_relay.h"

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

#define W(f) cmocka_unit_test_setup_teardown(f, worker_open, worker_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		W(commands_are_answered_in_order),
		W(a_dump_waits_for_room_and_ends),
		W(events_wait_when_nobody_listens),
		W(rings_come_and_go),
		W(slots_from_above_are_judged),
	};

	return cmocka_run_group_tests_name("worker", test, NULL, NULL);
}
