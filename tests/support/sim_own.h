/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_SIM_OWN_H
#define VX6_TESTS_SUPPORT_SIM_OWN_H

/* sim_own: what the files of sim_circuits share.
 *
 *     sim_circuits.c  the plan, the loop, the two judgements
 *     sim_heap.c      events in order of time
 *     sim_node.c      nodes, sessions, data planes
 *     sim_hop.c       a hop's actions carried out, messages to it
 *     sim_origin.c    an origin's, likewise */

#include "controlplane/core/ids.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/cell.h"
#include "dataplane/wire/create.h"
#include "tests/support/sim_circuits.h"
#include "tests/support/sim_law.h"

enum sim_id { SIM_ID_FORWARD, SIM_ID_BACKWARD, SIM_ID_ORIGIN };

enum sim_kind {
	/* things under way: all is still when there are none of these */
	SIM_MSG,     /* msg arrives at sess->node[end] */
	SIM_LOST,    /* sess->node[end] finds out that sess is dead */
	SIM_DIALLED, /* circ's search for its next hop is over */
	SIM_OPENED,  /* circ's slot is open */
	SIM_ADD,     /* node's data plane comes to it: id for circ */
	SIM_REMOVE,  /* .. or to this */
	SIM_ADDED,   /* circ hears what became of an ADD */
	/* things to come */
	SIM_TIMER,
	SIM_BEGIN,
	SIM_CLOSE, /* circ's owner has enough */
	SIM_CRASH,
	SIM_RESTART,
	SIM_CUT
};
#define SIM_UNDER_WAY SIM_TIMER /* kinds below are */

enum sim_msg_kind { SIM_CREATE, SIM_CREATED, SIM_FAIL, SIM_DESTROY };

struct sim_onion {
	uint16_t path[VX6_HOPS_MAX]; /* nodes */
	uint8_t cnt, pos;            /* pos is whose turn it is */
	uint64_t life_ns;
};

struct sim_reply {
	uint8_t depth; /* hops between the reader and who it speaks of */
	uint8_t code;
	bool forged;
};

struct sim_msg {
	enum sim_msg_kind kind;
	uint32_t id; /* the receiver's; none in CREATE */
	uint32_t back_id, forward_id;
	struct sim_onion onion;
	struct sim_reply reply;
	uint8_t code; /* of FAIL: 3 or 4 */
};

struct sim_sess {
	struct sim_sess *all;
	uint32_t node[2];
	uint64_t delay_ns, last_ns[2]; /* arrival at node[i] */
	bool cut, lost[2];             /* lost: node[i] knows */
};

struct sim_circ { /* a hop or an origin, at one node */
	struct sim_circ *all, *next_here, **at;
	bool is_origin, gone, crashed, seen;
	uint32_t node, no;
	struct law_hop hop;
	struct law_origin origin;
	struct sim_sess *prev, *next;
	uint32_t prev_back_id, forward_id, back_id, next_forward_id;
	struct sim_onion onion;
	struct sim_reply reply;
	uint32_t pending; /* ADDs under way */
	bool add_failed;
	uint64_t timer_ns;
};

struct sim_node {
	bool up;
	bool deaf, liar, policy; /* swallows CREATE, forges, serves none */
	bool cramped;            /* a small table, used to the last id */
	uint32_t keyless, busy;  /* of 100 slots, of 100 ADDs */
	uint32_t epoch;
	struct ids ids;
	struct ids_slot *slot;
	uint32_t *plane; /* by index: the id that is installed, or 0 */
	uint32_t ids_cnt, plane_cnt;
	uint64_t plane_ns; /* its last command's time */
	struct sim_circ *circs;
};

struct sim_event {
	uint64_t at_ns, seq;
	enum sim_kind kind;
	uint32_t node, epoch, id;
	unsigned end;
	bool ok;
	struct sim_circ *circ;
	struct sim_sess *sess;
	struct sim_msg *msg;
};

struct sim {
	struct sim_setup setup;
	struct sim_told told;
	struct vx6_rand rnd;
	uint64_t now;
	struct sim_event *heap;
	size_t heap_cnt, heap_cap;
	uint64_t seq;
	uint32_t under_way;
	struct sim_node *node;
	struct sim_sess **view; /* [a * nodes + b]: a's session with b */
	struct sim_sess *sessions;
	struct sim_circ *circs;
	uint32_t circ_cnt;
};

/* ---- sim_heap.c ---- */

/* sim_at puts *e, whose at_ns is clamped to now, into the queue. */
void sim_at(struct sim *s, struct sim_event e);

/* sim_next takes the first event, if it is not after until_ns. */
bool sim_next(struct sim *s, uint64_t until_ns, struct sim_event *e);

/* sim_alloc never fails and zeroes. */
void *sim_alloc(size_t cnt, size_t size);

/* ---- sim_circuits.c ---- */

/* sim_fault writes down what is wrong first. */
VX6_PRINTF(2, 3) void sim_fault(struct sim *s, const char *fmt, ...);

static inline uint32_t sim_below(struct sim *s, uint32_t n)
{
	return vx6_rand_below(&s->rnd, n);
}

/* sim_chance is true in percent of 100 cases. */
static inline bool sim_chance(struct sim *s, uint32_t percent)
{
	return sim_below(s, 100) < percent;
}

/* sim_odd is sim_chance where the network is not fair. */
static inline bool sim_odd(struct sim *s, uint32_t percent)
{
	return !s->setup.fair && sim_chance(s, percent);
}

static inline uint64_t sim_between_ms(struct sim *s, uint32_t min, uint32_t max)
{
	return (min + (uint64_t)sim_below(s, max - min + 1)) * VX6_MS;
}

/* ---- sim_node.c ---- */

void sim_node_start(struct sim *s, uint32_t no);
void sim_node_crash(struct sim *s, uint32_t no);

/* sim_seek begins c's search for a session with `to`; SIM_DIALLED ends it. */
void sim_seek(struct sim *s, struct sim_circ *c, uint32_t to);

/* sim_dialled returns the session that the search found, or NULL. */
struct sim_sess *sim_dialled(struct sim *s, uint32_t from, uint32_t to);

void sim_cut(struct sim *s, struct sim_sess *sess);

/* sim_send copies m and sends it from `from` over sess. */
void sim_send(struct sim *s, struct sim_sess *sess, uint32_t from,
	      const struct sim_msg *m);

/* sim_destroy sends DESTROY, if there is an id to name. */
void sim_destroy(struct sim *s, struct sim_sess *sess, uint32_t from,
		 uint32_t id);

void sim_plane_add(struct sim *s, struct sim_circ *c, uint32_t id);
void sim_plane_remove(struct sim *s, uint32_t node, uint32_t id);
void sim_plane_event(struct sim *s, const struct sim_event *e);

/* sim_circ_new lists a new circuit at node. */
struct sim_circ *sim_circ_new(struct sim *s, uint32_t node, bool is_origin);
void sim_circ_free(struct sim *s, struct sim_circ *c);

/* sim_timer sets c's timer to due_ns. */
void sim_timer(struct sim *s, struct sim_circ *c, uint64_t due_ns);

/* sim_find returns the circuit at `node` whose id this is towards sess. */
struct sim_circ *sim_find(struct sim *s, uint32_t node, struct sim_sess *sess,
			  uint32_t id, bool *from_next);

/* ---- sim_hop.c, sim_origin.c ---- */

void sim_hop_step(struct sim *s, struct sim_circ *c, enum hop_ev kind,
		  unsigned code);
void sim_hop_create(struct sim *s, struct sim_sess *sess, uint32_t node,
		    const struct sim_msg *m);
void sim_hop_opened(struct sim *s, struct sim_circ *c);
void sim_hop_dialled(struct sim *s, struct sim_circ *c);
void sim_hop_added(struct sim *s, struct sim_circ *c, bool ok);
void sim_hop_created(struct sim *s, struct sim_circ *c,
		     const struct sim_msg *m);

void sim_origin_begin(struct sim *s);
void sim_origin_step(struct sim *s, struct sim_circ *c, enum origin_ev kind,
		     unsigned hop, unsigned code);
void sim_origin_created(struct sim *s, struct sim_circ *c,
			const struct sim_msg *m);

#endif
