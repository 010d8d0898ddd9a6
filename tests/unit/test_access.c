/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/service/access.h"

static const uint8_t alice[32] = { 1 }, bob[32] = { [31] = 2 }, zero[32];

static struct vx6_addr at(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static const struct access_list everybody = { .open = true };

static struct access_list only(const uint8_t node[32])
{
	struct access_list l = { 0 };

	assert_int_equal(access_list_add(&l, node), VX6_OK);
	return l;
}

static void lists(void **state)
{
	struct access_list l = { 0 };
	uint8_t node[32] = { 9 };

	(void)state;
	assert_false(access_list_has(&l, alice));
	assert_false(access_list_has(&l, zero)); /* unused places are zero */
	assert_int_equal(access_list_add(&l, alice), VX6_OK);
	assert_int_equal(access_list_add(&l, alice), VX6_OK);
	assert_int_equal(l.cnt, 1);
	assert_true(access_list_has(&l, alice));
	assert_false(access_list_has(&l, bob));
	assert_false(access_list_has(&l, zero));
	for (unsigned i = 1; i < ACCESS_NODES; i++) {
		node[5] = (uint8_t)i;
		assert_int_equal(access_list_add(&l, node), VX6_OK);
	}
	assert_true(access_list_has(&l, node)); /* the last place counts */
	assert_int_equal(access_list_add(&l, bob), VX6_NO_ROOM);
	assert_true(access_list_has(&everybody, bob));
}

static void table(void **state)
{
	const struct vx6_addr ssh = at("127.0.0.1:22"), web = at("[::1]:80");
	const struct access_list for_alice = only(alice);
	struct access_table t;
	struct vx6_addr got = { 0 };

	(void)state;
	assert_int_equal(access_init(&t, 2), VX6_OK);
	assert_int_equal(access_find(&t, "ssh", alice, &got), VX6_DENIED);
	assert_int_equal(access_add(&t, "ssh", &ssh, &for_alice, false),
			 VX6_OK);
	assert_int_equal(access_add(&t, "ssh", &web, &everybody, false),
			 VX6_EXISTS);
	assert_int_equal(access_add(&t, "web", &web, &everybody, false),
			 VX6_OK);
	assert_int_equal(access_add(&t, "more", &web, &everybody, false),
			 VX6_NO_ROOM);

	assert_int_equal(access_find(&t, "ssh", alice, &got), VX6_OK);
	assert_true(vx6_addr_eq(&got, &ssh));
	assert_int_equal(access_find(&t, "web", alice, &got), VX6_OK);
	assert_true(vx6_addr_eq(&got, &web));
	assert_int_equal(access_find(&t, "web", bob, &got), VX6_OK);
	/* a stranger hears the same about both */
	assert_int_equal(access_find(&t, "ssh", bob, &got), VX6_DENIED);
	assert_int_equal(access_find(&t, "none", bob, &got), VX6_DENIED);
	assert_int_equal(access_find(&t, "", bob, &got), VX6_DENIED);
	assert_int_equal(access_find(&t, "ss", alice, &got), VX6_DENIED);
	assert_int_equal(access_find(&t, "sshd", alice, &got), VX6_DENIED);
	assert_int_equal(access_find(&t, "ssh-and-much-longer", alice, &got),
			 VX6_DENIED);
	access_free(&t);
}

static void what_may_be_added(void **state)
{
	const struct vx6_addr here = at("127.0.0.1:22");
	const struct vx6_addr far = at("192.0.2.1:22");
	const struct vx6_addr no_port = at("127.0.0.1:0");
	const struct access_list nobody = { 0 };
	struct access_table t;

	(void)state;
	assert_int_equal(access_init(&t, 0), VX6_OK);
	assert_int_equal(t.max, ACCESS_ENTRIES);
	assert_int_equal(access_add(&t, "Bad", &here, &everybody, false),
			 VX6_MALFORMED);
	assert_int_equal(access_add(&t, "", &here, &everybody, false),
			 VX6_MALFORMED);
	assert_int_equal(access_add(&t, "ok", &no_port, &everybody, false),
			 VX6_MALFORMED);
	assert_int_equal(access_add(&t, "ok", &far, &everybody, false),
			 VX6_DENIED);
	assert_int_equal(access_add(&t, "ok", &here, &nobody, false),
			 VX6_DENIED);
	assert_int_equal(access_add(&t, "ok", &far, &everybody, true), VX6_OK);
	access_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(table),
		cmocka_unit_test(what_may_be_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
