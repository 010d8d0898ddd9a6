/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_CONTROL_H
#define VX6_DATAPLANE_WORKER_CONTROL_H

/* control: the side of the socket that vx6d connects to, one client at a
 * time, on a thread of its own beside the workers.
 *
 *          accept           HELLO             worker has the new ring
 *     NONE -------> GREETING -----> OFFERED -----------------------> LIVE
 *      ^               | wrong, late   |        WELCOME               |
 *      |               v               v lost                         v
 *      +------------ LEAVING <----------------------------------------+
 *        workers let go of the ring, and all answers are in
 *
 * A client that is lost changes nothing of links and half-circuits: cells
 * flow on, those for vx6d are dropped and counted.  Each client gets rings
 * of its own, in new memory, so what an old one still does to its mapping
 * reaches nobody; it is welcomed when the worker uses them, and accepted
 * only when no answer to the one before is under way.  A second client waits in
 * the socket's backlog.
 *
 * Commands are judged here (abi_check) and done by the worker that they
 * concern, one after the other; several of one worker may be under way.  A
 * command for several workers waits until nothing is under way, and nothing
 * is read until it is done:
 *
 *     LINK_ADD, LINK_REMOVE   by those that follow, then by the owner
 *     SPLICE, two workers     by who seals, then by who opens
 *     DUMP, STATS, LIMITS ..  by all at once; answered together
 *
 * Answers wait for a client that does not read.  That a worker has stalled
 * waits beside them, in a place of its own: a client hears of it as soon as
 * there is room, however many answers it has not fetched.
 *
 * What the first refuse is not asked of the last.  So followers know a link
 * before its owner has anything to say of it.  Messages
 * that carry keys live in the queue's slots only, which are wiped.
 *
 * Ownership: workers, log and listening socket are the caller's.
 * Threads: one.  Nothing here waits. */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/abi/ring.h"
#include "dataplane/worker/log.h"
#include "dataplane/worker/owners.h"
#include "dataplane/worker/worker.h"

#define CONTROL_FDS      (RELAY_WORKERS + 2u)
#define CONTROL_CMDS     64u           /* unanswered at most */
#define CONTROL_GREET_NS (5 * VX6_SEC) /* for a client to say HELLO */

enum control_state {
	CONTROL_NONE,
	CONTROL_GREETING,
	CONTROL_OFFERED,
	CONTROL_LIVE,
	CONTROL_LEAVING
};

/* Adds to a WELCOME, STATS_ARE or WORKER_IS what neither control nor worker
 * knows. */
typedef void control_about(void *ctx, struct abi_msg *m);

/* Of the commands that a worker has not answered: the ids of HALF_ADDs,
 * else 0, and their seqs, in order. */
struct control_sent {
	uint32_t id[CONTROL_CMDS], seq[CONTROL_CMDS];
	uint32_t head, tail;
};

struct control_joint { /* a command for several workers */
	uint16_t type; /* 0: there is none */
	uint32_t seq;
	unsigned left;   /* answers to come */
	unsigned told;   /* WORKER_IS sent */
	uint32_t status; /* the first that is not VX6_OK */
	uint32_t last;   /* who is asked when all others are done */
	bool last_waits;
	struct abi_msg m; /* for the last one; wiped */
	struct abi_stats stats[RELAY_WORKERS];
	struct abi_budget budget[RELAY_WORKERS];
};

struct control {
	struct worker *const *w; /* all of them */
	unsigned workers;
	control_about *about; /* the caller's to set; NULL: nothing to add */
	void *about_ctx;
	struct log *log;
	struct abi_welcome welcome;
	int listen_fd;
	int client; /* -1 = none */
	enum control_state state;
	bool subscribed;
	unsigned unanswered;
	bool in_waits; /* in is good, and waits for its turn */
	struct abi_msg in;
	struct owners owners;
	struct control_sent sent[RELAY_WORKERS];
	struct control_joint joint;
	uint64_t greet_by_ns;
	uint32_t hello_seq;
	struct abi_shm shm;
	int shm_fd[ABI_FD_CNT];
	bool own_waits; /* own is still to be sent */
	struct abi_msg own;
	uint32_t stalls; /* bits of workers: stall is still to be sent */
	struct abi_msg stall[RELAY_WORKERS]; /* the last one of each */
	struct watch watch[RELAY_WORKERS];
	uint64_t clients, events_lost;
};

/* control_init; welcome is what every client is told, and how many workers
 * there are.  VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
control_init(struct control *c, int listen_fd, struct worker *const w[],
	     const struct abi_welcome *welcome, struct log *log);

/* control_fds says what to poll for, at most CONTROL_FDS; control_timeout_ms
 * for how long. */
VX6_NONNULL unsigned control_fds(struct control *c,
				 struct pollfd p[CONTROL_FDS]);
VX6_NONNULL int control_timeout_ms(const struct control *c);

/* control_step does all that can be done now. */
VX6_NONNULL void control_step(struct control *c, uint64_t now_ns);

/* control_close ends the client; call it after worker_stop.  Harmless on
 * zeroes whose descriptors are -1. */
VX6_NONNULL void control_close(struct control *c);

#endif
