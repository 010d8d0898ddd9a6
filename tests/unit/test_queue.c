/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: messages from one thread to another, in order, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "dataplane/worker/queue.h"

static struct queue queue;

static void queue_is_a_queue(void **state)
{
	uint32_t in = 0, out = 0;
	uint64_t rng = 7;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	for (unsigned i = 0; i < 100000; i++) {
		struct abi_msg *m;

		rng = rng * 6364136223846793005u + 1;
		if (rng >> 63) {
			m = queue_room(&queue);
			assert_int_equal(m == NULL, in - out == QUEUE_SLOTS);
			assert_int_equal(queue_free(&queue),
					 QUEUE_SLOTS - (in - out));
			if (m == NULL)
				continue;
			assert_int_equal(m->seq, 0); /* wiped */
			m->seq = ++in;
			queue_push(&queue);
		} else {
			m = queue_peek(&queue);
			assert_int_equal(m == NULL, in == out);
			if (m == NULL)
				continue;
			assert_int_equal(m->seq, ++out);
			queue_pop(&queue);
		}
	}
}

#define MANY 200000u

static void *push_many(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= MANY;) {
		struct abi_msg *m = queue_room(&queue);

		if (m == NULL) {
			sched_yield(); /* a CPU of its own is not promised */
			continue;
		}
		m->seq = i;
		m->u.stall.stalled_ns = (uint64_t)i * i;
		queue_push(&queue);
		i++;
	}
	return NULL;
}

static void two_threads_share_a_queue(void **state)
{
	pthread_t t;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	assert_int_equal(pthread_create(&t, NULL, push_many, NULL), 0);
	for (uint32_t i = 1; i <= MANY;) {
		const struct abi_msg *m = queue_peek(&queue);

		if (m == NULL) {
			sched_yield();
			continue;
		}
		assert_int_equal(m->seq, i);
		assert_int_equal(m->u.stall.stalled_ns, (uint64_t)i * i);
		queue_pop(&queue);
		i++;
	}
	pthread_join(t, NULL);
	assert_null(queue_peek(&queue));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(queue_is_a_queue),
		cmocka_unit_test(two_threads_share_a_queue),
	};

	return cmocka_run_group_tests_name("queue", test, NULL, NULL);
}
