/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_PROGRAM_H
#define VX6_CONTROLPLANE_CLI_PROGRAM_H

/* program: the daemons' programs that were installed together with vx6, and
 * what they say of themselves.
 *
 * Ownership: everything is the caller's.  Threads: one. */

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/cli/cli.h"
#include "dataplane/base/compiler.h"

#define PROGRAM_DIR (CLI_PATH_TEXT - 32u)

/* program_find fills path with the program of that name beside vx6, or in
 * sbin beside the directory of vx6.  False: it is in neither; dir is where
 * vx6 is. */
VX6_MUST_CHECK VX6_NONNULL bool
program_find(const char *name, char path[CLI_PATH_TEXT], char dir[PROGRAM_DIR]);

/* program_ask runs it with argv (which ends with NULL) and fills out, which
 * ends with NUL, with what it writes to stdout.  False: it cannot be run, says
 * more than len - 1 bytes, takes longer than wait_ms or ends in another way
 * than with status 0; it has ended then, too. */
VX6_MUST_CHECK VX6_NONNULL bool program_ask(const char *path,
					    const char *const argv[],
					    unsigned wait_ms, char *out,
					    size_t len);

#endif
