/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_CELL_H
#define VX6_DATAPLANE_WIRE_CELL_H

/* cell: one UDP payload on a link (PROTOCOL.md section 2).
 *
 *      0      1          4             8           14          16
 *      +------+----------+-------------+-----------+-----------+------
 *      | 0x01 | link idx | circuit id  |  counter  | kind, len | C ..
 *      +------+----------+-------------+-----------+-----------+------
 *                        |<---- one AES block on the wire, 4..19 ---->|
 *
 * Header protection is one AES-128 block encrypted in place, so it covers
 * the first four bytes of C as well; a cell is never shorter than 32.
 * Everything here works on the bytes where they lie and copies nothing.
 *
 * Order on receipt: vx6_cell_link, find the link, vx6_cell_unprotect,
 * vx6_cell_parse, find the circuit, vx6_cell_fits. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/aead/aead.h"

#define VX6_CELL_VERSION 0x01u
#define VX6_CELL_HDR     16u   /* before C */
#define VX6_CELL_MIN     32u   /* header and an empty ciphertext's tag */
#define VX6_CELL_MAX     1472u /* bytes of UDP payload; none is longer */
#define VX6_LEN_MIN      16u
#define VX6_LEN_MAX      1456u
#define VX6_LAYER_LEN    24u /* what a layer adds: 8 in front, 16 behind */
#define VX6_HOPS_MAX     8u

enum vx6_kind {
	VX6_KIND_DATA = 1,
	VX6_KIND_CONTROL = 2,
	VX6_KIND_DROP = 3,
	VX6_KIND_PROBE = 4
};

struct vx6_cell {
	uint64_t ctr;  /* 48 bits */
	uint32_t link; /* 24 bits, the receiver's index */
	uint32_t circ; /* the receiver's id; 0 = the link itself */
	uint16_t len;  /* of C, tag included */
	uint8_t kind;  /* enum vx6_kind */
};

/* H8: the eight header bytes that a layer authenticates (cell 8..15). */
VX6_NONNULL static inline void vx6_h8_put(uint8_t h8[8], uint64_t ctr,
					  unsigned kind, size_t len)
{
	/* one store: the AEAD reads all eight at once */
	vx6_put64(h8, ctr << 16 | kind << 12 | (len & 0xfffu));
}

VX6_NONNULL static inline uint64_t vx6_h8_ctr(const uint8_t h8[8])
{
	return vx6_get64(h8) >> 16;
}

VX6_NONNULL static inline uint8_t vx6_h8_kind(const uint8_t h8[8])
{
	return h8[6] >> 4;
}

VX6_NONNULL static inline uint16_t vx6_h8_len(const uint8_t h8[8])
{
	return vx6_get16(h8 + 6) & 0xfffu;
}

/* vx6_cell_link checks what is readable on the wire: version and size
 * (VX6_BAD_VERSION, VX6_BAD_SIZE), and tells the receiver's link index. */
VX6_MUST_CHECK VX6_NONNULL static inline enum vx6_status
vx6_cell_link(const uint8_t *p, size_t size, uint32_t *link)
{
	if (vx6_unlikely(size < VX6_CELL_MIN || size > VX6_CELL_MAX))
		return VX6_BAD_SIZE;
	if (vx6_unlikely(p[0] != VX6_CELL_VERSION))
		return VX6_BAD_VERSION;
	*link = vx6_get24(p + 1);
	return VX6_OK;
}

/* vx6_cell_block is where the block of header protection lies. */
VX6_NONNULL static inline uint8_t *vx6_cell_block(uint8_t *p)
{
	return p + 4;
}

/* vx6_cell_protect encrypts bytes 4..19 of a cell of at least 32 bytes
 * with the link's header key of that direction; _unprotect undoes it. */
VX6_NONNULL static inline void vx6_cell_protect(const struct vx6_aes *key,
						uint8_t *p)
{
	vx6_aes_encrypt(key, p + 4, p + 4);
}

VX6_NONNULL static inline void vx6_cell_unprotect(const struct vx6_aes *key,
						  uint8_t *p)
{
	vx6_aes_decrypt(key, p + 4, p + 4);
}

/* vx6_cell_parse reads an unprotected header of a datagram of size bytes
 * (32..1472, as vx6_cell_link left it).  Refuses kinds that do not exist
 * (VX6_BAD_KIND), probes on a circuit and anything else on circuit 0
 * (VX6_BAD_KIND), a len outside 16..1456 or beyond the datagram
 * (VX6_BAD_SIZE). */
VX6_MUST_CHECK VX6_NONNULL static inline enum vx6_status
vx6_cell_parse(struct vx6_cell *cell, const uint8_t *p, size_t size)
{
	const uint8_t *h8 = p + 8;
	struct vx6_cell got = {
		.ctr = vx6_h8_ctr(h8),
		.link = vx6_get24(p + 1),
		.circ = vx6_get32(p + 4),
		.len = vx6_h8_len(h8),
		.kind = vx6_h8_kind(h8),
	};

	if (vx6_unlikely(got.kind < VX6_KIND_DATA || got.kind > VX6_KIND_PROBE))
		return VX6_BAD_KIND;
	if (vx6_unlikely((got.kind == VX6_KIND_PROBE) != (got.circ == 0)))
		return VX6_BAD_KIND;
	if (vx6_unlikely(got.len < VX6_LEN_MIN || got.len > VX6_LEN_MAX ||
			 VX6_CELL_HDR + (size_t)got.len > size))
		return VX6_BAD_SIZE;
	*cell = got;
	return VX6_OK;
}

/* vx6_cell_put writes the first 8 bytes (version, link, circuit id). */
VX6_NONNULL static inline void vx6_cell_put(uint8_t *p, uint32_t link,
					    uint32_t circ)
{
	vx6_put64(p, (uint64_t)VX6_CELL_VERSION << 56 |
			     (uint64_t)(link & 0xffffffu) << 32 | circ);
}

/* vx6_cell_fits is the size rule: a circuit's cell_size is 0 (the datagram
 * is exactly 16 + len), 1232 or 1452 (it is exactly that, and 16 + len is
 * not more). */
static inline bool vx6_cell_fits(uint16_t cell_size, size_t size, uint16_t len)
{
	if (cell_size == 0)
		return size == VX6_CELL_HDR + (size_t)len;
	return size == cell_size && VX6_CELL_HDR + (size_t)len <= cell_size;
}

/* vx6_cell_size_ok is true for the three cell sizes that exist. */
static inline bool vx6_cell_size_ok(uint16_t cell_size)
{
	return cell_size == 0 || cell_size == 1232 || cell_size == 1452;
}

/* vx6_cell_out_size is the size of a datagram to send: 16 + len, or the
 * outgoing circuit's cell_size.  0 where len does not fit. */
static inline size_t vx6_cell_out_size(uint16_t cell_size, uint16_t len)
{
	size_t size = VX6_CELL_HDR + (size_t)len;

	if (size > VX6_CELL_MAX || (cell_size != 0 && size > cell_size))
		return 0;
	return cell_size == 0 ? size : cell_size;
}

#endif
