/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/relay/fair.h"

#include <assert.h>
#include <string.h>

#define PAGE      4096u
#define FAIR_PART 512u /* bytes: what is rounded away is 1 of them */

enum fair_at {
	AT_REST, /* in no list: nothing of it is held */
	AT_RING, /* takes turns */
	AT_LINK, /* waits for its link */
	AT_OWN   /* waits for its own bucket */
};

/* ---- memory, limits ---- */

static size_t pages(size_t cnt, size_t each)
{
	return (cnt * each + PAGE - 1) / PAGE * PAGE;
}

size_t fair_need(const struct fair_opts *o)
{
	return pages(o->halves_max, sizeof(struct fair_half)) +
	       pages(o->links_max, sizeof(struct fair_link)) +
	       pages(o->links_max, sizeof(uint64_t)) +
	       pages(o->cells_max + 1u, sizeof(struct fair_cell));
}

void fair_init(struct fair *q, const struct fair_opts *o, void *mem)
{
	const struct abi_limits none = { 0 };
	uint8_t *at = mem;

	memset(q, 0, sizeof(*q));
	q->o = *o;
	q->half = (struct fair_half *)(void *)at;
	at += pages(o->halves_max, sizeof(*q->half));
	q->links = (struct fair_link *)(void *)at;
	at += pages(o->links_max, sizeof(*q->links));
	if (o->budget->link == NULL)
		o->budget->link = (_Atomic uint64_t *)(void *)at;
	at += pages(o->links_max, sizeof(uint64_t));
	q->cell = (struct fair_cell *)(void *)at;
	q->fresh = 1;
	fair_limit(q, &none);
}

static bool limited(const struct fair *q)
{
	return q->circuit.rate != 0 || q->link.rate != 0 || q->relay.rate != 0;
}

/* Who waits for a bucket looks at it again: it fills at another rate now. */
static void look_again(struct fair *q)
{
	for (uint32_t i = q->own.first; i != 0; i = q->half[i].next)
		q->half[i].ready_ns = 0;
	for (uint32_t i = q->due.first; i != 0; i = q->links[i].next)
		q->links[i].ready_ns = 0;
}

void fair_limit(struct fair *q, const struct abi_limits *l)
{
	struct abi_limits *to = &q->limits;

	*to = *l;
	if (to->queue == 0)
		to->queue = FAIR_QUEUE;
	if (to->queue > q->o.cells_max)
		to->queue = q->o.cells_max;
	if (to->circuit_queue == 0)
		to->circuit_queue = FAIR_CIRCUIT_QUEUE;
	if (to->circuit_queue > ABI_CIRCUIT_QUEUE_MAX)
		to->circuit_queue = ABI_CIRCUIT_QUEUE_MAX;
	meter_set(&q->circuit, l->circuit_rate, l->circuit_burst);
	meter_set(&q->link, l->link_rate, l->link_burst);
	meter_set(&q->relay, l->relay_rate, l->relay_burst);
	q->seen = q->relay.earned;
	q->share = 0;
	look_again(q);
	q->on = limited(q) || q->cnt > 0;
}

/* ---- the list of all that have as many cells ---- */

static void leave_peers(struct fair *q, const struct fair_half *h)
{
	if (h->before != 0)
		q->half[h->before].after = h->after;
	else
		q->with[h->cnt] = h->after;
	if (h->after != 0)
		q->half[h->after].before = h->before;
}

static void join_peers(struct fair *q, struct fair_half *h, uint32_t idx)
{
	h->before = 0;
	h->after = q->with[h->cnt];
	if (h->after != 0)
		q->half[h->after].before = idx;
	q->with[h->cnt] = idx;
}

/* One cell more or less.  The longest queue moves by one at a time, too. */
static void count_half(struct fair *q, struct fair_half *h, uint32_t idx,
		       bool more)
{
	if (h->cnt > 0)
		leave_peers(q, h);
	h->cnt = more ? h->cnt + 1u : h->cnt - 1u;
	if (h->cnt > 0)
		join_peers(q, h, idx);
	if (h->cnt > q->longest)
		q->longest = h->cnt;
	while (q->longest > 0 && q->with[q->longest] == 0)
		q->longest--;
}

/* ---- rings and lists of half-circuits ---- */

static void append(struct fair *q, struct fair_list *l, uint32_t idx)
{
	q->half[idx].next = 0;
	if (l->first == 0)
		l->first = idx;
	else
		q->half[l->last].next = idx;
	l->last = idx;
}

static void prepend(struct fair *q, struct fair_list *l, uint32_t idx)
{
	q->half[idx].next = l->first;
	if (l->first == 0)
		l->last = idx;
	l->first = idx;
}

static uint32_t take_first(const struct fair *q, struct fair_list *l)
{
	uint32_t idx = l->first;

	l->first = q->half[idx].next;
	if (l->first == 0)
		l->last = 0;
	return idx;
}

/* What a half-circuit that takes turns would send in its next. */
static uint32_t wants(const struct fair_half *h)
{
	if (h->at != AT_RING)
		return 0;
	return h->bytes < FAIR_QUANTUM ? h->bytes : FAIR_QUANTUM;
}

static void enter_ring(struct fair *q, uint32_t idx)
{
	q->half[idx].at = AT_RING;
	append(q, &q->ring, idx);
	q->wanted += wants(&q->half[idx]);
}

static uint32_t leave_ring(struct fair *q)
{
	q->wanted -= wants(&q->half[q->ring.first]);
	return take_first(q, &q->ring);
}

/* ---- cells ---- */

static void put_cell(struct fair *q, uint32_t idx, struct net_frame *f)
{
	struct fair_half *h = &q->half[idx];
	uint32_t at = q->free;

	if (at != 0)
		q->free = q->cell[at].next;
	else
		at = q->fresh++;
	assert(at <= q->o.cells_max);
	q->cell[at] = (struct fair_cell){ .f = f };
	if (h->cnt == 0)
		h->head = at;
	else
		q->cell[h->tail].next = at;
	h->tail = at;
	count_half(q, h, idx, true);
	q->wanted -= wants(h);
	h->bytes += f->len;
	q->wanted += wants(h);
	q->bytes += f->len;
	if (++q->cnt > q->n.most)
		q->n.most = q->cnt;
}

static struct net_frame *get_cell(struct fair *q, uint32_t idx)
{
	struct fair_half *h = &q->half[idx];
	uint32_t at = h->head;
	struct net_frame *f = q->cell[at].f;

	h->head = q->cell[at].next;
	q->cell[at].next = q->free;
	q->free = at;
	count_half(q, h, idx, false);
	q->wanted -= wants(h);
	h->bytes -= f->len;
	q->wanted += wants(h);
	q->bytes -= f->len;
	q->cnt--;
	return f;
}

/* The oldest of a queue is lost.  A half-circuit of which nothing is left
 * stays where it is until it is met there. */
static void push_out(struct fair *q, uint32_t idx, struct fair_out *out)
{
	bool own = q->half[idx].at == AT_OWN;

	out->lost[out->lost_cnt] = get_cell(q, idx);
	out->why[out->lost_cnt++] = own ? VX6_RATE : VX6_CONGESTED;
	*(own ? &q->n.lost_rate : &q->n.lost_full) += 1;
}

/* ---- waiting for a link ----
 *
 * Those that wait for a link's bytes stand in its own list, in the order of
 * their turns.  Of them so many are in the ring as its bytes are good for,
 * and one at least when there is enough for its next cell: so each cell
 * costs the same, however many wait. */

static uint64_t link_drawn(const struct fair *q, uint32_t link)
{
	return atomic_load_explicit(&q->o.budget->link[link],
				    memory_order_relaxed);
}

static uint32_t first_len(const struct fair *q, const struct fair_half *h)
{
	return h->cnt > 0 ? q->cell[h->head].f->len : 0u;
}

static bool waited_for(const struct fair_link *l)
{
	return l->wait.first != 0;
}

static void set_due(struct fair *q, uint32_t link)
{
	struct fair_link *l = &q->links[link];

	l->ready_ns = meter_ready_ns(&q->link, link_drawn(q, link),
				     first_len(q, &q->half[l->wait.first]));
	if (l->timed)
		return;
	l->timed = true;
	l->next = 0;
	if (q->due.first == 0)
		q->due.first = link;
	else
		q->links[q->due.last].next = link;
	q->due.last = link;
}

/* Lets into the ring whom the link's bytes are good for. */
static void admit(struct fair *q, uint32_t link)
{
	struct fair_link *l = &q->links[link];
	uint64_t left = q->link.rate != 0
				? meter_left(&q->link, link_drawn(q, link))
				: UINT64_MAX;

	while (waited_for(l)) {
		struct fair_half *h = &q->half[l->wait.first];
		uint64_t need = ((uint64_t)l->in + 1u) * FAIR_QUANTUM;

		if (h->cnt == 0) {
			(void)take_first(q, &l->wait);
			h->at = AT_REST;
			continue;
		}
		if (left < (l->in == 0 ? first_len(q, h) : need))
			break;
		h->link = link;
		l->in++;
		enter_ring(q, take_first(q, &l->wait));
	}
	if (waited_for(l) && l->in == 0)
		set_due(q, link);
}

/* One that a link let into the ring is no longer there. */
static void left_ring(struct fair *q, struct fair_half *h)
{
	uint32_t link = h->link;

	if (link == 0)
		return;
	h->link = 0;
	q->links[link].in--;
	admit(q, link);
}

static void wait_for(struct fair *q, uint32_t idx, uint32_t link, bool first)
{
	struct fair_link *l = &q->links[link];

	q->half[idx].at = AT_LINK;
	if (first)
		prepend(q, &l->wait, idx);
	else
		append(q, &l->wait, idx);
	if (l->in == 0 && !l->timed)
		set_due(q, link);
}

/* The first of the ring has had its turn. */
static void next_turn(struct fair *q, struct fair_half *h)
{
	uint32_t link = q->cell[h->head].f->link;

	h->credit += FAIR_QUANTUM;
	if (vx6_likely(!waited_for(&q->links[link]))) {
		append(q, &q->ring, take_first(q, &q->ring));
		return;
	}
	wait_for(q, leave_ring(q), link, false);
	left_ring(q, h);
}

/* The first of the ring has nothing left to send. */
static void rest(struct fair *q, struct fair_half *h)
{
	(void)leave_ring(q);
	h->at = AT_REST;
	left_ring(q, h);
}

/* ---- who waits for a bucket, and who no longer does ---- */

static bool lacks(const struct meter *m, uint64_t drawn, uint64_t len)
{
	return m->rate != 0 && meter_left(m, drawn) < len;
}

static void wait_own(struct fair *q, uint32_t idx, uint32_t len)
{
	struct fair_half *h = &q->half[idx];

	h->ready_ns = meter_ready_ns(&q->circuit, h->drawn, len);
	h->at = AT_OWN;
	append(q, &q->own, idx);
}

/* The first of the ring stands aside where it lacks bytes of its own. */
static bool aside_own(struct fair *q, struct fair_half *h, uint32_t len)
{
	if (!lacks(&q->circuit, h->drawn, len))
		return false;
	wait_own(q, leave_ring(q), len);
	left_ring(q, h);
	return true;
}

/* Likewise where its link lacks them, and then its turn goes on later; or
 * where others wait for the link that have been there before. */
static bool aside_link(struct fair *q, struct fair_half *h,
		       const struct net_frame *f)
{
	struct fair_link *l = &q->links[f->link];
	bool lack = lacks(&q->link, link_drawn(q, f->link), f->len);
	bool let_in = h->link == f->link;

	if (!lack && (let_in || !waited_for(l)))
		return false;
	wait_for(q, leave_ring(q), f->link, let_in);
	left_ring(q, h);
	return true;
}

/* Those whose bucket has enough by now take turns again.  At one rate they
 * come nearly in order, so a list is enough: one that stands behind another
 * waits a cell's time longer, and loses nothing, for its bucket fills. */
static void come_back(struct fair *q)
{
	uint64_t now = q->circuit.now_ns;

	while (q->own.first != 0 &&
	       (q->half[q->own.first].ready_ns <= now || q->circuit.rate == 0))
		enter_ring(q, take_first(q, &q->own));
	while (q->due.first != 0) {
		uint32_t link = q->due.first;
		struct fair_link *l = &q->links[link];

		if (l->ready_ns > now && q->link.rate != 0)
			break;
		q->due.first = l->next;
		if (q->due.first == 0)
			q->due.last = 0;
		l->timed = false;
		admit(q, link);
	}
}

static void hold(struct fair *q, struct net_frame *f, struct fair_out *out)
{
	uint32_t idx = f->half & ABI_IDX_MASK;
	struct fair_half *h = &q->half[idx];
	const struct fair_link *l = &q->links[f->link];

	if (h->cnt >= q->limits.circuit_queue)
		push_out(q, idx, out);
	else if (q->cnt >= q->limits.queue)
		push_out(q, q->with[q->longest], out);
	put_cell(q, idx, f);
	q->n.held++;
	if (h->at != AT_REST)
		return;
	h->credit = FAIR_QUANTUM;
	if (lacks(&q->circuit, h->drawn, f->len))
		wait_own(q, idx, f->len);
	else if (waited_for(l) ||
		 lacks(&q->link, link_drawn(q, f->link), f->len))
		wait_for(q, idx, f->link, false);
	else
		enter_ring(q, idx);
}

/* ---- the budget of all workers ---- */

static uint32_t waiting(const struct fair *q)
{
	return atomic_load_explicit(&q->o.budget->waiting,
				    memory_order_relaxed);
}

static void tell_waiting(struct fair *q)
{
	if (vx6_likely(q->told == q->wanted))
		return;
	atomic_fetch_add_explicit(&q->o.budget->waiting, q->wanted - q->told,
				  memory_order_relaxed);
	q->told = q->wanted;
}

static bool contended(const struct fair *q)
{
	return q->told != 0 && waiting(q) > q->told;
}

/* What this worker may draw beside others that wait: see the header.  Turns
 * may be microseconds apart: what they gain waits until it is worth a
 * division, so that what is rounded away does not add up. */
static uint64_t fair_share(struct fair *q)
{
	uint64_t all = waiting(q), gain = q->relay.earned - q->seen, part;

	if (!contended(q)) {
		q->seen = q->relay.earned;
		q->share = 0;
		return UINT64_MAX;
	}
	if (gain > q->relay.burst)
		gain = q->relay.burst;
	part = gain * q->told / all;
	if (part < FAIR_PART)
		return q->share;
	q->seen = q->relay.earned;
	q->share += part;
	if (q->share > q->relay.burst)
		q->share = q->relay.burst;
	return q->share;
}

/* Draws what this call may need; what it does not use goes back. */
static uint64_t draw(struct fair *q, struct net_frame *const f[], unsigned n)
{
	uint64_t want = q->bytes, most;

	if (q->relay.rate == 0)
		return UINT64_MAX;
	for (unsigned i = 0; i < n; i++)
		want += f[i]->half != 0 ? f[i]->len : 0;
	most = fair_share(q);
	if (want > (uint64_t)FAIR_OUT * FAIR_QUANTUM)
		want = (uint64_t)FAIR_OUT * FAIR_QUANTUM;
	return meter_draw(&q->relay, &q->o.budget->drawn,
			  want < most ? want : most);
}

static void put_back(struct fair *q, uint64_t drawn, uint64_t left)
{
	if (q->relay.rate == 0)
		return;
	if (left > 0)
		meter_refund(&q->o.budget->drawn, left);
	q->share -= drawn - left < q->share ? drawn - left : q->share;
}

/* ---- a burst ---- */

static void charge(struct fair *q, const struct net_frame *f, uint64_t *purse)
{
	if (q->circuit.rate != 0)
		meter_take(&q->circuit, &q->half[f->half & ABI_IDX_MASK].drawn,
			   f->len);
	if (q->link.rate != 0)
		meter_charge(&q->link, &q->o.budget->link[f->link], f->len);
	*purse -= q->relay.rate != 0 ? f->len : 0;
}

/* A cell goes at once where nobody takes turns, none of its half-circuit
 * waits, and every bucket has enough. */
static bool goes(struct fair *q, const struct net_frame *f, uint64_t purse)
{
	const struct fair_half *h = &q->half[f->half & ABI_IDX_MASK];

	if (q->ring.first != 0 || purse < f->len)
		return false;
	if (q->cnt > 0 && h->at != AT_REST)
		return false;
	if (q->circuit.rate != 0 && lacks(&q->circuit, h->drawn, f->len))
		return false;
	return q->link.rate == 0 ||
	       (!waited_for(&q->links[f->link]) &&
		!lacks(&q->link, link_drawn(q, f->link), f->len));
}

/* Sends by turns until a burst is full, there is no room, or the relay has
 * spent its bytes. */
static void take_turns(struct fair *q, uint32_t room, uint64_t *purse,
		       struct fair_out *out)
{
	uint32_t left = room < NET_BURST ? room : NET_BURST;

	while (q->ring.first != 0 && left > 0) {
		uint32_t idx = q->ring.first;
		struct fair_half *h = &q->half[idx];
		const struct net_frame *f;

		if (h->cnt == 0) {
			rest(q, h);
			continue;
		}
		f = q->cell[h->head].f;
		if (vx6_unlikely(h->credit < f->len)) {
			next_turn(q, h);
			continue;
		}
		if (aside_own(q, h, f->len))
			continue;
		if (*purse < f->len)
			break;
		if (aside_link(q, h, f))
			continue;
		charge(q, f, purse);
		h->credit -= f->len;
		out->tx[out->tx_cnt++] = get_cell(q, idx);
		q->n.sent++;
		left--;
		if (h->cnt == 0)
			rest(q, h);
		else if (h->credit < q->cell[h->head].f->len)
			next_turn(q, h);
	}
	out->waited = out->tx_cnt;
}

static void turn(struct fair *q, uint64_t now_ns)
{
	meter_turn(&q->circuit, now_ns);
	meter_turn(&q->link, now_ns);
	meter_turn(&q->relay, now_ns);
	come_back(q);
}

void fair_burst(struct fair *q, struct net_frame *const f[], unsigned n,
		uint64_t now_ns, uint32_t room, struct fair_out *out)
{
	uint64_t drawn, purse;

	assert(n <= FAIR_IN);
	out->tx_cnt = out->waited = out->lost_cnt = 0;
	turn(q, now_ns);
	purse = drawn = draw(q, f, n);
	take_turns(q, room, &purse, out);
	room -= room != FAIR_ANY ? out->waited : 0;
	for (unsigned i = 0; i < n; i++) {
		if (f[i]->half == 0) {
			out->tx[out->tx_cnt++] = f[i];
		} else if (room > 0 && goes(q, f[i], purse)) {
			charge(q, f[i], &purse);
			out->tx[out->tx_cnt++] = f[i];
			room--;
		} else {
			hold(q, f[i], out);
		}
	}
	put_back(q, drawn, purse);
	/* after a limit was lowered */
	while (q->cnt > q->limits.queue && out->lost_cnt < FAIR_OUT)
		push_out(q, q->with[q->longest], out);
	tell_waiting(q);
	q->on = q->cnt > 0 || limited(q);
}

/* ---- when ---- */

static uint64_t ring_due(const struct fair *q)
{
	const struct fair_half *h = &q->half[q->ring.first];
	uint64_t now = q->relay.now_ns, look = FAIR_LOOK_NS, due;
	uint32_t len = first_len(q, h);

	if (len == 0 || q->relay.rate == 0)
		return now;
	if (contended(q)) {
		look = FAIR_LOOK_SHARED_NS;
		if (q->share < len)
			return now + look;
	}
	due = meter_ready_ns(
		&q->relay,
		atomic_load_explicit(&q->o.budget->drawn, memory_order_relaxed),
		len);
	return due < now + look ? due : now + look;
}

uint64_t fair_due(const struct fair *q)
{
	uint64_t due = VX6_NEVER;

	if (q->ring.first != 0)
		due = ring_due(q);
	if (q->own.first != 0 && q->half[q->own.first].ready_ns < due)
		due = q->half[q->own.first].ready_ns;
	if (q->due.first != 0 && q->links[q->due.first].ready_ns < due)
		due = q->links[q->due.first].ready_ns;
	return due;
}

struct net_frame *fair_drain(struct fair *q)
{
	return q->cnt > 0 ? get_cell(q, q->with[q->longest]) : NULL;
}
