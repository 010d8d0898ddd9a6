/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_link: any list of datagrams, authentic or not, from any of four
 * addresses, and any passing of time, leaves a link in a state that exists.
 *
 * It never sends more to an address that is not proved than came from it,
 * never a datagram that is no probe's size, never seals a counter twice,
 * and never asks to be called without end. */
#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/link.h"

static struct vx6_link l;
static struct vx6_aead seal;
static struct vx6_rand rnd;
static struct vx6_link_out out;
static uint64_t now, sealed;
static uint8_t cell[VX6_CELL_MAX];

static struct vx6_addr address(unsigned which)
{
	struct vx6_addr a = { .port = (uint16_t)(4240 + which % 4) };

	a.ip[15] = 1;
	return a;
}

static void judge(const struct vx6_addr *from, size_t came)
{
	size_t elsewhere = 0;

	if (out.n > 2 || l.state > VX6_LINK_DOWN || l.u_proved > l.u ||
	    l.probe_ctr != sealed + out.n)
		abort();
	sealed = l.probe_ctr;
	for (unsigned i = 0; i < out.n; i++) {
		if (out.pkt[i].len < VX6_PROBE_MIN || out.pkt[i].len > l.u ||
		    vx6_get24(out.pkt[i].data + 1) != l.peer_index)
			abort();
		if (from != NULL && !vx6_addr_eq(&out.pkt[i].to, &l.addr))
			elsewhere += out.pkt[i].len;
	}
	if (elsewhere > came)
		abort();
}

static void arrives(size_t size, unsigned which)
{
	struct vx6_addr from = address(which);
	enum vx6_status st = vx6_link_probe(&l, cell, size, &from, now, &rnd,
					    &out);

	if (vx6_status_owed(st) == VX6_OWE_BOOT ||
	    (st != VX6_OK && out.n + out.events != 0))
		abort();
	judge(&from, size);
}

static void anything(struct fuzz_input *in)
{
	size_t size = fuzz_take(in, 2) % (VX6_CELL_MAX + 1);
	size_t n = size < in->len ? size : in->len;

	memset(cell, 0, sizeof(cell));
	if (n > 0)
		memcpy(cell, in->p, n);
	in->p += n;
	in->len -= n;
	if (size >= VX6_CELL_MIN)
		arrives(size, (unsigned)fuzz_take(in, 1));
}

/* A probe of the peer, who has the key and need not be honest. */
static void authentic(struct fuzz_input *in)
{
	uint64_t ctr = fuzz_take(in, 4);
	size_t text = fuzz_take(in, 2) % 1441, at = fuzz_take(in, 2);
	uint8_t nonce[VX6_NONCE_LEN] = { 0 };

	memset(cell, 0, sizeof(cell));
	vx6_cell_put(cell, l.index, 0);
	vx6_h8_put(cell + 8, ctr, VX6_KIND_PROBE, text + 16);
	cell[16] = (uint8_t)fuzz_take(in, 1);
	vx6_put16(cell + 18, (uint16_t)fuzz_take(in, 2));
	switch (fuzz_take(in, 1) % 4) { /* a token that it was told, or not */
	case 0: vx6_put64(cell + 20, l.ask[l.ask_at].token); break;
	case 1: vx6_put64(cell + 20, l.test.token); break;
	case 2: vx6_put64(cell + 20, l.candidate_token); break;
	default: vx6_put64(cell + 20, fuzz_take(in, 8)); break;
	}
	cell[16 + at % 1441] |= (uint8_t)fuzz_take(in, 1);
	vx6_put48(nonce + 6, ctr);
	vx6_aead_seal(&seal, nonce, cell + 8, 8, cell + 16, cell + 16, text);
	if (16 + text + 16 >= VX6_CELL_MIN)
		arrives(32 + text, (unsigned)fuzz_take(in, 1));
}

static void time_passes(struct fuzz_input *in)
{
	uint64_t due = vx6_link_due(&l);

	if (fuzz_take(in, 1) % 2 == 0 && due != VX6_NEVER)
		now = due > now ? due : now;
	else
		now += fuzz_take(in, 3) * VX6_MS;
	for (unsigned i = 0; vx6_link_due(&l) <= now; i++) {
		if (i == 8)
			abort();
		vx6_link_tick(&l, now, &rnd, &out);
		judge(NULL, 0);
	}
	if (fuzz_take(in, 1) % 4 == 0)
		l.cell_tx_ns = now;
	if (fuzz_take(in, 1) % 8 == 0)
		l.cell_rx_ns = now;
}

static void begin(struct fuzz_input *in)
{
	struct vx6_link_setup s = { .index = 1, .peer_index = 2 };
	uint8_t seed[32] = { 5 };
	unsigned how = (unsigned)fuzz_take(in, 1);

	memset(&s.keys, 0x11, sizeof(s.keys));
	s.u = (uint16_t)(70 + fuzz_take(in, 2) % 1403);
	s.behind_nat = how & 1;
	if (how & 2)
		s.peer = address(0);
	s.ask_ns = fuzz_take(in, 2) * VX6_MS * 10;
	now = VX6_SEC;
	sealed = 0;
	vx6_rand_seed(&rnd, seed);
	if (vx6_link_init(&l, &s, now) != VX6_OK ||
	    vx6_aead_init(&seal, VX6_ALG_CHACHA20_POLY1305, s.keys.probe_rx) !=
		    VX6_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool started;
	struct fuzz_input in = { data, len };

	if (!started && (sodium_init() < 0 || vx6_aead_start() != VX6_OK))
		abort();
	started = true;
	begin(&in);
	while (in.len > 0) {
		unsigned what = (unsigned)fuzz_take(&in, 1);

		if (what % 4 == 0)
			anything(&in);
		else if (what % 4 == 1)
			time_passes(&in);
		else
			authentic(&in);
		if (what == 255) {
			struct vx6_addr to = address(what + 1);

			vx6_link_redirect(&l, &to, now);
		}
	}
	return 0;
}
