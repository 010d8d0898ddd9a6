/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_ENDPOINTS_H
#define VX6_CONTROLPLANE_NODE_ENDPOINTS_H

/* endpoints: where a node is reached, in its record; IPv6 before IPv4.
 *
 *     advertise, or listen, or interfaces --fill--> our record
 *     somebody's record --of--> what to dial, the best first
 *
 * Cost: endpoints_fill asks the kernel for the host's addresses. */

#include "controlplane/node/node.h"
#include "controlplane/record/node.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"

/* endpoints_any: a is no address but all of this host's: of IPv4, where it
 * is 0.0.0.0, or of both families. */
VX6_MUST_CHECK VX6_NONNULL bool endpoints_any(const struct vx6_addr *a);

/* endpoints_fill writes ours.  Of a host with more addresses than a record
 * holds, no family takes more than half from the other. */
VX6_NONNULL void endpoints_fill(const struct node *n, struct node_record *rec);

/* endpoints_of writes where rec says that sessions are taken; returns how
 * many.  Whether they can be reached, or may be dialled, is not asked. */
VX6_NONNULL unsigned endpoints_of(const struct node_record *rec,
				  struct vx6_addr to[NODE_ENDPOINTS_MAX]);

#endif
