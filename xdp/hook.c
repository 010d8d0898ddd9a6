/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdp/hook.h"

#include <bpf/bpf.h>
#include <errno.h>
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

#define BPFFS "/sys/fs/bpf"

/* ---- what is there ---- */

static bool has_bpffs(void)
{
	struct statfs fs;

	return statfs(BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
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

/* Takes off what a killed process of ours left behind the dispatcher. */
static void take_over(unsigned ifindex, uint16_t data_port)
{
	struct xdp_multiprog *mp =
		xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *p = NULL;

	if (libxdp_get_error(mp) != 0)
		return;
	while (!xdp_multiprog__is_legacy(mp) &&
	       (p = xdp_multiprog__next_prog(p, mp)) != NULL)
		if (is_ours(p, data_port))
			xdp_program__detach(p, (int)ifindex,
					    xdp_multiprog__attach_mode(mp), 0);
	xdp_multiprog__close(mp);
}

/* ---- attaching ---- */

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

static enum vx6_status refused(int err, const char *name, char why[XDP_WHY])
{
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
		snprintf(why, XDP_WHY,
			 "%s has another XDP program, which no dispatcher can "
			 "run beside ours: take it off (ip link set dev %s xdp "
			 "off), or attach it with xdp-loader",
			 name, name);
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
	char name[IF_NAMESIZE];
	int err = ENOENT;

	*h = (struct hook){ .link = -1, .ifindex = ifindex };
	if (if_indextoname(ifindex, name) == NULL) {
		snprintf(why, XDP_WHY, "there is no interface %u", ifindex);
		return VX6_NOT_FOUND;
	}
	if (has_bpffs()) {
		libxdp_clean_references((int)ifindex);
		take_over(ifindex, data_port);
		if (!no_dispatcher)
			err = by_dispatcher(h, shared);
	}
	if (err != 0)
		err = by_link(h, shared);
	return err == 0 ? VX6_OK : refused(err, name, why);
}

void hook_close(struct hook *h)
{
	if (h->prog != NULL) {
		/* an interface that is gone has left its pins */
		if (xdp_program__detach(h->prog, (int)h->ifindex,
					XDP_MODE_NATIVE, 0) != 0)
			libxdp_clean_references((int)h->ifindex);
		xdp_program__close(h->prog);
	}
	if (h->link >= 0)
		close(h->link);
	bpf_object__close(h->obj);
}
