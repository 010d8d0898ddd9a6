/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "dataplane/relay/inner.h"

struct lane { /* what one cell carries from phase to phase */
	struct net_frame *f;
	struct relay_link *in, *out;
	struct relay_half *h;
	struct vx6_layer *layer;
	uint64_t ctr;
	uint8_t *q;    /* where the outgoing cell begins */
	size_t size;   /* as it came; from fresh on, as it will leave */
	uint16_t len;  /* of C, likewise */
	uint16_t came; /* size of the datagram that came, for the counters */
	uint8_t kind;
};

/* ---- parse: the readable bytes ---- */

static unsigned parse(struct relay *r, struct net_frame *const f[], unsigned n,
		      struct lane *lane, struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		vx6_prefetch_w(f[i]->data);
	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[kept];
		uint32_t index = 0;
		enum vx6_status st = vx6_cell_link(f[i]->data, f[i]->len,
						   &index);

		r->n.rx_cells++;
		r->n.rx_bytes += f[i]->len;
		if (vx6_likely(st == VX6_OK)) {
			l->in = live_link(r, index);
			if (vx6_unlikely(l->in == NULL))
				st = VX6_NO_LINK;
		}
		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, f[i], NULL, st);
			continue;
		}
		l->f = f[i];
		l->size = l->came = f[i]->len;
		kept++;
	}
	return kept;
}

static void unprotect(struct lane *lane, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vx6_cell_unprotect(&lane[i].in->link.hp_rx, lane[i].f->data);
}

/* ---- route: the half-circuit, if there is one; probes go their way ---- */

static unsigned route(struct relay *r, struct lane *lane, unsigned n,
		      uint64_t now, struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];
		struct vx6_cell cell;
		enum vx6_status st = vx6_cell_parse(&cell, l->f->data, l->size);

		if (vx6_unlikely(st == VX6_OK && cell.circ == 0)) {
			relay_probe_in(r, l->in, l->f, now, out);
			continue;
		}
		if (vx6_likely(st == VX6_OK))
			st = vx6_link_from(&l->in->link, &l->f->peer);
		if (vx6_likely(st == VX6_OK &&
			       idx_of(cell.circ) >= r->opts.halves_max))
			st = VX6_NO_CIRCUIT;
		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, l->f, NULL, st);
			continue;
		}
		l->h = &r->half[idx_of(cell.circ)];
		vx6_prefetch_w(l->h);
		vx6_prefetch_w((uint8_t *)l->h + VX6_CACHELINE);
		vx6_window_prefetch(&l->h->win, cell.ctr);
		l->ctr = cell.ctr;
		l->len = cell.len;
		l->kind = cell.kind;
		lane[kept++] = *l;
	}
	return kept;
}

/* A cell of a half-circuit that may take it; the tag is not judged yet. */
static enum vx6_status admit(const struct lane *l, uint64_t now)
{
	const struct relay_half *h = l->h;

	if (vx6_unlikely(h->id != vx6_get32(l->f->data + 4) ||
			 h->in_link != l->in->link.index))
		return VX6_NO_CIRCUIT;
	if (vx6_unlikely(now >= h->expires_ns))
		return VX6_EXPIRED;
	if (vx6_unlikely(!vx6_cell_fits(h->size_in, l->size, l->len)))
		return VX6_BAD_SIZE;
	return VX6_OK;
}

static unsigned find(struct relay *r, struct lane *lane, unsigned n,
		     uint64_t now, struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];
		enum vx6_status st = admit(l, now);

		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, l->f, st == VX6_NO_CIRCUIT ? NULL : l->h,
			     st);
			continue;
		}
		l->layer = &r->layer[l->h - r->half];
		l->out = &r->link[l->h->out_link];
		lane[kept++] = *l;
	}
	return kept;
}

/* ---- fresh ---- */

static enum vx6_status fresh_forward(struct lane *l)
{
	enum vx6_status st = vx6_window_fresh(&l->h->win, l->ctr);

	l->q = l->f->data + 8;
	if (st != VX6_OK || l->kind != VX6_KIND_DATA)
		return st;
	if (vx6_unlikely(l->h->out_link == 0))
		return VX6_NO_ROUTE; /* the terminal, and no splice */
	if (vx6_unlikely(l->len < VX6_LEN_MIN + VX6_LAYER_LEN))
		return VX6_BAD_SIZE;
	l->len = (uint16_t)(l->len - VX6_LAYER_LEN);
	l->size = out_fits(l->out, l->h->size_out, l->len, &st);
	return st;
}

/* There is no tag to judge: the window is the guard, so it moves now. */
static enum vx6_status fresh_backward(struct relay *r, struct lane *l)
{
	struct relay_half *h = l->h;
	enum vx6_status st;

	l->q = l->f->data - 8;
	l->len = (uint16_t)(l->len + VX6_LAYER_LEN);
	l->size = out_fits(l->out, h->size_out, l->len, &st);
	if (vx6_unlikely(st != VX6_OK))
		return st;
	if (vx6_unlikely(h->tx_next == h->tx_end)) {
		(void)relay_say_half(r, h, ABI_HALF_EXHAUSTED);
		return VX6_EXHAUSTED;
	}
	st = vx6_window_record(&h->win, l->ctr);
	if (vx6_likely(st == VX6_OK))
		l->ctr = h->tx_next++;
	return st;
}

static enum vx6_status in_range(const struct lane *l)
{
	return l->ctr - l->h->win.start < VX6_CTR_SPAN ? VX6_OK
						       : VX6_OUT_OF_RANGE;
}

/* What a cell that was accepted leaves behind. */
static void accepted(struct relay *r, struct lane *l, uint64_t now)
{
	l->h->cells++;
	l->h->bytes += l->came;
	l->h->last_ns = now;
	l->in->cells_in++;
	l->in->bytes_in += l->came;
	l->in->link.cell_rx_ns = now;
	r->moved = true;
}

static void hand_up(struct relay *r, struct lane *l, uint64_t now,
		    struct relay_out *out)
{
	accepted(r, l, now);
	l->f->link = l->in->link.index;
	out->up[out->up_cnt++] = l->f;
}

static unsigned fresh(struct relay *r, struct lane *lane, unsigned n,
		      uint64_t now, struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];
		enum vx6_status st;

		if (l->h->kind == ABI_HALF_FORWARD)
			st = fresh_forward(l);
		else if (l->h->kind == ABI_HALF_BACKWARD)
			st = fresh_backward(r, l);
		else
			st = in_range(l);
		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, l->f, l->h, st);
			continue;
		}
		if (vx6_unlikely(l->h->kind == ABI_HALF_LOCAL)) {
			hand_up(r, l, now, out);
			continue;
		}
		lane[kept++] = *l;
	}
	return kept;
}

/* ---- crypt: all AEAD of a burst together ---- */

/* The key and the text of a cell, two cells ahead.  A GCM key is 20 lines of
 * tables, the others one; iv and suite lie behind. */
static void prefetch_crypt(const struct lane *l)
{
	const uint8_t *key = (const uint8_t *)l->layer;
	const uint8_t *text = l->f->data;

	vx6_prefetch(key);
	vx6_prefetch(&l->layer->key);
	for (unsigned i = VX6_CACHELINE;
	     i < VX6_AEAD_STATE && l->h->suite == VX6_SUITE_AES256_GCM;
	     i += VX6_CACHELINE)
		vx6_prefetch(key + i);
	for (unsigned i = VX6_CACHELINE; i < l->came; i += VX6_CACHELINE)
		vx6_prefetch_w(text + i);
}

static enum vx6_status bad_tag(struct relay *r, struct relay_half *h)
{
	if (++h->bad_tags >= r->opts.bad_tags)
		h->expires_ns = 0; /* the sweep says so and ends it */
	return VX6_BAD_TAG;
}

/* Opens in place and looks at the inner header, which is the next hop's.
 * Only the first of twins passes the window, which moves here. */
static enum vx6_status open_one(struct relay *r, struct lane *l)
{
	size_t plain = 0;
	enum vx6_status st = vx6_layer_open(l->layer, l->f->data + 8,
					    (size_t)l->came - 8u, &plain);

	if (vx6_unlikely(st == VX6_BAD_TAG))
		return bad_tag(r, l->h);
	return st;
}

static void crypt_all(struct relay *r, struct lane *lane, unsigned n,
		      enum vx6_status st[])
{
	for (unsigned i = 0; i < n; i++) {
		if (i + 2 < n)
			prefetch_crypt(&lane[i + 2]);
		if (lane[i].h->kind == ABI_HALF_FORWARD) {
			st[i] = open_one(r, &lane[i]);
		} else {
			vx6_layer_seal(lane[i].layer, lane[i].ctr,
				       VX6_KIND_DATA, lane[i].f->data,
				       lane[i].len - VX6_LEN_MIN);
			st[i] = VX6_OK;
		}
	}
}

/* ---- record and rewrite ---- */

/* P begins with the next layer's header; it must say what follows. */
static enum vx6_status inner_ok(const struct lane *l)
{
	const uint8_t *h8 = l->q + 8;

	if (vx6_unlikely(vx6_h8_len(h8) != l->len))
		return VX6_BAD_SIZE;
	if (vx6_unlikely(vx6_h8_kind(h8) < VX6_KIND_DATA ||
			 vx6_h8_kind(h8) > VX6_KIND_DROP))
		return VX6_BAD_KIND;
	return VX6_OK;
}

/* A bucket of 64 that fills at 32 a second, kept as the time when it will
 * be full again. */
static bool within_rate(struct relay_half *h, uint64_t now)
{
	uint64_t full = h->ctl_ns > now ? h->ctl_ns : now;

	if (full - now > (RELAY_CTL_BURST - 1) * RELAY_CTL_NS)
		return false;
	h->ctl_ns = full + RELAY_CTL_NS;
	return true;
}

/* P = type, length, body, zero padding (PROTOCOL.md section 9): padding may
 * be as long as the cell, and does not go up. */
static enum vx6_status control_up(struct relay *r, const struct lane *l,
				  uint64_t now)
{
	const uint8_t *text = l->f->data + VX6_CELL_HDR;
	size_t have = (size_t)l->len - VX6_LEN_MIN, want;
	struct abi_msg *m;

	if (have < 3)
		return VX6_MALFORMED;
	want = 3u + (size_t)vx6_get16(text + 1);
	if (want > have)
		return VX6_MALFORMED;
	if (want > ABI_CTL_LEN)
		return VX6_BAD_SIZE;
	if (!within_rate(l->h, now))
		return VX6_RATE;
	m = relay_event_room(r, ABI_CONTROL);
	if (m == NULL)
		return VX6_NO_ROOM;
	m->u.control.id = l->h->id;
	m->u.control.len = (uint16_t)want;
	memcpy(m->u.control.body, text, want);
	return VX6_OK;
}

/* An authentic forward cell; true: it goes on. */
static bool judge(struct relay *r, struct lane *l, uint64_t now,
		  struct relay_out *out)
{
	enum vx6_status st = vx6_window_record(&l->h->win, l->ctr);

	if (vx6_likely(st == VX6_OK)) {
		accepted(r, l, now);
		if (vx6_likely(l->kind == VX6_KIND_DATA)) {
			st = inner_ok(l);
			if (vx6_likely(st == VX6_OK))
				return true;
		} else if (l->kind == VX6_KIND_CONTROL) {
			st = control_up(r, l, now);
			r->control_in += st == VX6_OK;
		} else {
			r->drop_cells++;
		}
	}
	if (st != VX6_OK)
		drop(r, out, l->f, l->h, st);
	else
		done(out, l->f);
	return false;
}

static void rewrite(struct relay *r, struct lane *lane, unsigned n,
		    const enum vx6_status st[], uint64_t now,
		    struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];

		if (vx6_unlikely(st[i] != VX6_OK)) {
			drop(r, out, l->f, l->h, st[i]);
			continue;
		}
		if (l->h->kind == ABI_HALF_FORWARD) {
			if (!judge(r, l, now, out))
				continue;
			r->n.forwarded++;
		} else {
			accepted(r, l, now);
			r->n.backwarded++;
		}
		dress_cell(r, l->f, l->q, l->len, l->size, l->out, l->h->out_id,
			   now);
		out->tx[out->tx_cnt++] = l->f;
		lane[kept++] = *l;
	}
	for (unsigned i = 0; i < kept; i++)
		vx6_cell_protect(&lane[i].out->link.hp_tx, lane[i].q);
}

void relay_burst(struct relay *r, struct net_frame *const f[], unsigned n,
		 uint64_t now_ns, struct relay_out *out)
{
	struct lane lane[RELAY_BURST];
	enum vx6_status st[RELAY_BURST];

	assert(n <= RELAY_BURST);
	out_reset(out);
	n = parse(r, f, n, lane, out);
	unprotect(lane, n);
	n = route(r, lane, n, now_ns, out);
	n = find(r, lane, n, now_ns, out);
	n = fresh(r, lane, n, now_ns, out);
	crypt_all(r, lane, n, st);
	rewrite(r, lane, n, st, now_ns, out);
}
