/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/memory.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES 1024u /* the kernel's own limit */
#define BITS  (8u * sizeof(unsigned long))
#define THP   "/sys/kernel/mm/transparent_hugepage/enabled"

struct nodes {
	unsigned long bit[NODES / BITS];
};

static struct nodes only(int node)
{
	struct nodes n = { 0 };

	n.bit[(unsigned)node / BITS] = 1ul << ((unsigned)node % BITS);
	return n;
}

static bool is_node(int node)
{
	return node >= 0 && (unsigned)node < NODES;
}

/* A wish: a node without room gives way to its neighbours. */
static void bind_to(void *at, size_t len, int node)
{
	struct nodes n;

	if (!is_node(node))
		return;
	n = only(node);
	(void)syscall(SYS_mbind, at, len, MPOL_PREFERRED, n.bit,
		      (unsigned long)NODES, 0ul);
}

void memory_prefer(int node)
{
	struct nodes n;

	if (!is_node(node)) {
		(void)syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul);
		return;
	}
	n = only(node);
	(void)syscall(SYS_set_mempolicy, MPOL_PREFERRED, n.bit,
		      (unsigned long)NODES);
}

int memory_node(int cpu)
{
	char path[64];

	if (cpu < 0)
		return MEMORY_ANY_NODE;
	for (int node = 0; is_node(node); node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
			 node);
		if (access(path, F_OK) != 0 && node > 0)
			break;
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/cpu%d", node, cpu);
		if (access(path, F_OK) == 0)
			return node;
	}
	return MEMORY_ANY_NODE;
}

static void *map(size_t len, int flags)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Whether the kernel makes large pages for those who ask. */
static bool transparent(void)
{
	char text[64] = "";
	int fd = open(THP, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	return len > 0 && strstr(text, "[never]") == NULL;
}

/* A mapping that begins where a large page may: what is over goes back. */
static void *map_aligned(size_t len)
{
	uint8_t *at = map(len + MEMORY_HUGE_LEN, MAP_NORESERVE), *from;
	size_t front;

	if (at == NULL)
		return NULL;
	front = (MEMORY_HUGE_LEN - (uintptr_t)at % MEMORY_HUGE_LEN) %
		MEMORY_HUGE_LEN;
	from = at + front;
	if (front > 0)
		munmap(at, front);
	if (front < MEMORY_HUGE_LEN)
		munmap(from + len, MEMORY_HUGE_LEN - front);
	return from;
}

enum vx6_status memory_take(struct memory *m, size_t len, int node)
{
	*m = (struct memory){ 0 };
	if (len == 0 || len > SIZE_MAX - 2 * MEMORY_HUGE_LEN)
		return VX6_NO_MEMORY;
	m->len = (len + MEMORY_HUGE_LEN - 1) / MEMORY_HUGE_LEN *
		 MEMORY_HUGE_LEN;
	m->pages = MEMORY_HUGE;
	m->at = map(m->len, MAP_HUGETLB | MAP_HUGE_2MB);
	if (m->at == NULL) {
		m->pages = MEMORY_SMALL;
		m->at = map_aligned(m->len);
		if (m->at == NULL)
			return VX6_NO_MEMORY;
		if (transparent() && madvise(m->at, m->len, MADV_HUGEPAGE) == 0)
			m->pages = MEMORY_TRANSPARENT;
	}
	bind_to(m->at, m->len, node);
	(void)madvise(m->at, m->len, MADV_DONTDUMP);
	/* a child would make us copy each page, large ones in small parts */
	(void)madvise(m->at, m->len, MADV_DONTFORK);
	return VX6_OK;
}

void memory_free(struct memory *m)
{
	if (m->at != NULL)
		munmap(m->at, m->len);
	*m = (struct memory){ 0 };
}

const char *memory_pages_name(enum memory_pages p)
{
	switch (p) {
	case MEMORY_HUGE: return "huge";
	case MEMORY_TRANSPARENT: return "transparent";
	case MEMORY_SMALL: break;
	}
	return "small";
}

size_t memory_page_len(enum memory_pages p)
{
	return p == MEMORY_SMALL ? 4096u : MEMORY_HUGE_LEN;
}
