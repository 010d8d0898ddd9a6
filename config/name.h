/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_NAME_H
#define VX6_CONFIG_NAME_H

/* name: what users, services and nodes may be called: [a-z0-9-]{1,15}.
 *
 * One rule, one place: the configuration, records and messages from the
 * network, and the registry all ask here. */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/compiler.h"

#define NAME_MAX_LEN   15u
#define NAME_TEXT      16u /* with NUL */
#define FAMILY_MAX_LEN 31u
#define FAMILY_TEXT    32u /* with NUL */

/* What a name may be, for people. */
#define NAME_RULE "1 to 15 of the characters a-z, 0-9 and -"

/* name_ok says whether s[0..len) is a name. */
VX6_MUST_CHECK VX6_NONNULL bool name_ok(const char *s, size_t len);

/* family_ok says whether s[0..len) may be a family: the characters of a
 * name, 1 to 31 of them. */
VX6_MUST_CHECK VX6_NONNULL bool family_ok(const char *s, size_t len);

#endif
