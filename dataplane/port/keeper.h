/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_KEEPER_H
#define VX6_DATAPLANE_PORT_KEEPER_H

/* keeper: a process that keeps the privileges of the af_xdp port, so that the
 * one with the cells needs none.
 *
 *     data plane: no capability, no file         keeper: those of its sandbox
 *
 *        rights_attach ..  --- struct ask ----->  judged whole, by its law
 *                          --- a socket ------->     |
 *                                                    v
 *                          <-- struct answer ---  the rights_* of its own
 *                          <-- a socket --------
 *        rings, frames     ======================  the frames are shared, and
 *                                                  never looked at here
 *
 * Interfaces come and go while the data plane works, and taking one again
 * takes capabilities for good.  So a process is forked before they are given
 * up, while there is one thread, no interface is attached yet, and nobody
 * outside was heard.  It does for the other what af_xdp_rights.h lists, if
 * the law allows it: on the interfaces that the configuration names, or where
 * it names none on those that are chosen when it is asked (chosen.h), with the
 * frames that were there before the fork, for sockets that it made itself,
 * for addresses of this host.  Whatever else is asked for is refused and
 * counted.  What asks may be anybody's code by then, so a message is one
 * fixed size, what its kind does not use is zero, and no pointer, no name and
 * no length crosses.
 *
 * Neither outlives the other: when the data plane's end of the socket is
 * closed, however it died, the keeper takes the classifier off and ends; when
 * the keeper is gone the data plane is told (keeper_is_gone), and is of no
 * use without it.
 *
 * Ownership: the socket is the caller's.  Threads: one.  Cost: some 20 us a
 * question; none on the way of cells. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/af_xdp_rights.h"

#define KEEPER_WAIT_MS 30000 /* for an answer */

/* keeper_start forks.  The child, a process of box, serves with r and never
 * returns; the parent gets the socket.  VX6_SYS with a sentence: it could not
 * be made, or not be confined. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
keeper_start(int *sock, struct rights *r, const struct rights_law *law,
	     const struct sandbox *box, char why[XDP_WHY]);

/* keeper_end lets it take off what is attached, and waits until it is gone. */
void keeper_end(int sock);

/* keeper_is_gone says whether nobody is there to be asked any more. */
VX6_MUST_CHECK bool keeper_is_gone(int sock);

/* The rights of the same names, asked of it.  Its absence is an error like
 * any other: EPIPE, VX6_CLOSED. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
keeper_locals(int sock, const struct vx6_addr a[], unsigned n);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
keeper_attach(int sock, unsigned slot, unsigned ifindex, struct rights_if *is,
	      char why[XDP_WHY]);
void keeper_detach(int sock, unsigned slot);
VX6_MUST_CHECK int keeper_sock(int sock, unsigned area);
VX6_MUST_CHECK VX6_NONNULL bool keeper_bind(int sock,
					    const struct rights_queue *q);
VX6_MUST_CHECK bool keeper_enter(int sock, unsigned slot, uint32_t queue,
				 int fd);
void keeper_leave(int sock, unsigned slot, uint32_t queue);

/* keeper_counts tells the classifier's counts, and how often was asked for
 * what the law does not allow; zero where it does not answer. */
VX6_NONNULL void keeper_counts(int sock, uint64_t out[VX6_XDP_REASON_CNT],
			       uint64_t *refused);

#endif
