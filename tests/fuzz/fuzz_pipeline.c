/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipeline over the mem port against a model that says, before each
 * burst, what must come out of it and in which order.
 *
 *     op u8, then:  0 cell     which u8, offset u16, len u16, fault u8
 *                   1 half     which u8 (its top bit: add, else remove)
 *                   2 splice   u8: even joins, odd parts
 *                   3 inject   which u8, len u8
 *                   4 time     milliseconds u8
 *                   5 burst
 *
 * The neighbours are honest about keys and nothing else: counters come in
 * any order and twice, tags are spoilt, sizes and sources wrong, circuits
 * gone.  The model is a list and a set of counters; it shares the wire
 * room's functions with the relay, and none of the relay's own.
 *
 * After each burst: every frame sent is the one foretold, opened with the
 * next hop's keys; drops are as foretold, reason by reason; control cells
 * and cells for vx6d too; no counter of a sealing half was used twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/dp_kit.h"

#define COUNTERS 65536u

enum { FWD, BWD, FWD_SIZED, BWD_SIZED, TERMINAL, WAY_BACK, LOCAL, HALVES };

static const struct {
	unsigned kind, suite;
	uint32_t in, out;
	uint16_t size_in, size_out;
} sort[HALVES] = {
	[FWD] = { ABI_HALF_FORWARD,  VX6_SUITE_AES256_GCM,        1, 2, 0,    0    },
	[BWD] = { ABI_HALF_BACKWARD, VX6_SUITE_AES256_GCM,        2, 1, 0,    0    },
	[FWD_SIZED] = { ABI_HALF_FORWARD,  VX6_SUITE_CHACHA20_POLY1305, 1, 3,
                 1232,							1452 },
	[BWD_SIZED] = { ABI_HALF_BACKWARD, VX6_SUITE_AEGIS128L,         3, 1, 1452,
                 1232							      },
	[TERMINAL] = { ABI_HALF_FORWARD,  VX6_SUITE_AEGIS128L,         2, 0, 0,    0    },
	[WAY_BACK] = { ABI_HALF_BACKWARD, VX6_SUITE_CHACHA20_POLY1305, 0, 3, 0,
                 0								 },
	[LOCAL] = { ABI_HALF_LOCAL,    0,                           1, 0, 0,    0    },
};

struct half { /* of the model */
	struct abi_half h;
	struct vx6_layer layer;
	bool there;
	uint32_t generation;
	bool seen[COUNTERS];
	uint32_t top;               /* one above the highest seen; */
	uint32_t was;               /* likewise, when the step began, */
	uint32_t fresh[RELAY_STEP]; /* and what it recorded since */
	unsigned fresh_cnt;
	uint64_t sealed;
	uint64_t ctl_ns; /* what its control bucket holds, in time */
	uint64_t ctl_at;
};

struct sent { /* what must come out */
	uint32_t link, circ;
	uint64_t ctr;
	unsigned kind;
	uint16_t size, len;    /* of the datagram; of text */
	const struct half *by; /* who sealed it; NULL: text is C */
	uint8_t text[VX6_CELL_MAX];
};

struct said { /* a control cell that must go up */
	uint32_t id;
	uint16_t len;
	uint8_t text[ABI_CTL_LEN];
};

static struct dp_node node;
static struct half half[HALVES];
static bool spliced;
static struct sent sent[RELAY_BURST];
static struct said said[RELAY_BURST];
static struct dp_up up[RELAY_BURST];
static unsigned sent_cnt, said_cnt, up_cnt, queued;
static uint64_t drops[VX6_STATUS_CNT], dropped_cells;
static uint8_t cell[VX6_CELL_MAX + 1], plain[VX6_CELL_MAX];

/* ---- the model ---- */

static enum vx6_status judged(bool seen, uint32_t top, uint32_t off)
{
	if (seen || (off < top && top - 1 - off >= VX6_WINDOW))
		return VX6_REPLAYED;
	return VX6_OK;
}

static enum vx6_status fresh(const struct half *m, uint32_t off)
{
	return judged(m->seen[off], m->top, off);
}

/* As the step found it: all of its tags are judged before its windows
 * move. */
static enum vx6_status was_fresh(const struct half *m, uint32_t off)
{
	bool seen = m->seen[off];

	for (unsigned i = 0; i < m->fresh_cnt; i++)
		if (m->fresh[i] == off)
			seen = false;
	return judged(seen, m->was, off);
}

static void record(struct half *m, uint32_t off)
{
	m->seen[off] = true;
	m->fresh[m->fresh_cnt++] = off;
	if (off >= m->top)
		m->top = off + 1;
}

static struct sent *will_send(unsigned which)
{
	struct sent *s = &sent[sent_cnt++];

	MUST(sent_cnt <= RELAY_BURST);
	*s = (struct sent){ .link = sort[which].out,
			    .circ = half[which].h.out_id,
			    .size = sort[which].size_out };
	return s;
}

static void will_seal(unsigned which, unsigned kind, const uint8_t *text,
		      size_t len)
{
	struct sent *s = will_send(which);
	struct half *m = &half[which];

	s->by = m;
	s->kind = kind;
	s->ctr = m->h.start_tx + m->sealed++;
	s->len = (uint16_t)len;
	memcpy(s->text, text, len);
}

/* 64 at once, and 32 a second. */
static bool may_speak(struct half *m)
{
	m->ctl_ns += node.now - m->ctl_at;
	if (m->ctl_ns > 64 * (VX6_SEC / 32))
		m->ctl_ns = 64 * (VX6_SEC / 32);
	m->ctl_at = node.now;
	if (m->ctl_ns < VX6_SEC / 32)
		return false;
	m->ctl_ns -= VX6_SEC / 32;
	return true;
}

static void will_say(unsigned which, size_t len)
{
	struct said *s;

	if (!may_speak(&half[which])) {
		drops[VX6_RATE]++;
		return;
	}
	s = &said[said_cnt++];
	s->id = half[which].h.id;
	s->len = (uint16_t)len;
	memcpy(s->text, plain, len);
}

/* ---- cells, and what must become of them ---- */

struct shot {
	unsigned which, kind, fault;
	uint32_t off;
	size_t len; /* of plain, or of C */
};

enum { /* of a cell; other numbers mean none */
       VERSION = 8,
       NO_SUCH_LINK,
       SOURCE,
       SHORT,
       TAG,
       GENERATION,
       OTHER_WAY_IN,
       TOO_LONG
};

static void step_over(void)
{
	for (unsigned i = 0; i < HALVES; i++) {
		half[i].was = half[i].top;
		half[i].fresh_cnt = 0;
	}
}

static void arrive(size_t size, uint32_t from)
{
	struct vx6_addr peer = dp_peer(from);

	MUST(port_mem_put(node.port, cell, size, &peer));
	if (++queued % RELAY_STEP == 0)
		step_over();
}

/* Spoils what concerns no half-circuit; true: the reason is *why. */
static bool spoilt(unsigned fault, size_t *size, uint32_t *from,
		   enum vx6_status *why)
{
	switch (fault) {
	case VERSION:
		cell[0] ^= 2;
		*why = VX6_BAD_VERSION;
		return true;
	case NO_SUCH_LINK:
		vx6_put24(cell + 1, 60);
		*why = VX6_NO_LINK;
		return true;
	case SOURCE:
		*from = 50;
		*why = VX6_BAD_SOURCE;
		return true;
	case SHORT:
		*size = VX6_CELL_MIN - 1;
		*why = VX6_BAD_SIZE;
		return true;
	default: return false;
	}
}

/* Text of one layer: the next layer's header and C, or a message. */
static void fill_plain(struct shot *s)
{
	size_t most = sort[s->which].size_in ? 1232 : VX6_CELL_MAX;
	bool data = s->kind == VX6_KIND_DATA;

	most -= VX6_CELL_HDR + 16;
	for (size_t i = 0; i < most; i++)
		plain[i] = (uint8_t)(i * 7 + s->off);
	if (data) {
		s->len = VX6_LEN_MIN + s->len % (most - 8 - VX6_LEN_MIN + 1);
		vx6_h8_put(plain, s->off * 3, 1 + s->off % 3, s->len);
		s->len += 8;
		return;
	}
	s->len = 3 + s->len % (ABI_CTL_LEN - 2);
	plain[0] = 9;
	vx6_put16(plain + 1, (uint16_t)(s->len - 3));
}

static enum vx6_status onward(struct half *m, const struct shot *s)
{
	bool terminal = s->which == TERMINAL;
	unsigned kind = vx6_h8_kind(plain);
	enum vx6_status st = was_fresh(m, s->off);

	if (st != VX6_OK)
		return st;
	if (s->kind == VX6_KIND_DATA && terminal && !spliced)
		return VX6_NO_ROUTE;
	if (s->fault == TAG)
		return VX6_BAD_TAG;
	st = fresh(m, s->off); /* the first of twins wins */
	if (st != VX6_OK)
		return st;
	record(m, s->off);
	if (s->kind == VX6_KIND_CONTROL) {
		will_say(s->which, s->len);
		return VX6_OK;
	}
	if (s->kind == VX6_KIND_DROP) {
		dropped_cells++;
		return VX6_OK;
	}
	if (terminal) {
		if (kind != VX6_KIND_DATA)
			return VX6_BAD_KIND;
		will_seal(WAY_BACK, VX6_KIND_DATA, plain, s->len);
		return VX6_OK;
	}
	struct sent *t = will_send(s->which);

	t->ctr = vx6_h8_ctr(plain);
	t->kind = kind;
	t->len = (uint16_t)(s->len - 8);
	memcpy(t->text, plain + 8, t->len);
	return VX6_OK;
}

static void shoot_forward(struct half *m, struct shot *s)
{
	struct dp_cell c = { .ctr = m->h.start_rx + s->off,
			     .circ = m->h.id,
			     .size = sort[s->which].size_in };
	uint32_t link = sort[s->which].in, from = link;
	enum vx6_status st;
	size_t size;

	c.kind = (uint8_t)s->kind;
	fill_plain(s);
	if (s->fault == GENERATION)
		c.circ += 1u << ABI_IDX_BITS;
	if (s->fault == OTHER_WAY_IN)
		from = link = 4;
	size = dp_seal(cell, link, &m->layer, &c, plain, s->len);
	if (s->fault == TAG)
		cell[VX6_CELL_HDR + s->len + 15] ^= 1; /* the tag's last */
	if (s->fault == TOO_LONG && size == VX6_CELL_MAX)
		s->fault = 0;
	size += s->fault == TOO_LONG;
	if (!spoilt(s->fault, &size, &from, &st)) {
		if (!m->there || s->fault == GENERATION ||
		    s->fault == OTHER_WAY_IN)
			st = VX6_NO_CIRCUIT;
		else if (s->fault == TOO_LONG)
			st = VX6_BAD_SIZE;
		else
			st = onward(m, s);
	}
	drops[st]++;
	arrive(size, from);
}

/* A cell that is sealed whole, or goes up: its C is anything. */
static enum vx6_status sealed(struct half *m, const struct shot *s,
			      uint64_t ctr)
{
	size_t len = s->len + VX6_LAYER_LEN, most = sort[s->which].size_out;
	enum vx6_status st;
	uint8_t text[VX6_CELL_MAX];

	if (VX6_CELL_HDR + len > (most ? most : VX6_CELL_MAX))
		return VX6_BAD_SIZE;
	st = fresh(m, s->off);
	if (st != VX6_OK)
		return st;
	record(m, s->off);
	vx6_h8_put(text, ctr, s->kind, s->len);
	memcpy(text + 8, plain, s->len);
	will_seal(s->which, VX6_KIND_DATA, text, s->len + 8);
	return VX6_OK;
}

static void will_go_up(const struct half *m, const struct shot *s, uint64_t ctr)
{
	struct dp_up *u = &up[up_cnt++];

	u->link = sort[s->which].in;
	u->len = (uint16_t)(VX6_CELL_HDR + s->len);
	memset(u->data, 0, 4);
	vx6_put32(u->data + 4, m->h.id);
	vx6_h8_put(u->data + 8, ctr, s->kind, s->len);
	memcpy(u->data + VX6_CELL_HDR, plain, s->len);
}

static void shoot_whole(struct half *m, struct shot *s)
{
	struct dp_cell c = { .ctr = m->h.start_rx + s->off,
			     .circ = m->h.id,
			     .size = sort[s->which].size_in };
	uint32_t from = sort[s->which].in;
	size_t size, most = (c.size ? c.size : VX6_CELL_MAX) - VX6_CELL_HDR;
	enum vx6_status st = VX6_OK;

	c.kind = (uint8_t)s->kind;
	s->len = VX6_LEN_MIN + s->len % (most - VX6_LEN_MIN + 1);
	for (size_t i = 0; i < s->len; i++)
		plain[i] = (uint8_t)(i * 5 + s->off);
	size = dp_raw(cell, from, &c, plain, s->len);
	if (!spoilt(s->fault, &size, &from, &st)) {
		if (!m->there)
			st = VX6_NO_CIRCUIT;
		else if (s->which == LOCAL)
			will_go_up(m, s, c.ctr);
		else
			st = sealed(m, s, c.ctr);
	}
	drops[st]++;
	arrive(size, from);
}

/* ---- looking at what came out ---- */

static bool is_probe(const struct vx6_cell *c)
{
	return c->circ == 0 && c->kind == VX6_KIND_PROBE;
}

static void look_at(struct net_frame *f, const struct vx6_cell *c,
		    const struct sent *s)
{
	const uint8_t *text = f->data + VX6_CELL_HDR;
	size_t len = c->len;

	MUST(c->circ == s->circ && c->ctr == s->ctr && c->kind == s->kind);
	MUST(f->len == (s->size ? s->size : VX6_CELL_HDR + c->len));
	if (s->by != NULL) /* what remains at h8 + 8 is the plaintext */
		MUST(vx6_layer_open(&s->by->layer, f->data + 8, f->len - 8u,
				    &len) == VX6_OK);
	MUST(len == s->len && memcmp(text, s->text, len) == 0);
}

static void look_at_all(void)
{
	struct net_frame *f;
	unsigned at = 0;

	while ((f = port_mem_get(node.port)) != NULL) {
		uint32_t link = vx6_get32(f->peer.ip + 12);
		struct vx6_cell c;

		MUST(dp_unprotect(f->data, f->len, link, &c));
		if (!is_probe(&c)) {
			MUST(at < sent_cnt && link == sent[at].link);
			look_at(f, &c, &sent[at++]);
		}
		port_give(node.port, &f, 1);
	}
	MUST(at == sent_cnt);
	sent_cnt = 0;
}

static void hear_all(void)
{
	const struct abi_msg *m;
	unsigned at = 0;

	while ((m = relay_event(node.relay)) != NULL) {
		if (m->type == ABI_CONTROL) {
			MUST(at < said_cnt && m->u.control.id == said[at].id);
			MUST(m->u.control.len == said[at].len);
			MUST(memcmp(m->u.control.body, said[at].text,
				    said[at].len) == 0);
			at++;
		}
		relay_event_done(node.relay);
	}
	MUST(at == said_cnt);
	said_cnt = 0;
}

static void check_up(void)
{
	MUST(node.up_cnt == up_cnt);
	for (unsigned i = 0; i < up_cnt; i++) {
		MUST(node.up[i].link == up[i].link &&
		     node.up[i].len == up[i].len);
		MUST(memcmp(node.up[i].data + 4, up[i].data + 4,
			    up[i].len - 4u) == 0);
	}
	node.up_cnt = up_cnt = 0;
}

static void burst(void)
{
	unsigned cnt;

	MUST(dp_step(&node, &cnt));
	queued = 0;
	step_over();
	look_at_all();
	hear_all();
	check_up();
	for (unsigned st = 1; st < VX6_STATUS_CNT; st++)
		MUST(node.relay->n.drop[st] == drops[st]);
	MUST(node.relay->drop_cells == dropped_cells);
	MUST(dp_balanced(&node));
}

/* ---- operations ---- */

static void op_cell(struct fuzz_input *in)
{
	uint32_t which = (uint32_t)fuzz_take(in, 1);
	struct shot s = { .which = which % HALVES };
	struct half *m = &half[s.which];

	s.off = (uint32_t)fuzz_take(in, 2);
	s.len = fuzz_take(in, 2);
	s.fault = fuzz_take(in, 1) % 16;
	s.kind = 1 + (which / HALVES % 6 > 3 ? which % 3 : 0);
	if (s.which == WAY_BACK) /* nothing comes in there */
		return;
	if (sort[s.which].kind == ABI_HALF_FORWARD)
		shoot_forward(m, &s);
	else
		shoot_whole(m, &s);
	if (queued == RELAY_BURST)
		burst();
}

static void add(unsigned which)
{
	struct half *m = &half[which];
	uint32_t id = (m->generation + 1) << ABI_IDX_BITS | (which + 1);
	bool there = m->there;
	struct abi_half h = dp_half(sort[which].kind, id, sort[which].in,
				    sort[which].out,
				    sort[which].out ? 0x700u + which : 0);

	h.cell_size_in = sort[which].size_in;
	h.cell_size_out = sort[which].size_out;
	if (h.kind != ABI_HALF_LOCAL && sort[which].suite != h.suite &&
	    vx6_suite_offers(sort[which].suite))
		h.suite = (uint8_t)sort[which].suite;
	MUST(relay_half_add(node.relay, &h, node.now) ==
	     (there ? VX6_EXISTS : VX6_OK));
	if (there)
		return;
	uint32_t generation = m->generation + 1;

	memset(m, 0, sizeof(*m));
	m->h = h;
	m->there = true;
	m->generation = generation % 4095;
	m->ctl_ns = VX6_NEVER / 2;
	m->ctl_at = node.now;
	if (h.kind != ABI_HALF_LOCAL)
		m->layer = dp_layer(&h);
}

static void op_half(struct fuzz_input *in)
{
	uint32_t b = (uint32_t)fuzz_take(in, 1);
	unsigned which = b % HALVES;
	struct half *m = &half[which];

	burst();
	if (b & 0x80) {
		add(which);
		return;
	}
	MUST(relay_half_remove(node.relay, m->h.id) ==
	     (m->there ? VX6_OK : VX6_NO_CIRCUIT));
	m->there = false;
	if (which == TERMINAL || which == WAY_BACK)
		spliced = false;
}

static void op_splice(struct fuzz_input *in)
{
	bool both = half[TERMINAL].there && half[WAY_BACK].there;
	uint32_t id = half[TERMINAL].h.id;

	burst();
	if (fuzz_take(in, 1) & 1) {
		MUST(relay_unsplice(node.relay, id) ==
		     (!half[TERMINAL].there ? VX6_NO_CIRCUIT
		      : spliced             ? VX6_OK
					    : VX6_NOT_FOUND));
		spliced = false;
		return;
	}
	MUST(relay_splice(node.relay, id, half[WAY_BACK].h.id) ==
	     (!both     ? VX6_NO_CIRCUIT
	      : spliced ? VX6_EXISTS
			: VX6_OK));
	spliced = both;
}

static void op_inject(struct fuzz_input *in)
{
	unsigned which = (unsigned)fuzz_take(in, 1) % HALVES, spares;
	struct half *m = &half[which];
	bool can = m->there && sort[which].kind == ABI_HALF_BACKWARD;
	struct abi_control c = { .id = m->h.id };

	c.len = (uint16_t)(1 + fuzz_take(in, 1));
	memset(c.body, (int)which + 1, c.len);
	burst();
	dp_spares(&node);
	spares = node.relay->spare_cnt;
	MUST(relay_inject(node.relay, &c, node.now, &node.out) ==
	     (can ? VX6_OK : VX6_NO_CIRCUIT));
	if (!can)
		return;
	MUST(dp_finish(&node, 0, spares));
	will_seal(which, VX6_KIND_CONTROL, c.body, c.len);
	look_at_all();
}

static void op_time(struct fuzz_input *in)
{
	unsigned cnt;

	burst();
	if (node.now < 1002 * VX6_SEC) /* links nobody answers on still live */
		node.now += fuzz_take(in, 1) * VX6_MS;
	while (relay_due(node.relay) <= node.now)
		MUST(dp_tick(&node, &cnt));
	look_at_all();
}

static void begin(void)
{
	const struct relay_opts ro = { .links_max = 8, .halves_max = 16 };

	memset(half, 0, sizeof(half));
	memset(drops, 0, sizeof(drops));
	sent_cnt = said_cnt = up_cnt = queued = 0;
	dropped_cells = 0;
	spliced = false;
	MUST(dp_node_open(&node, &ro));
	MUST(dp_links(&node, 4));
	for (unsigned i = 0; i < HALVES; i++)
		add(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, len };

	begin();
	while (in.len > 0) {
		switch (fuzz_take(&in, 1) % 12) {
		case 1: op_half(&in); break;
		case 2: op_splice(&in); break;
		case 3: op_inject(&in); break;
		case 4: op_time(&in); break;
		case 5: burst(); break;
		default: op_cell(&in); break;
		}
	}
	burst();
	dp_node_close(&node);
	return 0;
}
