/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sandbox tried from inside.  Each attempt is the real call with
 * arguments that would do, or, where that would be more than a test may do
 * to a host, that get as far as the question of privilege. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/sandbox/sandbox.h"

/* What an attempt finds here, made before the sandbox. */
static struct {
	pid_t parent;
	uid_t other;         /* no user that we are */
	const void *parents; /* memory that the parent has as well */
	struct sockaddr_un abstract;
	socklen_t abstract_len;
	int any_socket; /* to connect with */
	int namespace;  /* to join */
} before;

/* Each: true: it went through.  False with errno. */

static bool try_read_passwd(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool try_make_file(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0;
}

static bool try_list_proc(void)
{
	return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
}

static bool try_exec(void)
{
	static char path[] = "/bin/true";
	char *argv[] = { path, NULL }, *envp[] = { NULL };

	return execve(path, argv, envp) == 0; /* which ends with 0, too */
}

static bool try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool try_tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool try_unix_abstract(void)
{
	return connect(before.any_socket,
		       (const struct sockaddr *)&before.abstract,
		       before.abstract_len) == 0;
}

static bool try_kill_parent(void)
{
	return kill(before.parent, SIGCONT) == 0;
}

static bool try_trace_parent(void)
{
	return ptrace(PTRACE_SEIZE, before.parent, NULL, NULL) == 0;
}

static bool try_read_parent(void)
{
	char to[8];
	struct iovec mine = { to, sizeof(to) };
	struct iovec theirs = { (void *)(uintptr_t)before.parents, sizeof(to) };

	return process_vm_readv(before.parent, &mine, 1, &theirs, 1, 0) > 0;
}

static bool try_be_traced(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool try_mount(void)
{
	return fsopen("tmpfs", 0) >= 0;
}

static bool try_change_root(void)
{
	return chroot("/") == 0;
}

static bool try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool try_net_namespace(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

static bool try_join_namespace(void)
{
	return setns(before.namespace, CLONE_NEWNET) == 0;
}

static bool try_bpf(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY,
			     .key_size = 4,
			     .value_size = 4,
			     .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) >= 0;
}

static bool try_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0) == 0;
}

static bool try_kexec(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0;
}

/* The kernel takes 32 bits of it. */
static bool try_half_argument(void)
{
	return syscall(SYS_fcntl, before.any_socket,
		       F_GETFL | UINT64_C(1) << 32, 0) >= 0;
}

static bool try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool try_exec_protect(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

/* The thread's own, past the C library, which would ask the others too. */
static bool try_set_user(void)
{
	return syscall(SYS_setresuid, before.other, before.other,
		       before.other) == 0;
}

static bool try_set_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct want[2] = {
		{ .effective = CAP_TO_MASK(CAP_NET_ADMIN),
                 .permitted = CAP_TO_MASK(CAP_NET_ADMIN) }
	};

	return syscall(SYS_capset, &head, want) == 0;
}

static bool try_raise_limit(void)
{
	static const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CORE, &any) == 0;
}

static bool try_io_uring(void)
{
	uint64_t params[64] = { 0 };

	return syscall(SYS_io_uring_setup, 1, params) >= 0;
}

static bool try_perf_event(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_TASK_CLOCK,
				     .exclude_kernel = 1,
				     .exclude_hv = 1 };

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) >= 0;
}

static bool try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) >= 0;
}

static bool try_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID,
		       KEY_SPEC_SESSION_KEYRING, 0, 0, 0) >= 0;
}

/* To what it says: without privilege refused, with it harmless. */
static bool try_set_clock(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       clock_settime(CLOCK_REALTIME, &now) == 0;
}

/* Likewise: of no length that a name could have. */
static bool try_set_hostname(void)
{
	return syscall(SYS_sethostname, "", 1000) == 0;
}

static bool try_take_sigsys(void)
{
	return signal(SIGSYS, SIG_DFL) != SIG_ERR;
}

static bool try_personality(void)
{
	return personality(0xffffffff) != -1;
}

static const struct {
	const char *text;
	bool (*run)(void);
	int landlock, cap; /* as in the list */
} attempt[] = {
#define X(name, landlock, cap, text) { text, try_##name, landlock, cap },
	SANDBOX_TRY_LIST(X)
#undef X
};

_Static_assert(SANDBOX_TRY_CNT <= 64, "bits");

/* ---- one attempt, in a process of its own ---- */

/* How that ends, unless by the filter. */
#define EXIT_DONE    0   /* it went through */
#define EXIT_OPEN    1   /* there was no sandbox */
#define EXIT_LACKING 2   /* this kernel has not what would refuse it */
#define EXIT_ERRNO   100 /* and the errno */
#define PATIENCE_S   30

struct one {
	unsigned no;
	pthread_barrier_t turn;
};

static void *run(void *arg)
{
	struct one *o = arg;

	pthread_barrier_wait(&o->turn); /* this thread is there .. */
	pthread_barrier_wait(&o->turn); /* .. and now the filter is */
	if (attempt[o->no].run())
		_exit(EXIT_DONE);
	_exit(EXIT_ERRNO + errno);
}

static bool is_lacking(unsigned no, bool filtered, const struct sandbox_is *is)
{
	return filtered ? !sandbox_filters()
			: attempt[no].landlock > is->landlock;
}

static void child(const struct sandbox *s, unsigned no, bool filtered)
{
	struct one o = { .no = no };
	char why[SANDBOX_WHY];
	struct sandbox_is is;
	pthread_t thread;

	alarm(PATIENCE_S);
	pthread_barrier_init(&o.turn, NULL, 2);
	/* in place of a library's, or after all as our own */
	if (s->threads && pthread_create(&thread, NULL, run, &o) != 0)
		_exit(EXIT_OPEN);
	if (sandbox_confine(s, &is, why) != VX6_OK) {
		fprintf(stderr, "%s\n", why);
		_exit(EXIT_OPEN);
	}
	if (is_lacking(no, filtered, &is))
		_exit(EXIT_LACKING);
	if (!s->threads && pthread_create(&thread, NULL, run, &o) != 0)
		_exit(EXIT_OPEN);
	pthread_barrier_wait(&o.turn);
	if (filtered && sandbox_filter(s, &is, why) != VX6_OK) {
		fprintf(stderr, "%s\n", why);
		_exit(EXIT_OPEN);
	}
	pthread_barrier_wait(&o.turn);
	pthread_join(thread, NULL);
	_exit(EXIT_OPEN);
}

/* ---- the judgement ---- */

enum verdict { REFUSED, POSSIBLE, UNJUDGED };

/* An errno about the arguments means that somebody looked at them. */
static bool is_refusal(int err)
{
	return err == EPERM || err == EACCES || err == ENOENT || err == ENOSYS;
}

static enum verdict judge(int status, bool filtered, const char **how)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && filtered) {
		*how = "ended by the filter";
		return REFUSED;
	}
	if (code == EXIT_LACKING) {
		*how = "this kernel has nothing that would refuse it";
		return UNJUDGED;
	}
	if (code == EXIT_DONE)
		*how = "it was POSSIBLE";
	else if (code == EXIT_OPEN)
		*how = "there was no sandbox";
	else if (code < EXIT_ERRNO)
		*how = "it did not end as it should";
	else
		*how = strerror(code - EXIT_ERRNO);
	return code >= EXIT_ERRNO && is_refusal(code - EXIT_ERRNO) ? REFUSED
								   : POSSIBLE;
}

static enum verdict one(const struct sandbox *s, unsigned no, bool filtered,
			FILE *to)
{
	static const char *const word[] = { "refused", "FAILED", "not judged" };
	const char *how = "no process could be made";
	enum verdict v = POSSIBLE;
	int status;
	pid_t pid;

	fflush(to);
	pid = fork();
	if (pid == 0)
		child(s, no, filtered);
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		v = judge(status, filtered, &how);
	fprintf(to, "%s: %s%s: %s\n", word[v], attempt[no].text,
		filtered ? "" : ", without the filter", how);
	return v;
}

static bool prepare(void)
{
	static const char here[] = "here";
	int fd;

	if (before.parent != 0)
		return true; /* for another table */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	before.parent = getpid();
	before.other = geteuid() + 1;
	before.parents = here;
	before.abstract.sun_family = AF_UNIX;
	before.abstract_len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    (size_t)snprintf(before.abstract.sun_path + 1,
					     sizeof(before.abstract.sun_path) -
						     1,
					     "vx6-sandbox-%d", getpid()));
	before.any_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	before.namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && before.any_socket >= 0 && before.namespace >= 0 &&
	       bind(fd, (const struct sockaddr *)&before.abstract,
		    before.abstract_len) == 0 &&
	       listen(fd, 1) == 0;
}

uint64_t sandbox_sanitized(void)
{
	return SANDBOX_BIT(read_passwd) | SANDBOX_BIT(list_proc) |
	       SANDBOX_BIT(exec) | SANDBOX_BIT(fork) | SANDBOX_BIT(be_traced) |
	       SANDBOX_BIT(trace_parent) | SANDBOX_BIT(exec_memory) |
	       SANDBOX_BIT(raise_limit) | SANDBOX_BIT(take_sigsys) |
	       SANDBOX_BIT(personality);
}

static bool keeps(const struct sandbox *s, int cap)
{
	for (unsigned i = 0; i < s->cap_cnt; i++)
		if ((int)s->cap[i].no == cap)
			return true;
	return false;
}

bool sandbox_test(const struct sandbox *s, uint64_t may, FILE *to)
{
	unsigned count[UNJUDGED + 1] = { 0 };

	if (!prepare()) {
		fprintf(to, "FAILED: the test cannot begin: %s\n",
			strerror(errno));
		return false;
	}
	for (unsigned no = 0; no < SANDBOX_TRY_CNT; no++) {
		if ((may >> no & 1) != 0) {
			fprintf(to, "permitted: %s\n", attempt[no].text);
			continue;
		}
		count[one(s, no, true, to)]++;
		if (keeps(s, attempt[no].cap))
			fprintf(to, "by the filter alone: %s\n",
				attempt[no].text);
		else if (attempt[no].landlock != SANDBOX_NO)
			count[one(s, no, false, to)]++;
	}
	fprintf(to, "%u attempts refused, %u possible, %u not judged\n",
		count[REFUSED], count[POSSIBLE], count[UNJUDGED]);
	return count[POSSIBLE] == 0;
}
