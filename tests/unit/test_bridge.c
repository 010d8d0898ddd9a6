/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarded connections, from a local port through a tunnel to a target:
 * real sockets on loopback and two real QUIC endpoints, joined in memory.
 * Nothing waits for a time, only for conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/record/message.h"
#include "controlplane/service/bridge.h"
#include "controlplane/service/forward.h"
#include "controlplane/service/mux.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/rand.h"
#include "tests/support/loop_app.h"
#include "tests/support/loop_pair.h"

#define KIB 1024u
#define MIB (1024u * KIB)

struct rig {
	struct loop_pair *p;
	struct loop_target target;
	struct forward *fwd;
	const char *name;     /* what the local port asks for */
	struct vx6_addr down; /* nobody listens there */
	unsigned result[VX6_STATUS_CNT];
	unsigned asked; /* authorise was */
};

static enum vx6_status on_authorise(void *ctx, struct quic_conn *c,
				    const char *name, enum msg_proto proto,
				    struct vx6_addr *target)
{
	struct rig *r = ctx;

	(void)c, (void)proto;
	r->asked++;
	if (strcmp(name, "denied") == 0)
		return VX6_DENIED;
	*target = strcmp(name, "down") == 0 ? r->down : r->target.at;
	if (strcmp(name, "svc") == 0 || strcmp(name, "down") == 0)
		return VX6_OK;
	return VX6_NOT_FOUND;
}

static void on_result(void *ctx, enum vx6_status how)
{
	struct rig *r = ctx;

	r->result[how]++;
}

static enum vx6_status on_offer(void *ctx, int fd)
{
	struct rig *r = ctx;

	if (!r->p->side[0].mux)
		return VX6_CLOSED;
	return mux_connect(r->p->side[0].mux, fd, r->name, on_result, r);
}

/* rig_open: opts may be NULL; script is what the target's side does. */
static struct rig *rig_open(const struct pair_opts *opts,
			    const struct app_script *script)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct pair_opts o = opts ? *opts : (struct pair_opts){ 0 };
	struct forward_opts fo = { .offer = on_offer, .ctx = r };
	char why[FORWARD_WHY];

	assert_non_null(r);
	o.hooks = (struct mux_hooks){ .authorise = on_authorise, .ctx = r };
	r->name = "svc";
	r->p = loop_pair_open(&o);
	/* A port that was free a moment ago, and that nobody else gets. */
	target_open(&r->target, r->p->loop, script);
	r->down = r->target.at;
	target_close(&r->target);
	target_open(&r->target, r->p->loop, script);
	assert_int_equal(vx6_addr_parse(&fo.listen, "127.0.0.1:0"), VX6_OK);
	assert_int_equal(forward_open(r->p->loop, &fo, &r->fwd, why), VX6_OK);
	return r;
}

static void rig_close(struct rig *r)
{
	forward_close(r->fwd);
	target_close(&r->target);
	loop_pair_close(r->p);
	free(r);
}

static void dial(struct rig *r, struct loop_app *a,
		 const struct app_script *script)
{
	app_connect(a, r->p->loop, forward_addr(r->fwd), 0, script);
}

#define UNTIL(r, cond)                                                         \
	do {                                                                   \
		while (!(cond))                                                \
			loop_pair_turn((r)->p);                                \
	} while (0)

static struct mux_stats stats_of(struct rig *r, int side)
{
	struct mux_stats s;

	mux_hub_stats(r->p->side[side].hub, &s);
	return s;
}

static bool all_closed(struct rig *r)
{
	return stats_of(r, 0).open + stats_of(r, 1).open == 0 &&
	       stats_of(r, 0).opening + stats_of(r, 1).opening == 0;
}

static bool has_ended(const struct loop_app *a)
{
	return a->got_fin || a->got_rst;
}

/* ---- bytes and ends ---- */

static void two_hundred_at_once(void **state)
{
	const struct app_script there = { .send = 60 * KIB, .fin = true };
	const struct app_script here = { .send = 40 * KIB + 1, .fin = true };
	struct rig *r = rig_open(NULL, &there);
	struct loop_app *app = calloc(200, sizeof(*app));
	struct mux_stats s;

	(void)state;
	for (int i = 0; i < 200; i++)
		dial(r, &app[i], &here);
	for (int i = 0; i < 200; i++)
		UNTIL(r, app_over(&app[i]));
	assert_int_equal(r->target.cnt, 200);
	for (int i = 0; i < 200; i++) {
		UNTIL(r, app_over(&r->target.app[i]));
		assert_int_equal(app[i].got, there.send);
		assert_int_equal(r->target.app[i].got, here.send);
		assert_false(app[i].got_rst || app[i].wrong);
		assert_false(r->target.app[i].got_rst ||
			     r->target.app[i].wrong);
		app_close(&app[i]);
	}
	UNTIL(r, all_closed(r));
	assert_int_equal(r->result[VX6_OK], 200);
	for (int side = 0; side < 2; side++) {
		s = stats_of(r, side);
		assert_int_equal(s.opened, 200);
		assert_int_equal(s.closed, 200);
		assert_int_equal(s.reset, 0);
		assert_int_equal(s.up_bytes,
				 200 * (side == 0 ? here.send : there.send));
		assert_int_equal(s.down_bytes,
				 200 * (side == 0 ? there.send : here.send));
	}
	rig_close(r);
	free(app);
}

/* Our end first, the other end sends only after it: FIN must go through
 * while the other direction stays open; and the same the other way. */
static void half_close_each_way(void **state)
{
	const struct app_script first = { .send = 100 * KIB, .fin = true };
	const struct app_script then = { .send = 2 * MIB,
					 .fin = true,
					 .wait_fin = true };

	(void)state;
	for (int way = 0; way < 2; way++) {
		struct rig *r = rig_open(NULL, way ? &first : &then);
		struct loop_app a;

		dial(r, &a, way ? &then : &first);
		UNTIL(r, app_over(&a));
		UNTIL(r, app_over(&r->target.app[0]));
		assert_int_equal(a.got, way ? first.send : then.send);
		assert_int_equal(r->target.app[0].got,
				 way ? then.send : first.send);
		assert_false(a.got_rst || a.wrong);
		assert_false(r->target.app[0].got_rst ||
			     r->target.app[0].wrong);
		UNTIL(r, all_closed(r));
		assert_int_equal(stats_of(r, 0).closed, 1);
		assert_int_equal(stats_of(r, 1).closed, 1);
		app_close(&a);
		rig_close(r);
	}
}

/* A half-closed connection stays so for as long as both like it. */
static void half_closed_stays_open(void **state)
{
	const struct app_script there = { .send = 1 };
	const struct app_script here = { .send = 1, .fin = true };
	struct rig *r = rig_open(NULL, &there);
	struct loop_app a;

	(void)state;
	dial(r, &a, &here);
	UNTIL(r, r->target.cnt == 1 && r->target.app[0].got_fin);
	loop_pair_quiet(r->p);
	assert_false(a.got_fin || a.got_rst);
	assert_int_equal(stats_of(r, 0).open, 1);
	app_more(&r->target.app[0], 1, true);
	UNTIL(r, app_over(&a));
	assert_int_equal(a.got, 2);
	UNTIL(r, all_closed(r));
	app_close(&a);
	rig_close(r);
}

static void reset_each_way(void **state)
{
	const struct app_script some = { .send = 10 * KIB };

	(void)state;
	for (int way = 0; way < 2; way++) {
		struct rig *r = rig_open(NULL, &some);
		struct loop_app a, *b;

		dial(r, &a, &some);
		UNTIL(r, a.got == some.send && r->target.cnt == 1);
		b = &r->target.app[0];
		UNTIL(r, b->got == some.send);
		app_rst(way ? b : &a);
		UNTIL(r, has_ended(way ? &a : b));
		assert_true((way ? &a : b)->got_rst);
		UNTIL(r, all_closed(r));
		assert_int_equal(stats_of(r, 0).reset, 1);
		assert_int_equal(stats_of(r, 1).reset, 1);
		app_close(&a);
		rig_close(r);
	}
}

/* After FIN one way, RST the other way is still RST. */
static void reset_after_half_close(void **state)
{
	const struct app_script there = { .send = 10 };
	const struct app_script here = { .send = 10, .fin = true };
	struct rig *r = rig_open(NULL, &there);
	struct loop_app a, *b;

	(void)state;
	dial(r, &a, &here);
	UNTIL(r, a.got == 10 && r->target.cnt == 1);
	b = &r->target.app[0];
	UNTIL(r, b->got_fin);
	app_rst(b);
	UNTIL(r, has_ended(&a));
	assert_true(a.got_rst);
	UNTIL(r, all_closed(r));
	app_close(&a);
	rig_close(r);
}

/* ---- back-pressure ---- */

/* settle turns the loop until a's socket takes no more. */
static void settle(struct rig *r, const struct loop_app *a)
{
	uint64_t sent;

	do {
		sent = a->sent;
		loop_pair_quiet(r->p);
	} while (a->sent != sent);
}

/* A reader that does not read stops the writer; what is held meanwhile is
 * no more than a stream window, and nothing is lost. */
static void slow_reader_each_way(void **state)
{
	const struct pair_opts o = {
		.quic = { .stream_window = 256 * KIB,
                         .stream_buffer = 128 * KIB },
		.mux = { .buffer = 256 * KIB },
	};
	const struct app_script much = { .send = 32 * MIB, .fin = true };
	const struct app_script deaf = { .send = 1, .fin = true, .deaf = true };

	(void)state;
	for (int way = 0; way < 2; way++) {
		struct rig *r = rig_open(&o, way ? &much : &deaf);
		struct loop_app a, *from, *to;

		dial(r, &a, way ? &deaf : &much);
		UNTIL(r, r->target.cnt == 1);
		from = way ? &r->target.app[0] : &a;
		to = way ? &a : &r->target.app[0];
		UNTIL(r,
		      stats_of(r, !way).buffered >= 128 * KIB || from->got_rst);
		settle(r, from);
		assert_true(from->sent < much.send);
		assert_false(from->got_rst);
		assert_true(stats_of(r, !way).buffered >= 128 * KIB);
		assert_true(stats_of(r, !way).buffered <= 256 * KIB);
		assert_int_equal(stats_of(r, way).buffered, 0);
		app_listen(to);
		UNTIL(r, app_over(to) && app_over(from));
		assert_int_equal(to->got, much.send);
		assert_false(to->wrong || to->got_rst || from->got_rst);
		UNTIL(r, all_closed(r));
		app_close(&a);
		rig_close(r);
	}
}

/* While one reader does not read, others of the same tunnel go on. */
static void slow_reader_is_alone(void **state)
{
	const struct pair_opts o = {
		.quic = { .stream_window = 256 * KIB },
		.mux = { .buffer = 256 * KIB },
	};
	/* more than any kernel keeps in a connection's two buffers */
	const struct app_script there = { .send = 48 * MIB, .fin = true };
	const struct app_script deaf = { .fin = true, .deaf = true };
	const struct app_script here = { .fin = true };
	struct rig *r = rig_open(&o, &there);
	struct loop_app slow, a;

	(void)state;
	dial(r, &slow, &deaf);
	UNTIL(r, stats_of(r, 0).buffered >= 128 * KIB);
	dial(r, &a, &here);
	UNTIL(r, app_over(&a));
	assert_int_equal(a.got, there.send);
	assert_int_equal(slow.got, 0);
	app_rst(&slow);
	UNTIL(r, all_closed(r));
	app_close(&a);
	rig_close(r);
}

/* RST of a program whose socket is not being read, because the other end
 * takes nothing, is carried all the same. */
static void reset_while_blocked(void **state)
{
	const struct pair_opts o = {
		.quic = { .stream_window = 128 * KIB,
                         .stream_buffer = 64 * KIB },
		.mux = { .buffer = 128 * KIB },
	};
	const struct app_script deaf = { .deaf = true };
	const struct app_script much = { .send = 32 * MIB };
	struct rig *r = rig_open(&o, &deaf);
	struct loop_app a;

	(void)state;
	dial(r, &a, &much);
	UNTIL(r, stats_of(r, 1).buffered >= 64 * KIB);
	settle(r, &a);
	app_rst(&a);
	UNTIL(r, all_closed(r));
	assert_int_equal(stats_of(r, 1).reset, 1);
	app_listen(&r->target.app[0]);
	UNTIL(r, has_ended(&r->target.app[0]));
	assert_true(r->target.app[0].got_rst);
	rig_close(r);
}

/* Streams that end with bytes unread give their part of the connection's
 * window back: otherwise this one would be used up three times. */
static void resets_give_the_window_back(void **state)
{
	const struct pair_opts o = {
		.quic = { .stream_window = 512 * KIB, .conn_window = MIB },
		.mux = { .buffer = 512 * KIB },
	};
	const struct app_script much = { .send = 32 * MIB };
	const struct app_script deaf = { .deaf = true };
	struct rig *r = rig_open(&o, &much);
	struct loop_app a;

	(void)state;
	for (int i = 0; i < 12; i++) {
		dial(r, &a, &deaf);
		UNTIL(r, stats_of(r, 0).buffered >= 128 * KIB);
		app_rst(&a);
		UNTIL(r, all_closed(r));
	}
	r->target.script = (struct app_script){ .send = MIB, .fin = true };
	dial(r, &a, &(struct app_script){ .fin = true });
	UNTIL(r, app_over(&a));
	assert_int_equal(a.got, MIB);
	UNTIL(r, all_closed(r));
	app_close(&a);
	rig_close(r);
}

/* ---- loss of the connection ---- */

static void death_in_the_middle(void **state)
{
	const struct app_script much = { .send = 32 * MIB, .fin = true };

	(void)state;
	for (int side = 0; side < 2; side++) {
		struct rig *r = rig_open(NULL, &much);
		struct loop_app a[10];

		for (int i = 0; i < 10; i++)
			dial(r, &a[i], &much);
		UNTIL(r, r->target.cnt == 10 && a[9].got > 0);
		loop_pair_kill(r->p, side);
		for (int i = 0; i < 10; i++) {
			UNTIL(r, a[i].got_rst);
			UNTIL(r, r->target.app[i].got_rst);
			assert_false(a[i].got_fin || r->target.app[i].got_fin);
			assert_false(a[i].wrong || r->target.app[i].wrong);
		}
		assert_true(all_closed(r));
		rig_close(r);
	}
}

/* A client that waits for its answer is told when the tunnel dies. */
static void death_before_the_answer(void **state)
{
	struct pair_opts o = {
		.raw = { false, true }
	};
	struct rig *r = rig_open(&o, &(struct app_script){ 0 });
	struct loop_app a;

	(void)state;
	dial(r, &a, &(struct app_script){ .send = 1 });
	UNTIL(r, r->p->side[1].in.len > MSG_HEAD_LEN);
	loop_pair_kill(r->p, 1);
	UNTIL(r, a.got_rst);
	assert_int_equal(r->result[VX6_CLOSED], 1);
	rig_close(r);
}

/* Streams that were complete outlive the connection: the slow reader gets
 * every byte and a FIN, not RST. */
static void complete_streams_outlive_the_tunnel(void **state)
{
	const struct pair_opts o = { .quic = { .stream_window = 16 * MIB },
				     .mux = { .buffer = 16 * MIB } };
	/* three times what the kernel keeps of it at most (tcp_wmem) */
	const struct app_script there = { .send = 12 * MIB, .fin = true };
	const struct app_script deaf = { .send = 1, .fin = true, .deaf = true };
	struct rig *r = rig_open(&o, &there);
	struct loop_app a;

	(void)state;
	dial(r, &a, &deaf);
	UNTIL(r, r->p->side[0].in.closed == 1);
	assert_true(stats_of(r, 0).buffered > 0);
	loop_pair_kill(r->p, 1);
	UNTIL(r, r->p->side[0].closed && r->p->side[1].closed);
	assert_int_equal(stats_of(r, 0).open, 1);
	app_listen(&a);
	UNTIL(r, app_over(&a));
	assert_int_equal(a.got, there.send);
	assert_false(a.got_rst || a.wrong);
	UNTIL(r, all_closed(r));
	app_close(&a);
	rig_close(r);
}

/* ---- refusals ---- */

static void refused(struct rig *r, const char *name, enum vx6_status how)
{
	struct loop_app a;
	unsigned before = r->result[how];

	r->name = name;
	dial(r, &a, &(struct app_script){ .send = 100 });
	UNTIL(r, has_ended(&a));
	assert_true(a.got_rst);
	assert_int_equal(a.got, 0);
	assert_int_equal(r->result[how], before + 1);
	UNTIL(r, all_closed(r));
}

static void refusals_are_told(void **state)
{
	struct rig *r = rig_open(NULL, &(struct app_script){ 0 });
	struct mux_stats s;

	(void)state;
	refused(r, "denied", VX6_DENIED);
	refused(r, "missing", VX6_DENIED);
	refused(r, "down", VX6_UNREACHABLE);
	for (int side = 0; side < 2; side++) {
		s = stats_of(r, side);
		assert_int_equal(s.opened, 0);
		assert_int_equal(s.refused[MUX_REFUSED_DENIED], 2);
		assert_int_equal(s.refused[MUX_REFUSED_TARGET], 1);
	}
	assert_int_equal(r->target.cnt, 0);
	assert_int_equal(r->asked, 3);
	rig_close(r);
}

/* The owner's limit is OPEN_FAIL 4; the client's own is told at once. */
static void busy_is_told(void **state)
{
	struct pair_opts o = { .mux = { .streams = 4 } };

	(void)state;
	for (int way = 0; way < 2; way++) {
		struct rig *r = rig_open(&o, &(struct app_script){ .send = 1 });
		struct loop_app a[4];

		if (way == 1) { /* the total instead of the tunnel's */
			rig_close(r);
			o.mux = (struct mux_limits){ .total = 4 };
			r = rig_open(&o, &(struct app_script){ .send = 1 });
		}
		for (int i = 0; i < 4; i++)
			dial(r, &a[i], &(struct app_script){ .send = 1 });
		for (int i = 0; i < 4; i++)
			UNTIL(r, a[i].got == 1);
		dial(r, &a[0], &(struct app_script){ .send = 1 });
		UNTIL(r, a[0].got_rst);
		assert_int_equal(stats_of(r, 0).refused[MUX_REFUSED_BUSY], 1);
		assert_int_equal(stats_of(r, 0).open, 4);
		loop_pair_kill(r->p, 0);
		UNTIL(r, r->p->side[1].closed);
		for (int i = 1; i < 4; i++)
			UNTIL(r, a[i].got_rst);
		UNTIL(r, all_closed(r));
		rig_close(r);
	}
}

/* The peer's QUIC allows 8 streams: the others wait for their turn. */
static void more_than_the_peer_allows(void **state)
{
	const struct pair_opts o = { .quic = { .streams = 8 } };
	const struct app_script there = { .send = 5000, .fin = true };
	const struct app_script here = { .send = 3000, .fin = true };
	struct rig *r = rig_open(&o, &there);
	struct loop_app a[50];

	(void)state;
	for (int i = 0; i < 50; i++)
		dial(r, &a[i], &here);
	for (int i = 0; i < 50; i++) {
		UNTIL(r, app_over(&a[i]));
		assert_int_equal(a[i].got, there.send);
		assert_false(a[i].got_rst || a[i].wrong);
		app_close(&a[i]);
	}
	UNTIL(r, all_closed(r));
	assert_int_equal(r->result[VX6_OK], 50);
	rig_close(r);
}

/* A target that takes no connection (its backlog is full) is given up. */
static void silent_target(void **state)
{
	const struct pair_opts o = { .mux = { .target_ns = 20 * VX6_MS } };
	struct rig *r = rig_open(&o, &(struct app_script){ 0 });
	int fill[8];

	(void)state;
	loop_fd_watch(r->target.watch, 0);
	assert_int_equal(listen(r->target.fd, 0), 0);
	for (int i = 0; i < 8; i++) {
		struct sockaddr_storage sa;
		socklen_t len = vx6_addr_to(&r->target.at, &sa);

		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&sa, len);
	}
	refused(r, "svc", VX6_UNREACHABLE);
	assert_int_equal(stats_of(r, 1).refused[MUX_REFUSED_TARGET], 1);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	rig_close(r);
}

/* An owner that never answers is given up. */
static void silent_owner(void **state)
{
	const struct pair_opts o = {
		.mux = { .answer_ns = 20 * VX6_MS },
                  .raw = { false, true }
	};
	struct rig *r = rig_open(&o, &(struct app_script){ 0 });

	(void)state;
	refused(r, "svc", VX6_EXPIRED);
	UNTIL(r, r->p->side[1].in.resets == 1);
	rig_close(r);
}

/* The local program leaves before the answer: the attempt ends. */
static void local_program_leaves_early(void **state)
{
	const struct pair_opts o = {
		.raw = { false, true }
	};
	struct rig *r = rig_open(&o, &(struct app_script){ 0 });
	struct loop_app a;

	(void)state;
	dial(r, &a, &(struct app_script){ .send = 10 });
	UNTIL(r, r->p->side[1].in.len > MSG_HEAD_LEN);
	app_rst(&a);
	UNTIL(r, r->p->side[1].in.resets == 1);
	assert_int_equal(r->result[VX6_CLOSED], 1);
	rig_close(r);
}

static void names_are_checked(void **state)
{
	struct rig *r = rig_open(NULL, &(struct app_script){ 0 });
	struct mux *mux = r->p->side[0].mux;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)state;
	assert_int_equal(mux_connect(mux, fd, "", NULL, NULL), VX6_MALFORMED);
	assert_int_equal(mux_connect(mux, fd, "Svc", NULL, NULL),
			 VX6_MALFORMED);
	assert_int_equal(mux_connect(mux, fd, "sixteen-letters-", NULL, NULL),
			 VX6_MALFORMED);
	assert_int_equal(mux_connect(mux, -1, "svc", NULL, NULL), VX6_SYS);
	assert_int_equal(stats_of(r, 0).opening, 0);
	close(fd);
	rig_close(r);
}

/* ---- the bytes on the stream ---- */

static struct rig *raw_client(const struct mux_limits *mux)
{
	struct pair_opts o = {
		.raw = { true, false }
	};

	if (mux)
		o.mux = *mux;
	return rig_open(&o, &(struct app_script){ .send = 3, .fin = true });
}

static struct pair_raw *heard(struct rig *r)
{
	return &r->p->side[0].in;
}

/* say opens a stream and sends bytes, `step` at a time, until all are said
 * or nobody takes them any more. */
static void say(struct rig *r, const uint8_t *data, size_t len, size_t step,
		bool fin)
{
	struct pair_side *s = &r->p->side[0];
	int64_t id;

	memset(heard(r), 0, sizeof(*heard(r)));
	assert_int_equal(quic_stream_new(s->conn, &id), VX6_OK);
	for (size_t at = 0; at < len && s->conn; at += step) {
		size_t n = len - at < step ? len - at : step;

		if (quic_stream_send(s->conn, id, data + at, n,
				     fin && at + n == len) < n)
			return;
		if (step < len)
			loop_turn(r->p->loop, false);
	}
}

static size_t open_message(uint8_t *out, const char *name, enum msg_proto proto)
{
	struct msg_open m = { .proto = proto };
	size_t len;

	strncpy(m.name, name, sizeof(m.name) - 1);
	assert_int_equal(msg_open_emit(&m, out, 512, &len), VX6_OK);
	return len;
}

/* Not allowed, no such service, and UDP: byte for byte one answer. */
static void refusals_look_the_same(void **state)
{
	static const char *const name[] = { "denied", "missing", "svc" };
	struct rig *r = raw_client(NULL);
	uint8_t msg[512], first[64];
	size_t len, first_len = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		len = open_message(msg, name[i], i == 2 ? MSG_UDP : MSG_TCP);
		say(r, msg, len, len, false);
		UNTIL(r, heard(r)->fins == 1);
		if (i == 0) {
			uint32_t code = 0;

			first_len = heard(r)->len;
			assert_true(first_len > MSG_HEAD_LEN);
			assert_true(first_len <= sizeof(first));
			memcpy(first, heard(r)->data, first_len);
			assert_int_equal(vx6_get16(first), MSG_OPEN_FAIL);
			assert_int_equal(
				msg_open_fail_parse(first + MSG_HEAD_LEN,
						    first_len - MSG_HEAD_LEN,
						    &code),
				VX6_OK);
			assert_int_equal(code, MSG_OPEN_NOT_ALLOWED);
		}
		assert_int_equal(heard(r)->len, first_len);
		assert_memory_equal(heard(r)->data, first, first_len);
		/* our half was not ended by us: the owner stopped it */
		UNTIL(r, heard(r)->closed == 1);
		assert_int_equal(heard(r)->resets, 0);
	}
	assert_int_equal(r->asked, 3);
	rig_close(r);
}

/* OPEN in pieces of any size, with bytes and FIN behind it, is one OPEN. */
static void open_in_pieces(void **state)
{
	struct rig *r = raw_client(NULL);
	uint8_t msg[512];
	size_t len;

	(void)state;
	for (size_t step = 1; step < 12; step++) {
		struct loop_app *b;

		len = open_message(msg, "svc", MSG_TCP);
		/* what app_connect would send first: pattern 0 */
		msg[len] = 0x9e;
		say(r, msg, len + 1, step, true);
		UNTIL(r, heard(r)->fins == 1);
		assert_int_equal(vx6_get16(heard(r)->data), MSG_OPEN_OK);
		assert_int_equal(r->target.cnt, step);
		b = &r->target.app[step - 1];
		UNTIL(r, app_over(b));
		assert_int_equal(b->got, 1);
		assert_false(b->wrong || b->got_rst);
	}
	UNTIL(r, all_closed(r));
	rig_close(r);
}

/* STOP_SENDING, or RESET_STREAM, alone: each is RST for the target. */
static void stop_or_reset_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig *r = raw_client(NULL);
		struct pair_side *s = &r->p->side[0];
		uint8_t msg[512];
		size_t len = open_message(msg, "svc", MSG_TCP);

		r->target.script = (struct app_script){ .send = 3 };
		say(r, msg, len, len, false);
		UNTIL(r, heard(r)->len > MSG_HEAD_LEN + 3);
		if (i == 0)
			quic_stream_stop(s->conn, s->in.last, 99);
		else
			quic_stream_reset(s->conn, s->in.last, 99);
		UNTIL(r, has_ended(&r->target.app[0]));
		assert_true(r->target.app[0].got_rst);
		UNTIL(r, heard(r)->closed == 1);
		assert_true(all_closed(r));
		rig_close(r);
	}
}

/* What is no OPEN closes the tunnel, and nobody's target is connected. */
static void other_messages_close_the_tunnel(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct rig *r = raw_client(NULL);
		uint8_t msg[512];
		size_t len = open_message(msg, "svc", MSG_TCP);

		switch (i) {
		case 0: vx6_put16(msg, MSG_HELLO); break;
		case 1: vx6_put16(msg, MSG_CREATE); break;
		case 2: /* longer than an OPEN may be */
			vx6_put32(msg + 2, MSG_OPEN_MAX + 1);
			break;
		case 3: vx6_put32(msg + 2, UINT32_MAX); break;
		case 4: /* CBOR that is none */
			memset(msg + MSG_HEAD_LEN, 0xff, len - MSG_HEAD_LEN);
			break;
		case 5: /* an answer is no question */
			assert_int_equal(msg_open_ok_emit(msg, 512, &len),
					 VX6_OK);
			break;
		default: break;
		}
		say(r, msg, len, len, false);
		UNTIL(r, r->p->side[0].closed);
		assert_int_equal(r->p->side[0].why.kind, QUIC_CLOSE_PEER);
		assert_int_equal(r->p->side[0].why.code, MUX_CODE_BAD_OPEN);
		assert_int_equal(r->asked, 0);
		assert_int_equal(stats_of(r, 1).refused[MUX_REFUSED_BAD], 1);
		rig_close(r);
	}
}

/* Any bytes at all: the owner answers, resets or closes, and holds nothing
 * afterwards. */
static void hostile_open_bytes(void **state)
{
	struct vx6_rand rnd;

	(void)state;
	vx6_rand_seed(&rnd, (const uint8_t[32]){ 7 });
	for (int i = 0; i < 40; i++) {
		struct rig *r = raw_client(NULL);

		for (int k = 0; k < 10 && r->p->side[0].conn; k++) {
			uint8_t msg[512];
			size_t len = open_message(msg, "svc", MSG_TCP);
			unsigned flips = vx6_rand_below(&rnd, 4);
			size_t keep = len;

			while (flips-- > 0)
				msg[vx6_rand_below(&rnd, (uint32_t)len)] ^=
					(uint8_t)(1u
						  << vx6_rand_below(&rnd, 8));
			if (vx6_rand_below(&rnd, 4) == 0)
				keep = vx6_rand_below(&rnd, (uint32_t)len) + 1;
			say(r, msg, keep, 1 + vx6_rand_below(&rnd, 40), true);
			UNTIL(r, heard(r)->fins > 0 || heard(r)->resets > 0 ||
					 r->p->side[0].closed);
		}
		UNTIL(r, all_closed(r) || r->p->side[0].closed);
		rig_close(r);
	}
}

/* A stream on which nobody says OPEN does not keep its place for ever. */
static void slow_open_ends(void **state)
{
	struct rig *r =
		raw_client(&(struct mux_limits){ .open_ns = 20 * VX6_MS });
	uint8_t msg[512];

	(void)state;
	open_message(msg, "svc", MSG_TCP);
	say(r, msg, 5, 5, false);
	UNTIL(r, heard(r)->resets == 1);
	assert_true(all_closed(r));
	assert_int_equal(stats_of(r, 1).refused[MUX_REFUSED_TIME], 1);
	assert_non_null(r->p->side[0].conn); /* the tunnel lives on */
	rig_close(r);
}

/* FIN inside OPEN ends that stream only. */
static void open_cut_short(void **state)
{
	struct rig *r = raw_client(NULL);
	uint8_t msg[512];

	(void)state;
	for (size_t len = 1; len < 9; len++) {
		open_message(msg, "svc", MSG_TCP);
		say(r, msg, len, len, true);
		UNTIL(r, heard(r)->resets == 1);
		assert_true(all_closed(r));
	}
	assert_non_null(r->p->side[0].conn);
	rig_close(r);
}

/* An owner's answer that is none closes the tunnel from the client. */
static void hostile_answers(void **state)
{
	static const uint8_t other[] = { 0, 1, 0, 0, 0, 1, 0 };
	const struct pair_opts o = {
		.raw = { false, true }
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig *r = rig_open(&o, &(struct app_script){ 0 });
		struct pair_side *owner = &r->p->side[1];
		uint8_t msg[512];
		size_t len = sizeof(other);
		struct loop_app a;

		memcpy(msg, other, len);
		if (i == 1)
			len = open_message(msg, "svc", MSG_TCP);
		dial(r, &a, &(struct app_script){ .send = 10 });
		UNTIL(r, owner->in.len > MSG_HEAD_LEN);
		quic_stream_send(owner->conn, owner->in.last, msg, len, false);
		UNTIL(r, a.got_rst && owner->closed);
		assert_int_equal(r->result[VX6_MALFORMED], 1);
		assert_int_equal(owner->why.code, MUX_CODE_BAD_OPEN);
		rig_close(r);
	}
}

/* OPEN_OK in pieces, bytes right behind it; and nothing of the local
 * program's bytes is sent before it. */
static void answer_in_pieces(void **state)
{
	const struct pair_opts o = {
		.raw = { false, true }
	};
	struct rig *r = rig_open(&o, &(struct app_script){ 0 });
	struct pair_side *owner = &r->p->side[1];
	struct loop_app a;
	uint8_t msg[512];
	size_t len, before;

	(void)state;
	dial(r, &a, &(struct app_script){ .send = 10, .fin = true });
	UNTIL(r, owner->in.len > MSG_HEAD_LEN && a.sent == 10);
	loop_pair_quiet(r->p);
	before = owner->in.len;
	assert_int_equal(before,
			 MSG_HEAD_LEN + (size_t)vx6_get32(owner->in.data + 2));
	assert_int_equal(msg_open_ok_emit(msg, sizeof(msg), &len), VX6_OK);
	msg[len++] = 0x9e ^ 0x80; /* the pattern's first byte */
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(a.got, 0);
		quic_stream_send(owner->conn, owner->in.last, msg + i, 1,
				 i + 1 == len);
		loop_turn(r->p->loop, false);
	}
	UNTIL(r, app_over(&a) && owner->in.fins == 1);
	assert_int_equal(a.got, 1);
	assert_false(a.wrong || a.got_rst);
	assert_int_equal(owner->in.len, before + 10);
	app_close(&a);
	UNTIL(r, all_closed(r));
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hundred_at_once),
		cmocka_unit_test(half_close_each_way),
		cmocka_unit_test(half_closed_stays_open),
		cmocka_unit_test(reset_each_way),
		cmocka_unit_test(reset_after_half_close),
		cmocka_unit_test(slow_reader_each_way),
		cmocka_unit_test(slow_reader_is_alone),
		cmocka_unit_test(reset_while_blocked),
		cmocka_unit_test(resets_give_the_window_back),
		cmocka_unit_test(death_in_the_middle),
		cmocka_unit_test(death_before_the_answer),
		cmocka_unit_test(complete_streams_outlive_the_tunnel),
		cmocka_unit_test(refusals_are_told),
		cmocka_unit_test(busy_is_told),
		cmocka_unit_test(more_than_the_peer_allows),
		cmocka_unit_test(silent_target),
		cmocka_unit_test(silent_owner),
		cmocka_unit_test(local_program_leaves_early),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(refusals_look_the_same),
		cmocka_unit_test(open_in_pieces),
		cmocka_unit_test(stop_or_reset_alone),
		cmocka_unit_test(other_messages_close_the_tunnel),
		cmocka_unit_test(hostile_open_bytes),
		cmocka_unit_test(slow_open_ends),
		cmocka_unit_test(open_cut_short),
		cmocka_unit_test(hostile_answers),
		cmocka_unit_test(answer_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
