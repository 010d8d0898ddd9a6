/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/create.h"

#include <sodium.h>
#include <string.h>

#include "dataplane/wire/create_impl.h"

static enum vx6_status time_ok(uint32_t expires, uint32_t now)
{
	if (expires < now || expires - now > VX6_EXPIRES_MAX)
		return VX6_EXPIRED;
	return VX6_OK;
}

static void shift(uint8_t next[VX6_ONION_LEN],
		  const uint8_t onion[VX6_ONION_LEN], const uint8_t kr[32])
{
	memcpy(next, onion + SLOT_LEN, SLOTS_LEN - SLOT_LEN);
	memset(next + SLOTS_LEN - SLOT_LEN, 0, SLOT_LEN);
	memcpy(next + SLOTS_LEN, onion + SLOTS_LEN, BODY_LEN);
	vx6_stream_xor(next, VX6_ONION_LEN, kr, 0);
}

static enum vx6_status read_slot(struct vx6_slot *slot,
				 const uint8_t onion[VX6_ONION_LEN],
				 const uint8_t ks[32], uint32_t now)
{
	uint8_t text[TEXT_LEN];
	enum vx6_status st = vx6_open(text, ks, onion + SLOT_LEN, BEHIND_LEN,
				      onion + 32, SEALED_LEN);

	if (st == VX6_OK)
		st = vx6_slot_parse(slot, text);
	if (st == VX6_OK)
		st = time_ok(slot->expires, now);
	sodium_memzero(text, sizeof(text));
	return st;
}

enum vx6_status
vx6_create_open(struct vx6_create_relay *r, struct vx6_slot *slot,
		uint8_t next[VX6_ONION_LEN], const uint8_t onion[VX6_ONION_LEN],
		const uint8_t node_id[32], const uint8_t onion_secret[32],
		const uint8_t onion_public[32], uint32_t now_unix)
{
	struct create_part1 k;
	enum vx6_status st;

	*r = (struct vx6_create_relay){ 0 };
	*slot = (struct vx6_slot){ 0 };
	memcpy(r->e, onion, 32);
	memcpy(r->sealed, onion + 32, SEALED_LEN);
	st = vx6_dh(r->ss1, onion_secret, r->e);
	if (st != VX6_OK)
		goto out;
	vx6_create_part1(&k, r->h1, r->ss1, node_id, onion_public, r->e);
	st = read_slot(slot, onion, k.ks, now_unix);
	if (st != VX6_OK)
		goto out;
	shift(next, onion, k.kr);
	if (vx6_slot_is_terminal(slot) &&
	    sodium_is_zero(next + SLOTS_LEN + slot->early_len,
			   BODY_LEN - slot->early_len) != 1) {
		sodium_memzero(next, VX6_ONION_LEN);
		st = VX6_MALFORMED;
	}
out:
	if (st != VX6_OK) {
		vx6_create_relay_wipe(r);
		*slot = (struct vx6_slot){ 0 };
	}
	sodium_memzero(&k, sizeof(k));
	return st;
}

enum vx6_status vx6_create_accept(struct vx6_create_relay *r,
				  const uint8_t y[32])
{
	uint8_t ss2[32];
	struct create_part2 k;
	enum vx6_status st = vx6_dh(ss2, y, r->e);

	if (st != VX6_OK || crypto_scalarmult_base(r->y_public, y) != 0)
		return VX6_BAD_KEY;
	vx6_create_part2(&k, r->h1, r->sealed, r->y_public, r->ss1, ss2);
	r->keys = k.keys;
	memcpy(r->kc, k.kc, sizeof(r->kc));
	memcpy(r->kb, k.kb, sizeof(r->kb));
	sodium_memzero(r->ss1, sizeof(r->ss1));
	sodium_memzero(ss2, sizeof(ss2));
	sodium_memzero(&k, sizeof(k));
	return VX6_OK;
}

void vx6_created_wrap(uint8_t reply[VX6_REPLY_LEN],
		      const struct vx6_create_relay *r,
		      const struct vx6_hop_status *status,
		      const uint8_t *behind, const uint8_t random[448])
{
	uint8_t text[STATUS_LEN];

	vx6_hop_status_emit(text, status);
	if (behind != NULL) {
		memmove(reply + ANSWER_LEN, behind, REPLY_REST);
		vx6_stream_xor(reply + ANSWER_LEN, REPLY_REST, r->kb, 0);
	} else {
		memcpy(reply + ANSWER_LEN, random, REPLY_REST);
	}
	memcpy(reply, r->y_public, 32);
	vx6_seal(reply + 32, r->kc, NULL, 0, text, sizeof(text));
}

void vx6_create_relay_wipe(struct vx6_create_relay *r)
{
	sodium_memzero(r, sizeof(*r));
}
