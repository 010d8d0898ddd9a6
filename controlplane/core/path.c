/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/path.h"

static void swap(struct path_relay *a, struct path_relay *b)
{
	struct path_relay t = *a;

	*a = *b;
	*b = t;
}

/* Fisher and Yates's shuffle, then the unused ones to the front. */
static void shuffle(struct path_relay relay[], size_t n, struct vx6_rand *rnd)
{
	size_t front = 0;

	for (size_t i = n; i > 1; i--)
		swap(&relay[i - 1], &relay[vx6_rand_below(rnd, (uint32_t)i)]);
	for (size_t i = 0; i < n; i++)
		if (!relay[i].used)
			swap(&relay[front++], &relay[i]);
}

enum vx6_status path_draw(struct path_relay relay[], size_t n, unsigned cnt,
			  bool any_last, struct vx6_rand *rnd,
			  size_t pick[VX6_HOPS_MAX])
{
	size_t last = 0;
	unsigned have = 0;

	if (cnt == 0 || cnt >= VX6_HOPS_MAX || n < cnt)
		return VX6_NOT_FOUND;
	shuffle(relay, n, rnd);
	while (last < n && !any_last && !relay[last].last)
		last++;
	if (last == n)
		return VX6_NOT_FOUND;
	for (size_t i = 0; i < n && have + 1u < cnt; i++)
		if (i != last)
			pick[have++] = i;
	pick[have] = last;
	return VX6_OK;
}
