/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_KDF_H
#define VX6_DATAPLANE_WIRE_KDF_H

/* kdf: the primitives of PROTOCOL.md section 1, under its own names.
 *
 * Pure: bytes in, bytes out; libsodium underneath, whose sodium_init()
 * the process has called.  Secrets that these functions hold in between
 * are wiped before they return. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define VX6_HASH_LEN 32u
#define VX6_TAG_LEN  16u

struct vx6_part { /* one input of HASH; len <= 65535 */
	const void *data;
	size_t len;
};

/* vx6_hash is HASH(label; part[0], ..): 32 bytes to out. */
VX6_NONNULL_ARGS(1, 2)
void vx6_hash(uint8_t out[VX6_HASH_LEN], const char *label,
	      const struct vx6_part part[], size_t n);

/* vx6_hash64 is HASH64: 64 bytes to out. */
VX6_NONNULL_ARGS(1, 2)
void vx6_hash64(uint8_t out[64], const char *label,
		const struct vx6_part part[], size_t n);

/* vx6_extract is EXTRACT(h, ikm). */
VX6_NONNULL void vx6_extract(uint8_t out[32], const uint8_t h[32],
			     const void *ikm, size_t len);

/* vx6_key is KEY(prk, ctx, id, len), 16 <= len <= 64; ctx has 8 bytes. */
VX6_NONNULL void vx6_key(uint8_t *out, size_t len, const uint8_t prk[32],
			 const char ctx[8], uint64_t id);

/* vx6_dh is DH(secret, point).  VX6_BAD_KEY for a zero result; out is
 * then zero. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_dh(uint8_t out[32], const uint8_t secret[32], const uint8_t point[32]);

/* vx6_point_is_small: point has a small order, so DH with it is zero for
 * every secret; no honest sender draws one.  Cheap, and not in constant
 * time: points are public. */
VX6_MUST_CHECK VX6_NONNULL bool vx6_point_is_small(const uint8_t point[32]);

/* vx6_seal is SEAL(k, ad, p): len + 16 bytes to out; out == p is fine. */
VX6_NONNULL_ARGS(1, 2)
void vx6_seal(uint8_t *out, const uint8_t k[32], const void *ad, size_t ad_len,
	      const void *p, size_t len);

/* vx6_open undoes vx6_seal: len counts the tag; len - 16 bytes to out.
 * VX6_BAD_TAG, out then untouched or zero; VX6_TRUNCATED for len < 16. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2) enum vx6_status
	vx6_open(uint8_t *out, const uint8_t k[32], const void *ad,
		 size_t ad_len, const void *c, size_t len);

/* vx6_stream_xor XORs STREAM(k, skip + len)[skip..) into buf. */
VX6_NONNULL void vx6_stream_xor(uint8_t *buf, size_t len, const uint8_t k[32],
				size_t skip);

/* vx6_node_id is BLAKE2b-256 of an Ed25519 public key. */
VX6_NONNULL void vx6_node_id(uint8_t id[32], const uint8_t public_key[32]);

/* vx6_kid is the first 4 bytes of BLAKE2b-256 of an onion public key, as
 * a big-endian number. */
VX6_NONNULL uint32_t vx6_kid(const uint8_t onion_public[32]);

#endif
