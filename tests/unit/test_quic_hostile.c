/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic_hostile: whatever comes, the process lives; what is not the peer's
 * changes nothing; and a peer that breaks the rules ends its own
 * connection.
 *
 * Method: datagrams are changed on their way (bits, lengths, copies,
 * order), strangers send noise, and a peer that passed the handshake puts
 * anything into its packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"
#include "tests/support/evil.h"
#include "tests/support/pair.h"

static struct pair p;
static uint64_t rng;

static uint64_t draw(void)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return rng >> 33;
}

/* ---- on the way ---- */

static struct {
	unsigned nth; /* which datagram of the handshake */
	size_t bit;   /* which bit of it; SIZE_MAX: none */
	size_t cut;   /* shortened to; SIZE_MAX: not */
	unsigned seen, hit;
} change;

static bool meddle(struct pair *pr, unsigned end, unsigned leg, uint8_t *data,
		   size_t *len)
{
	(void)pr;
	(void)end;
	(void)leg;
	if (change.seen++ != change.nth)
		return true;
	change.hit++;
	if (change.bit != SIZE_MAX)
		data[change.bit / 8 % *len] ^= (uint8_t)(1u << change.bit % 8);
	if (change.cut != SIZE_MAX && change.cut < *len)
		*len = change.cut;
	return true;
}

/* One changed datagram costs a retransmission, or the handshake; it never
 * makes an end take the other for somebody else. */
static bool survives(void)
{
	bool ok;

	change.seen = 0;
	pair_open(&p, NULL, NULL, 1);
	p.tamper = meddle;
	ok = pair_connect(&p, QUIC_SESSION, 0);
	if (p.end[0].ready_cnt)
		assert_memory_equal(quic_peer(p.end[0].conn), p.end[1].node,
				    32);
	if (p.end[1].ready_cnt)
		assert_memory_equal(quic_peer(p.end[1].conn), p.end[0].node,
				    32);
	pair_close(&p);
	return ok;
}

static void flipped_bits(void **state)
{
	unsigned ok = 0, all = 0;

	(void)state;
	change.cut = SIZE_MAX;
	change.hit = 0;
	for (change.nth = 0; change.nth < 5; change.nth++) {
		/* every bit of the header, then some */
		for (size_t bit = 0; bit < 1200 * 8; all++) {
			change.bit = bit;
			ok += survives();
			bit += bit < 48 * 8 ? 3 : 251;
		}
	}
	assert_true(change.hit > 700);
	/* Protected bits cost a retransmission.  A few of the first flight's
	 * clear ones (version, lengths, ids) can make it another's packet. */
	assert_true(ok > all * 95 / 100);
}

static void traffic(unsigned seed);

static bool change_tag(struct pair *pr, unsigned end, unsigned leg,
		       uint8_t *data, size_t *len)
{
	(void)pr;
	(void)leg;
	if (end == 1) {
		data[*len - 1] ^= 1;
		change.hit++;
	}
	return true;
}

/* ngtcp2 passes over them in silence, and so would our counters. */
static void what_does_not_open_is_told(void **state)
{
	const uint64_t *refused = p.end[1].refused;
	uint64_t good;

	(void)state;
	pair_open(&p, NULL, NULL, 1);
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, VX6_SEC);
	/* a handshake may have packets of keys that are gone */
	memset(p.end[1].refused, 0, sizeof(p.end[1].refused));
	change.hit = 0;
	p.tamper = change_tag;
	traffic(1);
	assert_true(change.hit > 10);
	assert_int_equal(refused[VX6_BAD_TAG], change.hit);
	assert_int_equal(refused[VX6_OK], 0);
	p.tamper = NULL;
	traffic(1);
	good = refused[VX6_OK];
	assert_true(good > 10);
	assert_int_equal(refused[VX6_BAD_TAG], change.hit);
	pair_close(&p);
}

static void cut_datagrams(void **state)
{
	unsigned ok = 0, all = 0;

	(void)state;
	change.bit = SIZE_MAX;
	change.hit = 0;
	for (change.nth = 0; change.nth < 5; change.nth++) {
		for (size_t cut = 0; cut < 1200; all++) {
			change.cut = cut;
			ok += survives();
			cut += cut < 60 ? 1 : 41;
		}
	}
	assert_true(change.hit > 300);
	assert_int_equal(ok, all);
}

/* Everything twice, and some of it late. */
static struct late {
	uint8_t data[1500];
	size_t len;
	unsigned end, leg;
} late[32];
static unsigned late_cnt;

static bool keep_copies(struct pair *pr, unsigned end, unsigned leg,
			uint8_t *data, size_t *len)
{
	struct quic_path path;
	uint8_t copy[1500];

	if (draw() % 4 == 0 && late_cnt < VX6_COUNT(late)) {
		struct late *l = &late[late_cnt++];

		memcpy(l->data, data, *len);
		l->len = *len;
		l->end = end;
		l->leg = leg;
		return draw() % 2;
	}
	memcpy(copy, data, *len);
	pipes_path(&path, end, leg);
	quic_read(pr->end[end].ep, &path, 0, copy, *len, pr->now_ns);
	if (late_cnt > 0 && draw() % 3 == 0) {
		struct late *l = &late[--late_cnt];

		pipes_path(&path, l->end, l->leg);
		quic_read(pr->end[l->end].ep, &path, 0, l->data, l->len,
			  pr->now_ns);
	}
	return true;
}

static uint64_t got, bad;

static void on_data(void *ctx, struct quic_conn *c, int64_t id,
		    const uint8_t *data, size_t len, bool fin)
{
	(void)ctx;
	(void)fin;
	bad += !pair_same(1, got, data, len);
	got += len;
	quic_stream_consumed(c, id, len);
}

static uint8_t content[300000];

static int64_t send_content(void)
{
	int64_t id;

	pair_fill(1, 0, content, sizeof(content));
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	assert_int_equal(quic_stream_send(p.end[0].conn, id, content,
					  sizeof(content), true),
			 sizeof(content));
	return id;
}

static void copies_and_disorder(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 5; seed++) {
		rng = seed;
		got = bad = 0;
		late_cnt = 0;
		pair_open(&p, NULL, NULL, seed);
		p.tamper = keep_copies;
		p.end[1].hooks.stream_data = on_data;
		assert_true(pair_connect(&p, QUIC_SESSION, 0));
		send_content();
		pair_run(&p, 60 * VX6_SEC);
		assert_int_equal(got, sizeof(content));
		assert_int_equal(bad, 0);
		pair_close(&p);
	}
}

/* ---- strangers ---- */

static void noise(void **state)
{
	struct quic_path path;
	uint8_t d[1500];

	(void)state;
	pair_open(&p, NULL, NULL, 1);
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, VX6_SEC);
	rng = 99;
	uint64_t sent = p.net.sent;
	for (unsigned i = 0; i < 30000; i++) {
		unsigned end = i & 1;
		size_t len = draw() % sizeof(d);

		for (size_t k = 0; k < len; k++)
			d[k] = (uint8_t)draw();
		if (len > 8 && draw() % 2) { /* nearly an Initial */
			d[0] = 0xc0 | (d[0] & 0x3f);
			memcpy(d + 1, "\0\0\0\1\x08", 5);
		}
		pipes_path(&path, end, (unsigned)(draw() % 3));
		enum vx6_status st = quic_read(p.end[end].ep, &path, 0, d, len,
					       p.now_ns);
		assert_true(vx6_status_owed(st) != VX6_OWE_BOOT);
		quic_flush(p.end[end].ep, p.now_ns);
		p.now_ns += 10 * VX6_US;
	}
	/* 0.3 s, 64 answers a second and a burst of 64 for each end; and what
	 * half-open connections have to say */
	assert_true(p.net.sent - sent < 2 * (64 + 20) + 600);
	assert_true(quic_is_ready(p.end[0].conn));
	assert_true(quic_is_ready(p.end[1].conn));
	assert_false(p.end[1].why.was_ready);
	got = bad = 0;
	p.end[1].hooks.stream_data = on_data;
	pair_run(&p, VX6_SEC);
	send_content();
	pair_run(&p, 10 * VX6_SEC);
	assert_int_equal(got, sizeof(content));
	pair_close(&p);
}

/* A stateless reset is shorter than what it answers, and nothing answers
 * a reset. */
static size_t reset_len;

static bool watch_send(void *ctx, struct quic_conn *c,
		       const struct quic_path *path, const uint8_t *data,
		       size_t len, size_t segment, unsigned ecn)
{
	(void)ctx;
	(void)path;
	(void)data;
	(void)segment;
	(void)ecn;
	if (!c)
		reset_len = len;
	return false;
}

static void resets_do_not_loop(void **state)
{
	struct quic_path path;
	uint8_t d[1500];

	(void)state;
	pair_open(&p, NULL, NULL, 1);
	p.end[1].hooks.send = watch_send;
	pipes_path(&path, 1, 0);
	for (size_t len = 0; len < 100; len++) {
		memset(d, 0x5a, sizeof(d));
		reset_len = 0;
		p.now_ns += VX6_SEC;
		assert_int_not_equal(
			quic_read(p.end[1].ep, &path, 0, d, len, p.now_ns),
			VX6_OK);
		if (len <= 21)
			assert_int_equal(reset_len, 0);
		else
			assert_in_range(reset_len, 21, len - 1);
	}
	pair_close(&p);
}

/* ---- peers that passed the handshake ---- */

static void plain(void *ctx, uint8_t *text, size_t len, bool app)
{
	(void)ctx;
	(void)text;
	(void)len;
	(void)app;
}

static bool evil_connect(evil_mangle mangle, void *ctx)
{
	uint64_t until = p.now_ns + 5 * VX6_SEC;

	evil_dial(&p, QUIC_SESSION, mangle, ctx);
	do {
		if (p.end[0].ready_cnt && p.end[1].ready_cnt)
			return true;
	} while (pair_step(&p, until));
	return false;
}

/* The machinery itself: unchanged packets make a good connection. */
static void an_evil_peer_that_behaves(void **state)
{
	(void)state;
	pair_open(&p, NULL, NULL, 1);
	got = bad = 0;
	p.end[1].hooks.stream_data = on_data;
	assert_true(evil_connect(plain, NULL));
	send_content();
	pair_run(&p, 10 * VX6_SEC);
	assert_int_equal(got, sizeof(content));
	pair_close(&p);
	pair_open(&p, NULL, NULL, 1);
	evil_serve(&p, plain, NULL);
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_close(&p);
}

static struct {
	bool on;
	uint8_t seq;
	unsigned leg, sent;
} hoard;

/* PATH changes with every packet, a fresh id in each, no ACK ever. */
static void hoarding(void *ctx, uint8_t *text, size_t len, bool app)
{
	(void)ctx;
	if (!app || !hoard.on)
		return;
	if (len < 40) {
		evil_no_acks(text, len);
		return;
	}
	memset(text, 0, len);
	text[28] = 0x01; /* PING: not only a probe */
	if (hoard.sent++ < 4)
		return; /* first room among the eight is made */
	text[0] = 0x18; /* NEW_CONNECTION_ID */
	text[1] = hoard.seq++;
	text[3] = 8;
	for (unsigned i = 4; i < 28; i++)
		text[i] = (uint8_t)draw();
}

static bool from_elsewhere(struct pair *pr, unsigned end, unsigned leg,
			   uint8_t *data, size_t *len)
{
	struct quic_path path;

	if (end != 1 || !hoard.on)
		return true;
	pipes_path(&path, 1, 10 + ++hoard.leg % 400);
	(void)leg;
	quic_read(pr->end[1].ep, &path, 0, data, *len, pr->now_ns);
	return false;
}

/* Would end the process of any ngtcp2 1.11 server (see frames.h). */
static void a_hoarder_of_ids(void **state)
{
	(void)state;
	pair_open(&p, NULL, NULL, 1);
	memset(&hoard, 0, sizeof(hoard));
	rng = 5;
	assert_true(evil_connect(hoarding, NULL));
	pair_run(&p, 500 * VX6_MS);
	p.tamper = from_elsewhere;
	hoard.on = true;
	hoard.seq = 8;
	int64_t id;
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	for (unsigned i = 0; i < 60 && p.end[1].closed_cnt == 0; i++) {
		uint8_t some[100] = { 0 };

		quic_stream_send(p.end[0].conn, id, some, sizeof(some), false);
		quic_flush(p.end[0].ep, p.now_ns);
		pair_run(&p, 60 * VX6_MS);
	}
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_ERROR);
	assert_int_equal(p.end[1].why.code, NGTCP2_CONNECTION_ID_LIMIT_ERROR);
	assert_in_range(hoard.sent, 6, 20);
	pair_close(&p);
}

static void scribble(void *ctx, uint8_t *text, size_t len, bool app)
{
	static const uint8_t type[] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
					0x06, 0x07, 0x08, 0x0a, 0x0f, 0x10,
					0x11, 0x12, 0x14, 0x15, 0x16, 0x18,
					0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e,
					0x30, 0x31, 0x40, 0xff };
	unsigned *every = ctx;

	if (!app || draw() % *every != 0)
		return;
	switch (draw() % 3) {
	case 0: /* a few bytes */
		for (unsigned i = 0; i < 3; i++)
			text[draw() % len] = (uint8_t)draw();
		break;
	case 1: /* a frame in front, small numbers behind */
		text[0] = type[draw() % VX6_COUNT(type)];
		for (size_t i = 1; i < len && i < 12; i++)
			text[i] = (uint8_t)(draw() % 10);
		break;
	default: /* several such */
		for (size_t i = 0; i < len; i++)
			text[i] = draw() % 3 ? (uint8_t)(draw() % 6)
					     : type[draw() % VX6_COUNT(type)];
		break;
	}
}

static void traffic(unsigned seed)
{
	uint8_t some[3000];
	int64_t id;

	memset(some, 1, sizeof(some));
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned e = 0; e < 2; e++) {
			struct quic_conn *c = p.end[e].conn;

			if (!c || !quic_is_ready(c))
				continue;
			if (quic_stream_new(c, &id) == VX6_OK)
				quic_stream_send(c, id, some, sizeof(some),
						 i & 1);
			if ((i + seed) % 7 == 0)
				quic_stream_reset(c, id, i);
			(void)!quic_datagram_send(c, some, 50);
			quic_flush(p.end[e].ep, p.now_ns);
		}
		pair_run(&p, 40 * VX6_MS);
	}
}

static void any_frames(bool server)
{
	unsigned closed = 0;

	for (unsigned seed = 1; seed <= 120; seed++) {
		unsigned every = 1 + seed % 12;
		unsigned victim = server ? 0 : 1;

		rng = seed;
		pair_open(&p, NULL, NULL, seed);
		if (server) {
			evil_serve(&p, scribble, &every);
			pair_connect(&p, QUIC_SESSION, 0);
		} else {
			evil_connect(scribble, &every);
		}
		traffic(seed);
		pair_run(&p, 40 * VX6_SEC);
		closed += p.end[victim].closed_cnt > 0;
		assert_true(p.end[victim].closed_cnt <= 1);
		pair_close(&p);
	}
	assert_true(closed > 60);
}

static void any_frames_of_a_client(void **state)
{
	(void)state;
	any_frames(false);
}

static void any_frames_of_a_server(void **state)
{
	(void)state;
	any_frames(true);
}

/* TLS's own KeyUpdate, which QUIC forbids; it would install keys twice. */
static void tls_key_update(void **state)
{
	static const uint8_t update[] = { 24, 0, 0, 1, 0 };

	(void)state;
	for (unsigned from = 0; from < 2; from++) {
		pair_open(&p, NULL, NULL, 1);
		assert_true(pair_connect(&p, QUIC_SESSION, 0));
		struct quic_conn *c = p.end[from].conn;
		assert_int_equal(ngtcp2_conn_submit_crypto_data(
					 c->q, NGTCP2_ENCRYPTION_LEVEL_1RTT,
					 update, sizeof(update)),
				 0);
		quic_mark_dirty(c);
		quic_flush(p.end[from].ep, p.now_ns);
		pair_run(&p, VX6_SEC);
		assert_int_equal(p.end[1 - from].closed_cnt, 1);
		assert_int_equal(p.end[1 - from].why.kind, QUIC_CLOSE_REFUSED);
		pair_close(&p);
	}
}

/* A message that claims to be long is refused by its header. */
static void a_long_handshake_message(void **state)
{
	static const uint8_t header[] = { 1, 0x0f, 0xff, 0xff, 3, 3 };

	(void)state;
	pair_open(&p, NULL, NULL, 1);
	struct quic_conn *c = pair_dial(&p, QUIC_SESSION, true, 0);
	assert_int_equal(ngtcp2_conn_submit_crypto_data(
				 c->q, NGTCP2_ENCRYPTION_LEVEL_INITIAL, header,
				 sizeof(header)),
			 0);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_REFUSED);
	assert_int_equal(p.end[1].ready_cnt, 0);
	pair_close(&p);
}

/* Initial packets without end from one who never finishes a message. */
static uint64_t flooded;

static void flood(void *ctx, uint8_t *text, size_t len, bool app)
{
	(void)ctx;
	(void)app;
	/* turn the ClientHello's CRYPTO frame into one of type 4 messages
	 * (NewSessionTicket) that nobody asked for */
	if (len > 100 && text[0] == 0x06)
		text[4] = 4;
	flooded++;
}

static void an_unexpected_message(void **state)
{
	(void)state;
	pair_open(&p, NULL, NULL, 1);
	flooded = 0;
	assert_false(evil_connect(flood, NULL));
	assert_true(flooded > 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[1].closed_cnt, 1);
	pair_close(&p);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(flipped_bits),
		cmocka_unit_test(what_does_not_open_is_told),
		cmocka_unit_test(cut_datagrams),
		cmocka_unit_test(copies_and_disorder),
		cmocka_unit_test(noise),
		cmocka_unit_test(resets_do_not_loop),
		cmocka_unit_test(an_evil_peer_that_behaves),
		cmocka_unit_test(a_hoarder_of_ids),
		cmocka_unit_test(any_frames_of_a_client),
		cmocka_unit_test(any_frames_of_a_server),
		cmocka_unit_test(tls_key_update),
		cmocka_unit_test(a_long_handshake_message),
		cmocka_unit_test(an_unexpected_message),
	};

	return cmocka_run_group_tests_name("quic_hostile", test, NULL, NULL);
}
