/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg: a stream falls into messages wherever it is cut, and each fixed body
 * says what PROTOCOL.md 6a, 7 and 8 lay out.
 *
 * Method: one stream with every type in it, known and unknown, read whole,
 * cut at every byte, byte by byte and in random pieces; headers at the edge
 * of each type's length; bodies at every truncation, and by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/msg.h"

#define STREAM_MAX (1u << 20)

static uint8_t stream[STREAM_MAX], buf[VX6_MSG_MAX];

static const struct {
	uint16_t type;
	uint32_t len;
} script[] = {
	{ VX6_MSG_HELLO,       1                     },
	{ VX6_MSG_RECORDS,     300                   },
	{ 0,		   0		     }, /* unknown, and empty */
	{ VX6_MSG_CREATE,      VX6_MSG_CREATE_LEN    },
	{ 4711,		90		    },
	{ VX6_MSG_CREATED,     VX6_MSG_CREATED_LEN   },
	{ VX6_MSG_CREATE_FAIL, VX6_MSG_FAIL_LEN      },
	{ 65535,               0		     },
	{ 65535,               700                   },
	{ VX6_MSG_DESTROY,     VX6_MSG_DESTROY_LEN   },
	{ VX6_MSG_DESTROYED,   VX6_MSG_DESTROYED_LEN },
	{ VX6_MSG_CIRCUITS,    8                     },
	{ VX6_MSG_CIRCUITS,    80                    },
	{ 16,		  1		     },
	{ VX6_MSG_GOAWAY,      20                    },
};
#define SCRIPT_KNOWN   10u
#define SCRIPT_UNKNOWN 5u

static uint8_t filler(unsigned i, uint32_t at)
{
	return (uint8_t)(i * 31 + at * 7 + (at >> 8));
}

static size_t write_stream(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < VX6_COUNT(script); i++) {
		vx6_put16(stream + n, script[i].type);
		vx6_put32(stream + n + 2, script[i].len);
		n += VX6_MSG_HDR;
		for (uint32_t at = 0; at < script[i].len; at++)
			stream[n++] = filler(i, at);
	}
	return n;
}

static bool is_known(uint16_t type)
{
	return type >= 1 && type <= 15;
}

/* Feeds one piece; what comes out must be the script's next, in order. */
static void feed(struct vx6_msg_reader *r, const uint8_t *in, size_t len,
		 unsigned *next)
{
	enum vx6_msg_step step;
	size_t used;

	do {
		assert_int_equal(vx6_msg_read(r, in, len, &used, &step),
				 VX6_OK);
		assert_true(used <= len);
		in += used;
		len -= used;
		while (*next < VX6_COUNT(script) &&
		       !is_known(script[*next].type))
			++*next;
		if (step == VX6_MSG_HEAD) {
			assert_int_equal(r->type, script[*next].type);
			assert_int_equal(r->len, script[*next].len);
			memset(buf, 0xee, sizeof(buf));
			vx6_msg_into(r, buf);
		} else if (step == VX6_MSG_DONE) {
			assert_int_equal(r->type, script[*next].type);
			for (uint32_t at = 0; at < r->len; at++)
				assert_int_equal(buf[at], filler(*next, at));
			assert_int_equal(buf[r->len], 0xee);
			++*next;
		}
	} while (len > 0 || step != VX6_MSG_MORE);
}

static void ended(const struct vx6_msg_reader *r)
{
	assert_int_equal(r->messages, SCRIPT_KNOWN);
	assert_int_equal(r->skipped, SCRIPT_UNKNOWN);
}

static void a_stream_falls_apart_at_every_cut(void **state)
{
	size_t len = write_stream();

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct vx6_msg_reader r;
		unsigned next = 0;

		vx6_msg_reader_init(&r);
		feed(&r, stream, cut, &next);
		feed(&r, stream + cut, len - cut, &next);
		ended(&r);
	}
}

static void byte_by_byte_and_in_random_pieces(void **state)
{
	size_t len = write_stream();
	uint8_t seed[32] = { 9 };
	struct vx6_rand rnd;

	(void)state;
	vx6_rand_seed(&rnd, seed);
	for (unsigned most = 1; most < 300; most++) {
		struct vx6_msg_reader r;
		unsigned next = 0;

		vx6_msg_reader_init(&r);
		for (size_t at = 0; at < len;) {
			size_t n = 1 + vx6_rand_below(&rnd, most);

			n = n < len - at ? n : len - at;
			feed(&r, stream + at, n, &next);
			at += n;
		}
		ended(&r);
	}
}

static enum vx6_status head(uint16_t type, uint32_t len,
			    enum vx6_msg_step *step)
{
	struct vx6_msg_reader r;
	uint8_t hdr[VX6_MSG_HDR];
	enum vx6_status st;
	size_t used;

	vx6_put16(hdr, type);
	vx6_put32(hdr + 2, len);
	vx6_msg_reader_init(&r);
	st = vx6_msg_read(&r, hdr, sizeof(hdr), &used, step);
	assert_int_equal(used, sizeof(hdr));
	if (st == VX6_OK)
		return st;
	/* a stream that cannot be followed stays so */
	assert_int_equal(vx6_msg_read(&r, hdr, 0, &used, step), VX6_BAD_STATE);
	assert_int_equal(vx6_msg_read(&r, hdr, 6, &used, step), VX6_BAD_STATE);
	assert_int_equal(used, 0);
	return st;
}

static void lengths_are_judged_before_memory_is_taken(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t len;
		enum vx6_status want;
	} row[] = {
		{ VX6_MSG_HELLO,       65536,      VX6_OK       },
		{ VX6_MSG_HELLO,       65537,      VX6_BAD_SIZE },
		{ VX6_MSG_HELLO,       0,          VX6_BAD_SIZE },
		{ VX6_MSG_HELLO,       UINT32_MAX, VX6_BAD_SIZE },
		{ VX6_MSG_DHT_ANSWER,  65536,      VX6_OK       },
		{ VX6_MSG_CREATE,      1549,       VX6_OK       },
		{ VX6_MSG_CREATE,      1548,       VX6_BAD_SIZE },
		{ VX6_MSG_CREATE,      1550,       VX6_BAD_SIZE },
		{ VX6_MSG_CREATED,     526,        VX6_OK       },
		{ VX6_MSG_CREATED,     525,        VX6_BAD_SIZE },
		{ VX6_MSG_CREATED,     65536,      VX6_BAD_SIZE },
		{ VX6_MSG_CREATE_FAIL, 5,          VX6_OK       },
		{ VX6_MSG_CREATE_FAIL, 4,          VX6_BAD_SIZE },
		{ VX6_MSG_DESTROY,     5,          VX6_OK       },
		{ VX6_MSG_DESTROY,     6,          VX6_BAD_SIZE },
		{ VX6_MSG_DESTROYED,   4,          VX6_OK       },
		{ VX6_MSG_DESTROYED,   5,          VX6_BAD_SIZE },
		{ VX6_MSG_CIRCUITS,    0,          VX6_BAD_SIZE },
		{ VX6_MSG_CIRCUITS,    8,          VX6_OK       },
		{ VX6_MSG_CIRCUITS,    12,         VX6_BAD_SIZE },
		{ VX6_MSG_CIRCUITS,    16,         VX6_OK       },
		{ VX6_MSG_CIRCUITS,    65536,      VX6_OK       },
		{ VX6_MSG_CIRCUITS,    65544,      VX6_BAD_SIZE },
	};
	enum vx6_msg_step step;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		if (head(row[i].type, row[i].len, &step) != row[i].want)
			fail_msg("type %u, length %u", row[i].type, row[i].len);
		if (row[i].want == VX6_OK)
			assert_int_equal(step, VX6_MSG_HEAD);
	}
	/* unknown types are skipped, but no longer than any other */
	for (uint32_t type = 16; type < 65536; type += 1093) {
		assert_int_equal(head((uint16_t)type, 65536, &step), VX6_OK);
		assert_int_equal(step, VX6_MSG_MORE);
		assert_int_equal(head((uint16_t)type, 65537, &step),
				 VX6_BAD_SIZE);
	}
}

static void a_body_can_be_declined(void **state)
{
	struct vx6_msg_reader r;
	enum vx6_msg_step step;
	size_t len = write_stream(), used;

	(void)state;
	vx6_msg_reader_init(&r);
	for (size_t at = 0;; at += used) {
		assert_int_equal(
			vx6_msg_read(&r, stream + at, len - at, &used, &step),
			VX6_OK);
		if (step == VX6_MSG_MORE)
			break;
		assert_int_equal(step, VX6_MSG_HEAD);
		size_t none;
		assert_int_equal(vx6_msg_read(&r, stream, 1, &none, &step),
				 VX6_BAD_STATE);
		vx6_msg_into(&r, NULL);
	}
	assert_int_equal(r.messages, 0);
	assert_int_equal(r.skipped, SCRIPT_UNKNOWN);
}

static void headers_read_as_written(void **state)
{
	uint8_t hdr[VX6_MSG_HDR];

	(void)state;
	vx6_msg_header(hdr, VX6_MSG_CREATED, VX6_MSG_CREATED_LEN);
	assert_memory_equal(hdr, "\0\10\0\0\2\16", 6);
	vx6_msg_header(hdr, VX6_MSG_RECORDS, 65536);
	assert_memory_equal(hdr, "\0\2\0\1\0\0", 6);
}

/* ---- fixed bodies ---- */

static uint8_t blob[VX6_ONION_LEN];

static void create_has_its_layout(void **state)
{
	struct vx6_msg_create m = { .link = 0x010203,
				    .handshake = 1,
				    .kid = 0xa1a2a3a4,
				    .back_id = 0xb1b2b3b4,
				    .onion = blob },
			      got;

	(void)state;
	memset(blob, 0x77, sizeof(blob));
	memset(buf, 0xee, sizeof(buf));
	vx6_msg_create_emit(buf, &m);
	assert_memory_equal(buf, "\0\1\2\3\1\xa1\xa2\xa3\xa4\xb1\xb2\xb3\xb4",
			    13);
	assert_memory_equal(buf + 13, blob, sizeof(blob));
	assert_int_equal(buf[1549], 0xee);
	assert_int_equal(vx6_msg_create_parse(&got, buf, 1549), VX6_OK);
	assert_int_equal(got.link, m.link);
	assert_int_equal(got.handshake, 1);
	assert_int_equal(got.kid, m.kid);
	assert_int_equal(got.back_id, m.back_id);
	assert_ptr_equal(got.onion, buf + 13);
	for (size_t len = 0; len < 2000; len++)
		if (len != 1549)
			assert_int_equal(vx6_msg_create_parse(&got, buf, len),
					 VX6_BAD_SIZE);
	buf[0] = 1; /* a link index has 24 bits */
	assert_int_equal(vx6_msg_create_parse(&got, buf, 1549), VX6_MALFORMED);
	memset(buf, 0, 4);
	assert_int_equal(vx6_msg_create_parse(&got, buf, 1549), VX6_MALFORMED);
	buf[3] = 1;
	memset(buf + 9, 0, 4);
	assert_int_equal(vx6_msg_create_parse(&got, buf, 1549), VX6_MALFORMED);
}

static void created_has_its_layout(void **state)
{
	struct vx6_msg_created m = { .back_id = 0xb1b2b3b4,
				     .forward_id = 0xc1c2c3c4,
				     .back_start = 0x3fffffffffff,
				     .reply = blob },
			       got;

	(void)state;
	memset(blob, 0x66, sizeof(blob));
	memset(buf, 0xee, sizeof(buf));
	vx6_msg_created_emit(buf, &m);
	assert_memory_equal(buf,
			    "\xb1\xb2\xb3\xb4\xc1\xc2\xc3\xc4"
			    "\x3f\xff\xff\xff\xff\xff",
			    14);
	assert_memory_equal(buf + 14, blob, VX6_REPLY_LEN);
	assert_int_equal(buf[526], 0xee);
	assert_int_equal(vx6_msg_created_parse(&got, buf, 526), VX6_OK);
	assert_int_equal(got.back_id, m.back_id);
	assert_int_equal(got.forward_id, m.forward_id);
	assert_int_equal(got.back_start, m.back_start);
	assert_ptr_equal(got.reply, buf + 14);
	for (size_t len = 0; len < 1000; len++)
		if (len != 526)
			assert_int_equal(vx6_msg_created_parse(&got, buf, len),
					 VX6_BAD_SIZE);
	buf[8] = 0x40; /* the two top bits of a start are clear */
	assert_int_equal(vx6_msg_created_parse(&got, buf, 526), VX6_MALFORMED);
	buf[8] = 0x3f;
	memset(buf + 4, 0, 4);
	assert_int_equal(vx6_msg_created_parse(&got, buf, 526), VX6_MALFORMED);
	buf[4] = 1;
	memset(buf, 0, 4);
	assert_int_equal(vx6_msg_created_parse(&got, buf, 526), VX6_MALFORMED);
}

static void the_short_ones_have_their_layout(void **state)
{
	struct vx6_msg_fail fail = { 0x01020304, 200 }, f;
	struct vx6_msg_destroy destroy = { 0x05060708, 3 }, d;
	uint32_t id;

	(void)state;
	vx6_msg_fail_emit(buf, &fail);
	assert_memory_equal(buf, "\1\2\3\4\310", 5);
	assert_int_equal(vx6_msg_fail_parse(&f, buf, 5), VX6_OK);
	assert_int_equal(f.back_id, fail.back_id);
	assert_int_equal(f.reason, 200);
	vx6_msg_destroy_emit(buf, &destroy);
	assert_memory_equal(buf, "\5\6\7\10\3", 5);
	assert_int_equal(vx6_msg_destroy_parse(&d, buf, 5), VX6_OK);
	assert_int_equal(d.id, destroy.id);
	assert_int_equal(d.reason, 3);
	vx6_msg_destroyed_emit(buf, 0xfffefdfc);
	assert_memory_equal(buf, "\xff\xfe\xfd\xfc", 4);
	assert_int_equal(vx6_msg_destroyed_parse(&id, buf, 4), VX6_OK);
	assert_int_equal(id, 0xfffefdfc);
	for (size_t len = 0; len < 10; len++) {
		if (len != 5) {
			assert_int_equal(vx6_msg_fail_parse(&f, buf, len),
					 VX6_BAD_SIZE);
			assert_int_equal(vx6_msg_destroy_parse(&d, buf, len),
					 VX6_BAD_SIZE);
		}
		if (len != 4)
			assert_int_equal(vx6_msg_destroyed_parse(&id, buf, len),
					 VX6_BAD_SIZE);
	}
	memset(buf, 0, 5);
	assert_int_equal(vx6_msg_fail_parse(&f, buf, 5), VX6_MALFORMED);
	assert_int_equal(vx6_msg_destroy_parse(&d, buf, 5), VX6_MALFORMED);
	assert_int_equal(vx6_msg_destroyed_parse(&id, buf, 4), VX6_MALFORMED);
}

static void circuits_have_their_layout(void **state)
{
	static struct vx6_msg_pair pair[VX6_MSG_PAIRS_MAX], one;
	struct vx6_msg_circuits m = { .link = 9, .part = 1, .parts = 256 }, got;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < VX6_MSG_PAIRS_MAX; i++)
		pair[i] = (struct vx6_msg_pair){ i + 1, 0x80000000u + i };
	assert_int_equal(VX6_MSG_PAIRS_MAX, 8191);
	len = vx6_msg_circuits_emit(buf, &m, pair, VX6_MSG_PAIRS_MAX);
	assert_int_equal(len, VX6_MSG_MAX);
	assert_memory_equal(buf, "\0\0\0\11\0\1\1\0\0\0\0\1\x80\0\0\0", 16);
	assert_int_equal(vx6_msg_circuits_parse(&got, buf, len), VX6_OK);
	assert_int_equal(got.link, 9);
	assert_int_equal(got.part, 1);
	assert_int_equal(got.parts, 256);
	assert_int_equal(got.n, VX6_MSG_PAIRS_MAX);
	for (uint32_t i = 0; i < got.n; i++) {
		assert_int_equal(vx6_msg_pair_at(&got, i, &one), VX6_OK);
		assert_int_equal(one.in, pair[i].in);
		assert_int_equal(one.out, pair[i].out);
	}
	assert_int_equal(vx6_msg_pair_at(&got, got.n, &one), VX6_TRUNCATED);
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(vx6_msg_circuits_parse(&got, buf, n),
				 n >= 8 && n % 8 == 0 ? VX6_OK : VX6_BAD_SIZE);
	assert_int_equal(vx6_msg_circuits_emit(buf, &m, pair, 0), 8);
	assert_int_equal(vx6_msg_circuits_parse(&got, buf, 8), VX6_OK);
	assert_int_equal(got.n, 0);
}

static void circuits_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint32_t link;
		uint16_t part, parts;
		enum vx6_status want;
	} row[] = {
		{ 1,         0,   1,   VX6_OK        },
		{ 0xffffff,  255, 256, VX6_OK        },
		{ 0,         0,   1,   VX6_MALFORMED },
		{ 0x1000000, 0,   1,   VX6_MALFORMED },
		{ 1,         0,   0,   VX6_MALFORMED },
		{ 1,         1,   1,   VX6_MALFORMED },
		{ 1,         0,   257, VX6_MALFORMED },
	};
	struct vx6_msg_circuits m = { 0 }, got;
	struct vx6_msg_pair pair[2] = { { 0, 1 }, { 1, 0 } }, one;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		m.link = row[i].link;
		m.part = row[i].part;
		m.parts = row[i].parts;
		size_t len = vx6_msg_circuits_emit(buf, &m, pair, 2);
		if (vx6_msg_circuits_parse(&got, buf, len) != row[i].want)
			fail_msg("row %u", i);
		if (row[i].want != VX6_OK)
			continue;
		assert_int_equal(vx6_msg_pair_at(&got, 0, &one), VX6_MALFORMED);
		assert_int_equal(vx6_msg_pair_at(&got, 1, &one), VX6_MALFORMED);
	}
}

/* ---- words ---- */

static void reasons_and_types_have_words(void **state)
{
	(void)state;
	assert_string_equal(vx6_msg_name(VX6_MSG_CREATE), "CREATE");
	assert_string_equal(vx6_msg_name(0), "unknown");
	assert_string_equal(vx6_msg_name(16), "unknown");
	assert_string_equal(vx6_msg_name(UINT32_MAX), "unknown");
	assert_string_equal(vx6_fail_text(VX6_FAIL_RATE),
			    "more CREATEs than allowed");
	assert_string_equal(vx6_destroy_text(VX6_DESTROY_IDLE),
			    "nothing used it");
	for (unsigned i = 0; i < 300; i++) {
		bool fail_known = i >= 1 && i <= VX6_FAIL_INTERNAL;
		bool destroy_known = i >= 1 && i <= VX6_DESTROY_INTERNAL;

		assert_int_equal(
			strcmp(vx6_fail_text(i), "reason not known here") != 0,
			fail_known);
		assert_int_equal(strcmp(vx6_destroy_text(i),
					"reason not known here") != 0,
				 destroy_known);
		assert_int_equal(vx6_fail_code(i),
				 i == VX6_FAIL_UNKNOWN_KEY
					 ? VX6_CREATED_NEXT_NO_KEY
					 : VX6_CREATED_NEXT_REFUSED);
	}
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(a_stream_falls_apart_at_every_cut),
		cmocka_unit_test(byte_by_byte_and_in_random_pieces),
		cmocka_unit_test(lengths_are_judged_before_memory_is_taken),
		cmocka_unit_test(a_body_can_be_declined),
		cmocka_unit_test(headers_read_as_written),
		cmocka_unit_test(create_has_its_layout),
		cmocka_unit_test(created_has_its_layout),
		cmocka_unit_test(the_short_ones_have_their_layout),
		cmocka_unit_test(circuits_have_their_layout),
		cmocka_unit_test(circuits_that_cannot_be_are_refused),
		cmocka_unit_test(reasons_and_types_have_words),
	};

	return cmocka_run_group_tests_name("msg", test, NULL, NULL);
}
