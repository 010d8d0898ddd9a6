/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/window.h"

#include "dataplane/base/bytes.h"

/* off = ctr - start, so 0 <= off < 2^28 and next is one above the largest
 * off seen.  The ring goes by the counter itself: its place is known before
 * the window is. */

static uint64_t bit_of(uint64_t ctr)
{
	return UINT64_C(1) << (ctr % 64u);
}

static enum vx6_status fresh(const struct vx6_window *w, uint64_t ctr)
{
	uint64_t off = ctr - w->start; /* below start: a huge number */

	if (vx6_unlikely(off >= VX6_CTR_SPAN))
		return VX6_OUT_OF_RANGE;
	if (vx6_likely(off >= w->next))
		return VX6_OK;
	if (vx6_unlikely(w->next - 1 - off >= VX6_WINDOW))
		return VX6_REPLAYED;
	return (w->seen[vx6_window_word(ctr)] & bit_of(ctr)) != 0 ? VX6_REPLAYED
								  : VX6_OK;
}

/* The ring's words between the old top's and the new one's held counters
 * that are too old from now on. */
static void raise_top(struct vx6_window *w, uint64_t ctr)
{
	if (w->next > 0) {
		uint64_t from = (w->start + w->next - 1) / 64u;
		uint64_t steps = ctr / 64u - from;

		if (steps > VX6_WINDOW_WORDS)
			steps = VX6_WINDOW_WORDS;
		for (uint64_t i = 1; i <= steps; i++)
			w->seen[(from + i) % VX6_WINDOW_WORDS] = 0;
	}
	w->next = ctr - w->start + 1;
}

void vx6_window_init(struct vx6_window *w, uint64_t start)
{
	*w = (struct vx6_window){ .start = start };
}

enum vx6_status vx6_window_fresh(const struct vx6_window *w, uint64_t ctr)
{
	return fresh(w, ctr);
}

enum vx6_status vx6_window_record(struct vx6_window *w, uint64_t ctr)
{
	enum vx6_status st = fresh(w, ctr);

	if (vx6_unlikely(st != VX6_OK))
		return st;
	if (vx6_likely(ctr - w->start >= w->next))
		raise_top(w, ctr);
	w->seen[vx6_window_word(ctr)] |= bit_of(ctr);
	return VX6_OK;
}

uint64_t vx6_ctr_start(const uint8_t key16[16])
{
	return vx6_get48(key16) & ((UINT64_C(1) << 46) - 1u);
}
