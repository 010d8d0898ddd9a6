/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/xdp_kit.h"

#include <arpa/inet.h>
#include <assert.h>
#include <bpf/bpf.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "xdp/object.h"
#include "xdp/xdp.h"

/* ---- packets ---- */

static uint8_t *room(struct pkt *p, size_t n)
{
	uint8_t *at = p->b + p->len;

	assert(p->len + n <= sizeof(p->b));
	p->len += n;
	return at;
}

static void put_ethernet(struct pkt *p, const struct shape *s)
{
	uint8_t *e = room(p, 14);

	memset(e, 0x02, 12);
	for (unsigned i = 0; i < s->tags; i++) {
		/* the outer ones of several are 802.1ad */
		vx6_put16(e + 12, i + 1 < s->tags ? 0x88a8 : 0x8100);
		e = room(p, 4) - 12;
		vx6_put16(e + 12, (uint16_t)(100 + i));
		e += 2;
	}
	vx6_put16(e + 12, s->v4 ? 0x0800 : 0x86dd);
}

static void put_v4(struct pkt *p, const struct shape *s, uint8_t proto,
		   size_t rest)
{
	size_t len = 20u + 4u * s->extra_cnt;
	uint8_t *ip = room(p, len);

	memset(ip, 1, len); /* 1 is "no operation" in options */
	ip[0] = (uint8_t)(0x40 | len / 4);
	vx6_put16(ip + 2, (uint16_t)((int)(len + rest) + s->ip_add));
	vx6_put16(ip + 6, s->frag);
	ip[8] = 64;
	ip[9] = proto;
	assert(inet_pton(AF_INET, s->src ? s->src : XK_PEER4, ip + 12) == 1);
	assert(inet_pton(AF_INET, s->dst ? s->dst : XK_SELF4, ip + 16) == 1);
}

/* Extension headers of 8 bytes, but the second one, which has 24. */
static void put_extra(struct pkt *p, const struct shape *s, uint8_t proto)
{
	for (unsigned i = 0; i < s->extra_cnt; i++) {
		bool fragment = s->extra[i] == 44;
		size_t len = i == 1 && !fragment ? 24 : 8;
		uint8_t *h = room(p, len);

		memset(h, 0, len);
		h[0] = i + 1 < s->extra_cnt ? s->extra[i + 1] : proto;
		if (fragment)
			vx6_put16(h + 2, (uint16_t)(s->frag << 3 |
						    (s->frag & 0x2000) >> 13));
		else
			h[1] = (uint8_t)(len / 8 - 1);
	}
}

static void put_v6(struct pkt *p, const struct shape *s, uint8_t proto,
		   size_t rest)
{
	size_t at = p->len;
	uint8_t *ip = room(p, 40);

	memset(ip, 0, 8);
	ip[0] = 0x60;
	ip[6] = s->extra_cnt > 0 ? s->extra[0] : proto;
	ip[7] = 64;
	assert(inet_pton(AF_INET6, s->src ? s->src : XK_PEER6, ip + 8) == 1);
	assert(inet_pton(AF_INET6, s->dst ? s->dst : XK_SELF6, ip + 24) == 1);
	put_extra(p, s, proto);
	vx6_put16(p->b + at + 4,
		  (uint16_t)((int)(p->len - at - 40 + rest) + s->ip_add));
}

static void put_l4(struct pkt *p, const struct shape *s, uint8_t proto,
		   size_t payload)
{
	uint8_t *h;

	if (proto != IPPROTO_UDP && proto != IPPROTO_TCP)
		return;
	h = room(p, proto == IPPROTO_UDP ? 8 : 20);
	vx6_put16(h, s->sport ? s->sport : XK_PORT);
	vx6_put16(h + 2, s->dport ? s->dport : XK_DATA);
	if (proto == IPPROTO_UDP) {
		vx6_put16(h + 4, (uint16_t)((int)(8 + payload) + s->udp_add));
		vx6_put16(h + 6, 0xbeef);
	} else {
		memset(h + 4, 7, 16);
		h[12] = 0x50;
		h[13] = s->tcp;
	}
}

void pkt_make(struct pkt *p, const struct shape *s)
{
	size_t payload = s->len == 0 ? 100 : s->len < 0 ? 0 : (size_t)s->len;
	uint8_t proto = s->proto ? s->proto
			: s->tcp ? IPPROTO_TCP
				 : IPPROTO_UDP;
	size_t l4 = proto == IPPROTO_UDP ? 8 : proto == IPPROTO_TCP ? 20 : 0;
	uint8_t cell[4] = { (uint8_t)(VX6_XDP_CELL_VERSION + s->version_add) };
	uint8_t *at;

	p->len = 0;
	put_ethernet(p, s);
	if (s->v4)
		put_v4(p, s, proto, l4 + payload);
	else
		put_v6(p, s, proto, l4 + payload);
	put_l4(p, s, proto, payload);
	at = room(p, payload);
	memset(at, 0xa5, payload);
	vx6_put24(cell + 1, s->link == 0  ? (s->v4 ? 2 : 1)
			    : s->link < 0 ? 0
					  : (uint32_t)s->link);
	if (s->text != NULL)
		memcpy(at, s->text, payload);
	else
		memcpy(at, cell, payload < 4 ? payload : 4);
	memset(room(p, s->pad), 0x55, s->pad);
}

/* ---- the classifier ---- */

bool xk_may(void)
{
	if (geteuid() == 0)
		return true;
	printf("# SKIP root: XDP programs need root\n");
	fflush(stdout);
	return false;
}

static struct vx6_addr addr(const char *ip)
{
	struct vx6_addr a = { .port = XK_PORT };

	if (inet_pton(AF_INET6, ip, a.ip) != 1) {
		a.ip[10] = a.ip[11] = 0xff;
		assert(inet_pton(AF_INET, ip, a.ip + 12) == 1);
	}
	return a;
}

static void *map_of(const struct xk *k, const char *name, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       object_map(k->obj, name), 0);

	assert(p != MAP_FAILED);
	return p;
}

static void set_up(struct xk *k)
{
	static const char *const self[] = { XK_SELF6, XK_SELF4 };
	struct vx6_addr peer6 = addr(XK_PEER6), peer4 = addr(XK_PEER4), none;
	const struct vx6_xdp_config c = {
		.data_port = htons(XK_DATA),
		.control_port = { htons(XK_CTRL), 0, htons(XK_CTRL2) },
		.len_min = XK_LEN_MIN,
		.len_max = XK_LEN_MAX,
		.links = XK_LINKS,
		.shake_ns = 3600 * 1000000000ull, /* none comes back */
		.shake_most = 4,
	};
	uint8_t one = 1;

	assert(object_configure(k->obj, &c) == 0);
	for (unsigned i = 0; i < VX6_COUNT(self); i++) {
		struct vx6_addr a = addr(self[i]);

		assert(bpf_map_update_elem(object_map(k->obj, "vx6_local"),
					   a.ip, &one, BPF_ANY) == 0);
	}
	memset(&none, 0, sizeof(none));
	xdp_link_set(&k->links[1], &peer6);
	xdp_link_set(&k->links[2], &peer4);
	xdp_link_set(&k->links[3], &none);
	xdp_link_set(&k->links[XK_LINKS - 1], &peer6);
}

/* A socket that the kernel takes into the map though it receives nothing. */
static int give_socket(const struct xk *k)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), entries = 64;
	uint32_t queue = 0;

	assert(fd >= 0);
	assert(setsockopt(fd, SOL_XDP, XDP_RX_RING, &entries,
			  sizeof(entries)) == 0);
	assert(bpf_map_update_elem(object_map(k->obj, "vx6_xsk"), &queue, &fd,
				   BPF_ANY) == 0);
	return fd;
}

bool xk_open(struct xk *k, bool socket)
{
	if (!xk_may())
		return false;
	object_silence();
	k->cpus = (unsigned)libbpf_num_possible_cpus();
	if (k->cpus > VX6_XDP_CPUS)
		k->cpus = VX6_XDP_CPUS;
	assert(object_open(&k->obj, NULL, XK_LINKS) == 0);
	assert(object_load(k->obj) == 0);
	k->links = map_of(k, "vx6_link", XK_LINKS * sizeof(*k->links));
	k->count = map_of(k, "vx6_count", VX6_XDP_CPUS * sizeof(*k->count));
	k->prog = bpf_program__fd(
		bpf_object__find_program_by_name(k->obj, OBJECT_PROGRAM));
	set_up(k);
	k->xsk = socket ? give_socket(k) : -1;
	return true;
}

void xk_close(struct xk *k)
{
	munmap(k->links, XK_LINKS * sizeof(*k->links));
	munmap(k->count, VX6_XDP_CPUS * sizeof(*k->count));
	if (k->xsk >= 0)
		close(k->xsk);
	bpf_object__close(k->obj);
}

void xk_sum(const struct xk *k, uint64_t out[VX6_XDP_COUNTS])
{
	memset(out, 0, VX6_XDP_COUNTS * sizeof(out[0]));
	for (unsigned cpu = 0; cpu < k->cpus; cpu++)
		for (unsigned r = 0; r < VX6_XDP_COUNTS; r++)
			out[r] += k->count[cpu].packets[r];
}

struct xk_result xk_run(struct xk *k, const struct pkt *p)
{
	uint64_t before[VX6_XDP_COUNTS], after[VX6_XDP_COUNTS];
	static uint8_t out[PKT_CAP + 512];
	struct bpf_test_run_opts o = { .sz = sizeof(o),
				       .data_in = p->b,
				       .data_size_in = (uint32_t)p->len,
				       .data_out = out,
				       .data_size_out = sizeof(out),
				       .repeat = 1 };
	struct xk_result r = { .reason = VX6_XDP_COUNTS };

	xk_sum(k, before);
	assert(bpf_prog_test_run_opts(k->prog, &o) == 0);
	xk_sum(k, after);
	r.verdict = o.retval;
	r.untouched = o.data_size_out == p->len &&
		      memcmp(out, p->b, p->len) == 0;
	for (unsigned i = 0; i < VX6_XDP_COUNTS; i++) {
		if (after[i] == before[i])
			continue;
		/* one packet, one counter, by one */
		assert(r.reason == VX6_XDP_COUNTS && after[i] == before[i] + 1);
		r.reason = i;
	}
	assert(r.reason < VX6_XDP_REASON_CNT);
	return r;
}

const char *xk_reason_name(unsigned reason)
{
	static const char *const name[] = {
#define X(name, verdict, text) #name,
		VX6_XDP_REASON_LIST(X)
#undef X
	};

	return reason < VX6_COUNT(name) ? name[reason] : "?";
}
