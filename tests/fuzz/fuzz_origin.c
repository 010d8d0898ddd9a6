/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_origin: any list of events, at any times, keeps the laws of
 * tests/support/sim_law.h.
 *
 * The first byte is how many hops; an event is four: which (one in thirteen
 * is none), when (as it is, a bit later, just before due, at due) and which
 * hop, how much later, and the code. */
#include "tests/fuzz/fuzz.h"

#include "dataplane/base/clock.h"
#include "tests/support/sim_law.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct origin_times times = { .seek_ns = 5 * VX6_SEC,
						   .per_hop_ns = 2 * VX6_SEC,
						   .whole_ns = 10 * VX6_SEC,
						   .life_ns = 60 * VX6_SEC };
	static const enum law_when how[4] = { LAW_NOW, LAW_LATER,
					      LAW_BEFORE_DUE, LAW_AT_DUE };
	uint64_t now = VX6_SEC;
	struct law_origin l;

	law_origin_init(&l, len > 0 ? 1 + data[0] % 8 : 1, &times);
	for (data += len > 0, len -= len > 0; len >= 4; data += 4, len -= 4) {
		struct origin_event ev = {
			.kind = (enum origin_ev)(
				data[0] % ((unsigned)ORIGIN_EV_TICK + 2)),
			.hop = data[1] >> 2,
			.code = data[3],
		};
		struct origin_out out;
		enum vx6_status st;

		ev.now_ns = now = law_when(how[data[1] & 3],
					   origin_due(&l.origin), now,
					   data[2] * 100 * VX6_MS);
		const char *broken = law_origin_step(&l, &ev, &out, &st);

		if (broken || vx6_status_owed(st) == VX6_OWE_BOOT) {
			fprintf(stderr, "event %u: %s\n", (unsigned)ev.kind,
				broken ? broken : vx6_status_text(st));
			abort();
		}
	}
	return 0;
}
