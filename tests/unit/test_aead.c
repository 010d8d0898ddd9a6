/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead: published vectors under each implementation, then the two
 * implementations against each other over every length that a cell can
 * have, then every bit that may be wrong. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/aead/aegis.h"
#include "dataplane/wire/aead/gcm.h"

#define MAX 1500

static const enum vx6_alg algs[] = { VX6_ALG_AES128_GCM, VX6_ALG_AES256_GCM,
				     VX6_ALG_CHACHA20_POLY1305 };

static int start(void **state)
{
	(void)state;
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

static void need(enum vx6_aead_impl impl)
{
	if (vx6_aead_force(impl) == VX6_OK)
		return;
	print_message("# SKIP cpu: no AES-NI, PCLMULQDQ and SSE4.2\n");
	skip();
}

static size_t key_len(enum vx6_alg alg)
{
	return alg == VX6_ALG_AES128_GCM ? 16 : 32;
}

static enum vx6_alg alg_named(const char *name)
{
	if (strcmp(name, "aes-128-gcm") == 0)
		return VX6_ALG_AES128_GCM;
	if (strcmp(name, "aes-256-gcm") == 0)
		return VX6_ALG_AES256_GCM;
	assert_string_equal(name, "chacha20-poly1305");
	return VX6_ALG_CHACHA20_POLY1305;
}

/* Seals and opens one vector, apart and in place.  False: not offered. */
static bool one_vector(const json_t *v)
{
	uint8_t key[32], nonce[12], ad[64], p[MAX], c[MAX + 16], out[MAX + 16];
	enum vx6_alg alg = alg_named(vec_text(v, "alg"));
	struct vx6_aead a;

	vec_exact(v, "key", key, key_len(alg));
	vec_exact(v, "nonce", nonce, sizeof(nonce));
	size_t ad_len = vec_bytes(v, "ad", ad, sizeof(ad));
	size_t n = vec_bytes(v, "plain", p, sizeof(p));
	assert_int_equal(vec_bytes(v, "cipher", c, sizeof(c) - 16), n);
	vec_exact(v, "tag", c + n, 16);
	if (!vx6_aead_offers(alg))
		return false;

	assert_int_equal(vx6_aead_init(&a, alg, key), VX6_OK);
	vx6_aead_seal(&a, nonce, ad, ad_len, out, p, n);
	assert_memory_equal(out, c, n + 16);
	memcpy(out, p, n);
	vx6_aead_seal(&a, nonce, ad, ad_len, out, out, n);
	assert_memory_equal(out, c, n + 16);
	assert_int_equal(vx6_aead_open(&a, nonce, ad, ad_len, out, c, n + 16),
			 VX6_OK);
	assert_memory_equal(out, p, n);
	memcpy(out, c, n + 16);
	assert_int_equal(vx6_aead_open(&a, nonce, ad, ad_len, out, out, n + 16),
			 VX6_OK);
	assert_memory_equal(out, p, n);
	return true;
}

static unsigned all_vectors(const char *file)
{
	json_t *root = vec_load(file);
	const json_t *v;
	unsigned done = 0;
	size_t i;

	json_array_foreach(vec_list(root, "aead"), i, v)
		done += one_vector(v) ? 1 : 0;
	json_decref(root);
	return done;
}

static void published_under_ipsec_mb(void **state)
{
	(void)state;
	need(VX6_IMPL_IPSEC_MB);
	assert_int_equal(all_vectors("published"), 10);
}

static void published_under_libsodium(void **state)
{
	(void)state;
	need(VX6_IMPL_SODIUM);
	assert_int_equal(all_vectors("published"),
			 vx6_aead_offers(VX6_ALG_AES256_GCM) ? 6 : 2);
}

static void second_implementation_agrees(void **state)
{
	(void)state;
	need(VX6_IMPL_SODIUM);
	assert_int_equal(all_vectors("aead"),
			 vx6_aead_offers(VX6_ALG_AES256_GCM) ? 32 : 16);
	need(VX6_IMPL_IPSEC_MB);
	assert_int_equal(all_vectors("aead"), 48);
}

static void offers_are_true(void **state)
{
	uint8_t key[32] = { 1 };
	struct vx6_aead a;

	(void)state;
	for (int impl = VX6_IMPL_SODIUM; impl <= VX6_IMPL_IPSEC_MB; impl++) {
		if (vx6_aead_force((enum vx6_aead_impl)impl) != VX6_OK)
			continue;
		for (unsigned alg = 0; alg < 7; alg++) {
			bool said = vx6_aead_offers((enum vx6_alg)alg);

			assert_int_equal(
				vx6_aead_init(&a, (enum vx6_alg)alg, key),
				said ? VX6_OK : VX6_UNSUPPORTED);
		}
		assert_true(vx6_aead_offers(VX6_ALG_CHACHA20_POLY1305));
		assert_int_equal(vx6_aead_offers(VX6_ALG_AES128_GCM),
				 impl == VX6_IMPL_IPSEC_MB);
	}
	assert_int_equal(vx6_aead_force(VX6_IMPL_OWN),
			 vx6_gcm_offers() ? VX6_OK : VX6_UNSUPPORTED);
	assert_int_equal(vx6_aead_offers(VX6_ALG_AEGIS128L),
			 vx6_aegis_offers());
	assert_false(vx6_aead_offers((enum vx6_alg)0));
	assert_false(vx6_aead_offers((enum vx6_alg)5));
}

static void the_name_tells_which(void **state)
{
	(void)state;
	assert_int_equal(vx6_aead_force(VX6_IMPL_SODIUM), VX6_OK);
	assert_non_null(strstr(vx6_aead_impl_name(), "libsodium"));
	need(VX6_IMPL_IPSEC_MB);
	assert_non_null(strstr(vx6_aead_impl_name(), "ipsec-mb "));
}

/* Every length up to a cell's, associated data 0 to 40 bytes. */
static void implementations_agree(enum vx6_alg alg)
{
	static uint8_t p[MAX], x[MAX + 16], y[MAX + 16];
	uint8_t key[32], nonce[12], ad[40];
	struct vx6_aead mb, so;

	randombytes_buf(key, sizeof(key));
	randombytes_buf(ad, sizeof(ad));
	randombytes_buf(p, sizeof(p));
	assert_int_equal(vx6_aead_force(VX6_IMPL_SODIUM), VX6_OK);
	if (!vx6_aead_offers(alg))
		return;
	assert_int_equal(vx6_aead_init(&so, alg, key), VX6_OK);
	assert_int_equal(vx6_aead_force(VX6_IMPL_IPSEC_MB), VX6_OK);
	assert_int_equal(vx6_aead_init(&mb, alg, key), VX6_OK);
	for (size_t n = 0; n <= MAX; n++) {
		size_t ad_len = n % (sizeof(ad) + 1);

		randombytes_buf(nonce, sizeof(nonce));
		vx6_aead_seal(&mb, nonce, ad, ad_len, x, p, n);
		vx6_aead_seal(&so, nonce, ad, ad_len, y, p, n);
		assert_memory_equal(x, y, n + 16);
		assert_int_equal(
			vx6_aead_open(&so, nonce, ad, ad_len, x, x, n + 16),
			VX6_OK);
		assert_int_equal(
			vx6_aead_open(&mb, nonce, ad, ad_len, y, y, n + 16),
			VX6_OK);
		assert_memory_equal(x, p, n);
		assert_memory_equal(y, p, n);
	}
}

static void both_agree_at_every_length(void **state)
{
	(void)state;
	need(VX6_IMPL_IPSEC_MB);
	implementations_agree(VX6_ALG_AES256_GCM);
	implementations_agree(VX6_ALG_CHACHA20_POLY1305);
}

static void flip(uint8_t *p, size_t bit)
{
	p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* One message; each bit of nonce, associated data, ciphertext and tag is
 * wrong once. */
static void each_bit_counts(enum vx6_alg alg)
{
	uint8_t key[32], msg[12 + 8 + 33 + 16], bad[sizeof(msg)], out[49];
	struct vx6_aead a;

	randombytes_buf(key, sizeof(key));
	randombytes_buf(msg, sizeof(msg));
	assert_int_equal(vx6_aead_init(&a, alg, key), VX6_OK);
	vx6_aead_seal(&a, msg, msg + 12, 8, msg + 20, msg + 20, 33);
	for (size_t bit = 0; bit < sizeof(msg) * 8; bit++) {
		memcpy(bad, msg, sizeof(bad));
		flip(bad, bit);
		if (vx6_aead_open(&a, bad, bad + 12, 8, out, bad + 20, 49) !=
		    VX6_BAD_TAG)
			fail_msg("alg %d, bit %zu passed", (int)alg, bit);
	}
	assert_int_equal(vx6_aead_open(&a, msg, msg + 12, 8, out, msg + 20, 49),
			 VX6_OK);
}

static void a_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (int impl = VX6_IMPL_SODIUM; impl <= VX6_IMPL_IPSEC_MB; impl++)
		for (unsigned i = 0; i < VX6_COUNT(algs); i++)
			if (vx6_aead_force((enum vx6_aead_impl)impl) ==
				    VX6_OK &&
			    vx6_aead_offers(algs[i]))
				each_bit_counts(algs[i]);
}

static void shorter_than_a_tag(void **state)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 0 }, c[16] = { 0 }, out[16];
	struct vx6_aead a;

	(void)state;
	assert_int_equal(vx6_aead_init(&a, VX6_ALG_CHACHA20_POLY1305, key),
			 VX6_OK);
	for (size_t n = 0; n < 16; n++)
		assert_int_equal(vx6_aead_open(&a, nonce, NULL, 0, out, c, n),
				 VX6_TRUNCATED);
	vx6_aead_seal(&a, nonce, NULL, 0, c, c, 0);
	assert_int_equal(vx6_aead_open(&a, nonce, NULL, 0, out, c, 16), VX6_OK);
}

static void wiped_is_zero(void **state)
{
	uint8_t key[32] = { 1 };
	struct vx6_aead a;
	struct vx6_aes b;

	(void)state;
	assert_int_equal(vx6_aead_init(&a, VX6_ALG_CHACHA20_POLY1305, key),
			 VX6_OK);
	vx6_aes_init(&b, key, sizeof(key));
	vx6_aead_wipe(&a);
	vx6_aes_wipe(&b);
	assert_true(sodium_is_zero((const uint8_t *)&a, sizeof(a)));
	assert_true(sodium_is_zero((const uint8_t *)&b, sizeof(b)));
}

/* ---- one AES block ---- */

typedef void aes_fn(const struct vx6_aes *a, uint8_t out[16],
		    const uint8_t in[16]);

static void aes_published(aes_fn *enc, aes_fn *dec)
{
	json_t *root = vec_load("published");
	uint8_t key[32], p[16], c[16], out[16];
	struct vx6_aes a;
	const json_t *v;
	size_t i;

	json_array_foreach(vec_list(root, "aes"), i, v)
	{
		size_t n = vec_bytes(v, "key", key, sizeof(key));

		vec_exact(v, "plain", p, sizeof(p));
		vec_exact(v, "cipher", c, sizeof(c));
		vx6_aes_init(&a, key, n);
		enc(&a, out, p);
		assert_memory_equal(out, c, 16);
		dec(&a, out, out);
		assert_memory_equal(out, p, 16);
	}
	json_decref(root);
}

static void aes_in_software(void **state)
{
	(void)state;
	aes_published(vx6_aes_soft_encrypt, vx6_aes_soft_decrypt);
}

static void aes_as_picked(void **state)
{
	(void)state;
	aes_published(vx6_aes_encrypt, vx6_aes_decrypt);
}

static void aes_key_schedule(void **state)
{
	json_t *root = vec_load("published");
	uint8_t key[32], last[16];
	struct vx6_aes a;
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "aes_schedule"), i, v)
	{
		size_t n = vec_bytes(v, "key", key, sizeof(key));

		vec_exact(v, "last", last, sizeof(last));
		vx6_aes_init(&a, key, n);
		assert_memory_equal(a.enc + a.rounds * 16, last, 16);
		assert_memory_equal(a.dec, last, 16);
		assert_memory_equal(a.dec + a.rounds * 16, key, 16);
	}
	json_decref(root);
}

static void aes_hardware_and_software_agree(void **state)
{
	(void)state;
	if (!vx6_aes_ni_offers()) {
		print_message("# SKIP cpu: no AES-NI\n");
		skip();
	}
	aes_published(vx6_aes_ni_encrypt, vx6_aes_ni_decrypt);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t key[32], in[16], x[16], y[16];
		struct vx6_aes a;

		randombytes_buf(key, sizeof(key));
		randombytes_buf(in, sizeof(in));
		vx6_aes_init(&a, key, i % 2 == 0 ? 16 : 32);
		vx6_aes_ni_encrypt(&a, x, in);
		vx6_aes_soft_encrypt(&a, y, in);
		assert_memory_equal(x, y, 16);
		vx6_aes_ni_decrypt(&a, x, in);
		vx6_aes_soft_decrypt(&a, y, in);
		assert_memory_equal(x, y, 16);
	}
}

/* Many at once are one after the other, whatever key each has. */
static void aes_many_are_each(void **state)
{
	static struct vx6_aes a[3];
	static uint8_t one[64][16], many[64][16], was[64][16];
	struct vx6_aes_op op[64];
	uint8_t key[32];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		randombytes_buf(key, sizeof(key));
		vx6_aes_init(&a[i], key, i == 2 ? 32 : 16);
	}
	for (unsigned n = 0; n <= 64; n += n < 9 ? 1 : 11) {
		randombytes_buf(was, sizeof(was));
		memcpy(one, was, sizeof(was));
		memcpy(many, was, sizeof(was));
		for (unsigned i = 0; i < n; i++) {
			op[i] = (struct vx6_aes_op){ &a[i % 3], many[i] };
			vx6_aes_encrypt(&a[i % 3], one[i], one[i]);
		}
		vx6_aes_encrypt_each(op, n);
		assert_memory_equal(one, many, sizeof(one));
		vx6_aes_decrypt_each(op, n);
		assert_memory_equal(was, many, sizeof(was));
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(published_under_ipsec_mb),
		cmocka_unit_test(published_under_libsodium),
		cmocka_unit_test(second_implementation_agrees),
		cmocka_unit_test(offers_are_true),
		cmocka_unit_test(the_name_tells_which),
		cmocka_unit_test(both_agree_at_every_length),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(shorter_than_a_tag),
		cmocka_unit_test(wiped_is_zero),
		cmocka_unit_test(aes_in_software),
		cmocka_unit_test(aes_as_picked),
		cmocka_unit_test(aes_key_schedule),
		cmocka_unit_test(aes_hardware_and_software_agree),
		cmocka_unit_test(aes_many_are_each),
	};

	return cmocka_run_group_tests_name("aead", test, start, NULL);
}
