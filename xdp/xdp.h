/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_XDP_XDP_H
#define VX6_XDP_XDP_H

/* xdp: the classifier of this node, loaded once and put before interfaces.
 *
 *     xdp_open      shared maps; the program is part of this binary
 *     xdp_attach    one interface, native mode: its own program and maps
 *     xdp_detach    takes it off and leaves other programs as they were
 *     xdp_close
 *
 * Attaching is libxdp's: beside other programs where its dispatcher works,
 * by a plain link of our own otherwise, which ends with this process.  A
 * classifier of ours that a killed process left on the interface is taken
 * off first; anybody else's program is never touched.
 *
 * Ownership: sockets put into an interface's vx6_xsk stay the caller's.
 * Threads: open, attach, detach and close on one; xdp_links' memory is
 * written by the worker, xdp_counts may be called on any.
 * Privilege: open and attach need CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON, and
 * get a plain link with these.  The dispatcher takes CAP_SYS_ADMIN and a
 * writable /sys/fs/bpf besides, to detach as well: who has given that up
 * leaves its classifier there, which passes what no socket takes, and whoever
 * comes next takes it over.  The rest needs none. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "xdp/abi.h"

#define XDP_WHY 256u /* room for one sentence for people */
#define XDP_IFS 8u   /* interfaces of one node */

struct xdp;

struct xdp_opts {
	uint32_t links; /* entries of vx6_link */
	uint16_t data_port;
	uint16_t control_port[VX6_XDP_CONTROLS]; /* 0 = none */
	uint16_t len_min, len_max;
	uint64_t shake_ns, shake_most;
	bool no_dispatcher; /* a plain link even where the dispatcher works */
};

struct xdp_if { /* one interface, filled by xdp_attach */
	unsigned ifindex;
	bool dispatcher; /* else a plain link */
	int xsk_map;     /* descriptor of its vx6_xsk; the room's */
};

/* xdp_open loads the shared maps.  Every refusal comes with a sentence in
 * why that says what to do: VX6_DENIED (no privilege), VX6_UNSUPPORTED (this
 * kernel has no XDP, BTF or such maps), VX6_NO_MEMORY, VX6_CONFIG (options
 * that cannot be), VX6_SYS with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
xdp_open(struct xdp **out, const struct xdp_opts *opts, char why[XDP_WHY]);

/* xdp_attach.  VX6_OK: why is empty, or says why it is a plain link though a
 * dispatcher was not refused.  VX6_UNSUPPORTED (the driver has no native XDP,
 * or the MTU is too large for it), VX6_EXISTS (another program is there and no
 * dispatcher can take both), VX6_NOT_FOUND (no such interface), VX6_NO_ROOM
 * (XDP_IFS), VX6_DENIED, VX6_SYS; each with a sentence. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status xdp_attach(struct xdp *x,
						      unsigned ifindex,
						      struct xdp_if **out,
						      char why[XDP_WHY]);
VX6_NONNULL void xdp_detach(struct xdp *x, struct xdp_if *i);

/* xdp_close detaches what is attached; NULL is harmless. */
void xdp_close(struct xdp *x);

/* xdp_part lets go of all descriptors, for a process whose child goes on with
 * them.  Only xdp_links' memory and xdp_close are of use afterwards.  Nothing
 * is attached then. */
VX6_NONNULL void xdp_part(struct xdp *x);

/* xdp_links is vx6_link, mapped: opts.links entries, all unused at first. */
VX6_NONNULL struct vx6_xdp_link *xdp_links(struct xdp *x);

/* xdp_link_set says whom a link's cells come from (port 0: nobody yet);
 * xdp_link_clear that there is no such link.  The worker's; no system call. */
VX6_NONNULL void xdp_link_set(struct vx6_xdp_link *l,
			      const struct vx6_addr *peer);
VX6_NONNULL void xdp_link_clear(struct vx6_xdp_link *l);

/* xdp_local_set replaces the addresses that cells may be sent to: packets
 * for others pass.  n <= VX6_XDP_LOCALS, ports are ignored.  VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
xdp_local_set(struct xdp *x, const struct vx6_addr a[], unsigned n);

/* xdp_counts sums all interfaces and CPUs since xdp_open, those detached
 * meanwhile included. */
VX6_NONNULL void xdp_counts(struct xdp *x, uint64_t out[VX6_XDP_REASON_CNT]);

#endif
