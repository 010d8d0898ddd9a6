/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_NOTE_H
#define VX6_CONTROLPLANE_CORE_NOTE_H

/* note: what vx6d writes beside each link and half-circuit in the data
 * plane, so that the next vx6d can take them up (core/adopt).
 *
 *     0 u8 form 2 · 1 u8 use · 2 u8 flags · 3 zero
 *     4 node ID 32: the link's other end; the half-circuit's in-link's
 *     36 u32 the circuit's other half-circuit here, 0 = none
 *     40 u32 life granted, s · 44 zero 52
 *
 * A link has neither the other half nor a life; its one flag says that we
 * sent LINK_OPEN.  Opaque to the data plane, which gives back what it was
 * given; it is read as a stranger's bytes all the same, for the one who
 * wrote it may have been another version of us.  Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define NOTE_LEN      96u
#define NOTE_LIFE_MAX 86400u /* s: PROTOCOL.md section 7's longest */

enum note_use {
	NOTE_LINK = 1,
	NOTE_FORWARD,  /* of a circuit that goes through here */
	NOTE_BACKWARD, /* the same circuit's other direction */
	NOTE_END,      /* of a circuit that ends here: keys die with us */
	NOTE_ORIGIN    /* of a circuit that begins here */
};

struct note {
	enum note_use use;
	bool opener;
	uint8_t node[32];
	uint32_t other;
	uint32_t life_s;
};

VX6_NONNULL void note_emit(uint8_t out[NOTE_LEN], const struct note *n);

/* note_parse: VX6_BAD_VERSION for another form, VX6_MALFORMED for anything
 * that note_emit never writes. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
note_parse(struct note *n, const uint8_t in[NOTE_LEN]);

#endif
