/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_WINDOW_H
#define VX6_DATAPLANE_WIRE_WINDOW_H

/* window: every counter of one direction at most once (PROTOCOL.md
 * section 4, RFC 6479).
 *
 *      refused       remembered: 2048         not yet seen      refused
 *    ----------|==========================|------------------|---------
 *              top - 2048               top            start + 2^28
 *
 * A counter is fresh when it lies in [start, start + 2^28) and is above
 * top, or within 2048 of it and its bit is clear.  Test, authenticate,
 * and only then record: a window moved by a forged counter locks the
 * honest peer out.
 *
 * The bits of top's own word stand in the head: cells that come in order
 * touch nothing else, but for one in 32, which puts the word into the ring.
 * Who holds a million windows keeps heads hot and rings elsewhere.
 *
 * Ownership: the caller's struct.  Threads: one writer. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define VX6_WINDOW       2048u
#define VX6_WINDOW_WORDS ((VX6_WINDOW + 32u) / 32u)
#define VX6_CTR_SPAN     (UINT64_C(1) << 28) /* cells of a half-circuit */
#define VX6_CTR_REBUILD  ((UINT64_C(1) << 27) + (UINT64_C(1) << 26))

struct vx6_window_head {
	uint64_t start; /* the first valid counter */
	uint32_t next;  /* top + 1 - start: 0 = none seen yet */
	uint32_t word;  /* the 32 counters among which top is */
};

struct vx6_window_ring { /* those below; what lies in top's place is old */
	uint32_t seen[VX6_WINDOW_WORDS];
};

struct vx6_window {
	struct vx6_window_head head;
	struct vx6_window_ring ring;
};

/* vx6_window_init forgets everything; start is 48 bits, top two clear. */
VX6_NONNULL void vx6_window_init(struct vx6_window *w, uint64_t start);

/* vx6_window_look and _enter are the whole of the two below, which stand
 * here because every cell asks: most of them have the next counter. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_window_look(const struct vx6_window_head *h,
		const struct vx6_window_ring *ring, uint64_t ctr);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_window_enter(struct vx6_window_head *h, struct vx6_window_ring *ring,
		 uint64_t ctr);

/* vx6_window_fetch begins to fetch what vx6_window_record_at will write beside
 * the head: for one counter in 32, where they come in order. */
VX6_NONNULL static inline void
vx6_window_fetch(const struct vx6_window_head *h,
		 const struct vx6_window_ring *ring, uint64_t ctr)
{
	uint64_t word = (h->start + h->next - 1u) / 32u;

	if (vx6_unlikely(ctr / 32u != word))
		vx6_prefetch_w(&ring->seen[word % VX6_WINDOW_WORDS]);
}

/* vx6_window_fresh_at and _record_at are vx6_window_fresh and _record where
 * the parts lie apart; zeros but for start are a window that has seen
 * nothing. */
VX6_MUST_CHECK VX6_NONNULL static inline enum vx6_status
vx6_window_fresh_at(const struct vx6_window_head *h,
		    const struct vx6_window_ring *ring, uint64_t ctr)
{
	uint64_t off = ctr - h->start; /* below start: a huge number */

	if (vx6_likely(off >= h->next && off < VX6_CTR_SPAN))
		return VX6_OK;
	return vx6_window_look(h, ring, ctr);
}

VX6_MUST_CHECK VX6_NONNULL static inline enum vx6_status
vx6_window_record_at(struct vx6_window_head *h, struct vx6_window_ring *ring,
		     uint64_t ctr)
{
	uint64_t off = ctr - h->start;

	/* above top, and in its word */
	if (vx6_unlikely(off < h->next || off >= VX6_CTR_SPAN ||
			 ctr / 32u != (h->start + h->next - 1u) / 32u))
		return vx6_window_enter(h, ring, ctr);
	h->next = (uint32_t)off + 1u;
	h->word |= UINT32_C(1) << (ctr % 32u);
	return VX6_OK;
}

/* vx6_window_fresh changes nothing.  VX6_OK, VX6_REPLAYED (seen, or older
 * than the window) or VX6_OUT_OF_RANGE. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_window_fresh(const struct vx6_window *w, uint64_t ctr);

/* vx6_window_record marks ctr seen.  Answers as vx6_window_fresh, and
 * records only on VX6_OK, so that the second of twins in one burst
 * loses. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_window_record(struct vx6_window *w, uint64_t ctr);

/* vx6_ctr_start is the start of a direction from 16 bytes of KEY: the
 * first 48 bits with the two top bits cleared. */
VX6_NONNULL uint64_t vx6_ctr_start(const uint8_t key16[16]);

#endif
