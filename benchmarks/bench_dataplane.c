/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_dataplane: the whole pipeline against its AEAD alone (dp.h).
 *
 *     bench_dataplane [name]     only figures whose name holds this
 *
 * Per suite and role: the sizes over 1,024 circuits, and 1,200 bytes over
 * 1, 1,024, 32,768 and 1,048,575 (index 0 is nobody's).  AES-256-GCM and
 * ChaCha20-Poly1305 are compared with the bare call under as many keys;
 * AEGIS-128L, which nobody else here has, with the pipeline under
 * AES-256-GCM, and over many circuits with itself over 1,024.  A splice
 * opens and seals: its baseline is both, one after the other.
 *
 * JSON Lines on stdout, a table on stderr. */
#include <string.h>
#include <unistd.h>

#include "benchmarks/dp.h"

#define C1K  1024u
#define C32K 32768u
#define C1M  ((1u << 20) - 1u)

#define GCM    VX6_SUITE_AES256_GCM
#define CHACHA VX6_SUITE_CHACHA20_POLY1305
#define AEGIS  VX6_SUITE_AEGIS128L

/* clang-format off */
#define SIZES(role, suite, against) \
	{ { role, suite, 1200, C1K }, against }, \
	{ { role, suite, 128, C1K }, against }, \
	{ { role, suite, 512, C1K }, against }, \
	{ { role, suite, 1400, C1K }, against }

static const struct dp_figure figures[] = {
	SIZES(DP_FORWARD, GCM, DP_RAW),
	SIZES(DP_BACKWARD, GCM, DP_RAW),
	SIZES(DP_SPLICE, GCM, DP_RAW),
	SIZES(DP_FORWARD, CHACHA, DP_RAW),
	SIZES(DP_BACKWARD, CHACHA, DP_RAW),
	SIZES(DP_SPLICE, CHACHA, DP_RAW),
	SIZES(DP_FORWARD, AEGIS, DP_GCM),
	SIZES(DP_BACKWARD, AEGIS, DP_GCM),
	SIZES(DP_SPLICE, AEGIS, DP_GCM),
	{ { DP_LOCAL, 0, 1200, C1K }, DP_NOTHING },
	{ { DP_FORWARD, GCM, 1200, 1 }, DP_RAW },
	{ { DP_FORWARD, GCM, 1200, C32K }, DP_RAW },
	{ { DP_FORWARD, GCM, 1200, C1M }, DP_RAW },
	{ { DP_BACKWARD, GCM, 1200, C32K }, DP_RAW },
	{ { DP_SPLICE, GCM, 1200, C32K }, DP_RAW },
	{ { DP_FORWARD, CHACHA, 1200, 1 }, DP_RAW },
	{ { DP_FORWARD, CHACHA, 1200, C32K }, DP_RAW },
	{ { DP_FORWARD, CHACHA, 1200, C1M }, DP_RAW },
	{ { DP_FORWARD, AEGIS, 1200, 1 }, DP_C1K },
	{ { DP_FORWARD, AEGIS, 1200, C32K }, DP_C1K },
	{ { DP_FORWARD, AEGIS, 1200, C1M }, DP_C1K },
	{ { DP_BACKWARD, AEGIS, 1200, C32K }, DP_C1K },
	{ { DP_BACKWARD, AEGIS, 1200, C1M }, DP_C1K },
	{ { DP_SPLICE, AEGIS, 1200, C32K }, DP_C1K },
};
/* clang-format on */

static const struct dp_case shared[] = {
	{ DP_FORWARD, GCM,   1200, C1K },
	{ DP_FORWARD, AEGIS, 1200, C1K },
};

/* Two workers, four, .. as there are CPUs for them, and all CPUs. */
static void workers(const char *only)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = cpus < 8 ? (unsigned)cpus : 8;
	char name[64];

	for (unsigned i = 0; i < VX6_COUNT(shared) && cpus > 1; i++) {
		dp_figure_name(&shared[i], NULL, name);
		if ((*only != '\0' && strstr(name, only) == NULL) ||
		    !vx6_suite_offers(shared[i].suite))
			continue;
		for (unsigned n = 2; n < most; n *= 2)
			dp_workers(&shared[i], n);
		dp_workers(&shared[i], most);
	}
}

int main(int argc, char **argv)
{
	int status = dp_main(figures, VX6_COUNT(figures), NULL, argv);

	workers(argc > 1 ? argv[1] : "");
	return status;
}
