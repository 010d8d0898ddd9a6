/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_BECOME_H
#define VX6_CONTROLPLANE_CLI_BECOME_H

/* become: root steps down to the user that runs the node.
 *
 * Nothing happens for anybody but root, for `--user root`, and where no
 * user was named and there is no user vx6. */

#include <stdbool.h>

#include "controlplane/cli/cli.h"
#include "dataplane/base/compiler.h"

/* become_dirs makes STATE (0700) and RUN (0750) of cli->cfg where they are
 * missing and gives them to that user. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) int become_dirs(struct cli *cli,
						   const char *user);

/* become_user makes this process that user, for good.  Where the data plane
 * is to use AF_XDP, what that needs (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF,
 * CAP_PERFMON, CAP_IPC_LOCK) stays permitted, to be handed to it. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) int become_user(struct cli *cli,
						   const char *user);

/* become_child is for a child right before its exec: the data plane gets
 * what become_user kept, everybody else no capability at all.  Nothing
 * changes for root. */
void become_child(bool plane);

#endif
