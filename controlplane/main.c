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
#include "controlplane/loop/sandbox_table.h"
#include "controlplane/node/node.h"
#include "dataplane/wire/aead/aead.h"

struct daemon {
	struct loop *loop;
	struct node *node;
};

struct ask { /* what is no part of the configuration */
	const char *file, *state, *run;
	bool no_sandbox, print_sandbox, test_sandbox;
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
	      "        which version this is\n"
	      "  --sandbox HOW\n"
	      "        on, or off for a debugger (on)\n"
	      "  --print-sandbox\n"
	      "        which system calls are permitted once it runs, and why\n"
	      "  --test-sandbox\n"
	      "        try what is not, and say of each what came of it\n\n"
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

static int read_options(int argc, char **argv, struct ask *a)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 's' },
		{ "run", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ "sandbox", required_argument, NULL, 'b' },
		{ "print-sandbox", no_argument, NULL, 'p' },
		{ "test-sandbox", no_argument, NULL, 't' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (o) {
		case 'c': a->file = optarg; break;
		case 's': a->state = optarg; break;
		case 'r': a->run = optarg; break;
		case 'p': a->print_sandbox = true; break;
		case 't': a->test_sandbox = true; break;
		case 'b':
			a->no_sandbox = strcmp(optarg, "off") == 0;
			if (a->no_sandbox || strcmp(optarg, "on") == 0)
				break;
			fprintf(stderr,
				"vx6d: --sandbox must be on or off, not "
				"\"%.40s\"\n",
				optarg);
			return 2;
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
	return -1;
}

static int take_config(const struct ask *a, struct config *cfg)
{
	struct config_error err;

	config_defaults(cfg);
	if (a->file && config_load(a->file, cfg, &err) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", err.text);
		return 2;
	}
	if (a->state && !copy_dir(cfg->state, sizeof(cfg->state), a->state))
		return 2;
	if (a->run && !copy_dir(cfg->run, CONFIG_RUN_MAX, a->run))
		return 2;
	if (config_dirs(cfg, &err) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", err.text);
		return 2;
	}
	return -1;
}

static void say_sandbox(const struct sandbox_is *is)
{
	log_info("sandbox", "on", log_str("capabilities", "none"),
		 log_str("filter", is->filter ? "yes" : "no"),
		 log_u64("landlock", (uint64_t)is->landlock));
	if (!is->filter || is->landlock == 0)
		log_warn(
			"sandbox", "incomplete",
			log_str("hint",
				"this kernel lacks a part of it: boot one with "
				"CONFIG_SECCOMP_FILTER and with landlock in "
				"lsm="));
}

/* All is open: from here on no capability, no other files, no programs. */
static bool enter_sandbox(struct loop *loop, const struct sandbox *s)
{
	char why[SANDBOX_WHY];
	struct sandbox_is is;

	if (sandbox_confine(s, &is, why) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", why);
		return false;
	}
	loop_threads(loop);
	if (sandbox_filter(s, &is, why) != VX6_OK) {
		fprintf(stderr, "vx6d: %s\n", why);
		return false;
	}
	say_sandbox(&is);
	return true;
}

static int serve(struct daemon *d, const struct node_options *opt,
		 const struct sandbox *s)
{
	int manager, rc = 1;

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
	manager = notify_to(getenv("NOTIFY_SOCKET"));
	if (s == NULL || enter_sandbox(d->loop, s)) {
		notify_tell(manager, "READY=1");
		loop_run(d->loop);
		notify_tell(manager, "STOPPING=1");
		rc = 0;
	}
	struct node *n = d->node;

	d->node = NULL;
	node_close(n);
	loop_close(d->loop);
	log_tick(VX6_NEVER);
	return rc;
}

/* What is asked of the program and not of a node; -1: nothing. */
static int only_asked(const struct ask *a, const struct sandbox *s)
{
	if (a->print_sandbox)
		sandbox_print(s, stdout);
	else if (a->test_sandbox)
		return sandbox_test(s, vx6d_sandbox_may(), stdout) ? 0 : 1;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static struct node_options opt;
	struct sandbox_place place[VX6D_PLACES];
	struct daemon d = { 0 };
	struct ask ask = { 0 };
	struct sandbox s;
	int rc = read_options(argc, argv, &ask);

	if (rc < 0)
		rc = take_config(&ask, &opt.cfg);
	s = vx6d_sandbox(place, opt.cfg.state, opt.cfg.run,
			 opt.cfg.log_format == CONFIG_LOG_JSON);
	if (rc < 0)
		rc = only_asked(&ask, &s);
	if (rc >= 0)
		return rc;
	/* libuv would hand calls to the kernel by it, past every filter */
	if (!ask.no_sandbox && !sandbox_hide(SCMP_SYS(io_uring_setup))) {
		perror("vx6d: io_uring cannot be done without");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	log_setup((enum log_level)opt.cfg.log_level,
		  opt.cfg.log_format == CONFIG_LOG_JSON);
	if (sodium_init() < 0 || vx6_aead_start() != VX6_OK) {
		fputs("vx6d: this CPU has no cipher that can be used\n",
		      stderr);
		return 1;
	}
	return serve(&d, &opt, ask.no_sandbox ? NULL : &s);
}
