/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_rtnl: any datagram parses to its end, and whatever it says, the tables
 * of interfaces and addresses stay within themselves. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/port/host.h"

static void take(struct host *h, const struct rtnl_msg *m)
{
	switch (m->kind) {
	case RTNL_LINK:
		if (memchr(m->link.name, 0, sizeof(m->link.name)) == NULL)
			abort();
		if (!host_link(h, m))
			host_mark(h, RTNL_ROUTE);
		return;
	case RTNL_ADDR:
		if (!host_addr(h, m))
			host_mark(h, RTNL_ROUTE);
		return;
	case RTNL_ROUTE:
		if (m->route.oif_cnt > RTNL_OIFS || m->route.bits > 128)
			abort();
		host_route(h, &m->route);
		return;
	case RTNL_DONE:
		host_sweep(h, RTNL_ROUTE);
		host_sweep(h, RTNL_LINK);
		host_sweep(h, RTNL_ADDR);
		return;
	case RTNL_POLICY:
		host_mark(h, RTNL_LINK);
		host_mark(h, RTNL_ADDR);
		return;
	case RTNL_OTHER:
	case RTNL_NEIGH:
	case RTNL_REFUSED: return;
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct host h;
	struct vx6_addr a[4];
	struct rtnl_msg m;
	size_t at = 0, size;

	/* no socket: names from the fuzzer are nobody's to ask about */
	h = (struct host){ .ask_fd = -1 };
	while ((size = rtnl_parse(&m, data + at, len - at)) > 0) {
		at += size;
		if (at > len)
			abort();
		take(&h, &m);
	}
	if (h.if_cnt > HOST_IFS || h.addr_cnt > HOST_ADDRS ||
	    host_addr_list(&h, a, 4) > h.addr_cnt)
		abort();
	return 0;
}
