/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_SANDBOX_TABLE_H
#define VX6_CONTROLPLANE_LOOP_SANDBOX_TABLE_H

/* sandbox_table: what vx6d still does when all is open.
 *
 * No capability and no program.  Its files are those of the state directory
 * and the run directory; sockets of UDP and TCP, of its commands and of the
 * data plane; netlink, to read this host's addresses; a pool of threads that
 * is there by then (loop_threads).
 *
 * Ownership: tables are static, the paths the caller's.  Threads: any. */

#include "dataplane/sandbox/sandbox.h"

#define VX6D_PLACES 3u

/* vx6d_sandbox is that; place is the caller's and lives as long. */
VX6_NONNULL struct sandbox vx6d_sandbox(struct sandbox_place place[VX6D_PLACES],
					const char *state, const char *run,
					bool json);

/* vx6d_sandbox_may are the attempts of sandbox_test that it permits. */
uint64_t vx6d_sandbox_may(void);

#endif
