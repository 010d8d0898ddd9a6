/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/service/forward.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/service/bridge.h"

#define WAITING  128u
#define WAIT_NS  (30 * VX6_SEC)
#define ACCEPTS  64             /* in one turn */
#define PAUSE_NS (100 * VX6_MS) /* without a descriptor to accept with */

struct waiting {
	uint64_t due_ns;
	int fd;
};

struct forward {
	struct loop *loop;
	struct forward_opts opts;
	struct vx6_addr at;
	int fd;
	struct loop_fd *watch;
	struct loop_timer expiry; /* of the oldest that waits */
	struct loop_timer pause;
	struct forward_stats stats;
	uint32_t head, cnt; /* a ring, oldest first */
	struct waiting ring[];
};

/* ---- who waits ---- */

static struct waiting *oldest(struct forward *f)
{
	return &f->ring[f->head];
}

static int take_oldest(struct forward *f)
{
	int fd = oldest(f)->fd;

	f->head = (f->head + 1) % f->opts.waiting;
	f->cnt--;
	return fd;
}

static void set_expiry(struct forward *f)
{
	loop_timer_set(&f->expiry, f->cnt ? oldest(f)->due_ns : VX6_NEVER);
}

static void on_expiry(void *ctx)
{
	struct forward *f = ctx;

	while (f->cnt > 0 && oldest(f)->due_ns <= loop_now(f->loop)) {
		bridge_rst(take_oldest(f));
		f->stats.expired++;
	}
	set_expiry(f);
}

static void wait_for_tunnel(struct forward *f, int fd)
{
	if (f->cnt == f->opts.waiting) {
		f->stats.full++;
		bridge_rst(fd);
		return;
	}
	f->ring[(f->head + f->cnt++) % f->opts.waiting] = (struct waiting){
		.due_ns = loop_now(f->loop) + f->opts.wait_ns,
		.fd = fd,
	};
	set_expiry(f);
}

/* offer: false when there is no tunnel; fd is then still ours. */
static bool offer(struct forward *f, int fd)
{
	enum vx6_status st = f->opts.offer(f->opts.ctx, fd);

	if (st == VX6_AGAIN)
		return false;
	if (st == VX6_OK) {
		f->stats.taken++;
		return true;
	}
	f->stats.refused++;
	bridge_rst(fd);
	return true;
}

void forward_ready(struct forward *f)
{
	while (f->cnt > 0 && offer(f, oldest(f)->fd))
		take_oldest(f);
	set_expiry(f);
}

void forward_flush(struct forward *f)
{
	while (f->cnt > 0) {
		bridge_rst(take_oldest(f));
		f->stats.expired++;
	}
	set_expiry(f);
}

/* ---- accept ---- */

static void on_pause(void *ctx)
{
	struct forward *f = ctx;

	loop_fd_watch(f->watch, LOOP_READ);
}

/* out_of_files: the connection stays in the backlog, and the socket stays
 * readable, which must not become a busy loop. */
static void out_of_files(struct forward *f)
{
	f->stats.no_files++;
	loop_fd_watch(f->watch, 0);
	loop_timer_set(&f->pause, loop_now(f->loop) + PAUSE_NS);
}

static void on_accept(void *ctx, unsigned events)
{
	struct forward *f = ctx;
	const int on = 1;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(f->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				out_of_files(f);
			return; /* or none is left, or one went away */
		}
		f->stats.accepted++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		/* nobody overtakes those who wait */
		if (f->cnt > 0 || !offer(f, fd))
			wait_for_tunnel(f, fd);
	}
}

/* ---- open and close ---- */

static enum vx6_status explain(const struct vx6_addr *at, char *why)
{
	char text[VX6_ADDR_TEXT];
	int err = errno;

	vx6_addr_text(at, text);
	switch (err) {
	case EADDRINUSE:
		snprintf(why, FORWARD_WHY,
			 "%s is in use by another program: choose another "
			 "port, or port 0 for any free one",
			 text);
		return VX6_EXISTS;
	case EACCES:
		snprintf(why, FORWARD_WHY,
			 "no permission to listen on %s: ports below 1024 "
			 "need privilege, choose a higher one",
			 text);
		return VX6_DENIED;
	case EADDRNOTAVAIL:
		snprintf(why, FORWARD_WHY,
			 "cannot listen on %s: this host does not have the "
			 "address",
			 text);
		return VX6_NOT_FOUND;
	case EMFILE:
	case ENFILE:
		snprintf(why, FORWARD_WHY,
			 "cannot listen on %s: too many open files, raise "
			 "the limit (ulimit -n)",
			 text);
		return VX6_NO_ROOM;
	default:
		snprintf(why, FORWARD_WHY, "cannot listen on %s: %s", text,
			 strerror(err));
		errno = err;
		return VX6_SYS;
	}
}

/* listen_on: -1 with errno. */
static int listen_on(struct vx6_addr *at)
{
	const int on = 1, off = 0;
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(at, &sa);
	int fd = socket(sa.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&sa, len) == 0 &&
	    listen(fd, SOMAXCONN) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    vx6_addr_from(at, (struct sockaddr *)&sa) == VX6_OK)
		return fd;
	int err = errno;

	close(fd);
	errno = err;
	return -1;
}

static void take_opts(struct forward *f, const struct forward_opts *opts,
		      uint32_t waiting)
{
	f->opts = *opts;
	f->opts.waiting = waiting;
	if (f->opts.wait_ns == 0)
		f->opts.wait_ns = WAIT_NS;
	f->at = opts->listen;
	f->fd = -1;
}

enum vx6_status forward_open(struct loop *l, const struct forward_opts *opts,
			     struct forward **out, char why[FORWARD_WHY])
{
	uint32_t waiting = opts->waiting ? opts->waiting : WAITING;
	char text[VX6_ADDR_TEXT];
	struct forward *f;
	enum vx6_status st;

	if (!opts->any && !vx6_addr_is_loopback(&opts->listen)) {
		snprintf(why, FORWARD_WHY,
			 "%s can be reached from other hosts: listen on "
			 "127.0.0.1 or [::1], or allow it with --listen-any",
			 vx6_addr_text(&opts->listen, text));
		return VX6_DENIED;
	}
	f = calloc(1, sizeof(*f) + waiting * sizeof(f->ring[0]));
	if (!f) {
		snprintf(why, FORWARD_WHY, "no memory for a local port");
		return VX6_NO_MEMORY;
	}
	take_opts(f, opts, waiting);
	f->loop = l;
	loop_timer_init(&f->expiry, l, on_expiry, f);
	loop_timer_init(&f->pause, l, on_pause, f);
	f->fd = listen_on(&f->at);
	if (f->fd < 0) {
		st = explain(&opts->listen, why);
		forward_close(f);
		return st;
	}
	st = loop_fd_open(l, f->fd, on_accept, f, &f->watch);
	if (st != VX6_OK) {
		snprintf(why, FORWARD_WHY, "cannot watch the local port: %s",
			 vx6_status_text(st));
		forward_close(f);
		return st;
	}
	loop_fd_watch(f->watch, LOOP_READ);
	*out = f;
	return VX6_OK;
}

void forward_close(struct forward *f)
{
	if (!f)
		return;
	forward_flush(f);
	loop_timer_clear(&f->expiry);
	loop_timer_clear(&f->pause);
	loop_fd_close(f->watch);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

const struct vx6_addr *forward_addr(const struct forward *f)
{
	return &f->at;
}

void forward_stats(const struct forward *f, struct forward_stats *s)
{
	*s = f->stats;
	s->waiting = f->cnt;
}
