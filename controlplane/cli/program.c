/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/clock.h"

#define EXIT_NO_EXEC 127

bool program_find(const char *name, char path[CLI_PATH_TEXT],
		  char dir[PROGRAM_DIR])
{
	ssize_t n = readlink("/proc/self/exe", dir, PROGRAM_DIR - 1);
	char *slash;

	dir[n < 0 ? 0 : n] = '\0';
	slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
	snprintf(path, CLI_PATH_TEXT, "%s/%s", dir, name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(path, CLI_PATH_TEXT, "%s/../sbin/%s", dir, name);
	return access(path, X_OK) == 0;
}

static void run(const char *path, const char *const argv[], int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(EXIT_NO_EXEC);
	/* execv's prototype is older than const */
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(EXIT_NO_EXEC);
}

/* True: to the end, and all of it has room. */
static bool take(int from, uint64_t end_ns, char *out, size_t len)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	size_t at = 0;

	for (;;) {
		uint64_t now = vx6_now_ns();
		ssize_t n;
		int rc;

		if (now >= end_ns || at + 1 >= len)
			return false;
		rc = poll(&p, 1, (int)((end_ns - now) / VX6_MS) + 1);
		if (rc == 0 || (rc < 0 && errno == EINTR))
			continue;
		n = rc < 0 ? -1 : read(from, out + at, len - 1 - at);
		if (n < 0)
			return false;
		out[at += (size_t)n] = '\0';
		if (n == 0)
			return true;
	}
}

bool program_ask(const char *path, const char *const argv[], unsigned wait_ms,
		 char *out, size_t len)
{
	uint64_t end_ns = vx6_now_ns() + wait_ms * VX6_MS;
	int fd[2], status = -1;
	bool whole;
	pid_t pid;

	out[0] = '\0';
	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		run(path, argv, fd[1]);
	close(fd[1]);
	whole = pid > 0 && take(fd[0], end_ns, out, len);
	close(fd[0]);
	if (pid < 0)
		return false;
	if (!whole)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
