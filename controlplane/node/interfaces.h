/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_INTERFACES_H
#define VX6_CONTROLPLANE_NODE_INTERFACES_H

/* interfaces: which addresses this host has, and being told when that
 * changes.
 *
 *     kernel --netlink--> something changed --settle--> changed()
 *
 * A message only says that it is time to look again; what it says is not
 * read, so none can be lost or misread.  One change comes as several
 * messages (address, then routes): changed is called once they have been
 * silent for a moment, or have not been for a while.  It is told whether
 * the addresses are others than when it was called last: a route that comes
 * late is worth another look as well.
 *
 * Ownership: the caller's struct, which must not move.  Threads: the loop's. */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define INTERFACES_SETTLE_NS (50 * VX6_MS)
#define INTERFACES_LATEST_NS (1 * VX6_SEC) /* since the first message */

struct interfaces {
	struct loop *loop;
	struct loop_fd *watch;
	int fd; /* -1: not watched */
	uint64_t first_ns, sum;
	struct loop_timer settle;
	void (*changed)(void *ctx, bool addresses);
	void *ctx;
};

/* interfaces_watch begins to tell changes.  VX6_SYS with errno, VX6_NO_MEMORY:
 * nobody will be told; the node goes on with the addresses it started with. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3) enum vx6_status
	interfaces_watch(struct interfaces *w, struct loop *loop,
			 void (*changed)(void *ctx, bool addresses), void *ctx);

/* interfaces_close ends it; harmless on one that is zero or closed. */
VX6_NONNULL void interfaces_close(struct interfaces *w);

/* interfaces_each gives add every address of this host that others may
 * reach, in the kernel's order, with port 0: none of loopback, none that
 * counts on one link only, none of an interface that is down. */
VX6_NONNULL_ARGS(1)
void interfaces_each(void (*add)(void *ctx, const struct vx6_addr *a),
		     void *ctx);

/* interfaces_has tells whether a, whose port does not matter, is one of this
 * host's addresses, of whatever kind.  True where the host does not say. */
VX6_MUST_CHECK VX6_NONNULL bool interfaces_has(const struct vx6_addr *a);

#endif
