/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_xdp: what the classifier costs a packet, in the driver's place.
 *
 *     bench_xdp [rounds]          (make bench runs it; needs root)
 *
 * BPF_PROG_TEST_RUN lets the kernel run a program on one packet again and
 * again and says how long that took; rows are a cell of a known link, a
 * packet for somebody else, and garbage on the data port.  The baseline is a
 * program that passes everything, in turns with the classifier: what is
 * between the two is the classifier's.  A round in which the counters did
 * not move as they must makes the figure void. */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "benchmarks/host.h"
#include "benchmarks/median.h"
#include "dataplane/wire/aead/aead.h"
#include "tests/support/xdp_any.h"
#include "tests/support/xdp_kit.h"

#define REPEAT 200000u
#define ROUNDS 15u
#define MOST   1000u

struct row {
	const char *name;
	unsigned reason;
	struct shape shape;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_xdp: %s\n", what);
	exit(1);
}

/* Nanoseconds a packet, by the kernel's own clock: whole ones. */
static double run(int prog, const struct pkt *p)
{
	struct bpf_test_run_opts o = { .sz = sizeof(o),
				       .data_in = p->b,
				       .data_size_in = (uint32_t)p->len,
				       .repeat = REPEAT };

	need(bpf_prog_test_run_opts(prog, &o) == 0,
	     "the kernel did not run it");
	return o.duration;
}

static void report(const struct row *row, double ns[], double base[],
		   unsigned n, size_t size, bool ok)
{
	double mid = bench_median(ns, n), alone = bench_median(base, n);

	printf("{\"figure\":\"%s\",\"value\":%.0f,\"unit\":\"ns\","
	       "\"baseline\":\"XDP_PASS alone\",\"baseline_value\":%.0f,"
	       "\"ratio\":%.3f,\"valid\":%s,\"host\":%s,\"size\":%zu,"
	       "\"repeat\":%u,\"repeats\":%u,\"min\":%.0f,\"max\":%.0f}\n",
	       row->name, mid, alone, alone > 0 ? mid / alone : mid,
	       ok ? "true" : "false", bench_host(), size, REPEAT, n, ns[0],
	       ns[n - 1]);
	fflush(stdout);
	fprintf(stderr, "%-28s %6.0f ns  XDP_PASS alone %4.0f ns%s\n",
		row->name, mid, alone, ok ? "" : "  VOID");
}

static void measure(struct xk *k, int pass, const struct row *row,
		    unsigned rounds)
{
	static double ns[MOST], base[MOST];
	uint64_t before[VX6_XDP_COUNTS], after[VX6_XDP_COUNTS];
	static struct pkt p;

	pkt_make(&p, &row->shape);
	run(k->prog, &p); /* caches and branches are warm */
	xk_sum(k, before);
	for (unsigned i = 0; i < rounds; i++) {
		ns[i] = run(k->prog, &p);
		base[i] = run(pass, &p);
	}
	xk_sum(k, after);
	report(row, ns, base, rounds, p.len,
	       after[row->reason] - before[row->reason] ==
		       (uint64_t)rounds * REPEAT);
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ "xdp.classify.ns.cell",    VX6_XDP_CELL, { .len = 1232 }              },
		{ "xdp.classify.ns.foreign",
                 VX6_XDP_OTHER,			    { .dport = 53, .len = 1232 } },
		{ "xdp.classify.ns.garbage",
                 VX6_XDP_NO_LINK,			  { .link = 4, .len = 1232 }   },
	};
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct xk k;
	int pass;

	need(rounds > 0 && rounds <= MOST,
	     "rounds: a number between 1 and 1000");
	need(vx6_aead_start() == VX6_OK, "no AEAD on this CPU"); /* is told */
	if (geteuid() != 0 || !xk_open(&k, true)) {
		fprintf(stderr, "bench_xdp: needs root: not measured\n");
		for (unsigned i = 0; i < VX6_COUNT(rows); i++)
			printf("{\"figure\":\"%s\",\"value\":null,"
			       "\"unit\":\"ns\",\"baseline\":null,"
			       "\"baseline_value\":null,\"ratio\":null,"
			       "\"valid\":false,\"host\":%s,"
			       "\"faults\":[\"needs root\"]}\n",
			       rows[i].name, bench_host());
		return 0;
	}
	pass = xdp_any_program("pass", XDP_PASS);
	need(pass >= 0, "the kernel takes no program");
	for (unsigned i = 0; i < VX6_COUNT(rows); i++)
		measure(&k, pass, &rows[i], (unsigned)rounds);
	xk_close(&k);
	close(pass);
	return 0;
}
