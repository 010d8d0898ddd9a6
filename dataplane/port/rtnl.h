/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_RTNL_H
#define VX6_DATAPLANE_PORT_RTNL_H

/* rtnl: talking to the kernel about links, addresses, neighbours and routes
 * (rtnetlink(7)), in structs without attributes.
 *
 *     rtnl_route_ask, rtnl_neigh_ask, rtnl_dump  -->  kernel
 *     rtnl_recv, then rtnl_parse until 0         <--  answers and changes
 *
 * Nothing here waits, remembers or decides.  An answer carries the seq of its
 * question; a change that nobody asked for carries 0.  The parser takes any
 * bytes: lengths are checked, what is not known is RTNL_OTHER, an attribute
 * of the wrong length is as if it were not there.
 *
 * Ownership: the caller's struct.  Threads: one.  Cost: a question is one
 * system call, and its answer is in the socket when that returns. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define RTNL_BUF    65536u /* a datagram of the kernel */
#define RTNL_RCVBUF (1 << 20)
#define RTNL_OIFS   8u /* of a default route over several next hops */

struct rtnl {
	int fd;
	uint32_t port; /* ours, to tell answers from changes */
	VX6_ALIGNED(8) uint8_t buf[RTNL_BUF];
};

enum rtnl_kind {
	RTNL_OTHER,
	RTNL_LINK,
	RTNL_ADDR,
	RTNL_NEIGH,
	RTNL_ROUTE,
	RTNL_POLICY, /* rules or next hop objects changed */
	RTNL_DONE,   /* a dump's end */
	RTNL_REFUSED /* an answer that is an error */
};

struct rtnl_link {
	unsigned ifindex;
	uint32_t flags; /* IFF_* */
	uint16_t type;  /* ARPHRD_* */
	bool has_name, has_mac, has_mtu;
	char name[16];
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t rx_queues, tx_queues; /* at most; 0 = not told */
};

struct rtnl_addr {
	unsigned ifindex;
	uint32_t flags; /* IFA_F_* */
	uint8_t ip[16];
};

struct rtnl_neigh {
	unsigned ifindex;
	uint16_t state; /* NUD_* */
	bool has_mac;
	uint8_t mac[6];
	uint8_t ip[16];
};

struct rtnl_route {
	bool v4;
	uint8_t type;     /* RTN_* */
	uint8_t bits;     /* of dst that count, of 128: IPv4 is mapped */
	uint32_t flags;   /* RTNH_F_*, RTM_F_* */
	uint32_t table;   /* RT_TABLE_* */
	bool odd;         /* it encapsulates, or cannot be understood */
	bool has_gateway; /* else the destination is on the link */
	bool has_source;
	uint8_t dst[16], gateway[16], source[16];
	uint32_t mtu;     /* 0 = the link's */
	unsigned oif_cnt; /* 0 = none told; over 1: several next hops */
	unsigned oif[RTNL_OIFS];
};

struct rtnl_msg {
	enum rtnl_kind kind;
	uint32_t seq, port; /* of the question, as the kernel has them */
	bool gone;          /* it was deleted */
	bool interrupted;   /* the dump missed a change: ask again */
	int error;          /* REFUSED, DONE: an errno; 0 = none */
	union {
		struct rtnl_link link;
		struct rtnl_addr addr;
		struct rtnl_neigh neigh;
		struct rtnl_route route;
	};
};

/* rtnl_open opens a socket that never blocks and hears of all changes.
 * VX6_SYS with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status rtnl_open(struct rtnl *r);
VX6_NONNULL void rtnl_close(struct rtnl *r); /* fd -1 is harmless */

/* rtnl_recv reads one datagram into buf; what is not the kernel's or too long
 * is passed over.  Returns its length; 0 where there is none now; -1 where
 * changes were lost (ENOBUFS): whoever keeps a copy asks for everything. */
VX6_MUST_CHECK VX6_NONNULL long rtnl_recv(struct rtnl *r);

/* rtnl_parse reads the message at the start of the len bytes at buf (aligned
 * to 4) and returns its size, to the next one; 0 where there is none. */
VX6_MUST_CHECK VX6_NONNULL size_t rtnl_parse(struct rtnl_msg *m,
					     const void *buf, size_t len);

/* rtnl_is_answer: to a question of this socket. */
VX6_NONNULL bool rtnl_is_answer(const struct rtnl *r, const struct rtnl_msg *m);

/* rtnl_route_ask asks how a UDP datagram to peer leaves, from self where that
 * is not none; the answer is a route or a refusal.  rtnl_neigh_ask asks for
 * one neighbour.  rtnl_dump asks for all of a kind (LINK, ADDR, ROUTE), the
 * end is DONE or a refusal; one at a time.  False: not now. */
VX6_MUST_CHECK VX6_NONNULL bool rtnl_route_ask(struct rtnl *r, uint32_t seq,
					       const struct vx6_addr *peer,
					       const struct vx6_addr *self);
VX6_MUST_CHECK VX6_NONNULL bool rtnl_neigh_ask(struct rtnl *r, uint32_t seq,
					       unsigned ifindex,
					       const uint8_t ip[16]);
VX6_MUST_CHECK VX6_NONNULL bool rtnl_dump(struct rtnl *r, uint32_t seq,
					  enum rtnl_kind kind, bool v4);

#endif
