/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_LACK_H
#define VX6_CONTROLPLANE_CORE_LACK_H

/* lack: whether a circuit ends because the neighbour's list of circuits has
 * not got it (PROTOCOL.md section 6, comparing).
 *
 * Only what was open before this session began is judged.  A circuit that
 * opens later has its CREATED on this session's own stream, before or behind
 * the list: the neighbour may not have had it when it wrote that, and cannot
 * miss it.  What opened earlier was told over a session that is gone, and
 * may have been lost with it.  Each end takes the time at which it took up
 * the session itself: from then on it hears nothing of the old one. */

#include <stdbool.h>
#include <stdint.h>

static inline bool lack_ends(uint64_t open_ns, uint64_t session_ns, bool told)
{
	return !told && open_ns < session_ns;
}

#endif
