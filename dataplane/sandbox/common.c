/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every process of ours needs, whatever it does. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "dataplane/sandbox/sandbox.h"

/* clang-format off */
const struct sandbox_call sandbox_common[] = {
	/* descriptors that are open */
	CALL(read, "eventfds, timers, signals, sockets"),
	CALL(write, "eventfds; the log"),
	CALL(writev, "what the C library says before it aborts"),
	CALL(close, "what is done with"),
	CALL(fcntl, "how a descriptor is set", ARG(1, F_GETFL)),
	CALL(fcntl, "sockets and eventfds that do not wait", ARG(1, F_SETFL)),
	CALL(fstat, "the size of shared memory; stdio"),
	CALL(newfstatat, "fstat, as the C library says it"),
	/* memory: never to be executed */
	CALL(brk, "malloc"),
	CALL(mmap, "malloc and thread stacks: their guards", ARG(2, PROT_NONE)),
	CALL(mmap, "memory that is only read", ARG(2, PROT_READ)),
	CALL(mmap, "malloc, stacks, rings", ARG(2, PROT_READ | PROT_WRITE)),
	CALL(mprotect, "malloc takes a part of its area back", ARG(2, PROT_NONE)),
	CALL(mprotect, "memory that is only read from now on", ARG(2, PROT_READ)),
	CALL(mprotect, "malloc grows into its area", ARG(2, PROT_READ | PROT_WRITE)),
	CALL(munmap, "malloc, rings that end"),
	CALL(mremap, "realloc of large blocks"),
	CALL(madvise, "malloc gives pages back; a thread's stack when it ends"),
	/* threads */
	CALL(futex, "locks, joining threads"),
	CALL(sched_yield, "a lock's last resort"),
	CALL(sched_getaffinity, "malloc asks how many CPUs there are"),
	CALL(set_robust_list, "a thread that has just begun"),
	CALL(rseq, "a thread that has just begun"),
	CALL(gettid, "a thread that ends the process names itself"),
	CALL(getpid, "as gettid"),
	CALL(rt_sigprocmask, "around abort and the start of threads"),
	CALL(rt_sigreturn, "the end of every signal handler"),
	CALL(restart_syscall, "a wait that SIGSTOP and SIGCONT cut in two"),
	/* clocks, which need no call where the vDSO works, and randomness */
	CALL(clock_gettime, "time, where the clock source has no vDSO"),
	CALL(gettimeofday, "as clock_gettime"),
	CALL(time, "as clock_gettime"),
	CALL(clock_nanosleep, "a library's short waits"),
	CALL(getrandom, "keys and nonces"),
	/* the end */
	CALL(tgkill, "abort: a signal to ourselves", ARG(0, SANDBOX_SELF)),
	CALL(rt_sigaction, "abort makes sure that it is the end", ARG(0, SIGABRT)),
	CALL(exit, "a thread ends"),
	CALL(exit_group, "the process ends"),
#if SANDBOX_SANITIZED
	/* Only in sanitizer builds, which nobody runs in earnest: their
	 * runtimes read /proc, map as they like, stop all threads by a tracer
	 * when they look for leaks, and start a symbolizer. */
	CALL(openat, "sanitizer: /proc/self/maps, the program"),
	CALL(open, "sanitizer: as openat"),
	CALL(readlink, "sanitizer: the program's name"),
	CALL(readlinkat, "sanitizer: the program's name"),
	CALL(getdents64, "sanitizer: /proc/self/task"),
	CALL(lseek, "sanitizer: reading a program"),
	CALL(stat, "sanitizer: reading a program"),
	CALL(lstat, "sanitizer: reading a program"),
	CALL(access, "sanitizer: a symbolizer"),
	CALL(pipe, "sanitizer: a symbolizer; is memory mapped?"),
	CALL(pipe2, "sanitizer: as pipe"),
	CALL(mmap, "sanitizer: fixed shadow memory", ARG(2, PROT_READ | PROT_EXEC)),
	CALL(prctl, "sanitizer: names of mappings, dumpable"),
	CALL(clone, "sanitizer: the tracer that looks for leaks"),
	CALL(ptrace, "sanitizer: as clone"),
	CALL(wait4, "sanitizer: as clone"),
	CALL(rt_sigaction, "sanitizer: handlers of its own"),
	CALL(sigaltstack, "sanitizer: handlers of its own"),
	CALL(getppid, "sanitizer: is the tracer's parent alive?"),
	CALL(getrlimit, "sanitizer: the size of stacks"),
	CALL(prlimit64, "sanitizer: the size of stacks"),
	CALL(getrusage, "sanitizer: peak memory"),
	CALL(personality, "sanitizer: is the address space random?"),
	CALL(sched_setaffinity, "sanitizer: none pinned"),
	CALL(uname, "sanitizer: the kernel's version"),
	CALL(nanosleep, "sanitizer: waiting for a lock"),
	CALL(tgkill, "sanitizer: stopping threads"),
#endif
};
/* clang-format on */

const unsigned sandbox_common_cnt = VX6_COUNT(sandbox_common);
