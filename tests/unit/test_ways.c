/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways: one thread writes while another reads, and nobody is asked twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "dataplane/port/ways.h"

#define LINKS 2000u

static struct ways w;
static const struct vx6_addr any;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(ways_open(&w, LINKS), VX6_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ways_close(&w);
	return 0;
}

/* An address that is all of one number. */
static struct vx6_addr addr(unsigned no)
{
	struct vx6_addr a = { .port = (uint16_t)(no + 1) };

	memset(a.ip, (int)(no & 0xff), sizeof(a.ip));
	return a;
}

/* A way in which every field says the same number. */
static struct neigh_way way_of(struct vx6_addr peer, unsigned no)
{
	struct neigh_way way = { .peer = peer, .self = addr(no) };

	memset(way.src_mac, (int)(no & 0xff), 6);
	memset(way.dst_mac, (int)(no & 0xff), 6);
	way.slot = (uint8_t)no;
	way.mtu = (uint16_t)no;
	return way;
}

static bool rings(void)
{
	struct pollfd pf = { .fd = w.bell, .events = POLLIN };

	return poll(&pf, 1, 0) == 1;
}

static unsigned asks(struct ways_ask *last)
{
	struct ways_ask a;
	unsigned cnt = 0;

	while (ways_next(&w, &a)) {
		*last = a;
		cnt++;
	}
	return cnt;
}

static bool find(uint32_t link, unsigned peer, struct neigh_way *way)
{
	struct vx6_addr a = addr(peer);

	return ways_find(&w, link, &a, &any, way);
}

static void what_is_put_is_found(void **state)
{
	struct vx6_addr peer = addr(1), self = addr(2), odd = addr(3);
	struct neigh_way put = way_of(peer, 2), way;

	(void)state;
	assert_false(find(7, 1, &way));
	ways_put(&w, 7, &put, 5);
	assert_true(find(7, 1, &way));
	assert_memory_equal(&way, &put, sizeof(way));
	assert_false(find(8, 1, &way));
	assert_false(find(7, 3, &way));
	/* not asked for with this source, so it may go another way */
	assert_false(ways_find(&w, 7, &peer, &self, &way));
	put.renew = true;
	ways_put(&w, 7, &put, 5);
	assert_true(ways_find(&w, 7, &peer, &self, &way));
	assert_false(way.renew);
	self.port = 9; /* the route does not depend on it */
	assert_true(ways_find(&w, 7, &peer, &self, &way));
	assert_false(ways_find(&w, 7, &peer, &odd, &way));
	ways_drop(&w, 7);
	assert_false(find(7, 1, &way));
	assert_false(ways_find(&w, LINKS, &peer, &any, &way));
	assert_false(ways_find(&w, 0, &any, &any, &way));
}

static void one_frame_takes_the_renewal(void **state)
{
	struct neigh_way put = way_of(addr(1), 2), way;

	(void)state;
	ways_put(&w, 1, &put, 99);
	ways_put(&w, 2, &put, 99);
	ways_put(&w, 3, &put, 98);
	ways_renew(&w, 99, true);
	assert_true(ways_renewing(&w, 99));
	assert_true(find(3, 1, &way) && !way.renew);
	assert_true(find(2, 1, &way) && way.renew);
	assert_true(find(2, 1, &way) && !way.renew);
	assert_true(find(1, 1, &way) && !way.renew);
	assert_false(ways_renewing(&w, 99));
}

static void asked_once(void **state)
{
	struct ways_ask last = { 0 };
	struct neigh_way way;
	struct vx6_addr peer = addr(1), self = addr(2);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_false(find(4, 1, &way));
	assert_int_equal(asks(&last), 1);
	assert_int_equal(last.link, 4);
	assert_true(vx6_addr_eq(&last.peer, &peer));
	assert_true(vx6_addr_eq(&last.self, &any));
	/* a source is a new question, none is part of the last */
	for (unsigned i = 0; i < 100; i++)
		assert_false(ways_find(&w, 4, &peer, &self, &way));
	for (unsigned i = 0; i < 100; i++)
		assert_false(find(4, 1, &way));
	assert_int_equal(asks(&last), 1);
	assert_true(vx6_addr_eq(&last.self, &self));
}

/* Frames to elsewhere in between, as challenges are, change nothing; a peer
 * who has moved takes over. */
static void the_odd_frame_changes_nothing(void **state)
{
	struct neigh_way put = way_of(addr(1), 2), way;
	struct ways_ask last = { 0 };

	(void)state;
	assert_false(find(4, 1, &way));
	assert_int_equal(asks(&last), 1);
	for (unsigned i = 0; i < 50; i++) { /* nothing is published yet */
		assert_false(find(4, 3, &way));
		assert_false(find(4, 3, &way));
		assert_false(find(4, 1, &way));
	}
	ways_put(&w, 4, &put, 0);
	for (unsigned i = 0; i < 50; i++) {
		assert_false(find(4, 3, &way));
		assert_false(find(4, 3, &way));
		assert_true(find(4, 1, &way));
	}
	assert_int_equal(asks(&last), 0);
	for (unsigned i = 0; i < WAYS_INSIST; i++)
		assert_false(find(4, 3, &way));
	assert_int_equal(asks(&last), 1);
	assert_int_equal(last.peer.port, 4);
}

static void a_full_ring_is_asked_later(void **state)
{
	struct ways_ask last = { 0 };
	struct neigh_way way;

	(void)state;
	for (uint32_t i = 0; i < LINKS; i++)
		assert_false(find(i, 1, &way));
	assert_int_equal(asks(&last), WAYS_ASKS);
	for (uint32_t i = 0; i < LINKS; i++)
		assert_false(find(i, 1, &way));
	assert_int_equal(asks(&last), LINKS - WAYS_ASKS);
	assert_int_equal(last.link, LINKS - 1);
}

static void the_bell_rings_for_who_sleeps(void **state)
{
	struct ways_ask last = { 0 };
	struct neigh_way way;

	(void)state;
	assert_false(rings());
	assert_false(find(1, 1, &way));
	assert_true(rings());
	ways_wake(&w);
	assert_false(rings());
	assert_false(find(2, 1, &way)); /* it is awake */
	assert_false(rings());
	assert_false(ways_sleep(&w)); /* and has not taken that yet */
	assert_int_equal(asks(&last), 2);
	assert_true(ways_sleep(&w));
	assert_false(rings());
	assert_false(find(3, 1, &way));
	assert_true(rings());
}

/* ---- two threads ---- */

#define TURNS 20000u

static _Atomic bool done, met;
static unsigned seen[LINKS]; /* questions about each link */

static void take(void)
{
	struct ways_ask a;

	while (ways_next(&w, &a)) {
		struct vx6_addr peer = addr(a.link < 3 ? 1 : a.link);

		/* a question is whole as well */
		if (a.link < LINKS && vx6_addr_eq(&a.peer, &peer))
			seen[a.link]++;
	}
}

/* Publishes ways that say one number each, withdraws, renews; and takes
 * questions as neigh does, asleep in between; for as long as it takes until
 * the reader has had the CPU, too. */
static void *write_ways(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < TURNS || !atomic_load(&met); i++) {
		struct neigh_way put = way_of(addr(1), i);

		ways_put(&w, i % 3, &put, i % 5);
		ways_renew(&w, i % 5, i & 1);
		if (i % 7 == 0)
			ways_drop(&w, i % 3);
		ways_wake(&w);
		do
			take();
		while (!ways_sleep(&w));
		if (i % 64 == 0)
			(void)sched_yield();
	}
	atomic_store(&done, true);
	return NULL;
}

static bool is_one(const struct neigh_way *way)
{
	struct neigh_way whole = way_of(addr(1), way->mtu);

	whole.self.port = way->self.port;
	whole.renew = way->renew;
	return memcmp(&whole, way, sizeof(whole)) == 0 &&
	       way->self.port == (uint16_t)(way->mtu + 1u);
}

static void a_reader_never_sees_half(void **state)
{
	unsigned found = 0;
	uint32_t link = 3;
	struct neigh_way way;
	pthread_t thread;

	(void)state;
	memset(seen, 0, sizeof(seen));
	atomic_store(&done, false);
	atomic_store(&met, false);
	assert_int_equal(pthread_create(&thread, NULL, write_ways, NULL), 0);
	while (!atomic_load(&done)) {
		for (uint32_t i = 0; i < 3; i++) {
			if (!find(i, 1, &way))
				continue;
			assert_true(is_one(&way));
			atomic_store(&met, true);
			found++;
		}
		assert_false(find(link, link, &way));
		link = link + 1 < LINKS ? link + 1 : 3;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(found > 0);
	for (unsigned turn = 0; turn < 2; turn++) {
		for (uint32_t i = 3; i < LINKS; i++)
			assert_false(find(i, i, &way));
		take();
	}
	for (uint32_t i = 3; i < LINKS; i++)
		assert_int_equal(seen[i], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(what_is_put_is_found),
		T(one_frame_takes_the_renewal),
		T(asked_once),
		T(the_odd_frame_changes_nothing),
		T(a_full_ring_is_asked_later),
		T(the_bell_rings_for_who_sleeps),
		T(a_reader_never_sees_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
