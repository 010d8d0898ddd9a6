/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "controlplane/registry/db.h"

static bool service_ok(const struct registry_service *s)
{
	return memchr(s->name, '\0', sizeof(s->name)) != NULL &&
	       name_ok(s->name, strlen(s->name)) &&
	       (s->proto == REGISTRY_TCP || s->proto == REGISTRY_UDP) &&
	       s->target.port != 0 && s->allow_cnt <= REGISTRY_ALLOW_MAX &&
	       s->is_public == (s->allow_cnt == 0);
}

/* The row of a service, without its access list. */
static bool take_service(sqlite3_stmt *q, struct registry_service *s)
{
	*s = (struct registry_service){ 0 };
	if (!db_get_text(q, 0, s->name, sizeof(s->name)) ||
	    !db_get_blob(q, 1, s->target.ip, sizeof(s->target.ip)))
		return false;
	s->target.port = (uint16_t)db_get_int(q, 2);
	s->proto = db_get_int(q, 3) == REGISTRY_UDP ? REGISTRY_UDP
						    : REGISTRY_TCP;
	s->is_public = db_get_int(q, 4) != 0;
	return true;
}

static enum vx6_status take_allowed(struct registry *r,
				    struct registry_service *s)
{
	enum vx6_status st;
	sqlite3_stmt *q = db_bind(r, DB_ALLOWED);

	db_text(q, 1, s->name);
	while (db_row(r, DB_ALLOWED, &st))
		if (s->allow_cnt < REGISTRY_ALLOW_MAX &&
		    db_get_blob(q, 0, s->allow[s->allow_cnt], 32))
			s->allow_cnt++;
	return st;
}

enum vx6_status registry_service_find(struct registry *r, const char *name,
				      struct registry_service *s)
{
	enum vx6_status st;
	sqlite3_stmt *q = db_bind(r, DB_SERVICE_FIND);

	db_text(q, 1, name);
	if (!db_row(r, DB_SERVICE_FIND, &st))
		return st == VX6_OK ? VX6_NOT_FOUND : st;
	bool ok = take_service(q, s);
	db_end(r, DB_SERVICE_FIND);
	return ok ? take_allowed(r, s) : VX6_NOT_FOUND;
}

enum vx6_status
registry_services(struct registry *r,
		  void (*each)(void *ctx, const struct registry_service *s),
		  void *ctx)
{
	enum vx6_status st, list = VX6_OK;
	struct registry_service s;

	db_bind(r, DB_SERVICES);
	while (db_row(r, DB_SERVICES, &st)) {
		if (!take_service(r->stmt[DB_SERVICES], &s))
			continue;
		list = take_allowed(r, &s);
		if (list != VX6_OK) {
			db_end(r, DB_SERVICES);
			return list;
		}
		each(ctx, &s);
	}
	return st;
}

static enum vx6_status add_allowed(struct registry *r,
				   const struct registry_service *s)
{
	enum vx6_status st = VX6_OK;

	for (uint32_t i = 0; st == VX6_OK && i < s->allow_cnt; i++) {
		sqlite3_stmt *q = db_bind(r, DB_ALLOW_ADD);

		db_text(q, 1, s->name);
		db_int(q, 2, i);
		db_blob(q, 3, s->allow[i], sizeof(s->allow[i]));
		st = db_done(r, DB_ALLOW_ADD);
	}
	return st;
}

static enum vx6_status add_service(struct registry *r,
				   const struct registry_service *s)
{
	sqlite3_stmt *q = db_bind(r, DB_SERVICE_ADD);

	db_text(q, 1, s->name);
	db_blob(q, 2, s->target.ip, sizeof(s->target.ip));
	db_int(q, 3, s->target.port);
	db_int(q, 4, s->proto);
	db_int(q, 5, s->is_public);
	return db_done(r, DB_SERVICE_ADD);
}

static enum vx6_status service_room(struct registry *r)
{
	enum vx6_status st;
	sqlite3_stmt *q = db_bind(r, DB_SERVICE_COUNT);
	uint64_t cnt = 0;

	if (db_row(r, DB_SERVICE_COUNT, &st)) {
		cnt = db_get_int(q, 0);
		db_end(r, DB_SERVICE_COUNT);
	}
	return st == VX6_OK && cnt >= r->limits.services ? VX6_NO_ROOM : st;
}

enum vx6_status registry_service_add(struct registry *r,
				     const struct registry_service *s)
{
	struct registry_service old;

	if (!service_ok(s))
		return VX6_MALFORMED;
	enum vx6_status st = registry_service_find(r, s->name, &old);
	if (st != VX6_NOT_FOUND)
		return st == VX6_OK ? VX6_EXISTS : st;
	st = service_room(r);
	if (st != VX6_OK)
		return st;
	db_durable(r, true);
	st = db_run(r, DB_BEGIN);
	if (st == VX6_OK)
		st = add_service(r, s);
	if (st == VX6_OK)
		st = add_allowed(r, s);
	st = db_close_tx(r, st);
	db_durable(r, false);
	return st;
}

/* Runs one statement on a name, on disk when it returns. */
static enum vx6_status by_name(struct registry *r, enum db_stmt which)
{
	db_durable(r, true);
	enum vx6_status st = db_done(r, which);
	db_durable(r, false);
	if (st == VX6_OK && sqlite3_changes(r->db) == 0)
		return VX6_NOT_FOUND;
	return st;
}

enum vx6_status registry_service_remove(struct registry *r, const char *name)
{
	db_text(db_bind(r, DB_SERVICE_DELETE), 1, name);
	return by_name(r, DB_SERVICE_DELETE);
}

/* ---- pins ---- */

enum vx6_status registry_pin(struct registry *r, const char *name,
			     const uint8_t id[32])
{
	if (!name_ok(name, strlen(name)))
		return VX6_MALFORMED;
	sqlite3_stmt *q = db_bind(r, DB_PIN);
	db_text(q, 1, name);
	db_blob(q, 2, id, 32);
	return by_name(r, DB_PIN);
}

enum vx6_status registry_unpin(struct registry *r, const char *name)
{
	db_text(db_bind(r, DB_UNPIN), 1, name);
	return by_name(r, DB_UNPIN);
}

enum vx6_status registry_pinned(struct registry *r, const char *name,
				uint8_t id[32])
{
	enum vx6_status st;
	sqlite3_stmt *q = db_bind(r, DB_PINNED);

	db_text(q, 1, name);
	if (!db_row(r, DB_PINNED, &st))
		return st == VX6_OK ? VX6_NOT_FOUND : st;
	bool ok = db_get_blob(q, 0, id, 32);
	db_end(r, DB_PINNED);
	return ok ? VX6_OK : VX6_NOT_FOUND;
}
