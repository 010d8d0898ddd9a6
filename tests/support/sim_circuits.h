/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_SIM_CIRCUITS_H
#define VX6_TESTS_SUPPORT_SIM_CIRCUITS_H

/* sim_circuits: some hundred nodes that build circuits over each other, in
 * virtual time.
 *
 *     origin --session-- relay --session-- relay --session-- end
 *       |                  |                 |                |
 *     plane              plane             plane            plane
 *
 * Real are core/origin, core/hop, core/ids and core/path.  Everything
 * around them is a queue of events ordered by time: sessions deliver
 * messages in order, after a random while; the data plane does what it is
 * told in order, and may refuse; slots are opened after a random while.
 * Messages say what PROTOCOL.md 7 and 8 say, without cryptography: an onion
 * is the path and how far it came, a reply is which hop failed and why.
 *
 * While it churns, nodes crash (with all they know; their sessions are
 * found dead by the others, each in its own time) and may come back,
 * sessions are cut, messages are late by many seconds.  Some nodes swallow
 * CREATE, forge replies, have no keys, no room in their tables or in their
 * data plane.
 *
 * The first thing that is wrong is written down as a sentence, and ends
 * the run.  A seed gives the same run always (`digest`).
 *
 * Not simulated: cells, a new session adopting an old link, a data plane
 * that is lost by itself.  Ownership: sim_close frees all. */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/core/hop.h"
#include "controlplane/core/origin.h"

struct sim_setup {
	uint64_t seed;
	uint32_t nodes;    /* 16..4096 */
	uint32_t circuits; /* begun while it churns */
	uint32_t crashes;  /* of nodes */
	uint32_t cuts;     /* of sessions */
	bool fair;         /* nobody is odd, slow or out of luck */
	uint64_t churn_ns; /* for how long */
};

struct sim_told {
	char fault[160]; /* "" where nothing is wrong */
	uint64_t now_ns, digest, events;
	uint32_t begun, opened, crashed;     /* origins */
	uint32_t why[ORIGIN_WHY_DONE + 1u];  /* how the others ended */
	uint32_t code[16];                   /* of ORIGIN_WHY_CODE */
	uint32_t hop_act[HOP_ACT_FREE + 1u]; /* what all hops said */
	uint32_t late;    /* CREATED that nobody waited for */
	uint32_t strange; /* answers to ids that live no more */
	uint32_t cut, lost_msgs;
	uint32_t standing; /* circuits, when all was still */
};

struct sim;

/* sim_open plans the churn; nothing happens yet. */
struct sim *sim_open(const struct sim_setup *setup);

/* sim_still runs until the churn is over and everybody has had the time to
 * notice all of it, and then judges: each circuit that stands, stands at
 * each of its hops and in each data plane, and nothing else is left.
 * Returns whether nothing is wrong. */
bool sim_still(struct sim *s);

/* sim_over closes every other circuit, lets the rest grow old, and judges:
 * nothing at all is left anywhere.  Returns whether nothing is wrong. */
bool sim_over(struct sim *s);

const struct sim_told *sim_told(const struct sim *s);

void sim_close(struct sim *s);

#endif
