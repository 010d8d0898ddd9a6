/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "benchmarks/median.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double bench_median(double v[], size_t n)
{
	qsort(v, n, sizeof(v[0]), by_value);
	return v[n / 2];
}
