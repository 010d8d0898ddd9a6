/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/abi/abi.h"

#include <sodium.h>
#include <string.h>

#include "dataplane/base/clock.h"
#include "dataplane/wire/zero.h"

#define LIFE_ASK_MOST (3600 * VX6_SEC)
#define START_BITS    46u /* PROTOCOL.md 4: 48, the two top ones clear */
#define SUITE_BITS    0x0eu
#define EVENT_BITS    0x0fu
#define IF_BITS       0x03u
#define LINKS_MOST    (VX6_LINK_INDEX_MAX + 1u)
#define HALVES_MOST   (UINT32_C(1) << ABI_IDX_BITS)

_Static_assert(sizeof(((struct abi_msg *)NULL)->u) == ABI_MSG_LEN - 16u,
	       "no member is larger than a message");

typedef bool check_fn(const struct abi_msg *m);

/* ---- fields ---- */

static bool index_ok(uint32_t index)
{
	return index != 0 && index <= VX6_LINK_INDEX_MAX;
}

static bool id_ok(uint32_t id)
{
	return (id & ABI_IDX_MASK) != 0;
}

static bool u_ok(uint16_t u)
{
	return u >= VX6_PROBE_MIN && u <= VX6_CELL_MAX;
}

static bool start_ok(uint64_t start)
{
	return start >> START_BITS == 0;
}

/* ---- messages, each by its member ---- */

static bool nothing(const struct abi_msg *m)
{
	(void)m;
	return true;
}

static bool link_fields(const struct abi_link *l)
{
	return index_ok(l->index) && index_ok(l->peer_index) && u_ok(l->u) &&
	       l->behind_nat <= 1 && l->ask_ns <= LIFE_ASK_MOST &&
	       l->ask_busy_ns <= LIFE_ASK_MOST && l->peer.zero == 0 &&
	       l->zero == 0;
}

/* What only the data plane can say of a link. */
static bool link_unsaid(const struct abi_link *l)
{
	return l->state == 0 && l->srtt_ns == 0 && l->cells_in == 0 &&
	       l->cells_out == 0 && l->bytes_in == 0 && l->bytes_out == 0 &&
	       l->events == 0 && l->u_proved == 0 &&
	       vx6_all_zero(&l->observed, sizeof(l->observed));
}

static bool link_add(const struct abi_msg *m)
{
	return link_fields(&m->u.link) && link_unsaid(&m->u.link);
}

static bool link_change(const struct abi_msg *m)
{
	const struct abi_link *l = &m->u.link;

	return index_ok(l->index) && l->peer.zero == 0 &&
	       vx6_all_zero(&l->keys, sizeof(l->keys)) && l->peer_index == 0 &&
	       l->u == 0 && l->behind_nat == 0 && l->ask_ns == 0 &&
	       l->ask_busy_ns == 0 && l->zero == 0 && link_unsaid(l);
}

static bool link_said(const struct abi_link *l)
{
	return link_fields(l) && vx6_all_zero(&l->keys, sizeof(l->keys)) &&
	       l->state <= VX6_LINK_DOWN && l->observed.zero == 0 &&
	       l->u_proved <= VX6_CELL_MAX;
}

static bool link_is(const struct abi_msg *m)
{
	return link_said(&m->u.link) && m->u.link.events == 0;
}

static bool link_event(const struct abi_msg *m)
{
	return link_said(&m->u.link) && m->u.link.events != 0 &&
	       (m->u.link.events & ~EVENT_BITS) == 0;
}

/* A relaying half goes out on a link, or (at a hop that is an intro, or
 * waits) nowhere; a backward one may have no link to come in by. */
static bool half_paths(const struct abi_half *h)
{
	if (h->in_link > VX6_LINK_INDEX_MAX ||
	    h->out_link > VX6_LINK_INDEX_MAX ||
	    (h->out_link != 0) != (h->out_id != 0))
		return false;
	switch ((enum abi_half_kind)h->kind) {
	case ABI_HALF_FORWARD: return h->in_link != 0 && h->start_tx == 0;
	case ABI_HALF_BACKWARD: return h->out_link != 0;
	case ABI_HALF_LOCAL:
		return h->in_link != 0 && h->out_link == 0 && h->start_tx == 0;
	}
	return false;
}

static bool half_fields(const struct abi_half *h)
{
	bool local = h->kind == ABI_HALF_LOCAL;

	return id_ok(h->id) && half_paths(h) && start_ok(h->start_rx) &&
	       start_ok(h->start_tx) && vx6_cell_size_ok(h->cell_size_in) &&
	       vx6_cell_size_ok(h->cell_size_out) &&
	       (local ? h->suite == 0 : h->suite >= 1 && h->suite <= 3) &&
	       vx6_all_zero(h->zero, sizeof(h->zero)) && h->zero4 == 0;
}

/* A splice leads from a forward half that has no way out to a backward one
 * that has no way in, and is told of both. */
static bool half_splice(const struct abi_half *h)
{
	if (h->splice == 0)
		return true;
	return id_ok(h->splice) &&
	       ((h->kind == ABI_HALF_FORWARD && h->out_link == 0) ||
		(h->kind == ABI_HALF_BACKWARD && h->in_link == 0));
}

static bool half_has_no_key(const struct abi_half *h)
{
	return vx6_all_zero(h->key, sizeof(h->key)) &&
	       vx6_all_zero(h->iv, sizeof(h->iv));
}

static bool half_add(const struct abi_msg *m)
{
	const struct abi_half *h = &m->u.half;

	return half_fields(h) && h->cells == 0 && h->bytes == 0 &&
	       h->dropped == 0 && h->splice == 0 &&
	       (h->kind != ABI_HALF_LOCAL || half_has_no_key(h));
}

static bool half_is(const struct abi_msg *m)
{
	return half_fields(&m->u.half) && half_splice(&m->u.half) &&
	       half_has_no_key(&m->u.half);
}

static bool ref_index(const struct abi_msg *m)
{
	return index_ok(m->u.ref.index) && m->u.ref.id == 0 &&
	       m->u.ref.event == 0 && m->u.ref.zero == 0;
}

static bool ref_id(const struct abi_msg *m)
{
	return id_ok(m->u.ref.id) && m->u.ref.index == 0 &&
	       m->u.ref.event == 0 && m->u.ref.zero == 0;
}

static bool splice(const struct abi_msg *m)
{
	return id_ok(m->u.splice.id) && id_ok(m->u.splice.to) &&
	       m->u.splice.id != m->u.splice.to;
}

static bool unsplice(const struct abi_msg *m)
{
	return id_ok(m->u.splice.id) && m->u.splice.to == 0;
}

static bool half_event(const struct abi_msg *m)
{
	return id_ok(m->u.ref.id) && m->u.ref.index == 0 &&
	       m->u.ref.event >= ABI_HALF_IDLE &&
	       m->u.ref.event <= ABI_HALF_EXPIRED && m->u.ref.zero == 0;
}

static bool control(const struct abi_msg *m)
{
	const struct abi_control *c = &m->u.control;

	return id_ok(c->id) && c->len > 0 && c->len <= ABI_CTL_LEN &&
	       c->zero == 0 &&
	       vx6_all_zero(c->body + c->len, ABI_CTL_LEN - (size_t)c->len);
}

/* A text that ends within its room, printable, with nothing behind it. */
static bool text_ok(const char *text, size_t cap)
{
	size_t len = strnlen(text, cap);

	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len < cap && vx6_all_zero(text + len, cap - len);
}

static bool stall(const struct abi_msg *m)
{
	const struct abi_stall *s = &m->u.stall;

	return s->worker < ABI_WORKERS && s->zero == 0 &&
	       text_ok(s->stack, sizeof(s->stack));
}

static bool backend_ok(uint8_t backend)
{
	return backend >= ABI_BACKEND_UDP && backend <= ABI_BACKEND_DPDK;
}

static bool interfaces_ok(const struct abi_if i[ABI_IF_CNT])
{
	bool end = false;

	for (unsigned k = 0; k < ABI_IF_CNT; k++) {
		end = end || i[k].name[0] == '\0';
		if (end ? !vx6_all_zero(&i[k], sizeof(i[k]))
			: !text_ok(i[k].name, sizeof(i[k].name)) ||
				    (i[k].bits & ~IF_BITS) != 0 ||
				    i[k].zero != 0)
			return false;
	}
	return true;
}

static bool stats_are(const struct abi_msg *m)
{
	const struct abi_stats *s = &m->u.stats;

	return interfaces_ok(s->interface) && backend_ok(s->backend) &&
	       backend_ok(s->asked) && vx6_all_zero(s->zero, sizeof(s->zero)) &&
	       text_ok(s->why, sizeof(s->why));
}

static bool worker_is(const struct abi_msg *m)
{
	const struct abi_worker *w = &m->u.worker;

	return w->index < ABI_WORKERS && w->cpu >= -1 && w->node >= -1 &&
	       w->spin <= 1 && w->pages <= ABI_PAGES_HUGE &&
	       vx6_all_zero(w->zero, sizeof(w->zero));
}

static bool welcome(const struct abi_msg *m)
{
	const struct abi_welcome *w = &m->u.welcome;

	return w->data.zero == 0 && w->links_max > 1 &&
	       w->links_max <= LINKS_MOST && w->halves_max > 1 &&
	       w->halves_max <= HALVES_MOST && w->workers > 0 &&
	       w->workers <= ABI_WORKERS && u_ok(w->u_v6) && u_ok(w->u_v4) &&
	       w->suites != 0 && (w->suites & ~SUITE_BITS) == 0 &&
	       backend_ok(w->backend) && backend_ok(w->asked) && w->zero == 0 &&
	       text_ok(w->why, sizeof(w->why));
}

static bool rate_ok(uint64_t rate, uint64_t burst)
{
	return rate <= ABI_RATE_MAX && (burst == 0 || (burst >= ABI_BURST_MIN &&
						       burst <= ABI_BURST_MAX));
}

static bool limits(const struct abi_msg *m)
{
	const struct abi_limits *l = &m->u.limits;

	return rate_ok(l->circuit_rate, l->circuit_burst) &&
	       rate_ok(l->link_rate, l->link_burst) &&
	       rate_ok(l->relay_rate, l->relay_burst) &&
	       l->queue <= ABI_QUEUE_MAX &&
	       l->circuit_queue <= ABI_CIRCUIT_QUEUE_MAX;
}

static bool budget_is(const struct abi_msg *m)
{
	const struct abi_budget *b = &m->u.budget;

	return b->zero == 0 && b->waiting <= b->room;
}

/* ---- the table ---- */

enum side { COMMAND = 1, ANSWER, EVENT };

#define MEMBER(name) (uint16_t)sizeof(((struct abi_msg *)NULL)->u.name)

/* clang-format off */
static const struct {
	const char *name;
	check_fn *check;
	uint16_t len; /* of the member used; what follows is zero */
	uint8_t side;
} kind[] = {
	[ABI_HELLO]       = { "hello",       nothing,     0, COMMAND },
	[ABI_LINK_ADD]    = { "link-add",    link_add,    MEMBER(link), COMMAND },
	[ABI_LINK_CHANGE] = { "link-change", link_change, MEMBER(link), COMMAND },
	[ABI_LINK_REMOVE] = { "link-remove", ref_index,   MEMBER(ref), COMMAND },
	[ABI_HALF_ADD]    = { "half-add",    half_add,    MEMBER(half), COMMAND },
	[ABI_HALF_REMOVE] = { "half-remove", ref_id,      MEMBER(ref), COMMAND },
	[ABI_SPLICE]      = { "splice",      splice,      MEMBER(splice), COMMAND },
	[ABI_UNSPLICE]    = { "unsplice",    unsplice,    MEMBER(splice), COMMAND },
	[ABI_INJECT]      = { "inject",      control,     MEMBER(control), COMMAND },
	[ABI_DUMP]        = { "dump",        nothing,     0, COMMAND },
	[ABI_SUBSCRIBE]   = { "subscribe",   nothing,     0, COMMAND },
	[ABI_STATS]       = { "stats",       nothing,     0, COMMAND },
	[ABI_LIMITS]      = { "limits",      limits,      MEMBER(limits), COMMAND },
	[ABI_BUDGET]      = { "budget",      nothing,     0, COMMAND },
	[ABI_WELCOME]     = { "welcome",     welcome,     MEMBER(welcome), ANSWER },
	[ABI_DONE]        = { "done",        nothing,     0, ANSWER },
	[ABI_LINK_IS]     = { "link-is",     link_is,     MEMBER(link), ANSWER },
	[ABI_HALF_IS]     = { "half-is",     half_is,     MEMBER(half), ANSWER },
	[ABI_DUMP_END]    = { "dump-end",    nothing,     0, ANSWER },
	[ABI_STATS_ARE]   = { "stats-are",   stats_are,     MEMBER(stats), ANSWER },
	[ABI_BUDGET_IS]   = { "budget-is",   budget_is,   MEMBER(budget), ANSWER },
	[ABI_WORKER_IS]   = { "worker-is",   worker_is,   MEMBER(worker), ANSWER },
	[ABI_CONTROL]     = { "control",     control,     MEMBER(control), EVENT },
	[ABI_LINK_EVENT]  = { "link-event",  link_event,  MEMBER(link), EVENT },
	[ABI_HALF_EVENT]  = { "half-event",  half_event,  MEMBER(ref), EVENT },
	[ABI_STALL]       = { "stall",       stall,       MEMBER(stall), EVENT },
};
/* clang-format on */

static bool is_known(unsigned type)
{
	return type < VX6_COUNT(kind) && kind[type].name != NULL;
}

const char *abi_type_name(unsigned type)
{
	return is_known(type) ? kind[type].name : "unknown";
}

enum vx6_status abi_check(const struct abi_msg *m, bool from_client)
{
	if (m->version != ABI_VERSION)
		return VX6_BAD_VERSION;
	if (!is_known(m->type) ||
	    (kind[m->type].side == COMMAND) != from_client)
		return VX6_BAD_KIND;
	if ((m->seq == 0) != (kind[m->type].side == EVENT) || m->zero != 0 ||
	    m->status >= (m->type == ABI_DONE ? VX6_STATUS_CNT : 1u))
		return VX6_MALFORMED;
	if (!vx6_all_zero(m->u.raw + kind[m->type].len,
			  sizeof(m->u.raw) - kind[m->type].len))
		return VX6_MALFORMED;
	return kind[m->type].check(m) ? VX6_OK : VX6_MALFORMED;
}

size_t abi_text(char *to, size_t cap, const char *from)
{
	size_t i = 0;

	for (; i + 1 < cap && from[i] != '\0'; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
	return i;
}

void abi_wipe(struct abi_msg *m)
{
	sodium_memzero(m, sizeof(*m));
}
