/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/kept.h"

#include "dataplane/worker/sandbox_table.h"

const struct sandbox *kept_by;

int kept(void **state)
{
	static struct sandbox box;

	(void)state;
	box = dp_sandbox_keeper(false);
	kept_by = &box;
	return 0;
}

int kept_not(void **state)
{
	(void)state;
	kept_by = NULL;
	return 0;
}
