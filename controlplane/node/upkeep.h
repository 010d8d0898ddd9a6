/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_UPKEEP_H
#define VX6_CONTROLPLANE_NODE_UPKEEP_H

/* upkeep: what the registry wants while a node runs.
 *
 * Hints, records that expired `limits.hint_days` ago, are dropped at the start
 * and once an hour, but for the operator's own; a disk that refuses is told
 * in the log, once for all refusals since it was told last. */

#include <stdint.h>

#include "dataplane/base/compiler.h"

struct node;

struct upkeep {
	uint64_t expire_ns; /* when hints are looked through next */
	uint64_t refusals;  /* of the disk that were told */
};

/* upkeep_tick does what is due; once a second. */
VX6_NONNULL void upkeep_tick(struct node *n);

#endif
