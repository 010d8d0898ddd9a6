/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_PACKET_H
#define VX6_DATAPLANE_PORT_PACKET_H

/* packet: the Ethernet, IP and UDP around a datagram, read and written.
 *
 *     | Ethernet 14 (+ 4 a VLAN tag) | IPv6 40 or IPv4 20 | UDP 8 | payload |
 *
 * What is read came through the classifier, which is not believed: every
 * length is checked against the bytes at hand.  Checksums are not judged:
 * a veth delivers what is only half summed, and every cell has a tag.
 *
 * What is written is a plain packet: hop limit 64 (RFC 1700), no traffic
 * class, no flow label, no options, don't-fragment and id 0 (RFC 6864),
 * both checksums complete.
 *
 * They are reckoned here and not left to AF_XDP's transmit metadata: a kernel
 * that copies passes such a packet on half summed (CHECKSUM_PARTIAL), and
 * what a veth then hands to an XDP program at its other end stays so.
 *
 * Pure: no memory, no clock, no system call. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define PACKET_ETH    14u
#define PACKET_IP6    40u
#define PACKET_IP4    20u
#define PACKET_UDP    8u
#define PACKET_HDR_V6 (PACKET_ETH + PACKET_IP6 + PACKET_UDP)
#define PACKET_HDR_V4 (PACKET_ETH + PACKET_IP4 + PACKET_UDP)
#define PACKET_HDR    PACKET_HDR_V6 /* the larger */
#define PACKET_TAGS   2u            /* VLAN tags before the IP header */

struct packet { /* what was read */
	struct vx6_addr from, to;
	uint16_t at; /* where the payload begins */
	uint16_t len;
	uint8_t ecn;
};

/* packet_read describes the UDP datagram in an Ethernet frame of len bytes.
 * VX6_TRUNCATED (lengths do not agree), VX6_BAD_KIND (no IP, no UDP, options,
 * extension headers, fragments); *p is then undefined. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
packet_read(struct packet *p, const uint8_t *frame, size_t len);

struct packet_head { /* the headers of one way, made once */
	uint8_t byte[PACKET_HDR];
	uint8_t len;     /* PACKET_HDR_V6 or PACKET_HDR_V4 */
	uint8_t ip_len;  /* of it without Ethernet */
	uint32_t ip_sum; /* IPv4 header without its length */
	uint32_t sum;    /* UDP header and pseudo-header without lengths */
};

/* packet_head_make; self and peer are of one family. */
VX6_NONNULL void packet_head_make(struct packet_head *h, const uint8_t dst[6],
				  const uint8_t src[6],
				  const struct vx6_addr *self,
				  const struct vx6_addr *peer);

/* packet_write puts the headers in front of a payload of len bytes, which
 * has h->len bytes of room before it.  sum is vx6_sum of the payload, or 0:
 * not known, it is reckoned here. */
VX6_NONNULL void packet_write(const struct packet_head *h, uint8_t *payload,
			      uint16_t len, uint16_t sum);

#endif
