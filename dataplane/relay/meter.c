/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/relay/meter.h"

_Static_assert(METER_RATE_MAX <= UINT64_MAX / VX6_SEC,
	       "the bytes of a second, times its nanoseconds, fit");

void meter_set(struct meter *m, uint64_t rate, uint64_t burst)
{
	if (rate > METER_RATE_MAX)
		rate = METER_RATE_MAX;
	if (burst == 0) {
		burst = rate / (VX6_SEC / METER_BURST_NS);
		if (burst < METER_BURST_LOW)
			burst = METER_BURST_LOW;
	}
	if (burst > METER_BURST_MAX)
		burst = METER_BURST_MAX;
	m->rate = rate;
	m->burst = burst;
	m->earned = 0;
	meter_turn(m, m->now_ns);
}

void meter_turn(struct meter *m, uint64_t now_ns)
{
	if (now_ns > m->now_ns)
		m->now_ns = now_ns;
	m->earned = m->now_ns / VX6_SEC * m->rate +
		    m->now_ns % VX6_SEC * m->rate / VX6_SEC;
}

uint64_t meter_ready_ns(const struct meter *m, uint64_t drawn, uint64_t len)
{
	uint64_t ahead = meter_ahead(m, drawn), lack;

	if (m->rate == 0 || ahead + len <= m->burst)
		return m->now_ns;
	lack = ahead + len - m->burst;
	return m->now_ns + lack / m->rate * VX6_SEC +
	       (lack % m->rate * VX6_SEC + m->rate - 1) / m->rate;
}

uint64_t meter_draw(const struct meter *m, _Atomic uint64_t *drawn,
		    uint64_t len)
{
	uint64_t was = atomic_load_explicit(drawn, memory_order_relaxed);
	uint64_t now, got;

	do {
		uint64_t left = meter_left(m, was);

		got = len < left ? len : left;
		if (got == 0)
			return 0;
		now = was;
		meter_take(m, &now, got);
	} while (!atomic_compare_exchange_weak_explicit(
		drawn, &was, now, memory_order_relaxed, memory_order_relaxed));
	return got;
}

void meter_charge(const struct meter *m, _Atomic uint64_t *drawn, uint64_t len)
{
	uint64_t was = atomic_load_explicit(drawn, memory_order_relaxed);
	uint64_t now;

	do {
		now = was;
		meter_take(m, &now, len);
	} while (!atomic_compare_exchange_weak_explicit(
		drawn, &was, now, memory_order_relaxed, memory_order_relaxed));
}
