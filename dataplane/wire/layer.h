/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_LAYER_H
#define VX6_DATAPLANE_WIRE_LAYER_H

/* layer: one hop's AEAD, one direction (PROTOCOL.md section 3).
 *
 *     H8 (8) | C = AEAD(key, nonce(ctr), AAD = H8, P)
 *
 * In place, both ways, at the byte where H8 lies:
 *
 *     open   H8 | C (len)              ->  .. | P (len - 16) | ..
 *            P begins with the next layer's H8, or is the message
 *     seal   .. (8) | P (n) | .. (16)  ->  H8 | C (n + 16)
 *
 * Whoever sends it on owes it a UDP checksum, and would have to read every
 * byte again for that: where the cipher has them in registers it sums them
 * up on the way, for bursts.
 *
 * A layer knows no counters: who seals owns them, and must never seal
 * twice under one (section 4).
 *
 * Ownership: the caller's memory; wipe with vx6_layer_wipe. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/cell.h"

enum vx6_suite {
	VX6_SUITE_AES256_GCM = 1,
	VX6_SUITE_CHACHA20_POLY1305 = 2,
	VX6_SUITE_AEGIS128L = 3 /* needs AES instructions */
};

/* What a layer is but for GCM's tables: who holds a million of them keeps
 * these 48 bytes hot and has tables for those that need them. */
struct vx6_layer_key {
	uint8_t b[44]; /* iv (12 bytes, suite 3: 16), then the key, but for
			  suite 1 where it has tables */
	uint8_t suite; /* enum vx6_suite */
	uint8_t alg, impl;
	uint8_t zero;
};

struct VX6_ALIGNED(64) vx6_layer_gcm {
	uint8_t state[VX6_AEAD_STATE];
};

struct vx6_layer {
	struct vx6_layer_gcm gcm;
	struct vx6_layer_key key;
};

/* vx6_suite_offers tells whether this host can run a suite at all. */
bool vx6_suite_offers(unsigned suite);

/* vx6_layer_init takes the circuit's key and iv for one direction.
 * VX6_UNSUPPORTED for a suite that this host has not. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status vx6_layer_init(struct vx6_layer *l,
							  unsigned suite,
							  const uint8_t key[32],
							  const uint8_t iv[16]);

/* vx6_layer_key_init does the same where the two parts lie apart; only
 * suite 1 touches gcm.  gcm NULL: there are no tables, a burst makes them of
 * the key for each cell, which costs less than to fetch them from where no
 * cache has them. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 4, 5) enum vx6_status
	vx6_layer_key_init(struct vx6_layer_key *k, struct vx6_layer_gcm *gcm,
			   unsigned suite, const uint8_t key[32],
			   const uint8_t iv[16]);

/* vx6_layer_open opens H8 | C at h8 in place.  room is how many bytes may
 * be read from h8 on; len comes from H8 and is checked against it
 * (VX6_BAD_SIZE).  On VX6_OK the plaintext is *plain_len bytes at h8 + 8.
 * VX6_BAD_TAG: the bytes are rubbish now, drop the cell. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_layer_open(const struct vx6_layer *l, uint8_t *h8, size_t room,
	       size_t *plain_len);

/* vx6_layer_seal seals plain_len bytes (0..1440) that lie at h8 + 8, and
 * writes H8 before and the tag behind them: 8 + plain_len + 16 bytes at
 * h8 are the caller's to be written. */
VX6_NONNULL void vx6_layer_seal(const struct vx6_layer *l, uint64_t ctr,
				enum vx6_kind kind, uint8_t *h8,
				size_t plain_len);

/* One cell of a burst. */
struct vx6_layer_op {
	const struct vx6_layer_key *key;
	const struct vx6_layer_gcm *gcm; /* read where the suite is 1; NULL:
					    it has none */
	uint8_t *h8;
	uint64_t ctr;       /* seal: the counter, used up by the call */
	size_t len;         /* open: room in, plaintext out; seal: plaintext */
	enum vx6_kind kind; /* seal */
	/* Of a cell that a later call will have: fetched while this one is
	 * worked on.  NULL: one of this call is. */
	const uint8_t *ahead;
	const struct vx6_layer_gcm *ahead_gcm; /* its tables, or NULL */
	enum vx6_status st; /* open: as vx6_layer_open answers */
	bool summed;        /* out: sum says something */
	uint32_t sum;       /* out, below */
};

/* sum is that of RFC 1071 over what the call left at h8 + 8 (open: P; seal:
 * C, its tag included; H8 itself is in neither): 16-bit words counted from
 * there, each as it lies in memory, an odd last byte with a zero behind.  It
 * is not folded: any number that is congruent to it modulo 2^16 - 1, and 0
 * only where all of the words are 0; below 2^31, so that headers can be added
 * to it without a carry.  Not summed (a cipher that cannot, a cell that did
 * not open): whoever needs it reads the bytes. */

/* vx6_layer_open_burst and _seal_burst do vx6_layer_open and _seal for each
 * of n cells, and fetch the memory of each while those before it are worked
 * on: a GCM key alone is 8 to 20 cache lines, and among many circuits none
 * of them is at hand.  Cells of suite 3 and one length are done four at a
 * time, so not in the order that they stand in. */
VX6_NONNULL void vx6_layer_open_burst(struct vx6_layer_op op[], unsigned n);
VX6_NONNULL void vx6_layer_seal_burst(struct vx6_layer_op op[], unsigned n);

VX6_NONNULL void vx6_layer_wipe(struct vx6_layer *l);

#endif
