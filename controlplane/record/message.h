/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_MESSAGE_H
#define VX6_CONTROLPLANE_RECORD_MESSAGE_H

/* message: what sessions, tunnels and channels say in CBOR (session.cddl,
 * PROTOCOL.md sections 6, 6a and 10).
 *
 *     u16 type || u32 length (<= 65,536) || body
 *
 * Session messages and a service stream's OPEN share this head and its
 * numbers, so that a HELLO inside a tunnel is recognised (and closes it).
 * CREATE to CIRCUITS (7 to 12) are fixed binary and not read here.
 *
 * Emit writes head and body, canonically (RFC 8949 section 4.2.1), into the
 * caller's buffer.  VX6_BAD_SIZE: it does not fit; VX6_MALFORMED: the
 * struct says what may not be said; *len is then untouched.
 * Parse takes a body.  Strict: canonical form, ranges, sizes; fields that
 * we do not know are skipped.  VX6_TRUNCATED or VX6_MALFORMED; the struct
 * is then of no use.  Pointers in a parsed struct point into the body.
 *
 * Pure.  Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/name.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define MSG_HEAD_LEN    6u
#define MSG_BODY_MAX    65536u
#define MSG_OPEN_MAX    256u /* body of OPEN, OPEN_OK, OPEN_FAIL */
#define MSG_SMALL       512u /* enough for any whole message but 1 and 2 */
#define MSG_RECORDS_MAX 256u /* in one RECORDS or RECORDS_WANTED */
#define MSG_TEXT        128u /* words for people, with NUL */
#define MSG_CHANNEL_MAX 64u  /* channel control */
#define MSG_D_MIN       512u
#define MSG_D_MAX       1472u
#define MSG_PROTOCOL    1u

enum msg_type {
	MSG_HELLO = 1,
	MSG_RECORDS = 2,
	MSG_RECORDS_WANTED = 3,
	MSG_LINK_OPEN = 4,
	MSG_LINK_OK = 5,
	MSG_LINK_CLOSE = 6,
	MSG_CREATE = 7,
	MSG_CREATED = 8,
	MSG_CREATE_FAIL = 9,
	MSG_DESTROY = 10,
	MSG_DESTROYED = 11,
	MSG_CIRCUITS = 12,
	MSG_DHT_ASK = 13,
	MSG_DHT_ANSWER = 14,
	MSG_GOAWAY = 15,
	/* service streams */
	MSG_OPEN = 32,
	MSG_OPEN_OK = 33,
	MSG_OPEN_FAIL = 34
};

struct msg_head {
	uint16_t type; /* enum msg_type, or one that we do not know: skip */
	uint32_t len;  /* of the body */
};

VX6_NONNULL void msg_head_emit(uint8_t out[MSG_HEAD_LEN], enum msg_type type,
			       uint32_t len);
/* msg_head_parse: VX6_BAD_SIZE for a length over MSG_BODY_MAX: close. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_head_parse(const uint8_t in[MSG_HEAD_LEN], struct msg_head *h);

/* ---- HELLO ---- */

struct msg_hello {
	uint64_t unix_ms;
	const uint8_t *record; /* our own node record, a whole envelope */
	size_t record_len;
	/* what the sender takes; 0 = not said */
	uint32_t create_rate, create_burst; /* CREATE per second */
	uint32_t circuits;                  /* half-circuits in its table */
};

/* msg_hello_parse: VX6_BAD_VERSION for another protocol number. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_hello_emit(const struct msg_hello *m, uint8_t *out, size_t cap,
	       size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_hello_parse(const uint8_t *body, size_t len, struct msg_hello *m);

/* ---- RECORDS, RECORDS_WANTED ---- */

struct msg_bytes {
	const uint8_t *data;
	size_t len;
};

struct msg_records {
	struct msg_bytes record[MSG_RECORDS_MAX];
	unsigned n;
};

/* msg_records_emit writes as many of record[0..n) as one message and cap
 * hold; *took says how many, at least one.  Call it again for the rest. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_records_emit(const struct msg_bytes record[], unsigned n, uint8_t *out,
		 size_t cap, size_t *len, unsigned *took);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_records_parse(const uint8_t *body, size_t len, struct msg_records *m);

struct msg_wanted {
	uint8_t id[MSG_RECORDS_MAX][32];
	unsigned n; /* 0: all relay records that the receiver holds */
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_wanted_emit(const struct msg_wanted *m, uint8_t *out, size_t cap,
		size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_wanted_parse(const uint8_t *body, size_t len, struct msg_wanted *m);

/* ---- links ---- */

struct msg_link {       /* LINK_OPEN and LINK_OK */
	uint32_t index; /* the sender's, 1..0xffffff: cells to it carry it */
	uint8_t nonce[16];
	bool learn;           /* no address: take that of our first ask */
	struct vx6_addr addr; /* where the sender takes cells; port also
				 with learn */
	uint16_t u;           /* largest UDP payload, 32..1472 */
	bool adopt;           /* a link of an earlier session goes on: */
	uint32_t adopt_own;   /* the sender's index of it */
	uint32_t adopt_peer;  /* the receiver's index of it */
};

/* type is MSG_LINK_OPEN or MSG_LINK_OK. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_link_emit(enum msg_type type, const struct msg_link *m, uint8_t *out,
	      size_t cap, size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_link_parse(const uint8_t *body, size_t len, struct msg_link *m);

enum msg_link_reason {
	MSG_LINK_DONE = 1,    /* not needed any more */
	MSG_LINK_NO_ROOM = 2, /* also the answer to LINK_OPEN */
	MSG_LINK_POLICY = 3,
	MSG_LINK_UNKNOWN = 4, /* adoption named a link that is not here */
	MSG_LINK_DEAD = 5,    /* its asks went unanswered */
	MSG_LINK_SHUTDOWN = 6
};

struct msg_link_close {
	uint32_t index;  /* the receiver's; 1..0xffffff */
	uint32_t reason; /* enum msg_link_reason, or one we do not know */
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_link_close_emit(const struct msg_link_close *m, uint8_t *out, size_t cap,
		    size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_link_close_parse(const uint8_t *body, size_t len, struct msg_link_close *m);

/* ---- GOAWAY: nothing new on this session; it closes when quiet ---- */

enum msg_goaway_reason {
	MSG_GOAWAY_SHUTDOWN = 1,
	MSG_GOAWAY_DUPLICATE = 2, /* the other of two crossing sessions stays */
	MSG_GOAWAY_PROTOCOL = 3,
	MSG_GOAWAY_UNUSED = 4,
	MSG_GOAWAY_NO_ROOM = 5
};

struct msg_goaway {
	uint32_t reason;     /* enum msg_goaway_reason, or unknown */
	char text[MSG_TEXT]; /* printable ASCII, may be "" */
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_goaway_emit(const struct msg_goaway *m, uint8_t *out, size_t cap,
		size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_goaway_parse(const uint8_t *body, size_t len, struct msg_goaway *m);

/* ---- service streams ---- */

enum msg_proto { MSG_TCP = 1, MSG_UDP = 2 };

struct msg_open {
	char name[NAME_TEXT]; /* of the service, without the owner */
	enum msg_proto proto;
	bool has_flow; /* UDP: the datagrams' flow id */
	uint32_t flow;
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_emit(const struct msg_open *m, uint8_t *out, size_t cap, size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_parse(const uint8_t *body, size_t len, struct msg_open *m);

/* OPEN_OK has an empty map; what follows it are the service's bytes. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_ok_emit(uint8_t *out, size_t cap, size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_ok_parse(const uint8_t *body, size_t len);

enum msg_open_code {
	MSG_OPEN_NOT_ALLOWED = 1, /* or no such service: they look the same */
	MSG_OPEN_REFUSED = 3,     /* the target refused, or did not answer */
	MSG_OPEN_BUSY = 4
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_fail_emit(enum msg_open_code code, uint8_t *out, size_t cap,
		   size_t *len);
/* msg_open_fail_parse: *code may be one that we do not know. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_open_fail_parse(const uint8_t *body, size_t len, uint32_t *code);

/* ---- channel control (section 10, type 4): a body without head ---- */

struct msg_channel {
	uint16_t d; /* MSG_D_MIN..MSG_D_MAX; 0 = not said */
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_channel_emit(const struct msg_channel *m, uint8_t *out, size_t cap,
		 size_t *len);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
msg_channel_parse(const uint8_t *body, size_t len, struct msg_channel *m);

#endif
