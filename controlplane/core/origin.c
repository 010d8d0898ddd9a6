/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/origin.h"

#include <assert.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"

static void say(struct origin_out *out, enum origin_act act)
{
	assert(out->n < VX6_COUNT(out->act));
	out->act[out->n++] = act;
}

/* What has to be undone depends on how far it came. */
static enum vx6_status end(struct origin *o, enum origin_why why, bool told,
			   struct origin_out *out)
{
	bool open = o->state == ORIGIN_OPEN;

	if (o->state == ORIGIN_INSTALL || open)
		say(out, ORIGIN_ACT_REMOVE);
	if (told && o->state != ORIGIN_SEEK)
		say(out, ORIGIN_ACT_DESTROY);
	o->state = ORIGIN_GONE;
	o->why = why;
	say(out, open ? ORIGIN_ACT_CLOSED : ORIGIN_ACT_FAILED);
	say(out, ORIGIN_ACT_FREE);
	return VX6_OK;
}

static enum vx6_status in_seek(struct origin *o, const struct origin_event *ev,
			       struct origin_out *out)
{
	uint64_t wait;

	if (o->due_ns == 0 &&
	    (ev->kind == ORIGIN_EV_READY || ev->kind == ORIGIN_EV_UNREACHABLE))
		return VX6_BAD_STATE; /* nobody was looked for yet */
	switch (ev->kind) {
	case ORIGIN_EV_READY:
		wait = o->times.per_hop_ns * o->hops;
		if (wait > o->times.whole_ns)
			wait = o->times.whole_ns;
		o->state = ORIGIN_WAIT;
		o->due_ns = ev->now_ns + wait;
		say(out, ORIGIN_ACT_CREATE);
		return VX6_OK;
	case ORIGIN_EV_UNREACHABLE:
		return end(o, ORIGIN_WHY_UNREACHABLE, false, out);
	case ORIGIN_EV_NO_ROOM: return end(o, ORIGIN_WHY_LOCAL, false, out);
	case ORIGIN_EV_CLOSE: return end(o, ORIGIN_WHY_DONE, false, out);
	case ORIGIN_EV_TICK:
		if (o->due_ns == 0) {
			o->due_ns = ev->now_ns + o->times.seek_ns;
			say(out, ORIGIN_ACT_SEEK);
			return VX6_OK;
		}
		if (ev->now_ns < o->due_ns)
			return VX6_OK;
		return end(o, ORIGIN_WHY_UNREACHABLE, false, out);
	case ORIGIN_EV_CREATED:
	case ORIGIN_EV_CREATED_BAD:
	case ORIGIN_EV_FORGED:
	case ORIGIN_EV_FAILED:
	case ORIGIN_EV_INSTALLED:
	case ORIGIN_EV_DESTROY:
	case ORIGIN_EV_LOST: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

/* The answer was no: whose, and what it says. */
static enum vx6_status refused(struct origin *o, const struct origin_event *ev,
			       enum origin_why why, bool told,
			       struct origin_out *out)
{
	o->hop = ev->hop;
	o->code = ev->code;
	return end(o, why, told, out);
}

static enum vx6_status in_wait(struct origin *o, const struct origin_event *ev,
			       struct origin_out *out)
{
	switch (ev->kind) {
	case ORIGIN_EV_CREATED:
		o->state = ORIGIN_INSTALL;
		o->due_ns = VX6_NEVER;
		say(out, ORIGIN_ACT_INSTALL);
		return VX6_OK;
	case ORIGIN_EV_CREATED_BAD:
		/* The hops before the one that failed cannot read its code:
		 * to them the circuit is open. */
		return refused(o, ev, ORIGIN_WHY_CODE, ev->hop > 0, out);
	case ORIGIN_EV_FORGED:
		return refused(o, ev, ORIGIN_WHY_FORGED, true, out);
	case ORIGIN_EV_FAILED:
		return refused(o, ev,
			       ev->code == VX6_CREATED_NEXT_NO_KEY
				       ? ORIGIN_WHY_NO_KEY
				       : ORIGIN_WHY_REFUSED,
			       false, out);
	case ORIGIN_EV_NO_ROOM: return end(o, ORIGIN_WHY_LOCAL, true, out);
	case ORIGIN_EV_DESTROY: return end(o, ORIGIN_WHY_DESTROYED, false, out);
	case ORIGIN_EV_LOST: return end(o, ORIGIN_WHY_LOST, false, out);
	case ORIGIN_EV_CLOSE: return end(o, ORIGIN_WHY_DONE, true, out);
	case ORIGIN_EV_TICK:
		if (ev->now_ns < o->due_ns)
			return VX6_OK;
		return end(o, ORIGIN_WHY_TIMEOUT, true, out);
	case ORIGIN_EV_READY:
	case ORIGIN_EV_UNREACHABLE:
	case ORIGIN_EV_INSTALLED: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

static enum vx6_status in_install(struct origin *o,
				  const struct origin_event *ev,
				  struct origin_out *out)
{
	switch (ev->kind) {
	case ORIGIN_EV_INSTALLED:
		o->state = ORIGIN_OPEN;
		o->due_ns = ev->now_ns + o->times.life_ns;
		say(out, ORIGIN_ACT_OPENED);
		return VX6_OK;
	case ORIGIN_EV_NO_ROOM: return end(o, ORIGIN_WHY_LOCAL, true, out);
	case ORIGIN_EV_DESTROY: return end(o, ORIGIN_WHY_DESTROYED, false, out);
	case ORIGIN_EV_LOST: return end(o, ORIGIN_WHY_LOST, false, out);
	case ORIGIN_EV_CLOSE: return end(o, ORIGIN_WHY_DONE, true, out);
	case ORIGIN_EV_TICK: return VX6_OK;
	case ORIGIN_EV_READY:
	case ORIGIN_EV_UNREACHABLE:
	case ORIGIN_EV_CREATED:
	case ORIGIN_EV_CREATED_BAD:
	case ORIGIN_EV_FORGED:
	case ORIGIN_EV_FAILED: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

static enum vx6_status in_open(struct origin *o, const struct origin_event *ev,
			       struct origin_out *out)
{
	switch (ev->kind) {
	case ORIGIN_EV_DESTROY: return end(o, ORIGIN_WHY_DESTROYED, false, out);
	case ORIGIN_EV_LOST: return end(o, ORIGIN_WHY_LOST, false, out);
	case ORIGIN_EV_CLOSE: return end(o, ORIGIN_WHY_DONE, true, out);
	case ORIGIN_EV_TICK:
		if (ev->now_ns < o->due_ns)
			return VX6_OK;
		return end(o, ORIGIN_WHY_EXPIRED, true, out);
	case ORIGIN_EV_READY:
	case ORIGIN_EV_UNREACHABLE:
	case ORIGIN_EV_CREATED:
	case ORIGIN_EV_CREATED_BAD:
	case ORIGIN_EV_FORGED:
	case ORIGIN_EV_FAILED:
	case ORIGIN_EV_INSTALLED:
	case ORIGIN_EV_NO_ROOM: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

void origin_init(struct origin *o, unsigned hops,
		 const struct origin_times *times)
{
	*o = (struct origin){ .state = ORIGIN_SEEK,
			      .hops = (uint8_t)hops,
			      .times = *times };
}

enum vx6_status origin_step(struct origin *o, const struct origin_event *ev,
			    struct origin_out *out)
{
	out->n = 0;
	switch (o->state) {
	case ORIGIN_SEEK: return in_seek(o, ev, out);
	case ORIGIN_WAIT: return in_wait(o, ev, out);
	case ORIGIN_INSTALL: return in_install(o, ev, out);
	case ORIGIN_OPEN: return in_open(o, ev, out);
	case ORIGIN_GONE: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

uint64_t origin_due(const struct origin *o)
{
	return o->state == ORIGIN_GONE ? VX6_NEVER : o->due_ns;
}

const char *origin_why_text(enum origin_why why)
{
	switch (why) {
	case ORIGIN_WHY_NONE: return "nothing is wrong";
	case ORIGIN_WHY_UNREACHABLE: return "the first relay does not answer";
	case ORIGIN_WHY_REFUSED: return "the first relay refused the circuit";
	case ORIGIN_WHY_NO_KEY:
		return "the first relay has changed its onion key";
	case ORIGIN_WHY_CODE: return "a relay could not go on";
	case ORIGIN_WHY_FORGED: return "an answer was changed on its way";
	case ORIGIN_WHY_TIMEOUT: return "no answer came in time";
	case ORIGIN_WHY_LOCAL: return "this node has no room for a circuit";
	case ORIGIN_WHY_DESTROYED: return "a relay tore the circuit down";
	case ORIGIN_WHY_LOST: return "the link to the first relay is gone";
	case ORIGIN_WHY_EXPIRED: return "its lifetime is over";
	case ORIGIN_WHY_DONE: return "closed here";
	}
	return "unknown";
}
