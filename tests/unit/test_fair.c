/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fair: buckets to the byte over hours, turns by bytes, queues that stay
 * bounded, and random operations beside a model.  Time is virtual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/relay/fair.h"

#define HALVES 256u
#define LINKS  8u
#define FRAMES 1200u
#define HELD   1000u

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((rng_state >> 33) % below);
}

/* ---- meter ---- */

static uint64_t meter_bytes(uint64_t rate, uint64_t ns)
{
	return ns / VX6_SEC * rate + ns % VX6_SEC * rate / VX6_SEC;
}

/* Draws cells of len whenever there is something, at random times; what
 * went out is exact at any moment. */
static void drain_for(uint64_t rate, uint64_t burst, uint64_t start,
		      uint64_t span, uint64_t most_step, uint32_t len)
{
	struct meter m = { .now_ns = start };
	uint64_t drawn, out = 0, end = start + span;

	meter_set(&m, rate, burst);
	drawn = m.earned; /* full */
	for (uint64_t now = start; now < end;) {
		uint64_t since = now - start, due;

		meter_turn(&m, now);
		while (meter_left(&m, drawn) >= len) {
			meter_take(&m, &drawn, len);
			out += len;
		}
		/* never more than burst + rate * t, rounded down; and less
		 * by no more than what is no whole cell */
		uint64_t may = m.burst + meter_bytes(rate, since);
		assert_true(out <= may + 1);
		assert_true(out + len + 1 >= may);
		due = meter_ready_ns(&m, drawn, len);
		assert_true(due > now);
		/* not a nanosecond early, and no more than one late */
		meter_turn(&m, due);
		assert_true(meter_left(&m, drawn) >= len);
		now = due + (most_step > 0 ? rng(1000) * most_step / 1000 : 0);
	}
}

static void buckets_are_exact_over_hours(void **state)
{
	(void)state;
	rng_state = 1;
	/* six hours at odd rates; each step shorter than the burst lasts */
	drain_for(99991, 65536, 7, 6 * 3600 * VX6_SEC, 400 * VX6_MS, 1400);
	drain_for(1000003, 65536, 123456789, 3600 * VX6_SEC, 40 * VX6_MS, 1399);
	drain_for(METER_RATE_MAX, 0, 5, VX6_SEC / 100, 10 * VX6_US, 1472);
	/* a byte a second, for years */
	drain_for(1, 65536, 3, UINT64_C(100000000) * VX6_SEC, 10000 * VX6_SEC,
		  1500);
}

static void earnings_go_round(void **state)
{
	/* at 100 Gbit/s 2^64 bytes are earned after some 46 years */
	uint64_t wrap = UINT64_MAX / METER_RATE_MAX * VX6_SEC;

	(void)state;
	rng_state = 2;
	drain_for(METER_RATE_MAX, 0, wrap - VX6_MS, 3 * VX6_SEC / 100,
		  10 * VX6_US, 1472);
}

static void time_does_not_run_backwards(void **state)
{
	struct meter m = { 0 };
	uint64_t drawn = 0;

	(void)state;
	meter_set(&m, 1000, 2000);
	meter_turn(&m, 100 * VX6_SEC);
	meter_take(&m, &drawn, 2000);
	assert_int_equal(meter_left(&m, drawn), 0);
	meter_turn(&m, VX6_SEC);
	assert_int_equal(meter_left(&m, drawn), 0);
	meter_turn(&m, 101 * VX6_SEC);
	assert_int_equal(meter_left(&m, drawn), 1000);
	/* long at rest is full, and no more than full */
	meter_turn(&m, 1000000 * VX6_SEC);
	assert_int_equal(meter_left(&m, drawn), 2000);
}

static void another_rate_does_not_lock_a_bucket(void **state)
{
	struct meter m = { .now_ns = 1000 * VX6_SEC };
	uint64_t drawn = 0;

	(void)state;
	meter_set(&m, 1000000000, 0);
	meter_take(&m, &drawn, 1000);
	meter_set(&m, 1000, 70000); /* far behind now */
	assert_int_equal(meter_left(&m, drawn), 70000);
	meter_take(&m, &drawn, 70000);
	assert_int_equal(meter_left(&m, drawn), 0);
	meter_set(&m, 1000000000, 0);
	assert_int_equal(meter_left(&m, drawn), m.burst);
}

/* Two workers whose clocks differ by a little draw from one bucket. */
static void a_shared_bucket_gives_no_more(void **state)
{
	struct meter m[2] = { 0 };
	_Atomic uint64_t drawn = 0;
	uint64_t got = 0, now = 50 * VX6_SEC, start = now;

	(void)state;
	rng_state = 3;
	for (unsigned i = 0; i < 2; i++) {
		m[i].now_ns = now;
		meter_set(&m[i], 5000000, 65536);
	}
	drawn = m[0].earned;
	for (unsigned i = 0; i < 200000; i++) {
		unsigned who = rng(2);
		uint64_t have;

		now += rng(20000);
		meter_turn(&m[who], now - rng(2) * 5 * VX6_US);
		have = meter_draw(&m[who], &drawn, rng(3000));
		if (rng(4) == 0) {
			meter_refund(&drawn, have);
			have = 0;
		}
		got += have;
		assert_true(got <= 65536 + (now - start) / 1000 * 5 + 5);
	}
	assert_true(got + 3000 >= (now - start) / 1000 * 5);
}

/* ---- a fair with its frames ---- */

static struct {
	struct fair q;
	struct fair_budget budget;
	void *mem;
	struct net_frame frame[FRAMES];
	struct net_frame *idle[FRAMES];
	unsigned idle_cnt;
	uint64_t now;
	struct fair_out out;
	uint64_t in, sent, lost;                       /* frames */
	uint64_t half_sent[HALVES], half_lost[HALVES]; /* bytes, frames */
	uint64_t all_sent;
	unsigned by_why[VX6_STATUS_CNT];
	uint32_t seq[HALVES], next_seq[HALVES]; /* stamped; least to come */
} t;

static int open_fair(void **state)
{
	const struct fair_opts o = { .links_max = LINKS,
				     .halves_max = HALVES,
				     .cells_max = HELD,
				     .budget = &t.budget };

	(void)state;
	memset(&t, 0, sizeof(t));
	t.now = 1000 * VX6_SEC;
	t.mem = aligned_alloc(4096, (fair_need(&o) + 4095) / 4096 * 4096);
	assert_non_null(t.mem);
	memset(t.mem, 0, fair_need(&o));
	fair_init(&t.q, &o, t.mem);
	for (unsigned i = 0; i < FRAMES; i++)
		t.idle[t.idle_cnt++] = &t.frame[i];
	rng_state = 4;
	return 0;
}

static int close_fair(void **state)
{
	struct net_frame *f;

	(void)state;
	while ((f = fair_drain(&t.q)) != NULL)
		t.idle[t.idle_cnt++] = f;
	assert_int_equal(t.idle_cnt, FRAMES); /* none lost, none twice */
	assert_int_equal(t.q.cnt, 0);
	assert_int_equal(t.q.bytes, 0);
	assert_int_equal(t.q.wanted, 0);
	free(t.mem);
	return 0;
}

static struct net_frame *cell(uint32_t half, uint32_t link, uint16_t len)
{
	struct net_frame *f;

	assert_true(t.idle_cnt > 0);
	f = t.idle[--t.idle_cnt];
	*f = (struct net_frame){ .half = half, .link = link, .len = len };
	f->index = t.seq[half]++; /* the order within its half-circuit */
	t.in++;
	return f;
}

static void gone(struct net_frame *f)
{
	/* in order, with gaps where some were lost */
	assert_true(f->index >= t.next_seq[f->half]);
	t.next_seq[f->half] = f->index + 1;
	t.idle[t.idle_cnt++] = f;
}

static void burst(struct net_frame *const f[], unsigned n, uint32_t room)
{
	fair_burst(&t.q, f, n, t.now, room, &t.out);
	for (unsigned i = 0; i < t.out.lost_cnt; i++) {
		struct net_frame *g = t.out.lost[i];

		t.half_lost[g->half]++;
		t.by_why[t.out.why[i]]++;
		t.idle[t.idle_cnt++] = g;
	}
	for (unsigned i = 0; i < t.out.tx_cnt; i++) {
		struct net_frame *g = t.out.tx[i];

		t.half_sent[g->half] += g->len;
		t.all_sent += g->half != 0 ? g->len : 0;
		gone(g);
	}
	t.sent += t.out.tx_cnt;
	t.lost += t.out.lost_cnt;
	assert_int_equal(t.in, t.sent + t.lost + t.q.cnt);
	assert_int_equal(t.idle_cnt + t.q.cnt, FRAMES);
}

static void one(uint32_t half, uint32_t link, uint16_t len, uint32_t room)
{
	struct net_frame *f = cell(half, link, len);

	burst(&f, 1, room);
}

static void limit(struct abi_limits l)
{
	fair_limit(&t.q, &l);
}

/* ---- what is not limited ---- */

static void nothing_waits_unless_it_must(void **state)
{
	(void)state;
	assert_false(t.q.on);
	for (unsigned i = 0; i < 100; i++)
		one(1 + i % 9, 1, 1200, FAIR_ANY);
	assert_int_equal(t.sent, 100);
	assert_int_equal(t.q.n.held, 0);
	assert_int_equal(fair_due(&t.q), VX6_NEVER);
	/* a port without room: they wait, our own do not */
	one(0, 1, 700, 0);
	assert_int_equal(t.sent, 101);
	one(3, 1, 1200, 0);
	assert_int_equal(t.sent, 101);
	assert_true(t.q.on);
	assert_true(fair_due(&t.q) <= t.now);
	burst(NULL, 0, 1);
	assert_int_equal(t.sent, 102);
	assert_int_equal(t.out.waited, 1);
	assert_false(t.q.on);
}

/* ---- the relay's budget ---- */

struct sender {
	uint32_t half;
	uint16_t len;
	uint64_t rate; /* bytes/s offered */
	uint64_t owed; /* .. and not yet put, times VX6_SEC */
};

/* Every millisecond each sender puts what its rate makes; between, time
 * goes on as fair_due wants it. */
static void offer(struct sender *s, unsigned n, uint32_t link, uint64_t span)
{
	uint64_t end = t.now + span;

	while (t.now < end) {
		struct net_frame *f[FAIR_IN];
		unsigned cnt = 0, first = rng(n);

		t.now += VX6_MS;
		for (unsigned k = 0; k < n; k++) {
			struct sender *who = &s[(first + k) % n];

			who->owed += who->rate * VX6_MS;
			while (who->owed >= who->len * VX6_SEC) {
				who->owed -= who->len * VX6_SEC;
				f[cnt++] = cell(who->half, link, who->len);
				if (cnt == FAIR_IN) {
					burst(f, cnt, FAIR_ANY);
					cnt = 0;
				}
			}
		}
		burst(f, cnt, FAIR_ANY);
	}
}

static void forget_sent(void)
{
	memset(t.half_sent, 0, sizeof(t.half_sent));
	memset(t.half_lost, 0, sizeof(t.half_lost));
	t.all_sent = 0;
}

/* The figure: one sends a hundred times its share, a hundred send theirs. */
static void the_polite_keep_their_share(void **state)
{
	static struct sender s[101];
	const uint64_t rate = 12500000, share = rate / 101;

	(void)state;
	limit((struct abi_limits){ .relay_rate = rate });
	for (uint32_t i = 0; i < 101; i++)
		s[i] = (struct sender){ .half = i + 1,
					.len = 1200,
					.rate = i == 0 ? share * 200 : share };
	offer(s, 101, 1, VX6_SEC);
	forget_sent();
	offer(s, 101, 1, 10 * VX6_SEC);
	for (uint32_t i = 1; i < 101; i++) {
		assert_true(t.half_sent[i + 1] * 100 >= share * 10 * 98);
		assert_int_equal(t.half_lost[i + 1], 0);
	}
	/* and what they leave is the greedy one's: no byte is wasted */
	assert_true(t.all_sent * 1000 >= rate * 10 * 999);
	assert_true(t.all_sent <= rate * 10 + t.q.relay.burst);
	assert_true(t.half_sent[1] * 100 <= share * 10 * 110);
	assert_true(t.half_lost[1] > 0);
	assert_true(t.q.cnt <= HELD);
}

/* All want more than there is: equal bytes, whatever a cell's size. */
static void bytes_are_shared_not_cells(void **state)
{
	static struct sender s[20];
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	limit((struct abi_limits){ .relay_rate = 2000000,
				   .circuit_queue = 40 });
	for (uint32_t i = 0; i < 20; i++)
		s[i] = (struct sender){ .half = i + 1,
					.len = i % 2 ? 128 : 1400,
					.rate = 1000000 };
	offer(s, 20, 1, VX6_SEC);
	forget_sent();
	offer(s, 20, 1, 20 * VX6_SEC);
	for (uint32_t i = 1; i <= 20; i++) {
		least = t.half_sent[i] < least ? t.half_sent[i] : least;
		most = t.half_sent[i] > most ? t.half_sent[i] : most;
	}
	assert_true(most - least <= 2 * (FAIR_QUANTUM + 1400));
}

static void what_some_leave_others_get(void **state)
{
	static struct sender s[2];

	(void)state;
	limit((struct abi_limits){ .relay_rate = 1000000 });
	s[0] = (struct sender){ .half = 1, .len = 1400, .rate = 100000 };
	s[1] = (struct sender){ .half = 2, .len = 1400, .rate = 3000000 };
	offer(s, 2, 1, VX6_SEC);
	forget_sent();
	offer(s, 2, 1, 10 * VX6_SEC);
	assert_true(t.half_sent[1] >= 10 * 100000 - 1400);
	assert_true(t.half_sent[2] >= 10 * 900000 - 3 * 1400);
	/* alone, it gets all */
	forget_sent();
	offer(s + 1, 1, 1, 10 * VX6_SEC);
	assert_true(t.half_sent[2] >= 10 * 1000000 - 3 * 1400);
}

/* ---- the other buckets ---- */

static void a_half_circuit_has_its_own_rate(void **state)
{
	static struct sender s[3];

	(void)state;
	limit((struct abi_limits){ .circuit_rate = 50000,
				   .circuit_burst = 4000 });
	for (uint32_t i = 0; i < 3; i++)
		s[i] = (struct sender){ .half = i + 1,
					.len = 1000,
					.rate = UINT64_C(20000) << (2 * i) };
	offer(s, 3, 1, 20 * VX6_SEC);
	assert_int_equal(t.half_sent[1], 20 * 20000);
	for (uint32_t i = 2; i <= 3; i++) {
		assert_true(t.half_sent[i] <= 20 * 50000 + 4000);
		assert_true(t.half_sent[i] >= 20 * 50000 - 1000);
		assert_true(t.half_lost[i] > 0);
	}
	assert_int_equal(t.by_why[VX6_RATE], t.lost);
	assert_int_equal(t.q.n.lost_rate, t.lost);
}

/* Some of them fit exactly into what the link gives, and come just when it
 * has enough: those that have waited longer go first all the same. */
static void a_link_has_its_own_rate(void **state)
{
	static struct sender s[4], other[1];

	(void)state;
	limit((struct abi_limits){ .link_rate = 400000, .link_burst = 8000 });
	for (uint32_t i = 0; i < 4; i++)
		s[i] = (struct sender){ .half = i + 1,
					.len = i == 3 ? 125 : 1000,
					.rate = UINT64_C(200000) << i };
	offer(s, 4, 3, VX6_SEC);
	forget_sent();
	offer(s, 4, 3, 10 * VX6_SEC);
	for (uint32_t i = 1; i <= 4; i++) {
		assert_true(t.half_sent[i] >= 10 * 100000 - 3200);
		assert_true(t.half_sent[i] <= 10 * 100000 + 3200);
	}
	assert_true(t.all_sent + 1000 >= 10 * 400000);
	assert_int_equal(t.by_why[VX6_CONGESTED], t.lost);
	/* nobody on another link waits for this one */
	assert_true(t.q.cnt > 100);
	other[0] = (struct sender){ .half = 9, .len = 500, .rate = 350000 };
	offer(other, 1, 4, VX6_SEC);
	assert_int_equal(t.half_sent[9], 350000);
	assert_int_equal(t.half_lost[9], 0);
}

/* ---- queues ---- */

static void queues_are_bounded(void **state)
{
	(void)state;
	limit((struct abi_limits){ .queue = 100, .circuit_queue = 60 });
	for (unsigned i = 0; i < 1000; i++)
		one(1, 1, 1200, 0);
	assert_int_equal(t.q.cnt, 60);
	assert_int_equal(t.half_lost[1], 940);
	/* others push out of the longest queue only */
	for (uint32_t h = 2; h <= 41; h++)
		one(h, 1, 1200, 0);
	assert_int_equal(t.q.cnt, 100);
	for (uint32_t h = 42; h <= 91; h++)
		one(h, 1, 1200, 0);
	assert_int_equal(t.q.cnt, 100);
	assert_int_equal(t.half_lost[1], 990);
	for (uint32_t h = 2; h <= 91; h++)
		assert_int_equal(t.half_lost[h], 0);
	assert_int_equal(t.q.n.most, 100);
	assert_int_equal(t.q.n.lost_full, t.lost);
	/* what is left of the flood is the newest */
	burst(NULL, 0, 1);
	assert_int_equal(t.out.tx[0]->half, 1);
	assert_int_equal(t.out.tx[0]->index, 990);
	/* a smaller limit is kept at once */
	limit((struct abi_limits){ .queue = 10 });
	burst(NULL, 0, 0);
	assert_int_equal(t.q.cnt, 10);
	/* and without any limit everything goes */
	limit((struct abi_limits){ 0 });
	assert_true(t.q.on);
	burst(NULL, 0, FAIR_ANY);
	assert_int_equal(t.q.cnt, 0);
	assert_false(t.q.on);
}

static void due_is_when_it_can_go(void **state)
{
	(void)state;
	limit((struct abi_limits){ .relay_rate = 1000000,
				   .relay_burst = 4000 });
	for (unsigned i = 0; i < 3; i++)
		one(1, 1, 1200, FAIR_ANY);
	assert_int_equal(t.sent, 3);
	one(2, 1, 1400, FAIR_ANY);
	assert_int_equal(t.sent, 3);
	assert_int_equal(fair_due(&t.q), t.now + VX6_MS);
	t.now += VX6_MS - 1000;
	burst(NULL, 0, FAIR_ANY);
	assert_int_equal(t.sent, 3);
	t.now += 1000;
	burst(NULL, 0, FAIR_ANY);
	assert_int_equal(t.sent, 4);
}

/* ---- two workers ---- */

static struct {
	struct fair q;
	struct fair_out out;
	struct net_frame frame[HELD + 1];
	unsigned used;
	uint64_t sent;
	void *mem;
} other;

static void other_opens(const struct abi_limits *l)
{
	const struct fair_opts o = { LINKS, HALVES, HELD, &t.budget };

	memset(&other, 0, sizeof(other));
	other.mem = aligned_alloc(4096, fair_need(&o));
	assert_non_null(other.mem);
	memset(other.mem, 0, fair_need(&o));
	fair_init(&other.q, &o, other.mem);
	limit(*l);
	fair_limit(&other.q, l);
}

/* A turn of the other worker, with one cell of its only half-circuit. */
static void other_turns(bool cell_comes)
{
	struct net_frame *f = &other.frame[other.used];

	if (cell_comes) {
		other.used = (other.used + 1) % VX6_COUNT(other.frame);
		*f = (struct net_frame){ .half = 2, .link = 3, .len = 1000 };
	}
	fair_burst(&other.q, &f, cell_comes, t.now, FAIR_ANY, &other.out);
	for (unsigned i = 0; i < other.out.tx_cnt; i++)
		other.sent += other.out.tx[i]->len;
}

static void other_closes(void)
{
	while (fair_drain(&other.q) != NULL)
		;
	free(other.mem);
}

/* Three half-circuits wait here, one there: it gets a quarter, also when
 * turns are so close to each other that they earn a byte each. */
static void share_in_steps_of(uint64_t step_ns)
{
	const struct abi_limits l = { .relay_rate = 4000000 };
	uint64_t start = 0, all;

	other_opens(&l);
	for (unsigned k = 0; k < 5000; k++) {
		if (k == 2500) {
			start = t.now;
			forget_sent();
			other.sent = 0;
		}
		for (uint64_t ns = 0; ns < 200 * VX6_US; ns += step_ns) {
			t.now += step_ns;
			burst(NULL, 0, FAIR_ANY);
			other_turns(false);
		}
		for (uint32_t h = 1; h <= 3; h++)
			if (t.idle_cnt > 400)
				one(h, 1, 1000, FAIR_ANY);
		other_turns(true);
	}
	all = other.sent + t.all_sent;
	assert_true(other.sent * 4 * 100 > all * 95);
	assert_true(other.sent * 4 * 100 < all * 105);
	assert_true(all * 100 >= (t.now - start) / 1000 * 4 * 98);
	assert_true(all <= (t.now - start) / 1000 * 4 + t.q.relay.burst);
	other_closes();
}

static void workers_share_by_who_waits(void **state)
{
	(void)state;
	share_in_steps_of(100 * VX6_US);
}

static void workers_share_every_byte(void **state)
{
	(void)state;
	share_in_steps_of(VX6_US / 4);
}

/* What waits was told a time at the old rate: hours. */
static void a_raised_limit_is_heard_at_once(void **state)
{
	const struct abi_limits low[] = {
		{ .circuit_rate = 1, .circuit_burst = 4096 },
		{ .link_rate = 1,    .link_burst = 4096    },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(low); i++) {
		limit(low[i]);
		for (unsigned k = 0; k < 20; k++)
			one(1 + k % 2, 1, 1200, FAIR_ANY);
		assert_true(t.q.cnt > 0);
		assert_true(fair_due(&t.q) > t.now + VX6_SEC);
		limit((struct abi_limits){ .circuit_rate = 100000000,
					   .link_rate = 100000000 });
		assert_true(fair_due(&t.q) <= t.now);
		t.now += VX6_SEC;
		burst(NULL, 0, FAIR_ANY);
		assert_int_equal(t.q.cnt, 0);
	}
}

/* A link's rate is one, however many send on it. */
static void workers_share_a_links_bucket(void **state)
{
	const struct abi_limits l = { .link_rate = 1000000,
				      .link_burst = 8192 };
	uint64_t start = t.now, all;

	(void)state;
	other_opens(&l);
	for (unsigned k = 0; k < 20000; k++) {
		t.now += 100 * VX6_US;
		one(1, 3, 1000, FAIR_ANY);
		other_turns(true);
	}
	all = other.sent + t.all_sent;
	assert_true(all <= 8192 + 1000 + (t.now - start) / 1000);
	assert_true(all + 1000 >= (t.now - start) / 1000);
	other_closes();
}

/* ---- anything, beside a model ---- */

static struct {
	uint32_t cnt[HALVES], was[HALVES]; /* cells held, now and before */
} model;

/* After a burst of so many of others, on top of so many before. */
static void model_holds(unsigned came, uint32_t before)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t.out.tx_cnt; i++)
		model.cnt[t.out.tx[i]->half] -= t.out.tx[i]->half != 0;
	for (unsigned i = 0; i < t.out.lost_cnt; i++)
		model.cnt[t.out.lost[i]->half]--;
	for (uint32_t h = 1; h < HALVES; h++) {
		assert_int_equal(model.cnt[h], t.q.half[h].cnt);
		sum += model.cnt[h];
		assert_true(model.cnt[h] <= model.was[h] ||
			    model.cnt[h] <= t.q.limits.circuit_queue);
		assert_true(model.cnt[h] <= t.q.longest);
	}
	assert_int_equal(sum, t.q.cnt);
	assert_true(t.q.cnt <= t.q.limits.queue || t.q.cnt <= before + came);
	assert_true(t.q.cnt <= HELD);
}

static void random_operations_keep_the_rules(void **state)
{
	static const uint16_t sizes[] = { 64, 128, 600, 1200, 1472 };
	uint64_t since = 0, gone_at = 0, rate = 0, burst_len = 0;

	(void)state;
	memset(&model, 0, sizeof(model));
	for (unsigned step = 0; step < 200000; step++) {
		struct net_frame *f[FAIR_IN];
		unsigned n = rng(FAIR_IN + 1);
		uint32_t room = rng(3) ? FAIR_ANY : rng(100);
		uint32_t before = t.q.cnt;
		unsigned theirs = 0;

		if (rng(2000) == 0) {
			struct abi_limits l = {
				.circuit_rate = rng(2) ? rng(1000000) : 0,
				.link_rate = rng(2) ? rng(4000000) : 0,
				.relay_rate = rng(2) ? 1 + rng(9000000) : 0,
				.queue = rng(2) ? 1 + rng(HELD) : 0,
				.circuit_queue = rng(2) ? 1 + rng(200) : 0,
			};

			limit(l);
			rate = l.relay_rate;
			since = t.now;
			gone_at = t.all_sent;
			burst_len = t.q.relay.burst;
		}
		t.now += rng(8) ? rng(300000) : rng(40000000);
		memcpy(model.was, model.cnt, sizeof(model.was));
		if (n > t.idle_cnt)
			n = t.idle_cnt;
		for (unsigned i = 0; i < n; i++) {
			uint32_t h = rng(2) ? 1 : rng(HALVES);

			f[i] = cell(h, 1 + h % (LINKS - 1), sizes[rng(5)]);
			model.cnt[h] += h != 0;
			theirs += h != 0;
		}
		burst(f, n, room);
		model_holds(theirs, before);
		/* the budget is kept .. */
		if (rate != 0)
			assert_true(t.all_sent - gone_at <=
				    burst_len + 1 +
					    meter_bytes(rate, t.now - since));
		/* .. and nobody waits for nothing */
		if (t.q.cnt > 0 && room == FAIR_ANY &&
		    t.out.waited < NET_BURST && t.out.lost_cnt == 0)
			assert_true(fair_due(&t.q) > t.now);
		assert_int_equal(t.q.cnt > 0, fair_due(&t.q) != VX6_NEVER);
	}
	assert_true(t.q.n.sent > 10000 && t.q.n.lost_rate > 0 &&
		    t.q.n.lost_full > 0);
}

#define F(name) cmocka_unit_test_setup_teardown(name, open_fair, close_fair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_exact_over_hours),
		cmocka_unit_test(earnings_go_round),
		cmocka_unit_test(time_does_not_run_backwards),
		cmocka_unit_test(another_rate_does_not_lock_a_bucket),
		cmocka_unit_test(a_shared_bucket_gives_no_more),
		F(nothing_waits_unless_it_must),
		F(the_polite_keep_their_share),
		F(bytes_are_shared_not_cells),
		F(what_some_leave_others_get),
		F(a_half_circuit_has_its_own_rate),
		F(a_link_has_its_own_rate),
		F(queues_are_bounded),
		F(due_is_when_it_can_go),
		F(workers_share_by_who_waits),
		F(workers_share_every_byte),
		F(workers_share_a_links_bucket),
		F(a_raised_limit_is_heard_at_once),
		F(random_operations_keep_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
