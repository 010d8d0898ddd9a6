/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data plane's side, and messages of either. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/keeper.h"
#include "dataplane/port/keeper_own.h"

/* ---- messages ---- */

union control { /* aligned for one descriptor, and for one too many */
	struct cmsghdr head;
	uint8_t room[CMSG_SPACE(2 * sizeof(int))];
};

bool keeper_send(int sock, const void *m, size_t len, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)m, len };
	union control c = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = &c;
		msg.msg_controllen = CMSG_SPACE(sizeof(fd));
		c.head.cmsg_level = SOL_SOCKET;
		c.head.cmsg_type = SCM_RIGHTS;
		c.head.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* How many descriptors came; the first is kept, the others are closed. */
static unsigned take(struct msghdr *msg, int *fd)
{
	unsigned n = 0;
	int each;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL;
	     h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(each) <= h->cmsg_len;
		     at += sizeof(each)) {
			memcpy(&each, (const uint8_t *)h + at, sizeof(each));
			if (n++ == 0)
				*fd = each;
			else
				close(each);
		}
	}
	return n;
}

int keeper_recv(int sock, void *m, size_t len, int *fd)
{
	struct iovec iov = { m, len };
	union control c = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &c,
			      .msg_controllen = sizeof(c) };
	unsigned fds;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	fds = take(&msg, fd);
	if ((size_t)n == len && fds <= 1 &&
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return 1;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return 0;
}

/* ---- questions ---- */

/* False with errno; where it does not answer, that is EPIPE. */
static bool ask(int sock, const struct keeper_ask *a, int give,
		struct keeper_answer *to, int *get)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int fd = -1;

	memset(to, 0, sizeof(*to));
	to->status = VX6_CLOSED;
	if (!keeper_send(sock, a, sizeof(*a), give) ||
	    poll(&p, 1, KEEPER_WAIT_MS) != 1 ||
	    keeper_recv(sock, to, sizeof(*to), &fd) != 1) {
		to->status = VX6_CLOSED;
		errno = EPIPE;
		return false;
	}
	to->why[sizeof(to->why) - 1] = '\0';
	if (get != NULL)
		*get = fd;
	else if (fd >= 0)
		close(fd);
	errno = to->err;
	return to->status == VX6_OK;
}

bool keeper_is_gone(int sock)
{
	char any;
	ssize_t n = recv(sock, &any, sizeof(any), MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void keeper_end(int sock)
{
	const struct keeper_ask a = { .kind = KEEPER_END };
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (keeper_send(sock, &a, sizeof(a), -1))
		(void)poll(&p, 1, KEEPER_WAIT_MS); /* its end hangs up */
	close(sock);
}

enum vx6_status keeper_locals(int sock, const struct vx6_addr addr[],
			      unsigned n)
{
	struct keeper_ask a = { .kind = KEEPER_LOCALS, .cnt = n };
	struct keeper_answer to;

	for (unsigned i = 0; i < n; i++)
		memcpy(a.ip[i], addr[i].ip, sizeof(a.ip[i]));
	(void)ask(sock, &a, -1, &to, NULL);
	return (enum vx6_status)to.status;
}

enum vx6_status keeper_attach(int sock, unsigned slot, unsigned ifindex,
			      struct rights_if *is, char why[XDP_WHY])
{
	const struct keeper_ask a = { .kind = KEEPER_ATTACH,
				      .slot = slot,
				      .ifindex = ifindex };
	struct keeper_answer to;

	if (!ask(sock, &a, -1, &to, NULL) && to.status == VX6_CLOSED)
		snprintf(to.why, sizeof(to.why),
			 "the process that keeps AF_XDP's privileges does not "
			 "answer: restart vx6-dataplane");
	memcpy(why, to.why, XDP_WHY);
	is->dispatcher = to.dispatcher != 0;
	return (enum vx6_status)to.status;
}

void keeper_detach(int sock, unsigned slot)
{
	const struct keeper_ask a = { .kind = KEEPER_DETACH, .slot = slot };
	struct keeper_answer to;

	(void)ask(sock, &a, -1, &to, NULL);
}

int keeper_sock(int sock, unsigned area)
{
	const struct keeper_ask a = { .kind = KEEPER_SOCK, .area = area };
	struct keeper_answer to;
	int fd = -1;

	return ask(sock, &a, -1, &to, &fd) ? fd : -1;
}

bool keeper_bind(int sock, const struct rights_queue *q)
{
	const struct keeper_ask a = { .kind = KEEPER_BIND,
				      .ifindex = q->ifindex,
				      .queue = q->queue,
				      .zerocopy = q->zerocopy };
	struct keeper_answer to;

	return ask(sock, &a, -1, &to, NULL);
}

bool keeper_enter(int sock, unsigned slot, uint32_t queue, int fd)
{
	const struct keeper_ask a = { .kind = KEEPER_ENTER,
				      .slot = slot,
				      .queue = queue };
	struct keeper_answer to;

	return ask(sock, &a, fd, &to, NULL);
}

void keeper_leave(int sock, unsigned slot, uint32_t queue)
{
	const struct keeper_ask a = { .kind = KEEPER_LEAVE,
				      .slot = slot,
				      .queue = queue };
	struct keeper_answer to;

	(void)ask(sock, &a, -1, &to, NULL);
}

void keeper_counts(int sock, uint64_t out[VX6_XDP_REASON_CNT],
		   uint64_t *refused)
{
	const struct keeper_ask a = { .kind = KEEPER_COUNTS };
	struct keeper_answer to;

	(void)ask(sock, &a, -1, &to, NULL);
	memcpy(out, to.count, sizeof(to.count));
	*refused = to.refused;
}
