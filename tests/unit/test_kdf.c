/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdf: the names of PROTOCOL.md section 1 against its own vectors
 * (section 14), published ones, and what each function must refuse. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/wire/kdf.h"
#include "dataplane/wire/window.h"

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

static void equals_hex(const uint8_t *got, const char *hex)
{
	uint8_t want[64];
	size_t n = 0;

	assert_int_equal(sodium_hex2bin(want, sizeof(want), hex, strlen(hex),
					NULL, &n, NULL),
			 0);
	assert_memory_equal(got, want, n);
}

static void section_14(void **state)
{
	uint8_t prk[32], out[32];
	struct vx6_part part[] = {
		{ "ab", 2 },
                { "",   0 }
	};

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		prk[i] = (uint8_t)i;
	vx6_key(out, 32, prk, "VX6circ1", 1);
	equals_hex(out, "963f0b4661f3c64d438bd0848556969857a8572248c2921e64c1"
			"9bf254469722");
	vx6_hash(out, "vx6/1 test", part, 2);
	equals_hex(out, "8b9c83c486100fb7a9d88a5190dbaf1c07598371f38387c23de6"
			"1f6b40bf986f");
}

/* Lengths are in the hash: nothing can move between neighbours. */
static void hash_binds_the_parts_edges(void **state)
{
	const struct vx6_part one[] = {
		{ "abc", 3 }
	};
	const struct vx6_part two[] = {
		{ "ab", 2 },
                { "c",  1 }
	};
	const struct vx6_part three[] = {
		{ "ab", 2 },
                { "c",  1 },
                { NULL, 0 }
	};
	uint8_t h[6][64];

	(void)state;
	vx6_hash(h[0], "vx6/1 x", one, 1);
	vx6_hash(h[1], "vx6/1 x", two, 2);
	vx6_hash(h[2], "vx6/1 x", three, 3);
	vx6_hash(h[3], "vx6/1 xa", one, 1);
	vx6_hash(h[4], "vx6/1 x", NULL, 0);
	vx6_hash64(h[5], "vx6/1 x", one, 1);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(h[i], h[j], 32);
}

static void x25519_published(void **state)
{
	json_t *root = vec_load("published");
	uint8_t k[32], u[32], want[32], out[32];
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "x25519"), i, v)
	{
		vec_exact(v, "scalar", k, 32);
		vec_exact(v, "point", u, 32);
		vec_exact(v, "out", want, 32);
		assert_int_equal(vx6_dh(out, k, u), VX6_OK);
		assert_memory_equal(out, want, 32);
	}
	json_decref(root);
}

/* RFC 7748 section 5.2, iterated: k, u = X25519(k, u), k. */
static void x25519_a_thousand_times(void **state)
{
	uint8_t k[32] = { 9 }, u[32] = { 9 }, out[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(vx6_dh(out, k, u), VX6_OK);
		memcpy(u, k, 32);
		memcpy(k, out, 32);
	}
	equals_hex(k, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d"
		      "99532c51");
}

/* The points of small order, RFC 7748 section 6.1's zero check. */
static void small_order_points_are_refused(void **state)
{
	static const char *const point[] = {
		"0000000000000000000000000000000000000000000000000000000000000"
		"000",
		"0100000000000000000000000000000000000000000000000000000000000"
		"000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b"
		"800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1"
		"157",
		"ecfffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"f7f",
		"edfffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"f7f",
		"eefffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"f7f",
	};
	uint8_t k[32], u[32], out[32];

	(void)state;
	randombytes_buf(k, sizeof(k));
	for (unsigned i = 0; i < VX6_COUNT(point); i++) {
		assert_int_equal(
			sodium_hex2bin(u, 32, point[i], 64, NULL, NULL, NULL),
			0);
		memset(out, 0xee, sizeof(out));
		assert_int_equal(vx6_dh(out, k, u), VX6_BAD_KEY);
		assert_true(sodium_is_zero(out, sizeof(out)));
		assert_true(vx6_point_is_small(u));
		u[31] |= 0x80; /* a bit that X25519 does not look at */
		assert_int_equal(vx6_dh(out, k, u), VX6_BAD_KEY);
		assert_true(vx6_point_is_small(u));
		for (unsigned bit = 0; bit < 255; bit++) {
			u[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(vx6_point_is_small(u),
					 vx6_dh(out, k, u) != VX6_OK);
			u[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void ed25519_published(void **state)
{
	json_t *root = vec_load("published");
	uint8_t seed[32], pk[32], want[32], sk[64], msg[8], sig[64], made[64];
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "ed25519"), i, v)
	{
		size_t n = vec_bytes(v, "message", msg, sizeof(msg));

		vec_exact(v, "seed", seed, 32);
		vec_exact(v, "public", want, 32);
		vec_exact(v, "signature", sig, 64);
		crypto_sign_seed_keypair(pk, sk, seed);
		assert_memory_equal(pk, want, 32);
		crypto_sign_detached(made, NULL, msg, n, sk);
		assert_memory_equal(made, sig, 64);
		assert_int_equal(crypto_sign_verify_detached(sig, msg, n, pk),
				 0);
		sig[0] ^= 1;
		assert_int_not_equal(
			crypto_sign_verify_detached(sig, msg, n, pk), 0);
	}
	json_decref(root);
}

#define PARTS 8

static void hash_vector(const json_t *v)
{
	static uint8_t data[PARTS][8192];
	struct vx6_part part[PARTS];
	const json_t *list = json_object_get(v, "parts");
	uint8_t want[64], got[64];
	size_t n = json_array_size(list);

	assert_in_range(n, 0, PARTS);
	for (size_t i = 0; i < n; i++) {
		const char *hex = json_string_value(json_array_get(list, i));

		assert_int_equal(sodium_hex2bin(data[i], sizeof(data[i]), hex,
						strlen(hex), NULL, &part[i].len,
						NULL),
				 0);
		part[i].data = data[i];
	}
	vec_exact(v, "hash", want, 32);
	vx6_hash(got, vec_text(v, "label"), part, n);
	assert_memory_equal(got, want, 32);
	vec_exact(v, "hash64", want, 64);
	vx6_hash64(got, vec_text(v, "label"), part, n);
	assert_memory_equal(got, want, 64);
}

static void key_vector(const json_t *v)
{
	uint8_t prk[32], want[64], got[64];
	size_t n = vec_bytes(v, "out", want, sizeof(want));

	vec_exact(v, "prk", prk, 32);
	vx6_key(got, n, prk, vec_text(v, "ctx"), vec_int(v, "id"));
	assert_memory_equal(got, want, n);
	vx6_key(got, 16, prk, vec_text(v, "ctx"), vec_int(v, "id"));
	assert_int_equal(vx6_ctr_start(got), vec_int(v, "start"));
}

static void seal_vector(const json_t *v)
{
	static uint8_t ad[2048], p[2048], want[2048], got[2048];
	uint8_t k[32];
	size_t ad_len = vec_bytes(v, "ad", ad, sizeof(ad));
	size_t n = vec_bytes(v, "plain", p, sizeof(p));

	vec_exact(v, "k", k, 32);
	vec_exact(v, "sealed", want, n + 16);
	vx6_seal(got, k, ad, ad_len, p, n);
	assert_memory_equal(got, want, n + 16);
	assert_int_equal(vx6_open(got, k, ad, ad_len, want, n + 16), VX6_OK);
	assert_memory_equal(got, p, n);
}

static void dh_vector(const json_t *v)
{
	uint8_t s[32], p[32], want[32], got[32];

	vec_exact(v, "secret", s, 32);
	vec_exact(v, "point", p, 32);
	vec_exact(v, "out", want, 32);
	assert_int_equal(vx6_dh(got, s, p), VX6_OK);
	assert_memory_equal(got, want, 32);
}

static void small_vectors(const json_t *root)
{
	static uint8_t want[2048], got[2048], ikm[2048];
	uint8_t k[32];
	const json_t *v;
	size_t i;

	json_array_foreach(vec_list(root, "extract"), i, v)
	{
		size_t n = vec_bytes(v, "ikm", ikm, sizeof(ikm));

		vec_exact(v, "h", k, 32);
		vec_exact(v, "out", want, 32);
		vx6_extract(got, k, ikm, n);
		assert_memory_equal(got, want, 32);
	}
	json_array_foreach(vec_list(root, "stream"), i, v)
	{
		size_t n = vec_bytes(v, "out", want, sizeof(want));

		vec_exact(v, "k", k, 32);
		memset(got, 0, n);
		vx6_stream_xor(got, n, k, 0);
		assert_memory_equal(got, want, n);
	}
	json_array_foreach(vec_list(root, "id"), i, v)
	{
		vec_exact(v, "public", k, 32);
		vec_exact(v, "id", want, 32);
		vx6_node_id(got, k);
		assert_memory_equal(got, want, 32);
		assert_int_equal(vx6_kid(k), vec_int(v, "kid"));
	}
}

static void second_implementation_agrees(void **state)
{
	json_t *root = vec_load("kdf");
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "hash"), i, v) hash_vector(v);
	json_array_foreach(vec_list(root, "key"), i, v) key_vector(v);
	json_array_foreach(vec_list(root, "seal"), i, v) seal_vector(v);
	json_array_foreach(vec_list(root, "dh"), i, v) dh_vector(v);
	small_vectors(root);
	json_decref(root);
}

/* Section 14's blinding: HASH64 is ours, the curve is libsodium's. */
static void section_14_blinding(void **state)
{
	uint8_t seed[32], s[18], epoch[8] = { [7] = 1 }, pk[32], sk[64];
	uint8_t wide[64], h[32], a[32], blinded[32], secret[32], d[64];

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		seed[i] = (uint8_t)i;
	for (unsigned i = 0; i < 18; i++)
		s[i] = (uint8_t)(0xa0 + i);
	crypto_sign_seed_keypair(pk, sk, seed);
	equals_hex(pk, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc"
		       "8664125531b8");
	const struct vx6_part part[] = {
		{ pk,    32 },
                { s,     18 },
                { epoch, 8  }
	};
	vx6_hash64(wide, "vx6/1 blind", part, 3);
	crypto_core_ed25519_scalar_reduce(h, wide);
	equals_hex(h, "55995459410f698204143ebe4f6fb2ef97b9f14c4686c18c800706"
		      "d07be7f90c");
	assert_int_equal(crypto_scalarmult_ed25519_noclamp(blinded, h, pk), 0);
	equals_hex(blinded, "837e0d0a570a15f36571baaa4bafa3696c1e205102485395"
			    "5b7ce589e2de7e89");

	crypto_hash_sha512(d, seed, 32);
	memcpy(a, d, 32);
	a[0] &= 0xf8;
	a[31] = (uint8_t)((a[31] & 0x7f) | 0x40);
	crypto_core_ed25519_scalar_mul(secret, h, a);
	crypto_scalarmult_ed25519_base_noclamp(a, secret);
	assert_memory_equal(a, blinded, 32);

	const struct vx6_part nonce[] = {
		{ d + 32,  32 },
                { blinded, 32 }
	};
	uint8_t m[32 + 77], r[32], big_r[32], k[32], got[64];
	vx6_hash64(wide, "vx6/1 blind nonce", nonce, 2);
	memcpy(m, wide, 32);
	memset(m + 32, 0x5a, 77);
	crypto_hash_sha512(wide, m, sizeof(m));
	crypto_core_ed25519_scalar_reduce(r, wide);
	crypto_scalarmult_ed25519_base_noclamp(big_r, r);
	uint8_t kin[32 + 32 + 77];
	memcpy(kin, big_r, 32);
	memcpy(kin + 32, blinded, 32);
	memset(kin + 64, 0x5a, 77);
	crypto_hash_sha512(wide, kin, sizeof(kin));
	crypto_core_ed25519_scalar_reduce(k, wide);
	crypto_core_ed25519_scalar_mul(k, k, secret);
	memcpy(got, big_r, 32);
	crypto_core_ed25519_scalar_add(got + 32, k, r);
	equals_hex(got, "b9aa394b27cfa4067df9c4d2530ffd5011c094247fabc07c982e"
			"4751935d96c7");
	equals_hex(got + 32, "4436afa5639673b3943a5100c12f81ef2a7d12067af4b3a8"
			     "7c54668734329f0e");
	assert_int_equal(crypto_sign_verify_detached(got, m + 32, 77, blinded),
			 0);
}

static void seal_and_open(void **state)
{
	uint8_t k[32], ad[5] = "adata", p[80], c[96], bad[96], out[96];

	(void)state;
	randombytes_buf(k, sizeof(k));
	randombytes_buf(p, sizeof(p));
	vx6_seal(c, k, ad, sizeof(ad), p, sizeof(p));
	assert_int_equal(vx6_open(out, k, ad, sizeof(ad), c, sizeof(c)),
			 VX6_OK);
	assert_memory_equal(out, p, sizeof(p));
	memcpy(out, p, sizeof(p));
	vx6_seal(out, k, ad, sizeof(ad), out, sizeof(p));
	assert_memory_equal(out, c, sizeof(c));
	for (size_t bit = 0; bit < sizeof(c) * 8; bit++) {
		memcpy(bad, c, sizeof(c));
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(out, 0, sizeof(out));
		assert_int_equal(
			vx6_open(out, k, ad, sizeof(ad), bad, sizeof(bad)),
			VX6_BAD_TAG);
		assert_true(sodium_is_zero(out, 80));
	}
	assert_int_equal(vx6_open(out, k, ad, 4, c, sizeof(c)), VX6_BAD_TAG);
	assert_int_equal(vx6_open(out, k, NULL, 0, c, sizeof(c)), VX6_BAD_TAG);
	for (size_t n = 0; n < 16; n++)
		assert_int_equal(vx6_open(out, k, ad, 5, c, n), VX6_TRUNCATED);
}

static void stream_skips(void **state)
{
	uint8_t k[32], nonce[12] = { 0 }, all[300], part[300];

	(void)state;
	randombytes_buf(k, sizeof(k));
	crypto_stream_chacha20_ietf(all, sizeof(all), nonce, k);
	for (size_t skip = 0; skip <= sizeof(all); skip++)
		for (size_t len = 0; len <= sizeof(all) - skip; len += 7) {
			memset(part, 0x55, sizeof(part));
			vx6_stream_xor(part, len, k, skip);
			for (size_t i = 0; i < len; i++)
				part[i] ^= 0x55;
			assert_memory_equal(part, all + skip, len);
			if (len < sizeof(part))
				assert_int_equal(part[len], 0x55);
		}
}

static void kid_is_a_prefix_of_the_same_hash(void **state)
{
	uint8_t pk[32], id[32];

	(void)state;
	randombytes_buf(pk, sizeof(pk));
	vx6_node_id(id, pk);
	assert_int_equal(vx6_kid(pk), (uint32_t)id[0] << 24 |
					      (uint32_t)id[1] << 16 |
					      (uint32_t)id[2] << 8 | id[3]);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(section_14),
		cmocka_unit_test(hash_binds_the_parts_edges),
		cmocka_unit_test(x25519_published),
		cmocka_unit_test(x25519_a_thousand_times),
		cmocka_unit_test(small_order_points_are_refused),
		cmocka_unit_test(ed25519_published),
		cmocka_unit_test(second_implementation_agrees),
		cmocka_unit_test(section_14_blinding),
		cmocka_unit_test(seal_and_open),
		cmocka_unit_test(stream_skips),
		cmocka_unit_test(kid_is_a_prefix_of_the_same_hash),
	};

	return cmocka_run_group_tests_name("kdf", test, start, NULL);
}
