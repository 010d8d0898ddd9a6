/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl: control messages parse back, and nothing else parses.
 *
 * Method: one good message of each type, then every truncation, every
 * length but its own, every byte of padding set, and every type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/ctl.h"

static uint8_t body[VX6_CTL_MAX], p[VX6_CTL_MAX + 1];

/* clang-format off */
static const struct {
	uint8_t type;
	uint16_t len;         /* as struct vx6_ctl counts it */
	uint8_t part, parts, code;
	const char *head;     /* first bytes on the wire */
	size_t head_len;
} good[] = {
	{ VX6_CTL_MET,          64, 0, 0, 0, "\1\0\100", 3 },
	{ VX6_CTL_INTRODUCED,  496, 0, 0, 0, "\2\1\360", 3 },
	{ VX6_CTL_FAILED,        0, 0, 0, 2, "\3\0\1\2", 4 },
	{ VX6_CTL_FAILED,        0, 0, 0, 255, "\3\0\1\377", 4 },
	{ VX6_CTL_PING,          8, 0, 0, 0, "\4\0\10", 3 },
	{ VX6_CTL_PONG,          8, 0, 0, 0, "\5\0\10", 3 },
	{ VX6_CTL_DHT_ASK,       0, 0, 1, 0, "\6\0\4\22\64\0\1", 7 },
	{ VX6_CTL_DHT_ASK,     300, 7, 8, 0, "\6\1\60\22\64\7\10", 7 },
	{ VX6_CTL_DHT_ANSWER, 1433, 1, 2, 0, "\7\5\235\22\64\1\2", 7 },
	{ VX6_CTL_ESTABLISHED,  16, 0, 0, 0, "\10\0\20", 3 },
	{ VX6_CTL_ACK,          16, 0, 0, 0, "\11\0\20", 3 },
};
/* clang-format on */

static struct vx6_ctl message(unsigned i)
{
	struct vx6_ctl c = { .type = good[i].type,
			     .body = body,
			     .len = good[i].len,
			     .part = good[i].part,
			     .parts = good[i].parts,
			     .code = good[i].code };

	memset(body, 0xb0 + (int)i, sizeof(body));
	if (c.type == VX6_CTL_DHT_ASK || c.type == VX6_CTL_DHT_ANSWER)
		c.id = 0x1234;
	return c;
}

static size_t emit(unsigned i, size_t size)
{
	struct vx6_ctl c = message(i);
	size_t out = 0;

	memset(p, 0xee, sizeof(p));
	assert_int_equal(vx6_ctl_emit(p, VX6_CTL_MAX, size, &c, &out), VX6_OK);
	assert_int_equal(p[out], 0xee);
	return out;
}

static void each_type_parses_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(good); i++) {
		size_t bare = emit(i, 0);

		assert_memory_equal(p, good[i].head, good[i].head_len);
		for (size_t size = bare; size <= VX6_CTL_MAX; size += 171) {
			struct vx6_ctl want = message(i), c;

			assert_int_equal(emit(i, size), size);
			assert_int_equal(vx6_ctl_parse(&c, p, size), VX6_OK);
			assert_int_equal(c.type, want.type);
			assert_int_equal(c.id, want.id);
			assert_int_equal(c.part, want.part);
			assert_int_equal(c.parts, want.parts);
			assert_int_equal(c.code, want.code);
			if (c.type == VX6_CTL_FAILED)
				continue;
			assert_int_equal(c.len, want.len);
			assert_memory_equal(c.body, body, c.len);
		}
	}
}

static void every_truncation_is_refused(void **state)
{
	struct vx6_ctl c;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(good); i++) {
		size_t bare = emit(i, 0);

		for (size_t len = 0; len < bare; len++)
			assert_int_equal(vx6_ctl_parse(&c, p, len),
					 VX6_TRUNCATED);
	}
}

static void every_other_length_is_refused(void **state)
{
	struct vx6_ctl c;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(good); i++) {
		bool dht = good[i].type == VX6_CTL_DHT_ASK ||
			   good[i].type == VX6_CTL_DHT_ANSWER;
		size_t own = emit(i, 0) - VX6_CTL_HDR;

		memset(p + VX6_CTL_HDR + own, 0,
		       VX6_CTL_MAX - VX6_CTL_HDR - own);
		for (unsigned len = 0; len <= UINT16_MAX; len++) {
			enum vx6_status want = VX6_BAD_SIZE;

			if (len == own ||
			    (dht && len >= own && len <= VX6_CTL_MAX - 3))
				want = VX6_OK;
			else if (dht && len >= 4 && len < own)
				want = VX6_MALFORMED; /* the rest is padding */
			vx6_put16(p + 1, (uint16_t)len);
			assert_int_equal(vx6_ctl_parse(&c, p, VX6_CTL_MAX),
					 want);
		}
	}
}

static void padding_is_zero(void **state)
{
	struct vx6_ctl c;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(good); i++) {
		size_t bare = emit(i, 0);

		for (size_t at = bare; at < VX6_CTL_MAX; at++) {
			emit(i, VX6_CTL_MAX);
			p[at] = 0x80;
			assert_int_equal(vx6_ctl_parse(&c, p, VX6_CTL_MAX),
					 VX6_MALFORMED);
		}
	}
}

static void other_types_and_sizes_are_refused(void **state)
{
	struct vx6_ctl c = { .body = body }, got;
	size_t out;

	(void)state;
	memset(p, 0, sizeof(p));
	for (unsigned type = 0; type < 256; type++) {
		if (type >= 1 && type <= 9)
			continue;
		p[0] = c.type = (uint8_t)type;
		assert_int_equal(vx6_ctl_parse(&got, p, 3), VX6_BAD_KIND);
		assert_int_equal(vx6_ctl_emit(p, 99, 0, &c, &out),
				 VX6_BAD_KIND);
	}
	emit(0, VX6_CTL_MAX);
	p[VX6_CTL_MAX] = 0;
	assert_int_equal(vx6_ctl_parse(&got, p, VX6_CTL_MAX + 1), VX6_BAD_SIZE);
}

static void dht_parts_and_codes_are_judged(void **state)
{
	static const struct {
		uint8_t part, parts;
		enum vx6_status want;
	} row[] = {
		{ 0,   1,   VX6_OK        },
                { 7,   8,   VX6_OK        },
		{ 0,   0,   VX6_MALFORMED },
                { 1,   1,   VX6_MALFORMED },
		{ 8,   8,   VX6_MALFORMED },
                { 0,   9,   VX6_MALFORMED },
		{ 255, 8,   VX6_MALFORMED },
                { 3,   255, VX6_MALFORMED },
	};
	struct vx6_ctl c, got;
	size_t out;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		emit(7, 0);
		p[5] = row[i].part;
		p[6] = row[i].parts;
		assert_int_equal(vx6_ctl_parse(&got, p, 307), row[i].want);
		c = message(7);
		c.part = row[i].part;
		c.parts = row[i].parts;
		assert_int_equal(vx6_ctl_emit(p, VX6_CTL_MAX, 0, &c, &out),
				 row[i].want);
	}
	emit(2, 0);
	p[3] = 0;
	assert_int_equal(vx6_ctl_parse(&got, p, 4), VX6_MALFORMED);
	c = message(2);
	c.code = 0;
	assert_int_equal(vx6_ctl_emit(p, VX6_CTL_MAX, 0, &c, &out),
			 VX6_MALFORMED);
}

static void emit_stays_in_its_buffer(void **state)
{
	struct vx6_ctl c = message(0);
	size_t out;

	(void)state;
	assert_int_equal(vx6_ctl_emit(p, 66, 0, &c, &out), VX6_BAD_SIZE);
	assert_int_equal(vx6_ctl_emit(p, 67, 0, &c, &out), VX6_OK);
	assert_int_equal(vx6_ctl_emit(p, 67, 68, &c, &out), VX6_BAD_SIZE);
	assert_int_equal(vx6_ctl_emit(p, 67, 66, &c, &out), VX6_BAD_SIZE);
	assert_int_equal(vx6_ctl_emit(p, 9999, 1441, &c, &out), VX6_BAD_SIZE);
	c.len = 63;
	assert_int_equal(vx6_ctl_emit(p, 9999, 0, &c, &out), VX6_BAD_SIZE);
	/* a body that lies where it belongs */
	c = message(8);
	memset(p + 7, 5, 1433);
	c.body = p + 7;
	assert_int_equal(vx6_ctl_emit(p, VX6_CTL_MAX, 0, &c, &out), VX6_OK);
	assert_int_equal(p[7], 5);
	assert_int_equal(p[1439], 5);
	c.len = 1434;
	assert_int_equal(vx6_ctl_emit(p, 9999, 0, &c, &out), VX6_BAD_SIZE);
}

static void types_have_names(void **state)
{
	(void)state;
	assert_string_equal(vx6_ctl_name(VX6_CTL_MET), "met");
	assert_string_equal(vx6_ctl_name(VX6_CTL_ACK), "ack");
	assert_string_equal(vx6_ctl_name(0), "unknown");
	assert_string_equal(vx6_ctl_name(10), "unknown");
	for (unsigned t = 1; t < VX6_CTL_TYPE_CNT; t++)
		assert_string_not_equal(vx6_ctl_name(t), "unknown");
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(each_type_parses_back),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(padding_is_zero),
		cmocka_unit_test(other_types_and_sizes_are_refused),
		cmocka_unit_test(dht_parts_and_codes_are_judged),
		cmocka_unit_test(emit_stays_in_its_buffer),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests_name("ctl", test, NULL, NULL);
}
