/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_XDP_ABI_H
#define VX6_XDP_ABI_H

/* abi: what the programs in the kernel and their users both read, written
 * once.  The BPF programs include it, the loader, the ports and the tests
 * do.  Fixed-width kernel types only; no pointer, no enum in a
 * struct; every size asserted.
 *
 *     map         form                       written by        read by
 *     vx6_config  array, 1                   loader            classifier
 *     vx6_local   hash of addresses          loader            classifier
 *     vx6_link    array by index, mmap-able  worker            classifier
 *     vx6_chance  array by index             classifier        classifier
 *     vx6_prefix  LRU hash by prefix         classifier        classifier
 *     vx6_xsk     XSKMAP by queue            loader            classifier
 *     vx6_count   array by CPU, mmap-able    classifier        any reader
 *
 * Addresses are 16 bytes in network order, IPv4 mapped (RFC 4291 2.5.5.2).
 * vx6_link, vx6_chance, vx6_local and vx6_config belong to a data plane and
 * are shared by the classifiers of all its interfaces; the others are an
 * interface's own. */

#include <linux/types.h>

#define VX6_XDP_QUEUES   64u  /* of one interface that can have a socket */
#define VX6_XDP_LOCALS   256u /* addresses of this host */
#define VX6_XDP_CONTROLS 4u   /* control ports */
#define VX6_XDP_CPUS     256u /* counted apart; others share the last */
#define VX6_XDP_PREFIXES 65536u

#define VX6_XDP_CELL_VERSION 1u /* first byte of a cell */

/* Cells to a link from an address that is not its proved one: so many a
 * second may pass, so that a peer who has moved can be challenged
 * (dataplane/wire/PROTOCOL.md section 6).  An ask and the response to its
 * challenge have to be among them, within three asks, and a peer whose streams
 * stand still sends a dozen cells a second beside: 8 were too few, and some
 * moves came too late.  A stranger gains 32 look-ups a second, no pass of a
 * cipher. */
#define VX6_XDP_CHANCES 32u

struct vx6_xdp_ip { /* an address, and key of vx6_local */
	__be32 w[4];
};

/* Whoever comes from one prefix is one party, wherever its packets or
 * messages are counted: an IPv6 /56 or an IPv4 /24, so many bytes. */
#define VX6_XDP_PREFIX_V6 7u
#define VX6_XDP_PREFIX_V4 3u

/* Key of vx6_prefix; behind an IPv4 prefix there is zero. */
struct vx6_xdp_prefix {
	__u8 bits[VX6_XDP_PREFIX_V6];
	__u8 v4;
};

struct vx6_xdp_config {
	__be16 data_port;
	__be16 control_port[VX6_XDP_CONTROLS]; /* 0 = none */
	__u16 len_min, len_max; /* of the UDP payload of a cell */
	__u16 zero;
	__u32 links; /* indices 1..links-1 */
	__u32 zero2;
	__u64 shake_ns;   /* handshake packets of one prefix: one each .. */
	__u64 shake_most; /* .. and so many at once; 0 = no bucket */
};

/* One link.  The worker writes it: seq odd, then the rest, then seq even.
 * The classifier that meets an odd or changed seq takes the address for
 * unknown, which costs a chance and never lets a stranger in. */
struct vx6_xdp_link {
	__u32 seq;
	__u8 used;
	__u8 zero;
	__be16 port; /* 0 = no address is proved yet */
	struct vx6_xdp_ip ip;
	__u8 zero2[8];
};

/* Where a packet went and why.  A list in the manner of
 * dataplane/base/status.h: name, verdict (redirect, pass or drop), text.
 *
 * Packets that are not for us are passed and not judged: PASS_OTHER. */
/* clang-format off */
#define VX6_XDP_REASON_LIST(X)                                              \
	X(CELL,         redirect, "cell from the link's address")           \
	X(CHANCE,       redirect, "to a link, from elsewhere, let through") \
	X(OTHER,        pass, "not for this node's ports")                  \
	X(CONTROL,      pass, "control port")                               \
	X(NO_SOCKET,    pass, "cell, but its queue has no socket")          \
	X(ODD,          pass, "data port, behind options or in fragments")  \
	X(BAD_VERSION,  drop, "data port, first byte is no cell's")         \
	X(BAD_SIZE,     drop, "data port, too short or too long for a cell") \
	X(TRUNCATED,    drop, "data port, lengths do not agree")            \
	X(NO_LINK,      drop, "no link has this index")                     \
	X(BAD_SOURCE,   drop, "not from the link's address, no chance left") \
	X(HANDSHAKES,   drop, "control port, handshakes over the prefix's rate")

enum vx6_xdp_reason {
#define X(name, verdict, text) VX6_XDP_##name,
	VX6_XDP_REASON_LIST(X)
#undef X
	VX6_XDP_REASON_CNT
};
/* clang-format on */

#define VX6_XDP_COUNTS 16u /* room for reasons */

struct vx6_xdp_count { /* one CPU's, since it was loaded; two cache lines */
	__u64 packets[VX6_XDP_COUNTS];
};

/* What cells.bpf.c has of its user: it stands in the object's bytes once, found
 * there by the mark. */
#define VX6_CELLS_MARK "vx6: cells' port"
struct vx6_cells {
	char mark[20];
	__be16 port;
	__u16 zero;
};

_Static_assert(sizeof(struct vx6_cells) == 24, "shared");
_Static_assert(sizeof(struct vx6_xdp_config) == 40, "shared");
_Static_assert(sizeof(struct vx6_xdp_link) == 32, "shared");
_Static_assert(sizeof(struct vx6_xdp_ip) == 16, "shared");
_Static_assert(sizeof(struct vx6_xdp_prefix) == 8, "shared");
_Static_assert(sizeof(struct vx6_xdp_count) == 128, "shared");
_Static_assert((unsigned)VX6_XDP_REASON_CNT <= VX6_XDP_COUNTS, "room");

#endif
