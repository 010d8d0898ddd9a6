/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace: a worker whose relay is limited, or whose port has no room, holds
 * cells and lets them go in time.  No frame is lost or made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/worker.h"
#include "tests/support/one_relay.h"

#define TEXT 1000u /* of C; 24 more go out: header and tag */

static struct worker *worker;
static struct fair_budget budget;
static void *memory;
static uint64_t ctr[8];
static uint64_t sent[8], sent_bytes; /* by circuit; cells of others */
static uint64_t next_ctr[8];         /* of what is sent, at least */
static struct vx6_addr sent_to;

static uint32_t id_of(unsigned circuit)
{
	return 10 + circuit;
}

static void setup_circuits(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct abi_half h = dp_half(ABI_HALF_BACKWARD, id_of(i), 2, 1,
					    900 + i);

		one_add(&h);
		ctr[i] = h.start_rx;
	}
}

static int open_all(void **state)
{
	const struct relay_opts o = { 0 };
	size_t need;

	(void)state;
	memset(&budget, 0, sizeof(budget));
	memset(sent, 0, sizeof(sent));
	memset(next_ctr, 0, sizeof(next_ctr));
	sent_bytes = 0;
	one_open(&o, 2);
	worker = one_worker();
	need = pace_need(node.relay, node.port);
	memory = aligned_alloc(4096, need);
	assert_non_null(memory);
	memset(memory, 0, need);
	worker_limit(worker, &budget, memory);
	setup_circuits();
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	one_worker_end(worker);
	free(memory);
	return 0;
}

/* Takes what was sent off the port; every frame has one owner. */
static void look(void)
{
	struct net_frame *f;

	while ((f = port_mem_get(node.port)) != NULL) {
		struct vx6_cell c;

		assert_true(dp_unprotect(f->data, f->len, f->link == 2 ? 2 : 1,
					 &c) ||
			    f->link == 0);
		if (f->half != 0) {
			assert_in_range(c.circ, 900, 907);
			assert_true(c.ctr >= next_ctr[c.circ - 900]);
			next_ctr[c.circ - 900] = c.ctr + 1;
			sent[c.circ - 900]++;
			sent_bytes += f->len;
			sent_to = f->peer;
		}
		one_give(f);
	}
	assert_int_equal(node.port->pool_cnt + node.relay->spare_cnt +
				 worker->pace.fair.cnt,
			 node.frames);
}

static void turn(uint64_t ns)
{
	(void)worker_turn(worker, node.now += ns);
	look();
}

static void arrive(unsigned circuit, unsigned n)
{
	static const uint8_t text[TEXT] = { 1 };

	for (unsigned i = 0; i < n; i++) {
		const struct dp_cell c = { .ctr = ctr[circuit]++,
					   .circ = id_of(circuit),
					   .kind = VX6_KIND_DATA };
		uint8_t p[VX6_CELL_MAX];
		size_t len = dp_raw(p, 2, &c, text, sizeof(text));

		one_arrives(p, len, 2);
	}
}

static struct abi_msg command(struct abi_msg m)
{
	struct abi_msg *slot = queue_room(&worker->cmd), *a;

	assert_non_null(slot);
	m.version = ABI_VERSION;
	m.seq = 5;
	assert_int_equal(abi_check(&m, true), VX6_OK);
	*slot = m;
	queue_push(&worker->cmd);
	turn(0);
	a = queue_peek(&worker->ans);
	assert_non_null(a);
	m = *a;
	assert_int_equal(abi_check(&m, false), VX6_OK);
	queue_pop(&worker->ans);
	return m;
}

static void limit(struct abi_limits l)
{
	assert_int_equal(
		command((struct abi_msg){ .type = ABI_LIMITS, .u.limits = l })
			.status,
		VX6_OK);
}

static struct abi_budget ask(void)
{
	return command((struct abi_msg){ .type = ABI_BUDGET }).u.budget;
}

static void without_limits_cells_go_at_once(void **state)
{
	(void)state;
	arrive(0, 60);
	turn(0);
	assert_int_equal(sent[0], 60);
	assert_int_equal(ask().sent_bytes, sent_bytes);
	assert_int_equal(ask().held, 0);
	assert_int_equal(pace_due(&worker->pace, node.port, node.now),
			 VX6_NEVER);
}

/* One sends five times what there is, another a little. */
static void limited_cells_wait_and_take_turns(void **state)
{
	struct abi_budget b;
	uint64_t before, start;

	(void)state;
	limit((struct abi_limits){ .relay_rate = 1000000,
				   .relay_burst = 8192,
				   .circuit_queue = 20 });
	start = node.now;
	for (unsigned ms = 0; ms < 1000; ms++) {
		arrive(1, 5);
		if (ms % 4 == 0)
			arrive(2, 1);
		turn(VX6_MS / 2);
		turn(VX6_MS / 2);
		assert_true(worker->pace.fair.cnt <= 40);
	}
	assert_true(sent[2] >= 249);
	assert_true(sent_bytes <= 8192 + (node.now - start) / 1000);
	assert_true(sent_bytes + 1100 >= (node.now - start) / 1000);
	b = ask();
	assert_int_equal(b.sent_bytes, sent_bytes);
	assert_true(b.lost_full > 0 && b.waiting > 0 && b.held > 0);
	assert_int_equal(b.lost_full, node.relay->n.drop[VX6_CONGESTED]);
	/* the rest goes without anybody's arriving, when its time has come,
	 * and then nobody is waited for */
	before = sent[1] + sent[2];
	while (worker->pace.fair.cnt > 0) {
		uint64_t due = pace_due(&worker->pace, node.port, node.now);

		assert_true(due > node.now && due < node.now + 20 * VX6_MS);
		turn(due - node.now);
	}
	assert_int_equal(sent[1] + sent[2] - before, b.waiting);
	assert_int_equal(pace_due(&worker->pace, node.port, node.now),
			 VX6_NEVER);
}

static void lost_by_its_own_rate(void **state)
{

	(void)state;
	limit((struct abi_limits){ .circuit_rate = 100000,
				   .circuit_burst = 4096,
				   .circuit_queue = 8 });
	arrive(3, 40);
	arrive(4, 2);
	turn(0);
	assert_int_equal(sent[3], 3);
	assert_int_equal(sent[4], 2);
	assert_int_equal(ask().lost_rate, 40 - 3 - 8);
	assert_int_equal(node.relay->n.drop[VX6_RATE], 40 - 3 - 8);
	assert_int_equal(node.relay->cold[id_of(3)].dropped, 40 - 3 - 8);
	assert_int_equal(ask().sent_bytes, sent_bytes);
}

static void a_full_port_holds_them(void **state)
{
	(void)state;
	node.port->tx_room = 3;
	arrive(0, 10);
	turn(0);
	assert_int_equal(sent[0], 3);
	assert_int_equal(worker->pace.fair.cnt, 7);
	/* it looks again soon, and does not spin */
	assert_int_equal(pace_due(&worker->pace, node.port, node.now),
			 node.now + VX6_MS);
	node.port->tx_room = 2;
	turn(VX6_MS);
	assert_int_equal(sent[0], 5);
	node.port->tx_room = PORT_ROOM;
	turn(VX6_MS);
	assert_int_equal(sent[0], 10);
	assert_int_equal(ask().lost_full + ask().lost_rate, 0);
}

static void they_go_where_the_link_is_then(void **state)
{
	struct abi_link l = dp_link(1);

	(void)state;
	node.port->tx_room = 0;
	arrive(0, 4);
	turn(0);
	assert_int_equal(sent[0], 0);
	l.peer.port = 5555;
	assert_int_equal(relay_link_change(node.relay, &l, node.now), VX6_OK);
	node.port->tx_room = PORT_ROOM;
	turn(0);
	assert_int_equal(sent[0], 4);
	assert_int_equal(sent_to.port, 5555);
}

static void they_end_with_their_circuit(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_BACKWARD, id_of(0) | 1u << 20, 2,
				    1, 900);

	(void)state;
	node.port->tx_room = 0;
	arrive(0, 4);
	arrive(1, 4);
	arrive(2, 4);
	turn(0);
	/* one ends and its slot is another's, one stays, one loses its link
	 * with all others at last */
	assert_int_equal(relay_half_remove(node.relay, id_of(0)), VX6_OK);
	assert_int_equal(relay_half_add(node.relay, &h, node.now), VX6_OK);
	assert_int_equal(relay_half_remove(node.relay, id_of(2)), VX6_OK);
	node.port->tx_room = PORT_ROOM;
	turn(0);
	assert_int_equal(sent[0] + sent[2], 0);
	assert_int_equal(sent[1], 4);
	assert_int_equal(node.relay->n.drop[VX6_NO_CIRCUIT], 8);
	node.port->tx_room = 0;
	arrive(1, 4);
	turn(0);
	assert_int_equal(relay_link_remove(node.relay, 1), VX6_OK);
	node.port->tx_room = PORT_ROOM;
	turn(0);
	assert_int_equal(sent[1], 4);
	assert_int_equal(ask().sent_bytes, sent_bytes);
}

/* What still waits at the end comes home: close_all counts. */
static void the_end_loses_no_frame(void **state)
{
	(void)state;
	node.port->tx_room = 0;
	arrive(0, 30);
	arrive(1, 30);
	turn(0);
	assert_int_equal(worker->pace.fair.cnt, 60);
}

static void a_worker_without_memory_knows_no_limits(void **state)
{
	const struct abi_limits l = { .relay_rate = 5000 };

	(void)state;
	pace_close(&worker->pace, node.port);
	assert_int_equal(
		command((struct abi_msg){ .type = ABI_LIMITS, .u.limits = l })
			.status,
		VX6_UNSUPPORTED);
	node.port->tx_room = 0;
	arrive(0, 5);
	turn(0);
	assert_int_equal(sent[0], 5);
}

/* ---- anything, in any order ---- */

static struct {
	uint32_t life[8]; /* of each circuit; even: it is there */
	uint64_t arrived;
	uint64_t rate, burst, since, bytes; /* the relay's, and from when on */
} walk;

static uint64_t dropped(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		n += node.relay->n.drop[i];
	return n;
}

static void another_life(unsigned circuit)
{
	uint32_t id = id_of(circuit) | walk.life[circuit] / 2 << ABI_IDX_BITS;
	struct abi_half h;

	if (walk.life[circuit]++ % 2 == 0) {
		assert_int_equal(relay_half_remove(node.relay, id), VX6_OK);
		return;
	}
	id += 1u << ABI_IDX_BITS;
	h = dp_half(ABI_HALF_BACKWARD, id, 2, 1, 900 + circuit);
	assert_int_equal(relay_half_add(node.relay, &h, node.now), VX6_OK);
	ctr[circuit] = h.start_rx;
	next_ctr[circuit] = 0;
}

static void any_limits(void)
{
	struct abi_limits l = {
		.relay_rate = vx6_rand_below(&node.rnd, 3) * 400000,
		.relay_burst = 8192,
		.circuit_rate = vx6_rand_below(&node.rnd, 3) * 90000,
		.circuit_burst = 4096,
		.link_rate = vx6_rand_below(&node.rnd, 3) * 300000,
		.queue = 1 + vx6_rand_below(&node.rnd, 60),
		.circuit_queue = 1 + vx6_rand_below(&node.rnd, 30),
	};

	limit(l);
	walk.rate = l.relay_rate;
	walk.burst = l.relay_burst;
	walk.since = node.now;
	walk.bytes = sent_bytes;
}

static void some_arrive(unsigned circuit)
{
	unsigned n = 1 + vx6_rand_below(&node.rnd, 20);

	/* they go in by the index alone, and by the circuit's life */
	for (unsigned i = 0; i < n && node.port->pool_cnt > 64; i++) {
		static const uint8_t text[TEXT] = { 1 };
		const struct dp_cell c = { .ctr = ctr[circuit]++,
					   .circ = id_of(circuit) |
						   walk.life[circuit] / 2
							   << ABI_IDX_BITS,
					   .kind = VX6_KIND_DATA };
		uint8_t p[VX6_CELL_MAX];
		size_t len = dp_raw(p, 2, &c, text, sizeof(text));

		one_arrives(p, len, 2);
		walk.arrived++;
	}
}

static void any_step(struct abi_link *l)
{
	unsigned what = vx6_rand_below(&node.rnd, 100);

	if (what < 2) {
		any_limits();
	} else if (what < 4) {
		another_life(vx6_rand_below(&node.rnd, 8));
	} else if (what < 14) {
		l->peer.port++;
		assert_int_equal(relay_link_change(node.relay, l, node.now),
				 VX6_OK);
	} else if (what < 30) {
		node.port->tx_room = what < 22 ? PORT_ROOM
					       : vx6_rand_below(&node.rnd, 4);
	} else if (what < 70) {
		some_arrive(vx6_rand_below(&node.rnd, 8));
	}
}

static void no_frame_is_lost_or_made_up(void **state)
{
	struct abi_link l = dp_link(1);
	uint64_t gone[8] = { 0 };

	(void)state;
	memset(&walk, 0, sizeof(walk));
	vx6_rand_seed(&node.rnd, (const uint8_t[32]){ 11 });
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t before = sent_bytes, all = 0;

		any_step(&l);
		turn(vx6_rand_below(&node.rnd, 3 * VX6_MS));
		for (unsigned k = 0; k < 8; k++) {
			all += sent[k];
			/* what waited ended with its circuit */
			if (walk.life[k] % 2 != 0)
				assert_int_equal(sent[k], gone[k]);
			gone[k] = sent[k];
		}
		assert_int_equal(walk.arrived,
				 all + dropped() + worker->pace.fair.cnt);
		/* what waited goes where the link is by now */
		if (sent_bytes > before)
			assert_int_equal(sent_to.port, l.peer.port);
		if (walk.rate != 0)
			assert_true(sent_bytes - walk.bytes <=
				    walk.burst + 1 +
					    (node.now - walk.since) / 1000 *
						    walk.rate / 1000000 +
					    walk.rate / 1000000);
	}
	assert_int_equal(ask().sent_bytes, sent_bytes);
	assert_true(walk.arrived > 50000 && sent_bytes > 1000000);
	assert_true(node.relay->n.drop[VX6_NO_CIRCUIT] > 100 &&
		    node.relay->n.drop[VX6_RATE] > 100 &&
		    node.relay->n.drop[VX6_CONGESTED] > 100);
}

#define P(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		P(without_limits_cells_go_at_once),
		P(limited_cells_wait_and_take_turns),
		P(lost_by_its_own_rate),
		P(a_full_port_holds_them),
		P(they_go_where_the_link_is_then),
		P(they_end_with_their_circuit),
		P(the_end_loses_no_frame),
		P(a_worker_without_memory_knows_no_limits),
		P(no_frame_is_lost_or_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
