/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create: one onion there, one reply back.
 *
 * Vectors first, from both ends; then paths of 1 to 8 hops with real code
 * at every hop; then each single bit of either message, and each value
 * that a slot must not hold.
 *
 * What no tag covers: the reply's bytes behind the last answering hop's
 * slot ([64 * answered, 512)), which are random and never read.  Every
 * other bit of both messages is bound. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/base/rand.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/create_impl.h"

#define NOW 1800000000u

struct node {
	uint8_t id[32], secret[32], public[32];
};

struct path { /* an origin, its hops, and what passed between them */
	unsigned n;
	struct node node[8];
	struct vx6_create_hop hop[8];
	struct vx6_create_random rnd;
	struct vx6_create_origin origin;
	uint8_t onion[9][VX6_ONION_LEN]; /* as hop i gets it */
	struct vx6_slot slot[8];
	struct vx6_create_relay relay[8];
	uint8_t reply[8][VX6_REPLY_LEN]; /* as hop i sends it */
};

static struct vx6_rand rnd;

static int start(void **state)
{
	static const uint8_t seed[32] = { 'c', 'r', 'e', 'a', 't', 'e' };

	(void)state;
	vx6_rand_seed(&rnd, seed);
	return sodium_init() < 0 ? -1 : 0;
}

static void make_path(struct path *p, unsigned n)
{
	*p = (struct path){ .n = n };
	vx6_rand_fill(&rnd, &p->rnd, sizeof(p->rnd));
	for (unsigned i = 0; i < n; i++) {
		struct node *d = &p->node[i];

		vx6_rand_fill(&rnd, d->id, sizeof(d->id));
		vx6_rand_fill(&rnd, d->secret, sizeof(d->secret));
		crypto_scalarmult_base(d->public, d->secret);
		p->hop[i] = (struct vx6_create_hop){
			.expires = NOW + 60 + i,
			.cell_size = i % 2 == 0 ? 1232 : 0,
			.lifetime_min = 60,
			.role = i + 1 == n ? VX6_ROLE_END : VX6_ROLE_RELAY,
			.suite = (uint8_t)(1 + i % 2),
		};
		memcpy(p->hop[i].node_id, d->id, 32);
		memcpy(p->hop[i].onion_public, d->public, 32);
	}
}

static void build(struct path *p, const uint8_t *early, size_t early_len)
{
	assert_int_equal(vx6_create_build(p->onion[0], &p->origin, p->hop, p->n,
					  early, early_len, &p->rnd),
			 VX6_OK);
}

static enum vx6_status open_at(struct path *p, unsigned i, const uint8_t *onion)
{
	const struct node *d = &p->node[i];

	return vx6_create_open(&p->relay[i], &p->slot[i], p->onion[i + 1],
			       onion, d->id, d->secret, d->public, NOW);
}

static void travel(struct path *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		uint8_t y[32];

		assert_int_equal(open_at(p, i, p->onion[i]), VX6_OK);
		vx6_rand_fill(&rnd, y, sizeof(y));
		assert_int_equal(vx6_create_accept(&p->relay[i], y), VX6_OK);
	}
}

/* Hop `last` answers as terminal with `code`; those before it wrap. */
static void answer(struct path *p, unsigned last, uint8_t code)
{
	uint8_t tail[448];

	vx6_rand_fill(&rnd, tail, sizeof(tail));
	for (unsigned i = last + 1; i-- > 0;) {
		struct vx6_hop_status s = {
			.lifetime_s = 3600 + i,
			.u_next = (uint16_t)(i == last ? 0 : 1400 + i),
			.code = i == last ? code : 0,
			.suite = p->hop[i].suite,
		};

		vx6_created_wrap(p->reply[i], &p->relay[i], &s,
				 i == last ? NULL : p->reply[i + 1], tail);
	}
}

static void whole(struct path *p, unsigned n)
{
	make_path(p, n);
	build(p, NULL, 0);
	travel(p);
	answer(p, n - 1, 0);
}

static void same_keys(const struct vx6_hop_keys *a,
		      const struct vx6_hop_keys *b)
{
	assert_memory_equal(a->k_f, b->k_f, 32);
	assert_memory_equal(a->k_b, b->k_b, 32);
	assert_memory_equal(a->iv_f, b->iv_f, 16);
	assert_memory_equal(a->iv_b, b->iv_b, 16);
	assert_int_equal(a->start_f, b->start_f);
	assert_int_equal(a->start_b, b->start_b);
}

static void one_to_eight_hops(void **state)
{
	static struct path p;
	static uint8_t early[512];
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	unsigned got;

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		size_t early_len = (n * 73u) % 513u;

		make_path(&p, n);
		memset(early, 0x77, sizeof(early));
		build(&p, early, early_len);
		travel(&p);
		answer(&p, n - 1, 0);
		assert_memory_equal(p.onion[n] + 1024, early, early_len);
		assert_int_equal(vx6_created_open(&p.origin, p.reply[0], keys,
						  status, &got),
				 VX6_OK);
		assert_int_equal(got, n);
		for (unsigned i = 0; i < n; i++) {
			same_keys(&keys[i], &p.relay[i].keys);
			assert_int_equal(status[i].lifetime_s, 3600 + i);
			assert_int_equal(status[i].u_next,
					 i + 1 == n ? 0 : 1400 + i);
			assert_int_equal(status[i].suite, p.hop[i].suite);
			assert_int_equal(p.slot[i].suite, p.hop[i].suite);
			assert_int_equal(p.slot[i].early_len,
					 i + 1 == n ? early_len : 0);
		}
	}
}

/* ---- vectors ---- */

static void vec_keys(const json_t *v, struct vx6_hop_keys *k)
{
	vec_exact(v, "k_f", k->k_f, 32);
	vec_exact(v, "k_b", k->k_b, 32);
	vec_exact(v, "iv_f", k->iv_f, 16);
	vec_exact(v, "iv_b", k->iv_b, 16);
	k->start_f = vec_int(v, "start_f");
	k->start_b = vec_int(v, "start_b");
}

static void load_path(struct path *p, const json_t *v)
{
	const json_t *h;
	size_t i;

	*p = (struct path){ .n = (unsigned)vec_int(v, "n") };
	vec_exact(v, "filler", p->rnd.filler, (8 - p->n) * 128);
	json_array_foreach(vec_list(v, "hops"), i, h)
	{
		struct vx6_create_hop *c = &p->hop[i];

		vec_exact(h, "node_id", p->node[i].id, 32);
		vec_exact(h, "onion_secret", p->node[i].secret, 32);
		vec_exact(h, "onion_public", p->node[i].public, 32);
		vec_exact(h, "e", p->rnd.e[i], 32);
		memcpy(c->node_id, p->node[i].id, 32);
		memcpy(c->onion_public, p->node[i].public, 32);
		c->expires = (uint32_t)vec_int(h, "expires");
		c->cell_size = (uint16_t)vec_int(h, "cell_size");
		c->lifetime_min = (uint16_t)vec_int(h, "lifetime");
		c->role = (uint8_t)vec_int(h, "role");
		c->suite = (uint8_t)vec_int(h, "suite");
	}
}

static void origin_vector(const json_t *v)
{
	static struct path p;
	uint8_t early[512] = { 0 }, want[VX6_ONION_LEN];
	uint8_t reply[VX6_REPLY_LEN];
	struct vx6_hop_keys keys[8], k;
	struct vx6_hop_status status[8];
	unsigned answered = (unsigned)vec_int(v, "answered"), got;
	bool ok = vec_int(v, "code") == 0;
	const json_t *hops = vec_list(v, "hops"), *h;

	load_path(&p, v);
	build(&p, early, vec_bytes(v, "early", early, sizeof(early)));
	vec_exact(json_array_get(hops, 0), "onion", want, sizeof(want));
	assert_memory_equal(p.onion[0], want, sizeof(want));

	vec_exact(json_array_get(hops, 0), "reply", reply, sizeof(reply));
	assert_int_equal(vx6_created_open(&p.origin, reply, keys, status, &got),
			 ok ? VX6_OK : VX6_CLOSED);
	assert_int_equal(got, answered);
	for (unsigned i = 0; i < answered; i++) {
		bool failed = !ok && i + 1 == answered;

		h = json_array_get(hops, i);
		assert_int_equal(status[i].code,
				 failed ? vec_int(v, "code") : 0);
		assert_int_equal(status[i].suite, vec_int(h, "suite"));
		assert_int_equal(status[i].u_next,
				 failed ? 0 : vec_int(h, "u"));
		assert_int_equal(status[i].lifetime_s,
				 vec_int(h, "lifetime") * 60);
		vec_keys(json_object_get(h, "keys"), &k);
		if (ok)
			same_keys(&keys[i], &k);
	}
}

static void relay_vector(const json_t *v, unsigned i)
{
	static struct path p;
	const json_t *hops = vec_list(v, "hops"), *h = json_array_get(hops, i);
	unsigned answered = (unsigned)vec_int(v, "answered");
	uint8_t want[VX6_ONION_LEN], y[32], behind[VX6_REPLY_LEN], tail[448];
	uint8_t text[TEXT_LEN], want_text[TEXT_LEN];
	struct vx6_hop_keys k;

	load_path(&p, v);
	vec_exact(h, "onion", want, sizeof(want));
	assert_int_equal(open_at(&p, i, want), VX6_OK);
	vec_exact(h, "slot", want_text, sizeof(want_text));
	vx6_slot_emit(text, &p.slot[i]);
	assert_memory_equal(text, want_text, sizeof(text));
	if (i + 1 < p.n)
		vec_exact(json_array_get(hops, i + 1), "onion", want,
			  sizeof(want));
	else
		vec_exact(h, "next", want, sizeof(want));
	assert_memory_equal(p.onion[i + 1], want, sizeof(want));
	if (i >= answered)
		return;

	bool last = i + 1 == answered;
	bool failed = last && vec_int(v, "code") != 0;
	struct vx6_hop_status s = {
		.lifetime_s = (uint32_t)vec_int(h, "lifetime") * 60,
		.u_next = failed ? 0 : (uint16_t)vec_int(h, "u"),
		.code = failed ? (uint8_t)vec_int(v, "code") : 0,
		.suite = p.hop[i].suite,
	};

	vec_exact(h, "y", y, 32);
	assert_int_equal(vx6_create_accept(&p.relay[i], y), VX6_OK);
	vec_keys(json_object_get(h, "keys"), &k);
	same_keys(&p.relay[i].keys, &k);
	vec_exact(v, "tail", tail, sizeof(tail));
	if (!last)
		vec_exact(json_array_get(hops, i + 1), "reply", behind,
			  sizeof(behind));
	vx6_created_wrap(p.reply[i], &p.relay[i], &s, last ? NULL : behind,
			 tail);
	vec_exact(h, "reply", want, VX6_REPLY_LEN);
	assert_memory_equal(p.reply[i], want, VX6_REPLY_LEN);
}

static void each_vector(void (*fn)(const json_t *v))
{
	json_t *root = vec_load("create");
	const json_t *v;
	size_t i;

	json_array_foreach(vec_list(root, "create"), i, v) fn(v);
	json_array_foreach(vec_list(root, "failed"), i, v) fn(v);
	json_decref(root);
}

static void every_hop(const json_t *v)
{
	for (unsigned i = 0; i < vec_int(v, "n"); i++)
		relay_vector(v, i);
}

static void origin_agrees_with_the_vectors(void **state)
{
	(void)state;
	each_vector(origin_vector);
}

static void relays_agree_with_the_vectors(void **state)
{
	(void)state;
	each_vector(every_hop);
}

/* ---- bits ---- */

static void flip(uint8_t *p, size_t bit)
{
	p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void bit_must_not_pass(struct path *p, unsigned i, size_t bit)
{
	uint8_t bad[VX6_ONION_LEN];

	memcpy(bad, p->onion[i], sizeof(bad));
	flip(bad, bit);
	enum vx6_status st = open_at(p, i, bad);
	if (st != VX6_BAD_TAG && st != VX6_BAD_KEY)
		fail_msg("hop %u, bit %zu: %s", i, bit, vx6_status_name(st));
	if (sodium_is_zero((uint8_t *)&p->relay[i], sizeof(p->relay[i])) != 1)
		fail_msg("hop %u, bit %zu: secrets left", i, bit);
}

/* The next honest hop is the first one whose tag covers the bit: the very
 * next.  All bits before each of 4 hops; before each of 8 one bit of every
 * byte. */
static void onion_each_bit_is_refused_at_the_next_hop(void **state)
{
	static struct path p, q;

	(void)state;
	make_path(&p, 4);
	build(&p, (const uint8_t *)"early", 5);
	q = p;
	travel(&p);
	memcpy(q.onion, p.onion, sizeof(q.onion));
	for (unsigned i = 0; i < p.n; i++)
		for (size_t bit = 0; bit < VX6_ONION_LEN * 8; bit++)
			bit_must_not_pass(&q, i, bit);
	whole(&p, 8);
	q = p;
	for (unsigned i = 0; i < p.n; i++)
		for (size_t byte = 0; byte < VX6_ONION_LEN; byte++)
			bit_must_not_pass(&q, i, byte * 8 + (byte + i) % 8);
}

static void reply_bit(const struct path *p, unsigned answered, size_t bit,
		      enum vx6_status clean)
{
	uint8_t bad[VX6_REPLY_LEN];
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	unsigned slot = (unsigned)(bit / 8 / 64), got;

	memcpy(bad, p->reply[0], sizeof(bad));
	flip(bad, bit);
	enum vx6_status st = vx6_created_open(&p->origin, bad, keys, status,
					      &got);
	if (slot >= answered && (st != clean || got != answered))
		fail_msg("bit %zu of the random tail: %s", bit,
			 vx6_status_name(st));
	if (slot < answered && (st != VX6_BAD_TAG || got != slot))
		fail_msg("bit %zu of slot %u: %s after %u", bit, slot,
			 vx6_status_name(st), got);
	if (st != VX6_OK &&
	    sodium_is_zero((const uint8_t *)keys, sizeof(keys)) != 1)
		fail_msg("bit %zu: keys left", bit);
}

static void reply_each_bit_is_refused_at_the_origin(void **state)
{
	static struct path p;

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		size_t step = n == 3 || n == 8 ? 1 : 9;

		whole(&p, n);
		for (size_t bit = 0; bit < VX6_REPLY_LEN * 8; bit += step)
			reply_bit(&p, n, bit, VX6_OK);
	}
	answer(&p, 2, VX6_CREATED_NEXT_REFUSED);
	for (size_t bit = 0; bit < VX6_REPLY_LEN * 8; bit++)
		reply_bit(&p, 3, bit, VX6_CLOSED);
}

/* What hop i sends is cut to 448 bytes by hop i - 1: a change there comes
 * out in the same slot, one further on, or falls off the end. */
static void reply_bits_between_hops(void **state)
{
	static struct path p, q;
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	unsigned got;

	(void)state;
	whole(&p, 4);
	for (unsigned at = 1; at < 4; at++)
		for (size_t byte = 0; byte < VX6_REPLY_LEN; byte += 3) {
			unsigned slot = at + (unsigned)byte / 64;

			q = p;
			flip(q.reply[at], byte * 8 + byte % 8);
			for (unsigned i = at; i-- > 0;) {
				struct vx6_hop_status s = { 0 };

				vx6_created_wrap(q.reply[i], &q.relay[i], &s,
						 q.reply[i + 1], q.onion[0]);
			}
			assert_int_equal(vx6_created_open(&q.origin, q.reply[0],
							  keys, status, &got),
					 slot < 4 ? VX6_BAD_TAG : VX6_OK);
			assert_int_equal(got, slot < 4 ? slot : 4);
		}
}

/* ---- answers that are not a whole circuit ---- */

static void a_hop_that_cannot_extend_says_why(void **state)
{
	static struct path p;
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	unsigned got;

	(void)state;
	whole(&p, 5);
	for (unsigned at = 0; at < 5; at++)
		for (unsigned code = 1; code < VX6_CREATED_CODE_CNT; code++) {
			answer(&p, at, (uint8_t)code);
			assert_int_equal(vx6_created_open(&p.origin, p.reply[0],
							  keys, status, &got),
					 VX6_CLOSED);
			assert_int_equal(got, at + 1);
			assert_int_equal(status[at].code, code);
		}
}

/* A relay that claims success and has nobody behind it. */
static void success_without_the_rest_is_refused(void **state)
{
	static struct path p;
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	unsigned got;

	(void)state;
	whole(&p, 5);
	for (unsigned at = 0; at < 4; at++) {
		answer(&p, at, VX6_CREATED_OK);
		assert_int_equal(vx6_created_open(&p.origin, p.reply[0], keys,
						  status, &got),
				 VX6_BAD_TAG);
		assert_int_equal(got, at + 1);
	}
}

static void status_that_does_not_exist(void **state)
{
	static struct path p;
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	uint8_t text[STATUS_LEN] = { 0 };
	unsigned got;

	(void)state;
	whole(&p, 1);
	answer(&p, 0, VX6_CREATED_CODE_CNT);
	assert_int_equal(
		vx6_created_open(&p.origin, p.reply[0], keys, status, &got),
		VX6_MALFORMED);
	assert_int_equal(got, 0);
	for (unsigned i = 0; i < STATUS_LEN; i++) {
		memset(text, 0, sizeof(text));
		text[i] = 0xff;
		assert_int_equal(vx6_hop_status_parse(&status[0], text),
				 i == 0 || i >= 8 ? VX6_MALFORMED : VX6_OK);
	}
}

/* ---- slots ---- */

/* A one-hop onion around any text and body, sealed as it should be. */
static enum vx6_status open_crafted(const uint8_t text[TEXT_LEN],
				    const uint8_t *body)
{
	static struct path p;
	uint8_t *m = p.onion[0], h1[32], ss1[32];
	struct create_part1 k;

	make_path(&p, 1);
	crypto_scalarmult_base(m, p.rnd.e[0]);
	assert_int_equal(vx6_dh(ss1, p.rnd.e[0], p.node[0].public), VX6_OK);
	vx6_create_part1(&k, h1, ss1, p.node[0].id, p.node[0].public, m);
	vx6_rand_fill(&rnd, m + 128, 896);
	memset(m + 1024, 0, 512);
	if (body != NULL)
		memcpy(m + 1024, body, 512);
	vx6_stream_xor(m + 1024, 512, k.kr, 1024);
	vx6_seal(m + 32, k.ks, m + 128, VX6_ONION_LEN - 128, text, TEXT_LEN);
	enum vx6_status st = open_at(&p, 0, m);
	if (st != VX6_OK) {
		assert_true(sodium_is_zero((uint8_t *)&p.relay[0],
					   sizeof(p.relay[0])));
		assert_true(sodium_is_zero((uint8_t *)&p.slot[0],
					   sizeof(p.slot[0])));
		assert_true(sodium_is_zero(p.onion[1], VX6_ONION_LEN));
	}
	return st;
}

static void text_of(uint8_t text[TEXT_LEN], uint8_t role)
{
	struct vx6_slot s = { .role = role,
			      .suite = 1,
			      .cell_size = 1232,
			      .lifetime_min = 10,
			      .expires = NOW + 60 };

	if (role == VX6_ROLE_RELAY)
		s.next[31] = 1;
	vx6_slot_emit(text, &s);
}

static void expect_text(const char *what, unsigned value,
			const uint8_t text[TEXT_LEN], bool ok)
{
	enum vx6_status st = open_crafted(text, NULL);

	if (st != (ok ? VX6_OK : VX6_MALFORMED))
		fail_msg("%s %u: %s", what, value, vx6_status_name(st));
}

static void each_byte_of_a_slot(void **state)
{
	uint8_t text[TEXT_LEN];

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		text_of(text, VX6_ROLE_END);
		text[0] = (uint8_t)v;
		expect_text("format", v, text, v == 1);
		text_of(text, v == 1 ? VX6_ROLE_RELAY : (uint8_t)v);
		expect_text("role", v, text, v >= 1 && v <= 7);
		text_of(text, VX6_ROLE_END);
		text[3] = (uint8_t)v;
		expect_text("flags", v, text, v == 0);
	}
	for (unsigned i = 0; i < TEXT_LEN; i++) {
		bool zero = i == 14 || i == 15 || i >= 52;

		if (!zero)
			continue;
		text_of(text, VX6_ROLE_END);
		text[i] = 1;
		expect_text("zero byte", i, text, false);
	}
}

static void sizes_and_lifetimes_that_exist(void **state)
{
	static const uint16_t some[] = { 0,    1,    9,    10,   11,   59,
					 60,   61,   239,  240,  241,  600,
					 1231, 1232, 1233, 1439, 1440, 1441,
					 1451, 1452, 1453, 1472, 65535 };
	uint8_t text[TEXT_LEN];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(some); i++) {
		unsigned v = some[i];

		text_of(text, VX6_ROLE_END);
		vx6_put16(text + 4, some[i]);
		expect_text("cell size", v, text,
			    v == 0 || v == 1232 || v == 1452);
		text_of(text, VX6_ROLE_END);
		vx6_put16(text + 6, some[i]);
		expect_text("lifetime", v, text,
			    v == 10 || v == 60 || v == 240 || v == 1440);
	}
}

static void role_and_next_hop_go_together(void **state)
{
	uint8_t text[TEXT_LEN];

	(void)state;
	for (uint8_t role = 1; role <= 7; role++) {
		text_of(text, role);
		memset(text + 16, 0, 32);
		expect_text("no next, role", role, text, role != 1);
		text_of(text, role);
		text[16] = 1;
		expect_text("a next, role", role, text, role == 1);
	}
}

static void early_data_and_its_padding(void **state)
{
	uint8_t text[TEXT_LEN], body[512];

	(void)state;
	text_of(text, VX6_ROLE_RELAY);
	vx6_put16(text + 12, 1);
	expect_text("early data at a relay", 1, text, false);
	for (unsigned len = 0; len <= 512; len += 64) {
		text_of(text, VX6_ROLE_JOIN);
		vx6_put16(text + 12, (uint16_t)len);
		memset(body, 0, sizeof(body));
		memset(body, 0xee, len);
		assert_int_equal(open_crafted(text, body), VX6_OK);
		for (unsigned at = len; at < 512; at += 37) {
			body[at] = 1;
			assert_int_equal(open_crafted(text, body),
					 VX6_MALFORMED);
			body[at] = 0;
		}
	}
	vx6_put16(text + 12, 513);
	expect_text("early data", 513, text, false);
	vx6_put16(text + 12, 65535);
	expect_text("early data", 65535, text, false);
}

/* clang-format off */
static const struct {
	uint32_t expires, now;
	enum vx6_status want;
} at_time[] = {
	{ NOW,	     NOW,	VX6_OK },
	{ NOW,	     NOW + 1,	VX6_EXPIRED },
	{ NOW + 180, NOW,	VX6_OK },
	{ NOW + 181, NOW,	VX6_EXPIRED },
	{ 0,	     NOW,	VX6_EXPIRED },
	{ UINT32_MAX, NOW,	VX6_EXPIRED },
	{ 5,	     UINT32_MAX, VX6_EXPIRED }, /* no wrapping round */
	{ UINT32_MAX, UINT32_MAX - 9, VX6_OK },
};
/* clang-format on */

static void expires_is_kept(void **state)
{
	static struct path p;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(at_time); i++) {
		const struct node *d = &p.node[0];

		make_path(&p, 1);
		p.hop[0].expires = at_time[i].expires;
		build(&p, NULL, 0);
		d = &p.node[0];
		enum vx6_status st = vx6_create_open(
			&p.relay[0], &p.slot[0], p.onion[1], p.onion[0], d->id,
			d->secret, d->public, at_time[i].now);
		if (st != at_time[i].want)
			fail_msg("expires %u at %u: %s", at_time[i].expires,
				 at_time[i].now, vx6_status_name(st));
	}
}

/* ---- keys ---- */

static void another_node_or_key_opens_nothing(void **state)
{
	static struct path p, q;

	(void)state;
	make_path(&p, 2);
	build(&p, NULL, 0);
	q = p;
	q.node[0].id[0] ^= 1;
	assert_int_equal(open_at(&q, 0, p.onion[0]), VX6_BAD_TAG);
	q = p;
	q.node[0].secret[5] ^= 1;
	assert_int_equal(open_at(&q, 0, p.onion[0]), VX6_BAD_TAG);
	q = p;
	q.node[0].public[5] ^= 1;
	assert_int_equal(open_at(&q, 0, p.onion[0]), VX6_BAD_TAG);
	assert_int_equal(open_at(&p, 1, p.onion[0]), VX6_BAD_TAG);
	assert_int_equal(open_at(&p, 0, p.onion[0]), VX6_OK);
	assert_memory_equal(p.relay[0].e, p.onion[0], 32);
}

static void a_zero_shared_secret_is_refused(void **state)
{
	static struct path p;
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	uint8_t y[32] = { 3 }, onion[VX6_ONION_LEN];
	unsigned got;

	(void)state;
	whole(&p, 2);
	memcpy(onion, p.onion[0], sizeof(onion));
	memset(onion, 0, 32); /* E of order 4 */
	assert_int_equal(open_at(&p, 0, onion), VX6_BAD_KEY);
	memset(p.relay[1].e, 0, 32);
	assert_int_equal(vx6_create_accept(&p.relay[1], y), VX6_BAD_KEY);
	memset(p.reply[0], 0, 32); /* Y likewise */
	assert_int_equal(
		vx6_created_open(&p.origin, p.reply[0], keys, status, &got),
		VX6_BAD_TAG);
	memset(p.hop[1].onion_public, 0, 32);
	assert_int_equal(
		vx6_create_build(onion, &p.origin, p.hop, 2, NULL, 0, &p.rnd),
		VX6_BAD_KEY);
	assert_true(sodium_is_zero((uint8_t *)&p.origin, sizeof(p.origin)));
}

static void what_cannot_be_said(void **state)
{
	static struct path p, q;
	uint8_t onion[VX6_ONION_LEN], early[513] = { 0 };

	(void)state;
	make_path(&p, 8);
	q = p;
#define REFUSED(n, len)                                                        \
	assert_int_equal(vx6_create_build(onion, &q.origin, q.hop, n, early,   \
					  len, &q.rnd),                        \
			 VX6_MALFORMED)
	REFUSED(0, 0);
	REFUSED(9, 0);
	REFUSED(8, 513);
	REFUSED(7, 0); /* the seventh says relay */
	q.hop[2].cell_size = 1000;
	REFUSED(8, 0);
	q = p;
	q.hop[2].lifetime_min = 0;
	REFUSED(8, 0);
	q = p;
	q.hop[2].role = VX6_ROLE_END;
	REFUSED(8, 0);
	q = p;
	memset(q.hop[3].node_id, 0, 32);
	REFUSED(8, 0);
#undef REFUSED
}

static void secrets_do_not_stay(void **state)
{
	static struct path p;

	(void)state;
	whole(&p, 2);
	assert_true(sodium_is_zero(p.relay[0].ss1, 32));
	assert_false(sodium_is_zero(p.relay[0].kc, 32));
	vx6_create_relay_wipe(&p.relay[0]);
	assert_true(sodium_is_zero((uint8_t *)&p.relay[0], sizeof(p.relay[0])));
	vx6_create_origin_wipe(&p.origin);
	assert_true(sodium_is_zero((uint8_t *)&p.origin, sizeof(p.origin)));
}

/* No hop sees zeros, nor anything of the onion that the next one gets. */
static void hops_share_no_bytes(void **state)
{
	static struct path p;

	(void)state;
	whole(&p, 8);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned j = 0; j <= i; j++)
			for (size_t at = 0; at + 16 <= VX6_ONION_LEN;
			     at += 16) {
				const uint8_t *a = p.onion[i] + at;

				assert_false(sodium_is_zero(a, 16));
				if (i != j)
					assert_memory_not_equal(
						a, p.onion[j] + at, 16);
			}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(one_to_eight_hops),
		cmocka_unit_test(origin_agrees_with_the_vectors),
		cmocka_unit_test(relays_agree_with_the_vectors),
		cmocka_unit_test(onion_each_bit_is_refused_at_the_next_hop),
		cmocka_unit_test(reply_each_bit_is_refused_at_the_origin),
		cmocka_unit_test(reply_bits_between_hops),
		cmocka_unit_test(a_hop_that_cannot_extend_says_why),
		cmocka_unit_test(success_without_the_rest_is_refused),
		cmocka_unit_test(status_that_does_not_exist),
		cmocka_unit_test(each_byte_of_a_slot),
		cmocka_unit_test(sizes_and_lifetimes_that_exist),
		cmocka_unit_test(role_and_next_hop_go_together),
		cmocka_unit_test(early_data_and_its_padding),
		cmocka_unit_test(expires_is_kept),
		cmocka_unit_test(another_node_or_key_opens_nothing),
		cmocka_unit_test(a_zero_shared_secret_is_refused),
		cmocka_unit_test(what_cannot_be_said),
		cmocka_unit_test(secrets_do_not_stay),
		cmocka_unit_test(hops_share_no_bytes),
	};

	return cmocka_run_group_tests_name("create", test, start, NULL);
}
