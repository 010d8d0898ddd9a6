/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_plain: an AF_XDP forwarder without crypto, for a relay to be compared
 * with.
 *
 *     load_plain CORE IF IF
 *
 * It stands where vx6-dataplane would: on the same port layer, with the same
 * classifier, links 1 (fd00::1) and 2 (fd00::2), spinning on its core.  What
 * comes in by link 1 leaves by link 2: the cell's first 8 bytes are written
 * anew and it begins 8 bytes later and ends 16 earlier, as a relay's does;
 * nothing is looked up, opened or sealed.  Says {"ready":true}, and for each
 * line on stdin what it counted. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/wire/cell.h"
#include "tests/support/dp_kit.h"

static struct {
	struct port *port;
	atomic_bool stop;
	_Atomic uint64_t busy_ns, spin_ns;
	int core;
} g;

static void on_said(void *ctx, bool warn, const char *event,
		    const char *interface, const char *text)
{
	(void)ctx;
	(void)warn;
	fprintf(stderr, "load_plain: %s %s: %s\n", event, interface, text);
}

static bool turn(void)
{
	const struct vx6_addr to = dp_peer(2), none = { 0 };
	struct net_frame *f[NET_BURST];
	unsigned n = port_rx(g.port, f, NET_BURST);

	/* the checksum will read it all, and nobody has by then */
	for (unsigned i = 0; i < n; i++)
		for (unsigned at = 0; at < f[i]->len; at += VX6_CACHELINE)
			vx6_prefetch(f[i]->data + at);
	for (unsigned i = 0; i < n; i++) {
		f[i]->data += VX6_LAYER_LEN - VX6_LEN_MIN;
		f[i]->len = (uint16_t)(f[i]->len - VX6_LAYER_LEN);
		vx6_cell_put(f[i]->data, 102, 1);
		f[i]->peer = to;
		f[i]->self = none;
		f[i]->link = 2;
	}
	if (n > 0 || g.port->pending)
		port_tx(g.port, f, n);
	return n > 0;
}

static void *work(void *arg)
{
	uint64_t now = vx6_now_ns();
	cpu_set_t cpu;

	(void)arg;
	CPU_ZERO(&cpu);
	CPU_SET((size_t)g.core, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	while (!atomic_load_explicit(&g.stop, memory_order_relaxed)) {
		bool did = turn();
		uint64_t then = vx6_now_ns();

		atomic_fetch_add_explicit(did ? &g.busy_ns : &g.spin_ns,
					  then - now, memory_order_relaxed);
		now = then;
	}
	return NULL;
}

static bool open_port(char **argv)
{
	const struct port_opts po = { .bind = { .port = 4243 },
				      .frames = AF_XDP_FRAMES };
	struct af_xdp_opts xo = { .interface_cnt = 2,
				  .links = 4096,
				  .say = on_said };
	const struct vx6_addr left = dp_peer(1), right = dp_peer(2);
	char why[XDP_WHY];

	snprintf(xo.interface[0], AF_XDP_NAME, "%s", argv[2]);
	snprintf(xo.interface[1], AF_XDP_NAME, "%s", argv[3]);
	if (port_open_af_xdp(&g.port, &po, &xo, why) != VX6_OK) {
		fprintf(stderr, "load_plain: %s\n", why);
		return false;
	}
	port_link(g.port, 1, &left);
	port_link(g.port, 2, &right);
	return true;
}

static void say(void)
{
	printf("{\"rx\":%llu,\"tx\":%llu,\"rx_xsk\":%llu,\"tx_xsk\":%llu,"
	       "\"busy_ns\":%llu,\"spin_ns\":%llu,\"blocked_ns\":0}\n",
	       (unsigned long long)g.port->rx_frames,
	       (unsigned long long)g.port->tx_frames,
	       (unsigned long long)g.port->rx_xsk,
	       (unsigned long long)g.port->tx_xsk,
	       (unsigned long long)atomic_load(&g.busy_ns),
	       (unsigned long long)atomic_load(&g.spin_ns));
	fflush(stdout);
}

/* The control thread's: interfaces and neighbours, and stdin. */
static void serve(void)
{
	struct pollfd p[AF_XDP_FDS + 1];
	int fd[AF_XDP_FDS];
	bool told = false;
	char line[16];

	for (;;) {
		unsigned n = af_xdp_fds(g.port, fd);

		for (unsigned i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
		p[n] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		poll(p, n + 1, 20);
		af_xdp_step(g.port, vx6_now_ns());
		if (!told && af_xdp_settled(g.port)) {
			told = true;
			puts("{\"ready\":true}");
			fflush(stdout);
		}
		if (p[n].revents == 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			return;
		say();
	}
}

int main(int argc, char **argv)
{
	pthread_t worker;

	if (argc != 4) {
		fputs("usage: load_plain CORE IF IF\n", stderr);
		return 2;
	}
	g.core = (int)strtoul(argv[1], NULL, 10);
	if (!open_port(argv) || pthread_create(&worker, NULL, work, NULL) != 0)
		return 1;
	serve();
	atomic_store(&g.stop, true);
	pthread_join(worker, NULL);
	port_close(g.port);
	return 0;
}
