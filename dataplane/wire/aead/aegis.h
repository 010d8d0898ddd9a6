/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_AEAD_AEGIS_H
#define VX6_DATAPLANE_WIRE_AEAD_AEGIS_H

/* aegis: AEGIS-128L with a 128-bit tag (draft-irtf-cfrg-aegis-aead), own
 * code; only this directory and its unit test include it.
 *
 *     aegis_ni.c     one message          AES-NI and SSE4.1
 *     aegis_vaes.c   four of one length   VAES and AVX-512
 *
 * The state is eight AES blocks, and a step turns all of them by one AES
 * round each: 32 bytes of message.  One message waits for the round's
 * latency most of the time and pays 18 steps beside its text; four side by
 * side in the lanes of eight registers fill the time and share the steps.
 *
 * Key 16 bytes, nonce 16, tag 16 behind the text.  dst == src is fine.  On a
 * wrong tag dst is zeroed: plaintext that nobody vouches for is never shown.
 * The state itself lives in registers; what the compiler spills of it is
 * not wiped, as in ipsec-mb without SAFE_DATA. */

#include <immintrin.h>

#include "dataplane/wire/aead/impl.h"

#define VX6_AEGIS_KEY   16u
#define VX6_AEGIS_BLOCK 32u /* bytes of text in one step */
#define VX6_AEGIS_START 10u /* steps before the text, */
#define VX6_AEGIS_END   7u  /* and behind it */

/* The Fibonacci sequence modulo 256. */
static const uint8_t vx6_aegis_c0[16] = { 0x00, 0x01, 0x01, 0x02, 0x03, 0x05,
					  0x08, 0x0d, 0x15, 0x22, 0x37, 0x59,
					  0x90, 0xe9, 0x79, 0x62 };
static const uint8_t vx6_aegis_c1[16] = { 0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2,
					  0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42,
					  0x73, 0xb5, 0x28, 0xdd };

bool vx6_aegis_offers(void);
VX6_NONNULL_ARGS(1, 2, 3, 5, 6)
void vx6_aegis_seal(const uint8_t *key, const uint8_t *nonce, const void *ad,
		    size_t ad_len, uint8_t *dst, const uint8_t *src,
		    size_t len);
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3, 5, 6) bool vx6_aegis_open(
	const uint8_t *key, const uint8_t *nonce, const void *ad, size_t ad_len,
	uint8_t *dst, const uint8_t *src, size_t len);

/* Four messages of the same len, in place; the same one may stand there
 * twice.  Each one's sum is its text's, the tag left out.  Whoever calls them
 * has asked vx6_aegis_has_lanes. */
bool vx6_aegis_has_lanes(void);
VX6_NONNULL void vx6_aegis_seal_lanes(struct vx6_aead_lane *const m[4],
				      size_t len);
VX6_NONNULL void vx6_aegis_open_lanes(struct vx6_aead_lane *const m[4],
				      size_t len);

#endif
