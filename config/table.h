/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_TABLE_H
#define VX6_CONFIG_TABLE_H

/* table: one row for each field of the configuration.  Everything that is
 * known about a field stands in its row; config.c (checks, defaults) and
 * emit.c (schema, reference, example) only read rows.
 *
 * For this room only; others use config.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

enum field_type {
	FIELD_BOOL,
	FIELD_INT,     /* whole number, stored in 2, 4 or 8 bytes */
	FIELD_SECONDS, /* number, stored as uint64_t nanoseconds */
	FIELD_NAME,    /* name.h */
	FIELD_FAMILY,
	FIELD_GROUP,  /* of the system's users */
	FIELD_IFNAME, /* a network interface */
	FIELD_WORDY,  /* printable, no space; at most max characters */
	FIELD_WORD,   /* one of `words`; stored as its index, an enum */
	FIELD_ADDR,   /* "address:port" into struct vx6_addr; min: port */
	FIELD_IP,     /* address alone, into struct vx6_addr's ip */
	FIELD_ID,     /* node ID, 32 bytes */
	FIELD_PATH,   /* absolute, at most max characters */
	FIELD_OBJECTS /* list of objects, whose fields follow as path[].x */
};

struct field {
	const char *path;    /* "section.key", "key" or "list[].key" */
	const char *help;    /* sentences */
	const char *preset;  /* JSON; NULL: none, the field stays empty */
	const char *example; /* JSON; NULL: not in the example */
	const char *unit;    /* for people; NULL: none */
	const char *const *words;
	double min, max;
	enum field_type type;
	bool live; /* a running node could take a change; none is told yet */
	bool required;                   /* in objects of a list */
	size_t offset, size, cnt_offset; /* in struct config, or the item */
	uint32_t list_min, list_max;     /* list_max 0: not a list */
};

struct section {
	const char *key;
	const char *help;
};

extern const struct field config_field[];
extern const unsigned config_field_cnt;
extern const struct section config_section[];
extern const unsigned config_section_cnt;

/* field_is_in says whether f is a field of section key ("" for the top). */
VX6_NONNULL bool field_is_in(const struct field *f, const char *key);
/* field_is_item says whether f is a field of the objects in list key. */
VX6_NONNULL bool field_is_item(const struct field *f, const char *key);
/* field_key is the last part of f's path. */
VX6_NONNULL const char *field_key(const struct field *f);

/* field_rule writes what a value of f (an entry, when f is a list) must be,
 * for people: "a whole number from 1 to 7"; returns out. */
VX6_NONNULL const char *field_rule(const struct field *f, char *out,
				   size_t cap);

#endif
