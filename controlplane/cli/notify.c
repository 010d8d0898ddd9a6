/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE 4096

/* address fills sa; "@name" is the abstract name space.  0: too long. */
static socklen_t address(struct sockaddr_un *sa, const char *name)
{
	size_t len = strlen(name);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof(sa->sun_path))
		return 0;
	memcpy(sa->sun_path, name, len);
	if (name[0] == '@')
		sa->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int notify_open(const char *who, char name[NOTIFY_NAME])
{
	struct sockaddr_un sa;
	socklen_t len;
	int fd, on = 1;

	snprintf(name, NOTIFY_NAME, "@vx6-run-%ld-%s", (long)getpid(), who);
	len = address(&sa, name);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
	    bind(fd, (const struct sockaddr *)&sa, len) == 0)
		return fd;
	on = errno;
	close(fd);
	errno = on;
	return -1;
}

static unsigned bits_of(char *text)
{
	unsigned bits = 0;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(line, "READY=1") == 0)
			bits |= NOTIFY_READY;
		if (strcmp(line, "WATCHDOG=1") == 0)
			bits |= NOTIFY_WATCHDOG;
	}
	return bits;
}

/* let_go closes descriptors that came with a message. */
static void let_go(const struct cmsghdr *c)
{
	int fds[16];
	size_t len = c->cmsg_len - CMSG_LEN(0);

	if (len > sizeof(fds))
		len = sizeof(fds);
	memcpy(fds, CMSG_DATA(c), len);
	for (size_t i = 0; i < len / sizeof(fds[0]); i++)
		close(fds[i]);
}

unsigned notify_read(int fd, pid_t pid)
{
	unsigned bits = 0;

	for (;;) {
		char text[MESSAGE + 1];
		_Alignas(struct cmsghdr) char
			control[CMSG_SPACE(sizeof(struct ucred)) +
				CMSG_SPACE(16 * sizeof(int))];
		struct iovec iov = { .iov_base = text, .iov_len = MESSAGE };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct ucred who = { 0 };
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0)
			return bits;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL;
		     c = CMSG_NXTHDR(&msg, c)) {
			if (c->cmsg_level == SOL_SOCKET &&
			    c->cmsg_type == SCM_CREDENTIALS)
				memcpy(&who, CMSG_DATA(c), sizeof(who));
			if (c->cmsg_level == SOL_SOCKET &&
			    c->cmsg_type == SCM_RIGHTS)
				let_go(c);
		}
		text[n] = '\0';
		if (who.pid == pid)
			bits |= bits_of(text);
	}
}

int notify_to(const char *name)
{
	struct sockaddr_un sa;
	socklen_t len = name == NULL ? 0 : address(&sa, name);
	int fd;

	if (len == 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, len) == 0)
		return fd;
	close(fd);
	return -1;
}

void notify_tell(int fd, const char *state)
{
	if (fd >= 0)
		send(fd, state, strlen(state), MSG_NOSIGNAL);
}

void notify_send(const char *name, const char *state)
{
	int fd = notify_to(name);

	notify_tell(fd, state);
	if (fd >= 0)
		close(fd);
}
