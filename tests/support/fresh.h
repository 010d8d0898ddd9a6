/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_FRESH_H
#define VX6_TESTS_SUPPORT_FRESH_H

/* fresh: a directory that a test finds empty, and that goes with all that is
 * in it; and what a process left there that was killed. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

extern char fresh_dir[64]; /* "" = none */

/* fresh_make makes one in a directory, fresh_drop removes it. */
VX6_MUST_CHECK VX6_NONNULL bool fresh_make(const char *where);
void fresh_drop(void);

/* fresh_in is the path of a name in it, until the next call. */
VX6_NONNULL const char *fresh_in(const char *name);

/* fresh_killed has a process call begin, then act with what that returned and
 * 1, 2, .. until act returned true for `least` of them; then kills it.  The
 * last number for which act had returned.  Neither may use cmocka. */
VX6_NONNULL uint32_t fresh_killed(uint32_t least, void *(*begin)(void),
				  bool (*act)(void *ctx, uint32_t n));

#endif
