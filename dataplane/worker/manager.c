/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/manager.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int manager_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = name == NULL ? 0 : strlen(name);
	int fd;

	if (len < 2 || len >= sizeof(sa.sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return -1;
	memcpy(sa.sun_path, name, len);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	len += offsetof(struct sockaddr_un, sun_path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, (socklen_t)len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void manager_tell(int fd, const char *state)
{
	ssize_t sent;

	if (fd < 0)
		return;
	sent = send(fd, state, strlen(state), MSG_NOSIGNAL);
	(void)sent;
}
