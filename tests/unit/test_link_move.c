/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_move: an address changes by challenge and response, and by nothing
 * else; nobody without the keys changes anything.
 *
 * Method: tests/support/linknet.h, with NAT that rebinds, someone beside
 * the path who is faster than the peer, probes that are replayed, held
 * back, changed in each of their bits, and a peer that writes nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/linknet.h"

/* ---- moving ---- */

static void a_rebound_nat_is_followed(void **state)
{
	struct vx6_link_setup a = linknet_setup(true), b = linknet_setup(false);
	struct vx6_addr old, fresh = linknet_addr("[2001:db8::1]:60001");

	(void)state;
	b.peer = (struct vx6_addr){ 0 };
	a.behind_nat = true;
	linknet_init(&a, &b);
	linknet_run(5 * VX6_SEC);
	old = linknet.a.inside;
	linknet.a.inside = fresh;
	/* nothing has come from there yet: cells are refused */
	assert_int_equal(vx6_link_from(&linknet.b.link, &fresh),
			 VX6_BAD_SOURCE);
	linknet_run(20 * VX6_SEC);
	assert_int_equal(linknet.b.moved, 1);
	assert_int_equal(linknet.a.moved, 0);
	assert_int_equal(vx6_link_from(&linknet.b.link, &fresh), VX6_OK);
	assert_int_equal(vx6_link_from(&linknet.b.link, &old), VX6_BAD_SOURCE);
	assert_true(vx6_addr_eq(&linknet.a.link.observed, &fresh));
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.b.link.u_proved, 1452);
	assert_int_equal(linknet.a.down + linknet.b.down, 0);
}

static void a_dead_link_can_move_too(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet.cut = true;
	linknet_run(60 * VX6_SEC);
	assert_int_equal(linknet.b.link.state, VX6_LINK_DOWN);
	linknet.a.inside = linknet_addr("198.51.100.77:7777");
	linknet.cut = false;
	linknet_run(20 * VX6_SEC);
	assert_int_equal(linknet.b.moved, 1);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
}

/* Someone beside the path delivers each probe first, from an address of
 * his own, and swallows all that is sent to him. */
static bool mallory(struct linknet *n, struct linknet_packet *p)
{
	struct vx6_addr his = linknet_addr("203.0.113.66:666");

	if (vx6_addr_eq(&p->to, &his)) {
		n->taps++;
		n->kept = *p;
		return false;
	}
	struct linknet_packet copy = *p;
	copy.from = his;
	copy.at = p->at - 1;
	linknet_put(&copy);
	return true;
}

static void a_spoofed_source_moves_nothing(void **state)
{
	struct vx6_addr honest;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	honest = linknet.a.inside;
	linknet.tap = mallory;
	linknet.a.link.ask_ns = 100 * VX6_MS; /* many probes to steal */
	linknet.a.link.due_ns = linknet.now;
	linknet_run(10 * VX6_SEC);
	assert_int_equal(linknet.a.moved + linknet.b.moved, 0);
	assert_true(vx6_addr_eq(&linknet.b.link.addr, &honest));
	/* he was challenged once a second by each, in 70 bytes */
	assert_in_range(linknet.taps, 10, 20);
	assert_int_equal(linknet.kept.len, VX6_PROBE_MIN);
	assert_true(linknet.b.refused[VX6_REPLAYED] > 20);
	/* and the link lives on */
	assert_int_equal(linknet.a.down + linknet.b.down, 0);
	assert_true(linknet.a.link.asks - linknet.a.link.answers < 3);
	/* when he tires of it the link is as it was */
	linknet.tap = NULL;
	linknet.a.link.ask_ns = 15 * VX6_SEC;
	linknet_run(60 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.b.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.b.moved, 0);
}

/* b challenges an address; who answers for it, and how, decides. */
static void challenge_from(const char *where, struct linknet_text *challenge)
{
	struct vx6_link_out out;
	struct linknet_packet p = { 0 };
	uint64_t ctr;

	linknet_forge(&p, &linknet.b, linknet.b.link.probe_top, LINKNET_ANSWER,
		      4711);
	p.from = linknet_addr(where);
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
	assert_true(vx6_addr_eq(&out.pkt[0].to, &p.from));
	assert_true(out.pkt[0].len <= p.len);
	p.len = out.pkt[0].len;
	memcpy(p.data, out.pkt[0].data, p.len);
	linknet_reveal(&linknet.b, &p, challenge, &ctr);
	assert_int_equal(challenge->op, LINKNET_CHALLENGE);
}

static void respond_from(const char *where, uint64_t ctr, uint64_t token)
{
	struct vx6_link_out out;
	struct linknet_packet p;

	linknet_forge(&p, &linknet.b, ctr, LINKNET_RESPONSE, token);
	p.from = linknet_addr(where);
	(void)linknet_arrive(&linknet.b, &p, &out);
	linknet_note(&linknet.b, &out);
}

static void only_the_right_response_moves(void **state)
{
	static const char there[] = "203.0.113.1:1000";
	struct linknet_text challenge;
	uint64_t top;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet.cut = true;
	challenge_from(there, &challenge);
	assert_int_equal(linknet.b.moved, 0);
	top = linknet.b.link.probe_top;
	/* from another address */
	respond_from("203.0.113.1:1001", top++, challenge.token);
	assert_int_equal(linknet.b.moved, 0);
	/* with another token */
	respond_from(there, top++, challenge.token ^ 1);
	assert_int_equal(linknet.b.moved, 0);
	/* the true one */
	respond_from(there, top, challenge.token);
	assert_int_equal(linknet.b.moved, 1);
	assert_int_equal(linknet.b.size, 2); /* proved, and forgotten */
	assert_int_equal(vx6_link_usable(&linknet.b.link), VX6_LINK_U_BASE);
	/* it works once */
	linknet.now += 2 * VX6_SEC;
	respond_from("203.0.113.1:1001", top + 1, challenge.token);
	assert_int_equal(linknet.b.moved, 1);
}

/* A response that is kept back must not move the link when the peer has
 * since been heard from its old address. */
static void a_response_held_back_moves_nothing(void **state)
{
	static const char there[] = "203.0.113.1:1000";
	struct linknet_text challenge;
	struct linknet_packet p;
	uint64_t top;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	challenge_from(there, &challenge);
	top = linknet.b.link.probe_top;
	linknet_forge(&p, &linknet.b, top + 1, LINKNET_ASK, 5);
	assert_int_equal(linknet_deliver(&linknet.b, &p), VX6_OK);
	respond_from(there, top, challenge.token); /* older than the ask */
	assert_int_equal(linknet.b.moved, 0);
	respond_from(there, top + 2, challenge.token); /* withdrawn */
	assert_int_equal(linknet.b.moved, 0);
	/* nor when the newer probe came from a third address */
	linknet.now += VX6_SEC;
	challenge_from(there, &challenge);
	top = linknet.b.link.probe_top;
	linknet_forge(&p, &linknet.b, top + 1, LINKNET_ASK, 5);
	p.from = linknet_addr("203.0.113.3:3000");
	assert_int_equal(linknet_deliver(&linknet.b, &p), VX6_OK);
	respond_from(there, top, challenge.token);
	assert_int_equal(linknet.b.moved, 0);
	respond_from(there, top + 2, challenge.token);
	assert_int_equal(linknet.b.moved, 1);
}

static void an_old_probe_from_elsewhere_is_not_heeded(void **state)
{
	struct vx6_link_out out;
	struct linknet_packet p;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet_forge(&p, &linknet.b, 100, LINKNET_ASK, 1);
	assert_int_equal(linknet_deliver(&linknet.b, &p), VX6_OK);
	linknet_forge(&p, &linknet.b, 99, LINKNET_ASK, 1);
	p.from = linknet_addr("203.0.113.1:1");
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_BAD_SOURCE);
	assert_int_equal(out.n, 0);
	assert_true(vx6_addr_is_none(&linknet.b.link.candidate));
	/* late, but from where it should be: answered */
	linknet_forge(&p, &linknet.b, 98, LINKNET_ASK, 1);
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
}

static void an_ask_from_elsewhere_is_answered_at_home(void **state)
{
	struct vx6_link_out out;
	struct linknet_packet p;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet_forge(&p, &linknet.b, 100, LINKNET_ASK, 1);
	p.from = linknet_addr("203.0.113.1:1");
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 2);
	assert_true(vx6_addr_eq(&out.pkt[0].to, &linknet.a.inside));
	assert_true(vx6_addr_eq(&out.pkt[1].to, &p.from));
	assert_true(out.pkt[1].len <= p.len);
	/* challenges are a second apart, whatever comes */
	linknet_forge(&p, &linknet.b, 101, LINKNET_ASK, 2);
	p.from = linknet_addr("203.0.113.1:2");
	linknet.now += VX6_SEC - 1;
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
	assert_true(vx6_addr_eq(&out.pkt[0].to, &linknet.a.inside));
	linknet_forge(&p, &linknet.b, 102, LINKNET_ANSWER, 3);
	p.from = linknet_addr("203.0.113.1:2");
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_RATE);
	assert_int_equal(out.n, 0);
	linknet.now++;
	linknet_forge(&p, &linknet.b, 103, LINKNET_ANSWER, 4);
	p.from = linknet_addr("203.0.113.1:2");
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
}

static void a_challenge_is_answered_where_it_came_from(void **state)
{
	static const char *const where[] = { "203.0.113.1:1", NULL };

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	for (unsigned i = 0; i < 2; i++) {
		struct vx6_link_out out;
		struct linknet_packet p;
		struct linknet_text t;
		uint64_t ctr;

		linknet_forge(&p, &linknet.b, 100 + i, LINKNET_CHALLENGE,
			      0xfeed);
		if (where[i] != NULL)
			p.from = linknet_addr(where[i]);
		assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
		assert_int_equal(out.n, 1);
		assert_true(out.pkt[0].len <= p.len);
		assert_true(vx6_addr_eq(&out.pkt[0].to, &p.from));
		p.len = out.pkt[0].len;
		memcpy(p.data, out.pkt[0].data, p.len);
		linknet_reveal(&linknet.b, &p, &t, &ctr);
		assert_int_equal(t.op, LINKNET_RESPONSE);
		assert_int_equal(t.token, 0xfeed);
		assert_true(vx6_addr_eq(&t.seen, &p.from));
	}
}

static void redirected_it_asks_there_at_once(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet.b.inside = linknet_addr("198.51.100.2:4243");
	vx6_link_redirect(&linknet.a.link, &linknet.b.inside, linknet.now);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(vx6_link_due(&linknet.a.link), linknet.now);
	linknet_run(20 * VX6_MS);
	assert_int_equal(linknet.a.link.u_proved, 1452);
	assert_int_equal(linknet.a.link.srtt_ns, 20 * VX6_MS);
	assert_int_equal(linknet.a.up, 1);
}

/* ---- replays and forgeries ---- */

static void everything_twice_is_as_good_as_once(void **state)
{
	(void)state;
	linknet_plain();
	linknet.twice = true;
	linknet_run(600 * VX6_SEC);
	assert_int_equal(linknet.a.link.state, VX6_LINK_UP);
	assert_int_equal(linknet.a.received, 2 * linknet.b.sent);
	assert_int_equal(linknet.a.refused[VX6_REPLAYED], linknet.b.sent);
	assert_int_equal(linknet.a.link.asks, linknet.a.link.answers);
}

static void a_refused_probe_changes_nothing(void **state)
{
	static struct vx6_link before;
	struct vx6_link_out out;
	struct linknet_packet p, bad;

	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	linknet_forge(&p, &linknet.b, 50, LINKNET_ASK, 1);
	before = linknet.b.link;
	/* any bit of it, or a byte more or less; the version and the link
	 * index are judged before a link is found */
	for (unsigned bit = 32; bit < p.len * 8u; bit++) {
		bad = p;
		bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(linknet_arrive(&linknet.b, &bad, &out),
				     VX6_OK);
		assert_int_equal(out.n + out.events, 0);
		assert_memory_equal(&before, &linknet.b.link, sizeof(before));
	}
	for (uint16_t len = 0; len < VX6_CELL_MAX; len++) {
		bad = p;
		bad.len = len;
		if (len != p.len)
			assert_int_not_equal(
				linknet_arrive(&linknet.b, &bad, &out), VX6_OK);
		assert_memory_equal(&before, &linknet.b.link, sizeof(before));
	}
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_OK);
	before = linknet.b.link;
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_REPLAYED);
	p.from = linknet_addr("203.0.113.1:1");
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_REPLAYED);
	p.from.port = 0;
	assert_int_equal(linknet_arrive(&linknet.b, &p, &out), VX6_BAD_SOURCE);
	assert_memory_equal(&before, &linknet.b.link, sizeof(before));
}

/* clang-format off */
static const struct {
	const char *name;
	uint8_t op, zero;
	uint16_t u;
	uint16_t len, set; /* of the text; a byte of it that is set */
	enum vx6_status want;
} text_row[] = {
	{ "least",      1,   0, 70,   38,   0,   VX6_OK },
	{ "most",       1,   0, 1472, 1440, 0,   VX6_OK },
	{ "op 0",       0,   0, 1452, 38,   0,   VX6_MALFORMED },
	{ "op 5",       5,   0, 1452, 38,   0,   VX6_MALFORMED },
	{ "op 255",     255, 0, 1452, 38,   0,   VX6_MALFORMED },
	{ "zero",       1,   1, 1452, 38,   0,   VX6_MALFORMED },
	{ "U 69",       1,   0, 69,   38,   0,   VX6_MALFORMED },
	{ "U 1473",     1,   0, 1473, 38,   0,   VX6_MALFORMED },
	{ "short",      1,   0, 1452, 37,   0,   VX6_MALFORMED },
	{ "empty",      1,   0, 1452, 0,    0,   VX6_MALFORMED },
	{ "padded",     1,   0, 1452, 39,   38,  VX6_MALFORMED },
	{ "end padded", 1,   0, 1452, 900,  899, VX6_MALFORMED },
};
/* clang-format on */

static void what_is_no_probe_is_refused(void **state)
{
	(void)state;
	linknet_plain();
	linknet_run(1 * VX6_SEC);
	for (unsigned i = 0; i < VX6_COUNT(text_row); i++) {
		struct linknet_text t = { .op = text_row[i].op,
					  .zero = text_row[i].zero,
					  .u = text_row[i].u };
		struct vx6_link_out out;
		struct linknet_packet p;
		uint8_t text[1440] = { 0 };

		linknet_text_put(text, &t);
		if (text_row[i].set != 0)
			text[text_row[i].set] = 1;
		linknet_forge_raw(&p, &linknet.b, 1000 + i, text,
				  text_row[i].len, 4);
		if (linknet_arrive(&linknet.b, &p, &out) != text_row[i].want)
			fail_msg("%s", text_row[i].name);
		if (text_row[i].want != VX6_OK && out.n + out.events != 0)
			fail_msg("%s is answered", text_row[i].name);
	}
}

static void a_data_cell_is_no_probe(void **state)
{
	struct vx6_link_out out;
	struct linknet_packet p;
	uint8_t text[38] = { LINKNET_ASK, 0, 1, 0 };

	(void)state;
	linknet_plain();
	for (unsigned kind = 0; kind < 16; kind++) {
		linknet_forge_raw(&p, &linknet.b, 7, text, sizeof(text), kind);
		assert_int_equal(linknet_arrive(&linknet.b, &p, &out),
				 kind == 4 ? VX6_OK : VX6_BAD_KIND);
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(a_rebound_nat_is_followed),
		cmocka_unit_test(a_dead_link_can_move_too),
		cmocka_unit_test(a_spoofed_source_moves_nothing),
		cmocka_unit_test(only_the_right_response_moves),
		cmocka_unit_test(a_response_held_back_moves_nothing),
		cmocka_unit_test(an_old_probe_from_elsewhere_is_not_heeded),
		cmocka_unit_test(an_ask_from_elsewhere_is_answered_at_home),
		cmocka_unit_test(a_challenge_is_answered_where_it_came_from),
		cmocka_unit_test(redirected_it_asks_there_at_once),
		cmocka_unit_test(everything_twice_is_as_good_as_once),
		cmocka_unit_test(a_refused_probe_changes_nothing),
		cmocka_unit_test(what_is_no_probe_is_refused),
		cmocka_unit_test(a_data_cell_is_no_probe),
	};

	return cmocka_run_group_tests_name("link_move", test, linknet_start,
					   NULL);
}
