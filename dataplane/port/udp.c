/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp: a socket as a port. */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/port/dgram.h"

struct udp {
	struct port port; /* first, so that either pointer is the other */
	struct dgram d;
};

static struct udp *udp_of(struct port *p)
{
	return (struct udp *)p;
}

static unsigned udp_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	return dgram_rx(&udp_of(p)->d, f, n);
}

static void udp_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	dgram_tx(&udp_of(p)->d, f, n);
}

static unsigned udp_fds(struct port *p, int fd[PORT_FDS])
{
	fd[0] = udp_of(p)->d.sock.fd;
	return 1;
}

static void udp_close(struct port *p)
{
	struct udp *u = udp_of(p);

	dgram_close(&u->d);
	port_pool_free(p);
	free(u);
}

static const struct port_ops udp_ops = {
	.name = "udp",
	.rx = udp_rx,
	.tx = udp_tx,
	.fds = udp_fds,
	.close = udp_close,
};

enum vx6_status port_open_udp(struct port **out, const struct port_opts *opts)
{
	struct udp *u = aligned_alloc(VX6_CACHELINE, sizeof(*u));
	enum vx6_status st;

	*out = NULL;
	if (u == NULL)
		return VX6_NO_MEMORY;
	*u = (struct udp){ .port.ops = &udp_ops, .d.sock.fd = -1 };
	st = port_pool_init(&u->port, opts->frames, false);
	if (st == VX6_OK)
		st = dgram_open(&u->d, &u->port, opts);
	if (st != VX6_OK) {
		int why = errno;

		udp_close(&u->port);
		errno = why;
		return st;
	}
	u->d.holds = true;
	*out = &u->port;
	return VX6_OK;
}
