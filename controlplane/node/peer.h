/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_PEER_H
#define VX6_CONTROLPLANE_NODE_PEER_H

/* peer: another node that we have, had or want a session with, and the
 * link between the two (PROTOCOL.md 6 and 6a).
 *
 *            dial / accepted          HELLO both ways
 *     IDLE ------------------> OPENING --------------> READY
 *       ^                         |                      |
 *       +---- back-off (wanted) --+----------------------+  closed
 *
 *     link:  NONE -- LINK_OPEN, LINK_OK --> ADDING -- data plane --> OPEN
 *
 * The dialler opens the link right after HELLO.  Circuits ask with
 * peer_seek for a peer whose session and link are both there.  Of two
 * crossing sessions the one dialled by the lower node ID stays.
 *
 * When a session is lost its link lives on while it is judged alive, and
 * circuits with it; a new session asks whether the other end has the link
 * still, and makes a new one where it has not.  Until that is answered the
 * link is `unsettled`: its cells flow, nobody builds on it.  Then circuits
 * are compared (compare.c).  A link that was found in the data plane after
 * our own restart (link_adopt) is such a link without session.
 *
 * While it is not known yet what the data plane holds, a LINK_OPEN is
 * `held`: it is answered when that is known.
 *
 * Ownership: the node's list; refs counts the circuits that point here. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/core/adopt.h"
#include "controlplane/loop/loop.h"
#include "controlplane/node/node.h"
#include "controlplane/record/message.h"
#include "dataplane/wire/msg.h"

enum peer_state { PEER_IDLE, PEER_OPENING, PEER_READY };
enum peer_link {
	PEER_LINK_NONE,
	PEER_LINK_ASKED,
	PEER_LINK_ADDING,
	PEER_LINK_OPEN
};

struct peer_bucket { /* tokens in thousandths */
	uint64_t milli, at_ns;
};

struct peer {
	struct node_grave grave;
	struct peer *next;
	struct node *node;
	uint32_t refs;
	uint8_t id[32];
	struct vx6_addr place; /* configured or last known; may be none */
	bool wanted;           /* keep a session: configured or added */
	bool configured, kept;

	enum peer_state state;
	struct quic_conn *conn;
	struct vx6_addr proved; /* theirs, of a handshake or path validation */
	bool dialled;           /* by us */
	bool renew;             /* closing only to dial again */
	int64_t stream;         /* control stream; -1 = not yet */
	bool hello_sent, hello_got;
	uint64_t since_ns, dialled_ns;
	struct vx6_msg_reader rd;
	uint8_t *body; /* VX6_MSG_MAX, taken with the session */
	struct peer_bucket creates, records, wanteds;
	uint64_t relay_until_s; /* its record says relay, and ends then */
	int64_t clock_ms;       /* theirs minus ours, at HELLO */
	bool clock_told;

	enum peer_link link;
	bool unsettled; /* OPEN, and this session has not said so yet */
	bool adopted;   /* of an earlier vx6d; until a session is up */
	bool is_held;
	struct msg_link held;
	uint32_t index, peer_index; /* ours 0 = none */
	uint8_t nonce[16];
	bool link_opener;
	bool learn;            /* we told them to learn our address */
	uint16_t u, u_claimed; /* counted on; said by both ends */
	bool sizing;           /* OPEN, and u may still grow at once */
	struct loop_timer size_timer;
	uint64_t link_since_ns;
	uint32_t link_moves;
	uint64_t orphan_ns; /* since when the link has no session; 0 */
	struct {
		bool due;       /* one list is owed for this session */
		uint32_t stamp; /* of the one that comes in */
		uint16_t part;  /* that comes next */
	} compare;

	struct loop_timer timer; /* dial again, unused, orphan */
	uint64_t backoff_ns;
	uint64_t retry_ns; /* 0 = none planned */
	uint32_t failures; /* to dial, but for the first in a row */
	char error[256];   /* why the last dial failed; "" */
	struct peer_wait *waits;
};

/* One who waits for a peer's link; embedded by its owner. */
struct peer_wait {
	struct peer_wait *next;
	struct peer *peer; /* NULL = not waiting */
	void (*done)(void *ctx, struct peer *p, enum vx6_status st);
	void *ctx;
};

/* peer_seek asks for session and link to id, dialling where there is no
 * session.  done is called once, perhaps before peer_seek returns, with
 * VX6_OK, VX6_NOT_FOUND (no record, no session) or VX6_UNREACHABLE. */
VX6_NONNULL void peer_seek(struct node *n, const uint8_t id[32],
			   struct peer_wait *w);
/* peer_unseek: done will not be called any more. */
VX6_NONNULL void peer_unseek(struct peer_wait *w);

/* peer_find: known to us, with or without session, or NULL. */
VX6_NONNULL struct peer *peer_find(struct node *n, const uint8_t id[32]);

/* peer_get is peer_find, or a new one; NULL: no memory. */
VX6_NONNULL struct peer *peer_get(struct node *n, const uint8_t id[32]);

/* peer_dial_in plans a dial for a link that has no session. */
VX6_NONNULL void peer_dial_in(struct peer *p, uint64_t wait_ns);

/* peer_want keeps a session with id, at place if that is not none. */
struct peer *peer_want(struct node *n, const uint8_t id[32],
		       const struct vx6_addr *place);

/* peer_send queues one message; without session it is dropped. */
VX6_NONNULL_ARGS(1)
void peer_send(struct peer *p, enum vx6_msg_type type, const uint8_t *body,
	       size_t len);

VX6_NONNULL void peer_hold(struct peer *p);
VX6_NONNULL void peer_drop(struct peer *p);

/* peer_link_lost takes the link away: its circuits end, it is removed from
 * the data plane. */
VX6_NONNULL void peer_link_lost(struct peer *p);

/* From quic's events, sessions only. */
VX6_NONNULL void peer_ready(struct node *n, struct quic_conn *c);
VX6_NONNULL void peer_stream_open(struct peer *p, int64_t stream);
VX6_NONNULL_ARGS(1)
void peer_data(struct peer *p, int64_t stream, const uint8_t *data, size_t len,
	       bool fin);
VX6_NONNULL void peer_closed(struct peer *p, struct quic_conn *c,
			     const struct quic_close *why);

/* peer_tell_records sends what is new to every session but `but`. */
VX6_NONNULL_ARGS(1)
void peer_tell_record(struct node *n, const struct peer *but,
		      const uint8_t *bytes, size_t len);

/* link.c: LINK_OPEN, LINK_OK, LINK_CLOSE and the plane's answers.
 * link_start opens a link, or asks to keep the one that is open. */
VX6_NONNULL void link_start(struct peer *p);
VX6_NONNULL void link_on_open(struct peer *p, const uint8_t *body, size_t len);
VX6_NONNULL void link_on_ok(struct peer *p, const uint8_t *body, size_t len);
VX6_NONNULL void link_on_close(struct peer *p, const uint8_t *body, size_t len);
VX6_NONNULL void link_on_event(struct node *n, uint32_t index, unsigned events);
/* link_adopt takes up a link that an earlier vx6d left in the data plane;
 * nth spreads the dials of many.  False: no memory. */
VX6_MUST_CHECK VX6_NONNULL bool
link_adopt(struct node *n, const struct adopt_link *l, uint32_t nth);
/* link_plane_up: the data plane is there now, and p's session was before. */
VX6_NONNULL void link_plane_up(struct peer *p);
/* link_held_long answers a held LINK_OPEN where no data plane came. */
VX6_NONNULL void link_held_long(struct peer *p);
/* link_size_late is size_timer's: what is proved by now has to do. */
void link_size_late(void *ctx);
/* link_give_up tells the other end that the link is dead, and ends it. */
VX6_NONNULL void link_give_up(struct peer *p);
/* peer_renew closes the session and dials again at once; why is a sentence. */
VX6_NONNULL void peer_renew(struct peer *p, const char *why);
/* peer_moved_home: p's record was that and is this.  A session that we have
 * to an address which is gone from it is made again, unless it brought the
 * record itself: then it works. */
VX6_NONNULL void peer_moved_home(struct peer *p, const struct node_record *was,
				 const struct node_record *is, bool by_itself);
/* peer_note_roles: rec is p's live record. */
VX6_NONNULL void peer_note_roles(struct peer *p, const struct node_record *rec);
/* peer_linked: link.c says that p's link is open now, or failed. */
VX6_NONNULL void peer_linked(struct peer *p, enum vx6_status st);

/* peer_bucket_take: one token of rate a second, burst at most. */
VX6_NONNULL bool peer_bucket_take(struct peer_bucket *b, uint32_t rate,
				  uint32_t burst, uint64_t now_ns);

/* peers_sweep looks for sessions that have stopped answering: no CREATE is
 * waited for on those.  Their links may well live. */
VX6_NONNULL void peers_sweep(struct node *n);

/* peers_open dials what is configured and kept; peers_close ends all. */
VX6_NONNULL void peers_open(struct node *n);
VX6_NONNULL void peers_close(struct node *n);

#endif
