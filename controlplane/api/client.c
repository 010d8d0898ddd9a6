/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/api/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/clock.h"

#define READ_STEP  16384u
#define ANSWER_MAX ((size_t)16 << 20)

static enum vx6_status connect_status(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED: return VX6_UNREACHABLE;
	case EACCES:
	case EPERM: return VX6_DENIED;
	default: return VX6_SYS;
	}
}

enum vx6_status api_client_open(struct api_client *c, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int err;

	*c = (struct api_client){ .fd = -1 };
	if (strlen(path) >= sizeof(sa.sun_path))
		return VX6_MALFORMED;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return VX6_SYS;
	if (connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return VX6_OK;
	err = errno;
	close(c->fd);
	c->fd = -1;
	errno = err;
	return connect_status(err);
}

void api_client_close(struct api_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	*c = (struct api_client){ .fd = -1 };
}

static enum vx6_status send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE || errno == ECONNRESET
				       ? VX6_CLOSED
				       : VX6_SYS;
		bytes += n;
		len -= (size_t)n;
	}
	return VX6_OK;
}

enum vx6_status api_client_ask(struct api_client *c, const char *cmd,
			       json_t *args)
{
	json_t *request = json_pack("{s:I, s:s}", "id", ++c->id, "cmd", cmd);
	enum vx6_status st = VX6_NO_MEMORY;
	char *text = NULL;

	if (request == NULL ||
	    (args != NULL && json_object_update_missing(request, args) != 0))
		goto out;
	text = json_dumps(request, JSON_COMPACT);
	if (text == NULL)
		goto out;
	st = send_all(c->fd, text, strlen(text));
	if (st == VX6_OK)
		st = send_all(c->fd, "\n", 1);
out:
	free(text);
	json_decref(request);
	json_decref(args);
	return st;
}

static enum vx6_status wait_readable(int fd, uint64_t until_ns)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = vx6_now_ns();
		int ms = -1, n;

		if (until_ns != VX6_NEVER && now >= until_ns)
			return VX6_EXPIRED;
		if (until_ns != VX6_NEVER)
			ms = (int)((until_ns - now) / VX6_MS) + 1;
		n = poll(&p, 1, ms);
		if (n > 0)
			return VX6_OK;
		if (n < 0 && errno != EINTR)
			return VX6_SYS;
	}
}

static enum vx6_status fill(struct api_client *c)
{
	ssize_t n;

	if (c->at > 0) {
		memmove(c->buf, c->buf + c->at, c->len - c->at);
		c->len -= c->at;
		c->at = 0;
	}
	if (c->cap - c->len < READ_STEP) {
		size_t cap = c->cap * 2 + READ_STEP;
		char *more = cap > ANSWER_MAX ? NULL : realloc(c->buf, cap);

		if (more == NULL)
			return VX6_NO_MEMORY;
		c->buf = more;
		c->cap = cap;
	}
	do {
		n = read(c->fd, c->buf + c->len, c->cap - c->len);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? VX6_CLOSED : VX6_SYS;
	c->len += (size_t)n;
	return VX6_OK;
}

/* take parses the line that ends at end and moves past it. */
static enum vx6_status take(struct api_client *c, const char *end, json_t **msg)
{
	const char *line = c->buf + c->at;
	const json_t *id;
	json_t *j = json_loadb(line, (size_t)(end - line), 0, NULL);

	c->at = (size_t)(end - c->buf) + 1;
	id = json_object_get(j, "id");
	if (id == NULL) {
		json_decref(j);
		return VX6_MALFORMED;
	}
	if (!json_is_null(id) && json_integer_value(id) != c->id) {
		json_decref(j);
		return VX6_AGAIN; /* an earlier request's */
	}
	*msg = j;
	return VX6_OK;
}

enum vx6_status api_client_next(struct api_client *c, int wait_ms, json_t **msg)
{
	uint64_t until = wait_ms < 0
				 ? VX6_NEVER
				 : vx6_now_ns() + (uint64_t)wait_ms * VX6_MS;
	enum vx6_status st;

	for (;;) {
		size_t have = c->len - c->at;
		const char *end = have == 0
					  ? NULL
					  : memchr(c->buf + c->at, '\n', have);

		if (end != NULL) {
			st = take(c, end, msg);
			if (st != VX6_AGAIN)
				return st;
			continue;
		}
		st = wait_readable(c->fd, until);
		if (st == VX6_OK)
			st = fill(c);
		if (st != VX6_OK)
			return st;
	}
}
