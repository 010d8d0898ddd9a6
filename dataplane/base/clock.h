/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_CLOCK_H
#define VX6_DATAPLANE_BASE_CLOCK_H

/* clock: time, read at the edge and handed inward.
 *
 * State machines never read a clock: the loop reads one here and passes
 * it in.  Inside a process monotonic time never runs backwards, whatever
 * the kernel or a hypervisor says: a smaller reading is replaced by the
 * last one.  Threads: any (the last reading is per thread). */

#include <stdint.h>

#define VX6_US    UINT64_C(1000) /* in nanoseconds */
#define VX6_MS    UINT64_C(1000000)
#define VX6_SEC   UINT64_C(1000000000)
#define VX6_NEVER UINT64_MAX

/* vx6_now_ns returns CLOCK_MONOTONIC, clamped. */
uint64_t vx6_now_ns(void);

/* vx6_unix_ms returns wall-clock time in milliseconds since 1970; it may
 * jump, so it belongs in records and CREATE slots, never in a timer. */
uint64_t vx6_unix_ms(void);

/* vx6_unix_s is vx6_unix_ms in seconds. */
uint64_t vx6_unix_s(void);

#endif
