/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers: several of them, and what lands where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/hand.h"
#include "dataplane/worker/owners.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_path.h"

/* ---- the ring between two ---- */

static struct hand hand;

static int hand_open(void **state)
{
	(void)state;
	memset(&hand, 0, sizeof(hand));
	hand.slot = aligned_alloc(VX6_CACHELINE,
				  HAND_SLOTS * sizeof(struct hand_slot));
	return hand.slot == NULL;
}

static int hand_close(void **state)
{
	(void)state;
	free(hand.slot);
	return 0;
}

static void a_full_ring_keeps_room_for_news(void **state)
{
	uint8_t bytes[NET_FRAME_CAP] = { 1, 2, 3 };
	struct net_frame f = { .data = bytes, .len = 3, .link = 9 };
	unsigned cells = 0, news = 0;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		cells = news = 0;
		while (hand_put(&hand, HAND_CELL, &f))
			cells++;
		assert_int_equal(cells, HAND_SLOTS - HAND_KEEP);
		for (; hand_room(&hand, 0) != NULL; news++)
			hand_push(&hand);
		assert_int_equal(news, HAND_KEEP);
		assert_false(hand_put(&hand, HAND_CELL, &f));
		while (hand_peek(&hand) != NULL)
			hand_pop(&hand);
	}
}

#define MANY 200000u

static void *hand_many(void *arg)
{
	uint8_t bytes[NET_FRAME_CAP];
	struct net_frame f = { .data = bytes };

	(void)arg;
	for (uint32_t i = 1; i <= MANY;) {
		f.len = (uint16_t)(i % NET_FRAME_CAP);
		f.link = i;
		memset(bytes, (int)i, f.len);
		if (hand_put(&hand, HAND_JOIN, &f))
			i++;
		else
			sched_yield(); /* a CPU of its own is not promised */
	}
	return NULL;
}

static void two_threads_share_a_ring(void **state)
{
	uint8_t bytes[NET_FRAME_CAP];
	struct net_frame f = { .data = bytes };
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, hand_many, NULL), 0);
	for (uint32_t i = 1; i <= MANY;) {
		const struct hand_slot *s = hand_peek(&hand);

		if (s == NULL) {
			sched_yield();
			continue;
		}
		assert_int_equal(s->kind, HAND_JOIN);
		hand_take(s, &f);
		assert_int_equal(f.link, i);
		assert_int_equal(f.len, i % NET_FRAME_CAP);
		for (unsigned k = 0; k < f.len; k++)
			assert_int_equal(bytes[k], (uint8_t)i);
		hand_pop(&hand);
		i++;
	}
	pthread_join(t, NULL);
	assert_null(hand_peek(&hand));
}

/* ---- whose a half-circuit is ---- */

static void an_index_is_given_away_once(void **state)
{
	struct abi_half h = dp_half(ABI_HALF_FORWARD, 5, 4, 2, 9);
	struct owners o;
	uint32_t k = 99;

	(void)state;
	assert_int_equal(owners_open(&o, 64, 3), VX6_OK);
	assert_int_equal(owners_find(&o, 5), OWNERS_NONE);
	assert_int_equal(owners_add(&o, &h, 1, &k), VX6_OK);
	assert_int_equal(k, 4 % 3); /* where its cells are handed */
	h.in_link = 3;
	assert_int_equal(owners_add(&o, &h, 2, &k), VX6_EXISTS);
	h.id |= 1u << ABI_IDX_BITS; /* another life of the same index */
	assert_int_equal(owners_add(&o, &h, 3, &k), VX6_EXISTS);
	assert_int_equal(owners_find(&o, h.id), OWNERS_NONE);
	/* only the refusal of that very add takes it back */
	owners_undo(&o, 5, 2);
	assert_int_equal(owners_find(&o, 5), 1);
	owners_undo(&o, 5, 1);
	assert_int_equal(owners_find(&o, 5), OWNERS_NONE);
	assert_int_equal(owners_add(&o, &h, 4, &k), VX6_OK);
	assert_int_equal(k, 0);
	/* nothing comes in: there where it goes out */
	h = dp_half(ABI_HALF_BACKWARD, 6, 0, 2, 9);
	assert_int_equal(owners_add(&o, &h, 5, &k), VX6_OK);
	assert_int_equal(k, 2);
	h.id = 64;
	assert_int_equal(owners_add(&o, &h, 6, &k), VX6_NO_ROOM);
	/* and goes with either of its links */
	owners_end_link(&o, 2);
	assert_int_equal(owners_find(&o, 6), OWNERS_NONE);
	assert_int_equal(owners_find(&o, 5 | 1u << ABI_IDX_BITS), OWNERS_NONE);
	owners_close(&o);
}

static void a_splice_ends_with_either_half(void **state)
{
	const struct abi_half from = dp_half(ABI_HALF_FORWARD, 1, 1, 0, 0);
	const struct abi_half to = dp_half(ABI_HALF_BACKWARD, 2, 0, 2, 9);
	const struct abi_half more = dp_half(ABI_HALF_BACKWARD, 3, 0, 2, 9);
	struct owners o;
	uint32_t k;

	(void)state;
	assert_int_equal(owners_open(&o, 64, 2), VX6_OK);
	assert_int_equal(owners_add(&o, &from, 1, &k), VX6_OK);
	assert_int_equal(owners_splice(&o, 1, 2), VX6_NO_CIRCUIT);
	assert_int_equal(owners_add(&o, &to, 1, &k), VX6_OK);
	assert_int_equal(owners_add(&o, &more, 1, &k), VX6_OK);
	assert_int_equal(owners_splice(&o, 2, 1), VX6_MALFORMED);
	assert_int_equal(owners_unsplice(&o, 1), VX6_NOT_FOUND);
	assert_int_equal(owners_splice(&o, 1, 2), VX6_OK);
	assert_int_equal(owners_spliced(&o, 1), 2);
	assert_int_equal(owners_spliced(&o, 2), 1);
	assert_int_equal(owners_splice(&o, 1, 3), VX6_EXISTS);
	owners_end(&o, 2);
	assert_int_equal(owners_spliced(&o, 1), 0);
	assert_int_equal(owners_splice(&o, 1, 3), VX6_OK);
	assert_int_equal(owners_unsplice(&o, 1), VX6_OK);
	assert_int_equal(owners_spliced(&o, 3), 0);
	assert_int_equal(owners_unsplice(&o, 7), VX6_NO_CIRCUIT);
	owners_close(&o);
}

/* ---- whole data planes ---- */

static struct dp_path path;

static int path_close(void **state)
{
	(void)state;
	dp_path_close(&path);
	return 0;
}

/* Links 1 and 2 of a relay, 2 and 3, 3 and 4: two workers' each. */
static void cells_go_through(uint32_t workers)
{
	const struct dp_options o = dp_path_options(workers);
	struct abi_stats s;

	assert_true(dp_path_open(&path, 3, 0, &o));
	assert_true(dp_path_carries(&path, 100));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(path.box[i].welcome.workers, workers);
		assert_true(dp_box_stats(&path.box[i], &s));
		assert_int_equal(path.box[i].worker_cnt, workers);
		assert_int_equal(s.forwarded, 50);
		assert_int_equal(s.backwarded, 50);
		assert_int_equal(s.links, 2);
		assert_int_equal(s.halves, 2);
		assert_int_equal(s.drop[VX6_HANDED_OFF], 0);
	}
}

static void cells_go_through_two_workers(void **state)
{
	(void)state;
	cells_go_through(2);
}

static void cells_go_through_three_workers(void **state)
{
	(void)state;
	cells_go_through(3);
}

static void cells_go_through_four_workers(void **state)
{
	(void)state;
	cells_go_through(4);
}

#define PATH(f) cmocka_unit_test_teardown(f, path_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_ring_keeps_room_for_news,
						hand_open, hand_close),
		cmocka_unit_test_setup_teardown(two_threads_share_a_ring,
						hand_open, hand_close),
		cmocka_unit_test(an_index_is_given_away_once),
		cmocka_unit_test(a_splice_ends_with_either_half),
		PATH(cells_go_through_two_workers),
		PATH(cells_go_through_three_workers),
		PATH(cells_go_through_four_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
