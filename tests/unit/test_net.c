/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net: what is sent in batches arrives, whole, cut and marked as it was
 * said, over both families of loopback; what cannot be sent is refused on
 * its own entry and harms no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/net/net.h"

#define SEGMENT 1232u

static uint8_t rx_mem[NET_BATCH][NET_BUF_MIN];
static struct iovec rx_iov[NET_BATCH];
static struct net_pkt rx_pkt[NET_BATCH];

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static struct net_sock opened(const char *at, struct net_opts o)
{
	struct net_sock s;

	o.bind = addr(at);
	assert_int_equal(net_open(&s, &o), VX6_OK);
	return s;
}

/* The address of s as seen over loopback of a family. */
static struct vx6_addr reach(const struct net_sock *s, const char *loopback)
{
	struct vx6_addr a = addr(loopback);

	a.port = s->at.port;
	return a;
}

static void wait_in(const struct net_sock *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static unsigned received(struct net_sock *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rx_iov[i] = (struct iovec){ rx_mem[i], sizeof(rx_mem[i]) };
		rx_pkt[i] = (struct net_pkt){ .iov = &rx_iov[i], .iov_cnt = 1 };
	}
	wait_in(s);
	return net_recv(s, rx_pkt, n);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7u + i / 251u);
}

/* Receives until len bytes have come; checks bytes and segment sizes. */
static void expect_run(struct net_sock *s, size_t len)
{
	size_t got = 0;

	while (got < len) {
		unsigned n = received(s, NET_BATCH);

		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			const struct net_pkt *p = &rx_pkt[i];
			size_t left = len - got;

			assert_int_equal(p->segment,
					 left < SEGMENT ? left : SEGMENT);
			assert_true(p->len <= left);
			for (size_t j = 0; j < p->len; j++)
				assert_int_equal(rx_mem[i][j],
						 pattern(got + j));
			got += p->len;
		}
	}
	assert_int_equal(s->rx_bytes, len);
	assert_int_equal(s->rx_dgrams, (len + SEGMENT - 1) / SEGMENT);
}

static void run_of(struct net_opts tx, struct net_opts rx, const char *lo,
		   const char *bind_tx)
{
	static uint8_t text[NET_LEN_MAX];
	struct net_sock a = opened(bind_tx, tx), b = opened("[::]:0", rx);
	const size_t len = SEGMENT * 40 + 17;
	/* pieces that end nowhere near a segment's end */
	struct iovec iov[5] = {
		{ text,         1           },
		{ text + 1,     1999        },
		{ text + 2000,  20000       },
		{ text + 22000, 0           },
		{ text + 22000, len - 22000 }
	};
	struct net_out o = {
		.to = reach(&b, lo), .iov = iov, .iov_cnt = 5, .segment = 1232
	};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = pattern(i);
	assert_int_equal(net_send(&a, &o, 1), 1);
	assert_int_equal(o.err, 0);
	assert_int_equal(a.tx_dgrams, 41);
	assert_int_equal(a.tx_bytes, len);
	expect_run(&b, len);
	net_close(&a);
	net_close(&b);
}

static void runs_arrive_whole(void **state)
{
	const struct net_opts with = { 0 };
	const struct net_opts without = { .no_gso = true, .no_gro = true };
	static const char *const lo[2] = { "[::1]:1", "127.0.0.1:1" };
	static const char *const at[2] = { "[::]:0", "127.0.0.1:0" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		run_of(with, with, lo[i], "[::]:0");
		run_of(with, without, lo[i], "[::]:0");
		run_of(without, with, lo[i], "[::]:0");
		run_of(without, without, lo[i], "[::]:0");
	}
	run_of(with, with, lo[1], at[1]);
}

static void both_families_tell_addresses(void **state)
{
	struct net_sock any = opened("[::]:0", (struct net_opts){ 0 });
	struct net_sock six = opened("[::1]:0", (struct net_opts){ 0 });
	struct net_sock four = opened("127.0.0.1:0", (struct net_opts){ 0 });
	struct iovec v = { rx_mem[9], 100 };
	struct net_out o[2] = {
		{ .to = reach(&any, "[::1]:1"),     .iov = &v, .iov_cnt = 1 },
		{ .to = reach(&any, "127.0.0.1:1"), .iov = &v, .iov_cnt = 1 }
	};

	(void)state;
	assert_false(any.v4);
	assert_false(six.v4);
	assert_true(four.v4);
	assert_int_equal(net_send(&six, &o[0], 1), 1);
	assert_int_equal(received(&any, 4), 1);
	assert_memory_equal(&rx_pkt[0].from, &six.at, sizeof(six.at));
	assert_memory_equal(&rx_pkt[0].to, &o[0].to, sizeof(o[0].to));
	assert_int_equal(net_send(&four, &o[1], 1), 1);
	assert_int_equal(received(&any, 4), 1);
	assert_memory_equal(&rx_pkt[0].from, &four.at, sizeof(four.at));
	assert_memory_equal(&rx_pkt[0].to, &o[1].to, sizeof(o[1].to));
	/* and back, to where it came from */
	o[1].to = rx_pkt[0].from;
	o[1].from = rx_pkt[0].to;
	assert_int_equal(net_send(&any, &o[1], 1), 1);
	assert_int_equal(received(&four, 4), 1);
	assert_memory_equal(&rx_pkt[0].from, &o[1].from, sizeof(o[1].from));
	/* IPv6 over an IPv4 socket is an entry's fault, not the call's */
	assert_int_equal(net_send(&four, o, 1), 1);
	assert_int_equal(o[0].err, EINVAL);
	net_close(&any);
	net_close(&six);
	net_close(&four);
}

static void local_address_is_ours_to_choose(void **state)
{
	struct net_sock a = opened("[::]:0", (struct net_opts){ 0 });
	struct net_sock b = opened("[::]:0", (struct net_opts){ 0 });
	struct iovec v = { rx_mem[9], 10 };
	struct net_out o = { .to = reach(&b, "127.0.0.1:1"),
			     .from = addr("127.0.0.77:0"),
			     .iov = &v,
			     .iov_cnt = 1 };

	(void)state;
	assert_int_equal(net_send(&a, &o, 1), 1);
	assert_int_equal(o.err, 0);
	assert_int_equal(received(&b, 1), 1);
	o.from.port = a.at.port;
	assert_memory_equal(&rx_pkt[0].from, &o.from, sizeof(o.from));
	/* an address that is not ours */
	o.from = addr("192.0.2.1:0");
	assert_int_equal(net_send(&a, &o, 1), 1);
	assert_int_not_equal(o.err, 0);
	assert_int_equal(a.tx_refused, 1);
	net_close(&a);
	net_close(&b);
}

static void ecn_goes_both_ways(void **state)
{
	static const char *const lo[2] = { "[::1]:1", "127.0.0.1:1" };
	struct net_sock a = opened("[::]:0", (struct net_opts){ 0 });
	struct net_sock b = opened("[::]:0", (struct net_opts){ 0 });
	struct net_sock c = opened("127.0.0.1:0", (struct net_opts){ 0 });
	struct iovec v = { rx_mem[9], 10 };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct net_out o = { .to = reach(&b, lo[i & 1]),
				     .iov = &v,
				     .iov_cnt = 1,
				     .ecn = (uint8_t)(i >> 1) };

		assert_int_equal(net_send(&a, &o, 1), 1);
		assert_int_equal(received(&b, 1), 1);
		assert_int_equal(rx_pkt[0].ecn, i >> 1);
		o.to = c.at;
		assert_int_equal(net_send(&a, &o, 1), 1);
		assert_int_equal(received(&c, 1), 1);
		assert_int_equal(rx_pkt[0].ecn, i >> 1);
	}
	net_close(&a);
	net_close(&b);
	net_close(&c);
}

static void refusals_stay_with_their_entry(void **state)
{
	struct net_sock a = opened("[::]:0", (struct net_opts){ 0 });
	struct net_sock b = opened("[::]:0", (struct net_opts){ 0 });
	static uint8_t text[NET_LEN_MAX + 1];
	struct iovec small = { text, 100 }, huge = { text, sizeof(text) };
	struct iovec wide = { text, NET_LEN_MAX };
	struct net_out o[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		o[i] = (struct net_out){ .to = reach(&b, "[::1]:1"),
					 .iov = &small,
					 .iov_cnt = 1 };
	o[1].iov = &huge; /* over 65,507 */
	o[2].iov = &wide; /* over loopback's MTU; never fragmented */
	o[3].segment = 1; /* over 64 datagrams */
	o[4].to.port = 0; /* no port */
	assert_int_equal(net_send(&a, o, 6), 6);
	assert_int_equal(o[0].err, 0);
	assert_int_equal(o[1].err, EINVAL);
	assert_int_equal(o[2].err, EMSGSIZE);
	assert_int_equal(o[3].err, EINVAL);
	assert_int_not_equal(o[4].err, 0);
	assert_int_equal(o[5].err, 0);
	assert_int_equal(a.tx_refused, 4);
	assert_int_equal(a.tx_dgrams, 2);
	assert_int_equal(received(&b, NET_BATCH), 2);
	net_close(&a);
	net_close(&b);
}

/* Nobody listens: whatever ICMP says, later datagrams go and come. */
static void a_dead_port_is_no_error(void **state)
{
	struct net_sock a = opened("[::1]:0", (struct net_opts){ 0 });
	struct net_sock b = opened("[::1]:0", (struct net_opts){ 0 });
	struct net_sock gone = opened("[::1]:0", (struct net_opts){ 0 });
	struct iovec v = { rx_mem[9], 100 };
	struct net_out o[2] = {
		{ .to = gone.at, .iov = &v, .iov_cnt = 1 },
		{ .to = b.at,    .iov = &v, .iov_cnt = 1 }
	};

	(void)state;
	net_close(&gone);
	net_close(&gone); /* harmless */
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(net_send(&a, o, 2), 2);
		assert_int_equal(o[1].err, 0);
		assert_int_equal(received(&b, 4), 1);
	}
	net_close(&a);
	net_close(&b);
}

static void too_long_for_the_buffer(void **state)
{
	struct net_sock a = opened("[::1]:0", (struct net_opts){ 0 });
	struct net_sock b = opened("[::1]:0", (struct net_opts){ 0 });
	struct iovec v = { rx_mem[9], 100 }, little = { rx_mem[0], 99 };
	struct iovec room = { rx_mem[1], 100 };
	struct net_out o[2] = {
		{ .to = b.at, .iov = &v, .iov_cnt = 1 },
		{ .to = b.at, .iov = &v, .iov_cnt = 1 }
	};
	struct net_pkt p[2] = {
		{ .iov = &little, .iov_cnt = 1 },
                { .iov = &room,   .iov_cnt = 1 }
	};

	(void)state;
	assert_int_equal(net_send(&a, o, 2), 2);
	wait_in(&b);
	assert_int_equal(net_recv(&b, p, 2), 2);
	assert_int_equal(p[0].len, 0);
	assert_int_equal(p[1].len, 100);
	assert_int_equal(b.rx_truncated, 1);
	assert_int_equal(b.rx_dgrams, 1);
	assert_int_equal(net_recv(&b, p, 2), 0); /* empty is no wait */
	net_close(&a);
	net_close(&b);
}

static void bound_twice_is_said(void **state)
{
	struct net_sock a = opened("[::]:0", (struct net_opts){ 0 }), b;
	struct net_opts o = { .bind = a.at };

	(void)state;
	assert_int_equal(net_open(&b, &o), VX6_SYS);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(b.fd, -1);
	o.bind = addr("192.0.2.1:0");
	assert_int_equal(net_open(&b, &o), VX6_SYS);
	assert_int_equal(errno, EADDRNOTAVAIL);
	net_close(&a);
}

static void buffers_are_reported_as_they_are(void **state)
{
	struct net_sock a =
		opened("[::]:0",
		       (struct net_opts){ .rcvbuf = 200000, .sndbuf = 100000 });
	struct iovec v = { rx_mem[9], 1000 };
	struct net_out o = { .iov = &v, .iov_cnt = 1 };
	struct net_sock b = opened("[::1]:0",
				   (struct net_opts){ .rcvbuf = 10000 });
	unsigned n = 0;

	(void)state;
	assert_int_equal(a.rcvbuf, 200000);
	assert_int_equal(a.sndbuf, 100000);
	assert_int_equal(b.rcvbuf, 10000);
	/* and an overflow is noticed */
	o.to = b.at;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(net_send(&a, &o, 1), 1);
	for (unsigned k = received(&b, NET_BATCH); k > 0;
	     k = net_recv(&b, rx_pkt, NET_BATCH))
		n += k;
	assert_int_equal(net_send(&a, &o, 1), 1); /* carries the count */
	assert_int_equal(received(&b, 1), 1);
	assert_int_equal(n + b.rx_overflow, 100);
	assert_true(n < 100);
	net_close(&a);
	net_close(&b);
}

static void routes_have_an_mtu(void **state)
{
	struct vx6_addr lo = addr("127.0.0.1:9");

	(void)state;
	assert_true(net_route_mtu(&lo) >= 1280);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(runs_arrive_whole),
		cmocka_unit_test(both_families_tell_addresses),
		cmocka_unit_test(local_address_is_ours_to_choose),
		cmocka_unit_test(ecn_goes_both_ways),
		cmocka_unit_test(refusals_stay_with_their_entry),
		cmocka_unit_test(a_dead_port_is_no_error),
		cmocka_unit_test(too_long_for_the_buffer),
		cmocka_unit_test(bound_twice_is_said),
		cmocka_unit_test(buffers_are_reported_as_they_are),
		cmocka_unit_test(routes_have_an_mtu),
	};

	return cmocka_run_group_tests_name("net", test, NULL, NULL);
}
