/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/link.h"

#include <sodium.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/kdf.h"
#include "dataplane/wire/zero.h"

enum op { OP_ASK = 1, OP_ANSWER, OP_CHALLENGE, OP_RESPONSE };

/* P of a probe, by offset (PROTOCOL.md section 6). */
enum {
	AT_OP = 0,
	AT_ZERO = 1,
	AT_U = 2,
	AT_TOKEN = 4,
	AT_CLOCK = 12,
	AT_IP = 20,
	AT_PORT = 36,
	PROBE_LEN = 38
};

_Static_assert(VX6_PROBE_MIN == VX6_CELL_HDR + PROBE_LEN + VX6_TAG_LEN,
	       "a probe without padding");

#define TEST_LOSSES   3u            /* running: the size is lost */
#define ASK_LEAST_NS  (10 * VX6_MS) /* of the configured intervals */
#define ASK_MOST_NS   (3600 * VX6_SEC)
#define EAGER_NS      (100 * VX6_MS) /* between asks that an ask provokes */
#define CHALLENGE_NS  (1 * VX6_SEC)
#define BACKOFF_SHIFT 4u

struct probe { /* one received, opened and well formed */
	uint64_t ctr;
	uint64_t token;
	struct vx6_addr seen; /* us, as the peer sees us */
	uint16_t u;
	uint8_t op;
	bool newest;
};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- keys ---- */

void vx6_link_context(uint8_t out[32], uint32_t opener_index,
		      const uint8_t opener_nonce[16], uint32_t answerer_index,
		      const uint8_t answerer_nonce[16])
{
	uint8_t opener[3], answerer[3];
	const struct vx6_part part[] = {
		{ opener,         3  },
		{ opener_nonce,   16 },
		{ answerer,       3  },
		{ answerer_nonce, 16 }
	};

	vx6_put24(opener, opener_index);
	vx6_put24(answerer, answerer_index);
	vx6_hash(out, "vx6/1 link", part, VX6_COUNT(part));
}

void vx6_link_derive(struct vx6_link_keys *k, const uint8_t prk[32],
		     bool opener)
{
	static const char ctx[8] = { 'V', 'X', '6', 'l', 'i', 'n', 'k', '1' };

	vx6_key(opener ? k->hdr_tx : k->hdr_rx, 16, prk, ctx, 1);
	vx6_key(opener ? k->hdr_rx : k->hdr_tx, 16, prk, ctx, 2);
	vx6_key(opener ? k->probe_tx : k->probe_rx, 32, prk, ctx, 3);
	vx6_key(opener ? k->probe_rx : k->probe_tx, 32, prk, ctx, 4);
}

/* ---- intervals ---- */

static uint64_t clamp_ask(uint64_t ns, uint64_t unset)
{
	if (ns == 0)
		ns = unset;
	return sooner(later(ns, ASK_LEAST_NS), ASK_MOST_NS);
}

static uint64_t interval(const struct vx6_link *l)
{
	return l->behind_nat ? sooner(l->ask_ns, VX6_LINK_NAT_NS) : l->ask_ns;
}

/* How long an ask may stay unanswered before it is repeated. */
static uint64_t gap(const struct vx6_link *l)
{
	return sooner(later(4 * l->srtt_ns, VX6_LINK_GAP_NS), VX6_LINK_ASK_NS);
}

/* The same, growing while the link is DOWN. */
static uint64_t pause_ns(const struct vx6_link *l)
{
	unsigned shift = 0;

	if (l->state != VX6_LINK_DOWN)
		return gap(l);
	if (l->unanswered > VX6_LINK_ASKS)
		shift = l->unanswered - VX6_LINK_ASKS;
	if (shift > BACKOFF_SHIFT)
		shift = BACKOFF_SHIFT;
	return later(sooner(gap(l) << shift, interval(l)), gap(l));
}

/* ---- a path: what is known of one address pair ---- */

static void new_path(struct vx6_link *l, const struct vx6_addr *to,
		     uint64_t now)
{
	l->addr = *to;
	l->candidate = (struct vx6_addr){ 0 };
	for (unsigned i = 0; i < VX6_LINK_RECALL; i++)
		l->ask[i].open = false;
	l->test.open = false;
	l->waiting = false;
	l->unanswered = 0;
	l->srtt_ns = l->min_rtt_ns = 0;
	l->u_proved = 0;
	l->u_trial = l->u;
	l->test_lost = 0;
	l->raise_ns = 0;
	l->due_ns = l->test_ns = now;
}

enum vx6_status vx6_link_init(struct vx6_link *l,
			      const struct vx6_link_setup *setup,
			      uint64_t now_ns)
{
	enum vx6_status st;

	memset(l, 0, sizeof(*l));
	if (setup->index == 0 || setup->index > VX6_LINK_INDEX_MAX ||
	    setup->peer_index == 0 || setup->peer_index > VX6_LINK_INDEX_MAX ||
	    setup->u < VX6_PROBE_MIN || setup->u > VX6_CELL_MAX)
		return VX6_MALFORMED;
	st = vx6_aead_init(&l->probe_tx, VX6_ALG_CHACHA20_POLY1305,
			   setup->keys.probe_tx);
	if (st == VX6_OK)
		st = vx6_aead_init(&l->probe_rx, VX6_ALG_CHACHA20_POLY1305,
				   setup->keys.probe_rx);
	if (st != VX6_OK) {
		vx6_link_wipe(l);
		return st;
	}
	vx6_aes_init(&l->hp_tx, setup->keys.hdr_tx, 16);
	vx6_aes_init(&l->hp_rx, setup->keys.hdr_rx, 16);
	vx6_window_init(&l->probe_win, 0);
	l->index = setup->index;
	l->peer_index = setup->peer_index;
	l->u = setup->u;
	l->state = VX6_LINK_NEW;
	l->behind_nat = setup->behind_nat;
	l->ask_ns = clamp_ask(setup->ask_ns, VX6_LINK_ASK_NS);
	l->ask_busy_ns = clamp_ask(setup->ask_busy_ns, VX6_LINK_BUSY_NS);
	l->born_ns = now_ns;
	new_path(l, &setup->peer, now_ns);
	return VX6_OK;
}

void vx6_link_redirect(struct vx6_link *l, const struct vx6_addr *peer,
		       uint64_t now_ns)
{
	new_path(l, peer, now_ns);
}

void vx6_link_wipe(struct vx6_link *l)
{
	sodium_memzero(l, sizeof(*l));
}

/* ---- sending ---- */

static void probe_nonce(uint8_t nonce[VX6_NONCE_LEN], uint64_t ctr)
{
	memset(nonce, 0, 6);
	vx6_put48(nonce + 6, ctr);
}

/* A counter is used once.  At their end the link falls silent and dies. */
static void send_probe(struct vx6_link *l, struct vx6_link_out *out,
		       const struct vx6_addr *to, enum op op, uint64_t token,
		       size_t size, uint64_t now)
{
	uint8_t *p = out->pkt[out->n].data;
	uint8_t *text = p + VX6_CELL_HDR;
	size_t len = size - VX6_CELL_HDR;
	uint8_t nonce[VX6_NONCE_LEN];
	uint64_t ctr = l->probe_ctr;

	if (ctr >= VX6_CTR_SPAN)
		return;
	l->probe_ctr++;
	memset(text, 0, len);
	text[AT_OP] = (uint8_t)op;
	vx6_put16(text + AT_U, l->u);
	vx6_put64(text + AT_TOKEN, token);
	vx6_put64(text + AT_CLOCK, (now - l->born_ns) / VX6_US);
	memcpy(text + AT_IP, to->ip, sizeof(to->ip));
	vx6_put16(text + AT_PORT, to->port);

	vx6_cell_put(p, l->peer_index, 0);
	vx6_h8_put(p + 8, ctr, VX6_KIND_PROBE, len);
	probe_nonce(nonce, ctr);
	vx6_aead_seal(&l->probe_tx, nonce, p + 8, 8, text, text,
		      len - VX6_TAG_LEN);
	vx6_cell_protect(&l->hp_tx, p);
	out->pkt[out->n].to = *to;
	out->pkt[out->n].len = (uint16_t)size;
	out->n++;
}

static uint64_t draw_token(struct vx6_rand *rnd)
{
	uint64_t token;

	vx6_rand_fill(rnd, &token, sizeof(token));
	return token;
}

static void send_asks(struct vx6_link *l, uint64_t now, struct vx6_rand *rnd,
		      struct vx6_link_out *out)
{
	struct vx6_link_ask *a;

	l->ask_at = (uint8_t)((l->ask_at + 1u) % VX6_LINK_RECALL);
	a = &l->ask[l->ask_at];
	*a = (struct vx6_link_ask){ draw_token(rnd), now, true };
	send_probe(l, out, &l->addr, OP_ASK, a->token, VX6_PROBE_MIN, now);
	l->asks++;
	l->last_ask_ns = now;
	l->waiting = true;
	l->due_ns = now + pause_ns(l);
	if (l->state == VX6_LINK_DOWN || l->test.open || now < l->test_ns)
		return;
	l->test = (struct vx6_link_ask){ draw_token(rnd), now, true };
	send_probe(l, out, &l->addr, OP_ASK, l->test.token, l->u_trial, now);
}

/* ---- time ---- */

static uint64_t test_judged_at(const struct vx6_link *l)
{
	return l->test.sent_ns + gap(l);
}

static uint64_t ask_due(const struct vx6_link *l)
{
	uint64_t due = l->due_ns;

	if (l->waiting || l->state == VX6_LINK_DOWN)
		return due;
	if (!l->test.open)
		due = sooner(due, l->test_ns);
	uint64_t heard = later(l->heard_ns, l->cell_rx_ns);
	if (l->state == VX6_LINK_UP && l->cell_tx_ns > heard)
		due = sooner(due,
			     later(l->last_ask_ns, heard) + l->ask_busy_ns);
	return due;
}

uint64_t vx6_link_due(const struct vx6_link *l)
{
	if (vx6_addr_is_none(&l->addr))
		return VX6_NEVER;
	if (l->test.open)
		return sooner(ask_due(l), test_judged_at(l));
	return ask_due(l);
}

/* The next size to try below one that is lost; 0 = none is left. */
static uint16_t size_below(uint16_t size)
{
	/* IPv4 and IPv6 in full, PPPoE, and tunnels of common depth */
	static const uint16_t step[] = { 1452, 1444, 1412,           1372,
					 1312, 1272, VX6_LINK_U_BASE };

	for (unsigned i = 0; i < VX6_COUNT(step); i++)
		if (step[i] < size)
			return step[i];
	return 0;
}

static void size_is_lost(struct vx6_link *l, uint64_t now,
			 struct vx6_link_out *out)
{
	uint16_t next = size_below(l->u_trial);

	if (l->u_trial == l->u_proved) {
		l->u_proved = 0;
		out->events |= VX6_LINK_EV_SIZE;
	}
	l->raise_ns = now + VX6_LINK_RAISE_NS;
	l->test_ns = now;
	if (next > l->u_proved) {
		l->u_trial = next;
	} else if (l->u_proved != 0) {
		l->u_trial = l->u_proved;
		l->test_ns = now + VX6_LINK_TEST_NS;
	} else {
		l->u_trial = l->u;
		l->test_ns = l->raise_ns;
	}
}

/* The padded ask has had its time.  It says something about its size only
 * if the small ask beside it, or one after it, was answered. */
static void judge_test(struct vx6_link *l, uint64_t now,
		       struct vx6_link_out *out)
{
	l->test.open = false;
	l->test_ns = now;
	if (l->waiting || ++l->test_lost < TEST_LOSSES)
		return;
	l->test_lost = 0;
	size_is_lost(l, now, out);
}

static void ask_is_missed(struct vx6_link *l, struct vx6_link_out *out)
{
	if (l->unanswered < UINT8_MAX)
		l->unanswered++;
	if (l->unanswered < VX6_LINK_ASKS || l->state == VX6_LINK_DOWN)
		return;
	l->state = VX6_LINK_DOWN;
	l->test.open = false;
	out->events |= VX6_LINK_EV_DOWN;
}

void vx6_link_tick(struct vx6_link *l, uint64_t now_ns, struct vx6_rand *rnd,
		   struct vx6_link_out *out)
{
	out->events = 0;
	out->n = 0;
	if (now_ns < vx6_link_due(l))
		return;
	if (l->test.open && now_ns >= test_judged_at(l))
		judge_test(l, now_ns, out);
	if (now_ns < ask_due(l))
		return;
	if (l->waiting && now_ns >= l->last_ask_ns + pause_ns(l))
		ask_is_missed(l, out);
	send_asks(l, now_ns, rnd, out);
}

/* ---- receiving ---- */

static enum vx6_status read_probe(struct probe *pr, const uint8_t *text,
				  size_t len)
{
	if (len < PROBE_LEN)
		return VX6_MALFORMED;
	pr->op = text[AT_OP];
	pr->u = vx6_get16(text + AT_U);
	pr->token = vx6_get64(text + AT_TOKEN);
	pr->seen = (struct vx6_addr){ .port = vx6_get16(text + AT_PORT) };
	memcpy(pr->seen.ip, text + AT_IP, sizeof(pr->seen.ip));
	if (pr->op < OP_ASK || pr->op > OP_RESPONSE || text[AT_ZERO] != 0 ||
	    pr->u < VX6_PROBE_MIN || pr->u > VX6_CELL_MAX ||
	    !vx6_all_zero(text + PROBE_LEN, len - PROBE_LEN))
		return VX6_MALFORMED;
	return VX6_OK;
}

/* Cheap refusals, then the tag, then the window, then what it says. */
static enum vx6_status open_probe(struct vx6_link *l, uint8_t *p, size_t size,
				  struct probe *pr)
{
	uint8_t nonce[VX6_NONCE_LEN];
	struct vx6_cell cell;
	enum vx6_status st;

	if (size < VX6_CELL_MIN || size > VX6_CELL_MAX)
		return VX6_BAD_SIZE;
	st = vx6_cell_parse(&cell, p, size);
	if (st != VX6_OK)
		return st;
	if (cell.kind != VX6_KIND_PROBE || cell.circ != 0)
		return VX6_BAD_KIND;
	if (!vx6_cell_fits(0, size, cell.len))
		return VX6_BAD_SIZE;
	st = vx6_window_fresh(&l->probe_win, cell.ctr);
	if (st != VX6_OK)
		return st;
	probe_nonce(nonce, cell.ctr);
	uint8_t *text = p + VX6_CELL_HDR;
	st = vx6_aead_open(&l->probe_rx, nonce, p + 8, 8, text, text, cell.len);
	if (st != VX6_OK)
		return st;
	st = vx6_window_record(&l->probe_win, cell.ctr);
	if (st != VX6_OK)
		return st;
	pr->ctr = cell.ctr;
	pr->newest = cell.ctr >= l->probe_top;
	if (pr->newest)
		l->probe_top = cell.ctr + 1;
	return read_probe(pr, text, cell.len - VX6_TAG_LEN);
}

static void take_rtt(struct vx6_link *l, uint64_t sent, uint64_t now)
{
	uint64_t rtt = now > sent ? now - sent : 1;

	if (l->srtt_ns == 0) /* RFC 6298, alpha 1/8 */
		l->srtt_ns = rtt;
	else
		l->srtt_ns = l->srtt_ns - l->srtt_ns / 8 + rtt / 8;
	if (l->min_rtt_ns == 0 || rtt < l->min_rtt_ns)
		l->min_rtt_ns = rtt;
}

static void is_alive(struct vx6_link *l, struct vx6_link_ask *a, uint64_t now,
		     struct vx6_link_out *out)
{
	a->open = false;
	take_rtt(l, a->sent_ns, now);
	l->heard_ns = now;
	l->unanswered = 0;
	l->waiting = false;
	l->due_ns = l->last_ask_ns + interval(l);
	if (l->state == VX6_LINK_UP)
		return;
	l->state = VX6_LINK_UP;
	out->events |= VX6_LINK_EV_UP;
}

static void size_is_proved(struct vx6_link *l, uint64_t now,
			   struct vx6_link_out *out)
{
	l->test_lost = 0;
	l->test_ns = now + VX6_LINK_TEST_NS;
	if (l->u_trial > l->u_proved) {
		l->u_proved = l->u_trial;
		out->events |= VX6_LINK_EV_SIZE;
	}
	if (l->u_proved < l->u && now >= l->raise_ns) {
		l->u_trial = l->u;
		l->test_ns = now;
	}
}

static bool take_answer(struct vx6_link *l, uint64_t token, uint64_t now,
			struct vx6_link_out *out)
{
	if (l->test.open && l->test.token == token) {
		is_alive(l, &l->test, now, out);
		size_is_proved(l, now, out);
		return true;
	}
	for (unsigned i = 0; i < VX6_LINK_RECALL; i++)
		if (l->ask[i].open && l->ask[i].token == token) {
			is_alive(l, &l->ask[i], now, out);
			l->answers++;
			return true;
		}
	return false;
}

/* The peer speaks while we take it for dead, or do not know yet. */
static void ask_eagerly(struct vx6_link *l, uint64_t now)
{
	uint64_t at = l->asks == 0 ? now
				   : later(now, l->last_ask_ns + EAGER_NS);

	if (l->state != VX6_LINK_UP)
		l->due_ns = sooner(l->due_ns, at);
}

static void from_proved(struct vx6_link *l, const struct probe *pr,
			uint64_t now, struct vx6_link_out *out)
{
	if (pr->newest) {
		l->observed = pr->seen;
		l->u_peer = pr->u;
		l->candidate = (struct vx6_addr){ 0 };
	}
	switch ((enum op)pr->op) {
	case OP_ASK:
		send_probe(l, out, &l->addr, OP_ANSWER, pr->token,
			   VX6_PROBE_MIN, now);
		if (pr->newest)
			ask_eagerly(l, now);
		break;
	case OP_ANSWER: (void)take_answer(l, pr->token, now, out); break;
	case OP_CHALLENGE:
		send_probe(l, out, &l->addr, OP_RESPONSE, pr->token,
			   VX6_PROBE_MIN, now);
		break;
	case OP_RESPONSE: break; /* to a challenge since withdrawn */
	}
}

/* Somebody who is faster than the peer may send us each of its probes from
 * an address of his own.  So that this kills no link, asks are answered to
 * the proved address, and answers to our asks keep a link UP. */
static enum vx6_status from_elsewhere(struct vx6_link *l,
				      const struct probe *pr,
				      const struct vx6_addr *from, uint64_t now,
				      struct vx6_rand *rnd,
				      struct vx6_link_out *out)
{
	bool heeded = pr->op == OP_ANSWER && l->state == VX6_LINK_UP &&
		      take_answer(l, pr->token, now, out);

	if (!pr->newest)
		return heeded ? VX6_OK : VX6_BAD_SOURCE;
	if (pr->op == OP_RESPONSE && vx6_addr_eq(&l->candidate, from) &&
	    l->candidate_token == pr->token) {
		new_path(l, from, now);
		l->observed = pr->seen;
		l->u_peer = pr->u;
		out->events |= VX6_LINK_EV_MOVED | VX6_LINK_EV_SIZE;
		return VX6_OK;
	}
	if (pr->op == OP_CHALLENGE) {
		send_probe(l, out, from, OP_RESPONSE, pr->token, VX6_PROBE_MIN,
			   now);
		return VX6_OK;
	}
	if (pr->op == OP_ASK) {
		send_probe(l, out, &l->addr, OP_ANSWER, pr->token,
			   VX6_PROBE_MIN, now);
		heeded = true;
	}
	if (l->challenged && now < l->challenge_ns + CHALLENGE_NS)
		return heeded ? VX6_OK : VX6_RATE;
	l->challenged = true;
	l->challenge_ns = now;
	l->candidate = *from;
	l->candidate_token = draw_token(rnd);
	send_probe(l, out, from, OP_CHALLENGE, l->candidate_token,
		   VX6_PROBE_MIN, now);
	return VX6_OK;
}

enum vx6_status vx6_link_probe(struct vx6_link *l, uint8_t *p, size_t size,
			       const struct vx6_addr *from, uint64_t now_ns,
			       struct vx6_rand *rnd, struct vx6_link_out *out)
{
	struct probe pr;
	enum vx6_status st;

	out->events = 0;
	out->n = 0;
	if (from->port == 0)
		return VX6_BAD_SOURCE;
	st = open_probe(l, p, size, &pr);
	if (st != VX6_OK)
		return st;
	if (vx6_addr_is_none(&l->addr)) {
		if (pr.op != OP_ASK)
			return VX6_BAD_SOURCE;
		new_path(l, from, now_ns);
	}
	if (!vx6_addr_eq(&l->addr, from))
		return from_elsewhere(l, &pr, from, now_ns, rnd, out);
	from_proved(l, &pr, now_ns, out);
	return VX6_OK;
}
