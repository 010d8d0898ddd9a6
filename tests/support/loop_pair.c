/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/loop_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/wire/aead/aead.h"

#define ROUNDS     32
#define WATCHDOG_S 30 /* a condition that never comes ends the program */

struct pair_dgram {
	struct pair_dgram *next;
	size_t len;
	uint8_t data[];
};

/* ---- datagrams ---- */

static void address(struct vx6_addr *a, int side)
{
	*a = (struct vx6_addr){
		.ip = { [10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(side + 1) },
		.port = 1000,
	};
}

static void path_of(struct quic_path *path, int side)
{
	*path = (struct quic_path){ 0 };
	address(&path->local, side);
	address(&path->remote, !side);
}

static bool on_send(void *ctx, struct quic_conn *c,
		    const struct quic_path *path, const uint8_t *data,
		    size_t len, size_t segment, unsigned ecn)
{
	struct pair_side *s = ctx;
	size_t step = segment ? segment : len;

	(void)c, (void)path, (void)ecn;
	while (len > 0 && !s->mute) {
		size_t n = len < step ? len : step;
		struct pair_dgram *d = malloc(sizeof(*d) + n);

		assert_non_null(d);
		d->next = NULL;
		d->len = n;
		memcpy(d->data, data, n);
		*s->tail = d;
		s->tail = &d->next;
		data += n;
		len -= n;
	}
	return true;
}

/* deliver hands the other side what was on its way when it began. */
static bool deliver(struct loop_pair *p, int from)
{
	struct pair_side *s = &p->side[from];
	struct pair_dgram *d = s->head;
	struct quic_path path;
	bool any = d != NULL;

	path_of(&path, !from);
	s->head = NULL;
	s->tail = &s->head;
	while (d) {
		struct pair_dgram *next = d->next;

		if (p->side[!from].ep)
			(void)quic_read(p->side[!from].ep, &path, 0, d->data,
					d->len, loop_now(p->loop));
		free(d);
		d = next;
	}
	return any;
}

static void on_again(void *ctx)
{
	(void)ctx; /* prepare follows, that is all */
}

static void on_prepare(void *ctx)
{
	struct loop_pair *p = ctx;
	uint64_t due = VX6_NEVER;
	bool any = true;

	for (int i = 0; any && i < ROUNDS; i++) {
		for (int k = 0; k < 2; k++)
			if (p->side[k].ep)
				quic_flush(p->side[k].ep, loop_now(p->loop));
		any = deliver(p, 0);
		any |= deliver(p, 1);
	}
	if (any)
		loop_task_add(&p->again);
	for (int k = 0; k < 2; k++)
		if (p->side[k].ep && quic_due(p->side[k].ep) < due)
			due = quic_due(p->side[k].ep);
	loop_timer_set(&p->timer, due);
}

static void on_timer(void *ctx)
{
	struct loop_pair *p = ctx;

	for (int k = 0; k < 2; k++)
		if (p->side[k].ep)
			quic_tick(p->side[k].ep, loop_now(p->loop));
}

/* ---- events ---- */

static void on_ready(void *ctx, struct quic_conn *c)
{
	struct pair_side *s = ctx;

	s->conn = c;
	if (!s->raw)
		assert_int_equal(mux_open(s->hub, c, &s->mux), VX6_OK);
}

static void on_closed(void *ctx, struct quic_conn *c,
		      const struct quic_close *why)
{
	struct pair_side *s = ctx;

	(void)c;
	s->why = *why;
	s->closed = true;
	s->conn = NULL;
	if (s->mux)
		mux_gone(s->mux);
	s->mux = NULL;
}

static void on_open(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_side *s = ctx;

	(void)c;
	s->in.opened++;
	s->in.last = stream;
	if (s->mux)
		mux_stream_open(s->mux, stream);
}

static void on_data(void *ctx, struct quic_conn *c, int64_t stream,
		    const uint8_t *data, size_t len, bool fin)
{
	struct pair_side *s = ctx;
	size_t room = PAIR_RAW - s->in.len;

	if (s->mux) {
		mux_stream_data(s->mux, stream, data, len, fin);
		return;
	}
	quic_stream_consumed(c, stream, len);
	s->in.last = stream;
	s->in.fins += fin;
	if (len > room)
		len = room;
	if (len > 0)
		memcpy(s->in.data + s->in.len, data, len);
	s->in.len += len;
}

static void on_room(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_side *s = ctx;

	(void)c;
	if (s->mux)
		mux_stream_room(s->mux, stream);
}

static void on_reset(void *ctx, struct quic_conn *c, int64_t stream,
		     uint64_t code)
{
	struct pair_side *s = ctx;

	(void)c, (void)code;
	s->in.resets++;
	if (s->mux)
		mux_stream_reset(s->mux, stream);
}

static void on_stop(void *ctx, struct quic_conn *c, int64_t stream,
		    uint64_t code)
{
	struct pair_side *s = ctx;

	(void)c, (void)code;
	s->in.stops++;
	if (s->mux)
		mux_stream_stop(s->mux, stream);
}

static void on_stream_closed(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct pair_side *s = ctx;

	(void)c;
	s->in.closed++;
	if (s->mux)
		mux_stream_closed(s->mux, stream);
}

/* ---- set-up ---- */

static void watchdog(bool on)
{
	const char *factor = getenv("VX6_TIMEOUT_FACTOR");
	double s = WATCHDOG_S * (factor ? strtod(factor, NULL) : 1.0);

	alarm(on ? (unsigned)s : 0);
}

static void open_side(struct loop_pair *p, int k, const struct pair_opts *o)
{
	static const struct mux_hooks nothing;
	struct pair_side *s = &p->side[k];
	struct quic_options opt = {
		.limits = o->quic,
		.events = { .send = on_send,
                           .ready = on_ready,
                           .stream_open = on_open,
                           .stream_data = on_data,
                           .stream_room = on_room,
                           .stream_reset = on_reset,
                           .stream_stop = on_stop,
                           .stream_closed = on_stream_closed,
                           .closed = on_closed },
		.ctx = s,
	};

	s->pair = p;
	s->raw = o->raw[k];
	s->tail = &s->head;
	quic_identity_fresh(&opt.identity);
	assert_int_equal(quic_open(&s->ep, &opt), VX6_OK);
	assert_int_equal(mux_hub_open(&s->hub, p->loop, &o->mux,
				      k == 1 ? &o->hooks : &nothing),
			 VX6_OK);
}

struct loop_pair *loop_pair_open(const struct pair_opts *opts)
{
	struct loop_pair *p = calloc(1, sizeof(*p));
	struct loop_opts lo = { .prepare = on_prepare, .ctx = p };
	struct quic_dial dial = { .alpn = QUIC_TUNNEL };
	struct quic_conn *c = NULL;

	assert_non_null(p);
	assert_int_equal(vx6_aead_start(), VX6_OK);
	watchdog(true);
	assert_int_equal(loop_open(&p->loop, &lo), VX6_OK);
	loop_timer_init(&p->timer, p->loop, on_timer, p);
	loop_task_init(&p->again, p->loop, on_again, p);
	for (int k = 0; k < 2; k++)
		open_side(p, k, opts);
	path_of(&dial.path, 0);
	assert_int_equal(quic_dial(p->side[0].ep, &dial, loop_now(p->loop), &c),
			 VX6_OK);
	while (!p->side[0].conn || !p->side[1].conn) {
		assert_false(p->side[0].closed || p->side[1].closed);
		loop_pair_turn(p);
	}
	return p;
}

void loop_pair_turn(struct loop_pair *p)
{
	loop_turn(p->loop, true);
}

void loop_pair_kill(struct loop_pair *p, int side)
{
	quic_close(p->side[side].conn, 0, "test", loop_now(p->loop));
}

void loop_pair_quiet(struct loop_pair *p)
{
	for (int i = 0; i < 200; i++)
		loop_turn(p->loop, false);
}

static void check_empty(struct mux_hub *hub)
{
	struct mux_stats s;

	mux_hub_stats(hub, &s);
	assert_int_equal(s.open, 0);
	assert_int_equal(s.opening, 0);
	assert_int_equal(s.buffered, 0);
}

void loop_pair_close(struct loop_pair *p)
{
	for (int k = 0; k < 2; k++) {
		struct pair_side *s = &p->side[k];

		if (s->ep)
			quic_shut(s->ep, loop_now(p->loop));
		s->ep = NULL;
	}
	for (int k = 0; k < 2; k++) {
		check_empty(p->side[k].hub);
		mux_hub_close(p->side[k].hub);
		(void)deliver(p, k);
	}
	loop_timer_clear(&p->timer);
	loop_close(p->loop);
	free(p);
	watchdog(false);
}
