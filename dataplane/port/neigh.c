/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh: asks the kernel what is wanted, and publishes what it answers.
 *
 *     wants_next --> a flight --> rtnl --> take_answer --> publish
 *
 * The kernel answers within the call that asks, so a flight that takes long
 * was lost: it is asked again.  Changes make wants dirty; a round, not sooner
 * than GAP after the last one, asks about all that are.  What is certain at
 * once, an interface that is down or an address that is gone, withdraws at
 * once. */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/host.h"
#include "dataplane/port/neigh.h"
#include "dataplane/port/rtnl.h"
#include "dataplane/port/wants.h"
#include "dataplane/port/ways.h"

#define FLIGHTS    32u
#define FLIGHT_BIT 6u  /* of a seq say which flight */
#define DUMP_IDX   63u /* which of them a dump has */
#define PASSES     64u /* in a step: send, receive */
#define RECVS      64u /* in a pass */

#define GAP_NS     (100 * VX6_MS) /* between rounds */
#define ANSWER_NS  VX6_SEC        /* then it was lost */
#define RENEW_NS   (5 * VX6_SEC)  /* what is stale still is renewed again */
#define REFRESH_NS (30 * VX6_SEC) /* path MTUs change without a word */

#define USABLE                                                                 \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT |   \
	 NUD_NOARP)

struct flight {
	uint32_t seq; /* 0 = free */
	uint32_t idx; /* a link, or a hop */
	bool hop;
	uint64_t sent_ns;
};

struct slot {
	bool used;
	unsigned ifindex;
};

enum dump { LINKS = 1, ADDRS = 2, ROUTES4 = 4, ROUTES6 = 8, DUMPS = 15 };

struct neigh {
	struct ways ways;
	struct rtnl rtnl;
	struct host host;
	struct wants wants;
	struct slot slot[NEIGH_IFS];
	struct flight flight[FLIGHTS];
	uint32_t asks; /* ever; the upper bits of a seq */
	/* dumps that are needed, the one that runs, and its seq */
	unsigned need, dump;
	uint32_t dump_seq;
	uint64_t dump_ns, dump_due_ns;
	uint64_t now_ns, round_due_ns, renew_due_ns, refresh_due_ns;
	bool dump_bad; /* the dump that runs missed something */
	bool unsure;   /* all hops are */
	bool stale;    /* some hop is */
	bool moved;    /* something came or went in this pass */
	bool backlog;  /* there is more to do at once */
	bool review;   /* interfaces or addresses are others: all ways are
			  judged again, once for all that was received */
	struct neigh_count count;
};

/* ---- what is published ---- */

static bool slot_of(const struct neigh *n, unsigned ifindex, uint8_t *slot)
{
	for (unsigned i = 0; i < NEIGH_IFS; i++) {
		if (n->slot[i].used && n->slot[i].ifindex == ifindex) {
			*slot = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static uint16_t mtu_of(const struct want *w, const struct neigh_if *i)
{
	uint32_t mtu = i->mtu;

	if (w->mtu != 0 && w->mtu < mtu)
		mtu = w->mtu;
	return mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
}

/* Publishes what is known of a link's way, or that there is none. */
static void publish(struct neigh *n, uint32_t link)
{
	const struct want *w = &n->wants.want[link];
	struct neigh_way way = { .peer = w->peer,
				 .self = w->use,
				 .renew = !vx6_addr_is_none(&w->self) };
	const struct neigh_if *i = NULL;
	const struct want_hop *h = NULL;

	if (w->hop != WANTS_NONE) {
		h = &n->wants.hop[w->hop];
		i = host_find(&n->host, h->ifindex);
	}
	if (i == NULL || !i->up || !i->ethernet || h->state == 0 ||
	    !host_has(&n->host, &w->use) ||
	    !slot_of(n, h->ifindex, &way.slot)) {
		ways_drop(&n->ways, link);
		return;
	}
	memcpy(way.src_mac, i->mac, sizeof(way.src_mac));
	memcpy(way.dst_mac, h->mac, sizeof(way.dst_mac));
	way.mtu = mtu_of(w, i);
	ways_put(&n->ways, link, &way, w->hop);
}

static void publish_all(struct neigh *n)
{
	for (uint32_t i = 0; i < n->wants.top; i++)
		publish(n, i);
}

/* ---- what the kernel says ---- */

/* What the answer says of the way: false where there is none for us. */
static bool route_is_plain(const struct rtnl_route *r)
{
	return r->type == RTN_UNICAST && !r->odd && r->oif_cnt == 1 &&
	       !(r->flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN));
}

static void take_route(struct neigh *n, uint32_t link,
		       const struct rtnl_route *r)
{
	struct want *w = &n->wants.want[link];
	bool named = !vx6_addr_is_none(&w->self);
	uint8_t slot;

	w->use = w->self;
	if (!named && r->has_source)
		memcpy(w->use.ip, r->source, sizeof(w->use.ip));
	w->mtu = (uint16_t)(r->mtu < UINT16_MAX ? r->mtu : UINT16_MAX);
	if (!route_is_plain(r) || !(named || r->has_source) ||
	    !slot_of(n, r->oif[0], &slot))
		wants_leave(&n->wants, link);
	else if (wants_hop(&n->wants, link, r->oif[0],
			   r->has_gateway ? r->gateway : w->peer.ip))
		ways_renew(&n->ways, w->hop, false);
	publish(n, link);
}

static void hop_set(struct neigh *n, uint32_t idx, const struct rtnl_neigh *s,
		    bool gone)
{
	struct want_hop *h = &n->wants.hop[idx];
	struct want_hop was = *h;

	h->state = 0;
	if (!gone && s->has_mac) {
		h->state = s->state & USABLE;
		memcpy(h->mac, s->mac, sizeof(h->mac));
	}
	if (h->state == NUD_STALE) {
		h->renew_ns = n->now_ns + RENEW_NS;
		if (!n->stale)
			n->renew_due_ns = h->renew_ns;
		n->stale = true;
	}
	ways_renew(&n->ways, idx, h->state == NUD_STALE);
	if ((was.state != 0) == (h->state != 0) &&
	    memcmp(was.mac, h->mac, sizeof(h->mac)) == 0)
		return;
	for (uint32_t i = h->first; i != WANTS_NONE; i = n->wants.want[i].next)
		publish(n, i);
}

static void take_neigh(struct neigh *n, const struct rtnl_msg *m)
{
	uint32_t idx = wants_hop_find(&n->wants, m->neigh.ifindex, m->neigh.ip);

	if (idx != WANTS_NONE)
		hop_set(n, idx, &m->neigh, m->gone);
}

static void take_link(struct neigh *n, const struct rtnl_msg *m)
{
	if (!host_link(&n->host, m))
		return;
	n->review = true;
	wants_touch_all(&n->wants);
}

static void take_addr(struct neigh *n, const struct rtnl_msg *m)
{
	if (!host_addr(&n->host, m))
		return;
	n->review = true;
	wants_touch_all(&n->wants);
}

static void take_change(struct neigh *n, const struct rtnl_msg *m)
{
	switch (m->kind) {
	case RTNL_LINK: take_link(n, m); return;
	case RTNL_ADDR: take_addr(n, m); return;
	case RTNL_NEIGH: take_neigh(n, m); return;
	case RTNL_ROUTE:
		if (host_is_default(&m->route))
			n->need |= ROUTES4 | ROUTES6;
		wants_touch(&n->wants, m->route.dst, m->route.bits);
		return;
	case RTNL_POLICY: wants_touch_all(&n->wants); return;
	case RTNL_OTHER:
	case RTNL_DONE:
	case RTNL_REFUSED: return;
	}
}

/* ---- dumps ---- */

static enum rtnl_kind kind_of(unsigned dump)
{
	return dump == LINKS   ? RTNL_LINK
	       : dump == ADDRS ? RTNL_ADDR
			       : RTNL_ROUTE;
}

static uint32_t next_seq(struct neigh *n, uint32_t idx)
{
	uint32_t seq;

	do
		seq = n->asks++ << FLIGHT_BIT | idx;
	while (seq == 0);
	return seq;
}

/* Starts the next dump that is needed.  Routes are dumped as one, the first
 * family marks and the second sweeps. */
static void dump_start(struct neigh *n)
{
	unsigned dump = n->need & -n->need;

	if (dump == 0 || n->dump != 0 || n->now_ns < n->dump_due_ns)
		return;
	n->dump_seq = next_seq(n, DUMP_IDX);
	n->dump_ns = n->now_ns;
	if (!rtnl_dump(&n->rtnl, n->dump_seq, kind_of(dump), dump == ROUTES4)) {
		n->dump_due_ns = n->now_ns + GAP_NS;
		return;
	}
	n->dump = dump;
	n->dump_bad = false;
	n->need &= ~dump;
	n->moved = true;
	if (dump != ROUTES6)
		host_mark(&n->host, kind_of(dump));
}

/* A dump that was cut off or missed a change begins anew, after a while. */
static void dump_again(struct neigh *n)
{
	n->need |= n->dump;
	if (n->dump & (ROUTES4 | ROUTES6))
		n->need |= ROUTES4 | ROUTES6;
	n->dump = 0;
	n->dump_due_ns = n->now_ns + GAP_NS;
	n->count.again++;
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EBUSY || error == ENOBUFS ||
	       error == ENOMEM || error == EINTR;
}

/* Whether the dump that ends here said all.  Routes of a family that the host
 * lacks are refused: it has none. */
static bool is_whole(const struct neigh *n, const struct rtnl_msg *m)
{
	if (n->dump_bad)
		return false;
	if (m->kind == RTNL_REFUSED && (n->dump & (ROUTES4 | ROUTES6)))
		return !is_passing(m->error);
	return m->error == 0;
}

/* Routes are the last of all dumps: the next may wait. */
static void dump_end(struct neigh *n, const struct rtnl_msg *m)
{
	unsigned dump = n->dump;

	if (!is_whole(n, m)) {
		dump_again(n);
		return;
	}
	n->dump = 0;
	if (dump == ROUTES4)
		return;
	host_sweep(&n->host, kind_of(dump));
	n->review = true;
	if (dump == ROUTES6)
		n->dump_due_ns = n->now_ns + GAP_NS;
}

static void take_dumped(struct neigh *n, const struct rtnl_msg *m)
{
	n->dump_ns = n->now_ns;
	n->dump_bad = n->dump_bad || m->interrupted;
	if (m->kind == RTNL_DONE || m->kind == RTNL_REFUSED)
		dump_end(n, m);
	else if (m->kind == RTNL_ROUTE)
		host_route(&n->host, &m->route);
	else
		take_change(n, m);
}

/* ---- flights ---- */

/* "Not now" is as no answer: it is asked again when the time is over. */
static void take_answer(struct neigh *n, const struct rtnl_msg *m)
{
	struct flight *f = &n->flight[m->seq % FLIGHTS];
	static const struct rtnl_route no_route;
	static const struct rtnl_neigh no_neigh;
	struct flight was = *f;

	if (f->seq != m->seq || is_passing(m->error))
		return;
	f->seq = 0;
	if (was.hop && n->wants.hop[was.idx].seq == was.seq) {
		n->wants.hop[was.idx].seq = 0;
		hop_set(n, was.idx,
			m->kind == RTNL_NEIGH ? &m->neigh : &no_neigh, false);
	}
	if (!was.hop && n->wants.want[was.idx].seq == was.seq) {
		n->wants.want[was.idx].seq = 0;
		take_route(n, was.idx,
			   m->kind == RTNL_ROUTE ? &m->route : &no_route);
	}
}

static void lost(struct neigh *n, struct flight *f)
{
	struct flight was = *f;

	f->seq = 0;
	n->count.lost++;
	if (was.hop && n->wants.hop[was.idx].seq == was.seq) {
		n->wants.hop[was.idx].seq = 0;
		wants_ask_hop(&n->wants, was.idx);
	}
	if (!was.hop && n->wants.want[was.idx].seq == was.seq) {
		n->wants.want[was.idx].seq = 0;
		wants_ask(&n->wants, was.idx);
	}
}

/* Link-local peers would need a scope, which an address here has not. */
static bool can_be_asked(const struct want *w)
{
	const uint8_t *p = w->peer.ip;

	if (!vx6_addr_is_none(&w->self) &&
	    vx6_addr_is_v4(&w->self) != vx6_addr_is_v4(&w->peer))
		return false;
	return p[0] != 0xff && !(p[0] == 0xfe && (p[1] & 0xc0) == 0x80);
}

/* Asks about the next that is wanted.  False where there is none, or the
 * kernel takes no more now: then this one is as one that was lost. */
static bool ask_one(struct neigh *n, uint32_t f_idx)
{
	uint32_t idx, seq = next_seq(n, f_idx);
	bool is_hop, sent;

	if (!wants_next(&n->wants, &idx, &is_hop))
		return false;
	if (is_hop) {
		struct want_hop *h = &n->wants.hop[idx];

		h->seq = seq;
		sent = rtnl_neigh_ask(&n->rtnl, seq, h->ifindex, h->ip);
	} else {
		struct want *w = &n->wants.want[idx];

		if (!can_be_asked(w))
			return true;
		w->seq = seq;
		sent = rtnl_route_ask(&n->rtnl, seq, &w->peer, &w->self);
	}
	n->flight[f_idx] = (struct flight){ seq, idx, is_hop, n->now_ns };
	n->count.asked++;
	n->moved = true;
	return sent;
}

/* ---- what is due ---- */

/* Changes were lost; if answers were as well, their time will be over. */
static void overrun(struct neigh *n)
{
	n->count.overruns++;
	n->need = DUMPS;
	n->dump_bad = true;
	n->unsure = true;
	wants_touch_all(&n->wants);
}

static void take_all(struct neigh *n, size_t len)
{
	struct rtnl_msg m;
	size_t at = 0, size;

	while ((size = rtnl_parse(&m, n->rtnl.buf + at, len - at)) > 0) {
		at += size;
		if (!rtnl_is_answer(&n->rtnl, &m))
			take_change(n, &m);
		else if (n->dump != 0 && m.seq == n->dump_seq)
			take_dumped(n, &m);
		else
			take_answer(n, &m);
	}
}

static void receive(struct neigh *n)
{
	for (unsigned i = 0; i < RECVS; i++) {
		long len = rtnl_recv(&n->rtnl);

		if (len == 0)
			break;
		n->moved = true;
		if (len < 0)
			overrun(n);
		else
			take_all(n, (size_t)len);
	}
	if (n->review)
		publish_all(n);
	n->review = false;
}

/* The answer is there when the question is asked: it is read at once, so that
 * a small socket buffer loses none. */
static void ask_all(struct neigh *n)
{
	for (uint32_t i = 0; i < FLIGHTS; i++) {
		if (n->flight[i].seq == 0 && !ask_one(n, i))
			return;
		receive(n);
	}
}

static void take_asks(struct neigh *n)
{
	struct ways_ask a;

	while (ways_next(&n->ways, &a)) {
		wants_set(&n->wants, a.link, &a.peer, &a.self);
		publish(n, a.link);
		n->moved = true;
	}
}

static void round_start(struct neigh *n)
{
	struct wants *w = &n->wants;

	if (!(w->dirty || n->unsure) || n->now_ns < n->round_due_ns)
		return;
	wants_round(w);
	for (uint32_t i = 0; n->unsure && i < w->top; i++)
		if (w->want[i].hop != WANTS_NONE)
			wants_ask_hop(w, w->want[i].hop);
	n->unsure = false;
	n->round_due_ns = n->now_ns + GAP_NS;
}

/* Asks what is stale and has had its frame: the kernel says DELAY or PROBE
 * where it has tried. */
static void renew_start(struct neigh *n)
{
	struct wants *w = &n->wants;

	if (!n->stale || n->now_ns < n->renew_due_ns)
		return;
	n->stale = false;
	for (uint32_t i = 0; i < w->top; i++) {
		uint32_t idx = w->want[i].hop;

		if (idx == WANTS_NONE || w->hop[idx].state != NUD_STALE)
			continue;
		n->stale = true;
		if (n->now_ns >= w->hop[idx].renew_ns &&
		    !ways_renewing(&n->ways, idx))
			wants_ask_hop(w, idx);
	}
	n->renew_due_ns = n->now_ns + RENEW_NS;
}

static void timers(struct neigh *n)
{
	for (unsigned i = 0; i < FLIGHTS; i++)
		if (n->flight[i].seq != 0 &&
		    n->now_ns >= n->flight[i].sent_ns + ANSWER_NS)
			lost(n, &n->flight[i]);
	if (n->dump != 0 && n->now_ns >= n->dump_ns + ANSWER_NS)
		dump_again(n);
	if (n->now_ns >= n->refresh_due_ns) {
		n->refresh_due_ns = n->now_ns + REFRESH_NS;
		n->unsure = true;
		wants_touch_all(&n->wants);
	}
	renew_start(n);
}

static void passes(struct neigh *n)
{
	for (unsigned i = 0; i < PASSES; i++) {
		n->moved = false;
		receive(n);
		take_asks(n);
		round_start(n);
		dump_start(n);
		ask_all(n);
		if (!n->moved)
			return;
	}
}

void neigh_step(struct neigh *n, uint64_t now_ns)
{
	if (now_ns > n->now_ns)
		n->now_ns = now_ns;
	ways_wake(&n->ways);
	timers(n);
	passes(n);
	n->backlog = !ways_sleep(&n->ways) || n->moved;
}

static void sooner(uint64_t *due_ns, bool is_due, uint64_t at_ns)
{
	if (is_due && at_ns < *due_ns)
		*due_ns = at_ns;
}

uint64_t neigh_due_ns(const struct neigh *n)
{
	uint64_t due = n->refresh_due_ns;

	sooner(&due, n->backlog, n->now_ns);
	sooner(&due, n->wants.dirty || n->unsure, n->round_due_ns);
	sooner(&due, n->stale, n->renew_due_ns);
	sooner(&due, n->need != 0 && n->dump == 0, n->dump_due_ns);
	sooner(&due, n->dump != 0, n->dump_ns + ANSWER_NS);
	for (unsigned i = 0; i < FLIGHTS; i++)
		sooner(&due, n->flight[i].seq != 0,
		       n->flight[i].sent_ns + ANSWER_NS);
	return due;
}

/* ---- interfaces ---- */

void neigh_if_remove(struct neigh *n, unsigned slot)
{
	struct wants *w = &n->wants;
	uint8_t other;

	if (slot >= NEIGH_IFS || !n->slot[slot].used)
		return;
	n->slot[slot].used = false;
	for (uint32_t i = 0; i < w->top; i++) {
		uint32_t idx = w->want[i].hop;

		if (idx == WANTS_NONE)
			continue;
		if (!slot_of(n, w->hop[idx].ifindex, &other))
			wants_leave(w, i);
		publish(n, i);
	}
}

void neigh_if_add(struct neigh *n, unsigned slot, unsigned ifindex)
{
	if (slot >= NEIGH_IFS)
		return;
	neigh_if_remove(n, slot);
	n->slot[slot] = (struct slot){ true, ifindex };
	for (uint32_t i = 0; i < n->wants.top; i++)
		wants_ask(&n->wants, i);
	n->backlog = true;
}

/* ---- open, close, and what is asked of it ---- */

static enum vx6_status open_all(struct neigh *n, uint32_t links)
{
	enum vx6_status st = ways_open(&n->ways, links);

	if (st != VX6_OK)
		return st;
	st = wants_open(&n->wants, links);
	if (st != VX6_OK)
		return st;
	st = rtnl_open(&n->rtnl);
	if (st != VX6_OK)
		return st;
	host_open(&n->host);
	n->need = DUMPS;
	/* what a dump says is there when it is asked for */
	passes(n);
	return VX6_OK;
}

enum vx6_status neigh_open(struct neigh **out, uint32_t links)
{
	struct neigh *n = aligned_alloc(VX6_CACHELINE, sizeof(*n));
	enum vx6_status st;

	*out = NULL;
	if (n == NULL)
		return VX6_NO_MEMORY;
	memset((void *)n, 0, sizeof(*n));
	n->rtnl.fd = n->host.ask_fd = n->ways.bell = -1;
	st = open_all(n, links);
	if (st != VX6_OK) {
		int why = errno;

		neigh_close(n);
		errno = why;
		return st;
	}
	*out = n;
	return VX6_OK;
}

void neigh_close(struct neigh *n)
{
	if (n == NULL)
		return;
	rtnl_close(&n->rtnl);
	host_close(&n->host);
	ways_close(&n->ways);
	wants_close(&n->wants);
	free(n);
}

unsigned neigh_fds(const struct neigh *n, int fd[NEIGH_FDS])
{
	fd[0] = n->rtnl.fd;
	fd[1] = n->ways.bell;
	return 2;
}

unsigned neigh_events(struct neigh *n)
{
	unsigned events = n->host.events;

	n->host.events = 0;
	return events;
}

unsigned neigh_addrs(const struct neigh *n, struct vx6_addr a[], unsigned max)
{
	return host_addr_list(&n->host, a, max);
}

unsigned neigh_if_list(const struct neigh *n, struct neigh_if i[], unsigned max)
{
	return host_if_list(&n->host, i, max);
}

struct neigh_count neigh_count(const struct neigh *n)
{
	struct neigh_count c = n->count;

	c.no_room = n->host.no_room;
	return c;
}

bool neigh_find(struct neigh *n, uint32_t link, const struct vx6_addr *peer,
		const struct vx6_addr *self, struct neigh_way *way)
{
	return ways_find(&n->ways, link, peer, self, way);
}
