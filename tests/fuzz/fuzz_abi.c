/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_abi: any 1,152 bytes are judged; what passes can be acted upon
 * without another look: indices, ids, enums and sizes are in range, and it
 * passes from one side only.  Each is judged a second time as one of our
 * version, so that what was found for an earlier one stays of use. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/abi/abi.h"

static bool link_holds(const struct abi_link *l)
{
	return l->index >= 1 && l->index <= VX6_LINK_INDEX_MAX &&
	       l->peer_index <= VX6_LINK_INDEX_MAX && l->u <= VX6_CELL_MAX &&
	       l->behind_nat <= 1 && l->state <= VX6_LINK_DOWN;
}

static bool half_holds(const struct abi_half *h)
{
	return (h->id & ABI_IDX_MASK) != 0 && h->kind >= ABI_HALF_FORWARD &&
	       h->kind <= ABI_HALF_LOCAL && h->suite <= 3 &&
	       h->in_link <= VX6_LINK_INDEX_MAX &&
	       h->out_link <= VX6_LINK_INDEX_MAX &&
	       vx6_cell_size_ok(h->cell_size_in) &&
	       vx6_cell_size_ok(h->cell_size_out);
}

static bool rate_holds(uint64_t rate, uint64_t burst)
{
	return rate <= ABI_RATE_MAX && (burst == 0 || burst >= VX6_CELL_MAX) &&
	       burst <= ABI_BURST_MAX;
}

static bool limits_hold(const struct abi_limits *l)
{
	return rate_holds(l->circuit_rate, l->circuit_burst) &&
	       rate_holds(l->link_rate, l->link_burst) &&
	       rate_holds(l->relay_rate, l->relay_burst) &&
	       l->circuit_queue <= ABI_CIRCUIT_QUEUE_MAX;
}

static bool has_id(uint32_t id)
{
	return (id & ABI_IDX_MASK) != 0;
}

static bool splice_holds(const struct abi_splice *s, bool to)
{
	return has_id(s->id) && s->to != s->id && has_id(s->to) == to;
}

/* Whoever prints it comes to its end, and a terminal to no harm. */
static bool text_holds(const char *text, size_t cap)
{
	size_t len = strnlen(text, cap);

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return len < cap;
}

static bool backend_holds(uint8_t backend, uint8_t asked)
{
	return backend >= ABI_BACKEND_UDP && backend <= ABI_BACKEND_DPDK &&
	       asked >= ABI_BACKEND_UDP && asked <= ABI_BACKEND_DPDK;
}

static bool welcome_holds(const struct abi_welcome *w)
{
	return w->links_max > 1 && w->links_max <= VX6_LINK_INDEX_MAX + 1u &&
	       w->halves_max > 1 && w->halves_max <= ABI_IDX_MASK + 1u &&
	       w->workers > 0 && w->workers <= ABI_WORKERS &&
	       w->u_v4 <= VX6_CELL_MAX && w->u_v6 <= VX6_CELL_MAX &&
	       backend_holds(w->backend, w->asked) &&
	       text_holds(w->why, sizeof(w->why));
}

static bool stats_hold(const struct abi_stats *s)
{
	for (unsigned i = 0; i < ABI_IF_CNT; i++)
		if (!text_holds(s->interface[i].name,
				sizeof(s->interface[i].name)))
			return false;
	return backend_holds(s->backend, s->asked) &&
	       text_holds(s->why, sizeof(s->why));
}

static bool worker_holds(const struct abi_worker *w)
{
	return w->index < ABI_WORKERS && w->cpu >= -1 && w->node >= -1 &&
	       w->spin <= 1 && w->pages <= ABI_PAGES_HUGE;
}

static bool stall_holds(const struct abi_stall *st)
{
	return st->worker < ABI_WORKERS &&
	       text_holds(st->stack, sizeof(st->stack));
}

static bool event_holds(const struct abi_msg *m)
{
	return has_id(m->u.ref.id) && m->u.ref.event >= ABI_HALF_IDLE &&
	       m->u.ref.event <= ABI_HALF_EXPIRED;
}

static bool member_holds(const struct abi_msg *m)
{
	switch ((enum abi_type)m->type) {
	case ABI_LINK_ADD:
	case ABI_LINK_IS:
	case ABI_LINK_EVENT:
	case ABI_LINK_CHANGE: return link_holds(&m->u.link);
	case ABI_HALF_ADD:
	case ABI_HALF_IS: return half_holds(&m->u.half);
	case ABI_LINK_REMOVE:
		return m->u.ref.index >= 1 &&
		       m->u.ref.index <= VX6_LINK_INDEX_MAX;
	case ABI_HALF_REMOVE: return has_id(m->u.ref.id);
	case ABI_SPLICE: return splice_holds(&m->u.splice, true);
	case ABI_UNSPLICE: return splice_holds(&m->u.splice, false);
	case ABI_INJECT:
	case ABI_CONTROL:
		return has_id(m->u.control.id) && m->u.control.len > 0 &&
		       m->u.control.len <= ABI_CTL_LEN;
	case ABI_LIMITS: return limits_hold(&m->u.limits);
	case ABI_WELCOME: return welcome_holds(&m->u.welcome);
	case ABI_STATS_ARE: return stats_hold(&m->u.stats);
	case ABI_BUDGET_IS: return m->u.budget.waiting <= m->u.budget.room;
	case ABI_WORKER_IS: return worker_holds(&m->u.worker);
	case ABI_HALF_EVENT: return event_holds(m);
	case ABI_STALL: return stall_holds(&m->u.stall);
	case ABI_DONE: return m->status < VX6_STATUS_CNT;
	case ABI_HELLO:
	case ABI_DUMP:
	case ABI_SUBSCRIBE:
	case ABI_STATS:
	case ABI_BUDGET:
	case ABI_DUMP_END: return true;
	}
	return false; /* there is no such type */
}

static void holds(const struct abi_msg *m)
{
	if (!member_holds(m))
		abort();
}

static void judge(const struct abi_msg *m)
{
	bool client = abi_check(m, true) == VX6_OK;
	bool plane = abi_check(m, false) == VX6_OK;

	if ((client && m->type >= ABI_WELCOME) ||
	    (plane && m->type < ABI_WELCOME))
		abort();
	if (client || plane)
		holds(m);
	if (abi_type_name(m->type) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct abi_msg m;

	memset(&m, 0, sizeof(m));
	if (len > 0)
		memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	judge(&m);
	m.version = ABI_VERSION;
	judge(&m);
	return 0;
}
