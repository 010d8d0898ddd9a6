/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_loopback: one whole relay over UDP on loopback.
 *
 *     bench_loopback [rounds]          (make bench runs it)
 *
 * A round sends 16,384 cells of 1,200 bytes, made beforehand, through a
 * data plane in this process (its own worker thread, adaptive, GSO and
 * GRO), at most 1,024 under way, and takes them on the other side; one in
 * 1,024 is opened and must be right, and none may be lost, or the figure is
 * void.  The baseline sends the same bytes to the other side directly.
 *
 * relay.udp.throughput is payload that came out.  On two shared cores
 * sender, receiver and relay fight for the time, so relay.udp.busy_s_per_gb
 * is beside it: the worker's own busy time per 10^9 payload bytes. */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "benchmarks/host.h"
#include "dataplane/base/clock.h"
#include "tests/support/dp_path.h"

#define CELLS  16384u
#define CELL   1200u
#define TEXT   (CELL - 16u - 16u - 24u) /* payload inside */
#define RUN    32u                      /* cells of one send */
#define FLIGHT 1024u
#define CHECK  1024u
#define ROUNDS 15u
#define MOST   1000u /* rounds */
#define RX     16u

static struct dp_path path;
static uint8_t cells[CELLS * CELL];
static uint8_t room[RX * NET_BUF_MIN];

struct result {
	uint64_t ns, busy_ns;
	bool ok;
};

static struct result relay[MOST], raw[MOST];

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_loopback: %s\n", what);
	exit(1);
}

static void fill(void)
{
	uint8_t text[TEXT], buf[DP_BUF], *at;

	for (unsigned i = 0; i < CELLS; i++) {
		memset(text, (int)i, sizeof(text));
		need(dp_path_cell(&path, false, buf, text, sizeof(text), &at) ==
			     CELL,
		     "a cell is not 1,200 bytes");
		memcpy(cells + (size_t)i * CELL, at, CELL);
	}
}

/* Sends the next run; false: the socket is full. */
static bool send_run(unsigned at, const struct vx6_addr *to)
{
	struct iovec v = { cells + (size_t)at * CELL, RUN * CELL };
	struct net_out o = {
		.to = *to, .iov = &v, .iov_cnt = 1, .segment = CELL
	};

	return net_send(&path.left, &o, 1) == 1 && o.err == 0;
}

/* Takes what has come; checks one in CHECK of the cells of size bytes. */
static unsigned take(unsigned seen, unsigned size, bool *ok)
{
	struct iovec v[RX];
	struct net_pkt pkt[RX];
	unsigned n, cnt = 0;

	for (unsigned i = 0; i < RX; i++) {
		v[i] = (struct iovec){ room + (size_t)i * NET_BUF_MIN,
				       NET_BUF_MIN };
		pkt[i] = (struct net_pkt){ .iov = &v[i], .iov_cnt = 1 };
	}
	n = net_recv(&path.right, pkt, RX);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = v[i].iov_base, *text;
		size_t len;

		if (pkt[i].segment != size) /* a probe */
			continue;
		if (size != CELL && (seen + cnt) % CHECK == 0)
			*ok = dp_path_open_cell(&path, false, p, size, &text,
						&len) &&
			      len == TEXT && text[0] == text[TEXT - 1] && *ok;
		cnt += pkt[i].len / size;
	}
	return cnt;
}

/* Moves all cells to `to`; what comes out is size bytes each. */
static struct result move(const struct vx6_addr *to, unsigned size)
{
	struct result r = { .ok = true };
	unsigned sent = 0, seen = 0;
	struct abi_stats a, b;
	uint64_t t;

	need(dp_box_stats(&path.box[0], &a), "no statistics");
	t = vx6_now_ns();
	while (seen < CELLS && r.ok) {
		struct pollfd p = { .fd = path.right.fd, .events = POLLIN };

		while (sent < CELLS && sent - seen < FLIGHT &&
		       send_run(sent, to))
			sent += RUN;
		if (poll(&p, 1, 2000) != 1)
			r.ok = false; /* lost */
		seen += take(seen, size, &r.ok);
	}
	r.ns = vx6_now_ns() - t;
	need(dp_box_stats(&path.box[0], &b), "no statistics");
	r.busy_ns = b.busy_ns - a.busy_ns;
	return r;
}

/* ---- figures ---- */

static int by_ns(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

static int by_busy(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->busy_ns > y->busy_ns) - (x->busy_ns < y->busy_ns);
}

static void line(const char *figure, double value, const char *unit,
		 double base, double ratio, bool ok, unsigned rounds,
		 double spread)
{
	printf("{\"figure\":\"%s\",\"value\":%.3f,\"unit\":\"%s\","
	       "\"baseline\":\"the same cells, no relay\","
	       "\"baseline_value\":%.3f,\"ratio\":%.3f,\"valid\":%s,"
	       "\"host\":%s,\"size\":%u,\"suite\":%u,"
	       "\"repeats\":%u,\"spread\":%.3f}\n",
	       figure, value, unit, base, ratio, ok ? "true" : "false",
	       bench_host(), CELL, path.fwd[0].suite, rounds, spread);
	fprintf(stderr, "%-28s %10.3f %-6s spread %.1f %%%s\n", figure, value,
		unit, 100 * spread, ok ? "" : "  VOID");
}

static void report(unsigned n)
{
	const double bytes = (double)CELLS * TEXT;
	unsigned low = n / 4, mid = n / 2, high = n * 3 / 4;
	double mb, base, busy;
	bool ok = true;

	for (unsigned i = 0; i < n; i++)
		ok = ok && relay[i].ok && raw[i].ok;
	qsort(raw, n, sizeof(raw[0]), by_ns);
	qsort(relay, n, sizeof(relay[0]), by_ns);
	mb = bytes * 1e3 / (double)relay[mid].ns;
	base = bytes * 1e3 / (double)raw[mid].ns;
	line("relay.udp.throughput", mb, "MB/s", base, mb / base, ok, n,
	     (double)(relay[high].ns - relay[low].ns) / (double)relay[mid].ns);
	qsort(relay, n, sizeof(relay[0]), by_busy);
	busy = (double)relay[mid].busy_ns / bytes;
	line("relay.udp.busy_s_per_gb", busy, "s/GB", 0, 0, ok, n,
	     (double)(relay[high].busy_ns - relay[low].busy_ns) /
		     (double)relay[mid].busy_ns);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct dp_options o;
	int on = 1;

	need(rounds > 0 && rounds <= MOST,
	     "rounds: a number between 1 and 1000");
	dp_options_init(&o);
	o.workers = 1;
	need(vx6_addr_parse(&o.listen, "127.0.0.1:0") == VX6_OK, "address");
	need(dp_path_open(&path, 1, 0, &o), "the relay does not start");
	(void)setsockopt(path.right.fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	for (unsigned i = 0; i < rounds; i++) {
		struct vx6_addr at = dp_at(path.box[0].dp);

		fill();
		raw[i] = move(&path.right.at, CELL);
		relay[i] = move(&at, CELL - VX6_LAYER_LEN);
	}
	report((unsigned)rounds);
	dp_path_close(&path);
	return 0;
}
