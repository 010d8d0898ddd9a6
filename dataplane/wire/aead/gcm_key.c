/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key i is lane i, 128 bits, of every register: an AES key schedule waits
 * for itself in every step, four at a time wait together. */
#include "dataplane/wire/aead/gcm.h"

#define GCM  VX6_GCM_TARGET
#define xor  _mm512_xor_si512
#define XOR3 0x96 /* of _mm512_ternarylogic_epi64 */

#define ROT_WORD  0x0c0f0e0d /* the last word to all, turned by a byte; */
#define SAME_WORD 0x0f0e0d0c /* as it is */

bool vx6_gcm_offers(void)
{
	return __builtin_cpu_supports("aes") &&
	       __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("vaes") &&
	       __builtin_cpu_supports("vpclmulqdq") &&
	       __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vnni");
}

GCM static __m128i get16(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)p);
}

GCM static __m512i gather(const uint8_t *const p[VX6_GCM_KEYS], size_t at)
{
	__m256i lo = _mm256_set_m128i(get16(p[1] + at), get16(p[0] + at));
	__m256i hi = _mm256_set_m128i(get16(p[3] + at), get16(p[2] + at));

	return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

GCM static void put16(uint8_t *p, __m128i x)
{
	_mm_store_si128((__m128i *)(void *)p, x);
}

/* where: the offset in a struct vx6_gcm_key. */
GCM static inline void scatter(struct vx6_gcm_key *const k[VX6_GCM_KEYS],
			       size_t where, __m512i x)
{
	put16((uint8_t *)k[0] + where, _mm512_castsi512_si128(x));
	put16((uint8_t *)k[1] + where, _mm512_extracti32x4_epi32(x, 1));
	put16((uint8_t *)k[2] + where, _mm512_extracti32x4_epi32(x, 2));
	put16((uint8_t *)k[3] + where, _mm512_extracti32x4_epi32(x, 3));
}

/* FIPS 197, section 5.2: each word is the sum of those before it in its
 * block and of t, the substituted one. */
GCM static inline __m512i next_round(__m512i x, __m512i t)
{
	x = xor(x, _mm512_bslli_epi128(x, 4));
	return _mm512_ternarylogic_epi64(x, _mm512_bslli_epi128(x, 8), t, XOR3);
}

/* SubWord, and RotWord where `of` says so: with one word in all four columns
 * the last AES round moves nothing. */
GCM static inline __m512i sub_word(__m512i x, int of, __m512i constant)
{
	x = _mm512_shuffle_epi8(x, _mm512_set1_epi32(of));
	return _mm512_aesenclast_epi128(x, constant);
}

/* Puts the round keys where they belong and returns E(0). */
GCM static inline __m512i schedule(struct vx6_gcm_key *const k[VX6_GCM_KEYS],
				   const uint8_t *const key[VX6_GCM_KEYS])
{
	__m512i a = gather(key, 0), b = gather(key, 16), zero = xor(a, a);
	__m512i constant = _mm512_set1_epi32(1), h = a;

	scatter(k, offsetof(struct vx6_gcm_key, round[0]), a);
	for (size_t i = 1; i < 15; i += 2) {
		size_t at = offsetof(struct vx6_gcm_key, round) + 16 * i;

		scatter(k, at, b);
		h = _mm512_aesenc_epi128(h, b);
		a = next_round(a, sub_word(b, ROT_WORD, constant));
		constant = _mm512_slli_epi32(constant, 1);
		if (i == 13)
			break;
		scatter(k, at + 16, a);
		h = _mm512_aesenc_epi128(h, a);
		b = next_round(b, sub_word(a, SAME_WORD, zero));
	}
	scatter(k, offsetof(struct vx6_gcm_key, round[14]), a);
	return _mm512_aesenclast_epi128(h, a);
}

/* x^128 + x^127 + x^126 + x^121 + 1, bits turned round. */
GCM static inline __m512i poly(void)
{
	return _mm512_broadcast_i32x4(
		_mm_set_epi64x((long long)0xc200000000000000, 1));
}

/* E(0), bytes turned round and times x, which makes up for the bit that the
 * product of two turned numbers is off by. */
GCM static inline __m512i first_power(__m512i h)
{
	const __m512i turn = _mm512_broadcast_i32x4(_mm_set_epi8(
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	__m512i over, carry;

	h = _mm512_shuffle_epi8(h, turn);
	over = _mm512_srai_epi32(_mm512_shuffle_epi32(h, 0xff), 31);
	carry = _mm512_bslli_epi128(_mm512_srli_epi64(h, 63), 8);
	h = _mm512_or_si512(_mm512_slli_epi64(h, 1), carry);
	return xor(h, _mm512_and_si512(over, poly()));
}

/* Schoolbook, then Montgomery's reduction from below in two steps. */
GCM static inline __m512i times(__m512i x, __m512i y)
{
	__m512i lo = _mm512_clmulepi64_epi128(x, y, 0x00);
	__m512i hi = _mm512_clmulepi64_epi128(x, y, 0x11);
	__m512i mid = xor(_mm512_clmulepi64_epi128(x, y, 0x01),
			  _mm512_clmulepi64_epi128(x, y, 0x10));
	__m512i t = _mm512_clmulepi64_epi128(poly(), lo, 0x01);

	mid = _mm512_ternarylogic_epi64(mid, _mm512_shuffle_epi32(lo, 0x4e), t,
					XOR3);
	t = _mm512_clmulepi64_epi128(poly(), mid, 0x01);
	return _mm512_ternarylogic_epi64(hi, _mm512_shuffle_epi32(mid, 0x4e), t,
					 XOR3);
}

GCM void vx6_gcm_keys(struct vx6_gcm_key *const k[VX6_GCM_KEYS],
		      const uint8_t *const key[VX6_GCM_KEYS])
{
	__m512i h[VX6_GCM_POWERS + 1];

	h[1] = first_power(schedule(k, key));
	VX6_UNROLL
	for (unsigned i = 2; i <= VX6_GCM_POWERS; i++)
		h[i] = times(h[i / 2], h[i - i / 2]);
	VX6_UNROLL
	for (unsigned i = 1; i <= VX6_GCM_POWERS; i++)
		scatter(k,
			offsetof(struct vx6_gcm_key, h) +
				(size_t)16 * (VX6_GCM_POWERS - i),
			h[i]);
}
