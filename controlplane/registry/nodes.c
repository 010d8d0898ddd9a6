/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "controlplane/registry/db.h"

#define DAY_S        UINT64_C(86400)
#define SEEN_EVERY_S 60u /* last_seen is no more exact than this */

/* ---- our own sequence ---- */

enum vx6_status registry_sequence(struct registry *r, uint64_t unix_ms,
				  uint64_t *sequence)
{
	enum vx6_status st;
	uint64_t last = 0;
	sqlite3_stmt *s = db_bind(r, DB_GET_NUMBER);

	db_text(s, 1, "sequence");
	if (db_row(r, DB_GET_NUMBER, &st)) {
		last = db_get_int(s, 0);
		db_end(r, DB_GET_NUMBER);
	}
	if (st != VX6_OK)
		return st;
	uint64_t next = last + 1 > unix_ms ? last + 1 : unix_ms;
	s = db_bind(r, DB_SET_NUMBER);
	db_text(s, 1, "sequence");
	db_int(s, 2, next);
	st = db_done(r, DB_SET_NUMBER);
	if (st == VX6_OK)
		*sequence = next;
	return st;
}

/* ---- reading ---- */

/* A row of NODE_COLUMNS; false for one that we cannot have written. */
static bool take_node(sqlite3_stmt *s, struct registry_node *n)
{
	size_t len = (size_t)sqlite3_column_bytes(s, 9);

	if (!db_get_blob(s, 0, n->id, sizeof(n->id)) ||
	    !db_get_text(s, 1, n->name, sizeof(n->name)) ||
	    len > sizeof(n->bytes) || !db_get_blob(s, 9, n->bytes, len))
		return false;
	n->sequence = db_get_int(s, 2);
	n->expires = db_get_int(s, 3);
	n->first_seen = db_get_int(s, 4);
	n->last_seen = db_get_int(s, 5);
	n->relay = db_get_int(s, 6) != 0;
	n->proved = db_get_int(s, 7) != 0;
	n->keep = db_get_int(s, 8) != 0;
	n->len = len;
	return true;
}

enum vx6_status registry_find(struct registry *r, const uint8_t id[32],
			      struct registry_node *n)
{
	enum vx6_status st;
	sqlite3_stmt *s = db_bind(r, DB_FIND);

	db_blob(s, 1, id, 32);
	if (!db_row(r, DB_FIND, &st))
		return st == VX6_OK ? VX6_NOT_FOUND : st;
	st = take_node(s, n) ? VX6_OK : VX6_NOT_FOUND;
	db_end(r, DB_FIND);
	return st;
}

enum vx6_status registry_by_name(struct registry *r, const char *name,
				 uint64_t now_s,
				 struct registry_node n[REGISTRY_CLAIMS_MAX],
				 unsigned *cnt)
{
	enum vx6_status st;

	*cnt = 0;
	if (!name_ok(name, strlen(name)))
		return VX6_MALFORMED;
	sqlite3_stmt *s = db_bind(r, DB_BY_NAME);
	db_text(s, 1, name);
	db_int(s, 2, now_s);
	db_int(s, 3, REGISTRY_CLAIMS_MAX);
	while (db_row(r, DB_BY_NAME, &st))
		if (*cnt < REGISTRY_CLAIMS_MAX && take_node(s, &n[*cnt]))
			(*cnt)++;
	return st;
}

static enum vx6_status
each_row(struct registry *r, enum db_stmt which,
	 void (*each)(void *ctx, const struct registry_node *n), void *ctx)
{
	enum vx6_status st;
	struct registry_node n;

	while (db_row(r, which, &st))
		if (take_node(r->stmt[which], &n))
			each(ctx, &n);
	return st;
}

enum vx6_status
registry_relays(struct registry *r, uint64_t now_s, unsigned max,
		void (*each)(void *ctx, const struct registry_node *n),
		void *ctx)
{
	sqlite3_stmt *s = db_bind(r, DB_RELAYS);

	db_int(s, 1, now_s);
	db_int(s, 2, max);
	return each_row(r, DB_RELAYS, each, ctx);
}

enum vx6_status registry_nodes(struct registry *r,
			       void (*each)(void *ctx,
					    const struct registry_node *n),
			       void *ctx)
{
	db_bind(r, DB_NODES);
	return each_row(r, DB_NODES, each, ctx);
}

/* ---- writing ---- */

static enum vx6_status changed_one(struct registry *r, enum db_stmt which)
{
	enum vx6_status st = db_done(r, which);

	if (st == VX6_OK && sqlite3_changes(r->db) == 0)
		return VX6_NOT_FOUND;
	return st;
}

static enum vx6_status mark_seen(struct registry *r, const uint8_t id[32],
				 uint64_t now_s, bool proved)
{
	sqlite3_stmt *s = db_bind(r, DB_SEEN);

	db_blob(s, 1, id, 32);
	db_int(s, 2, now_s);
	db_int(s, 3, proved);
	return changed_one(r, DB_SEEN);
}

enum vx6_status registry_proved(struct registry *r, const uint8_t id[32],
				uint64_t now_s)
{
	return mark_seen(r, id, now_s, true);
}

static enum vx6_status node_cnt(struct registry *r, uint64_t *cnt)
{
	enum vx6_status st;
	sqlite3_stmt *s = db_bind(r, DB_COUNT);

	*cnt = 0;
	if (db_row(r, DB_COUNT, &st)) {
		*cnt = db_get_int(s, 0);
		db_end(r, DB_COUNT);
	}
	return st;
}

/* Takes out the longest unseen of those nodes; VX6_NOT_FOUND: none is. */
static enum vx6_status evict(struct registry *r, uint64_t now_s, bool proved,
			     bool live_too)
{
	enum vx6_status st;
	uint8_t id[32];
	sqlite3_stmt *s = db_bind(r, DB_VICTIM);

	db_int(s, 1, now_s);
	db_int(s, 2, proved);
	db_int(s, 3, live_too);
	if (!db_row(r, DB_VICTIM, &st))
		return st == VX6_OK ? VX6_NOT_FOUND : st;
	bool ok = db_get_blob(s, 0, id, sizeof(id));
	db_end(r, DB_VICTIM);
	if (!ok)
		return VX6_NOT_FOUND;
	s = db_bind(r, DB_DELETE);
	db_blob(s, 1, id, sizeof(id));
	return db_done(r, DB_DELETE);
}

static enum vx6_status make_room(struct registry *r, bool proved,
				 uint64_t now_s)
{
	uint64_t cnt;
	enum vx6_status st = node_cnt(r, &cnt);

	if (st != VX6_OK || cnt < r->limits.nodes)
		return st;
	st = evict(r, now_s, false, proved);
	if (st == VX6_NOT_FOUND && proved)
		st = evict(r, now_s, true, false);
	return st == VX6_NOT_FOUND ? VX6_NO_ROOM : st;
}

static enum vx6_status write_node(struct registry *r, enum db_stmt which,
				  const struct record_env *env,
				  const struct node_record *n, bool proved,
				  uint64_t now_s)
{
	sqlite3_stmt *s = db_bind(r, which);

	db_blob(s, 1, env->id, sizeof(env->id));
	db_text(s, 2, n->name);
	db_int(s, 3, env->sequence);
	db_int(s, 4, env->expires);
	db_int(s, 5, (n->roles & NODE_ROLE_RELAY) != 0);
	db_int(s, 6, now_s);
	db_int(s, 7, proved);
	db_blob(s, 8, env->bytes, env->len);
	return db_done(r, which);
}

static enum vx6_status add_node(struct registry *r,
				const struct record_env *env,
				const struct node_record *n, bool proved,
				uint64_t now_s)
{
	enum vx6_status st = db_run(r, DB_BEGIN);

	if (st == VX6_OK)
		st = make_room(r, proved, now_s);
	if (st == VX6_OK)
		st = write_node(r, DB_INSERT, env, n, proved, now_s);
	return db_close_tx(r, st);
}

enum vx6_status registry_put(struct registry *r, const struct record_env *env,
			     const struct node_record *n, bool proved,
			     uint64_t now_s)
{
	struct registry_node old;

	if (env->len > NODE_RECORD_MAX)
		return VX6_BAD_SIZE;
	enum vx6_status st = registry_find(r, env->id, &old);
	if (st == VX6_NOT_FOUND)
		return add_node(r, env, n, proved, now_s);
	if (st != VX6_OK)
		return st;
	if (env->sequence > old.sequence)
		return write_node(r, DB_UPDATE, env, n, proved, now_s);
	if (env->sequence < old.sequence || env->len != old.len ||
	    memcmp(env->bytes, old.bytes, old.len) != 0)
		return VX6_STALE;
	if (now_s < old.last_seen + SEEN_EVERY_S && (old.proved || !proved))
		return VX6_EXISTS; /* no write for every echo */
	st = mark_seen(r, env->id, now_s, proved);
	return st == VX6_OK ? VX6_EXISTS : st;
}

enum vx6_status registry_keep(struct registry *r, const uint8_t id[32],
			      bool keep)
{
	sqlite3_stmt *s = db_bind(r, DB_KEEP);

	db_blob(s, 1, id, 32);
	db_int(s, 2, keep);
	db_durable(r, true);
	enum vx6_status st = changed_one(r, DB_KEEP);
	db_durable(r, false);
	return st;
}

enum vx6_status registry_expire(struct registry *r, uint64_t now_s,
				unsigned *cnt)
{
	uint64_t age_s = r->limits.hint_days * DAY_S;
	sqlite3_stmt *s = db_bind(r, DB_EXPIRE);

	*cnt = 0;
	db_int(s, 1, now_s > age_s ? now_s - age_s : 0);
	enum vx6_status st = db_done(r, DB_EXPIRE);
	if (st == VX6_OK)
		*cnt = (unsigned)sqlite3_changes(r->db);
	return st;
}

/* ---- health ---- */

enum vx6_status registry_dialled(struct registry *r, const uint8_t id[32],
				 const struct registry_dial *d)
{
	sqlite3_stmt *s = db_bind(r, DB_DIAL_ADD);

	db_blob(s, 1, id, 32);
	db_int(s, 2, d->at_ms);
	db_int(s, 3, d->ok);
	db_int(s, 4, d->rtt_us);
	enum vx6_status st = changed_one(r, DB_DIAL_ADD);
	if (st != VX6_OK)
		return st;
	s = db_bind(r, DB_DIAL_TRIM);
	db_blob(s, 1, id, 32);
	db_int(s, 2, REGISTRY_HEALTH_KEEP);
	return db_done(r, DB_DIAL_TRIM);
}

enum vx6_status registry_dials(struct registry *r, const uint8_t id[32],
			       struct registry_dial d[REGISTRY_HEALTH_KEEP],
			       unsigned *cnt)
{
	enum vx6_status st;
	sqlite3_stmt *s = db_bind(r, DB_DIALS);

	*cnt = 0;
	db_blob(s, 1, id, 32);
	db_int(s, 2, REGISTRY_HEALTH_KEEP);
	while (db_row(r, DB_DIALS, &st)) {
		if (*cnt == REGISTRY_HEALTH_KEEP)
			continue;
		d[(*cnt)++] = (struct registry_dial){
			.at_ms = db_get_int(s, 0),
			.ok = db_get_int(s, 1) != 0,
			.rtt_us = (uint32_t)db_get_int(s, 2),
		};
	}
	return st;
}
