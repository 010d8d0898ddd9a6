/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_MOVES_H
#define VX6_TESTS_SUPPORT_MOVES_H

/* moves: several workers in this process, flows of cells through them, and
 * the laws that hold wherever the cells of a link arrive.
 *
 *     moves_make --> the test's way in --> worker k --+
 *                                            | rings  |
 *     moves_out  <-- and out again <---------+--------+
 *
 * Real threads, real rings, real keys; the ports are the test's.  What comes
 * out is opened as the neighbour would: every counter of a sealing half
 * occurs once, every cell at most once, though some are fed twice, and the
 * sums are right: what is missing, a worker has counted.
 *
 * For unit tests: what fails here fails the test.  Threads: the test's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/worker/worker.h"
#include "tests/support/dp_kit.h"

#define MOVES_WORKERS 3u
#define MOVES_LINKS   9u
#define MOVES_FLOWS   60u /* each kind in turn */
#define MOVES_CELLS   60000u
#define MOVES_ANY     UINT32_MAX /* a worker that is not known */

enum moves_kind { GOES_ON, COMES_BACK, CROSSES, MOVES_KINDS };

struct moves_flow {
	enum moves_kind kind;
	uint32_t in, out;
	struct abi_half first, second; /* second: the other leg of a splice */
	struct vx6_layer open, seal;   /* that we seal with; open with */
	uint64_t fed;
	uint8_t *nonce; /* by counter, from the start on */
};

struct moves {
	struct relay relay[MOVES_WORKERS];
	struct worker *worker[MOVES_WORKERS];
	struct moves_flow flow[MOVES_FLOWS];
	/* counted by the test, and by moves_out */
	uint64_t fed, twice, got, probes;
};

/* moves_open makes the workers over ports, which stay the test's, and
 * installs what they carry; no thread runs yet.  peer: where a link's
 * neighbour is.  moves_close ends them. */
struct moves *moves_open(struct port *const port[MOVES_WORKERS],
			 struct vx6_addr (*peer)(uint32_t link));
void moves_close(struct moves *m);

/* moves_draw is the next of a row of numbers, the same each time. */
uint32_t moves_draw(uint32_t below);

/* moves_make writes cell `no` (1..MOVES_CELLS) of a flow, as its neighbour
 * makes it; returns its size. */
VX6_NONNULL size_t moves_make(struct moves_flow *f, uint64_t no,
			      uint8_t p[VX6_CELL_MAX]);

/* moves_out judges what left on a link, from worker k or MOVES_ANY. */
VX6_NONNULL void moves_out(struct moves *m, uint32_t k, uint32_t link,
			   const uint8_t *data, size_t len);

/* moves_ask sums what workers first..last counted; they run.  Meanwhile
 * drain, true: something came, is called.  moves_missing is how many cells
 * neither came out nor were counted where they were lost. */
VX6_NONNULL struct abi_stats moves_ask(struct moves *m, unsigned first,
				       unsigned last, bool (*drain)(void));
VX6_NONNULL uint64_t moves_missing(const struct moves *m,
				   const struct abi_stats *s);

/* moves_end waits until nothing is missing, stops the workers, and judges the
 * sums: nothing was dropped but twins, and what found no room. */
VX6_NONNULL struct abi_stats moves_end(struct moves *m, bool (*drain)(void));

#endif
