/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: two ends that ask, answer, move and die, over a network in memory.
 *
 * Method: two struct vx6_link, a queue of datagrams with delay, loss, a
 * largest size and NAT, and virtual time, so that a day takes no longer
 * than its probes.  A third party reads and forwards what it likes and
 * knows no key.  Probes of a hostile peer are built here a second time,
 * from PROTOCOL.md section 6 with libsodium's own calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/link.h"

#define QUEUE 64u
#define START (1000 * VX6_SEC) /* the hosts' uptime when the link is made */

enum { ASK = 1, ANSWER, CHALLENGE, RESPONSE };

struct packet {
	uint64_t at;
	struct vx6_addr from, to;
	uint16_t len;
	uint8_t data[VX6_CELL_MAX];
};

struct end {
	struct vx6_link link;
	struct vx6_link_keys keys;
	struct vx6_addr inside; /* where the link lives, as the net sees it */
	unsigned up, down, moved, size;
	unsigned sent, received, refused[VX6_STATUS_CNT];
	uint64_t last_event;
};

struct net {
	struct end a, b;
	struct vx6_rand rnd;
	uint64_t now, delay;
	unsigned loss_percent, largest;
	bool cut;   /* nothing passes */
	bool twice; /* everything comes twice */
	bool (*tap)(struct net *n, struct packet *p); /* false: swallow */
	struct packet queue[QUEUE], kept;
	unsigned queued, taps;
};

static struct net net;

static struct vx6_addr addr_of(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static struct vx6_link_setup setup_of(bool opener)
{
	struct vx6_link_setup s = { .index = opener ? 0xa1u : 0xb2u,
				    .peer_index = opener ? 0xb2u : 0xa1u,
				    .u = 1452 };
	uint8_t prk[32];

	memset(prk, 7, sizeof(prk));
	vx6_link_derive(&s.keys, prk, opener);
	s.peer = addr_of(opener ? "192.0.2.2:4243" : "[2001:db8::1]:4243");
	return s;
}

static void end_init(struct end *e, bool opener, const struct vx6_link_setup *s)
{
	memset(e, 0, sizeof(*e));
	e->keys = s->keys;
	e->inside = addr_of(opener ? "[2001:db8::1]:4243" : "192.0.2.2:4243");
	assert_int_equal(vx6_link_init(&e->link, s, net.now), VX6_OK);
}

static void net_init(const struct vx6_link_setup *a,
		     const struct vx6_link_setup *b)
{
	uint8_t seed[32] = { 1 };

	memset(&net, 0, sizeof(net));
	vx6_rand_seed(&net.rnd, seed);
	net.now = START;
	net.delay = 10 * VX6_MS;
	net.largest = VX6_CELL_MAX;
	end_init(&net.a, true, a);
	end_init(&net.b, false, b);
}

static void net_plain(void)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);

	net_init(&a, &b);
}

static void put(const struct packet *p)
{
	assert_true(net.queued < QUEUE);
	net.queue[net.queued++] = *p;
}

static void sent(struct end *e, const struct vx6_link_out *out)
{
	if (out->events != 0)
		e->last_event = net.now;
	e->up += (out->events & VX6_LINK_EV_UP) != 0;
	e->down += (out->events & VX6_LINK_EV_DOWN) != 0;
	e->moved += (out->events & VX6_LINK_EV_MOVED) != 0;
	e->size += (out->events & VX6_LINK_EV_SIZE) != 0;
	assert_true(out->n <= 2);
	for (unsigned i = 0; i < out->n; i++) {
		struct packet p = { .at = net.now + net.delay,
				    .from = e->inside,
				    .to = out->pkt[i].to,
				    .len = out->pkt[i].len };

		assert_in_range(p.len, VX6_PROBE_MIN, VX6_CELL_MAX);
		e->sent++;
		memcpy(p.data, out->pkt[i].data, p.len);
		if (net.cut || p.len > net.largest ||
		    vx6_rand_below(&net.rnd, 100) < net.loss_percent)
			continue;
		if (net.tap != NULL && !net.tap(&net, &p))
			continue;
		put(&p);
		if (net.twice)
			put(&p);
	}
}

/* What arrives, arrives at a socket: header first, as a worker does it. */
static enum vx6_status arrive(struct end *e, const struct packet *p,
			      struct vx6_link_out *out)
{
	uint8_t buf[VX6_CELL_MAX];
	enum vx6_status st;
	uint32_t index;

	memcpy(buf, p->data, p->len);
	out->n = 0;
	out->events = 0;
	st = vx6_cell_link(buf, p->len, &index);
	if (st != VX6_OK)
		return st;
	if (index != e->link.index)
		return VX6_NO_LINK;
	vx6_cell_unprotect(&e->link.hp_rx, buf);
	return vx6_link_probe(&e->link, buf, p->len, &p->from, net.now,
			      &net.rnd, out);
}

static enum vx6_status deliver(struct end *e, const struct packet *p)
{
	struct vx6_link_out out;
	enum vx6_status st = arrive(e, p, &out);

	e->received++;
	e->refused[st]++;
	sent(e, &out);
	return st;
}

static void step_queue(void)
{
	for (unsigned i = 0; i < net.queued; i++) {
		struct packet p = net.queue[i];
		struct end *e = vx6_addr_eq(&p.to, &net.a.inside)   ? &net.a
				: vx6_addr_eq(&p.to, &net.b.inside) ? &net.b
								    : NULL;

		if (p.at > net.now)
			continue;
		net.queued--;
		memmove(&net.queue[i], &net.queue[i + 1],
			(net.queued - i) * sizeof(p));
		if (e != NULL)
			deliver(e, &p);
		i = UINT32_MAX; /* the queue has changed: from the start */
	}
}

static void tick(struct end *e)
{
	struct vx6_link_out out;

	vx6_link_tick(&e->link, net.now, &net.rnd, &out);
	sent(e, &out);
}

static uint64_t next_event(void)
{
	uint64_t at = vx6_link_due(&net.a.link);
	uint64_t b = vx6_link_due(&net.b.link);

	at = b < at ? b : at;
	for (unsigned i = 0; i < net.queued; i++)
		if (net.queue[i].at < at)
			at = net.queue[i].at;
	return at;
}

/* Runs the world for `ns` more, from event to event. */
static void run(uint64_t ns)
{
	uint64_t end = net.now + ns, spins = 0;

	for (;;) {
		uint64_t at = next_event();

		if (at > end)
			break;
		/* a link that asks to be called and does nothing hangs us */
		spins = at <= net.now ? spins + 1 : 0;
		assert_true(spins < 100);
		net.now = at > net.now ? at : net.now;
		step_queue();
		if (net.now >= vx6_link_due(&net.a.link))
			tick(&net.a);
		if (net.now >= vx6_link_due(&net.b.link))
			tick(&net.b);
	}
	net.now = end;
}

/* ---- a second reading of section 6, with libsodium's own calls ---- */

static void forge_raw(struct packet *p, const struct end *to, uint64_t ctr,
		      const uint8_t *text, size_t text_len, unsigned kind)
{
	uint8_t nonce[12] = { 0 };
	struct vx6_aes hp;
	size_t len = text_len + 16;

	memset(p, 0, sizeof(*p));
	p->len = (uint16_t)(16 + len);
	p->from = to->link.addr;
	p->data[0] = 1;
	vx6_put24(p->data + 1, to->link.index);
	vx6_put48(p->data + 8, ctr);
	vx6_put16(p->data + 14, (uint16_t)(kind << 12 | len));
	vx6_put48(nonce + 6, ctr);
	crypto_aead_chacha20poly1305_ietf_encrypt(
		p->data + 16, NULL, text, text_len, p->data + 8, 8, NULL, nonce,
		to->keys.probe_rx);
	vx6_aes_init(&hp, to->keys.hdr_rx, 16);
	vx6_aes_encrypt(&hp, p->data + 4, p->data + 4);
}

struct text {
	uint8_t op, zero;
	uint16_t u;
	uint64_t token, clock;
	struct vx6_addr seen;
};

static size_t text_put(uint8_t *out, const struct text *t)
{
	out[0] = t->op;
	out[1] = t->zero;
	vx6_put16(out + 2, t->u);
	vx6_put64(out + 4, t->token);
	vx6_put64(out + 12, t->clock);
	memcpy(out + 20, t->seen.ip, 16);
	vx6_put16(out + 36, t->seen.port);
	return 38;
}

static void forge(struct packet *p, const struct end *to, uint64_t ctr,
		  uint8_t op, uint64_t token)
{
	struct text t = { .op = op, .u = 1452, .token = token };
	uint8_t text[38];

	forge_raw(p, to, ctr, text, text_put(text, &t), 4);
}

static void reveal(const struct end *from, const struct packet *p,
		   struct text *t, uint64_t *ctr)
{
	uint8_t buf[VX6_CELL_MAX], text[VX6_CELL_MAX], nonce[12] = { 0 };
	unsigned long long len;
	struct vx6_aes hp;

	memcpy(buf, p->data, p->len);
	vx6_aes_init(&hp, from->keys.hdr_tx, 16);
	vx6_aes_decrypt(&hp, buf + 4, buf + 4);
	assert_int_equal(buf[0], 1);
	assert_int_equal(vx6_get24(buf + 1), from->link.peer_index);
	assert_int_equal(vx6_get32(buf + 4), 0);
	assert_int_equal(buf[14] >> 4, 4);
	assert_int_equal(vx6_get16(buf + 14) & 0xfff, p->len - 16);
	*ctr = vx6_get48(buf + 8);
	memcpy(nonce + 6, buf + 8, 6);
	assert_int_equal(crypto_aead_chacha20poly1305_ietf_decrypt(
				 text, &len, NULL, buf + 16, p->len - 16u,
				 buf + 8, 8, nonce, from->keys.probe_tx),
			 0);
	*t = (struct text){ .op = text[0],
			    .zero = text[1],
			    .u = vx6_get16(text + 2),
			    .token = vx6_get64(text + 4),
			    .clock = vx6_get64(text + 12),
			    .seen.port = vx6_get16(text + 36) };
	memcpy(t->seen.ip, text + 20, 16);
	for (size_t i = 38; i < len; i++)
		assert_int_equal(text[i], 0);
}

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
		struct vx6_link_setup s = setup_of(true);

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
	net_plain();
	run(20 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.up, 1);
	assert_int_equal(net.a.link.srtt_ns, 20 * VX6_MS);
	assert_int_equal(net.a.link.min_rtt_ns, 20 * VX6_MS);
	assert_int_equal(net.a.link.u_proved, 1452);
	assert_int_equal(net.a.link.u_peer, 1452);
	assert_int_equal(vx6_link_usable(&net.a.link), 1452);
	assert_true(vx6_addr_eq(&net.a.link.observed, &net.a.inside));
	assert_true(vx6_addr_eq(&net.b.link.observed, &net.b.inside));
	assert_int_equal(vx6_link_from(&net.a.link, &net.b.inside), VX6_OK);
	assert_int_equal(vx6_link_from(&net.a.link, &net.a.inside),
			 VX6_BAD_SOURCE);
}

/* The peer asks while we wait for our lost ask's time to pass. */
static void a_peers_ask_wakes_a_new_link(void **state)
{
	(void)state;
	net_plain();
	net.cut = true;
	tick(&net.a);
	tick(&net.b);
	net.cut = false;
	run(500 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_NEW);
	struct packet p;
	forge(&p, &net.a, 40, ASK, 99);
	assert_int_equal(deliver(&net.a, &p), VX6_OK);
	run(20 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
}

static void learns_from_the_first_ask_and_nothing_else(void **state)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);
	struct vx6_addr none = { 0 };
	struct vx6_link_out out;
	struct packet p;

	(void)state;
	b.peer = none;
	a.behind_nat = true;
	net_init(&a, &b);
	assert_int_equal(vx6_link_due(&net.b.link), VX6_NEVER);
	vx6_link_tick(&net.b.link, net.now + 3600 * VX6_SEC, &net.rnd, &out);
	assert_int_equal(out.n + out.events, 0);
	for (uint8_t op = ANSWER; op <= RESPONSE; op++) {
		forge(&p, &net.b, op, op, 1);
		p.from = addr_of("203.0.113.9:9");
		assert_int_equal(arrive(&net.b, &p, &out), VX6_BAD_SOURCE);
		assert_int_equal(out.n, 0);
		assert_true(vx6_addr_is_none(&net.b.link.addr));
	}
	net.a.link.probe_ctr = 5;
	run(40 * VX6_MS);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_true(vx6_addr_eq(&net.b.link.addr, &net.a.inside));
	assert_int_equal(net.b.moved, 0);
}

/* ---- pace ---- */

static void quiet_links_ask_every_15_s(void **state)
{
	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	uint64_t asks = net.a.link.asks;
	run(150 * VX6_SEC);
	/* 10 of their own and one with each minute's test */
	assert_in_range(net.a.link.asks - asks, 9, 13);
	assert_int_equal(net.a.link.asks, net.a.link.answers);
	assert_int_equal(net.a.down, 0);
}

static void unanswered_cells_make_it_ask_each_second(void **state)
{
	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	uint64_t asks = net.a.link.asks;
	for (unsigned i = 0; i < 100; i++) {
		net.a.link.cell_tx_ns = net.now;
		run(100 * VX6_MS);
	}
	assert_in_range(net.a.link.asks - asks, 9, 11);
	/* and no more once cells come back */
	asks = net.a.link.asks;
	for (unsigned i = 0; i < 100; i++) {
		net.a.link.cell_tx_ns = net.now;
		net.a.link.cell_rx_ns = net.now - 1;
		run(100 * VX6_MS);
	}
	assert_in_range(net.a.link.asks - asks, 0, 1);
}

static void behind_nat_asks_within_20_s(void **state)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);

	(void)state;
	a.behind_nat = true;
	a.ask_ns = b.ask_ns = 1800 * VX6_SEC;
	net_init(&a, &b);
	run(1 * VX6_SEC);
	net.a.link.test_ns = net.b.link.test_ns = VX6_NEVER;
	uint64_t asks_a = net.a.link.asks, asks_b = net.b.link.asks;
	run(200 * VX6_SEC);
	assert_in_range(net.a.link.asks - asks_a, 10, 11);
	assert_int_equal(net.b.link.asks, asks_b);
}

static void asks_are_within_10_ms_and_an_hour(void **state)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);

	(void)state;
	a.ask_ns = 1;
	a.ask_busy_ns = UINT64_MAX;
	b.ask_ns = UINT64_MAX;
	b.ask_busy_ns = 1;
	net_init(&a, &b);
	run(20 * VX6_SEC);
	assert_true(net.a.link.asks <= 2000);
	assert_int_equal(net.b.link.ask_ns, 3600 * VX6_SEC);
	assert_int_equal(net.a.link.ask_busy_ns, 3600 * VX6_SEC);
}

/* ---- dying ---- */

static void dies_after_the_third_unanswered_ask(void **state)
{
	(void)state;
	net_plain();
	run(16 * VX6_SEC);
	net.cut = true;
	net.a.link.cell_tx_ns = net.now;
	uint64_t from = net.now;
	tick(&net.a); /* the first of three */
	run(2999 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	run(1 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_DOWN);
	assert_int_equal(net.a.down, 1);
	assert_int_equal(net.a.last_event, from + 3 * VX6_SEC);
	/* a dead link keeps asking, ever less often */
	uint64_t asks = net.a.link.asks;
	run(300 * VX6_SEC);
	assert_in_range(net.a.link.asks - asks, 20, 26);
	assert_int_equal(net.a.down, 1);
	/* and lives again with the first answer */
	net.cut = false;
	run(16 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.up, 2);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
}

static void repeats_wait_four_round_trips(void **state)
{
	(void)state;
	net_plain();
	net.delay = 300 * VX6_MS;
	run(16 * VX6_SEC);
	assert_int_equal(net.a.link.srtt_ns, 600 * VX6_MS);
	net.cut = true;
	net.a.link.cell_tx_ns = net.now;
	tick(&net.a);
	run(7199 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	run(1 * VX6_MS);
	assert_int_equal(net.a.link.state, VX6_LINK_DOWN);
}

/* A satellite hop at first contact: no RTT is known, answers come after
 * their ask was repeated, and count. */
static void a_late_answer_still_counts(void **state)
{
	(void)state;
	net_plain();
	net.delay = 1300 * VX6_MS;
	run(60 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.down, 0);
	assert_int_equal(net.a.link.srtt_ns, 2600 * VX6_MS);
	assert_int_equal(net.a.link.u_proved, 1452);
}

/* A stalled owner ticks hours late: that is one missed ask, not three. */
static void one_late_tick_is_one_miss(void **state)
{
	struct vx6_link_out out;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	net.now += 3600 * VX6_SEC;
	for (unsigned i = 0; i < 3; i++)
		vx6_link_tick(&net.a.link, net.now, &net.rnd, &out);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.link.unanswered, 0);
	net.now += 3600 * VX6_SEC;
	for (unsigned i = 0; i < 3; i++)
		vx6_link_tick(&net.a.link, net.now, &net.rnd, &out);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.link.unanswered, 1);
}

static void loss_alone_kills_nothing(void **state)
{
	(void)state;
	net_plain();
	net.loss_percent = 5;
	run(6 * 3600 * VX6_SEC);
	/* at 10 % a round trip three in a row are lost in 1,000 asks */
	assert_in_range(net.a.down, 0, 8);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.link.u_proved, 1452);
	uint64_t lost = net.a.link.asks - net.a.link.answers;
	assert_in_range(lost * 1000 / net.a.link.asks, 70, 130);
}

/* ---- moving ---- */

static void a_rebound_nat_is_followed(void **state)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);
	struct vx6_addr old, fresh = addr_of("[2001:db8::1]:60001");

	(void)state;
	b.peer = (struct vx6_addr){ 0 };
	a.behind_nat = true;
	net_init(&a, &b);
	run(5 * VX6_SEC);
	old = net.a.inside;
	net.a.inside = fresh;
	/* nothing has come from there yet: cells are refused */
	assert_int_equal(vx6_link_from(&net.b.link, &fresh), VX6_BAD_SOURCE);
	run(20 * VX6_SEC);
	assert_int_equal(net.b.moved, 1);
	assert_int_equal(net.a.moved, 0);
	assert_int_equal(vx6_link_from(&net.b.link, &fresh), VX6_OK);
	assert_int_equal(vx6_link_from(&net.b.link, &old), VX6_BAD_SOURCE);
	assert_true(vx6_addr_eq(&net.a.link.observed, &fresh));
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
	assert_int_equal(net.b.link.u_proved, 1452);
	assert_int_equal(net.a.down + net.b.down, 0);
}

static void a_dead_link_can_move_too(void **state)
{
	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	net.cut = true;
	run(60 * VX6_SEC);
	assert_int_equal(net.b.link.state, VX6_LINK_DOWN);
	net.a.inside = addr_of("198.51.100.77:7777");
	net.cut = false;
	run(20 * VX6_SEC);
	assert_int_equal(net.b.moved, 1);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
}

/* Someone on the path delivers each of a's probes first, from his own
 * address, and swallows all that is sent to him. */
static bool mallory(struct net *n, struct packet *p)
{
	struct vx6_addr his = addr_of("203.0.113.66:666");

	if (vx6_addr_eq(&p->to, &his)) {
		n->taps++;
		n->kept = *p;
		return false;
	}
	if (vx6_addr_eq(&p->to, &n->b.inside)) {
		struct packet copy = *p;

		copy.from = his;
		copy.at = p->at - 1;
		put(&copy);
	}
	return true;
}

static void a_spoofed_source_moves_nothing(void **state)
{
	struct vx6_addr honest;
	uint64_t from;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	honest = net.a.inside;
	net.tap = mallory;
	net.a.link.ask_ns = 100 * VX6_MS; /* many probes to steal */
	from = net.now;
	run(10 * VX6_SEC);
	assert_int_equal(net.b.moved, 0);
	assert_true(vx6_addr_eq(&net.b.link.addr, &honest));
	/* he was challenged, once a second and no more, in 70 bytes */
	assert_in_range(net.taps, 5, 10);
	assert_int_equal(net.kept.len, VX6_PROBE_MIN);
	assert_true(net.b.refused[VX6_RATE] > 20);
	assert_true(net.b.refused[VX6_REPLAYED] > 20);
	assert_true(net.now > from);
	/* when he tires of it the link is as it was */
	net.tap = NULL;
	net.a.link.ask_ns = 15 * VX6_SEC;
	run(60 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.b.link.state, VX6_LINK_UP);
	assert_int_equal(net.b.moved, 0);
}

/* b challenges an address; who answers for it, and how, decides. */
static void challenge_from(const char *where, struct text *challenge)
{
	struct vx6_link_out out;
	struct packet p = { 0 };
	uint64_t ctr;

	forge(&p, &net.b, net.b.link.probe_top, ASK, 4711);
	p.from = addr_of(where);
	assert_int_equal(arrive(&net.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
	assert_true(vx6_addr_eq(&out.pkt[0].to, &p.from));
	assert_true(out.pkt[0].len <= p.len);
	p.len = out.pkt[0].len;
	memcpy(p.data, out.pkt[0].data, p.len);
	reveal(&net.b, &p, challenge, &ctr);
	assert_int_equal(challenge->op, CHALLENGE);
}

static void respond_from(const char *where, uint64_t ctr, uint64_t token)
{
	struct vx6_link_out out;
	struct packet p;

	forge(&p, &net.b, ctr, RESPONSE, token);
	p.from = addr_of(where);
	(void)arrive(&net.b, &p, &out);
	sent(&net.b, &out);
}

static void only_the_right_response_moves(void **state)
{
	static const char there[] = "203.0.113.1:1000";
	struct text challenge;
	uint64_t top;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	net.cut = true;
	challenge_from(there, &challenge);
	assert_int_equal(net.b.moved, 0);
	top = net.b.link.probe_top;
	/* from another address */
	respond_from("203.0.113.1:1001", top++, challenge.token);
	assert_int_equal(net.b.moved, 0);
	/* with another token */
	respond_from(there, top++, challenge.token ^ 1);
	assert_int_equal(net.b.moved, 0);
	/* the true one */
	respond_from(there, top, challenge.token);
	assert_int_equal(net.b.moved, 1);
	assert_int_equal(net.b.size, 2); /* proved, and forgotten */
	assert_int_equal(vx6_link_usable(&net.b.link), VX6_LINK_U_BASE);
	/* it works once */
	net.now += 2 * VX6_SEC;
	respond_from("203.0.113.1:1001", top + 1, challenge.token);
	assert_int_equal(net.b.moved, 1);
}

/* A response that is kept back must not move the link when the peer has
 * since been heard from its old address. */
static void a_response_held_back_moves_nothing(void **state)
{
	static const char there[] = "203.0.113.1:1000";
	struct text challenge;
	struct packet p;
	uint64_t top;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	challenge_from(there, &challenge);
	top = net.b.link.probe_top;
	forge(&p, &net.b, top + 1, ASK, 5);
	assert_int_equal(deliver(&net.b, &p), VX6_OK);
	respond_from(there, top, challenge.token); /* older than the ask */
	assert_int_equal(net.b.moved, 0);
	respond_from(there, top + 2, challenge.token); /* withdrawn */
	assert_int_equal(net.b.moved, 0);
}

static void an_old_probe_from_elsewhere_is_not_heeded(void **state)
{
	struct vx6_link_out out;
	struct packet p;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	forge(&p, &net.b, 100, ASK, 1);
	assert_int_equal(deliver(&net.b, &p), VX6_OK);
	forge(&p, &net.b, 99, ASK, 1);
	p.from = addr_of("203.0.113.1:1");
	assert_int_equal(arrive(&net.b, &p, &out), VX6_BAD_SOURCE);
	assert_int_equal(out.n, 0);
	assert_true(vx6_addr_is_none(&net.b.link.candidate));
	/* late, but from where it should be: answered */
	forge(&p, &net.b, 98, ASK, 1);
	assert_int_equal(arrive(&net.b, &p, &out), VX6_OK);
	assert_int_equal(out.n, 1);
}

static void a_challenge_is_answered_where_it_came_from(void **state)
{
	static const char *const where[] = { "203.0.113.1:1", NULL };

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	for (unsigned i = 0; i < 2; i++) {
		struct vx6_link_out out;
		struct packet p;
		struct text t;
		uint64_t ctr;

		forge(&p, &net.b, 100 + i, CHALLENGE, 0xfeed);
		if (where[i] != NULL)
			p.from = addr_of(where[i]);
		assert_int_equal(arrive(&net.b, &p, &out), VX6_OK);
		assert_int_equal(out.n, 1);
		assert_true(out.pkt[0].len <= p.len);
		assert_true(vx6_addr_eq(&out.pkt[0].to, &p.from));
		p.len = out.pkt[0].len;
		memcpy(p.data, out.pkt[0].data, p.len);
		reveal(&net.b, &p, &t, &ctr);
		assert_int_equal(t.op, RESPONSE);
		assert_int_equal(t.token, 0xfeed);
		assert_true(vx6_addr_eq(&t.seen, &p.from));
	}
}

static void redirected_it_asks_there_at_once(void **state)
{
	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	net.b.inside = addr_of("198.51.100.2:4243");
	vx6_link_redirect(&net.a.link, &net.b.inside, net.now);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(vx6_link_due(&net.a.link), net.now);
	run(20 * VX6_MS);
	assert_int_equal(net.a.link.u_proved, 1452);
	assert_int_equal(net.a.link.srtt_ns, 20 * VX6_MS);
	assert_int_equal(net.a.up, 1);
}

/* ---- replays and forgeries ---- */

static void everything_twice_is_as_good_as_once(void **state)
{
	(void)state;
	net_plain();
	net.twice = true;
	run(600 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.received, 2 * net.b.sent);
	assert_int_equal(net.a.refused[VX6_REPLAYED], net.b.sent);
	assert_int_equal(net.a.link.asks, net.a.link.answers);
}

static void a_refused_probe_changes_nothing(void **state)
{
	static struct vx6_link before;
	struct vx6_link_out out;
	struct packet p, bad;

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	forge(&p, &net.b, 50, ASK, 1);
	before = net.b.link;
	/* any bit of it, or a byte more or less; the version and the link
	 * index are judged before a link is found */
	for (unsigned bit = 32; bit < p.len * 8u; bit++) {
		bad = p;
		bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(arrive(&net.b, &bad, &out), VX6_OK);
		assert_int_equal(out.n + out.events, 0);
		assert_memory_equal(&before, &net.b.link, sizeof(before));
	}
	for (uint16_t len = 0; len < VX6_CELL_MAX; len++) {
		bad = p;
		bad.len = len;
		if (len != p.len)
			assert_int_not_equal(arrive(&net.b, &bad, &out),
					     VX6_OK);
		assert_memory_equal(&before, &net.b.link, sizeof(before));
	}
	assert_int_equal(arrive(&net.b, &p, &out), VX6_OK);
	before = net.b.link;
	assert_int_equal(arrive(&net.b, &p, &out), VX6_REPLAYED);
	p.from = addr_of("203.0.113.1:1");
	assert_int_equal(arrive(&net.b, &p, &out), VX6_REPLAYED);
	p.from.port = 0;
	assert_int_equal(arrive(&net.b, &p, &out), VX6_BAD_SOURCE);
	assert_memory_equal(&before, &net.b.link, sizeof(before));
}

static void what_is_no_probe_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct text t;
		size_t len;
		int set; /* a byte of padding that is not zero */
		enum vx6_status want;
	} row[] = {
		{ "least",      { 1, 0, 70, 0, 0, { { 0 }, 0, 0 } }, 38, 0,   VX6_OK },
		{ "most",
                 { 1, 0, 1472, 0, 0, { { 0 }, 0, 0 } },
                 1440,						   0,
                 VX6_OK							      },
		{ "op 0",
                 { 0, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "op 5",
                 { 5, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "op 255",
                 { 255, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "zero",
                 { 1, 1, 1452, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "U 69",
                 { 1, 0, 69, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "U 1473",
                 { 1, 0, 1473, 0, 0, { { 0 }, 0, 0 } },
                 38,						     0,
                 VX6_MALFORMED						       },
		{ "short",
                 { 1, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 37,						     0,
                 VX6_MALFORMED						       },
		{ "empty",
                 { 1, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 0,						      0,
                 VX6_MALFORMED						       },
		{ "padded",
                 { 1, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 39,						     38,
                 VX6_MALFORMED						       },
		{ "end padded",
                 { 1, 0, 1452, 0, 0, { { 0 }, 0, 0 } },
                 900,						    899,
                 VX6_MALFORMED						       },
	};

	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct vx6_link_out out;
		struct packet p;
		uint8_t text[1440] = { 0 };

		text_put(text, &row[i].t);
		if (row[i].set != 0)
			text[row[i].set] = 1;
		forge_raw(&p, &net.b, 1000 + i, text, row[i].len, 4);
		if (arrive(&net.b, &p, &out) != row[i].want)
			fail_msg("%s", row[i].name);
		if (row[i].want != VX6_OK && out.n + out.events != 0)
			fail_msg("%s is answered", row[i].name);
	}
}

static void a_data_cell_is_no_probe(void **state)
{
	struct vx6_link_out out;
	struct packet p;
	uint8_t text[38] = { ASK, 0, 1, 0 };

	(void)state;
	net_plain();
	for (unsigned kind = 0; kind < 16; kind++) {
		forge_raw(&p, &net.b, 7, text, sizeof(text), kind);
		assert_int_equal(arrive(&net.b, &p, &out),
				 kind == 4 ? VX6_OK : VX6_BAD_KIND);
	}
}

/* ---- the size of the path ---- */

static void a_narrow_path_is_measured_not_dead(void **state)
{
	(void)state;
	net_plain();
	net.largest = 1380;
	run(60 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.down + net.b.down, 0);
	assert_int_equal(net.a.link.u_proved, 1372);
	assert_int_equal(net.b.link.u_proved, 1372);
	assert_int_equal(net.a.size, 1);
	/* wider again: noticed at the next raise, and confirmed before */
	net.largest = VX6_CELL_MAX;
	run(700 * VX6_SEC);
	assert_int_equal(net.a.link.u_proved, 1452);
	assert_int_equal(net.a.size, 2);
}

static void a_path_that_narrows_is_noticed(void **state)
{
	(void)state;
	net_plain();
	run(10 * VX6_SEC);
	assert_int_equal(net.a.link.u_proved, 1452);
	net.largest = 1300;
	run(120 * VX6_SEC);
	assert_int_equal(net.a.link.u_proved, 1272);
	assert_int_equal(net.a.down, 0);
	assert_int_equal(net.a.size, 3);
}

static void a_path_below_1232_is_a_live_link_without_size(void **state)
{
	(void)state;
	net_plain();
	net.largest = 1000;
	run(3600 * VX6_SEC);
	assert_int_equal(net.a.link.state, VX6_LINK_UP);
	assert_int_equal(net.a.down, 0);
	assert_int_equal(net.a.link.u_proved, 0);
	assert_int_equal(vx6_link_usable(&net.a.link), 1232);
	net.largest = 1472;
	run(1200 * VX6_SEC);
	assert_int_equal(net.a.link.u_proved, 1452);
}

static void a_small_claim_is_the_only_size_tried(void **state)
{
	struct vx6_link_setup a = setup_of(true), b = setup_of(false);

	(void)state;
	a.u = b.u = 500;
	net_init(&a, &b);
	net.largest = 500;
	run(1 * VX6_SEC);
	assert_int_equal(net.a.link.u_proved, 500);
	assert_int_equal(net.a.link.u_peer, 500);
}

/* ---- counters and clock ---- */

static bool count_clock(struct net *n, struct packet *p)
{
	static uint64_t next[2];
	bool a = vx6_addr_eq(&p->from, &n->a.inside);
	struct text t;
	uint64_t ctr;

	reveal(a ? &n->a : &n->b, p, &t, &ctr);
	if (n->taps++ == 0)
		next[0] = next[1] = 0;
	assert_int_equal(ctr, next[a]++);
	assert_int_equal(t.clock, (n->now - START) / 1000);
	assert_int_equal(t.u, 1452);
	assert_true(vx6_addr_eq(&t.seen, &p->to));
	return true;
}

static void counters_rise_by_one_and_clocks_start_at_0(void **state)
{
	(void)state;
	net_plain();
	net.tap = count_clock;
	run(100 * VX6_SEC);
	assert_true(net.taps > 20);
}

static bool below_the_end(struct net *n, struct packet *p)
{
	struct text t;
	uint64_t ctr;

	if (vx6_addr_eq(&p->from, &n->a.inside)) {
		reveal(&n->a, p, &t, &ctr);
		assert_true(ctr < VX6_CTR_SPAN);
		n->taps++;
	}
	return true;
}

static void used_up_counters_mean_silence(void **state)
{
	(void)state;
	net_plain();
	run(1 * VX6_SEC);
	net.a.link.probe_ctr = VX6_CTR_SPAN - 5;
	net.tap = below_the_end;
	run(600 * VX6_SEC);
	assert_int_equal(net.taps, 5);
	assert_int_equal(net.a.link.state, VX6_LINK_DOWN);
	assert_int_equal(net.b.link.state, VX6_LINK_DOWN);
}

static int start(void **state)
{
	(void)state;
	return sodium_init() >= 0 && vx6_aead_start() == VX6_OK ? 0 : -1;
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
		cmocka_unit_test(a_rebound_nat_is_followed),
		cmocka_unit_test(a_dead_link_can_move_too),
		cmocka_unit_test(a_spoofed_source_moves_nothing),
		cmocka_unit_test(only_the_right_response_moves),
		cmocka_unit_test(a_response_held_back_moves_nothing),
		cmocka_unit_test(an_old_probe_from_elsewhere_is_not_heeded),
		cmocka_unit_test(a_challenge_is_answered_where_it_came_from),
		cmocka_unit_test(redirected_it_asks_there_at_once),
		cmocka_unit_test(everything_twice_is_as_good_as_once),
		cmocka_unit_test(a_refused_probe_changes_nothing),
		cmocka_unit_test(what_is_no_probe_is_refused),
		cmocka_unit_test(a_data_cell_is_no_probe),
		cmocka_unit_test(a_narrow_path_is_measured_not_dead),
		cmocka_unit_test(a_path_that_narrows_is_noticed),
		cmocka_unit_test(a_path_below_1232_is_a_live_link_without_size),
		cmocka_unit_test(a_small_claim_is_the_only_size_tried),
		cmocka_unit_test(counters_rise_by_one_and_clocks_start_at_0),
		cmocka_unit_test(used_up_counters_mean_silence),
	};

	return cmocka_run_group_tests_name("link", test, start, NULL);
}
