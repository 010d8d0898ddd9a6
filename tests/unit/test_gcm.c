/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gcm: our own AES-256-GCM against published vectors and against both
 * libraries, at every length and alignment; that nothing beside the message
 * is read or written; every bit that may be wrong; and the sums. */

#include "tests/vectors/load.h"

#include <sodium.h>
#include <sys/mman.h>

#include "dataplane/wire/aead/gcm.h"

#define MAX   VX6_GCM_MAX
#define GUARD 0xa5

static bool have;

static int start(void **state)
{
	(void)state;
	if (vx6_aead_start() != VX6_OK)
		return -1;
	have = vx6_gcm_offers();
	return 0;
}

static void need(void)
{
	if (have)
		return;
	print_message("# SKIP cpu: no VAES, VPCLMULQDQ and AVX-512\n");
	skip();
}

static void key_of(struct vx6_gcm_key *k, const uint8_t *key)
{
	struct vx6_gcm_key *const to[VX6_GCM_KEYS] = { k, k, k, k };
	const uint8_t *const of[VX6_GCM_KEYS] = { key, key, key, key };

	vx6_gcm_keys(to, of);
}

/* RFC 1071, a word at a time, and folded. */
static uint32_t plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? p[i] : (uint32_t)p[i] << 8;
	sum = (sum >> 16) + (sum & 0xffffu);
	return (sum >> 16) + (sum & 0xffffu);
}

static void sum_is_right(const struct vx6_aead_lane *m, size_t len)
{
	uint32_t s = m->sum;

	assert_true(m->summed);
	assert_true(s < UINT32_C(1) << 31);
	s = (s >> 16) + (s & 0xffffu);
	s = (s >> 16) + (s & 0xffffu);
	assert_int_equal(s, plain_sum(m->text, len));
}

/* ---- published ---- */

static bool one_vector(const json_t *v)
{
	uint8_t key[32], nonce[12], ad[64], p[MAX + 16], c[MAX + 16];
	uint8_t text[MAX + 16];
	struct vx6_aead_lane m;
	struct vx6_gcm_key k;
	size_t n;

	if (strcmp(vec_text(v, "alg"), "aes-256-gcm") != 0 ||
	    vec_bytes(v, "ad", ad, sizeof(ad)) != 8)
		return false;
	vec_exact(v, "key", key, sizeof(key));
	vec_exact(v, "nonce", nonce, sizeof(nonce));
	n = vec_bytes(v, "plain", p, MAX);
	assert_int_equal(vec_bytes(v, "cipher", c, MAX), n);
	vec_exact(v, "tag", c + n, 16);
	key_of(&k, key);
	memcpy(text, p, n);
	m = (struct vx6_aead_lane){ .key = (const uint8_t *)&k,
				    .nonce = nonce,
				    .ad = ad,
				    .text = text };
	vx6_gcm_seal(&m, n);
	assert_memory_equal(text, c, n + 16);
	vx6_gcm_open(&m, n);
	assert_true(m.ok);
	assert_memory_equal(text, p, n);
	return true;
}

static void vectors(void **state)
{
	json_t *root = vec_load("aead");
	unsigned done = 0;
	const json_t *v;
	size_t i;

	(void)state;
	if (have)
		json_array_foreach(vec_list(root, "aead"), i, v)
			done += one_vector(v);
	json_decref(root);
	need();
	assert_true(done >= 8);
}

/* ---- against the libraries ---- */

/* Text at any place in its line; what is around it stays. */
struct place {
	VX6_ALIGNED(64) uint8_t mem[64 + 64 + MAX + 16 + 64];
	uint8_t *text;
};

static void put_at(struct place *p, size_t off, const uint8_t *text, size_t len)
{
	memset(p->mem, GUARD, sizeof(p->mem));
	p->text = p->mem + 64 + off;
	memcpy(p->text, text, len);
}

static void around(const struct place *p, size_t len)
{
	const uint8_t *end = p->text + len + 16;

	for (const uint8_t *q = p->mem; q < p->text; q++)
		assert_int_equal(*q, GUARD);
	for (const uint8_t *q = end; q < p->mem + sizeof(p->mem); q++)
		assert_int_equal(*q, GUARD);
}

struct subject {
	struct vx6_gcm_key own;
	struct vx6_aead lib;
};

static void one_length(const struct subject *s, size_t len, size_t off)
{
	static uint8_t p[MAX], want[MAX + 16];
	static struct place at;
	uint8_t mem[64 + 12 + 8], *nonce = mem + off, *ad = nonce + 12;
	struct vx6_aead_lane m;

	randombytes_buf(p, len);
	randombytes_buf(mem, sizeof(mem));
	vx6_aead_seal(&s->lib, nonce, ad, 8, want, p, len);
	put_at(&at, off, p, len);
	m = (struct vx6_aead_lane){ .key = (const uint8_t *)&s->own,
				    .nonce = nonce,
				    .ad = ad,
				    .text = at.text };
	if (len % 2 != 0) {
		m.ahead = p;
		m.ahead_key = m.key;
	}
	vx6_gcm_seal(&m, len);
	assert_memory_equal(at.text, want, len + 16);
	around(&at, len);
	sum_is_right(&m, len + 16);
	vx6_gcm_open(&m, len);
	assert_true(m.ok);
	assert_memory_equal(at.text, p, len);
	assert_memory_equal(at.text + len, want + len, 16);
	around(&at, len);
	sum_is_right(&m, len);
}

static void against(enum vx6_aead_impl impl)
{
	struct subject s = { 0 };
	uint8_t key[33];

	assert_int_equal(vx6_aead_force(impl), VX6_OK);
	for (size_t len = 0; len <= MAX; len++) {
		randombytes_buf(key, sizeof(key));
		assert_int_equal(vx6_aead_init(&s.lib, VX6_ALG_AES256_GCM,
					       key + len % 2),
				 VX6_OK);
		key_of(&s.own, key + len % 2);
		one_length(&s, len, len % 64);
		one_length(&s, len, randombytes_uniform(64));
	}
	for (size_t off = 0; off < 64; off++)
		for (size_t len = 0; len <= MAX; len += 1 + off)
			one_length(&s, len, off);
}

static void against_libsodium(void **state)
{
	(void)state;
	need();
	against(VX6_IMPL_SODIUM);
}

static void against_ipsec_mb(void **state)
{
	(void)state;
	need();
	if (vx6_aead_force(VX6_IMPL_IPSEC_MB) != VX6_OK) {
		print_message("# SKIP cpu: ipsec-mb does not run here\n");
		skip();
	}
	against(VX6_IMPL_IPSEC_MB);
}

/* Text whose words are all 0 or all 1 has sums at the ends of their range. */
static void sums_at_the_ends(void **state)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, ad[8] = { 3 };
	static uint8_t text[MAX + 16];
	struct vx6_gcm_key k;
	struct vx6_aead_lane m = { .key = (const uint8_t *)&k,
				   .nonce = nonce,
				   .ad = ad,
				   .text = text };

	(void)state;
	need();
	key_of(&k, key);
	for (size_t len = 0; len <= MAX; len++)
		for (int byte = 0; byte < 256; byte += 255) {
			memset(text, byte, len);
			vx6_gcm_seal(&m, len);
			sum_is_right(&m, len + 16);
			vx6_gcm_open(&m, len);
			assert_true(m.ok);
			sum_is_right(&m, len);
			if (byte == 0)
				assert_int_equal(m.sum, 0);
		}
}

/* ---- nothing beside it ---- */

/* Two pages that may be used between two that may not. */
static uint8_t *fenced(size_t page)
{
	uint8_t *p = mmap(NULL, 4 * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + page, 2 * page, PROT_READ | PROT_WRITE),
			 0);
	return p;
}

/* Everything stands at the end, or at the beginning, of what may be read;
 * what comes next may be anywhere. */
static void at_the_edges(void **state)
{
	enum { PAGE = 4096 };
	uint8_t *a = fenced(PAGE), *b = fenced(PAGE), *c = fenced(PAGE);
	uint8_t *d = fenced(PAGE), key[32] = { 7 };
	struct vx6_gcm_key *k;

	(void)state;
	need();
	k = (struct vx6_gcm_key *)(void *)(c + 3 * PAGE - sizeof(*k));
	key_of(k, key);
	for (size_t len = 0; len <= MAX; len++)
		for (unsigned end = 0; end < 2; end++) {
			struct vx6_aead_lane m = {
				.key = (const uint8_t *)k,
				.nonce = end ? d + 3 * PAGE - 12 : d + PAGE,
				.ad = end ? b + 3 * PAGE - 8 : b + PAGE,
				.text = end ? a + 3 * PAGE - 16 - len
					    : a + PAGE,
				.ahead = end ? a + 3 * PAGE : a,
				.ahead_key = end ? NULL : c + 3 * PAGE,
			};

			vx6_gcm_seal(&m, len);
			vx6_gcm_open(&m, len);
			assert_true(m.ok);
		}
	munmap(a, (size_t)4 * PAGE);
	munmap(b, (size_t)4 * PAGE);
	munmap(c, (size_t)4 * PAGE);
	munmap(d, (size_t)4 * PAGE);
}

/* ---- what is bound ---- */

/* Each bit of nonce, associated data, text and tag is wrong once. */
static void each_bit(size_t len)
{
	static uint8_t msg[12 + 8 + MAX + 16], bad[sizeof(msg)];
	size_t bits = (12 + 8 + len + 16) * 8;
	uint8_t key[32];
	struct vx6_gcm_key k;
	struct vx6_aead_lane m = { .key = (const uint8_t *)&k };

	randombytes_buf(key, sizeof(key));
	randombytes_buf(msg, sizeof(msg));
	key_of(&k, key);
	m.nonce = msg;
	m.ad = msg + 12;
	m.text = msg + 20;
	vx6_gcm_seal(&m, len);
	m.nonce = bad;
	m.ad = bad + 12;
	m.text = bad + 20;
	for (size_t bit = 0; bit <= bits; bit++) {
		memcpy(bad, msg, sizeof(bad));
		if (bit < bits)
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		vx6_gcm_open(&m, len);
		if (m.ok != (bit == bits))
			fail_msg("length %zu, bit %zu: %d", len, bit, m.ok);
		assert_int_equal(m.summed, m.ok);
	}
}

static void a_flipped_bit_is_refused(void **state)
{
	static const size_t len[] = { 0,   1,   15,  16,  47,  48,
				      63,  64,  112, 190, 191, 192,
				      256, 300, 511, 512, 700, 1168 };

	(void)state;
	need();
	for (unsigned i = 0; i < VX6_COUNT(len); i++)
		each_bit(len[i]);
}

/* ---- keys ---- */

/* Round keys are FIPS 197's, as the constant-time form has them; and four
 * keys at a time are each what it is alone. */
static void four_keys_are_four_keys(void **state)
{
	struct vx6_gcm_key four[VX6_GCM_KEYS], one;
	struct vx6_gcm_key *to[VX6_GCM_KEYS];
	uint8_t key[VX6_GCM_KEYS][33];
	const uint8_t *of[VX6_GCM_KEYS];
	struct vx6_aes aes;

	(void)state;
	need();
	for (unsigned turn = 0; turn < 1000; turn++) {
		randombytes_buf(key, sizeof(key));
		for (unsigned i = 0; i < VX6_GCM_KEYS; i++) {
			to[i] = &four[i];
			of[i] = key[i] + turn % 2;
		}
		vx6_gcm_keys(to, of);
		for (unsigned i = 0; i < VX6_GCM_KEYS; i++) {
			key_of(&one, of[i]);
			assert_memory_equal(&one, &four[i],
					    sizeof(one.round) + sizeof(one.h));
			vx6_aes_soft_init(&aes, of[i], 32);
			assert_memory_equal(one.round, aes.enc,
					    sizeof(one.round));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(against_libsodium),
		cmocka_unit_test(against_ipsec_mb),
		cmocka_unit_test(sums_at_the_ends),
		cmocka_unit_test(at_the_edges),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(four_keys_are_four_keys),
	};

	return cmocka_run_group_tests_name("gcm", test, start, NULL);
}
