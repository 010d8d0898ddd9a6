/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_PIPES_H
#define VX6_TESTS_SUPPORT_PIPES_H

/* pipes: two ends, up to 8 pipes between them, and a clock that only moves
 * when told.
 *
 *     end 0 --pipe p--> end 1      rate, delay, queue, loss each way
 *
 * A pipe carries datagrams that belong to a *leg*: a pseudo-path which the
 * ends take for a pair of addresses.  Which pipe a leg runs over is a
 * table entry, so that a leg can be re-mapped under those who use it.
 * Legs are numbered by the caller and never run out.
 *
 * The same seed gives the same losses.  Nothing here knows what it
 * carries; `kind` is the caller's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/session/quic.h"

#define PIPES_MAX  8u
#define PIPES_LEGS 512u

struct pipe_cfg {
	uint64_t rate;     /* bytes a second; 0: unlimited */
	uint64_t delay_ns; /* one way */
	uint64_t queue_ns; /* of waiting before a datagram is dropped */
	uint32_t loss;     /* of a million, each way */
};

struct pipes_packet;

struct pipes {
	struct pipe_cfg cfg[PIPES_MAX];
	bool cut[PIPES_MAX][2]; /* by sending end */
	uint64_t busy_ns[PIPES_MAX][2];
	uint8_t leg_pipe[PIPES_LEGS];
	struct pipes_packet **heap;
	size_t heap_cnt, heap_cap;
	uint64_t order, rng, now_ns;
	uint64_t sent, lost, delivered;
	/* deliver is called from pipes_run.  data may be changed. */
	void (*deliver)(void *ctx, unsigned end, unsigned leg, unsigned kind,
			uint8_t *data, size_t len);
	void *ctx;
};

void pipes_init(struct pipes *p, uint64_t seed);
void pipes_free(struct pipes *p);

/* pipes_path is leg as end sees it. */
void pipes_path(struct quic_path *path, unsigned end, unsigned leg);

/* pipes_send puts one datagram on the wire. */
void pipes_send(struct pipes *p, unsigned end, unsigned leg, unsigned kind,
		const void *data, size_t len);
/* pipes_send_batch cuts a batch of quic's `send` into datagrams. */
void pipes_send_batch(struct pipes *p, unsigned end,
		      const struct quic_path *path, unsigned kind,
		      const uint8_t *data, size_t len, size_t segment);

/* pipes_next is when the next datagram arrives, VX6_NEVER for none. */
uint64_t pipes_next(const struct pipes *p);
/* pipes_run delivers what has arrived by now_ns. */
void pipes_run(struct pipes *p, uint64_t now_ns);

/* pipes_cut silences a pipe, both ways or one (end: who is not heard). */
void pipes_cut(struct pipes *p, unsigned pipe, bool cut);
void pipes_cut_from(struct pipes *p, unsigned pipe, unsigned end, bool cut);

#endif
