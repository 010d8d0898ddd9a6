/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/become.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER "vx6"

/* target finds who to become; *pw NULL: stay. */
static int target(struct cli *cli, const char *user, const struct passwd **pw)
{
	*pw = NULL;
	if (geteuid() != 0) {
		if (user == NULL)
			return CLI_OK;
		return cli_fail(cli, CLI_USAGE, "leave --user out",
				"only root can become another user");
	}
	errno = 0;
	*pw = getpwnam(user == NULL ? USER : user);
	if (*pw == NULL && user != NULL)
		return cli_fail(cli, CLI_USAGE, "name one that exists, or root",
				"there is no user %s", user);
	if (*pw != NULL && (*pw)->pw_uid == 0)
		*pw = NULL;
	return CLI_OK;
}

/* make_path makes dir and what is missing above it. */
static int make_path(char *dir, mode_t mode)
{
	for (char *p = dir + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(dir, 0755) != 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return mkdir(dir, mode) != 0 && errno != EEXIST ? -1 : 0;
}

static int give(struct cli *cli, const char *path, mode_t mode,
		const struct passwd *pw)
{
	char dir[CONFIG_PATH_TEXT];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	if (make_path(dir, mode) != 0 || lstat(path, &st) != 0 ||
	    !S_ISDIR(st.st_mode))
		return cli_fail(
			cli, CLI_FAILED, "make the directory, or name another",
			"%s cannot be made: %s", path,
			errno == 0 ? "it is no directory" : strerror(errno));
	if (st.st_uid == pw->pw_uid)
		return CLI_OK;
	/* what is in there was made by somebody else: not ours to give */
	if (rmdir(path) != 0 || mkdir(path, mode) != 0 ||
	    chown(path, pw->pw_uid, pw->pw_gid) != 0)
		return cli_fail(cli, CLI_FAILED,
				"give it to that user with chown -R, or say "
				"--user root",
				"%s does not belong to the user %s", path,
				pw->pw_name);
	return CLI_OK;
}

int become_dirs(struct cli *cli, const char *user)
{
	const struct passwd *pw;
	int code = target(cli, user, &pw);

	if (code != CLI_OK || pw == NULL)
		return code;
	errno = 0;
	code = give(cli, cli->cfg.state, 0700, pw);
	return code == CLI_OK ? give(cli, cli->cfg.run, 0750, pw) : code;
}

/* ---- capabilities (capabilities(7)); the C library has no calls ---- */

static const unsigned plane_caps[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF,
				       CAP_PERFMON, CAP_IPC_LOCK };

/* set_caps leaves this process those of plane_caps that it has, or none. */
static bool set_caps(bool keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct has[2] = { 0 }, now[2] = { 0 };

	if (keep && syscall(SYS_capget, &head, has) != 0)
		return false;
	for (unsigned i = 0; keep && i < VX6_COUNT(plane_caps); i++) {
		unsigned word = CAP_TO_INDEX(plane_caps[i]);
		uint32_t bit = CAP_TO_MASK(plane_caps[i]);

		now[word].permitted |= has[word].permitted & bit;
		now[word].inheritable |= has[word].permitted & bit;
	}
	return syscall(SYS_capset, &head, now) == 0;
}

void become_child(bool plane)
{
	if (geteuid() == 0)
		return;
	for (unsigned i = 0; plane && i < VX6_COUNT(plane_caps); i++)
		(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, plane_caps[i],
			    0, 0);
	if (plane)
		return;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)set_caps(false);
}

static bool change(const struct passwd *pw, bool keep)
{
	if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return false;
	return initgroups(pw->pw_name, pw->pw_gid) == 0 &&
	       setgid(pw->pw_gid) == 0 && setuid(pw->pw_uid) == 0 &&
	       (!keep || set_caps(true));
}

int become_user(struct cli *cli, const char *user)
{
	const struct config_data *data = &cli->cfg.data;
	const struct passwd *pw;
	int code = target(cli, user, &pw);

	if (code != CLI_OK || pw == NULL)
		return code;
	if (change(pw, data->enabled && data->backend != CONFIG_BACKEND_UDP))
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED, "say --user root to stay root",
			"cannot become the user %s: %s", pw->pw_name,
			strerror(errno));
}
