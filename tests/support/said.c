/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/said.h"

#include <stdio.h>
#include <string.h>

char said[8192];

void said_add(void *ctx, bool warn, const char *event, const char *where,
	      const char *text)
{
	size_t len = strlen(said);

	(void)ctx;
	snprintf(said + len, sizeof(said) - len, "%s %s %s: %s\n",
		 warn ? "warn" : "info", event, where, text);
}

void said_nothing(void)
{
	said[0] = '\0';
}
