/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bet: what the design stands on.  Two QUIC ends move between paths when
 * one falls silent, by survive's rule, and no byte of a stream is lost,
 * doubled or out of order.
 *
 *      client ==pipe 0==  server       each pipe is what a circuit would
 *             ==pipe 1==               be: rate, delay, queue, loss
 *             ==pipe 2== ..
 *
 * Method: a sender writes a stream whose content is a function of the
 * offset until a time, then ends it; the receiver compares every byte at
 * the place where it belongs.  Time is virtual.  The gap is from the
 * break to the next in-order byte; it is printed, and bounded in round
 * trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/core/survive.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "tests/support/pair.h"

#define KIND_PING 1u
#define KIND_PONG 2u
#define PING_LEGS 256u             /* legs from here on carry a slot's pings */
#define MBIT      UINT64_C(125000) /* bytes a second */

struct flow { /* one direction of the stream */
	bool on;
	uint64_t sent, got;
	bool ended, seen_end;
	unsigned bad;
	uint64_t last_ns; /* last in-order byte */
};

struct setup {
	uint64_t rtt_ms[PIPES_MAX];
	unsigned pipes; /* how many exist */
	bool down, up;
	uint32_t loss;
	uint16_t d;
	uint64_t seed;
};

struct bet {
	struct pair p;
	struct survive sv;
	unsigned slot_pipe[SURVIVE_LEGS];
	unsigned next_pipe, pipes;
	unsigned leg, next_leg; /* QUIC's pseudo-path */
	int64_t stream;
	struct flow flow[2]; /* by sender */
	uint64_t until_ns;   /* senders end here */
	unsigned moves, rescues, pings;
	bool no_spares;
	uint64_t broke_ns, gap_ns[2]; /* by receiver */
	uint64_t moved_ns;
};

static struct bet bet;

/* ---- the stream ---- */

static uint64_t content_of(unsigned sender)
{
	return 77 + sender;
}

static void pump(struct pair_end *e)
{
	struct flow *f = &bet.flow[e->idx];
	uint8_t buf[8192];

	if (!f->on || f->ended || !e->conn || bet.stream < 0)
		return;
	for (;;) {
		size_t room = quic_stream_space(e->conn, bet.stream);
		size_t n = room < sizeof(buf) ? room : sizeof(buf);
		bool fin = bet.p.now_ns >= bet.until_ns;

		if (fin) {
			quic_stream_send(e->conn, bet.stream, NULL, 0, true);
			f->ended = true;
			return;
		}
		if (n == 0)
			break;
		pair_fill(content_of(e->idx), f->sent, buf, n);
		n = quic_stream_send(e->conn, bet.stream, buf, n, false);
		f->sent += n;
	}
	/* one byte more than fits, so that room is told of */
	pair_fill(content_of(e->idx), f->sent, buf, 1);
	f->sent += quic_stream_send(e->conn, bet.stream, buf, 1, false);
}

static void on_data(void *ctx, struct quic_conn *c, int64_t stream,
		    const uint8_t *data, size_t len, bool fin)
{
	struct pair_end *e = ctx;
	struct flow *f = &bet.flow[1 - e->idx];

	f->bad += !pair_same(content_of(1 - e->idx), f->got, data, len);
	f->got += len;
	f->seen_end = f->seen_end || fin;
	quic_stream_consumed(c, stream, len);
	if (bet.broke_ns && !bet.gap_ns[e->idx])
		bet.gap_ns[e->idx] = bet.p.now_ns - bet.broke_ns;
	f->last_ns = bet.p.now_ns;
}

static void on_open(void *ctx, struct quic_conn *c, int64_t stream)
{
	(void)c;
	bet.stream = stream;
	pump(ctx);
}

static void on_room(void *ctx, struct quic_conn *c, int64_t stream)
{
	(void)c;
	(void)stream;
	pump(ctx);
}

/* ---- legs ---- */

static void act(const struct survive_out *out);

static void tell(struct survive_event ev)
{
	struct survive_out out;

	ev.now_ns = bet.p.now_ns;
	survive_step(&bet.sv, &ev, &out);
	act(&out);
}

static void bring_up(uint8_t slot)
{
	if (bet.next_pipe == bet.pipes || bet.no_spares)
		return;
	bet.slot_pipe[slot] = bet.next_pipe;
	bet.p.net.leg_pipe[PING_LEGS + slot] = (uint8_t)bet.next_pipe++;
	tell((struct survive_event){ .kind = SURVIVE_EV_LEG_UP, .leg = slot });
}

/* A new leg is a new pseudo-address, never one that was used before. */
static void move_to(uint8_t slot)
{
	struct quic_path path;
	unsigned leg = ++bet.next_leg;

	bet.p.net.leg_pipe[leg] = (uint8_t)bet.slot_pipe[slot];
	pipes_path(&path, 0, leg);
	bet.moved_ns = bet.p.now_ns;
	enum vx6_status st = quic_migrate(bet.p.end[0].conn, &path,
					  bet.p.now_ns);
	if (st == VX6_OK) {
		bet.leg = leg;
		bet.moves++;
		return;
	}
	assert_int_equal(st, VX6_NO_ROOM);
	bet.p.net.leg_pipe[bet.leg] = (uint8_t)bet.slot_pipe[slot];
	bet.rescues++;
}

static uint8_t free_slot(void)
{
	for (uint8_t i = 0; i < SURVIVE_LEGS; i++) {
		if (!bet.sv.leg[i].up)
			return i;
	}
	return SURVIVE_NO_LEG;
}

static void act(const struct survive_out *out)
{
	for (unsigned i = 0; i < out->cnt; i++) {
		const struct survive_act *a = &out->act[i];
		uint8_t token[4];

		switch (a->kind) {
		case SURVIVE_ACT_PING:
			bet.pings++;
			vx6_put32(token, a->token);
			pipes_send(&bet.p.net, 0, PING_LEGS + a->leg, KIND_PING,
				   token, sizeof(token));
			break;
		case SURVIVE_ACT_MIGRATE: move_to(a->leg); break;
		case SURVIVE_ACT_WANT_SPARE:
			if (free_slot() != SURVIVE_NO_LEG)
				bring_up(free_slot());
			break;
		}
	}
}

static void other(struct pair *p, unsigned end, unsigned leg, unsigned kind,
		  uint8_t *data, size_t len)
{
	if (kind == KIND_PING)
		pipes_send(&p->net, end, leg, KIND_PONG, data, len);
	else
		tell((struct survive_event){ .kind = SURVIVE_EV_PONG,
					     .leg = (uint8_t)(leg - PING_LEGS),
					     .token = vx6_get32(data) });
}

static bool heard(struct pair *p, unsigned end, unsigned leg, uint8_t *data,
		  size_t *len)
{
	(void)p;
	(void)data;
	(void)len;
	if (end == 0 && leg == bet.leg && bet.p.end[0].ready_cnt > 0)
		tell((struct survive_event){ .kind = SURVIVE_EV_RECEIVED,
					     .leg = bet.sv.use });
	return true;
}

static uint64_t due(struct pair *p)
{
	uint64_t t = p->end[0].ready_cnt > 0 ? survive_due(&bet.sv) : VX6_NEVER;

	if (p->now_ns < bet.until_ns && bet.until_ns < t)
		t = bet.until_ns;
	return t;
}

static void tick(struct pair *p)
{
	if (p->now_ns >= bet.until_ns) {
		pump(&p->end[0]);
		pump(&p->end[1]);
	}
	if (p->end[0].conn && p->end[0].ready_cnt > 0)
		tell((struct survive_event){ .kind = SURVIVE_EV_TICK });
}

static void report(void)
{
	struct quic_stats s;

	if (!bet.p.end[0].conn || bet.p.end[0].ready_cnt == 0)
		return;
	quic_stats(bet.p.end[0].conn, &s);
	if (s.first_unanswered_ns != VX6_NEVER)
		tell((struct survive_event){ .kind = SURVIVE_EV_SENT,
					     .leg = bet.sv.use });
	tell((struct survive_event){ .kind = SURVIVE_EV_QUIC,
				     .srtt_ns = s.latest_rtt_ns ? s.srtt_ns : 0,
				     .pto_ns = s.pto_ns,
				     .in_flight = s.in_flight > 0 });
}

static void run(uint64_t ns)
{
	uint64_t until = bet.p.now_ns + ns;

	while (pair_step(&bet.p, until))
		report();
}

static uint16_t path_d(void *ctx, const struct quic_path *path)
{
	(void)ctx;
	(void)path;
	return bet.sv.token >> 31 ? 1006 : 1200;
}

/* ---- a bet, from its set-up to the last byte ---- */

static void begin(const struct setup *s)
{
	memset(&bet, 0, sizeof(bet));
	pair_open(&bet.p, NULL, NULL, s->seed);
	bet.stream = -1;
	bet.pipes = s->pipes;
	bet.next_pipe = 1;
	bet.until_ns = VX6_NEVER;
	for (unsigned i = 0; i < s->pipes; i++)
		bet.p.net.cfg[i] = (struct pipe_cfg){ .rate = 20 * MBIT,
						      .delay_ns = s->rtt_ms[i] *
								  VX6_MS / 2,
						      .queue_ns = 100 * VX6_MS,
						      .loss = s->loss };
	bet.p.end[0].hooks.stream_data = on_data;
	bet.p.end[1].hooks.stream_data = on_data;
	bet.p.end[1].hooks.stream_open = on_open;
	bet.p.end[0].hooks.stream_room = on_room;
	bet.p.end[1].hooks.stream_room = on_room;
	bet.p.end[1].hooks.path_d = path_d;
	bet.sv.token = s->d < 1200 ? 1u << 31 : 0; /* for path_d */
	assert_true(pair_connect(&bet.p, QUIC_TUNNEL, s->d));
	survive_init(&bet.sv, 0, s->d < 1200 ? 1u << 31 : 0, bet.p.now_ns);
	bet.p.other = other;
	bet.p.tamper = heard;
	bet.p.due = due;
	bet.p.tick = tick;
	bet.flow[0].on = s->up;
	bet.flow[1].on = s->down;
	assert_int_equal(quic_stream_new(bet.p.end[0].conn, &bet.stream),
			 VX6_OK);
	int64_t stream = bet.stream;
	if (!s->up) { /* a request, so that the server learns of it */
		uint8_t first;

		pair_fill(content_of(0), 0, &first, 1);
		quic_stream_send(bet.p.end[0].conn, stream, &first, 1, false);
		bet.flow[0].sent = 1;
	}
	pump(&bet.p.end[0]);
}

/* Ends the streams, waits for the last byte, and compares. */
static void finish(uint64_t patience_ns)
{
	bet.until_ns = bet.p.now_ns + VX6_MS;
	uint64_t until = bet.p.now_ns + patience_ns;
	while (pair_step(&bet.p, until)) {
		report();
		if ((!bet.flow[0].on || bet.flow[0].seen_end) &&
		    (!bet.flow[1].on || bet.flow[1].seen_end))
			break;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct flow *f = &bet.flow[i];

		assert_int_equal(f->bad, 0);
		assert_int_equal(f->got, f->sent);
		assert_int_equal(f->seen_end, f->on);
		if (f->on)
			assert_true(f->got > 100000);
	}
	assert_int_equal(bet.p.end[0].closed_cnt, 0);
	assert_int_equal(bet.p.end[1].closed_cnt, 0);
	pair_close(&bet.p);
}

static void break_pipe(unsigned pipe)
{
	bet.broke_ns = bet.p.now_ns;
	bet.gap_ns[0] = 0;
	bet.gap_ns[1] = 0;
	pipes_cut(&bet.p.net, pipe, true);
}

static unsigned pipe_in_use(void)
{
	return bet.p.net.leg_pipe[bet.leg];
}

static void print_gap(const char *what, uint64_t rtt_ms)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!bet.flow[1 - i].on)
			continue;
		printf("# %-28s %s  RTT %3llu ms  gap %4llu ms  (%.1f RTT)\n",
		       what, i == 0 ? "down" : "up  ",
		       (unsigned long long)rtt_ms,
		       (unsigned long long)(bet.gap_ns[i] / VX6_MS),
		       (double)bet.gap_ns[i] / (double)(rtt_ms * VX6_MS));
	}
}

/* ---- the tests ---- */

static void one_break(const char *what, const struct setup *s, double max_rtt)
{
	begin(s);
	run(3 * VX6_SEC);
	assert_int_equal(bet.moves, 0);
	break_pipe(0);
	run(4 * VX6_SEC);
	assert_int_equal(bet.moves, 1);
	assert_int_equal(pipe_in_use(), 1);
	print_gap(what, s->rtt_ms[1]);
	for (unsigned i = 0; i < 2; i++) {
		if (!bet.flow[1 - i].on)
			continue;
		assert_true(bet.gap_ns[i] > 0);
		assert_true((double)bet.gap_ns[i] <
			    max_rtt * (double)(s->rtt_ms[1] * VX6_MS));
	}
	finish(20 * VX6_SEC);
}

static void moves_when_silent(void **state)
{
	static const uint64_t rtt[] = { 40, 160, 320 };
	/* in-order gaps that an experiment measured, and a third on top */
	static const double max[] = { 9.0, 5.4, 5.6 };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(rtt); i++) {
		struct setup s = {
			.rtt_ms = { rtt[i], rtt[i] },
			.pipes = 2,
			.d = 1200,
			.seed = i
		};

		s.down = true;
		one_break("silent", &s, max[i]);
		s.down = false;
		s.up = true;
		one_break("silent", &s, max[i]);
		s.down = true;
		one_break("silent, both ways", &s, max[i]);
	}
}

static void spare_of_another_length(void **state)
{
	static const uint64_t pair[][2] = {
		{ 40,  160 },
                { 160, 40  },
                { 320, 40  }
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(pair); i++) {
		struct setup s = {
			.rtt_ms = { pair[i][0], pair[i][1] },
			.pipes = 2,
			.down = true,
			.d = 1200,
			.seed = 10 + i
		};

		one_break("spare of another length", &s, 25);
	}
}

/* No leg may be left while it lives, however much faster the spare. */
static void stays_where_it_lives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct setup s = {
			.rtt_ms = { 160, i & 1 ? 40 : 160 },
			.pipes = 2,
			.down = (i & 2) == 0,
			.up = (i & 2) != 0,
			.loss = 10000,
			.d = 1200,
			.seed = 100 + i
		};

		begin(&s);
		run(10 * VX6_SEC);
		assert_int_equal(bet.moves, 0);
		assert_true(bet.pings > 4);
		finish(30 * VX6_SEC);
	}
}

static void one_direction_dies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct setup s = {
			.rtt_ms = { 160, 160 },
			.pipes = 2,
			.down = i & 1,
			.up = !(i & 1),
			.d = 1200,
			.seed = 20 + i
		};
		unsigned deaf = i >> 1; /* whose packets are lost */

		begin(&s);
		run(3 * VX6_SEC);
		bet.broke_ns = bet.p.now_ns;
		bet.moved_ns = 0;
		pipes_cut_from(&bet.p.net, 0, deaf, true);
		run(4 * VX6_SEC);
		assert_int_equal(bet.moves, 1);
		printf("# %s is not heard, %s: moved after %llu ms\n",
		       deaf == 0 ? "client" : "server", s.down ? "down" : "up",
		       (unsigned long long)((bet.moved_ns - bet.broke_ns) /
					    VX6_MS));
		/* not more than 2.2 s, which is what waiting for QUIC's own
		 * probes took, and rather a quarter of that */
		assert_true(bet.moved_ns - bet.broke_ns < 900 * VX6_MS);
		finish(20 * VX6_SEC);
	}
}

/* Each leg dies in turn; dead ones come back and are spares again. */
static void chain(uint32_t loss, bool up)
{
	struct setup s = {
		.rtt_ms = { 80, 80, 80, 80 },
		.pipes = 4,
		.down = !up,
		.up = up,
		.loss = loss,
		.d = 1200,
		.seed = 30 + loss
	};

	begin(&s);
	run(2 * VX6_SEC);
	for (unsigned i = 0; i < 10; i++) {
		unsigned pipe = pipe_in_use();
		unsigned moves = bet.moves;

		break_pipe(pipe);
		run(2500 * VX6_MS);
		assert_true(bet.moves > moves);
		assert_true(bet.gap_ns[up ? 1 : 0] > 0);
		pipes_cut(&bet.p.net, pipe, false);
		run(500 * VX6_MS);
	}
	assert_int_equal(bet.rescues, 0);
	printf("# chain of 10, loss %u ppm, %s: %u moves, %llu bytes\n", loss,
	       up ? "up" : "down", bet.moves,
	       (unsigned long long)bet.flow[up ? 0 : 1].got);
	finish(30 * VX6_SEC);
}

static void chain_of_ten(void **state)
{
	(void)state;
	chain(0, false);
	chain(0, true);
	chain(10000, false);
	chain(10000, true);
}

static void with_loss(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct setup s = {
			.rtt_ms = { 160, 160 },
			.pipes = 2,
			.down = (i & 1) == 0,
			.up = (i & 1) != 0,
			.loss = 10000,
			.d = 1200,
			.seed = 40 + i
		};

		one_break("silent, 1 % loss", &s, 12);
	}
}

/* The first spare is dead as well; the second lives. */
static void dead_target(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 160, 160 },
		.pipes = 3,
		.down = true,
		.d = 1200,
		.seed = 50
	};

	(void)state;
	begin(&s);
	run(3 * VX6_SEC);
	pipes_cut(&bet.p.net, 1, true);
	break_pipe(0);
	run(6 * VX6_SEC);
	assert_int_equal(pipe_in_use(), 2);
	assert_int_equal(bet.moves, 1); /* never to one that did not answer */
	print_gap("dead target", 160);
	finish(20 * VX6_SEC);
}

/* Both die for a while: nothing is given up, the first to live is taken. */
static void all_dead_for_a_while(void **state)
{
	struct setup s = {
		.rtt_ms = { 100, 100 },
		.pipes = 2,
		.down = true,
		.up = true,
		.d = 1200,
		.seed = 51
	};

	(void)state;
	begin(&s);
	run(2 * VX6_SEC);
	pipes_cut(&bet.p.net, 1, true);
	break_pipe(0);
	run(8 * VX6_SEC);
	assert_int_equal(bet.moves, 0);
	pipes_cut(&bet.p.net, 1, false);
	run(8 * VX6_SEC);
	assert_int_equal(bet.moves, 1);
	print_gap("both dead for 8 s", 100);
	finish(30 * VX6_SEC);
}

/* DESTROY: the spare is known to live, so nobody is asked first. */
static void destroy_moves_at_once(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 160 },
		.pipes = 2,
		.down = true,
		.d = 1200,
		.seed = 52
	};

	(void)state;
	begin(&s);
	run(3 * VX6_SEC);
	break_pipe(0);
	tell((struct survive_event){ .kind = SURVIVE_EV_LEG_GONE, .leg = 0 });
	assert_int_equal(bet.moves, 1);
	run(3 * VX6_SEC);
	print_gap("DESTROY", 160);
	assert_true(bet.gap_ns[0] < 400 * VX6_MS);
	finish(20 * VX6_SEC);
}

/* Blind moves burn connection ids.  When none is left, the pseudo-path in
 * use is mapped onto a pipe that lives. */
static void rescue_without_ids(void **state)
{
	struct setup s = {
		.rtt_ms = { 80, 80 },
		.pipes = 2,
		.down = true,
		.up = true,
		.d = 1200,
		.seed = 53
	};
	enum vx6_status st = VX6_OK;
	unsigned blind = 0;

	(void)state;
	begin(&s);
	run(2 * VX6_SEC);
	pipes_cut(&bet.p.net, 0, true);
	break_pipe(1);
	for (; st == VX6_OK && blind < 20; blind++) {
		struct quic_path path;

		pipes_path(&path, 0, ++bet.next_leg);
		bet.p.net.leg_pipe[bet.next_leg] = 1;
		st = quic_migrate(bet.p.end[0].conn, &path, bet.p.now_ns);
		if (st == VX6_OK)
			bet.leg = bet.next_leg;
		run(100 * VX6_MS);
	}
	assert_int_equal(st, VX6_NO_ROOM);
	assert_in_range(blind, 5, 9);
	pipes_cut(&bet.p.net, 0, false);
	bet.p.net.leg_pipe[bet.leg] = 0;
	run(10 * VX6_SEC);
	print_gap("rescue by re-mapping", 80);
	finish(30 * VX6_SEC);
}

/* Back within 1.5 RTT: where ngtcp2 1.11 asserts if path MTU discovery is
 * off in the server. */
static void back_at_once(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 160 },
		.pipes = 2,
		.down = true,
		.up = true,
		.d = 1200,
		.seed = 54
	};

	(void)state;
	for (uint64_t wait = 20; wait <= 400; wait += 95) {
		struct quic_path there, back;

		begin(&s);
		run(2 * VX6_SEC);
		bet.no_spares = true;
		quic_path(bet.p.end[0].conn, &back);
		pipes_path(&there, 0, ++bet.next_leg);
		bet.p.net.leg_pipe[bet.next_leg] = 1;
		assert_int_equal(
			quic_migrate(bet.p.end[0].conn, &there, bet.p.now_ns),
			VX6_OK);
		run(wait * VX6_MS);
		assert_int_equal(
			quic_migrate(bet.p.end[0].conn, &back, bet.p.now_ns),
			VX6_OK);
		run(3 * VX6_SEC);
		finish(20 * VX6_SEC);
	}
}

/* A narrow circuit: what a datagram holds is less than QUIC's 1200. */
static uint64_t longest[2];

static bool watch_size(struct pair *p, unsigned end, unsigned leg,
		       uint8_t *data, size_t *len)
{
	if (*len > longest[1 - end])
		longest[1 - end] = *len;
	return heard(p, end, leg, data, len);
}

static void narrow_circuit(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 160 },
		.pipes = 2,
		.down = true,
		.up = true,
		.d = 1006,
		.seed = 55
	};

	(void)state;
	begin(&s);
	bet.p.tamper = watch_size;
	run(VX6_SEC);
	longest[0] = 0;
	longest[1] = 0;
	run(2 * VX6_SEC);
	assert_int_equal(longest[0], 1006);
	assert_int_equal(longest[1], 1006);
	break_pipe(0);
	run(8 * VX6_SEC);
	assert_int_equal(bet.moves, 1);
	assert_int_equal(longest[0], 1006); /* the client never more */
	assert_int_equal(longest[1], 1200); /* the server's challenges */
	assert_true(bet.p.end[0].validated_cnt > 0);
	assert_true(bet.p.end[1].validated_cnt > 0);
	longest[1] = 0;
	run(4 * VX6_SEC);
	assert_int_equal(longest[1], 1006);
	print_gap("D = 1006", 160);
	finish(20 * VX6_SEC);
}

/* ... and once idle again it is silent: a challenge that proves nothing
 * would go on for ever. */
static void narrow_and_idle(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 160 },
		.pipes = 2,
		.down = true,
		.d = 1006,
		.seed = 56
	};
	struct quic_path path;

	(void)state;
	begin(&s);
	run(2 * VX6_SEC);
	bet.flow[1].on = false; /* the sender falls silent */
	run(3 * VX6_SEC);
	pipes_path(&path, 0, ++bet.next_leg);
	bet.p.net.leg_pipe[bet.next_leg] = 1;
	bet.leg = bet.next_leg;
	assert_int_equal(quic_migrate(bet.p.end[0].conn, &path, bet.p.now_ns),
			 VX6_OK);
	run(8 * VX6_SEC);
	uint64_t before = bet.p.net.sent;
	run(10 * VX6_SEC);
	assert_true(bet.p.net.sent - before < 12);
	pair_close(&bet.p);
}

/* Idle for long, then a new request: not taken for a dead leg. */
static void idle_then_a_request(void **state)
{
	struct setup s = {
		.rtt_ms = { 200, 30 },
		.pipes = 2,
		.down = true,
		.d = 1200,
		.seed = 57
	};

	(void)state;
	begin(&s);
	run(2 * VX6_SEC);
	bet.flow[1].on = false;
	run(40 * VX6_SEC);
	assert_int_equal(bet.moves, 0);
	bet.flow[1].on = true;
	pump(&bet.p.end[1]);
	quic_flush(bet.p.end[1].ep, bet.p.now_ns);
	run(3 * VX6_SEC);
	assert_int_equal(bet.moves, 0);
	finish(20 * VX6_SEC);
}

/* Sending in bursts with pauses longer than q. */
static void pauses_are_no_deaths(void **state)
{
	struct setup s = {
		.rtt_ms = { 160, 40 },
		.pipes = 2,
		.down = true,
		.d = 1200,
		.seed = 58
	};

	(void)state;
	begin(&s);
	for (unsigned i = 0; i < 12; i++) {
		bet.flow[1].on = (i & 1) == 0;
		pump(&bet.p.end[1]);
		quic_flush(bet.p.end[1].ep, bet.p.now_ns);
		run(500 * VX6_MS);
	}
	assert_int_equal(bet.moves, 0);
	bet.flow[1].on = true;
	finish(20 * VX6_SEC);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(moves_when_silent),
		cmocka_unit_test(spare_of_another_length),
		cmocka_unit_test(stays_where_it_lives),
		cmocka_unit_test(one_direction_dies),
		cmocka_unit_test(chain_of_ten),
		cmocka_unit_test(with_loss),
		cmocka_unit_test(dead_target),
		cmocka_unit_test(all_dead_for_a_while),
		cmocka_unit_test(destroy_moves_at_once),
		cmocka_unit_test(rescue_without_ids),
		cmocka_unit_test(back_at_once),
		cmocka_unit_test(narrow_circuit),
		cmocka_unit_test(narrow_and_idle),
		cmocka_unit_test(idle_then_a_request),
		cmocka_unit_test(pauses_are_no_deaths),
	};

	return cmocka_run_group_tests_name("bet", test, NULL, NULL);
}
