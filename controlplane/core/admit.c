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

static bool near(const struct vx6_xdp_prefix *a, const struct vx6_xdp_prefix *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

enum vx6_status admit_enter(struct admit *a, const uint8_t e[32],
			    const struct admit_from *from,
			    const struct admit_share *each)
{
	uint32_t session = 0, prefix = 0;

	for (uint32_t i = 0; i < a->cnt; i++) {
		if (same(a->one[i].e, e)) {
			a->twins++;
			return VX6_REPLAYED;
		}
		session += same(a->one[i].from.who, from->who);
		prefix += near(&a->one[i].from.prefix, &from->prefix);
	}
	if (session >= each->session) {
		a->session++;
		return VX6_RATE;
	}
	if (prefix >= each->prefix) {
		a->prefix++;
		return VX6_RATE;
	}
	if (a->cnt >= a->max) {
		a->full++;
		return VX6_NO_ROOM;
	}
	memcpy(a->one[a->cnt].e, e, 32);
	a->one[a->cnt++].from = *from;
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
