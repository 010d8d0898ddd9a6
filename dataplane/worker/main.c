/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vx6-dataplane: forwards cells between links, as vx6d tells it.
 *
 * Exit status: 0 stopped by a signal, 1 could not run, 2 wrong usage. */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "dataplane/worker/dataplane.h"

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

int main(int argc, char **argv)
{
	struct dp_options o;
	char why[DP_WHY] = "";
	struct log log;
	struct dp *dp;
	int stop_fd;
	enum vx6_status st;

	dp_options_init(&o);
	if (dp_options_parse(&o, argc, argv, why) != VX6_OK)
		return fail(why, 2);
	if (o.help) {
		fputs(dp_options_help(), stdout);
		return 0;
	}
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
