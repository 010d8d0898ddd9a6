/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/record/say.h"

#define LOCK_FILE "lock"

enum vx6_status state_say(struct state_why *why, enum vx6_status st,
			  const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why->text, sizeof(why->text), format, ap);
	va_end(ap);
	return st;
}

/* Makes the parents of dir; what cannot be made is told by the last one. */
static void make_parents(const char *dir)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);

	if (len >= sizeof(path))
		return;
	memcpy(path, dir, len + 1);
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

static enum vx6_status judge_dir(const char *dir, int fd, struct state_why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return state_say(why, VX6_SYS, "%s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return state_say(why, VX6_CONFIG,
				 "%s belongs to user %u and we run as user %u: "
				 "run vx6 as its owner, or change the owner",
				 dir, st.st_uid, geteuid());
	if ((st.st_mode & 022) != 0)
		return state_say(why, VX6_CONFIG,
				 "%s may be written by others (mode %04o): "
				 "run chmod go-w %s",
				 dir, st.st_mode & 07777, dir);
	return VX6_OK;
}

enum vx6_status state_dir(const char *dir, mode_t mode, struct state_why *why)
{
	if (dir[0] == '\0')
		return state_say(why, VX6_CONFIG, "no directory is named");
	make_parents(dir);
	if (mkdir(dir, mode) != 0 && errno != EEXIST)
		return state_say(why, VX6_SYS,
				 "%s cannot be made: %s; make it, or name "
				 "another directory",
				 dir, strerror(errno));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return state_say(why, VX6_CONFIG, "%s is not a directory", dir);
	if (fd < 0)
		return state_say(why, VX6_SYS, "%s: %s", dir, strerror(errno));
	enum vx6_status st = judge_dir(dir, fd, why);
	close(fd);
	return st;
}

/* The pid that the holder wrote, or 0. */
static long holder(int fd)
{
	char text[24] = { 0 };
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

enum vx6_status state_lock(const char *dir, int *fd, struct state_why *why)
{
	char path[PATH_MAX];
	char pid[24];

	if (snprintf(path, sizeof(path), "%s/" LOCK_FILE, dir) >=
	    (int)sizeof(path))
		return state_say(why, VX6_CONFIG, "%s: too long a name", dir);
	int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f < 0)
		return state_say(why, VX6_SYS, "%s: %s", path, strerror(errno));
	if (flock(f, LOCK_EX | LOCK_NB) != 0) {
		int err = errno;
		long by = holder(f);

		close(f);
		if (err != EWOULDBLOCK)
			return state_say(why, VX6_SYS, "%s: %s", path,
					 strerror(err));
		return state_say(why, VX6_EXISTS,
				 "another vx6d (pid %ld) uses %s: stop it, or "
				 "give this one another --state directory",
				 by, dir);
	}
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(f, 0) != 0 || pwrite(f, pid, (size_t)len, 0) != len) {
		enum vx6_status st = state_say(why, VX6_SYS, "%s: %s", path,
					       strerror(errno));
		close(f);
		return st;
	}
	*fd = f;
	return VX6_OK;
}
