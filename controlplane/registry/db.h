/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_REGISTRY_DB_H
#define VX6_CONTROLPLANE_REGISTRY_DB_H

/* db: SQLite as this room uses it.  Every statement stands in one list, is
 * prepared once, and runs through db_step, so an error has one place.  For
 * this room only. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/registry/registry.h"

#define NODE_COLUMNS                                                           \
	"id, name, sequence, expires, first_seen, last_seen, relay, proved, "  \
	"keep, bytes"

/* clang-format off */
#define DB_LIST(X)                                                          \
	X(BEGIN, "BEGIN IMMEDIATE")                                         \
	X(COMMIT, "COMMIT")                                                 \
	X(ROLLBACK, "ROLLBACK")                                             \
	X(GET_NUMBER, "SELECT value FROM number WHERE key = ?1")            \
	X(SET_NUMBER, "INSERT INTO number VALUES (?1, ?2) "                 \
	  "ON CONFLICT (key) DO UPDATE SET value = ?2")                     \
	X(FIND, "SELECT " NODE_COLUMNS " FROM node WHERE id = ?1")          \
	X(INSERT, "INSERT INTO node (id, name, name_since, sequence, "      \
	  "expires, first_seen, last_seen, relay, proved, keep, bytes) "    \
	  "VALUES (?1, ?2, ?6, ?3, ?4, ?6, ?6, ?5, ?7, 0, ?8)")             \
	X(UPDATE, "UPDATE node SET name_since = CASE WHEN name IS ?2 THEN " \
	  "name_since ELSE ?6 END, name = ?2, sequence = ?3, expires = ?4, " \
	  "relay = ?5, last_seen = max(last_seen, ?6), "                    \
	  "proved = max(proved, ?7), bytes = ?8 WHERE id = ?1")             \
	X(SEEN, "UPDATE node SET last_seen = max(last_seen, ?2), "          \
	  "proved = max(proved, ?3) WHERE id = ?1")                         \
	X(KEEP, "UPDATE node SET keep = ?2 WHERE id = ?1")                  \
	X(COUNT, "SELECT count(*) FROM node")                               \
	X(VICTIM, "SELECT id FROM node WHERE keep = 0 AND "                 \
	  "(expires <= ?1 OR ?3) AND proved = ?2 "                          \
	  "ORDER BY expires > ?1, last_seen LIMIT 1")                       \
	X(DELETE, "DELETE FROM node WHERE id = ?1")                         \
	X(EXPIRE, "DELETE FROM node WHERE keep = 0 AND expires <= ?1")      \
	X(BY_NAME, "SELECT " NODE_COLUMNS " FROM node WHERE name = ?1 "     \
	  "ORDER BY expires <= ?2, name_since, rowid LIMIT ?3")             \
	X(RELAYS, "SELECT " NODE_COLUMNS " FROM node WHERE relay = 1 AND "  \
	  "expires > ?1 ORDER BY last_seen DESC, rowid LIMIT ?2")           \
	X(NODES, "SELECT " NODE_COLUMNS " FROM node ORDER BY id")           \
	X(SERVICE_ADD, "INSERT INTO service VALUES (?1, ?2, ?3, ?4, ?5)")   \
	X(SERVICE_DELETE, "DELETE FROM service WHERE name = ?1")            \
	X(SERVICE_COUNT, "SELECT count(*) FROM service")                    \
	X(SERVICE_FIND, "SELECT name, ip, port, proto, public FROM service " \
	  "WHERE name = ?1")                                                \
	X(SERVICES, "SELECT name, ip, port, proto, public FROM service "    \
	  "ORDER BY name")                                                  \
	X(ALLOW_ADD, "INSERT INTO allow VALUES (?1, ?2, ?3)")               \
	X(ALLOWED, "SELECT id FROM allow WHERE service = ?1 ORDER BY at")   \
	X(PIN, "INSERT INTO pin VALUES (?1, ?2) "                           \
	  "ON CONFLICT (name) DO UPDATE SET id = ?2")                       \
	X(UNPIN, "DELETE FROM pin WHERE name = ?1")                         \
	X(PINNED, "SELECT id FROM pin WHERE name = ?1")                     \
	X(DIAL_ADD, "INSERT INTO dial (id, at_ms, ok, rtt_us) "             \
	  "SELECT id, ?2, ?3, ?4 FROM node WHERE id = ?1")                  \
	X(DIAL_TRIM, "DELETE FROM dial WHERE id = ?1 AND rowid <= (SELECT "  \
	  "rowid FROM dial WHERE id = ?1 ORDER BY rowid DESC "              \
	  "LIMIT 1 OFFSET ?2)")                                             \
	X(DIALS, "SELECT at_ms, ok, rtt_us FROM dial WHERE id = ?1 "        \
	  "ORDER BY rowid DESC LIMIT ?2")

enum db_stmt {
#define X(name, sql) DB_##name,
	DB_LIST(X)
#undef X
	DB_CNT
};
/* clang-format on */

struct registry {
	sqlite3 *db;
	sqlite3_stmt *stmt[DB_CNT];
	struct registry_limits limits;
	uint64_t trouble_cnt;
	char trouble[256];
};

/* db_bind resets a statement and returns it, ready to be bound. */
VX6_NONNULL sqlite3_stmt *db_bind(struct registry *r, enum db_stmt which);
VX6_NONNULL_ARGS(1)
void db_blob(sqlite3_stmt *s, int i, const void *p, size_t len);
VX6_NONNULL void db_int(sqlite3_stmt *s, int i, uint64_t v);
/* db_text binds NULL for "". */
VX6_NONNULL void db_text(sqlite3_stmt *s, int i, const char *text);

/* db_row steps: true with a row; false at the end (*st VX6_OK) or after an
 * error (*st VX6_NO_ROOM, noted as trouble); the statement is reset then. */
VX6_MUST_CHECK VX6_NONNULL bool db_row(struct registry *r, enum db_stmt which,
				       enum vx6_status *st);
/* db_done runs a statement that gives no rows. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status db_done(struct registry *r,
						   enum db_stmt which);
/* db_end resets a statement whose rows were not all read. */
VX6_NONNULL void db_end(struct registry *r, enum db_stmt which);
/* db_run is db_bind and db_done, for BEGIN and the like. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status db_run(struct registry *r,
						  enum db_stmt which);

/* Columns; db_get_blob and db_get_text are false for another size. */
VX6_NONNULL uint64_t db_get_int(sqlite3_stmt *s, int i);
VX6_NONNULL bool db_get_blob(sqlite3_stmt *s, int i, void *to, size_t len);
VX6_NONNULL bool db_get_text(sqlite3_stmt *s, int i, char *to, size_t cap);

/* db_durable makes what follows wait for the disk, or not any more. */
VX6_NONNULL void db_durable(struct registry *r, bool on);
/* db_close_tx ends a transaction: COMMIT when st is VX6_OK, else ROLLBACK;
 * returns what became of it. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status db_close_tx(struct registry *r,
						       enum vx6_status st);

#endif
