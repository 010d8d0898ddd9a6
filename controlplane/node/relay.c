/* SPDX-License-Identifier: GPL-2.0-or-later */

/* relay: core/hop's decisions carried out. */

#include "controlplane/node/relay.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "controlplane/core/hop.h"
#include "controlplane/core/lack.h"
#include "controlplane/core/note.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/creates.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/ctl.h"
#include "dataplane/wire/kdf.h"
#include "dataplane/wire/layer.h"
#include "dataplane/wire/window.h"

#define NO_ID UINT32_C(0xfff00000) /* index 0: never a circuit */

struct end { /* of a circuit that ends here.  Secret. */
	struct vx6_layer fwd, bwd;
	struct vx6_window win;
	uint64_t start_b, sealed;
	struct chan chan;
};

struct relay_circ {
	struct node_grave grave;
	struct relay_circ *next_in_list, **at_in_list;
	struct node *node;
	uint32_t n;
	struct hop hop;
	struct peer *prev, *next; /* held */
	uint32_t prev_back_id, forward_id, back_id, next_forward_id;
	uint64_t back_start; /* the next hop's start_b */
	struct vx6_slot slot;
	struct vx6_create_relay secret;
	uint8_t onion[VX6_ONION_LEN]; /* arrived; then the next hop's */
	uint8_t e[32];                /* its first key */
	uint8_t reply[VX6_REPLY_LEN]; /* from behind */
	bool have_reply;
	struct peer_wait wait;
	struct loop_timer timer;
	struct end *end;
	struct onion_key key; /* for the job.  Secret. */
	enum vx6_status opened;
	uint32_t wall_s;
	uint64_t start_ns, open_ns, cells_in, cells_out;
	uint32_t told_prev, told_next; /* the last list that had it */
	uint32_t pending;              /* job and adds under way */
	bool add_failed, zombie;
	bool gone;   /* let go: prev and next are not held any more */
	bool in_job; /* the pool works on it: hands off */
};

static void step(struct relay_circ *c, enum hop_ev kind, unsigned code);

/* ---- birth and death ---- */

static void free_later(struct relay_circ *c)
{
	loop_timer_clear(&c->timer);
	node_bury(c->node, &c->grave);
}

static void unlist(struct relay_circ *c)
{
	struct node *n = c->node;

	*c->at_in_list = c->next_in_list;
	if (c->next_in_list)
		c->next_in_list->at_in_list = c->at_in_list;
	n->relay_cnt--;
	if (c->hop.end)
		n->end_cnt--;
}

static void let_go(struct relay_circ *c)
{
	struct node *n = c->node;

	unlist(c);
	peer_unseek(&c->wait);
	ids_give(&n->ids, c->forward_id);
	ids_give(&n->ids, c->back_id);
	if (c->end) {
		chan_close(&c->end->chan);
		vx6_layer_wipe(&c->end->fwd);
		vx6_layer_wipe(&c->end->bwd);
		free(c->end);
		c->end = NULL;
	}
	if (c->prev)
		peer_drop(c->prev);
	if (c->next)
		peer_drop(c->next);
	c->prev = c->next = NULL;
	c->gone = true;
	if (!c->in_job)
		vx6_create_relay_wipe(&c->secret);
	if (c->pending > 0)
		c->zombie = true;
	else
		free_later(c);
}

static void on_timer(void *ctx)
{
	step(ctx, HOP_EV_TICK, 0);
}

static struct relay_circ *circ_new(struct peer *p, uint32_t back_id)
{
	struct node *n = p->node;
	struct hop_times times = {
		.seek_ns = n->cfg.timers.create_hop_ns,
		.extend_ns = n->cfg.timers.create_ns,
	};
	struct relay_circ *c = aligned_alloc(64, (sizeof(*c) + 63u) & ~63u);

	if (!c)
		return NULL;
	*c = (struct relay_circ){ .node = n,
				  .n = ++n->next_n,
				  .prev = p,
				  .prev_back_id = back_id,
				  .start_ns = loop_now(n->loop),
				  .wall_s = node_wall() };
	hop_init(&c->hop, &times);
	loop_timer_init(&c->timer, n->loop, on_timer, c);
	peer_hold(p);
	c->next_in_list = n->relays;
	c->at_in_list = &n->relays;
	if (n->relays)
		n->relays->at_in_list = &c->next_in_list;
	n->relays = c;
	n->relay_cnt++;
	return c;
}

/* ---- what core/hop asks for ---- */

static void found_next(void *ctx, struct peer *p, enum vx6_status st)
{
	struct relay_circ *c = ctx;

	if (st == VX6_OK) {
		c->next = p;
		peer_hold(p);
		step(c, HOP_EV_NEXT_READY, 0);
		return;
	}
	step(c,
	     st == VX6_NOT_FOUND ? HOP_EV_NEXT_UNKNOWN
				 : HOP_EV_NEXT_UNREACHABLE,
	     0);
}

static void do_seek(struct relay_circ *c)
{
	c->wait.done = found_next;
	c->wait.ctx = c;
	peer_seek(c->node, c->slot.next, &c->wait);
}

static void do_extend(struct relay_circ *c)
{
	uint8_t body[VX6_MSG_CREATE_LEN];

	c->back_id = ids_take(&c->node->ids, c, NODE_ID_RELAY_BACKWARD);
	if (c->back_id == 0) {
		c->hop.next_told = false;
		step(c, HOP_EV_NO_ROOM, 0);
		return;
	}
	vx6_msg_create_emit(body, &(struct vx6_msg_create){
					  .link = c->next->peer_index,
					  .kid = c->slot.next_kid,
					  .back_id = c->back_id,
					  .handshake = VX6_HANDSHAKE,
					  .onion = c->onion,
				  });
	peer_send(c->next, VX6_MSG_CREATE, body, sizeof(body));
}

static void added(void *ctx, enum vx6_status st)
{
	struct relay_circ *c = ctx;

	c->pending--;
	if (st != VX6_OK)
		c->add_failed = true;
	if (c->zombie) {
		if (c->pending == 0)
			free_later(c);
		return;
	}
	if (c->pending > 0 || c->hop.state != HOP_INSTALL)
		return;
	step(c, c->add_failed ? HOP_EV_NO_ROOM : HOP_EV_INSTALLED, 0);
}

static bool add_half(struct relay_circ *c, const struct abi_half *h)
{
	struct plane *plane = c->node->plane;

	c->pending++;
	enum vx6_status st = plane->ops->half_add(plane, h, added, c);

	if (st == VX6_OK)
		return true;
	c->pending--;
	log_warn("relay", "half-refused", log_status(st));
	return false;
}

static void note(const struct relay_circ *c, enum note_use use,
		 uint8_t out[ABI_NOTE_LEN])
{
	bool back = use == NOTE_BACKWARD;
	struct note m = {
		.use = use,
		.other = use == NOTE_END ? 0
			 : back          ? c->forward_id
					 : c->back_id,
		.life_s = (uint32_t)(c->hop.times.life_ns / VX6_SEC),
	};

	memcpy(m.node, back ? c->next->id : c->prev->id, sizeof(m.node));
	note_emit(out, &m);
}

static bool install_relay(struct relay_circ *c)
{
	const struct vx6_hop_keys *k = &c->secret.keys;
	uint64_t life = c->hop.times.life_ns + RELAY_SLACK_NS;
	struct abi_half h = {
		.start_rx = k->start_f,
		.life_ns = life,
		.id = c->forward_id,
		.in_link = c->prev->index,
		.out_link = c->next->index,
		.out_id = c->next_forward_id,
		.cell_size_in = c->slot.cell_size,
		.cell_size_out = c->slot.cell_size,
		.kind = ABI_HALF_FORWARD,
		.suite = c->slot.suite,
	};
	bool ok;

	memcpy(h.key, k->k_f, sizeof(h.key));
	memcpy(h.iv, k->iv_f, sizeof(h.iv));
	note(c, NOTE_FORWARD, h.note);
	c->pending++; /* both are asked for before the first answer counts */
	ok = add_half(c, &h);
	h.start_rx = c->back_start;
	h.start_tx = k->start_b;
	h.id = c->back_id;
	h.in_link = c->next->index;
	h.out_link = c->prev->index;
	h.out_id = c->prev_back_id;
	h.kind = ABI_HALF_BACKWARD;
	memcpy(h.key, k->k_b, sizeof(h.key));
	memcpy(h.iv, k->iv_b, sizeof(h.iv));
	note(c, NOTE_BACKWARD, h.note);
	ok = ok && add_half(c, &h);
	sodium_memzero(&h, sizeof(h));
	return ok;
}

static const struct chan_ops end_ops;

static bool install_end(struct relay_circ *c)
{
	const struct vx6_hop_keys *k = &c->secret.keys;
	struct abi_half h = {
		.start_rx = k->start_f,
		.life_ns = c->hop.times.life_ns + RELAY_SLACK_NS,
		.id = c->forward_id,
		.in_link = c->prev->index,
		.cell_size_in = c->slot.cell_size,
		.kind = ABI_HALF_LOCAL,
	};
	struct end *e = aligned_alloc(64, (sizeof(*e) + 63u) & ~63u);

	if (!e)
		return false;
	c->end = e;
	*e = (struct end){ .start_b = k->start_b };
	vx6_window_init(&e->win, k->start_f);
	if (vx6_layer_init(&e->fwd, c->slot.suite, k->k_f, k->iv_f) != VX6_OK ||
	    vx6_layer_init(&e->bwd, c->slot.suite, k->k_b, k->iv_b) != VX6_OK ||
	    chan_open(&e->chan, c->node, &end_ops, c, VX6_CHANNEL_D_DEFAULT) !=
		    VX6_OK)
		return false;
	e->chan.far = c->prev->id;
	note(c, NOTE_END, h.note);
	c->pending++;
	return add_half(c, &h);
}

static void do_install(struct relay_circ *c)
{
	c->forward_id = ids_take(&c->node->ids, c, NODE_ID_RELAY_FORWARD);
	if (c->forward_id == 0) {
		step(c, HOP_EV_NO_ROOM, 0);
		return;
	}
	bool ok = c->hop.end ? install_end(c) : install_relay(c);

	if (!ok)
		c->add_failed = true;
	if (c->pending == 0)
		c->pending++; /* nothing was asked for */
	added(c, ok ? VX6_OK : VX6_NO_ROOM);
}

static void do_answer(struct relay_circ *c)
{
	uint8_t reply[VX6_REPLY_LEN], random[448], body[VX6_MSG_CREATED_LEN];
	bool ok = c->hop.code == VX6_CREATED_OK;
	struct vx6_hop_status st = {
		.lifetime_s = (uint32_t)c->slot.lifetime_min * 60u,
		.u_next = ok && c->next ? c->next->u : 0,
		.code = c->hop.code,
		.suite = c->slot.suite,
	};

	/* Whoever failed has no circuit, but its answer needs an id that no
	 * other circuit has: the hop before will destroy it. */
	if (c->forward_id == 0)
		c->forward_id = ids_take(&c->node->ids, c,
					 NODE_ID_RELAY_FORWARD);
	randombytes_buf(random, sizeof(random));
	vx6_created_wrap(reply, &c->secret, &st,
			 ok && c->have_reply ? c->reply : NULL, random);
	vx6_msg_created_emit(
		body,
		&(struct vx6_msg_created){
			.back_id = c->prev_back_id,
			.forward_id = c->forward_id ? c->forward_id : NO_ID,
			.back_start = c->secret.keys.start_b,
			.reply = reply });
	peer_send(c->prev, VX6_MSG_CREATED, body, sizeof(body));
	vx6_create_relay_wipe(&c->secret);
	if (ok)
		c->node->stats.create_ok++;
	else
		c->node->stats.create_refused++;
}

static void send_fail(struct peer *p, uint32_t back_id, enum vx6_fail why)
{
	uint8_t body[VX6_MSG_FAIL_LEN];

	vx6_msg_fail_emit(body,
			  &(struct vx6_msg_fail){ .back_id = back_id,
						  .reason = (uint8_t)why });
	peer_send(p, VX6_MSG_CREATE_FAIL, body, sizeof(body));
	p->node->stats.create_refused++;
	p->node->stats.create_fail[why]++;
}

static void send_destroy(struct peer *p, uint32_t id, enum vx6_destroy why)
{
	uint8_t body[VX6_MSG_DESTROY_LEN];

	if (!p || id == 0)
		return;
	vx6_msg_destroy_emit(body, &(struct vx6_msg_destroy){
					   .id = id, .reason = (uint8_t)why });
	peer_send(p, VX6_MSG_DESTROY, body, sizeof(body));
}

static enum vx6_fail fail_of(enum vx6_status st)
{
	switch ((unsigned)st) {
	case VX6_EXPIRED: return VX6_FAIL_EXPIRED;
	case VX6_REPLAYED: return VX6_FAIL_REPLAYED;
	case VX6_NO_ROOM: return VX6_FAIL_NO_ROOM;
	case VX6_CLOSED: return VX6_FAIL_CLOSING;
	default: return VX6_FAIL_BAD_SLOT;
	}
}

static void do_remove(struct relay_circ *c)
{
	struct plane *plane = c->node->plane;

	if (c->node->in_plane)
		return; /* it is gone itself */
	if (c->forward_id)
		plane->ops->half_remove(plane, c->forward_id);
	if (c->back_id)
		plane->ops->half_remove(plane, c->back_id);
}

static void act(struct relay_circ *c, enum hop_act what)
{
	switch (what) {
	case HOP_ACT_SEEK: do_seek(c); return;
	case HOP_ACT_EXTEND: do_extend(c); return;
	case HOP_ACT_INSTALL: do_install(c); return;
	case HOP_ACT_ANSWER: do_answer(c); return;
	case HOP_ACT_FAIL:
		send_fail(c->prev, c->prev_back_id, fail_of(c->opened));
		return;
	case HOP_ACT_REMOVE: do_remove(c); return;
	case HOP_ACT_DESTROY_PREV:
		send_destroy(c->prev, c->prev_back_id, VX6_DESTROY_NEXT);
		return;
	case HOP_ACT_DESTROY_NEXT:
		send_destroy(c->next, c->next_forward_id, VX6_DESTROY_NEXT);
		return;
	case HOP_ACT_FREE: let_go(c); return;
	}
}

/* SEEK, EXTEND and INSTALL, which may step again, are the last of their
 * list. */
static void step(struct relay_circ *c, enum hop_ev kind, unsigned code)
{
	struct hop_event ev = { .kind = kind,
				.code = (uint8_t)code,
				.now_ns = loop_now(c->node->loop) };
	struct hop_out out;

	if (hop_step(&c->hop, &ev, &out) != VX6_OK)
		return;
	if (c->hop.state == HOP_OPEN && c->open_ns == 0)
		c->open_ns = ev.now_ns;
	loop_timer_set(&c->timer, hop_due(&c->hop));
	for (unsigned i = 0; i < out.n && !c->gone; i++)
		act(c, out.act[i]);
}

/* ---- CREATE ---- */

static void job_run(void *job)
{
	struct relay_circ *c = job;
	uint8_t *next = malloc(VX6_ONION_LEN);
	uint8_t y[32];

	if (!next) {
		c->opened = VX6_NO_ROOM;
		return;
	}
	c->opened = vx6_create_open(&c->secret, &c->slot, next, c->onion,
				    c->node->id.id, c->key.secret,
				    c->key.public_key, c->wall_s);
	if (c->opened == VX6_OK) {
		randombytes_buf(y, sizeof(y));
		c->opened = vx6_create_accept(&c->secret, y);
		sodium_memzero(y, sizeof(y));
		memcpy(c->onion, next, VX6_ONION_LEN);
	}
	sodium_memzero(&c->key, sizeof(c->key));
	sodium_memzero(next, VX6_ONION_LEN);
	free(next);
}

static enum hop_ev judge(struct relay_circ *c)
{
	struct node *n = c->node;

	if (c->opened != VX6_OK)
		return HOP_EV_REFUSED;
	c->hop.times.life_ns = (uint64_t)c->slot.lifetime_min * 60u * VX6_SEC;
	if (!vx6_suite_offers(c->slot.suite))
		return HOP_EV_OPENED_OTHER;
	if (c->slot.role == VX6_ROLE_END) {
		if (n->end_cnt >= n->cfg.limits.ends)
			return HOP_EV_OPENED_OTHER;
		n->end_cnt++;
		return HOP_EV_OPENED_END;
	}
	if (c->slot.role == VX6_ROLE_RELAY && node_is_relay(n))
		return HOP_EV_OPENED_RELAY;
	return HOP_EV_OPENED_OTHER;
}

static void job_done(void *job, enum vx6_status st)
{
	struct relay_circ *c = job;

	c->pending--;
	c->in_job = false;
	if (st == VX6_OK)
		st = c->opened;
	c->opened = creates_done(c->node, c->e, c->slot.expires, st);
	if (c->zombie) {
		vx6_create_relay_wipe(&c->secret);
		free_later(c);
		return;
	}
	step(c, judge(c), 0);
}

void relay_on_create(struct peer *p, const uint8_t *body, size_t len)
{
	struct node *n = p->node;
	struct vx6_msg_create m;
	const struct onion_key *key;
	enum vx6_fail why;

	n->stats.create_in++;
	if (vx6_msg_create_parse(&m, body, len) != VX6_OK)
		return;
	if (creates_admit(p, &m, &key, &why) != VX6_OK) {
		send_fail(p, m.back_id, why);
		return;
	}
	struct relay_circ *c = circ_new(p, m.back_id);

	if (!c) {
		admit_leave(&n->admit, m.onion);
		send_fail(p, m.back_id, VX6_FAIL_NO_ROOM);
		return;
	}
	memcpy(c->onion, m.onion, sizeof(c->onion));
	memcpy(c->e, m.onion, sizeof(c->e));
	c->key = *key;
	c->pending++;
	c->in_job = true;
	if (loop_work(n->loop, job_run, job_done, c) != VX6_OK) {
		c->opened = VX6_NO_ROOM;
		admit_leave(&n->admit, c->e);
		c->pending--;
		c->in_job = false;
		sodium_memzero(&c->key, sizeof(c->key));
		step(c, HOP_EV_REFUSED, 0);
	}
}

/* ---- answers ---- */

static struct relay_circ *mine(struct peer *p, uint32_t id, bool *from_next)
{
	struct ids_slot *s = ids_find(&p->node->ids, id);

	if (!s || s->what == NODE_ID_CIRCUIT)
		return NULL;
	struct relay_circ *c = s->owner;

	*from_next = s->what == NODE_ID_RELAY_BACKWARD;
	return (*from_next ? c->next : c->prev) == p ? c : NULL;
}

void relay_on_created(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_created m;
	bool from_next;

	if (vx6_msg_created_parse(&m, body, len) != VX6_OK)
		return;
	struct relay_circ *c = mine(p, m.back_id, &from_next);

	if (!c || !from_next || c->hop.state != HOP_EXTEND) {
		send_destroy(p, m.forward_id, VX6_DESTROY_LATE);
		return;
	}
	c->next_forward_id = m.forward_id;
	c->back_start = m.back_start;
	memcpy(c->reply, m.reply, sizeof(c->reply));
	c->have_reply = true;
	step(c, HOP_EV_CREATED, 0);
}

void relay_on_fail(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_fail m;
	bool from_next;

	if (vx6_msg_fail_parse(&m, body, len) != VX6_OK)
		return;
	struct relay_circ *c = mine(p, m.back_id, &from_next);

	if (c && from_next)
		step(c, HOP_EV_FAILED, vx6_fail_code(m.reason));
}

void relay_on_destroy(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_destroy m;
	uint8_t out[VX6_MSG_DESTROYED_LEN];
	bool from_next;

	if (vx6_msg_destroy_parse(&m, body, len) != VX6_OK)
		return;
	vx6_msg_destroyed_emit(out, m.id);
	peer_send(p, VX6_MSG_DESTROYED, out, sizeof(out));
	struct relay_circ *c = mine(p, m.id, &from_next);

	if (c)
		step(c, from_next ? HOP_EV_DESTROY_NEXT : HOP_EV_DESTROY_PREV,
		     0);
}

void relay_peer_lost(struct node *n, struct peer *p)
{
	struct relay_circ *c = n->relays;

	while (c) {
		struct relay_circ *next = c->next_in_list;

		if (c->prev == p)
			step(c, HOP_EV_LOST_PREV, 0);
		else if (c->next == p)
			step(c, HOP_EV_LOST_NEXT, 0);
		c = next;
	}
}

void relay_peer_silent(struct node *n, struct peer *p)
{
	struct relay_circ *c = n->relays;

	while (c) {
		struct relay_circ *next = c->next_in_list;

		if (c->next == p && c->hop.state == HOP_EXTEND)
			step(c, HOP_EV_LOST_NEXT, 0);
		c = next;
	}
}

/* ---- after a restart, or a lost session ---- */

/* Its age is what is over of the life granted: no clock has to agree. */
bool relay_adopt(struct node *n, const struct adopt_half *f,
		 const struct adopt_half *b)
{
	uint64_t now = loop_now(n->loop);
	uint64_t life = (uint64_t)f->note.life_s * VX6_SEC;
	uint64_t left = f->left_ns < b->left_ns ? f->left_ns : b->left_ns;
	struct hop_times times = { .life_ns = life };
	struct relay_circ *c = circ_new(n->link[f->in_link], b->out_id);

	if (!c)
		return false;
	left = left > RELAY_SLACK_NS ? left - RELAY_SLACK_NS : 0;
	c->next = n->link[f->out_link];
	peer_hold(c->next);
	c->next_forward_id = f->out_id;
	c->back_start = b->start_rx;
	c->slot.cell_size = f->size_in;
	c->slot.suite = f->suite;
	c->start_ns = now > life - left ? now - (life - left) : 1;
	c->open_ns = c->start_ns;
	c->forward_id = f->id;
	c->back_id = b->id;
	hop_adopt(&c->hop, &times, now + left);
	if (!ids_keep(&n->ids, f->id, c, NODE_ID_RELAY_FORWARD) ||
	    !ids_keep(&n->ids, b->id, c, NODE_ID_RELAY_BACKWARD)) {
		let_go(c);
		return false;
	}
	loop_timer_set(&c->timer, hop_due(&c->hop));
	return true;
}

static bool has_both(const struct relay_circ *c)
{
	return c->hop.state == HOP_INSTALL || c->hop.state == HOP_OPEN;
}

uint32_t relay_pairs(const struct peer *p, struct vx6_msg_pair *to,
		     uint32_t cap)
{
	uint32_t n = 0;

	for (struct relay_circ *c = p->node->relays; c; c = c->next_in_list) {
		if (has_both(c) && c->prev == p && c->forward_id && n < cap)
			to[n++] = (struct vx6_msg_pair){ c->forward_id,
							 c->prev_back_id };
		if (has_both(c) && c->next == p && c->next_forward_id &&
		    n < cap)
			to[n++] = (struct vx6_msg_pair){ c->back_id,
							 c->next_forward_id };
	}
	return n;
}

void relay_told(struct peer *p, uint32_t ours, uint32_t theirs, uint32_t stamp)
{
	bool from_next;
	struct relay_circ *c = mine(p, ours, &from_next);

	if (!c || (from_next ? c->next_forward_id : c->prev_back_id) != theirs)
		return;
	if (from_next)
		c->told_next = stamp;
	else
		c->told_prev = stamp;
}

unsigned relay_lacked(struct peer *p, uint64_t since_ns, uint32_t stamp)
{
	struct relay_circ *c = p->node->relays;
	unsigned ended = 0;

	while (c) {
		struct relay_circ *next = c->next_in_list;
		bool open = c->hop.state == HOP_OPEN;

		if (open && c->prev == p &&
		    lack_ends(c->open_ns, since_ns, c->told_prev == stamp)) {
			step(c, HOP_EV_LOST_PREV, 0);
			ended++;
		} else if (open && c->next == p &&
			   lack_ends(c->open_ns, since_ns,
				     c->told_next == stamp)) {
			step(c, HOP_EV_LOST_NEXT, 0);
			ended++;
		}
		c = next;
	}
	return ended;
}

/* ---- cells ---- */

static enum vx6_status end_seal(void *owner, enum vx6_kind kind, uint8_t *buf,
				size_t len)
{
	struct relay_circ *c = owner;
	struct end *e = c->end;
	struct plane *plane = c->node->plane;
	uint8_t *h8 = buf + VX6_LEG_FRONT - 8;

	if (c->hop.state != HOP_OPEN && c->hop.state != HOP_INSTALL)
		return VX6_CLOSED;
	if (e->sealed >= VX6_CTR_SPAN)
		return VX6_EXHAUSTED;
	vx6_layer_seal(&e->bwd, e->start_b + e->sealed++, kind, h8, len);
	c->cells_out++;
	return plane->ops->send(plane, c->prev->index, c->prev_back_id,
				c->slot.cell_size, h8, 8 + len + VX6_TAG_LEN);
}

static const struct chan_ops end_ops = { .seal = end_seal };

static enum vx6_status end_control(struct relay_circ *c, const uint8_t *body,
				   size_t len)
{
	uint8_t buf[VX6_LEG_FRONT + VX6_CTL_HDR + 8u + VX6_LEG_BACK];
	struct vx6_ctl m;
	size_t out;
	enum vx6_status st = vx6_ctl_parse(&m, body, len);

	c->node->stats.control_in++;
	if (st != VX6_OK || m.type != VX6_CTL_PING)
		return st;
	m.type = VX6_CTL_PONG;
	st = vx6_ctl_emit(buf + VX6_LEG_FRONT, VX6_CTL_HDR + 8u, 0, &m, &out);
	if (st != VX6_OK)
		return st;
	c->node->stats.control_out++;
	return end_seal(c, VX6_KIND_CONTROL, buf, out);
}

static enum vx6_status open_cell(struct relay_circ *c, uint8_t *p, size_t size)
{
	struct end *e = c->end;
	uint8_t *h8 = p + 8;
	uint64_t ctr = vx6_h8_ctr(h8);
	uint8_t kind = vx6_h8_kind(h8);
	size_t len;
	enum vx6_status st = vx6_window_fresh(&e->win, ctr);

	if (st != VX6_OK)
		return st;
	st = vx6_layer_open(&e->fwd, h8, size - 8, &len);
	if (st != VX6_OK)
		return st;
	st = vx6_window_record(&e->win, ctr);
	if (st != VX6_OK)
		return st;
	c->cells_in++;
	if (kind == VX6_KIND_DATA)
		return chan_input(&e->chan, h8 + 8, len, ctr);
	if (kind == VX6_KIND_CONTROL)
		return end_control(c, h8 + 8, len);
	return VX6_OK; /* drop cells end here */
}

void relay_cell(struct node *n, void *owner, uint8_t *p, size_t size)
{
	struct relay_circ *c = owner;
	enum vx6_status st = VX6_NO_CIRCUIT;

	if (c->end && c->hop.state == HOP_OPEN)
		st = open_cell(c, p, size);
	if (st != VX6_OK)
		n->stats.cell_drop[st]++;
}

void relay_control(struct node *n, void *owner, const uint8_t *body, size_t len)
{
	struct relay_circ *c = owner;
	uint8_t out[VX6_CTL_HDR + 8u];
	struct vx6_ctl m;
	size_t out_len;

	n->stats.control_in++;
	if (c->hop.state != HOP_OPEN ||
	    vx6_ctl_parse(&m, body, len) != VX6_OK || m.type != VX6_CTL_PING)
		return;
	m.type = VX6_CTL_PONG;
	if (vx6_ctl_emit(out, sizeof(out), 0, &m, &out_len) == VX6_OK &&
	    n->plane->ops->inject(n->plane, c->back_id, out, out_len) == VX6_OK)
		n->stats.control_out++;
}

void relay_half(struct node *n, void *owner, enum abi_half_event event)
{
	struct relay_circ *c = owner;

	(void)n;
	if (event == ABI_HALF_IDLE)
		return; /* streams may be silent for as long as they like */
	log_info("relay", "worn-out", log_u64("circuit", c->n));
	c->hop.due_ns = 0; /* its life is over: both sides are told */
	step(c, HOP_EV_TICK, 0);
}

/* A client's pings come every 15 s, so a silent circuit has no client. */
void relay_sweep(struct node *n)
{
	uint64_t now = loop_now(n->loop);
	uint64_t limit = n->cfg.timers.circuit_unused_ns;
	struct relay_circ *c = n->relays;

	while (c) {
		struct relay_circ *next = c->next_in_list;

		if (c->end && c->hop.state == HOP_OPEN &&
		    now - c->end->chan.rx_ns >= limit)
			step(c, HOP_EV_DESTROY_NEXT, 0);
		c = next;
	}
}

void relay_end_relayed(struct node *n)
{
	struct relay_circ *c = n->relays;

	while (c) {
		struct relay_circ *next = c->next_in_list;

		if (c->hop.state == HOP_OPEN && !c->hop.end) {
			c->hop.due_ns = 0; /* its life is over */
			step(c, HOP_EV_TICK, 0);
		}
		c = next;
	}
}

/* ---- looking at them ---- */

static const char *state_word(enum hop_state s)
{
	return s == HOP_OPEN ? "open" : s == HOP_GONE ? "closing" : "building";
}

/* A relay's cells are counted where they pass. */
static void count_cells(struct node *n, const struct relay_circ *c,
			uint64_t *forward, uint64_t *backward)
{
	struct plane_half_info f = { 0 }, b = { 0 };

	*forward = c->cells_in;
	*backward = c->cells_out;
	if (!c->hop.end &&
	    n->plane->ops->half_info(n->plane, c->forward_id, &f) &&
	    n->plane->ops->half_info(n->plane, c->back_id, &b)) {
		*forward = f.cells;
		*backward = b.cells;
	}
}

void relay_list(struct node *n, json_t *to)
{
	char prev[VX6_ID_TEXT], next[VX6_ID_TEXT];
	uint64_t fwd, back;

	for (struct relay_circ *c = n->relays; c; c = c->next_in_list) {
		uint64_t age = (loop_now(n->loop) - c->start_ns) / VX6_SEC;
		uint64_t life = c->hop.times.life_ns / VX6_SEC;

		count_cells(n, c, &fwd, &back);
		json_t *o = json_pack(
			"{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "n",
			(json_int_t)c->n, "role", c->hop.end ? "end" : "relay",
			"state", state_word(c->hop.state), "previous",
			c->prev ? node_label(n, c->prev->id, prev) : "",
			"suite", node_suite_name(c->slot.suite), "age_s",
			(json_int_t)age, "left_s",
			(json_int_t)(life > age ? life - age : 0),
			"cells_forward", (json_int_t)fwd, "cells_backward",
			(json_int_t)back);

		if (!c->hop.end)
			json_object_set_new(
				o, "next",
				json_string(c->next ? node_label(n, c->next->id,
								 next)
						    : ""));
		json_array_append_new(to, o);
	}
}

void relay_close_all(struct node *n)
{
	while (n->relays) {
		struct relay_circ *c = n->relays;
		bool stays = n->handover && !c->hop.end &&
			     c->hop.state == HOP_OPEN;

		if (!stays) {
			send_destroy(c->prev, c->prev_back_id,
				     VX6_DESTROY_CLOSING);
			send_destroy(c->next, c->next_forward_id,
				     VX6_DESTROY_CLOSING);
			do_remove(c);
		}
		let_go(c);
	}
}
