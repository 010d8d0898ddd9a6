/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/pair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/cert.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/aead/aead.h"

/* ---- events ---- */

static bool on_send(void *ctx, struct quic_conn *c,
		    const struct quic_path *path, const uint8_t *data,
		    size_t len, size_t segment, unsigned ecn)
{
	struct pair_end *e = ctx;

	if (e->deaf)
		return false;
	/* what sets a QUIC packet apart from a cell (PROTOCOL.md section 2) */
	for (size_t at = 0; at < len; at += segment ? segment : len) {
		if ((data[at] & 0xc0) == 0)
			abort();
	}
	if (e->hooks.send &&
	    !e->hooks.send(e, c, path, data, len, segment, ecn))
		return true;
	pipes_send_batch(&e->pair->net, e->idx, path, PAIR_KIND_QUIC, data, len,
			 segment);
	return true;
}

static enum vx6_status on_admit(void *ctx, const struct quic_path *path)
{
	struct pair_end *e = ctx;

	(void)path;
	return e->admits;
}

static uint16_t on_path_d(void *ctx, const struct quic_path *path)
{
	struct pair_end *e = ctx;

	return e->hooks.path_d ? e->hooks.path_d(e, path) : 0;
}

static void on_ready(void *ctx, struct quic_conn *c)
{
	struct pair_end *e = ctx;

	e->conn = c;
	e->ready_cnt++;
	if (e->hooks.ready)
		e->hooks.ready(e, c);
}

static void on_open(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_open)
		e->hooks.stream_open(e, c, stream);
}

static void on_data(void *ctx, struct quic_conn *c, int64_t stream,
		    const uint8_t *data, size_t len, bool fin)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_data)
		e->hooks.stream_data(e, c, stream, data, len, fin);
	else
		quic_stream_consumed(c, stream, len);
}

static void on_room(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_room)
		e->hooks.stream_room(e, c, stream);
}

static void on_reset(void *ctx, struct quic_conn *c, int64_t stream,
		     uint64_t code)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_reset)
		e->hooks.stream_reset(e, c, stream, code);
}

static void on_stop(void *ctx, struct quic_conn *c, int64_t stream,
		    uint64_t code)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_stop)
		e->hooks.stream_stop(e, c, stream, code);
}

static void on_stream_closed(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_end *e = ctx;

	if (e->hooks.stream_closed)
		e->hooks.stream_closed(e, c, stream);
}

static void on_datagram(void *ctx, struct quic_conn *c, const uint8_t *data,
			size_t len)
{
	struct pair_end *e = ctx;

	e->datagrams++;
	e->datagram_bytes += len;
	if (e->hooks.datagram)
		e->hooks.datagram(e, c, data, len);
}

static void on_moved(void *ctx, struct quic_conn *c,
		     const struct quic_path *path, bool validated)
{
	struct pair_end *e = ctx;

	e->moved_cnt += !validated;
	e->validated_cnt += validated;
	if (e->hooks.moved)
		e->hooks.moved(e, c, path, validated);
}

static void on_closed(void *ctx, struct quic_conn *c,
		      const struct quic_close *why)
{
	struct pair_end *e = ctx;

	e->closed_cnt++;
	e->why = *why;
	if (e->conn == c)
		e->conn = NULL;
	if (e->hooks.closed)
		e->hooks.closed(e, c, why);
}

static const struct quic_events events = {
	.send = on_send,
	.admit = on_admit,
	.path_d = on_path_d,
	.ready = on_ready,
	.stream_open = on_open,
	.stream_data = on_data,
	.stream_room = on_room,
	.stream_reset = on_reset,
	.stream_stop = on_stop,
	.stream_closed = on_stream_closed,
	.datagram = on_datagram,
	.moved = on_moved,
	.closed = on_closed,
};

/* ---- the network's side ---- */

static void deliver(void *ctx, unsigned end, unsigned leg, unsigned kind,
		    uint8_t *data, size_t len)
{
	struct pair *p = ctx;
	struct quic_path path;

	if (kind != PAIR_KIND_QUIC) {
		if (p->other)
			p->other(p, end, leg, kind, data, len);
		return;
	}
	if (!p->end[end].ep)
		return; /* nobody there any more */
	if (p->tamper && !p->tamper(p, end, leg, data, &len))
		return;
	pipes_path(&path, end, leg);
	enum vx6_status st = quic_read(p->end[end].ep, &path, 0, data, len,
				       p->now_ns);
	p->end[end].refused[st]++;
}

static void open_end(struct pair *p, unsigned i,
		     const struct quic_limits *limits)
{
	struct pair_end *e = &p->end[i];
	struct quic_options opt = { .events = events, .ctx = e };

	e->pair = p;
	e->idx = i;
	quic_identity_fresh(&e->id);
	quic_node_id(e->id.public_key, e->node);
	opt.identity = e->id;
	if (limits)
		opt.limits = *limits;
	if (quic_open(&e->ep, &opt) != VX6_OK)
		abort();
}

void pair_open(struct pair *p, const struct quic_limits *client,
	       const struct quic_limits *server, uint64_t seed)
{
	static bool started; /* once: a test may have forced another */

	if (!started && vx6_aead_start() != VX6_OK)
		abort();
	started = true;
	*p = (struct pair){ .now_ns = VX6_SEC };
	pipes_init(&p->net, seed);
	p->net.now_ns = p->now_ns;
	p->net.deliver = deliver;
	p->net.ctx = p;
	p->net.cfg[0].delay_ns = 10 * VX6_MS;
	open_end(p, 0, client);
	open_end(p, 1, server);
}

void pair_close(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		if (p->end[i].ep)
			quic_shut(p->end[i].ep, p->now_ns);
		p->end[i].ep = NULL;
	}
	pipes_free(&p->net);
}

struct quic_conn *pair_dial(struct pair *p, enum quic_alpn alpn, bool expect,
			    uint16_t d)
{
	struct quic_dial dial = { .alpn = alpn, .d = d };

	pipes_path(&dial.path, 0, 0);
	if (expect)
		dial.expect = p->end[1].node;
	if (quic_dial(p->end[0].ep, &dial, p->now_ns, &p->end[0].conn) !=
	    VX6_OK)
		return NULL;
	return p->end[0].conn;
}

static uint64_t next_time(struct pair *p)
{
	uint64_t t = pipes_next(&p->net);

	for (unsigned i = 0; i < 2; i++) {
		uint64_t due = p->end[i].ep ? quic_due(p->end[i].ep)
					    : VX6_NEVER;

		t = due < t ? due : t;
	}
	if (p->due && p->due(p) < t)
		t = p->due(p);
	return t;
}

bool pair_step(struct pair *p, uint64_t until_ns)
{
	uint64_t t = next_time(p);

	if (t >= until_ns) {
		p->now_ns = until_ns > p->now_ns ? until_ns : p->now_ns;
		p->net.now_ns = p->now_ns;
		return false;
	}
	if (t > p->now_ns)
		p->now_ns = t;
	pipes_run(&p->net, p->now_ns);
	if (p->tick)
		p->tick(p);
	for (unsigned i = 0; i < 2; i++) {
		if (!p->end[i].ep)
			continue;
		quic_tick(p->end[i].ep, p->now_ns);
		quic_flush(p->end[i].ep, p->now_ns);
	}
	return true;
}

void pair_run(struct pair *p, uint64_t ns)
{
	uint64_t until = p->now_ns + ns;

	while (pair_step(p, until)) {
	}
}

bool pair_connect(struct pair *p, enum quic_alpn alpn, uint16_t d)
{
	uint64_t until = p->now_ns + 5 * VX6_SEC;
	unsigned client = p->end[0].ready_cnt, server = p->end[1].ready_cnt;

	if (!pair_dial(p, alpn, true, d))
		return false;
	do {
		if (p->end[0].ready_cnt > client &&
		    p->end[1].ready_cnt > server)
			return true;
	} while (pair_step(p, until));
	return false;
}

/* ---- contents ---- */

static uint64_t block_at(uint64_t stream, uint64_t block)
{
	uint64_t x = block * UINT64_C(0x9e3779b97f4a7c15) + stream;

	x ^= x >> 31;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 29;
}

static uint8_t byte_at(uint64_t stream, uint64_t offset)
{
	return (uint8_t)(block_at(stream, offset / 8) >> 8 * (offset % 8));
}

void pair_fill(uint64_t stream, uint64_t offset, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = byte_at(stream, offset + i);
}

bool pair_same(uint64_t stream, uint64_t offset, const uint8_t *data,
	       size_t len)
{
	uint8_t want[4096];

	for (size_t at = 0; at < len;) {
		size_t n = len - at < sizeof(want) ? len - at : sizeof(want);

		pair_fill(stream, offset + at, want, n);
		if (memcmp(want, data + at, n) != 0)
			return false;
		at += n;
	}
	return true;
}
