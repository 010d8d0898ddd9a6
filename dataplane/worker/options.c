/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/workers.h"
#include "dataplane/port/port.h"
#include "dataplane/relay/relay.h"
#include "dataplane/worker/count.h"
#include "dataplane/worker/worker.h"

#define DATA_PORT 4243u
#define CPU_MAX   1023u
#define CONTROL   4242u
#define PACKETS   256u /* handshake packets of a prefix, as config has it */

void dp_options_init(struct dp_options *o)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	*o = (struct dp_options){ .listen.port = DATA_PORT,
				  .halves = RELAY_HALVES,
				  .links = RELAY_LINKS,
				  .control = { CONTROL },
				  .prefix_packets = PACKETS };
	if (geteuid() == 0)
		snprintf(o->run, sizeof(o->run), "/run/vx6");
	else if (dir != NULL && strlen(dir) + 5 < sizeof(o->run))
		snprintf(o->run, sizeof(o->run), "%s/vx6", dir);
}

/* ---- one function a form of value; why is filled on false ---- */

static bool number(const char *name, const char *v, uint32_t least,
		   uint32_t most, uint32_t *to, char *why)
{
	char *end;
	unsigned long long n = strtoull(v, &end, 10);

	if (*v >= '0' && *v <= '9' && *end == '\0' && n >= least && n <= most) {
		*to = (uint32_t)n;
		return true;
	}
	snprintf(why, DP_WHY,
		 "%s must be a whole number between %u and %u, not \"%.40s\"",
		 name, least, most, v);
	return false;
}

/* Which of two words v is. */
static bool word(const char *name, const char *v, const char *no,
		 const char *yes, bool *to, char *why)
{
	*to = strcmp(v, yes) == 0;
	if (*to || strcmp(v, no) == 0)
		return true;
	snprintf(why, DP_WHY, "%s must be %s or %s, not \"%.40s\"", name, no,
		 yes, v);
	return false;
}

static bool opt_run(struct dp_options *o, const char *v, char *why)
{
	if (*v != '\0' && strlen(v) < sizeof(o->run)) {
		snprintf(o->run, sizeof(o->run), "%s", v);
		return true;
	}
	snprintf(why, DP_WHY,
		 "--run must be a directory with a path of at most %zu "
		 "characters (a socket's path has no room for more)",
		 sizeof(o->run) - 1);
	return false;
}

static bool opt_listen(struct dp_options *o, const char *v, char *why)
{
	if (vx6_addr_parse(&o->listen, v) == VX6_OK)
		return true;
	snprintf(why, DP_WHY,
		 "--listen must be an address and a port, such as [::]:4243 "
		 "or 192.0.2.1:4243, not \"%.60s\"",
		 v);
	return false;
}

static bool opt_port(struct dp_options *o, const char *v, char *why)
{
	bool af_xdp;

	if (strcmp(v, "dpdk") == 0) {
		snprintf(why, DP_WHY,
			 "--port dpdk needs devices: set data.backend and "
			 "data.dpdk_ports in the configuration");
		return false;
	}
	if (!word("--port", v, "udp", "af_xdp", &af_xdp, why))
		return false;
	o->backend = af_xdp ? CONFIG_BACKEND_AF_XDP : CONFIG_BACKEND_UDP;
	return true;
}

/* Takes the next of "a,b,c" off *v into out; false: none left, or one that
 * is empty or does not fit. */
static bool next_part(const char **v, char *out, size_t cap)
{
	size_t len = strcspn(*v, ",");

	if (len == 0 || len >= cap)
		return false;
	memcpy(out, *v, len);
	out[len] = '\0';
	*v += len;
	if (**v == ',')
		++*v;
	return true;
}

static bool opt_interfaces(struct dp_options *o, const char *v, char *why)
{
	const char *at = v;

	o->interface_cnt = 0;
	while (o->interface_cnt < AF_XDP_IFS &&
	       next_part(&at, o->interface[o->interface_cnt], AF_XDP_NAME))
		o->interface_cnt++;
	if (*at == '\0' && o->interface_cnt > 0)
		return true;
	snprintf(why, DP_WHY,
		 "--interfaces must be 1 to %u names of at most %u characters, "
		 "such as eth0,eth1, not \"%.80s\"",
		 AF_XDP_IFS, AF_XDP_NAME - 1, v);
	return false;
}

static bool opt_copy(struct dp_options *o, const char *v, char *why)
{
	static const char *const name[] = { "auto", "copy", "zerocopy" };

	for (unsigned i = 0; i < VX6_COUNT(name); i++)
		if (strcmp(v, name[i]) == 0) {
			o->xdp_copy = (enum xsk_mode)i;
			return true;
		}
	snprintf(why, DP_WHY,
		 "--copy must be auto, copy or zerocopy, not \"%.40s\"", v);
	return false;
}

static bool opt_control(struct dp_options *o, const char *v, char *why)
{
	const char *at = v;
	unsigned n = 0;
	uint32_t port;
	char part[8];

	memset(o->control, 0, sizeof(o->control));
	while (n < VX6_XDP_CONTROLS && next_part(&at, part, sizeof(part))) {
		if (!number("--control", part, 1, UINT16_MAX, &port, why))
			return false;
		o->control[n++] = (uint16_t)port;
	}
	if (*at == '\0' && n > 0)
		return true;
	snprintf(why, DP_WHY,
		 "--control must be 1 to %u port numbers, such as 4242,4252, "
		 "not \"%.40s\"",
		 VX6_XDP_CONTROLS, v);
	return false;
}

static bool opt_halves(struct dp_options *o, const char *v, char *why)
{
	return number("--halves", v, 2, RELAY_HALVES_MAX, &o->halves, why);
}

static bool opt_links(struct dp_options *o, const char *v, char *why)
{
	return number("--links", v, 2, RELAY_LINKS_MAX, &o->links, why);
}

static bool opt_idle(struct dp_options *o, const char *v, char *why)
{
	return word("--idle", v, "adaptive", "spin", &o->spin, why);
}

static bool opt_workers(struct dp_options *o, const char *v, char *why)
{
	return number("--workers", v, 0, RELAY_WORKERS, &o->workers, why);
}

static bool opt_cpus(struct dp_options *o, const char *v, char *why)
{
	const char *at = v;
	char part[8];

	o->cpu_cnt = 0;
	while (o->cpu_cnt < RELAY_WORKERS &&
	       next_part(&at, part, sizeof(part))) {
		if (!number("--cpus", part, 0, CPU_MAX, &o->cpus[o->cpu_cnt],
			    why))
			return false;
		o->cpu_cnt++;
	}
	if (*at == '\0' && o->cpu_cnt > 0)
		return true;
	snprintf(why, DP_WHY,
		 "--cpus must be 1 to %u numbers of CPUs, such as 2,3, not "
		 "\"%.40s\"",
		 RELAY_WORKERS, v);
	return false;
}

static uint32_t queues(const struct dp_options *o)
{
	switch (o->backend) {
	case CONFIG_BACKEND_UDP: return CONFIG_QUEUES_ANY;
	case CONFIG_BACKEND_AF_XDP: return count_queues(o);
	case CONFIG_BACKEND_DPDK: break;
	}
	return 1;
}

unsigned dp_options_workers(const struct dp_options *o)
{
	return config_workers(o->workers, o->cpu_cnt, count_cpus(), queues(o));
}

static bool opt_log(struct dp_options *o, const char *v, char *why)
{
	return word("--log", v, "text", "json", &o->json, why);
}

_Static_assert((int)XSK_AUTO == (int)CONFIG_XDP_AUTO &&
		       (int)XSK_COPY == (int)CONFIG_XDP_COPY &&
		       (int)XSK_ZEROCOPY == (int)CONFIG_XDP_ZEROCOPY,
	       "one order");
_Static_assert(AF_XDP_IFS == CONFIG_IFS_MAX && AF_XDP_NAME == CONFIG_IF_TEXT,
	       "one size");
_Static_assert(RELAY_WORKERS == CONFIG_WORKERS_MAX, "one limit");
_Static_assert(VX6_XDP_CONTROLS == CONFIG_LISTEN_MAX, "each has a place");

static void take_xdp(struct dp_options *o, const struct config *c)
{
	memcpy(o->interface, c->data.interfaces, sizeof(o->interface));
	o->interface_cnt = c->data.interfaces_cnt;
	o->xdp_copy = (enum xsk_mode)c->data.xdp_copy;
	o->prefix_packets = c->limits.prefix_packets;
	memset(o->control, 0, sizeof(o->control));
	for (unsigned i = 0; i < c->control.listen_cnt; i++)
		o->control[i] = c->control.listen[i].port;
}

static void take_dpdk(struct dp_options *o, const struct config *c)
{
	memcpy(o->device, c->data.dpdk_ports, sizeof(o->device));
	o->device_cnt = c->data.dpdk_ports_cnt;
	memcpy(o->eal, c->data.dpdk_eal, sizeof(o->eal));
	o->eal_cnt = c->data.dpdk_eal_cnt;
}

/* What the document says about the data plane; the run directory only
 * where it names one. */
static bool opt_config(struct dp_options *o, const char *v, char *why)
{
	struct config *c = malloc(sizeof(*c));
	struct config_error err;

	if (!c || config_load(v, c, &err) != VX6_OK) {
		snprintf(why, DP_WHY, "%.250s", c ? err.text : "out of memory");
		free(c);
		return false;
	}
	if (c->run[0] != '\0')
		snprintf(o->run, sizeof(o->run), "%.90s", c->run);
	o->listen = c->data.listen;
	o->halves = c->data.halves;
	o->links = c->data.links;
	o->spin = c->data.idle == CONFIG_IDLE_SPIN;
	o->backend = c->data.backend;
	take_dpdk(o, c);
	take_xdp(o, c);
	o->workers = c->data.workers;
	o->cpu_cnt = c->data.cpus_cnt;
	memcpy(o->cpus, c->data.cpus, sizeof(o->cpus));
	o->json = c->log_format == CONFIG_LOG_JSON;
	free(c);
	return true;
}

static bool opt_sandbox(struct dp_options *o, const char *v, char *why)
{
	return word("--sandbox", v, "off", "on", &o->sandbox, why);
}

/* vx6d and vx6-dataplane are started with the same words. */
static bool opt_state(struct dp_options *o, const char *v, char *why)
{
	(void)o;
	(void)v;
	(void)why;
	return true;
}

/* clang-format off */
#define OPTION_LIST(X)                                                        \
	X(config, "FILE", "the node's configuration; what else is said "      \
			  "here counts more")                                 \
	X(state,  "DIR",  "as vx6d takes it; not used here")                  \
	X(run,    "DIR",  "directory of dataplane.sock (/run/vx6; without "   \
			  "root $XDG_RUNTIME_DIR/vx6)")                       \
	X(listen, "ADDR", "where cells arrive ([::]:4243)")                   \
	X(port,   "HOW",  "what carries them: udp, or af_xdp, which goes by " \
			  "udp where it cannot be had (udp)")                 \
	X(interfaces, "A,B", "af_xdp: the interfaces to take (those of the "  \
			  "default routes)")                                  \
	X(copy, "HOW", "af_xdp: auto, copy or zerocopy (auto)")           \
	X(control, "N,M", "af_xdp: the UDP ports of vx6d, whose handshakes "  \
			  "are held to a rate (4242)")                        \
	X(halves, "N",    "room for half-circuits (65536)")                   \
	X(links,  "N",    "room for links (4096)")                            \
	X(idle,   "HOW",  "adaptive, or spin on a core of its own (adaptive)") \
	X(workers, "N",   "threads that forward, a core's worth each; 0: "    \
			  "one for each of --cpus, or by CPUs and queues (0)") \
	X(cpus,   "N,M",  "the core that each worker stays on (any)")         \
	X(log,    "FORM", "text or json (text)")                              \
	X(sandbox, "HOW", "on, or off for a debugger (on)")

static const struct {
	const char *name;
	bool (*read)(struct dp_options *o, const char *v, char *why);
} option[] = {
#define X(name, value, help) { #name, opt_##name },
	OPTION_LIST(X)
#undef X
};

const char *dp_options_help(void)
{
	return "vx6-dataplane forwards cells for vx6d.\n\n"
#define X(name, value, help) "  --" #name " " value "\n        " help "\n"
	OPTION_LIST(X)
#undef X
	"  --print-sandbox\n        which system calls are permitted once it "
	"runs, and why\n"
	"  --test-sandbox\n        try what is not, and say of each what came "
	"of it\n";
}
/* clang-format on */

/* "--name=value" and "--name value" are one. */
static bool is_named(const char *arg, const char *name, const char **value)
{
	size_t len = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, len) != 0)
		return false;
	*value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
	return arg[2 + len] == '=' || arg[2 + len] == '\0';
}

static bool read_one(struct dp_options *o, int argc, char *const argv[], int *i,
		     bool config_pass, char *why)
{
	const char *arg = argv[*i], *value;

	for (unsigned k = 0; k < VX6_COUNT(option); k++) {
		if (!is_named(arg, option[k].name, &value))
			continue;
		if (value == NULL && ++*i < argc)
			value = argv[*i];
		if (value != NULL &&
		    (option[k].read == opt_config) != config_pass)
			return true;
		if (value != NULL)
			return option[k].read(o, value, why);
		snprintf(why, DP_WHY, "%s needs a value", arg);
		return false;
	}
	snprintf(why, DP_WHY, "there is no option %.60s; --help lists them",
		 arg);
	return false;
}

enum vx6_status dp_options_parse(struct dp_options *o, int argc,
				 char *const argv[], char why[DP_WHY])
{
	/* The configuration first, wherever it stands. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (int i = 1; i < argc; i++) {
			if (strcmp(argv[i], "--help") == 0)
				o->help = true;
			else if (strcmp(argv[i], "--print-sandbox") == 0)
				o->print_sandbox = true;
			else if (strcmp(argv[i], "--test-sandbox") == 0)
				o->test_sandbox = true;
			else if (!read_one(o, argc, argv, &i, pass == 0, why))
				return VX6_CONFIG;
		}
	if (o->run[0] != '\0' || o->help || o->print_sandbox || o->test_sandbox)
		return VX6_OK;
	snprintf(why, DP_WHY,
		 "XDG_RUNTIME_DIR is not set: say where the socket may be "
		 "with --run DIR");
	return VX6_CONFIG;
}
