/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The foreground form of a node: one parent, vx6d and vx6-dataplane.
 *
 *     START --READY=1--> UP --ended--> WAIT --back-off--> START
 *       |                 |
 *       +-- ended: what it said is ours; everything ends
 *                         +--^C--> TERM --drain and 5 s--> KILL
 *
 * A child that gives up before it was ever ready is not tried again: what
 * is wrong then is wrong the next time, and its own message says what it
 * is.  EXIT_CONFIG says so at any time, a signal never.  On ^C vx6d goes first,
 * because it says goodbye over the links that the data plane holds.  A child
 * sits in a process group of its own, so that ^C reaches it once, by us; and it
 * dies with its parent, whatever that dies of. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controlplane/cli/become.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/notify.h"
#include "controlplane/cli/program.h"
#include "controlplane/record/identity.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/rand.h"

#define EXIT_CONFIG  2 /* what it was told is not usable: again is no use */
#define EXIT_NO_EXEC 127
#define BACKOFF_MIN  VX6_SEC
#define BACKOFF_MAX  (60 * VX6_SEC)
#define STEADY       (60 * VX6_SEC) /* up so long: back-off begins anew */
#define START_MAX    (10 * VX6_SEC) /* up so long without READY: it is up */
#define KILL_AFTER   (5 * VX6_SEC)  /* beyond the drain */
#define KIDS         2

enum kid_state { KID_WAIT, KID_START, KID_UP, KID_TERM, KID_GONE };

struct kid {
	const char *name;
	char path[CLI_PATH_TEXT];
	char notify_name[NOTIFY_NAME];
	enum kid_state state;
	pid_t pid;
	int notify_fd;
	bool ever_ready, pinged;
	bool plane;                            /* vx6-dataplane */
	uint64_t began_ns, due_ns, backoff_ns; /* due: start, or kill */
};

struct family {
	struct cli *cli;
	struct kid kid[KIDS]; /* vx6d first */
	unsigned cnt;
	int signal_fd;
	const char *upward; /* our own NOTIFY_SOCKET, or NULL */
	bool told_ready, stopping;
	int code;
	struct vx6_rand rand;
};

/* ---- where the programs are ---- */

static int find(struct cli *cli, struct kid *k)
{
	char self[PROGRAM_DIR];

	if (program_find(k->name, k->path, self))
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED, "install it beside vx6",
			"%s is neither in %s nor in %s/../sbin", k->name, self,
			self);
}

/* ---- one child ---- */

static void exec_kid(const struct cli *cli, const struct kid *k, pid_t parent)
{
	const char *argv[8] = { k->name };
	unsigned n = 1;
	sigset_t none;

	setpgid(0, 0);
	become_child(k->plane);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_NO_EXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("NOTIFY_SOCKET", k->notify_name, 1);
	unsetenv("WATCHDOG_PID"); /* it names us; the interval holds for all */
	if (cli->config_there) {
		argv[n++] = "--config";
		argv[n++] = cli->config_path;
	}
	argv[n++] = "--state";
	argv[n++] = cli->cfg.state;
	argv[n++] = "--run";
	argv[n++] = cli->cfg.run;
	/* execv's prototype is older than const */
	execv(k->path, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "vx6: %s cannot be run: %s\n", k->path,
		strerror(errno));
	_exit(EXIT_NO_EXEC);
}

static void start(struct family *f, struct kid *k)
{
	pid_t parent = getpid();

	k->began_ns = vx6_now_ns();
	k->due_ns = VX6_NEVER;
	k->state = KID_START;
	k->pinged = false;
	k->pid = fork();
	if (k->pid == 0)
		exec_kid(f->cli, k, parent);
	if (k->pid < 0) {
		k->state = KID_WAIT;
		k->due_ns = k->began_ns + BACKOFF_MIN;
	}
}

static void stop(struct family *f, struct kid *k)
{
	if (k->state == KID_WAIT || k->state == KID_GONE) {
		k->state = KID_GONE;
		k->due_ns = VX6_NEVER;
		return;
	}
	kill(k->pid, SIGTERM);
	if (k->state == KID_TERM)
		return;
	k->state = KID_TERM;
	k->due_ns = vx6_now_ns() + f->cli->cfg.timers.drain_ns + KILL_AFTER;
}

/* again plans the next start: twice the wait of last time, +-20 %. */
static uint64_t again(struct family *f, struct kid *k, uint64_t now)
{
	uint64_t wait = k->backoff_ns;

	if (wait == 0 || now - k->began_ns > STEADY)
		wait = BACKOFF_MIN;
	k->backoff_ns = wait * 2 > BACKOFF_MAX ? BACKOFF_MAX : wait * 2;
	wait = wait / 1000 * (800 + vx6_rand_below(&f->rand, 401));
	k->state = KID_WAIT;
	k->due_ns = now + wait;
	return wait;
}

static const char *ending(int status, char out[80])
{
	if (WIFSIGNALED(status))
		snprintf(out, 80, "was ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, 80, "ended with status %d", WEXITSTATUS(status));
	return out;
}

static void begin_end(struct family *f, int code)
{
	if (!f->stopping)
		f->code = code;
	f->stopping = true;
	if (f->told_ready)
		notify_send(f->upward, "STOPPING=1");
	f->told_ready = false;
}

static void ended(struct family *f, struct kid *k, int status)
{
	uint64_t now = vx6_now_ns();
	bool hopeless = WIFEXITED(status) &&
			(WEXITSTATUS(status) == EXIT_CONFIG ||
			 WEXITSTATUS(status) == EXIT_NO_EXEC ||
			 (!k->ever_ready && now - k->began_ns < START_MAX));
	char how[80];

	k->pid = 0;
	if (f->stopping) {
		k->state = KID_GONE;
		k->due_ns = VX6_NEVER;
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		/* `vx6 shutdown`: somebody wants the node to end */
		k->state = KID_GONE;
		begin_end(f, CLI_OK);
		return;
	}
	if (!hopeless) {
		double wait_s = (double)again(f, k, now) / (double)VX6_SEC;

		cli_note(f->cli, "vx6: %s %s, is started again in %.1f s",
			 k->name, ending(status, how), wait_s);
		return;
	}
	k->state = KID_GONE;
	cli_fail(f->cli, CLI_FAILED,
		 "its own words stand above; correct that and run again",
		 "%s %s before it was ready", k->name, ending(status, how));
	begin_end(f, CLI_FAILED);
}

/* ---- all of them ---- */

static void reap(struct family *f)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < f->cnt; i++)
			if (f->kid[i].pid == pid)
				ended(f, &f->kid[i], status);
}

static void hear_signals(struct family *f)
{
	struct signalfd_siginfo si;

	while (read(f->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			reap(f);
			continue;
		}
		/* who asks twice is in a hurry, and so are the children */
		for (unsigned i = 0; f->stopping && i < f->cnt; i++)
			stop(f, &f->kid[i]);
		begin_end(f, CLI_OK);
	}
}

static void hear_kid(struct family *f, struct kid *k)
{
	unsigned bits = notify_read(k->notify_fd, k->pid);
	bool all_up = true, all_pinged = true;

	if ((bits & NOTIFY_READY) != 0 && k->state == KID_START) {
		k->state = KID_UP;
		k->ever_ready = true;
	}
	if ((bits & NOTIFY_WATCHDOG) != 0)
		k->pinged = true;
	for (unsigned i = 0; i < f->cnt; i++) {
		all_up = all_up && f->kid[i].state == KID_UP;
		all_pinged = all_pinged && f->kid[i].pinged;
	}
	if (all_up && !f->told_ready && !f->stopping) {
		f->told_ready = true;
		notify_send(f->upward, "READY=1");
	}
	if (!all_pinged)
		return;
	notify_send(f->upward, "WATCHDOG=1");
	for (unsigned i = 0; i < f->cnt; i++)
		f->kid[i].pinged = false;
}

/* step does what is due and returns when something will be. */
static uint64_t step(struct family *f, uint64_t now)
{
	uint64_t due = VX6_NEVER;

	for (unsigned i = 0; i < f->cnt; i++) {
		struct kid *k = &f->kid[i];

		/* the data plane outlives vx6d */
		if (f->stopping && k->state != KID_TERM &&
		    (i == 0 || f->kid[0].state == KID_GONE))
			stop(f, k);
		if (k->state == KID_WAIT && now >= k->due_ns && !f->stopping)
			start(f, k);
		if (k->state == KID_TERM && now >= k->due_ns) {
			kill(k->pid, SIGKILL);
			k->due_ns = VX6_NEVER;
		}
		if (k->due_ns < due)
			due = k->due_ns;
	}
	return due;
}

static bool all_gone(const struct family *f)
{
	for (unsigned i = 0; i < f->cnt; i++)
		if (f->kid[i].state != KID_GONE)
			return false;
	return true;
}

static int watch(struct family *f)
{
	struct pollfd p[KIDS + 1];

	for (unsigned i = 0; i < f->cnt; i++)
		p[i] = (struct pollfd){ .fd = f->kid[i].notify_fd,
					.events = POLLIN };
	p[f->cnt] = (struct pollfd){ .fd = f->signal_fd, .events = POLLIN };
	while (!all_gone(f)) {
		uint64_t now = vx6_now_ns(), due = step(f, now);
		int ms = -1;

		if (all_gone(f))
			break;
		if (due != VX6_NEVER)
			ms = due <= now ? 0 : (int)((due - now) / VX6_MS) + 1;
		if (poll(p, f->cnt + 1, ms) < 0 && errno != EINTR)
			return CLI_FAILED;
		for (unsigned i = 0; i < f->cnt; i++)
			hear_kid(f, &f->kid[i]);
		hear_signals(f);
	}
	return f->code;
}

static int prepare(struct family *f)
{
	sigset_t set;

	f->upward = getenv("NOTIFY_SOCKET");
	vx6_rand_init(&f->rand);
	for (unsigned i = 0; i < f->cnt; i++) {
		struct kid *k = &f->kid[i];

		k->notify_fd = notify_open(k->name, k->notify_name);
		if (k->notify_fd < 0)
			return cli_fail(f->cli, CLI_FAILED, "",
					"no socket to hear %s on: %s", k->name,
					strerror(errno));
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signal_fd < 0)
		return cli_fail(f->cli, CLI_FAILED, "", "no signalfd: %s",
				strerror(errno));
	return CLI_OK;
}

static int has_identity(struct cli *cli)
{
	char path[CLI_PATH_TEXT];

	snprintf(path, sizeof(path), "%s/%s", cli->cfg.state, IDENTITY_FILE);
	if (access(path, F_OK) == 0)
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED, "make one with `vx6 init`",
			"there is no identity in %s", cli->cfg.state);
}

CLI_RUN(cli_run)
{
	struct family f = { .cli = cli, .cnt = 1, .signal_fd = -1 };
	const char *user = cli_opt(args, "user");
	int code = cli_config(cli);

	if (code == CLI_OK)
		code = has_identity(cli);
	if (code == CLI_OK)
		code = become_dirs(cli, user);
	if (code == CLI_OK)
		code = become_user(cli, user);
	f.kid[0].name = "vx6d";
	f.kid[1].name = "vx6-dataplane";
	f.kid[1].plane = true;
	if (cli->cfg.data.enabled)
		f.cnt = 2;
	for (unsigned i = 0; code == CLI_OK && i < f.cnt; i++)
		code = find(cli, &f.kid[i]);
	if (code == CLI_OK)
		code = prepare(&f);
	return code == CLI_OK ? watch(&f) : code;
}
