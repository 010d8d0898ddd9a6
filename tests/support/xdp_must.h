/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_XDP_MUST_H
#define VX6_TESTS_SUPPORT_XDP_MUST_H

/* xdp_must: what the classifier must say of a packet, for cmocka programs.
 *
 * A packet's reason is the one counter that moved; its verdict must be what
 * the list in xdp/abi.h says of that reason, and no byte may have changed. */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/compiler.h"
#include "tests/support/xdp_kit.h"

/* kit is what a program's tests share, with a socket for queue 0; below are
 * cmocka's fixtures for the group, and what each test begins with: it skips
 * where there can be no kit. */
extern struct xk kit;
int must_set_up(void **state);
int must_tear_down(void **state);
void must_need(void);

struct fixture {
	const char *name;
	unsigned reason;
	struct shape shape;
};

/* must_be fails the test unless p is counted as reason. */
VX6_NONNULL void must_be(struct xk *k, const char *name, const struct pkt *p,
			 unsigned reason);

/* must_all makes and judges every fixture. */
VX6_NONNULL void must_all(struct xk *k, const struct fixture f[], size_t n);

/* must_verdict is the XDP action of a reason. */
uint32_t must_verdict(unsigned reason);

#endif
