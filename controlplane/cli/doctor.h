/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_DOCTOR_H
#define VX6_CONTROLPLANE_CLI_DOCTOR_H

/* doctor: what of this host and this configuration would be in a node's
 * way, and what to do about it.
 *
 *     doctor_look            facts            doctor_judge
 *     /proc, /sys, netlink --struct--> pure, --struct--> findings --> table
 *     ethtool, vx6d's socket           no I/O                         JSON
 *     the daemons' programs
 *
 * Nothing is changed, no port is opened and no packet sent; the daemons are
 * asked what would confine them, and do no more than say it.  What a check
 * cannot see without privilege it calls unknown, and says who can.
 *
 * A finding is ok, a warning (it works, less well) or a failure (it will
 * not work); each that is not ok has a remedy.  What only AF_XDP needs is no
 * failure where the configuration does not ask for it.
 *
 * Ownership: everything is the caller's.  Threads: one. */

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "config/config.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"

#define DOCTOR_IFS      8u
#define DOCTOR_PORTS    (CONFIG_LISTEN_MAX + 1u)
#define DOCTOR_FINDINGS 64u
#define DOCTOR_CHECK    28u
#define DOCTOR_TEXT     256u
#define DOCTOR_NAME     32u
#define DOCTOR_BOXES    3u /* vx6d, the data plane, its keeper */

enum doctor_word { DOCTOR_UNKNOWN, DOCTOR_NO, DOCTOR_YES };

struct doctor_if { /* one interface that cells come by */
	char name[DOCTOR_NAME];
	char driver[DOCTOR_NAME]; /* "" = unknown */
	bool there, up;
	unsigned mtu;
	unsigned queues;        /* in use, as the data plane counts them;
				   0 = unknown */
	unsigned queues_most;   /* that it can have */
	bool combined;          /* a queue both receives and sends */
	enum doctor_word lro;   /* large receive offload is on */
	enum doctor_word known; /* whether the kernel told the features */
	uint64_t features;      /* NETDEV_XDP_ACT_* (linux/netdev.h) */
	uint32_t prog_id;       /* XDP program that is attached; 0 = none */
};

enum doctor_port_is {
	DOCTOR_PORT_FREE,
	DOCTOR_PORT_OURS,
	DOCTOR_PORT_TAKEN,
	DOCTOR_PORT_AWAY /* no address of this host */
};

struct doctor_port {
	const char *field; /* "control.listen" */
	struct vx6_addr at;
	enum doctor_port_is is;
	char owner[2 * DOCTOR_NAME]; /* "nginx (pid 12)"; "" = unknown */
};

struct doctor_file { /* the state directory, the identity */
	char path[CONFIG_PATH_TEXT + 16];
	enum doctor_word there; /* unknown: we may not look */
	bool kind_ok;           /* a directory, a plain file */
	mode_t mode;            /* permission bits */
	uid_t uid;
};

struct doctor_box {            /* what confines a daemon, as it says itself */
	const char *program;   /* NULL: there is none in this configuration */
	enum doctor_word told; /* no: it is not beside vx6 */
	unsigned calls;        /* of the system, which it may make */
	char files[DOCTOR_TEXT / 2]; /* "read /a, write /b"; "" = none */
	char caps[DOCTOR_TEXT / 2];  /* "CAP_BPF, .."; "" = none */
};

enum doctor_device_is {
	DOCTOR_DEVICE_OTHER, /* made by DPDK out of nothing */
	DOCTOR_DEVICE_IF,    /* stands on an interface of the kernel */
	DOCTOR_DEVICE_PCI
};

struct doctor_device { /* of DPDK, as data.dpdk_ports names it */
	char name[DOCTOR_NAME];
	enum doctor_device_is kind;
	bool there;
	char driver[DOCTOR_NAME]; /* of a PCI device, "" = none; or the
				     interface */
	unsigned queues;          /* on an interface: asked for */
};

struct doctor_dpdk {
	bool wanted; /* data.backend; else the rest is empty */
	char object[CONFIG_PATH_TEXT * 2];
	enum doctor_word there;
	bool trusted; /* by the data plane, which loads it */
	enum doctor_word tun;
	struct doctor_device device[CONFIG_DPDK_PORTS_MAX];
	unsigned device_cnt;
};

struct doctor_facts {
	char release[65];
	unsigned version[2]; /* 6, 12 */
	enum doctor_word btf, bpffs, jit, af_xdp, unprivileged_bpf;
	uint64_t caps; /* effective, bits of linux/capability.h */
	bool unit;     /* vx6-dataplane.service is installed */
	uid_t uid;     /* ours */
	uid_t user;    /* who would run vx6d */
	char user_name[DOCTOR_NAME];
	bool wants_xdp;   /* data.backend */
	cpu_set_t cpus;   /* that a process like us may run on */
	cpu_set_t online; /* all that there are; none: not told */
	enum doctor_word aes, vaes, entropy, gro, gso, ipv6;
	char aead[64]; /* "" = none works */
	enum doctor_word clock_synced;
	bool vx6d;        /* it answered */
	bool vx6d_denied; /* it is there, and not for us */
	int vx6d_pid;
	char plane[16];             /* dataplane.state, "" = not told */
	char carries[16];           /* dataplane.backend */
	char why[DOCTOR_TEXT - 40]; /* dataplane.why: not what was asked for */
	long long offset_s;         /* our clock against the peers' */
	char clock_warning[DOCTOR_TEXT / 2];
	uint64_t rmem_max, wmem_max; /* 0 = unknown */
	uint64_t nofile, memlock;    /* soft limits, of .. */
	bool limits_vx6d;            /* .. the vx6d that runs, else ours */
	unsigned port_start;         /* below it ports take privilege */
	uint64_t huge_all, huge_free, huge_kib;
	struct doctor_file state, key;
	struct doctor_port port[DOCTOR_PORTS];
	unsigned port_cnt;
	struct doctor_if ifs[DOCTOR_IFS];
	unsigned if_cnt;
	bool routed;              /* a default route is there */
	int landlock;             /* version of its interface, 0 = none */
	enum doctor_word filters; /* of system calls */
	struct doctor_box box[DOCTOR_BOXES];
	struct doctor_dpdk dpdk;
};

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	char check[DOCTOR_CHECK]; /* "mtu eth0" */
	enum doctor_level level;
	char found[DOCTOR_TEXT];
	char remedy[DOCTOR_TEXT]; /* "" where it is ok */
};

struct doctor_report {
	struct doctor_finding f[DOCTOR_FINDINGS];
	unsigned cnt;
	unsigned of[DOCTOR_FAIL + 1]; /* how many of each level */
};

/* doctor_judge turns facts into findings.  Pure.  Control characters in the
 * facts are in the findings, too: the caller cleans what it shows. */
VX6_NONNULL void doctor_judge(const struct doctor_facts *facts,
			      const struct config *cfg,
			      struct doctor_report *out);

/* doctor_look gathers the facts for cfg, whose directories are filled.
 * file is where it was read from; NULL: nowhere. */
VX6_NONNULL_ARGS(1, 3)
void doctor_look(const struct config *cfg, const char *file,
		 struct doctor_facts *out);

/* Parts of doctor_look: what would confine the daemons; the interfaces
 * (f->ifs), the ports (f->port).  The latter two come after what vx6d says of
 * itself. */
VX6_NONNULL_ARGS(1, 3)
void doctor_look_boxes(const struct config *cfg, const char *file,
		       struct doctor_facts *f);
VX6_NONNULL void doctor_look_ifs(const struct config *cfg,
				 struct doctor_facts *f);
VX6_NONNULL void doctor_look_ports(const struct config *cfg,
				   const char control[][VX6_ADDR_TEXT],
				   unsigned control_cnt, const char *data,
				   struct doctor_facts *f);

/* doctor_look_dpdk is the part for data.backend dpdk. */
VX6_NONNULL void doctor_look_dpdk(const struct config *cfg,
				  struct doctor_dpdk *d);

/* doctor_queues_word is how such a device is asked for queues in
 * data.dpdk_ports. */
VX6_NONNULL const char *doctor_queues_word(const struct doctor_device *d);

/* doctor_read reads at most len - 1 bytes of a file below /proc or /sys and
 * ends them with NUL; false (and "") when it cannot. */
VX6_NONNULL bool doctor_read(const char *path, char *out, size_t len);

/* doctor_read_box takes apart what a daemon says to --print-sandbox, in
 * place, and fills *b but for program and told. */
VX6_NONNULL void doctor_read_box(char *table, struct doctor_box *b);

/* doctor_split cuts a line of such a file at blanks, in place, into at most
 * most words, and returns how many; doctor_hex reads a whole word. */
VX6_NONNULL unsigned doctor_split(char *line, char *word[], unsigned most);
VX6_NONNULL bool doctor_hex(const char *word, uint32_t *out);

/* doctor_cpus reads a list of CPUs as the kernel writes it, "0-3,8"; what is
 * no such list is no CPU. */
VX6_NONNULL void doctor_cpus(const char *list, cpu_set_t *out);

#endif
