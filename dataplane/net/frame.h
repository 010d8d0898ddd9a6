/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_NET_FRAME_H
#define VX6_DATAPLANE_NET_FRAME_H

/* frame: one datagram in a buffer that is handed on, never copied.
 *
 *     |<------------------- NET_FRAME_LEN ------------------->|
 *     |      front       | UDP payload, len |       back      |
 *     buf                data
 *
 * A port lends frames to the worker, the relay rewrites them in place (data
 * and len move within the buffer), the port sends the very same bytes.
 * The description lies apart from the bytes, one cache line each, so that
 * the bytes may live in memory that is shared with the kernel.
 *
 * Ownership: a frame has one owner at any moment: the port's pool, the
 * worker's burst, or the port's send queue.  Threads: its owner's. */

#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"

#define NET_FRAME_LEN   2048u
#define NET_FRAME_FRONT 256u  /* before a received payload, or more */
#define NET_FRAME_CAP   1600u /* payload that fits behind the front */
#define NET_BURST       64u   /* frames handled together at most */

struct VX6_ALIGNED(VX6_CACHELINE) net_frame {
	uint8_t *data;  /* first byte of the UDP payload */
	uint32_t index; /* of its buffer; the port's, never changes */
	uint16_t len;   /* of the UDP payload */
	uint16_t sum;   /* to send: of the payload (RFC 1071), words as they
			   lie in memory; 0: not known.  Who changes a byte
			   of the payload makes it 0 */
	struct vx6_addr peer; /* received: source; to send: destination */
	struct vx6_addr self; /* received: our address it came to; to send:
				 ours to send from, or none */
	uint32_t link;        /* to send: our index of the link, 0 = none;
				 all frames of one link and one burst have
				 the same peer and self */
	uint32_t half;        /* to send: id of the half-circuit of others that
				 it belongs to, 0 = of our own */
};

_Static_assert(sizeof(struct net_frame) == VX6_CACHELINE, "one line");

#endif
