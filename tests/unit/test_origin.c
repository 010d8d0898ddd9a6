/* SPDX-License-Identifier: GPL-2.0-or-later */
/* origin: every arrow of its drawing, every pair of state and event, and
 * the laws that hold in any story.
 *
 * Method: told stories; one table of what each state says to each event;
 * walks over random events, judged by tests/support/sim_law.h, which must
 * have come everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/origin.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_law.h"

#define EVENTS   ((unsigned)ORIGIN_EV_TICK + 1u)
#define WHYS     ((unsigned)ORIGIN_WHY_DONE + 1u)
#define STEP_MAX 8u
#define HOPS     4u

static const struct origin_times times = {
	.seek_ns = 5 * VX6_SEC,
	.per_hop_ns = 2 * VX6_SEC,
	.whole_ns = 10 * VX6_SEC,
	.life_ns = 600 * VX6_SEC,
};

/* An action is a letter: Seek, Create, Install, Opened, Failed, cLosed,
 * Remove, Destroy, free '.'. */
static const char letter[] = "SCIOFLRD.";

static void spell(char text[8], const struct origin_out *out)
{
	unsigned i;

	assert_in_range(out->n, 0, VX6_COUNT(out->act));
	for (i = 0; i < out->n; i++)
		text[i] = letter[out->act[i]];
	text[i] = '\0';
}

/* ---- told stories ---- */

struct told {
	enum origin_ev kind;
	uint8_t hop, code;
	double at_s; /* since the story began */
	const char *says;
	enum origin_state then;
	enum origin_why why;
};

struct story {
	const char *name;
	struct told step[STEP_MAX]; /* ends where says is NULL */
};

/* clang-format off */
#define BEGIN    { ORIGIN_EV_TICK,  0, 0, 1, "S", ORIGIN_SEEK, 0 }
#define BEGIN_2  BEGIN, { ORIGIN_EV_READY, 0, 0, 2, "C", ORIGIN_WAIT, 0 }
#define BEGIN_3  BEGIN_2, \
	{ ORIGIN_EV_CREATED,   0, 0, 3, "I", ORIGIN_INSTALL, 0 }
#define BEGIN_4  BEGIN_3, \
	{ ORIGIN_EV_INSTALLED, 0, 0, 4, "O", ORIGIN_OPEN, 0 }

static const struct story stories[] = {
{ "opened, used, closed", { BEGIN_4,
	{ ORIGIN_EV_TICK,        0, 0, 603,  "",     ORIGIN_OPEN, 0 },
	{ ORIGIN_EV_CLOSE,       0, 0, 603,  "RDL.", ORIGIN_GONE,
	  ORIGIN_WHY_DONE } } },
{ "opened, and its life is over", { BEGIN_4,
	{ ORIGIN_EV_TICK,        0, 0, 604,  "RDL.", ORIGIN_GONE,
	  ORIGIN_WHY_EXPIRED } } },
{ "opened, and a hop tears it down", { BEGIN_4,
	{ ORIGIN_EV_DESTROY,     0, 0, 5,    "RL.",  ORIGIN_GONE,
	  ORIGIN_WHY_DESTROYED } } },
{ "opened, and the first hop is lost", { BEGIN_4,
	{ ORIGIN_EV_LOST,        0, 0, 5,    "RL.",  ORIGIN_GONE,
	  ORIGIN_WHY_LOST } } },
{ "the first hop cannot be reached", { BEGIN,
	{ ORIGIN_EV_UNREACHABLE, 0, 0, 2,    "F.",   ORIGIN_GONE,
	  ORIGIN_WHY_UNREACHABLE } } },
{ "the first hop is not reached in time", { BEGIN,
	{ ORIGIN_EV_TICK,        0, 0, 5.9,  "",     ORIGIN_SEEK, 0 },
	{ ORIGIN_EV_TICK,        0, 0, 6,    "F.",   ORIGIN_GONE,
	  ORIGIN_WHY_UNREACHABLE } } },
{ "four hops have 8 s", { BEGIN_2,
	{ ORIGIN_EV_TICK,        0, 0, 9.9,  "",     ORIGIN_WAIT, 0 },
	{ ORIGIN_EV_TICK,        0, 0, 10,   "DF.",  ORIGIN_GONE,
	  ORIGIN_WHY_TIMEOUT },
	{ ORIGIN_EV_CREATED,     0, 0, 11,   "!",    ORIGIN_GONE,
	  ORIGIN_WHY_TIMEOUT } } },
{ "the first hop refuses", { BEGIN_2,
	{ ORIGIN_EV_FAILED, 0, VX6_CREATED_NEXT_REFUSED, 3, "F.", ORIGIN_GONE,
	  ORIGIN_WHY_REFUSED } } },
{ "the first hop does not know the key", { BEGIN_2,
	{ ORIGIN_EV_FAILED, 0, VX6_CREATED_NEXT_NO_KEY, 3, "F.", ORIGIN_GONE,
	  ORIGIN_WHY_NO_KEY } } },
{ "the first hop has no room: it holds nothing", { BEGIN_2,
	{ ORIGIN_EV_CREATED_BAD, 0, VX6_CREATED_NO_ROOM, 3, "F.", ORIGIN_GONE,
	  ORIGIN_WHY_CODE } } },
{ "the third hop has no room: the first two are open", { BEGIN_2,
	{ ORIGIN_EV_CREATED_BAD, 2, VX6_CREATED_NO_ROOM, 3, "DF.", ORIGIN_GONE,
	  ORIGIN_WHY_CODE } } },
{ "a reply that does not open", { BEGIN_2,
	{ ORIGIN_EV_FORGED,      1, 0, 3,    "DF.",  ORIGIN_GONE,
	  ORIGIN_WHY_FORGED } } },
{ "no room here for what was created", { BEGIN_2,
	{ ORIGIN_EV_NO_ROOM,     0, 0, 3,    "DF.",  ORIGIN_GONE,
	  ORIGIN_WHY_LOCAL } } },
{ "the data plane refuses", { BEGIN_3,
	{ ORIGIN_EV_NO_ROOM,     0, 0, 3,    "RDF.", ORIGIN_GONE,
	  ORIGIN_WHY_LOCAL } } },
{ "torn down while the data plane works", { BEGIN_3,
	{ ORIGIN_EV_DESTROY,     0, 0, 3,    "RF.",  ORIGIN_GONE,
	  ORIGIN_WHY_DESTROYED },
	{ ORIGIN_EV_INSTALLED,   0, 0, 4,    "!",    ORIGIN_GONE,
	  ORIGIN_WHY_DESTROYED } } },
{ "not wanted any more before it began", {
	{ ORIGIN_EV_CLOSE,       0, 0, 1,    "F.",   ORIGIN_GONE,
	  ORIGIN_WHY_DONE },
	{ ORIGIN_EV_TICK,        0, 0, 1,    "!",    ORIGIN_GONE,
	  ORIGIN_WHY_DONE } } },
};
/* clang-format on */

static void tell(const struct story *s)
{
	struct origin o;

	origin_init(&o, HOPS, &times);
	for (unsigned i = 0; i < STEP_MAX && s->step[i].says; i++) {
		const struct told *t = &s->step[i];
		struct origin_event ev = { .kind = t->kind,
					   .hop = t->hop,
					   .code = t->code,
					   .now_ns =
						   (uint64_t)(t->at_s * 1e9) };
		bool refused = t->says[0] == '!';
		struct origin_out out;
		char said[8];

		if (origin_step(&o, &ev, &out) !=
		    (refused ? VX6_BAD_STATE : VX6_OK))
			fail_msg("%s, %u: other status", s->name, i);
		spell(said, &out);
		if (strcmp(said, refused ? "" : t->says) != 0)
			fail_msg("%s, %u: says %s", s->name, i, said);
		assert_int_equal(o.state, t->then);
		assert_int_equal(o.why, t->why);
		if (t->why == ORIGIN_WHY_CODE || t->why == ORIGIN_WHY_FORGED) {
			assert_int_equal(o.hop, t->hop);
			assert_int_equal(o.code, t->code);
		}
	}
}

static void every_arrow_of_the_drawing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(stories); i++)
		tell(&stories[i]);
}

/* ---- every state, every event ---- */

/* How to come into each state, and what it says to the events in the order
 * of enum origin_ev: "!" is BAD_STATE, "" is nothing.  hop is 1. */
/* clang-format off */
static const struct row {
	const char *name;
	enum origin_ev way[4];
	unsigned way_cnt;
	const char *says[EVENTS];
} matrix[] = {
{ "SEEK, not begun", { 0 }, 0,
  { "!", "!", "!", "!", "!", "!", "!", "F.", "!", "!", "F.", "S" } },
{ "SEEK", { ORIGIN_EV_TICK }, 1,
  { "C", "F.", "!", "!", "!", "!", "!", "F.", "!", "!", "F.", "" } },
{ "WAIT", { ORIGIN_EV_TICK, ORIGIN_EV_READY }, 2,
  { "!", "!", "I", "DF.", "DF.", "F.", "!", "DF.", "F.", "F.", "DF.", "" } },
{ "INSTALL", { ORIGIN_EV_TICK, ORIGIN_EV_READY, ORIGIN_EV_CREATED }, 3,
  { "!", "!", "!", "!", "!", "!", "O", "RDF.", "RF.", "RF.", "RDF.", "" } },
{ "OPEN", { ORIGIN_EV_TICK, ORIGIN_EV_READY, ORIGIN_EV_CREATED,
	    ORIGIN_EV_INSTALLED }, 4,
  { "!", "!", "!", "!", "!", "!", "!", "!", "RL.", "RL.", "RDL.", "" } },
{ "GONE", { ORIGIN_EV_CLOSE }, 1,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "!", "!", "!" } },
};
/* clang-format on */

static void come_to(struct law_origin *l, const struct row *r)
{
	law_origin_init(l, HOPS, &times);
	for (unsigned i = 0; i < r->way_cnt; i++) {
		struct origin_event ev = { .kind = r->way[i],
					   .now_ns = VX6_SEC };
		struct origin_out out;
		enum vx6_status st;
		const char *broken = law_origin_step(l, &ev, &out, &st);

		if (broken)
			fail_msg("%s: %s", r->name, broken);
		assert_int_equal(st, VX6_OK);
	}
}

static void every_state_hears_every_event(void **state)
{
	(void)state;
	for (unsigned r = 0; r < VX6_COUNT(matrix); r++)
		for (unsigned kind = 0; kind < EVENTS; kind++) {
			const char *want = matrix[r].says[kind];
			struct origin_event ev = { .kind = (enum origin_ev)kind,
						   .hop = 1,
						   .code = 3,
						   .now_ns = VX6_SEC };
			struct law_origin l;
			struct origin_out out;
			enum vx6_status st;
			char said[8];

			come_to(&l, &matrix[r]);
			const char *broken = law_origin_step(&l, &ev, &out,
							     &st);

			spell(said, &out);
			if (broken)
				fail_msg("%s, event %u: %s", matrix[r].name,
					 kind, broken);
			if ((st == VX6_BAD_STATE) != (want[0] == '!') ||
			    strcmp(said, want[0] == '!' ? "" : want) != 0)
				fail_msg("%s, event %u: says %s for %s",
					 matrix[r].name, kind, said, want);
		}
}

/* ---- odds ---- */

static void the_wait_grows_with_the_hops_up_to_a_bound(void **state)
{
	static const struct {
		unsigned hops;
		uint64_t wait_ns;
	} of[] = {
		{ 1, 2 * VX6_SEC  },
		{ 2, 4 * VX6_SEC  },
		{ 5, 10 * VX6_SEC },
		{ 6, 10 * VX6_SEC },
		{ 8, 10 * VX6_SEC }
	};
	struct origin_out out;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(of); i++) {
		struct origin_event ev = { .kind = ORIGIN_EV_TICK,
					   .now_ns = VX6_SEC };
		struct origin o;

		origin_init(&o, of[i].hops, &times);
		assert_true(origin_due(&o) == 0);
		assert_int_equal(origin_step(&o, &ev, &out), VX6_OK);
		assert_true(origin_due(&o) == 6 * VX6_SEC);
		ev.kind = ORIGIN_EV_READY;
		ev.now_ns = 3 * VX6_SEC;
		assert_int_equal(origin_step(&o, &ev, &out), VX6_OK);
		assert_true(origin_due(&o) == ev.now_ns + of[i].wait_ns);
		ev.kind = ORIGIN_EV_TICK;
		ev.now_ns = origin_due(&o) - 1;
		assert_int_equal(origin_step(&o, &ev, &out), VX6_OK);
		assert_int_equal(out.n, 0);
		ev.now_ns++;
		assert_int_equal(origin_step(&o, &ev, &out), VX6_OK);
		assert_int_equal(o.why, ORIGIN_WHY_TIMEOUT);
		assert_true(origin_due(&o) == VX6_NEVER);
	}
}

static void an_event_that_is_none_is_malformed(void **state)
{
	struct origin_event ev = { .kind = (enum origin_ev)EVENTS,
				   .hop = 3,
				   .code = 3,
				   .now_ns = VX6_SEC };

	(void)state;
	for (unsigned r = 0; r + 1 < VX6_COUNT(matrix); r++) {
		struct law_origin l;
		struct origin_out out;
		enum vx6_status st;

		come_to(&l, &matrix[r]);
		assert_null(law_origin_step(&l, &ev, &out, &st));
		assert_int_equal(st, VX6_MALFORMED);
	}
}

static void every_reason_has_words_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WHYS; i++) {
		const char *text = origin_why_text((enum origin_why)i);

		assert_in_range(strlen(text), 8, 60);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
				text, origin_why_text((enum origin_why)k));
	}
	assert_string_equal(origin_why_text((enum origin_why)WHYS), "unknown");
}

/* ---- any story ---- */

struct met { /* where the walks came */
	unsigned state[ORIGIN_GONE + 1], act[ORIGIN_ACT_FREE + 1], four;
	unsigned why[ORIGIN_WHY_DONE + 1];
};

/* Every other event is one that leads onwards, or none would come far. */
static enum origin_ev next_event(struct vx6_rand *rnd, const struct origin *o)
{
	static const enum origin_ev on[] = {
		[ORIGIN_SEEK] = ORIGIN_EV_READY,
		[ORIGIN_WAIT] = ORIGIN_EV_CREATED,
		[ORIGIN_INSTALL] = ORIGIN_EV_INSTALLED,
		[ORIGIN_OPEN] = ORIGIN_EV_TICK,
		[ORIGIN_GONE] = ORIGIN_EV_TICK,
	};

	if (vx6_rand_below(rnd, 2))
		return o->state == ORIGIN_SEEK && origin_due(o) == 0
			       ? ORIGIN_EV_TICK
			       : on[o->state];
	return (enum origin_ev)vx6_rand_below(rnd, EVENTS);
}

static void walk(unsigned run, struct vx6_rand *rnd, struct met *met)
{
	uint64_t now = VX6_SEC;
	struct law_origin l;

	law_origin_init(&l, 1 + vx6_rand_below(rnd, 8), &times);
	for (unsigned i = 0; i < 24; i++) {
		struct origin_event ev = {
			.kind = next_event(rnd, &l.origin),
			.hop = (uint8_t)vx6_rand_below(rnd, 3),
			.code = (uint8_t)vx6_rand_below(rnd, 9),
		};
		struct origin_out out;
		enum vx6_status st;

		ev.now_ns = now = law_draw(rnd, origin_due(&l.origin), now);
		const char *broken = law_origin_step(&l, &ev, &out, &st);

		if (broken)
			fail_msg("walk %u, step %u, event %u: %s", run, i,
				 (unsigned)ev.kind, broken);
		met->state[l.origin.state]++;
		met->why[l.origin.why]++;
		met->four += out.n == 4;
		for (unsigned a = 0; a < out.n; a++)
			met->act[out.act[a]]++;
	}
}

static void the_laws_hold_in_any_story(void **state)
{
	static const uint8_t seed[32] = "origin";
	struct met met = { 0 };
	struct vx6_rand rnd;

	(void)state;
	vx6_rand_seed(&rnd, seed);
	for (unsigned run = 0; run < 20000; run++)
		walk(run, &rnd, &met);
	for (unsigned i = 0; i < VX6_COUNT(met.state); i++)
		assert_in_range(met.state[i], 1000, UINT32_MAX);
	for (unsigned i = 0; i < VX6_COUNT(met.act); i++)
		assert_in_range(met.act[i], 100, UINT32_MAX);
	for (unsigned i = 0; i < VX6_COUNT(met.why); i++)
		assert_in_range(met.why[i], 100, UINT32_MAX);
	assert_in_range(met.four, 100, UINT32_MAX);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(every_arrow_of_the_drawing),
		cmocka_unit_test(every_state_hears_every_event),
		cmocka_unit_test(the_wait_grows_with_the_hops_up_to_a_bound),
		cmocka_unit_test(an_event_that_is_none_is_malformed),
		cmocka_unit_test(every_reason_has_words_of_its_own),
		cmocka_unit_test(the_laws_hold_in_any_story),
	};

	return cmocka_run_group_tests_name("origin", test, NULL, NULL);
}
