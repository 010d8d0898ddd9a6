/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aegis: a model of AEGIS-128L that is written from the text and too slow
 * and simple to be wrong; the published vectors under the model, one
 * message and lanes; then the three against each other on random input. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/wire/aead/aegis.h"

#define MAX   1500u
#define AD    80u
#define LANES VX6_AEAD_LANES

/* ---- the model ---- */

typedef struct {
	uint8_t b[16];
} blk;

static blk x_or(blk a, blk b)
{
	for (unsigned i = 0; i < 16; i++)
		a.b[i] ^= b.b[i];
	return a;
}

static blk x_and(blk a, blk b)
{
	for (unsigned i = 0; i < 16; i++)
		a.b[i] &= b.b[i];
	return a;
}

static uint8_t times(uint8_t a, uint8_t b)
{
	unsigned r = 0, x = a;

	for (unsigned i = 0; i < 8; i++) {
		if (b >> i & 1)
			r ^= x;
		x = x << 1 ^ (x & 0x80 ? 0x11b : 0);
	}
	return (uint8_t)r;
}

static uint8_t box[256]; /* FIPS 197, section 5.1.1 */

static void make_box(void)
{
	for (unsigned a = 0; a < 256; a++) {
		unsigned inv = 0, s = 0x63;

		while (a != 0 && times((uint8_t)a, (uint8_t)inv) != 1)
			inv++;
		for (unsigned i = 0; i < 8; i++)
			for (unsigned k = 0; k < 5; k++)
				s ^= (inv >> (i + (k ? k + 3 : 0)) % 8 & 1)
				     << i;
		box[a] = (uint8_t)s;
	}
}

/* AESRound(in, rk): SubBytes, ShiftRows, MixColumns, and the key. */
static blk aes_round(blk in, blk rk)
{
	blk s, out = { { 0 } };

	for (unsigned col = 0; col < 4; col++)
		for (unsigned row = 0; row < 4; row++)
			s.b[4 * col + row] =
				box[in.b[4 * ((col + row) % 4) + row]];
	for (unsigned col = 0; col < 4; col++)
		for (unsigned row = 0; row < 4; row++) {
			const uint8_t *c = &s.b[4 * col];

			out.b[4 * col + row] =
				(uint8_t)(times(c[row], 2) ^
					  times(c[(row + 1) % 4], 3) ^
					  c[(row + 2) % 4] ^ c[(row + 3) % 4]);
		}
	return x_or(out, rk);
}

struct model {
	blk s[8];
};

static void m_update(struct model *m, blk m0, blk m1)
{
	struct model o = *m;

	for (unsigned i = 0; i < 8; i++)
		m->s[i] = aes_round(o.s[(i + 7) % 8], o.s[i]);
	m->s[0] = x_or(m->s[0], m0);
	m->s[4] = x_or(m->s[4], m1);
}

static blk blk_at(const uint8_t *p, size_t have)
{
	blk b = { { 0 } };

	memcpy(b.b, p, have < 16 ? have : 16);
	return b;
}

static void m_init(struct model *m, const uint8_t *key, const uint8_t *nonce)
{
	blk k = blk_at(key, 16), n = blk_at(nonce, 16);
	blk c0 = blk_at(vx6_aegis_c0, 16), c1 = blk_at(vx6_aegis_c1, 16);

	*m = (struct model){
		{ x_or(k, n), c1, c0, c1, x_or(k, n), x_or(k, c0), x_or(k, c1),
                 x_or(k, c0) }
	};
	for (unsigned i = 0; i < 10; i++)
		m_update(m, n, k);
}

/* Whole zero-padded blocks of 32 bytes: in is ad or text. */
static void m_ad(struct model *m, const uint8_t *ad, size_t len)
{
	uint8_t pad[32];

	for (size_t at = 0; at < len; at += 32) {
		memset(pad, 0, sizeof(pad));
		memcpy(pad, ad + at, len - at < 32 ? len - at : 32);
		m_update(m, blk_at(pad, 16), blk_at(pad + 16, 16));
	}
}

static void m_text(struct model *m, uint8_t *text, size_t len, bool opening)
{
	for (size_t at = 0; at < len; at += 32) {
		size_t n = len - at < 32 ? len - at : 32;
		const blk *s = m->s;
		uint8_t in[32] = { 0 }, out[32] = { 0 };
		blk z0 = x_or(x_or(s[6], s[1]), x_and(s[2], s[3]));
		blk z1 = x_or(x_or(s[2], s[5]), x_and(s[6], s[7]));

		memcpy(in, text + at, n);
		for (unsigned i = 0; i < n; i++)
			out[i] = in[i] ^ (i < 16 ? z0.b[i] : z1.b[i - 16]);
		memcpy(text + at, out, n);
		m_update(m, blk_at(opening ? out : in, 16),
			 blk_at((opening ? out : in) + 16, 16));
	}
}

static void m_tag(struct model *m, size_t ad_len, size_t len, uint8_t tag[16])
{
	blk t = { { 0 } };

	for (unsigned i = 0; i < 8; i++) {
		t.b[i] = (uint8_t)(ad_len * 8 >> 8 * i);
		t.b[8 + i] = (uint8_t)(len * 8 >> 8 * i);
	}
	t = x_or(t, m->s[2]);
	for (unsigned i = 0; i < 7; i++)
		m_update(m, t, t);
	t = m->s[0];
	for (unsigned i = 1; i < 7; i++)
		t = x_or(t, m->s[i]);
	memcpy(tag, t.b, 16);
}

/* In place; the tag that belongs to it, whatever stands behind. */
static void model(const uint8_t *key, const uint8_t *nonce, const uint8_t *ad,
		  size_t ad_len, uint8_t *text, size_t len, bool opening,
		  uint8_t tag[16])
{
	struct model m;

	m_init(&m, key, nonce);
	m_ad(&m, ad, ad_len);
	m_text(&m, text, len, opening);
	m_tag(&m, ad_len, len, tag);
}

/* ---- set up ---- */

static int start(void **state)
{
	(void)state;
	make_box();
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

static void need_aes(void)
{
	if (vx6_aegis_offers())
		return;
	print_message("# SKIP cpu: no AES-NI\n");
	skip();
}

static void need_lanes(void)
{
	if (vx6_aegis_has_lanes())
		return;
	print_message("# SKIP cpu: no VAES with AVX-512\n");
	skip();
}

/* ---- published vectors ---- */

static void the_models_step(void **state)
{
	json_t *root = vec_load("aegis");
	const json_t *v = json_object_get(root, "update");
	blk m0, m1, want;
	struct model m;
	char name[8];

	(void)state;
	vec_exact(v, "M0", m0.b, 16);
	vec_exact(v, "M1", m1.b, 16);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "S%u", i);
		vec_exact(v, name, m.s[i].b, 16);
	}
	m_update(&m, m0, m1);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "S%u_2", i);
		vec_exact(v, name, want.b, 16);
		assert_memory_equal(m.s[i].b, want.b, 16);
	}
	json_decref(root);
}

struct vector {
	uint8_t key[16], nonce[16], ad[AD], p[MAX], c[MAX + 16];
	size_t ad_len, len;
	bool good; /* false: must be refused, and has no p */
};

static void take(struct vector *t, const json_t *v)
{
	vec_exact(v, "key", t->key, 16);
	vec_exact(v, "nonce", t->nonce, 16);
	t->ad_len = vec_bytes(v, "ad", t->ad, AD);
	t->len = vec_bytes(v, "ct", t->c, MAX);
	vec_exact(v, "tag128", t->c + t->len, 16);
	t->good = json_object_get(v, "error") == NULL;
	if (t->good)
		assert_int_equal(vec_bytes(v, "msg", t->p, MAX), t->len);
}

static void one_vector(const struct vector *t)
{
	static const uint8_t zero[MAX];
	uint8_t out[MAX + 16], tag[16];
	enum vx6_status st;
	struct vx6_aead a;

	memcpy(out, t->c, t->len);
	model(t->key, t->nonce, t->ad, t->ad_len, out, t->len, true, tag);
	assert_int_equal(memcmp(tag, t->c + t->len, 16) == 0, t->good);
	assert_int_equal(vx6_aead_init(&a, VX6_ALG_AEGIS128L, t->key), VX6_OK);
	st = vx6_aead_open(&a, t->nonce, t->ad, t->ad_len, out, t->c,
			   t->len + 16);
	if (!t->good) {
		assert_int_equal(st, VX6_BAD_TAG);
		assert_memory_equal(out, zero, t->len);
		return;
	}
	assert_int_equal(st, VX6_OK);
	assert_memory_equal(out, t->p, t->len);
	vx6_aead_seal(&a, t->nonce, t->ad, t->ad_len, out, t->p, t->len);
	assert_memory_equal(out, t->c, t->len + 16);
	memcpy(out, t->p, t->len);
	model(t->key, t->nonce, t->ad, t->ad_len, out, t->len, false, tag);
	assert_memory_equal(out, t->c, t->len);
	assert_memory_equal(tag, t->c + t->len, 16);
}

static void published(void **state)
{
	static struct vector t;
	unsigned good = 0, bad = 0;
	const json_t *v;
	json_t *root;
	size_t i;

	(void)state;
	need_aes();
	root = vec_load("aegis");
	json_array_foreach(vec_list(root, "aegis128l"), i, v)
	{
		take(&t, v);
		one_vector(&t);
		good += t.good;
		bad += !t.good;
	}
	assert_int_equal(good, 5);
	assert_int_equal(bad, 4);
	json_decref(root);
}

/* ---- one message against the model ---- */

static void against_model(size_t len, size_t ad_len)
{
	static uint8_t p[MAX + 16], want[MAX + 16], got[MAX + 17];
	uint8_t key[16], nonce[16], ad[AD];
	enum vx6_status st;
	struct vx6_aead a;

	randombytes_buf(key, sizeof(key));
	randombytes_buf(nonce, sizeof(nonce));
	randombytes_buf(ad, sizeof(ad));
	randombytes_buf(p, sizeof(p));
	memcpy(want, p, len);
	model(key, nonce, ad, ad_len, want, len, false, want + len);
	assert_int_equal(vx6_aead_init(&a, VX6_ALG_AEGIS128L, key), VX6_OK);

	got[len + 16] = 0xa5;
	vx6_aead_seal(&a, nonce, ad, ad_len, got, p, len);
	assert_memory_equal(got, want, len + 16);
	memcpy(got, p, len);
	vx6_aead_seal(&a, nonce, ad, ad_len, got, got, len);
	assert_memory_equal(got, want, len + 16);
	assert_int_equal(got[len + 16], 0xa5);
	st = vx6_aead_open(&a, nonce, ad, ad_len, got, got, len + 16);
	assert_int_equal(st, VX6_OK);
	assert_memory_equal(got, p, len);
	st = vx6_aead_open(&a, nonce, ad, ad_len, got, want, len + 16);
	assert_int_equal(st, VX6_OK);
	assert_memory_equal(got, p, len);
}

static void every_length(void **state)
{
	(void)state;
	need_aes();
	for (size_t len = 0; len <= MAX; len++)
		against_model(len, 8);
}

static void every_length_of_associated_data(void **state)
{
	(void)state;
	need_aes();
	for (size_t ad_len = 0; ad_len <= AD; ad_len++)
		for (size_t len = 0; len < 70; len += 13)
			against_model(len, ad_len);
}

/* ---- lanes against the model ---- */

struct four {
	uint8_t key[LANES][16], nonce[LANES][16], ad[LANES][8];
	uint8_t plain[LANES][MAX], want[LANES][MAX + 16];
	uint8_t text[LANES][8 + MAX + 16 + 8]; /* guards around */
	struct vx6_aead_lane m[LANES];
	size_t len;
};

static void make_four(struct four *f, size_t len)
{
	randombytes_buf(f->key, sizeof(f->key));
	randombytes_buf(f->nonce, sizeof(f->nonce));
	randombytes_buf(f->ad, sizeof(f->ad));
	randombytes_buf(f->plain, sizeof(f->plain));
	memset(f->text, 0xa5, sizeof(f->text));
	f->len = len;
	for (unsigned i = 0; i < LANES; i++) {
		memcpy(f->want[i], f->plain[i], len);
		model(f->key[i], f->nonce[i], f->ad[i], 8, f->want[i], len,
		      false, f->want[i] + len);
		memcpy(f->text[i] + 8, f->plain[i], len);
		f->m[i] = (struct vx6_aead_lane){ .key = f->key[i],
						  .nonce = f->nonce[i],
						  .ad = f->ad[i],
						  .text = f->text[i] + 8 };
	}
}

static void guards(const struct four *f)
{
	for (unsigned i = 0; i < LANES; i++)
		for (unsigned k = 0; k < 8; k++) {
			assert_int_equal(f->text[i][k], 0xa5);
			assert_int_equal(f->text[i][8 + f->len + 16 + k], 0xa5);
		}
}

static void lanes_of(size_t len, unsigned n)
{
	static struct four f;

	make_four(&f, len);
	vx6_aead_seal_lanes(f.m, n, len);
	for (unsigned i = 0; i < n; i++)
		assert_memory_equal(f.m[i].text, f.want[i], len + 16);
	for (unsigned i = n; i < LANES; i++)
		assert_memory_equal(f.m[i].text, f.plain[i], len);
	guards(&f);
	vx6_aead_open_lanes(f.m, n, len);
	for (unsigned i = 0; i < LANES; i++)
		assert_memory_equal(f.m[i].text, f.plain[i], len);
	for (unsigned i = 0; i < n; i++)
		assert_true(f.m[i].ok);
	guards(&f);
}

static void lanes_at_every_length(void **state)
{
	(void)state;
	need_aes();
	for (size_t len = 0; len <= MAX; len++)
		lanes_of(len, 1 + (unsigned)len % LANES);
	for (size_t len = 0; len < 70; len++)
		for (unsigned n = 1; n <= LANES; n++)
			lanes_of(len, n);
}

/* A wrong one among four is refused and wiped, and the others are not. */
static void one_of_four_is_wrong(void **state)
{
	static const uint8_t zero[MAX];
	static struct four f;

	(void)state;
	need_aes();
	for (unsigned bad = 0; bad < LANES; bad++)
		for (unsigned n = bad + 1; n <= LANES; n++) {
			make_four(&f, 100);
			vx6_aead_seal_lanes(f.m, n, 100);
			f.m[bad].text[115] ^= 0x80;
			vx6_aead_open_lanes(f.m, n, 100);
			for (unsigned i = 0; i < n; i++) {
				assert_int_equal(f.m[i].ok, i != bad);
				assert_memory_equal(
					f.m[i].text,
					i == bad ? zero : f.plain[i], 100);
			}
		}
}

static void lanes_and_single_agree(void **state)
{
	static struct four f;

	(void)state;
	need_lanes();
	for (size_t len = 0; len <= 200; len++) {
		struct vx6_aead_lane *m[LANES];

		make_four(&f, len);
		for (unsigned i = 0; i < LANES; i++)
			m[i] = &f.m[i];
		vx6_aegis_seal_lanes(m, len);
		for (unsigned i = 0; i < LANES; i++)
			assert_true(vx6_aegis_open(f.key[i], f.nonce[i],
						   f.ad[i], 8, f.m[i].text,
						   f.m[i].text, len));
		for (unsigned i = 0; i < LANES; i++)
			assert_memory_equal(f.m[i].text, f.plain[i], len);
	}
}

/* ---- what is bound ---- */

/* Each bit of key, nonce, associated data, text and tag is wrong once; the
 * text must be zeros afterwards. */
static void each_bit(bool lanes)
{
	enum { TEXT = 16 + 16 + 8, LEN = 45, ALL = TEXT + LEN + 16 };
	uint8_t msg[ALL], bad[ALL];
	static const uint8_t zero[LEN];

	randombytes_buf(msg, sizeof(msg));
	vx6_aegis_seal(msg, msg + 16, msg + 32, 8, msg + TEXT, msg + TEXT, LEN);
	for (size_t bit = 0; bit <= sizeof(msg) * 8; bit++) {
		bool ok = bit == sizeof(msg) * 8, got;
		struct vx6_aead_lane m[2] = {
			{ .key = bad,
                         .nonce = bad + 16,
                         .ad = bad + 32,
                         .text = bad + TEXT,
                         .ahead = msg + TEXT },
		};

		m[1] = m[0];
		memcpy(bad, msg, sizeof(bad));
		if (!ok)
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (lanes)
			vx6_aead_open_lanes(m, 2, LEN);
		else
			m[0].ok = vx6_aegis_open(bad, bad + 16, bad + 32, 8,
						 bad + TEXT, bad + TEXT, LEN);
		got = m[0].ok;
		if (got != ok)
			fail_msg("bit %zu: %d", bit, (int)got);
		assert_int_equal(memcmp(bad + TEXT, zero, LEN) == 0, !ok);
	}
}

static void a_flipped_bit_is_refused(void **state)
{
	(void)state;
	need_aes();
	each_bit(false);
	if (vx6_aegis_has_lanes())
		each_bit(true);
}

/* Lengths are bound too: text and associated data cannot change places,
 * and zeros at an end are not nothing. */
static void lengths_are_bound(void **state)
{
	uint8_t key[16] = { 1 }, nonce[16] = { 2 }, zero[32] = { 0 };
	uint8_t a[32 + 16], b[32 + 16];

	(void)state;
	need_aes();
	vx6_aegis_seal(key, nonce, zero, 31, a, zero, 0);
	vx6_aegis_seal(key, nonce, zero, 32, b, zero, 0);
	assert_memory_not_equal(a, b, 16);
	vx6_aegis_seal(key, nonce, zero, 0, a, zero, 31);
	vx6_aegis_seal(key, nonce, zero, 0, b, zero, 32);
	assert_memory_not_equal(a + 31, b + 32, 16);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(the_models_step),
		cmocka_unit_test(published),
		cmocka_unit_test(every_length),
		cmocka_unit_test(every_length_of_associated_data),
		cmocka_unit_test(lanes_at_every_length),
		cmocka_unit_test(one_of_four_is_wrong),
		cmocka_unit_test(lanes_and_single_agree),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(lengths_are_bound),
	};

	return cmocka_run_group_tests_name("aegis", test, start, NULL);
}
