/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "dataplane/relay/inner.h"

#define SWEEP_SLICE   1024u          /* half-circuits looked at in one tick */
#define SWEEP_BUSY_NS (250 * VX6_MS) /* between sweeps while cells move */
#define SWEEP_IDLE_NS (1 * VX6_SEC)

static struct net_frame *take_spare(struct relay *r)
{
	return r->spare_cnt > 0 ? r->spare[--r->spare_cnt] : NULL;
}

/* ---- probes ---- */

/* Sends what the link wants to say.  came: the probe that it answers, whose
 * frame is used up, or NULL.  Who asked is answered from the address that
 * was asked. */
static void send_probes(struct relay *r, const struct relay_link *l,
			const struct vx6_link_out *lo, struct net_frame *came,
			struct relay_out *out)
{
	struct net_frame *reuse = came;
	struct vx6_addr from = { 0 }, self = { 0 };

	if (came != NULL) {
		from = came->peer;
		self = came->self;
	}
	for (unsigned i = 0; i < lo->n; i++) {
		struct net_frame *f = reuse != NULL ? reuse : take_spare(r);

		reuse = NULL;
		if (f == NULL) {
			r->n.drop[VX6_NO_ROOM]++;
			continue;
		}
		memcpy(f->data, lo->pkt[i].data, lo->pkt[i].len);
		f->len = lo->pkt[i].len;
		f->sum = 0;
		f->peer = lo->pkt[i].to;
		f->self = vx6_addr_eq(&f->peer, &from) ? self : l->self;
		f->link = 0; /* not always where the link's cells go */
		f->half = 0;
		out->tx[out->tx_cnt++] = f;
		r->probes_out++;
		r->n.tx_cells++;
		r->n.tx_bytes += f->len;
	}
	if (reuse != NULL)
		done(out, reuse);
}

static void after_link(struct relay *r, struct relay_link *l, unsigned events,
		       uint64_t now)
{
	uint32_t i = l->link.index;

	r->link_due[i] = vx6_link_due(&l->link);
	if (r->link_due[i] < r->links_ns)
		r->links_ns = r->link_due[i];
	l->events |= (uint8_t)events;
	relay_say_link(r, l, now);
}

void relay_probe_in(struct relay *r, struct relay_link *l, struct net_frame *f,
		    uint64_t now, struct relay_out *out)
{
	struct vx6_link_out lo = { 0 };
	const struct vx6_addr from = f->peer, was = l->link.addr;
	enum vx6_status st = vx6_link_probe(&l->link, f->data, f->len, &from,
					    now, r->rnd, &lo);

	if (st == VX6_OK) {
		r->probes_in++;
		if (vx6_addr_eq(&l->link.addr, &from) &&
		    !vx6_addr_eq(&l->self, &f->self)) {
			l->self = f->self;
			note_link(r, l->link.index);
		}
		send_probes(r, l, &lo, f, out);
	} else {
		drop(r, out, f, NULL, st);
	}
	if (!vx6_addr_eq(&l->link.addr, &was))
		note_link(r, l->link.index);
	after_link(r, l, lo.events, now);
}

static void tick_link(struct relay *r, struct relay_link *l, uint64_t now,
		      struct relay_out *out)
{
	struct vx6_link_out lo = { 0 };

	vx6_link_tick(&l->link, now, r->rnd, &lo);
	if (l->link.unanswered + 1u >= VX6_LINK_ASKS)
		l->self = (struct vx6_addr){ 0 }; /* it may be gone */
	send_probes(r, l, &lo, NULL, out);
	after_link(r, l, lo.events, now);
}

/* Ticks what is due as long as there are spares for it; the rest keeps its
 * due time and has its turn in the next call. */
static void tick_links(struct relay *r, uint64_t now, struct relay_out *out)
{
	r->links_ns = VX6_NEVER;
	for (uint32_t i = 1; i < r->link_hi; i++) {
		if (!r->link[i].used)
			continue;
		if (r->link_due[i] <= now && r->spare_cnt >= 2)
			tick_link(r, &r->link[i], now, out);
		if (r->link_due[i] < r->links_ns)
			r->links_ns = r->link_due[i];
	}
}

/* ---- sweep: every half-circuit and link, a slice at a time ---- */

/* Asks that cells made due, and events that found no room. */
static void look_at_links(struct relay *r, uint64_t now)
{
	for (uint32_t i = 1; i < r->link_hi; i++) {
		struct relay_link *l = &r->link[i];

		if (!l->used)
			continue;
		if (ours(r, i))
			after_link(r, l, 0, now);
		else if (l->cells_out != l->told_cells)
			note_link(r, i);
	}
}

static void look_at_half(struct relay *r, struct relay_half *h, uint64_t now)
{
	if (now >= h->expires_ns) {
		if (relay_say_half(r, h, ABI_HALF_EXPIRED))
			relay_half_end(r, h);
		return;
	}
	if ((uint64_t)(relay_ms(now) - h->last_ms) * VX6_MS >= r->opts.idle_ns)
		(void)relay_say_half(r, h, ABI_HALF_IDLE);
	else
		h->said &= (uint8_t)~(1u << ABI_HALF_IDLE);
	if (h->kind == ABI_HALF_BACKWARD && h->tx_left == 0)
		(void)relay_say_half(r, h, ABI_HALF_EXHAUSTED);
}

static void sweep(struct relay *r, uint64_t now)
{
	uint32_t end = r->sweep_at + SWEEP_SLICE;

	if (r->sweep_at == 0)
		look_at_links(r, now);
	if (end > r->half_hi)
		end = r->half_hi;
	for (uint32_t i = r->sweep_at; i < end; i++)
		if (r->half[i].id != 0)
			look_at_half(r, &r->half[i], now);
	r->sweep_at = end;
	if (end < r->half_hi)
		return; /* go on at once */
	r->sweep_at = 0;
	r->sweep_ns = VX6_NEVER;
	if (r->moved || r->halves > 0 || r->ev_cnt > 0)
		r->sweep_ns = now + (r->moved ? SWEEP_BUSY_NS : SWEEP_IDLE_NS);
	r->moved = false;
}

void relay_tick(struct relay *r, uint64_t now_ns, struct relay_out *out)
{
	out_reset(out);
	if (now_ns >= r->links_ns)
		tick_links(r, now_ns, out);
	if (now_ns >= r->sweep_ns)
		sweep(r, now_ns);
}

uint64_t relay_due(const struct relay *r)
{
	return r->links_ns < r->sweep_ns ? r->links_ns : r->sweep_ns;
}

/* ---- cells of LOCAL half-circuits, from vx6d ---- */

static enum vx6_status down_one(struct relay *r, const struct relay_down *d,
				uint64_t now)
{
	struct relay_link *l = d->link == 0 ? NULL : live_link(r, d->link);
	uint8_t *h8 = d->f->data, *q = h8 - 8;
	size_t size, len = d->f->len;
	enum vx6_status st;

	if (l == NULL)
		return VX6_NO_LINK;
	if (d->circ == 0)
		return VX6_NO_CIRCUIT;
	if (len < 8u + VX6_LEN_MIN || len > 8u + VX6_LEN_MAX ||
	    vx6_h8_len(h8) != len - 8u || !vx6_cell_size_ok(d->cell_size))
		return VX6_BAD_SIZE;
	if (vx6_h8_kind(h8) < VX6_KIND_DATA || vx6_h8_kind(h8) > VX6_KIND_DROP)
		return VX6_BAD_KIND;
	size = out_fits(l, d->cell_size, len - 8u, &st);
	if (st != VX6_OK)
		return st;
	dress_cell(r, d->f, q, len - 8u, size, l, d->circ, now);
	sent(r, 1, size);
	vx6_cell_protect(&l->link.hp_tx, q);
	r->moved = true;
	if (r->sweep_ns == VX6_NEVER)
		r->sweep_ns = now + SWEEP_BUSY_NS;
	return VX6_OK;
}

void relay_down(struct relay *r, const struct relay_down d[], unsigned n,
		uint64_t now_ns, struct relay_out *out)
{
	assert(n <= RELAY_BURST);
	out_reset(out);
	for (unsigned i = 0; i < n; i++) {
		enum vx6_status st = down_one(r, &d[i], now_ns);

		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, d[i].f, NULL, st);
			continue;
		}
		r->n.down++;
		out->tx[out->tx_cnt++] = d[i].f;
	}
}

/* ---- cells that waited ---- */

bool relay_again(const struct relay *r, struct net_frame *f)
{
	const struct relay_half *h = live_half(r, f->half);
	const struct relay_link *l;

	if (h == NULL || h->out_link != f->link)
		return false;
	l = &r->link[h->out_link];
	f->peer = l->link.addr;
	f->self = l->self;
	return !vx6_addr_is_none(&f->peer);
}

void relay_lost(struct relay *r, const struct net_frame *f, enum vx6_status why)
{
	struct relay_half *h = live_half(r, f->half);

	r->n.drop[why]++;
	r->relayed_bytes -= f->len;
	if (h != NULL)
		cold_of(r, h)->dropped++;
}

/* ---- control cells of this hop ---- */

enum vx6_status relay_inject(struct relay *r, const struct abi_control *c,
			     uint64_t now_ns, struct relay_out *out)
{
	struct relay_half *h = live_half(r, c->id);
	struct vx6_layer_op op;
	struct relay_link *l;
	struct net_frame *f;
	enum vx6_status st;
	size_t size, len;
	uint8_t *q;

	out_reset(out);
	if (h == NULL || h->kind != ABI_HALF_BACKWARD)
		return VX6_NO_CIRCUIT;
	if (now_ns >= h->expires_ns)
		return VX6_EXPIRED;
	if (c->len == 0 || c->len > ABI_CTL_LEN)
		return VX6_BAD_SIZE;
	l = &r->link[h->out_link];
	len = (size_t)c->len + VX6_LEN_MIN;
	size = out_fits(l, h->size_out, len, &st);
	if (st != VX6_OK)
		return st;
	if (h->tx_left == 0) {
		(void)relay_say_half(r, h, ABI_HALF_EXHAUSTED);
		return VX6_EXHAUSTED;
	}
	f = take_spare(r);
	if (f == NULL)
		return VX6_NO_ROOM;
	q = f->data;
	memcpy(q + VX6_CELL_HDR, c->body, c->len);
	op = (struct vx6_layer_op){ .key = &h->key,
				    .gcm = gcm_of(r, idx_of(h->id)),
				    .h8 = q + 8,
				    .ctr = take_ctr(h),
				    .len = c->len,
				    .kind = VX6_KIND_CONTROL };
	vx6_layer_seal_burst(&op, 1);
	dress_cell(r, f, q, len, size, l, h->out_id, now_ns);
	sent(r, 1, size);
	vx6_cell_protect(&l->link.hp_tx, q);
	out->tx[out->tx_cnt++] = f;
	r->n.injected++;
	return VX6_OK;
}
