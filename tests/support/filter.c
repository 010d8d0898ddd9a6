/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lets `make test T=file:test` choose one test in a cmocka program, which
 * itself has no switch for that.  Unit programs are linked with
 * --wrap=_cmocka_run_group_tests, so every cmocka_run_group_tests() comes
 * through here and no test has to know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

int __real__cmocka_run_group_tests(const char *name,
				   const struct CMUnitTest *tests, size_t cnt,
				   CMFixtureFunction setup,
				   CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name,
				   const struct CMUnitTest *tests, size_t cnt,
				   CMFixtureFunction setup,
				   CMFixtureFunction teardown);

int __wrap__cmocka_run_group_tests(const char *name,
				   const struct CMUnitTest *tests, size_t cnt,
				   CMFixtureFunction setup,
				   CMFixtureFunction teardown)
{
	const char *only = getenv("VX6_TEST_ONLY");

	if (only != NULL && only[0] != '\0')
		cmocka_set_test_filter(only);
	return __real__cmocka_run_group_tests(name, tests, cnt, setup,
					      teardown);
}
