/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/registry/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/record/say.h"

#define APPLICATION  0x76783601 /* of our databases */
#define VERSION      1
#define BUSY_MS      200
#define DEFAULT_NODE 4096u
#define DEFAULT_SERV 256u
#define DEFAULT_DAYS 30u

static const char *const sql[DB_CNT] = {
#define X(name, text) [DB_##name] = (text),
	DB_LIST(X)
#undef X
};

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE number (key TEXT PRIMARY KEY, value INTEGER NOT NULL) "
	"  STRICT;"
	"CREATE TABLE node (id BLOB NOT NULL UNIQUE, name TEXT,"
	"  name_since INTEGER NOT NULL, sequence INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL, first_seen INTEGER NOT NULL,"
	"  last_seen INTEGER NOT NULL, relay INTEGER NOT NULL,"
	"  proved INTEGER NOT NULL, keep INTEGER NOT NULL,"
	"  bytes BLOB NOT NULL) STRICT;"
	"CREATE INDEX node_name ON node (name);"
	"CREATE INDEX node_relay ON node (relay, last_seen);"
	"CREATE INDEX node_seen ON node (keep, proved, last_seen);"
	"CREATE TABLE service (name TEXT PRIMARY KEY, ip BLOB NOT NULL,"
	"  port INTEGER NOT NULL, proto INTEGER NOT NULL,"
	"  public INTEGER NOT NULL) STRICT;"
	"CREATE TABLE allow (service TEXT NOT NULL REFERENCES service"
	"  ON DELETE CASCADE, at INTEGER NOT NULL, id BLOB NOT NULL,"
	"  PRIMARY KEY (service, at)) STRICT;"
	"CREATE TABLE pin (name TEXT PRIMARY KEY, id BLOB NOT NULL) STRICT;"
	"CREATE TABLE dial (id BLOB NOT NULL REFERENCES node (id)"
	"  ON DELETE CASCADE, at_ms INTEGER NOT NULL, ok INTEGER NOT NULL,"
	"  rtt_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX dial_id ON dial (id);"
	"PRAGMA application_id = 1987589633;" /* APPLICATION */
	"PRAGMA user_version = 1;"            /* VERSION */
	"COMMIT";

_Static_assert(APPLICATION == 1987589633, "said twice, once in SQL");

/* ---- statements ---- */

static enum vx6_status trouble(struct registry *r)
{
	r->trouble_cnt++;
	snprintf(r->trouble, sizeof(r->trouble), "%s", sqlite3_errmsg(r->db));
	return VX6_NO_ROOM;
}

const char *registry_trouble(const struct registry *r, uint64_t *cnt)
{
	*cnt = r->trouble_cnt;
	return r->trouble;
}

sqlite3_stmt *db_bind(struct registry *r, enum db_stmt which)
{
	sqlite3_reset(r->stmt[which]);
	sqlite3_clear_bindings(r->stmt[which]);
	return r->stmt[which];
}

/* Bound memory outlives the step: every caller binds its own arguments. */
void db_blob(sqlite3_stmt *s, int i, const void *p, size_t len)
{
	sqlite3_bind_blob64(s, i, p, len, SQLITE_STATIC);
}

void db_int(sqlite3_stmt *s, int i, uint64_t v)
{
	sqlite3_bind_int64(s, i, v > INT64_MAX ? INT64_MAX : (sqlite3_int64)v);
}

void db_text(sqlite3_stmt *s, int i, const char *text)
{
	if (text[0] == '\0')
		sqlite3_bind_null(s, i);
	else
		sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

bool db_row(struct registry *r, enum db_stmt which, enum vx6_status *st)
{
	int rc = sqlite3_step(r->stmt[which]);

	*st = VX6_OK;
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		*st = trouble(r);
	sqlite3_reset(r->stmt[which]);
	return false;
}

enum vx6_status db_done(struct registry *r, enum db_stmt which)
{
	enum vx6_status st;

	while (db_row(r, which, &st))
		;
	return st;
}

void db_end(struct registry *r, enum db_stmt which)
{
	sqlite3_reset(r->stmt[which]);
}

enum vx6_status db_run(struct registry *r, enum db_stmt which)
{
	db_bind(r, which);
	return db_done(r, which);
}

uint64_t db_get_int(sqlite3_stmt *s, int i)
{
	sqlite3_int64 v = sqlite3_column_int64(s, i);

	return v > 0 ? (uint64_t)v : 0;
}

bool db_get_blob(sqlite3_stmt *s, int i, void *to, size_t len)
{
	const void *p = sqlite3_column_blob(s, i);

	if (p == NULL || (size_t)sqlite3_column_bytes(s, i) != len)
		return false;
	memcpy(to, p, len);
	return true;
}

bool db_get_text(sqlite3_stmt *s, int i, char *to, size_t cap)
{
	const unsigned char *p = sqlite3_column_text(s, i);
	size_t len = (size_t)sqlite3_column_bytes(s, i);

	if (p == NULL)
		len = 0; /* NULL is "" */
	if (len >= cap)
		return false;
	if (len > 0)
		memcpy(to, p, len);
	to[len] = '\0';
	return true;
}

void db_durable(struct registry *r, bool on)
{
	sqlite3_exec(r->db,
		     on ? "PRAGMA synchronous = FULL"
			: "PRAGMA synchronous = NORMAL",
		     NULL, NULL, NULL);
}

enum vx6_status db_close_tx(struct registry *r, enum vx6_status st)
{
	if (st == VX6_OK)
		st = db_run(r, DB_COMMIT);
	if (st != VX6_OK && sqlite3_get_autocommit(r->db) == 0)
		(void)!db_run(r, DB_ROLLBACK);
	return st;
}

/* ---- opening ---- */

static int number_of(sqlite3 *db, const char *pragma, int *v)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, pragma, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*v = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static bool whole(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	bool ok = false;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW) {
		const unsigned char *p = sqlite3_column_text(s, 0);

		ok = p != NULL && memcmp(p, "ok", 3) == 0;
	}
	sqlite3_finalize(s);
	return ok;
}

static enum vx6_status damaged(const char *path, struct state_why *why)
{
	return state_say(why, VX6_CONFIG,
			 "%s is damaged, or no registry: move it away; what "
			 "was learnt comes again, services, pins and added "
			 "peers have to be added again",
			 path);
}

static enum vx6_status refused(struct registry *r, const char *path, int rc,
			       struct state_why *why)
{
	if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
		return damaged(path, why);
	return state_say(why, VX6_SYS, "%s: %s", path, sqlite3_errmsg(r->db));
}

/* A new file becomes a registry; an old one must be one. */
static enum vx6_status settle(struct registry *r, const char *path,
			      struct state_why *why)
{
	int application = 0, version = 0, tables = 0;
	int rc = number_of(r->db, "PRAGMA application_id", &application);

	if (rc == SQLITE_OK)
		rc = number_of(r->db, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = number_of(r->db, "SELECT count(*) FROM sqlite_schema",
			       &tables);
	if (rc != SQLITE_OK)
		return refused(r, path, rc, why);
	if (application == 0 && version == 0 && tables == 0) {
		rc = sqlite3_exec(r->db, schema, NULL, NULL, NULL);
		return rc == SQLITE_OK ? VX6_OK : refused(r, path, rc, why);
	}
	if (application != APPLICATION)
		return damaged(path, why);
	if (version > VERSION)
		return state_say(why, VX6_CONFIG,
				 "%s was written by a newer vx6 (form %d, this "
				 "one knows %d): run that one",
				 path, version, VERSION);
	return whole(r->db) ? VX6_OK : damaged(path, why);
}

static enum vx6_status open_db(struct registry *r, const char *path,
			       struct state_why *why)
{
	/* Made by us, or SQLite would make it readable for others. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return state_say(why, VX6_SYS, "%s: %s", path, strerror(errno));
	close(fd);
	rc = sqlite3_open_v2(path, &r->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (r->db == NULL)
		return state_say(why, VX6_NO_MEMORY, "%s: no memory", path);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->db,
				  "PRAGMA journal_mode = WAL;"
				  "PRAGMA synchronous = NORMAL;"
				  "PRAGMA foreign_keys = ON;"
				  "PRAGMA trusted_schema = OFF;"
				  "PRAGMA temp_store = MEMORY",
				  NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return refused(r, path, rc, why);
	sqlite3_busy_timeout(r->db, BUSY_MS);
	return VX6_OK;
}

static enum vx6_status prepare_all(struct registry *r, const char *path,
				   struct state_why *why)
{
	for (unsigned i = 0; i < DB_CNT; i++)
		if (sqlite3_prepare_v3(r->db, sql[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &r->stmt[i],
				       NULL) != SQLITE_OK)
			return damaged(path, why);
	return VX6_OK;
}

enum vx6_status registry_open(struct registry **out, const char *dir,
			      const struct registry_limits *limits,
			      struct state_why *why)
{
	char path[PATH_MAX];
	struct registry *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return state_say(why, VX6_NO_MEMORY, "registry: no memory");
	r->limits = (struct registry_limits){
		.nodes = limits->nodes != 0 ? limits->nodes : DEFAULT_NODE,
		.services = limits->services != 0 ? limits->services
						  : DEFAULT_SERV,
		.hint_days = limits->hint_days != 0 ? limits->hint_days
						    : DEFAULT_DAYS,
	};
	snprintf(path, sizeof(path), "%s/" REGISTRY_FILE, dir);
	enum vx6_status st = open_db(r, path, why);
	if (st == VX6_OK)
		st = settle(r, path, why);
	if (st == VX6_OK)
		st = prepare_all(r, path, why);
	if (st != VX6_OK) {
		registry_close(r);
		return st;
	}
	*out = r;
	return VX6_OK;
}

void registry_close(struct registry *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; i < DB_CNT; i++)
		sqlite3_finalize(r->stmt[i]);
	sqlite3_close(r->db);
	free(r);
}
