/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_FUZZ_FUZZ_H
#define VX6_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* LLVMFuzzerTestOneInput: what each tests/fuzz/fuzz_NAME.c defines.  It takes
 * any `len` bytes, returns 0, and keeps nothing between two calls.  libFuzzer
 * (`make fuzz`) and tests/fuzz/main.c (`make test`) both call it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* MUST ends the program, with what does not hold and where. */
#define MUST(c)                                                                \
	do {                                                                   \
		if (!(c)) {                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#c);                                           \
			abort();                                               \
		}                                                              \
	} while (0)

struct fuzz_input { /* what is left of one */
	const uint8_t *p;
	size_t len;
};

/* fuzz_take is the next n <= 8 bytes as a number, fewer where there are no
 * more. */
static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned n)
{
	uint64_t v = 0;

	for (; n > 0 && in->len > 0; n--, in->p++, in->len--)
		v = v << 8 | *in->p;
	return v;
}

#endif
