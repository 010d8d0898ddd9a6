/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AES for hosts without AES instructions (FIPS-197), in constant time: no
 * table, no branch and no address depends on a key or on data.
 *
 * SubBytes works on all 16 bytes at once as eight planes: bit i of plane b
 * is bit b of byte i.  The S-box is what the standard says it is, the
 * inverse in GF(2^8), reckoned as x^254, and then an affine map.  About
 * 2 us a block; a cell needs two. */
#include "dataplane/wire/aead/impl.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

struct planes {
	uint32_t b[8];
};

static struct planes to_planes(const uint8_t s[16])
{
	struct planes p = { { 0 } };

	for (unsigned i = 0; i < 16; i++)
		for (unsigned b = 0; b < 8; b++)
			p.b[b] |= (uint32_t)(s[i] >> b & 1u) << i;
	return p;
}

static void from_planes(uint8_t s[16], const struct planes *p)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned v = 0;

		for (unsigned b = 0; b < 8; b++)
			v |= (p->b[b] >> i & 1u) << b;
		s[i] = (uint8_t)v;
	}
}

/* Modulo x^8 + x^4 + x^3 + x + 1. */
static struct planes reduce(uint32_t wide[15])
{
	struct planes r;

	for (unsigned i = 14; i >= 8; i--) {
		wide[i - 4] ^= wide[i];
		wide[i - 5] ^= wide[i];
		wide[i - 7] ^= wide[i];
		wide[i - 8] ^= wide[i];
	}
	memcpy(r.b, wide, sizeof(r.b));
	return r;
}

static struct planes mul(const struct planes *x, const struct planes *y)
{
	uint32_t wide[15] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		for (unsigned j = 0; j < 8; j++)
			wide[i + j] ^= x->b[i] & y->b[j];
	return reduce(wide);
}

static struct planes square(const struct planes *x)
{
	uint32_t wide[15] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		wide[2 * i] = x->b[i];
	return reduce(wide);
}

static struct planes invert(const struct planes *x)
{
	struct planes x2 = square(x);
	struct planes x3 = mul(&x2, x);
	struct planes x6 = square(&x3);
	struct planes x12 = square(&x6);
	struct planes x15 = mul(&x12, &x3);
	struct planes y = x15;

	for (unsigned i = 0; i < 4; i++)
		y = square(&y);
	y = mul(&y, &x12); /* 240 + 12 */
	return mul(&y, &x2);
}

static void sub_bytes(uint8_t s[16])
{
	struct planes p = to_planes(s);
	struct planes x = invert(&p);

	for (unsigned b = 0; b < 8; b++) {
		uint32_t flip = 0x63u >> b & 1u ? 0xffffu : 0u;

		p.b[b] = x.b[b] ^ x.b[(b + 4) % 8] ^ x.b[(b + 5) % 8] ^
			 x.b[(b + 6) % 8] ^ x.b[(b + 7) % 8] ^ flip;
	}
	from_planes(s, &p);
}

static void inv_sub_bytes(uint8_t s[16])
{
	struct planes p = to_planes(s);
	struct planes x;

	for (unsigned b = 0; b < 8; b++) {
		uint32_t flip = 0x05u >> b & 1u ? 0xffffu : 0u;

		x.b[b] = p.b[(b + 2) % 8] ^ p.b[(b + 5) % 8] ^
			 p.b[(b + 7) % 8] ^ flip;
	}
	p = invert(&x);
	from_planes(s, &p);
}

static uint8_t twice(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (0x1b & -(x >> 7)));
}

static void mix_column(uint8_t c[4])
{
	uint8_t all = c[0] ^ c[1] ^ c[2] ^ c[3];
	uint8_t first = c[0];

	for (unsigned i = 0; i < 4; i++) {
		uint8_t next = i < 3 ? c[i + 1] : first;

		c[i] ^= all ^ twice(c[i] ^ next);
	}
}

static void inv_mix_column(uint8_t c[4])
{
	/* its matrix is mix_column's times {04}x^2 + {05} */
	uint8_t u = twice(twice(c[0] ^ c[2]));
	uint8_t v = twice(twice(c[1] ^ c[3]));

	c[0] ^= u;
	c[1] ^= v;
	c[2] ^= u;
	c[3] ^= v;
	mix_column(c);
}

static void mix(uint8_t s[16], void (*column)(uint8_t c[4]))
{
	for (unsigned i = 0; i < 16; i += 4)
		column(s + i);
}

/* Row r moves left by r (step 1) or right by r (step 3). */
static void shift_rows(uint8_t s[16], unsigned step)
{
	uint8_t t[16];

	for (unsigned col = 0; col < 4; col++)
		for (unsigned row = 0; row < 4; row++)
			t[col * 4 + row] = s[(col + row * step) % 4 * 4 + row];
	memcpy(s, t, sizeof(t));
}

static void add_key(uint8_t s[16], const uint8_t *k)
{
	for (unsigned i = 0; i < 16; i++)
		s[i] ^= k[i];
}

static void expand(uint8_t *w, unsigned words, const uint8_t *key,
		   size_t key_len)
{
	unsigned nk = (unsigned)key_len / 4u;
	uint8_t t[16] = { 0 }, rcon = 1;

	memcpy(w, key, key_len);
	for (unsigned i = nk; i < words; i++) {
		memcpy(t, w + (i - 1) * 4, 4);
		if (i % nk == 0) {
			uint8_t first = t[0];

			memmove(t, t + 1, 3);
			t[3] = first;
		}
		if (i % nk == 0 || (nk == 8 && i % nk == 4))
			sub_bytes(t); /* 12 more bytes come along unused */
		if (i % nk == 0) {
			t[0] ^= rcon;
			rcon = twice(rcon);
		}
		for (unsigned j = 0; j < 4; j++)
			w[i * 4 + j] = w[(i - nk) * 4 + j] ^ t[j];
	}
	sodium_memzero(t, sizeof(t));
}

void vx6_aes_soft_init(struct vx6_aes *a, const uint8_t *key, size_t key_len)
{
	unsigned rounds = key_len == 32 ? 14 : 10;

	assert(key_len == 16 || key_len == 32);
	*a = (struct vx6_aes){ .rounds = (uint8_t)rounds };
	expand(a->enc, 4 * (rounds + 1), key, key_len);
	for (unsigned i = 0; i <= rounds; i++) {
		uint8_t *k = a->dec + i * 16u;

		memcpy(k, a->enc + (rounds - i) * 16u, 16);
		if (i > 0 && i < rounds)
			mix(k, inv_mix_column);
	}
}

void vx6_aes_soft_encrypt(const struct vx6_aes *a, uint8_t out[16],
			  const uint8_t in[16])
{
	uint8_t s[16];

	memcpy(s, in, sizeof(s));
	add_key(s, a->enc);
	for (unsigned i = 1; i <= a->rounds; i++) {
		sub_bytes(s);
		shift_rows(s, 1);
		if (i < a->rounds)
			mix(s, mix_column);
		add_key(s, a->enc + i * 16u);
	}
	memcpy(out, s, sizeof(s));
	sodium_memzero(s, sizeof(s));
}

void vx6_aes_soft_decrypt(const struct vx6_aes *a, uint8_t out[16],
			  const uint8_t in[16])
{
	uint8_t s[16];

	memcpy(s, in, sizeof(s));
	add_key(s, a->dec);
	for (unsigned i = 1; i <= a->rounds; i++) {
		inv_sub_bytes(s);
		shift_rows(s, 3);
		if (i < a->rounds)
			mix(s, inv_mix_column);
		add_key(s, a->dec + i * 16u);
	}
	memcpy(out, s, sizeof(s));
	sodium_memzero(s, sizeof(s));
}
