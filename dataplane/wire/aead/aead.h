/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_AEAD_AEAD_H
#define VX6_DATAPLANE_WIRE_AEAD_AEAD_H

/* aead: the ciphers that move bulk bytes, the fastest form the CPU has.
 *
 * Two users: cell layers (PROTOCOL.md section 3) and QUIC packet
 * protection (RFC 9001 section 5).  Both have a 12-byte nonce of their
 * own making and a 16-byte tag behind the ciphertext.
 *
 * The implementation is chosen once, by vx6_aead_start: intel-ipsec-mb's
 * direct calls where the CPU has AES-NI, PCLMULQDQ and SSE4.2, otherwise
 * libsodium.  Without AES instructions AES-GCM is not offered at all
 * (VX6_UNSUPPORTED) and the one AES block of header protection comes from
 * a constant-time implementation.
 *
 * Ownership: keys live in the caller's memory, at any place that the type's
 * alignment allows (64); wipe them with vx6_aead_wipe.
 * Threads: a key may be used by many threads at once; vx6_aead_start and
 * vx6_aead_force before the first of them.
 * Cost: vx6_aead_init expands the key schedule (about 1 us for GCM). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

enum vx6_alg {
	VX6_ALG_AES128_GCM = 1,
	VX6_ALG_AES256_GCM,
	VX6_ALG_CHACHA20_POLY1305
};

enum vx6_aead_impl { VX6_IMPL_SODIUM, VX6_IMPL_IPSEC_MB };

#define VX6_NONCE_LEN 12u

/* Room for ipsec-mb's struct gcm_key_data, asserted where it is used; the
 * two bytes behind it share its last cache line. */
#define VX6_AEAD_STATE 1264u

struct VX6_ALIGNED(64) vx6_aead {
	uint8_t state[VX6_AEAD_STATE];
	uint8_t alg;  /* enum vx6_alg; 0 = not initialised */
	uint8_t impl; /* enum vx6_aead_impl */
};

/* vx6_aead_start picks the implementation; call it once, before threads.
 * VX6_UNSUPPORTED where neither library works on this CPU. */
VX6_MUST_CHECK enum vx6_status vx6_aead_start(void);

/* vx6_aead_impl_name says which was picked ("ipsec-mb avx512" ..). */
const char *vx6_aead_impl_name(void);

/* vx6_aead_force overrides the pick, for tests and benchmarks.
 * VX6_UNSUPPORTED where the CPU cannot run it. */
VX6_MUST_CHECK enum vx6_status vx6_aead_force(enum vx6_aead_impl impl);

/* vx6_aead_offers tells whether alg works on this host. */
bool vx6_aead_offers(enum vx6_alg alg);

/* vx6_aead_init expands key (16 bytes for AES-128, else 32).
 * VX6_UNSUPPORTED where vx6_aead_offers is false. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_aead_init(struct vx6_aead *a, enum vx6_alg alg, const uint8_t *key);

/* vx6_aead_seal writes len + 16 bytes to dst; dst == src is fine. */
VX6_NONNULL_ARGS(1, 2, 5, 6)
void vx6_aead_seal(const struct vx6_aead *a, const uint8_t nonce[VX6_NONCE_LEN],
		   const void *ad, size_t ad_len, uint8_t *dst,
		   const uint8_t *src, size_t len);

/* vx6_aead_open takes len bytes, tag included, and writes len - 16 to
 * dst; dst == src is fine.  VX6_BAD_TAG (dst is then rubbish that the
 * caller must not use), VX6_TRUNCATED for len < 16. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 5, 6) enum vx6_status
	vx6_aead_open(const struct vx6_aead *a,
		      const uint8_t nonce[VX6_NONCE_LEN], const void *ad,
		      size_t ad_len, uint8_t *dst, const uint8_t *src,
		      size_t len);

VX6_NONNULL void vx6_aead_wipe(struct vx6_aead *a);

/* One AES block, both ways: header protection of cells (AES-128) and of
 * QUIC (AES-128, AES-256; encryption only). */
struct VX6_ALIGNED(16) vx6_aes {
	uint8_t enc[15 * 16];
	uint8_t dec[15 * 16];
	uint8_t rounds; /* 10 or 14 */
};

/* vx6_aes_init expands key of key_len 16 or 32 bytes. */
VX6_NONNULL void vx6_aes_init(struct vx6_aes *a, const uint8_t *key,
			      size_t key_len);

/* vx6_aes_encrypt and _decrypt do one block of 16; out == in is fine. */
VX6_NONNULL void vx6_aes_encrypt(const struct vx6_aes *a, uint8_t out[16],
				 const uint8_t in[16]);
VX6_NONNULL void vx6_aes_decrypt(const struct vx6_aes *a, uint8_t out[16],
				 const uint8_t in[16]);

VX6_NONNULL void vx6_aes_wipe(struct vx6_aes *a);

#endif
