/* SPDX-License-Identifier: GPL-2.0-or-later */

/* peer: sessions and what is said on them before circuits. */

#include "controlplane/node/peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/circuit.h"
#include "controlplane/node/compare.h"
#include "controlplane/node/endpoints.h"
#include "controlplane/node/relay.h"

#define CROSSING_NS  (10 * VX6_SEC)
#define CROSSED_NS   VX6_SEC /* after HELLO nothing is crossing any more */
#define RECORD_RATE  64u     /* a second and session, once the burst is used */
#define RECORD_BURST 1024u   /* four times what a peer sends after HELLO */
#define WANTED_RATE  1u
#define WANTED_BURST 8u

static void redial_later(struct peer *p);

bool peer_bucket_take(struct peer_bucket *b, uint32_t rate, uint32_t burst,
		      uint64_t now_ns)
{
	uint64_t most = (uint64_t)burst * 1000u;
	uint64_t grown = b->at_ns ? (now_ns - b->at_ns) / VX6_MS * rate : most;

	if (grown > 0 || b->at_ns == 0) {
		b->milli = b->milli + grown > most ? most : b->milli + grown;
		b->at_ns = now_ns;
	}
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}

struct peer *peer_find(struct node *n, const uint8_t id[32])
{
	for (struct peer *p = n->peers; p; p = p->next)
		if (memcmp(p->id, id, sizeof(p->id)) == 0)
			return p;
	return NULL;
}

static void forget_session(struct peer *p)
{
	p->conn = NULL;
	p->state = PEER_IDLE;
	p->stream = -1;
	p->hello_sent = p->hello_got = p->is_held = false;
	p->unsettled = p->link == PEER_LINK_OPEN;
	p->compare.due = false;
	free(p->body);
	p->body = NULL;
}

static void settle_waits(struct peer *p, enum vx6_status st)
{
	peer_hold(p); /* each wait holds p, too */
	while (p->waits) {
		struct peer_wait *w = p->waits;

		p->waits = w->next;
		w->peer = NULL;
		w->done(w->ctx, p, st);
		p->refs--;
	}
	peer_drop(p);
}

static bool send_hello(struct peer *p)
{
	const struct node *n = p->node;
	uint8_t out[MSG_SMALL + NODE_RECORD_MAX];
	size_t len;
	struct msg_hello m = {
		.unix_ms = vx6_unix_ms(),
		.record = n->record,
		.record_len = n->record_len,
		.create_rate = n->cfg.limits.create_rate,
		.create_burst = n->cfg.limits.create_burst,
		.circuits = n->plane->halves_max,
	};

	if (msg_hello_emit(&m, out, sizeof(out), &len) != VX6_OK)
		return false;
	p->hello_sent = true;
	peer_send(p, VX6_MSG_HELLO, out + MSG_HEAD_LEN, len - MSG_HEAD_LEN);
	return true;
}

void peer_send(struct peer *p, enum vx6_msg_type type, const uint8_t *body,
	       size_t len)
{
	uint8_t head[VX6_MSG_HDR];

	if (!p->conn || p->stream < 0)
		return;
	if (quic_stream_space(p->conn, p->stream) < len + sizeof(head)) {
		quic_close(p->conn, VX6_NO_ROOM, "peer does not read",
			   loop_now(p->node->loop));
		return;
	}
	vx6_msg_header(head, type, (uint32_t)len);
	quic_stream_send(p->conn, p->stream, head, sizeof(head), false);
	quic_stream_send(p->conn, p->stream, body, len, false);
}

void peer_hold(struct peer *p)
{
	p->refs++;
}

void peer_drop(struct peer *p)
{
	p->refs--;
	if (p->refs > 0 || p->conn || p->wanted || p->index || p->waits ||
	    p->node->closing)
		return;
	for (struct peer **at = &p->node->peers; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	loop_timer_clear(&p->timer);
	loop_timer_clear(&p->size_timer);
	free(p->body);
	p->body = NULL;
	node_bury(p->node, &p->grave);
}

static void on_timer(void *ctx);

static struct peer *peer_new(struct node *n, const uint8_t id[32])
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->node = n;
	p->stream = -1;
	memcpy(p->id, id, sizeof(p->id));
	loop_timer_init(&p->timer, n->loop, on_timer, p);
	loop_timer_init(&p->size_timer, n->loop, link_size_late, p);
	p->next = n->peers;
	n->peers = p;
	return p;
}

struct peer *peer_get(struct node *n, const uint8_t id[32])
{
	struct peer *p = peer_find(n, id);

	return p ? p : peer_new(n, id);
}

static bool may_dial(const struct node *n, const struct vx6_addr *a)
{
	return n->cfg.dial_private || !vx6_addr_is_private(a);
}

static bool may_use(const struct peer *p, const struct vx6_addr *to)
{
	struct vx6_addr local;

	return (p->kept || may_dial(p->node, to)) &&
	       node_route(p->node, to, &local);
}

/* The configured place first, then what its record says: of the endpoints
 * that this host has a route to, another with each failure in a row. */
static bool place_of(struct peer *p, struct vx6_addr *to)
{
	struct node_record rec;
	struct vx6_addr all[NODE_ENDPOINTS_MAX];
	unsigned cnt, usable = 0;

	if (!vx6_addr_is_none(&p->place)) {
		*to = p->place;
		return true;
	}
	if (node_record(p->node, p->id, &rec) == VX6_NOT_FOUND)
		return false;
	cnt = endpoints_of(&rec, all);
	for (unsigned i = 0; i < cnt; i++)
		if (may_use(p, &all[i]))
			all[usable++] = all[i];
	if (usable > 0)
		*to = all[p->failures % usable];
	return usable > 0;
}

static enum vx6_status dial(struct peer *p)
{
	struct node *n = p->node;
	struct quic_dial d = { .alpn = QUIC_SESSION,
			       .expect = p->id,
			       .user = p };
	struct vx6_addr to;

	if (p->conn)
		return VX6_OK;
	if (!place_of(p, &to))
		return VX6_NOT_FOUND;
	d.path.remote = to;
	if (!node_route(n, &to, &d.path.local))
		return VX6_UNREACHABLE;
	p->body = malloc(VX6_MSG_MAX);
	if (!p->body)
		return VX6_NO_ROOM;
	enum vx6_status st = quic_dial(n->quic, &d, loop_now(n->loop),
				       &p->conn);

	if (st != VX6_OK) {
		forget_session(p);
		return st;
	}
	p->state = PEER_OPENING;
	p->dialled = true;
	p->dialled_ns = loop_now(n->loop);
	p->retry_ns = 0;
	vx6_msg_reader_init(&p->rd);
	return VX6_OK;
}

static void dial_or_later(struct peer *p)
{
	enum vx6_status st = dial(p);

	if (st == VX6_OK)
		return;
	snprintf(p->error, sizeof(p->error), "%s",
		 st == VX6_NOT_FOUND ? "no address that can be reached is known"
				     : vx6_status_text(st));
	peer_hold(p);
	settle_waits(p, VX6_UNREACHABLE);
	redial_later(p);
	peer_drop(p);
}

/* A link whose circuits live on wants its session back from whoever dialled
 * it; after a restart nobody remembers who that was. */
static bool keeps_session(const struct peer *p)
{
	return p->wanted || (p->link == PEER_LINK_OPEN &&
			     (p->adopted || (p->dialled && p->refs > 0)));
}

void peer_dial_in(struct peer *p, uint64_t wait_ns)
{
	p->retry_ns = loop_now(p->node->loop) + wait_ns;
	loop_timer_set(&p->timer, p->retry_ns);
}

static void redial_later(struct peer *p)
{
	const struct config_timers *t = &p->node->cfg.timers;
	uint32_t jitter = p->node->cfg.redial_jitter;

	if (!keeps_session(p) || p->node->closing) {
		p->retry_ns = 0;
		return;
	}
	p->failures += p->backoff_ns > 0; /* the first may be any mishap */
	p->backoff_ns = loop_backoff(p->backoff_ns, t->redial_min_ns,
				     t->redial_max_ns);
	uint64_t wait = p->backoff_ns / 100u *
			(100u - jitter +
			 vx6_rand_below(&p->node->rnd, 2u * jitter + 1u));

	peer_dial_in(p, wait);
}

static void unused_check(struct peer *p)
{
	uint64_t now = loop_now(p->node->loop);
	uint64_t limit = p->node->cfg.timers.session_unused_ns;

	if (p->wanted || p->refs > 0 || p->link != PEER_LINK_NONE ||
	    now < p->since_ns + limit)
		return;
	quic_close(p->conn, 0, "not used", now);
}

static void on_timer(void *ctx)
{
	struct peer *p = ctx;
	uint64_t now = loop_now(p->node->loop);

	if (p->state == PEER_IDLE) {
		if (p->retry_ns && now >= p->retry_ns)
			dial_or_later(p);
		return;
	}
	if (p->state == PEER_READY) {
		peer_hold(p);
		p->refs--;
		unused_check(p);
		if (p->state == PEER_READY && p->wanted && p->hello_got &&
		    p->link == PEER_LINK_NONE)
			link_start(p); /* it went down; be ready for CREATE */
		if (p->state == PEER_READY)
			loop_timer_set(&p->timer, now + 30 * VX6_SEC);
	}
}

struct peer *peer_want(struct node *n, const uint8_t id[32],
		       const struct vx6_addr *place)
{
	struct peer *p = peer_get(n, id);

	if (!p)
		return NULL;
	p->wanted = true;
	if (place && !vx6_addr_is_none(place))
		p->place = *place;
	if (p->state == PEER_IDLE)
		dial_or_later(p); /* stays: it is wanted */
	return p;
}

void peer_seek(struct node *n, const uint8_t id[32], struct peer_wait *w)
{
	struct peer *p = peer_find(n, id);

	if (!p) {
		struct node_record rec;

		if (node_record(n, id, &rec) == VX6_NOT_FOUND) {
			w->done(w->ctx, NULL, VX6_NOT_FOUND);
			return;
		}
		p = peer_new(n, id);
	}
	if (!p) {
		w->done(w->ctx, NULL, VX6_UNREACHABLE);
		return;
	}
	if (p->link == PEER_LINK_OPEN && !p->unsettled && !p->sizing &&
	    p->state == PEER_READY) {
		w->done(w->ctx, p, VX6_OK);
		return;
	}
	w->peer = p;
	w->next = p->waits;
	p->waits = w;
	peer_hold(p);
	if (p->state == PEER_IDLE)
		dial_or_later(p);
	else if (p->state == PEER_READY && p->hello_got &&
		 p->link == PEER_LINK_NONE)
		link_start(p);
}

void peer_unseek(struct peer_wait *w)
{
	struct peer *p = w->peer;

	if (!p)
		return;
	for (struct peer_wait **at = &p->waits; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	w->peer = NULL;
	peer_drop(p);
}

void peer_link_lost(struct peer *p)
{
	struct node *n = p->node;

	if (p->index == 0)
		return;
	peer_hold(p);
	uint32_t index = p->index;
	bool added = p->link >= PEER_LINK_ADDING;

	p->link = PEER_LINK_NONE;
	p->index = p->link_moves = 0;
	p->sizing = false;
	loop_timer_clear(&p->size_timer);
	n->link[index] = NULL;
	relay_peer_lost(n, p);
	circuit_peer_lost(n, p);
	if (added && !n->in_plane)
		n->plane->ops->link_remove(n->plane, index);
	peer_drop(p);
}

void peer_linked(struct peer *p, enum vx6_status st)
{
	settle_waits(p, st == VX6_OK ? VX6_OK : VX6_UNREACHABLE);
}

/* ---- quic's events ---- */

/* Of two crossing sessions the one dialled by the lower node ID stays.  Who
 * dials although the one that we dialled stood was restarted. */
static bool new_one_stays(const struct peer *p, bool new_is_ours)
{
	bool we_are_lower = memcmp(p->node->id.id, p->id, sizeof(p->id)) < 0;
	uint64_t now = loop_now(p->node->loop);
	bool stood = p->state == PEER_READY && p->hello_got &&
		     now - p->since_ns > CROSSED_NS;

	if (p->dialled == new_is_ours || stood ||
	    now - p->dialled_ns > CROSSING_NS)
		return true; /* no crossing: the peer has made a new one */
	return new_is_ours == we_are_lower;
}

/* The link may live on without its session, what was asked over it not:
 * nobody is left who would answer. */
static void session_lost(struct peer *p)
{
	forget_session(p);
	if (p->link == PEER_LINK_ASKED || p->link == PEER_LINK_ADDING)
		peer_link_lost(p);
	relay_peer_silent(p->node, p);
	circuit_peer_silent(p->node, p);
}

static bool adopt_conn(struct peer *p, struct quic_conn *c)
{
	struct quic_conn *old = p->conn;
	uint64_t now = loop_now(p->node->loop);
	struct quic_path path;

	if (old && old != c) {
		if (!new_one_stays(p, quic_is_client(c))) {
			quic_close(c, 0, "crossing session", now);
			return false;
		}
		quic_set_user(old, NULL);
		session_lost(p);
		quic_close(old, 0, "crossing session", now);
	}
	if (!p->body)
		p->body = malloc(VX6_MSG_MAX);
	if (!p->body) {
		quic_close(c, VX6_NO_ROOM, "no memory", now);
		return false;
	}
	p->conn = c;
	quic_path(c, &path);
	p->proved = path.remote;
	quic_set_user(c, p);
	return true;
}

void peer_ready(struct node *n, struct quic_conn *c)
{
	struct peer *p = quic_user(c);
	uint64_t now = loop_now(n->loop);
	bool ours = quic_is_client(c);

	if (!p)
		p = peer_get(n, quic_peer(c));
	if (!p || !adopt_conn(p, c))
		return;
	p->state = PEER_READY;
	p->adopted = false;
	p->dialled = ours;
	p->since_ns = now;
	if (!ours) {
		p->dialled_ns = now;
		vx6_msg_reader_init(&p->rd);
	}
	p->stream = -1;
	p->error[0] = '\0';
	p->backoff_ns = 0;
	p->clock_told = false;
	loop_timer_set(&p->timer, now + 30 * VX6_SEC);
	log_info("session", "up", log_node("peer", p->id),
		 log_str("dialled", ours ? "yes" : "no"));
	if (!ours)
		return;
	if (quic_stream_new(c, &p->stream) != VX6_OK) {
		quic_close(c, VX6_BAD_STATE, "no stream allowed", now);
		return;
	}
	send_hello(p);
	if (registry_dialled(
		    n->reg, p->id,
		    &(struct registry_dial){
			    .at_ms = vx6_unix_ms(),
			    .ok = true,
			    .rtt_us = (uint32_t)((now - p->dialled_ns) /
						 VX6_US) }) != VX6_OK)
		log_debug("registry", "no-health", log_node("peer", p->id));
}

void peer_stream_open(struct peer *p, int64_t stream)
{
	if (p->dialled || p->stream >= 0) {
		quic_stream_reset(p->conn, stream, VX6_BAD_STATE);
		quic_stream_stop(p->conn, stream, VX6_BAD_STATE);
		return;
	}
	p->stream = stream;
	send_hello(p);
}

static void lost_words(struct peer *p, const struct quic_close *why)
{
	char at[VX6_ADDR_TEXT] = "its address", id[VX6_ID_TEXT];
	struct vx6_addr to;

	if (place_of(p, &to))
		vx6_addr_text(&to, at);
	if (why->kind == QUIC_CLOSE_IDENTITY)
		snprintf(p->error, sizeof(p->error),
			 "%s proved to be %s, not the node that was named", at,
			 vx6_id_text(why->proved, id));
	else if (why->kind == QUIC_CLOSE_HANDSHAKE ||
		 (why->kind == QUIC_CLOSE_IDLE && !why->was_ready))
		snprintf(p->error, sizeof(p->error), "%s does not answer", at);
	else
		snprintf(p->error, sizeof(p->error), "%s: %s", at, why->reason);
}

void peer_closed(struct peer *p, struct quic_conn *c,
		 const struct quic_close *why)
{
	if (p->conn != c)
		return;
	peer_hold(p);
	bool was = p->state == PEER_READY;

	session_lost(p);
	lost_words(p, why);
	if (was)
		log_info("session", "down", log_node("peer", p->id),
			 log_str("reason", why->reason));
	else
		log_warn("session", "no-session", log_node("peer", p->id),
			 log_str("reason", p->error));
	if (p->renew && !p->node->closing) {
		p->renew = false;
		dial_or_later(p);
		peer_drop(p);
		return;
	}
	settle_waits(p, VX6_UNREACHABLE);
	if (p->refs == 1 && !p->wanted)
		peer_link_lost(p);
	else
		redial_later(p);
	peer_drop(p);
}

void peer_renew(struct peer *p, const char *why)
{
	p->renew = true;
	quic_close(p->conn, 0, why, loop_now(p->node->loop));
}

/* ---- messages ---- */

static void bad(struct peer *p, const char *what)
{
	quic_close(p->conn, VX6_MALFORMED, what, loop_now(p->node->loop));
}

static void judge_clock(struct peer *p)
{
	uint64_t skew = p->node->cfg.timers.clock_skew_ns / VX6_MS;
	uint64_t off = (uint64_t)(p->clock_ms < 0 ? -p->clock_ms : p->clock_ms);

	if (off <= skew)
		return;
	log_warn("clock", p->clock_ms > 0 ? "behind" : "ahead",
		 log_node("peer", p->id), log_u64("seconds", off / 1000u));
}

struct send_all {
	struct peer *p;
	unsigned n;
	struct {
		uint8_t bytes[NODE_RECORD_MAX];
		size_t len;
	} *rec;
};

static void collect(void *ctx, const struct registry_node *rn)
{
	struct send_all *all = ctx;

	if (all->n >= MSG_RECORDS_MAX ||
	    memcmp(rn->id, all->p->id, sizeof(rn->id)) == 0)
		return;
	memcpy(all->rec[all->n].bytes, rn->bytes, rn->len);
	all->rec[all->n++].len = rn->len;
}

static void collect_reachable(void *ctx, const struct registry_node *rn)
{
	if (!rn->relay && rn->expires > node_wall())
		collect(ctx, rn);
}

static void send_records(struct peer *p, const struct msg_bytes rec[],
			 unsigned n)
{
	uint8_t *out = malloc(MSG_HEAD_LEN + MSG_BODY_MAX);
	size_t len;
	unsigned took;

	for (unsigned i = 0; out && i < n; i += took) {
		if (msg_records_emit(rec + i, n - i, out,
				     MSG_HEAD_LEN + MSG_BODY_MAX, &len,
				     &took) != VX6_OK)
			break;
		peer_send(p, VX6_MSG_RECORDS, out + MSG_HEAD_LEN,
			  len - MSG_HEAD_LEN);
		if (!p->conn)
			break;
	}
	free(out);
}

/* Relays first, then owners that are reached by relays; 256 in all. */
static void send_what_we_hold(struct peer *p)
{
	struct node *n = p->node;
	struct send_all all = { .p = p };
	struct msg_bytes rec[MSG_RECORDS_MAX];

	all.rec = calloc(MSG_RECORDS_MAX, sizeof(*all.rec));
	if (!all.rec)
		return;
	if (registry_relays(n->reg, node_wall(), n->cfg.limits.relays_sent,
			    collect, &all) != VX6_OK ||
	    registry_nodes(n->reg, collect_reachable, &all) != VX6_OK)
		log_warn("registry", "not-read", log_node("peer", p->id));
	for (unsigned i = 0; i < all.n; i++)
		rec[i] = (struct msg_bytes){ all.rec[i].bytes, all.rec[i].len };
	send_records(p, rec, all.n);
	free(all.rec);
}

void peer_tell_record(struct node *n, const struct peer *but,
		      const uint8_t *bytes, size_t len)
{
	struct msg_bytes one = { bytes, len };
	struct peer *next;

	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		if (p != but && p->hello_sent) /* else HELLO brings it */
			send_records(p, &one, 1);
	}
}

void peer_note_roles(struct peer *p, const struct node_record *rec)
{
	p->relay_until_s = rec->roles & NODE_ROLE_RELAY ? rec->expires : 0;
}

static void on_hello(struct peer *p, const uint8_t *body, size_t len)
{
	struct node *n = p->node;
	struct msg_hello m;
	struct node_record rec;
	enum vx6_status st;

	if (p->hello_got || msg_hello_parse(body, len, &m) != VX6_OK) {
		bad(p, "HELLO is malformed or came twice");
		return;
	}
	p->clock_ms = (int64_t)m.unix_ms - (int64_t)vx6_unix_ms();
	judge_clock(p);
	st = node_learn(n, p, m.record, m.record_len, &rec);
	if ((st == VX6_OK || st == VX6_EXISTS) &&
	    memcmp(rec.id, p->id, sizeof(p->id)) != 0) {
		bad(p, "HELLO brought another node's record");
		return;
	}
	if (st != VX6_OK && st != VX6_EXISTS)
		log_warn("record", "refused", log_node("peer", p->id),
			 log_status(st), log_i64("clock_ms", p->clock_ms));
	if (registry_proved(n->reg, p->id, node_wall()) != VX6_OK)
		log_debug("registry", "not-noted", log_node("peer", p->id));
	if (node_record(n, p->id, &rec) == VX6_OK) /* perhaps a newer one */
		peer_note_roles(p, &rec);
	p->hello_got = true;
	send_what_we_hold(p);
	node_via_changed(n);
	if (p->conn && p->dialled)
		link_start(p);
}

static void on_records(struct peer *p, const uint8_t *body, size_t len)
{
	struct msg_records *m = malloc(sizeof(*m));
	uint64_t now = loop_now(p->node->loop);

	if (!m)
		return;
	if (msg_records_parse(body, len, m) != VX6_OK) {
		free(m);
		bad(p, "RECORDS is malformed");
		return;
	}
	for (unsigned i = 0; i < m->n; i++) {
		enum vx6_status st = VX6_RATE; /* each is a signature check */

		if (peer_bucket_take(&p->records, RECORD_RATE, RECORD_BURST,
				     now))
			st = node_learn(p->node, p, m->record[i].data,
					m->record[i].len, NULL);
		p->node->stats.records_in++;
		if (st != VX6_OK && st != VX6_EXISTS && st != VX6_STALE)
			p->node->stats.records_refused++;
	}
	free(m);
}

static void on_wanted(struct peer *p, const uint8_t *body, size_t len)
{
	struct registry_node rn;

	if (!peer_bucket_take(&p->wanteds, WANTED_RATE, WANTED_BURST,
			      loop_now(p->node->loop)))
		return;
	struct msg_wanted *m = malloc(sizeof(*m));

	if (!m)
		return;
	if (msg_wanted_parse(body, len, m) != VX6_OK) {
		free(m);
		bad(p, "RECORDS_WANTED is malformed");
		return;
	}
	if (m->n == 0)
		send_what_we_hold(p);
	for (unsigned i = 0; i < m->n && p->conn; i++)
		if (registry_find(p->node->reg, m->id[i], &rn) == VX6_OK)
			send_records(p, &(struct msg_bytes){ rn.bytes, rn.len },
				     1);
	free(m);
}

static void dispatch(struct peer *p, unsigned type, const uint8_t *body,
		     size_t len)
{
	if (!p->hello_got && type != VX6_MSG_HELLO) {
		bad(p, "HELLO must come first");
		return;
	}
	switch ((enum vx6_msg_type)type) {
	case VX6_MSG_HELLO: on_hello(p, body, len); return;
	case VX6_MSG_RECORDS: on_records(p, body, len); return;
	case VX6_MSG_RECORDS_WANTED: on_wanted(p, body, len); return;
	case VX6_MSG_LINK_OPEN: link_on_open(p, body, len); return;
	case VX6_MSG_LINK_OK: link_on_ok(p, body, len); return;
	case VX6_MSG_LINK_CLOSE: link_on_close(p, body, len); return;
	case VX6_MSG_CREATE: relay_on_create(p, body, len); return;
	case VX6_MSG_CREATED:
		if (!circuit_on_created(p, body, len))
			relay_on_created(p, body, len);
		return;
	case VX6_MSG_CREATE_FAIL:
		if (!circuit_on_fail(p, body, len))
			relay_on_fail(p, body, len);
		return;
	case VX6_MSG_DESTROY:
		if (!circuit_on_destroy(p, body, len))
			relay_on_destroy(p, body, len);
		return;
	case VX6_MSG_GOAWAY:
		quic_close(p->conn, 0, "peer said GOAWAY",
			   loop_now(p->node->loop));
		return;
	case VX6_MSG_CIRCUITS: compare_on_circuits(p, body, len); return;
	case VX6_MSG_DESTROYED: /* ids carry generations: nothing to do */
	case VX6_MSG_DHT_ASK:
	case VX6_MSG_DHT_ANSWER: return;
	}
}

void peer_data(struct peer *p, int64_t stream, const uint8_t *data, size_t len,
	       bool fin)
{
	struct quic_conn *c = p->conn;
	enum vx6_msg_step step = VX6_MSG_HEAD;
	size_t used;

	if (stream != p->stream)
		return;
	quic_stream_consumed(c, stream, len);
	peer_hold(p);
	while (p->conn == c && (len > 0 || step != VX6_MSG_MORE)) {
		if (vx6_msg_read(&p->rd, data, len, &used, &step) != VX6_OK) {
			bad(p, "a message has a length that cannot be");
			break;
		}
		data += used;
		len -= used;
		if (step == VX6_MSG_HEAD)
			vx6_msg_into(&p->rd, p->body);
		else if (step == VX6_MSG_DONE)
			dispatch(p, p->rd.type, p->body, p->rd.len);
	}
	if (fin && p->conn == c)
		quic_close(c, 0, "control stream ended",
			   loop_now(p->node->loop));
	peer_drop(p);
}

/* ---- all of them ---- */

/* A link may live without its session, but not for ever (PROTOCOL.md 6). */
static void orphan_check(struct peer *p, uint64_t now)
{
	if (p->link != PEER_LINK_OPEN)
		return;
	if (p->orphan_ns == 0)
		p->orphan_ns = now;
	if (now - p->orphan_ns < p->node->cfg.timers.link_orphan_ns)
		return;
	log_info("link", "orphaned", log_node("peer", p->id));
	peer_link_lost(p);
}

void peers_sweep(struct node *n)
{
	uint64_t now = loop_now(n->loop);
	struct quic_stats q;
	struct peer *next;

	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		if (p->state != PEER_READY) {
			orphan_check(p, now);
			continue;
		}
		p->orphan_ns = 0;
		link_held_long(p);
		quic_stats(p->conn, &q);
		if (q.first_unanswered_ns >= now ||
		    now - q.first_unanswered_ns < n->cfg.timers.create_hop_ns)
			continue;
		relay_peer_silent(n, p);
		circuit_peer_silent(n, p);
	}
}

static void want_kept(void *ctx, const struct registry_node *rn)
{
	struct node *n = ctx;

	if (!rn->keep || !rn->relay || peer_find(n, rn->id))
		return;
	struct peer *p = peer_new(n, rn->id);

	if (p)
		p->wanted = p->kept = true;
}

void peers_open(struct node *n)
{
	struct peer *next;

	for (uint32_t i = 0; i < n->cfg.peers_cnt; i++) {
		struct peer *p = peer_find(n, n->cfg.peers[i].id);

		if (!p)
			p = peer_new(n, n->cfg.peers[i].id);
		if (!p)
			continue;
		p->wanted = p->configured = true;
		p->place = n->cfg.peers[i].address;
	}
	if (registry_nodes(n->reg, want_kept, n) != VX6_OK)
		log_warn("registry", "not-read", log_str("what", "peers"));
	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		dial_or_later(p);
	}
}

/* Circuits are closed already: nobody holds a peer any more. */
void peers_close(struct node *n)
{
	struct peer *next;

	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		loop_timer_clear(&p->timer);
		loop_timer_clear(&p->size_timer);
		if (p->conn)
			quic_set_user(p->conn, NULL);
		free(p->body);
		free(p);
	}
	n->peers = NULL;
}
