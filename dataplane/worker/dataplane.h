/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_DATAPLANE_H
#define VX6_DATAPLANE_WORKER_DATAPLANE_H

/* dataplane: the whole of vx6-dataplane but its command line.
 *
 *     dp_open    memory, port, tables, control socket   may say no, in words
 *     dp_run     worker thread, and control until told to stop
 *     dp_close   all of it back, keys wiped
 *
 * Several may live in one process, as in tests.
 *
 * Threads: dp_run's caller is the control thread; the worker has its own.
 * Signals are the caller's: dp_run ends when stop_fd becomes readable. */

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/worker/log.h"
#include "dataplane/worker/options.h"

struct dp;

/* dp_open.  Every refusal comes with a sentence in why that says what to
 * do: VX6_CONFIG, VX6_SYS, VX6_EXISTS, VX6_DENIED, VX6_NO_MEMORY,
 * VX6_UNSUPPORTED. *out is NULL then.  Makes o->run when it is not there. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status dp_open(struct dp **out,
						   const struct dp_options *o,
						   struct log *log,
						   char why[DP_WHY]);

/* dp_run forwards cells until stop_fd is readable.  VX6_SYS with a sentence
 * when the worker cannot be started. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status dp_run(struct dp *dp, int stop_fd,
						  char why[DP_WHY]);

/* dp_close; NULL is harmless. */
void dp_close(struct dp *dp);

/* dp_at is where cells arrive, with the port that was got. */
VX6_NONNULL struct vx6_addr dp_at(const struct dp *dp);

#endif
