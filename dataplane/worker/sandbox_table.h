/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H
#define VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H

/* sandbox_table: what vx6-dataplane still does when all is open.
 *
 * No capability, no file: its sockets, memory and threads are there by then,
 * and the socket's name in the run directory stays behind when it ends (who
 * starts next finds that nobody listens, and takes it over).
 *
 * Ownership: static.  Threads: any. */

#include "dataplane/sandbox/sandbox.h"

/* dp_sandbox is that, with the form of the log. */
struct sandbox dp_sandbox(bool json);

/* dp_sandbox_may are the attempts of sandbox_test that it permits. */
uint64_t dp_sandbox_may(void);

#endif
