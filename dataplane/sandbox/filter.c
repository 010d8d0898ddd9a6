/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter of system calls, and what is said of one that it stops. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/sandbox/sandbox.h"

/* ---- the last line ---- */

#define CALLS    512
#define NAME_LEN 28
#define LINE_LEN 320

/* Written before the filter is on, read by the handler. */
static struct {
	int fd;
	bool json;
	char name[CALLS][NAME_LEN];
} trap;

struct line {
	char at[LINE_LEN];
	size_t len;
};

/* A handler may call none of the usual ones (signal-safety(7)). */
static void put(struct line *l, const char *s)
{
	while (*s != '\0' && l->len < sizeof(l->at))
		l->at[l->len++] = *s++;
}

static void put_num(struct line *l, uint64_t n, unsigned width)
{
	char digit[24], *at = digit + sizeof(digit) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
		if (width > 0)
			width--;
	} while (n > 0 || width > 0);
	put(l, at);
}

/* The date of a day since 1970, by the usual reckoning with years that begin
 * in March and eras of 400 of them. */
static void put_date(struct line *l, uint64_t days)
{
	uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;

	put_num(l, yoe + era * 400 + (month <= 2), 4);
	put(l, "-");
	put_num(l, month, 2);
	put(l, "-");
	put_num(l, doy - (153 * mp + 2) / 5 + 1, 2);
}

static void put_time(struct line *l)
{
	struct timespec now = { 0 };
	uint64_t s;

	clock_gettime(CLOCK_REALTIME, &now);
	s = (uint64_t)now.tv_sec;
	put_date(l, s / 86400);
	put(l, "T");
	put_num(l, s / 3600 % 24, 2);
	put(l, ":");
	put_num(l, s / 60 % 60, 2);
	put(l, ":");
	put_num(l, s % 60, 2);
	put(l, ".");
	put_num(l, (uint64_t)now.tv_nsec / 1000000, 3);
	put(l, "Z");
}

#define HINT                                                                   \
	"this program has no use for it: either a fault of it, which its "     \
	"authors would like to hear of, or somebody else's code"

static void say(int nr)
{
	const char *name = nr >= 0 && nr < CALLS ? trap.name[nr] : "";
	struct line l = { .len = 0 };
	ssize_t done;

	put(&l, trap.json ? "{\"time\":\"" : "");
	put_time(&l);
	put(&l, trap.json ? "\",\"level\":\"error\",\"module\":\"sandbox\","
			    "\"event\":\"forbidden\",\"syscall\":\""
			  : " error sandbox forbidden syscall=");
	put(&l, *name != '\0' ? name : "?");
	put(&l, trap.json ? "\",\"number\":\"" : " number=");
	put_num(&l, (uint64_t)(unsigned)nr, 1);
	put(&l,
	    trap.json ? "\",\"hint\":\"" HINT "\"}\n" : " hint=\"" HINT "\"\n");
	done = write(trap.fd, l.at, l.len);
	(void)done;
}

/* SIGSYS is blocked while it is handled, so one more forbidden call is the
 * death that the kernel gives where no handler can be had.  That call has a
 * number which no kernel has ever done anything for. */
static void on_forbidden(int signo, siginfo_t *si, void *context)
{
	(void)signo;
	(void)context;
	say(si->si_syscall);
	syscall(SYS_getpmsg);
	_exit(128 + SIGSYS);
}

static bool catch (const struct sandbox *s)
{
	struct sigaction sa = { .sa_sigaction = on_forbidden,
				.sa_flags = SA_SIGINFO };
	sigset_t set;

	trap.fd = s->log_fd;
	trap.json = s->json;
	for (int nr = 0; nr < CALLS; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
							      nr);

		if (name != NULL)
			snprintf(trap.name[nr], NAME_LEN, "%s", name);
		free(name);
	}
	sigemptyset(&sa.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	return sigaction(SIGSYS, &sa, NULL) == 0 &&
	       sigprocmask(SIG_UNBLOCK, &set, NULL) == 0;
}

/* ---- the filter ---- */

static int add(scmp_filter_ctx ctx, const struct sandbox_call *c)
{
	struct scmp_arg_cmp arg[SANDBOX_ARGS];
	unsigned n = 0;

	for (; n < SANDBOX_ARGS && c->arg[n].op != 0; n++) {
		arg[n] = c->arg[n];
		if (arg[n].datum_a == SANDBOX_SELF)
			arg[n].datum_a = (uint64_t)getpid();
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, c->nr, n, arg);
}

static int add_all(scmp_filter_ctx ctx, const struct sandbox_call c[],
		   unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && err == 0; i++)
		err = add(ctx, &c[i]);
	return err;
}

static int load(const struct sandbox *s)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err;

	if (ctx == NULL)
		return -ENOMEM;
	/* another architecture's numbers mean other calls */
	err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS);
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err == 0)
		err = add_all(ctx, sandbox_common, sandbox_common_cnt);
	if (err == 0)
		err = add_all(ctx, s->call, s->call_cnt);
	if (err == 0)
		err = add_all(ctx, s->more, s->more_cnt);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

bool sandbox_hide(int nr)
{
	scmp_filter_ctx ctx;
	int err;

	if (!sandbox_filters())
		return true; /* then nothing is forbidden either */
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (ctx == NULL)
		return false;
	err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	errno = -err;
	return err == 0;
}

bool sandbox_filters(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

enum vx6_status sandbox_filter(const struct sandbox *s, struct sandbox_is *is,
			       char why[SANDBOX_WHY])
{
	int err;

	if (!sandbox_filters())
		return VX6_OK; /* is->filter says that there is none */
	if (!catch (s)) {
		snprintf(why, SANDBOX_WHY, "SIGSYS cannot be handled: %s",
			 strerror(errno));
		return VX6_SYS;
	}
	err = load(s);
	if (err != 0) {
		snprintf(why, SANDBOX_WHY,
			 "the filter of system calls was refused: %s",
			 strerror(-err));
		return VX6_SYS;
	}
	is->filter = true;
	return VX6_OK;
}

/* ---- for people ---- */

static void print(const struct sandbox_call c[], unsigned n, FILE *to)
{
	for (unsigned i = 0; i < n; i++) {
		fprintf(to, "%-18s", c[i].name);
		for (unsigned a = 0; a < SANDBOX_ARGS && c[i].arg[a].op != 0;
		     a++) {
			const struct scmp_arg_cmp *arg = &c[i].arg[a];

			if (arg->datum_a == SANDBOX_SELF)
				fprintf(to, " arg%u=own-pid", arg->arg);
			else
				fprintf(to, " arg%u=%#llx", arg->arg,
					(unsigned long long)arg->datum_a);
		}
		fprintf(to, "  # %s\n", c[i].why);
	}
}

void sandbox_print(const struct sandbox *s, FILE *to)
{
	fprintf(to, "# system calls of %s\n", s->who);
	print(s->call, s->call_cnt, to);
	print(s->more, s->more_cnt, to);
	fputs("# system calls of every process of vx6\n", to);
	print(sandbox_common, sandbox_common_cnt, to);
	fputs("# files\n", to);
	for (unsigned i = 0; i < s->place_cnt; i++)
		fprintf(to, "%s %s  # %s\n",
			s->place[i].how == SANDBOX_READ ? "read" : "write",
			s->place[i].path, s->place[i].why);
	if (s->place_cnt == 0)
		fputs("none\n", to);
	fputs("# capabilities\n", to);
	for (unsigned i = 0; i < s->cap_cnt; i++)
		fprintf(to, "%-18s  # %s\n", s->cap[i].name, s->cap[i].why);
	if (s->cap_cnt == 0)
		fputs("none\n", to);
	fputs(s->never_cnt > 0 ? "# never, though something would\n" : "", to);
	for (unsigned i = 0; i < s->never_cnt; i++)
		fprintf(to, "%-18s  # %s\n", s->never[i].what, s->never[i].why);
}
