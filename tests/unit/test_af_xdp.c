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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/rand.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/port/dgram.h"
#include "tests/support/twonet.h"

#define LINKS 16u
#define DATA  4243u
#define PEER  5000u

static struct twonet net;
static bool have;
static char said[4096]; /* every sentence of the port, a line each */

#define NEED_NET()                                                             \
	do {                                                                   \
		if (!have) {                                                   \
			twonet_may();                                          \
			skip();                                                \
		}                                                              \
	} while (0)

static void say(void *ctx, bool warn, const char *event, const char *interface,
		const char *text)
{
	size_t len = strlen(said);

	(void)ctx;
	snprintf(said + len, sizeof(said) - len, "%s %s %s: %s\n",
		 warn ? "warn" : "info", event, interface, text);
}

/* ---- one port, both of its threads ---- */

static struct port *open_on(const char *a, const char *b)
{
	struct af_xdp_opts xo = { .links = LINKS, .say = say };
	struct port_opts po = { .bind = { .port = DATA } };
	char why[XDP_WHY];
	struct port *p;

	said[0] = '\0';
	if (a != NULL)
		snprintf(xo.interface[xo.interface_cnt++], AF_XDP_NAME, "%s",
			 a);
	if (b != NULL)
		snprintf(xo.interface[xo.interface_cnt++], AF_XDP_NAME, "%s",
			 b);
	if (port_open_af_xdp(&p, &po, &xo, why) != VX6_OK)
		fail_msg("%s", why);
	return p;
}

/* A turn of both threads; what came, at most NET_BURST. */
static unsigned turn(struct port *p, struct net_frame *f[])
{
	struct pollfd pf[PORT_FDS + AF_XDP_FDS];
	int fd[PORT_FDS], ctl[AF_XDP_FDS];
	unsigned n = port_fds(p, fd), m = af_xdp_fds(p, ctl);

	for (unsigned i = 0; i < n; i++)
		pf[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	for (unsigned i = 0; i < m; i++)
		pf[n + i] = (struct pollfd){ .fd = ctl[i], .events = POLLIN };
	(void)poll(pf, n + m, 10);
	af_xdp_step(p, vx6_now_ns());
	return port_rx(p, f, NET_BURST);
}

#define UNTIL(p, cond)                                                         \
	do {                                                                   \
		uint64_t end_ = vx6_now_ns() + 10 * VX6_SEC;                   \
		struct net_frame *f_[NET_BURST];                               \
		while (!(cond)) {                                              \
			if (vx6_now_ns() > end_)                               \
				fail_msg("never: %s\n%s", #cond, said);        \
			port_give(p, f_, turn(p, f_));                         \
		}                                                              \
	} while (0)

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

/* ---- cells, as far as the classifier looks at them ---- */

static void make_cell(uint8_t *to, uint32_t link, uint16_t len, uint32_t no)
{
	to[0] = 1;
	to[1] = (uint8_t)(link >> 16);
	to[2] = (uint8_t)(link >> 8);
	to[3] = (uint8_t)link;
	for (unsigned i = 4; i < len; i++)
		to[i] = (uint8_t)(no * 7u + i * 13u);
}

static void send_cell(int fd, const struct vx6_addr *to, uint32_t link,
		      uint16_t len, uint32_t no)
{
	struct sockaddr_storage sa;
	socklen_t sl = vx6_addr_to(to, &sa);
	uint8_t cell[1500];

	make_cell(cell, link, len, no);
	assert_int_equal(sendto(fd, cell, len, 0, (struct sockaddr *)&sa, sl),
			 len);
}

/* Waits for the next frame of the port. */
static struct net_frame *one(struct port *p)
{
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC;
	struct net_frame *f[NET_BURST];
	unsigned n;

	while ((n = turn(p, f)) == 0)
		if (vx6_now_ns() > end)
			fail_msg("nothing came\n%s", said);
	assert_int_equal(n, 1);
	return f[0];
}

static void check_cell(const uint8_t *data, size_t got, uint32_t link,
		       uint16_t len, uint32_t no)
{
	uint8_t want[1500];

	make_cell(want, link, len, no);
	assert_int_equal(got, len);
	assert_memory_equal(data, want, len);
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

		send_cell(fd, &self, 3, len[i], i);
		f = one(p);
		check_cell(f->data, f->len, 3, len[i], i);
		assert_true(vx6_addr_eq(&f->peer, &peer));
		assert_true(vx6_addr_eq(&f->self, &self));
		assert_int_equal(p->rx_xsk, i + 1);
		port_give(p, &f, 1);
	}
	check_frames(p);
	close(fd);
	port_close(p);
}

static void cells_come_in_by_ipv6(void **state)
{
	(void)state;
	NEED_NET();
	receives(false);
}

static void cells_come_in_by_ipv4(void **state)
{
	(void)state;
	NEED_NET();
	receives(true);
}

/* Gives a cell of a link to the port. */
static void give(struct port *p, uint32_t link, const struct vx6_addr *peer,
		 uint16_t len, uint32_t no)
{
	struct net_frame *f = port_take(p);

	assert_non_null(f);
	make_cell(f->data, link, len, no);
	f->len = len;
	f->peer = *peer;
	f->link = link;
	port_tx(p, &f, 1);
}

static void took(int fd, uint32_t link, uint16_t len, uint32_t no,
		 const struct vx6_addr *from)
{
	struct sockaddr_storage sa;
	socklen_t sl = sizeof(sa);
	struct vx6_addr a;
	uint8_t got[2048];
	ssize_t n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&sa,
			     &sl);

	assert_true(n >= 0);
	check_cell(got, (size_t)n, link, len, no);
	assert_int_equal(vx6_addr_from(&a, (struct sockaddr *)&sa), VX6_OK);
	assert_true(vx6_addr_eq(&a, from));
}

/* Sends until the link has a way; how many cells that took. */
static unsigned warm(struct port *p, int fd, uint32_t link,
		     const struct vx6_addr *peer, const struct vx6_addr *self)
{
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC, before = p->tx_xsk;
	unsigned no = 0;

	while (p->tx_xsk == before) {
		struct net_frame *f[NET_BURST];

		if (vx6_now_ns() > end)
			fail_msg("no way to link %u\n%s", link, said);
		give(p, link, peer, 100, no);
		took(fd, link, 100, no, self);
		no++;
		port_give(p, f, turn(p, f));
	}
	return no;
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
	warm(p, fd, 3, &peer, &self);
	by_xsk = p->tx_xsk;
	for (unsigned at = 32; at <= most; at += at < most - 9u ? 7 : 1) {
		uint16_t len = (uint16_t)at;

		give(p, 3, &peer, len, len);
		took(fd, 3, len, len, &self);
		by_xsk++;
	}
	assert_true(p->tx_xsk + af_xdp_counted(p)->renewed >= by_xsk);
	assert_true(af_xdp_counted(p)->renewed < 10);
	UNTIL(p, p->pool_cnt > p->frame_cnt / 2);
	check_frames(p);
	close(fd);
	port_close(p);
}

static void cells_go_out_by_ipv6(void **state)
{
	(void)state;
	NEED_NET();
	sends(false);
}

static void cells_go_out_by_ipv4(void **state)
{
	(void)state;
	NEED_NET();
	sends(true);
}

static int lay(void **state)
{
	(void)state;
	have = twonet_open(&net);
	if (!have)
		return 0;
	twonet_cable(&net, 0, 1);
	twonet_cable(&net, 1, 1);
	return 0;
}

static int unlay(void **state)
{
	(void)state;
	twonet_close(&net);
	return 0;
}

int main(void)
{
	const struct CMUnitTest test[] = {
		cmocka_unit_test(cells_come_in_by_ipv6),
		cmocka_unit_test(cells_come_in_by_ipv4),
		cmocka_unit_test(cells_go_out_by_ipv6),
		cmocka_unit_test(cells_go_out_by_ipv4),
	};

	return cmocka_run_group_tests_name("af_xdp", test, lay, unlay);
}
