/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "benchmarks/dp.h"

#define OUT_ID 7u /* the next hop's ids begin there */

void dp_fail(const char *what)
{
	fprintf(stderr, "bench_dataplane: %s\n", what);
	exit(1);
}

void dp_need(bool ok, const char *what)
{
	if (!ok)
		dp_fail(what);
}

double dp_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- circuits ---- */

static uint32_t link_in(uint32_t i)
{
	return 1 + i % DP_LINKS;
}

static uint32_t link_out(uint32_t i)
{
	return 1 + DP_LINKS + i / DP_LINKS % DP_LINKS;
}

struct abi_half dp_half_of(const struct dp_case *c, uint32_t i)
{
	static const unsigned kind[] = {
		[DP_FORWARD] = ABI_HALF_FORWARD,
		[DP_BACKWARD] = ABI_HALF_BACKWARD,
		[DP_SPLICE] = ABI_HALF_FORWARD,
		[DP_LOCAL] = ABI_HALF_LOCAL,
	};
	bool on = c->role == DP_FORWARD || c->role == DP_BACKWARD;
	struct abi_half h = dp_half(kind[c->role], i + 1, link_in(i),
				    on ? link_out(i) : 0, on ? i + OUT_ID : 0);

	h.suite = (uint8_t)c->suite;
	return h;
}

struct abi_half dp_leg_of(const struct dp_case *c, uint32_t i)
{
	struct abi_half h = dp_half(ABI_HALF_BACKWARD, c->circuits + 1 + i, 0,
				    link_out(i), i + OUT_ID);

	h.suite = (uint8_t)c->suite;
	return h;
}

static void add_circuits(struct dp_rig *rig)
{
	struct relay *r = rig->node.relay;
	uint64_t now = rig->node.now;

	for (uint32_t i = 0; i < rig->c.circuits; i++) {
		struct abi_half h = dp_half_of(&rig->c, i), leg;

		dp_need(relay_half_add(r, &h, now) == VX6_OK,
			"half-circuit refused");
		if (rig->c.role != DP_SPLICE)
			continue;
		leg = dp_leg_of(&rig->c, i);
		dp_need(relay_half_add(r, &leg, now) == VX6_OK &&
				relay_splice(r, h.id, leg.id) == VX6_OK,
			"splice refused");
	}
}

static void add_links(struct dp_rig *rig)
{
	static const uint8_t src[6] = { 2, 0, 0, 0, 0, 1 };
	const struct vx6_addr self = dp_peer(0);

	for (uint32_t i = 1; i <= 2 * DP_LINKS; i++) {
		struct abi_link l = dp_link(i);

		dp_need(relay_link_add(rig->node.relay, &l, rig->node.now) ==
				VX6_OK,
			"link refused");
		packet_head_make(&rig->head[i], src, src, &self, &l.peer);
		if (i <= DP_LINKS)
			vx6_aes_init(&rig->in[i], l.keys.hdr_rx, 16);
	}
}

static void shuffle(struct dp_rig *rig)
{
	for (unsigned i = DP_FRAMES - 1; i > 0; i--) {
		unsigned j = vx6_rand_below(&rig->rnd, i + 1);
		struct net_frame *f = rig->order[i];
		uint32_t c = rig->circuit[i];

		rig->order[i] = rig->order[j];
		rig->order[j] = f;
		j = vx6_rand_below(&rig->rnd, i + 1);
		rig->circuit[i] = rig->circuit[j];
		rig->circuit[j] = c;
	}
}

void dp_rig_open(struct dp_rig *rig, const struct dp_case *c)
{
	static const uint8_t seed[32] = DP_SEED;
	const struct relay_opts ro = {
		.halves_max = c->role == DP_SPLICE ? 2 * c->circuits + 1
						   : c->circuits + 1,
	};
	const struct port_opts po = { .frames = 2 * DP_FRAMES };
	struct dp_node *n = &rig->node;

	dp_need(c->circuits > 0, "a case without circuits");
	rig->c = *c;
	dp_need(dp_node_open(n, &ro), "no memory");
	/* as the daemon has its tables */
	(void)madvise(n->mem, n->mem_len, MADV_HUGEPAGE);
	vx6_rand_seed(&rig->rnd, seed);
	port_close(n->port);
	dp_need(port_open_mem(&n->port, &po) == VX6_OK, "no memory for frames");
	add_links(rig);
	add_circuits(rig);
	rig->sealed = calloc(c->circuits, sizeof(*rig->sealed));
	rig->stage = aligned_alloc(NET_FRAME_LEN,
				   (size_t)DP_FRAMES * NET_FRAME_LEN);
	dp_need(rig->sealed != NULL && rig->stage != NULL, "no memory");
	for (unsigned i = 0; i < DP_FRAMES; i++) {
		rig->order[i] = port_take(n->port);
		rig->circuit[i] = i % c->circuits;
	}
	shuffle(rig);
}

void dp_rig_close(struct dp_rig *rig)
{
	free(rig->sealed);
	free(rig->stage);
	dp_node_close(&rig->node);
}

/* ---- cells ---- */

/* Makes cell i anew, apart from its frame. */
static void make(struct dp_rig *rig, unsigned i)
{
	uint32_t c = rig->circuit[i];
	struct abi_half h = dp_half_of(&rig->c, c);
	uint64_t ctr = h.start_rx + rig->sealed[c]++;
	uint8_t *p = rig->stage + (size_t)i * NET_FRAME_LEN;
	size_t text = rig->c.size - VX6_CELL_HDR, plain = text - VX6_LEN_MIN;

	memset(p + VX6_CELL_HDR, (int)c, text);
	if (h.kind == ABI_HALF_FORWARD) {
		struct vx6_layer layer = dp_layer(&h);

		/* the next hop's header, or the ends' own */
		vx6_h8_put(p + VX6_CELL_HDR, ctr, VX6_KIND_DATA, plain - 8);
		vx6_layer_seal(&layer, ctr, VX6_KIND_DATA, p + 8, plain);
	} else {
		vx6_h8_put(p + 8, ctr, VX6_KIND_DATA, text);
	}
	vx6_cell_put(p, h.in_link, h.id);
	vx6_cell_protect(&rig->in[h.in_link], p);
}

void dp_rig_fill(struct dp_rig *rig)
{
	for (unsigned i = 0; i < DP_FRAMES && rig->c.circuits > DP_FRAMES; i++)
		rig->circuit[i] = vx6_rand_below(&rig->rnd, rig->c.circuits);
	for (unsigned i = 0; i < DP_FRAMES; i++)
		make(rig, i);
	for (unsigned i = 0; i < DP_FRAMES; i++) {
		struct net_frame *f = rig->order[i];

		f->data = rig->node.port->mem +
			  (size_t)f->index * NET_FRAME_LEN + NET_FRAME_FRONT;
		f->len = (uint16_t)rig->c.size;
		f->peer = dp_peer(link_in(rig->circuit[i]));
		memcpy(f->data, rig->stage + (size_t)i * NET_FRAME_LEN,
		       rig->c.size);
	}
}

static bool all_are(const uint8_t *p, size_t len, uint32_t c)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (uint8_t)c)
			return false;
	return true;
}

/* Sealed for the next hop under h: what is inside must be what came. */
static bool opens(const struct abi_half *h, struct net_frame *f, uint32_t c)
{
	struct vx6_layer layer = dp_layer(h);
	size_t plain;

	return vx6_layer_open(&layer, f->data + 8, f->len - 8u, &plain) ==
		       VX6_OK &&
	       all_are(f->data + VX6_CELL_HDR + 8, plain - 8, c);
}

/* Opens what was sent; true where it is what must come out. */
static bool right(const struct dp_rig *rig, struct net_frame *f)
{
	size_t size = rig->c.size;
	struct abi_half h;
	struct vx6_cell c;
	uint32_t i;

	if (rig->c.role == DP_LOCAL) {
		i = vx6_get32(f->data + 4) - 1;
		return i < rig->c.circuits && f->len == size &&
		       all_are(f->data + VX6_CELL_HDR, size - VX6_CELL_HDR, i);
	}
	if (!dp_sums_up(f->data, f->len) ||
	    !dp_unprotect(f->data, f->len, f->link, &c))
		return false;
	i = c.circ - OUT_ID;
	if (i >= rig->c.circuits || f->link != link_out(i) ||
	    c.len != f->len - VX6_CELL_HDR)
		return false;
	switch (rig->c.role) {
	case DP_FORWARD:
		return f->len == size - VX6_LAYER_LEN &&
		       all_are(f->data + VX6_CELL_HDR, c.len, i);
	case DP_BACKWARD:
		h = dp_half_of(&rig->c, i);
		return f->len == size + VX6_LAYER_LEN && opens(&h, f, i);
	case DP_SPLICE:
		h = dp_leg_of(&rig->c, i);
		return f->len == size && opens(&h, f, i);
	case DP_LOCAL: break;
	}
	return false;
}

/* ---- a pass ---- */

/* What AF_XDP does with each frame before its ring gets it. */
static void packets(const struct dp_rig *rig, const struct relay_out *out)
{
	for (unsigned i = 0; i < out->tx_cnt; i++) {
		const struct net_frame *f = out->tx[i];

		packet_write(&rig->head[f->link], f->data, f->len, f->sum);
	}
}

static void relay_all(struct dp_rig *rig, dp_burst_fn *burst)
{
	struct dp_node *n = &rig->node;
	bool phases = burst == dp_phases_burst;
	struct net_frame *f[RELAY_BURST];
	unsigned cnt;

	while ((cnt = port_rx(n->port, f, RELAY_BURST)) > 0) {
		if (phases)
			dp_phases_mark(DP_PHASE_rx);
		burst(n->relay, f, cnt, n->now, &n->out);
		packets(rig, &n->out);
		port_tx(n->port, n->out.tx, n->out.tx_cnt);
		port_tx(n->port, n->out.up, n->out.up_cnt);
		port_give(n->port, n->out.free, n->out.free_cnt);
		if (phases)
			dp_phases_mark(DP_PHASE_packet);
	}
}

bool dp_rig_relay(struct dp_rig *rig, dp_burst_fn *burst, double *ns)
{
	unsigned seen = 0;
	bool ok = true;

	for (unsigned i = 0; i < DP_FRAMES; i++)
		port_mem_queue(rig->node.port, rig->order[i]);
	if (burst == dp_phases_burst)
		dp_phases_begin();
	*ns = dp_cpu_ns();
	relay_all(rig, burst);
	*ns = dp_cpu_ns() - *ns;
	for (struct net_frame *f; (f = port_mem_get(rig->node.port)) != NULL;)
		if (seen++ % DP_CHECK == 0)
			ok = right(rig, f) && ok;
	return ok && seen == DP_FRAMES;
}

bool dp_rig_pass(struct dp_rig *rig, dp_burst_fn *burst, double *ns)
{
	dp_rig_fill(rig);
	return dp_rig_relay(rig, burst, ns);
}
