/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_session: what a tunnel costs the two processors at its ends.
 *
 *     bench_session [megabytes]       (default 192)
 *
 * Two endpoints in one process over pipes in memory, in virtual time: no
 * socket, no kernel, no waiting.  The path is 20 ms and 1,452 bytes wide,
 * the windows are the product's.  Time is the process's CPU time and holds
 * both ends: making, sealing, opening and reading every packet, and the
 * pipes' copies.
 *
 *   session.stream     bytes of one stream; the baseline seals and opens
 *                      the same bytes with the same cipher, and nothing else
 *   session.handshake  whole handshakes, both ends proved; the baseline is
 *                      the two signatures, two verifications and the four
 *                      X25519 operations that none can do without
 *
 * Median of 5 turns, each after its baseline.  A stream whose bytes differ
 * or a handshake that fails makes the figure invalid.
 *
 * JSON Lines on stdout, a table on stderr. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "benchmarks/host.h"
#include "benchmarks/median.h"
#include "controlplane/session/quic.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/aead/aead.h"
#include "tests/support/pair.h"

#define SAMPLES    5u
#define HANDSHAKES 200u
#define BLOCK      65536u
#define PACKET     1400u

struct figure {
	const char *name, *unit, *baseline;
	double value[SAMPLES], base[SAMPLES];
	bool valid;
};

static struct pair p;
static uint8_t block[BLOCK];
static uint64_t total, sent, got;
static int64_t stream;
static bool same;

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- one stream ---- */

static void pump(struct quic_conn *c)
{
	while (sent < total) {
		size_t at = (size_t)(sent % BLOCK);
		size_t n = quic_stream_send(c, stream, block + at, BLOCK - at,
					    false);

		sent += n;
		if (n < BLOCK - at)
			return;
	}
}

static void on_room(void *ctx, struct quic_conn *c, int64_t id)
{
	(void)ctx;
	(void)id;
	pump(c);
}

static void on_data(void *ctx, struct quic_conn *c, int64_t id,
		    const uint8_t *data, size_t len, bool fin)
{
	(void)ctx;
	(void)fin;
	quic_stream_consumed(c, id, len);
	while (len > 0) {
		size_t at = (size_t)(got % BLOCK);
		size_t n = len < BLOCK - at ? len : BLOCK - at;

		same = same && memcmp(data, block + at, n) == 0;
		got += n;
		data += n;
		len -= n;
	}
}

/* MB a second, or 0 where something went wrong. */
static double stream_rate(void)
{
	double took;

	pair_open(&p, NULL, NULL, 1);
	p.end[0].hooks.stream_room = on_room;
	p.end[1].hooks.stream_data = on_data;
	sent = got = 0;
	same = true;
	if (!pair_connect(&p, QUIC_TUNNEL, 0) ||
	    quic_stream_new(p.end[0].conn, &stream) != VX6_OK)
		return 0;
	pair_run(&p, VX6_SEC); /* the path's width is found */
	took = cpu_s();
	pump(p.end[0].conn);
	quic_flush(p.end[0].ep, p.now_ns);
	uint64_t until = p.now_ns + 600 * VX6_SEC;
	while (got < sent && pair_step(&p, until)) {
	}
	took = cpu_s() - took;
	bool ok = same && got >= total && p.end[0].closed_cnt == 0;
	pair_close(&p);
	return ok ? (double)got / took / 1e6 : 0;
}

static enum vx6_alg chosen(void)
{
	return vx6_aead_offers(VX6_ALG_AES128_GCM) ? VX6_ALG_AES128_GCM
						   : VX6_ALG_CHACHA20_POLY1305;
}

static double cipher_rate(void)
{
	struct vx6_aead a;
	uint8_t nonce[VX6_NONCE_LEN] = { 0 }, ad[13] = { 0 };
	uint8_t out[PACKET + 16];
	uint64_t n = total / PACKET;
	bool ok = vx6_aead_init(&a, chosen(), block) == VX6_OK;
	double took = cpu_s();

	for (uint64_t i = 0; ok && i < n; i++) {
		memcpy(nonce, &i, sizeof(i));
		vx6_aead_seal(&a, nonce, ad, sizeof(ad), out,
			      block + i * 64 % (BLOCK - PACKET), PACKET);
		ok = vx6_aead_open(&a, nonce, ad, sizeof(ad), out, out,
				   sizeof(out)) == VX6_OK;
	}
	took = cpu_s() - took;
	vx6_aead_wipe(&a);
	return ok ? (double)n * PACKET / took / 1e6 : 0;
}

/* ---- handshakes ---- */

static double handshake_rate(void)
{
	bool ok = true;

	pair_open(&p, NULL, NULL, 1);
	double took = cpu_s();
	for (unsigned i = 0; i < HANDSHAKES && ok; i++)
		ok = pair_connect(&p, QUIC_TUNNEL, 0);
	took = cpu_s() - took;
	pair_close(&p);
	return ok ? HANDSHAKES / took : 0;
}

static double primitive_rate(void)
{
	uint8_t pk[32], sk[64], sig[64], point[32], out[32];
	bool ok = crypto_sign_keypair(pk, sk) == 0;
	double took;

	crypto_scalarmult_base(point, sk);
	took = cpu_s();
	for (unsigned i = 0; i < HANDSHAKES && ok; i++) {
		for (unsigned end = 0; end < 2 && ok; end++) {
			crypto_sign_detached(sig, NULL, block, 130, sk);
			ok = crypto_sign_verify_detached(sig, block, 130, pk) ==
			     0;
			crypto_scalarmult_base(out, sk + 1);
			ok = ok && crypto_scalarmult(out, sk, point) == 0;
		}
	}
	took = cpu_s() - took;
	return ok ? HANDSHAKES / took : 0;
}

/* ---- figures ---- */

static void print(struct figure *f)
{
	double least, most, value, base;

	value = bench_median(f->value, SAMPLES);
	base = bench_median(f->base, SAMPLES);
	least = f->value[0];
	most = f->value[SAMPLES - 1];
	f->valid = f->valid && least > 0 && f->base[0] > 0;
	printf("{\"figure\":\"%s\",\"value\":%.1f,\"unit\":\"%s\","
	       "\"baseline\":\"%s\",\"baseline_value\":%.1f,\"ratio\":%.3f,"
	       "\"valid\":%s,\"min\":%.1f,\"max\":%.1f,\"host\":%s,"
	       "\"cipher\":\"%s\",\"size\":1452,"
	       "\"window\":16777216,\"mb\":%llu,\"repeats\":%u,\"seed\":1}\n",
	       f->name, value, f->unit, f->baseline, base,
	       base > 0 ? value / base : 0, f->valid ? "true" : "false", least,
	       most, bench_host(),
	       chosen() == VX6_ALG_AES128_GCM ? "AES-128-GCM"
					      : "ChaCha20-Poly1305",
	       (unsigned long long)(total / 1000000), SAMPLES);
	fprintf(stderr, "%-20s %9.1f %-6s  baseline %9.1f  ratio %.3f%s\n",
		f->name, value, f->unit, base, base > 0 ? value / base : 0,
		f->valid ? "" : "  INVALID");
}

int main(int argc, char **argv)
{
	struct figure streams = { .name = "session.stream",
				  .unit = "MB/s",
				  .baseline = "seal and open alone",
				  .valid = true };
	struct figure shakes = { .name = "session.handshake",
				 .unit = "1/s",
				 .baseline = "signatures and X25519 alone",
				 .valid = true };
	long mb = argc > 1 ? strtol(argv[1], NULL, 10) : 192;

	if (mb <= 0 || vx6_aead_start() != VX6_OK || sodium_init() < 0) {
		fprintf(stderr, "usage: bench_session [megabytes]\n");
		return 2;
	}
	total = (uint64_t)mb * 1000000;
	pair_fill(9, 0, block, sizeof(block));
	for (unsigned i = 0; i < SAMPLES; i++) {
		streams.base[i] = cipher_rate();
		streams.value[i] = stream_rate();
		shakes.base[i] = primitive_rate();
		shakes.value[i] = handshake_rate();
	}
	print(&streams);
	print(&shakes);
	return streams.valid && shakes.valid ? 0 : 1;
}
