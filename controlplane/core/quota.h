/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_QUOTA_H
#define VX6_CONTROLPLANE_CORE_QUOTA_H

/* quota: what relaying may send in a month, and when it must rest.
 *
 *            90 %: WARN, once            all of it: SLEEP
 *     AWAKE ------------> AWAKE, warned -----------------> ASLEEP
 *       ^                                                    |
 *       +------------------ the month turns: WAKE -----------+
 *
 * A month begins at 00:00 UTC on a day that the operator sets (1 to 28).
 * The counter is the data plane's, which begins at 0 in each of its lives:
 * a life has a number (instance), so what one and the same life sent while
 * nobody looked is counted, and nothing twice, also across our own
 * restarts.  What must be kept for that is struct quota_kept.
 *
 * When the clock goes back over the turn of a month, what is used stays
 * used; it is not thrown away for a clock that was wrong.
 *
 * A value without I/O: time and counters come in.  Threads: the caller's. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

#define QUOTA_WARN_PERCENT 90u

struct quota_kept {
	uint64_t start_s;  /* of the month, unix seconds; 0 = none yet */
	uint64_t used;     /* bytes */
	uint64_t seen;     /* the counter when it was looked at last, */
	uint64_t instance; /* and in which life of the data plane */
};

struct quota {
	uint64_t limit; /* bytes; 0 = none */
	unsigned day;
	struct quota_kept kept;
	uint64_t end_s; /* of the month */
	bool asleep, warned;
};

enum quota_said { QUOTA_NOTHING, QUOTA_WARN, QUOTA_SLEEP, QUOTA_WAKE };

/* quota_month finds the month that now_s lies in: its first second, and the
 * first of the next. */
VX6_NONNULL void quota_month(uint64_t now_s, unsigned day, uint64_t *start_s,
			     uint64_t *end_s);

/* quota_init takes up what was kept. */
VX6_NONNULL void quota_init(struct quota *q, uint64_t limit, unsigned day,
			    const struct quota_kept *kept);

/* quota_count takes the counter of the data plane's life `instance`. */
VX6_NONNULL void quota_count(struct quota *q, uint64_t instance,
			     uint64_t bytes);

/* quota_step says what has come to pass by now_s, one thing at a time; call
 * it until it says QUOTA_NOTHING. */
VX6_MUST_CHECK VX6_NONNULL enum quota_said quota_step(struct quota *q,
						      uint64_t now_s);

/* quota_percent of the limit that is used, at most 100; 0 without limit. */
VX6_MUST_CHECK VX6_NONNULL unsigned quota_percent(const struct quota *q);

#endif
