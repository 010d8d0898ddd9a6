/* SPDX-License-Identifier: GPL-2.0-or-later */
/* af_xdp, for several workers: a port each, queues of one interface among
 * them.
 *
 * Method: as test_af_xdp.  A sender over there that connects anew gets
 * another hash from its kernel, and so another queue of the cable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/workers.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/port/dgram.h"
#include "dataplane/worker/count.h"
#include "tests/support/kept.h"
#include "tests/support/said.h"
#include "tests/support/twonet.h"

#define LINKS   16u
#define DATA    4243u
#define PEER    5000u
#define CABLE   2u
#define WORKERS 2u
#define LEN     300u

static struct port *port[WORKERS];
static uint64_t now_ns; /* the host's time, which may be ahead */

static int close_ports(void **state)
{
	(void)state;
	for (unsigned k = WORKERS; k-- > 0;) {
		port_close(port[k]);
		port[k] = NULL;
	}
	if (twonet_is(&net))
		twonet_cut(CABLE);
	return 0;
}

/* On a cable with so many; 0: it is there. */
static void open_ports(unsigned queues)
{
	struct af_xdp_opts xo = { .interface = { "t2" },
				  .interface_cnt = 1,
				  .workers = WORKERS,
				  .links = LINKS,
				  .say = said_add,
				  .keeper = kept_by };
	struct port_opts po = { .bind = { .port = DATA } };
	char why[XDP_WHY];

	if (queues > 0)
		twonet_cable(&net, CABLE, queues);
	said_nothing();
	now_ns = 0;
	for (unsigned k = 0; k < WORKERS; k++) {
		if (port_open_af_xdp(&port[k], &po, &xo, why) != VX6_OK)
			fail_msg("%s", why);
		po.beside = port[0];
	}
}

/* A turn of the host; and of each worker, whose frames go back. */
static void turn(void)
{
	struct pollfd pf[WORKERS * PORT_FDS + AF_XDP_FDS];
	int fd[PORT_FDS + AF_XDP_FDS];
	struct net_frame *f[NET_BURST];
	unsigned n = 0;

	for (unsigned k = 0; k <= WORKERS; k++) {
		unsigned m = k < WORKERS ? port_fds(port[k], fd)
					 : af_xdp_fds(port[0], fd);

		for (unsigned i = 0; i < m; i++)
			pf[n++] = (struct pollfd){ .fd = fd[i],
						   .events = POLLIN };
	}
	(void)poll(pf, n, 10);
	if (vx6_now_ns() > now_ns)
		now_ns = vx6_now_ns();
	af_xdp_step(port[0], now_ns);
	for (unsigned k = 0; k < WORKERS; k++)
		port_give(port[k], f, port_rx(port[k], f, NET_BURST));
}

#define UNTIL(cond)                                                            \
	do {                                                                   \
		uint64_t end_ = vx6_now_ns() + 10 * VX6_SEC;                   \
		while (!(cond)) {                                              \
			if (vx6_now_ns() > end_)                               \
				fail_msg("never: %s\n%s", #cond, said);        \
			turn();                                                \
		}                                                              \
	} while (0)

static unsigned working(void)
{
	struct af_xdp_state s;

	af_xdp_describe(port[0], &s);
	return s.interface_cnt == 1 ? s.interface[0].queues : 0;
}

static uint64_t count_of(unsigned reason)
{
	struct af_xdp_state s;

	af_xdp_describe(port[1], &s); /* any port tells of the host */
	return s.counts[reason];
}

static uint64_t came(void)
{
	return port[0]->rx_xsk + port[1]->rx_xsk;
}

/* Every frame is in the pool, in a ring, or posted to the socket. */
static void check_frames(void)
{
	for (unsigned k = 0; k < WORKERS; k++) {
		const struct port *p = port[k];

		assert_true(p->frame_cnt - p->pool_cnt - af_xdp_in_kernel(p) <=
			    DGRAM_MSGS);
		assert_int_equal(af_xdp_counted(p)->strange, 0);
	}
}

static void make_cell(uint8_t cell[LEN], uint32_t link)
{
	memset(cell, 0x5a, LEN);
	cell[0] = 1;
	cell[1] = 0;
	cell[2] = 0;
	cell[3] = (uint8_t)link;
}

/* Sends cells of a link over there, each by a socket of its own. */
static void send_cells(uint32_t link, unsigned n)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);
	const struct vx6_addr self = twonet_at(CABLE, false, false, DATA);
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(&self, &sa);
	uint8_t cell[LEN];

	make_cell(cell, link);
	for (unsigned i = 0; i < n; i++) {
		int fd = twonet_udp(&net, &peer);

		assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
		assert_int_equal(send(fd, cell, LEN, 0), LEN);
		close(fd);
	}
}

/* Until both workers have got some: which queue it is, is chance. */
static void send_to_both(uint32_t link)
{
	uint64_t had0 = port[0]->rx_xsk, had1 = port[1]->rx_xsk;
	uint64_t want = came();

	for (unsigned i = 0; i < 1000; i++) {
		send_cells(link, 8);
		want += 8;
		UNTIL(came() == want);
		if (port[0]->rx_xsk > had0 && port[1]->rx_xsk > had1)
			return;
	}
	fail_msg("one of the workers gets nothing");
}

static void each_worker_has_its_queues(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);

	(void)state;
	twonet_need();
	open_ports(5);
	UNTIL(working() == 5);
	assert_int_equal(af_xdp_queues(port[0]), 0x15);
	assert_int_equal(af_xdp_queues(port[1]), 0x0a);
	assert_null(strstr(said, "warn"));
	port_link(port[1], 3, &peer);
	send_to_both(3);
	assert_int_equal(count_of(VX6_XDP_CELL), came());
	assert_int_equal(count_of(VX6_XDP_NO_SOCKET), 0);
	check_frames();
}

/* Two writers of one entry would leave it torn. */
static void only_a_links_owner_opens_the_classifier(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);

	(void)state;
	twonet_need();
	open_ports(2);
	UNTIL(working() == 2);
	port_link(port[0], 3, &peer);
	port_link(port[1], 4, &peer);
	send_cells(3, 1);
	send_cells(4, 1);
	UNTIL(count_of(VX6_XDP_NO_LINK) == 2);
	port_link(port[1], 3, &peer);
	port_link(port[0], 4, &peer);
	send_cells(3, 1);
	send_cells(4, 1);
	UNTIL(came() == 2);
	port_link(port[0], 3, NULL);
	send_cells(3, 1);
	UNTIL(came() == 3);
	port_link(port[1], 3, NULL);
	send_cells(3, 1);
	UNTIL(count_of(VX6_XDP_NO_LINK) == 3);
	check_frames();
}

static void each_worker_sends_by_its_own(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);

	(void)state;
	twonet_need();
	open_ports(2);
	UNTIL(working() == 2);
	for (unsigned k = 0; k < WORKERS; k++) {
		int fd = twonet_udp(&net, &peer);
		uint64_t end = vx6_now_ns() + 10 * VX6_SEC;
		uint8_t want[LEN], got[2048];

		make_cell(want, 3);
		while (port[k]->tx_xsk == 0) {
			struct net_frame *f = port_take(port[k]);

			assert_non_null(f);
			assert_true(vx6_now_ns() < end);
			memcpy(f->data, want, LEN);
			f->len = LEN;
			f->peer = peer;
			f->link = 3;
			port_tx(port[k], &f, 1);
			assert_int_equal(recv(fd, got, sizeof(got), 0), LEN);
			assert_memory_equal(got, want, LEN);
			turn();
		}
		close(fd);
	}
	check_frames();
}

static void a_worker_without_a_queue_goes_on_by_its_socket(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);
	struct net_frame *f;
	uint8_t got[2048];
	int fd;

	(void)state;
	twonet_need();
	open_ports(1);
	UNTIL(working() == 1);
	assert_int_equal(af_xdp_queues(port[0]), 1);
	assert_int_equal(af_xdp_queues(port[1]), 0);
	assert_non_null(strstr(said, "1 of 2 workers have no queue of it"));
	fd = twonet_udp(&net, &peer);
	f = port_take(port[1]);
	assert_non_null(f);
	make_cell(f->data, 3);
	f->len = LEN;
	f->peer = peer;
	f->link = 3;
	port_tx(port[1], &f, 1);
	assert_int_equal(recv(fd, got, sizeof(got), 0), LEN);
	assert_int_equal(port[1]->tx_frames, 1);
	close(fd);
	check_frames();
}

/* ---- queues come and go ---- */

/* What ethtool -L does; a socket speaks of the namespace that it is of. */
static void queues_that_come_later_are_taken(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);
	uint64_t before;

	(void)state;
	twonet_need();
	twonet_cable(&net, CABLE, 4);
	twonet_channels(&net, true, CABLE, 1, 1);
	twonet_channels(&net, false, CABLE, 1, 1);
	open_ports(0);
	UNTIL(working() == 1);
	assert_int_equal(af_xdp_queues(port[1]), 0);
	port_link(port[1], 3, &peer);
	send_cells(3, 8);
	UNTIL(came() == 8);
	twonet_channels(&net, false, CABLE, 4, 4);
	twonet_channels(&net, true, CABLE, 4, 4);
	now_ns = af_xdp_due_ns(port[0]) + AF_XDP_RETRY_NS;
	UNTIL(working() == 4);
	assert_int_equal(af_xdp_queues(port[0]), 0x5);
	assert_int_equal(af_xdp_queues(port[1]), 0xa);
	before = count_of(VX6_XDP_NO_SOCKET);
	send_to_both(3);
	assert_int_equal(count_of(VX6_XDP_NO_SOCKET), before);
	check_frames();
}

static void a_cable_with_other_queues_is_taken_anew(void **state)
{
	const struct vx6_addr peer = twonet_at(CABLE, true, false, PEER);
	static const uint8_t queues[] = { 4, 1, 3, 2 };
	static const uint8_t bits[][2] = {
		{ 0x5, 0xa },
                { 1,   0   },
                { 0x5, 0x2 },
                { 1,   2   }
	};

	(void)state;
	twonet_need();
	open_ports(2);
	for (unsigned i = 0; i < VX6_COUNT(queues); i++) {
		UNTIL(working() > 0);
		twonet_cut(CABLE);
		UNTIL(working() == 0);
		twonet_cable(&net, CABLE, queues[i]);
		UNTIL(working() == queues[i]);
		assert_int_equal(af_xdp_queues(port[0]), bits[i][0]);
		assert_int_equal(af_xdp_queues(port[1]), bits[i][1]);
		check_frames();
	}
	port_link(port[1], 3, &peer);
	send_to_both(3);
	check_frames();
}

/* ---- how many workers are worth it ---- */

static void queues_are_counted(void **state)
{
	struct dp_options o = { .backend = CONFIG_BACKEND_AF_XDP };

	(void)state;
	twonet_need();
	twonet_cable(&net, CABLE, 4);
	assert_int_equal(count_queues(&o), 4);
	o.interface_cnt = 1;
	snprintf(o.interface[0], sizeof(o.interface[0]), "t2");
	assert_int_equal(count_queues(&o), 4);
	twonet_channels(&net, true, CABLE, 3, 3);
	twonet_channels(&net, false, CABLE, 3, 3);
	assert_int_equal(count_queues(&o), 3);
	assert_int_equal(dp_options_workers(&o),
			 config_workers(0, 0, count_cpus(), 3));
	snprintf(o.interface[0], sizeof(o.interface[0]), "t9");
	assert_int_equal(count_queues(&o), 1);
	assert_int_equal(dp_options_workers(&o), 1);
}

#define workers_test(f) UNKEPT_TEST(f, close_ports)
#define kept_test(f)    KEPT_TEST(f, close_ports)

int main(void)
{
	const struct CMUnitTest test[] = {
		workers_test(each_worker_has_its_queues),
		workers_test(only_a_links_owner_opens_the_classifier),
		workers_test(each_worker_sends_by_its_own),
		workers_test(a_worker_without_a_queue_goes_on_by_its_socket),
		workers_test(queues_that_come_later_are_taken),
		workers_test(a_cable_with_other_queues_is_taken_anew),
		workers_test(queues_are_counted),
		kept_test(each_worker_has_its_queues),
		kept_test(only_a_links_owner_opens_the_classifier),
		kept_test(each_worker_sends_by_its_own),
		kept_test(a_worker_without_a_queue_goes_on_by_its_socket),
		kept_test(queues_that_come_later_are_taken),
		kept_test(a_cable_with_other_queues_is_taken_anew),
	};

	return cmocka_run_group_tests_name("af_xdp_workers", test, twonet_lay,
					   twonet_unlay);
}
