/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_SURVIVE_H
#define VX6_CONTROLPLANE_CORE_SURVIVE_H

/* survive: when a tunnel's client leaves a leg, as a value that is told
 * things.
 *
 *              silent for q while bytes are expected
 *      CALM -----------------------------------------> ALARM
 *       ^  \                                            |  |
 *       |   `-- LEG_GONE of the leg in use (no spare    |  | a spare answered
 *       |       answered lately) ---------------------->|  | and the old leg
 *       |                                               |  | silent for W
 *       +---- a pong of this alarm on the leg in use ---+  |
 *       +---- MIGRATE <------------------------------------+
 *
 * Only a QUIC client can migrate, so only the client runs this.  It never
 * looks at what is carried; it is told when something left and arrived
 * on the leg in use, what QUIC thinks of the path, and which channel pings
 * (PROTOCOL.md section 10) came back.
 *
 * The rule, and why it is not simpler:
 *
 *   q = max(50 ms, min(PTO, 8 x smoothed inter-arrival)), counted from the
 *       later of the last receipt and the first unanswered send: an idle
 *       connection that asks anew must not look dead at once.
 *   Bytes are expected while our own data is in flight, or for 2 s after
 *       data came.
 *   At q: two pings on the leg in use, two on one spare.  Two, because one
 *       lost ping in a hundred would otherwise be a false migration.
 *   W = 1.5 x srtt + 20 ms.  Migrate when the spare answered this alarm's
 *       pings and the leg in use has not for W.  Waiting for W matters
 *       where the spare is the faster one: it always answers first.
 *   Only a pong clears the alarm.  The peer's retransmissions say that its
 *       direction lives, not that ours does.
 *   Nobody after min(PTO, 2 W): that spare is dead too; the next one is
 *       tried, rounds back off, and a new spare is asked for.
 *   A leg that has not answered is never migrated to.
 *   Otherwise each leg has one ping every 15 s, so that a spare is known
 *       to live (LEG_GONE then migrates at once) and a dead leg in use is
 *       found before somebody waits for it.
 *
 * There is no I/O: time comes in with the event, actions come out as a
 * list.  Time that runs backwards is taken as standing still.
 *
 * Ownership: the caller's struct and out.  Cost: a few compares an event;
 * SENT and RECEIVED may be told once a batch. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"

#define SURVIVE_LEGS   4u
#define SURVIVE_NO_LEG UINT8_MAX
#define SURVIVE_PINGS  8u /* remembered a leg */

#define SURVIVE_SILENCE_NS (50 * VX6_MS) /* the least q */
#define SURVIVE_EXPECT_NS  (2 * VX6_SEC)
#define SURVIVE_SLACK_NS   (20 * VX6_MS)
#define SURVIVE_KEEP_NS    (15 * VX6_SEC)
#define SURVIVE_WANT_NS    (5 * VX6_SEC)  /* WANT_SPARE again, if none came */
#define SURVIVE_ROUND_NS   (4 * VX6_SEC)  /* the longest alarm round */
#define SURVIVE_RTT_NS     (150 * VX6_MS) /* until one was measured */

enum survive_ev {
	SURVIVE_EV_LEG_UP,   /* leg can carry cells now */
	SURVIVE_EV_LEG_GONE, /* DESTROY, or its link is dead */
	SURVIVE_EV_SENT,     /* an ack-eliciting packet left on leg */
	SURVIVE_EV_RECEIVED, /* an authenticated packet came from leg */
	SURVIVE_EV_PONG,     /* token came back on leg */
	SURVIVE_EV_QUIC,     /* srtt_ns, pto_ns, in_flight of the path in use */
	SURVIVE_EV_USE,      /* the owner itself moved to leg */
	SURVIVE_EV_TICK
};

struct survive_event {
	enum survive_ev kind;
	uint8_t leg;      /* 0 .. SURVIVE_LEGS - 1; not for QUIC, TICK */
	uint32_t token;   /* PONG */
	uint64_t srtt_ns; /* QUIC: 0 while no sample is of this path */
	uint64_t pto_ns;  /* QUIC: believed only when srtt_ns > 0 */
	bool in_flight;   /* QUIC: own data awaits its acknowledgement */
	uint64_t now_ns;
};

enum survive_act_kind {
	SURVIVE_ACT_PING,      /* send a channel ping with token on leg */
	SURVIVE_ACT_MIGRATE,   /* leg is the one in use from now on */
	SURVIVE_ACT_WANT_SPARE /* have another leg built; leg is unused */
};

struct survive_act {
	enum survive_act_kind kind;
	uint8_t leg;
	uint32_t token; /* PING */
};

struct survive_out {
	unsigned cnt;
	struct survive_act act[2 * SURVIVE_LEGS + 2]; /* none asks for more */
};

struct survive_ping {
	uint32_t token;
	bool open;  /* sent, and not come back */
	bool alarm; /* sent in the present alarm */
	uint64_t sent_ns;
};

struct survive_leg {
	bool up;
	bool answered;   /* its latest pings came back */
	bool alive;      /* answered a ping of the present alarm */
	bool tried;      /* pinged in the present alarm */
	uint8_t missed;  /* keep-alive pings in a row */
	uint8_t next;    /* of ping[] */
	uint64_t rtt_ns; /* smoothed, of pings; 0: none yet */
	uint64_t pong_ns;
	uint64_t keep_due_ns; /* next keep-alive ping */
	uint64_t miss_due_ns; /* when the last one counts as missed */
	struct survive_ping ping[SURVIVE_PINGS];
};

enum survive_state { SURVIVE_CALM, SURVIVE_ALARM };

struct survive {
	enum survive_state state;
	uint8_t use; /* leg in use, or SURVIVE_NO_LEG */
	bool in_flight;
	uint32_t token;                        /* of the next ping */
	uint64_t least_ns, expect_ns, keep_ns; /* see survive_tune */
	uint64_t now_ns;
	uint64_t srtt_ns, pto_ns; /* QUIC's; 0: unknown */
	uint64_t inter_ns;        /* smoothed inter-arrival; 0: unknown */
	uint64_t data_ns;         /* last RECEIVED; VX6_NEVER: none yet */
	uint64_t heard_ns;        /* last RECEIVED or pong on the leg in use */
	uint64_t asked_ns;        /* first unanswered SENT; VX6_NEVER: none */
	uint64_t alarm_ns;        /* when the alarm began */
	uint64_t round_due_ns;    /* when nobody having answered counts */
	uint64_t round_ns;        /* length of the next round */
	uint64_t want_due_ns;     /* WANT_SPARE not before */
	struct survive_leg leg[SURVIVE_LEGS];
};

/* survive_init starts with one leg, which is in use.  token is the first
 * ping token (draw it). */
VX6_NONNULL void survive_init(struct survive *s, uint8_t leg, uint32_t token,
			      uint64_t now_ns);

/* survive_tune replaces SURVIVE_SILENCE_NS, _EXPECT_NS and _KEEP_NS, which
 * survive_init sets. */
VX6_NONNULL void survive_tune(struct survive *s, uint64_t least_ns,
			      uint64_t expect_ns, uint64_t keep_ns);

/* survive_step tells s one thing and fills out with what must be done, in
 * order.  A leg out of range, or one that is not up, is ignored. */
VX6_NONNULL void survive_step(struct survive *s, const struct survive_event *ev,
			      struct survive_out *out);

/* survive_due is when s wants a TICK; VX6_NEVER for no time. */
VX6_NONNULL uint64_t survive_due(const struct survive *s);

/* survive_silence is q, and survive_patience W, as they stand now. */
VX6_NONNULL uint64_t survive_silence(const struct survive *s);
VX6_NONNULL uint64_t survive_patience(const struct survive *s);

#endif
