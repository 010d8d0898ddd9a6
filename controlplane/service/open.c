/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dialogue at the head of a service stream, both ends. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/service/mux_own.h"

#define RETRY_NS (20 * VX6_MS) /* QUIC does not tell of more streams */

/* send_whole queues a message on a stream that is as good as empty. */
static bool send_whole(struct mux *mux, int64_t id, const uint8_t *msg,
		       size_t len, bool fin)
{
	return quic_stream_send(mux->conn, id, msg, len, fin) == len;
}

void mux_answer_fail(struct mux *mux, int64_t id, enum msg_open_code code)
{
	uint8_t msg[MSG_HEAD_LEN + MSG_OPEN_MAX];
	size_t len;

	if (msg_open_fail_emit(code, msg, sizeof(msg), &len) != VX6_OK ||
	    !send_whole(mux, id, msg, len, true))
		quic_stream_reset(mux->conn, id, MUX_CODE_RST);
	quic_stream_stop(mux->conn, id, MUX_CODE_RST);
}

/* ---- how an attempt ends ---- */

static enum mux_refusal refusal_of(enum vx6_status how)
{
	switch ((int)how) {
	case VX6_DENIED: return MUX_REFUSED_DENIED;
	case VX6_UNREACHABLE: return MUX_REFUSED_TARGET;
	case VX6_NO_ROOM: return MUX_REFUSED_BUSY;
	case VX6_EXPIRED: return MUX_REFUSED_TIME;
	case VX6_MALFORMED: return MUX_REFUSED_BAD;
	default: return MUX_REFUSED_GONE;
	}
}

/* give_up ends an attempt: s is freed, its socket gets RST, the client's
 * result is told last. */
static void give_up(struct mux_stream *s, enum vx6_status how)
{
	mux_result_fn result = s->result;
	void *ctx = s->ctx;

	mux_refused(s->mux, refusal_of(how));
	stream_free(s);
	if (result)
		result(ctx, how);
}

static void refuse(struct mux_stream *s, enum msg_open_code code,
		   enum vx6_status how)
{
	mux_answer_fail(s->mux, s->id, code);
	give_up(s, how);
}

void open_end(struct mux_stream *s)
{
	if (s->state != STREAM_QUEUED)
		mux_abort(s->mux, s->id, MUX_CODE_RST);
	give_up(s, VX6_CLOSED);
}

/* violated: bytes that no peer of ours sends.  The tunnel is closed. */
static void violated(struct mux_stream *s)
{
	struct mux *mux = s->mux;
	struct quic_conn *conn = mux->conn;
	uint64_t now_ns = loop_now(mux->hub->loop);

	give_up(s, VX6_MALFORMED);
	quic_close(conn, MUX_CODE_BAD_OPEN, "not a service stream", now_ns);
}

/* cut_short: the stream ended inside the first message. */
static void cut_short(struct mux_stream *s)
{
	mux_abort(s->mux, s->id, MUX_CODE_BAD_OPEN);
	give_up(s, VX6_MALFORMED);
}

static void on_deadline(void *ctx)
{
	struct mux_stream *s = ctx;

	if (s->state == STREAM_CONNECTING) {
		refuse(s, MSG_OPEN_REFUSED, VX6_UNREACHABLE);
		return;
	}
	if (s->state != STREAM_QUEUED)
		mux_abort(s->mux, s->id, MUX_CODE_TIME);
	give_up(s, VX6_EXPIRED);
}

static void set_deadline(struct mux_stream *s, uint64_t in_ns)
{
	loop_timer_set(&s->deadline, loop_now(s->hub->loop) + in_ns);
}

/* ---- one message, in any number of pieces ---- */

enum gathered { GATHER_MORE, GATHER_WHOLE, GATHER_BAD };

static void take(struct mux_stream *s, size_t want, const uint8_t **data,
		 size_t *len)
{
	size_t n = want - s->got < *len ? want - s->got : *len;

	if (n == 0)
		return;
	memcpy(s->head + s->got, *data, n);
	s->got += n;
	*data += n;
	*len -= n;
	quic_stream_consumed(s->mux->conn, s->id, n);
}

static enum gathered gather(struct mux_stream *s, const uint8_t **data,
			    size_t *len, struct msg_head *h)
{
	if (s->got < MSG_HEAD_LEN)
		take(s, MSG_HEAD_LEN, data, len);
	if (s->got < MSG_HEAD_LEN)
		return GATHER_MORE;
	if (msg_head_parse(s->head, h) != VX6_OK || h->len > MSG_OPEN_MAX)
		return GATHER_BAD;
	take(s, MSG_HEAD_LEN + h->len, data, len);
	return s->got < MSG_HEAD_LEN + h->len ? GATHER_MORE : GATHER_WHOLE;
}

/* ---- owner ---- */

static void on_target(void *ctx, unsigned events)
{
	struct mux_stream *s = ctx;
	uint8_t msg[MSG_HEAD_LEN + MSG_OPEN_MAX];
	socklen_t size = sizeof(int);
	int err = 0, fd = s->fd;
	size_t len;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 || err) {
		refuse(s, MSG_OPEN_REFUSED, VX6_UNREACHABLE);
		return;
	}
	loop_fd_close(s->watch);
	s->watch = NULL;
	if (msg_open_ok_emit(msg, sizeof(msg), &len) != VX6_OK ||
	    !send_whole(s->mux, s->id, msg, len, false) ||
	    bridge_start(&s->bridge, fd) != VX6_OK) {
		mux_abort(s->mux, s->id, MUX_CODE_RST);
		give_up(s, VX6_NO_ROOM);
		return;
	}
	s->fd = -1;
	loop_timer_clear(&s->deadline);
	stream_set_state(s, STREAM_OPEN);
}

/* dial begins to connect.  VX6_NO_ROOM: no descriptor or memory is left. */
static enum vx6_status dial(struct mux_stream *s, const struct vx6_addr *target)
{
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(target, &sa);
	int fd = socket(sa.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return VX6_NO_ROOM;
	s->fd = fd;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 &&
	    errno != EINPROGRESS)
		return VX6_UNREACHABLE;
	if (loop_fd_open(s->hub->loop, fd, on_target, s, &s->watch) != VX6_OK)
		return VX6_NO_ROOM;
	loop_fd_watch(s->watch, LOOP_WRITE);
	return VX6_OK;
}

/* ask_owner: whoever is refused is refused here, with one answer and after
 * the same work, whatever the reason was. */
static bool ask_owner(struct mux_stream *s, const struct msg_open *m,
		      struct vx6_addr *target)
{
	const struct mux_hooks *hooks = &s->hub->hooks;
	enum vx6_status st = VX6_DENIED;

	if (hooks->authorise)
		st = hooks->authorise(hooks->ctx, s->mux->conn, m->name,
				      m->proto, target);
	return st == VX6_OK && m->proto == MSG_TCP;
}

static void take_open(struct mux_stream *s, const uint8_t *data, size_t len,
		      bool fin)
{
	struct msg_head h;
	struct msg_open m;
	struct vx6_addr target;
	enum gathered g = gather(s, &data, &len, &h);
	enum vx6_status st;

	if (g == GATHER_MORE) {
		if (fin)
			cut_short(s);
		return;
	}
	if (g == GATHER_BAD || h.type != MSG_OPEN ||
	    msg_open_parse(s->head + MSG_HEAD_LEN, h.len, &m) != VX6_OK) {
		violated(s);
		return;
	}
	if (!ask_owner(s, &m, &target)) {
		refuse(s, MSG_OPEN_NOT_ALLOWED, VX6_DENIED);
		return;
	}
	st = dial(s, &target);
	if (st != VX6_OK) {
		refuse(s, st == VX6_NO_ROOM ? MSG_OPEN_BUSY : MSG_OPEN_REFUSED,
		       st);
		return;
	}
	stream_set_state(s, STREAM_CONNECTING);
	set_deadline(s, s->hub->limits.target_ns);
	if (len > 0 || fin)
		bridge_data(&s->bridge, data, len, fin);
}

void open_begin(struct mux_stream *s)
{
	loop_timer_init(&s->deadline, s->hub->loop, on_deadline, s);
	set_deadline(s, s->hub->limits.open_ns);
}

/* ---- client ---- */

static enum vx6_status status_of(uint32_t code)
{
	switch (code) {
	case MSG_OPEN_NOT_ALLOWED: return VX6_DENIED;
	case MSG_OPEN_BUSY: return VX6_NO_ROOM;
	default: return VX6_UNREACHABLE;
	}
}

/* probe_done: the owner would carry bytes, and that was the question. */
static void probe_done(struct mux_stream *s)
{
	mux_result_fn result = s->result;
	void *ctx = s->ctx;

	mux_abort(s->mux, s->id, MUX_CODE_RST);
	stream_free(s);
	result(ctx, VX6_OK);
}

static void begin_bridge(struct mux_stream *s, const uint8_t *data, size_t len,
			 bool fin)
{
	mux_result_fn result = s->result;
	void *ctx = s->ctx;
	struct mux *mux = s->mux;
	int64_t id = s->id;

	loop_fd_close(s->watch);
	s->watch = NULL;
	if (bridge_start(&s->bridge, s->fd) != VX6_OK) {
		mux_abort(mux, id, MUX_CODE_RST);
		give_up(s, VX6_NO_ROOM);
		return;
	}
	s->fd = -1;
	s->result = NULL;
	loop_timer_clear(&s->deadline);
	stream_set_state(s, STREAM_OPEN);
	if (len > 0 || fin)
		bridge_data(&s->bridge, data, len, fin);
	if (result)
		result(ctx, VX6_OK);
}

static void take_answer(struct mux_stream *s, const uint8_t *data, size_t len,
			bool fin)
{
	const uint8_t *body = s->head + MSG_HEAD_LEN;
	struct msg_head h;
	uint32_t code;
	enum gathered g = gather(s, &data, &len, &h);

	if (g == GATHER_MORE) {
		if (fin)
			cut_short(s);
		return;
	}
	if (g == GATHER_WHOLE && h.type == MSG_OPEN_OK &&
	    msg_open_ok_parse(body, h.len) == VX6_OK) {
		if (s->fd < 0)
			probe_done(s);
		else
			begin_bridge(s, data, len, fin);
		return;
	}
	if (g == GATHER_WHOLE && h.type == MSG_OPEN_FAIL &&
	    msg_open_fail_parse(body, h.len, &code) == VX6_OK) {
		quic_stream_consumed(s->mux->conn, s->id, len);
		mux_abort(s->mux, s->id, MUX_CODE_RST);
		give_up(s, status_of(code));
		return;
	}
	violated(s);
}

void open_data(struct mux_stream *s, const uint8_t *data, size_t len, bool fin)
{
	switch (s->state) {
	case STREAM_OPENING: take_open(s, data, len, fin); return;
	case STREAM_ASKED: take_answer(s, data, len, fin); return;
	case STREAM_CONNECTING: bridge_data(&s->bridge, data, len, fin); return;
	case STREAM_QUEUED:
	case STREAM_OPEN: return;
	}
}

/* on_local: the local program reset its connection before the answer. */
static void on_local(void *ctx, unsigned events)
{
	struct mux_stream *s = ctx;
	socklen_t size = sizeof(int);
	int err = 0;

	(void)events;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 || err)
		open_end(s);
	else
		loop_fd_watch(s->watch, 0);
}

/* ask gets a stream id and sends OPEN.  VX6_AGAIN: the peer allows no more
 * streams just now. */
static enum vx6_status ask(struct mux_stream *s)
{
	struct msg_open m = { .proto = MSG_TCP };
	uint8_t msg[MSG_HEAD_LEN + MSG_OPEN_MAX];
	struct mux *mux = s->mux;
	int64_t id;
	size_t len;
	enum vx6_status st;

	memcpy(m.name, s->name, sizeof(m.name));
	st = msg_open_emit(&m, msg, sizeof(msg), &len);
	if (st == VX6_OK)
		st = quic_stream_new(mux->conn, &id);
	if (st != VX6_OK)
		return st;
	if (!send_whole(mux, id, msg, len, false)) {
		mux_abort(mux, id, MUX_CODE_RST);
		return VX6_NO_ROOM;
	}
	if (s->in)
		mux->queued--;
	stream_set_state(s, STREAM_ASKED);
	mux_insert(s, id);
	return VX6_OK;
}

static void retry_later(struct mux *mux)
{
	loop_timer_set(&mux->retry, loop_now(mux->hub->loop) + RETRY_NS);
}

static enum vx6_status ask_or_wait(struct mux_stream *s)
{
	struct mux *mux = s->mux;
	enum vx6_status st = TAILQ_EMPTY(&mux->queue) ? ask(s) : VX6_AGAIN;

	if (st != VX6_AGAIN)
		return st;
	if (mux->queued >= mux->hub->limits.waiting)
		return VX6_NO_ROOM;
	mux->queued++;
	stream_put(s, &mux->queue);
	retry_later(mux);
	return VX6_OK;
}

void mux_queue_try(struct mux *mux)
{
	while (!TAILQ_EMPTY(&mux->queue)) {
		struct mux_stream *s = TAILQ_FIRST(&mux->queue);
		enum vx6_status st = ask(s);

		if (st == VX6_AGAIN)
			break;
		if (st != VX6_OK)
			give_up(s, VX6_CLOSED);
	}
	if (!TAILQ_EMPTY(&mux->queue))
		retry_later(mux);
}

/* attempt queues or sends OPEN for a fresh stream; fd -1: a probe. */
static enum vx6_status attempt(struct mux *mux, int fd, const char *name,
			       mux_result_fn result, void *ctx)
{
	struct mux_stream *s;
	enum vx6_status st = VX6_OK;

	if (!name_ok(name, strlen(name)))
		return VX6_MALFORMED;
	if (!mux->conn)
		return VX6_CLOSED;
	s = stream_new(mux, STREAM_QUEUED);
	if (!s) {
		mux_refused(mux, MUX_REFUSED_BUSY);
		return VX6_NO_ROOM;
	}
	memcpy(s->name, name, strlen(name));
	s->result = result;
	s->ctx = ctx;
	loop_timer_init(&s->deadline, mux->hub->loop, on_deadline, s);
	if (fd >= 0)
		st = loop_fd_open(mux->hub->loop, fd, on_local, s, &s->watch);
	if (st == VX6_OK)
		st = ask_or_wait(s);
	if (st != VX6_OK) {
		stream_free(s);
		if (st == VX6_NO_ROOM)
			mux_refused(mux, MUX_REFUSED_BUSY);
		return st;
	}
	s->fd = fd;
	if (fd >= 0)
		loop_fd_watch(s->watch, LOOP_HUP);
	set_deadline(s, mux->hub->limits.answer_ns);
	return VX6_OK;
}

enum vx6_status mux_connect(struct mux *mux, int fd, const char *name,
			    mux_result_fn result, void *ctx)
{
	return fd < 0 ? VX6_SYS : attempt(mux, fd, name, result, ctx);
}

enum vx6_status mux_probe(struct mux *mux, const char *name,
			  mux_result_fn result, void *ctx)
{
	return attempt(mux, -1, name, result, ctx);
}
