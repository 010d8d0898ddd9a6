/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mix: what ordinary programs send passes, and not a byte of it changes.
 *
 * Method: every packet of a capture (mix.pcap; README.md here says of what)
 * through BPF_PROG_TEST_RUN, both hosts' addresses being the node's own, and
 * the same again behind a VLAN tag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "tests/support/xdp_must.h"
#include "xdp/object.h"

#define MAGIC 0xa1b2c3d4u /* a pcap of this byte order, microseconds */

enum {
	SEEN_ARP,
	SEEN_ICMP,
	SEEN_ICMP6,
	SEEN_TCP,
	SEEN_UDP,
	SEEN_FRAG,
	SEEN_CNT
};

static unsigned seen[SEEN_CNT];

static struct {
	size_t len, at;
	uint8_t b[1 << 18];
} mix;

static void read_mix(void)
{
	const char *top = getenv("VX6_TOP");
	uint32_t head[6];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/xdp/mix.pcap",
		 top != NULL ? top : ".");
	f = fopen(path, "rb");
	if (f == NULL)
		abort();
	mix.len = fread(mix.b, 1, sizeof(mix.b), f);
	fclose(f);
	assert_true(mix.len > sizeof(head) && mix.len < sizeof(mix.b));
	memcpy(head, mix.b, sizeof(head));
	assert_int_equal(head[0], MAGIC);
	assert_int_equal(head[5], 1); /* Ethernet */
	mix.at = sizeof(head);
}

static bool next_packet(struct pkt *p)
{
	uint32_t head[4];

	if (mix.at == mix.len)
		return false;
	assert_true(mix.len - mix.at >= sizeof(head));
	memcpy(head, mix.b + mix.at, sizeof(head));
	mix.at += sizeof(head);
	p->len = head[2];
	assert_true(head[2] == head[3] && p->len <= PKT_CAP - 4 &&
		    p->len <= mix.len - mix.at);
	memcpy(p->b, mix.b + mix.at, p->len);
	mix.at += p->len;
	return true;
}

static void note(const struct pkt *p)
{
	unsigned type = vx6_get16(p->b + 12);
	bool six = type == 0x86dd;
	unsigned proto = six ? p->b[20] : p->b[23];

	seen[SEEN_ARP] += type == 0x0806;
	if (type == 0x0806)
		return;
	seen[SEEN_ICMP] += !six && proto == 1;
	seen[SEEN_ICMP6] += six && proto == 58;
	seen[SEEN_TCP] += proto == 6;
	seen[SEEN_UDP] += proto == 17;
	seen[SEEN_FRAG] += six ? proto == 44 : (p->b[20] & 0x3f) != 0;
}

static void all_pass(void **state)
{
	static struct pkt p, tagged;
	unsigned n = 0;

	(void)state;
	must_need();
	read_mix();
	for (; next_packet(&p); n++) {
		must_be(&kit, "captured", &p, VX6_XDP_OTHER);
		note(&p);
		tagged.len = p.len + 4;
		memcpy(tagged.b, p.b, 12);
		vx6_put32(tagged.b + 12, 0x81000007);
		memcpy(tagged.b + 16, p.b + 12, p.len - 12);
		must_be(&kit, "captured, tagged", &tagged, VX6_XDP_OTHER);
	}
	assert_true(n >= 100);
	for (unsigned i = 0; i < SEEN_CNT; i++)
		assert_true(seen[i] > 0);
}

static int set_up(void **state)
{
	static const char *const hosts[] = { "fd00:5::1", "fd00:5::2" };
	uint8_t one = 1;

	(void)must_set_up(state);
	for (unsigned i = 0; kit.obj != NULL && i < 2; i++) {
		uint8_t six[16], four[16] = { [10] = 0xff, [11] = 0xff };
		int fd = object_map(kit.obj, "vx6_local");

		assert_int_equal(inet_pton(AF_INET6, hosts[i], six), 1);
		vx6_put32(four + 12, 0x0a050001 + i);
		assert_int_equal(bpf_map_update_elem(fd, six, &one, 0), 0);
		assert_int_equal(bpf_map_update_elem(fd, four, &one, 0), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pass),
	};

	return cmocka_run_group_tests(tests, set_up, must_tear_down);
}
