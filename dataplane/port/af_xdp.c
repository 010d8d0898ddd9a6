/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker's side: no allocation, lock or log, and no system call but the
 * kick and those of the kernel's socket. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/port/af_xdp_own.h"

#define SOCK_EVERY 16u  /* calls of rx, then the kernel's socket is read */
#define RESERVE    512u /* frames of the pool that are not posted */
#define FILL_LEAST 32u  /* frames posted together */
#define KEPT_PART  4u   /* one in so many is not posted beyond the depth */
#define KICKS      4u   /* in one burst, on one socket */

/* ---- frames and whose they are ---- */

static uint64_t addr_of(const struct af_xdp *a, const uint8_t *data)
{
	return (uint64_t)(data - a->port.mem);
}

/* The frame that lies at addr, if socket k was given it; else NULL. */
static struct net_frame *take_back(struct af_xdp *a, unsigned k, uint64_t addr)
{
	uint64_t i = addr / NET_FRAME_LEN;

	if (vx6_unlikely(i >= a->port.frame_cnt || a->owner[i] != k + 1u)) {
		a->n.strange++;
		return NULL;
	}
	a->owner[i] = 0;
	return &a->port.frame[i];
}

static void give_one(struct af_xdp *a, struct net_frame *f)
{
	port_give(&a->port, &f, 1);
}

/* How many frames of the pool make `have` up to `want`, so that `keep` stay
 * there. */
static uint32_t makes_up(const struct port *p, uint32_t have, uint32_t want,
			 uint32_t keep)
{
	uint32_t lacks = want > have ? want - have : 0;
	uint32_t spare = p->pool_cnt > keep ? p->pool_cnt - keep : 0;

	return lacks < spare ? lacks : spare;
}

/* Posts frames until the socket holds a->depth, and a deep one all that its
 * ring takes, unless the pool is low. */
static void fill(struct af_xdp *a, unsigned k)
{
	struct sock *s = &a->sock[k];
	struct port *p = &a->port;
	uint32_t n = makes_up(p, s->filled, a->depth, RESERVE), room, deep = 0;

	if (s->deep)
		deep = makes_up(p, s->filled, XSK_FILL,
				p->frame_cnt / KEPT_PART);
	if (n < deep)
		n = deep;
	if (n < FILL_LEAST)
		return;
	room = xsk_room(&s->x.fill);
	if (n > room)
		n = room;
	for (uint32_t i = 0; i < n; i++) {
		const struct net_frame *f = p->pool[--p->pool_cnt];

		a->owner[f->index] = (uint8_t)(k + 1u);
		xsk_put_addr(&s->x.fill, (uint64_t)f->index * NET_FRAME_LEN);
	}
	s->filled += n;
	xsk_publish(&s->x.fill);
}

static void reap(struct af_xdp *a, unsigned k)
{
	struct sock *s = &a->sock[k];
	uint32_t n = s->unsent > 0 ? xsk_ready(&s->x.comp) : 0;

	for (uint32_t i = 0; i < n; i++) {
		struct net_frame *f = take_back(a, k, xsk_get_addr(&s->x.comp));

		if (vx6_likely(f != NULL))
			give_one(a, f);
	}
	if (n == 0)
		return;
	s->unsent -= n;
	xsk_release(&s->x.comp);
}

/* ---- sockets come and go ---- */

/* What a socket that has ended held comes home. */
static void bring_home(struct af_xdp *a, unsigned k)
{
	for (uint32_t i = 0; i < a->port.frame_cnt; i++) {
		if (a->owner[i] != k + 1u)
			continue;
		a->owner[i] = 0;
		give_one(a, &a->port.frame[i]);
	}
	a->sock[k].filled = a->sock[k].unsent = a->sock[k].left = 0;
	a->sock[k].lost = 0;
	a->sock[k].lacked = a->sock[k].deep = false;
	a->sock[k].kick = false;
}

/* Lists the living ones, and who sends on which interface. */
static void list(struct af_xdp *a)
{
	uint32_t spare = a->port.frame_cnt - RESERVE;

	a->live_cnt = 0;
	memset(a->out, -1, sizeof(a->out));
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++) {
		const struct sock *s = &a->sock[k];

		if (atomic_load_explicit(&s->state, memory_order_relaxed) !=
		    SOCK_LIVE)
			continue;
		a->live[a->live_cnt++] = (uint8_t)k;
		if (a->out[s->slot] < 0)
			a->out[s->slot] = (int8_t)k;
	}
	a->next = 0;
	a->depth = AF_XDP_POSTED;
	if (a->live_cnt > 0 && a->depth > spare / 2 / a->live_cnt)
		a->depth = spare / 2 / a->live_cnt;
}

VX6_COLD void af_xdp_meet(struct af_xdp *a)
{
	const uint64_t one = 1;
	bool moved = false;

	a->seen = atomic_load_explicit(&a->asked, memory_order_acquire);
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++) {
		_Atomic uint32_t *state = &a->sock[k].state;
		uint32_t is, next;

		is = atomic_load_explicit(state, memory_order_acquire);
		switch ((enum sock_state)is) {
		case SOCK_OFFERED: next = SOCK_LIVE; break;
		case SOCK_ASKED: next = SOCK_LEFT; break;
		case SOCK_CLOSED:
			bring_home(a, k);
			next = SOCK_FREE;
			break;
		case SOCK_FREE:
		case SOCK_LIVE:
		case SOCK_LEFT:
		default: continue;
		}
		/* offered, and asked back before it was taken: next time */
		moved |= atomic_compare_exchange_strong_explicit(
			state, &is, next, memory_order_acq_rel,
			memory_order_relaxed);
	}
	list(a);
	for (unsigned i = 0; i < a->live_cnt; i++)
		fill(a, a->live[i]);
	if (!moved)
		return;
	ssize_t len = write(a->said_fd, &one, sizeof(one));
	(void)len; /* EAGAIN: it is as high as it gets, and readable */
}

static inline void meet(struct af_xdp *a)
{
	if (vx6_unlikely(atomic_load_explicit(&a->asked,
					      memory_order_acquire) != a->seen))
		af_xdp_meet(a);
}

/* ---- receive ---- */

/* Reads the packet at a descriptor, which lies within one frame. */
static enum vx6_status judge(const struct af_xdp *a, const struct xdp_desc *d,
			     struct packet *p)
{
	enum vx6_status st;

	if (vx6_unlikely(d->len > NET_FRAME_LEN - d->addr % NET_FRAME_LEN))
		return VX6_BAD_SIZE;
	st = packet_read(p, a->port.mem + d->addr, d->len);
	if (vx6_likely(st == VX6_OK) && p->len > NET_FRAME_CAP)
		return VX6_BAD_SIZE;
	return st;
}

/* What lies at a descriptor, as a frame; NULL: refused and counted. */
static struct net_frame *read_one(struct af_xdp *a, unsigned k,
				  const struct xdp_desc *d)
{
	struct net_frame *f = take_back(a, k, d->addr);
	struct packet p;
	enum vx6_status st;

	if (vx6_unlikely(f == NULL))
		return NULL;
	st = judge(a, d, &p);
	if (vx6_unlikely(st != VX6_OK)) {
		a->port.drop[st]++;
		give_one(a, f);
		return NULL;
	}
	f->data = a->port.mem + d->addr + p.at;
	f->len = p.len;
	f->sum = 0;
	f->peer = p.from;
	f->self = p.to;
	f->link = 0;
	return f;
}

/* All that it had to receive with is used up, or was until it was given
 * more: some may be lost. */
VX6_COLD static void count_lost(struct af_xdp *a, struct sock *s, bool lacks)
{
	uint64_t lost = xsk_lost(&s->x);

	s->lacked = lacks;
	if (lost > s->lost) {
		a->port.drop[VX6_NO_ROOM] += lost - s->lost;
		s->lost = lost;
	}
}

static unsigned rx_sock(struct af_xdp *a, unsigned k, struct net_frame *f[],
			unsigned n)
{
	struct sock *s = &a->sock[k];
	struct xsk_ring *rx = &s->x.rx;
	uint32_t ready = xsk_ready(rx);
	unsigned got = 0;

	if (ready == 0)
		return 0;
	if (vx6_unlikely(ready == s->filled || s->lacked))
		count_lost(a, s, ready == s->filled);
	if (vx6_unlikely(ready > a->port.rx_most))
		a->port.rx_most = ready;
	s->deep |= ready - s->left >= AF_XDP_PAUSE;
	s->left = ready > n ? ready - n : 0;
	if (ready > n)
		ready = n;
	for (uint32_t i = 0; i < ready; i++) {
		const struct xdp_desc *d = rx->entry;

		vx6_prefetch(a->port.mem + d[(rx->at + i) & rx->mask].addr);
	}
	for (uint32_t i = 0; i < ready; i++) {
		const struct xdp_desc d = xsk_get(rx);

		f[got] = read_one(a, k, &d);
		if (vx6_likely(f[got] != NULL))
			a->port.rx_bytes += f[got++]->len;
	}
	xsk_release(rx);
	s->filled -= ready;
	a->port.rx_frames += got;
	a->port.rx_xsk += got;
	fill(a, k);
	return got;
}

static void kick_again(struct af_xdp *a);

/* The fullest queue speaks for all. */
static void tell_room(struct af_xdp *a)
{
	uint32_t room = PORT_ROOM;

	for (unsigned i = 0; i < a->live_cnt; i++) {
		uint32_t left = XSK_TX - a->sock[a->live[i]].unsent;

		if (left < room)
			room = left;
	}
	a->port.tx_room = room;
}

static unsigned af_xdp_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct af_xdp *a = af_xdp_port(p);
	unsigned got = 0;

	meet(a);
	if (vx6_unlikely(p->pending))
		kick_again(a);
	for (unsigned i = 0; i < a->live_cnt && got < n; i++) {
		unsigned k = a->live[a->next];

		a->next = a->next + 1 < a->live_cnt ? a->next + 1 : 0;
		reap(a, k);
		got += rx_sock(a, k, f + got, n - got);
	}
	if (got < n &&
	    (a->live_cnt == 0 || a->read_sock || ++a->calls >= SOCK_EVERY)) {
		a->calls = 0;
		a->read_sock = false;
		got += dgram_rx(&a->d, f + got, n - got);
	}
	tell_room(a);
	return got;
}

/* ---- send ---- */

/* The headers of a frame's way; NULL: it has none, the socket sends it. */
static const struct head *head_of(struct af_xdp *a, const struct net_frame *f)
{
	struct neigh_way way;

	if (f->link == 0 || f->link >= a->links ||
	    !neigh_find(a->neigh, f->link, &f->peer, &f->self, &way))
		return NULL;
	if (way.slot >= AF_XDP_IFS || a->out[way.slot] < 0)
		return NULL;
	if (way.renew) {
		a->n.renewed++;
		return NULL;
	}
	return head_fit(&a->head[f->link], &way, a->port.at.port);
}

static void drop(struct af_xdp *a, struct net_frame *f, enum vx6_status why)
{
	a->port.drop[why]++;
	give_one(a, f);
}

static void send_one(struct af_xdp *a, const struct head *h,
		     struct net_frame *f)
{
	unsigned k = (unsigned)a->out[h->way.slot];
	struct sock *s = &a->sock[k];
	uint32_t len = (uint32_t)h->head.len + f->len;

	if (vx6_unlikely(f->len + h->head.ip_len > h->way.mtu)) {
		drop(a, f, VX6_BAD_SIZE);
		return;
	}
	if (vx6_unlikely(s->unsent == XSK_TX)) {
		drop(a, f, VX6_AGAIN);
		return;
	}
	packet_write(&h->head, f->data, f->len, f->sum);
	a->owner[f->index] = (uint8_t)(k + 1u);
	xsk_put(&s->x.tx, addr_of(a, f->data - h->head.len), len);
	s->unsent++;
	s->put++;
	a->port.tx_frames++;
	a->port.tx_bytes += f->len;
	a->port.tx_xsk++;
}

/* Makes the kernel take what is in tx.  A copying kernel takes 32 a call, and
 * none while its queue behind is full: then the worker comes again. */
static void kick(struct af_xdp *a, struct sock *s)
{
	s->kick = false;
	for (unsigned i = 0; i < KICKS; i++) {
		if (!xsk_wants_kick(&s->x.tx))
			return;
		a->n.kicks++;
		if (xsk_kick(&s->x) ||
		    (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS))
			return; /* gone, or down: its end is on its way */
	}
	s->kick = xsk_room(&s->x.tx) < XSK_TX;
	a->port.pending |= s->kick;
}

static void kick_again(struct af_xdp *a)
{
	a->port.pending = false;
	for (unsigned i = 0; i < a->live_cnt; i++)
		if (a->sock[a->live[i]].kick)
			kick(a, &a->sock[a->live[i]]);
}

static void af_xdp_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct af_xdp *a = af_xdp_port(p);
	const struct head *h = NULL;
	uint32_t last = 0;
	unsigned rest = 0;

	assert(n <= NET_BURST);
	meet(a);
	for (unsigned i = 0; i < a->live_cnt; i++)
		reap(a, a->live[i]);
	for (unsigned i = 0; i < n; i++) {
		if (f[i]->link != last || last == 0) {
			h = a->live_cnt > 0 ? head_of(a, f[i]) : NULL;
			last = f[i]->link;
		}
		if (h == NULL) {
			a->rest[rest++] = f[i];
			last = 0; /* the next frame may have a way */
		} else {
			send_one(a, h, f[i]);
		}
	}
	for (unsigned i = 0; i < a->live_cnt; i++) {
		struct sock *s = &a->sock[a->live[i]];

		if (s->put == 0)
			continue;
		s->put = 0;
		xsk_publish(&s->x.tx);
		kick(a, s);
	}
	tell_room(a);
	if (rest > 0)
		dgram_tx(&a->d, a->rest, rest);
}

/* ---- the rest of the port's table ---- */

static unsigned af_xdp_poll_fds(struct port *p, int fd[PORT_FDS])
{
	struct af_xdp *a = af_xdp_port(p);
	unsigned n = 0;

	meet(a);
	a->read_sock = true;
	fd[n++] = a->d.sock.fd;
	for (unsigned i = 0; i < a->live_cnt; i++)
		fd[n++] = a->sock[a->live[i]].x.fd;
	return n;
}

static void af_xdp_link(struct port *p, uint32_t index,
			const struct vx6_addr *peer)
{
	struct af_xdp *a = af_xdp_port(p);

	if (index >= a->links || index % a->workers != a->worker)
		return; /* each entry has one writer */
	if (peer == NULL)
		xdp_link_clear(&a->link[index]);
	else
		xdp_link_set(&a->link[index], peer);
}

static void af_xdp_close(struct port *p)
{
	struct af_xdp *a = af_xdp_port(p);

	af_xdp_host_leave(a);
	if (a->first)
		af_xdp_host_close(a->host);
	neigh_close(a->neigh);
	dgram_close(&a->d);
	if (a->head != NULL)
		munmap(a->head, a->head_len);
	free(a->owner);
	port_pool_free(p);
	free(a);
}

static const struct port_ops af_xdp_ops = {
	.name = "af_xdp",
	.rx = af_xdp_rx,
	.tx = af_xdp_tx,
	.fds = af_xdp_poll_fds,
	.link = af_xdp_link,
	.close = af_xdp_close,
};

bool af_xdp_is(const struct port *p)
{
	return p->ops == &af_xdp_ops;
}

const struct af_xdp_count *af_xdp_counted(const struct port *p)
{
	return &af_xdp_const(p)->n;
}

uint32_t af_xdp_in_kernel(const struct port *p)
{
	const struct af_xdp *a = af_xdp_const(p);
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->frame_cnt; i++)
		n += a->owner[i] != 0;
	return n;
}

/* ---- open ---- */

static enum vx6_status init_memory(struct af_xdp *a,
				   const struct port_opts *opts, bool shared)
{
	uint32_t frames = opts->frames != 0 ? opts->frames : AF_XDP_FRAMES;
	enum vx6_status st = port_pool_init(&a->port, frames, shared);

	if (st != VX6_OK)
		return st;
	/* pinned anyway by the first socket: touched here and now it lies near
	 * the worker (memory_prefer) */
	(void)madvise(a->port.mem, a->port.map_len, MADV_POPULATE_WRITE);
	a->owner = calloc(a->port.frame_cnt, sizeof(*a->owner));
	a->head_len = a->links * sizeof(*a->head);
	a->head = mmap(NULL, a->head_len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->head == MAP_FAILED)
		a->head = NULL;
	return a->owner == NULL || a->head == NULL ? VX6_NO_MEMORY : VX6_OK;
}

static enum vx6_status open_neigh(struct af_xdp *a, char *why)
{
	enum vx6_status st = neigh_open(&a->neigh, a->links);

	if (st != VX6_OK)
		snprintf(why, XDP_WHY,
			 "netlink cannot be had (%s): cells need the kernel's "
			 "routes and neighbours for AF_XDP",
			 st == VX6_SYS ? strerror(errno) : vx6_status_text(st));
	return st;
}

static enum vx6_status init_all(struct af_xdp *a, const struct port_opts *opts,
				const struct af_xdp_opts *xo, char *why)
{
	enum vx6_status st = init_memory(a, opts, xo->keeper != NULL);

	if (st == VX6_OK)
		st = dgram_open(&a->d, &a->port, opts);
	if (st == VX6_OK && a->first)
		st = af_xdp_host_open(&a->host, &a->port.at, xo, why);
	if (st == VX6_OK)
		st = open_neigh(a, why);
	return st == VX6_OK ? af_xdp_host_join(a->host, a, why) : st;
}

enum vx6_status port_open_af_xdp(struct port **out,
				 const struct port_opts *opts,
				 const struct af_xdp_opts *xo,
				 char why[XDP_WHY])
{
	struct af_xdp *a = aligned_alloc(_Alignof(struct af_xdp), sizeof(*a));
	enum vx6_status st;

	*out = NULL;
	why[0] = '\0';
	if (a == NULL)
		return VX6_NO_MEMORY;
	memset(a, 0, sizeof(*a));
	a->port.ops = &af_xdp_ops;
	a->d.sock.fd = a->said_fd = -1;
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		a->sock[k].x.fd = -1;
	memset(a->out, -1, sizeof(a->out));
	a->links = xo->links;
	a->first = opts->beside == NULL;
	if (!a->first)
		a->host = af_xdp_port(opts->beside)->host;
	st = init_all(a, opts, xo, why);
	if (st != VX6_OK) {
		int err = errno;

		af_xdp_close(&a->port);
		errno = err;
		return st;
	}
	*out = &a->port;
	return VX6_OK;
}
