/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/exchange.h"

#include <string.h>

#include "dataplane/wire/cell.h"

static unsigned self(const struct worker *w)
{
	return w->opts.index;
}

/* ---- waking ---- */

static void wake_all(struct worker *w)
{
	for (unsigned k = 0; w->to_wake != 0 && k < w->peers; k++) {
		if ((w->to_wake & (1u << k)) == 0)
			continue;
		w->to_wake &= ~(1u << k);
		if (atomic_fetch_or(&w->peer[k]->asleep, 0) != 0)
			worker_wake(w->peer[k]);
	}
}

bool exchange_sleep(struct worker *w)
{
	if (w->peers <= 1)
		return true;
	(void)atomic_fetch_or(&w->asleep, 1);
	for (unsigned k = 0; k < w->peers; k++)
		if (k != self(w) && hand_peek(w->from[k]) != NULL) {
			exchange_awake(w);
			return false;
		}
	return true;
}

void exchange_awake(struct worker *w)
{
	atomic_store(&w->asleep, 0);
}

/* ---- over ---- */

static void hand_over(struct worker *w, unsigned to, enum hand_kind kind,
		      struct net_frame *f)
{
	if (vx6_likely(hand_put(w->to[to], kind, f))) {
		w->handed++;
		w->to_wake |= 1u << to;
	} else {
		w->hand_full++;
	}
	port_give(w->port, &f, 1);
}

static unsigned owner_of(const struct worker *w, const struct net_frame *f)
{
	uint32_t index = 0;

	if (vx6_unlikely(vx6_cell_link(f->data, f->len, &index) != VX6_OK))
		return self(w); /* nobody's: refused here */
	return relay_owner(w->peers, index);
}

unsigned exchange_sort(struct worker *w, struct net_frame *f[], unsigned n)
{
	unsigned kept = 0;

	if (vx6_likely(w->peers <= 1))
		return n;
	for (unsigned i = 0; i < n; i++)
		vx6_prefetch(f[i]->data);
	for (unsigned i = 0; i < n; i++) {
		unsigned owner = owner_of(w, f[i]);

		if (owner == self(w))
			f[kept++] = f[i];
		else
			hand_over(w, owner, HAND_CELL, f[i]);
	}
	wake_all(w);
	return kept;
}

void exchange_join(struct worker *w, struct net_frame *const f[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		hand_over(w, f[i]->link, HAND_JOIN, f[i]);
	wake_all(w);
}

void exchange_up(struct worker *w, struct net_frame *const f[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		hand_over(w, 0, HAND_UP, f[i]);
	wake_all(w);
}

/* ---- from the others ---- */

/* A cell of theirs in a frame of ours; false: there is none free. */
static bool take_cell(struct worker *w, const struct hand_slot *s,
		      struct exchange_in *in)
{
	struct net_frame *f = port_take(w->port);

	if (f == NULL)
		return false;
	hand_take(s, f);
	if (s->kind == HAND_CELL)
		in->cell[in->cell_cnt++] = f;
	else if (s->kind == HAND_JOIN)
		in->join[in->join_cnt++] = f;
	else
		in->up[in->up_cnt++] = f;
	return true;
}

unsigned exchange_take(struct worker *w, unsigned from, struct exchange_in *in)
{
	const struct hand_slot *s;
	unsigned n = 0;

	in->cell_cnt = in->join_cnt = in->up_cnt = 0;
	while (n < RELAY_BURST && (s = hand_peek(w->from[from])) != NULL) {
		if (s->kind == HAND_LINK)
			relay_link_follow(w->relay, s->link, &s->peer,
					  &s->self);
		else if (s->kind == HAND_SENT)
			relay_link_heard(w->relay, s->link, &s->sent);
		else if (s->kind == HAND_PARTED)
			relay_parted(w->relay, s->data, from);
		else if (!take_cell(w, s, in))
			break; /* they wait in the ring */
		hand_pop(w->from[from]);
		n++;
	}
	return n;
}

/* ---- splices that are no more ---- */

void exchange_parted(struct worker *w, unsigned from,
		     struct net_frame *const f[], unsigned n)
{
	const uint8_t *told = NULL;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *away = f[i]->data;
		struct hand_slot *s;

		if (relay_joined(w->relay, away) ||
		    (told != NULL && memcmp(told, away, RELAY_AWAY) == 0))
			continue;
		s = hand_room(w->to[from], HAND_KEEP);
		if (s == NULL)
			break;
		s->kind = HAND_PARTED;
		s->len = RELAY_AWAY;
		memcpy(s->data, away, RELAY_AWAY);
		hand_push(w->to[from]);
		w->to_wake |= 1u << from;
		told = away;
	}
	wake_all(w);
}

/* ---- news of links ---- */

static bool may_tell(struct worker *w)
{
	for (unsigned k = 0; k < w->peers; k++)
		if (k != self(w) && hand_room(w->to[k], 0) == NULL)
			return false;
	return true;
}

static void tell(struct worker *w, unsigned to, const struct hand_slot *what)
{
	struct hand_slot *s = hand_room(w->to[to], 0);

	if (s == NULL)
		return; /* may_tell has seen room, and only we fill it */
	s->kind = what->kind;
	s->len = 0;
	s->link = what->link;
	s->peer = what->peer;
	s->self = what->self;
	s->sent = what->sent;
	hand_push(w->to[to]);
	w->to_wake |= 1u << to;
}

static void tell_one(struct worker *w, uint32_t index,
		     const struct vx6_addr *addr)
{
	unsigned owner = relay_owner(w->peers, index);
	struct hand_slot what = { .kind = HAND_SENT, .link = index };

	if (addr == NULL) { /* the others know by the control thread */
		port_link(w->port, index, NULL);
		return;
	}
	if (owner != self(w)) {
		what.sent = relay_link_tell(w->relay, index);
		if (what.sent.cells > 0)
			tell(w, owner, &what);
		return;
	}
	port_link(w->port, index, addr);
	what.kind = HAND_LINK;
	what.peer = *addr;
	what.self = w->relay->link[index].self;
	for (unsigned k = 0; k < w->peers; k++)
		if (k != self(w))
			tell(w, k, &what);
}

void exchange_news(struct worker *w)
{
	const struct vx6_addr *addr;
	uint32_t index;

	w->news_wait = !may_tell(w);
	while (!w->news_wait && relay_noted(w->relay, &index, &addr)) {
		tell_one(w, index, addr);
		w->news_wait = !may_tell(w);
	}
	wake_all(w);
}
