/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/port/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_LEN 256u /* a question with its attributes is under 128 */

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* ---- attributes ---- */

struct attrs { /* the last one of each type, as the kernel reads them */
	const struct nlattr **at;
	uint16_t max;
};

static int keep(const struct nlattr *a, void *arg)
{
	const struct attrs *t = arg;

	if (mnl_attr_type_valid(a, t->max) > 0)
		t->at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static uint32_t u32_or(const struct nlattr *a, uint32_t otherwise)
{
	if (a == NULL || mnl_attr_get_payload_len(a) != sizeof(uint32_t))
		return otherwise;
	return mnl_attr_get_u32(a);
}

static bool bytes_of(const struct nlattr *a, void *to, size_t len)
{
	if (a == NULL || mnl_attr_get_payload_len(a) != len)
		return false;
	memcpy(to, mnl_attr_get_payload(a), len);
	return true;
}

static bool ip_read(uint8_t ip[16], int family, const void *p, size_t len)
{
	if (family == AF_INET6 && len == 16) {
		memcpy(ip, p, 16);
		return true;
	}
	if (family == AF_INET && len == 4) {
		memcpy(ip, mapped, 12);
		memcpy(ip + 12, p, 4);
		return true;
	}
	return false;
}

static bool ip_of(uint8_t ip[16], int family, const struct nlattr *a)
{
	return a != NULL && ip_read(ip, family, mnl_attr_get_payload(a),
				    mnl_attr_get_payload_len(a));
}

/* The fixed part of a message, or NULL where it is cut short; the attributes
 * behind it go to t. */
static const void *head_of(const struct nlmsghdr *h, size_t len,
			   struct attrs *t)
{
	if (mnl_nlmsg_get_payload_len(h) < len)
		return NULL;
	(void)mnl_attr_parse(h, (unsigned)len, keep, t);
	return mnl_nlmsg_get_payload(h);
}

/* ---- messages ---- */

static void parse_link(struct rtnl_msg *m, const struct nlmsghdr *h)
{
	const struct nlattr *at[IFLA_MAX + 1] = { NULL };
	struct attrs t = { at, IFLA_MAX };
	const struct ifinfomsg *i = head_of(h, sizeof(*i), &t);
	struct rtnl_link *l = &m->link;
	const struct nlattr *name = at[IFLA_IFNAME];

	/* other families tell of bridges' ports */
	if (i == NULL || i->ifi_family != AF_UNSPEC || i->ifi_index <= 0)
		return;
	m->kind = RTNL_LINK;
	m->gone = h->nlmsg_type == RTM_DELLINK;
	l->ifindex = (unsigned)i->ifi_index;
	l->flags = i->ifi_flags;
	l->type = i->ifi_type;
	if (name != NULL && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0 &&
	    mnl_attr_get_payload_len(name) <= sizeof(l->name)) {
		memcpy(l->name, mnl_attr_get_payload(name),
		       mnl_attr_get_payload_len(name));
		l->has_name = true;
	}
	l->has_mac = bytes_of(at[IFLA_ADDRESS], l->mac, sizeof(l->mac));
	l->has_mtu = bytes_of(at[IFLA_MTU], &l->mtu, sizeof(l->mtu));
	l->rx_queues = u32_or(at[IFLA_NUM_RX_QUEUES], 0);
	l->tx_queues = u32_or(at[IFLA_NUM_TX_QUEUES], 0);
}

static void parse_addr(struct rtnl_msg *m, const struct nlmsghdr *h)
{
	const struct nlattr *at[IFA_MAX + 1] = { NULL };
	struct attrs t = { at, IFA_MAX };
	const struct ifaddrmsg *a = head_of(h, sizeof(*a), &t);

	if (a == NULL)
		return;
	/* where both are told, ADDRESS is the far end's */
	if (!ip_of(m->addr.ip, a->ifa_family, at[IFA_LOCAL]) &&
	    !ip_of(m->addr.ip, a->ifa_family, at[IFA_ADDRESS]))
		return;
	m->kind = RTNL_ADDR;
	m->gone = h->nlmsg_type == RTM_DELADDR;
	m->addr.ifindex = a->ifa_index;
	m->addr.flags = u32_or(at[IFA_FLAGS], a->ifa_flags);
}

static void parse_neigh(struct rtnl_msg *m, const struct nlmsghdr *h)
{
	const struct nlattr *at[NDA_MAX + 1] = { NULL };
	struct attrs t = { at, NDA_MAX };
	const struct ndmsg *n = head_of(h, sizeof(*n), &t);

	if (n == NULL || n->ndm_ifindex <= 0 || (n->ndm_flags & NTF_PROXY) ||
	    !ip_of(m->neigh.ip, n->ndm_family, at[NDA_DST]))
		return;
	m->kind = RTNL_NEIGH;
	m->gone = h->nlmsg_type == RTM_DELNEIGH;
	m->neigh.ifindex = (unsigned)n->ndm_ifindex;
	m->neigh.state = n->ndm_state;
	m->neigh.has_mac = bytes_of(at[NDA_LLADDR], m->neigh.mac,
				    sizeof(m->neigh.mac));
}

static void parse_metrics(struct rtnl_route *r, const struct nlattr *a)
{
	const struct nlattr *at[RTAX_MAX + 1] = { NULL };
	struct attrs t = { at, RTAX_MAX };

	if (a == NULL)
		return;
	(void)mnl_attr_parse_nested(a, keep, &t);
	r->mtu = u32_or(at[RTAX_MTU], 0);
}

static void parse_nexthops(struct rtnl_route *r, const struct nlattr *a)
{
	const uint8_t *p;
	size_t left;

	if (a == NULL)
		return;
	p = mnl_attr_get_payload(a);
	left = mnl_attr_get_payload_len(a);
	for (;;) {
		struct rtnexthop nh;
		size_t len;

		if (left < sizeof(nh) || r->oif_cnt == RTNL_OIFS)
			return;
		memcpy(&nh, p, sizeof(nh));
		len = (nh.rtnh_len + 3u) & ~(size_t)3u;
		if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left)
			return;
		if (nh.rtnh_ifindex > 0)
			r->oif[r->oif_cnt++] = (unsigned)nh.rtnh_ifindex;
		if (len >= left)
			return;
		p += len;
		left -= len;
	}
}

/* A gateway of the route's own family, or of the other (RFC 5549). */
static void parse_gateway(struct rtnl_route *r, int family,
			  const struct nlattr *gateway,
			  const struct nlattr *via)
{
	const uint8_t *p;
	size_t len;
	uint16_t of;

	if (ip_of(r->gateway, family, gateway)) {
		r->has_gateway = true;
		return;
	}
	if (via == NULL)
		return;
	p = mnl_attr_get_payload(via);
	len = mnl_attr_get_payload_len(via);
	if (len < sizeof(of))
		return;
	memcpy(&of, p, sizeof(of));
	r->has_gateway = ip_read(r->gateway, of, p + sizeof(of),
				 len - sizeof(of));
}

static void parse_route(struct rtnl_msg *m, const struct nlmsghdr *h)
{
	const struct nlattr *at[RTA_MAX + 1] = { NULL };
	struct attrs t = { at, RTA_MAX };
	const struct rtmsg *rt = head_of(h, sizeof(*rt), &t);
	struct rtnl_route *r = &m->route;
	unsigned front, most;
	uint32_t oif;

	if (rt == NULL ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6))
		return;
	r->v4 = rt->rtm_family == AF_INET;
	front = r->v4 ? 96 : 0;
	most = 128 - front;
	if (rt->rtm_dst_len > most)
		return;
	if (!ip_of(r->dst, rt->rtm_family, at[RTA_DST])) {
		if (rt->rtm_dst_len > 0)
			return;
		memcpy(r->dst, mapped, r->v4 ? sizeof(mapped) : 0);
	}
	m->kind = RTNL_ROUTE;
	m->gone = h->nlmsg_type == RTM_DELROUTE;
	r->bits = (uint8_t)(rt->rtm_dst_len + front);
	r->type = rt->rtm_type;
	r->flags = rt->rtm_flags;
	r->table = u32_or(at[RTA_TABLE], rt->rtm_table);
	oif = u32_or(at[RTA_OIF], 0);
	if (oif != 0)
		r->oif[r->oif_cnt++] = oif;
	parse_nexthops(r, at[RTA_MULTIPATH]);
	parse_gateway(r, rt->rtm_family, at[RTA_GATEWAY], at[RTA_VIA]);
	r->odd = at[RTA_ENCAP] != NULL || at[RTA_ENCAP_TYPE] != NULL ||
		 at[RTA_NEWDST] != NULL ||
		 (!r->has_gateway &&
		  (at[RTA_GATEWAY] != NULL || at[RTA_VIA] != NULL));
	r->has_source = ip_of(r->source, rt->rtm_family, at[RTA_PREFSRC]);
	parse_metrics(r, at[RTA_METRICS]);
}

/* DONE and ERROR begin with a negative errno. */
static void parse_end(struct rtnl_msg *m, const struct nlmsghdr *h,
		      enum rtnl_kind kind)
{
	int error = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error));
	else if (kind == RTNL_REFUSED)
		return;
	m->kind = kind;
	m->error = error < 0 && error > -4096 ? -error : 0;
}

static void parse_type(struct rtnl_msg *m, const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case NLMSG_DONE: parse_end(m, h, RTNL_DONE); return;
	case NLMSG_ERROR: parse_end(m, h, RTNL_REFUSED); return;
	case RTM_NEWLINK:
	case RTM_DELLINK: parse_link(m, h); return;
	case RTM_NEWADDR:
	case RTM_DELADDR: parse_addr(m, h); return;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH: parse_neigh(m, h); return;
	case RTM_NEWROUTE:
	case RTM_DELROUTE: parse_route(m, h); return;
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP: m->kind = RTNL_POLICY; return;
	default: return;
	}
}

size_t rtnl_parse(struct rtnl_msg *m, const void *buf, size_t len)
{
	const struct nlmsghdr *h = buf;
	size_t size;

	*m = (struct rtnl_msg){ 0 };
	if (len < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
		return 0;
	size = NLMSG_ALIGN((size_t)h->nlmsg_len);
	m->seq = h->nlmsg_seq;
	m->port = h->nlmsg_pid;
	m->interrupted = (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	parse_type(m, h);
	return size < len ? size : len;
}

bool rtnl_is_answer(const struct rtnl *r, const struct rtnl_msg *m)
{
	return m->seq != 0 && m->port == r->port;
}

/* ---- the socket ---- */

#define GROUP(g) (1u << ((g) - 1u))

static const uint32_t groups =
	GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_NEIGH) |
	GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) |
	GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) |
	GROUP(RTNLGRP_IPV4_RULE) | GROUP(RTNLGRP_IPV6_RULE) |
	GROUP(RTNLGRP_NEXTHOP);

static bool bind_to(struct rtnl *r)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK,
				  .nl_groups = groups };
	socklen_t len = sizeof(at);
	int size = RTNL_RCVBUF;

	if (bind(r->fd, (const struct sockaddr *)&at, len) != 0 ||
	    getsockname(r->fd, (struct sockaddr *)&at, &len) != 0)
		return false;
	r->port = at.nl_pid;
	/* past the system's limit where we may; what is too small only makes
	 * for more asking */
	if (setsockopt(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)) != 0)
		(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &size,
				 sizeof(size));
	return true;
}

enum vx6_status rtnl_open(struct rtnl *r)
{
	r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_ROUTE);
	if (r->fd < 0)
		return VX6_SYS;
	if (!bind_to(r)) {
		int why = errno;

		rtnl_close(r);
		errno = why;
		return VX6_SYS;
	}
	return VX6_OK;
}

void rtnl_close(struct rtnl *r)
{
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
}

long rtnl_recv(struct rtnl *r)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec v = { r->buf, sizeof(r->buf) };
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &v,
				    .msg_iovlen = 1 };
		ssize_t n = recvmsg(r->fd, &m, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == ENOBUFS ? -1 : 0;
		if (n > 0 && from.nl_pid == 0 && !(m.msg_flags & MSG_TRUNC))
			return n;
	}
}

/* ---- questions ---- */

static bool send_it(const struct rtnl *r, const struct nlmsghdr *h)
{
	const struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	ssize_t n;

	do
		n = sendto(r->fd, h, h->nlmsg_len, 0,
			   (const struct sockaddr *)&to, sizeof(to));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)h->nlmsg_len;
}

static struct nlmsghdr *begin(void *buf, uint16_t type, uint16_t flags,
			      uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	return h;
}

static void put_ip(struct nlmsghdr *h, uint16_t type, const uint8_t ip[16],
		   bool v4)
{
	if (v4)
		mnl_attr_put(h, type, 4, ip + 12);
	else
		mnl_attr_put(h, type, 16, ip);
}

bool rtnl_route_ask(struct rtnl *r, uint32_t seq, const struct vx6_addr *peer,
		    const struct vx6_addr *self)
{
	VX6_ALIGNED(8) uint8_t buf[ASK_LEN];
	struct nlmsghdr *h = begin(buf, RTM_GETROUTE, 0, seq);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	bool v4 = vx6_addr_is_v4(peer);
	uint8_t bits = v4 ? 32 : 128;
	static const uint8_t any[16];

	rt->rtm_family = v4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = bits;
	put_ip(h, RTA_DST, peer->ip, v4);
	if (memcmp(self->ip, any, sizeof(any)) != 0) {
		rt->rtm_src_len = bits;
		put_ip(h, RTA_SRC, self->ip, v4);
	}
	/* rules may go by protocol and port */
	mnl_attr_put_u8(h, RTA_IP_PROTO, IPPROTO_UDP);
	if (peer->port != 0)
		mnl_attr_put_u16(h, RTA_DPORT, htons(peer->port));
	if (self->port != 0)
		mnl_attr_put_u16(h, RTA_SPORT, htons(self->port));
	return send_it(r, h);
}

bool rtnl_neigh_ask(struct rtnl *r, uint32_t seq, unsigned ifindex,
		    const uint8_t ip[16])
{
	VX6_ALIGNED(8) uint8_t buf[ASK_LEN];
	struct nlmsghdr *h = begin(buf, RTM_GETNEIGH, 0, seq);
	struct ndmsg *n = mnl_nlmsg_put_extra_header(h, sizeof(*n));
	bool v4 = memcmp(ip, mapped, sizeof(mapped)) == 0;

	n->ndm_family = v4 ? AF_INET : AF_INET6;
	n->ndm_ifindex = (int)ifindex;
	put_ip(h, NDA_DST, ip, v4);
	return send_it(r, h);
}

bool rtnl_dump(struct rtnl *r, uint32_t seq, enum rtnl_kind kind, bool v4)
{
	VX6_ALIGNED(8) uint8_t buf[ASK_LEN];
	struct nlmsghdr *h = begin(buf, RTM_GETLINK, NLM_F_DUMP, seq);

	if (kind == RTNL_LINK) {
		(void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	} else if (kind == RTNL_ADDR) {
		h->nlmsg_type = RTM_GETADDR;
		(void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifaddrmsg));
	} else {
		struct rtmsg *rt;

		h->nlmsg_type = RTM_GETROUTE;
		rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
		rt->rtm_family = v4 ? AF_INET : AF_INET6;
	}
	return send_it(r, h);
}
