/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_RULES_H
#define VX6_CONFIG_RULES_H

/* rules: what must hold between fields, each of which is fine alone.
 * For this room only. */

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct config_rule { /* a broken one: which field to complain about */
	struct {
		const char *key;
		size_t idx;
		bool is_idx;
	} step[3];
	char expected[192]; /* what would be right, for people */
};

/* config_broken_rule finds the first broken one; false: all hold. */
VX6_MUST_CHECK VX6_NONNULL bool config_broken_rule(const struct config *c,
						   struct config_rule *rule);

#endif
