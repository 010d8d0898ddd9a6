/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_wire: what a relay does to a cell, against the cipher alone.
 *
 *     bench_wire [-q | -a]     -q: only the two figures that are asked for
 *                              -a: only what layers cost alone
 *
 * 8,192 frames of 2 KiB belong to 1,024 circuits and are visited in a seeded
 * random order.  Ours, a step: header off (incoming link), parse, circuit,
 * size rule, window, layer, window, header, header on (outgoing link), in
 * bursts of 32.  Baseline: intel-ipsec-mb's direct call on the same bytes in
 * the same order with the same prepared keys and nonces, and nothing else;
 * it is measured with and without prefetching, and the better one counts.
 * They take turns pass by pass, each on fresh cells; a sample is the median
 * of 32 passes' CPU time.  Ours is the median of 5 samples, the baseline the
 * best of 5.  One frame in 1,024 is opened by the next hop and compared; a
 * figure with a wrong or refused cell is invalid.
 *
 * `wire.open.*` and `wire.seal.*` are the layers of a burst alone, near (32
 * frames over and over) and far (all of them, in order), against ipsec-mb's
 * call on the same bytes; best of the passes, in turns.
 *
 * JSON Lines on stdout, a table on stderr. */
#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "benchmarks/host.h"
#include "benchmarks/median.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/layer.h"
#include "dataplane/wire/window.h"

#define FRAMES   8192u
#define FRAME    2048u
#define FRONT    256u /* of a frame, before the cell */
#define CIRCUITS 1024u
#define LINKS    16u
#define BURST    32u
#define PASSES   48u
#define SAMPLES  5u
#define CHECKED  1024u /* one frame in so many */
#define SEED     20261121u

struct circuit {
	struct vx6_layer layer;
	uint64_t ctr; /* next to seal, backward */
	uint32_t id, out_id;
	uint32_t out_link;
	uint16_t cell_size;
	struct vx6_window win; /* its first words share the line above */
};

struct link {
	struct vx6_aes in, out;
};

struct lane { /* one cell on its way through the phases */
	uint8_t *p;
	size_t size;
	struct circuit *c;
	const struct link *link;
	struct vx6_cell cell;
};

static struct rig {
	struct circuit circuit[CIRCUITS];
	struct link link[LINKS];
	struct gcm_key_data raw_gcm[CIRCUITS];
	uint8_t raw_key[CIRCUITS][32];
	uint8_t nonce[FRAMES][12];
	uint32_t order[FRAMES];
	uint8_t want[FRAMES / CHECKED][FRAME];
	struct vx6_layer next; /* the hop behind or before us */
	uint8_t *frame;
	struct vx6_rand rnd;
	uint64_t round; /* counters used so far, per frame of a circuit */
	unsigned suite;
	size_t cell; /* bytes of a cell as it comes in */
	bool forward;
	uint64_t refused, wrong;
} rig;

static uint8_t *cell_of(uint32_t f)
{
	return rig.frame + (size_t)f * FRAME + FRONT;
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_wire: %s\n", what);
	exit(1);
}

/* ---- setting up ---- */

static void make_order(void)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		rig.order[i] = i;
	for (uint32_t i = FRAMES - 1; i > 0; i--) {
		uint32_t j = vx6_rand_below(&rig.rnd, i + 1);
		uint32_t t = rig.order[i];

		rig.order[i] = rig.order[j];
		rig.order[j] = t;
	}
}

static void make_circuits(IMB_MGR *mb)
{
	uint8_t iv[16];

	for (uint32_t i = 0; i < CIRCUITS; i++) {
		struct circuit *c = &rig.circuit[i];
		uint8_t *key = rig.raw_key[i];

		vx6_rand_fill(&rig.rnd, key, 32);
		vx6_rand_fill(&rig.rnd, iv, sizeof(iv));
		must(vx6_layer_init(&c->layer, rig.suite, key, iv) == VX6_OK,
		     "this host has no such suite");
		vx6_window_init(&c->win, 1u << 20);
		c->ctr = 1u << 20;
		c->id = i + 1;
		c->out_id = i + 7;
		c->out_link = i % LINKS;
		IMB_AES256_GCM_PRE(mb, key, &rig.raw_gcm[i]);
	}
}

static void make_links(void)
{
	uint8_t key[16];

	for (uint32_t i = 0; i < LINKS; i++) {
		vx6_rand_fill(&rig.rnd, key, sizeof(key));
		vx6_aes_init(&rig.link[i].in, key, sizeof(key));
		vx6_rand_fill(&rig.rnd, key, sizeof(key));
		vx6_aes_init(&rig.link[i].out, key, sizeof(key));
	}
}

static void make_rig(IMB_MGR *mb, unsigned suite, size_t cell, bool forward)
{
	uint8_t seed[32] = { (uint8_t)SEED, (uint8_t)(SEED >> 8),
			     (uint8_t)(SEED >> 16), (uint8_t)(SEED >> 24) };
	uint8_t key[32], iv[16];

	vx6_rand_seed(&rig.rnd, seed);
	rig.suite = suite;
	rig.cell = cell;
	rig.forward = forward;
	rig.round = rig.refused = rig.wrong = 0;
	make_order();
	make_circuits(mb);
	make_links();
	vx6_rand_fill(&rig.rnd, key, sizeof(key));
	vx6_rand_fill(&rig.rnd, iv, sizeof(iv));
	must(vx6_layer_init(&rig.next, suite, key, iv) == VX6_OK, "next hop");
	vx6_rand_fill(&rig.rnd, rig.frame, (size_t)FRAMES * FRAME);
}

/* A cell as the neighbour sends it: forward it is sealed for us around what
 * the next hop opens, backward it was sealed by the hop behind. */
static void fill_frame(uint32_t f)
{
	struct circuit *c = &rig.circuit[f % CIRCUITS];
	const struct link *l = &rig.link[f % LINKS];
	uint64_t ctr = (1u << 20) + rig.round * (FRAMES / CIRCUITS) +
		       f / CIRCUITS;
	uint8_t *p = cell_of(f);
	size_t len = rig.cell - VX6_CELL_HDR;
	size_t inner = len - 16 - 8 - 16; /* the next hop's plaintext */

	memcpy(rig.nonce[f], c->layer.key.b, 12);
	for (unsigned i = 0; i < 6; i++)
		rig.nonce[f][6 + i] ^= (uint8_t)(ctr >> (40 - 8 * i));
	if (!rig.forward)
		inner += 24;
	if (f % CHECKED == 0)
		memcpy(rig.want[f / CHECKED], p + 16 + (rig.forward ? 8 : 0),
		       inner);
	vx6_layer_seal(&rig.next, ctr, VX6_KIND_DATA,
		       p + (rig.forward ? 16 : 8), inner);
	if (rig.forward)
		vx6_layer_seal(&c->layer, ctr, VX6_KIND_DATA, p + 8, len - 16);
	vx6_cell_put(p, f % LINKS, c->id);
	vx6_cell_protect(&l->in, p);
}

/* ---- ours: a burst in phases ---- */

static unsigned take(struct lane lane[], const uint32_t *order, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *w = &lane[kept];
		uint32_t idx = 0;

		w->p = cell_of(order[i]);
		w->size = rig.cell;
		if (vx6_cell_link(w->p, w->size, &idx) != VX6_OK ||
		    idx >= LINKS) {
			rig.refused++;
			continue;
		}
		w->link = &rig.link[idx];
		vx6_cell_unprotect(&w->link->in, w->p);
		kept++;
	}
	return kept;
}

static void keep(struct lane lane[], unsigned kept, unsigned i)
{
	if (kept != i)
		lane[kept] = lane[i];
}

static unsigned route(struct lane lane[], unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *w = &lane[i];

		if (vx6_cell_parse(&w->cell, w->p, w->size) != VX6_OK ||
		    w->cell.circ - 1 >= CIRCUITS) {
			rig.refused++;
			continue;
		}
		w->c = &rig.circuit[w->cell.circ - 1];
		vx6_prefetch_w(&w->c->win);
		keep(lane, kept++, i);
	}
	return kept;
}

static unsigned admit(struct lane lane[], unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *w = &lane[i];
		bool ok = w->c->id == w->cell.circ &&
			  vx6_cell_fits(w->c->cell_size, w->size, w->cell.len);

		if (ok && rig.forward)
			ok = vx6_window_fresh(&w->c->win, w->cell.ctr) ==
			     VX6_OK;
		else if (ok)
			ok = vx6_window_record(&w->c->win, w->cell.ctr) ==
			     VX6_OK;
		if (!ok) {
			rig.refused++;
			continue;
		}
		keep(lane, kept++, i);
	}
	return kept;
}

static unsigned open_all(struct lane lane[], unsigned n)
{
	struct vx6_layer_op op[BURST];
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		op[i] = (struct vx6_layer_op){ .key = &lane[i].c->layer.key,
					       .gcm = &lane[i].c->layer.gcm,
					       .h8 = lane[i].p + 8,
					       .len = lane[i].size - 8 };
	vx6_layer_open_burst(op, n);
	for (unsigned i = 0; i < n; i++) {
		struct lane *w = &lane[i];

		if (op[i].st != VX6_OK ||
		    vx6_window_record(&w->c->win, w->cell.ctr) != VX6_OK ||
		    vx6_h8_len(w->p + 16) + (size_t)8 != op[i].len) {
			rig.refused++;
			continue;
		}
		w->p += 8;
		keep(lane, kept++, i);
	}
	return kept;
}

static unsigned seal_all(struct lane lane[], unsigned n)
{
	struct vx6_layer_op op[BURST];

	for (unsigned i = 0; i < n; i++)
		op[i] = (struct vx6_layer_op){
			.key = &lane[i].c->layer.key,
			.gcm = &lane[i].c->layer.gcm,
			.h8 = lane[i].p,
			.ctr = lane[i].c->ctr++,
			.kind = VX6_KIND_DATA,
			.len = 8 + (size_t)lane[i].cell.len,
		};
	vx6_layer_seal_burst(op, n);
	for (unsigned i = 0; i < n; i++)
		lane[i].p -= 8;
	return n;
}

/* Two loops: header protection reads the first 8 bytes in one piece with
 * what follows, and would wait for each store to leave the core. */
static void rewrite(struct lane lane[], unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *w = &lane[i];

		w->size = vx6_cell_out_size(w->c->cell_size,
					    vx6_h8_len(w->p + 8));
		if (w->size == 0) {
			rig.refused++;
			continue;
		}
		vx6_cell_put(w->p, w->c->out_link, w->c->out_id);
		w->link = &rig.link[w->c->out_link];
		keep(lane, kept++, i);
	}
	for (unsigned i = 0; i < kept; i++)
		vx6_cell_protect(&lane[i].link->out, lane[i].p);
}

static void ours(void)
{
	struct lane lane[BURST];

	for (uint32_t at = 0; at < FRAMES; at += BURST) {
		unsigned n = take(lane, rig.order + at, BURST);

		for (uint32_t i = at + BURST; i < at + 2 * BURST; i++)
			if (i < FRAMES)
				vx6_prefetch_w(cell_of(rig.order[i]));
		n = route(lane, n);
		n = admit(lane, n);
		n = rig.forward ? open_all(lane, n) : seal_all(lane, n);
		rewrite(lane, n);
	}
}

/* ---- the cipher alone ---- */

static void raw_one(IMB_MGR *mb, uint32_t f)
{
	uint8_t *h8 = cell_of(f) + (rig.forward ? 8 : 0);
	uint8_t *p = h8 + 8, tag[16];
	size_t len = rig.forward ? rig.cell - 32 : rig.cell - 8;
	uint32_t c = f % CIRCUITS;

	if (rig.suite != VX6_SUITE_CHACHA20_POLY1305) {
		struct gcm_context_data ctx;

		if (rig.forward)
			IMB_AES256_GCM_DEC(mb, &rig.raw_gcm[c], &ctx, p, p, len,
					   rig.nonce[f], h8, 8, tag, 16);
		else
			IMB_AES256_GCM_ENC(mb, &rig.raw_gcm[c], &ctx, p, p, len,
					   rig.nonce[f], h8, 8, p + len, 16);
		return;
	}

	struct chacha20_poly1305_context_data ctx;
	const uint8_t *key = rig.raw_key[c];

	IMB_CHACHA20_POLY1305_INIT(mb, key, &ctx, rig.nonce[f], h8, 8);
	if (rig.forward) {
		IMB_CHACHA20_POLY1305_DEC_UPDATE(mb, key, &ctx, p, p, len);
		IMB_CHACHA20_POLY1305_DEC_FINALIZE(mb, &ctx, tag, 16);
	} else {
		IMB_CHACHA20_POLY1305_ENC_UPDATE(mb, key, &ctx, p, p, len);
		IMB_CHACHA20_POLY1305_ENC_FINALIZE(mb, &ctx, p + len, 16);
	}
}

static void raw(IMB_MGR *mb, const uint32_t *order, uint32_t n, bool ahead)
{
	for (uint32_t i = 0; i < n; i++) {
		if (ahead && i + 1 < n) {
			uint32_t f = order[i + 1];
			const uint8_t *k =
				(const uint8_t *)&rig.raw_gcm[f % CIRCUITS];

			for (size_t at = 0; at < rig.cell; at += 64)
				vx6_prefetch_w(cell_of(f) + at);
			for (size_t at = 0;
			     rig.suite != VX6_SUITE_CHACHA20_POLY1305 &&
			     at < sizeof(rig.raw_gcm[0]);
			     at += 64)
				vx6_prefetch(k + at);
		}
		raw_one(mb, order[i]);
	}
}

/* ---- measuring ---- */

static void check_frames(void)
{
	static uint8_t copy[FRAME];

	for (uint32_t f = 0; f < FRAMES; f += CHECKED) {
		const struct circuit *c = &rig.circuit[f % CIRCUITS];
		const uint8_t *p = cell_of(f) + (rig.forward ? 8 : -8);
		size_t n = 0;
		uint8_t *h8 = copy + 8;
		bool ok;

		memcpy(copy, p, rig.cell + 24);
		vx6_cell_unprotect(&rig.link[c->out_link].out, copy);
		ok = vx6_get24(copy + 1) == c->out_link &&
		     vx6_get32(copy + 4) == c->out_id;
		if (ok && !rig.forward) {
			ok = vx6_layer_open(&c->layer, h8, rig.cell + 16, &n) ==
			     VX6_OK;
			h8 += 8;
		}
		ok = ok &&
		     vx6_layer_open(&rig.next, h8, rig.cell, &n) == VX6_OK;
		ok = ok && memcmp(h8 + 8, rig.want[f / CHECKED], n) == 0;
		if (!ok)
			rig.wrong++;
	}
}

enum who { RAW, RAW_AHEAD, OURS, WHO_CNT };

static double pass(IMB_MGR *mb, enum who who)
{
	double from;

	for (uint32_t f = 0; f < FRAMES; f++)
		fill_frame(f);
	rig.round++;
	from = cpu_s();
	if (who == OURS)
		ours();
	else
		raw(mb, rig.order, FRAMES, who == RAW_AHEAD);
	from = cpu_s() - from;
	if (who == OURS)
		check_frames();
	return from;
}

/* Steps a second of each, by its median pass; they take turns pass by pass
 * so that what disturbs one disturbs all. */
static void sample(IMB_MGR *mb, double rate[WHO_CNT])
{
	double spent[WHO_CNT][PASSES];

	for (unsigned i = 0; i < PASSES; i++)
		for (unsigned who = 0; who < WHO_CNT; who++)
			spent[who][i] = pass(mb, (enum who)who);
	for (unsigned who = 0; who < WHO_CNT; who++)
		rate[who] = FRAMES / bench_median(spent[who], PASSES);
}

/* ---- a burst's layers alone ---- */

#define NEAR BURST /* so many frames, which stay at hand */

/* As fill_frame does, and without header protection. */
static void fill_bare(uint32_t f)
{
	fill_frame(f);
	vx6_cell_unprotect(&rig.link[f % LINKS].in, cell_of(f));
}

static double wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void alone_ours(const uint32_t *order)
{
	struct lane lane[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		lane[i].p = cell_of(order[i]);
		lane[i].size = rig.cell;
		lane[i].c = &rig.circuit[order[i] % CIRCUITS];
		lane[i].cell.len = (uint16_t)(rig.cell - VX6_CELL_HDR);
	}
	if (!rig.forward) {
		seal_all(lane, BURST);
		return;
	}
	struct vx6_layer_op op[BURST];

	for (unsigned i = 0; i < BURST; i++)
		op[i] = (struct vx6_layer_op){ .key = &lane[i].c->layer.key,
					       .gcm = &lane[i].c->layer.gcm,
					       .h8 = lane[i].p + 8,
					       .len = lane[i].size - 8 };
	vx6_layer_open_burst(op, BURST);
	for (unsigned i = 0; i < BURST; i++)
		rig.refused += op[i].st != VX6_OK;
}

/* Seconds for FRAMES cells; near, each burst is made anew in the caches. */
static double alone_pass(IMB_MGR *mb, enum who who, bool far)
{
	double spent = 0, from;

	for (uint32_t f = 0; f < FRAMES; f++)
		fill_bare(f);
	rig.round++;
	for (uint32_t at = 0; at < FRAMES; at += BURST) {
		const uint32_t *order = rig.order + (far ? at : 0);

		for (unsigned i = 0; !far && i < NEAR; i++)
			fill_bare(order[i]);
		from = wall_s();
		if (who == OURS)
			alone_ours(order);
		else
			raw(mb, order, BURST, who == RAW_AHEAD);
		spent += wall_s() - from;
	}
	return spent;
}

struct result {
	const char *what, *place; /* place: "", or where the bytes lie */
	double value, min, max, base;
};

static void report(const struct result *r)
{
	static const char *const name[] = {
		[VX6_SUITE_AES256_GCM] = "aes256gcm",
		[VX6_SUITE_CHACHA20_POLY1305] = "chacha20poly1305",
		[VX6_SUITE_AEGIS128L] = "aegis128l",
	};
	const char *alg = name[rig.suite];
	/* there is nobody else's AEGIS-128L to be compared with */
	const char *than =
		name[rig.suite == VX6_SUITE_AEGIS128L ? VX6_SUITE_AES256_GCM
						      : rig.suite];
	bool valid = rig.refused == 0 && rig.wrong == 0;

	printf("{\"figure\":\"wire.%s.%s.%zu%s\",\"value\":%.0f,"
	       "\"unit\":\"steps/s\",\"baseline\":\"ipsec-mb %s alone\","
	       "\"baseline_value\":%.0f,\"ratio\":%.3f,\"valid\":%s,"
	       "\"min\":%.0f,\"max\":%.0f,\"repeats\":%u,\"burst\":%u,"
	       "\"frames\":%u,"
	       "\"circuits\":%u,\"seed\":%u,\"host\":%s}\n",
	       r->what, alg, rig.cell, r->place, r->value, than, r->base,
	       r->value / r->base, valid ? "true" : "false", r->min, r->max,
	       SAMPLES, BURST, FRAMES, CIRCUITS, SEED, bench_host());
	fflush(stdout);
	fprintf(stderr,
		"  %-8s %-16s %4zu B%-5s %10.0f steps/s (%.0f .. %.0f)  "
		"%s alone %10.0f  ratio %.2f%s\n",
		r->what, alg, rig.cell, r->place, r->value, r->min, r->max,
		than, r->base, r->value / r->base,
		valid ? "" : "  INVALID: wrong or refused cells");
}

static void figure(IMB_MGR *mb, unsigned suite, size_t cell, bool forward)
{
	double got[SAMPLES], base = 0, median;

	make_rig(mb, suite, cell, forward);
	for (unsigned i = 0; i < SAMPLES; i++) {
		double rate[WHO_CNT];

		sample(mb, rate);
		got[i] = rate[OURS];
		for (unsigned who = RAW; who < OURS; who++)
			base = rate[who] > base ? rate[who] : base;
	}
	median = bench_median(got, SAMPLES);
	report(&(struct result){
		.what = forward ? "forward" : "backward",
		.place = "",
		.value = median,
		.min = got[0],
		.max = got[SAMPLES - 1],
		.base = base,
	});
}

static void alone_figure(IMB_MGR *mb, unsigned suite, bool open, bool far)
{
	double best[WHO_CNT] = { 0 }, worst = 0;

	make_rig(mb, suite, 1200, open);
	for (unsigned i = 0; i < PASSES / 3; i++)
		for (unsigned who = 0; who < WHO_CNT; who++) {
			double t = FRAMES / alone_pass(mb, (enum who)who, far);

			best[who] = t > best[who] ? t : best[who];
			if (who == OURS && (worst == 0 || t < worst))
				worst = t;
		}
	report(&(struct result){
		.what = open ? "open" : "seal",
		.place = far ? ".far" : ".near",
		.value = best[OURS],
		.min = worst,
		.max = best[OURS],
		.base = best[RAW] > best[RAW_AHEAD] ? best[RAW]
						    : best[RAW_AHEAD],
	});
}

static void alone(IMB_MGR *mb)
{
	for (unsigned open = 0; open < 2; open++)
		for (unsigned far = 0; far < 2; far++) {
			alone_figure(mb, VX6_SUITE_AES256_GCM, open, far);
			alone_figure(mb, VX6_SUITE_AEGIS128L, open, far);
		}
}

static void figures(IMB_MGR *mb, bool quick)
{
	static const size_t sizes[] = { 128, 512, 1200, 1400 };

	figure(mb, VX6_SUITE_AES256_GCM, 1200, true);
	figure(mb, VX6_SUITE_AES256_GCM, 1200, false);
	for (unsigned s = VX6_SUITE_AES256_GCM;
	     !quick && s <= VX6_SUITE_AEGIS128L; s++)
		for (unsigned i = 0; i < VX6_COUNT(sizes); i++) {
			if (s == VX6_SUITE_AES256_GCM && sizes[i] == 1200)
				continue;
			figure(mb, s, sizes[i], true);
			figure(mb, s, sizes[i], false);
		}
}

int main(int argc, char **argv)
{
	bool quick = argc > 1 && strcmp(argv[1], "-q") == 0;
	bool only = argc > 1 && strcmp(argv[1], "-a") == 0;
	IMB_MGR *mb = alloc_mb_mgr(0);

	must(vx6_aead_start() == VX6_OK && mb != NULL, "no AEAD on this CPU");
	must(vx6_aead_force(VX6_IMPL_IPSEC_MB) == VX6_OK,
	     "ipsec-mb does not run on this CPU: nothing to compare with");
	must(vx6_aead_start() == VX6_OK, "no AEAD"); /* as a relay has it */
	init_mb_mgr_auto(mb, NULL);
	rig.frame = aligned_alloc(4096, (size_t)FRAMES * FRAME);
	must(rig.frame != NULL, "out of memory");
	fprintf(stderr, "wire: %u frames, %u circuits, bursts of %u, %s\n",
		FRAMES, CIRCUITS, BURST, vx6_aead_impl_name());
	if (!only)
		figures(mb, quick);
	if (!quick)
		alone(mb);
	free(rig.frame);
	free_mb_mgr(mb);
	return 0;
}
