/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_heap: events in order of time, and of coming where that is equal. */
#include <stdlib.h>

#include "tests/support/sim_own.h"

void *sim_alloc(size_t cnt, size_t size)
{
	void *p = calloc(cnt, size);

	if (!p)
		abort();
	return p;
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->seq < b->seq);
}

static void swap(struct sim_event *a, struct sim_event *b)
{
	struct sim_event t = *a;

	*a = *b;
	*b = t;
}

static void grow(struct sim *s)
{
	size_t cap = s->heap_cap ? 2 * s->heap_cap : 1024;
	struct sim_event *p = realloc(s->heap, cap * sizeof(*p));

	if (!p)
		abort();
	s->heap = p;
	s->heap_cap = cap;
}

void sim_at(struct sim *s, struct sim_event e)
{
	size_t i = s->heap_cnt;

	if (i == s->heap_cap)
		grow(s);
	if (e.at_ns < s->now)
		e.at_ns = s->now;
	e.seq = s->seq++;
	s->under_way += e.kind < SIM_UNDER_WAY;
	s->heap[s->heap_cnt++] = e;
	for (; i > 0 && before(&s->heap[i], &s->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

bool sim_next(struct sim *s, uint64_t until_ns, struct sim_event *e)
{
	size_t i = 0;

	if (s->heap_cnt == 0 || s->heap[0].at_ns > until_ns)
		return false;
	*e = s->heap[0];
	s->heap[0] = s->heap[--s->heap_cnt];
	for (;;) {
		size_t least = i, kid = 2 * i + 1;

		for (size_t k = kid; k < kid + 2 && k < s->heap_cnt; k++)
			if (before(&s->heap[k], &s->heap[least]))
				least = k;
		if (least == i)
			break;
		swap(&s->heap[i], &s->heap[least]);
		i = least;
	}
	s->under_way -= e->kind < SIM_UNDER_WAY;
	return true;
}
