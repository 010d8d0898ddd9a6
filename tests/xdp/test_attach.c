/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach: the classifier before a real interface, native mode.
 *
 * Method: a veth in a namespace of this process; frames written to its far
 * end, counters and a real AF_XDP socket read at the near end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "tests/support/xdp_node.h"

#define FRAMES    64u
#define FRAME_LEN 4096u

/* ---- a socket that receives ---- */

struct rx {
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons comp, rx;
	void *mem;
};

static void rx_open(struct rx *r, unsigned ifindex, int map)
{
	const struct xsk_socket_config c = {
		.rx_size = FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY,
	};
	char name[32];
	uint32_t at = 0;

	r->mem = mmap(NULL, FRAMES * FRAME_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(r->mem != MAP_FAILED);
	assert_int_equal(xsk_umem__create(&r->umem, r->mem,
					  (uint64_t)FRAMES * FRAME_LEN,
					  &r->fill, &r->comp, NULL),
			 0);
	assert_int_equal(xsk_ring_prod__reserve(&r->fill, FRAMES, &at), FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&r->fill, at + i) = i * FRAME_LEN;
	xsk_ring_prod__submit(&r->fill, FRAMES);
	assert_non_null(if_indextoname(ifindex, name));
	assert_int_equal(
		xsk_socket__create(&r->xsk, name, 0, r->umem, &r->rx, NULL, &c),
		0);
	assert_int_equal(xsk_socket__update_xskmap(r->xsk, map), 0);
}

static void rx_close(struct rx *r)
{
	xsk_socket__delete(r->xsk);
	xsk_umem__delete(r->umem);
	munmap(r->mem, FRAMES * FRAME_LEN);
}

/* The next frame must be p. */
static void rx_must_get(struct rx *r, const struct pkt *p)
{
	struct pollfd pf = { .fd = xsk_socket__fd(r->xsk), .events = POLLIN };
	const struct xdp_desc *d;
	uint32_t at = 0;

	assert_int_equal(poll(&pf, 1, 10000), 1);
	assert_int_equal(xsk_ring_cons__peek(&r->rx, 1, &at), 1);
	d = xsk_ring_cons__rx_desc(&r->rx, at);
	assert_int_equal(d->len, p->len);
	assert_memory_equal(xsk_umem__get_data(r->mem, d->addr), p->b, p->len);
	xsk_ring_cons__release(&r->rx, 1);
}

/* ---- the classifier ---- */

static void redirect(bool no_dispatcher)
{
	static const struct shape cell = { 0 }, evil = { .link = 9 },
				  other = { .dport = 53 };
	struct xdp *x = xn_open(no_dispatcher);
	struct xdp_if *i = xn_attach(x, xn_wire.near);
	struct pkt p, q, o;
	struct rx r;

	pkt_make(&p, &cell);
	pkt_make(&q, &evil);
	pkt_make(&o, &other);
	xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
	rx_open(&r, xn_wire.near, i->xsk_map);
	xn_gets(x, &xn_wire, &p, VX6_XDP_CELL);
	rx_must_get(&r, &p);
	xn_gets(x, &xn_wire, &q, VX6_XDP_NO_LINK);
	xn_gets(x, &xn_wire, &o, VX6_XDP_OTHER);
	xn_gets(x, &xn_wire, &p, VX6_XDP_CELL);
	rx_must_get(&r, &p); /* and nothing in between */
	rx_close(&r);
	xdp_detach(x, i);
	assert_int_equal(xn_program(xn_wire.near), 0);
	assert_int_equal(xn_counted(x, VX6_XDP_CELL), 2);
	assert_int_equal(xn_counted(x, VX6_XDP_NO_LINK), 1);
	xdp_close(x);
}

static void by_dispatcher(void **state)
{
	struct xdp_if *i;
	struct xdp *x;

	(void)state;
	xn_need();
	if (!xn_has_dispatcher())
		skip();
	x = xn_open(false);
	i = xn_attach(x, xn_wire.near);
	assert_true(i->dispatcher);
	assert_string_equal(xn_why, "");
	xdp_close(x);
	assert_int_equal(xn_program(xn_wire.near), 0);
	redirect(false);
}

static void by_plain_link(void **state)
{
	struct xdp_if *i;
	struct xdp *x;

	(void)state;
	xn_need();
	x = xn_open(true);
	i = xn_attach(x, xn_wire.near);
	assert_false(i->dispatcher);
	assert_string_equal(xn_why, "");
	xdp_close(x);
	assert_int_equal(xn_program(xn_wire.near), 0);
	redirect(true);
}

/* In a fresh /sys, as `ip netns exec` makes it, there is no bpffs. */
static bool attach_without_bpffs(void)
{
	const struct xdp_opts o = {
		.links = 2, .data_port = 1, .len_min = 4, .len_max = 9
	};
	char said[XDP_WHY];
	struct xdp_if *i;
	struct xdp *x;
	bool ok;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/sys/fs/bpf", "tmpfs", 0, NULL) != 0 ||
	    xdp_open(&x, &o, said) != VX6_OK)
		return false;
	ok = xdp_attach(x, xn_wire.near, &i, said) == VX6_OK &&
	     !i->dispatcher && strstr(said, "no bpffs at /sys/fs/bpf") != NULL;
	xdp_close(x);
	return ok;
}

static void without_bpffs(void **state)
{
	(void)state;
	xn_need();
	assert_int_equal(xn_child(attach_without_bpffs), 0);
	assert_int_equal(xn_program(xn_wire.near), 0);
}

/* What a service has that is not root's: enough for a plain link. */
static bool keep_three_capabilities(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { 0 };
	static const unsigned keep[] = { CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON };

	for (unsigned i = 0; i < VX6_COUNT(keep); i++) {
		d[keep[i] / 32].permitted |= 1u << keep[i] % 32;
		d[keep[i] / 32].effective |= 1u << keep[i] % 32;
	}
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
	       setresuid(65534, 65534, 65534) == 0 &&
	       syscall(SYS_capset, &h, d) == 0;
}

static bool attach_as_service(void)
{
	const struct xdp_opts o = {
		.links = 2, .data_port = 1, .len_min = 4, .len_max = 9
	};
	char said[XDP_WHY];
	struct xdp_if *i;
	struct xdp *x;
	bool ok;

	if (!keep_three_capabilities() || xdp_open(&x, &o, said) != VX6_OK ||
	    xdp_attach(x, xn_wire.near, &i, said) != VX6_OK)
		return false;
	ok = !i->dispatcher && strstr(said, "vx6n gets a plain link") != NULL;
	xdp_detach(x, i);
	xdp_close(x);
	return ok;
}

static void as_a_service(void **state)
{
	(void)state;
	xn_need();
	assert_int_equal(xn_child(attach_as_service), 0);
	assert_int_equal(xn_program(xn_wire.near), 0);
}

static void counts_never_go_back(void **state)
{
	static const struct shape cell = { 0 };
	struct xdp_if *i;
	struct xdp *x;
	struct pkt p;

	(void)state;
	xn_need();
	x = xn_open(false);
	pkt_make(&p, &cell);
	for (unsigned round = 0; round < 3; round++) {
		i = xn_attach(x, xn_wire.near);
		xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
		xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
		xdp_detach(x, i);
		assert_int_equal(xn_counted(x, VX6_XDP_NO_SOCKET),
				 2 * (round + 1));
	}
	xdp_close(x);
}

/* Links and addresses belong to the node, queues and counts to each
 * interface. */
static void two_interfaces(void **state)
{
	static const struct shape cell = { 0 }, second = { .link = 2 };
	const struct veth back = { .far = xn_wire.near, .wire = xn_wire.back };
	struct vx6_addr peer;
	struct xdp_if *n, *f;
	struct pkt p, q;
	struct xdp *x;

	(void)state;
	xn_need();
	x = xn_open(false);
	n = xn_attach(x, xn_wire.near);
	f = xn_attach(x, xn_wire.far);
	assert_true(n != f && n->xsk_map != f->xsk_map);
	pkt_make(&p, &cell);
	pkt_make(&q, &second);
	xn_gets(x, &xn_wire, &q, VX6_XDP_NO_LINK);
	xn_gets(x, &back, &q, VX6_XDP_NO_LINK);
	assert_int_equal(vx6_addr_parse(&peer, "[" XK_PEER6 "]:5000"), VX6_OK);
	xdp_link_set(&xdp_links(x)[2], &peer);
	xn_gets(x, &xn_wire, &q, VX6_XDP_NO_SOCKET);
	xn_gets(x, &back, &q, VX6_XDP_NO_SOCKET);
	xdp_detach(x, n);
	xn_gets(x, &back, &p, VX6_XDP_NO_SOCKET);
	assert_int_equal(xn_counted(x, VX6_XDP_NO_SOCKET), 3);
	assert_int_equal(xn_counted(x, VX6_XDP_NO_LINK), 2);
	xdp_close(x);
}

static void addresses_are_replaced(void **state)
{
	static const struct shape cell = { 0 };
	struct vx6_addr a[VX6_XDP_LOCALS], self;
	struct xdp *x;
	struct pkt p;

	(void)state;
	xn_need();
	x = xn_open(false);
	xn_attach(x, xn_wire.near);
	pkt_make(&p, &cell);
	xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
	assert_int_equal(vx6_addr_parse(&self, "[" XK_SELF6 "]:7"), VX6_OK);
	for (unsigned round = 0; round < 3; round++) {
		/* as many as fit, none of which stays */
		for (unsigned i = 0; i < VX6_XDP_LOCALS; i++) {
			a[i] = self;
			a[i].ip[14] = (uint8_t)(round + 1);
			a[i].ip[15] = (uint8_t)i;
		}
		assert_int_equal(xdp_local_set(x, a, VX6_XDP_LOCALS), VX6_OK);
		xn_gets(x, &xn_wire, &p, VX6_XDP_OTHER);
	}
	a[17] = self;
	assert_int_equal(xdp_local_set(x, a, VX6_XDP_LOCALS), VX6_OK);
	xn_gets(x, &xn_wire, &p, VX6_XDP_NO_SOCKET);
	assert_int_equal(xdp_local_set(x, a, 0), VX6_OK);
	xn_gets(x, &xn_wire, &p, VX6_XDP_OTHER);
	xdp_close(x);
}

/* What libxdp keeps in bpffs for an interface. */
static size_t pins(unsigned ifindex)
{
	char path[64];
	size_t n = 0;
	glob_t g;

	snprintf(path, sizeof(path), "/sys/fs/bpf/xdp/dispatch-%u-*", ifindex);
	if (glob(path, 0, NULL, &g) == 0) {
		n = g.gl_pathc;
		globfree(&g);
	}
	return n;
}

static void interface_goes(void **state)
{
	struct xdp_if *i;
	unsigned gone;
	struct xdp *x;

	(void)state;
	xn_need();
	assert_true(veth_run("ip link add vx6g type veth peer name vx6h"));
	gone = if_nametoindex("vx6g");
	x = xn_open(false);
	i = xn_attach(x, gone);
	assert_int_equal(pins(gone), i->dispatcher);
	assert_true(veth_run("ip link del vx6g"));
	xdp_detach(x, i);
	assert_int_equal(pins(gone), 0);
	xn_refused(x, gone, VX6_NOT_FOUND, "there is no interface");
	xn_attach(x, xn_wire.near); /* the node goes on */
	xdp_close(x);
}

static void as_many_as_fit(void **state)
{
	char line[128];
	struct xdp *x;

	(void)state;
	xn_need();
	x = xn_open(true);
	for (unsigned i = 0; i < XDP_IFS; i++) {
		snprintf(line, sizeof(line),
			 "ip link add vx6p%u type veth peer name vx6q%u", i, i);
		assert_true(veth_run(line));
		snprintf(line, sizeof(line), "vx6p%u", i);
		xn_attach(x, if_nametoindex(line));
	}
	xn_refused(x, xn_wire.near, VX6_NO_ROOM, "at most 8 interfaces");
	xdp_close(x);
	for (unsigned i = 0; i < XDP_IFS; i++) {
		snprintf(line, sizeof(line), "vx6p%u", i);
		assert_int_equal(xn_program(if_nametoindex(line)), 0);
		snprintf(line, sizeof(line), "ip link del vx6p%u", i);
		assert_true(veth_run(line));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_dispatcher),
		cmocka_unit_test(by_plain_link),
		cmocka_unit_test(without_bpffs),
		cmocka_unit_test(as_a_service),
		cmocka_unit_test(counts_never_go_back),
		cmocka_unit_test(two_interfaces),
		cmocka_unit_test(addresses_are_replaced),
		cmocka_unit_test(interface_goes),
		cmocka_unit_test(as_many_as_fit),
	};

	return cmocka_run_group_tests(tests, xn_set_up, xn_tear_down);
}
