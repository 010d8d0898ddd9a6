/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_PORT_H
#define VX6_DATAPLANE_PORT_PORT_H

/* port: datagrams in and out in bursts, whatever carries them.
 *
 *              take                     give
 *        +---------------- pool <----------------+
 *        v                  | rx                 |
 *      worker <-------------+                    |
 *        |                                       |
 *        +-- tx --> sent, or dropped and counted +
 *
 * Back ends, behind the one table of functions below:
 *
 *     udp     a socket with GSO and GRO; needs no privilege
 *     af_xdp  queues of interfaces, and a socket for what has no way there
 *             (af_xdp.h)
 *     dpdk    devices of DPDK, from an object that is loaded when it is
 *             asked for (dpdk.h)
 *     mem     two queues in memory, for tests and benchmarks
 *
 * A frame received is the frame that is sent: the relay rewrites it in
 * place.  For a back end whose frames are shared with the kernel (one
 * memory area, descriptors by index) the pool is that area, and a frame
 * given to tx comes back to the pool when the kernel has finished with
 * it.  peer and self are IP addresses and ports: Ethernet and routes are
 * the back end's own affair, and a frame's link lets it keep them ready.
 *
 * tx never waits and never fails: what cannot be sent now is dropped and
 * counted by reason.  frames received + taken = sent + dropped + given.
 *
 * Ownership: the pool is fixed at open; nothing is allocated afterwards.
 * Threads: one worker has one port.  Ports of several workers share an
 * address and nothing else. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/net.h"

#define PORT_FDS        17u   /* descriptors to poll at most */
#define PORT_FRAMES_MIN 256u  /* in a pool: posted, in a burst, in spares */
#define PORT_FRAMES     2048u /* by default: 4 MiB */
#define PORT_ROOM       UINT32_MAX

struct port;

struct port_ops {
	const char *name;
	/* up to n <= NET_BURST frames, without waiting */
	unsigned (*rx)(struct port *p, struct net_frame *f[], unsigned n);
	/* takes all n <= NET_BURST over */
	void (*tx)(struct port *p, struct net_frame *f[], unsigned n);
	/* descriptors that become readable when rx has something; at most
	 * PORT_FDS.  Whoever asks is about to wait. */
	unsigned (*fds)(struct port *p, int fd[PORT_FDS]);
	/* a link that this worker owns has this proved address (none: no
	 * address yet), or is no more (NULL); may be left out */
	void (*link)(struct port *p, uint32_t index,
		     const struct vx6_addr *peer);
	void (*close)(struct port *p);
};

struct VX6_ALIGNED(VX6_CACHELINE) port {
	const struct port_ops *ops;
	struct net_frame **pool; /* free ones, the warmest on top */
	uint32_t pool_cnt, frame_cnt;
	struct net_frame *frame; /* all of them */
	uint8_t *mem;            /* their bytes: a frame's are at index units */
	size_t unit;             /* NET_FRAME_LEN, but in dpdk */
	size_t map_len;
	struct vx6_addr at;          /* where datagrams arrive */
	const struct net_sock *sock; /* for its counters; NULL: has none */
	bool pending;     /* frames wait for the kernel: ask for rx or tx within
			 a millisecond, whatever the descriptors say */
	uint32_t tx_room; /* frames that tx would take now and lose none,
			     whatever links they are for; PORT_ROOM: it
			     cannot say, or there is plenty */
	/* counted since the start, written by the worker alone */
	uint64_t rx_frames, rx_bytes;
	uint64_t tx_frames, tx_bytes;
	uint64_t rx_xsk, tx_xsk; /* of the frames, those that no UDP socket
				    carried */
	uint64_t rx_most;        /* of those, that waited in one ring */
	uint64_t drop[VX6_STATUS_CNT]; /* by this port, either way */
};

struct port_opts {
	struct vx6_addr bind; /* udp; ip all zero: any, both families */
	uint32_t frames;      /* in the pool; 0 = PORT_FRAMES */
	uint32_t rcvbuf, sndbuf;
	bool no_gso, no_gro;
	struct port *beside; /* the first of the same kind, which has the same
				address; NULL: alone */
};

/* port_open_udp and port_open_mem make a port in allocated memory.
 * VX6_CONFIG: fewer than PORT_FRAMES_MIN frames, or more than 2^20;
 * VX6_SYS with errno (EADDRINUSE ..); VX6_NO_MEMORY.  *out is NULL then. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
port_open_udp(struct port **out, const struct port_opts *opts);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
port_open_mem(struct port **out, const struct port_opts *opts);

/* port_steer lets datagrams of links arrive at the port that owns them: of n
 * ports that were opened one beside the other, number k those of the links
 * whose index is k modulo n.  False: they arrive anywhere.  It is for what
 * comes by sockets. */
VX6_MUST_CHECK VX6_NONNULL bool port_steer(const struct port *first,
					   unsigned n);

static inline unsigned port_rx(struct port *p, struct net_frame *f[],
			       unsigned n)
{
	return p->ops->rx(p, f, n);
}

static inline void port_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	p->ops->tx(p, f, n);
}

/* port_take lends a frame to write a datagram into (data where a received
 * one would lie, len 0, no addresses), or NULL when the pool is empty. */
VX6_MUST_CHECK VX6_NONNULL static inline struct net_frame *
port_take(struct port *p)
{
	struct net_frame *f;

	if (vx6_unlikely(p->pool_cnt == 0))
		return NULL;
	f = p->pool[--p->pool_cnt];
	f->data = p->mem + f->index * p->unit + NET_FRAME_FRONT;
	f->len = f->sum = 0;
	f->link = 0;
	f->peer = f->self = (struct vx6_addr){ 0 };
	return f;
}

static inline void port_give(struct port *p, struct net_frame *const f[],
			     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p->pool[p->pool_cnt++] = f[i];
}

/* port_fds: what to poll for POLLIN while rx has nothing. */
static inline unsigned port_fds(struct port *p, int fd[PORT_FDS])
{
	return p->ops->fds(p, fd);
}

/* port_link tells of a link whose proved address is another, NULL: that
 * there is no such link any more. */
VX6_NONNULL_ARGS(1)
static inline void port_link(struct port *p, uint32_t index,
			     const struct vx6_addr *peer)
{
	if (p->ops->link != NULL)
		p->ops->link(p, index, peer);
}

/* port_close ends the port and frees it; NULL is harmless. */
void port_close(struct port *p);

/* ---- mem: the other side of the wire, same thread ---- */

/* port_mem_put lets a copy of a datagram arrive.  False: pool empty, or len
 * over NET_FRAME_CAP. */
VX6_MUST_CHECK VX6_NONNULL bool port_mem_put(struct port *p, const void *data,
					     size_t len,
					     const struct vx6_addr *peer);

/* port_mem_queue lets a frame that was taken arrive as it is. */
VX6_NONNULL void port_mem_queue(struct port *p, struct net_frame *f);

/* port_mem_get is the oldest frame sent, or NULL; give it back. */
VX6_MUST_CHECK VX6_NONNULL struct net_frame *port_mem_get(struct port *p);

/* ---- for back ends ---- */

/* port_pool_init makes the pool of a port; port_pool_free ends it.  shared:
 * children of this process have the same bytes. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
port_pool_init(struct port *p, uint32_t frames, bool shared);
VX6_NONNULL void port_pool_free(struct port *p);

#endif
