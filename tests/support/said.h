/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_SAID_H
#define VX6_TESTS_SUPPORT_SAID_H

/* said: what a port says to its operator, kept for a test to look at.
 *
 * said_add is the `say` of af_xdp's options and of dpdk's; a sentence is a
 * line: "warn gone t0: text".  What finds no room is cut off. */

#include <stdbool.h>

#include "dataplane/base/compiler.h"

extern char said[8192];

VX6_NONNULL_ARGS(3, 4, 5)
void said_add(void *ctx, bool warn, const char *event, const char *where,
	      const char *text);

/* said_nothing: from here on. */
void said_nothing(void);

#endif
