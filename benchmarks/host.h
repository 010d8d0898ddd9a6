/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_BENCHMARKS_HOST_H
#define VX6_BENCHMARKS_HOST_H

/* host: what a figure was measured on, as its line says it. */

/* bench_host names host, kernel and CPU; static. */
const char *bench_host(void);

#endif
