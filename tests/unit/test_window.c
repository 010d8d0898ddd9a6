/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window: every counter at most once, nothing older than 2048, nothing
 * outside the direction's range.
 *
 * Rows sit on the edges; each step is tested with fresh, which may change
 * nothing, and then recorded.  The last tests compare the ring with a
 * model too simple to be wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/wire/window.h"

#define S    UINT64_C(0x2badcafe0123)
#define SPAN VX6_CTR_SPAN
#define W    VX6_WINDOW

/* clang-format off */
static const struct {
	const char *name;
	struct { uint64_t off; enum vx6_status want; } step[6];
	unsigned n;
} row[] = {
	{ "start is a counter",
	  { { 0, VX6_OK }, { 0, VX6_REPLAYED }, { 1, VX6_OK } }, 3 },
	{ "below start",
	  { { (uint64_t)-1, VX6_OUT_OF_RANGE }, { 0, VX6_OK },
	    { (uint64_t)-1, VX6_OUT_OF_RANGE } }, 3 },
	{ "counter zero, far below start",
	  { { (uint64_t)0 - S, VX6_OUT_OF_RANGE } }, 1 },
	{ "the last one of the range",
	  { { SPAN, VX6_OUT_OF_RANGE }, { SPAN - 1, VX6_OK },
	    { SPAN - 1, VX6_REPLAYED }, { SPAN, VX6_OUT_OF_RANGE },
	    { SPAN - W, VX6_OK }, { SPAN - W - 1, VX6_REPLAYED } }, 6 },
	{ "late but inside",
	  { { 9, VX6_OK }, { 3, VX6_OK }, { 3, VX6_REPLAYED },
	    { 9, VX6_REPLAYED } }, 4 },
	{ "2047 behind top is remembered",
	  { { W - 1, VX6_OK }, { 0, VX6_OK }, { 0, VX6_REPLAYED } }, 3 },
	{ "2048 behind top is too old",
	  { { W, VX6_OK }, { 0, VX6_REPLAYED }, { 1, VX6_OK } }, 3 },
	{ "a jump clears the ring",
	  { { 5, VX6_OK }, { 5 + 33 * 64 * 10, VX6_OK }, { 5, VX6_REPLAYED },
	    { 4 + 33 * 64 * 10, VX6_OK }, { 5 + 33 * 64 * 10, VX6_REPLAYED } }, 5 },
	{ "one turn of the ring",
	  { { 70, VX6_OK }, { 70 + 33 * 64, VX6_OK }, { 71 + 33 * 64, VX6_OK },
	    { 70 + 32 * 64, VX6_OK }, { 70 + 64, VX6_REPLAYED } }, 5 },
	{ "the first one may be anywhere",
	  { { 1000000, VX6_OK }, { 1000000 - W + 1, VX6_OK },
	    { 1000000 - W, VX6_REPLAYED } }, 3 },
};
/* clang-format on */

static bool same(const struct vx6_window *a, const struct vx6_window *b)
{
	return a->head.start == b->head.start && a->head.next == b->head.next &&
	       a->head.word == b->head.word &&
	       memcmp(&a->ring, &b->ring, sizeof(a->ring)) == 0;
}

static void each_row_ends_as_told(void **state)
{
	(void)state;
	for (unsigned r = 0; r < VX6_COUNT(row); r++) {
		struct vx6_window w, before;

		vx6_window_init(&w, S);
		for (unsigned s = 0; s < row[r].n; s++) {
			uint64_t ctr = S + row[r].step[s].off;
			enum vx6_status want = row[r].step[s].want;

			before = w;
			if (vx6_window_fresh(&w, ctr) != want ||
			    !same(&w, &before))
				fail_msg("%s, step %u: fresh", row[r].name, s);
			if (vx6_window_record(&w, ctr) != want)
				fail_msg("%s, step %u", row[r].name, s);
			if (want != VX6_OK && !same(&w, &before))
				fail_msg("%s, step %u moved", row[r].name, s);
		}
	}
}

#define MODEL (64u * W)

/* The model: a set of what was seen, and the greatest of it.  spread is
 * how far a step may go, forward or back. */
static void compare(uint64_t start, unsigned spread, unsigned steps)
{
	static bool seen[MODEL];
	struct vx6_window w;
	uint64_t rng = spread, top = 0, at = 0;
	bool any = false;

	memset(seen, 0, sizeof(seen));
	vx6_window_init(&w, start);
	for (unsigned i = 0; i < steps; i++) {
		rng = rng * 6364136223846793005u + 1442695040888963407u;
		at += (rng >> 33) % 3;
		uint64_t off = (at + (rng >> 40) % spread) % MODEL;
		bool old = any && off < top && top - off >= W;
		bool ok = !old && !seen[off];

		assert_int_equal(vx6_window_record(&w, start + off),
				 ok ? VX6_OK : VX6_REPLAYED);
		if (ok) {
			seen[off] = true;
			top = !any || off > top ? off : top;
			any = true;
		}
	}
}

static void agrees_with_the_model(void **state)
{
	(void)state;
	compare(0, 1, 100000);
	compare(S, 70, 100000);
	compare(S, W - 1, 100000);
	compare((UINT64_C(1) << 46) - 1, W + 65, 100000);
	compare(1, 40 * W, 100000);
}

static void start_has_46_bits(void **state)
{
	uint8_t key[16];

	(void)state;
	memset(key, 0xff, sizeof(key));
	assert_int_equal(vx6_ctr_start(key), (UINT64_C(1) << 46) - 1);
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)(0xc1 + i);
	assert_int_equal(vx6_ctr_start(key), UINT64_C(0x01c2c3c4c5c6));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(each_row_ends_as_told),
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(start_has_46_bits),
	};

	return cmocka_run_group_tests_name("window", test, NULL, NULL);
}
