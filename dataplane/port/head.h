/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_HEAD_H
#define VX6_DATAPLANE_PORT_HEAD_H

/* head: the headers of a link's frames, made again when its way is another.
 *
 * Ownership: the caller's memory, zeroed at first.  Threads: one worker. */

#include <stdint.h>
#include <string.h>

#include "dataplane/base/compiler.h"
#include "dataplane/port/neigh.h"
#include "dataplane/port/packet.h"

struct head { /* of one link */
	struct neigh_way way;
	struct packet_head head;
};

/* head_fit makes h fit way, with frames from our UDP port; returns h. */
VX6_NONNULL static inline const struct head *
head_fit(struct head *h, const struct neigh_way *way, uint16_t port)
{
	if (vx6_unlikely(memcmp(&h->way, way, sizeof(*way)) != 0)) {
		struct vx6_addr self = way->self;

		h->way = *way;
		self.port = port;
		packet_head_make(&h->head, way->dst_mac, way->src_mac, &self,
				 &way->peer);
	}
	return h;
}

#endif
