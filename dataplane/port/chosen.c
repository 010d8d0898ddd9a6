/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/chosen.h"

#include <stdlib.h>

#include "dataplane/port/host.h"
#include "dataplane/port/rtnl.h"

bool chosen_is(const struct neigh_if all[], unsigned n,
	       const struct neigh_if *one)
{
	bool gateway = false;

	for (unsigned i = 0; i < n; i++)
		gateway |= all[i].gateway && all[i].ethernet && all[i].up;
	return one->ethernet && one->up && one->gateway == gateway;
}

struct asked {
	struct rtnl r;
	struct host h;
	struct neigh_if list[HOST_IFS];
	unsigned links; /* that it told of */
	bool bad;       /* the dump missed something */
};

/* One datagram of a dump; true: that was its end. */
static bool take(struct asked *a, size_t len, uint32_t seq)
{
	struct rtnl_msg m;
	size_t at = 0, size;

	while ((size = rtnl_parse(&m, a->r.buf + at, len - at)) > 0) {
		at += size;
		if (!rtnl_is_answer(&a->r, &m) || m.seq != seq)
			continue;
		a->bad |= m.interrupted;
		if (m.kind == RTNL_LINK)
			a->links += host_link(&a->h, &m);
		else if (m.kind == RTNL_ROUTE)
			host_route(&a->h, &m.route);
		else if (m.kind == RTNL_DONE || m.kind == RTNL_REFUSED)
			return true; /* refused: a family that is not there */
	}
	return false;
}

static bool dump(struct asked *a, uint32_t seq, enum rtnl_kind kind, bool v4)
{
	long len;

	if (!rtnl_dump(&a->r, seq, kind, v4))
		return false;
	while ((len = rtnl_recv(&a->r)) > 0)
		if (take(a, (size_t)len, seq))
			return true;
	return false;
}

static enum vx6_status ask(struct asked *a, unsigned ifindex, bool *is)
{
	const struct neigh_if *one;
	bool whole;
	unsigned n;

	host_mark(&a->h, RTNL_ROUTE);
	whole = dump(a, 1, RTNL_LINK, true) && dump(a, 2, RTNL_ROUTE, true) &&
		dump(a, 3, RTNL_ROUTE, false);
	host_sweep(&a->h, RTNL_ROUTE);
	if (!whole || a->bad || a->links == 0)
		return VX6_AGAIN;
	one = host_find(&a->h, ifindex);
	n = host_if_list(&a->h, a->list, HOST_IFS);
	*is = one != NULL && chosen_is(a->list, n, one);
	return VX6_OK;
}

enum vx6_status chosen_now(unsigned ifindex, bool *is)
{
	struct asked *a = calloc(1, sizeof(*a));
	enum vx6_status st;

	*is = false;
	if (a == NULL)
		return VX6_NO_MEMORY;
	a->h.ask_fd = -1; /* how many queues there are is nobody's question */
	st = rtnl_open(&a->r);
	if (st == VX6_OK) {
		st = ask(a, ifindex, is);
		rtnl_close(&a->r);
	}
	free(a);
	return st;
}
