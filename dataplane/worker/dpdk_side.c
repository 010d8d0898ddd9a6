/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/dpdk_side.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/clock.h"

/* Two rooms that may not include each other name these. */
/* NOLINTNEXTLINE(misc-redundant-expression) */
_Static_assert(CONFIG_DPDK_PORTS_MAX == DPDK_DEVICES &&
		       CONFIG_DPDK_PORT_TEXT == DPDK_DEVICE_TEXT &&
		       CONFIG_DPDK_ARGS_MAX == DPDK_ARGS &&
		       CONFIG_DPDK_ARG_TEXT == DPDK_ARG_TEXT,
	       "one size");
_Static_assert(RELAY_WORKERS <= DPDK_QUEUES, "a queue each");
_Static_assert(DPDK_DEVICES <= ABI_IF_CNT, "each can be told");

static void say(void *ctx, bool warn, const char *event, const char *device,
		const char *text)
{
	struct log *log = ctx;

	if (device[0] == '\0')
		log_say(log, warn ? LOG_WARN : LOG_INFO, "dpdk", event, "text",
			text, LOG_END);
	else
		log_say(log, warn ? LOG_WARN : LOG_INFO, "dpdk", event,
			"device", device, "text", text, LOG_END);
}

void dpdk_side_init(struct dpdk_side *s, const struct dp_options *o,
		    uint32_t links, unsigned workers, struct log *log)
{
	memcpy(s->o.device, o->device, sizeof(s->o.device));
	memcpy(s->o.arg, o->eal, sizeof(s->o.arg));
	s->o.device_cnt = o->device_cnt;
	s->o.arg_cnt = o->eal_cnt;
	s->o.links = links;
	s->o.queues = workers;
	s->o.say = say;
	s->o.ctx = log;
}

enum vx6_status dpdk_side_open(struct dpdk_side *s, struct port **out,
			       const struct port_opts *po, int node,
			       char why[DP_WHY])
{
	char said[DPDK_WHY] = "";
	enum vx6_status st = VX6_UNSUPPORTED;

	*out = NULL;
	if (s->api == NULL)
		s->api = dpdk_load(NULL, said);
	s->o.queue = s->cnt;
	s->o.node = node;
	if (s->api != NULL)
		st = s->api->open(out, po, &s->o, said);
	snprintf(why, DP_WHY, "%s", said);
	if (st == VX6_OK)
		s->port[s->cnt++] = *out;
	return st;
}

unsigned dpdk_side_fds(const struct dpdk_side *s, int fd[DPDK_SIDE_FDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->cnt; i++)
		n += s->api->fds(s->port[i], fd + n);
	return n;
}

void dpdk_side_step(struct dpdk_side *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->cnt; i++)
		s->api->step(s->port[i], now_ns);
}

uint64_t dpdk_side_due_ns(const struct dpdk_side *s)
{
	uint64_t due = VX6_NEVER;

	for (unsigned i = 0; i < s->cnt; i++) {
		uint64_t next = s->api->due_ns(s->port[i]);

		if (next < due)
			due = next;
	}
	return due;
}

void dpdk_side_about(const struct dpdk_side *s, struct abi_stats *to)
{
	struct dpdk_state d;

	if (s->cnt == 0)
		return;
	s->api->describe(s->port[0], &d);
	to->backend = ABI_BACKEND_DPDK;
	for (unsigned i = 0; i < d.device_cnt; i++) {
		struct abi_if *out = &to->interface[i];

		snprintf(out->name, sizeof(out->name), "%s", d.device[i].name);
		out->mtu = d.device[i].mtu;
		out->queues = d.device[i].queues;
	}
	to->drop[VX6_NO_ROOM] += d.missed;
	to->drop[VX6_MALFORMED] += d.rx_errs;
	to->drop[VX6_AGAIN] += d.tx_errs;
}
