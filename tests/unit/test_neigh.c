/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh: what the kernel's tables say is what the worker finds, over a veth
 * between two namespaces (tests/support/vethnet.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/rand.h"
#include "tests/support/vethnet.h"

static void mac_there(const char *name, uint8_t mac[6])
{
	char path[] = "/tmp/vx6-neigh-XXXXXX", text[32] = "";
	int fd = mkstemp(path);
	const char *at = text;

	assert_true(fd >= 0);
	vn_here("exec nsenter -t %d -n -- sh -ec 'ip -br link show dev %s' |"
		"awk \"{print \\$3}\" >%s",
		(int)vn.there, name, path);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	(void)unlink(path);
	for (unsigned i = 0; i < 6; i++, at += 3)
		mac[i] = (uint8_t)strtoul(at, NULL, 16);
}

/* ---- tests ---- */

static const struct net {
	const char *here, *there, *beyond, *net, *other;
} nets[] = {
	{ "10.8.0.1", "10.8.0.2", "10.9.0.9", "10.9.0.0/16", "10.8.0.3" },
	{ "fd08::1",  "fd08::2",  "fd09::9",  "fd09::/64",   "fd08::3"  },
};

static void a_neighbour_has_a_way(void **state)
{
	(void)state;
	vn_need();
	vn_attach(3, "v0");
	for (unsigned i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr peer = vn_ip(nets[i].there, 4243);
		struct vx6_addr self = vn_ip(nets[i].here, 0);
		struct neigh_way way;
		uint8_t dst[6];

		assert_false(vn_find(i, &peer, &way));
		vn_settle();
		assert_false(vn_find(i, &peer, &way)); /* not resolved */
		vn_send(&peer);
		until(vn_find(i, &peer, &way));
		mac_there("v0", dst);
		assert_memory_equal(way.dst_mac, dst, 6);
		assert_memory_equal(way.src_mac, vn_if("v0")->mac, 6);
		assert_true(vx6_addr_eq(&way.peer, &peer));
		assert_true(vx6_addr_eq(&way.self, &self));
		assert_int_equal(way.slot, 3);
		assert_int_equal(way.mtu, 1500);
		assert_false(way.renew);
	}
}

static void removed_before_it_returns(void **state)
{
	struct vx6_addr peer;

	(void)state;
	vn_need();
	for (unsigned i = 0; i < VX6_COUNT(nets); i++) {
		peer = vn_ip(nets[i].there, 4243);
		vn_send(&peer);
		assert_false(vn_finds(i, &peer));
		vn_settle();
		assert_false(vn_finds(i, &peer)); /* no interface is attached */
		vn_attach(i, "v0");
		until(vn_finds(i, &peer));
		neigh_if_remove(vn.n, i);
		assert_false(vn_finds(i, &peer));
		vn_settle();
		assert_false(vn_finds(i, &peer));
		vn_attach(7, "v0");
		until(vn_finds(i, &peer));
		neigh_if_remove(vn.n, 7);
	}
}

/* Makes MACs known without anybody's answer. */
static void fix(const char *peer, const char *dev, unsigned no)
{
	vn_here("ip neigh replace %s lladdr 02:00:00:00:00:%02x dev %s "
		"nud permanent",
		peer, no, dev);
}

/* ---- which ways there are none of ---- */

static void none_is_found(const char *const peers[], unsigned n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct vx6_addr a = vn_ip(peers[i], 4243);

		assert_false(vn_finds(i, &a));
	}
}

static void what_is_no_plain_route_has_no_way(void **state)
{
	static const char *const peers[] = {
		"127.0.0.1",       "::1",          "10.8.0.1",  "fd08::1",
		"10.200.0.1",      "fdaa::1",      "10.66.0.1", "fd66::1",
		"255.255.255.255", "224.0.0.251",  "ff02::1",   "fe80::1",
		"10.77.0.1",       "10.8.255.255", "10.88.0.1",
	};
	struct vx6_addr v6 = vn_ip("fd08::1", 4243);
	struct vx6_addr gone = vn_ip("10.8.0.99", 4243);
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_here("ip route add blackhole 10.66.0.0/16;"
		"ip route add unreachable fd66::/64;"
		"ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:77 dev v1;"
		"ip route add 10.77.0.0/16 dev v1;"
		"ip route add 224.0.0.0/4 dev v0;"
		/* where the kernel can */
		"ip route add 10.88.0.0/16 encap ip id 5 dst 10.8.0.2 "
		"dev v0 2>/dev/null || :");
	/* with a MAC, so that nothing but the route speaks against them */
	fix("10.8.255.255", "v0", 1);
	fix("224.0.0.251", "v0", 1);
	fix("10.88.0.1", "v0", 1);
	vn_attach(0, "v0"); /* v1 is not */
	none_is_found(peers, VX6_COUNT(peers));
	/* a source of the other family, and one that is not ours */
	assert_false(neigh_find(vn.n, 100, &peer, &v6, &way));
	assert_false(neigh_find(vn.n, 101, &peer, &gone, &way));
	assert_false(vn_finds(102, &peer));
	vn_here("ip neigh replace 10.8.0.2 lladdr 02:00:00:00:00:02 dev v0");
	until(vn_finds(102, &peer));
	vn_settle();
	none_is_found(peers, VX6_COUNT(peers));
	assert_false(neigh_find(vn.n, 100, &peer, &v6, &way));
	assert_false(neigh_find(vn.n, 101, &peer, &gone, &way));
	/* beyond what there are links for */
	assert_false(vn_finds(VN_LINKS, &peer));
	assert_false(vn_finds(UINT32_MAX, &peer));
}

/* ---- routes ---- */

static unsigned mac_no(const struct neigh_way *way)
{
	static const uint8_t front[5] = { 2 };

	if (memcmp(way->dst_mac, front, sizeof(front)) != 0)
		return 0; /* it was not made by fix */
	return way->dst_mac[5];
}

static bool leads_to(uint32_t link, const struct vx6_addr *peer, unsigned no)
{
	struct neigh_way way;

	return vn_find(link, peer, &way) && mac_no(&way) == no;
}

static void a_gateway_is_the_next_hop(void **state)
{
	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr far = vn_ip(nets[i].beyond, 4243);
		struct vx6_addr self = vn_ip(nets[i].here, 0);
		struct neigh_way way;

		fix(nets[i].there, "v0", 0x10 + i);
		assert_false(vn_finds(i, &far));
		vn_settle();
		assert_false(vn_finds(i, &far));
		vn_here("ip route add %s via %s", nets[i].net, nets[i].there);
		until(vn_find(i, &far, &way));
		assert_int_equal(mac_no(&way), 0x10 + i);
		assert_true(vx6_addr_eq(&way.self, &self));
		assert_true(vx6_addr_eq(&way.peer, &far));
		/* two links, one gateway */
		assert_false(vn_finds(i + 10, &far));
		until(vn_finds(i + 10, &far));
	}
}

static void an_ipv4_route_over_an_ipv6_gateway(void **state)
{
	struct vx6_addr far = vn_ip("10.9.0.9", 4243);

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	fix("fd08::2", "v0", 0x66);
	vn_here("ip route add 10.9.0.0/16 via inet6 fd08::2 dev v0");
	assert_false(vn_finds(0, &far));
	until(leads_to(0, &far, 0x66));
}

static void a_better_route_takes_over(void **state)
{
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_attach(2, "v0");
	vn_attach(5, "v1");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		bool v4 = i == 0;
		const char *other = v4 ? "10.7.0.2" : "fd07::2";
		const char *one = v4 ? "10.9.0.9/32" : "fd09::9/128";
		struct vx6_addr far = vn_ip(nets[i].beyond, 4243);
		struct vx6_addr near = vn_ip(nets[i].there, 4243);

		fix(nets[i].there, "v0", 1);
		fix(other, "v1", 2);
		vn_here("ip route add %s via %s", nets[i].net, nets[i].there);
		assert_false(vn_finds(i, &far));
		until(leads_to(i, &far, 1));
		assert_false(vn_finds(i + 10, &near));
		until(leads_to(i + 10, &near, 1));
		vn_here("ip route add %s via %s", one, other);
		until(vn_find(i, &far, &way) && mac_no(&way) == 2);
		assert_int_equal(way.slot, 5);
		vn_here("ip route del %s", one);
		until(vn_find(i, &far, &way) && mac_no(&way) == 1);
		assert_int_equal(way.slot, 2);
		vn_here("ip route del %s", nets[i].net);
		until(!vn_finds(i, &far));
		assert_true(vn_finds(i + 10, &near));
	}
}

static void a_rule_sends_it_elsewhere(void **state)
{
	struct vx6_addr peer = vn_ip("10.9.0.9", 4243);
	struct vx6_addr mine = vn_ip("10.8.0.1", 4243);
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	vn_attach(1, "v1");
	fix("10.8.0.2", "v0", 1);
	fix("10.7.0.2", "v1", 2);
	vn_here("ip route add 10.9.0.0/16 via 10.8.0.2;"
		"ip route add 10.9.0.0/16 via 10.7.0.2 table 77");
	assert_false(neigh_find(vn.n, 0, &peer, &mine, &way));
	until(neigh_find(vn.n, 0, &peer, &mine, &way));
	assert_int_equal(mac_no(&way), 1);
	/* by source, and by the port of the peer */
	vn_here("ip rule add from 10.8.0.1 ipproto udp dport 4243 lookup 77");
	until(neigh_find(vn.n, 0, &peer, &mine, &way) && mac_no(&way) == 2);
	assert_int_equal(way.self.port, 4243);
	peer.port = 4244;
	until(neigh_find(vn.n, 0, &peer, &mine, &way));
	assert_int_equal(mac_no(&way), 1);
}

static void the_source_is_the_routes_or_the_links(void **state)
{
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		bool v4 = i == 0;
		struct vx6_addr far = vn_ip(nets[i].beyond, 4243);
		struct vx6_addr third = vn_ip(nets[i].other, 0);
		struct vx6_addr first = vn_ip(nets[i].here, 4243);

		fix(nets[i].there, "v0", 1);
		vn_here("ip addr add %s/%d dev v0 %s;"
			"ip route add %s via %s src %s",
			nets[i].other, v4 ? 16 : 64, v4 ? "" : "nodad",
			nets[i].net, nets[i].there, nets[i].other);
		assert_false(vn_find(i, &far, &way));
		until(vn_find(i, &far, &way));
		assert_true(vx6_addr_eq(&way.self, &third));
		/* what was chosen unasked is not yet what is named */
		assert_false(neigh_find(vn.n, i, &far, &third, &way));
		until(neigh_find(vn.n, i, &far, &first, &way));
		assert_true(vx6_addr_eq(&way.self, &first));
		assert_true(vn_find(i, &far, &way)); /* any will do */
		assert_true(vx6_addr_eq(&way.self, &first));
	}
}

static void the_mtu_is_the_smaller(void **state)
{
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr far = vn_ip(nets[i].beyond, 4243);

		fix(nets[i].there, "v0", 1);
		vn_here("ip route add %s via %s mtu 1400", nets[i].net,
			nets[i].there);
		assert_false(vn_finds(i, &far));
		until(vn_find(i, &far, &way));
		assert_int_equal(way.mtu, 1400);
		vn_here("ip route change %s via %s mtu 1350", nets[i].net,
			nets[i].there);
		until(vn_find(i, &far, &way) && way.mtu == 1350);
		vn_here("ip route change %s via %s", nets[i].net,
			nets[i].there);
		until(vn_find(i, &far, &way) && way.mtu == 1500);
		vn_here("ip link set v0 mtu 1320");
		until(vn_find(i, &far, &way) && way.mtu == 1320);
		vn_here("ip link set v0 mtu 1500");
		until(vn_find(i, &far, &way) && way.mtu == 1500);
	}
}

/* An address that is taken away is no source from then on; the kernel alone
 * would still route IPv6 from it. */
static void a_source_that_is_gone_is_none(void **state)
{
	struct neigh_way way;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr peer = vn_ip(nets[i].there, 4243);
		struct vx6_addr self = vn_ip(nets[i].other, 4243);
		int bits = i == 0 ? 16 : 64;

		fix(nets[i].there, "v0", 1);
		assert_false(neigh_find(vn.n, i, &peer, &self, &way));
		vn_settle();
		assert_false(neigh_find(vn.n, i, &peer, &self, &way));
		vn_here("ip addr add %s/%d dev v0 %s", nets[i].other, bits,
			i == 0 ? "" : "nodad");
		until(neigh_find(vn.n, i, &peer, &self, &way));
		vn_here("ip addr del %s/%d dev v0", nets[i].other, bits);
		until(!neigh_find(vn.n, i, &peer, &self, &way));
		vn_settle();
		assert_false(neigh_find(vn.n, i, &peer, &self, &way));
	}
}

/* ---- neighbours ---- */

static void another_mac_is_seen(void **state)
{
	static const uint8_t is[6] = { 2, 0, 0, 0, 0xaa, 1 };

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr peer = vn_ip(nets[i].there, 4243);
		struct neigh_way way = { 0 };

		assert_false(vn_finds(i, &peer));
		vn_send(&peer);
		until(vn_find(i, &peer, &way));
		assert_memory_not_equal(way.dst_mac, is, 6);
		/* the kernel forgets, and resolves anew */
		vn_there("ip link set v0 address 02:00:00:00:aa:01");
		vn_here("ip neigh flush dev v0");
		until(!vn_finds(i, &peer));
		vn_send(&peer);
		until(vn_find(i, &peer, &way));
		assert_memory_equal(way.dst_mac, is, 6);
		vn_there("ip link set v0 address 02:00:00:00:bb:01");
		vn_here("ip neigh flush dev v0");
		vn_settle();
	}
}

static void our_own_mac_is_seen(void **state)
{
	static const uint8_t is[6] = { 2, 0, 0, 0, 0xcc, 1 };
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct neigh_way way = { 0 };

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	fix("10.8.0.2", "v0", 1);
	assert_false(vn_finds(0, &peer));
	until(vn_finds(0, &peer));
	vn_here("ip link set v0 address 02:00:00:00:cc:01");
	fix("10.8.0.2", "v0", 1);
	until(vn_find(0, &peer, &way) && memcmp(way.src_mac, is, 6) == 0);
}

static void only_usable_states_are_used(void **state)
{
	static const struct {
		const char *nud;
		bool usable;
	} states[] = {
		{ "reachable",  true  },
                { "failed",     false },
		{ "stale",      true  },
                { "incomplete", false },
		{ "delay",      true  },
                { "none",       false },
		{ "probe",      true  },
                { "failed",     false },
		{ "noarp",      true  },
                { "failed",     false },
		{ "permanent",  true  },
	};
	struct vx6_addr peer = vn_ip("10.8.0.77", 4243);

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	assert_false(vn_finds(0, &peer));
	for (unsigned i = 0; i < VX6_COUNT(states); i++) {
		vn_here("ip neigh del 10.8.0.77 dev v0 2>/dev/null || :");
		until(!vn_finds(0, &peer));
		vn_here("ip neigh replace 10.8.0.77 dev v0 "
			"lladdr 02:00:00:00:00:07 nud %s",
			states[i].nud);
		if (states[i].usable)
			until(vn_finds(0, &peer));
		vn_settle();
		assert_int_equal(vn_finds(0, &peer), states[i].usable);
	}
}

static bool kernel_says(const char *what)
{
	char command[256];

	(void)snprintf(command, sizeof(command),
		       "ip neigh show dev v0 %s | grep -q .", what);
	return vn_shell(command) == 0;
}

/* The kernel calls the neighbour stale; one frame by the socket, and it asks
 * the neighbour itself. */
static void what_is_stale_is_renewed_once(void **state)
{
	(void)state;
	vn_need();
	vn_attach(0, "v0");
	for (uint32_t i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr peer = vn_ip(nets[i].there, 4243);
		struct neigh_way way = { 0 };

		vn_here("echo 1 >/proc/sys/net/ipv%d/neigh/v0/"
			"delay_first_probe_time",
			i == 0 ? 4 : 6);
		assert_false(vn_finds(i, &peer));
		assert_false(vn_finds(i + 10, &peer));
		vn_send(&peer);
		until(vn_find(i, &peer, &way) && vn_finds(i + 10, &peer));
		assert_false(way.renew);
		vn_here("ip neigh change %s dev v0 nud stale", nets[i].there);
		until(vn_find(i, &peer, &way) && way.renew);
		/* taken once, also for the other links of this neighbour */
		assert_true(vn_find(i, &peer, &way));
		assert_false(way.renew);
		assert_true(vn_find(i + 10, &peer, &way));
		assert_false(way.renew);
		/* that frame was lost: again, but not at once */
		vn_pass(VX6_SEC);
		assert_true(vn_find(i, &peer, &way));
		assert_false(way.renew);
		vn_pass(5 * VX6_SEC);
		assert_true(vn_find(i + 10, &peer, &way));
		assert_true(way.renew);
		/* the kernel sees this one: not again */
		vn_send(&peer);
		vn_pass(5 * VX6_SEC);
		vn_pass(5 * VX6_SEC);
		assert_true(vn_find(i, &peer, &way));
		assert_false(way.renew);
		until(kernel_says(i == 0 ? "10.8.0.2 nud reachable"
					 : "fd08::2 nud reachable"));
		vn_pass(5 * VX6_SEC);
		assert_true(vn_find(i, &peer, &way));
		assert_false(way.renew);
	}
}

static void a_way_made_from_a_stale_one_is_renewed(void **state)
{
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct neigh_way way = { 0 };

	(void)state;
	vn_need();
	vn_here("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:01 dev v0 "
		"nud stale");
	vn_attach(0, "v0");
	assert_false(vn_finds(0, &peer));
	vn_settle();
	assert_true(vn_find(0, &peer, &way));
	assert_true(way.renew);
	assert_true(vn_find(0, &peer, &way));
	assert_false(way.renew);
}

/* ---- interfaces ---- */

static void down_is_no_way(void **state)
{
	struct vx6_addr peer = vn_ip("fd08::2", 4243);

	(void)state;
	vn_need();
	assert_int_equal(neigh_events(vn.n), NEIGH_EV_LINKS | NEIGH_EV_ADDRS);
	vn_attach(0, "v0");
	assert_false(vn_finds(0, &peer));
	vn_send(&peer);
	until(vn_finds(0, &peer));
	vn_settle();
	(void)vn_event(0);
	vn_pass(VX6_SEC);
	assert_int_equal(neigh_events(vn.n), 0);
	/* without carrier the kernel forgets what it learnt, not what it was
	 * told */
	fix("fd08::2", "v0", 1);
	until(leads_to(0, &peer, 1));
	vn_there("ip link set v0 down");
	until(vn_event(NEIGH_EV_LINKS));
	assert_false(vn_finds(0, &peer));
	vn_settle();
	assert_false(vn_finds(0, &peer));
	vn_here("ip neigh del fd08::2 dev v0");
	vn_there("ip link set v0 up");
	until(vn_event(NEIGH_EV_LINKS));
	vn_there("ip addr replace fd08::2/64 dev v0 nodad");
	vn_send(&peer);
	until(vn_finds(0, &peer));
	vn_here("ip link set v0 down");
	until(!vn_finds(0, &peer));
	assert_true(vn_event(NEIGH_EV_LINKS));
	vn_here("ip link set v0 up; ip addr replace fd08::1/64 dev v0 nodad");
	vn_settle();
	vn_send(&peer);
	until(vn_finds(0, &peer));
	vn_here("ip link del v0");
	until(!vn_finds(0, &peer));
	until(vn_event(NEIGH_EV_LINKS));
	vn_settle();
	assert_false(vn_finds(0, &peer));
}

/* ---- many ---- */

static bool has_addr(const char *text)
{
	struct vx6_addr a[64], is = vn_ip(text, 0);
	unsigned cnt = neigh_addrs(vn.n, a, 64);

	for (unsigned i = 0; i < cnt && i < 64; i++)
		if (vx6_addr_eq(&a[i], &is))
			return true;
	return false;
}

/* A burst of changes that does not fit the socket: what it said in between
 * is asked for. */
static void lost_changes_are_asked_for(void **state)
{
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct vx6_addr other = vn_ip("fd07::2", 4243);
	int fd[NEIGH_FDS], size = 4096;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	vn_attach(1, "v1");
	fix("10.8.0.2", "v0", 1);
	fix("fd07::2", "v1", 1);
	assert_false(vn_finds(0, &peer));
	assert_false(vn_finds(1, &other));
	until(vn_finds(0, &peer) && vn_finds(1, &other));
	vn_settle();
	(void)vn_event(0);
	assert_int_equal(neigh_count(vn.n).overruns, 0);
	(void)neigh_fds(vn.n, fd);
	assert_int_equal(
		setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
		0);
	vn_here("for i in $(seq 1 250); do echo neigh add 10.8.1.$i "
		"lladdr 02:00:00:00:00:99 dev v0; done | ip -batch -;"
		"ip link set v1 mtu 1400;"
		"ip addr del fd08::1/64 dev v0;"
		"ip route add default via 10.7.0.2");
	fix("10.8.0.2", "v0", 2);
	fix("fd07::2", "v1", 3);
	until(leads_to(0, &peer, 2) && leads_to(1, &other, 3));
	assert_true(neigh_count(vn.n).overruns > 0);
	until(vn_if("v1")->gateway && !has_addr("fd08::1"));
	assert_int_equal(vn_if("v1")->mtu, 1400);
	assert_int_equal(neigh_events(vn.n), NEIGH_EV_LINKS | NEIGH_EV_ADDRS);
}

/* A question that has no answer is asked again, but not at once. */
static void lost_answers_are_asked_for(void **state)
{
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { .len = 1, .filter = &drop };
	int fd[NEIGH_FDS], off = 0;
	uint64_t asked;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	fix("10.8.0.2", "v0", 1);
	vn_settle();
	(void)neigh_fds(vn.n, fd);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_FILTER,
				    &filter, sizeof(filter)),
			 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_false(vn_finds(i, &peer));
	asked = neigh_count(vn.n).asked;
	vn_pass(1);
	assert_true(neigh_count(vn.n).asked > asked);
	asked = neigh_count(vn.n).asked;
	for (unsigned i = 0; i < 9; i++)
		vn_pass(100 * VX6_MS);
	assert_int_equal(neigh_count(vn.n).asked, asked);
	assert_int_equal(neigh_count(vn.n).lost, 0);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_DETACH_FILTER, &off,
				    sizeof(off)),
			 0);
	assert_true(neigh_due_ns(vn.n) > vn.now_ns);
	vn_pass(neigh_due_ns(vn.n) - vn.now_ns);
	assert_true(neigh_count(vn.n).lost > 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(vn_finds(i, &peer));
}

/* Links that come and go among few neighbours, against a list. */
static void any_links_any_time(void **state)
{
	struct vx6_addr peer[64];
	struct vx6_rand rnd;
	unsigned mac[64] = { 0 };

	(void)state;
	vn_need();
	vx6_rand_init(&rnd);
	vn_attach(0, "v0");
	vn_attach(1, "v1");
	for (uint32_t i = 0; i < 64; i++)
		assert_false(vn_find(i, &(struct vx6_addr){ 0 },
				     &(struct neigh_way){ 0 }));
	for (unsigned round = 0; round < 40; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			unsigned no = 2 + vx6_rand_below(&rnd, 24);
			char text[32];

			if (round > 0 && vx6_rand_below(&rnd, 3) != 0)
				continue;
			(void)snprintf(text, sizeof(text),
				       no & 1 ? "10.8.3.%u" : "fd07::3:%u", no);
			peer[i] = vn_ip(text, 4243);
			mac[i] = no;
			for (unsigned k = 0; k < 3; k++)
				(void)vn_finds(i, &peer[i]);
		}
		if (round == 0)
			for (unsigned no = 2; no < 26; no++)
				vn_here("ip neigh add %s%u dev v%d "
					"lladdr 02:00:00:00:00:%02x",
					no & 1 ? "10.8.3." : "fd07::3:", no,
					no & 1 ? 0 : 1, no);
		if (round % 8 == 3)
			neigh_if_remove(vn.n, 1);
		if (round % 8 == 5)
			vn_attach(1, "v1");
		vn_settle();
		for (uint32_t i = 0; i < 64; i++) {
			bool off = round % 8 == 3 || round % 8 == 4;
			bool v6 = (mac[i] & 1) == 0;

			if (off && v6)
				assert_false(vn_finds(i, &peer[i]));
			else
				assert_true(leads_to(i, &peer[i], mac[i]));
		}
	}
}

/* A question costs one, however many links and frames ask. */
static void asking_is_bounded(void **state)
{
	struct vx6_addr peer = vn_ip("10.8.0.2", 4243);
	struct vx6_addr none = vn_ip("10.222.0.1", 4243);
	uint64_t asked;

	(void)state;
	vn_need();
	vn_attach(0, "v0");
	fix("10.8.0.2", "v0", 1);
	vn_settle();
	asked = neigh_count(vn.n).asked;
	for (unsigned k = 0; k < 1000; k++) {
		(void)vn_finds(0, &peer);
		(void)vn_finds(1, &none);
	}
	vn_pass(1);
	assert_true(vn_finds(0, &peer));
	/* two routes and a neighbour */
	assert_int_equal(neigh_count(vn.n).asked, asked + 3);
	for (unsigned k = 0; k < 1000; k++) {
		(void)vn_finds(1, &none);
		vn_pass(1);
	}
	assert_int_equal(neigh_count(vn.n).asked, asked + 3);
	/* a storm of changes: once in a while, not once a change */
	vn_here("for i in $(seq 1 200); do "
		"echo route add 10.8.0.2/32 dev v0;"
		"echo route del 10.8.0.2/32; done | ip -batch -");
	vn_pass(1);
	vn_pass(1);
	assert_true(neigh_count(vn.n).asked <= asked + 5);
}

static void limits_of_links(void **state)
{
	struct neigh *other = NULL;

	(void)state;
	assert_int_equal(neigh_open(&other, 0), VX6_CONFIG);
	assert_null(other);
	assert_int_equal(neigh_open(&other, 65537), VX6_CONFIG);
	assert_null(other);
	neigh_close(other);
	assert_int_equal(neigh_open(&other, 65536), VX6_OK);
	neigh_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VN_TEST(a_neighbour_has_a_way),
		VN_TEST(removed_before_it_returns),
		VN_TEST(what_is_no_plain_route_has_no_way),
		VN_TEST(a_gateway_is_the_next_hop),
		VN_TEST(an_ipv4_route_over_an_ipv6_gateway),
		VN_TEST(a_better_route_takes_over),
		VN_TEST(a_rule_sends_it_elsewhere),
		VN_TEST(the_source_is_the_routes_or_the_links),
		VN_TEST(a_source_that_is_gone_is_none),
		VN_TEST(the_mtu_is_the_smaller),
		VN_TEST(another_mac_is_seen),
		VN_TEST(our_own_mac_is_seen),
		VN_TEST(only_usable_states_are_used),
		VN_TEST(what_is_stale_is_renewed_once),
		VN_TEST(a_way_made_from_a_stale_one_is_renewed),
		VN_TEST(down_is_no_way),
		VN_TEST(lost_changes_are_asked_for),
		VN_TEST(lost_answers_are_asked_for),
		VN_TEST(any_links_any_time),
		VN_TEST(asking_is_bounded),
		cmocka_unit_test(limits_of_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
