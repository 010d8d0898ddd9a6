/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sample is the median of some passes; a figure and its baseline are
 * the best of five samples each: what else the machine does can only slow
 * them, and it slows what waits for memory more than what reckons.  They take
 * turns sample by sample: pass by pass, each would find the other's tables
 * where its own were.  Baselines of the AEAD alone are measured twice, as they
 * stand and with prefetching, and both are said: `ratio` is by the first,
 * `ratio_ahead` by the second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "benchmarks/dp.h"
#include "benchmarks/host.h"
#include "benchmarks/median.h"

#define SAMPLES 5u
#define PASSES  5u /* a sample */
#define C1K     1024u
#define SLOW    1.2 /* cycles a byte that no good GCM needs */

enum who { OURS, BASE, AHEAD, EXPAND, WHO_CNT };

static const char *const role_name[] = {
	[DP_FORWARD] = "forward",
	[DP_BACKWARD] = "backward",
	[DP_SPLICE] = "splice",
	[DP_LOCAL] = "local",
};
static const char *const suite_name[] = {
	[0] = "none",
	[VX6_SUITE_AES256_GCM] = "aes256gcm",
	[VX6_SUITE_CHACHA20_POLY1305] = "chacha20poly1305",
	[VX6_SUITE_AEGIS128L] = "aegis128l",
};

static void circuits_name(uint32_t n, char text[16])
{
	if (n < C1K)
		snprintf(text, 16, "c%u", n);
	else if (n < (1u << 20) - 1u)
		snprintf(text, 16, "c%uk", n / C1K);
	else
		snprintf(text, 16, "c1m"); /* but for index 0, nobody's */
}

void dp_figure_name(const struct dp_case *c, const char *suite, char name[64])
{
	char circuits[16];

	circuits_name(c->circuits, circuits);
	snprintf(name, 64, "dp.%s.%s.%zu.%s", role_name[c->role],
		 suite != NULL ? suite : suite_name[c->suite], c->size,
		 circuits);
}

/* ---- samples ---- */

static double ghz(void) /* of the time stamp counter */
{
	static double known;
	struct timespec t, u;
	uint64_t a;

	if (known > 0)
		return known;
	clock_gettime(CLOCK_MONOTONIC, &t);
	a = __rdtsc();
	do
		clock_gettime(CLOCK_MONOTONIC, &u);
	while ((u.tv_sec - t.tv_sec) * 1000000000 + u.tv_nsec - t.tv_nsec <
	       50000000);
	known = (double)(__rdtsc() - a) / ((double)(u.tv_sec - t.tv_sec) * 1e9 +
					   (double)(u.tv_nsec - t.tv_nsec));
	return known;
}

struct result {
	double ns[WHO_CNT][SAMPLES]; /* of a pass */
	double phase[DP_PHASE_CNT];  /* cycles a cell */
	bool ok;
};

struct pair { /* what is measured, and what it is measured against */
	const struct dp_figure *figure;
	struct dp_rig *ours, *other;
	struct dp_raw *raw;
};

static double raw_pass(struct pair *p, enum dp_raw_how how)
{
	return dp_raw_can(p->raw, how) ? dp_raw_pass(p->raw, p->ours, how) : 0;
}

static double pass(struct pair *p, enum who who, struct result *r)
{
	double ns = 0;

	if (who == OURS)
		r->ok = dp_rig_pass(p->ours, relay_burst, &ns) && r->ok;
	else if (p->raw != NULL)
		ns = raw_pass(p, (enum dp_raw_how)(who - BASE));
	else if (p->other != NULL && who == BASE)
		r->ok = dp_rig_pass(p->other, relay_burst, &ns) && r->ok;
	return ns;
}

static void sample(struct pair *p, unsigned no, struct result *r)
{
	double ns[PASSES];

	for (unsigned who = 0; who < WHO_CNT; who++) {
		(void)pass(p, (enum who)who, r); /* its memory comes back */
		for (unsigned i = 0; i < PASSES; i++)
			ns[i] = pass(p, (enum who)who, r);
		r->ns[who][no] = bench_median(ns, PASSES);
	}
}

/* The instrumented pipeline; each phase's median over as many passes. */
static void phases(struct pair *p, struct result *r)
{
	double v[DP_PHASE_CNT][PASSES], ns;
	uint64_t cycles[DP_PHASE_CNT];

	for (unsigned i = 0; i < PASSES; i++) {
		r->ok = dp_rig_pass(p->ours, dp_phases_burst, &ns) && r->ok;
		dp_phases_take(cycles);
		for (unsigned k = 0; k < DP_PHASE_CNT; k++)
			v[k][i] = (double)cycles[k] / DP_FRAMES;
	}
	for (unsigned k = 0; k < DP_PHASE_CNT; k++)
		r->phase[k] = bench_median(v[k], PASSES);
}

/* ---- the line ---- */

static double rate(double ns)
{
	return ns > 0 ? DP_FRAMES * 1e9 / ns : 0;
}

static double by(double a, double b)
{
	return b > 0 ? a / b : 0;
}

/* A library that is slow here measures nothing.  Small cells pay for more
 * than their bytes, and many keys are in no cache. */
static bool too_slow(const struct dp_case *c, const struct dp_raw *raw,
		     double base)
{
	double bytes = (double)c->size * (c->role == DP_SPLICE ? 2 : 1);

	return raw != NULL && c->suite == VX6_SUITE_AES256_GCM &&
	       c->size >= 1200 && c->circuits <= C1K &&
	       __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("aes") &&
	       base * ghz() / DP_FRAMES > SLOW * bytes;
}

static void print_phases(const struct result *r)
{
	static const char *const name[] = {
#define DP_PHASE_NAME(name) #name,
		DP_PHASES(DP_PHASE_NAME)
	};

	printf("\"phases\":{");
	for (unsigned k = 0; k < DP_PHASE_CNT; k++)
		printf("%s\"%s\":%.1f", k > 0 ? "," : "", name[k], r->phase[k]);
	printf("}");
}

static void print_base(const char *base, double ours, const double ns[WHO_CNT])
{
	if (base == NULL) {
		printf("\"baseline\":null,\"baseline_value\":null,"
		       "\"ratio\":null,");
		return;
	}
	printf("\"baseline\":\"%s\",\"baseline_value\":%.0f,\"ratio\":%.3f,",
	       base, rate(ns[BASE]), by(ours, rate(ns[BASE])));
	if (ns[AHEAD] > 0)
		printf("\"ahead_value\":%.0f,\"ratio_ahead\":%.3f,",
		       rate(ns[AHEAD]), by(ours, rate(ns[AHEAD])));
	if (ns[EXPAND] > 0)
		printf("\"expand_value\":%.0f,", rate(ns[EXPAND]));
}

static void report(const struct pair *p, struct result *r, const char *name,
		   const char *base)
{
	const struct dp_case *c = &p->figure->c;
	double ns[WHO_CNT], ours, cycles;

	for (unsigned who = 0; who < WHO_CNT; who++)
		(void)bench_median(r->ns[who], SAMPLES);
	ns[OURS] = r->ns[OURS][0];
	ns[BASE] = r->ns[BASE][0];
	ns[AHEAD] = r->ns[AHEAD][0];
	ns[EXPAND] = r->ns[EXPAND][0];
	ours = rate(ns[OURS]);
	cycles = ns[OURS] * ghz() / DP_FRAMES;
	if (too_slow(c, p->raw, ns[BASE]))
		r->ok = false;
	printf("{\"figure\":\"%s\",\"value\":%.0f,\"unit\":\"cells/s\",", name,
	       ours);
	print_base(base, ours, ns);
	printf("\"valid\":%s,\"host\":%s,\"min\":%.0f,\"max\":%.0f,"
	       "\"repeats\":%u,\"gbit_s\":%.2f,\"cycles\":%.0f,",
	       r->ok ? "true" : "false", bench_host(),
	       rate(r->ns[OURS][SAMPLES - 1]), rate(r->ns[OURS][0]), SAMPLES,
	       ours * (double)c->size * 8 / 1e9, cycles);
	print_phases(r);
	printf(",\"burst\":%u,\"size\":%zu,\"circuits\":%u,\"frames\":%u,"
	       "\"aead\":\"%s\",\"seed\":\"%s\"}\n",
	       RELAY_BURST, c->size, c->circuits, DP_FRAMES,
	       vx6_aead_impl_name(), DP_SEED);
	fflush(stdout);
	fprintf(stderr, "  %-40s %9.0f cells/s %5.0f cycles", name, ours,
		cycles);
	if (base != NULL)
		fprintf(stderr, "  %s %.0f  ratio %.2f", base, rate(ns[BASE]),
			by(ours, rate(ns[BASE])));
	if (ns[AHEAD] > 0)
		fprintf(stderr, " (ahead %.2f)", by(ours, rate(ns[AHEAD])));
	fprintf(stderr, "%s\n", r->ok ? "" : "  VOID");
}

/* ---- a figure ---- */

static struct dp_case case_of(const struct dp_figure *f)
{
	struct dp_case c = f->c;

	if (f->against == DP_GCM)
		c.suite = VX6_SUITE_AES256_GCM;
	else
		c.circuits = C1K;
	return c;
}

void dp_measure(const struct dp_figure *figure, const char *suite)
{
	static struct dp_rig ours, other;
	struct pair p = { .figure = figure, .ours = &ours };
	struct result r = { .ok = true };
	char name[64], than[64];
	const char *base = NULL;

	dp_figure_name(&figure->c, suite, name);
	dp_rig_open(&ours, &figure->c);
	if (figure->against == DP_RAW) {
		p.raw = dp_raw_open(&ours);
		base = dp_raw_name(p.raw);
	} else if (figure->against != DP_NOTHING) {
		struct dp_case c = case_of(figure);

		p.other = &other;
		dp_rig_open(&other, &c);
		dp_figure_name(&c, suite, than);
		base = than;
	}
	for (unsigned i = 0; i < SAMPLES; i++)
		sample(&p, i, &r);
	phases(&p, &r);
	report(&p, &r, name, base);
	dp_raw_close(p.raw);
	if (p.other != NULL)
		dp_rig_close(p.other);
	dp_rig_close(p.ours);
}

int dp_main(const struct dp_figure figure[], unsigned n, const char *suite,
	    char **argv)
{
	const char *only = argv[1] != NULL ? argv[1] : "";
	char name[64];

	dp_need(vx6_aead_start() == VX6_OK, "no AEAD on this CPU");
	fprintf(stderr, "%s; %s\n",
		suite != NULL ? suite : vx6_aead_impl_name(), bench_cpu());
	for (unsigned i = 0; i < n; i++) {
		unsigned own = figure[i].c.suite;

		dp_figure_name(&figure[i].c, suite, name);
		if (strstr(name, only) == NULL)
			continue;
		if (own != 0 && !vx6_suite_offers(own)) {
			fprintf(stderr, "  %-40s not offered here\n", name);
			continue;
		}
		dp_measure(&figure[i], suite);
	}
	return 0;
}
