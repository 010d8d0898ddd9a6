/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/dataplane.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/worker/control.h"
#include "dataplane/worker/dpdk_side.h"
#include "dataplane/worker/manager.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/sandbox_table.h"
#include "dataplane/worker/worker.h"

#define MTU_USUAL   1500u
#define SETTLE_MS   50
#define SETTLE_NS   (1 * VX6_SEC) /* for interfaces, before we say READY */
#define QUEUES_TEXT (64u * 3u)    /* "0,1,..,63" */
#define HDR_V6      48u
#define HDR_V4      28u

#define PORT_POLLS DPDK_SIDE_FDS /* the most of all back ends */
_Static_assert(PORT_POLLS >= AF_XDP_FDS, "the most");
_Static_assert(RELAY_WORKERS <= AF_XDP_WORKERS, "a port each");

struct place { /* of one worker: what it has, and nobody else writes */
	struct worker w;
	struct relay relay;
	struct vx6_rand rnd;
	struct memory tables;
	struct memory waits; /* for cells that do */
	struct port *port;
	int cpu, node;
};

struct dp {
	struct dp_options o;
	struct log *log;
	unsigned workers;
	struct place *place;
	struct worker *worker[RELAY_WORKERS];
	struct memory hands; /* slots between each two */
	struct hand hand[RELAY_WORKERS * RELAY_WORKERS];
	struct fair_budget budget;
	int listen_fd, manager_fd;
	bool confined; /* no file can be reached */
	bool steered;  /* the kernel knows whose socket a cell is for */
	char path[sizeof(((struct dp_options *)NULL)->run) + 20];
	struct dpdk_side dpdk;
	struct sandbox keeper; /* of the process that keeps AF_XDP's rights */
	char why[ABI_WHY_LEN]; /* why af_xdp became udp; "": it did not */
	struct control c;
};

/* The first worker's port has the control side of all. */
static struct port *main_port(const struct dp *dp)
{
	return dp->place[0].port;
}

/* ---- open ---- */

static enum vx6_status no_memory(char *why, size_t len, const char *what)
{
	snprintf(why, DP_WHY,
		 "%zu MiB for %s could not be had: lower --halves, --links or "
		 "--workers",
		 len >> 20, what);
	return VX6_NO_MEMORY;
}

static enum vx6_status open_tables(struct dp *dp, unsigned k, char *why)
{
	const struct relay_opts ro = { .links_max = dp->o.links,
				       .halves_max = dp->o.halves,
				       .workers = dp->workers,
				       .worker = k };
	struct place *at = &dp->place[k];
	size_t len = relay_need(&ro);
	enum vx6_status st;

	if (len > 0 && memory_take(&at->tables, len, at->node) != VX6_OK)
		return no_memory(why, len, "the tables");
	vx6_rand_init(&at->rnd);
	st = relay_init(&at->relay, &ro, at->tables.at, &at->rnd);
	if (st != VX6_OK)
		snprintf(why, DP_WHY,
			 "--halves must be between 2 and %u, --links between "
			 "2 and %u",
			 RELAY_HALVES_MAX, RELAY_LINKS_MAX);
	return st;
}

static enum vx6_status open_waits(struct dp *dp, unsigned k, char *why)
{
	struct place *at = &dp->place[k];
	size_t len = pace_need(&at->relay, at->port);

	if (memory_take(&at->waits, len, at->node) != VX6_OK)
		return no_memory(why, len, "cells that wait");
	worker_limit(&at->w, &dp->budget, at->waits.at);
	return VX6_OK;
}

static enum vx6_status say_no_port(const struct dp *dp, enum vx6_status st,
				   char *why)
{
	char at[VX6_ADDR_TEXT];

	vx6_addr_text(&dp->o.listen, at);
	if (st == VX6_SYS && errno == EADDRINUSE)
		snprintf(why, DP_WHY,
			 "UDP port %u is in use: another process has it; "
			 "stop that one, or choose another with --listen",
			 dp->o.listen.port);
	else if (st == VX6_SYS && errno == EADDRNOTAVAIL)
		snprintf(why, DP_WHY,
			 "%s is no address of this host: choose one that is, "
			 "or [::]:%u for all, with --listen",
			 at, dp->o.listen.port);
	else if (st == VX6_SYS && errno == EACCES)
		snprintf(why, DP_WHY,
			 "port %u needs privilege: choose one above 1023 "
			 "with --listen",
			 dp->o.listen.port);
	else
		snprintf(why, DP_WHY, "cannot listen on %s: %s", at,
			 st == VX6_SYS ? strerror(errno) : vx6_status_text(st));
	return st;
}

/* What the port says about interfaces. */
static void say_xdp(void *ctx, bool warn, const char *event,
		    const char *interface, const char *text)
{
	const struct dp *dp = ctx;

	if (interface[0] == '\0')
		log_say(dp->log, warn ? LOG_WARN : LOG_INFO, "af_xdp", event,
			"text", text, LOG_END);
	else
		log_say(dp->log, warn ? LOG_WARN : LOG_INFO, "af_xdp", event,
			"interface", interface, "text", text, LOG_END);
}

/* A host that cannot have AF_XDP forwards all the same. */
static enum vx6_status open_af_xdp(struct dp *dp, unsigned k,
				   const struct port_opts *po, char *why)
{
	struct af_xdp_opts xo = {
		.interface_cnt = dp->o.interface_cnt,
		.mode = dp->o.xdp_copy,
		.workers = dp->workers,
		.links = dp->place[0].relay.opts.links_max,
		.keeper = dp->o.sandbox ? &dp->keeper : NULL,
		.say = say_xdp,
		.ctx = dp,
	};
	char no[XDP_WHY];
	enum vx6_status st;

	dp->keeper = dp_sandbox_keeper(dp->o.json);
	memcpy(xo.interface, dp->o.interface, sizeof(xo.interface));
	memcpy(xo.control_port, dp->o.control, sizeof(xo.control_port));
	if (dp->o.prefix_packets > 0) {
		xo.shake_ns = VX6_SEC / dp->o.prefix_packets;
		xo.shake_most = dp->o.prefix_packets;
	}
	if (k > 0 && !af_xdp_is(main_port(dp)))
		return port_open_udp(&dp->place[k].port, po);
	st = port_open_af_xdp(&dp->place[k].port, po, &xo, no);
	if (k > 0)
		snprintf(why, DP_WHY, "%s", no);
	if (st == VX6_OK || no[0] == '\0' || k > 0)
		return st;
	snprintf(dp->why, sizeof(dp->why),
		 "%.200s; meanwhile cells go by the UDP socket", no);
	say_xdp(dp, true, "refused", "", dp->why);
	return port_open_udp(&dp->place[k].port, po);
}

static enum vx6_status open_port(struct dp *dp, unsigned k, char *why)
{
	const struct port_opts po = { .bind = dp->o.listen,
				      .frames = dp->o.frames,
				      .rcvbuf = dp->o.rcvbuf,
				      .sndbuf = dp->o.sndbuf,
				      .beside = k > 0 ? main_port(dp) : NULL };
	enum vx6_status st;

	why[0] = '\0';
	if (dp->o.backend == CONFIG_BACKEND_DPDK)
		st = dpdk_side_open(&dp->dpdk, &dp->place[k].port, &po,
				    dp->place[k].node, why);
	else if (dp->o.backend == CONFIG_BACKEND_AF_XDP)
		st = open_af_xdp(dp, k, &po, why);
	else
		st = port_open_udp(&dp->place[k].port, &po);
	if (st == VX6_OK || why[0] != '\0')
		return st;
	return say_no_port(dp, st, why);
}

static enum vx6_status open_socket(struct dp *dp, char *why)
{
	enum vx6_status st;

	if (mkdir(dp->o.run, 0755) != 0 && errno != EEXIST) {
		snprintf(why, DP_WHY,
			 "cannot make the directory %.100s: %s; make it, or "
			 "choose another with --run",
			 dp->o.run, strerror(errno));
		return VX6_SYS;
	}
	snprintf(dp->path, sizeof(dp->path), "%s/dataplane.sock", dp->o.run);
	st = abi_listen(&dp->listen_fd, dp->path);
	if (st == VX6_EXISTS)
		snprintf(why, DP_WHY,
			 "another vx6-dataplane listens on %.100s: stop it, or "
			 "choose another directory with --run",
			 dp->path);
	else if (st == VX6_DENIED)
		snprintf(why, DP_WHY,
			 "%.100s is in the way and not ours to remove: remove "
			 "it, or choose another directory with --run",
			 dp->path);
	else if (st != VX6_OK)
		snprintf(why, DP_WHY,
			 "cannot listen on %.100s: %s; choose another "
			 "directory with --run",
			 dp->path,
			 st == VX6_SYS ? strerror(errno) : vx6_status_text(st));
	if (st != VX6_OK)
		dp->path[0] = '\0'; /* not ours to remove */
	return st;
}

/* The largest payload that an ordinary link carries over a family. */
static uint16_t usual_u(const char *somewhere, uint16_t hdr)
{
	struct vx6_addr a;
	unsigned mtu = 0;

	if (vx6_addr_parse(&a, somewhere) == VX6_OK)
		mtu = net_route_mtu(&a);
	if (mtu < VX6_PROBE_MIN + hdr || mtu > MTU_USUAL)
		mtu = MTU_USUAL; /* no route, or one that says nothing */
	return (uint16_t)(mtu - hdr);
}

static void about_xdp(struct abi_stats *s, const struct af_xdp_state *x)
{
	s->backend = x->interface_cnt > 0 ? ABI_BACKEND_AF_XDP
					  : ABI_BACKEND_UDP;
	s->refused = x->refused;
	memcpy(s->xdp, x->counts, sizeof(x->counts));
	for (unsigned i = 0; i < x->interface_cnt; i++) {
		const struct af_xdp_if *from = &x->interface[i];
		struct abi_if *to = &s->interface[i];

		(void)abi_text(to->name, sizeof(to->name), from->name);
		to->mtu = from->mtu;
		to->queues = from->queues;
		to->bits = (from->zerocopy ? ABI_IF_ZEROCOPY : 0) |
			   (from->dispatcher ? ABI_IF_DISPATCHER : 0);
	}
}

/* No link carries more than the smallest interface. */
static void limit_to(struct abi_welcome *w, uint32_t mtu)
{
	if (mtu < w->u_v6 + HDR_V6)
		w->u_v6 = (uint16_t)(mtu - HDR_V6);
	if (mtu < w->u_v4 + HDR_V4)
		w->u_v4 = (uint16_t)(mtu - HDR_V4);
}

static void limit_u(struct abi_welcome *w, const struct af_xdp_state *x)
{
	for (unsigned i = 0; i < x->interface_cnt; i++)
		limit_to(w, x->interface[i].mtu);
}

static void limit_dpdk(struct abi_welcome *w, const struct abi_stats *s)
{
	for (unsigned i = 0; i < ABI_IF_CNT; i++) {
		if (s->backend != ABI_BACKEND_DPDK || s->interface[i].mtu == 0)
			return;
		limit_to(w, s->interface[i].mtu);
	}
}

/* Bit for each queue of a worker. */
static uint64_t queues_of(const struct dp *dp, unsigned k)
{
	if (dp->dpdk.cnt > 0)
		return 1ull << k;
	return af_xdp_is(dp->place[k].port) ? af_xdp_queues(dp->place[k].port)
					    : 0;
}

static void about_worker(const struct dp *dp, struct abi_worker *to)
{
	const struct place *at = &dp->place[to->index];

	to->node = at->node;
	to->queues = queues_of(dp, to->index);
	to->pages = (uint8_t)at->tables.pages;
	to->page_len = (uint32_t)memory_page_len(at->tables.pages);
}

/* What runs now, beside what the workers counted. */
static void about(void *ctx, struct abi_msg *m)
{
	const struct dp *dp = ctx;
	static const uint8_t backend[] = {
		[CONFIG_BACKEND_UDP] = ABI_BACKEND_UDP,
		[CONFIG_BACKEND_AF_XDP] = ABI_BACKEND_AF_XDP,
		[CONFIG_BACKEND_DPDK] = ABI_BACKEND_DPDK
	};
	uint8_t asked = backend[dp->o.backend];
	struct abi_stats now = { .backend = ABI_BACKEND_UDP };
	struct af_xdp_state x = { 0 };
	const char *why = dp->why;

	if (m->type != ABI_WELCOME && m->type != ABI_STATS_ARE &&
	    m->type != ABI_WORKER_IS)
		return;
	if (af_xdp_is(main_port(dp))) {
		af_xdp_describe(main_port(dp), &x);
		about_xdp(&now, &x);
		why = x.why;
	}
	dpdk_side_about(&dp->dpdk, &now);
	if (m->type == ABI_WORKER_IS) {
		about_worker(dp, &m->u.worker);
	} else if (m->type == ABI_WELCOME) {
		struct abi_welcome *w = &m->u.welcome;

		w->backend = now.backend;
		w->asked = asked;
		(void)abi_text(w->why, sizeof(w->why), why);
		limit_u(w, &x);
		limit_dpdk(w, &now);
	} else if (m->type == ABI_STATS_ARE) {
		struct abi_stats *s = &m->u.stats;

		s->backend = now.backend;
		s->asked = asked;
		for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
			s->drop[i] += now.drop[i];
		s->refused = now.refused;
		memcpy(s->xdp, now.xdp, sizeof(s->xdp));
		memcpy(s->interface, now.interface, sizeof(s->interface));
		(void)abi_text(s->why, sizeof(s->why), why);
	}
}

static void fill_welcome(const struct dp *dp, struct abi_welcome *w)
{
	*w = (struct abi_welcome){
		.data = main_port(dp)->at,
		.links_max = dp->place[0].relay.opts.links_max,
		.halves_max = dp->place[0].relay.opts.halves_max,
		.workers = dp->workers,
		.u_v6 = usual_u("[2001:db8::1]:9", HDR_V6),
		.u_v4 = usual_u("192.0.2.1:9", HDR_V4),
	};
	randombytes_buf(w->instance, sizeof(w->instance));
	for (unsigned s = VX6_SUITE_AES256_GCM; s <= VX6_SUITE_AEGIS128L; s++)
		if (vx6_suite_offers(s))
			w->suites |= (uint8_t)(1u << s);
}

static enum vx6_status open_hands(struct dp *dp, char *why)
{
	size_t slots = HAND_SLOTS * sizeof(struct hand_slot);
	unsigned n = dp->workers;
	size_t len = slots * n * n;

	if (n <= 1)
		return VX6_OK;
	if (memory_take(&dp->hands, len, MEMORY_ANY_NODE) != VX6_OK)
		return no_memory(why, len, "rings between workers");
	for (unsigned i = 0; i < n * n; i++)
		dp->hand[i].slot =
			(struct hand_slot *)(void *)((uint8_t *)dp->hands.at +
						     i * slots);
	worker_meet(dp->worker, n, dp->hand);
	return VX6_OK;
}

static enum vx6_status open_worker(struct dp *dp, unsigned k, char *why)
{
	struct place *at = &dp->place[k];
	const struct worker_opts wo = { .index = k,
					.spin = dp->o.spin,
					.cpu = at->cpu };
	enum vx6_status st = open_tables(dp, k, why);

	if (st == VX6_OK)
		st = open_port(dp, k, why);
	if (st != VX6_OK)
		return st;
	st = worker_init(&at->w, &wo, at->port, &at->relay);
	if (st != VX6_OK) {
		snprintf(why, DP_WHY,
			 "no descriptors left: raise the limit "
			 "(ulimit -n)");
		return st;
	}
	return open_waits(dp, k, why);
}

/* Each worker's memory lies where it runs. */
static enum vx6_status open_workers(struct dp *dp, char *why)
{
	enum vx6_status st = VX6_OK;

	dpdk_side_init(&dp->dpdk, &dp->o, dp->o.links, dp->workers, dp->log);
	for (unsigned k = 0; k < dp->workers && st == VX6_OK; k++) {
		memory_prefer(dp->place[k].node);
		st = open_worker(dp, k, why);
	}
	memory_prefer(MEMORY_ANY_NODE);
	if (st == VX6_OK && dp->workers > 1)
		dp->steered = port_steer(main_port(dp), dp->workers);
	return st == VX6_OK ? open_hands(dp, why) : st;
}

static enum vx6_status open_all(struct dp *dp, char *why)
{
	struct abi_welcome welcome;
	enum vx6_status st = vx6_aead_start();

	if (st != VX6_OK) {
		snprintf(why, DP_WHY, "no cryptography works on this CPU");
		return st;
	}
	if ((st = open_workers(dp, why)) != VX6_OK ||
	    (st = open_socket(dp, why)) != VX6_OK)
		return st;
	fill_welcome(dp, &welcome);
	st = control_init(&dp->c, dp->listen_fd, dp->worker, &welcome, dp->log);
	if (st != VX6_OK)
		snprintf(why, DP_WHY, "no memory");
	dp->c.about = about;
	dp->c.about_ctx = dp;
	return st;
}

/* Room for the workers, and where each will be. */
static bool make_places(struct dp *dp)
{
	size_t len = dp->workers * sizeof(*dp->place);

	dp->place = aligned_alloc(_Alignof(struct place), len);
	if (dp->place == NULL)
		return false;
	memset(dp->place, 0, len);
	for (unsigned k = 0; k < dp->workers; k++) {
		struct place *at = &dp->place[k];

		dp->worker[k] = &at->w;
		at->w.wake_fd = at->w.said_fd = -1;
		at->cpu = k < dp->o.cpu_cnt ? (int)dp->o.cpus[k]
					    : WORKER_ANY_CPU;
		at->node = memory_node(at->cpu);
	}
	return true;
}

enum vx6_status dp_open(struct dp **out, const struct dp_options *o,
			struct log *log, char why[DP_WHY])
{
	struct dp *dp = aligned_alloc(_Alignof(struct dp), sizeof(*dp));
	enum vx6_status st;

	*out = NULL;
	if (dp != NULL)
		memset(dp, 0, sizeof(*dp));
	if (dp != NULL)
		dp->workers = dp_options_workers(o);
	if (dp == NULL || (dp->o = *o, !make_places(dp))) {
		snprintf(why, DP_WHY, "no memory");
		free(dp);
		return VX6_NO_MEMORY;
	}
	dp->log = log;
	dp->manager_fd = -1;
	dp->listen_fd = dp->c.client = -1;
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		dp->c.shm_fd[i] = -1;
	st = open_all(dp, why);
	if (st != VX6_OK) {
		dp_close(dp);
		return st;
	}
	*out = dp;
	return VX6_OK;
}

static void stop_workers(struct dp *dp)
{
	for (unsigned k = 0; k < dp->workers; k++)
		worker_stop(dp->worker[k]);
}

/* A DPDK driver may not undo what it did once it is confined, and need not:
 * the kernel takes everything back from a process that is no more. */
static void close_place(const struct dp *dp, struct place *at)
{
	worker_free(&at->w);
	if (!dp->confined || dp->dpdk.cnt == 0)
		port_close(at->port);
	if (at->tables.at != NULL)
		relay_wipe(&at->relay);
	memory_free(&at->tables);
	memory_free(&at->waits);
}

void dp_close(struct dp *dp)
{
	if (dp == NULL)
		return;
	stop_workers(dp);
	control_close(&dp->c);
	if (dp->path[0] != '\0' && !dp->confined)
		(void)unlink(dp->path); /* while we still listen on it */
	if (dp->listen_fd >= 0)
		close(dp->listen_fd);
	if (dp->manager_fd >= 0)
		close(dp->manager_fd);
	/* the first has what the others' ports stand beside */
	for (unsigned k = dp->workers; k-- > 0;)
		close_place(dp, &dp->place[k]);
	memory_free(&dp->hands);
	sodium_memzero(dp->place, dp->workers * sizeof(*dp->place));
	free(dp->place);
	sodium_memzero(dp, sizeof(*dp));
	free(dp);
}

struct vx6_addr dp_at(const struct dp *dp)
{
	return main_port(dp)->at;
}

/* ---- run ---- */

static void say_start(const struct dp *dp)
{
	const struct port *p = main_port(dp);
	const struct relay_opts *r = &dp->place[0].relay.opts;
	const struct net_sock *s = p->sock;
	char at[VX6_ADDR_TEXT], rcv[LOG_NUM], halves[LOG_NUM], links[LOG_NUM];
	uint32_t asked = dp->o.rcvbuf ? dp->o.rcvbuf : NET_BUF;

	log_say(dp->log, LOG_INFO, "dataplane", "start", "listen",
		vx6_addr_text(&p->at, at), "port", p->ops->name, "idle",
		dp->o.spin ? "spin" : "adaptive", "aead", vx6_aead_impl_name(),
		"gso", s->gso ? "yes" : "no", "gro", s->gro ? "yes" : "no",
		"rcvbuf", log_num(rcv, s->rcvbuf), "halves",
		log_num(halves, r->halves_max), "links",
		log_num(links, r->links_max), LOG_END);
	if (s->rcvbuf < asked)
		log_say(dp->log, LOG_WARN, "dataplane", "small-buffer", "hint",
			"cells may be lost in bursts: raise "
			"net.core.rmem_max and net.core.wmem_max to 4194304",
			LOG_END);
}

/* "0,2", the numbers of a worker's queues; "none". */
static const char *queues_text(uint64_t bits, char to[QUEUES_TEXT])
{
	size_t len = 0;

	snprintf(to, QUEUES_TEXT, "none");
	for (unsigned q = 0; q < 64; q++)
		if (bits >> q & 1)
			len += (size_t)snprintf(to + len, QUEUES_TEXT - len,
						len > 0 ? ",%u" : "%u", q);
	return to;
}

/* Where a worker is, and what it has. */
static void say_place(const struct dp *dp, unsigned k)
{
	const struct place *at = &dp->place[k];
	char no[LOG_NUM], cpu[LOG_NUM] = "any", node[LOG_NUM] = "any";
	char queues[QUEUES_TEXT];

	if (at->cpu >= 0)
		log_num(cpu, (uint64_t)at->cpu);
	if (at->node >= 0)
		log_num(node, (uint64_t)at->node);
	log_say(dp->log, LOG_INFO, "worker", "start", "worker", log_num(no, k),
		"cpu", cpu, "node", node, "pages",
		memory_pages_name(at->tables.pages), "port",
		at->port->ops->name, "queues",
		queues_text(queues_of(dp, k), queues), "steered",
		dp->steered ? "yes" : "no", LOG_END);
}

static void say_stop(const struct dp *dp)
{
	uint64_t rx_cells = 0, tx_cells = 0;
	char rx[LOG_NUM], tx[LOG_NUM];

	for (unsigned k = 0; k < dp->workers; k++) {
		rx_cells += dp->place[k].relay.n.rx_cells;
		tx_cells += dp->place[k].relay.n.tx_cells;
	}
	log_say(dp->log, LOG_INFO, "dataplane", "stop", "rx_cells",
		log_num(rx, rx_cells), "tx_cells", log_num(tx, tx_cells),
		LOG_END);
}

static unsigned port_polls(const struct dp *dp, struct pollfd p[PORT_POLLS])
{
	int fd[PORT_POLLS];
	unsigned n = af_xdp_is(main_port(dp)) ? af_xdp_fds(main_port(dp), fd)
					      : dpdk_side_fds(&dp->dpdk, fd);

	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	return n;
}

static int port_timeout_ms(const struct dp *dp, int most)
{
	uint64_t now = vx6_now_ns(), due;

	due = af_xdp_is(main_port(dp)) ? af_xdp_due_ns(main_port(dp))
				       : dpdk_side_due_ns(&dp->dpdk);
	if (due <= now)
		return 0;
	if (due - now >= (uint64_t)most * VX6_MS)
		return most;
	return (int)((due - now) / VX6_MS) + 1;
}

static void port_step(struct dp *dp)
{
	dpdk_side_step(&dp->dpdk, vx6_now_ns());
	if (af_xdp_is(main_port(dp)) &&
	    af_xdp_step(main_port(dp), vx6_now_ns()))
		for (unsigned k = 0; k < dp->workers; k++)
			worker_wake(dp->worker[k]);
}

/* Whoever is told READY finds the interfaces at work, if that is soon. */
static void settle(struct dp *dp)
{
	uint64_t end = vx6_now_ns() + SETTLE_NS;
	struct pollfd p[PORT_POLLS];

	port_step(dp);
	while (af_xdp_is(main_port(dp)) && !af_xdp_settled(main_port(dp)) &&
	       vx6_now_ns() < end) {
		unsigned n = port_polls(dp, p);

		(void)poll(p, n, port_timeout_ms(dp, SETTLE_MS));
		port_step(dp);
	}
}

/* VX6_CLOSED: who keeps AF_XDP's rights is gone. */
static enum vx6_status serve(struct dp *dp, int stop_fd)
{
	struct pollfd p[CONTROL_FDS + PORT_POLLS + 1];

	for (;;) {
		unsigned n = control_fds(&dp->c, p);

		n += port_polls(dp, p + n);
		p[n] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
		(void)poll(p, n + 1,
			   port_timeout_ms(dp, control_timeout_ms(&dp->c)));
		if (p[n].revents != 0)
			return VX6_OK;
		if (af_xdp_is(main_port(dp)) && af_xdp_lost(main_port(dp)))
			return VX6_CLOSED;
		port_step(dp);
		control_step(&dp->c, vx6_now_ns());
	}
}

static void say_sandbox(const struct dp *dp, const struct sandbox_is *is)
{
	char version[LOG_NUM];

	log_say(dp->log, LOG_INFO, "sandbox", "on", "capabilities", "none",
		"filter", is->filter ? "yes" : "no", "landlock",
		log_num(version, (uint64_t)is->landlock), "root",
		is->empty_root ? "empty" : "the host's", LOG_END);
	if (!is->filter || is->landlock == 0)
		log_say(dp->log, LOG_WARN, "sandbox", "incomplete", "hint",
			"this kernel lacks a part of it: boot one with "
			"CONFIG_SECCOMP_FILTER and with landlock in lsm=",
			LOG_END);
}

static enum vx6_status start(struct dp *dp, char why[DP_WHY])
{
	unsigned k = 0;

	worker_hasten();
	while (k < dp->workers && worker_start(dp->worker[k]) == VX6_OK)
		k++;
	if (k == dp->workers)
		return VX6_OK;
	if (errno == EINVAL)
		snprintf(why, DP_WHY,
			 "there is no CPU %d to run on: choose others with "
			 "--cpus",
			 dp->place[k].cpu);
	else
		snprintf(why, DP_WHY, "cannot start a thread: %s",
			 strerror(errno));
	return VX6_SYS;
}

/* What was got, which need not be what was asked for. */
static enum config_backend carries(const struct dp *dp)
{
	if (dp->dpdk.cnt > 0)
		return CONFIG_BACKEND_DPDK;
	return af_xdp_is(main_port(dp)) ? CONFIG_BACKEND_AF_XDP
					: CONFIG_BACKEND_UDP;
}

/* Threads inherit what is done before them; the filter is put on all. */
static enum vx6_status start_in_sandbox(struct dp *dp, char why[DP_WHY])
{
	const struct sandbox s = dp_sandbox(dp->o.json, carries(dp));
	struct sandbox_is is;
	enum vx6_status st = sandbox_confine(&s, &is, why);

	if (st != VX6_OK)
		return st;
	dp->confined = true;
	st = start(dp, why);
	if (st == VX6_OK)
		st = sandbox_filter(&s, &is, why);
	if (st == VX6_OK)
		say_sandbox(dp, &is);
	return st;
}

enum vx6_status dp_run(struct dp *dp, int stop_fd, char why[DP_WHY])
{
	enum vx6_status st;

	dp->manager_fd = manager_open();
	st = dp->o.sandbox ? start_in_sandbox(dp, why) : start(dp, why);
	if (st != VX6_OK)
		return st;
	settle(dp);
	say_start(dp);
	for (unsigned k = 0; k < dp->workers; k++)
		say_place(dp, k);
	manager_tell(dp->manager_fd, "READY=1");
	st = serve(dp, stop_fd);
	if (st != VX6_OK)
		snprintf(
			why, DP_WHY,
			"the process that keeps AF_XDP's privileges has ended: "
			"no interface can be taken without it; vx6-dataplane "
			"must be started again");
	manager_tell(dp->manager_fd, "STOPPING=1");
	stop_workers(dp);
	say_stop(dp);
	return st;
}
