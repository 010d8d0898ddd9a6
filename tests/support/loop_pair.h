/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_LOOP_PAIR_H
#define VX6_TESTS_SUPPORT_LOOP_PAIR_H

/* loop_pair: two QUIC endpoints in one process, joined in memory, on one
 * loop: side 0 is the tunnel's client, side 1 the owner.
 *
 * Each side has a mux (and a hub), or is raw: then what comes on its
 * streams is kept, and the test speaks by itself. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "controlplane/service/mux.h"
#include "controlplane/session/quic.h"

#define PAIR_RAW 65536u

struct pair_dgram;

struct pair_raw { /* what a raw side saw, of all streams together */
	uint8_t data[PAIR_RAW];
	size_t len;
	unsigned opened, fins, resets, stops, closed;
	int64_t last; /* stream that was opened or said something */
};

struct loop_pair;

struct pair_side {
	struct loop_pair *pair;
	bool raw;
	struct quic_endpoint *ep;
	struct quic_conn *conn; /* NULL before ready and after closed */
	struct mux_hub *hub;
	struct mux *mux;
	struct quic_close why; /* of closed */
	bool closed;
	bool mute; /* sends nothing: it is dead, or the path is */
	struct pair_raw in;
	struct pair_dgram *head, **tail; /* on their way to the other side */
};

struct loop_pair {
	struct loop *loop;
	struct loop_timer timer;
	struct loop_task again;
	struct pair_side side[2];
};

struct pair_opts {
	struct quic_limits quic; /* of both */
	struct mux_limits mux;
	struct mux_hooks hooks; /* of the owner */
	bool raw[2];
};

/* loop_pair_open sets everything up and turns the loop until both are ready. */
struct loop_pair *loop_pair_open(const struct pair_opts *opts);

/* loop_pair_close also checks that nothing is left open or buffered. */
void loop_pair_close(struct loop_pair *p);

/* loop_pair_turn turns the loop once, waiting for something to happen. */
void loop_pair_turn(struct loop_pair *p);

/* loop_pair_kill closes the connection from one side. */
void loop_pair_kill(struct loop_pair *p, int side);

/* loop_pair_quiet turns the loop until nothing happened in some turns: for
 * showing that something does NOT go on. */
void loop_pair_quiet(struct loop_pair *p);

#endif
