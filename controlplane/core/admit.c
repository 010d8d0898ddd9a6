/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/admit.h"

#include <assert.h>
#include <string.h>

void admit_init(struct admit *a, struct admit_one one[], uint32_t max)
{
	*a = (struct admit){ .one = one, .max = max };
}

static bool same(const uint8_t a[32], const uint8_t b[32])
{
	return memcmp(a, b, 32) == 0;
}

enum vx6_status admit_enter(struct admit *a, const uint8_t e[32],
			    const uint8_t who[32], uint32_t each)
{
	uint32_t theirs = 0;

	for (uint32_t i = 0; i < a->cnt; i++) {
		if (same(a->one[i].e, e)) {
			a->twins++;
			return VX6_REPLAYED;
		}
		theirs += same(a->one[i].who, who);
	}
	if (theirs >= each) {
		a->share++;
		return VX6_RATE;
	}
	if (a->cnt >= a->max) {
		a->full++;
		return VX6_NO_ROOM;
	}
	memcpy(a->one[a->cnt].e, e, 32);
	memcpy(a->one[a->cnt].who, who, 32);
	a->cnt++;
	a->in++;
	if (a->cnt > a->most)
		a->most = a->cnt;
	return VX6_OK;
}

void admit_leave(struct admit *a, const uint8_t e[32])
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		if (!same(a->one[i].e, e))
			continue;
		a->one[i] = a->one[--a->cnt];
		return;
	}
	assert(false);
}
