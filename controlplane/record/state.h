/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_STATE_H
#define VX6_CONTROLPLANE_RECORD_STATE_H

/* state: the directories where a node keeps what it must not lose, and
 * what it must not share.
 *
 *     STATE/lock          held by the one vx6d that uses STATE
 *     STATE/identity.key  0600, see identity.h
 *     STATE/registry.db   see registry.h
 *     RUN/onion.key       memory only, see onion.h
 *
 * Functions here and in this room that may refuse to start fill a struct
 * state_why with one sentence for the operator: what is wrong with which
 * file, and what to do.  It is filled for every status but VX6_OK.
 *
 * Threads: any.  Cost: start-up only. */

#include <sys/types.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct state_why {
	char text[512];
};

/* state_dir makes sure that dir is a directory of ours which nobody else
 * may write: makes it with mode (missing parents with 0755) when it is not
 * there.  STATE wants 0700; RUN 0750, where a group may connect.
 * VX6_CONFIG or VX6_SYS with why. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
state_dir(const char *dir, mode_t mode, struct state_why *why);

/* state_lock takes STATE's lock and writes our pid into it; *fd holds it
 * until it is closed or the process ends, however it ends.  VX6_EXISTS when
 * another process has it, VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status state_lock(const char *dir, int *fd,
						      struct state_why *why);

#endif
