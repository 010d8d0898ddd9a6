/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_OWNERS_H
#define VX6_DATAPLANE_WORKER_OWNERS_H

/* owners: which worker has which half-circuit, as the control thread knows.
 *
 * A command names a half-circuit by its id; its worker follows from links
 * that only the add named.  An index is given away once, whichever worker
 * has it: their tables are apart, and only here is seen that a slot is in
 * use elsewhere.  The same for splices, whose two halves may be apart.
 *
 * It is told of every add that is sent on, of its failure, and of every end:
 * removals are sent by this thread, expiries pass through it.  So it is as
 * old as what the client has been told, and never newer.
 *
 * Ownership: the caller's struct; memory from owners_open to owners_close,
 * 28 bytes a half-circuit, touched as used.  Threads: one. */

#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define OWNERS_NONE UINT32_MAX

struct owned {
	uint32_t id; /* 0 = free */
	uint32_t in_link, out_link;
	uint32_t splice; /* the other half's id, or 0 */
	uint32_t seq;    /* of the add */
	uint32_t worker;
	uint32_t kind; /* abi_half_kind */
};

struct owners {
	struct owned *half;
	uint32_t halves_max, half_hi;
	uint32_t workers;
};

/* owners_open: VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
owners_open(struct owners *o, uint32_t halves_max, uint32_t workers);
VX6_NONNULL void owners_close(struct owners *o);

/* owners_add: a HALF_ADD goes to *worker.  VX6_NO_ROOM (index beyond the
 * limit), VX6_EXISTS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status owners_add(struct owners *o,
						      const struct abi_half *h,
						      uint32_t seq,
						      uint32_t *worker);

/* owners_undo: the worker refused the add of that seq. */
VX6_NONNULL void owners_undo(struct owners *o, uint32_t id, uint32_t seq);

/* owners_find is the worker that has this very id, or OWNERS_NONE. */
VX6_MUST_CHECK VX6_NONNULL uint32_t owners_find(const struct owners *o,
						uint32_t id);

/* owners_end: this half-circuit is no more; unknown ones are passed over.
 * owners_end_link: nor are those that touch a link. */
VX6_NONNULL void owners_end(struct owners *o, uint32_t id);
VX6_NONNULL void owners_end_link(struct owners *o, uint32_t link);

/* owners_splice and owners_unsplice judge and note: see relay_splice.
 * owners_spliced is the id that id is spliced with, or 0. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
owners_splice(struct owners *o, uint32_t id, uint32_t to);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status owners_unsplice(struct owners *o,
							   uint32_t id);
VX6_MUST_CHECK VX6_NONNULL uint32_t owners_spliced(const struct owners *o,
						   uint32_t id);

#endif
