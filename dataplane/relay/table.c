/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>
#include <string.h>

#include "dataplane/relay/inner.h"

#define PAGE       4096u
#define START_MAX  ((UINT64_C(1) << 46) - 1u) /* PROTOCOL.md section 4 */
#define DUMP_STEPS 1024u                      /* slots looked at in one call */

_Static_assert((RELAY_EVENTS & (RELAY_EVENTS - 1)) == 0, "a mask");
_Static_assert(offsetof(struct relay_half, key) == VX6_CACHELINE &&
		       sizeof(struct relay_half) == 2 * VX6_CACHELINE,
	       "two lines are all that a cell touches");

/* ---- memory ---- */

static size_t pages(size_t cnt, size_t each)
{
	return (cnt * each + PAGE - 1) / PAGE * PAGE;
}

static struct relay_opts defaults(const struct relay_opts *o)
{
	struct relay_opts d = *o;

	if (d.links_max == 0)
		d.links_max = RELAY_LINKS;
	if (d.halves_max == 0)
		d.halves_max = RELAY_HALVES;
	if (d.idle_ns == 0)
		d.idle_ns = RELAY_IDLE_NS;
	if (d.bad_tags == 0)
		d.bad_tags = RELAY_BAD_TAGS;
	if (d.workers == 0)
		d.workers = 1;
	return d;
}

static bool in_limits(const struct relay_opts *o)
{
	return o->workers <= RELAY_WORKERS && o->worker < o->workers &&
	       o->links_max >= 2 && o->links_max <= RELAY_LINKS_MAX &&
	       o->halves_max >= 2 && o->halves_max <= RELAY_HALVES_MAX;
}

static uint32_t tables(const struct relay_opts *o)
{
	return o->halves_max < RELAY_TABLES ? o->halves_max : RELAY_TABLES;
}

size_t relay_need(const struct relay_opts *opts)
{
	struct relay_opts o = defaults(opts);

	if (!in_limits(&o))
		return 0;
	return pages(o.links_max, sizeof(struct relay_link)) +
	       pages(o.links_max, sizeof(uint64_t)) +
	       pages(o.links_max, sizeof(uint32_t)) +
	       pages(o.halves_max, sizeof(struct relay_half)) +
	       pages(tables(&o), sizeof(struct vx6_layer_gcm)) +
	       pages(o.halves_max, sizeof(struct relay_cold));
}

enum vx6_status relay_init(struct relay *r, const struct relay_opts *opts,
			   void *mem, struct vx6_rand *rnd)
{
	struct relay_opts o = defaults(opts);
	uint8_t *at = mem;

	if (!in_limits(&o))
		return VX6_CONFIG;
	memset(r, 0, sizeof(*r));
	r->opts = o;
	r->rnd = rnd;
	r->link = (struct relay_link *)(void *)at;
	at += pages(o.links_max, sizeof(*r->link));
	r->link_due = (uint64_t *)(void *)at;
	at += pages(o.links_max, sizeof(*r->link_due));
	r->link_note = (uint32_t *)(void *)at;
	at += pages(o.links_max, sizeof(*r->link_note));
	r->half = (struct relay_half *)(void *)at;
	at += pages(o.halves_max, sizeof(*r->half));
	r->gcm = (struct vx6_layer_gcm *)(void *)at;
	at += pages(tables(&o), sizeof(*r->gcm));
	r->cold = (struct relay_cold *)(void *)at;
	r->link_hi = r->half_hi = 1;
	r->noted = NOTE_END;
	r->links_ns = r->sweep_ns = VX6_NEVER;
	return VX6_OK;
}

static void wipe_tables(const struct relay *r, uint32_t idx)
{
	if (gcm_of(r, idx) != NULL)
		sodium_memzero(gcm_of(r, idx), sizeof(*r->gcm));
}

static void wipe_keys(struct relay *r, struct relay_half *h)
{
	if (h->key.suite == VX6_SUITE_AES256_GCM)
		wipe_tables(r, idx_of(h->id));
	sodium_memzero(&h->key, sizeof(h->key));
}

void relay_wipe(struct relay *r)
{
	for (uint32_t i = 1; i < r->link_hi; i++)
		vx6_link_wipe(&r->link[i].link);
	for (uint32_t i = 1; i < r->half_hi; i++)
		if (r->half[i].id != 0)
			wipe_keys(r, &r->half[i]);
	sodium_memzero(r->ev, sizeof(r->ev));
}

/* ---- events ---- */

struct abi_msg *relay_event_room(struct relay *r, enum abi_type type)
{
	struct abi_msg *m;

	if (r->ev_cnt == RELAY_EVENTS)
		return NULL;
	m = &r->ev[(r->ev_head + r->ev_cnt++) % RELAY_EVENTS];
	memset(m, 0, sizeof(*m));
	m->version = ABI_VERSION;
	m->type = (uint16_t)type;
	return m;
}

const struct abi_msg *relay_event(const struct relay *r)
{
	return r->ev_cnt > 0 ? &r->ev[r->ev_head] : NULL;
}

void relay_event_done(struct relay *r)
{
	assert(r->ev_cnt > 0);
	r->ev_head = (r->ev_head + 1) % RELAY_EVENTS;
	r->ev_cnt--;
}

bool relay_say_half(struct relay *r, struct relay_half *h,
		    enum abi_half_event ev)
{
	uint8_t bit = (uint8_t)(1u << ev);
	struct abi_msg *m;

	if (h->said & bit)
		return true;
	m = relay_event_room(r, ABI_HALF_EVENT);
	if (m == NULL)
		return false;
	h->said |= bit;
	m->u.ref.id = h->id;
	m->u.ref.event = (uint32_t)ev;
	return true;
}

void relay_say_link(struct relay *r, struct relay_link *l, uint64_t now)
{
	struct abi_msg *m;

	if (l->events == 0)
		return;
	m = relay_event_room(r, ABI_LINK_EVENT);
	if (m == NULL) {
		if (r->sweep_ns > now + VX6_SEC)
			r->sweep_ns = now + VX6_SEC; /* said then */
		return;
	}
	relay_fill_link(l, &m->u.link);
	m->u.link.events = l->events;
	l->events = 0;
}

/* ---- links ---- */

bool relay_noted(struct relay *r, uint32_t *index, const struct vx6_addr **addr)
{
	const struct relay_link *l;

	if (vx6_likely(r->noted == NOTE_END))
		return false;
	*index = r->noted;
	l = &r->link[*index];
	*addr = l->used ? &l->link.addr : NULL;
	r->noted = r->link_note[*index];
	r->link_note[*index] = 0;
	return true;
}

static void link_is_due(struct relay *r, const struct relay_link *l)
{
	uint32_t i = l->link.index;

	r->link_due[i] = ours(r, i) ? vx6_link_due(&l->link) : VX6_NEVER;
	if (r->link_due[i] < r->links_ns)
		r->links_ns = r->link_due[i];
}

enum vx6_status relay_link_add(struct relay *r, const struct abi_link *a,
			       uint64_t now_ns)
{
	struct vx6_link_setup setup = {
		.keys = a->keys,
		.peer = a->peer,
		.ask_ns = a->ask_ns,
		.ask_busy_ns = a->ask_busy_ns,
		.index = a->index,
		.peer_index = a->peer_index,
		.u = a->u,
		.behind_nat = a->behind_nat != 0,
	};
	struct relay_link *l;
	enum vx6_status st;

	if (a->index == 0)
		return VX6_MALFORMED;
	if (a->index >= r->opts.links_max)
		return VX6_NO_ROOM;
	l = &r->link[a->index];
	if (l->used)
		return VX6_EXISTS;
	memset(l, 0, sizeof(*l));
	st = vx6_link_init(&l->link, &setup, now_ns);
	sodium_memzero(&setup, sizeof(setup));
	if (st != VX6_OK) {
		vx6_link_wipe(&l->link);
		return st;
	}
	l->used = true;
	if (ours(r, a->index))
		note_link(r, a->index);
	memcpy(l->note, a->note, sizeof(l->note));
	r->links++;
	if (a->index >= r->link_hi)
		r->link_hi = a->index + 1;
	link_is_due(r, l);
	return VX6_OK;
}

enum vx6_status relay_link_change(struct relay *r, const struct abi_link *a,
				  uint64_t now_ns)
{
	struct relay_link *l = live_link(r, a->index);
	struct vx6_addr to;

	if (l == NULL)
		return VX6_NO_LINK;
	assert(ours(r, a->index));
	if (vx6_addr_is_none(&a->peer)) {
		to = l->link.addr;
	} else {
		memcpy(l->note, a->note, sizeof(l->note));
		to = a->peer;
		if (vx6_addr_eq(&to, &l->link.addr))
			return VX6_OK;
	}
	vx6_link_redirect(&l->link, &to, now_ns);
	note_link(r, a->index);
	l->self = (struct vx6_addr){ 0 };
	link_is_due(r, l);
	return VX6_OK;
}

enum vx6_status relay_link_remove(struct relay *r, uint32_t index)
{
	struct relay_link *l = live_link(r, index);

	if (l == NULL)
		return VX6_NO_LINK;
	for (uint32_t i = 1; i < r->half_hi; i++) {
		struct relay_half *h = &r->half[i];

		if (h->id != 0 && (h->in_link == index || h->out_link == index))
			relay_half_end(r, h);
	}
	vx6_link_wipe(&l->link);
	memset(l, 0, sizeof(*l));
	note_link(r, index);
	r->link_due[index] = VX6_NEVER;
	r->links--;
	return VX6_OK;
}

/* ---- links of other workers ---- */

void relay_link_follow(struct relay *r, uint32_t index,
		       const struct vx6_addr *addr, const struct vx6_addr *self)
{
	struct relay_link *l = live_link(r, index);

	if (l == NULL)
		return; /* removed since */
	assert(!ours(r, index));
	l->link.addr = *addr;
	l->self = *self;
}

struct relay_sent relay_link_tell(struct relay *r, uint32_t index)
{
	struct relay_link *l = live_link(r, index);
	struct relay_sent s = { 0 };

	if (l == NULL)
		return s;
	s = (struct relay_sent){ l->cells_out - l->told_cells,
				 l->bytes_out - l->told_bytes,
				 l->link.cell_tx_ns };
	l->told_cells = l->cells_out;
	l->told_bytes = l->bytes_out;
	return s;
}

void relay_link_heard(struct relay *r, uint32_t index,
		      const struct relay_sent *s)
{
	struct relay_link *l = live_link(r, index);

	if (l == NULL)
		return;
	l->cells_out += s->cells;
	l->bytes_out += s->bytes;
	if (s->last_ns > l->link.cell_tx_ns)
		l->link.cell_tx_ns = s->last_ns;
	link_is_due(r, l);
}

/* ---- half-circuits ---- */

/* Which links a kind has, and what it seals or opens with. */
static enum vx6_status sane(const struct abi_half *a)
{
	bool in = a->in_link != 0, out = a->out_link != 0;

	if (idx_of(a->id) == 0 || a->start_rx > START_MAX ||
	    a->start_tx > START_MAX || !vx6_cell_size_ok(a->cell_size_in) ||
	    !vx6_cell_size_ok(a->cell_size_out) || out != (a->out_id != 0))
		return VX6_MALFORMED;
	switch (a->kind) {
	case ABI_HALF_FORWARD: return in ? VX6_OK : VX6_MALFORMED;
	case ABI_HALF_BACKWARD: return out ? VX6_OK : VX6_MALFORMED;
	case ABI_HALF_LOCAL:
		return in && !out && a->suite == 0 ? VX6_OK : VX6_MALFORMED;
	default: return VX6_MALFORMED;
	}
}

static uint64_t end_of(uint64_t now, uint64_t life)
{
	return life == 0 || life > VX6_NEVER - now ? VX6_NEVER : now + life;
}

enum vx6_status relay_half_add(struct relay *r, const struct abi_half *a,
			       uint64_t now_ns)
{
	enum vx6_status st = sane(a);
	uint32_t i = idx_of(a->id);
	struct vx6_layer_key key = { 0 };
	struct relay_half *h;

	if (st != VX6_OK)
		return st;
	if (i >= r->opts.halves_max)
		return VX6_NO_ROOM;
	h = &r->half[i];
	if (h->id != 0)
		return VX6_EXISTS;
	if ((a->in_link != 0 && live_link(r, a->in_link) == NULL) ||
	    (a->out_link != 0 && live_link(r, a->out_link) == NULL))
		return VX6_NO_LINK;
	assert(relay_half_owner(r->opts.workers, a->in_link, a->out_link) ==
	       r->opts.worker);
	if (a->kind != ABI_HALF_LOCAL) {
		st = vx6_layer_key_init(&key, gcm_of(r, i), a->suite, a->key,
					a->iv);
		if (st != VX6_OK)
			return st;
	}
	*h = (struct relay_half){
		.id = a->id,
		.in_link = a->in_link,
		.out_link = a->out_link,
		.out_id = a->out_id,
		.expires_ns = end_of(now_ns, a->life_ns),
		.tx_next = a->start_tx,
		.tx_left = VX6_CTR_SPAN,
		.last_ms = relay_ms(now_ns),
		.size_in = a->cell_size_in,
		.size_out = a->cell_size_out,
		.kind = a->kind,
		.key = key,
		.win.start = a->start_rx,
	};
	sodium_memzero(&key, sizeof(key));
	r->cold[i] = (struct relay_cold){ 0 };
	r->cold[i].start_tx = a->start_tx;
	memcpy(r->cold[i].note, a->note, sizeof(a->note));
	r->halves++;
	if (i >= r->half_hi)
		r->half_hi = i + 1;
	if (r->sweep_ns > now_ns + VX6_SEC)
		r->sweep_ns = now_ns + VX6_SEC;
	return VX6_OK;
}

/* ---- splices ---- */

static bool is_terminal(const struct relay_half *h)
{
	return h->kind == ABI_HALF_FORWARD && h->out_link == 0;
}

/* The half here that this one is spliced with, if it thinks so too. */
static struct relay_half *partner(const struct relay *r,
				  const struct relay_half *h)
{
	bool from = is_terminal(h);
	struct relay_half *other;

	if (!from && cold_of(r, h)->spliced_from == 0)
		return NULL;
	other = live_half(r, from ? h->out_id : cold_of(r, h)->spliced_from);
	if (other == NULL)
		return NULL;
	return (from ? cold_of(r, other)->spliced_from : other->out_id) == h->id
		       ? other
		       : NULL;
}

static void part(const struct relay *r, const struct relay_half *h)
{
	struct relay_half *other = partner(r, h);

	if (other == NULL)
		return;
	if (is_terminal(h))
		cold_of(r, other)->spliced_from = 0;
	else
		other->out_id = 0;
}

enum vx6_status relay_splice(struct relay *r, uint32_t id, uint32_t to)
{
	struct relay_half *from = live_half(r, id), *other = live_half(r, to);

	if (from == NULL || other == NULL)
		return VX6_NO_CIRCUIT;
	if (!is_terminal(from) || other->kind != ABI_HALF_BACKWARD ||
	    other->in_link != 0)
		return VX6_MALFORMED;
	if (partner(r, from) != NULL || partner(r, other) != NULL)
		return VX6_EXISTS;
	from->out_id = to;
	from->seals = (uint8_t)r->opts.worker;
	cold_of(r, other)->spliced_from = id;
	return VX6_OK;
}

enum vx6_status relay_splice_across(struct relay *r, uint32_t id, uint32_t to,
				    uint32_t other)
{
	struct relay_half *h = live_half(r, to);

	if (h != NULL) {
		if (h->kind != ABI_HALF_BACKWARD || h->in_link != 0)
			return VX6_MALFORMED;
		cold_of(r, h)->spliced_from = id;
		return VX6_OK;
	}
	h = live_half(r, id);
	if (h == NULL)
		return VX6_NO_CIRCUIT;
	if (!is_terminal(h))
		return VX6_MALFORMED;
	h->out_id = to;
	h->seals = (uint8_t)other;
	return VX6_OK;
}

bool relay_joined(const struct relay *r, const uint8_t away[RELAY_AWAY])
{
	return joined(r, away) != NULL;
}

void relay_parted(struct relay *r, const uint8_t away[RELAY_AWAY], uint32_t by)
{
	struct relay_half *h = live_half(r, vx6_get32(away));

	if (h != NULL && is_terminal(h) && h->out_id == vx6_get32(away + 4) &&
	    h->seals == by)
		h->out_id = 0;
}

enum vx6_status relay_unsplice(struct relay *r, uint32_t id)
{
	struct relay_half *from = live_half(r, id);

	if (from == NULL)
		return VX6_NO_CIRCUIT;
	if (!is_terminal(from) || from->out_id == 0)
		return VX6_NOT_FOUND;
	part(r, from);
	from->out_id = 0;
	return VX6_OK;
}

void relay_half_end(struct relay *r, struct relay_half *h)
{
	part(r, h);
	wipe_keys(r, h);
	memset(h, 0, sizeof(*h));
	r->halves--;
}

enum vx6_status relay_half_remove(struct relay *r, uint32_t id)
{
	struct relay_half *h = live_half(r, id);

	if (h == NULL)
		return VX6_NO_CIRCUIT;
	relay_half_end(r, h);
	return VX6_OK;
}

/* ---- dump ---- */

void relay_fill_link(const struct relay_link *l, struct abi_link *to)
{
	to->peer = l->link.addr;
	to->ask_ns = l->link.ask_ns;
	to->ask_busy_ns = l->link.ask_busy_ns;
	to->index = l->link.index;
	to->peer_index = l->link.peer_index;
	to->u = l->link.u;
	to->behind_nat = l->link.behind_nat;
	to->state = l->link.state;
	to->srtt_ns = l->link.srtt_ns;
	to->cells_in = l->cells_in;
	to->cells_out = l->cells_out;
	to->bytes_in = l->bytes_in;
	to->bytes_out = l->bytes_out;
	to->observed = l->link.observed;
	to->u_proved = l->link.u_proved;
	memcpy(to->note, l->note, sizeof(to->note));
}

static void fill_half(const struct relay *r, const struct relay_half *h,
		      uint64_t now, struct abi_half *to)
{
	const struct relay_cold *c = &r->cold[idx_of(h->id)];

	to->start_rx = h->win.start;
	to->start_tx = c->start_tx;
	if (h->expires_ns != VX6_NEVER) /* what is left; 0 says no end */
		to->life_ns = h->expires_ns > now ? h->expires_ns - now : 1;
	to->id = h->id;
	to->in_link = h->in_link;
	to->out_link = h->out_link;
	to->out_id = h->out_link != 0 ? h->out_id : 0;
	to->splice = is_terminal(h) ? h->out_id : cold_of(r, h)->spliced_from;
	to->cell_size_in = h->size_in;
	to->cell_size_out = h->size_out;
	to->kind = h->kind;
	to->suite = h->key.suite;
	to->cells = h->cells;
	to->bytes = h->bytes;
	to->dropped = c->dropped;
	memcpy(to->note, c->note, sizeof(to->note));
}

bool relay_dump(const struct relay *r, uint64_t now_ns, uint64_t *cursor,
		struct abi_msg *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned step = 0; step < DUMP_STEPS; step++) {
		uint64_t at = (*cursor)++, first = r->opts.links_max;

		if (at < first && at >= r->link_hi) {
			*cursor = first; /* the half-circuits follow */
			continue;
		} else if (at < first) {
			if (!r->link[at].used || !ours(r, (uint32_t)at))
				continue; /* its owner says it */
			m->type = ABI_LINK_IS;
			relay_fill_link(&r->link[at], &m->u.link);
		} else if (at - first < r->half_hi) {
			const struct relay_half *h = &r->half[at - first];

			if (h->id == 0)
				continue;
			m->type = ABI_HALF_IS;
			fill_half(r, h, now_ns, &m->u.half);
		} else {
			return false;
		}
		m->version = ABI_VERSION;
		return true;
	}
	return true;
}
