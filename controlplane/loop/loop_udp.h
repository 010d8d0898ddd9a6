/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_LOOP_UDP_H
#define VX6_CONTROLPLANE_LOOP_LOOP_UDP_H

/* loop_udp: a UDP port on the loop.
 *
 * Batches of dataplane/net are taken apart here, so the owner sees one
 * datagram a call.  A turn takes a bounded number of them, so that one
 * busy port does not starve timers.
 *
 * Ownership: the loop's memory, until loop_udp_close, which may be called
 * from inside recv and writable.  Cost: 1 MiB of receive room a port. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/net/net.h"

struct loop_udp;

struct loop_udp_hooks {
	/* recv: one datagram; data may be changed and is good for the call.
	 * `to` is the local address that it was sent to. */
	void (*recv)(void *ctx, const struct vx6_addr *from,
		     const struct vx6_addr *to, uint8_t *data, size_t len,
		     unsigned ecn);
	/* writable: after a send that was not taken.  May be NULL. */
	void (*writable)(void *ctx);
	void *ctx;
};

/* loop_udp_open opens and watches a port.  VX6_SYS with errno as net_open,
 * VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
loop_udp_open(struct loop *l, const struct net_opts *opts,
	      const struct loop_udp_hooks *hooks, struct loop_udp **out);

/* loop_udp_close: NULL is allowed. */
void loop_udp_close(struct loop_udp *u);

/* loop_udp_send sends one datagram, or with segment > 0 several of that
 * size in one call (the last may be shorter; at most NET_SEG_MAX).  from
 * may be "none".  False: the socket is full, nothing was sent, `writable`
 * follows.  What the network refuses for good counts as sent. */
VX6_MUST_CHECK VX6_NONNULL bool loop_udp_send(struct loop_udp *u,
					      const struct vx6_addr *from,
					      const struct vx6_addr *to,
					      const uint8_t *data, size_t len,
					      size_t segment, unsigned ecn);

/* loop_udp_sendv is net_send: entries for several destinations in one
 * system call.  Fewer than n: `writable` follows. */
VX6_MUST_CHECK VX6_NONNULL unsigned
loop_udp_sendv(struct loop_udp *u, struct net_out out[], unsigned n);

/* loop_udp_sock shows the socket: its address `at` and its counters. */
VX6_NONNULL const struct net_sock *loop_udp_sock(const struct loop_udp *u);

#endif
