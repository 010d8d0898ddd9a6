/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/unhex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

size_t unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t len = 0;

	assert_int_equal(
		sodium_hex2bin(out, cap, hex, strlen(hex), " ", &len, NULL), 0);
	return len;
}
