/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_SIM_LAW_H
#define VX6_TESTS_SUPPORT_SIM_LAW_H

/* law: what must hold in every story of a hop and of an origin, whatever
 * they are told and in whatever order.
 *
 * A second opinion on core/hop and core/origin that knows nothing of how
 * they work: it remembers what was said (CREATE went out, something was to
 * be installed, prev had its answer) and what was heard (who said goodbye
 * first), and judges each step by that:
 *
 *   FREE comes once and is the last word; GONE refuses all that follows.
 *   Prev has one answer, none after its goodbye, and a DESTROY if the
 *   circuit had been open to it.
 *   Next has a DESTROY just when CREATE was sent and it did not end the
 *   circuit itself.
 *   What may be installed is removed, what cannot be is not.
 *   A refused event and an early TICK change nothing; a TICK that was due
 *   ends the wait; every state that waits for others has an end.
 *
 * The unit tests' random walks, the fuzz targets and the simulation use it.
 * It knows nothing of cmocka: what is broken is returned as a sentence.
 *
 * Ownership: the caller's structs. */

#include "controlplane/core/hop.h"
#include "controlplane/core/origin.h"
#include "dataplane/base/rand.h"

struct law_hop {
	struct hop hop;
	bool sent;      /* CREATE went to next, who has not ended it */
	bool prev_gone; /* prev said goodbye, or is lost */
	bool asked;     /* INSTALL was said: something may be in there */
	bool opened;
	unsigned answers; /* ANSWER and FAIL */
};

VX6_NONNULL void law_hop_init(struct law_hop *l, const struct hop_times *t);

/* law_hop_step is hop_step on l->hop, judged.  It returns NULL, or which
 * law was broken. */
VX6_NONNULL const char *law_hop_step(struct law_hop *l,
				     const struct hop_event *ev,
				     struct hop_out *out, enum vx6_status *st);

struct law_origin {
	struct origin origin;
	bool sought, created, asked, opened;
	bool ended; /* the first hop ended it itself */
};

VX6_NONNULL void law_origin_init(struct law_origin *l, unsigned hops,
				 const struct origin_times *t);

/* law_origin_step is origin_step on l->origin, judged likewise. */
VX6_NONNULL const char *law_origin_step(struct law_origin *l,
					const struct origin_event *ev,
					struct origin_out *out,
					enum vx6_status *st);

/* law_when is a time for the next event, from now on: when the machine is due
 * (now where it is not, or was), the nanosecond before, now, or `wait_ns`
 * later. */
enum law_when { LAW_AT_DUE, LAW_BEFORE_DUE, LAW_NOW, LAW_LATER };
uint64_t law_when(enum law_when how, uint64_t due_ns, uint64_t now_ns,
		  uint64_t wait_ns);

/* law_draw is one of those, drawn; LATER, in half of them, by up to 4 s. */
VX6_NONNULL uint64_t law_draw(struct vx6_rand *rnd, uint64_t due_ns,
			      uint64_t now_ns);

#endif
