/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_FUZZ_FUZZ_H
#define VX6_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* LLVMFuzzerTestOneInput: what each tests/fuzz/fuzz_NAME.c defines.  It takes
 * any `len` bytes, returns 0, and keeps nothing between two calls.  libFuzzer
 * (`make fuzz`) and tests/fuzz/main.c (`make test`) both call it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
