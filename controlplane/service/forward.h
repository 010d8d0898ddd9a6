/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SERVICE_FORWARD_H
#define VX6_CONTROLPLANE_SERVICE_FORWARD_H

/* forward: the client's local port.
 *
 *     accept --> offer(fd) --VX6_OK--> taken, forgotten here
 *                   |
 *                VX6_AGAIN (no tunnel just now)
 *                   v
 *                waiting --forward_ready--> offer again
 *                   | deadline
 *                   v
 *                  RST
 *
 * The port goes on listening whatever happens to the tunnel behind it.
 * It listens on loopback only, unless `any` is said.
 *
 * Ownership: descriptors are forward's until offer returns VX6_OK; those
 * are non-blocking, close-on-exec, TCP_NODELAY.  Threads: the loop's.
 * Limits: waiting connections; over it the newest gets RST, counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct forward;

#define FORWARD_WHY 192u

struct forward_opts {
	struct vx6_addr listen; /* port 0: the system chooses */
	bool any;               /* not only loopback */
	uint32_t waiting;       /* connections; 0 = 128 */
	uint64_t wait_ns;       /* each, for a tunnel; 0 = 30 s */
	/* offer: VX6_OK takes fd; VX6_AGAIN: keep it, forward_ready will be
	 * called; anything else ends it with RST. */
	enum vx6_status (*offer)(void *ctx, int fd);
	void *ctx;
};

struct forward_stats {
	uint64_t accepted, taken;
	uint64_t refused;  /* by offer */
	uint64_t full;     /* no room to wait */
	uint64_t expired;  /* waited in vain */
	uint64_t no_files; /* the process has no descriptor left */
	uint32_t waiting;
};

/* forward_open listens.  On failure `why` holds a sentence for people:
 * VX6_EXISTS (port in use), VX6_DENIED (not loopback, or no privilege for
 * this port), VX6_NOT_FOUND (no such address here), VX6_NO_ROOM (no
 * descriptors), VX6_NO_MEMORY, VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
forward_open(struct loop *l, const struct forward_opts *opts,
	     struct forward **out, char why[FORWARD_WHY]);

/* forward_close stops listening; what waits gets RST.  NULL: nothing.
 * Not from inside offer. */
void forward_close(struct forward *f);

/* forward_ready offers what waits, oldest first, until offer says
 * VX6_AGAIN. */
VX6_NONNULL void forward_ready(struct forward *f);

/* forward_flush ends everything that waits with RST: there will be no
 * tunnel. */
VX6_NONNULL void forward_flush(struct forward *f);

/* forward_addr is where it listens, the real port filled in. */
VX6_NONNULL const struct vx6_addr *forward_addr(const struct forward *f);
VX6_NONNULL void forward_stats(const struct forward *f,
			       struct forward_stats *s);

#endif
