/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_CONTROL_H
#define VX6_DATAPLANE_WORKER_CONTROL_H

/* control: the side of the socket that vx6d connects to, one client at a
 * time, on a thread of its own beside the worker.
 *
 *          accept           HELLO             worker has the new ring
 *     NONE -------> GREETING -----> OFFERED -----------------------> LIVE
 *      ^               | wrong, late   |        WELCOME               |
 *      |               v               v lost                         v
 *      +------------ LEAVING <----------------------------------------+
 *        worker let go of the ring, and all answers are in
 *
 * A client that is lost changes nothing of links and half-circuits: cells
 * flow on, those for vx6d are dropped and counted.  Each client gets rings
 * of its own, in new memory, so what an old one still does to its mapping
 * reaches nobody; it is welcomed when the worker uses them, and accepted
 * only when no answer to the one before is under way.  A second client waits in the socket's backlog.
 *
 * Commands are judged here (abi_check) and done by the worker; messages
 * that carry keys live in the queue's slots only, which are wiped.
 *
 * Ownership: the worker, log and listening socket are the caller's.
 * Threads: one.  Nothing here waits. */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/abi/ring.h"
#include "dataplane/worker/log.h"
#include "dataplane/worker/worker.h"

#define CONTROL_FDS      3u
#define CONTROL_CMDS     64u           /* unanswered at most */
#define CONTROL_GREET_NS (5 * VX6_SEC) /* for a client to say HELLO */

enum control_state {
	CONTROL_NONE,
	CONTROL_GREETING,
	CONTROL_OFFERED,
	CONTROL_LIVE,
	CONTROL_LEAVING
};

/* Adds to a WELCOME or STATS_ARE what neither control nor worker knows. */
typedef void control_about(void *ctx, struct abi_msg *m);

struct control {
	struct worker *w;
	control_about *about; /* the caller's to set; NULL: nothing to add */
	void *about_ctx;
	struct log *log;
	struct abi_welcome welcome;
	int listen_fd;
	int client; /* -1 = none */
	enum control_state state;
	bool subscribed;
	unsigned unanswered;
	uint64_t greet_by_ns;
	uint32_t hello_seq;
	struct abi_shm shm;
	int shm_fd[ABI_FD_CNT];
	bool own_waits; /* own is still to be sent */
	struct abi_msg own;
	struct watch watch;
	uint64_t clients, events_lost;
};

/* control_init; welcome is what every client is told. */
VX6_NONNULL void control_init(struct control *c, int listen_fd,
			      struct worker *w,
			      const struct abi_welcome *welcome,
			      struct log *log);

/* control_fds says what to poll for, at most CONTROL_FDS; control_timeout_ms
 * for how long. */
VX6_NONNULL unsigned control_fds(struct control *c,
				 struct pollfd p[CONTROL_FDS]);
VX6_NONNULL int control_timeout_ms(const struct control *c);

/* control_step does all that can be done now. */
VX6_NONNULL void control_step(struct control *c, uint64_t now_ns);

/* control_close ends the client; call it after worker_stop. */
VX6_NONNULL void control_close(struct control *c);

#endif
