/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_ADMIT_H
#define VX6_CONTROLPLANE_CORE_ADMIT_H

/* admit: CREATEs whose public-key work is under way.
 *
 * A slot's expiry is sealed, so the replay cache can be asked about E
 * before that work, but told of it only after: whoever sends garbage would
 * fill it.  In between, E stands here, so that a twin which comes while
 * the first is on the thread pool costs nothing either:
 *
 *     CREATE --> bucket --> cache asked --> admit_enter --> thread pool
 *                  |            |               |               |
 *                rate       replayed    twin, share, full   cache told,
 *                                                           admit_leave
 *
 * Three limits: of all together, so that the pool's queue is as short as its
 * delay may be; of one session, so that none takes it for itself; and of one
 * prefix, for who has one address has as many sessions as he likes.
 *
 * Ownership: the caller's struct and memory.  Threads: one.
 * Cost: a look at each that is under way, 72 bytes apiece. */

#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "xdp/abi.h"

struct admit_from {
	uint8_t who[32];              /* node ID of the session, */
	struct vx6_xdp_prefix prefix; /* and where it comes from */
};

struct admit_share { /* of them under way, at most */
	uint32_t session, prefix;
};

struct admit_one {
	uint8_t e[32]; /* the CREATE's first ephemeral key */
	struct admit_from from;
};

struct admit {
	struct admit_one *one; /* cnt of them, in no order */
	uint32_t cnt, max;
	uint32_t most;                         /* cnt ever was */
	uint64_t in;                           /* let in */
	uint64_t twins, session, prefix, full; /* refused, and why */
};

/* admit_init takes memory for max, which stays the caller's. */
VX6_NONNULL void admit_init(struct admit *a, struct admit_one one[],
			    uint32_t max);

/* admit_enter takes in e.  VX6_REPLAYED: e is in there already, whoever sent
 * it; VX6_RATE: its session has its share, or its prefix; VX6_NO_ROOM: max
 * are.  Refused ones are counted and change nothing. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
admit_enter(struct admit *a, const uint8_t e[32], const struct admit_from *from,
	    const struct admit_share *each);

/* admit_leave takes out e, once for each that was let in. */
VX6_NONNULL void admit_leave(struct admit *a, const uint8_t e[32]);

#endif
