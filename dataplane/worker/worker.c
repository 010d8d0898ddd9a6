/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/worker/exchange.h"

#define PENDING_MS 1 /* the longest wait while the port has frames waiting */

/* ---- eventfds ---- */

static void notify(int fd)
{
	const uint64_t one = 1;
	ssize_t len = write(fd, &one, sizeof(one));

	(void)len; /* EAGAIN: it is as high as it gets, and readable */
}

static void drain(int fd)
{
	uint64_t count;
	ssize_t len = read(fd, &count, sizeof(count));

	(void)len;
}

void worker_wake(struct worker *w)
{
	notify(w->wake_fd);
}

void worker_offer_ring(struct worker *w, struct abi_shm *ring)
{
	atomic_store(&w->ring_offered, ring);
	atomic_fetch_add(&w->ring_asked, 1);
	worker_wake(w);
}

bool worker_ring_settled(struct worker *w)
{
	return atomic_load(&w->ring_done) == atomic_load(&w->ring_asked);
}

/* ---- cells ---- */

static void top_up(struct worker *w)
{
	struct relay *r = w->relay;

	while (r->spare_cnt < RELAY_SPARES) {
		struct net_frame *f = port_take(w->port);

		if (f == NULL)
			return;
		r->spare[r->spare_cnt++] = f;
	}
}

/* Cells of local half-circuits go to vx6d; a full ring loses them. */
static void hand_up(struct worker *w, struct net_frame *const up[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct net_frame *f = up[i];
		struct abi_slot *s = w->ring != NULL
					     ? abi_ring_room(&w->ring->up)
					     : NULL;

		if (s == NULL) {
			w->ring_full++;
			continue;
		}
		s->link = f->link;
		s->circ = vx6_get32(f->data + 4);
		s->size = f->len;
		s->cell_size = 0;
		s->zero = 0;
		memcpy(s->data, f->data, f->len);
		abi_ring_push(&w->ring->up);
		w->up++;
	}
	if (w->ring != NULL && n > 0)
		abi_ring_flush(&w->ring->up);
	port_give(w->port, up, n);
}

/* Every frame that a call of the relay left goes where it belongs. */
static void deliver(struct worker *w)
{
	if (pace_clear(&w->pace, w->port, w->out.tx_cnt))
		port_send(w->port, w->out.tx, w->out.tx_cnt);
	else
		pace_send(&w->pace, w->port, w->relay, w->out.tx, w->out.tx_cnt,
			  w->now);
	if (w->out.up_cnt > 0 && w->opts.index == 0)
		hand_up(w, w->out.up, w->out.up_cnt);
	else if (w->out.up_cnt > 0)
		exchange_up(w, w->out.up, w->out.up_cnt);
	if (vx6_unlikely(w->out.away_cnt > 0))
		exchange_join(w, w->out.away, w->out.away_cnt);
	port_give(w->port, w->out.free, w->out.free_cnt);
}

static unsigned receive(struct worker *w)
{
	struct net_frame *f[NET_BURST];
	unsigned n = port_rx(w->port, f, NET_BURST), ours;

	if (n == 0)
		return 0;
	ours = exchange_sort(w, f, n);
	if (ours > 0) {
		relay_burst(w->relay, f, ours, w->now, &w->out);
		deliver(w);
	}
	return n;
}

/* What the other workers have for us. */
static unsigned take_handed(struct worker *w)
{
	struct exchange_in in;
	unsigned n = 0;

	for (unsigned k = 0; k < w->peers; k++) {
		if (k == w->opts.index)
			continue;
		n += exchange_take(w, k, &in);
		if (in.cell_cnt > 0) {
			relay_burst(w->relay, in.cell, in.cell_cnt, w->now,
				    &w->out);
			deliver(w);
		}
		if (in.join_cnt > 0) {
			relay_join(w->relay, in.join, in.join_cnt, w->now,
				   &w->out);
			if (vx6_unlikely(w->out.free_cnt > 0))
				exchange_parted(w, k, w->out.free,
						w->out.free_cnt);
			deliver(w);
		}
		if (in.up_cnt > 0)
			hand_up(w, in.up, in.up_cnt);
	}
	return n;
}

/* One slot from vx6d into a frame; false: it is not worth sending. */
static bool take_slot(struct worker *w, struct net_frame *f,
		      struct relay_down *d)
{
	const struct abi_slot *from = abi_ring_peek(&w->ring->down);
	enum vx6_status st = abi_slot_read(&w->slot, from);

	abi_ring_pop(&w->ring->down);
	if (st != VX6_OK) {
		w->refused_down++;
		return false;
	}
	memcpy(f->data, w->slot.data, w->slot.size);
	f->len = w->slot.size;
	*d = (struct relay_down){ f, w->slot.link, w->slot.circ,
				  w->slot.cell_size };
	return true;
}

static unsigned take_down(struct worker *w)
{
	struct relay_down d[RELAY_BURST];
	unsigned n = 0, seen = 0;

	if (w->ring == NULL)
		return 0;
	while (seen < RELAY_BURST && abi_ring_peek(&w->ring->down) != NULL) {
		struct net_frame *f = port_take(w->port);

		if (f == NULL)
			break; /* they wait in the ring */
		seen++;
		if (take_slot(w, f, &d[n]))
			n++;
		else
			port_give(w->port, &f, 1);
	}
	if (n > 0) {
		relay_down(w->relay, d, n, w->now, &w->out);
		deliver(w);
	}
	return seen;
}

/* Timers wait for the frames that have arrived, so that an answer which is
 * here is not taken for missing; but not for ever. */
static bool timers(struct worker *w, unsigned received)
{
	if (w->now < relay_due(w->relay)) {
		w->late_since = VX6_NEVER;
		return false;
	}
	if (w->late_since == VX6_NEVER)
		w->late_since = w->now;
	if (received == NET_BURST && w->now < w->late_since + WORKER_LATE_NS)
		return false;
	relay_tick(w->relay, w->now, &w->out);
	deliver(w);
	return true;
}

/* ---- commands ---- */

static void count_all(struct worker *w, struct abi_stats *s)
{
	const struct port *p = w->port;

	*s = w->relay->n;
	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		s->drop[i] += p->drop[i];
	s->drop[VX6_NO_ROOM] += w->ring_full;
	s->drop[VX6_MALFORMED] += w->refused_down;
	s->drop[VX6_HANDED_OFF] += w->hand_full;
	s->handed = w->handed;
	s->up = w->up;
	s->ring_full = w->ring_full;
	s->busy_ns = w->busy_ns;
	s->spin_ns = w->spin_ns;
	s->blocked_ns = w->blocked_ns;
	s->longest_ns = w->longest_ns;
	s->rx_most = p->rx_most;
	s->backend = s->asked =
		ABI_BACKEND_UDP; /* the control thread knows better */
	s->rx_xsk = p->rx_xsk;
	s->tx_xsk = p->tx_xsk;
	s->rx_sock = p->rx_frames - p->rx_xsk;
	s->tx_sock = p->tx_frames - p->tx_xsk;
	s->links = w->relay->links; /* all workers know all */
	s->halves = w->relay->halves;
}

static enum vx6_status inject(struct worker *w, const struct abi_control *c)
{
	enum vx6_status st;

	top_up(w);
	st = relay_inject(w->relay, c, w->now, &w->out);
	deliver(w);
	return st;
}

static enum vx6_status set_limits(struct worker *w, const struct abi_limits *l)
{
	if (!w->pace.open)
		return VX6_UNSUPPORTED;
	fair_limit(&w->pace.fair, l);
	return VX6_OK;
}

/* The control thread writes into `zero` who has the other half, plus 1. */
static enum vx6_status splice(struct relay *r, const struct abi_msg *m)
{
	const struct abi_splice *s = &m->u.splice;

	if (m->zero != 0)
		return relay_splice_across(r, s->id, s->to, m->zero - 1u);
	return relay_splice(r, s->id, s->to);
}

static enum vx6_status execute(struct worker *w, const struct abi_msg *m)
{
	struct relay *r = w->relay;

	switch ((enum abi_type)m->type) {
	case ABI_LINK_ADD: return relay_link_add(r, &m->u.link, w->now);
	case ABI_LINK_CHANGE: return relay_link_change(r, &m->u.link, w->now);
	case ABI_LINK_REMOVE: return relay_link_remove(r, m->u.ref.index);
	case ABI_HALF_ADD: return relay_half_add(r, &m->u.half, w->now);
	case ABI_HALF_REMOVE: return relay_half_remove(r, m->u.ref.id);
	case ABI_INJECT: return inject(w, &m->u.control);
	case ABI_SPLICE: return splice(r, m);
	case ABI_UNSPLICE: return relay_unsplice(r, m->u.splice.id);
	case ABI_LIMITS: return set_limits(w, &m->u.limits);
	case ABI_HELLO:
	case ABI_DUMP:
	case ABI_SUBSCRIBE:
	case ABI_STATS:
	case ABI_BUDGET:
	case ABI_WELCOME:
	case ABI_DONE:
	case ABI_LINK_IS:
	case ABI_HALF_IS:
	case ABI_DUMP_END:
	case ABI_STATS_ARE:
	case ABI_BUDGET_IS:
	case ABI_WORKER_IS:
	case ABI_CONTROL:
	case ABI_LINK_EVENT:
	case ABI_HALF_EVENT:
	case ABI_STALL: break;
	}
	return VX6_BAD_KIND;
}

static void answer(struct worker *w, const struct abi_msg *m, struct abi_msg *a)
{
	a->version = ABI_VERSION;
	a->seq = m->seq;
	if (m->type == ABI_STATS) {
		a->type = ABI_STATS_ARE;
		count_all(w, &a->u.stats);
	} else if (m->type == ABI_BUDGET) {
		a->type = ABI_BUDGET_IS;
		pace_count(&w->pace, w->relay, &a->u.budget);
	} else {
		a->type = ABI_DONE;
		a->status = (uint32_t)execute(w, m);
	}
}

/* A command is taken only when there is room for its answer, and none
 * behind a dump that is under way. */
static unsigned commands(struct worker *w)
{
	unsigned n = 0;

	while (n < WORKER_CMDS && w->dump_seq == 0) {
		const struct abi_msg *m = queue_peek(&w->cmd);
		struct abi_msg *a;

		if (m == NULL)
			break;
		n++;
		if (m->type == ABI_DUMP) {
			w->dump_seq = m->seq;
			w->dump_cursor = 0;
			queue_pop(&w->cmd);
			break;
		}
		a = queue_room(&w->ans);
		if (a == NULL)
			break;
		answer(w, m, a);
		queue_push(&w->ans);
		queue_pop(&w->cmd);
		w->said = true;
	}
	return n;
}

static unsigned dump(struct worker *w)
{
	for (unsigned n = 0; n < WORKER_DUMP; n++) {
		struct abi_msg *a = queue_room(&w->ans);
		bool more;

		if (a == NULL)
			return n;
		more = relay_dump(w->relay, w->now, &w->dump_cursor, a);
		a->seq = w->dump_seq;
		if (!more) {
			a->version = ABI_VERSION;
			a->type = ABI_DUMP_END;
			w->dump_seq = 0;
		}
		if (a->type == 0)
			return n + 1; /* nothing to say yet */
		queue_push(&w->ans);
		w->said = true;
		if (!more)
			return n + 1;
	}
	return WORKER_DUMP;
}

static void events(struct worker *w)
{
	const struct abi_msg *m;

	while ((m = relay_event(w->relay)) != NULL) {
		struct abi_msg *to = queue_room(&w->ev);

		if (to == NULL)
			return;
		*to = *m;
		relay_event_done(w->relay);
		queue_push(&w->ev);
		w->said = true;
	}
}

/* A ring that comes or goes; a dump for the client before ends here.  The
 * offer's number is read before the offer: a newer offer under an older
 * number is only looked at twice. */
static bool change_ring(struct worker *w)
{
	uint32_t asked = atomic_load_explicit(&w->ring_asked,
					      memory_order_acquire);

	if (vx6_likely(asked == atomic_load_explicit(&w->ring_done,
						     memory_order_relaxed)))
		return false;
	w->ring = atomic_load(&w->ring_offered);
	w->dump_cursor = UINT64_MAX / 2;
	atomic_store(&w->ring_done, asked);
	w->said = true;
	return true;
}

/* ---- the loop ---- */

bool worker_turn(struct worker *w, uint64_t now_ns)
{
	unsigned received, work = 0;

	w->now = now_ns;
	work += change_ring(w);
	top_up(w);
	received = receive(w);
	work += received;
	work += take_handed(w);
	work += take_down(w);
	work += timers(w, received);
	work += pace_step(&w->pace, w->port, w->relay, now_ns);
	work += commands(w);
	if (w->dump_seq != 0)
		work += dump(w);
	exchange_news(w);
	events(w);
	if (w->said)
		notify(w->said_fd);
	w->said = false;
	return work > 0;
}

static int timeout_ms(uint64_t due, uint64_t now)
{
	uint64_t ms;

	if (due == VX6_NEVER)
		return -1;
	if (due <= now)
		return 0;
	ms = (due - now + VX6_MS - 1) / VX6_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

static uint64_t due(const struct worker *w)
{
	uint64_t cells = pace_due(&w->pace, w->port, w->now);
	uint64_t timer = relay_due(w->relay);

	return cells < timer ? cells : timer;
}

/* The one wait.  Whatever came meanwhile ends it at once: the ring is
 * looked at after `sleeping` is set, and an eventfd stays readable. */
static void block(struct worker *w)
{
	struct pollfd p[PORT_FDS + 2];
	int fd[PORT_FDS], wait_ms;
	unsigned n = port_fds(w->port, fd);

	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = w->wake_fd, .events = POLLIN };
	if (!exchange_sleep(w))
		return;
	if (w->ring != NULL) {
		if (!abi_ring_sleep(&w->ring->down)) {
			exchange_awake(w);
			return;
		}
		p[n++] = (struct pollfd){ .fd = w->ring->down.wake_fd,
					  .events = POLLIN };
	}
	atomic_store_explicit(&w->blocked, true, memory_order_relaxed);
	wait_ms = timeout_ms(due(w), w->now);
	if (w->port->pending && (wait_ms < 0 || wait_ms > PENDING_MS))
		wait_ms = timeout_ms(relay_due(w->relay), w->now);
	if ((w->port->pending || w->news_wait) &&
	    (wait_ms < 0 || wait_ms > PENDING_MS))
		wait_ms = PENDING_MS;
	(void)poll(p, n, wait_ms);
	atomic_store_explicit(&w->blocked, false, memory_order_relaxed);
	exchange_awake(w);
	if (w->ring != NULL)
		abi_ring_awake(&w->ring->down);
	drain(w->wake_fd);
}

static void *loop(void *arg)
{
	struct worker *w = arg;
	uint64_t now = vx6_now_ns();

	w->idle_since = now;
	while (!atomic_load_explicit(&w->stop, memory_order_acquire)) {
		bool work = worker_turn(w, now);
		uint64_t then = vx6_now_ns();

		*(work ? &w->busy_ns : &w->spin_ns) += then - now;
		if (vx6_unlikely(then - now > w->longest_ns))
			w->longest_ns = then - now;
		now = then;
		atomic_fetch_add_explicit(&w->beat, 1, memory_order_relaxed);
		if (work)
			w->idle_since = now;
		if (w->opts.spin || now - w->idle_since < WORKER_SPIN_NS)
			continue;
		w->now = now;
		block(w);
		then = vx6_now_ns();
		w->blocked_ns += then - now;
		now = then;
	}
	return NULL;
}

/* ---- start, stop ---- */

enum vx6_status worker_init(struct worker *w, const struct worker_opts *opts,
			    struct port *port, struct relay *relay)
{
	memset(w, 0, sizeof(*w));
	w->opts = *opts;
	w->port = port;
	w->relay = relay;
	w->late_since = VX6_NEVER;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->said_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake_fd >= 0 && w->said_fd >= 0)
		return VX6_OK;
	worker_free(w);
	return VX6_SYS;
}

void worker_meet(struct worker *const all[], unsigned n, struct hand hand[])
{
	for (unsigned k = 0; k < n; k++) {
		all[k]->peers = n;
		for (unsigned i = 0; i < n; i++) {
			all[k]->peer[i] = all[i];
			all[k]->to[i] = &hand[k * n + i];
			all[k]->from[i] = &hand[i * n + k];
		}
	}
}

static int pin(pthread_attr_t *attr, int cpu)
{
	cpu_set_t set;

	if (cpu == WORKER_ANY_CPU)
		return 0;
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return EINVAL;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

void worker_hasten(void)
{
	struct sched_attr a;

	if (sched_getattr(0, &a, sizeof(a), 0) != 0 ||
	    a.sched_policy != SCHED_OTHER)
		return;
	a.sched_runtime = WORKER_SLICE_NS;
	(void)sched_setattr(0, &a, 0); /* refused: as it was */
}

void worker_limit(struct worker *w, struct fair_budget *budget, void *mem)
{
	pace_open(&w->pace, w->relay, w->port, budget, mem);
}

enum vx6_status worker_start(struct worker *w)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err == 0) {
		err = pin(&attr, w->opts.cpu);
		if (err == 0)
			err = pthread_create(&w->thread, &attr, loop, w);
		pthread_attr_destroy(&attr);
	}
	w->running = err == 0;
	errno = err;
	return err == 0 ? VX6_OK : VX6_SYS;
}

void worker_stop(struct worker *w)
{
	if (!w->running)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	w->running = false;
}

void worker_free(struct worker *w)
{
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->said_fd >= 0)
		close(w->said_fd);
	w->wake_fd = w->said_fd = -1;
	if (w->port != NULL && w->relay != NULL) {
		port_give(w->port, w->relay->spare, w->relay->spare_cnt);
		w->relay->spare_cnt = 0;
		pace_close(&w->pace, w->port);
	}
}

/* ---- watchdog ---- */

bool watch_step(struct watch *w, uint64_t beat, bool blocked, uint64_t now_ns)
{
	uint64_t gone = now_ns - w->last_ns;

	w->last_ns = now_ns;
	if (blocked || beat != w->beat) {
		w->beat = beat;
		w->stalled_ns = 0;
		w->said = false;
		return false;
	}
	if (gone > WORKER_STALL_NS / 2)
		gone = WORKER_STALL_NS / 2;
	w->stalled_ns += gone;
	if (w->said || w->stalled_ns < WORKER_STALL_NS)
		return false;
	w->said = true;
	w->stalls++;
	return true;
}
