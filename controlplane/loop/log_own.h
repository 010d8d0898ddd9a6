/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_LOG_OWN_H
#define VX6_CONTROLPLANE_LOOP_LOG_OWN_H

/* log_own: the logger as a value that is told the time.  log.c keeps one
 * for the process; tests make their own.
 *
 * A slot remembers a line, without its time, from when it was written:
 *
 *     written --same again--> counted --10 s--> written with repeated=N */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/log.h"

#define LOG_SLOTS  64u
#define LOG_BODY   (LOG_LINE - 128u) /* room for time, repeated=, brace */
#define LOG_AGAIN  (10 * VX6_SEC)
#define LOG_REPORT VX6_SEC /* from the first dropped line to its report */

struct log_slot {
	uint64_t until_ns; /* 0: empty */
	uint64_t repeated;
	size_t len;
	char body[LOG_BODY];
};

struct logger {
	int fd;
	enum log_level level;
	bool json;
	uint64_t refill_ns;  /* when tokens were counted */
	uint64_t tokens;     /* in billionths of a line */
	uint64_t dropped;    /* lines not written, not yet reported */
	uint64_t dropped_ns; /* the first of them */
	struct log_slot slot[LOG_SLOTS];
};

VX6_NONNULL void logger_init(struct logger *g, int fd, uint64_t now_ns);
VX6_NONNULL void logger_write(struct logger *g, uint64_t now_ns,
			      uint64_t unix_ms, enum log_level level,
			      const char *module, const char *event,
			      const struct log_kv kv[]);
VX6_NONNULL void logger_tick(struct logger *g, uint64_t now_ns,
			     uint64_t unix_ms);
VX6_NONNULL uint64_t logger_due(const struct logger *g);

#endif
