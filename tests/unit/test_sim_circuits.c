/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_circuits: hundreds of nodes, thousands of circuits, and nothing is
 * left behind by those that failed.
 *
 * Method: tests/support/sim_circuits.h under several seeds.  What was
 * rare must still have happened, or the judgement would be of nothing.
 * VX6_SIM_SEED=n runs that one seed, VX6_SIM_SEEDS=n that many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_circuits.h"

#define SEEDS 8u

static const struct sim_setup churn = {
	.nodes = 200,
	.circuits = 2000,
	.crashes = 40,
	.cuts = 200,
	.churn_ns = 60 * VX6_SEC,
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static struct sim_told play(const struct sim_setup *setup, uint64_t seed)
{
	struct sim_setup with = *setup;
	struct sim_told told;
	struct sim *s;

	with.seed = seed;
	s = sim_open(&with);
	if (sim_still(s))
		sim_over(s);
	told = *sim_told(s);
	sim_close(s);
	if (told.fault[0])
		fail_msg("VX6_SIM_SEED=%llu, at %.6f s: %s",
			 (unsigned long long)seed, (double)told.now_ns / 1e9,
			 told.fault);
	return told;
}

static void add(struct sim_told *all, const struct sim_told *one)
{
	all->begun += one->begun;
	all->opened += one->opened;
	all->crashed += one->crashed;
	all->late += one->late;
	all->strange += one->strange;
	all->cut += one->cut;
	all->lost_msgs += one->lost_msgs;
	all->standing += one->standing;
	for (unsigned i = 0; i < VX6_COUNT(all->why); i++)
		all->why[i] += one->why[i];
	for (unsigned i = 0; i < VX6_COUNT(all->code); i++)
		all->code[i] += one->code[i];
	for (unsigned i = 0; i < VX6_COUNT(all->hop_act); i++)
		all->hop_act[i] += one->hop_act[i];
}

static void show(const struct sim_told *t)
{
	print_message("# %u begun, %u opened, %u stood, %u crashed, %u late, "
		      "%u strange, %u cut, %u messages lost\n",
		      t->begun, t->opened, t->standing, t->crashed, t->late,
		      t->strange, t->cut, t->lost_msgs);
	for (unsigned i = 1; i < VX6_COUNT(t->why); i++)
		print_message("# %5u %s\n", t->why[i],
			      origin_why_text((enum origin_why)i));
	for (unsigned i = 1; i < VX6_CREATED_CODE_CNT; i++)
		print_message("# %5u with code %u\n", t->code[i], i);
}

static void nothing_is_left_behind(void **state)
{
	uint64_t first = number("VX6_SIM_SEED", 1);
	uint64_t cnt = getenv("VX6_SIM_SEED") ? 1
					      : number("VX6_SIM_SEEDS", SEEDS);
	struct sim_told all = { 0 };

	(void)state;
	for (uint64_t seed = first; seed < first + cnt; seed++) {
		struct sim_told told = play(&churn, seed);

		add(&all, &told);
	}
	show(&all);
	if (cnt < SEEDS)
		return;
	assert_in_range(all.opened, all.begun / 10, all.begun);
	assert_in_range(all.standing, all.begun / 50, all.begun);
	assert_in_range(all.crashed, 20, all.begun);
	assert_in_range(all.late, 20, UINT32_MAX);
	assert_in_range(all.strange, 20, UINT32_MAX);
	assert_in_range(all.lost_msgs, 20, UINT32_MAX);
	for (unsigned i = ORIGIN_WHY_NONE + 1; i < VX6_COUNT(all.why); i++)
		assert_in_range(all.why[i], 5, UINT32_MAX);
	for (unsigned i = 1; i <= VX6_CREATED_POLICY; i++)
		assert_in_range(all.code[i], 5, UINT32_MAX);
	for (unsigned i = 0; i < VX6_COUNT(all.hop_act); i++)
		assert_in_range(all.hop_act[i], 5, UINT32_MAX);
}

static void a_seed_gives_the_same_run(void **state)
{
	static const struct sim_setup small = {
		.nodes = 32,
		.circuits = 200,
		.crashes = 8,
		.cuts = 20,
		.churn_ns = 20 * VX6_SEC,
	};
	struct sim_told a = play(&small, 7), b = play(&small, 7);
	struct sim_told c = play(&small, 8);

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(a.digest != c.digest);
}

/* Where nobody is odd and nothing breaks, none fails. */
static void a_fair_network_opens_them_all(void **state)
{
	static const struct sim_setup fair = {
		.nodes = 200,
		.circuits = 400,
		.churn_ns = 60 * VX6_SEC,
		.fair = true,
	};
	struct sim_told told = play(&fair, 3);
	uint32_t closed = told.why[ORIGIN_WHY_DONE];

	(void)state;
	assert_int_equal(told.begun, 400);
	for (unsigned i = 0; i < ORIGIN_WHY_DESTROYED; i++)
		assert_int_equal(told.why[i], 0);
	assert_int_equal(told.why[ORIGIN_WHY_LOST], 0);
	assert_int_equal(told.cut + told.crashed + told.lost_msgs, 0);
	assert_in_range(told.opened, 400 - closed, 400);
	assert_in_range(told.opened, 380, 400);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(a_seed_gives_the_same_run),
		cmocka_unit_test(a_fair_network_opens_them_all),
	};

	return cmocka_run_group_tests_name("sim_circuits", test, NULL, NULL);
}
