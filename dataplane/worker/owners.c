/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/owners.h"

#include <stdlib.h>

#include "dataplane/relay/relay.h"

static struct owned *find(const struct owners *o, uint32_t id)
{
	uint32_t i = id & ABI_IDX_MASK;

	if (id == 0 || i >= o->halves_max || o->half[i].id != id)
		return NULL;
	return &o->half[i];
}

enum vx6_status owners_open(struct owners *o, uint32_t halves_max,
			    uint32_t workers)
{
	*o = (struct owners){ .halves_max = halves_max, .workers = workers };
	o->half = calloc(halves_max, sizeof(*o->half));
	return o->half != NULL ? VX6_OK : VX6_NO_MEMORY;
}

void owners_close(struct owners *o)
{
	free(o->half);
	*o = (struct owners){ 0 };
}

enum vx6_status owners_add(struct owners *o, const struct abi_half *h,
			   uint32_t seq, uint32_t *worker)
{
	uint32_t i = h->id & ABI_IDX_MASK;

	if (i >= o->halves_max)
		return VX6_NO_ROOM;
	if (o->half[i].id != 0)
		return VX6_EXISTS;
	*worker = relay_half_owner(o->workers, h->in_link, h->out_link);
	o->half[i] = (struct owned){ .id = h->id,
				     .in_link = h->in_link,
				     .out_link = h->out_link,
				     .seq = seq,
				     .worker = *worker,
				     .kind = h->kind };
	if (i >= o->half_hi)
		o->half_hi = i + 1;
	return VX6_OK;
}

uint32_t owners_find(const struct owners *o, uint32_t id)
{
	const struct owned *h = find(o, id);

	return h != NULL ? h->worker : OWNERS_NONE;
}

static void part(const struct owners *o, struct owned *h)
{
	struct owned *other = find(o, h->splice);

	if (other != NULL)
		other->splice = 0;
	h->splice = 0;
}

static void end(const struct owners *o, struct owned *h)
{
	part(o, h);
	*h = (struct owned){ 0 };
}

void owners_undo(struct owners *o, uint32_t id, uint32_t seq)
{
	struct owned *h = find(o, id);

	if (h != NULL && h->seq == seq)
		end(o, h);
}

void owners_end(struct owners *o, uint32_t id)
{
	struct owned *h = find(o, id);

	if (h != NULL)
		end(o, h);
}

void owners_end_link(struct owners *o, uint32_t link)
{
	for (uint32_t i = 1; i < o->half_hi; i++) {
		struct owned *h = &o->half[i];

		if (h->id != 0 && (h->in_link == link || h->out_link == link))
			end(o, h);
	}
}

enum vx6_status owners_splice(struct owners *o, uint32_t id, uint32_t to)
{
	struct owned *from = find(o, id), *other = find(o, to);

	if (from == NULL || other == NULL)
		return VX6_NO_CIRCUIT;
	if (from->kind != ABI_HALF_FORWARD || from->out_link != 0 ||
	    other->kind != ABI_HALF_BACKWARD || other->in_link != 0)
		return VX6_MALFORMED;
	if (from->splice != 0 || other->splice != 0)
		return VX6_EXISTS;
	from->splice = to;
	other->splice = id;
	return VX6_OK;
}

enum vx6_status owners_unsplice(struct owners *o, uint32_t id)
{
	struct owned *h = find(o, id);

	if (h == NULL)
		return VX6_NO_CIRCUIT;
	if (h->kind != ABI_HALF_FORWARD || h->splice == 0)
		return VX6_NOT_FOUND;
	part(o, h);
	return VX6_OK;
}

uint32_t owners_spliced(const struct owners *o, uint32_t id)
{
	const struct owned *h = find(o, id);

	return h != NULL ? h->splice : 0;
}
