/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_ABI_RING_H
#define VX6_DATAPLANE_ABI_RING_H

/* ring: cells of `local` half-circuits between a worker and vx6d, through
 * memory that both map (a sealed memfd passed with WELCOME).
 *
 *     memfd:  | up control | down control | up slots | down slots |
 *              1,024 slots of 2 KiB each way
 *
 * Each way is a single-producer single-consumer ring.  The other side is
 * another process and not believed: positions are masked and a count that
 * cannot be is treated as empty or full, lengths are checked after they
 * were copied.  Full is a counted drop, never a wait.
 *
 * Waking: the consumer sets `sleeping` before it polls its eventfd and
 * looks once more; the producer writes the eventfd only when it reads
 * `sleeping` set after publishing.
 *
 * A client that comes after one that died begins where the rings stand:
 * what waited on the way up is skipped.  What a client left behind that
 * cannot be (VX6_MALFORMED) ends with abi_shm_reset or a new memfd.
 *
 * Ownership: the data plane creates it, vx6d maps it; each side unmaps
 * its own.  Descriptors stay the caller's: the memfd may be closed once
 * mapped and sent, the eventfds after abi_shm_close.  Threads: one
 * producer and one consumer per way. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define ABI_RING_SLOTS 1024u
#define ABI_SLOT_LEN   2048u
#define ABI_SLOT_DATA  (ABI_SLOT_LEN - 64u)

/* Up: `data` is the cell with its header unprotected and checked: version,
 * link, circuit id, counter within the range.  Down: from H8 on, i.e. cell
 * bytes 8.., C included; link and circ say where it goes, cell_size pads
 * it.  `pad` is not read: room in front of data for who works in place. */
struct abi_slot {
	uint32_t link;      /* up: it came on; down: goes out on */
	uint32_t circ;      /* up: our id; down: the receiver's id */
	uint16_t size;      /* up: whole datagram; down: 8 + len of C */
	uint16_t cell_size; /* down: 0, 1232 or 1452 */
	uint32_t zero;
	uint8_t pad[48];
	uint8_t data[ABI_SLOT_DATA];
};

struct abi_ring; /* in the shared memory */

struct abi_ring_end { /* one side's private view of one way */
	struct abi_ring *ring;
	struct abi_slot *slot;
	uint32_t pos;    /* our own position; never read back from shared */
	uint32_t cached; /* the other's, as last seen */
	int wake_fd;     /* eventfd: producer writes, consumer polls */
};

struct abi_shm { /* one mapping with both ways */
	void *map;
	size_t len;
	struct abi_ring_end up, down;
};

/* abi_shm_create makes the memfd (fd[0]) and eventfds (fd[1] up, fd[2]
 * down), maps it, and sets this side as producer of up and consumer of
 * down.  VX6_SYS with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_shm_create(struct abi_shm *s,
							  int fd[3]);

/* abi_shm_attach maps what WELCOME brought, as the other side.  Refuses a
 * memfd of another size or without its seals, eventfds that are none, and
 * positions that cannot be (VX6_MALFORMED); VX6_SYS with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_shm_attach(struct abi_shm *s,
							  const int fd[3]);
VX6_NONNULL void abi_shm_close(struct abi_shm *s);

/* abi_shm_reset empties both ways, on the side that created them, while no
 * other thread or process uses them. */
VX6_NONNULL void abi_shm_reset(struct abi_shm *s);

/* abi_ring_room returns the next slot to fill, or NULL when full; then
 * abi_ring_push publishes it.  abi_ring_flush wakes the consumer if it
 * sleeps: once per burst, after the last push. */
VX6_NONNULL struct abi_slot *abi_ring_room(struct abi_ring_end *e);
VX6_NONNULL void abi_ring_push(struct abi_ring_end *e);
VX6_NONNULL void abi_ring_flush(struct abi_ring_end *e);

/* abi_ring_peek returns the oldest slot, or NULL when empty; the producer
 * may still scribble on it, so check sizes on a copy.  abi_ring_pop gives
 * it back. */
VX6_NONNULL struct abi_slot *abi_ring_peek(struct abi_ring_end *e);
VX6_NONNULL void abi_ring_pop(struct abi_ring_end *e);

/* abi_slot_read copies a peeked slot, its words once and then size bytes,
 * and judges the copy: VX6_BAD_SIZE for a size outside 24..1472 or a
 * cell_size that does not exist, VX6_MALFORMED for `zero`.  Pop it either
 * way. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
abi_slot_read(struct abi_slot *to, const struct abi_slot *from);

/* abi_ring_sleep says that we are about to poll; true when that is right
 * (still empty).  abi_ring_awake takes it back and drains the eventfd. */
VX6_MUST_CHECK VX6_NONNULL bool abi_ring_sleep(struct abi_ring_end *e);
VX6_NONNULL void abi_ring_awake(struct abi_ring_end *e);

#endif
