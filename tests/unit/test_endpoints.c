/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoints: IPv6 comes first, in our record and of what is dialled, and a
 * host with many addresses leaves no family out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/node/endpoints.h"
#include "controlplane/node/plane.h"
#include "tests/support/twonet.h"

static struct node node;
static struct plane plane;
static struct node_record rec;

/* As many addresses as are said, IPv4 first as the kernel lists them. */
static void advertise(unsigned v4, unsigned v6)
{
	char text[VX6_ADDR_TEXT];

	memset(&node, 0, sizeof(node));
	memset(&rec, 0, sizeof(rec));
	node.plane = &plane;
	for (unsigned i = 0; i < v4 + v6; i++) {
		snprintf(text, sizeof(text),
			 i < v4 ? "192.0.2.%u:4242" : "[2001:db8::%u]:4242", i);
		assert_int_equal(
			vx6_addr_parse(&node.cfg.control.advertise[i], text),
			VX6_OK);
		node.cfg.control.advertise_cnt++;
	}
	endpoints_fill(&node, &rec);
}

/* What the record has, as it would be dialled. */
static unsigned dialled(struct vx6_addr to[NODE_ENDPOINTS_MAX], unsigned *v6)
{
	unsigned cnt = endpoints_of(&rec, to);

	for (*v6 = 0; *v6 < cnt && !vx6_addr_is_v4(&to[*v6]); ++*v6)
		;
	for (unsigned i = *v6; i < cnt; i++)
		assert_true(vx6_addr_is_v4(&to[i]));
	return cnt;
}

static void ipv6_is_listed_first(void **state)
{
	struct vx6_addr to[NODE_ENDPOINTS_MAX];
	unsigned v6;

	(void)state;
	advertise(2, 2);
	assert_int_equal(rec.endpoint_cnt, 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct vx6_addr *a =
			&node.cfg.control.advertise[(i + 2) % 4];

		assert_memory_equal(rec.endpoint[i].ip, a->ip, 16);
		assert_int_equal(rec.endpoint[i].control_port, a->port);
	}
	assert_int_equal(dialled(to, &v6), 4);
	assert_int_equal(v6, 2);
}

/* The addresses of a host of our own, where it listens on all. */
static unsigned listened(const char *on, unsigned v4, unsigned v6,
			 unsigned *got_v6)
{
	struct vx6_addr to[NODE_ENDPOINTS_MAX];
	char line[256];

	if (!twonet_open(&net))
		skip();
	snprintf(line, sizeof(line),
		 "for i in $(seq %u); do ip addr add 192.0.2.$i/32 dev lo; "
		 "done; for i in $(seq %u); do "
		 "ip addr add 2001:db8::$i/128 dev lo nodad; done",
		 v4, v6);
	twonet_run(&net, false, line);
	advertise(0, 0);
	assert_int_equal(vx6_addr_parse(&node.listen[0], on), VX6_OK);
	node.udp_cnt = 1;
	endpoints_fill(&node, &rec);
	twonet_close(&net);
	return dialled(to, got_v6);
}

static void no_family_is_left_out(void **state)
{
	const unsigned max = NODE_ENDPOINTS_MAX;
	unsigned v6;

	(void)state;
	assert_int_equal(listened("[::]:4242", max + 1, 1, &v6), max);
	assert_int_equal(v6, 1);
	assert_int_equal(listened("[::]:4242", 1, max + 1, &v6), max);
	assert_int_equal(v6, max - 1);
	assert_int_equal(listened("[::]:4242", max + 1, max + 1, &v6), max);
	assert_int_equal(v6, max / 2);
}

static void what_takes_no_ipv6_lists_none(void **state)
{
	unsigned v6;

	(void)state;
	assert_int_equal(listened("0.0.0.0:4242", 2, 2, &v6), 2);
	assert_int_equal(v6, 0);
}

/* Records of others may have any order, and ways that are not ours. */
static void ipv6_is_dialled_first(void **state)
{
	struct vx6_addr to[NODE_ENDPOINTS_MAX];
	struct node_endpoint last;
	unsigned v6;

	(void)state;
	advertise(1, 2);
	last = rec.endpoint[2];
	memmove(&rec.endpoint[1], &rec.endpoint[0], 2 * sizeof(last));
	rec.endpoint[0] = last;
	rec.endpoint[1].transports = 0;
	assert_int_equal(dialled(to, &v6), 2);
	assert_int_equal(v6, 1);
	assert_memory_equal(to[0].ip, rec.endpoint[2].ip, 16);
}

int main(void)
{
	const struct CMUnitTest test[] = {
		cmocka_unit_test(ipv6_is_listed_first),
		cmocka_unit_test(no_family_is_left_out),
		cmocka_unit_test(what_takes_no_ipv6_lists_none),
		cmocka_unit_test(ipv6_is_dialled_first),
	};

	return cmocka_run_group_tests_name("endpoints", test, NULL, NULL);
}
