/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/one_relay.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

struct dp_node node;

void one_open(const struct relay_opts *opts, uint32_t cnt)
{
	assert_true(dp_node_open(&node, opts));
	assert_true(dp_links(&node, cnt));
}

int one_close(void **state)
{
	(void)state;
	assert_true(dp_balanced(&node));
	dp_node_close(&node);
	return 0;
}

void one_add(const struct abi_half *h)
{
	assert_int_equal(relay_half_add(node.relay, h, node.now), VX6_OK);
}

uint64_t one_drops(enum vx6_status st)
{
	return node.relay->n.drop[st];
}

void one_arrives(const uint8_t *p, size_t len, uint32_t from_link)
{
	struct vx6_addr peer = dp_peer(from_link);

	assert_true(port_mem_put(node.port, p, len, &peer));
}

struct net_frame *one_out(void)
{
	unsigned sent;

	assert_true(dp_step(&node, &sent));
	assert_true(sent <= 1);
	return sent == 1 ? port_mem_get(node.port) : NULL;
}

void one_give(struct net_frame *f)
{
	port_give(node.port, &f, 1);
}

void one_refuses(const uint8_t *p, size_t len, uint32_t from_link,
		 enum vx6_status why)
{
	uint64_t before = one_drops(why);

	one_arrives(p, len, from_link);
	assert_null(one_out());
	assert_int_equal(one_drops(why), before + 1);
}

struct worker *one_worker(void)
{
	const struct worker_opts o = { .cpu = WORKER_ANY_CPU };
	struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof(*w));

	assert_non_null(w);
	assert_int_equal(worker_init(w, &o, node.port, node.relay), VX6_OK);
	return w;
}

void one_worker_end(struct worker *w)
{
	worker_free(w);
	assert_int_equal(node.port->pool_cnt, node.frames);
	free(w);
	dp_node_close(&node);
}
