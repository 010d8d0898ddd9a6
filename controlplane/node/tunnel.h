/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_TUNNEL_H
#define VX6_CONTROLPLANE_NODE_TUNNEL_H

/* tunnel: the QUIC connection between a client and an owner, and, at the
 * client, the circuits under it.
 *
 *     direct   plain UDP, control port to control port
 *     relay    legs: one circuit in use and spares, all ending at the
 *              owner; core/survive says when to move
 *
 *            leg 0 opens: dial          handshake confirmed
 *     OPENING -----------------> OPENING -------------------> OPEN
 *                                                            |   ^
 *                               every leg is gone            v   | a new leg
 *                                                           DOWN-+
 *
 * A leg that dies is replaced; streams wait and lose nothing.  At the owner
 * a tunnel is a connection that came over some circuit and may come over
 * another the next moment; there is nothing to decide.
 *
 * Ownership: the node's list.  A client's tunnel belongs to who opened it,
 * until `ended` or tunnel_close. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "controlplane/core/survive.h"
#include "controlplane/node/circuit.h"
#include "controlplane/service/mux.h"

#define TUNNEL_HOPS_MAX 7u /* relays; the end is the eighth hop */

struct tunnel_plan { /* how a client wants to go */
	uint8_t owner[32];
	char service[80]; /* as it was asked for */
	bool direct;
	bool identify;               /* show our node identity */
	unsigned hops;               /* relays to draw */
	unsigned via_cnt, spare_cnt; /* 0: draw */
	uint8_t via[TUNNEL_HOPS_MAX][32];
	uint8_t spare_via[TUNNEL_HOPS_MAX][32];
	bool no_spare;
	uint16_t cell_size; /* of its circuits: 0, 1232 or 1452 */
};

/* Why a client's tunnel could not be had. */
enum tunnel_fail {
	TUNNEL_FAIL_UNREACHABLE,
	TUNNEL_FAIL_IDENTITY,
	TUNNEL_FAIL_LOCAL
};

struct tunnel_events { /* client's side */
	/* hop: of = relays of the path; i counts from 0, of means the end. */
	void (*hop)(void *ctx, struct tunnel *t, struct circuit *c, unsigned i,
		    uint64_t rtt_ns, bool spare);
	/* settled: no circuit is being built or measured any more. */
	void (*settled)(void *ctx, struct tunnel *t);
	void (*ready)(void *ctx, struct tunnel *t);
	void (*moved)(void *ctx, struct tunnel *t, uint64_t gap_ns,
		      const char *reason);
	void (*down)(void *ctx, struct tunnel *t, const char *reason);
	/* ended: t is freed when this returns. */
	void (*ended)(void *ctx, struct tunnel *t, enum tunnel_fail how,
		      const char *text);
};

/* tunnel_open begins one.  VX6_NO_ROOM, VX6_NOT_FOUND (no record of the
 * owner, or of a relay that via names; why says it). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
tunnel_open(struct node *n, const struct tunnel_plan *plan,
	    const struct tunnel_events *ev, void *ctx, struct tunnel **t,
	    char why[256]);
VX6_NONNULL void tunnel_close(struct tunnel *t);

VX6_NONNULL struct mux *tunnel_mux(const struct tunnel *t);
VX6_NONNULL uint32_t tunnel_number(const struct tunnel *t);
VX6_NONNULL bool tunnel_uses(const struct tunnel *t, const struct chan *ch);
/* tunnel_settling: a circuit is being built or measured. */
VX6_NONNULL bool tunnel_settling(const struct tunnel *t);
/* tunnel_build_ns: CREATE to CREATED of the circuit in use, 0 if direct. */
VX6_NONNULL uint64_t tunnel_build_ns(const struct tunnel *t);
/* tunnel_json_path is the path in use, tunnel_json_spares those of the
 * spares that stand: arrays of names. */
VX6_NONNULL json_t *tunnel_json_path(const struct tunnel *t);
VX6_NONNULL json_t *tunnel_json_spares(const struct tunnel *t);
VX6_NONNULL void tunnel_list(struct node *n, json_t *to);

/* tunnel_path is QUIC's idea of ch's path; t may be NULL (owner's side). */
VX6_NONNULL_ARGS(2, 3)
void tunnel_path(const struct tunnel *t, const struct chan *ch,
		 struct quic_path *path);
/* tunnel_chan: which channel carries what t sends on a pseudo-path. */
struct chan *tunnel_chan(struct node *n, struct tunnel *t,
			 const struct vx6_addr *remote);

/* From channels. */
VX6_NONNULL void tunnel_received(struct tunnel *t, struct chan *ch);
VX6_NONNULL void tunnel_pong(struct tunnel *t, struct chan *ch, uint32_t token);
VX6_NONNULL void tunnel_d_known(struct node *n, struct chan *ch);

/* From quic's events, tunnels only. */
VX6_NONNULL void tunnel_ready(struct node *n, struct quic_conn *c);
VX6_NONNULL void tunnel_moved(struct tunnel *t, const struct quic_path *path);
VX6_NONNULL void tunnel_closed(struct tunnel *t, const struct quic_close *why);

/* tunnels_sweep ends owners' tunnels that nobody comes back to. */
VX6_NONNULL void tunnels_sweep(struct node *n);

/* tunnels_rehome moves direct tunnels that we opened from an address which
 * this host has no more. */
VX6_NONNULL void tunnels_rehome(struct node *n);

/* tunnels_prepare tells survival what QUIC knows, once a turn. */
VX6_NONNULL void tunnels_prepare(struct node *n);

#endif
