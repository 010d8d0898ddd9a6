/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_IDS_H
#define VX6_CONTROLPLANE_CORE_IDS_H

/* ids: the circuit ids that this node has told its neighbours.
 *
 * A circuit id is an index (20 bits) and a generation (12 bits).  Giving
 * one back raises the slot's generation, so whoever still uses the old id
 * is refused; freed slots are re-used oldest first, which keeps an id
 * unused for as long as the table allows.
 *
 * Ownership: the caller's memory for the slots.  Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define IDS_INDEX_BITS 20u
#define IDS_INDEX_MASK ((UINT32_C(1) << IDS_INDEX_BITS) - 1u)

struct ids_slot {
	void *owner;   /* NULL = free */
	uint32_t next; /* free list */
	uint16_t gen;
	uint16_t what; /* the owner's word for the use it makes of it */
};

struct ids {
	struct ids_slot *slot;
	uint32_t cnt; /* slots, index 0 unused */
	uint32_t used;
	uint32_t head, tail; /* free list; 0 = empty */
};

/* ids_init takes cnt >= 2 slots, at most 2^20.  first_gen is drawn at
 * random by the caller, so that a restarted node does not repeat ids. */
VX6_NONNULL void ids_init(struct ids *t, struct ids_slot *slot, uint32_t cnt,
			  uint16_t first_gen);

/* ids_take returns a fresh id for owner, or 0 when all are in use. */
VX6_MUST_CHECK VX6_NONNULL uint32_t ids_take(struct ids *t, void *owner,
					     uint16_t what);

/* After a restart, on a fresh table and before anything is taken from it:
 * ids_keep gives id, which an earlier life told, to owner again (NULL: id
 * is dead, and its slot goes on with the next generation).  False: no such
 * index, or it was said already.  ids_settle must follow the last ids_keep:
 * it lines up what is free, slots of dead ids last. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1) bool ids_keep(struct ids *t, uint32_t id,
						 void *owner, uint16_t what);
VX6_NONNULL void ids_settle(struct ids *t);

/* ids_find returns the slot of a living id, or NULL. */
VX6_NONNULL struct ids_slot *ids_find(struct ids *t, uint32_t id);

/* ids_give frees id; one that is not living is ignored. */
VX6_NONNULL void ids_give(struct ids *t, uint32_t id);

#endif
