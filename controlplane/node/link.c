/* SPDX-License-Identifier: GPL-2.0-or-later */

/* link: negotiating a link over a session, and hearing what became of it
 * (PROTOCOL.md section 6). */

#include <string.h>

#include <sodium.h>

#include "controlplane/core/note.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/compare.h"
#include "controlplane/node/peer.h"

#define DIAL_NS      (5 * VX6_MS)   /* between dials for links taken up */
#define SIZE_NS      (500 * VX6_MS) /* for the first answer of a link */
#define SIZE_LATE_NS (50 * VX6_MS)  /* and an RTT: then for a large one */

/* Until the path has shown what it carries, what every path does. */
static uint16_t counted_on(const struct peer *p, uint16_t proved)
{
	if (proved)
		return proved;
	return p->u_claimed < VX6_LINK_U_BASE ? p->u_claimed : VX6_LINK_U_BASE;
}

static uint32_t free_index(struct node *n)
{
	for (uint32_t i = 1; i < n->plane->links_max; i++)
		if (!n->link[i])
			return i;
	return 0;
}

/* Where the peer shall send cells: the address that this session has on
 * our side, with the port where cells arrive. */
static struct vx6_addr our_address(const struct peer *p)
{
	struct quic_path path;

	quic_path(p->conn, &path);
	path.local.port = p->node->plane->listen.port;
	return path.local;
}

static void fill_ours(struct peer *p, bool learn, struct msg_link *m)
{
	*m = (struct msg_link){ .index = p->index,
				.learn = learn,
				.addr = our_address(p) };
	m->u = plane_u(p->node->plane, &m->addr);
	memcpy(m->nonce, p->nonce, sizeof(m->nonce));
}

static bool take_index(struct peer *p)
{
	uint32_t index = free_index(p->node);

	if (index == 0)
		return false;
	p->index = index;
	p->node->link[index] = p;
	randombytes_buf(p->nonce, sizeof(p->nonce));
	return true;
}

static void refuse(struct peer *p, uint32_t index, enum msg_link_reason why)
{
	struct msg_link_close m = { .index = index, .reason = why };
	uint8_t out[MSG_SMALL];
	size_t len;

	if (msg_link_close_emit(&m, out, sizeof(out), &len) == VX6_OK)
		peer_send(p, VX6_MSG_LINK_CLOSE, out + MSG_HEAD_LEN,
			  len - MSG_HEAD_LEN);
}

static void say(struct peer *p, enum msg_type type, const struct msg_link *m)
{
	uint8_t out[MSG_SMALL];
	size_t len;

	if (msg_link_emit(type, m, out, sizeof(out), &len) == VX6_OK)
		peer_send(p, (enum vx6_msg_type)type, out + MSG_HEAD_LEN,
			  len - MSG_HEAD_LEN);
}

/* The session is new, the link is not: ask whether they have it still. */
static void ask_adoption(struct peer *p)
{
	struct msg_link m;

	randombytes_buf(p->nonce, sizeof(p->nonce));
	fill_ours(p, p->learn, &m);
	m.adopt = true;
	m.adopt_own = p->index;
	m.adopt_peer = p->peer_index;
	say(p, MSG_LINK_OPEN, &m);
}

/* Keys come from a session's TLS state, which is freed when its link is
 * open: a second link on it needs a fresh session. */
static bool can_derive(const struct peer *p)
{
	uint8_t out[32];
	bool ok = quic_export(p->conn, VX6_LINK_EXPORTER, p->nonce,
			      sizeof(p->nonce), out) == VX6_OK;

	sodium_memzero(out, sizeof(out));
	return ok;
}

void link_start(struct peer *p)
{
	struct msg_link m;

	if (p->link == PEER_LINK_OPEN) {
		ask_adoption(p);
		return;
	}
	if (p->link != PEER_LINK_NONE || !p->node->plane->up)
		return;
	if (!can_derive(p)) {
		peer_renew(p, "a new link needs a new session");
		return;
	}
	if (!take_index(p)) {
		peer_linked(p, VX6_NO_ROOM);
		return;
	}
	p->link = PEER_LINK_ASKED;
	p->link_opener = true;
	/* A node that nobody dials may be behind a NAT: be learnt. */
	p->learn = !node_is_relay(p->node);
	fill_ours(p, p->learn, &m);
	say(p, MSG_LINK_OPEN, &m);
}

static void say_ok(struct peer *p)
{
	struct msg_link m;

	fill_ours(p, p->learn, &m);
	say(p, MSG_LINK_OK, &m);
}

/* What a circuit is told of its links holds for its life, so nobody builds
 * on one before the path has shown what it carries.  A path that swallows
 * large datagrams shows it by silence. */
static void sized(struct peer *p)
{
	if (!p->sizing)
		return;
	p->sizing = false;
	loop_timer_clear(&p->size_timer);
	peer_linked(p, VX6_OK);
}

void link_size_late(void *ctx)
{
	sized(ctx);
}

static void added(void *ctx, enum vx6_status st)
{
	struct peer *p = ctx;

	if (p->link != PEER_LINK_ADDING) {
		peer_drop(p);
		return;
	}
	if (st == VX6_OK) {
		p->link = PEER_LINK_OPEN;
		p->unsettled = false;
		p->link_since_ns = loop_now(p->node->loop);
		p->sizing = true;
		loop_timer_set(&p->size_timer, p->link_since_ns + SIZE_NS);
		if (!p->link_opener)
			say_ok(p); /* not before cells would be taken */
		quic_settle(p->conn);
	} else {
		peer_link_lost(p);
		peer_linked(p, st);
	}
	peer_drop(p);
}

static bool derive(const struct peer *p, const struct msg_link *theirs,
		   struct vx6_link_keys *keys)
{
	uint8_t context[32], prk[32];
	bool open = p->link_opener;

	vx6_link_context(context, open ? p->index : theirs->index,
			 open ? p->nonce : theirs->nonce,
			 open ? theirs->index : p->index,
			 open ? theirs->nonce : p->nonce);
	if (quic_export(p->conn, VX6_LINK_EXPORTER, context, sizeof(context),
			prk) != VX6_OK)
		return false;
	vx6_link_derive(keys, prk, open);
	sodium_memzero(prk, sizeof(prk));
	return true;
}

/* Somebody has to.  Who answers mostly waits for the opener's first ask: its
 * own would arrive before the opener has the link.  Where the opener is to
 * learn, it asks where it dialled, which finds whoever takes cells there;
 * and the answerer asks as well, so that the others are learnt. */
static bool asks_first(const struct peer *p, const struct msg_link *theirs)
{
	if (p->link_opener)
		return !theirs->learn || p->dialled;
	return p->learn;
}

static void note(const struct peer *p, uint8_t out[ABI_NOTE_LEN])
{
	struct note m = { .use = NOTE_LINK, .opener = p->link_opener };

	memcpy(m.node, p->id, sizeof(m.node));
	note_emit(out, &m);
}

static enum vx6_status add(struct peer *p, const struct msg_link *theirs)
{
	struct node *n = p->node;
	struct quic_path path;
	struct abi_link l = {
		.ask_ns = n->cfg.timers.link_ask_ns,
		.ask_busy_ns = n->cfg.timers.link_ask_busy_ns,
		.index = p->index,
		.peer_index = theirs->index,
	};

	if (!derive(p, theirs, &l.keys))
		return VX6_BAD_STATE;
	quic_path(p->conn, &path);
	if (asks_first(p, theirs)) {
		/* The session proved this IP; only the port is theirs to
		 * say, so a peer cannot point our cells at a stranger. */
		l.peer = path.remote;
		if (!theirs->learn)
			l.peer.port = theirs->addr.port;
	}
	l.behind_nat = p->learn;
	l.u = plane_u(n->plane, &path.remote);
	if (theirs->u < l.u)
		l.u = theirs->u;
	p->peer_index = theirs->index;
	p->u_claimed = l.u;
	p->u = counted_on(p, 0);
	p->link = PEER_LINK_ADDING;
	note(p, l.note);
	peer_hold(p);
	enum vx6_status st = n->plane->ops->link_add(n->plane, &l, added, p);

	sodium_memzero(&l.keys, sizeof(l.keys));
	if (st != VX6_OK)
		peer_drop(p);
	return st;
}

static void failed(struct peer *p, uint32_t index, enum vx6_status st)
{
	log_warn("link", "not-made", log_node("peer", p->id), log_status(st));
	if (index)
		refuse(p, index, MSG_LINK_NO_ROOM);
	peer_link_lost(p);
	peer_linked(p, st);
}

/* Both ends have the link: circuits are compared next. */
static void settled(struct peer *p)
{
	bool first = p->unsettled;

	p->unsettled = false;
	quic_settle(p->conn);
	if (!first)
		return;
	log_info("link", "kept", log_node("peer", p->id));
	compare_send(p);
	peer_linked(p, VX6_OK);
}

static void answer_adoption(struct peer *p, const struct msg_link *theirs)
{
	struct msg_link m;

	if (p->link != PEER_LINK_OPEN || p->index != theirs->adopt_peer ||
	    p->peer_index != theirs->adopt_own) {
		refuse(p, theirs->index, MSG_LINK_UNKNOWN);
		return;
	}
	fill_ours(p, p->learn, &m);
	m.adopt = true;
	m.adopt_own = p->index;
	m.adopt_peer = p->peer_index;
	say(p, MSG_LINK_OK, &m);
	settled(p);
}

static void asked(struct peer *p, const struct msg_link *theirs)
{
	if (theirs->adopt) {
		answer_adoption(p, theirs);
		return;
	}
	if (p->link == PEER_LINK_ASKED) {
		/* Both asked at once: the dialler's LINK_OPEN counts. */
		if (p->dialled)
			return;
		peer_link_lost(p);
	}
	if (p->link != PEER_LINK_NONE)
		peer_link_lost(p);
	if (!can_derive(p)) {
		peer_renew(p, "a new link needs a new session");
		return;
	}
	if (!p->node->plane->up || !take_index(p)) {
		refuse(p, theirs->index, MSG_LINK_NO_ROOM);
		return;
	}
	p->link_opener = false;
	p->learn = !theirs->learn && !node_is_relay(p->node);
	enum vx6_status st = add(p, theirs);

	if (st != VX6_OK)
		failed(p, theirs->index, st);
}

void link_on_open(struct peer *p, const uint8_t *body, size_t len)
{
	if (msg_link_parse(body, len, &p->held) != VX6_OK) {
		quic_close(p->conn, VX6_MALFORMED, "LINK_OPEN is malformed",
			   loop_now(p->node->loop));
		return;
	}
	p->is_held = p->node->plane->coming;
	if (!p->is_held)
		asked(p, &p->held);
}

/* Who was dialled is asked; it asks by itself only for what is new. */
void link_plane_up(struct peer *p)
{
	if (p->is_held) {
		p->is_held = false;
		asked(p, &p->held);
	} else if (p->dialled || p->link == PEER_LINK_NONE) {
		link_start(p);
	}
}

/* The data plane is not there after all. */
void link_held_long(struct peer *p)
{
	if (!p->is_held || p->node->plane->coming)
		return;
	p->is_held = false;
	asked(p, &p->held);
}

bool link_adopt(struct node *n, const struct adopt_link *l, uint32_t nth)
{
	struct peer *p = peer_get(n, l->note.node);

	if (!p)
		return false;
	n->link[l->index] = p;
	p->index = l->index;
	p->peer_index = l->peer_index;
	p->link = PEER_LINK_OPEN;
	p->link_opener = l->note.opener;
	p->learn = l->behind_nat;
	p->u_claimed = l->u;
	p->u = counted_on(p, l->u_proved);
	p->unsettled = true;
	p->adopted = p->state != PEER_READY;
	p->link_since_ns = p->orphan_ns = loop_now(n->loop);
	if (p->state == PEER_IDLE)
		peer_dial_in(p, nth * DIAL_NS);
	return true;
}

void link_on_ok(struct peer *p, const uint8_t *body, size_t len)
{
	struct msg_link theirs;

	if (msg_link_parse(body, len, &theirs) != VX6_OK) {
		quic_close(p->conn, VX6_MALFORMED, "LINK_OK is malformed",
			   loop_now(p->node->loop));
		return;
	}
	if (theirs.adopt && p->link == PEER_LINK_OPEN &&
	    theirs.adopt_own == p->peer_index &&
	    theirs.adopt_peer == p->index) {
		settled(p);
		return;
	}
	if (theirs.adopt || p->link != PEER_LINK_ASKED || !p->link_opener) {
		refuse(p, theirs.index, MSG_LINK_UNKNOWN);
		return;
	}
	enum vx6_status st = add(p, &theirs);

	if (st != VX6_OK)
		failed(p, theirs.index, st);
}

void link_on_close(struct peer *p, const uint8_t *body, size_t len)
{
	struct msg_link_close m;

	if (msg_link_close_parse(body, len, &m) != VX6_OK)
		return;
	if (p->link == PEER_LINK_NONE || m.index != p->index)
		return;
	bool again = p->unsettled && p->dialled && m.reason == MSG_LINK_UNKNOWN;

	peer_link_lost(p);
	if (again)
		link_start(p);
	else
		peer_linked(p, VX6_UNREACHABLE);
}

void link_give_up(struct peer *p)
{
	/* one that is being added too: who asked for it waits for a word */
	if (p->state == PEER_READY && p->link >= PEER_LINK_ADDING)
		refuse(p, p->peer_index, MSG_LINK_DEAD);
	peer_link_lost(p);
}

static void size_event(struct peer *p, unsigned events)
{
	struct plane *plane = p->node->plane;
	uint64_t soon = loop_now(p->node->loop) + SIZE_LATE_NS;
	struct plane_link_info info;

	if (!plane->ops->link_info(plane, p->index, &info))
		return;
	p->u = counted_on(p, info.u_proved);
	if (info.u_proved)
		sized(p);
	else if (p->sizing && (events & VX6_LINK_EV_UP) &&
		 soon + info.srtt_ns < p->size_timer.due_ns)
		loop_timer_set(&p->size_timer, soon + info.srtt_ns);
}

void link_on_event(struct node *n, uint32_t index, unsigned events)
{
	struct peer *p = index < n->plane->links_max ? n->link[index] : NULL;

	/* Until it is added, what is heard of an index is of the link that had
	 * it before. */
	if (!p || p->link != PEER_LINK_OPEN)
		return;
	if (events & (VX6_LINK_EV_SIZE | VX6_LINK_EV_UP))
		size_event(p, events);
	if (events & VX6_LINK_EV_MOVED) {
		log_info("link", "moved", log_node("peer", p->id));
		p->link_moves++;
	}
	if (!(events & VX6_LINK_EV_DOWN))
		return;
	log_warn("link", "down", log_node("peer", p->id));
	peer_hold(p); /* without a session the link may be all it has */
	link_give_up(p);
	peer_linked(p, VX6_UNREACHABLE);
	peer_drop(p);
}
