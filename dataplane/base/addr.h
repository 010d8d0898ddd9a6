/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_ADDR_H
#define VX6_DATAPLANE_BASE_ADDR_H

/* addr: an IP address and a UDP or TCP port, one form for both families.
 *
 * IPv4 is held mapped (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), as it
 * is on the wire.  All zero with port 0 means "none".
 *
 * Ownership: a value, 20 bytes, no padding that matters: compare with
 * vx6_addr_eq or memcmp alike. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define VX6_ADDR_TEXT 56u /* "[v6]:port" with its NUL, and to spare */

struct vx6_addr {
	uint8_t ip[16];
	uint16_t port; /* host order */
	uint16_t zero;
};

/* vx6_addr_parse reads "192.0.2.1:80", "[2001:db8::1]:80" or
 * "localhost:80" (::1 is not guessed: localhost is 127.0.0.1); no other
 * name is looked up.  VX6_MALFORMED otherwise, *a then untouched. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status vx6_addr_parse(struct vx6_addr *a,
							  const char *text);

/* vx6_addr_text writes the form that vx6_addr_parse reads; returns out. */
VX6_NONNULL const char *vx6_addr_text(const struct vx6_addr *a,
				      char out[VX6_ADDR_TEXT]);

/* vx6_addr_from takes a sockaddr_in or sockaddr_in6.  VX6_MALFORMED for
 * any other family. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_addr_from(struct vx6_addr *a, const struct sockaddr *sa);

/* vx6_addr_to6 fills a sockaddr_in6 (mapped for IPv4). */
VX6_NONNULL void vx6_addr_to6(const struct vx6_addr *a,
			      struct sockaddr_in6 *sa);

/* vx6_addr_to fills sa with the family that a has; returns its length. */
VX6_NONNULL socklen_t vx6_addr_to(const struct vx6_addr *a,
				  struct sockaddr_storage *sa);

/* vx6_addr_eq and vx6_addr_is_none stand here because every cell asks. */
VX6_NONNULL static inline bool vx6_addr_eq(const struct vx6_addr *a,
					   const struct vx6_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->ip, sizeof(x));
	memcpy(y, b->ip, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a->port == b->port;
}

VX6_NONNULL static inline bool vx6_addr_is_none(const struct vx6_addr *a)
{
	uint64_t x[2];

	memcpy(x, a->ip, sizeof(x));
	return (x[0] | x[1] | a->port) == 0;
}

VX6_NONNULL bool vx6_addr_is_v4(const struct vx6_addr *a);
VX6_NONNULL bool vx6_addr_is_loopback(const struct vx6_addr *a);

/* vx6_addr_is_private is true for what a stranger's record must not make
 * us dial: loopback, RFC 1918, RFC 4193, link-local, site-local, shared
 * (RFC 6598), unspecified, multicast and above; and IPv6 forms of these:
 * ::/96, and NAT64 (RFC 6052) or 6to4 (RFC 3056) around one of them. */
VX6_NONNULL bool vx6_addr_is_private(const struct vx6_addr *a);

#endif
