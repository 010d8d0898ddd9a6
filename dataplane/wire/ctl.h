/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_CTL_H
#define VX6_DATAPLANE_WIRE_CTL_H

/* ctl: control messages in kind-2 cells, between an origin and the control
 * plane of any one of its hops (PROTOCOL.md 9).
 *
 *      0      1        3
 *      +------+--------+------------+----------------+
 *      | type | length |    body    |  zero padding  |   = P of the layer
 *      +------+--------+------------+----------------+
 *
 * Each type has its lengths; a body of another length is refused, and so
 * is padding that is not zero.  Repetition, ACK and the limit of 32/s a
 * circuit are the caller's.
 *
 * Ownership: body points into what was parsed.  Threads: none. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define VX6_CTL_HDR      3u
#define VX6_CTL_MAX      1440u /* P of one layer in a cell of 1472 */
#define VX6_CTL_DHT_HDR  4u
#define VX6_CTL_DHT_PART 8u /* parts of one DHT message at most */

enum vx6_ctl_type {
	VX6_CTL_MET = 1,         /* Yo 32 || auth 32 (section 11) */
	VX6_CTL_INTRODUCED = 2,  /* Xc 32 || box 464 */
	VX6_CTL_FAILED = 3,      /* u8 code of section 8, not 0 */
	VX6_CTL_PING = 4,        /* 8 bytes, which PONG repeats */
	VX6_CTL_PONG = 5,        /* 8 */
	VX6_CTL_DHT_ASK = 6,     /* u16 id, u8 part, u8 parts, bytes */
	VX6_CTL_DHT_ANSWER = 7,  /* the same */
	VX6_CTL_ESTABLISHED = 8, /* handle 16 */
	VX6_CTL_ACK = 9,         /* first 16 bytes of the body */
	VX6_CTL_TYPE_CNT
};

struct vx6_ctl {
	const uint8_t *body; /* after the DHT header for 6 and 7 */
	uint16_t len;        /* of body */
	uint8_t type;        /* enum vx6_ctl_type */
	uint8_t code;        /* FAILED */
	uint8_t part, parts; /* DHT: part counts from 0, part < parts */
	uint16_t id;         /* DHT */
};

/* vx6_ctl_name is a word for logs ("met"); "unknown" for other types. */
const char *vx6_ctl_name(unsigned type);

/* vx6_ctl_parse reads P, len bytes of it.  VX6_TRUNCATED: ends inside
 * header or body; VX6_BAD_KIND: a type not above (count, drop);
 * VX6_BAD_SIZE: a length its type cannot have, or P over 1440;
 * VX6_MALFORMED: padding not zero, part not below parts, parts not 1..8,
 * a code of 0. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_ctl_parse(struct vx6_ctl *c, const uint8_t *p, size_t len);

/* vx6_ctl_emit writes c and pads with zeros to exactly size bytes at p;
 * size 0 means no padding.  *out is what was written.  body may lie where
 * it belongs already; FAILED has its code and no body.  Refuses, with
 * vx6_ctl_parse's answers, what that would refuse, and with VX6_BAD_SIZE
 * what does not fit size or cap. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status vx6_ctl_emit(uint8_t *p, size_t cap,
							size_t size,
							const struct vx6_ctl *c,
							size_t *out);

#endif
