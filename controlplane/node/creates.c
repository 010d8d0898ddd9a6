/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/creates.h"

#include <string.h>

#include "dataplane/wire/create.h"
#include "dataplane/wire/kdf.h"

/* Of the session first, so that one which has no more takes nothing from
 * others of its prefix. */
static enum vx6_status buckets(struct peer *p)
{
	struct node *n = p->node;
	const struct config_limits *l = &n->cfg.limits;
	uint64_t now = loop_now(n->loop);
	bool relay = p->relay_until_s > node_wall(), ok;

	if (!peer_bucket_take(
		    &p->creates, relay ? l->create_relay_rate : l->create_rate,
		    relay ? l->create_relay_rate : l->create_burst, now)) {
		n->stats.create_over_session++;
		return VX6_RATE;
	}
	if (relay)
		ok = prefixes_take(&n->relay_creates, &p->proved,
				   l->create_prefix_relay_rate,
				   l->create_prefix_relay_rate, now);
	else
		ok = prefixes_take(&n->creates, &p->proved,
				   l->create_prefix_rate,
				   l->create_prefix_burst, now);
	return ok ? VX6_OK : VX6_RATE;
}

static enum vx6_status cheap(struct peer *p, const struct vx6_msg_create *m,
			     enum vx6_fail *why)
{
	struct node *n = p->node;

	*why = VX6_FAIL_NO_LINK;
	/* Our data plane may have taken the link and not said so yet: what we
	 * ask of it next comes after. */
	if (p->link < PEER_LINK_ADDING || m->link != p->index)
		return VX6_NO_LINK;
	*why = VX6_FAIL_HANDSHAKE;
	if (m->handshake != VX6_HANDSHAKE)
		return VX6_UNSUPPORTED;
	*why = VX6_FAIL_RATE;
	if (buckets(p) != VX6_OK)
		return VX6_RATE;
	*why = VX6_FAIL_CLOSING;
	if (n->closing)
		return VX6_CLOSED;
	*why = VX6_FAIL_BAD_SLOT;
	if (vx6_point_is_small(m->onion))
		return VX6_BAD_KEY;
	*why = VX6_FAIL_NO_ROOM;
	return n->ids.cnt - n->ids.used < 4 ? VX6_NO_ROOM : VX6_OK;
}

static enum vx6_fail fail_of(enum vx6_status st)
{
	return st == VX6_REPLAYED ? VX6_FAIL_REPLAYED
	       : st == VX6_RATE   ? VX6_FAIL_RATE
				  : VX6_FAIL_NO_ROOM;
}

enum vx6_status creates_admit(struct peer *p, const struct vx6_msg_create *m,
			      const struct onion_key **key, enum vx6_fail *why)
{
	struct node *n = p->node;
	const struct config_limits *l = &n->cfg.limits;
	const struct admit_share each = { l->create_session_jobs,
					  l->create_prefix_jobs };
	struct admit_from from = { .prefix = prefixes_of(&p->proved) };
	const uint8_t *e = m->onion; /* its first 32 bytes */
	enum vx6_status st = cheap(p, m, why);

	if (st != VX6_OK)
		return st;
	*why = VX6_FAIL_UNKNOWN_KEY;
	*key = onion_find(n->onion, m->kid);
	if (*key == NULL)
		return VX6_NOT_FOUND;
	st = onion_ask(n->onion, e, node_wall());
	memcpy(from.who, p->id, sizeof(from.who));
	if (st == VX6_OK)
		st = admit_enter(&n->admit, e, &from, &each);
	*why = fail_of(st);
	return st;
}

enum vx6_status creates_done(struct node *n, const uint8_t e[32],
			     uint32_t expires, enum vx6_status st)
{
	admit_leave(&n->admit, e);
	if (st == VX6_OK)
		st = onion_seen(n->onion, e, expires, node_wall());
	return st;
}
