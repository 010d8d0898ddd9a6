/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry: the newest record of each node, nothing flushed out by
 * strangers, nothing lost that a person asked for.
 *
 * Method: a real database in a fresh directory for each test, records that
 * are really signed, restarts by closing and by killing a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/record/node.h"
#include "controlplane/registry/registry.h"
#include "tests/support/fresh.h"

#define NOW UINT64_C(1800000000)

static struct state_why why;
static struct registry *reg;

struct made { /* a record, parsed */
	uint8_t bytes[NODE_RECORD_MAX];
	struct record_env env;
	struct node_record n;
};

static struct made rec; /* the last one that make() made */

static void open_with(uint32_t nodes, uint32_t services)
{
	const struct registry_limits limits = { .nodes = nodes,
						.services = services };

	if (registry_open(&reg, fresh_dir, &limits, &why) != VX6_OK)
		fail_msg("%s", why.text);
}

static void again(void)
{
	registry_close(reg);
	open_with(0, 0);
}

static int setup(void **state)
{
	(void)state;
	if (!fresh_make("/tmp"))
		return -1;
	open_with(0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	registry_close(reg);
	reg = NULL;
	fresh_drop();
	return 0;
}

/* Node number `who` says so at `issued`. */
static void make(uint32_t who, const char *name, bool relay, uint64_t sequence,
		 uint64_t issued)
{
	struct node_record f = { .roles = relay ? NODE_ROLE_RELAY : 0 };
	struct identity id;
	uint8_t seed[32] = { 0 };
	size_t len;

	memcpy(seed, &who, sizeof(who));
	identity_from_seed(&id, seed);
	snprintf(f.name, sizeof(f.name), "%s", name);
	assert_int_equal(node_record_sign(&id, &f, sequence, issued,
					  NODE_LIFE_S, rec.bytes,
					  sizeof(rec.bytes), &len),
			 VX6_OK);
	assert_int_equal(record_verify(rec.bytes, len, &rec.env), VX6_OK);
	assert_int_equal(node_record_parse(&rec.env, &rec.n), VX6_OK);
}

static enum vx6_status put(bool proved, uint64_t now)
{
	return registry_put(reg, &rec.env, &rec.n, proved, now);
}

static void id_of(uint32_t who, uint8_t id[32])
{
	struct identity i;
	uint8_t seed[32] = { 0 };

	memcpy(seed, &who, sizeof(who));
	identity_from_seed(&i, seed);
	memcpy(id, i.id, 32);
}

static bool here(uint32_t who)
{
	struct registry_node n;
	uint8_t id[32];

	id_of(who, id);
	return registry_find(reg, id, &n) == VX6_OK;
}

static void newest_wins(void **state)
{
	static const struct {
		uint64_t sequence, issued;
		enum vx6_status want;
	} row[] = {
		{ 10,        NOW,     VX6_OK     },
                { 10,        NOW,     VX6_EXISTS },
		{ 10,        NOW + 1, VX6_STALE  }, /* the same, other bytes */
		{ 9,         NOW,     VX6_STALE  },
                { 0,         NOW,     VX6_STALE  },
		{ 11,        NOW + 2, VX6_OK     },
                { 10,        NOW,     VX6_STALE  },
		{ INT64_MAX, NOW,     VX6_OK     },
                { 12,        NOW,     VX6_STALE  },
	};
	struct registry_node n;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		make(1, "alice", true, row[i].sequence, row[i].issued);
		assert_int_equal(put(false, NOW + i), row[i].want);
		if (i == 5) {
			assert_int_equal(registry_find(reg, rec.env.id, &n),
					 VX6_OK);
			assert_int_equal(n.len, rec.env.len);
			assert_memory_equal(n.bytes, rec.bytes, n.len);
		}
	}
	again();
	assert_int_equal(registry_find(reg, rec.env.id, &n), VX6_OK);
	assert_int_equal(n.sequence, INT64_MAX);
	assert_int_equal(put(false, NOW), VX6_STALE);
	assert_int_equal(n.first_seen, NOW);
	assert_int_equal(n.last_seen, NOW + 7);
	assert_string_equal(n.name, "alice");
	assert_true(n.relay);
	assert_false(n.proved || n.keep);
}

static void what_is_there_is_the_record_itself(void **state)
{
	struct registry_node n;
	struct record_env env;

	(void)state;
	make(7, "bob", false, 1, NOW);
	assert_int_equal(put(true, NOW), VX6_OK);
	again();
	assert_int_equal(registry_find(reg, rec.env.id, &n), VX6_OK);
	assert_int_equal(record_open(n.bytes, n.len, NOW, &env), VX6_OK);
	assert_memory_equal(env.id, rec.env.id, 32);
	assert_int_equal(n.expires, NOW + NODE_LIFE_S);
	assert_true(n.proved);
	assert_false(n.relay);
}

static void seen_and_proved(void **state)
{
	struct registry_node n;
	uint8_t id[32];

	(void)state;
	id_of(2, id);
	assert_int_equal(registry_find(reg, id, &n), VX6_NOT_FOUND);
	assert_int_equal(registry_proved(reg, id, NOW), VX6_NOT_FOUND);
	assert_int_equal(registry_keep(reg, id, true), VX6_NOT_FOUND);
	make(2, "", false, 1, NOW);
	assert_int_equal(put(false, NOW), VX6_OK);
	assert_int_equal(put(false, NOW + 100), VX6_EXISTS);
	assert_int_equal(registry_find(reg, id, &n), VX6_OK);
	assert_int_equal(n.last_seen, NOW + 100);
	assert_false(n.proved);
	assert_int_equal(put(true, NOW + 101), VX6_EXISTS);
	assert_int_equal(registry_find(reg, id, &n), VX6_OK);
	assert_true(n.proved);
	/* hearing of it again from others takes nothing away */
	make(2, "", false, 2, NOW + 5);
	assert_int_equal(put(false, NOW + 102), VX6_OK);
	assert_int_equal(registry_proved(reg, id, NOW + 50), VX6_OK);
	assert_int_equal(registry_keep(reg, id, true), VX6_OK);
	again();
	assert_int_equal(registry_find(reg, id, &n), VX6_OK);
	assert_true(n.proved && n.keep);
	assert_int_equal(n.last_seen, NOW + 102);
}

static void all_candidates_of_a_name(void **state)
{
	struct registry_node n[REGISTRY_CLAIMS_MAX];
	unsigned cnt;

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		make(100 + i, i == 3 ? "other" : "alice", false, 1, NOW);
		assert_int_equal(put(false, NOW + i), VX6_OK);
	}
	/* one that takes the name last, though it was known first */
	make(103, "alice", false, 2, NOW);
	assert_int_equal(put(false, NOW + 50), VX6_OK);
	assert_int_equal(registry_by_name(reg, "alice", NOW, n, &cnt), VX6_OK);
	assert_int_equal(cnt, REGISTRY_CLAIMS_MAX);
	for (uint32_t i = 0, who = 100; i < cnt; i++, who++) {
		uint8_t id[32];

		who += who == 103;
		id_of(who, id);
		assert_memory_equal(n[i].id, id, 32);
	}
	/* An expired claim stands behind the live ones. */
	make(102, "alice", false, 2, NOW + 900);
	assert_int_equal(put(false, NOW + 900), VX6_OK);
	assert_int_equal(
		registry_by_name(reg, "alice", NOW + NODE_LIFE_S, n, &cnt),
		VX6_OK);
	assert_memory_equal(n[0].id, rec.env.id, 32);
	assert_int_equal(registry_by_name(reg, "other", NOW, n, &cnt), VX6_OK);
	assert_int_equal(cnt, 0);
	assert_int_equal(registry_by_name(reg, "Alice", NOW, n, &cnt),
			 VX6_MALFORMED);
	assert_int_equal(registry_by_name(reg, "", NOW, n, &cnt),
			 VX6_MALFORMED);
}

struct list {
	uint32_t n;
	uint8_t id[16][32];
};

static void note(void *ctx, const struct registry_node *n)
{
	struct list *l = ctx;

	if (l->n < 16)
		memcpy(l->id[l->n], n->id, 32);
	l->n++;
}

static void relays_that_live(void **state)
{
	struct list l = { 0 };
	uint8_t id[32];

	(void)state;
	for (uint32_t i = 0; i < 6; i++) { /* 1, 3, 5 relay; 5 is expired */
		make(i, "", i % 2 == 1, 1, i == 5 ? NOW - NODE_LIFE_S : NOW);
		assert_int_equal(put(false, NOW + i), VX6_OK);
	}
	assert_int_equal(registry_relays(reg, NOW, 256, note, &l), VX6_OK);
	assert_int_equal(l.n, 2);
	id_of(3, id);
	assert_memory_equal(l.id[0], id, 32); /* seen last */
	id_of(1, id);
	assert_memory_equal(l.id[1], id, 32);
	l.n = 0;
	assert_int_equal(registry_relays(reg, NOW, 1, note, &l), VX6_OK);
	assert_int_equal(l.n, 1);
	l.n = 0;
	assert_int_equal(registry_nodes(reg, note, &l), VX6_OK);
	assert_int_equal(l.n, 6);
}

static void full_of_live_ones_sheds_the_newest(void **state)
{
	(void)state;
	registry_close(reg);
	open_with(4, 0);
	for (uint32_t i = 0; i < 4; i++) {
		make(i, "", false, 1, NOW);
		assert_int_equal(put(false, NOW + i), VX6_OK);
	}
	make(4, "", false, 1, NOW);
	assert_int_equal(put(false, NOW + 9), VX6_NO_ROOM);
	assert_false(here(4));
	make(0, "", false, 2, NOW); /* newer ones need no room */
	assert_int_equal(put(false, NOW + 10), VX6_OK);
	/* One that proved itself goes before one we only heard of. */
	make(4, "", false, 1, NOW);
	assert_int_equal(put(true, NOW + 11), VX6_OK);
	assert_false(here(1)); /* the longest unseen */
	assert_true(here(0) && here(2) && here(3) && here(4));
}

static void strangers_flush_nothing_out(void **state)
{
	uint64_t later = NOW + NODE_LIFE_S;

	(void)state;
	registry_close(reg);
	open_with(4, 0);
	make(0, "", false, 1, NOW); /* a peer that the operator added */
	assert_int_equal(put(false, NOW), VX6_OK);
	assert_int_equal(registry_keep(reg, rec.env.id, true), VX6_OK);
	make(1, "", false, 1, NOW); /* a node that we know */
	assert_int_equal(put(true, NOW + 1), VX6_OK);
	make(2, "", false, 1, NOW); /* heard of */
	assert_int_equal(put(false, NOW + 2), VX6_OK);
	make(3, "", false, 1, NOW);
	assert_int_equal(put(false, NOW + 3), VX6_OK);
	/* All are expired hints now, and strangers come. */
	for (uint32_t i = 10; i < 30; i++) {
		make(i, "", false, 1, later);
		assert_int_equal(put(false, later + i),
				 i < 12 ? VX6_OK : VX6_NO_ROOM);
	}
	assert_true(here(0) && here(1) && here(10) && here(11));
	assert_false(here(2) || here(3));
	/* Proved ones take the strangers' room, then old hints', not keep's. */
	for (uint32_t i = 40; i < 44; i++) {
		make(i, "", false, 1, later);
		assert_int_equal(put(true, later + i),
				 i < 43 ? VX6_OK : VX6_NO_ROOM);
	}
	assert_true(here(0) && here(40) && here(41) && here(42));
}

static void hints_are_kept_for_days(void **state)
{
	unsigned cnt;

	(void)state;
	make(1, "", false, 1, NOW);
	assert_int_equal(put(true, NOW), VX6_OK);
	make(2, "", false, 1, NOW);
	assert_int_equal(put(true, NOW), VX6_OK);
	assert_int_equal(registry_keep(reg, rec.env.id, true), VX6_OK);
	uint64_t end = NOW + NODE_LIFE_S + 30u * 86400u;
	assert_int_equal(registry_expire(reg, end - 1, &cnt), VX6_OK);
	assert_int_equal(cnt, 0);
	assert_int_equal(registry_expire(reg, end, &cnt), VX6_OK);
	assert_int_equal(cnt, 1);
	assert_true(!here(1) && here(2));
}

static void a_month_is_kept_whole(void **state)
{
	const struct registry_quota first = { 1, 2, 3, INT64_MAX };
	const struct registry_quota second = { INT64_MAX, 0, 5, 6 };
	const struct registry_quota none = { 0 };
	struct registry_quota got;

	(void)state;
	assert_int_equal(registry_quota(reg, &got), VX6_OK);
	assert_memory_equal(&got, &none, sizeof(got));
	assert_int_equal(registry_keep_quota(reg, &first), VX6_OK);
	again();
	assert_int_equal(registry_quota(reg, &got), VX6_OK);
	assert_memory_equal(&got, &first, sizeof(got));
	assert_int_equal(registry_keep_quota(reg, &second), VX6_OK);
	again();
	assert_int_equal(registry_quota(reg, &got), VX6_OK);
	assert_memory_equal(&got, &second, sizeof(got));
}

static void own_sequence_only_rises(void **state)
{
	static const struct {
		uint64_t ms, want;
	} row[] = {
		{ 1000, 1000 },
                { 1000, 1001 },
                { 5,    1002 },
		{ 2000, 2000 },
                { 0,    2001 },
	};
	uint64_t got;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		assert_int_equal(registry_sequence(reg, row[i].ms, &got),
				 VX6_OK);
		assert_int_equal(got, row[i].want);
		again();
	}
}

/* ---- services, pins, health ---- */

static struct registry_service service(const char *name, uint32_t allow)
{
	struct registry_service s = { .proto = REGISTRY_TCP,
				      .is_public = allow == 0,
				      .allow_cnt = allow };

	snprintf(s.name, sizeof(s.name), "%s", name);
	assert_int_equal(vx6_addr_parse(&s.target, "127.0.0.1:22"), VX6_OK);
	for (uint32_t i = 0; i < allow && i < REGISTRY_ALLOW_MAX; i++)
		s.allow[i][0] = (uint8_t)(200 - i);
	return s;
}

static void note_service(void *ctx, const struct registry_service *s)
{
	struct list *l = ctx;

	assert_true(l->n < 16);
	memcpy(l->id[l->n++], s->name, sizeof(s->name));
}

static void services_survive(void **state)
{
	struct registry_service s, got;
	struct list l = { 0 };

	(void)state;
	s = service("web", 0);
	s.proto = REGISTRY_UDP;
	assert_int_equal(registry_service_add(reg, &s), VX6_OK);
	assert_int_equal(registry_service_add(reg, &s), VX6_EXISTS);
	s = service("ssh", 3);
	assert_int_equal(registry_service_add(reg, &s), VX6_OK);
	again();
	assert_int_equal(registry_service_find(reg, "ssh", &got), VX6_OK);
	assert_memory_equal(&got, &s, sizeof(s));
	assert_int_equal(registry_service_find(reg, "web", &got), VX6_OK);
	assert_int_equal(got.proto, REGISTRY_UDP);
	assert_true(got.is_public);
	assert_int_equal(registry_services(reg, note_service, &l), VX6_OK);
	assert_int_equal(l.n, 2);
	assert_string_equal((char *)l.id[0], "ssh");
	assert_int_equal(registry_service_remove(reg, "ssh"), VX6_OK);
	assert_int_equal(registry_service_remove(reg, "ssh"), VX6_NOT_FOUND);
	again();
	assert_int_equal(registry_service_find(reg, "ssh", &got),
			 VX6_NOT_FOUND);
	s = service("ssh", 0); /* no old access list under the new one */
	assert_int_equal(registry_service_add(reg, &s), VX6_OK);
	assert_int_equal(registry_service_find(reg, "ssh", &got), VX6_OK);
	assert_int_equal(got.allow_cnt, 0);
}

static void services_are_checked(void **state)
{
	struct registry_service s;

	(void)state;
	static const char *const names[] = { "", "Web", "a.b", "a b", "w\xc3" };
	for (unsigned i = 0; i < VX6_COUNT(names); i++) {
		s = service(names[i], 0);
		assert_int_equal(registry_service_add(reg, &s), VX6_MALFORMED);
	}
	s = service("web", 0);
	s.is_public = false; /* neither public nor for anybody */
	assert_int_equal(registry_service_add(reg, &s), VX6_MALFORMED);
	s = service("web", 1);
	s.is_public = true;
	assert_int_equal(registry_service_add(reg, &s), VX6_MALFORMED);
	s = service("web", REGISTRY_ALLOW_MAX + 1);
	assert_int_equal(registry_service_add(reg, &s), VX6_MALFORMED);
	s = service("web", 0);
	s.target.port = 0;
	assert_int_equal(registry_service_add(reg, &s), VX6_MALFORMED);
	s = service("web", REGISTRY_ALLOW_MAX);
	assert_int_equal(registry_service_add(reg, &s), VX6_OK);
	registry_close(reg);
	open_with(0, 2);
	s = service("two", 0);
	assert_int_equal(registry_service_add(reg, &s), VX6_OK);
	s = service("three", 0);
	assert_int_equal(registry_service_add(reg, &s), VX6_NO_ROOM);
}

static void pins_survive(void **state)
{
	uint8_t a[32] = { 1 }, b[32] = { 2 }, got[32];

	(void)state;
	assert_int_equal(registry_pinned(reg, "alice", got), VX6_NOT_FOUND);
	assert_int_equal(registry_pin(reg, "alice", a), VX6_OK);
	assert_int_equal(registry_pin(reg, "bob", b), VX6_OK);
	assert_int_equal(registry_pin(reg, "alice", b), VX6_OK);
	assert_int_equal(registry_pin(reg, "Alice", b), VX6_MALFORMED);
	again();
	assert_int_equal(registry_pinned(reg, "alice", got), VX6_OK);
	assert_memory_equal(got, b, 32);
	assert_int_equal(registry_unpin(reg, "alice"), VX6_OK);
	assert_int_equal(registry_unpin(reg, "alice"), VX6_NOT_FOUND);
	assert_int_equal(registry_pinned(reg, "alice", got), VX6_NOT_FOUND);
	assert_int_equal(registry_pinned(reg, "bob", got), VX6_OK);
}

static void the_last_dials_are_remembered(void **state)
{
	struct registry_dial d[REGISTRY_HEALTH_KEEP], one = { 0 };
	uint8_t other[32];
	unsigned cnt;

	(void)state;
	make(1, "", true, 1, NOW);
	assert_int_equal(registry_dialled(reg, rec.env.id, &one),
			 VX6_NOT_FOUND);
	assert_int_equal(put(false, NOW), VX6_OK);
	memcpy(other, rec.env.id, 32);
	make(2, "", true, 1, NOW);
	assert_int_equal(put(false, NOW), VX6_OK);
	for (unsigned i = 0; i < REGISTRY_HEALTH_KEEP + 8; i++) {
		one = (struct registry_dial){ NOW * 1000 + i, i % 3 != 0,
					      i % 3 != 0 ? 1000 + i : 0 };
		assert_int_equal(registry_dialled(reg, rec.env.id, &one),
				 VX6_OK);
		if (i < 2)
			assert_int_equal(registry_dialled(reg, other, &one),
					 VX6_OK);
	}
	again();
	assert_int_equal(registry_dials(reg, rec.env.id, d, &cnt), VX6_OK);
	assert_int_equal(cnt, REGISTRY_HEALTH_KEEP);
	for (unsigned i = 0; i < cnt; i++) {
		unsigned was = REGISTRY_HEALTH_KEEP + 7 - i;

		assert_int_equal(d[i].at_ms, NOW * 1000 + was);
		assert_int_equal(d[i].ok, was % 3 != 0);
		assert_int_equal(d[i].rtt_us, was % 3 != 0 ? 1000 + was : 0);
	}
	assert_int_equal(registry_dials(reg, other, d, &cnt), VX6_OK);
	assert_int_equal(cnt, 2);
}

/* ---- the file ---- */

static void *open_more(void)
{
	open_with(0, 4096);
	return reg;
}

static bool ask_for(void *r, uint32_t n)
{
	struct registry_service s;
	uint8_t id[32] = { 0 };
	char name[16];

	snprintf(name, sizeof(name), "n%u", n);
	s = service(name, 2);
	memcpy(id, &n, sizeof(n));
	return registry_pin(r, name, id) == VX6_OK &&
	       registry_service_add(r, &s) == VX6_OK;
}

static void a_kill_loses_nothing_asked_for(void **state)
{
	uint32_t last;

	(void)state;
	registry_close(reg);
	reg = NULL;
	last = fresh_killed(40, open_more, ask_for);
	assert_true(last >= 40);
	open_with(0, 4096);
	for (uint32_t n = 1; n <= last; n++) {
		struct registry_service s;
		uint8_t id[32];
		char name[16];

		snprintf(name, sizeof(name), "n%u", n);
		assert_int_equal(registry_pinned(reg, name, id), VX6_OK);
		assert_int_equal(registry_service_find(reg, name, &s), VX6_OK);
		assert_int_equal(s.allow_cnt, 2);
	}
}

static void for_nobody_else_to_read(void **state)
{
	struct stat st;
	uint8_t id[32] = { 1 };

	(void)state;
	assert_int_equal(registry_pin(reg, "a", id), VX6_OK);
	assert_int_equal(stat(fresh_in("registry.db"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(fresh_in("registry.db-wal"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void expect_refusal(enum vx6_status want, const char *words)
{
	const struct registry_limits limits = { 0 };
	struct registry *r;

	assert_int_equal(registry_open(&r, fresh_dir, &limits, &why), want);
	assert_null(r);
	if (strstr(why.text, words) == NULL)
		fail_msg("says %s", why.text);
}

static void overwrite(const char *name, const char *text, off_t at)
{
	int fd = open(fresh_in(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

static void run_sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(fresh_in("registry.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void what_is_no_registry_is_refused(void **state)
{
	(void)state;
	registry_close(reg);
	reg = NULL;
	run_sql("PRAGMA user_version = 2");
	expect_refusal(VX6_CONFIG, "was written by a newer vx6 (form 2, this "
				   "one knows 1): run that one");
	run_sql("PRAGMA user_version = 1; DROP TABLE pin");
	expect_refusal(VX6_CONFIG, "is damaged, or no registry: move it away");
	unlink(fresh_in("registry.db"));
	run_sql("CREATE TABLE other (x)");
	expect_refusal(VX6_CONFIG, "is damaged, or no registry: move it away");
	unlink(fresh_in("registry.db"));
	overwrite("registry.db", "this is certainly not what SQLite wrote", 0);
	expect_refusal(VX6_CONFIG, "is damaged, or no registry: move it away");
	snprintf(fresh_dir + strlen(fresh_dir), 8, "/none");
	expect_refusal(VX6_SYS, "/registry.db: No such file or directory");
	fresh_dir[strlen(fresh_dir) - 5] = '\0';
}

static void a_damaged_page_is_refused(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		make(i, "name", true, 1, NOW);
		assert_int_equal(put(false, NOW), VX6_OK);
	}
	registry_close(reg);
	reg = NULL;
	overwrite("registry.db", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 4096);
	expect_refusal(VX6_CONFIG, "is damaged, or no registry: move it away");
}

static void a_full_disk_is_told_and_survived(void **state)
{
	struct registry_node n;
	uint64_t cnt;

	(void)state;
	make(1, "alice", false, 1, NOW);
	assert_int_equal(put(false, NOW), VX6_OK);
	assert_string_equal(registry_trouble(reg, &cnt), "");
	assert_int_equal(cnt, 0);
	/* Another process holds the database: SQLite says it is locked. */
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fresh_in("registry.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	make(2, "", false, 1, NOW);
	assert_int_equal(put(false, NOW), VX6_NO_ROOM);
	assert_string_equal(registry_trouble(reg, &cnt), "database is locked");
	assert_int_equal(cnt, 1);
	uint8_t id[32] = { 0 };
	assert_int_equal(registry_pin(reg, "alice", id), VX6_NO_ROOM);
	id_of(1, id);
	assert_int_equal(registry_find(reg, id, &n), VX6_OK);
	sqlite3_close(db);
	assert_int_equal(put(false, NOW), VX6_OK);
	assert_int_equal(registry_pin(reg, "alice", id), VX6_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest test[] = {
		T(newest_wins),
		T(what_is_there_is_the_record_itself),
		T(seen_and_proved),
		T(all_candidates_of_a_name),
		T(relays_that_live),
		T(full_of_live_ones_sheds_the_newest),
		T(strangers_flush_nothing_out),
		T(hints_are_kept_for_days),
		T(own_sequence_only_rises),
		T(a_month_is_kept_whole),
		T(services_survive),
		T(services_are_checked),
		T(pins_survive),
		T(the_last_dials_are_remembered),
		T(a_kill_loses_nothing_asked_for),
		T(for_nobody_else_to_read),
		T(what_is_no_registry_is_refused),
		T(a_damaged_page_is_refused),
		T(a_full_disk_is_told_and_survived),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("registry", test, NULL, NULL);
}
