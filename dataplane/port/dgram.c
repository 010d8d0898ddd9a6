/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/dgram.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SPILL_LEN ((size_t)NET_BUF_MIN + NET_FRAME_CAP)

static void flush(struct dgram *d);

/* ---- receive ---- */

static uint8_t *spill_of(const struct dgram *d, unsigned i)
{
	return d->spill + i * SPILL_LEN + NET_FRAME_CAP;
}

static unsigned datagrams_of(const struct net_pkt *pkt)
{
	return pkt->segment == 0
		       ? 1
		       : (pkt->len + pkt->segment - 1u) / pkt->segment;
}

/* As many messages as bring DGRAM_CELLS, if they are like the last ones. */
static void expect(struct dgram *d)
{
	unsigned cells = 0;

	for (unsigned i = 0; i < d->got; i++)
		cells += datagrams_of(&d->pkt[i]);
	if (cells == 0)
		return;
	d->msgs = DGRAM_CELLS * d->got / cells;
	if (d->msgs < DGRAM_MSGS_MIN)
		d->msgs = DGRAM_MSGS_MIN;
	if (d->msgs > DGRAM_MSGS)
		d->msgs = DGRAM_MSGS;
}

/* Posts a frame wherever one was used up; how many messages can be had. */
static unsigned post(struct dgram *d)
{
	for (unsigned i = 0; i < d->msgs; i++) {
		if (d->posted[i] == NULL) {
			d->posted[i] = port_take(d->port);
			if (d->posted[i] == NULL)
				return i;
		}
		d->iov[i][0] = (struct iovec){ d->posted[i]->data,
					       NET_FRAME_CAP };
		d->iov[i][1] = (struct iovec){ spill_of(d, i), NET_BUF_MIN };
		d->pkt[i].iov = d->iov[i];
		d->pkt[i].iov_cnt = 2;
	}
	return d->msgs;
}

static void describe(struct net_frame *f, const struct net_pkt *pkt, size_t len)
{
	f->len = (uint16_t)len;
	f->sum = 0;
	f->peer = pkt->from;
	f->self = pkt->to;
}

/* Takes the first datagram of message i; the rest becomes d->run.  NULL
 * where the message holds nothing that could be a cell. */
static struct net_frame *first_of(struct dgram *d, unsigned i)
{
	const struct net_pkt *pkt = &d->pkt[i];
	struct net_frame *f = d->posted[i];

	if (pkt->segment == 0) { /* empty, or too long for any buffer */
		d->port->drop[VX6_BAD_SIZE]++;
		return NULL;
	}
	if (pkt->segment > NET_FRAME_CAP) {
		d->port->drop[VX6_BAD_SIZE] += datagrams_of(pkt);
		return NULL;
	}
	d->posted[i] = NULL;
	describe(f, pkt, pkt->segment);
	if (pkt->len > pkt->segment) {
		size_t behind = NET_FRAME_CAP - pkt->segment;
		size_t rest = pkt->len - pkt->segment;
		uint8_t *at = spill_of(d, i) - behind;

		memcpy(at, f->data + pkt->segment,
		       behind < rest ? behind : rest);
		d->run = (struct dgram_run){ at, rest, pkt };
	}
	return f;
}

/* The next datagram of d->run in a frame of its own; NULL: none free. */
static struct net_frame *next_of(struct dgram *d)
{
	struct dgram_run *r = &d->run;
	struct net_frame *f = port_take(d->port);
	size_t len = r->pkt->segment;

	if (f == NULL)
		return NULL;
	if (len > r->left)
		len = r->left;
	memcpy(f->data, r->at, len);
	describe(f, r->pkt, len);
	r->at += len;
	r->left -= len;
	return f;
}

/* Splits what was received into at most n frames. */
static unsigned split(struct dgram *d, struct net_frame *f[], unsigned n)
{
	unsigned k = 0;

	while (k < n) {
		if (d->run.left > 0)
			f[k] = next_of(d);
		else if (d->next < d->got)
			f[k] = first_of(d, d->next++);
		else
			break;
		if (f[k] != NULL)
			d->port->rx_bytes += f[k++]->len;
		else if (d->run.left > 0)
			break; /* the pool is empty: go on next time */
	}
	return k;
}

/* Datagrams that were received wait here for a burst. */
static bool is_waiting(const struct dgram *d)
{
	return d->run.left > 0 || d->next < d->got;
}

/* Frames that the socket would take now. */
static uint32_t room_of(struct dgram *d)
{
	uint64_t most = 2ull * d->sock.sndbuf; /* as the kernel counts */

	if (d->unsent > most / 2)
		d->unsent = net_unsent(&d->sock);
	if (d->unsent <= most / 2)
		return PORT_ROOM;
	if (d->unsent + d->held_cnt * DGRAM_CHARGE >= most)
		return 0;
	most -= d->unsent + d->held_cnt * DGRAM_CHARGE;
	return (uint32_t)(most / DGRAM_CHARGE);
}

/* Receives until n frames are full or the socket is empty. */
static unsigned fill(struct dgram *d, struct net_frame *f[], unsigned n)
{
	unsigned k = split(d, f, n);

	while (k < n && !is_waiting(d)) {
		unsigned room = post(d);

		if (room == 0)
			break;
		d->next = 0;
		d->got = net_recv(&d->sock, d->pkt, room);
		expect(d);
		d->more = d->got == room;
		k += split(d, f + k, n - k);
		if (!d->more)
			break;
	}
	return k;
}

unsigned dgram_rx(struct dgram *d, struct net_frame *f[], unsigned n)
{
	uint64_t lost = d->sock.rx_overflow;
	unsigned k = fill(d, f, n);

	d->port->tx_room = room_of(d); /* it may have some by now */
	if (d->held_cnt > 0 && (k == 0 || ++d->held_for >= DGRAM_BURSTS)) {
		flush(d);
		if (k == 0) /* it may be that no frame was free */
			k = split(d, f, n);
	}
	d->port->rx_frames += k;
	d->port->drop[VX6_NO_ROOM] += d->sock.rx_overflow - lost;
	return k;
}

/* ---- send ---- */

#define BUCKETS 256u
#define LOOK    8u /* groups of a bucket; beyond them a new one is made */

struct group { /* frames to one place, in order */
	const struct net_frame *like;
	uint16_t first, last, cnt;
	uint16_t sent;  /* the first so many of them */
	uint16_t older; /* in its bucket, plus 1 */
};

struct groups {
	unsigned cnt;
	uint16_t bucket[BUCKETS];  /* the newest of it, plus 1 */
	uint16_t next[DGRAM_HELD]; /* the frame after it, or itself */
	struct group group[DGRAM_HELD];
};

static bool same_place(const struct net_frame *a, const struct net_frame *b)
{
	return a->link == b->link &&
	       memcmp(&a->peer, &b->peer, sizeof(a->peer)) == 0 &&
	       memcmp(&a->self, &b->self, sizeof(a->self)) == 0;
}

static unsigned bucket_of(const struct net_frame *f)
{
	return (f->link + f->peer.port + f->peer.ip[15]) % BUCKETS;
}

/* The group that f belongs to, NULL: none yet. */
static struct group *group_of(struct groups *gs, const struct net_frame *f)
{
	unsigned at = gs->bucket[bucket_of(f)];

	for (unsigned i = 0; at != 0 && i < LOOK; i++) {
		struct group *g = &gs->group[at - 1];

		if (same_place(g->like, f))
			return g;
		at = g->older;
	}
	return NULL;
}

static void group_all(struct groups *gs, struct net_frame *const f[],
		      unsigned n)
{
	struct group *g = NULL;

	gs->cnt = 0;
	memset(gs->bucket, 0, sizeof(gs->bucket));
	for (unsigned k = 0; k < n; k++) {
		uint16_t i = (uint16_t)k;

		gs->next[i] = i;
		if (g == NULL || !same_place(g->like, f[i]))
			g = group_of(gs, f[i]);
		if (g != NULL) {
			gs->next[g->last] = i;
			g->last = i;
			g->cnt++;
			continue;
		}
		uint16_t *bucket = &gs->bucket[bucket_of(f[i])];

		g = &gs->group[gs->cnt++];
		*g = (struct group){ f[i], i, i, 1, 0, *bucket };
		*bucket = (uint16_t)gs->cnt;
	}
}

/* True where a frame of len may follow in the run that out describes. */
static bool continues(const struct net_out *o, size_t cnt, size_t total,
		      size_t last, size_t len)
{
	return last == o->segment && len <= o->segment && cnt < NET_SEG_MAX &&
	       total + len <= NET_LEN_MAX;
}

/* Turns a group into runs, the last only if it is of `least`; gather and out
 * grow.  Returns the new count of outs. */
static unsigned runs_of(struct dgram *d, struct groups *gs, struct group *g,
			unsigned least, unsigned *gathered, unsigned outs)
{
	struct net_out *o = NULL;
	size_t total = 0, last = 0;

	for (unsigned i = g->first;; i = gs->next[i]) {
		const struct net_frame *f = d->held[i];
		struct iovec *v = &d->gather[(*gathered)++];
		size_t len = f->len;

		*v = (struct iovec){ f->data, len };
		if (o == NULL || !continues(o, o->iov_cnt, total, last, len)) {
			o = &d->out[outs++];
			*o = (struct net_out){ .to = f->peer,
					       .from = f->self,
					       .iov = v,
					       .segment = (uint16_t)len };
			total = 0;
		}
		o->iov_cnt++;
		total += len;
		last = len;
		if (gs->next[i] == i)
			break;
	}
	g->sent = g->cnt;
	if (o->iov_cnt >= least)
		return outs;
	g->sent = (uint16_t)(g->cnt - o->iov_cnt);
	*gathered -= (unsigned)o->iov_cnt;
	return outs - 1u;
}

static enum vx6_status status_of(int err)
{
	switch (err) {
	case EMSGSIZE: return VX6_BAD_SIZE;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM: return VX6_AGAIN;
	default: return VX6_NO_ROUTE;
	}
}

static void count(struct dgram *d, const struct net_out *o, int err)
{
	struct port *p = d->port;

	if (err != 0) {
		p->drop[status_of(err)] += o->iov_cnt;
		if (status_of(err) == VX6_AGAIN)
			p->tx_room = 0;
		return;
	}
	p->tx_frames += o->iov_cnt;
	d->unsent += DGRAM_MESSAGE;
	for (size_t i = 0; i < o->iov_cnt; i++) {
		p->tx_bytes += o->iov[i].iov_len;
		d->unsent += o->iov[i].iov_len;
	}
}

/* Those of the group that were sent, back to the pool. */
static void let_go(struct dgram *d, const struct groups *gs,
		   const struct group *g)
{
	unsigned at = g->first;

	for (unsigned i = 0; i < g->sent; i++) {
		port_give(d->port, &d->held[at], 1);
		d->held[at] = NULL;
		at = gs->next[at];
	}
}

/* Messages of so many frames and more go out. */
static void send_from(struct dgram *d, unsigned least)
{
	unsigned gathered = 0, outs = 0, kept = 0, done;
	struct groups gs;
	uint32_t room;

	group_all(&gs, d->held, d->held_cnt);
	for (unsigned i = 0; i < gs.cnt; i++)
		if (gs.group[i].cnt >= least)
			outs = runs_of(d, &gs, &gs.group[i], least, &gathered,
				       outs);
	done = net_send(&d->sock, d->out, outs);
	for (unsigned i = 0; i < outs; i++)
		count(d, &d->out[i], i < done ? d->out[i].err : EAGAIN);
	for (unsigned i = 0; i < gs.cnt; i++)
		let_go(d, &gs, &gs.group[i]);
	for (unsigned i = 0; i < d->held_cnt; i++)
		if (d->held[i] != NULL)
			d->held[kept++] = d->held[i];
	d->held_cnt = kept;
	if (kept == 0)
		d->held_for = 0;
	room = room_of(d);
	if (room < d->port->tx_room)
		d->port->tx_room = room;
	if (d->holds)
		d->port->pending = kept > 0;
}

static void flush(struct dgram *d)
{
	send_from(d, 1);
}

void dgram_tx(struct dgram *d, struct net_frame *f[], unsigned n)
{
	assert(n <= NET_BURST && d->held_cnt + n <= DGRAM_HELD);
	memcpy((void *)(d->held + d->held_cnt), (void *)f, n * sizeof(*f));
	d->held_cnt += n;
	if (d->holds && (is_waiting(d) || d->more) &&
	    d->held_cnt + NET_BURST <= DGRAM_HELD)
		send_from(d, DGRAM_WORTH);
	else
		flush(d);
}

/* ---- open, close ---- */

enum vx6_status dgram_open(struct dgram *d, struct port *port,
			   const struct port_opts *opts)
{
	const struct net_opts no = {
		.bind = opts->bind,
		.rcvbuf = opts->rcvbuf,
		.sndbuf = opts->sndbuf,
		.no_gso = opts->no_gso,
		.no_gro = opts->no_gro,
		.beside = opts->beside != NULL ? opts->beside->sock : NULL,
	};
	enum vx6_status st;

	*d = (struct dgram){ .port = port, .msgs = DGRAM_MSGS, .sock.fd = -1 };
	d->spill = mmap(NULL, DGRAM_MSGS * SPILL_LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d->spill == MAP_FAILED) {
		d->spill = NULL;
		return VX6_NO_MEMORY;
	}
	st = net_open(&d->sock, &no);
	port->at = d->sock.at;
	port->sock = &d->sock;
	return st;
}

void dgram_close(struct dgram *d)
{
	if (d->held_cnt > 0)
		flush(d);
	net_close(&d->sock);
	if (d->spill != NULL)
		munmap(d->spill, DGRAM_MSGS * SPILL_LEN);
	d->spill = NULL;
}
