/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/upkeep.h"

#include "controlplane/loop/log.h"
#include "controlplane/node/node.h"

#define EXPIRE_NS (3600 * VX6_SEC)

static void drop_old_hints(struct node *n)
{
	unsigned cnt = 0;
	enum vx6_status st = registry_expire(n->reg, node_wall(), &cnt);

	if (st != VX6_OK)
		log_warn("registry", "not-looked-through", log_status(st));
	else if (cnt > 0)
		log_info("registry", "hints-dropped", log_u64("nodes", cnt),
			 log_u64("days", n->cfg.limits.hint_days));
}

static void tell_of_disk(struct node *n)
{
	struct upkeep *u = &n->upkeep;
	uint64_t cnt;
	const char *last = registry_trouble(n->reg, &cnt);

	if (cnt == u->refusals)
		return;
	log_error("registry", "disk-refuses", log_str("why", last),
		  log_u64("times", cnt - u->refusals),
		  log_str("dir", n->cfg.state));
	u->refusals = cnt;
}

void upkeep_tick(struct node *n)
{
	uint64_t now = loop_now(n->loop);

	if (now >= n->upkeep.expire_ns) {
		n->upkeep.expire_ns = now + EXPIRE_NS;
		drop_old_hints(n);
	}
	tell_of_disk(n);
}
