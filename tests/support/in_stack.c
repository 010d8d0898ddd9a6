/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/in_stack.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

bool in_stack(const char *text, const char *module, uintptr_t function)
{
	size_t from, is, len = strlen(module);
	Dl_info here;

	if (dladdr((const void *)function, &here) == 0)
		return false;
	from = function - (uintptr_t)here.dli_fbase;
	for (const char *at = text; (at = strstr(at, module)); at += len) {
		if (at[len] != '+')
			continue;
		is = strtoul(at + len + 1, NULL, 16);
		if (is > from && is < from + 64)
			return true;
	}
	return false;
}
