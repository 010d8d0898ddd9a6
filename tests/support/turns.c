/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>

#include "tests/support/cells.h"

struct turns_host turns_host;

unsigned turns_rx(struct port *p, struct net_frame *f[])
{
	struct pollfd pf[PORT_FDS + TURNS_FDS];
	int fd[PORT_FDS], ctl[TURNS_FDS];
	unsigned n = port_fds(p, fd), m = turns_host.fds(p, ctl);

	for (unsigned i = 0; i < n; i++)
		pf[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	for (unsigned i = 0; i < m; i++)
		pf[n + i] = (struct pollfd){ .fd = ctl[i], .events = POLLIN };
	(void)poll(pf, n + m, turns_host.wait_ms);
	turns_host.step(p, vx6_now_ns());
	return port_rx(p, f, NET_BURST);
}

struct net_frame *turns_one(struct port *p)
{
	uint64_t end = vx6_now_ns() + TURNS_LONG;
	struct net_frame *f[NET_BURST];
	unsigned n;

	while ((n = turns_rx(p, f)) == 0)
		if (vx6_now_ns() > end)
			fail_msg("nothing came\n%s", said);
	assert_int_equal(n, 1);
	return f[0];
}

void turns_warm(struct port *p, int fd, uint32_t link,
		const struct vx6_addr *peer, const struct vx6_addr *self)
{
	uint64_t end = vx6_now_ns() + TURNS_LONG, before = p->tx_xsk;
	unsigned no = 0;

	while (p->tx_xsk == before) {
		struct net_frame *f[NET_BURST];

		if (vx6_now_ns() > end)
			fail_msg("no way to link %u\n%s", link, said);
		cells_give(p, link, peer, 100, no);
		cells_took(fd, link, 100, no++, self);
		port_give(p, f, turns_rx(p, f));
	}
}
