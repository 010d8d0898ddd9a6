/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity, state and onion: what a node is, and what it must not forget.
 *
 * Method: real directories below a fresh temporary one, races and kills
 * with real processes; refusals are rows with the exact sentence; the
 * replay cache runs beside a model too simple to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controlplane/record/identity.h"
#include "controlplane/record/onion.h"
#include "controlplane/record/state.h"
#include "dataplane/base/text.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/kdf.h"
#include "tests/support/fresh.h"

#define NOW 1800000000u

static struct state_why why;

static int make_dir(void **state)
{
	(void)state;
	why.text[0] = '\0';
	return fresh_make("/tmp") ? 0 : -1;
}

static int make_mem(void **state)
{
	struct statfs fs;

	(void)state;
	why.text[0] = '\0';
	if (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		(void)!fresh_make("/dev/shm");
	return 0;
}

static int drop_dir(void **state)
{
	(void)state;
	fresh_drop();
	return 0;
}

static unsigned files;

static int count(const char *path, const struct stat *st, int flag,
		 struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)flag;
	files += ftw->level > 0;
	return 0;
}

static unsigned files_in_dir(void)
{
	files = 0;
	nftw(fresh_dir, count, 16, FTW_PHYS);
	return files;
}

static void write_file(const char *name, const void *data, size_t len)
{
	int fd = open(fresh_in(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static size_t read_file(const char *name, void *to, size_t cap)
{
	int fd = open(fresh_in(name), O_RDONLY);

	assert_true(fd >= 0);
	ssize_t n = read(fd, to, cap);
	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

/* ---- identity ---- */

/* RFC 8032 section 7.1, test 1; the ID is Python's hashlib.blake2b. */
static void seed_gives_the_published_key(void **state)
{
	static const uint8_t seed[32] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd,
					  0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4,
					  0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
					  0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
					  0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
					  0x7f, 0x60 };
	struct identity id;
	char hex[65];

	(void)state;
	identity_from_seed(&id, seed);
	assert_string_equal(
		sodium_bin2hex(hex, sizeof(hex), id.public_key, 32),
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751"
		"1a");
	assert_string_equal(
		sodium_bin2hex(hex, sizeof(hex), id.id, 32),
		"7849ac3049680be1ef762efe0d36e01733c3464eb0c7c558138acf24bb263b"
		"d3");
	assert_string_equal(
		sodium_bin2hex(hex, sizeof(hex), id.enc_public, 32),
		"2341da4732585bafa914a627e24eeaa1679c6e7512fac7f9cb2d09d3e86ceb"
		"36");
}

static void made_once_and_the_same_for_ever(void **state)
{
	struct identity a, b;
	struct stat st;
	bool made;

	(void)state;
	mode_t mask = umask(0277);
	assert_int_equal(identity_open(fresh_dir, &a, &made, &why), VX6_OK);
	umask(mask);
	assert_true(made);
	assert_int_equal(stat(fresh_in("identity.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 64);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(files_in_dir(), 1);
	assert_int_equal(identity_open(fresh_dir, &b, &made, &why), VX6_OK);
	assert_false(made);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void never_overwritten(void **state)
{
	struct identity a, b;
	uint8_t before[65], after[65];

	(void)state;
	assert_int_equal(identity_create(fresh_dir, &a, &why), VX6_OK);
	assert_int_equal(read_file("identity.key", before, 65), 64);
	assert_int_equal(identity_create(fresh_dir, &b, &why), VX6_EXISTS);
	assert_true(sodium_is_zero((const uint8_t *)&b, sizeof(b)));
	assert_int_equal(read_file("identity.key", after, 65), 64);
	assert_memory_equal(before, after, 64);
	assert_int_equal(files_in_dir(), 1);
	/* Nor is what cannot be read as a key. */
	write_file("identity.key", "precious", 8);
	assert_int_equal(identity_create(fresh_dir, &b, &why), VX6_EXISTS);
	bool made;
	assert_int_equal(identity_open(fresh_dir, &b, &made, &why), VX6_CONFIG);
	assert_int_equal(read_file("identity.key", after, 65), 8);
}

static void racing_processes_agree(void **state)
{
	enum { N = 8 };
	struct identity id;
	int go[2], out[2];
	unsigned made_cnt = 0;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(out), 0);
	for (unsigned i = 0; i < N; i++) {
		if (fork() != 0)
			continue;
		uint8_t said[33] = { 0 };
		bool made = false;
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) == 0 &&
		    identity_open(fresh_dir, &id, &made, &why) == VX6_OK)
			memcpy(said, id.id, 32);
		said[32] = made;
		_exit(write(out[1], said, sizeof(said)) != sizeof(said));
	}
	close(go[1]); /* all of them read the end at once */
	uint8_t said[N][33];
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(read(out[0], said[i], 33), 33);
		made_cnt += said[i][32];
		assert_memory_equal(said[i], said[0], 32);
		wait(NULL);
	}
	assert_int_equal(made_cnt, 1);
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_OK);
	assert_memory_equal(id.id, said[0], 32);
	assert_int_equal(files_in_dir(), 1);
	close(go[0]);
	close(out[0]);
	close(out[1]);
}

static void a_full_disk_leaves_nothing(void **state)
{
	struct rlimit old, small = { 10, RLIM_INFINITY };
	struct identity id;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	enum vx6_status st = identity_create(fresh_dir, &id, &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(st, VX6_SYS);
	assert_int_equal(files_in_dir(), 0);
	assert_true(sodium_is_zero((const uint8_t *)&id, sizeof(id)));
}

static void refused_in_words(void **state)
{
	static const struct {
		mode_t mode;
		off_t size;
		enum vx6_status want;
		const char *words;
	} row[] = {
		{ 0640, 64, VX6_CONFIG,
                 "has mode 0640 instead of 0600: run chmod 600 on it; if "
		  "others could read it, the node needs a new identity" },
		{ 0604, 64, VX6_CONFIG,
                 "has mode 0604 instead of 0600: run chmod 600 on it; if "
		  "others could read it, the node needs a new identity" },
		{ 0700, 64, VX6_CONFIG,
                 "has mode 0700 instead of 0600: run chmod 600 on it; if "
		  "others could read it, the node needs a new identity" },
		{ 0600, 63, VX6_CONFIG,
                 "has 63 bytes instead of 64: restore it from a backup" },
		{ 0600, 65, VX6_CONFIG,
                 "has 65 bytes instead of 64: restore it from a backup" },
		{ 0600, 0,  VX6_CONFIG,
                 "has 0 bytes instead of 64: restore it from a backup"  },
	};
	struct identity id;
	char want[512];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		unlink(fresh_in("identity.key"));
		assert_int_equal(identity_create(fresh_dir, &id, &why), VX6_OK);
		assert_int_equal(
			truncate(fresh_in("identity.key"), row[i].size), 0);
		assert_int_equal(chmod(fresh_in("identity.key"), row[i].mode),
				 0);
		assert_int_equal(identity_load(fresh_dir, &id, &why),
				 row[i].want);
		snprintf(want, sizeof(want), "%s %s", fresh_in("identity.key"),
			 row[i].words);
		assert_string_equal(why.text, want);
	}
}

static void odd_files_are_refused(void **state)
{
	struct identity id;

	(void)state;
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_NOT_FOUND);
	assert_non_null(strstr(why.text, "has no identity.key: run vx6 init"));
	assert_int_equal(mkdir(fresh_in("identity.key"), 0700), 0);
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "is not a plain file"));
	rmdir(fresh_in("identity.key"));
	assert_int_equal(mkfifo(fresh_in("identity.key"), 0600), 0);
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "is not a plain file"));
	unlink(fresh_in("identity.key"));
	assert_int_equal(symlink("elsewhere", fresh_in("identity.key")), 0);
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "is a symbolic link"));
}

static void a_damaged_key_is_refused(void **state)
{
	struct identity id;
	uint8_t file[64];

	(void)state;
	assert_int_equal(identity_create(fresh_dir, &id, &why), VX6_OK);
	for (unsigned i = 0; i < 64; i += 21) {
		assert_int_equal(read_file("identity.key", file, 64), 64);
		file[i] ^= 4;
		write_file("identity.key", file, 64);
		assert_int_equal(identity_load(fresh_dir, &id, &why),
				 VX6_BAD_KEY);
		assert_non_null(strstr(why.text, "is damaged"));
		assert_true(sodium_is_zero((const uint8_t *)&id, sizeof(id)));
		file[i] ^= 4;
		write_file("identity.key", file, 64);
	}
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_OK);
}

static void of_another_user_is_refused(void **state)
{
	struct identity id;

	(void)state;
	if (geteuid() != 0) {
		print_message("# SKIP root: cannot give a file away\n");
		skip();
	}
	assert_int_equal(identity_create(fresh_dir, &id, &why), VX6_OK);
	assert_int_equal(chown(fresh_in("identity.key"), 12345, 12345), 0);
	assert_int_equal(identity_load(fresh_dir, &id, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "belongs to user 12345 and we run as "
					 "user 0: run vx6 as its owner"));
}

static void signs_and_wipes(void **state)
{
	static const uint8_t msg[] = "what we say";
	uint8_t signature[64];
	struct identity id;

	(void)state;
	assert_int_equal(identity_create(fresh_dir, &id, &why), VX6_OK);
	identity_sign(&id, msg, sizeof(msg), signature);
	assert_int_equal(crypto_sign_verify_detached(
				 signature, msg, sizeof(msg), id.public_key),
			 0);
	identity_wipe(&id);
	assert_true(sodium_is_zero((const uint8_t *)&id, sizeof(id)));
}

/* ---- state ---- */

static void state_dirs(void **state)
{
	struct stat st;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/state", fresh_dir);
	assert_int_equal(state_dir(path, 0700, &why), VX6_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(state_dir(path, 0700, &why), VX6_OK);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(state_dir(path, 0700, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "may be written by others (mode 0770)"
					 ": run chmod go-w "));
	write_file("file", "x", 1);
	assert_int_equal(state_dir(fresh_in("file"), 0700, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "is not a directory"));
	assert_int_equal(state_dir("", 0700, &why), VX6_CONFIG);
}

static void one_holder_of_the_lock(void **state)
{
	char want[256];
	int fd, second, out[2];

	(void)state;
	assert_int_equal(state_lock(fresh_dir, &fd, &why), VX6_OK);
	assert_int_equal(state_lock(fresh_dir, &second, &why), VX6_EXISTS);
	snprintf(want, sizeof(want),
		 "another vx6d (pid %ld) uses %s: stop it, or give this one "
		 "another --state directory",
		 (long)getpid(), fresh_dir);
	assert_string_equal(why.text, want);
	close(fd);
	/* One that is killed leaves no lock behind. */
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (state_lock(fresh_dir, &fd, &why) != VX6_OK ||
		    write(out[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(out[0], want, 1), 1);
	assert_int_equal(state_lock(fresh_dir, &second, &why), VX6_EXISTS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(state_lock(fresh_dir, &second, &why), VX6_OK);
	close(second);
	close(out[0]);
	close(out[1]);
}

/* ---- onion ---- */

static struct onion_options opt(uint32_t keys)
{
	return (struct onion_options){ .run = fresh_dir,
				       .replay_keys = keys,
				       .rotate_s = 3600 };
}

static void need_mem(void)
{
	if (fresh_dir[0] != '\0')
		return;
	print_message("# SKIP tmpfs: /dev/shm is not one\n");
	skip();
}

static struct onion *open_at(uint32_t keys, uint32_t now)
{
	struct onion_options o = opt(keys);
	struct onion *onion;

	assert_int_equal(onion_open(&onion, &o, now, &why), VX6_OK);
	return onion;
}

static bool is_fresh(const struct onion *o)
{
	struct onion_stats s;

	onion_stats(o, &s);
	return s.fresh;
}

static void e_of(uint32_t n, uint8_t e[32])
{
	memset(e, 0, 32);
	memcpy(e, &n, sizeof(n));
}

static enum vx6_status seen(struct onion *o, uint32_t n, uint32_t expires,
			    uint32_t now)
{
	uint8_t e[32];

	e_of(n, e);
	return onion_seen(o, e, expires, now);
}

static void onion_survives_a_restart(void **state)
{
	struct onion_key current, next;
	struct onion_stats s;

	(void)state;
	need_mem();
	struct onion *o = open_at(1024, NOW);
	assert_true(is_fresh(o));
	current = *onion_current(o);
	next = *onion_next(o);
	assert_int_equal(current.from, NOW);
	assert_int_equal(current.until, NOW + 3600);
	assert_int_equal(next.from, current.until);
	assert_int_equal(current.kid, vx6_kid(current.public_key));
	assert_int_equal(seen(o, 1, NOW + 60, NOW), VX6_OK);
	onion_close(o);
	o = open_at(1024, NOW + 5);
	onion_stats(o, &s);
	assert_false(s.fresh);
	assert_true(s.named);
	assert_int_equal(s.keys, 1);
	assert_memory_equal(onion_current(o), &current, sizeof(current));
	assert_memory_equal(onion_next(o), &next, sizeof(next));
	assert_ptr_equal(onion_find(o, next.kid), onion_next(o));
	assert_int_equal(seen(o, 1, NOW + 60, NOW + 5), VX6_REPLAYED);
	onion_close(o);
}

static void lose_one_lose_both(void **state)
{
	(void)state;
	need_mem();
	for (unsigned how = 0; how < 5; how++) {
		struct onion *o = open_at(1024, NOW);
		uint32_t kid = onion_current(o)->kid;
		uint32_t keys = 1024;

		assert_int_equal(seen(o, how, NOW + 60, NOW), VX6_OK);
		onion_close(o);
		int fd = open(fresh_in("onion.key"), O_RDWR);
		assert_true(fd >= 0);
		if (how == 0)
			unlink(fresh_in("onion.key"));
		else if (how == 1)
			assert_int_equal(ftruncate(fd, 5000), 0);
		else if (how == 2) /* somewhere in the current key */
			assert_int_equal(pwrite(fd, "xxxx", 4, 60), 4);
		else if (how == 3) /* an expiry that we never allow */
			assert_int_equal(
				pwrite(fd, "\xff\xff\xff\xff", 4, 4096 + 12),
				4);
		else
			keys = 2048;
		close(fd);
		o = open_at(keys, NOW + 1);
		assert_true(is_fresh(o));
		assert_null(onion_find(o, kid));
		assert_int_equal(seen(o, how, NOW + 60, NOW + 1), VX6_OK);
		onion_close(o);
		unlink(fresh_in("onion.key"));
	}
}

static bool file_holds(const uint8_t secret[32])
{
	static uint8_t page[4096];
	size_t n = read_file("onion.key", page, sizeof(page));

	return memmem(page, n, secret, 32) != NULL;
}

static void keys_rotate(void **state)
{
	(void)state;
	need_mem();
	struct onion *o = open_at(1024, NOW);
	struct onion_key first = *onion_current(o);
	struct onion_key second = *onion_next(o);

	assert_int_equal(onion_due(o), NOW + 3600);
	assert_false(onion_tick(o, NOW + 3599));
	assert_ptr_equal(onion_find(o, first.kid), onion_current(o));
	assert_true(onion_tick(o, NOW + 3600));
	assert_memory_equal(onion_current(o), &second, sizeof(second));
	assert_int_equal(onion_next(o)->from, NOW + 7200);
	assert_int_equal(onion_find(o, first.kid)->until, first.until);
	assert_int_equal(onion_due(o), NOW + 3600 + ONION_GRACE_S);
	assert_true(file_holds(first.secret));
	assert_false(onion_tick(o, onion_due(o)));
	assert_null(onion_find(o, first.kid));
	assert_false(file_holds(first.secret));
	assert_int_equal(onion_due(o), NOW + 7200);
	for (unsigned i = 2; i < 12; i++) {
		uint32_t next = onion_next(o)->kid;

		assert_true(onion_tick(o, NOW + i * 3600));
		assert_int_equal(onion_current(o)->kid, next);
	}
	/* Asleep for longer than what was promised: all new. */
	uint32_t kid = onion_next(o)->kid;
	assert_true(onion_tick(o, NOW + 20 * 3600));
	assert_null(onion_find(o, kid));
	onion_close(o);
}

static void clocks_that_fall_back(void **state)
{
	(void)state;
	need_mem();
	struct onion *o = open_at(1024, NOW);

	assert_int_equal(seen(o, 1, NOW + 50, NOW), VX6_OK);
	assert_false(onion_tick(o, NOW + 100));
	/* NOW + 50 may have been forgotten by now. */
	assert_int_equal(seen(o, 1, NOW + 50, NOW), VX6_EXPIRED);
	assert_int_equal(seen(o, 2, NOW + 120, NOW), VX6_OK);
	onion_close(o); /* the file remembers the time, too */
	o = open_at(1024, NOW);
	assert_false(is_fresh(o));
	assert_int_equal(seen(o, 3, NOW + 99, NOW), VX6_EXPIRED);
	uint32_t kid = onion_current(o)->kid;
	assert_false(onion_tick(o, NOW + 100 - ONION_BACK_S));
	assert_true(onion_tick(o, NOW + 99 - ONION_BACK_S));
	assert_null(onion_find(o, kid));
	onion_close(o);
}

/* Of a CREATE that is not open yet only E is known, and nobody vouches for
 * it: the answer is onion_seen's, and nothing is kept. */
static void asking_remembers_nothing(void **state)
{
	struct onion_stats s;
	uint8_t e[32];

	(void)state;
	need_mem();
	struct onion *o = open_at(1024, NOW);
	for (uint32_t i = 0; i < 5000; i++) { /* garbage */
		e_of(i, e);
		assert_int_equal(onion_ask(o, e, NOW), VX6_OK);
	}
	onion_stats(o, &s);
	assert_int_equal(s.keys, 0);
	for (uint32_t i = 0; i < 1024; i++)
		assert_int_equal(seen(o, i, NOW + 60, NOW), VX6_OK);
	e_of(1023, e);
	assert_int_equal(onion_ask(o, e, NOW + 60), VX6_REPLAYED);
	e_of(1024, e);
	assert_int_equal(onion_ask(o, e, NOW + 60), VX6_NO_ROOM);
	e_of(1023, e);
	assert_int_equal(onion_ask(o, e, NOW + 61), VX6_OK); /* forgotten */
	onion_stats(o, &s);
	assert_int_equal(s.replayed, 1);
	assert_int_equal(s.no_room, 1);
	onion_close(o);
}

static void replays_end_when_the_slot_does(void **state)
{
	static const struct {
		uint32_t e, expires, now;
		enum vx6_status want;
	} row[] = {
		{ 1, NOW + 60,  NOW,       VX6_OK       },
		{ 1, NOW + 60,  NOW,       VX6_REPLAYED },
		{ 1, NOW + 90,  NOW + 1,   VX6_REPLAYED }, /* another expiry */
		{ 2, NOW + 180, NOW,       VX6_OK       },
		{ 3, NOW + 182, NOW + 1,   VX6_EXPIRED  }, /* too far ahead */
		{ 3, NOW,       NOW + 1,   VX6_EXPIRED  },
		{ 4, NOW + 1,   NOW + 1,   VX6_OK       }, /* the last second */
		{ 4, NOW + 1,   NOW + 1,   VX6_REPLAYED },
		{ 1, NOW + 60,  NOW + 60,  VX6_REPLAYED },
		{ 1, NOW + 60,  NOW + 61,  VX6_EXPIRED  },
		{ 2, NOW + 180, NOW + 180, VX6_REPLAYED },
		{ 2, NOW + 181, NOW + 181, VX6_OK       }, /* forgotten, new slot */
	};

	(void)state;
	need_mem();
	struct onion *o = open_at(1024, NOW);
	for (unsigned i = 0; i < VX6_COUNT(row); i++)
		if (seen(o, row[i].e, row[i].expires, row[i].now) !=
		    row[i].want)
			fail_msg("row %u", i);
	onion_close(o);
}

static void agrees_with_the_model(void **state)
{
	enum { KEYS = 6000 };
	static uint32_t until[KEYS]; /* the model: 0, or remembered until */
	struct onion_stats s;
	uint64_t rng = 11;
	uint32_t now = NOW, live;

	(void)state;
	need_mem();
	struct onion *o = open_at(4096, NOW);
	for (unsigned i = 0; i < 400000; i++) {
		rng = rng * 6364136223846793005u + 1442695040888963407u;
		uint32_t n = (uint32_t)(rng >> 33) % KEYS;
		uint32_t expires = now + (uint32_t)(rng >> 50) % 181;
		enum vx6_status want = until[n] >= now ? VX6_REPLAYED : VX6_OK;

		if (seen(o, n, expires, now) != want)
			fail_msg("step %u", i);
		if (want == VX6_OK)
			until[n] = expires;
		now += (rng >> 20) % 50 == 0;
		if (i % 10000 != 0)
			continue;
		live = 0;
		for (unsigned k = 0; k < KEYS; k++)
			live += until[k] >= now;
		onion_tick(o, now);
		onion_stats(o, &s);
		assert_int_equal(s.keys, live);
	}
	onion_close(o);
}

/* Also that two sets of eight, half full, never turn one away early: at
 * the protocol's own limit of 2^21. */
static void full_at_the_limit_and_not_before(void **state)
{
	static const uint32_t keys[] = { 1024, 1500, 65536, ONION_KEYS_MAX };

	(void)state;
	need_mem();
	for (unsigned k = 0; k < VX6_COUNT(keys); k++) {
		struct onion *o = open_at(keys[k], NOW);
		struct onion_stats s;

		for (uint32_t n = 0; n < keys[k]; n++)
			if (seen(o, n, NOW + 60 + n % 60, NOW) != VX6_OK)
				fail_msg("%u of %u", n, keys[k]);
		assert_int_equal(seen(o, keys[k], NOW + 60, NOW), VX6_NO_ROOM);
		assert_int_equal(seen(o, 7, NOW + 60, NOW), VX6_REPLAYED);
		onion_stats(o, &s);
		assert_int_equal(s.keys, keys[k]);
		assert_int_equal(s.no_room, 1);
		/* One second later those of that second are room again. */
		assert_int_equal(seen(o, keys[k], NOW + 100, NOW + 61), VX6_OK);
		onion_close(o);
		unlink(fresh_in("onion.key"));
	}
}

static unsigned kills; /* so far */

static void *keep_seeing(void)
{
	return open_at(65536, NOW);
}

static bool see(void *onion, uint32_t n)
{
	return seen(onion, n + kills * 10000, NOW + 90, NOW) == VX6_OK;
}

static void a_kill_forgets_nothing(void **state)
{
	(void)state;
	need_mem();
	for (kills = 0; kills < 20; kills++) {
		uint32_t last = fresh_killed(50 + kills, keep_seeing, see);
		struct onion *o = open_at(65536, NOW);

		assert_true(last >= 50 + kills);
		assert_int_equal(is_fresh(o), false);
		for (uint32_t n = 1; n <= last; n++)
			assert_int_equal(
				seen(o, n + kills * 10000, NOW + 90, NOW),
				VX6_REPLAYED);
		onion_close(o);
	}
}

static void onion_refuses_to_start(void **state)
{
	struct onion_options o = opt(1024);
	struct onion *first, *second;

	(void)state;
	need_mem();
	first = open_at(1024, NOW);
	assert_int_equal(onion_open(&second, &o, NOW, &why), VX6_EXISTS);
	assert_non_null(strstr(why.text, "another process uses "));
	assert_null(second);
	onion_close(first);
	assert_int_equal(chmod(fresh_in("onion.key"), 0640), 0);
	assert_int_equal(onion_open(&second, &o, NOW, &why), VX6_CONFIG);
	assert_non_null(strstr(why.text, "with mode 0600: remove it"));
	o.replay_keys = ONION_KEYS_MAX + 1;
	assert_int_equal(onion_open(&second, &o, NOW, &why), VX6_CONFIG);
	o.replay_keys = 1024;
	o.run = "/nowhere/at/all";
	assert_int_equal(onion_open(&second, &o, NOW, &why), VX6_SYS);
}

static void a_disk_keeps_no_onion_key(void **state)
{
	struct onion_stats s;
	struct statfs fs;

	(void)state;
	assert_int_equal(statfs(fresh_dir, &fs), 0);
	if (fs.f_type == TMPFS_MAGIC) {
		print_message("# SKIP disk: /tmp is in memory\n");
		skip();
	}
	struct onion *o = open_at(1024, NOW);
	uint32_t kid = onion_current(o)->kid;
	onion_stats(o, &s);
	assert_false(s.named);
	assert_int_equal(seen(o, 1, NOW + 60, NOW), VX6_OK);
	assert_int_equal(seen(o, 1, NOW + 60, NOW), VX6_REPLAYED);
	assert_int_equal(files_in_dir(), 0);
	onion_close(o);
	o = open_at(1024, NOW);
	assert_null(onion_find(o, kid));
	onion_close(o);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)
#define IN_MEM(f) cmocka_unit_test_setup_teardown(f, make_mem, drop_dir)

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(seed_gives_the_published_key),
		IN_DIR(made_once_and_the_same_for_ever),
		IN_DIR(never_overwritten),
		IN_DIR(racing_processes_agree),
		IN_DIR(a_full_disk_leaves_nothing),
		IN_DIR(refused_in_words),
		IN_DIR(odd_files_are_refused),
		IN_DIR(a_damaged_key_is_refused),
		IN_DIR(of_another_user_is_refused),
		IN_DIR(signs_and_wipes),
		IN_DIR(state_dirs),
		IN_DIR(one_holder_of_the_lock),
		IN_MEM(onion_survives_a_restart),
		IN_MEM(lose_one_lose_both),
		IN_MEM(keys_rotate),
		IN_MEM(clocks_that_fall_back),
		IN_MEM(replays_end_when_the_slot_does),
		IN_MEM(asking_remembers_nothing),
		IN_MEM(agrees_with_the_model),
		IN_MEM(full_at_the_limit_and_not_before),
		IN_MEM(a_kill_forgets_nothing),
		IN_MEM(onion_refuses_to_start),
		IN_DIR(a_disk_keeps_no_onion_key),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("identity", test, NULL, NULL);
}
