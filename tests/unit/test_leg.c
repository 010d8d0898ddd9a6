/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg: an origin and 1 to 8 hops, each doing what PROTOCOL.md 2 to 4 ask
 * of a relay with the real layer, window and header protection.
 *
 * A cell lies in a frame; links protect its header.  Forward, the next hop
 * must refuse any changed bit.  Backward, a relay has no tag: a changed
 * header block it refuses by circuit id and counter, anything else the
 * origin refuses at the layer of the hop that sent it. */

#include "tests/vectors/load.h"

#include <sodium.h>

#include "dataplane/base/rand.h"
#include "dataplane/wire/leg.h"

#define CIRC  0x00c1c2c3u
#define FRAME 2048u
#define FRONT 256u /* of a frame, before a cell as it arrives */

struct hop { /* one relay's half-circuits, and the link towards the origin */
	struct vx6_layer fwd, bwd;
	struct vx6_window fwin; /* after the tag */
	struct vx6_window bwin; /* cells from behind, before sealing */
	uint64_t ctr_b;         /* next to seal */
	struct vx6_aes link;    /* both directions here, one is enough */
};

struct rig {
	struct vx6_hop_keys keys[8];
	struct vx6_hop_status status[8];
	struct vx6_leg leg;
	struct hop hop[8];
	uint8_t frame[FRAME];
};

static struct vx6_rand rnd;

static int start(void **state)
{
	static const uint8_t seed[32] = { 'l', 'e', 'g' };

	(void)state;
	vx6_rand_seed(&rnd, seed);
	return vx6_aead_start() == VX6_OK ? 0 : -1;
}

static void hop_init(struct rig *r, unsigned i, unsigned n)
{
	const struct vx6_hop_keys *k = &r->keys[i];
	struct hop *h = &r->hop[i];
	uint8_t link[16];

	assert_int_equal(
		vx6_layer_init(&h->fwd, r->status[i].suite, k->k_f, k->iv_f),
		VX6_OK);
	assert_int_equal(
		vx6_layer_init(&h->bwd, r->status[i].suite, k->k_b, k->iv_b),
		VX6_OK);
	vx6_window_init(&h->fwin, k->start_f);
	if (i + 1 < n) /* told by the neighbour's CREATED */
		vx6_window_init(&h->bwin, r->keys[i + 1].start_b);
	h->ctr_b = k->start_b;
	vx6_rand_fill(&rnd, link, sizeof(link));
	vx6_aes_init(&h->link, link, sizeof(link));
}

static void rig_from_keys(struct rig *r, unsigned n)
{
	assert_int_equal(vx6_leg_init(&r->leg, r->keys, r->status, n), VX6_OK);
	for (unsigned i = 0; i < n; i++)
		hop_init(r, i, n);
}

/* Suites alternate, beginning with `first`. */
static void rig_init(struct rig *r, unsigned n, unsigned first)
{
	memset(r, 0, sizeof(*r));
	vx6_rand_fill(&rnd, r->keys, sizeof(r->keys));
	for (unsigned i = 0; i < n; i++) {
		r->keys[i].start_f &= (UINT64_C(1) << 46) - 1;
		r->keys[i].start_b &= (UINT64_C(1) << 46) - 1;
		r->status[i].suite = (uint8_t)(1 + (first + i) % 2);
	}
	rig_from_keys(r, n);
}

/* ---- what a relay does ---- */

struct wire { /* a datagram inside a frame */
	uint8_t *p;
	size_t size;
};

static void send_on(struct wire *w, uint16_t len, const struct vx6_aes *link)
{
	w->size = VX6_CELL_HDR + (size_t)len;
	vx6_cell_put(w->p, 7, CIRC);
	vx6_cell_protect(link, w->p);
}

static enum vx6_status arrive(struct wire *w, const struct vx6_aes *link,
			      struct vx6_cell *c)
{
	uint32_t idx;
	enum vx6_status st = vx6_cell_link(w->p, w->size, &idx);

	if (st != VX6_OK)
		return st;
	if (idx != 7)
		return VX6_NO_LINK;
	vx6_cell_unprotect(link, w->p);
	st = vx6_cell_parse(c, w->p, w->size);
	if (st != VX6_OK)
		return st;
	if (c->circ != CIRC)
		return VX6_NO_CIRCUIT;
	return vx6_cell_fits(0, w->size, c->len) ? VX6_OK : VX6_BAD_SIZE;
}

struct opened {
	uint8_t *p; /* plaintext */
	size_t len;
	uint8_t kind;
};

/* One hop forward: refuse, or open and record. */
static enum vx6_status forward_open(struct hop *h, struct wire *w,
				    struct opened *o)
{
	struct vx6_cell c;
	enum vx6_status st = arrive(w, &h->link, &c);

	if (st == VX6_OK)
		st = vx6_window_fresh(&h->fwin, c.ctr);
	if (st == VX6_OK)
		st = vx6_layer_open(&h->fwd, w->p + 8, w->size - 8, &o->len);
	if (st == VX6_OK)
		st = vx6_window_record(&h->fwin, c.ctr);
	o->p = w->p + 16;
	o->kind = c.kind;
	return st;
}

/* P is the next cell: its H8 lies where the header's end must be. */
static enum vx6_status forward_on(const struct opened *o, struct wire *w,
				  const struct vx6_aes *link)
{
	if (o->len < 8 || vx6_h8_len(o->p) != o->len - 8)
		return VX6_BAD_SIZE;
	w->p = o->p - 8;
	send_on(w, vx6_h8_len(o->p), link);
	return VX6_OK;
}

/* One hop backward: w came from behind (over link `from`). */
static enum vx6_status backward(struct hop *h, const struct vx6_aes *from,
				struct wire *w)
{
	struct vx6_cell c;
	enum vx6_status st = arrive(w, from, &c);

	if (st == VX6_OK)
		st = vx6_window_record(&h->bwin, c.ctr);
	if (st != VX6_OK)
		return st;
	if (c.len + VX6_LAYER_LEN > VX6_LEN_MAX)
		return VX6_BAD_SIZE;
	vx6_layer_seal(&h->bwd, h->ctr_b++, VX6_KIND_DATA, w->p,
		       8 + (size_t)c.len);
	w->p -= 8;
	send_on(w, (uint16_t)(c.len + VX6_LAYER_LEN), &h->link);
	return VX6_OK;
}

/* A hop says something of its own: plaintext at w->p + 16. */
static void originate(struct hop *h, enum vx6_kind kind, struct wire *w,
		      size_t len)
{
	vx6_layer_seal(&h->bwd, h->ctr_b++, kind, w->p + 8, len);
	send_on(w, (uint16_t)(len + 16), &h->link);
}

/* ---- an origin's two movements ---- */

static enum vx6_status origin_sends(struct rig *r, unsigned to,
				    enum vx6_kind kind, const uint8_t *plain,
				    size_t len, struct wire *w)
{
	uint8_t *buf = r->frame + FRONT - VX6_LEG_FRONT;
	uint16_t c_len = 0;
	enum vx6_status st;

	memcpy(buf + VX6_LEG_FRONT, plain, len);
	st = vx6_leg_seal(&r->leg, to, kind, buf, len, &w->p, &c_len);
	if (st == VX6_OK)
		send_on(w, c_len, &r->hop[0].link);
	return st;
}

static enum vx6_status origin_gets(struct rig *r, struct wire *w,
				   struct vx6_leg_open *out)
{
	struct vx6_cell c;
	enum vx6_status st = arrive(w, &r->hop[0].link, &c);

	return st != VX6_OK ? st : vx6_leg_open(&r->leg, w->p, w->size, out);
}

/* Hop `from` says `plain`; hops before it carry it.  Ends before the
 * origin. */
static void comes_back(struct rig *r, unsigned from, enum vx6_kind kind,
		       const uint8_t *plain, size_t len, struct wire *w)
{
	w->p = r->frame + FRONT;
	memcpy(w->p + 16, plain, len);
	originate(&r->hop[from], kind, w, len);
	for (unsigned i = from; i-- > 0;)
		assert_int_equal(backward(&r->hop[i], &r->hop[i + 1].link, w),
				 VX6_OK);
}

/* Carries w up to hop `to` and opens it there. */
static enum vx6_status goes_there(struct rig *r, unsigned to, struct wire *w,
				  struct opened *o)
{
	for (unsigned i = 0; i <= to; i++) {
		enum vx6_status st = forward_open(&r->hop[i], w, o);

		if (st != VX6_OK || i == to)
			return st;
		assert_int_equal(o->kind, VX6_KIND_DATA);
		st = forward_on(o, w, &r->hop[i + 1].link);
		if (st != VX6_OK)
			return st;
	}
	return VX6_BAD_STATE;
}

static void one_to_eight_hops(void **state)
{
	static struct rig r;
	static uint8_t plain[1440];
	struct vx6_leg_open back = { 0 };
	struct opened o = { 0 };
	struct wire w = { 0 };

	(void)state;
	vx6_rand_fill(&rnd, plain, sizeof(plain));
	for (unsigned n = 1; n <= 8; n++) {
		rig_init(&r, n, n);
		size_t room = vx6_leg_room(&r.leg, n - 1, VX6_CELL_MAX);
		size_t size[] = { 0, 1, 500, room - 1, room };

		for (unsigned i = 0; i < VX6_COUNT(size); i++) {
			assert_int_equal(origin_sends(&r, n - 1, VX6_KIND_DATA,
						      plain, size[i], &w),
					 VX6_OK);
			assert_int_equal(goes_there(&r, n - 1, &w, &o), VX6_OK);
			assert_int_equal(o.len, size[i]);
			assert_int_equal(o.kind, VX6_KIND_DATA);
			assert_memory_equal(o.p, plain, size[i]);

			comes_back(&r, n - 1, VX6_KIND_DATA, plain, size[i],
				   &w);
			assert_int_equal(origin_gets(&r, &w, &back), VX6_OK);
			assert_int_equal(back.from, n - 1);
			assert_int_equal(back.len, size[i]);
			assert_int_equal(back.kind, VX6_KIND_DATA);
			assert_memory_equal(back.plain, plain, size[i]);
		}
	}
}

/* Each hop has its own layer's kind; those before it see data. */
static void any_hop_can_be_spoken_with(void **state)
{
	static struct rig r;
	static const uint8_t plain[] = "how are you";
	static const enum vx6_kind kind[] = { VX6_KIND_CONTROL, VX6_KIND_DROP };
	struct vx6_leg_open back = { 0 };
	struct opened o = { 0 };
	struct wire w = { 0 };

	(void)state;
	rig_init(&r, 8, 0);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(origin_sends(&r, i, kind[k], plain,
						      sizeof(plain), &w),
					 VX6_OK);
			assert_int_equal(goes_there(&r, i, &w, &o), VX6_OK);
			assert_int_equal(o.kind, kind[k]);
			assert_memory_equal(o.p, plain, sizeof(plain));
			comes_back(&r, i, kind[k], plain, sizeof(plain), &w);
			assert_int_equal(origin_gets(&r, &w, &back), VX6_OK);
			assert_int_equal(back.from, i);
			assert_int_equal(back.kind, kind[k]);
			assert_memory_equal(back.plain, plain, sizeof(plain));
		}
}

/* ---- vectors ---- */

static void load_hops(const json_t *list, struct rig *r)
{
	const json_t *h;
	size_t i;

	memset(r, 0, sizeof(*r));
	json_array_foreach(list, i, h)
	{
		struct vx6_hop_keys *k = &r->keys[i];

		r->status[i].suite = (uint8_t)vec_int(h, "suite");
		vec_exact(h, "k_f", k->k_f, 32);
		vec_exact(h, "k_b", k->k_b, 32);
		vec_exact(h, "iv_f", k->iv_f, 16);
		vec_exact(h, "iv_b", k->iv_b, 16);
		k->start_f = vec_int(h, "start_f");
		k->start_b = vec_int(h, "start_b");
	}
	rig_from_keys(r, (unsigned)json_array_size(list));
}

static uint64_t offset_of(const json_t *v, unsigned i)
{
	return (uint64_t)json_integer_value(
		json_array_get(json_object_get(v, "offsets"), i));
}

/* The bytes H8 || C or P after `i` hops. */
static size_t step_of(const json_t *v, unsigned i, uint8_t *out)
{
	json_t *one = json_pack("{s:O}", "step",
				json_array_get(json_object_get(v, "steps"), i));
	size_t n = vec_bytes(one, "step", out, VX6_CELL_MAX);

	json_decref(one);
	return n;
}

static void forward_vector(struct rig *r, const json_t *v)
{
	unsigned to = (unsigned)vec_int(v, "to");
	uint8_t plain[VX6_CELL_MAX], want[VX6_CELL_MAX];
	size_t len = vec_bytes(v, "plain", plain, sizeof(plain)), n;
	struct opened o = { 0 };
	struct wire w = { 0 };

	for (unsigned i = 0; i <= to; i++)
		r->leg.hop[i].sealed = offset_of(v, i);
	assert_int_equal(origin_sends(r, to, (enum vx6_kind)vec_int(v, "kind"),
				      plain, len, &w),
			 VX6_OK);
	for (unsigned i = 0; i <= to; i++) {
		uint8_t copy[VX6_CELL_MAX];

		memcpy(copy, w.p, w.size);
		vx6_cell_unprotect(&r->hop[i].link, copy);
		n = step_of(v, i, want);
		assert_int_equal(w.size, 8 + n);
		assert_memory_equal(copy + 8, want, n);
		vx6_window_init(&r->hop[i].fwin, r->keys[i].start_f);
		assert_int_equal(forward_open(&r->hop[i], &w, &o), VX6_OK);
		if (i < to)
			assert_int_equal(
				forward_on(&o, &w, &r->hop[i + 1].link),
				VX6_OK);
	}
	assert_int_equal(o.kind, vec_int(v, "kind"));
	assert_int_equal(o.len, len);
	assert_memory_equal(o.p, plain, len);
}

static void backward_vector(struct rig *r, const json_t *v)
{
	unsigned from = (unsigned)vec_int(v, "from");
	uint8_t plain[VX6_CELL_MAX], want[VX6_CELL_MAX];
	size_t len = vec_bytes(v, "plain", plain, sizeof(plain)), n;
	struct wire w = { r->frame + FRONT, 0 };
	struct vx6_leg_open back = { 0 };

	memcpy(w.p + 16, plain, len);
	for (unsigned i = from + 1; i-- > 0;) {
		uint8_t copy[VX6_CELL_MAX];

		r->hop[i].ctr_b = r->keys[i].start_b + offset_of(v, i);
		vx6_window_init(&r->leg.hop[i].back, r->keys[i].start_b);
		if (i == from) {
			originate(&r->hop[i], (enum vx6_kind)vec_int(v, "kind"),
				  &w, len);
		} else {
			vx6_window_init(&r->hop[i].bwin,
					r->keys[i + 1].start_b);
			assert_int_equal(
				backward(&r->hop[i], &r->hop[i + 1].link, &w),
				VX6_OK);
		}
		memcpy(copy, w.p, w.size);
		vx6_cell_unprotect(&r->hop[i].link, copy);
		n = step_of(v, from - i, want);
		assert_int_equal(w.size, 8 + n);
		assert_memory_equal(copy + 8, want, n);
	}
	assert_int_equal(origin_gets(r, &w, &back), VX6_OK);
	assert_int_equal(back.from, from);
	assert_int_equal(back.kind, vec_int(v, "kind"));
	assert_int_equal(back.len, len);
	assert_memory_equal(back.plain, plain, len);
}

static void second_implementation_agrees(void **state)
{
	static struct rig r;
	json_t *root = vec_load("layer");
	const json_t *leg, *v;
	size_t i, j;

	(void)state;
	json_array_foreach(vec_list(root, "leg"), i, leg)
	{
		load_hops(vec_list(leg, "hops"), &r);
		json_array_foreach(vec_list(leg, "forward"), j, v)
			forward_vector(&r, v);
		json_array_foreach(vec_list(leg, "backward"), j, v)
			backward_vector(&r, v);
	}
	json_decref(root);
}

/* Splice at X, the last hop of both: what opens on a is sealed on b. */
static void splice(struct rig *a, struct rig *b, struct wire *w)
{
	unsigned last_a = a->leg.n - 1, last_b = b->leg.n - 1;
	struct opened o = { 0 };

	assert_int_equal(goes_there(a, last_a, w, &o), VX6_OK);
	assert_int_equal(o.kind, VX6_KIND_DATA);
	vx6_layer_seal(&b->hop[last_b].bwd, b->hop[last_b].ctr_b++,
		       VX6_KIND_DATA, o.p - 8, o.len);
	w->p = o.p - 16;
	send_on(w, (uint16_t)(o.len + 16), &b->hop[last_b].link);
	for (unsigned i = last_b; i-- > 0;)
		assert_int_equal(backward(&b->hop[i], &b->hop[i + 1].link, w),
				 VX6_OK);
}

static void splice_vector(const json_t *v)
{
	static struct rig a, b;
	const json_t *e = json_object_get(v, "e2e");
	const json_t *fwd = json_object_get(v, "forward");
	const json_t *back = json_object_get(v, "backward");
	uint8_t key[32], iv[16], chan[VX6_CELL_MAX], p[VX6_CELL_MAX];
	size_t n = vec_bytes(v, "channel", chan, sizeof(chan)), len;
	struct vx6_layer e2e;
	struct vx6_leg_open got = { 0 };
	struct wire w = { 0 };

	load_hops(vec_list(v, "a"), &a);
	load_hops(vec_list(v, "b"), &b);
	vec_exact(e, "key", key, 32);
	vec_exact(e, "iv", iv, 16);
	assert_int_equal(
		vx6_layer_init(&e2e, (unsigned)vec_int(e, "suite"), key, iv),
		VX6_OK);
	memcpy(p + 8, chan, n);
	vx6_layer_seal(&e2e, vec_int(e, "counter"), VX6_KIND_DATA, p, n);
	for (unsigned i = 0; i < a.leg.n; i++)
		a.leg.hop[i].sealed = offset_of(fwd, i);
	for (unsigned i = 0; i < b.leg.n; i++)
		b.hop[i].ctr_b += offset_of(back, i);
	assert_int_equal(origin_sends(&a, a.leg.n - 1, VX6_KIND_DATA, p,
				      n + VX6_LAYER_LEN, &w),
			 VX6_OK);
	splice(&a, &b, &w);

	uint8_t copy[VX6_CELL_MAX], want[VX6_CELL_MAX];

	memcpy(copy, w.p, w.size);
	vx6_cell_unprotect(&b.hop[0].link, copy);
	len = step_of(back, b.leg.n - 1, want);
	assert_int_equal(w.size, 8 + len);
	assert_memory_equal(copy + 8, want, len);
	assert_int_equal(origin_gets(&b, &w, &got), VX6_OK);
	assert_memory_equal(got.plain, p, got.len);
	assert_int_equal(vx6_layer_open(&e2e, got.plain, got.len, &len),
			 VX6_OK);
	assert_int_equal(len, n);
	assert_memory_equal(got.plain + 8, chan, n);
}

static void spliced_vectors(void **state)
{
	json_t *root = vec_load("layer");
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_list(root, "splice"), i, v) splice_vector(v);
	json_decref(root);
}

/* ---- bits ---- */

static void flip(uint8_t *p, size_t bit)
{
	p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static const uint8_t some[] = "seventy bytes that a relay carries, and that "
			      "nobody may change ......";

/* Forward, before hop `at`: that hop refuses, and remembers nothing. */
static void forward_bits(unsigned n, unsigned at)
{
	static struct rig r;
	static struct hop before;
	uint8_t frame[FRAME];
	struct opened o = { 0 };
	struct wire w = { 0 }, bad;

	rig_init(&r, n, at);
	assert_int_equal(
		origin_sends(&r, n - 1, VX6_KIND_DATA, some, sizeof(some), &w),
		VX6_OK);
	for (unsigned i = 0; i < at; i++) {
		assert_int_equal(forward_open(&r.hop[i], &w, &o), VX6_OK);
		assert_int_equal(forward_on(&o, &w, &r.hop[i + 1].link),
				 VX6_OK);
	}
	memcpy(frame, r.frame, sizeof(frame));
	before = r.hop[at];
	for (size_t bit = 0; bit < w.size * 8; bit++) {
		memcpy(r.frame, frame, sizeof(frame));
		bad = w;
		flip(bad.p, bit);
		enum vx6_status st = forward_open(&r.hop[at], &bad, &o);
		enum vx6_status want = bit < 8     ? VX6_BAD_VERSION
				       : bit < 32  ? VX6_NO_LINK
				       : bit < 160 ? st
						   : VX6_BAD_TAG;

		if (st == VX6_OK || st != want)
			fail_msg("hop %u of %u, bit %zu: %s", at, n, bit,
				 vx6_status_name(st));
		assert_memory_equal(&before, &r.hop[at], sizeof(before));
	}
	memcpy(r.frame, frame, sizeof(frame));
	assert_int_equal(forward_open(&r.hop[at], &w, &o), VX6_OK);
}

static void forward_each_bit_is_refused_at_the_next_hop(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 8; n++)
		for (unsigned at = 0; at < n; at++)
			if (n <= 4 || at == n - 1 || at == n / 2)
				forward_bits(n, at);
}

/* Backward, on the link that hop `at` sends on.  The header's block dies
 * with the next relay, everything else at the origin. */
static void backward_bits(unsigned n, unsigned at)
{
	static struct rig clean, r;
	struct vx6_leg_open back = { 0 };
	struct wire w0 = { 0 }, w;

	rig_init(&clean, n, at);
	w0.p = clean.frame + FRONT;
	memcpy(w0.p + 16, some, sizeof(some));
	originate(&clean.hop[n - 1], VX6_KIND_DATA, &w0, sizeof(some));
	for (unsigned i = n - 1; i-- > at;)
		assert_int_equal(
			backward(&clean.hop[i], &clean.hop[i + 1].link, &w0),
			VX6_OK);
	for (size_t bit = 32; bit < w0.size * 8; bit++) {
		enum vx6_status st = VX6_OK;

		r = clean;
		w = (struct wire){ r.frame + (w0.p - clean.frame), w0.size };
		flip(w.p, bit);
		for (unsigned i = at; st == VX6_OK && i-- > 0;)
			st = backward(&r.hop[i], &r.hop[i + 1].link, &w);
		if (bit >= 160 || at == 0) {
			assert_int_equal(st, VX6_OK);
			st = origin_gets(&r, &w, &back);
		}
		if (st == VX6_OK || (bit >= 160 && st != VX6_BAD_TAG))
			fail_msg("from hop %u of %u, bit %zu: %s", at, n, bit,
				 vx6_status_name(st));
		/* authentic layers moved their windows, the others not */
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(r.leg.hop[i].back.head.next,
					 bit >= 160 && i < at ? 1 : 0);
	}
}

static void backward_each_bit_is_refused_at_the_origin(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 8; n++)
		for (unsigned at = 0; at < n; at++)
			if (n <= 3 || at == n - 1 || at == n / 2)
				backward_bits(n, at);
}

/* A relay that changes what it carries, under its own good header. */
static void a_lying_relay_is_caught_at_the_origin(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	struct wire w = { 0 };

	(void)state;
	for (size_t bit = 0; bit < (8 + sizeof(some) + 16) * 8; bit++) {
		struct vx6_cell c;

		rig_init(&r, 2, 1);
		w.p = r.frame + FRONT;
		memcpy(w.p + 16, some, sizeof(some));
		originate(&r.hop[1], VX6_KIND_DATA, &w, sizeof(some));
		assert_int_equal(arrive(&w, &r.hop[1].link, &c), VX6_OK);
		flip(w.p + 8, bit); /* H8 and C, as hop 0 would pass them */
		vx6_layer_seal(&r.hop[0].bwd, r.hop[0].ctr_b++, VX6_KIND_DATA,
			       w.p, 8 + (size_t)c.len);
		w.p -= 8;
		send_on(&w, (uint16_t)(c.len + 24), &r.hop[0].link);
		assert_int_not_equal(origin_gets(&r, &w, &back), VX6_OK);
		assert_int_equal(r.leg.hop[0].back.head.next, 1);
		assert_int_equal(r.leg.hop[1].back.head.next, 0);
	}
}

/* ---- counters ---- */

static void replays_are_refused(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	struct opened o = { 0 };
	struct wire w = { 0 }, again;
	uint8_t copy[FRAME];

	(void)state;
	rig_init(&r, 3, 0);
	assert_int_equal(origin_sends(&r, 2, VX6_KIND_DATA, some, 10, &w),
			 VX6_OK);
	memcpy(copy, r.frame, FRAME);
	again = w;
	assert_int_equal(forward_open(&r.hop[0], &w, &o), VX6_OK);
	memcpy(r.frame, copy, FRAME);
	assert_int_equal(forward_open(&r.hop[0], &again, &o), VX6_REPLAYED);

	comes_back(&r, 2, VX6_KIND_DATA, some, 10, &w);
	memcpy(copy, r.frame, FRAME);
	again = w;
	assert_int_equal(origin_gets(&r, &w, &back), VX6_OK);
	memcpy(r.frame, copy, FRAME);
	assert_int_equal(origin_gets(&r, &again, &back), VX6_REPLAYED);
}

/* Hop 0 sends hop 1's old bytes again under a new counter of its own. */
static void a_replay_inside_a_fresh_layer(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	uint8_t old[256];
	struct vx6_cell c;
	struct wire w = { 0 };

	(void)state;
	rig_init(&r, 2, 0);
	w.p = r.frame + FRONT;
	memcpy(w.p + 16, some, 10);
	originate(&r.hop[1], VX6_KIND_DATA, &w, 10);
	assert_int_equal(arrive(&w, &r.hop[1].link, &c), VX6_OK);
	memcpy(old, w.p, w.size);
	for (unsigned i = 0; i < 2; i++) {
		w = (struct wire){ r.frame + FRONT, 0 };
		memcpy(w.p + 8, old + 8, 8 + (size_t)c.len);
		vx6_layer_seal(&r.hop[0].bwd, r.hop[0].ctr_b++, VX6_KIND_DATA,
			       w.p, 8 + (size_t)c.len);
		w.p -= 8;
		send_on(&w, (uint16_t)(c.len + 24), &r.hop[0].link);
		assert_int_equal(origin_gets(&r, &w, &back),
				 i == 0 ? VX6_OK : VX6_REPLAYED);
	}
	assert_int_equal(r.leg.hop[0].back.head.next, 2);
	assert_int_equal(r.leg.hop[1].back.head.next, 1);
}

static void counters_outside_their_range(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	struct wire w = { 0 };

	(void)state;
	rig_init(&r, 2, 0);
	r.hop[0].ctr_b = r.keys[0].start_b + VX6_CTR_SPAN;
	comes_back(&r, 1, VX6_KIND_DATA, some, 10, &w);
	assert_int_equal(origin_gets(&r, &w, &back), VX6_OUT_OF_RANGE);
	r.hop[0].ctr_b = r.keys[0].start_b - 1;
	comes_back(&r, 1, VX6_KIND_DATA, some, 10, &w);
	assert_int_equal(origin_gets(&r, &w, &back), VX6_OUT_OF_RANGE);
	r.hop[0].ctr_b = r.keys[0].start_b + VX6_CTR_SPAN - 1;
	comes_back(&r, 1, VX6_KIND_DATA, some, 10, &w);
	assert_int_equal(origin_gets(&r, &w, &back), VX6_OK);

	/* at a relay, by the start that the neighbour told */
	r.hop[1].ctr_b = r.keys[1].start_b + VX6_CTR_SPAN;
	w.p = r.frame + FRONT;
	originate(&r.hop[1], VX6_KIND_DATA, &w, 10);
	assert_int_equal(backward(&r.hop[0], &r.hop[1].link, &w),
			 VX6_OUT_OF_RANGE);
}

static void counters_go_up_by_one_and_end(void **state)
{
	static struct rig r;
	static struct vx6_leg before;
	uint8_t buf[FRAME], *cell;
	uint16_t len;

	(void)state;
	rig_init(&r, 3, 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(vx6_leg_seal(&r.leg, i % 3, VX6_KIND_CONTROL,
					      buf, 4, &cell, &len),
				 VX6_OK);
		assert_int_equal(vx6_h8_ctr(cell + 8), r.keys[0].start_f + i);
	}
	assert_int_equal(r.leg.hop[0].sealed, 5);
	assert_int_equal(r.leg.hop[1].sealed, 3);
	assert_int_equal(r.leg.hop[2].sealed, 1);

	for (unsigned i = 0; i < 3; i++) {
		rig_init(&r, 3, 0);
		r.leg.hop[i].sealed = VX6_CTR_SPAN - 1;
		assert_int_equal(vx6_leg_seal(&r.leg, 2, VX6_KIND_DATA, buf, 4,
					      &cell, &len),
				 VX6_OK);
		before = r.leg;
		assert_int_equal(vx6_leg_seal(&r.leg, 2, VX6_KIND_DATA, buf, 4,
					      &cell, &len),
				 VX6_EXHAUSTED);
		assert_memory_equal(&before, &r.leg, sizeof(before));
	}
}

static void rebuild_is_due_at_three_quarters(void **state)
{
	static struct rig r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		rig_init(&r, 3, 0);
		assert_false(vx6_leg_rebuild_due(&r.leg));
		r.leg.hop[i].sealed = VX6_CTR_SPAN / 4 * 3 - 1;
		assert_false(vx6_leg_rebuild_due(&r.leg));
		r.leg.hop[i].sealed++;
		assert_true(vx6_leg_rebuild_due(&r.leg));
		r.leg.hop[i].sealed = 0;
		assert_int_equal(
			vx6_window_record(&r.leg.hop[i].back,
					  r.keys[i].start_b +
						  VX6_CTR_SPAN / 4 * 3 - 1),
			VX6_OK);
		assert_true(vx6_leg_rebuild_due(&r.leg));
	}
}

/* ---- sizes and shapes ---- */

/* Section 5: D = U - 10 - 24 n for a circuit to an end, whose channel
 * plaintext is 2 + D bytes; the table's rows. */
static void room_is_that_of_section_5(void **state)
{
	static const struct {
		size_t u;
		unsigned n;
		size_t d;
	} row[] = {
		{ 1452, 2, 1394 },
                { 1452, 4, 1346 },
                { 1452, 6, 1298 },
		{ 1452, 8, 1250 },
                { 1472, 2, 1414 },
                { 1472, 8, 1270 },
		{ 1232, 2, 1174 },
                { 1232, 8, 1030 },
                { 1372, 8, 1170 },
	};
	static struct rig r;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		rig_init(&r, row[i].n, 0);
		assert_int_equal(vx6_leg_room(&r.leg, row[i].n - 1, row[i].u),
				 2 + row[i].d);
	}
	rig_init(&r, 2, 0);
	assert_int_equal(vx6_leg_room(&r.leg, 2, 1472), 0);
	assert_int_equal(vx6_leg_room(&r.leg, 0, 32), 0);
	assert_int_equal(vx6_leg_room(&r.leg, 0, 33), 1);
	assert_int_equal(vx6_leg_room(&r.leg, 1, 56), 0);
	assert_int_equal(vx6_leg_room(&r.leg, 0, 9000), 1440);
}

static void too_large_or_nobody_there(void **state)
{
	static struct rig r;
	static struct vx6_leg before;
	static uint8_t buf[FRAME];
	uint8_t *cell;
	uint16_t len;

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		rig_init(&r, n, 0);
		size_t room = vx6_leg_room(&r.leg, n - 1, VX6_CELL_MAX);

		before = r.leg;
		assert_int_equal(vx6_leg_seal(&r.leg, n - 1, VX6_KIND_DATA, buf,
					      room + 1, &cell, &len),
				 VX6_BAD_SIZE);
		assert_int_equal(vx6_leg_seal(&r.leg, n, VX6_KIND_DATA, buf, 0,
					      &cell, &len),
				 VX6_BAD_SIZE);
		assert_memory_equal(&before, &r.leg, sizeof(before));
		assert_int_equal(vx6_leg_seal(&r.leg, n - 1, VX6_KIND_DATA, buf,
					      room, &cell, &len),
				 VX6_OK);
		assert_int_equal(len, VX6_LEN_MAX);
		assert_ptr_equal(cell, buf + VX6_LEG_FRONT - 8 * n - 8);
	}
}

/* Layers that are authentic and yet not what section 3 describes. */
static void a_hop_that_says_nonsense(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	struct wire w = { 0 };

	(void)state;
	for (unsigned len = 0; len < 40; len++) {
		rig_init(&r, 2, 0);
		w.p = r.frame + FRONT;
		memset(w.p + 16, 0, 64);
		originate(&r.hop[0], VX6_KIND_DATA, &w, len);
		assert_int_equal(origin_gets(&r, &w, &back), VX6_BAD_SIZE);
	}
	for (unsigned kind = 0; kind < 16; kind++) {
		uint8_t *p = r.frame + FRONT;

		rig_init(&r, 1, 0);
		vx6_layer_seal(&r.hop[0].bwd, r.keys[0].start_b,
			       (enum vx6_kind)kind, p + 8, 5);
		assert_int_equal(vx6_leg_open(&r.leg, p, 16 + 5 + 16, &back),
				 kind >= 1 && kind <= 3 ? VX6_OK
							: VX6_BAD_KIND);
	}
	for (size_t size = 0; size < 37; size++)
		assert_int_equal(vx6_leg_open(&r.leg, r.frame, size, &back),
				 size < 32 ? VX6_BAD_SIZE : VX6_OUT_OF_RANGE);
}

/* A constant-size circuit: what is behind C is never read. */
static void the_pad_does_not_matter(void **state)
{
	static struct rig r;
	struct vx6_leg_open back = { 0 };
	struct vx6_cell c = { 0 };
	struct wire w = { 0 };

	(void)state;
	rig_init(&r, 4, 0);
	comes_back(&r, 3, VX6_KIND_DATA, some, sizeof(some), &w);
	vx6_rand_fill(&rnd, w.p + w.size, 1232 - w.size);
	vx6_cell_unprotect(&r.hop[0].link, w.p);
	assert_int_equal(vx6_cell_parse(&c, w.p, 1232), VX6_OK);
	assert_true(vx6_cell_fits(1232, 1232, c.len));
	assert_int_equal(vx6_leg_open(&r.leg, w.p, 1232, &back), VX6_OK);
	assert_int_equal(back.len, sizeof(some));
	assert_memory_equal(back.plain, some, sizeof(some));
}

static void legs_that_cannot_be(void **state)
{
	static struct rig r;

	(void)state;
	rig_init(&r, 3, 0);
	assert_int_equal(vx6_leg_init(&r.leg, r.keys, r.status, 0),
			 VX6_MALFORMED);
	assert_int_equal(vx6_leg_init(&r.leg, r.keys, r.status, 9),
			 VX6_MALFORMED);
	r.status[1].suite = VX6_SUITE_AEGIS128L + 1;
	assert_int_equal(vx6_leg_init(&r.leg, r.keys, r.status, 3),
			 VX6_UNSUPPORTED);
	assert_true(sodium_is_zero((const uint8_t *)&r.leg, sizeof(r.leg)));
	rig_init(&r, 3, 0);
	vx6_leg_wipe(&r.leg);
	assert_true(sodium_is_zero((const uint8_t *)&r.leg, sizeof(r.leg)));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(one_to_eight_hops),
		cmocka_unit_test(any_hop_can_be_spoken_with),
		cmocka_unit_test(second_implementation_agrees),
		cmocka_unit_test(spliced_vectors),
		cmocka_unit_test(forward_each_bit_is_refused_at_the_next_hop),
		cmocka_unit_test(backward_each_bit_is_refused_at_the_origin),
		cmocka_unit_test(a_lying_relay_is_caught_at_the_origin),
		cmocka_unit_test(replays_are_refused),
		cmocka_unit_test(a_replay_inside_a_fresh_layer),
		cmocka_unit_test(counters_outside_their_range),
		cmocka_unit_test(counters_go_up_by_one_and_end),
		cmocka_unit_test(rebuild_is_due_at_three_quarters),
		cmocka_unit_test(room_is_that_of_section_5),
		cmocka_unit_test(too_large_or_nobody_there),
		cmocka_unit_test(a_hop_that_says_nonsense),
		cmocka_unit_test(the_pad_does_not_matter),
		cmocka_unit_test(legs_that_cannot_be),
	};

	return cmocka_run_group_tests_name("leg", test, start, NULL);
}
