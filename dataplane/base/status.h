/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_STATUS_H
#define VX6_DATAPLANE_BASE_STATUS_H

/* What went wrong, and what the caller owes the world because of it.
 *
 * One list feeds three readers: the enum, the text for logs, and the
 * drop counters.  A status added here is counted and printable with no
 * second edit, and a switch that forgets it does not compile.
 *
 * The third column is the consequence, and it is the important one:
 *
 *   NONE   success
 *   DROP   this datagram or message ends here; peer and circuit live on
 *   SHED   we are full; same as DROP, but an operator should know
 *   CLOSE  this peer, circuit or request ends here; the process lives on
 *   BOOT   only start-up code may meet this one; the process exits
 *
 * No bytes from the network may ever lead to BOOT.  tests/fuzz holds
 * us to it. */

/* clang-format off */
#define VX6_STATUS_LIST(X)                                                 \
	X(OK,          NONE,  "ok")                                        \
	X(TRUNCATED,   DROP,  "input ends inside a field")                 \
	X(MALFORMED,   DROP,  "field holds a value not allowed")           \
	X(BAD_VERSION, DROP,  "version is not ours")                       \
	X(BAD_SIZE,    DROP,  "size does not fit the header or circuit")   \
	X(BAD_KIND,    DROP,  "kind is not allowed here")                  \
	X(NO_LINK,     DROP,  "no link has this index")                    \
	X(BAD_SOURCE,  DROP,  "source address is not the link's")          \
	X(NO_CIRCUIT,  DROP,  "no circuit has this id")                    \
	X(BAD_TAG,     DROP,  "authentication failed")                     \
	X(REPLAYED,    DROP,  "counter already accepted or too old")       \
	X(OUT_OF_RANGE, DROP, "counter outside the direction's range")     \
	X(EXHAUSTED,   DROP,  "half-circuit has used all its counters")    \
	X(NO_ROUTE,    DROP,  "outgoing link has no address")              \
	X(RATE,        SHED,  "more than its rate allows")                 \
	X(CONGESTED,   SHED,  "more than the way out takes")               \
	X(NO_ROOM,     SHED,  "a configured limit is reached")             \
	X(AGAIN,       SHED,  "would block; try when writable")            \
	X(HANDED_OFF,  SHED,  "the worker it belongs to has no room")      \
	X(EXISTS,      CLOSE, "there is one already")                      \
	X(NOT_FOUND,   CLOSE, "there is none")                             \
	X(DENIED,      CLOSE, "not allowed")                               \
	X(BAD_KEY,     CLOSE, "key is not usable")                         \
	X(BAD_SIGNATURE, CLOSE, "signature does not hold")                 \
	X(WRONG_IDENTITY, CLOSE, "peer proved another identity")           \
	X(STALE,       CLOSE, "an older one than is known")                \
	X(EXPIRED,     CLOSE, "deadline or validity passed")               \
	X(BAD_STATE,   CLOSE, "peer spoke out of turn")                    \
	X(UNREACHABLE, CLOSE, "peer cannot be reached")                    \
	X(CLOSED,      CLOSE, "closed by the other side")                  \
	X(UNSUPPORTED, CLOSE, "not offered on this host")                  \
	X(CONFIG,      BOOT,  "configuration is not usable")               \
	X(NO_MEMORY,   BOOT,  "memory could not be had")                   \
	X(SYS,         BOOT,  "operating system refused, see errno")

enum vx6_status {
#define X(name, owed, text) VX6_##name,
	VX6_STATUS_LIST(X)
#undef X
	VX6_STATUS_CNT
};
/* clang-format on */

enum vx6_owed {
	VX6_OWE_NONE,
	VX6_OWE_DROP,
	VX6_OWE_SHED,
	VX6_OWE_CLOSE,
	VX6_OWE_BOOT
};

/* vx6_status_text returns a sentence fragment for people; static. */
const char *vx6_status_text(enum vx6_status st);

/* vx6_status_name returns the list's own name ("BAD_TAG"), for
 * metrics and JSON; static. */
const char *vx6_status_name(enum vx6_status st);

enum vx6_owed vx6_status_owed(enum vx6_status st);

#endif
