/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/port/dpdk.h"

#define INSTALL "install the package vx6-dpdk, or set data.backend to \"udp\""

/* The object of a program in DIR/bin or DIR/sbin is in DIR/lib/vx6. */
static bool own_file(char out[PATH_MAX])
{
	static const char below[] = "/lib/vx6/" DPDK_NAME;
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash = NULL;

	if (len <= 0)
		return false;
	out[len] = '\0';
	for (unsigned up = 0; up < 2; up++) {
		slash = strrchr(out, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
	len = slash - out;
	if ((size_t)len + sizeof(below) > PATH_MAX)
		return false;
	memcpy(out + len, below, sizeof(below));
	return true;
}

/* What it holds is run with all that this process may do. */
static bool trusted(int fd, char why[DPDK_WHY], const char *file)
{
	struct stat so, exe;

	if (fstat(fd, &so) != 0 || stat("/proc/self/exe", &exe) != 0 ||
	    !S_ISREG(so.st_mode)) {
		snprintf(why, DPDK_WHY, "%.120s is no file: " INSTALL, file);
		return false;
	}
	if ((so.st_uid == 0 || so.st_uid == exe.st_uid) &&
	    (so.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	snprintf(why, DPDK_WHY,
		 "%.100s is not loaded: it must be root's and written by "
		 "nobody else (chown root, chmod go-w)",
		 file);
	return false;
}

static const struct dpdk_api *same(const struct dpdk_api *a, char why[DPDK_WHY])
{
	if (a->version == DPDK_API_VERSION &&
	    a->port_size == sizeof(struct port) &&
	    a->frame_size == sizeof(struct net_frame) &&
	    a->opts_size == sizeof(struct dpdk_opts) &&
	    a->state_size == sizeof(struct dpdk_state))
		return a;
	snprintf(why, DPDK_WHY,
		 DPDK_NAME " is of another version of VX6 (interface %u, not "
			   "%u): install vx6 and vx6-dpdk of one version",
		 a->version, DPDK_API_VERSION);
	return NULL;
}

static const struct dpdk_api *open_it(int fd, char why[DPDK_WHY])
{
	const struct dpdk_api *a;
	char path[32];
	void *so;

	/* by its descriptor: what was judged is what is loaded */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (so == NULL) {
		const char *said = dlerror();

		snprintf(why, DPDK_WHY,
			 DPDK_NAME " cannot be loaded (%.110s): DPDK is what "
				   "it needs; " INSTALL,
			 said != NULL ? said : "no reason is given");
		return NULL;
	}
	a = dlsym(so, "vx6_port_dpdk");
	if (a != NULL)
		return same(a, why);
	snprintf(why, DPDK_WHY,
		 DPDK_NAME " holds no back end: install vx6 and vx6-dpdk of "
			   "one version");
	return NULL;
}

const struct dpdk_api *dpdk_load(const char *file, char why[DPDK_WHY])
{
	const struct dpdk_api *a = NULL;
	char own[PATH_MAX];
	int fd;

	why[0] = '\0';
	if (file == NULL) {
		if (!own_file(own)) {
			snprintf(why, DPDK_WHY,
				 "where " DPDK_NAME " would be cannot be told: "
				 "/proc is not mounted");
			return NULL;
		}
		file = own;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(
			why, DPDK_WHY,
			"the DPDK back end is not there (%.110s: %s): " INSTALL,
			file, strerror(errno));
		return NULL;
	}
	if (trusted(fd, why, file))
		a = open_it(fd, why);
	close(fd);
	return a;
}
