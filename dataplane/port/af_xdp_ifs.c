/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread's side: which interfaces, and their sockets.
 *
 *     NONE -> WANTED --attached--> RISING --all sockets live--> ON
 *               ^  ^                 |                          |
 *               |  +-- refused ------+                          |
 *               +------ all sockets free ------ FALLING <-- gone, other MTU
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/port/af_xdp_own.h"
#include "dataplane/port/host.h"

/* ---- what is said ---- */

static void say(const struct af_xdp *a, bool warn, const char *event,
		const char *name, const char *text)
{
	a->o.say(a->o.ctx, warn, event, name, text);
}

/* Says why an interface does not work, unless that was the last word. */
static void say_why(const struct af_xdp *a, struct iface *i, const char *event,
		    const char *why)
{
	char text[AF_XDP_WHY];

	snprintf(text, sizeof(text),
		 "%.*s; meanwhile its cells go by the UDP socket", (int)XDP_WHY,
		 why);
	if (strcmp(text, i->why) == 0)
		return;
	memcpy(i->why, text, sizeof(text));
	say(a, true, event, i->name, text);
}

static void say_on(const struct af_xdp *a, struct iface *i)
{
	char text[XDP_WHY];

	i->why[0] = '\0';
	snprintf(text, sizeof(text), "native, %s, %u of %u queues, %s",
		 i->zerocopy ? "zero-copy" : "copy", i->opened, i->queues,
		 i->x->dispatcher ? "beside other programs" : "a plain link");
	say(a, false, "attached", i->name, text);
}

/* ---- sockets ---- */

static enum sock_state state_of(const struct sock *s)
{
	return (enum sock_state)atomic_load_explicit(&s->state,
						     memory_order_acquire);
}

/* Hands a socket to the worker. */
static void move(struct af_xdp *a, struct sock *s, enum sock_state to)
{
	atomic_store_explicit(&s->state, to, memory_order_release);
	atomic_fetch_add_explicit(&a->asked, 1, memory_order_release);
	a->wake = true;
}

static bool is_of(const struct af_xdp *a, const struct sock *s,
		  const struct iface *i)
{
	return state_of(s) != SOCK_FREE && &a->iface[s->slot] == i;
}

static void unmap(const struct iface *i, struct sock *s)
{
	const uint32_t queue = s->queue;

	if (s->mapped)
		(void)bpf_map_delete_elem(i->x->xsk_map, &queue);
	s->mapped = false;
}

static struct sock *free_sock(struct af_xdp *a)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		if (state_of(&a->sock[k]) == SOCK_FREE)
			return &a->sock[k];
	return NULL;
}

/* Closes what the worker has left.  A zero-copy driver may still write into
 * its frames for a moment: they wait. */
static void close_left(struct af_xdp *a)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++) {
		struct sock *s = &a->sock[k];

		if (state_of(s) != SOCK_LEFT)
			continue;
		if (s->x.fd >= 0) {
			s->quiet_ns = a->now_ns;
			if (s->x.zerocopy)
				s->quiet_ns += AF_XDP_QUIET_NS;
			xsk_close(&s->x);
		}
		if (a->now_ns >= s->quiet_ns)
			move(a, s, SOCK_CLOSED);
	}
}

/* ---- down ---- */

static unsigned slot_of(const struct af_xdp *a, const struct iface *i)
{
	return (unsigned)(i - a->iface);
}

/* Takes an interface down; from again_ns on it is tried again. */
static void fall(struct af_xdp *a, struct iface *i, uint64_t again_ns)
{
	neigh_if_remove(a->neigh, slot_of(a, i));
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++) {
		struct sock *s = &a->sock[k];

		if (!is_of(a, s, i))
			continue;
		unmap(i, s);
		if (state_of(s) == SOCK_OFFERED || state_of(s) == SOCK_LIVE)
			move(a, s, SOCK_ASKED);
	}
	i->state = IF_FALLING;
	i->again_ns = again_ns;
	i->due_ns = VX6_NEVER; /* the worker's answer comes by itself */
}

static void refuse(struct af_xdp *a, struct iface *i, const char *why)
{
	uint64_t again_ns = a->now_ns + AF_XDP_RETRY_NS;

	say_why(a, i, "refused", why);
	if (i->state == IF_RISING)
		fall(a, i, again_ns);
	else
		i->due_ns = again_ns;
}

static void falling(struct af_xdp *a, struct iface *i)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		if (is_of(a, &a->sock[k], i))
			return;
	xdp_detach(a->xdp, i->x);
	i->x = NULL;
	i->state = IF_WANTED;
	i->due_ns = i->again_ns;
}

/* ---- up ---- */

static const char *no_sock(const struct af_xdp *a, const struct iface *i,
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
			 a->o.mode == XSK_ZEROCOPY ? "zerocopy" : "copy",
			 a->o.mode == XSK_ZEROCOPY ? "auto" : "zerocopy");
		break;
	default:
		snprintf(why, XDP_WHY, "no AF_XDP socket on queue %u of %s: %s",
			 i->opened, i->name, strerror(errno));
	}
	return why;
}

/* Opens the next queue's socket; false: not now. */
static bool open_queue(struct af_xdp *a, struct iface *i)
{
	struct sock *s = free_sock(a);
	char why[XDP_WHY];

	if (s == NULL) {
		i->queues = i->opened; /* the other queues are the kernel's */
		return true;
	}
	if (xsk_open(&s->x, a->port.mem, a->port.map_len, NET_FRAME_LEN,
		     i->ifindex, i->opened, a->o.mode) == VX6_OK) {
		s->slot = (uint8_t)slot_of(a, i);
		s->queue = (uint16_t)i->opened++;
		s->mapped = false;
		i->zerocopy = s->x.zerocopy;
		i->busy = 0;
		move(a, s, SOCK_OFFERED);
		return true;
	}
	if (errno == EBUSY && ++i->busy < AF_XDP_BUSY) {
		i->due_ns = a->now_ns + AF_XDP_BUSY_NS;
		return false;
	}
	refuse(a, i, no_sock(a, i, why));
	return false;
}

/* Lets cells into the sockets that the worker has; true: into all. */
static bool map_live(struct af_xdp *a, struct iface *i)
{
	unsigned mapped = 0;

	for (unsigned k = 0; k < AF_XDP_SOCKS; k++) {
		struct sock *s = &a->sock[k];
		const uint32_t queue = s->queue;

		if (!is_of(a, s, i) || state_of(s) != SOCK_LIVE)
			continue;
		if (!s->mapped)
			s->mapped = bpf_map_update_elem(i->x->xsk_map, &queue,
							&s->x.fd, BPF_ANY) == 0;
		mapped += s->mapped;
	}
	return mapped == i->opened;
}

static void rising(struct af_xdp *a, struct iface *i)
{
	while (i->opened < i->queues && i->opened < AF_XDP_QUEUES)
		if (!open_queue(a, i))
			return;
	i->due_ns = VX6_NEVER;
	if (i->opened == 0) {
		refuse(a, i,
		       "all AF_XDP sockets are in use: name fewer "
		       "interfaces in data.interfaces");
		return;
	}
	if (!map_live(a, i))
		return;
	neigh_if_add(a->neigh, slot_of(a, i), i->ifindex);
	i->state = IF_ON;
	say_on(a, i);
}

static void attach(struct af_xdp *a, struct iface *i)
{
	char why[XDP_WHY];

	if (xdp_attach(a->xdp, i->ifindex, &i->x, why) != VX6_OK) {
		refuse(a, i, why);
		return;
	}
	i->opened = i->busy = 0;
	i->state = IF_RISING;
	rising(a, i);
}

/* ---- the interfaces of the host ---- */

static const struct neigh_if *by_name(const struct neigh_if h[], unsigned n,
				      const char *name)
{
	for (unsigned j = 0; j < n; j++)
		if (strcmp(h[j].name, name) == 0)
			return &h[j];
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

static void try(struct af_xdp *a, struct iface *i, const struct neigh_if *h)
{
	char why[XDP_WHY];

	if (h == NULL) {
		say_away(i, why);
	} else if (!h->ethernet) {
		snprintf(why, sizeof(why),
			 "%s is no Ethernet interface: name others in "
			 "data.interfaces",
			 i->name);
	} else if (!h->up) {
		snprintf(why, sizeof(why),
			 "%s is down: it is taken when it is up (ip link set "
			 "%s up)",
			 i->name, i->name);
	} else if (h->mtu < AF_XDP_MTU) {
		snprintf(why, sizeof(why),
			 "the MTU of %s is %u, too small for cells: set it to "
			 "%u or more (ip link set %s mtu 1500)",
			 i->name, h->mtu, AF_XDP_MTU, i->name);
	} else {
		i->ifindex = h->ifindex;
		i->mtu = h->mtu;
		i->queues = h->queues > 0 ? h->queues : 1;
		attach(a, i);
		return;
	}
	refuse(a, i, why);
}

/* What became of an interface that we are on. */
static void check(struct af_xdp *a, struct iface *i, const struct neigh_if *h)
{
	char why[XDP_WHY];

	if (h == NULL || h->ifindex != i->ifindex) {
		say_why(a, i, "gone", say_away(i, why));
		fall(a, i, a->now_ns);
	} else if (h->mtu < AF_XDP_MTU) {
		fall(a, i, a->now_ns); /* and is refused then */
	} else {
		i->mtu = h->mtu;
	}
}

static struct iface *slot_for(struct af_xdp *a, const char *name)
{
	struct iface *room = NULL;

	for (unsigned s = AF_XDP_IFS; s-- > 0;) {
		struct iface *i = &a->iface[s];

		if (i->state == IF_NONE)
			room = i;
		else if (strcmp(i->name, name) == 0)
			return i;
	}
	return room;
}

static void want(struct af_xdp *a, const char *name, bool named)
{
	struct iface *i = slot_for(a, name);

	if (i == NULL && !a->too_many)
		say(a, true, "too-many", name,
		    "more interfaces than AF_XDP takes here: cells of this one "
		    "go by the UDP socket; name those to take in "
		    "data.interfaces");
	a->too_many = a->too_many || i == NULL;
	if (i == NULL || i->state != IF_NONE)
		return;
	*i = (struct iface){ .state = IF_WANTED, .named = named };
	snprintf(i->name, sizeof(i->name), "%s", name);
}

/* Without names: the default routes' interfaces, or all that are up. */
static void choose(struct af_xdp *a, const struct neigh_if h[], unsigned n)
{
	bool gateway = false;

	for (unsigned j = 0; j < n; j++)
		gateway |= h[j].gateway && h[j].ethernet && h[j].up;
	for (unsigned j = 0; j < n; j++)
		if (h[j].ethernet && h[j].up && h[j].gateway == gateway)
			want(a, h[j].name, false);
}

/* Looks at all; what is not wanted by name and not there is forgotten. */
static void look(struct af_xdp *a, bool changed)
{
	struct neigh_if h[HOST_IFS];
	unsigned n = neigh_if_list(a->neigh, h, HOST_IFS);

	if (n > HOST_IFS)
		n = HOST_IFS;
	for (unsigned k = 0; k < a->o.interface_cnt; k++)
		want(a, a->o.interface[k], true);
	if (a->o.interface_cnt == 0)
		choose(a, h, n);
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		struct iface *i = &a->iface[s];
		const struct neigh_if *it = by_name(h, n, i->name);

		if (i->state == IF_RISING || i->state == IF_ON)
			check(a, i, it);
		else if (i->state == IF_WANTED && it == NULL && !i->named)
			i->state = IF_NONE;
		else if (i->state == IF_WANTED &&
			 (changed || a->now_ns >= i->due_ns))
			try(a, i, it);
	}
}

static void set_locals(struct af_xdp *a)
{
	struct vx6_addr at[VX6_XDP_LOCALS];
	unsigned n = neigh_addrs(a->neigh, at, VX6_XDP_LOCALS);
	static const uint8_t any[16];

	if (n > VX6_XDP_LOCALS)
		n = VX6_XDP_LOCALS;
	if (memcmp(a->port.at.ip, any, sizeof(any)) != 0) {
		at[0] = a->port.at;
		n = 1;
	}
	if (xdp_local_set(a->xdp, at, n) != VX6_OK)
		say(a, true, "addresses", "",
		    "the classifier could not be told this host's addresses: "
		    "cells to new ones go by the UDP socket");
}

/* ---- steps ---- */

static void step_all(struct af_xdp *a)
{
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		struct iface *i = &a->iface[s];

		switch (i->state) {
		case IF_NONE:
		case IF_WANTED:
		case IF_ON: break;
		case IF_RISING: rising(a, i); break;
		case IF_FALLING: falling(a, i); break;
		}
	}
}

static bool wants_look(const struct af_xdp *a)
{
	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (a->iface[s].state == IF_WANTED &&
		    a->now_ns >= a->iface[s].due_ns)
			return true;
	return false;
}

bool af_xdp_step(struct port *p, uint64_t now_ns)
{
	struct af_xdp *a = af_xdp_port(p);
	bool first = a->now_ns == 0;
	uint64_t count;
	unsigned ev;

	a->now_ns = now_ns;
	a->wake = false;
	while (read(a->said_fd, &count, sizeof(count)) > 0)
		;
	neigh_step(a->neigh, now_ns);
	ev = neigh_events(a->neigh);
	if (first || (ev & NEIGH_EV_ADDRS) != 0)
		set_locals(a);
	close_left(a);
	step_all(a);
	if (first || (ev & NEIGH_EV_LINKS) != 0 || wants_look(a))
		look(a, (ev & NEIGH_EV_LINKS) != 0);
	return a->wake;
}

uint64_t af_xdp_due_ns(const struct port *p)
{
	const struct af_xdp *a = af_xdp_const(p);
	uint64_t due = neigh_due_ns(a->neigh);

	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (a->iface[s].state != IF_NONE &&
		    a->iface[s].state != IF_ON && a->iface[s].due_ns < due)
			due = a->iface[s].due_ns;
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		if (state_of(&a->sock[k]) == SOCK_LEFT &&
		    a->sock[k].quiet_ns < due)
			due = a->sock[k].quiet_ns;
	return due;
}

bool af_xdp_settled(const struct port *p)
{
	const struct af_xdp *a = af_xdp_const(p);

	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (a->iface[s].state == IF_RISING)
			return false;
	return true;
}

unsigned af_xdp_fds(const struct port *p, int fd[AF_XDP_FDS])
{
	const struct af_xdp *a = af_xdp_const(p);
	int more[NEIGH_FDS];
	unsigned n = neigh_fds(a->neigh, more);

	for (unsigned i = 0; i < n; i++)
		fd[i] = more[i];
	fd[n++] = a->said_fd;
	return n;
}

void af_xdp_settle(struct af_xdp *a)
{
	for (unsigned k = 0; k < AF_XDP_SOCKS; k++)
		xsk_close(&a->sock[k].x);
	for (unsigned s = 0; s < AF_XDP_IFS; s++)
		if (a->iface[s].x != NULL)
			xdp_detach(a->xdp, a->iface[s].x);
}

void af_xdp_describe(const struct port *p, struct af_xdp_state *st)
{
	const struct af_xdp *a = af_xdp_const(p);

	memset(st, 0, sizeof(*st));
	for (unsigned s = 0; s < AF_XDP_IFS; s++) {
		const struct iface *i = &a->iface[s];
		struct af_xdp_if *to = &st->interface[st->interface_cnt];

		if (i->state == IF_ON) {
			memcpy(to->name, i->name, sizeof(to->name));
			to->mtu = i->mtu;
			to->queues = (uint16_t)i->opened;
			to->zerocopy = i->zerocopy;
			to->dispatcher = i->x->dispatcher;
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
	xdp_counts(a->xdp, st->counts);
}
