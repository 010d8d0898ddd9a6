/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_RELAY_INNER_H
#define VX6_DATAPLANE_RELAY_INNER_H

/* inner: what the files of this room share and nobody else sees.
 *
 *     table.c   links, half-circuits, commands, dump
 *     burst.c   the pipeline
 *     own.c     cells of our own: probes, injected, down; timers */

#include <assert.h>

#include "dataplane/relay/relay.h"

static inline uint32_t idx_of(uint32_t id)
{
	return id & ABI_IDX_MASK;
}

/* relay_ms counts milliseconds, and goes round after 49 days. */
static inline uint32_t relay_ms(uint64_t ns)
{
	return (uint32_t)(ns / VX6_MS);
}

/* live_half is the half-circuit with exactly this id, or NULL. */
VX6_NONNULL static inline struct relay_half *live_half(const struct relay *r,
						       uint32_t id)
{
	struct relay_half *h;

	if (vx6_unlikely(id == 0 || idx_of(id) >= r->opts.halves_max))
		return NULL;
	h = &r->half[idx_of(id)];
	return vx6_likely(h->id == id) ? h : NULL;
}

/* live_link is the link with this index of ours, or NULL. */
VX6_NONNULL static inline struct relay_link *live_link(const struct relay *r,
						       uint32_t index)
{
	struct relay_link *l;

	if (vx6_unlikely(index >= r->opts.links_max))
		return NULL;
	l = &r->link[index];
	return vx6_likely(l->used) ? l : NULL;
}

/* ours: this worker speaks for the link. */
VX6_NONNULL static inline bool ours(const struct relay *r, uint32_t link)
{
	return relay_owner(r->opts.workers, link) == r->opts.worker;
}

#define NOTE_END UINT32_MAX /* of the list of noted links */

/* note_link puts a link on that list, unless it is there. */
VX6_NONNULL static inline void note_link(struct relay *r, uint32_t index)
{
	if (r->link_note[index] != 0)
		return;
	r->link_note[index] = r->noted;
	r->noted = index;
}

VX6_NONNULL static inline struct relay_cold *cold_of(const struct relay *r,
						     const struct relay_half *h)
{
	return &r->cold[h - r->half];
}

/* joined is the half of ours that seals what begins so (relay_joined), or
 * NULL: it has ended, or is not spliced to that one. */
VX6_NONNULL static inline struct relay_half *
joined(const struct relay *r, const uint8_t away[RELAY_AWAY])
{
	struct relay_half *to = live_half(r, vx6_get32(away + 4));

	if (to == NULL || to->kind != ABI_HALF_BACKWARD ||
	    cold_of(r, to)->spliced_from != vx6_get32(away))
		return NULL;
	return to;
}

/* gcm_of is where a half-circuit's tables lie, or NULL: beyond
 * RELAY_TABLES it has none. */
VX6_NONNULL static inline struct vx6_layer_gcm *gcm_of(const struct relay *r,
						       uint32_t idx)
{
	return vx6_likely(idx < RELAY_TABLES) ? &r->gcm[idx] : NULL;
}

/* take_ctr uses up a counter of a BACKWARD half that has one left. */
VX6_NONNULL static inline uint64_t take_ctr(struct relay_half *h)
{
	assert(h->tx_left > 0);
	h->tx_left--;
	return h->tx_next++;
}

VX6_NONNULL static inline void out_reset(struct relay_out *out)
{
	out->tx_cnt = out->up_cnt = out->free_cnt = out->away_cnt = 0;
}

/* Every frame that is not sent or handed up ends here or in done. */
VX6_NONNULL_ARGS(1, 2, 3)
static inline void drop(struct relay *r, struct relay_out *out,
			struct net_frame *f, struct relay_half *h,
			enum vx6_status why)
{
	r->n.drop[why]++;
	if (h != NULL)
		cold_of(r, h)->dropped++;
	out->free[out->free_cnt++] = f;
}

VX6_NONNULL static inline void done(struct relay_out *out, struct net_frame *f)
{
	out->free[out->free_cnt++] = f;
}

/* relay_event_room returns a zeroed message to fill, or NULL. */
VX6_MUST_CHECK VX6_NONNULL struct abi_msg *relay_event_room(struct relay *r,
							    enum abi_type type);

/* relay_say_half queues a HALF_EVENT unless it was said already; false: no
 * room, try again later. */
VX6_NONNULL bool relay_say_half(struct relay *r, struct relay_half *h,
				enum abi_half_event ev);

/* relay_say_link queues what l->events holds; what finds no room stays
 * there. */
VX6_NONNULL void relay_say_link(struct relay *r, struct relay_link *l,
				uint64_t now);

VX6_NONNULL void relay_fill_link(const struct relay_link *l,
				 struct abi_link *to);

VX6_NONNULL void relay_half_end(struct relay *r, struct relay_half *h);

/* dress_cell makes the datagram around H8 | C, which lies at q + 8: first
 * 8 bytes, fresh pad up to size, addresses, counters.  Header protection
 * is still the caller's: vx6_cell_protect with l's key. */
VX6_NONNULL static inline void dress_cell(struct relay *r, struct net_frame *f,
					  uint8_t *q, size_t len, size_t size,
					  struct relay_link *l, uint32_t circ,
					  uint64_t now)
{
	size_t end = VX6_CELL_HDR + len;

	vx6_cell_put(q, l->link.peer_index, circ);
	if (end < size)
		vx6_rand_fill(r->rnd, q + end, size - end);
	f->data = q;
	f->len = (uint16_t)size;
	f->sum = 0;
	f->peer = l->link.addr;
	f->self = l->self;
	f->link = l->link.index;
	f->half = 0;
	l->cells_out++;
	l->bytes_out += size;
	l->link.cell_tx_ns = now;
}

/* sent counts cells that dress_cell has made. */
VX6_NONNULL static inline void sent(struct relay *r, uint64_t cells,
				    uint64_t bytes)
{
	r->n.tx_cells += cells;
	r->n.tx_bytes += bytes;
}

/* out_fits judges a cell to send: its size, or 0 with *why. */
VX6_NONNULL static inline size_t out_fits(const struct relay_link *l,
					  uint16_t cell_size, size_t len,
					  enum vx6_status *why)
{
	size_t size = vx6_cell_out_size(cell_size, (uint16_t)len);

	*why = VX6_OK;
	if (vx6_unlikely(size == 0 || size > l->link.u))
		*why = VX6_BAD_SIZE;
	else if (vx6_unlikely(vx6_addr_is_none(&l->link.addr)))
		*why = VX6_NO_ROUTE;
	return size;
}

VX6_NONNULL void relay_probe_in(struct relay *r, struct relay_link *l,
				struct net_frame *f, uint64_t now,
				struct relay_out *out);

#endif
