/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has the ports that the configuration names.  They are looked up in the
 * kernel's table of sockets: trying them would take them from a node that
 * starts at that moment. */
#include "controlplane/cli/doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_LINE  512
#define SOCKETS_MAX 65536u /* lines of the table that are read */
#define PROCS_MAX   65536u
#define WORDS       10 /* of a line, up to the inode */

/* ---- the kernel's table ---- */

/* hex_words reads 32-bit words as the kernel prints them: each in this
 * machine's order, eight digits. */
static bool hex_words(const char *text, unsigned n, uint8_t *out)
{
	for (unsigned i = 0; i < n; i++) {
		char word[9];
		uint32_t v;

		snprintf(word, sizeof(word), "%.8s", text + 8 * (size_t)i);
		if (!doctor_hex(word, &v))
			return false;
		memcpy(out + 4 * (size_t)i, &v, 4);
	}
	return true;
}

/* parse_line: "sl: LOCAL:PORT REMOTE:PORT st tx:rx tr:tm retr uid timeout
 * inode .."; false for the heading. */
static bool parse_line(char *line, struct vx6_addr *at, unsigned long *inode)
{
	char *word[WORDS], *colon;
	uint32_t port;
	size_t len;

	if (doctor_split(line, word, WORDS) < WORDS)
		return false;
	colon = strchr(word[1], ':');
	if (colon == NULL || !doctor_hex(colon + 1, &port) || port > UINT16_MAX)
		return false;
	len = (size_t)(colon - word[1]);
	*inode = strtoul(word[9], NULL, 10);
	memset(at, 0, sizeof(*at));
	at->port = (uint16_t)port;
	if (len == 32)
		return hex_words(word[1], 4, at->ip);
	at->ip[10] = at->ip[11] = 0xff;
	return len == 8 && hex_words(word[1], 1, at->ip + 12);
}

static bool is_any(const struct vx6_addr *a)
{
	static const uint8_t none[16];
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->ip, none, 16) == 0 || memcmp(a->ip, any4, 16) == 0;
}

static bool collide(const struct vx6_addr *a, const struct vx6_addr *b)
{
	return a->port == b->port &&
	       (is_any(a) || is_any(b) || memcmp(a->ip, b->ip, 16) == 0);
}

/* find_socket returns the inode of a UDP socket that has the port, 0: none.
 * A socket may have inode 0, when its process is gone; then it says 1. */
static unsigned long find_socket(const struct vx6_addr *at)
{
	static const char *const table[] = { "/proc/net/udp",
					     "/proc/net/udp6" };
	char line[TABLE_LINE];
	unsigned long found = 0;

	for (unsigned t = 0; t < VX6_COUNT(table) && found == 0; t++) {
		FILE *in = fopen(table[t], "re");
		struct vx6_addr has;
		unsigned long inode;

		if (in == NULL)
			continue;
		for (unsigned n = 0; n < SOCKETS_MAX && found == 0 &&
				     fgets(line, sizeof(line), in) != NULL;
		     n++)
			if (parse_line(line, &has, &inode) && collide(at, &has))
				found = inode == 0 ? 1 : inode;
		fclose(in);
	}
	return found;
}

/* ---- whose it is ---- */

static bool holds(const char *pid, unsigned long inode)
{
	char path[300], want[32], got[32];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	d = opendir(path);
	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, got,
				       sizeof(got) - 1);

		got[n < 0 ? 0 : n] = '\0';
		found = strcmp(got, want) == 0;
	}
	closedir(d);
	return found;
}

/* find_owner says "nginx (pid 12)", or "" where we may not know. */
static void find_owner(unsigned long inode, char out[2 * DOCTOR_NAME])
{
	DIR *d = opendir("/proc");
	char path[64], name[DOCTOR_NAME];
	struct dirent *e;

	out[0] = '\0';
	if (d == NULL)
		return;
	for (unsigned n = 0; n < PROCS_MAX && (e = readdir(d)) != NULL; n++) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !holds(e->d_name, inode))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", e->d_name);
		if (!doctor_read(path, name, sizeof(name)))
			break;
		name[strcspn(name, "\n")] = '\0';
		snprintf(out, 2 * DOCTOR_NAME, "%s (pid %.12s)", name,
			 e->d_name);
		break;
	}
	closedir(d);
}

/* ---- one port ---- */

static bool is_here(const struct vx6_addr *at)
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (is_any(at) || getifaddrs(&list) != 0)
		return true;
	for (i = list; i != NULL && !found; i = i->ifa_next) {
		struct vx6_addr has;

		if (i->ifa_addr == NULL ||
		    vx6_addr_from(&has, i->ifa_addr) != VX6_OK)
			continue;
		/* all of 127.0.0.0/8 is this host's */
		found = memcmp(has.ip, at->ip, 16) == 0 ||
			(vx6_addr_is_v4(at) && at->ip[12] == 127 &&
			 vx6_addr_is_v4(&has) && has.ip[12] == 127);
	}
	freeifaddrs(list);
	return found;
}

static void look_port(struct doctor_facts *f, const char *field,
		      const struct vx6_addr *at, bool ours)
{
	struct doctor_port *p = &f->port[f->port_cnt++];
	unsigned long inode;

	*p = (struct doctor_port){ .field = field, .at = *at };
	if (ours) {
		p->is = DOCTOR_PORT_OURS;
		return;
	}
	if (at->port == 0)
		return;
	inode = find_socket(at);
	if (inode != 0) {
		p->is = DOCTOR_PORT_TAKEN;
		find_owner(inode, p->owner);
	} else if (!is_here(at)) {
		p->is = DOCTOR_PORT_AWAY;
	}
}

static bool is_same(const struct vx6_addr *at, const char *text)
{
	struct vx6_addr has;

	return vx6_addr_parse(&has, text) == VX6_OK && collide(at, &has);
}

void doctor_look_ports(const struct config *cfg,
		       const char control[][VX6_ADDR_TEXT],
		       unsigned control_cnt, const char *data,
		       struct doctor_facts *f)
{
	for (unsigned i = 0; i < cfg->control.listen_cnt; i++) {
		bool ours = false;

		for (unsigned k = 0; k < control_cnt; k++)
			ours = ours ||
			       is_same(&cfg->control.listen[i], control[k]);
		look_port(f, "control.listen", &cfg->control.listen[i], ours);
	}
	if (cfg->data.enabled)
		look_port(f, "data.listen", &cfg->data.listen,
			  is_same(&cfg->data.listen, data));
}
