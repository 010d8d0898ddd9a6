/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <pthread.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/port/dpdk/own.h"

#define DESC      1024u /* of a ring, where the driver lets us choose */
#define MTU       1500u
#define BASE_MIB  48u /* EAL's own memory and the drivers', without pages */
#define FRAME_KIB 3u  /* an mbuf with all that is around it */
#define LAST_LINE 120u

#define BUSY_TRIES 40u /* for a queue that another socket has still .. */
#define BUSY_NS    (25 * 1000 * 1000)

#define WHOLE_NAME (DPDK_DEVICE_TEXT + 48u)

struct node dpdk_node = { .steer = -1 };

/* ---- what DPDK says ---- */

static struct {
	pthread_t owner; /* may log */
	void (*say)(void *ctx, bool warn, const char *event, const char *device,
		    const char *text);
	void *ctx;
	bool mute;
	char first[LAST_LINE]; /* of its complaints */
} log_to;

/* A line of DPDK's log; other threads' lines are nobody's. */
static ssize_t take_line(void *cookie, const char *text, size_t len)
{
	bool warn = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_WARNING;
	char line[LAST_LINE];
	size_t n = len < sizeof(line) ? len : sizeof(line) - 1;

	(void)cookie;
	if (!pthread_equal(log_to.owner, pthread_self()) || log_to.mute)
		return (ssize_t)len;
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		line[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	line[n] = '\0';
	if (n == 0)
		return (ssize_t)len;
	/* the first complaint is the cause of the others */
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR &&
	    log_to.first[0] == '\0')
		memcpy(log_to.first, line, sizeof(line));
	if (log_to.say != NULL)
		log_to.say(log_to.ctx, warn, "eal", "", line);
	return (ssize_t)len;
}

static void listen_to_log(void)
{
	static FILE *f;

	if (f == NULL)
		f = fopencookie(NULL, "w",
				(cookie_io_functions_t){ .write = take_line });
	if (f == NULL)
		return;
	setvbuf(f, NULL, _IOLBF, 0);
	rte_openlog_stream(f);
}

/* ---- EAL ---- */

struct args {
	char text[DPDK_ARGS + DPDK_DEVICES * 2 + 12][DPDK_DEVICE_TEXT];
	char *at[DPDK_ARGS + DPDK_DEVICES * 2 + 13];
	int cnt;
};

static void add(struct args *a, const char *text)
{
	snprintf(a->text[a->cnt], sizeof(a->text[0]), "%s", text);
	a->at[a->cnt] = a->text[a->cnt];
	a->at[++a->cnt] = NULL;
}

static void add_num(struct args *a, const char *name, const char *prefix,
		    unsigned long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%lu", prefix, n);
	add(a, name);
	add(a, text);
}

static bool huge_pages(void)
{
	unsigned long n = 0;
	glob_t g;

	if (glob("/sys/kernel/mm/hugepages/*/free_hugepages", 0, NULL, &g) != 0)
		return false;
	for (size_t i = 0; i < g.gl_pathc && n == 0; i++) {
		char line[32] = "";
		FILE *f = fopen(g.gl_pathv[i], "re");

		if (f == NULL)
			continue;
		if (fgets(line, sizeof(line), f) != NULL)
			n = strtoul(line, NULL, 10);
		fclose(f);
	}
	globfree(&g);
	return n > 0;
}

/* "0000:03:00.0" or "03:00.0", with arguments or not. */
static bool is_pci(const char *device)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	unsigned colons = 0;

	for (;;) {
		size_t n = strspn(device, hex);

		if (n == 0)
			return false;
		device += n;
		if (*device == '.')
			return colons > 0 && colons <= 2 &&
			       strspn(device + 1, hex) > 0;
		if (*device++ != ':')
			return false;
		colons++;
	}
}

/* Devices that nobody named are left alone. */
static void add_devices(struct args *a, const struct dpdk_opts *o)
{
	bool any = false;

	for (unsigned i = 0; i < o->device_cnt; i++) {
		if (!is_pci(o->device[i]))
			continue;
		add(a, "-a");
		add(a, o->device[i]);
		any = true;
	}
	if (!any)
		add(a, "--no-pci");
}

static size_t first_cpu(const cpu_set_t *set)
{
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, set))
			return i;
	return 0;
}

static void make_args(struct args *a, const struct dpdk_opts *o,
		      uint32_t frames, const cpu_set_t *cpus)
{
	a->cnt = 0;
	add(a, "vx6-dataplane");
	add(a, "--no-telemetry");
	add_num(a, "--file-prefix", "vx6-", (unsigned long)getpid());
	/* this thread, which forwards nothing, is EAL's only one */
	add_num(a, "-l", "", first_cpu(cpus));
	if (huge_pages()) {
		add(a, "--in-memory");
	} else { /* EAL has not both, and so leaves as little behind */
		add(a, "--no-huge");
		add(a, "--no-shconf");
		add_num(a, "-m", "",
			BASE_MIB + (unsigned long)o->queues * frames *
					   FRAME_KIB / 1024);
		o->say(o->ctx, true, "no-huge-pages", "",
		       "no huge page is free: EAL runs without them, which is "
		       "slower; sysctl vm.nr_hugepages=128 makes some");
	}
	add_devices(a, o);
	for (unsigned i = 0; i < o->arg_cnt; i++)
		add(a, o->arg[i]);
}

/* What is wrong comes by the log; with it come pages of help on stdout. */
static int init_quietly(struct args *a)
{
	int out, n, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fflush(stdout);
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (null >= 0 && out >= 0)
		(void)dup2(null, STDOUT_FILENO);
	n = rte_eal_init(a->cnt, a->at);
	fflush(stdout);
	if (out >= 0) {
		(void)dup2(out, STDOUT_FILENO);
		close(out);
	}
	if (null >= 0)
		close(null);
	return n;
}

static enum vx6_status start_eal(const struct dpdk_opts *o, uint32_t frames,
				 char why[DPDK_WHY])
{
	static struct args a; /* EAL keeps pointers into it */
	static bool tried;
	cpu_set_t cpus;
	bool known = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
	int n;

	if (dpdk_node.up)
		return VX6_OK;
	if (tried) {
		snprintf(
			why, DPDK_WHY,
			"DPDK did not start, and takes another attempt only in "
			"a new process");
		return VX6_CONFIG;
	}
	if (!known)
		CPU_ZERO(&cpus);
	for (unsigned i = 0; i < o->arg_cnt; i++)
		if (strcmp(o->arg[i], "-h") == 0 ||
		    strcmp(o->arg[i], "-v") == 0 ||
		    strncmp(o->arg[i], "--he", 4) == 0 ||
		    strncmp(o->arg[i], "--ve", 4) == 0) {
			snprintf(why, DPDK_WHY,
				 "data.dpdk_eal: %.60s is no argument for a "
				 "daemon: leave it out",
				 o->arg[i]);
			return VX6_CONFIG;
		}
	make_args(&a, o, frames, &cpus);
	listen_to_log();
	tried = true;
	n = init_quietly(&a);
	if (known) /* EAL pins its caller, whose threads would all inherit it */
		(void)sched_setaffinity(0, sizeof(cpus), &cpus);
	if (n >= 0) {
		dpdk_node.up = true;
		return VX6_OK;
	}
	snprintf(why, DPDK_WHY,
		 "DPDK does not start (%s): look at data.dpdk_eal, and at what "
		 "it says",
		 log_to.first[0] != '\0' ? log_to.first
					 : rte_strerror(rte_errno));
	return VX6_CONFIG;
}

/* ---- devices ---- */

static void own_name(char out[DPDK_DEVICE_TEXT], const char *device)
{
	snprintf(out, DPDK_DEVICE_TEXT, "%.*s", (int)strcspn(device, ","),
		 device);
}

static enum vx6_status no_device(const char *what, int err, const char *device,
				 char why[DPDK_WHY])
{
	snprintf(why, DPDK_WHY, "data.dpdk_ports: %.60s %s (%.100s)", device,
		 what,
		 log_to.first[0] != '\0' ? log_to.first : rte_strerror(err));
	return VX6_CONFIG;
}

static enum vx6_status configure(struct device *d, const struct dpdk_opts *o,
				 char why[DPDK_WHY])
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(d->id, &info);

	if (rc != 0)
		return no_device("says nothing of itself", -rc, d->name, why);
	if (o->queues > info.max_rx_queues || o->queues > info.max_tx_queues) {
		snprintf(why, DPDK_WHY,
			 "data.dpdk_ports: %.60s has %u queue%s, and each "
			 "worker takes one: give it %u (vdevs: qpairs=, "
			 "queue_count=), or lower data.workers",
			 d->name, info.max_rx_queues,
			 info.max_rx_queues == 1 ? "" : "s", o->queues);
		return VX6_CONFIG;
	}
	if (o->queues > 1 && info.flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads &
						   (RTE_ETH_RSS_IP |
						    RTE_ETH_RSS_UDP);
	}
	rc = rte_eth_dev_configure(d->id, (uint16_t)o->queues,
				   (uint16_t)o->queues, &conf);
	if (rc != 0)
		return no_device("cannot be configured", -rc, d->name, why);
	d->ifindex = info.if_index;
	d->copied = strcmp(info.driver_name, "net_af_packet") == 0 ||
		    strcmp(info.driver_name, "net_pcap") == 0;
	return VX6_OK;
}

static enum vx6_status know(struct device *d, unsigned n, char why[DPDK_WHY])
{
	struct rte_ether_addr mac = { 0 };
	char name[IF_NAMESIZE];
	uint16_t mtu;

	d->mtu = rte_eth_dev_get_mtu(d->id, &mtu) == 0 && mtu >= 1280 ? mtu
								      : MTU;
	(void)rte_eth_macaddr_get(d->id, &mac);
	memcpy(d->mac, mac.addr_bytes, sizeof(d->mac));
	if (d->ifindex != 0) {
		if (if_indextoname(d->ifindex, name) != NULL)
			memcpy(d->label, name, sizeof(d->label));
		return VX6_OK;
	}
	(void)rte_eth_allmulticast_enable(d->id); /* neighbour discovery */
	if (dpdk_tap_open(d, n))
		return VX6_OK;
	snprintf(why, DPDK_WHY,
		 "interface vx6k%u, by which the kernel has %.40s, cannot be "
		 "made: %s; it takes /dev/net/tun and CAP_NET_ADMIN, and no "
		 "other interface of that name",
		 n, d->name, strerror(errno));
	return VX6_SYS;
}

/* The driver takes off whatever program it finds when it ends, so that
 * another's must be found before. */
static enum vx6_status no_other(const char *device, char why[DPDK_WHY])
{
	char interface[IF_NAMESIZE];
	uint32_t other = dpdk_steer_other(device, interface);

	if (other == 0)
		return VX6_OK;
	snprintf(why, DPDK_WHY,
		 "data.dpdk_ports: %s has an XDP program already (id %u): take "
		 "it off (ip link set dev %s xdp off), or leave the interface "
		 "to it",
		 interface, other, interface);
	return VX6_EXISTS;
}

/* The device with its arguments, and with the program where it names none;
 * false with errno. */
static bool whole_name(const char *device, uint16_t port, char out[WHOLE_NAME])
{
	struct node *n = &dpdk_node;

	snprintf(out, WHOLE_NAME, "%s", device);
	if (!dpdk_steers(device))
		return true;
	if (n->steer < 0)
		n->steer = dpdk_steer_file(port);
	if (n->steer < 0)
		return false;
	snprintf(out, WHOLE_NAME, "%s,xdp_prog=/proc/self/fd/%d", device,
		 n->steer);
	return true;
}

static enum vx6_status open_device(unsigned n, const struct dpdk_opts *o,
				   uint16_t port, char why[DPDK_WHY])
{
	struct device *d = &dpdk_node.device[n];
	char whole[WHOLE_NAME];
	enum vx6_status st;
	int rc;

	memset(d, 0, sizeof(*d));
	d->tap_fd = d->link = -1;
	d->attaches = dpdk_attaches(o->device[n]);
	own_name(d->name, o->device[n]);
	snprintf(d->label, sizeof(d->label), "%.15s", d->name);
	log_to.first[0] = '\0';
	st = no_other(o->device[n], why);
	if (st != VX6_OK)
		return st;
	if (!whole_name(o->device[n], port, whole))
		return no_device("takes a file in memory", errno, d->name, why);
	if (rte_eth_dev_get_port_by_name(d->name, &d->id) != 0) {
		rc = rte_dev_probe(whole);
		if (rc != 0)
			return no_device("is no device that DPDK can open", -rc,
					 d->name, why);
		if (rte_eth_dev_get_port_by_name(d->name, &d->id) != 0)
			return no_device("is no network device", ENODEV,
					 d->name, why);
	}
	dpdk_node.device_cnt = n + 1;
	st = configure(d, o, why);
	return st == VX6_OK ? know(d, n, why) : st;
}

static void close_devices(void)
{
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++) {
		struct device *d = &dpdk_node.device[i];
		struct rte_eth_dev_info info;
		int known = rte_eth_dev_info_get(d->id, &info);

		if (d->link >= 0)
			close(d->link);
		(void)rte_eth_dev_close(d->id);
		if (known == 0)
			(void)rte_dev_remove(info.device);
		if (d->tap_fd >= 0)
			close(d->tap_fd);
	}
	dpdk_node.device_cnt = 0;
	if (dpdk_node.steer >= 0)
		close(dpdk_node.steer);
	dpdk_node.steer = -1;
}

enum vx6_status dpdk_node_pool(struct rte_mempool **pool,
			       const struct dpdk_opts *o, uint32_t frames,
			       char why[DPDK_WHY])
{
	int node = o->node >= 0 ? o->node : SOCKET_ID_ANY;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "vx6_%u", dpdk_node.made++);
	*pool = rte_pktmbuf_pool_create_by_ops(name, frames, 0, DPDK_PRIV,
					       DPDK_BUF, node, "ring_sp_sc");
	if (*pool == NULL && node != SOCKET_ID_ANY) /* none is there */
		*pool = rte_pktmbuf_pool_create_by_ops(
			name, frames, 0, DPDK_PRIV, DPDK_BUF, SOCKET_ID_ANY,
			"ring_sp_sc");
	if (*pool != NULL) {
		dpdk_node.pool[o->queue] = *pool;
		return VX6_OK;
	}
	snprintf(why, DPDK_WHY,
		 "DPDK has no memory for %u frames (%s): give it more, by huge "
		 "pages or with -m in data.dpdk_eal",
		 frames, rte_strerror(rte_errno));
	return VX6_NO_MEMORY;
}

static void free_pools(void)
{
	dpdk_node.away = 0;
	for (unsigned i = 0; i < DPDK_QUEUES; i++) {
		struct rte_mempool *pool = dpdk_node.pool[i];

		if (pool == NULL)
			continue;
		dpdk_node.away += pool->size - rte_mempool_avail_count(pool);
		rte_mempool_free(pool);
		dpdk_node.pool[i] = NULL;
	}
}

enum vx6_status dpdk_node_take(const struct dpdk_opts *o, uint32_t frames,
			       char why[DPDK_WHY])
{
	enum vx6_status st;

	log_to.owner = pthread_self();
	log_to.say = o->say;
	log_to.ctx = o->ctx;
	st = start_eal(o, frames, why);
	dpdk_node.ports += st == VX6_OK;
	return st;
}

enum vx6_status dpdk_node_devices(const struct dpdk_opts *o, uint16_t port,
				  char why[DPDK_WHY])
{
	enum vx6_status st = VX6_OK;

	for (unsigned i = dpdk_node.device_cnt; i < o->device_cnt; i++)
		if ((st = open_device(i, o, port, why)) != VX6_OK)
			break;
	return st;
}

static int start(struct device *d)
{
	int rc = rte_eth_dev_start(d->id);

	if (rc == 0)
		atomic_store_explicit(&d->started, true, memory_order_release);
	return rc;
}

/* The kernel takes the last socket of an interface's queue down some time
 * after its process has ended: whoever starts again waits for that.  0 or a
 * negative errno. */
static int set_up_rx(const struct device *d, uint16_t q, uint16_t desc,
		     struct rte_mempool *pool)
{
	const struct timespec pause = { .tv_nsec = BUSY_NS };
	unsigned node = (unsigned)rte_eth_dev_socket_id(d->id);
	int rc = -EBUSY;

	for (unsigned i = 0; i <= BUSY_TRIES; i++) {
		log_to.mute = d->attaches && i < BUSY_TRIES;
		errno = 0;
		rc = rte_eth_rx_queue_setup(d->id, q, desc, node, NULL, pool);
		if (rc == 0 || !log_to.mute)
			break;
		if (errno != EBUSY) /* once more, to hear why */
			i = BUSY_TRIES - 1;
		else
			(void)nanosleep(&pause, NULL);
	}
	log_to.mute = false;
	return rc;
}

enum vx6_status dpdk_node_queue(const struct dpdk_opts *o,
				struct rte_mempool *pool, char why[DPDK_WHY])
{
	log_to.first[0] = '\0';
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++) {
		struct device *d = &dpdk_node.device[i];
		int socket = rte_eth_dev_socket_id(d->id);
		uint16_t rx = DESC, tx = DESC, q = (uint16_t)o->queue;
		int rc = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, &rx, &tx);

		if (rc == 0)
			rc = set_up_rx(d, q, rx, pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(d->id, q, tx,
						    (unsigned)socket, NULL);
		if (rc != 0)
			return no_device("refuses a queue", -rc, d->name, why);
		if (d->attaches && q == 0)
			d->link = dpdk_steer_hold(d->ifindex);
		if (d->attaches && d->link < 0)
			return no_device("has no XDP program that ends with us",
					 errno, d->name, why);
		if (++d->ready < o->queues)
			continue;
		rc = start(d);
		if (rc != 0)
			return no_device("does not start", -rc, d->name, why);
	}
	return VX6_OK;
}

void dpdk_node_stop(void)
{
	for (unsigned i = 0; i < dpdk_node.device_cnt; i++) {
		struct device *d = &dpdk_node.device[i];

		if (atomic_exchange(&d->started, false))
			(void)rte_eth_dev_stop(d->id);
	}
}

void dpdk_node_drop(void)
{
	if (--dpdk_node.ports > 0)
		return;
	close_devices();
	free_pools();
}
