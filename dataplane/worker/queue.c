/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/queue.h"

_Static_assert((QUEUE_SLOTS & (QUEUE_SLOTS - 1)) == 0, "positions wrap");

uint32_t queue_free(struct queue *q)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	return QUEUE_SLOTS -
	       (head - atomic_load_explicit(&q->tail, memory_order_acquire));
}

struct abi_msg *queue_room(struct queue *q)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	return queue_free(q) > 0 ? &q->slot[head % QUEUE_SLOTS] : NULL;
}

void queue_push(struct queue *q)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	atomic_store_explicit(&q->head, head + 1, memory_order_release);
}

struct abi_msg *queue_peek(struct queue *q)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&q->head, memory_order_acquire))
		return NULL;
	return &q->slot[tail % QUEUE_SLOTS];
}

void queue_pop(struct queue *q)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	abi_wipe(&q->slot[tail % QUEUE_SLOTS]);
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
}
