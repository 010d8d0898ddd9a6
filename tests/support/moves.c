/* SPDX-License-Identifier: GPL-2.0-or-later */
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
#include "tests/support/moves.h"

#define TEXT    64u
#define WAIT_S  20u
#define CABLE_U (1500u - 48u) /* no probe is larger than a cable takes */

struct all {             /* beside what a test may see */
	struct moves is; /* first, so that either pointer is the other */
	struct vx6_rand rnd[MOVES_WORKERS];
	void *tables[MOVES_WORKERS];
	size_t tables_len;
	struct hand between[MOVES_WORKERS * MOVES_WORKERS];
	uint8_t *seen; /* by number of the cell */
	uint64_t now_ns;
};

static uint64_t random_state;

uint32_t moves_draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005u +
		       1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

/* ---- what is installed ---- */

static uint32_t owner(uint32_t link)
{
	return relay_owner(MOVES_WORKERS, link);
}

static void add_half(struct all *a, const struct abi_half *h)
{
	uint32_t k = relay_half_owner(MOVES_WORKERS, h->in_link, h->out_link);

	assert_int_equal(relay_half_add(&a->is.relay[k], h, a->now_ns), VX6_OK);
}

static void add_splice(struct all *a, const struct moves_flow *f)
{
	struct relay *r = a->is.relay;
	uint32_t from = owner(f->in), to = owner(f->out);
	uint32_t id = f->first.id, other = f->second.id;

	if (from == to) {
		assert_int_equal(relay_splice(&r[to], id, other), VX6_OK);
		return;
	}
	assert_int_equal(relay_splice_across(&r[to], id, other, from), VX6_OK);
	assert_int_equal(relay_splice_across(&r[from], id, other, to), VX6_OK);
}

static void add_flow(struct all *a, struct moves_flow *f, uint32_t id)
{
	*f = (struct moves_flow){ .kind = id % MOVES_KINDS,
				  .in = 1 + moves_draw(MOVES_LINKS),
				  .out = 1 + moves_draw(MOVES_LINKS) };
	f->nonce = calloc(2 * MOVES_CELLS, 1);
	assert_non_null(f->nonce);
	if (f->kind == CROSSES) {
		f->first = dp_half(ABI_HALF_FORWARD, id, f->in, 0, 0);
		f->second = dp_half(ABI_HALF_BACKWARD, id + 1000, 0, f->out,
				    id + 2000);
		add_half(a, &f->second);
	} else {
		f->first = dp_half(f->kind == GOES_ON ? ABI_HALF_FORWARD
						      : ABI_HALF_BACKWARD,
				   id, f->in, f->out, id + 2000);
		f->second = f->first;
	}
	add_half(a, &f->first);
	if (f->kind == CROSSES)
		add_splice(a, f);
	f->open = dp_layer(&f->first);
	f->seal = dp_layer(&f->second);
}

static void open_worker(struct all *a, unsigned k, struct port *port)
{
	const struct relay_opts ro = { .links_max = 64,
				       .halves_max = 4096,
				       .workers = MOVES_WORKERS,
				       .worker = k };
	const struct worker_opts wo = { .index = k, .cpu = WORKER_ANY_CPU };
	static const uint8_t seed[32] = "workers";
	struct worker *w;

	vx6_rand_seed(&a->rnd[k], seed);
	a->tables_len = relay_need(&ro);
	a->tables[k] = mmap(NULL, a->tables_len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(a->tables[k] != MAP_FAILED);
	assert_int_equal(
		relay_init(&a->is.relay[k], &ro, a->tables[k], &a->rnd[k]),
		VX6_OK);
	w = aligned_alloc(_Alignof(struct worker), sizeof(*w));
	assert_non_null(w);
	assert_int_equal(worker_init(w, &wo, port, &a->is.relay[k]), VX6_OK);
	a->is.worker[k] = w;
}

static void add_links(struct all *a, struct vx6_addr (*peer)(uint32_t link))
{
	for (uint32_t i = 1; i <= MOVES_LINKS; i++) {
		struct abi_link l = dp_link(i);

		l.peer = peer(i);
		l.u = CABLE_U;
		for (unsigned k = 0; k < MOVES_WORKERS; k++)
			assert_int_equal(
				relay_link_add(&a->is.relay[k], &l, a->now_ns),
				VX6_OK);
	}
}

struct moves *moves_open(struct port *const port[MOVES_WORKERS],
			 struct vx6_addr (*peer)(uint32_t link))
{
	struct all *a = aligned_alloc(_Alignof(struct all), sizeof(*a));

	assert_non_null(a);
	memset(a, 0, sizeof(*a));
	assert_int_equal(vx6_aead_start(), VX6_OK);
	random_state = 20;
	a->now_ns = vx6_now_ns();
	a->seen = calloc(MOVES_CELLS + 1, 1);
	assert_non_null(a->seen);
	for (unsigned i = 0; i < VX6_COUNT(a->between); i++) {
		a->between[i].slot = aligned_alloc(
			VX6_CACHELINE, HAND_SLOTS * sizeof(struct hand_slot));
		assert_non_null(a->between[i].slot);
	}
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		open_worker(a, k, port[k]);
	worker_meet(a->is.worker, MOVES_WORKERS, a->between);
	add_links(a, peer);
	for (uint32_t i = 0; i < MOVES_FLOWS; i++)
		add_flow(a, &a->is.flow[i], i + 1);
	return &a->is;
}

void moves_close(struct moves *m)
{
	struct all *a = (struct all *)m;

	if (m == NULL)
		return;
	for (unsigned k = 0; k < MOVES_WORKERS; k++) /* they wake each other */
		worker_stop(m->worker[k]);
	for (unsigned k = 0; k < MOVES_WORKERS; k++) {
		worker_free(m->worker[k]);
		relay_wipe(&m->relay[k]);
		munmap(a->tables[k], a->tables_len);
		free(m->worker[k]);
	}
	for (unsigned i = 0; i < VX6_COUNT(a->between); i++)
		free(a->between[i].slot);
	for (unsigned i = 0; i < MOVES_FLOWS; i++)
		free(m->flow[i].nonce);
	free(a->seen);
	free(a);
}

/* ---- cells in ---- */

size_t moves_make(struct moves_flow *f, uint64_t no, uint8_t p[VX6_CELL_MAX])
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

/* ---- cells out ---- */

static void nonce_once(struct moves_flow *f, uint64_t ctr)
{
	uint64_t at = ctr - f->second.start_tx;

	assert_true(at < 2u * MOVES_CELLS);
	if (f->nonce[at]++ != 0)
		fail_msg("half %u: counter %llu sealed twice", f->second.id,
			 (unsigned long long)ctr);
}

static void sent_by(uint32_t k, uint32_t link)
{
	if (k != MOVES_ANY)
		assert_int_equal(k, owner(link));
}

void moves_out(struct moves *m, uint32_t k, uint32_t link, const uint8_t *data,
	       size_t size)
{
	struct all *a = (struct all *)m;
	uint8_t p[NET_FRAME_CAP];
	struct moves_flow *f;
	struct vx6_cell c;
	size_t len;
	uint64_t no;

	assert_true(size <= sizeof(p));
	memcpy(p, data, size);
	assert_true(dp_unprotect(p, size, link, &c));
	if (c.circ == 0) { /* only who owns a link asks */
		sent_by(k, link);
		m->probes++;
		return;
	}
	assert_in_range(c.circ, 2001, 2000 + MOVES_FLOWS);
	f = &m->flow[c.circ - 2001];
	assert_int_equal(link, f->out);
	/* who has the half that the cell left by has sent it */
	sent_by(k, f->kind == CROSSES ? f->out : f->in);
	no = c.ctr;
	if (f->kind != GOES_ON) {
		nonce_once(f, c.ctr);
		assert_int_equal(
			vx6_layer_open(&f->seal, p + 8, size - 8u, &len),
			VX6_OK);
		no = f->kind == CROSSES ? vx6_get48(p + 16) : vx6_get64(p + 24);
	}
	assert_in_range(no, 1, MOVES_CELLS);
	assert_int_equal(a->seen[no]++, 0);
	m->got++;
}

/* ---- counters, asked for as the control thread does ---- */

static struct abi_stats ask(struct worker *w, bool (*drain)(void))
{
	struct abi_msg *m = queue_room(&w->cmd);
	struct abi_stats s;

	assert_non_null(m);
	*m = (struct abi_msg){ .version = ABI_VERSION,
			       .type = ABI_STATS,
			       .seq = 1 };
	queue_push(&w->cmd);
	worker_wake(w);
	while ((m = queue_peek(&w->ans)) == NULL)
		if (!drain())
			sched_yield();
	s = m->u.stats;
	queue_pop(&w->ans);
	return s;
}

struct abi_stats moves_ask(struct moves *m, unsigned first, unsigned last,
			   bool (*drain)(void))
{
	struct abi_stats sum = { 0 };

	for (unsigned k = first; k <= last; k++) {
		struct abi_stats s = ask(m->worker[k], drain);

		for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
			sum.drop[i] += s.drop[i];
		sum.handed += s.handed;
		sum.rx_cells += s.rx_cells;
	}
	return sum;
}

uint64_t moves_missing(const struct moves *m, const struct abi_stats *s)
{
	return m->fed - m->got - s->drop[VX6_REPLAYED] -
	       s->drop[VX6_HANDED_OFF] - s->drop[VX6_AGAIN];
}

static void show_drops(const struct abi_stats *s)
{
	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		if (s->drop[i] != 0)
			print_message("# %llu: %s\n",
				      (unsigned long long)s->drop[i],
				      vx6_status_text((enum vx6_status)i));
}

static void dropped_none(const struct abi_stats *s, unsigned why)
{
	if (s->drop[why] != 0)
		fail_msg("%llu dropped: %s", (unsigned long long)s->drop[why],
			 vx6_status_text((enum vx6_status)why));
}

struct abi_stats moves_end(struct moves *m, bool (*drain)(void))
{
	uint64_t end = vx6_now_ns() + WAIT_S * VX6_SEC;
	struct abi_stats sum;

	do {
		sum = moves_ask(m, 0, MOVES_WORKERS - 1u, drain);
		while (drain())
			;
		if (vx6_now_ns() > end)
			show_drops(&sum);
		if (vx6_now_ns() > end)
			fail_msg("%llu of %llu cells are missing",
				 (unsigned long long)moves_missing(m, &sum),
				 (unsigned long long)m->fed);
	} while (moves_missing(m, &sum) != 0);
	for (unsigned k = 0; k < MOVES_WORKERS; k++)
		worker_stop(m->worker[k]);
	for (unsigned i = 1; i < VX6_STATUS_CNT; i++)
		if (i != VX6_REPLAYED && i != VX6_HANDED_OFF && i != VX6_AGAIN)
			dropped_none(&sum, i);
	assert_true(sum.drop[VX6_REPLAYED] <= m->twice);
	assert_true(sum.drop[VX6_REPLAYED] + sum.drop[VX6_HANDED_OFF] >=
		    m->twice);
	return sum;
}
