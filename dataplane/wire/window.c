/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/window.h"

#include "dataplane/base/bytes.h"

/* Everything below counts from start: off = ctr - start, so 0 <= off <
 * 2^28 and next is one above the largest off seen. */

static enum vx6_status fresh(const struct vx6_window *w, uint64_t off)
{
	if (vx6_unlikely(off >= VX6_CTR_SPAN))
		return VX6_OUT_OF_RANGE;
	if (vx6_likely(off >= w->next))
		return VX6_OK;
	if (vx6_unlikely(w->next - 1 - off >= VX6_WINDOW))
		return VX6_REPLAYED;

	uint32_t word = (uint32_t)off / 64u % VX6_WINDOW_WORDS;

	return w->seen[word] >> (off % 64u) & 1u ? VX6_REPLAYED : VX6_OK;
}

/* The ring's words between the old top and the new one held counters that
 * are too old from now on. */
static void raise_top(struct vx6_window *w, uint64_t off)
{
	if (w->next > 0) {
		uint32_t from = (uint32_t)(w->next - 1) / 64u;
		uint32_t steps = (uint32_t)off / 64u - from;

		if (steps > VX6_WINDOW_WORDS)
			steps = VX6_WINDOW_WORDS;
		for (uint32_t i = 1; i <= steps; i++)
			w->seen[(from + i) % VX6_WINDOW_WORDS] = 0;
	}
	w->next = off + 1;
}

void vx6_window_init(struct vx6_window *w, uint64_t start)
{
	*w = (struct vx6_window){ .start = start };
}

enum vx6_status vx6_window_fresh(const struct vx6_window *w, uint64_t ctr)
{
	/* below start the difference wraps to a huge number */
	return fresh(w, ctr - w->start);
}

enum vx6_status vx6_window_record(struct vx6_window *w, uint64_t ctr)
{
	uint64_t off = ctr - w->start;
	enum vx6_status st = fresh(w, off);

	if (vx6_unlikely(st != VX6_OK))
		return st;
	if (vx6_likely(off >= w->next))
		raise_top(w, off);
	w->seen[(uint32_t)off / 64u % VX6_WINDOW_WORDS] |= UINT64_C(1)
							   << (off % 64u);
	return VX6_OK;
}

uint64_t vx6_ctr_start(const uint8_t key16[16])
{
	return vx6_get48(key16) & ((UINT64_C(1) << 46) - 1u);
}
