/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/budget.h"

#include <time.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/node.h"
#include "controlplane/node/relay.h"

struct abi_limits budget_limits(const struct node *n)
{
	const struct config_limits *l = &n->cfg.limits;

	return (struct abi_limits){ .circuit_rate = l->circuit_rate,
				    .circuit_burst = l->circuit_burst,
				    .link_rate = l->link_rate,
				    .link_burst = l->link_burst,
				    .relay_rate = l->relay_rate,
				    .relay_burst = l->relay_burst,
				    .queue = l->queue,
				    .circuit_queue = l->circuit_queue };
}

bool budget_hibernates(const struct node *n)
{
	return n->budget.quota.asleep;
}

/* ---- what is kept ---- */

static void keep(struct node *n)
{
	const struct quota_kept *k = &n->budget.quota.kept;
	struct registry_quota to = { k->start_s, k->used, k->seen,
				     k->instance };
	enum vx6_status st = registry_keep_quota(n->reg, &to);

	if (st != VX6_OK)
		log_warn("budget", "not-kept", log_status(st));
	n->budget.dirty = st != VX6_OK;
	n->budget.kept_ns = loop_now(n->loop);
}

static void log_quota(struct node *n, const char *event)
{
	const struct quota *q = &n->budget.quota;

	log_warn("budget", event, log_u64("used_bytes", q->kept.used),
		 log_u64("month_bytes", q->limit),
		 log_u64("until_unix_s", q->end_s));
}

/* Does what the quota says; true: we are a relay now and were none, or the
 * other way about. */
static bool obey(struct node *n)
{
	struct quota *q = &n->budget.quota;
	uint64_t used = q->kept.used, start = q->kept.start_s;
	bool turned = false;

	for (;;) {
		switch (quota_step(q, node_wall())) {
		case QUOTA_WARN: log_quota(n, "nearly-spent"); continue;
		case QUOTA_SLEEP:
			log_quota(n, "hibernates");
			turned = true;
			continue;
		case QUOTA_WAKE:
			log_info("budget", "wakes",
				 log_u64("month_bytes", q->limit));
			turned = true;
			continue;
		case QUOTA_NOTHING: break;
		}
		break;
	}
	n->budget.dirty |= used != q->kept.used || start != q->kept.start_s;
	return turned;
}

void budget_open(struct node *n)
{
	const struct config_limits *l = &n->cfg.limits;
	struct registry_quota was;
	enum vx6_status st = registry_quota(n->reg, &was);

	if (st != VX6_OK)
		log_warn("budget", "not-read", log_status(st));
	quota_init(&n->budget.quota, l->month_bytes, l->month_day,
		   &(struct quota_kept){ was.start_s, was.used, was.seen,
					 was.instance });
	(void)obey(n); /* the first record is still to be made */
}

void budget_close(struct node *n)
{
	if (n->reg && n->budget.dirty)
		keep(n);
}

/* ---- once a second ---- */

static void step(struct node *n)
{
	bool turned = obey(n);

	if (turned) {
		node_publish(n);
		keep(n);
	} else if (n->budget.dirty &&
		   loop_now(n->loop) - n->budget.kept_ns >= BUDGET_KEEP_NS) {
		keep(n);
	}
	if (budget_hibernates(n))
		relay_end_relayed(n);
}

static void on_budget(void *ctx, const struct abi_budget *b)
{
	struct node *n = ctx;

	n->budget.asking = false;
	if (b == NULL || n->closing)
		return;
	n->budget.last = *b;
	if (n->plane->instance != n->budget.quota.kept.instance ||
	    b->sent_bytes != n->budget.quota.kept.seen) {
		quota_count(&n->budget.quota, n->plane->instance,
			    b->sent_bytes);
		n->budget.dirty = true;
	}
	step(n);
}

void budget_tick(struct node *n)
{
	if (!n->plane->relays)
		return;
	if (!n->budget.asking)
		n->budget.asking = plane_dp_budget(n->plane, on_budget, n) ==
				   VX6_OK;
	if (!n->budget.asking)
		step(n); /* the month turns all the same */
}

/* ---- to be looked at ---- */

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* 0 is "no limit" there. */
static json_t *limit(uint64_t v)
{
	return v != 0 ? number(v) : json_null();
}

static json_t *day_of(uint64_t unix_s)
{
	time_t at = (time_t)unix_s;
	char text[sizeof("-2147483647-12-31")] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL)
		return json_null();
	strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	return json_string(text);
}

json_t *budget_json(const struct node *n)
{
	const struct config_limits *l = &n->cfg.limits;
	const struct quota *q = &n->budget.quota;
	const struct abi_budget *b = &n->budget.last;
	json_t *o;

	if (!n->cfg.node.relay || !n->plane->relays)
		return json_null();
	o = json_pack("{s:b, s:o, s:o, s:o, s:i, s:o}", "hibernating",
		      q->asleep, "month_bytes", limit(q->limit),
		      "month_used_bytes", number(q->kept.used),
		      "month_ends_unix_s", number(q->end_s),
		      "month_used_percent", (int)quota_percent(q), "relay_rate",
		      limit(l->relay_rate));
	json_object_set_new(o, "month_ends", day_of(q->end_s));
	json_object_set_new(o, "link_rate", limit(l->link_rate));
	json_object_set_new(o, "circuit_rate", limit(l->circuit_rate));
	json_object_set_new(o, "sent_bytes", number(b->sent_bytes));
	json_object_set_new(o, "held_cells", number(b->held));
	json_object_set_new(o, "lost_by_rate", number(b->lost_rate));
	json_object_set_new(o, "lost_by_congestion", number(b->lost_full));
	json_object_set_new(o, "waiting_cells", number(b->waiting));
	json_object_set_new(o, "waiting_most", number(b->most));
	json_object_set_new(o, "waiting_room", number(b->room));
	return o;
}
