/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/twonet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/xdp_any.h"

struct twonet net = { -1, -1 };

static const char *lacking;

static bool may(void)
{
	if (lacking == NULL)
		return true;
	printf("# SKIP %s\n", lacking);
	fflush(stdout);
	return false;
}

void twonet_need(void)
{
	if (!may())
		skip();
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# %s failed\n", what);
	fflush(stdout);
	abort();
}

static int new_net(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool twonet_open(struct twonet *t)
{
	*t = (struct twonet){ -1, -1 };
	if (geteuid() != 0)
		lacking = "root: namespaces and AF_XDP need root";
	else if ((t->there = new_net()) < 0 || (t->here = new_net()) < 0)
		lacking = "netns: this host makes no network namespace";
	if (lacking != NULL)
		return may();
	twonet_run(t, false, "ip link set lo up");
	twonet_run(t, true, "ip link set lo up");
	return true;
}

void twonet_close(struct twonet *t)
{
	if (t->here >= 0)
		close(t->here);
	if (t->there >= 0)
		close(t->there);
	*t = (struct twonet){ -1, -1 };
}

int twonet_lay(void **state)
{
	(void)state;
	if (!twonet_open(&net))
		twonet_close(&net); /* or half of it */
	return 0;
}

int twonet_unlay(void **state)
{
	(void)state;
	twonet_close(&net);
	return 0;
}

void twonet_run(const struct twonet *t, bool there, const char *command)
{
	char line[1024];
	int n = snprintf(line, sizeof(line),
			 "exec 2>&1; nsenter --net=/proc/%d/fd/%d sh -ec '%s'",
			 getpid(), there ? t->there : t->here, command);
	char said[512];
	size_t len;
	FILE *f;

	assert(n > 0 && (size_t)n < sizeof(line));
	/* a test's own words, not anybody's input: NOLINTNEXTLINE */
	f = popen(line, "r");
	must(f != NULL, command);
	len = fread(said, 1, sizeof(said) - 1, f);
	said[len] = '\0';
	if (pclose(f) == 0)
		return;
	printf("# %s", said);
	must(false, command);
}

struct vx6_addr twonet_at(unsigned i, bool there, bool v4, uint16_t port)
{
	char text[VX6_ADDR_TEXT];
	struct vx6_addr a;

	snprintf(text, sizeof(text), v4 ? "10.77.%u.%u:%u" : "[fd00:%u::%u]:%u",
		 i, there ? 2u : 1u, port);
	must(vx6_addr_parse(&a, text) == VX6_OK, text);
	return a;
}

void twonet_cable(const struct twonet *t, unsigned i, unsigned q)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "ip link add t%u numtxqueues %u numrxqueues %u type veth "
		 "peer name t%u numtxqueues %u numrxqueues %u netns "
		 "/proc/%d/fd/%d",
		 i, q, q, i, q, q, getpid(), t->there);
	twonet_run(t, false, line);
	for (unsigned k = 0; k < 2; k++) {
		snprintf(line, sizeof(line),
			 "ip addr add fd00:%u::%u/64 dev t%u nodad; "
			 "ip addr add 10.77.%u.%u/24 dev t%u; "
			 "ip link set t%u up",
			 i, k + 1, i, i, k + 1, i, i);
		twonet_run(t, k == 1, line);
	}
}

void twonet_cut(unsigned i)
{
	char line[64];

	snprintf(line, sizeof(line), "ip link del t%u", i);
	/* as above: NOLINTNEXTLINE */
	must(system(line) == 0, line);
}

/* Makes a socket there: it stays in the namespace that it was made in. */
static int socket_there(const struct twonet *t, int family, int type)
{
	int fd;

	must(setns(t->there, CLONE_NEWNET) == 0, "setns");
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	must(setns(t->here, CLONE_NEWNET) == 0, "setns");
	must(fd >= 0, "socket");
	return fd;
}

void twonet_channels(const struct twonet *t, bool there, unsigned i,
		     unsigned rx, unsigned tx)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_data = (char *)&c };
	/* it speaks of the namespace that it is of */
	int fd = there ? socket_there(t, AF_INET6, SOCK_DGRAM)
		       : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "t%u", i);
	must(ioctl(fd, SIOCETHTOOL, &r) == 0, "ETHTOOL_GCHANNELS");
	c.cmd = ETHTOOL_SCHANNELS;
	c.rx_count = rx;
	c.tx_count = tx;
	must(ioctl(fd, SIOCETHTOOL, &r) == 0, "ETHTOOL_SCHANNELS");
	close(fd);
}

int twonet_udp(const struct twonet *t, const struct vx6_addr *at)
{
	const struct timeval wait = { .tv_sec = 10 };
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(at, &sa);
	int fd = socket_there(t, sa.ss_family, SOCK_DGRAM);

	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0,
	     "SO_RCVTIMEO");
	must(bind(fd, (struct sockaddr *)&sa, len) == 0, "bind");
	return fd;
}

int twonet_wire(const struct twonet *t, unsigned i)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	char name[IF_NAMESIZE];
	int fd = socket_there(t, AF_PACKET, SOCK_RAW);

	snprintf(name, sizeof(name), "t%u", i);
	must(setns(t->there, CLONE_NEWNET) == 0, "setns");
	at.sll_ifindex = (int)if_nametoindex(name);
	must(setns(t->here, CLONE_NEWNET) == 0, "setns");
	must(at.sll_ifindex != 0 &&
		     bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0,
	     "packet socket");
	return fd;
}

int twonet_stranger(const char *interface)
{
	const struct bpf_link_create_opts opts = {
		.sz = sizeof(opts), .flags = XDP_FLAGS_DRV_MODE
	};
	int prog = xdp_any_program("stranger", XDP_PASS);
	int link;

	must(prog >= 0, "a program of XDP");
	link = bpf_link_create(prog, (int)if_nametoindex(interface), BPF_XDP,
			       &opts);
	must(link >= 0, "a program before an interface");
	close(prog);
	return link;
}
