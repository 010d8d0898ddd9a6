/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_leg: a leg, its hops, and a network that loses, repeats, reorders
 * and breaks cells.
 *
 * The input is a list of 4-byte orders {what, hop, size or byte, bit}.
 * Forward cells end at one hop, backward ones at the origin.  Every cell
 * that nobody broke is accepted exactly once and says what was said; every
 * other delivery is refused. */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/wire/leg.h"
#include "tests/fuzz/fuzz.h"

#define HOPS  5u
#define KEPT  16u /* cells under way */
#define FRAME 2048u

struct flying {
	uint8_t frame[FRAME];
	size_t at, size; /* of H8 | C in the frame: from the byte before */
	unsigned hop;    /* to or from */
	uint8_t fill;    /* what the plaintext is made of */
	uint8_t kind;
	size_t len;
	bool used, broken, taken;
};

static struct rig {
	struct vx6_leg leg;
	struct {
		struct vx6_layer fwd, bwd;
		struct vx6_window win;
		uint64_t ctr_b;
	} hop[HOPS];
	struct flying fwd[KEPT], bwd[KEPT];
	unsigned sent;
} pristine, r;
static bool ready;

static void set_up(void)
{
	struct vx6_hop_keys keys[HOPS];
	struct vx6_hop_status status[HOPS] = { 0 };

	MUST(vx6_aead_start() == VX6_OK);
	memset(keys, 0x77, sizeof(keys));
	for (unsigned i = 0; i < HOPS; i++) {
		struct vx6_hop_keys *k = &keys[i];

		k->k_f[0] = k->k_b[1] = (uint8_t)i;
		k->start_f = 1000 * i;
		k->start_b = 5000 * i;
		status[i].suite = (uint8_t)(1 + i % 2);
		MUST(vx6_layer_init(&pristine.hop[i].fwd, status[i].suite,
				    k->k_f, k->iv_f) == VX6_OK);
		MUST(vx6_layer_init(&pristine.hop[i].bwd, status[i].suite,
				    k->k_b, k->iv_b) == VX6_OK);
		vx6_window_init(&pristine.hop[i].win, k->start_f);
		pristine.hop[i].ctr_b = k->start_b;
	}
	MUST(vx6_leg_init(&pristine.leg, keys, status, HOPS) == VX6_OK);
	ready = true;
}

static struct flying *start(struct flying *list, unsigned hop, uint8_t size,
			    uint8_t bits)
{
	struct flying *c = &list[r.sent++ % KEPT];

	*c = (struct flying){
		.hop = hop,
		.fill = (uint8_t)(size ^ bits),
		.kind = (uint8_t)(1 + bits % 3),
		.len = (size_t)size * 4u,
		.used = true,
	};
	return c;
}

static void send_forward(unsigned hop, uint8_t size, uint8_t bits)
{
	struct flying *c = start(r.fwd, hop, size, bits);
	uint8_t *cell = NULL;
	uint16_t len = 0;

	memset(c->frame + VX6_LEG_FRONT, c->fill, c->len);
	MUST(vx6_leg_seal(&r.leg, hop, (enum vx6_kind)c->kind, c->frame, c->len,
			  &cell, &len) == VX6_OK);
	c->at = (size_t)(cell - c->frame);
	c->size = VX6_CELL_HDR + (size_t)len;
}

static void send_backward(unsigned hop, uint8_t size, uint8_t bits)
{
	struct flying *c = start(r.bwd, hop, size, bits);
	uint8_t *h8 = c->frame + VX6_LEG_FRONT;
	size_t len = c->len;

	/* a hop that is not the last one has only control and drop to say */
	if (hop + 1 < HOPS && c->kind == VX6_KIND_DATA)
		c->kind = VX6_KIND_CONTROL;
	memset(h8 + 8, c->fill, len);
	for (unsigned i = hop + 1; i-- > 0;) {
		vx6_layer_seal(&r.hop[i].bwd, r.hop[i].ctr_b++,
			       i == hop ? (enum vx6_kind)c->kind
					: VX6_KIND_DATA,
			       h8, len);
		len += VX6_LAYER_LEN;
		h8 -= 8;
	}
	c->at = (size_t)(h8 - c->frame);
	c->size = len + 8;
}

static bool all_are(const uint8_t *p, size_t len, uint8_t fill)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != fill)
			return false;
	return true;
}

/* True when every hop on the way took it. */
static bool deliver_forward(const struct flying *c)
{
	uint8_t frame[FRAME];
	uint8_t *h8 = frame + c->at + 8;
	size_t room = c->size - 8, len = 0;

	memcpy(frame, c->frame, sizeof(frame));
	for (unsigned i = 0; i <= c->hop; i++) {
		uint64_t ctr = vx6_h8_ctr(h8);

		if (vx6_window_fresh(&r.hop[i].win, ctr) != VX6_OK ||
		    vx6_layer_open(&r.hop[i].fwd, h8, room, &len) != VX6_OK)
			return false;
		MUST(vx6_window_record(&r.hop[i].win, ctr) == VX6_OK);
		MUST(vx6_h8_kind(h8) ==
		     (i == c->hop ? c->kind : VX6_KIND_DATA));
		h8 += 8;
		room = len;
	}
	MUST(len == c->len && all_are(h8, len, c->fill));
	return true;
}

static bool deliver_backward(const struct flying *c)
{
	uint8_t frame[FRAME];
	struct vx6_leg_open out;

	memcpy(frame, c->frame, sizeof(frame));
	if (vx6_leg_open(&r.leg, frame + c->at, c->size, &out) != VX6_OK)
		return false;
	MUST(out.from == c->hop && out.kind == c->kind && out.len == c->len);
	MUST(all_are(out.plain, out.len, c->fill));
	return true;
}

static void deliver(struct flying *c, bool forward)
{
	bool ok;

	if (!c->used)
		return;
	ok = forward ? deliver_forward(c) : deliver_backward(c);
	MUST(ok == (!c->broken && !c->taken));
	if (ok)
		c->taken = true;
}

static void breakage(struct flying *c, uint8_t byte, uint8_t bits)
{
	size_t at = c->at + 8 + ((size_t)byte << 3 | bits >> 5) % (c->size - 8);

	if (!c->used || c->taken || c->broken)
		return;
	c->frame[at] ^= (uint8_t)(1u << bits % 8);
	c->broken = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!ready)
		set_up();
	r = pristine;
	for (unsigned n = 0; len >= 4 && n < 256; data += 4, len -= 4, n++) {
		unsigned which = data[1] % KEPT;

		switch (data[0] % 6) {
		case 0: send_forward(data[1] % HOPS, data[2], data[3]); break;
		case 1: send_backward(data[1] % HOPS, data[2], data[3]); break;
		case 2: deliver(&r.fwd[which], true); break;
		case 3: deliver(&r.bwd[which], false); break;
		case 4:
			if (r.fwd[which].used)
				breakage(&r.fwd[which], data[2], data[3]);
			break;
		default:
			if (r.bwd[which].used)
				breakage(&r.bwd[which], data[2], data[3]);
			break;
		}
	}
	return 0;
}
