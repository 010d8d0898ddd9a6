/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: what sessions, tunnels and channels say, and what they may not.
 *
 * Method: every message at both ends of every range goes out and comes back
 * the same, and none of its beginnings is one; bodies written by hand where
 * ours would be too polite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/record/item.h"
#include "controlplane/record/message.h"
#include "controlplane/record/node.h"
#include "dataplane/base/bytes.h"
#include "tests/support/unhex.h"

#define NOW UINT64_C(1800000000)

static uint8_t buf[MSG_HEAD_LEN + MSG_BODY_MAX];
static size_t buf_len;

/* Parses the message in buf as what its head says it is. */
static enum vx6_status parse_any(enum msg_type type, const uint8_t *body,
				 size_t len)
{
	static struct msg_records records;
	static struct msg_wanted wanted;
	struct msg_hello hello;
	struct msg_link link;
	struct msg_link_close close;
	struct msg_goaway goaway;
	struct msg_open open;
	uint32_t code;

	switch (type) {
	case MSG_HELLO: return msg_hello_parse(body, len, &hello);
	case MSG_RECORDS: return msg_records_parse(body, len, &records);
	case MSG_RECORDS_WANTED: return msg_wanted_parse(body, len, &wanted);
	case MSG_LINK_OPEN:
	case MSG_LINK_OK: return msg_link_parse(body, len, &link);
	case MSG_LINK_CLOSE: return msg_link_close_parse(body, len, &close);
	case MSG_GOAWAY: return msg_goaway_parse(body, len, &goaway);
	case MSG_OPEN: return msg_open_parse(body, len, &open);
	case MSG_OPEN_OK: return msg_open_ok_parse(body, len);
	case MSG_OPEN_FAIL: return msg_open_fail_parse(body, len, &code);
	case MSG_CREATE:
	case MSG_CREATED:
	case MSG_CREATE_FAIL:
	case MSG_DESTROY:
	case MSG_DESTROYED:
	case MSG_CIRCUITS:
	case MSG_DHT_ASK:
	case MSG_DHT_ANSWER: break;
	}
	return VX6_BAD_KIND;
}

/* The message in buf is whole, is of that type, and no part of it is one. */
static const uint8_t *check_message(enum msg_type type)
{
	struct msg_head h;
	const uint8_t *body = buf + MSG_HEAD_LEN;

	assert_true(buf_len >= MSG_HEAD_LEN);
	assert_int_equal(msg_head_parse(buf, &h), VX6_OK);
	assert_int_equal(h.type, type);
	assert_int_equal(h.len, buf_len - MSG_HEAD_LEN);
	assert_int_equal(item_check(body, h.len), VX6_OK);
	assert_int_equal(parse_any(type, body, h.len), VX6_OK);
	for (size_t len = 0; len < h.len; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		assert_non_null(exact);
		memcpy(exact, body, len);
		assert_int_not_equal(parse_any(type, exact, len), VX6_OK);
		free(exact);
	}
	return body;
}

static void heads(void **state)
{
	static const struct {
		const char *hex;
		enum vx6_status want;
		uint16_t type;
		uint32_t len;
	} row[] = {
		{ "0001 00000000", VX6_OK,       1,     0     },
		{ "0022 00010000", VX6_OK,       34,    65536 },
		{ "ffff 00000001", VX6_OK,       65535, 1     },
		{ "0001 00010001", VX6_BAD_SIZE, 0,     0     },
		{ "0001 ffffffff", VX6_BAD_SIZE, 0,     0     },
	};
	uint8_t in[MSG_HEAD_LEN], out[MSG_HEAD_LEN];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		struct msg_head h = { 0 };

		unhex(row[i].hex, in, sizeof(in));
		assert_int_equal(msg_head_parse(in, &h), row[i].want);
		assert_int_equal(h.type, row[i].type);
		assert_int_equal(h.len, row[i].len);
	}
	msg_head_emit(out, MSG_OPEN_FAIL, 65536);
	unhex("0022 00010000", in, sizeof(in));
	assert_memory_equal(out, in, sizeof(in));
}

static void hello(void **state)
{
	static const uint8_t record[NODE_RECORD_MAX] = { 7 };
	struct msg_hello m = { .unix_ms = INT64_MAX,
			       .record = record,
			       .record_len = sizeof(record),
			       .create_rate = UINT32_MAX,
			       .create_burst = 1,
			       .circuits = 65536 };
	struct msg_hello got;

	(void)state;
	assert_int_equal(msg_hello_emit(&m, buf, sizeof(buf), &buf_len),
			 VX6_OK);
	const uint8_t *body = check_message(MSG_HELLO);
	assert_int_equal(msg_hello_parse(body, buf_len - MSG_HEAD_LEN, &got),
			 VX6_OK);
	assert_int_equal(got.unix_ms, INT64_MAX);
	assert_int_equal(got.record_len, sizeof(record));
	assert_memory_equal(got.record, record, sizeof(record));
	assert_int_equal(got.create_rate, UINT32_MAX);
	assert_int_equal(got.create_burst, 1);
	assert_int_equal(got.circuits, 65536);
	size_t whole = buf_len, len = 77;
	for (size_t cap = 0; cap < whole; cap++)
		assert_int_equal(msg_hello_emit(&m, buf, cap, &len),
				 VX6_BAD_SIZE);
	assert_int_equal(len, 77);
	m.record_len = 0;
	assert_int_equal(msg_hello_emit(&m, buf, sizeof(buf), &len),
			 VX6_MALFORMED);
	m.record_len = NODE_RECORD_MAX + 1;
	assert_int_equal(msg_hello_emit(&m, buf, sizeof(buf), &len),
			 VX6_MALFORMED);
}

static void records_in_batches(void **state)
{
	static uint8_t data[300][NODE_RECORD_MAX];
	static struct msg_bytes in[300];
	static struct msg_records got;
	unsigned at = 0, messages = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		memset(data[i], (int)(i & 0xff), sizeof(data[i]));
		in[i] = (struct msg_bytes){ data[i], 1 + i * 7 % 2048 };
	}
	while (at < 300) {
		unsigned took = 0;

		assert_int_equal(msg_records_emit(in + at, 300 - at, buf,
						  sizeof(buf), &buf_len, &took),
				 VX6_OK);
		assert_true(took >= 1);
		assert_true(buf_len <= MSG_HEAD_LEN + MSG_BODY_MAX);
		assert_int_equal(msg_records_parse(buf + MSG_HEAD_LEN,
						   buf_len - MSG_HEAD_LEN,
						   &got),
				 VX6_OK);
		assert_int_equal(got.n, took);
		for (unsigned i = 0; i < took; i++) {
			assert_int_equal(got.record[i].len, in[at + i].len);
			assert_memory_equal(got.record[i].data, data[at + i],
					    in[at + i].len);
		}
		at += took;
		messages++;
	}
	assert_int_equal(at, 300);
	assert_in_range(messages, 5, 7); /* 300 kB by 64 KiB */
}

static void a_batch_is_bounded(void **state)
{
	static struct msg_bytes in[300];
	static struct msg_records got;
	static const uint8_t one[NODE_RECORD_MAX] = { 1 };
	unsigned took = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		in[i] = (struct msg_bytes){ one, 1 };
	assert_int_equal(
		msg_records_emit(in, 300, buf, sizeof(buf), &buf_len, &took),
		VX6_OK);
	assert_int_equal(took, MSG_RECORDS_MAX);
	check_message(MSG_RECORDS);
	assert_int_equal(
		msg_records_emit(in, 0, buf, sizeof(buf), &buf_len, &took),
		VX6_MALFORMED);
	assert_int_equal(msg_records_emit(in, 1, buf, 8, &buf_len, &took),
			 VX6_BAD_SIZE);
	in[1].len = NODE_RECORD_MAX + 1;
	assert_int_equal(
		msg_records_emit(in, 2, buf, sizeof(buf), &buf_len, &took),
		VX6_MALFORMED);
	/* 257 in one, by hand */
	struct item_out o;
	item_begin(&o, buf, sizeof(buf));
	item_put_map(&o, 1);
	item_put_u64(&o, 1);
	item_put_array(&o, 257);
	for (unsigned i = 0; i < 257; i++)
		item_put_bytes(&o, one, 1);
	item_put_up(&o);
	item_put_up(&o);
	assert_int_equal(item_finish(&o, &buf_len), VX6_OK);
	assert_int_equal(msg_records_parse(buf, buf_len, &got), VX6_MALFORMED);
}

static void wanted(void **state)
{
	static struct msg_wanted m, got;

	(void)state;
	for (m.n = 0; m.n <= MSG_RECORDS_MAX; m.n += MSG_RECORDS_MAX / 2) {
		for (unsigned i = 0; i < m.n; i++)
			memset(m.id[i], (int)(i & 0xff), 32);
		assert_int_equal(
			msg_wanted_emit(&m, buf, sizeof(buf), &buf_len),
			VX6_OK);
		assert_int_equal(msg_wanted_parse(buf + MSG_HEAD_LEN,
						  buf_len - MSG_HEAD_LEN, &got),
				 VX6_OK);
		assert_int_equal(got.n, m.n);
		assert_memory_equal(got.id, m.id, 32 * (size_t)m.n);
	}
	m.n = MSG_RECORDS_MAX + 1;
	assert_int_equal(msg_wanted_emit(&m, buf, sizeof(buf), &buf_len),
			 VX6_MALFORMED);
}

static struct msg_link full_link(void)
{
	struct msg_link m = {
		.index = 0xffffff,
		.nonce = { 1, 2, 3 },
		.u = 1472,
		.adopt = true,
		.adopt_own = 1,
		.adopt_peer = 0xffffff
	};

	assert_int_equal(vx6_addr_parse(&m.addr, "192.0.2.1:65535"), VX6_OK);
	return m;
}

static void links(void **state)
{
	struct msg_link m = full_link(), got;

	(void)state;
	assert_int_equal(
		msg_link_emit(MSG_LINK_OPEN, &m, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	const uint8_t *body = check_message(MSG_LINK_OPEN);
	assert_int_equal(msg_link_parse(body, buf_len - MSG_HEAD_LEN, &got),
			 VX6_OK);
	assert_int_equal(got.index, m.index);
	assert_memory_equal(got.nonce, m.nonce, 16);
	assert_false(got.learn);
	assert_true(vx6_addr_eq(&got.addr, &m.addr));
	assert_int_equal(got.u, 1472);
	assert_true(got.adopt);
	assert_int_equal(got.adopt_own, 1);
	assert_int_equal(got.adopt_peer, 0xffffff);
	m = (struct msg_link){ .index = 1, .learn = true, .u = 32 };
	m.addr.port = 1;
	assert_int_equal(
		msg_link_emit(MSG_LINK_OK, &m, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	body = check_message(MSG_LINK_OK);
	assert_int_equal(msg_link_parse(body, buf_len - MSG_HEAD_LEN, &got),
			 VX6_OK);
	assert_true(got.learn && !got.adopt);
	assert_int_equal(got.addr.port, 1);
#define REFUSED(change)                                                        \
	do {                                                                   \
		m = full_link();                                               \
		change;                                                        \
		assert_int_equal(msg_link_emit(MSG_LINK_OPEN, &m, buf,         \
					       MSG_SMALL, &buf_len),           \
				 VX6_MALFORMED);                               \
	} while (0)
	REFUSED(m.index = 0);
	REFUSED(m.index = 0x1000000);
	REFUSED(m.addr.port = 0);
	REFUSED(m.u = 31);
	REFUSED(m.u = 1473);
	REFUSED(m.adopt_own = 0);
	REFUSED(m.adopt_peer = 0x1000000);
#undef REFUSED
	m = full_link();
	assert_int_equal(msg_link_emit(MSG_HELLO, &m, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
}

static void endings(void **state)
{
	struct msg_link_close c = { 0xffffff, UINT32_MAX }, got_c;
	struct msg_goaway g = { .reason = MSG_GOAWAY_SHUTDOWN }, got_g;

	(void)state;
	assert_int_equal(msg_link_close_emit(&c, buf, MSG_SMALL, &buf_len),
			 VX6_OK);
	const uint8_t *body = check_message(MSG_LINK_CLOSE);
	assert_int_equal(
		msg_link_close_parse(body, buf_len - MSG_HEAD_LEN, &got_c),
		VX6_OK);
	assert_int_equal(got_c.index, c.index);
	assert_int_equal(got_c.reason, c.reason);
	c.index = 0;
	assert_int_equal(msg_link_close_emit(&c, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(msg_goaway_emit(&g, buf, MSG_SMALL, &buf_len),
				 VX6_OK);
		body = check_message(MSG_GOAWAY);
		assert_int_equal(
			msg_goaway_parse(body, buf_len - MSG_HEAD_LEN, &got_g),
			VX6_OK);
		assert_int_equal(got_g.reason, g.reason);
		assert_string_equal(got_g.text, g.text);
		memset(g.text, '~', MSG_TEXT - 1);
	}
	g.text[5] = '\x1b'; /* nothing that a terminal would obey */
	assert_int_equal(msg_goaway_emit(&g, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
	memset(g.text, '~', MSG_TEXT);
	assert_int_equal(msg_goaway_emit(&g, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
}

static void service_streams(void **state)
{
	struct msg_open m = { .name = "ssh", .proto = MSG_TCP }, got;
	uint8_t want[32];
	uint32_t code;

	(void)state;
	assert_int_equal(msg_open_emit(&m, buf, MSG_SMALL, &buf_len), VX6_OK);
	/* a second implementation would write these very bytes */
	assert_int_equal(
		unhex("0020 00000008 a2 01 63737368 02 01", want, sizeof(want)),
		buf_len);
	assert_memory_equal(buf, want, buf_len);
	check_message(MSG_OPEN);
	m = (struct msg_open){ .name = "a23456789012345",
			       .proto = MSG_UDP,
			       .has_flow = true,
			       .flow = UINT32_MAX };
	assert_int_equal(msg_open_emit(&m, buf, MSG_SMALL, &buf_len), VX6_OK);
	const uint8_t *body = check_message(MSG_OPEN);
	assert_int_equal(msg_open_parse(body, buf_len - MSG_HEAD_LEN, &got),
			 VX6_OK);
	assert_string_equal(got.name, m.name);
	assert_int_equal(got.proto, MSG_UDP);
	assert_true(got.has_flow);
	assert_int_equal(got.flow, UINT32_MAX);
	m.proto = MSG_TCP; /* a flow is UDP's */
	assert_int_equal(msg_open_emit(&m, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
	m = (struct msg_open){ .name = "a.b", .proto = MSG_TCP };
	assert_int_equal(msg_open_emit(&m, buf, MSG_SMALL, &buf_len),
			 VX6_MALFORMED);
	assert_int_equal(msg_open_ok_emit(buf, MSG_SMALL, &buf_len), VX6_OK);
	check_message(MSG_OPEN_OK);
	assert_int_equal(
		msg_open_fail_emit(MSG_OPEN_BUSY, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	body = check_message(MSG_OPEN_FAIL);
	assert_int_equal(
		msg_open_fail_parse(body, buf_len - MSG_HEAD_LEN, &code),
		VX6_OK);
	assert_int_equal(code, MSG_OPEN_BUSY);
}

static void channel_control(void **state)
{
	static const uint16_t d[] = { 0, MSG_D_MIN, 1006, MSG_D_MAX };
	struct msg_channel m, got;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(d); i++) {
		m.d = d[i];
		assert_int_equal(
			msg_channel_emit(&m, buf, MSG_CHANNEL_MAX, &buf_len),
			VX6_OK);
		assert_int_equal(msg_channel_parse(buf, buf_len, &got), VX6_OK);
		assert_int_equal(got.d, d[i]);
	}
	m.d = MSG_D_MIN - 1;
	assert_int_equal(msg_channel_emit(&m, buf, MSG_CHANNEL_MAX, &buf_len),
			 VX6_MALFORMED);
	m.d = MSG_D_MAX + 1;
	assert_int_equal(msg_channel_emit(&m, buf, MSG_CHANNEL_MAX, &buf_len),
			 VX6_MALFORMED);
}

#define N16 "000102030405060708090a0b0c0d0e0f"

/* clang-format off */
static const struct {
	enum msg_type type;
	const char *hex;
	enum vx6_status want;
} other_body[] = {
	{ MSG_HELLO, "a4 0101 0200 034107 04a0", VX6_OK },
	{ MSG_HELLO, "a4 0102 0200 034107 04a0", VX6_BAD_VERSION },
	{ MSG_HELLO, "a4 0101 0200 0340 04a0", VX6_MALFORMED },
	{ MSG_HELLO, "a3 0101 0200 034107", VX6_MALFORMED },
	{ MSG_HELLO, "a4 0101 021bffffffffffffffff 034107 04a0",
	  VX6_MALFORMED },
	{ MSG_HELLO, "a4 0101 0200 034107 04a1 0100", VX6_MALFORMED },
	{ MSG_HELLO, "a5 0101 0200 034107 04a1 1864f6 05f5", VX6_OK },
	{ MSG_HELLO, "a4 0101 0200 034107 04a1 0161 30",
	  VX6_MALFORMED },
	{ MSG_RECORDS, "a1 0180", VX6_OK },
	{ MSG_RECORDS, "a1 018140", VX6_MALFORMED },
	{ MSG_RECORDS, "a0", VX6_MALFORMED },
	{ MSG_RECORDS, "a1 01a0", VX6_MALFORMED },
	{ MSG_RECORDS_WANTED, "a1 0180", VX6_OK },
	{ MSG_RECORDS_WANTED, "a1 018141aa", VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "0350" N16 "0401 051820",
	  VX6_OK },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "03656c6561726e 0401 051820", VX6_OK },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "03656c6561726d 0401 051820",
	  VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 0100 0250" N16 "0350" N16 "0401 051820",
	  VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 011a01000000 0250" N16 "0350" N16 "0401 051820",
	  VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "0350" N16 "0400 051820",
	  VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "0350" N16 "0401 05181f",
	  VX6_MALFORMED },
	{ MSG_LINK_OPEN, "a5 0101 0250" N16 "0350" N16 "0401 051905c1",
	  VX6_MALFORMED },
	{ MSG_LINK_OK, "a6 0101 0250" N16 "0350" N16 "0401 051820 "
	  "06820102", VX6_OK },
	{ MSG_LINK_OK, "a6 0101 0250" N16 "0350" N16 "0401 051820 "
	  "068101", VX6_MALFORMED },
	{ MSG_LINK_OK, "a6 0101 0250" N16 "0350" N16 "0401 051820 "
	  "0683010203", VX6_MALFORMED },
	{ MSG_LINK_OK, "a6 0101 0250" N16 "0350" N16 "0401 051820 "
	  "06820100", VX6_MALFORMED },
	{ MSG_LINK_CLOSE, "a2 0101 0207", VX6_OK },
	{ MSG_LINK_CLOSE, "a1 0101", VX6_MALFORMED },
	{ MSG_GOAWAY, "a1 0101", VX6_OK },
	{ MSG_GOAWAY, "a2 0101 02627e7e", VX6_OK },
	{ MSG_GOAWAY, "a2 0101 026209aa", VX6_MALFORMED },
	{ MSG_GOAWAY, "a2 0101 0260", VX6_MALFORMED },
	{ MSG_OPEN, "a2 016161 0201", VX6_OK },
	{ MSG_OPEN, "a2 016141 0201", VX6_MALFORMED },
	{ MSG_OPEN, "a2 016161 0203", VX6_MALFORMED },
	{ MSG_OPEN, "a2 016161 0200", VX6_MALFORMED },
	{ MSG_OPEN, "a3 016161 0201 0300", VX6_MALFORMED },
	{ MSG_OPEN, "a3 016161 0202 0300", VX6_OK },
	{ MSG_OPEN, "a1 016161", VX6_MALFORMED },
	{ MSG_OPEN, "a2 0201 016161", VX6_MALFORMED },
	{ MSG_OPEN, "a3 016161 0201 04 58fa", VX6_TRUNCATED },
	{ MSG_OPEN_OK, "a0", VX6_OK },
	{ MSG_OPEN_OK, "80", VX6_MALFORMED },
	/* later fields of every kind, and of those that we do not take */
	{ MSG_OPEN_OK, "a9 0100 0220 034161 046161 058100 06a16161f6 07f4 08f5 "
	  "09f6", VX6_OK },
	{ MSG_OPEN_OK, "a1 0181818181818181 00", VX6_OK },
	{ MSG_OPEN_OK, "a1 018181818181818181 00", VX6_MALFORMED },
	{ MSG_OPEN_OK, "a1 01cb03", VX6_MALFORMED },
	{ MSG_OPEN_OK, "a1 01f90000", VX6_MALFORMED },
	{ MSG_OPEN_FAIL, "a1 0109", VX6_OK },
	{ MSG_OPEN_FAIL, "a1 0100", VX6_MALFORMED },
	{ MSG_OPEN_FAIL, "a0", VX6_MALFORMED },
};
/* clang-format on */

static void bodies_are_judged(void **state)
{
	uint8_t body[128];
	struct msg_channel c;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(other_body); i++) {
		size_t len = unhex(other_body[i].hex, body, sizeof(body));

		if (parse_any(other_body[i].type, body, len) !=
		    other_body[i].want)
			fail_msg("%s: %s", other_body[i].hex,
				 vx6_status_name(parse_any(other_body[i].type,
							   body, len)));
	}
	assert_int_equal(
		msg_channel_parse(body, unhex("a1 011901ff", body, 128), &c),
		VX6_MALFORMED);
	assert_int_equal(
		msg_channel_parse(body, unhex("a1 011905c1", body, 128), &c),
		VX6_MALFORMED);
	assert_int_equal(msg_channel_parse(body,
					   unhex("a2 01190200 02a0", body, 128),
					   &c),
			 VX6_OK);
	assert_int_equal(c.d, 512);
}

static void opens_are_small(void **state)
{
	struct msg_open m;
	uint32_t code;

	(void)state;
	/* well-formed, but with a later field that is too long */
	buf[0] = 0xa3;
	memcpy(buf + 1, "\x01\x61\x61\x02\x01\x04\x59", 7);
	vx6_put16(buf + 8, 247);
	memset(buf + 10, 0, 247);
	assert_int_equal(item_check(buf, 257), VX6_MALFORMED); /* 247 < 256 */
	vx6_put16(buf + 8, 256);
	assert_int_equal(item_check(buf, 266), VX6_OK);
	assert_int_equal(msg_open_parse(buf, 266, &m), VX6_BAD_SIZE);
	assert_int_equal(msg_open_ok_parse(buf, 266), VX6_BAD_SIZE);
	assert_int_equal(msg_open_fail_parse(buf, 266, &code), VX6_BAD_SIZE);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(hello),
		cmocka_unit_test(records_in_batches),
		cmocka_unit_test(a_batch_is_bounded),
		cmocka_unit_test(wanted),
		cmocka_unit_test(links),
		cmocka_unit_test(endings),
		cmocka_unit_test(service_streams),
		cmocka_unit_test(channel_control),
		cmocka_unit_test(bodies_are_judged),
		cmocka_unit_test(opens_are_small),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("message", test, NULL, NULL);
}
