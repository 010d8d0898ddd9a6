/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_AEAD_GCM_H
#define VX6_DATAPLANE_WIRE_AEAD_GCM_H

/* gcm: AES-256-GCM (NIST SP 800-38D) for the cells of a burst, own code;
 * only this directory and its unit test include it.
 *
 * ipsec-mb computes as fast as this, on bytes that are at hand.  Its call is
 * closed, though: cells come from where no cache but the last has them, and
 * while one is worked on nothing fetches the next; the checksum of what
 * leaves has to read all of it again; and its tables are three times as
 * many lines as what is needed of them.  `wire.gcm.*` of bench_wire compares
 * the two on near and on far cells.
 *
 *     gcm_vaes.c   one message       VAES, VPCLMULQDQ, AVX-512 with VNNI
 *     gcm_key.c    four keys         the same
 *
 * Messages are cells: in place, nonce 12 bytes, 8 bytes of associated data,
 * at most VX6_GCM_MAX of text, tag 16 behind it.  Everything else (QUIC,
 * other CPUs) is ipsec-mb's or libsodium's.
 *
 * Secrets: round keys and powers of H are read from the tables in each step
 * and kept nowhere else; no branch and no address depends on them.  On a
 * wrong tag the text is rubbish that must not be used. */

#include <immintrin.h>

#include "dataplane/wire/aead/impl.h"

#define VX6_GCM_MAX    1520u
#define VX6_GCM_KEYS   4u /* that are expanded side by side */
#define VX6_GCM_POWERS 16u

#define VX6_GCM_TARGET                                                         \
	VX6_TARGET("aes,pclmul,bmi2,vaes,vpclmulqdq,avx512f,avx512bw,"         \
		   "avx512dq,avx512vl,avx512vnni")

/* Tables of a key: 496 bytes, eight cache lines. */
struct VX6_ALIGNED(64) vx6_gcm_key {
	uint8_t round[15][16];
	/* H^16 down to H^1, bits as PCLMULQDQ wants them: bytes turned round,
	 * H times x */
	uint8_t h[VX6_GCM_POWERS][16];
};

bool vx6_gcm_offers(void);

/* vx6_gcm_keys expands four keys of 32 bytes, as fast as one; the same may
 * stand there more than once. */
VX6_NONNULL void vx6_gcm_keys(struct vx6_gcm_key *const k[VX6_GCM_KEYS],
			      const uint8_t *const key[VX6_GCM_KEYS]);

/* vx6_gcm_seal and _open do one message; m->key is a struct vx6_gcm_key. */
VX6_NONNULL void vx6_gcm_seal(struct vx6_aead_lane *m, size_t len);
VX6_NONNULL void vx6_gcm_open(struct vx6_aead_lane *m, size_t len);

#endif
