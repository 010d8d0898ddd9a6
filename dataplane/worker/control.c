/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/clock.h"

#define WATCH_MS      ((int)(WORKER_STALL_NS / VX6_MS / 2))
#define WATCH_IDLE_MS 1000
#define READ_MOST     16u /* messages of a client in one step */

_Static_assert(CONTROL_CMDS < QUEUE_SLOTS, "a command always has room");

void control_init(struct control *c, int listen_fd, struct worker *w,
		  const struct abi_welcome *welcome, struct log *log)
{
	memset(c, 0, sizeof(*c));
	c->w = w;
	c->log = log;
	c->welcome = *welcome;
	c->listen_fd = listen_fd;
	c->client = -1;
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		c->shm_fd[i] = -1;
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
	abi_wipe(&c->own);
	worker_offer_ring(c->w, NULL);
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

static void say_stall(struct control *c)
{
	char ms[LOG_NUM];

	log_say(c->log, LOG_ERROR, "worker", "stall", "ms",
		log_num(ms, c->watch.stalled_ns / VX6_MS), LOG_END);
	if (c->state != CONTROL_LIVE || !c->subscribed || c->own_waits)
		return;
	c->own = (struct abi_msg){
		.version = ABI_VERSION,
		.type = ABI_STALL,
		.u.ref.index = c->w->opts.index,
		.u.ref.stalled_ns = c->watch.stalled_ns,
	};
	c->own_waits = true;
	send_own(c);
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
	worker_offer_ring(c->w, &c->shm);
}

static void welcome(struct control *c)
{
	struct abi_msg m = { .version = ABI_VERSION,
			     .type = ABI_WELCOME,
			     .seq = c->hello_seq,
			     .u.welcome = c->welcome };
	enum vx6_status st;

	if (!worker_ring_settled(c->w))
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

/* One good message in a slot of the queue; false: it is not for the worker
 * and the slot is free again. */
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
	struct abi_msg *slot = queue_room(&c->w->cmd);
	enum vx6_status st;

	if (slot == NULL)
		return false;
	st = abi_recv(c->client, slot, NULL, 0);
	if (st == VX6_AGAIN)
		return false;
	if (st != VX6_OK) {
		abi_wipe(slot);
		lose(c, vx6_status_text(st));
		return false;
	}
	st = abi_check(slot, true);
	if (st != VX6_OK) {
		refuse(c, slot, st);
		abi_wipe(slot);
	} else if (take(c, slot)) {
		queue_push(&c->w->cmd);
		c->unanswered++;
		worker_wake(c->w);
	} else {
		abi_wipe(slot);
	}
	return c->client >= 0;
}

static bool may_read(const struct control *c)
{
	return (c->state == CONTROL_GREETING || c->state == CONTROL_LIVE) &&
	       !c->own_waits && c->unanswered < CONTROL_CMDS;
}

/* ---- what the worker says ---- */

static bool is_last(const struct abi_msg *m)
{
	return m->type != ABI_LINK_IS && m->type != ABI_HALF_IS;
}

static enum vx6_status send_on(struct control *c, const struct abi_msg *m)
{
	struct abi_msg more;

	if (m->type != ABI_STATS_ARE || c->about == NULL)
		return abi_send(c->client, m, NULL, 0);
	more = *m;
	c->about(c->about_ctx, &more);
	return abi_send(c->client, &more, NULL, 0);
}

/* Sends what waits in q, or throws it away where nobody is to have it.
 * True: something was taken off. */
static bool pass_on(struct control *c, struct queue *q, bool answers)
{
	const struct abi_msg *m;
	bool any = false;

	while ((m = queue_peek(q)) != NULL) {
		bool heard = c->state == CONTROL_LIVE &&
			     (answers || c->subscribed);

		if (heard) {
			enum vx6_status st = send_on(c, m);

			if (st != VX6_OK && send_later(c, st))
				break;
		}
		if (answers && is_last(m))
			c->unanswered--;
		c->events_lost += !answers && !heard;
		queue_pop(q);
		any = true;
	}
	return any;
}

static void hear_worker(struct control *c)
{
	uint64_t count;
	bool any;

	while (read(c->w->said_fd, &count, sizeof(count)) > 0)
		;
	if (c->own_waits)
		return;
	any = pass_on(c, &c->w->ans, true);
	if (pass_on(c, &c->w->ev, false) || any)
		worker_wake(c->w); /* it may have waited for room */
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
	if (c->unanswered > 0 || !worker_ring_settled(c->w))
		return;
	free_ring(c);
	c->state = CONTROL_NONE;
}

static void watch(struct control *c, uint64_t now)
{
	uint64_t beat = atomic_load_explicit(&c->w->beat, memory_order_relaxed);
	bool blocked = atomic_load_explicit(&c->w->blocked,
					    memory_order_relaxed);

	if (watch_step(&c->watch, beat, blocked, now))
		say_stall(c);
}

void control_step(struct control *c, uint64_t now_ns)
{
	if (c->client >= 0)
		send_own(c);
	hear_worker(c);
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

static bool has_to_say(struct control *c)
{
	return c->own_waits || queue_peek(&c->w->ans) != NULL ||
	       queue_peek(&c->w->ev) != NULL ||
	       (c->state == CONTROL_OFFERED && worker_ring_settled(c->w));
}

unsigned control_fds(struct control *c, struct pollfd p[CONTROL_FDS])
{
	unsigned n = 0;
	short wanted = 0;

	p[n++] = (struct pollfd){ .fd = c->w->said_fd, .events = POLLIN };
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
	bool blocked = atomic_load_explicit(&c->w->blocked,
					    memory_order_relaxed);

	return blocked ? WATCH_IDLE_MS : WATCH_MS;
}

void control_close(struct control *c)
{
	if (c->client >= 0)
		close(c->client);
	c->client = -1;
	free_ring(c);
}
