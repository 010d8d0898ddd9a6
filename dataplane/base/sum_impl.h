/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_SUM_IMPL_H
#define VX6_DATAPLANE_BASE_SUM_IMPL_H

/* sum_impl: the ways that vx6_sum chooses from, for it and for its test.
 * Each takes any length that vx6_sum does at any place, and is not folded
 * yet. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t vx6_sum_way(const uint8_t *p, size_t len);

vx6_sum_way vx6_sum_plain, vx6_sum_avx2, vx6_sum_vnni;

/* What this CPU has for them. */
static inline bool vx6_sum_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static inline bool vx6_sum_has_vnni(void)
{
	return __builtin_cpu_supports("avx512vnni") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl");
}

#endif
