/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_TUNNEL_STATE_H
#define VX6_CONTROLPLANE_NODE_TUNNEL_STATE_H

/* tunnel_state: what tunnel.c (the connection) and legs.c (the circuits
 * under it) share; nobody else includes it. */

#include "controlplane/node/tunnel.h"

#define LEGS_DEAD_MAX 8u /* relays of dead legs that draws avoid */

struct tunnel_leg {
	struct tunnel *t;
	struct circuit *c; /* NULL = free */
	bool open;
	bool named;    /* on the path that --via names */
	bool was_used; /* as QUIC's path: needs a new number */
};

struct tunnel {
	struct node_grave grave;
	struct tunnel *next;
	struct node *node;
	uint32_t n;
	bool client, ready, dead;
	bool down; /* every leg is gone */
	struct tunnel_plan plan;
	struct tunnel_events ev;
	void *ctx;
	struct quic_identity identity; /* fresh for this tunnel.  Secret. */
	struct quic_conn *conn;
	struct mux *mux;
	uint64_t start_ns;
	uint64_t orphan_ns; /* owner: since when no circuit carries it */

	struct tunnel_leg leg[SURVIVE_LEGS];
	uint8_t use;
	struct survive survive;
	bool surviving; /* survive is initialised */
	struct loop_timer timer, rebuild, worn;
	uint64_t backoff_ns;
	uint8_t dead_relay[LEGS_DEAD_MAX][32];
	unsigned dead_at;
	char last_error[256];

	/* QUIC had no connection id left: its path is mapped onto a leg. */
	bool rescued;
	struct quic_path rescued_path;

	uint64_t last_rx_ns, gap_from_ns, gap_ns;
	bool gap_open; /* moved, and nothing has arrived since */
	char gap_reason[128];
	uint64_t moves;
};

/* tunnel.c */
VX6_NONNULL void tunnel_fail(struct tunnel *t, enum tunnel_fail how,
			     const char *text);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
tunnel_dial(struct tunnel *t, const struct quic_path *path, uint16_t d);

/* legs.c */
VX6_NONNULL void legs_init(struct tunnel *t);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status legs_open(struct tunnel *t,
						     char why[256]);
VX6_NONNULL void legs_close(struct tunnel *t);
/* legs_ready: the connection is confirmed and can move from now on. */
VX6_NONNULL void legs_ready(struct tunnel *t);
/* legs_try_next dials over another leg that stands; false: there is none. */
VX6_MUST_CHECK VX6_NONNULL bool legs_try_next(struct tunnel *t);

#endif
