/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/abi/abi.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  4
#define FD_ROOM  8u /* descriptors that a message may bring, to be closed */
#define SOCK_ABI (SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC)

static void close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static enum vx6_status address(struct sockaddr_un *sa, const char *path)
{
	size_t len = strlen(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof(sa->sun_path))
		return VX6_MALFORMED;
	memcpy(sa->sun_path, path, len + 1);
	return VX6_OK;
}

enum vx6_status abi_connect(int *fd, const char *path)
{
	struct sockaddr_un sa;
	enum vx6_status st = address(&sa, path);
	int sock;

	if (st != VX6_OK)
		return st;
	sock = socket(AF_UNIX, SOCK_ABI, 0);
	if (sock < 0)
		return VX6_SYS;
	if (connect(sock, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		*fd = sock;
		return VX6_OK;
	}
	close_quietly(sock);
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case EPROTOTYPE: /* a socket, but not of ours */
	case ECONNREFUSED: return VX6_UNREACHABLE;
	case EAGAIN: return VX6_AGAIN;
	case EACCES:
	case EPERM: return VX6_DENIED;
	default: return VX6_SYS;
	}
}

/* Removes a socket file that nobody listens on.  The directory is locked. */
static enum vx6_status clear_path(const struct sockaddr_un *sa)
{
	struct stat st;
	enum vx6_status found;
	int fd;

	if (lstat(sa->sun_path, &st) != 0)
		return errno == ENOENT ? VX6_OK : VX6_SYS;
	if (!S_ISSOCK(st.st_mode) || (st.st_uid != geteuid() && geteuid() != 0))
		return VX6_DENIED;
	fd = socket(AF_UNIX, SOCK_ABI, 0);
	if (fd < 0)
		return VX6_SYS;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno == EAGAIN || errno == EPROTOTYPE)
		found = VX6_EXISTS;
	else if (errno == ECONNREFUSED)
		found = unlink(sa->sun_path) == 0 ? VX6_OK : VX6_SYS;
	else
		found = VX6_SYS;
	close_quietly(fd);
	return found;
}

static enum vx6_status lock_directory(int *lock, const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = ".";
	const char *slash = strrchr(path, '/');

	if (slash != NULL) { /* the root's own slash is its name */
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	*lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return VX6_SYS;
	if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
		return VX6_OK;
	close_quietly(*lock);
	return errno == EWOULDBLOCK ? VX6_EXISTS : VX6_SYS;
}

/* On Linux the file gets the mode of the socket at bind, so there is no
 * moment at which another user could connect. */
static enum vx6_status bind_private(int *fd, const struct sockaddr_un *sa)
{
	int sock = socket(AF_UNIX, SOCK_ABI, 0);

	if (sock < 0)
		return VX6_SYS;
	if (fchmod(sock, 0600) != 0 ||
	    bind(sock, (const struct sockaddr *)sa, sizeof(*sa)) != 0 ||
	    listen(sock, BACKLOG) != 0) {
		close_quietly(sock);
		return VX6_SYS;
	}
	*fd = sock;
	return VX6_OK;
}

enum vx6_status abi_listen(int *fd, const char *path)
{
	struct sockaddr_un sa;
	enum vx6_status st = address(&sa, path);
	int lock;

	if (st == VX6_OK)
		st = lock_directory(&lock, path);
	if (st != VX6_OK)
		return st;
	st = clear_path(&sa);
	if (st == VX6_OK)
		st = bind_private(fd, &sa);
	close_quietly(lock);
	return st;
}

enum vx6_status abi_accept(int listen_fd, int *fd)
{
	int sock;

	do
		sock = accept4(listen_fd, NULL, NULL,
			       SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (sock < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (sock < 0)
		return errno == EAGAIN ? VX6_AGAIN : VX6_SYS;
	*fd = sock;
	return VX6_OK;
}

/* ---- messages ---- */

static enum vx6_status socket_error(void)
{
	switch (errno) {
	case EAGAIN: return VX6_AGAIN;
	case EPIPE:
	case ENOTCONN:
	case ECONNRESET: return VX6_CLOSED;
	default: return VX6_SYS;
	}
}

enum vx6_status abi_send(int sock, const struct abi_msg *m, const int fds[],
			 unsigned n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * ABI_FD_CNT)];
		struct cmsghdr align;
	} room;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m,
			     .iov_len = sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	if (n > ABI_FD_CNT)
		return VX6_MALFORMED;
	if (n > 0) {
		memset(&room, 0, sizeof(room));
		msg.msg_control = room.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		len = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return socket_error();
	return len == (ssize_t)sizeof(*m) ? VX6_OK : VX6_SYS;
}

/* Collects the descriptors that came, all of them, so that none is lost. */
static unsigned descriptors(struct msghdr *msg, int got[FD_ROOM])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t cnt = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < cnt && n < FD_ROOM; i++)
			memcpy(&got[n++], CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
	}
	return n;
}

static enum vx6_status judge(ssize_t len, const struct msghdr *msg,
			     const struct abi_msg *m, unsigned got,
			     unsigned want)
{
	if (len == 0)
		return VX6_CLOSED;
	if (len != (ssize_t)sizeof(*m) || (msg->msg_flags & MSG_TRUNC) != 0)
		return VX6_BAD_SIZE;
	if ((msg->msg_flags & MSG_CTRUNC) != 0 ||
	    got != (m->type == ABI_WELCOME ? want : 0))
		return VX6_MALFORMED;
	return VX6_OK;
}

enum vx6_status abi_recv(int sock, struct abi_msg *m, int fds[], unsigned want)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FD_ROOM)];
		struct cmsghdr align;
	} room;
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room.buf,
			      .msg_controllen = sizeof(room.buf) };
	int got[FD_ROOM];
	enum vx6_status st;
	unsigned n;
	ssize_t len;

	for (unsigned i = 0; i < want; i++)
		fds[i] = -1;
	do
		len = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return socket_error();
	n = descriptors(&msg, got);
	st = judge(len, &msg, m, n, want);
	for (unsigned i = 0; i < n; i++) {
		if (st == VX6_OK)
			fds[i] = got[i];
		else
			close_quietly(got[i]);
	}
	return st;
}
