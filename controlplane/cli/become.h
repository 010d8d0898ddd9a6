/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_BECOME_H
#define VX6_CONTROLPLANE_CLI_BECOME_H

/* become: root steps down to the user that runs the node.
 *
 * Nothing happens for anybody but root, for `--user root`, and where no
 * user was named and there is no user vx6. */

#include "controlplane/cli/cli.h"
#include "dataplane/base/compiler.h"

/* become_dirs makes STATE (0700) and RUN (0750) of cli->cfg where they are
 * missing and gives them to that user. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) int become_dirs(struct cli *cli,
						   const char *user);

/* become_user makes this process that user, for good. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) int become_user(struct cli *cli,
						   const char *user);

#endif
