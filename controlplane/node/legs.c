/* SPDX-License-Identifier: GPL-2.0-or-later */

/* legs: the circuits under a client's tunnel, and moving between them by
 * core/survive's rule (PROTOCOL.md section 10). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "controlplane/core/path.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/tunnel_state.h"

#define RETRY_MIN_NS (250 * VX6_MS)
#define RETRY_MAX_NS (10 * VX6_SEC)
#define DRAW_MAX     1024u          /* relays looked at by one draw */
#define WORN_NS      (10 * VX6_SEC) /* between looks at the legs' age */

static void carry_out(struct tunnel *t, const struct survive_out *out);

static unsigned leg_no(const struct tunnel_leg *l)
{
	return (unsigned)(l - l->t->leg);
}

/* ---- which relays ---- */

struct draw {
	struct tunnel *t;
	struct path_relay relay[DRAW_MAX];
	size_t n;
};

static bool in_circuit(const struct circuit *c, const uint8_t id[32])
{
	for (unsigned i = 0; c && i < c->hops; i++)
		if (memcmp(c->id[i], id, 32) == 0)
			return true;
	return false;
}

static bool is_used(const struct tunnel *t, const uint8_t id[32])
{
	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		if (in_circuit(t->leg[i].c, id))
			return true;
	for (unsigned i = 0; i < LEGS_DEAD_MAX; i++)
		if (memcmp(t->dead_relay[i], id, 32) == 0)
			return true;
	return false;
}

static void candidate(void *ctx, const struct registry_node *rn)
{
	struct draw *d = ctx;
	struct tunnel *t = d->t;

	if (d->n == DRAW_MAX || memcmp(rn->id, t->node->id.id, 32) == 0 ||
	    memcmp(rn->id, t->plan.owner, 32) == 0)
		return;
	memcpy(d->relay[d->n].id, rn->id, 32);
	d->relay[d->n].used = is_used(t, rn->id);
	d->relay[d->n].last = false;
	d->n++;
}

static bool mark_last(struct draw *d)
{
	struct node_record owner;
	bool any = false;

	if (node_record(d->t->node, d->t->plan.owner, &owner) != VX6_OK)
		return false;
	for (size_t i = 0; i < d->n; i++)
		for (unsigned v = 0; v < owner.via_cnt; v++)
			if (memcmp(d->relay[i].id, owner.via[v], 32) == 0)
				any = d->relay[i].last = true;
	return any;
}

static enum vx6_status draw(struct tunnel *t, unsigned hops, uint8_t id[][32])
{
	struct node *n = t->node;
	struct draw *d = calloc(1, sizeof(*d));
	size_t pick[VX6_HOPS_MAX];
	enum vx6_status st;

	if (!d)
		return VX6_NO_ROOM;
	d->t = t;
	st = registry_relays(n->reg, node_wall(), DRAW_MAX, candidate, d);
	if (st == VX6_OK)
		st = path_draw(d->relay, d->n, hops, !mark_last(d), &n->rnd,
			       pick);
	for (unsigned i = 0; st == VX6_OK && i < hops; i++)
		memcpy(id[i], d->relay[pick[i]].id, 32);
	if (st == VX6_NOT_FOUND)
		snprintf(t->last_error, sizeof(t->last_error),
			 "%u hops need %u relays, %zu are known", hops, hops,
			 d->n);
	free(d);
	return st;
}

/* The named path first; if it stands or just died, another is drawn. */
static enum vx6_status choose(struct tunnel *t, bool spare, unsigned *hops,
			      uint8_t id[VX6_HOPS_MAX][32])
{
	const struct tunnel_plan *p = &t->plan;
	unsigned cnt = spare ? p->spare_cnt : p->via_cnt;
	const uint8_t(*named)[32] = spare ? p->spare_via : p->via;
	enum vx6_status st = VX6_OK;

	*hops = cnt ? cnt : p->via_cnt ? p->via_cnt : p->hops;
	if (cnt)
		memcpy(id, named, cnt * sizeof(id[0]));
	else
		st = draw(t, *hops, id);
	memcpy(id[*hops], p->owner, 32);
	++*hops;
	return st;
}

static bool named_stands(const struct tunnel *t, bool spare)
{
	const struct tunnel_plan *p = &t->plan;
	unsigned cnt = spare ? p->spare_cnt : p->via_cnt;
	const uint8_t(*named)[32] = spare ? p->spare_via : p->via;

	for (unsigned i = 0; cnt && i < SURVIVE_LEGS; i++) {
		const struct circuit *c = t->leg[i].c;

		if (c && c->hops == cnt + 1 &&
		    memcmp(c->id, named, cnt * sizeof(c->id[0])) == 0)
			return true;
	}
	return false;
}

/* ---- building ---- */

static void opened(void *ctx, struct circuit *c);
static void measured(void *ctx, struct circuit *c, unsigned i, uint64_t rtt);
static void ended(void *ctx, struct circuit *c, enum origin_why why,
		  const char *text);

static const struct circuit_events events = {
	.opened = opened,
	.hop = measured,
	.ended = ended,
};

static enum vx6_status build(struct tunnel *t, bool spare)
{
	uint8_t id[VX6_HOPS_MAX][32];
	unsigned hops, which = 0;
	struct tunnel_leg *l = NULL;
	enum vx6_status st;

	for (unsigned i = 0; i < SURVIVE_LEGS && !l; i++)
		if (!t->leg[i].c)
			l = &t->leg[i];
	if (!l)
		return VX6_NO_ROOM;
	st = choose(t, spare, &hops, id);
	if (st != VX6_OK)
		return st;
	*l = (struct tunnel_leg){ .t = t,
				  .named = !spare && t->plan.via_cnt > 0 };
	st = circuit_build(t->node, id, hops, t->plan.cell_size, &events, l,
			   &which, &l->c);
	if (st == VX6_NOT_FOUND) {
		char label[VX6_ID_TEXT];

		snprintf(t->last_error, sizeof(t->last_error),
			 "no valid record of %s is known",
			 node_label(t->node, id[which], label));
	}
	return st;
}

static unsigned wanted(const struct tunnel *t)
{
	unsigned n = 1u + (t->plan.no_spare ? 0 : t->node->cfg.spares);

	return n > SURVIVE_LEGS ? SURVIVE_LEGS : n;
}

static unsigned standing(const struct tunnel *t, bool open_only)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		n += open_only ? t->leg[i].open : t->leg[i].c != NULL;
	return n;
}

static void retry_later(struct tunnel *t)
{
	t->backoff_ns = loop_backoff(t->backoff_ns, RETRY_MIN_NS, RETRY_MAX_NS);
	loop_timer_set(&t->rebuild, loop_now(t->node->loop) + t->backoff_ns);
}

bool tunnel_settling(const struct tunnel *t)
{
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		const struct circuit *c = t->leg[i].c;

		if (c && (!t->leg[i].open || c->rtt_told + 1u < c->hops))
			return true;
	}
	return false;
}

static void settled(struct tunnel *t)
{
	if (!tunnel_settling(t) && !t->dead)
		t->ev.settled(t->ctx, t);
}

/* Which of the two named paths is free decides what the new leg is: the
 * main path if it is not standing, else the spare's. */
static void fill_up(struct tunnel *t)
{
	while (!t->dead && standing(t, false) < wanted(t)) {
		bool spare = standing(t, false) > 0 || t->moves > 0 ||
			     named_stands(t, false);

		if (spare && t->plan.spare_cnt && named_stands(t, true))
			spare = false;
		if (build(t, spare) != VX6_OK) {
			retry_later(t);
			settled(t);
			return;
		}
	}
}

static void on_rebuild(void *ctx)
{
	fill_up(ctx);
}

/* ---- survival ---- */

static void told(struct tunnel *t, const struct survive_event *ev)
{
	struct survive_out out;

	if (!t->surviving || t->dead)
		return;
	survive_step(&t->survive, ev, &out);
	carry_out(t, &out);
	if (!t->dead)
		loop_timer_set(&t->timer, survive_due(&t->survive));
}

static void tell(struct tunnel *t, enum survive_ev kind, unsigned leg)
{
	told(t, &(struct survive_event){ .kind = kind,
					 .leg = (uint8_t)leg,
					 .now_ns = loop_now(t->node->loop) });
}

static void on_timer(void *ctx)
{
	tell(ctx, SURVIVE_EV_TICK, 0);
}

static void reason_words(struct tunnel *t, const struct circuit *old)
{
	char path[80] = "", label[VX6_ID_TEXT];
	size_t at = 0;

	if (t->gap_reason[0])
		return; /* a DESTROY or a lost link said it better */
	for (unsigned i = 0; old && i + 1 < old->hops && at < sizeof(path); i++)
		at += (size_t)snprintf(path + at, sizeof(path) - at, "%s%.16s",
				       i ? ", " : "",
				       node_label(t->node, old->id[i], label));
	snprintf(t->gap_reason, sizeof(t->gap_reason),
		 "the circuit over %s stopped answering", path);
}

static void remember_dead(struct tunnel *t, const struct circuit *c)
{
	for (unsigned i = 0; i + 1 < c->hops; i++)
		memcpy(t->dead_relay[t->dead_at++ % LEGS_DEAD_MAX], c->id[i],
		       32);
}

static void drop_leg(struct tunnel *t, unsigned i)
{
	struct circuit *c = t->leg[i].c;

	t->leg[i] = (struct tunnel_leg){ .t = t };
	if (c) {
		c->chan.tunnel = NULL;
		circuit_destroy(c);
	}
}

static void move_to(struct tunnel *t, unsigned leg)
{
	struct tunnel_leg *l = &t->leg[leg];
	uint64_t now = loop_now(t->node->loop);
	unsigned old = t->use;
	struct quic_path path;
	enum vx6_status st;

	if (!l->open || !t->conn || leg == old)
		return;
	if (l->was_used)
		chan_renew(&l->c->chan);
	chan_path(&l->c->chan, &path);
	quic_set_d(t->conn, l->c->chan.d);
	st = quic_migrate(t->conn, &path, now);
	t->rescued = st != VX6_OK;
	if (t->rescued)
		quic_path(t->conn, &t->rescued_path);
	t->use = (uint8_t)leg;
	l->was_used = true;
	t->down = false;
	t->gap_open = true;
	t->gap_from_ns = t->last_rx_ns;
	t->moves++;
	t->node->stats.moves++;
	if (old < SURVIVE_LEGS) {
		reason_words(t, t->leg[old].c);
		if (t->leg[old].c)
			remember_dead(t, t->leg[old].c);
		drop_leg(t, old);
		tell(t, SURVIVE_EV_LEG_GONE, old);
	}
	log_info("tunnel", "moved", log_u64("n", t->n),
		 log_str("reason", t->gap_reason));
	loop_timer_set(&t->rebuild, now);
}

static void carry_out(struct tunnel *t, const struct survive_out *out)
{
	for (unsigned i = 0; i < out->cnt && !t->dead; i++) {
		const struct survive_act *a = &out->act[i];
		struct tunnel_leg *l = &t->leg[a->leg % SURVIVE_LEGS];

		switch (a->kind) {
		case SURVIVE_ACT_PING:
			if (l->open)
				chan_ping(&l->c->chan, a->token);
			break;
		case SURVIVE_ACT_MIGRATE: move_to(t, a->leg); break;
		case SURVIVE_ACT_WANT_SPARE:
			loop_timer_set(&t->rebuild, loop_now(t->node->loop));
			break;
		}
	}
}

/* Circuits have an end of life, and streams have not: worn spares are
 * replaced first, then the leg in use moves to a fresh one. */
static void on_worn(void *ctx)
{
	struct tunnel *t = ctx;
	unsigned fresh = SURVIVE_LEGS;

	loop_timer_set(&t->worn, loop_now(t->node->loop) + WORN_NS);
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		if (i == t->use || !t->leg[i].open)
			continue;
		if (!circuit_worn(t->leg[i].c)) {
			fresh = i;
			continue;
		}
		drop_leg(t, i);
		tell(t, SURVIVE_EV_LEG_GONE, i);
		loop_timer_set(&t->rebuild, loop_now(t->node->loop));
	}
	if (t->dead || !t->ready || fresh == SURVIVE_LEGS ||
	    t->use >= SURVIVE_LEGS || !t->leg[t->use].open ||
	    !circuit_worn(t->leg[t->use].c))
		return;
	snprintf(t->gap_reason, sizeof(t->gap_reason), "the circuit was old");
	tell(t, SURVIVE_EV_USE, fresh);
	move_to(t, fresh);
}

/* ---- circuits' events ---- */

static void first_leg(struct tunnel *t, unsigned leg)
{
	struct tunnel_leg *l = &t->leg[leg];
	struct quic_path path;

	chan_path(&l->c->chan, &path);
	l->was_used = true;
	t->use = (uint8_t)leg;
	if (tunnel_dial(t, &path, l->c->chan.d) != VX6_OK)
		tunnel_fail(t, TUNNEL_FAIL_LOCAL,
			    "this node has no room for another connection");
}

/* Only a confirmed connection can move: until then a leg that dies ends the
 * attempt. */
void legs_ready(struct tunnel *t)
{
	const struct config_timers *times = &t->node->cfg.timers;

	survive_init(&t->survive, t->use,
		     vx6_rand_below(&t->node->rnd, UINT32_MAX),
		     loop_now(t->node->loop));
	survive_tune(&t->survive, times->silence_min_ns,
		     times->silence_expect_ns, times->channel_ping_ns);
	t->surviving = true;
	loop_timer_set(&t->timer, survive_due(&t->survive));
	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		if (i != t->use && t->leg[i].open)
			tell(t, SURVIVE_EV_LEG_UP, i);
}

static void opened(void *ctx, struct circuit *c)
{
	struct tunnel_leg *l = ctx;
	struct tunnel *t = l->t;

	l->open = true;
	t->backoff_ns = 0;
	c->chan.tunnel = t;
	c->chan.leg = (uint8_t)leg_no(l);
	circuit_measure(c);
	if (!t->conn && (l->named || t->plan.via_cnt == 0))
		first_leg(t, leg_no(l));
	else
		tell(t, SURVIVE_EV_LEG_UP, leg_no(l));
}

static void measured(void *ctx, struct circuit *c, unsigned i, uint64_t rtt)
{
	struct tunnel_leg *l = ctx;

	l->t->ev.hop(l->t->ctx, l->t, c, i, rtt, leg_no(l) != l->t->use);
	settled(l->t);
}

/* Before the tunnel stands a path that was named and cannot be built is an
 * answer; afterwards it is a reason to try again. */
static void ended(void *ctx, struct circuit *c, enum origin_why why,
		  const char *text)
{
	struct tunnel_leg *l = ctx;
	struct tunnel *t = l->t;
	unsigned leg = leg_no(l);
	bool open = l->open, named = l->named;

	(void)why;
	remember_dead(t, c);
	*l = (struct tunnel_leg){ .t = t };
	snprintf(t->last_error, sizeof(t->last_error), "%s", text);
	log_info("circuit", open ? "ended" : "not-built", log_u64("n", c->n),
		 log_str("reason", text));
	if (!t->ready && !open && (named || standing(t, false) == 0)) {
		tunnel_fail(t, TUNNEL_FAIL_UNREACHABLE, t->last_error);
		return;
	}
	if (!t->ready && leg == t->use && t->conn && !legs_try_next(t)) {
		tunnel_fail(t, TUNNEL_FAIL_UNREACHABLE, t->last_error);
		return;
	}
	if (open && leg == t->use)
		snprintf(t->gap_reason, sizeof(t->gap_reason), "%s", text);
	if (leg == t->use)
		t->use = SURVIVE_NO_LEG; /* its slot may be taken anew */
	tell(t, SURVIVE_EV_LEG_GONE, leg);
	if (t->dead)
		return;
	if (t->ready && standing(t, true) == 0 && !t->down) {
		t->down = true;
		t->ev.down(t->ctx, t, text);
	}
	retry_later(t);
	settled(t);
}

bool legs_try_next(struct tunnel *t)
{
	struct quic_conn *c = t->conn;

	t->conn = NULL;
	t->surviving = false;
	if (c) {
		quic_set_user(c, NULL);
		quic_close(c, 0, "trying another circuit",
			   loop_now(t->node->loop));
	}
	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		if (t->leg[i].open && !t->leg[i].was_used) {
			first_leg(t, i);
			return true;
		}
	return false;
}

/* ---- open, close, hear ---- */

void legs_init(struct tunnel *t)
{
	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		t->leg[i].t = t;
	loop_timer_init(&t->timer, t->node->loop, on_timer, t);
	loop_timer_init(&t->rebuild, t->node->loop, on_rebuild, t);
	loop_timer_init(&t->worn, t->node->loop, on_worn, t);
}

enum vx6_status legs_open(struct tunnel *t, char why[256])
{
	enum vx6_status st = build(t, false);

	if (st != VX6_OK) {
		snprintf(why, 256, "%s", t->last_error);
		return st;
	}
	loop_timer_set(&t->rebuild, 0); /* the spares, right behind */
	loop_timer_set(&t->worn, loop_now(t->node->loop) + WORN_NS);
	return VX6_OK;
}

void legs_close(struct tunnel *t)
{
	t->surviving = false;
	loop_timer_clear(&t->timer);
	loop_timer_clear(&t->rebuild);
	loop_timer_clear(&t->worn);
	for (unsigned i = 0; i < SURVIVE_LEGS; i++) {
		if (t->leg[i].c)
			circuit_release(t->leg[i].c);
		t->leg[i] = (struct tunnel_leg){ .t = t };
	}
}

void tunnel_path(const struct tunnel *t, const struct chan *ch,
		 struct quic_path *path)
{
	if (t && t->rescued && tunnel_uses(t, ch))
		*path = t->rescued_path;
	else
		chan_path(ch, path);
}

struct chan *tunnel_chan(struct node *n, struct tunnel *t,
			 const struct vx6_addr *remote)
{
	struct chan *ch;

	if (t && t->rescued && vx6_addr_eq(remote, &t->rescued_path.remote))
		return t->use < SURVIVE_LEGS && t->leg[t->use].open
			       ? &t->leg[t->use].c->chan
			       : NULL;
	ch = chan_of(n, remote);
	/* A number that its channel has given up is an old path. */
	return ch && vx6_get32(remote->ip + 8) == ch->serial ? ch : NULL;
}

void tunnel_received(struct tunnel *t, struct chan *ch)
{
	uint64_t now = loop_now(t->node->loop);

	if (t->dead || !tunnel_uses(t, ch))
		return;
	if (t->gap_open) {
		t->gap_open = false;
		t->gap_ns = now - t->gap_from_ns;
		t->ev.moved(t->ctx, t, t->gap_ns, t->gap_reason);
		t->gap_reason[0] = '\0';
	}
	t->last_rx_ns = now;
	tell(t, SURVIVE_EV_RECEIVED, ch->leg);
}

void tunnel_pong(struct tunnel *t, struct chan *ch, uint32_t token)
{
	if (!t->dead)
		told(t, &(struct survive_event){
				.kind = SURVIVE_EV_PONG,
				.leg = ch->leg,
				.token = token,
				.now_ns = loop_now(t->node->loop) });
}

static void what_quic_knows(struct tunnel *t)
{
	uint64_t now = loop_now(t->node->loop);
	struct quic_stats q;

	quic_stats(t->conn, &q);
	told(t, &(struct survive_event){ .kind = SURVIVE_EV_QUIC,
					 .leg = t->use,
					 .srtt_ns = q.latest_rtt_ns ? q.srtt_ns
								    : 0,
					 .pto_ns = q.pto_ns,
					 .in_flight = q.in_flight > 0,
					 .now_ns = now });
	if (q.first_unanswered_ns != VX6_NEVER)
		told(t, &(struct survive_event){
				.kind = SURVIVE_EV_SENT,
				.leg = t->use,
				.now_ns = q.first_unanswered_ns });
}

void tunnels_prepare(struct node *n)
{
	struct tunnel *next;

	for (struct tunnel *t = n->tunnels; t; t = next) {
		next = t->next;
		if (t->client && t->surviving && t->ready && t->conn &&
		    !t->dead)
			what_quic_knows(t);
	}
}
