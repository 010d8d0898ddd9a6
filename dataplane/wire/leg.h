/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_LEG_H
#define VX6_DATAPLANE_WIRE_LEG_H

/* leg: the origin's end of a circuit: all its hops' layers, with the
 * counters and windows that go with them (PROTOCOL.md 3, 4).
 *
 * Forward, the origin seals for the innermost hop first.  Backward, each
 * layer that opens shows the H8 of the next; the kind of each layer says
 * whether to go on (1, more hops behind) or to stop (a hop's own control
 * cell, kind 2, or the terminal's message).
 *
 * The buffer: plaintext lies at buf + VX6_LEG_FRONT, with 16 bytes a hop
 * behind it free; sealing works downwards and upwards from there.
 *
 * Ownership: the caller's struct (24 KiB).  Threads:
 * one.  Sealing counters live here and nowhere else. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/layer.h"
#include "dataplane/wire/window.h"

#define VX6_LEG_FRONT (VX6_CELL_HDR + 8u * VX6_HOPS_MAX) /* 80 */
#define VX6_LEG_BACK  (16u * VX6_HOPS_MAX)               /* 128 */

struct vx6_leg_hop {
	struct vx6_layer fwd, bwd;
	uint64_t sealed; /* forward cells sealed for this hop so far */
	uint64_t start_f;
	struct vx6_window back;
};

struct vx6_leg {
	unsigned n;
	struct vx6_leg_hop hop[VX6_HOPS_MAX];
};

/* vx6_leg_init takes the keys of n hops, 1 to 8 (VX6_MALFORMED).
 * VX6_UNSUPPORTED for a suite that this host has not; leg is then wiped. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_leg_init(struct vx6_leg *leg, const struct vx6_hop_keys keys[],
	     const struct vx6_hop_status status[], unsigned n);

/* vx6_leg_room is how much plaintext fits a cell of `size` bytes on the
 * way to hop `to` (0 first): size - 16 - 24 * (to + 1) + 8.  0 if none. */
VX6_NONNULL size_t vx6_leg_room(const struct vx6_leg *leg, unsigned to,
				size_t size);

/* vx6_leg_seal seals len bytes at buf + VX6_LEG_FRONT for hop `to`, with
 * `kind` in that hop's layer and 1 in those before it.  On VX6_OK *cell
 * points to the cell's first byte (the 8 bytes that the link fills are
 * free) and *len_out is C's len: the cell is 16 + *len_out bytes.
 * VX6_EXHAUSTED when a hop's counters are used up: rebuild.
 * VX6_BAD_SIZE when the result would be over 1472, or for a hop that is
 * not there.  Refused, nothing moved. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_leg_seal(struct vx6_leg *leg, unsigned to, enum vx6_kind kind, uint8_t *buf,
	     size_t len, uint8_t **cell, uint16_t *len_out);

struct vx6_leg_open {
	uint8_t *plain; /* inside the buffer given */
	size_t len;
	unsigned from; /* which hop said it: 0 first */
	uint8_t kind;  /* of that hop's layer */
};

/* vx6_leg_open opens a backward cell whose header is unprotected and
 * parsed: H8 at p + 8, size bytes in all.  Windows are tested before and
 * recorded after each layer's tag.  DROP statuses: the cell is void and
 * nothing moved beyond the layers that were authentic. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_leg_open(struct vx6_leg *leg, uint8_t *p, size_t size,
	     struct vx6_leg_open *out);

/* vx6_leg_rebuild_due is true from three quarters of the counters on. */
VX6_NONNULL bool vx6_leg_rebuild_due(const struct vx6_leg *leg);

VX6_NONNULL void vx6_leg_wipe(struct vx6_leg *leg);

#endif
