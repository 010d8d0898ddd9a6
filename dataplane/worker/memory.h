/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_MEMORY_H
#define VX6_DATAPLANE_WORKER_MEMORY_H

/* memory: a worker's tables and rings, in large pages where there are any,
 * near the CPU that it stays on.
 *
 *     huge         2 MiB pages that the operator set aside (vm.nr_hugepages)
 *                  and that are enough for all of it: reserved at once
 *     transparent  2 MiB pages made by the kernel as memory is touched
 *     small        4 KiB pages, where neither can be had
 *
 * A cell goes to a half-circuit anywhere in tables of up to 2 GB.  With small
 * pages nearly every one of them would miss the TLB as well as the cache.
 *
 * What is not touched costs address space only; but under huge all of it is
 * taken from the operator's pool, and under transparent the first touch takes
 * and clears 2 MiB.
 *
 * Ownership: the caller's struct owns the mapping.  Threads: any, one at a
 * time.  Start-up only: nothing here is for the hot path. */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define MEMORY_HUGE_LEN ((size_t)2 << 20)
#define MEMORY_ANY_NODE (-1)

enum memory_pages { MEMORY_SMALL, MEMORY_TRANSPARENT, MEMORY_HUGE };

struct memory {
	void *at; /* zeroed; NULL: nothing was taken */
	size_t len;
	enum memory_pages pages; /* what it became */
};

/* memory_take maps len bytes, zero, preferably on a NUMA node (or
 * MEMORY_ANY_NODE), never in a core file.  VX6_NO_MEMORY; m->at is NULL
 * then. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status memory_take(struct memory *m,
						       size_t len, int node);

/* memory_free gives it back; harmless where at is NULL.  Secrets are the
 * caller's to wipe. */
VX6_NONNULL void memory_free(struct memory *m);

/* memory_pages_name is "huge", "transparent" or "small"; memory_page_len the
 * size of such a page in bytes. */
const char *memory_pages_name(enum memory_pages p);
size_t memory_page_len(enum memory_pages p);

/* memory_node is the NUMA node that a CPU belongs to; MEMORY_ANY_NODE where
 * the host tells none, or cpu is negative. */
int memory_node(int cpu);

/* memory_prefer makes what the calling thread touches first from now on lie
 * on node where that has room; MEMORY_ANY_NODE: as the kernel likes. */
void memory_prefer(int node);

#endif
