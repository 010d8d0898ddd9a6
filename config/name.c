/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/name.h"

static bool all_ok(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		      (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
			return false;
	return true;
}

bool name_ok(const char *s, size_t len)
{
	return len >= 1 && len <= NAME_MAX_LEN && all_ok(s, len);
}

bool family_ok(const char *s, size_t len)
{
	return len >= 1 && len <= FAMILY_MAX_LEN && all_ok(s, len);
}
