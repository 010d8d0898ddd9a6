/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/status.h"

const char *vx6_status_text(enum vx6_status st)
{
	static const char *const text[VX6_STATUS_CNT] = {
#define X(name, owed, str) [VX6_##name] = (str),
		VX6_STATUS_LIST(X)
#undef X
	};

	return st < VX6_STATUS_CNT ? text[st] : "unknown status";
}

const char *vx6_status_name(enum vx6_status st)
{
	static const char *const name[VX6_STATUS_CNT] = {
#define X(name, owed, str) [VX6_##name] = #name,
		VX6_STATUS_LIST(X)
#undef X
	};

	return st < VX6_STATUS_CNT ? name[st] : "UNKNOWN";
}

enum vx6_owed vx6_status_owed(enum vx6_status st)
{
	static const enum vx6_owed owed[VX6_STATUS_CNT] = {
#define X(name, what, str) [VX6_##name] = VX6_OWE_##what,
		VX6_STATUS_LIST(X)
#undef X
	};

	return st < VX6_STATUS_CNT ? owed[st] : VX6_OWE_CLOSE;
}
