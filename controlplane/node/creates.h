/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_CREATES_H
#define VX6_CONTROLPLANE_NODE_CREATES_H

/* creates: which CREATEs are worth a relay's public-key work.
 *
 * Whoever has a session may send them as fast as it likes, and each that
 * gets through costs three X25519 operations.  What costs least is asked
 * first: the link, the buckets of the session and of the prefix that it
 * comes from (core/prefixes.h: many sessions are worth no more than a few),
 * the key's name, whether E is a point that no honest origin draws, the
 * replay cache, and what is on the thread pool already (core/admit.h).
 * Only then is a job made of it.
 *
 * Threads: the loop's.  Cost: two look-ups and 4 cache lines of replay
 * cache. */

#include "controlplane/node/peer.h"
#include "controlplane/record/onion.h"

/* creates_admit judges a CREATE that p sent.  VX6_OK: key opens its slot,
 * and creates_done is owed with its E; else *why is for CREATE_FAIL. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
creates_admit(struct peer *p, const struct vx6_msg_create *m,
	      const struct onion_key **key, enum vx6_fail *why);

/* creates_done says that the work on e is over, with status st; a slot that
 * opened is remembered until it expires.  Returns st, or what the replay
 * cache said: VX6_REPLAYED, VX6_EXPIRED, VX6_NO_ROOM. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status creates_done(struct node *n,
							const uint8_t e[32],
							uint32_t expires,
							enum vx6_status st);

#endif
