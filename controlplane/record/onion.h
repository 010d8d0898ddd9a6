/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_ONION_H
#define VX6_CONTROLPLANE_RECORD_ONION_H

/* onion: the keys that open CREATE's slots, and the memory of what they
 * opened (PROTOCOL.md section 7).
 *
 * Both live in one file in memory, RUN/onion.key, so that neither survives
 * without the other: a cache that came back empty under an old key would
 * let every recorded CREATE in again.  When the file is lost, damaged or
 * of another size, all is made anew: new keys, an empty cache, a new
 * record to publish; who still uses the old kid is answered "unknown key".
 * When RUN is not on tmpfs (a disk's copy may be older than what we
 * promised to remember) the memory has no name and ends with the process.
 *
 *            from            until        until + grace
 *     next ----> current ------> previous ------> forgotten (wiped)
 *
 * A record names current and next with their times, so that an origin
 * changes keys without asking; all three open slots, for clocks differ.
 *
 * The cache: sets of 8 fingerprints (96 bits of SipHash under a key of the
 * file's own) with their expiry; an E may stand in either of two sets and
 * an expired entry is free room.  No list, no clean-up, and a process
 * killed between any two stores leaves a valid cache.  Entries per second
 * of expiry are counted, so the limit and the metric are exact.
 *
 * The clock: `now` is the highest ever told (in the file, too); a slot
 * that expires before that is refused, for its E may have been forgotten.
 * A clock that falls back by more than ONION_BACK_S makes new keys.
 *
 * Ownership: onion_open allocates.  Secret: wiped on close and rotation.
 * Threads: one; give a pool's thread a copy of struct onion_key.
 * Cost: onion_seen and onion_ask touch 4 cache lines; 32 bytes a key of
 * memory. */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/record/state.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define ONION_FILE     "onion.key"
#define ONION_KEYS_MIN 1024u
#define ONION_KEYS_MAX (1u << 21)
#define ONION_GRACE_S  300u /* a key opens slots for so long after until */
#define ONION_BACK_S   600u /* clock falling back further: new keys */

struct onion;

struct onion_key { /* secret, but for the record's part */
	uint8_t secret[32];
	uint8_t public_key[32];
	uint32_t kid;
	uint32_t from, until; /* unix seconds */
};

struct onion_options {
	const char *run;      /* directory */
	uint32_t replay_keys; /* ONION_KEYS_MIN..MAX; exact limit */
	uint32_t rotate_s;    /* life of a key, from..until; >= 60 */
};

struct onion_stats {
	uint32_t keys; /* remembered now */
	uint32_t keys_max;
	uint64_t seen, replayed, no_room, expired; /* answers */
	bool named; /* the memory outlives the process */
	bool fresh; /* onion_open found none that could be used */
};

/* onion_open finds or makes RUN/onion.key at the time now_s.  VX6_EXISTS
 * when another process uses it; VX6_CONFIG, VX6_SYS, VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
onion_open(struct onion **o, const struct onion_options *opt, uint32_t now_s,
	   struct state_why *why);

/* onion_close keeps the file.  Harmless on NULL. */
void onion_close(struct onion *o);

/* onion_tick rotates what is due; true: the keys changed, publish a new
 * record.  onion_due says when to call it, in unix seconds. */
VX6_NONNULL bool onion_tick(struct onion *o, uint32_t now_s);
VX6_NONNULL uint32_t onion_due(const struct onion *o);

/* onion_current and onion_next are for the record. */
VX6_NONNULL const struct onion_key *onion_current(const struct onion *o);
VX6_NONNULL const struct onion_key *onion_next(const struct onion *o);

/* onion_find returns the key of that kid, current, next or previous, or
 * NULL: answer "unknown key". */
VX6_NONNULL const struct onion_key *onion_find(const struct onion *o,
					       uint32_t kid);

/* onion_seen remembers e until expires (unix seconds, inclusive) when it is
 * new.  VX6_OK; VX6_REPLAYED; VX6_EXPIRED: expires is past, or so far
 * ahead (over VX6_EXPIRES_MAX) that it must not be remembered; VX6_NO_ROOM:
 * the cache is full, refuse the CREATE and count it. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status onion_seen(struct onion *o,
						      const uint8_t e[32],
						      uint32_t expires,
						      uint32_t now_s);

/* onion_ask says before a slot is open what onion_seen would say of its e,
 * as far as that can be known: VX6_OK, VX6_REPLAYED, VX6_NO_ROOM.  It
 * remembers nothing: of e's sender nothing is proved yet. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
onion_ask(struct onion *o, const uint8_t e[32], uint32_t now_s);

VX6_NONNULL void onion_stats(const struct onion *o, struct onion_stats *s);

#endif
