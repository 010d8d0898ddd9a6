/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_PAIR_H
#define VX6_TESTS_SUPPORT_PAIR_H

/* pair: two quic endpoints over pipes, in virtual time.
 *
 * End 0 dials, end 1 serves.  What quic tells an end is noted in its
 * struct; a test that wants more sets `hooks`, whose functions are called
 * after the note with the pair_end as ctx. */

#include "controlplane/session/quic.h"
#include "tests/support/pipes.h"

#define PAIR_KIND_QUIC 0u

struct pair;

struct pair_end {
	struct pair *pair;
	unsigned idx;
	struct quic_endpoint *ep;
	struct quic_identity id;
	uint8_t node[32];
	struct quic_conn *conn; /* the latest one; NULL when it closed */
	unsigned ready_cnt, closed_cnt, moved_cnt, validated_cnt;
	struct quic_close why; /* of the latest that closed */
	enum vx6_status admits;
	bool deaf; /* its `send` takes nothing */
	uint64_t datagrams, datagram_bytes;
	uint64_t refused[VX6_STATUS_CNT]; /* what quic_read said */
	struct quic_events hooks;
	void *user;
};

struct pair {
	struct pipes net;
	struct pair_end end[2];
	uint64_t now_ns;
	/* owner's own timer: when, and what then */
	uint64_t (*due)(struct pair *p);
	void (*tick)(struct pair *p);
	/* other than QUIC datagrams */
	void (*other)(struct pair *p, unsigned end, unsigned leg, unsigned kind,
		      uint8_t *data, size_t len);
	/* a chance to change or drop a QUIC datagram before it is read */
	bool (*tamper)(struct pair *p, unsigned end, unsigned leg,
		       uint8_t *data, size_t *len);
	void *user;
};

/* pair_open makes both endpoints with their own fresh identities; limits
 * may be NULL.  Pipe 0 has 10 ms each way and no other bound. */
void pair_open(struct pair *p, const struct quic_limits *client,
	       const struct quic_limits *server, uint64_t seed);
void pair_close(struct pair *p);

/* pair_dial dials over leg 0; expect: the server's node ID is named. */
struct quic_conn *pair_dial(struct pair *p, enum quic_alpn alpn, bool expect,
			    uint16_t d);

/* pair_step goes to the next thing that happens, at most until; false when
 * until is reached. */
bool pair_step(struct pair *p, uint64_t until_ns);
/* pair_run runs for so long. */
void pair_run(struct pair *p, uint64_t ns);
/* pair_connect dials and runs until both are ready; false if not in 5 s. */
bool pair_connect(struct pair *p, enum quic_alpn alpn, uint16_t d);

/* pair_fill writes the content of a test stream at an offset. */
void pair_fill(uint64_t stream, uint64_t offset, uint8_t *to, size_t len);
/* pair_same tells whether data is what pair_fill would write. */
bool pair_same(uint64_t stream, uint64_t offset, const uint8_t *data,
	       size_t len);

#endif
