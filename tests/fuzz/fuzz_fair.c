/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells of others through fair queueing, for two workers that share a budget
 * and links, under any limits, bursts, pauses and want of room.  Time is
 * virtual.
 *
 *     op u8, then:  0 cells   worker and how many u8, half u8, length u16,
 *                             room u8 (255: any)
 *                   1 time    microseconds u24
 *                   2 limits  a byte for each rate, burst and queue
 *                   3 due     goes on to when somebody could go
 *
 * After each call: every frame came out once or is held, in the order of its
 * half-circuit; our own at once; no bucket gave more than its burst and its
 * rate since the limits were set; queues are within theirs; who waits is
 * called again in a bounded time, and no other gets two turns while it waits
 * for its own.  In the end all that waits goes, and every step on the way
 * lets somebody go. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/relay/fair.h"

#define WORKERS 2u
#define HALVES  32u /* half h is worker h % 2's; 0 is our own */
#define LINKS   5u
#define HELD    200u
#define FRAMES  (WORKERS * (HELD + FAIR_IN))
#define LEN_MIN 64u
#define LEN_MAX 1472u

static struct {
	struct fair q[WORKERS];
	struct fair_budget budget;
	void *mem[WORKERS];
	struct fair_out out;
	struct net_frame frame[FRAMES];
	struct net_frame *idle[FRAMES];
	unsigned idle_cnt, held[WORKERS];
	uint64_t now, since; /* the limits were set */
	struct abi_limits limits;
	bool linked; /* one of them, now or before, was a link's */
	/* bytes that went since then, */
	uint64_t half_sent[HALVES], link_sent[LINKS], all_sent;
	/* and that others got while a half waited for its turn */
	uint64_t meanwhile[HALVES][HALVES];
	uint32_t waits[HALVES], before[HALVES]; /* cells, and ere this call */
	uint32_t old[HALVES]; /* of those before, what is there still */
	uint32_t stamp[HALVES], expect[HALVES]; /* the order of each */
} t;

/* ---- what may have gone ---- */

static uint64_t earned(uint64_t rate, uint64_t burst)
{
	uint64_t ns = t.now - t.since;

	return burst + 1 + ns / VX6_SEC * rate + ns % VX6_SEC * rate / VX6_SEC;
}

static void buckets_hold(void)
{
	const struct fair *q = &t.q[0];
	const struct abi_limits *l = &t.limits;

	for (unsigned h = 1; l->circuit_rate != 0 && h < HALVES; h++)
		MUST(t.half_sent[h] <=
		     earned(l->circuit_rate, q->circuit.burst));
	for (unsigned i = 1; l->link_rate != 0 && i < LINKS; i++)
		MUST(t.link_sent[i] <= earned(l->link_rate, q->link.burst));
	if (l->relay_rate != 0)
		MUST(t.all_sent <= earned(l->relay_rate, q->relay.burst));
}

/* ---- turns ---- */

/* A quantum, and what was left of the last.  Those that waited for a link
 * which is not limited any more come into the ring when one that it had let
 * in has had its turn: the others may have had one by then. */
#define TURN_MOST ((t.linked ? 4u : 2u) * FAIR_QUANTUM)

/* Only the relay's bytes and the port's room are short: then turns decide. */
static bool turns_decide(void)
{
	return t.limits.circuit_rate == 0 && t.limits.link_rate == 0;
}

static void had_turn(unsigned h)
{
	memset(t.meanwhile[h], 0, sizeof(t.meanwhile[h]));
}

static void got_bytes(unsigned h, uint32_t len)
{
	had_turn(h);
	for (unsigned o = 1; o < HALVES; o++) {
		if (o == h || o % WORKERS != h % WORKERS || t.old[o] == 0)
			continue;
		t.meanwhile[o][h] += len;
		MUST(!turns_decide() || t.meanwhile[o][h] <= TURN_MOST);
	}
}

/* ---- a call ---- */

/* The oldest of a half goes first, whichever way. */
static void leaves(unsigned h)
{
	t.waits[h]--;
	t.old[h] -= t.old[h] > 0;
}

static void lost_ones(unsigned w)
{
	for (unsigned i = 0; i < t.out.lost_cnt; i++) {
		struct net_frame *f = t.out.lost[i];

		MUST(f->half != 0);
		MUST(t.out.why[i] == VX6_RATE || t.out.why[i] == VX6_CONGESTED);
		t.idle[t.idle_cnt++] = f;
		t.held[w]--;
		leaves(f->half);
		if (t.old[f->half] == 0)
			had_turn(f->half);
	}
}

static void sent_ones(unsigned w)
{
	for (unsigned i = 0; i < t.out.tx_cnt; i++) {
		struct net_frame *f = t.out.tx[i];
		unsigned h = f->half;

		MUST(f->index >= t.expect[h]);
		t.expect[h] = f->index + 1;
		t.idle[t.idle_cnt++] = f;
		t.held[w]--;
		if (h == 0)
			continue;
		leaves(h);
		t.half_sent[h] += f->len;
		t.link_sent[f->link] += f->len;
		t.all_sent += f->len;
		got_bytes(h, f->len);
	}
}

/* However low the rates are, and whatever they were before. */
static uint64_t longest_wait(void)
{
	const struct abi_limits *l = &t.limits;
	uint64_t low = UINT64_MAX;

	if (l->circuit_rate != 0 && l->circuit_rate < low)
		low = l->circuit_rate;
	if (l->link_rate != 0 && l->link_rate < low)
		low = l->link_rate;
	if (l->relay_rate != 0 && l->relay_rate < low)
		low = l->relay_rate;
	return VX6_SEC + 2 * LEN_MAX * VX6_SEC / low + FAIR_LOOK_NS;
}

static void queues_hold(unsigned w, unsigned own, unsigned came)
{
	const struct fair *q = &t.q[w];
	uint32_t sum = 0;

	MUST(own == 0 || t.out.tx_cnt >= own);
	for (unsigned h = 1; h < HALVES; h++) {
		if (h % WORKERS != w)
			continue;
		sum += t.waits[h];
		MUST(t.waits[h] == q->half[h].cnt);
		MUST(t.waits[h] <= t.before[h] ||
		     t.waits[h] <= q->limits.circuit_queue);
	}
	MUST(sum == q->cnt && sum == t.held[w]);
	MUST(sum <= q->limits.queue || t.out.lost_cnt >= came);
	MUST(sum <= HELD);
	MUST((sum > 0) == (fair_due(q) != VX6_NEVER) || sum == 0);
	if (sum > 0)
		MUST(fair_due(q) <= t.now + longest_wait());
}

static void call(unsigned w, struct net_frame *const f[], unsigned n,
		 uint32_t room)
{
	unsigned own = 0, of_others = 0;

	memcpy(t.before, t.waits, sizeof(t.before));
	memcpy(t.old, t.waits, sizeof(t.old));
	for (unsigned i = 0; i < n; i++) {
		own += f[i]->half == 0;
		t.waits[f[i]->half] += f[i]->half != 0;
	}
	t.held[w] += n;
	fair_burst(&t.q[w], f, n, t.now, room, &t.out);
	lost_ones(w);
	sent_ones(w);
	of_others = t.out.tx_cnt - own;
	MUST(room == FAIR_ANY || of_others <= room);
	MUST(t.out.waited <= NET_BURST);
	queues_hold(w, own, n - own);
	buckets_hold();
	MUST(t.idle_cnt + t.held[0] + t.held[1] == FRAMES);
}

/* ---- operations ---- */

static void cells(struct fuzz_input *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1), w = how & 1;
	unsigned n = (how >> 1) % (FAIR_IN + 1);
	unsigned half = (unsigned)fuzz_take(in, 1);
	uint32_t len = (uint32_t)fuzz_take(in, 2);
	uint32_t room = (uint32_t)fuzz_take(in, 1);
	struct net_frame *f[FAIR_IN];

	for (unsigned i = 0; i < n; i++) {
		/* all of one half, or each of another */
		unsigned h = half & 0x80 ? half + i : half;

		h = (h % (HALVES / WORKERS)) * WORKERS + w;
		if (h == WORKERS) /* half 0 of worker 0 is our own, of both */
			h = 0;
		f[i] = t.idle[--t.idle_cnt];
		*f[i] = (struct net_frame){
			.half = h,
			.link = 1 + h % (LINKS - 1),
			.len = (uint16_t)(LEN_MIN +
					  (len + 333 * i) %
						  (LEN_MAX - LEN_MIN + 1)),
			.index = t.stamp[h]++
		};
	}
	call(w, f, n, room == 255 ? FAIR_ANY : room);
}

/* A byte chooses from 1 byte/s to the most there is, or none. */
static uint64_t scaled(struct fuzz_input *in, uint64_t least, uint64_t most)
{
	uint64_t v = fuzz_take(in, 1), n;

	if (v % 4 == 0)
		return 0;
	n = (least + v) << v % 23;
	return n < most ? n : most;
}

static void limits(struct fuzz_input *in)
{
	t.limits = (struct abi_limits){
		.circuit_rate = scaled(in, 0, ABI_RATE_MAX),
		.circuit_burst = scaled(in, ABI_BURST_MIN, ABI_BURST_MAX),
		.link_rate = scaled(in, 0, ABI_RATE_MAX),
		.link_burst = scaled(in, ABI_BURST_MIN, ABI_BURST_MAX),
		.relay_rate = scaled(in, 0, ABI_RATE_MAX),
		.relay_burst = scaled(in, ABI_BURST_MIN, ABI_BURST_MAX),
		.queue = (uint32_t)fuzz_take(in, 1),
		.circuit_queue = (uint32_t)fuzz_take(in, 1),
	};
	t.linked = t.linked || t.limits.link_rate != 0;
	for (unsigned w = 0; w < WORKERS; w++)
		fair_limit(&t.q[w], &t.limits);
	t.since = t.now;
	memset(t.half_sent, 0, sizeof(t.half_sent));
	memset(t.link_sent, 0, sizeof(t.link_sent));
	memset(t.meanwhile, 0, sizeof(t.meanwhile));
	t.all_sent = 0;
	for (unsigned w = 0; w < WORKERS; w++)
		call(w, NULL, 0, 0);
}

static void until_due(void)
{
	uint64_t due = VX6_NEVER;

	for (unsigned w = 0; w < WORKERS; w++)
		if (fair_due(&t.q[w]) < due)
			due = fair_due(&t.q[w]);
	if (due == VX6_NEVER)
		return;
	t.now = due > t.now ? due : t.now;
	for (unsigned w = 0; w < WORKERS; w++)
		call(w, NULL, 0, FAIR_ANY);
}

/* Nothing comes any more: as the buckets fill, all that waits goes. */
static void all_go(void)
{
	unsigned idle = 0;

	while (t.held[0] + t.held[1] > 0) {
		unsigned before = t.held[0] + t.held[1];

		t.now += longest_wait();
		for (unsigned w = 0; w < WORKERS; w++)
			call(w, NULL, 0, FAIR_ANY);
		idle = t.held[0] + t.held[1] < before ? 0 : idle + 1;
		MUST(idle < 4);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		MUST(fair_drain(&t.q[w]) == NULL);
		MUST(t.q[w].cnt == 0 && t.q[w].bytes == 0 &&
		     t.q[w].wanted == 0);
	}
}

static void begin(void)
{
	static void *mem[WORKERS];
	const struct fair_opts o = { .links_max = LINKS,
				     .halves_max = HALVES,
				     .cells_max = HELD,
				     .budget = &t.budget };
	size_t need = (fair_need(&o) + 4095) / 4096 * 4096;

	memset(&t, 0, sizeof(t));
	t.now = t.since = 1000 * VX6_SEC;
	for (unsigned w = 0; w < WORKERS; w++) {
		if (mem[w] == NULL)
			mem[w] = aligned_alloc(4096, need);
		if (mem[w] == NULL)
			abort();
		memset(mem[w], 0, need);
		t.mem[w] = mem[w];
		fair_init(&t.q[w], &o, mem[w]);
	}
	for (unsigned i = 0; i < FRAMES; i++)
		t.idle[t.idle_cnt++] = &t.frame[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, len };

	begin();
	while (in.len > 0) {
		switch (fuzz_take(&in, 1) % 4) {
		case 0: cells(&in); break;
		case 1: t.now += fuzz_take(&in, 3) * VX6_US; break;
		case 2: limits(&in); break;
		default: until_due(); break;
		}
	}
	all_go();
	return 0;
}
