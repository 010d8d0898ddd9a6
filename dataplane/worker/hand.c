/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/hand.h"

#include <assert.h>
#include <string.h>

_Static_assert((HAND_SLOTS & (HAND_SLOTS - 1)) == 0, "positions wrap");
_Static_assert(HAND_KEEP < HAND_SLOTS, "cells have room, too");

struct hand_slot *hand_room(struct hand *h, uint32_t keep)
{
	uint32_t head = atomic_load_explicit(&h->head, memory_order_relaxed);

	if (vx6_unlikely(head - h->seen_tail + keep >= HAND_SLOTS)) {
		h->seen_tail = atomic_load_explicit(&h->tail,
						    memory_order_acquire);
		if (head - h->seen_tail + keep >= HAND_SLOTS)
			return NULL;
	}
	return &h->slot[head % HAND_SLOTS];
}

void hand_push(struct hand *h)
{
	uint32_t head = atomic_load_explicit(&h->head, memory_order_relaxed);

	atomic_store_explicit(&h->head, head + 1, memory_order_release);
}

const struct hand_slot *hand_peek(struct hand *h)
{
	uint32_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed);

	if (tail == h->seen_head) {
		h->seen_head = atomic_load_explicit(&h->head,
						    memory_order_acquire);
		if (tail == h->seen_head)
			return NULL;
	}
	return &h->slot[tail % HAND_SLOTS];
}

void hand_pop(struct hand *h)
{
	uint32_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed);

	atomic_store_explicit(&h->tail, tail + 1, memory_order_release);
}

bool hand_put(struct hand *h, enum hand_kind kind, const struct net_frame *f)
{
	struct hand_slot *s = hand_room(h, HAND_KEEP);

	if (vx6_unlikely(s == NULL))
		return false;
	assert(f->len <= NET_FRAME_CAP);
	s->kind = (uint8_t)kind;
	s->len = f->len;
	s->link = f->link;
	s->peer = f->peer;
	s->self = f->self;
	memcpy(s->data, f->data, f->len);
	hand_push(h);
	return true;
}

void hand_take(const struct hand_slot *s, struct net_frame *f)
{
	f->len = s->len;
	f->link = s->link;
	f->peer = s->peer;
	f->self = s->self;
	memcpy(f->data, s->data, s->len);
}
