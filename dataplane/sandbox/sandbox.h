/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_SANDBOX_SANDBOX_H
#define VX6_DATAPLANE_SANDBOX_SANDBOX_H

/* sandbox: what a process of ours may still do once everything is open.
 *
 *     sandbox_confine   one thread: no capability, no new ones, no core
 *                       file; an empty root directory where that may be
 *                       had; Landlock: only the files that were named.  Where
 *                       a library has threads by then, each of them as well
 *     .. threads ..     inherit all of that
 *     sandbox_filter    all threads: only the system calls of two tables,
 *                       that of the process and sandbox_common
 *
 * A call that is in neither table ends the process with SIGSYS, and one line
 * on its log names the call.  Nothing is refused in silence: an errno that
 * nobody expects is a fault that is found much later and elsewhere.
 *
 * The filter is libseccomp's, which compares all 64 bits of an argument, as
 * the caller set them; a pointer is never compared, for another thread may
 * change what it points to.  Calls whose arguments do not matter cost
 * nothing: the kernel (5.11 and later) knows them from a bitmap and does not
 * run the filter; those of the hot path are such.
 *
 * A kernel without Landlock or filters is no reason not to run: *is says
 * what was had, and the caller says it to the operator.
 *
 * Ownership: tables are static.  Threads: confine before there is a second
 * one, which it refuses unless the table says that a library has made some;
 * filter once.  Both at start only: they allocate. */

#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1 /* its runtime reads files, and more */
#else
#define SANDBOX_SANITIZED 0
#endif

#define SANDBOX_WHY  256u
#define SANDBOX_ARGS 3u
#define SANDBOX_SELF UINT64_MAX /* as an argument: our own process ID */

/* One permitted call.  All of arg hold, up to the first without an op; other
 * lines of the same call permit other arguments. */
struct sandbox_call {
	int nr;
	const char *name;
	const char *why;
	struct scmp_arg_cmp arg[SANDBOX_ARGS];
};

/* In a table: CALL(read, "why"), CALL(prctl, "why", ARG(0, PR_SET_NAME)). */
#define CALL(call, reason, ...)                                                \
	{                                                                      \
		.nr = SCMP_SYS(call), .name = #call, .why = reason,            \
		.arg = { __VA_ARGS__ }                                         \
	}
#define ARG(no, value) { .arg = no, .op = SCMP_CMP_EQ, .datum_a = value }

extern const struct sandbox_call sandbox_common[];
extern const unsigned sandbox_common_cnt;

/* What may be done below a path.  One that is not there is left out. */
enum sandbox_how {
	SANDBOX_READ = 1, /* files and directories */
	SANDBOX_WRITE,    /* besides: make, write and remove files, sockets */
	SANDBOX_TREE      /* besides: directories */
};

struct sandbox_place {
	const char *path, *why;
	enum sandbox_how how;
};

/* A capability that is kept, in a table: KEEP(NET_ADMIN, "why"). */
struct sandbox_cap {
	unsigned no; /* of linux/capability.h */
	const char *name, *why;
};

#define KEEP(cap, reason)                                                      \
	{ .no = CAP_##cap, .name = "CAP_" #cap, .why = reason }

/* What a library would do, and may not all the same, for the reader of the
 * table. */
struct sandbox_never {
	const char *what, *why;
};

struct sandbox {
	const char *who; /* the program */
	const struct sandbox_call *call;
	unsigned call_cnt;
	const struct sandbox_call *more; /* a second table; may be none */
	unsigned more_cnt;
	const struct sandbox_place *place;
	unsigned place_cnt;
	const struct sandbox_cap *cap; /* which are kept; none where cnt is 0 */
	unsigned cap_cnt;
	const struct sandbox_never *never;
	unsigned never_cnt;
	bool threads;    /* a library has made some already */
	bool empty_root; /* no file at all: where it may be had */
	bool json;       /* form of the line about a forbidden call .. */
	int log_fd;      /* .. and where to */
};

struct sandbox_is {
	int landlock;    /* version of its interface, 0 = none */
	bool empty_root; /* the root directory is empty and read-only */
	bool filter;     /* on all threads */
};

/* sandbox_confine.  VX6_SYS with a sentence: something that this kernel has
 * could not be had, or does not hold. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
sandbox_confine(const struct sandbox *s, struct sandbox_is *is,
		char why[SANDBOX_WHY]);

/* sandbox_filter.  VX6_SYS as above. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
sandbox_filter(const struct sandbox *s, struct sandbox_is *is,
	       char why[SANDBOX_WHY]);

/* sandbox_hide answers one call from now on as a kernel does that has it not:
 * for a library that would use it, and do without when it is not there.
 * False with errno. */
VX6_MUST_CHECK bool sandbox_hide(int nr);

/* sandbox_landlock and sandbox_filters say what this kernel has: the version
 * of Landlock's interface or 0; whether filters can be installed. */
int sandbox_landlock(void);
bool sandbox_filters(void);

/* sandbox_print writes the tables for an operator: system calls, files and
 * capabilities, a heading that begins with # before each. */
VX6_NONNULL void sandbox_print(const struct sandbox *s, FILE *to);

/* ---- a test of itself ---- */

/* What is tried.  The second column: what refuses it though there is no
 * filter: 0 capabilities or no_new_privs, n Landlock from that version of its
 * interface on, NO nothing.  The third: a capability that permits it, NO none;
 * where that is kept, the filter alone refuses it. */
#define SANDBOX_NO (-1)
/* clang-format off */
#define SANDBOX_TRY_LIST(X)                                          \
	X(read_passwd, 1, SANDBOX_NO, "read /etc/passwd") \
	X(make_file, 1, SANDBOX_NO, "make a file in /tmp") \
	X(list_proc, 1, SANDBOX_NO, "list /proc") \
	X(exec, 1, SANDBOX_NO, "execve /bin/true") \
	X(fork, SANDBOX_NO, SANDBOX_NO, "make a process") \
	X(tcp_socket, SANDBOX_NO, SANDBOX_NO, "make a TCP socket") \
	X(packet_socket, 0, CAP_NET_RAW, "make a packet socket") \
	X(unix_abstract, 6, SANDBOX_NO, "connect to another's abstract Unix socket") \
	X(kill_parent, 6, SANDBOX_NO, "signal another process") \
	X(trace_parent, 1, SANDBOX_NO, "ptrace another process") \
	X(read_parent, 1, SANDBOX_NO, "read another process's memory") \
	X(be_traced, SANDBOX_NO, SANDBOX_NO, "be traced") \
	X(mount, 0, CAP_SYS_ADMIN, "mount a file system") \
	X(change_root, 0, SANDBOX_NO, "change the root directory") \
	X(user_namespace, SANDBOX_NO, SANDBOX_NO, "make a user namespace") \
	X(net_namespace, 0, CAP_SYS_ADMIN, "make a network namespace") \
	X(join_namespace, SANDBOX_NO, SANDBOX_NO, "join a namespace") \
	X(bpf, 0, CAP_BPF, "make a BPF map") \
	X(module, 0, SANDBOX_NO, "load a kernel module") \
	X(kexec, 0, SANDBOX_NO, "load another kernel") \
	X(half_argument, SANDBOX_NO, SANDBOX_NO, "make a call whose argument is permitted in its lower half") \
	X(exec_memory, SANDBOX_NO, SANDBOX_NO, "map memory to be executed") \
	X(exec_protect, SANDBOX_NO, SANDBOX_NO, "make memory executable") \
	X(set_user, 0, SANDBOX_NO, "become another user") \
	X(set_caps, 0, CAP_NET_ADMIN, "take a capability") \
	X(raise_limit, 0, SANDBOX_NO, "raise a resource limit") \
	X(io_uring, SANDBOX_NO, SANDBOX_NO, "make an io_uring") \
	X(perf_event, SANDBOX_NO, SANDBOX_NO, "open a performance counter") \
	X(userfaultfd, SANDBOX_NO, SANDBOX_NO, "make a userfaultfd") \
	X(keyring, SANDBOX_NO, SANDBOX_NO, "read a keyring") \
	X(set_clock, 0, SANDBOX_NO, "set the clock") \
	X(set_hostname, 0, CAP_SYS_ADMIN, "set the host's name") \
	X(take_sigsys, SANDBOX_NO, SANDBOX_NO, "handle SIGSYS another way") \
	X(personality, SANDBOX_NO, SANDBOX_NO, "change the execution domain")
/* clang-format on */

enum sandbox_try {
#define X(name, landlock, cap, text) SANDBOX_TRY_##name,
	SANDBOX_TRY_LIST(X)
#undef X
		SANDBOX_TRY_CNT
};

#define SANDBOX_BIT(name) (UINT64_C(1) << SANDBOX_TRY_##name)

/* sandbox_sanitized are the attempts that a sanitizer's runtime needs. */
uint64_t sandbox_sanitized(void);

/* sandbox_test tries each in a process of its own, on a thread that was
 * there before the filter: behind confine and filter, and again behind
 * confine alone where that must do.  May: bits of what this sandbox permits
 * on purpose.  A line for each on `to`.  True: nothing was possible.  Calls
 * fork: for a process that has one thread and does nothing else. */
VX6_MUST_CHECK VX6_NONNULL bool sandbox_test(const struct sandbox *s,
					     uint64_t may, FILE *to);

#endif
