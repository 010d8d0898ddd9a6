/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port: bursts in, bursts out, no byte changed, no frame lost or made up.
 *
 * Method: random bursts of random sizes to random places over real sockets
 * on loopback, against lists of what must arrive where, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "dataplane/base/rand.h"
#include "dataplane/port/dgram.h"
#include "tests/support/twonet.h"

#define ENDS 5u

static struct vx6_rand rnd;

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static struct port *udp(const char *at, bool offload)
{
	struct port_opts o = { .bind = addr(at),
			       .no_gso = !offload,
			       .no_gro = !offload };
	struct port *p;

	assert_int_equal(port_open_udp(&p, &o), VX6_OK);
	return p;
}

static void wait_in(struct port *p)
{
	struct pollfd pf = { .events = POLLIN };
	int fd[PORT_FDS];

	assert_int_equal(port_fds(p, fd), 1);
	pf.fd = fd[0];
	assert_int_equal(poll(&pf, 1, 10000), 1);
}

/* A datagram says who it is for and its number there; then a pattern. */
static void write_text(struct net_frame *f, unsigned end, uint32_t no,
		       uint16_t len)
{
	f->len = len;
	for (unsigned i = 0; i < len; i++)
		f->data[i] = (uint8_t)(no * 31u + i * (end + 3u));
	memcpy(f->data, &no, sizeof(no));
	f->data[4] = (uint8_t)end;
}

static void check_text(const struct net_frame *f, unsigned end, uint32_t no,
		       uint16_t len)
{
	uint32_t got;

	assert_int_equal(f->len, len);
	memcpy(&got, f->data, sizeof(got));
	assert_int_equal(got, no);
	assert_int_equal(f->data[4], end);
	for (unsigned i = 5; i < len; i++)
		assert_int_equal(f->data[i],
				 (uint8_t)(no * 31u + i * (end + 3u)));
}

struct sink { /* one destination and what it must still get */
	struct port *port;
	uint16_t len[4096];
	uint32_t sent, got;
};

static void drain(struct sink *k, unsigned end, const struct port *from)
{
	while (k->got < k->sent) {
		struct net_frame *f[NET_BURST];
		unsigned most = 1 + vx6_rand_below(&rnd, NET_BURST), n;

		n = port_rx(k->port, f, most);
		if (n == 0)
			wait_in(k->port);
		assert_true(n <= most);
		for (unsigned i = 0; i < n; i++) {
			check_text(f[i], end, k->got, k->len[k->got]);
			assert_int_equal(f[i]->peer.port, from->at.port);
			assert_int_equal(f[i]->self.port, k->port->at.port);
			k->got++;
		}
		port_give(k->port, f, n);
	}
}

/* Mostly one size, as cells are, and anything else now and then. */
static uint16_t any_len(void)
{
	uint32_t x = vx6_rand_below(&rnd, 10);

	if (x < 6)
		return 1232;
	return (uint16_t)(x < 8 ? 200 : 5 + vx6_rand_below(&rnd, 1468));
}

static void bursts(bool offload)
{
	static struct sink sink[ENDS];
	struct port *p = udp("[::]:0", offload);
	uint32_t all = p->pool_cnt;

	memset(sink, 0, sizeof(sink));
	for (unsigned i = 0; i < ENDS; i++)
		sink[i].port = udp(i & 1 ? "[::1]:0" : "127.0.0.1:0", offload);
	for (unsigned b = 0; b < 60; b++) {
		struct net_frame *f[NET_BURST];
		unsigned n = 1 + vx6_rand_below(&rnd, NET_BURST);
		unsigned ends = 1 + vx6_rand_below(&rnd, ENDS);

		for (unsigned i = 0; i < n; i++) {
			unsigned e = vx6_rand_below(&rnd, ends);
			uint16_t len = any_len();

			f[i] = port_take(p);
			assert_non_null(f[i]);
			write_text(f[i], e, sink[e].sent, len);
			f[i]->peer = sink[e].port->at;
			f[i]->link = e + 1;
			sink[e].len[sink[e].sent++] = len;
		}
		port_tx(p, f, n);
		assert_int_equal(p->pool_cnt, all);
		if (b % 3 == 2)
			for (unsigned e = 0; e < ENDS; e++)
				drain(&sink[e], e, p);
	}
	for (unsigned e = 0; e < ENDS; e++) {
		assert_int_equal(sink[e].port->rx_frames, sink[e].sent);
		/* posted frames are the back end's, the others are home */
		assert_true(sink[e].port->pool_cnt + NET_BURST >=
			    sink[e].port->frame_cnt);
		port_close(sink[e].port);
	}
	const struct net_sock *s = p->sock;

	assert_int_equal(p->tx_frames, s->tx_dgrams);
	if (offload && s->gso) /* or nothing was joined */
		assert_true(s->tx_calls < p->tx_frames / 4);
	port_close(p);
}

static void udp_bursts_keep_order_and_bytes(void **state)
{
	(void)state;
	bursts(true);
	bursts(false);
}

/* A run of 60 must come out right when it is asked for one by one, and
 * whatever is done to a frame must not touch those behind it. */
static void a_run_is_split_without_overlap(void **state)
{
	struct port *a = udp("[::1]:0", true), *b = udp("[::1]:0", true);
	struct net_frame *f[NET_BURST];
	unsigned got = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		f[i] = port_take(a);
		write_text(f[i], 7, i, i < 49 ? 1000 : 333);
		f[i]->peer = b->at;
	}
	port_tx(a, f, 50);
	assert_int_equal(a->tx_frames, 50);
	wait_in(b);
	while (got < 50) {
		struct net_frame *one;

		if (port_rx(b, &one, 1) == 0) {
			wait_in(b);
			continue;
		}
		check_text(one, 7, got, got < 49 ? 1000 : 333);
		/* all that a relay may write to */
		memset(one->data - VX6_CACHELINE, 0xee,
		       VX6_CACHELINE + NET_FRAME_CAP);
		got++;
		port_give(b, &one, 1);
	}
	assert_int_equal(b->rx_frames, 50);
	port_close(a);
	port_close(b);
}

static void an_empty_pool_delays_and_loses_nothing(void **state)
{
	struct port_opts o = { .bind = addr("[::1]:0"),
			       .frames = PORT_FRAMES_MIN };
	struct port *a = udp("[::1]:0", true), *b;
	static struct net_frame *kept[PORT_FRAMES_MIN];
	struct net_frame *f[NET_BURST];
	unsigned n = 0, got;

	(void)state;
	assert_int_equal(port_open_udp(&b, &o), VX6_OK);
	/* post, then take all others away */
	assert_int_equal(port_rx(b, f, NET_BURST), 0);
	while (b->pool_cnt > 0)
		kept[n++] = port_take(b);
	for (unsigned i = 0; i < 40; i++) {
		f[i] = port_take(a);
		write_text(f[i], 1, i, 900);
		f[i]->peer = b->at;
	}
	port_tx(a, f, 40);
	wait_in(b);
	got = port_rx(b, f, NET_BURST);
	for (unsigned i = 0; i < got; i++)
		check_text(f[i], 1, i, 900);
	assert_true(got < 40);
	port_give(b, kept, n);
	while (got < 40) {
		struct net_frame *one;

		if (port_rx(b, &one, 1) == 0) {
			wait_in(b);
			continue;
		}
		check_text(one, 1, got++, 900);
	}
	port_close(a);
	port_close(b);
}

#define RELAYED 160u /* in four messages, received by one call */
#define PLACES  16u

/* What a sends arrives at b in four runs. */
static void send_runs(struct port *a, const struct port *b, unsigned places)
{
	struct net_frame *f[NET_BURST];

	for (uint32_t no = 0; no < RELAYED; no += RELAYED / 4) {
		for (unsigned i = 0; i < RELAYED / 4; i++) {
			f[i] = port_take(a);
			write_text(f[i], (no + i) % places, (no + i) / places,
				   1100);
			f[i]->peer = b->at;
		}
		port_tx(a, f, RELAYED / 4);
	}
}

/* A burst, each frame to its end in turn; how many. */
static unsigned relay_some(struct port *b, struct sink sink[])
{
	struct net_frame *f[NET_BURST];
	unsigned n = port_rx(b, f, NET_BURST);

	for (unsigned i = 0; i < n; i++) {
		unsigned e = f[i]->data[4];

		f[i]->peer = sink[e].port->at;
		f[i]->self = (struct vx6_addr){ 0 };
		f[i]->link = e + 1;
		sink[e].len[sink[e].sent++] = f[i]->len;
	}
	if (n > 0)
		port_tx(b, f, n);
	return n;
}

static void open_sinks(struct sink sink[PLACES])
{
	memset(sink, 0, PLACES * sizeof(*sink));
	for (unsigned i = 0; i < PLACES; i++)
		sink[i].port = udp("[::1]:0", true);
}

static void close_sinks(struct sink sink[PLACES], const struct port *from)
{
	for (unsigned e = 0; e < PLACES; e++) {
		drain(&sink[e], e, from);
		port_close(sink[e].port);
	}
}

/* How many times the socket is called for cells to so many places; nothing
 * stays behind when no more is there. */
static uint64_t calls_for(unsigned places)
{
	static struct sink sink[PLACES];
	struct port *a = udp("[::1]:0", true), *b = udp("[::1]:0", true);
	uint64_t calls;
	unsigned n = 0;

	open_sinks(sink);
	send_runs(a, b, places);
	while (n < RELAYED) {
		unsigned more = relay_some(b, sink);

		if (more == 0)
			wait_in(b);
		n += more;
		assert_true(b->pending || b->tx_frames == n);
	}
	assert_false(b->pending);
	assert_int_equal(b->tx_frames, RELAYED);
	calls = b->sock->gro && a->sock->gso ? b->sock->tx_calls : 0;
	port_close(a);
	close_sinks(sink, b);
	port_close(b);
	return calls;
}

static void cells_to_many_places_go_together(void **state)
{
	uint64_t many = calls_for(PLACES), one = calls_for(1);

	(void)state;
	if (many == 0)
		return; /* nothing is joined here */
	assert_int_equal(many, 1);
	assert_int_equal(one, (RELAYED + NET_BURST - 1) / NET_BURST);
}

/* Held frames are no use to anybody when others are lacking, nor when what
 * was to come with them is dropped or the port ends. */
static void nothing_is_held_in_vain(void **state)
{
	static struct sink sink[PLACES];
	struct port_opts o = { .bind = addr("[::1]:0"),
			       .frames = PORT_FRAMES_MIN };
	struct port *a = udp("[::1]:0", true), *b;
	static struct net_frame *kept[PORT_FRAMES_MIN];
	struct net_frame *f[NET_BURST];
	struct vx6_addr from;
	unsigned n = 0, keeps = 0;

	(void)state;
	assert_int_equal(port_open_udp(&b, &o), VX6_OK);
	from = b->at;
	open_sinks(sink);
	send_runs(a, b, PLACES);
	n = relay_some(b, sink);
	assert_int_equal(n, NET_BURST);
	while (b->pool_cnt > 0)
		kept[keeps++] = port_take(b);
	while (n < RELAYED) {
		unsigned more = relay_some(b, sink);

		assert_true(more > 0);
		n += more;
	}
	assert_int_equal(b->tx_frames, RELAYED);
	port_give(b, kept, keeps);
	send_runs(a, b, PLACES);
	send_runs(a, b, PLACES);
	assert_int_equal(relay_some(b, sink), NET_BURST);
	for (n = NET_BURST; n < 2 * RELAYED;) {
		unsigned more = port_rx(b, f, NET_BURST);

		port_give(b, f, more);
		n += more;
		if (n > DGRAM_HELD)
			assert_int_equal(b->tx_frames, RELAYED + NET_BURST);
	}
	send_runs(a, b, PLACES);
	assert_int_equal(relay_some(b, sink), NET_BURST);
	port_close(b);
	port_close(a);
	for (unsigned e = 0; e < PLACES; e++) {
		while (sink[e].got < sink[e].sent) {
			n = port_rx(sink[e].port, f, NET_BURST);
			if (n == 0)
				wait_in(sink[e].port);
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(f[i]->peer.port, from.port);
			port_give(sink[e].port, f, n);
			sink[e].got += n;
		}
		port_close(sink[e].port);
	}
}

static unsigned drop_all(struct port *b)
{
	struct net_frame *f[NET_BURST];
	unsigned n = 0, more;

	while ((more = port_rx(b, f, NET_BURST)) > 0) {
		port_give(b, f, more);
		n += more;
	}
	return n;
}

static void long_messages_come_few_at_a_time(void **state)
{
	struct port *a = udp("[::1]:0", true), *b = udp("[::1]:0", true);
	uint64_t calls;

	(void)state;
	send_runs(a, b, PLACES);
	assert_int_equal(drop_all(b), RELAYED);
	calls = b->sock->rx_calls;
	send_runs(a, b, PLACES);
	send_runs(a, b, PLACES);
	assert_int_equal(drop_all(b), 2 * RELAYED);
	if (b->sock->gro && a->sock->gso)
		assert_true(b->sock->rx_calls - calls >=
			    2 * RELAYED / DGRAM_CELLS);
	port_close(a);
	port_close(b);
}

/* n frames to sink's end, numbered on. */
static void give_some(struct port *p, struct sink *k, unsigned n)
{
	struct net_frame *f[NET_BURST];

	for (unsigned i = 0; i < n; i++) {
		f[i] = port_take(p);
		write_text(f[i], 0, k->sent, 1200);
		f[i]->peer = k->port->at;
		k->len[k->sent++] = 1200;
	}
	port_tx(p, f, n);
}

/* Over a slow cable, who sends no more than there is room for loses none;
 * who does, does. */
static void a_slow_cable_has_no_room(void **state)
{
	static struct sink sink;
	struct port_opts o = { .bind = addr("[fd00:0::1]:0"), .sndbuf = 65536 };
	struct net_frame *f[NET_BURST];
	unsigned least = NET_BURST;
	struct port *p;

	(void)state;
	if (!twonet_open(&net))
		skip();
	twonet_cable(&net, 0, 1);
	twonet_run(&net, false,
		   "tc qdisc add dev t0 root tbf rate 80mbit burst 10kb "
		   "limit 16mb");
	assert_int_equal(port_open_udp(&p, &o), VX6_OK);
	memset(&sink, 0, sizeof(sink));
	assert_int_equal(setns(net.there, CLONE_NEWNET), 0);
	sink.port = udp("[fd00:0::2]:0", true);
	assert_int_equal(setns(net.here, CLONE_NEWNET), 0);
	while (sink.sent < 600) {
		unsigned n = p->tx_room < 16 ? p->tx_room : 16;

		if (n < least)
			least = n;
		if (n > 0)
			give_some(p, &sink, n);
		else
			drain(&sink, 0, p);
		assert_int_equal(port_rx(p, f, NET_BURST), 0);
	}
	assert_int_equal(p->drop[VX6_AGAIN], 0);
	assert_int_equal(p->tx_frames, sink.sent);
	assert_int_equal(least, 0); /* or it was never full */
	drain(&sink, 0, p);
	for (unsigned i = 0; i < 40; i++)
		give_some(p, &sink, 16);
	assert_true(p->drop[VX6_AGAIN] > 0);
	assert_int_equal(p->tx_room, 0);
	port_close(sink.port);
	port_close(p);
	twonet_close(&net);
}

static void what_cannot_be_sent_is_counted(void **state)
{
	struct port *a = udp("127.0.0.1:0", true), *b = udp("[::1]:0", true);
	struct port *c = udp("127.0.0.1:0", true);
	struct net_frame *f[3];
	uint32_t all = a->pool_cnt;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		f[i] = port_take(a);
		write_text(f[i], 0, i, 100);
		f[i]->peer = i == 1 ? b->at : c->at; /* IPv6 over IPv4 */
	}
	port_tx(a, f, 3);
	assert_int_equal(a->tx_frames, 2);
	assert_int_equal(a->drop[VX6_NO_ROUTE], 1);
	assert_int_equal(a->pool_cnt, all);
	port_close(a);
	port_close(b);
	port_close(c);
}

static void what_is_too_long_is_no_frame(void **state)
{
	struct port *b = udp("[::1]:0", true);
	struct net_sock s;
	struct net_opts no = { .bind = addr("[::1]:0") };
	static uint8_t text[8000];
	struct iovec v[2] = {
		{ text, sizeof(text) },
                { text, 40           }
	};
	struct net_out o[3] = {
		{ .to = b->at, .iov = &v[0], .iov_cnt = 1 },
		{ .to = b->at, .iov = &v[0], .iov_cnt = 1, .segment = 2000 },
		{ .to = b->at, .iov = &v[1], .iov_cnt = 1 }
	};
	struct net_frame *f[NET_BURST];
	unsigned n = 0;

	(void)state;
	assert_int_equal(net_open(&s, &no), VX6_OK);
	assert_int_equal(net_send(&s, o, 3), 3);
	while (n == 0) {
		wait_in(b);
		n = port_rx(b, f, NET_BURST);
	}
	assert_int_equal(n, 1);
	assert_int_equal(f[0]->len, 40);
	assert_int_equal(b->drop[VX6_BAD_SIZE], 5);
	port_give(b, f, 1);
	net_close(&s);
	port_close(b);
}

static void mem_is_two_queues(void **state)
{
	const struct port_opts o = { .frames = PORT_FRAMES_MIN };
	struct vx6_addr peer = addr("192.0.2.1:7");
	struct net_frame *f[NET_BURST];
	struct port *p;
	uint32_t no = 0, seen = 0;

	(void)state;
	assert_int_equal(port_open_mem(&p, &o), VX6_OK);
	assert_null(p->sock);
	assert_int_equal(port_rx(p, f, NET_BURST), 0);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 50; i++, no++)
			assert_true(port_mem_put(p, &no, sizeof(no), &peer));
		for (unsigned left = 50; left > 0;) {
			unsigned n = port_rx(p, f, 7);

			port_tx(p, f, n);
			left -= n;
		}
		for (unsigned i = 0; i < 50; i++, seen++) {
			f[0] = port_mem_get(p);
			assert_non_null(f[0]);
			assert_memory_equal(f[0]->data, &seen, sizeof(seen));
			port_give(p, f, 1);
		}
		assert_null(port_mem_get(p));
	}
	assert_int_equal(p->pool_cnt, PORT_FRAMES_MIN);
	while (port_mem_put(p, &no, 4, &peer))
		;
	assert_int_equal(p->pool_cnt, 0);
	port_close(p);
}

static void limits_are_said(void **state)
{
	struct port_opts o = { .bind = addr("[::1]:0"),
			       .frames = PORT_FRAMES_MIN - 1 };
	struct port *p = NULL, *q = udp("[::1]:0", true);

	(void)state;
	assert_int_equal(port_open_udp(&p, &o), VX6_CONFIG);
	assert_int_equal(port_open_mem(&p, &o), VX6_CONFIG);
	o.frames = 0;
	o.bind = q->at;
	assert_int_equal(port_open_udp(&p, &o), VX6_SYS);
	assert_int_equal(errno, EADDRINUSE);
	assert_null(p);
	port_close(p);
	port_close(q);
}

static int seed(void **state)
{
	static const uint8_t s[32] = "port";

	(void)state;
	vx6_rand_seed(&rnd, s);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(udp_bursts_keep_order_and_bytes),
		cmocka_unit_test(a_run_is_split_without_overlap),
		cmocka_unit_test(cells_to_many_places_go_together),
		cmocka_unit_test(nothing_is_held_in_vain),
		cmocka_unit_test(long_messages_come_few_at_a_time),
		cmocka_unit_test(a_slow_cable_has_no_room),
		cmocka_unit_test(an_empty_pool_delays_and_loses_nothing),
		cmocka_unit_test(what_cannot_be_sent_is_counted),
		cmocka_unit_test(what_is_too_long_is_no_frame),
		cmocka_unit_test(mem_is_two_queues),
		cmocka_unit_test(limits_are_said),
	};

	return cmocka_run_group_tests_name("port", test, seed, NULL);
}
