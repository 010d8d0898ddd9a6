/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write: packets out.  ngtcp2 makes one at a time; those of one path and
 * one size lie behind each other and are handed out together, so that the
 * kernel can cut them apart (UDP_SEGMENT). */
#include <assert.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"

#define SPANS 8u

size_t quic_packet_room(const struct quic_conn *c)
{
	uint16_t d = c->d;

	if (d == 0)
		return c->no_shaping ? QUIC_MIN_PACKET : QUIC_UDP_PACKET;
	if (d >= QUIC_MIN_PACKET)
		return d;
	/* PROTOCOL.md section 10: full size while shorter would not do */
	if (c->state == CONN_HANDSHAKE)
		return QUIC_MIN_PACKET;
	if (!c->client && c->ep->now_ns < c->probe_until_ns)
		return QUIC_MIN_PACKET;
	return d;
}

bool quic_send_now(struct quic_endpoint *ep, struct quic_conn *c,
		   const struct quic_path *path, const uint8_t *data,
		   size_t len)
{
	bool taken;

	if (ep->batch.held || !ep->events.send)
		return false;
	ep->in_event++;
	taken = ep->events.send(ep->ctx, c, path, data, len, 0, 0);
	ep->in_event--;
	return taken;
}

static bool hand_out(struct quic_endpoint *ep)
{
	struct quic_batch *b = &ep->batch;
	bool taken = true;

	if (ep->events.send) {
		ep->in_event++;
		taken = ep->events.send(ep->ctx, b->conn, &b->path, b->data,
					b->len, b->cnt > 1 ? b->segment : 0,
					b->ecn);
		ep->in_event--;
	}
	return taken;
}

static void begin_batch(struct quic_batch *b, const struct quic_path *path,
			size_t len, unsigned ecn)
{
	b->len = len;
	b->segment = len;
	b->cnt = 1;
	b->path = *path;
	b->ecn = ecn;
}

/* Sends the batch; what could not join it becomes the next. */
static bool send_one(struct quic_endpoint *ep)
{
	struct quic_batch *b = &ep->batch;
	size_t at = b->len;

	b->held = !hand_out(ep);
	if (b->held)
		return false;
	b->len = 0;
	b->cnt = 0;
	if (b->next_len == 0)
		return true;
	memmove(b->data, b->data + at, b->next_len);
	begin_batch(b, &b->next_path, b->next_len, b->next_ecn);
	b->next_len = 0;
	return true;
}

bool quic_batch_send(struct quic_endpoint *ep)
{
	while (ep->batch.len > 0) {
		if (!send_one(ep))
			return false;
	}
	return true;
}

/* Whether a packet of len can go behind those that are there. */
static bool joins(const struct quic_batch *b, const struct quic_path *path,
		  size_t len, unsigned ecn)
{
	return b->cnt == 0 || (len <= b->segment && ecn == b->ecn &&
			       quic_same_path(path, &b->path));
}

/* Takes the packet of len bytes that was written behind the batch. */
static bool batch_add(struct quic_conn *c, const ngtcp2_path *from, size_t len,
		      unsigned ecn)
{
	struct quic_batch *b = &c->ep->batch;
	struct quic_path path;

	quic_to_path(&path, from);
	c->tx_bytes += len;
	c->sent_packets++;
	if (!joins(b, &path, len, ecn)) {
		b->next_path = path;
		b->next_ecn = ecn;
		b->next_len = len;
		return send_one(c->ep);
	}
	b->conn = c;
	if (b->cnt == 0) {
		begin_batch(b, &path, len, ecn);
	} else {
		b->len += len;
		b->cnt++;
	}
	if (len < b->segment || b->cnt == QUIC_BATCH_CNT ||
	    b->len + QUIC_MAX_PACKET > sizeof(b->data))
		return quic_batch_send(c->ep);
	return true;
}

enum outcome { WROTE, NOTHING, FAILED, HELD };

static enum outcome settle(struct quic_conn *c, ngtcp2_ssize n,
			   const ngtcp2_path_storage *ps,
			   const ngtcp2_pkt_info *pi)
{
	if (n < 0) {
		quic_conn_fail(c, (int)n);
		return FAILED;
	}
	if (n == 0)
		return NOTHING;
	return batch_add(c, &ps->path, (size_t)n, pi->ecn) ? WROTE : HELD;
}

/* ---- streams ---- */

struct offer { /* what one stream gives to a packet */
	struct quic_stream *s;
	ngtcp2_vec vec[SPANS];
	size_t cnt, len;
	bool fin;
};

static void make_offer(struct offer *o, struct quic_stream *s)
{
	struct quic_span span[SPANS];

	o->s = s;
	o->cnt = quic_sendbuf_peek(&s->out, span, SPANS);
	o->len = 0;
	for (size_t i = 0; i < o->cnt; i++) {
		o->vec[i] = (ngtcp2_vec){ span[i].base, span[i].len };
		o->len += span[i].len;
	}
	o->fin = s->fin && o->len == s->out.end - s->out.sent;
}

/* The next stream that may write, and has something to. */
static bool next_offer(struct quic_conn *c, struct offer *o)
{
	while (c->round_head) {
		struct quic_stream *s = c->round_head;

		make_offer(o, s);
		if (!s->dead && (o->len > 0 || (o->fin && !s->fin_sent)))
			return o->len == 0 ||
			       ngtcp2_conn_get_max_data_left(c->q) > 0;
		quic_stream_leave_round(s);
	}
	return false;
}

static void accept_offer(struct offer *o, ngtcp2_ssize taken)
{
	struct quic_stream *s = o->s;

	if (taken < 0)
		return;
	quic_sendbuf_sent(&s->out, (size_t)taken);
	if (o->fin && (size_t)taken == o->len)
		s->fin_sent = true;
	/* to the end of the line: each packet another stream first */
	quic_stream_leave_round(s);
	if (s->out.sent < s->out.end || (s->fin && !s->fin_sent))
		quic_stream_join_round(s);
}

static void refuse_offer(struct quic_conn *c, struct offer *o, ngtcp2_ssize r)
{
	if (r == NGTCP2_ERR_STREAM_DATA_BLOCKED)
		o->s->blocked = ngtcp2_conn_get_max_stream_data_left(
					c->q, o->s->id) == 0;
	quic_stream_leave_round(o->s);
	if (r != NGTCP2_ERR_STREAM_DATA_BLOCKED)
		quic_stream_stopped(o->s, 0); /* one that was not noted */
	else if (!o->s->blocked)
		quic_stream_join_round(o->s);
}

/* One packet of stream data, several streams where they fit, or of what
 * ngtcp2 itself has to say. */
static enum outcome write_streams(struct quic_conn *c)
{
	struct quic_batch *b = &c->ep->batch;
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	struct offer o;
	size_t room = quic_packet_room(c);
	unsigned tries = 0;

	ngtcp2_path_storage_zero(&ps);
	for (;;) {
		ngtcp2_ssize taken = -1;
		bool any = tries++ < 2 * SPANS && next_offer(c, &o);
		uint32_t flags = any ? NGTCP2_WRITE_STREAM_FLAG_MORE : 0;

		if (any && o.fin)
			flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
		ngtcp2_ssize n = ngtcp2_conn_writev_stream(
			c->q, &ps.path, &pi, b->data + b->len, room, &taken,
			flags, any ? o.s->id : -1, any ? o.vec : NULL,
			any ? o.cnt : 0, c->ep->now_ns);
		if (any && taken >= 0)
			accept_offer(&o, taken);
		if (n == NGTCP2_ERR_WRITE_MORE)
			continue;
		if (any && (n == NGTCP2_ERR_STREAM_DATA_BLOCKED ||
			    n == NGTCP2_ERR_STREAM_SHUT_WR ||
			    n == NGTCP2_ERR_STREAM_NOT_FOUND)) {
			refuse_offer(c, &o, n);
			continue;
		}
		return settle(c, n, &ps, &pi);
	}
}

/* ---- datagrams ---- */

static enum outcome write_one_datagram(struct quic_conn *c, const uint8_t *data,
				       size_t len, bool *accepted)
{
	struct quic_batch *b = &c->ep->batch;
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	int took = 0;
	ngtcp2_vec vec = { (uint8_t *)(uintptr_t)data, len };

	ngtcp2_path_storage_zero(&ps);
	ngtcp2_ssize n = ngtcp2_conn_writev_datagram(
		c->q, &ps.path, &pi, b->data + b->len, quic_packet_room(c),
		&took, NGTCP2_WRITE_DATAGRAM_FLAG_NONE, 0, &vec, 1,
		c->ep->now_ns);
	*accepted = took != 0;
	if (n == NGTCP2_ERR_INVALID_STATE || n == NGTCP2_ERR_INVALID_ARGUMENT) {
		*accepted = true; /* the peer takes none, or none so long */
		return NOTHING;
	}
	return settle(c, n, &ps, &pi);
}

size_t quic_datagram_room(const struct quic_conn *c)
{
	size_t room = quic_packet_room(c);
	size_t path = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->q);

	return (path < room ? path : room) - QUIC_DGRAM_ROOM;
}

static enum outcome write_datagrams(struct quic_conn *c)
{
	while (c->dgrams && c->dgrams->cnt > 0) {
		struct quic_dgram *d = &c->dgrams->slot[c->dgrams->at];
		bool accepted = d->len > quic_datagram_room(c);
		enum outcome r = NOTHING;

		/* too long for a path that became narrower: a datagram may
		 * be lost, the queue may not stand */
		if (!accepted)
			r = write_one_datagram(c, d->data, d->len, &accepted);
		if (r == FAILED)
			return r;
		if (accepted) {
			c->dgrams->at =
				(uint8_t)((c->dgrams->at + 1u) % QUIC_DGRAMS);
			c->dgrams->cnt--;
		}
		if (r == HELD)
			return r;
		if (!accepted && r == NOTHING)
			return NOTHING;
	}
	return NOTHING;
}

/* Beside a migration: full datagrams which the peer drops.  They make up
 * for a lost probe, and let a server that may send thrice what it got
 * (RFC 9000 section 8.1) send more at once. */
static enum outcome write_pads(struct quic_conn *c)
{
	static const uint8_t zero[QUIC_MAX_PACKET];

	while (c->pads > 0) {
		bool accepted;
		enum outcome r;

		c->pads--;
		r = write_one_datagram(c, zero, quic_datagram_room(c),
				       &accepted);
		if (r == FAILED || r == HELD)
			return r;
		if (!accepted)
			break;
	}
	c->pads = 0;
	return NOTHING;
}

/* ---- a connection's turn ---- */

static enum outcome write_all(struct quic_conn *c)
{
	size_t quantum = ngtcp2_conn_get_send_quantum(c->q);
	uint64_t from = c->tx_bytes;
	enum outcome r = write_datagrams(c);

	if (r != NOTHING)
		return r;
	do {
		r = write_streams(c);
	} while (r == WROTE && c->tx_bytes - from < quantum);
	if (r == WROTE) {
		/* Pacing decides when to go on; where it does not pace, the
		 * next flush does. */
		quic_mark_dirty(c);
		r = NOTHING;
	}
	return r == NOTHING && c->pads > 0 ? write_pads(c) : r;
}

static uint64_t in_flight(struct quic_conn *c)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(c->q, &info);
	return info.bytes_in_flight;
}

void quic_conn_write(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;
	uint64_t before, sent;

	if (c->state == CONN_LINGER || c->busy > 0)
		return;
	if (ep->batch.held) {
		quic_mark_dirty(c);
		return;
	}
	before = in_flight(c);
	sent = c->sent_packets;
	quic_conn_enter(c);
	enum outcome r = write_all(c);
	if (c->q) {
		ngtcp2_conn_update_pkt_tx_time(c->q, ep->now_ns);
		if (in_flight(c) > before && c->unanswered_ns == VX6_NEVER &&
		    c->sent_packets > sent)
			c->unanswered_ns = ep->now_ns;
	}
	quic_conn_leave(c);
	if (r == FAILED)
		return;
	if (r == HELD)
		quic_mark_dirty(c);
	quic_batch_send(ep);
	quic_touch(c);
}
