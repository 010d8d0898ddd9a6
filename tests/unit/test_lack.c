/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lack: comparing circuits ends what only one side has, and nothing that is
 * being built.
 *
 *     prev --CREATE--> next        two streams, in order, one pair for each
 *          <--CREATED--            session; what is under way when an end
 *          <--- LIST -->           takes up another session is lost
 *
 * Method: a model of the two ends of a link.  Either may end a circuit,
 * sessions are lost and made again, and the two take up a new one at
 * different times; a seeded order decides what happens next.  Whenever an
 * end takes a circuit down because the list lacked it, the other end must
 * not have it and must never get it.  When all is quiet, both have the
 * same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controlplane/core/lack.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"

#define CIRCS 24u
#define QUEUE 256u

enum { PREV, NEXT };
enum state { NONE, WAITS, OPEN, GONE };
enum what { CREATE, CREATED, DESTROY, LINK_OPEN, LINK_OK, LIST };

struct message {
	enum what what;
	unsigned circ;
	uint32_t list; /* bits */
};

struct stream { /* to one end, of one session */
	struct message m[QUEUE];
	unsigned head, n;
};

struct end {
	enum state circ[CIRCS];
	uint64_t open[CIRCS];
	unsigned session; /* taken up; 0 = none */
	uint64_t since;
	bool due; /* a list is owed */
};

static struct model {
	struct end end[2];
	struct stream to[2]; /* of the newest session only */
	unsigned session;
	uint64_t now;
	struct vx6_rand rnd;
	unsigned lacked, spared;
} m;

static void say(unsigned from, enum what what, unsigned circ, uint32_t list)
{
	struct stream *s = &m.to[!from];

	if (m.end[from].session != m.session)
		return; /* into a session that the other end has given up */
	assert_true(s->n < QUEUE);
	s->m[(s->head + s->n++) % QUEUE] = (struct message){ what, circ, list };
}

static uint32_t list_of(const struct end *e)
{
	uint32_t list = 0;

	for (unsigned i = 0; i < CIRCS; i++)
		list |= e->circ[i] == OPEN ? 1u << i : 0;
	return list;
}

static bool created_under_way(unsigned circ)
{
	const struct stream *s = &m.to[PREV];

	for (unsigned i = 0; i < s->n; i++) {
		const struct message *x = &s->m[(s->head + i) % QUEUE];

		if (x->what == CREATED && x->circ == circ)
			return true;
	}
	return false;
}

static void must_be_dead(unsigned at, unsigned circ)
{
	const struct end *other = &m.end[!at];

	assert_int_not_equal(other->circ[circ], OPEN);
	if (other->circ[circ] == WAITS && other->session == m.session)
		assert_false(created_under_way(circ));
}

static void compare(unsigned at, uint32_t list)
{
	struct end *e = &m.end[at];

	for (unsigned i = 0; i < CIRCS; i++) {
		bool told = list & (1u << i);

		if (e->circ[i] != OPEN)
			continue;
		m.spared += !told && e->open[i] >= e->since;
		if (!lack_ends(e->open[i], e->since, told))
			continue;
		must_be_dead(at, i);
		e->circ[i] = GONE;
		m.lacked++;
	}
}

static void hear(unsigned at, const struct message *x)
{
	struct end *e = &m.end[at];
	enum state *c = &e->circ[x->circ];

	switch (x->what) {
	case CREATE:
		*c = OPEN;
		e->open[x->circ] = m.now;
		say(at, CREATED, x->circ, 0);
		return;
	case CREATED:
		if (*c != WAITS) {
			say(at, DESTROY, x->circ, 0);
			return;
		}
		*c = OPEN;
		e->open[x->circ] = m.now;
		return;
	case DESTROY: *c = *c == NONE ? NONE : GONE; return;
	case LINK_OPEN:
	case LINK_OK:
		if (x->what == LINK_OPEN)
			say(at, LINK_OK, 0, 0);
		e->due = true;
		say(at, LIST, 0, list_of(e));
		return;
	case LIST:
		if (e->due)
			compare(at, x->list);
		e->due = false;
		return;
	}
}

static bool deliver(unsigned at)
{
	struct stream *s = &m.to[at];

	if (s->n == 0 || m.end[at].session != m.session)
		return false;
	struct message x = s->m[s->head];

	s->head = (s->head + 1) % QUEUE;
	s->n--;
	hear(at, &x);
	return true;
}

/* Who waits for an answer over a session that is gone waits no more. */
static void take_up(unsigned at)
{
	struct end *e = &m.end[at];

	if (e->session == m.session)
		return;
	e->session = m.session;
	e->since = m.now;
	e->due = false;
	for (unsigned i = 0; i < CIRCS; i++)
		if (e->circ[i] == WAITS)
			e->circ[i] = GONE;
	if (at == PREV)
		say(at, LINK_OPEN, 0, 0);
}

static void new_session(void)
{
	m.session++;
	memset(m.to, 0, sizeof(m.to));
}

static void create(void)
{
	struct end *e = &m.end[PREV];

	for (unsigned i = 0; i < CIRCS; i++)
		if (e->circ[i] == NONE && e->session) {
			e->circ[i] = WAITS;
			say(PREV, CREATE, i, 0);
			return;
		}
}

static void destroy(unsigned at)
{
	struct end *e = &m.end[at];
	unsigned i = vx6_rand_below(&m.rnd, CIRCS);

	if (e->circ[i] != OPEN)
		return;
	e->circ[i] = GONE;
	say(at, DESTROY, i, 0);
}

static void something(void)
{
	unsigned at = vx6_rand_below(&m.rnd, 2);

	m.now++;
	switch (vx6_rand_below(&m.rnd, 16)) {
	case 0: new_session(); return;
	case 1:
	case 2: destroy(at); return;
	case 3:
	case 4:
	case 5: create(); return;
	case 6:
	case 7: take_up(at); return;
	default: (void)deliver(at); return;
	}
}

static void until_quiet(void)
{
	bool any = true;

	m.now++;
	new_session();
	take_up(PREV);
	m.now++;
	take_up(NEXT);
	while (any)
		any = deliver(PREV) || deliver(NEXT);
}

static void only_what_one_side_has_ends(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	vx6_rand_seed(&m.rnd, (const uint8_t[32]){ 12 });
	for (unsigned round = 0; round < 20000; round++) {
		memset(m.end, 0, sizeof(m.end));
		new_session();
		for (unsigned i = 0; i < 120; i++)
			something();
		until_quiet();
		for (unsigned i = 0; i < CIRCS; i++)
			assert_int_equal(m.end[PREV].circ[i] == OPEN,
					 m.end[NEXT].circ[i] == OPEN);
	}
	assert_true(m.lacked > 1000);
	assert_true(m.spared > 1000);
}

static void the_rule(void **state)
{
	(void)state;
	assert_true(lack_ends(4, 5, false));
	assert_false(lack_ends(5, 5, false));
	assert_false(lack_ends(6, 5, false));
	assert_false(lack_ends(4, 5, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule),
		cmocka_unit_test(only_what_one_side_has_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
