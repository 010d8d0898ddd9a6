/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/sandbox_table.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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

struct sandbox dp_sandbox(bool json)
{
	return (struct sandbox){ .who = "vx6-dataplane",
				 .call = call,
				 .call_cnt = VX6_COUNT(call),
				 .empty_root = true,
				 .json = json,
				 .log_fd = STDERR_FILENO };
}

uint64_t dp_sandbox_may(void)
{
	return SANDBOX_SANITIZED ? sandbox_sanitized() : 0;
}
