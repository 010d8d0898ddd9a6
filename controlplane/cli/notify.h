/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_NOTIFY_H
#define VX6_CONTROLPLANE_CLI_NOTIFY_H

/* notify: the protocol of sd_notify(3), both ends of it.
 *
 * `vx6 run` stands between a service manager and its children: it hears
 * what each says on a socket of the child's own, and says upward what holds
 * for all of them.  The sockets are in the abstract name space, and only
 * messages of the child's own process count.
 *
 * Ownership: descriptors are the caller's.  Threads: any. */

#include <stdbool.h>
#include <sys/types.h>

#include "dataplane/base/compiler.h"

#define NOTIFY_NAME 64u

/* What a message said, as bits. */
#define NOTIFY_READY    1u
#define NOTIFY_WATCHDOG 2u

/* notify_open makes a socket to listen on and writes the value that
 * NOTIFY_SOCKET should have.  Returns the descriptor, non-blocking and
 * close-on-exec, or -1 with errno. */
VX6_NONNULL int notify_open(const char *who, char name[NOTIFY_NAME]);

/* notify_read takes what is there and returns the bits of all messages
 * that came from pid. */
unsigned notify_read(int fd, pid_t pid);

/* notify_to is a socket connected to the one named, in NOTIFY_SOCKET's form,
 * for notify_tell later; -1 where there is none or name is NULL.  Later it
 * may be out of reach. */
int notify_to(const char *name);
VX6_NONNULL void notify_tell(int fd, const char *state);

/* notify_send says state ("READY=1") to the socket named, in NOTIFY_SOCKET's
 * form; nothing when name is NULL. */
VX6_NONNULL_ARGS(2) void notify_send(const char *name, const char *state);

#endif
