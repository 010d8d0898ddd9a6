/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_RESOLVE_H
#define VX6_CONTROLPLANE_NODE_RESOLVE_H

/* resolve: from what a person typed to a node ID.
 *
 *     vx6<52 characters>   that node
 *     name~<16 or more>    the one called so whose ID begins like this
 *     name                 the pinned one, or the only one called so
 *
 * Two nodes of one name are never chosen between here: the answer names
 * them, and the person says which.  Only what the registry holds is looked
 * at. */

#include "controlplane/api/api.h"
#include "controlplane/node/node.h"

struct resolve_why {
	enum api_code code;
	char text[512], hint[160];
};

VX6_MUST_CHECK VX6_NONNULL bool resolve_node(struct node *n, const char *text,
					     uint8_t id[32],
					     struct resolve_why *why);

/* resolve_no fills in why not; false. */
VX6_NONNULL bool resolve_no(struct resolve_why *why, enum api_code code,
			    const char *hint, const char *text);

/* resolve_relay does so for a relay whose record is valid. */
VX6_MUST_CHECK VX6_NONNULL bool resolve_relay(struct node *n, const char *text,
					      uint8_t id[32],
					      struct resolve_why *why);

/* resolve_clock: true when most peers' clocks are far from ours; why then
 * says how far. */
VX6_MUST_CHECK VX6_NONNULL bool resolve_clock(struct node *n,
					      struct resolve_why *why);

#endif
