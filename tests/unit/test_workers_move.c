/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers, moved about: cells of the same links arrive at one worker now and
 * at another then, as when a driver is told to spread its queues otherwise,
 * while all of them work.
 *
 *     feeder -- queue k, drawn anew all the time --> worker k --+
 *        ^                                            | rings   |
 *        +------------- what each sent <--------------+---------+
 *
 * Real threads, real rings, real keys; the ports are two rings in memory.
 * What comes out is opened as the neighbour would: every counter of a
 * sealing half occurs once, every cell of the feeder at most once, those that
 * were fed twice are refused once, and the sums are right: what is missing,
 * a ring has counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_kit.h"

#define WORKERS 3u
#define LINKS   9u
#define FLOWS   60u /* each kind in turn */
#define CELLS   60000u
#define TEXT    64u

enum flow_kind { GOES_ON, COMES_BACK, CROSSES, KINDS };

struct flow {
	enum flow_kind kind;
	uint32_t in, out;
	struct abi_half first, second; /* second: the other leg of a splice */
	struct vx6_layer open, seal;   /* that we seal with; open with */
	uint64_t fed;
	uint8_t *nonce; /* by counter, from the start on */
};

struct feed { /* a port whose wire is another thread */
	struct port port;
	struct hand in, out;
};

static struct feed feed[WORKERS];
static struct relay relay[WORKERS];
static struct vx6_rand rnd[WORKERS];
static void *tables[WORKERS];
static size_t tables_len;
static struct worker *worker[WORKERS];
static struct hand between[WORKERS * WORKERS];
static struct flow flow[FLOWS];
static uint8_t *seen; /* by number of the cell */
static uint64_t got, probes, fed, twice, now_ns;
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005u +
		       1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

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

/* ---- what is installed ---- */

static uint32_t owner(uint32_t link)
{
	return relay_owner(WORKERS, link);
}

static void add_half(const struct abi_half *h)
{
	uint32_t k = relay_half_owner(WORKERS, h->in_link, h->out_link);

	assert_int_equal(relay_half_add(&relay[k], h, now_ns), VX6_OK);
}

static void add_splice(const struct flow *f)
{
	uint32_t from = owner(f->in), to = owner(f->out);
	uint32_t id = f->first.id, other = f->second.id;

	if (from == to) {
		assert_int_equal(relay_splice(&relay[to], id, other), VX6_OK);
		return;
	}
	assert_int_equal(relay_splice_across(&relay[to], id, other, from),
			 VX6_OK);
	assert_int_equal(relay_splice_across(&relay[from], id, other, to),
			 VX6_OK);
}

static void add_flow(struct flow *f, uint32_t id)
{
	*f = (struct flow){ .kind = id % KINDS,
			    .in = 1 + draw(LINKS),
			    .out = 1 + draw(LINKS) };
	f->nonce = calloc(2 * CELLS, 1);
	assert_non_null(f->nonce);
	if (f->kind == CROSSES) {
		f->first = dp_half(ABI_HALF_FORWARD, id, f->in, 0, 0);
		f->second = dp_half(ABI_HALF_BACKWARD, id + 1000, 0, f->out,
				    id + 2000);
		add_half(&f->second);
	} else {
		f->first = dp_half(f->kind == GOES_ON ? ABI_HALF_FORWARD
						      : ABI_HALF_BACKWARD,
				   id, f->in, f->out, id + 2000);
		f->second = f->first;
	}
	add_half(&f->first);
	if (f->kind == CROSSES)
		add_splice(f);
	f->open = dp_layer(&f->first);
	f->seal = dp_layer(&f->second);
}

static void open_worker(unsigned k)
{
	const struct relay_opts ro = { .links_max = 64,
				       .halves_max = 4096,
				       .workers = WORKERS,
				       .worker = k };
	const struct worker_opts wo = { .index = k, .cpu = WORKER_ANY_CPU };
	static const uint8_t seed[32] = "workers";

	memset(&feed[k], 0, sizeof(feed[k]));
	feed[k].port.ops = &feed_ops;
	assert_int_equal(port_pool_init(&feed[k].port, 0), VX6_OK);
	ring_open(&feed[k].in);
	ring_open(&feed[k].out);
	vx6_rand_seed(&rnd[k], seed);
	tables_len = relay_need(&ro);
	tables[k] = mmap(NULL, tables_len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(tables[k] != MAP_FAILED);
	assert_int_equal(relay_init(&relay[k], &ro, tables[k], &rnd[k]),
			 VX6_OK);
	worker[k] = aligned_alloc(_Alignof(struct worker),
				  sizeof(struct worker));
	assert_non_null(worker[k]);
	assert_int_equal(worker_init(worker[k], &wo, &feed[k].port, &relay[k]),
			 VX6_OK);
}

static int open_all(void **state)
{
	(void)state;
	assert_int_equal(vx6_aead_start(), VX6_OK);
	random_state = 20;
	got = probes = fed = twice = 0;
	now_ns = vx6_now_ns();
	seen = calloc(CELLS + 1, 1);
	assert_non_null(seen);
	for (unsigned i = 0; i < WORKERS * WORKERS; i++)
		ring_open(&between[i]);
	for (unsigned k = 0; k < WORKERS; k++)
		open_worker(k);
	worker_meet(worker, WORKERS, between);
	for (uint32_t i = 1; i <= LINKS; i++) {
		struct abi_link l = dp_link(i);

		for (unsigned k = 0; k < WORKERS; k++)
			assert_int_equal(relay_link_add(&relay[k], &l, now_ns),
					 VX6_OK);
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		add_flow(&flow[i], i + 1);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (unsigned k = 0; k < WORKERS; k++) {
		worker_stop(worker[k]);
		worker_free(worker[k]);
		/* every frame is home: nothing is shared but copies */
		assert_int_equal(feed[k].port.pool_cnt, feed[k].port.frame_cnt);
		relay_wipe(&relay[k]);
		munmap(tables[k], tables_len);
		port_pool_free(&feed[k].port);
		free(feed[k].in.slot);
		free(feed[k].out.slot);
		free(worker[k]);
	}
	for (unsigned i = 0; i < WORKERS * WORKERS; i++)
		free(between[i].slot);
	for (unsigned i = 0; i < FLOWS; i++)
		free(flow[i].nonce);
	free(seen);
	return 0;
}

/* ---- cells in ---- */

/* Cell `no` of a flow, as its neighbour makes it. */
static size_t make(struct flow *f, uint64_t no, uint8_t p[VX6_CELL_MAX])
{
	const struct dp_cell c = { .ctr = f->first.start_rx + f->fed++,
				   .circ = f->first.id,
				   .kind = VX6_KIND_DATA };
	uint8_t text[8 + TEXT];

	memset(text, (int)no, sizeof(text));
	if (f->kind == COMES_BACK) {
		vx6_put64(text, no);
		return dp_raw(p, f->in, &c, text, TEXT);
	}
	vx6_h8_put(text, no, VX6_KIND_DATA, TEXT);
	return dp_seal(p, f->in, &f->open, &c, text, sizeof(text));
}

static void check_out(unsigned k, const struct hand_slot *s);

static bool drain(void)
{
	const struct hand_slot *s;
	bool any = false;

	for (unsigned k = 0; k < WORKERS; k++)
		while ((s = hand_peek(&feed[k].out)) != NULL) {
			check_out(k, s);
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
		worker_wake(worker[k]);
		if (!drain())
			sched_yield();
	}
	worker_wake(worker[k]);
	fed++;
	(void)drain();
}

/* ---- cells out ---- */

static void nonce_once(struct flow *f, uint64_t ctr)
{
	uint64_t at = ctr - f->second.start_tx;

	assert_true(at < 2u * CELLS);
	if (f->nonce[at]++ != 0)
		fail_msg("half %u: counter %llu sealed twice", f->second.id,
			 (unsigned long long)ctr);
}

static void check_out(unsigned k, const struct hand_slot *s)
{
	uint8_t p[NET_FRAME_CAP];
	uint32_t link = 1;
	struct vx6_cell c;
	struct flow *f;
	size_t len;
	uint64_t no;

	memcpy(p, s->data, s->len);
	while (link <= LINKS &&
	       !vx6_addr_eq(&s->peer, &(struct vx6_addr){ 0 }) &&
	       (dp_peer(link).ip[15] != s->peer.ip[15]))
		link++;
	assert_true(dp_unprotect(p, s->len, link, &c));
	if (c.circ == 0) { /* only who owns a link asks */
		assert_int_equal(k, owner(link));
		probes++;
		return;
	}
	assert_in_range(c.circ, 2001, 2000 + FLOWS);
	f = &flow[c.circ - 2001];
	assert_int_equal(link, f->out);
	/* who has the half that the cell left by has sent it */
	assert_int_equal(k, owner(f->kind == CROSSES ? f->out : f->in));
	no = c.ctr;
	if (f->kind != GOES_ON) {
		nonce_once(f, c.ctr);
		assert_int_equal(
			vx6_layer_open(&f->seal, p + 8, s->len - 8u, &len),
			VX6_OK);
		no = f->kind == CROSSES ? vx6_get48(p + 16) : vx6_get64(p + 24);
	}
	assert_in_range(no, 1, CELLS);
	assert_int_equal(seen[no]++, 0);
	got++;
}

/* ---- counters, asked for as the control thread does ---- */

static struct abi_stats ask(unsigned k)
{
	struct abi_msg *m = queue_room(&worker[k]->cmd);
	struct abi_stats s;

	assert_non_null(m);
	*m = (struct abi_msg){ .version = ABI_VERSION,
			       .type = ABI_STATS,
			       .seq = 1 };
	queue_push(&worker[k]->cmd);
	worker_wake(worker[k]);
	while ((m = queue_peek(&worker[k]->ans)) == NULL)
		if (!drain())
			sched_yield();
	s = m->u.stats;
	queue_pop(&worker[k]->ans);
	return s;
}

static struct abi_stats ask_all(void)
{
	struct abi_stats sum = { 0 };

	for (unsigned k = 0; k < WORKERS; k++) {
		struct abi_stats s = ask(k);

		for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
			sum.drop[i] += s.drop[i];
		sum.handed += s.handed;
	}
	return sum;
}

/* Cells that neither came out nor were counted, where they were lost. */
static uint64_t missing(const struct abi_stats *s)
{
	return fed - got - s->drop[VX6_REPLAYED] - s->drop[VX6_HANDED_OFF] -
	       s->drop[VX6_AGAIN];
}

static void queues_move_under_load(void **state)
{
	uint8_t p[VX6_CELL_MAX], copy[VX6_CELL_MAX];
	uint32_t queue[LINKS + 1];
	struct abi_stats sum;

	(void)state;
	for (unsigned k = 0; k < WORKERS; k++)
		assert_int_equal(worker_start(worker[k]), VX6_OK);
	for (uint64_t no = 1; no <= CELLS; no++) {
		struct flow *f = &flow[draw(FLOWS)];
		bool again = draw(16) == 0;
		size_t len = make(f, no, p);

		if (no % 64 == 1) /* the driver spreads them otherwise */
			for (uint32_t i = 1; i <= LINKS; i++)
				queue[i] = draw(WORKERS);
		memcpy(copy, p, len);
		put(queue[f->in], f->in, p, len);
		if (again)
			put(draw(WORKERS), f->in, copy, len);
		twice += again;
	}
	for (uint64_t end = vx6_now_ns() + 60 * VX6_SEC;;) {
		sum = ask_all();
		(void)drain();
		if (missing(&sum) == 0)
			break;
		assert_true(vx6_now_ns() < end);
	}
	for (unsigned i = 1; i < VX6_STATUS_CNT; i++)
		if (i != VX6_REPLAYED && i != VX6_HANDED_OFF && i != VX6_AGAIN)
			assert_int_equal(sum.drop[i], 0);
	for (unsigned k = 0; k < WORKERS; k++)
		worker_stop(worker[k]);
	assert_int_equal(fed, CELLS + twice);
	assert_true(sum.drop[VX6_REPLAYED] <= twice);
	assert_true(sum.drop[VX6_REPLAYED] + sum.drop[VX6_HANDED_OFF] >= twice);
	assert_true(sum.handed > CELLS / 4);
	assert_true(probes > 0);
	print_message("# %llu cells, %llu handed over, no room: %llu in a "
		      "ring, %llu at the end\n",
		      (unsigned long long)fed, (unsigned long long)sum.handed,
		      (unsigned long long)sum.drop[VX6_HANDED_OFF],
		      (unsigned long long)sum.drop[VX6_AGAIN]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(queues_move_under_load,
						open_all, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
