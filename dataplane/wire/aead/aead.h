/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_AEAD_AEAD_H
#define VX6_DATAPLANE_WIRE_AEAD_AEAD_H

/* aead: the ciphers that move bulk bytes, the fastest form the CPU has.
 *
 * Two users: cell layers (PROTOCOL.md section 3) and QUIC packet
 * protection (RFC 9001 section 5).  Both make the nonce (12 bytes, for
 * AEGIS-128L 16) themselves and have a 16-byte tag behind the ciphertext.
 *
 * The implementation is chosen once, by vx6_aead_start: intel-ipsec-mb's
 * direct calls where the CPU has AES-NI, PCLMULQDQ and SSE4.2, otherwise
 * libsodium.  AEGIS-128L is our own, with AES-NI, and with VAES where there
 * are four messages at once.  So is AES-256-GCM for cells in bursts, where
 * the CPU has VAES, VPCLMULQDQ and AVX-512; gcm.h says why.  Without AES
 * instructions neither AES-GCM nor AEGIS is offered at all (VX6_UNSUPPORTED)
 * and the one AES block of header protection comes from a constant-time
 * implementation.
 *
 * Ownership: keys live in the caller's memory, at any place that the type's
 * alignment allows (64); wipe them with vx6_aead_wipe.  Only GCM has tables:
 * who holds many keys keeps the state where he likes, in as many bytes as
 * vx6_aead_state_len says, and names it by a vx6_aead_ref.
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
	VX6_ALG_CHACHA20_POLY1305,
	VX6_ALG_AEGIS128L
};

enum vx6_aead_impl { VX6_IMPL_SODIUM, VX6_IMPL_IPSEC_MB, VX6_IMPL_OWN };

#define VX6_NONCE_LEN 12u
#define VX6_NONCE_MAX 16u /* AEGIS-128L's */

/* Room for ipsec-mb's struct gcm_key_data, asserted where it is used; the
 * two bytes behind it share its last cache line. */
#define VX6_AEAD_STATE 1264u

/* Of them, what our own tables for bursts take. */
#define VX6_AEAD_OWN_STATE 496u

struct VX6_ALIGNED(64) vx6_aead {
	uint8_t state[VX6_AEAD_STATE];
	uint8_t alg;  /* enum vx6_alg; 0 = not initialised */
	uint8_t impl; /* enum vx6_aead_impl */
};

struct vx6_aead_ref { /* a key, wherever its state lies */
	const void *state;
	uint8_t alg, impl;
};

/* vx6_aead_start picks the implementation; call it once, before threads.
 * VX6_UNSUPPORTED where neither library works on this CPU. */
VX6_MUST_CHECK enum vx6_status vx6_aead_start(void);

/* vx6_aead_impl_name says which was picked ("ipsec-mb avx512" ..). */
const char *vx6_aead_impl_name(void);

/* vx6_aead_force overrides the pick, for tests and benchmarks: one library
 * for everything but AEGIS, or our own for bursts and the better library for
 * the rest.  VX6_UNSUPPORTED where the CPU cannot run it. */
VX6_MUST_CHECK enum vx6_status vx6_aead_force(enum vx6_aead_impl impl);

/* vx6_aead_offers tells whether alg works on this host. */
bool vx6_aead_offers(enum vx6_alg alg);

/* vx6_aead_init expands key (16 bytes for AES-128 and AEGIS-128L, else 32).
 * VX6_UNSUPPORTED where vx6_aead_offers is false. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_aead_init(struct vx6_aead *a, enum vx6_alg alg, const uint8_t *key);

/* vx6_aead_seal writes len + 16 bytes to dst; dst == src is fine. */
VX6_NONNULL_ARGS(1, 2, 5, 6)
void vx6_aead_seal(const struct vx6_aead *a, const uint8_t *nonce,
		   const void *ad, size_t ad_len, uint8_t *dst,
		   const uint8_t *src, size_t len);

/* vx6_aead_open takes len bytes, tag included, and writes len - 16 to
 * dst; dst == src is fine.  VX6_BAD_TAG (dst is then rubbish that the
 * caller must not use; under AEGIS-128L zeros), VX6_TRUNCATED for
 * len < 16. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 5, 6) enum vx6_status
	vx6_aead_open(const struct vx6_aead *a, const uint8_t *nonce,
		      const void *ad, size_t ad_len, uint8_t *dst,
		      const uint8_t *src, size_t len);

VX6_NONNULL void vx6_aead_wipe(struct vx6_aead *a);

/* ---- the same with a state that lies elsewhere ---- */

/* vx6_aead_state_len is how many bytes a key of alg takes: 16, 32, or
 * VX6_AEAD_STATE aligned to 64. */
size_t vx6_aead_state_len(enum vx6_alg alg);

/* vx6_aead_ref_init is vx6_aead_init into state. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_aead_ref_init(struct vx6_aead_ref *r, enum vx6_alg alg, const uint8_t *key,
		  void *state);
VX6_NONNULL_ARGS(2, 5, 6)
void vx6_aead_ref_seal(struct vx6_aead_ref r, const uint8_t *nonce,
		       const void *ad, size_t ad_len, uint8_t *dst,
		       const uint8_t *src, size_t len);
VX6_MUST_CHECK VX6_NONNULL_ARGS(2, 5, 6) enum vx6_status
	vx6_aead_ref_open(struct vx6_aead_ref r, const uint8_t *nonce,
			  const void *ad, size_t ad_len, uint8_t *dst,
			  const uint8_t *src, size_t len);

/* ---- messages of a burst ---- */

/* Each is done in place and has 8 bytes of associated data.  While it is
 * worked on, memory of another is fetched, and its bytes are summed. */
struct vx6_aead_lane {
	const uint8_t *key;   /* AEGIS-128L: 16 bytes; GCM: a state */
	const uint8_t *nonce; /* 16; GCM: 12 */
	const uint8_t *ad;    /* 8 */
	uint8_t *text;        /* sealed or opened in place, the tag behind it */
	const uint8_t *ahead; /* fetched on the way, as many bytes: the text
				 that comes soon; NULL: none does */
	const uint8_t *ahead_key; /* GCM: the state that belongs to it, or
				     NULL */
	bool ok;      /* opened: the tag is right.  Else text must not be used;
			 under AEGIS-128L it is zeros */
	bool summed;  /* sum says something: */
	uint32_t sum; /* of text (RFC 1071), sealed: and its tag: 16-bit words
			 as they lie in memory, below 2^31 and not folded */
};

/* vx6_aead_burst_init is vx6_aead_ref_init for keys whose messages come in
 * bursts and are not longer than VX6_AEAD_BURST_MAX.  r->impl is then what
 * vx6_aead_burst_impl says; where it is VX6_IMPL_OWN and alg AES-256-GCM,
 * vx6_aead_seal_gcm and _open_gcm take the state.  vx6_aead_ref_seal and
 * _open do in any case, if the message is as those above. */
#define VX6_AEAD_BURST_MAX 1520u
#define VX6_AEAD_LANES     4u

enum vx6_aead_impl vx6_aead_burst_impl(enum vx6_alg alg);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_aead_burst_init(struct vx6_aead_ref *r, enum vx6_alg alg,
		    const uint8_t *key, void *state);

/* vx6_aead_burst_keys does it for n (1..VX6_AEAD_LANES) keys; r is one for
 * each.  Cost: our own tables for four are made in the time of one. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_aead_burst_keys(struct vx6_aead_ref r[], enum vx6_alg alg,
		    const uint8_t *const key[], void *const state[],
		    unsigned n);

/* vx6_aead_seal_gcm and _open_gcm do one message of len bytes, its tag not
 * counted, under AES-256-GCM. */
VX6_NONNULL void vx6_aead_seal_gcm(struct vx6_aead_lane *m, size_t len);
VX6_NONNULL void vx6_aead_open_gcm(struct vx6_aead_lane *m, size_t len);

/* vx6_aead_seal_lanes and _open_lanes do n (1..VX6_AEAD_LANES) messages of
 * one length, tags not counted, under AEGIS-128L, side by side.  Cost: where
 * the CPU has VAES and AVX-512, n > 1 together take half as long as two
 * alone; elsewhere as long as n. */

VX6_NONNULL void vx6_aead_seal_lanes(struct vx6_aead_lane m[], unsigned n,
				     size_t len);
VX6_NONNULL void vx6_aead_open_lanes(struct vx6_aead_lane m[], unsigned n,
				     size_t len);

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

struct vx6_aes_op { /* one block of many */
	const struct vx6_aes *key;
	uint8_t *block;
};

/* vx6_aes_encrypt_each and _decrypt_each do n blocks where they lie, each
 * under its own key: side by side they take a part of the time. */
VX6_NONNULL void vx6_aes_encrypt_each(struct vx6_aes_op op[], unsigned n);
VX6_NONNULL void vx6_aes_decrypt_each(struct vx6_aes_op op[], unsigned n);

VX6_NONNULL void vx6_aes_wipe(struct vx6_aes *a);

#endif
