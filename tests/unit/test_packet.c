/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet: headers read and written.
 *
 * Method: what is written is read back, and its checksums are judged by a
 * sum that is too simple to be wrong; what is read is cut and bent at every
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dataplane/base/rand.h"
#include "dataplane/base/sum.h"
#include "dataplane/port/packet.h"

#define FRONT 64u

static struct vx6_rand rnd;

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

/* The sum of RFC 1071, a word at a time, most significant byte first. */
static uint32_t simple_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_sums(const uint8_t *frame, bool v4, uint16_t len)
{
	const uint8_t *ip = frame + PACKET_ETH;
	const uint8_t *udp = ip + (v4 ? PACKET_IP4 : PACKET_IP6);
	uint32_t sum = 17u + PACKET_UDP + len;

	assert_true(udp[6] != 0 || udp[7] != 0);
	sum = simple_sum(sum, ip + (v4 ? 12 : 8), v4 ? 8 : 32);
	assert_int_equal(simple_sum(sum, udp, PACKET_UDP + (size_t)len),
			 0xffff);
	if (v4)
		assert_int_equal(simple_sum(0, ip, PACKET_IP4), 0xffff);
}

static void check_plain(const uint8_t *frame, bool v4, uint16_t len)
{
	static const uint8_t fixed6[] = { 0x60, 0, 0, 0 };
	static const uint8_t fixed4[] = { 0x45, 0 };
	const uint8_t *ip = frame + PACKET_ETH;

	assert_memory_equal(frame, "\2\0\0\0\0\7\2\0\0\0\0\11", 12);
	if (v4) {
		assert_memory_equal(ip, fixed4, sizeof(fixed4));
		assert_int_equal(ip[2] << 8 | ip[3], 28 + len);
		assert_memory_equal(ip + 4, "\0\0\x40\0", 4); /* id 0, DF */
		assert_int_equal(ip[8], 64);
	} else {
		assert_memory_equal(ip, fixed6, sizeof(fixed6));
		assert_int_equal(ip[4] << 8 | ip[5], 8 + len);
		assert_int_equal(ip[7], 64);
	}
}

static void written(const char *self, const char *peer, uint16_t len,
		    bool known)
{
	const uint8_t dst[6] = { 2, 0, 0, 0, 0, 7 },
		      src[6] = { 2, 0, 0, 0, 0, 9 };
	const struct vx6_addr a = addr(self), b = addr(peer);
	bool v4 = vx6_addr_is_v4(&b);
	uint8_t buf[FRONT + 1600], text[1600];
	uint8_t *at = buf + FRONT + vx6_rand_below(&rnd, 2);
	struct packet_head h;
	struct packet p;

	vx6_rand_fill(&rnd, text, len);
	if (len > 0 && vx6_rand_below(&rnd, 4) == 0)
		memset(text, 0xff, len); /* the most carries */
	memcpy(at, text, len);
	packet_head_make(&h, dst, src, &a, &b);
	assert_int_equal(h.len, v4 ? PACKET_HDR_V4 : PACKET_HDR_V6);
	packet_write(&h, at, len, known ? vx6_sum(at, len) : 0);
	assert_memory_equal(at, text, len);
	check_plain(at - h.len, v4, len);
	check_sums(at - h.len, v4, len);
	assert_int_equal(packet_read(&p, at - h.len, h.len + (size_t)len),
			 VX6_OK);
	assert_int_equal(p.at, h.len);
	assert_int_equal(p.len, len);
	assert_int_equal(p.ecn, 0);
	assert_true(vx6_addr_eq(&p.from, &a));
	assert_true(vx6_addr_eq(&p.to, &b));
}

static void what_is_written_is_right(void **state)
{
	(void)state;
	for (uint16_t len = 0; len <= 1473; len++) {
		bool known = vx6_rand_below(&rnd, 2) != 0;

		written("[fd00::1]:4243", "[2001:db8::ffff]:5", len, known);
		written("192.0.2.1:4243", "10.0.0.255:65535", len, !known);
	}
}

/* A sum that comes out 0 is sent as 0xffff (RFC 768). */
static void no_checksum_is_zero(void **state)
{
	const uint8_t mac[6] = { 2 };
	const struct vx6_addr a = addr("[fd00::1]:1"), b = addr("[fd00::2]:2");
	uint8_t buf[FRONT + 4];
	struct packet_head h;
	unsigned seen = 0;

	(void)state;
	packet_head_make(&h, mac, mac, &a, &b);
	for (uint32_t v = 0; v <= 0xffff; v++) {
		memcpy(buf + FRONT, &v, 4);
		packet_write(&h, buf + FRONT, 2, 0);
		assert_true(buf[FRONT - 2] != 0 || buf[FRONT - 1] != 0);
		seen += buf[FRONT - 2] == 0xff && buf[FRONT - 1] == 0xff;
	}
	assert_true(seen > 0);
}

/* One good packet of each family, with room behind. */
static size_t good(uint8_t frame[], bool v4, uint16_t len)
{
	const uint8_t mac[6] = { 2 };
	const struct vx6_addr a = addr(v4 ? "10.0.0.1:1" : "[fd00::1]:1");
	const struct vx6_addr b = addr(v4 ? "10.0.0.2:2" : "[fd00::2]:2");
	uint8_t buf[FRONT + 1600] = { 0 };
	struct packet_head h;

	packet_head_make(&h, mac, mac, &a, &b);
	packet_write(&h, buf + FRONT, len, 0);
	memcpy(frame, buf + FRONT - h.len, h.len + (size_t)len);
	return h.len + (size_t)len;
}

static void every_cut_is_refused(void **state)
{
	uint8_t frame[1700];
	struct packet p;

	(void)state;
	for (unsigned v4 = 0; v4 < 2; v4++) {
		size_t len = good(frame, v4 != 0, 100);

		for (size_t cut = 0; cut < len; cut++) {
			/* on the heap's edge, for ASan */
			uint8_t *only = test_malloc(cut + 1);

			memcpy(only, frame, cut);
			assert_int_not_equal(packet_read(&p, only, cut),
					     VX6_OK);
			test_free(only);
		}
		/* and padding behind is none of ours */
		assert_int_equal(packet_read(&p, frame, len + 20), VX6_OK);
		assert_int_equal(p.len, 100);
	}
}

static void tags_are_skipped(void **state)
{
	uint8_t frame[1700], tagged[1700];
	struct packet p;

	(void)state;
	for (unsigned tags = 1; tags <= 3; tags++) {
		size_t len = good(frame, false, 100);

		memcpy(tagged, frame, 12);
		for (unsigned i = 0; i < tags; i++)
			memcpy(tagged + 12 + 4u * i,
			       i == 0 && tags > 1 ? "\x88\xa8\0\7"
						  : "\x81\0\0\7",
			       4);
		memcpy(tagged + 12 + 4u * tags, frame + 12, len - 12);
		if (tags > PACKET_TAGS) {
			assert_int_equal(
				packet_read(&p, tagged, len + 4u * tags),
				VX6_BAD_KIND);
			continue;
		}
		assert_int_equal(packet_read(&p, tagged, len + 4u * tags),
				 VX6_OK);
		assert_int_equal(p.at, PACKET_HDR_V6 + 4u * tags);
		assert_int_equal(p.len, 100);
	}
}

static void what_is_odd_is_refused(void **state)
{
	static const struct {
		bool v4;
		uint8_t at, value;
		enum vx6_status want;
	} bend[] = {
		{ false, 12, 0x08, VX6_BAD_KIND  }, /* not IPv6 inside */
		{ false, 13, 0xde, VX6_BAD_KIND  }, /* no IP */
		{ false, 14, 0x50, VX6_BAD_KIND  }, /* version */
		{ false, 20, 44,   VX6_BAD_KIND  }, /* a fragment header */
		{ false, 20, 6,    VX6_BAD_KIND  }, /* TCP */
		{ false, 18, 1,    VX6_TRUNCATED }, /* longer than it is */
		{ false, 19, 7,    VX6_TRUNCATED }, /* no room for UDP */
		{ false, 59, 7,    VX6_TRUNCATED }, /* UDP says less */
		{ false, 59, 109,  VX6_TRUNCATED }, /* and more */
		{ true,  14, 0x46, VX6_BAD_KIND  }, /* options */
		{ true,  14, 0x44, VX6_BAD_KIND  },
		{ true,  20, 0x20, VX6_BAD_KIND  }, /* more fragments */
		{ true,  21, 1,    VX6_BAD_KIND  }, /* an offset */
		{ true,  23, 6,    VX6_BAD_KIND  },
		{ true,  17, 19,   VX6_BAD_KIND  }, /* less than a header */
		{ true,  17, 27,   VX6_TRUNCATED },
		{ true,  16, 1,    VX6_TRUNCATED },
	};
	uint8_t frame[1700];
	struct packet p;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bend); i++) {
		size_t len = good(frame, bend[i].v4, 100);

		assert_int_equal(packet_read(&p, frame, len), VX6_OK);
		frame[bend[i].at] = bend[i].value;
		if (packet_read(&p, frame, len) != bend[i].want)
			fail_msg("row %u", i);
	}
	/* congestion marks are told */
	good(frame, false, 100);
	frame[15] = 0x30;
	assert_int_equal(packet_read(&p, frame, 1700), VX6_OK);
	assert_int_equal(p.ecn, 3);
	good(frame, true, 100);
	frame[15] = 2;
	assert_int_equal(packet_read(&p, frame, 1700), VX6_OK);
	assert_int_equal(p.ecn, 2);
}

int main(void)
{
	const struct CMUnitTest test[] = {
		cmocka_unit_test(what_is_written_is_right),
		cmocka_unit_test(no_checksum_is_zero),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(tags_are_skipped),
		cmocka_unit_test(what_is_odd_is_refused),
	};

	vx6_rand_init(&rnd);
	return cmocka_run_group_tests_name("packet", test, NULL, NULL);
}
