/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "controlplane/registry/db.h"

static const struct {
	const char *key;
	size_t offset;
} part[] = {
	{ "quota.start",    offsetof(struct registry_quota, start_s)  },
	{ "quota.used",     offsetof(struct registry_quota, used)     },
	{ "quota.seen",     offsetof(struct registry_quota, seen)     },
	{ "quota.instance", offsetof(struct registry_quota, instance) },
};

enum vx6_status registry_quota(struct registry *r, struct registry_quota *q)
{
	enum vx6_status st = VX6_OK;

	*q = (struct registry_quota){ 0 };
	for (unsigned i = 0; i < VX6_COUNT(part) && st == VX6_OK; i++) {
		sqlite3_stmt *s = db_bind(r, DB_GET_NUMBER);
		uint64_t v;

		db_text(s, 1, part[i].key);
		if (!db_row(r, DB_GET_NUMBER, &st))
			continue;
		v = db_get_int(s, 0);
		db_end(r, DB_GET_NUMBER);
		memcpy((uint8_t *)q + part[i].offset, &v, sizeof(v));
	}
	return st;
}

enum vx6_status registry_keep_quota(struct registry *r,
				    const struct registry_quota *q)
{
	enum vx6_status st = db_run(r, DB_BEGIN);

	if (st != VX6_OK)
		return st;
	for (unsigned i = 0; i < VX6_COUNT(part) && st == VX6_OK; i++) {
		sqlite3_stmt *s = db_bind(r, DB_SET_NUMBER);
		uint64_t v;

		memcpy(&v, (const uint8_t *)q + part[i].offset, sizeof(v));
		db_text(s, 1, part[i].key);
		db_int(s, 2, v);
		st = db_done(r, DB_SET_NUMBER);
	}
	return db_close_tx(r, st);
}
