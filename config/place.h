/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_PLACE_H
#define VX6_CONFIG_PLACE_H

/* place: where in a JSON text a value stands.
 *
 * jansson forgets positions once it has parsed, and errors are about
 * positions.  So when there is one to tell, the text (which jansson has
 * accepted) is scanned again for the path in question; nothing is kept
 * and nothing is spent on good documents.
 *
 * Pure.  For this room only. */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/compiler.h"

#define PLACE_DEPTH 8u

struct place {
	unsigned line, column; /* from 1; columns count characters */
	const char *text;      /* the token as written: a string with its
				  quotes, a number, a word, { or [ */
	size_t len;
};

struct place_step {      /* one step down from the top */
	const char *key; /* of an object, or NULL: */
	size_t idx;      /* in a list */
};

/* place_find finds the value at step[0..n) in text, and (where the last
 * step has a key) its key.  n 0 is the whole document.  Of a key written
 * twice it is the last.  False when there is none. */
VX6_NONNULL_ARGS(1, 5, 6)
bool place_find(const char *text, size_t len, const struct place_step step[],
		unsigned n, struct place *key, struct place *value);

/* place_twice finds a key that comes twice in one object: path gets its
 * steps joined as "a.b[1].c". */
VX6_NONNULL bool place_twice(const char *text, size_t len, struct place *first,
			     struct place *second, char *path, size_t cap);

/* place_escaped finds the first key that is written with a \ escape. */
VX6_NONNULL bool place_escaped(const char *text, size_t len, struct place *key);

/* place_too_deep finds the first { or [ deeper than PLACE_DEPTH. */
VX6_NONNULL bool place_too_deep(const char *text, size_t len, struct place *at);

#endif
