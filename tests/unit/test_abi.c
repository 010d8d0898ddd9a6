/* SPDX-License-Identifier: GPL-2.0-or-later */
/* abi: which messages pass, and what comes over the socket between the
 * planes, descriptors included.
 *
 * Method: one good message of each type; then every field at the edges of
 * its range, every byte that must be zero set, every type said by the
 * wrong side.  The socket is a real one in a directory of its own; its
 * hostile end writes with sendmsg(2) itself, and descriptors are counted
 * before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/clock.h"
#include "tests/support/abi_kit.h"

/* ---- messages ---- */

static void each_type_has_its_side(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ABI_KIT_TYPES; i++) {
		struct abi_msg m = abi_kit_good(abi_kit_types[i]);
		bool client = abi_kit_types[i] < 64;

		if (abi_check(&m, client) != VX6_OK)
			fail_msg("%s", abi_type_name(abi_kit_types[i]));
		assert_int_equal(abi_check(&m, !client), VX6_BAD_KIND);
		m.version++;
		assert_int_equal(abi_check(&m, client), VX6_BAD_VERSION);
	}
}

static bool exists(unsigned type)
{
	for (unsigned i = 0; i < ABI_KIT_TYPES; i++)
		if (abi_kit_types[i] == type)
			return true;
	return false;
}

static FILE *seed_file(unsigned type, const char *mode)
{
	char file[64];
	FILE *f;

	snprintf(file, sizeof(file), "tests/fuzz/corpus/abi/%s",
		 abi_type_name(type));
	f = fopen(file, mode);
	if (f == NULL) {
		fail_msg("%s: %s", file, strerror(errno));
		abort(); /* which the analyzer does not know of fail_msg */
	}
	return f;
}

/* What the fuzzer begins with is what this version says: seeds of an older
 * one would stop at the first check.  VX6_WRITE=1 writes them anew. */
static void the_corpus_is_of_this_version(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ABI_KIT_TYPES; i++) {
		unsigned type = abi_kit_types[i];
		struct abi_msg m = abi_kit_good(type), seed;
		const uint8_t *bytes = (const uint8_t *)&m;
		size_t len = sizeof(m);
		FILE *f;

		while (bytes[len - 1] == 0) /* the target adds zeros */
			len--;
		if (getenv("VX6_WRITE") != NULL) {
			f = seed_file(type, "wb");
			assert_int_equal(fwrite(bytes, 1, len, f), len);
			fclose(f);
		}
		memset(&seed, 0, sizeof(seed));
		f = seed_file(type, "rb");
		assert_int_equal(fread(&seed, 1, sizeof(seed), f), len);
		fclose(f);
		assert_memory_equal(&seed, &m, sizeof(m));
	}
}

static void other_types_are_refused(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 65536; type++) {
		struct abi_msg m = abi_kit_good(ABI_HELLO);

		if (exists(type)) {
			assert_string_not_equal(abi_type_name(type), "unknown");
			continue;
		}
		m.type = (uint16_t)type;
		assert_int_equal(abi_check(&m, true), VX6_BAD_KIND);
		assert_int_equal(abi_check(&m, false), VX6_BAD_KIND);
		assert_string_equal(abi_type_name(type), "unknown");
	}
}

static void seq_and_status_are_where_they_belong(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ABI_KIT_TYPES; i++) {
		struct abi_msg m = abi_kit_good(abi_kit_types[i]);
		bool client = abi_kit_types[i] < 64;

		m.seq = m.seq == 0 ? 1 : 0;
		assert_int_equal(abi_check(&m, client), VX6_MALFORMED);
		m = abi_kit_good(abi_kit_types[i]);
		m.status = VX6_STATUS_CNT - 1;
		assert_int_equal(abi_check(&m, client),
				 abi_kit_types[i] == ABI_DONE ? VX6_OK
							      : VX6_MALFORMED);
		m.status = VX6_STATUS_CNT;
		assert_int_equal(abi_check(&m, client), VX6_MALFORMED);
		m = abi_kit_good(abi_kit_types[i]);
		m.zero = 1;
		assert_int_equal(abi_check(&m, client), VX6_MALFORMED);
	}
}

static size_t member(unsigned type)
{
	switch ((enum abi_type)type) {
	case ABI_LINK_ADD:
	case ABI_LINK_CHANGE:
	case ABI_LINK_IS:
	case ABI_LINK_EVENT: return sizeof(struct abi_link);
	case ABI_HALF_ADD:
	case ABI_HALF_IS: return sizeof(struct abi_half);
	case ABI_LINK_REMOVE:
	case ABI_HALF_REMOVE:
	case ABI_HALF_EVENT: return 16;
	case ABI_STALL: return sizeof(struct abi_stall);
	case ABI_INJECT:
	case ABI_CONTROL: return sizeof(struct abi_control);
	case ABI_WELCOME: return sizeof(struct abi_welcome);
	case ABI_STATS_ARE: return sizeof(struct abi_stats);
	case ABI_LIMITS: return sizeof(struct abi_limits);
	case ABI_BUDGET_IS: return sizeof(struct abi_budget);
	case ABI_WORKER_IS: return sizeof(struct abi_worker);
	case ABI_SPLICE:
	case ABI_UNSPLICE: return sizeof(struct abi_splice);
	case ABI_HELLO:
	case ABI_DUMP:
	case ABI_SUBSCRIBE:
	case ABI_STATS:
	case ABI_BUDGET:
	case ABI_DONE:
	case ABI_DUMP_END: break;
	}
	return 0;
}

static void what_is_not_used_is_zero(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ABI_KIT_TYPES; i++)
		for (size_t at = member(abi_kit_types[i]);
		     at < ABI_MSG_LEN - 16; at++) {
			struct abi_msg m = abi_kit_good(abi_kit_types[i]);

			m.u.raw[at] = 1;
			if (abi_check(&m, abi_kit_types[i] < 64) !=
			    VX6_MALFORMED)
				fail_msg("%s at %zu",
					 abi_type_name(abi_kit_types[i]), at);
		}
}

/* One field of a good message set to a value: does it still pass? */
struct edit {
	const char *name;
	unsigned type;
	size_t at, size;
	uint64_t value;
	bool passes;
};

#define L(type, field, value, passes)                                          \
	{ #type " " #field " " #value,                                         \
	  type,                                                                \
	  offsetof(struct abi_msg, u.link.field),                              \
	  sizeof(((struct abi_link *)0)->field),                               \
	  value,                                                               \
	  passes }
#define H(type, field, value, passes)                                          \
	{ #type " " #field " " #value,                                         \
	  type,                                                                \
	  offsetof(struct abi_msg, u.half.field),                              \
	  sizeof(((struct abi_half *)0)->field),                               \
	  value,                                                               \
	  passes }
#define M(type, field, value, passes)                                          \
	{ #type " " #field " " #value,                                         \
	  type,                                                                \
	  offsetof(struct abi_msg, u.field),                                   \
	  sizeof(((struct abi_msg *)0)->u.field),                              \
	  value,                                                               \
	  passes }

/* clang-format off */
static const struct edit edits[] = {
	M(ABI_SPLICE, splice.id, 0, false),
	M(ABI_SPLICE, splice.id, 0x100000, false),
	M(ABI_SPLICE, splice.id, 6, false), /* with itself */
	M(ABI_SPLICE, splice.to, 0, false),
	M(ABI_SPLICE, splice.to, 0xfff00000, false),
	M(ABI_SPLICE, splice.to, UINT32_MAX, true),
	M(ABI_UNSPLICE, splice.id, 0, false),
	M(ABI_UNSPLICE, splice.id, UINT32_MAX, true),
	M(ABI_UNSPLICE, splice.to, 6, false),
	H(ABI_HALF_ADD, splice, 6, false),
	H(ABI_HALF_ADD, zero4, 1, false),
	H(ABI_HALF_IS, splice, 6, false), /* has a way out */
	H(ABI_HALF_IS, zero4, 1, false),
	L(ABI_LINK_ADD, index, 0, false),
	L(ABI_LINK_ADD, index, 0xffffff, true),
	L(ABI_LINK_ADD, index, 0x1000000, false),
	L(ABI_LINK_ADD, peer_index, 0, false),
	L(ABI_LINK_ADD, peer_index, 0x1000000, false),
	L(ABI_LINK_ADD, u, 69, false),
	L(ABI_LINK_ADD, u, 70, true),
	L(ABI_LINK_ADD, u, 1472, true),
	L(ABI_LINK_ADD, u, 1473, false),
	L(ABI_LINK_ADD, behind_nat, 1, true),
	L(ABI_LINK_ADD, behind_nat, 2, false),
	L(ABI_LINK_ADD, ask_ns, 0, true),
	L(ABI_LINK_ADD, ask_ns, 3600 * VX6_SEC, true),
	L(ABI_LINK_ADD, ask_ns, 3600 * VX6_SEC + 1, false),
	L(ABI_LINK_ADD, ask_busy_ns, UINT64_MAX, false),
	L(ABI_LINK_ADD, peer.zero, 1, false),
	L(ABI_LINK_ADD, peer.port, 0, true),
	L(ABI_LINK_ADD, state, 1, false),
	L(ABI_LINK_ADD, srtt_ns, 1, false),
	L(ABI_LINK_ADD, cells_in, 1, false),
	L(ABI_LINK_ADD, cells_out, 1, false),
	L(ABI_LINK_ADD, bytes_in, 1, false),
	L(ABI_LINK_ADD, bytes_out, 1, false),
	L(ABI_LINK_ADD, observed.port, 1, false),
	L(ABI_LINK_ADD, events, 1, false),
	L(ABI_LINK_ADD, zero, 1, false),
	L(ABI_LINK_ADD, u_proved, 1, false),
	L(ABI_LINK_CHANGE, index, 0, false),
	L(ABI_LINK_CHANGE, peer.zero, 1, false),
	L(ABI_LINK_CHANGE, peer_index, 9, false),
	L(ABI_LINK_CHANGE, keys.hdr_tx[3], 1, false),
	L(ABI_LINK_CHANGE, keys.probe_rx[31], 1, false),
	L(ABI_LINK_CHANGE, u, 1452, false),
	L(ABI_LINK_CHANGE, ask_ns, 1, false),
	L(ABI_LINK_CHANGE, ask_busy_ns, 1, false),
	L(ABI_LINK_CHANGE, behind_nat, 1, false),
	L(ABI_LINK_CHANGE, state, 1, false),
	L(ABI_LINK_CHANGE, zero, 1, false),
	L(ABI_LINK_IS, keys.hdr_rx[0], 1, false),
	L(ABI_LINK_IS, state, 2, true),
	L(ABI_LINK_IS, state, 3, false),
	L(ABI_LINK_IS, events, 1, false),
	L(ABI_LINK_IS, observed.zero, 1, false),
	L(ABI_LINK_IS, u_proved, 1473, false),
	L(ABI_LINK_EVENT, events, 0, false),
	L(ABI_LINK_EVENT, events, 15, true),
	L(ABI_LINK_EVENT, events, 16, false),
	L(ABI_LINK_EVENT, keys.probe_tx[9], 1, false),
	L(ABI_LINK_EVENT, index, 0, false),

	H(ABI_HALF_ADD, id, 0, false),
	H(ABI_HALF_ADD, id, 0xfff00000, false),
	H(ABI_HALF_ADD, id, 0xffffffff, true),
	H(ABI_HALF_ADD, in_link, 0, true), /* backward: said by us alone */
	H(ABI_HALF_ADD, in_link, 0x1000000, false),
	H(ABI_HALF_ADD, out_link, 0, false),
	H(ABI_HALF_ADD, out_link, 0x1000000, false),
	H(ABI_HALF_ADD, out_id, 0, false),
	H(ABI_HALF_ADD, start_rx, 0x3fffffffffff, true),
	H(ABI_HALF_ADD, start_rx, 0x400000000000, false),
	H(ABI_HALF_ADD, start_tx, 0x400000000000, false),
	H(ABI_HALF_ADD, cell_size_in, 1232, true),
	H(ABI_HALF_ADD, cell_size_in, 1233, false),
	H(ABI_HALF_ADD, cell_size_out, 1, false),
	H(ABI_HALF_ADD, kind, 0, false),
	H(ABI_HALF_ADD, kind, 4, false),
	H(ABI_HALF_ADD, kind, 255, false),
	H(ABI_HALF_ADD, kind, ABI_HALF_FORWARD, false), /* seals nothing */
	H(ABI_HALF_ADD, kind, ABI_HALF_LOCAL, false), /* has a key */
	H(ABI_HALF_ADD, suite, 0, false),
	H(ABI_HALF_ADD, suite, 3, true),
	H(ABI_HALF_ADD, suite, 4, false),
	H(ABI_HALF_ADD, zero[0], 1, false),
	H(ABI_HALF_ADD, zero[1], 1, false),
	H(ABI_HALF_ADD, cells, 1, false),
	H(ABI_HALF_ADD, bytes, 1, false),
	H(ABI_HALF_ADD, dropped, 1, false),
	H(ABI_HALF_ADD, life_ns, UINT64_MAX, true),
	H(ABI_HALF_IS, key[31], 1, false),
	H(ABI_HALF_IS, iv[0], 1, false),
	H(ABI_HALF_IS, kind, 9, false),

	M(ABI_LINK_REMOVE, ref.index, 0, false),
	M(ABI_LINK_REMOVE, ref.index, 0x1000000, false),
	M(ABI_LINK_REMOVE, ref.id, 1, false),
	M(ABI_LINK_REMOVE, ref.event, 1, false),
	M(ABI_LINK_REMOVE, ref.zero, 1, false),
	M(ABI_HALF_REMOVE, ref.id, 0x100000, false),
	M(ABI_HALF_REMOVE, ref.index, 1, false),
	M(ABI_HALF_REMOVE, ref.event, 1, false),
	M(ABI_HALF_REMOVE, ref.zero, 1, false),
	M(ABI_HALF_EVENT, ref.event, 0, false),
	M(ABI_HALF_EVENT, ref.event, 3, true),
	M(ABI_HALF_EVENT, ref.event, 4, false),
	M(ABI_HALF_EVENT, ref.id, 0, false),
	M(ABI_HALF_EVENT, ref.index, 1, false),
	M(ABI_HALF_EVENT, ref.zero, 1, false),
	M(ABI_STALL, stall.worker, 15, true),
	M(ABI_STALL, stall.worker, 16, false),
	M(ABI_STALL, stall.zero, 1, false),
	M(ABI_STALL, stall.stalled_ns, UINT64_MAX, true),
	M(ABI_STALL, stall.stack[0], 0, false), /* text behind its end */
	M(ABI_STALL, stall.stack[3], '\n', false),
	M(ABI_STALL, stall.stack[3], 0x7f, false),
	M(ABI_STALL, stall.stack[383], 1, false),
	M(ABI_INJECT, control.id, 0, false),
	M(ABI_INJECT, control.len, 0, false),
	M(ABI_INJECT, control.len, 10, false), /* a byte behind it */
	M(ABI_INJECT, control.len, 512, true),
	M(ABI_INJECT, control.len, 513, false),
	M(ABI_INJECT, control.len, 65535, false),
	M(ABI_INJECT, control.zero, 1, false),
	M(ABI_INJECT, control.body[511], 1, false),
	M(ABI_CONTROL, control.len, 513, false),
	M(ABI_WELCOME, welcome.links_max, 1, false),
	M(ABI_WELCOME, welcome.links_max, 0x1000000, true),
	M(ABI_WELCOME, welcome.links_max, 0x1000001, false),
	M(ABI_WELCOME, welcome.halves_max, 1, false),
	M(ABI_WELCOME, welcome.halves_max, 0x100000, true),
	M(ABI_WELCOME, welcome.halves_max, 0x100001, false),
	M(ABI_WELCOME, welcome.workers, 0, false),
	M(ABI_WELCOME, welcome.u_v6, 69, false),
	M(ABI_WELCOME, welcome.u_v4, 1473, false),
	M(ABI_WELCOME, welcome.suites, 0, false),
	M(ABI_WELCOME, welcome.suites, 1, false),
	M(ABI_WELCOME, welcome.suites, 16, false),
	M(ABI_WELCOME, welcome.suites, 14, true),
	M(ABI_WELCOME, welcome.zero, 1, false),
	M(ABI_WELCOME, welcome.backend, 0, false),
	M(ABI_WELCOME, welcome.backend, ABI_BACKEND_UDP, true),
	M(ABI_WELCOME, welcome.backend, ABI_BACKEND_DPDK, true),
	M(ABI_WELCOME, welcome.backend, ABI_BACKEND_DPDK + 1, false),
	M(ABI_WELCOME, welcome.asked, 0, false),
	M(ABI_WELCOME, welcome.asked, ABI_BACKEND_DPDK + 1, false),
	M(ABI_WELCOME, welcome.why[0], 'x', true),
	M(ABI_WELCOME, welcome.why[0], '\n', false),
	M(ABI_WELCOME, welcome.why[2], '\0', false),
	M(ABI_WELCOME, welcome.why[ABI_WHY_LEN - 1], 'x', false),
	M(ABI_WORKER_IS, worker.index, ABI_WORKERS, false),
	M(ABI_WORKER_IS, worker.cpu, UINT32_MAX - 1, false),
	M(ABI_WORKER_IS, worker.node, UINT32_MAX - 1, false),
	M(ABI_WORKER_IS, worker.spin, 2, false),
	M(ABI_WORKER_IS, worker.pages, 3, false),
	M(ABI_WORKER_IS, worker.zero[1], 1, false),
	M(ABI_STATS_ARE, stats.backend, 0, false),
	M(ABI_STATS_ARE, stats.backend, ABI_BACKEND_UDP, true),
	M(ABI_STATS_ARE, stats.asked, 0, false),
	M(ABI_STATS_ARE, stats.asked, ABI_BACKEND_DPDK, true),
	M(ABI_STATS_ARE, stats.asked, ABI_BACKEND_DPDK + 1, false),
	M(ABI_STATS_ARE, stats.zero[5], 1, false),
	M(ABI_STATS_ARE, stats.why[0], 'x', true),
	M(ABI_STATS_ARE, stats.why[0], 0x7f, false),
	M(ABI_STATS_ARE, stats.why[ABI_WHY_LEN - 1], 'x', false),
	M(ABI_STATS_ARE, stats.interface[0].bits, 4, false),
	M(ABI_STATS_ARE, stats.interface[0].zero, 1, false),
	M(ABI_STATS_ARE, stats.interface[0].name[5], 'x', false),
	M(ABI_STATS_ARE, stats.interface[1].name[0], 'x', true),
	M(ABI_STATS_ARE, stats.interface[2].name[0], 'x', false),
	M(ABI_STATS_ARE, stats.interface[2].mtu, 1, false),
	M(ABI_LIMITS, limits.circuit_rate, 0, true),
	M(ABI_LIMITS, limits.circuit_rate, ABI_RATE_MAX, true),
	M(ABI_LIMITS, limits.circuit_rate, ABI_RATE_MAX + 1, false),
	M(ABI_LIMITS, limits.link_rate, ABI_RATE_MAX + 1, false),
	M(ABI_LIMITS, limits.relay_rate, ABI_RATE_MAX + 1, false),
	M(ABI_LIMITS, limits.relay_rate, UINT64_MAX, false),
	M(ABI_LIMITS, limits.circuit_burst, 1, false),
	M(ABI_LIMITS, limits.circuit_burst, ABI_BURST_MIN - 1, false),
	M(ABI_LIMITS, limits.circuit_burst, ABI_BURST_MIN, true),
	M(ABI_LIMITS, limits.link_burst, ABI_BURST_MAX, true),
	M(ABI_LIMITS, limits.link_burst, ABI_BURST_MAX + 1, false),
	M(ABI_LIMITS, limits.relay_burst, 1, false),
	M(ABI_LIMITS, limits.relay_burst, UINT64_MAX, false),
	M(ABI_LIMITS, limits.queue, ABI_QUEUE_MAX, true),
	M(ABI_LIMITS, limits.queue, ABI_QUEUE_MAX + 1, false),
	M(ABI_LIMITS, limits.circuit_queue, ABI_CIRCUIT_QUEUE_MAX, true),
	M(ABI_LIMITS, limits.circuit_queue, ABI_CIRCUIT_QUEUE_MAX + 1, false),
	M(ABI_BUDGET_IS, budget.waiting, 256, true),
	M(ABI_BUDGET_IS, budget.waiting, 257, false),
	M(ABI_BUDGET_IS, budget.zero, 1, false),
	M(ABI_WELCOME, welcome.data.zero, 1, false),
	M(ABI_WELCOME, welcome.data.port, 0, true),
};
/* clang-format on */

static void each_field_has_its_range(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(edits); i++) {
		const struct edit *e = &edits[i];
		struct abi_msg m = abi_kit_good(e->type);
		uint64_t value = e->value; /* this host's order: as the abi */

		memcpy((uint8_t *)&m + e->at, &value, e->size);
		if (abi_check(&m, e->type < 64) !=
		    (e->passes ? VX6_OK : VX6_MALFORMED))
			fail_msg("%s", e->name);
	}
}

static void each_kind_of_half_has_its_paths(void **state)
{
	static const struct {
		uint8_t kind, suite;
		uint32_t in, out, out_id;
		bool key;
		uint64_t start_tx;
		bool passes;
	} row[] = {
		/* clang-format off */
		{ ABI_HALF_FORWARD,  1, 5, 6, 7, true,  0, true },
		{ ABI_HALF_FORWARD,  2, 5, 0, 0, true,  0, true },
		{ ABI_HALF_FORWARD,  1, 0, 6, 7, true,  0, false },
		{ ABI_HALF_FORWARD,  1, 5, 6, 7, true,  1, false },
		{ ABI_HALF_FORWARD,  1, 5, 6, 0, true,  0, false },
		{ ABI_HALF_FORWARD,  1, 5, 0, 7, true,  0, false },
		{ ABI_HALF_FORWARD,  0, 5, 6, 7, true,  0, false },
		{ ABI_HALF_BACKWARD, 1, 5, 6, 7, true,  1, true },
		{ ABI_HALF_BACKWARD, 1, 0, 6, 7, true,  1, true },
		{ ABI_HALF_BACKWARD, 1, 5, 0, 0, true,  1, false },
		{ ABI_HALF_LOCAL,    0, 5, 0, 0, false, 0, true },
		{ ABI_HALF_LOCAL,    1, 5, 0, 0, false, 0, false },
		{ ABI_HALF_LOCAL,    0, 0, 0, 0, false, 0, false },
		{ ABI_HALF_LOCAL,    0, 5, 6, 7, false, 0, false },
		{ ABI_HALF_LOCAL,    0, 5, 0, 0, true,  0, false },
		{ ABI_HALF_LOCAL,    0, 5, 0, 0, false, 1, false },
		/* clang-format on */
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct abi_msg m = abi_kit_good(ABI_HALF_ADD);
		struct abi_half *h = &m.u.half;

		h->kind = row[i].kind;
		h->suite = row[i].suite;
		h->in_link = row[i].in;
		h->out_link = row[i].out;
		h->out_id = row[i].out_id;
		h->start_tx = row[i].start_tx;
		if (!row[i].key) {
			memset(h->key, 0, sizeof(h->key));
			memset(h->iv, 0, sizeof(h->iv));
		}
		if (abi_check(&m, true) !=
		    (row[i].passes ? VX6_OK : VX6_MALFORMED))
			fail_msg("row %u", i);
	}
}

static void wiped_is_zero(void **state)
{
	static const struct abi_msg none;
	struct abi_msg m = abi_kit_good(ABI_LINK_ADD);

	(void)state;
	abi_wipe(&m);
	assert_memory_equal(&m, &none, sizeof(m));
}

/* ---- the socket ---- */

static char dir[64], path[96];
static int listener, server, client;

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vx6-abi-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	listener = server = client = -1;
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	close(listener);
	close(server);
	close(client);
	unlink(path);
	return rmdir(dir);
}

static void connected(void)
{
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
	assert_int_equal(abi_connect(&client, path), VX6_OK);
	assert_int_equal(abi_accept(listener, &server), VX6_OK);
}

static void messages_go_both_ways(void **state)
{
	struct abi_msg m = abi_kit_good(ABI_HELLO), got;

	(void)state;
	connected();
	assert_int_equal(abi_recv(server, &got, NULL, 0), VX6_AGAIN);
	for (unsigned i = 1; i < 20; i++) {
		m.seq = i;
		assert_int_equal(abi_send(client, &m, NULL, 0), VX6_OK);
	}
	for (unsigned i = 1; i < 20; i++) {
		assert_int_equal(abi_recv(server, &got, NULL, 0), VX6_OK);
		m.seq = i;
		assert_memory_equal(&got, &m, sizeof(m));
	}
	m = abi_kit_good(ABI_DONE);
	assert_int_equal(abi_send(server, &m, NULL, 0), VX6_OK);
	assert_int_equal(abi_recv(client, &got, NULL, 0), VX6_OK);
	assert_memory_equal(&got, &m, sizeof(m));
	close(client);
	client = -1;
	assert_int_equal(abi_recv(server, &got, NULL, 0), VX6_CLOSED);
	assert_int_equal(abi_send(server, &m, NULL, 0), VX6_CLOSED);
}

static void a_full_socket_says_again_and_loses_nothing(void **state)
{
	struct abi_msg m = abi_kit_good(ABI_HELLO), got;
	enum vx6_status st;
	uint32_t n = 0, seen = 0;

	(void)state;
	connected();
	do {
		m.seq = n + 1;
		st = abi_send(client, &m, NULL, 0);
		n += st == VX6_OK;
	} while (st == VX6_OK && n < 100000);
	assert_int_equal(st, VX6_AGAIN);
	while (abi_recv(server, &got, NULL, 0) == VX6_OK)
		assert_int_equal(got.seq, ++seen);
	assert_int_equal(seen, n);
	assert_int_equal(abi_send(client, &m, NULL, 0), VX6_OK);
}

static void a_text_ends_within_its_room(void **state)
{
	struct abi_msg m = abi_kit_good(ABI_WELCOME);

	(void)state;
	memset(m.u.welcome.why, 'x', sizeof(m.u.welcome.why));
	assert_int_equal(abi_check(&m, false), VX6_MALFORMED);
	m.u.welcome.why[sizeof(m.u.welcome.why) - 1] = '\0';
	assert_int_equal(abi_check(&m, false), VX6_OK);
	m = abi_kit_good(ABI_STATS_ARE);
	memset(m.u.stats.interface[0].name, 'x', ABI_IF_NAME);
	assert_int_equal(abi_check(&m, false), VX6_MALFORMED);
	m.u.stats.interface[0].name[ABI_IF_NAME - 1] = '\0';
	assert_int_equal(abi_check(&m, false), VX6_OK);
}

static void a_welcome_brings_its_descriptors(void **state)
{
	struct abi_msg m = abi_kit_good(ABI_WELCOME), got;
	int fds[3] = { -1, -1, -1 }, pipes[2];
	char c = 'x';

	(void)state;
	connected();
	assert_int_equal(pipe(pipes), 0);
	int send[3] = { pipes[0], pipes[1], pipes[1] };
	assert_int_equal(abi_send(server, &m, send, 3), VX6_OK);
	assert_int_equal(abi_send(server, &m, send, 4), VX6_MALFORMED);
	assert_int_equal(abi_recv(client, &got, fds, 3), VX6_OK);
	assert_int_equal(write(fds[2], &c, 1), 1);
	c = 0;
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC,
				 FD_CLOEXEC);
		close(fds[i]);
	}
	/* other messages bring none, also where some may come */
	m = abi_kit_good(ABI_DONE);
	fds[0] = 99;
	assert_int_equal(abi_send(server, &m, NULL, 0), VX6_OK);
	assert_int_equal(abi_recv(client, &got, fds, 3), VX6_OK);
	assert_int_equal(fds[0], -1);
	close(pipes[0]);
	close(pipes[1]);
}

/* Sends what abi_send would not: any length, any number of descriptors. */
static void send_raw(int sock, const void *data, size_t len, unsigned n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * 32)];
		struct cmsghdr align;
	} room = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data,
			     .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > 0) {
		msg.msg_control = room.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &listener,
			       sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &msg, 0), len);
}

static void stray_descriptors_are_closed(void **state)
{
	static const struct {
		unsigned type, fds, want;
		enum vx6_status st;
	} row[] = {
		{ ABI_WELCOME, 3,  3, VX6_OK        },
		{ ABI_WELCOME, 0,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 1,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 2,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 4,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 8,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 9,  3, VX6_MALFORMED },
		{ ABI_WELCOME, 32, 3, VX6_MALFORMED },
		{ ABI_WELCOME, 3,  0, VX6_MALFORMED },
		{ ABI_HELLO,   1,  0, VX6_MALFORMED },
		{ ABI_HELLO,   9,  0, VX6_MALFORMED },
		{ ABI_DONE,    3,  3, VX6_MALFORMED },
		{ ABI_DONE,    0,  3, VX6_OK        },
	};

	(void)state;
	connected();
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct abi_msg m = abi_kit_good(row[i].type), got;
		int fds[3];
		unsigned before = open_fds();

		send_raw(server, &m, sizeof(m), row[i].fds);
		if (abi_recv(client, &got, fds, row[i].want) != row[i].st)
			fail_msg("row %u", i);
		for (unsigned k = 0; k < row[i].want; k++) {
			bool came = row[i].st == VX6_OK && row[i].fds > 0;

			assert_int_equal(fds[k] >= 0, came);
			if (came)
				close(fds[k]);
		}
		if (open_fds() != before)
			fail_msg("row %u leaks", i);
	}
}

static void other_lengths_are_refused(void **state)
{
	static const size_t len[] = {
		1, 15, 16, 1000, 1023, 1025, 2048, 65536
	};
	static uint8_t data[65536] = { ABI_VERSION, 0, ABI_HELLO };

	(void)state;
	connected();
	for (unsigned i = 0; i < VX6_COUNT(len); i++)
		for (unsigned n = 0; n < 2; n++) {
			struct abi_msg got;
			unsigned before = open_fds();

			send_raw(client, data, len[i], n);
			assert_int_equal(abi_recv(server, &got, NULL, 0),
					 VX6_BAD_SIZE);
			assert_int_equal(open_fds(), before);
		}
	send_raw(client, data, ABI_MSG_LEN, 0);
	struct abi_msg got;
	assert_int_equal(abi_recv(server, &got, NULL, 0), VX6_OK);
}

static void the_file_is_private(void **state)
{
	mode_t old = umask(0);
	struct stat st;

	(void)state;
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(listener, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(abi_accept(listener, &server), VX6_AGAIN);
}

static void a_stale_socket_is_replaced_a_live_one_never(void **state)
{
	int other = -1;

	(void)state;
	assert_int_equal(abi_connect(&client, path), VX6_UNREACHABLE);
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
	assert_int_equal(abi_listen(&other, path), VX6_EXISTS);
	assert_int_equal(other, -1);
	/* also when nobody takes what we connect, until the backlog is full */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(abi_listen(&other, path), VX6_EXISTS);
	close(listener);
	assert_int_equal(abi_connect(&client, path), VX6_UNREACHABLE);
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
	assert_int_equal(abi_connect(&client, path), VX6_OK);
}

static void what_is_no_socket_stays(void **state)
{
	char other[128];
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(abi_listen(&listener, path), VX6_DENIED);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(abi_connect(&client, path), VX6_UNREACHABLE);
	/* nor is a link followed to a socket elsewhere */
	unlink(path);
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(abi_listen(&listener, other), VX6_OK);
	close(listener);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(abi_listen(&listener, path), VX6_DENIED);
	assert_int_equal(stat(other, &st), 0);
	unlink(other);
	listener = -1;
}

static void of_two_that_start_one_wins(void **state)
{
	int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(abi_listen(&listener, path), VX6_EXISTS);
	close(lock);
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
}

static void paths_that_cannot_be_are_refused(void **state)
{
	char longer[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	int fd = -1;

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(strlen(longer), 108);
	assert_int_equal(abi_listen(&fd, longer), VX6_MALFORMED);
	assert_int_equal(abi_connect(&fd, longer), VX6_MALFORMED);
	assert_int_equal(abi_listen(&fd, ""), VX6_MALFORMED);
	assert_int_equal(abi_connect(&fd, ""), VX6_MALFORMED);
	assert_int_equal(abi_listen(&fd, "/nowhere/at/all"), VX6_SYS);
	assert_int_equal(abi_connect(&fd, "/nowhere/at/all"), VX6_UNREACHABLE);
	assert_int_equal(fd, -1);
}

static void too_many_waiting_say_again(void **state)
{
	enum vx6_status st = VX6_OK;
	int fd[64];
	unsigned n = 0;

	(void)state;
	assert_int_equal(abi_listen(&listener, path), VX6_OK);
	while (n < 64 && st == VX6_OK) {
		st = abi_connect(&fd[n], path);
		n += st == VX6_OK;
	}
	assert_int_equal(st, VX6_AGAIN);
	assert_int_equal(abi_accept(listener, &server), VX6_OK);
	assert_int_equal(abi_connect(&client, path), VX6_OK);
	while (n > 0)
		close(fd[--n]);
}

#define sock_test(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(each_type_has_its_side),
		cmocka_unit_test(the_corpus_is_of_this_version),
		cmocka_unit_test(other_types_are_refused),
		cmocka_unit_test(seq_and_status_are_where_they_belong),
		cmocka_unit_test(what_is_not_used_is_zero),
		cmocka_unit_test(each_field_has_its_range),
		cmocka_unit_test(each_kind_of_half_has_its_paths),
		cmocka_unit_test(wiped_is_zero),
		sock_test(messages_go_both_ways),
		sock_test(a_full_socket_says_again_and_loses_nothing),
		cmocka_unit_test(a_text_ends_within_its_room),
		sock_test(a_welcome_brings_its_descriptors),
		sock_test(stray_descriptors_are_closed),
		sock_test(other_lengths_are_refused),
		sock_test(the_file_is_private),
		sock_test(a_stale_socket_is_replaced_a_live_one_never),
		sock_test(what_is_no_socket_stays),
		sock_test(of_two_that_start_one_wins),
		sock_test(paths_that_cannot_be_are_refused),
		sock_test(too_many_waiting_say_again),
	};

	return cmocka_run_group_tests_name("abi", test, NULL, NULL);
}
