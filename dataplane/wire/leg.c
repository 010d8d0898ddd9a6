/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/leg.h"

#include <sodium.h>

enum vx6_status vx6_leg_init(struct vx6_leg *leg,
			     const struct vx6_hop_keys keys[],
			     const struct vx6_hop_status status[], unsigned n)
{
	enum vx6_status st = n < 1 || n > VX6_HOPS_MAX ? VX6_MALFORMED : VX6_OK;

	*leg = (struct vx6_leg){ .n = n };
	for (unsigned i = 0; st == VX6_OK && i < n; i++) {
		struct vx6_leg_hop *h = &leg->hop[i];
		const struct vx6_hop_keys *k = &keys[i];
		unsigned suite = status[i].suite;

		h->start_f = k->start_f;
		vx6_window_init(&h->back, k->start_b);
		st = vx6_layer_init(&h->fwd, suite, k->k_f, k->iv_f);
		if (st == VX6_OK)
			st = vx6_layer_init(&h->bwd, suite, k->k_b, k->iv_b);
	}
	if (st != VX6_OK)
		vx6_leg_wipe(leg);
	return st;
}

size_t vx6_leg_room(const struct vx6_leg *leg, unsigned to, size_t size)
{
	size_t around = VX6_CELL_HDR + VX6_LAYER_LEN * (size_t)(to + 1) - 8u;

	if (to >= leg->n || size <= around)
		return 0;
	return (size < VX6_CELL_MAX ? size : VX6_CELL_MAX) - around;
}

enum vx6_status vx6_leg_seal(struct vx6_leg *leg, unsigned to,
			     enum vx6_kind kind, uint8_t *buf, size_t len,
			     uint8_t **cell, uint16_t *len_out)
{
	uint8_t *h8 = buf + VX6_LEG_FRONT - 8;

	if (to >= leg->n || len > vx6_leg_room(leg, to, VX6_CELL_MAX))
		return VX6_BAD_SIZE;
	for (unsigned i = 0; i <= to; i++)
		if (leg->hop[i].sealed >= VX6_CTR_SPAN)
			return VX6_EXHAUSTED;
	for (unsigned i = to + 1; i-- > 0;) {
		struct vx6_leg_hop *h = &leg->hop[i];

		vx6_layer_seal(&h->fwd, h->start_f + h->sealed++,
			       i == to ? kind : VX6_KIND_DATA, h8, len);
		len += VX6_LAYER_LEN;
		h8 -= 8;
	}
	*cell = h8;
	*len_out = (uint16_t)(len - 8);
	return VX6_OK;
}

/* Opens one layer at h8 between its window's test and its record. */
static enum vx6_status open_one(struct vx6_leg_hop *h, uint8_t *h8, size_t room,
				size_t *plain_len)
{
	uint64_t ctr;
	enum vx6_status st;

	if (room < 8u + VX6_LEN_MIN)
		return VX6_BAD_SIZE;
	ctr = vx6_h8_ctr(h8);
	st = vx6_window_fresh(&h->back, ctr);
	if (st == VX6_OK)
		st = vx6_layer_open(&h->bwd, h8, room, plain_len);
	if (st == VX6_OK)
		st = vx6_window_record(&h->back, ctr);
	return st;
}

enum vx6_status vx6_leg_open(struct vx6_leg *leg, uint8_t *p, size_t size,
			     struct vx6_leg_open *out)
{
	uint8_t *h8 = p + 8;
	size_t room = size < 8u ? 0 : size - 8u;

	for (unsigned i = 0; i < leg->n; i++) {
		size_t plain_len = 0;
		enum vx6_status st = open_one(&leg->hop[i], h8, room,
					      &plain_len);

		if (st != VX6_OK)
			return st;

		unsigned kind = vx6_h8_kind(h8);

		if (kind < VX6_KIND_DATA || kind > VX6_KIND_DROP)
			return VX6_BAD_KIND;
		h8 += 8;
		if (kind != VX6_KIND_DATA || i + 1 == leg->n) {
			*out = (struct vx6_leg_open){ h8, plain_len, i,
						      (uint8_t)kind };
			return VX6_OK;
		}
		/* P is the H8 and the C that this hop received, no more */
		if (plain_len < 8u || plain_len - 8u != vx6_h8_len(h8))
			return VX6_BAD_SIZE;
		room = plain_len;
	}
	return VX6_BAD_STATE; /* a leg without hops */
}

bool vx6_leg_rebuild_due(const struct vx6_leg *leg)
{
	for (unsigned i = 0; i < leg->n; i++)
		if (leg->hop[i].sealed >= VX6_CTR_REBUILD ||
		    leg->hop[i].back.head.next >= VX6_CTR_REBUILD)
			return true;
	return false;
}

void vx6_leg_wipe(struct vx6_leg *leg)
{
	sodium_memzero(leg, sizeof(*leg));
}
