/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_NOTE_H
#define VX6_CONTROLPLANE_NODE_NOTE_H

/* note: what vx6d writes beside each half-circuit in the data plane, so
 * that it could take the circuit up again after its own restart.
 *
 *     0 u8 form 1 · 1 u8 use · 2 zero 2 · 4 u32 the circuit's other id here
 *     8 the neighbour's node ID 32 · 40 zero
 *
 * Opaque to the data plane.  Pure. */

#include <stdint.h>
#include <string.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/bytes.h"

enum note_use { NOTE_RELAY = 1, NOTE_END, NOTE_ORIGIN };

VX6_NONNULL static inline void note_write(uint8_t note[ABI_NOTE_LEN],
					  enum note_use use, uint32_t other,
					  const uint8_t neighbour[32])
{
	memset(note, 0, ABI_NOTE_LEN);
	note[0] = 1;
	note[1] = (uint8_t)use;
	vx6_put32(note + 4, other);
	memcpy(note + 8, neighbour, 32);
}

#endif
