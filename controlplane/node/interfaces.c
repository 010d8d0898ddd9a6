/* SPDX-License-Identifier: GPL-2.0-or-later */

/* interfaces: which addresses of this host others may reach it at. */

#include <ifaddrs.h>
#include <net/if.h>

#include "controlplane/node/node.h"

static bool is_link_local(const struct vx6_addr *a)
{
	if (vx6_addr_is_v4(a))
		return a->ip[12] == 169 && a->ip[13] == 254;
	return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

void node_interfaces(uint16_t port, struct node *n, struct node_record *rec,
		     void (*add)(struct node *n, struct node_record *rec,
				 const struct vx6_addr *a))
{
	struct ifaddrs *all;
	struct vx6_addr a;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
		    vx6_addr_from(&a, i->ifa_addr) != VX6_OK)
			continue;
		if (vx6_addr_is_loopback(&a) || is_link_local(&a))
			continue;
		a.port = port;
		add(n, rec, &a);
	}
	freeifaddrs(all);
}
