/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/xsk.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

static bool map_ring(const struct xsk *x, struct xsk_ring *r, uint32_t cnt,
		     size_t each, const struct xdp_ring_offset *off,
		     off_t where)
{
	uint8_t *map;

	r->map_len = off->desc + cnt * each;
	map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, x->fd, where);
	if (map == MAP_FAILED)
		return false;
	/* a child's mapping would hold the queue after we closed it */
	(void)madvise(map, r->map_len, MADV_DONTFORK);
	r->map = map;
	r->producer = (_Atomic uint32_t *)(void *)(map + off->producer);
	r->consumer = (_Atomic uint32_t *)(void *)(map + off->consumer);
	r->flags = (_Atomic uint32_t *)(void *)(map + off->flags);
	r->entry = map + off->desc;
	r->mask = cnt - 1u;
	return true;
}

static bool map_rings(struct xsk *x)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);

	return getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) == 0 &&
	       map_ring(x, &x->fill, XSK_FILL, sizeof(uint64_t), &off.fr,
			(off_t)XDP_UMEM_PGOFF_FILL_RING) &&
	       map_ring(x, &x->comp, XSK_COMP, sizeof(uint64_t), &off.cr,
			(off_t)XDP_UMEM_PGOFF_COMPLETION_RING) &&
	       map_ring(x, &x->rx, XSK_RX, sizeof(struct xdp_desc), &off.rx,
			XDP_PGOFF_RX_RING) &&
	       map_ring(x, &x->tx, XSK_TX, sizeof(struct xdp_desc), &off.tx,
			XDP_PGOFF_TX_RING);
}

static enum vx6_status open_as(struct xsk *x, struct rights *r,
			       const struct rights_umem *m,
			       const struct rights_queue *q)
{
	*x = (struct xsk){ .fd = rights_sock(r, m), .zerocopy = q->zerocopy };
	if (x->fd < 0)
		return VX6_SYS;
	if (!map_rings(x) || !rights_bind(r, x->fd, q)) {
		int why = errno;

		xsk_close(x);
		errno = why;
		return VX6_SYS;
	}
	(void)xsk_kick(x); /* some drivers begin only when asked once */
	return VX6_OK;
}

enum vx6_status xsk_open(struct xsk *x, struct rights *r,
			 const struct rights_umem *m, unsigned ifindex,
			 unsigned queue, enum xsk_mode mode)
{
	struct rights_queue q = { ifindex, queue, .zerocopy = true };

	if (mode != XSK_COPY) {
		enum vx6_status st = open_as(x, r, m, &q);

		if (st == VX6_OK || mode == XSK_ZEROCOPY || errno == EBUSY)
			return st;
	}
	q.zerocopy = false;
	return open_as(x, r, m, &q);
}

static void unmap(struct xsk_ring *r)
{
	if (r->map != NULL)
		munmap(r->map, r->map_len);
	r->map = NULL;
}

void xsk_close(struct xsk *x)
{
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	unmap(&x->fill);
	unmap(&x->rx);
	unmap(&x->tx);
	unmap(&x->comp);
}

bool xsk_kick(const struct xsk *x)
{
	return sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0;
}

uint64_t xsk_lost(const struct xsk *x)
{
	struct xdp_statistics n = { 0 };
	socklen_t len = sizeof(n);

	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &n, &len) != 0)
		return 0;
	return n.rx_dropped + n.rx_ring_full;
}
