/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/loop/sandbox_table.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define AUTO  SOCK_CLOEXEC
#define QUICK (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* clang-format off */
static const struct sandbox_call call[] = {
	/* the loop */
	CALL(epoll_pwait, "the only wait"),
	CALL(epoll_wait, "as epoll_pwait, said the older way"),
	CALL(epoll_ctl, "which descriptors it waits for"),
	CALL(timerfd_settime, "when it wakes"),
	CALL(poll, "is the log taken? is a descriptor good?"),
	CALL(rt_sigaction, "the second SIGTERM ends at once", ARG(0, SIGTERM)),
	CALL(rt_sigaction, "the second SIGINT ends at once", ARG(0, SIGINT)),
	CALL(rt_sigaction, "the second SIGUSR1 ends at once", ARG(0, SIGUSR1)),
	CALL(prctl, "a thread of the pool names itself", ARG(0, PR_SET_NAME)),
	/* sockets */
	CALL(socket, "to a service, IPv4", ARG(0, AF_INET), ARG(1, SOCK_STREAM | QUICK)),
	CALL(socket, "to a service, IPv6", ARG(0, AF_INET6), ARG(1, SOCK_STREAM | QUICK)),
	CALL(socket, "which address would be taken? IPv4", ARG(0, AF_INET), ARG(1, SOCK_DGRAM | AUTO)),
	CALL(socket, "which address would be taken? IPv6", ARG(0, AF_INET6), ARG(1, SOCK_DGRAM | AUTO)),
	CALL(socket, "the data plane's commands", ARG(0, AF_UNIX), ARG(1, SOCK_SEQPACKET | QUICK)),
	CALL(socket, "this host's addresses", ARG(0, AF_NETLINK), ARG(1, SOCK_RAW | AUTO), ARG(2, NETLINK_ROUTE)),
	CALL(bind, "a forward's port on loopback; netlink"),
	CALL(listen, "a forward"),
	CALL(connect, "services, the data plane"),
	CALL(accept4, "clients of forwards; commands", ARG(3, QUICK)),
	CALL(shutdown, "the end of one direction"),
	CALL(getsockname, "the port that was got"),
	CALL(getsockopt, "did it connect?", ARG(1, SOL_SOCKET), ARG(2, SO_ERROR)),
	CALL(getsockopt, "who gives commands?", ARG(1, SOL_SOCKET), ARG(2, SO_PEERCRED)),
	CALL(getsockopt, "of which groups?", ARG(1, SOL_SOCKET), ARG(2, SO_PEERGROUPS)),
	CALL(setsockopt, "a stream that was cut ends by a reset", ARG(1, SOL_SOCKET), ARG(2, SO_LINGER)),
	CALL(setsockopt, "a forward's port is taken again", ARG(1, SOL_SOCKET), ARG(2, SO_REUSEADDR)),
	CALL(setsockopt, "small writes are not held back", ARG(1, IPPROTO_TCP), ARG(2, TCP_NODELAY)),
	CALL(setsockopt, "a forward for both families", ARG(1, IPPROTO_IPV6), ARG(2, IPV6_V6ONLY)),
	CALL(ioctl, "a socket that does not wait", ARG(1, FIONBIO)),
	CALL(recvfrom, "streams, commands"),
	CALL(recvmsg, "datagrams, the data plane"),
	CALL(recvmmsg, "datagrams, many at once"),
	CALL(sendto, "streams, answers, netlink's questions"),
	CALL(sendmsg, "datagrams, the data plane"),
	CALL(sendmmsg, "datagrams, many at once"),
	/* the data plane's rings, judged before they are used */
	CALL(fcntl, "is their size sealed?", ARG(1, F_GET_SEALS)),
	CALL(readlink, "is it an eventfd?"),
	CALL(readlinkat, "as readlink"),
	/* the registry (SQLite), below the state directory: Landlock's */
	CALL(openat, "its log, its journal; the random source"),
	CALL(open, "as openat"),
	CALL(stat, "is the file still there?"),
	CALL(lstat, "as stat"),
	CALL(access, "as stat"),
	CALL(lseek, "pages"),
	CALL(pread64, "pages"),
	CALL(pwrite64, "pages"),
	CALL(fcntl, "locks", ARG(1, F_SETLK)),
	CALL(fcntl, "locks", ARG(1, F_GETLK)),
	CALL(fcntl, "a descriptor that no program gets", ARG(1, F_GETFD)),
	CALL(fcntl, "a descriptor that no program gets", ARG(1, F_SETFD)),
	CALL(fsync, "what is written is on the disk"),
	CALL(fdatasync, "as fsync"),
	CALL(ftruncate, "its log begins anew"),
	CALL(fchmod, "the mode of the database for its log"),
	CALL(fchown, "the owner of the database for its log"),
	CALL(geteuid, "may it set an owner?"),
	CALL(unlink, "its log at the end; the socket of commands"),
	CALL(flock, "the onion keys are let go"),
};
/* clang-format on */

struct sandbox vx6d_sandbox(struct sandbox_place place[VX6D_PLACES],
			    const char *state, const char *run, bool json)
{
	place[0] = (struct sandbox_place){ state, "identity and registry",
					   SANDBOX_WRITE };
	place[1] = (struct sandbox_place){ run, "the socket of commands",
					   SANDBOX_WRITE };
	place[2] = (struct sandbox_place){ "/dev/urandom",
					   "wolfSSL's random source",
					   SANDBOX_READ };
	return (struct sandbox){ .who = "vx6d",
				 .call = call,
				 .call_cnt = VX6_COUNT(call),
				 .place = place,
				 .place_cnt = VX6D_PLACES,
				 .json = json,
				 .log_fd = STDERR_FILENO };
}

uint64_t vx6d_sandbox_may(void)
{
	uint64_t may = SANDBOX_BIT(tcp_socket);

	return SANDBOX_SANITIZED ? may | sandbox_sanitized() : may;
}
