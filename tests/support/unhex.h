/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_UNHEX_H
#define VX6_TESTS_SUPPORT_UNHEX_H

/* unhex: bytes that a test has as text; for cmocka programs. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

/* unhex writes the bytes of hex, which may have spaces, to out[0..cap);
 * returns how many.  What is no hex, or too long, fails the test. */
VX6_NONNULL size_t unhex(const char *hex, uint8_t *out, size_t cap);

#endif
