/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_CREATE_IMPL_H
#define VX6_DATAPLANE_WIRE_CREATE_IMPL_H

/* create_impl: what both ends of a CREATE reckon alike; create*.c only.
 *
 * i and n count as PROTOCOL.md 7 does: hop 1 is the first. */

#include "dataplane/wire/create.h"
#include "dataplane/wire/kdf.h"

#define SLOT_CNT   8u
#define SLOT_LEN   128u /* of the onion: E 32 || sealed 96 */
#define SEALED_LEN 96u
#define TEXT_LEN   80u
#define SLOTS_LEN  (SLOT_CNT * SLOT_LEN)
#define BODY_LEN   (VX6_ONION_LEN - SLOTS_LEN)
#define BEHIND_LEN (VX6_ONION_LEN - SLOT_LEN) /* what a slot's tag covers */
#define ANSWER_LEN 64u                        /* a slot of the reply */
#define STATUS_LEN 16u
#define REPLY_REST (VX6_REPLY_LEN - ANSWER_LEN)

struct create_part1 { /* from the static-ephemeral exchange.  Secret. */
	uint8_t ks[32];
	uint8_t kr[32];
};

/* create_part1 derives h1 and the slot's keys from ss1 = DH(o, E). */
VX6_NONNULL void vx6_create_part1(struct create_part1 *k, uint8_t h1[32],
				  const uint8_t ss1[32],
				  const uint8_t node_id[32],
				  const uint8_t onion_public[32],
				  const uint8_t e_public[32]);

struct create_part2 { /* the circuit's keys at one hop.  Secret. */
	struct vx6_hop_keys keys;
	uint8_t kc[32];
	uint8_t kb[32];
};

/* create_part2 derives them from ss1 and ss2 = DH(y, E). */
VX6_NONNULL void vx6_create_part2(struct create_part2 *k, const uint8_t h1[32],
				  const uint8_t sealed[SEALED_LEN],
				  const uint8_t y_public[32],
				  const uint8_t ss1[32], const uint8_t ss2[32]);

/* A hop that names no next one is the terminal. */
VX6_NONNULL bool vx6_slot_is_terminal(const struct vx6_slot *s);

/* vx6_slot_check: VX6_MALFORMED for values that do not exist, or do not go
 * together: a relay names a next hop and has no early data, every other
 * role is terminal. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_slot_check(const struct vx6_slot *s);
VX6_NONNULL void vx6_slot_emit(uint8_t text[TEXT_LEN],
			       const struct vx6_slot *s);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_slot_parse(struct vx6_slot *s, const uint8_t text[TEXT_LEN]);

VX6_NONNULL void vx6_hop_status_emit(uint8_t text[STATUS_LEN],
				     const struct vx6_hop_status *s);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_hop_status_parse(struct vx6_hop_status *s, const uint8_t text[STATUS_LEN]);

#endif
