/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "dataplane/base/sum.h"
#include "dataplane/relay/inner.h"

/* Says which phase is over.  A benchmark compiles this file a second time
 * with a clock here; in the relay it is nothing. */
#ifndef RELAY_PHASE
#define RELAY_PHASE(name) ((void)0)
#endif

struct lane { /* what one cell carries from phase to phase */
	struct net_frame *f;
	struct relay_link *in, *out;
	struct relay_half *h;  /* that it came in on; */
	struct relay_half *to; /* whose way out it takes: h, or a splice's */
	uint64_t ctr;
	uint8_t *p;    /* where the cell begins that came, */
	uint8_t *q;    /* and the one that leaves */
	uint64_t sum;  /* of its C, unfolded, where that is known */
	uint32_t circ; /* as it came */
	uint16_t size; /* as it came; from fresh on, as it will leave */
	uint16_t len;  /* of C, likewise */
	uint16_t came; /* size of the datagram that came, for the counters */
	uint8_t kind;
	bool away;   /* another worker seals it */
	bool summed; /* sum is known */
};

/* Cells pass the phases eight at a time.  The next eight have their headers
 * read by then and their half-circuits on the way, and while these are in the
 * AEAD it fetches the text of those.  Sixteen cells of about twenty lines
 * are what stays in the first cache from phase to phase: frames lie 2 KiB
 * apart, so all of them are in the same two thirds of its sets, and with
 * steps of sixteen the text was gone again before its turn came. */
struct step {
	struct lane lane[RELAY_STEP];
	unsigned n;
};

/* The rest is written by the phase that finds it out. */
static inline void lane_begin(struct lane *l, struct net_frame *f,
			      struct relay_link *in)
{
	l->f = f;
	l->in = l->out = in;
	l->p = l->q = f->data;
	l->size = l->came = f->len;
	l->away = false;
}

/* Survivors close ranks; as a rule all of them stand right already. */
static inline void keep(struct lane *lane, unsigned to, unsigned from)
{
	if (vx6_unlikely(to != from))
		lane[to] = lane[from];
}

/* ---- parse: the readable bytes ---- */

static unsigned parse(struct relay *r, struct net_frame *const f[], unsigned n,
		      struct lane *lane, struct relay_out *out)
{
	unsigned kept = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		vx6_prefetch_w(vx6_cell_block(f[i]->data));
	for (unsigned i = 0; i < n; i++) {
		struct relay_link *in = NULL;
		uint32_t index = 0;
		enum vx6_status st = vx6_cell_link(f[i]->data, f[i]->len,
						   &index);

		bytes += f[i]->len;
		if (vx6_likely(st == VX6_OK)) {
			in = live_link(r, index);
			if (vx6_unlikely(in == NULL))
				st = VX6_NO_LINK;
			else
				assert(ours(r, index));
		}
		if (vx6_unlikely(st != VX6_OK)) {
			drop(r, out, f[i], NULL, st);
			continue;
		}
		lane_begin(&lane[kept++], f[i], in);
	}
	r->n.rx_cells += n;
	r->n.rx_bytes += bytes;
	return kept;
}

static void unprotect(struct lane *lane, unsigned n)
{
	struct vx6_aes_op op[RELAY_STEP];

	for (unsigned i = 0; i < n; i++)
		op[i] = (struct vx6_aes_op){ &lane[i].in->link.hp_rx,
					     vx6_cell_block(lane[i].p) };
	vx6_aes_decrypt_each(op, n);
}

/* ---- route: the half-circuit, if there is one; probes go their way ---- */

static unsigned route(struct relay *r, struct lane *lane, unsigned n,
		      uint64_t now, struct relay_out *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];
		struct vx6_cell cell;
		enum vx6_status st = vx6_cell_parse(&cell, l->p, l->size);

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
		l->circ = cell.circ;
		l->ctr = cell.ctr;
		l->len = cell.len;
		l->kind = cell.kind;
		keep(lane, kept++, i);
	}
	return kept;
}

/* A cell of a half-circuit that may take it; the tag is not judged yet. */
static enum vx6_status admit(const struct lane *l, uint64_t now)
{
	const struct relay_half *h = l->h;

	if (vx6_unlikely(h->id != l->circ || h->in_link != l->in->link.index))
		return VX6_NO_CIRCUIT;
	if (vx6_unlikely(now >= h->expires_ns))
		return VX6_EXPIRED;
	if (vx6_unlikely(!vx6_cell_fits(h->size_in, l->size, l->len)))
		return VX6_BAD_SIZE;
	return VX6_OK;
}

static bool crosses(const struct lane *l)
{
	return vx6_unlikely(l->to != l->h);
}

/* A terminal has no way out but that of the half it is spliced to, which
 * may be another worker's; neither: none at all. */
static void way_out(const struct relay *r, struct lane *l)
{
	const struct relay_half *h = l->h;

	l->to = l->h;
	if (vx6_likely(h->kind != ABI_HALF_FORWARD || h->out_link != 0))
		return;
	l->to = NULL;
	if (h->out_id == 0)
		return;
	l->away = h->seals != r->opts.worker;
	if (l->away)
		return;
	l->to = &r->half[idx_of(h->out_id)];
	vx6_prefetch_w(l->to);
	vx6_prefetch(&l->to->key);
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
		vx6_window_fetch(&l->h->win, &cold_of(r, l->h)->ring, l->ctr);
		way_out(r, l);
		keep(lane, kept++, i);
	}
	return kept;
}

/* ---- fresh ---- */

static enum vx6_status fresh_at(const struct relay *r, const struct lane *l)
{
	return vx6_window_fresh_at(&l->h->win, &cold_of(r, l->h)->ring, l->ctr);
}

static enum vx6_status record(const struct relay *r, const struct lane *l)
{
	return vx6_window_record_at(&l->h->win, &cold_of(r, l->h)->ring,
				    l->ctr);
}

static enum vx6_status fresh_forward(const struct relay *r, struct lane *l,
				     uint64_t now)
{
	enum vx6_status st = fresh_at(r, l);

	if (st != VX6_OK || l->kind != VX6_KIND_DATA)
		return st;
	if (vx6_unlikely(l->to == NULL && !l->away))
		return VX6_NO_ROUTE; /* the terminal, and no splice */
	if (vx6_unlikely(l->len < VX6_LEN_MIN + VX6_LAYER_LEN))
		return VX6_BAD_SIZE;
	if (vx6_unlikely(l->away))
		return VX6_OK; /* who seals it judges the rest */
	if (crosses(l)) {      /* one layer less and one more: it stays there */
		if (now >= l->to->expires_ns)
			return VX6_EXPIRED;
		l->q = l->p;
	} else {
		l->q = l->p + 8;
		l->len = (uint16_t)(l->len - VX6_LAYER_LEN);
	}
	l->out = &r->link[l->to->out_link];
	l->size = (uint16_t)out_fits(l->out, l->to->size_out, l->len, &st);
	return st;
}

/* Uses up a counter of the half that seals. */
static enum vx6_status next_ctr(struct relay *r, struct relay_half *h,
				uint64_t *ctr)
{
	if (vx6_unlikely(h->tx_left == 0)) {
		(void)relay_say_half(r, h, ABI_HALF_EXHAUSTED);
		return VX6_EXHAUSTED;
	}
	*ctr = take_ctr(h);
	return VX6_OK;
}

/* There is no tag to judge: the window is the guard, so it moves now. */
static enum vx6_status fresh_backward(struct relay *r, struct lane *l)
{
	struct relay_half *h = l->h;
	enum vx6_status st;

	l->q = l->p - 8;
	/* the packet's headers go to where none have been read */
	vx6_prefetch_w(l->q - VX6_CACHELINE);
	l->out = &r->link[h->out_link];
	l->len = (uint16_t)(l->len + VX6_LAYER_LEN);
	l->size = (uint16_t)out_fits(l->out, h->size_out, l->len, &st);
	if (vx6_unlikely(st != VX6_OK))
		return st;
	if (vx6_likely(h->tx_left > 0)) /* else the window stays as it is */
		st = record(r, l);
	return vx6_likely(st == VX6_OK) ? next_ctr(r, h, &l->ctr) : st;
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
	l->h->last_ms = relay_ms(now);
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
			st = fresh_forward(r, l, now);
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
		keep(lane, kept++, i);
	}
	return kept;
}

/* ---- crypt: all AEAD of a burst together ---- */

static enum vx6_status bad_tag(struct relay *r, struct relay_half *h)
{
	if (++cold_of(r, h)->bad_tags >= r->opts.bad_tags)
		h->expires_ns = 0; /* the sweep says so and ends it */
	return VX6_BAD_TAG;
}

static struct vx6_layer_op op_of(const struct relay *r, const struct lane *l)
{
	struct vx6_layer_op op = { .key = &l->h->key,
				   .gcm = gcm_of(r, idx_of(l->h->id)),
				   .ctr = l->ctr,
				   .kind = VX6_KIND_DATA };

	if (l->h->kind == ABI_HALF_FORWARD) {
		op.h8 = l->p + 8;
		op.len = (size_t)l->came - 8u;
	} else {
		op.h8 = l->p;
		op.len = (size_t)l->len - VX6_LEN_MIN;
	}
	return op;
}

/* Opens stand in front, seals at the back: each kind is one call.  soon: who
 * comes next, and is fetched meanwhile. */
static void crypt_all(struct relay *r, struct lane *lane, unsigned n,
		      const struct step *soon, enum vx6_status st[])
{
	struct vx6_layer_op op[RELAY_STEP];
	uint8_t at[RELAY_STEP];
	unsigned front = 0, back = n;

	for (unsigned i = 0; i < n; i++) {
		bool open = lane[i].h->kind == ABI_HALF_FORWARD;

		at[i] = (uint8_t)(open ? front++ : --back);
		op[at[i]] = op_of(r, &lane[i]);
		if (vx6_unlikely(i >= soon->n))
			continue;
		op[at[i]].ahead = soon->lane[i].p;
		op[at[i]].ahead_gcm = gcm_of(r, idx_of(soon->lane[i].circ));
	}
	vx6_layer_open_burst(op, front);
	vx6_layer_seal_burst(op + back, n - back);
	for (unsigned i = 0; i < n; i++) {
		st[i] = at[i] < front ? op[at[i]].st : VX6_OK;
		lane[i].sum = op[at[i]].sum;
		lane[i].summed = op[at[i]].summed;
		if (vx6_unlikely(st[i] == VX6_BAD_TAG))
			st[i] = bad_tag(r, lane[i].h);
	}
}

/* ---- judge ---- */

/* P begins with the next layer's header; it must say what follows.  Between
 * the ends of a splice every cell is of kind 1. */
static enum vx6_status inner_ok(const struct lane *l)
{
	const uint8_t *h8 = l->p + VX6_CELL_HDR;
	unsigned len = vx6_h8_len(h8), kind = vx6_h8_kind(h8);

	if (vx6_unlikely(len + (crosses(l) ? VX6_LAYER_LEN : 0) != l->len))
		return VX6_BAD_SIZE;
	if (vx6_unlikely(kind < VX6_KIND_DATA ||
			 kind > (crosses(l) ? VX6_KIND_DATA : VX6_KIND_DROP)))
		return VX6_BAD_KIND;
	return VX6_OK;
}

/* The checksum of P, which the AEAD has told, less that of the header: it
 * will be another one on the wire. */
static void sum_without_h8(struct lane *l)
{
	const uint8_t *h8 = l->p + VX6_CELL_HDR;

	l->sum += (uint64_t)vx6_sum_less(vx6_sum_word(h8)) +
		  vx6_sum_less(vx6_sum_word(h8 + 4));
}

/* What the other leg will seal it with, and its share in the counting. */
static enum vx6_status cross(struct relay *r, struct lane *l, uint64_t now)
{
	enum vx6_status st = next_ctr(r, l->to, &l->ctr);

	if (st != VX6_OK)
		return st;
	l->to->cells++;
	l->to->bytes += l->came;
	l->to->last_ms = relay_ms(now);
	return VX6_OK;
}

/* A bucket of 64 that fills at 32 a second, kept as the time when it will
 * be full again. */
static bool within_rate(struct relay_cold *c, uint64_t now)
{
	uint64_t full = c->ctl_ns > now ? c->ctl_ns : now;

	if (full - now > (RELAY_CTL_BURST - 1) * RELAY_CTL_NS)
		return false;
	c->ctl_ns = full + RELAY_CTL_NS;
	return true;
}

/* P = type, length, body, zero padding (PROTOCOL.md section 9): padding may
 * be as long as the cell, and does not go up. */
static enum vx6_status control_up(struct relay *r, const struct lane *l,
				  uint64_t now)
{
	const uint8_t *text = l->p + VX6_CELL_HDR;
	size_t have = (size_t)l->len - VX6_LEN_MIN, want;
	struct abi_msg *m;

	if (have < 3)
		return VX6_MALFORMED;
	want = 3u + (size_t)vx6_get16(text + 1);
	if (want > have)
		return VX6_MALFORMED;
	if (want > ABI_CTL_LEN)
		return VX6_BAD_SIZE;
	if (!within_rate(cold_of(r, l->h), now))
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
	enum vx6_status st = record(r, l);

	if (vx6_likely(st == VX6_OK)) {
		accepted(r, l, now);
		if (vx6_likely(l->kind == VX6_KIND_DATA)) {
			st = inner_ok(l);
			if (st == VX6_OK && crosses(l) && !l->away)
				st = cross(r, l, now);
			if (vx6_likely(st == VX6_OK)) {
				sum_without_h8(l);
				return true;
			}
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

/* What is over of the cell that came, its header, says what it is now:
 *
 *     from 4 | to 4 | size of what came 2 | 6 | P */
static void go_away(const struct lane *l, struct relay_out *out)
{
	uint8_t *p = l->p;

	vx6_put32(p, l->h->id);
	vx6_put32(p + 4, l->h->out_id);
	vx6_put16(p + 8, l->came);
	l->f->len = l->len; /* 16 + P, as C was P + 16 */
	l->f->link = l->h->seals;
	out->away[out->away_cnt++] = l->f;
}

static unsigned judge_all(struct relay *r, struct lane *lane, unsigned n,
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
			if (vx6_unlikely(l->away)) {
				go_away(l, out);
				continue;
			}
		} else {
			accepted(r, l, now);
			r->n.backwarded++;
		}
		keep(lane, kept++, i);
	}
	return kept;
}

/* ---- splice: P becomes a cell of the other leg where it lies ---- */

static void splice_all(const struct relay *r, struct lane *lane, unsigned n)
{
	struct vx6_layer_op op[RELAY_STEP];
	uint8_t of[RELAY_STEP];
	unsigned cnt = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct lane *l = &lane[i];

		if (!crosses(l))
			continue;
		of[cnt] = (uint8_t)i;
		op[cnt++] = (struct vx6_layer_op){
			.key = &l->to->key,
			.gcm = gcm_of(r, idx_of(l->to->id)),
			.h8 = l->p + 8,
			.ctr = l->ctr,
			.len = (size_t)l->len - VX6_LEN_MIN,
			.kind = VX6_KIND_DATA,
		};
	}
	vx6_layer_seal_burst(op, cnt);
	for (unsigned i = 0; i < cnt; i++) {
		lane[of[i]].sum = op[i].sum;
		lane[of[i]].summed = op[i].summed;
	}
}

/* ---- send ---- */

/* What stands behind the header's block on the wire: C from its fifth byte
 * on, and the pad. */
static void sum_behind_block(struct lane *l)
{
	size_t end = VX6_CELL_HDR + l->len;
	uint16_t pad;

	l->sum += vx6_sum_less(vx6_sum_word(l->q + VX6_CELL_HDR));
	if (vx6_likely(end == l->size))
		return;
	pad = vx6_sum(l->q + end, l->size - end);
	l->sum += end % 2 == 0 ? pad : vx6_sum_turned(pad);
}

/* And all before it, as it is now. */
static uint16_t sum_of(const struct lane *l)
{
	const uint8_t *q = l->q;

	if (!l->summed)
		return 0;
	return vx6_sum_fold(l->sum + vx6_sum_wide(q) + vx6_sum_wide(q + 8) +
			    vx6_sum_word(q + VX6_CELL_HDR));
}

static void send_all(struct relay *r, struct lane *lane, unsigned n,
		     uint64_t now, struct relay_out *out)
{
	struct vx6_aes_op op[RELAY_STEP];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[i];

		dress_cell(r, l->f, l->q, l->len, l->size, l->out,
			   l->to->out_id, now);
		l->f->half = l->to->id;
		sum_behind_block(l);
		bytes += l->size;
		op[i] = (struct vx6_aes_op){ &l->out->link.hp_tx,
					     vx6_cell_block(l->q) };
		out->tx[out->tx_cnt++] = l->f;
	}
	vx6_aes_encrypt_each(op, n);
	for (unsigned i = 0; i < n; i++)
		lane[i].f->sum = sum_of(&lane[i]);
	sent(r, n, bytes);
	r->relayed_bytes += bytes;
}

/* From what came to half-circuits that are being fetched. */
static void front(struct relay *r, struct net_frame *const f[], unsigned n,
		  struct step *s, uint64_t now_ns, struct relay_out *out)
{
	n = parse(r, f, n, s->lane, out);
	RELAY_PHASE(parse);
	unprotect(s->lane, n);
	RELAY_PHASE(unprotect);
	s->n = route(r, s->lane, n, now_ns, out);
	RELAY_PHASE(route);
}

/* And from there to what leaves. */
static void back(struct relay *r, struct step *s, const struct step *soon,
		 uint64_t now_ns, struct relay_out *out)
{
	enum vx6_status st[RELAY_STEP];
	struct lane *lane = s->lane;
	unsigned n = find(r, lane, s->n, now_ns, out);

	RELAY_PHASE(find);
	n = fresh(r, lane, n, now_ns, out);
	RELAY_PHASE(fresh);
	crypt_all(r, lane, n, soon, st);
	RELAY_PHASE(crypt);
	n = judge_all(r, lane, n, st, now_ns, out);
	RELAY_PHASE(judge);
	splice_all(r, lane, n);
	RELAY_PHASE(splice);
	send_all(r, lane, n, now_ns, out);
	RELAY_PHASE(send);
}

static unsigned one_step(unsigned n)
{
	return n < RELAY_STEP ? n : RELAY_STEP;
}

void relay_burst(struct relay *r, struct net_frame *const f[], unsigned n,
		 uint64_t now_ns, struct relay_out *out)
{
	struct step step[2];
	unsigned turn = 0;

	assert(n <= RELAY_BURST);
	out_reset(out);
	for (unsigned at = 0; at < n; at += RELAY_STEP, turn ^= 1u) {
		struct step *soon = &step[turn], *now = &step[turn ^ 1u];

		front(r, f + at, one_step(n - at), soon, now_ns, out);
		if (vx6_likely(at > 0))
			back(r, now, soon, now_ns, out);
	}
	step[turn].n = 0;
	if (vx6_likely(n > 0))
		back(r, &step[turn ^ 1u], &step[turn], now_ns, out);
}

/* ---- join: what another worker has opened ---- */

static enum vx6_status join_one(struct relay *r, struct lane *l, uint64_t now)
{
	const uint8_t *p = l->f->data;
	struct relay_half *to = joined(r, p);
	enum vx6_status st;

	if (to == NULL)
		return VX6_NO_CIRCUIT;
	l->to = to;
	if (now >= to->expires_ns)
		return VX6_EXPIRED;
	l->out = &r->link[to->out_link];
	l->size = (uint16_t)out_fits(l->out, to->size_out, l->len, &st);
	return st == VX6_OK ? cross(r, l, now) : st;
}

static void join_step(struct relay *r, struct net_frame *const f[], unsigned n,
		      uint64_t now_ns, struct relay_out *out)
{
	struct lane lane[RELAY_STEP];
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lane[kept];
		enum vx6_status st;

		*l = (struct lane){ .f = f[i],
				    .p = f[i]->data,
				    .q = f[i]->data,
				    .len = f[i]->len,
				    .came = vx6_get16(f[i]->data + 8) };
		st = join_one(r, l, now_ns);
		if (vx6_unlikely(st != VX6_OK))
			drop(r, out, l->f, l->to, st);
		else
			kept++;
	}
	splice_all(r, lane, kept);
	send_all(r, lane, kept, now_ns, out);
	r->moved |= kept > 0;
}

void relay_join(struct relay *r, struct net_frame *const f[], unsigned n,
		uint64_t now_ns, struct relay_out *out)
{
	assert(n <= RELAY_BURST);
	out_reset(out);
	for (unsigned at = 0; at < n; at += RELAY_STEP)
		join_step(r, f + at, one_step(n - at), now_ns, out);
}
