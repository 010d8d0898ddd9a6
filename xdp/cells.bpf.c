/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cells: what of an interface's packets DPDK's net_af_xdp gets.
 *
 *     Ethernet -> IPv4 or IPv6 -> UDP to the data port: to the queue's socket
 *     everything else: passed, not a byte changed
 *
 * Without it that driver takes every packet of its queues, and nobody would
 * answer for this host's addresses any more.  The classifier judges cells by
 * links that the af_xdp port writes into a map; here only the port counts,
 * and the relay judges all the rest, as it does on a socket.
 *
 * What cannot be read to the end (tags, options, extension headers,
 * fragments, cut frames) is passed: the kernel's socket gets it.
 *
 * The driver wants a map of this name, and puts its sockets there. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp/abi.h"

#define WHOLE    0x45 /* IPv4 without options (RFC 791 section 3.1) */
#define FRAGMENT 0x3fff

/* Whoever loads it writes the port over the zero, in the file. */
const volatile struct vx6_cells vx6_cells = { .mark = VX6_CELLS_MARK };

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, VX6_XDP_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

/* Where a UDP header would be; NULL: there is none. */
static __always_inline const struct udphdr *udp_of(const __u8 *data,
						   const __u8 *end)
{
	const struct ethhdr *eth = (const void *)data;
	const struct iphdr *ip4 = (const void *)(eth + 1);
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);

	if ((const __u8 *)(ip4 + 1) > end)
		return NULL;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return *(const __u8 *)ip4 == WHOLE &&
				       ip4->protocol == IPPROTO_UDP &&
				       (ip4->frag_off & bpf_htons(FRAGMENT)) ==
					       0
			       ? (const void *)(ip4 + 1)
			       : NULL;
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) ||
	    (const __u8 *)(ip6 + 1) > end || ip6->nexthdr != IPPROTO_UDP)
		return NULL;
	return (const void *)(ip6 + 1);
}

SEC("xdp")
int vx6_cells_only(struct xdp_md *ctx)
{
	const __u8 *end = (const void *)(unsigned long)ctx->data_end;
	const struct udphdr *udp =
		udp_of((const void *)(unsigned long)ctx->data, end);

	if (udp == NULL || (const __u8 *)(udp + 1) > end ||
	    udp->dest != vx6_cells.port)
		return XDP_PASS;
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char vx6_license[] SEC("license") = "GPL";
