/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_CHANNEL_H
#define VX6_DATAPLANE_WIRE_CHANNEL_H

/* channel: what the two ends of a circuit say inside it (PROTOCOL.md 10).
 *
 *      0          2
 *      +----------+-------------+-----------------+
 *      | type,len |  data (len) |  zero padding   |   <= 1440 bytes
 *      +----------+-------------+-----------------+
 *
 * This is the plaintext of the terminal's layer (circuit to an end) or of
 * the end-to-end layer (spliced); whose layer it is, is not our business.
 * A datagram that does not fit one cell goes as two halves under two
 * consecutive counters of that layer:
 *
 *      datagram, len            cell ctr: 2 first half  (ceil(len / 2))
 *      [ first | second ]  -->  cell ctr + 1: 3 second half (the rest)
 *
 * Cells get lost, late and reordered, so the receiving end keeps unmatched
 * halves for 200 ms, at most 64, and forgets the oldest when it has more.
 * Halves are matched by counter alone: a half whose neighbour is of no use
 * (wrong lengths) takes that neighbour with it.
 *
 * Channel control (type 4) is CBOR and stays bytes here.
 *
 * Ownership: the caller's memory; parsed data points into the plaintext
 * given.  Threads: one per struct.  Cost: a joiner is 48 KiB, so take it
 * when the first half comes; a look-up scans 64 counters. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/cell.h"

#define VX6_CHANNEL_HDR 2u
#define VX6_CHANNEL_MAX 1440u /* plaintext of one layer in a cell of 1472 */

/* Sizes D: channel bytes in one cell (section 5). */
#define VX6_CHANNEL_D_DEFAULT 1006u /* until the peer's D is known */

/* No datagram is longer than the largest D there is (n = 1, cell 1472). */
#define VX6_DATAGRAM_MAX 1438u
#define VX6_HALF_MAX     ((VX6_DATAGRAM_MAX + 1u) / 2u)

#define VX6_HALVES_MAX 64u            /* unmatched, a direction */
#define VX6_HALF_NS    (200 * VX6_MS) /* an unmatched half's life */

enum vx6_channel_type {
	VX6_CHANNEL_COVER = 0, /* contents are not read */
	VX6_CHANNEL_DATAGRAM = 1,
	VX6_CHANNEL_FIRST = 2,
	VX6_CHANNEL_SECOND = 3,
	VX6_CHANNEL_CONTROL = 4, /* CBOR */
	VX6_CHANNEL_PING = 5,
	VX6_CHANNEL_PONG = 6,
	VX6_CHANNEL_TYPE_CNT
};

struct vx6_channel_msg {
	const uint8_t *data; /* inside the plaintext that was parsed */
	uint16_t len;
	uint32_t token; /* PING, PONG */
	uint8_t type;   /* enum vx6_channel_type */
};

/* vx6_channel_d_end is D of a circuit to an end (`--hops N`: n = N + 1),
 * vx6_channel_d_spliced of a spliced leg, for n layers (1..8) over links
 * whose least UDP payload is u (at most 1472 counts).  0 where nothing
 * fits or n is out of range.  Spliced: take the smaller of the two legs'. */
size_t vx6_channel_d_end(unsigned u, unsigned n);
size_t vx6_channel_d_spliced(unsigned u, unsigned n);

/* vx6_channel_parse reads len bytes of plaintext.  VX6_TRUNCATED: shorter
 * than its length says; VX6_BAD_KIND: a type not above (count, go on);
 * VX6_BAD_SIZE: a length its type cannot have (0 for datagram, halves,
 * control; a half over VX6_HALF_MAX; other than 4 for ping and pong), or
 * plaintext over 1440; VX6_MALFORMED: padding that is not zero. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_channel_parse(struct vx6_channel_msg *m, const uint8_t *p, size_t len);

/* vx6_channel_emit writes one message and pads it with zeros to exactly
 * size bytes at p; 2 + len for no padding.  data may lie at p + 2 already.
 * VX6_BAD_SIZE where it does not fit or its type cannot be that long. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) enum vx6_status
	vx6_channel_emit(uint8_t *p, size_t size, enum vx6_channel_type type,
			 const uint8_t *data, size_t len);

/* vx6_channel_emit_token writes a ping or pong, padded likewise (size >= 6).
 * A pong repeats the ping's token, at once, on the leg it came by. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_channel_emit_token(uint8_t *p, size_t size, enum vx6_channel_type type,
		       uint32_t token);

/* vx6_channel_cells says how many cells a datagram takes where D is d:
 * 1, 2 (halves), or 0 when it cannot go at all. */
unsigned vx6_channel_cells(size_t len, size_t d);

/* vx6_channel_emit_half writes the first or second half of dgram; they
 * must be sealed under consecutive counters, first the first.
 * 2 <= len <= VX6_DATAGRAM_MAX, else VX6_BAD_SIZE, and as
 * vx6_channel_emit. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_channel_emit_half(uint8_t *p, size_t size, const uint8_t *dgram, size_t len,
		      bool second);

struct vx6_joiner {
	/* counter of the half kept in a slot; VX6_HALF_NONE = free */
	uint64_t ctr[VX6_HALVES_MAX];
	uint64_t since_ns[VX6_HALVES_MAX];
	uint16_t len[VX6_HALVES_MAX];
	uint8_t type[VX6_HALVES_MAX];
	uint8_t data[VX6_HALVES_MAX][VX6_HALF_MAX];
	uint8_t joined[VX6_DATAGRAM_MAX];
	uint64_t late;   /* halves forgotten after 200 ms */
	uint64_t pushed; /* halves forgotten because 64 were kept */
};

#define VX6_HALF_NONE UINT64_MAX

VX6_NONNULL void vx6_joiner_init(struct vx6_joiner *j);

/* vx6_joiner_put takes a parsed half and the counter of the layer that it
 * came in.  VX6_OK with *dgram set: the datagram is complete, *len bytes,
 * valid until the next call.  VX6_OK with *dgram NULL: kept, its other half
 * is awaited.  VX6_REPLAYED: a half of this counter is kept already.
 * VX6_MALFORMED: its neighbour is no match; both are forgotten.
 * VX6_BAD_KIND: not a half.  VX6_BAD_SIZE: none can be so long, or empty. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_joiner_put(struct vx6_joiner *j, const struct vx6_channel_msg *m,
	       uint64_t ctr, uint64_t now_ns, const uint8_t **dgram,
	       size_t *len);

/* vx6_joiner_waiting counts the halves kept and not too old at now_ns. */
VX6_NONNULL unsigned vx6_joiner_waiting(const struct vx6_joiner *j,
					uint64_t now_ns);

#endif
