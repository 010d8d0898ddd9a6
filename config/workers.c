/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/workers.h"

#include "config/config.h"

#define FOR_KERNEL 4u /* one CPU of so many */

unsigned config_workers(uint32_t said, uint32_t named, unsigned cpus,
			uint32_t queues)
{
	unsigned n = cpus - (cpus + FOR_KERNEL - 1u) / FOR_KERNEL;

	if (said != 0)
		return said;
	if (named != 0)
		return named;
	if (n > queues)
		n = queues;
	if (n > CONFIG_WORKERS_MAX)
		n = CONFIG_WORKERS_MAX;
	return n > 0 ? n : 1;
}
