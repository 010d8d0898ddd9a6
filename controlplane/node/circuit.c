/* SPDX-License-Identifier: GPL-2.0-or-later */

/* circuit: core/origin's decisions carried out. */

#include "controlplane/node/circuit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "controlplane/core/lack.h"
#include "controlplane/core/note.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/tunnel.h"
#include "controlplane/record/message.h"
#include "dataplane/wire/ctl.h"
#include "dataplane/wire/kdf.h"

#define LIFE_SLACK_NS (30 * VX6_SEC)
#define LIFE_MIN      60u /* minutes asked for */
#define LINGER_NS     (250 * VX6_MS)

static void step(struct circuit *c, enum origin_ev kind, unsigned hop,
		 unsigned code);

/* ---- birth and death ---- */

static void unlist(struct circuit *c)
{
	struct node *n = c->node;

	for (struct circuit **at = &n->circuits; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			n->circuit_cnt--;
			return;
		}
}

static void drop_secret(struct circuit *c)
{
	if (!c->secret)
		return;
	vx6_create_origin_wipe(c->secret);
	free(c->secret);
	c->secret = NULL;
}

static void let_go(struct circuit *c)
{
	unlist(c);
	loop_timer_clear(&c->timer);
	peer_unseek(&c->wait);
	ids_give(&c->node->ids, c->back_id);
	c->back_id = 0;
	chan_close(&c->chan);
	drop_secret(c);
	if (c->leg) {
		vx6_leg_wipe(c->leg);
		free(c->leg);
		c->leg = NULL;
	}
	if (c->first)
		peer_drop(c->first);
	c->first = NULL;
	c->gone = true;
	if (c->pending > 0)
		c->zombie = true;
	else
		node_bury(c->node, &c->grave);
}

static void on_timer(void *ctx)
{
	struct circuit *c = ctx;

	step(c, c->released ? ORIGIN_EV_CLOSE : ORIGIN_EV_TICK, 0, 0);
}

/* ---- what core/origin asks for ---- */

static void found_first(void *ctx, struct peer *p, enum vx6_status st)
{
	struct circuit *c = ctx;

	if (st != VX6_OK) {
		step(c, ORIGIN_EV_UNREACHABLE, 0, 0);
		return;
	}
	c->first = p;
	peer_hold(p);
	step(c, ORIGIN_EV_READY, 0, 0);
}

_Static_assert((unsigned)CONFIG_SUITE_AES256_GCM == VX6_SUITE_AES256_GCM &&
		       (unsigned)CONFIG_SUITE_CHACHA20_POLY1305 ==
			       VX6_SUITE_CHACHA20_POLY1305 &&
		       (unsigned)CONFIG_SUITE_AEGIS128L == VX6_SUITE_AEGIS128L,
	       "the configuration calls suites as the wire does");

/* The suite that is wanted where hop and host have it, else the first of
 * the others; ChaCha20-Poly1305 is everywhere. */
static uint8_t suite_for(const struct circuit *c, uint32_t offered)
{
	const unsigned want[] = { c->node->cfg.suite, VX6_SUITE_AES256_GCM };

	for (unsigned i = 0; i < VX6_COUNT(want); i++)
		if (want[i] != CONFIG_SUITE_AUTO && offered >> want[i] & 1u &&
		    vx6_suite_offers(want[i]))
			return (uint8_t)want[i];
	return VX6_SUITE_CHACHA20_POLY1305;
}

static bool fill_hops(struct circuit *c, struct vx6_create_hop hop[])
{
	uint32_t now = node_wall();

	for (unsigned i = 0; i < c->hops; i++) {
		struct node_record rec;
		const struct node_onion *key;

		if (node_record(c->node, c->id[i], &rec) != VX6_OK)
			return false;
		key = node_record_onion(&rec, now);
		if (!key)
			return false;
		hop[i] = (struct vx6_create_hop){
			.expires = now + 60u +
				   vx6_rand_below(&c->node->rnd, 61u),
			.cell_size = c->cell_size,
			.lifetime_min = LIFE_MIN,
			.role = i + 1 < c->hops ? VX6_ROLE_RELAY : VX6_ROLE_END,
			.suite = suite_for(c, rec.suites),
		};
		memcpy(hop[i].node_id, c->id[i], 32);
		memcpy(hop[i].onion_public, key->public_key, 32);
	}
	return true;
}

static bool make_onion(struct circuit *c, uint8_t onion[VX6_ONION_LEN],
		       uint32_t *kid)
{
	struct vx6_create_hop hop[VX6_HOPS_MAX];
	struct vx6_create_random *rnd = malloc(sizeof(*rnd));
	bool ok = false;

	c->secret = malloc(sizeof(*c->secret));
	if (rnd && c->secret && fill_hops(c, hop)) {
		randombytes_buf(rnd, sizeof(*rnd));
		ok = vx6_create_build(onion, c->secret, hop, c->hops, NULL, 0,
				      rnd) == VX6_OK;
		*kid = vx6_kid(hop[0].onion_public);
		sodium_memzero(rnd, sizeof(*rnd));
	}
	free(rnd);
	return ok;
}

static void do_create(struct circuit *c)
{
	uint8_t onion[VX6_ONION_LEN], body[VX6_MSG_CREATE_LEN];
	uint32_t kid;

	c->back_id = ids_take(&c->node->ids, c, NODE_ID_CIRCUIT);
	if (c->back_id == 0 || !make_onion(c, onion, &kid)) {
		step(c, ORIGIN_EV_NO_ROOM, 0, 0);
		return;
	}
	vx6_msg_create_emit(body, &(struct vx6_msg_create){
					  .link = c->first->peer_index,
					  .kid = kid,
					  .back_id = c->back_id,
					  .handshake = VX6_HANDSHAKE,
					  .onion = onion,
				  });
	c->created_ns = loop_now(c->node->loop);
	peer_send(c->first, VX6_MSG_CREATE, body, sizeof(body));
}

static void added(void *ctx, enum vx6_status st)
{
	struct circuit *c = ctx;

	c->pending--;
	if (c->zombie) {
		free(c);
		return;
	}
	step(c, st == VX6_OK ? ORIGIN_EV_INSTALLED : ORIGIN_EV_NO_ROOM, 0, 0);
}

static void do_install(struct circuit *c)
{
	assert(c->first); /* held since SEEK was answered */

	struct plane *plane = c->node->plane;
	struct abi_half h = {
		.start_rx = c->back_start,
		.life_ns = c->origin.times.life_ns + LIFE_SLACK_NS,
		.id = c->back_id,
		.in_link = c->first->index,
		.cell_size_in = c->cell_size,
		.kind = ABI_HALF_LOCAL,
	};

	struct note note = {
		.use = NOTE_ORIGIN,
		.life_s = (uint32_t)(c->origin.times.life_ns / VX6_SEC),
	};

	memcpy(note.node, c->first->id, sizeof(note.node));
	note_emit(h.note, &note);
	c->pending++;
	if (plane->ops->half_add(plane, &h, added, c) != VX6_OK) {
		c->pending--;
		step(c, ORIGIN_EV_NO_ROOM, 0, 0);
	}
}

static void do_destroy(struct circuit *c)
{
	uint8_t body[VX6_MSG_DESTROY_LEN];

	if (!c->first || c->forward_id == 0)
		return;
	vx6_msg_destroy_emit(
		body, &(struct vx6_msg_destroy){ .id = c->forward_id,
						 .reason = VX6_DESTROY_DONE });
	peer_send(c->first, VX6_MSG_DESTROY, body, sizeof(body));
}

static void do_opened(struct circuit *c)
{
	c->opened_ns = loop_now(c->node->loop);
	c->node->stats.circuits_built++;
	if (chan_tell_d(&c->chan) != VX6_OK)
		log_debug("circuit", "d-not-told", log_u64("n", c->n));
	c->ev.opened(c->ctx, c);
}

static const char *code_text(unsigned code)
{
	static const char *const text[VX6_CREATED_CODE_CNT] = {
		[VX6_CREATED_OK] = "is fine",
		[VX6_CREATED_NEXT_UNKNOWN] = "does not know the next hop",
		[VX6_CREATED_NEXT_UNREACHABLE] = "cannot reach the next hop",
		[VX6_CREATED_NEXT_REFUSED] = "was refused by the next hop",
		[VX6_CREATED_NEXT_NO_KEY] =
			"says that the next hop has changed its onion key",
		[VX6_CREATED_NO_ROOM] = "has no room for another circuit",
		[VX6_CREATED_POLICY] = "does not serve such a circuit",
		[VX6_CREATED_NO_COOKIE] = "knows no such cookie",
		[VX6_CREATED_EXPIRED] = "says that it came too late",
	};

	return code < VX6_CREATED_CODE_CNT ? text[code]
					   : "failed for an unknown reason";
}

static void narrow_words(const struct circuit *c, char *out, size_t cap)
{
	char from[VX6_ID_TEXT], to[VX6_ID_TEXT];
	unsigned at = c->narrow_at;

	node_label(c->node, at ? c->id[at - 1] : c->node->id.id, from);
	snprintf(out, cap,
		 "the link from %s to %s takes datagrams of %u bytes, which is "
		 "too small for %s: name other relays, or raise its MTU",
		 from, node_label(c->node, c->id[at], to), (unsigned)c->u,
		 c->cell_size ? "cells of the size asked for"
			      : "a circuit of that many hops");
}

static void why_words(const struct circuit *c, char *out, size_t cap)
{
	const struct origin *o = &c->origin;
	char label[VX6_ID_TEXT], next[VX6_ID_TEXT];
	unsigned hop = o->hop < c->hops ? o->hop : 0;

	if (c->narrow) {
		narrow_words(c, out, cap);
		return;
	}
	node_label(c->node, c->id[hop], label);
	if (o->why != ORIGIN_WHY_CODE) {
		snprintf(out, cap, "%s (%s)", origin_why_text(o->why),
			 node_label(c->node, c->id[0], label));
		return;
	}
	if (hop + 1 < c->hops && o->code <= VX6_CREATED_NEXT_NO_KEY)
		snprintf(out, cap, "relay %s %s, %s", label, code_text(o->code),
			 node_label(c->node, c->id[hop + 1], next));
	else
		snprintf(out, cap, "%s %s", label, code_text(o->code));
}

static void do_ended(struct circuit *c)
{
	char text[256];

	why_words(c, text, sizeof(text));
	if (c->opened_ns == 0)
		c->node->stats.circuits_failed++;
	chan_close(&c->chan);
	c->ev.ended(c->ctx, c, c->origin.why, text);
}

static void act(struct circuit *c, enum origin_act what)
{
	switch (what) {
	case ORIGIN_ACT_SEEK:
		c->wait.done = found_first;
		c->wait.ctx = c;
		peer_seek(c->node, c->id[0], &c->wait);
		return;
	case ORIGIN_ACT_CREATE: do_create(c); return;
	case ORIGIN_ACT_INSTALL: do_install(c); return;
	case ORIGIN_ACT_OPENED: do_opened(c); return;
	case ORIGIN_ACT_FAILED:
	case ORIGIN_ACT_CLOSED: do_ended(c); return;
	case ORIGIN_ACT_REMOVE:
		if (!c->node->in_plane)
			c->node->plane->ops->half_remove(c->node->plane,
							 c->back_id);
		return;
	case ORIGIN_ACT_DESTROY: do_destroy(c); return;
	case ORIGIN_ACT_FREE: let_go(c); return;
	}
}

/* Actions that may step again are the last of their list. */
static void step(struct circuit *c, enum origin_ev kind, unsigned hop,
		 unsigned code)
{
	struct origin_event ev = { .kind = kind,
				   .hop = (uint8_t)hop,
				   .code = (uint8_t)code,
				   .now_ns = loop_now(c->node->loop) };
	struct origin_out out;

	if (origin_step(&c->origin, &ev, &out) != VX6_OK)
		return;
	loop_timer_set(&c->timer, origin_due(&c->origin));
	for (unsigned i = 0; i < out.n && !c->gone; i++)
		act(c, out.act[i]);
}

/* ---- the channel inside ---- */

static enum vx6_status send_cell(struct circuit *c, unsigned to,
				 enum vx6_kind kind, uint8_t *buf, size_t len)
{
	struct plane *plane = c->node->plane;
	uint8_t *cell;
	uint16_t clen;
	enum vx6_status st;

	if (c->origin.state != ORIGIN_OPEN || !c->first)
		return VX6_CLOSED;
	st = vx6_leg_seal(c->leg, to, kind, buf, len, &cell, &clen);
	if (st != VX6_OK)
		return st;
	c->cells_out++;
	return plane->ops->send(plane, c->first->index, c->forward_id,
				c->cell_size, cell + 8, 8u + clen);
}

static enum vx6_status seal(void *owner, enum vx6_kind kind, uint8_t *buf,
			    size_t len)
{
	struct circuit *c = owner;

	return send_cell(c, c->hops - 1, kind, buf, len);
}

static const struct chan_ops ops = { .seal = seal };

void circuit_measure(struct circuit *c)
{
	struct vx6_ctl m = { .body = c->ping_body,
			     .len = sizeof(c->ping_body),
			     .type = VX6_CTL_PING };
	size_t out;

	randombytes_buf(c->ping_body, sizeof(c->ping_body));
	c->ping_ns = vx6_now_ns();
	for (unsigned i = 0; i < c->hops; i++) {
		uint8_t buf[VX6_LEG_FRONT + VX6_CTL_HDR + 8u + VX6_LEG_BACK];

		if (vx6_ctl_emit(buf + VX6_LEG_FRONT, VX6_CTL_HDR + 8u, 0, &m,
				 &out) == VX6_OK &&
		    send_cell(c, i, VX6_KIND_CONTROL, buf, out) == VX6_OK)
			c->node->stats.control_out++;
	}
}

static void pong(struct circuit *c, unsigned hop, const uint8_t *body)
{
	if (!c->ping_ns || hop >= c->hops || c->rtt_ns[hop] ||
	    sodium_memcmp(body, c->ping_body, sizeof(c->ping_body)) != 0)
		return;
	c->rtt_ns[hop] = vx6_now_ns() - c->ping_ns;
	for (; c->rtt_told < c->hops && c->rtt_ns[c->rtt_told]; c->rtt_told++)
		c->ev.hop(c->ctx, c, c->rtt_told, c->rtt_ns[c->rtt_told]);
}

static void control(struct circuit *c, const struct vx6_leg_open *o)
{
	struct vx6_ctl m;

	c->node->stats.control_in++;
	if (vx6_ctl_parse(&m, o->plain, o->len) == VX6_OK &&
	    m.type == VX6_CTL_PONG && !c->released)
		pong(c, o->from, m.body);
}

bool circuit_worn(const struct circuit *c)
{
	uint64_t age = loop_now(c->node->loop) - c->opened_ns;

	return c->origin.state == ORIGIN_OPEN &&
	       (age / 3 >= c->origin.times.life_ns / 4 ||
		vx6_leg_rebuild_due(c->leg));
}

void circuit_cell(struct node *n, void *owner, uint8_t *p, size_t size)
{
	struct circuit *c = owner;
	struct vx6_leg_open o;
	enum vx6_status st = VX6_NO_CIRCUIT;

	if (c->origin.state == ORIGIN_OPEN)
		st = vx6_leg_open(c->leg, p, size, &o);
	if (st == VX6_OK) {
		c->cells_in++;
		if (o.kind == VX6_KIND_CONTROL)
			control(c, &o);
		else if (o.kind == VX6_KIND_DATA && o.from + 1 == c->hops)
			st = chan_input(&c->chan, o.plain, o.len,
					vx6_h8_ctr(o.plain - 8));
	}
	if (st != VX6_OK)
		n->stats.cell_drop[st]++;
}

/* ---- messages ---- */

static struct circuit *mine(struct peer *p, uint32_t id)
{
	struct ids_slot *s = ids_find(&p->node->ids, id);

	if (!s || s->what != NODE_ID_CIRCUIT)
		return NULL;
	struct circuit *c = s->owner;

	return c->first == p ? c : NULL;
}

static enum vx6_status take_keys(struct circuit *c,
				 const struct vx6_msg_created *m, unsigned *got)
{
	struct vx6_hop_keys keys[VX6_HOPS_MAX];
	enum vx6_status st = vx6_created_open(c->secret, m->reply, keys,
					      c->status, got);

	if (st == VX6_OK && m->back_start != keys[0].start_b)
		st = VX6_BAD_TAG; /* the first hop contradicts itself */
	if (st == VX6_OK) {
		c->leg = aligned_alloc(64, (sizeof(*c->leg) + 63u) & ~63u);
		st = c->leg ? vx6_leg_init(c->leg, keys, c->status, c->hops)
			    : VX6_NO_ROOM;
	}
	sodium_memzero(keys, sizeof(keys));
	return st;
}

static enum vx6_status fit(struct circuit *c)
{
	uint32_t life = c->status[0].lifetime_s;

	c->u = c->first->u;
	for (unsigned i = 0; i < c->hops; i++) {
		if (i + 1 < c->hops && c->status[i].u_next < c->u) {
			c->u = c->status[i].u_next;
			c->narrow_at = i + 1;
		}
		if (c->status[i].lifetime_s < life)
			life = c->status[i].lifetime_s;
	}
	c->origin.times.life_ns = (uint64_t)life * VX6_SEC;
	uint16_t cell = c->cell_size ? c->cell_size : c->u;
	size_t d = vx6_channel_d_end(cell, c->hops);

	c->narrow = cell > c->u || d < MSG_D_MIN;
	if (c->narrow)
		return VX6_BAD_SIZE;
	c->u = cell;
	c->back_start = c->leg->hop[0].back.head.start;
	return chan_open(&c->chan, c->node, &ops, c, (uint16_t)d);
}

bool circuit_on_created(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_created m;
	unsigned got = 0;

	if (vx6_msg_created_parse(&m, body, len) != VX6_OK)
		return true;
	struct circuit *c = mine(p, m.back_id);

	if (!c || c->origin.state != ORIGIN_WAIT)
		return false;
	c->forward_id = m.forward_id;
	enum vx6_status st = take_keys(c, &m, &got);

	drop_secret(c);
	if (st == VX6_OK)
		st = fit(c);
	if (st == VX6_OK)
		step(c, ORIGIN_EV_CREATED, 0, 0);
	else if (st == VX6_CLOSED)
		step(c, ORIGIN_EV_CREATED_BAD, got - 1,
		     c->status[got - 1].code);
	else if (st == VX6_BAD_TAG)
		step(c, ORIGIN_EV_FORGED, got, 0);
	else
		step(c, ORIGIN_EV_NO_ROOM, 0, 0);
	return true;
}

bool circuit_on_fail(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_fail m;

	if (vx6_msg_fail_parse(&m, body, len) != VX6_OK)
		return true;
	struct circuit *c = mine(p, m.back_id);

	if (!c)
		return false;
	step(c, ORIGIN_EV_FAILED, 0, vx6_fail_code(m.reason));
	return true;
}

bool circuit_on_destroy(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_destroy m;
	uint8_t out[VX6_MSG_DESTROYED_LEN];

	if (vx6_msg_destroy_parse(&m, body, len) != VX6_OK)
		return true;
	struct circuit *c = mine(p, m.id);

	if (!c)
		return false;
	vx6_msg_destroyed_emit(out, m.id);
	peer_send(p, VX6_MSG_DESTROYED, out, sizeof(out));
	step(c, ORIGIN_EV_DESTROY, 0, 0);
	return true;
}

uint32_t circuit_pairs(const struct peer *p, struct vx6_msg_pair *to,
		       uint32_t cap)
{
	uint32_t n = 0;

	for (struct circuit *c = p->node->circuits; c && n < cap; c = c->next)
		if (c->first == p && (c->origin.state == ORIGIN_INSTALL ||
				      c->origin.state == ORIGIN_OPEN))
			to[n++] = (struct vx6_msg_pair){ c->back_id,
							 c->forward_id };
	return n;
}

void circuit_told(struct peer *p, uint32_t ours, uint32_t theirs,
		  uint32_t stamp)
{
	struct circuit *c = mine(p, ours);

	if (c && c->forward_id == theirs)
		c->told = stamp;
}

/* As with lose: the list is looked at afresh after each. */
unsigned circuit_lacked(struct peer *p, uint64_t since_ns, uint32_t stamp)
{
	struct circuit *c = p->node->circuits;
	unsigned ended = 0;

	while (c) {
		if (c->first == p && c->origin.state == ORIGIN_OPEN &&
		    lack_ends(c->opened_ns, since_ns, c->told == stamp)) {
			step(c, ORIGIN_EV_DESTROY, 0, 0);
			ended++;
			c = p->node->circuits;
			continue;
		}
		c = c->next;
	}
	return ended;
}

/* A step may end other circuits as well (a tunnel gives up), so the list
 * is looked at afresh after each. */
static void lose(struct node *n, struct peer *p, bool only_waiting)
{
	struct circuit *c = n->circuits;

	while (c) {
		enum origin_state s = c->origin.state;

		if (c->first == p && s != ORIGIN_GONE &&
		    (!only_waiting || s == ORIGIN_WAIT)) {
			step(c, ORIGIN_EV_LOST, 0, 0);
			c = n->circuits;
			continue;
		}
		c = c->next;
	}
}

void circuit_peer_lost(struct node *n, struct peer *p)
{
	lose(n, p, false);
}

void circuit_peer_silent(struct node *n, struct peer *p)
{
	lose(n, p, true);
}

void circuit_half(struct node *n, void *owner, enum abi_half_event event)
{
	struct circuit *c = owner;

	(void)n;
	if (event == ABI_HALF_EXPIRED || event == ABI_HALF_EXHAUSTED)
		step(c, ORIGIN_EV_CLOSE, 0, 0);
}

/* ---- building ---- */

enum vx6_status circuit_build(struct node *n, const uint8_t id[][32],
			      unsigned hops, uint16_t cell_size,
			      const struct circuit_events *ev, void *ctx,
			      unsigned *which, struct circuit **out)
{
	const struct config_timers *t = &n->cfg.timers;
	struct origin_times times = { .seek_ns = t->dial_ns,
				      .per_hop_ns = t->create_hop_ns,
				      .whole_ns = t->create_ns };
	struct node_record rec;

	for (*which = 0; *which < hops; ++*which)
		if (node_record(n, id[*which], &rec) != VX6_OK ||
		    !node_record_onion(&rec, node_wall()))
			return VX6_NOT_FOUND;
	if (hops == 0 || hops > VX6_HOPS_MAX ||
	    n->circuit_cnt >= n->cfg.limits.circuits)
		return VX6_NO_ROOM;
	struct circuit *c = calloc(1, sizeof(*c));

	if (!c)
		return VX6_NO_ROOM;
	c->node = n;
	c->n = ++n->next_n;
	c->ev = *ev;
	c->ctx = ctx;
	c->hops = hops;
	c->cell_size = cell_size;
	memcpy(c->id, id, hops * sizeof(c->id[0]));
	origin_init(&c->origin, hops, &times);
	loop_timer_init(&c->timer, n->loop, on_timer, c);
	loop_timer_set(&c->timer, 0); /* begins in the loop, not in here */
	c->next = n->circuits;
	n->circuits = c;
	n->circuit_cnt++;
	*out = c;
	return VX6_OK;
}

static void quiet(void *ctx, struct circuit *c, enum origin_why why,
		  const char *text)
{
	(void)ctx;
	(void)c;
	(void)why;
	(void)text;
}

void circuit_destroy(struct circuit *c)
{
	c->ev.ended = quiet;
	step(c, ORIGIN_EV_CLOSE, 0, 0);
}

void circuit_release(struct circuit *c)
{
	c->ev.ended = quiet;
	if (c->origin.state != ORIGIN_OPEN) {
		step(c, ORIGIN_EV_CLOSE, 0, 0);
		return;
	}
	c->released = true;
	c->chan.tunnel = NULL;
	loop_timer_set(&c->timer, loop_now(c->node->loop) + LINGER_NS);
}

/* ---- looking at them ---- */

static json_t *describe(struct node *n, const struct circuit *c)
{
	uint64_t now = loop_now(n->loop);
	uint64_t age = c->opened_ns ? (now - c->opened_ns) / VX6_SEC : 0;
	uint64_t life = c->origin.times.life_ns / VX6_SEC;
	bool open = c->origin.state == ORIGIN_OPEN;
	char label[VX6_ID_TEXT];
	json_t *path = json_array();

	for (unsigned i = 0; i + 1 < c->hops; i++)
		json_array_append_new(
			path, json_string(node_label(n, c->id[i], label)));
	return json_pack(
		"{s:I, s:s, s:s, s:o, s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:I}",
		"n", (json_int_t)c->n, "role", "origin", "state",
		open ? "open" : "building", "path", path, "end",
		node_label(n, c->id[c->hops - 1], label), "suite",
		node_suite_name(c->status[0].suite), "d", (int)c->chan.d,
		"build_ms",
		open ? json_real((double)(c->opened_ns - c->created_ns) / 1e6)
		     : json_null(),
		"age_s", (json_int_t)age, "left_s",
		(json_int_t)(life > age ? life - age : 0), "cells_forward",
		(json_int_t)c->cells_out, "cells_backward",
		(json_int_t)c->cells_in);
}

void circuit_list(struct node *n, json_t *to)
{
	for (struct circuit *c = n->circuits; c; c = c->next) {
		json_t *o = describe(n, c);
		struct tunnel *t = c->chan.tunnel;

		json_object_set_new(o, "tunnel",
				    t ? json_integer(tunnel_number(t))
				      : json_null());
		json_object_set_new(
			o, "spare",
			json_boolean(t && !tunnel_uses(t, &c->chan)));
		json_array_append_new(to, o);
	}
}
