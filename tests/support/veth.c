/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/veth.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *lacking;

bool veth_run(const char *command)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "{ %s; } >/dev/null 2>&1",
			 command);

	assert(n > 0 && (size_t)n < sizeof(line));
	/* a test's own words, not anybody's input: NOLINTNEXTLINE */
	return system(line) == 0;
}

bool veth_may(void)
{
	if (lacking == NULL)
		return true;
	printf("# SKIP %s\n", lacking);
	fflush(stdout);
	return false;
}

static int packets(unsigned ifindex)
{
	const struct sockaddr_ll at = { .sll_family = AF_PACKET,
					.sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (ifindex == 0 || fd < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		abort();
	return fd;
}

bool veth_open(struct veth *v)
{
	*v = (struct veth){ .wire = -1, .back = -1 };
	if (geteuid() != 0)
		lacking = "root: namespaces and XDP need root";
	else if (unshare(CLONE_NEWNET) != 0)
		lacking = "netns: this host makes no network namespace";
	else if (!veth_run("ip link set lo up; "
			   "ip link add vx6n type veth peer name vx6f && "
			   "ip link set vx6n addrgenmode none up && "
			   "ip link set vx6f addrgenmode none up"))
		lacking = "netns: this host makes no veth";
	if (lacking != NULL)
		return veth_may();
	v->near = if_nametoindex("vx6n");
	v->far = if_nametoindex("vx6f");
	v->wire = packets(v->far);
	v->back = packets(v->near);
	return true;
}

void veth_close(struct veth *v)
{
	if (v->wire >= 0)
		close(v->wire);
	if (v->back >= 0)
		close(v->back);
}

void veth_send(const struct veth *v, const void *frame, size_t len)
{
	ssize_t n;

	do
		n = send(v->wire, frame, len, 0);
	while (n < 0 && (errno == EINTR || errno == ENOBUFS));
	assert(n == (ssize_t)len);
}
