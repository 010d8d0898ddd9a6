/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/hop.h"

#include <assert.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/create.h"

static void say(struct hop_out *out, enum hop_act act)
{
	assert(out->n < VX6_COUNT(out->act));
	out->act[out->n++] = act;
}

/* The circuit was never open: prev gets its answer instead of a DESTROY. */
static enum vx6_status answer(struct hop *h, unsigned code, struct hop_out *out)
{
	h->state = HOP_GONE;
	h->code = (uint8_t)code;
	if (h->installed)
		say(out, HOP_ACT_REMOVE);
	if (h->next_told)
		say(out, HOP_ACT_DESTROY_NEXT);
	say(out, HOP_ACT_ANSWER);
	say(out, HOP_ACT_FREE);
	return VX6_OK;
}

/* Prev is gone or has said goodbye: nobody is left to answer. */
static enum vx6_status forget(struct hop *h, struct hop_out *out)
{
	h->state = HOP_GONE;
	if (h->installed)
		say(out, HOP_ACT_REMOVE);
	if (h->next_told)
		say(out, HOP_ACT_DESTROY_NEXT);
	say(out, HOP_ACT_FREE);
	return VX6_OK;
}

static enum vx6_status install(struct hop *h, struct hop_out *out)
{
	h->state = HOP_INSTALL;
	h->installed = true;
	h->due_ns = VX6_NEVER; /* the data plane answers, or is lost */
	say(out, HOP_ACT_INSTALL);
	return VX6_OK;
}

static enum vx6_status in_crypto(struct hop *h, const struct hop_event *ev,
				 struct hop_out *out)
{
	switch (ev->kind) {
	case HOP_EV_OPENED_RELAY:
		h->state = HOP_SEEK;
		h->due_ns = ev->now_ns + h->times.seek_ns;
		say(out, HOP_ACT_SEEK);
		return VX6_OK;
	case HOP_EV_OPENED_END: h->end = true; return install(h, out);
	case HOP_EV_OPENED_OTHER: return answer(h, VX6_CREATED_POLICY, out);
	case HOP_EV_REFUSED:
		h->state = HOP_GONE;
		say(out, HOP_ACT_FAIL);
		say(out, HOP_ACT_FREE);
		return VX6_OK;
	case HOP_EV_DESTROY_PREV:
	case HOP_EV_LOST_PREV: return forget(h, out);
	case HOP_EV_TICK: return VX6_OK;
	case HOP_EV_NEXT_READY:
	case HOP_EV_NEXT_UNKNOWN:
	case HOP_EV_NEXT_UNREACHABLE:
	case HOP_EV_CREATED:
	case HOP_EV_FAILED:
	case HOP_EV_INSTALLED:
	case HOP_EV_NO_ROOM:
	case HOP_EV_DESTROY_NEXT:
	case HOP_EV_LOST_NEXT: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

static enum vx6_status in_seek(struct hop *h, const struct hop_event *ev,
			       struct hop_out *out)
{
	switch (ev->kind) {
	case HOP_EV_NEXT_READY:
		h->state = HOP_EXTEND;
		h->next_told = true;
		h->due_ns = ev->now_ns + h->times.extend_ns;
		say(out, HOP_ACT_EXTEND);
		return VX6_OK;
	case HOP_EV_NEXT_UNKNOWN:
		return answer(h, VX6_CREATED_NEXT_UNKNOWN, out);
	case HOP_EV_NO_ROOM: return answer(h, VX6_CREATED_NO_ROOM, out);
	case HOP_EV_NEXT_UNREACHABLE:
		return answer(h, VX6_CREATED_NEXT_UNREACHABLE, out);
	case HOP_EV_TICK:
		if (ev->now_ns < h->due_ns)
			return VX6_OK;
		return answer(h, VX6_CREATED_NEXT_UNREACHABLE, out);
	case HOP_EV_DESTROY_PREV:
	case HOP_EV_LOST_PREV: return forget(h, out);
	case HOP_EV_OPENED_RELAY:
	case HOP_EV_OPENED_END:
	case HOP_EV_OPENED_OTHER:
	case HOP_EV_REFUSED:
	case HOP_EV_CREATED:
	case HOP_EV_FAILED:
	case HOP_EV_INSTALLED:
	case HOP_EV_DESTROY_NEXT:
	case HOP_EV_LOST_NEXT: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

static enum vx6_status in_extend(struct hop *h, const struct hop_event *ev,
				 struct hop_out *out)
{
	switch (ev->kind) {
	case HOP_EV_CREATED: return install(h, out);
	case HOP_EV_FAILED:
		h->next_told = false;
		return answer(h, ev->code, out);
	case HOP_EV_NO_ROOM: return answer(h, VX6_CREATED_NO_ROOM, out);
	case HOP_EV_DESTROY_NEXT:
		h->next_told = false;
		return answer(h, VX6_CREATED_NEXT_REFUSED, out);
	case HOP_EV_LOST_NEXT:
		h->next_told = false;
		return answer(h, VX6_CREATED_NEXT_UNREACHABLE, out);
	case HOP_EV_TICK:
		if (ev->now_ns < h->due_ns)
			return VX6_OK;
		return answer(h, VX6_CREATED_NEXT_UNREACHABLE, out);
	case HOP_EV_DESTROY_PREV:
	case HOP_EV_LOST_PREV: return forget(h, out);
	case HOP_EV_OPENED_RELAY:
	case HOP_EV_OPENED_END:
	case HOP_EV_OPENED_OTHER:
	case HOP_EV_REFUSED:
	case HOP_EV_NEXT_READY:
	case HOP_EV_NEXT_UNKNOWN:
	case HOP_EV_NEXT_UNREACHABLE:
	case HOP_EV_INSTALLED: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

static enum vx6_status in_install(struct hop *h, const struct hop_event *ev,
				  struct hop_out *out)
{
	switch (ev->kind) {
	case HOP_EV_INSTALLED:
		h->state = HOP_OPEN;
		h->code = VX6_CREATED_OK;
		h->due_ns = ev->now_ns + h->times.life_ns;
		say(out, HOP_ACT_ANSWER);
		return VX6_OK;
	case HOP_EV_NO_ROOM: return answer(h, VX6_CREATED_NO_ROOM, out);
	case HOP_EV_DESTROY_NEXT:
		h->next_told = false;
		return answer(h, VX6_CREATED_NEXT_REFUSED, out);
	case HOP_EV_LOST_NEXT:
		h->next_told = false;
		return answer(h, VX6_CREATED_NEXT_UNREACHABLE, out);
	case HOP_EV_DESTROY_PREV:
	case HOP_EV_LOST_PREV: return forget(h, out);
	case HOP_EV_TICK: return VX6_OK;
	case HOP_EV_OPENED_RELAY:
	case HOP_EV_OPENED_END:
	case HOP_EV_OPENED_OTHER:
	case HOP_EV_REFUSED:
	case HOP_EV_NEXT_READY:
	case HOP_EV_NEXT_UNKNOWN:
	case HOP_EV_NEXT_UNREACHABLE:
	case HOP_EV_CREATED:
	case HOP_EV_FAILED: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

/* An open circuit ends: tell whom it still concerns. */
static enum vx6_status tear_down(struct hop *h, bool prev, bool next,
				 struct hop_out *out)
{
	h->state = HOP_GONE;
	say(out, HOP_ACT_REMOVE);
	if (prev)
		say(out, HOP_ACT_DESTROY_PREV);
	if (next && h->next_told)
		say(out, HOP_ACT_DESTROY_NEXT);
	say(out, HOP_ACT_FREE);
	return VX6_OK;
}

static enum vx6_status in_open(struct hop *h, const struct hop_event *ev,
			       struct hop_out *out)
{
	switch (ev->kind) {
	case HOP_EV_DESTROY_PREV:
	case HOP_EV_LOST_PREV: return tear_down(h, false, true, out);
	case HOP_EV_DESTROY_NEXT:
	case HOP_EV_LOST_NEXT: return tear_down(h, true, false, out);
	case HOP_EV_TICK:
		if (ev->now_ns < h->due_ns)
			return VX6_OK;
		return tear_down(h, true, true, out);
	case HOP_EV_OPENED_RELAY:
	case HOP_EV_OPENED_END:
	case HOP_EV_OPENED_OTHER:
	case HOP_EV_REFUSED:
	case HOP_EV_NEXT_READY:
	case HOP_EV_NEXT_UNKNOWN:
	case HOP_EV_NEXT_UNREACHABLE:
	case HOP_EV_CREATED:
	case HOP_EV_FAILED:
	case HOP_EV_INSTALLED:
	case HOP_EV_NO_ROOM: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

void hop_init(struct hop *h, const struct hop_times *times)
{
	*h = (struct hop){ .state = HOP_CRYPTO,
			   .due_ns = VX6_NEVER,
			   .times = *times };
}

void hop_adopt(struct hop *h, const struct hop_times *times, uint64_t due_ns)
{
	*h = (struct hop){ .state = HOP_OPEN,
			   .next_told = true,
			   .installed = true,
			   .code = VX6_CREATED_OK,
			   .due_ns = due_ns,
			   .times = *times };
}

enum vx6_status hop_step(struct hop *h, const struct hop_event *ev,
			 struct hop_out *out)
{
	out->n = 0;
	switch (h->state) {
	case HOP_CRYPTO: return in_crypto(h, ev, out);
	case HOP_SEEK: return in_seek(h, ev, out);
	case HOP_EXTEND: return in_extend(h, ev, out);
	case HOP_INSTALL: return in_install(h, ev, out);
	case HOP_OPEN: return in_open(h, ev, out);
	case HOP_GONE: return VX6_BAD_STATE;
	}
	return VX6_MALFORMED;
}

uint64_t hop_due(const struct hop *h)
{
	return h->state == HOP_GONE ? VX6_NEVER : h->due_ns;
}
