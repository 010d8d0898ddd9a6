/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/count.h"

#include <sched.h>
#include <string.h>

#include "dataplane/port/host.h"
#include "dataplane/port/neigh.h"

unsigned count_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1; /* more CPUs than fit, or none of our business */
	return (unsigned)CPU_COUNT(&set);
}

static bool is_named(const struct dp_options *o, const struct neigh_if *is)
{
	for (unsigned i = 0; i < o->interface_cnt; i++)
		if (strcmp(o->interface[i], is->name) == 0)
			return true;
	return o->interface_cnt == 0;
}

uint32_t count_queues(const struct dp_options *o)
{
	struct neigh_if is[HOST_IFS];
	struct neigh *n;
	uint32_t most = 1;
	unsigned cnt;

	if (neigh_open(&n, 1) != VX6_OK)
		return most;
	cnt = neigh_if_list(n, is, HOST_IFS);
	for (unsigned i = 0; i < cnt && i < HOST_IFS; i++)
		if (is[i].ethernet && is_named(o, &is[i]) &&
		    is[i].queues > most)
			most = is[i].queues;
	neigh_close(n);
	return most;
}
