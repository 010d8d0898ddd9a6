/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_STACK_H
#define VX6_DATAPLANE_WORKER_STACK_H

/* stack: where another thread of this process is.
 *
 *     control thread   --- a signal --->   worker: its handler writes down
 *                      <-- semaphore ---   the return addresses
 *
 * One thread is asked at a time, by one asker.  The worker is held up for as
 * long as it takes to walk its stack, and its waits are begun anew; nothing
 * else changes for it.  A thread that is stuck in the kernel does not answer.
 *
 * Threads: stack_start before there is a second one, stack_of on one thread
 * only.  Cost: nothing until asked. */

#include <pthread.h>
#include <stddef.h>

#include "dataplane/base/compiler.h"

#define STACK_TEXT    384u
#define STACK_DEPTH   24
#define STACK_WAIT_MS 200

/* stack_start installs the handler and loads what it needs, because later
 * there may be no file to load.  Harmless when done again. */
void stack_start(void);

/* stack_of writes where thread is, the innermost first: for each call
 * `function+0x12` where the program says its name, else `module+0x1234`, for
 * addr2line.  "unknown" where it does not answer.  Returns out. */
VX6_NONNULL const char *stack_of(pthread_t thread, char out[STACK_TEXT]);

#endif
