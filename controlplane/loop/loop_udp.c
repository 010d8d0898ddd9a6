/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/loop/loop_udp.h"

#include <stdlib.h>
#include <string.h>

#define BATCH  16u /* entries read by one call: 1 MiB of room */
#define ROUNDS 4   /* calls a turn */

struct loop_udp {
	struct loop *loop;
	struct loop_fd *watch;
	struct net_sock sock;
	struct loop_udp_hooks hooks;
	bool full;    /* a send was not taken */
	bool reading; /* inside on_ready: close only marks */
	bool closed;
	struct net_pkt pkt[BATCH];
	struct iovec iov[BATCH];
	uint8_t *room; /* BATCH of NET_BUF_MIN */
};

static void let_go(struct loop_udp *u)
{
	free(u->room);
	free(u);
}

/* take_apart hands on the datagrams of one entry. */
static void take_apart(struct loop_udp *u, const struct net_pkt *pkt)
{
	uint8_t *data = pkt->iov[0].iov_base;
	size_t left = pkt->len, step = pkt->segment ? pkt->segment : left;

	while (left > 0 && !u->closed) {
		size_t len = left < step ? left : step;

		u->hooks.recv(u->hooks.ctx, &pkt->from, &pkt->to, data, len,
			      pkt->ecn);
		data += len;
		left -= len;
	}
}

static void read_batches(struct loop_udp *u)
{
	for (int round = 0; round < ROUNDS && !u->closed; round++) {
		unsigned n = net_recv(&u->sock, u->pkt, BATCH);

		for (unsigned i = 0; i < n && !u->closed; i++)
			take_apart(u, &u->pkt[i]);
		if (n < BATCH)
			return;
	}
}

static void on_ready(void *ctx, unsigned events)
{
	struct loop_udp *u = ctx;

	u->reading = true;
	if (events & LOOP_READ)
		read_batches(u);
	if (events & LOOP_WRITE && u->full && !u->closed) {
		u->full = false;
		loop_fd_watch(u->watch, LOOP_READ);
		if (u->hooks.writable)
			u->hooks.writable(u->hooks.ctx);
	}
	u->reading = false;
	if (u->closed)
		let_go(u);
}

enum vx6_status loop_udp_open(struct loop *l, const struct net_opts *opts,
			      const struct loop_udp_hooks *hooks,
			      struct loop_udp **out)
{
	struct loop_udp *u = calloc(1, sizeof(*u));
	enum vx6_status st;

	if (!u)
		return VX6_NO_MEMORY;
	u->loop = l;
	u->hooks = *hooks;
	u->room = malloc((size_t)BATCH * NET_BUF_MIN);
	if (!u->room) {
		let_go(u);
		return VX6_NO_MEMORY;
	}
	for (unsigned i = 0; i < BATCH; i++) {
		u->iov[i].iov_base = u->room + (size_t)i * NET_BUF_MIN;
		u->iov[i].iov_len = NET_BUF_MIN;
		u->pkt[i].iov = &u->iov[i];
		u->pkt[i].iov_cnt = 1;
	}
	st = net_open(&u->sock, opts);
	if (st == VX6_OK)
		st = loop_fd_open(l, u->sock.fd, on_ready, u, &u->watch);
	if (st != VX6_OK) {
		net_close(&u->sock);
		let_go(u);
		return st;
	}
	loop_fd_watch(u->watch, LOOP_READ);
	*out = u;
	return VX6_OK;
}

void loop_udp_close(struct loop_udp *u)
{
	if (!u || u->closed)
		return;
	u->closed = true;
	loop_fd_close(u->watch);
	net_close(&u->sock);
	if (!u->reading)
		let_go(u);
}

unsigned loop_udp_sendv(struct loop_udp *u, struct net_out out[], unsigned n)
{
	unsigned sent = 0;

	while (sent < n && !u->full) {
		unsigned want = n - sent < NET_BATCH ? n - sent : NET_BATCH;
		unsigned took = net_send(&u->sock, out + sent, want);

		sent += took;
		u->full = took < want;
	}
	if (u->full)
		loop_fd_watch(u->watch, LOOP_READ | LOOP_WRITE);
	return sent;
}

bool loop_udp_send(struct loop_udp *u, const struct vx6_addr *from,
		   const struct vx6_addr *to, const uint8_t *data, size_t len,
		   size_t segment, unsigned ecn)
{
	/* net_send does not write through iov_base, which is not const. */
	struct iovec iov = { .iov_len = len };
	struct net_out out = {
		.to = *to,
		.from = *from,
		.iov = &iov,
		.iov_cnt = 1,
		.segment = (uint16_t)(segment < len ? segment : 0),
		.ecn = (uint8_t)(ecn & 3u),
	};

	memcpy(&iov.iov_base, &(const void *){ data }, sizeof(iov.iov_base));
	return loop_udp_sendv(u, &out, 1) == 1;
}

const struct net_sock *loop_udp_sock(const struct loop_udp *u)
{
	return &u->sock;
}
