/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker's side: no allocation, lock or log, and no system call but
 * those of the drivers, of the tap interface and of the kernel's socket. */
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/dgram.h"
#include "dataplane/port/dpdk/own.h"
#include "dataplane/port/head.h"
#include "dataplane/port/packet.h"

#define ASIDE_EVERY 16u /* calls of rx, then socket and taps are read */
#define ASIDE_MOST  16u /* packets of a tap at once */
#define POOL_LOW    256u
#define POOL_HIGH   1024u
#define POOL_USUAL  512u
#define UNIT        ((size_t)VX6_CACHELINE)
#define HOLD        (8u * NET_BURST) /* that a full device did not take */
#define FRAMES_MAX  (1u << 20)

struct locals { /* addresses that cells may be sent to; none: any */
	unsigned cnt;
	struct vx6_addr at[DPDK_LOCALS];
};

struct dpdk {
	struct port port; /* first, so that either pointer is the other */
	struct dgram d;
	struct neigh *neigh;
	struct rte_mempool *mbufs;
	struct head *head; /* by link, mapped, touched as used */
	size_t head_len;
	uint32_t links;
	uint16_t queue;
	bool counted; /* among the node's ports */
	/* the control thread writes the set that is not in use, and no more
	 * before the worker has seen the last */
	struct locals local[2];
	_Atomic uint32_t told, seen;
	bool news; /* addresses that could not be told yet */
	/* the worker's */
	unsigned calls;
	bool read_aside;
	unsigned next;
	struct net_frame *rest[NET_BURST];
	struct rte_mbuf *out[DPDK_DEVICES][HOLD]; /* in order, oldest first */
	unsigned out_cnt[DPDK_DEVICES];
	_Atomic uint64_t passed;
};

static struct dpdk *dpdk_of(struct port *p)
{
	return (struct dpdk *)p;
}

static const struct dpdk *dpdk_const(const struct port *p)
{
	return (const struct dpdk *)p;
}

/* ---- frames ---- */

static struct net_frame *frame_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static struct rte_mbuf *mbuf_of(struct net_frame *f)
{
	return (struct rte_mbuf *)(void *)f - 1;
}

static void give_one(struct dpdk *a, struct net_frame *f)
{
	port_give(&a->port, &f, 1);
}

static void drop(struct dpdk *a, struct net_frame *f, enum vx6_status why)
{
	a->port.drop[why]++;
	give_one(a, f);
}

/* The port's pool is what the worker has at hand; drivers live on DPDK's. */
static void pool_move(struct dpdk *a, uint32_t down_to, uint32_t up_to)
{
	struct port *p = &a->port;
	void *m[NET_BURST];

	while (p->pool_cnt > down_to) {
		unsigned n = 0;

		while (n < NET_BURST && p->pool_cnt > down_to)
			m[n++] = mbuf_of(p->pool[--p->pool_cnt]);
		rte_mempool_put_bulk(a->mbufs, m, n);
	}
	while (p->pool_cnt + NET_BURST <= up_to &&
	       rte_mempool_get_bulk(a->mbufs, m, NET_BURST) == 0)
		for (unsigned i = 0; i < NET_BURST; i++)
			p->pool[p->pool_cnt++] = frame_of(m[i]);
}

static void balance(struct dpdk *a)
{
	if (vx6_unlikely(a->port.pool_cnt > POOL_HIGH))
		pool_move(a, POOL_USUAL, 0);
	else if (vx6_unlikely(a->port.pool_cnt < POOL_LOW))
		pool_move(a, UINT32_MAX, POOL_USUAL);
}

static bool works(const struct device *d)
{
	return atomic_load_explicit(&d->started, memory_order_acquire);
}

/* ---- receive ---- */

static bool is_local(const struct dpdk *a, const struct vx6_addr *to)
{
	uint32_t set = atomic_load_explicit(&a->seen, memory_order_relaxed);
	const struct locals *l = &a->local[set & 1u];

	for (unsigned i = 0; i < l->cnt; i++)
		if (memcmp(l->at[i].ip, to->ip, sizeof(to->ip)) == 0)
			return true;
	return false;
}

/* What is no cell of ours is the kernel's, which may have it already. */
static void pass(struct dpdk *a, const struct device *d, struct rte_mbuf *m)
{
	atomic_store_explicit(
		&a->passed,
		atomic_load_explicit(&a->passed, memory_order_relaxed) + 1,
		memory_order_relaxed);
	if (d->tap_fd >= 0) {
		ssize_t len = write(d->tap_fd, rte_pktmbuf_mtod(m, void *),
				    m->data_len);

		(void)len; /* down, or full: lost, as on any wire */
	}
	give_one(a, frame_of(m));
}

/* What a packet is, as a frame; NULL: refused and counted, or passed. */
static struct net_frame *read_one(struct dpdk *a, const struct device *d,
				  struct rte_mbuf *m)
{
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	struct net_frame *f = frame_of(m);
	struct packet p;
	enum vx6_status st;

	if (vx6_unlikely(m->nb_segs != 1)) { /* no cell is so long */
		a->port.drop[VX6_BAD_SIZE]++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	st = packet_read(&p, at, m->data_len);
	if (vx6_unlikely(st == VX6_TRUNCATED)) {
		drop(a, f, st);
		return NULL;
	}
	if (vx6_unlikely(st != VX6_OK || p.to.port != a->port.at.port ||
			 memcmp(at, d->mac, sizeof(d->mac)) != 0 ||
			 !is_local(a, &p.to))) {
		pass(a, d, m);
		return NULL;
	}
	if (vx6_unlikely(p.len > NET_FRAME_CAP)) {
		drop(a, f, VX6_BAD_SIZE);
		return NULL;
	}
	f->data = at + p.at;
	f->len = p.len;
	f->sum = 0;
	f->peer = p.from;
	f->self = p.to;
	f->link = 0;
	return f;
}

static unsigned rx_device(struct dpdk *a, const struct device *d,
			  struct net_frame *f[], unsigned n)
{
	struct rte_mbuf *m[NET_BURST];
	unsigned got = 0, came;

	if (!works(d))
		return 0;
	came = rte_eth_rx_burst(d->id, a->queue, m, (uint16_t)n);
	for (unsigned i = 0; i < came; i++)
		vx6_prefetch(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < came; i++) {
		f[got] = read_one(a, d, m[i]);
		if (vx6_likely(f[got] != NULL))
			a->port.rx_bytes += f[got++]->len;
	}
	a->port.rx_frames += got;
	a->port.rx_xsk += got;
	return got;
}

/* Makes len bytes at `at`, which lie in the buffer of f, its packet. */
static struct rte_mbuf *packet_of(struct net_frame *f, const uint8_t *at,
				  uint32_t len)
{
	struct rte_mbuf *m = mbuf_of(f);

	m->data_off = (uint16_t)(at - (const uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->ol_flags = 0;
	return m;
}

/* What the kernel sends by a tap leaves by its device. */
static void read_tap(struct dpdk *a, const struct device *d)
{
	for (unsigned i = 0; i < ASIDE_MOST; i++) {
		struct net_frame *f = port_take(&a->port);
		struct rte_mbuf *m;
		uint8_t *at;
		ssize_t len;

		if (f == NULL)
			return;
		at = mbuf_of(f)->buf_addr;
		at += RTE_PKTMBUF_HEADROOM;
		len = read(d->tap_fd, at, DPDK_BUF - RTE_PKTMBUF_HEADROOM);
		m = len > 0 ? packet_of(f, at, (uint32_t)len) : NULL;
		if (m == NULL || rte_eth_tx_burst(d->id, a->queue, &m, 1) == 0)
			give_one(a, f);
		if (m == NULL)
			return;
	}
}

static unsigned rx_aside(struct dpdk *a, struct net_frame *f[], unsigned n)
{
	a->calls = 0;
	a->read_aside = false;
	for (unsigned i = 0; i < dpdk_node.device_cnt && a->queue == 0; i++)
		if (dpdk_node.device[i].tap_fd >= 0 &&
		    works(&dpdk_node.device[i]))
			read_tap(a, &dpdk_node.device[i]);
	return dgram_rx(&a->d, f, n);
}

static void hear(struct dpdk *a)
{
	uint32_t told = atomic_load_explicit(&a->told, memory_order_acquire);

	if (vx6_unlikely(told !=
			 atomic_load_explicit(&a->seen, memory_order_relaxed)))
		atomic_store_explicit(&a->seen, told, memory_order_release);
}

static void send_held(struct dpdk *a);

static unsigned dpdk_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct dpdk *a = dpdk_of(p);
	unsigned got = 0;

	hear(a);
	balance(a);
	for (unsigned i = 0; i < dpdk_node.device_cnt && got < n; i++) {
		const struct device *d = &dpdk_node.device[a->next];

		a->next = a->next + 1 < dpdk_node.device_cnt ? a->next + 1 : 0;
		got += rx_device(a, d, f + got, n - got);
	}
	if (got < n && (a->read_aside || ++a->calls >= ASIDE_EVERY))
		got += rx_aside(a, f + got, n - got);
	send_held(a);
	return got;
}

/* ---- send ---- */

/* The headers of a frame's way; NULL: it has none, the socket sends it. */
static const struct head *head_of(struct dpdk *a, const struct net_frame *f)
{
	struct neigh_way way;

	if (f->link == 0 || f->link >= a->links ||
	    !neigh_find(a->neigh, f->link, &f->peer, &f->self, &way))
		return NULL;
	if (way.renew || way.slot >= dpdk_node.device_cnt ||
	    !works(&dpdk_node.device[way.slot]))
		return NULL;
	return head_fit(&a->head[f->link], &way, a->port.at.port);
}

/* What a device does not take stays, in order, and is offered again. */
static void send_all(struct dpdk *a, unsigned k)
{
	struct rte_mbuf **out = a->out[k];
	unsigned n = a->out_cnt[k], sent;
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += frame_of(out[i])->len;
	sent = rte_eth_tx_burst(dpdk_node.device[k].id, a->queue, out,
				(uint16_t)n);
	a->out_cnt[k] = n - sent;
	for (unsigned i = sent; i < n; i++) {
		len -= frame_of(out[i])->len;
		out[i - sent] = out[i];
	}
	a->port.tx_frames += sent;
	a->port.tx_bytes += len;
	a->port.tx_xsk += sent;
}

static void send_one(struct dpdk *a, const struct head *h, struct net_frame *f)
{
	unsigned k = h->way.slot;

	if (vx6_unlikely(f->len + h->head.ip_len > h->way.mtu)) {
		drop(a, f, VX6_BAD_SIZE);
		return;
	}
	if (vx6_unlikely(a->out_cnt[k] == HOLD)) {
		drop(a, f, VX6_AGAIN);
		return;
	}
	assert(f->data - h->head.len >= (uint8_t *)mbuf_of(f)->buf_addr);
	packet_write(&h->head, f->data, f->len, f->sum);
	a->out[k][a->out_cnt[k]++] = packet_of(f, f->data - h->head.len,
					       (uint32_t)h->head.len + f->len);
}

/* Few drivers can say how full a queue is, and all of them say what they do
 * not take.  The fullest device speaks for all. */
static void send_held(struct dpdk *a)
{
	uint32_t room = PORT_ROOM;

	for (unsigned k = 0; k < dpdk_node.device_cnt; k++) {
		if (a->out_cnt[k] > 0)
			send_all(a, k);
		if (vx6_unlikely(a->out_cnt[k] > 0) &&
		    HOLD - a->out_cnt[k] < room)
			room = HOLD - a->out_cnt[k];
	}
	a->port.tx_room = room;
}

static void dpdk_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct dpdk *a = dpdk_of(p);
	const struct head *h = NULL;
	uint32_t last = 0;
	unsigned rest = 0;

	assert(n <= NET_BURST);
	for (unsigned i = 0; i < n; i++) {
		if (f[i]->link != last || last == 0) {
			h = head_of(a, f[i]);
			last = f[i]->link;
		}
		if (h == NULL) {
			a->rest[rest++] = f[i];
			last = 0; /* the next frame may have a way */
		} else {
			send_one(a, h, f[i]);
		}
	}
	send_held(a);
	if (rest > 0)
		dgram_tx(&a->d, a->rest, rest);
}

/* ---- the rest of the port's table ---- */

static unsigned dpdk_poll_fds(struct port *p, int fd[PORT_FDS])
{
	struct dpdk *a = dpdk_of(p);
	unsigned n = 0;

	a->read_aside = true;
	p->pending = true; /* no driver wakes anybody */
	fd[n++] = a->d.sock.fd;
	for (unsigned i = 0; i < dpdk_node.device_cnt && a->queue == 0; i++)
		if (dpdk_node.device[i].tap_fd >= 0)
			fd[n++] = dpdk_node.device[i].tap_fd;
	return n;
}

static void dpdk_close(struct port *p)
{
	struct dpdk *a = dpdk_of(p);

	if (a->counted)
		dpdk_node_stop();
	for (unsigned i = 0; i < DGRAM_MSGS; i++)
		if (a->d.posted[i] != NULL)
			give_one(a, a->d.posted[i]);
	for (unsigned k = 0; k < DPDK_DEVICES; k++)
		for (unsigned i = 0; i < a->out_cnt[k]; i++)
			give_one(a, frame_of(a->out[k][i]));
	dgram_close(&a->d);
	neigh_close(a->neigh);
	if (a->mbufs != NULL)
		pool_move(a, 0, 0);
	if (a->counted)
		dpdk_node_drop();
	if (a->head != NULL)
		munmap(a->head, a->head_len);
	free((void *)p->pool);
	free(a);
}

static const struct port_ops dpdk_ops = {
	.name = "dpdk",
	.rx = dpdk_rx,
	.tx = dpdk_tx,
	.fds = dpdk_poll_fds,
	.close = dpdk_close,
};

/* ---- the control thread's ---- */

static unsigned dpdk_fds(const struct port *p, int fd[DPDK_FDS])
{
	return neigh_fds(dpdk_const(p)->neigh, fd);
}

/* Tells the worker this host's addresses; false: it has not seen the last. */
static bool tell_locals(struct dpdk *a)
{
	uint32_t told = atomic_load_explicit(&a->told, memory_order_relaxed);
	struct locals *l = &a->local[(told + 1u) & 1u];
	static const uint8_t any[16];

	if (atomic_load_explicit(&a->seen, memory_order_acquire) != told)
		return false;
	l->cnt = neigh_addrs(a->neigh, l->at, DPDK_LOCALS);
	if (l->cnt > DPDK_LOCALS)
		l->cnt = DPDK_LOCALS;
	if (memcmp(a->port.at.ip, any, sizeof(any)) != 0) {
		l->at[0] = a->port.at;
		l->cnt = 1;
	}
	atomic_store_explicit(&a->told, told + 1u, memory_order_release);
	return true;
}

static void dpdk_step(struct port *p, uint64_t now_ns)
{
	struct dpdk *a = dpdk_of(p);

	neigh_step(a->neigh, now_ns);
	if ((neigh_events(a->neigh) & NEIGH_EV_ADDRS) != 0)
		a->news = true;
	if (a->news)
		a->news = !tell_locals(a);
}

static uint64_t dpdk_due_ns(const struct port *p)
{
	const struct dpdk *a = dpdk_const(p);
	uint64_t due = neigh_due_ns(a->neigh), soon;

	if (!a->news)
		return due;
	soon = vx6_now_ns() + VX6_MS;
	return soon < due ? soon : due;
}

static void dpdk_describe(const struct port *p, struct dpdk_state *s)
{
	memset(s, 0, sizeof(*s));
	s->passed = atomic_load_explicit(&dpdk_const(p)->passed,
					 memory_order_relaxed);
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++) {
		const struct device *d = &dpdk_node.device[i];
		struct dpdk_device *to = &s->device[s->device_cnt++];
		struct rte_eth_stats n;

		memcpy(to->name, d->label, sizeof(to->name));
		to->mtu = d->mtu;
		to->queues = d->ready;
		if (rte_eth_stats_get(d->id, &n) != 0)
			continue;
		s->missed += n.imissed + n.rx_nombuf;
		s->rx_errs += n.ierrors;
		s->tx_errs += n.oerrors;
	}
}

static uint32_t dpdk_away(const struct port *p)
{
	const struct dpdk *a;
	uint32_t n;

	if (p == NULL)
		return dpdk_node.away;
	a = dpdk_const(p);
	n = p->frame_cnt - p->pool_cnt - rte_mempool_avail_count(a->mbufs);
	for (unsigned i = 0; i < DGRAM_MSGS; i++)
		n -= a->d.posted[i] != NULL;
	return n;
}

/* ---- open ---- */

struct span {
	uintptr_t least, most;
};

static void measure(struct rte_mempool *pool, void *ctx, void *obj, unsigned i)
{
	struct span *s = ctx;
	uintptr_t at = (uintptr_t)((struct rte_mbuf *)obj)->buf_addr;

	(void)pool;
	(void)i;
	if (at < s->least)
		s->least = at;
	if (at > s->most)
		s->most = at;
}

static void number(struct rte_mempool *pool, void *ctx, void *obj, unsigned i)
{
	const struct span *s = ctx;
	struct rte_mbuf *m = obj;

	(void)pool;
	(void)i;
	*frame_of(m) = (struct net_frame){
		.index = (uint32_t)(((uintptr_t)m->buf_addr - s->least) / UNIT),
	};
}

static enum vx6_status init_memory(struct dpdk *a, const struct dpdk_opts *o,
				   uint32_t frames, char *why)
{
	struct span s = { UINTPTR_MAX, 0 };
	enum vx6_status st = dpdk_node_pool(&a->mbufs, o, frames, why);

	if (st != VX6_OK)
		return st;
	rte_mempool_obj_iter(a->mbufs, measure, &s);
	if ((s.most - s.least) / UNIT > UINT32_MAX)
		return VX6_NO_MEMORY;
	rte_mempool_obj_iter(a->mbufs, number, &s);
	a->port.mem = (uint8_t *)s.least; /* NOLINT: DPDK's own */
	a->port.unit = UNIT;
	a->port.frame_cnt = frames;
	a->port.pool = (struct net_frame **)calloc(frames, sizeof(void *));
	a->head_len = a->links * sizeof(*a->head);
	a->head = mmap(NULL, a->head_len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->head == MAP_FAILED)
		a->head = NULL;
	if (a->port.pool == NULL || a->head == NULL)
		return VX6_NO_MEMORY;
	pool_move(a, UINT32_MAX, POOL_USUAL);
	return VX6_OK;
}

/* The kernel's socket takes no packet of an interface that gives DPDK a
 * copy of each: it would be there twice (socket(7), SO_ATTACH_FILTER). */
static enum vx6_status refuse_copies(const struct dpdk *a)
{
	struct sock_filter f[DPDK_DEVICES + 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
	};
	struct sock_fprog prog = { .filter = f };
	unsigned n = 1, k = 0;

	for (unsigned i = 0; i < dpdk_node.device_cnt; i++)
		k += dpdk_node.device[i].copied;
	if (k == 0)
		return VX6_OK;
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++)
		if (dpdk_node.device[i].copied)
			f[n++] = (struct sock_filter)BPF_JUMP(
				BPF_JMP | BPF_JEQ | BPF_K,
				dpdk_node.device[i].ifindex, (uint8_t)k--, 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	prog.len = (unsigned short)n;
	return setsockopt(a->d.sock.fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog)) == 0
		       ? VX6_OK
		       : VX6_SYS;
}

static enum vx6_status open_neigh(struct dpdk *a, char *why)
{
	enum vx6_status st = neigh_open(&a->neigh, a->links);

	if (st != VX6_OK) {
		snprintf(why, DPDK_WHY,
			 "netlink cannot be had (%s): cells need the kernel's "
			 "routes and neighbours",
			 st == VX6_SYS ? strerror(errno) : vx6_status_text(st));
		return st;
	}
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++)
		neigh_if_add(a->neigh, i, dpdk_node.device[i].ifindex);
	a->news = true;
	return VX6_OK;
}

static enum vx6_status open_all(struct dpdk *a, const struct port_opts *po,
				const struct dpdk_opts *o, char *why)
{
	uint32_t frames = po->frames != 0 ? po->frames : DPDK_FRAMES;
	struct port_opts so = *po;
	enum vx6_status st;

	/* with GRO the kernel would join packets before a driver that gets
	 * copies sees them */
	so.no_gro = true;
	if (frames < 2 * POOL_HIGH || frames > FRAMES_MAX ||
	    o->queue >= o->queues || o->queues > DPDK_QUEUES ||
	    o->device_cnt == 0 || o->device_cnt > DPDK_DEVICES ||
	    o->arg_cnt > DPDK_ARGS)
		return VX6_CONFIG;
	st = dpdk_node_take(o, frames, why);
	if (st != VX6_OK)
		return st;
	a->counted = true;
	st = init_memory(a, o, frames, why);
	if (st == VX6_OK)
		st = dgram_open(&a->d, &a->port, &so);
	if (st == VX6_OK)
		st = dpdk_node_devices(o, a->port.at.port, why);
	if (st == VX6_OK)
		st = refuse_copies(a);
	if (st == VX6_OK)
		st = open_neigh(a, why);
	if (st == VX6_OK)
		st = dpdk_node_queue(o, a->mbufs, why);
	return st;
}

static enum vx6_status dpdk_open(struct port **out, const struct port_opts *po,
				 const struct dpdk_opts *o, char why[DPDK_WHY])
{
	struct dpdk *a = aligned_alloc(_Alignof(struct dpdk), sizeof(*a));
	enum vx6_status st;

	*out = NULL;
	why[0] = '\0';
	if (a == NULL)
		return VX6_NO_MEMORY;
	memset(a, 0, sizeof(*a));
	a->port.ops = &dpdk_ops;
	a->d.sock.fd = -1;
	a->links = o->links;
	a->queue = (uint16_t)o->queue;
	st = open_all(a, po, o, why);
	if (st != VX6_OK) {
		int err = errno;

		if (st != VX6_SYS && why[0] == '\0')
			snprintf(why, DPDK_WHY, "the DPDK back end: %s",
				 vx6_status_text(st));
		dpdk_close(&a->port);
		errno = err;
		return st;
	}
	dpdk_step(&a->port, vx6_now_ns());
	*out = &a->port;
	return VX6_OK;
}

extern const struct dpdk_api vx6_port_dpdk;

/* The one symbol that the object exports. */
VX6_EXPORTED const struct dpdk_api vx6_port_dpdk = {
	.version = DPDK_API_VERSION,
	.port_size = sizeof(struct port),
	.frame_size = sizeof(struct net_frame),
	.opts_size = sizeof(struct dpdk_opts),
	.state_size = sizeof(struct dpdk_state),
	.open = dpdk_open,
	.fds = dpdk_fds,
	.step = dpdk_step,
	.due_ns = dpdk_due_ns,
	.describe = dpdk_describe,
	.away = dpdk_away,
};
