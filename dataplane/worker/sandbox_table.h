/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H
#define VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H

/* sandbox_table: what vx6-dataplane still does when all is open.
 *
 * No capability, no file: its sockets, memory and threads are there by then,
 * and the socket's name in the run directory stays behind when it ends (who
 * starts next finds that nobody listens, and takes it over).
 *
 * AF_XDP takes no more: what taking an interface again needs is done by the
 * keeper (port/keeper.h), whose table is here as well.  That one has the
 * capabilities of the list below, the maps and programs of bpf(2), and
 * libxdp's place below /sys/fs/bpf.  Files elsewhere, programs and other calls
 * are forbidden to it likewise.
 *
 * DPDK's devices are open by then, and its drivers ask for next to nothing
 * afterwards.  Its threads are there as well, and give up the same.  What a
 * driver would do at the end is left to the kernel, which takes everything
 * back from a process that is no more.
 *
 * Ownership: static.  Threads: any. */

#include "config/config.h"
#include "dataplane/sandbox/sandbox.h"

/* dp_sandbox is that, with the form of the log, for what carries the cells. */
struct sandbox dp_sandbox(bool json, enum config_backend backend);

/* dp_sandbox_keeper is the keeper's. */
struct sandbox dp_sandbox_keeper(bool json);

/* The attempts of sandbox_test that they permit. */
uint64_t dp_sandbox_may(void);
uint64_t dp_sandbox_keeper_may(void);

#endif
