/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_COUNT_H
#define VX6_DATAPLANE_WORKER_COUNT_H

/* count: how many workers there are, where the operator says no number.
 *
 * A worker is worth a core.  One CPU of each four begun is left to the
 * kernel, whose drivers do half of a packet's work, and to vx6d: 1 worker on
 * 1 or 2 CPUs, 3 on 4, 6 on 8.  More workers than an interface has queues
 * would live on what others hand them, so under af_xdp there are no more;
 * interfaces are counted once, at the start.  DPDK's devices have as many
 * queues as the operator asked them for, which is 1 where nothing was asked.
 *
 * Threads: any; start-up only. */

#include "dataplane/base/compiler.h"
#include "dataplane/worker/options.h"

#define COUNT_ANY UINT32_MAX /* queues: they are no limit */

/* count_workers is the rule: 1..RELAY_WORKERS. */
unsigned count_workers(unsigned cpus, uint32_t queues);

/* count_cpus is how many CPUs this process may run on, 1 where the kernel
 * does not tell.  count_queues is how many queues the interface has that has
 * most of those that o names, or of all where it names none; 1 where none is
 * there. */
unsigned count_cpus(void);
VX6_NONNULL uint32_t count_queues(const struct dp_options *o);

#endif
