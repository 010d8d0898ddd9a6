/* SPDX-License-Identifier: GPL-2.0-or-later */

/* records: what we know of other nodes by their records, and they of us by
 * ours; declared in node.h. */

#include <stdio.h>
#include <string.h>

#include "controlplane/api/version.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/endpoints.h"
#include "controlplane/node/node.h"
#include "controlplane/node/peer.h"
#include "dataplane/wire/layer.h"

enum vx6_status node_record(struct node *n, const uint8_t id[32],
			    struct node_record *rec)
{
	struct registry_node rn;
	struct record_env env;
	enum vx6_status st = registry_find(n->reg, id, &rn);

	if (st != VX6_OK)
		return VX6_NOT_FOUND;
	/* It was verified when it was stored. */
	if (record_verify(rn.bytes, rn.len, &env) != VX6_OK ||
	    node_record_parse(&env, rec) != VX6_OK)
		return VX6_NOT_FOUND;
	return rec->expires > node_wall() ? VX6_OK : VX6_EXPIRED;
}

enum vx6_status node_learn(struct node *n, const struct peer *from,
			   const uint8_t *bytes, size_t len,
			   struct node_record *rec)
{
	struct node_record own;
	struct record_env env;
	enum vx6_status st = record_open(bytes, len, node_wall(), &env);

	if (!rec)
		rec = &own;
	if (st == VX6_OK)
		st = node_record_parse(&env, rec);
	if (st != VX6_OK)
		return st;
	if (memcmp(env.id, n->id.id, sizeof(env.id)) == 0)
		return VX6_EXISTS;
	bool proved = from && memcmp(from->id, env.id, sizeof(env.id)) == 0;
	struct peer *p = peer_find(n, env.id);
	struct node_record was = { 0 };
	enum vx6_status known = p ? node_record(n, env.id, &was)
				  : VX6_NOT_FOUND;

	st = registry_put(n->reg, &env, rec, proved, node_wall());
	if (st == VX6_OK && p)
		peer_note_roles(p, rec);
	if (st == VX6_OK && known != VX6_NOT_FOUND)
		peer_moved_home(p, &was, rec, from == p);
	if (st == VX6_OK &&
	    ((rec->roles & NODE_ROLE_RELAY) || rec->via_cnt > 0))
		peer_tell_record(n, from, bytes, len);
	return st;
}

/* ---- our own record ---- */

static void fill_onion(const struct onion_key *k, struct node_onion *to)
{
	memcpy(to->public_key, k->public_key, sizeof(to->public_key));
	to->from = k->from;
	to->until = k->until;
}

static void fill_record(struct node *n, struct node_record *rec)
{
	*rec = (struct node_record){ 0 };
	snprintf(rec->name, sizeof(rec->name), "%s", n->cfg.node.name);
	snprintf(rec->family, sizeof(rec->family), "%s", n->cfg.node.family);
	snprintf(rec->software, sizeof(rec->software), "vx6/%s", VX6_VERSION);
	endpoints_fill(n, rec);
	rec->via_cnt = (uint8_t)n->via_cnt;
	memcpy(rec->via, n->via, sizeof(rec->via));
	memcpy(rec->enc_public, n->id.enc_public, sizeof(rec->enc_public));
	fill_onion(onion_current(n->onion), &rec->onion);
	fill_onion(onion_next(n->onion), &rec->next_onion);
	rec->has_onion = rec->has_next = true;
	rec->roles = node_is_relay(n) ? NODE_ROLE_RELAY : 0;
	for (unsigned s = VX6_SUITE_AES256_GCM; s <= VX6_SUITE_AEGIS128L; s++)
		if (vx6_suite_offers(s))
			rec->suites |= 1u << s;
	rec->capacity = n->cfg.node.capacity;
}

static void arm_record(struct node *n)
{
	uint64_t wait = n->cfg.timers.record_refresh_ns;
	uint32_t now = node_wall(), due = onion_due(n->onion);
	uint64_t rotate = due > now ? (uint64_t)(due - now) * VX6_SEC : VX6_SEC;

	if (rotate < wait)
		wait = rotate;
	loop_timer_set(&n->record_timer, loop_now(n->loop) + wait);
}

void node_publish(struct node *n)
{
	struct node_record rec;
	uint32_t life = (uint32_t)(n->cfg.timers.record_life_ns / VX6_SEC);
	uint32_t now = node_wall();
	enum vx6_status st;

	fill_record(n, &rec);
	st = registry_sequence(n->reg, vx6_unix_ms(), &n->sequence);
	if (st == VX6_OK)
		st = node_record_sign(&n->id, &rec, n->sequence, now, life,
				      n->record, sizeof(n->record),
				      &n->record_len);
	if (st != VX6_OK)
		log_error("record", "not-made", log_status(st));
	memcpy(n->endpoint, rec.endpoint, sizeof(n->endpoint));
	n->endpoint_cnt = rec.endpoint_cnt;
	n->expires_s = now + life;
	arm_record(n);
	if (n->peers && st == VX6_OK)
		peer_tell_record(n, NULL, n->record, n->record_len);
}

static bool told_already(const struct node *n, const struct node_record *rec)
{
	if (rec->endpoint_cnt != n->endpoint_cnt)
		return false;
	for (unsigned i = 0; i < rec->endpoint_cnt; i++) {
		const struct node_endpoint *a = &rec->endpoint[i];
		const struct node_endpoint *b = &n->endpoint[i];

		if (memcmp(a->ip, b->ip, sizeof(a->ip)) != 0 ||
		    a->control_port != b->control_port ||
		    a->data_port != b->data_port)
			return false;
	}
	return true;
}

void node_interfaces_changed(void *ctx, bool addresses)
{
	struct node *n = ctx;
	struct node_record rec = { 0 };

	endpoints_fill(n, &rec);
	node_rehome(n, addresses);
	if (told_already(n, &rec))
		return;
	log_info("node", "addresses", log_u64("count", rec.endpoint_cnt));
	node_publish(n);
}

static void on_record_timer(void *ctx)
{
	struct node *n = ctx;

	if (onion_tick(n->onion, node_wall()))
		log_info("record", "new-onion-key");
	node_publish(n);
}

void node_records_open(struct node *n)
{
	loop_timer_init(&n->record_timer, n->loop, on_record_timer, n);
}

bool node_is_relay(const struct node *n)
{
	return n->cfg.node.relay && n->plane->relays && n->plane->up &&
	       !n->closing && !budget_hibernates(n);
}

void node_via_changed(struct node *n)
{
	uint8_t via[NODE_VIA_MAX][32] = { 0 };
	unsigned cnt = 0;
	struct node_record rec;

	for (; cnt < n->cfg.node.via_cnt; cnt++)
		memcpy(via[cnt], n->cfg.node.via[cnt], 32);
	if (cnt == 0 && !n->cfg.node.relay && n->access.cnt > 0)
		for (struct peer *p = n->peers; p && cnt < NODE_VIA_MAX;
		     p = p->next)
			if (p->wanted && p->state == PEER_READY &&
			    node_record(n, p->id, &rec) == VX6_OK &&
			    (rec.roles & NODE_ROLE_RELAY))
				memcpy(via[cnt++], p->id, 32);
	if (cnt == n->via_cnt && memcmp(via, n->via, sizeof(via)) == 0)
		return;
	n->via_cnt = cnt;
	memcpy(n->via, via, sizeof(via));
	node_publish(n);
}
