/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor: what it makes of facts.
 *
 * Method: a host on which all is well, one fact broken at a time; each has
 * to give its finding, with its level and its remedy, and no other finding
 * that is not ok. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/netdev.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/cli/doctor.h"

#define CAPS_ALL                                                               \
	(1ull << 12 | 1ull << 13 | 1ull << 38 | 1ull << 39) /* capability.h */

struct host {
	struct doctor_facts f;
	struct config c;
};

static void well(struct host *h)
{
	const struct doctor_if eth0 = {
		.name = "eth0",
		.driver = "ice",
		.there = true,
		.up = true,
		.mtu = 1500,
		.queues = 4,
		.queues_most = 8,
		.combined = true,
		.lro = DOCTOR_NO,
		.known = DOCTOR_YES,
		.features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_XSK_ZEROCOPY,
	};

	memset(h, 0, sizeof(*h));
	config_defaults(&h->c);
	h->c.data.enabled = true;
	h->c.data.workers = 4;
	h->f = (struct doctor_facts){
		.release = "6.12.1",
		.version = { 6, 12 },
		.btf = DOCTOR_YES,
		.bpffs = DOCTOR_YES,
		.jit = DOCTOR_YES,
		.af_xdp = DOCTOR_YES,
		.unprivileged_bpf = DOCTOR_NO,
		.caps = CAPS_ALL,
		.user = 990,
		.user_name = "vx6",
		.wants_xdp = true,
		.aes = DOCTOR_YES,
		.vaes = DOCTOR_YES,
		.entropy = DOCTOR_YES,
		.gro = DOCTOR_YES,
		.gso = DOCTOR_YES,
		.ipv6 = DOCTOR_YES,
		.aead = "ipsec-mb avx512 vaes",
		.clock_synced = DOCTOR_YES,
		.vx6d = true,
		.vx6d_pid = 42,
		.plane = "connected",
		.carries = "af_xdp",
		.routed = true,
		.rmem_max = 4u << 20,
		.wmem_max = 4u << 20,
		.nofile = 131072,
		.memlock = UINT64_MAX,
		.port_start = 1024,
		.state = { .path = "/s", DOCTOR_YES, true, 0700, 990 },
		.key = { .path = "/s/identity.key",
			    DOCTOR_YES, true,
			    0600, 990 },
		.port = { { .field = "control.listen", .at.port = 4242 },
			    { .field = "data.listen", .at.port = 4243 } },
		.port_cnt = 2,
		.ifs = { eth0 },
		.if_cnt = 1,
		.landlock = 6,
		.filters = DOCTOR_YES,
		.box = { { "vx6d", DOCTOR_YES, 71, "write /s", "" },
			    { "vx6-dataplane", DOCTOR_YES, 62, "", "CAP_BPF" } },
	};
	doctor_cpus("0-7\n", &h->f.cpus);
	doctor_cpus("0-7\n", &h->f.online);
}

static const struct doctor_finding *
find(const struct doctor_report *r, const char *check, enum doctor_level least)
{
	for (unsigned i = 0; i < r->cnt; i++)
		if (strcmp(r->f[i].check, check) == 0 && r->f[i].level >= least)
			return &r->f[i];
	return NULL;
}

static void well_judged(const struct host *h, struct doctor_report *r)
{
	doctor_judge(&h->f, &h->c, r);
	for (unsigned i = 0; i < r->cnt; i++)
		if (r->f[i].level != DOCTOR_OK)
			fail_msg("%s: %s", r->f[i].check, r->f[i].found);
}

static void all_is_well(void **state)
{
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	well_judged(&h, &r);
	assert_int_equal(r.of[DOCTOR_OK], r.cnt);
	assert_string_equal(find(&r, "backend", DOCTOR_OK)->found,
			    "af_xdp, on eth0");
	assert_string_equal(find(&r, "xdp eth0", DOCTOR_OK)->found,
			    "ice: native XDP, AF_XDP without copying");
	assert_string_equal(find(&r, "workers", DOCTOR_OK)->found,
			    "4, on 8 CPUs");
	assert_string_equal(find(&r, "link eth0", DOCTOR_OK)->found,
			    "up, 4 queues for 4 workers");
}

/* Workers are counted as the data plane counts them: so many, on so many
 * CPUs, and no complaint. */
static void counted_workers_are_well(void **state)
{
	static const struct {
		const char *cpus;
		enum config_backend backend;
		unsigned queues, named;
		const char *found;
	} as[] = {
		{ "0-7", CONFIG_BACKEND_AF_XDP, 4, 0, "4, on 8 CPUs" },
		{ "0-7", CONFIG_BACKEND_AF_XDP, 8, 0, "6, on 8 CPUs" },
		{ "0-1", CONFIG_BACKEND_AF_XDP, 1, 0, "1, on 2 CPUs" },
		{ "0-3", CONFIG_BACKEND_UDP,    1, 0, "3, on 4 CPUs" },
		{ "0-3", CONFIG_BACKEND_DPDK,   4, 0, "1, on 4 CPUs" },
		/* kept from all but those that are put there */
		{ "0-1", CONFIG_BACKEND_AF_XDP, 4, 2, "2, on 2 CPUs" },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(as); i++) {
		struct doctor_report r;
		struct host h;

		well(&h);
		doctor_cpus(as[i].cpus, &h.f.cpus);
		h.f.ifs[0].queues = as[i].queues;
		h.f.wants_xdp = as[i].backend == CONFIG_BACKEND_AF_XDP;
		h.c.data.backend = as[i].backend;
		h.c.data.workers = 0;
		h.c.data.idle = CONFIG_IDLE_SPIN;
		h.c.data.cpus_cnt = as[i].named;
		h.c.data.cpus[0] = 6;
		h.c.data.cpus[1] = 7;
		doctor_judge(&h.f, &h.c, &r);
		assert_string_equal(find(&r, "workers", DOCTOR_OK)->found,
				    as[i].found);
		assert_null(find(&r, "workers", DOCTOR_WARN));
		assert_null(find(&r, "link eth0", DOCTOR_WARN));
	}
}

static void lists_of_cpus_are_read(void **state)
{
	static const struct {
		const char *list;
		int cnt, last;
	} as[] = {
		{ "",		       0,           -1              },
		{ "0\n",                    1,           0               },
		{ "0-3,8\n",                5,           8               },
		{ "0,2,4-5\n",              4,           5               },
		{ "3-1",                    0,           -1              },
		{ "none",                   0,           -1              },
		{ "0-99999999999999999999", CPU_SETSIZE, CPU_SETSIZE - 1 },
		{ "4096",                   0,           -1              },
		{ "1,,2",                   1,           1               },
		{ "2-",                     0,           -1              },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(as); i++) {
		cpu_set_t set;
		int last = -1;

		doctor_cpus(as[i].list, &set);
		for (unsigned k = 0; k < CPU_SETSIZE; k++)
			if (CPU_ISSET(k, &set))
				last = (int)k;
		assert_int_equal(CPU_COUNT(&set), as[i].cnt);
		assert_int_equal(last, as[i].last);
	}
}

/* ---- one fact a time ---- */

#define BREAK(name, what)                                                      \
	static void name(struct host *h)                                       \
	{                                                                      \
		what;                                                          \
	}

BREAK(no_dpdk,
      (h->c.data.backend = CONFIG_BACKEND_DPDK, memcpy(h->f.carries, "udp", 4)))
/* On DPDK all is well. */
static void on_dpdk(struct host *h)
{
	h->c.data.backend = CONFIG_BACKEND_DPDK;
	h->f.wants_xdp = false;
	h->f.huge_all = 128;
	memcpy(h->f.carries, "dpdk", 5);
	h->f.dpdk = (struct doctor_dpdk){
		.wanted = true,
		.object = "/so",
		.there = DOCTOR_YES,
		.trusted = true,
		.tun = DOCTOR_YES,
		.device = { { "net_af_xdp0", DOCTOR_DEVICE_IF, true, "eth0",
			      4 },
                           { "0000:03:00.0", DOCTOR_DEVICE_PCI, true,
			      "vfio-pci", 0 },
                           { "net_ring0", DOCTOR_DEVICE_OTHER, false, "",
			      0 } },
		.device_cnt = 3,
	};
}

#define BREAK_DPDK(name, what) BREAK(name, on_dpdk(h); what)

BREAK_DPDK(no_object, h->f.dpdk.there = DOCTOR_NO)
BREAK_DPDK(hidden_object, h->f.dpdk.there = DOCTOR_UNKNOWN)
BREAK_DPDK(loose_object, h->f.dpdk.trusted = false)
BREAK_DPDK(no_huge_pages, h->f.huge_all = 0)
BREAK_DPDK(no_dpdk_if, h->f.dpdk.device[0].there = false)
BREAK_DPDK(few_pairs, h->f.dpdk.device[0].queues = 1)
BREAK_DPDK(no_pairs, h->f.dpdk.device[0].queues = 0;
	   memcpy(h->f.dpdk.device[0].name, "net_af_packet0", 15))
BREAK_DPDK(no_nic, h->f.dpdk.device[1].there = false)
BREAK_DPDK(kernels_nic, memcpy(h->f.dpdk.device[1].driver, "ixgbe", 6))
BREAK_DPDK(no_tun, h->f.dpdk.device_cnt = 2; h->f.dpdk.tun = DOCTOR_NO)
BREAK(denied, h->f.vx6d_denied = true)
BREAK(plane_waits, memcpy(h->f.plane, "waiting", 8))
BREAK(state_hidden, h->f.state.there = DOCTOR_UNKNOWN)
BREAK(no_state, h->f.state.there = DOCTOR_NO)
BREAK(state_a_file, h->f.state.kind_ok = false)
BREAK(state_of_root, h->f.state.uid = 0)
BREAK(state_open, h->f.state.mode = 0720)
BREAK(key_hidden, h->f.key.there = DOCTOR_UNKNOWN)
BREAK(no_key, h->f.key.there = DOCTOR_NO)
BREAK(key_a_link, h->f.key.kind_ok = false)
BREAK(key_open, h->f.key.mode = 0640)
BREAK(key_of_root, h->f.key.uid = 0)
BREAK(skewed, memcpy(h->f.clock_warning, "clock 312 s behind", 19))
BREAK(offset, h->f.offset_s = -61)
BREAK(unsynced, h->f.clock_synced = DOCTOR_NO)
BREAK(taken, h->f.port[0].is = DOCTOR_PORT_TAKEN;
      memcpy(h->f.port[0].owner, "nginx (pid 7)", 14))
BREAK(taken_by_whom, h->f.port[1].is = DOCTOR_PORT_TAKEN)
BREAK(away, h->f.port[0].is = DOCTOR_PORT_AWAY)
BREAK(low_port, h->f.port[0].at.port = 443)
BREAK(same_port, h->c.data.listen.port = h->c.control.listen[0].port)
BREAK(no_ipv6, h->f.ipv6 = DOCTOR_NO)
BREAK(small_rmem, h->f.rmem_max = (4u << 20) - 1)
BREAK(small_wmem, h->f.wmem_max = 212992)
BREAK(no_gro, h->f.gro = DOCTOR_NO)
BREAK(no_gso, h->f.gso = DOCTOR_NO)
BREAK(few_files, h->f.nofile = 1024)
BREAK(no_aes, h->f.aes = DOCTOR_NO)
BREAK(no_cipher, h->f.aead[0] = '\0')
BREAK(no_entropy, h->f.entropy = DOCTOR_NO)
BREAK(old_kernel, h->f.version[0] = 5; h->f.version[1] = 11)
BREAK(mute_kernel, h->f.version[0] = 6; h->f.version[1] = 2)
BREAK(ancient_kernel, h->f.version[0] = 4; h->f.wants_xdp = false)
BREAK(no_caps, h->f.caps = CAPS_ALL & ~(1ull << 39))
BREAK(little_locked, h->f.memlock = 8u << 20)
BREAK(no_af_xdp, h->f.af_xdp = DOCTOR_NO)
BREAK(no_btf, h->f.btf = DOCTOR_NO)
BREAK(no_bpffs, h->f.bpffs = DOCTOR_NO)
BREAK(no_jit, h->f.jit = DOCTOR_NO)
BREAK(open_bpf, h->f.unprivileged_bpf = DOCTOR_YES)
BREAK(no_route, h->f.routed = false)
BREAK(nowhere, h->f.if_cnt = 0)
BREAK(no_zerocopy, h->c.data.xdp_copy = CONFIG_XDP_ZEROCOPY;
      h->f.ifs[0].features &= ~(uint64_t)NETDEV_XDP_ACT_XSK_ZEROCOPY)
BREAK(refused, memcpy(h->f.carries, "udp", 4);
      memcpy(h->f.why, "no memory may be locked", 24))
BREAK(no_if, h->f.ifs[0].there = false)
BREAK(if_down, h->f.ifs[0].up = false)
BREAK(mtu_tiny, h->f.ifs[0].mtu = 1279)
BREAK(mtu_least, h->f.ifs[0].mtu = 1280)
BREAK(mtu_jumbo, h->f.ifs[0].mtu = 9000)
BREAK(mute_driver, h->f.ifs[0].known = DOCTOR_UNKNOWN)
BREAK(plain_driver, h->f.ifs[0].features = NETDEV_XDP_ACT_BASIC)
BREAK(has_program, h->f.ifs[0].prog_id = 9; h->f.carries[0] = '\0';
      h->f.vx6d = false)
BREAK(lro, h->f.ifs[0].lro = DOCTOR_YES)
BREAK(few_queues, h->f.ifs[0].queues = 3)
BREAK(one_queue, h->f.ifs[0].queues = 1; h->f.ifs[0].queues_most = 1)
BREAK(some_queues, h->f.ifs[0].queues = 1; h->f.ifs[0].queues_most = 2)
BREAK(veth_queues, h->f.ifs[0].queues = 2; h->f.ifs[0].combined = false)
BREAK(few_cpus, doctor_cpus("0-2", &h->f.cpus))
BREAK(one_cpu_for_two, h->c.data.cpus_cnt = h->c.data.workers = 2;
      h->c.data.cpus[0] = h->c.data.cpus[1] = 1)
BREAK(no_such_cpu, h->c.data.cpus_cnt = 2; h->c.data.cpus[1] = 8)
BREAK(far_cpu, h->c.data.cpus_cnt = 1; h->c.data.cpus[0] = 4096)
BREAK(all_spin, doctor_cpus("0-3", &h->f.cpus);
      h->c.data.idle = CONFIG_IDLE_SPIN)
BREAK(no_filters, h->f.filters = DOCTOR_NO)
BREAK(no_landlock, h->f.landlock = 0)
BREAK(no_program, h->f.box[0].told = DOCTOR_NO)
BREAK(mute_program, h->f.box[1].told = DOCTOR_UNKNOWN)

#define W DOCTOR_WARN
#define F DOCTOR_FAIL

/* clang-format off */
static const struct {
	void (*breaks)(struct host *h);
	const char *check;
	enum doctor_level level;
	const char *found, *remedy;
} cases[] = {
	{ denied, "vx6d", W, "may not ask", "member of the group vx6" },
	{ plane_waits, "vx6d", W, "does not answer", "systemctl start vx6-dataplane" },
	{ state_hidden, "state", W, "may not look at /s", "sudo vx6 doctor" },
	{ no_state, "state", W, "/s is not there", "vx6 init" },
	{ state_a_file, "state", F, "no directory", "--state" },
	{ state_of_root, "state", F, "belongs to user 0", "chown -R vx6 /s" },
	{ state_open, "state", F, "mode 0720", "chmod go-w /s" },
	{ key_hidden, "identity", W, "may not look", "sudo vx6 doctor" },
	{ no_key, "identity", W, "no /s/identity.key", "vx6 init" },
	{ key_a_link, "identity", F, "no plain file", "backup" },
	{ key_open, "identity", F, "mode 0640", "chmod 600 /s/identity.key" },
	{ key_of_root, "identity", F, "belongs to user 0", "chown vx6 /s/identity.key" },
	{ skewed, "clock", F, "312 s behind", "timesyncd" },
	{ offset, "clock", F, "far from", "timesyncd" },
	{ unsynced, "clock", W, "nothing keeps it", "timesyncd" },
	{ taken, "control port", F, "taken by nginx (pid 7)", "another control.listen" },
	{ taken_by_whom, "data port", F, "another process", "sport = :4243" },
	{ away, "control port", F, "no address of this host", "ip address" },
	{ low_port, "control port", F, "443 takes privilege", "CAP_NET_BIND_SERVICE" },
	{ same_port, "data port", F, "one port, 4242", "another data.listen" },
	{ no_ipv6, "ipv6", W, "no IPv6", "disable_ipv6=0" },
	{ small_rmem, "rmem_max", W, "4194303", "sysctl -w net.core.rmem_max=4194304" },
	{ small_wmem, "wmem_max", W, "212992", "sysctl -w net.core.wmem_max=4194304" },
	{ no_gro, "offload", W, "no GRO", "Linux 5.0" },
	{ no_gso, "offload", W, "no GSO", "Linux 5.0" },
	{ few_files, "descriptors", W, "limit is 1024", "ulimit -n" },
	{ no_aes, "cipher", W, "no AES instructions", "pass the host's CPU" },
	{ no_cipher, "cipher", F, "none works", "SSE4.2" },
	{ no_entropy, "random", F, "not ready", "virtio-rng" },
	{ old_kernel, "kernel", F, "cannot run the classifier", "Linux 6.3" },
	{ mute_kernel, "kernel", W, "does not tell", "Linux 6.3" },
	{ ancient_kernel, "kernel", W, "older than UDP GRO", "Linux 5.0" },
	{ no_caps, "privilege", F, "has not", "by its unit" },
	{ little_locked, "locked memory", W, "8192 KiB", "ulimit -l unlimited" },
	{ no_af_xdp, "af_xdp", F, "no AF_XDP", "CONFIG_XDP_SOCKETS" },
	{ no_btf, "btf", F, "btf/vmlinux", "CONFIG_DEBUG_INFO_BTF" },
	{ no_bpffs, "bpffs", W, "no BPF file system", "mount -t bpf" },
	{ no_jit, "bpf jit", W, "interpreted", "bpf_jit_enable=1" },
	{ open_bpf, "unprivileged bpf", W, "every user", "unprivileged_bpf_disabled=2" },
	{ no_route, "route", W, "none leads out", "ip route add" },
	{ no_dpdk, "backend", F, "dpdk is asked for", "restart" },
	{ no_object, "dpdk object", F, "/so is not there", "apt install vx6-dpdk" },
	{ hidden_object, "dpdk object", W, "cannot be told", "beside vx6" },
	{ loose_object, "dpdk object", F, "others may write it", "chmod go-w /so" },
	{ no_huge_pages, "dpdk memory", W, "--no-huge", "vm.nr_hugepages=128" },
	{ no_dpdk_if, "dpdk net_af_xdp0", F, "no interface eth0", "ip link" },
	{ few_pairs, "dpdk net_af_xdp0", F, "1 queue for 4 workers", "say queue_count=4 of it in data.dpdk_ports, or set data.workers to 1" },
	{ no_pairs, "dpdk net_af_packet0", F, "0 queues for 4", "say qpairs=4 of it in data.dpdk_ports, or set data.workers to 1" },
	{ no_nic, "dpdk 0000:03:00.0", F, "no PCI device", "lspci -D" },
	{ kernels_nic, "dpdk 0000:03:00.0", F, "driver ixgbe", "--bind=vfio-pci 0000:03:00.0" },
	{ no_tun, "dpdk 0000:03:00.0", F, "/dev/net/tun", "modprobe tun" },
	{ nowhere, "backend", F, "cannot be had", "data.backend udp" },
	{ no_zerocopy, "xdp eth0", F, "asks for zerocopy", "\"auto\"" },
	{ refused, "backend", F, "udp carries the cells: no memory", "do what it says" },
	{ no_if, "link eth0", F, "no interface eth0", "ip link" },
	{ if_down, "link eth0", F, "down", "ip link set eth0 up" },
	{ mtu_tiny, "mtu eth0", F, "1279 is below", "ip link set eth0 mtu 1500" },
	{ mtu_least, "mtu eth0", W, "1280: cells of 1232 bytes", "ip link set eth0 mtu 1500" },
	{ mtu_jumbo, "mtu eth0", W, "9000 does not fit", "ip link set eth0 mtu 1500" },
	{ mute_driver, "xdp eth0", W, "does not tell what ice", "Linux 6.3" },
	{ plain_driver, "xdp eth0", F, "ice has no native XDP", "data.backend udp" },
	{ has_program, "xdp eth0", W, "id 9", "ip link set eth0 xdp off" },
	{ few_queues, "link eth0", W, "3 queues for 4 workers: 1 of them sends", "ethtool -L eth0 combined 4, or set data.workers to 3" },
	{ one_queue, "link eth0", W, "1 queue for 4 workers: 3 of them send ", "set data.workers to 1; eth0 gives no more" },
	{ some_queues, "link eth0", W, "1 queue for 4", "ethtool -L eth0 combined 2, and set data.workers to 2" },
	{ veth_queues, "link eth0", W, "2 queues for 4", "ethtool -L eth0 rx 4 tx 4, or set data.workers to 2" },
	{ few_cpus, "workers", W, "4 on 3 CPUs", "data.workers to 2" },
	{ one_cpu_for_two, "workers", W, "2 on 1 CPU: they wait", "a CPU for each" },
	{ no_such_cpu, "workers", F, "names CPU 8", "cpu/online" },
	{ far_cpu, "workers", F, "names CPU 4096", "cpu/online" },
	{ all_spin, "workers", W, "4 on 4 CPUs, never waiting", "\"adaptive\"" },
	{ no_filters, "seccomp", W, "may make any", "CONFIG_SECCOMP_FILTER" },
	{ no_landlock, "landlock", W, "whatever its user may", "lsm=" },
	{ no_program, "sandbox vx6d", W, "vx6d is not beside", "install it" },
	{ mute_program, "sandbox vx6-dataplane", W, "vx6-dataplane does not say", "--print-sandbox" },
	{ lro, "xdp eth0", W, "large receive offload", "ethtool -K eth0 lro off" },
};
/* clang-format on */

static bool is_said(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void each_has_its_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < VX6_COUNT(cases); i++) {
		const struct doctor_finding *got;
		struct doctor_report r;
		struct host h;

		well(&h);
		cases[i].breaks(&h);
		doctor_judge(&h.f, &h.c, &r);
		got = find(&r, cases[i].check, cases[i].level);
		if (got == NULL || got->level != cases[i].level)
			fail_msg("%zu %s: no such finding", i, cases[i].check);
		if (!is_said(got->found, cases[i].found))
			fail_msg("%s: %s", cases[i].check, got->found);
		if (!is_said(got->remedy, cases[i].remedy))
			fail_msg("%s: %s", cases[i].check, got->remedy);
		/* the verdict on the back end follows from some of them */
		for (unsigned k = 0; k < r.cnt; k++)
			if (&r.f[k] != got && r.f[k].level != DOCTOR_OK &&
			    strcmp(r.f[k].check, "backend") != 0)
				fail_msg("%s: and %s: %s", cases[i].check,
					 r.f[k].check, r.f[k].found);
	}
}

static void every_trouble_has_a_remedy(void **state)
{
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	/* the ones that hide each other are last, and win */
	for (size_t i = 0; i < VX6_COUNT(cases); i++)
		cases[i].breaks(&h);
	h.f.if_cnt = 1;
	doctor_judge(&h.f, &h.c, &r);
	assert_true(r.cnt < DOCTOR_FINDINGS);
	for (unsigned i = 0; i < r.cnt; i++)
		if ((r.f[i].level == DOCTOR_OK) != (r.f[i].remedy[0] == '\0') &&
		    r.f[i].level != DOCTOR_OK)
			fail_msg("%s: %s, and no remedy", r.f[i].check,
				 r.f[i].found);
	assert_int_equal(
		r.of[DOCTOR_OK] + r.of[DOCTOR_WARN] + r.of[DOCTOR_FAIL], r.cnt);
}

static void all_is_well_on_dpdk(void **state)
{
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	on_dpdk(&h);
	doctor_judge(&h.f, &h.c, &r);
	assert_int_equal(r.of[DOCTOR_OK], r.cnt);
	assert_string_equal(find(&r, "dpdk net_af_xdp0", DOCTOR_OK)->found,
			    "on interface eth0");
	assert_string_equal(find(&r, "backend", DOCTOR_OK)->found, "dpdk");
	/* without huge pages where that is asked for */
	h.f.huge_all = 0;
	memcpy(h.c.data.dpdk_eal[h.c.data.dpdk_eal_cnt++], "--no-huge", 10);
	doctor_judge(&h.f, &h.c, &r);
	assert_int_equal(r.of[DOCTOR_OK], r.cnt);
}

/* What AF_XDP lacks is no trouble where sockets are asked for. */
static void sockets_need_no_xdp(void **state)
{
	static void (*const breaks[])(struct host *h) = {
		no_caps,   no_af_xdp,    no_btf,      no_bpffs, no_jit,
		mtu_jumbo, plain_driver, has_program, lro,
	};
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	for (size_t i = 0; i < VX6_COUNT(breaks); i++)
		breaks[i](&h);
	h.f.wants_xdp = false;
	well_judged(&h, &r);
	assert_string_equal(find(&r, "backend", DOCTOR_OK)->found,
			    "udp; af_xdp cannot be had here");
	well(&h);
	h.f.wants_xdp = false;
	doctor_judge(&h.f, &h.c, &r);
	assert_string_equal(find(&r, "backend", DOCTOR_OK)->found,
			    "udp; af_xdp could be had on eth0");
}

static void af_xdp_in_vain_is_a_failure(void **state)
{
	static void (*const breaks[])(struct host *h) = {
		no_caps, no_af_xdp,   no_btf,       nowhere,
		no_if,   mute_driver, plain_driver,
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(breaks); i++) {
		struct doctor_report r;
		struct host h;

		well(&h);
		breaks[i](&h);
		doctor_judge(&h.f, &h.c, &r);
		if (find(&r, "backend", DOCTOR_FAIL) == NULL)
			fail_msg("%zu: af_xdp is promised", i);
	}
}

/* A client has no worker, and no use for XDP. */
static void a_client_is_asked_less(void **state)
{
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	h.c.data.enabled = false;
	doctor_judge(&h.f, &h.c, &r);
	assert_null(find(&r, "af_xdp", DOCTOR_OK));
	assert_null(find(&r, "xdp eth0", DOCTOR_OK));
	assert_non_null(find(&r, "mtu eth0", DOCTOR_OK));
}

static void what_confines_is_told(void **state)
{
	struct doctor_report r;
	struct host h;

	(void)state;
	well(&h);
	doctor_judge(&h.f, &h.c, &r);
	assert_string_equal(find(&r, "sandbox vx6d", DOCTOR_OK)->found,
			    "71 system calls; files: write /s; capabilities: "
			    "none");
	assert_string_equal(find(&r, "sandbox vx6-dataplane", DOCTOR_OK)->found,
			    "62 system calls; files: none; capabilities: "
			    "CAP_BPF");
	assert_string_equal(find(&r, "landlock", DOCTOR_OK)->found,
			    "version 6 of its interface");
	h.f.box[1].program = NULL;
	doctor_judge(&h.f, &h.c, &r);
	assert_null(find(&r, "sandbox vx6-dataplane", DOCTOR_OK));
}

/* What a daemon says, taken apart. */
static void a_table_is_read(void **state)
{
	char table[] = "# system calls of vx6d\n"
		       "poll                # waits\n"
		       "socket             arg0=0x2 arg1=0x1  # IPv4\n"
		       "socket             arg0=0xa arg1=0x1  # IPv6\n"
		       "# system calls of every process of vx6\n"
		       "read                # descriptors\n"
		       "socket             arg0=0x1  # once more\n"
		       "# files\n"
		       "write /s  # state\n"
		       "read /dev/urandom  # keys\n"
		       "# capabilities\n"
		       "CAP_BPF             # maps\n"
		       "CAP_NET_RAW         # queues\n"
		       "# something that comes later\n"
		       "surprise            # is passed over\n";
	char none[] = "# files\nnone\n# capabilities\nnone\n";
	struct doctor_box b = { .calls = 0 };

	(void)state;
	doctor_read_box(table, &b);
	assert_int_equal(b.calls, 3);
	assert_string_equal(b.files, "write /s, read /dev/urandom");
	assert_string_equal(b.caps, "CAP_BPF, CAP_NET_RAW");
	b = (struct doctor_box){ .calls = 0 };
	doctor_read_box(none, &b);
	assert_int_equal(b.calls, 0);
	assert_string_equal(b.files, "");
	assert_string_equal(b.caps, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well),
		cmocka_unit_test(counted_workers_are_well),
		cmocka_unit_test(lists_of_cpus_are_read),
		cmocka_unit_test(all_is_well_on_dpdk),
		cmocka_unit_test(each_has_its_remedy),
		cmocka_unit_test(every_trouble_has_a_remedy),
		cmocka_unit_test(sockets_need_no_xdp),
		cmocka_unit_test(af_xdp_in_vain_is_a_failure),
		cmocka_unit_test(a_client_is_asked_less),
		cmocka_unit_test(what_confines_is_told),
		cmocka_unit_test(a_table_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
