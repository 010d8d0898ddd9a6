/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/host.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void host_open(struct host *h)
{
	*h = (struct host){ 0 };
	h->ask_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (h->ask_fd < 0)
		h->ask_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void host_close(struct host *h)
{
	if (h->ask_fd >= 0)
		(void)close(h->ask_fd);
	h->ask_fd = -1;
}

/* ---- links ---- */

static struct host_if *if_of(struct host *h, unsigned ifindex)
{
	for (unsigned i = 0; i < h->if_cnt; i++)
		if (h->iface[i].is.ifindex == ifindex)
			return &h->iface[i];
	return NULL;
}

const struct neigh_if *host_find(const struct host *h, unsigned ifindex)
{
	for (unsigned i = 0; i < h->if_cnt; i++)
		if (h->iface[i].is.ifindex == ifindex)
			return &h->iface[i].is;
	return NULL;
}

static void if_forget(struct host *h, struct host_if *i)
{
	*i = h->iface[--h->if_cnt];
	h->events |= NEIGH_EV_LINKS;
}

static struct host_if *if_make(struct host *h, unsigned ifindex)
{
	struct host_if *i;

	if (h->if_cnt == HOST_IFS) {
		h->no_room++;
		return NULL;
	}
	i = &h->iface[h->if_cnt++];
	*i = (struct host_if){ .is.ifindex = ifindex };
	return i;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static bool same(const struct neigh_if *a, const struct neigh_if *b)
{
	return memcmp(a->name, b->name, sizeof(a->name)) == 0 &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->up == b->up &&
	       a->ethernet == b->ethernet && a->mtu == b->mtu &&
	       a->queues == b->queues;
}

bool host_link(struct host *h, const struct rtnl_msg *m)
{
	const struct rtnl_link *l = &m->link;
	struct host_if *i = if_of(h, l->ifindex);
	struct neigh_if was;

	if (m->gone) {
		if (i != NULL)
			if_forget(h, i);
		return i != NULL;
	}
	if (i == NULL) {
		i = if_make(h, l->ifindex);
		if (i == NULL)
			return false;
	}
	was = i->is;
	i->seen = true;
	i->is.up = (l->flags & IFF_UP) && (l->flags & IFF_LOWER_UP);
	i->is.ethernet = l->type == ARPHRD_ETHER && !(l->flags & IFF_LOOPBACK);
	if (l->has_name)
		memcpy(i->is.name, l->name, sizeof(i->is.name));
	if (l->has_mac)
		memcpy(i->is.mac, l->mac, sizeof(i->is.mac));
	if (l->has_mtu)
		i->is.mtu = l->mtu;
	if (l->rx_queues != 0)
		i->is.queues = larger(l->rx_queues, l->tx_queues);
	if (same(&was, &i->is))
		return false;
	h->events |= NEIGH_EV_LINKS;
	return true;
}

/* ---- addresses ---- */

static bool is_unicast(const struct vx6_addr *a)
{
	const uint8_t *p = a->ip;

	if (vx6_addr_is_none(a) || vx6_addr_is_loopback(a))
		return false;
	if (vx6_addr_is_v4(a))
		return p[12] != 0 && p[12] < 224;
	return p[0] != 0xff;
}

static struct host_addr *addr_of(struct host *h, unsigned ifindex,
				 const uint8_t ip[16])
{
	for (unsigned i = 0; i < h->addr_cnt; i++)
		if (h->addr[i].ifindex == ifindex &&
		    memcmp(h->addr[i].is.ip, ip, 16) == 0)
			return &h->addr[i];
	return NULL;
}

bool host_has(const struct host *h, const struct vx6_addr *a)
{
	for (unsigned i = 0; i < h->addr_cnt; i++)
		if (h->addr[i].usable &&
		    memcmp(h->addr[i].is.ip, a->ip, sizeof(a->ip)) == 0)
			return true;
	return false;
}

static void addr_forget(struct host *h, struct host_addr *a)
{
	if (a->usable)
		h->events |= NEIGH_EV_ADDRS;
	*a = h->addr[--h->addr_cnt];
}

static bool is_usable(uint32_t flags)
{
	if (flags & IFA_F_DADFAILED)
		return false;
	return !(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC);
}

bool host_addr(struct host *h, const struct rtnl_msg *m)
{
	struct host_addr *a = addr_of(h, m->addr.ifindex, m->addr.ip);
	struct host_addr is = { .ifindex = m->addr.ifindex,
				.flags = m->addr.flags,
				.usable = is_usable(m->addr.flags),
				.seen = true };
	bool changes = a == NULL || a->flags != is.flags;

	memcpy(is.is.ip, m->addr.ip, sizeof(is.is.ip));
	if (m->gone) {
		if (a != NULL)
			addr_forget(h, a);
		return a != NULL;
	}
	if (!is_unicast(&is.is))
		return false;
	if (a == NULL) {
		if (h->addr_cnt == HOST_ADDRS) {
			h->no_room++;
			return false;
		}
		a = &h->addr[h->addr_cnt++];
		a->usable = false;
	}
	if (a->usable != is.usable)
		h->events |= NEIGH_EV_ADDRS;
	*a = is;
	return changes;
}

/* ---- default routes ---- */

bool host_is_default(const struct rtnl_route *r)
{
	return r->bits == (r->v4 ? 96 : 0) && r->type == RTN_UNICAST &&
	       r->table == RT_TABLE_MAIN;
}

void host_route(struct host *h, const struct rtnl_route *r)
{
	if (!host_is_default(r))
		return;
	for (unsigned k = 0; k < r->oif_cnt; k++) {
		struct host_if *i = if_of(h, r->oif[k]);

		if (i != NULL)
			i->gateway_seen = true;
	}
}

/* ---- dumps ---- */

void host_mark(struct host *h, enum rtnl_kind kind)
{
	for (unsigned i = 0; i < h->if_cnt; i++) {
		if (kind == RTNL_LINK)
			h->iface[i].seen = false;
		if (kind == RTNL_ROUTE)
			h->iface[i].gateway_seen = false;
	}
	for (unsigned i = 0; kind == RTNL_ADDR && i < h->addr_cnt; i++)
		h->addr[i].seen = false;
}

static void sweep_gateways(struct host *h)
{
	for (unsigned i = 0; i < h->if_cnt; i++) {
		if (h->iface[i].is.gateway != h->iface[i].gateway_seen)
			h->events |= NEIGH_EV_LINKS;
		h->iface[i].is.gateway = h->iface[i].gateway_seen;
	}
}

/* Backwards, because the last one takes a forgotten one's place. */
void host_sweep(struct host *h, enum rtnl_kind kind)
{
	if (kind == RTNL_ROUTE)
		sweep_gateways(h);
	for (unsigned i = h->if_cnt; kind == RTNL_LINK && i-- > 0;)
		if (!h->iface[i].seen)
			if_forget(h, &h->iface[i]);
	for (unsigned i = h->addr_cnt; kind == RTNL_ADDR && i-- > 0;)
		if (!h->addr[i].seen)
			addr_forget(h, &h->addr[i]);
}

/* ---- lists ---- */

/* How many queues are in use now, which the link message does not say; 0
 * where the driver does not tell. */
static uint32_t channels(const struct host *h, const char *name)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_data = (char *)&c };

	memcpy(r.ifr_name, name, sizeof(r.ifr_name));
	if (h->ask_fd < 0 || ioctl(h->ask_fd, SIOCETHTOOL, &r) != 0)
		return 0;
	return larger(c.rx_count, c.tx_count) + c.combined_count;
}

unsigned host_if_list(const struct host *h, struct neigh_if out[], unsigned max)
{
	for (unsigned i = 0; i < h->if_cnt && i < max; i++) {
		uint32_t used = channels(h, h->iface[i].is.name);

		out[i] = h->iface[i].is;
		if (used != 0)
			out[i].queues = used;
		if (out[i].queues == 0)
			out[i].queues = 1;
	}
	return h->if_cnt;
}

unsigned host_addr_list(const struct host *h, struct vx6_addr out[],
			unsigned max)
{
	unsigned cnt = 0;

	for (unsigned i = 0; i < h->addr_cnt; i++) {
		const struct vx6_addr *a = &h->addr[i].is;
		bool twice = false;

		for (unsigned k = 0; k < i && !twice; k++)
			twice = h->addr[k].usable &&
				vx6_addr_eq(a, &h->addr[k].is);
		if (!h->addr[i].usable || twice)
			continue;
		if (cnt < max)
			out[cnt] = *a;
		cnt++;
	}
	return cnt;
}
