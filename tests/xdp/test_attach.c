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
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include <bpf/bpf.h>

#include "tests/support/veth.h"
#include "tests/support/xdp_kit.h"
#include "xdp/xdp.h"

#define FRAMES    64u
#define FRAME_LEN 4096u

static struct veth wire;
static bool have;
static char why[XDP_WHY];

#define NEED_VETH()                                                            \
	do {                                                                   \
		if (!have) {                                                   \
			veth_may();                                            \
			skip();                                                \
		}                                                              \
	} while (0)

/* What libxdp's dispatcher stands on; hardened kernels do without. */
static bool have_dispatcher(void)
{
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1)
		return true;
	printf("# SKIP dispatcher: this kernel loads no BPF_PROG_TYPE_EXT\n");
	fflush(stdout);
	return false;
}

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

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

static struct xdp *open_xdp(bool no_dispatcher)
{
	const struct xdp_opts o = {
		.links = XK_LINKS,
		.data_port = XK_DATA,
		.control_port = { XK_CTRL },
		.len_min = XK_LEN_MIN,
		.len_max = XK_LEN_MAX,
		.shake_ns = 1000000000,
		.shake_most = 4,
		.no_dispatcher = no_dispatcher,
	};
	struct vx6_addr self = addr("[" XK_SELF6 "]:1");
	struct vx6_addr peer = addr("[" XK_PEER6 "]:5000");
	struct xdp *x;

	if (xdp_open(&x, &o, why) != VX6_OK)
		fail_msg("%s", why);
	assert_int_equal(xdp_local_set(x, &self, 1), VX6_OK);
	xdp_link_set(&xdp_links(x)[1], &peer);
	return x;
}

static struct xdp_if *attach(struct xdp *x)
{
	struct xdp_if *i;

	if (xdp_attach(x, wire.near, &i, why) != VX6_OK)
		fail_msg("%s", why);
	return i;
}

static uint64_t counted(struct xdp *x, unsigned reason)
{
	uint64_t c[VX6_XDP_REASON_CNT];

	xdp_counts(x, c);
	return c[reason];
}

/* Sends p and waits until it was counted. */
static void send_and_count(struct xdp *x, const struct pkt *p, unsigned reason)
{
	uint64_t had = counted(x, reason);

	veth_send(&wire, p->b, p->len);
	while (counted(x, reason) == had)
		poll(NULL, 0, 1);
	assert_int_equal(counted(x, reason), had + 1);
}

static void redirect(bool no_dispatcher)
{
	static const struct shape cell = { 0 }, evil = { .link = 9 };
	struct xdp *x = open_xdp(no_dispatcher);
	struct xdp_if *i = attach(x);
	struct rx r;
	struct pkt p, q;

	assert_true(i->dispatcher != no_dispatcher);
	pkt_make(&p, &cell);
	pkt_make(&q, &evil);
	send_and_count(x, &p, VX6_XDP_NO_SOCKET);
	rx_open(&r, wire.near, i->xsk_map);
	send_and_count(x, &p, VX6_XDP_CELL);
	rx_must_get(&r, &p);
	send_and_count(x, &q, VX6_XDP_NO_LINK);
	rx_close(&r);
	xdp_detach(x, i);
	assert_int_equal(counted(x, VX6_XDP_CELL), 1);
	assert_int_equal(counted(x, VX6_XDP_NO_LINK), 1);
	xdp_close(x);
}

static void by_dispatcher(void **state)
{
	(void)state;
	NEED_VETH();
	if (!have_dispatcher())
		skip();
	redirect(false);
}

static void by_plain_link(void **state)
{
	(void)state;
	NEED_VETH();
	redirect(true);
}

static int set_up(void **state)
{
	(void)state;
	have = veth_open(&wire);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	veth_close(&wire);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_dispatcher),
		cmocka_unit_test(by_plain_link),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
