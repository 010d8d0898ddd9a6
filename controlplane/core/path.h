/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CORE_PATH_H
#define VX6_CONTROLPLANE_CORE_PATH_H

/* path: which relays a circuit goes over, in order.
 *
 * Drawn at random, without repeats, from the relays that are known and not
 * held down; those which another circuit of the same tunnel uses come
 * last, so that a spare shares as little as it can with the circuit that
 * it stands in for.  The last relay is one of the end's own (`last`), when
 * its record names any: an owner behind a firewall is reached only by the
 * relays that it keeps sessions with.  Of these one at least is left out of
 * the other places where it can be, or a spare would find them all in use.
 *
 * Capacity, latency, families and diversity of networks are not looked at
 * yet.
 *
 * Pure: randomness comes in.  Ownership: the caller's arrays. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/cell.h"

struct path_relay {
	uint8_t id[32];
	bool used; /* by another circuit of this tunnel */
	bool last; /* the end can be reached from here */
};

/* path_draw chooses cnt relays (1..7) out of relay[0..n), whose order it
 * changes, and leaves their indices in pick[0..cnt), first hop first.
 * any_last: no relay is marked `last`, all will do.  VX6_NOT_FOUND: there
 * are not so many, or no last one. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
path_draw(struct path_relay relay[], size_t n, unsigned cnt, bool any_last,
	  struct vx6_rand *rnd, size_t pick[VX6_HOPS_MAX]);

#endif
