/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "benchmarks/host.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/utsname.h>

const char *bench_host(void)
{
	static char text[256];
	struct utsname u;
	uint32_t w[12] = { 0 };

	uname(&u);
	for (uint32_t i = 0; i < 3; i++)
		__get_cpuid(0x80000002u + i, &w[4 * i], &w[4 * i + 1],
			    &w[4 * i + 2], &w[4 * i + 3]);
	snprintf(text, sizeof(text), "%s, Linux %s, %.48s", u.nodename,
		 u.release, (const char *)w);
	return text;
}
