/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_QUEUE_H
#define VX6_DATAPLANE_WORKER_QUEUE_H

/* queue: messages from one thread to one other, without a lock.
 *
 *     producer  queue_room .. fill .. queue_push  -->
 *                         --> queue_peek .. read .. queue_pop  consumer
 *
 * A message may carry keys, so its slot is zeroed when it is popped.  Full
 * is the producer's to judge (NULL): nothing waits here, and nobody is
 * woken; eventfds beside the queue do that.
 *
 * Ownership: the caller's struct, zeroed at first.  Threads: one producer,
 * one consumer. */

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"

#define QUEUE_SLOTS 256u /* a power of two */

struct queue {
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t head; /* producer's */
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t tail; /* consumer's */
	VX6_ALIGNED(VX6_CACHELINE) struct abi_msg slot[QUEUE_SLOTS];
};

/* queue_room is the next slot to fill, zero, or NULL when full; asking
 * again without a push gives the same one. */
VX6_MUST_CHECK VX6_NONNULL struct abi_msg *queue_room(struct queue *q);
VX6_NONNULL void queue_push(struct queue *q);

/* queue_peek is the oldest message, or NULL; queue_pop wipes it and gives
 * its slot back. */
VX6_MUST_CHECK VX6_NONNULL struct abi_msg *queue_peek(struct queue *q);
VX6_NONNULL void queue_pop(struct queue *q);

/* queue_free is how many slots can be filled at least (producer's side). */
VX6_NONNULL uint32_t queue_free(struct queue *q);

#endif
