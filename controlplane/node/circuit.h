/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_CIRCUIT_H
#define VX6_CONTROLPLANE_NODE_CIRCUIT_H

/* circuit: one that this node chose, from CREATE to DESTROY.
 *
 * Carries out what core/origin decides.  The owner hears `opened` once and
 * `ended` once (the circuit is then freed), and `hop` for each PONG of the
 * PINGs that measure a fresh circuit.
 *
 * Ownership: circuit_build gives it to the caller, who lets go of it by
 * circuit_destroy or in `ended`. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "controlplane/core/origin.h"
#include "controlplane/node/chan.h"
#include "controlplane/node/peer.h"
#include "dataplane/wire/create.h"

struct circuit_events {
	void (*opened)(void *ctx, struct circuit *c);
	/* hop: round trip to hop i (0 first) through the circuit; in order. */
	void (*hop)(void *ctx, struct circuit *c, unsigned i, uint64_t rtt_ns);
	/* ended: why is a sentence.  c is freed when this returns. */
	void (*ended)(void *ctx, struct circuit *c, enum origin_why why,
		      const char *text);
};

struct circuit {
	struct node_grave grave;
	struct circuit *next;
	struct node *node;
	uint32_t n; /* for people */
	struct origin origin;
	struct circuit_events ev;
	void *ctx;
	unsigned hops; /* end included */
	uint8_t id[VX6_HOPS_MAX][32];
	struct peer *first; /* held from SEEK's answer on */
	struct peer_wait wait;
	struct loop_timer timer;
	uint32_t back_id, forward_id; /* ours; the first hop's */
	uint64_t back_start;
	struct vx6_create_origin *secret; /* until CREATED */
	struct vx6_leg *leg;
	struct vx6_hop_status status[VX6_HOPS_MAX];
	struct chan chan;
	uint16_t u; /* the least of its links */
	uint16_t cell_size;
	bool narrow; /* too: the link to id[narrow_at] has only u */
	unsigned narrow_at;
	uint64_t created_ns, opened_ns; /* CREATE sent, CREATED opened */
	uint64_t ping_ns;
	uint8_t ping_body[8];
	uint64_t rtt_ns[VX6_HOPS_MAX]; /* 0: no PONG yet */
	unsigned rtt_told;
	uint32_t told;    /* the last list of the first hop's that had it */
	uint32_t pending; /* adds in the plane */
	bool gone;        /* let go: first is not held any more */
	bool released;
	bool zombie; /* freed when pending is 0 */
	uint64_t cells_out, cells_in;
};

/* circuit_build starts one over id[0..hops), the last being the end, whose
 * cells all have cell_size, or, with 0, as many bytes as they need.
 * VX6_NO_ROOM; VX6_NOT_FOUND (no usable record of some hop: *which). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
circuit_build(struct node *n, const uint8_t id[][32], unsigned hops,
	      uint16_t cell_size, const struct circuit_events *ev, void *ctx,
	      unsigned *which, struct circuit **out);

/* circuit_destroy closes it without `ended`. */
VX6_NONNULL void circuit_destroy(struct circuit *c);

/* circuit_release closes it without `ended`, a moment later: what was sent
 * through it just now would else race with its DESTROY, which goes another
 * way. */
VX6_NONNULL void circuit_release(struct circuit *c);

/* circuit_measure sends a PING to every hop; `hop` tells the answers. */
VX6_NONNULL void circuit_measure(struct circuit *c);

/* circuit_worn: three quarters of its life or of its counters are used: its
 * owner should have moved to another soon. */
VX6_NONNULL bool circuit_worn(const struct circuit *c);

/* Messages: true when the id was one of ours. */
VX6_MUST_CHECK VX6_NONNULL bool
circuit_on_created(struct peer *p, const uint8_t *body, size_t len);
VX6_MUST_CHECK VX6_NONNULL bool
circuit_on_fail(struct peer *p, const uint8_t *body, size_t len);
VX6_MUST_CHECK VX6_NONNULL bool
circuit_on_destroy(struct peer *p, const uint8_t *body, size_t len);

/* As relay_pairs, relay_told and relay_lacked, of circuits that we chose. */
VX6_NONNULL uint32_t circuit_pairs(const struct peer *p,
				   struct vx6_msg_pair *to, uint32_t cap);
VX6_NONNULL void circuit_told(struct peer *p, uint32_t ours, uint32_t theirs,
			      uint32_t stamp);
VX6_NONNULL unsigned circuit_lacked(struct peer *p, uint64_t since_ns,
				    uint32_t stamp);

VX6_NONNULL void circuit_peer_lost(struct node *n, struct peer *p);
/* circuit_peer_silent: p's session does not answer; circuits that wait for
 * its CREATED fail. */
VX6_NONNULL void circuit_peer_silent(struct node *n, struct peer *p);
VX6_NONNULL void circuit_cell(struct node *n, void *owner, uint8_t *p,
			      size_t size);
VX6_NONNULL void circuit_half(struct node *n, void *owner,
			      enum abi_half_event event);
VX6_NONNULL void circuit_list(struct node *n, json_t *to);

#endif
