/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp: a socket as a port.
 *
 * Receive.  Each message has a frame and, behind it, 64 KiB of spill:
 *
 *     one datagram      frame [ payload ]                 no copy
 *     a run (GRO)       frame [ 1st | 2nd.. ] spill [ ..2nd | 3rd | .. ]
 *
 * The first of a run stays where it is; what lies behind it in the frame
 * is moved in front of the spill, so that the rest is one piece, and each
 * of the rest is copied into a frame when a burst asks for it.
 *
 * Send.  Frames of a burst that go to one place in equal sizes become one
 * message with one iovec each, cut by the kernel (GSO): no copy. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/port/port.h"

#define MSGS      16u /* of one receive call */
#define SPILL_LEN ((size_t)NET_BUF_MIN + NET_FRAME_CAP)
_Static_assert(NET_BURST <= NET_BATCH, "a burst fits one net_send");

struct run { /* the rest of a message, not yet in frames */
	const uint8_t *at;
	size_t left;
	const struct net_pkt *pkt;
};

struct udp {
	struct port port; /* first, so that either pointer is the other */
	struct net_sock sock;
	struct net_frame *posted[MSGS];
	struct iovec iov[MSGS][2];
	struct net_pkt pkt[MSGS];
	uint8_t *spill;     /* MSGS of SPILL_LEN */
	unsigned got, next; /* messages of the last call, the next to split */
	struct run run;
	/* one burst to send */
	struct net_out out[NET_BURST];
	struct iovec gather[NET_BURST];
};

static struct udp *udp_of(struct port *p)
{
	return (struct udp *)p;
}

/* ---- receive ---- */

static uint8_t *spill_of(const struct udp *u, unsigned i)
{
	return u->spill + i * SPILL_LEN + NET_FRAME_CAP;
}

/* Posts a frame wherever one was used up; how many messages can be had. */
static unsigned post(struct udp *u)
{
	for (unsigned i = 0; i < MSGS; i++) {
		if (u->posted[i] == NULL) {
			u->posted[i] = port_take(&u->port);
			if (u->posted[i] == NULL)
				return i;
		}
		u->iov[i][0] = (struct iovec){ u->posted[i]->data,
					       NET_FRAME_CAP };
		u->iov[i][1] = (struct iovec){ spill_of(u, i), NET_BUF_MIN };
		u->pkt[i].iov = u->iov[i];
		u->pkt[i].iov_cnt = 2;
	}
	return MSGS;
}

static void describe(struct net_frame *f, const struct net_pkt *pkt, size_t len)
{
	f->len = (uint16_t)len;
	f->ecn = pkt->ecn;
	f->peer = pkt->from;
	f->self = pkt->to;
}

/* Takes the first datagram of message i; the rest becomes u->run.  NULL
 * where the message holds nothing that could be a cell. */
static struct net_frame *first_of(struct udp *u, unsigned i)
{
	const struct net_pkt *pkt = &u->pkt[i];
	struct net_frame *f = u->posted[i];

	if (pkt->segment == 0) { /* empty, or too long for any buffer */
		u->port.drop[VX6_BAD_SIZE]++;
		return NULL;
	}
	if (pkt->segment > NET_FRAME_CAP) {
		u->port.drop[VX6_BAD_SIZE] += (pkt->len + pkt->segment - 1u) /
					      pkt->segment;
		return NULL;
	}
	u->posted[i] = NULL;
	describe(f, pkt, pkt->segment);
	if (pkt->len > pkt->segment) {
		size_t behind = NET_FRAME_CAP - pkt->segment;
		size_t rest = pkt->len - pkt->segment;
		uint8_t *at = spill_of(u, i) - behind;

		memcpy(at, f->data + pkt->segment,
		       behind < rest ? behind : rest);
		u->run = (struct run){ at, rest, pkt };
	}
	return f;
}

/* The next datagram of u->run in a frame of its own; NULL: none free. */
static struct net_frame *next_of(struct udp *u)
{
	struct run *r = &u->run;
	struct net_frame *f = port_take(&u->port);
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
static unsigned split(struct udp *u, struct net_frame *f[], unsigned n)
{
	unsigned k = 0;

	while (k < n) {
		if (u->run.left > 0)
			f[k] = next_of(u);
		else if (u->next < u->got)
			f[k] = first_of(u, u->next++);
		else
			break;
		if (f[k] != NULL)
			u->port.rx_bytes += f[k++]->len;
		else if (u->run.left > 0)
			break; /* the pool is empty: go on next time */
	}
	return k;
}

static unsigned udp_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct udp *u = udp_of(p);
	unsigned k = split(u, f, n);

	while (k < n && u->run.left == 0 && u->next == u->got) {
		unsigned room = post(u);

		if (room == 0)
			break;
		u->next = 0;
		u->got = net_recv(&u->sock, u->pkt, room);
		k += split(u, f + k, n - k);
		if (u->got < room)
			break; /* the socket is empty */
	}
	p->rx_frames += k;
	p->drop[VX6_NO_ROOM] = u->sock.rx_overflow; /* nobody else counts it */
	return k;
}

/* ---- send ---- */

struct group { /* frames of one burst to one place, in order */
	const struct net_frame *like;
	unsigned first, last;
};

static bool same_place(const struct net_frame *a, const struct net_frame *b)
{
	return a->link == b->link &&
	       memcmp(&a->peer, &b->peer, sizeof(a->peer)) == 0 &&
	       memcmp(&a->self, &b->self, sizeof(a->self)) == 0;
}

/* Chains frames by destination: next[i] is the one after i, or i itself. */
static unsigned group_all(struct net_frame *const f[], unsigned n,
			  struct group g[], uint8_t next[])
{
	unsigned cnt = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = cnt;

		next[i] = (uint8_t)i;
		while (k > 0 && !same_place(g[k - 1].like, f[i]))
			k--;
		if (k == 0) {
			g[cnt++] = (struct group){ f[i], i, i };
			continue;
		}
		next[g[k - 1].last] = (uint8_t)i;
		g[k - 1].last = i;
	}
	return cnt;
}

/* True where a frame of len may follow in the run that out describes. */
static bool continues(const struct net_out *o, size_t cnt, size_t total,
		      size_t last, size_t len)
{
	return last == o->segment && len <= o->segment && cnt < NET_SEG_MAX &&
	       total + len <= NET_LEN_MAX;
}

/* Turns one group into runs; gather and out grow.  Returns the new count
 * of outs. */
static unsigned runs_of(struct udp *u, struct net_frame *const f[],
			const struct group *g, const uint8_t next[],
			unsigned *gathered, unsigned outs)
{
	struct net_out *o = NULL;
	size_t total = 0, last = 0;

	for (unsigned i = g->first;; i = next[i]) {
		struct iovec *v = &u->gather[(*gathered)++];
		size_t len = f[i]->len;

		*v = (struct iovec){ f[i]->data, len };
		if (o == NULL || !continues(o, o->iov_cnt, total, last, len)) {
			o = &u->out[outs++];
			*o = (struct net_out){ .to = f[i]->peer,
					       .from = f[i]->self,
					       .iov = v,
					       .segment = (uint16_t)len };
			total = 0;
		}
		o->iov_cnt++;
		total += len;
		last = len;
		if (next[i] == i)
			return outs;
	}
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

static void count(struct port *p, const struct net_out *o, int err)
{
	if (err != 0) {
		p->drop[status_of(err)] += o->iov_cnt;
		return;
	}
	p->tx_frames += o->iov_cnt;
	for (size_t i = 0; i < o->iov_cnt; i++)
		p->tx_bytes += o->iov[i].iov_len;
}

static void udp_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct udp *u = udp_of(p);
	struct group g[NET_BURST];
	uint8_t next[NET_BURST];
	unsigned groups, gathered = 0, outs = 0, done;

	assert(n <= NET_BURST);
	groups = group_all(f, n, g, next);
	for (unsigned i = 0; i < groups; i++)
		outs = runs_of(u, f, &g[i], next, &gathered, outs);
	done = net_send(&u->sock, u->out, outs);
	for (unsigned i = 0; i < outs; i++)
		count(p, &u->out[i], i < done ? u->out[i].err : EAGAIN);
	port_give(p, f, n);
}

static unsigned udp_fds(const struct port *p, int fd[PORT_FDS])
{
	fd[0] = ((const struct udp *)p)->sock.fd;
	return 1;
}

/* ---- open, close ---- */

static void udp_close(struct port *p)
{
	struct udp *u = udp_of(p);

	net_close(&u->sock);
	if (u->spill != NULL)
		munmap(u->spill, MSGS * SPILL_LEN);
	port_pool_free(p);
	free(u);
}

static const struct port_ops udp_ops = {
	.name = "udp",
	.rx = udp_rx,
	.tx = udp_tx,
	.fds = udp_fds,
	.close = udp_close,
};

static enum vx6_status udp_init(struct udp *u, const struct port_opts *opts)
{
	const struct net_opts no = {
		.bind = opts->bind,
		.rcvbuf = opts->rcvbuf,
		.sndbuf = opts->sndbuf,
		.no_gso = opts->no_gso,
		.no_gro = opts->no_gro,
	};
	enum vx6_status st = port_pool_init(&u->port, opts->frames);

	if (st != VX6_OK)
		return st;
	u->spill = mmap(NULL, MSGS * SPILL_LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (u->spill == MAP_FAILED) {
		u->spill = NULL;
		return VX6_NO_MEMORY;
	}
	st = net_open(&u->sock, &no);
	u->port.at = u->sock.at;
	return st;
}

enum vx6_status port_open_udp(struct port **out, const struct port_opts *opts)
{
	struct udp *u = aligned_alloc(VX6_CACHELINE, sizeof(*u));
	enum vx6_status st;

	*out = NULL;
	if (u == NULL)
		return VX6_NO_MEMORY;
	*u = (struct udp){ .port.ops = &udp_ops, .sock.fd = -1 };
	st = udp_init(u, opts);
	if (st != VX6_OK) {
		int why = errno;

		udp_close(&u->port);
		errno = why;
		return st;
	}
	*out = &u->port;
	return VX6_OK;
}

const struct net_sock *port_udp_sock(const struct port *p)
{
	return p->ops == &udp_ops ? &((const struct udp *)p)->sock : NULL;
}
