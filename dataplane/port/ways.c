/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/ways.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TRIES 4u /* of a reader who meets a writer */
_Static_assert(sizeof(struct neigh_way) == 56, "words, and no padding");
_Static_assert((WAYS_ASKS & (WAYS_ASKS - 1u)) == 0, "a power of two");

enum vx6_status ways_open(struct ways *w, uint32_t links)
{
	*w = (struct ways){ .bell = -1 };
	if (links == 0 || links > WAYS_LINKS)
		return VX6_CONFIG;
	w->links = links;
	w->slot = aligned_alloc(VX6_CACHELINE, links * sizeof(*w->slot));
	w->asked = calloc(links, sizeof(*w->asked));
	w->renew = calloc(links, sizeof(*w->renew));
	if (w->slot == NULL || w->asked == NULL || w->renew == NULL)
		return VX6_NO_MEMORY;
	memset((void *)w->slot, 0, links * sizeof(*w->slot));
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->bell < 0)
		return VX6_SYS;
	atomic_store(&w->asleep, 1);
	return VX6_OK;
}

void ways_close(struct ways *w)
{
	if (w->bell >= 0)
		(void)close(w->bell);
	free(w->slot);
	free(w->asked);
	free(w->renew);
	*w = (struct ways){ .bell = -1 };
}

/* ---- the worker's ---- */

static bool same_ip(const struct vx6_addr *a, const struct vx6_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Copies what is published; false where there is nothing, or a writer is at
 * it: the next frame will find it. */
static bool copy(const struct ways_slot *s, struct neigh_way *way,
		 uint32_t *hop)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&s->seq,
						    memory_order_acquire);
		uint32_t word[WAYS_WORDS];

		if (seq & 1)
			continue;
		for (unsigned k = 0; k < WAYS_WORDS; k++)
			word[k] = atomic_load_explicit(&s->word[k],
						       memory_order_acquire);
		*hop = atomic_load_explicit(&s->hop, memory_order_acquire);
		if (atomic_load_explicit(&s->seq, memory_order_relaxed) != seq)
			continue;
		memcpy(way, word, sizeof(*way));
		return !vx6_addr_is_none(&way->peer);
	}
	return false;
}

/* The caller who names no source takes any; one that was chosen without
 * being named may come from another route. */
static bool fits(const struct neigh_way *way, const struct vx6_addr *peer,
		 const struct vx6_addr *self)
{
	if (!vx6_addr_eq(&way->peer, peer))
		return false;
	return vx6_addr_is_none(self) ||
	       (way->renew && same_ip(&way->self, self));
}

static bool push(struct ways *w, uint32_t link, const struct ways_asked *a)
{
	uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&w->tail, memory_order_acquire);

	if (head - tail == WAYS_ASKS)
		return false;
	w->ring[head % WAYS_ASKS] = (struct ways_ask){ link, a->peer, a->self };
	/* against the other's store of asleep and load of head */
	atomic_store_explicit(&w->head, head + 1, memory_order_seq_cst);
	if (atomic_load_explicit(&w->asleep, memory_order_seq_cst) != 0 &&
	    atomic_exchange_explicit(&w->asleep, 0, memory_order_relaxed) != 0)
		(void)eventfd_write(w->bell, 1);
	return true;
}

static VX6_COLD void ask(struct ways *w, uint32_t link,
			 const struct vx6_addr *peer,
			 const struct vx6_addr *self)
{
	struct ways_asked *a = &w->asked[link];
	struct ways_asked is = { .peer = *peer, .self = *self };
	struct ways_slot *s = &w->slot[link];

	if (atomic_load_explicit(&s->used, memory_order_relaxed) != 0) {
		atomic_store_explicit(&s->used, 0, memory_order_relaxed);
		a->others = 0;
	}
	if (vx6_addr_eq(&a->peer, peer) &&
	    (vx6_addr_is_none(self) || same_ip(&a->self, self))) {
		a->others = 0;
		return;
	}
	if (!vx6_addr_is_none(&a->peer) && a->others + 1u < WAYS_INSIST) {
		a->others++;
		return;
	}
	if (push(w, link, &is))
		*a = is;
}

bool ways_find(struct ways *w, uint32_t link, const struct vx6_addr *peer,
	       const struct vx6_addr *self, struct neigh_way *way)
{
	struct ways_slot *s;
	uint32_t hop;

	if (link >= w->links || vx6_addr_is_none(peer))
		return false;
	s = &w->slot[link];
	if (!copy(s, way, &hop) || !fits(way, peer, self)) {
		ask(w, link, peer, self);
		return false;
	}
	if (atomic_load_explicit(&s->used, memory_order_relaxed) == 0)
		atomic_store_explicit(&s->used, 1, memory_order_relaxed);
	way->renew = false;
	if (vx6_unlikely(atomic_load_explicit(&w->renew[hop],
					      memory_order_relaxed) != 0))
		way->renew = atomic_exchange_explicit(&w->renew[hop], 0,
						      memory_order_relaxed);
	return true;
}

/* ---- the other thread's ---- */

bool ways_next(struct ways *w, struct ways_ask *a)
{
	uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&w->head, memory_order_acquire))
		return false;
	*a = w->ring[tail % WAYS_ASKS];
	atomic_store_explicit(&w->tail, tail + 1, memory_order_release);
	return true;
}

void ways_wake(struct ways *w)
{
	eventfd_t none;

	atomic_store_explicit(&w->asleep, 0, memory_order_relaxed);
	(void)eventfd_read(w->bell, &none);
}

bool ways_sleep(struct ways *w)
{
	atomic_store_explicit(&w->asleep, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&w->head, memory_order_seq_cst) ==
	    atomic_load_explicit(&w->tail, memory_order_relaxed))
		return true;
	atomic_store_explicit(&w->asleep, 0, memory_order_relaxed);
	return false;
}

void ways_put(struct ways *w, uint32_t link, const struct neigh_way *way,
	      uint32_t hop)
{
	struct ways_slot *s = &w->slot[link];
	uint32_t word[WAYS_WORDS], seq;
	bool same = atomic_load_explicit(&s->hop, memory_order_relaxed) == hop;

	memcpy(word, way, sizeof(word));
	for (unsigned k = 0; k < WAYS_WORDS; k++)
		same = same &&
		       atomic_load_explicit(&s->word[k],
					    memory_order_relaxed) == word[k];
	if (same)
		return;
	seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	for (unsigned k = 0; k < WAYS_WORDS; k++)
		atomic_store_explicit(&s->word[k], word[k],
				      memory_order_release);
	atomic_store_explicit(&s->hop, (uint16_t)hop, memory_order_release);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

void ways_drop(struct ways *w, uint32_t link)
{
	static const struct neigh_way none;

	ways_put(w, link, &none, 0);
}

void ways_renew(struct ways *w, uint32_t hop, bool yes)
{
	atomic_store_explicit(&w->renew[hop], yes, memory_order_relaxed);
}

bool ways_renewing(const struct ways *w, uint32_t hop)
{
	return atomic_load_explicit(&w->renew[hop], memory_order_relaxed) != 0;
}
