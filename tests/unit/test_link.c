/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: two ends that ask, answer, measure their path and die.
 *
 * Method: virtual time and a network in memory (tests/support/linknet.h);
 * each test turns one of its screws and counts what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/linknet.h"

/* ---- keys ---- */

static void keys_are_the_four_of_section_6(void **state)
{
	static const struct {
		unsigned id, len;
	} of[4] = {
		{ 1, 16 },
                { 2, 16 },
                { 3, 32 },
                { 4, 32 }
	};
	struct vx6_link_keys opener, answerer;
	uint8_t prk[32], want[4][32];

	(void)state;
	memset(prk, 0x42, sizeof(prk));
	vx6_link_derive(&opener, prk, true);
	vx6_link_derive(&answerer, prk, false);
	for (unsigned i = 0; i < 4; i++)
		crypto_kdf_derive_from_key(want[i], of[i].len, of[i].id,
					   "VX6link1", prk);
	assert_memory_equal(opener.hdr_tx, want[0], 16);
	assert_memory_equal(opener.hdr_rx, want[1], 16);
	assert_memory_equal(opener.probe_tx, want[2], 32);
	assert_memory_equal(opener.probe_rx, want[3], 32);
	assert_memory_equal(answerer.hdr_rx, want[0], 16);
	assert_memory_equal(answerer.hdr_tx, want[1], 16);
	assert_memory_equal(answerer.probe_rx, want[2], 32);
	assert_memory_equal(answerer.probe_tx, want[3], 32);
}

static void context_is_the_hash_of_section_6(void **state)
{
	static const char label[] = "vx6/1 link";
	uint8_t na[16], nb[16], in[64], got[32], want[32];
	size_t n = 0;

	(void)state;
	memset(na, 0xaa, sizeof(na));
	memset(nb, 0xbb, sizeof(nb));
	in[n++] = sizeof(label) - 1;
	memcpy(in + n, label, sizeof(label) - 1);
	n += sizeof(label) - 1;
	memcpy(in + n, "\0\3\1\2\3\0\20", 7);
	n += 7;
	memcpy(in + n, na, 16);
	n += 16;
	memcpy(in + n, "\0\3\4\5\6\0\20", 7);
	n += 7;
	memcpy(in + n, nb, 16);
	n += 16;
	crypto_generichash(want, 32, in, n, NULL, 0);
	vx6_link_context(got, 0x010203, na, 0x040506, nb);
	assert_memory_equal(got, want, 32);
}

static void init_refuses_what_cannot_be(void **state)
{
	static const struct {
		uint32_t index, peer_index;
		uint16_t u;
		enum vx6_status want;
	} row[] = {
		{ 1,         1,         70,   VX6_OK        },
		{ 0xffffff,  0xffffff,  1472, VX6_OK        },
		{ 0,         1,         1452, VX6_MALFORMED },
		{ 1,         0,         1452, VX6_MALFORMED },
		{ 0x1000000, 1,         1452, VX6_MALFORMED },
		{ 1,         0x1000000, 1452, VX6_MALFORMED },
		{ 1,         1,         69,   VX6_MALFORMED },
		{ 1,         1,         1473, VX6_MALFORMED },
	};
	struct vx6_link l;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct vx6_link_setup s = linknet_setup(true);

		s.index = row[i].index;
		s.peer_index = row[i].peer_index;
		s.u = row[i].u;
		if (vx6_link_init(&l, &s, 1) != row[i].want)
			fail_msg("row %u", i);
	}
	vx6_link_wipe(&l);
	assert_true(sodium_is_zero((uint8_t *)&l, sizeof(l)));
}

/* ---- coming up ---- */

static void both_come_up_within_a_round_trip(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(20 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.up, 1);
	assert_int_equal(linknet.a.link.srtt_ns, 20 * VX6_MS);
	assert_int_equal(linknet.a.link.min_rtt_ns, 20 * VX6_MS);
	assert_int_equal(linknet.a.link.u_proved, 1452);
	assert_int_equal(linknet.a.link.u_peer, 1452);
	assert_int_equal(vx6_link_usable(&linknet.a.link), 1452);
	assert_true(vx6_addr_eq(&linknet.a.link.observed, &linknet.a.inside));
	assert_true(vx6_addr_eq(&linknet.b.link.observed, &linknet.b.inside));
	assert_int_equal(vx6_link_from(&linknet.a.link, &linknet.b.inside),
			 VX6_OK);
	assert_int_equal(vx6_link_from(&linknet.a.link, &linknet.a.inside),
			 VX6_BAD_SOURCE);
}

/* The peer asks while we wait for our lost ask's time to pass. */
static void a_peers_ask_wakes_a_new_link(void **state)
{
	(void)state;
	linknet_plain();
	linknet.cut = true;
	linknet_tick(&linknet.a);
	linknet_tick(&linknet.b);
	linknet.cut = false;
	linknet_run(500 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_NEW);
	struct linknet_packet p;
	linknet_forge(&p, &linknet.a, 40, LINKNET_ASK, 99);
	assert_int_equal(linknet_deliver(&linknet.a, &p), VX6_OK);
	linknet_run(20 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
}

static void learns_from_the_first_ask_and_nothing_else(void **state)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);
	struct vx6_addr none = { 0 };
	struct vx6_link_out out;
	struct linknet_packet p;

	(void)state;
	b.peer = none;
	a.behind_nat = true;
	linknet_init(&a, &b);
	assert_int_equal(vx6_link_due(&linknet.b.link), VX6_NEVER);
	vx6_link_tick(&linknet.b.link, linknet.now + 3600 * VX6_SEC,
		      &linknet.rnd, &out);
	assert_int_equal(out.n + out.events, 0);
	for (unsigned op = LINKNET_ANSWER; op <= LINKNET_RESPONSE; op++) {
		linknet_forge(&p, &linknet.b, op, (uint8_t)op, 1);
		p.from = linknet_addr("203.0.113.9:9");
		assert_int_equal(linknet_arrive(&linknet.b, &p, &out),
				 VX6_BAD_SOURCE);
		assert_int_equal(out.n, 0);
		assert_true(vx6_addr_is_none(&linknet.b.link.addr));
	}
	linknet.a.link.probe_ctr = 5;
	linknet_run(40 * VX6_MS);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_true(vx6_addr_eq(&linknet.b.link.addr, &linknet.a.inside));
	assert_int_equal(linknet.b.moved, 0);
}

/* ---- pace ---- */

static void quiet_links_ask_every_15_s(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	uint64_t asks = linknet.a.link.asks;
	linknet_run(150 * VX6_SEC);
	/* 10 of their own and one with each minute's test */
	assert_in_range(linknet.a.link.asks - asks, 9, 13);
	assert_int_equal(linknet.a.link.asks, linknet.a.link.answers);
	assert_int_equal(linknet.a.down, 0);
}

static void unanswered_cells_make_it_ask_each_second(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	uint64_t asks = linknet.a.link.asks;
	for (unsigned i = 0; i < 100; i++) {
		linknet.a.link.cell_tx_ns = linknet.now;
		linknet_run(100 * VX6_MS);
	}
	assert_in_range(linknet.a.link.asks - asks, 9, 11);
	/* and no more once cells come back */
	asks = linknet.a.link.asks;
	for (unsigned i = 0; i < 100; i++) {
		linknet.a.link.cell_tx_ns = linknet.now;
		linknet.a.link.cell_rx_ns = linknet.now - 1;
		linknet_run(100 * VX6_MS);
	}
	assert_in_range(linknet.a.link.asks - asks, 0, 1);
}

static void behind_nat_asks_within_20_s(void **state)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);

	(void)state;
	a.behind_nat = true;
	a.ask_ns = b.ask_ns = 1800 * VX6_SEC;
	linknet_init(&a, &b);
	linknet_run(1 * VX6_SEC);
	linknet.a.link.test_ns = linknet.b.link.test_ns = VX6_NEVER;
	uint64_t asks_a = linknet.a.link.asks, asks_b = linknet.b.link.asks;
	linknet_run(200 * VX6_SEC);
	assert_in_range(linknet.a.link.asks - asks_a, 10, 11);
	assert_int_equal(linknet.b.link.asks, asks_b);
}

static void asks_are_within_10_ms_and_an_hour(void **state)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);

	(void)state;
	a.ask_ns = 1;
	a.ask_busy_ns = UINT64_MAX;
	b.ask_ns = UINT64_MAX;
	b.ask_busy_ns = 1;
	linknet_init(&a, &b);
	linknet_run(20 * VX6_SEC);
	assert_true(linknet.a.link.asks <= 2000);
	assert_int_equal(linknet.b.link.ask_ns, 3600 * VX6_SEC);
	assert_int_equal(linknet.a.link.ask_busy_ns, 3600 * VX6_SEC);
}

/* ---- dying ---- */

static void dies_after_the_third_unanswered_ask(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(18 * VX6_SEC);
	linknet.cut = true;
	linknet.a.link.cell_tx_ns = linknet.now;
	uint64_t from = linknet.now;
	linknet_tick(&linknet.a); /* the first of three */
	linknet_run(2999 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	linknet_run(1 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_DOWN);
	assert_int_equal(linknet.a.down, 1);
	assert_int_equal(linknet.a.last_event, from + 3 * VX6_SEC);
	/* a dead link keeps asking, ever less often */
	uint64_t asks = linknet.a.link.asks;
	linknet_run(300 * VX6_SEC);
	assert_in_range(linknet.a.link.asks - asks, 20, 26);
	assert_int_equal(linknet.a.down, 1);
	/* and lives again with the first answer */
	linknet.cut = false;
	linknet_run(16 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.up, 2);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
}

static void repeats_wait_four_round_trips(void **state)
{
	(void)state;
	linknet_plain();
	linknet.delay = 300 * VX6_MS;
	linknet_run(18 * VX6_SEC);
	assert_int_equal(linknet.a.link.srtt_ns, 600 * VX6_MS);
	linknet.cut = true;
	linknet.a.link.cell_tx_ns = linknet.now;
	linknet_tick(&linknet.a);
	linknet_run(7199 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	linknet_run(1 * VX6_MS);
	assert_int_equal(linknet.a.link.state, VX6_LINK_DOWN);
}

/* A satellite hop at first contact: no RTT is known, answers come after
 * their ask was repeated, and count. */
static void a_late_answer_still_counts(void **state)
{
	(void)state;
	linknet_plain();
	linknet.delay = 1300 * VX6_MS;
	linknet_run(60 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.down, 0);
	assert_int_equal(linknet.a.link.srtt_ns, 2600 * VX6_MS);
	assert_int_equal(linknet.a.link.u_proved, 1452);
}

/* A stalled owner ticks hours late: that is one missed ask, not three. */
static void one_late_tick_is_one_miss(void **state)
{
	struct vx6_link_out out;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet.now += 3600 * VX6_SEC;
	for (unsigned i = 0; i < 3; i++)
		vx6_link_tick(&linknet.a.link, linknet.now, &linknet.rnd, &out);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.link.unanswered, 0);
	linknet.now += 3600 * VX6_SEC;
	for (unsigned i = 0; i < 3; i++)
		vx6_link_tick(&linknet.a.link, linknet.now, &linknet.rnd, &out);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.link.unanswered, 1);
}

static void loss_alone_kills_nothing(void **state)
{
	(void)state;
	linknet_plain();
	linknet.loss_percent = 5;
	linknet_run(6 * 3600 * VX6_SEC);
	/* at 10 % a round trip three in a row are lost in 1,000 asks */
	assert_in_range(linknet.a.down, 0, 8);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.link.u_proved, 1452);
	uint64_t lost = linknet.a.link.asks - linknet.a.link.answers;
	assert_in_range(lost * 1000 / linknet.a.link.asks, 70, 130);
}

/* ---- the size of the path ---- */

static void a_narrow_path_is_measured_not_dead(void **state)
{
	(void)state;
	linknet_plain();
	linknet.largest = 1380;
	linknet_run(60 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.down + linknet.b.down, 0);
	assert_int_equal(linknet.a.link.u_proved, 1372);
	assert_int_equal(linknet.b.link.u_proved, 1372);
	assert_int_equal(linknet.a.size, 1);
	/* wider again: noticed at the next raise, and confirmed before */
	linknet.largest = VX6_CELL_MAX;
	linknet_run(700 * VX6_SEC);
	assert_int_equal(linknet.a.link.u_proved, 1452);
	assert_int_equal(linknet.a.size, 2);
}

static void a_path_that_narrows_is_noticed(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(10 * VX6_SEC);
	assert_int_equal(linknet.a.link.u_proved, 1452);
	linknet.largest = 1300;
	linknet_run(120 * VX6_SEC);
	assert_int_equal(linknet.a.link.u_proved, 1272);
	assert_int_equal(linknet.a.down, 0);
	assert_int_equal(linknet.a.size, 3);
}

static void a_path_below_1232_is_a_live_link_without_size(void **state)
{
	(void)state;
	linknet_plain();
	linknet.largest = 1000;
	linknet_run(3600 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.down, 0);
	assert_int_equal(linknet.a.link.u_proved, 0);
	assert_int_equal(vx6_link_usable(&linknet.a.link), 1232);
	linknet.largest = 1472;
	linknet_run(1200 * VX6_SEC);
	assert_int_equal(linknet.a.link.u_proved, 1452);
}

static void a_small_claim_is_the_only_size_tried(void **state)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);

	(void)state;
	a.u = b.u = 500;
	linknet_init(&a, &b);
	linknet.largest = 500;
	linknet_run(1 * VX6_SEC);
	assert_int_equal(linknet.a.link.u_proved, 500);
	assert_int_equal(linknet.a.link.u_peer, 500);
}

/* ---- counters and clock ---- */

static bool count_clock(struct linknet *n, struct linknet_packet *p)
{
	static uint64_t next[2];
	bool a = vx6_addr_eq(&p->from, &n->a.inside);
	struct linknet_text t;
	uint64_t ctr;

	linknet_reveal(a ? &n->a : &n->b, p, &t, &ctr);
	if (n->taps++ == 0)
		next[0] = next[1] = 0;
	assert_int_equal(ctr, next[a]++);
	assert_int_equal(t.clock, (n->now - LINKNET_START) / 1000);
	assert_int_equal(t.u, 1452);
	assert_true(vx6_addr_eq(&t.seen, &p->to));
	return true;
}

static void counters_rise_by_one_and_clocks_start_at_0(void **state)
{
	(void)state;
	linknet_plain();
	linknet.tap = count_clock;
	linknet_run(100 * VX6_SEC);
	assert_true(linknet.taps > 20);
}

static bool below_the_end(struct linknet *n, struct linknet_packet *p)
{
	struct linknet_text t;
	uint64_t ctr;

	if (vx6_addr_eq(&p->from, &n->a.inside)) {
		linknet_reveal(&n->a, p, &t, &ctr);
		assert_true(ctr < VX6_CTR_SPAN);
		n->taps++;
	}
	return true;
}

static void used_up_counters_mean_silence(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet.a.link.probe_ctr = VX6_CTR_SPAN - 5;
	linknet.tap = below_the_end;
	linknet_run(600 * VX6_SEC);
	assert_int_equal(linknet.taps, 5);
	assert_int_equal(linknet.a.link.state, VX6_LINK_DOWN);
	assert_int_equal(linknet.b.link.state, VX6_LINK_DOWN);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(keys_are_the_four_of_section_6),
		cmocka_unit_test(context_is_the_hash_of_section_6),
		cmocka_unit_test(init_refuses_what_cannot_be),
		cmocka_unit_test(both_come_up_within_a_round_trip),
		cmocka_unit_test(a_peers_ask_wakes_a_new_link),
		cmocka_unit_test(learns_from_the_first_ask_and_nothing_else),
		cmocka_unit_test(quiet_links_ask_every_15_s),
		cmocka_unit_test(unanswered_cells_make_it_ask_each_second),
		cmocka_unit_test(behind_nat_asks_within_20_s),
		cmocka_unit_test(asks_are_within_10_ms_and_an_hour),
		cmocka_unit_test(dies_after_the_third_unanswered_ask),
		cmocka_unit_test(repeats_wait_four_round_trips),
		cmocka_unit_test(a_late_answer_still_counts),
		cmocka_unit_test(one_late_tick_is_one_miss),
		cmocka_unit_test(loss_alone_kills_nothing),
		cmocka_unit_test(a_narrow_path_is_measured_not_dead),
		cmocka_unit_test(a_path_that_narrows_is_noticed),
		cmocka_unit_test(a_path_below_1232_is_a_live_link_without_size),
		cmocka_unit_test(a_small_claim_is_the_only_size_tried),
		cmocka_unit_test(counters_rise_by_one_and_clocks_start_at_0),
		cmocka_unit_test(used_up_counters_mean_silence),
	};

	return cmocka_run_group_tests_name("link", test, linknet_start, NULL);
}
