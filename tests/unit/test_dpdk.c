/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dpdk: the loadable back end, on devices that DPDK makes of what is here.
 *
 * Method: two namespaces and a cable between them; the port here, the
 * kernel's own UDP sockets there.  What they take has the right addresses
 * and checksums, because the kernel judged them.  Worker and control thread
 * are this one thread, a step of each in turn.  The object is the one that
 * the programs load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/dgram.h"
#include "dataplane/port/dpdk.h"
#include "tests/support/cells.h"
#include "tests/support/turns.h"
#include "tests/support/twonet.h"

#define LINKS  64u
#define LINK   3u
#define DATA   4243u
#define PEER   5000u
#define FRAMES 2048u
#define HELD   2048u /* frames that net_af_xdp has ready for the kernel .. */
#define SENT   2048u /* .. and those that it had sent, at most */
#define STRAY  64u   /* that the kernel sends by a tap, at most */

static char so_file[512];
static const struct dpdk_api *api;

static void load(void)
{
	char why[DPDK_WHY];

	api = dpdk_load(so_file, why);
	if (api == NULL)
		fail_msg("%s", why);
	turns_host = (struct turns_host){ api->fds, api->step, 1 };
}

static void need_net(void)
{
	twonet_need();
	if (api == NULL)
		load();
}

/* ---- ports, both of their threads ---- */

static struct port *left_open[2]; /* by a test that failed */

static int end_ports(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		port_close(left_open[i]);
		left_open[i] = NULL;
	}
	return 0;
}

/* Whoever closes has given all frames back. */
static void close_ports(void)
{
	end_ports(NULL);
	assert_int_equal(api->away(NULL), 0);
}

/* EAL is one in a process: it takes memory for the test that wants most. */
static enum vx6_status try_queue(struct port **out, const char *device,
				 uint32_t queue, uint32_t queues,
				 uint32_t frames, char why[DPDK_WHY])
{
	struct dpdk_opts o = {
		.device_cnt = 1,
		.arg = { "-m", "192" },
		.arg_cnt = 2,
		.links = LINKS,
		.queue = queue,
		.queues = queues,
		.say = said_add
	};
	struct port_opts po = { .bind = { .port = DATA }, .frames = frames };

	po.beside = queue == 0 ? NULL : left_open[0];
	snprintf(o.device[0], sizeof(o.device[0]), "%s", device);
	return api->open(out, &po, &o, why);
}

static struct port *open_queue(const char *device, uint32_t queue,
			       uint32_t queues, uint32_t frames)
{
	char why[DPDK_WHY];
	struct port *p;

	if (try_queue(&p, device, queue, queues, frames, why) != VX6_OK)
		fail_msg("%s (%s)\n%s", why, strerror(errno), said);
	left_open[queue] = p;
	return p;
}

static struct port *open_on(const char *device)
{
	said_nothing();
	return open_queue(device, 0, 1, FRAMES);
}

static uint64_t passed(const struct port *p)
{
	struct dpdk_state s;

	api->describe(p, &s);
	return s.passed;
}

/* ---- cells ---- */

/* Cells of every size in and out, by one family, and the frame that came is
 * the frame that goes. */
static void both_ways(struct port *p, bool v4)
{
	const struct vx6_addr peer = twonet_at(0, true, v4, PEER);
	const struct vx6_addr self = twonet_at(0, false, v4, DATA);
	unsigned most = v4 ? 1472 : 1452;
	int fd = twonet_udp(&net, &peer);
	uint64_t rx = p->rx_xsk, n = 0, tx;

	turns_warm(p, fd, LINK, &peer, &self);
	tx = p->tx_xsk;
	for (unsigned at = 32; at <= most; at += at < most - 9u ? 71 : 1, n++) {
		struct net_frame *f;
		const uint8_t *where;

		cells_send(fd, &self, LINK, (uint16_t)at, at);
		f = turns_one(p);
		cells_check(f->data, f->len, LINK, (uint16_t)at, at);
		assert_true(vx6_addr_eq(&f->peer, &peer));
		assert_true(vx6_addr_eq(&f->self, &self));
		assert_int_equal(p->rx_xsk, rx + n + 1);
		where = f->data;
		f->link = LINK;
		port_tx(p, &f, 1);
		cells_took(fd, LINK, (uint16_t)at, at, &self);
		assert_memory_equal(where, f->data, at < 40 ? at : 40);
	}
	assert_true(p->tx_xsk - tx + 3 >= n); /* but for a renewal */
	tx = p->drop[VX6_BAD_SIZE];
	cells_give(p, LINK, &peer, (uint16_t)(most + 1), 1);
	assert_int_equal(p->drop[VX6_BAD_SIZE], tx + 1);
	close(fd);
}

static void af_packet_carries_cells(void **state)
{
	struct port *p;

	(void)state;
	need_net();
	p = open_on("net_af_packet0,iface=t0");
	both_ways(p, false);
	both_ways(p, true);
	/* by the device alone: the socket has had no copies */
	assert_int_equal(p->rx_frames, p->rx_xsk);
	assert_int_equal(api->away(p), 0);
	close_ports();
}

/* By queue 0 of the interface, past the kernel, which has all the rest: it
 * answers for its addresses, or no cell would find its way here. */
static void af_xdp_carries_cells(void **state)
{
	struct port *p;

	(void)state;
	need_net();
	said_nothing();
	p = open_queue("net_af_xdp0,iface=t0", 0, 1, DPDK_FRAMES);
	both_ways(p, false);
	both_ways(p, true);
	assert_int_equal(p->rx_frames, p->rx_xsk);
	assert_in_range(api->away(p), HELD, HELD + SENT);
	end_ports(NULL);
}

static uint32_t program_of(const char *name)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex(name), 0, &id),
			 0);
	return id;
}

/* A datagram to another port, and one in fragments, which no queue of DPDK's
 * has seen. */
static void rest_is_the_kernels(struct port *p, bool v4)
{
	const struct vx6_addr peer = twonet_at(0, true, v4, PEER);
	const struct vx6_addr self = twonet_at(0, false, v4, DATA);
	const struct vx6_addr other = twonet_at(0, false, v4, DATA + 1);
	static const uint8_t large[NET_FRAME_CAP];
	int fd = twonet_udp(&net, &peer), sock;
	struct sockaddr_storage sa;
	socklen_t sl = vx6_addr_to(&other, &sa);
	uint64_t rx = p->rx_frames;
	struct net_frame *f;

	sock = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&sa, sl), 0);
	cells_send(fd, &other, LINK, 100, 1);
	cells_took(sock, LINK, 100, 1, &peer);
	sl = vx6_addr_to(&self, &sa);
	assert_int_equal(
		sendto(fd, large, sizeof(large), 0, (struct sockaddr *)&sa, sl),
		sizeof(large));
	f = turns_one(p);
	assert_int_equal(f->len, sizeof(large));
	port_give(p, &f, 1);
	assert_int_equal(p->rx_frames, rx + 1);
	assert_int_equal(p->rx_xsk, 0);
	assert_int_equal(passed(p), 0);
	close(sock);
	close(fd);
}

static void af_xdp_leaves_the_rest_to_the_kernel(void **state)
{
	struct port *p;

	(void)state;
	need_net();
	said_nothing();
	p = open_queue("net_af_xdp1,iface=t0", 0, 1, DPDK_FRAMES);
	assert_int_not_equal(program_of("t0"), 0);
	rest_is_the_kernels(p, true);
	rest_is_the_kernels(p, false);
	end_ports(NULL);
	assert_int_equal(program_of("t0"), 0);
}

static void another_program_is_left_alone(void **state)
{
	struct port *p;
	char why[DPDK_WHY];
	uint32_t id;
	int link;

	(void)state;
	need_net();
	link = twonet_stranger("t0");
	id = program_of("t0");
	assert_int_not_equal(
		try_queue(&p, "net_af_xdp2,iface=t0", 0, 1, DPDK_FRAMES, why),
		VX6_OK);
	assert_null(p);
	assert_non_null(strstr(why, "ip link set dev t0 xdp off"));
	assert_int_equal(program_of("t0"), id);
	close(link);
}

/* ---- a queue for each of two workers ---- */

#define FLOWS 32u

/* Gives back what came to a port by its own queue, to whom it came from. */
static void echo(struct port *p)
{
	struct net_frame *f[NET_BURST];
	unsigned n = turns_rx(p, f);

	for (unsigned i = 0; i < n; i++)
		f[i]->link = 1u + f[i]->peer.port - PEER;
	port_tx(p, f, n);
}

/* Which queue a cell comes by is the kernel's choice; each port sends by its
 * own, and no frame is ever in the other's pool. */
static void each_port_has_its_queue(void **state)
{
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	static const char device[] = "net_af_packet3,iface=t0,qpairs=2";
	struct port *p[2];
	int fd[FLOWS];

	(void)state;
	need_net();
	said_nothing();
	for (uint32_t q = 0; q < 2; q++)
		p[q] = open_queue(device, q, 2, FRAMES);
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct vx6_addr peer = twonet_at(0, true, false,
						       (uint16_t)(PEER + i));

		fd[i] = twonet_udp(&net, &peer);
	}
	for (uint32_t round = 0; round < 20; round++) {
		uint64_t want = (round + 1) * FLOWS;
		uint64_t end = vx6_now_ns() + 10 * VX6_SEC;

		for (uint32_t i = 0; i < FLOWS; i++)
			cells_send(fd[i], &self, LINK, 400, round + i);
		while (p[0]->tx_frames + p[1]->tx_frames < want) {
			assert_true(vx6_now_ns() < end);
			echo(p[0]);
			echo(p[1]);
		}
		for (uint32_t i = 0; i < FLOWS; i++)
			cells_took(fd[i], LINK, 400, round + i, &self);
	}
	for (uint32_t q = 0; q < 2; q++) {
		assert_true(p[q]->rx_xsk > 0 && p[q]->tx_xsk > 0);
		assert_int_equal(p[q]->rx_frames, p[q]->rx_xsk);
		assert_int_equal(api->away(p[q]), 0);
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		close(fd[i]);
	close_ports();
}

/* A device of one queue is none for two workers. */
static void too_few_queues_are_refused(void **state)
{
	struct port *p;
	char why[DPDK_WHY];

	(void)state;
	need_net();
	assert_int_equal(
		try_queue(&p, "net_af_packet4,iface=t0", 0, 2, FRAMES, why),
		VX6_CONFIG);
	assert_non_null(strstr(why, "has 1 queue,"));
	assert_non_null(strstr(why, "data.workers"));
}

/* ---- what is no cell, or none of ours ---- */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

struct lie { /* about a datagram of 100 bytes to the port */
	uint8_t mac[6];
	uint16_t dport;
	uint8_t host; /* 10.77.0.host is it sent to */
	int ip_add, udp_add, cut;
};

/* Sends an Ethernet frame from there. */
static void send_lie(int wire, const struct lie *l)
{
	static const uint8_t ip[20] = { 0x45, [8] = 64, 17, 0,  0,  10,
					77,   0,        2,  10, 77, 0 };
	uint8_t f[14 + 20 + 8 + 100] = { 0 };
	size_t len = sizeof(f) - (size_t)l->cut;

	memcpy(f, l->mac, 6);
	f[6] = 2;
	f[12] = 8;
	memcpy(f + 14, ip, sizeof(ip));
	f[14 + 19] = l->host;
	put16(f + 14 + 2, (unsigned)(128 + l->ip_add));
	put16(f + 34, PEER);
	put16(f + 36, l->dport);
	put16(f + 38, (unsigned)(108 + l->udp_add));
	assert_int_equal(send(wire, f, len, 0), len);
}

static void strangers_do_not_get_in(void **state)
{
	struct lie l = { .dport = DATA, .host = 1 };
	struct port *p;
	int wire;

	(void)state;
	need_net();
	twonet_run(&net, false, "ip link set t0 address 02:00:00:00:00:11");
	twonet_run(&net, true, "ip neigh flush dev t0");
	p = open_on("net_af_packet1,iface=t0");
	wire = twonet_wire(&net, 0);
	memcpy(l.mac, (uint8_t[]){ 2, 0, 0, 0, 0, 0x11 }, 6);

	send_lie(wire, &l); /* the truth is let in, so that lies could be */
	port_give(p, (struct net_frame *[]){ turns_one(p) }, 1);
	struct {
		struct lie l;
		bool dropped;
	} c[] = {
		{ { .dport = DATA + 1, .host = 1 },              false },
		{ { .dport = DATA, .host = 9 },                  false },
		{ { .dport = DATA, .host = 1, .mac = { 2, 9 } }, false },
		{ { .dport = DATA, .host = 1, .udp_add = 1 },    true  },
		{ { .dport = DATA, .host = 1, .ip_add = 4 },     true  },
		{ { .dport = DATA, .host = 1, .cut = 1 },        true  },
		{ { .dport = DATA, .host = 1, .cut = 100 },      true  },
		{ { .dport = DATA, .host = 1, .cut = 106 },      false },
		{ { .dport = DATA, .host = 1, .cut = 128 },      false },
	};
	for (unsigned i = 0; i < VX6_COUNT(c); i++) {
		uint64_t was = passed(p), gone = p->drop[VX6_TRUNCATED];

		if (c[i].l.mac[0] == 0)
			memcpy(c[i].l.mac, l.mac, 6);
		send_lie(wire, &c[i].l);
		UNTIL(p, passed(p) + p->drop[VX6_TRUNCATED] > was + gone);
		assert_int_equal(p->drop[VX6_TRUNCATED] - gone, c[i].dropped);
		assert_int_equal(p->rx_frames, 1);
	}
	assert_int_equal(api->away(p), 0);
	close(wire);
	close_ports();
}

/* ---- memory ---- */

/* Holds all that can be had; how much that is now. */
static uint32_t hold(struct port *p, struct net_frame *held[], uint32_t n)
{
	n += turns_rx(p, held + n);
	while ((held[n] = port_take(p)) != NULL)
		n++;
	return n;
}

/* With every frame in the worker's hands nothing arrives; with frames given
 * back it goes on. */
static void without_frames_it_loses_and_goes_on(void **state)
{
	const struct vx6_addr peer = twonet_at(0, true, false, PEER);
	const struct vx6_addr self = twonet_at(0, false, false, DATA);
	static struct net_frame *held[FRAMES + NET_BURST];
	uint32_t n = 0, before;
	struct port *p;
	uint64_t rx;
	int fd;

	(void)state;
	need_net();
	p = open_on("net_af_packet2,iface=t0");
	fd = twonet_udp(&net, &peer);
	for (unsigned turns = 0; turns < 64; turns++)
		n = hold(p, held, n);
	/* less than a burst stays with the device: cells use it up */
	for (unsigned i = 0; i < 2 * NET_BURST; i++)
		cells_send(fd, &self, LINK, 100, i);
	do {
		before = n;
		n = hold(p, held, n);
	} while (n > before);
	assert_true(n >= FRAMES - NET_BURST);
	rx = p->rx_xsk;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(hold(p, held, n), n);
	assert_int_equal(p->rx_xsk, rx);
	port_give(p, held, n);
	UNTIL(p, p->rx_xsk > rx);
	assert_int_equal(api->away(p), 0);
	close(fd);
	close_ports();
}

/* ---- a device that the kernel does not see ---- */

/* What leaves the ring comes in by it; the kernel has the tap alone. */
static void a_ring_has_a_tap(void **state)
{
	struct vx6_addr to;
	struct port *p;
	int fd;

	(void)state;
	need_net();
	p = open_on("net_ring0");
	twonet_run(&net, false,
		   "ip addr add 10.78.0.1/24 dev vx6k0; ip neigh "
		   "add 10.78.0.2 lladdr 02:00:00:00:00:22 dev "
		   "vx6k0");
	assert_int_equal(vx6_addr_parse(&to, "10.78.0.2:4243"), VX6_OK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	/* to a MAC that is not ours: out by the tap, round the ring, passed */
	cells_send(fd, &to, LINK, 100, 1);
	UNTIL(p, passed(p) > 0);
	close(fd);
	UNTIL(p, api->away(p) == 0); /* what the kernel says by itself */
	close_ports();
}

/* A device that is a ring, and a neighbour behind it. */
static struct port *open_ring(const char *device, const struct vx6_addr *peer)
{
	struct port *p = open_on(device);

	twonet_run(&net, false,
		   "ip addr add 10.78.0.1/24 dev vx6k0; ip neigh "
		   "add 10.78.0.2 lladdr 02:00:00:00:00:22 dev "
		   "vx6k0");
	UNTIL(p, (cells_give(p, LINK, peer, 100, 1), p->tx_xsk > 0));
	UNTIL(p, passed(p) >= p->tx_xsk && p->tx_room == PORT_ROOM);
	return p;
}

/* Gives to the port what it says it takes; how much that is. */
static unsigned fill_up(struct port *p, const struct vx6_addr *peer)
{
	unsigned n = 0;

	for (; p->tx_room > 0; n++) {
		assert_true(n < FRAMES);
		(void)port_rx(p, NULL, 0); /* a turn that reads no device */
		cells_give(p, LINK, peer, 100, n);
	}
	return n;
}

/* A ring that nobody reads is full at some time.  The port takes more for a
 * while, says how much, and loses none of it.  Once the ring is read all of
 * that comes out of it. */
static void a_full_device_is_told(void **state)
{
	struct vx6_addr peer;
	struct port *p;
	uint64_t was, sent;
	unsigned given;

	(void)state;
	need_net();
	assert_int_equal(vx6_addr_parse(&peer, "10.78.0.2:4243"), VX6_OK);
	p = open_ring("net_ring1", &peer);
	was = passed(p);
	sent = p->tx_xsk;
	given = fill_up(p, &peer);
	assert_int_equal(p->drop[VX6_AGAIN], 0);
	assert_in_range(p->tx_xsk - sent, 1, given - 1);
	cells_give(p, LINK, &peer, 100, 1);
	assert_int_equal(p->drop[VX6_AGAIN], 1);
	UNTIL(p, p->tx_room == PORT_ROOM && passed(p) - was >= given);
	assert_int_equal(p->tx_xsk - sent, given);
	assert_int_equal(p->drop[VX6_AGAIN], 1);
	UNTIL(p, api->away(p) == 0);
	close_ports();
}

/* What waits for a full device when the port ends is given back; what the
 * ring has ends with it. */
static void a_full_device_is_closed(void **state)
{
	struct vx6_addr peer;
	uint64_t sent;
	struct port *p;

	(void)state;
	need_net();
	assert_int_equal(vx6_addr_parse(&peer, "10.78.0.2:4243"), VX6_OK);
	p = open_ring("net_ring2", &peer);
	sent = p->tx_xsk;
	(void)fill_up(p, &peer);
	sent = p->tx_xsk - sent;
	end_ports(NULL);
	assert_in_range(api->away(NULL), sent, sent + STRAY);
}

/* The driver net_af_xdp never frees the program that it loads: once a device,
 * by libbpf, which nothing else here uses to allocate. */
const char *__lsan_default_suppressions(void); /* NOLINT: the library's */

const char *__lsan_default_suppressions(void) /* NOLINT */
{
	return "leak:libbpf.so\n";
}

static int setup(void **state)
{
	const char *build = getenv("VX6_BUILD");

	snprintf(so_file, sizeof(so_file), "%s/lib/vx6/" DPDK_NAME,
		 build != NULL ? build : "build");
	(void)twonet_lay(state);
	if (twonet_is(&net))
		twonet_cable(&net, 0, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(af_packet_carries_cells, end_ports),
		cmocka_unit_test_teardown(af_xdp_carries_cells, end_ports),
		cmocka_unit_test_teardown(af_xdp_leaves_the_rest_to_the_kernel,
					  end_ports),
		cmocka_unit_test_teardown(another_program_is_left_alone,
					  end_ports),
		cmocka_unit_test_teardown(each_port_has_its_queue, end_ports),
		cmocka_unit_test_teardown(too_few_queues_are_refused,
					  end_ports),
		cmocka_unit_test_teardown(strangers_do_not_get_in, end_ports),
		cmocka_unit_test_teardown(without_frames_it_loses_and_goes_on,
					  end_ports),
		cmocka_unit_test_teardown(a_ring_has_a_tap, end_ports),
		cmocka_unit_test_teardown(a_full_device_is_told, end_ports),
		cmocka_unit_test_teardown(a_full_device_is_closed, end_ports),
	};

	return cmocka_run_group_tests(tests, setup, twonet_unlay);
}
