/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_link_local(const struct vx6_addr *a)
{
	if (vx6_addr_is_v4(a))
		return a->ip[12] == 169 && a->ip[13] == 254;
	return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

void interfaces_each(void (*add)(void *ctx, const struct vx6_addr *a),
		     void *ctx)
{
	struct ifaddrs *all;
	struct vx6_addr a;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
		    vx6_addr_from(&a, i->ifa_addr) != VX6_OK)
			continue;
		a.port = 0;
		if (!vx6_addr_is_loopback(&a) && !is_link_local(&a))
			add(ctx, &a);
	}
	freeifaddrs(all);
}

bool interfaces_has(const struct vx6_addr *a)
{
	struct ifaddrs *all;
	struct vx6_addr b;
	bool has = vx6_addr_is_loopback(a); /* 127/8 has one entry for all */

	if (getifaddrs(&all) != 0)
		return true;
	for (struct ifaddrs *i = all; i && !has; i = i->ifa_next)
		has = i->ifa_addr && (i->ifa_flags & IFF_UP) &&
		      vx6_addr_from(&b, i->ifa_addr) == VX6_OK &&
		      memcmp(a->ip, b.ip, sizeof(b.ip)) == 0;
	freeifaddrs(all);
	return has;
}

/* FNV-1a, 64 bits, over all of them in the kernel's order. */
static void add_to_sum(void *ctx, const struct vx6_addr *a)
{
	uint64_t *sum = ctx;

	for (unsigned i = 0; i < sizeof(a->ip); i++)
		*sum = (*sum ^ a->ip[i]) * UINT64_C(0x100000001b3);
}

static uint64_t sum_of_all(void)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	interfaces_each(add_to_sum, &sum);
	return sum;
}

static void on_settled(void *ctx)
{
	struct interfaces *w = ctx;
	uint64_t sum = sum_of_all();
	bool others = sum != w->sum;

	w->first_ns = 0;
	w->sum = sum;
	w->changed(w->ctx, others);
}

/* Lost messages (ENOBUFS) say as much as those that came. */
static void on_message(void *ctx, unsigned events)
{
	struct interfaces *w = ctx;
	uint64_t now = loop_now(w->loop), due = now + INTERFACES_SETTLE_NS;
	uint8_t text[8192];
	bool any = false;

	(void)events;
	for (;;) {
		ssize_t len = recv(w->fd, text, sizeof(text), MSG_DONTWAIT);

		if (len < 0 && errno != ENOBUFS && errno != EINTR)
			break;
		any = true;
	}
	if (!any)
		return;
	if (w->first_ns == 0)
		w->first_ns = now;
	if (due > w->first_ns + INTERFACES_LATEST_NS)
		due = w->first_ns + INTERFACES_LATEST_NS;
	loop_timer_set(&w->settle, due);
}

static enum vx6_status open_socket(struct interfaces *w)
{
	struct sockaddr_nl at = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			     RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};

	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_ROUTE);
	if (w->fd < 0)
		return VX6_SYS;
	if (bind(w->fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		return VX6_SYS;
	return loop_fd_open(w->loop, w->fd, on_message, w, &w->watch);
}

enum vx6_status interfaces_watch(struct interfaces *w, struct loop *loop,
				 void (*changed)(void *ctx, bool addresses),
				 void *ctx)
{
	enum vx6_status st;

	*w = (struct interfaces){
		.loop = loop,
		.sum = sum_of_all(),
		.changed = changed,
		.ctx = ctx,
	};
	loop_timer_init(&w->settle, loop, on_settled, w);
	st = open_socket(w);
	if (st == VX6_OK)
		loop_fd_watch(w->watch, LOOP_READ);
	else
		interfaces_close(w);
	return st;
}

void interfaces_close(struct interfaces *w)
{
	int why = errno;

	if (!w->loop)
		return;
	loop_timer_clear(&w->settle);
	loop_fd_close(w->watch);
	if (w->fd >= 0)
		close(w->fd);
	*w = (struct interfaces){ .fd = -1 };
	errno = why;
}
