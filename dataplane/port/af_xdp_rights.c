/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/af_xdp_rights.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/xsk.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* What the kernel's copies of all frames in tx may weigh: more than they
 * can, so that a socket's buffer is never what holds a cell back. */
#define SNDBUF (XSK_TX * 4096)

struct rights {
	struct xdp *xdp;
	struct xdp_if *at[XDP_IFS]; /* by slot; NULL = none */
};

enum vx6_status rights_open(struct rights **out, const struct xdp_opts *o,
			    char why[XDP_WHY])
{
	struct rights *r = calloc(1, sizeof(*r));
	enum vx6_status st;

	*out = NULL;
	if (r == NULL)
		return VX6_NO_MEMORY;
	st = xdp_open(&r->xdp, o, why);
	if (st != VX6_OK) {
		free(r);
		return st;
	}
	*out = r;
	return VX6_OK;
}

void rights_close(struct rights *r)
{
	if (r == NULL)
		return;
	xdp_close(r->xdp);
	free(r);
}

struct vx6_xdp_link *rights_links(const struct rights *r)
{
	return xdp_links(r->xdp);
}

void rights_counts(const struct rights *r, uint64_t out[VX6_XDP_REASON_CNT])
{
	xdp_counts(r->xdp, out);
}

enum vx6_status rights_locals(struct rights *r, const struct vx6_addr a[],
			      unsigned n)
{
	return xdp_local_set(r->xdp, a, n);
}

enum vx6_status rights_attach(struct rights *r, unsigned slot, unsigned ifindex,
			      struct rights_if *is, char why[XDP_WHY])
{
	enum vx6_status st = xdp_attach(r->xdp, ifindex, &r->at[slot], why);

	if (st == VX6_OK)
		is->dispatcher = r->at[slot]->dispatcher;
	return st;
}

void rights_detach(struct rights *r, unsigned slot)
{
	xdp_detach(r->xdp, r->at[slot]);
	r->at[slot] = NULL;
}

static bool set(int fd, int name, const void *v, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, v, len) == 0;
}

int rights_sock(struct rights *r, const struct rights_umem *m)
{
	const struct xdp_umem_reg reg = { .addr = (uintptr_t)m->mem,
					  .len = m->len,
					  .chunk_size = m->chunk };
	const uint32_t fill = XSK_FILL, comp = XSK_COMP, rx = XSK_RX,
		       tx = XSK_TX;
	const int sndbuf = SNDBUF;
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	(void)r;
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf,
			 sizeof(sndbuf));
	if (!set(fd, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	    !set(fd, XDP_UMEM_FILL_RING, &fill, sizeof(fill)) ||
	    !set(fd, XDP_UMEM_COMPLETION_RING, &comp, sizeof(comp)) ||
	    !set(fd, XDP_RX_RING, &rx, sizeof(rx)) ||
	    !set(fd, XDP_TX_RING, &tx, sizeof(tx))) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

bool rights_bind(struct rights *r, int fd, const struct rights_queue *q)
{
	const struct sockaddr_xdp sa = {
		.sxdp_family = AF_XDP,
		.sxdp_flags =
			(uint16_t)((q->zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
				   XDP_USE_NEED_WAKEUP),
		.sxdp_ifindex = q->ifindex,
		.sxdp_queue_id = q->queue
	};

	(void)r;
	return bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
}

bool rights_enter(struct rights *r, unsigned slot, uint32_t queue, int fd)
{
	return bpf_map_update_elem(r->at[slot]->xsk_map, &queue, &fd,
				   BPF_ANY) == 0;
}

void rights_leave(struct rights *r, unsigned slot, uint32_t queue)
{
	(void)bpf_map_delete_elem(r->at[slot]->xsk_map, &queue);
}
