/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_TURNS_H
#define VX6_TESTS_SUPPORT_TURNS_H

/* turns: a port whose control thread and worker are the test's one thread, a
 * step of each in turn; for cmocka programs, which it fails with what the
 * port said (said.h) where something does not come.
 *
 * Nothing is waited for longer than 10 s. */

#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/port/dpdk.h"
#include "tests/support/said.h"

#define TURNS_FDS  AF_XDP_FDS /* of a back end's host, at most */
#define TURNS_LONG (10 * VX6_SEC)

/* What a back end's control thread polls, and what it does then. */
struct turns_host {
	unsigned (*fds)(const struct port *p, int fd[TURNS_FDS]);
	void (*step)(struct port *p, uint64_t now_ns);
	int wait_ms; /* in one turn: some devices have no descriptor */
};
/* turns_host is the program's: of the back end that it tests. */
extern struct turns_host turns_host;
_Static_assert(TURNS_FDS >= DPDK_FDS, "both back ends' fit");

/* turns_rx is a turn of both; what came, at most NET_BURST, is the
 * caller's. */
VX6_NONNULL unsigned turns_rx(struct port *p, struct net_frame *f[]);

/* turns_one waits for the next frame, which is the caller's; two at once are
 * a failure. */
VX6_NONNULL struct net_frame *turns_one(struct port *p);

/* turns_warm sends cells of a link from `self` to a socket there until one
 * left by the port's own way. */
VX6_NONNULL void turns_warm(struct port *p, int fd, uint32_t link,
			    const struct vx6_addr *peer,
			    const struct vx6_addr *self);

/* UNTIL turns until a condition holds; what comes is given back. */
#define UNTIL(p, cond)                                                         \
	do {                                                                   \
		uint64_t end_ = vx6_now_ns() + TURNS_LONG;                     \
		struct net_frame *f_[NET_BURST];                               \
		while (!(cond)) {                                              \
			if (vx6_now_ns() > end_)                               \
				fail_msg("never: %s\n%s", #cond, said);        \
			port_give(p, f_, turns_rx(p, f_));                     \
		}                                                              \
	} while (0)

#endif
