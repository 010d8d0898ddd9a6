/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/survive.h"

#include <assert.h>

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* An exponential mean over eight samples; 0 stands for "none yet". */
static uint64_t smooth(uint64_t mean, uint64_t sample)
{
	if (sample == 0)
		sample = 1;
	return mean == 0 ? sample : mean - mean / 8 + sample / 8 + 1;
}

static void say(struct survive_out *out, enum survive_act_kind kind,
		uint8_t leg, uint32_t token)
{
	assert(out->cnt < VX6_COUNT(out->act));
	out->act[out->cnt++] = (struct survive_act){ kind, leg, token };
}

/* QUIC's view counts only once it has a sample of this very path; before
 * that the pings know better. */
static uint64_t use_rtt(const struct survive *s)
{
	if (s->srtt_ns > 0)
		return s->srtt_ns;
	if (s->use != SURVIVE_NO_LEG && s->leg[s->use].rtt_ns > 0)
		return s->leg[s->use].rtt_ns;
	return SURVIVE_RTT_NS;
}

static uint64_t patience(uint64_t rtt_ns)
{
	return rtt_ns + rtt_ns / 2 + SURVIVE_SLACK_NS;
}

/* RFC 9002 section 6.2.1 after one sample, where QUIC does not say. */
static uint64_t use_pto(const struct survive *s)
{
	if (s->srtt_ns > 0 && s->pto_ns > 0)
		return s->pto_ns;
	return 3 * use_rtt(s) + 25 * VX6_MS;
}

uint64_t survive_patience(const struct survive *s)
{
	return patience(use_rtt(s));
}

uint64_t survive_silence(const struct survive *s)
{
	uint64_t q = use_pto(s);

	if (s->inter_ns > 0)
		q = sooner(q, 8 * s->inter_ns);
	return later(s->least_ns, q);
}

/* When the leg in use counts as silent; VX6_NEVER while nothing is
 * expected at that time. */
static uint64_t silent_at(const struct survive *s)
{
	uint64_t from = s->heard_ns;
	bool asked = s->asked_ns != VX6_NEVER;

	if (asked)
		from = later(from, s->asked_ns);
	uint64_t at = from + survive_silence(s);
	if (s->in_flight || asked)
		return at;
	if (s->data_ns == VX6_NEVER)
		return VX6_NEVER;
	uint64_t until = s->data_ns + s->expect_ns;
	return at < until && s->now_ns < until ? at : VX6_NEVER;
}

static void ping(struct survive *s, uint8_t leg, unsigned cnt, bool alarm,
		 struct survive_out *out)
{
	struct survive_leg *l = &s->leg[leg];

	for (unsigned i = 0; i < cnt; i++) {
		l->ping[l->next] = (struct survive_ping){
			.token = s->token,
			.open = true,
			.alarm = alarm,
			.sent_ns = s->now_ns,
		};
		l->next = (uint8_t)((l->next + 1u) % SURVIVE_PINGS);
		say(out, SURVIVE_ACT_PING, leg, s->token++);
	}
	l->keep_due_ns = s->now_ns + s->keep_ns;
	uint64_t rtt = l->rtt_ns > 0 ? l->rtt_ns : SURVIVE_RTT_NS;
	if (leg == s->use)
		rtt = later(rtt, use_rtt(s));
	l->miss_due_ns = alarm ? VX6_NEVER : s->now_ns + 2 * patience(rtt);
}

static bool is_spare(const struct survive *s, unsigned leg)
{
	return s->leg[leg].up && leg != s->use;
}

/* A leg that answered, or is too young to have failed. */
static bool has_spare(const struct survive *s)
{
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		if (is_spare(s, i) &&
		    (s->leg[i].answered || s->leg[i].missed == 0))
			return true;
	}
	return false;
}

/* The one to try next: not yet tried, answered last time, fastest. */
static uint8_t next_to_try(const struct survive *s)
{
	uint8_t best = SURVIVE_NO_LEG;

	for (uint8_t i = 0; i < SURVIVE_LEGS; i++) {
		const struct survive_leg *l = &s->leg[i];

		if (!is_spare(s, i) || l->tried)
			continue;
		if (best == SURVIVE_NO_LEG) {
			best = i;
			continue;
		}
		const struct survive_leg *b = &s->leg[best];
		if (l->answered != b->answered) {
			best = l->answered ? i : best;
			continue;
		}
		if (l->rtt_ns < b->rtt_ns)
			best = i;
	}
	return best;
}

/* The fastest spare that answered in this alarm, or (with no leg left to
 * wait for) whose latest ping came back. */
static uint8_t best_alive(const struct survive *s, bool lately)
{
	uint8_t best = SURVIVE_NO_LEG;

	for (uint8_t i = 0; i < SURVIVE_LEGS; i++) {
		const struct survive_leg *l = &s->leg[i];

		if (!is_spare(s, i) || !(lately ? l->answered : l->alive))
			continue;
		if (best == SURVIVE_NO_LEG || l->rtt_ns < s->leg[best].rtt_ns)
			best = i;
	}
	return best;
}

static void start_round(struct survive *s, struct survive_out *out)
{
	uint8_t leg = next_to_try(s);

	if (s->use != SURVIVE_NO_LEG)
		ping(s, s->use, 2, true, out);
	if (leg == SURVIVE_NO_LEG) {
		for (unsigned i = 0; i < SURVIVE_LEGS; i++)
			s->leg[i].tried = false;
		leg = next_to_try(s);
	}
	while (leg != SURVIVE_NO_LEG) {
		s->leg[leg].tried = true;
		ping(s, leg, 2, true, out);
		/* nothing else to wait for: ask all of them */
		leg = s->use == SURVIVE_NO_LEG ? next_to_try(s)
					       : SURVIVE_NO_LEG;
	}
	s->round_due_ns = s->now_ns + s->round_ns;
	s->round_ns = sooner(2 * s->round_ns, SURVIVE_ROUND_NS);
}

static void forget_alarm(struct survive *s)
{
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		s->leg[i].alive = false;
		s->leg[i].tried = false;
		for (unsigned p = 0; p < SURVIVE_PINGS; p++)
			s->leg[i].ping[p].alarm = false;
	}
}

static void raise_alarm(struct survive *s, struct survive_out *out)
{
	forget_alarm(s);
	s->state = SURVIVE_ALARM;
	s->alarm_ns = s->now_ns;
	s->round_ns = sooner(use_pto(s), 2 * survive_patience(s));
	start_round(s, out);
}

static void clear_alarm(struct survive *s)
{
	forget_alarm(s);
	s->state = SURVIVE_CALM;
}

/* From here on nothing is known of the path but what its pings told. */
static void take_into_use(struct survive *s, uint8_t leg)
{
	s->use = leg;
	s->srtt_ns = 0;
	s->pto_ns = 0;
	s->inter_ns = 0;
	s->heard_ns = s->now_ns;
	s->asked_ns = s->now_ns; /* the probes of the migration */
	s->leg[leg].miss_due_ns = VX6_NEVER;
	clear_alarm(s);
}

static void migrate(struct survive *s, uint8_t leg, struct survive_out *out)
{
	if (s->use != SURVIVE_NO_LEG) {
		s->leg[s->use].answered = false;
		s->leg[s->use].missed = 2;
	}
	take_into_use(s, leg);
	say(out, SURVIVE_ACT_MIGRATE, leg, 0);
}

static void judge_alarm(struct survive *s, struct survive_out *out)
{
	uint8_t leg = best_alive(s, false);

	if (leg != SURVIVE_NO_LEG) {
		if (s->use == SURVIVE_NO_LEG ||
		    s->now_ns >= s->alarm_ns + survive_patience(s))
			migrate(s, leg, out);
		return;
	}
	if (s->now_ns < s->round_due_ns)
		return;
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		if (is_spare(s, i) && s->leg[i].tried) {
			s->leg[i].answered = false;
			s->leg[i].missed = 2;
		}
	}
	start_round(s, out);
}

/* One lost keep-alive ping says little: a spare is asked twice more, the
 * leg in use gets an alarm. */
static void keep_spare(struct survive *s, uint8_t leg, struct survive_out *out)
{
	struct survive_leg *l = &s->leg[leg];

	if (s->now_ns >= l->miss_due_ns) {
		l->miss_due_ns = VX6_NEVER;
		l->missed = l->missed < 2 ? (uint8_t)(l->missed + 1u) : 2;
		if (l->missed == 1) {
			ping(s, leg, 2, false, out);
			return;
		}
		l->answered = false;
	}
	if (s->now_ns >= l->keep_due_ns)
		ping(s, leg, 1, false, out);
}

static void keep_warm(struct survive *s, struct survive_out *out)
{
	if (s->use != SURVIVE_NO_LEG &&
	    s->now_ns >= s->leg[s->use].miss_due_ns) {
		raise_alarm(s, out);
		return;
	}
	for (uint8_t i = 0; i < SURVIVE_LEGS; i++) {
		if (s->leg[i].up)
			keep_spare(s, i, out);
	}
}

static void judge(struct survive *s, struct survive_out *out)
{
	if (s->state == SURVIVE_CALM && s->now_ns >= silent_at(s))
		raise_alarm(s, out);
	else if (s->state == SURVIVE_ALARM)
		judge_alarm(s, out);
	if (s->state == SURVIVE_CALM)
		keep_warm(s, out);
	if (!has_spare(s) && s->now_ns >= s->want_due_ns) {
		s->want_due_ns = s->now_ns + SURVIVE_WANT_NS;
		say(out, SURVIVE_ACT_WANT_SPARE, SURVIVE_NO_LEG, 0);
	}
}

static void on_leg_up(struct survive *s, uint8_t leg, struct survive_out *out)
{
	if (s->leg[leg].up)
		return;
	s->leg[leg] = (struct survive_leg){ .up = true };
	s->leg[leg].tried = s->state == SURVIVE_ALARM;
	s->want_due_ns = s->now_ns; /* the wish was granted */
	if (s->state == SURVIVE_ALARM)
		ping(s, leg, 2, true, out);
	else
		ping(s, leg, 1, false, out);
}

static void on_leg_gone(struct survive *s, uint8_t leg, struct survive_out *out)
{
	s->leg[leg] = (struct survive_leg){ 0 };
	s->want_due_ns = s->now_ns;
	if (leg != s->use)
		return;
	uint8_t to = best_alive(s, s->state == SURVIVE_CALM);
	s->use = SURVIVE_NO_LEG;
	if (to == SURVIVE_NO_LEG)
		to = best_alive(s, true);
	if (to != SURVIVE_NO_LEG)
		migrate(s, to, out);
	else
		raise_alarm(s, out);
}

static void note_arrival(struct survive *s)
{
	uint64_t gap = sooner(s->now_ns - s->heard_ns, use_pto(s));

	s->inter_ns = smooth(s->inter_ns, gap);
	s->heard_ns = s->now_ns;
}

static void on_pong(struct survive *s, uint8_t leg, uint32_t token)
{
	struct survive_leg *l = &s->leg[leg];
	struct survive_ping *p = NULL;

	for (unsigned i = 0; i < SURVIVE_PINGS && !p; i++) {
		if (l->ping[i].open && l->ping[i].token == token)
			p = &l->ping[i];
	}
	if (!p)
		return;
	p->open = false;
	l->rtt_ns = smooth(l->rtt_ns, s->now_ns - p->sent_ns);
	l->pong_ns = s->now_ns;
	l->miss_due_ns = VX6_NEVER;
	l->answered = true;
	l->missed = 0;
	if (s->state == SURVIVE_ALARM && !p->alarm)
		return; /* it left before the silence: no proof of now */
	l->alive = s->state == SURVIVE_ALARM;
	if (leg != s->use)
		return;
	/* The pause counts, so that an application that pauses often makes q
	 * grow and is not pinged at each pause. */
	if (s->state == SURVIVE_ALARM) {
		note_arrival(s);
		clear_alarm(s);
	}
	s->heard_ns = s->now_ns;
}

static void on_received(struct survive *s)
{
	note_arrival(s);
	s->data_ns = s->now_ns;
	s->asked_ns = VX6_NEVER;
}

static void on_quic(struct survive *s, const struct survive_event *ev)
{
	s->srtt_ns = ev->srtt_ns;
	s->pto_ns = ev->pto_ns;
	s->in_flight = ev->in_flight;
	if (!ev->in_flight)
		s->asked_ns = VX6_NEVER;
}

static void on_leg_event(struct survive *s, const struct survive_event *ev,
			 struct survive_out *out)
{
	switch (ev->kind) {
	case SURVIVE_EV_LEG_UP: on_leg_up(s, ev->leg, out); break;
	case SURVIVE_EV_LEG_GONE: on_leg_gone(s, ev->leg, out); break;
	case SURVIVE_EV_SENT:
		if (ev->leg == s->use && s->asked_ns == VX6_NEVER)
			s->asked_ns = s->now_ns;
		break;
	case SURVIVE_EV_RECEIVED:
		if (ev->leg == s->use)
			on_received(s);
		break;
	case SURVIVE_EV_PONG: on_pong(s, ev->leg, ev->token); break;
	case SURVIVE_EV_USE:
		if (ev->leg != s->use)
			take_into_use(s, ev->leg);
		break;
	case SURVIVE_EV_QUIC:
	case SURVIVE_EV_TICK: break;
	}
}

void survive_init(struct survive *s, uint8_t leg, uint32_t token,
		  uint64_t now_ns)
{
	assert(leg < SURVIVE_LEGS);
	*s = (struct survive){
		.use = leg,
		.token = token,
		.now_ns = now_ns,
		.heard_ns = now_ns,
		.data_ns = VX6_NEVER,
		.asked_ns = VX6_NEVER,
		.want_due_ns = now_ns,
		.least_ns = SURVIVE_SILENCE_NS,
		.expect_ns = SURVIVE_EXPECT_NS,
		.keep_ns = SURVIVE_KEEP_NS,
	};
	s->leg[leg] = (struct survive_leg){
		.up = true,
		.keep_due_ns = now_ns,
		.miss_due_ns = VX6_NEVER,
	};
}

void survive_tune(struct survive *s, uint64_t least_ns, uint64_t expect_ns,
		  uint64_t keep_ns)
{
	s->least_ns = least_ns;
	s->expect_ns = expect_ns;
	s->keep_ns = keep_ns;
}

void survive_step(struct survive *s, const struct survive_event *ev,
		  struct survive_out *out)
{
	bool of_leg = ev->kind != SURVIVE_EV_QUIC &&
		      ev->kind != SURVIVE_EV_TICK;

	out->cnt = 0;
	s->now_ns = later(s->now_ns, ev->now_ns);
	if (of_leg && (ev->leg >= SURVIVE_LEGS ||
		       (!s->leg[ev->leg].up && ev->kind != SURVIVE_EV_LEG_UP)))
		return;
	if (of_leg)
		on_leg_event(s, ev, out);
	if (ev->kind == SURVIVE_EV_QUIC)
		on_quic(s, ev);
	/* Events that come in thousands only leave notes; the judgement is
	 * TICK's, and of what changes a leg. */
	if (ev->kind == SURVIVE_EV_TICK || ev->kind == SURVIVE_EV_PONG)
		judge(s, out);
}

uint64_t survive_due(const struct survive *s)
{
	uint64_t due = VX6_NEVER;

	if (s->state == SURVIVE_ALARM)
		due = best_alive(s, false) != SURVIVE_NO_LEG
			      ? s->alarm_ns + survive_patience(s)
			      : s->round_due_ns;
	else
		due = silent_at(s);
	if (!has_spare(s))
		due = sooner(due, s->want_due_ns);
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		if (s->leg[i].up && s->state == SURVIVE_CALM)
			due = sooner(due, sooner(s->leg[i].keep_due_ns,
						 s->leg[i].miss_due_ns));
	}
	return due;
}
