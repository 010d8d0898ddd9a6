/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream: streams and datagrams as the owner sees them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"

static struct quic_stream **bucket_of(struct quic_conn *c, int64_t id)
{
	return &c->bucket[((uint64_t)id >> 2 ^ (uint64_t)id) % QUIC_BUCKETS];
}

static struct quic_stream *find(const struct quic_conn *c, int64_t id)
{
	size_t b = ((uint64_t)id >> 2 ^ (uint64_t)id) % QUIC_BUCKETS;
	struct quic_stream *s = c->bucket[b];

	while (s && s->id != id)
		s = s->next;
	return s;
}

static bool is_local(const struct quic_conn *c, int64_t id)
{
	return ((id & 1) == 0) == c->client;
}

/* While streams are open a tunnel does not idle out (RFC 9000 section
 * 10.1.2). */
static void keep_alive(struct quic_conn *c)
{
	if (c->alpn != QUIC_TUNNEL || !c->q)
		return;
	ngtcp2_conn_set_keep_alive_timeout(
		c->q, c->stream_cnt > 0 ? c->ep->limits.tunnel_idle_ns / 4
					: UINT64_MAX);
}

static struct quic_stream *add(struct quic_conn *c, int64_t id)
{
	struct quic_stream *s = calloc(1, sizeof(*s));
	struct quic_stream **b = bucket_of(c, id);

	if (!s)
		return NULL;
	s->conn = c;
	s->id = id;
	s->next = *b;
	*b = s;
	quic_sendbuf_init(&s->out, c->ep->limits.stream_buffer);
	c->stream_cnt++;
	if (is_local(c, id))
		c->local_cnt++;
	if (c->stream_cnt == 1)
		keep_alive(c);
	return s;
}

void quic_stream_join_round(struct quic_stream *s)
{
	struct quic_conn *c = s->conn;

	if (s->in_round)
		return;
	s->in_round = true;
	s->ready_next = NULL;
	if (c->round_tail)
		c->round_tail->ready_next = s;
	else
		c->round_head = s;
	c->round_tail = s;
}

void quic_stream_leave_round(struct quic_stream *s)
{
	struct quic_conn *c = s->conn;
	struct quic_stream *before = NULL;

	if (!s->in_round)
		return;
	for (struct quic_stream *x = c->round_head; x != s; x = x->ready_next)
		before = x;
	if (before)
		before->ready_next = s->ready_next;
	else
		c->round_head = s->ready_next;
	if (c->round_tail == s)
		c->round_tail = before;
	s->in_round = false;
	s->ready_next = NULL;
}

static void drop(struct quic_stream *s)
{
	struct quic_conn *c = s->conn;
	struct quic_stream **at = bucket_of(c, s->id);

	quic_stream_leave_round(s);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	c->stream_cnt--;
	if (is_local(c, s->id))
		c->local_cnt--;
	c->lost_packets += s->lost;
	quic_sendbuf_free(&s->out);
	free(s);
	if (c->stream_cnt == 0)
		keep_alive(c);
}

void quic_stream_free_all(struct quic_conn *c)
{
	for (size_t i = 0; i < QUIC_BUCKETS; i++) {
		while (c->bucket[i])
			drop(c->bucket[i]);
	}
}

/* Resets and stops that the owner asked for inside an event. */
void quic_stream_notes(struct quic_conn *c)
{
	c->has_notes = false;
	for (size_t i = 0; i < QUIC_BUCKETS; i++) {
		for (struct quic_stream *s = c->bucket[i]; s; s = s->next) {
			if (s->reset)
				ngtcp2_conn_shutdown_stream_write(
					c->q, 0, s->id, s->reset_code);
			if (s->stop)
				ngtcp2_conn_shutdown_stream_read(c->q, 0, s->id,
								 s->stop_code);
			s->reset = false;
			s->stop = false;
		}
	}
}

/* ---- ngtcp2's callbacks ---- */

/* What a server sends before its HANDSHAKE_DONE arrived is as good as
 * that: an honest one sends nothing before our proof is in. */
static bool may_raise(struct quic_conn *c)
{
	if (c->state == CONN_HANDSHAKE)
		quic_conn_ready(c);
	return c->state == CONN_READY && quic_raises(c);
}

static int on_open(ngtcp2_conn *q, int64_t id, void *user)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;
	struct quic_stream *s = add(c, id);

	if (!s || ngtcp2_conn_set_stream_user_data(q, id, s) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (may_raise(c) && ep->events.stream_open) {
		ep->in_event++;
		ep->events.stream_open(ep->ctx, c, id);
		ep->in_event--;
	}
	return 0;
}

static int on_data(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t offset,
		   const uint8_t *data, size_t len, void *user, void *stream)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;
	struct quic_stream *s = stream;
	bool fin = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;

	(void)offset;
	if (s && !s->stop && may_raise(c) && ep->events.stream_data) {
		s->unread += len;
		ep->in_event++;
		ep->events.stream_data(ep->ctx, c, id, data, len, fin);
		ep->in_event--;
		return 0;
	}
	/* nobody will consume it */
	ngtcp2_conn_extend_max_stream_offset(q, id, len);
	ngtcp2_conn_extend_max_offset(q, len);
	return 0;
}

static int on_acked(ngtcp2_conn *q, int64_t id, uint64_t offset, uint64_t len,
		    void *user, void *stream)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;
	struct quic_stream *s = stream;

	(void)q;
	if (!s)
		return 0;
	quic_sendbuf_acked(&s->out, offset + len);
	if (!s->want_room || s->dead ||
	    quic_sendbuf_space(&s->out) < s->out.limit / 4)
		return 0;
	s->want_room = false;
	if (may_raise(c) && ep->events.stream_room) {
		ep->in_event++;
		ep->events.stream_room(ep->ctx, c, id);
		ep->in_event--;
	}
	return 0;
}

static int on_close(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t code,
		    void *user, void *stream)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;
	struct quic_stream *s = stream;

	(void)flags;
	(void)code;
	if (!is_local(c, id))
		ngtcp2_conn_extend_max_streams_bidi(q, 1);
	if (!s)
		return 0;
	ngtcp2_conn_extend_max_offset(q, s->unread);
	s->lost = ngtcp2_conn_get_stream_loss_count(q, id);
	drop(s);
	if (may_raise(c) && ep->events.stream_closed) {
		ep->in_event++;
		ep->events.stream_closed(ep->ctx, c, id);
		ep->in_event--;
	}
	return 0;
}

static int on_reset(ngtcp2_conn *q, int64_t id, uint64_t size, uint64_t code,
		    void *user, void *stream)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;

	(void)q;
	(void)size;
	(void)stream;
	if (may_raise(c) && ep->events.stream_reset) {
		ep->in_event++;
		ep->events.stream_reset(ep->ctx, c, id, code);
		ep->in_event--;
	}
	return 0;
}

/* ngtcp2 has answered with RESET_STREAM by itself (RFC 9000 section 3.5). */
void quic_stream_stopped(struct quic_stream *s, uint64_t code)
{
	struct quic_conn *c = s->conn;
	struct quic_endpoint *ep = c->ep;
	int64_t id = s->id;

	if (s->stopped)
		return;
	s->stopped = true;
	s->dead = true;
	quic_stream_leave_round(s);
	if (may_raise(c) && ep->events.stream_stop) {
		ep->in_event++;
		ep->events.stream_stop(ep->ctx, c, id, code);
		ep->in_event--;
	}
}

void quic_stream_stops(struct quic_conn *c, const struct quic_stops *stops)
{
	for (unsigned i = 0; i < stops->cnt; i++) {
		struct quic_stream *s = find(c, stops->of[i].id);

		if (s)
			quic_stream_stopped(s, stops->of[i].code);
	}
}

static int on_window(ngtcp2_conn *q, int64_t id, uint64_t max, void *user,
		     void *stream)
{
	struct quic_stream *s = stream;

	(void)q;
	(void)id;
	(void)max;
	(void)user;
	if (s && s->blocked) {
		s->blocked = false;
		quic_stream_join_round(s);
	}
	return 0;
}

static int on_datagram(ngtcp2_conn *q, uint32_t flags, const uint8_t *data,
		       size_t len, void *user)
{
	struct quic_conn *c = user;
	struct quic_endpoint *ep = c->ep;

	(void)q;
	(void)flags;
	if (len == 0 || data[0] == 0)
		return 0; /* padding beside a migration */
	if (may_raise(c) && ep->events.datagram) {
		ep->in_event++;
		ep->events.datagram(ep->ctx, c, data, len);
		ep->in_event--;
	}
	return 0;
}

void quic_stream_callbacks(ngtcp2_callbacks *cb)
{
	cb->stream_open = on_open;
	cb->recv_stream_data = on_data;
	cb->acked_stream_data_offset = on_acked;
	cb->stream_close = on_close;
	cb->stream_reset = on_reset;
	cb->extend_max_stream_data = on_window;
	cb->recv_datagram = on_datagram;
}

/* ---- the owner's side ---- */

static bool is_usable(const struct quic_conn *c)
{
	return c->state == CONN_READY && !c->close_req;
}

enum vx6_status quic_stream_new(struct quic_conn *c, int64_t *stream)
{
	if (!is_usable(c))
		return VX6_BAD_STATE;
	if (c->local_cnt >= c->ep->limits.streams)
		return VX6_AGAIN;
	int r = ngtcp2_conn_open_bidi_stream(c->q, stream, NULL);
	if (r == NGTCP2_ERR_STREAM_ID_BLOCKED)
		return VX6_AGAIN;
	if (r != 0)
		return VX6_NO_MEMORY;
	struct quic_stream *s = add(c, *stream);
	if (!s) {
		ngtcp2_conn_shutdown_stream(c->q, 0, *stream, 0);
		return VX6_NO_MEMORY;
	}
	ngtcp2_conn_set_stream_user_data(c->q, *stream, s);
	return VX6_OK;
}

size_t quic_stream_space(const struct quic_conn *c, int64_t stream)
{
	const struct quic_stream *s = find(c, stream);

	if (!is_usable(c) || !s || s->fin || s->dead)
		return 0;
	return quic_sendbuf_space(&s->out);
}

size_t quic_stream_send(struct quic_conn *c, int64_t stream,
			const uint8_t *data, size_t len, bool fin)
{
	struct quic_stream *s = find(c, stream);
	size_t n;

	if (!is_usable(c) || !s || s->fin || s->dead)
		return 0;
	n = quic_sendbuf_put(&s->out, data, len);
	if (n < len)
		s->want_room = true;
	else if (fin)
		s->fin = true;
	if ((n > 0 || s->fin) && !s->blocked)
		quic_stream_join_round(s);
	quic_mark_dirty(c);
	return n;
}

void quic_stream_consumed(struct quic_conn *c, int64_t stream, size_t len)
{
	struct quic_stream *s = find(c, stream);

	if (c->state != CONN_READY || !s)
		return; /* its bytes were given back when it closed */
	if (len > s->unread)
		len = (size_t)s->unread;
	s->unread -= len;
	ngtcp2_conn_extend_max_stream_offset(c->q, stream, len);
	ngtcp2_conn_extend_max_offset(c->q, len);
	quic_mark_dirty(c);
}

static void note(struct quic_conn *c)
{
	c->has_notes = true;
	quic_mark_dirty(c);
	if (c->busy == 0)
		quic_stream_notes(c);
}

void quic_stream_reset(struct quic_conn *c, int64_t stream, uint64_t code)
{
	struct quic_stream *s = find(c, stream);

	if (!is_usable(c) || !s || s->reset)
		return;
	quic_stream_leave_round(s);
	s->dead = true;
	s->reset = true;
	s->reset_code = code & NGTCP2_MAX_VARINT;
	note(c);
}

void quic_stream_stop(struct quic_conn *c, int64_t stream, uint64_t code)
{
	struct quic_stream *s = find(c, stream);

	if (!is_usable(c) || !s || s->stop)
		return;
	s->stop = true;
	s->stop_code = code & NGTCP2_MAX_VARINT;
	note(c);
}

enum vx6_status quic_datagram_send(struct quic_conn *c, const uint8_t *data,
				   size_t len)
{
	const ngtcp2_transport_params *peer;

	if (!is_usable(c))
		return VX6_BAD_STATE;
	peer = ngtcp2_conn_get_remote_transport_params(c->q);
	if (len == 0 || data[0] == 0)
		return VX6_MALFORMED;
	if (len > quic_datagram_room(c) || !peer ||
	    len + 3 > peer->max_datagram_frame_size)
		return VX6_BAD_SIZE;
	if (!c->dgrams)
		c->dgrams = calloc(1, sizeof(*c->dgrams));
	if (!c->dgrams)
		return VX6_NO_MEMORY;
	if (c->dgrams->cnt == QUIC_DGRAMS)
		return VX6_AGAIN;
	struct quic_dgram *d =
		&c->dgrams
			 ->slot[(c->dgrams->at + c->dgrams->cnt) % QUIC_DGRAMS];
	d->len = (uint16_t)len;
	memcpy(d->data, data, len);
	c->dgrams->cnt++;
	quic_mark_dirty(c);
	return VX6_OK;
}

static void add_losses(const struct quic_conn *c, struct quic_stats *st)
{
	for (size_t i = 0; i < QUIC_BUCKETS; i++) {
		for (const struct quic_stream *s = c->bucket[i]; s; s = s->next)
			st->lost_packets +=
				ngtcp2_conn_get_stream_loss_count(c->q, s->id);
	}
}

void quic_stats(const struct quic_conn *c, struct quic_stats *st)
{
	ngtcp2_conn_info info;

	*st = (struct quic_stats){
		.rx_bytes = c->rx_bytes,
		.tx_bytes = c->tx_bytes,
		.lost_packets = c->lost_packets,
		.sent_packets = c->sent_packets,
		.last_rx_ns = c->last_rx_ns,
		.first_unanswered_ns = c->unanswered_ns,
		.streams = c->stream_cnt,
	};
	if (!c->q)
		return;
	ngtcp2_conn_get_conn_info(c->q, &info);
	st->latest_rtt_ns = info.latest_rtt;
	st->srtt_ns = info.smoothed_rtt;
	st->pto_ns = ngtcp2_conn_get_pto(c->q);
	st->cwnd = info.cwnd;
	st->in_flight = info.bytes_in_flight;
	add_losses(c, st);
}
