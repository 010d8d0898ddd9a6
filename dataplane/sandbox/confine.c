/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a thread and those that it makes may touch: capabilities, files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/sandbox/own.h"
#include "dataplane/sandbox/sandbox.h"

#define CAPS_MOST 64

static enum vx6_status refused(char why[SANDBOX_WHY], const char *what)
{
	snprintf(why, SANDBOX_WHY, "the sandbox cannot be made: %s: %s", what,
		 strerror(errno));
	return VX6_SYS;
}

/* ---- capabilities (capabilities(7)); the C library has no calls ---- */

static bool caps_get(struct __user_cap_data_struct has[2])
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};

	return syscall(SYS_capget, &head, has) == 0;
}

static bool may(int cap)
{
	struct __user_cap_data_struct has[2] = { 0 };

	return caps_get(has) &&
	       (has[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap)) != 0;
}

/* The bounding set is what a program that is started may get.  To lower it
 * takes a capability; who has it not has no_new_privs all the same. */
static void lower_bounds(uint64_t keep)
{
	if (!may(CAP_SETPCAP))
		return;
	for (int cap = 0; cap < CAPS_MOST; cap++)
		if ((keep >> cap & 1) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* No more than what is to be kept. */
static bool holds(const struct __user_cap_data_struct has[2], uint64_t keep)
{
	uint32_t more = 0;

	for (unsigned i = 0; i < 2; i++)
		more |= (has[i].permitted | has[i].effective |
			 has[i].inheritable) &
			~(uint32_t)(keep >> (32 * i));
	return more == 0;
}

static bool only(uint64_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct has[2] = { 0 };

	lower_bounds(keep);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
	    !caps_get(has))
		return false;
	if (holds(has, keep))
		return true; /* nothing to give up */
	for (unsigned i = 0; i < 2; i++) {
		uint32_t bits = (uint32_t)(keep >> (32 * i));

		has[i].permitted &= bits;
		has[i].effective = has[i].permitted;
		has[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, has) == 0;
}

/* Asked of the kernel, not remembered. */
static bool has_only(uint64_t keep)
{
	struct __user_cap_data_struct has[2] = { 0 };

	return caps_get(has) && holds(has, keep) &&
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* ---- an empty root directory ---- */

/* A file system of our own that is mounted nowhere, empty and read-only.
 * Without a capability and without a descriptor of a directory outside
 * there is no way out of it, so there is nothing to be gained by unmounting
 * what was the root before. */
static bool move_out(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), dir = -1;
	bool ok;

	if (fs < 0)
		return false;
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		dir = fsmount(fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
				      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	ok = dir >= 0 && fchdir(dir) == 0 && chroot(".") == 0;
	if (dir >= 0)
		close(dir);
	close(fs);
	return ok;
}

static bool may_move_out(void)
{
	return may(CAP_SYS_ADMIN) && may(CAP_SYS_CHROOT);
}

/* ---- Landlock (Documentation/userspace-api/landlock.rst) ---- */

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                  \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                                \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |        \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_TRUNCATE)
#define TREE                                                                   \
	(WRITE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REFER)
/* Those that make sense for something that is no directory. */
#define OF_FILE                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	 LANDLOCK_ACCESS_FS_TRUNCATE)

int sandbox_landlock(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

/* Everything that a kernel of this version can refuse, but for TCP, which
 * the filter or nobody refuses. */
static struct landlock_ruleset_attr handled(int version)
{
	struct landlock_ruleset_attr a = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1,
	};

	if (version >= 2)
		a.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		a.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (version >= 5)
		a.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (version >= 6)
		a.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET |
			   LANDLOCK_SCOPE_SIGNAL;
	return a;
}

static bool allow(int rules, const struct sandbox_place *p, uint64_t known)
{
	static const uint64_t access[] = { [SANDBOX_READ] = READ,
					   [SANDBOX_WRITE] = WRITE,
					   [SANDBOX_TREE] = TREE };
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = access[p->how] & known,
		.parent_fd = open(p->path, O_PATH | O_CLOEXEC),
	};
	struct stat st;
	bool ok;

	if (beneath.parent_fd < 0)
		return errno == ENOENT; /* nothing to be allowed */
	if (fstat(beneath.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed_access &= OF_FILE;
	ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		     &beneath, 0) == 0;
	close(beneath.parent_fd);
	return ok;
}

/* The rules of s, to be put in force; -1 with errno. */
static int rules_of(const struct sandbox *s, int version)
{
	struct landlock_ruleset_attr a = handled(version);
	static const struct sandbox_place all = { "/", "a sanitizer's runtime",
						  SANDBOX_READ };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);

	if (SANDBOX_SANITIZED && rules >= 0)
		(void)allow(rules, &all, a.handled_access_fs);
	for (unsigned i = 0; rules >= 0 && i < s->place_cnt; i++)
		if (!allow(rules, &s->place[i], a.handled_access_fs)) {
			int err = errno;

			close(rules);
			errno = err;
			return -1;
		}
	return rules;
}

/* What is allowed nowhere is tried. */
static bool root_is_closed(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 || SANDBOX_SANITIZED;
}

/* ---- all of it ---- */

static uint64_t kept(const struct sandbox *s)
{
	uint64_t keep = 0;

	for (unsigned i = 0; i < s->cap_cnt; i++)
		keep |= UINT64_C(1) << s->cap[i].no;
	return keep;
}

/* Another thread would keep what this one gives up.  A sanitizer may have
 * one. */
static bool is_alone(void)
{
	struct stat st;

	return SANDBOX_SANITIZED || stat("/proc/self/task", &st) != 0 ||
	       st.st_nlink <= 3;
}

bool sandbox_give_up(int rules, uint64_t keep)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       (rules < 0 ||
		syscall(SYS_landlock_restrict_self, rules, 0) == 0) &&
	       only(keep);
}

/* Rules are in force on the threads that called this, or never. */
static enum vx6_status under(const struct sandbox *s, struct sandbox_is *is,
			     int rules, char why[SANDBOX_WHY])
{
	if (s->threads && !sandbox_others(rules, kept(s)))
		return refused(why, "a thread that a library made");
	if (s->empty_root && !SANDBOX_SANITIZED && may_move_out()) {
		if (!move_out())
			return refused(why, "an empty root directory");
		is->empty_root = true;
	}
	if (!sandbox_give_up(rules, kept(s)))
		return refused(why, "Landlock, capabilities");
	if (rules >= 0 && !root_is_closed())
		return refused(why, "Landlock does not hold");
	errno = EPERM;
	return has_only(kept(s)) ? VX6_OK
				 : refused(why, "capabilities are left");
}

enum vx6_status sandbox_confine(const struct sandbox *s, struct sandbox_is *is,
				char why[SANDBOX_WHY])
{
	static const struct rlimit none;
	enum vx6_status st;
	int rules = -1;

	memset(is, 0, sizeof(*is));
	errno = EBUSY;
	if (!s->threads && !is_alone())
		return refused(why, "there is a second thread already");
	tzset(); /* a file that gmtime_r would read when it is first called */
	/* keys are in memory: no core file, no debugger of the same user */
	if (setrlimit(RLIMIT_CORE, &none) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return refused(why, "no core files");
	is->landlock = sandbox_landlock();
	if (is->landlock > 0) {
		rules = rules_of(s, is->landlock); /* by paths: before these
						      are gone */
		if (rules < 0)
			return refused(why, "Landlock's rules");
	}
	st = under(s, is, rules, why);
	if (rules >= 0)
		close(rules);
	return st;
}
