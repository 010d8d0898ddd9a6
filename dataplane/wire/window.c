/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/window.h"

#include "dataplane/base/bytes.h"

/* off = ctr - start, so 0 <= off < 2^28 and next is one above the largest
 * off seen.  Words go by the counter itself. */

static uint32_t bit_of(uint64_t ctr)
{
	return UINT32_C(1) << (ctr % 32u);
}

static uint64_t top_word(const struct vx6_window_head *h)
{
	return (h->start + h->next - 1) / 32u;
}

enum vx6_status vx6_window_look(const struct vx6_window_head *h,
				const struct vx6_window_ring *ring,
				uint64_t ctr)
{
	uint64_t off = ctr - h->start; /* below start: a huge number */
	uint32_t word;

	if (vx6_unlikely(off >= VX6_CTR_SPAN))
		return VX6_OUT_OF_RANGE;
	if (vx6_likely(off >= h->next))
		return VX6_OK;
	if (vx6_unlikely(h->next - 1 - off >= VX6_WINDOW))
		return VX6_REPLAYED;
	word = ctr / 32u == top_word(h)
		       ? h->word
		       : ring->seen[ctr / 32u % VX6_WINDOW_WORDS];
	return (word & bit_of(ctr)) != 0 ? VX6_REPLAYED : VX6_OK;
}

/* The old top's word goes into the ring; the words between it and the new
 * one held counters that are too old from now on. */
static void raise_top(struct vx6_window_head *h, struct vx6_window_ring *ring,
		      uint64_t ctr)
{
	uint64_t from = top_word(h), steps = ctr / 32u - from;

	if (h->next > 0 && steps > 0) {
		ring->seen[from % VX6_WINDOW_WORDS] = h->word;
		h->word = 0;
		for (uint64_t i = 1; i < steps && i <= VX6_WINDOW_WORDS; i++)
			ring->seen[(from + i) % VX6_WINDOW_WORDS] = 0;
	}
	h->next = (uint32_t)(ctr - h->start + 1);
}

enum vx6_status vx6_window_enter(struct vx6_window_head *h,
				 struct vx6_window_ring *ring, uint64_t ctr)
{
	enum vx6_status st = vx6_window_look(h, ring, ctr);

	if (vx6_unlikely(st != VX6_OK))
		return st;
	if (vx6_likely(ctr - h->start >= h->next))
		raise_top(h, ring, ctr);
	if (vx6_likely(ctr / 32u == top_word(h)))
		h->word |= bit_of(ctr);
	else
		ring->seen[ctr / 32u % VX6_WINDOW_WORDS] |= bit_of(ctr);
	return VX6_OK;
}

void vx6_window_init(struct vx6_window *w, uint64_t start)
{
	*w = (struct vx6_window){ .head.start = start };
}

enum vx6_status vx6_window_fresh(const struct vx6_window *w, uint64_t ctr)
{
	return vx6_window_fresh_at(&w->head, &w->ring, ctr);
}

enum vx6_status vx6_window_record(struct vx6_window *w, uint64_t ctr)
{
	return vx6_window_record_at(&w->head, &w->ring, ctr);
}

uint64_t vx6_ctr_start(const uint8_t key16[16])
{
	return vx6_get48(key16) & ((UINT64_C(1) << 46) - 1u);
}
