/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_XDP_HOOK_H
#define VX6_XDP_HOOK_H

/* hook: the classifier's place before one interface, in native mode.
 *
 *     dispatcher   libxdp's: programs of several owners one behind the
 *                  other; needs bpffs at /sys/fs/bpf.  Stays when we die,
 *                  and is taken over by who comes next.
 *     plain        a BPF link of this process: ends with it
 *
 * The dispatcher is tried first, then the plain link, and what the latter
 * says is the reason of a refusal: it depends on nothing but the driver.
 *
 * A program that a killed process left is ours when it has our name and its
 * vx6_config our data port.  Whoever attaches holds that port's socket, so
 * no living process can own such a program.
 *
 * Ownership: the caller's struct; object and program end with hook_close.
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "xdp/xdp.h"

struct xdp_program;

struct hook {
	struct bpf_object *obj;   /* loaded while it is open */
	struct xdp_program *prog; /* dispatcher, else NULL */
	int link;                 /* plain, else -1 */
	unsigned ifindex;
};

/* hook_open attaches an object that shares with `shared`.  Results and
 * sentences are xdp_attach's. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
hook_open(struct hook *h, const struct bpf_object *shared, unsigned ifindex,
	  uint16_t data_port, bool no_dispatcher, char why[XDP_WHY]);

/* hook_close takes it off and leaves other programs as they were. */
VX6_NONNULL void hook_close(struct hook *h);

#endif
