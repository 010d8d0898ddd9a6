/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_HOST_H
#define VX6_DATAPLANE_PORT_HOST_H

/* host: the interfaces and addresses that this host has, as the kernel told.
 *
 * Three tables are filled by dumps and kept by changes: links, addresses,
 * and which links have a default route (main table).  A dump begins with
 * host_mark and ends with host_sweep, which forgets what it did not name.
 *
 * What finds no room is counted and left out; nothing else happens to it.
 * Ownership: the caller's struct.  Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/port/neigh.h"
#include "dataplane/port/rtnl.h"

#define HOST_IFS   512u
#define HOST_ADDRS 1024u

struct host_if {
	struct neigh_if is; /* queues: as the link message says */
	bool seen;          /* by the dump that runs */
	bool gateway_seen;
};

struct host_addr {
	unsigned ifindex;
	uint32_t flags; /* IFA_F_* */
	bool usable;    /* not tentative, not found twice */
	bool seen;
	struct vx6_addr is;
};

struct host {
	int ask_fd; /* a datagram socket, for SIOCETHTOOL; -1 = none */
	unsigned if_cnt, addr_cnt;
	unsigned events; /* enum neigh_event, since they were taken */
	uint64_t no_room;
	struct host_if iface[HOST_IFS];
	struct host_addr addr[HOST_ADDRS];
};

VX6_NONNULL void host_open(struct host *h);
VX6_NONNULL void host_close(struct host *h);

/* host_mark and host_sweep stand around a dump of kind (LINK, ADDR, ROUTE:
 * of both families). */
VX6_NONNULL void host_mark(struct host *h, enum rtnl_kind kind);
VX6_NONNULL void host_sweep(struct host *h, enum rtnl_kind kind);

/* host_link and host_addr take what is told of a link or an address; true
 * where it changes something. */
VX6_MUST_CHECK VX6_NONNULL bool host_link(struct host *h,
					  const struct rtnl_msg *m);
VX6_MUST_CHECK VX6_NONNULL bool host_addr(struct host *h,
					  const struct rtnl_msg *m);

/* host_route takes a route of a dump.  host_is_default says whether one, of
 * a change, makes a new dump necessary. */
VX6_NONNULL void host_route(struct host *h, const struct rtnl_route *r);
VX6_NONNULL bool host_is_default(const struct rtnl_route *r);

/* host_find is the interface, or NULL. */
VX6_NONNULL const struct neigh_if *host_find(const struct host *h,
					     unsigned ifindex);

/* host_has: it is one of this host's addresses now; its port does not
 * matter. */
VX6_MUST_CHECK VX6_NONNULL bool host_has(const struct host *h,
					 const struct vx6_addr *a);

/* host_if_list and host_addr_list: see neigh_if_list and neigh_addrs. */
VX6_NONNULL unsigned host_if_list(const struct host *h, struct neigh_if i[],
				  unsigned max);
VX6_NONNULL unsigned host_addr_list(const struct host *h, struct vx6_addr a[],
				    unsigned max);

#endif
