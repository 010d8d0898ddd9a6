/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_NEIGH_H
#define VX6_DATAPLANE_PORT_NEIGH_H

/* neigh: the Ethernet side of a link: which interface its cells leave by,
 * from which addresses, and the next hop's MAC, as the kernel's own tables
 * say, kept fresh over netlink (rtnetlink(7)).
 *
 *     worker                            another thread
 *     neigh_find(link, peer, self)      neigh_step
 *        |  known, same addresses          ^  RTM_GETROUTE per address
 *        v                                 |  RTM_*NEIGH, *LINK, *ADDR,
 *     struct neigh_way <-- published ------+  *ROUTE as they change
 *        |  unknown, or other addresses
 *        +-- asked for, once -------------->
 *
 * A way is found only for what goes straight out of an interface that the
 * port has attached, to a neighbour whose MAC is known.  Everything else
 * (no route, not yet resolved, loopback, a tunnel, an interface without
 * XDP, a multipath or encapsulating route) has no way: the port gives such
 * frames to its kernel socket, and the kernel resolves what is to be
 * resolved, which comes back here as an event.  What filters, translates or
 * encrypts on the host's way out (nftables, IPsec) is passed by.
 *
 * AF_XDP traffic keeps no neighbour entry alive.  So when the kernel calls
 * one stale, the way says `renew`, and the worker gives the next frame of
 * that link to the socket: the kernel confirms its entry with it as with any
 * other traffic (RFC 4861 section 7.3).  No privilege is needed for any of
 * this, and no packet is sent for it.
 *
 * Ownership: neigh_open's memory is fixed, about 250 bytes a link.  Threads:
 * neigh_find is one worker's; all else belongs to one other thread.
 * Cost: neigh_find reads one cache line or two.  A new question may ring a
 * bell for the other thread (one system call); asking the same again does
 * nothing, because what was asked for once is kept up to date. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define NEIGH_IFS 8u
#define NEIGH_FDS 2u /* netlink, and the worker's questions */

struct neigh;

struct neigh_way {                  /* a copy, consistent in itself */
	struct vx6_addr peer, self; /* self: the source that is used; its
				       port is the caller's, or 0 */
	uint8_t src_mac[6], dst_mac[6];
	uint8_t slot; /* of the interface, as given to neigh_if_add */
	bool renew;   /* give this one frame to the socket */
	uint16_t mtu; /* of the IP packet */
};

/* neigh_open: VX6_CONFIG (links 0 or over 2^16), VX6_NO_MEMORY, VX6_SYS with
 * errno.  The lists are filled when it returns.  NULL is harmless to close. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status neigh_open(struct neigh **out,
						      uint32_t links);
void neigh_close(struct neigh *n);

/* neigh_if_add says that slot (0..NEIGH_IFS-1) sends out of ifindex; ways
 * over it are published from the next step on.  neigh_if_remove withdraws
 * them before it returns (a worker may still hold a copy that it made just
 * before). */
VX6_NONNULL void neigh_if_add(struct neigh *n, unsigned slot, unsigned ifindex);
VX6_NONNULL void neigh_if_remove(struct neigh *n, unsigned slot);

/* neigh_fds: what to poll for POLLIN; neigh_step: takes what has come and
 * asks what the worker wants to know; neigh_due_ns: the latest time for the
 * next step.  A question of the worker makes the descriptor readable. */
VX6_NONNULL unsigned neigh_fds(const struct neigh *n, int fd[NEIGH_FDS]);
VX6_NONNULL void neigh_step(struct neigh *n, uint64_t now_ns);
VX6_NONNULL uint64_t neigh_due_ns(const struct neigh *n);

/* neigh_events: bits of what changed since it was last asked. */
enum neigh_event {
	NEIGH_EV_LINKS = 1, /* an interface came, went, rose, fell, or has
			       another MTU, MAC, name or default route */
	NEIGH_EV_ADDRS = 2  /* this host's addresses are others */
};
VX6_MUST_CHECK VX6_NONNULL unsigned neigh_events(struct neigh *n);

/* neigh_addrs lists this host's unicast addresses, loopback left out, port 0;
 * returns how many there are, of which at most max are written. */
VX6_NONNULL unsigned neigh_addrs(const struct neigh *n, struct vx6_addr a[],
				 unsigned max);

struct neigh_if { /* one of this host's interfaces */
	unsigned ifindex;
	char name[16];
	uint8_t mac[6];
	bool up;       /* administratively, with carrier */
	bool ethernet; /* ARPHRD_ETHER, no loopback */
	bool gateway;  /* a default route goes out of it */
	uint32_t mtu;
	uint32_t queues; /* in use, the larger of RX and TX; 1 at least */
};

/* neigh_if_list: likewise, the interfaces. */
VX6_NONNULL unsigned neigh_if_list(const struct neigh *n, struct neigh_if i[],
				   unsigned max);

struct neigh_count {       /* since it was opened */
	uint64_t asked;    /* questions to the kernel */
	uint64_t lost;     /* that had no answer in time */
	uint64_t overruns; /* changes were lost: all was asked again */
	uint64_t again;    /* dumps that were interrupted */
	uint64_t no_room;  /* interfaces or addresses left out */
};
VX6_MUST_CHECK VX6_NONNULL struct neigh_count
neigh_count(const struct neigh *n);

/* ---- the worker's side ---- */

/* neigh_find copies the way of link's cells to peer, from self where that is
 * not none.  False: there is none now; it is asked for, and kept up to date
 * from then on, until the same link is asked for with other addresses.  Those
 * take over when a few calls in a row name them: a link's odd datagram to
 * elsewhere (a challenge) goes by the socket and disturbs nothing. */
VX6_MUST_CHECK VX6_NONNULL bool neigh_find(struct neigh *n, uint32_t link,
					   const struct vx6_addr *peer,
					   const struct vx6_addr *self,
					   struct neigh_way *way);

#endif
