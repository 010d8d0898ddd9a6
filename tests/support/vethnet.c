/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/vethnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
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

struct vn vn;

/* ---- namespaces ---- */

int vn_shell(const char *script)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void vn_here(const char *format, ...)
{
	char script[4096];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(script, sizeof(script), format, ap);
	va_end(ap);
	if (vn_shell(script) != 0)
		fail_msg("%s", script);
}

void vn_there(const char *script)
{
	vn_here("exec nsenter -t %d -n -- sh -ec '%s'", (int)vn.there, script);
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
	char script[512];

	vn_here("ip link add v%u type veth peer name v%u netns %d;"
		"ip addr add 10.%u.0.1/16 dev v%u;"
		"ip addr add fd%02u::1/64 dev v%u nodad;"
		"ip link set v%u addrgenmode none up;"
		"ip addr add fe80::1/64 dev v%u nodad",
		no, no, (int)vn.there, net, no, net, no, no, no);
	(void)snprintf(script, sizeof(script),
		       "ip addr add 10.%u.0.2/16 dev v%u;"
		       "ip addr add fd%02u::2/64 dev v%u nodad;"
		       "ip link set v%u addrgenmode none up;"
		       "ip addr add fe80::2/64 dev v%u nodad",
		       net, no, net, no, no, no);
	vn_there(script);
}

int vn_set_up(void **state)
{
	(void)state;
	vn.there = 0;
	vn.n = NULL;
	vn.now_ns = VX6_SEC;
	if (unshare(CLONE_NEWNET) != 0) {
		print_message("# SKIP netns: %s\n", strerror(errno));
		return 0;
	}
	vn.there = child_there();
	vn_here("ip link set lo up");
	vn_there("ip link set lo up");
	veth(0);
	veth(1);
	assert_int_equal(neigh_open(&vn.n, VN_LINKS), VX6_OK);
	return 0;
}

int vn_tear_down(void **state)
{
	(void)state;
	neigh_close(vn.n);
	if (vn.there > 0) {
		(void)kill(vn.there, SIGKILL);
		(void)waitpid(vn.there, NULL, 0);
	}
	return 0;
}

/* ---- what tests say ---- */

void vn_need(void)
{
	if (vn.n == NULL)
		skip();
}

struct vx6_addr vn_ip(const char *text, uint16_t port)
{
	char with[VX6_ADDR_TEXT];
	struct vx6_addr a;
	bool v6 = strchr(text, ':') != NULL;

	(void)snprintf(with, sizeof(with), v6 ? "[%s]:%u" : "%s:%u", text,
		       (unsigned)port);
	assert_int_equal(vx6_addr_parse(&a, with), VX6_OK);
	return a;
}

const struct neigh_if *vn_if(const char *name)
{
	static struct neigh_if i[64];
	unsigned cnt = neigh_if_list(vn.n, i, 64);

	for (unsigned k = 0; k < cnt; k++)
		if (strcmp(i[k].name, name) == 0)
			return &i[k];
	return NULL;
}

void vn_attach(unsigned slot, const char *name)
{
	const struct neigh_if *i = vn_if(name);

	assert_non_null(i);
	neigh_if_add(vn.n, slot, i->ifindex);
}

void vn_send(const struct vx6_addr *to)
{
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(to, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)sendto(fd, "x", 1, 0, (const struct sockaddr *)&sa, len);
	(void)close(fd);
}

void vn_pass(uint64_t ns)
{
	vn.now_ns += ns;
	neigh_step(vn.n, vn.now_ns);
}

void vn_settle(void)
{
	for (unsigned i = 0; i < 4; i++)
		vn_pass(200 * VX6_MS);
}

void vn_turn(void)
{
	struct pollfd pf[NEIGH_FDS];
	int fd[NEIGH_FDS];

	assert_int_equal(neigh_fds(vn.n, fd), NEIGH_FDS);
	for (unsigned i = 0; i < NEIGH_FDS; i++)
		pf[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	(void)poll(pf, NEIGH_FDS, 10);
	vn_pass(10 * VX6_MS);
}

bool vn_find(uint32_t link, const struct vx6_addr *peer, struct neigh_way *way)
{
	static const struct vx6_addr any;

	return neigh_find(vn.n, link, peer, &any, way);
}

bool vn_finds(uint32_t link, const struct vx6_addr *peer)
{
	struct neigh_way way;

	return vn_find(link, peer, &way);
}

bool vn_event(unsigned events)
{
	return (neigh_events(vn.n) & events) != 0;
}
