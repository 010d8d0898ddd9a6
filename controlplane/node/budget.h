/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_BUDGET_H
#define VX6_CONTROLPLANE_NODE_BUDGET_H

/* budget: what this node gives as a relay: rates, told to the data plane,
 * and the month's quota (core/quota.h), counted here from the data plane's
 * counter once a second, and kept in the registry.
 *
 * When a month's bytes are spent the node hibernates: node_is_relay is
 * false, so its record says no relay, CREATEs that would go through it are
 * refused, and circuits that do are ended, both neighbours told.  What
 * begins or ends here goes on. */

#include <jansson.h>

#include "controlplane/core/quota.h"
#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct node;

#define BUDGET_KEEP_NS (10 * VX6_SEC) /* between two writes of the registry */

struct budget {
	struct quota quota;
	struct abi_budget last; /* as the data plane said */
	bool asking;
	bool dirty; /* the quota is not kept yet */
	uint64_t kept_ns;
};

/* budget_limits says what the configuration lets relaying take. */
VX6_NONNULL struct abi_limits budget_limits(const struct node *n);

/* budget_open takes up what was kept; before the first record is made. */
VX6_NONNULL void budget_open(struct node *n);

/* budget_tick asks the data plane, and does what time brings; once a
 * second. */
VX6_NONNULL void budget_tick(struct node *n);

/* budget_close keeps what is counted. */
VX6_NONNULL void budget_close(struct node *n);

/* budget_hibernates: the month's bytes are spent. */
VX6_MUST_CHECK VX6_NONNULL bool budget_hibernates(const struct node *n);

/* budget_json is for status, and null where nothing is relayed. */
VX6_NONNULL json_t *budget_json(const struct node *n);

#endif
