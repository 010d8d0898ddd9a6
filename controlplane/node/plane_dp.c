/* SPDX-License-Identifier: GPL-2.0-or-later */

/* plane_dp: the plane that is vx6-dataplane, behind its socket and ring.
 *
 *     AWAY --connect--> HELLO --WELCOME--> TAKE --DUMP_END--> UP
 *       ^                                                      |
 *       +---------------- socket lost -------------------------+
 *
 * TAKE collects what is installed there.  The node then says what it takes
 * up; the rest is swept, a few commands at a time, so that the queue keeps
 * room for others.  What the data plane tells in between is newer than the
 * dump: a link that went down is not taken up. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "controlplane/core/adopt.h"
#include "controlplane/loop/log.h"
#include "controlplane/loop/loop.h"
#include "controlplane/node/plane.h"
#include "dataplane/abi/ring.h"
#include "dataplane/base/clock.h"

#define AGAIN_NS  (VX6_SEC / 4)
#define QUEUE_MAX 4096u /* commands not yet taken by the socket, */
#define ASK_MAX   64u   /* and questions above that */
#define WAIT_MAX  8192u /* commands not yet answered; a power of two */
#define CELLS_MAX 512u  /* taken from the ring in one go */
#define SWEEP_MAX (QUEUE_MAX / 4) /* of them from the sweep */

_Static_assert((int)ADOPT_FORWARD == (int)ABI_HALF_FORWARD &&
		       (int)ADOPT_BACKWARD == (int)ABI_HALF_BACKWARD &&
		       (int)ADOPT_LOCAL == (int)ABI_HALF_LOCAL &&
		       NOTE_LEN == ABI_NOTE_LEN,
	       "core/adopt reads what the door says");

enum dp_state { DP_AWAY, DP_HELLO, DP_TAKE, DP_UP };

struct waiting {
	plane_done *done;
	plane_stats *stats;
	plane_budget *budget;
	void *ctx;
	uint32_t seq;
};

struct queued {
	struct queued *next;
	struct abi_msg m;
};

struct dp {
	struct plane plane;
	struct plane_dp_options opt;
	enum dp_state state;
	int sock, fd[ABI_FD_CNT];
	struct loop_fd *watch, *ring_watch;
	struct abi_shm shm;
	bool have_shm;
	struct loop_timer timer;
	struct loop_task drain;
	uint32_t seq;
	struct waiting wait[WAIT_MAX];
	struct queued *head, **tail;
	uint32_t queued;
	struct adopt found; /* the first dump, until it is swept */
	uint32_t links_cap, halves_cap;
	struct abi_worker worker[ABI_WORKERS]; /* since STATS was asked */
	unsigned worker_cnt;
	uint32_t swept; /* rows looked at: links, then halves */
	/* As events and the last dump say. */
	struct plane_link_info *info;      /* by link index */
	struct plane_half_info *half_info; /* by index of the id */
	/* Half-circuits to be removed when the queue has room again. */
	uint32_t *late, late_cnt;
};

static void lost(struct dp *d, const char *why);
static void sweep(struct dp *d);
static void remove_late(struct dp *d);

/* ---- out ---- */

static void watch_out(struct dp *d)
{
	loop_fd_watch(d->watch, LOOP_READ | (d->head ? LOOP_WRITE : 0u));
}

static void flush_queue(struct dp *d)
{
	while (d->head) {
		struct queued *q = d->head;
		enum vx6_status st = abi_send(d->sock, &q->m, NULL, 0);

		if (st == VX6_AGAIN)
			break;
		d->head = q->next;
		if (!d->head)
			d->tail = &d->head;
		d->queued--;
		abi_wipe(&q->m);
		free(q);
		if (st != VX6_OK) {
			lost(d, "cannot be written to");
			return;
		}
	}
	remove_late(d);
	sweep(d);
	watch_out(d);
}

/* Numbers are asked for when much is going on. */
static uint32_t room_for(const struct abi_msg *m)
{
	bool question = m->type == ABI_STATS || m->type == ABI_BUDGET;

	return QUEUE_MAX + (question ? ASK_MAX : 0);
}

static enum vx6_status say(struct dp *d, struct abi_msg *m)
{
	enum vx6_status st = VX6_AGAIN;

	if (d->state == DP_AWAY)
		return VX6_UNREACHABLE;
	m->version = ABI_VERSION;
	m->seq = ++d->seq ? d->seq : ++d->seq;
	if (!d->head)
		st = abi_send(d->sock, m, NULL, 0);
	if (st != VX6_AGAIN)
		return st;
	struct queued *q = d->queued < room_for(m) ? malloc(sizeof(*q)) : NULL;

	if (!q)
		return VX6_NO_ROOM;
	*q = (struct queued){ .m = *m };
	*d->tail = q;
	d->tail = &q->next;
	d->queued++;
	watch_out(d);
	return VX6_OK;
}

static enum vx6_status ask_for(struct dp *d, struct abi_msg *m,
			       struct waiting who)
{
	const struct waiting *w = &d->wait[(d->seq + 1u) % WAIT_MAX];
	enum vx6_status st;

	if (w->done || w->stats || w->budget)
		return VX6_NO_ROOM;
	st = say(d, m);
	abi_wipe(m);
	who.seq = d->seq;
	if (st == VX6_OK)
		d->wait[d->seq % WAIT_MAX] = who;
	return st;
}

static enum vx6_status ask(struct dp *d, struct abi_msg *m, plane_done *done,
			   void *ctx)
{
	return ask_for(d, m, (struct waiting){ .done = done, .ctx = ctx });
}

static enum vx6_status dp_link_add(struct plane *p, const struct abi_link *l,
				   plane_done *done, void *ctx)
{
	struct dp *d = (struct dp *)p;
	struct abi_msg m = { .type = ABI_LINK_ADD, .u.link = *l };

	if (d->state != DP_UP)
		return VX6_UNREACHABLE;
	if (l->index < p->links_max)
		d->info[l->index] = (struct plane_link_info){ .addr = l->peer };
	return ask(d, &m, done, ctx);
}

static void dp_link_remove(struct plane *p, uint32_t index)
{
	struct abi_msg m = { .type = ABI_LINK_REMOVE, .u.ref.index = index };

	if (say((struct dp *)p, &m) != VX6_OK)
		log_debug("plane", "not-removed", log_u64("link", index));
}

static void dp_link_afresh(struct plane *p, uint32_t index)
{
	struct abi_msg m = { .type = ABI_LINK_CHANGE, .u.link.index = index };

	if (say((struct dp *)p, &m) != VX6_OK)
		log_debug("plane", "not-changed", log_u64("link", index));
}

static enum vx6_status dp_half_add(struct plane *p, const struct abi_half *h,
				   plane_done *done, void *ctx)
{
	struct dp *d = (struct dp *)p;
	struct abi_msg m = { .type = ABI_HALF_ADD, .u.half = *h };

	if (d->state != DP_UP)
		return VX6_UNREACHABLE;
	return ask(d, &m, done, ctx);
}

static enum vx6_status say_remove(struct dp *d, uint32_t id)
{
	struct abi_msg m = { .type = ABI_HALF_REMOVE, .u.ref.id = id };

	return say(d, &m);
}

static void remove_late(struct dp *d)
{
	while (d->late_cnt > 0 && d->queued < SWEEP_MAX &&
	       say_remove(d, d->late[d->late_cnt - 1]) == VX6_OK)
		d->late_cnt--;
}

/* One that is not removed keeps its place in the table for as long as its
 * circuit was to live.  A neighbour that goes, or destroys all it has, ends
 * more at once than are queued; each is removed once, so there is room for
 * all. */
static void dp_half_remove(struct plane *p, uint32_t id)
{
	struct dp *d = (struct dp *)p;
	enum vx6_status st = say_remove(d, id);

	if (st == VX6_NO_ROOM && d->late_cnt < p->halves_max)
		d->late[d->late_cnt++] = id;
	else if (st != VX6_OK)
		log_debug("plane", "not-removed", log_u64("half", id));
}

static enum vx6_status dp_inject(struct plane *p, uint32_t id,
				 const uint8_t *body, size_t len)
{
	struct abi_msg m = {
		.type = ABI_INJECT,
		.u.control = { .id = id, .len = (uint16_t)len }
	};

	if (len > ABI_CTL_LEN)
		return VX6_BAD_SIZE;
	memcpy(m.u.control.body, body, len);
	return say((struct dp *)p, &m);
}

static enum vx6_status dp_send(struct plane *p, uint32_t link, uint32_t circ,
			       uint16_t cell_size, const uint8_t *h8,
			       size_t len)
{
	struct dp *d = (struct dp *)p;
	struct abi_slot *s;

	if (d->state != DP_UP)
		return VX6_UNREACHABLE;
	s = abi_ring_room(&d->shm.down);
	if (!s) {
		p->dropped[VX6_NO_ROOM]++;
		return VX6_NO_ROOM;
	}
	s->link = link;
	s->circ = circ;
	s->size = (uint16_t)len;
	s->cell_size = cell_size;
	s->zero = 0;
	memcpy(s->data, h8, len);
	abi_ring_push(&d->shm.down);
	return VX6_OK;
}

static void dp_flush(struct plane *p)
{
	struct dp *d = (struct dp *)p;

	if (d->state == DP_UP)
		abi_ring_flush(&d->shm.down);
}

static bool dp_link_info(struct plane *p, uint32_t index,
			 struct plane_link_info *info)
{
	struct dp *d = (struct dp *)p;

	if (d->state != DP_UP || index >= p->links_max)
		return false;
	*info = d->info[index];
	return true;
}

static bool dp_half_info(struct plane *p, uint32_t id,
			 struct plane_half_info *info)
{
	struct dp *d = (struct dp *)p;

	if (d->state != DP_UP || (id & ABI_IDX_MASK) >= p->halves_max)
		return false;
	*info = d->half_info[id & ABI_IDX_MASK];
	return true;
}

static enum vx6_status dp_refresh(struct plane *p, plane_done *done, void *ctx)
{
	struct dp *d = (struct dp *)p;
	struct abi_msg m = { .type = ABI_DUMP };

	return d->state == DP_UP ? ask(d, &m, done, ctx) : VX6_UNREACHABLE;
}

/* ---- cells from the ring ---- */

static void take_slot(struct dp *d, const struct abi_slot *from)
{
	struct abi_slot s; /* the other side may scribble on `from` */
	struct vx6_cell parsed;
	enum vx6_status st = abi_slot_read(&s, from);

	if (st == VX6_OK && s.size < VX6_CELL_MIN)
		st = VX6_BAD_SIZE;
	if (st == VX6_OK)
		st = vx6_cell_parse(&parsed, s.data, s.size);
	if (st == VX6_OK && parsed.circ != s.circ)
		st = VX6_MALFORMED;
	if (st == VX6_OK)
		d->plane.ev.cell(d->plane.ctx, s.circ, s.data, s.size);
	else
		d->plane.dropped[st]++;
}

static void take_cells(void *ctx)
{
	struct dp *d = ctx;

	for (unsigned i = 0; i < CELLS_MAX; i++) {
		struct abi_slot *s = d->state == DP_UP
					     ? abi_ring_peek(&d->shm.up)
					     : NULL;

		if (!s)
			break;
		take_slot(d, s);
		if (d->state == DP_UP)
			abi_ring_pop(&d->shm.up);
	}
	if (d->state == DP_UP && !abi_ring_sleep(&d->shm.up))
		loop_task_add(&d->drain);
}

static void on_ring(void *ctx, unsigned events)
{
	struct dp *d = ctx;

	(void)events;
	abi_ring_awake(&d->shm.up);
	take_cells(d);
}

/* ---- in ---- */

static bool attach(struct dp *d, const struct abi_welcome *w, const int fd[])
{
	memcpy(d->fd, fd, sizeof(d->fd)); /* ours to close from here on */
	if (fd[0] < 0 || abi_shm_attach(&d->shm, fd) != VX6_OK)
		return false;
	d->have_shm = true;
	free(d->info);
	free(d->half_info);
	free(d->late);
	d->info = calloc(w->links_max, sizeof(*d->info));
	d->half_info = calloc(w->halves_max, sizeof(*d->half_info));
	d->late = calloc(w->halves_max, sizeof(*d->late));
	if (!d->info || !d->half_info || !d->late ||
	    loop_fd_open(d->opt.loop, d->shm.up.wake_fd, on_ring, d,
			 &d->ring_watch) != VX6_OK)
		return false;
	loop_fd_watch(d->ring_watch, LOOP_READ);
	d->plane.listen = w->data;
	d->plane.instance = vx6_get64(w->instance) >> 1; /* SQLite's int */
	d->plane.links_max = w->links_max;
	d->plane.halves_max = w->halves_max;
	d->plane.u_v4 = w->u_v4;
	d->plane.u_v6 = w->u_v6;
	return true;
}

static void welcome(struct dp *d, const struct abi_msg *m, const int fd[])
{
	struct abi_msg sub = { .type = ABI_SUBSCRIBE };
	struct abi_msg dump = { .type = ABI_DUMP };
	struct abi_msg limits = { .type = ABI_LIMITS,
				  .u.limits = d->opt.limits };

	if (d->state != DP_HELLO) {
		lost(d, "said WELCOME twice"); /* brought nothing: abi_recv */
		return;
	}
	if (!attach(d, &m->u.welcome, fd)) {
		lost(d, "gave no ring that can be used");
		return;
	}
	d->state = DP_TAKE;
	if (say(d, &limits) != VX6_OK || say(d, &sub) != VX6_OK ||
	    say(d, &dump) != VX6_OK)
		lost(d, "cannot be written to");
}

/* ---- what is there already ---- */

static void drop_found(struct dp *d)
{
	free(d->found.link);
	free(d->found.half);
	d->found = (struct adopt){ 0 };
	d->links_cap = d->halves_cap = d->swept = 0;
}

/* Room for one row more, or NULL; there are no more rows than indices. */
static void *grow(void *rows, uint32_t *cap, uint32_t cnt, uint32_t most,
		  size_t each)
{
	uint32_t want = *cap ? *cap * 2u : 64u;
	void *more;

	if (cnt < *cap)
		return rows;
	if (cnt >= most)
		return NULL;
	more = realloc(rows, want * each);
	if (more)
		*cap = want;
	return more;
}

static void found_link(struct dp *d, const struct abi_link *l)
{
	struct adopt *a = &d->found;
	struct adopt_link *rows = grow(a->link, &d->links_cap, a->link_cnt,
				       d->plane.links_max, sizeof(*rows));

	if (!rows) {
		lost(d, "has more links than there is room for");
		return;
	}
	a->link = rows;
	struct adopt_link *to = &a->link[a->link_cnt++];

	*to = (struct adopt_link){ .index = l->index,
				   .peer_index = l->peer_index,
				   .u = l->u,
				   .u_proved = l->u_proved,
				   .behind_nat = l->behind_nat != 0 };
	to->known = note_parse(&to->note, l->note) == VX6_OK;
}

static void found_half(struct dp *d, const struct abi_half *h)
{
	struct adopt *a = &d->found;
	struct adopt_half *rows = grow(a->half, &d->halves_cap, a->half_cnt,
				       d->plane.halves_max, sizeof(*rows));

	if (!rows) {
		lost(d, "has more half-circuits than there is room for");
		return;
	}
	a->half = rows;
	struct adopt_half *to = &a->half[a->half_cnt++];

	*to = (struct adopt_half){ .id = h->id,
				   .in_link = h->in_link,
				   .out_link = h->out_link,
				   .out_id = h->out_id,
				   .size_in = h->cell_size_in,
				   .size_out = h->cell_size_out,
				   .kind = h->kind,
				   .suite = h->suite,
				   .start_rx = h->start_rx,
				   .left_ns = h->life_ns };
	to->known = note_parse(&to->note, h->note) == VX6_OK;
}

static void went_down(struct dp *d)
{
	for (uint32_t i = 0; i < d->found.link_cnt; i++) {
		struct adopt_link *l = &d->found.link[i];

		l->down = l->index < d->plane.links_max &&
			  d->info[l->index].state == VX6_LINK_DOWN;
	}
}

/* Links first: their indices are wanted again soonest, and half-circuits
 * on them go with them. */
static void sweep(struct dp *d)
{
	const struct adopt *a = &d->found;
	uint32_t rows = a->link_cnt + a->half_cnt;

	if (d->state != DP_UP || rows == 0)
		return;
	for (; d->swept < rows && d->queued < SWEEP_MAX; d->swept++) {
		uint32_t at = d->swept;

		if (at < a->link_cnt) {
			if (a->link[at].verdict == ADOPT_SWEEP)
				dp_link_remove(&d->plane, a->link[at].index);
		} else if (a->half[at - a->link_cnt].verdict == ADOPT_SWEEP) {
			dp_half_remove(&d->plane, a->half[at - a->link_cnt].id);
		}
	}
	if (d->swept == rows)
		drop_found(d);
}

static void answered(struct dp *d, const struct abi_msg *m);

static void dump_end(struct dp *d, const struct abi_msg *m)
{
	if (d->state != DP_TAKE) {
		answered(d, m);
		return;
	}
	d->state = DP_UP;
	d->plane.up = true;
	d->plane.coming = false;
	log_info("plane", "up", log_u64("links", d->plane.links_max),
		 log_u64("halves", d->plane.halves_max),
		 log_u64("links_found", d->found.link_cnt),
		 log_u64("halves_found", d->found.half_cnt));
	went_down(d);
	d->plane.ev.state(d->plane.ctx, true, &d->found);
	sweep(d);
	take_cells(d);
}

static void answered(struct dp *d, const struct abi_msg *m)
{
	struct waiting *w = &d->wait[m->seq % WAIT_MAX];
	struct waiting was = *w;

	if (was.seq != m->seq)
		return;
	if (m->type == ABI_STATS_ARE && was.stats) {
		*w = (struct waiting){ 0 };
		was.stats(was.ctx, &m->u.stats);
		return;
	}
	if (m->type == ABI_BUDGET_IS && was.budget) {
		*w = (struct waiting){ 0 };
		was.budget(was.ctx, &m->u.budget);
		return;
	}
	if ((m->type != ABI_DONE && m->type != ABI_DUMP_END) || !was.done)
		return;
	*w = (struct waiting){ 0 };
	was.done(was.ctx, m->status < VX6_STATUS_CNT
				  ? (enum vx6_status)m->status
				  : VX6_MALFORMED);
}

static void worker_is(struct dp *d, const struct abi_worker *w)
{
	if (w->index == 0)
		d->worker_cnt = 0;
	if (w->index == d->worker_cnt && d->worker_cnt < ABI_WORKERS)
		d->worker[d->worker_cnt++] = *w;
}

const struct abi_worker *plane_dp_workers(const struct plane *p, unsigned *cnt)
{
	const struct dp *d = (const struct dp *)p;

	*cnt = d->worker_cnt;
	return d->worker;
}

static void keep_info(struct dp *d, const struct abi_link *l)
{
	if (l->index >= d->plane.links_max)
		return;
	d->info[l->index] = (struct plane_link_info){
		.state = l->state,
		.u_proved = l->u_proved,
		.addr = l->peer,
		.srtt_ns = l->srtt_ns,
		.cells_in = l->cells_in,
		.cells_out = l->cells_out,
		.bytes_in = l->bytes_in,
		.bytes_out = l->bytes_out,
	};
}

static void link_is(struct dp *d, const struct abi_link *l)
{
	keep_info(d, l);
	if (d->state == DP_TAKE)
		found_link(d, l);
}

static void half_is(struct dp *d, const struct abi_half *h)
{
	uint32_t idx = h->id & ABI_IDX_MASK;

	if (d->state == DP_TAKE)
		found_half(d, h);
	if (d->state >= DP_TAKE && idx < d->plane.halves_max)
		d->half_info[idx] = (struct plane_half_info){
			.cells = h->cells,
			.bytes = h->bytes,
			.dropped = h->dropped,
		};
}

static void link_event(struct dp *d, const struct abi_link *l)
{
	if (d->state < DP_TAKE)
		return;
	keep_info(d, l);
	if (d->state == DP_UP)
		d->plane.ev.link(d->plane.ctx, l->index, l->events);
}

static void heard(struct dp *d, const struct abi_msg *m, const int fd[])
{
	switch ((enum abi_type)m->type) {
	case ABI_WELCOME: welcome(d, m, fd); return;
	case ABI_DONE:
	case ABI_BUDGET_IS:
	case ABI_STATS_ARE: answered(d, m); return;
	case ABI_WORKER_IS: worker_is(d, &m->u.worker); return;
	case ABI_LINK_IS: link_is(d, &m->u.link); return;
	case ABI_HALF_IS: half_is(d, &m->u.half); return;
	case ABI_DUMP_END: dump_end(d, m); return;
	case ABI_CONTROL:
		if (d->state == DP_UP)
			d->plane.ev.control(d->plane.ctx, m->u.control.id,
					    m->u.control.body,
					    m->u.control.len);
		return;
	case ABI_LINK_EVENT: link_event(d, &m->u.link); return;
	case ABI_HALF_EVENT:
		if (d->state == DP_UP)
			d->plane.ev.half(d->plane.ctx, m->u.ref.id,
					 (enum abi_half_event)m->u.ref.event);
		return;
	case ABI_STALL:
		log_error("plane", "stalled",
			  log_u64("worker", m->u.stall.worker),
			  log_u64("ms", m->u.stall.stalled_ns / VX6_MS),
			  log_str("stack", m->u.stall.stack));
		return;
	case ABI_HELLO:
	case ABI_LINK_ADD:
	case ABI_LINK_CHANGE:
	case ABI_LINK_REMOVE:
	case ABI_HALF_ADD:
	case ABI_HALF_REMOVE:
	case ABI_SPLICE:
	case ABI_UNSPLICE:
	case ABI_INJECT:
	case ABI_DUMP:
	case ABI_SUBSCRIBE:
	case ABI_LIMITS:
	case ABI_BUDGET:
	case ABI_STATS: return; /* abi_check refused them */
	}
}

static void on_sock(void *ctx, unsigned events)
{
	struct dp *d = ctx;
	struct abi_msg m;
	int fd[ABI_FD_CNT];

	if (events & LOOP_WRITE)
		flush_queue(d);
	for (unsigned i = 0; i < 256 && d->state != DP_AWAY; i++) {
		unsigned want = d->state == DP_HELLO ? ABI_FD_CNT : 0;
		enum vx6_status st = abi_recv(d->sock, &m, fd, want);

		if (st == VX6_AGAIN)
			return;
		if (st == VX6_OK)
			st = abi_check(&m, false);
		if (st != VX6_OK) {
			lost(d, vx6_status_text(st));
			return;
		}
		heard(d, &m, fd);
	}
}

/* ---- coming and going ---- */

static void come(void *ctx)
{
	struct dp *d = ctx;
	struct abi_msg hello = { .type = ABI_HELLO };
	enum vx6_status st = abi_connect(&d->sock, d->opt.path);

	if (st == VX6_OK) {
		st = loop_fd_open(d->opt.loop, d->sock, on_sock, d, &d->watch);
		if (st != VX6_OK)
			close(d->sock);
	}
	d->plane.coming = st == VX6_OK;
	if (st != VX6_OK) {
		loop_timer_set(&d->timer, loop_now(d->opt.loop) + AGAIN_NS);
		return;
	}
	d->state = DP_HELLO;
	loop_fd_watch(d->watch, LOOP_READ);
	if (say(d, &hello) != VX6_OK)
		lost(d, "does not take a HELLO");
}

static void drop_queue(struct dp *d)
{
	while (d->head) {
		struct queued *q = d->head;

		d->head = q->next;
		abi_wipe(&q->m);
		free(q);
	}
	d->tail = &d->head;
	d->queued = 0;
	d->late_cnt = 0;
}

static void shut(struct dp *d)
{
	d->state = DP_AWAY;
	d->plane.up = d->plane.coming = false;
	loop_task_clear(&d->drain);
	loop_fd_close(d->watch);
	loop_fd_close(d->ring_watch);
	d->watch = d->ring_watch = NULL;
	if (d->have_shm)
		abi_shm_close(&d->shm);
	d->have_shm = false;
	for (unsigned i = 0; i < ABI_FD_CNT; i++) {
		if (d->fd[i] >= 0)
			close(d->fd[i]);
		d->fd[i] = -1;
	}
	if (d->sock >= 0)
		close(d->sock);
	d->sock = -1;
	drop_queue(d);
	drop_found(d);
}

static void lost(struct dp *d, const char *why)
{
	bool was_up = d->state == DP_UP;

	shut(d);
	log_warn("plane", "lost", log_str("why", why));
	if (was_up)
		d->plane.ev.state(d->plane.ctx, false, NULL);
	for (unsigned i = 0; i < WAIT_MAX; i++) {
		struct waiting w = d->wait[i];

		d->wait[i] = (struct waiting){ 0 };
		if (w.done)
			w.done(w.ctx, VX6_CLOSED);
		else if (w.stats)
			w.stats(w.ctx, &(struct abi_stats){ 0 });
		else if (w.budget)
			w.budget(w.ctx, NULL);
	}
	loop_timer_set(&d->timer, loop_now(d->opt.loop) + AGAIN_NS);
}

static void dp_close(struct plane *p)
{
	struct dp *d = (struct dp *)p;

	loop_timer_clear(&d->timer);
	shut(d);
	free(d->info);
	free(d->half_info);
	free(d->late);
	free(d);
}

enum vx6_status plane_dp_stats(struct plane *p, plane_stats *done, void *ctx)
{
	struct dp *d = (struct dp *)p;
	struct abi_msg m = { .type = ABI_STATS };

	if (d->state != DP_UP)
		return VX6_UNREACHABLE;
	return ask_for(d, &m, (struct waiting){ .stats = done, .ctx = ctx });
}

enum vx6_status plane_dp_budget(struct plane *p, plane_budget *done, void *ctx)
{
	struct dp *d = (struct dp *)p;
	struct abi_msg m = { .type = ABI_BUDGET };

	if (d->state != DP_UP)
		return VX6_UNREACHABLE;
	return ask_for(d, &m, (struct waiting){ .budget = done, .ctx = ctx });
}

enum vx6_status plane_dp_open(struct plane **p,
			      const struct plane_dp_options *opt)
{
	static const struct plane_ops ops = {
		.link_add = dp_link_add,
		.link_remove = dp_link_remove,
		.link_afresh = dp_link_afresh,
		.half_add = dp_half_add,
		.half_remove = dp_half_remove,
		.inject = dp_inject,
		.send = dp_send,
		.flush = dp_flush,
		.link_info = dp_link_info,
		.half_info = dp_half_info,
		.refresh = dp_refresh,
		.close = dp_close,
	};
	struct dp *d = calloc(1, sizeof(*d));

	if (!d)
		return VX6_NO_MEMORY;
	d->opt = *opt;
	d->sock = -1;
	d->tail = &d->head;
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		d->fd[i] = -1;
	d->plane = (struct plane){
		.ops = &ops,
		.ev = opt->events,
		.ctx = opt->ctx,
		.relays = true,
		.coming = true,
	};
	loop_timer_init(&d->timer, opt->loop, come, d);
	loop_task_init(&d->drain, opt->loop, take_cells, d);
	loop_timer_set(&d->timer, 0);
	*p = &d->plane;
	return VX6_OK;
}
