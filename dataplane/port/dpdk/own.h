/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_DPDK_OWN_H
#define VX6_DATAPLANE_PORT_DPDK_OWN_H

/* own: what the files of the dpdk port share and nobody else sees.
 *
 *     port.c   the worker's side, and the table of functions
 *     eal.c    EAL and the devices, once in a process
 *     tap.c    the kernel's interface for a device that it does not see
 *     steer.c  the XDP program that gives DPDK an interface's cells alone */

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdatomic.h>

#include "dataplane/base/compiler.h"
#include "dataplane/port/dpdk.h"
#include "dataplane/port/neigh.h"

/* Of an mbuf: net_frame, and room so that at least NET_FRAME_FRONT bytes lie
 * before a payload however short its headers; then the buffer. */
#define DPDK_PRIV ((uint16_t)(sizeof(struct net_frame) + 128u))
#define DPDK_BUF  ((uint16_t)(RTE_PKTMBUF_HEADROOM + 2304u))

#define DPDK_LOCALS 64u /* addresses of this host that cells may be sent to */

struct device { /* of the process */
	char name[DPDK_DEVICE_TEXT];
	char label[16]; /* the kernel's name of it, or DPDK's own */
	uint16_t id;
	uint16_t ready; /* queues that are set up */
	_Atomic bool started;
	bool copied; /* the kernel has a copy of every packet */
	uint8_t mac[6];
	unsigned ifindex; /* where the kernel's routes lead to it */
	int tap_fd;       /* -1: the kernel has an interface by itself */
	bool attaches;    /* an XDP program .. */
	int link;         /* .. is there while this is open, or -1 */
	uint32_t mtu;
};

struct node {
	bool up; /* EAL is */
	unsigned ports;
	uint32_t made; /* pools so far, for their names */
	uint32_t away; /* of the last ones, when they were freed */
	struct rte_mempool *pool[DPDK_QUEUES]; /* live as long as devices do */
	int steer; /* the program's file, -1: no device needs it */
	unsigned device_cnt;
	struct device device[DPDK_DEVICES];
};

extern struct node dpdk_node;

/* dpdk_node_take starts EAL with the first port of the process, and counts
 * the port. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dpdk_node_take(const struct dpdk_opts *o, uint32_t frames, char why[DPDK_WHY]);

/* dpdk_node_devices finds the devices with the first of several ports.  The
 * caller holds the socket of UDP port `port`, by which cells come. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dpdk_node_devices(const struct dpdk_opts *o, uint16_t port, char why[DPDK_WHY]);

/* dpdk_node_pool makes the pool of a port, which ends with the devices. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dpdk_node_pool(struct rte_mempool **pool, const struct dpdk_opts *o,
	       uint32_t frames, char why[DPDK_WHY]);

/* dpdk_node_queue gives a port's queue of every device its memory; with the
 * last of them the devices start. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dpdk_node_queue(const struct dpdk_opts *o, struct rte_mempool *pool,
		char why[DPDK_WHY]);

/* dpdk_node_stop stops the devices, and they give back what they hold of
 * every pool; dpdk_node_drop lets go of a port. */
void dpdk_node_stop(void);
void dpdk_node_drop(void);

/* dpdk_attaches: a device (with its arguments) is net_af_xdp, and its driver
 * will put a program before the interface; dpdk_steers: ours, because the
 * arguments name no other. */
VX6_MUST_CHECK VX6_NONNULL bool dpdk_attaches(const char *device);
VX6_MUST_CHECK VX6_NONNULL bool dpdk_steers(const char *device);

/* dpdk_steer_file makes a file of the program for a port, -1 with errno. */
VX6_MUST_CHECK int dpdk_steer_file(uint16_t port);

/* dpdk_steer_other is the id of a program that is before the interface of
 * such a device already, and the interface's name; 0: none is. */
VX6_MUST_CHECK VX6_NONNULL uint32_t dpdk_steer_other(const char *device,
						     char interface[16]);

/* dpdk_steer_hold: the driver has put its program before an interface in a
 * way that outlives a process which is killed, or which may not take it off
 * any more.  It is taken off, and put there again so that it ends with the
 * descriptor that is returned; -1 with errno. */
VX6_MUST_CHECK int dpdk_steer_hold(unsigned ifindex);

/* dpdk_tap_open makes interface vx6kN up with mac (zero: its own) and
 * tells fd, ifindex, name and mac in d.  False with errno. */
VX6_MUST_CHECK VX6_NONNULL bool dpdk_tap_open(struct device *d, unsigned n);

#endif
