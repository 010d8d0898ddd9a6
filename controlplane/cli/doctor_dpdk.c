/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DPDK would need: the object that vx6-dataplane loads, and the devices
 * that the configuration names.  Nothing is loaded, no device is opened. */
#include "controlplane/cli/doctor.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/cli/program.h"

#define OBJECT "/lib/vx6/vx6-port-dpdk.so"
#define PCI    "/sys/bus/pci/devices/"

/* It has to be root's, or whose the program is, and nobody else writes it:
 * as the data plane judges it. */
static void look_object(struct doctor_dpdk *d)
{
	char found[CLI_PATH_TEXT], dir[PROGRAM_DIR], path[PATH_MAX];
	struct stat so, exe;

	if (!program_find("vx6-dataplane", found, dir) ||
	    realpath(found, path) == NULL || stat(path, &exe) != 0)
		return;
	for (unsigned up = 0; up < 2; up++) { /* DIR/sbin/vx6-dataplane */
		char *slash = strrchr(path, '/');

		if (slash == NULL)
			return;
		*slash = '\0';
	}
	snprintf(d->object, sizeof(d->object), "%.*s" OBJECT,
		 (int)(sizeof(d->object) - sizeof(OBJECT)), path);
	if (stat(d->object, &so) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			d->there = DOCTOR_NO;
		return;
	}
	d->there = DOCTOR_YES;
	d->trusted = S_ISREG(so.st_mode) &&
		     (so.st_uid == 0 || so.st_uid == exe.st_uid) &&
		     (so.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* "0000:03:00.0" or "03:00.0": DPDK's other devices have no colon. */
static bool is_pci(const char *name)
{
	static const char digits[] = "0123456789abcdefABCDEF:.";

	return strchr(name, ':') != NULL &&
	       strspn(name, digits) == strlen(name);
}

static void look_pci(struct doctor_device *d)
{
	char path[sizeof(PCI) + DOCTOR_NAME + 16], to[256];
	const char *domain = strchr(d->name, ':') == strrchr(d->name, ':')
				     ? "0000:"
				     : "";
	const char *driver;
	ssize_t n;

	d->kind = DOCTOR_DEVICE_PCI;
	snprintf(path, sizeof(path), PCI "%s%s", domain, d->name);
	d->there = access(path, F_OK) == 0;
	snprintf(path, sizeof(path), PCI "%s%s/driver", domain, d->name);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return;
	to[n] = '\0';
	driver = strrchr(to, '/');
	snprintf(d->driver, sizeof(d->driver), "%.31s",
		 driver != NULL ? driver + 1 : to);
}

/* A word that ends with a comma, or the text. */
static void word_to(char out[DOCTOR_NAME], const char *text)
{
	size_t len = strcspn(text, ",");

	if (len >= DOCTOR_NAME)
		len = DOCTOR_NAME - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}

const char *doctor_queues_word(const struct doctor_device *d)
{
	static const char xdp[] = "net_af_xdp";

	return strncmp(d->name, xdp, sizeof(xdp) - 1) == 0 ? "queue_count"
							   : "qpairs";
}

/* One is what its driver takes where nothing is asked for. */
static unsigned queues_of(const struct doctor_device *d, const char *text)
{
	char key[DOCTOR_NAME];
	const char *at;
	unsigned long n;

	snprintf(key, sizeof(key), ",%s=", doctor_queues_word(d));
	at = strstr(text, key);
	n = at == NULL ? 1 : strtoul(at + strlen(key), NULL, 10);
	return n > UINT16_MAX ? UINT16_MAX : (unsigned)n;
}

static void look_device(struct doctor_device *d, const char *text)
{
	static const char iface[] = ",iface=";
	const char *at = strstr(text, iface);

	word_to(d->name, text);
	if (is_pci(d->name)) {
		look_pci(d);
	} else if (at != NULL) {
		at += sizeof(iface) - 1;
		d->kind = DOCTOR_DEVICE_IF;
		word_to(d->driver, at);
		d->there = if_nametoindex(d->driver) != 0;
		d->queues = queues_of(d, text);
	}
}

void doctor_look_dpdk(const struct config *cfg, struct doctor_dpdk *d)
{
	if (!cfg->data.enabled || cfg->data.backend != CONFIG_BACKEND_DPDK)
		return;
	d->wanted = true;
	look_object(d);
	d->tun = access("/dev/net/tun", F_OK) == 0 ? DOCTOR_YES : DOCTOR_NO;
	for (unsigned i = 0; i < cfg->data.dpdk_ports_cnt; i++)
		look_device(&d->device[d->device_cnt++],
			    cfg->data.dpdk_ports[i]);
}
