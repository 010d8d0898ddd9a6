/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_VETH_H
#define VX6_TESTS_SUPPORT_VETH_H

/* veth: a network namespace for this process, and a cable in it.
 *
 *     near (vx6n) ==== far (vx6f)      both ends in this namespace
 *
 * What is written to the far end's packet socket arrives at the near end as
 * from a wire, in the driver, where native XDP runs.  The ends have no
 * addresses: the kernel says nothing there by itself.  The namespace has no
 * name: it ends with the process, however that ends.  Threads that exist
 * already stay where they are. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

struct veth {
	unsigned near, far; /* ifindex */
	int wire;           /* packet socket on the far end */
	int back;           /* and on the near end */
};

/* veth_open.  false where it may not be made; a line for tests/run says why
 * (and veth_may says it again for each test). */
VX6_MUST_CHECK VX6_NONNULL bool veth_open(struct veth *v);
VX6_NONNULL void veth_close(struct veth *v);
bool veth_may(void);

/* veth_send puts a frame on the wire towards the near end. */
VX6_NONNULL void veth_send(const struct veth *v, const void *frame, size_t len);

/* veth_run runs a command line; true where it ended with 0.  What it says
 * is not shown. */
VX6_MUST_CHECK VX6_NONNULL bool veth_run(const char *command);

#endif
