/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "benchmarks/host.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "dataplane/wire/aead/aead.h"

const char *bench_cpu(void)
{
	static union {
		uint32_t w[13]; /* the last is NUL */
		char text[52];
	} name;

	for (uint32_t i = 0; i < 3; i++)
		__get_cpuid(0x80000002u + i, &name.w[4 * i], &name.w[4 * i + 1],
			    &name.w[4 * i + 2], &name.w[4 * i + 3]);
	for (char *c = name.text; *c != '\0'; c++)
		if (*c == '"' || *c == '\\' || *c < ' ')
			*c = '\'';
	return name.text;
}

const char *bench_host(void)
{
	static char text[512];
	struct utsname u = { 0 };
	double load = 0;

	uname(&u);
	(void)getloadavg(&load, 1);
	snprintf(text, sizeof(text),
		 "{\"cpu\":\"%s\",\"cores\":%ld,\"kernel\":\"%s\","
		 "\"aead\":\"%s\",\"load\":%.2f}",
		 bench_cpu(), sysconf(_SC_NPROCESSORS_ONLN), u.release,
		 vx6_aead_impl_name(), load);
	return text;
}
