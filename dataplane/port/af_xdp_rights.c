/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/af_xdp_rights.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/keeper.h"
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
	int keeper;                 /* who does it; -1: we do */
	struct rights_law law;      /* of the keeper */
	uint64_t refused;
};

enum vx6_status rights_open(struct rights **out, const struct xdp_opts *o,
			    char why[XDP_WHY])
{
	struct rights *r = calloc(1, sizeof(*r));
	enum vx6_status st;

	*out = NULL;
	if (r == NULL)
		return VX6_NO_MEMORY;
	r->keeper = -1;
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
	if (r->keeper >= 0)
		keeper_end(r->keeper);
	xdp_close(r->xdp);
	free(r);
}

struct vx6_xdp_link *rights_links(const struct rights *r)
{
	return xdp_links(r->xdp);
}

void rights_counts(struct rights *r, uint64_t out[VX6_XDP_REASON_CNT])
{
	if (r->keeper >= 0)
		keeper_counts(r->keeper, out, &r->refused);
	else
		xdp_counts(r->xdp, out);
}

enum vx6_status rights_locals(struct rights *r, const struct vx6_addr a[],
			      unsigned n)
{
	return r->keeper >= 0 ? keeper_locals(r->keeper, a, n)
			      : xdp_local_set(r->xdp, a, n);
}

enum vx6_status rights_attach(struct rights *r, unsigned slot, unsigned ifindex,
			      struct rights_if *is, char why[XDP_WHY])
{
	enum vx6_status st;

	if (r->keeper >= 0)
		return keeper_attach(r->keeper, slot, ifindex, is, why);
	st = xdp_attach(r->xdp, ifindex, &r->at[slot], why);
	if (st == VX6_OK)
		is->dispatcher = r->at[slot]->dispatcher;
	return st;
}

void rights_detach(struct rights *r, unsigned slot)
{
	if (r->keeper >= 0) {
		keeper_detach(r->keeper, slot);
		return;
	}
	xdp_detach(r->xdp, r->at[slot]);
	r->at[slot] = NULL;
}

static bool set(int fd, int name, const void *v, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, name, v, len) == 0;
}

/* The keeper has the areas that there were, by their numbers. */
static int kept_sock(const struct rights *r, const struct rights_umem *m)
{
	for (unsigned i = 0; i < r->law.area_cnt; i++)
		if (r->law.area[i].mem == m->mem)
			return keeper_sock(r->keeper, i);
	errno = EINVAL;
	return -1;
}

int rights_sock(struct rights *r, const struct rights_umem *m)
{
	const struct xdp_umem_reg reg = { .addr = (uintptr_t)m->mem,
					  .len = m->len,
					  .chunk_size = m->chunk };
	const uint32_t fill = XSK_FILL, comp = XSK_COMP, rx = XSK_RX,
		       tx = XSK_TX;
	const int sndbuf = SNDBUF;
	int fd;

	if (r->keeper >= 0)
		return kept_sock(r, m);
	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
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

	if (r->keeper >= 0)
		return keeper_bind(r->keeper, q);
	return bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
}

bool rights_enter(struct rights *r, unsigned slot, uint32_t queue, int fd)
{
	if (r->keeper >= 0)
		return keeper_enter(r->keeper, slot, queue, fd);
	return bpf_map_update_elem(r->at[slot]->xsk_map, &queue, &fd,
				   BPF_ANY) == 0;
}

void rights_leave(struct rights *r, unsigned slot, uint32_t queue)
{
	if (r->keeper >= 0)
		keeper_leave(r->keeper, slot, queue);
	else
		(void)bpf_map_delete_elem(r->at[slot]->xsk_map, &queue);
}

enum vx6_status rights_keep(struct rights *r, const struct rights_law *law,
			    const struct sandbox *box, char why[XDP_WHY])
{
	enum vx6_status st;

	r->law = *law;
	st = keeper_start(&r->keeper, r, &r->law, box, why);
	if (st == VX6_OK)
		xdp_part(r->xdp);
	return st;
}

int rights_fd(const struct rights *r)
{
	return r->keeper;
}

bool rights_lost(const struct rights *r)
{
	return r->keeper >= 0 && keeper_is_gone(r->keeper);
}

uint64_t rights_refused(const struct rights *r)
{
	return r->refused;
}
