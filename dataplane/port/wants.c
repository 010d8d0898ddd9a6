/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/wants.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(WANTS_KEY == crypto_shorthash_KEYBYTES, "the hash's key");

/* ---- queues ---- */

static bool queue_open(struct wants_queue *q, uint32_t size)
{
	q->item = calloc(size, sizeof(*q->item));
	q->size = size;
	return q->item != NULL;
}

/* Each index is in a queue once at most, so it never is full. */
static void queue_put(struct wants_queue *q, uint32_t idx)
{
	q->item[(q->head + q->cnt++) % q->size] = idx;
}

static uint32_t queue_take(struct wants_queue *q)
{
	uint32_t idx = q->item[q->head];

	q->head = (q->head + 1) % q->size;
	q->cnt--;
	return idx;
}

void wants_ask(struct wants *w, uint32_t link)
{
	struct want *t = &w->want[link];

	t->dirty = false;
	if (t->queued || vx6_addr_is_none(&t->peer))
		return;
	t->queued = true;
	queue_put(&w->queue, link);
}

void wants_ask_hop(struct wants *w, uint32_t hop)
{
	if (w->hop[hop].queued)
		return;
	w->hop[hop].queued = true;
	queue_put(&w->hops, hop);
}

/* A hop may have been freed while it was queued. */
bool wants_next(struct wants *w, uint32_t *idx, bool *is_hop)
{
	while (w->hops.cnt > 0) {
		*idx = queue_take(&w->hops);
		*is_hop = true;
		w->hop[*idx].queued = false;
		if (w->hop[*idx].first != WANTS_NONE)
			return true;
	}
	if (w->queue.cnt == 0)
		return false;
	*idx = queue_take(&w->queue);
	*is_hop = false;
	w->want[*idx].queued = false;
	return true;
}

/* ---- hops ---- */

static uint32_t *bucket_of(const struct wants *w, unsigned ifindex,
			   const uint8_t ip[16])
{
	uint8_t in[16 + sizeof(ifindex)], hash[crypto_shorthash_BYTES];
	uint32_t h;

	memcpy(in, ip, 16);
	memcpy(in + 16, &ifindex, sizeof(ifindex));
	crypto_shorthash(hash, in, sizeof(in), w->key);
	memcpy(&h, hash, sizeof(h));
	return &w->bucket[h % w->links];
}

uint32_t wants_hop_find(const struct wants *w, unsigned ifindex,
			const uint8_t ip[16])
{
	uint32_t i = *bucket_of(w, ifindex, ip);

	while (i != WANTS_NONE && (w->hop[i].ifindex != ifindex ||
				   memcmp(w->hop[i].ip, ip, 16) != 0))
		i = w->hop[i].next;
	return i;
}

static uint32_t hop_make(struct wants *w, unsigned ifindex,
			 const uint8_t ip[16])
{
	uint32_t *bucket = bucket_of(w, ifindex, ip);
	uint32_t i = w->hop_free;
	struct want_hop *h = &w->hop[i];

	w->hop_free = h->next;
	*h = (struct want_hop){ .first = WANTS_NONE,
				.next = *bucket,
				.ifindex = ifindex,
				.queued = h->queued };
	memcpy(h->ip, ip, sizeof(h->ip));
	*bucket = i;
	wants_ask_hop(w, i);
	return i;
}

static void hop_give(struct wants *w, uint32_t idx)
{
	struct want_hop *h = &w->hop[idx];
	uint32_t *at = bucket_of(w, h->ifindex, h->ip);

	while (*at != idx)
		at = &w->hop[*at].next;
	*at = h->next;
	h->seq = 0;
	h->next = w->hop_free;
	w->hop_free = idx;
}

void wants_leave(struct wants *w, uint32_t link)
{
	struct want *t = &w->want[link];
	struct want_hop *h;

	if (t->hop == WANTS_NONE)
		return;
	h = &w->hop[t->hop];
	if (t->prev == WANTS_NONE)
		h->first = t->next;
	else
		w->want[t->prev].next = t->next;
	if (t->next != WANTS_NONE)
		w->want[t->next].prev = t->prev;
	if (h->first == WANTS_NONE)
		hop_give(w, t->hop);
	t->hop = WANTS_NONE;
}

/* The old hop is left before a new one is made, so that there is one. */
bool wants_hop(struct wants *w, uint32_t link, unsigned ifindex,
	       const uint8_t ip[16])
{
	uint32_t idx = wants_hop_find(w, ifindex, ip);
	struct want *t = &w->want[link];
	struct want_hop *h;
	bool is_new = idx == WANTS_NONE;

	if (!is_new && idx == t->hop)
		return false;
	wants_leave(w, link);
	if (is_new)
		idx = hop_make(w, ifindex, ip);
	h = &w->hop[idx];
	t->hop = idx;
	t->prev = WANTS_NONE;
	t->next = h->first;
	if (h->first != WANTS_NONE)
		w->want[h->first].prev = link;
	h->first = link;
	return is_new;
}

/* ---- wants ---- */

void wants_set(struct wants *w, uint32_t link, const struct vx6_addr *peer,
	       const struct vx6_addr *self)
{
	struct want *t = &w->want[link];

	wants_leave(w, link);
	t->peer = *peer;
	t->self = *self;
	t->seq = 0; /* an answer under way is another question's */
	if (link >= w->top)
		w->top = link + 1;
	wants_ask(w, link);
}

void wants_touch(struct wants *w, const uint8_t dst[16], unsigned bits)
{
	unsigned whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00u >> bits % 8);

	for (uint32_t i = 0; i < w->top; i++) {
		const uint8_t *ip = w->want[i].peer.ip;

		if (memcmp(ip, dst, whole) != 0 ||
		    (mask != 0 && ((ip[whole] ^ dst[whole]) & mask) != 0))
			continue;
		w->want[i].dirty = true;
		w->dirty = true;
	}
}

void wants_touch_all(struct wants *w)
{
	static const uint8_t any[16];

	wants_touch(w, any, 0);
}

void wants_round(struct wants *w)
{
	for (uint32_t i = 0; i < w->top; i++)
		if (w->want[i].dirty)
			wants_ask(w, i);
	w->dirty = false;
}

/* ---- open and close ---- */

enum vx6_status wants_open(struct wants *w, uint32_t links)
{
	*w = (struct wants){ .links = links };
	w->want = calloc(links, sizeof(*w->want));
	w->hop = calloc(links, sizeof(*w->hop));
	w->bucket = calloc(links, sizeof(*w->bucket));
	if (w->want == NULL || w->hop == NULL || w->bucket == NULL ||
	    !queue_open(&w->queue, links) || !queue_open(&w->hops, links))
		return VX6_NO_MEMORY;
	for (uint32_t i = 0; i < links; i++) {
		w->want[i].hop = WANTS_NONE;
		w->hop[i].first = WANTS_NONE;
		w->hop[i].next = i + 1;
		w->bucket[i] = WANTS_NONE;
	}
	randombytes_buf(w->key, sizeof(w->key));
	return VX6_OK;
}

void wants_close(struct wants *w)
{
	free(w->want);
	free(w->hop);
	free(w->bucket);
	free(w->queue.item);
	free(w->hops.item);
	*w = (struct wants){ 0 };
}
