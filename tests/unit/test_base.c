/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base: the floor.  Addresses as people and strangers write them, base32,
 * random bytes that forget, numbers without bias, statuses that all have
 * a text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>
#include <sys/un.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/status.h"
#include "dataplane/base/text.h"

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

/* ---- addr ---- */

/* clang-format off */
static const struct {
	const char *text;
	const char *again; /* as vx6_addr_text writes it; NULL = same */
} good[] = {
	{ "192.0.2.1:80", NULL },
	{ "0.0.0.0:0", NULL },
	{ "255.255.255.255:65535", NULL },
	{ "localhost:4242", "127.0.0.1:4242" },
	{ "192.0.2.1:00080", "192.0.2.1:80" },
	{ "[::]:1", NULL },
	{ "[::1]:4242", NULL },
	{ "[2001:db8::1]:80", NULL },
	{ "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
	{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", NULL },
	{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
};

static const char *const bad[] = {
	"", ":", ":80", "80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536",
	"192.0.2.1:100000", "192.0.2.1:-1", "192.0.2.1:+80", "192.0.2.1: 80",
	"192.0.2.1:80 ", " 192.0.2.1:80", "192.0.2.1:0x50", "192.0.2.1:8O",
	"192.0.2:80", "192.0.2.256:80", "192.0.2.1.5:80", "192.0.2.-1:80",
	"3221225985:80", "0xc0.0.2.1:80", "192.0.2.1/24:80", "localhost",
	"LOCALHOST:80", "localhost.:80", "example.org:80", "*:80",
	"::1:80", "2001:db8::1:80", "[", "]", "[]", "[]:80", "[:80", "]:80",
	"[::1", "[::1]", "[::1]:", "[::1]80", "[::1]::80", "[::1:80",
	"::1]:80", "[[::1]]:80", "[192.0.2.1]:80", "[localhost]:80",
	"[::1%lo]:80", "[fe80::1%2]:80", "[::g]:80", "[:::]:80", "[1:2]:80",
	"[1:2:3:4:5:6:7:8:9]:80",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
	"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555]:80",
	"1111111111111111111111111111111111111111111111111111111111111111:80",
	"192.0.2.1:\xff\xff", "\xff\xfe:80", "192.0.2.1\n:80",
};

static const struct {
	const char *text;
	bool loopback, private;
} kind[] = {
	{ "0.0.0.0:1", false, true },	  { "0.255.255.255:1", false, true },
	{ "1.0.0.0:1", false, false },	  { "9.255.255.255:1", false, false },
	{ "10.0.0.0:1", false, true },	  { "10.255.255.255:1", false, true },
	{ "11.0.0.0:1", false, false },	  { "100.63.255.255:1", false, false },
	{ "100.64.0.0:1", false, true },  { "100.127.255.255:1", false, true },
	{ "100.128.0.0:1", false, false }, { "126.255.255.255:1", false, false },
	{ "127.0.0.0:1", true, true },	  { "127.255.255.255:1", true, true },
	{ "128.0.0.0:1", false, false },  { "169.253.255.255:1", false, false },
	{ "169.254.0.0:1", false, true }, { "169.254.255.255:1", false, true },
	{ "169.255.0.0:1", false, false }, { "172.15.255.255:1", false, false },
	{ "172.16.0.0:1", false, true },  { "172.31.255.255:1", false, true },
	{ "172.32.0.0:1", false, false }, { "192.167.255.255:1", false, false },
	{ "192.168.0.0:1", false, true }, { "192.168.255.255:1", false, true },
	{ "192.169.0.0:1", false, false }, { "223.255.255.255:1", false, false },
	{ "224.0.0.0:1", false, true },	  { "255.255.255.255:1", false, true },
	{ "[::]:1", false, true },	  { "[::1]:1", true, true },
	{ "[::2]:1", false, true },	  { "[::127.0.0.1]:1", false, true },
	{ "[::ffff:127.0.0.1]:1", true, true },
	{ "[::ffff:10.1.2.3]:1", false, true },
	{ "[::ffff:1.2.3.4]:1", false, false },
	{ "[64:ff9b::10.0.0.1]:1", false, true },
	{ "[64:ff9b::127.0.0.1]:1", false, true },
	{ "[64:ff9b::1.2.3.4]:1", false, false },
	{ "[2002:7f00:1::1]:1", false, true },
	{ "[2002:c0a8:101::]:1", false, true },
	{ "[2002:102:304::]:1", false, false },
	{ "[2001:db8::1]:1", false, false },
	{ "[2a00::1]:1", false, false },
	{ "[fbff::1]:1", false, false },  { "[fc00::1]:1", false, true },
	{ "[fdff::1]:1", false, true },	  { "[fe7f::1]:1", false, false },
	{ "[fe80::1]:1", false, true },	  { "[febf::1]:1", false, true },
	{ "[fec0::1]:1", false, true },	  { "[feff::1]:1", false, true },
	{ "[ff02::1]:1", false, true },	  { "[ffff::1]:1", false, true },
};
/* clang-format on */

static void addresses_that_are_read(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(good); i++) {
		struct vx6_addr a, b;
		char out[VX6_ADDR_TEXT];
		const char *want = good[i].again ? good[i].again : good[i].text;

		if (vx6_addr_parse(&a, good[i].text) != VX6_OK)
			fail_msg("%s is refused", good[i].text);
		assert_string_equal(vx6_addr_text(&a, out), want);
		assert_int_equal(vx6_addr_parse(&b, out), VX6_OK);
		assert_true(vx6_addr_eq(&a, &b));
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void addresses_that_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		struct vx6_addr a, untouched;

		memset(&a, 0xee, sizeof(a));
		untouched = a;
		if (vx6_addr_parse(&a, bad[i]) != VX6_MALFORMED)
			fail_msg("\"%s\" is read", bad[i]);
		assert_memory_equal(&a, &untouched, sizeof(a));
	}
}

static void addresses_nobody_may_send_us_to(void **state)
{
	struct vx6_addr a;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(kind); i++) {
		assert_int_equal(vx6_addr_parse(&a, kind[i].text), VX6_OK);
		if (vx6_addr_is_loopback(&a) != kind[i].loopback ||
		    vx6_addr_is_private(&a) != kind[i].private)
			fail_msg("%s", kind[i].text);
	}
}

static void sockaddr_both_ways(void **state)
{
	static const char *const text[] = { "192.0.2.7:80",
					    "[2001:db8::7]:81" };
	struct sockaddr_storage sa;
	struct sockaddr_in6 in6;
	struct vx6_addr a, b;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vx6_addr_parse(&a, text[i]), VX6_OK);
		assert_int_equal(vx6_addr_is_v4(&a), i == 0);
		assert_int_equal(vx6_addr_to(&a, &sa),
				 i == 0 ? sizeof(struct sockaddr_in)
					: sizeof(in6));
		assert_int_equal(sa.ss_family, i == 0 ? AF_INET : AF_INET6);
		assert_int_equal(vx6_addr_from(&b, (struct sockaddr *)&sa),
				 VX6_OK);
		assert_true(vx6_addr_eq(&a, &b));
		vx6_addr_to6(&a, &in6);
		assert_int_equal(in6.sin6_family, AF_INET6);
		assert_int_equal(vx6_addr_from(&b, (struct sockaddr *)&in6),
				 VX6_OK);
		assert_true(vx6_addr_eq(&a, &b));
	}
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	assert_int_equal(vx6_addr_from(&b, (struct sockaddr *)&un),
			 VX6_MALFORMED);
}

static void none_and_equal(void **state)
{
	struct vx6_addr a = { 0 }, b = { 0 };

	(void)state;
	assert_true(vx6_addr_is_none(&a));
	b.port = 1;
	assert_false(vx6_addr_is_none(&b));
	assert_false(vx6_addr_eq(&a, &b));
	for (unsigned i = 0; i < 16; i++) {
		b = a;
		b.ip[i] = 1;
		assert_false(vx6_addr_is_none(&b));
		assert_false(vx6_addr_eq(&a, &b));
	}
}

/* ---- bytes ---- */

static void integers_at_any_alignment(void **state)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 0xf8 };
	uint8_t buf[24];

	(void)state;
	for (unsigned at = 0; at < 8; at++) {
		uint8_t *p = buf + at;

		memset(buf, 0xee, sizeof(buf));
		vx6_put16(p, 0x0102);
		assert_memory_equal(p, want, 2);
		assert_int_equal(vx6_get16(p), 0x0102);
		vx6_put24(p, 0x010203);
		assert_memory_equal(p, want, 3);
		assert_int_equal(vx6_get24(p), 0x010203);
		vx6_put32(p, 0x01020304);
		assert_memory_equal(p, want, 4);
		assert_int_equal(vx6_get32(p), 0x01020304);
		vx6_put48(p, UINT64_C(0x010203040506));
		assert_memory_equal(p, want, 6);
		assert_int_equal(vx6_get48(p), UINT64_C(0x010203040506));
		assert_int_equal(p[6], 0xee);
		vx6_put64(p, UINT64_C(0x01020304050607f8));
		assert_memory_equal(p, want, 8);
		assert_int_equal(vx6_get64(p), UINT64_C(0x01020304050607f8));
		assert_int_equal(p[8], 0xee);
	}
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(vx6_get16(buf), 0xffff);
	assert_int_equal(vx6_get24(buf), 0xffffff);
	assert_int_equal(vx6_get32(buf), 0xffffffff);
	assert_int_equal(vx6_get48(buf), UINT64_C(0xffffffffffff));
}

/* ---- text ---- */

/* RFC 4648 section 10, without padding and in lower case. */
static void base32_published(void **state)
{
	static const char *const pair[][2] = {
		{ "",       ""           },
		{ "f",      "my"         },
		{ "fo",     "mzxq"       },
		{ "foo",    "mzxw6"      },
		{ "foob",   "mzxw6yq"    },
		{ "fooba",  "mzxw6ytb"   },
		{ "foobar", "mzxw6ytboi" },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(pair); i++) {
		size_t len = strlen(pair[i][0]);
		char out[32];
		uint8_t back[16];

		assert_int_equal(VX6_BASE32(len), strlen(pair[i][1]) + 1);
		assert_string_equal(
			vx6_base32((const uint8_t *)pair[i][0], len, out),
			pair[i][1]);
		assert_int_equal(vx6_unbase32(pair[i][1], back, len), VX6_OK);
		assert_memory_equal(back, pair[i][0], len);
	}
}

static void base32_of_every_length(void **state)
{
	uint8_t in[80], back[80];
	char out[VX6_BASE32(80)];

	(void)state;
	randombytes_buf(in, sizeof(in));
	for (size_t n = 0; n <= sizeof(in); n++) {
		memset(out, '!', sizeof(out));
		vx6_base32(in, n, out);
		assert_int_equal(strlen(out), VX6_BASE32(n) - 1);
		assert_int_equal(vx6_unbase32(out, back, n), VX6_OK);
		assert_memory_equal(in, back, n);
		for (char *c = out; *c; c++)
			if (*c >= 'a')
				*c = (char)(*c - 'a' + 'A');
		assert_int_equal(vx6_unbase32(out, back, n), VX6_OK);
		assert_memory_equal(in, back, n);
	}
}

static void base32_refuses(void **state)
{
	static const char *const no[] = { "my=",  "mz",  "m",    "",
					  "m1",   "m8",  "m y",  "m\xff",
					  "my\n", "my ", "m\x80" };
	uint8_t out[4];

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(no); i++)
		if (vx6_unbase32(no[i], out, 1) != VX6_MALFORMED)
			fail_msg("\"%s\" is read", no[i]);
	for (unsigned c = 1; c < 256; c++) {
		char text[3] = { 'm', (char)c, '\0' };
		/* one byte is 8 of 10 bits: the last two are zero */
		bool ok = strchr("aeimquy4AEIMQUY", (int)c) != NULL;

		assert_int_equal(vx6_unbase32(text, out, 1),
				 ok ? VX6_OK : VX6_MALFORMED);
	}
}

static void node_ids(void **state)
{
	uint8_t id[VX6_ID_LEN], back[VX6_ID_LEN];
	char text[VX6_ID_TEXT + 2];

	(void)state;
	randombytes_buf(id, sizeof(id));
	vx6_id_text(id, text);
	assert_int_equal(strlen(text), VX6_ID_TEXT - 1);
	assert_memory_equal(text, "vx6", 3);
	assert_int_equal(vx6_id_parse(back, text), VX6_OK);
	assert_memory_equal(id, back, sizeof(id));
	for (size_t n = 0; n < VX6_ID_TEXT - 1; n++) {
		char part[VX6_ID_TEXT];

		memcpy(part, text, n);
		part[n] = '\0';
		assert_int_equal(vx6_id_parse(back, part), VX6_MALFORMED);
	}
	memcpy(text + VX6_ID_TEXT - 1, "a", 2);
	assert_int_equal(vx6_id_parse(back, text), VX6_MALFORMED);
	text[VX6_ID_TEXT - 1] = '\0';
	text[0] = 'V';
	assert_int_equal(vx6_id_parse(back, text), VX6_MALFORMED);
}

/* ---- rand ---- */

static const uint8_t seed[32] = { 1, 2, 3 };

static void same_seed_same_bytes_however_taken(void **state)
{
	static uint8_t a[20000], b[20000];
	struct vx6_rand x, y;
	size_t at = 0;

	(void)state;
	vx6_rand_seed(&x, seed);
	vx6_rand_seed(&y, seed);
	vx6_rand_fill(&x, a, sizeof(a));
	for (size_t n = 0; at < sizeof(b); n = (n * 7 + 1) % 5000) {
		size_t take = n < sizeof(b) - at ? n : sizeof(b) - at;

		vx6_rand_fill(&y, b + at, take);
		at += take;
	}
	assert_memory_equal(a, b, sizeof(a));
	uint8_t other[32] = { 1, 2, 4 };
	vx6_rand_seed(&y, other);
	vx6_rand_fill(&y, b, 64);
	assert_memory_not_equal(a, b, 64);
	vx6_rand_init(&y);
	vx6_rand_fill(&y, b, 64);
	vx6_rand_init(&y);
	vx6_rand_fill(&y, a, 64);
	assert_memory_not_equal(a, b, 64);
}

static bool contains(const struct vx6_rand *r, const uint8_t *what, size_t len)
{
	const uint8_t *p = (const uint8_t *)r;

	return memmem(p, sizeof(*r), what, len) != NULL;
}

/* Neither what was given, nor a key from which it could be made again,
 * stays in the struct. */
static void what_was_given_is_erased(void **state)
{
	static uint8_t got[3 * VX6_RAND_POOL];
	struct vx6_rand r, old;

	(void)state;
	vx6_rand_seed(&r, seed);
	assert_false(contains(&r, seed, sizeof(seed)));
	for (size_t at = 0; at + 16 <= sizeof(got); at += 16) {
		old = r;
		vx6_rand_fill(&r, got + at, 16);
		assert_false(contains(&r, got + at, 16));
		assert_true(sodium_is_zero(r.pool, r.used));
		if (old.used > r.used)
			assert_memory_not_equal(old.key, r.key, 32);
	}
}

/* 3 * 2^30 divides 2^32 badly: a plain remainder would say "below 2^30" for
 * one draw in two instead of one in three. */
static void below_has_no_bias(void **state)
{
	struct vx6_rand r;
	unsigned low = 0, seen[7] = { 0 };

	(void)state;
	vx6_rand_seed(&r, seed);
	for (unsigned i = 0; i < 30000; i++) {
		uint32_t v = vx6_rand_below(&r, 3u << 30);

		assert_true(v < 3u << 30);
		low += v < 1u << 30 ? 1 : 0;
	}
	assert_in_range(low, 9600, 10400);
	for (unsigned i = 0; i < 70000; i++)
		seen[vx6_rand_below(&r, 7)]++;
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(seen[i], 9600, 10400);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(vx6_rand_below(&r, 1), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_true(vx6_rand_below(&r, UINT32_MAX) < UINT32_MAX);
}

/* ---- clock and status ---- */

static void time_does_not_run_backwards(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t now = vx6_now_ns();

		assert_true(now >= last && now > 0 && now != VX6_NEVER);
		last = now;
	}
	uint64_t before = vx6_unix_ms() / 1000, s = vx6_unix_s();
	uint64_t after = vx6_unix_ms() / 1000;
	assert_true(before <= s && s <= after);
}

static void every_status_says_what_it_is(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VX6_STATUS_CNT; i++) {
		const char *name = vx6_status_name((enum vx6_status)i);

		assert_non_null(name);
		assert_true(strlen(vx6_status_text((enum vx6_status)i)) > 1);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
				name, vx6_status_name((enum vx6_status)j));
		assert_int_equal(vx6_status_owed((enum vx6_status)i) ==
					 VX6_OWE_NONE,
				 i == VX6_OK);
	}
	assert_string_equal(vx6_status_name(VX6_BAD_TAG), "BAD_TAG");
	assert_int_equal(vx6_status_owed(VX6_BAD_TAG), VX6_OWE_DROP);
	assert_int_equal(vx6_status_owed(VX6_NO_ROOM), VX6_OWE_SHED);
	assert_int_equal(vx6_status_owed(VX6_EXPIRED), VX6_OWE_CLOSE);
	assert_int_equal(vx6_status_owed(VX6_NO_MEMORY), VX6_OWE_BOOT);
	enum vx6_status beyond = (enum vx6_status)(VX6_STATUS_CNT + 7);
	assert_string_equal(vx6_status_name(beyond), "UNKNOWN");
	assert_string_equal(vx6_status_text(beyond), "unknown status");
	assert_int_equal(vx6_status_owed(beyond), VX6_OWE_CLOSE);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(addresses_that_are_read),
		cmocka_unit_test(addresses_that_are_refused),
		cmocka_unit_test(addresses_nobody_may_send_us_to),
		cmocka_unit_test(sockaddr_both_ways),
		cmocka_unit_test(none_and_equal),
		cmocka_unit_test(integers_at_any_alignment),
		cmocka_unit_test(base32_published),
		cmocka_unit_test(base32_of_every_length),
		cmocka_unit_test(base32_refuses),
		cmocka_unit_test(node_ids),
		cmocka_unit_test(same_seed_same_bytes_however_taken),
		cmocka_unit_test(what_was_given_is_erased),
		cmocka_unit_test(below_has_no_bias),
		cmocka_unit_test(time_does_not_run_backwards),
		cmocka_unit_test(every_status_says_what_it_is),
	};

	return cmocka_run_group_tests_name("base", test, start, NULL);
}
