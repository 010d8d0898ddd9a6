/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_BENCHMARKS_DP_H
#define VX6_BENCHMARKS_DP_H

/* dp: the whole pipeline in memory, measured.
 *
 *     frames -> port mem -> relay_burst -> packet_write -> port mem -> judged
 *
 * 8,192 frames of 2 KiB hold one cell each, in seeded random order; the
 * circuits that they belong to are drawn likewise, so one visit of a circuit
 * is one cell.  16 links come in and 16 go out.  Headers, windows, counters
 * and what AF_XDP writes in front of a cell, UDP checksum included, are
 * live.  One in 1,024 outputs is opened and its checksum reckoned again; a
 * wrong or a missing one makes the figure void.
 *
 *     dp_rig.c      frames, circuits, a pass of the pipeline, the judge
 *     dp_raw.c      the AEAD alone on the same frames, order and keys
 *     dp_phases.c   the pipeline compiled once more, with a clock in it
 *     dp_figure.c   passes to samples to a line
 *     dp_workers.c  several rigs at once, a thread each
 *
 * A pass is timed in CPU time of the thread.  A rig and what it is compared
 * with take turns.
 * Threads: a rig is one thread's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/port/packet.h"
#include "tests/support/dp_kit.h"

#define DP_FRAMES 8192u
#define DP_LINKS  16u /* each way */
#define DP_CHECK  1024u
#define DP_SEED   "bench_dataplane 1"

enum dp_role { DP_FORWARD, DP_BACKWARD, DP_SPLICE, DP_LOCAL };

struct dp_case {
	enum dp_role role;
	unsigned suite;    /* LOCAL: 0 */
	size_t size;       /* bytes of UDP payload as it comes */
	uint32_t circuits; /* a splice joins two half-circuits a circuit */
};

struct dp_rig {
	struct dp_case c;
	struct dp_node node;
	struct vx6_rand rnd;
	struct net_frame *order[DP_FRAMES]; /* shuffled */
	uint32_t circuit[DP_FRAMES];        /* of each frame, shuffled */
	uint32_t *sealed;                   /* cells made so far, by circuit */
	uint8_t *stage; /* cells, as they will be copied into the frames */
	struct vx6_aes in[DP_LINKS + 1]; /* header keys, by link */
	struct packet_head head[2 * DP_LINKS + 1];
};

/* What a burst of the pipeline, or what takes its place, looks like. */
typedef void dp_burst_fn(struct relay *r, struct net_frame *const f[],
			 unsigned n, uint64_t now_ns, struct relay_out *out);

/* dp_need ends the program with a word to the operator unless ok. */
void dp_need(bool ok, const char *what);
VX6_NORETURN void dp_fail(const char *what);

/* dp_rig_open takes the memory and fills the tables. */
VX6_NONNULL void dp_rig_open(struct dp_rig *rig, const struct dp_case *c);
VX6_NONNULL void dp_rig_close(struct dp_rig *rig);

/* dp_rig_fill makes 8,192 fresh cells, and last of all copies them into the
 * frames: whoever works on them next finds them as a port would leave them. */
VX6_NONNULL void dp_rig_fill(struct dp_rig *rig);

/* dp_rig_relay relays what was filled, as dp_rig_pass does. */
VX6_MUST_CHECK VX6_NONNULL bool dp_rig_relay(struct dp_rig *rig,
					     dp_burst_fn *burst, double *ns);

/* dp_rig_pass fills and relays; *ns is what relaying
 * took.  False: an output was wrong, or missing. */
VX6_MUST_CHECK VX6_NONNULL bool dp_rig_pass(struct dp_rig *rig,
					    dp_burst_fn *burst, double *ns);

/* dp_half_of is the half-circuit that circuit c's cells come in on, and
 * dp_leg_of the other leg's in a splice. */
VX6_NONNULL struct abi_half dp_half_of(const struct dp_case *c, uint32_t i);
VX6_NONNULL struct abi_half dp_leg_of(const struct dp_case *c, uint32_t i);

/* dp_cpu_ns is this thread's CPU time. */
double dp_cpu_ns(void);

/* ---- the AEAD alone ---- */

struct dp_raw;

/* dp_raw_open prepares as many keys as the rig has circuits. */
VX6_MUST_CHECK VX6_NONNULL struct dp_raw *dp_raw_open(const struct dp_rig *rig);
void dp_raw_close(struct dp_raw *raw);

enum dp_raw_how {
	DP_RAW_PLAIN,
	DP_RAW_AHEAD,  /* frames and keys are fetched four cells ahead */
	DP_RAW_EXPAND, /* likewise, but a key is its 32 bytes, and its tables
			  are made for each cell: AES-256-GCM only */
	DP_RAW_CNT
};

/* dp_raw_can tells whether a pass can be made so. */
VX6_MUST_CHECK VX6_NONNULL bool dp_raw_can(const struct dp_raw *raw,
					   enum dp_raw_how how);

/* dp_raw_pass fills, and opens or seals what the rig's relay would, in the
 * same order in the same frames (a splice: all are opened, then all are
 * sealed), and says how long it took. */
VX6_NONNULL double dp_raw_pass(struct dp_raw *raw, struct dp_rig *rig,
			       enum dp_raw_how how);

/* dp_raw_name says what was called: "ipsec-mb, direct" .. */
VX6_NONNULL const char *dp_raw_name(const struct dp_raw *raw);

/* ---- where the time goes ---- */

/* clang-format off */
#define DP_PHASES(X) X(rx) X(parse) X(unprotect) X(route) X(find) X(fresh) \
	X(crypt) X(judge) X(splice) X(send) X(packet)
/* clang-format on */

#define DP_PHASE_ENUM(name) DP_PHASE_##name,
enum dp_phase { DP_PHASES(DP_PHASE_ENUM) DP_PHASE_CNT };

/* dp_phases_burst and dp_phases_join are those of the relay, same source,
 * with a clock read between the phases; no figure is measured with them. */
dp_burst_fn dp_phases_burst, dp_phases_join;

/* dp_phases_begin starts the clock anew. */
void dp_phases_begin(void);

/* dp_phases_mark charges the time since the last mark to a phase. */
void dp_phases_mark(enum dp_phase phase);

/* dp_phases_take writes cycles of each phase since it was called last. */
VX6_NONNULL void dp_phases_take(uint64_t cycles[DP_PHASE_CNT]);

/* ---- figures ---- */

/* The AEAD alone, another case's pipeline, or nothing. */
enum dp_against { DP_NOTHING, DP_RAW, DP_GCM, DP_C1K };

struct dp_figure {
	struct dp_case c;
	enum dp_against against;
};

/* dp_measure measures and prints one figure.  suite: its name, where it is
 * not the case's own, or NULL. */
VX6_NONNULL_ARGS(1)
void dp_measure(const struct dp_figure *figure, const char *suite);

/* dp_figure_name writes "dp.forward.aes256gcm.1200.c1k". */
VX6_NONNULL_ARGS(1, 3)
void dp_figure_name(const struct dp_case *c, const char *suite, char name[64]);

/* dp_workers measures n workers, each with links, circuits, port and thread
 * of its own, against one. */
VX6_NONNULL void dp_workers(const struct dp_case *c, unsigned n);

/* dp_main runs those of n figures whose name holds argv[1]. */
VX6_NONNULL_ARGS(1, 4)
int dp_main(const struct dp_figure figure[], unsigned n, const char *suite,
	    char **argv);

#endif
