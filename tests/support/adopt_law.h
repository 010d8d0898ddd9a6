/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_ADOPT_LAW_H
#define VX6_TESTS_SUPPORT_ADOPT_LAW_H

/* adopt_law: what must hold of any dump that was judged, however odd.
 *
 *   links   kept ones have different indices below the limit and different
 *           nodes behind them, none of them us, none down
 *   halves  kept ones come in twos that name each other, FORWARD and
 *           BACKWARD, over kept links turned round, with different ids
 *   verdict one of three; only a number that was said before is AGAIN
 *
 * adopt_row_* make rows with notes that fit, for tests to spoil. */

#include "controlplane/core/adopt.h"

/* adopt_law judges a and returns the law that is broken, or NULL. */
const char *adopt_law(struct adopt *a);

/* A link's row: index, the other end's index, and a node ID of one byte. */
struct adopt_link adopt_row_link(uint32_t index, uint32_t peer_index,
				 uint8_t node);

/* The two rows of a circuit from prev's link to next's, at `to`. */
void adopt_row_pair(struct adopt_half to[2], uint32_t f, uint32_t b,
		    const struct adopt_link *prev,
		    const struct adopt_link *next);

#endif
