/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/port.h"

#include <stdlib.h>
#include <sys/mman.h>

#define FRAMES_MAX      (1u << 20)
#define LINK_INDEX_MASK 0xffffffu /* PROTOCOL.md 2: bytes 1 to 3 */

enum vx6_status port_pool_init(struct port *p, uint32_t frames, bool shared)
{
	if (frames == 0)
		frames = PORT_FRAMES;
	if (frames < PORT_FRAMES_MIN || frames > FRAMES_MAX)
		return VX6_CONFIG;
	p->unit = NET_FRAME_LEN;
	p->map_len = (size_t)frames * NET_FRAME_LEN;
	p->mem = mmap(NULL, p->map_len, PROT_READ | PROT_WRITE,
		      (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1,
		      0);
	if (p->mem == MAP_FAILED) {
		p->mem = NULL;
		return VX6_NO_MEMORY;
	}
	(void)madvise(p->mem, p->map_len, MADV_HUGEPAGE);
	p->frame = aligned_alloc(VX6_CACHELINE, frames * sizeof(*p->frame));
	p->pool = (struct net_frame **)calloc(frames, sizeof(*p->pool));
	if (p->frame == NULL || p->pool == NULL) {
		port_pool_free(p);
		return VX6_NO_MEMORY;
	}
	p->frame_cnt = frames;
	p->pool_cnt = frames;
	p->tx_room = PORT_ROOM;
	for (uint32_t i = 0; i < frames; i++) {
		p->frame[i] = (struct net_frame){ .index = i };
		p->pool[frames - 1u - i] = &p->frame[i];
	}
	return VX6_OK;
}

void port_pool_free(struct port *p)
{
	if (p->mem != NULL)
		munmap(p->mem, p->map_len);
	free(p->frame);
	free((void *)p->pool);
	p->mem = NULL;
	p->frame = NULL;
	p->pool = NULL;
}

bool port_steer(const struct port *first, unsigned n)
{
	return first->sock != NULL &&
	       net_steer(first->sock, LINK_INDEX_MASK, n);
}

void port_close(struct port *p)
{
	if (p != NULL)
		p->ops->close(p);
}
