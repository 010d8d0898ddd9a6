/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/packet.h"

#include <arpa/inet.h>
#include <immintrin.h>
#include <netinet/in.h>
#include <string.h>

#define TYPE_IP4 0x0800u
#define TYPE_IP6 0x86ddu
#define TYPE_TAG 0x8100u
#define TYPE_QIN 0x88a8u
#define HOPS     64u
#define DONT     0x40u /* don't-fragment, in the high byte */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* ---- read ---- */

static void mapped(struct vx6_addr *a, const uint8_t ip[4])
{
	memset(a->ip, 0, 10);
	memset(a->ip + 10, 0xff, 2);
	memcpy(a->ip + 12, ip, 4);
}

/* Reads an IP header at q; how long it is, 0: not what we take. */
static size_t read_ip6(struct packet *p, const uint8_t *q, size_t have)
{
	if (have < PACKET_IP6 + PACKET_UDP || q[0] >> 4 != 6 ||
	    q[6] != IPPROTO_UDP)
		return 0;
	p->len = get16(q + 4);
	p->ecn = q[1] >> 4 & 3u;
	memcpy(p->from.ip, q + 8, 16);
	memcpy(p->to.ip, q + 24, 16);
	return PACKET_IP6;
}

static size_t read_ip4(struct packet *p, const uint8_t *q, size_t have)
{
	if (have < PACKET_IP4 + PACKET_UDP || q[0] != 0x45 ||
	    q[9] != IPPROTO_UDP || (get16(q + 6) & 0x3fff) != 0 ||
	    get16(q + 2) < PACKET_IP4)
		return 0;
	p->len = (uint16_t)(get16(q + 2) - PACKET_IP4);
	p->ecn = q[1] & 3u;
	mapped(&p->from, q + 12);
	mapped(&p->to, q + 16);
	return PACKET_IP4;
}

enum vx6_status packet_read(struct packet *p, const uint8_t *frame, size_t len)
{
	size_t at = PACKET_ETH, ip;
	uint16_t type;
	const uint8_t *udp;

	if (len < PACKET_ETH)
		return VX6_TRUNCATED;
	type = get16(frame + 12);
	for (unsigned i = 0; i < PACKET_TAGS; i++) {
		if (type != TYPE_TAG && type != TYPE_QIN)
			break;
		if (len < at + 4)
			return VX6_TRUNCATED;
		type = get16(frame + at + 2);
		at += 4;
	}
	p->from.zero = p->to.zero = 0;
	if (type == TYPE_IP6)
		ip = read_ip6(p, frame + at, len - at);
	else if (type == TYPE_IP4)
		ip = read_ip4(p, frame + at, len - at);
	else
		ip = 0;
	if (ip == 0)
		return VX6_BAD_KIND;
	at += ip;
	udp = frame + at;
	if (p->len < PACKET_UDP || p->len > len - at ||
	    get16(udp + 4) != p->len)
		return VX6_TRUNCATED;
	p->from.port = get16(udp);
	p->to.port = get16(udp + 2);
	p->at = (uint16_t)(at + PACKET_UDP);
	p->len = (uint16_t)(p->len - PACKET_UDP);
	return VX6_OK;
}

/* ---- checksums (RFC 1071): sums of 16-bit words as they lie in memory,
 * so that no byte is turned round ---- */

static uint32_t fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffffu);
	sum = (sum >> 32) + (sum & 0xffffffffu);
	sum = (sum >> 16) + (sum & 0xffffu);
	sum = (sum >> 16) + (sum & 0xffffu);
	return (uint32_t)((sum >> 16) + (sum & 0xffffu));
}

static uint64_t load(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

/* None of them is folded yet.  Two chains of 32-bit halves in 64-bit words:
 * no carry is lost within 2^31 steps. */
static uint64_t sum_plain(const uint8_t *p, size_t len)
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
AVX2 static uint64_t sum_avx2(const uint8_t *p, size_t len)
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
	return sum[0] + sum[1] + sum[2] + sum[3] + sum_plain(p + at, len - at);
}

/* Products with 1 of the even bytes, and of the odd ones, two to a 32-bit
 * word and step; in all, 2^20 bytes until one overflows. */
VNNI static uint64_t sum_vnni(const uint8_t *p, size_t len)
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

static uint64_t sum_of(const uint8_t *p, size_t len)
{
	if (len >= WIDE && __builtin_cpu_supports("avx512vnni") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl"))
		return sum_vnni(p, len);
	if (len >= WIDE && __builtin_cpu_supports("avx2"))
		return sum_avx2(p, len);
	return sum_plain(p, len);
}

/* ---- write ---- */

static void head_ip6(struct packet_head *h, const struct vx6_addr *self,
		     const struct vx6_addr *peer)
{
	uint8_t *q = h->byte + PACKET_ETH;

	put16(h->byte + 12, TYPE_IP6);
	q[0] = 0x60;
	q[6] = IPPROTO_UDP;
	q[7] = HOPS;
	memcpy(q + 8, self->ip, 16);
	memcpy(q + 24, peer->ip, 16);
	h->len = PACKET_HDR_V6;
	h->sum = fold(sum_of(q + 8, 32));
}

static void head_ip4(struct packet_head *h, const struct vx6_addr *self,
		     const struct vx6_addr *peer)
{
	uint8_t *q = h->byte + PACKET_ETH;

	put16(h->byte + 12, TYPE_IP4);
	q[0] = 0x45;
	q[6] = DONT;
	q[8] = HOPS;
	q[9] = IPPROTO_UDP;
	memcpy(q + 12, self->ip + 12, 4);
	memcpy(q + 16, peer->ip + 12, 4);
	h->len = PACKET_HDR_V4;
	h->sum = fold(sum_of(q + 12, 8));
	h->ip_sum = fold(sum_of(q, PACKET_IP4));
}

void packet_head_make(struct packet_head *h, const uint8_t dst[6],
		      const uint8_t src[6], const struct vx6_addr *self,
		      const struct vx6_addr *peer)
{
	uint8_t *udp;

	memset(h, 0, sizeof(*h));
	memcpy(h->byte, dst, 6);
	memcpy(h->byte + 6, src, 6);
	if (vx6_addr_is_v4(peer))
		head_ip4(h, self, peer);
	else
		head_ip6(h, self, peer);
	h->ip_len = (uint8_t)(h->len - PACKET_ETH);
	udp = h->byte + h->len - PACKET_UDP;
	put16(udp, self->port);
	put16(udp + 2, peer->port);
	h->sum += fold(sum_of(udp, 4)) + htons(IPPROTO_UDP);
}

void packet_write(const struct packet_head *h, uint8_t *payload, uint16_t len)
{
	uint8_t *at = payload - h->len, *udp = payload - PACKET_UDP;
	uint32_t udp_len = len + PACKET_UDP;
	uint32_t word = htons((uint16_t)udp_len);
	uint16_t sum;

	/* a length that the compiler knows: `rep movs` takes as long as the
	 * checksum does */
	if (vx6_likely(h->len == PACKET_HDR_V6))
		memcpy(at, h->byte, PACKET_HDR_V6);
	else
		memcpy(at, h->byte, PACKET_HDR_V4);
	put16(udp + 4, udp_len);
	/* the length is in the pseudo-header and in the header */
	sum = (uint16_t)~fold((uint64_t)h->sum + 2u * word +
			      sum_of(payload, len));
	if (sum == 0)
		sum = 0xffff; /* 0 says that there is none (RFC 768) */
	memcpy(udp + 6, &sum, sizeof(sum));
	at += PACKET_ETH;
	if (h->len == PACKET_HDR_V6) {
		put16(at + 4, udp_len);
		return;
	}
	put16(at + 2, udp_len + PACKET_IP4);
	sum = (uint16_t)~fold((uint64_t)h->ip_sum +
			      htons((uint16_t)(udp_len + PACKET_IP4)));
	memcpy(at + 10, &sum, sizeof(sum));
}
