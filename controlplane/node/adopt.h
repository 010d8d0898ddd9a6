/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_ADOPT_H
#define VX6_CONTROLPLANE_NODE_ADOPT_H

/* adopt: links and relayed circuits that an earlier vx6d left in the data
 * plane are taken up again, as core/adopt judges them.
 *
 * Cells went on all the while; from here on this vx6d answers for them:
 * circuit list, life, DESTROY from either side, PINGs.  Sessions with the
 * links' other ends are dialled where an endpoint is known, and the links
 * wait for one no longer than timers.link_orphan_ns. */

#include "controlplane/core/adopt.h"
#include "controlplane/node/node.h"

/* adopt_found takes up what it can; n's tables are fresh and empty.  Rows
 * that cannot be taken up for want of memory are marked for the sweep. */
VX6_NONNULL void adopt_found(struct node *n, struct adopt *found);

#endif
