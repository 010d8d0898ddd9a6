/* SPDX-License-Identifier: GPL-2.0-or-later */
/* af_xdp: a port on real interfaces, native mode.
 *
 * Method: two namespaces and cables between them; the port here, the
 * kernel's own UDP sockets there.  What they take has the right addresses
 * and checksums, because the kernel judged them.  Worker and control thread
 * are this one thread, a step of each in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/rand.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/port/dgram.h"
#include "tests/support/cells.h"
#include "tests/support/kept.h"
#include "tests/support/turns.h"
#include "tests/support/twonet.h"

#define LINKS 16u
#define DATA  4243u
#define PEER  5000u

/* ---- one port, both of its threads ---- */

static struct port *left_open; /* by a test that failed */

static int end_port(void **state)
{
	(void)state;
	port_close(left_open);
	left_open = NULL;
	return 0;
}

static void close_port(struct port *p)
{
	assert_ptr_equal(p, left_open);
	end_port(NULL);
}

static struct port *open_with(uint32_t frames, const char *a, const char *b)
{
	struct af_xdp_opts xo = { .links = LINKS,
				  .say = said_add,
				  .keeper = kept_by };
	struct port_opts po = { .bind = { .port = DATA }, .frames = frames };
	char why[XDP_WHY];
	struct port *p;

	said_nothing();
	if (a != NULL)
		snprintf(xo.interface[xo.interface_cnt++], AF_XDP_NAME, "%s",
			 a);
	if (b != NULL)
		snprintf(xo.interface[xo.interface_cnt++], AF_XDP_NAME, "%s",
			 b);
	if (port_open_af_xdp(&p, &po, &xo, why) != VX6_OK)
		fail_msg("%s", why);
	left_open = p;
	return p;
}

static struct port *open_on(const char *a, const char *b)
{
	return open_with(0, a, b);
}

static unsigned working(const struct port *p)
{
	struct af_xdp_state s;

	af_xdp_describe(p, &s);
	return s.interface_cnt;
}

/* Every frame is in the pool, in a ring, or posted to the socket. */
static void check_frames(const struct port *p)
{
	uint32_t posted = p->frame_cnt - p->pool_cnt - af_xdp_in_kernel(p);

	assert_true(posted <= DGRAM_MSGS);
	assert_int_equal(af_xdp_counted(p)->strange, 0);
}

static void receives(bool v4)
{
	const struct vx6_addr peer = twonet_at(0, true, v4, PEER);
	const struct vx6_addr self = twonet_at(0, false, v4, DATA);
	static const uint16_t len[] = { 32, 33, 70, 1200, 1452 };
	struct port *p = open_on("t0", NULL);
	int fd = twonet_udp(&net, &peer);

	UNTIL(p, working(p) == 1);
	port_link(p, 3, &peer);
	for (unsigned i = 0; i < VX6_COUNT(len); i++) {
		struct net_frame *f;

		cells_send(fd, &self, 3, len[i], i);
		f = turns_one(p);
		cells_check(f->data, f->len, 3, len[i], i);
		assert_true(vx6_addr_eq(&f->peer, &peer));
		assert_true(vx6_addr_eq(&f->self, &self));
		assert_int_equal(p->rx_xsk, i + 1);
		port_give(p, &f, 1);
	}
	check_frames(p);
	close(fd);
	close_port(p);
}

static void cells_come_in_by_ipv6(void **state)
{
	(void)state;
	twonet_need();
	receives(false);
}

static void cells_come_in_by_ipv4(void **state)
{
	(void)state;
	twonet_need();
	receives(true);
}

static void sends(bool v4)
{
	const struct vx6_addr peer = twonet_at(0, true, v4, PEER);
	const struct vx6_addr self = twonet_at(0, false, v4, DATA);
	uint16_t most = v4 ? 1472 : 1452;
	struct port *p = open_on("t0", NULL);
	int fd = twonet_udp(&net, &peer);
	uint64_t by_xsk;

	UNTIL(p, working(p) == 1);
	turns_warm(p, fd, 3, &peer, &self);
	by_xsk = p->tx_xsk;
	for (unsigned at = 32; at <= most; at += at < most - 9u ? 7 : 1) {
		uint16_t len = (uint16_t)at;

		cells_give(p, 3, &peer, len, len);
		cells_took(fd, 3, len, len, &self);
		by_xsk++;
	}
	assert_true(p->tx_xsk + af_xdp_counted(p)->renewed >= by_xsk);
	assert_true(af_xdp_counted(p)->renewed < 10);
	UNTIL(p, p->pool_cnt > p->frame_cnt / 2);
	check_frames(p);
	close(fd);
	close_port(p);
}

static void cells_go_out_by_ipv6(void **state)
{
	(void)state;
	twonet_need();
	sends(false);
}

static void cells_go_out_by_ipv4(void **state)
{
	(void)state;
	twonet_need();
	sends(true);
}

/* ---- what does not go by AF_XDP ---- */

static void a_cell_over_the_mtu_is_dropped(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	struct port *p;
	int fd;

	(void)state;
	twonet_need();
	twonet_run(&net, false, "ip link set t0 mtu 1300");
	p = open_on("t0", NULL);
	fd = twonet_udp(&net, &peer);
	UNTIL(p, working(p) == 1);
	turns_warm(p, fd, 3, &peer, &self);
	cells_give(p, 3, &peer, 1300 - 48, 1);
	cells_took(fd, 3, 1300 - 48, 1, &self);
	assert_int_equal(p->drop[VX6_BAD_SIZE], 0);
	cells_give(p, 3, &peer, 1300 - 47, 2);
	assert_int_equal(p->drop[VX6_BAD_SIZE], 1);
	cells_give(p, 3, &peer, 100, 3);
	cells_took(fd, 3, 100, 3, &self);
	check_frames(p);
	close(fd);
	close_port(p);
	twonet_run(&net, false, "ip link set t0 mtu 1500");
}

static void what_the_classifier_passes_comes_by_the_socket(void **state)
{
	struct vx6_addr self, lo;
	struct net_frame *f;
	struct port *p;
	int fd;

	(void)state;
	twonet_need();
	p = open_on("t0", NULL);
	UNTIL(p, working(p) == 1);
	/* loopback has no classifier */
	assert_int_equal(vx6_addr_parse(&self, "[::1]:4243"), VX6_OK);
	assert_int_equal(vx6_addr_parse(&lo, "[::1]:0"), VX6_OK);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	cells_send(fd, &self, 3, 200, 1);
	f = turns_one(p);
	cells_check(f->data, f->len, 3, 200, 1);
	port_give(p, &f, 1);
	/* and what has no link, or no neighbour's address, goes by it */
	cells_give(p, 0, &self, 100, 2);
	f = turns_one(p);
	cells_check(f->data, f->len, 0, 100, 2);
	port_give(p, &f, 1);
	assert_int_equal(p->rx_frames, 2);
	assert_int_equal(p->rx_xsk, 0);
	assert_int_equal(p->tx_xsk, 0);
	check_frames(p);
	close(fd);
	close_port(p);
}

static uint64_t count_of(struct port *p, unsigned reason)
{
	struct af_xdp_state s;

	af_xdp_describe(p, &s);
	return s.counts[reason];
}

/* Sends cells and waits until the classifier has had them, with nobody to
 * take them.  A busy machine's kernel lets frames wait in the cable, and
 * loses what is over 256 without a word. */
static void send_all(struct port *p, int fd, const struct vx6_addr *self,
		     unsigned before, unsigned all)
{
	uint64_t end = vx6_now_ns() + TURNS_LONG;

	for (unsigned i = 1; i <= all; i++) {
		cells_send(fd, self, 3, 32, i);
		if (i % 128 != 0 && i != all)
			continue;
		while (count_of(p, VX6_XDP_CELL) < before + i) {
			if (vx6_now_ns() > end)
				fail_msg("%u cells did not arrive", i);
			(void)poll(NULL, 0, 1);
		}
	}
}

/* All that comes, until nothing more does. */
static void give_all(struct port *p)
{
	struct net_frame *f[NET_BURST];
	unsigned n;

	while ((n = turns_rx(p, f)) > 0)
		port_give(p, f, n);
}

/* A worker that keeps up has the few frames that stay in the caches; once it
 * was away it has more, and is away for longer without a loss. */
static void a_pause_gives_it_more_frames(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	const unsigned few = AF_XDP_PAUSE / 2, many = 2 * AF_XDP_POSTED;
	const unsigned frames = 4 * AF_XDP_POSTED, most = frames / 4 * 3;
	struct port *p;
	unsigned sent = 0;
	int fd;

	(void)state;
	twonet_need();
	p = open_with(frames, "t0", NULL);
	fd = twonet_udp(&net, &peer);
	UNTIL(p, working(p) == 1);
	port_link(p, 3, &peer);
	for (unsigned i = 0; i < 8; i++, sent += few) {
		send_all(p, fd, &self, sent, few);
		UNTIL(p, p->rx_xsk == sent + few);
	}
	assert_in_range(af_xdp_in_kernel(p), AF_XDP_POSTED - NET_BURST,
			AF_XDP_POSTED);
	send_all(p, fd, &self, sent, AF_XDP_PAUSE);
	sent += AF_XDP_PAUSE;
	UNTIL(p, p->rx_xsk == sent);
	assert_in_range(af_xdp_in_kernel(p), most - 2 * NET_BURST, most);
	send_all(p, fd, &self, sent, many);
	UNTIL(p, p->rx_xsk == sent + many);
	assert_int_equal(p->drop[VX6_NO_ROOM], 0);
	assert_int_equal(p->rx_most, many);
	check_frames(p);
	close(fd);
	close_port(p);
}

/* Cells that come while the worker is away for too long. */
static void what_there_was_no_room_for_is_counted(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	const unsigned all = AF_XDP_POSTED + 500;
	uint64_t lost, came;
	struct port *p;
	int fd;

	(void)state;
	twonet_need();
	p = open_on("t0", NULL);
	fd = twonet_udp(&net, &peer);
	UNTIL(p, working(p) == 1);
	port_link(p, 3, &peer);
	send_all(p, fd, &self, 0, all);
	UNTIL(p, p->rx_xsk >= AF_XDP_POSTED / 2);
	assert_true(p->drop[VX6_NO_ROOM] > 0);
	give_all(p);
	assert_int_equal(p->rx_xsk + p->drop[VX6_NO_ROOM], all);
	lost = p->drop[VX6_NO_ROOM];
	came = p->rx_xsk;
	cells_send(fd, &self, 3, 32, all);
	UNTIL(p, p->rx_xsk > came);
	assert_int_equal(p->drop[VX6_NO_ROOM], lost); /* each is told once */
	check_frames(p);
	close(fd);
	close_port(p);
}

static void the_classifier_follows_the_links(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr moved = twonet_at(0, true, false, PEER + 1);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	struct net_frame *f;
	struct port *p;
	int fd, fd2;

	(void)state;
	twonet_need();
	p = open_on("t0", NULL);
	fd = twonet_udp(&net, &peer);
	fd2 = twonet_udp(&net, &moved);
	UNTIL(p, working(p) == 1);
	cells_send(fd, &self, 3, 100, 0);
	UNTIL(p, count_of(p, VX6_XDP_NO_LINK) == 1);
	port_link(p, 3, &peer);
	cells_send(fd, &self, 3, 100, 1);
	f = turns_one(p);
	port_give(p, &f, 1);
	assert_int_equal(count_of(p, VX6_XDP_CELL), 1);
	port_link(p, 3, &moved);
	cells_send(fd2, &self, 3, 100, 2);
	f = turns_one(p);
	port_give(p, &f, 1);
	assert_int_equal(count_of(p, VX6_XDP_CELL), 2);
	/* the address before is a stranger's now: a few may pass */
	for (unsigned i = 0; i < 40; i++)
		cells_send(fd, &self, 3, 100, 3);
	UNTIL(p, count_of(p, VX6_XDP_BAD_SOURCE) > 0);
	port_link(p, 3, NULL);
	cells_send(fd2, &self, 3, 100, 2);
	UNTIL(p, count_of(p, VX6_XDP_NO_LINK) == 2);
	check_frames(p);
	close(fd);
	close(fd2);
	close_port(p);
}

/* ---- interfaces ---- */

static void a_frame_leaves_by_another_interface(void **state)
{
	const struct vx6_addr left = twonet_at(0, true, false, PEER);
	const struct vx6_addr right = twonet_at(1, true, true, PEER);
	const struct vx6_addr self0 = twonet_at(0, false, false, DATA);
	const struct vx6_addr self1 = twonet_at(1, false, true, DATA);
	struct port *p;
	int in, out;

	(void)state;
	twonet_need();
	p = open_on("t0", "t1");
	in = twonet_udp(&net, &left);
	out = twonet_udp(&net, &right);
	UNTIL(p, working(p) == 2);
	port_link(p, 3, &left);
	turns_warm(p, out, 4, &right, &self1);
	for (uint32_t i = 0; i < 3000; i++) {
		uint16_t len = (uint16_t)(32 + i % 1400);
		struct net_frame *f;
		uint64_t before = p->tx_xsk;
		uint8_t *at;

		cells_send(in, &self0, 3, len, i);
		f = turns_one(p);
		at = p->mem + (size_t)f->index * NET_FRAME_LEN;
		assert_true(f->data >= at && f->data < at + NET_FRAME_LEN);
		f->peer = right;
		f->self = (struct vx6_addr){ 0 };
		f->link = 4;
		port_tx(p, &f, 1);
		cells_took(out, 3, len, i, &self1);
		assert_true(p->tx_xsk == before + 1 ||
			    af_xdp_counted(p)->renewed > 0);
	}
	assert_true(p->tx_xsk > 2900);
	check_frames(p);
	close(in);
	close(out);
	close_port(p);
}

static void a_lost_interface_comes_back(void **state)
{
	const struct vx6_addr left = twonet_at(0, true, false, PEER);
	const struct vx6_addr right = twonet_at(1, true, false, PEER);
	const struct vx6_addr self0 = twonet_at(0, false, false, DATA);
	const struct vx6_addr self1 = twonet_at(1, false, false, DATA);
	struct port *p;
	int in, out;

	(void)state;
	twonet_need();
	p = open_on("t0", "t1");
	UNTIL(p, working(p) == 2);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t by_xsk;
		struct net_frame *f;

		in = twonet_udp(&net, &left);
		out = twonet_udp(&net, &right);
		port_link(p, 3, &left);
		turns_warm(p, in, 3, &left, &self0);
		turns_warm(p, out, 4, &right, &self1);
		/* frames are on their way both ways when it goes */
		for (unsigned i = 0; i < 40; i++) {
			cells_send(in, &self0, 3, 500, i);
			cells_give(p, 3, &left, 500, i);
		}
		twonet_cut(0);
		cells_give(p, 3, &left, 500,
			   1); /* to where there is no way now */
		UNTIL(p, working(p) == 1);
		UNTIL(p, strstr(said, "t0 has gone") != NULL);
		by_xsk = p->tx_xsk;
		cells_give(p, 4, &right, 600, 2); /* the other one goes on */
		cells_took(out, 4, 600, 2, &self1);
		assert_int_equal(p->tx_xsk, by_xsk + 1);
		twonet_cable(&net, 0, 1);
		UNTIL(p, working(p) == 2);
		UNTIL(p, p->pool_cnt > p->frame_cnt / 2);
		check_frames(p);
		close(in);
		in = twonet_udp(&net, &left);
		by_xsk = p->rx_xsk;
		cells_send(in, &self0, 3, 700, 3);
		f = turns_one(p);
		cells_check(f->data, f->len, 3, 700, 3);
		port_give(p, &f, 1);
		assert_int_equal(p->rx_xsk, by_xsk + 1);
		said_nothing();
		close(in);
		close(out);
	}
	close_port(p);
}

/* Reads until a cell of this length comes: late ones may be before it. */
static void took_at_last(int fd, uint32_t link, uint16_t len, uint32_t no)
{
	uint8_t got[2048];
	ssize_t n;

	do {
		n = recv(fd, got, sizeof(got), 0);
		assert_true(n > 0);
	} while (n != len);
	cells_check(got, (size_t)n, link, len, no);
}

static void a_pause_of_the_link_harms_nothing(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	struct port *p;
	int fd;

	(void)state;
	twonet_need();
	p = open_on("t0", NULL);
	fd = twonet_udp(&net, &peer);
	UNTIL(p, working(p) == 1);
	port_link(p, 3, &peer);
	turns_warm(p, fd, 3, &peer, &self);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t came = p->rx_xsk;

		twonet_run(&net, false, "ip link set t0 down");
		for (unsigned i = 0; i < 600; i++) /* more than tx holds */
			cells_give(p, 3, &peer, 500, i);
		twonet_run(&net, false,
			   "ip link set t0 up; "
			   "ip addr replace fd00:0::1/64 dev t0 nodad");
		UNTIL(p, (cells_send(fd, &self, 3, 700, 9), p->rx_xsk > came));
		cells_give(p, 3, &peer, 100, round);
		took_at_last(fd, 3, 100, round);
		UNTIL(p, p->pool_cnt > p->frame_cnt / 2);
		check_frames(p);
	}
	assert_true(p->drop[VX6_AGAIN] > 0);
	close(fd);
	close_port(p);
}

static void every_queue_has_a_socket(void **state)
{
	const struct vx6_addr self = twonet_at(2, false, false, DATA);
	struct af_xdp_state s;
	struct port *p;

	(void)state;
	twonet_need();
	twonet_cable(&net, 2, 3);
	p = open_on("t2", NULL);
	UNTIL(p, working(p) == 1);
	af_xdp_describe(p, &s);
	assert_int_equal(s.interface[0].queues, 3);
	assert_false(s.interface[0].zerocopy);
	/* many flows, so that each queue gets some */
	for (uint16_t i = 0; i < 32; i++) {
		const struct vx6_addr peer = twonet_at(2, true, false,
						       (uint16_t)(PEER + i));
		int fd = twonet_udp(&net, &peer);
		struct net_frame *f;

		port_link(p, 3, &peer);
		cells_send(fd, &self, 3, 300, i);
		f = turns_one(p);
		cells_check(f->data, f->len, 3, 300, i);
		port_give(p, &f, 1);
		close(fd);
	}
	assert_int_equal(p->rx_xsk, 32);
	assert_int_equal(count_of(p, VX6_XDP_NO_SOCKET), 0);
	check_frames(p);
	close_port(p);
	twonet_cut(2);
}

static void a_stale_neighbour_is_renewed_by_the_socket(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	struct port *p;
	uint64_t renewed;
	int fd;

	(void)state;
	twonet_need();
	p = open_on("t0", NULL);
	fd = twonet_udp(&net, &peer);
	UNTIL(p, working(p) == 1);
	turns_warm(p, fd, 3, &peer, &self);
	renewed = af_xdp_counted(p)->renewed;
	twonet_run(&net, false,
		   "set -- $(ip neigh show fd00:0::2 dev t0); "
		   "ip neigh replace fd00:0::2 dev t0 lladdr $3 nud stale");
	UNTIL(p, (cells_give(p, 3, &peer, 100, 7),
		  cells_took(fd, 3, 100, 7, &self),
		  af_xdp_counted(p)->renewed > renewed));
	/* the kernel has used its entry: it is stale no more */
	twonet_run(&net, false,
		   "ip neigh show fd00:0::2 dev t0 | grep -qv STALE");
	check_frames(p);
	close(fd);
	close_port(p);
}

/* ---- refusals ---- */

static void expect_said(struct port *p, const char *what)
{
	UNTIL(p, strstr(said, what) != NULL);
	assert_int_equal(working(p), 0);
	assert_non_null(strstr(said, "meanwhile its cells go by the UDP"));
}

static void what_cannot_be_had_is_said_once(void **state)
{
	const char *once;
	struct port *p;

	(void)state;
	twonet_need();
	p = open_on("t9", NULL);
	expect_said(p, "there is no interface t9");
	once = strstr(said, "there is no interface t9");
	for (unsigned i = 0; i < 5; i++)
		af_xdp_step(p, vx6_now_ns() + i * AF_XDP_RETRY_NS);
	assert_null(strstr(once + 1, "there is no interface t9"));
	close_port(p);
	p = open_on("lo", NULL);
	expect_said(p, "lo is no Ethernet interface");
	close_port(p);
	twonet_run(&net, false, "ip link set t0 mtu 1279");
	p = open_on("t0", NULL);
	expect_said(p, "the MTU of t0 is 1279");
	close_port(p);
	twonet_run(&net, false, "ip link set t0 mtu 1500");
	twonet_run(&net, false, "ip link set t1 down");
	p = open_on("t1", NULL);
	expect_said(p, "t1 is down");
	twonet_run(&net, false,
		   "ip link set t1 up; ip addr add fd00:1::1/64 dev t1 nodad");
	UNTIL(p, working(p) == 1);
	close_port(p);
}

/* Hosts of containers have a pair for each. */
static void the_last_of_many_interfaces_is_found(void **state)
{
	struct port *p;

	(void)state;
	twonet_need();
	twonet_run(&net, false,
		   "for i in $(seq 32); do ip link add many$i type veth peer "
		   "name more$i || exit 1; done; "
		   "ip link add near type veth peer name last && "
		   "ip link set near up && ip link set last up");
	p = open_on("last", NULL);
	UNTIL(p, working(p) == 1);
	close_port(p);
	twonet_run(&net, false,
		   "ip link del last; "
		   "for i in $(seq 32); do ip link del many$i; done");
}

static void a_strange_program_is_left_alone(void **state)
{
	uint64_t now = vx6_now_ns();
	struct port *p;
	int link;

	(void)state;
	twonet_need();
	link = twonet_stranger("t0");
	p = open_on("t0", NULL);
	expect_said(p, "t0 has the XDP program stranger");
	twonet_run(&net, false, "ip link show dev t0 | grep -q xdp");
	close(link);
	while (working(p) == 0) { /* it is tried again */
		struct net_frame *f[NET_BURST];

		port_give(p, f, port_rx(p, f, NET_BURST));
		af_xdp_step(p, now += AF_XDP_RETRY_NS);
	}
	close_port(p);
}

static void a_busy_queue_is_said_after_a_while(void **state)
{
	const unsigned ifindex = if_nametoindex("t0");
	static uint8_t mem[64 * 4096] VX6_ALIGNED(4096);
	const struct rights_umem um = { mem, sizeof(mem), 2048 };
	const struct xdp_opts ro = { .links = LINKS,
				     .data_port = DATA,
				     .len_min = 32,
				     .len_max = 1500 };
	char why[XDP_WHY];
	struct rights *r;
	uint64_t now = vx6_now_ns();
	struct port *p;
	struct xsk x;

	(void)state;
	twonet_need();
	/* the socket of the test before may not be quite gone */
	assert_int_equal(rights_open(&r, &ro, why), VX6_OK);
	while (xsk_open(&x, r, &um, ifindex, 0, XSK_COPY) != VX6_OK)
		assert_true(errno == EBUSY &&
			    vx6_now_ns() < now + 10 * VX6_SEC);
	p = open_on("t0", NULL);
	for (unsigned i = 0; i < AF_XDP_BUSY - 1u; i++) {
		assert_null(strstr(said, "another program"));
		af_xdp_step(p, now += AF_XDP_BUSY_NS);
	}
	assert_non_null(strstr(said, "another program has an AF_XDP socket on "
				     "queue 0 of t0: stop it"));
	xsk_close(&x);
	rights_close(r);
	now += 2 * AF_XDP_RETRY_NS;
	while (working(p) == 0) {
		struct net_frame *f[NET_BURST];

		port_give(p, f, port_rx(p, f, NET_BURST));
		af_xdp_step(p, now += AF_XDP_BUSY_NS);
	}
	close_port(p);
}

static void no_zero_copy_is_said(void **state)
{
	struct af_xdp_opts xo = { .links = LINKS,
				  .say = said_add,
				  .keeper = kept_by,
				  .interface = { "t0" },
				  .interface_cnt = 1,
				  .mode = XSK_ZEROCOPY };
	struct port_opts po = { .bind = { .port = DATA } };
	char why[XDP_WHY];
	struct port *p;

	(void)state;
	twonet_need();
	said_nothing();
	assert_int_equal(port_open_af_xdp(&p, &po, &xo, why), VX6_OK);
	left_open = p;
	expect_said(p, "t0 has no AF_XDP in the mode zerocopy: set "
		       "data.xdp_copy to \"auto\"");
	close_port(p);
}

static void opens_again_at_once(void **state)
{
	(void)state;
	twonet_need();
	for (unsigned i = 0; i < 10; i++) {
		struct port *p = open_on("t0", "t1");

		UNTIL(p, working(p) == 2);
		close_port(p);
	}
}

static void without_names_it_takes_what_is_there(void **state)
{
	struct port *p;

	(void)state;
	twonet_need();
	p = open_on(NULL, NULL);
	UNTIL(p, working(p) == 2); /* no default route: all that are up */
	close_port(p);
	twonet_run(&net, false, "ip -6 route add default via fd00:1::2");
	p = open_on(NULL, NULL);
	UNTIL(p, working(p) == 1);
	assert_non_null(strstr(said, "attached t1"));
	assert_null(strstr(said, "attached t0"));
	close_port(p);
	twonet_run(&net, false, "ip -6 route del default");
}

static void step(struct port *p, uint64_t now_ns)
{
	(void)af_xdp_step(p, now_ns);
}

static int lay(void **state)
{
	turns_host = (struct turns_host){ af_xdp_fds, step, 10 };
	(void)twonet_lay(state);
	if (!twonet_is(&net))
		return 0;
	twonet_cable(&net, 0, 1);
	twonet_cable(&net, 1, 1);
	return 0;
}

/* What the tests before left of the first cables is not what they found. */
static int kept_anew(void **state)
{
	for (unsigned i = 0; i < 2 && twonet_is(&net) && kept_by == NULL; i++) {
		twonet_cut(i);
		twonet_cable(&net, i, 1);
	}
	return kept(state);
}

#define port_test(f) UNKEPT_TEST(f, end_port)
#define kept_test(f) { #f " by a keeper", f, kept_anew, end_port, NULL }

int main(void)
{
	const struct CMUnitTest test[] = {
		port_test(cells_come_in_by_ipv6),
		port_test(cells_come_in_by_ipv4),
		port_test(cells_go_out_by_ipv6),
		port_test(cells_go_out_by_ipv4),
		port_test(a_cell_over_the_mtu_is_dropped),
		port_test(what_the_classifier_passes_comes_by_the_socket),
		port_test(a_pause_gives_it_more_frames),
		port_test(what_there_was_no_room_for_is_counted),
		port_test(the_classifier_follows_the_links),
		port_test(a_frame_leaves_by_another_interface),
		port_test(a_lost_interface_comes_back),
		port_test(a_pause_of_the_link_harms_nothing),
		port_test(every_queue_has_a_socket),
		port_test(a_stale_neighbour_is_renewed_by_the_socket),
		port_test(what_cannot_be_had_is_said_once),
		port_test(the_last_of_many_interfaces_is_found),
		port_test(a_strange_program_is_left_alone),
		port_test(a_busy_queue_is_said_after_a_while),
		port_test(no_zero_copy_is_said),
		port_test(opens_again_at_once),
		port_test(without_names_it_takes_what_is_there),
		kept_test(cells_come_in_by_ipv6),
		kept_test(cells_come_in_by_ipv4),
		kept_test(cells_go_out_by_ipv6),
		kept_test(cells_go_out_by_ipv4),
		kept_test(a_cell_over_the_mtu_is_dropped),
		kept_test(what_the_classifier_passes_comes_by_the_socket),
		kept_test(what_there_was_no_room_for_is_counted),
		kept_test(the_classifier_follows_the_links),
		kept_test(a_frame_leaves_by_another_interface),
		kept_test(a_lost_interface_comes_back),
		kept_test(a_pause_of_the_link_harms_nothing),
		kept_test(every_queue_has_a_socket),
		kept_test(a_stale_neighbour_is_renewed_by_the_socket),
		kept_test(what_cannot_be_had_is_said_once),
		kept_test(the_last_of_many_interfaces_is_found),
		/* not with a stranger, whose program a child of ours would
		 * hold as well */
		kept_test(a_busy_queue_is_said_after_a_while),
		kept_test(no_zero_copy_is_said),
		kept_test(opens_again_at_once),
		kept_test(without_names_it_takes_what_is_there),
	};

	return cmocka_run_group_tests_name("af_xdp", test, lay, twonet_unlay);
}
