/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/sandbox_table.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_xdp.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* clang-format off */
static const struct sandbox_call call[] = {
	/* the worker's loop */
	CALL(poll, "the only wait, of worker and control thread"),
	CALL(recvmmsg, "cells in, many at once"),
	CALL(sendmmsg, "cells out, many at once"),
	CALL(sendmsg, "cells out; answers and rings to vx6d"),
	CALL(ioctl, "what the socket has not sent yet", ARG(1, SIOCOUTQ)),
	CALL(recvmsg, "cells in; vx6d's commands; netlink"),
	CALL(sendto, "AF_XDP's kick; netlink's questions; the manager"),
	CALL(recvfrom, "netlink's answers"),
	/* a vx6d that comes */
	CALL(accept4, "vx6d connects", ARG(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),
	CALL(memfd_create, "its rings",
	     ARG(1, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)),
	CALL(memfd_create, "its rings, before Linux 6.3",
	     ARG(1, MFD_CLOEXEC | MFD_ALLOW_SEALING)),
	CALL(ftruncate, "the size of its rings"),
	CALL(fcntl, "their size stays", ARG(1, F_ADD_SEALS)),
	CALL(eventfd2, "its bells", ARG(0, 0),
	     ARG(1, EFD_NONBLOCK | EFD_CLOEXEC)),
	/* interfaces that come */
	CALL(ioctl, "how many queues has it?", ARG(1, SIOCETHTOOL)),
};
/* clang-format on */

/* clang-format off */
static const struct sandbox_call xdp_call[] = {
	CALL(getsockopt, "where a socket's rings are", ARG(1, SOL_XDP), ARG(2, XDP_MMAP_OFFSETS)),
	CALL(getsockopt, "what a socket lost", ARG(1, SOL_XDP), ARG(2, XDP_STATISTICS)),
};

/* What the keeper does for it. */
static const struct sandbox_call keeper_call[] = {
	CALL(recvmsg, "what is asked of it; netlink's answers"),
	CALL(sendmsg, "its answers"),
	CALL(sendto, "netlink's questions"),
	/* the classifier before an interface, by libbpf and libxdp */
	CALL(bpf, "maps, programs, links"),
	CALL(memfd_create, "libbpf keeps a place for a map's descriptor", ARG(1, MFD_CLOEXEC)),
	CALL(dup3, "libbpf puts the map there", ARG(2, O_CLOEXEC)),
	CALL(dup3, "libbpf puts the map there", ARG(2, 0)),
	CALL(fcntl, "libbpf keeps clear of 0, 1 and 2", ARG(1, F_DUPFD_CLOEXEC)),
	CALL(mmap, "maps that the classifier shares", ARG(2, PROT_WRITE)),
	CALL(socket, "attaching", ARG(0, AF_NETLINK), ARG(1, SOCK_RAW | SOCK_CLOEXEC)),
	CALL(socket, "which interfaces have the default routes?", ARG(0, AF_NETLINK), ARG(1, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK)),
	CALL(setsockopt, "room for netlink's answers", ARG(1, SOL_SOCKET), ARG(2, SO_RCVBUFFORCE)),
	CALL(setsockopt, "as SO_RCVBUFFORCE", ARG(1, SOL_SOCKET), ARG(2, SO_RCVBUF)),
	CALL(setsockopt, "what the kernel says of a refusal", ARG(1, SOL_NETLINK), ARG(2, NETLINK_EXT_ACK)),
	CALL(bind, "netlink; an AF_XDP socket to its queue"),
	CALL(getsockname, "netlink's port"),
	CALL(socket, "names and MTUs of interfaces", ARG(0, AF_INET6), ARG(1, SOCK_DGRAM | SOCK_CLOEXEC)),
	CALL(socket, "names of interfaces", ARG(0, AF_UNIX), ARG(1, SOCK_DGRAM | SOCK_CLOEXEC)),
	CALL(ioctl, "the name of an interface", ARG(1, SIOCGIFNAME)),
	CALL(ioctl, "its MTU", ARG(1, SIOCGIFMTU)),
	CALL(ioctl, "its number", ARG(1, SIOCGIFINDEX)),
	CALL(ioctl, "is it Ethernet?", ARG(1, SIOCGIFHWADDR)),
	CALL(ioctl, "is it lo?", ARG(1, SIOCGIFFLAGS)),
	CALL(uname, "libbpf: which kernel is it?"),
	CALL(prlimit64, "libbpf: memory that may be locked", ARG(0, 0), ARG(1, RLIMIT_MEMLOCK)),
	/* its sockets */
	CALL(socket, "a queue of an interface", ARG(0, AF_XDP), ARG(1, SOCK_RAW | SOCK_CLOEXEC)),
	CALL(setsockopt, "room for all frames to be sent", ARG(1, SOL_SOCKET), ARG(2, SO_SNDBUFFORCE)),
	CALL(setsockopt, "frames and rings", ARG(1, SOL_XDP), ARG(2, XDP_UMEM_REG)),
	CALL(setsockopt, "frames and rings", ARG(1, SOL_XDP), ARG(2, XDP_UMEM_FILL_RING)),
	CALL(setsockopt, "frames and rings", ARG(1, SOL_XDP), ARG(2, XDP_UMEM_COMPLETION_RING)),
	CALL(setsockopt, "frames and rings", ARG(1, SOL_XDP), ARG(2, XDP_RX_RING)),
	CALL(setsockopt, "frames and rings", ARG(1, SOL_XDP), ARG(2, XDP_TX_RING)),
	/* files of libbpf and libxdp: Landlock's */
	CALL(openat, "libxdp's dispatcher, its place and lock"),
	CALL(open, "as openat"),
	CALL(statfs, "is it a bpffs?"),
	CALL(fstatfs, "as statfs"),
	CALL(stat, "is it there?"),
	CALL(lstat, "as stat"),
	CALL(access, "is it there?"),
	CALL(faccessat, "as access"),
	CALL(faccessat2, "as access"),
	CALL(readlink, "as access"),
	CALL(lseek, "reading the dispatcher"),
	CALL(pread64, "reading the dispatcher"),
	CALL(getdents64, "which pins are there?"),
	CALL(flock, "one libxdp at a time"),
	CALL(mkdir, "an interface's pins"),
	CALL(mkdirat, "as mkdir"),
	CALL(rename, "an interface's pins"),
	CALL(renameat, "as rename"),
	CALL(renameat2, "as rename"),
	CALL(unlink, "pins that are done with"),
	CALL(unlinkat, "as unlink"),
	CALL(rmdir, "as unlink"),
	CALL(geteuid, "libelf, libxdp: who are we?"),
};

static const struct sandbox_place keeper_place[] = {
	{ "/sys/fs/bpf", "libxdp's pins", SANDBOX_TREE },
	{ "/sys/kernel/btf", "the kernel's types", SANDBOX_READ },
	{ "/sys/devices/system/cpu", "how many CPUs?", SANDBOX_READ },
	{ "/usr/lib", "libxdp's dispatcher", SANDBOX_READ },
	{ "/proc/self", "libbpf: what a descriptor is", SANDBOX_READ },
};

static const struct sandbox_cap keeper_cap[] = {
	KEEP(NET_ADMIN, "the classifier before an interface; the socket's room"),
	KEEP(NET_RAW, "a socket on a queue"),
	KEEP(BPF, "maps and programs"),
	KEEP(PERFMON, "the classifier reads packets by pointers"),
	KEEP(IPC_LOCK, "frames are pinned"),
	/* root's alone, the unit never has it */
	KEEP(SYS_ADMIN, "libxdp's dispatcher is made and left"),
};
/* clang-format on */

/* clang-format off */
/* Drivers of virtual devices: net_af_packet, net_af_xdp, net_ring, net_tap.
 * Those of PCI devices have their registers mapped, and ask for nothing. */
static const struct sandbox_call dpdk_call[] = {
	CALL(epoll_wait, "EAL's thread waits for interrupts"),
	CALL(readv, "net_tap: a packet in, and what is said of it"),
	/* writev, its way out, is one of every process; sendto, the kick of
	 * net_af_packet and net_af_xdp, poll and recvfrom are the worker's */
	CALL(getsockopt, "net_af_xdp: what was lost", ARG(1, SOL_XDP), ARG(2, XDP_STATISTICS)),
};

static const struct sandbox_never dpdk_never[] = {
	{ "bpf", "net_af_xdp, at its end, to take its sockets out of a map and its program off: whoever may do that may put any there; both end with the process" },
	{ "ioctl, openat", "net_tap, net_af_packet, net_af_xdp, to change what an interface is: done before" },
	{ "clone, execve", "more threads and programs: EAL has all that it runs" },
};
/* clang-format on */

static void add_dpdk(struct sandbox *s)
{
	s->threads = true; /* EAL's */
	s->empty_root = true;
	s->more = dpdk_call;
	s->more_cnt = VX6_COUNT(dpdk_call);
	s->never = dpdk_never;
	s->never_cnt = VX6_COUNT(dpdk_never);
}

struct sandbox dp_sandbox(bool json, enum config_backend backend)
{
	struct sandbox s = { .who = "vx6-dataplane",
			     .call = call,
			     .call_cnt = VX6_COUNT(call),
			     .json = json,
			     .log_fd = STDERR_FILENO };

	switch (backend) {
	case CONFIG_BACKEND_UDP: s.empty_root = true; break;
	case CONFIG_BACKEND_AF_XDP:
		s.empty_root = true;
		s.more = xdp_call;
		s.more_cnt = VX6_COUNT(xdp_call);
		break;
	case CONFIG_BACKEND_DPDK: add_dpdk(&s); break;
	}
	return s;
}

struct sandbox dp_sandbox_keeper(bool json)
{
	return (struct sandbox){ .who = "vx6-dataplane's keeper",
				 .call = keeper_call,
				 .call_cnt = VX6_COUNT(keeper_call),
				 .place = keeper_place,
				 .place_cnt = VX6_COUNT(keeper_place),
				 .cap = keeper_cap,
				 .cap_cnt = VX6_COUNT(keeper_cap),
				 .json = json,
				 .log_fd = STDERR_FILENO };
}

uint64_t dp_sandbox_may(void)
{
	return SANDBOX_SANITIZED ? sandbox_sanitized() : 0;
}

uint64_t dp_sandbox_keeper_may(void)
{
	return dp_sandbox_may() | SANDBOX_BIT(bpf);
}
