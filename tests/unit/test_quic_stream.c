/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic_stream: bytes arrive whole, in order and only as fast as they are
 * taken; ends of streams are carried; datagrams fit or are refused.
 *
 * Method: one connection, or two; each stream's content is a function of
 * its id, its direction and the offset, and every byte is compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"
#include "tests/support/pair.h"

#define STREAMS 1024u

static struct pair p;

static struct end { /* what one end knows of its streams */
	uint64_t got[STREAMS], sent[STREAMS], total[STREAMS];
	bool fin[STREAMS];
	unsigned opened, closed, resets, stops, rooms, fins, bad;
	uint64_t code;
	bool take; /* consumes what comes */
	bool echo; /* answers a stream with its own content */
} end[2];

static uint64_t content(unsigned sender, int64_t id)
{
	return (uint64_t)id * 2 + sender;
}

static void pump(struct pair_end *e, struct quic_conn *c, int64_t id)
{
	struct end *x = &end[e->idx];
	uint8_t buf[4096];

	while (x->sent[id] < x->total[id]) {
		uint64_t left = x->total[id] - x->sent[id];
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		pair_fill(content(e->idx, id), x->sent[id], buf, n);
		size_t took = quic_stream_send(c, id, buf, n, n == left);
		x->sent[id] += took;
		if (took < n)
			return;
	}
}

static void on_open(void *ctx, struct quic_conn *c, int64_t id)
{
	struct pair_end *e = ctx;
	struct end *x = &end[e->idx];

	x->opened++;
	if (x->echo)
		pump(e, c, id);
}

static void on_data(void *ctx, struct quic_conn *c, int64_t id,
		    const uint8_t *data, size_t len, bool fin)
{
	struct pair_end *e = ctx;
	struct end *x = &end[e->idx];

	x->bad += !pair_same(content(1 - e->idx, id), x->got[id], data, len);
	x->bad += x->fin[id];
	x->got[id] += len;
	x->fin[id] = fin;
	x->fins += fin;
	if (x->take)
		quic_stream_consumed(c, id, len);
}

static void on_room(void *ctx, struct quic_conn *c, int64_t id)
{
	struct pair_end *e = ctx;

	end[e->idx].rooms++;
	pump(e, c, id);
}

static void on_reset(void *ctx, struct quic_conn *c, int64_t id, uint64_t code)
{
	struct pair_end *e = ctx;

	(void)c;
	(void)id;
	end[e->idx].resets++;
	end[e->idx].code = code;
}

static void on_stop(void *ctx, struct quic_conn *c, int64_t id, uint64_t code)
{
	struct pair_end *e = ctx;

	(void)c;
	(void)id;
	end[e->idx].stops++;
	end[e->idx].code = code;
}

static void on_closed(void *ctx, struct quic_conn *c, int64_t id)
{
	struct pair_end *e = ctx;

	end[e->idx].closed++;
	/* the id is forgotten, whatever is done with it */
	assert_int_equal(quic_stream_space(c, id), 0);
	assert_int_equal(quic_stream_send(c, id, (const uint8_t *)"x", 1, true),
			 0);
	quic_stream_consumed(c, id, 5);
	quic_stream_reset(c, id, 1);
	quic_stream_stop(c, id, 1);
}

static void begin(const struct quic_limits *client,
		  const struct quic_limits *server)
{
	memset(end, 0, sizeof(end));
	pair_open(&p, client, server, 5);
	for (unsigned i = 0; i < 2; i++) {
		struct quic_events *h = &p.end[i].hooks;

		end[i].take = true;
		h->stream_open = on_open;
		h->stream_data = on_data;
		h->stream_room = on_room;
		h->stream_reset = on_reset;
		h->stream_stop = on_stop;
		h->stream_closed = on_closed;
	}
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
}

static void done(void)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(end[i].bad, 0);
		assert_int_equal(p.end[i].closed_cnt, 0);
	}
	pair_close(&p);
}

static int64_t open_stream(unsigned i, uint64_t total)
{
	int64_t id = -1;

	assert_int_equal(quic_stream_new(p.end[i].conn, &id), VX6_OK);
	assert_true(id >= 0 && id < (int64_t)STREAMS);
	end[i].total[id] = total;
	pump(&p.end[i], p.end[i].conn, id);
	return id;
}

/* ---- ---- */

static void both_ways(void **state)
{
	(void)state;
	begin(NULL, NULL);
	end[1].echo = true;
	end[1].total[0] = 3000000;
	int64_t id = open_stream(0, 5000000);
	assert_int_equal(id, 0);
	pair_run(&p, 30 * VX6_SEC);
	assert_int_equal(end[1].got[0], 5000000);
	assert_int_equal(end[0].got[0], 3000000);
	assert_true(end[0].fin[0] && end[1].fin[0]);
	assert_true(end[0].rooms > 0);
	assert_int_equal(end[0].closed, 1);
	assert_int_equal(end[1].closed, 1);
	/* and a server may open streams as well */
	id = open_stream(1, 1000);
	assert_int_equal(id & 3, 1);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[0].got[id], 1000);
	done();
}

/* One direction ends; the other goes on for as long as it likes. */
static void half_close(void **state)
{
	(void)state;
	begin(NULL, NULL);
	int64_t id = open_stream(0, 10);
	pair_run(&p, VX6_SEC);
	assert_true(end[1].fin[id]);
	assert_int_equal(end[1].closed, 0);
	assert_int_equal(quic_stream_send(p.end[0].conn, id,
					  (const uint8_t *)"x", 1, false),
			 0);
	pair_run(&p, 60 * VX6_SEC);
	end[1].total[id] = 200000;
	pump(&p.end[1], p.end[1].conn, id);
	pair_run(&p, 10 * VX6_SEC);
	assert_int_equal(end[0].got[id], 200000);
	assert_int_equal(end[0].closed, 1);
	assert_int_equal(end[1].closed, 1);
	done();
}

static void an_end_without_bytes(void **state)
{
	int64_t id;

	(void)state;
	begin(NULL, NULL);
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	quic_stream_send(p.end[0].conn, id, NULL, 0, true);
	pair_run(&p, VX6_SEC);
	assert_true(end[1].fin[id]);
	assert_int_equal(end[1].got[id], 0);
	/* data first, its end later and alone */
	id = open_stream(0, 0);
	uint8_t one;
	pair_fill(content(0, id), 0, &one, 1);
	quic_stream_send(p.end[0].conn, id, &one, 1, false);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[1].got[id], 1);
	assert_false(end[1].fin[id]);
	quic_stream_send(p.end[0].conn, id, NULL, 0, true);
	pair_run(&p, VX6_SEC);
	assert_true(end[1].fin[id]);
	done();
}

/* Who does not take is not given more: not beyond the window, and the
 * sender keeps no more than its buffer. */
static void back_pressure(void **state)
{
	struct quic_limits l = { .stream_window = 65536,
				 .conn_window = 131072,
				 .stream_buffer = 30000 };

	(void)state;
	begin(&l, &l);
	end[1].take = false;
	int64_t id = open_stream(0, 10000000);
	pair_run(&p, 20 * VX6_SEC);
	assert_int_equal(end[1].got[id], 65536);
	int64_t other = open_stream(0, 10000000);
	int64_t third = open_stream(0, 10000000);
	pair_run(&p, 20 * VX6_SEC);
	uint64_t all = end[1].got[id] + end[1].got[other] + end[1].got[third];
	assert_int_equal(all, 131072);
	/* a quarter must be free before room is told of */
	assert_true(quic_stream_space(p.end[0].conn, id) < 7500);
	assert_in_range(end[0].sent[id], 65536 + 22500, 65536 + 30000);
	/* idle meanwhile, not spinning */
	uint64_t sent = p.net.sent;
	pair_run(&p, 5 * VX6_SEC);
	assert_true(p.net.sent - sent < 40);
	/* what is consumed may come again, as much as was */
	quic_stream_consumed(p.end[1].conn, id, 40000);
	quic_flush(p.end[1].ep, p.now_ns);
	pair_run(&p, 2 * VX6_SEC);
	all = end[1].got[id] + end[1].got[other] + end[1].got[third];
	assert_int_equal(all, 131072 + 40000);
	/* more than came cannot be given back */
	quic_stream_consumed(p.end[1].conn, id, SIZE_MAX);
	quic_flush(p.end[1].ep, p.now_ns);
	pair_run(&p, 2 * VX6_SEC);
	assert_true(end[1].got[id] <= 10000000);
	end[1].take = true;
	quic_stream_consumed(p.end[1].conn, id, SIZE_MAX);
	quic_stream_consumed(p.end[1].conn, other, SIZE_MAX);
	quic_stream_consumed(p.end[1].conn, third, SIZE_MAX);
	quic_flush(p.end[1].ep, p.now_ns);
	pair_run(&p, 60 * VX6_SEC);
	assert_int_equal(end[1].got[id], end[0].sent[id]);
	assert_true(end[1].got[other] > 500000);
	assert_true(end[1].got[third] > 500000);
	done();
}

static void reset_and_stop(void **state)
{
	(void)state;
	begin(NULL, NULL);
	int64_t id = open_stream(0, 50000000);
	pair_run(&p, 100 * VX6_MS);
	quic_stream_reset(p.end[0].conn, id, 4242);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[1].resets, 1);
	assert_int_equal(end[1].code, 4242);
	assert_false(end[1].fin[id]);
	uint64_t got = end[1].got[id];
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[1].got[id], got);
	assert_int_equal(end[1].closed, 0); /* its own half is open */
	quic_stream_send(p.end[1].conn, id, NULL, 0, true);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[0].closed, 1);
	assert_int_equal(end[1].closed, 1);

	id = open_stream(0, 50000000);
	pair_run(&p, 100 * VX6_MS);
	quic_stream_stop(p.end[1].conn, id, 77);
	quic_flush(p.end[1].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[0].stops, 1);
	assert_int_equal(end[0].code, 77);
	assert_int_equal(quic_stream_space(p.end[0].conn, id), 0);
	done();
}

/* Resets with bytes unread do not eat the connection's window. */
static void windows_come_back(void **state)
{
	struct quic_limits l = { .stream_window = 65536,
				 .conn_window = 131072 };

	(void)state;
	begin(&l, &l);
	end[1].take = false;
	for (unsigned i = 0; i < 40; i++) {
		int64_t id = open_stream(0, 60000);
		uint64_t until = p.now_ns + VX6_SEC;

		while (pair_step(&p, until)) {
		}
		assert_true(end[1].got[id] > 30000);
		if (i & 1) {
			quic_stream_reset(p.end[0].conn, id, 1);
			quic_flush(p.end[0].ep, p.now_ns);
		} else {
			quic_stream_stop(p.end[1].conn, id, 1);
		}
		quic_stream_reset(p.end[1].conn, id, 1);
		quic_flush(p.end[1].ep, p.now_ns);
		pair_run(&p, VX6_SEC);
	}
	assert_int_equal(end[1].closed, 40);
	end[1].take = true;
	int64_t id = open_stream(0, 1000000);
	pair_run(&p, 10 * VX6_SEC);
	assert_int_equal(end[1].got[id], 1000000);
	done();
}

static void two_hundred(void **state)
{
	(void)state;
	begin(NULL, NULL);
	p.net.cfg[0].loss = 10000;
	end[1].echo = true;
	for (unsigned i = 0; i < STREAMS; i++)
		end[1].total[i] = 20000 + i;
	for (unsigned i = 0; i < 200; i++)
		open_stream(0, 30000 + 7 * i);
	pair_run(&p, 60 * VX6_SEC);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(end[1].got[4 * i], 30000 + 7 * i);
		assert_int_equal(end[0].got[4 * i], 20000 + 4 * i);
		assert_true(end[0].fin[4 * i] && end[1].fin[4 * i]);
	}
	assert_int_equal(end[0].closed, 200);
	assert_int_equal(end[1].closed, 200);
	struct quic_stats s;
	quic_stats(p.end[0].conn, &s);
	assert_int_equal(s.streams, 0);
	assert_true(s.lost_packets > 0 && s.lost_packets < s.sent_packets);
	done();
}

/* None is starved: all are about as far at any time. */
static void a_fair_share(void **state)
{
	(void)state;
	begin(NULL, NULL);
	p.net.cfg[0].rate = 1250000;
	p.net.cfg[0].queue_ns = 100 * VX6_MS;
	for (unsigned i = 0; i < 10; i++)
		open_stream(0, 100000000);
	pair_run(&p, 8 * VX6_SEC);
	uint64_t least = UINT64_MAX, most = 0;
	for (unsigned i = 0; i < 10; i++) {
		uint64_t got = end[1].got[4 * i];

		least = got < least ? got : least;
		most = got > most ? got : most;
	}
	assert_true(least > 300000);
	assert_true(most < 2 * least);
	done();
}

static void stream_limit(void **state)
{
	struct quic_limits l = { .streams = 5 };
	int64_t id;

	(void)state;
	begin(NULL, &l);
	for (unsigned i = 0; i < 5; i++)
		open_stream(0, 10);
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_AGAIN);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[1].opened, 5);
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_AGAIN);
	quic_stream_send(p.end[1].conn, 8, NULL, 0, true);
	pair_run(&p, VX6_SEC);
	assert_int_equal(end[0].closed, 1);
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_AGAIN);
	/* our own limit holds as well, whatever the peer allows */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(quic_stream_new(p.end[1].conn, &id), VX6_OK);
	assert_int_equal(quic_stream_new(p.end[1].conn, &id), VX6_AGAIN);
	done();
}

/* A loop whose socket is full: what was refused once is offered again, and
 * nothing is written over it. */
static uint64_t wire_cnt;

static bool count_wire(struct pair *pr, unsigned to, unsigned leg,
		       uint8_t *data, size_t *len)
{
	(void)pr;
	(void)leg;
	(void)data;
	(void)len;
	wire_cnt += to == 1;
	return true;
}

static void a_full_socket(void **state)
{
	struct quic_stats before;

	(void)state;
	begin(NULL, NULL);
	pair_run(&p, VX6_SEC);
	quic_stats(p.end[0].conn, &before);
	wire_cnt = before.sent_packets;
	p.tamper = count_wire;
	open_stream(0, 3000000);
	for (unsigned i = 0; i < 400; i++) {
		p.end[0].deaf = i % 3 != 0;
		if (!p.end[0].deaf)
			quic_writable(p.end[0].ep);
		pair_run(&p, 7 * VX6_MS);
	}
	p.end[0].deaf = false;
	quic_writable(p.end[0].ep);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, 20 * VX6_SEC);
	assert_int_equal(end[1].got[0], 3000000);
	/* the line loses nothing, and neither did we */
	struct quic_stats s;
	quic_stats(p.end[0].conn, &s);
	assert_true(s.sent_packets > 2000);
	assert_int_equal(p.net.sent, p.net.delivered);
	assert_int_equal(s.sent_packets, wire_cnt);
	done();
}

/* ---- keys ---- */

static void keys_change_under_load(void **state)
{
	unsigned changes = 0;

	(void)state;
	begin(NULL, NULL);
	p.net.cfg[0].rate = 2500000;
	p.net.cfg[0].queue_ns = 50 * VX6_MS;
	p.net.cfg[0].loss = 2000;
	end[1].echo = true;
	end[1].total[0] = 8000000;
	open_stream(0, 8000000);
	for (unsigned i = 0; i < 40; i++) {
		struct quic_conn *c = p.end[i & 1].conn;

		changes += ngtcp2_conn_initiate_key_update(c->q, p.now_ns) == 0;
		pair_run(&p, 250 * VX6_MS);
	}
	assert_in_range(changes, 8, 40);
	pair_run(&p, 20 * VX6_SEC);
	assert_int_equal(end[1].got[0], 8000000);
	assert_int_equal(end[0].got[0], 8000000);
	done();
}

/* ---- datagrams ---- */

static uint8_t last_dgram[1500];
static size_t last_len;

static void on_dgram(void *ctx, struct quic_conn *c, const uint8_t *data,
		     size_t len)
{
	(void)ctx;
	(void)c;
	memcpy(last_dgram, data, len);
	last_len = len;
}

static void datagrams(void **state)
{
	uint8_t d[1500];

	(void)state;
	begin(NULL, NULL);
	p.end[1].hooks.datagram = on_dgram;
	pair_run(&p, VX6_SEC); /* the path's size is found */
	memset(d, 7, sizeof(d));
	struct quic_conn *c = p.end[0].conn;
	size_t room = quic_datagram_room(c);
	assert_int_equal(room, 1452 - 44);
	assert_int_equal(quic_datagram_send(c, d, room + 1), VX6_BAD_SIZE);
	assert_int_equal(quic_datagram_send(c, d, 0), VX6_MALFORMED);
	d[0] = 0;
	assert_int_equal(quic_datagram_send(c, d, 20), VX6_MALFORMED);
	d[0] = 7;
	assert_int_equal(quic_datagram_send(c, d, room), VX6_OK);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].datagrams, 1);
	assert_int_equal(last_len, room);
	assert_memory_equal(last_dgram, d, room);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(quic_datagram_send(c, d, 100 + i), VX6_OK);
	assert_int_equal(quic_datagram_send(c, d, 100), VX6_AGAIN);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].datagrams, 9);
	assert_int_equal(p.end[1].datagram_bytes, room + 8 * 100 + 28);
	/* beside a full stream they are not starved */
	open_stream(0, 50000000);
	p.net.cfg[0].rate = 1250000;
	p.net.cfg[0].queue_ns = 50 * VX6_MS;
	for (unsigned i = 0; i < 100; i++) {
		(void)!quic_datagram_send(c, d, 500);
		pair_run(&p, 20 * VX6_MS);
	}
	assert_true(p.end[1].datagrams > 9 + 80);
	done();
}

/* A datagram that fitted when it was queued, and no longer does, is
 * dropped; it does not stand in the way for ever. */
static void a_path_that_narrows(void **state)
{
	uint8_t d[1300];

	(void)state;
	begin(NULL, NULL);
	memset(d, 7, sizeof(d));
	pair_run(&p, VX6_SEC);
	struct quic_conn *c = p.end[0].conn;
	assert_int_equal(quic_datagram_send(c, d, 1300), VX6_OK);
	quic_set_d(c, 1006);
	assert_int_equal(quic_datagram_send(c, d, 1300), VX6_BAD_SIZE);
	assert_int_equal(quic_datagram_send(c, d, 900), VX6_OK);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].datagrams, 1);
	assert_int_equal(p.end[1].datagram_bytes, 900);
	done();
}

/* ---- packet sizes ---- */

static size_t longest, mtu;

static bool narrow(struct pair *pr, unsigned to, unsigned leg, uint8_t *data,
		   size_t *len)
{
	(void)pr;
	(void)leg;
	(void)data;
	if (*len > mtu)
		return false;
	if (to == 1 && *len > longest)
		longest = *len;
	return true;
}

static void path_mtu(void **state)
{
	static const struct {
		size_t mtu, want;
	} row[] = {
		{ 1472, 1452 },
                { 1452, 1452 },
                { 1451, 1444 },
		{ 1372, 1372 },
                { 1300, 1232 },
                { 1200, 1200 }
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(row); i++) {
		longest = 0;
		mtu = row[i].mtu;
		memset(end, 0, sizeof(end));
		end[1].take = true;
		pair_open(&p, NULL, NULL, 6);
		p.end[1].hooks.stream_data = on_data;
		p.end[0].hooks.stream_room = on_room;
		p.tamper = narrow;
		assert_true(pair_connect(&p, QUIC_SESSION, 0));
		pair_run(&p, 5 * VX6_SEC);
		longest = 0;
		open_stream(0, 1000000);
		pair_run(&p, 10 * VX6_SEC);
		assert_int_equal(end[1].got[0], 1000000);
		assert_int_equal(longest, row[i].want);
		done();
	}
}

/* ---- what survive asks for ---- */

static void statistics(void **state)
{
	struct quic_stats s;

	(void)state;
	begin(NULL, NULL);
	pair_run(&p, VX6_SEC);
	quic_stats(p.end[0].conn, &s);
	assert_in_range(s.srtt_ns, 19 * VX6_MS, 26 * VX6_MS);
	assert_true(s.latest_rtt_ns > 0 && s.pto_ns > s.srtt_ns);
	assert_int_equal(s.first_unanswered_ns, VX6_NEVER);
	assert_int_equal(s.in_flight, 0);
	pipes_cut(&p.net, 0, true);
	uint64_t at = p.now_ns;
	open_stream(0, 1000);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, 300 * VX6_MS);
	quic_stats(p.end[0].conn, &s);
	assert_int_equal(s.first_unanswered_ns, at);
	assert_true(s.in_flight >= 1000);
	assert_true(s.last_rx_ns < at);
	pipes_cut(&p.net, 0, false);
	pair_run(&p, 2 * VX6_SEC);
	quic_stats(p.end[0].conn, &s);
	assert_int_equal(s.first_unanswered_ns, VX6_NEVER);
	assert_true(s.last_rx_ns > at);
	assert_true(s.rx_bytes > 1200 && s.tx_bytes > 1200);
	done();
}

static uint8_t kept[1500];
static size_t kept_len;

static bool keep_last(struct pair *pr, unsigned to, unsigned leg, uint8_t *data,
		      size_t *len)
{
	(void)pr;
	(void)leg;
	if (to == 0) {
		memcpy(kept, data, *len);
		kept_len = *len;
	}
	return true;
}

/* Somebody replays old packets of a server that is gone: it must not look
 * alive. */
static void a_replay_is_no_sign_of_life(void **state)
{
	struct quic_stats before, after;
	struct quic_path path;
	uint8_t copy[1500];

	(void)state;
	begin(NULL, NULL);
	p.tamper = keep_last;
	end[1].echo = true;
	end[1].total[0] = 50000;
	open_stream(0, 50000);
	pair_run(&p, 2 * VX6_SEC);
	pipes_cut(&p.net, 0, true);
	pair_run(&p, 100 * VX6_MS);
	quic_stats(p.end[0].conn, &before);
	pipes_path(&path, 0, 0);
	memcpy(copy, kept, kept_len);
	assert_int_equal(
		quic_read(p.end[0].ep, &path, 0, copy, kept_len, p.now_ns),
		VX6_REPLAYED);
	quic_stats(p.end[0].conn, &after);
	assert_true(after.rx_bytes > before.rx_bytes);
	assert_int_equal(after.last_rx_ns, before.last_rx_ns);
	done();
}

#define HEARD 64u /* the last ones: what QUIC's short numbers still name */

static struct heard {
	uint8_t data[1500];
	size_t len;
} heard[HEARD];
static unsigned heard_cnt, told[VX6_STATUS_CNT];

static enum vx6_status hear(unsigned no, uint8_t change)
{
	const struct heard *h = &heard[no % HEARD];
	struct quic_path path;
	uint8_t copy[1500];

	pipes_path(&path, 0, 0);
	memcpy(copy, h->data, h->len);
	copy[h->len - 1] ^= change;
	return quic_read(p.end[0].ep, &path, 0, copy, h->len, p.now_ns);
}

/* Every fifth is overtaken by the four that follow. */
static bool overtake(struct pair *pr, unsigned to, unsigned leg, uint8_t *data,
		     size_t *len)
{
	struct heard *h = &heard[heard_cnt % HEARD];

	(void)leg;
	if (to != 0 || pr->end[0].ready_cnt == 0)
		return true;
	memcpy(h->data, data, *len);
	h->len = *len;
	if (heard_cnt++ % 5 == 0)
		return false;
	if (heard_cnt % 5 == 0)
		told[hear(heard_cnt - 5, 0)]++;
	return true;
}

/* What comes twice is told, each time; what comes late is not that, and what
 * was changed is something else. */
static void twins_are_told(void **state)
{
	(void)state;
	heard_cnt = 0;
	memset(told, 0, sizeof(told));
	begin(NULL, NULL);
	p.tamper = overtake;
	end[1].echo = true;
	end[1].total[0] = 1000000;
	open_stream(0, 1000000);
	pair_run(&p, 10 * VX6_SEC);
	assert_true(heard_cnt > 4 * HEARD);
	assert_int_equal(told[VX6_OK], heard_cnt / 5);
	while (heard_cnt % 5 != 0) /* the last one is still to come */
		heard_cnt--;
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 1; i < HEARD - 4; i++)
			assert_int_equal(hear(heard_cnt - i, 0), VX6_REPLAYED);
	for (unsigned i = 1; i < HEARD - 4; i++)
		assert_int_equal(hear(heard_cnt - i, 1), VX6_BAD_TAG);
	done();
}

/* ---- inside an event ---- */

static unsigned said[8];

static void busy_data(void *ctx, struct quic_conn *c, int64_t id,
		      const uint8_t *data, size_t len, bool fin)
{
	struct pair_end *e = ctx;
	struct quic_path path;
	struct quic_stats s;
	int64_t other;
	uint8_t junk[64] = { 0x40 };

	(void)data;
	(void)fin;
	quic_stream_consumed(c, id, len);
	pipes_path(&path, e->idx, 7);
	said[quic_migrate(c, &path, p.now_ns) == VX6_AGAIN]++;
	quic_flush(e->ep, p.now_ns);
	quic_tick(e->ep, p.now_ns);
	quic_settle(c);
	quic_stats(c, &s);
	quic_due(e->ep);
	quic_read(e->ep, &path, 0, junk, sizeof(junk), p.now_ns);
	if (quic_stream_new(c, &other) == VX6_OK) {
		quic_stream_send(c, other, (const uint8_t *)"abc", 3, false);
		quic_stream_reset(c, other, 1);
		quic_stream_stop(c, other, 1);
	}
	(void)!quic_datagram_send(c, (const uint8_t *)"d", 1);
	if (said[1] == 30) {
		quic_stream_reset(c, id, 3);
		quic_stream_stop(c, id, 3);
	}
	if (said[1] == 33)
		quic_close(c, 5, "inside", p.now_ns);
}

/* Anything may be called from inside an event. */
static void anything_inside_an_event(void **state)
{
	(void)state;
	memset(said, 0, sizeof(said));
	begin(NULL, NULL);
	p.end[0].hooks.stream_data = busy_data;
	end[1].echo = true;
	end[1].total[0] = 1000000;
	end[1].total[4] = 1000000;
	open_stream(0, 10);
	open_stream(0, 10);
	pair_run(&p, 5 * VX6_SEC);
	assert_int_equal(said[0], 0);
	assert_int_equal(said[1], 33);
	assert_int_equal(p.end[0].closed_cnt, 1);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_LOCAL);
	assert_int_equal(p.end[1].why.code, 5);
	pair_close(&p);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(half_close),
		cmocka_unit_test(an_end_without_bytes),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(reset_and_stop),
		cmocka_unit_test(windows_come_back),
		cmocka_unit_test(two_hundred),
		cmocka_unit_test(a_fair_share),
		cmocka_unit_test(stream_limit),
		cmocka_unit_test(a_full_socket),
		cmocka_unit_test(keys_change_under_load),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(a_path_that_narrows),
		cmocka_unit_test(path_mtu),
		cmocka_unit_test(statistics),
		cmocka_unit_test(a_replay_is_no_sign_of_life),
		cmocka_unit_test(twins_are_told),
		cmocka_unit_test(anything_inside_an_event),
	};

	return cmocka_run_group_tests_name("quic_stream", test, NULL, NULL);
}
