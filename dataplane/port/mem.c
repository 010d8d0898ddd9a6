/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "dataplane/port/port.h"

/* A queue never holds more than all frames, so it is never full. */
struct queue {
	struct net_frame **slot;
	uint32_t head, cnt, cap;
};

struct mem {
	struct port port; /* first, so that either pointer is the other */
	struct queue in, out;
};

static struct mem *mem_of(struct port *p)
{
	return (struct mem *)p;
}

static void queue_put(struct queue *q, struct net_frame *f)
{
	uint32_t at = q->head + q->cnt++;

	q->slot[at < q->cap ? at : at - q->cap] = f;
}

static struct net_frame *queue_get(struct queue *q)
{
	struct net_frame *f = q->slot[q->head];

	q->cnt--;
	q->head = q->head + 1u < q->cap ? q->head + 1u : 0;
	return f;
}

static unsigned mem_rx(struct port *p, struct net_frame *f[], unsigned n)
{
	struct queue *q = &mem_of(p)->in;
	uint64_t bytes = 0;

	if (n > q->cnt)
		n = q->cnt;
	for (unsigned i = 0; i < n; i++) {
		f[i] = queue_get(q);
		vx6_prefetch_w(f[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		/* and the line in front, where other ports read headers */
		vx6_prefetch_w(f[i]->data - 1);
		vx6_prefetch_w(f[i]->data);
		bytes += f[i]->len;
	}
	p->rx_bytes += bytes;
	p->rx_frames += n;
	return n;
}

static void mem_tx(struct port *p, struct net_frame *f[], unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		queue_put(&mem_of(p)->out, f[i]);
		bytes += f[i]->len;
	}
	p->tx_bytes += bytes;
	p->tx_frames += n;
	if (p->tx_room != PORT_ROOM) /* a test says so */
		p->tx_room -= n < p->tx_room ? n : p->tx_room;
}

static unsigned mem_fds(struct port *p, int fd[PORT_FDS])
{
	(void)p;
	(void)fd;
	return 0;
}

static void mem_close(struct port *p)
{
	struct mem *m = mem_of(p);

	free((void *)m->in.slot);
	free((void *)m->out.slot);
	port_pool_free(p);
	free(m);
}

static const struct port_ops mem_ops = {
	.name = "mem",
	.rx = mem_rx,
	.tx = mem_tx,
	.fds = mem_fds,
	.close = mem_close,
};

enum vx6_status port_open_mem(struct port **out, const struct port_opts *opts)
{
	struct mem *m = aligned_alloc(VX6_CACHELINE, sizeof(*m));
	enum vx6_status st;

	*out = NULL;
	if (m == NULL)
		return VX6_NO_MEMORY;
	*m = (struct mem){ .port.ops = &mem_ops, .port.at = opts->bind };
	st = port_pool_init(&m->port, opts->frames, false);
	if (st != VX6_OK) {
		free(m);
		return st;
	}
	m->in.cap = m->out.cap = m->port.frame_cnt;
	m->in.slot = (struct net_frame **)calloc(m->in.cap, sizeof(void *));
	m->out.slot = (struct net_frame **)calloc(m->in.cap, sizeof(void *));
	*out = &m->port;
	if (m->in.slot != NULL && m->out.slot != NULL)
		return VX6_OK;
	port_close(*out);
	*out = NULL;
	return VX6_NO_MEMORY;
}

bool port_mem_put(struct port *p, const void *data, size_t len,
		  const struct vx6_addr *peer)
{
	struct net_frame *f;

	if (len > NET_FRAME_CAP || (f = port_take(p)) == NULL)
		return false;
	memcpy(f->data, data, len);
	f->len = (uint16_t)len;
	f->peer = *peer;
	f->self = p->at;
	queue_put(&mem_of(p)->in, f);
	return true;
}

void port_mem_queue(struct port *p, struct net_frame *f)
{
	queue_put(&mem_of(p)->in, f);
}

struct net_frame *port_mem_get(struct port *p)
{
	struct mem *m = mem_of(p);

	return m->out.cnt > 0 ? queue_get(&m->out) : NULL;
}
