/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/base/sum.h"

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
	h->sum = vx6_sum(q + 8, 32);
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
	h->sum = vx6_sum(q + 12, 8);
	h->ip_sum = vx6_sum(q, PACKET_IP4);
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
	h->sum += vx6_sum(udp, 4) + htons(IPPROTO_UDP);
}

void packet_write(const struct packet_head *h, uint8_t *payload, uint16_t len,
		  uint16_t sum)
{
	uint8_t *at = payload - h->len, *udp = payload - PACKET_UDP;
	uint32_t udp_len = len + PACKET_UDP;
	uint32_t word = htons((uint16_t)udp_len);

	if (vx6_unlikely(sum == 0))
		sum = vx6_sum(payload, len);
	/* a length that the compiler knows: `rep movs` takes longer than all
	 * of the rest */
	if (vx6_likely(h->len == PACKET_HDR_V6))
		memcpy(at, h->byte, PACKET_HDR_V6);
	else
		memcpy(at, h->byte, PACKET_HDR_V4);
	put16(udp + 4, udp_len);
	/* the length is in the pseudo-header and in the header */
	sum = (uint16_t)~vx6_sum_fold((uint64_t)h->sum + 2u * word + sum);
	if (sum == 0)
		sum = 0xffff; /* 0 says that there is none (RFC 768) */
	memcpy(udp + 6, &sum, sizeof(sum));
	at += PACKET_ETH;
	if (h->len == PACKET_HDR_V6) {
		put16(at + 4, udp_len);
		return;
	}
	put16(at + 2, udp_len + PACKET_IP4);
	sum = (uint16_t)~vx6_sum_fold((uint64_t)h->ip_sum +
				      htons((uint16_t)(udp_len + PACKET_IP4)));
	memcpy(at + 10, &sum, sizeof(sum));
}
