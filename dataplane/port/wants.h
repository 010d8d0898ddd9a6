/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_WANTS_H
#define VX6_DATAPLANE_PORT_WANTS_H

/* wants: which ways are wanted, and over which hops they lead.
 *
 *     want   one a link: its question, and what the answered route said
 *     hop    a neighbour that wants share, and its MAC
 *
 *     wants_set .. wants_hop --> [want]--+--> [hop]   kept while a want
 *                                [want]--+            leads over it
 *
 * Both are queued when the kernel is to be asked about them, each at most
 * once; hops first, because a way waits for them.  A change makes the wants
 * it may concern dirty, and wants_round queues all that are: so a storm of
 * changes costs a round, not a question each.
 *
 * A want leads over one hop at most, so there are never more hops than links,
 * however many neighbours the kernel has.  Nothing here talks to anybody.
 * Ownership: memory is taken at open.  Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define WANTS_NONE UINT32_MAX
#define WANTS_KEY  16u

struct want {
	struct vx6_addr peer, self; /* as asked; peer none: nothing is */
	struct vx6_addr use;        /* the source */
	uint32_t seq;               /* of the question under way; 0 = none */
	uint32_t hop;               /* WANTS_NONE: there is no way */
	uint32_t next, prev;        /* wants of the same hop */
	uint16_t mtu;               /* of the route; 0 = the interface's */
	bool dirty, queued;
};

struct want_hop {
	uint64_t renew_ns; /* stale: when to ask whether it still is */
	uint32_t seq;      /* of the question under way; 0 = none */
	uint32_t first;    /* of its wants; WANTS_NONE: it is free */
	uint32_t next;     /* in its bucket, or among the free ones */
	unsigned ifindex;
	uint16_t state; /* NUD_*; 0 = not usable */
	bool queued;
	uint8_t mac[6];
	uint8_t ip[16];
};

struct wants_queue {
	uint32_t head, cnt, size;
	uint32_t *item;
};

struct wants {
	uint32_t links, top; /* links from top on were never asked for */
	struct want *want;
	struct want_hop *hop;
	uint32_t hop_free, *bucket;
	uint8_t key[WANTS_KEY]; /* peers choose what is hashed */
	struct wants_queue queue, hops;
	bool dirty; /* some want is */
};

/* wants_open: VX6_NO_MEMORY; wants_close in any case. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status wants_open(struct wants *w,
						      uint32_t links);
VX6_NONNULL void wants_close(struct wants *w);

/* wants_set: link is wanted to peer, from self or none, instead of what it
 * was; it leads nowhere yet and is queued. */
VX6_NONNULL void wants_set(struct wants *w, uint32_t link,
			   const struct vx6_addr *peer,
			   const struct vx6_addr *self);

/* wants_hop: it leads over this neighbour.  True where the hop is new: it has
 * no state, and is queued.  wants_leave: it leads nowhere. */
VX6_MUST_CHECK VX6_NONNULL bool wants_hop(struct wants *w, uint32_t link,
					  unsigned ifindex,
					  const uint8_t ip[16]);
VX6_NONNULL void wants_leave(struct wants *w, uint32_t link);

/* wants_hop_find is the hop's index, or WANTS_NONE. */
VX6_MUST_CHECK VX6_NONNULL uint32_t wants_hop_find(const struct wants *w,
						   unsigned ifindex,
						   const uint8_t ip[16]);

/* wants_touch makes dirty what lies in dst/bits (0: all). */
VX6_NONNULL void wants_touch(struct wants *w, const uint8_t dst[16],
			     unsigned bits);
VX6_NONNULL void wants_touch_all(struct wants *w);

/* wants_round queues what is dirty; wants_ask and wants_ask_hop one. */
VX6_NONNULL void wants_round(struct wants *w);
VX6_NONNULL void wants_ask(struct wants *w, uint32_t link);
VX6_NONNULL void wants_ask_hop(struct wants *w, uint32_t hop);

/* wants_next takes the next one to ask about: a link, or with *is_hop a hop.
 * False: there is none. */
VX6_MUST_CHECK VX6_NONNULL bool wants_next(struct wants *w, uint32_t *idx,
					   bool *is_hop);

#endif
