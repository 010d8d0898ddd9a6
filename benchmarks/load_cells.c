/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_cells: what a relay's neighbour sends, and how the relay fares.
 *
 *     load_cells IF MAC MAC [RUN]
 *             in the namespace of the neighbour fd00::1, where there is a veth
 *             called "spare" as well; the MACs are that
 *             of IF and the one at the cable's other end.  RUN is where the
 *             data plane has its socket: two links (to fd00::1 and fd00::2)
 *             and HALVES forward halves are programmed into it
 *
 *     this, fd00::1 ==== fd00::3  relay  ==== fd00::2
 *
 * Cells are of SIZE bytes, under AES-256-GCM, circuits in turn, each sealed
 * under its next counter.  Lines on stdin, one JSON object back for each:
 *
 *     make N             seals N cells, at most MOST
 *     packets            sends them in frames
 *     shots              without sockets, faster than these
 *     trains             by a UDP socket, TRAIN datagrams at a time (GSO)
 *     count NS           what comes in at "vx0" of that network namespace is
 *                        counted and dropped from now on (no XDP: trains go
 *                        there whole)
 *     window N           packets and trains pause while more than N cells are
 *                        on their way there; 0: they do not
 *     far                their frames are for fd00::2, for the kernel to
 *                        forward; near: for fd00::3 again
 *     flow RATE SECONDS  seals and sends at a pace, at most 120 s
 *     stats              what the data plane counted
 *
 * burst: of a flow, the most cells that were due at once; held_ns: how long
 * its thread was stopped and did not make up for it.
 * ns is the time that sending took, and arriving where that is counted;
 * cpu_ns what of it this thread was run, softirqs in its place with it, but
 * for its pauses. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/port/packet.h"
#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/cell.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_path.h"

#define SIZE     1200u
#define HALVES   64u
#define MOST     524288u
#define BATCH    32u
#define TRAIN    32u
#define FLOW     128u  /* cells at once of a flow */
#define RING     4096u /* slots that a flow goes round in, and FLOW more */
#define MOST_S   120u
#define CELL_NS  200u           /* less than a relay needs for one */
#define PAUSE_NS (50 * VX6_US)  /* at least: it is an interruption, too */
#define LOST_NS  (200 * VX6_MS) /* what has not come by then does not */
#define FRONT    PACKET_HDR_V6
#define STRIDE   1264u /* of a slot in a map: a multiple of 8 */

struct slot {
	uint8_t frame[FRONT + SIZE];
	uint8_t zero[STRIDE - FRONT - SIZE];
};

static struct {
	struct dp_box box;
	struct vx6_layer layer[HALVES];
	struct abi_half half[HALVES];
	struct vx6_aes hp;
	uint64_t sealed;
	struct packet_head to_relay, to_far, *head;
	struct slot *slot;
	struct iovec part[BATCH];
	struct mmsghdr message[BATCH];
	unsigned cnt;
	int wire, udp, shooter;
	uint64_t *next;                   /* slot, of the shooter */
	const volatile uint64_t *arrived; /* NULL: nobody counts */
	uint64_t base, window;
	uint64_t paused_cpu; /* ns, while something is sent */
	uint64_t burst, held_ns;
} g;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * VX6_SEC + (uint64_t)t.tv_nsec;
}

/* ---- cells ---- */

static void seal(struct slot *s)
{
	unsigned i = (unsigned)(g.sealed % HALVES);
	uint64_t ctr = g.half[i].start_rx + g.sealed++ / HALVES;
	size_t plain = SIZE - VX6_CELL_HDR - VX6_LEN_MIN;
	uint8_t *p = s->frame + FRONT;

	memset(p + VX6_CELL_HDR, (int)i, plain);
	vx6_h8_put(p + VX6_CELL_HDR, ctr, VX6_KIND_DATA, plain - 8);
	vx6_layer_seal(&g.layer[i], ctr, VX6_KIND_DATA, p + 8, plain);
	vx6_cell_put(p, 1, g.half[i].id);
	vx6_cell_protect(&g.hp, p);
	packet_write(g.head, p, SIZE, 0);
}

/* At most BATCH frames, from `at` on; how many were taken. */
static unsigned send_some(unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g.part[i] = (struct iovec){ g.slot[at + i].frame,
					    FRONT + SIZE };
		g.message[i].msg_hdr = (struct msghdr){ .msg_iov = &g.part[i],
							.msg_iovlen = 1 };
	}
	int done = sendmmsg(g.wire, g.message, n, 0);

	return done < 0 ? 0 : (unsigned)done;
}

static void pause_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

/* ---- frames without sk_buffs ----
 *
 * The kernel runs a program on pages of its own and hands on what it made of
 * them (BPF_F_TEST_XDP_LIVE_FRAMES): here, the next slot's frame, out of IF.
 * That is faster than any socket, so that one core outruns a relay's. */

static int map_of(enum bpf_map_type type, unsigned size, unsigned cnt,
		  void **at)
{
	const struct bpf_map_create_opts o = { .sz = sizeof(o),
					       .map_flags = BPF_F_MMAPABLE };
	int fd = bpf_map_create(type, "cells", 4, size, cnt, &o);

	*at = fd < 0 ? MAP_FAILED
		     : mmap(NULL, (size_t)size * cnt, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
	return *at == MAP_FAILED ? -1 : fd;
}

#define INSN(c, d, s, o, i)                                                    \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, s)    INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i)   INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define CALL(f)      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define FD(d, k, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, d, k, 0, fd), { 0 }

static bool load_shooter(unsigned index)
{
	void *slots, *next;
	int cells = map_of(BPF_MAP_TYPE_ARRAY, STRIDE, MOST, &slots);
	int count = map_of(BPF_MAP_TYPE_ARRAY, 8, 1, &next);
	const struct bpf_insn insn[] = {
		MOV(6, 1),
		FD(1, BPF_PSEUDO_MAP_VALUE, count),
		MOVI(7, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 1, 7, 0,
		     BPF_ADD | BPF_FETCH),
		INSN(BPF_ALU64 | BPF_AND | BPF_K, 7, 0, 0, MOST - 1),
		INSN(BPF_STX | BPF_MEM | BPF_W, 10, 7, -4, 0),
		FD(1, BPF_PSEUDO_MAP_FD, cells),
		MOV(2, 10),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 8, 0),
		MOV(1, 6),
		MOVI(2, 0),
		MOV(3, 0),
		MOVI(4, FRONT + SIZE),
		CALL(BPF_FUNC_xdp_store_bytes),
		MOVI(1, (int)index),
		MOVI(2, 0),
		CALL(BPF_FUNC_redirect),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	if (cells < 0 || count < 0)
		return false;
	g.slot = slots;
	g.next = next;
	g.shooter = bpf_prog_load(BPF_PROG_TYPE_XDP, "shooter", "GPL", insn,
				  VX6_COUNT(insn), NULL);
	/* A program that is nowhere attached is patched into the kernel, and
	 * out of it, each time it is run: that takes 20 ms. */
	return g.shooter >= 0 &&
	       bpf_xdp_attach((int)if_nametoindex("spare"), g.shooter,
			      XDP_FLAGS_DRV_MODE, NULL) == 0;
}

/* Sends n slots from `at` on; false where the kernel did not take them. */
static bool shoot(uint64_t at, unsigned n)
{
	struct bpf_test_run_opts o = { .sz = sizeof(o),
				       .data_in = g.slot->frame,
				       .data_size_in = FRONT + SIZE,
				       .repeat = (int)n,
				       .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
				       .batch_size = n < 64 ? n : 64 };

	*(volatile uint64_t *)g.next = at;
	return bpf_prog_test_run_opts(g.shooter, &o) == 0;
}

/* ---- arrivals ---- */

static int load_counter(int cells)
{
	const struct bpf_insn insn[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 6, 1,
		     (int16_t)offsetof(struct __sk_buff, gso_segs), 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 6, 0, 1, 0),
		MOVI(6, 1),
		FD(1, BPF_PSEUDO_MAP_VALUE, cells),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 1, 6, 0, BPF_ADD),
		MOVI(0, TCX_DROP),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "counter", "GPL", insn,
			     VX6_COUNT(insn), NULL);
}

/* The program stays as long as this process, which keeps its link. */
static bool count_at(const char *netns)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC), prog, link = -1;
	void *cells;

	prog = load_counter(map_of(BPF_MAP_TYPE_ARRAY, 8, 1, &cells));
	if (prog >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
		link = bpf_link_create(prog, (int)if_nametoindex("vx0"),
				       BPF_TCX_INGRESS, NULL);
		if (setns(home, CLONE_NEWNET) != 0)
			link = -1;
	}
	if (link < 0)
		return false;
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	g.arrived = cells;
	return true;
}

/* Until no more than `most` of those sent are on their way, asleep; false:
 * they come no more. */
static bool pause_for(uint64_t sent, uint64_t most)
{
	uint64_t cpu = cpu_ns(), was = 0, since = vx6_now_ns();

	for (;;) {
		uint64_t here = *g.arrived - g.base, now = vx6_now_ns();

		if (sent <= here + most || now - since > LOST_NS)
			break;
		if (here != was)
			since = now;
		was = here;
		pause_ns(PAUSE_NS + (sent - here - most) * CELL_NS);
	}
	g.paused_cpu += cpu_ns() - cpu;
	return sent <= *g.arrived - g.base + most;
}

static void begin_count(void)
{
	g.paused_cpu = g.burst = g.held_ns = 0;
	g.base = g.arrived != NULL ? *g.arrived : 0;
}

/* Before n more are sent, when the window is full until half of it is free;
 * false: some were lost. */
static bool may_send(uint64_t sent, unsigned n)
{
	return g.window == 0 || sent + n <= *g.arrived - g.base + g.window ||
	       pause_for(sent, g.window / 2);
}

static void say_sent(uint64_t sent, uint64_t lost, uint64_t begin, uint64_t cpu)
{
	cpu = cpu_ns() - cpu;
	printf("{\"sent\":%llu,\"refused\":%llu,\"ns\":%llu,"
	       "\"cpu_ns\":%llu,\"burst\":%llu,\"held_ns\":%llu}\n",
	       (unsigned long long)sent, (unsigned long long)lost,
	       (unsigned long long)(vx6_now_ns() - begin),
	       (unsigned long long)(cpu - g.paused_cpu),
	       (unsigned long long)g.burst, (unsigned long long)g.held_ns);
}

/* The made cells, by the packet socket. */
static void packets(void)
{
	uint64_t begin = vx6_now_ns(), cpu = cpu_ns();
	unsigned sent = 0, lost = 0;

	begin_count();
	while (sent + lost < g.cnt) {
		unsigned at = sent + lost;
		unsigned n = g.cnt - at > BATCH ? BATCH : g.cnt - at;

		if (!may_send(sent, n))
			break;
		unsigned done = send_some(at, n);

		sent += done;
		lost += n - done;
	}
	if (g.window > 0)
		(void)pause_for(sent, 0);
	say_sent(sent, lost, begin, cpu);
}

static void shots(void)
{
	uint64_t begin = vx6_now_ns(), cpu = cpu_ns();

	begin_count();
	bool ok = shoot(0, g.cnt);

	say_sent(ok ? g.cnt : 0, ok ? 0 : g.cnt, begin, cpu);
}

/* Seals and sends RATE cells a second, never more than a millisecond's at
 * once: it takes longer where this thread was stopped, which short turns make
 * rarer. */
static void flow(uint64_t rate, uint64_t seconds)
{
	uint64_t begin = vx6_now_ns(), cpu = cpu_ns(), now = begin;
	uint64_t from = begin, sent = 0, lost = 0, all = rate * seconds;
	uint64_t late = rate / 1000u;

	worker_hasten();
	begin_count();
	while (sent + lost < all) {
		uint64_t at = sent + lost, slot = at % RING;
		uint64_t due = (now - from) / VX6_US * rate / 1000000u;

		if (due > at + late) { /* nobody makes up for a pause */
			from += (due - at - late) * VX6_SEC / rate;
			due = at + late;
		}
		due = due < all ? due : all;
		g.burst = due - at > g.burst ? due - at : g.burst;
		unsigned n = due - at > FLOW ? FLOW : (unsigned)(due - at);

		if (n < FLOW / 2 && due < all) {
			pause_ns(50 * VX6_US);
			now = vx6_now_ns();
			continue;
		}
		for (unsigned i = 0; i < n; i++)
			seal(&g.slot[slot + i]);
		*(shoot(slot, n) ? &sent : &lost) += n;
		now = vx6_now_ns();
	}
	g.held_ns = from - begin;
	say_sent(sent, lost, begin, cpu);
}

static void trains(void)
{
	uint64_t begin = vx6_now_ns(), cpu = cpu_ns(), sent = 0, lost = 0;
	struct iovec part[TRAIN];

	begin_count();
	for (unsigned at = 0; at < g.cnt; at += TRAIN) {
		unsigned n = g.cnt - at < TRAIN ? g.cnt - at : TRAIN;

		for (unsigned i = 0; i < n; i++)
			part[i] = (struct iovec){ g.slot[at + i].frame + FRONT,
						  SIZE };
		struct msghdr m = { .msg_iov = part, .msg_iovlen = n };

		if (!may_send(sent, n))
			break;
		if (sendmsg(g.udp, &m, 0) == (ssize_t)n * SIZE)
			sent += n;
		else
			lost += n;
	}
	if (g.window > 0)
		(void)pause_for(sent, 0);
	say_sent(sent, lost, begin, cpu);
}

static void stats(void)
{
	struct abi_stats s;
	uint64_t drops = 0;

	if (!dp_box_stats(&g.box, &s)) {
		puts("{\"error\":\"the data plane does not answer\"}");
		return;
	}
	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		drops += s.drop[i];
	printf("{\"rx\":%llu,\"tx\":%llu,\"forwarded\":%llu,\"drops\":%llu,"
	       "\"rx_xsk\":%llu,\"tx_xsk\":%llu,\"busy_ns\":%llu,"
	       "\"spin_ns\":%llu,\"blocked_ns\":%llu,"
	       "\"longest_ns\":%llu,\"rx_most\":%llu}\n",
	       (unsigned long long)s.rx_cells, (unsigned long long)s.tx_cells,
	       (unsigned long long)s.forwarded, (unsigned long long)drops,
	       (unsigned long long)s.rx_xsk, (unsigned long long)s.tx_xsk,
	       (unsigned long long)s.busy_ns, (unsigned long long)s.spin_ns,
	       (unsigned long long)s.blocked_ns,
	       (unsigned long long)s.longest_ns, (unsigned long long)s.rx_most);
}

/* ---- set-up ---- */

static bool program(const char *run_dir)
{
	struct abi_link in = dp_link(1), out = dp_link(2);

	g.box.client = -1;
	snprintf(g.box.dir, sizeof(g.box.dir), "%s", run_dir);
	in.ask_ns = out.ask_ns = 3600 * VX6_SEC; /* the ends answer nothing */
	in.ask_busy_ns = out.ask_busy_ns = 3600 * VX6_SEC;
	if (!dp_box_connect(&g.box) || dp_box_link(&g.box, &in) != VX6_OK ||
	    dp_box_link(&g.box, &out) != VX6_OK)
		return false;
	for (unsigned i = 0; i < HALVES; i++)
		if (dp_box_half(&g.box, &g.half[i]) != VX6_OK)
			return false;
	return true;
}

static bool mac_of(uint8_t out[6], const char *text)
{
	char *end;

	for (unsigned i = 0; i < 6; i++) {
		unsigned long v = strtoul(text, &end, 16);

		if (end == text || v > 0xff || *end != (i < 5 ? ':' : '\0'))
			return false;
		out[i] = (uint8_t)v;
		text = end + 1;
	}
	return true;
}

static bool open_wire(const char *name)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(name) };
	int one = 1, segment = SIZE;
	struct vx6_addr relay = dp_peer(3);
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_port = htons(4243) };

	g.wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	g.udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(g.wire, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(g.wire, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
		       sizeof(one)) != 0 ||
	    bind(g.udp, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    setsockopt(g.udp, SOL_UDP, UDP_SEGMENT, &segment,
		       sizeof(segment)) != 0)
		return false;
	memcpy(&at.sin6_addr, relay.ip, 16);
	return connect(g.udp, (struct sockaddr *)&at, sizeof(at)) == 0;
}

static bool set_up(char **argv)
{
	const struct vx6_addr me = dp_peer(1), relay = dp_peer(3),
			      far = dp_peer(2);
	struct abi_link l = dp_link(1);
	uint8_t mine[6], theirs[6];

	if (!load_shooter(if_nametoindex(argv[1])) ||
	    vx6_aead_start() != VX6_OK || !mac_of(mine, argv[2]) ||
	    !mac_of(theirs, argv[3]) || !open_wire(argv[1]))
		return false;
	packet_head_make(&g.to_relay, theirs, mine, &me, &relay);
	packet_head_make(&g.to_far, theirs, mine, &me, &far);
	g.head = &g.to_relay;
	vx6_aes_init(&g.hp, l.keys.hdr_rx, 16);
	for (unsigned i = 0; i < HALVES; i++) {
		g.half[i] = dp_half(ABI_HALF_FORWARD, i + 1, 1, 2, i + 1001);
		g.half[i].suite = 1;
		g.layer[i] = dp_layer(&g.half[i]);
	}
	return argv[4] == NULL || program(argv[4]);
}

static void command(const char *line)
{
	size_t len = strcspn(line, " \n");
	unsigned long long a, b;
	char name[16] = "", netns[64] = "", *at;

	if (len == 0 || len >= sizeof(name))
		return;
	memcpy(name, line, len);
	a = strtoull(line + len, &at, 10);
	b = strtoull(at, NULL, 10);
	if (strcmp(name, "make") == 0) {
		g.cnt = a > MOST ? MOST : (unsigned)a;
		for (unsigned i = 0; i < g.cnt; i++)
			seal(&g.slot[i]);
		printf("{\"made\":%u}\n", g.cnt);
	} else if (strcmp(name, "packets") == 0) {
		packets();
	} else if (strcmp(name, "flow") == 0 && a > 0 && b <= MOST_S) {
		flow(a, b);
	} else if (strcmp(name, "count") == 0) {
		sscanf(line, "count %63s", netns);
		printf("{\"counting\":%s}\n",
		       count_at(netns) ? "true" : "false");
	} else if (strcmp(name, "window") == 0) {
		g.window = g.arrived != NULL ? a : 0;
		printf("{\"window\":%llu}\n", (unsigned long long)g.window);
	} else if (strcmp(name, "trains") == 0) {
		trains();
	} else if (strcmp(name, "shots") == 0) {
		shots();
	} else if (strcmp(name, "stats") == 0) {
		stats();
	} else {
		g.head = strcmp(name, "far") == 0 ? &g.to_far : &g.to_relay;
		puts("{}");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[128];

	if (argc < 4 || argc > 5) {
		fputs("usage: load_cells IF MAC MAC [RUN]\n", stderr);
		return 2;
	}
	if (!set_up(argv)) {
		perror("load_cells");
		return 1;
	}
	puts("{\"ready\":true}");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		command(line);
	return 0;
}
