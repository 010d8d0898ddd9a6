/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ctl: any P parses or is refused; what parses lies inside it, and is
 * emitted again as the same bytes. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/wire/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t out[VX6_CTL_MAX];
	struct vx6_ctl c;
	size_t n;

	if (vx6_ctl_parse(&c, data, len) != VX6_OK)
		return 0;
	if (c.body < data || c.body + c.len > data + len ||
	    c.type >= VX6_CTL_TYPE_CNT)
		abort();
	if (vx6_ctl_emit(out, sizeof(out), len, &c, &n) != VX6_OK || n != len ||
	    memcmp(out, data, len) != 0)
		abort();
	return 0;
}
