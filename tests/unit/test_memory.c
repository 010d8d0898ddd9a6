/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory: what is taken is zero, aligned, whole, and gone when given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/worker/memory.h"

static void what_is_taken_is_zero_and_aligned(void **state)
{
	static const size_t len[] = { 1, 4096, MEMORY_HUGE_LEN,
				      MEMORY_HUGE_LEN + 1,
				      5 * MEMORY_HUGE_LEN - 3 };

	(void)state;
	for (unsigned i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		struct memory m;
		uint8_t *at;

		assert_int_equal(memory_take(&m, len[i], MEMORY_ANY_NODE),
				 VX6_OK);
		assert_true(m.len >= len[i]);
		assert_int_equal((uintptr_t)m.at % MEMORY_HUGE_LEN, 0);
		at = m.at;
		for (size_t k = 0; k < m.len; k += 1021)
			assert_int_equal(at[k], 0);
		memset(at, 7, m.len);
		memory_free(&m);
		assert_null(m.at);
		/* nothing of it is left, in front or behind */
		assert_int_equal(mincore(at, 1, (unsigned char[1]){ 0 }), -1);
		assert_int_equal(errno, ENOMEM);
		memory_free(&m);
	}
}

/* Address space is not memory: a table that nobody touches costs nothing. */
static void what_is_not_touched_costs_nothing(void **state)
{
	struct memory m;
	unsigned char there[64];

	(void)state;
	assert_int_equal(
		memory_take(&m, 1024 * MEMORY_HUGE_LEN, MEMORY_ANY_NODE),
		VX6_OK);
	if (m.pages == MEMORY_HUGE) {
		memory_free(&m);
		print_message("# SKIP huge pages are set aside here\n");
		skip();
	}
	assert_int_equal(mincore(m.at, sizeof(there) * 4096, there), 0);
	for (unsigned i = 0; i < sizeof(there); i++)
		assert_int_equal(there[i] & 1, 0);
	memory_free(&m);
}

static void what_cannot_be_had_is_refused(void **state)
{
	struct memory m;

	(void)state;
	assert_int_equal(memory_take(&m, SIZE_MAX, 0), VX6_NO_MEMORY);
	assert_null(m.at);
	assert_int_equal(memory_take(&m, SIZE_MAX / 2, 0), VX6_NO_MEMORY);
	assert_null(m.at);
	assert_int_equal(memory_take(&m, 0, 0), VX6_NO_MEMORY);
	memory_free(&m);
}

static void nodes_are_found(void **state)
{
	struct memory m;
	int node = memory_node(sched_getcpu());

	(void)state;
	assert_int_equal(memory_node(-1), MEMORY_ANY_NODE);
	assert_int_equal(memory_node(1 << 20), MEMORY_ANY_NODE);
	memory_prefer(node);
	assert_int_equal(memory_take(&m, MEMORY_HUGE_LEN, node), VX6_OK);
	memset(m.at, 1, m.len);
	memory_free(&m);
	memory_prefer(MEMORY_ANY_NODE);
	/* a node that does not exist is a wish like any other */
	assert_int_equal(memory_take(&m, MEMORY_HUGE_LEN, 1023), VX6_OK);
	memset(m.at, 1, m.len);
	memory_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_is_zero_and_aligned),
		cmocka_unit_test(what_is_not_touched_costs_nothing),
		cmocka_unit_test(what_cannot_be_had_is_refused),
		cmocka_unit_test(nodes_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
