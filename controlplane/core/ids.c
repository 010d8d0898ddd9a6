/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/ids.h"

#include <assert.h>
#include <stddef.h>

#define GEN_MASK  0xfffu
#define WHAT_DEAD 0xffffu /* a free slot's word until ids_settle */

static void append(struct ids *t, uint32_t idx)
{
	t->slot[idx].next = 0;
	if (t->tail)
		t->slot[t->tail].next = idx;
	else
		t->head = idx;
	t->tail = idx;
}

void ids_init(struct ids *t, struct ids_slot *slot, uint32_t cnt,
	      uint16_t first_gen)
{
	assert(cnt >= 2 && cnt <= IDS_INDEX_MASK + 1u);
	*t = (struct ids){ .slot = slot, .cnt = cnt };
	for (uint32_t i = 1; i < cnt; i++) {
		slot[i] = (struct ids_slot){ .gen = first_gen & GEN_MASK };
		append(t, i);
	}
}

uint32_t ids_take(struct ids *t, void *owner, uint16_t what)
{
	uint32_t idx = t->head;

	if (idx == 0)
		return 0;
	struct ids_slot *s = &t->slot[idx];

	t->head = s->next;
	if (t->head == 0)
		t->tail = 0;
	s->owner = owner;
	s->what = what;
	t->used++;
	return (uint32_t)s->gen << IDS_INDEX_BITS | idx;
}

static struct ids_slot *slot_of(struct ids *t, uint32_t id)
{
	uint32_t idx = id & IDS_INDEX_MASK;

	return idx == 0 || idx >= t->cnt ? NULL : &t->slot[idx];
}

bool ids_keep(struct ids *t, uint32_t id, void *owner, uint16_t what)
{
	struct ids_slot *s = slot_of(t, id);
	uint32_t next = owner ? id : id + (IDS_INDEX_MASK + 1u);

	if (!s || s->owner || s->what == WHAT_DEAD)
		return false;
	s->gen = (uint16_t)(next >> IDS_INDEX_BITS);
	s->owner = owner;
	s->what = owner ? what : WHAT_DEAD;
	t->used += owner ? 1 : 0;
	return true;
}

static void line_up(struct ids *t, bool dead)
{
	for (uint32_t i = 1; i < t->cnt; i++) {
		struct ids_slot *s = &t->slot[i];

		if (!s->owner && (s->what == WHAT_DEAD) == dead)
			append(t, i);
	}
}

void ids_settle(struct ids *t)
{
	t->head = t->tail = 0;
	line_up(t, false);
	line_up(t, true);
	for (uint32_t i = t->head; i; i = t->slot[i].next)
		t->slot[i].what = 0;
}

struct ids_slot *ids_find(struct ids *t, uint32_t id)
{
	struct ids_slot *s = slot_of(t, id);

	return s && s->owner && s->gen == id >> IDS_INDEX_BITS ? s : NULL;
}

void ids_give(struct ids *t, uint32_t id)
{
	struct ids_slot *s = ids_find(t, id);

	if (!s)
		return;
	s->owner = NULL;
	s->gen = (s->gen + 1u) & GEN_MASK;
	t->used--;
	append(t, id & IDS_INDEX_MASK);
}
