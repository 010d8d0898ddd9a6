/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay: what goes in comes out one layer less or more, or is refused with
 * the reason that PROTOCOL.md gives, and no frame is lost or made up.
 *
 * Method: the neighbours' ends of two links, made with the wire room's own
 * functions, speak to a relay over the mem port; every step counts frames.
 * The last test runs random bursts of everything against a list of what
 * must become of each cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/support/one_relay.h"

#define FWD 0x00100005u /* generation 1, index 5 */
#define BWD 0x00200006u
#define LOC 0x00300007u
#define OUT 0xabcd1234u /* the neighbour's id on the way out */

static struct abi_half fwd, bwd, loc;
static struct vx6_layer lf, lb;

static int set_up(void **state)
{
	const struct relay_opts o = { .bad_tags = 8 };

	(void)state;
	one_open(&o, 3);
	fwd = dp_half(ABI_HALF_FORWARD, FWD, 1, 2, OUT);
	bwd = dp_half(ABI_HALF_BACKWARD, BWD, 2, 1, OUT + 1);
	loc = dp_half(ABI_HALF_LOCAL, LOC, 1, 0, 0);
	lf = dp_layer(&fwd);
	lb = dp_layer(&bwd);
	return 0;
}

static int set_up_all(void **state)
{
	set_up(state);
	one_add(&fwd);
	one_add(&bwd);
	one_add(&loc);
	return 0;
}

/* P of a forward cell: the next hop's H8, and C' of len bytes. */
static size_t inner(uint8_t *p, uint64_t ctr, unsigned kind, size_t len)
{
	vx6_h8_put(p, ctr, kind, len);
	for (size_t i = 0; i < len; i++)
		p[8 + i] = (uint8_t)(i * 3 + ctr);
	return 8 + len;
}

/* A forward cell of counter start + n, data inside, c->size as told. */
static size_t forward(uint8_t *out, uint64_t n, size_t len, uint16_t size)
{
	const struct dp_cell c = { .ctr = fwd.start_rx + n,
				   .circ = FWD,
				   .size = size,
				   .kind = VX6_KIND_DATA };
	static uint8_t p[VX6_CELL_MAX];

	return dp_seal(out, 1, &lf, &c, p,
		       inner(p, 1000 + n, VX6_KIND_DATA, len));
}

static size_t backward(uint8_t *out, uint64_t n, unsigned kind, size_t len,
		       uint16_t size)
{
	const struct dp_cell c = { .ctr = bwd.start_rx + n,
				   .circ = BWD,
				   .size = size,
				   .kind = (uint8_t)kind };
	static uint8_t text[VX6_CELL_MAX];

	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)(i * 5 + n);
	return dp_raw(out, 2, &c, text, len);
}

/* Checks what left for link 2 and returns its pad's length. */
static size_t check_forward(struct net_frame *f, uint64_t n, unsigned kind,
			    size_t len)
{
	struct vx6_cell c;
	struct vx6_addr to = dp_peer(2);

	assert_non_null(f);
	assert_memory_equal(&f->peer, &to, sizeof(to));
	assert_int_equal(f->link, 2);
	assert_true(dp_unprotect(f->data, f->len, 2, &c));
	assert_int_equal(c.circ, OUT);
	assert_int_equal(c.ctr, 1000 + n);
	assert_int_equal(c.kind, kind);
	assert_int_equal(c.len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(f->data[16 + i], (uint8_t)(i * 3 + 1000 + n));
	return f->len - VX6_CELL_HDR - len;
}

/* Opens what left for link 1; it must hold what backward() made. */
static void check_backward(struct net_frame *f, uint64_t n, uint64_t sealed,
			   unsigned kind, size_t len)
{
	struct vx6_cell c;
	size_t plain;

	assert_non_null(f);
	assert_true(dp_unprotect(f->data, f->len, 1, &c));
	assert_int_equal(c.circ, OUT + 1);
	assert_int_equal(c.ctr, bwd.start_tx + sealed);
	assert_int_equal(c.kind, VX6_KIND_DATA); /* never copied */
	assert_int_equal(c.len, len + VX6_LAYER_LEN);
	assert_int_equal(vx6_layer_open(&lb, f->data + 8, f->len - 8u, &plain),
			 VX6_OK);
	assert_int_equal(plain, len + 8);
	assert_int_equal(vx6_h8_ctr(f->data + 16), bwd.start_rx + n);
	assert_int_equal(vx6_h8_kind(f->data + 16), kind);
	assert_int_equal(vx6_h8_len(f->data + 16), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(f->data[24 + i], (uint8_t)(i * 5 + n));
}

static void forward_takes_one_layer_off(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	static const size_t len[] = { 16, 17, 100, 1200, 1456 - 24 };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(len); i++) {
		size_t n = forward(p, i, len[i], 0);
		struct net_frame *f;

		one_arrives(p, n, 1);
		f = one_out();
		assert_int_equal(check_forward(f, i, VX6_KIND_DATA, len[i]), 0);
		one_give(f);
	}
	assert_int_equal(node.relay->n.forwarded, VX6_COUNT(len));
	assert_int_equal(node.relay->half[5].cells, VX6_COUNT(len));
}

static void backward_puts_one_layer_on(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	static const size_t len[] = { 16, 17, 100, 1200, 1456 - 24 };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(len); i++) {
		size_t n = backward(p, 100 - i, VX6_KIND_DATA, len[i], 0);
		struct net_frame *f;

		one_arrives(p, n, 2);
		f = one_out();
		/* its own counter, whatever came */
		check_backward(f, 100 - i, i, VX6_KIND_DATA, len[i]);
		one_give(f);
	}
	/* with the layer on it would be over 1472 */
	one_refuses(p, backward(p, 200, VX6_KIND_DATA, 1456 - 23, 0), 2,
		    VX6_BAD_SIZE);
}

static void kind_belongs_to_a_layer(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX];
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = FWD,
			     .kind = VX6_KIND_DATA };
	struct net_frame *f;

	(void)state;
	/* inside a data layer the next hop's kind is 2 or 3 */
	for (unsigned kind = VX6_KIND_CONTROL; kind <= VX6_KIND_DROP; kind++) {
		size_t n = inner(t, 1000, kind, 64);

		c.ctr++;
		one_arrives(p, dp_seal(p, 1, &lf, &c, t, n), 1);
		f = one_out();
		check_forward(f, 0, kind, 64);
		one_give(f);
	}
	/* the next hop's own control cell, wrapped: kind 1 outside */
	one_arrives(p, backward(p, 0, VX6_KIND_CONTROL, 64, 0), 2);
	f = one_out();
	check_backward(f, 0, 0, VX6_KIND_CONTROL, 64);
	one_give(f);
	/* no kind that the next hop would refuse is passed on */
	for (unsigned kind = 0; kind < 16; kind++) {
		size_t n = inner(t, 1000, kind, 64);

		if (kind >= VX6_KIND_DATA && kind <= VX6_KIND_DROP)
			continue;
		c.ctr++;
		one_refuses(p, dp_seal(p, 1, &lf, &c, t, n), 1, VX6_BAD_KIND);
	}
}

static void inner_header_must_say_what_follows(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX];
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = FWD,
			     .kind = VX6_KIND_DATA };
	size_t n = inner(t, 1000, VX6_KIND_DATA, 64);

	(void)state;
	for (size_t said = 63; said <= 65; said += 2) {
		vx6_h8_put(t, 1000, VX6_KIND_DATA, said);
		c.ctr++;
		one_refuses(p, dp_seal(p, 1, &lf, &c, t, n), 1, VX6_BAD_SIZE);
	}
	/* too short for a layer inside */
	for (size_t len = 0; len < 24; len++) {
		c.ctr++;
		one_refuses(p, dp_seal(p, 1, &lf, &c, t, len), 1, VX6_BAD_SIZE);
	}
}

static void drop_cells_end_here(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[100] = { 0 };
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = FWD,
			     .kind = VX6_KIND_DROP };

	(void)state;
	one_arrives(p, dp_seal(p, 1, &lf, &c, t, sizeof(t)), 1);
	assert_null(one_out());
	assert_int_equal(node.relay->drop_cells, 1);
	assert_int_equal(node.relay->half[5].cells, 1);
	assert_int_equal(node.relay->cold[5].dropped, 0);
	/* it is a cell as any other: its counter is used */
	one_refuses(p, dp_seal(p, 1, &lf, &c, t, sizeof(t)), 1, VX6_REPLAYED);
}

static void forged_cells_change_nothing(void **state)
{
	static uint8_t good[VX6_CELL_MAX], p[VX6_CELL_MAX];
	size_t n = forward(good, 7, 200, 0);
	struct vx6_window_head before = node.relay->half[5].win;
	struct net_frame *f;

	(void)state;
	/* any bit behind the header block */
	for (size_t bit = 160; bit < n * 8; bit += 313) {
		memcpy(p, good, n);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		one_refuses(p, n, 1, VX6_BAD_TAG);
		if (node.relay->cold[5].bad_tags == 7)
			node.relay->cold[5].bad_tags = 0;
	}
	/* a counter far ahead, forged, locks nobody out */
	{
		const struct dp_cell c = { .ctr = fwd.start_rx + 500000,
					   .circ = FWD,
					   .kind = VX6_KIND_DATA };
		uint8_t t[100] = { 0 };

		one_refuses(p, dp_raw(p, 1, &c, t, sizeof(t)), 1, VX6_BAD_TAG);
	}
	assert_memory_equal(&node.relay->half[5].win, &before, sizeof(before));
	one_arrives(good, n, 1);
	f = one_out();
	check_forward(f, 7, VX6_KIND_DATA, 200);
	one_give(f);
}

/* A changed bit in the header block makes all of it random: whatever the
 * reason, nothing leaves, and the honest cell passes afterwards. */
static void header_bits_cannot_be_steered(void **state)
{
	static uint8_t good[VX6_CELL_MAX], p[VX6_CELL_MAX];
	size_t n = forward(good, 7, 200, 0);
	struct net_frame *f;

	(void)state;
	for (size_t bit = 32; bit < 160; bit++) {
		memcpy(p, good, n);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		one_arrives(p, n, 1);
		assert_null(one_out());
	}
	assert_int_equal(node.relay->half[5].cells, 0);
	one_arrives(good, n, 1);
	f = one_out();
	check_forward(f, 7, VX6_KIND_DATA, 200);
	one_give(f);
}

static void replays_are_refused(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	size_t n = forward(p, 3, 100, 0);

	(void)state;
	one_arrives(p, n, 1);
	one_give(one_out());
	one_refuses(p, n, 1, VX6_REPLAYED);
	n = backward(p, 3, VX6_KIND_DATA, 100, 0);
	one_arrives(p, n, 2);
	one_give(one_out());
	one_refuses(p, n, 2, VX6_REPLAYED);
	/* older than the window */
	one_arrives(p, forward(p, 5000, 100, 0), 1);
	one_give(one_out());
	one_refuses(p, forward(p, 5000 - 2048, 100, 0), 1, VX6_REPLAYED);
	one_arrives(p, forward(p, 5000 - 2047, 100, 0), 1);
	one_give(one_out());
	/* outside the range */
	one_refuses(p, forward(p, VX6_CTR_SPAN, 100, 0), 1, VX6_OUT_OF_RANGE);
	one_refuses(p, forward(p, (uint64_t)-1, 100, 0), 1, VX6_OUT_OF_RANGE);
	one_refuses(p, backward(p, VX6_CTR_SPAN, VX6_KIND_DATA, 100, 0), 2,
		    VX6_OUT_OF_RANGE);
}

static void first_of_twins_wins(void **state)
{
	static uint8_t p[VX6_CELL_MAX], q[VX6_CELL_MAX];
	size_t n = forward(p, 9, 300, 0), k = backward(q, 9, 1, 300, 0);
	unsigned sent;

	(void)state;
	one_arrives(p, n, 1);
	one_arrives(q, k, 2);
	one_arrives(p, n, 1);
	one_arrives(q, k, 2);
	/* a forged twin in front of the honest one does not win */
	n = forward(p, 10, 300, 0);
	p[n - 1] ^= 1;
	one_arrives(p, n, 1);
	p[n - 1] ^= 1;
	one_arrives(p, n, 1);
	one_arrives(p, n, 1);
	assert_true(dp_step(&node, &sent));
	assert_int_equal(sent, 3);
	assert_int_equal(one_drops(VX6_REPLAYED), 3);
	assert_int_equal(one_drops(VX6_BAD_TAG), 1);
	for (unsigned i = 0; i < 3; i++) {
		struct net_frame *f = port_mem_get(node.port);

		if (i == 1)
			check_backward(f, 9, 0, VX6_KIND_DATA, 300);
		else
			check_forward(f, i == 0 ? 9 : 10, VX6_KIND_DATA, 300);
		one_give(f);
	}
}

static void ids_are_exact(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[200] = { 0 };
	struct dp_cell c = { .ctr = fwd.start_rx, .kind = VX6_KIND_DATA };
	static const uint32_t id[] = { FWD + (1u << 20), FWD - (1u << 20),
				       FWD + 1,          0x00100fffu,
				       0xffffffffu,      0x00100000u };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(id); i++) {
		c.circ = id[i];
		if (id[i] == BWD)
			continue;
		one_refuses(p, dp_seal(p, 1, &lf, &c, t, sizeof(t)), 1,
			    VX6_NO_CIRCUIT);
	}
	/* the slot's next owner, and a cell of the one before */
	assert_int_equal(relay_half_remove(node.relay, FWD), VX6_OK);
	one_refuses(p, forward(p, 0, 100, 0), 1, VX6_NO_CIRCUIT);
	fwd.id = FWD + (1u << 20);
	one_add(&fwd);
	one_refuses(p, forward(p, 0, 100, 0), 1, VX6_NO_CIRCUIT);
}

static void a_circuit_has_one_way_in(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX];
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = FWD,
			     .kind = VX6_KIND_DATA };
	size_t n = inner(t, 1000, VX6_KIND_DATA, 64);

	(void)state;
	/* a right cell, made by a neighbour that the circuit is not of */
	one_refuses(p, dp_seal(p, 3, &lf, &c, t, n), 3, VX6_NO_CIRCUIT);
	c.circ = BWD;
	c.ctr = bwd.start_rx;
	one_refuses(p, dp_raw(p, 1, &c, t, 64), 1, VX6_NO_CIRCUIT);
	c.circ = LOC;
	c.ctr = loc.start_rx;
	one_refuses(p, dp_raw(p, 2, &c, t, 64), 2, VX6_NO_CIRCUIT);
	assert_int_equal(node.relay->cold[5].dropped, 0);
}

static void what_is_no_cell_of_a_link(void **state)
{
	static uint8_t p[NET_FRAME_CAP] = { 0 }, q[VX6_CELL_MAX];
	size_t n = forward(p, 0, 100, 0);
	struct vx6_addr far = dp_peer(1);

	(void)state;
	one_refuses(p, 31, 1, VX6_BAD_SIZE);
	one_refuses(p, 0, 1, VX6_BAD_SIZE);
	one_refuses(p, VX6_CELL_MAX + 1, 1, VX6_BAD_SIZE);
	for (unsigned v = 0; v < 256; v++) {
		if (v == VX6_CELL_VERSION)
			continue;
		p[0] = (uint8_t)v;
		one_refuses(p, n, 1, VX6_BAD_VERSION);
	}
	p[0] = VX6_CELL_VERSION;
	memcpy(q, p, n);
	for (uint32_t i = 0; i < 24; i++) {
		vx6_put24(q + 1, 1u << i | 8);
		one_refuses(q, n, 1, VX6_NO_LINK);
	}
	vx6_put24(q + 1, 0);
	one_refuses(q, n, 1, VX6_NO_LINK);
	/* right in all, from elsewhere */
	one_refuses(p, n, 2, VX6_BAD_SOURCE);
	far.port++;
	assert_true(port_mem_put(node.port, p, n, &far));
	assert_null(one_out());
	assert_int_equal(one_drops(VX6_BAD_SOURCE), 2);
	assert_int_equal(node.relay->link[1].cells_in, 0);
	one_arrives(p, n, 1);
	one_give(one_out());
}

static void sizes_are_exact(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	size_t n = forward(p, 0, 100, 0);
	struct abi_half h;

	(void)state;
	/* cell_size 0: exactly 16 + len */
	one_refuses(p, n + 1, 1, VX6_BAD_SIZE);
	one_refuses(p, n - 1, 1, VX6_BAD_SIZE);
	one_refuses(p, forward(p, 0, 100, 1232), 1, VX6_BAD_SIZE);
	/* a constant size in: exactly that */
	h = fwd;
	h.id = FWD + 9;
	h.cell_size_in = 1232;
	one_add(&h);
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = h.id,
			     .kind = VX6_KIND_DATA };
	uint8_t t[VX6_CELL_MAX];
	size_t len = inner(t, 1000, VX6_KIND_DATA, 64);

	one_refuses(p, dp_seal(p, 1, &lf, &c, t, len), 1, VX6_BAD_SIZE);
	c.size = 1452;
	one_refuses(p, dp_seal(p, 1, &lf, &c, t, len), 1, VX6_BAD_SIZE);
	c.size = 1231;
	one_refuses(p, dp_seal(p, 1, &lf, &c, t, len), 1, VX6_BAD_SIZE);
	c.size = 1232;
	one_arrives(p, dp_seal(p, 1, &lf, &c, t, len), 1);
	one_give(one_out());
}

/* True where 16 bytes in a row of a occur in b. */
static bool share_a_run(const uint8_t *a, size_t a_len, const uint8_t *b,
			size_t b_len)
{
	for (size_t i = 0; i + 16 <= a_len; i++)
		if (memmem(b, b_len, a + i, 16) != NULL)
			return true;
	return false;
}

/* Every pairing of sizes, both ways: U follows the circuit on the way out,
 * never what arrived, and the pad is new. */
static void pads_are_fresh_and_sizes_the_circuits(void **state)
{
	static const uint16_t size[3] = { 0, 1232, 1452 };
	static uint8_t p[VX6_CELL_MAX], t[VX6_CELL_MAX], seen[VX6_CELL_MAX];

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		struct abi_half f = fwd, b = bwd;
		uint16_t in = size[i / 3], out = size[i % 3];
		struct net_frame *fr;

		f.id = 0x100 + i;
		b.id = 0x200 + i;
		f.cell_size_in = b.cell_size_in = in;
		f.cell_size_out = b.cell_size_out = out;
		one_add(&f);
		one_add(&b);
		struct dp_cell c = { .ctr = fwd.start_rx,
				     .circ = f.id,
				     .size = in,
				     .kind = VX6_KIND_DATA };
		size_t len = inner(t, 1000, VX6_KIND_DATA, 300), pad;
		size_t n = dp_seal(p, 1, &lf, &c, t, len);

		one_arrives(p, n, 1);
		fr = one_out();
		pad = check_forward(fr, 0, VX6_KIND_DATA, 300);
		assert_int_equal(fr->len, out ? out : 316);
		/* nothing of what came, tag and pad included, is in it */
		assert_false(share_a_run(p + 16, n - 16, fr->data, fr->len));
		if (pad >= 32) {
			assert_false(share_a_run(seen, sizeof(seen),
						 fr->data + 316, pad));
			memcpy(seen, fr->data + 316, pad);
		}
		one_give(fr);

		c = (struct dp_cell){ .ctr = bwd.start_rx,
				      .circ = b.id,
				      .size = in,
				      .kind = VX6_KIND_DATA };
		for (unsigned k = 0; k < 300; k++)
			t[k] = (uint8_t)(k * 7);
		n = dp_raw(p, 2, &c, t, 300);
		one_arrives(p, n, 2);
		fr = one_out();
		assert_int_equal(fr->len, out ? out : 16 + 324);
		assert_false(share_a_run(p + 16, n - 16, fr->data, fr->len));
		one_give(fr);
	}
	/* what does not fit the size on the way out is refused */
	struct abi_half f = fwd;

	f.id = 0x300;
	f.cell_size_out = 1232;
	one_add(&f);
	struct dp_cell c = { .ctr = fwd.start_rx,
			     .circ = f.id,
			     .kind = VX6_KIND_DATA };
	size_t len = inner(t, 1000, VX6_KIND_DATA, 1217);

	one_refuses(p, dp_seal(p, 1, &lf, &c, t, len), 1, VX6_BAD_SIZE);
	c.ctr++;
	len = inner(t, 1000, VX6_KIND_DATA, 1216);
	one_arrives(p, dp_seal(p, 1, &lf, &c, t, len), 1);
	one_give(one_out());
}

static void nothing_is_sent_over_the_links_limit(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	struct net_frame *f;

	(void)state;
	node.relay->link[2].link.u = 1232;
	one_refuses(p, forward(p, 0, 1217, 0), 1, VX6_BAD_SIZE);
	one_arrives(p, forward(p, 1, 1216, 0), 1);
	f = one_out();
	assert_int_equal(f->len, 1232);
	one_give(f);
}

static void expired_halves_do_nothing(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	const struct abi_control ctl = { .id = BWD, .len = 8 };

	(void)state;
	fwd.life_ns = bwd.life_ns = loc.life_ns = 5 * VX6_SEC;
	one_add(&fwd);
	one_add(&bwd);
	one_add(&loc);
	node.now += 5 * VX6_SEC - 1;
	one_arrives(p, forward(p, 0, 100, 0), 1);
	one_give(one_out());
	node.now += 1;
	one_refuses(p, forward(p, 1, 100, 0), 1, VX6_EXPIRED);
	one_refuses(p, backward(p, 1, VX6_KIND_DATA, 100, 0), 2, VX6_EXPIRED);
	assert_int_equal(node.relay->half[6].tx_next, bwd.start_tx);
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_EXPIRED);
}

static void counters_end(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	struct relay_half *h = &node.relay->half[6];
	const struct abi_control ctl = { .id = BWD, .len = 8 };
	const struct abi_msg *m;

	(void)state;
	h->tx_next = bwd.start_tx + VX6_CTR_SPAN - 1;
	h->tx_left = 1;
	one_arrives(p, backward(p, 0, VX6_KIND_DATA, 100, 0), 2);
	one_give(one_out()); /* the last one */
	one_refuses(p, backward(p, 1, VX6_KIND_DATA, 100, 0), 2, VX6_EXHAUSTED);
	one_refuses(p, backward(p, 2, VX6_KIND_DATA, 100, 0), 2, VX6_EXHAUSTED);
	dp_spares(&node);
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_EXHAUSTED);
	assert_int_equal(h->tx_next, bwd.start_tx + VX6_CTR_SPAN);
	m = relay_event(node.relay);
	assert_non_null(m);
	assert_int_equal(m->type, ABI_HALF_EVENT);
	assert_int_equal(m->u.ref.id, BWD);
	assert_int_equal(m->u.ref.event, ABI_HALF_EXHAUSTED);
	relay_event_done(node.relay);
	assert_null(relay_event(node.relay)); /* said once */
}

static void many_bad_tags_close(void **state)
{
	static uint8_t p[VX6_CELL_MAX];
	size_t n = forward(p, 0, 100, 0);

	(void)state;
	p[n - 1] ^= 1;
	for (unsigned i = 0; i < 8; i++)
		one_refuses(p, n, 1, VX6_BAD_TAG);
	p[n - 1] ^= 1;
	one_refuses(p, n, 1, VX6_EXPIRED);
}

/* P of a control message with `len` bytes of body, padded to `size`. */
static void ctl_text(uint8_t *p, unsigned type, uint16_t len, size_t size)
{
	memset(p, 0, size);
	p[0] = (uint8_t)type;
	vx6_put16(p + 1, len);
	for (size_t i = 0; i < len && 3 + i < size; i++)
		p[3 + i] = (uint8_t)(i + 1);
}

static size_t ctl_cell(uint8_t *out, uint64_t n, const uint8_t *text,
		       size_t len)
{
	const struct dp_cell c = { .ctr = fwd.start_rx + n,
				   .circ = FWD,
				   .kind = VX6_KIND_CONTROL };

	return dp_seal(out, 1, &lf, &c, text, len);
}

static void control_cells_become_events(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[1440];
	const struct abi_msg *m;
	/* body and P, and what must be said of it */
	static const struct {
		uint16_t body;
		uint16_t size;
		enum vx6_status st;
	} row[] = {
		{ 0,     3,    VX6_OK        },
		{ 8,     11,   VX6_OK        },
		{ 8,     1440, VX6_OK        },
		{ 509,   512,  VX6_OK        },
		{ 509,   1400, VX6_OK        },
		{ 510,   1400, VX6_BAD_SIZE  },
		{ 65535, 1400, VX6_MALFORMED },
		{ 9,     11,   VX6_MALFORMED },
		{ 0,     2,    VX6_MALFORMED },
		{ 0,     0,    VX6_MALFORMED },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		ctl_text(t, 4, row[i].body, row[i].size < 3 ? 3 : row[i].size);
		size_t n = ctl_cell(p, i, t, row[i].size);

		if (row[i].st != VX6_OK) {
			one_refuses(p, n, 1, row[i].st);
			assert_null(relay_event(node.relay));
			continue;
		}
		one_arrives(p, n, 1);
		assert_null(one_out());
		m = relay_event(node.relay);
		assert_non_null(m);
		assert_int_equal(m->type, ABI_CONTROL);
		assert_int_equal(m->u.control.id, FWD);
		assert_int_equal(m->u.control.len, 3 + row[i].body);
		assert_memory_equal(m->u.control.body, t, 3u + row[i].body);
		relay_event_done(node.relay);
	}
}

static void control_cells_have_a_rate(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[11];
	uint64_t n = 0;

	(void)state;
	ctl_text(t, 4, 8, sizeof(t));
	for (; n < 64; n++) {
		one_arrives(p, ctl_cell(p, n, t, sizeof(t)), 1);
		assert_null(one_out());
		assert_non_null(relay_event(node.relay));
		relay_event_done(node.relay);
	}
	one_refuses(p, ctl_cell(p, n++, t, sizeof(t)), 1, VX6_RATE);
	assert_null(relay_event(node.relay));
	node.now += VX6_SEC / 4; /* eight more */
	for (unsigned i = 0; i < 8; i++) {
		one_arrives(p, ctl_cell(p, n++, t, sizeof(t)), 1);
		assert_null(one_out());
	}
	one_refuses(p, ctl_cell(p, n++, t, sizeof(t)), 1, VX6_RATE);
	/* another circuit has its own */
	struct abi_half h = fwd;

	h.id = FWD + 9;
	one_add(&h);
	const struct dp_cell c = { .ctr = fwd.start_rx,
				   .circ = h.id,
				   .kind = VX6_KIND_CONTROL };

	one_arrives(p, dp_seal(p, 1, &lf, &c, t, sizeof(t)), 1);
	assert_null(one_out());
	assert_int_equal(node.relay->control_in, 73);
}

static void a_full_event_queue_drops_control(void **state)
{
	static uint8_t p[VX6_CELL_MAX], t[11];

	(void)state;
	ctl_text(t, 4, 8, sizeof(t));
	node.relay->ev_cnt = RELAY_EVENTS;
	one_refuses(p, ctl_cell(p, 0, t, sizeof(t)), 1, VX6_NO_ROOM);
}

static void terminals_have_no_way_on(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_FORWARD, FWD, 1, 0, 0);
	static uint8_t p[VX6_CELL_MAX], t[11];

	(void)state;
	one_add(&h);
	one_refuses(p, forward(p, 0, 100, 0), 1, VX6_NO_ROUTE);
	ctl_text(t, 4, 8, sizeof(t));
	one_arrives(p, ctl_cell(p, 1, t, sizeof(t)), 1);
	assert_null(one_out());
	assert_non_null(relay_event(node.relay));
}

static void injected_cells_share_the_counter(void **state)
{
	struct abi_control ctl = { .id = BWD, .len = 11 };
	static uint8_t p[VX6_CELL_MAX];
	struct net_frame *f;
	struct vx6_cell c;
	size_t plain;

	(void)state;
	ctl_text(ctl.body, 5, 8, 11);
	one_arrives(p, backward(p, 0, VX6_KIND_DATA, 100, 0), 2);
	f = one_out();
	check_backward(f, 0, 0, VX6_KIND_DATA, 100);
	one_give(f);
	dp_spares(&node);
	unsigned spares = node.relay->spare_cnt;

	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_OK);
	assert_int_equal(node.out.tx_cnt, 1);
	assert_true(dp_finish(&node, 0, spares));
	f = port_mem_get(node.port);
	assert_true(dp_unprotect(f->data, f->len, 1, &c));
	assert_int_equal(c.kind, VX6_KIND_CONTROL);
	assert_int_equal(c.circ, OUT + 1);
	assert_int_equal(c.ctr, bwd.start_tx + 1);
	assert_int_equal(vx6_layer_open(&lb, f->data + 8, f->len - 8u, &plain),
			 VX6_OK);
	assert_int_equal(plain, 11);
	assert_memory_equal(f->data + 16, ctl.body, 11);
	one_give(f);
	one_arrives(p, backward(p, 1, VX6_KIND_DATA, 100, 0), 2);
	f = one_out();
	check_backward(f, 1, 2, VX6_KIND_DATA, 100);
	one_give(f);
	/* only a backward half has a counter to seal under */
	ctl.id = FWD;
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_NO_CIRCUIT);
	ctl.id = LOC;
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_NO_CIRCUIT);
	ctl.id = BWD;
	ctl.len = 0;
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_BAD_SIZE);
	ctl.len = ABI_CTL_LEN + 1;
	assert_int_equal(relay_inject(node.relay, &ctl, node.now, &node.out),
			 VX6_BAD_SIZE);
}

/* ---- everything at once, against a list ---- */

struct expected {
	enum vx6_status st; /* VX6_OK: it is sent */
	bool bwd;
	uint64_t n;
	size_t len;
};

/* Makes one cell of a random sort; tells what must become of it.  used[]
 * are the counters that were accepted, forward and backward. */
static size_t random_cell(uint8_t *p, uint32_t *link, struct expected *e,
			  bool used[2][512])
{
	uint32_t sort = vx6_rand_below(&node.rnd, 12);
	size_t n;

	e->bwd = vx6_rand_below(&node.rnd, 2) != 0;
	e->n = vx6_rand_below(&node.rnd, 512);
	e->len = 16 + vx6_rand_below(&node.rnd, 1400);
	e->st = used[e->bwd][e->n] ? VX6_REPLAYED : VX6_OK;
	*link = e->bwd ? 2 : 1;
	n = e->bwd ? backward(p, e->n, VX6_KIND_DATA, e->len, 0)
		   : forward(p, e->n, e->len, 0);
	switch (sort) {
	case 0:
		p[0] = 0x40;
		e->st = VX6_BAD_VERSION;
		break;
	case 1:
		vx6_put24(p + 1, 60);
		e->st = VX6_NO_LINK;
		break;
	case 2:
		*link = 3;
		e->st = VX6_BAD_SOURCE;
		break;
	case 3:
		n = 31;
		e->st = VX6_BAD_SIZE;
		break;
	case 4:
		if (!e->bwd && e->st == VX6_OK) {
			p[n - 1] ^= 0x10;
			e->st = VX6_BAD_TAG;
		}
		break;
	default: break;
	}
	if (e->st == VX6_OK)
		used[e->bwd][e->n] = true;
	return n;
}

static void check_one(struct net_frame *f, const struct expected *e,
		      uint64_t *sealed)
{
	if (e->bwd)
		check_backward(f, e->n, (*sealed)++, VX6_KIND_DATA, e->len);
	else
		check_forward(f, e->n, VX6_KIND_DATA, e->len);
	one_give(f);
}

static void the_books_balance(void **state)
{
	static bool used[2][512];
	uint64_t sealed = 0, want[VX6_STATUS_CNT] = { 0 };

	(void)state;
	memset(used, 0, sizeof(used));
	for (unsigned b = 0; b < 300; b++) {
		struct expected e[RELAY_BURST];
		unsigned n = vx6_rand_below(&node.rnd, RELAY_BURST + 1);
		unsigned sent, out = 0;

		for (unsigned i = 0; i < n; i++) {
			static uint8_t p[VX6_CELL_MAX];
			uint32_t link;
			size_t len = random_cell(p, &link, &e[i], used);

			one_arrives(p, len, link);
			want[e[i].st]++;
			out += e[i].st == VX6_OK;
		}
		node.relay->cold[5].bad_tags = 0;
		assert_true(dp_step(&node, &sent));
		assert_int_equal(sent, out);
		for (unsigned i = 0; i < n; i++)
			if (e[i].st == VX6_OK)
				check_one(port_mem_get(node.port), &e[i],
					  &sealed);
		for (unsigned st = 1; st < VX6_STATUS_CNT; st++)
			assert_int_equal(one_drops(st), want[st]);
		assert_true(dp_balanced(&node));
	}
	assert_int_equal(node.relay->half[5].cells + node.relay->half[6].cells,
			 want[VX6_OK]);
	assert_true(want[VX6_REPLAYED] && want[VX6_BAD_TAG]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up_all, one_close)
#define S(f) cmocka_unit_test_setup_teardown(f, set_up, one_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		T(forward_takes_one_layer_off),
		T(backward_puts_one_layer_on),
		T(kind_belongs_to_a_layer),
		T(inner_header_must_say_what_follows),
		T(drop_cells_end_here),
		T(forged_cells_change_nothing),
		T(header_bits_cannot_be_steered),
		T(replays_are_refused),
		T(first_of_twins_wins),
		T(ids_are_exact),
		T(a_circuit_has_one_way_in),
		T(what_is_no_cell_of_a_link),
		T(sizes_are_exact),
		T(pads_are_fresh_and_sizes_the_circuits),
		T(nothing_is_sent_over_the_links_limit),
		S(expired_halves_do_nothing),
		T(counters_end),
		T(many_bad_tags_close),
		T(control_cells_become_events),
		T(control_cells_have_a_rate),
		T(a_full_event_queue_drops_control),
		S(terminals_have_no_way_on),
		T(injected_cells_share_the_counter),
		T(the_books_balance),
	};

	return cmocka_run_group_tests_name("relay", test, NULL, NULL);
}
