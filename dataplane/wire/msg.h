/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_MSG_H
#define VX6_DATAPLANE_WIRE_MSG_H

/* msg: messages on a session's control stream (PROTOCOL.md 6a, 7, 8).
 *
 *      0      2            6
 *      +------+------------+----------------+
 *      | type |   length   |      body      |     length <= 65,536
 *      +------+------------+----------------+
 *
 * The reader takes the stream in pieces of any size and keeps no more than
 * six bytes of it itself:
 *
 *                      known type, length allowed
 *      HEADER --------------------------------------> BODY (your buffer)
 *        ^  \  unknown type: skipped, counted           |
 *        |   +---------------------------------> SKIP   |
 *        +----------------------------------------+-----+
 *                        the last byte
 *
 * A length is judged by its type before the caller is asked for memory:
 * types 7 to 12 have one length (CIRCUITS a multiple), the CBOR types
 * 1..65,536.  After a refusal the stream cannot be followed any further:
 * close the session.
 *
 * Circuit ids in messages are, as in cells, the receiver's own, except
 * that DESTROYED repeats the number that DESTROY said, so that one can be
 * answered about a circuit of which nothing is known.
 *
 * Ownership: the caller's structs and buffers; onion, reply and pairs
 * point into what was parsed.  Threads: one per reader. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/create.h"

#define VX6_MSG_HDR 6u
#define VX6_MSG_MAX 65536u /* of body */

/* clang-format off */
/*	name             no  least  most */
#define VX6_MSG_LIST(X)                                    \
	X(HELLO,           1,    1, VX6_MSG_MAX)           \
	X(RECORDS,         2,    1, VX6_MSG_MAX)           \
	X(RECORDS_WANTED,  3,    1, VX6_MSG_MAX)           \
	X(LINK_OPEN,       4,    1, VX6_MSG_MAX)           \
	X(LINK_OK,         5,    1, VX6_MSG_MAX)           \
	X(LINK_CLOSE,      6,    1, VX6_MSG_MAX)           \
	X(CREATE,          7, VX6_MSG_CREATE_LEN, VX6_MSG_CREATE_LEN)       \
	X(CREATED,         8, VX6_MSG_CREATED_LEN, VX6_MSG_CREATED_LEN)     \
	X(CREATE_FAIL,     9, VX6_MSG_FAIL_LEN, VX6_MSG_FAIL_LEN)           \
	X(DESTROY,        10, VX6_MSG_DESTROY_LEN, VX6_MSG_DESTROY_LEN)     \
	X(DESTROYED,      11, VX6_MSG_DESTROYED_LEN, VX6_MSG_DESTROYED_LEN) \
	X(CIRCUITS,       12, VX6_MSG_CIRCUITS_HDR, VX6_MSG_MAX)            \
	X(DHT_ASK,        13,    1, VX6_MSG_MAX)           \
	X(DHT_ANSWER,     14,    1, VX6_MSG_MAX)           \
	X(GOAWAY,         15,    1, VX6_MSG_MAX)
/* clang-format on */

#define VX6_MSG_CREATE_LEN    (13u + VX6_ONION_LEN)
#define VX6_MSG_CREATED_LEN   (14u + VX6_REPLY_LEN)
#define VX6_MSG_FAIL_LEN      5u
#define VX6_MSG_DESTROY_LEN   5u
#define VX6_MSG_DESTROYED_LEN 4u
#define VX6_MSG_CIRCUITS_HDR  8u
#define VX6_MSG_PAIRS_MAX     ((VX6_MSG_MAX - VX6_MSG_CIRCUITS_HDR) / 8u)
#define VX6_MSG_PARTS_MAX     256u /* of one adoption: 2^20 circuits fit */

enum vx6_msg_type {
#define X(name, no, least, most) VX6_MSG_##name = no,
	VX6_MSG_LIST(X)
#undef X
};

/* vx6_msg_name is the list's name ("CREATE"); "unknown" for others. */
const char *vx6_msg_name(unsigned type);

/* ---- framing ---- */

enum vx6_msg_step {
	VX6_MSG_MORE, /* all input is used up: feed more */
	VX6_MSG_HEAD, /* type and len are known: call vx6_msg_into */
	VX6_MSG_DONE  /* the body is in your buffer, len bytes */
};

struct vx6_msg_reader {
	uint8_t *body; /* the caller's, from vx6_msg_into on */
	uint32_t len;  /* of this body */
	uint32_t got;  /* of header or body so far */
	uint16_t type; /* of this message */
	uint8_t state; /* private */
	uint8_t hdr[VX6_MSG_HDR];
	uint64_t messages; /* DONE so far */
	uint64_t skipped;  /* unknown types so far */
};

VX6_NONNULL void vx6_msg_reader_init(struct vx6_msg_reader *r);

/* vx6_msg_read takes bytes of the stream, in order; *used says how many it
 * took, *step what next.  Call it again with the rest until VX6_MSG_MORE:
 *
 *	while (len > 0 || step != VX6_MSG_MORE) ..
 *
 * HEAD leaves the input where the body begins; a call before
 * vx6_msg_into is VX6_BAD_STATE.  VX6_BAD_SIZE: a length
 * over 65,536, or that its type cannot have: close; every later call
 * answers VX6_BAD_STATE. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 4, 5) enum vx6_status
	vx6_msg_read(struct vx6_msg_reader *r, const uint8_t *in, size_t len,
		     size_t *used, enum vx6_msg_step *step);

/* vx6_msg_into gives the buffer for the body announced: r->len bytes or
 * more, the caller's until DONE.  NULL skips the message (not counted as
 * unknown). */
VX6_NONNULL_ARGS(1)
void vx6_msg_into(struct vx6_msg_reader *r, uint8_t *body);

/* vx6_msg_header writes the six bytes before a body of len bytes. */
VX6_NONNULL void vx6_msg_header(uint8_t out[VX6_MSG_HDR],
				enum vx6_msg_type type, uint32_t len);

/* ---- fixed bodies: parse takes a body, emit writes one (no header) ---- */

struct vx6_msg_create {
	uint32_t link; /* the receiver's index, 24 bits, not 0 */
	uint32_t kid;
	uint32_t back_id; /* the sender's: backward cells carry it; not 0 */
	uint8_t handshake;
	const uint8_t *onion; /* VX6_ONION_LEN */
};

struct vx6_msg_created {
	uint32_t back_id;     /* repeated from CREATE */
	uint32_t forward_id;  /* the sender's: forward cells carry it; not 0 */
	uint64_t back_start;  /* start_b, 48 bits, the two top ones clear */
	const uint8_t *reply; /* VX6_REPLY_LEN */
};

/* Why a hop did not take a CREATE; for the neighbour alone. */
/* clang-format off */
#define VX6_FAIL_LIST(X)                                           \
	X(UNKNOWN_KEY,  1, "onion key is not known (any more)")    \
	X(NO_LINK,      2, "no such link between us")              \
	X(HANDSHAKE,    3, "handshake not offered")                \
	X(BAD_SLOT,     4, "slot does not open or says nonsense")  \
	X(REPLAYED,     5, "CREATE was seen before")               \
	X(EXPIRED,      6, "CREATE is past its time or too early") \
	X(RATE,         7, "more CREATEs than allowed")            \
	X(NO_ROOM,      8, "no room for another circuit")          \
	X(BAD_ID,       9, "circuit id is in use or not allowed")  \
	X(CLOSING,     10, "node is shutting down")                \
	X(INTERNAL,    11, "something failed inside")

enum vx6_fail {
#define X(name, no, text) VX6_FAIL_##name = no,
	VX6_FAIL_LIST(X)
#undef X
		VX6_FAIL_CNT
};

/* Why a circuit ends; for the neighbour alone. */
#define VX6_DESTROY_LIST(X)                                        \
	X(DONE,         1, "origin is done with it")               \
	X(NEXT,         2, "neighbour beyond destroyed it")        \
	X(LINK,         3, "link is closed or dead")               \
	X(SESSION,      4, "session was not made again in time")   \
	X(IDLE,         5, "nothing used it")                      \
	X(EXPIRED,      6, "lifetime is over")                     \
	X(EXHAUSTED,    7, "counters are used up")                 \
	X(RESTART,      8, "data plane was restarted")             \
	X(LACKED,       9, "other side does not know it")          \
	X(LATE,        10, "CREATED came too late")                \
	X(PROTOCOL,    11, "cells were not what they must be")     \
	X(POLICY,      12, "not allowed any longer")               \
	X(CLOSING,     13, "node is shutting down")                \
	X(INTERNAL,    14, "something failed inside")

enum vx6_destroy {
#define X(name, no, text) VX6_DESTROY_##name = no,
	VX6_DESTROY_LIST(X)
#undef X
};
/* clang-format on */

/* vx6_fail_text and vx6_destroy_text: a fragment for people; any byte is
 * allowed, those not in the list give "reason not known here". */
const char *vx6_fail_text(unsigned reason);
const char *vx6_destroy_text(unsigned reason);

/* vx6_fail_code is what the hop before tells the origin: 4 for an unknown
 * key, else 3. */
enum vx6_created_code vx6_fail_code(unsigned reason);

struct vx6_msg_fail { /* CREATE_FAIL */
	uint32_t back_id;
	uint8_t reason; /* enum vx6_fail, or one that we do not know */
};

struct vx6_msg_destroy {
	uint32_t id;    /* the receiver's */
	uint8_t reason; /* enum vx6_destroy, or one that we do not know */
};

/* One circuit of a link as the sender sees it: `in` in cells to the sender,
 * `out` in cells from it.  The other end has the same pair turned round. */
struct vx6_msg_pair {
	uint32_t in, out;
};

struct vx6_msg_circuits {     /* adoption: one part of the sender's list */
	uint32_t link;        /* the receiver's index */
	uint16_t part, parts; /* part < parts <= VX6_MSG_PARTS_MAX */
	uint32_t n;           /* pairs in this part */
	const uint8_t *pairs; /* 8 bytes each */
};

/* Parsers: VX6_BAD_SIZE for a body of another length (the reader has
 * checked it already), VX6_MALFORMED for a link index or circuit id that
 * cannot be, parts out of range, or a start over 46 bits. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_create_parse(struct vx6_msg_create *m, const uint8_t *p, size_t len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_created_parse(struct vx6_msg_created *m, const uint8_t *p, size_t len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_fail_parse(struct vx6_msg_fail *m, const uint8_t *p, size_t len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_destroy_parse(struct vx6_msg_destroy *m, const uint8_t *p, size_t len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_destroyed_parse(uint32_t *id, const uint8_t *p, size_t len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_circuits_parse(struct vx6_msg_circuits *m, const uint8_t *p,
		       size_t len);

/* vx6_msg_pair_at reads pair i; VX6_TRUNCATED when there are not so many,
 * VX6_MALFORMED for an id of 0. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_msg_pair_at(const struct vx6_msg_circuits *m, uint32_t i,
		struct vx6_msg_pair *pair);

/* Emitters write exactly the length named; what they are given is ours and
 * must be sayable. */
VX6_NONNULL void vx6_msg_create_emit(uint8_t p[VX6_MSG_CREATE_LEN],
				     const struct vx6_msg_create *m);
VX6_NONNULL void vx6_msg_created_emit(uint8_t p[VX6_MSG_CREATED_LEN],
				      const struct vx6_msg_created *m);
VX6_NONNULL void vx6_msg_fail_emit(uint8_t p[VX6_MSG_FAIL_LEN],
				   const struct vx6_msg_fail *m);
VX6_NONNULL void vx6_msg_destroy_emit(uint8_t p[VX6_MSG_DESTROY_LEN],
				      const struct vx6_msg_destroy *m);
VX6_NONNULL void vx6_msg_destroyed_emit(uint8_t p[VX6_MSG_DESTROYED_LEN],
					uint32_t id);

/* vx6_msg_circuits_emit writes 8 + 8 n bytes for m's link, part and parts
 * and n pairs (at most VX6_MSG_PAIRS_MAX); m->n and m->pairs are not
 * read.  Returns the length. */
VX6_NONNULL_ARGS(1, 2)
size_t vx6_msg_circuits_emit(uint8_t *p, const struct vx6_msg_circuits *m,
			     const struct vx6_msg_pair pair[], uint32_t n);

#endif
