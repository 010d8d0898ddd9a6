/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_AF_XDP_RIGHTS_H
#define VX6_DATAPLANE_PORT_AF_XDP_RIGHTS_H

/* af_xdp_rights: every step of the af_xdp port that needs privilege, and no
 * other.
 *
 *     rights_open                maps, the program          links' memory
 *     rights_locals              this host's addresses
 *     rights_attach, _detach     one interface: classifier on, off
 *     rights_sock, _bind         one queue: a socket        a descriptor
 *     rights_enter, _leave       its place in the interface's map
 *
 * What goes in and comes out is plain data and descriptors, so whoever has
 * the privilege need not be who has the cells: after rights_keep all of this
 * is done by a process of its own (keeper.h), and the caller needs no
 * privilege any more.  Between rights_sock and
 * rights_bind the rings are mapped, by their user: the kernel maps none of a
 * socket that is bound.
 *
 * An interface is called by its slot, which is the caller's to choose.
 * Ownership: descriptors from rights_sock are the caller's.
 * Threads: one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "xdp/xdp.h"

#define RIGHTS_AREAS 16u /* of frames */
#define RIGHTS_NAME  16u /* of an interface, with its NUL */

struct rights;
struct sandbox; /* dataplane/sandbox/sandbox.h */

/* rights_open: as xdp_open.  rights_close detaches what is attached; NULL is
 * harmless. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
rights_open(struct rights **out, const struct xdp_opts *o, char why[XDP_WHY]);
void rights_close(struct rights *r);

/* rights_links is the memory of xdp_links, rights_counts as xdp_counts. */
VX6_NONNULL struct vx6_xdp_link *rights_links(const struct rights *r);
VX6_NONNULL void rights_counts(struct rights *r,
			       uint64_t out[VX6_XDP_REASON_CNT]);

/* rights_locals: as xdp_local_set. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
rights_locals(struct rights *r, const struct vx6_addr a[], unsigned n);

/* rights_attach puts the classifier before an interface, which is slot
 * (0..XDP_IFS-1) from then on; refusals are those of xdp_attach.
 * rights_detach takes it off. */
struct rights_if {
	bool dispatcher; /* else a plain link */
};
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
rights_attach(struct rights *r, unsigned slot, unsigned ifindex,
	      struct rights_if *is, char why[XDP_WHY]);
VX6_NONNULL void rights_detach(struct rights *r, unsigned slot);

/* rights_sock makes a socket over memory of frames, with its four rings; -1
 * with errno.  rights_bind gives it a queue; false with errno. */
struct rights_umem {
	void *mem; /* shared with children, where rights_keep is called */
	size_t len;
	uint32_t chunk; /* of one frame */
};
struct rights_queue {
	unsigned ifindex, queue;
	bool zerocopy;
};
VX6_MUST_CHECK VX6_NONNULL int rights_sock(struct rights *r,
					   const struct rights_umem *m);
VX6_MUST_CHECK VX6_NONNULL bool rights_bind(struct rights *r, int fd,
					    const struct rights_queue *q);

/* rights_enter lets a queue's cells into a socket; false with errno.
 * rights_leave ends that: they pass to the kernel. */
VX6_MUST_CHECK VX6_NONNULL bool rights_enter(struct rights *r, unsigned slot,
					     uint32_t queue, int fd);
VX6_NONNULL void rights_leave(struct rights *r, unsigned slot, uint32_t queue);

/* ---- by another process ---- */

/* What may be asked of it: interfaces by name (none: chosen.h), frames,
 * ways to bind.  say is as af_xdp_opts has it, called in that process. */
struct rights_law {
	char interface[XDP_IFS][RIGHTS_NAME];
	unsigned interface_cnt;
	struct rights_umem area[RIGHTS_AREAS];
	unsigned area_cnt;
	bool copy, zerocopy;
	void (*say)(void *ctx, bool warn, const char *event,
		    const char *interface, const char *text);
	void *ctx;
};

/* rights_keep hands all of it to a process of box, while no interface is
 * attached and there is one thread; what is called afterwards is asked of it.
 * Failures as keeper_start's.  rights_fd becomes readable when that process
 * ends, -1: there is none; rights_lost: it has. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
rights_keep(struct rights *r, const struct rights_law *law,
	    const struct sandbox *box, char why[XDP_WHY]);
VX6_NONNULL int rights_fd(const struct rights *r);
VX6_MUST_CHECK VX6_NONNULL bool rights_lost(const struct rights *r);

/* rights_refused is how often it was asked for what the law does not allow,
 * as rights_counts was told last. */
VX6_NONNULL uint64_t rights_refused(const struct rights *r);

#endif
