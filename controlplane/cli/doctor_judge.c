/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/doctor.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <linux/netdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/workers.h"
#include "dataplane/net/net.h"

#define MTU_FULL  1500u /* carries a cell of full size */
#define MTU_LEAST 1280u /* RFC 8200 section 5 */
#define MTU_PAGE  3498u /* one page less room and bookkeeping of drivers */
#define HDR_V6    48u   /* IPv6 and UDP */
#define FDS_OWN   64u   /* descriptors of vx6d that serve no connection */
#define XDP_CAPS                                                               \
	(1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_BPF |       \
	 1ull << CAP_PERFMON)
#define XDP_NATIVE ((uint64_t)NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT)

/* ---- findings ---- */

/* add begins a finding; its remedy is said by remedy(). */
VX6_PRINTF(4, 5)
static void add(struct doctor_report *r, const char *check,
		enum doctor_level level, const char *fmt, ...)
{
	struct doctor_finding *f;
	va_list ap;

	if (r->cnt == DOCTOR_FINDINGS)
		return;
	f = &r->f[r->cnt++];
	*f = (struct doctor_finding){ .level = level };
	snprintf(f->check, sizeof(f->check), "%s", check);
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
	r->of[level]++;
}

VX6_PRINTF(2, 3)
static void remedy(struct doctor_report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->f[r->cnt - 1].remedy, DOCTOR_TEXT, fmt, ap);
	va_end(ap);
}

/* xdp is a level that counts only where AF_XDP is asked for. */
static enum doctor_level xdp(const struct doctor_facts *f,
			     enum doctor_level level)
{
	return f->wants_xdp ? level : DOCTOR_OK;
}

/* aside ends a sentence about AF_XDP where nobody asked for it. */
static const char *aside(const struct doctor_facts *f)
{
	return f->wants_xdp ? "" : "; data.backend udp does not need it";
}

/* ---- the node ---- */

static void judge_vx6d(const struct doctor_facts *f, const struct config *c,
		       struct doctor_report *r)
{
	if (f->vx6d_denied) {
		add(r, "vx6d", DOCTOR_WARN,
		    "runs, and this user may not ask it");
		remedy(r, "ask as root, or become a member of the group %s",
		       c->api_group);
	} else if (!f->vx6d) {
		add(r, "vx6d", DOCTOR_OK,
		    "does not run; what follows is what it will find");
	} else if (c->data.enabled && strcmp(f->plane, "connected") != 0) {
		add(r, "vx6d", DOCTOR_WARN,
		    "runs (pid %d), and vx6-dataplane does not answer it",
		    f->vx6d_pid);
		remedy(r, "systemctl start vx6-dataplane; its log says what "
			  "is wrong: journalctl -u vx6-dataplane");
	} else {
		add(r, "vx6d", DOCTOR_OK, "runs (pid %d)%s", f->vx6d_pid,
		    c->data.enabled ? ", with its data plane" : "");
	}
}

static void judge_state(const struct doctor_facts *f, const struct config *c,
			struct doctor_report *r)
{
	const struct doctor_file *s = &f->state;

	(void)c;
	if (s->there == DOCTOR_UNKNOWN) {
		add(r, "state", DOCTOR_WARN, "this user may not look at %s",
		    s->path);
		remedy(r, "ask as root: sudo vx6 doctor");
	} else if (s->there == DOCTOR_NO) {
		add(r, "state", DOCTOR_WARN, "%s is not there", s->path);
		remedy(r, "vx6 init makes it, and an identity in it");
	} else if (!s->kind_ok) {
		add(r, "state", DOCTOR_FAIL, "%s is no directory", s->path);
		remedy(r, "move it away, or name a directory with --state");
	} else if (s->uid != f->user) {
		add(r, "state", DOCTOR_FAIL,
		    "%s belongs to user %u, and %s (user %u) runs the node",
		    s->path, s->uid, f->user_name, f->user);
		remedy(r, "chown -R %s %s", f->user_name, s->path);
	} else if ((s->mode & 022) != 0) {
		add(r, "state", DOCTOR_FAIL,
		    "%s may be written by others (mode %04o)", s->path,
		    (unsigned)s->mode);
		remedy(r, "chmod go-w %s", s->path);
	} else {
		add(r, "state", DOCTOR_OK, "%s, of user %s, mode %04o", s->path,
		    f->user_name, (unsigned)s->mode);
	}
}

static void judge_key(const struct doctor_facts *f, const struct config *c,
		      struct doctor_report *r)
{
	const struct doctor_file *k = &f->key;

	(void)c;
	if (f->state.there != DOCTOR_YES)
		return; /* said with the directory */
	if (k->there == DOCTOR_UNKNOWN) {
		add(r, "identity", DOCTOR_WARN, "this user may not look at %s",
		    k->path);
		remedy(r, "ask as root: sudo vx6 doctor");
	} else if (k->there == DOCTOR_NO) {
		add(r, "identity", DOCTOR_WARN, "there is no %s", k->path);
		remedy(r, "vx6 init makes one");
	} else if (!k->kind_ok) {
		add(r, "identity", DOCTOR_FAIL, "%s is no plain file", k->path);
		remedy(r, "restore it from a backup");
	} else if (k->mode != 0600) {
		add(r, "identity", DOCTOR_FAIL, "%s has mode %04o", k->path,
		    (unsigned)k->mode);
		remedy(r,
		       "chmod 600 %s; if others could read it, the node needs "
		       "a new identity",
		       k->path);
	} else if (k->uid != f->user) {
		add(r, "identity", DOCTOR_FAIL,
		    "%s belongs to user %u, and %s (user %u) runs the node",
		    k->path, k->uid, f->user_name, f->user);
		remedy(r, "chown %s %s", f->user_name, k->path);
	} else {
		add(r, "identity", DOCTOR_OK, "mode 0600");
	}
}

static void judge_clock(const struct doctor_facts *f, const struct config *c,
			struct doctor_report *r)
{
	double most = (double)c->timers.clock_skew_ns / 1e9;
	long long off = f->offset_s < 0 ? -f->offset_s : f->offset_s;

	if (f->clock_warning[0] != '\0' || (double)off > most) {
		add(r, "clock", DOCTOR_FAIL, "%s",
		    f->clock_warning[0] != '\0' ? f->clock_warning
						: "far from the peers' clocks");
		remedy(r, "set it, and keep it right: systemctl enable --now "
			  "systemd-timesyncd (or chrony)");
	} else if (f->clock_synced == DOCTOR_NO) {
		add(r, "clock", DOCTOR_WARN,
		    "nothing keeps it right; records and circuits of others "
		    "are refused when it is wrong");
		remedy(r, "systemctl enable --now systemd-timesyncd (or "
			  "chrony)");
	} else if (f->clock_synced == DOCTOR_UNKNOWN) {
		add(r, "clock", DOCTOR_OK,
		    "the kernel does not say who keeps it");
	} else {
		add(r, "clock", DOCTOR_OK, "synchronised%s",
		    f->vx6d ? ", and close to the peers'" : "");
	}
}

/* ---- ports ---- */

static void judge_port(const struct doctor_facts *f,
		       const struct doctor_port *p, struct doctor_report *r)
{
	bool control = strcmp(p->field, "data.listen") != 0;
	const char *check = control ? "control port" : "data port";
	char at[VX6_ADDR_TEXT];

	vx6_addr_text(&p->at, at);
	if (p->is == DOCTOR_PORT_TAKEN) {
		add(r, check, DOCTOR_FAIL, "UDP %s is taken by %s", at,
		    p->owner[0] != '\0' ? p->owner : "another process");
		remedy(r,
		       "stop that one (ss -ulpn sport = :%u shows it), or "
		       "choose another %s",
		       p->at.port, p->field);
	} else if (p->is == DOCTOR_PORT_AWAY) {
		add(r, check, DOCTOR_FAIL, "%s is no address of this host", at);
		remedy(r, "choose one of `ip address` for %s, or [::]:%u",
		       p->field, p->at.port);
	} else if (p->is != DOCTOR_PORT_OURS && p->at.port != 0 &&
		   p->at.port < f->port_start && f->user != 0) {
		add(r, check, DOCTOR_FAIL,
		    "port %u takes privilege, which the user %s has not",
		    p->at.port, f->user_name);
		remedy(r,
		       "choose a %s above %u, or give the unit "
		       "AmbientCapabilities=CAP_NET_BIND_SERVICE",
		       p->field, f->port_start - 1);
	} else {
		add(r, check, DOCTOR_OK, "UDP %s is %s", at,
		    p->is == DOCTOR_PORT_OURS ? "ours" : "free");
	}
}

static void judge_ports(const struct doctor_facts *f, const struct config *c,
			struct doctor_report *r)
{
	for (unsigned i = 0; i < f->port_cnt; i++)
		judge_port(f, &f->port[i], r);
	if (c->data.enabled && c->data.listen.port != 0)
		for (unsigned i = 0; i < c->control.listen_cnt; i++)
			if (c->control.listen[i].port == c->data.listen.port) {
				add(r, "data port", DOCTOR_FAIL,
				    "data.listen and control.listen name one "
				    "port, %u",
				    c->data.listen.port);
				remedy(r, "choose another data.listen");
				break;
			}
	if (f->ipv6 == DOCTOR_NO) {
		add(r, "ipv6", DOCTOR_WARN,
		    "this host has no IPv6: nodes that have only that are out "
		    "of reach");
		remedy(r, "sysctl -w net.ipv6.conf.all.disable_ipv6=0, or boot "
			  "without ipv6.disable=1");
	}
}

static void judge_buffer(const char *name, uint64_t most,
			 struct doctor_report *r)
{
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "%s", name);
	if (most == 0) {
		add(r, check, DOCTOR_OK, "net.core.%s is not shown here", name);
	} else if (most < NET_BUF) {
		add(r, check, DOCTOR_WARN,
		    "net.core.%s is %" PRIu64 ", and socket buffers of %u are "
		    "asked for: cells may be lost in bursts",
		    name, most, NET_BUF);
		remedy(r,
		       "sysctl -w net.core.%s=%u, and the same line in "
		       "/etc/sysctl.d/60-vx6.conf",
		       name, NET_BUF);
	} else {
		add(r, check, DOCTOR_OK, "net.core.%s is %" PRIu64, name, most);
	}
}

static void judge_sockets(const struct doctor_facts *f, const struct config *c,
			  struct doctor_report *r)
{
	bool both = f->gro == DOCTOR_YES && f->gso == DOCTOR_YES;

	(void)c;
	judge_buffer("rmem_max", f->rmem_max, r);
	judge_buffer("wmem_max", f->wmem_max, r);
	add(r, "offload", both ? DOCTOR_OK : DOCTOR_WARN,
	    both ? "UDP sockets take and give many datagrams in one call"
		 : "UDP sockets here have no %s: each datagram costs a call's "
		   "work",
	    f->gro != DOCTOR_YES ? "GRO" : "GSO");
	if (!both)
		remedy(r, "use Linux 5.0 or newer");
}

static void judge_limits(const struct doctor_facts *f, const struct config *c,
			 struct doctor_report *r)
{
	const char *whose = f->limits_vx6d ? "vx6d's" : "this shell's";
	uint64_t need = (uint64_t)c->limits.connections + c->limits.forwarders +
			c->limits.commands + FDS_OWN;

	if (f->nofile < need) {
		add(r, "descriptors", DOCTOR_WARN,
		    "%s limit is %" PRIu64 ", and the configuration allows for "
		    "%" PRIu64,
		    whose, f->nofile, need);
		remedy(r,
		       "ulimit -n %" PRIu64 " before `vx6 run` (the unit has "
		       "its own limit), or lower limits.connections",
		       need);
	} else {
		add(r, "descriptors", DOCTOR_OK, "%s limit is %" PRIu64, whose,
		    f->nofile);
	}
}

/* ---- the machine ---- */

static void judge_cpu(const struct doctor_facts *f, const struct config *c,
		      struct doctor_report *r)
{
	(void)c;
	if (f->aead[0] == '\0') {
		add(r, "cipher", DOCTOR_FAIL, "none works on this CPU");
		remedy(r, "use an x86-64 CPU with SSE4.2");
	} else if (f->aes != DOCTOR_YES) {
		add(r, "cipher", DOCTOR_WARN,
		    "%s: the CPU has no AES instructions, ChaCha20-Poly1305 "
		    "runs",
		    f->aead);
		remedy(r, "in a virtual machine pass the host's CPU through; "
			  "AES-GCM is several times faster");
	} else {
		add(r, "cipher", DOCTOR_OK, "%s; AES instructions%s", f->aead,
		    f->vaes == DOCTOR_YES ? ", VAES" : ", no VAES");
	}
	if (f->entropy == DOCTOR_NO) {
		add(r, "random", DOCTOR_FAIL,
		    "the kernel's random numbers are not ready");
		remedy(r, "wait, or give the machine a source: virtio-rng in "
			  "a virtual machine, rng-tools elsewhere");
	} else {
		add(r, "random", DOCTOR_OK, "ready");
	}
}

static void judge_kernel(const struct doctor_facts *f, const struct config *c,
			 struct doctor_report *r)
{
	unsigned v = f->version[0] * 1000 + f->version[1];

	(void)c;
	if (v < 5012 && f->wants_xdp) {
		add(r, "kernel", DOCTOR_FAIL,
		    "%s cannot run the classifier (5.12 can)", f->release);
		remedy(r, "use Linux 6.3 or newer (Debian 13 has 6.12), or say "
			  "data.backend udp");
	} else if (v < 6003 && f->wants_xdp) {
		add(r, "kernel", DOCTOR_WARN,
		    "%s does not tell what a driver's XDP can do", f->release);
		remedy(r, "use Linux 6.3 or newer (Debian 13 has 6.12)");
	} else if (v < 5000) {
		add(r, "kernel", DOCTOR_WARN, "%s is older than UDP GRO",
		    f->release);
		remedy(r, "use Linux 5.0 or newer (Debian 13 has 6.12)");
	} else {
		add(r, "kernel", DOCTOR_OK, "%s", f->release);
	}
}

/* ---- workers ---- */

/* How many there will be. */
static unsigned workers(const struct doctor_facts *f, const struct config *c)
{
	uint32_t queues = CONFIG_QUEUES_ANY;

	if (c->data.backend != CONFIG_BACKEND_UDP)
		queues = 1;
	for (unsigned i = 0; f->wants_xdp && i < f->if_cnt; i++)
		if (f->ifs[i].queues > queues)
			queues = f->ifs[i].queues;
	return config_workers(c->data.workers, c->data.cpus_cnt,
			      (unsigned)CPU_COUNT(&f->cpus), queues);
}

/* The first of data.cpus that there is not, or -1. */
static int cpu_away(const struct doctor_facts *f, const struct config *c)
{
	for (unsigned i = 0; i < c->data.cpus_cnt; i++)
		if (CPU_COUNT(&f->online) > 0 &&
		    (c->data.cpus[i] >= CPU_SETSIZE ||
		     !CPU_ISSET(c->data.cpus[i], &f->online)))
			return (int)c->data.cpus[i];
	return -1;
}

/* How many CPUs n workers may have: those that they are put on, which may
 * be kept from everybody else (isolcpus), and those that everybody has.
 * *left is how many of the latter are no worker's. */
static unsigned for_workers(const struct doctor_facts *f,
			    const struct config *c, unsigned n, unsigned *left)
{
	cpu_set_t set, both;

	CPU_ZERO(&set);
	if (n > c->data.cpus_cnt)
		set = f->cpus;
	for (unsigned i = 0; i < c->data.cpus_cnt && i < n; i++)
		if (c->data.cpus[i] < CPU_SETSIZE)
			CPU_SET(c->data.cpus[i], &set);
	CPU_AND(&both, &set, &f->cpus);
	*left = (unsigned)(CPU_COUNT(&f->cpus) - CPU_COUNT(&both));
	return (unsigned)CPU_COUNT(&set);
}

static void judge_workers(const struct doctor_facts *f, const struct config *c,
			  struct doctor_report *r)
{
	unsigned n = workers(f, c), left, on = for_workers(f, c, n, &left);
	unsigned good = config_workers(0, 0, (unsigned)CPU_COUNT(&f->cpus),
				       CONFIG_QUEUES_ANY);
	int away = cpu_away(f, c);

	if (!c->data.enabled)
		return;
	if (away >= 0) {
		add(r, "workers", DOCTOR_FAIL,
		    "data.cpus names CPU %d, which is not there or offline",
		    away);
		remedy(r, "choose from /sys/devices/system/cpu/online for "
			  "data.cpus");
	} else if (n > on && on > 0) {
		add(r, "workers", DOCTOR_WARN,
		    "%u on %u CPU%s: they wait for each other", n, on,
		    on == 1 ? "" : "s");
		remedy(r,
		       "set data.workers to %u, or to 0, and name a CPU for "
		       "each in data.cpus, or none",
		       good);
	} else if (n == on && left == 0 && c->data.idle == CONFIG_IDLE_SPIN) {
		add(r, "workers", DOCTOR_WARN,
		    "%u on %u CPU%s, never waiting (data.idle): none is left "
		    "for the kernel and vx6d",
		    n, on, on == 1 ? "" : "s");
		remedy(r, "set data.idle to \"adaptive\", or data.workers to "
			  "fewer than there are CPUs");
	} else {
		add(r, "workers", DOCTOR_OK, "%u, on %u CPU%s", n, on,
		    on == 1 ? "" : "s");
	}
}

/* A worker without a queue sends there by its socket, and has the cells of
 * its links from others.  Whose interface is short gets what to type. */
static void judge_queues(const struct doctor_if *i, unsigned n,
			 struct doctor_report *r)
{
	unsigned lacking = n - i->queues;
	unsigned some = n < i->queues_most ? n : i->queues_most;
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "link %.16s", i->name);
	add(r, check, DOCTOR_WARN,
	    "up, %u queue%s for %u workers: %u of them send%s there by a "
	    "socket",
	    i->queues, i->queues == 1 ? "" : "s", n, lacking,
	    lacking == 1 ? "s" : "");
	if (some <= i->queues)
		remedy(r, "set data.workers to %u; %s gives no more queues",
		       i->queues, i->name);
	else if (i->combined)
		remedy(r,
		       "ethtool -L %s combined %u, %s set data.workers to %u",
		       i->name, some, some < n ? "and" : "or",
		       some < n ? some : i->queues);
	else
		remedy(r,
		       "ethtool -L %s rx %u tx %u, %s set data.workers to %u",
		       i->name, some, some, some < n ? "and" : "or",
		       some < n ? some : i->queues);
}

/* ---- AF_XDP ---- */

static void judge_caps(const struct doctor_facts *f, struct doctor_report *r)
{
	bool all = (f->caps & XDP_CAPS) == XDP_CAPS;

	if (all || f->unit) {
		add(r, "privilege", DOCTOR_OK, "%s",
		    all ? "this user has what AF_XDP takes"
			: "vx6-dataplane.service has what AF_XDP takes");
		return;
	}
	add(r, "privilege", xdp(f, DOCTOR_FAIL),
	    "this user has not what AF_XDP takes%s", aside(f));
	remedy(r, "start vx6-dataplane by its unit, or as root; it takes "
		  "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_NET_RAW");
}

static void judge_bpf(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->af_xdp == DOCTOR_NO) {
		add(r, "af_xdp", xdp(f, DOCTOR_FAIL),
		    "this kernel has no AF_XDP sockets%s", aside(f));
		remedy(r, "use a kernel with CONFIG_XDP_SOCKETS, as Debian's "
			  "is, or say data.backend udp");
	} else {
		add(r, "af_xdp", DOCTOR_OK, "%s",
		    f->af_xdp == DOCTOR_YES ? "the kernel has it"
					    : "asking takes CAP_NET_RAW");
	}
	if (f->btf == DOCTOR_NO) {
		add(r, "btf", xdp(f, DOCTOR_FAIL),
		    "there is no /sys/kernel/btf/vmlinux%s", aside(f));
		remedy(r, "use a kernel with CONFIG_DEBUG_INFO_BTF, as "
			  "Debian's is, or say data.backend udp");
	} else {
		add(r, "btf", DOCTOR_OK, "the kernel describes itself");
	}
	if (f->bpffs != DOCTOR_YES) {
		add(r, "bpffs", xdp(f, DOCTOR_WARN),
		    "no BPF file system at /sys/fs/bpf: an interface cannot "
		    "be shared with other XDP programs%s",
		    aside(f));
		remedy(r, "mount -t bpf bpf /sys/fs/bpf");
	} else {
		add(r, "bpffs", DOCTOR_OK, "mounted at /sys/fs/bpf");
	}
	if (f->jit == DOCTOR_NO) {
		add(r, "bpf jit", xdp(f, DOCTOR_WARN),
		    "BPF programs are interpreted%s", aside(f));
		remedy(r, "sysctl -w net.core.bpf_jit_enable=1");
	}
	if (f->unprivileged_bpf == DOCTOR_YES) {
		add(r, "unprivileged bpf", DOCTOR_WARN,
		    "every user of this host may load BPF programs");
		remedy(r, "sysctl -w kernel.unprivileged_bpf_disabled=2");
	}
}

static void judge_memory(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->memlock != UINT64_MAX && !f->unit &&
	    (f->caps & 1ull << CAP_IPC_LOCK) == 0) {
		add(r, "locked memory", xdp(f, DOCTOR_WARN),
		    "the limit is %" PRIu64 " KiB, and AF_XDP pins its "
		    "packets%s",
		    f->memlock >> 10, aside(f));
		remedy(r, "ulimit -l unlimited before `vx6 run`; the unit has "
			  "LimitMEMLOCK=infinity");
	}
	if (f->huge_free == 0) {
		add(r, "hugepages", DOCTOR_OK,
		    "none are reserved, and none are needed");
		return;
	}
	add(r, "hugepages", DOCTOR_OK,
	    "%" PRIu64 " of %" PRIu64 " KiB are free; none are needed",
	    f->huge_free, f->huge_kib);
}

static void judge_xdp(const struct doctor_facts *f, const struct config *c,
		      struct doctor_report *r)
{
	if (!c->data.enabled)
		return;
	judge_caps(f, r);
	judge_bpf(f, r);
	judge_memory(f, r);
}

/* ---- interfaces ---- */

static void judge_mtu(const struct doctor_facts *f, const struct doctor_if *i,
		      struct doctor_report *r)
{
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "mtu %.16s", i->name);
	if (i->mtu < MTU_LEAST) {
		add(r, check, DOCTOR_FAIL,
		    "%u is below IPv6's least, %u: sessions do not come about",
		    i->mtu, MTU_LEAST);
		remedy(r, "ip link set %s mtu %u", i->name, MTU_FULL);
	} else if (i->mtu < MTU_FULL) {
		add(r, check, DOCTOR_WARN,
		    "%u: cells of %u bytes instead of %u", i->mtu,
		    i->mtu - HDR_V6, MTU_FULL - HDR_V6);
		remedy(r,
		       "ip link set %s mtu %u, where the network behind it "
		       "carries that",
		       i->name, MTU_FULL);
	} else if (i->mtu > MTU_PAGE && f->wants_xdp &&
		   (i->features & NETDEV_XDP_ACT_RX_SG) == 0) {
		add(r, check, DOCTOR_WARN,
		    "%u does not fit into one page: drivers then refuse XDP",
		    i->mtu);
		remedy(r, "ip link set %s mtu %u", i->name, MTU_FULL);
	} else {
		add(r, check, DOCTOR_OK, "%u carries cells of full size",
		    i->mtu);
	}
}

static bool zerocopy_in_vain(const struct doctor_if *i, const struct config *c)
{
	return c->data.xdp_copy == CONFIG_XDP_ZEROCOPY &&
	       (i->features & NETDEV_XDP_ACT_XSK_ZEROCOPY) == 0;
}

static void judge_driver(const struct doctor_facts *f, const struct config *c,
			 const struct doctor_if *i, struct doctor_report *r)
{
	const char *driver = i->driver[0] != '\0' ? i->driver : "its driver";
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "xdp %.16s", i->name);
	if (i->known == DOCTOR_UNKNOWN) {
		add(r, check, xdp(f, DOCTOR_WARN),
		    "the kernel does not tell what %s can do", driver);
		remedy(r, "use Linux 6.3 or newer; starting vx6-dataplane "
			  "tells, too");
	} else if ((i->features & XDP_NATIVE) != XDP_NATIVE) {
		add(r, check, xdp(f, DOCTOR_FAIL),
		    "%s has no native XDP with redirect%s", driver, aside(f));
		remedy(r,
		       "choose an interface whose driver has it (%s), or "
		       "say data.backend udp",
		       "ice, i40e, ixgbe, mlx5, virtio_net, veth ..");
	} else if (zerocopy_in_vain(i, c)) {
		add(r, check, xdp(f, DOCTOR_FAIL),
		    "%s copies, and data.xdp_copy asks for zerocopy", driver);
		remedy(r, "set data.xdp_copy to \"auto\"");
	} else {
		add(r, check, DOCTOR_OK, "%s: native XDP, AF_XDP %s", driver,
		    (i->features & NETDEV_XDP_ACT_XSK_ZEROCOPY) != 0
			    ? "without copying"
			    : "copies");
	}
	if (i->prog_id != 0 && strcmp(f->carries, "af_xdp") != 0) {
		add(r, check, xdp(f, DOCTOR_WARN),
		    "an XDP program (id %u) is attached already", i->prog_id);
		remedy(r,
		       "bpftool prog show id %u says whose; ip link set %s xdp "
		       "off takes it off",
		       i->prog_id, i->name);
	}
	if (i->lro == DOCTOR_YES) {
		add(r, check, xdp(f, DOCTOR_WARN),
		    "large receive offload is on: most drivers refuse XDP with "
		    "it");
		remedy(r, "ethtool -K %s lro off", i->name);
	}
}

static void judge_if(const struct doctor_facts *f, const struct config *c,
		     const struct doctor_if *i, struct doctor_report *r)
{
	unsigned n = workers(f, c);
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "link %.16s", i->name);
	if (!i->there) {
		add(r, check, DOCTOR_FAIL, "there is no interface %s", i->name);
		remedy(r, "correct data.interfaces; `ip link` shows what there "
			  "is");
		return;
	}
	if (!i->up) {
		add(r, check, DOCTOR_FAIL, "%s is down", i->name);
		remedy(r, "ip link set %s up", i->name);
	} else if (f->wants_xdp && i->queues > 0 && i->queues < n) {
		judge_queues(i, n, r);
	} else if (f->wants_xdp && i->queues > 0) {
		add(r, check, DOCTOR_OK, "up, %u queue%s for %u worker%s",
		    i->queues, i->queues == 1 ? "" : "s", n, n == 1 ? "" : "s");
	} else {
		add(r, check, DOCTOR_OK, "up");
	}
	judge_mtu(f, i, r);
	judge_driver(f, c, i, r);
}

static void judge_ifs(const struct doctor_facts *f, const struct config *c,
		      struct doctor_report *r)
{
	if (!f->routed) {
		add(r, "route", DOCTOR_WARN, "none leads out of this host");
		remedy(r, "ip route add default via GATEWAY");
	}
	for (unsigned i = 0; i < f->if_cnt; i++) {
		if (c->data.enabled)
			judge_if(f, c, &f->ifs[i], r);
		else
			judge_mtu(f, &f->ifs[i], r);
	}
}

/* ---- what confines the daemons ---- */

static void judge_box(const struct doctor_box *b, struct doctor_report *r)
{
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "sandbox %.18s", b->program);
	if (b->told == DOCTOR_YES) {
		add(r, check, DOCTOR_OK,
		    "%u system calls; files: %s; capabilities: %s", b->calls,
		    b->files[0] != '\0' ? b->files : "none",
		    b->caps[0] != '\0' ? b->caps : "none");
	} else if (b->told == DOCTOR_NO) {
		add(r, check, DOCTOR_WARN,
		    "%s is not beside vx6, and cannot be asked", b->program);
		remedy(r, "install it beside vx6");
	} else {
		add(r, check, DOCTOR_WARN, "%s does not say what confines it",
		    b->program);
		remedy(r, "%s --print-sandbox tells why", b->program);
	}
}

static void judge_sandbox(const struct doctor_facts *f, const struct config *c,
			  struct doctor_report *r)
{
	(void)c;
	if (f->filters == DOCTOR_NO) {
		add(r, "seccomp", DOCTOR_WARN,
		    "this kernel has no filters of system calls: the daemons "
		    "may make any");
		remedy(r, "use a kernel with CONFIG_SECCOMP_FILTER, as "
			  "Debian's is");
	} else {
		add(r, "seccomp", DOCTOR_OK, "the kernel filters system calls");
	}
	if (f->landlock == 0) {
		add(r, "landlock", DOCTOR_WARN,
		    "this kernel has no Landlock: vx6d may open whatever its "
		    "user may");
		remedy(r, "boot with landlock in lsm= (a kernel with "
			  "CONFIG_SECURITY_LANDLOCK, as Debian's is)");
	} else {
		add(r, "landlock", DOCTOR_OK, "version %d of its interface",
		    f->landlock);
	}
	for (unsigned i = 0; i < DOCTOR_BOXES; i++)
		if (f->box[i].program != NULL)
			judge_box(&f->box[i], r);
}

/* ---- what DPDK needs ---- */

static void judge_object(const struct doctor_dpdk *d, struct doctor_report *r)
{
	if (d->there == DOCTOR_YES && d->trusted) {
		add(r, "dpdk object", DOCTOR_OK, "%.200s", d->object);
	} else if (d->there == DOCTOR_YES) {
		add(r, "dpdk object", DOCTOR_FAIL,
		    "%.180s is not root's, or others may write it: it is not "
		    "loaded",
		    d->object);
		remedy(r, "chown root %.100s; chmod go-w %.100s", d->object,
		       d->object);
	} else if (d->there == DOCTOR_NO) {
		add(r, "dpdk object", DOCTOR_FAIL, "%.200s is not there",
		    d->object);
		remedy(r, "apt install vx6-dpdk, or say data.backend udp");
	} else {
		add(r, "dpdk object", DOCTOR_WARN,
		    "where vx6-dataplane would look for it cannot be told");
		remedy(r, "install vx6-dataplane beside vx6, or see as root");
	}
}

static void judge_pages(const struct doctor_facts *f, const struct config *c,
			struct doctor_report *r)
{
	bool without = false;

	for (unsigned i = 0; i < c->data.dpdk_eal_cnt; i++)
		without |= strcmp(c->data.dpdk_eal[i], "--no-huge") == 0;
	if (f->huge_all > 0 || without) {
		add(r, "dpdk memory", DOCTOR_OK,
		    "%" PRIu64 " huge pages, %" PRIu64 " free%s", f->huge_all,
		    f->huge_free, without ? "; --no-huge is asked for" : "");
		return;
	}
	add(r, "dpdk memory", DOCTOR_WARN,
	    "there are no huge pages: EAL runs with --no-huge, slower");
	remedy(r, "sysctl -w vm.nr_hugepages=128, and a line of that in "
		  "/etc/sysctl.d");
}

static void judge_nic(const struct doctor_device *d, const char *check,
		      struct doctor_report *r)
{
	if (!d->there) {
		add(r, check, DOCTOR_FAIL, "there is no PCI device %s",
		    d->name);
		remedy(r, "lspci -D lists them; set data.dpdk_ports");
	} else if (strcmp(d->driver, "vfio-pci") == 0 ||
		   strncmp(d->driver, "mlx", 3) == 0) {
		add(r, check, DOCTOR_OK, "has the driver %s", d->driver);
	} else {
		add(r, check, DOCTOR_FAIL,
		    "the kernel's driver %s has it, not vfio-pci",
		    d->driver[0] != '\0' ? d->driver : "(none)");
		remedy(r,
		       "dpdk-devbind.py --bind=vfio-pci %s, after its "
		       "addresses are elsewhere",
		       d->name);
	}
}

/* Worker k has queue k of each device, and without it the data plane ends. */
static void judge_pairs(const struct doctor_device *d, const char *check,
			unsigned n, struct doctor_report *r)
{
	if (d->queues >= n) {
		add(r, check, DOCTOR_OK, "on interface %s", d->driver);
		return;
	}
	add(r, check, DOCTOR_FAIL,
	    "%u queue%s for %u workers: vx6-dataplane will not start",
	    d->queues, d->queues == 1 ? "" : "s", n);
	remedy(r,
	       "say %s=%u of it in data.dpdk_ports, or set data.workers to %u",
	       doctor_queues_word(d), n, d->queues > 0 ? d->queues : 1);
}

static void judge_device(const struct doctor_dpdk *k,
			 const struct doctor_device *d, unsigned n,
			 struct doctor_report *r)
{
	char check[DOCTOR_CHECK];

	snprintf(check, sizeof(check), "dpdk %.22s", d->name);
	if (d->kind == DOCTOR_DEVICE_PCI) {
		judge_nic(d, check, r);
	} else if (d->kind == DOCTOR_DEVICE_IF && !d->there) {
		add(r, check, DOCTOR_FAIL, "there is no interface %s",
		    d->driver);
		remedy(r, "ip link lists them; set data.dpdk_ports");
	} else if (d->kind == DOCTOR_DEVICE_IF) {
		judge_pairs(d, check, n, r);
	} else {
		add(r, check, DOCTOR_OK, "made by DPDK");
	}
	if (d->kind == DOCTOR_DEVICE_IF || k->tun != DOCTOR_NO)
		return;
	add(r, check, DOCTOR_FAIL,
	    "no /dev/net/tun, by which the kernel would have its traffic");
	remedy(r, "modprobe tun");
}

static void judge_dpdk_needs(const struct doctor_facts *f,
			     const struct config *c, struct doctor_report *r)
{
	if (!f->dpdk.wanted)
		return;
	judge_object(&f->dpdk, r);
	judge_pages(f, c, r);
	for (unsigned i = 0; i < f->dpdk.device_cnt; i++)
		judge_device(&f->dpdk, &f->dpdk.device[i], workers(f, c), r);
}

/* ---- the verdict on the back end ---- */

static bool if_can(const struct doctor_if *i)
{
	return i->there && i->known == DOCTOR_YES &&
	       (i->features & XDP_NATIVE) == XDP_NATIVE;
}

static void judge_dpdk(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->carries[0] == '\0') {
		add(r, "backend", DOCTOR_WARN,
		    "dpdk is asked for, and no data plane runs that has it");
		remedy(r, "see what DPDK needs above, start vx6-dataplane, and "
			  "read its log");
	} else if (strcmp(f->carries, "dpdk") != 0) {
		add(r, "backend", DOCTOR_FAIL,
		    "dpdk is asked for, and %s carries the cells", f->carries);
		remedy(r, "restart vx6-dataplane");
	} else {
		add(r, "backend", DOCTOR_OK, "dpdk");
	}
}

static void judge_backend(const struct doctor_facts *f, const struct config *c,
			  struct doctor_report *r)
{
	bool can = f->af_xdp != DOCTOR_NO && f->btf == DOCTOR_YES &&
		   (f->unit || (f->caps & XDP_CAPS) == XDP_CAPS);
	const struct doctor_if *on = NULL;

	if (!c->data.enabled) {
		add(r, "backend", DOCTOR_OK,
		    "data.enabled is false: this node forwards nothing");
		return;
	}
	if (c->data.backend == CONFIG_BACKEND_DPDK) {
		judge_dpdk(f, r);
		return;
	}
	for (unsigned i = 0; i < f->if_cnt && on == NULL; i++)
		if (if_can(&f->ifs[i]))
			on = &f->ifs[i];
	if (f->wants_xdp && f->why[0] != '\0') {
		add(r, "backend", DOCTOR_FAIL, "%s carries the cells: %s",
		    f->carries, f->why);
		remedy(r, "do what it says, and restart vx6-dataplane; or say "
			  "data.backend udp");
	} else if (f->wants_xdp && (!can || on == NULL)) {
		add(r, "backend", DOCTOR_FAIL,
		    "af_xdp is asked for and cannot be had; sockets would "
		    "carry the cells");
		remedy(r, "see the failures above, or say data.backend udp");
	} else if (f->wants_xdp) {
		add(r, "backend", DOCTOR_OK, "af_xdp, on %s", on->name);
	} else if (can && on != NULL) {
		add(r, "backend", DOCTOR_OK, "udp; af_xdp could be had on %s",
		    on->name);
	} else {
		add(r, "backend", DOCTOR_OK, "udp; af_xdp cannot be had here");
	}
}

void doctor_judge(const struct doctor_facts *facts, const struct config *cfg,
		  struct doctor_report *out)
{
	static void (*const judges[])(const struct doctor_facts *,
				      const struct config *,
				      struct doctor_report *) = {
		judge_vx6d,    judge_state,      judge_key,     judge_clock,
		judge_ports,   judge_cpu,        judge_workers, judge_kernel,
		judge_sockets, judge_limits,     judge_ifs,     judge_xdp,
		judge_sandbox, judge_dpdk_needs, judge_backend,
	};

	*out = (struct doctor_report){ 0 };
	for (unsigned i = 0; i < VX6_COUNT(judges); i++)
		judges[i](facts, cfg, out);
}
