/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process.  What asks may be anybody's code: every message is judged
 * before anything is done with it. */
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/port/chosen.h"
#include "dataplane/port/keeper.h"
#include "dataplane/port/keeper_own.h"
#include "dataplane/sandbox/sandbox.h"
#include "dataplane/wire/zero.h"

#define NAME "vx6-keeper"

struct keeper {
	struct rights *r;
	const struct rights_law *law;
	unsigned ifindex[XDP_IFS];            /* by slot; 0 = free */
	ino_t bound[XDP_IFS][VX6_XDP_QUEUES]; /* which socket; 0 = none */
	int made; /* the last socket, until it is bound; -1 = none */
	uint64_t refused;
};

/* ---- the law ---- */

static bool is_ethernet(const char *name)
{
	struct ifreq kind = { 0 }, flags;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	snprintf(kind.ifr_name, sizeof(kind.ifr_name), "%.15s", name);
	flags = kind;
	ok = ioctl(fd, SIOCGIFHWADDR, &kind) == 0 &&
	     kind.ifr_hwaddr.sa_family == ARPHRD_ETHER &&
	     ioctl(fd, SIOCGIFFLAGS, &flags) == 0 &&
	     (flags.ifr_flags & IFF_LOOPBACK) == 0;
	close(fd);
	return ok;
}

/* By the name that it has now.  Where the configuration names none, Ethernet
 * is lawful; which of them is chosen changes with routes, and is judged when
 * it is done. */
static bool may_take(const struct rights_law *law, unsigned ifindex)
{
	char name[IF_NAMESIZE] = "";

	if (ifindex == 0 || if_indextoname(ifindex, name) == NULL)
		return false;
	for (unsigned i = 0; i < law->interface_cnt; i++)
		if (strcmp(law->interface[i], name) == 0)
			return true;
	return law->interface_cnt == 0 && is_ethernet(name);
}

/* What a message of its kind does not use is zero. */
static bool is_plain(const struct keeper_ask *a)
{
	struct keeper_ask rest = *a;

	rest.kind = 0;
	switch ((enum keeper_kind)a->kind) {
	case KEEPER_LOCALS:
		if (a->cnt > VX6_XDP_LOCALS)
			return false;
		memset(rest.ip, 0, a->cnt * sizeof(rest.ip[0]));
		rest.cnt = 0;
		break;
	case KEEPER_ATTACH: rest.slot = rest.ifindex = 0; break;
	case KEEPER_DETACH: rest.slot = 0; break;
	case KEEPER_SOCK: rest.area = 0; break;
	case KEEPER_BIND: rest.ifindex = rest.queue = rest.zerocopy = 0; break;
	case KEEPER_ENTER:
	case KEEPER_LEAVE: rest.slot = rest.queue = 0; break;
	case KEEPER_COUNTS:
	case KEEPER_END: break;
	default: return false;
	}
	return vx6_all_zero(&rest, sizeof(rest));
}

static bool has_slot(const struct keeper *k, const struct keeper_ask *a)
{
	return a->slot < XDP_IFS && k->ifindex[a->slot] != 0;
}

static bool has_queue(const struct keeper *k, const struct keeper_ask *a)
{
	return has_slot(k, a) && a->queue < VX6_XDP_QUEUES;
}

static bool is_taken(const struct keeper *k, unsigned ifindex)
{
	for (unsigned s = 0; s < XDP_IFS; s++)
		if (k->ifindex[s] == ifindex)
			return true;
	return false;
}

static bool may_bind(const struct keeper *k, const struct keeper_ask *a)
{
	return a->ifindex != 0 && is_taken(k, a->ifindex) && k->made >= 0 &&
	       a->queue < VX6_XDP_QUEUES &&
	       (a->zerocopy == 0 ? k->law->copy
				 : a->zerocopy == 1 && k->law->zerocopy);
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Only the socket that was bound to this queue may have its cells. */
static bool may_enter(const struct keeper *k, const struct keeper_ask *a,
		      int fd)
{
	return has_queue(k, a) && k->bound[a->slot][a->queue] != 0 &&
	       k->bound[a->slot][a->queue] == inode_of(fd);
}

/* fd is what came with it. */
static bool is_lawful(const struct keeper *k, const struct keeper_ask *a,
		      int fd)
{
	if (!is_plain(a) || (fd >= 0) != (a->kind == KEEPER_ENTER))
		return false;
	switch ((enum keeper_kind)a->kind) {
	case KEEPER_ATTACH:
		return a->slot < XDP_IFS && k->ifindex[a->slot] == 0 &&
		       !is_taken(k, a->ifindex) && may_take(k->law, a->ifindex);
	case KEEPER_DETACH: return has_slot(k, a);
	case KEEPER_SOCK: return a->area < k->law->area_cnt;
	case KEEPER_BIND: return may_bind(k, a);
	case KEEPER_ENTER: return may_enter(k, a, fd);
	case KEEPER_LEAVE: return has_queue(k, a);
	case KEEPER_LOCALS:
	case KEEPER_COUNTS:
	case KEEPER_END: return true;
	}
	return false;
}

/* ---- what it does ---- */

static bool is_here(const struct ifaddrs *list, const uint8_t ip[16])
{
	struct vx6_addr has;

	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL &&
		    vx6_addr_from(&has, i->ifa_addr) == VX6_OK &&
		    memcmp(has.ip, ip, sizeof(has.ip)) == 0)
			return true;
	return false;
}

/* Addresses that are not this host's are left out: one may just have gone,
 * and cells to others are none of ours. */
static enum vx6_status locals(struct keeper *k, const struct keeper_ask *a)
{
	static struct vx6_addr at[VX6_XDP_LOCALS];
	struct ifaddrs *list;
	unsigned n = 0;

	if (getifaddrs(&list) != 0)
		return VX6_SYS;
	memset(at, 0, sizeof(at));
	for (uint32_t i = 0; i < a->cnt; i++)
		if (is_here(list, a->ip[i]))
			memcpy(at[n++].ip, a->ip[i], sizeof(at[0].ip));
	freeifaddrs(list);
	return rights_locals(k->r, at, n);
}

/* Whoever asks may have heard late that a route is another now, so it is no
 * fault of his if this one is none of those. */
static enum vx6_status choose(const struct keeper *k,
			      const struct keeper_ask *a, char why[XDP_WHY])
{
	enum vx6_status st;
	bool is;

	if (k->law->interface_cnt > 0)
		return VX6_OK; /* and this is one of them */
	st = chosen_now(a->ifindex, &is);
	if (st != VX6_OK)
		snprintf(why, XDP_WHY,
			 "the kernel does not tell which interfaces have the "
			 "default routes: name those to take in "
			 "data.interfaces");
	else if (!is)
		snprintf(why, XDP_WHY,
			 "no default route goes out of it, but of others: name "
			 "it in data.interfaces where it is to be taken");
	return st == VX6_OK && !is ? VX6_NOT_FOUND : st;
}

static enum vx6_status attach(struct keeper *k, const struct keeper_ask *a,
			      struct keeper_answer *to)
{
	struct rights_if is = { 0 };
	enum vx6_status st = choose(k, a, to->why);

	if (st != VX6_OK)
		return st;
	st = rights_attach(k->r, a->slot, a->ifindex, &is, to->why);
	to->dispatcher = is.dispatcher;
	if (st == VX6_OK)
		k->ifindex[a->slot] = a->ifindex;
	return st;
}

static void detach(struct keeper *k, unsigned slot)
{
	rights_detach(k->r, slot);
	k->ifindex[slot] = 0;
	memset(k->bound[slot], 0, sizeof(k->bound[slot]));
}

static void let_go(struct keeper *k)
{
	if (k->made >= 0)
		close(k->made);
	k->made = -1;
}

/* The socket itself is the data plane's alone from then on, so that a queue is
 * free when that closes it. */
static bool bind_made(struct keeper *k, const struct keeper_ask *a)
{
	const struct rights_queue q = { a->ifindex, a->queue,
					a->zerocopy != 0 };
	bool ok = rights_bind(k->r, k->made, &q);
	int err = errno;

	for (unsigned s = 0; s < XDP_IFS && ok; s++)
		if (k->ifindex[s] == a->ifindex)
			k->bound[s][a->queue] = inode_of(k->made);
	let_go(k);
	errno = err;
	return ok;
}

static bool make(struct keeper *k, const struct keeper_ask *a)
{
	let_go(k);
	k->made = rights_sock(k->r, &k->law->area[a->area]);
	return k->made >= 0;
}

static enum vx6_status sys(bool ok)
{
	return ok ? VX6_OK : VX6_SYS;
}

static enum vx6_status obey(struct keeper *k, const struct keeper_ask *a,
			    int fd, struct keeper_answer *to)
{
	switch ((enum keeper_kind)a->kind) {
	case KEEPER_LOCALS: return locals(k, a);
	case KEEPER_ATTACH: return attach(k, a, to);
	case KEEPER_DETACH: detach(k, a->slot); break;
	case KEEPER_SOCK: return sys(make(k, a));
	case KEEPER_BIND: return sys(bind_made(k, a));
	case KEEPER_ENTER:
		return sys(rights_enter(k->r, a->slot, a->queue, fd));
	case KEEPER_LEAVE: rights_leave(k->r, a->slot, a->queue); break;
	case KEEPER_COUNTS: rights_counts(k->r, to->count); break;
	case KEEPER_END: break;
	}
	return VX6_OK;
}

/* Said at the 1st, 2nd, 4th, 8th .. so that no log is filled with it. */
static void refuse(struct keeper *k, const struct keeper_ask *a,
		   struct keeper_answer *to)
{
	char text[XDP_WHY];

	to->status = VX6_DENIED;
	to->err = EPERM;
	snprintf(to->why, sizeof(to->why),
		 "the process that keeps the privileges does not allow that");
	k->refused++;
	if ((k->refused & (k->refused - 1)) != 0)
		return;
	snprintf(text, sizeof(text),
		 "the data plane asked for what its configuration does not "
		 "name (kind %u), %llu times so far: a fault of it, or "
		 "somebody else's code; restart it, and look into that",
		 a->kind, (unsigned long long)k->refused);
	k->law->say(k->law->ctx, true, "refused-by-keeper", "", text);
}

/* ---- the loop ---- */

/* False: nobody asks any more. */
static bool serve_one(struct keeper *k, int sock)
{
	static struct keeper_ask a;
	struct keeper_answer to = { 0 };
	int fd = -1, came = keeper_recv(sock, &a, sizeof(a), &fd);
	bool ok;

	if (came < 0)
		return false;
	if (came == 0)
		memset(&a, 0, sizeof(a)); /* of no kind */
	if (is_lawful(k, &a, fd)) {
		errno = 0;
		to.status = obey(k, &a, fd, &to);
		to.err = to.status == VX6_OK ? 0 : errno;
	} else {
		refuse(k, &a, &to);
	}
	if (fd >= 0)
		close(fd);
	if (a.kind == KEEPER_END && to.status == VX6_OK)
		return false;
	to.refused = k->refused;
	ok = a.kind == KEEPER_SOCK && to.status == VX6_OK;
	return keeper_send(sock, &to, sizeof(to), ok ? k->made : -1);
}

/* Descriptors that are the data plane's: all but the socket, BPF's and
 * what is said goes to. */
static bool is_bpf(int dir, const char *name)
{
	static const char bpf[] = "anon_inode:bpf", btf[] = "anon_inode:btf";
	char to[64] = "";

	return readlinkat(dir, name, to, sizeof(to) - 1) > 0 &&
	       (strncmp(to, bpf, sizeof(bpf) - 1) == 0 ||
		strncmp(to, btf, sizeof(btf) - 1) == 0);
}

static bool close_others(int sock)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != sock && fd != dirfd(d) &&
		    !is_bpf(dirfd(d), e->d_name))
			close(fd);
	}
	closedir(d);
	return true;
}

/* Whether it is what it should be, is the first message. */
static void live(int sock, struct rights *r, const struct rights_law *law,
		 const struct sandbox *box)
{
	struct keeper k = { .r = r, .law = law, .made = -1 };
	struct keeper_answer hello = { 0 };
	struct sandbox_is is;

	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (!close_others(sock)) {
		snprintf(hello.why, sizeof(hello.why),
			 "/proc is not mounted: it is needed at start");
		hello.status = VX6_SYS;
	} else {
		hello.status = sandbox_confine(box, &is, hello.why);
		if (hello.status == VX6_OK)
			hello.status = sandbox_filter(box, &is, hello.why);
	}
	if (keeper_send(sock, &hello, sizeof(hello), -1) &&
	    hello.status == VX6_OK)
		while (serve_one(&k, sock))
			;
	rights_close(r);
}

enum vx6_status keeper_start(int *sock, struct rights *r,
			     const struct rights_law *law,
			     const struct sandbox *box, char why[XDP_WHY])
{
	struct keeper_answer hello = { 0 };
	int end[2] = { -1, -1 }, fd;
	pid_t pid;

	_Static_assert(XDP_WHY >= SANDBOX_WHY, "one sentence");
	*sock = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) != 0 ||
	    (pid = fork()) < 0) {
		snprintf(why, XDP_WHY, "no process could be made: %s",
			 strerror(errno));
		if (end[0] >= 0)
			close(end[0]);
		if (end[1] >= 0)
			close(end[1]);
		return VX6_SYS;
	}
	if (pid == 0) {
		close(end[0]);
		live(end[1], r, law, box);
		_exit(0);
	}
	close(end[1]);
	if (keeper_recv(end[0], &hello, sizeof(hello), &fd) == 1 &&
	    hello.status == VX6_OK) {
		*sock = end[0];
		return VX6_OK;
	}
	hello.why[XDP_WHY - 1] = '\0';
	snprintf(why, XDP_WHY, "%s",
		 hello.why[0] != '\0' ? hello.why
				      : "the process that keeps AF_XDP's "
					"privileges ended at once");
	close(end[0]);
	(void)waitpid(pid, NULL, 0);
	return VX6_SYS;
}
