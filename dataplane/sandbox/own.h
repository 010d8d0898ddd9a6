/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_SANDBOX_OWN_H
#define VX6_DATAPLANE_SANDBOX_OWN_H

/* own: what the files of the sandbox share and nobody else sees.
 *
 *     confine.c   one thread: capabilities, files
 *     threads.c   those that a library made before
 *     filter.c    system calls
 *     common.c    those of every process
 *     test.c      all of it tried from inside
 *
 * Threads: as sandbox.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/base/compiler.h"

/* sandbox_give_up is for one thread, which calls it: no new privileges,
 * Landlock's rules (-1: none), no capability but keep.  Nothing but system
 * calls: it may be a signal's.  False with errno. */
VX6_MUST_CHECK bool sandbox_give_up(int rules, uint64_t keep);

/* sandbox_others lets every other thread of the process do that, and asks the
 * kernel whether it did.  /proc must be there.  False with errno: ETIMEDOUT
 * where a thread does not answer (it blocks all signals), EPERM where one
 * has more than keep all the same. */
VX6_MUST_CHECK bool sandbox_others(int rules, uint64_t keep);

#endif
