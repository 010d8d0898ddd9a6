/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic: datagrams of strangers, and frames of peers that passed the
 * handshake.
 *
 *     input = u8 mode, then records {u8 how, u8 len, bytes}
 *
 *     mode % 3 == 0  each record is a datagram to a server that has a
 *                    connection, or to a client in the middle of its
 *                    handshake: raw, behind a real header, or laid over a
 *                    real datagram
 *     mode % 3 == 1  each record is what a client's next packet says
 *     mode % 3 == 2  the same of a server
 *
 * The process must live; a victim raises `closed` at most once a
 * connection. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"
#include "tests/support/evil.h"
#include "tests/support/pair.h"

static struct input {
	const uint8_t *at;
	size_t left;
} in;

struct record {
	uint8_t how;
	size_t len;
	const uint8_t *data;
};

static bool next(struct record *r)
{
	if (in.left < 2)
		return false;
	r->how = in.at[0];
	r->len = in.at[1];
	in.at += 2;
	in.left -= 2;
	if (r->len > in.left)
		r->len = in.left;
	r->data = in.at;
	in.at += r->len;
	in.left -= r->len;
	return true;
}

static struct pair p;
static uint8_t last[2][1500]; /* a real datagram to each end */
static size_t last_len[2];

static bool keep(struct pair *pr, unsigned end, unsigned leg, uint8_t *data,
		 size_t *len)
{
	(void)pr;
	(void)leg;
	if (*len <= sizeof(last[0])) {
		memcpy(last[end], data, *len);
		last_len[end] = *len;
	}
	return true;
}

/* ---- strangers ---- */

static size_t compose(const struct record *r, unsigned end, uint8_t *out)
{
	size_t len = r->len;

	memset(out, 0, 1500);
	switch (r->how >> 1 & 3) {
	case 0: /* as it is, padded where it looks like an Initial */
		memcpy(out, r->data, len);
		return len > 0 && (out[0] & 0xf0) == 0xc0 ? 1200 : len;
	case 1: { /* behind the header of a real one */
		size_t head = last_len[end] < 24 ? last_len[end] : 24;

		memcpy(out, last[end], head);
		memcpy(out + head, r->data, len);
		return head + len;
	}
	case 2: /* laid over a real one */
		memcpy(out, last[end], last_len[end]);
		for (size_t i = 0; i < len && i < last_len[end]; i++)
			out[i] ^= r->data[i];
		return last_len[end];
	default: /* a real one cut, or repeated */
		memcpy(out, last[end], last_len[end]);
		return len > 0 ? last_len[end] * r->data[0] / 255
			       : last_len[end];
	}
}

static void strangers(void)
{
	struct record r;
	uint8_t out[1500];

	p.tamper = keep;
	if (!pair_connect(&p, QUIC_SESSION, 0))
		abort();
	pair_dial(&p, QUIC_TUNNEL, true, 0);
	pair_run(&p, 15 * VX6_MS);
	while (next(&r)) {
		unsigned end = r.how & 1;
		struct quic_path path;
		size_t len = compose(&r, end, out);

		pipes_path(&path, end, r.how >> 3 & 3);
		quic_read(p.end[end].ep, &path, r.how >> 5 & 3, out, len,
			  p.now_ns);
		quic_flush(p.end[end].ep, p.now_ns);
		pair_run(&p, (r.how >> 7) * 20 * VX6_MS);
	}
	pair_run(&p, 10 * VX6_SEC);
}

/* ---- peers ---- */

static bool speaks;

static void speak(void *ctx, uint8_t *text, size_t len, bool app)
{
	struct record r;

	(void)ctx;
	if (!app || !speaks || len < 24 || !next(&r))
		return;
	if (r.how & 1)
		memset(text, 0, len);
	memcpy(text, r.data, r.len < len ? r.len : len);
}

static void one_turn(unsigned end, unsigned i)
{
	uint8_t some[1000];
	struct quic_conn *c = p.end[end].conn;
	int64_t id;

	memset(some, 1, sizeof(some));
	if (c && quic_is_ready(c) && quic_stream_new(c, &id) == VX6_OK)
		quic_stream_send(c, id, some, sizeof(some), i & 1);
	if (c && quic_is_ready(c))
		(void)!quic_datagram_send(c, some, 60);
	quic_flush(p.end[end].ep, p.now_ns);
}

static void peers(bool server)
{
	uint64_t until = p.now_ns + 5 * VX6_SEC;

	if (server) {
		evil_serve(&p, speak, NULL);
		pair_connect(&p, QUIC_TUNNEL, 0);
	} else {
		evil_dial(&p, QUIC_TUNNEL, speak, NULL);
		while (p.end[1].ready_cnt == 0 && pair_step(&p, until)) {
		}
	}
	pair_run(&p, 100 * VX6_MS);
	speaks = true;
	for (unsigned i = 0; i < 40 && in.left >= 2; i++) {
		one_turn(server ? 1 : 0, i);
		pair_run(&p, 30 * VX6_MS);
		if (i % 3 == 0)
			one_turn(server ? 0 : 1, i);
	}
	speaks = false;
	pair_run(&p, 5 * VX6_SEC);
	if (p.end[0].closed_cnt > 1 || p.end[1].closed_cnt > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	in = (struct input){ data + 1, len - 1 };
	pair_open(&p, NULL, NULL, 1);
	if (data[0] % 3 == 0)
		strangers();
	else
		peers(data[0] % 3 == 2);
	pair_close(&p);
	return 0;
}
