/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_PREFIXES_H
#define VX6_CONTROLPLANE_CORE_PREFIXES_H

/* prefixes: a token bucket for each prefix that something comes from.
 *
 * A prefix is what one customer has: the classifier's rule, in xdp/abi.h.
 * A bucket is the time at which it is full again; a token moves that on:
 *
 *     now ------------ due ----------- now + burst / rate
 *          taken            left
 *
 * However many prefixes there are, the table stays as it is: sets of
 * PREFIXES_WAYS buckets, a keyed hash says which set.  A prefix without a
 * bucket gets the one of its set that has most left, with what was taken
 * from it.  So the most that anybody gains by having his own pushed out,
 * through other prefixes of his, is nothing: all of the set owe as much by
 * then, and he inherits it.  Who is innocent finds a full bucket while fewer
 * than PREFIXES_WAYS others of his set are at work.
 *
 * Ownership: the caller's struct and memory.  Threads: one.
 * Cost: a short hash and PREFIXES_WAYS buckets of 16 bytes. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "xdp/abi.h"

#define PREFIXES_WAYS 8u
#define PREFIXES_KEY  16u

struct prefixes_one {
	struct vx6_xdp_prefix key;
	uint64_t due_ns; /* in the past: nothing is taken */
};

struct prefixes {
	struct prefixes_one *one; /* sets * PREFIXES_WAYS */
	uint32_t sets;            /* a power of two */
	uint8_t key[PREFIXES_KEY];
	uint64_t refused; /* tokens that were not there */
	uint64_t crowded; /* buckets taken over with a debt */
};

/* prefixes_of is the prefix that an address belongs to. */
VX6_NONNULL struct vx6_xdp_prefix prefixes_of(const struct vx6_addr *a);

/* prefixes_init takes zeroed memory for sets * PREFIXES_WAYS buckets, which
 * stays the caller's.  key is secret: who knows it chooses his set. */
VX6_NONNULL void prefixes_init(struct prefixes *t, struct prefixes_one one[],
			       uint32_t sets, const uint8_t key[PREFIXES_KEY]);

/* prefixes_take takes a token from the bucket of from's prefix: rate a
 * second and burst at once, both at least 1.  False: there is none, and
 * nothing was taken.  now_ns never goes backwards. */
VX6_MUST_CHECK VX6_NONNULL bool prefixes_take(struct prefixes *t,
					      const struct vx6_addr *from,
					      uint32_t rate, uint32_t burst,
					      uint64_t now_ns);

#endif
