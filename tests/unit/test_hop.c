/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hop: every arrow of its drawing, every pair of state and event, and the
 * laws that hold in any story.
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

#include "controlplane/core/hop.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_law.h"

#define EVENTS   ((unsigned)HOP_EV_TICK + 1u)
#define STEP_MAX 8u
#define NEXT_REF VX6_CREATED_NEXT_REFUSED
#define NO_REACH VX6_CREATED_NEXT_UNREACHABLE

static const struct hop_times times = {
	.seek_ns = 2 * VX6_SEC,
	.extend_ns = 10 * VX6_SEC,
	.life_ns = 600 * VX6_SEC,
};

/* An action is a letter: Seek eXtend Install Answer Fail Remove, destroy
 * Prev, destroy Next, free '.'. */
static const char letter[] = "SXIAFRPN.";

static void spell(char text[8], const struct hop_out *out)
{
	unsigned i;

	assert_in_range(out->n, 0, VX6_COUNT(out->act));
	for (i = 0; i < out->n; i++)
		text[i] = letter[out->act[i]];
	text[i] = '\0';
}

/* ---- told stories ---- */

struct told {
	enum hop_ev kind;
	uint8_t code; /* of FAILED */
	double at_s;  /* since the story began */
	const char *says;
	enum hop_state then;
	uint8_t answer; /* code of ANSWER */
};

struct story {
	const char *name;
	struct told step[STEP_MAX]; /* ends where says is NULL */
};

/* clang-format off */
static const struct story stories[] = {
{ "a relay, and prev says goodbye", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_INSTALLED,        0, 4,    "A",    HOP_OPEN,    0 },
	{ HOP_EV_TICK,             0, 603,  "",     HOP_OPEN,    0 },
	{ HOP_EV_DESTROY_PREV,     0, 603,  "RN.",  HOP_GONE,    0 } } },
{ "a relay, and its life is over", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_INSTALLED,        0, 4,    "A",    HOP_OPEN,    0 },
	{ HOP_EV_TICK,             0, 604,  "RPN.", HOP_GONE,    0 } } },
{ "a relay, and next says goodbye", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_INSTALLED,        0, 4,    "A",    HOP_OPEN,    0 },
	{ HOP_EV_DESTROY_NEXT,     0, 5,    "RP.",  HOP_GONE,    0 } } },
{ "an end, which has no next, and its life is over", {
	{ HOP_EV_OPENED_END,       0, 1,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_INSTALLED,        0, 2,    "A",    HOP_OPEN,    0 },
	{ HOP_EV_TICK,             0, 602,  "RP.",  HOP_GONE,    0 } } },
{ "an end, and prev is lost", {
	{ HOP_EV_OPENED_END,       0, 1,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_INSTALLED,        0, 2,    "A",    HOP_OPEN,    0 },
	{ HOP_EV_LOST_PREV,        0, 3,    "R.",   HOP_GONE,    0 } } },
{ "a slot that does not open", {
	{ HOP_EV_REFUSED,          0, 1,    "F.",   HOP_GONE,    0 } } },
{ "a role that is not served", {
	{ HOP_EV_OPENED_OTHER,     0, 1,    "A.",   HOP_GONE,
	  VX6_CREATED_POLICY } } },
{ "next is unknown", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_UNKNOWN,     0, 1,    "A.",   HOP_GONE,
	  VX6_CREATED_NEXT_UNKNOWN } } },
{ "next cannot be reached", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_UNREACHABLE, 0, 2,    "A.",   HOP_GONE,    NO_REACH } } },
{ "next is not reached in time", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_TICK,             0, 2.9,  "",     HOP_SEEK,    0 },
	{ HOP_EV_TICK,             0, 3,    "A.",   HOP_GONE,    NO_REACH } } },
{ "next does not answer in time", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_TICK,             0, 3,    "",     HOP_EXTEND,  0 },
	{ HOP_EV_TICK,             0, 11.9, "",     HOP_EXTEND,  0 },
	{ HOP_EV_TICK,             0, 12,   "NA.",  HOP_GONE,    NO_REACH },
	{ HOP_EV_CREATED,          0, 13,   "!",    HOP_GONE,    0 } } },
{ "next refuses", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_FAILED,    NEXT_REF, 3,    "A.",   HOP_GONE,    NEXT_REF } } },
{ "next does not know the key", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_FAILED, VX6_CREATED_NEXT_NO_KEY, 3, "A.", HOP_GONE,
	  VX6_CREATED_NEXT_NO_KEY } } },
{ "next is lost before it answers", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_LOST_NEXT,        0, 3,    "A.",   HOP_GONE,    NO_REACH } } },
{ "the data plane has no room at a relay", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_NO_ROOM,          0, 4,    "RNA.", HOP_GONE,
	  VX6_CREATED_NO_ROOM } } },
{ "the data plane has no room at an end", {
	{ HOP_EV_OPENED_END,       0, 1,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_NO_ROOM,          0, 4,    "RA.",  HOP_GONE,
	  VX6_CREATED_NO_ROOM } } },
{ "prev is lost while half-circuits are added", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_LOST_PREV,        0, 4,    "RN.",  HOP_GONE,    0 },
	{ HOP_EV_INSTALLED,        0, 5,    "!",    HOP_GONE,    0 } } },
{ "next is lost while half-circuits are added", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_LOST_NEXT,        0, 4,    "RA.",  HOP_GONE,    NO_REACH } } },
{ "next says goodbye before it answers", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_DESTROY_NEXT,     0, 3,    "A.",   HOP_GONE,    NEXT_REF } } },
{ "next says goodbye while half-circuits are added", {
	{ HOP_EV_OPENED_RELAY,     0, 1,    "S",    HOP_SEEK,    0 },
	{ HOP_EV_NEXT_READY,       0, 2,    "X",    HOP_EXTEND,  0 },
	{ HOP_EV_CREATED,          0, 3,    "I",    HOP_INSTALL, 0 },
	{ HOP_EV_DESTROY_NEXT,     0, 4,    "RA.",  HOP_GONE,    NEXT_REF } } },
};
/* clang-format on */

static void tell(const struct story *s)
{
	struct hop h;

	hop_init(&h, &times);
	for (unsigned i = 0; i < STEP_MAX && s->step[i].says; i++) {
		const struct told *t = &s->step[i];
		struct hop_event ev = { .kind = t->kind,
					.code = t->code,
					.now_ns = (uint64_t)(t->at_s * 1e9) };
		bool refused = t->says[0] == '!';
		struct hop_out out;
		char said[8];

		if (hop_step(&h, &ev, &out) !=
		    (refused ? VX6_BAD_STATE : VX6_OK))
			fail_msg("%s, %u: other status", s->name, i);
		spell(said, &out);
		if (strcmp(said, refused ? "" : t->says) != 0)
			fail_msg("%s, %u: says %s", s->name, i, said);
		assert_int_equal(h.state, t->then);
		if (strchr(said, 'A'))
			assert_int_equal(h.code, t->answer);
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
 * of enum hop_ev: "!" is BAD_STATE, "" is nothing. */
/* clang-format off */
static const struct row {
	const char *name;
	enum hop_ev way[4];
	unsigned way_cnt;
	const char *says[EVENTS];
} matrix[] = {
{ "CRYPTO", { 0 }, 0,
  { "S", "I", "A.", "F.", "!", "!", "!", "!", "!", "!", "!",
    ".", "!", ".", "!", "" } },
{ "SEEK", { HOP_EV_OPENED_RELAY }, 1,
  { "!", "!", "!", "!", "X", "A.", "A.", "!", "!", "!", "A.",
    ".", "!", ".", "!", "" } },
{ "EXTEND", { HOP_EV_OPENED_RELAY, HOP_EV_NEXT_READY }, 2,
  { "!", "!", "!", "!", "!", "!", "!", "I", "A.", "!", "NA.",
    "N.", "A.", "N.", "A.", "" } },
{ "INSTALL at a relay",
  { HOP_EV_OPENED_RELAY, HOP_EV_NEXT_READY, HOP_EV_CREATED }, 3,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "A", "RNA.",
    "RN.", "RA.", "RN.", "RA.", "" } },
{ "INSTALL at an end", { HOP_EV_OPENED_END }, 1,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "A", "RA.",
    "R.", "RA.", "R.", "RA.", "" } },
{ "OPEN at a relay",
  { HOP_EV_OPENED_RELAY, HOP_EV_NEXT_READY, HOP_EV_CREATED,
    HOP_EV_INSTALLED }, 4,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "!", "!",
    "RN.", "RP.", "RN.", "RP.", "" } },
{ "OPEN at an end", { HOP_EV_OPENED_END, HOP_EV_INSTALLED }, 2,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "!", "!",
    "R.", "RP.", "R.", "RP.", "" } },
{ "GONE", { HOP_EV_REFUSED }, 1,
  { "!", "!", "!", "!", "!", "!", "!", "!", "!", "!", "!",
    "!", "!", "!", "!", "!" } },
};
/* clang-format on */

static void come_to(struct law_hop *l, const struct row *r)
{
	law_hop_init(l, &times);
	for (unsigned i = 0; i < r->way_cnt; i++) {
		struct hop_event ev = { .kind = r->way[i], .now_ns = VX6_SEC };
		struct hop_out out;
		enum vx6_status st;
		const char *broken = law_hop_step(l, &ev, &out, &st);

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
			struct hop_event ev = { .kind = (enum hop_ev)kind,
						.code = NEXT_REF,
						.now_ns = VX6_SEC };
			struct law_hop l;
			struct hop_out out;
			enum vx6_status st;
			char said[8];

			come_to(&l, &matrix[r]);
			const char *broken = law_hop_step(&l, &ev, &out, &st);

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

static void due_is_to_the_nanosecond(void **state)
{
	static const struct {
		unsigned row;
		uint64_t wait_ns;
	} of[] = {
		{ 1, 2 * VX6_SEC   },
		{ 2, 10 * VX6_SEC  },
		{ 5, 600 * VX6_SEC },
		{ 6, 600 * VX6_SEC }
	};
	struct law_hop l;
	struct hop_out out;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(of); i++) {
		struct hop_event ev = { .kind = HOP_EV_TICK };

		come_to(&l, &matrix[of[i].row]);
		assert_true(hop_due(&l.hop) == VX6_SEC + of[i].wait_ns);
		ev.now_ns = hop_due(&l.hop) - 1;
		assert_int_equal(hop_step(&l.hop, &ev, &out), VX6_OK);
		assert_int_equal(out.n, 0);
		ev.now_ns++;
		assert_int_equal(hop_step(&l.hop, &ev, &out), VX6_OK);
		assert_int_equal(l.hop.state, HOP_GONE);
		assert_true(hop_due(&l.hop) == VX6_NEVER);
	}
	for (unsigned row = 0; row < VX6_COUNT(matrix); row++)
		if (row != 1 && row != 2 && row != 5 && row != 6) {
			come_to(&l, &matrix[row]);
			assert_true(hop_due(&l.hop) == VX6_NEVER);
		}
}

/* Whoever carries EXTEND out and cannot send takes next_told back. */
static void a_create_that_was_not_sent_needs_no_destroy(void **state)
{
	struct hop_event ev = { .kind = HOP_EV_NO_ROOM, .now_ns = VX6_SEC };
	struct law_hop l;
	struct hop_out out;
	char said[8];

	(void)state;
	come_to(&l, &matrix[2]);
	assert_true(l.hop.next_told);
	l.hop.next_told = false;
	assert_int_equal(hop_step(&l.hop, &ev, &out), VX6_OK);
	spell(said, &out);
	assert_string_equal(said, "A.");
	assert_int_equal(l.hop.code, VX6_CREATED_NO_ROOM);
}

static void an_event_that_is_none_is_malformed(void **state)
{
	struct hop_event ev = { .kind = (enum hop_ev)EVENTS,
				.now_ns = VX6_SEC };

	(void)state;
	for (unsigned r = 0; r + 1 < VX6_COUNT(matrix); r++) {
		struct law_hop l;
		struct hop_out out;
		enum vx6_status st;

		come_to(&l, &matrix[r]);
		assert_null(law_hop_step(&l, &ev, &out, &st));
		assert_int_equal(st, VX6_MALFORMED);
	}
}

/* ---- any story ---- */

struct met { /* where the walks came */
	unsigned state[HOP_GONE + 1], act[HOP_ACT_FREE + 1], four;
};

/* Every other event is one that leads onwards, or none would come far. */
static enum hop_ev next_event(struct vx6_rand *rnd, enum hop_state at)
{
	static const enum hop_ev on[] = {
		[HOP_CRYPTO] = HOP_EV_OPENED_RELAY,
		[HOP_SEEK] = HOP_EV_NEXT_READY,
		[HOP_EXTEND] = HOP_EV_CREATED,
		[HOP_INSTALL] = HOP_EV_INSTALLED,
		[HOP_OPEN] = HOP_EV_TICK,
		[HOP_GONE] = HOP_EV_TICK,
	};

	if (at == HOP_CRYPTO && vx6_rand_below(rnd, 3) == 0)
		return HOP_EV_OPENED_END;
	if (vx6_rand_below(rnd, 2))
		return on[at];
	return (enum hop_ev)vx6_rand_below(rnd, EVENTS);
}

static void walk(unsigned run, struct vx6_rand *rnd, struct met *met)
{
	uint64_t now = VX6_SEC;
	struct law_hop l;

	law_hop_init(&l, &times);
	for (unsigned i = 0; i < 24; i++) {
		struct hop_event ev = {
			.kind = next_event(rnd, l.hop.state),
			.code = (uint8_t)(NEXT_REF + vx6_rand_below(rnd, 2)),
		};
		struct hop_out out;
		enum vx6_status st;

		ev.now_ns = now = law_draw(rnd, hop_due(&l.hop), now);
		const char *broken = law_hop_step(&l, &ev, &out, &st);

		if (broken)
			fail_msg("walk %u, step %u, event %u: %s", run, i,
				 (unsigned)ev.kind, broken);
		met->state[l.hop.state]++;
		met->four += out.n == 4;
		for (unsigned a = 0; a < out.n; a++)
			met->act[out.act[a]]++;
	}
}

static void the_laws_hold_in_any_story(void **state)
{
	static const uint8_t seed[32] = "hop";
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
	assert_in_range(met.four, 100, UINT32_MAX);
}

/* One that an earlier vx6d opened ends as if it had been opened here. */
static void an_adopted_circuit_ends_like_any(void **state)
{
	static const struct {
		enum hop_ev kind;
		uint64_t at_ns;
		const char *says;
	} row[] = {
		{ HOP_EV_TICK,         99,  ""     },
		{ HOP_EV_TICK,         100, "RPN." },
		{ HOP_EV_DESTROY_PREV, 1,   "RN."  },
		{ HOP_EV_LOST_PREV,    1,   "RN."  },
		{ HOP_EV_DESTROY_NEXT, 1,   "RP."  },
		{ HOP_EV_LOST_NEXT,    1,   "RP."  },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct hop_event ev = { .kind = row[i].kind,
					.now_ns = row[i].at_ns };
		struct hop_out out;
		char text[8];
		struct hop h;

		hop_adopt(&h, &times, 100);
		assert_int_equal(h.state, HOP_OPEN);
		assert_int_equal(hop_due(&h), 100);
		assert_int_equal(hop_step(&h, &ev, &out), VX6_OK);
		spell(text, &out);
		assert_string_equal(text, row[i].says);
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(every_arrow_of_the_drawing),
		cmocka_unit_test(every_state_hears_every_event),
		cmocka_unit_test(due_is_to_the_nanosecond),
		cmocka_unit_test(a_create_that_was_not_sent_needs_no_destroy),
		cmocka_unit_test(an_event_that_is_none_is_malformed),
		cmocka_unit_test(the_laws_hold_in_any_story),
		cmocka_unit_test(an_adopted_circuit_ends_like_any),
	};

	return cmocka_run_group_tests_name("hop", test, NULL, NULL);
}
