/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_OPTIONS_H
#define VX6_DATAPLANE_WORKER_OPTIONS_H

/* options: what vx6-dataplane can be told, from whichever source.
 *
 * The struct is filled with defaults, then by a configuration, then by the
 * command line.  One table makes the parser and the help text.
 *
 * Ownership: strings point into what was parsed (argv, the environment). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/af_xdp.h"
#include "dataplane/relay/relay.h"

#define DP_WHY 256u /* room for one sentence for people */

struct dp_options {
	char run[93];            /* directory of dataplane.sock, 92 at most */
	struct vx6_addr listen;  /* data port */
	uint32_t halves, links;  /* table sizes */
	uint32_t frames;         /* in the port's pool */
	uint32_t rcvbuf, sndbuf; /* of the socket; 0 = default */
	uint32_t workers;        /* 0: as count.h says */
	uint32_t cpus[RELAY_WORKERS]; /* one for each worker, in order */
	uint32_t cpu_cnt;             /* those without are left to the kernel */
	bool spin;                    /* idle policy */
	enum config_backend backend;
	/* of dpdk, as the document says it */
	char device[CONFIG_DPDK_PORTS_MAX][CONFIG_DPDK_PORT_TEXT];
	uint32_t device_cnt;
	char eal[CONFIG_DPDK_ARGS_MAX][CONFIG_DPDK_ARG_TEXT];
	uint32_t eal_cnt;
	/* of af_xdp */
	char interface[AF_XDP_IFS][AF_XDP_NAME];
	unsigned interface_cnt; /* 0: chosen */
	enum xsk_mode xdp_copy;
	uint16_t control[VX6_XDP_CONTROLS]; /* vx6d's ports; 0 = none */
	uint32_t prefix_packets; /* handshake packets/s; 0 = no limit */
	bool json;               /* log form */
	bool sandbox;            /* off for a debugger, and in tests that
				    are the process */
	bool help;               /* only say what can be said */
	bool print_sandbox, test_sandbox; /* only that */
};

/* dp_options_init sets the defaults: run directory /run/vx6 for root, else
 * $XDG_RUNTIME_DIR/vx6 (empty when that is unset), [::]:4243, udp, adaptive. */
VX6_NONNULL void dp_options_init(struct dp_options *o);

/* dp_options_parse reads a command line over what o holds.  VX6_CONFIG with
 * a sentence in why: what was found, and what would be right. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
dp_options_parse(struct dp_options *o, int argc, char *const argv[],
		 char why[DP_WHY]);

/* dp_options_workers is how many there will be: as many as said, else as
 * there are cpus, else by count.h, which asks the kernel. */
VX6_NONNULL unsigned dp_options_workers(const struct dp_options *o);

/* dp_options_help is the text for --help; static. */
const char *dp_options_help(void);

#endif
