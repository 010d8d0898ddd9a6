/* SPDX-License-Identifier: GPL-2.0-or-later */
/* classifier: which packets are cells for this node, decided in the driver.
 *
 *     Ethernet, 0..2 VLAN tags -> IPv4 or IPv6 -> to one of our addresses?
 *         UDP to the data port     cell of a known link, from its address:
 *                                  to the worker's socket; else dropped, or
 *                                  let through by chance (BAD_SOURCE)
 *         UDP, TCP to a control    passed; what begins a handshake only
 *         port                     while its prefix has a rate for it
 *     everything else              passed, not a byte changed
 *
 * What is dropped is surely ours and surely no cell.  What cannot be read to
 * the end (options, extension headers, fragments, cut frames) is passed: the
 * kernel's stack knows better, and has a socket on the data port as well.
 * Checksums are not judged: a veth's frames carry partial ones.
 *
 * It keeps to what Linux 6.1 offers: no helper or loop construct of later
 * kernels.  Loads are not reordered: this program is built for x86-64. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp/abi.h"

#define TAGS     2u /* VLAN tags that are looked behind */
#define EXTRAS   4u /* IPv6 extension headers, likewise */
#define TRIES    4u /* at a bucket that other CPUs take from too */
#define SEC_NS   1000000000ull
#define OPTIONS  0 /* IPv6 next headers (RFC 8200 section 4) */
#define ROUTING  43
#define FRAGMENT 44
#define LAST     60

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vx6_xdp_config);
} vx6_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VX6_XDP_LOCALS);
	__type(key, struct vx6_xdp_ip);
	__type(value, __u8);
} vx6_local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader says how many */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct vx6_xdp_link);
} vx6_link SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader says how many */
	__type(key, __u32);
	__type(value, __u64);
} vx6_chance SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VX6_XDP_PREFIXES);
	__type(key, struct vx6_xdp_prefix);
	__type(value, __u64);
} vx6_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, VX6_XDP_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} vx6_xsk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VX6_XDP_CPUS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct vx6_xdp_count);
} vx6_count SEC(".maps");

struct packet {       /* what the IP header said */
	__u8 *l4;     /* what is behind it and its extras */
	__u8 *end;    /* of the frame */
	__u32 l4_len; /* by the IP header; not set where odd */
	__u8 proto;
	__u8 v4;
	__u8 odd; /* options, extension headers or a first fragment */
	struct vx6_xdp_ip src, dst;
};

struct ports { /* UDP and TCP begin with them */
	__be16 src, dst;
};

/* ---- where it is from and where it goes ---- */

/* What ends at `behind` is not within the frame. */
static __always_inline bool beyond(const void *behind, const void *end)
{
	return behind > end;
}

/* Behind Ethernet and its tags; NULL where the frame ends before that. */
static __always_inline __u8 *behind_tags(__u8 *data, const __u8 *end,
					 __be16 *type)
{
	struct ethhdr *eth = (void *)data;
	struct {
		__be16 tag, type;
	} *vlan = (void *)(eth + 1);

	if (beyond(eth + 1, end))
		return NULL;
	*type = eth->h_proto;
	for (__u32 i = 0; i < TAGS; i++) {
		if (*type != bpf_htons(ETH_P_8021Q) &&
		    *type != bpf_htons(ETH_P_8021AD))
			break;
		if (beyond(vlan + 1, end))
			return NULL;
		*type = vlan->type;
		vlan++;
	}
	return (__u8 *)vlan;
}

static __always_inline bool read_v4(struct packet *p, __u8 *at)
{
	struct iphdr *ip = (void *)at;
	__u32 len;

	if (beyond(ip + 1, p->end) || ip->version != 4 || ip->ihl < 5)
		return false;
	if (ip->frag_off & bpf_htons(0x1fff))
		return false; /* the ports are in another fragment */
	len = ip->ihl * 4u;
	p->v4 = 1;
	p->odd = len != sizeof(*ip) || ip->frag_off & bpf_htons(0x2000);
	p->proto = ip->protocol;
	p->l4_len = bpf_ntohs(ip->tot_len) - len;
	p->l4 = at + len;
	p->src.w[2] = p->dst.w[2] = bpf_htonl(0xffff);
	p->src.w[3] = ip->saddr;
	p->dst.w[3] = ip->daddr;
	return true;
}

/* One extension header; false where what follows cannot be told. */
static __always_inline bool skip_extra(struct packet *p)
{
	__u8 *h = p->l4;

	if (beyond(h + 8, p->end))
		return false;
	p->odd = 1;
	if (p->proto == FRAGMENT) {
		if ((h[2] << 8 | h[3]) & 0xfff8)
			return false;
		p->l4 = h + 8;
	} else {
		p->l4 = h + (h[1] + 1u) * 8u;
	}
	p->proto = h[0];
	return true;
}

static __always_inline bool is_mapped(const struct vx6_xdp_ip *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == bpf_htonl(0xffff);
}

static __always_inline bool read_v6(struct packet *p, __u8 *at)
{
	struct ipv6hdr *ip = (void *)at;

	if (beyond(ip + 1, p->end) || ip->version != 6)
		return false;
	p->proto = ip->nexthdr;
	p->l4_len = bpf_ntohs(ip->payload_len);
	p->l4 = (__u8 *)(ip + 1);
	__builtin_memcpy(&p->src, &ip->saddr, sizeof(p->src));
	__builtin_memcpy(&p->dst, &ip->daddr, sizeof(p->dst));
	if (is_mapped(&p->src) || is_mapped(&p->dst))
		return false; /* never on the wire, and not IPv4 (RFC 4038) */
	for (__u32 i = 0; i < EXTRAS; i++) {
		if (p->proto != OPTIONS && p->proto != ROUTING &&
		    p->proto != LAST && p->proto != FRAGMENT)
			break;
		if (!skip_extra(p))
			return false;
	}
	return true;
}

/* ---- buckets ---- */

/* GCRA: *due is when the bucket is full again.  True where one more may be
 * taken: one every `each` ns, and `most` at once. */
static __always_inline bool take(__u64 *due, __u64 each, __u64 most)
{
	__u64 now = bpf_ktime_get_ns();

	for (__u32 i = 0; i < TRIES; i++) {
		__u64 old = *(volatile __u64 *)due;
		__u64 from = old > now ? old : now;

		if (from - now > each * (most - 1))
			return false;
		if (__sync_val_compare_and_swap(due, old, from + each) == old)
			return true;
	}
	return false; /* so many at once are too many */
}

static __always_inline bool prefix_may(const struct vx6_xdp_config *cfg,
				       const struct packet *p)
{
	struct vx6_xdp_prefix key = { .v4 = p->v4 };
	__u64 none = 0, *due;

	if (p->v4)
		__builtin_memcpy(key.bits, &p->src.w[3], VX6_XDP_PREFIX_V4);
	else
		__builtin_memcpy(key.bits, &p->src, VX6_XDP_PREFIX_V6);
	due = bpf_map_lookup_elem(&vx6_prefix, &key);
	if (due == NULL) {
		bpf_map_update_elem(&vx6_prefix, &key, &none, BPF_NOEXIST);
		due = bpf_map_lookup_elem(&vx6_prefix, &key);
	}
	/* no room for a bucket: nobody is refused for that */
	return due == NULL || take(due, cfg->shake_ns, cfg->shake_most);
}

/* ---- the data port ---- */

/* The worker may be writing: then the address is as good as unknown. */
static __always_inline bool is_peer(const struct vx6_xdp_link *l,
				    const struct packet *p, __be16 port)
{
	__u32 seq = *(const volatile __u32 *)&l->seq;
	bool same;

	barrier();
	same = l->port != 0 && l->port == port && l->ip.w[0] == p->src.w[0] &&
	       l->ip.w[1] == p->src.w[1] && l->ip.w[2] == p->src.w[2] &&
	       l->ip.w[3] == p->src.w[3];
	barrier();
	return same && !(seq & 1) && *(const volatile __u32 *)&l->seq == seq;
}

static __always_inline __u32 judge_cell(const struct vx6_xdp_config *cfg,
					const struct packet *p)
{
	struct udphdr *udp = (void *)p->l4;
	__u8 *cell = (__u8 *)(udp + 1);
	struct vx6_xdp_link *l;
	__u64 *due;
	__u32 len, idx;

	if (beyond(udp + 1, p->end))
		return VX6_XDP_OTHER;
	len = bpf_ntohs(udp->len);
	/* what the compiler knows Linux 6.1 does not: 16 bits swapped are 16
	 * bits */
	barrier_var(len);
	len &= 0xffff;
	if (len != p->l4_len || len < sizeof(*udp) ||
	    beyond(p->l4 + len, p->end))
		return VX6_XDP_TRUNCATED;
	len -= sizeof(*udp);
	if (len < cfg->len_min || len > cfg->len_max ||
	    beyond(cell + 4, p->end))
		return VX6_XDP_BAD_SIZE;
	if (cell[0] != VX6_XDP_CELL_VERSION)
		return VX6_XDP_BAD_VERSION;
	idx = (__u32)cell[1] << 16 | (__u32)cell[2] << 8 | cell[3];
	if (idx == 0 || idx >= cfg->links)
		return VX6_XDP_NO_LINK;
	l = bpf_map_lookup_elem(&vx6_link, &idx);
	if (l == NULL || !l->used)
		return VX6_XDP_NO_LINK;
	if (is_peer(l, p, udp->source))
		return VX6_XDP_CELL;
	due = bpf_map_lookup_elem(&vx6_chance, &idx);
	if (due != NULL && take(due, SEC_NS / VX6_XDP_CHANCES, VX6_XDP_CHANCES))
		return VX6_XDP_CHANCE;
	return VX6_XDP_BAD_SOURCE;
}

/* ---- the control port ---- */

/* A long header that is not a Handshake or Retry of QUIC version 1: Initial,
 * 0-RTT (RFC 9000 section 17.2), or of a version that we would have to answer
 * with our own. */
static __always_inline bool begins_quic(const struct packet *p)
{
	__u8 *q = p->l4 + sizeof(struct udphdr);

	if (beyond(q + 5, p->end) || !(q[0] & 0x80))
		return false;
	return !(q[0] & 0x20) || q[1] != 0 || q[2] != 0 || q[3] != 0 ||
	       q[4] != 1;
}

static __always_inline bool begins_tcp(const struct packet *p)
{
	__u8 *tcp = p->l4;

	/* SYN without ACK */
	return !beyond(tcp + 14, p->end) && (tcp[13] & 0x12) == 0x02;
}

static __always_inline bool is_control(const struct vx6_xdp_config *cfg,
				       __be16 port)
{
	bool is = false;

	for (__u32 i = 0; i < VX6_XDP_CONTROLS; i++)
		is |= port == cfg->control_port[i];
	return is && port != 0;
}

static __always_inline __u32 judge_control(const struct vx6_xdp_config *cfg,
					   const struct packet *p)
{
	bool begins = p->proto == IPPROTO_UDP ? begins_quic(p) : begins_tcp(p);

	if (begins && cfg->shake_most != 0 && !prefix_may(cfg, p))
		return VX6_XDP_HANDSHAKES;
	return VX6_XDP_CONTROL;
}

/* ---- all together ---- */

static __always_inline __u32 judge(struct xdp_md *ctx)
{
	struct packet p = { .end = (void *)(long)ctx->data_end };
	struct vx6_xdp_config *cfg;
	struct ports *ports;
	__be16 type = 0;
	__u32 zero = 0;
	__u8 *at;

	at = behind_tags((void *)(long)ctx->data, p.end, &type);
	if (at == NULL)
		return VX6_XDP_OTHER;
	if (type == bpf_htons(ETH_P_IPV6)) {
		if (!read_v6(&p, at))
			return VX6_XDP_OTHER;
	} else if (type != bpf_htons(ETH_P_IP) || !read_v4(&p, at)) {
		return VX6_XDP_OTHER;
	}
	ports = (void *)p.l4;
	if ((p.proto != IPPROTO_UDP && p.proto != IPPROTO_TCP) ||
	    beyond(ports + 1, p.end))
		return VX6_XDP_OTHER;
	cfg = bpf_map_lookup_elem(&vx6_config, &zero);
	if (cfg == NULL)
		return VX6_XDP_OTHER;
	if (p.proto == IPPROTO_UDP && ports->dst == cfg->data_port) {
		if (bpf_map_lookup_elem(&vx6_local, &p.dst) == NULL)
			return VX6_XDP_OTHER;
		return p.odd ? VX6_XDP_ODD : judge_cell(cfg, &p);
	}
	if (!is_control(cfg, ports->dst) ||
	    bpf_map_lookup_elem(&vx6_local, &p.dst) == NULL)
		return VX6_XDP_OTHER;
	return judge_control(cfg, &p);
}

static __always_inline void count(__u32 reason)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 own = cpu < VX6_XDP_CPUS - 1;
	__u32 slot = own ? cpu : VX6_XDP_CPUS - 1;
	struct vx6_xdp_count *c = bpf_map_lookup_elem(&vx6_count, &slot);

	if (c == NULL || reason >= VX6_XDP_COUNTS)
		return;
	if (own) /* a CPU is in here once at a time */
		c->packets[reason]++;
	else
		__sync_fetch_and_add(&c->packets[reason], 1);
}

#define IS_redirect XDP_REDIRECT
#define IS_pass     XDP_PASS
#define IS_drop     XDP_DROP

static __always_inline int verdict(__u32 reason)
{
	switch (reason) {
#define X(name, is, text)                                                      \
	case VX6_XDP_##name: return IS_##is;
		VX6_XDP_REASON_LIST(X)
#undef X
	}
	return XDP_PASS;
}

SEC("xdp")
int vx6_classify(struct xdp_md *ctx)
{
	__u32 reason = judge(ctx);
	int action = verdict(reason);

	if (action == XDP_REDIRECT) {
		action = (int)bpf_redirect_map(&vx6_xsk, ctx->rx_queue_index,
					       XDP_PASS);
		if (action != XDP_REDIRECT)
			reason = VX6_XDP_NO_SOCKET;
	}
	count(reason);
	return action;
}

char vx6_license[] SEC("license") = "GPL";
