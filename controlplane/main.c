/* SPDX-License-Identifier: GPL-2.0-or-later */

/* vx6d: the control plane's process.  Options, one loop, one node. */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "config/config.h"
#include "controlplane/api/version.h"
#include "controlplane/cli/notify.h"
#include "controlplane/loop/log.h"
#include "controlplane/loop/loop.h"
#include "controlplane/node/node.h"
#include "dataplane/wire/aead/aead.h"

struct daemon {
	struct loop *loop;
	struct node *node;
};

static void on_prepare(void *ctx)
{
	struct daemon *d = ctx;

	if (d->node)
		node_prepare(d->node);
}

static void on_signal(void *ctx, int signo)
{
	struct daemon *d = ctx;

	log_info("node", "signal", log_u64("number", (uint64_t)signo));
	if (signo == SIGUSR1 && d->node)
		node_hand_over(d->node);
	loop_stop(d->loop);
}

static void usage(FILE *f)
{
	fputs("vx6d decides for a VX6 node; `vx6 run` starts it together with\n"
	      "vx6-dataplane where the configuration wants one.\n\n"
	      "  --config FILE\n"
	      "        the node's configuration; what else is said here counts "
	      "more\n"
	      "  --state DIR\n"
	      "        what must not be lost (/var/lib/vx6; without root "
	      "$XDG_STATE_HOME/vx6)\n"
	      "  --run DIR\n"
	      "        directory of the sockets (/run/vx6; without root "
	      "$XDG_RUNTIME_DIR/vx6)\n"
	      "  --version\n"
	      "        which version this is\n\n"
	      "SIGTERM and SIGINT end it, and the circuits that go through "
	      "this node.\nSIGUSR1 ends it for the next vx6d, which takes "
	      "those circuits up again:\ntheir cells flow on meanwhile.\n",
	      f);
}

static bool copy_dir(char *to, size_t cap, const char *from)
{
	if (strlen(from) >= cap) {
		fprintf(stderr, "vx6d: %s is too long a path\n", from);
		return false;
	}
	snprintf(to, cap, "%s", from);
	return true;
}

static int take_options(int argc, char **argv, struct config *cfg)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 's' },
		{ "run", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	const char *file = NULL, *state = NULL, *run = NULL;
	struct config_error err;
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (o) {
		case 'c': file = optarg; break;
		case 's': state = optarg; break;
		case 'r': run = optarg; break;
		case 'h': usage(stdout); return 0;
		case 'v': puts(VX6_VERSION); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vx6d: %s is not expected\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	config_defaults(cfg);
	if (file && config_load(file, cfg, &err) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", err.text);
		return 2;
	}
	if (state && !copy_dir(cfg->state, sizeof(cfg->state), state))
		return 2;
	if (run && !copy_dir(cfg->run, CONFIG_RUN_MAX, run))
		return 2;
	if (config_dirs(cfg, &err) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", err.text);
		return 2;
	}
	return -1;
}

static int serve(struct daemon *d, const struct node_options *opt)
{
	struct loop_opts lo = { .jobs = opt->cfg.limits.create_jobs,
				.prepare = on_prepare,
				.signalled = on_signal,
				.ctx = d };
	struct state_why why = { "" };

	if (loop_open(&d->loop, &lo) != VX6_OK) {
		fputs("vx6d: the system gives no event loop\n", stderr);
		return 1;
	}
	if (node_open(&d->node, d->loop, opt, &why) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", why.text);
		loop_close(d->loop);
		return 1;
	}
	notify_send(getenv("NOTIFY_SOCKET"), "READY=1");
	loop_run(d->loop);
	notify_send(getenv("NOTIFY_SOCKET"), "STOPPING=1");
	struct node *n = d->node;

	d->node = NULL;
	node_close(n);
	loop_close(d->loop);
	log_tick(VX6_NEVER);
	return 0;
}

int main(int argc, char **argv)
{
	static struct node_options opt;
	struct daemon d = { 0 };
	int rc = take_options(argc, argv, &opt.cfg);

	if (rc >= 0)
		return rc;
	signal(SIGPIPE, SIG_IGN);
	log_setup((enum log_level)opt.cfg.log_level,
		  opt.cfg.log_format == CONFIG_LOG_JSON);
	if (sodium_init() < 0 || vx6_aead_start() != VX6_OK) {
		fputs("vx6d: this CPU has no cipher that can be used\n",
		      stderr);
		return 1;
	}
	return serve(&d, &opt);
}
