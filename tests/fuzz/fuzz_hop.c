/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_hop: any list of events, at any times, keeps the laws of
 * tests/support/sim_law.h.
 *
 * An event is three bytes: which (one in seventeen is none), when (as it
 * is, a bit later, just before due, at due), and how much later. */
#include "tests/fuzz/fuzz.h"

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_law.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct hop_times times = { .seek_ns = 2 * VX6_SEC,
						.extend_ns = 10 * VX6_SEC,
						.life_ns = 60 * VX6_SEC };
	static const enum law_when how[4] = { LAW_NOW, LAW_LATER,
					      LAW_BEFORE_DUE, LAW_AT_DUE };
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

		ev.now_ns = now = law_when(how[data[1] & 3], hop_due(&l.hop),
					   now, data[2] * 100 * VX6_MS);
		const char *broken = law_hop_step(&l, &ev, &out, &st);

		if (broken || vx6_status_owed(st) == VX6_OWE_BOOT) {
			fprintf(stderr, "event %u: %s\n", (unsigned)ev.kind,
				broken ? broken : vx6_status_text(st));
			abort();
		}
	}
	return 0;
}
