/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a second worker adds, where each has what lands on it and hands
 * nothing over: they share the memory's bandwidth, the last cache, and, where
 * two CPUs are one core, the core.  All fill, wait for each other, and relay
 * at once; the value is the sum of what each did in its own CPU time, the
 * best of five samples. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "benchmarks/dp.h"
#include "benchmarks/host.h"

#define SAMPLES 5u
#define PASSES  5u
#define MOST    16u /* workers */

static struct dp_rig rig[MOST];

struct team {
	pthread_barrier_t ready;
	double rate[MOST];
	bool ok[MOST];
};

struct member {
	struct team *team;
	unsigned no;
	pthread_t thread;
};

static void *work(void *arg)
{
	const struct member *m = arg;
	struct team *t = m->team;
	double best = 0, ns;

	t->ok[m->no] = true;
	for (unsigned i = 0; i < PASSES; i++) {
		dp_rig_fill(&rig[m->no]);
		pthread_barrier_wait(&t->ready);
		t->ok[m->no] &= dp_rig_relay(&rig[m->no], relay_burst, &ns);
		if (DP_FRAMES * 1e9 / ns > best)
			best = DP_FRAMES * 1e9 / ns;
	}
	t->rate[m->no] = best;
	return NULL;
}

/* Cells a second of n workers at once; *ok turns false where one is void. */
static double sample(unsigned n, bool *ok)
{
	struct member m[MOST];
	struct team t;
	double sum = 0;

	pthread_barrier_init(&t.ready, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		m[i] = (struct member){ .team = &t, .no = i };
		dp_need(pthread_create(&m[i].thread, NULL, work, &m[i]) == 0,
			"no thread");
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(m[i].thread, NULL);
		sum += t.rate[i];
		*ok = t.ok[i] && *ok;
	}
	pthread_barrier_destroy(&t.ready);
	return sum;
}

void dp_workers(const struct dp_case *c, unsigned n)
{
	double best[2] = { 0 };
	char name[64];
	bool ok = true;

	dp_need(n >= 1 && n <= MOST, "too many workers");
	dp_figure_name(c, NULL, name);
	for (unsigned i = 0; i < n; i++)
		dp_rig_open(&rig[i], c);
	for (unsigned i = 0; i < SAMPLES; i++)
		for (unsigned k = 0; k < 2; k++) {
			double got = sample(k == 0 ? 1 : n, &ok);

			best[k] = got > best[k] ? got : best[k];
		}
	for (unsigned i = 0; i < n; i++)
		dp_rig_close(&rig[i]);
	printf("{\"figure\":\"%s.w%u\",\"value\":%.0f,\"unit\":\"cells/s\","
	       "\"baseline\":\"one worker\",\"baseline_value\":%.0f,"
	       "\"ratio\":%.3f,\"valid\":%s,\"host\":%s,\"workers\":%u,"
	       "\"size\":%zu,\"circuits\":%u,\"aead\":\"%s\","
	       "\"seed\":\"%s\"}\n",
	       name, n, best[1], best[0], best[1] / best[0],
	       ok ? "true" : "false", bench_host(), n, c->size, c->circuits,
	       vx6_aead_impl_name(), DP_SEED);
	fflush(stdout);
	fprintf(stderr,
		"  %s.w%u %.0f cells/s  one worker %.0f  ratio %.2f%s\n", name,
		n, best[1], best[0], best[1] / best[0], ok ? "" : "  VOID");
}
