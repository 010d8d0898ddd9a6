/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/sim_law.h"

#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"

/* A law is a line: what must be true, and what is said if it is not. */
#define LAW(what, text)                                                        \
	do {                                                                   \
		if (!(what))                                                   \
			return text;                                           \
	} while (0)

/* ---- hop ---- */

void law_hop_init(struct law_hop *l, const struct hop_times *t)
{
	memset(l, 0, sizeof(*l));
	hop_init(&l->hop, t);
}

static bool hop_says(const struct hop_out *out, enum hop_act act)
{
	for (unsigned i = 0; i < out->n; i++)
		if (out->act[i] == act)
			return true;
	return false;
}

/* What was heard counts before what is said about it. */
static void hop_hears(struct law_hop *l, enum hop_ev kind)
{
	if (kind == HOP_EV_DESTROY_PREV || kind == HOP_EV_LOST_PREV)
		l->prev_gone = true;
	if (kind == HOP_EV_FAILED || kind == HOP_EV_DESTROY_NEXT ||
	    kind == HOP_EV_LOST_NEXT)
		l->sent = false;
}

static const char *hop_says_one(struct law_hop *l, enum hop_act act, bool last)
{
	switch (act) {
	case HOP_ACT_SEEK:
		LAW(last && l->hop.state == HOP_SEEK, "SEEK is not the last");
		break;
	case HOP_ACT_EXTEND:
		LAW(last && l->hop.state == HOP_EXTEND,
		    "EXTEND is not the last");
		LAW(!l->sent && !l->hop.end, "EXTEND out of place");
		l->sent = true;
		break;
	case HOP_ACT_INSTALL:
		LAW(last && l->hop.state == HOP_INSTALL,
		    "INSTALL is not the last");
		LAW(!l->asked, "INSTALL twice");
		l->asked = true;
		break;
	case HOP_ACT_ANSWER:
		LAW((l->hop.code == VX6_CREATED_OK) ==
			    (l->hop.state == HOP_OPEN),
		    "ANSWER with a code that is not so");
		LAW(l->hop.code < VX6_CREATED_CODE_CNT, "an unknown code");
		LAW(!l->prev_gone, "ANSWER to nobody");
		LAW(l->answers++ == 0, "a second answer");
		break;
	case HOP_ACT_FAIL:
		LAW(!l->asked && !l->sent, "FAIL after the slot was opened");
		LAW(!l->prev_gone, "FAIL to nobody");
		LAW(l->answers++ == 0, "a second answer");
		break;
	case HOP_ACT_REMOVE:
		LAW(l->asked, "REMOVE of nothing");
		l->asked = false;
		break;
	case HOP_ACT_DESTROY_PREV:
		LAW(l->opened, "DESTROY to a prev that has no circuit");
		LAW(!l->prev_gone, "DESTROY to a prev that is gone");
		l->prev_gone = true;
		break;
	case HOP_ACT_DESTROY_NEXT:
		LAW(l->sent, "DESTROY to a next that has no circuit");
		l->sent = false;
		break;
	case HOP_ACT_FREE: LAW(last, "something after FREE"); break;
	}
	return NULL;
}

static const char *hop_waits(const struct law_hop *l, enum hop_state was,
			     uint64_t was_due, uint64_t now)
{
	const struct hop_times *t = &l->hop.times;
	uint64_t due = hop_due(&l->hop), want = VX6_NEVER;

	if (l->hop.state == HOP_SEEK)
		want = now + t->seek_ns;
	else if (l->hop.state == HOP_EXTEND)
		want = now + t->extend_ns;
	else if (l->hop.state == HOP_OPEN)
		want = now + t->life_ns;
	if (l->hop.state == was)
		want = was_due;
	LAW(due == want, "due at another time than the state says");
	return NULL;
}

static const char *hop_ends(const struct law_hop *l, const struct hop_out *out,
			    bool was_gone)
{
	bool gone = l->hop.state == HOP_GONE;

	LAW(hop_says(out, HOP_ACT_FREE) == (gone && !was_gone),
	    "FREE comes with GONE, and with nothing else");
	if (!gone)
		return NULL;
	LAW(!l->asked, "REMOVE is missing");
	LAW(!l->sent, "DESTROY to next is missing");
	LAW(l->prev_gone || l->answers == 1, "prev has no answer");
	LAW(l->prev_gone || !l->opened, "DESTROY to prev is missing");
	return NULL;
}

/* Some things end a circuit whatever it was doing. */
static const char *hop_must_end(const struct law_hop *l,
				const struct hop_event *ev, uint64_t was_due,
				bool was_sent, bool was_gone)
{
	bool gone = l->hop.state == HOP_GONE;

	LAW(gone || !l->prev_gone, "goes on without prev");
	LAW(gone || !was_sent || l->sent, "goes on without next");
	if ((ev->kind == HOP_EV_DESTROY_PREV || ev->kind == HOP_EV_LOST_PREV ||
	     (was_sent && (ev->kind == HOP_EV_DESTROY_NEXT ||
			   ev->kind == HOP_EV_LOST_NEXT))) &&
	    !was_gone)
		LAW(gone, "a goodbye was not heard");
	if (ev->kind == HOP_EV_TICK && !was_gone && ev->now_ns >= was_due)
		LAW(gone, "waits longer than it may");
	return NULL;
}

static const char *hop_nothing(const struct law_hop *l,
			       const struct hop *before,
			       const struct hop_out *out)
{
	LAW(out->n == 0, "actions where there must be none");
	LAW(memcmp(&l->hop, before, sizeof(*before)) == 0,
	    "changed where nothing must");
	return NULL;
}

const char *law_hop_step(struct law_hop *l, const struct hop_event *ev,
			 struct hop_out *out, enum vx6_status *st)
{
	struct hop was;
	bool was_sent = l->sent, was_gone;
	uint64_t was_due = hop_due(&l->hop);
	const char *said;

	memcpy(&was, &l->hop, sizeof(was));
	was_gone = was.state == HOP_GONE;
	*st = hop_step(&l->hop, ev, out);
	LAW(out->n <= VX6_COUNT(out->act), "more than four actions");
	LAW(l->hop.state <= HOP_GONE, "a state that is not");
	LAW(*st == VX6_OK || *st == VX6_BAD_STATE ||
		    (*st == VX6_MALFORMED && ev->kind > HOP_EV_TICK),
	    "a status that was not promised");
	LAW(!was_gone || *st == VX6_BAD_STATE, "GONE listened");
	if (*st != VX6_OK || (ev->kind == HOP_EV_TICK && ev->now_ns < was_due))
		said = hop_nothing(l, &was, out);
	else
		said = NULL;
	if (*st == VX6_OK)
		hop_hears(l, ev->kind);
	if (*st == VX6_OK && l->hop.state == HOP_OPEN)
		l->opened = true;
	for (unsigned i = 0; !said && i < out->n; i++)
		said = hop_says_one(l, out->act[i], i + 1 == out->n);
	if (!said)
		said = hop_waits(l, was.state, was_due, ev->now_ns);
	if (!said)
		said = hop_ends(l, out, was_gone);
	if (!said)
		said = hop_must_end(l, ev, was_due, was_sent, was_gone);
	return said;
}

/* ---- origin ---- */

void law_origin_init(struct law_origin *l, unsigned hops,
		     const struct origin_times *t)
{
	memset(l, 0, sizeof(*l));
	origin_init(&l->origin, hops, t);
}

static bool origin_says(const struct origin_out *out, enum origin_act act)
{
	for (unsigned i = 0; i < out->n; i++)
		if (out->act[i] == act)
			return true;
	return false;
}

/* Whoever answers "no", says goodbye or is lost holds nothing of it.  A
 * relay that answered for a hop behind it is open, and must be told. */
static bool ends_there(const struct origin_event *ev)
{
	return ev->kind == ORIGIN_EV_FAILED || ev->kind == ORIGIN_EV_DESTROY ||
	       ev->kind == ORIGIN_EV_LOST ||
	       (ev->kind == ORIGIN_EV_CREATED_BAD && ev->hop == 0);
}

static const char *origin_says_one(struct law_origin *l, enum origin_act act,
				   bool last)
{
	switch (act) {
	case ORIGIN_ACT_SEEK:
		LAW(last && !l->sought, "SEEK out of place");
		l->sought = true;
		break;
	case ORIGIN_ACT_CREATE:
		LAW(last && l->sought && !l->created, "CREATE out of place");
		l->created = true;
		break;
	case ORIGIN_ACT_INSTALL:
		LAW(last && l->created && !l->asked, "INSTALL out of place");
		l->asked = true;
		break;
	case ORIGIN_ACT_OPENED:
		LAW(last && l->asked && !l->opened, "OPENED out of place");
		l->opened = true;
		break;
	case ORIGIN_ACT_FAILED: LAW(!l->opened, "FAILED after OPENED"); break;
	case ORIGIN_ACT_CLOSED: LAW(l->opened, "CLOSED, never OPENED"); break;
	case ORIGIN_ACT_REMOVE:
		LAW(l->asked, "REMOVE of nothing");
		l->asked = false;
		break;
	case ORIGIN_ACT_DESTROY:
		LAW(l->created && !l->ended, "DESTROY to nobody");
		l->ended = true;
		break;
	case ORIGIN_ACT_FREE: LAW(last, "something after FREE"); break;
	}
	return NULL;
}

static const char *origin_waits(const struct law_origin *l,
				enum origin_state was, uint64_t was_due,
				const struct origin_event *ev)
{
	const struct origin_times *t = &l->origin.times;
	uint64_t due = origin_due(&l->origin), want = VX6_NEVER;

	if (l->origin.state == ORIGIN_WAIT) {
		want = t->per_hop_ns * l->origin.hops;
		want = ev->now_ns + (want < t->whole_ns ? want : t->whole_ns);
	} else if (l->origin.state == ORIGIN_OPEN) {
		want = ev->now_ns + t->life_ns;
	}
	if (l->origin.state == was)
		want = was_due;
	if (l->origin.state == ORIGIN_SEEK && was_due == 0 &&
	    ev->kind == ORIGIN_EV_TICK)
		want = ev->now_ns + t->seek_ns;
	LAW(due == want, "due at another time than the state says");
	return NULL;
}

static bool why_fits(const struct origin *o, const struct origin_event *ev,
		     enum origin_state was)
{
	static const enum origin_why of[] = {
		[ORIGIN_EV_UNREACHABLE] = ORIGIN_WHY_UNREACHABLE,
		[ORIGIN_EV_CREATED_BAD] = ORIGIN_WHY_CODE,
		[ORIGIN_EV_FORGED] = ORIGIN_WHY_FORGED,
		[ORIGIN_EV_FAILED] = ORIGIN_WHY_REFUSED,
		[ORIGIN_EV_NO_ROOM] = ORIGIN_WHY_LOCAL,
		[ORIGIN_EV_DESTROY] = ORIGIN_WHY_DESTROYED,
		[ORIGIN_EV_LOST] = ORIGIN_WHY_LOST,
		[ORIGIN_EV_CLOSE] = ORIGIN_WHY_DONE,
		[ORIGIN_EV_TICK] = ORIGIN_WHY_TIMEOUT,
	};
	enum origin_why want;

	if (ev->kind >= VX6_COUNT(of))
		return false;
	want = of[ev->kind];
	if (ev->kind == ORIGIN_EV_FAILED && ev->code == VX6_CREATED_NEXT_NO_KEY)
		want = ORIGIN_WHY_NO_KEY;
	if (ev->kind == ORIGIN_EV_TICK && was == ORIGIN_SEEK)
		want = ORIGIN_WHY_UNREACHABLE;
	if (ev->kind == ORIGIN_EV_TICK && was == ORIGIN_OPEN)
		want = ORIGIN_WHY_EXPIRED;
	return o->why == want && want != ORIGIN_WHY_NONE;
}

static const char *origin_ends(const struct law_origin *l,
			       const struct origin_event *ev,
			       const struct origin_out *out,
			       enum origin_state was)
{
	const struct origin *o = &l->origin;
	bool gone = o->state == ORIGIN_GONE;

	LAW(origin_says(out, ORIGIN_ACT_FREE) == (gone && was != ORIGIN_GONE),
	    "FREE comes with GONE, and with nothing else");
	if (was == ORIGIN_GONE)
		return NULL;
	LAW(gone || o->why == ORIGIN_WHY_NONE, "a reason before the end");
	if (!gone)
		return NULL;
	LAW(!l->asked, "REMOVE is missing");
	LAW(!l->created || l->ended, "DESTROY is missing");
	LAW(origin_says(out, ORIGIN_ACT_FAILED) != l->opened &&
		    origin_says(out, ORIGIN_ACT_CLOSED) == l->opened,
	    "its owner was not told");
	LAW(why_fits(o, ev, was), "another reason than was heard");
	if (ev->kind == ORIGIN_EV_CREATED_BAD || ev->kind == ORIGIN_EV_FORGED)
		LAW(o->hop == ev->hop && o->code == ev->code,
		    "another hop or code than was heard");
	return NULL;
}

static const char *origin_must_end(const struct law_origin *l,
				   const struct origin_event *ev,
				   enum origin_state was, uint64_t was_due)
{
	bool gone = l->origin.state == ORIGIN_GONE;

	if (was == ORIGIN_GONE)
		return NULL;
	LAW(gone || !l->ended, "goes on without its first hop");
	if (ev->kind == ORIGIN_EV_CLOSE ||
	    (l->created &&
	     (ev->kind == ORIGIN_EV_DESTROY || ev->kind == ORIGIN_EV_LOST)))
		LAW(gone, "a goodbye was not heard");
	if (ev->kind == ORIGIN_EV_TICK && was_due > 0 && ev->now_ns >= was_due)
		LAW(gone, "waits longer than it may");
	return NULL;
}

static bool same(const struct origin *a, const struct origin *b)
{
	return a->state == b->state && a->why == b->why && a->hops == b->hops &&
	       a->hop == b->hop && a->code == b->code &&
	       a->due_ns == b->due_ns &&
	       memcmp(&a->times, &b->times, sizeof(a->times)) == 0;
}

static const char *origin_nothing(const struct law_origin *l,
				  const struct origin *before,
				  const struct origin_out *out)
{
	LAW(out->n == 0, "actions where there must be none");
	LAW(same(&l->origin, before), "changed where nothing must");
	return NULL;
}

const char *law_origin_step(struct law_origin *l, const struct origin_event *ev,
			    struct origin_out *out, enum vx6_status *st)
{
	struct origin was;
	uint64_t was_due = origin_due(&l->origin);
	const char *said = NULL;

	memcpy(&was, &l->origin, sizeof(was));
	*st = origin_step(&l->origin, ev, out);
	LAW(out->n <= VX6_COUNT(out->act), "more than four actions");
	LAW(l->origin.state <= ORIGIN_GONE, "a state that is not");
	LAW(*st == VX6_OK || *st == VX6_BAD_STATE ||
		    (*st == VX6_MALFORMED && ev->kind > ORIGIN_EV_TICK),
	    "a status that was not promised");
	LAW(was.state != ORIGIN_GONE || *st == VX6_BAD_STATE, "GONE listened");
	if (*st != VX6_OK ||
	    (ev->kind == ORIGIN_EV_TICK && ev->now_ns < was_due))
		said = origin_nothing(l, &was, out);
	if (*st == VX6_OK && l->created && ends_there(ev))
		l->ended = true;
	for (unsigned i = 0; !said && i < out->n; i++)
		said = origin_says_one(l, out->act[i], i + 1 == out->n);
	if (!said)
		said = origin_waits(l, was.state, was_due, ev);
	if (!said)
		said = origin_ends(l, ev, out, was.state);
	if (!said)
		said = origin_must_end(l, ev, was.state, was_due);
	return said;
}

uint64_t law_when(enum law_when how, uint64_t due_ns, uint64_t now_ns,
		  uint64_t wait_ns)
{
	bool waits = due_ns != VX6_NEVER && due_ns > now_ns;

	switch (how) {
	case LAW_AT_DUE: return waits ? due_ns : now_ns;
	case LAW_BEFORE_DUE: return waits ? due_ns - 1 : now_ns;
	case LAW_NOW: return now_ns;
	case LAW_LATER: break;
	}
	return now_ns + wait_ns;
}

uint64_t law_draw(struct vx6_rand *rnd, uint64_t due_ns, uint64_t now_ns)
{
	unsigned how = vx6_rand_below(rnd, 6);

	if (how < LAW_LATER)
		return law_when((enum law_when)how, due_ns, now_ns, 0);
	return law_when(LAW_LATER, due_ns, now_ns,
			vx6_rand_below(rnd, 4000) * VX6_MS);
}
