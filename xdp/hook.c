/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp/hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <glob.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "xdp/object.h"

#define BPFFS      "/sys/fs/bpf"
#define DISPATCHER "xdp_dispatcher" /* libxdp's program */

/* ---- what is there ---- */

/* Why there can be no dispatcher; NULL where there can. */
static const char *lacking(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) != 0 || fs.f_type != BPF_FS_MAGIC)
		return "no bpffs at " BPFFS;
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) != 1)
		return "this kernel loads no BPF_PROG_TYPE_EXT";
	return NULL;
}

/* The data port in the program's vx6_config, network order; 0 = it has
 * none. */
static uint16_t port_of(int prog)
{
	uint32_t ids[16] = { 0 }, zero = 0, len;
	struct bpf_prog_info info = { .nr_map_ids = VX6_COUNT(ids),
				      .map_ids = (uintptr_t)ids };
	uint16_t port = 0;

	len = sizeof(info);
	if (bpf_prog_get_info_by_fd(prog, &info, &len) != 0)
		return 0;
	for (uint32_t i = 0; i < info.nr_map_ids && i < VX6_COUNT(ids); i++) {
		struct bpf_map_info mi = { 0 };
		struct vx6_xdp_config c;
		int map = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(mi);
		if (map >= 0 && bpf_map_get_info_by_fd(map, &mi, &len) == 0 &&
		    strcmp(mi.name, "vx6_config") == 0 &&
		    mi.value_size == sizeof(c) &&
		    bpf_map_lookup_elem(map, &zero, &c) == 0)
			port = c.data_port;
		if (map >= 0)
			close(map);
	}
	return port;
}

static bool is_ours(const struct xdp_program *p, uint16_t data_port)
{
	return strcmp(xdp_program__name(p), OBJECT_PROGRAM) == 0 &&
	       port_of(xdp_program__fd(p)) == htons(data_port);
}

/* Somebody else's program stands behind this dispatcher by this link. */
static bool is_anothers(int link, uint32_t dispatcher, uint16_t data_port)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	struct xdp_program *p;
	bool ours;

	if (bpf_link_get_info_by_fd(link, &info, &len) != 0)
		return true;
	if (info.type != BPF_LINK_TYPE_TRACING ||
	    info.tracing.target_obj_id != dispatcher)
		return false;
	p = xdp_program__from_id(info.prog_id);
	ours = libxdp_get_error(p) == 0 && is_ours(p, data_port);
	xdp_program__close(p);
	return !ours;
}

/* Nobody but us is behind this dispatcher.  Asked where its pins cannot be
 * read: they were in another mount namespace's bpffs, and are gone with it or
 * are still there.  What cannot be known is not ours. */
static bool is_all_ours(uint32_t dispatcher, uint16_t data_port)
{
	uint32_t id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		int fd = bpf_link_get_fd_by_id(id);
		bool anothers;

		if (fd < 0 && errno == ENOENT)
			continue; /* ended meanwhile */
		anothers = fd < 0 || is_anothers(fd, dispatcher, data_port);
		if (fd >= 0)
			close(fd);
		if (anothers)
			return false;
	}
	return errno == ENOENT; /* that was the last */
}

static void remove_dispatcher(unsigned ifindex, const struct xdp_program *d)
{
	struct bpf_xdp_attach_opts opts = { .sz = sizeof(opts),
					    .old_prog_fd = xdp_program__fd(d) };

	bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, &opts);
}

/* Takes off what a killed process of ours left behind the dispatcher. */
static void take_over(unsigned ifindex, uint16_t data_port)
{
	struct xdp_multiprog *mp =
		xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *d, *p = NULL;

	if (libxdp_get_error(mp) != 0)
		return;
	d = xdp_multiprog__main_prog(mp);
	while ((p = xdp_multiprog__next_prog(p, mp)) != NULL)
		if (is_ours(p, data_port))
			xdp_program__detach(p, (int)ifindex,
					    xdp_multiprog__attach_mode(mp), 0);
	if (xdp_multiprog__is_legacy(mp) && d != NULL &&
	    strcmp(xdp_program__name(d), DISPATCHER) == 0 &&
	    is_all_ours(xdp_program__id(d), data_port))
		remove_dispatcher(ifindex, d);
	xdp_multiprog__close(mp);
}

/* The name of the program that is there: it takes CAP_SYS_ADMIN to know. */
static void name_of_other(unsigned ifindex, char name[BPF_OBJ_NAME_LEN + 1])
{
	struct bpf_prog_info info = { 0 };
	uint32_t id = 0, len = sizeof(info);
	int fd = -1;

	if (bpf_xdp_query_id((int)ifindex, 0, &id) == 0)
		fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &len) != 0 ||
	    info.name[0] == '\0')
		snprintf(name, BPF_OBJ_NAME_LEN + 1, "%u", id);
	else
		snprintf(name, BPF_OBJ_NAME_LEN + 1, "%.*s", BPF_OBJ_NAME_LEN,
			 info.name);
	if (fd >= 0)
		close(fd);
}

/* ---- attaching ---- */

/* Where libxdp cannot use a dispatcher it attaches the program alone, in a
 * way that outlives us and that nobody can run beside. */
static bool is_alone(unsigned ifindex)
{
	struct xdp_multiprog *mp =
		xdp_multiprog__get_from_ifindex((int)ifindex);
	bool alone;

	if (libxdp_get_error(mp) != 0)
		return false;
	alone = xdp_multiprog__is_legacy(mp);
	xdp_multiprog__close(mp);
	return alone;
}

static int by_dispatcher(struct hook *h, const struct bpf_object *shared)
{
	struct xdp_program *p;
	struct bpf_object *o;
	int err = object_open(&o, shared, 0);

	if (err != 0)
		return err;
	p = xdp_program__from_bpf_obj(o, OBJECT_SECTION);
	err = (int)-libxdp_get_error(p);
	if (err != 0) {
		bpf_object__close(o);
		return err;
	}
	err = -xdp_program__attach(p, (int)h->ifindex, XDP_MODE_NATIVE, 0);
	if (err == 0 && is_alone(h->ifindex)) {
		xdp_program__detach(p, (int)h->ifindex, XDP_MODE_NATIVE, 0);
		err = EOPNOTSUPP;
	}
	if (err != 0) {
		xdp_program__close(p);
		bpf_object__close(o);
		return err;
	}
	h->obj = o;
	h->prog = p;
	return 0;
}

static int by_link(struct hook *h, const struct bpf_object *shared)
{
	struct bpf_link_create_opts opts = { .sz = sizeof(opts),
					     .flags = XDP_FLAGS_DRV_MODE };
	struct bpf_program *p;
	int err = object_open(&h->obj, shared, 0);

	if (err != 0)
		return err;
	err = object_load(h->obj);
	p = bpf_object__find_program_by_name(h->obj, OBJECT_PROGRAM);
	if (err == 0 && p == NULL)
		err = ENOENT;
	if (err == 0) {
		h->link = bpf_link_create(bpf_program__fd(p), (int)h->ifindex,
					  BPF_XDP, &opts);
		err = h->link >= 0 ? 0 : errno;
	}
	if (err != 0)
		bpf_object__close(h->obj);
	return err;
}

static int mtu_of(const char *name)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &r) != 0)
		r.ifr_mtu = 0;
	if (fd >= 0)
		close(fd);
	return r.ifr_mtu;
}

static enum vx6_status refused(int err, unsigned ifindex, const char *name,
			       char why[XDP_WHY])
{
	char other[BPF_OBJ_NAME_LEN + 1];

	switch (err) {
	case EPERM:
	case EACCES:
		snprintf(why, XDP_WHY,
			 "no privilege to attach to %s: start as root, or with "
			 "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
			 name);
		return VX6_DENIED;
	case EBUSY:
	case EEXIST:
		name_of_other(ifindex, other);
		snprintf(
			why, XDP_WHY,
			"%s has the XDP program %s, and ours cannot run beside "
			"it: take it off (ip link set dev %s xdp off) or "
			"attach "
			"it with xdp-loader",
			name, other, name);
		return VX6_EXISTS;
	case ENODEV:
		snprintf(why, XDP_WHY, "%s is gone", name);
		return VX6_NOT_FOUND;
	case EOPNOTSUPP:
		snprintf(why, XDP_WHY,
			 "the driver of %s has no native XDP: use the port udp "
			 "there",
			 name);
		return VX6_UNSUPPORTED;
	case ERANGE:
	case EINVAL:
	case E2BIG:
		snprintf(why, XDP_WHY,
			 "the driver of %s does not take XDP as the interface "
			 "is set (MTU %d): lower the MTU to 1500, or use the "
			 "port udp there",
			 name, mtu_of(name));
		return VX6_UNSUPPORTED;
	case ENOMEM:
		snprintf(why, XDP_WHY, "no memory for the maps of %s", name);
		return VX6_NO_MEMORY;
	}
	errno = err;
	snprintf(why, XDP_WHY, "cannot attach to %s: %s", name, strerror(err));
	return VX6_SYS;
}

enum vx6_status hook_open(struct hook *h, const struct bpf_object *shared,
			  unsigned ifindex, uint16_t data_port,
			  bool no_dispatcher, char why[XDP_WHY])
{
	char name[IF_NAMESIZE], text[96];
	const char *lack;
	int err = ENOENT;

	*h = (struct hook){ .link = -1, .ifindex = ifindex };
	why[0] = '\0';
	if (if_indextoname(ifindex, name) == NULL) {
		snprintf(why, XDP_WHY, "there is no interface %u", ifindex);
		return VX6_NOT_FOUND;
	}
	take_over(ifindex, data_port);
	lack = no_dispatcher ? NULL : lacking();
	if (lack == NULL && !no_dispatcher) {
		err = by_dispatcher(h, shared);
		snprintf(text, sizeof(text), "libxdp's dispatcher refused (%s)",
			 strerror(err));
		lack = text;
	}
	if (err == 0)
		return VX6_OK;
	err = by_link(h, shared);
	if (err != 0)
		return refused(err, ifindex, name, why);
	if (lack != NULL)
		snprintf(why, XDP_WHY,
			 "%s: %s gets a plain link, and no other XDP program "
			 "can run beside ours",
			 lack, name);
	return VX6_OK;
}

/* The interface is gone, or somebody else took the program off: what pins
 * there are keep the program, and each name contains our interface's index,
 * but so may those of other network namespaces: ours has our program. */
static void unpin(const struct hook *h)
{
	char path[64];
	glob_t g;
	struct xdp_program *p;
	bool ours;

	snprintf(path, sizeof(path), BPFFS "/xdp/dispatch-%u-*/prog*-prog",
		 h->ifindex);
	if (glob(path, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *at = g.gl_pathv[i],
		     *end = at + strlen(at) - strlen("prog");

		p = xdp_program__from_pin(at);
		ours = libxdp_get_error(p) == 0 &&
		       xdp_program__id(p) == xdp_program__id(h->prog);
		xdp_program__close(p);
		if (!ours)
			continue;
		unlink(at);
		memcpy(end, "link", strlen("link"));
		unlink(at);
		*strrchr(at, '/') = '\0';
		rmdir(at);
	}
	globfree(&g);
}

void hook_close(struct hook *h)
{
	if (h->prog != NULL) {
		if (xdp_program__detach(h->prog, (int)h->ifindex,
					XDP_MODE_NATIVE, 0) != 0)
			unpin(h);
		xdp_program__close(h->prog);
	}
	if (h->link >= 0)
		close(h->link);
	bpf_object__close(h->obj);
}
