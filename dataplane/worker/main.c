/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vx6-dataplane: forwards cells between links, as vx6d tells it.
 *
 * Exit status: 0 stopped by a signal, 1 could not run, 2 wrong usage.  SIGSYS
 * ends it when it makes a system call that the sandbox does not know. */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "dataplane/port/dpdk.h"
#include "dataplane/worker/dataplane.h"
#include "dataplane/worker/sandbox_table.h"

/* SIGTERM and SIGINT end the loop; made before any thread, so that no
 * thread takes them another way. */
static int signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int fail(const char *why, int status)
{
	fprintf(stderr, "vx6-dataplane: %s\n", why);
	return status;
}

/* With DPDK's object in the process, as it will be. */
static int test_sandbox(const struct sandbox *s, const struct sandbox *keeper,
			enum config_backend backend)
{
	bool ok;
	char why[DPDK_WHY];

	if (backend == CONFIG_BACKEND_DPDK && dpdk_load(NULL, why) == NULL)
		return fail(why, 1);
	ok = sandbox_test(s, dp_sandbox_may(), stdout);
	if (backend == CONFIG_BACKEND_AF_XDP) {
		puts("# the keeper");
		ok &= sandbox_test(keeper, dp_sandbox_keeper_may(), stdout);
	}
	return ok ? 0 : 1;
}

static void print_sandbox(const struct sandbox *s, const struct sandbox *keeper,
			  enum config_backend backend)
{
	sandbox_print(s, stdout);
	if (backend == CONFIG_BACKEND_AF_XDP)
		sandbox_print(keeper, stdout);
}

/* What is asked of the program and not of a data plane; -1: nothing. */
static int only_asked(const struct dp_options *o)
{
	const struct sandbox s = dp_sandbox(o->json, o->backend),
			     keeper = dp_sandbox_keeper(o->json);

	if (o->help)
		fputs(dp_options_help(), stdout);
	else if (o->print_sandbox)
		print_sandbox(&s, &keeper, o->backend);
	else if (o->test_sandbox)
		return test_sandbox(&s, &keeper, o->backend);
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct dp_options o;
	char why[DP_WHY] = "";
	struct log log;
	struct dp *dp;
	int stop_fd, asked;
	enum vx6_status st;

	dp_options_init(&o);
	o.sandbox = true;
	if (dp_options_parse(&o, argc, argv, why) != VX6_OK)
		return fail(why, 2);
	asked = only_asked(&o);
	if (asked >= 0)
		return asked;
	log_init(&log, STDERR_FILENO, o.json);
	stop_fd = signals();
	if (stop_fd < 0)
		return fail("cannot watch for signals", 1);
	if (dp_open(&dp, &o, &log, why) != VX6_OK)
		return fail(why, 1);
	st = dp_run(dp, stop_fd, why);
	dp_close(dp);
	close(stop_fd);
	return st == VX6_OK ? 0 : fail(why, 1);
}
