/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/control.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/stack.h"

_Static_assert(STACK_TEXT <= ABI_STACK_LEN, "it can be told whole");

#define WATCH_MS      ((int)(WORKER_STALL_NS / VX6_MS / 2))
#define WATCH_IDLE_MS 1000
#define READ_MOST     16u /* messages of a client in one step */

_Static_assert(CONTROL_CMDS < QUEUE_SLOTS, "a command always has room");

enum vx6_status control_init(struct control *c, int listen_fd,
			     struct worker *const w[],
			     const struct abi_welcome *welcome, struct log *log)
{
	memset(c, 0, sizeof(*c));
	stack_start();
	c->w = w;
	c->workers = welcome->workers;
	c->log = log;
	c->welcome = *welcome;
	c->listen_fd = listen_fd;
	c->client = -1;
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		c->shm_fd[i] = -1;
	return owners_open(&c->owners, welcome->halves_max, c->workers);
}

/* The first worker has the ring; the others hear that clients change. */
static void offer_ring(struct control *c, struct abi_shm *shm)
{
	for (unsigned k = 0; k < c->workers; k++)
		worker_offer_ring(c->w[k], k == 0 ? shm : NULL);
}

static bool settled(const struct control *c)
{
	for (unsigned k = 0; k < c->workers; k++)
		if (!worker_ring_settled(c->w[k]))
			return false;
	return true;
}

/* ---- the client goes ---- */

static void free_ring(struct control *c)
{
	abi_shm_close(&c->shm);
	for (unsigned i = 0; i < ABI_FD_CNT; i++) {
		if (c->shm_fd[i] >= 0)
			close(c->shm_fd[i]);
		c->shm_fd[i] = -1;
	}
}

static void lose(struct control *c, const char *why)
{
	if (c->state == CONTROL_LIVE) /* others only looked in */
		log_say(c->log, LOG_INFO, "control", "client-gone", "why", why,
			LOG_END);
	close(c->client);
	c->client = -1;
	c->subscribed = false;
	c->own_waits = false;
	c->stalls = 0;
	abi_wipe(&c->own);
	abi_wipe(&c->in);
	c->in_waits = false;
	offer_ring(c, NULL);
	c->state = CONTROL_LEAVING;
}

/* A send that did not work out; true: try again later. */
static bool send_later(struct control *c, enum vx6_status st)
{
	if (st == VX6_AGAIN)
		return true;
	lose(c, vx6_status_text(st));
	return false;
}

/* ---- answers of our own ---- */

static void send_own(struct control *c)
{
	enum vx6_status st;

	if (!c->own_waits)
		return;
	st = abi_send(c->client, &c->own, NULL, 0);
	if (st != VX6_OK) {
		(void)send_later(c, st);
		return;
	}
	c->own_waits = false;
}

static void say_done(struct control *c, uint32_t seq, enum vx6_status st)
{
	c->own = (struct abi_msg){ .version = ABI_VERSION,
				   .type = ABI_DONE,
				   .seq = seq,
				   .status = (uint32_t)st };
	c->own_waits = true;
	send_own(c);
}

/* What workers' stalls there are to tell of, whatever else waits. */
static void send_stalls(struct control *c)
{
	for (unsigned k = 0; c->stalls != 0 && k < c->workers; k++) {
		enum vx6_status st;

		if ((c->stalls & 1u << k) == 0)
			continue;
		st = abi_send(c->client, &c->stall[k], NULL, 0);
		if (st != VX6_OK) {
			(void)send_later(c, st);
			return;
		}
		c->stalls &= ~(1u << k);
	}
}

static void say_stall(struct control *c, unsigned k)
{
	char ms[LOG_NUM], worker[LOG_NUM], text[STACK_TEXT];
	const char *stack = stack_of(c->w[k]->thread, text);
	uint64_t stalled_ns = c->watch[k].stalled_ns;
	struct abi_msg *m;

	log_say(c->log, LOG_ERROR, "worker", "stall", "ms",
		log_num(ms, stalled_ns / VX6_MS), "worker", log_num(worker, k),
		"stack", stack, LOG_END);
	if (c->state != CONTROL_LIVE || !c->subscribed)
		return;
	m = &c->stall[k];
	*m = (struct abi_msg){
		.version = ABI_VERSION,
		.type = ABI_STALL,
		.u.stall.worker = k,
		.u.stall.stalled_ns = stalled_ns,
	};
	(void)abi_text(m->u.stall.stack, sizeof(m->u.stall.stack), stack);
	c->stalls |= 1u << k;
	send_stalls(c);
}

/* ---- what the client says ---- */

static void offer(struct control *c, uint32_t seq)
{
	enum vx6_status st = abi_shm_create(&c->shm, c->shm_fd);

	if (st != VX6_OK) {
		log_say(c->log, LOG_ERROR, "control", "no-ring", "why",
			strerror(errno), LOG_END);
		lose(c, "no memory for its rings");
		return;
	}
	c->hello_seq = seq;
	c->state = CONTROL_OFFERED;
	offer_ring(c, &c->shm);
}

static void welcome(struct control *c)
{
	struct abi_msg m = { .version = ABI_VERSION,
			     .type = ABI_WELCOME,
			     .seq = c->hello_seq,
			     .u.welcome = c->welcome };
	enum vx6_status st;

	if (!settled(c))
		return;
	if (c->about != NULL)
		c->about(c->about_ctx, &m);
	st = abi_send(c->client, &m, c->shm_fd, ABI_FD_CNT);
	if (st != VX6_OK) {
		(void)send_later(c, st);
		return;
	}
	c->state = CONTROL_LIVE;
	c->clients++;
	log_say(c->log, LOG_INFO, "control", "client", LOG_END);
}

/* ---- commands, to the workers that they concern ---- */

/* Commands that are under way are fewer than a queue's slots. */
static void push(struct control *c, uint32_t k, const struct abi_msg *m,
		 uint32_t other)
{
	struct control_sent *s = &c->sent[k];
	struct abi_msg *slot = queue_room(&c->w[k]->cmd);

	assert(slot != NULL && s->head - s->tail < CONTROL_CMDS);
	s->id[s->head % CONTROL_CMDS] = m->type == ABI_HALF_ADD ? m->u.half.id
								: 0;
	s->seq[s->head++ % CONTROL_CMDS] = m->seq;
	*slot = *m;
	slot->zero = other;
	queue_push(&c->w[k]->cmd);
	worker_wake(c->w[k]);
}

static void push_one(struct control *c, uint32_t k, const struct abi_msg *m)
{
	if (k == OWNERS_NONE) {
		say_done(c, m->seq, VX6_NO_CIRCUIT);
		return;
	}
	c->unanswered++;
	push(c, k, m, 0);
}

static void begin(struct control *c, const struct abi_msg *m, unsigned left)
{
	c->unanswered++;
	c->joint.type = m->type;
	c->joint.seq = m->seq;
	c->joint.status = VX6_OK;
	c->joint.left = left;
	c->joint.told = 0;
	c->joint.last_waits = false;
}

/* All but `last` at once; last, unless it is the only one, when they are
 * done. */
static void push_all(struct control *c, const struct abi_msg *m, uint32_t last)
{
	begin(c, m, c->workers);
	for (uint32_t k = 0; k < c->workers; k++)
		if (k != last || c->workers == 1)
			push(c, k, m, 0);
	if (last == OWNERS_NONE || c->workers == 1)
		return;
	c->joint.left--;
	c->joint.last = last;
	c->joint.last_waits = true;
	c->joint.m = *m;
}

static void half_add(struct control *c, const struct abi_msg *m)
{
	uint32_t k = 0;
	enum vx6_status st = owners_add(&c->owners, &m->u.half, m->seq, &k);

	if (st != VX6_OK)
		say_done(c, m->seq, st);
	else
		push_one(c, k, m);
}

static void splice(struct control *c, const struct abi_msg *m)
{
	const struct abi_splice *s = &m->u.splice;
	uint32_t from = owners_find(&c->owners, s->id);
	uint32_t to = owners_find(&c->owners, s->to);
	enum vx6_status st = owners_splice(&c->owners, s->id, s->to);

	if (st != VX6_OK) {
		say_done(c, m->seq, st);
		return;
	}
	if (from == to) {
		push_one(c, from, m);
		return;
	}
	begin(c, m, 1);
	push(c, to, m, from + 1);
	c->joint.last = from;
	c->joint.last_waits = true;
	c->joint.m = *m;
	c->joint.m.zero = to + 1;
}

static void unsplice(struct control *c, const struct abi_msg *m)
{
	enum vx6_status st = owners_unsplice(&c->owners, m->u.splice.id);

	if (st != VX6_OK)
		say_done(c, m->seq, st);
	else
		push_one(c, owners_find(&c->owners, m->u.splice.id), m);
}

static void half_remove(struct control *c, const struct abi_msg *m)
{
	uint32_t k = owners_find(&c->owners, m->u.ref.id);

	owners_end(&c->owners, m->u.ref.id);
	push_one(c, k, m);
}

static void link_remove(struct control *c, const struct abi_msg *m)
{
	owners_end_link(&c->owners, m->u.ref.index);
	push_all(c, m, relay_owner(c->workers, m->u.ref.index));
}

/* One that has its turn. */
static void route(struct control *c, const struct abi_msg *m)
{
	switch (m->type) {
	case ABI_LINK_ADD:
		push_all(c, m, relay_owner(c->workers, m->u.link.index));
		break;
	case ABI_LINK_CHANGE:
		push_one(c, relay_owner(c->workers, m->u.link.index), m);
		break;
	case ABI_LINK_REMOVE: link_remove(c, m); break;
	case ABI_HALF_ADD: half_add(c, m); break;
	case ABI_HALF_REMOVE: half_remove(c, m); break;
	case ABI_SPLICE: splice(c, m); break;
	case ABI_UNSPLICE: unsplice(c, m); break;
	case ABI_INJECT:
		push_one(c, owners_find(&c->owners, m->u.control.id), m);
		break;
	default: push_all(c, m, OWNERS_NONE); break; /* whatever all do */
	}
}

static bool is_joint(const struct control *c, const struct abi_msg *m)
{
	switch (m->type) {
	case ABI_LINK_ADD:
	case ABI_LINK_REMOVE:
	case ABI_DUMP:
	case ABI_LIMITS:
	case ABI_BUDGET:
	case ABI_STATS: return true;
	case ABI_SPLICE:
		return owners_find(&c->owners, m->u.splice.id) !=
		       owners_find(&c->owners, m->u.splice.to);
	default: return false;
	}
}

/* Sends on what was read, if it may; what must wait stays in c->in. */
static void take_turn(struct control *c)
{
	c->in_waits = c->unanswered > 0 &&
		      (c->joint.type != 0 || is_joint(c, &c->in));
	if (c->in_waits)
		return;
	route(c, &c->in);
	abi_wipe(&c->in);
}

/* A good message; false: it was not for the workers. */
static bool take(struct control *c, const struct abi_msg *m)
{
	if (m->type == ABI_HELLO && c->state == CONTROL_GREETING) {
		offer(c, m->seq);
		return false;
	}
	if (m->type == ABI_HELLO || c->state == CONTROL_GREETING) {
		say_done(c, m->seq, VX6_BAD_STATE);
		return false;
	}
	if (m->type == ABI_SUBSCRIBE) {
		c->subscribed = true;
		say_done(c, m->seq, VX6_OK);
		return false;
	}
	return true;
}

/* A message that is not well said.  Who cannot be answered is let go. */
static void refuse(struct control *c, const struct abi_msg *m,
		   enum vx6_status st)
{
	uint32_t seq = m->seq;

	log_say(c->log, LOG_WARN, "control", "refused", "type",
		abi_type_name(m->type), "why", vx6_status_text(st), LOG_END);
	if (seq != 0)
		say_done(c, seq, st);
	if (c->client >= 0 && (seq == 0 || st == VX6_BAD_VERSION))
		lose(c, vx6_status_text(st));
}

/* Reads one message; false: none there, or no client any more. */
static bool read_one(struct control *c)
{
	struct abi_msg *in = &c->in;
	enum vx6_status st = abi_recv(c->client, in, NULL, 0);

	if (st == VX6_AGAIN)
		return false;
	if (st != VX6_OK) {
		lose(c, vx6_status_text(st));
		return false;
	}
	st = abi_check(in, true);
	if (st != VX6_OK) {
		refuse(c, in, st);
		abi_wipe(in);
	} else if (take(c, in)) {
		take_turn(c);
	} else {
		abi_wipe(in);
	}
	return c->client >= 0;
}

static bool may_read(const struct control *c)
{
	return (c->state == CONTROL_GREETING || c->state == CONTROL_LIVE) &&
	       !c->own_waits && !c->in_waits && c->joint.type == 0 &&
	       c->unanswered < CONTROL_CMDS;
}

/* ---- what the workers say ---- */

static bool is_last(const struct abi_msg *m)
{
	return m->type != ABI_LINK_IS && m->type != ABI_HALF_IS;
}

/* Sends what a client is to have; nobody is to have it: VX6_OK. */
static enum vx6_status tell(struct control *c, const struct abi_msg *m,
			    bool heard)
{
	struct abi_msg more;
	enum vx6_status st;

	if (!heard || c->state != CONTROL_LIVE)
		return VX6_OK;
	more = *m;
	if (m->type == ABI_HALF_IS)
		more.u.half.splice = owners_spliced(&c->owners, m->u.half.id);
	if (c->about != NULL)
		c->about(c->about_ctx, &more);
	st = abi_send(c->client, &more, NULL, 0);
	return st != VX6_OK && send_later(c, st) ? VX6_AGAIN : VX6_OK;
}

static void fill_worker(struct control *c, unsigned k, struct abi_worker *to)
{
	const struct abi_stats *s = &c->joint.stats[k];
	const struct worker_opts *o = &c->w[k]->opts;

	*to = (struct abi_worker){
		.rx_cells = s->rx_cells,
		.tx_cells = s->tx_cells,
		.handed = s->handed,
		.hand_full = s->drop[VX6_HANDED_OFF],
		.busy_ns = s->busy_ns,
		.spin_ns = s->spin_ns,
		.blocked_ns = s->blocked_ns,
		.longest_ns = s->longest_ns,
		.rx_most = s->rx_most,
		.index = k,
		.cpu = o->cpu,
		.node = -1,
		.page_len = 4096,
		.halves = s->halves,
		.stalls = c->watch[k].stalls,
		.spin = o->spin,
	};
}

/* All workers' counters together; links, which all know, once. */
static void add_up(const struct control *c, struct abi_stats *to)
{
	*to = c->joint.stats[0];
	for (unsigned k = 1; k < c->workers; k++) {
		const struct abi_stats *s = &c->joint.stats[k];

		for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
			to->drop[i] += s->drop[i];
		to->rx_cells += s->rx_cells;
		to->rx_bytes += s->rx_bytes;
		to->tx_cells += s->tx_cells;
		to->tx_bytes += s->tx_bytes;
		to->forwarded += s->forwarded;
		to->backwarded += s->backwarded;
		to->up += s->up;
		to->down += s->down;
		to->injected += s->injected;
		to->busy_ns += s->busy_ns;
		to->spin_ns += s->spin_ns;
		to->blocked_ns += s->blocked_ns;
		if (s->longest_ns > to->longest_ns)
			to->longest_ns = s->longest_ns;
		if (s->rx_most > to->rx_most)
			to->rx_most = s->rx_most;
		to->ring_full += s->ring_full;
		to->halves += s->halves;
		to->handed += s->handed;
		to->rx_xsk += s->rx_xsk;
		to->tx_xsk += s->tx_xsk;
		to->rx_sock += s->rx_sock;
		to->tx_sock += s->tx_sock;
	}
}

static void add_budgets(const struct control *c, struct abi_budget *to)
{
	*to = c->joint.budget[0];
	for (unsigned k = 1; k < c->workers; k++) {
		const struct abi_budget *b = &c->joint.budget[k];

		to->sent_bytes += b->sent_bytes;
		to->held += b->held;
		to->lost_rate += b->lost_rate;
		to->lost_full += b->lost_full;
		to->waiting += b->waiting;
		to->most += b->most;
		to->room += b->room;
	}
}

static enum vx6_status tell_workers(struct control *c)
{
	struct control_joint *j = &c->joint;

	for (; j->told < c->workers; j->told++) {
		struct abi_msg m = { .version = ABI_VERSION,
				     .type = ABI_WORKER_IS,
				     .seq = j->seq };

		fill_worker(c, j->told, &m.u.worker);
		if (tell(c, &m, true) != VX6_OK)
			return VX6_AGAIN;
	}
	return VX6_OK;
}

/* The one answer to a command for several; VX6_AGAIN: it must wait. */
static enum vx6_status finish(struct control *c)
{
	struct control_joint *j = &c->joint;
	struct abi_msg m = { .version = ABI_VERSION,
			     .type = ABI_DONE,
			     .seq = j->seq,
			     .status = j->status };

	if (j->type == ABI_STATS) {
		if (tell_workers(c) != VX6_OK)
			return VX6_AGAIN;
		m.type = ABI_STATS_ARE;
		add_up(c, &m.u.stats);
	} else if (j->type == ABI_BUDGET) {
		m.type = ABI_BUDGET_IS;
		add_budgets(c, &m.u.budget);
	} else if (j->type == ABI_DUMP) {
		m.type = ABI_DUMP_END;
	}
	if (tell(c, &m, true) != VX6_OK)
		return VX6_AGAIN;
	j->type = 0;
	c->unanswered--;
	return VX6_OK;
}

/* A part of the answer to a command for several. */
static enum vx6_status joint_heard(struct control *c, unsigned k,
				   const struct abi_msg *m)
{
	struct control_joint *j = &c->joint;

	if (!is_last(m))
		return tell(c, m, true);
	if (m->type == ABI_STATS_ARE)
		j->stats[k] = m->u.stats;
	if (m->type == ABI_BUDGET_IS)
		j->budget[k] = m->u.budget;
	if (j->status == VX6_OK)
		j->status = m->status;
	if (j->left > 1) {
		j->left--;
		return VX6_OK;
	}
	if (j->last_waits && j->status == VX6_OK) {
		j->last_waits = false;
		push(c, j->last, &j->m, j->m.zero);
		abi_wipe(&j->m);
		return VX6_OK; /* the one answer that is left is that */
	}
	if (j->last_waits)
		abi_wipe(&j->m);
	j->last_waits = false;
	return finish(c);
}

/* The answer to a worker's oldest command. */
static enum vx6_status one_heard(struct control *c, unsigned k,
				 const struct abi_msg *m)
{
	struct control_sent *s = &c->sent[k];
	uint32_t at = s->tail % CONTROL_CMDS;

	if (tell(c, m, true) != VX6_OK)
		return VX6_AGAIN;
	if (m->status != VX6_OK && s->id[at] != 0)
		owners_undo(&c->owners, s->id[at], s->seq[at]);
	c->unanswered--;
	return VX6_OK;
}

static bool answers(struct control *c, unsigned k)
{
	const struct abi_msg *m;
	bool any = false;

	while ((m = queue_peek(&c->w[k]->ans)) != NULL) {
		enum vx6_status st = c->joint.type != 0 ? joint_heard(c, k, m)
							: one_heard(c, k, m);

		if (st != VX6_OK)
			break;
		c->sent[k].tail += is_last(m);
		queue_pop(&c->w[k]->ans);
		any = true;
	}
	return any;
}

static bool events(struct control *c, unsigned k)
{
	const struct abi_msg *m;
	bool any = false;

	while ((m = queue_peek(&c->w[k]->ev)) != NULL) {
		bool heard = c->state == CONTROL_LIVE && c->subscribed;

		if (tell(c, m, heard) != VX6_OK)
			break;
		if (m->type == ABI_HALF_EVENT &&
		    m->u.ref.event == ABI_HALF_EXPIRED)
			owners_end(&c->owners, m->u.ref.id);
		c->events_lost += !heard;
		queue_pop(&c->w[k]->ev);
		any = true;
	}
	return any;
}

static void hear_workers(struct control *c)
{
	for (unsigned k = 0; k < c->workers; k++) {
		uint64_t count;
		bool any;

		while (read(c->w[k]->said_fd, &count, sizeof(count)) > 0)
			;
		if (c->own_waits)
			continue;
		any = answers(c, k);
		if (events(c, k) || any)
			worker_wake(c->w[k]); /* it may have waited for room */
	}
	if (c->in_waits && !c->own_waits)
		take_turn(c);
}

/* ---- all together ---- */

static void greet(struct control *c, uint64_t now)
{
	if (abi_accept(c->listen_fd, &c->client) != VX6_OK) {
		c->client = -1;
		return;
	}
	c->state = CONTROL_GREETING;
	c->greet_by_ns = now + CONTROL_GREET_NS;
}

static void leave(struct control *c)
{
	if (c->unanswered > 0 || !settled(c))
		return;
	free_ring(c);
	c->state = CONTROL_NONE;
}

static void watch(struct control *c, uint64_t now)
{
	for (unsigned k = 0; k < c->workers; k++) {
		const struct worker *w = c->w[k];
		uint64_t beat = atomic_load_explicit(&w->beat,
						     memory_order_relaxed);
		bool blocked = atomic_load_explicit(&w->blocked,
						    memory_order_relaxed);

		if (watch_step(&c->watch[k], beat, blocked, now))
			say_stall(c, k);
	}
}

void control_step(struct control *c, uint64_t now_ns)
{
	if (c->client >= 0)
		send_own(c);
	if (c->client >= 0)
		send_stalls(c);
	hear_workers(c);
	if (c->state == CONTROL_LEAVING)
		leave(c);
	if (c->state == CONTROL_NONE)
		greet(c, now_ns);
	for (unsigned i = 0; i < READ_MOST && may_read(c); i++)
		if (!read_one(c))
			break;
	if (c->state == CONTROL_OFFERED)
		welcome(c);
	if (c->state == CONTROL_GREETING && now_ns >= c->greet_by_ns)
		lose(c, "it did not say HELLO in time");
	if (c->state == CONTROL_LEAVING)
		leave(c);
	watch(c, now_ns);
}

static bool has_to_say(const struct control *c)
{
	for (unsigned k = 0; k < c->workers; k++)
		if (queue_peek(&c->w[k]->ans) != NULL ||
		    queue_peek(&c->w[k]->ev) != NULL)
			return true;
	return c->own_waits || c->stalls != 0 ||
	       (c->state == CONTROL_OFFERED && settled(c));
}

unsigned control_fds(struct control *c, struct pollfd p[CONTROL_FDS])
{
	unsigned n = 0;
	short wanted = 0;

	for (unsigned k = 0; k < c->workers; k++)
		p[n++] = (struct pollfd){ .fd = c->w[k]->said_fd,
					  .events = POLLIN };
	if (c->state == CONTROL_NONE)
		p[n++] = (struct pollfd){ .fd = c->listen_fd,
					  .events = POLLIN };
	if (c->client < 0)
		return n;
	if (may_read(c))
		wanted = POLLIN;
	if (has_to_say(c))
		wanted |= POLLOUT;
	p[n++] = (struct pollfd){ .fd = c->client, .events = wanted };
	return n;
}

int control_timeout_ms(const struct control *c)
{
	for (unsigned k = 0; k < c->workers; k++)
		if (!atomic_load_explicit(&c->w[k]->blocked,
					  memory_order_relaxed))
			return WATCH_MS;
	return WATCH_IDLE_MS;
}

void control_close(struct control *c)
{
	if (c->client >= 0)
		close(c->client);
	c->client = -1;
	free_ring(c);
	owners_close(&c->owners);
	abi_wipe(&c->in);
	abi_wipe(&c->joint.m);
}
