/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/fresh.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

char fresh_dir[64];

static int rm(const char *path, const struct stat *st, int flag,
	      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

bool fresh_make(const char *where)
{
	snprintf(fresh_dir, sizeof(fresh_dir), "%s/vx6-test-XXXXXX", where);
	if (mkdtemp(fresh_dir) != NULL)
		return true;
	fresh_dir[0] = '\0';
	return false;
}

void fresh_drop(void)
{
	if (fresh_dir[0] != '\0')
		(void)nftw(fresh_dir, rm, 16, FTW_DEPTH | FTW_PHYS);
	fresh_dir[0] = '\0';
}

const char *fresh_in(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", fresh_dir, name);
	return path;
}

uint32_t fresh_killed(uint32_t least, void *(*begin)(void),
		      bool (*act)(void *ctx, uint32_t n))
{
	uint32_t n, last = 0;
	int out[2];
	pid_t pid;

	/* a page of it: who is not killed at once gets no further than that */
	if (pipe(out) != 0 || fcntl(out[1], F_SETPIPE_SZ, 4096) < 0 ||
	    (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		void *ctx = begin();

		for (n = 1;; n++)
			if (!act(ctx, n) ||
			    write(out[1], &n, sizeof(n)) != sizeof(n))
				_exit(1);
	}
	close(out[1]);
	while (last < least && read(out[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	kill(pid, SIGKILL);
	while (read(out[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	waitpid(pid, NULL, 0);
	close(out[0]);
	return last;
}
