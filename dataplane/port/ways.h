/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_WAYS_H
#define VX6_DATAPLANE_PORT_WAYS_H

/* ways: what two threads share of neigh, without a lock.
 *
 *     worker                                     the other thread
 *     ways_find  <-- slot[link], a seqlock  <--  ways_put, ways_drop
 *        |       <-- renew[hop]             <--  ways_renew
 *        +--> asks, a ring; bell, an eventfd --> ways_next
 *
 * A link is asked for when its addresses are others than those asked for
 * before; after that the other thread keeps at it by itself, so repeated
 * asking costs a comparison.  A few frames of a link may go to other places
 * than the rest (challenges to where a peer may have moved): such a question
 * takes the place of the last one only when WAYS_INSIST in a row were not
 * for the last one's addresses.
 *
 * The bell is rung only where the other thread may sleep: it says so with
 * ways_sleep when it has done all there is.
 *
 * Order: a reader who loads, with acquire, a word that a writer stored with
 * release sees the odd seq that was stored before; and the last load of seq
 * cannot come before the loads of the words.  On x86 all of it is plain
 * loads and stores.
 *
 * Ownership: memory is taken at open, 64 bytes a link for what the worker
 * reads, 42 for what it asked.  Threads: find is the worker's, all else the
 * other thread's. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/port/neigh.h"

#define WAYS_LINKS  65536u
#define WAYS_ASKS   1024u /* a power of two; full: asked with a later frame */
#define WAYS_INSIST 3u
#define WAYS_WORDS  (sizeof(struct neigh_way) / sizeof(uint32_t))

struct VX6_ALIGNED(VX6_CACHELINE) ways_slot {
	_Atomic uint32_t seq;              /* odd: being written */
	_Atomic uint32_t word[WAYS_WORDS]; /* a neigh_way; peer none: no way */
	_Atomic uint16_t hop;              /* whose renew it is */
	_Atomic uint8_t used; /* found since the last miss; the worker's */
};
_Static_assert(sizeof(struct ways_slot) == VX6_CACHELINE, "one line");

struct ways_ask {
	uint32_t link;
	struct vx6_addr peer, self;
};

struct ways_asked { /* the worker's memory of a link */
	struct vx6_addr peer, self;
	uint8_t others; /* in a row that were not for these */
};

struct ways {
	uint32_t links;
	int bell;
	struct ways_slot *slot;
	struct ways_asked *asked;
	_Atomic uint8_t *renew;
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t head; /* the worker's */
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t tail;
	_Atomic uint32_t asleep;
	VX6_ALIGNED(VX6_CACHELINE) struct ways_ask ring[WAYS_ASKS];
};

/* ways_open: VX6_CONFIG (links 0 or over WAYS_LINKS), VX6_NO_MEMORY, VX6_SYS
 * with errno; call ways_close in any case. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status ways_open(struct ways *w,
						     uint32_t links);
VX6_NONNULL void ways_close(struct ways *w);

/* ---- the worker's ---- */

/* ways_find: see neigh_find. */
VX6_MUST_CHECK VX6_NONNULL bool ways_find(struct ways *w, uint32_t link,
					  const struct vx6_addr *peer,
					  const struct vx6_addr *self,
					  struct neigh_way *way);

/* ---- the other thread's ---- */

/* ways_next takes the oldest question.  False: there is none. */
VX6_MUST_CHECK VX6_NONNULL bool ways_next(struct ways *w, struct ways_ask *a);

/* ways_wake: questions are taken now without the bell.  ways_sleep: from now
 * on they ring it; false where one has come meanwhile, which it is to take
 * first. */
VX6_NONNULL void ways_wake(struct ways *w);
VX6_MUST_CHECK VX6_NONNULL bool ways_sleep(struct ways *w);

/* ways_put publishes: of its `renew`, true means that the question named
 * self.  ways_drop withdraws.  Neither writes where nothing changes. */
VX6_NONNULL void ways_put(struct ways *w, uint32_t link,
			  const struct neigh_way *way, uint32_t hop);
VX6_NONNULL void ways_drop(struct ways *w, uint32_t link);

/* ways_renew says that the next frame over hop goes to the socket, or not;
 * ways_renewing whether none has been taken yet. */
VX6_NONNULL void ways_renew(struct ways *w, uint32_t hop, bool yes);
VX6_MUST_CHECK VX6_NONNULL bool ways_renewing(const struct ways *w,
					      uint32_t hop);

#endif
