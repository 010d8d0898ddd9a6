/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_CREATE_H
#define VX6_DATAPLANE_WIRE_CREATE_H

/* create: one message builds a whole circuit (PROTOCOL.md 7 and 8).
 *
 *     origin                     hop i                     terminal
 *     vx6_create_build  onion -> vx6_create_open  onion -> vx6_create_open
 *     vx6_created_open  <- reply vx6_created_wrap <- reply vx6_created_wrap
 *
 * Pure: randomness comes in as bytes, time as a number.  The replay cache,
 * the decision to extend and the session are the caller's.
 *
 * Ownership: the caller's structs.  Those that hold secrets say so and
 * are wiped with their _wipe; the functions wipe what they held. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/cell.h"

#define VX6_ONION_LEN   1536u
#define VX6_REPLY_LEN   512u
#define VX6_EARLY_MAX   512u
#define VX6_HANDSHAKE   1u
#define VX6_EXPIRES_MAX 180u /* seconds ahead that a slot may say */

enum vx6_role {
	VX6_ROLE_RELAY = 1,
	VX6_ROLE_END = 2,
	VX6_ROLE_INTRO = 3,
	VX6_ROLE_INTRODUCE = 4,
	VX6_ROLE_WAIT = 5,
	VX6_ROLE_JOIN = 6,
	VX6_ROLE_DHT = 7
};

enum vx6_created_code { /* of a hop's status, section 8 */
			VX6_CREATED_OK = 0,
			VX6_CREATED_NEXT_UNKNOWN = 1,
			VX6_CREATED_NEXT_UNREACHABLE = 2,
			VX6_CREATED_NEXT_REFUSED = 3,
			VX6_CREATED_NEXT_NO_KEY = 4,
			VX6_CREATED_NO_ROOM = 5,
			VX6_CREATED_POLICY = 6,
			VX6_CREATED_NO_COOKIE = 7,
			VX6_CREATED_EXPIRED = 8,
			VX6_CREATED_CODE_CNT
};

struct vx6_slot {         /* slot text, parsed */
	uint8_t next[32]; /* node ID; zero at the terminal */
	uint32_t next_kid;
	uint32_t expires; /* unix seconds */
	uint16_t cell_size;
	uint16_t lifetime_min; /* 10, 60, 240 or 1440 */
	uint16_t early_len;
	uint8_t role; /* enum vx6_role */
	uint8_t suite;
};

/* Keys of one hop after CREATED, as sections 3 and 8 use them.  Secret. */
struct vx6_hop_keys {
	uint8_t k_f[32], k_b[32];
	uint8_t iv_f[16], iv_b[16];
	uint64_t start_f, start_b;
};

struct vx6_hop_status {
	uint32_t lifetime_s; /* granted */
	uint16_t u_next;     /* U of the link to the next hop; 0 at terminal */
	uint8_t code;        /* enum vx6_created_code */
	uint8_t suite;
};

/* ---- origin ---- */

struct vx6_create_hop { /* one hop of the path, first to last */
	uint8_t node_id[32];
	uint8_t onion_public[32];
	uint32_t expires; /* now + 60..120, drawn per hop */
	uint16_t cell_size;
	uint16_t lifetime_min;
	uint8_t role;
	uint8_t suite;
};

struct vx6_create_random {           /* fresh for every CREATE.  Secret. */
	uint8_t e[VX6_HOPS_MAX][32]; /* X25519 secrets */
	uint8_t filler[VX6_HOPS_MAX * 128];
};

struct vx6_create_origin { /* from CREATE until CREATED.  Secret. */
	unsigned n;
	struct {
		uint8_t e[32];   /* X25519 secret */
		uint8_t ss1[32]; /* DH(e, O) */
		uint8_t h1[32];
		uint8_t sealed[96]; /* the slot's bytes [32..128) */
	} hop[VX6_HOPS_MAX];
};

/* vx6_create_build makes the onion for hop[0..n), 1 <= n <= 8, whose last
 * one is the terminal and gets early_len <= 512 bytes of early data.
 * VX6_BAD_KEY where an onion key gives a zero DH; VX6_MALFORMED for what
 * cannot be said (n, early_len, cell_size, lifetime, a role that does not
 * exist, any but relay before the last hop or relay as the last).  o is
 * filled for vx6_created_open, and wiped by the caller in the end. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3, 7) enum vx6_status
	vx6_create_build(uint8_t onion[VX6_ONION_LEN],
			 struct vx6_create_origin *o,
			 const struct vx6_create_hop hop[], unsigned n,
			 const uint8_t *early, size_t early_len,
			 const struct vx6_create_random *rnd);

/* vx6_created_open peels reply.  *got is how many hops answered: with all
 * codes 0 it is n and keys[0..n), status[0..n) are filled.  A hop that
 * failed to extend answered as terminal: status[*got - 1].code says why,
 * VX6_CLOSED is returned.  VX6_BAD_TAG when a slot does not open: the
 * first *got hops are proved, the next lied or was changed; VX6_MALFORMED
 * when a proved one says a status that does not exist.  keys are zero
 * then.  No tag covers what is behind the last answer, reply[64 * *got..):
 * it is random and never read.  o stays; wipe it afterwards. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_created_open(const struct vx6_create_origin *o,
		 const uint8_t reply[VX6_REPLY_LEN],
		 struct vx6_hop_keys keys[VX6_HOPS_MAX],
		 struct vx6_hop_status status[VX6_HOPS_MAX], unsigned *got);

VX6_NONNULL void vx6_create_origin_wipe(struct vx6_create_origin *o);

/* ---- relay and terminal ---- */

struct vx6_create_relay { /* from CREATE until CREATED.  Secret. */
	uint8_t e[32];    /* the origin's E: also the replay cache's key */
	uint8_t ss1[32];
	uint8_t h1[32];
	uint8_t sealed[96];
	struct vx6_hop_keys keys; /* filled by vx6_create_accept */
	uint8_t kc[32], kb[32], y_public[32];
};

/* vx6_create_open takes the onion that arrived, the relay's node ID and
 * onion key pair, and the time.  VX6_BAD_TAG, VX6_BAD_KEY, VX6_EXPIRED
 * (past, or more than 180 s ahead), VX6_MALFORMED (format, flags, zero
 * fields, a role, cell size or lifetime that does not exist): answer
 * CREATE_FAIL; r and slot are zero then.  A relay names a next hop and
 * has no early data, every other role is terminal (VX6_MALFORMED); whether
 * the suite can be run is the caller's question.  On VX6_OK slot is
 * filled, next holds the next hop's onion or, at a terminal, its last 512
 * bytes are early data and zeros (checked here).  The caller then asks its
 * replay cache about r->e. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_create_open(struct vx6_create_relay *r, struct vx6_slot *slot,
		uint8_t next[VX6_ONION_LEN], const uint8_t onion[VX6_ONION_LEN],
		const uint8_t node_id[32], const uint8_t onion_secret[32],
		const uint8_t onion_public[32], uint32_t now_unix);

/* vx6_create_accept derives the circuit's keys with y, a fresh X25519
 * secret, which it does not keep; ss1 is wiped.  VX6_BAD_KEY for a zero
 * DH. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_create_accept(struct vx6_create_relay *r, const uint8_t y[32]);

/* vx6_created_wrap makes this hop's reply.  behind is the reply that came
 * from the next hop, or NULL at a terminal and at a hop that failed to
 * extend; random fills the rest then (448 bytes are used).  reply may be
 * behind.  Once for each r: kc seals once. */
VX6_NONNULL_ARGS(1, 2, 3, 5)
void vx6_created_wrap(uint8_t reply[VX6_REPLY_LEN],
		      const struct vx6_create_relay *r,
		      const struct vx6_hop_status *status,
		      const uint8_t *behind, const uint8_t random[448]);

VX6_NONNULL void vx6_create_relay_wipe(struct vx6_create_relay *r);

#endif
