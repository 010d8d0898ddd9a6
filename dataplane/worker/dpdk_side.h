/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_DPDK_SIDE_H
#define VX6_DATAPLANE_WORKER_DPDK_SIDE_H

/* dpdk_side: what the control thread does for ports on DPDK.
 *
 * The object that has them is loaded with the first.  Where they are not
 * asked for, the struct is zero, and every call here does nothing.
 *
 * Ownership: the ports are the caller's, who closes them.  Threads: the
 * control thread's. */

#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/port/dpdk.h"
#include "dataplane/relay/relay.h"
#include "dataplane/worker/log.h"
#include "dataplane/worker/options.h"

#define DPDK_SIDE_FDS (RELAY_WORKERS * DPDK_FDS)

struct dpdk_side {
	const struct dpdk_api *api;
	struct port *port[RELAY_WORKERS];
	unsigned cnt;
	struct dpdk_opts o;
};

/* dpdk_side_init says what the ports are to be like. */
VX6_NONNULL void dpdk_side_init(struct dpdk_side *s, const struct dp_options *o,
				uint32_t links, unsigned workers,
				struct log *log);

/* dpdk_side_open opens the next worker's port, with its memory on a node.
 * VX6_SYS with errno and why empty: as port_open_udp; otherwise why has a
 * sentence. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dpdk_side_open(struct dpdk_side *s, struct port **out,
	       const struct port_opts *po, int node, char why[DP_WHY]);

/* dpdk_side_fds: what to poll; dpdk_side_step: what is to be done then;
 * dpdk_side_due_ns: and when at the latest. */
VX6_NONNULL unsigned dpdk_side_fds(const struct dpdk_side *s,
				   int fd[DPDK_SIDE_FDS]);
VX6_NONNULL void dpdk_side_step(struct dpdk_side *s, uint64_t now_ns);
VX6_NONNULL uint64_t dpdk_side_due_ns(const struct dpdk_side *s);

/* dpdk_side_about tells backend, interfaces, and in drop what the devices
 * lost by their own counters. */
VX6_NONNULL void dpdk_side_about(const struct dpdk_side *s,
				 struct abi_stats *to);

#endif
