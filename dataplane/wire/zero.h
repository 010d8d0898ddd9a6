/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_ZERO_H
#define VX6_DATAPLANE_WIRE_ZERO_H

/* zero: is all of it zero?  For padding and reserved bytes, which are no
 * secrets: the compiler makes vectors of it, where sodium_is_zero must go
 * byte by byte. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool vx6_all_zero(const void *from, size_t len)
{
	const uint8_t *p = from;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

#endif
