/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/abi/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/wire/cell.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

#define MASK     (ABI_RING_SLOTS - 1u)
#define HEAD_LEN 4096u /* the page before the slots */
#define WAY_LEN  ((size_t)ABI_RING_SLOTS * ABI_SLOT_LEN)
#define MAP_LEN  (HEAD_LEN + 2 * WAY_LEN)
#define SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SIZE_MIN 24u /* H8 and an empty ciphertext's tag */

/* Positions count slots since the start and wrap with 32 bits. */
struct abi_ring {
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t head; /* producer's */
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t tail; /* consumer's */
	VX6_ALIGNED(VX6_CACHELINE) _Atomic uint32_t sleeping;
};

_Static_assert(sizeof(struct abi_slot) == ABI_SLOT_LEN, "2 KiB a slot");
_Static_assert((ABI_RING_SLOTS & MASK) == 0, "positions are masked");
_Static_assert(2 * sizeof(struct abi_ring) <= HEAD_LEN, "both in one page");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "shared words need no lock");

/* ---- memory ---- */

static enum vx6_status map(struct abi_shm *s, const int fd[3])
{
	uint8_t *p = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, fd[0], 0);

	if (p == MAP_FAILED)
		return VX6_SYS;
	*s = (struct abi_shm){ .map = p, .len = MAP_LEN };
	s->up.ring = (struct abi_ring *)(void *)p;
	s->down.ring = s->up.ring + 1;
	s->up.slot = (struct abi_slot *)(void *)(p + HEAD_LEN);
	s->down.slot = s->up.slot + ABI_RING_SLOTS;
	s->up.wake_fd = fd[1];
	s->down.wake_fd = fd[2];
	return VX6_OK;
}

static int sealed_memory(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("vx6-cells", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("vx6-cells", flags);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)MAP_LEN) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

enum vx6_status abi_shm_create(struct abi_shm *s, int fd[3])
{
	enum vx6_status st = VX6_SYS;
	int saved;

	memset(s, 0, sizeof(*s));
	fd[0] = sealed_memory();
	fd[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fd[2] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd[0] >= 0 && fd[1] >= 0 && fd[2] >= 0)
		st = map(s, fd);
	if (st == VX6_OK)
		return st;
	saved = errno;
	for (unsigned i = 0; i < 3; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
	errno = saved;
	return st;
}

/* Whoever sends a pipe instead would make our wake-up block, or kill us. */
static bool is_eventfd(int fd)
{
	char link[64], name[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name));
	return len == 20 && memcmp(name, "anon_inode:[eventfd]", 20) == 0 &&
	       fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static bool is_ours(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	       st.st_size == (off_t)MAP_LEN;
}

enum vx6_status abi_shm_attach(struct abi_shm *s, const int fd[3])
{
	enum vx6_status st;
	uint32_t used;

	memset(s, 0, sizeof(*s));
	if (!is_ours(fd[0]) || !is_eventfd(fd[1]) || !is_eventfd(fd[2]))
		return VX6_MALFORMED;
	st = map(s, fd);
	if (st != VX6_OK)
		return st;
	/* up: what a client before us did not take is skipped */
	s->up.pos = atomic_load_explicit(&s->up.ring->head,
					 memory_order_acquire);
	s->up.cached = s->up.pos;
	atomic_store_explicit(&s->up.ring->tail, s->up.pos,
			      memory_order_release);
	/* down: we go on where it stopped */
	s->down.pos = atomic_load_explicit(&s->down.ring->head,
					   memory_order_acquire);
	s->down.cached = atomic_load_explicit(&s->down.ring->tail,
					      memory_order_acquire);
	used = s->down.pos - s->down.cached;
	if (used <= ABI_RING_SLOTS)
		return VX6_OK;
	abi_shm_close(s);
	return VX6_MALFORMED;
}

void abi_shm_close(struct abi_shm *s)
{
	if (s->map != NULL)
		munmap(s->map, s->len);
	memset(s, 0, sizeof(*s));
}

static void reset_way(struct abi_ring_end *e)
{
	e->pos = 0;
	e->cached = 0;
	atomic_store(&e->ring->head, 0);
	atomic_store(&e->ring->tail, 0);
	atomic_store(&e->ring->sleeping, 0);
}

void abi_shm_reset(struct abi_shm *s)
{
	reset_way(&s->up);
	reset_way(&s->down);
}

/* ---- producer ---- */

struct abi_slot *abi_ring_room(struct abi_ring_end *e)
{
	if (e->pos - e->cached >= ABI_RING_SLOTS) {
		uint32_t tail = atomic_load_explicit(&e->ring->tail,
						     memory_order_acquire);

		/* more than all: it cannot be, and counts as full */
		if (e->pos - tail >= ABI_RING_SLOTS)
			return NULL;
		e->cached = tail;
	}
	return &e->slot[e->pos & MASK];
}

void abi_ring_push(struct abi_ring_end *e)
{
	e->pos++;
	atomic_store_explicit(&e->ring->head, e->pos, memory_order_release);
}

static void wake(int fd)
{
	const uint64_t one = 1;
	ssize_t len;

	/* EAGAIN: the count is at its top, so the other side is woken */
	len = write(fd, &one, sizeof(one));
	(void)len;
}

/* The fence orders our head before their flag, as that in abi_ring_sleep
 * orders their flag before our head: one of the two sees the other. */
void abi_ring_flush(struct abi_ring_end *e)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&e->ring->sleeping, memory_order_relaxed) == 0)
		return;
	atomic_store_explicit(&e->ring->sleeping, 0, memory_order_relaxed);
	wake(e->wake_fd);
}

/* ---- consumer ---- */

static bool is_empty(struct abi_ring_end *e)
{
	uint32_t head, waiting;

	if (e->pos != e->cached)
		return false;
	head = atomic_load_explicit(&e->ring->head, memory_order_acquire);
	waiting = head - e->pos;
	if (waiting == 0 || waiting > ABI_RING_SLOTS)
		return true; /* more than all: it cannot be */
	e->cached = head;
	return false;
}

struct abi_slot *abi_ring_peek(struct abi_ring_end *e)
{
	return is_empty(e) ? NULL : &e->slot[e->pos & MASK];
}

void abi_ring_pop(struct abi_ring_end *e)
{
	e->pos++;
	atomic_store_explicit(&e->ring->tail, e->pos, memory_order_release);
}

enum vx6_status abi_slot_read(struct abi_slot *to, const struct abi_slot *from)
{
	memcpy(to, from, offsetof(struct abi_slot, pad));
	/* what was read is judged and used; it is not read again */
	atomic_signal_fence(memory_order_seq_cst);
	if (to->size < SIZE_MIN || to->size > VX6_CELL_MAX ||
	    !vx6_cell_size_ok(to->cell_size))
		return VX6_BAD_SIZE;
	if (to->zero != 0)
		return VX6_MALFORMED;
	memcpy(to->data, from->data, to->size);
	return VX6_OK;
}

bool abi_ring_sleep(struct abi_ring_end *e)
{
	atomic_store_explicit(&e->ring->sleeping, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (is_empty(e))
		return true;
	atomic_store_explicit(&e->ring->sleeping, 0, memory_order_relaxed);
	return false;
}

void abi_ring_awake(struct abi_ring_end *e)
{
	uint64_t count;
	ssize_t len;

	atomic_store_explicit(&e->ring->sleeping, 0, memory_order_relaxed);
	len = read(e->wake_fd, &count, sizeof(count));
	(void)len;
}
