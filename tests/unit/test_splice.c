/* SPDX-License-Identifier: GPL-2.0-or-later */
/* splice: two legs that end here are one way, both directions of it.
 *
 *     client ==== link 1 ==== [ leg a | leg b ] ==== link 2 ==== owner
 *
 * What one end put into its leg comes out of the other, bit for bit, under
 * the other leg's key, id, size and next counter, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/one_relay.h"

struct leg {
	struct abi_half f, b; /* towards us, and back */
	struct vx6_layer lf, lb;
	uint32_t link;
	uint64_t sealed; /* cells that left on it so far */
};

static struct leg leg[2];

static void make_leg(struct leg *l, uint32_t link, unsigned suite)
{
	uint32_t id = link << 20 | link * 8;

	l->link = link;
	l->sealed = 0;
	l->f = dp_half(ABI_HALF_FORWARD, id, link, 0, 0);
	l->b = dp_half(ABI_HALF_BACKWARD, id + 1, 0, link, 0xabc00000 + link);
	if (suite != 0)
		l->f.suite = l->b.suite = (uint8_t)suite;
}

static void add_leg(struct leg *l)
{
	l->lf = dp_layer(&l->f);
	l->lb = dp_layer(&l->b);
	one_add(&l->f);
	one_add(&l->b);
}

static void join(void)
{
	assert_int_equal(relay_splice(node.relay, leg[0].f.id, leg[1].b.id),
			 VX6_OK);
	assert_int_equal(relay_splice(node.relay, leg[1].f.id, leg[0].b.id),
			 VX6_OK);
}

static void remove_legs(void)
{
	struct relay *r = node.relay;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(relay_half_remove(r, leg[i].f.id), VX6_OK);
		assert_int_equal(relay_half_remove(r, leg[i].b.id), VX6_OK);
	}
}

static int set_up(void **state)
{
	const struct relay_opts o = { 0 };

	(void)state;
	one_open(&o, 2);
	for (uint32_t i = 1; i <= 2; i++)
		make_leg(&leg[i - 1], i, 0);
	return 0;
}

static int set_up_joined(void **state)
{
	set_up(state);
	add_leg(&leg[0]);
	add_leg(&leg[1]);
	join();
	return 0;
}

/* What the ends say to each other: their own header, and len bytes. */
static size_t ends_cell(uint8_t *p, uint64_t n, size_t len)
{
	vx6_h8_put(p, 7000 + n, VX6_KIND_DATA, len);
	for (size_t i = 0; i < len; i++)
		p[8 + i] = (uint8_t)(i * 7 + n);
	return 8 + len;
}

static size_t seal_in(uint8_t *out, const struct leg *l, uint64_t n,
		      unsigned kind, const uint8_t *plain, size_t len)
{
	const struct dp_cell c = { .ctr = l->f.start_rx + n,
				   .circ = l->f.id,
				   .size = l->f.cell_size_in,
				   .kind = (uint8_t)kind };

	return dp_seal(out, l->link, &l->lf, &c, plain, len);
}

static size_t cell_in(uint8_t *out, const struct leg *l, uint64_t n, size_t len)
{
	static uint8_t p[VX6_CELL_MAX];

	return seal_in(out, l, n, VX6_KIND_DATA, p, ends_cell(p, n, len));
}

static void arrive(const uint8_t *p, size_t len, const struct leg *l)
{
	one_arrives(p, len, l->link);
}

static void refused(const uint8_t *p, size_t len, const struct leg *l,
		    enum vx6_status why)
{
	one_refuses(p, len, l->link, why);
}

/* f left on leg l and is the other end's n-th cell of len bytes. */
static void check_out(struct net_frame *f, struct leg *l, uint64_t n,
		      size_t len)
{
	static uint8_t want[VX6_CELL_MAX];
	size_t plain = 0, all = ends_cell(want, n, len);
	struct vx6_addr to = dp_peer(l->link);
	struct vx6_cell c;

	assert_non_null(f);
	assert_true(vx6_addr_eq(&f->peer, &to));
	assert_int_equal(f->len, l->b.cell_size_out ? l->b.cell_size_out
						    : 16 + all + 16);
	assert_true(dp_unprotect(f->data, f->len, l->link, &c));
	assert_int_equal(c.circ, l->b.out_id);
	assert_int_equal(c.ctr, l->b.start_tx + l->sealed++);
	assert_int_equal(c.kind, VX6_KIND_DATA);
	assert_int_equal(
		vx6_layer_open(&l->lb, f->data + 8, f->len - 8u, &plain),
		VX6_OK);
	assert_int_equal(plain, all);
	assert_memory_equal(f->data + 16, want, all);
	one_give(f);
}

static void crosses(struct leg *from, struct leg *to, uint64_t n, size_t len)
{
	static uint8_t p[VX6_CELL_MAX];

	arrive(p, cell_in(p, from, n, len), from);
	check_out(one_out(), to, n, len);
}

static void cells_cross_both_ways(void **state)
{
	static const size_t len[] = { 16, 17, 40, 500, 1200, 1412 };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(len); i++) {
		crosses(&leg[0], &leg[1], i, len[i]);
		crosses(&leg[1], &leg[0], i, len[i]);
	}
	assert_int_equal(node.relay->n.forwarded, 2 * VX6_COUNT(len));
	assert_int_equal(node.relay->n.backwarded, 0);
}

static void each_leg_has_its_suite(void **state)
{
	(void)state;
	for (unsigned a = 1; a <= 3; a++)
		for (unsigned b = 1; b <= 3; b++) {
			if (!vx6_suite_offers(a) || !vx6_suite_offers(b))
				continue;
			make_leg(&leg[0], 1, a);
			make_leg(&leg[1], 2, b);
			add_leg(&leg[0]);
			add_leg(&leg[1]);
			join();
			for (uint64_t n = 0; n < 9; n++) {
				crosses(&leg[0], &leg[1], n, 100 + n);
				crosses(&leg[1], &leg[0], n, 900 + n);
			}
			remove_legs();
		}
}

static void each_leg_has_its_size(void **state)
{
	static const uint16_t size[] = { 0, 1232, 1452 };
	static uint8_t p[VX6_CELL_MAX];

	(void)state;
	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++) {
			make_leg(&leg[0], 1, 0);
			make_leg(&leg[1], 2, 0);
			leg[0].f.cell_size_in = size[a];
			leg[1].b.cell_size_out = size[b];
			add_leg(&leg[0]);
			add_leg(&leg[1]);
			join();
			crosses(&leg[0], &leg[1], 0, 16);
			crosses(&leg[0], &leg[1], 1, 1232 - 16 - 24);
			if (size[b] == 1232 && size[a] != 1232)
				refused(p, cell_in(p, &leg[0], 2, 1300),
					&leg[0], VX6_BAD_SIZE);
			else if (size[a] != 1232)
				crosses(&leg[0], &leg[1], 2, 1300);
			remove_legs();
		}
}

/* Only an authentic cell takes a counter of the other leg. */
static void what_does_not_cross(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX];
	struct leg *a = &leg[0];
	size_t n;

	(void)state;
	crosses(a, &leg[1], 0, 100);
	refused(p, cell_in(p, a, 0, 100), a, VX6_REPLAYED);
	n = cell_in(p, a, 1, 100);
	p[n - 1] ^= 1;
	refused(p, n, a, VX6_BAD_TAG);
	for (unsigned kind = 0; kind < 16; kind++) {
		n = ends_cell(t, 1, 100);
		t[6] = (uint8_t)(kind << 4);
		if (kind != VX6_KIND_DATA)
			refused(p,
				seal_in(p, a, 10 + kind, VX6_KIND_DATA, t, n),
				a, VX6_BAD_KIND);
	}
	n = ends_cell(t, 1, 100);
	refused(p, seal_in(p, a, 30, VX6_KIND_DATA, t, n + 1), a, VX6_BAD_SIZE);
	refused(p, seal_in(p, a, 31, VX6_KIND_DATA, t, n - 1), a, VX6_BAD_SIZE);
	n = ends_cell(t, 1, 15);
	refused(p, seal_in(p, a, 32, VX6_KIND_DATA, t, n), a, VX6_BAD_SIZE);
	crosses(a, &leg[1], 33, 100); /* under the very next counter */
}

static void control_and_drop_cells_stay(void **state)
{
	static const uint8_t ctl[11] = { 4, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
	static uint8_t p[VX6_CELL_MAX];
	const struct abi_msg *m;

	(void)state;
	arrive(p, seal_in(p, &leg[0], 0, VX6_KIND_CONTROL, ctl, sizeof(ctl)),
	       &leg[0]);
	assert_null(one_out());
	m = relay_event(node.relay);
	assert_non_null(m);
	assert_int_equal(m->type, ABI_CONTROL);
	assert_int_equal(m->u.control.id, leg[0].f.id);
	assert_memory_equal(m->u.control.body, ctl, sizeof(ctl));
	relay_event_done(node.relay);
	arrive(p, seal_in(p, &leg[0], 1, VX6_KIND_DROP, ctl, sizeof(ctl)),
	       &leg[0]);
	assert_null(one_out());
	assert_int_equal(node.relay->drop_cells, 1);
	assert_null(relay_event(node.relay));
	crosses(&leg[0], &leg[1], 2, 60);
}

static void injected_cells_share_the_counter(void **state)
{
	struct abi_control ctl = { .id = leg[1].b.id,
				   .len = 11,
				   .body = { 5 } };
	struct net_frame *f;
	struct vx6_cell c;
	unsigned spares;

	(void)state;
	crosses(&leg[0], &leg[1], 0, 60);
	dp_spares(&node);
	spares = node.relay->spare_cnt;
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_OK);
	assert_true(dp_finish(&node, 0, spares));
	f = port_mem_get(node.port);
	assert_true(dp_unprotect(f->data, f->len, 2, &c));
	assert_int_equal(c.ctr, leg[1].b.start_tx + leg[1].sealed++);
	assert_int_equal(c.kind, VX6_KIND_CONTROL);
	one_give(f);
	crosses(&leg[0], &leg[1], 1, 60);
}

static void the_other_leg_may_be_at_its_end(void **state)
{
	struct relay_half *b = &node.relay->half[leg[1].b.id & ABI_IDX_MASK];
	static uint8_t p[VX6_CELL_MAX];
	const struct abi_msg *m;
	unsigned sent;

	(void)state;
	b->tx_left = 2;
	for (uint64_t n = 0; n < 5; n++)
		arrive(p, cell_in(p, &leg[0], n, 99), &leg[0]);
	assert_true(dp_step(&node, &sent));
	assert_int_equal(sent, 2);
	assert_int_equal(one_drops(VX6_EXHAUSTED), 3);
	for (uint64_t n = 0; n < 2; n++)
		check_out(port_mem_get(node.port), &leg[1], n, 99);
	m = relay_event(node.relay);
	assert_non_null(m);
	assert_int_equal(m->type, ABI_HALF_EVENT);
	assert_int_equal(m->u.ref.id, leg[1].b.id);
	assert_int_equal(m->u.ref.event, ABI_HALF_EXHAUSTED);
	b->tx_left = 9;
	b->expires_ns = node.now;
	refused(p, cell_in(p, &leg[0], 9, 99), &leg[0], VX6_EXPIRED);
}

/* ---- commands ---- */

static uint32_t splice_of(uint32_t id)
{
	uint64_t cursor = 0;
	uint32_t got = 0;
	struct abi_msg m;

	while (relay_dump(node.relay, node.now, &cursor, &m)) {
		if (m.type == 0)
			continue;
		m.seq = 1;
		assert_int_equal(abi_check(&m, false), VX6_OK);
		if (m.type == ABI_HALF_IS && m.u.half.id == id)
			got = m.u.half.splice;
	}
	return got;
}

static void only_ends_of_legs_are_spliced(void **state)
{
	struct abi_half on = dp_half(ABI_HALF_FORWARD, 30, 1, 2, 9);
	struct abi_half back = dp_half(ABI_HALF_BACKWARD, 31, 2, 1, 9);
	struct abi_half local = dp_half(ABI_HALF_LOCAL, 32, 1, 0, 0);
	struct abi_half third = dp_half(ABI_HALF_FORWARD, 33, 1, 0, 0);
	struct abi_half lone = dp_half(ABI_HALF_BACKWARD, 34, 0, 1, 8);
	struct relay *r = node.relay;
	uint32_t af = leg[0].f.id, ab = leg[0].b.id;
	uint32_t bf = leg[1].f.id, bb = leg[1].b.id;

	(void)state;
	add_leg(&leg[0]);
	add_leg(&leg[1]);
	assert_int_equal(relay_half_add(r, &on, node.now), VX6_OK);
	assert_int_equal(relay_half_add(r, &back, node.now), VX6_OK);
	assert_int_equal(relay_half_add(r, &local, node.now), VX6_OK);
	assert_int_equal(relay_half_add(r, &third, node.now), VX6_OK);
	assert_int_equal(relay_half_add(r, &lone, node.now), VX6_OK);

	assert_int_equal(relay_splice(r, af, bb ^ 0x100000), VX6_NO_CIRCUIT);
	assert_int_equal(relay_splice(r, af ^ 0x100000, bb), VX6_NO_CIRCUIT);
	assert_int_equal(relay_splice(r, af, 0), VX6_NO_CIRCUIT);
	assert_int_equal(relay_splice(r, UINT32_MAX, bb), VX6_NO_CIRCUIT);
	assert_int_equal(relay_splice(r, on.id, bb), VX6_MALFORMED);
	assert_int_equal(relay_splice(r, af, back.id), VX6_MALFORMED);
	assert_int_equal(relay_splice(r, local.id, bb), VX6_MALFORMED);
	assert_int_equal(relay_splice(r, af, local.id), VX6_MALFORMED);
	assert_int_equal(relay_splice(r, bb, af), VX6_MALFORMED);
	assert_int_equal(relay_splice(r, af, bf), VX6_MALFORMED);
	assert_int_equal(relay_unsplice(r, af), VX6_NOT_FOUND);
	assert_int_equal(relay_unsplice(r, on.id), VX6_NOT_FOUND);

	join();
	assert_int_equal(relay_splice(r, af, bb), VX6_EXISTS);
	assert_int_equal(relay_splice(r, af, ab), VX6_EXISTS);
	assert_int_equal(relay_splice(r, bf, bb), VX6_EXISTS);
	assert_int_equal(relay_splice(r, third.id, bb), VX6_EXISTS);
	assert_int_equal(relay_splice(r, af, lone.id), VX6_EXISTS);
	assert_int_equal(splice_of(af), bb);
	assert_int_equal(splice_of(bb), af);
	assert_int_equal(splice_of(bf), ab);
	assert_int_equal(splice_of(ab), bf);
	assert_int_equal(splice_of(on.id), 0);
	assert_int_equal(splice_of(local.id), 0);
	crosses(&leg[0], &leg[1], 0, 50);
}

static void unspliced_is_a_terminal_again(void **state)
{
	static uint8_t p[VX6_CELL_MAX];

	(void)state;
	crosses(&leg[0], &leg[1], 0, 50);
	assert_int_equal(relay_unsplice(node.relay, leg[0].f.id), VX6_OK);
	assert_int_equal(relay_unsplice(node.relay, leg[0].f.id),
			 VX6_NOT_FOUND);
	refused(p, cell_in(p, &leg[0], 1, 50), &leg[0], VX6_NO_ROUTE);
	assert_int_equal(splice_of(leg[1].b.id), 0);
	crosses(&leg[1], &leg[0], 0, 50); /* the other direction stays */
	assert_int_equal(relay_splice(node.relay, leg[0].f.id, leg[1].b.id),
			 VX6_OK);
	crosses(&leg[0], &leg[1], 2, 50);
}

/* Whoever comes to sit in the slot of a half that ended gets nothing. */
static void ending_a_half_parts_them(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	struct abi_half next = leg[1].b;

	(void)state;
	assert_int_equal(relay_half_remove(node.relay, leg[1].b.id), VX6_OK);
	refused(p, cell_in(p, &leg[0], 0, 50), &leg[0], VX6_NO_ROUTE);
	next.id ^= 0x100000;
	assert_int_equal(relay_half_add(node.relay, &next, node.now), VX6_OK);
	refused(p, cell_in(p, &leg[0], 1, 50), &leg[0], VX6_NO_ROUTE);
	assert_int_equal(splice_of(next.id), 0);
	/* from the other side */
	assert_int_equal(relay_half_remove(node.relay, leg[1].f.id), VX6_OK);
	assert_int_equal(splice_of(leg[0].b.id), 0);
	assert_int_equal(relay_splice(node.relay, leg[0].f.id, next.id),
			 VX6_OK);
	/* and by its link */
	assert_int_equal(relay_link_remove(node.relay, 2), VX6_OK);
	assert_int_equal(splice_of(leg[0].f.id), 0);
	refused(p, cell_in(p, &leg[0], 2, 50), &leg[0], VX6_NO_ROUTE);
}

/* ---- everything at once, against a list ---- */

struct expected {
	bool sent;
	unsigned from;
	uint64_t n;
	size_t len;
};

static bool used[2][1024];

static struct expected random_cell(void)
{
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX];
	uint32_t sort = vx6_rand_below(&node.rnd, 8);
	struct expected e = {
		.from = vx6_rand_below(&node.rnd, 2),
		.n = vx6_rand_below(&node.rnd, 1024),
		.len = 16 + vx6_rand_below(&node.rnd, 4) * 349,
	};
	const struct leg *l = &leg[e.from];
	bool *was = &used[e.from][e.n];
	size_t n = ends_cell(t, e.n, e.len), size;

	if (sort == 0)
		t[6] ^= 0x20; /* another kind inside */
	size = seal_in(p, l, e.n, sort == 1 ? VX6_KIND_DROP : VX6_KIND_DATA, t,
		       n);
	if (sort == 2)
		p[size - 1] ^= 0x40;
	arrive(p, size, l);
	e.sent = sort > 2 && !*was;
	*was = *was || sort != 2;
	return e;
}

static void the_books_balance(void **state)
{
	uint64_t crossed = 0;

	(void)state;
	memset(used, 0, sizeof(used));
	for (unsigned b = 0; b < 100; b++) {
		unsigned n = vx6_rand_below(&node.rnd, RELAY_BURST + 1);
		struct expected e[RELAY_BURST];
		unsigned sent, want = 0;

		for (unsigned i = 0; i < n; i++) {
			e[i] = random_cell();
			want += e[i].sent;
		}
		assert_true(dp_step(&node, &sent));
		assert_int_equal(sent, want);
		crossed += sent;
		for (unsigned i = 0; i < n; i++)
			if (e[i].sent)
				check_out(port_mem_get(node.port),
					  &leg[!e[i].from], e[i].n, e[i].len);
		assert_true(dp_balanced(&node));
	}
	assert_true(crossed > 200);
	assert_int_equal(node.relay->n.forwarded, crossed);
	assert_int_equal(leg[0].sealed + leg[1].sealed, crossed);
}

/* ---- the other leg is another worker's ---- */

#define AWAY 77u /* the half there, whose cells are joined here */

/* What another worker has opened and hands over: *sent is where it left. */
static void hand_over(uint32_t from, uint32_t to, uint64_t n, size_t len,
		      struct net_frame **sent)
{
	struct net_frame *f = port_take(node.port);
	unsigned spares;
	uint8_t *p;

	assert_non_null(f);
	p = f->data;
	memset(p, 0, 16);
	vx6_put32(p, from);
	vx6_put32(p + 4, to);
	f->len = (uint16_t)(16 + ends_cell(p + 16, n, len));
	vx6_put16(p + 8, (uint16_t)(f->len + 16u));
	dp_spares(&node);
	spares = node.relay->spare_cnt;
	node.down_in++;
	relay_join(node.relay, &f, 1, node.now, &node.out);
	assert_true(dp_finish(&node, 1, spares));
	*sent = port_mem_get(node.port);
	node.relay->n.forwarded += *sent != NULL; /* the other counts it */
}

static void joins_not(uint32_t from, uint32_t to)
{
	uint64_t before = one_drops(VX6_NO_CIRCUIT);
	struct net_frame *f;

	hand_over(from, to, 0, 100, &f);
	assert_null(f);
	assert_int_equal(one_drops(VX6_NO_CIRCUIT), before + 1);
}

/* The worker with the other half hears late that ours has ended, and hands
 * over until then: none of that may reach whoever has our place next. */
static void what_is_handed_over_ends_with_the_leg(void **state)
{
	struct leg *l = &leg[0];
	uint32_t to = l->b.id, next = to + (1u << ABI_IDX_BITS);
	struct net_frame *f;

	(void)state;
	add_leg(l);
	joins_not(AWAY, to);
	assert_int_equal(relay_splice_across(node.relay, AWAY, to, 1), VX6_OK);
	for (unsigned i = 0; i < 3; i++) {
		hand_over(AWAY, to, i, 100 + i, &f);
		check_out(f, l, i, 100 + i);
	}
	joins_not(AWAY + 1, to);
	joins_not(AWAY, l->f.id);
	joins_not(AWAY, to + 2);
	assert_int_equal(relay_half_remove(node.relay, to), VX6_OK);
	joins_not(AWAY, to);
	/* the same index in another life, and in the same one again */
	l->b.id = next;
	assert_int_equal(relay_half_add(node.relay, &l->b, node.now), VX6_OK);
	joins_not(AWAY, to);
	joins_not(AWAY, next);
	assert_int_equal(relay_half_remove(node.relay, next), VX6_OK);
	l->b.id = to;
	assert_int_equal(relay_half_add(node.relay, &l->b, node.now), VX6_OK);
	joins_not(AWAY, to);
	/* with a half that is here it is as if it had never been */
	add_leg(&leg[1]);
	assert_int_equal(relay_splice(node.relay, leg[1].f.id, to), VX6_OK);
	joins_not(AWAY, to);
}

static void parted(uint32_t from, uint32_t to, uint32_t by)
{
	uint8_t away[RELAY_AWAY];

	vx6_put32(away, from);
	vx6_put32(away + 4, to);
	relay_parted(node.relay, away, by);
}

/* Who opens is told that nobody seals; but not of any splice but that. */
static void who_opens_is_told(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	uint32_t f = leg[0].f.id;

	(void)state;
	add_leg(&leg[0]);
	add_leg(&leg[1]);
	assert_int_equal(relay_splice_across(node.relay, f, AWAY, 1), VX6_OK);
	parted(f, AWAY + 1, 1);
	parted(f, AWAY, 2);
	parted(f ^ 0x100000, AWAY, 1);
	parted(AWAY, f, 1);
	parted(leg[0].b.id, AWAY, 1);
	assert_int_equal(splice_of(f), AWAY);
	parted(f, AWAY, 1);
	assert_int_equal(splice_of(f), 0);
	refused(p, cell_in(p, &leg[0], 0, 50), &leg[0], VX6_NO_ROUTE);
	parted(f, AWAY, 1); /* is said once more, and once too often */
	/* joined anew, here, while old news is on its way */
	assert_int_equal(relay_splice(node.relay, f, leg[1].b.id), VX6_OK);
	parted(f, leg[1].b.id, 1);
	parted(f, AWAY, 1);
	crosses(&leg[0], &leg[1], 1, 50);
}

#define J(f) cmocka_unit_test_setup_teardown(f, set_up_joined, one_close)
#define S(f) cmocka_unit_test_setup_teardown(f, set_up, one_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		J(cells_cross_both_ways),
		S(each_leg_has_its_suite),
		S(each_leg_has_its_size),
		J(what_does_not_cross),
		J(control_and_drop_cells_stay),
		J(injected_cells_share_the_counter),
		J(the_other_leg_may_be_at_its_end),
		S(only_ends_of_legs_are_spliced),
		J(unspliced_is_a_terminal_again),
		J(ending_a_half_parts_them),
		J(the_books_balance),
		S(what_is_handed_over_ends_with_the_leg),
		S(who_opens_is_told),
	};

	if (vx6_aead_start() != VX6_OK)
		return 1;
	return cmocka_run_group_tests_name("splice", test, NULL, NULL);
}
