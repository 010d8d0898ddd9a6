/* SPDX-License-Identifier: GPL-2.0-or-later */
/* takeover: what a killed process leaves, and who else is on the interface.
 *
 * Method: children that attach and are killed with SIGKILL, and a program of
 * somebody else behind libxdp's dispatcher. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "tests/support/xdp_node.h"

static struct xdp_opts opts = { .links = XK_LINKS,
				.data_port = XK_DATA,
				.len_min = XK_LEN_MIN,
				.len_max = XK_LEN_MAX };

/* Attaches and stays so: the child is killed. */
static bool hold(void)
{
	char said[XDP_WHY];
	struct xdp_if *i;
	struct xdp *x;

	return xdp_open(&x, &opts, said) == VX6_OK &&
	       xdp_attach(x, xn_wire.near, &i, said) == VX6_OK;
}

static bool hold_with_own_bpffs(void)
{
	/* libxdp made its directory in the one before */
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/sys/fs/bpf", "bpf", 0, NULL) == 0 &&
	       (mkdir("/sys/fs/bpf/xdp", 0700) == 0 || errno == EEXIST) &&
	       hold();
}

/* A cell arrives and is counted: the classifier that counts is ours. */
static void must_classify(struct xdp *x)
{
	static const struct shape cell = { 0 };
	struct pkt p;

	pkt_make(&p, &cell);
	xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
}

static void after_kill(bool no_dispatcher)
{
	struct xdp *x;

	opts.no_dispatcher = no_dispatcher;
	for (unsigned i = 0; i < 3; i++) {
		xn_kill(xn_holder(hold));
		x = xn_open(no_dispatcher);
		xn_attach(x, xn_wire.near);
		must_classify(x);
		xdp_close(x);
		assert_int_equal(xn_program(xn_wire.near), 0);
	}
}

static void killed_with_plain_link(void **state)
{
	(void)state;
	xn_need();
	after_kill(true);
}

static void killed_behind_dispatcher(void **state)
{
	pid_t pid;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	opts.no_dispatcher = false;
	pid = xn_holder(hold);
	xn_kill(pid);
	assert_int_not_equal(xn_program(xn_wire.near), 0); /* it stays */
	after_kill(false);
}

/* Its pins went with its mount namespace. */
static void killed_with_its_bpffs(void **state)
{
	struct xdp *x;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	opts.no_dispatcher = false;
	xn_kill(xn_holder(hold_with_own_bpffs));
	assert_int_not_equal(xn_program(xn_wire.near), 0);
	x = xn_open(false);
	assert_true(xn_attach(x, xn_wire.near)->dispatcher);
	must_classify(x);
	xdp_close(x);
	assert_int_equal(xn_program(xn_wire.near), 0);
}

static void another_lives_there(void **state)
{
	struct xdp *x;
	uint32_t id;
	pid_t pid;

	(void)state;
	xn_need();
	opts.no_dispatcher = true;
	pid = xn_holder(hold);
	id = xn_program(xn_wire.near);
	x = xn_open(true);
	xn_refused(x, xn_wire.near, VX6_EXISTS,
		   "vx6n has the XDP program vx6_classify");
	assert_int_equal(xn_program(xn_wire.near), id);
	xn_kill(pid);
	xn_attach(x, xn_wire.near);
	must_classify(x);
	xdp_close(x);
}

/* ---- beside others ---- */

static struct xdp_program *somebodys(void)
{
	struct xdp_program *p = xdp_program__find_file("xsk_def_xdp_prog.o",
						       NULL, NULL);

	assert_int_equal(libxdp_get_error(p), 0);
	assert_int_equal(
		xdp_program__attach(p, (int)xn_wire.near, XDP_MODE_NATIVE, 0),
		0);
	return p;
}

static bool is_there(const struct xdp_program *p)
{
	return xdp_program__is_attached(p, (int)xn_wire.near) ==
	       XDP_MODE_NATIVE;
}

static void beside_others(void **state)
{
	struct xdp_program *p;
	struct xdp *x;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	x = xn_open(false);
	p = somebodys();
	/* they were first */
	assert_true(xn_attach(x, xn_wire.near)->dispatcher);
	must_classify(x);
	assert_true(is_there(p));
	xdp_close(x);
	assert_true(is_there(p));
	/* killed beside them */
	opts.no_dispatcher = false;
	xn_kill(xn_holder(hold));
	x = xn_open(false);
	xn_attach(x, xn_wire.near);
	must_classify(x);
	assert_true(is_there(p));
	xdp_close(x);
	assert_true(is_there(p));
	/* a plain link cannot be beside them */
	x = xn_open(true);
	xn_refused(x, xn_wire.near, VX6_EXISTS, "xdp_dispatcher");
	xdp_close(x);
	assert_true(is_there(p));
	assert_int_equal(
		xdp_program__detach(p, (int)xn_wire.near, XDP_MODE_NATIVE, 0),
		0);
	xdp_program__close(p);
	assert_int_equal(xn_program(xn_wire.near), 0);
}

/* Their pins are out of our sight, and they are not ours to remove. */
static bool attach_in_fresh_bpffs(void)
{
	char said[XDP_WHY];
	struct xdp_if *i;
	struct xdp *x;

	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/sys/fs/bpf", "bpf", 0, NULL) == 0 &&
	       xdp_open(&x, &opts, said) == VX6_OK &&
	       xdp_attach(x, xn_wire.near, &i, said) == VX6_EXISTS &&
	       strstr(said, "xdp_dispatcher") != NULL;
}

static void others_out_of_sight(void **state)
{
	struct xdp_program *p;
	uint32_t id;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	opts.no_dispatcher = false;
	p = somebodys();
	id = xn_program(xn_wire.near);
	assert_int_equal(xn_child(attach_in_fresh_bpffs), 0);
	assert_int_equal(xn_program(xn_wire.near), id);
	assert_true(is_there(p));
	assert_int_equal(
		xdp_program__detach(p, (int)xn_wire.near, XDP_MODE_NATIVE, 0),
		0);
	xdp_program__close(p);
}

static void others_come_and_go(void **state)
{
	struct xdp_program *p;
	struct xdp *x;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	x = xn_open(false);
	xn_attach(x, xn_wire.near);
	p = somebodys();
	must_classify(x);
	assert_int_equal(
		xdp_program__detach(p, (int)xn_wire.near, XDP_MODE_NATIVE, 0),
		0);
	xdp_program__close(p);
	must_classify(x);
	p = somebodys();
	xdp_close(x); /* we go first */
	assert_true(is_there(p));
	assert_int_equal(
		xdp_program__detach(p, (int)xn_wire.near, XDP_MODE_NATIVE, 0),
		0);
	xdp_program__close(p);
}

/* Another node of this host, with another data port: not a killed one. */
static void beside_another_node(void **state)
{
	struct xdp *x;
	pid_t pid;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	opts.no_dispatcher = false;
	opts.data_port = XK_DATA + 100;
	pid = xn_holder(hold);
	x = xn_open(false);
	xn_attach(x, xn_wire.near);
	must_classify(x);
	xdp_close(x);
	assert_int_not_equal(xn_program(xn_wire.near), 0);
	xn_kill(pid);
	opts.data_port = XK_DATA;
	/* it is still there, and is nobody's who starts now */
	assert_int_not_equal(xn_program(xn_wire.near), 0);
	assert_true(veth_run("ip link set vx6n xdpdrv off"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_with_plain_link),
		cmocka_unit_test(killed_behind_dispatcher),
		cmocka_unit_test(killed_with_its_bpffs),
		cmocka_unit_test(another_lives_there),
		cmocka_unit_test(beside_others),
		cmocka_unit_test(others_out_of_sight),
		cmocka_unit_test(others_come_and_go),
		cmocka_unit_test(beside_another_node),
	};

	return cmocka_run_group_tests(tests, xn_set_up, xn_tear_down);
}
