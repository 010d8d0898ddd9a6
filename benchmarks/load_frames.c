/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_frames: frames at a pace, and where they may come to nothing.
 *
 *     load_frames IF FILE RATE SECONDS [CORE]
 *             sends the file's frames over and over, RATE a second, from an
 *             interface of this network namespace
 *     load_frames --drop IF
 *             has the driver drop whatever comes in there, by XDP, from now
 *             on (until the interface is gone)
 *
 * The file: for each frame its length, 16 bits in host order, and its bytes.
 * Says {"started":true}, and in the end, or when it is told to end, what
 * was sent: {"sent":..,"refused":..,"ns":..}.  SECONDS are 120 at most. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "tests/support/xdp_any.h"

#define FRAMES    4096u
#define FRAME_MAX 1514u
#define BATCH     32u
#define TICK_NS   (500 * VX6_US)
#define MOST_S    120u

static uint8_t bytes[FRAMES][FRAME_MAX];
static struct iovec part[FRAMES];
static struct mmsghdr message[FRAMES];
static unsigned frame_cnt;
static volatile sig_atomic_t told;

static void on_signal(int signo)
{
	(void)signo;
	told = 1;
}

static int drop_all(unsigned index)
{
	int fd = xdp_any_program("drop_all", XDP_DROP);

	if (fd < 0 ||
	    bpf_xdp_attach((int)index, fd, XDP_FLAGS_DRV_MODE, NULL) != 0) {
		perror("load_frames: XDP");
		return 1;
	}
	return 0;
}

static bool read_frames(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint16_t len;

	if (!f)
		return false;
	while (frame_cnt < FRAMES && fread(&len, sizeof(len), 1, f) == 1 &&
	       len >= ETH_HLEN && len <= FRAME_MAX &&
	       fread(bytes[frame_cnt], len, 1, f) == 1) {
		part[frame_cnt] = (struct iovec){ bytes[frame_cnt], len };
		message[frame_cnt].msg_hdr.msg_iov = &part[frame_cnt];
		message[frame_cnt].msg_hdr.msg_iovlen = 1;
		frame_cnt++;
	}
	fclose(f);
	return frame_cnt > 0;
}

static int open_socket(unsigned index)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)index };
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
				   sizeof(one)) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void pause_until(uint64_t when_ns)
{
	struct timespec t = { .tv_sec = (time_t)(when_ns / VX6_SEC),
			      .tv_nsec = (long)(when_ns % VX6_SEC) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_all(int fd, uint64_t rate, uint64_t seconds)
{
	uint64_t begin = vx6_now_ns(), now = begin, sent = 0, refused = 0;
	unsigned at = 0;

	while (!told && now - begin < seconds * VX6_SEC) {
		uint64_t due = (now - begin) / VX6_US * rate / 1000000u;

		if (sent + refused >= due) {
			pause_until(now + TICK_NS);
			now = vx6_now_ns();
			continue;
		}
		uint64_t n = due - sent - refused;

		n = n > BATCH ? BATCH : n;
		n = n > frame_cnt - at ? frame_cnt - at : n;
		int done = sendmmsg(fd, &message[at], (unsigned)n, 0);

		if (done <= 0)
			refused += n;
		else
			sent += (unsigned)done;
		at = (at + (unsigned)n) % frame_cnt;
		now = vx6_now_ns();
	}
	printf("{\"sent\":%llu,\"refused\":%llu,\"ns\":%llu}\n",
	       (unsigned long long)sent, (unsigned long long)refused,
	       (unsigned long long)(now - begin));
}

int main(int argc, char **argv)
{
	unsigned index = argc > 2 ? if_nametoindex(argv[argc == 3 ? 2 : 1]) : 0;
	uint64_t rate = argc > 4 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t seconds = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	cpu_set_t cpu;
	int fd;

	if (argc == 3 && strcmp(argv[1], "--drop") == 0 && index)
		return drop_all(index);
	if (!index || rate == 0 || rate > 10000000 || seconds == 0 ||
	    seconds > MOST_S || !read_frames(argv[2])) {
		fputs("usage: load_frames IF FILE RATE SECONDS [CORE]\n"
		      "       load_frames --drop IF\n",
		      stderr);
		return 2;
	}
	CPU_ZERO(&cpu);
	if (argc > 5) {
		CPU_SET(strtoul(argv[5], NULL, 10), &cpu);
		sched_setaffinity(0, sizeof(cpu), &cpu);
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	fd = open_socket(index);
	if (fd < 0) {
		perror("load_frames");
		return 1;
	}
	puts("{\"started\":true}");
	fflush(stdout);
	send_all(fd, rate, seconds);
	close(fd);
	return 0;
}
