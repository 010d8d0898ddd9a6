/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_record: any bytes as a record, a node body or a message are taken or
 * refused, never with a status that would end the process; and what is
 * taken can be said again and means the same.
 *
 * The first byte says what the rest is. */
#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/record/item.h"
#include "controlplane/record/message.h"
#include "controlplane/record/node.h"

#define NOW UINT64_C(1800000000)

static uint8_t out[MSG_HEAD_LEN + MSG_BODY_MAX];

static void refuse_well(enum vx6_status st)
{
	if (vx6_status_owed(st) == VX6_OWE_BOOT)
		abort();
}

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_record(const uint8_t *p, size_t len)
{
	struct record_env env;
	struct node_record n;
	enum vx6_status st = record_open(p, len, NOW, &env);

	refuse_well(st);
	if (st == VX6_OK)
		refuse_well(node_record_parse(&env, &n));
}

/* A body that is taken is signed, opened and parsed again. */
static void fuzz_node(const uint8_t *p, size_t len)
{
	static const uint8_t seed[32] = { 9 };
	struct record_env env = { .type = RECORD_NODE,
				  .body = p,
				  .body_len = len,
				  .issued = NOW,
				  .expires = NOW + 60 };
	static struct node_record n, again;
	struct identity id;
	size_t n_len;
	enum vx6_status st = node_record_parse(&env, &n);

	refuse_well(st);
	if (st != VX6_OK)
		return;
	identity_from_seed(&id, seed);
	need(node_record_sign(&id, &n, 1, NOW, 60, out, sizeof(out), &n_len) ==
	     VX6_OK);
	need(record_open(out, n_len, NOW, &env) == VX6_OK);
	need(node_record_parse(&env, &again) == VX6_OK);
	memcpy(again.id, n.id, sizeof(n.id));
	memcpy(again.publisher, n.publisher, sizeof(n.publisher));
	again.sequence = n.sequence;
	need(strcmp(n.name, again.name) == 0 && n.via_cnt == again.via_cnt &&
	     n.endpoint_cnt == again.endpoint_cnt &&
	     memcmp(n.endpoint[7].ip, again.endpoint[7].ip, 16) == 0 &&
	     n.endpoint[0].control_port == again.endpoint[0].control_port &&
	     memcmp(&n.onion, &again.onion, sizeof(n.onion)) == 0 &&
	     n.roles == again.roles && n.owner_len == again.owner_len);
}

static void fuzz_hello(const uint8_t *p, size_t len)
{
	struct msg_hello m, again;
	size_t n;
	enum vx6_status st = msg_hello_parse(p, len, &m);

	refuse_well(st);
	if (st != VX6_OK)
		return;
	need(msg_hello_emit(&m, out, sizeof(out), &n) == VX6_OK);
	need(msg_hello_parse(out + MSG_HEAD_LEN, n - MSG_HEAD_LEN, &again) ==
	     VX6_OK);
	need(m.unix_ms == again.unix_ms && m.record_len == again.record_len &&
	     m.circuits == again.circuits);
}

static void fuzz_records(const uint8_t *p, size_t len)
{
	static struct msg_records m, again;
	unsigned took = 0;
	size_t n;
	enum vx6_status st = msg_records_parse(p, len, &m);

	refuse_well(st);
	if (st != VX6_OK || m.n == 0)
		return;
	need(msg_records_emit(m.record, m.n, out, sizeof(out), &n, &took) ==
		     VX6_OK &&
	     took >= 1 && took <= m.n);
	need(msg_records_parse(out + MSG_HEAD_LEN, n - MSG_HEAD_LEN, &again) ==
		     VX6_OK &&
	     again.n == took);
}

static void fuzz_link(const uint8_t *p, size_t len)
{
	struct msg_link m, again;
	size_t n;
	enum vx6_status st = msg_link_parse(p, len, &m);

	refuse_well(st);
	if (st != VX6_OK)
		return;
	need(msg_link_emit(MSG_LINK_OK, &m, out, sizeof(out), &n) == VX6_OK);
	need(n <= MSG_SMALL);
	need(msg_link_parse(out + MSG_HEAD_LEN, n - MSG_HEAD_LEN, &again) ==
	     VX6_OK);
	need(m.index == again.index && m.learn == again.learn &&
	     vx6_addr_eq(&m.addr, &again.addr) && m.u == again.u &&
	     m.adopt == again.adopt && m.adopt_peer == again.adopt_peer);
}

static void fuzz_open(const uint8_t *p, size_t len)
{
	struct msg_open m, again;
	size_t n;
	enum vx6_status st = msg_open_parse(p, len, &m);

	refuse_well(st);
	if (st != VX6_OK)
		return;
	need(msg_open_emit(&m, out, MSG_SMALL, &n) == VX6_OK);
	need(msg_open_parse(out + MSG_HEAD_LEN, n - MSG_HEAD_LEN, &again) ==
	     VX6_OK);
	need(strcmp(m.name, again.name) == 0 && m.proto == again.proto &&
	     m.flow == again.flow);
}

static void fuzz_small(const uint8_t *p, size_t len)
{
	static struct msg_wanted wanted;
	struct msg_link_close close;
	struct msg_goaway goaway;
	struct msg_channel channel;
	struct msg_head head;
	uint32_t code;
	size_t n;

	refuse_well(msg_wanted_parse(p, len, &wanted));
	refuse_well(msg_link_close_parse(p, len, &close));
	refuse_well(msg_open_ok_parse(p, len));
	refuse_well(msg_open_fail_parse(p, len, &code));
	if (msg_channel_parse(p, len, &channel) == VX6_OK)
		need(channel.d == 0 ||
		     (channel.d >= MSG_D_MIN && channel.d <= MSG_D_MAX));
	if (msg_goaway_parse(p, len, &goaway) == VX6_OK)
		need(msg_goaway_emit(&goaway, out, MSG_SMALL, &n) == VX6_OK);
	if (len >= MSG_HEAD_LEN && msg_head_parse(p, &head) == VX6_OK)
		need(head.len <= MSG_BODY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const fuzz[])(const uint8_t *p, size_t n) = {
		fuzz_record, fuzz_node, fuzz_hello, fuzz_records,
		fuzz_link,   fuzz_open, fuzz_small,
	};

	if (sodium_init() < 0)
		abort();
	if (len > 0)
		fuzz[data[0] % VX6_COUNT(fuzz)](data + 1, len - 1);
	return 0;
}
