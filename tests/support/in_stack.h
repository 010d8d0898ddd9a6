/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_IN_STACK_H
#define VX6_TESTS_SUPPORT_IN_STACK_H

/* in_stack: is a function of this program in a stack that was logged? */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

/* in_stack: one of text's `module+0x..` lies in the 64 bytes from function
 * on: a short one, not its neighbours. */
VX6_NONNULL bool in_stack(const char *text, const char *module,
			  uintptr_t function);

#endif
