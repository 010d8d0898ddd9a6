/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh: what the kernel's tables say is what the worker finds.
 *
 * Method: two namespaces with a veth between them, made anew for each test,
 *
 *     here (this process)            there (a child that waits)
 *     10.8.0.1, fd08::1   v0 ====== v0   10.8.0.2, fd08::2
 *     10.7.0.1, fd07::1   v1 ====== v1   10.7.0.2, fd07::2
 *
 * changed with ip(8) while neigh looks on.  Both end with their processes.
 * Time is the test's own; only the kernel's events are waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/port/neigh.h"

#define LINKS 512u

static pid_t there;
static struct neigh *n;
static uint64_t now_ns;
static const struct vx6_addr any;

/* ---- namespaces ---- */

static int shell(const char *command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-ec", command, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

VX6_PRINTF(1, 2) static void run_here(const char *format, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (shell(command) != 0)
		fail_msg("%s", command);
}

static void run_there(const char *command)
{
	run_here("exec nsenter -t %d -n -- sh -ec '%s'", (int)there, command);
}

/* A child in a namespace of its own, which ends when we do. */
static pid_t child_there(void)
{
	int fd[2];
	char ready = 0;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) != 0 || write(fd[1], "1", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	(void)close(fd[1]);
	assert_int_equal(read(fd[0], &ready, 1), 1);
	(void)close(fd[0]);
	return pid;
}

static void veth(unsigned no)
{
	unsigned net = 8 - no;
	char command[512];

	run_here("ip link add v%u type veth peer name v%u netns %d;"
		 "ip addr add 10.%u.0.1/16 dev v%u;"
		 "ip addr add fd%02u::1/64 dev v%u nodad;"
		 "ip link set v%u addrgenmode none up",
		 no, no, (int)there, net, no, net, no, no);
	(void)snprintf(command, sizeof(command),
		       "ip addr add 10.%u.0.2/16 dev v%u;"
		       "ip addr add fd%02u::2/64 dev v%u nodad;"
		       "ip link set v%u addrgenmode none up",
		       net, no, net, no, no);
	run_there(command);
}

static int set_up(void **state)
{
	(void)state;
	there = 0;
	n = NULL;
	now_ns = VX6_SEC;
	if (unshare(CLONE_NEWNET) != 0) {
		print_message("# SKIP netns: %s\n", strerror(errno));
		return 0;
	}
	there = child_there();
	run_here("ip link set lo up");
	run_there("ip link set lo up");
	veth(0);
	veth(1);
	assert_int_equal(neigh_open(&n, LINKS), VX6_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	neigh_close(n);
	if (there > 0) {
		(void)kill(there, SIGKILL);
		(void)waitpid(there, NULL, 0);
	}
	return 0;
}

/* ---- what tests say ---- */

static void need_netns(void)
{
	if (n == NULL)
		skip();
}

static struct vx6_addr ip(const char *text, uint16_t port)
{
	char with[VX6_ADDR_TEXT];
	struct vx6_addr a;
	bool v6 = strchr(text, ':') != NULL;

	(void)snprintf(with, sizeof(with), v6 ? "[%s]:%u" : "%s:%u", text,
		       (unsigned)port);
	assert_int_equal(vx6_addr_parse(&a, with), VX6_OK);
	return a;
}

static unsigned if_index(const char *name)
{
	struct neigh_if i[64];
	unsigned cnt = neigh_if_list(n, i, 64);

	for (unsigned k = 0; k < cnt; k++)
		if (strcmp(i[k].name, name) == 0)
			return i[k].ifindex;
	fail_msg("no interface %s", name);
	return 0;
}

static void attach(unsigned slot, const char *name)
{
	neigh_if_add(n, slot, if_index(name));
}

/* Has the kernel resolve a neighbour, as the port's socket would. */
static void send_to(const struct vx6_addr *to)
{
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(to, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)sendto(fd, "x", 1, 0, (const struct sockaddr *)&sa, len);
	(void)close(fd);
}

static void pass_time(uint64_t ns)
{
	now_ns += ns;
	neigh_step(n, now_ns);
}

/* Takes what the kernel has told by now, and lets what it started happen. */
static void settle(void)
{
	for (unsigned i = 0; i < 4; i++)
		pass_time(200 * VX6_MS);
}

/* Waits for a condition; each turn is some of the test's time. */
#define until(condition)                                                       \
	do {                                                                   \
		unsigned turns_ = 0;                                           \
		while (!(condition)) {                                         \
			if (turns_++ == 1000)                                  \
				fail_msg("never: %s", #condition);             \
			turn();                                                \
		}                                                              \
	} while (0)

static void turn(void)
{
	struct pollfd pf[NEIGH_FDS];
	int fd[NEIGH_FDS];

	assert_int_equal(neigh_fds(n, fd), NEIGH_FDS);
	for (unsigned i = 0; i < NEIGH_FDS; i++)
		pf[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	(void)poll(pf, NEIGH_FDS, 10);
	pass_time(10 * VX6_MS);
}

static bool find(uint32_t link, const struct vx6_addr *peer,
		 struct neigh_way *way)
{
	return neigh_find(n, link, peer, &any, way);
}

static bool finds(uint32_t link, const struct vx6_addr *peer)
{
	struct neigh_way way;

	return find(link, peer, &way);
}

static void mac_there(const char *name, uint8_t mac[6])
{
	char path[] = "/tmp/vx6-neigh-XXXXXX", text[32] = "";
	int fd = mkstemp(path);
	const char *at = text;

	assert_true(fd >= 0);
	run_here("exec nsenter -t %d -n -- sh -ec 'ip -br link show dev %s' |"
		 "awk \"{print \\$3}\" >%s",
		 (int)there, name, path);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	(void)unlink(path);
	for (unsigned i = 0; i < 6; i++, at += 3)
		mac[i] = (uint8_t)strtoul(at, NULL, 16);
}

static void mac_here(const char *name, uint8_t mac[6])
{
	struct neigh_if i[64];
	unsigned cnt = neigh_if_list(n, i, 64);

	for (unsigned k = 0; k < cnt; k++)
		if (strcmp(i[k].name, name) == 0)
			memcpy(mac, i[k].mac, 6);
}

/* ---- tests ---- */

static const struct net {
	const char *here, *there, *beyond, *net, *other;
} nets[] = {
	{ "10.8.0.1", "10.8.0.2", "10.9.0.9", "10.9.0.0/16", "10.8.0.3" },
	{ "fd08::1",  "fd08::2",  "fd09::9",  "fd09::/64",   "fd08::3"  },
};

static void a_neighbour_has_a_way(void **state)
{
	(void)state;
	need_netns();
	attach(3, "v0");
	for (unsigned i = 0; i < VX6_COUNT(nets); i++) {
		struct vx6_addr peer = ip(nets[i].there, 4243);
		struct vx6_addr self = ip(nets[i].here, 0);
		struct neigh_way way;
		uint8_t src[6], dst[6];

		assert_false(find(i, &peer, &way));
		settle();
		assert_false(find(i, &peer, &way)); /* not resolved */
		send_to(&peer);
		until(find(i, &peer, &way));
		mac_there("v0", dst);
		mac_here("v0", src);
		assert_memory_equal(way.dst_mac, dst, 6);
		assert_memory_equal(way.src_mac, src, 6);
		assert_true(vx6_addr_eq(&way.peer, &peer));
		assert_true(vx6_addr_eq(&way.self, &self));
		assert_int_equal(way.slot, 3);
		assert_int_equal(way.mtu, 1500);
		assert_false(way.renew);
	}
}

static void removed_before_it_returns(void **state)
{
	struct vx6_addr peer;

	(void)state;
	need_netns();
	for (unsigned i = 0; i < VX6_COUNT(nets); i++) {
		peer = ip(nets[i].there, 4243);
		send_to(&peer);
		assert_false(finds(i, &peer));
		settle();
		assert_false(finds(i, &peer)); /* no interface is attached */
		attach(i, "v0");
		until(finds(i, &peer));
		neigh_if_remove(n, i);
		assert_false(finds(i, &peer));
		settle();
		assert_false(finds(i, &peer));
		attach(7, "v0");
		until(finds(i, &peer));
		neigh_if_remove(n, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_neighbour_has_a_way),
		T(removed_before_it_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
