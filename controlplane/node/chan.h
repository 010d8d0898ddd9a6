/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_CHAN_H
#define VX6_CONTROLPLANE_NODE_CHAN_H

/* chan: our end of the datagram pipe inside one circuit (PROTOCOL.md 10).
 *
 *     quic --datagram--> chan_send --1 or 2 plaintexts--> ops.seal
 *     quic <--quic_read-- chan_input <--plaintext-- the circuit's layer
 *
 * To QUIC a channel is a path whose two addresses stand for the circuit:
 * fd76:7836:0:1::/64 here and fd76:7836:0:2::/64 there, the low 64 bits
 * being a number that is never used again.  A datagram that really came
 * from that prefix is dropped at the socket.
 *
 * Ownership: embedded in the circuit that it is the inside of. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/node/node.h"
#include "dataplane/wire/channel.h"
#include "dataplane/wire/leg.h"

struct chan;

struct chan_ops {
	/* seal sends len bytes of plaintext at buf + VX6_LEG_FRONT (behind
	 * which VX6_LEG_BACK bytes are free) as one cell. */
	enum vx6_status (*seal)(void *owner, enum vx6_kind kind, uint8_t *buf,
				size_t len);
};

struct chan {
	struct node *node;
	const struct chan_ops *ops;
	void *owner;
	uint32_t id;     /* in node->chans; 0 = not open */
	uint32_t serial; /* upper half of the number */
	uint16_t d;
	struct vx6_joiner *joiner;
	struct tunnel *tunnel; /* client's side: who uses it as a leg */
	const uint8_t *far;    /* owner's side: node ID of the last relay */
	uint8_t leg;
	uint64_t rx_ns; /* last plaintext that was well-formed */
	uint64_t cells_in, cells_out;
};

/* chan_open: VX6_NO_ROOM at the limit. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status chan_open(struct chan *ch,
						     struct node *n,
						     const struct chan_ops *ops,
						     void *owner, uint16_t d);
VX6_NONNULL void chan_close(struct chan *ch);

/* chan_renew gives it a new number: a leg that is used again must look like
 * a new path. */
VX6_NONNULL void chan_renew(struct chan *ch);

VX6_NONNULL void chan_path(const struct chan *ch, struct quic_path *path);

/* chan_is_pseudo: does addr belong to the prefix?  chan_of: whose is it, or
 * NULL when the circuit is gone. */
VX6_NONNULL bool chan_is_pseudo(const struct vx6_addr *addr);
VX6_NONNULL struct chan *chan_of(struct node *n, const struct vx6_addr *addr);

/* chan_send sends one QUIC datagram, in two halves where it must. */
VX6_NONNULL enum vx6_status chan_send(struct chan *ch, const uint8_t *data,
				      size_t len);
VX6_NONNULL enum vx6_status chan_ping(struct chan *ch, uint32_t token);
/* chan_tell_d says our D: the first cell of a client. */
VX6_NONNULL enum vx6_status chan_tell_d(struct chan *ch);

/* chan_input takes the plaintext of a kind-1 layer; ctr is that layer's. */
VX6_NONNULL enum vx6_status chan_input(struct chan *ch, uint8_t *plain,
				       size_t len, uint64_t ctr);

#endif
