/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_AF_XDP_OWN_H
#define VX6_DATAPLANE_PORT_AF_XDP_OWN_H

/* af_xdp_own: what the files of the af_xdp port share and nobody else sees.
 *
 *     af_xdp.c         a worker's part: bursts, frames, ways
 *     af_xdp_host.c    the host's part, the control thread's: interfaces, and
 *                      which queue of them is in which worker's socket
 *     af_xdp_rights.c  the steps of it that need privilege
 *     keeper.c         a process that has it
 *
 *     host --+--> port of worker 0: sock[] state, asked --> worker 0
 *            +--> port of worker 1: sock[] state, asked --> worker 1
 *            ^                                                |
 *            +------------------- said_fd <-------------------+
 *
 * The host writes into a port only its sockets, while their state says so,
 * and its neigh; a worker touches nothing of the host but the bell and the
 * links' memory, of which it writes its own links. */

#include <stdatomic.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/port/af_xdp_rights.h"
#include "dataplane/port/dgram.h"
#include "dataplane/port/head.h"
#include "dataplane/port/neigh.h"
#include "dataplane/port/packet.h"

enum sock_state { /* whose move it is stands in af_xdp.h */
		  SOCK_FREE,
		  SOCK_OFFERED,
		  SOCK_LIVE,
		  SOCK_ASKED,
		  SOCK_LEFT,
		  SOCK_CLOSED
};

struct sock {
	_Atomic uint32_t state; /* enum sock_state */
	struct xsk x;
	uint8_t worker; /* of the port that it is in */
	uint8_t slot;   /* of the interface */
	/* the control thread's */
	uint16_t queue;
	bool entered;      /* cells are let in */
	uint64_t quiet_ns; /* when its frames may be used again */
	/* the worker's */
	VX6_ALIGNED(VX6_CACHELINE) uint32_t filled; /* frames in fill and rx */
	uint32_t left;                              /* in rx, not yet read */
	uint32_t unsent;                            /* frames in tx and comp */
	uint32_t put;                               /* of this burst */
	uint64_t lost; /* by the kernel, for want of frames */
	bool lacked;   /* frames, when it was last read */
	bool deep;     /* a pause was seen: it gets more than a->depth */
	bool kick;     /* the kernel has not taken all of tx */
};

enum if_state {
	IF_NONE,    /* the slot is free */
	IF_WANTED,  /* not there, or refused; tried again when due */
	IF_RISING,  /* the classifier is on, sockets are being opened */
	IF_ON,      /* all sockets are the worker's */
	IF_FALLING, /* sockets are being let go */
};

struct iface { /* the control thread's alone */
	enum if_state state;
	char name[AF_XDP_NAME];
	unsigned ifindex;
	uint32_t mtu;
	unsigned queues, most, opened; /* it has, for us, with a socket */
	unsigned busy;                 /* tries of the queue that is next */
	bool named; /* by the operator: wanted even where it is not there */
	bool attached, zerocopy, dispatcher;
	uint64_t due_ns, again_ns;
	char why[AF_XDP_WHY]; /* last said; "": it works */
};

struct af_xdp_host;

struct af_xdp {           /* a worker's part */
	struct port port; /* first, so that either pointer is the other */
	struct dgram d;
	struct neigh *neigh;
	struct vx6_xdp_link *link;
	struct head *head; /* by link, mapped, touched as used */
	size_t head_len;
	uint8_t *owner; /* by frame: 0 ours, else socket + 1 */
	uint32_t links;
	unsigned worker, workers;
	bool first;  /* the host is closed with it */
	int said_fd; /* the host's */
	struct af_xdp_host *host;
	struct sock sock[AF_XDP_SOCKS];
	/* moved by the control thread when a socket's state is the worker's to
	 * change */
	_Atomic uint32_t asked;
	/* the worker's */
	VX6_ALIGNED(VX6_CACHELINE) uint32_t seen;
	uint8_t live[AF_XDP_SOCKS];
	unsigned live_cnt, next;
	uint32_t depth;         /* frames that each socket gets to receive */
	unsigned calls;         /* since the kernel's socket was read */
	bool read_sock;         /* before a wait it is read for sure */
	int8_t out[AF_XDP_IFS]; /* the socket that sends on it; -1 none */
	struct net_frame *rest[NET_BURST]; /* of a burst, for the socket */
	struct af_xdp_count n;
};

struct af_xdp_host { /* the control thread's alone */
	struct af_xdp_opts o;
	struct rights *rights;
	struct vx6_addr at; /* where cells arrive */
	int said_fd;        /* eventfd: a worker has answered */
	struct af_xdp *port[AF_XDP_WORKERS];
	unsigned ports; /* that are open, of o.workers */
	struct iface iface[AF_XDP_IFS];
	uint64_t now_ns;
	uint64_t look_ns; /* when queues are counted again */
	bool wake;        /* a worker has something to do */
	bool too_many;    /* said: there are more interfaces than slots */
};

VX6_NONNULL static inline struct af_xdp *af_xdp_port(struct port *p)
{
	return (struct af_xdp *)p;
}

VX6_NONNULL static inline const struct af_xdp *
af_xdp_const(const struct port *p)
{
	return (const struct af_xdp *)p;
}

/* af_xdp_meet takes over and lets go of what the other thread has moved. */
VX6_NONNULL void af_xdp_meet(struct af_xdp *a);

/* af_xdp_host_open: as port_open_af_xdp; closed by the port that made it.
 * af_xdp_host_join gives it a port, and with the last of them the keeper and
 * the first step; af_xdp_host_leave takes the port's sockets back, for the end:
 * its worker works no more. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
af_xdp_host_open(struct af_xdp_host **out, const struct vx6_addr *at,
		 const struct af_xdp_opts *xo, char why[XDP_WHY]);
void af_xdp_host_close(struct af_xdp_host *h);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
af_xdp_host_join(struct af_xdp_host *h, struct af_xdp *a, char why[XDP_WHY]);
VX6_NONNULL void af_xdp_host_leave(struct af_xdp *a);

#endif
