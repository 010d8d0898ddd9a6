/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_AF_XDP_OWN_H
#define VX6_DATAPLANE_PORT_AF_XDP_OWN_H

/* af_xdp_own: what the files of the af_xdp port share and nobody else sees.
 *
 *     af_xdp.c      the worker's side: bursts, frames
 *     af_xdp_ifs.c  the control thread's: interfaces, sockets */

#include <stdatomic.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/af_xdp.h"
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
	uint8_t slot; /* of the interface */
	/* the control thread's */
	uint16_t queue;
	bool mapped;       /* in vx6_xsk */
	uint64_t quiet_ns; /* when its frames may be used again */
	/* the worker's */
	VX6_ALIGNED(VX6_CACHELINE) uint32_t filled; /* frames in fill and rx */
	uint32_t unsent;                            /* frames in tx and comp */
	uint32_t put;                               /* of this burst */
	bool kick; /* the kernel has not taken all of tx */
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
	unsigned queues, opened;
	unsigned busy; /* tries of the queue that is next */
	bool named;    /* by the operator: wanted even where it is not there */
	bool zerocopy;
	struct xdp_if *x;
	uint64_t due_ns, again_ns;
	char why[AF_XDP_WHY]; /* last said; "": it works */
};

struct af_xdp {
	struct port port; /* first, so that either pointer is the other */
	struct dgram d;
	struct neigh *neigh;
	struct xdp *xdp;
	struct vx6_xdp_link *link;
	struct head *head; /* by link, mapped, touched as used */
	size_t head_len;
	uint8_t *owner; /* by frame: 0 ours, else socket + 1 */
	uint32_t links;
	struct sock sock[AF_XDP_SOCKS];
	/* moved by the control thread when a socket's state is the worker's to
	 * change; by the worker when it is the control thread's */
	_Atomic uint32_t asked, answered;
	int said_fd; /* eventfd: the worker has answered */
	/* the worker's */
	VX6_ALIGNED(VX6_CACHELINE) uint32_t seen;
	uint8_t live[AF_XDP_SOCKS];
	unsigned live_cnt, next;
	uint32_t depth; /* frames that each socket may hold to receive */
	unsigned calls; /* since the kernel's socket was read */
	bool read_sock; /* before a wait it is read for sure */
	int8_t out[AF_XDP_IFS]; /* the socket that sends on it; -1 none */
	struct net_frame *rest[NET_BURST]; /* of a burst, for the socket */
	struct af_xdp_count n;
	/* the control thread's */
	VX6_ALIGNED(VX6_CACHELINE) struct af_xdp_opts o;
	struct iface iface[AF_XDP_IFS];
	uint64_t now_ns;
	bool wake;     /* the worker has something to do */
	bool too_many; /* said: there are more interfaces than slots */
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

/* af_xdp_settle hands every socket back, for the end: nobody works here. */
VX6_NONNULL void af_xdp_settle(struct af_xdp *a);

/* af_xdp_meet takes over and lets go of what the other thread has moved. */
VX6_NONNULL void af_xdp_meet(struct af_xdp *a);

#endif
