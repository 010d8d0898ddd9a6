/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/abi_kit.h"

#include <string.h>

#include "dataplane/base/clock.h"

const uint8_t abi_kit_types[ABI_KIT_TYPES] = {
	ABI_HELLO,      ABI_LINK_ADD,    ABI_LINK_CHANGE, ABI_LINK_REMOVE,
	ABI_HALF_ADD,   ABI_HALF_REMOVE, ABI_SPLICE,      ABI_UNSPLICE,
	ABI_INJECT,     ABI_DUMP,        ABI_SUBSCRIBE,   ABI_STATS,
	ABI_LIMITS,     ABI_BUDGET,      ABI_WELCOME,     ABI_DONE,
	ABI_LINK_IS,    ABI_HALF_IS,     ABI_DUMP_END,    ABI_STATS_ARE,
	ABI_BUDGET_IS,  ABI_WORKER_IS,   ABI_CONTROL,     ABI_LINK_EVENT,
	ABI_HALF_EVENT, ABI_STALL,
};

static struct abi_link good_link(void)
{
	struct abi_link l = { .index = 5, .peer_index = 9, .u = 1452 };

	memset(&l.keys, 0x11, sizeof(l.keys));
	memset(l.note, 0x22, sizeof(l.note));
	l.peer.port = 4243;
	l.ask_ns = 15 * VX6_SEC;
	return l;
}

static struct abi_half good_half(void)
{
	struct abi_half h = { .id = 0x00300007,
			      .in_link = 5,
			      .out_link = 6,
			      .out_id = 0x100,
			      .kind = ABI_HALF_BACKWARD,
			      .suite = 1,
			      .cell_size_in = 1452,
			      .start_tx = 1000 };

	memset(h.key, 0x33, sizeof(h.key));
	memset(h.iv, 0x44, sizeof(h.iv));
	memset(h.note, 0x55, sizeof(h.note));
	return h;
}

static void no_keys(struct abi_msg *m)
{
	memset(&m->u.link.keys, 0, sizeof(m->u.link.keys));
}

static void good_change(struct abi_msg *m)
{
	struct abi_link l = good_link();

	m->u.link = (struct abi_link){ .index = l.index, .peer = l.peer };
	memcpy(m->u.link.note, l.note, sizeof(l.note));
}

static void good_worker(struct abi_msg *m)
{
	m->u.worker = (struct abi_worker){ .index = ABI_WORKERS - 1,
					   .cpu = -1,
					   .node = 3,
					   .pages = ABI_PAGES_HUGE };
}

static void good_stats(struct abi_msg *m)
{
	m->u.stats.links = 3;
	m->u.stats.backend = ABI_BACKEND_AF_XDP;
	m->u.stats.asked = ABI_BACKEND_AF_XDP;
	m->u.stats.interface[0] = (struct abi_if){ .name = "eth0",
						   .mtu = 1500,
						   .queues = 2,
						   .bits = ABI_IF_ZEROCOPY };
}

static void good_welcome(struct abi_msg *m)
{
	m->u.welcome = (struct abi_welcome){ .links_max = 4096,
					     .halves_max = 65536,
					     .workers = 1,
					     .u_v6 = 1452,
					     .u_v4 = 1472,
					     .suites = 6,
					     .backend = ABI_BACKEND_UDP,
					     .asked = ABI_BACKEND_AF_XDP,
					     .why = "no such interface" };
}

struct abi_msg abi_kit_good(unsigned type)
{
	struct abi_msg m;

	memset(&m, 0, sizeof(m));
	m.version = ABI_VERSION;
	m.type = (uint16_t)type;
	m.seq = type < ABI_CONTROL ? 7 : 0;
	switch ((enum abi_type)type) {
	case ABI_LINK_ADD: m.u.link = good_link(); break;
	case ABI_LINK_CHANGE: good_change(&m); break;
	case ABI_LINK_REMOVE: m.u.ref.index = 5; break;
	case ABI_HALF_ADD: m.u.half = good_half(); break;
	case ABI_HALF_REMOVE: m.u.ref.id = 7; break;
	case ABI_INJECT:
	case ABI_CONTROL:
		m.u.control.id = 7;
		m.u.control.len = 11;
		memset(m.u.control.body, 0x66, 11);
		break;
	case ABI_WELCOME: good_welcome(&m); break;
	case ABI_DONE: m.status = VX6_EXISTS; break;
	case ABI_LINK_IS:
	case ABI_LINK_EVENT:
		m.u.link = good_link();
		no_keys(&m);
		m.u.link.state = VX6_LINK_UP;
		m.u.link.srtt_ns = 5;
		m.u.link.u_proved = 1452;
		m.u.link.cells_in = m.u.link.bytes_out = 99;
		m.u.link.events = type == ABI_LINK_EVENT ? 1 : 0;
		break;
	case ABI_HALF_IS:
		m.u.half = good_half();
		memset(m.u.half.key, 0, sizeof(m.u.half.key));
		memset(m.u.half.iv, 0, sizeof(m.u.half.iv));
		m.u.half.cells = 12;
		break;
	case ABI_STATS_ARE: good_stats(&m); break;
	case ABI_LIMITS:
		m.u.limits = (struct abi_limits){ .circuit_rate = 1000000,
						  .relay_rate = ABI_RATE_MAX,
						  .relay_burst = 1 << 20,
						  .queue = 500 };
		break;
	case ABI_BUDGET_IS:
		m.u.budget = (struct abi_budget){
			.sent_bytes = 1, .waiting = 7, .most = 9, .room = 256
		};
		break;
	case ABI_WORKER_IS: good_worker(&m); break;
	case ABI_HALF_EVENT:
		m.u.ref.id = 7;
		m.u.ref.event = ABI_HALF_IDLE;
		break;
	case ABI_STALL:
		m.u.stall.stalled_ns = 5;
		memcpy(m.u.stall.stack, "worker_turn+0x1", 15);
		break;
	case ABI_SPLICE: m.u.splice = (struct abi_splice){ 5, 6 }; break;
	case ABI_UNSPLICE: m.u.splice.id = 5; break;
	case ABI_HELLO:
	case ABI_DUMP:
	case ABI_SUBSCRIBE:
	case ABI_STATS:
	case ABI_BUDGET:
	case ABI_DUMP_END: break;
	}
	return m;
}
