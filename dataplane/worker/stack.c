/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The handler's own frame and the kernel's return from it. */
#define FRAMES_OF_HANDLER 2
#define NS_OF_MS          1000000L

static void *address[STACK_DEPTH];
static int depth;
static sem_t answered;

static int our_signal(void)
{
	return SIGRTMIN + 3;
}

/* backtrace was called before, so it neither loads nor allocates. */
static void on_asked(int signo)
{
	int before = errno;

	(void)signo;
	depth = backtrace(address, STACK_DEPTH);
	sem_post(&answered);
	errno = before;
}

void stack_start(void)
{
	struct sigaction sa = { .sa_handler = on_asked,
				.sa_flags = SA_RESTART };

	depth = backtrace(address, STACK_DEPTH);
	sem_init(&answered, 0, 0);
	sigemptyset(&sa.sa_mask);
	sigaction(our_signal(), &sa, NULL);
}

static bool wait_for_it(void)
{
	struct timespec at;
	int rc;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += STACK_WAIT_MS * NS_OF_MS;
	at.tv_sec += at.tv_nsec / (1000 * NS_OF_MS);
	at.tv_nsec %= 1000 * NS_OF_MS;
	do
		rc = sem_timedwait(&answered, &at);
	while (rc != 0 && errno == EINTR);
	return rc == 0;
}

static int one(char *to, size_t room, const void *at)
{
	const char *name = "?", *slash;
	uintptr_t base = 0;
	Dl_info i;

	if (dladdr(at, &i) != 0 && i.dli_sname != NULL) {
		name = i.dli_sname;
		base = (uintptr_t)i.dli_saddr;
	} else if (dladdr(at, &i) != 0 && i.dli_fname != NULL) {
		slash = strrchr(i.dli_fname, '/');
		name = slash != NULL ? slash + 1 : i.dli_fname;
		base = (uintptr_t)i.dli_fbase;
	}
	return snprintf(to, room, " %s+%#zx", name,
			(size_t)((uintptr_t)at - base));
}

const char *stack_of(pthread_t thread, char out[STACK_TEXT])
{
	size_t at = 0;

	snprintf(out, STACK_TEXT, " unknown");
	while (sem_trywait(&answered) == 0)
		; /* an answer that came too late */
	if (pthread_kill(thread, our_signal()) != 0 || !wait_for_it())
		return out + 1;
	for (int i = FRAMES_OF_HANDLER; i < depth; i++) {
		int len = one(out + at, STACK_TEXT - at, address[i]);

		if (len < 0 || at + (size_t)len >= STACK_TEXT) {
			out[at] = '\0'; /* whole names only */
			break;
		}
		at += (size_t)len;
	}
	return out + 1;
}
