/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/clock.h"

#include <time.h>

uint64_t vx6_now_ns(void)
{
	static _Thread_local uint64_t last;
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now = (uint64_t)ts.tv_sec * VX6_SEC + (uint64_t)ts.tv_nsec;
	if (now > last)
		last = now;
	return last;
}

uint64_t vx6_unix_ms(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / VX6_MS;
}

uint64_t vx6_unix_s(void)
{
	return vx6_unix_ms() / 1000u;
}
