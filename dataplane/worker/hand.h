/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_HAND_H
#define VX6_DATAPLANE_WORKER_HAND_H

/* hand: what one worker hands over to one other, without a lock.
 *
 *     from   hand_room .. fill .. hand_push  -->
 *                      --> hand_peek .. read .. hand_pop   to
 *
 *     HAND_CELL   a datagram of the other's link, as it came
 *     HAND_JOIN   an opened cell that the other seals (relay_join)
 *     HAND_UP     a cell for vx6d, whose ring the first worker has
 *     HAND_LINK   a link of ours has these addresses (relay_link_follow)
 *     HAND_SENT   what was sent on a link of the other's (relay_link_heard)
 *     HAND_PARTED what you handed us to join has no such half (relay_parted)
 *
 * Cells are copied into the slot and out of it again: two passes over what
 * is in a cache anyway.  To lend the frame itself would save one of them,
 * and cost a second ring for the way back, a pool whose frames are elsewhere
 * when its worker needs them, and, where a port's frames are the kernel's
 * too, the copy that was to be saved, because the other worker's queue knows
 * only its own.
 *
 * Nothing waits here.  Cells that find no room are dropped by the producer,
 * and counted (VX6_HANDED_OFF).  The last HAND_KEEP slots are for what must
 * not be lost: its producer keeps it and comes again.
 *
 * Ownership: slots are the caller's memory, struct and slots zero at first.
 * Threads: one producer, one consumer. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/net/frame.h"
#include "dataplane/relay/relay.h"

#define HAND_SLOTS 512u /* a power of two; of each ordered pair */
#define HAND_KEEP  16u

enum hand_kind {
	HAND_CELL = 1,
	HAND_JOIN,
	HAND_UP,
	HAND_LINK,
	HAND_SENT,
	HAND_PARTED
};

struct VX6_ALIGNED(VX6_CACHELINE) hand_slot {
	uint8_t kind; /* enum hand_kind */
	uint16_t len; /* of data */
	uint32_t link;
	struct vx6_addr peer, self;
	struct relay_sent sent;      /* HAND_SENT */
	uint8_t data[NET_FRAME_CAP]; /* HAND_PARTED: RELAY_AWAY bytes */
};

struct hand {
	struct hand_slot *slot;
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t head; /* producer's */
	uint32_t seen_tail;
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t tail; /* consumer's */
	uint32_t seen_head;
};

/* hand_room is the next slot to fill, or NULL: no room, beyond the last
 * `keep`.  It is nobody's until hand_push. */
VX6_MUST_CHECK VX6_NONNULL struct hand_slot *hand_room(struct hand *h,
						       uint32_t keep);
VX6_NONNULL void hand_push(struct hand *h);

/* hand_peek is the oldest slot, or NULL; hand_pop gives it back. */
VX6_MUST_CHECK VX6_NONNULL const struct hand_slot *hand_peek(struct hand *h);
VX6_NONNULL void hand_pop(struct hand *h);

/* hand_put copies a frame into a slot: false, no room for a cell. */
VX6_MUST_CHECK VX6_NONNULL bool hand_put(struct hand *h, enum hand_kind kind,
					 const struct net_frame *f);

/* hand_take copies a slot into a frame, as it was. */
VX6_NONNULL void hand_take(const struct hand_slot *s, struct net_frame *f);

#endif
