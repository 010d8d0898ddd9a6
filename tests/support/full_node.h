/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_FULL_NODE_H
#define VX6_TESTS_SUPPORT_FULL_NODE_H

/* full_node: the record that says most: every field there, every list and
 * text as long as it may be, every number the largest. */

#include "controlplane/record/node.h"

/* Its onion keys are the same each time, the first from `now` on for a day. */
VX6_NONNULL struct node_record full_node(const struct identity *who,
					 uint32_t now);

#endif
