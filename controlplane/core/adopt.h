/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_ADOPT_H
#define VX6_CONTROLPLANE_CORE_ADOPT_H

/* adopt: what of a data plane's dump a fresh vx6d takes up, and what it
 * takes out.
 *
 *     links      kept: the note names another node, the link is not down,
 *                and no link before it has that index or that node
 *     halves     kept in twos: a FORWARD and a BACKWARD whose notes name
 *                each other, over kept links, one's way in being the
 *                other's way out
 *     the rest   swept: LOCAL ones, whose keys died with the vx6d that had
 *                them, half-installed circuits, and what makes no sense
 *
 *              prev ==in_link==> FORWARD  ==out_link==> next
 *              prev <=out_link== BACKWARD <=in_link===  next
 *
 * The data plane gives back what it was given, so this finds little to
 * sweep but what the killed vx6d was about to do; yet nothing here trusts
 * it: any dump ends in a verdict on each row, and kept rows are consistent
 * whatever it says.  A neighbour learns what was swept when its session is
 * made again and circuits are compared.
 *
 * Pure: no I/O, memory or clock.  Ownership: the caller's rows and scratch.
 * Cost: one look at each row, one hash probe at each link. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/core/note.h"
#include "dataplane/base/compiler.h"

enum adopt_verdict {
	ADOPT_SWEEP, /* remove it from the data plane */
	ADOPT_KEEP,
	ADOPT_AGAIN /* a second row of the same number: leave it alone */
};

struct adopt_link {
	uint32_t index, peer_index;
	uint16_t u, u_proved; /* claimed; that got through, 0 = none yet */
	bool behind_nat, down;
	bool known; /* the note could be read */
	enum adopt_verdict verdict;
	struct note note;
};

enum adopt_kind { /* as the two planes' door has them */
		  ADOPT_FORWARD = 1,
		  ADOPT_BACKWARD,
		  ADOPT_LOCAL
};

struct adopt_half {
	uint32_t id, in_link, out_link, out_id;
	uint32_t pair; /* if kept: the row of the other half */
	uint16_t size_in, size_out;
	uint8_t kind, suite;
	bool known;
	enum adopt_verdict verdict;
	uint64_t start_rx, left_ns; /* left_ns 0: no end */
	struct note note;
};

struct adopt {
	uint8_t self[32]; /* our node ID */
	uint32_t links_max, halves_max;
	uint64_t slack_ns; /* by which a half may outlive the life granted */
	struct adopt_link *link;
	struct adopt_half *half;
	uint32_t link_cnt, half_cnt;
};

/* adopt_scratch is how many words adopt_judge wants as scratch. */
VX6_NONNULL size_t adopt_scratch(const struct adopt *a);

/* adopt_judge fills in every verdict, and pair of kept halves. */
VX6_NONNULL void adopt_judge(struct adopt *a, uint32_t *scratch);

#endif
