/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sum: against one that is too simple to be wrong, at every length and place,
 * in pieces, and after changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/base/rand.h"
#include "dataplane/base/sum.h"
#include "dataplane/base/sum_impl.h"

#define LEN  1600u
#define LONG 2000u

static struct vx6_rand rnd;

/* RFC 1071, a word at a time, with the end-around carry. */
static uint16_t simple(const uint8_t *p, size_t len)
{
	uint8_t word[2] = { 0 };
	uint32_t sum = 0;
	uint16_t v;

	for (size_t i = 0; i < len; i += 2) {
		word[0] = p[i];
		word[1] = i + 1 < len ? p[i + 1] : 0;
		memcpy(&v, word, 2);
		sum += v;
		sum = (sum & 0xffffu) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void fill(uint8_t *p, size_t len)
{
	vx6_rand_fill(&rnd, p, len);
	if (vx6_rand_below(&rnd, 4) == 0)
		memset(p, 0xff, len); /* the most carries */
}

static void every_length(void **state)
{
	uint8_t buf[LEN + 2];

	(void)state;
	for (size_t len = 0; len <= LEN; len++) {
		uint8_t *p = buf + vx6_rand_below(&rnd, 2);

		fill(p, len);
		assert_int_equal(vx6_sum(p, len), simple(p, len));
		memset(p, 0, len);
		assert_int_equal(vx6_sum(p, len), 0);
	}
}

/* Each of the ways, whichever this CPU would pick: every length at every place
 * in a cache line, with what is around it no part of the sum. */
static void every_place(vx6_sum_way *way)
{
	static uint8_t buf[LONG + 2 * 64];

	for (size_t len = 0; len <= LONG; len++) {
		fill(buf, sizeof(buf));
		for (size_t at = 0; at < 64; at++)
			if (vx6_sum_fold(way(buf + at, len)) !=
			    simple(buf + at, len))
				fail_msg("%zu bytes at %zu", len, at);
	}
}

static void the_plain_way(void **state)
{
	(void)state;
	every_place(vx6_sum_plain);
}

static void by_avx2(void **state)
{
	(void)state;
	if (!vx6_sum_has_avx2()) {
		print_message("# SKIP cpu: no AVX2\n");
		skip();
	}
	every_place(vx6_sum_avx2);
}

static void by_vnni(void **state)
{
	(void)state;
	if (!vx6_sum_has_vnni()) {
		print_message("# SKIP cpu: no AVX-512 with VNNI\n");
		skip();
	}
	every_place(vx6_sum_vnni);
}

/* The longest that there is, of the largest bytes. */
static void nothing_overflows(void **state)
{
	static uint8_t buf[1u << 16];
	uint16_t want;

	(void)state;
	memset(buf, 0xff, sizeof(buf));
	want = simple(buf, sizeof(buf));
	assert_int_equal(vx6_sum_fold(vx6_sum_plain(buf, sizeof(buf))), want);
	if (vx6_sum_has_avx2())
		assert_int_equal(vx6_sum_fold(vx6_sum_avx2(buf, sizeof(buf))),
				 want);
	if (vx6_sum_has_vnni())
		assert_int_equal(vx6_sum_fold(vx6_sum_vnni(buf, sizeof(buf))),
				 want);
}

static void folds_keep_what_is_congruent(void **state)
{
	static const uint64_t of[] = {
		0,
		1,
		0xfffe,
		0xffff,
		0x10000,
		0x1fffe,
		0xffff0000,
		0xffffffff,
		0x100000000,
		0x1ffffffff,
		0xfffe0001fffe0001,
		UINT64_MAX - 1,
		UINT64_MAX,
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		uint16_t got = vx6_sum_fold(of[i]);

		assert_int_equal(got % 0xffffu, of[i] % 0xffffu);
		assert_int_equal(got == 0, of[i] == 0);
	}
}

static void pieces_and_changes(void **state)
{
	uint8_t buf[LEN];

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		size_t len = 8 + vx6_rand_below(&rnd, LEN - 8);
		size_t cut = vx6_rand_below(&rnd, (uint32_t)len);
		size_t at = vx6_rand_below(&rnd, (uint32_t)len - 4) & ~1u;
		uint16_t front, back;
		uint32_t was, is;

		fill(buf, len);
		front = vx6_sum(buf, cut);
		back = vx6_sum(buf + cut, len - cut);
		if (cut % 2 != 0)
			back = vx6_sum_turned(back);
		assert_int_equal(vx6_sum_fold((uint64_t)front + back),
				 simple(buf, len));
		memcpy(&was, buf + at, 4);
		fill(buf + at, 4);
		memcpy(&is, buf + at, 4);
		assert_int_equal(vx6_sum_fold((uint64_t)front + back + is +
					      vx6_sum_less(was)) %
					 0xffffu,
				 simple(buf, len) % 0xffffu);
	}
}

int main(void)
{
	const struct CMUnitTest test[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(the_plain_way),
		cmocka_unit_test(by_avx2),
		cmocka_unit_test(by_vnni),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(folds_keep_what_is_congruent),
		cmocka_unit_test(pieces_and_changes),
	};

	vx6_rand_init(&rnd);
	return cmocka_run_group_tests_name("sum", test, NULL, NULL);
}
