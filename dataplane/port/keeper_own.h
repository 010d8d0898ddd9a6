/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_KEEPER_OWN_H
#define VX6_DATAPLANE_PORT_KEEPER_OWN_H

/* keeper_own: the messages between the data plane and its keeper, in host
 * order, over SOCK_SEQPACKET.
 *
 *     kind     uses                       with it   answered with
 *     LOCALS   cnt, ip[0..cnt)
 *     ATTACH   slot, ifindex                        dispatcher, or why
 *     DETACH   slot
 *     SOCK     area                                 a socket
 *     BIND     ifindex, queue, zerocopy
 *     ENTER    slot, queue                a socket
 *     LEAVE    slot, queue
 *     COUNTS                                        counts
 *     END                                           nothing: it ends
 *
 * BIND is for the socket that was made last.  What a kind does not use is
 * zero.  The answer to a refusal has a status and errno; refused counts those
 * that the law made.
 *
 *     keeper.c       the process
 *     keeper_ask.c   the other side */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "xdp/xdp.h"

enum keeper_kind {
	KEEPER_LOCALS = 1,
	KEEPER_ATTACH,
	KEEPER_DETACH,
	KEEPER_SOCK,
	KEEPER_BIND,
	KEEPER_ENTER,
	KEEPER_LEAVE,
	KEEPER_COUNTS,
	KEEPER_END
};

struct keeper_ask {
	uint32_t kind; /* enum keeper_kind */
	uint32_t slot; /* of an interface */
	uint32_t ifindex;
	uint32_t queue;
	uint32_t area; /* of frames */
	uint32_t zerocopy;
	uint32_t cnt;
	uint32_t zero;
	uint8_t ip[VX6_XDP_LOCALS][16];
};

struct keeper_answer {
	uint32_t status; /* enum vx6_status */
	int32_t err;     /* errno */
	uint32_t dispatcher;
	uint32_t zero;
	uint64_t count[VX6_XDP_REASON_CNT];
	uint64_t refused;
	char why[XDP_WHY];
};

/* keeper_send and keeper_recv are one message of len bytes, with a
 * descriptor, -1: none.  Received: *fd is the caller's.  keeper_recv: 1 for
 * one that came whole, 0 for one that did not (another length, more than one
 * descriptor), -1 where no more will come. */
VX6_MUST_CHECK VX6_NONNULL bool keeper_send(int sock, const void *m, size_t len,
					    int fd);
VX6_MUST_CHECK VX6_NONNULL int keeper_recv(int sock, void *m, size_t len,
					   int *fd);

#endif
