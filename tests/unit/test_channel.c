/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel: plaintext that parses back, sizes D, and halves that meet.
 *
 * Method: the table of PROTOCOL.md section 5 word for word; messages at
 * the edges of their lengths; and a stream of datagrams whose halves are
 * lost, delayed and shuffled, against a model that keeps them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/channel.h"

/* ---- sizes ---- */

static void sizes_are_the_table_of_section_5(void **state)
{
	static const struct {
		unsigned mtu, head, u;
		size_t spliced[3]; /* n = 4, 6, 8 */
		size_t end[4];     /* n = 2, 4, 6, 8 */
	} row[] = {
		/* clang-format off */
		{ 1500, 48, 1452, { 1322, 1274, 1226 }, { 1394, 1346, 1298, 1250 } },
		{ 1500, 28, 1472, { 1342, 1294, 1246 }, { 1414, 1366, 1318, 1270 } },
		{ 1492, 48, 1444, { 1314, 1266, 1218 }, { 1386, 1338, 1290, 1242 } },
		{ 1420, 48, 1372, { 1242, 1194, 1146 }, { 1314, 1266, 1218, 1170 } },
		{ 1280, 48, 1232, { 1102, 1054, 1006 }, { 1174, 1126, 1078, 1030 } },
		/* clang-format on */
	};

	(void)state;
	for (unsigned r = 0; r < VX6_COUNT(row); r++) {
		assert_int_equal(row[r].mtu - row[r].head, row[r].u);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(
				vx6_channel_d_spliced(row[r].u, 4 + 2 * i),
				row[r].spliced[i]);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(vx6_channel_d_end(row[r].u, 2 + 2 * i),
					 row[r].end[i]);
	}
	assert_int_equal(vx6_channel_d_spliced(1232, 8), VX6_CHANNEL_D_DEFAULT);
}

static void sizes_that_cannot_be_are_0(void **state)
{
	(void)state;
	assert_int_equal(vx6_channel_d_end(1452, 0), 0);
	assert_int_equal(vx6_channel_d_end(1452, 9), 0);
	assert_int_equal(vx6_channel_d_spliced(1452, 0), 0);
	assert_int_equal(vx6_channel_d_spliced(1452, 9), 0);
	assert_int_equal(vx6_channel_d_end(0, 1), 0);
	assert_int_equal(vx6_channel_d_end(34, 1), 0);
	assert_int_equal(vx6_channel_d_end(35, 1), 1);
	assert_int_equal(vx6_channel_d_spliced(58, 1), 0);
	assert_int_equal(vx6_channel_d_spliced(59, 1), 1);
	assert_int_equal(vx6_channel_d_end(9000, 1), VX6_DATAGRAM_MAX);
	assert_int_equal(vx6_channel_d_end(UINT32_MAX, 8), 1270);
}

static void a_datagram_takes_one_cell_two_or_none(void **state)
{
	(void)state;
	assert_int_equal(vx6_channel_cells(0, 1006), 0);
	assert_int_equal(vx6_channel_cells(1, 1006), 1);
	assert_int_equal(vx6_channel_cells(1006, 1006), 1);
	assert_int_equal(vx6_channel_cells(1007, 1006), 2);
	assert_int_equal(vx6_channel_cells(1200, 600), 2);
	assert_int_equal(vx6_channel_cells(1201, 600), 0);
	assert_int_equal(vx6_channel_cells(1199, 600), 2);
	assert_int_equal(vx6_channel_cells(1438, 1438), 1);
	assert_int_equal(vx6_channel_cells(1439, 1439), 0);
	assert_int_equal(vx6_channel_cells(2, 0), 0);
}

/* ---- plaintext ---- */

static void what_is_emitted_parses_back(void **state)
{
	static const size_t len[] = { 0, 1, 2, 3, 4, 5, 719, 720, 1437, 1438 };
	uint8_t data[VX6_CHANNEL_MAX], p[VX6_CHANNEL_MAX + 1];
	struct vx6_channel_msg m;

	(void)state;
	memset(data, 0xdd, sizeof(data));
	for (unsigned type = 0; type < VX6_CHANNEL_TYPE_CNT; type++)
		for (unsigned i = 0; i < VX6_COUNT(len); i++)
			for (size_t size = 2 + len[i]; size <= VX6_CHANNEL_MAX;
			     size += 359) {
				bool half = type == 2 || type == 3;
				bool token = type >= 5;
				bool can = type == 0 ||
					   (token ? len[i] == 4
						  : len[i] > 0 &&
							    (!half ||
							     len[i] <= 719));

				memset(p, 0xee, sizeof(p));
				enum vx6_status st = vx6_channel_emit(
					p, size, type, data, len[i]);
				assert_int_equal(st,
						 can ? VX6_OK : VX6_BAD_SIZE);
				assert_int_equal(p[size], 0xee);
				if (!can)
					continue;
				assert_int_equal(vx6_channel_parse(&m, p, size),
						 VX6_OK);
				assert_int_equal(m.type, type);
				assert_int_equal(m.len, len[i]);
				assert_memory_equal(m.data, data, len[i]);
				if (token)
					assert_int_equal(m.token, 0xdddddddd);
			}
}

static void emit_leaves_data_where_it_lies(void **state)
{
	uint8_t p[100];

	(void)state;
	memset(p, 7, sizeof(p));
	assert_int_equal(
		vx6_channel_emit(p, 60, VX6_CHANNEL_DATAGRAM, p + 2, 50),
		VX6_OK);
	for (unsigned i = 2; i < 60; i++)
		assert_int_equal(p[i], i < 52 ? 7 : 0);
	assert_int_equal(p[60], 7);
}

static void a_token_goes_there_and_back(void **state)
{
	struct vx6_channel_msg m;
	uint8_t p[64];

	(void)state;
	assert_int_equal(
		vx6_channel_emit_token(p, 6, VX6_CHANNEL_PING, 0x01020304),
		VX6_OK);
	assert_memory_equal(p, "\x50\x04\1\2\3\4", 6);
	assert_int_equal(vx6_channel_parse(&m, p, 6), VX6_OK);
	assert_int_equal(
		vx6_channel_emit_token(p, 64, VX6_CHANNEL_PONG, m.token),
		VX6_OK);
	assert_memory_equal(p, "\x60\x04\1\2\3\4", 6);
	assert_int_equal(vx6_channel_emit_token(p, 5, VX6_CHANNEL_PING, 1),
			 VX6_BAD_SIZE);
	assert_int_equal(vx6_channel_emit_token(p, 6, VX6_CHANNEL_COVER, 1),
			 VX6_BAD_KIND);
}

static void parse_refuses(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		enum vx6_status want;
	} row[] = {
		/* clang-format off */
		{ "nothing",           "",                0, VX6_TRUNCATED },
		{ "half a head",       "\x10",            1, VX6_TRUNCATED },
		{ "empty cover",       "\0\0",            2, VX6_OK },
		{ "padded cover",      "\0\0\0\0",        4, VX6_OK },
		{ "cover, padding set", "\0\0\0\1",       4, VX6_MALFORMED },
		{ "cover with data",   "\0\2\1\1",        4, VX6_OK },
		{ "empty datagram",    "\x10\0",          2, VX6_BAD_SIZE },
		{ "datagram",          "\x10\1z",         3, VX6_OK },
		{ "datagram cut",      "\x10\2z",         3, VX6_TRUNCATED },
		{ "length far beyond", "\x1f\xffz",       3, VX6_TRUNCATED },
		{ "padding set",       "\x10\1z\1",       4, VX6_MALFORMED },
		{ "last padding set",  "\x10\1z\0\0\1",   6, VX6_MALFORMED },
		{ "empty half",        "\x20\0",          2, VX6_BAD_SIZE },
		{ "empty second half", "\x30\0",          2, VX6_BAD_SIZE },
		{ "empty control",     "\x40\0",          2, VX6_BAD_SIZE },
		{ "ping of 3",         "\x50\3abc",       5, VX6_BAD_SIZE },
		{ "ping of 5",         "\x50\5abcde",     7, VX6_BAD_SIZE },
		{ "ping of 4",         "\x50\4abcd",      6, VX6_OK },
		{ "pong cut",          "\x60\4abc",       5, VX6_TRUNCATED },
		{ "type 7",            "\x70\0",          2, VX6_BAD_KIND },
		{ "type 15",           "\xf0\0",          2, VX6_BAD_KIND },
		/* clang-format on */
	};
	struct vx6_channel_msg m;
	uint8_t big[VX6_CHANNEL_MAX + 1] = { 0x10, 1, 1 };

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++)
		if (vx6_channel_parse(&m, (const uint8_t *)row[i].bytes,
				      row[i].len) != row[i].want)
			fail_msg("%s", row[i].name);
	assert_int_equal(vx6_channel_parse(&m, big, sizeof(big)), VX6_BAD_SIZE);
	assert_int_equal(vx6_channel_parse(&m, big, sizeof(big) - 1), VX6_OK);
	big[0] = 0x20 | 720 >> 8; /* a half of 720 */
	big[1] = 720 & 0xff;
	assert_int_equal(vx6_channel_parse(&m, big, 1000), VX6_BAD_SIZE);
	big[1] = 719 & 0xff;
	assert_int_equal(vx6_channel_parse(&m, big, 1000), VX6_OK);
}

/* ---- halves ---- */

static struct vx6_joiner joiner;
static uint8_t dgram[VX6_DATAGRAM_MAX], plain[2][VX6_CHANNEL_MAX];
static struct vx6_channel_msg half[2];

static void split(size_t len)
{
	for (size_t i = 0; i < len; i++)
		dgram[i] = (uint8_t)(i * 7 + len);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vx6_channel_emit_half(plain[i], 1008, dgram,
						       len, i == 1),
				 VX6_OK);
		assert_int_equal(vx6_channel_parse(&half[i], plain[i], 1008),
				 VX6_OK);
	}
	assert_int_equal(half[0].len, (len + 1) / 2);
}

static size_t give(unsigned which, uint64_t ctr, uint64_t now)
{
	const uint8_t *got = NULL;
	size_t len = 99;

	assert_int_equal(
		vx6_joiner_put(&joiner, &half[which], ctr, now, &got, &len),
		VX6_OK);
	assert_int_equal(got == NULL, len == 0);
	if (got != NULL)
		assert_memory_equal(got, dgram, len);
	return len;
}

static void halves_meet_in_either_order(void **state)
{
	(void)state;
	for (size_t len = 2; len <= VX6_DATAGRAM_MAX; len++) {
		vx6_joiner_init(&joiner);
		split(len);
		assert_int_equal(give(0, 10, 0), 0);
		assert_int_equal(give(1, 11, 0), len);
		assert_int_equal(give(1, 21, 0), 0);
		assert_int_equal(give(0, 20, 0), len);
		assert_int_equal(vx6_joiner_waiting(&joiner, 0), 0);
	}
	assert_int_equal(vx6_channel_emit_half(plain[0], 1008, dgram, 1, false),
			 VX6_BAD_SIZE);
	assert_int_equal(
		vx6_channel_emit_half(plain[0], 1440, dgram, 1439, false),
		VX6_BAD_SIZE);
}

static void only_the_next_counter_matches(void **state)
{
	(void)state;
	vx6_joiner_init(&joiner);
	split(1200);
	assert_int_equal(give(0, 10, 0), 0);
	assert_int_equal(give(1, 12, 0), 0);
	assert_int_equal(give(1, 9, 0), 0);
	assert_int_equal(give(1, 10 + 64, 0), 0);
	assert_int_equal(vx6_joiner_waiting(&joiner, 0), 4);
	assert_int_equal(give(1, 11, 0), 1200);
	assert_int_equal(vx6_joiner_waiting(&joiner, 0), 3);
}

static void a_half_waits_200_ms(void **state)
{
	(void)state;
	vx6_joiner_init(&joiner);
	split(1001);
	assert_int_equal(give(0, 1, 1000), 0);
	assert_int_equal(give(1, 2, 1000 + VX6_HALF_NS), 1001);
	assert_int_equal(give(0, 3, 1000), 0);
	assert_int_equal(vx6_joiner_waiting(&joiner, 1000 + VX6_HALF_NS), 1);
	assert_int_equal(vx6_joiner_waiting(&joiner, 1001 + VX6_HALF_NS), 0);
	assert_int_equal(give(1, 4, 1001 + VX6_HALF_NS), 0);
	assert_int_equal(joiner.late, 1);
	assert_int_equal(joiner.pushed, 0);
}

static void the_65th_pushes_out_the_oldest(void **state)
{
	(void)state;
	vx6_joiner_init(&joiner);
	split(1000);
	for (uint64_t i = 0; i < 65; i++)
		assert_int_equal(give(0, 10 * i, 5 + i), 0);
	assert_int_equal(joiner.pushed, 1);
	assert_int_equal(vx6_joiner_waiting(&joiner, 70), VX6_HALVES_MAX);
	assert_int_equal(give(1, 1, 70), 0); /* its first half is gone .. */
	assert_int_equal(joiner.pushed, 2);  /* .. and it pushed the next */
	assert_int_equal(give(1, 21, 70), 1000);
	assert_int_equal(give(1, 641, 70), 1000);
}

static void halves_that_do_not_fit_take_each_other_along(void **state)
{
	const uint8_t *got;
	size_t len;
	struct vx6_channel_msg other;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		vx6_joiner_init(&joiner);
		split(1000);
		other = half[1];
		/* 500 and 499 is a datagram of 999; these are none */
		if (i == 0)
			other.len = 498;
		else if (i == 1)
			other.len = 501;
		else if (i == 2)
			other.type = VX6_CHANNEL_SECOND;
		assert_int_equal(give(i == 2 ? 1 : 0, i == 3 ? 6 : 5, 0), 0);
		if (i == 3) {
			other = half[0]; /* first before a first */
			assert_int_equal(vx6_joiner_put(&joiner, &other, 5, 0,
							&got, &len),
					 VX6_MALFORMED);
		} else {
			assert_int_equal(vx6_joiner_put(&joiner, &other, 6, 0,
							&got, &len),
					 VX6_MALFORMED);
		}
		assert_null(got);
		assert_int_equal(vx6_joiner_waiting(&joiner, 0), 0);
	}
}

static void the_joiner_refuses(void **state)
{
	struct vx6_channel_msg m;
	const uint8_t *got;
	size_t len;

	(void)state;
	vx6_joiner_init(&joiner);
	split(1000);
	assert_int_equal(give(0, 7, 0), 0);
	assert_int_equal(vx6_joiner_put(&joiner, &half[0], 7, 0, &got, &len),
			 VX6_REPLAYED);
	assert_int_equal(
		vx6_joiner_put(&joiner, &half[1], VX6_HALF_NONE, 0, &got, &len),
		VX6_REPLAYED);
	m = half[1];
	m.type = VX6_CHANNEL_DATAGRAM;
	assert_int_equal(vx6_joiner_put(&joiner, &m, 8, 0, &got, &len),
			 VX6_BAD_KIND);
	m = half[1];
	m.len = VX6_HALF_MAX + 1;
	assert_int_equal(vx6_joiner_put(&joiner, &m, 8, 0, &got, &len),
			 VX6_BAD_SIZE);
	m.len = 0;
	assert_int_equal(vx6_joiner_put(&joiner, &m, 8, 0, &got, &len),
			 VX6_BAD_SIZE);
	/* a second half under counter 0 and a first under the last: no
	 * neighbour is there to be found */
	assert_int_equal(give(1, 0, 0), 0);
	assert_int_equal(give(0, UINT64_MAX - 1, 0), 0);
	assert_int_equal(give(1, 8, 0), 1000);
}

/* Halves arrive lost, late and in any order, and never more than 64 wait;
 * then what is joined is exactly what came whole in time. */
static void agrees_with_the_model(void **state)
{
	enum { N = 20000, SPAN = 50 }; /* k leads by 0 to 400 ms */
	static uint64_t arrived[2][N]; /* 0 = has not */
	uint8_t seed[32] = { 3 };
	struct vx6_rand rnd;
	uint64_t joined = 0, want = 0;

	(void)state;
	vx6_rand_seed(&rnd, seed);
	vx6_joiner_init(&joiner);
	memset(arrived, 0, sizeof(arrived));
	for (unsigned t = 1; t < 4 * N; t++) {
		uint64_t now = t * 4 * VX6_MS;
		unsigned k = t / 4 + vx6_rand_below(&rnd, SPAN) / 2;
		unsigned h = vx6_rand_below(&rnd, 2);

		if (k >= N || arrived[h][k] != 0 ||
		    vx6_rand_below(&rnd, 4) == 0)
			continue;
		uint64_t other = arrived[!h][k];
		bool meet = other != 0 && now - other <= VX6_HALF_NS;
		split(2 + k % 1437);
		arrived[h][k] = now;
		size_t len = give(h, 1000 + 3 * (uint64_t)k + h, now);
		assert_int_equal(len, meet ? 2 + k % 1437 : 0);
		joined += len != 0;
		want += meet;
	}
	assert_int_equal(joined, want);
	assert_true(joined > N / 8);
	assert_true(joiner.late > N / 8);
	assert_int_equal(joiner.pushed, 0);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(sizes_are_the_table_of_section_5),
		cmocka_unit_test(sizes_that_cannot_be_are_0),
		cmocka_unit_test(a_datagram_takes_one_cell_two_or_none),
		cmocka_unit_test(what_is_emitted_parses_back),
		cmocka_unit_test(emit_leaves_data_where_it_lies),
		cmocka_unit_test(a_token_goes_there_and_back),
		cmocka_unit_test(parse_refuses),
		cmocka_unit_test(halves_meet_in_either_order),
		cmocka_unit_test(only_the_next_counter_matches),
		cmocka_unit_test(a_half_waits_200_ms),
		cmocka_unit_test(the_65th_pushes_out_the_oldest),
		cmocka_unit_test(halves_that_do_not_fit_take_each_other_along),
		cmocka_unit_test(the_joiner_refuses),
		cmocka_unit_test(agrees_with_the_model),
	};

	return cmocka_run_group_tests_name("channel", test, NULL, NULL);
}
