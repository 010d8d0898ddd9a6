/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buckets: chances of links, handshakes of prefixes, and whom a link takes
 * for its peer.
 *
 * Method: BPF_PROG_TEST_RUN.  The classifier's clock cannot be set, but when
 * a bucket is full again can be: what stands in its map is moved by as much
 * as time would have moved.  Where time does pass, the bounds are those of
 * the time that passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "tests/support/xdp_must.h"
#include "xdp/object.h"
#include "xdp/xdp.h"

#define EACH_NS (VX6_SEC / VX6_XDP_CHANCES)

static unsigned reason_of(const struct shape *s)
{
	static struct pkt p;
	struct xk_result r;

	pkt_make(&p, s);
	r = xk_run(&kit, &p);
	assert_true(r.untouched);
	assert_int_equal(r.verdict, must_verdict(r.reason));
	return r.reason;
}

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

/* ---- chances ---- */

static uint64_t chance_due(uint32_t link)
{
	uint64_t due;

	assert_int_equal(bpf_map_lookup_elem(object_map(kit.obj, "vx6_chance"),
					     &link, &due),
			 0);
	return due;
}

static void set_chance_due(uint32_t link, uint64_t due)
{
	assert_int_equal(bpf_map_update_elem(object_map(kit.obj, "vx6_chance"),
					     &link, &due, BPF_ANY),
			 0);
}

static void so_many_at_once(void **state)
{
	static const struct shape stranger = { .src = "fd00:7::3" };
	unsigned let = 0, most;
	uint64_t began;

	(void)state;
	must_need();
	set_chance_due(1, 0);
	began = vx6_now_ns();
	for (unsigned i = 0; i < 100; i++) {
		unsigned r = reason_of(&stranger);

		assert_true(r == VX6_XDP_CHANCE || r == VX6_XDP_BAD_SOURCE);
		let += r == VX6_XDP_CHANCE;
		if (i < VX6_XDP_CHANCES)
			assert_int_equal(r, VX6_XDP_CHANCE);
	}
	most = VX6_XDP_CHANCES + (unsigned)((vx6_now_ns() - began) / EACH_NS) +
	       1;
	assert_true(let >= VX6_XDP_CHANCES && let <= most);
}

static void one_more_in_time(void **state)
{
	static const struct shape stranger = { .sport = XK_PORT + 1 };
	uint64_t began, far, due;

	(void)state;
	must_need();
	/* an hour of chances is gone */
	far = vx6_now_ns() + 3600 * VX6_SEC;
	set_chance_due(1, far);
	assert_int_equal(reason_of(&stranger), VX6_XDP_BAD_SOURCE);
	assert_int_equal(chance_due(1), far);
	/* one is left, since a moment that is longer than the kernel's clock
	 * may lag behind ours */
	set_chance_due(1,
		       vx6_now_ns() + (VX6_XDP_CHANCES - 1) * EACH_NS - VX6_MS);
	due = chance_due(1);
	assert_int_equal(reason_of(&stranger), VX6_XDP_CHANCE);
	assert_int_equal(chance_due(1), due + EACH_NS);
	/* they do not pile up while nobody asks */
	began = vx6_now_ns();
	set_chance_due(1, began / 2);
	assert_int_equal(reason_of(&stranger), VX6_XDP_CHANCE);
	assert_true(chance_due(1) >= began + EACH_NS - VX6_MS);
}

static void of_each_link(void **state)
{
	static const struct shape one = { .sport = 9 },
				  last = { .sport = 9, .link = XK_LINKS - 1 };
	struct shape s = { 0 };

	(void)state;
	must_need();
	set_chance_due(1, vx6_now_ns() + 3600 * VX6_SEC);
	set_chance_due(XK_LINKS - 1, 0);
	assert_int_equal(reason_of(&one), VX6_XDP_BAD_SOURCE);
	assert_int_equal(reason_of(&last), VX6_XDP_CHANCE);
	/* the peer needs none */
	assert_int_equal(reason_of(&s), VX6_XDP_CELL);
}

/* ---- the peer ---- */

static void every_bit_of_the_peer(void **state)
{
	static struct pkt p, q;
	struct shape s = { 0 };

	(void)state;
	must_need();
	set_chance_due(1, vx6_now_ns() + 3600 * VX6_SEC);
	pkt_make(&p, &s);
	for (unsigned bit = 0; bit < 128 + 16; bit++) {
		/* source address at 22, source port at 54 */
		unsigned at = bit < 128 ? 22 + bit / 8 : 54 + (bit - 128) / 8;

		q = p;
		q.b[at] ^= (uint8_t)(1u << bit % 8);
		must_be(&kit, "a bit of the source", &q, VX6_XDP_BAD_SOURCE);
	}
	must_be(&kit, "the source", &p, VX6_XDP_CELL);
}

static void nobody_is_proved(void **state)
{
	static const struct shape s = { .link = 3 };
	static struct pkt p;

	(void)state;
	must_need();
	set_chance_due(3, vx6_now_ns() + 3600 * VX6_SEC);
	assert_int_equal(reason_of(&s), VX6_XDP_BAD_SOURCE);
	/* nor is the unspecified address, port 0, which stands there */
	pkt_make(&p, &s);
	memset(p.b + 22, 0, 16);
	p.b[54] = p.b[55] = 0;
	must_be(&kit, "from nobody", &p, VX6_XDP_BAD_SOURCE);
}

static void while_it_is_written(void **state)
{
	static const struct shape s = { 0 };
	struct vx6_xdp_link *l;

	(void)state;
	must_need();
	l = &kit.links[1];
	set_chance_due(1, vx6_now_ns() + 3600 * VX6_SEC);
	l->seq++;
	assert_int_equal(reason_of(&s), VX6_XDP_BAD_SOURCE);
	l->seq++;
	assert_int_equal(reason_of(&s), VX6_XDP_CELL);
}

static void links_come_move_and_go(void **state)
{
	static const struct shape s = { .link = 9 },
				  moved = { .link = 9, .src = "fd00:7::9" },
				  four = { .link = 9, .v4 = true };
	struct vx6_addr a = addr("[" XK_PEER6 "]:5000"),
			b = addr("[fd00:7::9]:5000"),
			c = addr(XK_PEER4 ":5000");
	struct vx6_xdp_link *l;

	(void)state;
	must_need();
	l = &kit.links[9];
	assert_int_equal(reason_of(&s), VX6_XDP_NO_LINK);
	xdp_link_set(l, &a);
	set_chance_due(9, vx6_now_ns() + 3600 * VX6_SEC);
	assert_int_equal(l->seq & 1, 0);
	assert_int_equal(reason_of(&s), VX6_XDP_CELL);
	assert_int_equal(reason_of(&moved), VX6_XDP_BAD_SOURCE);
	xdp_link_set(l, &b);
	assert_int_equal(reason_of(&s), VX6_XDP_BAD_SOURCE);
	assert_int_equal(reason_of(&moved), VX6_XDP_CELL);
	xdp_link_set(l, &c);
	assert_int_equal(reason_of(&four), VX6_XDP_CELL);
	xdp_link_clear(l);
	assert_int_equal(l->seq & 1, 0);
	assert_int_equal(reason_of(&s), VX6_XDP_NO_LINK);
	assert_int_equal(reason_of(&four), VX6_XDP_NO_LINK);
}

/* ---- the control port ---- */

/* Forgets all prefixes. */
static void fresh_prefixes(void)
{
	int fd = object_map(kit.obj, "vx6_prefix");
	struct vx6_xdp_prefix key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

static const uint8_t q_initial[64] = { 0xc3, 0, 0, 0, 1 },
		     q_zero_rtt[64] = { 0xd0, 0, 0, 0, 1 },
		     q_handshake[64] = { 0xe0, 0, 0, 0, 1 },
		     q_retry[64] = { 0xf0, 0, 0, 0, 1 },
		     q_short[64] = { 0x43, 0, 0, 0, 1 },
		     q_other[64] = { 0xe0, 0x6b, 0x33, 0x43, 0xcf },
		     q_none[64] = { 0xe0 };

#define QUIC(bytes) .text = (bytes), .len = 64, .dport = XK_CTRL

/* All that a prefix of each family has at once. */
static void spend(const struct shape *six, const struct shape *four)
{
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(reason_of(six), VX6_XDP_CONTROL);
		assert_int_equal(reason_of(four), VX6_XDP_CONTROL);
	}
}

static void four_handshakes(void **state)
{
	static const struct shape s = { QUIC(q_initial) };

	(void)state;
	must_need();
	fresh_prefixes();
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(reason_of(&s),
				 i < 4 ? VX6_XDP_CONTROL : VX6_XDP_HANDSHAKES);
}

static void what_begins_one(void **state)
{
	static const struct fixture f[] = {
		{ "Initial",         VX6_XDP_HANDSHAKES, { QUIC(q_initial) }                                 },
		{ "0-RTT",           VX6_XDP_HANDSHAKES, { QUIC(q_zero_rtt) }                                },
		{ "Handshake",       VX6_XDP_CONTROL,    { QUIC(q_handshake) }                               },
		{ "Retry",           VX6_XDP_CONTROL,    { QUIC(q_retry) }                                   },
		{ "short header",    VX6_XDP_CONTROL,    { QUIC(q_short) }                                   },
		{ "another version", VX6_XDP_HANDSHAKES, { QUIC(q_other) }                                   },
		{ "version 0",       VX6_XDP_HANDSHAKES, { QUIC(q_none) }                                    },
		{ "a cell",          VX6_XDP_CONTROL,    { .dport = XK_CTRL }                                },
		{ "4 bytes",
                 VX6_XDP_CONTROL,			{ .text = q_initial, .len = 4, .dport = XK_CTRL }   },
		{ "5 bytes",
                 VX6_XDP_HANDSHAKES,		     { .text = q_initial, .len = 5, .dport = XK_CTRL }   },
		{ "no byte",         VX6_XDP_CONTROL,    { .len = -1, .dport = XK_CTRL }                     },
		{ "third port",
                 VX6_XDP_HANDSHAKES,		     { .text = q_initial, .len = 64, .dport = XK_CTRL2 } },
		{ "no port",
                 VX6_XDP_OTHER,			  { .text = q_initial, .len = 64, .dport = 53 }       },
		{ "SYN",
                 VX6_XDP_HANDSHAKES,		     { .tcp = 0x02, .dport = XK_CTRL }                   },
		{ "SYN, ECN",
                 VX6_XDP_HANDSHAKES,		     { .tcp = 0xc2, .dport = XK_CTRL }                   },
		{ "SYN, ACK",
                 VX6_XDP_CONTROL,			{ .tcp = 0x12, .dport = XK_CTRL }                   },
		{ "ACK",             VX6_XDP_CONTROL,    { .tcp = 0x10, .dport = XK_CTRL }                   },
		{ "FIN",             VX6_XDP_CONTROL,    { .tcp = 0x01, .dport = XK_CTRL }                   },
		{ "RST",             VX6_XDP_CONTROL,    { .tcp = 0x04, .dport = XK_CTRL }                   },
		{ "fragment",
                 VX6_XDP_HANDSHAKES,		     { QUIC(q_initial), .v4 = true, .frag = 0x2000 }     },
		{ "options",
                 VX6_XDP_HANDSHAKES,		     { QUIC(q_initial), .v4 = true, .extra_cnt = 2 }     },
	};
	static const struct shape six = { QUIC(q_initial) },
				  four = { QUIC(q_initial), .v4 = true };

	(void)state;
	must_need();
	fresh_prefixes();
	spend(&six, &four);
	must_all(&kit, f, VX6_COUNT(f));
}

/* port 0 in the list of control ports is none */
static void port_zero(void **state)
{
	static const struct shape s = { QUIC(q_initial) };
	static struct pkt p;

	(void)state;
	must_need();
	pkt_make(&p, &s);
	p.b[56] = p.b[57] = 0;
	must_be(&kit, "to port 0", &p, VX6_XDP_OTHER);
}

static void by_prefix(void **state)
{
	static const struct fixture f[] = {
		{ "same /56",
                 VX6_XDP_HANDSHAKES, { QUIC(q_initial), .src = "2001:db8:1:2ff:ffff::7" }  },
		{ "next /56",
                 VX6_XDP_CONTROL,    { QUIC(q_initial), .src = "2001:db8:1:300::1" }       },
		{ "/56 before",
                 VX6_XDP_CONTROL,    { QUIC(q_initial), .src = "2001:db8:1:1ff::1" }       },
		{ "first bit",
                 VX6_XDP_CONTROL,    { QUIC(q_initial), .src = "a001:db8:1:200::1" }       },
		{ "same /24",
                 VX6_XDP_HANDSHAKES, { QUIC(q_initial), .v4 = true, .src = "192.0.2.255" } },
		{ "next /24",
                 VX6_XDP_CONTROL,    { QUIC(q_initial), .v4 = true, .src = "192.0.3.0" }   },
		/* the same bits, the other family: c000:0200:.. */
		{ "other family",
                 VX6_XDP_CONTROL,    { QUIC(q_initial), .src = "c000:200::1" }             },
	};
	static const struct shape six = { QUIC(q_initial),
					  .src = "2001:db8:1:200::1" },
				  four = { QUIC(q_initial), .v4 = true,
					   .src = "192.0.2.1" };

	(void)state;
	must_need();
	fresh_prefixes();
	spend(&six, &four);
	must_all(&kit, f, VX6_COUNT(f));
}

static void a_prefix_recovers(void **state)
{
	static const struct shape s = { QUIC(q_initial),
					.src = "2001:db8:1:200::1" };
	const struct vx6_xdp_prefix key = {
		.bits = { 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x02 }
	};
	const uint64_t hour = 3600 * VX6_SEC;
	uint64_t due;
	int fd;

	(void)state;
	must_need();
	fresh_prefixes();
	fd = object_map(kit.obj, "vx6_prefix");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(reason_of(&s), VX6_XDP_CONTROL);
	assert_int_equal(reason_of(&s), VX6_XDP_HANDSHAKES);
	for (unsigned i = 0; i < 3; i++) { /* an hour later, one more */
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &due), 0);
		due -= hour;
		assert_int_equal(bpf_map_update_elem(fd, &key, &due, BPF_ANY),
				 0);
		assert_int_equal(reason_of(&s), VX6_XDP_CONTROL);
		assert_int_equal(reason_of(&s), VX6_XDP_HANDSHAKES);
	}
}

/* More prefixes than there is room for: nobody is refused for that. */
static void many_prefixes(void **state)
{
	static struct pkt p;
	static const struct shape s = { QUIC(q_initial) };
	struct xk_result r;

	(void)state;
	must_need();
	pkt_make(&p, &s);
	for (uint32_t i = 0; i < VX6_XDP_PREFIXES + 5000; i++) {
		memcpy(p.b + 22, &i, sizeof(i));
		r = xk_run(&kit, &p);
		assert_int_equal(r.reason, VX6_XDP_CONTROL);
	}
	fresh_prefixes();
}

static void without_bucket(void **state)
{
	static const struct shape s = { QUIC(q_initial) };
	int fd;
	uint32_t zero = 0;
	struct vx6_xdp_config c, had;

	(void)state;
	must_need();
	fd = object_map(kit.obj, "vx6_config");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &had), 0);
	c = had;
	c.shake_most = 0;
	assert_int_equal(object_configure(kit.obj, &c), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(reason_of(&s), VX6_XDP_CONTROL);
	assert_int_equal(object_configure(kit.obj, &had), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once),
		cmocka_unit_test(one_more_in_time),
		cmocka_unit_test(of_each_link),
		cmocka_unit_test(every_bit_of_the_peer),
		cmocka_unit_test(nobody_is_proved),
		cmocka_unit_test(while_it_is_written),
		cmocka_unit_test(links_come_move_and_go),
		cmocka_unit_test(four_handshakes),
		cmocka_unit_test(what_begins_one),
		cmocka_unit_test(port_zero),
		cmocka_unit_test(by_prefix),
		cmocka_unit_test(a_prefix_recovers),
		cmocka_unit_test(many_prefixes),
		cmocka_unit_test(without_bucket),
	};

	return cmocka_run_group_tests(tests, must_set_up, must_tear_down);
}
