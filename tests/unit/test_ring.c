/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring: what one side pushes the other pops, once, in order, whole; and
 * what a hostile other side writes into the memory leads nowhere.
 *
 * Method: both sides in one process against a queue too simple to be
 * wrong; then two processes and a million slots, asleep whenever they can
 * be, where a lost wake-up is a test that does not end; then every shared
 * word set to whatever the other side may like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/abi/ring.h"
#include "dataplane/base/rand.h"

static struct abi_shm plane, client;
static int fd[3];
static struct vx6_rand rnd;

static int both(void **state)
{
	uint8_t seed[32] = { 4 };

	(void)state;
	vx6_rand_seed(&rnd, seed);
	if (abi_shm_create(&plane, fd) != VX6_OK ||
	    abi_shm_attach(&client, fd) != VX6_OK)
		return -1;
	return 0;
}

static int neither(void **state)
{
	(void)state;
	abi_shm_close(&client);
	abi_shm_close(&plane);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
	return 0;
}

/* ---- one producer, one consumer ---- */

static void fill(struct abi_slot *s, uint32_t n)
{
	s->link = n;
	s->circ = ~n;
	s->size = (uint16_t)(24 + n % 1449);
	s->cell_size = 0;
	s->zero = 0;
	memset(s->data, (int)(n * 13), s->size);
}

static bool is_whole(const struct abi_slot *s, uint32_t n)
{
	static struct abi_slot got;

	if (abi_slot_read(&got, s) != VX6_OK || got.link != n ||
	    got.circ != ~n || got.size != 24 + n % 1449)
		return false;
	for (unsigned i = 0; i < got.size; i++)
		if (got.data[i] != (uint8_t)(n * 13))
			return false;
	return true;
}

/* One step of the model; false when there was no room, or nothing. */
static bool step(struct abi_ring_end *in, struct abi_ring_end *out, bool push,
		 uint32_t *pushed, uint32_t *popped)
{
	struct abi_slot *s = push ? abi_ring_room(in) : abi_ring_peek(out);
	bool can = push ? *pushed - *popped < ABI_RING_SLOTS
			: *pushed != *popped;

	assert_int_equal(s != NULL, can);
	if (s == NULL)
		return false;
	if (push) {
		s->link = (*pushed)++;
		abi_ring_push(in);
	} else {
		assert_int_equal(s->link, (*popped)++);
		abi_ring_pop(out);
	}
	return true;
}

static void a_ring_is_a_queue(struct abi_ring_end *in, struct abi_ring_end *out)
{
	uint32_t pushed = 0, popped = 0, full = 0, empty = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = vx6_rand_below(&rnd, 700);
		bool push = vx6_rand_below(&rnd, 2) == 0;

		while (n > 0 && step(in, out, push, &pushed, &popped))
			n--;
		full += n > 0 && push;
		empty += n > 0 && !push;
	}
	assert_true(full > 100 && empty > 100);
}

static void both_ways_are_queues(void **state)
{
	(void)state;
	a_ring_is_a_queue(&plane.up, &client.up);
	a_ring_is_a_queue(&client.down, &plane.down);
}

static void positions_may_wrap(void **state)
{
	struct abi_ring_end *in = &plane.up, *out = &client.up;

	(void)state;
	/* as after 2^32 - 500 slots */
	in->pos = in->cached = out->pos = out->cached = -500u;
	abi_ring_push(in);
	assert_non_null(abi_ring_peek(out));
	abi_ring_pop(out);
	assert_non_null(abi_ring_room(in));
	for (uint32_t i = 0; i < ABI_RING_SLOTS; i++) {
		struct abi_slot *s = abi_ring_room(in);

		assert_non_null(s);
		s->link = i;
		abi_ring_push(in);
	}
	assert_null(abi_ring_room(in));
	for (uint32_t i = 0; i < ABI_RING_SLOTS; i++) {
		struct abi_slot *s = abi_ring_peek(out);

		assert_non_null(s);
		assert_int_equal(s->link, i);
		abi_ring_pop(out);
	}
	assert_null(abi_ring_peek(out));
}

/* ---- waking ---- */

static uint64_t woken(const struct abi_ring_end *e)
{
	uint64_t n = 0;

	if (read(e->wake_fd, &n, sizeof(n)) < 0)
		return 0;
	return n;
}

static void only_a_sleeper_is_woken_and_once(void **state)
{
	struct abi_ring_end *in = &plane.up, *out = &client.up;

	(void)state;
	abi_ring_push(in);
	abi_ring_flush(in);
	assert_int_equal(woken(out), 0);
	assert_false(abi_ring_sleep(out)); /* it is not empty */
	abi_ring_push(in);
	abi_ring_flush(in);
	assert_int_equal(woken(out), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_non_null(abi_ring_peek(out));
		abi_ring_pop(out);
	}
	assert_true(abi_ring_sleep(out));
	abi_ring_flush(in); /* a sleeper is woken, needlessly even */
	abi_ring_push(in);
	abi_ring_flush(in);
	assert_int_equal(woken(out), 1);
	abi_ring_awake(out);
	assert_non_null(abi_ring_peek(out));
	abi_ring_pop(out);
	assert_true(abi_ring_sleep(out));
	abi_ring_push(in);
	abi_ring_flush(in);
	abi_ring_awake(out); /* drains */
	assert_int_equal(woken(out), 0);
}

#define MILLION 1000000u

static void consume(struct abi_ring_end *e)
{
	uint32_t n = 0;

	while (n < MILLION) {
		struct abi_slot *s = abi_ring_peek(e);

		if (s == NULL) {
			struct pollfd p = { .fd = e->wake_fd,
					    .events = POLLIN };

			if (!abi_ring_sleep(e))
				continue;
			if (poll(&p, 1, -1) < 0)
				_exit(3);
			abi_ring_awake(e);
			continue;
		}
		if (!is_whole(s, n))
			_exit(2);
		abi_ring_pop(e);
		n++;
	}
	_exit(abi_ring_peek(e) == NULL ? 0 : 4);
}

static void a_million_slots_between_two_processes(void **state)
{
	uint32_t n = 0;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		consume(&client.up);
	while (n < MILLION) {
		unsigned burst = 1 + vx6_rand_below(&rnd, 64);
		struct abi_slot *s = NULL;

		for (; burst > 0 && n < MILLION; burst--) {
			s = abi_ring_room(&plane.up);
			if (s == NULL)
				break;
			fill(s, n++);
			abi_ring_push(&plane.up);
		}
		abi_ring_flush(&plane.up);
		if (s == NULL)
			sched_yield();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the other side is not believed ---- */

static bool is_inside(const struct abi_ring_end *e, const struct abi_slot *s)
{
	return s == NULL || (s >= e->slot && s < e->slot + ABI_RING_SLOTS);
}

/* Whatever stands in the shared page, slots that are handed out lie in the
 * ring, no more than all of them are, and it all ends when the page does
 * not change. */
static void any_shared_word_is_survived(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct abi_ring_end *e[4] = { &plane.up, &plane.down,
					      &client.up, &client.down };
		uint32_t word[4096 / 4];

		vx6_rand_fill(&rnd, word, 64 * 6);
		if (i % 2 != 0) /* near what is true */
			for (unsigned k = 0; k < 64 * 6 / 4; k++)
				word[k] = plane.up.pos +
					  word[k] % (3 * ABI_RING_SLOTS) -
					  ABI_RING_SLOTS;
		memcpy(plane.map, word, 64 * 6);
		for (unsigned k = 0; k < 4; k++) {
			bool producer = k == 0 || k == 3;
			unsigned n = 0;

			memcpy(plane.map, word, 64 * 6);
			for (; n <= 2 * ABI_RING_SLOTS; n++) {
				struct abi_slot *s =
					producer ? abi_ring_room(e[k])
						 : abi_ring_peek(e[k]);

				assert_true(is_inside(e[k], s));
				if (s == NULL)
					break;
				if (producer)
					abi_ring_push(e[k]);
				else
					abi_ring_pop(e[k]);
			}
			assert_true(n <= 2 * ABI_RING_SLOTS);
		}
	}
}

static void positions_that_cannot_be_are_empty_or_full(void **state)
{
	_Atomic uint32_t *head = plane.map;
	_Atomic uint32_t *tail = (void *)((uint8_t *)plane.map + 64);

	(void)state;
	*head = ABI_RING_SLOTS + 1;
	assert_null(abi_ring_peek(&client.up));
	*head = -1u;
	assert_null(abi_ring_peek(&client.up));
	*head = ABI_RING_SLOTS;
	assert_non_null(abi_ring_peek(&client.up));

	for (unsigned i = 0; i < ABI_RING_SLOTS; i++)
		abi_ring_push(&plane.up);
	assert_null(abi_ring_room(&plane.up));
	*tail = ABI_RING_SLOTS + 1; /* took more than there was */
	assert_null(abi_ring_room(&plane.up));
	*tail = -1u; /* gave one back */
	assert_null(abi_ring_room(&plane.up));
	*tail = 1;
	assert_non_null(abi_ring_room(&plane.up));
}

static void a_slot_is_judged_on_a_copy(void **state)
{
	static const struct {
		uint16_t size, cell_size;
		uint32_t zero;
		enum vx6_status want;
	} row[] = {
		{ 24,    0,    0, VX6_OK        },
                { 1472,  1452, 0, VX6_OK        },
		{ 100,   1232, 0, VX6_OK        },
                { 0,     0,    0, VX6_BAD_SIZE  },
		{ 23,    0,    0, VX6_BAD_SIZE  },
                { 1473,  0,    0, VX6_BAD_SIZE  },
		{ 1984,  0,    0, VX6_BAD_SIZE  },
                { 1985,  0,    0, VX6_BAD_SIZE  },
		{ 65535, 0,    0, VX6_BAD_SIZE  },
                { 100,   1,    0, VX6_BAD_SIZE  },
		{ 100,   1453, 0, VX6_BAD_SIZE  },
                { 100,   0,    1, VX6_MALFORMED },
	};
	static struct abi_slot from, to;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		memset(&from, 0x11, sizeof(from));
		memset(&to, 0xee, sizeof(to));
		from.size = row[i].size;
		from.cell_size = row[i].cell_size;
		from.zero = row[i].zero;
		if (abi_slot_read(&to, &from) != row[i].want)
			fail_msg("row %u", i);
		if (row[i].want == VX6_OK) {
			assert_int_equal(to.data[from.size - 1], 0x11);
			assert_int_equal(to.data[from.size], 0xee);
		} else {
			assert_int_equal(to.data[0], 0xee);
		}
	}
}

static atomic_bool stop;

static void *scribble(void *arg)
{
	volatile struct abi_slot *s = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		s->size = 1472;
		s->size = 65535;
		s->size = 24;
		s->size = 0;
	}
	return NULL;
}

static void a_size_that_changes_under_us_is_read_once(void **state)
{
	static struct {
		struct abi_slot slot;
		uint8_t guard[65536];
	} to;
	struct abi_slot *s = abi_ring_room(&plane.up);
	pthread_t thread;
	unsigned ok = 0;

	(void)state;
	memset(s, 0, sizeof(*s));
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, scribble, s), 0);
	while (ok < 100000) {
		if (abi_slot_read(&to.slot, s) != VX6_OK)
			continue;
		ok++;
		if (to.slot.size != 24 && to.slot.size != 1472)
			break;
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(ok, 100000);
	for (unsigned i = 0; i < sizeof(to.guard); i++)
		assert_int_equal(to.guard[i], 0);
}

/* ---- attaching ---- */

static void the_next_client_goes_on(void **state)
{
	struct abi_shm next;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		abi_ring_push(&plane.up);
		struct abi_slot *s = abi_ring_room(&client.down);

		s->link = i;
		abi_ring_push(&client.down);
	}
	for (unsigned i = 0; i < 4; i++) {
		abi_ring_pop(&client.up);
		assert_non_null(abi_ring_peek(&plane.down));
		abi_ring_pop(&plane.down);
	}
	assert_int_equal(abi_shm_attach(&next, fd), VX6_OK);
	assert_null(abi_ring_peek(&next.up));
	struct abi_slot *s = abi_ring_room(&plane.up);
	s->link = 77;
	abi_ring_push(&plane.up);
	assert_int_equal(abi_ring_peek(&next.up)->link, 77);
	s = abi_ring_room(&next.down);
	s->link = 10;
	abi_ring_push(&next.down);
	for (unsigned i = 4; i < 11; i++) {
		assert_int_equal(abi_ring_peek(&plane.down)->link, i);
		abi_ring_pop(&plane.down);
	}
	assert_null(abi_ring_peek(&plane.down));
	abi_shm_close(&next);
}

static void after_a_reset_all_is_as_new(void **state)
{
	struct abi_shm next;
	_Atomic uint32_t *word = plane.map;

	(void)state;
	abi_ring_push(&plane.up);
	for (unsigned i = 0; i < 64 * 6 / 4; i++)
		word[i] = 0xdead0000 + 77777 * i;
	assert_int_equal(abi_shm_attach(&next, fd), VX6_MALFORMED);
	assert_null(next.map);
	abi_shm_reset(&plane);
	assert_int_equal(abi_shm_attach(&next, fd), VX6_OK);
	a_ring_is_a_queue(&plane.up, &next.up);
	a_ring_is_a_queue(&next.down, &plane.down);
	abi_shm_close(&next);
}

static int memory(size_t len, int seals)
{
	int m = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(m >= 0);
	assert_int_equal(ftruncate(m, (off_t)len), 0);
	if (seals != 0)
		assert_int_equal(fcntl(m, F_ADD_SEALS, seals), 0);
	return m;
}

static void other_memory_and_descriptors_are_refused(void **state)
{
	const size_t right = 4096 + 2 * 1024 * 2048;
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	const int with[] = {
		memory(right, 0),
		memory(right, F_SEAL_SHRINK | F_SEAL_GROW),
		memory(right, F_SEAL_GROW | F_SEAL_SEAL),
		memory(right, F_SEAL_SHRINK | F_SEAL_SEAL),
		memory(right - 1, all),
		memory(right + 4096, all),
		memory(0, all),
		open("/dev/zero", O_RDWR | O_CLOEXEC),
	};
	struct abi_shm next;
	int good = memory(right, all), pipes[2];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(with); i++) {
		int f[3] = { with[i], fd[1], fd[2] };

		if (abi_shm_attach(&next, f) != VX6_MALFORMED)
			fail_msg("memory %u", i);
		close(with[i]);
	}
	int f[3] = { good, fd[1], fd[2] };
	assert_int_equal(abi_shm_attach(&next, f), VX6_OK);
	abi_shm_close(&next);
	assert_int_equal(pipe(pipes), 0);
	for (unsigned i = 1; i < 3; i++) {
		int p[3] = { good, fd[1], fd[2] };

		p[i] = pipes[1];
		assert_int_equal(abi_shm_attach(&next, p), VX6_MALFORMED);
		p[i] = good;
		assert_int_equal(abi_shm_attach(&next, p), VX6_MALFORMED);
		p[i] = -1;
		assert_int_equal(abi_shm_attach(&next, p), VX6_MALFORMED);
	}
	close(pipes[0]);
	close(pipes[1]);
	close(good);
}

static void the_memory_is_sealed(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(fd[0], 4096), -1);
	assert_int_equal(ftruncate(fd[0], 1 << 30), -1);
	assert_int_equal(fcntl(fd[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
}

#define ring_test(f) cmocka_unit_test_setup_teardown(f, both, neither)

int main(void)
{
	static const struct CMUnitTest test[] = {
		ring_test(both_ways_are_queues),
		ring_test(positions_may_wrap),
		ring_test(only_a_sleeper_is_woken_and_once),
		ring_test(a_million_slots_between_two_processes),
		ring_test(any_shared_word_is_survived),
		ring_test(positions_that_cannot_be_are_empty_or_full),
		ring_test(a_slot_is_judged_on_a_copy),
		ring_test(a_size_that_changes_under_us_is_read_once),
		ring_test(the_next_client_goes_on),
		ring_test(after_a_reset_all_is_as_new),
		ring_test(other_memory_and_descriptors_are_refused),
		ring_test(the_memory_is_sealed),
	};

	return cmocka_run_group_tests_name("ring", test, NULL, NULL);
}
