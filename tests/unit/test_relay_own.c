/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay's cells that are not relayed: handed up, handed down, probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/one_relay.h"

#define LOC 0x00300007u
#define OUT 0xabcd1234u /* the neighbour's id on the way out */

static struct abi_half loc;

static int set_up(void **state)
{
	const struct relay_opts o = { 0 };

	(void)state;
	one_open(&o, 3);
	loc = dp_half(ABI_HALF_LOCAL, LOC, 1, 0, 0);
	one_add(&loc);
	return 0;
}

static void local_cells_go_up_unopened(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[300];
	struct dp_cell c = { .ctr = loc.start_rx + 4,
			     .circ = LOC,
			     .kind = VX6_KIND_DATA };
	struct vx6_cell got = { 0 };
	unsigned sent;

	(void)state;
	memset(t, 0x77, sizeof(t));
	for (unsigned kind = VX6_KIND_DATA; kind <= VX6_KIND_DROP; kind++) {
		const struct dp_up *u = &node.up[kind - 1];

		c.kind = (uint8_t)kind;
		one_arrives(p, dp_raw(p, 1, &c, t, sizeof(t)), 1);
		assert_true(dp_step(&node, &sent));
		assert_int_equal(sent, 0);
		assert_int_equal(node.up_cnt, kind);
		assert_int_equal(u->link, 1);
		assert_int_equal(u->len, 316);
		assert_int_equal(vx6_cell_parse(&got, u->data, u->len), VX6_OK);
		assert_int_equal(got.circ, LOC);
		assert_int_equal(got.ctr, c.ctr);
		assert_int_equal(got.kind, kind);
		assert_memory_equal(u->data + 16, t, sizeof(t));
	}
	c.ctr = loc.start_rx + VX6_CTR_SPAN;
	one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 1, VX6_OUT_OF_RANGE);
	c.ctr = loc.start_rx - 1;
	one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 1, VX6_OUT_OF_RANGE);
	c.ctr = loc.start_rx;
	c.size = 1232;
	one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 1, VX6_BAD_SIZE);
}

/* Takes a frame and writes H8 | C as vx6d would. */
static struct relay_down down_of(size_t len, unsigned kind, uint32_t link,
				 uint16_t cell_size)
{
	struct net_frame *f = port_take(node.port);

	assert_non_null(f);
	vx6_h8_put(f->data, 4711, kind, len);
	memset(f->data + 8, 0x66, len);
	f->len = (uint16_t)(8 + len);
	return (struct relay_down){ f, link, OUT + 2, cell_size };
}

static void cells_from_above_are_dressed(void **state)
{
	struct relay_down d[3] = { down_of(500, VX6_KIND_DATA, 1, 0),
				   down_of(500, VX6_KIND_CONTROL, 2, 1452),
				   down_of(16, VX6_KIND_DROP, 3, 1232) };
	static const uint16_t size[3] = { 516, 1452, 1232 };
	unsigned sent;

	(void)state;
	assert_true(dp_down(&node, d, 3, &sent));
	assert_int_equal(sent, 3);
	for (uint32_t i = 0; i < 3; i++) {
		struct net_frame *f = port_mem_get(node.port);
		struct vx6_addr to = dp_peer(i + 1);
		struct vx6_cell c;

		assert_int_equal(f->len, size[i]);
		assert_memory_equal(&f->peer, &to, sizeof(to));
		assert_true(dp_unprotect(f->data, f->len, i + 1, &c));
		assert_int_equal(c.circ, OUT + 2);
		assert_int_equal(c.ctr, 4711);
		assert_int_equal(c.kind, i + 1);
		one_give(f);
	}
	assert_int_equal(node.relay->n.down, 3);
}

static void cells_from_above_are_judged(void **state)
{
	static const struct {
		size_t len;
		unsigned kind;
		uint32_t link;
		uint16_t cell_size;
		enum vx6_status st;
	} row[] = {
		{ 100,  1, 0,        0,    VX6_NO_LINK  },
		{ 100,  1, 9,        0,    VX6_NO_LINK  },
		{ 100,  1, 0xffffff, 0,    VX6_NO_LINK  },
		{ 100,  1, ~0u,      0,    VX6_NO_LINK  },
		{ 15,   1, 1,        0,    VX6_BAD_SIZE },
		{ 1457, 1, 1,        0,    VX6_BAD_SIZE },
		{ 1217, 1, 1,        1232, VX6_BAD_SIZE },
		{ 100,  1, 1,        1000, VX6_BAD_SIZE },
		{ 100,  0, 1,        0,    VX6_BAD_KIND },
		{ 100,  4, 1,        0,    VX6_BAD_KIND },
	};
	struct relay_down d;
	unsigned sent;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		uint64_t before = one_drops(row[i].st);

		d = down_of(row[i].len, row[i].kind, row[i].link,
			    row[i].cell_size);
		assert_true(dp_down(&node, &d, 1, &sent));
		assert_int_equal(sent, 0);
		assert_int_equal(one_drops(row[i].st), before + 1);
	}
	d = down_of(100, 1, 1, 0);
	d.circ = 0;
	assert_true(dp_down(&node, &d, 1, &sent));
	assert_int_equal(one_drops(VX6_NO_CIRCUIT), 1);
	d = down_of(100, 1, 1, 0);
	d.f->len--; /* H8 says more than there is */
	assert_true(dp_down(&node, &d, 1, &sent));
	assert_int_equal(sent, 0);
}

static void a_link_without_address_is_no_route(void **state)
{
	struct abi_link l = dp_link(4);
	struct abi_half f = dp_half(ABI_HALF_FORWARD, 0x00100005u, 1, 4, OUT);
	struct abi_half b = dp_half(ABI_HALF_BACKWARD, 0x00200006u, 2, 4, OUT);
	struct vx6_layer layer = dp_layer(&f);
	struct dp_cell c = { .ctr = f.start_rx,
			     .circ = f.id,
			     .kind = VX6_KIND_DATA };
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX] = { 0 };
	size_t n = 8 + 64;

	(void)state;
	vx6_h8_put(t, 1000, VX6_KIND_DATA, 64);
	l.peer = (struct vx6_addr){ 0 };
	assert_int_equal(relay_link_add(node.relay, &l, node.now), VX6_OK);
	one_add(&f);
	one_add(&b);
	one_refuses(p, dp_seal(p, 1, &layer, &c, t, n), 1, VX6_NO_ROUTE);
	c.circ = b.id;
	c.ctr = b.start_rx;
	one_refuses(p, dp_raw(p, 2, &c, t, 64), 2, VX6_NO_ROUTE);
	/* no counter was spent on it */
	assert_int_equal(node.relay->half[b.id & ABI_IDX_MASK].tx_next,
			 b.start_tx);
}

/* ---- probes: the relay's link and the neighbour's speak to each other */

static void deliver(struct vx6_link *far, uint32_t link,
		    const struct vx6_addr *relay_at, struct vx6_link_out *lo)
{
	struct net_frame *f;

	while ((f = port_mem_get(node.port)) != NULL) {
		struct vx6_cell c;

		if (dp_unprotect(f->data, f->len, link, &c) && c.circ == 0)
			assert_int_equal(vx6_link_probe(far, f->data, f->len,
							relay_at, node.now,
							&node.rnd, lo),
					 VX6_OK);
		one_give(f);
		for (unsigned i = 0; i < lo->n; i++)
			one_arrives(lo->pkt[i].data, lo->pkt[i].len, link);
		lo->n = 0;
	}
}

/* Link 1, the only one of interest, comes up. */
static void bring_up(struct vx6_link *far)
{
	struct abi_link a = dp_far(1);
	const struct vx6_link_setup setup = { .keys = a.keys,
					      .peer = node.port->at,
					      .index = a.index,
					      .peer_index = a.peer_index,
					      .u = a.u };
	struct vx6_link_out lo = { 0 };
	unsigned sent;

	assert_int_equal(relay_link_remove(node.relay, 2), VX6_OK);
	assert_int_equal(relay_link_remove(node.relay, 3), VX6_OK);
	assert_int_equal(vx6_link_init(far, &setup, node.now), VX6_OK);
	assert_true(relay_due(node.relay) <= node.now);
	for (unsigned round = 0; round < 4; round++) {
		assert_true(dp_tick(&node, &sent));
		deliver(far, 1, &node.port->at, &lo);
		assert_true(dp_step(&node, &sent));
		deliver(far, 1, &node.port->at, &lo);
	}
	assert_true(dp_step(&node, &sent)); /* what is under way */
	assert_int_equal(node.relay->link[1].link.state, VX6_LINK_UP);
}

/* How many of the datagrams sent are asks that leave from our address self;
 * all others fail. */
static unsigned asked_from(const struct vx6_addr *self)
{
	struct net_frame *f;
	unsigned n = 0;

	while ((f = port_mem_get(node.port)) != NULL) {
		assert_true(vx6_addr_eq(&f->self, self));
		one_give(f);
		n++;
	}
	return n;
}

static void a_link_is_asked_from_where_we_are(void **state)
{
	const struct vx6_addr any = { 0 };
	struct relay_link *l = &node.relay->link[1];
	struct abi_link change = { .index = 1 };
	struct vx6_addr proved, peer;
	struct vx6_link far;
	unsigned sent, asks = 0;

	(void)state;
	bring_up(&far);
	/* our address, as a datagram's destination told it */
	proved = l->self = dp_peer(77);
	/* another address of ours: at once, from any, and with the note */
	assert_int_equal(relay_link_change(node.relay, &change, node.now),
			 VX6_OK);
	assert_true(relay_due(node.relay) <= node.now);
	assert_true(dp_tick(&node, &sent));
	assert_true(asked_from(&any) >= 1);
	assert_int_equal(l->link.state, VX6_LINK_UP);
	assert_memory_equal(l->note, dp_link(1).note, sizeof(l->note));
	peer = dp_peer(1);
	assert_true(vx6_addr_eq(&l->link.addr, &peer));
	/* nobody said so: the last ask before the end is from any */
	l->self = proved;
	while (l->link.state == VX6_LINK_UP && asks++ < 100) {
		node.now = relay_due(node.relay);
		assert_true(dp_tick(&node, &sent));
		bool last = l->link.unanswered + 1u >= VX6_LINK_ASKS;

		asked_from(last ? &any : &proved);
	}
	assert_int_equal(l->link.state, VX6_LINK_DOWN);
}

static void probes_bring_a_link_up(void **state)
{
	struct vx6_link far;
	const struct abi_msg *m;
	unsigned sent;

	(void)state;
	bring_up(&far);
	m = relay_event(node.relay);
	assert_non_null(m);
	assert_int_equal(m->type, ABI_LINK_EVENT);
	assert_int_equal(m->u.link.index, 1);
	assert_true(m->u.link.events & VX6_LINK_EV_UP);
	assert_int_equal(m->u.link.state, VX6_LINK_UP);
	while (relay_event(node.relay) != NULL)
		relay_event_done(node.relay);
	/* unanswered asks bring it down, and that is said */
	for (unsigned i = 0; i < 100; i++) {
		struct net_frame *f;

		node.now = relay_due(node.relay);
		assert_true(dp_tick(&node, &sent));
		while ((f = port_mem_get(node.port)) != NULL)
			one_give(f);
		if (node.relay->link[1].link.state == VX6_LINK_DOWN)
			break;
	}
	m = relay_event(node.relay);
	while (m != NULL && !(m->u.link.events & VX6_LINK_EV_DOWN)) {
		relay_event_done(node.relay);
		m = relay_event(node.relay);
	}
	assert_true(m != NULL && m->u.link.state == VX6_LINK_DOWN);
}

/* The one noted link, and no other. */
static const struct vx6_addr *noted(uint32_t want)
{
	const struct vx6_addr *addr, *more;
	uint32_t index;

	assert_true(relay_noted(node.relay, &index, &addr));
	assert_int_equal(index, want);
	assert_false(relay_noted(node.relay, &index, &more));
	return addr;
}

static void a_learnt_address_is_noted(void **state)
{
	struct abi_link a = dp_link(2), b = dp_far(2);
	const struct vx6_addr peer = dp_peer(2), none = { 0 };
	const struct vx6_link_setup setup = { .keys = b.keys,
					      .peer = node.port->at,
					      .index = b.index,
					      .peer_index = b.peer_index,
					      .u = b.u };
	struct vx6_link_out lo = { 0 };
	const struct vx6_addr *addr;
	struct vx6_link far;
	uint32_t index;
	unsigned sent;

	(void)state;
	while (relay_noted(node.relay, &index, &addr))
		;
	assert_int_equal(relay_link_remove(node.relay, 2), VX6_OK);
	a.peer = none;
	assert_int_equal(relay_link_add(node.relay, &a, node.now), VX6_OK);
	assert_true(vx6_addr_is_none(noted(2)));
	/* ours is known, which would be noted as well */
	node.relay->link[2].self = node.port->at;
	assert_int_equal(vx6_link_init(&far, &setup, node.now), VX6_OK);
	vx6_link_tick(&far, node.now, &node.rnd, &lo);
	assert_true(lo.n > 0);
	one_arrives(lo.pkt[0].data, lo.pkt[0].len, 2);
	assert_true(dp_step(&node, &sent));
	assert_true(vx6_addr_eq(noted(2), &peer));
	/* what changes nothing is not said */
	one_arrives(lo.pkt[0].data, lo.pkt[0].len, 2);
	assert_true(dp_step(&node, &sent));
	assert_false(relay_noted(node.relay, &index, &addr));
	lo.n = 0;
	deliver(&far, 2, &node.port->at, &lo);
	assert_true(dp_step(&node, &sent));
	deliver(&far, 2, &node.port->at, &lo);
}

static void forged_probes_are_dropped(void **state)
{
	const struct dp_cell c = { .ctr = 5, .kind = VX6_KIND_PROBE };
	static uint8_t p[VX6_CELL_MAX], t[60] = { 0 };

	(void)state;
	one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 1, VX6_BAD_TAG);
	/* also from elsewhere */
	one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 3, VX6_BAD_TAG);
	assert_int_equal(node.relay->probes_in, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, one_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		T(local_cells_go_up_unopened),
		T(cells_from_above_are_dressed),
		T(cells_from_above_are_judged),
		T(a_link_without_address_is_no_route),
		T(probes_bring_a_link_up),
		T(a_link_is_asked_from_where_we_are),
		T(a_learnt_address_is_noted),
		T(forged_probes_are_dropped),
	};

	return cmocka_run_group_tests_name("relay_own", test, NULL, NULL);
}
