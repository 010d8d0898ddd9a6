/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/service/mux.h"

#include <stdlib.h>

#include "controlplane/service/mux_own.h"

#define STREAMS   256u
#define TOTAL     4096u
#define WAITING   64u
#define TARGET_NS (5 * VX6_SEC)
#define OPEN_NS   (10 * VX6_SEC)
#define ANSWER_NS (15 * VX6_SEC)

const char *mux_refusal_name(enum mux_refusal why)
{
	static const char *const name[MUX_REFUSED_CNT] = {
		[MUX_REFUSED_DENIED] = "denied",
		[MUX_REFUSED_TARGET] = "target",
		[MUX_REFUSED_BUSY] = "busy",
		[MUX_REFUSED_TIME] = "time",
		[MUX_REFUSED_BAD] = "bad",
		[MUX_REFUSED_GONE] = "gone",
	};

	return why < MUX_REFUSED_CNT ? name[why] : "unknown";
}

/* ---- streams ---- */

static bool is_open(const struct mux_stream *s)
{
	return s->state == STREAM_OPEN;
}

static void count_now(struct mux_stream *s, uint32_t by)
{
	struct mux_stats *at[2] = { &s->hub->stats,
				    s->mux ? &s->mux->stats : NULL };

	for (unsigned i = 0; i < VX6_COUNT(at) && at[i]; i++) {
		if (is_open(s))
			at[i]->open += by;
		else
			at[i]->opening += by;
	}
}

void stream_set_state(struct mux_stream *s, enum stream_state state)
{
	count_now(s, UINT32_MAX); /* one less */
	s->state = state;
	count_now(s, 1);
	if (!is_open(s))
		return;
	s->hub->stats.opened++;
	s->mux->stats.opened++;
}

void stream_put(struct mux_stream *s, struct stream_list *in)
{
	if (s->in)
		TAILQ_REMOVE(s->in, s, at);
	s->in = in;
	TAILQ_INSERT_TAIL(in, s, at);
}

/* let_go counts what a stream carried and frees it. */
static void let_go(struct mux_stream *s)
{
	struct mux *mux = s->mux;

	count_now(s, UINT32_MAX);
	if (mux) {
		mux->streams--;
		mux->queued -= s->in == &mux->queue;
		mux->stats.up_bytes += s->bridge.up_bytes;
		mux->stats.down_bytes += s->bridge.down_bytes;
	}
	loop_timer_clear(&s->deadline);
	loop_fd_close(s->watch);
	bridge_rst(s->fd);
	if (s->in)
		TAILQ_REMOVE(s->in, s, at);
	free(s);
}

void stream_free(struct mux_stream *s)
{
	bridge_drop(&s->bridge);
	let_go(s);
}

/* on_over: the bridge has ended and has released everything. */
static void on_over(void *ctx, struct bridge *b, enum bridge_end how)
{
	struct mux_stream *s = ctx;

	(void)b;
	if (!is_open(s)) { /* more early bytes than there is room for */
		mux_refused(s->mux, MUX_REFUSED_BAD);
	} else {
		struct mux_stats *at[2] = { &s->hub->stats,
					    s->mux ? &s->mux->stats : NULL };

		for (unsigned i = 0; i < VX6_COUNT(at) && at[i]; i++) {
			if (how == BRIDGE_DONE)
				at[i]->closed++;
			else
				at[i]->reset++;
		}
	}
	let_go(s);
}

struct mux_stream *stream_new(struct mux *mux, enum stream_state state)
{
	struct mux_hub *hub = mux->hub;
	struct mux_stream *s;

	if (mux->streams >= hub->limits.streams ||
	    hub->stats.open + hub->stats.opening >= hub->limits.total)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->hub = hub;
	s->mux = mux;
	s->state = state;
	s->fd = -1;
	bridge_init(&s->bridge, &hub->env, mux->conn, -1, on_over, s);
	mux->streams++;
	count_now(s, 1);
	return s;
}

static struct stream_list *bucket(struct mux *mux, int64_t id)
{
	return &mux->bucket[((uint64_t)id >> 2) % MUX_BUCKETS];
}

void mux_insert(struct mux_stream *s, int64_t id)
{
	s->id = id;
	s->bridge.stream = id;
	stream_put(s, bucket(s->mux, id));
}

static struct mux_stream *find(struct mux *mux, int64_t id)
{
	struct mux_stream *s = TAILQ_FIRST(bucket(mux, id));

	while (s && s->id != id)
		s = TAILQ_NEXT(s, at);
	return s;
}

void mux_refused(struct mux *mux, enum mux_refusal why)
{
	mux->stats.refused[why]++;
	mux->hub->stats.refused[why]++;
}

void mux_abort(struct mux *mux, int64_t id, enum mux_code code)
{
	if (!mux->conn)
		return;
	quic_stream_reset(mux->conn, id, code);
	quic_stream_stop(mux->conn, id, code);
}

/* ---- hub ---- */

static void take_limits(struct mux_limits *to, const struct mux_limits *from)
{
	*to = *from;
	if (to->streams == 0)
		to->streams = STREAMS;
	if (to->total == 0)
		to->total = TOTAL;
	if (to->waiting == 0)
		to->waiting = WAITING;
	if (to->target_ns == 0)
		to->target_ns = TARGET_NS;
	if (to->open_ns == 0)
		to->open_ns = OPEN_NS;
	if (to->answer_ns == 0)
		to->answer_ns = ANSWER_NS;
}

enum vx6_status mux_hub_open(struct mux_hub **out, struct loop *l,
			     const struct mux_limits *limits,
			     const struct mux_hooks *hooks)
{
	struct mux_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return VX6_NO_MEMORY;
	hub->loop = l;
	hub->hooks = *hooks;
	take_limits(&hub->limits, limits);
	TAILQ_INIT(&hub->muxes);
	TAILQ_INIT(&hub->orphans);
	if (bridge_env_init(&hub->env, l, limits->buffer) != VX6_OK) {
		free(hub);
		return VX6_NO_MEMORY;
	}
	*out = hub;
	return VX6_OK;
}

void mux_hub_close(struct mux_hub *hub)
{
	struct mux_stream *s;

	if (!hub)
		return;
	while (!TAILQ_EMPTY(&hub->muxes))
		mux_gone(TAILQ_FIRST(&hub->muxes));
	while ((s = TAILQ_FIRST(&hub->orphans))) {
		TAILQ_REMOVE(&hub->orphans, s, at);
		s->in = NULL;
		stream_free(s);
	}
	bridge_env_free(&hub->env);
	free(hub);
}

void mux_hub_stats(const struct mux_hub *hub, struct mux_stats *s)
{
	*s = hub->stats;
	s->up_bytes = hub->env.up_bytes;
	s->down_bytes = hub->env.down_bytes;
	s->buffered = hub->env.buffered;
}

/* ---- mux ---- */

static void on_retry(void *ctx)
{
	mux_queue_try(ctx);
}

enum vx6_status mux_open(struct mux_hub *hub, struct quic_conn *c,
			 struct mux **out)
{
	struct mux *mux = calloc(1, sizeof(*mux));

	if (!mux)
		return VX6_NO_MEMORY;
	mux->hub = hub;
	mux->conn = c;
	for (unsigned i = 0; i < MUX_BUCKETS; i++)
		TAILQ_INIT(&mux->bucket[i]);
	TAILQ_INIT(&mux->queue);
	loop_timer_init(&mux->retry, hub->loop, on_retry, mux);
	TAILQ_INSERT_TAIL(&hub->muxes, mux, at);
	*out = mux;
	return VX6_OK;
}

/* adopt lets a stream whose bytes are all here go on without its mux. */
static void adopt(struct mux_stream *s)
{
	struct mux *mux = s->mux;

	mux->streams--;
	s->mux = NULL;
	stream_put(s, &s->hub->orphans);
}

static void lose(struct mux_stream *s)
{
	if (!is_open(s)) {
		s->bridge.conn = NULL;
		open_end(s);
		return;
	}
	if (s->bridge.forgotten)
		adopt(s);
	bridge_lost(&s->bridge);
}

void mux_gone(struct mux *mux)
{
	mux->conn = NULL; /* refuses mux_connect from here on */
	loop_timer_clear(&mux->retry);
	while (!TAILQ_EMPTY(&mux->queue))
		lose(TAILQ_FIRST(&mux->queue));
	for (unsigned i = 0; i < MUX_BUCKETS; i++)
		while (!TAILQ_EMPTY(&mux->bucket[i]))
			lose(TAILQ_FIRST(&mux->bucket[i]));
	TAILQ_REMOVE(&mux->hub->muxes, mux, at);
	free(mux);
}

void mux_stats(const struct mux *mux, struct mux_stats *s)
{
	const struct mux_stream *each;

	*s = mux->stats;
	for (unsigned i = 0; i < MUX_BUCKETS; i++) {
		each = TAILQ_FIRST(&mux->bucket[i]);
		for (; each; each = TAILQ_NEXT(each, at)) {
			s->up_bytes += each->bridge.up_bytes;
			s->down_bytes += each->bridge.down_bytes;
			s->buffered += each->bridge.buffered;
		}
	}
}

/* ---- QUIC's events ---- */

void mux_stream_open(struct mux *mux, int64_t stream)
{
	struct mux_stream *s = stream_new(mux, STREAM_OPENING);

	if (!s) {
		mux_refused(mux, MUX_REFUSED_BUSY);
		mux_answer_fail(mux, stream, MSG_OPEN_BUSY);
		return;
	}
	mux_insert(s, stream);
	open_begin(s);
}

void mux_stream_data(struct mux *mux, int64_t stream, const uint8_t *data,
		     size_t len, bool fin)
{
	struct mux_stream *s = find(mux, stream);

	if (!s) /* ended here; the connection's window is for the others */
		quic_stream_consumed(mux->conn, stream, len);
	else if (is_open(s))
		bridge_data(&s->bridge, data, len, fin);
	else
		open_data(s, data, len, fin);
}

void mux_stream_room(struct mux *mux, int64_t stream)
{
	struct mux_stream *s = find(mux, stream);

	if (s && is_open(s))
		bridge_room(&s->bridge);
}

void mux_stream_reset(struct mux *mux, int64_t stream)
{
	struct mux_stream *s = find(mux, stream);

	if (s && is_open(s))
		bridge_reset(&s->bridge);
	else if (s)
		open_end(s);
}

void mux_stream_stop(struct mux *mux, int64_t stream)
{
	struct mux_stream *s = find(mux, stream);

	if (!s || s->state == STREAM_ASKED)
		return; /* OPEN_FAIL or a reset is on its way */
	mux_stream_reset(mux, stream);
}

void mux_stream_closed(struct mux *mux, int64_t stream)
{
	struct mux_stream *s = find(mux, stream);

	if (s && is_open(s))
		bridge_closed(&s->bridge);
	else if (s)
		open_end(s);
	mux_queue_try(mux);
}
