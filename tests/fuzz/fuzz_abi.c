/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_abi: any 1,152 bytes are judged; what passes can be acted upon
 * without another look: indices, ids, enums and sizes are in range, and it
 * passes from one side only.  Each is judged a second time as one of our
 * version, so that what was found for an earlier one stays of use. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/abi/abi.h"

static bool link_holds(const struct abi_link *l)
{
	return l->index >= 1 && l->index <= VX6_LINK_INDEX_MAX &&
	       l->behind_nat <= 1 && l->state <= VX6_LINK_DOWN;
}

static bool half_holds(const struct abi_half *h)
{
	return (h->id & ABI_IDX_MASK) != 0 && h->kind >= ABI_HALF_FORWARD &&
	       h->kind <= ABI_HALF_LOCAL && h->suite <= 3 &&
	       h->in_link <= VX6_LINK_INDEX_MAX &&
	       h->out_link <= VX6_LINK_INDEX_MAX &&
	       vx6_cell_size_ok(h->cell_size_in) &&
	       vx6_cell_size_ok(h->cell_size_out);
}

static bool rate_holds(uint64_t rate, uint64_t burst)
{
	return rate <= ABI_RATE_MAX && (burst == 0 || burst >= VX6_CELL_MAX) &&
	       burst <= ABI_BURST_MAX;
}

static bool limits_hold(const struct abi_limits *l)
{
	return rate_holds(l->circuit_rate, l->circuit_burst) &&
	       rate_holds(l->link_rate, l->link_burst) &&
	       rate_holds(l->relay_rate, l->relay_burst) &&
	       l->circuit_queue <= ABI_CIRCUIT_QUEUE_MAX;
}

static void holds(const struct abi_msg *m)
{
	bool ok = true;

	if (m->type == ABI_LINK_ADD || m->type == ABI_LINK_CHANGE ||
	    m->type == ABI_LINK_IS || m->type == ABI_LINK_EVENT)
		ok = link_holds(&m->u.link);
	else if (m->type == ABI_HALF_ADD || m->type == ABI_HALF_IS)
		ok = half_holds(&m->u.half);
	else if (m->type == ABI_INJECT || m->type == ABI_CONTROL)
		ok = m->u.control.len <= ABI_CTL_LEN;
	else if (m->type == ABI_LIMITS)
		ok = limits_hold(&m->u.limits);
	else if (m->type == ABI_DONE)
		ok = m->status < VX6_STATUS_CNT;
	if (!ok)
		abort();
}

static void judge(const struct abi_msg *m)
{
	bool client = abi_check(m, true) == VX6_OK;
	bool plane = abi_check(m, false) == VX6_OK;

	if ((client && m->type >= ABI_WELCOME) ||
	    (plane && m->type < ABI_WELCOME))
		abort();
	if (client || plane)
		holds(m);
	if (abi_type_name(m->type) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct abi_msg m;

	memset(&m, 0, sizeof(m));
	if (len > 0)
		memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	judge(&m);
	m.version = ABI_VERSION;
	judge(&m);
	return 0;
}
