/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_LOG_H
#define VX6_DATAPLANE_WORKER_LOG_H

/* log: one line an event on stderr, for people or as JSON.
 *
 *     2026-11-21T10:00:00.123Z info worker start cpu=any idle=adaptive
 *     {"time":"..","level":"info","module":"worker","event":"start",..}
 *
 * A line that repeats the one before is counted and not written; the count
 * comes with the next line that differs (repeated=N).  Values with spaces
 * are quoted.  Nobody logs keys or the addresses of peers.
 *
 * Threads: the control thread alone; workers do not log. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

#define LOG_LINE 512u

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

struct log {
	int fd;
	bool json;
	uint64_t repeated;
	char last[LOG_LINE]; /* without its time */
};

VX6_NONNULL void log_init(struct log *l, int fd, bool json);

#define LOG_END ((const char *)NULL)
/* log_say writes an event with pairs of key and value, all char *, ended by
 * LOG_END.  What does not fit a line is cut off. */
VX6_NONNULL_ARGS(1, 3, 4)
void log_say(struct log *l, enum log_level level, const char *module,
	     const char *event, ...);

#define LOG_NUM 24u
/* log_num writes n in decimal; returns out. */
VX6_NONNULL const char *log_num(char out[LOG_NUM], uint64_t n);

#endif
