/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/loop/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/loop/log_own.h"
#include "dataplane/base/clock.h"

/* The process has one log, as it has one standard error. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct logger logger;
static bool is_set_up;
static _Atomic uint64_t due = VX6_NEVER;

/* begin takes the log, made on first use; end lets it go. */
static void begin(void)
{
	pthread_mutex_lock(&lock);
	if (is_set_up)
		return;
	logger_init(&logger, STDERR_FILENO, vx6_now_ns());
	is_set_up = true;
}

static void end(void)
{
	atomic_store_explicit(&due, logger_due(&logger), memory_order_relaxed);
	pthread_mutex_unlock(&lock);
}

void log_setup(enum log_level level, bool json)
{
	begin();
	logger.level = level;
	logger.json = json;
	end();
}

void log_write(enum log_level level, const char *module, const char *event,
	       const struct log_kv kv[])
{
	begin();
	logger_write(&logger, vx6_now_ns(), vx6_unix_ms(), level, module, event,
		     kv);
	end();
}

void log_text(enum log_level level, const char *module, const char *event,
	      const char *fmt, ...)
{
	char text[LOG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_write(level, module, event, log_list_(log_str("text", text)));
}

uint64_t log_due(void)
{
	return atomic_load_explicit(&due, memory_order_relaxed);
}

void log_tick(uint64_t now_ns)
{
	if (log_due() > now_ns)
		return;
	begin();
	logger_tick(&logger, now_ns, vx6_unix_ms());
	end();
}
