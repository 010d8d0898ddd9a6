/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/sum.h"

#include <immintrin.h>
#include <string.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/sum_impl.h"

static uint64_t load(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

/* None of them is folded yet.  Two chains of 32-bit halves in 64-bit words:
 * no carry is lost within 2^31 steps. */
uint64_t vx6_sum_plain(const uint8_t *p, size_t len)
{
	uint64_t a = 0, b = 0;

	for (; len >= 16; p += 16, len -= 16) {
		uint64_t v = load(p, 8), w = load(p + 8, 8);

		a += (v & 0xffffffffu) + (v >> 32);
		b += (w & 0xffffffffu) + (w >> 32);
	}
	for (; len >= 4; p += 4, len -= 4)
		a += load(p, 4);
	b += load(p, len);
	return a + b;
}

#define AVX2 VX6_TARGET("avx2")
#define VNNI VX6_TARGET("avx512f,avx512bw,avx512vl,avx512vnni")

/* The same, four words at a time. */
AVX2 uint64_t vx6_sum_avx2(const uint8_t *p, size_t len)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a;
	uint64_t sum[4];
	size_t at = 0;

	for (; len - at >= 32; at += 32) {
		__m256i v = _mm256_loadu_si256(
			(const __m256i_u *)(const void *)(p + at));

		a = _mm256_add_epi64(a, _mm256_and_si256(v, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(v, 32));
	}
	_mm256_storeu_si256((__m256i_u *)(void *)sum, _mm256_add_epi64(a, b));
	return sum[0] + sum[1] + sum[2] + sum[3] +
	       vx6_sum_plain(p + at, len - at);
}

/* Products with 1 of the even bytes, and of the odd ones, two to a 32-bit
 * word and step; what they come to fits 32 bits up to 2^17 bytes. */
VNNI uint64_t vx6_sum_vnni(const uint8_t *p, size_t len)
{
	const __m512i even = _mm512_set1_epi16(1);
	const __m512i odd = _mm512_set1_epi16(0x100);
	__m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
	size_t at = 0;

	for (; len - at >= 128; at += 128) {
		__m512i v = _mm512_loadu_si512(p + at);
		__m512i w = _mm512_loadu_si512(p + at + 64);

		a = _mm512_dpbusd_epi32(a, v, even);
		b = _mm512_dpbusd_epi32(b, v, odd);
		c = _mm512_dpbusd_epi32(c, w, even);
		d = _mm512_dpbusd_epi32(d, w, odd);
	}
	for (; at < len; at += 64) {
		uint64_t mask = len - at < 64
					? ~UINT64_C(0) >> (64 - (len - at))
					: ~UINT64_C(0);
		__m512i v = _mm512_maskz_loadu_epi8(mask, p + at);

		a = _mm512_dpbusd_epi32(a, v, even);
		b = _mm512_dpbusd_epi32(b, v, odd);
	}
	a = _mm512_add_epi32(a, c);
	b = _mm512_add_epi32(b, d);
	a = _mm512_add_epi32(a, _mm512_slli_epi32(b, 8));
	return (uint32_t)_mm512_reduce_add_epi32(a);
}

#define WIDE 64u /* bytes; below, the plain way is as fast */

static uint64_t pick(const uint8_t *p, size_t len)
{
	if (len >= WIDE && vx6_sum_has_vnni())
		return vx6_sum_vnni(p, len);
	if (len >= WIDE && vx6_sum_has_avx2())
		return vx6_sum_avx2(p, len);
	return vx6_sum_plain(p, len);
}

uint16_t vx6_sum(const uint8_t *p, size_t len)
{
	return vx6_sum_fold(pick(p, len));
}
