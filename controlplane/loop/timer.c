/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/loop/loop_own.h"

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->order < b->order;
}

/* meld joins two heaps whose roots have no siblings. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (is_before(b, a)) {
		struct loop_timer *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* cut makes t a root of its own. */
static void cut(struct loop_timer *t)
{
	if (t->prev) {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
	}
	if (t->next)
		t->next->prev = t->prev;
	t->next = NULL;
	t->prev = NULL;
}

/* meld_all makes one heap of a list of siblings: by pairs from the left,
 * then those together from the right. */
static struct loop_timer *meld_all(struct loop_timer *first)
{
	struct loop_timer *pairs = NULL, *whole = NULL;

	while (first) {
		struct loop_timer *a = first, *b = a->next;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct loop_timer *a = pairs;

		pairs = a->next;
		a->next = NULL;
		whole = meld(whole, a);
	}
	return whole;
}

static void take_out(struct loop_timer *t)
{
	struct loop *l = t->loop;
	struct loop_timer *below;

	if (t != l->root)
		cut(t);
	below = meld_all(t->child);
	t->child = NULL;
	if (t == l->root)
		l->root = below;
	else
		l->root = meld(l->root, below);
	t->due_ns = VX6_NEVER;
}

void loop_timer_init(struct loop_timer *t, struct loop *l,
		     void (*fire)(void *ctx), void *ctx)
{
	*t = (struct loop_timer){
		.fire = fire, .ctx = ctx, .due_ns = VX6_NEVER, .loop = l
	};
}

void loop_timer_clear(struct loop_timer *t)
{
	if (t->due_ns != VX6_NEVER)
		take_out(t);
}

void loop_timer_set(struct loop_timer *t, uint64_t due_ns)
{
	struct loop *l = t->loop;

	/* The past is now: else a timer that sets itself into the past would
	 * be before all others for ever. */
	if (due_ns < l->now_ns)
		due_ns = l->now_ns;
	if (due_ns == t->due_ns)
		return;
	loop_timer_clear(t);
	if (due_ns == VX6_NEVER)
		return;
	t->due_ns = due_ns;
	t->order = l->order++;
	l->root = meld(l->root, t);
}

void timer_fire_due(struct loop *l)
{
	uint64_t before = l->order;

	while (l->root && l->root->due_ns <= l->now_ns &&
	       l->root->order < before) {
		struct loop_timer *t = l->root;

		take_out(t);
		l->stats.timers_fired++;
		t->fire(t->ctx);
	}
}
