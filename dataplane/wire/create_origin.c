/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/create.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "dataplane/wire/create_impl.h"

struct built { /* what building needs of each hop.  Secret. */
	uint8_t e_public[32];
	uint8_t text[TEXT_LEN];
	struct create_part1 k;
};

static enum vx6_status text_of(uint8_t text[TEXT_LEN],
			       const struct vx6_create_hop hop[], unsigned i,
			       unsigned n, size_t early_len)
{
	struct vx6_slot s = {
		.role = hop[i].role,
		.suite = hop[i].suite,
		.cell_size = hop[i].cell_size,
		.lifetime_min = hop[i].lifetime_min,
		.expires = hop[i].expires,
	};
	enum vx6_status st;

	if (i + 1 < n) {
		memcpy(s.next, hop[i + 1].node_id, 32);
		s.next_kid = vx6_kid(hop[i + 1].onion_public);
	} else {
		s.early_len = (uint16_t)early_len;
	}
	st = vx6_slot_check(&s);
	if (st == VX6_OK)
		vx6_slot_emit(text, &s);
	return st;
}

static enum vx6_status agree(struct built *b, struct vx6_create_origin *o,
			     unsigned i, const struct vx6_create_hop *hop,
			     const uint8_t e[32])
{
	memcpy(o->hop[i].e, e, 32);
	if (crypto_scalarmult_base(b->e_public, e) != 0)
		return VX6_BAD_KEY;
	if (vx6_dh(o->hop[i].ss1, e, hop->onion_public) != VX6_OK)
		return VX6_BAD_KEY;
	vx6_create_part1(&b->k, o->hop[i].h1, o->hop[i].ss1, hop->node_id,
			 hop->onion_public, b->e_public);
	return VX6_OK;
}

/* phi_(n-1): what hops 1 .. n-1 will have shifted into the slots when the
 * onion comes to the terminal.  Each of them appends 128 zeros and XORs
 * its stream over all, so its successor's tag can cover the result. */
static void make_filler(uint8_t phi[], const struct built b[], unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		memset(phi + (i - 1) * SLOT_LEN, 0, SLOT_LEN);
		vx6_stream_xor(phi, (size_t)i * SLOT_LEN, b[i - 1].k.kr,
			       (SLOT_CNT - i) * SLOT_LEN);
	}
}

static void put_slot(uint8_t m[VX6_ONION_LEN], struct vx6_create_origin *o,
		     unsigned i, const struct built *b)
{
	memcpy(m, b->e_public, 32);
	vx6_seal(m + 32, b->k.ks, m + SLOT_LEN, BEHIND_LEN, b->text, TEXT_LEN);
	memcpy(o->hop[i].sealed, m + 32, SEALED_LEN);
}

/* m, the onion for hop i + 1 (from 0), becomes that for hop i: the
 * inverse of what hop i does, whose 128 new bytes at the slots' end come
 * out as zeros thanks to the filler and are cut off. */
static void wrap(uint8_t m[VX6_ONION_LEN], const uint8_t kr[32])
{
	vx6_stream_xor(m, VX6_ONION_LEN, kr, 0);
	assert(sodium_is_zero(m + SLOTS_LEN - SLOT_LEN, SLOT_LEN) == 1);
	memmove(m + SLOT_LEN, m, SLOTS_LEN - SLOT_LEN);
}

static void assemble(uint8_t m[VX6_ONION_LEN], struct vx6_create_origin *o,
		     const struct built b[], unsigned n, const uint8_t *early,
		     size_t early_len, const uint8_t *filler)
{
	size_t free_len = (SLOT_CNT - n) * (size_t)SLOT_LEN;

	memcpy(m + SLOT_LEN, filler, free_len);
	make_filler(m + SLOT_LEN + free_len, b, n);
	memset(m + SLOTS_LEN, 0, BODY_LEN);
	if (early_len > 0)
		memcpy(m + SLOTS_LEN, early, early_len);
	vx6_stream_xor(m + SLOTS_LEN, BODY_LEN, b[n - 1].k.kr, SLOTS_LEN);
	put_slot(m, o, n - 1, &b[n - 1]);
	for (unsigned i = n - 1; i-- > 0;) {
		wrap(m, b[i].k.kr);
		put_slot(m, o, i, &b[i]);
	}
}

enum vx6_status vx6_create_build(uint8_t onion[VX6_ONION_LEN],
				 struct vx6_create_origin *o,
				 const struct vx6_create_hop hop[], unsigned n,
				 const uint8_t *early, size_t early_len,
				 const struct vx6_create_random *rnd)
{
	struct built b[VX6_HOPS_MAX];
	enum vx6_status st = VX6_MALFORMED;

	*o = (struct vx6_create_origin){ .n = n };
	if (n < 1 || n > VX6_HOPS_MAX || early_len > VX6_EARLY_MAX)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		st = text_of(b[i].text, hop, i, n, early_len);
		if (st != VX6_OK)
			goto out;
		st = agree(&b[i], o, i, &hop[i], rnd->e[i]);
		if (st != VX6_OK)
			goto out;
	}
	assemble(onion, o, b, n, early, early_len, rnd->filler);
out:
	if (st != VX6_OK)
		vx6_create_origin_wipe(o);
	sodium_memzero(b, sizeof(b));
	return st;
}

/* Opens hop i's slot at the front of the reply and moves the next one
 * there. */
static enum vx6_status peel(const struct vx6_create_origin *o, unsigned i,
			    uint8_t reply[VX6_REPLY_LEN],
			    struct vx6_hop_keys *keys,
			    struct vx6_hop_status *status)
{
	uint8_t ss2[32], text[STATUS_LEN];
	struct create_part2 k;
	enum vx6_status st;

	if (vx6_dh(ss2, o->hop[i].e, reply) != VX6_OK)
		return VX6_BAD_TAG;
	vx6_create_part2(&k, o->hop[i].h1, o->hop[i].sealed, reply,
			 o->hop[i].ss1, ss2);
	st = vx6_open(text, k.kc, NULL, 0, reply + 32, ANSWER_LEN - 32);
	if (st == VX6_OK)
		st = vx6_hop_status_parse(status, text);
	if (st == VX6_OK) {
		*keys = k.keys;
		memmove(reply, reply + ANSWER_LEN, REPLY_REST);
		vx6_stream_xor(reply, REPLY_REST, k.kb, 0);
	}
	sodium_memzero(ss2, sizeof(ss2));
	sodium_memzero(&k, sizeof(k));
	return st;
}

enum vx6_status vx6_created_open(const struct vx6_create_origin *o,
				 const uint8_t reply[VX6_REPLY_LEN],
				 struct vx6_hop_keys keys[VX6_HOPS_MAX],
				 struct vx6_hop_status status[VX6_HOPS_MAX],
				 unsigned *got)
{
	uint8_t buf[VX6_REPLY_LEN];
	enum vx6_status st = VX6_BAD_STATE;

	memcpy(buf, reply, sizeof(buf));
	*got = 0;
	for (unsigned i = 0; i < o->n; i++) {
		st = peel(o, i, buf, &keys[i], &status[i]);
		if (st != VX6_OK)
			break;
		*got = i + 1;
		if (status[i].code != VX6_CREATED_OK) {
			st = VX6_CLOSED;
			break;
		}
	}
	if (st != VX6_OK)
		sodium_memzero(keys, VX6_HOPS_MAX * sizeof(keys[0]));
	sodium_memzero(buf, sizeof(buf));
	return st;
}

void vx6_create_origin_wipe(struct vx6_create_origin *o)
{
	sodium_memzero(o, sizeof(*o));
}
