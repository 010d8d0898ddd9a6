/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_COUNT_H
#define VX6_DATAPLANE_WORKER_COUNT_H

/* count: what a host has, by which workers are counted where the operator
 * says no number (config/workers.h has the rule).  Interfaces are looked at
 * once, at the start.
 *
 * Threads: any; start-up only. */

#include "dataplane/base/compiler.h"
#include "dataplane/worker/options.h"

/* count_cpus is how many CPUs this process may run on, 1 where the kernel
 * does not tell.  count_queues is how many queues the interface has that has
 * most of those that o names, or of all where it names none; 1 where none is
 * there. */
unsigned count_cpus(void);
VX6_NONNULL uint32_t count_queues(const struct dp_options *o);

#endif
