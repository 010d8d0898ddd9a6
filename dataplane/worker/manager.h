/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_MANAGER_H
#define VX6_DATAPLANE_WORKER_MANAGER_H

/* manager: systemd, told how far we are (sd_notify(3): datagrams to a named
 * socket).  It is connected to while there are names, and told later, when
 * the sandbox has taken them.
 *
 * Ownership: the descriptor is the caller's.  Threads: any. */

#include "dataplane/base/compiler.h"

/* manager_open is that socket, by the environment; -1: nobody wants to be
 * told. */
int manager_open(void);

/* manager_tell says "READY=1" and the like; fd -1 is harmless. */
VX6_NONNULL void manager_tell(int fd, const char *state);

#endif
