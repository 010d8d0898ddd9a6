/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/path.h"

static void swap(struct path_relay *a, struct path_relay *b)
{
	struct path_relay t = *a;

	*a = *b;
	*b = t;
}

/* Fisher and Yates's shuffle, then the unused ones to the front; how many
 * these are. */
static size_t shuffle(struct path_relay relay[], size_t n, struct vx6_rand *rnd)
{
	size_t front = 0;

	for (size_t i = n; i > 1; i--)
		swap(&relay[i - 1], &relay[vx6_rand_below(rnd, (uint32_t)i)]);
	for (size_t i = 0; i < n; i++)
		if (!relay[i].used)
			swap(&relay[front++], &relay[i]);
	return front;
}

/* One of those that will do as the last, each as likely; an unused one if
 * there is any.  n: there is none. */
static size_t draw_last(const struct path_relay relay[], size_t n,
			bool any_last, struct vx6_rand *rnd)
{
	size_t last = n;
	uint32_t alike = 0;

	for (size_t i = 0; i < n; i++) {
		if (!any_last && !relay[i].last)
			continue;
		if (last < n && relay[i].used && !relay[last].used)
			continue;
		if (last < n && !relay[i].used && relay[last].used)
			alike = 0;
		if (vx6_rand_below(rnd, ++alike) == 0)
			last = i;
	}
	return last;
}

/* An end for the next circuit: when the first cnt of the n unused relays have
 * every one that can be an end, one of these, each as likely, gives its place
 * to the first of the others. */
static void leave_one(struct path_relay relay[], size_t n, size_t cnt,
		      struct vx6_rand *rnd)
{
	size_t out = cnt;
	uint32_t alike = 0;

	for (size_t i = cnt; i < n; i++)
		if (relay[i].last)
			return;
	for (size_t i = 0; i < cnt && cnt < n; i++)
		if (relay[i].last && vx6_rand_below(rnd, ++alike) == 0)
			out = i;
	if (out < cnt)
		swap(&relay[out], &relay[cnt]);
}

/* The last one is drawn first and set aside: taken out of a shuffled list
 * it would leave a list in which the other possible last ones come late. */
enum vx6_status path_draw(struct path_relay relay[], size_t n, unsigned cnt,
			  bool any_last, struct vx6_rand *rnd,
			  size_t pick[VX6_HOPS_MAX])
{
	size_t last;

	if (cnt == 0 || cnt >= VX6_HOPS_MAX || n < cnt)
		return VX6_NOT_FOUND;
	last = draw_last(relay, n, any_last, rnd);
	if (last == n)
		return VX6_NOT_FOUND;
	swap(&relay[last], &relay[n - 1]);
	leave_one(relay, shuffle(relay, n - 1, rnd), cnt - 1, rnd);
	for (unsigned i = 0; i + 1u < cnt; i++)
		pick[i] = i;
	pick[cnt - 1] = n - 1;
	return VX6_OK;
}
