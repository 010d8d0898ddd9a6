/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP program that net_af_xdp puts before an interface for us
 * (xdp/cells.bpf.c), as a file that no directory has, and how it is made to
 * end with us. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/port/dpdk/own.h"
#include "xdp/abi.h"

#define DRIVER "net_af_xdp"
#define MAPS   8u /* of a program that may be ours */

/* The Makefile compiles it first and tells the assembler where it is. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"vx6_cells_object:\n"
	".incbin \"xdp/cells.bpf.o\"\n"
	".balign 8\n"
	"vx6_cells_object_len: .quad . - vx6_cells_object\n"
	".popsection\n");

extern const uint8_t vx6_cells_object[];
extern const uint64_t vx6_cells_object_len;

bool dpdk_attaches(const char *device)
{
	return strncmp(device, DRIVER, sizeof(DRIVER) - 1) == 0 &&
	       strstr(device, ",use_cni=") == NULL &&
	       strstr(device, ",use_pinned_map=") == NULL;
}

bool dpdk_steers(const char *device)
{
	return dpdk_attaches(device) && strstr(device, ",xdp_prog=") == NULL;
}

/* The port stands behind the mark. */
static bool write_port(int fd, uint16_t port)
{
	static const char mark[] = VX6_CELLS_MARK;
	const uint8_t *at = memmem(vx6_cells_object, vx6_cells_object_len, mark,
				   sizeof(mark));
	uint16_t be = htons(port);

	return at != NULL &&
	       pwrite(fd, &be, sizeof(be),
		      at - vx6_cells_object +
			      (off_t)offsetof(struct vx6_cells, port)) ==
		       sizeof(be);
}

int dpdk_steer_file(uint16_t port)
{
	size_t len = vx6_cells_object_len;
	int fd = memfd_create("vx6-cells", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, vx6_cells_object, len) == (ssize_t)len &&
	    write_port(fd, port))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- its place before the interface ---- */

/* The interface that a device names. */
static unsigned interface_of(const char *device, char name[IF_NAMESIZE])
{
	static const char iface[] = ",iface=";
	const char *at = strstr(device, iface);

	if (at == NULL)
		return 0;
	at += sizeof(iface) - 1;
	snprintf(name, IF_NAMESIZE, "%.*s", (int)strcspn(at, ","), at);
	return if_nametoindex(name);
}

uint32_t dpdk_steer_other(const char *device, char interface[IF_NAMESIZE])
{
	unsigned ifindex = interface_of(device, interface);
	uint32_t id = 0;

	if (!dpdk_attaches(device) || ifindex == 0 ||
	    bpf_xdp_query_id((int)ifindex, 0, &id) != 0)
		return 0;
	return id;
}

static bool is_program(int fd, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[32], to[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, to, sizeof(to) - 1) > 0 &&
	       strcmp(to, "anon_inode:bpf-prog") == 0 &&
	       bpf_prog_get_info_by_fd(fd, &info, &len) == 0 && info.id == id;
}

/* The driver's own descriptor of the program, -1: none is there.  By its id
 * it could be had only with CAP_SYS_ADMIN. */
static int program_fd(uint32_t id)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int fd = -1;

	if (d == NULL)
		return -1;
	while (fd < 0 && (e = readdir(d)) != NULL) {
		char *end;
		long n = strtol(e->d_name, &end, 10);

		if (*end == '\0' && end != e->d_name && is_program((int)n, id))
			fd = (int)n;
	}
	closedir(d);
	return fd;
}

int dpdk_steer_hold(unsigned ifindex)
{
	const struct bpf_link_create_opts link = {
		.sz = sizeof(link), .flags = XDP_FLAGS_DRV_MODE
	};
	struct bpf_xdp_attach_opts now = { .sz = sizeof(now) };
	uint32_t id = 0;
	int err = -bpf_xdp_query_id((int)ifindex, 0, &id);
	int fd = -1;

	if (err == 0)
		now.old_prog_fd = program_fd(id);
	if (err == 0 && now.old_prog_fd < 0)
		err = ENOENT;
	if (err == 0)
		err = -bpf_xdp_detach((int)ifindex, 0, &now);
	if (err == 0)
		fd = bpf_link_create(now.old_prog_fd, (int)ifindex, BPF_XDP,
				     &link);
	if (err != 0)
		errno = err;
	return fd;
}
