/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay's pipeline from its own source, with marks between the phases:
 * what is measured without them is not disturbed by them.  A processor that
 * works ahead blurs each edge by some dozens of cycles a burst. */
#include <string.h>
#include <x86intrin.h>

#include "benchmarks/dp.h"

static uint64_t spent[DP_PHASE_CNT], last;

void dp_phases_mark(enum dp_phase phase)
{
	uint64_t now = __rdtsc();

	spent[phase] += now - last;
	last = now;
}

void dp_phases_begin(void)
{
	last = __rdtsc();
}

void dp_phases_take(uint64_t cycles[DP_PHASE_CNT])
{
	memcpy(cycles, spent, sizeof(spent));
	memset(spent, 0, sizeof(spent));
}

dp_burst_fn dp_phases_join; /* comes along */

#define relay_burst       dp_phases_burst
#define relay_join        dp_phases_join
#define RELAY_PHASE(name) dp_phases_mark(DP_PHASE_##name)
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "dataplane/relay/burst.c"
