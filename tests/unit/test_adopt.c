/* SPDX-License-Identifier: GPL-2.0-or-later */
/* adopt: what a fresh vx6d takes up of a data plane's dump, and notes.
 *
 * Method: a dump of two links and one circuit is kept whole; a table spoils
 * it in one place at a time and says what is left; random dumps are judged
 * by tests/support/adopt_law.h; a note is spoilt in every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/ids.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "tests/support/adopt_law.h"

#define LINKS  16u
#define HALVES 32u
#define F      0x12300005u /* index 5 */
#define B      0x45600006u

static struct adopt_link link[LINKS];
static struct adopt_half half[HALVES];
static struct adopt dump;

static void fresh(void)
{
	memset(link, 0, sizeof(link));
	memset(half, 0, sizeof(half));
	dump = (struct adopt){ .links_max = LINKS,
			       .halves_max = HALVES,
			       .slack_ns = 30 * VX6_SEC,
			       .link = link,
			       .half = half,
			       .link_cnt = 2,
			       .half_cnt = 2 };
	memset(dump.self, 0x99, sizeof(dump.self));
	link[0] = adopt_row_link(3, 7, 1);
	link[1] = adopt_row_link(4, 9, 2);
	adopt_row_pair(half, F, B, &link[0], &link[1]);
}

static void judge(void)
{
	const char *broken = adopt_law(&dump);

	if (broken)
		fail_msg("%s", broken);
}

static unsigned links_kept(void)
{
	unsigned mask = 0;

	for (uint32_t i = 0; i < dump.link_cnt; i++)
		mask |= link[i].verdict == ADOPT_KEEP ? 1u << i : 0;
	return mask;
}

static unsigned halves_kept(void)
{
	unsigned mask = 0;

	for (uint32_t i = 0; i < dump.half_cnt; i++)
		mask |= half[i].verdict == ADOPT_KEEP ? 1u << i : 0;
	return mask;
}

static void a_relayed_circuit_is_taken_up(void **state)
{
	(void)state;
	fresh();
	judge();
	assert_int_equal(links_kept(), 3);
	assert_int_equal(halves_kept(), 3);
	assert_int_equal(half[0].pair, 1);
	assert_int_equal(half[1].pair, 0);
}

static void an_empty_dump_is_nothing(void **state)
{
	(void)state;
	fresh();
	dump.link_cnt = dump.half_cnt = 0;
	judge();
}

/* ---- one thing is wrong ---- */

static void no_note(void)
{
	link[0].known = false;
}
static void down(void)
{
	link[0].down = true;
}
static void to_us(void)
{
	memset(link[0].note.node, 0x99, 32);
}
static void half_note_on_link(void)
{
	link[0].note.use = NOTE_FORWARD;
}
static void index_zero(void)
{
	link[0].index = 0;
}
static void index_beyond(void)
{
	link[0].index = LINKS;
}
static void peer_zero(void)
{
	link[0].peer_index = 0;
}
static void peer_beyond(void)
{
	link[0].peer_index = 1u << 24;
}
static void u_small(void)
{
	link[0].u = 69;
}
static void u_large(void)
{
	link[0].u = 1473;
}
static void same_node(void)
{
	memset(link[1].note.node, 1, 32);
}
static void same_index(void)
{
	link[1].index = 3;
}
static void local(void)
{
	half[0].kind = ADOPT_LOCAL;
}
static void kind_nonsense(void)
{
	half[0].kind = 200;
}
static void end_note(void)
{
	half[0].note.use = NOTE_END;
}
static void half_no_note(void)
{
	half[1].known = false;
}
static void f_alone(void)
{
	dump.half_cnt = 1;
}
static void b_alone(void)
{
	half[0] = half[1];
	dump.half_cnt = 1;
}
static void other_gone(void)
{
	half[0].note.other = B + 1;
}
static void other_old(void)
{
	half[0].note.other = B ^ 0x00100000u;
}
static void names_itself(void)
{
	half[0].note.other = F;
}
static void other_beyond(void)
{
	half[0].note.other = HALVES;
}
static void unanswered(void)
{
	half[1].note.other = F + 3;
}
static void two_forwards(void)
{
	half[1].kind = ADOPT_FORWARD;
}
static void backward_note(void)
{
	half[1].note.use = NOTE_FORWARD;
}
static void in_elsewhere(void)
{
	half[0].in_link = 4;
}
static void out_nowhere(void)
{
	half[0].out_link = 9;
}
static void no_out_id(void)
{
	half[0].out_id = 0;
}
static void wrong_neighbour(void)
{
	memset(half[0].note.node, 2, 32);
}
static void wrong_next(void)
{
	memset(half[1].note.node, 1, 32);
}
static void sizes(void)
{
	half[0].size_out = 1232;
}
static void sizes_differ(void)
{
	half[0].size_in = half[0].size_out = 1232;
}
static void size_nonsense(void)
{
	half[0].size_in = half[0].size_out = 7;
}
static void suites(void)
{
	half[0].suite = 2;
}
static void lives(void)
{
	half[0].note.life_s = 3601;
}
static void for_ever(void)
{
	half[1].left_ns = 0;
}
static void too_long(void)
{
	half[1].left_ns = 3631 * VX6_SEC;
}
static void id_zero(void)
{
	half[1].id = half[0].note.other = 0x12300000u;
}
static void id_beyond(void)
{
	half[1].id = half[0].note.other = 0x12300000u | HALVES;
}

static void what_is_wrong_is_swept(void **state)
{
	static const struct {
		const char *what;
		void (*spoil)(void);
		unsigned links, halves;
	} row[] = {
		{ "no note",           no_note,           2, 0 },
		{ "down",              down,              2, 0 },
		{ "to us",             to_us,             2, 0 },
		{ "half's note",       half_note_on_link, 2, 0 },
		{ "index 0",           index_zero,        2, 0 },
		{ "index beyond",      index_beyond,      2, 0 },
		{ "peer index 0",      peer_zero,         2, 0 },
		{ "peer index beyond", peer_beyond,       2, 0 },
		{ "u small",           u_small,           2, 0 },
		{ "u large",           u_large,           2, 0 },
		{ "same node",         same_node,         1, 0 },
		{ "same index",        same_index,        1, 0 },
		{ "local",             local,             3, 0 },
		{ "kind",              kind_nonsense,     3, 0 },
		{ "end's note",        end_note,          3, 0 },
		{ "half without note", half_no_note,      3, 0 },
		{ "forward alone",     f_alone,           3, 0 },
		{ "backward alone",    b_alone,           3, 0 },
		{ "other gone",        other_gone,        3, 0 },
		{ "other is old",      other_old,         3, 0 },
		{ "names itself",      names_itself,      3, 0 },
		{ "other beyond",      other_beyond,      3, 0 },
		{ "unanswered",        unanswered,        3, 0 },
		{ "two forwards",      two_forwards,      3, 0 },
		{ "two notes alike",   backward_note,     3, 0 },
		{ "in elsewhere",      in_elsewhere,      3, 0 },
		{ "out nowhere",       out_nowhere,       3, 0 },
		{ "no out id",         no_out_id,         3, 0 },
		{ "wrong neighbour",   wrong_neighbour,   3, 0 },
		{ "wrong next",        wrong_next,        3, 0 },
		{ "sizes",             sizes,             3, 0 },
		{ "sizes differ",      sizes_differ,      3, 0 },
		{ "size nonsense",     size_nonsense,     3, 0 },
		{ "suites",            suites,            3, 0 },
		{ "lives",             lives,             3, 0 },
		{ "for ever",          for_ever,          3, 0 },
		{ "too long",          too_long,          3, 0 },
		{ "id of index 0",     id_zero,           3, 0 },
		{ "id beyond",         id_beyond,         3, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		fresh();
		row[i].spoil();
		judge();
		if (links_kept() != row[i].links ||
		    halves_kept() != row[i].halves)
			fail_msg("%s: links %x, halves %x", row[i].what,
				 links_kept(), halves_kept());
	}
}

static void one_circuit_does_not_cost_another(void **state)
{
	(void)state;
	fresh();
	adopt_row_pair(half + 2, 0x00100007u, 0x00100008u, &link[1], &link[0]);
	adopt_row_pair(half + 4, 0x00100009u, 0x0010000au, &link[0], &link[1]);
	half[2].suite = 2;
	dump.half_cnt = 6;
	judge();
	assert_int_equal(halves_kept(), 0x33);
}

static void a_number_said_twice_is_left_alone(void **state)
{
	(void)state;
	fresh();
	link[2] = link[0];
	half[2] = half[0];
	half[3] = half[1];
	half[3].id ^= 0x00100000u; /* the slot's, but another life */
	dump.link_cnt = 3;
	dump.half_cnt = 4;
	judge();
	assert_int_equal(links_kept(), 3);
	assert_int_equal(link[2].verdict, ADOPT_AGAIN);
	assert_int_equal(halves_kept(), 3);
	assert_int_equal(half[2].verdict, ADOPT_AGAIN);
	assert_int_equal(half[3].verdict, ADOPT_SWEEP);
}

static void random_dumps_keep_the_laws(void **state)
{
	unsigned kept = 0, partly = 0;
	struct vx6_rand r;

	(void)state;
	vx6_rand_seed(&r, (const uint8_t[32]){ 6 });
	for (unsigned round = 0; round < 20000; round++) {
		fresh();
		link[2] = adopt_row_link(5, 5, 3);
		dump.link_cnt = 3;
		dump.half_cnt = 0;
		for (unsigned i = 0; i < 6; i++) {
			adopt_row_pair(half + dump.half_cnt,
				       1u + vx6_rand_below(&r, HALVES),
				       1u + vx6_rand_below(&r, HALVES),
				       &link[vx6_rand_below(&r, 3)],
				       &link[vx6_rand_below(&r, 3)]);
			dump.half_cnt += 2;
		}
		if (vx6_rand_below(&r, 2)) {
			link[vx6_rand_below(&r, 3)].index =
				vx6_rand_below(&r, LINKS + 2);
			half[vx6_rand_below(&r, 12)].id =
				vx6_rand_below(&r, HALVES + 2);
		}
		judge();
		kept += halves_kept() == 0xfff;
		partly += halves_kept() != 0 && halves_kept() != 0xfff;
	}
	assert_true(kept > 100);
	assert_true(partly > 1000);
}

/* ---- notes ---- */

static const struct note sayable[] = {
	{ .use = NOTE_LINK, .opener = true, .node = { 1, 2, 3 } },
	{ .use = NOTE_LINK, .node = { [31] = 9 } },
	{ .use = NOTE_FORWARD, .other = B, .life_s = 3600, .node = { 1 } },
	{ .use = NOTE_BACKWARD, .other = F, .life_s = NOTE_LIFE_MAX },
	{ .use = NOTE_END, .life_s = 1 },
	{ .use = NOTE_ORIGIN, .life_s = 60, .node = { 7 } },
};

static void notes_come_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(sayable); i++) {
		uint8_t text[NOTE_LEN];
		struct note n;

		memset(&n, 0x5a, sizeof(n));
		note_emit(text, &sayable[i]);
		assert_int_equal(note_parse(&n, text), VX6_OK);
		assert_int_equal(n.use, sayable[i].use);
		assert_int_equal(n.opener, sayable[i].opener);
		assert_int_equal(n.other, sayable[i].other);
		assert_int_equal(n.life_s, sayable[i].life_s);
		assert_memory_equal(n.node, sayable[i].node, 32);
	}
}

static void other_forms_are_not_read(void **state)
{
	uint8_t text[NOTE_LEN];
	struct note n;

	(void)state;
	note_emit(text, &sayable[0]);
	for (unsigned form = 0; form < 256; form++) {
		text[0] = (uint8_t)form;
		assert_int_equal(note_parse(&n, text),
				 form == 2 ? VX6_OK : VX6_BAD_VERSION);
	}
}

/* A changed byte is refused, or was one of those that say something. */
static void nothing_is_read_past(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(sayable); i++) {
		unsigned refused = 0;

		for (unsigned at = 1; at < NOTE_LEN; at++) {
			uint8_t text[NOTE_LEN], again[NOTE_LEN];
			struct note n;

			note_emit(text, &sayable[i]);
			text[at] ^= 0x80;
			if (note_parse(&n, text) != VX6_OK) {
				refused++;
				continue;
			}
			note_emit(again, &n);
			assert_memory_equal(again, text, NOTE_LEN);
		}
		assert_in_range(refused, NOTE_LEN - 45, NOTE_LEN - 33);
	}
}

static void notes_that_cannot_be(void **state)
{
	static const struct note bad[] = {
		{ .use = 0 },
		{ .use = NOTE_ORIGIN + 1, .life_s = 60 },
		{ .use = NOTE_LINK, .life_s = 60 },
		{ .use = NOTE_LINK, .other = B },
		{ .use = NOTE_FORWARD, .other = 0, .life_s = 60 },
		{ .use = NOTE_FORWARD, .other = B },
		{ .use = NOTE_BACKWARD,
                 .other = B,
                 .life_s = 60,
                 .opener = true },
		{ .use = NOTE_END, .other = B, .life_s = 60 },
		{ .use = NOTE_ORIGIN, .life_s = NOTE_LIFE_MAX + 1 },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		uint8_t text[NOTE_LEN];
		struct note n;

		note_emit(text, &bad[i]);
		assert_int_equal(note_parse(&n, text), VX6_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_relayed_circuit_is_taken_up),
		cmocka_unit_test(an_empty_dump_is_nothing),
		cmocka_unit_test(what_is_wrong_is_swept),
		cmocka_unit_test(one_circuit_does_not_cost_another),
		cmocka_unit_test(a_number_said_twice_is_left_alone),
		cmocka_unit_test(random_dumps_keep_the_laws),
		cmocka_unit_test(notes_come_back),
		cmocka_unit_test(other_forms_are_not_read),
		cmocka_unit_test(nothing_is_read_past),
		cmocka_unit_test(notes_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
