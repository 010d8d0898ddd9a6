/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_XDP_KIT_H
#define VX6_TESTS_SUPPORT_XDP_KIT_H

/* xdp_kit: the classifier in the kernel, without an interface, and packets
 * for it.
 *
 *     struct shape --pkt_make--> struct pkt --xk_run--> verdict, reason,
 *                                                       the packet after
 *
 * The node has data port 4243, control ports 4242 and 4244, the addresses
 * XK_SELF6 and XK_SELF4, and these links:
 *
 *     1  proved, XK_PEER6    2  proved, XK_PEER4    3  used, nobody proved
 *     4  not used            XK_LINKS-1  proved, XK_PEER6
 *
 * Needs root: xk_open says so in a line for tests/run and returns false. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "dataplane/base/compiler.h"
#include "xdp/abi.h"

#define XK_LINKS   64u
#define XK_SELF6   "fd00:5::1"
#define XK_SELF4   "10.5.0.1"
#define XK_PEER6   "fd00:7::2"
#define XK_PEER4   "10.7.0.2"
#define XK_PORT    5000u /* of the peers */
#define XK_DATA    4243u
#define XK_CTRL    4242u
#define XK_CTRL2   4244u
#define XK_LEN_MIN 32u
#define XK_LEN_MAX 1472u

#define PKT_CAP 3200u

struct pkt {
	size_t len;
	uint8_t b[PKT_CAP];
};

struct shape { /* all zero: a cell of link 1, IPv6, 100 bytes, from its peer */
	const char *src, *dst; /* addresses; NULL: peer and self */
	const uint8_t *extra;  /* next header of each extension header ... */
	const void *text;      /* payload; NULL: a cell */
	bool v4;
	uint8_t version_add; /* to the cell's first byte */
	uint8_t tags;        /* VLAN tags */
	uint8_t tcp;         /* TCP with these flags, not UDP */
	uint8_t proto;       /* neither, but this */
	uint8_t extra_cnt;   /* ... and how many; IPv4: words of options */
	uint16_t sport, dport;
	uint16_t frag; /* offset and M flag, as IPv4 has them: 0x2000, units
			  of 8 bytes */
	uint16_t pad;  /* bytes behind the IP packet */
	int link;      /* 0: link 1; -1: index 0 */
	int len;       /* of the payload; 0: 100, -1: none */
	int ip_add, udp_add; /* lies about the lengths */
};

VX6_NONNULL void pkt_make(struct pkt *p, const struct shape *s);

struct xk {
	struct bpf_object *obj;
	struct vx6_xdp_link *links;
	struct vx6_xdp_count *count;
	unsigned cpus; /* that may count */
	int prog, xsk;
};

/* xk_open; `socket`: queue 0 has an AF_XDP socket. */
VX6_MUST_CHECK VX6_NONNULL bool xk_open(struct xk *k, bool socket);
VX6_NONNULL void xk_close(struct xk *k);

struct xk_result {
	uint32_t verdict; /* XDP_PASS .. */
	unsigned reason;  /* the one counter that moved, by one */
	bool untouched;   /* every byte, and the length */
};

VX6_NONNULL struct xk_result xk_run(struct xk *k, const struct pkt *p);

/* xk_sum adds up the CPUs' counters. */
VX6_NONNULL void xk_sum(const struct xk *k, uint64_t out[VX6_XDP_COUNTS]);

/* xk_reason_name: "BAD_SOURCE"; static, "?" for what is none. */
const char *xk_reason_name(unsigned reason);

/* xk_may says whether this process may load programs; else it prints why a
 * test is skipped. */
bool xk_may(void);

#endif
