/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_XSK_H
#define VX6_DATAPLANE_PORT_XSK_H

/* xsk: one AF_XDP socket on one queue of one interface, and its four rings
 * (Documentation/networking/af_xdp.rst in the kernel's tree).
 *
 *              fill  --> frames for what arrives    --+
 *     worker   rx    <-- frames that hold a packet  <-+  kernel
 *              tx    --> frames to be sent          --+
 *              comp  <-- frames that were sent      <-+
 *
 * Its frames are a memory area of the caller's, which each socket registers
 * as its own.  The alternative, one registration shared by all sockets
 * (XDP_SHARED_UMEM), makes the first socket the owner: it must outlive its
 * interface, and copy and zero-copy cannot be mixed.  Registered per socket,
 * each lives and dies with its interface, and a frame that came by one still
 * leaves by any other without a copy, because the memory is the same.  The
 * price is that each pins the pages again (RLIMIT_MEMLOCK, or CAP_IPC_LOCK).
 *
 * Ring entries are reached by a ring's own pointers that are published once
 * a burst.
 *
 * Ownership: the caller's struct; it owns descriptor and mappings.
 * Threads: open and close on any one while nobody uses the rings. */

#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/af_xdp_rights.h"

/* Entries of the rings, powers of two.  What arrives while the worker has no
 * core waits in fill and rx (af_xdp.h says how many frames are posted there);
 * what the kernel has not sent yet in tx and comp. */
#define XSK_RX   16384u
#define XSK_FILL XSK_RX
#define XSK_TX   512u
#define XSK_COMP XSK_TX

enum xsk_mode {           /* as asked for */
		XSK_AUTO, /* zero-copy where the driver can, else copy */
		XSK_COPY,
		XSK_ZEROCOPY
};

struct xsk_ring {
	_Atomic uint32_t *producer, *consumer;
	const _Atomic uint32_t *flags;
	void *entry;
	uint32_t mask;
	uint32_t at;   /* our own side, not yet published */
	uint32_t seen; /* the other side, as last read */
	void *map;
	size_t map_len;
};

struct xsk {
	int fd;
	bool zerocopy;
	struct xsk_ring fill, rx, tx, comp;
};

/* xsk_open makes a socket over memory of frames and binds it to a queue, both
 * by the rights of r.
 * VX6_SYS with errno: EBUSY (the queue's last socket is still being taken
 * down: try again in a moment), ENODEV, EPERM, ENOBUFS (RLIMIT_MEMLOCK),
 * EOPNOTSUPP (no such mode here), EAFNOSUPPORT (a kernel without AF_XDP);
 * *x is then closed already. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
xsk_open(struct xsk *x, struct rights *r, const struct rights_umem *m,
	 unsigned ifindex, unsigned queue, enum xsk_mode mode);

/* xsk_close: when it returns, a copying kernel reads and writes nothing of
 * mem any more; a zero-copy driver stops a moment later.  Harmless where fd
 * is -1. */
VX6_NONNULL void xsk_close(struct xsk *x);

/* xsk_lost is how many packets have come that there was no room for, in fill
 * or in rx, since it was opened.  A system call. */
VX6_MUST_CHECK VX6_NONNULL uint64_t xsk_lost(const struct xsk *x);

/* xsk_kick makes the kernel look at tx; false with errno: not all was
 * taken.  The one system call of the hot path. */
VX6_NONNULL bool xsk_kick(const struct xsk *x);

/* ---- rings that we produce into ---- */

/* xsk_room says how many entries may be put; look, because it reads the
 * kernel's side, only once a burst. */
VX6_NONNULL static inline uint32_t xsk_room(struct xsk_ring *r)
{
	r->seen = atomic_load_explicit(r->consumer, memory_order_acquire);
	return r->mask + 1u - (r->at - r->seen);
}

VX6_NONNULL static inline void xsk_put_addr(struct xsk_ring *r, uint64_t addr)
{
	((uint64_t *)r->entry)[r->at++ & r->mask] = addr;
}

VX6_NONNULL static inline void xsk_put(struct xsk_ring *r, uint64_t addr,
				       uint32_t len)
{
	((struct xdp_desc *)r->entry)[r->at++ & r->mask] =
		(struct xdp_desc){ .addr = addr, .len = len };
}

VX6_NONNULL static inline void xsk_publish(struct xsk_ring *r)
{
	atomic_store_explicit(r->producer, r->at, memory_order_release);
}

VX6_NONNULL static inline bool xsk_wants_kick(const struct xsk_ring *r)
{
	return (atomic_load_explicit(r->flags, memory_order_relaxed) &
		XDP_RING_NEED_WAKEUP) != 0;
}

/* ---- rings that we consume ---- */

VX6_NONNULL static inline uint32_t xsk_ready(struct xsk_ring *r)
{
	r->seen = atomic_load_explicit(r->producer, memory_order_acquire);
	return r->seen - r->at;
}

VX6_NONNULL static inline uint64_t xsk_get_addr(struct xsk_ring *r)
{
	return ((const uint64_t *)r->entry)[r->at++ & r->mask];
}

VX6_NONNULL static inline struct xdp_desc xsk_get(struct xsk_ring *r)
{
	return ((const struct xdp_desc *)r->entry)[r->at++ & r->mask];
}

VX6_NONNULL static inline void xsk_release(struct xsk_ring *r)
{
	atomic_store_explicit(r->consumer, r->at, memory_order_release);
}

#endif
