/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/xdp_must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include "xdp/xdp.h"

struct xk kit;

int must_set_up(void **state)
{
	(void)state;
	if (!xk_open(&kit, true))
		kit.obj = NULL;
	return 0;
}

int must_tear_down(void **state)
{
	(void)state;
	if (kit.obj != NULL)
		xk_close(&kit);
	return 0;
}

void must_need(void)
{
	if (kit.obj != NULL)
		return;
	(void)xk_may(); /* says why */
	skip();
}

/* By hand, and not from the list that the classifier was made from. */
uint32_t must_verdict(unsigned reason)
{
	switch (reason) {
	case VX6_XDP_CELL:
	case VX6_XDP_CHANCE: return XDP_REDIRECT;
	case VX6_XDP_OTHER:
	case VX6_XDP_CONTROL:
	case VX6_XDP_NO_SOCKET:
	case VX6_XDP_ODD: return XDP_PASS;
	}
	return XDP_DROP;
}

void must_be(struct xk *k, const char *name, const struct pkt *p,
	     unsigned reason)
{
	struct xk_result r = xk_run(k, p);

	if (r.reason != reason || r.verdict != must_verdict(reason) ||
	    !r.untouched)
		fail_msg("%s, %zu bytes: %s, verdict %u%s; wanted %s", name,
			 p->len, xk_reason_name(r.reason), r.verdict,
			 r.untouched ? "" : ", changed",
			 xk_reason_name(reason));
}

void must_all(struct xk *k, const struct fixture f[], size_t n)
{
	static struct pkt p;

	for (size_t i = 0; i < n; i++) {
		pkt_make(&p, &f[i].shape);
		must_be(k, f[i].name, &p, f[i].reason);
	}
}
