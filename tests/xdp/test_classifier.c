/* SPDX-License-Identifier: GPL-2.0-or-later */
/* classifier: packets in, verdict and reason out, in the running kernel.
 *
 * Method: BPF_PROG_TEST_RUN on packets that are built from shapes; each case
 * names the one counter that must move, and the verdict follows from the
 * list in xdp/abi.h.  No packet may come out changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <string.h>

#include "tests/support/xdp_kit.h"
#include "xdp/xdp.h"

static struct xk kit;
static bool have;

#define NEED_KIT()                                                             \
	do {                                                                   \
		if (!have) {                                                   \
			xk_may();                                              \
			skip();                                                \
		}                                                              \
	} while (0)

struct fixture {
	const char *name;
	unsigned reason;
	struct shape shape;
};

static uint32_t verdict_of(unsigned reason)
{
	const char *v = xdp_reason_verdict(reason);

	if (strcmp(v, "redirect") == 0)
		return XDP_REDIRECT;
	return strcmp(v, "pass") == 0 ? XDP_PASS : XDP_DROP;
}

static void must_be(const char *name, const struct pkt *p, unsigned reason)
{
	struct xk_result r = xk_run(&kit, p);

	if (r.reason != reason || r.verdict != verdict_of(reason) ||
	    !r.untouched)
		fail_msg("%s: %s, verdict %u%s; wanted %s", name,
			 xdp_reason_name(r.reason), r.verdict,
			 r.untouched ? "" : ", changed",
			 xdp_reason_name(reason));
}

static void run_all(const struct fixture f[], size_t n)
{
	static struct pkt p;

	for (size_t i = 0; i < n; i++) {
		pkt_make(&p, &f[i].shape);
		must_be(f[i].name, &p, f[i].reason);
	}
}

static void cells(void **state)
{
	static const struct fixture f[] = {
		{ "v6",           VX6_XDP_CELL,        { 0 }                     },
		{ "v4",           VX6_XDP_CELL,        { .v4 = true }            },
		{ "v4 padded",    VX6_XDP_CELL,        { .v4 = true, .pad = 7 }  },
		{ "shortest",     VX6_XDP_CELL,        { .len = XK_LEN_MIN }     },
		{ "too short",    VX6_XDP_BAD_SIZE,    { .len = XK_LEN_MIN - 1 } },
		{ "longest",      VX6_XDP_CELL,        { .len = XK_LEN_MAX }     },
		{ "too long",     VX6_XDP_BAD_SIZE,    { .len = XK_LEN_MAX + 1 } },
		{ "version 0",    VX6_XDP_BAD_VERSION, { .version_add = 255 }    },
		{ "version 2",    VX6_XDP_BAD_VERSION, { .version_add = 1 }      },
		{ "unused link",  VX6_XDP_NO_LINK,     { .link = 4 }             },
		{ "foreign",      VX6_XDP_OTHER,       { .dst = "fd00:5::2" }    },
		{ "other port",   VX6_XDP_OTHER,       { .dport = 4245 }         },
		{ "other source", VX6_XDP_CHANCE,      { .src = "fd00:7::3" }    },
	};

	(void)state;
	NEED_KIT();
	run_all(f, VX6_COUNT(f));
}

static int set_up(void **state)
{
	(void)state;
	have = xk_open(&kit, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (have)
		xk_close(&kit);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
