/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_DPDK_H
#define VX6_DATAPLANE_PORT_DPDK_H

/* dpdk: a port on devices of DPDK, with a UDP socket beside.
 *
 *     vx6-dataplane                    PREFIX/lib/vx6/vx6-port-dpdk.so
 *        | dpdk_load -- dlopen ------> | vx6_port_dpdk: struct dpdk_api
 *        v                             v
 *     worker -- port_rx, port_tx ----> device ---- wire
 *                                      | not cells
 *                                      +--> kernel
 *
 * Only that object is linked to DPDK, so the programs need none of it.  It
 * stands in lib/vx6 beside the program's own directory and nowhere else: no
 * variable and no setting names another.  It must be root's, or belong to
 * whoever the program belongs to, and be written by nobody else.  Both are
 * made together: what they share has its sizes compared.
 *
 * Queue k of every device is worker k's, of N; which cells land there is the
 * device's affair (RSS, where it has any), and what belongs to another worker
 * is handed over (worker/exchange.h).
 *
 * Frames are DPDK's mbufs: net_frame is an mbuf's private part, and what was
 * received is sent without a copy.  A pool belongs to one port and its one
 * worker, so its ring needs no lock, the worker no registration with EAL
 * (rte_thread_register), and there is no cache by lcore: the port's own pool
 * of some hundred frames is that.
 *
 *     | mbuf | net_frame | room | buffer: headroom, packet .. |
 *
 * Who answers for the rest of the traffic, ARP and neighbour discovery among
 * it, depends on the device:
 *
 *     the kernel has the interface, too, and sees every packet by itself
 *        (net_af_packet): its socket for cells is told not to take those
 *     the kernel has the interface, and an XDP program gives DPDK the cells
 *        of some queues (net_af_xdp): ours (xdp/cells.bpf.c), unless the
 *        device's arguments name another.  The driver's own would take every
 *        packet.  It ends with the process.  Another's program before the
 *        interface is a refusal
 *     the kernel has nothing (a NIC bound to vfio-pci, net_ring): a tap
 *        interface vx6k0, vx6k1 .. stands in for it with its MAC.  Addresses
 *        and routes are given to that one; what is no cell goes to the
 *        kernel by it, and what the kernel sends by it leaves by the device.
 *
 * What a full device does not take is kept, some hundred frames in order, and
 * offered again with the next call; as long as any is kept, tx_room says how
 * many more may be.
 *
 * Next hops come from the kernel's tables (neigh.h) in each case; what has
 * no way by a device goes by the socket.
 *
 * EAL is one in a process and stays until its end.  The ports of all queues
 * share the devices, which start when the last of them is open, and stop when
 * the first is closed.
 *
 * Threads: as port.h; all of dpdk_api is the control thread's. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/port.h"

#define DPDK_API_VERSION 1u
#define DPDK_DEVICES     4u
#define DPDK_DEVICE_TEXT 128u /* a device and its arguments, NUL */
#define DPDK_ARGS        16u  /* of EAL, besides those that are ours */
#define DPDK_ARG_TEXT    64u
#define DPDK_QUEUES      16u
#define DPDK_FDS         4u
#define DPDK_WHY         256u
#define DPDK_FRAMES      8192u /* in a pool by default */
#define DPDK_NAME        "vx6-port-dpdk.so"

struct dpdk_opts {
	char device[DPDK_DEVICES][DPDK_DEVICE_TEXT];
	uint32_t device_cnt;
	char arg[DPDK_ARGS][DPDK_ARG_TEXT];
	uint32_t arg_cnt;
	uint32_t links;         /* indices 1..links-1 */
	uint32_t queue, queues; /* which of how many this port has */
	int node;               /* where its frames should lie; -1: anywhere */
	/* one sentence for people; device or "" */
	void (*say)(void *ctx, bool warn, const char *event, const char *device,
		    const char *text);
	void *ctx;
};

struct dpdk_device {
	char name[16]; /* the kernel's interface, else DPDK's own name */
	uint32_t mtu;
	uint16_t queues;
};

struct dpdk_state {
	struct dpdk_device device[DPDK_DEVICES];
	unsigned device_cnt;
	uint64_t passed; /* packets that were no cells, the kernel's */
	/* by the devices' own counters */
	uint64_t missed;  /* no frame was free, or the queue was full */
	uint64_t rx_errs; /* damaged */
	uint64_t tx_errs; /* not taken by the wire */
};

struct dpdk_api {
	uint32_t version;
	uint32_t port_size, frame_size, opts_size, state_size;
	/* VX6_SYS with errno and why empty: the socket, as port_open_udp.
	 * Otherwise a sentence is in why. */
	enum vx6_status (*open)(struct port **out, const struct port_opts *po,
				const struct dpdk_opts *o, char why[DPDK_WHY]);
	/* what to poll for POLLIN, what to do then, and when at the latest */
	unsigned (*fds)(const struct port *p, int fd[DPDK_FDS]);
	void (*step)(struct port *p, uint64_t now_ns);
	uint64_t (*due_ns)(const struct port *p);
	void (*describe)(const struct port *p, struct dpdk_state *s);
	/* frames that are neither in the pool nor among the socket's posts: in
	 * nobody's hands, or in those of a driver that keeps some (net_af_xdp);
	 * of the port closed last when p is NULL */
	uint32_t (*away)(const struct port *p);
};

/* dpdk_load loads the object; file NULL: the one that belongs to this
 * program.  NULL, with a sentence in why: it is not there, is not to be
 * trusted, needs what is not installed, or is of another version.  It stays
 * loaded. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(2) const
	struct dpdk_api *dpdk_load(const char *file, char why[DPDK_WHY]);

#endif
