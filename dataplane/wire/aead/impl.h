/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_AEAD_IMPL_H
#define VX6_DATAPLANE_WIRE_AEAD_IMPL_H

/* impl: what stands behind aead.h; only this directory and its unit test
 * include it.
 *
 *     aead.c -+-> ipsec_mb.c   intel-ipsec-mb's direct calls
 *             +-> sodium.c     libsodium
 *             \-> aegis_*.c    AEGIS-128L (aegis.h)
 *     aes.c  ---> aes_ni.c     one block with AES-NI
 *            \--> aes_soft.c   one block without tables, constant time
 *
 * Arguments are checked in aead.c: len counts no tag here, and a seal or
 * open gets an algorithm that its implementation offers. */

#include <string.h>

#include "dataplane/base/sum.h"
#include "dataplane/wire/aead/aead.h"

#define VX6_AEAD_TAG 16u

/* vx6_tag_eq compares tags in constant time. */
VX6_NONNULL static inline bool vx6_tag_eq(const uint8_t a[VX6_AEAD_TAG],
					  const uint8_t b[VX6_AEAD_TAG])
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* vx6_tag_sum is what a tag adds to the sum of the len bytes before it. */
VX6_NONNULL static inline uint32_t vx6_tag_sum(const uint8_t tag[VX6_AEAD_TAG],
					       size_t len)
{
	uint16_t sum = vx6_sum_fold(
		(uint64_t)vx6_sum_word(tag) + vx6_sum_word(tag + 4) +
		vx6_sum_word(tag + 8) + vx6_sum_word(tag + 12));

	return len % 2 == 0 ? sum : vx6_sum_turned(sum);
}

/* vx6_imb_start finds out whether ipsec-mb can run here and fetches its
 * entry points.  False: none of the others may be called. */
bool vx6_imb_start(void);
const char *vx6_imb_name(void);
VX6_NONNULL void vx6_imb_init(void *state, enum vx6_alg alg,
			      const uint8_t *key);
VX6_NONNULL_ARGS(2, 3, 5, 6)
void vx6_imb_seal(struct vx6_aead_ref a, const uint8_t *nonce, const void *ad,
		  size_t ad_len, uint8_t *dst, const uint8_t *src, size_t len);
VX6_NONNULL_ARGS(2, 3, 5, 6)
bool vx6_imb_open(struct vx6_aead_ref a, const uint8_t *nonce, const void *ad,
		  size_t ad_len, uint8_t *dst, const uint8_t *src, size_t len);

bool vx6_sodium_offers(enum vx6_alg alg);
VX6_NONNULL void vx6_sodium_init(void *state, enum vx6_alg alg,
				 const uint8_t *key);
VX6_NONNULL_ARGS(2, 3, 5, 6)
void vx6_sodium_seal(struct vx6_aead_ref a, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len);
VX6_NONNULL_ARGS(2, 3, 5, 6)
bool vx6_sodium_open(struct vx6_aead_ref a, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len);

/* Both kinds of AES read the same key schedule: FIPS-197's in enc, and in
 * dec that of its equivalent inverse cipher (section 5.3.5), in the order
 * of use. */
VX6_NONNULL void vx6_aes_soft_init(struct vx6_aes *a, const uint8_t *key,
				   size_t key_len);
VX6_NONNULL void vx6_aes_soft_encrypt(const struct vx6_aes *a, uint8_t out[16],
				      const uint8_t in[16]);
VX6_NONNULL void vx6_aes_soft_decrypt(const struct vx6_aes *a, uint8_t out[16],
				      const uint8_t in[16]);

bool vx6_aes_ni_offers(void);
VX6_NONNULL void vx6_aes_ni_encrypt(const struct vx6_aes *a, uint8_t out[16],
				    const uint8_t in[16]);
VX6_NONNULL void vx6_aes_ni_decrypt(const struct vx6_aes *a, uint8_t out[16],
				    const uint8_t in[16]);
VX6_NONNULL void vx6_aes_ni_encrypt_each(struct vx6_aes_op op[], unsigned n);
VX6_NONNULL void vx6_aes_ni_decrypt_each(struct vx6_aes_op op[], unsigned n);

/* vx6_aes_start picks AES-NI where the CPU has it; vx6_aead_start calls
 * it.  Until then one block is done in software. */
void vx6_aes_start(void);

#endif
