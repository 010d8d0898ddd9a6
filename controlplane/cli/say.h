/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_SAY_H
#define VX6_CONTROLPLANE_CLI_SAY_H

/* say: values as people type them, and small words about JSON. */

#include <jansson.h>

#include "controlplane/cli/cli.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"

/* say_addr reads "8080", ":8080", "127.0.0.1:8080", "[::1]:8080" or
 * "localhost:8080" and writes the form of vx6_addr_text; a port alone is
 * on 127.0.0.1.  opt is the option's name for the message, NULL for an
 * argument. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 3, 4) int say_addr(struct cli *cli,
						      const char *opt,
						      const char *text,
						      char out[VX6_ADDR_TEXT]);

/* say_split makes an array of "a,b,c"; empty parts are kept as "". */
VX6_NONNULL json_t *say_split(const char *list);

/* say_count reads a whole number from least to most. */
VX6_MUST_CHECK VX6_NONNULL int say_count(struct cli *cli, const char *opt,
					 const char *text, unsigned least,
					 unsigned most, unsigned *out);

/* Strings in answers may be a stranger's: none of them reaches a terminal
 * with a control character in it.  say_is_plain: it has none; say_clean
 * makes each a question mark. */
VX6_NONNULL bool say_is_plain(const char *text);
VX6_NONNULL void say_clean(char *text);

/* say_string returns a string value, cleaned in place, "" where it is none;
 * say_text a member of doc likewise; say_name returns `none` for an empty
 * one, too. */
const char *say_string(json_t *v);
VX6_NONNULL_ARGS(2) const char *say_text(const json_t *doc, const char *member);
VX6_NONNULL_ARGS(2, 3)
const char *say_name(const json_t *doc, const char *member, const char *none);

#endif
