/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/aead/aegis.h"

#include <sodium.h>
#include <string.h>

#define NI  VX6_TARGET("aes,sse4.1")
#define xor _mm_xor_si128

struct state {
	__m128i s[8];
};

struct block { /* 32 bytes of text */
	__m128i a, b;
};

NI static __m128i get(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)p);
}

NI static void put(uint8_t *p, __m128i x)
{
	_mm_storeu_si128((__m128i_u *)(void *)p, x);
}

NI static inline void step(struct state *x, __m128i m0, __m128i m1)
{
	struct state o = *x;

	x->s[0] = _mm_aesenc_si128(o.s[7], xor(o.s[0], m0));
	x->s[1] = _mm_aesenc_si128(o.s[0], o.s[1]);
	x->s[2] = _mm_aesenc_si128(o.s[1], o.s[2]);
	x->s[3] = _mm_aesenc_si128(o.s[2], o.s[3]);
	x->s[4] = _mm_aesenc_si128(o.s[3], xor(o.s[4], m1));
	x->s[5] = _mm_aesenc_si128(o.s[4], o.s[5]);
	x->s[6] = _mm_aesenc_si128(o.s[5], o.s[6]);
	x->s[7] = _mm_aesenc_si128(o.s[6], o.s[7]);
}

NI static inline struct block stream(const struct state *x)
{
	const __m128i *s = x->s;

	return (struct block){
		xor(xor(s[6], s[1]), _mm_and_si128(s[2], s[3])),
		xor(xor(s[2], s[5]), _mm_and_si128(s[6], s[7])),
	};
}

NI static void start(struct state *x, const uint8_t *key, const uint8_t *nonce)
{
	__m128i k = get(key), n = get(nonce);
	__m128i c0 = get(vx6_aegis_c0), c1 = get(vx6_aegis_c1);

	*x = (struct state){
		{
                 xor(k, n),
                 c1, c0,
                 c1, xor(k, n),
                 xor(k, c0),
                 xor(k, c1),
                 xor(k, c0),
		 }
	};
	for (unsigned i = 0; i < VX6_AEGIS_START; i++)
		step(x, n, k);
}

NI static void absorb(struct state *x, const uint8_t *ad, size_t len)
{
	uint8_t last[VX6_AEGIS_BLOCK] = { 0 };

	for (; len >= sizeof(last); ad += sizeof(last), len -= sizeof(last))
		step(x, get(ad), get(ad + 16));
	if (len == 0)
		return;
	memcpy(last, ad, len);
	step(x, get(last), get(last + 16));
}

/* The last bytes of a text, fewer than a block: what is absorbed is the
 * plaintext and zeros. */
NI static void tail(struct state *x, uint8_t *dst, const uint8_t *src,
		    size_t len, bool opening)
{
	uint8_t in[VX6_AEGIS_BLOCK] = { 0 }, out[VX6_AEGIS_BLOCK];
	struct block z = stream(x);
	const uint8_t *plain = opening ? out : in;

	memcpy(in, src, len);
	put(out, xor(get(in), z.a));
	put(out + 16, xor(get(in + 16), z.b));
	memcpy(dst, out, len);
	memset(out + len, 0, sizeof(out) - len);
	step(x, get(plain), get(plain + 16));
	sodium_memzero(opening ? out : in, sizeof(in));
}

NI static void finish(struct state *x, size_t ad_len, size_t len,
		      uint8_t tag[16])
{
	__m128i t = _mm_set_epi64x((long long)len * 8, (long long)ad_len * 8);

	t = xor(x->s[2], t);
	for (unsigned i = 0; i < VX6_AEGIS_END; i++)
		step(x, t, t);
	t = xor(xor(x->s[0], x->s[1]), xor(x->s[2], x->s[3]));
	t = xor(t, xor(xor(x->s[4], x->s[5]), x->s[6]));
	put(tag, t);
}

bool vx6_aegis_offers(void)
{
	return __builtin_cpu_supports("aes") &&
	       __builtin_cpu_supports("sse4.1");
}

NI void vx6_aegis_seal(const uint8_t *key, const uint8_t *nonce, const void *ad,
		       size_t ad_len, uint8_t *dst, const uint8_t *src,
		       size_t len)
{
	size_t left = len;
	struct state x;

	start(&x, key, nonce);
	absorb(&x, ad, ad_len);
	for (; left >= VX6_AEGIS_BLOCK; left -= VX6_AEGIS_BLOCK) {
		struct block m = { get(src), get(src + 16) }, z = stream(&x);

		put(dst, xor(m.a, z.a));
		put(dst + 16, xor(m.b, z.b));
		step(&x, m.a, m.b);
		src += VX6_AEGIS_BLOCK;
		dst += VX6_AEGIS_BLOCK;
	}
	if (left > 0)
		tail(&x, dst, src, left, false);
	finish(&x, ad_len, len, dst + left);
}

NI bool vx6_aegis_open(const uint8_t *key, const uint8_t *nonce, const void *ad,
		       size_t ad_len, uint8_t *dst, const uint8_t *src,
		       size_t len)
{
	uint8_t tag[VX6_AEAD_TAG];
	size_t left = len;
	struct state x;

	start(&x, key, nonce);
	absorb(&x, ad, ad_len);
	for (; left >= VX6_AEGIS_BLOCK; left -= VX6_AEGIS_BLOCK) {
		struct block m = stream(&x);

		m.a = xor(m.a, get(src));
		m.b = xor(m.b, get(src + 16));
		put(dst, m.a);
		put(dst + 16, m.b);
		step(&x, m.a, m.b);
		src += VX6_AEGIS_BLOCK;
		dst += VX6_AEGIS_BLOCK;
	}
	if (left > 0)
		tail(&x, dst, src, left, true);
	finish(&x, ad_len, len, tag);
	if (vx6_likely(vx6_tag_eq(tag, src + left)))
		return true;
	sodium_memzero(dst + left - len, len);
	return false;
}
