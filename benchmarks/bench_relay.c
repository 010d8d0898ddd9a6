/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_relay: the whole pipeline against its AEAD alone.
 *
 *     bench_relay [rounds [name]]   (make bench runs it; name: a part of a
 *                                    figure's name, only those)
 *
 * 8,192 frames of 2 KiB hold one cell each, in seeded random order.  They
 * belong to 1,024 circuits (c1k), or a round draws 8,192 of 1,048,576 anew
 * (c1m).  A round receives them all from the mem port in bursts of 64,
 * relays them and sends them: headers, windows, counters and tables are
 * live.  One in 1,024 outputs is opened and must be right, or the figure is
 * void.  The baseline opens or seals the same bytes of the same frames in
 * the same order under as many keys, with ipsec-mb's direct call where the
 * host has it; a figure of AEGIS-128L is compared with the one of
 * AES-256-GCM of the same run. */
#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "benchmarks/host.h"
#include "tests/support/dp_kit.h"

#define FRAMES 8192u
#define C1K    1024u
#define C1M    ((1u << 20) - 1) /* index 0 is nobody's */
#define CELL   1200u            /* bytes of UDP payload as it comes */
#define CHECK  1024u
#define ROUNDS 15u
#define MOST   1000u /* rounds */
#define SEED   "bench_relay 1"

static struct dp_node node;
static struct vx6_rand rnd;
static struct net_frame *order[FRAMES]; /* frames, shuffled */
static uint32_t circuit[FRAMES];        /* of each frame, shuffled */
static uint32_t sealed[C1M];            /* cells made for each so far */

struct run { /* what one figure measures */
	const char *name;
	const char *against; /* another's, or NULL: the AEAD alone */
	unsigned kind, suite;
	uint32_t circuits;
};

struct clock {
	uint64_t ns, cycles;
};

static struct clock now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct clock){
		(uint64_t)t.tv_sec * VX6_SEC + (uint64_t)t.tv_nsec, __rdtsc()
	};
}

static struct clock since(struct clock a)
{
	struct clock b = now();

	return (struct clock){ b.ns - a.ns, b.cycles - a.cycles };
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_relay: %s\n", what);
	exit(1);
}

static void shuffle(void)
{
	for (unsigned i = FRAMES - 1; i > 0; i--) {
		unsigned j = vx6_rand_below(&rnd, i + 1);
		struct net_frame *f = order[i];
		uint32_t c = circuit[i];

		order[i] = order[j];
		order[j] = f;
		j = vx6_rand_below(&rnd, i + 1);
		circuit[i] = circuit[j];
		circuit[j] = c;
	}
}

static struct abi_half half_of(const struct run *run, uint32_t c)
{
	struct abi_half h = dp_half(run->kind, c + 1, 1, 2, c + 7);

	h.suite = (uint8_t)run->suite;
	return h;
}

static void set_up(const struct run *run)
{
	static const uint8_t seed[32] = SEED;
	const struct relay_opts ro = { .halves_max = run->circuits + 1 };
	const struct port_opts po = { .frames = 2 * FRAMES };

	need(dp_node_open(&node, &ro), "no memory");
	vx6_rand_seed(&rnd, seed);
	port_close(node.port);
	need(port_open_mem(&node.port, &po) == VX6_OK, "no memory for frames");
	for (uint32_t i = 1; i <= 2; i++) {
		struct abi_link l = dp_link(i);

		need(relay_link_add(node.relay, &l, node.now) == VX6_OK,
		     "link refused");
	}
	for (uint32_t i = 0; i < run->circuits; i++) {
		struct abi_half h = half_of(run, i);

		need(relay_half_add(node.relay, &h, node.now) == VX6_OK,
		     "half-circuit refused");
	}
	memset(sealed, 0, sizeof(sealed));
	need(run->circuits > 0, "a run without circuits");
	for (unsigned i = 0; i < FRAMES; i++) {
		order[i] = port_take(node.port);
		circuit[i] = i % run->circuits;
	}
	shuffle();
}

/* Writes cell i anew and lets it arrive. */
static void fill(const struct run *run, unsigned i, const struct vx6_aes *hp)
{
	struct net_frame *f = order[i];
	uint32_t c = circuit[i];
	struct abi_half h = half_of(run, c);
	uint64_t ctr = h.start_rx + sealed[c]++;
	uint8_t *p = node.port->mem + (size_t)f->index * NET_FRAME_LEN +
		     NET_FRAME_FRONT;
	size_t plain = CELL - VX6_CELL_HDR - VX6_LEN_MIN;

	memset(p + VX6_CELL_HDR, (int)c, plain + VX6_LEN_MIN);
	if (run->kind == ABI_HALF_FORWARD) {
		struct vx6_layer layer = dp_layer(&h);

		vx6_h8_put(p + VX6_CELL_HDR, ctr, VX6_KIND_DATA, plain - 8);
		vx6_layer_seal(&layer, ctr, VX6_KIND_DATA, p + 8, plain);
	} else {
		vx6_h8_put(p + 8, ctr, VX6_KIND_DATA, CELL - VX6_CELL_HDR);
	}
	vx6_cell_put(p, 1, h.id);
	vx6_cell_protect(hp, p);
	f->data = p;
	f->len = CELL;
	f->peer = dp_peer(1);
	port_mem_queue(node.port, f);
}

/* Opens what was sent; true where it is what must come out. */
static bool right(const struct run *run, struct net_frame *f)
{
	struct vx6_cell c;
	struct vx6_layer layer;
	struct abi_half h;
	size_t plain;

	if (!dp_unprotect(f->data, f->len, 2, &c) || c.circ < 7 ||
	    c.circ - 7 >= run->circuits)
		return false;
	h = half_of(run, c.circ - 7);
	layer = dp_layer(&h);
	if (run->kind == ABI_HALF_FORWARD)
		return f->len == CELL - VX6_LAYER_LEN &&
		       c.len == f->len - VX6_CELL_HDR &&
		       f->data[16] == (uint8_t)(c.circ - 7);
	return f->len == CELL + VX6_LAYER_LEN &&
	       vx6_layer_open(&layer, f->data + 8, f->len - 8u, &plain) ==
		       VX6_OK &&
	       f->data[24] == (uint8_t)(c.circ - 7);
}

/* One round; false where an output was wrong or missing. */
static bool relay_round(const struct run *run, struct clock *took)
{
	struct abi_link l = dp_link(1);
	struct net_frame *f[RELAY_BURST];
	struct vx6_aes hp;
	struct clock t;
	unsigned n, seen = 0;
	bool ok = true;

	vx6_aes_init(&hp, l.keys.hdr_rx, 16);
	for (unsigned i = 0; i < FRAMES && run->circuits > FRAMES; i++)
		circuit[i] = vx6_rand_below(&rnd, run->circuits);
	for (unsigned i = 0; i < FRAMES; i++)
		fill(run, i, &hp);
	t = now();
	while ((n = port_rx(node.port, f, RELAY_BURST)) > 0) {
		relay_burst(node.relay, f, n, node.now, &node.out);
		port_tx(node.port, node.out.tx, node.out.tx_cnt);
		port_give(node.port, node.out.free, node.out.free_cnt);
	}
	*took = since(t);
	for (struct net_frame *o; (o = port_mem_get(node.port)) != NULL;)
		if (seen++ % CHECK == 0)
			ok = right(run, o) && ok;
	return ok && seen == FRAMES;
}

/* ---- the baseline ---- */

static struct gcm_key_data *gcm; /* one a circuit, or NULL */
static struct vx6_aead *aead;    /* likewise, where there is no such call */
static IMB_MGR *mgr;

static void *keys_for(const struct run *run, size_t each)
{
	void *mem = aligned_alloc(64, run->circuits * ((each + 63) / 64 * 64));

	need(mem != NULL, "no memory");
	return mem;
}

static void raw_aead(const struct run *run)
{
	enum vx6_alg alg = run->suite == VX6_SUITE_AES256_GCM
				   ? VX6_ALG_AES256_GCM
				   : VX6_ALG_CHACHA20_POLY1305;

	aead = keys_for(run, sizeof(*aead));
	for (uint32_t i = 0; i < run->circuits; i++)
		need(vx6_aead_init(&aead[i], alg, half_of(run, i).key) ==
			     VX6_OK,
		     "no AEAD");
}

static void raw_start(const struct run *run)
{
	if (run->suite != VX6_SUITE_AES256_GCM ||
	    strstr(vx6_aead_impl_name(), "ipsec-mb") == NULL) {
		raw_aead(run);
		return;
	}
	mgr = alloc_mb_mgr(0);
	need(mgr != NULL, "no ipsec-mb");
	init_mb_mgr_auto(mgr, NULL);
	gcm = keys_for(run, sizeof(*gcm));
	for (uint32_t i = 0; i < run->circuits; i++)
		IMB_AES256_GCM_PRE(mgr, half_of(run, i).key, &gcm[i]);
}

static void raw_end(void)
{
	if (mgr != NULL)
		free_mb_mgr(mgr);
	free(gcm);
	free(aead);
	gcm = NULL;
	aead = NULL;
	mgr = NULL;
}

static void raw_one(const struct run *run, unsigned i, size_t len)
{
	uint8_t *p = order[i]->data + 8, tag[16];
	uint8_t nonce[16] = { 0 };
	struct gcm_context_data ctx;
	uint32_t c = circuit[i];

	memcpy(nonce, &i, sizeof(i));
	if (mgr == NULL && run->kind == ABI_HALF_FORWARD) {
		if (vx6_aead_open(&aead[c], nonce, p, 8, p + 8, p + 8,
				  len + 16) == VX6_OK)
			abort(); /* cannot be: these bytes are no ciphertext */
	} else if (mgr == NULL) {
		vx6_aead_seal(&aead[c], nonce, p, 8, p + 8, p + 8, len);
	} else if (run->kind == ABI_HALF_FORWARD) {
		IMB_AES256_GCM_DEC(mgr, &gcm[c], &ctx, p + 8, p + 8, len, nonce,
				   p, 8, tag, 16);
	} else {
		IMB_AES256_GCM_ENC(mgr, &gcm[c], &ctx, p + 8, p + 8, len, nonce,
				   p, 8, tag, 16);
	}
}

static struct clock raw_round(const struct run *run)
{
	/* what the relay opens, or seals: the layer's plaintext */
	size_t len = CELL - VX6_CELL_HDR;
	struct clock t;

	len = run->kind == ABI_HALF_FORWARD ? len - 16 : len + 8;
	for (unsigned i = 0; i < FRAMES; i++)
		order[i]->data = node.port->mem +
				 (size_t)order[i]->index * NET_FRAME_LEN +
				 NET_FRAME_FRONT;
	t = now();
	for (unsigned i = 0; i < FRAMES; i++)
		raw_one(run, i, len);
	return since(t);
}

/* ---- figures ---- */

static int by_ns(const void *a, const void *b)
{
	const struct clock *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

/* Half of all, and half of the middle half, apart: the spread. */
static double spread(const struct clock t[], unsigned n)
{
	unsigned low = n / 4, mid = n / 2, high = n * 3 / 4;

	return (double)(t[high].ns - t[low].ns) / (double)t[mid].ns;
}

static bool fast_cpu(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("aes");
}

static struct {
	const char *name;
	double cells;
} said[16]; /* figures of this run so far */
static unsigned said_cnt;

static double value_of(const char *name)
{
	for (unsigned i = 0; i < said_cnt; i++)
		if (strcmp(said[i].name, name) == 0)
			return said[i].cells;
	return 0;
}

struct base {
	const char *name;
	double cells, cycles; /* cycles: 0 where it is another figure */
};

static struct base base_of(const struct run *run, const struct clock raw[])
{
	if (run->against != NULL)
		return (struct base){ run->against, value_of(run->against), 0 };
	return (struct base){ mgr != NULL ? "ipsec-mb, direct" : "raw AEAD",
			      FRAMES * 1e9 / (double)raw[0].ns,
			      (double)raw[0].cycles / FRAMES };
}

static void report(const struct run *run, struct clock relay[],
		   struct clock raw[], unsigned n, bool ok)
{
	double cells, ratio;
	struct base base;

	qsort(relay, n, sizeof(relay[0]), by_ns);
	qsort(raw, n, sizeof(raw[0]), by_ns);
	cells = FRAMES * 1e9 / (double)relay[0].ns;
	base = base_of(run, raw);
	ratio = base.cells > 0 ? cells / base.cells : 0;
	said[said_cnt].name = run->name;
	said[said_cnt++].cells = cells;
	/* a library that is slow here measures nothing; a million keys are
	 * in no cache, so they say nothing of the library */
	if (base.cells == 0 ||
	    (run->suite == VX6_SUITE_AES256_GCM && run->circuits == C1K &&
	     fast_cpu() && base.cycles > 1.2 * CELL))
		ok = false;
	printf("{\"figure\":\"%s\",\"value\":%.0f,\"unit\":\"cells/s\","
	       "\"baseline\":\"%s\",\"baseline_value\":%.0f,\"ratio\":%.3f,"
	       "\"valid\":%s,\"host\":\"%s\",\"burst\":%u,\"size\":%u,"
	       "\"circuits\":%u,\"seed\":\"%s\",\"rounds\":%u,"
	       "\"spread\":%.3f}\n",
	       run->name, cells, base.name, base.cells, ratio,
	       ok ? "true" : "false", bench_host(), RELAY_BURST, CELL,
	       run->circuits, SEED, n, spread(relay, n));
	fflush(stdout);
	fprintf(stderr,
		"%-36s %9.0f cells/s %6.0f cycles/cell  %s %.0f "
		"(%.0f)  ratio %.2f  spread %.1f %%%s\n",
		run->name, cells, (double)relay[0].cycles / FRAMES, base.name,
		base.cells, base.cycles, ratio, 100 * spread(relay, n),
		ok ? "" : "  VOID");
}

static void measure(const struct run *run, unsigned rounds)
{
	static struct clock relay[MOST], raw[MOST];
	bool ok = true;

	set_up(run);
	if (run->against == NULL)
		raw_start(run);
	for (unsigned i = 0; i < rounds; i++) {
		ok = relay_round(run, &relay[i]) && ok;
		if (run->against == NULL)
			raw[i] = raw_round(run);
	}
	report(run, relay, raw, rounds, ok);
	raw_end();
	dp_node_close(&node);
}

/* clang-format off */
static const struct run runs[] = {
	{ "relay.forward.aes256gcm.1200.c1k", NULL,
	  ABI_HALF_FORWARD, VX6_SUITE_AES256_GCM, C1K },
	{ "relay.backward.aes256gcm.1200.c1k", NULL,
	  ABI_HALF_BACKWARD, VX6_SUITE_AES256_GCM, C1K },
	{ "relay.forward.chacha20poly1305.1200.c1k", NULL,
	  ABI_HALF_FORWARD, VX6_SUITE_CHACHA20_POLY1305, C1K },
	{ "relay.backward.chacha20poly1305.1200.c1k", NULL,
	  ABI_HALF_BACKWARD, VX6_SUITE_CHACHA20_POLY1305, C1K },
	{ "relay.forward.aegis128l.1200.c1k",
	  "relay.forward.aes256gcm.1200.c1k",
	  ABI_HALF_FORWARD, VX6_SUITE_AEGIS128L, C1K },
	{ "relay.backward.aegis128l.1200.c1k",
	  "relay.backward.aes256gcm.1200.c1k",
	  ABI_HALF_BACKWARD, VX6_SUITE_AEGIS128L, C1K },
	{ "relay.forward.aes256gcm.1200.c1m", NULL,
	  ABI_HALF_FORWARD, VX6_SUITE_AES256_GCM, C1M },
	{ "relay.forward.aegis128l.1200.c1m",
	  "relay.forward.aegis128l.1200.c1k",
	  ABI_HALF_FORWARD, VX6_SUITE_AEGIS128L, C1M },
};
/* clang-format on */

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	const char *only = argc > 2 ? argv[2] : "";

	need(vx6_aead_start() == VX6_OK, "no AEAD");
	need(rounds > 0 && rounds <= MOST,
	     "rounds: a number between 1 and 1000");
	fprintf(stderr, "%s; %s\n", vx6_aead_impl_name(), bench_host());
	for (unsigned i = 0; i < VX6_COUNT(runs); i++) {
		if (strstr(runs[i].name, only) == NULL)
			continue;
		if (!vx6_suite_offers(runs[i].suite)) {
			fprintf(stderr, "%s: not offered here\n", runs[i].name);
			continue;
		}
		measure(&runs[i], (unsigned)rounds);
	}
	return 0;
}
