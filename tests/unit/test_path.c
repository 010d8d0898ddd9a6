/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path: what is drawn is a path, whoever is left out has a reason, and
 * nobody is preferred without one.
 *
 * Method: the refusals as a table; random crowds of relays, each draw held
 * against the rules of the header; counts over many draws against uniform
 * ones, with a fixed seed and bounds that chance misses by far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/path.h"

#define CROWD 40u
#define DRAWS 30000u

static struct vx6_rand rnd;

static int seeded(void **state)
{
	static const uint8_t seed[32] = "path";

	(void)state;
	vx6_rand_seed(&rnd, seed);
	return 0;
}

/* Relay i has i in its id, so that it is known wherever it is moved to. */
static void crowd(struct path_relay r[], unsigned n)
{
	memset(r, 0, n * sizeof(r[0]));
	for (unsigned i = 0; i < n; i++) {
		r[i].id[0] = (uint8_t)i;
		r[i].id[31] = (uint8_t)~i;
	}
}

/* ---- refusals ---- */

static void what_cannot_be_is_not_found(void **state)
{
	static const struct {
		unsigned n, cnt, lasts;
		bool any_last;
		enum vx6_status want;
	} of[] = {
		{ 0, 0,          0, true,  VX6_NOT_FOUND },
		{ 0, 1,          0, true,  VX6_NOT_FOUND },
		{ 5, 0,          0, true,  VX6_NOT_FOUND },
		{ 2, 3,          0, true,  VX6_NOT_FOUND },
		{ 2, 3,          2, false, VX6_NOT_FOUND },
		{ 6, 7,          6, true,  VX6_NOT_FOUND },
		{ 9, 8,          9, true,  VX6_NOT_FOUND },
		{ 9, 9,          9, false, VX6_NOT_FOUND },
		{ 9, UINT32_MAX, 9, true,  VX6_NOT_FOUND },
		{ 1, 1,          0, false, VX6_NOT_FOUND },
		{ 9, 3,          0, false, VX6_NOT_FOUND },
		{ 1, 1,          0, true,  VX6_OK        },
		{ 1, 1,          1, false, VX6_OK        },
		{ 3, 3,          1, false, VX6_OK        },
		{ 7, 7,          0, true,  VX6_OK        },
		{ 9, 7,          1, false, VX6_OK        },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(of); i++)
		for (unsigned k = 0; k < 50; k++) {
			struct path_relay r[10];
			size_t pick[VX6_HOPS_MAX];

			crowd(r, 10);
			for (unsigned l = 0; l < of[i].lasts; l++)
				r[l].last = true;
			if (path_draw(r, of[i].n, of[i].cnt, of[i].any_last,
				      &rnd, pick) != of[i].want)
				fail_msg("row %u", i);
		}
}

/* ---- any crowd ---- */

struct draw {
	struct path_relay r[CROWD];
	bool used[CROWD], last[CROWD]; /* by the relay's number */
	unsigned n, cnt, used_cnt;
	bool any_last;
	size_t pick[VX6_HOPS_MAX];
};

static void random_crowd(struct draw *d)
{
	unsigned used = vx6_rand_below(&rnd, 101);
	unsigned last = vx6_rand_below(&rnd, 101);

	memset(d, 0, sizeof(*d));
	d->n = 1 + vx6_rand_below(&rnd, CROWD);
	d->cnt = 1 + vx6_rand_below(&rnd, d->n < 7 ? d->n : 7);
	d->any_last = vx6_rand_below(&rnd, 2);
	crowd(d->r, d->n);
	for (unsigned i = 0; i < d->n; i++) {
		d->r[i].used = d->used[i] = vx6_rand_below(&rnd, 100) < used;
		d->r[i].last = d->last[i] = vx6_rand_below(&rnd, 100) < last;
		d->used_cnt += d->used[i];
	}
}

/* The caller's array is in another order and otherwise as it was. */
static void crowd_is_as_it_was(const struct draw *d)
{
	bool seen[CROWD] = { false };

	for (unsigned i = 0; i < d->n; i++) {
		unsigned no = d->r[i].id[0];

		assert_in_range(no, 0, d->n - 1);
		assert_int_equal(d->r[i].id[31], (uint8_t)~no);
		assert_false(seen[no]);
		seen[no] = true;
		assert_int_equal(d->r[i].used, d->used[no]);
		assert_int_equal(d->r[i].last, d->last[no]);
	}
}

/* The last hop is a used one only where every one that will do is, the
 * others where all the unused are taken. */
static void used_ones_come_last(const struct draw *d)
{
	bool end_used = d->r[d->pick[d->cnt - 1]].used, fresh_end = false;
	unsigned fresh = d->n - d->used_cnt, taken_used = 0;

	for (unsigned i = 0; i < d->n; i++)
		fresh_end |= !d->used[i] && (d->any_last || d->last[i]);
	assert_int_equal(end_used, !fresh_end);
	for (unsigned i = 0; i + 1 < d->cnt; i++)
		taken_used += d->r[d->pick[i]].used;
	fresh -= !end_used;
	assert_int_equal(taken_used,
			 d->cnt - 1 > fresh ? d->cnt - 1 - fresh : 0);
}

static void a_draw_keeps_the_rules(void **state)
{
	unsigned found = 0, none = 0, mixed = 0;

	(void)state;
	for (unsigned run = 0; run < 20000; run++) {
		struct draw d;
		bool have = false;

		random_crowd(&d);
		for (unsigned i = 0; i < d.n; i++)
			have |= d.any_last || d.last[i];
		assert_int_equal(
			path_draw(d.r, d.n, d.cnt, d.any_last, &rnd, d.pick),
			have ? VX6_OK : VX6_NOT_FOUND);
		crowd_is_as_it_was(&d);
		none += !have;
		if (!have)
			continue;
		found++;
		for (unsigned i = 0; i < d.cnt; i++) {
			assert_in_range(d.pick[i], 0, d.n - 1);
			for (unsigned k = 0; k < i; k++)
				assert_int_not_equal(d.pick[i], d.pick[k]);
		}
		assert_true(d.any_last || d.r[d.pick[d.cnt - 1]].last);
		used_ones_come_last(&d);
		mixed += d.used_cnt > 0 && d.used_cnt + d.cnt > d.n;
	}
	assert_in_range(found, 5000, UINT32_MAX);
	assert_in_range(none, 100, UINT32_MAX);
	assert_in_range(mixed, 500, UINT32_MAX);
}

/* ---- nobody is preferred ---- */

/* Chi-square of counts that should all be alike; with k cells it is about
 * k, and above k + 10 sqrt(k) nearly never. */
static double chi_square(const unsigned count[], unsigned cells, unsigned all)
{
	double want = (double)all / cells, sum = 0;

	for (unsigned i = 0; i < cells; i++)
		sum += (count[i] - want) * (count[i] - want) / want;
	return sum;
}

static void is_even(const char *what, const unsigned count[], unsigned cells,
		    unsigned all)
{
	double x = chi_square(count, cells, all), off = x - cells;

	if (off > 0 && off * off > 100.0 * cells)
		fail_msg("%s: chi-square %.1f over %u cells", what, x, cells);
}

static void each_position_goes_to_each_relay(void **state)
{
	unsigned at[3][10] = { { 0 } }, pair[90] = { 0 };

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct path_relay r[10];
		size_t pick[VX6_HOPS_MAX];
		unsigned no[3];

		crowd(r, 10);
		assert_int_equal(path_draw(r, 10, 3, true, &rnd, pick), VX6_OK);
		for (unsigned p = 0; p < 3; p++) {
			no[p] = r[pick[p]].id[0];
			at[p][no[p]]++;
		}
		pair[no[0] * 9 + no[1] - (no[1] > no[0])]++;
	}
	is_even("first hop", at[0], 10, DRAWS);
	is_even("second hop", at[1], 10, DRAWS);
	is_even("last hop", at[2], 10, DRAWS);
	is_even("first and second hop", pair, 90, DRAWS);
}

/* Relays 0..3 are used, 2..5 are last ones: the end is 4 or 5, of which the
 * other is left for a spare, and the others are what is left of 6..9. */
static void those_that_will_do_are_alike(void **state)
{
	unsigned end[2] = { 0 }, at[2][4] = { { 0 } };

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct path_relay r[10];
		size_t pick[VX6_HOPS_MAX];

		crowd(r, 10);
		for (unsigned k = 0; k < 4; k++)
			r[k].used = r[k + 2].last = true;
		assert_int_equal(path_draw(r, 10, 3, false, &rnd, pick),
				 VX6_OK);
		unsigned no = r[pick[2]].id[0];

		assert_in_range(no, 4, 5);
		end[no - 4]++;
		for (unsigned p = 0; p < 2; p++) {
			no = r[pick[p]].id[0];
			assert_in_range(no, 6, 9);
			at[p][no - 6]++;
		}
	}
	is_even("end", end, 2, DRAWS);
	is_even("first hop", at[0], 4, DRAWS);
	is_even("second hop", at[1], 4, DRAWS);
}

/* Six relays, three of them last ones: two of these on a path at most, or
 * the spare would have to end where the first circuit does. */
static void a_spare_finds_an_end(void **state)
{
	unsigned with_two[2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct path_relay r[6];
		size_t pick[VX6_HOPS_MAX];
		unsigned ends = 0;

		crowd(r, 6);
		for (unsigned k = 0; k < 3; k++)
			r[k].last = true;
		assert_int_equal(path_draw(r, 6, 3, false, &rnd, pick), VX6_OK);
		for (unsigned p = 0; p < 3; p++)
			ends += r[pick[p]].last;
		assert_in_range(ends, 1, 2);
		for (unsigned p = 0; p < 2; p++)
			with_two[p] += r[pick[p]].last;
		for (unsigned p = 0; p < 3; p++)
			r[pick[p]].used = true;
		assert_int_equal(path_draw(r, 6, 3, false, &rnd, pick), VX6_OK);
		for (unsigned p = 0; p < 3; p++)
			assert_false(r[pick[p]].used);
	}
	is_even("place of the second one", with_two, 2,
		with_two[0] + with_two[1]);
}

/* Where all the unused are taken, the used ones are alike too. */
static void the_used_ones_are_alike(void **state)
{
	unsigned count[8] = { 0 };

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct path_relay r[10];
		size_t pick[VX6_HOPS_MAX];
		unsigned used = 0;

		crowd(r, 10);
		for (unsigned k = 0; k < 8; k++)
			r[k].used = true;
		assert_int_equal(path_draw(r, 10, 4, true, &rnd, pick), VX6_OK);
		for (unsigned p = 0; p < 4; p++)
			if (r[pick[p]].used) {
				count[r[pick[p]].id[0]]++;
				used++;
			}
		assert_int_equal(used, 2);
	}
	is_even("used ones", count, 8, 2 * DRAWS);
}

static void the_same_bytes_draw_the_same_path(void **state)
{
	struct path_relay a[20], b[20];
	size_t pick_a[VX6_HOPS_MAX], pick_b[VX6_HOPS_MAX];
	struct vx6_rand copy;

	(void)state;
	for (unsigned run = 0; run < 100; run++) {
		copy = rnd;
		crowd(a, 20);
		crowd(b, 20);
		assert_int_equal(path_draw(a, 20, 5, true, &rnd, pick_a),
				 VX6_OK);
		assert_int_equal(path_draw(b, 20, 5, true, &copy, pick_b),
				 VX6_OK);
		assert_memory_equal(a, b, sizeof(a));
		assert_memory_equal(pick_a, pick_b, 5 * sizeof(pick_a[0]));
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test_setup(what_cannot_be_is_not_found, seeded),
		cmocka_unit_test_setup(a_draw_keeps_the_rules, seeded),
		cmocka_unit_test_setup(each_position_goes_to_each_relay,
				       seeded),
		cmocka_unit_test_setup(those_that_will_do_are_alike, seeded),
		cmocka_unit_test_setup(a_spare_finds_an_end, seeded),
		cmocka_unit_test_setup(the_used_ones_are_alike, seeded),
		cmocka_unit_test_setup(the_same_bytes_draw_the_same_path,
				       seeded),
	};

	return cmocka_run_group_tests_name("path", test, NULL, NULL);
}
