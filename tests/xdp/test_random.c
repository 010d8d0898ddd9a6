/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random: packets that nobody thought of, against a model.
 *
 * Method: whole packets with bytes changed, cut and made longer, and bytes
 * that never were a packet, from a fixed seed, through BPF_PROG_TEST_RUN.  A
 * second reading of the rules, written without a look at the speed, says
 * which counter must move; what depends on a bucket has two answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/rand.h"
#include "tests/support/xdp_must.h"
#include "xdp/xdp.h"

#define ROUNDS 60000u

static struct vx6_rand rnd;
static uint8_t self6[16], self4[4], peer6[16], peer4[4];

/* ---- the model ---- */

struct view {
	const uint8_t *at; /* what is not read yet */
	size_t left;
	const uint8_t *src, *dst;
	size_t ip_len; /* behind the IP header, by that header */
	unsigned proto;
	bool v4, odd;
};

static bool skip_bytes(struct view *v, size_t n)
{
	if (n > v->left)
		return false;
	v->at += n;
	v->left -= n;
	return true;
}

static bool model_v4(struct view *v)
{
	const uint8_t *ip = v->at;
	size_t len;

	if (v->left < 20 || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return false;
	len = (ip[0] & 15) * 4u;
	v->v4 = true;
	v->proto = ip[9];
	v->src = ip + 12;
	v->dst = ip + 16;
	v->ip_len = (size_t)vx6_get16(ip + 2) - len;
	v->odd = len > 20 || ip[6] & 0x20;
	if (vx6_get16(ip + 6) & 0x1fff)
		return false;
	return skip_bytes(v, len);
}

static bool model_v6(struct view *v)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *ip = v->at;

	if (v->left < 40 || ip[0] >> 4 != 6)
		return false;
	v->src = ip + 8;
	v->dst = ip + 24;
	v->ip_len = vx6_get16(ip + 4);
	v->proto = ip[6];
	if (memcmp(v->src, mapped, 12) == 0 || memcmp(v->dst, mapped, 12) == 0)
		return false;
	if (!skip_bytes(v, 40))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *h = v->at;
		size_t len = 8;

		if (v->proto != 0 && v->proto != 43 && v->proto != 60 &&
		    v->proto != 44)
			break;
		if (v->left < 8)
			return false;
		v->odd = true;
		if (v->proto == 44 && vx6_get16(h + 2) >> 3 != 0)
			return false;
		if (v->proto != 44)
			len = 8u * h[1] + 8;
		v->proto = h[0];
		if (!skip_bytes(v, len))
			return false;
	}
	return true;
}

static bool model_local(const struct view *v)
{
	return v->v4 ? memcmp(v->dst, self4, 4) == 0
		     : memcmp(v->dst, self6, 16) == 0;
}

static bool model_peer(const struct view *v, uint32_t link)
{
	if (vx6_get16(v->at) != XK_PORT)
		return false;
	if (link == 2)
		return v->v4 && memcmp(v->src, peer4, 4) == 0;
	return (link == 1 || link == XK_LINKS - 1) && !v->v4 &&
	       memcmp(v->src, peer6, 16) == 0;
}

/* CHANCE stands for BAD_SOURCE as well. */
static unsigned model_cell(const struct view *v)
{
	size_t udp = v->left < 8 ? 0 : vx6_get16(v->at + 4);
	const uint8_t *cell = v->at + 8;
	uint32_t link;

	if (v->left < 8)
		return VX6_XDP_OTHER;
	if (v->odd)
		return VX6_XDP_ODD;
	if (udp != v->ip_len || udp < 8 || udp > v->left)
		return VX6_XDP_TRUNCATED;
	if (udp - 8 < XK_LEN_MIN || udp - 8 > XK_LEN_MAX)
		return VX6_XDP_BAD_SIZE;
	if (cell[0] != 1)
		return VX6_XDP_BAD_VERSION;
	link = vx6_get24(cell + 1);
	if (link != 1 && link != 2 && link != 3 && link != XK_LINKS - 1)
		return VX6_XDP_NO_LINK;
	return model_peer(v, link) ? VX6_XDP_CELL : VX6_XDP_CHANCE;
}

/* HANDSHAKES stands for CONTROL that begins one. */
static unsigned model_control(const struct view *v)
{
	const uint8_t *q = v->at + 8;

	if (v->proto == 6)
		return v->left >= 14 && (v->at[13] & 0x12) == 2
			       ? VX6_XDP_HANDSHAKES
			       : VX6_XDP_CONTROL;
	if (v->left < 13 || q[0] < 0x80)
		return VX6_XDP_CONTROL;
	if (vx6_get32(q + 1) == 1 && (q[0] & 0x30) >= 0x20)
		return VX6_XDP_CONTROL;
	return VX6_XDP_HANDSHAKES;
}

static unsigned model(const struct pkt *p)
{
	struct view v = { .at = p->b, .left = p->len };
	unsigned type, port;

	type = vx6_get16(v.at + 12);
	skip_bytes(&v, 14);
	for (unsigned i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++) {
		if (v.left < 4)
			return VX6_XDP_OTHER;
		type = vx6_get16(v.at + 2);
		skip_bytes(&v, 4);
	}
	if (!(type == 0x0800 && model_v4(&v)) &&
	    !(type == 0x86dd && model_v6(&v)))
		return VX6_XDP_OTHER;
	if ((v.proto != 17 && v.proto != 6) || v.left < 4 || !model_local(&v))
		return VX6_XDP_OTHER;
	port = vx6_get16(v.at + 2);
	if (v.proto == 17 && port == XK_DATA)
		return v.odd ? VX6_XDP_ODD : model_cell(&v);
	if (port == XK_CTRL || port == XK_CTRL2)
		return model_control(&v);
	return VX6_XDP_OTHER;
}

static bool agree(unsigned got, unsigned want)
{
	return got == want ||
	       (want == VX6_XDP_CHANCE && got == VX6_XDP_BAD_SOURCE) ||
	       (want == VX6_XDP_HANDSHAKES && got == VX6_XDP_CONTROL);
}

/* ---- packets ---- */

static void any_shape(struct shape *s)
{
	static const uint8_t extra[][4] = {
		{ 0, 43, 60, 44 },
                { 44, 60, 0 },
                { 60 },
                { 43, 44, 59 }
	};
	static const uint16_t ports[] = { XK_DATA, XK_DATA,  XK_DATA,
					  XK_CTRL, XK_CTRL2, 53 };
	static const int links[] = {
		0, -1, 1, 2, 3, 4, XK_LINKS - 1, XK_LINKS
	};

	*s = (struct shape){ .v4 = vx6_rand_below(&rnd, 2) };
	s->tags = (uint8_t)(vx6_rand_below(&rnd, 8) == 0
				    ? vx6_rand_below(&rnd, 4)
				    : 0);
	s->dport = ports[vx6_rand_below(&rnd, VX6_COUNT(ports))];
	s->link = links[vx6_rand_below(&rnd, VX6_COUNT(links))];
	s->len = (int)vx6_rand_below(&rnd, 1500) - 1;
	if (vx6_rand_below(&rnd, 4) == 0) {
		s->extra = extra[vx6_rand_below(&rnd, VX6_COUNT(extra))];
		s->extra_cnt = (uint8_t)vx6_rand_below(&rnd, s->v4 ? 11 : 5);
	}
	if (vx6_rand_below(&rnd, 8) == 0)
		s->frag = (uint16_t)vx6_rand_below(&rnd, 0x4000);
	if (vx6_rand_below(&rnd, 6) == 0)
		s->tcp = (uint8_t)vx6_rand_below(&rnd, 256);
	if (vx6_rand_below(&rnd, 4) == 0)
		s->pad = (uint16_t)vx6_rand_below(&rnd, 64);
}

/* The headers are where it matters. */
static void spoil(struct pkt *p)
{
	uint32_t n = vx6_rand_below(&rnd, 4);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t most = vx6_rand_below(&rnd, 4) ? 80 : PKT_CAP;
		uint32_t at;

		if (most > p->len)
			most = (uint32_t)p->len;
		at = vx6_rand_below(&rnd, most);
		if (vx6_rand_below(&rnd, 2))
			p->b[at] ^= (uint8_t)(1u << vx6_rand_below(&rnd, 8));
		else
			vx6_rand_fill(&rnd, p->b + at, 1);
	}
	if (vx6_rand_below(&rnd, 6) == 0)
		p->len = 14 + vx6_rand_below(&rnd, (uint32_t)p->len - 13);
}

static void show(const struct pkt *p)
{
	for (size_t i = 0; i < p->len && i < 120; i++)
		print_message("%02x", p->b[i]);
	print_message("\n");
}

static unsigned seen[VX6_XDP_REASON_CNT];

static void judge(const struct pkt *p)
{
	struct xk_result r = xk_run(&kit, p);
	unsigned want = model(p);

	seen[r.reason]++;
	if (agree(r.reason, want) && r.untouched &&
	    r.verdict == must_verdict(r.reason))
		return;
	show(p);
	fail_msg("%zu bytes: %s, verdict %u%s; the model says %s", p->len,
		 xk_reason_name(r.reason), r.verdict,
		 r.untouched ? "" : ", changed", xk_reason_name(want));
}

static void spoilt_packets(void **state)
{
	static const uint8_t seed[32] = "spoilt packets 1";
	static struct pkt p;
	struct shape s;

	(void)state;
	must_need();
	vx6_rand_seed(&rnd, seed);
	for (unsigned i = 0; i < ROUNDS; i++) {
		any_shape(&s);
		pkt_make(&p, &s);
		spoil(&p);
		judge(&p);
	}
	for (unsigned i = 0; i < VX6_XDP_REASON_CNT; i++)
		if (i != VX6_XDP_NO_SOCKET && seen[i] == 0)
			fail_msg("none was %s", xk_reason_name(i));
}

static void bytes_alone(void **state)
{
	static const uint8_t seed[32] = "bytes alone 1";
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x8100, 0x88a8 };
	static struct pkt p;

	(void)state;
	must_need();
	vx6_rand_seed(&rnd, seed);
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		p.len = 14 + vx6_rand_below(&rnd, 200);
		vx6_rand_fill(&rnd, p.b, p.len);
		if (vx6_rand_below(&rnd, 8))
			vx6_put16(p.b + 12, types[vx6_rand_below(&rnd, 4)]);
		judge(&p);
	}
}

static int set_up(void **state)
{
	(void)must_set_up(state);
	assert_int_equal(inet_pton(AF_INET6, XK_SELF6, self6), 1);
	assert_int_equal(inet_pton(AF_INET6, XK_PEER6, peer6), 1);
	assert_int_equal(inet_pton(AF_INET, XK_SELF4, self4), 1);
	assert_int_equal(inet_pton(AF_INET, XK_PEER4, peer4), 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spoilt_packets),
		cmocka_unit_test(bytes_alone),
	};

	return cmocka_run_group_tests(tests, set_up, must_tear_down);
}
