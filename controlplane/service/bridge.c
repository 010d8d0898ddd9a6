/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/service/bridge.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/service/mux.h"

#define SPARE  64u /* chunks kept for use again: 1 MiB */
#define ROUNDS 4   /* reads of one socket in one turn */
#define SPANS  16  /* chunks in one write */

struct bridge_chunk {
	struct bridge_chunk *next;
	size_t from, to; /* what of data is still to be written */
	uint8_t data[BRIDGE_CHUNK];
};

void bridge_rst(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* ---- what bridges share ---- */

enum vx6_status bridge_env_init(struct bridge_env *env, struct loop *l,
				size_t buffer)
{
	*env = (struct bridge_env){
		.loop = l,
		.buffer = buffer ? buffer : BRIDGE_BUFFER,
		.scratch = malloc(BRIDGE_READ),
	};
	return env->scratch ? VX6_OK : VX6_NO_MEMORY;
}

void bridge_env_free(struct bridge_env *env)
{
	while (env->spare) {
		struct bridge_chunk *c = env->spare;

		env->spare = c->next;
		free(c);
	}
	free(env->scratch);
	*env = (struct bridge_env){ 0 };
}

static struct bridge_chunk *chunk_get(struct bridge_env *env)
{
	struct bridge_chunk *c = env->spare;

	if (c) {
		env->spare = c->next;
		env->spare_cnt--;
	} else {
		c = malloc(sizeof(*c));
	}
	if (c) {
		c->next = NULL;
		c->from = c->to = 0;
	}
	return c;
}

static void chunk_put(struct bridge_env *env, struct bridge_chunk *c)
{
	if (env->spare_cnt == SPARE) {
		free(c);
		return;
	}
	c->next = env->spare;
	env->spare = c;
	env->spare_cnt++;
}

/* ---- bytes for the socket ---- */

static bool keep(struct bridge *b, const uint8_t *data, size_t len)
{
	struct bridge_env *env = b->env;

	if (len > env->buffer - b->buffered)
		return false;
	while (len > 0) {
		struct bridge_chunk *c = b->tail;

		if (!c || c->to == BRIDGE_CHUNK) {
			c = chunk_get(env);
			if (!c)
				return false;
			if (b->tail)
				b->tail->next = c;
			else
				b->head = c;
			b->tail = c;
		}
		size_t room = BRIDGE_CHUNK - c->to;
		size_t n = len < room ? len : room;

		memcpy(c->data + c->to, data, n);
		c->to += n;
		data += n;
		len -= n;
		b->buffered += n;
		env->buffered += n;
	}
	if (b->buffered > env->buffered_max)
		env->buffered_max = b->buffered;
	return true;
}

/* let_go takes n written or useless bytes off the front. */
static void let_go(struct bridge *b, size_t n)
{
	b->buffered -= n;
	b->env->buffered -= n;
	while (b->head) {
		struct bridge_chunk *c = b->head;
		size_t here = c->to - c->from;

		if (n < here) {
			c->from += n;
			return;
		}
		n -= here;
		b->head = c->next;
		chunk_put(b->env, c);
	}
	b->tail = NULL;
}

/* ---- the end ---- */

/* release gives back everything but the stream. */
static void release(struct bridge *b, bool rst)
{
	loop_task_clear(&b->flush);
	loop_fd_close(b->watch);
	b->watch = NULL;
	/* Bytes that nobody will read still count in the connection's
	 * window, which other streams need. */
	if (b->conn && b->buffered > 0)
		quic_stream_consumed(b->conn, b->stream, b->buffered);
	let_go(b, b->buffered);
	if (rst)
		bridge_rst(b->fd);
	else if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

/* finish is the last thing that happens to b: after it b may be freed
 * memory. */
static void finish(struct bridge *b, enum bridge_end how)
{
	release(b, how != BRIDGE_DONE);
	if (how != BRIDGE_DONE && b->conn && !b->forgotten) {
		quic_stream_reset(b->conn, b->stream, MUX_CODE_RST);
		quic_stream_stop(b->conn, b->stream, MUX_CODE_RST);
	}
	b->over(b->ctx, b, how);
}

void bridge_drop(struct bridge *b)
{
	release(b, true);
}

/* ---- socket and stream ---- */

static void watch(struct bridge *b)
{
	unsigned want = 0;

	if (!b->up_fin && !b->blocked)
		want |= LOOP_READ;
	if (b->full)
		want |= LOOP_WRITE;
	if (want == 0 && !b->deaf)
		want = LOOP_HUP;
	loop_fd_watch(b->watch, want);
}

/* write_some gives the socket what it takes.  False: b is finished. */
static bool write_some(struct bridge *b)
{
	struct iovec iov[SPANS];
	struct msghdr msg = { .msg_iov = iov };
	ssize_t n;

	for (struct bridge_chunk *c = b->head; c && msg.msg_iovlen < SPANS;
	     c = c->next)
		iov[msg.msg_iovlen++] = (struct iovec){
			.iov_base = c->data + c->from,
			.iov_len = c->to - c->from,
		};
	do
		n = sendmsg(b->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		b->full = true;
		return true;
	}
	if (n < 0) {
		finish(b, BRIDGE_RST_LOCAL);
		return false;
	}
	let_go(b, (size_t)n);
	b->down_bytes += (uint64_t)n;
	b->env->down_bytes += (uint64_t)n;
	if (b->conn)
		quic_stream_consumed(b->conn, b->stream, (size_t)n);
	return true;
}

/* write_out writes until the socket is full or nothing is left, and then
 * the end, where the stream has ended.  False: b is finished. */
static bool write_out(struct bridge *b)
{
	while (b->buffered > 0 && !b->full)
		if (!write_some(b))
			return false;
	if (b->buffered > 0 || !b->down_fin || b->down_shut)
		return true;
	b->down_shut = true;
	if (shutdown(b->fd, SHUT_WR) < 0) {
		finish(b, BRIDGE_RST_LOCAL);
		return false;
	}
	if (!b->up_fin)
		return true;
	finish(b, BRIDGE_DONE);
	return false;
}

/* ask_room makes the stream tell when it has room: it does so after a send
 * of which it took less than all, so it is offered a byte that has no
 * place. */
static bool ask_room(struct bridge *b)
{
	b->blocked = true;
	if (quic_stream_send(b->conn, b->stream, b->env->scratch, 1, false) ==
	    0)
		return true;
	finish(b, BRIDGE_OVERRUN);
	return false;
}

/* read_end: the local program has sent its last byte. */
static bool read_end(struct bridge *b)
{
	b->up_fin = true;
	quic_stream_send(b->conn, b->stream, NULL, 0, true);
	if (!b->down_shut)
		return true;
	finish(b, BRIDGE_DONE);
	return false;
}

/* read_in gives the stream what it takes.  False: b is finished. */
static bool read_in(struct bridge *b)
{
	for (int round = 0; round < ROUNDS; round++) {
		size_t space = quic_stream_space(b->conn, b->stream);
		ssize_t n;

		if (space == 0)
			return ask_room(b);
		n = recv(b->fd, b->env->scratch,
			 space < BRIDGE_READ ? space : BRIDGE_READ, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n == 0)
			return read_end(b);
		if (n < 0 ||
		    quic_stream_send(b->conn, b->stream, b->env->scratch,
				     (size_t)n, false) != (size_t)n) {
			finish(b, n < 0 ? BRIDGE_RST_LOCAL : BRIDGE_OVERRUN);
			return false;
		}
		b->up_bytes += (uint64_t)n;
		b->env->up_bytes += (uint64_t)n;
	}
	return true;
}

/* work does what can be done at the end of a turn. */
static void work(void *ctx)
{
	struct bridge *b = ctx;

	if (b->fd < 0)
		return;
	if (!b->full && !write_out(b))
		return;
	if (b->eager && !b->blocked && !b->up_fin) {
		b->eager = false;
		if (!read_in(b))
			return;
	}
	watch(b);
}

static bool has_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err;
}

static void on_ready(void *ctx, unsigned events)
{
	struct bridge *b = ctx;

	if (events & LOOP_HUP) {
		if (has_error(b->fd)) {
			finish(b, BRIDGE_RST_LOCAL);
			return;
		}
		b->deaf = true;
	}
	if (events & LOOP_WRITE) {
		b->full = false;
		if (!write_out(b))
			return;
	}
	if (events & LOOP_READ && !b->up_fin && !b->blocked && !read_in(b))
		return;
	watch(b);
}

void bridge_init(struct bridge *b, struct bridge_env *env,
		 struct quic_conn *conn, int64_t stream,
		 void (*over)(void *ctx, struct bridge *b, enum bridge_end how),
		 void *ctx)
{
	*b = (struct bridge){
		.env = env,
		.conn = conn,
		.stream = stream,
		.fd = -1,
		.over = over,
		.ctx = ctx,
	};
	loop_task_init(&b->flush, env->loop, work, b);
}

enum vx6_status bridge_start(struct bridge *b, int fd)
{
	const int on = 1;
	enum vx6_status st = loop_fd_open(b->env->loop, fd, on_ready, b,
					  &b->watch);

	if (st != VX6_OK)
		return st;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	b->fd = fd;
	b->eager = true; /* bytes may wait in the socket already */
	loop_task_add(&b->flush);
	return VX6_OK;
}

/* ---- what QUIC tells ---- */

void bridge_data(struct bridge *b, const uint8_t *data, size_t len, bool fin)
{
	size_t before = b->buffered;

	if (!keep(b, data, len)) {
		size_t lost = len - (b->buffered - before);

		/* what was not kept counts in the window as well */
		if (b->conn)
			quic_stream_consumed(b->conn, b->stream, lost);
		finish(b, BRIDGE_OVERRUN);
		return;
	}
	b->down_fin |= fin;
	if (b->fd < 0 || b->full)
		return;
	loop_task_add(&b->flush);
	if (b->buffered >= BRIDGE_READ && write_out(b))
		watch(b);
}

void bridge_room(struct bridge *b)
{
	b->blocked = false;
	b->eager = true;
	loop_task_add(&b->flush);
}

void bridge_reset(struct bridge *b)
{
	finish(b, BRIDGE_RST_PEER);
}

void bridge_closed(struct bridge *b)
{
	b->forgotten = true;
	if (!b->up_fin || !b->down_fin)
		finish(b, BRIDGE_RST_PEER);
}

void bridge_lost(struct bridge *b)
{
	b->conn = NULL;
	if (!b->forgotten)
		finish(b, BRIDGE_GONE);
}
