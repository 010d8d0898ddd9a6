/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl: messages that the kernel sends, that it might send, and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/rand.h"
#include "dataplane/port/rtnl.h"

#define ROOM 4096u

static struct rtnl r;
static struct vx6_rand rnd;
static VX6_ALIGNED(8) uint8_t buf[ROOM];
static struct rtnl_msg m;

static struct nlmsghdr *begin(uint16_t type, const void *head, size_t len)
{
	struct nlmsghdr *h;

	memset(buf, 0, sizeof(buf));
	h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(h, len), head, len);
	if (len % 4 != 0) /* cut short, where libmnl would round up */
		h->nlmsg_len -= (uint32_t)(4 - len % 4);
	return h;
}

static enum rtnl_kind parse(const struct nlmsghdr *h)
{
	assert_int_equal(rtnl_parse(&m, h, h->nlmsg_len), h->nlmsg_len);
	return m.kind;
}

/* Parses a copy that ends where it ends, for the sanitizer to see. */
static size_t parse_exactly(const void *p, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);
	size_t size;

	assert_non_null(copy);
	memcpy(copy, p, len);
	size = rtnl_parse(&m, copy, len);
	free(copy);
	assert_true(size <= len);
	assert_true(m.kind <= RTNL_REFUSED);
	if (m.kind == RTNL_LINK) {
		assert_non_null(memchr(m.link.name, 0, sizeof(m.link.name)));
		assert_true(m.link.ifindex != 0);
	}
	if (m.kind == RTNL_ROUTE) {
		assert_true(m.route.oif_cnt <= RTNL_OIFS);
		assert_true(m.route.bits <= 128);
	}
	return size;
}

/* ---- what the kernel says ---- */

/* Takes a dump, hands each message to `each`; how many of the kind. */
static unsigned dump(enum rtnl_kind kind, bool v4,
		     void (*each)(const uint8_t *p, size_t len))
{
	unsigned cnt = 0;

	assert_true(rtnl_dump(&r, 77, kind, v4));
	for (;;) {
		long len = rtnl_recv(&r);
		size_t at = 0, size;

		assert_true(len > 0);
		while ((size = rtnl_parse(&m, r.buf + at, (size_t)len - at)) >
		       0) {
			if (rtnl_is_answer(&r, &m)) {
				assert_int_equal(m.seq, 77);
				if (m.kind == RTNL_DONE)
					return cnt;
				cnt += m.kind == kind;
			}
			each(r.buf + at, size);
			at += size;
		}
		assert_int_equal(at, len);
	}
}

static void nothing(const uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
}

/* Cut anywhere, and with any bit the other way round. */
static void spoil(const uint8_t *p, size_t len)
{
	uint8_t copy[ROOM];

	if (len > sizeof(copy))
		return;
	for (size_t i = 0; i < len; i++)
		(void)parse_exactly(p, i);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned bits = 1 + vx6_rand_below(&rnd, 4);

		memcpy(copy, p, len);
		while (bits-- > 0)
			copy[vx6_rand_below(&rnd, (uint32_t)len)] ^=
				(uint8_t)(1u << vx6_rand_below(&rnd, 8));
		(void)parse_exactly(copy, len);
	}
}

static void what_the_kernel_says_is_understood(void **state)
{
	(void)state;
	assert_int_equal(rtnl_open(&r), VX6_OK);
	assert_int_equal(rtnl_recv(&r), 0);                /* does not wait */
	assert_true(dump(RTNL_LINK, false, nothing) >= 1); /* lo at least */
	(void)dump(RTNL_ADDR, false, nothing);
	(void)dump(RTNL_ROUTE, true, nothing);
	(void)dump(RTNL_ROUTE, false, nothing);
	rtnl_close(&r);
	rtnl_close(&r);
}

static void what_is_spoiled_is_harmless(void **state)
{
	(void)state;
	assert_int_equal(rtnl_open(&r), VX6_OK);
	(void)dump(RTNL_LINK, false, spoil);
	(void)dump(RTNL_ADDR, false, spoil);
	(void)dump(RTNL_ROUTE, true, spoil);
	(void)dump(RTNL_ROUTE, false, spoil);
	rtnl_close(&r);
}

static void garbage_is_harmless(void **state)
{
	static const uint16_t types[] = {
		NLMSG_DONE,   NLMSG_ERROR,  RTM_NEWLINK,  RTM_DELLINK,
		RTM_NEWADDR,  RTM_DELADDR,  RTM_NEWNEIGH, RTM_DELNEIGH,
		RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWRULE,  RTM_NEWNEXTHOP,
	};
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		size_t len = vx6_rand_below(&rnd, 200), size;
		struct nlmsghdr h;

		vx6_rand_fill(&rnd, buf, len);
		if (len >= sizeof(h) && i % 8 != 0) {
			memcpy(&h, buf, sizeof(h));
			h.nlmsg_len = (uint32_t)len;
			h.nlmsg_type = types[i % VX6_COUNT(types)];
			memcpy(buf, &h, sizeof(h));
			/* the first byte behind it is the family */
			if (len > sizeof(h))
				buf[sizeof(h)] = i & 16 ? AF_INET : AF_INET6;
		}
		size = parse_exactly(buf, len);
		if (len < sizeof(h))
			assert_int_equal(size, 0);
		known += m.kind != RTNL_OTHER;
	}
	assert_true(known > 1000);
}

static void lengths_of_messages(void **state)
{
	struct nlmsghdr h = { .nlmsg_len = sizeof(h),
			      .nlmsg_type = RTM_NEWRULE };
	static const uint32_t bad[] = { 0,          15,         33,
					0x7fffffff, 0x80000000, 0x80000010,
					0xffffffff };

	(void)state;
	memset(buf, 0, sizeof(buf));
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(parse_exactly(buf, 32), 16);
	assert_int_equal(m.kind, RTNL_POLICY);
	assert_int_equal(parse_exactly(buf, 15), 0);
	assert_int_equal(parse_exactly(buf, 0), 0);
	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		h.nlmsg_len = bad[i];
		memcpy(buf, &h, sizeof(h));
		assert_int_equal(parse_exactly(buf, 32), 0);
		assert_int_equal(m.kind, RTNL_OTHER);
	}
	h.nlmsg_len = 17; /* to the next one, which is aligned */
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(parse_exactly(buf, 32), 20);
	assert_int_equal(parse_exactly(buf, 17), 17);
}

/* ---- what it might say ---- */

static void links(void **state)
{
	struct ifinfomsg i = { .ifi_index = 7, .ifi_flags = 1 };
	struct nlmsghdr *h = begin(RTM_NEWLINK, &i, sizeof(i));

	(void)state;
	mnl_attr_put_strz(h, IFLA_IFNAME, "fifteen-letters");
	mnl_attr_put(h, IFLA_ADDRESS, 6, "\2\0\0\0\0\1");
	mnl_attr_put_u32(h, IFLA_MTU, 1400);
	mnl_attr_put_u32(h, 60000, 1); /* of a later kernel */
	assert_int_equal(parse(h), RTNL_LINK);
	assert_string_equal(m.link.name, "fifteen-letters");
	assert_true(m.link.has_mac && m.link.has_mtu && !m.gone);
	assert_int_equal(m.link.mtu, 1400);
	h->nlmsg_type = RTM_DELLINK;
	assert_int_equal(parse(h), RTNL_LINK);
	assert_true(m.gone);
	/* a bridge lost a port: the interface is there still */
	i.ifi_family = AF_BRIDGE;
	assert_int_equal(parse(begin(RTM_DELLINK, &i, sizeof(i))), RTNL_OTHER);
	i = (struct ifinfomsg){ .ifi_index = -1 };
	assert_int_equal(parse(begin(RTM_NEWLINK, &i, sizeof(i))), RTNL_OTHER);
	i.ifi_index = 7;
	h = begin(RTM_NEWLINK, &i, sizeof(i));
	mnl_attr_put(h, IFLA_IFNAME, 16, "sixteen-letters!"); /* no NUL */
	mnl_attr_put(h, IFLA_ADDRESS, 20, "infiniband's address");
	mnl_attr_put_u16(h, IFLA_MTU, 1400);
	assert_int_equal(parse(h), RTNL_LINK);
	assert_true(!m.link.has_name && !m.link.has_mac && !m.link.has_mtu);
	h = begin(RTM_NEWLINK, &i, sizeof(i));
	mnl_attr_put_strz(h, IFLA_IFNAME, "seventeen-letters");
	assert_int_equal(parse(h), RTNL_LINK);
	assert_false(m.link.has_name);
	assert_int_equal(parse(begin(RTM_NEWLINK, &i, sizeof(i) - 1)),
			 RTNL_OTHER);
}

static void neighbours(void **state)
{
	struct ndmsg n = { .ndm_family = AF_INET,
			   .ndm_ifindex = 3,
			   .ndm_state = NUD_STALE };
	static const uint8_t ip[16] = { [10] = 0xff, 0xff, 10, 8, 0, 2 };
	struct nlmsghdr *h = begin(RTM_NEWNEIGH, &n, sizeof(n));

	(void)state;
	mnl_attr_put(h, NDA_DST, 4, ip + 12);
	mnl_attr_put(h, NDA_LLADDR, 6, "\2\0\0\0\0\1");
	assert_int_equal(parse(h), RTNL_NEIGH);
	assert_memory_equal(m.neigh.ip, ip, 16);
	assert_true(m.neigh.has_mac);
	assert_int_equal(m.neigh.state, NUD_STALE);
	/* the address of a proxy, a bridge's table, another's length */
	n.ndm_flags = NTF_PROXY;
	memcpy(buf + sizeof(*h), &n, sizeof(n));
	assert_int_equal(parse(h), RTNL_OTHER);
	n.ndm_flags = 0;
	n.ndm_family = AF_BRIDGE;
	memcpy(buf + sizeof(*h), &n, sizeof(n));
	assert_int_equal(parse(h), RTNL_OTHER);
	n.ndm_family = AF_INET6;
	memcpy(buf + sizeof(*h), &n, sizeof(n));
	assert_int_equal(parse(h), RTNL_OTHER);
	h = begin(RTM_NEWNEIGH, &n, sizeof(n));
	mnl_attr_put(h, NDA_DST, 16, ip);
	mnl_attr_put(h, NDA_LLADDR, 4, "\2\0\0\1"); /* a tunnel's */
	assert_int_equal(parse(h), RTNL_NEIGH);
	assert_false(m.neigh.has_mac);
}

static struct nlmsghdr *route(uint8_t family, uint8_t bits)
{
	struct rtmsg rt = { .rtm_family = family,
			    .rtm_dst_len = bits,
			    .rtm_type = RTN_UNICAST };
	struct nlmsghdr *h = begin(RTM_NEWROUTE, &rt, sizeof(rt));

	if (bits != 0)
		mnl_attr_put(h, RTA_DST, family == AF_INET ? 4 : 16,
			     "\12\11\0\0............");
	mnl_attr_put_u32(h, RTA_OIF, 3);
	return h;
}

static void gateways(void **state)
{
	static const uint8_t via6[18] = { AF_INET6, 0, 0xfd, 8, [17] = 2 };
	static const uint8_t ip[16] = { [10] = 0xff, 0xff, 10, 8, 0, 2 };
	struct nlmsghdr *h = route(AF_INET, 16);

	(void)state;
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_true(!m.route.has_gateway && !m.route.odd && m.route.v4);
	assert_int_equal(m.route.bits, 112);
	assert_int_equal(m.route.oif_cnt, 1);
	mnl_attr_put(h, RTA_GATEWAY, 4, ip + 12);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_true(m.route.has_gateway && !m.route.odd);
	assert_memory_equal(m.route.gateway, ip, 16);
	h = route(AF_INET, 16);
	mnl_attr_put(h, RTA_VIA, sizeof(via6), via6);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_true(m.route.has_gateway && !m.route.odd);
	assert_memory_equal(m.route.gateway, via6 + 2, 16);
	/* one that cannot be read must not become "on the link" */
	for (size_t len = 0; len < sizeof(via6); len++) {
		h = route(AF_INET, 16);
		mnl_attr_put(h, RTA_VIA, len, via6);
		assert_int_equal(parse(h), RTNL_ROUTE);
		assert_true(!m.route.has_gateway && m.route.odd);
	}
	h = route(AF_INET6, 16);
	mnl_attr_put(h, RTA_GATEWAY, 4, ip + 12);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_true(!m.route.has_gateway && m.route.odd);
}

static void routes(void **state)
{
	struct nlmsghdr *h = route(AF_INET6, 64);
	struct nlattr *nest = mnl_attr_nest_start(h, RTA_METRICS);

	(void)state;
	mnl_attr_put_u32(h, RTAX_MTU, 1333);
	mnl_attr_nest_end(h, nest);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_int_equal(m.route.mtu, 1333);
	assert_int_equal(m.route.bits, 64);
	mnl_attr_put_u16(h, RTA_ENCAP_TYPE, 1);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_true(m.route.odd);
	/* a prefix without its address, or longer than it */
	h = route(AF_INET, 0);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_int_equal(m.route.bits, 96);
	buf[sizeof(*h) + 1] = 1;
	assert_int_equal(parse(h), RTNL_OTHER);
	assert_int_equal(parse(route(AF_INET, 33)), RTNL_OTHER);
	assert_int_equal(parse(route(AF_INET6, 129)), RTNL_OTHER);
	assert_int_equal(parse(route(AF_BRIDGE, 0)), RTNL_OTHER);
}

static void next_hops(void **state)
{
	struct rtnexthop nh[RTNL_OIFS + 2] = { 0 };
	struct nlmsghdr *h;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(nh); i++)
		nh[i] = (struct rtnexthop){ .rtnh_len = sizeof(nh[i]),
					    .rtnh_ifindex = (int)i + 10 };
	h = route(AF_INET, 0);
	mnl_attr_put(h, RTA_MULTIPATH, 2 * sizeof(nh[0]), nh);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_int_equal(m.route.oif_cnt, 3);
	assert_int_equal(m.route.oif[2], 11);
	h = route(AF_INET, 0);
	mnl_attr_put(h, RTA_MULTIPATH, sizeof(nh), nh);
	assert_int_equal(parse(h), RTNL_ROUTE);
	assert_int_equal(m.route.oif_cnt, RTNL_OIFS);
	/* lengths that would go on for ever, or beyond the end */
	for (unsigned len = 0; len < 40; len++) {
		nh[1].rtnh_len = (uint16_t)(len < 20 ? len : 65496 + len);
		h = route(AF_INET, 0);
		mnl_attr_put(h, RTA_MULTIPATH, 2 * sizeof(nh[0]), nh);
		assert_int_equal(parse_exactly(h, h->nlmsg_len), h->nlmsg_len);
		assert_int_equal(m.route.oif_cnt, len == sizeof(nh[0]) ? 3 : 2);
	}
}

static void refusals(void **state)
{
	int error = -ENETUNREACH;
	struct nlmsghdr *h = begin(NLMSG_ERROR, &error, sizeof(error));

	(void)state;
	assert_int_equal(parse(h), RTNL_REFUSED);
	assert_int_equal(m.error, ENETUNREACH);
	assert_int_equal(parse(begin(NLMSG_ERROR, &error, 3)), RTNL_OTHER);
	assert_int_equal(parse(begin(NLMSG_DONE, &error, 0)), RTNL_DONE);
	assert_int_equal(m.error, 0);
	error = INT32_MIN;
	assert_int_equal(parse(begin(NLMSG_DONE, &error, 4)), RTNL_DONE);
	assert_int_equal(m.error, 0);
	h = begin(NLMSG_DONE, &error, 4);
	h->nlmsg_flags = NLM_F_DUMP_INTR;
	assert_int_equal(parse(h), RTNL_DONE);
	assert_true(m.interrupted);
	/* another's answer is a change to us */
	r.port = 5;
	m.port = 6;
	m.seq = 1;
	assert_false(rtnl_is_answer(&r, &m));
	m.port = 5;
	assert_true(rtnl_is_answer(&r, &m));
	m.seq = 0;
	assert_false(rtnl_is_answer(&r, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_says_is_understood),
		cmocka_unit_test(what_is_spoiled_is_harmless),
		cmocka_unit_test(garbage_is_harmless),
		cmocka_unit_test(lengths_of_messages),
		cmocka_unit_test(links),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(gateways),
		cmocka_unit_test(routes),
		cmocka_unit_test(next_hops),
		cmocka_unit_test(refusals),
	};

	vx6_rand_init(&rnd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
