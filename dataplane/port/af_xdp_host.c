/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's part: which interfaces, and whose sockets are on their queues.
 *
 *     NONE -> WANTED --attached--> RISING --all sockets live--> ON
 *               ^  ^                 |                          |
 *               |  +-- refused ------+                 gone, MTU too small,
 *               |                                         other queues
 *               +------ all sockets free ------ FALLING <-------+
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port/af_xdp_own.h"
#include "dataplane/port/chosen.h"
#include "dataplane/port/host.h"
#include "dataplane/wire/cell.h"

#define QUEUES_NS (10 * VX6_SEC) /* no event says that there are more */

/* ---- what is said ---- */

static void say(const struct af_xdp_host *h, bool warn, const char *event,
		const char *name, const char *text)
{
	h->o.say(h->o.ctx, warn, event, name, text);
}

/* Says why an interface does not work, unless that was the last word. */
static void say_why(const struct af_xdp_host *h, struct iface *i,
		    const char *event, const char *why)
{
	char text[AF_XDP_WHY];

	snprintf(text, sizeof(text),
		 "%.*s; meanwhile its cells go by the UDP socket", (int)XDP_WHY,
		 why);
	if (strcmp(text, i->why) == 0)
		return;
	memcpy(i->why, text, sizeof(text));
	say(h, true, event, i->name, text);
}

static void say_on(const struct af_xdp_host *h, struct iface *i)
{
	char text[XDP_WHY];

	i->why[0] = '\0';
	snprintf(text, sizeof(text), "native, %s, %u of %u queues, %s",
		 i->zerocopy ? "zero-copy" : "copy", i->opened, i->queues,
		 i->dispatcher ? "beside other programs" : "a plain link");
	say(h, false, "attached", i->name, text);
	if (i->opened >= h->ports)
		return;
	snprintf(text, sizeof(text),
		 "%u of %u workers have no queue of it and send there by the "
		 "UDP socket: set data.workers to %u, or give it more queues "
		 "(ethtool -L %s combined %u)",
		 h->ports - i->opened, h->ports, i->opened, i->name, h->ports);
	say(h, true, "few-queues", i->name, text);
}

/* ---- sockets ---- */

static enum sock_state state_of(const struct sock *s)
{
	return (enum sock_state)atomic_load_explicit(&s->state,
						     memory_order_acquire);
}

/* All sockets of all ports, in a row. */
static struct sock *sock_at(const struct af_xdp_host *h, unsigned n)
{
	return &h->port[n / AF_XDP_SOCKS]->sock[n % AF_XDP_SOCKS];
}

static unsigned sock_cnt(const struct af_xdp_host *h)
{
	return h->ports * AF_XDP_SOCKS;
}

/* Hands a socket to its worker. */
static void move(struct af_xdp_host *h, struct sock *s, enum sock_state to)
{
	atomic_store_explicit(&s->state, to, memory_order_release);
	atomic_fetch_add_explicit(&h->port[s->worker]->asked, 1,
				  memory_order_release);
	h->wake = true;
}

static bool is_of(const struct af_xdp_host *h, const struct sock *s,
		  const struct iface *i)
{
	return state_of(s) != SOCK_FREE && &h->iface[s->slot] == i;
}

static unsigned slot_of(const struct af_xdp_host *h, const struct iface *i)
{
	return (unsigned)(i - h->iface);
}

static struct sock *free_sock(struct af_xdp *a)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		if (state_of(&a->sock[k]) == SOCK_FREE)
			return &a->sock[k];
	return NULL;
}

/* Closes what a worker has left.  A zero-copy driver may still write into
 * its frames for a moment: they wait. */
static void close_left(struct af_xdp_host *h)
{
	for (unsigned n = 0; n < sock_cnt(h); n++) {
		struct sock *s = sock_at(h, n);

		if (state_of(s) != SOCK_LEFT)
			continue;
		if (s->x.fd >= 0) {
			s->quiet_ns = h->now_ns;
			if (s->x.zerocopy)
				s->quiet_ns += AF_XDP_QUIET_NS;
			xsk_close(&s->x);
		}
		if (h->now_ns >= s->quiet_ns)
			move(h, s, SOCK_CLOSED);
	}
}

/* ---- down ---- */

/* Every worker may send on it, or none any more. */
static void tell_ways(struct af_xdp_host *h, const struct iface *i, bool on)
{
	for (unsigned k = 0; k < h->ports; k++) {
		if (on)
			neigh_if_add(h->port[k]->neigh, slot_of(h, i),
				     i->ifindex);
		else
			neigh_if_remove(h->port[k]->neigh, slot_of(h, i));
	}
}

/* Takes an interface down; from again_ns on it is tried again. */
static void fall(struct af_xdp_host *h, struct iface *i, uint64_t again_ns)
{
	tell_ways(h, i, false);
	for (unsigned n = 0; n < sock_cnt(h); n++) {
		struct sock *s = sock_at(h, n);

		if (!is_of(h, s, i))
			continue;
		if (s->entered)
			rights_leave(h->rights, s->slot, s->queue);
		s->entered = false;
		if (state_of(s) == SOCK_OFFERED || state_of(s) == SOCK_LIVE)
			move(h, s, SOCK_ASKED);
	}
	i->state = IF_FALLING;
	i->again_ns = again_ns;
	i->due_ns = VX6_NEVER; /* the workers' answers come by themselves */
}

static void refuse(struct af_xdp_host *h, struct iface *i, const char *why)
{
	uint64_t again_ns = h->now_ns + AF_XDP_RETRY_NS;

	say_why(h, i, "refused", why);
	if (i->state == IF_RISING)
		fall(h, i, again_ns);
	else
		i->due_ns = again_ns;
}

static void falling(struct af_xdp_host *h, struct iface *i)
{
	for (unsigned n = 0; n < sock_cnt(h); n++)
		if (is_of(h, sock_at(h, n), i))
			return;
	rights_detach(h->rights, slot_of(h, i));
	i->attached = false;
	i->state = IF_WANTED;
	i->due_ns = i->again_ns;
}

/* ---- up ---- */

static const char *no_sock(const struct af_xdp_host *h, const struct iface *i,
			   char why[XDP_WHY])
{
	switch (errno) {
	case EBUSY:
		snprintf(why, XDP_WHY,
			 "another program has an AF_XDP socket on queue %u of "
			 "%s: stop it",
			 i->opened, i->name);
		break;
	case EPERM:
	case EACCES:
		snprintf(why, XDP_WHY,
			 "AF_XDP on %s needs privilege (CAP_NET_RAW, "
			 "CAP_NET_ADMIN): run vx6-dataplane as root or by its "
			 "unit",
			 i->name);
		break;
	case ENOBUFS:
	case ENOMEM:
		snprintf(why, XDP_WHY,
			 "no memory may be locked for AF_XDP on %s: raise "
			 "RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or give "
			 "CAP_IPC_LOCK",
			 i->name);
		break;
	case EOPNOTSUPP:
	case EINVAL:
		snprintf(why, XDP_WHY,
			 "%s has no AF_XDP in the mode %s: set data.xdp_copy "
			 "to \"%s\"",
			 i->name,
			 h->o.mode == XSK_ZEROCOPY ? "zerocopy" : "copy",
			 h->o.mode == XSK_ZEROCOPY ? "auto" : "zerocopy");
		break;
	default:
		snprintf(why, XDP_WHY, "no AF_XDP socket on queue %u of %s: %s",
			 i->opened, i->name, strerror(errno));
	}
	return why;
}

static struct rights_umem umem_of(const struct af_xdp *a)
{
	return (struct rights_umem){ a->port.mem, a->port.map_len,
				     NET_FRAME_LEN };
}

/* Opens the next queue's socket, in the port of its worker; false: not now. */
static bool open_queue(struct af_xdp_host *h, struct iface *i)
{
	struct af_xdp *a = h->port[i->opened % h->ports];
	const struct rights_umem mem = umem_of(a);
	struct sock *s = free_sock(a);
	char why[XDP_WHY];

	if (s == NULL) {
		i->most = i->opened; /* the other queues are the kernel's */
		return true;
	}
	if (xsk_open(&s->x, h->rights, &mem, i->ifindex, i->opened,
		     h->o.mode) == VX6_OK) {
		s->slot = (uint8_t)slot_of(h, i);
		s->queue = (uint16_t)i->opened++;
		s->entered = false;
		i->zerocopy = s->x.zerocopy;
		i->busy = 0;
		move(h, s, SOCK_OFFERED);
		return true;
	}
	if (errno == EBUSY && ++i->busy < AF_XDP_BUSY) {
		i->due_ns = h->now_ns + AF_XDP_BUSY_NS;
		return false;
	}
	refuse(h, i, no_sock(h, i, why));
	return false;
}

/* Lets cells into the sockets that workers have; true: into all. */
static bool enter_live(struct af_xdp_host *h, struct iface *i)
{
	unsigned entered = 0;

	for (unsigned n = 0; n < sock_cnt(h); n++) {
		struct sock *s = sock_at(h, n);

		if (!is_of(h, s, i) || state_of(s) != SOCK_LIVE)
			continue;
		if (!s->entered)
			s->entered = rights_enter(h->rights, s->slot, s->queue,
						  s->x.fd);
		entered += s->entered;
	}
	return entered == i->opened;
}

static void rising(struct af_xdp_host *h, struct iface *i)
{
	while (i->opened < i->most)
		if (!open_queue(h, i))
			return;
	i->due_ns = VX6_NEVER;
	if (i->opened == 0) {
		refuse(h, i,
		       "all AF_XDP sockets are in use: name fewer "
		       "interfaces in data.interfaces");
		return;
	}
	if (!enter_live(h, i))
		return;
	tell_ways(h, i, true);
	i->state = IF_ON;
	say_on(h, i);
}

static void attach(struct af_xdp_host *h, struct iface *i)
{
	struct rights_if is;
	char why[XDP_WHY];

	if (rights_attach(h->rights, slot_of(h, i), i->ifindex, &is, why) !=
	    VX6_OK) {
		refuse(h, i, why);
		return;
	}
	i->attached = true;
	i->dispatcher = is.dispatcher;
	i->opened = i->busy = 0;
	i->state = IF_RISING;
	rising(h, i);
}

/* ---- the interfaces of the host ---- */

static const struct neigh_if *by_name(const struct neigh_if is[], unsigned n,
				      const char *name)
{
	for (unsigned j = 0; j < n; j++)
		if (strcmp(is[j].name, name) == 0)
			return &is[j];
	return NULL;
}

static const char *say_away(const struct iface *i, char why[XDP_WHY])
{
	if (i->ifindex != 0) /* once it was */
		snprintf(why, XDP_WHY,
			 "%s has gone: it is taken again when it comes back",
			 i->name);
	else
		snprintf(why, XDP_WHY,
			 "there is no interface %s: it is taken when it comes",
			 i->name);
	return why;
}

static void try(struct af_xdp_host *h, struct iface *i,
		const struct neigh_if *is)
{
	char why[XDP_WHY];

	if (is == NULL) {
		say_away(i, why);
	} else if (!is->ethernet) {
		snprintf(why, sizeof(why),
			 "%s is no Ethernet interface: name others in "
			 "data.interfaces",
			 i->name);
	} else if (!is->up) {
		snprintf(why, sizeof(why),
			 "%s is down: it is taken when it is up (ip link set "
			 "%s up)",
			 i->name, i->name);
	} else if (is->mtu < AF_XDP_MTU) {
		snprintf(why, sizeof(why),
			 "the MTU of %s is %u, too small for cells: set it to "
			 "%u or more (ip link set %s mtu 1500)",
			 i->name, is->mtu, AF_XDP_MTU, i->name);
	} else {
		i->ifindex = is->ifindex;
		i->mtu = is->mtu;
		i->queues = is->queues;
		i->most = AF_XDP_QUEUES * h->ports;
		if (i->most > VX6_XDP_QUEUES)
			i->most = VX6_XDP_QUEUES;
		if (i->most > i->queues)
			i->most = i->queues;
		attach(h, i);
		return;
	}
	refuse(h, i, why);
}

/* What became of an interface that we are on. */
static void check(struct af_xdp_host *h, struct iface *i,
		  const struct neigh_if *is)
{
	char why[XDP_WHY];

	if (is == NULL || is->ifindex != i->ifindex) {
		say_why(h, i, "gone", say_away(i, why));
		fall(h, i, h->now_ns);
	} else if (is->mtu < AF_XDP_MTU) {
		fall(h, i, h->now_ns); /* and is refused then */
	} else if (is->queues != i->queues) {
		fall(h, i, h->now_ns); /* and is taken anew: some drivers put no
					  program before queues that come
					  later */
	} else {
		i->mtu = is->mtu;
	}
}

static struct iface *slot_for(struct af_xdp_host *h, const char *name)
{
	struct iface *room = NULL;

	for (unsigned s = AF_XDP_IFS; s-- > 0;) {
		struct iface *i = &h->iface[s];

		if (i->state == IF_NONE)
			room = i;
		else if (strcmp(i->name, name) == 0)
			return i;
	}
	return room;
}

static void want(struct af_xdp_host *h, const char *name, bool named)
{
	struct iface *i = slot_for(h, name);

	if (i == NULL && !h->too_many)
		say(h, true, "too-many", name,
		    "more interfaces than AF_XDP takes here: cells of this one "
		    "go by the UDP socket; name those to take in "
		    "data.interfaces");
	h->too_many = h->too_many || i == NULL;
	if (i == NULL || i->state != IF_NONE)
		return;
	*i = (struct iface){ .state = IF_WANTED, .named = named };
	snprintf(i->name, sizeof(i->name), "%s", name);
}

/* Without names: what is chosen now. */
static void choose(struct af_xdp_host *h, const struct neigh_if is[],
		   unsigned n)
{
	for (unsigned j = 0; j < n; j++)
		if (chosen_is(is, n, &is[j]))
			want(h, is[j].name, false);
}

/* What nobody named is not wanted for ever. */
static bool is_dropped(const struct iface *i, const struct neigh_if is[],
		       unsigned n, const struct neigh_if *it)
{
	return !i->named && (it == NULL || (it->up && !chosen_is(is, n, it)));
}

/* Every port's neigh knows the same interfaces and addresses. */
static struct neigh *watch_of(const struct af_xdp_host *h)
{
	return h->port[0]->neigh;
}

/* Looks at all; what is not wanted by name and not there is forgotten. */
static void look(struct af_xdp_host *h, bool changed)
{
	struct neigh_if is[HOST_IFS];
	unsigned n = neigh_if_list(watch_of(h), is, HOST_IFS);

	if (n > HOST_IFS)
		n = HOST_IFS;
	h->look_ns = h->now_ns + QUEUES_NS;
	for (unsigned k = 0; k < h->o.interface_cnt; k++)
		want(h, h->o.interface[k], true);
	if (h->o.interface_cnt == 0)
		choose(h, is, n);
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		struct iface *i = &h->iface[s];
		const struct neigh_if *it = by_name(is, n, i->name);

		if (i->state == IF_RISING || i->state == IF_ON)
			check(h, i, it);
		else if (i->state == IF_WANTED && is_dropped(i, is, n, it))
			i->state = IF_NONE;
		else if (i->state == IF_WANTED &&
			 (changed || h->now_ns >= i->due_ns))
			try(h, i, it);
	}
}

static void set_locals(struct af_xdp_host *h)
{
	struct vx6_addr at[VX6_XDP_LOCALS];
	unsigned n = neigh_addrs(watch_of(h), at, VX6_XDP_LOCALS);
	static const uint8_t any[16];

	if (n > VX6_XDP_LOCALS)
		n = VX6_XDP_LOCALS;
	if (memcmp(h->at.ip, any, sizeof(any)) != 0) {
		at[0] = h->at;
		n = 1;
	}
	if (rights_locals(h->rights, at, n) != VX6_OK)
		say(h, true, "addresses", "",
		    "the classifier could not be told this host's addresses: "
		    "cells to new ones go by the UDP socket");
}

/* ---- steps ---- */

static void step_all(struct af_xdp_host *h)
{
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		struct iface *i = &h->iface[s];

		switch (i->state) {
		case IF_NONE:
		case IF_WANTED:
		case IF_ON: break;
		case IF_RISING: rising(h, i); break;
		case IF_FALLING: falling(h, i); break;
		}
	}
}

static bool wants_look(const struct af_xdp_host *h)
{
	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (h->iface[s].state == IF_WANTED &&
		    h->now_ns >= h->iface[s].due_ns)
			return true;
	return h->now_ns >= h->look_ns;
}

static unsigned step_ways(struct af_xdp_host *h)
{
	for (unsigned k = 0; k < h->ports; k++)
		neigh_step(h->port[k]->neigh, h->now_ns);
	return neigh_events(watch_of(h));
}

static void step(struct af_xdp_host *h, uint64_t now_ns)
{
	bool first = h->now_ns == 0;
	uint64_t count;
	unsigned ev;

	h->now_ns = now_ns;
	h->wake = false;
	while (read(h->said_fd, &count, sizeof(count)) > 0)
		;
	ev = step_ways(h);
	if (first || (ev & NEIGH_EV_ADDRS) != 0)
		set_locals(h);
	close_left(h);
	step_all(h);
	if (first || (ev & NEIGH_EV_LINKS) != 0 || wants_look(h))
		look(h, (ev & NEIGH_EV_LINKS) != 0);
}

bool af_xdp_step(struct port *p, uint64_t now_ns)
{
	struct af_xdp_host *h = af_xdp_port(p)->host;

	step(h, now_ns);
	return h->wake;
}

static void sooner(uint64_t *due_ns, uint64_t at_ns)
{
	if (at_ns < *due_ns)
		*due_ns = at_ns;
}

uint64_t af_xdp_due_ns(const struct port *p)
{
	const struct af_xdp_host *h = af_xdp_const(p)->host;
	uint64_t due = h->look_ns;

	for (unsigned k = 0; k < h->ports; k++)
		sooner(&due, neigh_due_ns(h->port[k]->neigh));
	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (h->iface[s].state != IF_NONE && h->iface[s].state != IF_ON)
			sooner(&due, h->iface[s].due_ns);
	for (unsigned n = 0; n < sock_cnt(h); n++)
		if (state_of(sock_at(h, n)) == SOCK_LEFT)
			sooner(&due, sock_at(h, n)->quiet_ns);
	return due;
}

bool af_xdp_settled(const struct port *p)
{
	const struct af_xdp_host *h = af_xdp_const(p)->host;

	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (h->iface[s].state == IF_RISING)
			return false;
	return true;
}

unsigned af_xdp_fds(const struct port *p, int fd[AF_XDP_FDS])
{
	const struct af_xdp_host *h = af_xdp_const(p)->host;
	unsigned n = 0;

	for (unsigned k = 0; k < h->ports; k++)
		n += neigh_fds(h->port[k]->neigh, fd + n);
	fd[n++] = h->said_fd;
	if (rights_fd(h->rights) >= 0)
		fd[n++] = rights_fd(h->rights);
	return n;
}

bool af_xdp_lost(const struct port *p)
{
	return rights_lost(af_xdp_const(p)->host->rights);
}

void af_xdp_describe(const struct port *p, struct af_xdp_state *st)
{
	const struct af_xdp_host *h = af_xdp_const(p)->host;

	memset(st, 0, sizeof(*st));
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		const struct iface *i = &h->iface[s];
		struct af_xdp_if *to = &st->interface[st->interface_cnt];

		if (i->state == IF_ON) {
			memcpy(to->name, i->name, sizeof(to->name));
			to->mtu = i->mtu;
			to->queues = (uint16_t)i->opened;
			to->zerocopy = i->zerocopy;
			to->dispatcher = i->dispatcher;
			st->interface_cnt++;
		} else if (i->state != IF_NONE && i->why[0] != '\0') {
			memcpy(st->why, i->why, sizeof(st->why));
		}
	}
	if (st->interface_cnt == 0 && st->why[0] == '\0')
		snprintf(st->why, sizeof(st->why),
			 "no interface is ready for AF_XDP: name those to use "
			 "in data.interfaces; meanwhile cells go by the UDP "
			 "socket");
	rights_counts(h->rights, st->counts);
	st->refused = rights_refused(h->rights);
}

uint64_t af_xdp_queues(const struct port *p)
{
	const struct af_xdp *a = af_xdp_const(p);
	uint64_t bits = 0;

	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		if (state_of(&a->sock[k]) != SOCK_FREE && a->sock[k].entered)
			bits |= UINT64_C(1) << a->sock[k].queue;
	return bits;
}

/* ---- open, close ---- */

/* Asked before anything is loaded, because it is so cheap. */
static enum vx6_status can_have(char *why)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		close(fd);
		return VX6_OK;
	}
	if (errno == EPERM || errno == EACCES) {
		snprintf(why, XDP_WHY,
			 "AF_XDP needs privilege (CAP_NET_RAW, CAP_NET_ADMIN, "
			 "CAP_BPF): run vx6-dataplane as root or by its unit");
		return VX6_DENIED;
	}
	snprintf(why, XDP_WHY,
		 "this kernel has no AF_XDP (%s): boot one with "
		 "CONFIG_XDP_SOCKETS",
		 strerror(errno));
	return VX6_UNSUPPORTED;
}

static enum vx6_status open_rights(struct af_xdp_host *h, char *why)
{
	struct xdp_opts xo = {
		.links = h->o.links,
		.data_port = h->at.port,
		.len_min = VX6_CELL_MIN,
		.len_max = VX6_CELL_MAX,
		.shake_ns = h->o.shake_ns,
		.shake_most = h->o.shake_most,
		.no_dispatcher = h->o.no_dispatcher,
	};

	memcpy(xo.control_port, h->o.control_port, sizeof(xo.control_port));
	return rights_open(&h->rights, &xo, why);
}

static enum vx6_status init(struct af_xdp_host *h, char *why)
{
	enum vx6_status st = can_have(why);

	if (st != VX6_OK)
		return st;
	h->said_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return h->said_fd < 0 ? VX6_SYS : open_rights(h, why);
}

enum vx6_status af_xdp_host_open(struct af_xdp_host **out,
				 const struct vx6_addr *at,
				 const struct af_xdp_opts *xo,
				 char why[XDP_WHY])
{
	struct af_xdp_host *h = calloc(1, sizeof(*h));
	enum vx6_status st;

	*out = NULL;
	if (h == NULL)
		return VX6_NO_MEMORY;
	h->o = *xo;
	if (h->o.workers == 0)
		h->o.workers = 1;
	h->at = *at;
	h->said_fd = -1;
	st = init(h, why);
	if (st != VX6_OK) {
		int err = errno;

		af_xdp_host_close(h);
		errno = err;
		return st;
	}
	*out = h;
	return VX6_OK;
}

void af_xdp_host_close(struct af_xdp_host *h)
{
	if (h == NULL)
		return;
	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (h->iface[s].attached)
			rights_detach(h->rights, s);
	rights_close(h->rights);
	if (h->said_fd >= 0)
		close(h->said_fd);
	free(h);
}

/* All frames are there, no interface is attached, and nobody was heard. */
static enum vx6_status keep(struct af_xdp_host *h, char *why)
{
	struct rights_law law = { .interface_cnt = h->o.interface_cnt,
				  .area_cnt = h->ports,
				  .copy = h->o.mode != XSK_ZEROCOPY,
				  .zerocopy = h->o.mode != XSK_COPY,
				  .say = h->o.say,
				  .ctx = h->o.ctx };

	if (h->o.keeper == NULL)
		return VX6_OK;
	memcpy(law.interface, h->o.interface, sizeof(law.interface));
	for (unsigned k = 0; k < h->ports; k++)
		law.area[k] = umem_of(h->port[k]);
	return rights_keep(h->rights, &law, h->o.keeper, why);
}

enum vx6_status af_xdp_host_join(struct af_xdp_host *h, struct af_xdp *a,
				 char why[XDP_WHY])
{
	enum vx6_status st;

	a->host = h;
	a->worker = h->ports;
	a->workers = h->o.workers;
	a->said_fd = h->said_fd;
	a->link = rights_links(h->rights);
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		a->sock[k].worker = (uint8_t)a->worker;
	h->port[h->ports++] = a;
	if (h->ports < h->o.workers)
		return VX6_OK;
	st = keep(h, why);
	if (st == VX6_OK)
		step(h, vx6_now_ns()); /* nobody is there to be woken */
	return st;
}

void af_xdp_host_leave(struct af_xdp *a)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		xsk_close(&a->sock[k].x);
}
