# SPDX-License-Identifier: GPL-2.0-or-later
"""Another wall clock for one process: five minutes off, or a day.

    wall = Clock(300)
    node.env.update(wall.env)       # whatever starts with it is ahead
    wall.set(3600)                  # and now further, while it runs

The kernel has no such thing, so a few lines of C stand before the C
library's functions; how far it is off stands in a file that they map before
the program begins.  Only CLOCK_REALTIME moves; timers do not care.
"""
import itertools
import os
import struct
import subprocess

from . import place, programs, tap

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *shared;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("VX6_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		shared = p;
	close(fd);
}

static long offset(void)
{
	return shared ? *shared : 0;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);
	if (!next)
		next = (int (*)(clockid_t, struct timespec *))
			dlsym(RTLD_NEXT, "clock_gettime");
	int r = next(id, ts);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += offset();
	return r;
}

time_t time(time_t *t)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
"""

_numbers = itertools.count()


@tap.once
def library():
    """Skips where there is no compiler."""
    where = place.new_dir("clock")
    source = os.path.join(where, "clock.c")
    made = os.path.join(where, "clock.so")
    with open(source, "w", encoding="utf-8") as f:
        f.write(SOURCE)
    cc = programs.program("gcc")
    p = subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", made, source,
                        "-ldl"], capture_output=True, text=True)
    if p.returncode != 0:
        raise tap.Failed(f"the clock does not compile: {p.stderr}")
    return made


class Clock:
    """Seconds ahead of everybody's, or behind if less than 0."""

    def __init__(self, seconds=0):
        self.path = library() + f".{next(_numbers)}"
        with open(self.path, "wb") as f:
            f.write(bytes(8))
        self.set(seconds)
        self.env = {"LD_PRELOAD": library(), "VX6_TEST_CLOCK": self.path,
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" +
                                    os.environ.get("ASAN_OPTIONS", "")}

    def set(self, seconds):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("@l", seconds))


def shifted(seconds):
    """The environment that moves a process's clock once and for all."""
    return Clock(seconds).env
