/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H
#define VX6_DATAPLANE_WORKER_SANDBOX_TABLE_H

/* sandbox_table: what vx6-dataplane still does when all is open.
 *
 * No capability, no file: its sockets, memory and threads are there by then,
 * and the socket's name in the run directory stays behind when it ends (who
 * starts next finds that nobody listens, and takes it over).
 *
 * AF_XDP takes more, for interfaces come and go while it works: to attach to
 * one that comes needs the capabilities of the list below, the maps and
 * programs of bpf(2), and libxdp's place below /sys/fs/bpf.  It keeps these
 * and no others; files elsewhere, programs and other calls are forbidden to
 * it likewise.
 *
 * Ownership: static.  Threads: any. */

#include "dataplane/sandbox/sandbox.h"

/* dp_sandbox is that, with the form of the log; af_xdp: with what it takes. */
struct sandbox dp_sandbox(bool json, bool af_xdp);

/* dp_sandbox_may are the attempts of sandbox_test that it permits. */
uint64_t dp_sandbox_may(void);

#endif
