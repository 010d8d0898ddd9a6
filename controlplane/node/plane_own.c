/* SPDX-License-Identifier: GPL-2.0-or-later */

/* plane_own: links and local half-circuits inside vx6d itself. */

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "controlplane/loop/loop.h"
#include "controlplane/node/plane.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/window.h"

#define BATCH_LEN 61440u /* bytes of one send; a GSO limit is 65,507 */
#define BATCH_CNT 40u

struct own_link {
	struct vx6_link link;
	struct plane_link_info count; /* the counters of it */
};

struct own_half {
	uint32_t id; /* 0 = free */
	uint32_t link;
	uint64_t start;
	uint16_t cell_size;
};

struct own {
	struct plane plane;
	struct plane_own_options opt;
	struct own_link **link; /* by index */
	struct own_half *half;  /* by index of the id */
	struct vx6_rand rnd;
	struct loop_timer timer;
	uint64_t now_ns;
	struct {
		struct vx6_addr to;
		size_t len, segment;
		unsigned n;
		uint8_t data[BATCH_LEN];
	} batch;
};

static void own_flush(struct plane *p)
{
	struct own *o = (struct own *)p;

	if (o->batch.n > 0 &&
	    !o->opt.send(o->opt.ctx, &o->batch.to, o->batch.data, o->batch.len,
			 o->batch.n > 1 ? o->batch.segment : 0))
		p->dropped[VX6_AGAIN] += o->batch.n;
	o->batch.n = 0;
	o->batch.len = 0;
}

/* A batch is one destination's run of equal sizes; a shorter cell may end
 * it, none may follow that. */
static uint8_t *batch_room(struct own *o, const struct vx6_addr *to,
			   size_t size)
{
	if (o->batch.n > 0 &&
	    (o->batch.n == BATCH_CNT || size > o->batch.segment ||
	     o->batch.len % o->batch.segment != 0 ||
	     !vx6_addr_eq(&o->batch.to, to)))
		own_flush(&o->plane);
	if (o->batch.n == 0) {
		o->batch.to = *to;
		o->batch.segment = size;
	}
	uint8_t *at = o->batch.data + o->batch.len;

	o->batch.len += size;
	o->batch.n++;
	return at;
}

static void link_out(struct own *o, struct own_link *l,
		     const struct vx6_link_out *out)
{
	for (unsigned i = 0; i < out->n; i++) {
		uint8_t *at = batch_room(o, &out->pkt[i].to, out->pkt[i].len);

		memcpy(at, out->pkt[i].data, out->pkt[i].len);
	}
	if (out->events)
		o->plane.ev.link(o->plane.ctx, l->link.index, out->events);
}

static void arm(struct own *o)
{
	uint64_t due = VX6_NEVER;

	for (uint32_t i = 1; i < o->opt.links_max; i++)
		if (o->link[i] && vx6_link_due(&o->link[i]->link) < due)
			due = vx6_link_due(&o->link[i]->link);
	loop_timer_set(&o->timer, due);
}

static void on_timer(void *ctx)
{
	struct own *o = ctx;
	uint64_t now_ns = loop_now(o->opt.loop);

	for (uint32_t i = 1; i < o->opt.links_max; i++) {
		struct own_link *l = o->link[i];
		struct vx6_link_out out;

		if (!l || vx6_link_due(&l->link) > now_ns)
			continue;
		vx6_link_tick(&l->link, now_ns, &o->rnd, &out);
		link_out(o, l, &out);
	}
	own_flush(&o->plane);
	arm(o);
}

static enum vx6_status own_link_add(struct plane *p, const struct abi_link *a,
				    plane_done *done, void *ctx)
{
	struct own *o = (struct own *)p;
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

	if (a->index == 0 || a->index >= o->opt.links_max)
		return VX6_MALFORMED;
	if (o->link[a->index])
		return VX6_EXISTS;
	struct own_link *l = aligned_alloc(64, (sizeof(*l) + 63u) & ~63u);

	if (!l)
		return VX6_NO_ROOM;
	*l = (struct own_link){ 0 };
	enum vx6_status st = vx6_link_init(&l->link, &setup,
					   loop_now(o->opt.loop));

	sodium_memzero(&setup, sizeof(setup));
	if (st != VX6_OK) {
		free(l);
		return st;
	}
	o->link[a->index] = l;
	arm(o);
	done(ctx, VX6_OK);
	return VX6_OK;
}

static void own_link_remove(struct plane *p, uint32_t index)
{
	struct own *o = (struct own *)p;

	if (index >= o->opt.links_max || !o->link[index])
		return;
	for (uint32_t i = 0; i < o->opt.halves_max; i++)
		if (o->half[i].id && o->half[i].link == index)
			o->half[i] = (struct own_half){ 0 };
	vx6_link_wipe(&o->link[index]->link);
	free(o->link[index]);
	o->link[index] = NULL;
}

static void own_link_afresh(struct plane *p, uint32_t index)
{
	struct own *o = (struct own *)p;

	if (index >= o->opt.links_max || !o->link[index])
		return;
	struct vx6_link *l = &o->link[index]->link;
	struct vx6_addr same = l->addr;

	vx6_link_redirect(l, &same, loop_now(o->opt.loop));
	arm(o);
}

static enum vx6_status own_half_add(struct plane *p, const struct abi_half *h,
				    plane_done *done, void *ctx)
{
	struct own *o = (struct own *)p;
	uint32_t idx = h->id & ABI_IDX_MASK;

	if (h->kind != ABI_HALF_LOCAL)
		return VX6_UNSUPPORTED;
	if (idx == 0 || idx >= o->opt.halves_max ||
	    h->in_link >= o->opt.links_max || !o->link[h->in_link] ||
	    !vx6_cell_size_ok(h->cell_size_in))
		return VX6_MALFORMED;
	if (o->half[idx].id)
		return VX6_EXISTS;
	o->half[idx] = (struct own_half){ .id = h->id,
					  .link = h->in_link,
					  .start = h->start_rx,
					  .cell_size = h->cell_size_in };
	done(ctx, VX6_OK);
	return VX6_OK;
}

static void own_half_remove(struct plane *p, uint32_t id)
{
	struct own *o = (struct own *)p;
	uint32_t idx = id & ABI_IDX_MASK;

	if (idx < o->opt.halves_max && o->half[idx].id == id)
		o->half[idx] = (struct own_half){ 0 };
}

static enum vx6_status own_inject(struct plane *p, uint32_t id,
				  const uint8_t *body, size_t len)
{
	(void)p;
	(void)id;
	(void)body;
	(void)len;
	return VX6_UNSUPPORTED; /* only relays have such half-circuits */
}

/* A cell sent may make the next ask due sooner.  Once a turn is enough. */
static void cell_sent(struct own *o, struct vx6_link *l)
{
	uint64_t now_ns = loop_now(o->opt.loop);

	if (l->cell_tx_ns == now_ns)
		return;
	l->cell_tx_ns = now_ns;
	uint64_t due = vx6_link_due(l);

	if (due < o->timer.due_ns)
		loop_timer_set(&o->timer, due);
}

static enum vx6_status own_send(struct plane *p, uint32_t link, uint32_t circ,
				uint16_t cell_size, const uint8_t *h8,
				size_t len)
{
	struct own *o = (struct own *)p;
	struct own_link *l = link < o->opt.links_max ? o->link[link] : NULL;

	if (!l)
		return VX6_NO_LINK;
	if (len < 8 + VX6_LEN_MIN || len > 8 + VX6_LEN_MAX)
		return VX6_BAD_SIZE;
	size_t size = vx6_cell_out_size(cell_size, (uint16_t)(len - 8));

	if (size == 0 || size > l->link.u)
		return VX6_BAD_SIZE;
	if (vx6_addr_is_none(&l->link.addr))
		return VX6_NO_ROUTE;
	uint8_t *at = batch_room(o, &l->link.addr, size);

	vx6_cell_put(at, l->link.peer_index, circ);
	memcpy(at + 8, h8, len);
	if (size > 8 + len)
		vx6_rand_fill(&o->rnd, at + 8 + len, size - 8 - len);
	vx6_cell_protect(&l->link.hp_tx, at);
	cell_sent(o, &l->link);
	l->count.cells_out++;
	l->count.bytes_out += size;
	return VX6_OK;
}

static bool own_link_info(struct plane *p, uint32_t index,
			  struct plane_link_info *info)
{
	struct own *o = (struct own *)p;

	if (index >= o->opt.links_max || !o->link[index])
		return false;
	*info = o->link[index]->count;
	info->state = o->link[index]->link.state;
	info->addr = o->link[index]->link.addr;
	info->srtt_ns = o->link[index]->link.srtt_ns;
	info->u_proved = o->link[index]->link.u_proved;
	return true;
}

static bool own_half_info(struct plane *p, uint32_t id,
			  struct plane_half_info *info)
{
	(void)p;
	(void)id;
	(void)info;
	return false; /* circuits that begin or end here count themselves */
}

static enum vx6_status own_refresh(struct plane *p, plane_done *done, void *ctx)
{
	(void)p;
	done(ctx, VX6_OK);
	return VX6_OK;
}

static void own_close(struct plane *p)
{
	struct own *o = (struct own *)p;

	loop_timer_clear(&o->timer);
	for (uint32_t i = 1; i < o->opt.links_max; i++)
		own_link_remove(p, i);
	free(o->link);
	free(o->half);
	free(o);
}

static enum vx6_status take_cell(struct own *o, struct own_link *l,
				 const struct vx6_addr *from, uint8_t *data,
				 size_t len)
{
	struct vx6_cell cell;
	enum vx6_status st;

	vx6_cell_unprotect(&l->link.hp_rx, data);
	st = vx6_cell_parse(&cell, data, len);
	if (st != VX6_OK)
		return st;
	if (cell.circ == 0) {
		struct vx6_link_out out;

		st = vx6_link_probe(&l->link, data, len, from, o->now_ns,
				    &o->rnd, &out);
		link_out(o, l, &out);
		arm(o);
		return st;
	}
	st = vx6_link_from(&l->link, from);
	if (st != VX6_OK)
		return st;
	const struct own_half *h =
		&o->half[(cell.circ & ABI_IDX_MASK) % o->opt.halves_max];

	if (h->id != cell.circ || h->link != l->link.index)
		return VX6_NO_CIRCUIT;
	if (!vx6_cell_fits(h->cell_size, len, cell.len))
		return VX6_BAD_SIZE;
	if (cell.ctr < h->start || cell.ctr - h->start >= VX6_CTR_SPAN)
		return VX6_OUT_OF_RANGE;
	l->link.cell_rx_ns = o->now_ns;
	l->count.cells_in++;
	l->count.bytes_in += len;
	o->plane.ev.cell(o->plane.ctx, cell.circ, data, len);
	return VX6_OK;
}

void plane_own_input(struct plane *p, const struct vx6_addr *from,
		     uint8_t *data, size_t len, uint64_t now_ns)
{
	struct own *o = (struct own *)p;
	uint32_t index;
	enum vx6_status st = vx6_cell_link(data, len, &index);

	o->now_ns = now_ns;
	if (st == VX6_OK)
		st = index < o->opt.links_max && o->link[index]
			     ? take_cell(o, o->link[index], from, data, len)
			     : VX6_NO_LINK;
	if (st != VX6_OK)
		p->dropped[st]++;
}

enum vx6_status plane_own_open(struct plane **p,
			       const struct plane_own_options *opt)
{
	static const struct plane_ops ops = {
		.link_add = own_link_add,
		.link_remove = own_link_remove,
		.link_afresh = own_link_afresh,
		.half_add = own_half_add,
		.half_remove = own_half_remove,
		.inject = own_inject,
		.send = own_send,
		.flush = own_flush,
		.link_info = own_link_info,
		.half_info = own_half_info,
		.refresh = own_refresh,
		.close = own_close,
	};
	struct own *o = calloc(1, sizeof(*o));

	if (!o)
		return VX6_NO_MEMORY;
	o->opt = *opt;
	o->link = calloc(opt->links_max, sizeof(struct own_link *));
	o->half = calloc(opt->halves_max, sizeof(*o->half));
	if (!o->link || !o->half) {
		free(o->link);
		free(o->half);
		free(o);
		return VX6_NO_MEMORY;
	}
	vx6_rand_init(&o->rnd);
	loop_timer_init(&o->timer, opt->loop, on_timer, o);
	o->plane = (struct plane){
		.ops = &ops,
		.ev = opt->events,
		.ctx = opt->ctx,
		.up = true,
		.listen = opt->listen,
		.u_v4 = (uint16_t)(opt->mtu - 28u < VX6_CELL_MAX
					   ? opt->mtu - 28u
					   : VX6_CELL_MAX),
		.u_v6 = (uint16_t)(opt->mtu - 48u < VX6_CELL_MAX
					   ? opt->mtu - 48u
					   : VX6_CELL_MAX),
		.halves_max = opt->halves_max,
		.links_max = opt->links_max,
	};
	*p = &o->plane;
	return VX6_OK;
}
