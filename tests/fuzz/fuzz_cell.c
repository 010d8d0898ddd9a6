/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_cell: any datagram at all, from the wire to the origin's last layer.
 *
 * Byte 0 says how: 0 as it comes (header protection on it), 1 with a header
 * already in the clear, 2 and up as plaintext that some hop of a leg sealed
 * honestly, so that what lies behind the tags is reached too.  Never a
 * status owed BOOT, never a plaintext outside the datagram, and no window
 * moves for a cell whose first tag does not hold. */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/wire/leg.h"
#include "tests/fuzz/fuzz.h"

#define HOPS 4u

static struct vx6_aes link_key;
static struct vx6_leg pristine;
static bool ready;

static bool same(const struct vx6_window *a, const struct vx6_window *b)
{
	return a->head.start == b->head.start && a->head.next == b->head.next &&
	       a->head.word == b->head.word &&
	       memcmp(&a->ring, &b->ring, sizeof(a->ring)) == 0;
}

static void set_up(void)
{
	struct vx6_hop_keys keys[HOPS];
	struct vx6_hop_status status[HOPS] = { 0 };

	MUST(vx6_aead_start() == VX6_OK);
	memset(keys, 0x5a, sizeof(keys));
	for (unsigned i = 0; i < HOPS; i++) {
		keys[i].k_b[0] = (uint8_t)i;
		keys[i].start_f = keys[i].start_b = 0x10000u + i;
		status[i].suite = (uint8_t)(1 + i % 2);
	}
	MUST(vx6_leg_init(&pristine, keys, status, HOPS) == VX6_OK);
	vx6_aes_init(&link_key, (const uint8_t *)"a link's own key", 16);
	ready = true;
}

static void to_origin(uint8_t *p, size_t size, bool honest)
{
	static struct vx6_leg leg;
	struct vx6_leg_open out = { 0 };
	enum vx6_status st;

	leg = pristine;
	st = vx6_leg_open(&leg, p, size, &out);
	MUST(vx6_status_owed(st) == VX6_OWE_NONE ||
	     vx6_status_owed(st) == VX6_OWE_DROP);
	if (!honest) {
		MUST(st != VX6_OK);
		for (unsigned i = 0; i < HOPS; i++)
			MUST(same(&leg.hop[i].back, &pristine.hop[i].back));
	}
	if (st == VX6_OK)
		MUST(out.plain >= p + 16 && out.plain + out.len <= p + size &&
		     out.from < HOPS && out.kind >= VX6_KIND_DATA &&
		     out.kind <= VX6_KIND_DROP);
}

static void from_wire(uint8_t *p, size_t size, bool protected)
{
	struct vx6_cell c;
	uint32_t link;

	if (vx6_cell_link(p, size, &link) != VX6_OK)
		return;
	MUST(size >= VX6_CELL_MIN && size <= VX6_CELL_MAX && link <= 0xffffff);
	if (protected)
		vx6_cell_unprotect(&link_key, p);
	if (vx6_cell_parse(&c, p, size) != VX6_OK)
		return;
	MUST(c.link == link && VX6_CELL_HDR + (size_t)c.len <= size);
	MUST((c.circ == 0) == (c.kind == VX6_KIND_PROBE));
	MUST(!(vx6_cell_fits(0, size, c.len) &&
	       size != VX6_CELL_HDR + (size_t)c.len));
	to_origin(p, size, false);
}

/* Hop `from` says plain[0..len) in a layer of any kind; those before it
 * seal what they get. */
static void from_hop(unsigned from, unsigned kind, const uint8_t *plain,
		     size_t len)
{
	uint8_t buf[64 + VX6_CELL_MAX + 64];
	uint8_t *h8 = buf + 64;

	if (len > VX6_LEN_MAX - 16 - VX6_LAYER_LEN * (size_t)from)
		len = VX6_LEN_MAX - 16 - VX6_LAYER_LEN * (size_t)from;
	memset(buf, 0, sizeof(buf));
	memcpy(h8 + 8, plain, len);
	for (unsigned i = from + 1; i-- > 0;) {
		vx6_layer_seal(&pristine.hop[i].bwd,
			       pristine.hop[i].back.head.start + len,
			       i == from ? (enum vx6_kind)kind : VX6_KIND_DATA,
			       h8, len);
		len += VX6_LAYER_LEN;
		h8 -= 8;
	}
	to_origin(h8, len + 8, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *p;

	if (!ready)
		set_up();
	if (len < 1 || len > 4096)
		return 0;
	if (data[0] >= 2) {
		from_hop(data[0] % HOPS, data[0] >> 4, data + 1, len - 1);
		return 0;
	}
	p = malloc(len); /* so that one byte too far is seen */
	MUST(p != NULL);
	memcpy(p, data + 1, len - 1);
	from_wire(p, len - 1, data[0] == 0);
	free(p);
	return 0;
}
