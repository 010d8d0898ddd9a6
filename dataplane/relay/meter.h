/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_RELAY_METER_H
#define VX6_DATAPLANE_RELAY_METER_H

/* meter: token buckets in bytes, any number of them at one rate.
 *
 * The meter knows what a bucket has earned since time 0; a bucket is one
 * number, what was drawn from it:
 *
 *     - - - - - - - earned |<------ burst ------>|<-- a second -->|- - -
 *
 *     drawn   up to earned: the bucket is full
 *             then:         what it is ahead of earned is missing
 *             then:         the bucket is empty; who drew had a clock that
 *                           is a little further
 *             beyond:       drawn at another rate, and full again
 *
 * So a bucket that nobody looks at costs nothing, a zeroed one is full, and
 * nothing is rounded away: what goes out in time t is at most burst + rate
 * * t, and a byte less where somebody always waits.  All of it is modulo
 * 2^64, so that earned may go round.
 *
 * A bucket that threads share is moved by meter_draw, meter_charge and
 * meter_refund; each of them has its own meter, told of the same rate.
 *
 * Ownership: values.  Threads: a meter is one thread's.  Cost: a division
 * for each meter_turn, none for a cell. */

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"

#define METER_RATE_MAX  ABI_RATE_MAX
#define METER_BURST_LOW UINT64_C(65536)
#define METER_BURST_MAX ABI_BURST_MAX
#define METER_BURST_NS  (VX6_SEC / 20) /* of the rate, by default */

struct meter {
	uint64_t rate; /* bytes a second; 0 = no limit */
	uint64_t burst;
	uint64_t now_ns;
	uint64_t earned; /* by now_ns */
};

/* meter_set takes a rate, METER_RATE_MAX at most, and a burst, at most
 * METER_BURST_MAX; 0: what METER_BURST_NS gives, at least
 * METER_BURST_LOW. */
VX6_NONNULL void meter_set(struct meter *m, uint64_t rate, uint64_t burst);

/* meter_turn is told the time; a time before the last counts as the last. */
VX6_NONNULL void meter_turn(struct meter *m, uint64_t now_ns);

/* meter_ahead is how far a bucket's drawn is ahead of what was earned. */
VX6_NONNULL static inline uint64_t meter_ahead(const struct meter *m,
					       uint64_t drawn)
{
	uint64_t ahead = drawn - m->earned;

	return ahead <= m->burst + m->rate ? ahead : 0;
}

/* meter_left is what a bucket would give now. */
VX6_NONNULL static inline uint64_t meter_left(const struct meter *m,
					      uint64_t drawn)
{
	uint64_t ahead = meter_ahead(m, drawn);

	return ahead < m->burst ? m->burst - ahead : 0;
}

/* meter_take takes len, which is left. */
VX6_NONNULL static inline void meter_take(const struct meter *m,
					  uint64_t *drawn, uint64_t len)
{
	*drawn = m->earned + meter_ahead(m, *drawn) + len;
}

/* meter_ready_ns is when a bucket has len (<= burst) to give, now_ns where
 * it has it already. */
VX6_MUST_CHECK VX6_NONNULL uint64_t meter_ready_ns(const struct meter *m,
						   uint64_t drawn,
						   uint64_t len);

/* meter_draw takes up to len from a shared bucket: how much it got. */
VX6_MUST_CHECK VX6_NONNULL uint64_t meter_draw(const struct meter *m,
					       _Atomic uint64_t *drawn,
					       uint64_t len);

/* meter_charge takes len from a shared bucket that had it a moment ago.
 * Where another was quicker it goes beyond what there is, by a cell for each
 * who did, and is missing from what is earned next. */
VX6_NONNULL void meter_charge(const struct meter *m, _Atomic uint64_t *drawn,
			      uint64_t len);

/* meter_refund gives back what meter_draw got and nobody used. */
VX6_NONNULL static inline void meter_refund(_Atomic uint64_t *drawn,
					    uint64_t len)
{
	atomic_fetch_sub_explicit(drawn, len, memory_order_relaxed);
}

#endif
