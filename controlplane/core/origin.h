/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_ORIGIN_H
#define VX6_CONTROLPLANE_CORE_ORIGIN_H

/* origin: one circuit at the node that chose it (PROTOCOL.md 7 and 8).
 *
 *     SEEK --first hop ready--> WAIT --CREATED--> INSTALL --> OPEN
 *       |                        |                  |          |
 *       | unreachable, late      | fail, late       | refused  | destroyed,
 *       v                        v                  v          v lost, old
 *      GONE  <-------------------------------------------------+
 *
 * FAILED is said for a circuit that never opened, CLOSED for one that had;
 * `why` tells which of the causes below it was, `hop` (0 first) whose.
 *
 * No I/O: time comes in with the event, actions come out in order.
 * Ownership: the caller's struct. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

enum origin_state {
	ORIGIN_SEEK,
	ORIGIN_WAIT,
	ORIGIN_INSTALL,
	ORIGIN_OPEN,
	ORIGIN_GONE
};

enum origin_why {
	ORIGIN_WHY_NONE,
	ORIGIN_WHY_UNREACHABLE, /* no session with the first hop */
	ORIGIN_WHY_REFUSED,     /* CREATE_FAIL from the first hop */
	ORIGIN_WHY_NO_KEY,      /* .. because it does not know our kid */
	ORIGIN_WHY_CODE,        /* hop's status code says why */
	ORIGIN_WHY_FORGED,      /* a reply that does not open */
	ORIGIN_WHY_TIMEOUT,     /* nobody answered in time */
	ORIGIN_WHY_LOCAL,       /* no room here */
	ORIGIN_WHY_DESTROYED,   /* a hop tore it down */
	ORIGIN_WHY_LOST,        /* link or session to the first hop is gone */
	ORIGIN_WHY_EXPIRED,     /* its life is over */
	ORIGIN_WHY_DONE         /* we closed it */
};

enum origin_ev {
	ORIGIN_EV_READY, /* session and link to the first hop */
	ORIGIN_EV_UNREACHABLE,
	ORIGIN_EV_CREATED,     /* all codes 0 */
	ORIGIN_EV_CREATED_BAD, /* hop, code of the one that failed */
	ORIGIN_EV_FORGED,      /* hop: the first one not proved */
	ORIGIN_EV_FAILED,      /* CREATE_FAIL; code: 3 or 4 */
	ORIGIN_EV_INSTALLED,
	ORIGIN_EV_NO_ROOM,
	ORIGIN_EV_DESTROY, /* from the first hop */
	ORIGIN_EV_LOST,
	ORIGIN_EV_CLOSE, /* our own wish */
	ORIGIN_EV_TICK
};

enum origin_act {
	ORIGIN_ACT_SEEK,
	ORIGIN_ACT_CREATE,
	ORIGIN_ACT_INSTALL,
	ORIGIN_ACT_OPENED,
	ORIGIN_ACT_FAILED,
	ORIGIN_ACT_CLOSED,
	ORIGIN_ACT_REMOVE,
	ORIGIN_ACT_DESTROY,
	ORIGIN_ACT_FREE /* always last */
};

struct origin_event {
	enum origin_ev kind;
	uint8_t hop, code;
	uint64_t now_ns;
};

struct origin_out {
	unsigned n;
	enum origin_act act[4]; /* no event asks for more */
};

struct origin_times {
	uint64_t seek_ns;    /* 5 s, a dial */
	uint64_t per_hop_ns; /* 2 s */
	uint64_t whole_ns;   /* 10 s, the most that all hops get */
	uint64_t life_ns;
};

struct origin {
	enum origin_state state;
	enum origin_why why;
	uint8_t hops, hop, code;
	uint64_t due_ns;
	struct origin_times times;
};

/* origin_init: SEEK is the first action, and comes with the first TICK,
 * which is due at once. */
VX6_NONNULL void origin_init(struct origin *o, unsigned hops,
			     const struct origin_times *times);

/* origin_step tells o one thing and fills out.  VX6_BAD_STATE: the event
 * makes no sense now, VX6_MALFORMED: it is none; nothing changed and out is
 * empty. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
origin_step(struct origin *o, const struct origin_event *ev,
	    struct origin_out *out);

/* origin_due is when o wants a TICK. */
VX6_NONNULL uint64_t origin_due(const struct origin *o);

/* origin_why_text is a fragment for people. */
const char *origin_why_text(enum origin_why why);

#endif
