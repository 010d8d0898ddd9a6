/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/rules.h"

#include <stdio.h>
#include <string.h>

#define BURST_MIN 4096u

/* Rows of the form: this one must not be above that one. */
#define MEMBER(m) offsetof(struct config, m), SIZE(m)
#define SIZE(m)   sizeof(((struct config *)NULL)->m)

static const struct {
	const char *section, *key;
	size_t offset, size;
	const char *than; /* of the same section */
	size_t than_offset, than_size;
	bool below; /* strictly */
		    /* clang-format off */
} order[] = {
	{ "timers", "create_hop_s", MEMBER(timers.create_hop_ns),
	  "create_s", MEMBER(timers.create_ns), false },
	{ "timers", "redial_min_s", MEMBER(timers.redial_min_ns),
	  "redial_max_s", MEMBER(timers.redial_max_ns), false },
	{ "timers", "session_ping_s", MEMBER(timers.session_ping_ns),
	  "session_idle_s", MEMBER(timers.session_idle_ns), true },
	{ "timers", "link_ask_busy_s", MEMBER(timers.link_ask_busy_ns),
	  "link_ask_s", MEMBER(timers.link_ask_ns), false },
	{ "timers", "record_refresh_s", MEMBER(timers.record_refresh_ns),
	  "record_life_s", MEMBER(timers.record_life_ns), true },
	{ "limits", "half_open", MEMBER(limits.half_open),
	  "sessions", MEMBER(limits.sessions), false },
	{ "limits", "retry_above", MEMBER(limits.retry_above),
	  "half_open", MEMBER(limits.half_open), false },
	{ "limits", "stream_window_bytes", MEMBER(limits.stream_window),
	  "connection_window_bytes", MEMBER(limits.conn_window), false },
};
/* clang-format on */

static uint64_t value(const struct config *c, size_t offset, size_t size)
{
	const uint8_t *at = (const uint8_t *)c + offset;
	uint32_t v32;
	uint64_t v64;

	if (size == sizeof(v32)) {
		memcpy(&v32, at, sizeof(v32));
		return v32;
	}
	memcpy(&v64, at, sizeof(v64));
	return v64;
}

static void write_number(char *out, size_t cap, uint64_t v, size_t size)
{
	if (size == sizeof(uint64_t)) /* a time */
		snprintf(out, cap, "%.9g", (double)v / 1e9);
	else
		snprintf(out, cap, "%llu", (unsigned long long)v);
}

static bool broken_order(const struct config *c, struct config_rule *rule)
{
	char number[32];

	for (unsigned i = 0; i < VX6_COUNT(order); i++) {
		uint64_t v = value(c, order[i].offset, order[i].size);
		uint64_t than = value(c, order[i].than_offset,
				      order[i].than_size);

		if (order[i].below ? v < than : v <= than)
			continue;
		rule->step[0].key = order[i].section;
		rule->step[1].key = order[i].key;
		write_number(number, sizeof(number), than, order[i].than_size);
		snprintf(rule->expected, sizeof(rule->expected),
			 "%s %s.%s, which is %s",
			 order[i].below ? "less than" : "at most",
			 order[i].section, order[i].than, number);
		return true;
	}
	return false;
}

static bool any_address(const struct vx6_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0 ||
	       (vx6_addr_is_v4(a) && memcmp(a->ip + 12, zero, 4) == 0);
}

static bool overlap(const struct vx6_addr *a, const struct vx6_addr *b)
{
	return a->port == b->port && a->port != 0 &&
	       (any_address(a) || any_address(b) ||
		memcmp(a->ip, b->ip, sizeof(a->ip)) == 0);
}

static bool broken_ports(const struct config *c, struct config_rule *rule)
{
	for (unsigned i = 0; c->data.enabled && i < c->control.listen_cnt;
	     i++) {
		if (!overlap(&c->control.listen[i], &c->data.listen))
			continue;
		rule->step[0].key = "data";
		rule->step[1].key = "listen";
		snprintf(rule->expected, sizeof(rule->expected),
			 "another port than control.listen has");
		return true;
	}
	return false;
}

static bool broken_relay(const struct config *c, struct config_rule *rule)
{
	if (!c->node.relay || c->data.enabled)
		return false;
	rule->step[0].key = "node";
	rule->step[1].key = "relay";
	snprintf(rule->expected, sizeof(rule->expected),
		 "false, or data.enabled set to true: relays forward in the "
		 "data plane");
	return true;
}

static bool broken_dpdk(const struct config *c, struct config_rule *rule)
{
	if (c->data.backend != CONFIG_BACKEND_DPDK || c->data.dpdk_ports_cnt)
		return false;
	rule->step[0].key = "data";
	rule->step[1].key = "dpdk_ports";
	snprintf(rule->expected, sizeof(rule->expected),
		 "at least one device where data.backend is \"dpdk\", as in "
		 "\"net_af_packet0,iface=eth0\"");
	return true;
}

static bool broken_peers(const struct config *c, struct config_rule *rule)
{
	for (uint32_t i = 1; i < c->peers_cnt; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (memcmp(c->peers[i].id, c->peers[j].id,
				   VX6_ID_LEN) != 0)
				continue;
			rule->step[0].key = "peers";
			rule->step[1].is_idx = true;
			rule->step[1].idx = i;
			rule->step[2].key = "id";
			snprintf(rule->expected, sizeof(rule->expected),
				 "another ID than peers[%u] has", j);
			return true;
		}
	}
	return false;
}

static bool broken_cell_size(const struct config *c, struct config_rule *rule)
{
	if (c->cell_size == 0 || c->cell_size == 1232 || c->cell_size == 1452)
		return false;
	rule->step[0].key = "circuits";
	rule->step[1].key = "cell_size";
	snprintf(rule->expected, sizeof(rule->expected), "0, 1232 or 1452");
	return true;
}

static bool broken_burst(const struct config *c, struct config_rule *rule)
{
	const struct {
		const char *key;
		uint64_t burst;
	} all[] = {
		{ "circuit_burst", c->limits.circuit_burst },
		{ "link_burst",    c->limits.link_burst    },
		{ "relay_burst",   c->limits.relay_burst   },
	};

	for (unsigned i = 0; i < VX6_COUNT(all); i++) {
		if (all[i].burst == 0 || all[i].burst >= BURST_MIN)
			continue;
		rule->step[0].key = "limits";
		rule->step[1].key = all[i].key;
		snprintf(rule->expected, sizeof(rule->expected),
			 "0, or at least %u: room for any cell", BURST_MIN);
		return true;
	}
	return false;
}

bool config_broken_rule(const struct config *c, struct config_rule *rule)
{
	*rule = (struct config_rule){ 0 };
	return broken_order(c, rule) || broken_ports(c, rule) ||
	       broken_relay(c, rule) || broken_dpdk(c, rule) ||
	       broken_peers(c, rule) || broken_cell_size(c, rule) ||
	       broken_burst(c, rule);
}
