/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/net/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for every control message that we ask for, each padded. */
#define RX_CONTROL 160u
#define TX_CONTROL 96u
_Static_assert(RX_CONTROL >= CMSG_SPACE(sizeof(struct in6_pktinfo)) +
				     4 * CMSG_SPACE(sizeof(int)),
	       "pktinfo, class or TOS, GRO, overflow");
_Static_assert(TX_CONTROL >= CMSG_SPACE(sizeof(struct in6_pktinfo)) +
				     2 * CMSG_SPACE(sizeof(int)),
	       "pktinfo, class or TOS, segment");

struct rx_slot {
	struct sockaddr_in6 name; /* the larger of the two families */
	VX6_ALIGNED(16) uint8_t control[RX_CONTROL];
};

struct tx_slot {
	struct sockaddr_storage name;
	VX6_ALIGNED(16) uint8_t control[TX_CONTROL];
};

static bool set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Asks for len bytes with the privileged call first; tells what it became.
 * The kernel doubles what it is told and reports the double. */
static uint32_t set_buf(int fd, int name, int force, uint32_t len)
{
	int got = 0;
	socklen_t got_len = sizeof(got);

	if (!set_int(fd, SOL_SOCKET, force, (int)len))
		(void)set_int(fd, SOL_SOCKET, name, (int)len);
	if (getsockopt(fd, SOL_SOCKET, name, &got, &got_len) != 0 || got < 0)
		return 0;
	return (uint32_t)got / 2u;
}

static int open_family(const struct net_opts *o, bool *v4)
{
	bool any = true;

	for (unsigned i = 0; i < sizeof(o->bind.ip); i++)
		any = any && o->bind.ip[i] == 0;
	*v4 = vx6_addr_is_v4(&o->bind);
	if (!*v4) {
		int fd = socket(AF_INET6,
				SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd >= 0 || !any || errno != EAFNOSUPPORT || o->v6only)
			return fd;
		*v4 = true; /* a host without IPv6 */
	}
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool bind_to(struct net_sock *s, const struct vx6_addr *a)
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (!s->v4) {
		struct sockaddr_in6 in6;

		vx6_addr_to6(a, &in6);
		memcpy(&sa, &in6, sizeof(in6));
		len = sizeof(in6);
	} else {
		struct sockaddr_in in = { .sin_family = AF_INET,
					  .sin_port = htons(a->port) };

		if (vx6_addr_is_v4(a))
			memcpy(&in.sin_addr, a->ip + 12, 4);
		memcpy(&sa, &in, sizeof(in));
		len = sizeof(in);
	}
	if (bind(s->fd, (struct sockaddr *)&sa, len) != 0)
		return false;
	len = sizeof(sa);
	return getsockname(s->fd, (struct sockaddr *)&sa, &len) == 0 &&
	       vx6_addr_from(&s->at, (struct sockaddr *)&sa) == VX6_OK;
}

/* What we cannot do without; IPv4 options also serve IPv4 on [::]. */
static bool set_needed(const struct net_sock *s, bool v6only)
{
	int fd = s->fd;

	if (!s->v4 && (!set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only) ||
		       !set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) ||
		       !set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
				IPV6_PMTUDISC_PROBE)))
		return false;
	if (!s->v4 && v6only)
		return true;
	return set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) &&
	       (!s->v4 || set_int(fd, IPPROTO_IP, IP_PKTINFO, 1));
}

static void set_wanted(struct net_sock *s, const struct net_opts *o)
{
	if (!s->v4)
		(void)set_int(s->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	(void)set_int(s->fd, IPPROTO_IP, IP_RECVTOS, 1);
	(void)set_int(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	s->gro = !o->no_gro && set_int(s->fd, IPPROTO_UDP, UDP_GRO, 1);
	/* setting 0 changes nothing and tells whether the kernel knows it */
	s->gso = !o->no_gso && set_int(s->fd, IPPROTO_UDP, UDP_SEGMENT, 0);
	s->rcvbuf = set_buf(s->fd, SO_RCVBUF, SO_RCVBUFFORCE,
			    o->rcvbuf ? o->rcvbuf : NET_BUF);
	s->sndbuf = set_buf(s->fd, SO_SNDBUF, SO_SNDBUFFORCE,
			    o->sndbuf ? o->sndbuf : NET_BUF);
}

/* The one that was bound alone has others beside it from here on. */
static bool set_beside(const struct net_sock *s, const struct net_opts *o)
{
	return o->beside == NULL ||
	       (set_int(o->beside->fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
		set_int(s->fd, SOL_SOCKET, SO_REUSEPORT, 1));
}

bool net_steer(const struct net_sock *s, uint32_t mask, unsigned n)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog prog = { .len = VX6_COUNT(code),
					 .filter = code };

	return n > 0 && setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
				   &prog, sizeof(prog)) == 0;
}

enum vx6_status net_open(struct net_sock *s, const struct net_opts *opts)
{
	*s = (struct net_sock){ .fd = -1 };
	s->fd = open_family(opts, &s->v4);
	if (s->fd < 0)
		return VX6_SYS;
	if (!set_needed(s, opts->v6only) || !set_beside(s, opts) ||
	    !bind_to(s,
		     opts->beside != NULL ? &opts->beside->at : &opts->bind)) {
		int why = errno;

		net_close(s);
		errno = why;
		return VX6_SYS;
	}
	set_wanted(s, opts);
	return VX6_OK;
}

void net_close(struct net_sock *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* ---- receive ---- */

static int int_of(const struct cmsghdr *c)
{
	int v = 0;

	memcpy(&v, CMSG_DATA(c), sizeof(v));
	return v;
}

static void read_local(struct net_pkt *pkt, const struct cmsghdr *c)
{
	if (c->cmsg_level == IPPROTO_IPV6) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memcpy(pkt->to.ip, &info.ipi6_addr, sizeof(pkt->to.ip));
	} else {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memset(pkt->to.ip, 0, 10);
		memset(pkt->to.ip + 10, 0xff, 2);
		memcpy(pkt->to.ip + 12, &info.ipi_addr, 4);
	}
}

static void read_control(struct net_sock *s, struct net_pkt *pkt,
			 struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		int level = c->cmsg_level, type = c->cmsg_type;

		if ((level == IPPROTO_IPV6 && type == IPV6_PKTINFO) ||
		    (level == IPPROTO_IP && type == IP_PKTINFO)) {
			read_local(pkt, c);
		} else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
			pkt->ecn = (uint8_t)int_of(c) & 3u;
		} else if (level == IPPROTO_IP && type == IP_TOS) {
			pkt->ecn = *(const uint8_t *)CMSG_DATA(c) & 3u;
		} else if (level == IPPROTO_UDP && type == UDP_GRO) {
			pkt->segment = (uint16_t)int_of(c);
		} else if (level == SOL_SOCKET && type == SO_RXQ_OVFL) {
			uint32_t seen = (uint32_t)int_of(c);

			s->rx_overflow += seen - s->ovfl_seen;
			s->ovfl_seen = seen;
		}
	}
}

static void finish_rx(struct net_sock *s, struct net_pkt *pkt,
		      struct mmsghdr *m, const struct rx_slot *slot)
{
	pkt->len = m->msg_len;
	pkt->segment = 0;
	pkt->ecn = 0;
	pkt->to = s->at;
	read_control(s, pkt, &m->msg_hdr);
	if (pkt->segment == 0 || pkt->segment > pkt->len)
		pkt->segment = (uint16_t)pkt->len;
	if (vx6_addr_from(&pkt->from, (const struct sockaddr *)&slot->name) !=
		    VX6_OK ||
	    (m->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
		s->rx_truncated++;
		pkt->len = 0;
		return;
	}
	s->rx_bytes += pkt->len;
	s->rx_dgrams += pkt->segment == 0
				? 1
				: (pkt->len + pkt->segment - 1u) / pkt->segment;
}

unsigned net_recv(struct net_sock *s, struct net_pkt pkt[], unsigned n)
{
	struct mmsghdr m[NET_BATCH];
	struct rx_slot slot[NET_BATCH];
	int got = 0;

	if (n > NET_BATCH)
		n = NET_BATCH;
	for (unsigned i = 0; i < n; i++) {
		slot[i].name.sin6_family = AF_UNSPEC;
		m[i].msg_len = 0;
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &slot[i].name,
			.msg_namelen = sizeof(slot[i].name),
			.msg_iov = pkt[i].iov,
			.msg_iovlen = pkt[i].iov_cnt,
			.msg_control = slot[i].control,
			.msg_controllen = sizeof(slot[i].control),
		};
	}
	/* An error but EAGAIN is an ICMP's echo: the next call has data. */
	for (unsigned try = 0; try < 8; try++) {
		got = recvmmsg(s->fd, m, n, MSG_DONTWAIT, NULL);
		if (got >= 0 || errno == EAGAIN)
			break;
	}
	if (got <= 0)
		return 0;
	s->rx_calls++;
	for (unsigned i = 0; i < (unsigned)got; i++)
		finish_rx(s, &pkt[i], &m[i], &slot[i]);
	return (unsigned)got;
}

/* ---- send ---- */

static socklen_t name_of(const struct net_sock *s, const struct vx6_addr *a,
			 struct sockaddr_storage *sa)
{
	struct sockaddr_in6 in6;

	if (s->v4)
		return vx6_addr_to(a, sa);
	vx6_addr_to6(a, &in6);
	memcpy(sa, &in6, sizeof(in6));
	return sizeof(in6);
}

static size_t put_control(uint8_t *at, int level, int type, const void *v,
			  size_t len)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(len),
			     .cmsg_level = level,
			     .cmsg_type = type };

	memset(at, 0, CMSG_SPACE(len));
	memcpy(at, &c, sizeof(c));
	memcpy(at + CMSG_LEN(0), v, len);
	return CMSG_SPACE(len);
}

static size_t put_local(uint8_t *at, const struct vx6_addr *from, bool v4)
{
	if (v4) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, from->ip + 12, 4);
		return put_control(at, IPPROTO_IP, IP_PKTINFO, &info,
				   sizeof(info));
	}
	struct in6_pktinfo info = { 0 };

	memcpy(&info.ipi6_addr, from->ip, sizeof(from->ip));
	return put_control(at, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

static size_t put_controls(uint8_t *at, const struct net_out *o,
			   uint16_t segment)
{
	bool v4 = vx6_addr_is_v4(&o->to);
	size_t len = 0;

	if (!vx6_addr_is_none(&o->from) && vx6_addr_is_v4(&o->from) == v4)
		len += put_local(at, &o->from, v4);
	if (segment != 0)
		len += put_control(at + len, IPPROTO_UDP, UDP_SEGMENT, &segment,
				   sizeof(segment));
	if (o->ecn != 0) {
		int tos = o->ecn & 3;

		len += put_control(at + len, v4 ? IPPROTO_IP : IPPROTO_IPV6,
				   v4 ? IP_TOS : IPV6_TCLASS, &tos,
				   sizeof(tos));
	}
	return len;
}

static void fill_tx(const struct net_sock *s, struct mmsghdr *m,
		    struct tx_slot *slot, const struct net_out *o,
		    uint16_t segment)
{
	size_t len = put_controls(slot->control, o, segment);

	m->msg_len = 0;
	m->msg_hdr = (struct msghdr){
		.msg_name = &slot->name,
		.msg_namelen = name_of(s, &o->to, &slot->name),
		.msg_iov = (struct iovec *)(uintptr_t)o->iov,
		.msg_iovlen = o->iov_cnt,
		.msg_control = len ? slot->control : NULL,
		.msg_controllen = len,
	};
}

static size_t out_len(const struct net_out *o)
{
	size_t len = 0;

	for (size_t i = 0; i < o->iov_cnt; i++)
		len += o->iov[i].iov_len;
	return len;
}

static size_t dgrams_of(const struct net_out *o, size_t len)
{
	return o->segment == 0 || len == 0
		       ? 1
		       : (len + o->segment - 1u) / o->segment;
}

/* More than one datagram, so that it needs cutting. */
static bool is_run(const struct net_out *o)
{
	return o->segment != 0 && out_len(o) > o->segment;
}

static void count_sent(struct net_sock *s, struct net_out *o)
{
	size_t len = out_len(o);

	o->err = 0;
	s->tx_bytes += len;
	s->tx_dgrams += dgrams_of(o, len);
}

static void count_refused(struct net_sock *s, struct net_out *o, int err)
{
	o->err = err;
	s->tx_refused++;
}

/* Points piece at the bytes [from, from + len) of iov. */
static unsigned cut(struct iovec piece[], const struct net_out *o, size_t from,
		    size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < o->iov_cnt && len > 0; i++) {
		size_t have = o->iov[i].iov_len;

		if (from >= have) {
			from -= have;
			continue;
		}
		have -= from;
		if (have > len)
			have = len;
		piece[n].iov_base = (uint8_t *)o->iov[i].iov_base + from;
		piece[n].iov_len = have;
		n++;
		len -= have;
		from = 0;
	}
	return n;
}

/* Cuts a run here and sends the pieces one by one; a full socket loses the
 * rest of the run, as a router's queue would. */
static void send_cut(struct net_sock *s, struct net_out *o)
{
	size_t len = out_len(o), sent = 0;
	struct iovec piece[NET_SEG_MAX];
	struct net_out one = *o;
	struct tx_slot slot;
	struct mmsghdr m;
	int err = 0;

	one.iov = piece;
	for (size_t at = 0; at < len; at += o->segment) {
		size_t part = len - at < o->segment ? len - at : o->segment;

		one.iov_cnt = cut(piece, o, at, part);
		fill_tx(s, &m, &slot, &one, 0);
		if (sendmsg(s->fd, &m.msg_hdr, MSG_DONTWAIT) < 0) {
			err = errno;
			continue;
		}
		s->tx_dgrams++;
		sent += part;
	}
	s->tx_calls++;
	s->tx_bytes += sent;
	if (sent == 0)
		count_refused(s, o, err);
	else
		o->err = 0;
}

static bool sayable(const struct net_sock *s, const struct net_out *o)
{
	size_t len = out_len(o);

	return len <= NET_LEN_MAX && dgrams_of(o, len) <= NET_SEG_MAX &&
	       o->iov_cnt <= NET_SEG_MAX && (!s->v4 || vx6_addr_is_v4(&o->to));
}

/* The first entry was refused with err.  True: dealt with, go on behind it;
 * false: the socket is full. */
static bool refused(struct net_sock *s, struct net_out *o, int err)
{
	if (err == EAGAIN)
		return false;
	if (err == EINTR)
		return true; /* cannot be: MSG_DONTWAIT; lose one, not all */
	if (is_run(o) && (err == EIO || err == EINVAL || err == EMSGSIZE)) {
		if (err == EIO)
			s->gso = false; /* no checksum offload: never again */
		send_cut(s, o);
		return true;
	}
	count_refused(s, o, err);
	return true;
}

/* How many entries from out on one sendmmsg may take. */
static unsigned take(const struct net_sock *s, const struct net_out out[],
		     unsigned n)
{
	unsigned k = 0;

	while (k < n && k < NET_BATCH && sayable(s, &out[k]) &&
	       (s->gso || !is_run(&out[k])))
		k++;
	return k;
}

unsigned net_send(struct net_sock *s, struct net_out out[], unsigned n)
{
	struct mmsghdr m[NET_BATCH];
	struct tx_slot slot[NET_BATCH];
	unsigned done = 0;

	while (done < n) {
		struct net_out *o = &out[done];
		unsigned k = take(s, o, n - done);

		if (k == 0) {
			if (sayable(s, o))
				send_cut(s, o);
			else
				count_refused(s, o, EINVAL);
			done++;
			continue;
		}
		for (unsigned i = 0; i < k; i++)
			fill_tx(s, &m[i], &slot[i], &o[i],
				is_run(&o[i]) ? o[i].segment : 0);
		int sent = sendmmsg(s->fd, m, k, MSG_DONTWAIT);
		int err = errno;

		s->tx_calls++;
		for (int i = 0; i < sent; i++)
			count_sent(s, &o[i]);
		if (sent > 0)
			done += (unsigned)sent;
		else if (refused(s, o, err))
			done++;
		else
			break;
	}
	return done;
}

uint32_t net_unsent(const struct net_sock *s)
{
	int len = 0;

	if (ioctl(s->fd, SIOCOUTQ, &len) != 0 || len < 0)
		return 0;
	return (uint32_t)len;
}

unsigned net_route_mtu(const struct vx6_addr *to)
{
	bool v4 = vx6_addr_is_v4(to);
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(to, &sa);
	int mtu = 0;

	if (fd < 0)
		return 0;
	if (connect(fd, (struct sockaddr *)&sa, len) == 0) {
		len = sizeof(mtu);
		if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
			       v4 ? IP_MTU : IPV6_MTU, &mtu, &len) != 0)
			mtu = 0;
	}
	close(fd);
	return mtu < 0 ? 0 : (unsigned)mtu;
}
