/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/tunnel_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/endpoints.h"

struct mux *tunnel_mux(const struct tunnel *t)
{
	return t->mux;
}

uint32_t tunnel_number(const struct tunnel *t)
{
	return t->n;
}

bool tunnel_uses(const struct tunnel *t, const struct chan *ch)
{
	return t->use < SURVIVE_LEGS && t->leg[t->use].c &&
	       &t->leg[t->use].c->chan == ch;
}

uint64_t tunnel_build_ns(const struct tunnel *t)
{
	const struct circuit *c = t->use < SURVIVE_LEGS ? t->leg[t->use].c
							: NULL;

	return c ? c->opened_ns - c->created_ns : 0;
}

/* ---- birth and death ---- */

static struct tunnel *tunnel_new(struct node *n)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->node = n;
	t->n = ++n->next_n;
	t->use = SURVIVE_NO_LEG;
	t->start_ns = t->last_rx_ns = loop_now(n->loop);
	t->next = n->tunnels;
	n->tunnels = t;
	return t;
}

static void let_go(struct tunnel *t)
{
	struct node *n = t->node;

	for (struct tunnel **at = &n->tunnels; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	if (t->client)
		legs_close(t);
	if (t->mux)
		mux_gone(t->mux);
	t->mux = NULL;
	sodium_memzero(&t->identity, sizeof(t->identity));
	node_bury(n, &t->grave);
}

void tunnel_fail(struct tunnel *t, enum tunnel_fail how, const char *text)
{
	struct quic_conn *c = t->conn;

	if (t->dead)
		return;
	t->dead = true;
	t->conn = NULL;
	if (c) {
		quic_set_user(c, NULL);
		quic_close(c, 0, "tunnel ends", loop_now(t->node->loop));
		/* The goodbye leaves before the circuits under it do. */
		t->node->plane->ops->flush(t->node->plane);
	}
	if (t->client)
		t->ev.ended(t->ctx, t, how, text);
	let_go(t);
}

static void quiet(void *ctx, struct tunnel *t, enum tunnel_fail how,
		  const char *text)
{
	(void)ctx;
	(void)t;
	(void)how;
	(void)text;
}

void tunnel_close(struct tunnel *t)
{
	t->ev.ended = quiet;
	tunnel_fail(t, TUNNEL_FAIL_LOCAL, "closed here");
}

/* ---- client ---- */

/* A stranger's record does not make us dial private addresses; one that
 * the operator brought does.  Of several that may be dialled one that this
 * host has a route to. */
static bool endpoint_of(struct node *n, const uint8_t owner[32],
			struct vx6_addr *to)
{
	struct vx6_addr all[NODE_ENDPOINTS_MAX], local;
	struct node_record rec;
	struct registry_node rn;
	unsigned cnt;

	if (registry_find(n->reg, owner, &rn) != VX6_OK ||
	    node_record(n, owner, &rec) == VX6_NOT_FOUND)
		return false;
	*to = (struct vx6_addr){ 0 };
	cnt = endpoints_of(&rec, all);
	for (unsigned i = 0; i < cnt; i++) {
		if (!rn.keep && !n->cfg.dial_private &&
		    vx6_addr_is_private(&all[i]))
			continue;
		*to = all[i];
		if (node_route(n, to, &local))
			break;
	}
	return !vx6_addr_is_none(to);
}

static bool owner_address(struct node *n, const uint8_t owner[32],
			  struct vx6_addr *to)
{
	struct peer *p = peer_find(n, owner);
	struct quic_path path;

	if (p && p->state == PEER_READY) {
		quic_path(p->conn, &path);
		*to = path.remote;
		return true;
	}
	if (p && !vx6_addr_is_none(&p->place)) {
		*to = p->place;
		return true;
	}
	return endpoint_of(n, owner, to);
}

enum vx6_status tunnel_dial(struct tunnel *t, const struct quic_path *path,
			    uint16_t d)
{
	struct quic_dial dial = {
		.path = *path,
		.alpn = QUIC_TUNNEL,
		.expect = t->plan.owner,
		.identity = t->plan.identify ? NULL : &t->identity,
		.d = d,
		.user = t,
	};

	return quic_dial(t->node->quic, &dial, loop_now(t->node->loop),
			 &t->conn);
}

static enum vx6_status start_direct(struct tunnel *t, char why[256])
{
	struct quic_path path;

	if (!owner_address(t->node, t->plan.owner, &path.remote)) {
		snprintf(why, 256, "no address of the owner is known");
		return VX6_NOT_FOUND;
	}
	if (!node_route(t->node, &path.remote, &path.local)) {
		snprintf(why, 256, "there is no route to the owner's address");
		return VX6_NOT_FOUND;
	}
	return tunnel_dial(t, &path, 0);
}

enum vx6_status tunnel_open(struct node *n, const struct tunnel_plan *plan,
			    const struct tunnel_events *ev, void *ctx,
			    struct tunnel **out, char why[256])
{
	struct tunnel *t = tunnel_new(n);
	enum vx6_status st;

	snprintf(why, 256, "this node has no room for another tunnel");
	if (!t)
		return VX6_NO_ROOM;
	t->client = true;
	t->plan = *plan;
	t->ev = *ev;
	t->ctx = ctx;
	quic_identity_fresh(&t->identity);
	legs_init(t);
	st = plan->direct ? start_direct(t, why) : legs_open(t, why);
	if (st != VX6_OK) {
		t->dead = true;
		let_go(t);
		return st;
	}
	*out = t;
	return VX6_OK;
}

/* ---- quic's events ---- */

static void accepted(struct node *n, struct quic_conn *c)
{
	struct tunnel *t = tunnel_new(n);

	if (!t || mux_open(n->hub, c, &t->mux) != VX6_OK) {
		if (t) {
			t->dead = true;
			let_go(t);
		}
		quic_close(c, VX6_NO_ROOM, "no room for a tunnel",
			   loop_now(n->loop));
		return;
	}
	t->conn = c;
	t->ready = true;
	quic_set_user(c, t);
	struct quic_path path;

	quic_path(c, &path);
	tunnel_moved(t, &path);
}

void tunnel_ready(struct node *n, struct quic_conn *c)
{
	struct tunnel *t = quic_user(c);

	if (!t) {
		if (!quic_is_client(c))
			accepted(n, c);
		return;
	}
	if (mux_open(n->hub, c, &t->mux) != VX6_OK) {
		tunnel_fail(t, TUNNEL_FAIL_LOCAL, "out of memory");
		return;
	}
	t->ready = true;
	if (!t->plan.direct)
		legs_ready(t);
	t->ev.ready(t->ctx, t);
}

void tunnel_moved(struct tunnel *t, const struct quic_path *path)
{
	struct chan *ch;

	if (t->client || !t->conn)
		return;
	ch = chan_of(t->node, &path->remote);
	if (ch)
		quic_set_d(t->conn, ch->d);
}

void tunnel_d_known(struct node *n, struct chan *ch)
{
	struct quic_path path;

	for (struct tunnel *t = n->tunnels; t; t = t->next) {
		if (t->client || !t->conn)
			continue;
		quic_path(t->conn, &path);
		if (chan_of(n, &path.remote) == ch)
			quic_set_d(t->conn, ch->d);
	}
}

void tunnel_closed(struct tunnel *t, const struct quic_close *why)
{
	char text[256], id[VX6_ID_TEXT];
	enum tunnel_fail how = TUNNEL_FAIL_UNREACHABLE;

	t->conn = NULL;
	if (why->kind == QUIC_CLOSE_IDENTITY) {
		how = TUNNEL_FAIL_IDENTITY;
		snprintf(text, sizeof(text),
			 "the far end proved to be %s, not the owner",
			 vx6_id_text(why->proved, id));
	} else if (!why->was_ready && why->kind == QUIC_CLOSE_HANDSHAKE) {
		snprintf(text, sizeof(text), "the owner does not answer");
	} else {
		snprintf(text, sizeof(text), "%s", why->reason);
	}
	if (t->client && !t->ready && !t->plan.direct &&
	    why->kind == QUIC_CLOSE_HANDSHAKE && legs_try_next(t))
		return;
	tunnel_fail(t, how, text);
}

/* An owner's tunnel whose circuit is gone may come back over another one;
 * without streams there is no reason to wait for long. */
static void look_after(struct tunnel *t, uint64_t now)
{
	struct quic_path path;
	struct quic_stats q;

	quic_path(t->conn, &path);
	if (!chan_is_pseudo(&path.remote) ||
	    chan_of(t->node, &path.remote) != NULL) {
		t->orphan_ns = 0;
		return;
	}
	if (t->orphan_ns == 0)
		t->orphan_ns = now;
	quic_stats(t->conn, &q);
	if (q.streams == 0 &&
	    now - t->orphan_ns >= t->node->cfg.timers.session_unused_ns)
		tunnel_fail(t, TUNNEL_FAIL_UNREACHABLE, "nobody came back");
}

void tunnels_sweep(struct node *n)
{
	uint64_t now = loop_now(n->loop);
	struct tunnel *next;

	for (struct tunnel *t = n->tunnels; t; t = next) {
		next = t->next;
		if (!t->client && t->conn)
			look_after(t, now);
	}
}

/* The owner's end sees the move; what cannot be moved dies of its silence. */
void tunnels_rehome(struct node *n)
{
	struct quic_path path;
	struct tunnel *next;

	for (struct tunnel *t = n->tunnels; t; t = next) {
		next = t->next;
		if (!t->client || !t->plan.direct || !t->conn)
			continue;
		quic_path(t->conn, &path);
		if (!interfaces_has(&path.local) &&
		    node_route(n, &path.remote, &path.local) &&
		    quic_migrate(t->conn, &path, loop_now(n->loop)) != VX6_OK)
			log_warn("tunnel", "not-moved", log_u64("n", t->n));
	}
}

/* ---- looking at them ---- */

static json_t *names(const struct tunnel *t, const struct circuit *c)
{
	json_t *path = json_array();
	char label[VX6_ID_TEXT];

	for (unsigned i = 0; c && i + 1 < c->hops; i++)
		json_array_append_new(path, json_string(node_label(
						    t->node, c->id[i], label)));
	return path;
}

json_t *tunnel_json_path(const struct tunnel *t)
{
	return names(t, t->use < SURVIVE_LEGS ? t->leg[t->use].c : NULL);
}

json_t *tunnel_json_spares(const struct tunnel *t)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < SURVIVE_LEGS; i++)
		if (i != t->use && t->leg[i].open)
			json_array_append_new(all, names(t, t->leg[i].c));
	return all;
}

/* At the owner only the last relay is known. */
static json_t *owner_path(struct tunnel *t, bool *relay)
{
	json_t *path = json_array();
	char label[VX6_ID_TEXT];
	struct quic_path qp;
	struct chan *ch;

	*relay = false;
	if (!t->conn)
		return path;
	quic_path(t->conn, &qp);
	*relay = chan_is_pseudo(&qp.remote);
	ch = chan_of(t->node, &qp.remote);
	if (ch && ch->far)
		json_array_append_new(
			path, json_string(node_label(t->node, ch->far, label)));
	return path;
}

static json_t *describe(struct tunnel *t)
{
	uint64_t now = loop_now(t->node->loop);
	struct quic_stats q = { 0 };
	struct mux_stats m = { 0 };
	char label[VX6_ID_TEXT] = "", id[VX6_ID_TEXT] = "";
	bool relay = !t->plan.direct;
	json_t *path = t->client ? tunnel_json_path(t) : owner_path(t, &relay);

	if (t->conn)
		quic_stats(t->conn, &q);
	if (t->mux)
		mux_stats(t->mux, &m);
	if (t->client) {
		node_label(t->node, t->plan.owner, label);
		vx6_id_text(t->plan.owner, id);
	}
	return json_pack(
		"{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:f, s:I, "
		"s:I, s:I, s:I, s:o, s:I}",
		"n", (json_int_t)t->n, "side", t->client ? "client" : "owner",
		"service", t->plan.service, "peer", label, "id", id, "mode",
		relay ? "relay" : "direct", "path", path, "spares",
		tunnel_json_spares(t), "state",
		!t->ready ? "opening"
		: t->down ? "down"
			  : "open",
		"streams", (json_int_t)m.open, "rtt_ms",
		(double)q.srtt_ns / 1e6, "cwnd", (json_int_t)q.cwnd, "rx_bytes",
		(json_int_t)q.rx_bytes, "tx_bytes", (json_int_t)q.tx_bytes,
		"moves", (json_int_t)t->moves, "last_gap_ms",
		t->moves && !t->gap_open ? json_real((double)t->gap_ns / 1e6)
					 : json_null(),
		"age_s", (json_int_t)((now - t->start_ns) / VX6_SEC));
}

void tunnel_list(struct node *n, json_t *to)
{
	for (struct tunnel *t = n->tunnels; t; t = t->next)
		json_array_append_new(to, describe(t));
}
