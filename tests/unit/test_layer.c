/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layer: H8 and C, in place.  What a layer binds: key, iv, counter, kind,
 * len, every byte of C; and that it writes nothing beside its own. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/wire/layer.h"

#define PLAIN_MAX 1440u
#define GUARD     0xa5

static const unsigned suites[] = { VX6_SUITE_AES256_GCM,
				   VX6_SUITE_CHACHA20_POLY1305,
				   VX6_SUITE_AEGIS128L };

static int start(void **state)
{
	(void)state;
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

static struct vx6_layer layer_of(unsigned suite, uint8_t seed)
{
	struct vx6_layer l;
	uint8_t key[32], iv[16];

	memset(key, seed, sizeof(key));
	for (unsigned i = 0; i < sizeof(iv); i++)
		iv[i] = (uint8_t)(seed + 16 + i);
	assert_int_equal(vx6_layer_init(&l, suite, key, iv), VX6_OK);
	return l;
}

static void round_trip(unsigned suite, size_t n)
{
	static uint8_t buf[64 + 8 + PLAIN_MAX + 16 + 64], p[PLAIN_MAX];
	struct vx6_layer l = layer_of(suite, 7);
	uint64_t ctr = UINT64_C(0x010203040506) + n;
	uint8_t *h8 = buf + 64;
	size_t got = 0;

	memset(buf, GUARD, sizeof(buf));
	randombytes_buf(p, sizeof(p));
	memcpy(h8 + 8, p, n);
	vx6_layer_seal(&l, ctr, VX6_KIND_CONTROL, h8, n);
	assert_int_equal(vx6_h8_ctr(h8), ctr);
	assert_int_equal(vx6_h8_kind(h8), VX6_KIND_CONTROL);
	assert_int_equal(vx6_h8_len(h8), n + 16);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(buf[i], GUARD);
		assert_int_equal(h8[8 + n + 16 + i], GUARD);
	}
	assert_int_equal(vx6_layer_open(&l, h8, 8 + n + 16, &got), VX6_OK);
	assert_int_equal(got, n);
	assert_memory_equal(h8 + 8, p, n);
	assert_int_equal(buf[63], GUARD);
	assert_int_equal(h8[8 + n + 16], GUARD);
}

static void seal_and_open_at_every_length(void **state)
{
	(void)state;
	for (unsigned s = 0; s < VX6_COUNT(suites); s++)
		if (vx6_suite_offers(suites[s]))
			for (size_t n = 0; n <= PLAIN_MAX; n++)
				round_trip(suites[s], n);
}

/* Bits of H8: counter, kind and len are the AAD; len is also a size. */
static void every_bit_is_bound(void **state)
{
	uint8_t cell[8 + 40 + 16], bad[sizeof(cell)];
	size_t n;

	(void)state;
	for (unsigned s = 0; s < VX6_COUNT(suites); s++) {
		struct vx6_layer l;

		if (!vx6_suite_offers(suites[s]))
			continue;
		l = layer_of(suites[s], 9);
		memset(cell, 3, sizeof(cell));
		vx6_layer_seal(&l, 77, VX6_KIND_DATA, cell, 40);
		for (size_t bit = 0; bit < sizeof(cell) * 8; bit++) {
			memcpy(bad, cell, sizeof(bad));
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
			enum vx6_status st = vx6_layer_open(&l, bad,
							    sizeof(bad), &n);
			bool longer = vx6_h8_len(bad) > 56 ||
				      vx6_h8_len(bad) < 16;

			assert_int_equal(st,
					 longer ? VX6_BAD_SIZE : VX6_BAD_TAG);
		}
		assert_int_equal(vx6_layer_open(&l, cell, sizeof(cell), &n),
				 VX6_OK);
	}
}

static void key_iv_and_suite_are_bound(void **state)
{
	uint8_t cell[8 + 40 + 16], key[32], iv[16];
	struct vx6_layer l = layer_of(VX6_SUITE_CHACHA20_POLY1305, 9), m;
	size_t n;

	(void)state;
	memset(cell, 3, sizeof(cell));
	vx6_layer_seal(&l, 77, VX6_KIND_DATA, cell, 40);
	for (unsigned i = 0; i < 28; i++) {
		uint8_t copy[sizeof(cell)];

		memset(key, 9, sizeof(key));
		for (unsigned j = 0; j < sizeof(iv); j++)
			iv[j] = (uint8_t)(25 + j);
		if (i < 16)
			key[i * 2] ^= 1;
		else
			iv[i - 16] ^= 1;
		assert_int_equal(vx6_layer_init(&m, VX6_SUITE_CHACHA20_POLY1305,
						key, iv),
				 VX6_OK);
		memcpy(copy, cell, sizeof(copy));
		assert_int_equal(vx6_layer_open(&m, copy, sizeof(copy), &n),
				 VX6_BAD_TAG);
	}
}

static void sizes_are_checked_first(void **state)
{
	struct vx6_layer l = layer_of(VX6_SUITE_CHACHA20_POLY1305, 1);
	uint8_t cell[8 + 20 + 16] = { 0 };
	size_t n = 999;

	(void)state;
	vx6_layer_seal(&l, 5, VX6_KIND_DATA, cell, 20);
	for (size_t room = 0; room < sizeof(cell); room++) {
		uint8_t exact[sizeof(cell)];

		memcpy(exact, cell, sizeof(exact));
		assert_int_equal(vx6_layer_open(&l, exact, room, &n),
				 VX6_BAD_SIZE);
		assert_memory_equal(exact, cell, sizeof(exact));
	}
	vx6_h8_put(cell, 5, VX6_KIND_DATA, 15);
	assert_int_equal(vx6_layer_open(&l, cell, sizeof(cell), &n),
			 VX6_BAD_SIZE);
	assert_int_equal(n, 999);
}

/* Section 3: the counter stands in bytes 6..11 of the nonce.  Worked out
 * here with libsodium alone. */
static void the_nonce_is_iv_xor_counter(void **state)
{
	struct vx6_layer l = layer_of(VX6_SUITE_CHACHA20_POLY1305, 40);
	uint8_t cell[8 + 4 + 16] = { 0 }, want[4 + 16], key[32], nonce[12];
	static const uint8_t ctr[6] = { 0x3a, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

	(void)state;
	memset(key, 40, sizeof(key));
	for (unsigned i = 0; i < 12; i++)
		nonce[i] = (uint8_t)(56 + i);
	for (unsigned i = 0; i < 6; i++)
		nonce[6 + i] ^= ctr[i];
	memcpy(cell + 8, "abcd", 4);
	vx6_layer_seal(&l, UINT64_C(0x3abbccddeeff), VX6_KIND_DATA, cell, 4);
	crypto_aead_chacha20poly1305_ietf_encrypt(want, NULL,
						  (const uint8_t *)"abcd", 4,
						  cell, 8, NULL, nonce, key);
	assert_memory_equal(cell, ctr, 6);
	assert_memory_equal(cell + 8, want, sizeof(want));
}

/* Suite 3 takes all of iv, half of the key, and bytes 10..15. */
static void the_long_nonce_too(void **state)
{
	static const uint8_t ctr[6] = { 0x3a, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	uint8_t cell[8 + 4 + 16] = { 0 }, want[4 + 16], key[16], nonce[16];
	struct vx6_layer l;
	struct vx6_aead a;

	(void)state;
	if (!vx6_suite_offers(VX6_SUITE_AEGIS128L)) {
		print_message("# SKIP cpu: no AES-NI\n");
		skip();
	}
	l = layer_of(VX6_SUITE_AEGIS128L, 40);
	memset(key, 40, sizeof(key));
	for (unsigned i = 0; i < 16; i++)
		nonce[i] = (uint8_t)(56 + i);
	for (unsigned i = 0; i < 6; i++)
		nonce[10 + i] ^= ctr[i];
	memcpy(cell + 8, "abcd", 4);
	vx6_layer_seal(&l, UINT64_C(0x3abbccddeeff), VX6_KIND_DATA, cell, 4);
	assert_int_equal(vx6_aead_init(&a, VX6_ALG_AEGIS128L, key), VX6_OK);
	vx6_aead_seal(&a, nonce, cell, 8, want, (const uint8_t *)"abcd", 4);
	assert_memory_equal(cell, ctr, 6);
	assert_memory_equal(cell + 8, want, sizeof(want));
}

#define BURST 100u

/* The key of layer_of(suite, seed) without tables; zeros where the host has
 * no such suite. */
static void bare_of(struct vx6_layer_key *k, unsigned suite, uint8_t seed)
{
	uint8_t key[32], iv[16];

	memset(key, seed, sizeof(key));
	for (unsigned i = 0; i < sizeof(iv); i++)
		iv[i] = (uint8_t)(seed + 16 + i);
	if (vx6_suite_offers(suite))
		assert_int_equal(vx6_layer_key_init(k, NULL, suite, key, iv),
				 VX6_OK);
}

/* RFC 1071, a word at a time, and folded. */
static uint16_t plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? p[i] : (uint32_t)p[i] << 8;
	sum = (sum >> 16) + (sum & 0xffffu);
	return (uint16_t)((sum >> 16) + (sum & 0xffffu));
}

/* How many were summed; each of them rightly. */
static unsigned sums(const struct vx6_layer_op op[], unsigned n, size_t more)
{
	unsigned summed = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t s = op[i].sum;

		if (!op[i].summed)
			continue;
		summed++;
		assert_int_equal(op[i].st, VX6_OK);
		assert_true(s < UINT32_C(1) << 31);
		s = (s >> 16) + (s & 0xffffu);
		s = (s >> 16) + (s & 0xffffu);
		assert_int_equal(s, plain_sum(op[i].h8 + 8, op[i].len + more));
	}
	return summed;
}

/* What a burst does is what single calls do, cell by cell; refused ones
 * among them change nothing for the others. */
static void burst_of(unsigned n)
{
	static uint8_t one[BURST][512], many[BURST][512];
	static struct vx6_layer l[3];
	struct vx6_layer_op op[BURST] = { 0 };
	struct vx6_layer_key bare = { 0 };

	for (unsigned i = 0; i < 3; i++)
		l[i] = layer_of(vx6_suite_offers(suites[i])
					? suites[i]
					: VX6_SUITE_CHACHA20_POLY1305,
				(uint8_t)(50 + i));
	randombytes_buf(one, sizeof(one));
	memcpy(many, one, sizeof(many));
	bare_of(&bare, suites[0], 50);
	for (unsigned i = 0; i < n; i++) {
		bool no_tables = i % 9 == 1 && bare.suite != 0;
		/* many of one length, some of others */
		size_t len = i % 4 < 2 ? 400 : i * 37 % 480;

		op[i] = (struct vx6_layer_op){ .key = &l[i / 3 % 3].key,
					       .gcm = &l[i / 3 % 3].gcm,
					       .h8 = many[i],
					       .ctr = 1000 + i,
					       .kind = VX6_KIND_DATA,
					       .len = len };
		if (no_tables) {
			op[i].key = &bare;
			op[i].gcm = NULL;
		}
		vx6_layer_seal(&l[i / 3 % 3], op[i].ctr, VX6_KIND_DATA, one[i],
			       len);
	}
	vx6_layer_seal_burst(op, n);
	assert_memory_equal(one, many, sizeof(one));
	(void)sums(op, n, 16);

	for (unsigned i = 0; i < n; i++) {
		if (i % 7 == 3)
			many[i][i % 8 + 8] ^= 1;
		op[i].len = i % 11 == 5 ? i % 24 : 512;
	}
	memcpy(one, many, sizeof(one));
	vx6_layer_open_burst(op, n);
	(void)sums(op, n, 0);
	for (unsigned i = 0; i < n; i++) {
		size_t got = 0, room = i % 11 == 5 ? i % 24 : 512;
		enum vx6_status want = vx6_layer_open(&l[i / 3 % 3], one[i],
						      room, &got);

		assert_int_equal(op[i].st, want);
		if (want != VX6_OK)
			continue;
		assert_int_equal(op[i].len, got);
		assert_memory_equal(one[i], many[i], sizeof(one[i]));
	}
}

static const enum vx6_aead_impl impls[] = { VX6_IMPL_SODIUM, VX6_IMPL_IPSEC_MB,
					    VX6_IMPL_OWN };

static void a_burst_is_single_calls(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(impls); i++) {
		if (vx6_aead_force(impls[i]) != VX6_OK)
			continue;
		for (unsigned n = 0; n <= BURST; n += n < 3 || n >= 30 ? 1 : 27)
			burst_of(n);
	}
	assert_int_equal(vx6_aead_start(), VX6_OK);
}

#define KEYS 3u

/* Some keys, with tables and without, made by one implementation. */
struct side {
	struct vx6_layer l[KEYS];
	struct vx6_layer_key bare[KEYS];
};

static bool side_of(struct side *s, enum vx6_aead_impl impl)
{
	if (vx6_aead_force(impl) != VX6_OK ||
	    !vx6_suite_offers(VX6_SUITE_AES256_GCM))
		return false;
	for (unsigned i = 0; i < KEYS; i++) {
		s->l[i] = layer_of(VX6_SUITE_AES256_GCM, (uint8_t)(5 + i));
		bare_of(&s->bare[i], VX6_SUITE_AES256_GCM, (uint8_t)(5 + i));
	}
	return true;
}

/* Cell i's, whose key is one of KEYS. */
static struct vx6_layer_op op_by(const struct side *s, unsigned i, bool bare,
				 uint8_t *h8)
{
	const struct vx6_layer *l = &s->l[i % KEYS];

	return (struct vx6_layer_op){
		.key = bare ? &s->bare[i % KEYS] : &l->key,
		.gcm = bare ? NULL : &l->gcm,
		.h8 = h8,
		.kind = VX6_KIND_DATA,
	};
}

/* What one seals in a burst the other opens. */
static void exchange(enum vx6_aead_impl from, enum vx6_aead_impl to)
{
	static uint8_t cell[BURST][512], was[BURST][512];
	struct vx6_layer_op op[BURST];
	static struct side a, b;

	if (!side_of(&b, to) || !side_of(&a, from))
		return;
	randombytes_buf(was, sizeof(was));
	memcpy(cell, was, sizeof(cell));
	for (unsigned i = 0; i < BURST; i++) {
		op[i] = op_by(&a, i, i % 5 < 2, cell[i]);
		op[i].ctr = i;
		op[i].len = i * 5 % 480;
	}
	vx6_layer_seal_burst(op, BURST);
	assert_int_equal(vx6_aead_force(to), VX6_OK);
	for (unsigned i = 0; i < BURST; i++) {
		op[i] = op_by(&b, i, i % 7 < 4, cell[i]);
		op[i].len = sizeof(cell[i]);
	}
	vx6_layer_open_burst(op, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		assert_int_equal(op[i].st, VX6_OK);
		assert_int_equal(op[i].len, i * 5 % 480);
		assert_memory_equal(cell[i] + 8, was[i] + 8, op[i].len);
	}
}

static void implementations_agree(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(impls); i++)
		for (unsigned k = 0; k < VX6_COUNT(impls); k++)
			exchange(impls[i], impls[k]);
	assert_int_equal(vx6_aead_start(), VX6_OK);
}

/* Every length, and each of the sums is there and right; text of zeros has a
 * sum of 0 and no other. */
static void sums_at_every_length(unsigned suite)
{
	static uint8_t cell[2][8 + PLAIN_MAX + 16];
	struct vx6_layer l = layer_of(suite, 3);

	for (size_t n = 0; n <= PLAIN_MAX; n++) {
		struct vx6_layer_op op[2] = { 0 };

		for (unsigned i = 0; i < 2; i++) {
			op[i] = (struct vx6_layer_op){
				.key = &l.key,
				.gcm = &l.gcm,
				.h8 = cell[i],
				.ctr = 2 * n + i,
				.len = n,
				.kind = VX6_KIND_DATA,
			};
			memset(cell[i] + 8, 0, n);
			if (i == 0)
				randombytes_buf(cell[i] + 8, n);
		}
		vx6_layer_seal_burst(op, 2);
		assert_int_equal(sums(op, 2, 16), 2);
		op[0].len = op[1].len = 8 + n + 16;
		vx6_layer_open_burst(op, 2);
		assert_int_equal(sums(op, 2, 0), 2);
		assert_int_equal(op[1].sum, 0);
		cell[0][8 + n] ^= 1;
		op[0].len = 8 + n + 16;
		vx6_layer_open_burst(op, 1);
		assert_int_equal(op[0].st, VX6_BAD_TAG);
		assert_false(op[0].summed);
	}
}

static void sums_on_the_way(void **state)
{
	(void)state;
	if (!vx6_suite_offers(VX6_SUITE_AEGIS128L)) {
		print_message("# SKIP cpu: no AES-NI\n");
		skip();
	}
	sums_at_every_length(VX6_SUITE_AEGIS128L);
	if (vx6_aead_burst_impl(VX6_ALG_AES256_GCM) == VX6_IMPL_OWN)
		sums_at_every_length(VX6_SUITE_AES256_GCM);
}

static void suites_that_are_not_here(void **state)
{
	static const unsigned none[] = { 0, 4, 255, 256 };
	uint8_t key[32] = { 1 }, iv[16] = { 1 };
	struct vx6_layer l;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(none); i++) {
		assert_false(vx6_suite_offers(none[i]));
		assert_int_equal(vx6_layer_init(&l, none[i], key, iv),
				 VX6_UNSUPPORTED);
	}
	assert_true(vx6_suite_offers(VX6_SUITE_CHACHA20_POLY1305));
}

static void wiped_is_zero(void **state)
{
	struct vx6_layer l = layer_of(VX6_SUITE_CHACHA20_POLY1305, 1);

	(void)state;
	vx6_layer_wipe(&l);
	assert_true(sodium_is_zero((const uint8_t *)&l, sizeof(l)));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(seal_and_open_at_every_length),
		cmocka_unit_test(every_bit_is_bound),
		cmocka_unit_test(key_iv_and_suite_are_bound),
		cmocka_unit_test(sizes_are_checked_first),
		cmocka_unit_test(the_nonce_is_iv_xor_counter),
		cmocka_unit_test(the_long_nonce_too),
		cmocka_unit_test(a_burst_is_single_calls),
		cmocka_unit_test(implementations_agree),
		cmocka_unit_test(sums_on_the_way),
		cmocka_unit_test(suites_that_are_not_here),
		cmocka_unit_test(wiped_is_zero),
	};

	return cmocka_run_group_tests_name("layer", test, start, NULL);
}
