/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_WORKERS_H
#define VX6_CONFIG_WORKERS_H

/* workers: how many there are, by what the configuration says and, where it
 * says no number, by the host.
 *
 * A worker is worth a core.  One CPU of each four begun is left to the
 * kernel, whose drivers do half of a packet's work, and to vx6d: 1 worker on
 * 1 or 2 CPUs, 3 on 4, 6 on 8.  More workers than an interface has queues
 * would live on what others hand them, so under af_xdp there are no more.
 * DPDK's devices have as many queues as the operator asked them for, which
 * is 1 where nothing was asked.
 *
 * One rule, one place: the data plane starts so many, `vx6 doctor` says what
 * they lack.  Pure. */

#include <stdint.h>

#include "dataplane/base/compiler.h"

#define CONFIG_QUEUES_ANY UINT32_MAX /* they are no limit */

/* config_workers is 1..CONFIG_WORKERS_MAX: `said` in data.workers unless
 * that is 0, else one for each of the `named` in data.cpus unless that is 0,
 * else by the CPUs that may be run on and the queues of the interface that
 * has most. */
VX6_MUST_CHECK unsigned config_workers(uint32_t said, uint32_t named,
				       unsigned cpus, uint32_t queues);

#endif
