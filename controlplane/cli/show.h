/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_SHOW_H
#define VX6_CONTROLPLANE_CLI_SHOW_H

/* show: numbers with their units, and lists as tables, for people.
 *
 *     static const struct show_column columns[] = {
 *             { "NODE", "node", SHOW_TEXT }, { "RTT", "rtt_ms", SHOW_MS },
 *     };
 *     show_list(cli, list, columns, VX6_COUNT(columns));
 *
 * A column names a member of the list's objects and how it is written.
 * Numbers stand on the right, a member that is absent, null or empty is a
 * dash, and control characters never reach the terminal. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "controlplane/cli/cli.h"
#include "dataplane/base/compiler.h"

#define SHOW_TEXT_LEN 32u /* of a number with its unit */

/* show_bytes: "17 B", "1.5 KiB"; show_ms: "0.41 ms", "1.20 s"; show_span:
 * seconds as "12 s", "3 min 5 s", "2 h 5 min", "3 d 4 h".  Return out. */
VX6_NONNULL const char *show_bytes(char out[SHOW_TEXT_LEN], uint64_t bytes);
VX6_NONNULL const char *show_ms(char out[SHOW_TEXT_LEN], double ms);
VX6_NONNULL const char *show_span(char out[SHOW_TEXT_LEN], uint64_t s);

enum show_kind {
	SHOW_TEXT,
	SHOW_ID,    /* a node ID, its first 12 characters */
	SHOW_STATE, /* a word that is good, bad or in between */
	SHOW_YES,   /* a boolean: yes or a dash */
	SHOW_PATH,  /* names of an array, joined */
	SHOW_COUNT,
	SHOW_MS,
	SHOW_SPAN,
	SHOW_BYTES
};

struct show_column {
	const char *title;
	const char *member;
	enum show_kind kind;
};

/* show_list writes the table of an array of objects. */
VX6_NONNULL void show_list(struct cli *cli, const json_t *list,
			   const struct show_column *col, size_t cnt);

/* show_value writes a member as a cell would; returns out. */
VX6_NONNULL_ARGS(2)
const char *show_value(const json_t *v, char *out, size_t len,
		       enum show_kind kind);

enum show_style {
	SHOW_PLAIN,
	SHOW_BOLD,
	SHOW_DIM,
	SHOW_GOOD,
	SHOW_WAIT,
	SHOW_BAD
};

/* show_on and show_off bracket a piece of text; both are "" without
 * colour. */
const char *show_on(bool colour, enum show_style style);
const char *show_off(bool colour, enum show_style style);

/* show_state_style judges a word such as "up" or "waiting". */
VX6_NONNULL enum show_style show_state_style(const char *word);

#endif
