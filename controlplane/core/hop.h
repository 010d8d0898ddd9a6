/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_HOP_H
#define VX6_CONTROLPLANE_CORE_HOP_H

/* hop: one circuit at one of its relays, or at its end, while it is built,
 * used and torn down (PROTOCOL.md sections 7 and 8).
 *
 *   CRYPTO --opened: relay--> SEEK --next ready--> EXTEND --CREATED--+
 *      |                       |                      |              |
 *      |  opened: end          | none, late           | fail, late   |
 *      |                       v                      v              v
 *      |                   (answer code)         (answer code)    INSTALL
 *      +-----------------------------------------------------------> |
 *                                                     installed      v
 *     GONE <---- destroyed, lost, expired ------------------------- OPEN
 *
 * `prev` is the side that CREATE came from, `next` the other one.  Every
 * way into GONE tells both neighbours what they must know, takes the
 * half-circuits out of the data plane, and ends with FREE.
 *
 * No I/O: time comes in with the event, actions come out in order.
 * Ownership: the caller's struct. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

enum hop_state {
	HOP_CRYPTO,  /* slot is being opened on the thread pool */
	HOP_SEEK,    /* a session and a link to the next hop are wanted */
	HOP_EXTEND,  /* CREATE is on its way to the next hop */
	HOP_INSTALL, /* half-circuits are being added to the data plane */
	HOP_OPEN,
	HOP_GONE
};

enum hop_ev {
	HOP_EV_OPENED_RELAY,
	HOP_EV_OPENED_END,
	HOP_EV_OPENED_OTHER, /* a role that is not served here */
	HOP_EV_REFUSED,      /* the slot did not open: no keys */
	HOP_EV_NEXT_READY,
	HOP_EV_NEXT_UNKNOWN, /* no record of that node ID */
	HOP_EV_NEXT_UNREACHABLE,
	HOP_EV_CREATED,
	HOP_EV_FAILED, /* CREATE_FAIL; arg: created code 3 or 4 */
	HOP_EV_INSTALLED,
	HOP_EV_NO_ROOM,      /* an add was refused */
	HOP_EV_DESTROY_PREV, /* DESTROY came from prev */
	HOP_EV_DESTROY_NEXT,
	HOP_EV_LOST_PREV, /* link or session to prev is gone for good */
	HOP_EV_LOST_NEXT,
	HOP_EV_TICK
};

enum hop_act {
	HOP_ACT_SEEK,    /* find or dial the next hop */
	HOP_ACT_EXTEND,  /* send CREATE to it */
	HOP_ACT_INSTALL, /* add the half-circuits */
	HOP_ACT_ANSWER,  /* CREATED to prev with hop.code */
	HOP_ACT_FAIL,    /* CREATE_FAIL to prev */
	HOP_ACT_REMOVE,  /* half-circuits out of the data plane */
	HOP_ACT_DESTROY_PREV,
	HOP_ACT_DESTROY_NEXT,
	HOP_ACT_FREE /* always last */
};

struct hop_event {
	enum hop_ev kind;
	uint8_t code;
	uint64_t now_ns;
};

struct hop_out {
	unsigned n;
	enum hop_act act[4]; /* no event asks for more */
};

struct hop_times {
	uint64_t seek_ns;   /* 2 s to have the next hop's session */
	uint64_t extend_ns; /* 10 s for its CREATED */
	uint64_t life_ns;   /* granted to the circuit */
};

struct hop {
	enum hop_state state;
	bool end;       /* terminal here */
	bool next_told; /* CREATE was sent: next must hear of the end */
	bool installed; /* something may be in the data plane */
	uint8_t code;   /* of ANSWER: vx6_created_code */
	uint64_t due_ns;
	struct hop_times times;
};

VX6_NONNULL void hop_init(struct hop *h, const struct hop_times *times);

/* hop_adopt makes h one that an earlier vx6d opened and its data plane still
 * forwards: OPEN, not an end, until due_ns. */
VX6_NONNULL void hop_adopt(struct hop *h, const struct hop_times *times,
			   uint64_t due_ns);

/* hop_step tells h one thing and fills out.  VX6_BAD_STATE: the event
 * makes no sense now, VX6_MALFORMED: it is none; nothing changed and out is
 * empty. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
hop_step(struct hop *h, const struct hop_event *ev, struct hop_out *out);

/* hop_due is when h wants a TICK. */
VX6_NONNULL uint64_t hop_due(const struct hop *h);

#endif
