/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_NET_NET_H
#define VX6_DATAPLANE_NET_NET_H

/* net: UDP in batches, as few system calls and copies as a socket allows.
 *
 *     net_recv   recvmmsg + UDP_GRO     one net_pkt = 1..64 datagrams of
 *                                       one flow, `segment` bytes each,
 *                                       the last may be shorter
 *     net_send   sendmmsg + UDP_SEGMENT one net_out likewise
 *
 * One socket serves both families: bound to [::] it takes IPv4 too, and
 * addresses are struct vx6_addr with IPv4 mapped.  Bound to an IPv4
 * address, or where the host has no IPv6, it is an IPv4 socket.
 *
 * Nothing is ever fragmented: don't-fragment is set, and the kernel's idea
 * of a path's MTU, which anyone's ICMP can shrink, is not believed
 * (IP_PMTUDISC_PROBE).  A datagram over the interface's MTU is refused.
 *
 * No bytes and no ICMP from the network make a call here fail: what a
 * destination or interface refuses is counted and marked on its entry.
 *
 * Several sockets of one process may have one address (SO_REUSEPORT): the
 * kernel picks one for each datagram, by net_steer's rule where there is one,
 * else by a hash of the addresses.  The first is bound alone, so that an
 * address in use is told even so.
 *
 * Ownership: net_sock owns its descriptor; buffers are the caller's.
 * Threads: one at a time.
 * Cost: no allocation after net_open; about 24 KiB of stack. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define NET_BATCH   64u        /* entries of one call; more are left over */
#define NET_SEG_MAX 64u        /* datagrams in one entry */
#define NET_LEN_MAX 65507u     /* bytes in one entry to send */
#define NET_BUF_MIN 65536u     /* receive room per entry when GRO is on */
#define NET_BUF     (4u << 20) /* socket buffers asked for by default */

struct net_opts {
	struct vx6_addr bind;    /* ip all zero: any, both families */
	uint32_t rcvbuf, sndbuf; /* bytes; 0 = NET_BUF */
	bool no_gro, no_gso;     /* do without, even if the kernel can */
	bool v6only;             /* [::] does not take IPv4 */
	const struct net_sock
		*beside; /* bound where this one is; NULL: alone */
};

struct net_sock {
	int fd;             /* non-blocking; poll it for POLLIN, POLLOUT */
	bool v4;            /* an IPv4 socket: IPv6 cannot be sent to */
	bool gso, gro;      /* what the kernel gave; gso may be lost later */
	uint32_t rcvbuf;    /* bytes really got, in the unit of net_opts */
	uint32_t sndbuf;    /* likewise; the host's limits may be lower */
	struct vx6_addr at; /* what it is bound to, port filled in */
	/* counted since net_open */
	uint64_t rx_calls, rx_dgrams, rx_bytes;
	uint64_t tx_calls, tx_dgrams, tx_bytes;
	uint64_t rx_overflow;  /* datagrams that the kernel had no room for */
	uint64_t rx_truncated; /* did not fit the caller's buffer */
	uint64_t tx_refused;   /* entries that ended with err */
	uint32_t ovfl_seen;    /* internal: the kernel's 32-bit counter */
};

struct net_pkt {
	/* from the caller: where to put it */
	struct iovec *iov;
	size_t iov_cnt;
	/* from net_recv */
	struct vx6_addr from;
	struct vx6_addr to; /* local address it was sent to, and port */
	uint32_t len;       /* all datagrams together; 0 = ignore it */
	uint16_t segment;   /* size of each but the last; == len for one */
	uint8_t ecn;        /* two bits of the IP header */
};

struct net_out {
	struct vx6_addr to;
	struct vx6_addr from;    /* local address to send from; none = any */
	const struct iovec *iov; /* gathered, in order */
	size_t iov_cnt;
	uint16_t segment; /* 0 = one datagram; else cut into this size */
	uint8_t ecn;
	int err; /* from net_send: 0, or the errno that refused it */
};

/* net_open makes the socket and binds it.  VX6_SYS with errno: EADDRINUSE
 * (another process has the port), EADDRNOTAVAIL (not our address), EACCES,
 * ..; *s is then closed already. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
net_open(struct net_sock *s, const struct net_opts *opts);

/* net_steer lets the kernel pick, of the n sockets that share an address,
 * the one whose number, in order of opening, is mask and the datagram's
 * first four bytes (big-endian) modulo n.  s: any of them.  False: this
 * kernel or user cannot, and it stays with the hash. */
VX6_MUST_CHECK VX6_NONNULL bool net_steer(const struct net_sock *s,
					  uint32_t mask, unsigned n);

/* net_close is harmless on a socket that was closed or never opened but
 * has fd -1. */
VX6_NONNULL void net_close(struct net_sock *s);

/* net_recv fills up to n entries without waiting and returns how many; 0
 * when nothing is there.  With GRO give each entry NET_BUF_MIN bytes: what
 * does not fit is counted as rx_truncated and comes as len 0. */
VX6_MUST_CHECK VX6_NONNULL unsigned net_recv(struct net_sock *s,
					     struct net_pkt pkt[], unsigned n);

/* net_send returns how many entries, from the first on, were dealt with:
 * handed to the kernel (err 0) or refused by it for good (err set: EMSGSIZE
 * over the MTU, ENETUNREACH, EPERM by a firewall, ENOBUFS ..).  Fewer than
 * n means that the socket's buffer is full: wait for POLLOUT, then call
 * with the rest.  An entry with segment has at most NET_SEG_MAX datagrams
 * and NET_LEN_MAX bytes (else err EINVAL); where the kernel will not cut it
 * (no GSO on that route) it is cut here. */
VX6_MUST_CHECK VX6_NONNULL unsigned net_send(struct net_sock *s,
					     struct net_out out[], unsigned n);

/* net_unsent is how many bytes of the socket's buffer wait to be sent, with
 * what the kernel has of its own for them; they may be twice sndbuf.  A
 * system call. */
VX6_MUST_CHECK VX6_NONNULL uint32_t net_unsent(const struct net_sock *s);

/* net_route_mtu tells the MTU that this host's routes have towards a
 * place, 0 where there is no route.  Nothing is sent.  Start-up only. */
VX6_NONNULL unsigned net_route_mtu(const struct vx6_addr *to);

#endif
