# SPDX-License-Identifier: GPL-2.0-or-later
"""Another wall clock for one process: five minutes off, or a day.

The kernel has no such thing, so a few lines of C stand before the C
library's functions.  Only CLOCK_REALTIME moves; timers do not care.
"""
import os
import subprocess

from . import place, programs, tap

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void)
{
	const char *s = getenv("VX6_TEST_CLOCK_OFFSET_S");
	return s ? atol(s) : 0;
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

_library = None


def shifted(seconds):
    """The environment that moves a process's clock; skips where there is no
    compiler."""
    global _library
    if not _library:
        where = place.new_dir("clock")
        source = os.path.join(where, "clock.c")
        library = os.path.join(where, "clock.so")
        with open(source, "w", encoding="utf-8") as f:
            f.write(SOURCE)
        cc = programs.program("gcc")
        p = subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", library,
                            source, "-ldl"], capture_output=True, text=True)
        if p.returncode != 0:
            raise tap.Failed(f"the clock does not compile: {p.stderr}")
        _library = library
    return {"LD_PRELOAD": _library,
            "VX6_TEST_CLOCK_OFFSET_S": str(seconds),
            "ASAN_OPTIONS": "verify_asan_link_order=0:" +
                            os.environ.get("ASAN_OPTIONS", "")}
