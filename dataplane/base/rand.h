/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_RAND_H
#define VX6_DATAPLANE_BASE_RAND_H

/* rand: random bytes, in two qualities of cost.
 *
 * Keys come from libsodium's randombytes_buf, always.  Padding, which a
 * stranger sees and nobody must predict, but of which a relay may need a
 * kilobyte a cell, comes from struct vx6_rand: ChaCha20 keyed once by
 * the system and re-keyed from its own output (fast key erasure), 4 KiB
 * at a time.
 *
 * Ownership: the caller's struct.  Threads: one struct, one thread. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

#define VX6_RAND_POOL 4096u

struct vx6_rand {
	uint8_t key[32];
	uint32_t used; /* bytes of pool already given out */
	uint8_t pool[VX6_RAND_POOL];
};

/* vx6_rand_init keys r from the system. */
VX6_NONNULL void vx6_rand_init(struct vx6_rand *r);

/* vx6_rand_seed keys r from 32 bytes: tests and simulation only, where
 * the same seed must give the same run. */
VX6_NONNULL void vx6_rand_seed(struct vx6_rand *r, const uint8_t seed[32]);

/* vx6_rand_fill writes len bytes; what it gave is erased from r. */
VX6_NONNULL void vx6_rand_fill(struct vx6_rand *r, void *to, size_t len);

/* vx6_rand_below returns a number in [0, n), without bias; n > 0. */
VX6_NONNULL uint32_t vx6_rand_below(struct vx6_rand *r, uint32_t n);

#endif
