/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay: what a frame says that its payload sums to.
 *
 * Cells of every length, even and odd, through circuits of every size, with
 * every suite, opened, sealed and both: where the layer told a sum the frame
 * tells the cell's, and it is right.  (dp_kit judges it in every other test,
 * too, wherever it is known.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/base/sum.h"
#include "tests/support/one_relay.h"

enum { FORWARD = 1, BACKWARD, TERMINAL, WAY_BACK };

static struct abi_half half[WAY_BACK + 1];

static const uint16_t sizes[] = { 0, 1232, 1452 };

static int set_up(void **state)
{
	const struct relay_opts o = { 0 };

	(void)state;
	one_open(&o, 2);
	return 0;
}

/* The four half-circuits of one suite, of one size coming and one going. */
static void add_all(unsigned suite, uint16_t in, uint16_t out)
{
	static uint32_t generation;

	generation++;
	for (uint32_t i = FORWARD; i <= WAY_BACK; i++) {
		struct abi_half *h = &half[i];
		bool open = i == FORWARD || i == TERMINAL;

		*h = dp_half(open ? ABI_HALF_FORWARD : ABI_HALF_BACKWARD,
			     generation << ABI_IDX_BITS | i,
			     i == WAY_BACK ? 0 : 1, i == TERMINAL ? 0 : 2,
			     i == TERMINAL ? 0 : 100 + i);
		h->suite = (uint8_t)suite;
		h->cell_size_in = i == WAY_BACK ? 0 : in;
		h->cell_size_out = i == TERMINAL ? 0 : out;
		one_add(h);
	}
	assert_int_equal(
		relay_splice(node.relay, half[TERMINAL].id, half[WAY_BACK].id),
		VX6_OK);
}

static void remove_all(void)
{
	for (uint32_t i = FORWARD; i <= WAY_BACK; i++)
		assert_int_equal(relay_half_remove(node.relay, half[i].id),
				 VX6_OK);
}

/* A cell for half-circuit i with len bytes of C inside, the n-th. */
static void arrive(uint32_t i, uint64_t n, size_t len)
{
	const struct abi_half *h = &half[i];
	const struct dp_cell c = { .ctr = h->start_rx + n,
				   .circ = h->id,
				   .size = h->cell_size_in,
				   .kind = VX6_KIND_DATA };
	static uint8_t cell[VX6_CELL_MAX], text[VX6_CELL_MAX];
	struct vx6_layer layer = dp_layer(h);
	size_t size;

	vx6_rand_fill(&node.rnd, text, sizeof(text));
	if (vx6_rand_below(&node.rnd, 4) == 0)
		memset(text, 0xff, sizeof(text)); /* the most carries */
	if (h->kind == ABI_HALF_FORWARD) {
		vx6_h8_put(text, n, VX6_KIND_DATA, len);
		size = dp_seal(cell, 1, &layer, &c, text, 8 + len);
	} else {
		size = dp_raw(cell, 1, &c, text, len);
	}
	one_arrives(cell, size, 1);
}

/* Whether the layer of a half-circuit sums a cell of that length. */
static bool tells(const struct abi_half *h, size_t len)
{
	static uint8_t text[2 * VX6_CELL_MAX];
	struct vx6_layer l = dp_layer(h);
	struct vx6_layer_op op = { .key = &l.key,
				   .gcm = &l.gcm,
				   .h8 = text,
				   .len = len,
				   .kind = VX6_KIND_DATA };

	vx6_layer_seal_burst(&op, 1);
	return op.summed;
}

/* One burst of three; how many of what left told its sum. */
static unsigned burst(uint64_t n, size_t len)
{
	struct net_frame *f;
	unsigned sent, told = 0;

	for (uint32_t i = FORWARD; i <= TERMINAL; i++)
		arrive(i, n, len);
	assert_true(dp_step(&node, &sent));
	assert_int_equal(sent, 3);
	while ((f = port_mem_get(node.port)) != NULL) {
		if (f->sum != 0) {
			assert_int_equal(f->sum, vx6_sum(f->data, f->len));
			told++;
		}
		one_give(f);
	}
	return told;
}

static void sums_of(unsigned suite, uint16_t in, uint16_t out)
{
	size_t most = 1456;

	if (in != 0 && in - 40u < most)
		most = in - 40u; /* a header, H8 inside and a tag */
	if (out != 0 && out - 16u < most)
		most = out - 16u;
	most -= VX6_LAYER_LEN; /* the backward one's grows */
	add_all(suite, in, out);
	for (size_t len = VX6_LEN_MIN, n = 0; len <= most;
	     len += 1 + vx6_rand_below(&node.rnd, 12))
		assert_int_equal(burst(n++, len),
				 tells(&half[FORWARD], len) ? 3 : 0);
	remove_all();
}

static void what_is_told_is_right(void **state)
{
	(void)state;
	for (unsigned suite = 1; suite <= VX6_SUITE_AEGIS128L; suite++) {
		if (!vx6_suite_offers(suite)) {
			print_message("# SKIP cpu: no suite %u\n", suite);
			continue;
		}
		for (unsigned i = 0; i < VX6_COUNT(sizes); i++)
			for (unsigned k = 0; k < VX6_COUNT(sizes); k++)
				sums_of(suite, sizes[i], sizes[k]);
	}
}

/* What is not of an AEAD's making tells none, whatever stood there before. */
static void what_nobody_summed_is_not_told(void **state)
{
	struct net_frame *f;
	unsigned sent;

	(void)state;
	node.now += 60 * VX6_SEC; /* both links ask */
	assert_true(dp_tick(&node, &sent));
	assert_true(sent > 0);
	while ((f = port_mem_get(node.port)) != NULL) {
		assert_int_equal(f->sum, 0);
		f->sum = 1;
		one_give(f);
		f = port_take(node.port);
		assert_int_equal(f->sum, 0);
		one_give(f);
	}
}

int main(void)
{
	const struct CMUnitTest test[] = {
		cmocka_unit_test_setup_teardown(what_is_told_is_right, set_up,
						one_close),
		cmocka_unit_test_setup_teardown(what_nobody_summed_is_not_told,
						set_up, one_close),
	};

	return cmocka_run_group_tests_name("relay_sum", test, NULL, NULL);
}
