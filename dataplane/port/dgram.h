/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_DGRAM_H
#define VX6_DATAPLANE_PORT_DGRAM_H

/* dgram: a UDP socket that fills and empties the frames of a port.
 *
 * Receive.  Each message has a frame and, behind it, 64 KiB of spill:
 *
 *     one datagram      frame [ payload ]                 no copy
 *     a run (GRO)       frame [ 1st | 2nd.. ] spill [ ..2nd | 3rd | .. ]
 *
 * The first of a run stays where it is; what lies behind it in the frame
 * is moved in front of the spill, so that the rest is one piece, and each
 * of the rest is copied into a frame when a burst asks for it.  What a call
 * brings should still be in a near cache by then, so where messages are long
 * only a few are received at once.
 *
 * Send.  Frames that go to one place in equal sizes become one message with
 * one iovec each, cut by the kernel (GSO): no copy.  A message costs what a
 * few cells do, so a port may ask for short ones to be held while more cells
 * have been received or, as it seems, can be at once:
 *
 *     rx .. tx           rx .. tx           rx .. tx
 *           |                  |                  |  nothing waits, or
 *           +-- few to place --+-- few to place --+  DGRAM_HELD are held:
 *           |   held           |   held           |  all out
 *           +-- many: out      +-- many: out
 *
 * So nothing is held while anybody waits for something to come, and never for
 * longer than it takes to receive DGRAM_HELD cells, whatever becomes of them.
 * Those of which there are many do not wait for more (but what is left over of
 * a burst when 64 KiB are full does), because what stays in
 * the nearest cache until it is sent is worth as much.
 *
 * Room.  What is sent is added up, and when that could be half of the
 * socket's buffer the kernel is asked what of it is still there.  Above half
 * the port has room for as many frames as surely fit (DGRAM_CHARGE each), so
 * that whoever shares it out can do so before any is lost; a socket that took
 * no more all the same has none until frames are received again.
 *
 * It counts in the port whose frames it moves, and only what it moves.
 *
 * Ownership: the caller's struct; it holds a few of the port's frames.
 * Threads: the port's worker.  For back ends only. */

#include "dataplane/port/port.h"

#define DGRAM_MSGS     16u  /* of one receive call, a frame posted for each; */
#define DGRAM_MSGS_MIN 2u   /* fewer where they are long */
#define DGRAM_CELLS    128u /* to be received by one call */
#define DGRAM_WORTH    16u  /* frames: a message that is worth its cost */
#define DGRAM_HELD     256u /* frames that are sent together at most */
#define DGRAM_BURSTS   (DGRAM_HELD / NET_BURST)

/* Of a socket's buffer, at most: what a message takes beside its bytes, and
 * what a frame does that is a message of its own. */
#define DGRAM_MESSAGE 3072u
#define DGRAM_CHARGE  (NET_FRAME_CAP + DGRAM_MESSAGE)

struct dgram_run { /* the rest of a message, not yet in frames */
	const uint8_t *at;
	size_t left;
	const struct net_pkt *pkt;
};

struct dgram {
	struct port *port;
	struct net_sock sock;
	struct net_frame *posted[DGRAM_MSGS];
	struct iovec iov[DGRAM_MSGS][2];
	struct net_pkt pkt[DGRAM_MSGS];
	uint8_t *spill;
	unsigned msgs;      /* to be asked for */
	bool more;          /* may be in the socket: all asked for came */
	unsigned got, next; /* messages of the last call, the next to split */
	struct dgram_run run;
	bool holds; /* its owner calls rx after each tx, at once; port->pending
		       says that frames are held */
	unsigned held_cnt, held_for; /* frames; calls of rx */
	struct net_frame *held[DGRAM_HELD];
	uint64_t unsent; /* bytes of the socket's buffer, at most */
	/* as they are sent */
	struct net_out out[DGRAM_HELD];
	struct iovec gather[DGRAM_HELD];
};

/* dgram_open opens the socket and sets port->at; the port has its pool.
 * VX6_NO_MEMORY, VX6_SYS as net_open; dgram_close is harmless afterwards,
 * and on what holds no socket but sock.fd -1.  Set holds afterwards. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dgram_open(struct dgram *d, struct port *port, const struct port_opts *opts);
VX6_NONNULL void dgram_close(struct dgram *d);

/* dgram_rx and dgram_tx are port_rx and port_tx of this socket. */
VX6_NONNULL unsigned dgram_rx(struct dgram *d, struct net_frame *f[],
			      unsigned n);
VX6_NONNULL void dgram_tx(struct dgram *d, struct net_frame *f[], unsigned n);

#endif
