/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusals: one clear sentence for each, nothing on stderr, and everything
 * on the interface as it was.
 *
 * Method: real interfaces of a namespace of this process, real programs of
 * other owners, a child that has given up its privilege. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/xdp_any.h"
#include "tests/support/xdp_node.h"

static const struct xdp_opts opts = { .links = 4,
				      .data_port = XK_DATA,
				      .len_min = XK_LEN_MIN,
				      .len_max = XK_LEN_MAX };

static bool give_up_privilege(void)
{
	return setresgid(65534, 65534, 65534) == 0 &&
	       setresuid(65534, 65534, 65534) == 0;
}

static bool names_privilege(const char *said)
{
	return strstr(said, "no privilege to ") != NULL &&
	       strstr(said, "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON") != NULL;
}

static bool open_unprivileged(void)
{
	char said[XDP_WHY];
	struct xdp *x;

	return give_up_privilege() && xdp_open(&x, &opts, said) == VX6_DENIED &&
	       names_privilege(said);
}

static bool attach_unprivileged(void)
{
	char said[XDP_WHY];
	struct xdp_if *i;
	struct xdp *x;
	bool ok;

	if (xdp_open(&x, &opts, said) != VX6_OK || !give_up_privilege())
		return false;
	ok = xdp_attach(x, xn_wire.near, &i, said) == VX6_DENIED &&
	     names_privilege(said) && strstr(said, "vx6n") != NULL;
	xdp_close(x);
	return ok;
}

static void without_privilege(void **state)
{
	(void)state;
	xn_need();
	assert_int_equal(xn_child(open_unprivileged), 0);
	assert_int_equal(xn_child(attach_unprivileged), 0);
	assert_int_equal(xn_program(xn_wire.near), 0);
}

static void no_such_interface(void **state)
{
	struct xdp *x;

	(void)state;
	xn_need();
	x = xn_open(false);
	xn_refused(x, 999999, VX6_NOT_FOUND, "there is no interface 999999");
	xn_refused(x, 0, VX6_NOT_FOUND, "there is no interface 0");
	xdp_close(x);
}

static void without_native_xdp(void **state)
{
	struct xdp *x;

	(void)state;
	xn_need();
	x = xn_open(false);
	xn_refused(x, if_nametoindex("lo"), VX6_UNSUPPORTED,
		   "driver of lo has no native XDP: use the port udp");
	xdp_close(x);
}

static void mtu_too_large(void **state)
{
	struct xdp *x;

	(void)state;
	xn_need();
	assert_true(veth_run("ip link set vx6n mtu 9000; "
			     "ip link set vx6f mtu 9000"));
	x = xn_open(false);
	xn_refused(x, xn_wire.near, VX6_UNSUPPORTED,
		   "(MTU 9000): lower the MTU to 1500");
	assert_true(veth_run("ip link set vx6n mtu 1500; "
			     "ip link set vx6f mtu 1500"));
	xn_attach(x, xn_wire.near);
	xdp_close(x);
}

/* A program that passes everything, as somebody else's. */
static int foreign_program(void)
{
	int fd = xdp_any_program("somebodys", XDP_PASS);

	assert_true(fd >= 0);
	return fd;
}

static void beside_a_program_alone(void **state)
{
	struct bpf_xdp_attach_opts detach = { .sz = sizeof(detach) };
	struct xdp *x;
	uint32_t id;
	int fd;

	(void)state;
	xn_need();
	fd = foreign_program();
	assert_int_equal(
		bpf_xdp_attach((int)xn_wire.near, fd, XDP_FLAGS_DRV_MODE, NULL),
		0);
	id = xn_program(xn_wire.near);
	assert_int_not_equal(id, 0);
	x = xn_open(false);
	xn_refused(x, xn_wire.near, VX6_EXISTS,
		   "vx6n has the XDP program somebodys, and ours cannot run");
	xn_refused(x, xn_wire.near, VX6_EXISTS, "ip link set dev vx6n xdp off");
	xdp_close(x);
	assert_int_equal(xn_program(xn_wire.near), id);
	detach.old_prog_fd = fd;
	assert_int_equal(
		bpf_xdp_detach((int)xn_wire.near, XDP_FLAGS_DRV_MODE, &detach),
		0);
	close(fd);
}

static void beside_a_link_of_others(void **state)
{
	const struct bpf_link_create_opts o = { .sz = sizeof(o),
						.flags = XDP_FLAGS_DRV_MODE };
	struct xdp *x;
	uint32_t id;
	int fd, link;

	(void)state;
	xn_need();
	fd = foreign_program();
	link = bpf_link_create(fd, (int)xn_wire.near, BPF_XDP, &o);
	assert_true(link >= 0);
	id = xn_program(xn_wire.near);
	x = xn_open(false);
	xn_refused(x, xn_wire.near, VX6_EXISTS, "somebodys");
	assert_int_equal(xn_program(xn_wire.near), id);
	close(link);
	close(fd);
	xn_attach(x, xn_wire.near); /* once it is gone */
	xdp_close(x);
}

static void generic_mode_of_others(void **state)
{
	struct xdp *x;
	int fd;

	(void)state;
	xn_need();
	fd = foreign_program();
	assert_int_equal(
		bpf_xdp_attach((int)xn_wire.near, fd, XDP_FLAGS_SKB_MODE, NULL),
		0);
	x = xn_open(false);
	xn_refused(x, xn_wire.near, VX6_EXISTS, "somebodys");
	xdp_close(x);
	assert_int_equal(
		bpf_xdp_detach((int)xn_wire.near, XDP_FLAGS_SKB_MODE, NULL), 0);
	close(fd);
}

static void wrong_options(void **state)
{
	struct xdp_opts o = opts;
	struct xdp *x;

	(void)state;
	xn_need();
	o.links = 0;
	assert_int_equal(xdp_open(&x, &o, xn_why), VX6_CONFIG);
	o = opts;
	o.len_min = 3;
	assert_int_equal(xdp_open(&x, &o, xn_why), VX6_CONFIG);
	o = opts;
	o.data_port = 0;
	assert_int_equal(xdp_open(&x, &o, xn_why), VX6_CONFIG);
	o = opts;
	o.shake_most = 2;
	o.shake_ns = UINT64_MAX / 2 + 2;
	assert_int_equal(xdp_open(&x, &o, xn_why), VX6_CONFIG);
	o.shake_ns = 1;
	assert_int_equal(xdp_open(&x, &o, xn_why), VX6_OK);
	xdp_close(x);
	xdp_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_privilege),
		cmocka_unit_test(no_such_interface),
		cmocka_unit_test(without_native_xdp),
		cmocka_unit_test(mtu_too_large),
		cmocka_unit_test(beside_a_program_alone),
		cmocka_unit_test(beside_a_link_of_others),
		cmocka_unit_test(generic_mode_of_others),
		cmocka_unit_test(wrong_options),
	};

	return cmocka_run_group_tests(tests, xn_set_up, xn_tear_down);
}
