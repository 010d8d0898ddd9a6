/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_LOOP_LOG_H
#define VX6_CONTROLPLANE_LOOP_LOG_H

/* log: one line an event, for people, or one JSON object, for programs.
 *
 *     2026-11-21T11:02:33.123Z info link up peer=vx6abc... rtt_ms=12
 *     {"time":"2026-..","level":"info","module":"link","event":"up",..}
 *
 *     log_info("link", "up", log_node("peer", id), log_u64("rtt_ms", 12));
 *
 * Values are quoted and escaped as they need it, so hostile bytes can
 * neither end a line nor forge a key.  Lines longer than LOG_LINE are cut,
 * which the key cut=1 says.
 *
 * An identical line within 10 s is not written but counted; when the 10 s
 * are over it comes once more with repeated=N.  More than LOG_RATE lines a
 * second (burst LOG_BURST) are dropped and counted, and a `log dropped`
 * line says so later.  A standard error that does not take bytes now is
 * never waited for: the line is dropped and counted likewise.
 *
 * The caller's duty: no keys, no cookies, no clients' addresses.
 *
 * Threads: any.  Cost: one write(2) a line; 100 KiB of state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define LOG_LINE  1024u /* bytes of one line, its newline included */
#define LOG_RATE  50u   /* lines a second */
#define LOG_BURST 200u

enum log_level {
	LOG_LEVEL_ERROR, /* somebody has to act */
	LOG_LEVEL_WARN,  /* not as it should be */
	LOG_LEVEL_INFO,  /* a few an hour in peace */
	LOG_LEVEL_DEBUG
};

enum log_type {
	LOG_END,
	LOG_STR,
	LOG_BYTES,
	LOG_HEX,
	LOG_U64,
	LOG_I64,
	LOG_NODE,
	LOG_ADDR
};

struct log_kv {
	const char *key; /* [a-z0-9_]+ */
	enum log_type type;
	size_t len; /* BYTES, HEX */
	union {
		const void *ptr;
		uint64_t u64;
		int64_t i64;
	};
};

/* log_setup chooses level and form; before it, info and text.  Call it
 * once at start. */
void log_setup(enum log_level level, bool json);

/* log_write writes an event; kv ends with type LOG_END.  Use the macros. */
VX6_NONNULL void log_write(enum log_level level, const char *module,
			   const char *event, const struct log_kv kv[]);

/* log_text is log_write with one value, text=, made in the printf way. */
VX6_NONNULL VX6_PRINTF(4, 5) void log_text(enum log_level level,
					   const char *module,
					   const char *event, const char *fmt,
					   ...);

#define log_list_(...)                                                         \
	((const struct log_kv[]){                                              \
		__VA_ARGS__ __VA_OPT__(, ){ .type = LOG_END } })
#define log_error(module, event, ...)                                          \
	log_write(LOG_LEVEL_ERROR, module, event, log_list_(__VA_ARGS__))
#define log_warn(module, event, ...)                                           \
	log_write(LOG_LEVEL_WARN, module, event, log_list_(__VA_ARGS__))
#define log_info(module, event, ...)                                           \
	log_write(LOG_LEVEL_INFO, module, event, log_list_(__VA_ARGS__))
#define log_debug(module, event, ...)                                          \
	log_write(LOG_LEVEL_DEBUG, module, event, log_list_(__VA_ARGS__))

/* Values.  Pointers are read by log_write, not kept. */
static inline struct log_kv log_str(const char *key, const char *text)
{
	return (struct log_kv){ .key = key, .type = LOG_STR, .ptr = text };
}

static inline struct log_kv log_bytes(const char *key, const void *p,
				      size_t len)
{
	return (struct log_kv){
		.key = key, .type = LOG_BYTES, .len = len, .ptr = p
	};
}

static inline struct log_kv log_hex(const char *key, const void *p, size_t len)
{
	return (struct log_kv){
		.key = key, .type = LOG_HEX, .len = len, .ptr = p
	};
}

static inline struct log_kv log_u64(const char *key, uint64_t v)
{
	return (struct log_kv){ .key = key, .type = LOG_U64, .u64 = v };
}

static inline struct log_kv log_i64(const char *key, int64_t v)
{
	return (struct log_kv){ .key = key, .type = LOG_I64, .i64 = v };
}

/* log_node: a node ID (32 bytes), as people type it. */
static inline struct log_kv log_node(const char *key, const uint8_t *id)
{
	return (struct log_kv){ .key = key, .type = LOG_NODE, .ptr = id };
}

/* log_addr: a relay's or our own address; never a client's. */
static inline struct log_kv log_addr(const char *key, const struct vx6_addr *a)
{
	return (struct log_kv){ .key = key, .type = LOG_ADDR, .ptr = a };
}

static inline struct log_kv log_status(enum vx6_status st)
{
	return log_str("why", vx6_status_text(st));
}

/* log_due is when log_tick has a count to write; VX6_NEVER for no time.
 * The loop calls both; log_tick(VX6_NEVER) writes all counts: at exit. */
uint64_t log_due(void);
void log_tick(uint64_t now_ns);

#endif
