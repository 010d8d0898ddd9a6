/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_KEPT_H
#define VX6_TESTS_SUPPORT_KEPT_H

/* kept: tests of AF_XDP that run twice, with the privileges here, and with
 * them in another process, the keeper; for cmocka programs.
 *
 * kept_by is for af_xdp_opts.keeper; the fixtures set it. */

#include "dataplane/base/compiler.h"
#include "dataplane/sandbox/sandbox.h"

extern const struct sandbox *kept_by; /* NULL: we have them */

int kept(void **state);
int kept_not(void **state);

#define UNKEPT_TEST(f, end) cmocka_unit_test_setup_teardown(f, kept_not, end)
#define KEPT_TEST(f, end)   { #f " by a keeper", f, kept, end, NULL }

#endif
