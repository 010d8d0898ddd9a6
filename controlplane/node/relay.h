/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_RELAY_H
#define VX6_CONTROLPLANE_NODE_RELAY_H

/* relay: other nodes' circuits, here as a relay or at their end.
 *
 * Carries out what core/hop decides: opens slots on the thread pool, finds
 * the next hop, adds half-circuits to the plane, answers.  At an end the
 * circuit's layers stay here and a channel (chan.h) is inside.
 *
 * Ownership: the node's list. */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "controlplane/core/adopt.h"
#include "controlplane/node/chan.h"
#include "controlplane/node/peer.h"

/* A half-circuit lives this much longer than its circuit: the plane's expiry
 * is the back-up. */
#define RELAY_SLACK_NS (30 * VX6_SEC)

/* Messages from a peer; bodies as the reader delivered them. */
VX6_NONNULL void relay_on_create(struct peer *p, const uint8_t *body,
				 size_t len);
VX6_NONNULL void relay_on_created(struct peer *p, const uint8_t *body,
				  size_t len);
VX6_NONNULL void relay_on_fail(struct peer *p, const uint8_t *body, size_t len);
VX6_NONNULL void relay_on_destroy(struct peer *p, const uint8_t *body,
				  size_t len);

/* relay_adopt takes up a circuit that an earlier vx6d opened, from its two
 * half-circuits; their links have been taken up.  False: no memory. */
VX6_MUST_CHECK VX6_NONNULL bool relay_adopt(struct node *n,
					    const struct adopt_half *f,
					    const struct adopt_half *b);

/* What compare.c asks.  relay_pairs writes those of p's circuits that have
 * both ids and returns how many, at most cap.  relay_told: p says that it
 * has the one which is `ours` here and `theirs` there, in list `stamp`.
 * relay_lacked ends those open before `since_ns` which that list lacked. */
VX6_NONNULL uint32_t relay_pairs(const struct peer *p, struct vx6_msg_pair *to,
				 uint32_t cap);
VX6_NONNULL void relay_told(struct peer *p, uint32_t ours, uint32_t theirs,
			    uint32_t stamp);
VX6_NONNULL unsigned relay_lacked(struct peer *p, uint64_t since_ns,
				  uint32_t stamp);

/* relay_peer_lost: p's link is gone, and every circuit on it. */
VX6_NONNULL void relay_peer_lost(struct node *n, struct peer *p);

/* relay_peer_silent: p's session does not answer; circuits that wait for a
 * CREATED from there wait no more. */
VX6_NONNULL void relay_peer_silent(struct node *n, struct peer *p);

/* From the plane: a cell of a circuit that ends here; a control cell. */
VX6_NONNULL void relay_cell(struct node *n, void *owner, uint8_t *p,
			    size_t size);
VX6_NONNULL void relay_control(struct node *n, void *owner, const uint8_t *body,
			       size_t len);

VX6_NONNULL void relay_half(struct node *n, void *owner,
			    enum abi_half_event event);

/* relay_end_relayed ends the circuits that go through this node, both
 * neighbours told; those that end here stay. */
VX6_NONNULL void relay_end_relayed(struct node *n);

/* relay_sweep ends circuits in which nothing was said for long. */
VX6_NONNULL void relay_sweep(struct node *n);

/* relay_list appends what circuit.list says of them. */
VX6_NONNULL void relay_list(struct node *n, json_t *to);

VX6_NONNULL void relay_close_all(struct node *n);

#endif
