/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_hop: any list of events, at any times, keeps the laws of
 * tests/support/sim_law.h.
 *
 * An event is three bytes: which (one in seventeen is none), when (as it
 * is, a bit later, just before due, at due), and how much later. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_law.h"

static uint64_t later(const struct hop *h, uint64_t now, const uint8_t *p)
{
	uint64_t due = hop_due(h);

	switch (p[1] & 3) {
	case 0: return now;
	case 1: return now + p[2] * 100 * VX6_MS;
	case 2: return due != VX6_NEVER && due > now ? due - 1 : now;
	default: return due != VX6_NEVER && due > now ? due : now;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct hop_times times = { .seek_ns = 2 * VX6_SEC,
						.extend_ns = 10 * VX6_SEC,
						.life_ns = 60 * VX6_SEC };
	uint64_t now = VX6_SEC;
	struct law_hop l;

	law_hop_init(&l, &times);
	for (; len >= 3; data += 3, len -= 3) {
		struct hop_event ev = {
			.kind = (enum hop_ev)(data[0] %
					      ((unsigned)HOP_EV_TICK + 2)),
			.code = data[1] & 4 ? VX6_CREATED_NEXT_NO_KEY
					    : VX6_CREATED_NEXT_REFUSED,
		};
		struct hop_out out;
		enum vx6_status st;

		ev.now_ns = now = later(&l.hop, now, data);
		const char *broken = law_hop_step(&l, &ev, &out, &st);

		if (broken || vx6_status_owed(st) == VX6_OWE_BOOT) {
			fprintf(stderr, "event %u: %s\n", (unsigned)ev.kind,
				broken ? broken : vx6_status_text(st));
			abort();
		}
	}
	return 0;
}
