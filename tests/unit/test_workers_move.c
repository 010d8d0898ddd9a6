/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers, moved about: cells of the same links arrive at one worker now and
 * at another then, as when a driver is told to spread its queues otherwise,
 * while all of them work.
 *
 *     feeder -- queue k, drawn anew all the time --> worker k --+
 *        ^                                            | rings   |
 *        +------------- what each sent <--------------+---------+
 *
 * And a splice between two of them whose sealing leg ends: a turn of each at
 * a time.
 *
 * The laws are those of tests/support/moves.h; the ports are two rings in
 * memory each, so that which worker sent a cell is seen.  On real queues:
 * test_workers_veth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "tests/support/moves.h"

struct feed { /* a port whose wire is another thread */
	struct port port;
	struct hand in, out;
};

static struct feed feed[MOVES_WORKERS];
static struct moves *m;

/* ---- the port ---- */

static unsigned feed_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct feed *x = (struct feed *)p;
	const struct hand_slot *s;
	unsigned k = 0;

	while (k < n && (s = hand_peek(&x->in)) != NULL) {
		f[k] = port_take(p);
		if (f[k] == NULL)
			break;
		hand_take(s, f[k++]);
		hand_pop(&x->in);
	}
	p->rx_frames += k;
	return k;
}

static void feed_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct feed *x = (struct feed *)p;

	for (unsigned i = 0; i < n; i++)
		p->drop[VX6_AGAIN] += !hand_put(&x->out, HAND_CELL, f[i]);
	p->tx_frames += n;
	port_give(p, f, n);
}

static unsigned feed_fds(struct port *p, int fd[PORT_FDS])
{
	(void)p;
	(void)fd;
	return 0;
}

static const struct port_ops feed_ops = {
	.name = "feed", .rx = feed_rx, .tx = feed_tx, .fds = feed_fds
};

static void ring_open(struct hand *h)
{
	memset(h, 0, sizeof(*h));
	h->slot = aligned_alloc(VX6_CACHELINE,
				HAND_SLOTS * sizeof(struct hand_slot));
	assert_non_null(h->slot);
}

static int open_all(void **state)
{
	struct port *port[MOVES_WORKERS];

	(void)state;
	for (unsigned k = 0; k < MOVES_WORKERS; k++) {
		memset(&feed[k], 0, sizeof(feed[k]));
		feed[k].port.ops = &feed_ops;
		assert_int_equal(port_pool_init(&feed[k].port, 0, false),
				 VX6_OK);
		ring_open(&feed[k].in);
		ring_open(&feed[k].out);
		port[k] = &feed[k].port;
	}
	m = moves_open(port, dp_peer);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	moves_close(m);
	for (unsigned k = 0; k < MOVES_WORKERS; k++) {
		/* every frame is home: nothing is shared but copies */
		assert_int_equal(feed[k].port.pool_cnt, feed[k].port.frame_cnt);
		port_pool_free(&feed[k].port);
		free(feed[k].in.slot);
		free(feed[k].out.slot);
	}
	return 0;
}

/* ---- cells in and out ---- */

static uint32_t link_to(const struct vx6_addr *peer)
{
	uint32_t link = 1;

	while (link <= MOVES_LINKS && dp_peer(link).ip[15] != peer->ip[15])
		link++;
	return link;
}

static bool drain(void)
{
	const struct hand_slot *s;
	bool any = false;

	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		while ((s = hand_peek(&feed[k].out)) != NULL) {
			moves_out(m, k, link_to(&s->peer), s->data, s->len);
			hand_pop(&feed[k].out);
			any = true;
		}
	return any;
}

static void put(unsigned k, uint32_t link, uint8_t *p, size_t len)
{
	struct net_frame f = { .data = p,
			       .len = (uint16_t)len,
			       .peer = dp_peer(link) };

	while (!hand_put(&feed[k].in, HAND_CELL, &f)) {
		worker_wake(m->worker[k]);
		if (!drain())
			sched_yield();
	}
	worker_wake(m->worker[k]);
	m->fed++;
	(void)drain();
}

static void queues_move_under_load(void **state)
{
	uint8_t p[VX6_CELL_MAX], copy[VX6_CELL_MAX];
	uint32_t queue[MOVES_LINKS + 1];
	struct abi_stats sum;

	(void)state;
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		assert_int_equal(worker_start(m->worker[k]), VX6_OK);
	for (uint64_t no = 1; no <= MOVES_CELLS; no++) {
		struct moves_flow *f = &m->flow[moves_draw(MOVES_FLOWS)];
		bool again = moves_draw(16) == 0;
		size_t len = moves_make(f, no, p);

		if (no % 64 == 1) /* the driver spreads them otherwise */
			for (uint32_t i = 1; i <= MOVES_LINKS; i++)
				queue[i] = moves_draw(MOVES_WORKERS);
		memcpy(copy, p, len);
		put(queue[f->in], f->in, p, len);
		if (again)
			put(moves_draw(MOVES_WORKERS), f->in, copy, len);
		m->twice += again;
	}
	sum = moves_end(m, drain);
	assert_int_equal(m->fed, MOVES_CELLS + m->twice);
	assert_true(sum.handed > MOVES_CELLS / 4);
	assert_true(m->probes > 0);
	print_message("# %llu cells, %llu handed over, no room: %llu in a "
		      "ring, %llu at the end\n",
		      (unsigned long long)m->fed,
		      (unsigned long long)sum.handed,
		      (unsigned long long)sum.drop[VX6_HANDED_OFF],
		      (unsigned long long)sum.drop[VX6_AGAIN]);
}

/* ---- a splice that is no more ---- */

static struct moves_flow *apart(void)
{
	for (unsigned i = 0; i < MOVES_FLOWS; i++) {
		struct moves_flow *f = &m->flow[i];

		if (f->kind == CROSSES &&
		    relay_owner(MOVES_WORKERS, f->in) !=
			    relay_owner(MOVES_WORKERS, f->out))
			return f;
	}
	fail_msg("no splice whose legs are two workers'");
	return NULL;
}

static void turn(unsigned k)
{
	(void)worker_turn(m->worker[k], vx6_now_ns());
	(void)drain();
}

static void command(unsigned k, const struct abi_msg *what)
{
	struct abi_msg *cmd = queue_room(&m->worker[k]->cmd);
	const struct abi_msg *ans;

	assert_non_null(cmd);
	*cmd = *what;
	queue_push(&m->worker[k]->cmd);
	turn(k);
	ans = queue_peek(&m->worker[k]->ans);
	assert_non_null(ans);
	assert_int_equal(ans->status, VX6_OK);
	queue_pop(&m->worker[k]->ans);
}

/* Feeds n cells of a flow to who opens them. */
static void feed_some(struct moves_flow *f, unsigned n)
{
	uint8_t p[VX6_CELL_MAX];

	for (unsigned i = 0; i < n; i++) {
		size_t len = moves_make(f, m->fed + 1, p);

		put(relay_owner(MOVES_WORKERS, f->in), f->in, p, len);
	}
}

/* The leg that seals ends, by itself or with its link: who opens for it
 * hears so by the first cells that it hands over, and hands over no more.
 * No thread runs, so each turn is one that the test has made. */
static void leg_ends(struct moves_flow *f, const struct abi_msg *how)
{
	unsigned from = relay_owner(MOVES_WORKERS, f->in);
	unsigned to = relay_owner(MOVES_WORKERS, f->out);
	const uint64_t *opens = m->relay[from].n.drop;
	const uint64_t *seals = m->relay[to].n.drop;

	feed_some(f, 5);
	turn(from);
	turn(to);
	assert_int_equal(m->got, 5);
	assert_int_equal(m->worker[from]->handed, 5);
	command(to, how);
	feed_some(f, 40);
	turn(from);
	assert_int_equal(m->worker[from]->handed, 45); /* it cannot know */
	turn(to);
	assert_int_equal(seals[VX6_NO_CIRCUIT], 40);
	turn(from);
	feed_some(f, 40);
	turn(from);
	turn(to);
	assert_int_equal(m->worker[from]->handed, 45);
	assert_int_equal(seals[VX6_NO_CIRCUIT], 40);
	assert_int_equal(opens[VX6_NO_ROUTE], 40);
	assert_int_equal(m->got, 5);
}

static void a_leg_that_ends_is_told(void **state)
{
	struct moves_flow *f = apart();
	const struct abi_msg how = { .version = ABI_VERSION,
				     .type = ABI_HALF_REMOVE,
				     .seq = 1,
				     .u.ref.id = f->second.id };

	(void)state;
	leg_ends(f, &how);
}

static void a_leg_whose_link_ends_is_told(void **state)
{
	struct moves_flow *f = apart();
	const struct abi_msg how = { .version = ABI_VERSION,
				     .type = ABI_LINK_REMOVE,
				     .seq = 1,
				     .u.ref.index = f->out };

	(void)state;
	leg_ends(f, &how);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(queues_move_under_load,
						open_all, close_all),
		cmocka_unit_test_setup_teardown(a_leg_that_ends_is_told,
						open_all, close_all),
		cmocka_unit_test_setup_teardown(a_leg_whose_link_ends_is_told,
						open_all, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
