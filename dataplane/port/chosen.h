/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_CHOSEN_H
#define VX6_DATAPLANE_PORT_CHOSEN_H

/* chosen: which interfaces af_xdp takes where the configuration names none.
 *
 * Ethernet ones that are up, and of those the ones that a default route (of
 * the main table) goes out of; all of them where no such route is there.
 *
 * One rule, two who ask: the port's host, by the tables that it keeps, and the
 * keeper, which believes nobody, by the kernel's as they are now.  The two
 * may differ for the moment between a change and the news of it.
 *
 * Threads: any. */

#include <stdbool.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/neigh.h"

/* chosen_is says whether one of these n interfaces is. */
VX6_MUST_CHECK VX6_NONNULL bool
chosen_is(const struct neigh_if all[], unsigned n, const struct neigh_if *one);

/* chosen_now asks the kernel whether ifindex is: VX6_SYS with errno,
 * VX6_NO_MEMORY, VX6_AGAIN (it would not tell, or something changed
 * meanwhile).  Cost: dumps of links and routes. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status chosen_now(unsigned ifindex,
						      bool *is);

#endif
