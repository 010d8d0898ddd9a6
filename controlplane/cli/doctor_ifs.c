/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces that a node's packets come by, as the kernel tells of them:
 * default routes from /proc/net, the rest by ioctl, ethtool and netlink. */
#include "controlplane/cli/doctor.h"

#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUTE_LINE  512
#define ROUTES_MAX  4096 /* lines read: a router has very many */
#define ROUTE_WORDS 12

static void note_if(struct doctor_facts *f, const char *name)
{
	for (unsigned i = 0; i < f->if_cnt; i++)
		if (strcmp(f->ifs[i].name, name) == 0)
			return;
	if (f->if_cnt == DOCTOR_IFS)
		return;
	snprintf(f->ifs[f->if_cnt].name, DOCTOR_NAME, "%s", name);
	f->if_cnt++;
}

/* default4 returns the interface of a line of /proc/net/route (name,
 * destination, gateway, flags, references, use, metric, mask ..) that is a
 * default route, else NULL. */
static const char *default4(char *word[], unsigned cnt)
{
	uint32_t to, flags, mask;

	if (cnt < 8 || !doctor_hex(word[1], &to) ||
	    !doctor_hex(word[3], &flags) || !doctor_hex(word[7], &mask))
		return NULL;
	return to == 0 && mask == 0 && (flags & RTF_UP) != 0 ? word[0] : NULL;
}

/* default6 likewise for /proc/net/ipv6_route: destination, prefix length,
 * source, its length, next hop, metric, references, use, flags, name. */
static const char *default6(char *word[], unsigned cnt)
{
	uint32_t len, flags;

	if (cnt < 10 || !doctor_hex(word[1], &len) ||
	    !doctor_hex(word[8], &flags))
		return NULL;
	/* where there is no default route, lo has one that rejects */
	return len == 0 && (flags & RTF_UP) != 0 && (flags & RTF_REJECT) == 0
		       ? word[9]
		       : NULL;
}

static void routes(struct doctor_facts *f, const char *path,
		   const char *(*is_default)(char *word[], unsigned cnt))
{
	char line[ROUTE_LINE], *word[ROUTE_WORDS];
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return;
	for (unsigned n = 0; n < ROUTES_MAX && fgets(line, sizeof(line), in);
	     n++) {
		unsigned cnt = doctor_split(line, word, ROUTE_WORDS);
		const char *name = is_default(word, cnt);

		if (name != NULL)
			note_if(f, name);
	}
	fclose(in);
}

/* ---- one interface ---- */

static bool tool(int fd, const char *name, void *cmd)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s", name);
	r.ifr_data = cmd;
	return ioctl(fd, SIOCETHTOOL, &r) == 0;
}

static unsigned queues(unsigned combined, unsigned rx, unsigned tx)
{
	return combined + (rx > tx ? rx : tx);
}

static void ethtool(int fd, struct doctor_if *i)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	if (tool(fd, i->name, &drv))
		snprintf(i->driver, sizeof(i->driver), "%.31s", drv.driver);
	if (tool(fd, i->name, &ch)) {
		i->queues = queues(ch.combined_count, ch.rx_count, ch.tx_count);
		i->queues_most = queues(ch.max_combined, ch.max_rx, ch.max_tx);
		i->combined = ch.max_combined > 0;
	}
	if (tool(fd, i->name, &flags))
		i->lro = (flags.data & ETH_FLAG_LRO) != 0 ? DOCTOR_YES
							  : DOCTOR_NO;
}

static void query_xdp(const struct doctor_facts *f, struct doctor_if *i,
		      unsigned ifindex)
{
	struct bpf_xdp_query_opts o = { .sz = sizeof(o) };

	if (bpf_xdp_query((int)ifindex, 0, &o) != 0)
		return;
	i->prog_id = o.prog_id;
	i->features = o.feature_flags;
	/* older kernels do not have the question, and all zero then means
	 * nothing */
	if (o.feature_flags != 0 ||
	    f->version[0] * 1000 + f->version[1] >= 6003)
		i->known = DOCTOR_YES;
}

static void look_if(const struct doctor_facts *f, int fd, struct doctor_if *i)
{
	unsigned ifindex = if_nametoindex(i->name);
	struct ifreq r = { 0 };

	if (ifindex == 0)
		return;
	i->there = true;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s", i->name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) == 0)
		i->up = (r.ifr_flags & IFF_UP) != 0 &&
			(r.ifr_flags & IFF_RUNNING) != 0;
	if (ioctl(fd, SIOCGIFMTU, &r) == 0)
		i->mtu = (unsigned)r.ifr_mtu;
	ethtool(fd, i);
	query_xdp(f, i, ifindex);
}

/* libbpf's words are for developers; the findings have their own. */
static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* ethers are the Ethernet interfaces that are up: those af_xdp takes where
 * nothing else says which. */
static void ethers(struct doctor_facts *f, int fd)
{
	struct if_nameindex *list = if_nameindex();
	struct ifreq r = { 0 };

	for (unsigned i = 0; list != NULL && list[i].if_index != 0; i++) {
		snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s",
			 list[i].if_name);
		if (ioctl(fd, SIOCGIFHWADDR, &r) != 0 ||
		    r.ifr_hwaddr.sa_family != ARPHRD_ETHER ||
		    ioctl(fd, SIOCGIFFLAGS, &r) != 0 ||
		    (r.ifr_flags & IFF_UP) == 0)
			continue;
		note_if(f, list[i].if_name);
	}
	if_freenameindex(list);
}

void doctor_look_ifs(const struct config *cfg, struct doctor_facts *f)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	libbpf_set_print(silent);
	routes(f, "/proc/net/route", default4);
	routes(f, "/proc/net/ipv6_route", default6);
	f->routed = f->if_cnt > 0;
	if (f->wants_xdp && cfg->data.interfaces_cnt > 0) {
		f->if_cnt = 0;
		for (unsigned i = 0; i < cfg->data.interfaces_cnt; i++)
			note_if(f, cfg->data.interfaces[i]);
	} else if (!f->routed) {
		ethers(f, fd);
	}
	for (unsigned i = 0; i < f->if_cnt; i++)
		look_if(f, fd, &f->ifs[i]);
	close(fd);
}
