/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host: what ip(8) changes is what is listed, and changes are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/vethnet.h"

static bool is_gateway(const char *name)
{
	const struct neigh_if *i = vn_if(name);

	return i != NULL && i->gateway;
}

static void interfaces_are_listed(void **state)
{
	const struct neigh_if *i;
	struct neigh_if one[1];
	unsigned cnt;

	(void)state;
	vn_need();
	cnt = neigh_if_list(vn.n, one, 1);
	assert_true(cnt >= 3);
	assert_int_equal(neigh_if_list(vn.n, one, 0), cnt);
	i = vn_if("lo");
	assert_non_null(i);
	assert_false(i->ethernet);
	i = vn_if("v0");
	assert_non_null(i);
	assert_true(i->ethernet && i->up && !i->gateway);
	assert_int_equal(i->mtu, 1500);
	assert_int_equal(i->queues, 1); /* in use, whatever it could have */
	vn_here("ip link add w0 numrxqueues 3 numtxqueues 2 type veth "
		"peer name w1");
	until(vn_if("w0") != NULL);
	assert_int_equal(vn_if("w0")->queues, 3);
	assert_false(vn_if("w0")->up);
	vn_here("ip link set w1 up; ip link set w0 up");
	until(vn_if("w0")->up);
	vn_here("ip link set w0 name x-fifteen-bytes");
	until(vn_if("x-fifteen-bytes") != NULL);
	assert_null(vn_if("w0"));
	vn_here("ip link del w1");
	until(vn_if("x-fifteen-bytes") == NULL);
	assert_int_equal(neigh_if_list(vn.n, one, 1), cnt);
}

static void default_routes_are_known(void **state)
{
	(void)state;
	vn_need();
	vn_here("ip route add default via 10.8.0.2");
	until(is_gateway("v0"));
	assert_false(is_gateway("v1"));
	(void)vn_event(0);
	vn_here("ip route replace default via 10.7.0.2");
	until(is_gateway("v1") && !is_gateway("v0"));
	assert_true(vn_event(NEIGH_EV_LINKS));
	vn_here("ip -6 route add default nexthop via fd08::2 "
		"nexthop via fd07::2");
	until(is_gateway("v0"));
	vn_here("ip route del default");
	vn_settle();
	assert_true(is_gateway("v0") && is_gateway("v1"));
	vn_here("ip -6 route flush default");
	until(!is_gateway("v0") && !is_gateway("v1"));
	vn_here("ip route add default via 10.7.0.2 table 99;"
		"ip route add 0.0.0.0/1 via 10.8.0.2");
	vn_settle();
	assert_true(!is_gateway("v0") && !is_gateway("v1"));
}

static bool has_addr(const char *text)
{
	struct vx6_addr a[64], is = vn_ip(text, 0);
	unsigned cnt = neigh_addrs(vn.n, a, 64);

	assert_true(cnt <= 64);
	for (unsigned i = 0; i < cnt; i++)
		if (vx6_addr_eq(&a[i], &is))
			return true;
	return false;
}

static void addresses_are_listed(void **state)
{
	struct vx6_addr one[1];
	unsigned cnt;

	(void)state;
	vn_need();
	cnt = neigh_addrs(vn.n, one, 1);
	assert_int_equal(cnt, 5);
	assert_int_equal(neigh_addrs(vn.n, one, 0), 5);
	assert_true(has_addr("10.8.0.1") && has_addr("fd08::1"));
	assert_true(has_addr("10.7.0.1") && has_addr("fd07::1"));
	(void)vn_event(0);
	vn_here("ip addr add 10.99.0.1 peer 10.99.0.2 dev v0");
	until(has_addr("10.99.0.1"));
	assert_false(has_addr("10.99.0.2"));
	assert_true(vn_event(NEIGH_EV_ADDRS));
	/* the same one on two interfaces is one */
	vn_here("ip addr add 10.99.0.1/32 dev lo");
	vn_settle();
	assert_int_equal(neigh_addrs(vn.n, one, 1), 6);
	vn_here("ip addr del 10.99.0.1 peer 10.99.0.2 dev v0");
	vn_settle();
	assert_true(has_addr("10.99.0.1"));
	vn_here("ip addr del 10.99.0.1/32 dev lo");
	until(!has_addr("10.99.0.1"));
	(void)vn_event(0);
	/* one that is still being tried is not ours yet, one that failed
	 * never is */
	vn_there("ip addr add fd08::7/64 dev v0 nodad");
	vn_here("ip addr add fd08::7/64 dev v0");
	until(vn_shell("ip -6 addr show dev v0 dadfailed | grep -q fd08::7") ==
	      0);
	vn_settle();
	assert_false(has_addr("fd08::7"));
	assert_false(vn_event(NEIGH_EV_ADDRS));
	vn_here("ip addr add fd08::8/64 dev v0");
	until(has_addr("fd08::8"));
	assert_true(vn_event(NEIGH_EV_ADDRS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VN_TEST(interfaces_are_listed),
		VN_TEST(default_routes_are_known),
		VN_TEST(addresses_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
