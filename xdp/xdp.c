/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp/xdp.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xdp/hook.h"
#include "xdp/object.h"

#define COUNT_LEN (VX6_XDP_CPUS * sizeof(struct vx6_xdp_count))

struct place { /* one interface */
	struct xdp_if pub;
	struct hook hook;
	struct vx6_xdp_count *count; /* NULL = free */
};

struct xdp {
	struct bpf_object *shared; /* owns the maps of the data plane */
	struct vx6_xdp_link *links;
	size_t links_len;
	uint16_t data_port;
	bool no_dispatcher;
	pthread_mutex_t lock; /* places' counts and past: xdp_counts reads
				 them on any thread */
	uint64_t past[VX6_XDP_REASON_CNT]; /* of interfaces detached */
	struct place place[XDP_IFS];
};

static void *map_memory(int fd, size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* ---- open, close ---- */

static enum vx6_status refused(int err, char why[XDP_WHY])
{
	switch (err) {
	case EPERM:
	case EACCES:
		snprintf(why, XDP_WHY,
			 "no privilege to load XDP programs: start as root, or "
			 "with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON");
		return VX6_DENIED;
	case ENOMEM:
		snprintf(why, XDP_WHY,
			 "no memory for the classifier's maps: lower the "
			 "number of links, or raise the memory limit");
		return VX6_NO_MEMORY;
	case ENOSYS:
	case EINVAL:
	case EOPNOTSUPP:
		snprintf(why, XDP_WHY,
			 "this kernel does not take the XDP classifier (%s): "
			 "it needs Linux 6.1 or later with CONFIG_BPF_SYSCALL, "
			 "CONFIG_XDP_SOCKETS and CONFIG_DEBUG_INFO_BTF",
			 strerror(err));
		return VX6_UNSUPPORTED;
	}
	errno = err;
	snprintf(why, XDP_WHY, "cannot load the XDP classifier: %s",
		 strerror(err));
	return VX6_SYS;
}

/* What would make the classifier read or reckon wrongly. */
static bool is_usable(const struct xdp_opts *o, char why[XDP_WHY])
{
	if (o->links == 0 || o->data_port == 0)
		snprintf(why, XDP_WHY,
			 "the classifier needs a data port and links");
	else if (o->len_min < 4 || o->len_max < o->len_min)
		snprintf(why, XDP_WHY,
			 "cells of %u to %u bytes: at least 4, and in order",
			 o->len_min, o->len_max);
	else if (o->shake_most != 0 &&
		 o->shake_ns > UINT64_MAX / 2 / o->shake_most)
		snprintf(why, XDP_WHY,
			 "%" PRIu64 " handshakes, one each %" PRIu64
			 " ns: lower one of the two",
			 o->shake_most, o->shake_ns);
	else
		return true;
	return false;
}

static int load_shared(struct xdp *x, const struct xdp_opts *opts)
{
	struct vx6_xdp_config c = {
		.data_port = htons(opts->data_port),
		.len_min = opts->len_min,
		.len_max = opts->len_max,
		.links = opts->links,
		.shake_ns = opts->shake_ns,
		.shake_most = opts->shake_most,
	};
	struct bpf_map *prefixes;
	int err;

	for (unsigned i = 0; i < VX6_XDP_CONTROLS; i++)
		c.control_port[i] = htons(opts->control_port[i]);
	err = object_open(&x->shared, NULL, opts->links);
	if (err != 0)
		return err;
	/* this one is before no interface: its own maps stay empty */
	prefixes = bpf_object__find_map_by_name(x->shared, "vx6_prefix");
	if (prefixes != NULL)
		bpf_map__set_max_entries(prefixes, 64);
	err = object_load(x->shared);
	return err != 0 ? err : object_configure(x->shared, &c);
}

enum vx6_status xdp_open(struct xdp **out, const struct xdp_opts *opts,
			 char why[XDP_WHY])
{
	struct xdp *x;
	int err;

	if (!is_usable(opts, why))
		return VX6_CONFIG;
	object_silence();
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return refused(ENOMEM, why);
	pthread_mutex_init(&x->lock, NULL);
	x->data_port = opts->data_port;
	x->no_dispatcher = opts->no_dispatcher;
	err = load_shared(x, opts);
	if (err == 0) {
		x->links_len = opts->links * sizeof(*x->links);
		x->links = map_memory(object_map(x->shared, "vx6_link"),
				      x->links_len, PROT_READ | PROT_WRITE);
		err = x->links != NULL ? 0 : errno;
	}
	if (err != 0) {
		xdp_close(x);
		return refused(err, why);
	}
	*out = x;
	return VX6_OK;
}

void xdp_close(struct xdp *x)
{
	if (x == NULL)
		return;
	for (unsigned i = 0; i < XDP_IFS; i++)
		if (x->place[i].count != NULL)
			xdp_detach(x, &x->place[i].pub);
	if (x->links != NULL)
		munmap(x->links, x->links_len);
	bpf_object__close(x->shared);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

void xdp_part(struct xdp *x)
{
	bpf_object__close(x->shared);
	x->shared = NULL;
}

/* ---- interfaces ---- */

static struct place *free_place(struct xdp *x)
{
	for (unsigned i = 0; i < XDP_IFS; i++)
		if (x->place[i].count == NULL)
			return &x->place[i];
	return NULL;
}

enum vx6_status xdp_attach(struct xdp *x, unsigned ifindex, struct xdp_if **out,
			   char why[XDP_WHY])
{
	struct place *at = free_place(x);
	struct vx6_xdp_count *count;
	enum vx6_status st;

	if (at == NULL) {
		snprintf(why, XDP_WHY, "a node has at most %u interfaces",
			 XDP_IFS);
		return VX6_NO_ROOM;
	}
	st = hook_open(&at->hook, x->shared, ifindex, x->data_port,
		       x->no_dispatcher, why);
	if (st != VX6_OK)
		return st;
	count = map_memory(object_map(at->hook.obj, "vx6_count"), COUNT_LEN,
			   PROT_READ);
	if (count == NULL) {
		int err = errno;

		hook_close(&at->hook);
		return refused(err, why);
	}
	at->pub = (struct xdp_if){ .ifindex = ifindex,
				   .dispatcher = at->hook.prog != NULL,
				   .xsk_map = object_map(at->hook.obj,
							 "vx6_xsk") };
	pthread_mutex_lock(&x->lock);
	at->count = count;
	pthread_mutex_unlock(&x->lock);
	*out = &at->pub;
	return VX6_OK;
}

static void sum(const struct vx6_xdp_count *count,
		uint64_t out[VX6_XDP_REASON_CNT])
{
	for (unsigned cpu = 0; cpu < VX6_XDP_CPUS; cpu++)
		for (unsigned r = 0; r < VX6_XDP_REASON_CNT; r++)
			out[r] += __atomic_load_n(&count[cpu].packets[r],
						  __ATOMIC_RELAXED);
}

void xdp_detach(struct xdp *x, struct xdp_if *i)
{
	struct place *at = &x->place[0];

	while (&at->pub != i)
		at++;
	hook_close(&at->hook);
	pthread_mutex_lock(&x->lock);
	sum(at->count, x->past);
	munmap(at->count, COUNT_LEN);
	at->count = NULL;
	pthread_mutex_unlock(&x->lock);
}

void xdp_counts(struct xdp *x, uint64_t out[VX6_XDP_REASON_CNT])
{
	pthread_mutex_lock(&x->lock);
	memcpy(out, x->past, sizeof(x->past));
	for (unsigned i = 0; i < XDP_IFS; i++)
		if (x->place[i].count != NULL)
			sum(x->place[i].count, out);
	pthread_mutex_unlock(&x->lock);
}

/* ---- links and addresses ---- */

struct vx6_xdp_link *xdp_links(struct xdp *x)
{
	return x->links;
}

static void write_link(struct vx6_xdp_link *l, bool used,
		       const struct vx6_addr *peer)
{
	uint32_t seq = __atomic_load_n(&l->seq, __ATOMIC_RELAXED) | 1;

	__atomic_store_n(&l->seq, seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	l->used = used;
	l->port = htons(peer->port);
	memcpy(&l->ip, peer->ip, sizeof(l->ip));
	__atomic_store_n(&l->seq, seq + 1, __ATOMIC_RELEASE);
}

void xdp_link_set(struct vx6_xdp_link *l, const struct vx6_addr *peer)
{
	write_link(l, true, peer);
}

void xdp_link_clear(struct vx6_xdp_link *l)
{
	static const struct vx6_addr none;

	write_link(l, false, &none);
}

static bool among(const struct vx6_xdp_ip *ip, const struct vx6_addr a[],
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(ip, a[i].ip, sizeof(*ip)) == 0)
			return true;
	return false;
}

/* What goes first, so that there is room for what comes. */
enum vx6_status xdp_local_set(struct xdp *x, const struct vx6_addr a[],
			      unsigned n)
{
	int fd = object_map(x->shared, "vx6_local");
	struct vx6_xdp_ip had[VX6_XDP_LOCALS];
	unsigned cnt = 0;
	uint8_t one = 1;

	while (cnt < VX6_XDP_LOCALS &&
	       bpf_map_get_next_key(fd, cnt > 0 ? &had[cnt - 1] : NULL,
				    &had[cnt]) == 0)
		cnt++;
	for (unsigned i = 0; i < cnt; i++)
		if (!among(&had[i], a, n) &&
		    bpf_map_delete_elem(fd, &had[i]) != 0)
			return VX6_SYS;
	for (unsigned i = 0; i < n; i++)
		if (bpf_map_update_elem(fd, a[i].ip, &one, BPF_ANY) != 0)
			return VX6_SYS;
	return VX6_OK;
}
