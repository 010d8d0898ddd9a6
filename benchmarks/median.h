/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_BENCHMARKS_MEDIAN_H
#define VX6_BENCHMARKS_MEDIAN_H

/* median: what a figure says of its samples. */

#include <stddef.h>

#include "dataplane/base/compiler.h"

/* bench_median sorts v, the least first, and returns the one in the middle;
 * n > 0. */
VX6_NONNULL double bench_median(double v[], size_t n);

#endif
