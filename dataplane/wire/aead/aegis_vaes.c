/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message i is lane i, 128 bits, of every register. */
#include "dataplane/wire/aead/aegis.h"

#include <sodium.h>

#define VAES VX6_TARGET("vaes,avx512f,avx512bw,avx512vl,avx512vnni")
#define xor  _mm512_xor_si512

#define FIRSTS  0x88 /* lanes 0 and 2 of both operands */
#define SECONDS 0xdd /* lanes 1 and 3 */
/* s ^ (a & b), as a table of three bits: a is the highest */
#define AND_XOR 0x6a
#define XOR3    0x96

struct state {
	__m512i s[8];
};

struct block { /* of each message: its first 16 bytes, and its second */
	__m512i a, b;
};

VAES static __m128i get16(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)p);
}

VAES static __m128i get8(const uint8_t *p)
{
	return _mm_loadl_epi64((const __m128i_u *)(const void *)p);
}

VAES static __m512i join(__m256i lo, __m256i hi)
{
	return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

VAES static __m512i gather(const uint8_t *p0, const uint8_t *p1,
			   const uint8_t *p2, const uint8_t *p3)
{
	return join(_mm256_set_m128i(get16(p1), get16(p0)),
		    _mm256_set_m128i(get16(p3), get16(p2)));
}

VAES static __m512i all(const uint8_t *p)
{
	return _mm512_broadcast_i32x4(get16(p));
}

struct texts { /* of the four, where the CPU keeps them in registers */
	uint8_t *p[4];
};

VAES static inline __m256i get32(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i_u *)(const void *)p);
}

VAES static inline void put32(uint8_t *p, __m256i x)
{
	_mm256_storeu_si256((__m256i_u *)(void *)p, x);
}

/* Four times 32 bytes of text to two registers, and back. */
VAES static inline struct block mix(__m512i lo, __m512i hi)
{
	return (struct block){ _mm512_shuffle_i64x2(lo, hi, FIRSTS),
			       _mm512_shuffle_i64x2(lo, hi, SECONDS) };
}

VAES static inline __m512i unmix_lo(struct block x)
{
	const __m512i of = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);

	return _mm512_permutex2var_epi64(x.a, of, x.b);
}

VAES static inline __m512i unmix_hi(struct block x)
{
	const __m512i of = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);

	return _mm512_permutex2var_epi64(x.a, of, x.b);
}

VAES static inline struct block get(struct texts t, size_t at)
{
	return mix(join(get32(t.p[0] + at), get32(t.p[1] + at)),
		   join(get32(t.p[2] + at), get32(t.p[3] + at)));
}

/* Products with 1 of the even bytes of what is put, and of the odd ones; of
 * two messages each. */
struct sums {
	__m512i even_lo, odd_lo, even_hi, odd_hi;
};

VAES static inline struct sums none(void)
{
	__m512i zero = _mm512_setzero_si512();

	return (struct sums){ zero, zero, zero, zero };
}

VAES static inline void count(struct sums *c, __m512i lo, __m512i hi)
{
	const __m512i even = _mm512_set1_epi16(1);
	const __m512i odd = _mm512_set1_epi16(0x100);

	c->even_lo = _mm512_dpbusd_epi32(c->even_lo, lo, even);
	c->odd_lo = _mm512_dpbusd_epi32(c->odd_lo, lo, odd);
	c->even_hi = _mm512_dpbusd_epi32(c->even_hi, hi, even);
	c->odd_hi = _mm512_dpbusd_epi32(c->odd_hi, hi, odd);
}

VAES static inline uint32_t counted(__m256i x)
{
	__m128i y = _mm_add_epi32(_mm256_castsi256_si128(x),
				  _mm256_extracti128_si256(x, 1));

	y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4e));
	y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0xb1));
	return (uint32_t)_mm_cvtsi128_si32(y);
}

VAES static inline void tell(const struct sums *c,
			     struct vx6_aead_lane *const m[4])
{
	__m512i lo = _mm512_add_epi32(c->even_lo,
				      _mm512_slli_epi32(c->odd_lo, 8));
	__m512i hi = _mm512_add_epi32(c->even_hi,
				      _mm512_slli_epi32(c->odd_hi, 8));

	m[0]->sum = counted(_mm512_castsi512_si256(lo));
	m[1]->sum = counted(_mm512_extracti64x4_epi64(lo, 1));
	m[2]->sum = counted(_mm512_castsi512_si256(hi));
	m[3]->sum = counted(_mm512_extracti64x4_epi64(hi, 1));
}

VAES static inline void put(struct texts t, size_t at, struct block x,
			    struct sums *c)
{
	__m512i lo = unmix_lo(x), hi = unmix_hi(x);

	count(c, lo, hi);
	put32(t.p[0] + at, _mm512_castsi512_si256(lo));
	put32(t.p[1] + at, _mm512_extracti64x4_epi64(lo, 1));
	put32(t.p[2] + at, _mm512_castsi512_si256(hi));
	put32(t.p[3] + at, _mm512_extracti64x4_epi64(hi, 1));
}

/* The last bytes, fewer than a block: behind the end they are zero, and are
 * not written. */
VAES static inline struct block get_tail(struct texts t, size_t at,
					 __mmask32 mask)
{
	return mix(join(_mm256_maskz_loadu_epi8(mask, t.p[0] + at),
			_mm256_maskz_loadu_epi8(mask, t.p[1] + at)),
		   join(_mm256_maskz_loadu_epi8(mask, t.p[2] + at),
			_mm256_maskz_loadu_epi8(mask, t.p[3] + at)));
}

VAES static inline void put_tail(struct texts t, size_t at, __mmask32 mask,
				 struct block x, struct sums *c)
{
	const __mmask64 both = mask | (__mmask64)mask << 32;
	__m512i lo = _mm512_maskz_mov_epi8(both, unmix_lo(x));
	__m512i hi = _mm512_maskz_mov_epi8(both, unmix_hi(x));

	count(c, lo, hi);
	_mm256_mask_storeu_epi8(t.p[0] + at, mask, _mm512_castsi512_si256(lo));
	_mm256_mask_storeu_epi8(t.p[1] + at, mask,
				_mm512_extracti64x4_epi64(lo, 1));
	_mm256_mask_storeu_epi8(t.p[2] + at, mask, _mm512_castsi512_si256(hi));
	_mm256_mask_storeu_epi8(t.p[3] + at, mask,
				_mm512_extracti64x4_epi64(hi, 1));
}

/* From the last to the first, so that each takes the place of its own old
 * value and only one is moved out of the way. */
VAES static inline void step(struct state *x, __m512i m0, __m512i m1)
{
	__m512i *s = x->s, s7 = s[7];

	s[7] = _mm512_aesenc_epi128(s[6], s[7]);
	s[6] = _mm512_aesenc_epi128(s[5], s[6]);
	s[5] = _mm512_aesenc_epi128(s[4], s[5]);
	s[4] = _mm512_aesenc_epi128(s[3], xor(s[4], m1));
	s[3] = _mm512_aesenc_epi128(s[2], s[3]);
	s[2] = _mm512_aesenc_epi128(s[1], s[2]);
	s[1] = _mm512_aesenc_epi128(s[0], s[1]);
	s[0] = _mm512_aesenc_epi128(s7, xor(s[0], m0));
}

/* p, under the key stream or free of it. */
VAES static inline struct block crypt(const struct state *x, struct block p)
{
	const __m512i *s = x->s;
	__m512i a = _mm512_ternarylogic_epi64(s[2], s[3], s[6], AND_XOR);
	__m512i b = _mm512_ternarylogic_epi64(s[6], s[7], s[2], AND_XOR);

	return (struct block){
		_mm512_ternarylogic_epi64(a, s[1], p.a, XOR3),
		_mm512_ternarylogic_epi64(b, s[5], p.b, XOR3),
	};
}

VAES static inline void start(struct state *x, struct vx6_aead_lane *const m[4])
{
	__m512i k = gather(m[0]->key, m[1]->key, m[2]->key, m[3]->key);
	__m512i n = gather(m[0]->nonce, m[1]->nonce, m[2]->nonce, m[3]->nonce);
	__m512i c0 = all(vx6_aegis_c0), c1 = all(vx6_aegis_c1);
	__m512i ad = join(_mm256_set_m128i(get8(m[1]->ad), get8(m[0]->ad)),
			  _mm256_set_m128i(get8(m[3]->ad), get8(m[2]->ad)));

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
	step(x, ad, _mm512_setzero_si512());
}

VAES static inline void finish(struct state *x, size_t len, uint8_t tag[64])
{
	long long bits = (long long)len * 8;
	__m512i t = _mm512_set_epi64(bits, 64, bits, 64, bits, 64, bits, 64);

	t = xor(x->s[2], t);
	for (unsigned i = 0; i < VX6_AEGIS_END; i++)
		step(x, t, t);
	t = xor(xor(x->s[0], x->s[1]), xor(x->s[2], x->s[3]));
	t = xor(t, xor(xor(x->s[4], x->s[5]), x->s[6]));
	_mm512_storeu_si512(tag, t);
}

bool vx6_aegis_has_lanes(void)
{
	return __builtin_cpu_supports("vaes") &&
	       __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vnni");
}

/* One line of what comes next for two steps of what is here: spread over
 * the text, none of them waits for the others. */
VAES static inline void look_ahead(const uint8_t *const next[4], size_t at)
{
	if (at % VX6_CACHELINE != 0)
		return;
	for (unsigned i = 0; i < 4; i++)
		vx6_prefetch_w(next[i] + at);
}

/* next: where nothing comes, what is at hand already. */
VAES static inline struct texts texts_of(struct vx6_aead_lane *const m[4],
					 const uint8_t *next[4])
{
	struct texts t;

	for (unsigned i = 0; i < 4; i++) {
		t.p[i] = m[i]->text;
		next[i] = m[i]->ahead != NULL ? m[i]->ahead : m[i]->text;
	}
	return t;
}

VAES void vx6_aegis_seal_lanes(struct vx6_aead_lane *const m[4], size_t len)
{
	const uint8_t *next[4];
	struct texts t = texts_of(m, next);
	struct sums c = none();
	struct block p;
	struct state x;
	uint8_t tag[64];
	size_t at = 0;

	start(&x, m);
	for (; len - at >= VX6_AEGIS_BLOCK; at += VX6_AEGIS_BLOCK) {
		look_ahead(next, at);
		p = get(t, at);
		put(t, at, crypt(&x, p), &c);
		step(&x, p.a, p.b);
	}
	if (len > at) {
		__mmask32 mask = (UINT32_C(1) << (len - at)) - 1u;

		p = get_tail(t, at, mask);
		put_tail(t, at, mask, crypt(&x, p), &c);
		step(&x, p.a, p.b);
	}
	finish(&x, len, tag);
	tell(&c, m);
	for (unsigned i = 0; i < 4; i++)
		_mm_storeu_si128((__m128i_u *)(void *)(m[i]->text + len),
				 get16(tag + 16 * i));
}

VAES void vx6_aegis_open_lanes(struct vx6_aead_lane *const m[4], size_t len)
{
	const uint8_t *next[4];
	struct texts t = texts_of(m, next);
	struct sums c = none();
	struct block p;
	struct state x;
	uint8_t tag[64];
	size_t at = 0;

	start(&x, m);
	for (; len - at >= VX6_AEGIS_BLOCK; at += VX6_AEGIS_BLOCK) {
		look_ahead(next, at);
		p = crypt(&x, get(t, at));
		put(t, at, p, &c);
		step(&x, p.a, p.b);
	}
	if (len > at) {
		/* behind the end the key stream itself would be absorbed: it
		 * is cut off */
		const __mmask64 each = UINT64_C(0x0001000100010001);
		__mmask32 mask = (UINT32_C(1) << (len - at)) - 1u;

		p = crypt(&x, get_tail(t, at, mask));
		p.a = _mm512_maskz_mov_epi8(each * (mask & 0xffffu), p.a);
		p.b = _mm512_maskz_mov_epi8(each * (mask >> 16), p.b);
		put_tail(t, at, mask, p, &c);
		step(&x, p.a, p.b);
	}
	finish(&x, len, tag);
	tell(&c, m);
	for (unsigned i = 0; i < 4; i++)
		m[i]->ok = vx6_tag_eq(tag + 16 * i, m[i]->text + len);
	for (unsigned i = 0; i < 4; i++)
		if (vx6_unlikely(!m[i]->ok))
			sodium_memzero(m[i]->text, len);
}
