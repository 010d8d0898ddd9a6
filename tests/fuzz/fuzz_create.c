/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_create: onions, slots and replies that nobody made honestly.
 *
 * Byte 0 says what the rest is:
 *   0  an onion, cut or filled up with zeros: it must not open
 *   1  edits {u16 at, u8 xor} to a good onion of 3 hops: the first hop opens
 *      it if and only if nothing changed
 *   2  a slot text and a body, sealed as they should be: what is taken must
 *      be what exists
 *   3  edits to a good reply: the origin takes it if and only if no slot
 *      changed
 *   4  a status and 448 bytes, sealed as they should be */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/wire/create.h"
#include "dataplane/wire/create_impl.h"
#include "tests/fuzz/fuzz.h"

#define HOPS 3u
#define NOW  1800000000u

static struct {
	bool ready;
	uint8_t secret[HOPS][32];
	struct vx6_create_hop hop[HOPS];
	struct vx6_create_random rnd;
	struct vx6_create_origin origin;
	struct vx6_create_relay relay[HOPS];
	uint8_t onion[VX6_ONION_LEN], reply[VX6_REPLY_LEN];
} good;

static enum vx6_status open_at(unsigned i, const uint8_t *onion,
			       struct vx6_create_relay *r, struct vx6_slot *s,
			       uint8_t next[VX6_ONION_LEN])
{
	enum vx6_status st =
		vx6_create_open(r, s, next, onion, good.hop[i].node_id,
				good.secret[i], good.hop[i].onion_public, NOW);

	MUST(vx6_status_owed(st) != VX6_OWE_BOOT);
	if (st != VX6_OK)
		MUST(sodium_is_zero((const uint8_t *)r, sizeof(*r)) == 1);
	return st;
}

static void set_up(void)
{
	uint8_t onion[VX6_ONION_LEN], next[VX6_ONION_LEN], tail[448] = { 7 };
	struct vx6_slot s;

	MUST(sodium_init() >= 0);
	memset(&good.rnd, 0x31, sizeof(good.rnd));
	for (unsigned i = 0; i < HOPS; i++) {
		struct vx6_create_hop *h = &good.hop[i];

		memset(good.secret[i], (int)(0x40 + i), 32);
		crypto_scalarmult_base(h->onion_public, good.secret[i]);
		memset(h->node_id, (int)(0x50 + i), 32);
		h->expires = NOW + 90;
		h->lifetime_min = 60;
		h->role = i + 1 == HOPS ? VX6_ROLE_END : VX6_ROLE_RELAY;
		h->suite = 1;
	}
	MUST(vx6_create_build(good.onion, &good.origin, good.hop, HOPS, NULL, 0,
			      &good.rnd) == VX6_OK);
	memcpy(onion, good.onion, sizeof(onion));
	for (unsigned i = 0; i < HOPS; i++) {
		MUST(open_at(i, onion, &good.relay[i], &s, next) == VX6_OK);
		memcpy(onion, next, sizeof(onion));
		MUST(vx6_create_accept(&good.relay[i], good.rnd.e[i]) ==
		     VX6_OK);
	}
	for (unsigned i = HOPS; i-- > 0;) {
		struct vx6_hop_status st = { .suite = 1 };

		vx6_created_wrap(good.reply, &good.relay[i], &st,
				 i + 1 == HOPS ? NULL : good.reply, tail);
	}
	good.ready = true;
}

static void edit(uint8_t *to, size_t size, const uint8_t *data, size_t len)
{
	for (; len >= 3; data += 3, len -= 3)
		to[vx6_get16(data) % size] ^= data[2];
}

static void check_slot(const struct vx6_slot *s)
{
	bool terminal = vx6_slot_is_terminal(s);

	MUST(s->role >= VX6_ROLE_RELAY && s->role <= VX6_ROLE_DHT);
	MUST((s->role == VX6_ROLE_RELAY) != terminal);
	MUST(vx6_cell_size_ok(s->cell_size));
	MUST(s->early_len <= (terminal ? VX6_EARLY_MAX : 0));
	MUST(s->expires >= NOW && s->expires - NOW <= VX6_EXPIRES_MAX);
}

static void any_onion(const uint8_t *data, size_t len)
{
	uint8_t onion[VX6_ONION_LEN] = { 0 }, next[VX6_ONION_LEN];
	struct vx6_create_relay r;
	struct vx6_slot s;

	memcpy(onion, data, len < sizeof(onion) ? len : sizeof(onion));
	MUST(open_at(0, onion, &r, &s, next) != VX6_OK ||
	     memcmp(onion, good.onion, sizeof(onion)) == 0);
}

static void edited_onion(const uint8_t *data, size_t len)
{
	uint8_t onion[VX6_ONION_LEN], next[VX6_ONION_LEN];
	struct vx6_create_relay r;
	struct vx6_slot s;

	memcpy(onion, good.onion, sizeof(onion));
	edit(onion, sizeof(onion), data, len);
	bool same = memcmp(onion, good.onion, sizeof(onion)) == 0;
	MUST((open_at(0, onion, &r, &s, next) == VX6_OK) == same);
}

static void any_slot(const uint8_t *data, size_t len)
{
	uint8_t m[VX6_ONION_LEN] = { 0 }, next[VX6_ONION_LEN], text[TEXT_LEN];
	uint8_t h1[32], ss1[32];
	struct create_part1 k;
	struct vx6_create_relay r;
	struct vx6_slot s;

	memset(text, 0, sizeof(text));
	memcpy(text, data, len < TEXT_LEN ? len : TEXT_LEN);
	if (len > TEXT_LEN)
		memcpy(m + SLOTS_LEN, data + TEXT_LEN,
		       len - TEXT_LEN < BODY_LEN ? len - TEXT_LEN : BODY_LEN);
	crypto_scalarmult_base(m, good.rnd.e[0]);
	MUST(vx6_dh(ss1, good.rnd.e[0], good.hop[0].onion_public) == VX6_OK);
	vx6_create_part1(&k, h1, ss1, good.hop[0].node_id,
			 good.hop[0].onion_public, m);
	vx6_stream_xor(m + SLOTS_LEN, BODY_LEN, k.kr, SLOTS_LEN);
	vx6_seal(m + 32, k.ks, m + SLOT_LEN, BEHIND_LEN, text, sizeof(text));
	if (open_at(0, m, &r, &s, next) != VX6_OK)
		return;
	check_slot(&s);
	vx6_slot_emit(next, &s);
	MUST(memcmp(next, text, TEXT_LEN) == 0);
}

static enum vx6_status open_reply(const uint8_t *reply, unsigned *got)
{
	struct vx6_hop_keys keys[VX6_HOPS_MAX];
	struct vx6_hop_status status[VX6_HOPS_MAX];
	enum vx6_status st = vx6_created_open(&good.origin, reply, keys, status,
					      got);

	MUST(vx6_status_owed(st) != VX6_OWE_BOOT && *got <= HOPS);
	MUST((st == VX6_OK) <= (*got == HOPS));
	for (unsigned i = 0; i < *got; i++)
		MUST(status[i].code < VX6_CREATED_CODE_CNT);
	return st;
}

static void edited_reply(const uint8_t *data, size_t len)
{
	uint8_t reply[VX6_REPLY_LEN];
	unsigned got;

	memcpy(reply, good.reply, sizeof(reply));
	edit(reply, sizeof(reply), data, len);
	bool same = memcmp(reply, good.reply, HOPS * ANSWER_LEN) == 0;
	MUST((open_reply(reply, &got) == VX6_OK) == same);
}

static void any_status(const uint8_t *data, size_t len)
{
	uint8_t reply[VX6_REPLY_LEN] = { 0 }, text[STATUS_LEN] = { 0 };
	unsigned got;

	memcpy(text, data, len < STATUS_LEN ? len : STATUS_LEN);
	memcpy(reply, good.relay[0].y_public, 32);
	vx6_seal(reply + 32, good.relay[0].kc, NULL, 0, text, STATUS_LEN);
	if (len > STATUS_LEN)
		memcpy(reply + ANSWER_LEN, data + STATUS_LEN,
		       len - STATUS_LEN < REPLY_REST ? len - STATUS_LEN
						     : REPLY_REST);
	MUST(open_reply(reply, &got) != VX6_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const how[])(const uint8_t *data, size_t len) = {
		any_onion, edited_onion, any_slot, edited_reply, any_status,
	};

	if (!good.ready)
		set_up();
	if (len < 1 || len > 4096)
		return 0;
	how[data[0] % VX6_COUNT(how)](data + 1, len - 1);
	return 0;
}
