/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_BENCHMARKS_HOST_H
#define VX6_BENCHMARKS_HOST_H

/* host: what a figure was measured on, as its line says it. */

/* bench_host is a JSON object, as benchmarks/measure.py writes it: cpu,
 * cores, kernel, aead (as vx6_aead_start picked it), load; static. */
const char *bench_host(void);

/* bench_cpu is the CPU's name alone; static. */
const char *bench_cpu(void);

#endif
