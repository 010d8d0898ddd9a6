/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/xsk.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* What the kernel's copies of all frames in tx may weigh: more than they
 * can, so that a socket's buffer is never what holds a cell back. */
#define SNDBUF (XSK_TX * 4096)

static bool set(int fd, int name, const void *v, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, v, len) == 0;
}

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
	r->map = map;
	r->producer = (_Atomic uint32_t *)(void *)(map + off->producer);
	r->consumer = (_Atomic uint32_t *)(void *)(map + off->consumer);
	r->flags = (_Atomic uint32_t *)(void *)(map + off->flags);
	r->entry = map + off->desc;
	r->mask = cnt - 1u;
	return true;
}

static bool make_rings(struct xsk *x)
{
	const uint32_t fill = XSK_FILL, comp = XSK_COMP, rx = XSK_RX,
		       tx = XSK_TX;
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);

	return set(x->fd, XDP_UMEM_FILL_RING, &fill, sizeof(fill)) &&
	       set(x->fd, XDP_UMEM_COMPLETION_RING, &comp, sizeof(comp)) &&
	       set(x->fd, XDP_RX_RING, &rx, sizeof(rx)) &&
	       set(x->fd, XDP_TX_RING, &tx, sizeof(tx)) &&
	       getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) == 0 &&
	       map_ring(x, &x->fill, fill, sizeof(uint64_t), &off.fr,
			(off_t)XDP_UMEM_PGOFF_FILL_RING) &&
	       map_ring(x, &x->comp, comp, sizeof(uint64_t), &off.cr,
			(off_t)XDP_UMEM_PGOFF_COMPLETION_RING) &&
	       map_ring(x, &x->rx, rx, sizeof(struct xdp_desc), &off.rx,
			XDP_PGOFF_RX_RING) &&
	       map_ring(x, &x->tx, tx, sizeof(struct xdp_desc), &off.tx,
			XDP_PGOFF_TX_RING);
}

static enum vx6_status open_as(struct xsk *x, void *mem, size_t len,
			       uint32_t chunk, unsigned ifindex, unsigned queue,
			       uint16_t mode)
{
	const struct xdp_umem_reg reg = { .addr = (uintptr_t)mem,
					  .len = len,
					  .chunk_size = chunk };
	const struct sockaddr_xdp sa = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = (uint16_t)(mode | XDP_USE_NEED_WAKEUP),
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = queue
	};
	const int sndbuf = SNDBUF;

	*x = (struct xsk){ .fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0),
			   .zerocopy = mode == XDP_ZEROCOPY };
	if (x->fd < 0)
		return VX6_SYS;
	(void)setsockopt(x->fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf,
			 sizeof(sndbuf));
	if (!set(x->fd, XDP_UMEM_REG, &reg, sizeof(reg)) || !make_rings(x) ||
	    bind(x->fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
		int why = errno;

		xsk_close(x);
		errno = why;
		return VX6_SYS;
	}
	(void)xsk_kick(x); /* some drivers begin only when asked once */
	return VX6_OK;
}

enum vx6_status xsk_open(struct xsk *x, void *mem, size_t len, uint32_t chunk,
			 unsigned ifindex, unsigned queue, enum xsk_mode mode)
{
	if (mode != XSK_COPY) {
		enum vx6_status st = open_as(x, mem, len, chunk, ifindex, queue,
					     XDP_ZEROCOPY);

		if (st == VX6_OK || mode == XSK_ZEROCOPY || errno == EBUSY)
			return st;
	}
	return open_as(x, mem, len, chunk, ifindex, queue, XDP_COPY);
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
