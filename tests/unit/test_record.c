/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record, node and item: nothing unsigned, unbounded or unclear gets in,
 * and what we sign ourselves comes back the same.
 *
 * Method: records at both ends of every range, each flipped bit, each
 * truncation; bodies written by hand where ours would be too polite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/record/item.h"
#include "controlplane/record/node.h"
#include "controlplane/record/record.h"
#include "tests/support/full_node.h"
#include "tests/support/unhex.h"

#define NOW UINT64_C(1800000000)

static struct identity me;
static uint8_t buf[3 * RECORD_MAX];
static size_t buf_len;

/* ---- item ---- */

static void only_one_form_of_each_thing(void **state)
{
	static const struct {
		const char *hex;
		enum vx6_status want;
	} row[] = {
		{ "00",                   VX6_OK        },
		{ "17",                   VX6_OK        },
		{ "1818",                 VX6_OK        },
		{ "1817",                 VX6_MALFORMED }, /* 23 in two bytes */
		{ "1900ff",               VX6_MALFORMED },
		{ "190100",               VX6_OK        },
		{ "1a0000ffff",           VX6_MALFORMED },
		{ "1a00010000",           VX6_OK        },
		{ "1b00000000ffffffff",   VX6_MALFORMED },
		{ "1b0000000100000000",   VX6_OK        },
		{ "1c",                   VX6_MALFORMED },
		{ "1f",                   VX6_MALFORMED },
		{ "",                     VX6_TRUNCATED },
		{ "18",                   VX6_TRUNCATED },
		{ "1901",                 VX6_TRUNCATED },
		{ "0000",                 VX6_MALFORMED }, /* two items */
		{ "40",                   VX6_OK        },
		{ "4161",                 VX6_OK        },
		{ "4261",                 VX6_TRUNCATED },
		{ "5803616161",           VX6_MALFORMED }, /* long head */
		{ "5f4161ff",             VX6_MALFORMED }, /* in pieces */
		{ "5bffffffffffffffff61", VX6_TRUNCATED },
		{ "9bffffffffffffffff61", VX6_TRUNCATED },
		{ "bbffffffffffffffff61", VX6_TRUNCATED },
		{ "bb8000000000000000",   VX6_TRUNCATED }, /* 2n is 0 */
		{ "80",                   VX6_OK        },
		{ "8100",                 VX6_OK        },
		{ "81",                   VX6_TRUNCATED },
		{ "9f00ff",               VX6_MALFORMED },
		{ "a0",                   VX6_OK        },
		{ "a10000",               VX6_OK        },
		{ "a100",                 VX6_TRUNCATED },
		{ "bf0000ff",             VX6_MALFORMED },
		{ "f4",                   VX6_OK        },
		{ "f5",                   VX6_OK        },
		{ "f6",                   VX6_OK        },
		{ "f7",                   VX6_MALFORMED }, /* undefined */
		{ "e0",                   VX6_MALFORMED },
		{ "f8ff",                 VX6_MALFORMED },
		{ "f93c00",               VX6_MALFORMED },
		{ "fb3ff0000000000000",   VX6_MALFORMED },
		{ "fb3ff00000000000",     VX6_MALFORMED },
		{ "ff",                   VX6_MALFORMED },
		{ "c000",                 VX6_MALFORMED },
		{ "c0",                   VX6_MALFORMED },
		{ "8181818181818181",     VX6_TRUNCATED },
		{ "818181818181818100",   VX6_OK        }, /* 8 levels */
		{ "81818181818181818100", VX6_MALFORMED }, /* 9 */
		{ "c0c0c0c0c0c0c0c0c000", VX6_MALFORMED },
	};
	uint8_t in[32];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		size_t len = unhex(row[i].hex, in, sizeof(in));

		if (item_check(in, len) != row[i].want)
			fail_msg("%s: %s", row[i].hex,
				 vx6_status_name(item_check(in, len)));
	}
}

/* ---- envelopes ---- */

/* What stands in an envelope, to be bent before it is signed. */
struct draft {
	uint64_t type, version, sequence, issued, expires;
	const char *prefix;
	size_t body_len;
	bool certified, later_field, swapped, twice, trailing;
};

static const struct draft good = { .type = 9,
				   .version = 1,
				   .sequence = 5,
				   .issued = NOW,
				   .expires = NOW + 100,
				   .prefix = "vx6/1 record",
				   .body_len = 3 };

static size_t draft_inner(const struct draft *d, uint8_t *out, size_t cap)
{
	static const uint8_t body[RECORD_MAX] = { 1, 2, 3 };
	struct item_out o;
	size_t len;

	item_begin(&o, out, cap);
	item_put_map(&o,
		     8u + (d->later_field ? 2u : 0u) + (d->twice ? 1u : 0u));
	item_put_u64(&o, 1);
	item_put_u64(&o, d->type);
	item_put_u64(&o, 2);
	item_put_u64(&o, d->version);
	item_put_u64(&o, 3);
	item_put_bytes(&o, me.public_key, 32);
	item_put_u64(&o, d->swapped ? 5 : 4);
	item_put_u64(&o, d->sequence);
	item_put_u64(&o, d->swapped ? 4 : 5);
	item_put_u64(&o, d->issued);
	item_put_u64(&o, 6);
	item_put_u64(&o, d->expires);
	for (unsigned i = 0; i < (d->twice ? 2 : 1); i++) {
		item_put_u64(&o, 7);
		item_put_bytes(&o, body, d->body_len);
	}
	item_put_u64(&o, 8);
	if (d->certified)
		item_put_bytes(&o, body, 4);
	else
		item_put_null(&o);
	if (d->later_field) {
		item_put_u64(&o, 9);
		item_put_array(&o, 1);
		item_put_text(&o, "from a later version");
		item_put_up(&o);
		item_put_u64(&o, 1000);
		item_put_u64(&o, 1);
	}
	item_put_up(&o);
	assert_int_equal(item_finish(&o, &len), VX6_OK);
	return len;
}

/* Signs inner[0..len) into buf. */
static void seal_inner(const uint8_t *inner, size_t len, const char *prefix,
		       bool trailing)
{
	static uint8_t msg[64 + 2 * RECORD_MAX];
	size_t n = strlen(prefix) + 1;
	uint8_t signature[64];
	struct item_out o;

	memcpy(msg, prefix, n);
	memcpy(msg + n, inner, len);
	identity_sign(&me, msg, n + len, signature);
	item_begin(&o, buf, sizeof(buf));
	item_put_array(&o, trailing ? 3 : 2);
	item_put_bytes(&o, inner, len);
	item_put_bytes(&o, signature, 64);
	if (trailing)
		item_put_null(&o);
	item_put_up(&o);
	assert_int_equal(item_finish(&o, &buf_len), VX6_OK);
}

static enum vx6_status open_draft(const struct draft *d, uint64_t now,
				  struct record_env *env)
{
	static uint8_t inner[2 * RECORD_MAX];
	size_t len = draft_inner(d, inner, sizeof(inner));

	seal_inner(inner, len, d->prefix, d->trailing);
	return record_open(buf, buf_len, now, env);
}

/* The good envelope, changed, opens so. */
#define JUDGE(want, change)                                                    \
	do {                                                                   \
		struct draft d = good;                                         \
		struct record_env env;                                         \
		change;                                                        \
		assert_int_equal(open_draft(&d, NOW, &env), want);             \
	} while (0)

static void envelopes_are_judged(void **state)
{
	(void)state;
	JUDGE(VX6_OK, (void)0);
	JUDGE(VX6_OK, d.type = UINT32_MAX);
	JUDGE(VX6_MALFORMED, d.type = UINT64_C(1) << 32);
	JUDGE(VX6_BAD_VERSION, d.version = 2);
	JUDGE(VX6_BAD_VERSION, d.version = 0);
	JUDGE(VX6_OK, d.sequence = INT64_MAX);
	JUDGE(VX6_MALFORMED, d.sequence = UINT64_MAX);
	JUDGE(VX6_MALFORMED, d.expires = NOW);
	JUDGE(VX6_BAD_SIGNATURE, d.prefix = "vx6/1 recorD");
	JUDGE(VX6_BAD_SIGNATURE, d.prefix = "");
	JUDGE(VX6_UNSUPPORTED, d.certified = true);
	JUDGE(VX6_OK, d.later_field = true);
	JUDGE(VX6_MALFORMED, d.swapped = true);
	JUDGE(VX6_MALFORMED, d.twice = true);
	JUDGE(VX6_MALFORMED, d.trailing = true);
	JUDGE(VX6_OK, d.body_len = RECORD_MAX - RECORD_OVERHEAD);
	JUDGE(VX6_BAD_SIZE, d.body_len = RECORD_MAX);
}

static void envelopes_have_their_time(void **state)
{
	(void)state;
	JUDGE(VX6_OK, (d.issued = NOW + 600, d.expires = NOW + 700));
	JUDGE(VX6_EXPIRED, (d.issued = NOW + 601, d.expires = NOW + 700));
	JUDGE(VX6_OK, (d.issued = NOW - 9, d.expires = NOW + 1));
	JUDGE(VX6_EXPIRED, (d.issued = NOW - 9, d.expires = NOW));
	JUDGE(VX6_EXPIRED, (d.issued = NOW - 9, d.expires = NOW - 8));
}

static void an_envelope_says_what_was_signed(void **state)
{
	static const uint8_t body[] = { 1, 2, 3 };
	struct record_env env;
	uint8_t id[32];

	(void)state;
	struct draft d = good;
	d.later_field = true;
	assert_int_equal(open_draft(&d, NOW, &env), VX6_OK);
	crypto_generichash(id, 32, me.public_key, 32, NULL, 0);
	assert_int_equal(env.type, 9);
	assert_int_equal(env.sequence, 5);
	assert_int_equal(env.issued, NOW);
	assert_int_equal(env.expires, NOW + 100);
	assert_memory_equal(env.publisher, me.public_key, 32);
	assert_memory_equal(env.id, id, 32);
	assert_int_equal(env.body_len, 3);
	assert_memory_equal(env.body, body, 3);
	assert_ptr_equal(env.bytes, buf);
	assert_int_equal(env.len, buf_len);
	/* a hint: expired, but whole */
	assert_int_equal(record_open(buf, buf_len, NOW + 100, &env),
			 VX6_EXPIRED);
	assert_memory_equal(env.id, id, 32);
	assert_int_equal(record_verify(buf, buf_len, &env), VX6_OK);
}

static void record_sign_is_what_is_opened(void **state)
{
	static const uint8_t body[RECORD_MAX - RECORD_OVERHEAD] = { 5 };
	struct record_env env;
	size_t len = 77;

	(void)state;
	assert_int_equal(record_sign(&me, RECORD_DESCRIPTOR, INT64_MAX,
				     UINT32_MAX - 1, UINT32_MAX, body,
				     sizeof(body), buf, RECORD_MAX, &len),
			 VX6_OK);
	assert_int_equal(record_verify(buf, len, &env), VX6_OK);
	assert_int_equal(env.type, RECORD_DESCRIPTOR);
	assert_int_equal(env.body_len, sizeof(body));
	size_t whole = len;
	for (size_t cap = 0; cap < whole; cap += 97)
		assert_int_equal(record_sign(&me, RECORD_DESCRIPTOR, 1, NOW,
					     NOW + 1, body, sizeof(body), buf,
					     cap, &len),
				 VX6_BAD_SIZE);
	assert_int_equal(record_sign(&me, RECORD_NODE, 1, NOW, NOW, body, 1,
				     buf, sizeof(buf), &len),
			 VX6_MALFORMED);
}

static void every_bit_counts(void **state)
{
	struct record_env env;

	(void)state;
	assert_int_equal(open_draft(&good, NOW, &env), VX6_OK);
	for (size_t bit = 0; bit < 8 * buf_len; bit++) {
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (record_verify(buf, buf_len, &env) == VX6_OK)
			fail_msg("bit %zu", bit);
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(record_verify(buf, buf_len, &env), VX6_OK);
	for (size_t len = 0; len < buf_len; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		assert_non_null(exact);
		memcpy(exact, buf, len);
		assert_int_not_equal(record_verify(exact, len, &env), VX6_OK);
		free(exact);
	}
	buf[buf_len] = 0xf6;
	assert_int_equal(record_verify(buf, buf_len + 1, &env), VX6_MALFORMED);
	assert_int_equal(record_verify(buf, RECORD_MAX + 1, &env),
			 VX6_BAD_SIZE);
}

/* S + L is the same signature to a careless verifier (RFC 8032 5.1.7), and
 * a key of small order verifies what nobody signed. */
static void only_canonical_signatures(void **state)
{
	static const uint8_t order[32] = { 0xed, 0xd3,       0xf5, 0x5c, 0x1a,
					   0x63, 0x12,       0x58, 0xd6, 0x9c,
					   0xf7, 0xa2,       0xde, 0xf9, 0xde,
					   0x14, [31] = 0x10 };
	struct record_env env;

	(void)state;
	assert_int_equal(open_draft(&good, NOW, &env), VX6_OK);
	uint8_t *s = buf + buf_len - 32;
	unsigned carry = 0;
	for (unsigned i = 0; i < 32; i++) {
		carry += (unsigned)s[i] + order[i];
		s[i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(record_verify(buf, buf_len, &env), VX6_BAD_SIGNATURE);
	/* the neutral element as key and R, S = 0 */
	struct identity real = me;
	static const uint8_t one[32] = { 1 };
	memcpy(me.public_key, one, 32);
	assert_int_equal(open_draft(&good, NOW, &env), VX6_BAD_SIGNATURE);
	me = real;
	memcpy(buf + buf_len - 64, one, 32);
	memset(buf + buf_len - 32, 0, 32);
	assert_int_equal(record_verify(buf, buf_len, &env), VX6_BAD_SIGNATURE);
}

/* ---- node records ---- */

static enum vx6_status sign_node(const struct node_record *n)
{
	return node_record_sign(&me, n, 42, NOW, NODE_LIFE_S, buf,
				NODE_RECORD_MAX, &buf_len);
}

static void assert_same_node(const struct node_record *a,
			     const struct node_record *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->family, b->family);
	assert_string_equal(a->software, b->software);
	assert_int_equal(a->endpoint_cnt, b->endpoint_cnt);
	for (unsigned i = 0; i < a->endpoint_cnt; i++) {
		assert_memory_equal(a->endpoint[i].ip, b->endpoint[i].ip, 16);
		assert_int_equal(a->endpoint[i].control_port,
				 b->endpoint[i].control_port);
		assert_int_equal(a->endpoint[i].data_port,
				 b->endpoint[i].data_port);
		assert_int_equal(a->endpoint[i].transports,
				 b->endpoint[i].transports);
	}
	assert_int_equal(a->via_cnt, b->via_cnt);
	assert_memory_equal(a->via, b->via, sizeof(a->via));
	assert_int_equal(a->owner_len, b->owner_len);
	assert_memory_equal(a->owner, b->owner, sizeof(a->owner));
	assert_memory_equal(a->enc_public, b->enc_public, 32);
	assert_int_equal(a->has_onion, b->has_onion);
	assert_int_equal(a->has_next, b->has_next);
	assert_memory_equal(&a->onion, &b->onion, sizeof(a->onion));
	assert_memory_equal(&a->next_onion, &b->next_onion,
			    sizeof(a->next_onion));
	assert_int_equal(a->roles, b->roles);
	assert_int_equal(a->suites, b->suites);
	assert_int_equal(a->capacity, b->capacity);
}

static void the_fullest_and_the_barest_come_back(void **state)
{
	const struct node_record bare = { 0 }, full = full_node(&me, NOW);
	const struct node_record *const in[] = { &bare, &full };
	struct node_record out;
	struct record_env env;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(in); i++) {
		assert_int_equal(sign_node(in[i]), VX6_OK);
		assert_true(buf_len <= NODE_RECORD_MAX);
		assert_int_equal(record_open(buf, buf_len, NOW, &env), VX6_OK);
		assert_int_equal(env.type, RECORD_NODE);
		assert_int_equal(node_record_parse(&env, &out), VX6_OK);
		assert_same_node(in[i], &out);
		assert_memory_equal(out.id, me.id, 32);
		assert_memory_equal(out.publisher, me.public_key, 32);
		assert_int_equal(out.sequence, 42);
		assert_int_equal(out.issued, NOW);
		assert_int_equal(out.expires, NOW + NODE_LIFE_S);
	}
}

static void what_may_not_be_said_is_not_signed(void **state)
{
	struct node_record n;

	(void)state;
#define REFUSED(change)                                                        \
	do {                                                                   \
		n = full_node(&me, NOW);                                       \
		change;                                                        \
		assert_int_equal(sign_node(&n), VX6_MALFORMED);                \
	} while (0)
	REFUSED(n.name[0] = 'A');
	REFUSED(memset(n.name, 'a', sizeof(n.name)));
	REFUSED(n.family[30] = '.');
	REFUSED(n.software[3] = '\n');
	REFUSED(n.endpoint_cnt = NODE_ENDPOINTS_MAX + 1);
	REFUSED(n.via_cnt = NODE_VIA_MAX + 1);
	REFUSED(n.owner_len = NODE_OWNER_MAX + 1);
	REFUSED(n.endpoint[7].control_port = 0);
	REFUSED(n.endpoint[0].transports = 0);
	REFUSED(n.onion.until = n.onion.from);
	REFUSED(memset(n.next_onion.public_key, 0, 32));
	REFUSED(n.has_onion = false);
#undef REFUSED
	n = full_node(&me, NOW);
	assert_int_equal(node_record_sign(&me, &n, 1, NOW, NODE_LIFE_S + 1, buf,
					  sizeof(buf), &buf_len),
			 VX6_MALFORMED);
	assert_int_equal(node_record_sign(&me, &n, 1, NOW, 0, buf, sizeof(buf),
					  &buf_len),
			 VX6_MALFORMED);
	assert_int_equal(
		node_record_sign(&me, &n, 1, NOW, 9, buf, 500, &buf_len),
		VX6_BAD_SIZE);
}

/* Bodies by hand, as a peer that is not us may write them. */
#define ENDPOINT "a4 01 50 00000000000000000000000000000001 02 01 03 00 04 01"
#define ENC      "06 5820 " Z32
#define Z32      "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE32    "0100000000000000000000000000000000000000000000000000000000000000"

/* clang-format off */
static const struct {
	const char *hex;
	enum vx6_status want;
} node_body[] = {
	{ "a5 0380 0480 0500 " ENC " 0900", VX6_OK },
	{ "a4 0380 0480 0500 " ENC, VX6_MALFORMED },
	{ "a4 0480 0500 " ENC " 0900", VX6_MALFORMED },
	{ "a4 0380 0500 " ENC " 0900", VX6_MALFORMED },
	{ "a4 0380 0480 " ENC " 0900", VX6_MALFORMED },
	{ "a4 0380 0480 0500 0900", VX6_MALFORMED },
	{ "a6 016161 0380 0480 0500 " ENC " 0900", VX6_OK },
	{ "a6 016141 0380 0480 0500 " ENC " 0900", VX6_MALFORMED },
	{ "a6 0160 0380 0480 0500 " ENC " 0900", VX6_MALFORMED },
	{ "a6 014161 0380 0480 0500 " ENC " 0900", VX6_MALFORMED },
	{ "a6 0170 61616161616161616161616161616161 0380 0480 0500 " ENC
	  " 0900", VX6_MALFORMED },
	{ "a5 0381" ENDPOINT "0480 0500 " ENC " 0900", VX6_OK },
	{ "a5 0388" ENDPOINT ENDPOINT ENDPOINT ENDPOINT ENDPOINT
	  ENDPOINT ENDPOINT ENDPOINT "0480 0500 " ENC " 0900", VX6_OK },
	{ "a5 0389" ENDPOINT ENDPOINT ENDPOINT ENDPOINT ENDPOINT
	  ENDPOINT ENDPOINT ENDPOINT ENDPOINT "0480 0500 " ENC
	  " 0900", VX6_MALFORMED },
	{ "a5 0380 0483 5820" Z32 "5820" Z32 "5820" Z32 "0500 " ENC
	  " 0900", VX6_OK },
	{ "a5 0380 0484 5820" Z32 "5820" Z32 "5820" Z32 "5820" Z32
	  "0500 " ENC " 0900", VX6_MALFORMED },
	{ "a5 0380 0480 05 1b0000000100000000 " ENC " 0900", VX6_MALFORMED },
	/* an onion key: zero, and one with its times the wrong way */
	{ "a6 0380 0480 0500 " ENC " 07a3 01 5820" ONE32 "0200 0301 "
	  "0900", VX6_OK },
	{ "a6 0380 0480 0500 " ENC " 07a3 01 5820" Z32 "0200 0301 0900",
	  VX6_MALFORMED },
	{ "a6 0380 0480 0500 " ENC " 07a3 01 5820" ONE32 "0201 0301 "
	  "0900", VX6_MALFORMED },
	{ "a6 0380 0480 0500 " ENC " 08a3 01 5820" ONE32 "0200 0301 "
	  "0900", VX6_MALFORMED }, /* next without current */
	/* fields of a later version */
	{ "a7 0380 0480 0500 " ENC " 0900 0d82f663616263 1903e8a0", VX6_OK },
	{ "a6 0380 0480 0500 " ENC " 0900 6161f6", VX6_MALFORMED },
	{ "a6 0380 0480 0500 " ENC " 0900 0900", VX6_MALFORMED },
	{ "a6 20f6 0380 0480 0500 " ENC " 0900", VX6_MALFORMED },
	{ "80", VX6_MALFORMED },
	{ "a5 0380 0480 0500 " ENC " 0900 00", VX6_MALFORMED },
	{ "a5 0380 0480 0500 " ENC " 09", VX6_TRUNCATED },
};
/* clang-format on */

static void node_bodies_are_judged(void **state)
{
	static uint8_t body[NODE_RECORD_MAX];
	struct record_env env = { .type = RECORD_NODE,
				  .body = body,
				  .issued = NOW,
				  .expires = NOW + 1200 };
	struct node_record n;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(node_body); i++) {
		env.body_len = unhex(node_body[i].hex, body, sizeof(body));
		if (node_record_parse(&env, &n) != node_body[i].want)
			fail_msg("%s: %s", node_body[i].hex,
				 vx6_status_name(node_record_parse(&env, &n)));
	}
	env.body_len = unhex(node_body[0].hex, body, sizeof(body));
	env.expires = NOW + 1201;
	assert_int_equal(node_record_parse(&env, &n), VX6_MALFORMED);
	env.expires = NOW + 1200;
	env.type = RECORD_SERVICE;
	assert_int_equal(node_record_parse(&env, &n), VX6_BAD_KIND);
	env.type = RECORD_NODE;
	env.len = NODE_RECORD_MAX + 1;
	assert_int_equal(node_record_parse(&env, &n), VX6_BAD_SIZE);
}

static void the_onion_key_of_the_hour(void **state)
{
	struct node_record n = full_node(&me, NOW);

	(void)state;
	n.next_onion.until = n.next_onion.from + 86400;
	assert_ptr_equal(node_record_onion(&n, NOW - 100), &n.onion);
	assert_ptr_equal(node_record_onion(&n, n.onion.until - 1), &n.onion);
	assert_ptr_equal(node_record_onion(&n, n.onion.until), &n.next_onion);
	assert_null(node_record_onion(&n, n.next_onion.until));
	n.has_next = false;
	assert_null(node_record_onion(&n, n.onion.until));
	n.has_onion = false;
	assert_null(node_record_onion(&n, NOW));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(only_one_form_of_each_thing),
		cmocka_unit_test(envelopes_are_judged),
		cmocka_unit_test(envelopes_have_their_time),
		cmocka_unit_test(an_envelope_says_what_was_signed),
		cmocka_unit_test(record_sign_is_what_is_opened),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(only_canonical_signatures),
		cmocka_unit_test(the_fullest_and_the_barest_come_back),
		cmocka_unit_test(what_may_not_be_said_is_not_signed),
		cmocka_unit_test(node_bodies_are_judged),
		cmocka_unit_test(the_onion_key_of_the_hour),
	};
	static const uint8_t seed[32] = { 0x42 };

	if (sodium_init() < 0)
		return 1;
	identity_from_seed(&me, seed);
	return cmocka_run_group_tests_name("record", test, NULL, NULL);
}
