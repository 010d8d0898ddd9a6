/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/create.h"

#include <sodium.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/create_impl.h"
#include "dataplane/wire/window.h"

void vx6_create_part1(struct create_part1 *k, uint8_t h1[32],
		      const uint8_t ss1[32], const uint8_t node_id[32],
		      const uint8_t onion_public[32],
		      const uint8_t e_public[32])
{
	static const uint8_t handshake = VX6_HANDSHAKE;
	const struct vx6_part part[] = {
		{ &handshake,   1  },
		{ node_id,      32 },
		{ onion_public, 32 },
		{ e_public,     32 },
	};
	uint8_t k1[32];

	vx6_hash(h1, "vx6/1 create", part, VX6_COUNT(part));
	vx6_extract(k1, h1, ss1, 32);
	vx6_key(k->ks, sizeof(k->ks), k1, "VX6creat", 1);
	vx6_key(k->kr, sizeof(k->kr), k1, "VX6creat", 2);
	sodium_memzero(k1, sizeof(k1));
}

static uint64_t start_from(const uint8_t k2[32], uint64_t id)
{
	uint8_t bytes[16];

	vx6_key(bytes, sizeof(bytes), k2, "VX6circ1", id);

	uint64_t start = vx6_ctr_start(bytes);

	sodium_memzero(bytes, sizeof(bytes));
	return start;
}

void vx6_create_part2(struct create_part2 *k, const uint8_t h1[32],
		      const uint8_t sealed[SEALED_LEN],
		      const uint8_t y_public[32], const uint8_t ss1[32],
		      const uint8_t ss2[32])
{
	const struct vx6_part part[] = {
		{ h1,       32         },
		{ sealed,   SEALED_LEN },
		{ y_public, 32         },
	};
	uint8_t h2[32], ikm[64], k2[32];

	vx6_hash(h2, "vx6/1 created", part, VX6_COUNT(part));
	memcpy(ikm, ss1, 32);
	memcpy(ikm + 32, ss2, 32);
	vx6_extract(k2, h2, ikm, sizeof(ikm));
	vx6_key(k->keys.k_f, 32, k2, "VX6circ1", 1);
	vx6_key(k->keys.k_b, 32, k2, "VX6circ1", 2);
	vx6_key(k->keys.iv_f, 16, k2, "VX6circ1", 3);
	vx6_key(k->keys.iv_b, 16, k2, "VX6circ1", 4);
	k->keys.start_f = start_from(k2, 5);
	k->keys.start_b = start_from(k2, 6);
	vx6_key(k->kc, 32, k2, "VX6circ1", 7);
	vx6_key(k->kb, 32, k2, "VX6circ1", 8);
	sodium_memzero(ikm, sizeof(ikm));
	sodium_memzero(k2, sizeof(k2));
}

bool vx6_slot_is_terminal(const struct vx6_slot *s)
{
	return sodium_is_zero(s->next, sizeof(s->next)) == 1;
}

static bool lifetime_ok(uint16_t minutes)
{
	return minutes == 10 || minutes == 60 || minutes == 240 ||
	       minutes == 1440;
}

enum vx6_status vx6_slot_check(const struct vx6_slot *s)
{
	bool relay = s->role == VX6_ROLE_RELAY;

	if (s->role < VX6_ROLE_RELAY || s->role > VX6_ROLE_DHT ||
	    relay == vx6_slot_is_terminal(s))
		return VX6_MALFORMED;
	if (!vx6_cell_size_ok(s->cell_size) || !lifetime_ok(s->lifetime_min))
		return VX6_MALFORMED;
	if (s->early_len > (relay ? 0u : VX6_EARLY_MAX))
		return VX6_MALFORMED;
	return VX6_OK;
}

void vx6_slot_emit(uint8_t text[TEXT_LEN], const struct vx6_slot *s)
{
	memset(text, 0, TEXT_LEN);
	text[0] = 1;
	text[1] = s->role;
	text[2] = s->suite;
	vx6_put16(text + 4, s->cell_size);
	vx6_put16(text + 6, s->lifetime_min);
	vx6_put32(text + 8, s->expires);
	vx6_put16(text + 12, s->early_len);
	memcpy(text + 16, s->next, 32);
	vx6_put32(text + 48, s->next_kid);
}

enum vx6_status vx6_slot_parse(struct vx6_slot *s, const uint8_t text[TEXT_LEN])
{
	*s = (struct vx6_slot){
		.role = text[1],
		.suite = text[2],
		.cell_size = vx6_get16(text + 4),
		.lifetime_min = vx6_get16(text + 6),
		.expires = vx6_get32(text + 8),
		.early_len = vx6_get16(text + 12),
		.next_kid = vx6_get32(text + 48),
	};
	memcpy(s->next, text + 16, 32);
	if (text[0] != 1 || text[3] != 0 || vx6_get16(text + 14) != 0 ||
	    sodium_is_zero(text + 52, TEXT_LEN - 52) != 1)
		return VX6_MALFORMED;
	return vx6_slot_check(s);
}

void vx6_hop_status_emit(uint8_t text[STATUS_LEN],
			 const struct vx6_hop_status *s)
{
	memset(text, 0, STATUS_LEN);
	text[0] = s->code;
	text[1] = s->suite;
	vx6_put16(text + 2, s->u_next);
	vx6_put32(text + 4, s->lifetime_s);
}

enum vx6_status vx6_hop_status_parse(struct vx6_hop_status *s,
				     const uint8_t text[STATUS_LEN])
{
	*s = (struct vx6_hop_status){
		.code = text[0],
		.suite = text[1],
		.u_next = vx6_get16(text + 2),
		.lifetime_s = vx6_get32(text + 4),
	};
	if (s->code >= VX6_CREATED_CODE_CNT || vx6_get64(text + 8) != 0)
		return VX6_MALFORMED;
	return VX6_OK;
}
