/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_CONNECT_H
#define VX6_CONTROLPLANE_NODE_CONNECT_H

/* connect: the commands that make, list and end local ports to services.
 *
 *     connect --> resolve --> tunnel --> one OPEN tried --> port listens
 *                                |                             |
 *                 lost: `down`, dialled again, `moved`  <------+
 *
 * The port stays open whatever happens to the tunnel; programs that come
 * meanwhile wait.  API.md has the events and errors.
 *
 * Ownership: the node's list; a job lives until its call is cancelled, or
 * `disconnect` names its port. */

#include <jansson.h>

#include "controlplane/api/api.h"
#include "controlplane/node/node.h"

VX6_NONNULL void connect_run(void *ctx, struct api_call *call,
			     const json_t *args);
VX6_NONNULL void connect_disconnect(void *ctx, struct api_call *call,
				    const json_t *args);
/* connect_list appends what forward.list says. */
VX6_NONNULL void connect_list(struct node *n, json_t *to);
VX6_NONNULL uint32_t connect_count(const struct node *n);

VX6_NONNULL void connects_close(struct node *n);

#endif
