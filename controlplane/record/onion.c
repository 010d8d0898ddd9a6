/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/onion.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "controlplane/record/say.h"
#include "dataplane/base/bytes.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/kdf.h"

#define MAGIC   UINT64_C(0x5658364f4e494f31)
#define PAGE    4096u
#define WAYS    8u
#define KEYS    4u   /* previous, current, next and the one being made */
#define SECONDS 256u /* > VX6_EXPIRES_MAX: expiries in it are distinct */

_Static_assert(SECONDS > VX6_EXPIRES_MAX + 1u, "the ring of seconds");

struct entry {
	uint8_t print[12];
	uint32_t expires; /* below high: free */
};

struct set {
	struct entry way[WAYS];
};

struct head { /* the file's first page */
	_Atomic uint64_t magic;
	uint32_t sets;
	_Atomic uint32_t high; /* the highest time ever told */
	_Atomic uint32_t turn; /* key[turn % KEYS] is the current one */
	uint8_t sip_key[crypto_shorthash_siphashx24_KEYBYTES];
	struct onion_key key[KEYS];
};

_Static_assert(sizeof(struct head) <= PAGE, "the head is one page");
_Static_assert(sizeof(struct set) == 2 * VX6_CACHELINE, "two lines a set");

struct onion {
	struct head *head;
	struct set *set;
	size_t map_len;
	int fd;
	uint32_t rotate_s;
	uint32_t live;
	uint32_t ring[SECONDS]; /* entries by second of expiry */
	struct onion_stats stats;
};

/* ---- keys ---- */

static struct onion_key *key_at(const struct onion *o, unsigned ahead)
{
	uint32_t turn = atomic_load_explicit(&o->head->turn,
					     memory_order_relaxed);

	return &o->head->key[(turn + ahead) % KEYS];
}

static uint32_t high_of(const struct onion *o)
{
	return atomic_load_explicit(&o->head->high, memory_order_relaxed);
}

static bool kid_taken(const struct onion *o, const struct onion_key *but)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (&o->head->key[i] != but && o->head->key[i].until != 0 &&
		    o->head->key[i].kid == but->kid)
			return true;
	return false;
}

static void draw_key(struct onion *o, struct onion_key *k, uint32_t from)
{
	do {
		randombytes_buf(k->secret, sizeof(k->secret));
		crypto_scalarmult_base(k->public_key, k->secret);
		k->kid = vx6_kid(k->public_key);
	} while (kid_taken(o, k));
	k->from = from;
	k->until = from + o->rotate_s;
}

static bool key_good(const struct onion_key *k)
{
	uint8_t public_key[32];

	crypto_scalarmult_base(public_key, k->secret);
	return k->from < k->until && k->kid == vx6_kid(k->public_key) &&
	       memcmp(public_key, k->public_key, sizeof(public_key)) == 0;
}

/* Makes everything new: no key, no memory of what old ones opened. */
static void renew(struct onion *o, uint32_t now_s)
{
	struct head *h = o->head;

	atomic_store_explicit(&h->magic, 0, memory_order_seq_cst);
	sodium_memzero(h->key, sizeof(h->key));
	memset(o->set, 0, (size_t)h->sets * sizeof(*o->set));
	memset(o->ring, 0, sizeof(o->ring));
	o->live = 0;
	randombytes_buf(h->sip_key, sizeof(h->sip_key));
	atomic_store_explicit(&h->turn, 0, memory_order_relaxed);
	atomic_store_explicit(&h->high, now_s, memory_order_relaxed);
	draw_key(o, &h->key[0], now_s);
	draw_key(o, &h->key[1], h->key[0].until);
	atomic_store_explicit(&h->magic, MAGIC, memory_order_seq_cst);
}

/* The next key becomes the current one.  The new next is whole before the
 * turn moves, so a process that dies anywhere leaves a good pair. */
static void rotate(struct onion *o)
{
	struct onion_key *fresh = key_at(o, 2);

	sodium_memzero(fresh, sizeof(*fresh));
	draw_key(o, fresh, key_at(o, 1)->until);
	atomic_fetch_add_explicit(&o->head->turn, 1, memory_order_seq_cst);
}

/* ---- time ---- */

/* Moves `high` to now_s; entries whose second is over stop counting. */
static void advance(struct onion *o, uint32_t now_s)
{
	uint32_t high = high_of(o);

	if (now_s <= high)
		return;
	for (uint32_t i = 0; i < SECONDS && high + i < now_s; i++) {
		uint32_t *n = &o->ring[(high + i) % SECONDS];

		o->live -= *n;
		*n = 0;
	}
	atomic_store_explicit(&o->head->high, now_s, memory_order_relaxed);
}

bool onion_tick(struct onion *o, uint32_t now_s)
{
	struct onion_key *previous = key_at(o, KEYS - 1u);

	if (now_s + ONION_BACK_S < high_of(o) ||
	    key_at(o, 1)->until <= now_s) { /* fell back, or slept too long */
		renew(o, now_s);
		return true;
	}
	advance(o, now_s);
	if (previous->until != 0 && previous->until + ONION_GRACE_S <= now_s)
		sodium_memzero(previous, sizeof(*previous));
	if (key_at(o, 0)->until > now_s)
		return false;
	rotate(o);
	return true;
}

uint32_t onion_due(const struct onion *o)
{
	const struct onion_key *previous = key_at(o, KEYS - 1u);
	uint32_t due = key_at(o, 0)->until;

	if (previous->until != 0 && previous->until + ONION_GRACE_S < due)
		due = previous->until + ONION_GRACE_S;
	return due;
}

const struct onion_key *onion_current(const struct onion *o)
{
	return key_at(o, 0);
}

const struct onion_key *onion_next(const struct onion *o)
{
	return key_at(o, 1);
}

const struct onion_key *onion_find(const struct onion *o, uint32_t kid)
{
	static const unsigned order[] = { 0, 1, KEYS - 1u };

	for (unsigned i = 0; i < VX6_COUNT(order); i++) {
		const struct onion_key *k = key_at(o, order[i]);

		if (k->until != 0 && k->kid == kid)
			return k;
	}
	return NULL;
}

/* ---- the cache ---- */

static bool is_live(const struct onion *o, const struct entry *e)
{
	return e->expires >= high_of(o);
}

/* Returns whether print stands in s; counts what is free. */
static bool look(const struct onion *o, struct set *s, const uint8_t print[12],
		 struct entry **room, unsigned *free_cnt)
{
	*room = NULL;
	*free_cnt = 0;
	for (unsigned i = 0; i < WAYS; i++) {
		struct entry *e = &s->way[i];

		if (!is_live(o, e)) {
			*room = e;
			(*free_cnt)++;
		} else if (memcmp(e->print, print, sizeof(e->print)) == 0) {
			return true;
		}
	}
	return false;
}

/* Where e is to stand, with its fingerprint in hash. */
static enum vx6_status place_of(const struct onion *o, const uint8_t e[32],
				uint8_t hash[crypto_shorthash_siphashx24_BYTES],
				struct entry **to)
{
	struct entry *room[2];
	unsigned free_cnt[2];

	crypto_shorthash_siphashx24(hash, e, 32, o->head->sip_key);
	const uint8_t *print = hash + 4;
	struct set *a = &o->set[vx6_get32(hash) % o->head->sets];
	struct set *b = &o->set[vx6_get32(print) % o->head->sets];
	vx6_prefetch(b);
	if (look(o, a, print, &room[0], &free_cnt[0]) ||
	    look(o, b, print, &room[1], &free_cnt[1]))
		return VX6_REPLAYED;
	*to = free_cnt[1] > free_cnt[0] ? room[1] : room[0];
	return *to == NULL || o->live >= o->stats.keys_max ? VX6_NO_ROOM
							   : VX6_OK;
}

static enum vx6_status remember(struct onion *o, const uint8_t e[32],
				uint32_t expires)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
	struct entry *to;
	enum vx6_status st = place_of(o, e, hash, &to);

	if (st != VX6_OK)
		return st;
	memcpy(to->print, hash + 4, sizeof(to->print));
	atomic_signal_fence(memory_order_release); /* killed here: still free */
	to->expires = expires;
	o->ring[expires % SECONDS]++;
	o->live++;
	return VX6_OK;
}

static void count_refused(struct onion *o, enum vx6_status st)
{
	o->stats.replayed += st == VX6_REPLAYED;
	o->stats.no_room += st == VX6_NO_ROOM;
}

enum vx6_status onion_seen(struct onion *o, const uint8_t e[32],
			   uint32_t expires, uint32_t now_s)
{
	advance(o, now_s);
	if (expires < high_of(o) || expires > now_s + VX6_EXPIRES_MAX) {
		o->stats.expired++;
		return VX6_EXPIRED;
	}
	enum vx6_status st = remember(o, e, expires);
	o->stats.seen += st == VX6_OK;
	count_refused(o, st);
	return st;
}

enum vx6_status onion_ask(struct onion *o, const uint8_t e[32], uint32_t now_s)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
	struct entry *to;

	advance(o, now_s);
	enum vx6_status st = place_of(o, e, hash, &to);
	count_refused(o, st);
	return st;
}

void onion_stats(const struct onion *o, struct onion_stats *s)
{
	*s = o->stats;
	s->keys = o->live;
}

/* ---- the memory ---- */

/* Counts the entries that another process of ours left; false when one of
 * them cannot be from us. */
static bool recount(struct onion *o)
{
	uint32_t high = high_of(o);

	for (uint32_t s = 0; s < o->head->sets; s++) {
		for (unsigned i = 0; i < WAYS; i++) {
			uint32_t expires = o->set[s].way[i].expires;

			if (expires < high)
				continue;
			if (expires - high > VX6_EXPIRES_MAX)
				return false;
			o->ring[expires % SECONDS]++;
			o->live++;
		}
	}
	return true;
}

static bool usable(struct onion *o, uint32_t sets)
{
	return atomic_load(&o->head->magic) == MAGIC && o->head->sets == sets &&
	       key_good(key_at(o, 0)) && key_good(key_at(o, 1)) && recount(o);
}

static enum vx6_status judge(const char *path, int fd, struct state_why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return state_say(why, VX6_SYS, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0600)
		return state_say(why, VX6_CONFIG,
				 "%s is not a plain file of ours with mode "
				 "0600: remove it",
				 path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return state_say(why, VX6_EXISTS,
				 "another process uses %s: stop it, or give "
				 "this one another --run directory",
				 path);
	return VX6_OK;
}

static bool is_memory(int dirfd)
{
	struct statfs fs;

	return fstatfs(dirfd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Opens the file in RUN, or memory without a name where that is a disk. */
static enum vx6_status open_memory(struct onion *o, const char *run,
				   struct state_why *why)
{
	char path[PATH_MAX];
	int dirfd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return state_say(why, VX6_SYS, "%s: %s", run, strerror(errno));
	o->stats.named = is_memory(dirfd);
	snprintf(path, sizeof(path), "%s/" ONION_FILE, run);
	if (o->stats.named)
		o->fd = openat(dirfd, ONION_FILE,
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	else
		o->fd = memfd_create("vx6-onion", MFD_CLOEXEC);
	int err = errno;
	close(dirfd);
	if (o->fd < 0)
		return state_say(why, VX6_SYS, "%s: %s", path, strerror(err));
	return o->stats.named ? judge(path, o->fd, why) : VX6_OK;
}

static enum vx6_status size_memory(struct onion *o, struct state_why *why)
{
	struct stat st;

	/* Room for all of it now: a full tmpfs later would be a SIGBUS. */
	if (fstat(o->fd, &st) != 0 ||
	    (st.st_size != (off_t)o->map_len && ftruncate(o->fd, 0) != 0))
		return state_say(why, VX6_SYS, "onion keys: %s",
				 strerror(errno));
	int err = posix_fallocate(o->fd, 0, (off_t)o->map_len);
	if (err != 0)
		return state_say(
			why, VX6_SYS,
			"%zu bytes for the replay cache: %s; free some "
			"memory or lower limits.replay_keys",
			o->map_len, strerror(err));
	void *p = mmap(NULL, o->map_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       o->fd, 0);
	if (p == MAP_FAILED)
		return state_say(why, VX6_NO_MEMORY, "onion keys: %s",
				 strerror(errno));
	o->head = p;
	o->set = (struct set *)((uint8_t *)p + PAGE);
	mlock(p, PAGE); /* a wish: keys should not reach swap */
	madvise(p, o->map_len, MADV_DONTDUMP);
	return VX6_OK;
}

enum vx6_status onion_open(struct onion **out, const struct onion_options *opt,
			   uint32_t now_s, struct state_why *why)
{
	uint32_t sets = 1;

	*out = NULL;
	if (opt->replay_keys < ONION_KEYS_MIN ||
	    opt->replay_keys > ONION_KEYS_MAX || opt->rotate_s < 60)
		return state_say(why, VX6_CONFIG,
				 "replay cache of %u keys, rotated after %u s: "
				 "%u to %u, and at least 60 s",
				 opt->replay_keys, opt->rotate_s,
				 ONION_KEYS_MIN, ONION_KEYS_MAX);
	while (sets * WAYS < 2 * opt->replay_keys) /* half full at the limit */
		sets *= 2;
	struct onion *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return state_say(why, VX6_NO_MEMORY, "onion keys: no memory");
	o->fd = -1;
	o->rotate_s = opt->rotate_s;
	o->stats.keys_max = opt->replay_keys;
	o->map_len = PAGE + sets * sizeof(struct set);
	enum vx6_status st = open_memory(o, opt->run, why);
	if (st == VX6_OK)
		st = size_memory(o, why);
	if (st != VX6_OK) {
		onion_close(o);
		return st;
	}
	assert(o->head != NULL);
	if (!usable(o, sets)) {
		o->head->sets = sets;
		renew(o, now_s);
		o->stats.fresh = true;
	}
	onion_tick(o, now_s);
	*out = o;
	return VX6_OK;
}

void onion_close(struct onion *o)
{
	if (o == NULL)
		return;
	if (o->head != NULL) {
		if (!o->stats.named)
			sodium_memzero(o->head, PAGE);
		munmap(o->head, o->map_len);
	}
	if (o->fd >= 0)
		close(o->fd);
	free(o);
}
