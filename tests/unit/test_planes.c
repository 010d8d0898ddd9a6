/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dataplane, control: three whole data planes in this process with cells
 * through all of them over loopback, and clients that come, go and ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_path.h"

static struct dp_path path;

static int path_close(void **state)
{
	(void)state;
	dp_path_close(&path);
	return 0;
}

static void cells_go_through_three(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_stats s;

	(void)state;
	assert_true(dp_path_open(&path, 3, 0, &o));
	assert_true(dp_path_carries(&path, 200));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(dp_box_stats(&path.box[i], &s));
		assert_int_equal(s.forwarded, 100);
		assert_int_equal(s.backwarded, 100);
		assert_int_equal(s.links, 2);
		assert_int_equal(s.halves, 2);
		/* an ask that came before its link was added, perhaps */
		for (unsigned k = 1; k < VX6_STATUS_CNT; k++)
			if (k != VX6_NO_LINK)
				assert_int_equal(s.drop[k], 0);
		assert_true(s.busy_ns > 0);
	}
}

static void constant_size_stays_constant(void **state)
{
	const struct dp_options o = dp_path_options(1);

	(void)state;
	assert_true(dp_path_open(&path, 3, 1232, &o));
	/* each is judged by its size when it is opened */
	assert_true(dp_path_carries(&path, 100));
}

/* How many threads of this process have turns as short as a worker's. */
static unsigned hastened(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *d;
	unsigned n = 0;

	assert_non_null(tasks);
	while ((d = readdir(tasks)) != NULL) {
		pid_t tid = (pid_t)strtol(d->d_name, NULL, 10);
		struct sched_attr a;

		if (tid > 0 && sched_getattr(tid, &a, sizeof(a), 0) == 0)
			n += a.sched_runtime == WORKER_SLICE_NS;
	}
	closedir(tasks);
	return n;
}

static void a_worker_has_short_turns(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct sched_attr a;

	(void)state;
	assert_int_equal(sched_getattr(0, &a, sizeof(a), 0), 0);
	if (a.sched_runtime == 0 || a.sched_policy != SCHED_OTHER) {
		puts("# SKIP kernel: a turn's length came with Linux 6.12");
		skip();
	}
	assert_int_equal(hastened(), 0);
	assert_true(dp_path_open(&path, 2, 0, &o));
	assert_true(dp_path_carries(&path, 1));
	/* of each relay the control thread and the worker */
	assert_int_equal(hastened(), 4);
}

static void spinning_works_too(void **state)
{
	struct dp_options o = dp_path_options(1);
	struct abi_stats s;

	(void)state;
	o.spin = true;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_true(dp_path_carries(&path, 20));
	assert_true(dp_box_stats(&path.box[0], &s));
	assert_int_equal(s.blocked_ns, 0);
	assert_true(s.spin_ns > 0);
	assert_in_range(s.longest_ns, 1, s.busy_ns + s.spin_ns);
}

static void cells_flow_without_a_client(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_DUMP };
	struct dp_box *b = &path.box[1];
	unsigned halves = 0, links = 0;

	(void)state;
	assert_true(dp_path_open(&path, 3, 0, &o));
	assert_true(dp_path_carries(&path, 20));
	for (unsigned i = 0; i < 3; i++)
		dp_box_leave(&path.box[i]);
	assert_true(dp_path_carries(&path, 20));
	/* the next client finds what is there, notes and all */
	assert_true(dp_box_connect(b));
	assert_true(dp_path_carries(&path, 20));
	m.version = ABI_VERSION;
	m.seq = 77;
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	do {
		assert_true(dp_box_recv(b, &m));
		assert_int_equal(m.seq, 77);
		if (m.type == ABI_LINK_IS) {
			struct abi_link l =
				m.u.link.index > 100
					? dp_far(m.u.link.index - 100)
					: dp_link(m.u.link.index);

			assert_memory_equal(m.u.link.note, l.note,
					    sizeof(l.note));
			links++;
		} else if (m.type == ABI_HALF_IS) {
			assert_int_equal(m.u.half.cells, 30);
			halves++;
		}
	} while (m.type != ABI_DUMP_END);
	assert_int_equal(links, 2);
	assert_int_equal(halves, 2);
	/* what a dead client still writes to its rings reaches nobody: this
	 * one has its own */
	assert_int_equal(b->event_cnt, 0);
}

/* Local cells both ways through the ring of a client, and of the next. */
static void local_cells_reach_each_client(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct dp_box *b = &path.box[0];
	struct abi_half h = dp_half(ABI_HALF_LOCAL, 0x300, 101, 0, 0);

	(void)state;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_int_equal(dp_box_half(b, &h), VX6_OK);
	for (unsigned i = 0; i < 6; i++) {
		struct pollfd pf = { .fd = b->shm.up.wake_fd,
				     .events = POLLIN };
		struct abi_link l = dp_link(1);
		uint8_t cell[VX6_CELL_MAX], buf[DP_BUF];
		struct abi_slot *s;
		struct vx6_cell got = { 0 };
		struct vx6_aes hp;
		uint32_t index;
		size_t len;

		memset(cell, (int)i, sizeof(cell));
		vx6_cell_put(cell, l.peer_index, h.id);
		vx6_h8_put(cell + 8, h.start_rx + i, VX6_KIND_DATA, 200);
		vx6_aes_init(&hp, l.keys.hdr_tx, 16);
		vx6_cell_protect(&hp, cell);
		assert_true(dp_path_send(&path, true, cell, 216));
		while ((s = abi_ring_peek(&b->shm.up)) == NULL) {
			if (abi_ring_sleep(&b->shm.up))
				assert_int_equal(poll(&pf, 1, 10000), 1);
			abi_ring_awake(&b->shm.up);
		}
		assert_int_equal(s->circ, h.id);
		assert_int_equal(s->size, 216);
		assert_int_equal(vx6_h8_ctr(s->data + 8), h.start_rx + i);
		abi_ring_pop(&b->shm.up);
		/* and one down, out on link 2 */
		s = abi_ring_room(&b->shm.down);
		assert_non_null(s);
		memset(s, 0, sizeof(*s));
		s->link = 2;
		s->circ = 4711 + i;
		s->size = 8 + 300;
		s->cell_size = 1232;
		vx6_h8_put(s->data, i, VX6_KIND_DATA, 300);
		abi_ring_push(&b->shm.down);
		abi_ring_flush(&b->shm.down);
		assert_true(dp_path_recv(&path, false, buf, &len));
		assert_int_equal(len, 1232);
		l = dp_far(2);
		assert_int_equal(vx6_cell_link(buf, len, &index), VX6_OK);
		vx6_aes_init(&hp, l.keys.hdr_rx, 16);
		vx6_cell_unprotect(&hp, buf);
		assert_int_equal(vx6_cell_parse(&got, buf, len), VX6_OK);
		assert_int_equal(got.circ, 4711 + i);
		if (i == 2) {
			dp_box_leave(b);
			assert_true(dp_box_connect(b));
		}
	}
}

static void greetings_are_demanded(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_STATS,
			     .version = ABI_VERSION,
			     .seq = 5 };
	struct dp_box *b = &path.box[0];
	uint8_t junk[100] = { 1 };
	char at[100];

	(void)state;
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	/* a command before HELLO */
	assert_int_equal(abi_connect(&b->client, at), VX6_OK);
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	assert_true(dp_box_recv(b, &m));
	assert_int_equal(m.type, ABI_DONE);
	assert_int_equal(m.status, VX6_BAD_STATE);
	/* a version of tomorrow: told, and let go */
	m = (struct abi_msg){ .type = ABI_HELLO,
			      .version = ABI_VERSION + 1,
			      .seq = 6 };
	assert_int_equal(abi_send(b->client, &m, NULL, 0), VX6_OK);
	assert_true(dp_box_recv(b, &m));
	assert_int_equal(m.status, VX6_BAD_VERSION);
	assert_false(dp_box_recv(b, &m));
	close(b->client);
	/* half a message: let go without a word */
	assert_int_equal(abi_connect(&b->client, at), VX6_OK);
	assert_int_equal(send(b->client, junk, sizeof(junk), 0), sizeof(junk));
	assert_false(dp_box_recv(b, &m));
	close(b->client);
	b->client = -1;
	/* the next is served; HELLO twice is out of turn */
	assert_true(dp_box_connect(b));
	m = (struct abi_msg){ .type = ABI_HELLO };
	assert_int_equal(dp_box_call(b, &m), VX6_BAD_STATE);
	m = (struct abi_msg){ .type = ABI_LINK_ADD }; /* index 0 */
	assert_int_equal(dp_box_call(b, &m), VX6_MALFORMED);
	m = (struct abi_msg){ .type = ABI_SUBSCRIBE };
	assert_int_equal(dp_box_call(b, &m), VX6_OK);
}

static void a_second_client_waits(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct dp_box *b = &path.box[0], second;
	struct pollfd pf;

	(void)state;
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	assert_true(dp_box_connect(b));
	second = (struct dp_box){ .client = -1 };
	char at[100];
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	assert_int_equal(abi_connect(&second.client, at), VX6_OK);
	struct abi_msg m = { .type = ABI_HELLO,
			     .version = ABI_VERSION,
			     .seq = 1 };
	assert_int_equal(abi_send(second.client, &m, NULL, 0), VX6_OK);
	/* the first one is served as before, the second has no answer */
	struct abi_stats s;
	for (unsigned i = 0; i < 20; i++)
		assert_true(dp_box_stats(b, &s));
	pf = (struct pollfd){ .fd = second.client, .events = POLLIN };
	assert_int_equal(poll(&pf, 1, 0), 0);
	dp_box_leave(b);
	assert_true(dp_box_recv(&second, &m));
	assert_int_equal(m.type, ABI_WELCOME);
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		close(second.fd[i]);
	close(second.client);
}

static void events_reach_a_subscriber(void **state)
{
	const struct dp_options o = dp_path_options(1);
	struct abi_msg m = { .type = ABI_SUBSCRIBE };
	uint8_t buf[DP_BUF], text[11] = { 4, 0, 8 }, *h8 = buf + 128;
	struct dp_box *b = &path.box[0];
	struct abi_link l;
	struct vx6_aes hp;

	(void)state;
	assert_true(dp_path_open(&path, 1, 0, &o));
	assert_int_equal(dp_box_call(b, &m), VX6_OK);
	memcpy(h8 + 8, text, sizeof(text));
	vx6_layer_seal(&path.lf[0], path.fwd[0].start_rx, VX6_KIND_CONTROL, h8,
		       sizeof(text));
	l = dp_link(1);
	vx6_cell_put(h8 - 8, l.peer_index, path.fwd[0].id);
	vx6_aes_init(&hp, l.keys.hdr_tx, 16);
	vx6_cell_protect(&hp, h8 - 8);
	assert_true(dp_path_send(&path, true, h8 - 8, 16 + 11 + 16));
	do
		assert_true(dp_box_recv(b, &m));
	while (m.type == ABI_LINK_EVENT);
	assert_int_equal(m.type, ABI_CONTROL);
	assert_int_equal(m.u.control.id, path.fwd[0].id);
	assert_int_equal(m.u.control.len, 11);
	assert_memory_equal(m.u.control.body, text, 11);
}

static void starts_are_refused_in_words(void **state)
{
	struct dp_options o = dp_path_options(1);
	char why[DP_WHY] = "";
	struct stat st;
	struct log l;
	struct dp *dp;
	struct dp_box *b = &path.box[0];
	char at[100];

	(void)state;
	log_init(&l, -1, false);
	path.n = 1;
	path.left.fd = path.right.fd = -1;
	assert_true(dp_box_start(b, &o));
	snprintf(at, sizeof(at), "%s/dataplane.sock", b->dir);
	assert_int_equal(stat(at, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* the directory is taken */
	snprintf(o.run, sizeof(o.run), "%s", b->dir);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_EXISTS);
	assert_non_null(strstr(why, "another vx6-dataplane"));
	/* the port is taken */
	snprintf(o.run, sizeof(o.run), "%s/x", b->dir);
	o.listen = dp_at(b->dp);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "in use"));
	assert_non_null(strstr(why, "--listen"));
	o.listen = dp_peer(1);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "no address of this host"));
	o = dp_path_options(1);
	snprintf(o.run, sizeof(o.run), "%s/x/y", b->dir);
	assert_int_equal(dp_open(&dp, &o, &l, why), VX6_SYS);
	assert_non_null(strstr(why, "--run"));
	/* and the socket goes with its owner */
	dp_box_stop(b);
	assert_int_not_equal(stat(at, &st), 0);
}

#define P(f) cmocka_unit_test_teardown(f, path_close)

int main(void)
{
	static const struct CMUnitTest test[] = {
		P(cells_go_through_three),
		P(constant_size_stays_constant),
		P(spinning_works_too),
		P(a_worker_has_short_turns),
		P(cells_flow_without_a_client),
		P(local_cells_reach_each_client),
		P(greetings_are_demanded),
		P(a_second_client_waits),
		P(events_reach_a_subscriber),
		P(starts_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("planes", test, NULL, NULL);
}
