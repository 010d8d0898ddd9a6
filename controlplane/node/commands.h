/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_COMMANDS_H
#define VX6_CONTROLPLANE_NODE_COMMANDS_H

/* commands: what RUN/vx6d.sock can be asked (controlplane/api/API.md). */

#include "controlplane/node/node.h"

VX6_MUST_CHECK VX6_NONNULL enum vx6_status commands_open(struct node *n,
							 struct state_why *why);
VX6_NONNULL void commands_close(struct node *n);

#endif
