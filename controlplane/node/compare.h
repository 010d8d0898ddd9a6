/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_COMPARE_H
#define VX6_CONTROLPLANE_NODE_COMPARE_H

/* compare: what became of circuits while a link had no session
 * (PROTOCOL.md 6 and 6a, CIRCUITS).
 *
 *     LINK_OPEN {adopt} -->                 each end sends its list once and
 *     <-- LINK_OK {adopt}                   ends those of its circuits that
 *     CIRCUITS --> <-- CIRCUITS             the other's list lacks
 *
 * core/lack says which are judged.  What is still being built is in the list
 * of the end that has both ids, and has timers at the other.
 *
 * One list is taken for each session; others are skipped, so nobody can
 * make us walk through our circuits for nothing. */

#include "controlplane/node/peer.h"

/* compare_send tells p which circuits this end has on their link. */
VX6_NONNULL void compare_send(struct peer *p);

VX6_NONNULL void compare_on_circuits(struct peer *p, const uint8_t *body,
				     size_t len);

#endif
