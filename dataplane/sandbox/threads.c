/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that were there before the sandbox.  What a thread may do is its
 * own to give up, so each is asked by a signal, one at a time. */
#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/sandbox/own.h"

#define THREADS    256u
#define PATIENCE_S 5
#define STATUS_LEN 4096u

static struct { /* written before a thread is asked */
	int rules;
	uint64_t keep;
	sem_t answered;
	_Atomic int err;
} ask;

static int our_signal(void)
{
	return SIGRTMIN + 4;
}

static void on_asked(int signo)
{
	int before = errno;

	(void)signo;
	atomic_store(&ask.err,
		     sandbox_give_up(ask.rules, ask.keep) ? 0 : errno);
	sem_post(&ask.answered);
	errno = before;
}

static bool ask_one(pid_t tid)
{
	struct timespec at;
	int rc;

	if (syscall(SYS_tgkill, getpid(), tid, our_signal()) != 0)
		return errno == ESRCH; /* it has ended */
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += PATIENCE_S;
	do
		rc = sem_timedwait(&ask.answered, &at);
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		errno = atomic_load(&ask.err);
	return rc == 0 && errno == 0;
}

struct known {
	pid_t tid[THREADS];
	unsigned cnt;
};

static bool is_known(const struct known *k, pid_t tid)
{
	for (unsigned i = 0; i < k->cnt; i++)
		if (k->tid[i] == tid)
			return true;
	return false;
}

/* Asks all that were not asked yet; how many those were, -1 with errno. */
static int ask_new(struct known *k)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *e;
	int asked = 0;

	if (d == NULL)
		return -1;
	while (asked >= 0 && (e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid <= 0 || tid == gettid() || is_known(k, tid))
			continue;
		if (k->cnt == THREADS)
			errno = ENOMEM;
		if (k->cnt == THREADS || !ask_one(tid)) {
			asked = -1;
			break;
		}
		k->tid[k->cnt++] = tid;
		asked++;
	}
	closedir(d);
	return asked;
}

/* ---- what the kernel says ---- */

static bool field(const char *text, const char *name, uint64_t *out)
{
	const char *at = strstr(text, name);

	*out = at != NULL ? strtoull(at + strlen(name), NULL, 16) : 0;
	return at != NULL;
}

static bool is_done(pid_t tid, uint64_t keep)
{
	static const char *const caps[] = { "CapInh:", "CapPrm:", "CapEff:",
					    "CapAmb:" };
	char path[64], text[STATUS_LEN];
	uint64_t has;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT; /* it has ended */
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	if (len == 0)
		return true; /* likewise, just now */
	text[len] = '\0';
	for (unsigned i = 0; i < VX6_COUNT(caps); i++)
		if (!field(text, caps[i], &has) || (has & ~keep) != 0)
			return false;
	return field(text, "NoNewPrivs:", &has) && has == 1;
}

bool sandbox_others(int rules, uint64_t keep)
{
	struct sigaction sa = { .sa_handler = on_asked,
				.sa_flags = SA_RESTART };
	struct known k = { .cnt = 0 };
	int asked;

	ask.rules = rules;
	ask.keep = keep;
	sigemptyset(&sa.sa_mask);
	if (sem_init(&ask.answered, 0, 0) != 0 ||
	    sigaction(our_signal(), &sa, NULL) != 0)
		return false;
	/* who is made meanwhile has it from its maker, asked or not yet */
	do
		asked = ask_new(&k);
	while (asked > 0);
	sa.sa_handler = SIG_IGN; /* one that comes too late ends nobody */
	if (asked < 0) {
		int err = errno;

		(void)sigaction(our_signal(), &sa, NULL);
		errno = err;
		return false;
	}
	for (unsigned i = 0; i < k.cnt; i++)
		if (!is_done(k.tid[i], keep)) {
			errno = EPERM;
			return false;
		}
	return sigaction(our_signal(), &sa, NULL) == 0;
}
