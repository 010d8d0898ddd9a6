/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admit: no E is worked on twice at once, no session or prefix has more than
 * its share, and all together no more than there is room for.
 *
 * Method: a table on the edges; a random walk beside a model that is a
 * plain array of flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/admit.h"
#include "dataplane/base/rand.h"

#define MAX   16u
#define EACH  5u
#define NEAR  7u
#define KEYS  40u
#define NODES 6u

static struct admit_one one[MAX];

static void bytes_of(uint32_t n, uint8_t out[32])
{
	memset(out, 0x5a, 32);
	memcpy(out + 28, &n, sizeof(n)); /* they differ at the end only */
}

/* Two nodes are neighbours: 2 n and 2 n + 1 come from one prefix. */
static enum vx6_status enter_from(struct admit *a, uint32_t e, uint32_t who,
				  uint32_t each, uint32_t prefix)
{
	const struct admit_share share = { each, prefix };
	struct admit_from from = { .prefix.bits[6] = (uint8_t)(who / 2) };
	uint8_t key[32];

	bytes_of(e, key);
	bytes_of(who, from.who);
	return admit_enter(a, key, &from, &share);
}

static enum vx6_status enter(struct admit *a, uint32_t e, uint32_t who,
			     uint32_t each)
{
	return enter_from(a, e, who, each, UINT32_MAX);
}

static void leave(struct admit *a, uint32_t e)
{
	uint8_t key[32];

	bytes_of(e, key);
	admit_leave(a, key);
}

static void twins_are_refused_until_the_first_is_done(void **state)
{
	struct admit a;

	(void)state;
	admit_init(&a, one, MAX);
	assert_int_equal(enter(&a, 1, 1, EACH), VX6_OK);
	assert_int_equal(enter(&a, 1, 1, EACH), VX6_REPLAYED);
	assert_int_equal(enter(&a, 1, 2, EACH), VX6_REPLAYED);
	leave(&a, 1);
	assert_int_equal(enter(&a, 1, 2, EACH), VX6_OK);
	assert_int_equal(a.twins, 2);
	assert_int_equal(a.cnt, 1);
}

static void a_session_has_its_share(void **state)
{
	struct admit a;

	(void)state;
	admit_init(&a, one, MAX);
	for (uint32_t e = 0; e < EACH; e++)
		assert_int_equal(enter(&a, e, 1, EACH), VX6_OK);
	assert_int_equal(enter(&a, 100, 1, EACH), VX6_RATE);
	assert_int_equal(enter(&a, 100, 2, EACH), VX6_OK);
	leave(&a, 3);
	assert_int_equal(enter(&a, 101, 1, EACH), VX6_OK);
	assert_int_equal(enter(&a, 102, 1, EACH), VX6_RATE);
	assert_int_equal(enter(&a, 102, 1, EACH + 1), VX6_OK);
	assert_int_equal(a.session, 2);
}

static void a_prefix_has_its_share(void **state)
{
	struct admit a;

	(void)state;
	admit_init(&a, one, MAX);
	for (uint32_t e = 0; e < NEAR; e++)
		assert_int_equal(enter_from(&a, e, 2 + e % 2, EACH, NEAR),
				 VX6_OK);
	assert_int_equal(enter_from(&a, 100, 2, EACH, NEAR), VX6_RATE);
	assert_int_equal(enter_from(&a, 100, 3, EACH, NEAR), VX6_RATE);
	assert_int_equal(enter_from(&a, 100, 4, EACH, NEAR), VX6_OK);
	assert_int_equal(enter_from(&a, 101, 3, EACH, NEAR + 1), VX6_OK);
	leave(&a, 0);
	leave(&a, 1);
	assert_int_equal(enter_from(&a, 102, 2, EACH, NEAR), VX6_OK);
	assert_int_equal(a.prefix, 2);
	assert_int_equal(a.session, 0);
}

static void full_is_full(void **state)
{
	struct admit a;

	(void)state;
	admit_init(&a, one, MAX);
	for (uint32_t e = 0; e < MAX; e++)
		assert_int_equal(enter(&a, e, e, EACH), VX6_OK);
	assert_int_equal(enter(&a, MAX, MAX, EACH), VX6_NO_ROOM);
	assert_int_equal(enter(&a, 0, MAX, EACH), VX6_REPLAYED);
	leave(&a, 0);
	assert_int_equal(enter(&a, MAX, MAX, EACH), VX6_OK);
	assert_int_equal(a.full, 1);
	assert_int_equal(a.most, MAX);
	assert_int_equal(a.in, MAX + 1);
}

static void agrees_with_the_model(void **state)
{
	uint32_t who_of[KEYS] = { 0 }, of[NODES + 1] = { 0 }, cnt = 0;
	uint32_t near[NODES / 2 + 1] = { 0 };
	struct vx6_rand r;
	struct admit a;

	(void)state;
	vx6_rand_seed(&r, (const uint8_t[32]){ 7 });
	admit_init(&a, one, MAX);
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t e = vx6_rand_below(&r, KEYS);
		uint32_t who = 1 + vx6_rand_below(&r, NODES);

		if (who_of[e] != 0 && vx6_rand_below(&r, 2) == 0) {
			leave(&a, e);
			of[who_of[e]]--;
			near[who_of[e] / 2]--;
			who_of[e] = 0;
			cnt--;
		} else {
			bool much = of[who] >= EACH || near[who / 2] >= NEAR;
			enum vx6_status want = who_of[e] != 0 ? VX6_REPLAYED
					       : much         ? VX6_RATE
					       : cnt >= MAX   ? VX6_NO_ROOM
							      : VX6_OK;

			assert_int_equal(enter_from(&a, e, who, EACH, NEAR),
					 want);
			if (want == VX6_OK) {
				who_of[e] = who;
				of[who]++;
				near[who / 2]++;
				cnt++;
			}
		}
		assert_int_equal(a.cnt, cnt);
	}
	assert_true(a.twins > 0 && a.session > 0 && a.prefix > 0 && a.full > 0);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(twins_are_refused_until_the_first_is_done),
		cmocka_unit_test(a_session_has_its_share),
		cmocka_unit_test(a_prefix_has_its_share),
		cmocka_unit_test(full_is_full),
		cmocka_unit_test(agrees_with_the_model),
	};

	return cmocka_run_group_tests_name("admit", test, NULL, NULL);
}
