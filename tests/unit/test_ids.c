/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: fresh ids are what a queue of indices and a count per index say, and
 * whoever still uses an old one is refused.
 *
 * Method: tables of edges; tables of two slots, of a few and of all 2^20; a
 * random walk beside a model that is a plain array used as a queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/core/ids.h"
#include "dataplane/base/rand.h"

#define GENS (1u << (32 - IDS_INDEX_BITS))
#define FEW  24u

static int owner_a, owner_b;

static uint32_t index_of(uint32_t id)
{
	return id & IDS_INDEX_MASK;
}

static uint32_t gen_of(uint32_t id)
{
	return id >> IDS_INDEX_BITS;
}

static void the_first_generation_is_the_callers(void **state)
{
	static const struct {
		uint16_t first, then;
	} of[] = {
		{ 0,      0     },
                { 1,      1     },
                { 0xfff,  0xfff },
		{ 0x1000, 0     },
                { 0xabcd, 0xbcd },
                { 0xffff, 0xfff }
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(of); i++) {
		struct ids_slot slot[4];
		struct ids t;

		memset(slot, 0x5a, sizeof(slot));
		ids_init(&t, slot, 4, of[i].first);
		assert_int_equal(t.used, 0);
		for (uint32_t k = 1; k < 4; k++) {
			uint32_t id = ids_take(&t, &owner_a, 0);

			assert_int_equal(index_of(id), k);
			assert_int_equal(gen_of(id), of[i].then);
		}
	}
}

/* After a restart: ids that were told are kept or dead, and neither is told
 * to anybody as long as there are others. */
static void ids_of_an_earlier_life(void **state)
{
	struct ids_slot slot[FEW];
	struct ids t;
	uint32_t kept = 0x12300005u, dead = 0xfff00003u, got = 0;

	(void)state;
	ids_init(&t, slot, FEW, 9);
	assert_true(ids_keep(&t, kept, &owner_a, 3));
	assert_true(ids_keep(&t, dead, NULL, 0));
	assert_false(ids_keep(&t, kept ^ 0x00100000u, &owner_b, 3));
	assert_false(ids_keep(&t, kept, NULL, 0));
	assert_false(ids_keep(&t, dead, &owner_b, 3));
	assert_false(ids_keep(&t, 0x12300000u, &owner_b, 3));
	assert_false(ids_keep(&t, 0x12300000u | FEW, &owner_b, 3));
	assert_false(ids_keep(&t, UINT32_MAX, &owner_b, 3));
	ids_settle(&t);
	assert_int_equal(t.used, 1);
	assert_ptr_equal(ids_find(&t, kept)->owner, &owner_a);
	assert_int_equal(ids_find(&t, kept)->what, 3);
	assert_null(ids_find(&t, dead));
	for (uint32_t k = 1; k < FEW - 2; k++) {
		got = ids_take(&t, &owner_b, 1);
		assert_int_equal(gen_of(got), 9);
		assert_int_not_equal(index_of(got), index_of(kept));
		assert_int_not_equal(index_of(got), index_of(dead));
	}
	assert_int_equal(ids_take(&t, &owner_b, 1), 3u); /* 0xfff, then 0 */
	assert_int_equal(ids_take(&t, &owner_b, 1), 0);
	ids_give(&t, kept);
	assert_int_equal(ids_take(&t, &owner_b, 1), kept + 0x00100000u);
	ids_give(&t, got);
	assert_int_equal(ids_take(&t, &owner_b, 1), got + 0x00100000u);
}

static void an_id_finds_its_owner(void **state)
{
	struct ids_slot slot[4];
	struct ids t;

	(void)state;
	ids_init(&t, slot, 4, 7);
	uint32_t a = ids_take(&t, &owner_a, 3);
	uint32_t b = ids_take(&t, &owner_b, 0xffff);

	assert_ptr_equal(ids_find(&t, a)->owner, &owner_a);
	assert_int_equal(ids_find(&t, a)->what, 3);
	assert_ptr_equal(ids_find(&t, b)->owner, &owner_b);
	assert_int_equal(ids_find(&t, b)->what, 0xffff);
	assert_int_equal(t.used, 2);
}

/* None of these lives, whatever is looked for or given back. */
static void what_is_no_living_id_is_ignored(void **state)
{
	struct ids_slot slot[4];
	struct ids t;

	(void)state;
	ids_init(&t, slot, 3, 0); /* one slot less than there is memory for */
	memset(&slot[3], 0, sizeof(slot[3]));
	slot[3].owner = &owner_b;
	memset(&slot[0], 0, sizeof(slot[0]));
	slot[0].owner = &owner_b;
	uint32_t live = ids_take(&t, &owner_a, 1);
	const uint32_t wrong[] = {
		0,
		2,                                 /* free */
		3,                                 /* beyond the table */
		IDS_INDEX_MASK,                    /* far beyond it */
		UINT32_MAX,                        /* and further */
		UINT32_C(1) << IDS_INDEX_BITS,     /* index 0 */
		live + (1u << IDS_INDEX_BITS),     /* the next generation */
		live | 0xfffu << IDS_INDEX_BITS,   /* the one before */
		live ^ (0x800u << IDS_INDEX_BITS), /* its highest bit */
	};

	assert_int_equal(live, 1);
	for (unsigned i = 0; i < VX6_COUNT(wrong); i++) {
		assert_null(ids_find(&t, wrong[i]));
		ids_give(&t, wrong[i]);
		assert_int_equal(t.used, 1);
		assert_non_null(ids_find(&t, live));
	}
	assert_int_equal(ids_take(&t, &owner_a, 1), 2);
	assert_int_equal(ids_take(&t, &owner_a, 1), 0);
}

static void an_old_id_is_refused_until_all_generations_passed(void **state)
{
	struct ids_slot slot[2];
	struct ids t;

	(void)state;
	ids_init(&t, slot, 2, 0xffd);
	uint32_t first = ids_take(&t, &owner_a, 0);

	ids_give(&t, first);
	for (unsigned i = 1; i < GENS; i++) {
		uint32_t id = ids_take(&t, &owner_b, 0);

		assert_int_equal(index_of(id), 1);
		assert_int_equal(gen_of(id), (0xffd + i) % GENS);
		assert_null(ids_find(&t, first));
		ids_give(&t, first); /* twice: not its own any more */
		assert_non_null(ids_find(&t, id));
		ids_give(&t, id);
		assert_null(ids_find(&t, id));
		assert_int_equal(t.used, 0);
	}
	assert_int_equal(ids_take(&t, &owner_a, 0), first);
}

static void a_full_table_says_so_and_recovers(void **state)
{
	struct ids_slot slot[FEW];
	struct ids t;
	uint32_t id[FEW];

	(void)state;
	ids_init(&t, slot, FEW, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 1; i < FEW; i++) {
			id[i] = ids_take(&t, &owner_a, 0);
			assert_int_not_equal(id[i], 0);
		}
		assert_int_equal(t.used, FEW - 1);
		assert_int_equal(ids_take(&t, &owner_a, 0), 0);
		assert_int_equal(ids_take(&t, &owner_a, 0), 0);
		assert_int_equal(t.used, FEW - 1);
		for (uint32_t i = 1; i < FEW; i++)
			ids_give(&t, id[i]);
		assert_int_equal(t.used, 0);
	}
}

static void freed_slots_return_oldest_first(void **state)
{
	static const uint8_t order[] = { 5, 2, 7, 1, 6, 3, 4 };
	struct ids_slot slot[8];
	struct ids t;
	uint32_t id[8];

	(void)state;
	ids_init(&t, slot, 8, 0);
	for (uint32_t i = 1; i < 8; i++)
		id[i] = ids_take(&t, &owner_a, 0);
	for (unsigned i = 0; i < VX6_COUNT(order); i++)
		ids_give(&t, id[order[i]]);
	for (unsigned i = 0; i < VX6_COUNT(order); i++)
		assert_int_equal(index_of(ids_take(&t, &owner_a, 0)), order[i]);
	/* never used ones come before one that was just given back */
	ids_init(&t, slot, 8, 0);
	id[1] = ids_take(&t, &owner_a, 0);
	ids_give(&t, id[1]);
	for (uint32_t i = 2; i < 8; i++)
		assert_int_equal(index_of(ids_take(&t, &owner_a, 0)), i);
	assert_int_equal(index_of(ids_take(&t, &owner_a, 0)), 1);
}

static void the_largest_table_has_all_its_ids(void **state)
{
	uint32_t cnt = IDS_INDEX_MASK + 1u;
	struct ids_slot *slot = calloc(cnt, sizeof(*slot));
	struct ids t;

	(void)state;
	assert_non_null(slot);
	ids_init(&t, slot, cnt, 0xfff);
	for (uint32_t i = 1; i < cnt; i++)
		if (ids_take(&t, &owner_a, 0) != (0xfffu << IDS_INDEX_BITS | i))
			fail_msg("id %u is another", i);
	assert_int_equal(ids_take(&t, &owner_a, 0), 0);
	ids_give(&t, UINT32_MAX);
	assert_int_equal(ids_take(&t, &owner_a, 0), IDS_INDEX_MASK);
	free(slot);
}

/* ---- beside a model ---- */

struct model {
	uint32_t queue[1 << 16]; /* free indices, each entry used once */
	unsigned head, tail;
	uint32_t gen[FEW];
	uint32_t live[FEW]; /* id by index, 0 = free */
	uint32_t old[64];   /* ids that were given back */
	unsigned old_cnt, used;
};

static void model_take(struct model *m, struct ids *t, uint16_t what)
{
	uint32_t want = 0, id = ids_take(t, &m->live[0], what);

	if (m->head < m->tail) {
		uint32_t i = m->queue[m->head++];

		want = m->gen[i] << IDS_INDEX_BITS | i;
		m->live[i] = want;
		m->used++;
	}
	assert_int_equal(id, want);
	if (id) {
		assert_ptr_equal(ids_find(t, id)->owner, &m->live[0]);
		assert_int_equal(ids_find(t, id)->what, what);
	}
}

static void model_give(struct model *m, struct ids *t, uint32_t i)
{
	uint32_t id = m->live[i];

	if (!id)
		return;
	ids_give(t, id);
	m->live[i] = 0;
	m->gen[i] = (m->gen[i] + 1) % GENS;
	m->queue[m->tail++] = i;
	m->used--;
	m->old[m->old_cnt++ % VX6_COUNT(m->old)] = id;
}

static void model_agrees(const struct model *m, struct ids *t)
{
	assert_int_equal(t->used, m->used);
	for (uint32_t i = 1; i < FEW; i++)
		if (m->live[i])
			assert_ptr_equal(ids_find(t, m->live[i]), &t->slot[i]);
	for (unsigned i = 0; i < VX6_COUNT(m->old); i++)
		assert_null(ids_find(t, m->old[i]));
}

static void a_queue_says_the_same(void **state)
{
	static const uint8_t seed[32] = "ids";
	static struct model m;
	struct ids_slot slot[FEW];
	struct vx6_rand rnd;
	unsigned full = 0;
	struct ids t;

	(void)state;
	vx6_rand_seed(&rnd, seed);
	ids_init(&t, slot, FEW, 0xff0);
	for (uint32_t i = 1; i < FEW; i++) {
		m.gen[i] = 0xff0;
		m.queue[m.tail++] = i;
	}
	for (unsigned i = 0; i < 60000; i++) {
		/* long tides, so that it is full at times, and empty */
		uint32_t tide = (i / 500) % 2 ? 70 : 30;
		uint32_t draw = vx6_rand_below(&rnd, 100);

		if (draw < tide)
			model_take(&m, &t, (uint16_t)i);
		else
			model_give(&m, &t, 1 + vx6_rand_below(&rnd, FEW - 1));
		if (draw == 99 && m.old_cnt)
			ids_give(&t,
				 m.old[vx6_rand_below(&rnd, VX6_COUNT(m.old))]);
		full += m.used == FEW - 1;
		model_agrees(&m, &t);
	}
	assert_in_range(full, 1000, UINT32_MAX);
	assert_in_range(m.tail, 10000, VX6_COUNT(m.queue));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(the_first_generation_is_the_callers),
		cmocka_unit_test(ids_of_an_earlier_life),
		cmocka_unit_test(an_id_finds_its_owner),
		cmocka_unit_test(what_is_no_living_id_is_ignored),
		cmocka_unit_test(
			an_old_id_is_refused_until_all_generations_passed),
		cmocka_unit_test(a_full_table_says_so_and_recovers),
		cmocka_unit_test(freed_slots_return_oldest_first),
		cmocka_unit_test(the_largest_table_has_all_its_ids),
		cmocka_unit_test(a_queue_says_the_same),
	};

	return cmocka_run_group_tests_name("ids", test, NULL, NULL);
}
