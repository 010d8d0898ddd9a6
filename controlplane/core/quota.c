/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/core/quota.h"

#define DAY_S   UINT64_C(86400)
#define ERA     146097u /* days of 400 years */
#define CENTURY 36524u
#define FOUR    1461u

struct date {
	uint64_t year;  /* that begins in March, so that leap days end it */
	uint64_t month; /* 0 = March */
	uint64_t day;   /* 1 .. */
};

/* Days from 1 March 0000 to the first of that month. */
static uint64_t days_to(uint64_t year, uint64_t month)
{
	return year * 365u + year / 4u - year / 100u + year / 400u +
	       (153u * month + 2u) / 5u;
}

#define EPOCH 719468u /* days from 1 March 0000 to 1 January 1970 */

static struct date date_of(uint64_t now_s)
{
	uint64_t days = now_s / DAY_S + EPOCH, in_era = days % ERA, in_year;
	struct date d;

	d.year = (in_era - in_era / (FOUR - 1u) + in_era / CENTURY -
		  in_era / (ERA - 1u)) /
		 365u;
	d.year += days / ERA * 400u;
	in_year = days - days_to(d.year, 0);
	d.month = (5u * in_year + 2u) / 153u;
	d.day = in_year - (153u * d.month + 2u) / 5u + 1u;
	return d;
}

static uint64_t start_of(uint64_t year, uint64_t month, unsigned day)
{
	return (days_to(year, month) + day - 1u - EPOCH) * DAY_S;
}

void quota_month(uint64_t now_s, unsigned day, uint64_t *start_s,
		 uint64_t *end_s)
{
	struct date d = date_of(now_s);

	if (d.day < day) { /* it began in the month before */
		d.year -= d.month == 0;
		d.month = d.month == 0 ? 11 : d.month - 1u;
	}
	*start_s = start_of(d.year, d.month, day);
	*end_s = d.month == 11 ? start_of(d.year + 1u, 0, day)
			       : start_of(d.year, d.month + 1u, day);
}

void quota_init(struct quota *q, uint64_t limit, unsigned day,
		const struct quota_kept *kept)
{
	*q = (struct quota){ .limit = limit, .day = day, .kept = *kept };
}

void quota_count(struct quota *q, uint64_t instance, uint64_t bytes)
{
	struct quota_kept *k = &q->kept;
	uint64_t from = instance == k->instance && bytes >= k->seen ? k->seen
								    : 0;

	k->used += bytes - from;
	k->seen = bytes;
	k->instance = instance;
}

unsigned quota_percent(const struct quota *q)
{
	if (q->limit == 0)
		return 0;
	if (q->kept.used >= q->limit)
		return 100;
	return (unsigned)((double)q->kept.used * 100.0 / (double)q->limit);
}

static void turn(struct quota *q, uint64_t now_s)
{
	uint64_t start;

	quota_month(now_s, q->day, &start, &q->end_s);
	if (start > q->kept.start_s) {
		if (q->kept.start_s != 0)
			q->kept.used = 0;
		q->warned = false;
	}
	q->kept.start_s = start;
}

enum quota_said quota_step(struct quota *q, uint64_t now_s)
{
	bool spent;

	turn(q, now_s);
	spent = q->limit != 0 && q->kept.used >= q->limit;
	if (spent != q->asleep) {
		q->asleep = spent;
		q->warned = spent;
		return spent ? QUOTA_SLEEP : QUOTA_WAKE;
	}
	if (q->limit != 0 && !q->warned &&
	    quota_percent(q) >= QUOTA_WARN_PERCENT) {
		q->warned = true;
		return QUOTA_WARN;
	}
	return QUOTA_NOTHING;
}
