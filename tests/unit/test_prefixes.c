/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefixes: nobody has more than rate and burst allow his prefix, however
 * many others he comes from, and who shares with few others has all of it.
 *
 * Method: virtual time; a table on the rule; random walks beside a model
 * that has a bucket for each prefix, and as many of them as there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/prefixes.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"

#define SETS   4u
#define RATE   10u
#define BURST  20u
#define START  (1000 * VX6_SEC)
#define EACH   (VX6_SEC / RATE)
#define MANY   200u
#define ROUNDS 200000u

static struct prefixes_one one[SETS * PREFIXES_WAYS];
static const uint8_t key[PREFIXES_KEY] = { 42 };

static void begin(struct prefixes *t, uint32_t sets)
{
	memset(one, 0, sizeof(one));
	prefixes_init(t, one, sets, key);
}

static struct vx6_addr at(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static struct vx6_addr nth(uint32_t n)
{
	struct vx6_addr a = at("[2001:db8::1]:4242");

	memcpy(a.ip + 3, &n, sizeof(n)); /* within the first 56 bits */
	return a;
}

static bool take(struct prefixes *t, const struct vx6_addr *a, uint64_t now)
{
	return prefixes_take(t, a, RATE, BURST, now);
}

/* Takes all that there is; returns how much that was. */
static unsigned drain(struct prefixes *t, const struct vx6_addr *a,
		      uint64_t now)
{
	unsigned n = 0;

	while (take(t, a, now))
		n++;
	return n;
}

static void a_burst_and_then_the_rate(void **state)
{
	struct vx6_addr a = at("192.0.2.1:1");
	struct prefixes t;

	(void)state;
	begin(&t, SETS);
	assert_int_equal(drain(&t, &a, START), BURST);
	assert_false(take(&t, &a, START + EACH - 1));
	assert_int_equal(drain(&t, &a, START + EACH), 1);
	assert_int_equal(drain(&t, &a, START + 4 * EACH), 3);
	/* a pause gives the burst and no more */
	assert_int_equal(drain(&t, &a, 2 * START), BURST);
	assert_int_equal(t.refused, 5);
	assert_int_equal(t.crowded, 0);
}

static void one_at_a_time(void **state)
{
	struct vx6_addr a = at("192.0.2.1:1");
	struct prefixes t;

	(void)state;
	begin(&t, SETS);
	for (uint64_t s = 0; s < 3; s++) {
		assert_true(prefixes_take(&t, &a, 1, 1, START + s * VX6_SEC));
		assert_false(prefixes_take(&t, &a, 1, 1,
					   START + (s + 1) * VX6_SEC - 1));
	}
}

static void a_prefix_is_the_classifiers(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} row[] = {
		{ "192.0.2.1:1",           "192.0.2.1:2",           true  },
		{ "192.0.2.1:1",           "192.0.2.255:1",         true  },
		{ "192.0.2.1:1",           "192.0.3.1:1",           false },
		{ "192.0.2.1:1",           "193.0.2.1:1",           false },
		{ "[2001:db8:0:1::1]:1",   "[2001:db8:0:1::2]:1",   true  },
		{ "[2001:db8:0:100::1]:1", "[2001:db8:0:1ff::1]:1", true  },
		{ "[2001:db8:0:100::1]:1", "[2001:db8:0:200::1]:1", false },
		{ "[2001:db8:0:100::1]:1", "[2001:db9:0:100::1]:1", false },
		{ "0.0.0.0:1",             "[::1]:1",               false },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(row); i++) {
		struct vx6_addr a = at(row[i].a), b = at(row[i].b);
		struct prefixes t;

		begin(&t, SETS);
		drain(&t, &a, START);
		if (take(&t, &b, START) == row[i].same)
			fail_msg("%s and %s", row[i].a, row[i].b);
	}
}

/* He has used up his own, goes through enough others to push it out of its
 * set, and comes back. */
static void pushing_ones_own_out_is_no_use(void **state)
{
	struct vx6_addr a = nth(0);
	struct prefixes t;
	unsigned more = 0;

	(void)state;
	begin(&t, 1);
	assert_int_equal(drain(&t, &a, START), BURST);
	for (uint32_t n = 1; n <= MANY; n++) {
		struct vx6_addr b = nth(n);

		more += drain(&t, &b, START);
		assert_int_equal(drain(&t, &a, START), 0);
	}
	/* all of them together had what the set has */
	assert_int_equal(more, (PREFIXES_WAYS - 1) * BURST);
	assert_true(t.crowded > 0);
	/* and whoever comes next waits for a token, not for ever */
	a = nth(MANY + 1);
	assert_int_equal(drain(&t, &a, START + EACH), 1);
}

/* Others, each new, take the place of who is at work again and again; all
 * they take is less than what the set is given. */
static void strangers_take_no_tokens_of_ones_own(void **state)
{
	struct vx6_addr a = nth(0);
	struct prefixes t;
	uint64_t now = START;

	(void)state;
	begin(&t, 1);
	for (uint32_t n = 1; n < 10000; n++, now += EACH / 6) {
		struct vx6_addr b = nth(n);

		assert_true(take(&t, &b, now));
		if (n % 6 == 0)
			assert_true(take(&t, &a, now));
	}
}

struct model {
	uint64_t due[MANY];
};

static bool model_take(struct model *m, uint32_t n, uint64_t now)
{
	uint64_t due = m->due[n] > now ? m->due[n] : now;

	if (due + EACH > now + BURST * EACH)
		return false;
	m->due[n] = due + EACH;
	return true;
}

/* prefixes at work, and whether the table has to be as good as the model. */
static void walk(uint32_t sets, uint32_t prefixes, bool exact, uint8_t seed)
{
	struct model m = { 0 };
	uint64_t now = START;
	struct prefixes t;
	struct vx6_rand r;
	unsigned got = 0, less = 0;

	vx6_rand_seed(&r, (const uint8_t[32]){ seed });
	begin(&t, sets);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t n = vx6_rand_below(&r, prefixes);
		struct vx6_addr a = nth(n);
		struct model was = m;
		bool may = model_take(&m, n, now);
		bool has = take(&t, &a, now);

		if (has && !may)
			fail_msg("round %u: prefix %u had too much", i, n);
		if (may && !has) {
			m = was;
			less++;
		}
		got += has;
		now += vx6_rand_below(&r, 2 * EACH / prefixes);
	}
	assert_true(got > ROUNDS / 20);
	assert_true(t.refused > 0);
	if (exact)
		assert_int_equal(less + t.crowded, 0);
	else
		assert_true(less > 0 && t.crowded > 0);
}

static void few_have_all_that_is_theirs(void **state)
{
	(void)state;
	for (uint8_t seed = 1; seed <= 4; seed++)
		walk(1, PREFIXES_WAYS, true, seed);
}

static void many_have_no_more_than_is_theirs(void **state)
{
	(void)state;
	for (uint8_t seed = 1; seed <= 4; seed++) {
		walk(1, PREFIXES_WAYS + 1, false, seed);
		walk(SETS, MANY, false, seed);
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(a_prefix_is_the_classifiers),
		cmocka_unit_test(pushing_ones_own_out_is_no_use),
		cmocka_unit_test(strangers_take_no_tokens_of_ones_own),
		cmocka_unit_test(few_have_all_that_is_theirs),
		cmocka_unit_test(many_have_no_more_than_is_theirs),
	};

	return cmocka_run_group_tests_name("prefixes", test, NULL, NULL);
}
