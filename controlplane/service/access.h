/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SERVICE_ACCESS_H
#define VX6_CONTROLPLANE_SERVICE_ACCESS_H

/* access: which services there are, and who may open them.
 *
 * A stranger must not learn whether a service exists that is not for it.
 * So access_find does the same work for every question: it looks at every
 * entry of the table and at every place of one access list, and compares
 * in constant time, whether the name is there or not, and whoever asks.
 *
 * Ownership: the table owns its entries; one allocation, in access_init.
 * Threads: one.  Cost: some microseconds for the default of 64 entries. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/name.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define ACCESS_NODES   64u /* node IDs in one list */
#define ACCESS_ENTRIES 64u /* services, by default */

struct access_list {
	bool open; /* to everybody; the nodes below do not matter */
	uint32_t cnt;
	uint8_t node[ACCESS_NODES][32]; /* zero after cnt */
};

struct access_entry {
	char name[NAME_TEXT]; /* zero padded */
	struct vx6_addr target;
	struct access_list who;
};

struct access_table {
	uint32_t cnt, max;
	struct access_entry *entry;
};

/* access_list_add adds a node ID; twice is once.  VX6_NO_ROOM. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
access_list_add(struct access_list *l, const uint8_t node[32]);

/* access_list_has says whether node may.  It looks at every place. */
VX6_NONNULL bool access_list_has(const struct access_list *l,
				 const uint8_t node[32]);

/* access_init makes an empty table of max entries (0 = ACCESS_ENTRIES).
 * VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status access_init(struct access_table *t,
						       uint32_t max);
VX6_NONNULL void access_free(struct access_table *t);

/* access_add adds a service.  VX6_MALFORMED (name), VX6_EXISTS,
 * VX6_NO_ROOM, VX6_DENIED: a target beyond loopback without any_target, or
 * a list that is neither open nor names a node. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
access_add(struct access_table *t, const char *name,
	   const struct vx6_addr *target, const struct access_list *who,
	   bool any_target);

/* access_find gives the target when node may open name, VX6_DENIED in
 * every other case, and is equally long about both. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
access_find(const struct access_table *t, const char *name,
	    const uint8_t node[32], struct vx6_addr *target);

#endif
