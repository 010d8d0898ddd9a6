/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers on real queues, which move while cells come in: by AF_XDP on a
 * cable between two namespaces, and by UDP sockets that share a port.
 *
 *     there                                    here
 *     a socket for each link ====cable==== 3 workers, a port each
 *                                          this thread: the host's part
 *
 * A sender that connects anew gets another hash of its kernel, and so another
 * queue of the cable.  The laws are those of tests/support/moves.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/af_xdp.h"
#include "tests/support/moves.h"
#include "tests/support/said.h"
#include "tests/support/twonet.h"

#define DATA   4243u
#define PEER   5000u
#define CABLE  3u
#define FLIGHT 200u /* cells on their way at most: no queue is full */
#define CELLS  20000u
#define SPREAD 64u /* cells, then the senders change their queues */

static struct port *port[MOVES_WORKERS];
static struct moves *m;
static int there[MOVES_LINKS + 1]; /* a socket for each link's neighbour */
static bool by_xdp;
static uint64_t counted;  /* cells that are known to be, as dropped */
static uint64_t ahead_ns; /* how far the host's time is */
static uint64_t gone;     /* and those that went with a cable */

/* ---- the node here, its neighbours there ---- */

static struct vx6_addr peer_of(uint32_t link)
{
	return twonet_at(CABLE, true, false, (uint16_t)(PEER + link));
}

static struct vx6_addr node_at(void)
{
	return twonet_at(CABLE, false, false, DATA);
}

static void open_ports(bool xdp)
{
	const struct af_xdp_opts xo = { .interface = { "t3" },
					.interface_cnt = 1,
					.workers = MOVES_WORKERS,
					.links = 64,
					.say = said_add };
	struct port_opts po = { .bind = node_at() };
	char why[XDP_WHY];

	by_xdp = xdp;
	for (unsigned k = 0; k < MOVES_WORKERS; k++) {
		enum vx6_status st = xdp ? port_open_af_xdp(&port[k], &po, &xo,
							    why)
					 : port_open_udp(&port[k], &po);

		if (st != VX6_OK)
			fail_msg("%s", xdp ? why : vx6_status_text(st));
		po.beside = port[0];
	}
	m = moves_open(port, peer_of);
	/* the classifier lets in their links' cells from here on */
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		(void)worker_turn(m->worker[k], vx6_now_ns());
}

/* On a cable of so many queues, of which so many are used. */
static void open_all(bool xdp, unsigned queues, unsigned used)
{
	said_nothing();
	counted = gone = ahead_ns = 0;
	twonet_cable(&net, CABLE, queues);
	for (uint32_t i = 1; i <= MOVES_LINKS; i++) {
		const struct vx6_addr at = peer_of(i);

		there[i] = twonet_udp(&net, &at);
	}
	if (used < queues) {
		twonet_channels(&net, true, CABLE, used, used);
		twonet_channels(&net, false, CABLE, used, used);
	}
	open_ports(xdp);
}

static void start(unsigned first, unsigned last)
{
	for (unsigned k = first; k <= last; k++)
		assert_int_equal(worker_start(m->worker[k]), VX6_OK);
}

static int close_all(void **state)
{
	(void)state;
	moves_close(m);
	m = NULL;
	for (unsigned k = MOVES_WORKERS; k-- > 0;) {
		port_close(port[k]);
		port[k] = NULL;
	}
	for (uint32_t i = 1; i <= MOVES_LINKS; i++)
		close(there[i]);
	if (twonet_is(&net))
		twonet_cut(CABLE);
	return 0;
}

/* What the control thread does. */
static void step(void)
{
	if (by_xdp && af_xdp_step(port[0], vx6_now_ns() + ahead_ns))
		for (unsigned k = 0; k < MOVES_WORKERS; k++)
			worker_wake(m->worker[k]);
}

static unsigned working(void)
{
	struct af_xdp_state s;

	af_xdp_describe(port[0], &s);
	return s.interface_cnt == 1 ? s.interface[0].queues : 0;
}

/* ---- cells in and out ---- */

static bool drain(void)
{
	uint8_t p[2048];
	bool any = false;
	ssize_t len;

	for (uint32_t i = 1; i <= MOVES_LINKS; i++)
		while ((len = recv(there[i], p, sizeof(p), MSG_DONTWAIT)) > 0) {
			moves_out(m, MOVES_ANY, i, p, (size_t)len);
			any = true;
		}
	return any;
}

static void until_working(unsigned queues)
{
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC;

	while (working() != queues) {
		struct pollfd pf[AF_XDP_FDS];
		int fd[AF_XDP_FDS];
		unsigned n = af_xdp_fds(port[0], fd);

		if (vx6_now_ns() > end)
			fail_msg("never %u queues\n%s", queues, said);
		for (unsigned i = 0; i < n; i++)
			pf[i] = (struct pollfd){ .fd = fd[i],
						 .events = POLLIN };
		(void)poll(pf, n, 10);
		step();
		(void)drain();
	}
}

/* From here on the kernel over there may choose other queues. */
static void spread(void)
{
	const struct vx6_addr to = node_at();
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(&to, &sa);

	for (uint32_t i = 1; i <= MOVES_LINKS; i++)
		if (connect(there[i], (struct sockaddr *)&sa, len) != 0)
			assert_int_equal(errno, ENETUNREACH); /* no cable */
}

/* Some of those that seemed gone may come late. */
static uint64_t in_flight(void)
{
	uint64_t known = m->got + counted + gone;

	return m->fed > known ? m->fed - known : 0;
}

/* Waits until there is room for more. */
static void pace(void)
{
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC;

	while (in_flight() > FLIGHT) {
		struct abi_stats s;

		if (drain())
			continue;
		step();
		s = moves_ask(m, 0, MOVES_WORKERS - 1u, drain);
		counted = m->fed - m->got - moves_missing(m, &s);
		assert_true(vx6_now_ns() < end);
	}
}

/* False: the cable is not there. */
static bool send_to(uint32_t link, const uint8_t *p, size_t len)
{
	ssize_t sent = send(there[link], p, len, 0);

	m->fed += sent > 0;
	return sent > 0;
}

/* Feeds cells first..last, some of them twice, at whichever queues. */
static void feed(uint64_t first, uint64_t last)
{
	uint8_t p[VX6_CELL_MAX];

	for (uint64_t no = first; no <= last; no++) {
		struct moves_flow *f = &m->flow[moves_draw(MOVES_FLOWS)];
		size_t len = moves_make(f, no, p);

		if (no % SPREAD == 1) {
			spread();
			step();
		}
		if (send_to(f->in, p, len) && moves_draw(16) == 0) {
			spread();
			m->twice += send_to(f->in, p, len);
		}
		(void)drain();
		pace();
	}
}

/* ---- AF_XDP ---- */

static void open_xdp(unsigned queues)
{
	open_all(true, queues, queues);
	start(0, MOVES_WORKERS - 1u);
	until_working(queues);
}

static void senders_move_under_load(void **state)
{
	struct abi_stats sum;
	uint64_t by_xsk = 0;

	(void)state;
	twonet_need();
	open_xdp(4);
	feed(1, CELLS);
	sum = moves_end(m, drain);
	assert_int_equal(m->fed, CELLS + m->twice);
	assert_true(sum.drop[VX6_REPLAYED] > 0);
	assert_true(sum.handed > CELLS / 4);
	for (unsigned k = 0; k < MOVES_WORKERS; k++) {
		assert_true(port[k]->rx_xsk > CELLS / 8);
		assert_true(port[k]->tx_xsk > CELLS / 8);
		by_xsk += port[k]->rx_xsk;
	}
	assert_int_equal(by_xsk, m->fed);
}

/* What went with a cable, or a queue, was on its way. */
static void expect_lost_at_most(uint64_t most)
{
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC;
	struct abi_stats s;

	do {
		(void)drain();
		s = moves_ask(m, 0, MOVES_WORKERS - 1u, drain);
		if (vx6_now_ns() > end)
			fail_msg("%llu cells are lost\n%s",
				 (unsigned long long)moves_missing(m, &s),
				 said);
	} while (moves_missing(m, &s) > most);
}

static void cables_are_laid_anew_under_load(void **state)
{
	static const uint8_t queues[] = { 1, 4, 2, 3 };
	uint64_t no = 1;

	(void)state;
	twonet_need();
	open_xdp(3);
	for (unsigned i = 0; i < VX6_COUNT(queues); i++) {
		uint64_t got;

		feed(no, no + 1999);
		twonet_cut(CABLE);
		gone += in_flight();
		feed(no + 2000, no + 2099); /* nobody takes them */
		until_working(0);
		twonet_cable(&net, CABLE, queues[i]);
		feed(no + 2100, no + 2999); /* while it rises */
		until_working(queues[i]);
		got = m->got;
		feed(no + 3000, no + 4999);
		assert_true(m->got > got + 1500);
		no += 5000;
	}
	expect_lost_at_most(VX6_COUNT(queues) * FLIGHT);
}

/* As when a card is told to spread its flows otherwise: all of them move. */
static void channels_change_under_load(void **state)
{
	static const uint8_t tx[] = { 1, 4, 2, 3, 1, 4 };
	uint64_t no = 1;

	(void)state;
	twonet_need();
	open_xdp(4);
	for (unsigned i = 0; i < VX6_COUNT(tx); i++) {
		twonet_channels(&net, true, CABLE, 4, tx[i]);
		gone += in_flight();
		feed(no, no + 1999);
		no += 2000;
	}
	expect_lost_at_most(VX6_COUNT(tx) * FLIGHT);
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		assert_true(port[k]->rx_xsk > 500);
}

static void queues_are_added_under_load(void **state)
{
	(void)state;
	twonet_need();
	open_all(true, 4, 1);
	start(0, MOVES_WORKERS - 1u);
	until_working(1);
	feed(1, 2000);
	twonet_channels(&net, false, CABLE, 4, 4);
	twonet_channels(&net, true, CABLE, 4, 4);
	gone += in_flight();
	feed(2001, 4000);
	ahead_ns = AF_XDP_RETRY_NS;
	feed(4001, 6000);
	until_working(4);
	feed(6001, 10000);
	expect_lost_at_most(3 * FLIGHT);
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		assert_true(port[k]->rx_xsk > 200);
}

/* ---- rings that are full ---- */

/* Worker 0 has the only queue, and the others are not there yet. */
static void a_full_ring_loses_nothing_silently(void **state)
{
	uint8_t p[VX6_CELL_MAX];
	uint64_t end = vx6_now_ns() + 60 * VX6_SEC;
	struct abi_stats sum;

	(void)state;
	twonet_need();
	open_all(true, 1, 1);
	start(0, 0);
	until_working(1);
	spread();
	for (uint64_t no = 1; no <= 6000; no++) {
		struct moves_flow *f = &m->flow[moves_draw(MOVES_FLOWS)];
		size_t len = moves_make(f, no, p);

		assert_true(send_to(f->in, p, len));
		(void)drain();
		while (no % FLIGHT == 0) { /* until it has seen them all */
			struct abi_stats s = moves_ask(m, 0, 0, drain);

			if (s.rx_cells + s.handed + s.drop[VX6_HANDED_OFF] >=
			    no)
				break;
			if (vx6_now_ns() > end)
				fail_msg("%llu sent: %llu, %llu, %llu",
					 (unsigned long long)no,
					 (unsigned long long)s.rx_cells,
					 (unsigned long long)s.handed,
					 (unsigned long long)
						 s.drop[VX6_HANDED_OFF]);
			step();
		}
	}
	sum = moves_ask(m, 0, 0, drain);
	/* both rings took what they have room for, but for news of links, and
	 * nothing more */
	assert_in_range(sum.handed, 2 * (HAND_SLOTS - 2 * HAND_KEEP),
			2 * (HAND_SLOTS - HAND_KEEP));
	assert_true(sum.drop[VX6_HANDED_OFF] > 2000);
	start(1, MOVES_WORKERS - 1u);
	sum = moves_end(m, drain);
	assert_true(m->got > 2 * (HAND_SLOTS - HAND_KEEP));
	assert_int_equal(m->got + sum.drop[VX6_HANDED_OFF], 6000);
}

/* ---- UDP ---- */

/* Without a filter a datagram's addresses say whose it is; with this one,
 * nothing does. */
static void scatter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, MOVES_WORKERS),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog prog = { .len = VX6_COUNT(code),
					 .filter = code };

	assert_int_equal(setsockopt(port[0]->sock->fd, SOL_SOCKET,
				    SO_ATTACH_REUSEPORT_CBPF, &prog,
				    sizeof(prog)),
			 0);
}

static void sockets_share_a_port_under_load(void **state)
{
	struct abi_stats sum;

	(void)state;
	twonet_need();
	open_all(false, 1, 1);
	start(0, MOVES_WORKERS - 1u);
	feed(1, 5000);
	scatter();
	feed(5001, CELLS);
	sum = moves_end(m, drain);
	assert_int_equal(m->fed, CELLS + m->twice);
	assert_true(sum.drop[VX6_REPLAYED] > 0);
	assert_true(sum.handed > CELLS / 3);
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		assert_true(port[k]->rx_frames > CELLS / 5);
}

#define veth_test(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest test[] = {
		veth_test(senders_move_under_load),
		veth_test(cables_are_laid_anew_under_load),
		veth_test(channels_change_under_load),
		veth_test(queues_are_added_under_load),
		veth_test(a_full_ring_loses_nothing_silently),
		veth_test(sockets_share_a_port_under_load),
	};

	return cmocka_run_group_tests_name("workers_veth", test, twonet_lay,
					   twonet_unlay);
}
