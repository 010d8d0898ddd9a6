/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_XDP_ANY_H
#define VX6_TESTS_SUPPORT_XDP_ANY_H

/* xdp_any: an XDP program that says the same of every packet, as somebody
 * else's, or as what is least to do. */

#include "dataplane/base/compiler.h"

/* xdp_any_program loads it; verdict: XDP_PASS ..  A descriptor, which is the
 * caller's, or -1. */
VX6_NONNULL int xdp_any_program(const char *name, int verdict);

#endif
