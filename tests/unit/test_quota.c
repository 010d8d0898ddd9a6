/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quota: months as the C library has them, counters that begin anew or go
 * on while nobody looked, and what is said when.  Time is virtual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "controlplane/core/quota.h"

#define DAY 86400u

static const struct quota_kept nothing = { 0 };

static uint64_t at(int year, int month, int day, int hour)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour };

	return (uint64_t)timegm(&tm);
}

/* Every day of 431 years, leap ones and centuries among them, each second
 * around midnight. */
static void months_are_those_of_the_calendar(void **state)
{
	(void)state;
	for (uint64_t s = at(1970, 3, 1, 0); s < at(2401, 1, 1, 0); s += DAY) {
		for (int around = -1; around <= 1; around++) {
			uint64_t now = s + (uint64_t)around, start, end;
			time_t t = (time_t)now;
			unsigned day = 1 + (unsigned)(s / DAY % 28);
			struct tm tm;
			uint64_t want;

			assert_non_null(gmtime_r(&t, &tm));
			if (tm.tm_mday < (int)day)
				tm.tm_mon--;
			want = at(tm.tm_year + 1900, tm.tm_mon + 1, (int)day,
				  0);
			quota_month(now, day, &start, &end);
			assert_int_equal(start, want);
			want = at(tm.tm_year + 1900, tm.tm_mon + 2, (int)day,
				  0);
			assert_int_equal(end, want);
			assert_true(start <= now && now < end);
		}
	}
}

static void a_month_from_begin_to_end(void **state)
{
	struct quota q;
	uint64_t now = at(2026, 2, 20, 5);

	(void)state;
	quota_init(&q, 1000, 15, &nothing);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	assert_int_equal(q.end_s, at(2026, 3, 15, 0));
	quota_count(&q, 1, 899);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	quota_count(&q, 1, 900);
	assert_int_equal(quota_step(&q, now), QUOTA_WARN);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	quota_count(&q, 1, 999);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	assert_int_equal(quota_percent(&q), 99);
	assert_false(q.asleep);
	quota_count(&q, 1, 1000);
	assert_int_equal(quota_step(&q, now), QUOTA_SLEEP);
	assert_true(q.asleep);
	assert_int_equal(quota_percent(&q), 100);
	quota_count(&q, 1, 1300);
	assert_int_equal(quota_step(&q, q.end_s - 1), QUOTA_NOTHING);
	assert_int_equal(quota_step(&q, q.end_s), QUOTA_WAKE);
	assert_int_equal(q.kept.used, 0);
	assert_int_equal(q.end_s, at(2026, 4, 15, 0));
	/* the counter goes on: only what is new counts */
	quota_count(&q, 1, 1400);
	assert_int_equal(q.kept.used, 100);
	assert_int_equal(quota_step(&q, now = at(2026, 3, 16, 0)),
			 QUOTA_NOTHING);
	/* from below 90 to beyond all is SLEEP alone */
	quota_count(&q, 1, 5000);
	assert_int_equal(quota_step(&q, now), QUOTA_SLEEP);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	/* and a month later it warns again */
	assert_int_equal(quota_step(&q, at(2026, 4, 20, 0)), QUOTA_WAKE);
	quota_count(&q, 1, 5950);
	assert_int_equal(quota_step(&q, at(2026, 4, 20, 0)), QUOTA_WARN);
}

static void restarts_forget_nothing_and_count_nothing_twice(void **state)
{
	struct quota_kept kept;
	struct quota q;
	uint64_t now = at(2026, 7, 1, 0);

	(void)state;
	quota_init(&q, 1000, 1, &nothing);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	quota_count(&q, 77, 300);
	kept = q.kept;
	/* ours: the data plane went on */
	quota_init(&q, 1000, 1, &kept);
	assert_int_equal(quota_step(&q, now + DAY), QUOTA_NOTHING);
	assert_int_equal(q.kept.used, 300);
	quota_count(&q, 77, 550);
	assert_int_equal(q.kept.used, 550);
	/* the data plane's: it begins at 0, whatever it has got to */
	quota_count(&q, 78, 100);
	assert_int_equal(q.kept.used, 650);
	quota_count(&q, 79, 120);
	assert_int_equal(q.kept.used, 770);
	quota_count(&q, 79, 120);
	assert_int_equal(q.kept.used, 770);
	kept = q.kept;
	/* both, and it is said anew that it sleeps */
	quota_init(&q, 1000, 1, &kept);
	quota_count(&q, 80, 230);
	assert_int_equal(quota_step(&q, now + 2 * DAY), QUOTA_SLEEP);
	kept = q.kept;
	quota_init(&q, 1000, 1, &kept);
	assert_int_equal(quota_step(&q, now + 2 * DAY), QUOTA_SLEEP);
	/* a restart in another month */
	kept = q.kept;
	quota_init(&q, 1000, 1, &kept);
	assert_int_equal(quota_step(&q, at(2026, 8, 1, 0)), QUOTA_NOTHING);
	assert_int_equal(q.kept.used, 0);
	/* a larger limit wakes */
	quota_init(&q, 1000, 1, &kept);
	assert_int_equal(quota_step(&q, now), QUOTA_SLEEP);
	kept = q.kept;
	quota_init(&q, 2000, 1, &kept);
	assert_int_equal(quota_step(&q, now), QUOTA_NOTHING);
	assert_false(q.asleep);
}

static void a_clock_that_goes_back_gives_nothing(void **state)
{
	struct quota q;

	(void)state;
	quota_init(&q, 1000, 1, &nothing);
	quota_count(&q, 1, 1000);
	assert_int_equal(quota_step(&q, at(2026, 7, 3, 0)), QUOTA_SLEEP);
	assert_int_equal(quota_step(&q, at(2026, 6, 3, 0)), QUOTA_NOTHING);
	assert_int_equal(q.kept.used, 1000);
	/* nor does one that was far ahead once stop it for years */
	quota_init(&q, 1000, 1, &nothing);
	assert_int_equal(quota_step(&q, at(2099, 1, 1, 0)), QUOTA_NOTHING);
	quota_count(&q, 1, 1000);
	assert_int_equal(quota_step(&q, at(2026, 6, 3, 0)), QUOTA_SLEEP);
	assert_int_equal(quota_step(&q, at(2026, 7, 1, 0)), QUOTA_WAKE);
}

static void without_a_limit_it_only_counts(void **state)
{
	struct quota q;

	(void)state;
	quota_init(&q, 0, 1, &nothing);
	quota_count(&q, 1, UINT64_MAX / 2);
	assert_int_equal(quota_step(&q, at(2026, 7, 3, 0)), QUOTA_NOTHING);
	assert_int_equal(quota_percent(&q), 0);
	assert_int_equal(q.kept.used, UINT64_MAX / 2);
	/* large ones do not overflow */
	quota_init(&q, UINT64_MAX - 1, 1, &q.kept);
	assert_int_equal(quota_percent(&q), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(months_are_those_of_the_calendar),
		cmocka_unit_test(a_month_from_begin_to_end),
		cmocka_unit_test(
			restarts_forget_nothing_and_count_nothing_twice),
		cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
		cmocka_unit_test(without_a_limit_it_only_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
