/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/loop/log_own.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/text.h"

#define TOKEN VX6_SEC /* one line: a billion, so that time converts by * */

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* ---- the body: everything of a line but its time ---- */

struct body {
	char *to;
	size_t len, cap;
	bool json, cut;
};

/* put writes all of text or nothing. */
static void put(struct body *b, const char *text, size_t len)
{
	if (b->cut || b->cap - b->len < len) {
		b->cut = true;
		return;
	}
	memcpy(b->to + b->len, text, len);
	b->len += len;
}

static void put_text(struct body *b, const char *text)
{
	put(b, text, strlen(text));
}

VX6_PRINTF(2, 3) static void put_fmt(struct body *b, const char *fmt, ...)
{
	char tmp[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(b, tmp, strnlen(tmp, sizeof(tmp)));
}

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static bool all_plain(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_plain(p[i]))
			return false;
	return len > 0;
}

static void put_quoted(struct body *b, const uint8_t *p, size_t len)
{
	put(b, "\"", 1);
	if (b->cut)
		return;
	b->cap -= 1; /* the closing quote has its place */
	for (size_t i = 0; i < len && !b->cut; i++) {
		if (is_plain(p[i]) || p[i] == ' ' || p[i] == '=')
			put(b, (const char *)&p[i], 1);
		else if (p[i] == '"' || p[i] == '\\')
			put_fmt(b, "\\%c", p[i]);
		else
			put_fmt(b, b->json ? "\\u%04x" : "\\x%02x", p[i]);
	}
	b->cap += 1;
	b->to[b->len++] = '"';
}

static void put_value(struct body *b, const void *p, size_t len)
{
	if (!b->json && all_plain(p, len))
		put(b, p, len);
	else
		put_quoted(b, p, len);
}

static void put_hex(struct body *b, const uint8_t *p, size_t len)
{
	const char *quote = b->json || len == 0 ? "\"" : "";

	put_text(b, quote);
	for (size_t i = 0; i < len; i++)
		put_fmt(b, "%02x", p[i]);
	put_text(b, quote);
}

static void put_kv(struct body *b, const struct log_kv *kv)
{
	char text[VX6_ID_TEXT > VX6_ADDR_TEXT ? VX6_ID_TEXT : VX6_ADDR_TEXT];
	const char *str = kv->ptr ? kv->ptr : "";

	put_fmt(b, b->json ? ",\"%s\":" : " %s=", kv->key);
	if (b->cut)
		return;
	switch (kv->type) {
	case LOG_END: return;
	case LOG_STR: put_value(b, str, strlen(str)); return;
	case LOG_BYTES: put_value(b, kv->ptr, kv->len); return;
	case LOG_HEX: put_hex(b, kv->ptr, kv->len); return;
	case LOG_U64: put_fmt(b, "%" PRIu64, kv->u64); return;
	case LOG_I64: put_fmt(b, "%" PRId64, kv->i64); return;
	case LOG_NODE:
		vx6_id_text(kv->ptr, text);
		put_value(b, text, strlen(text));
		return;
	case LOG_ADDR:
		vx6_addr_text(kv->ptr, text);
		put_value(b, text, strlen(text));
		return;
	}
}

static size_t make_body(char to[LOG_BODY], bool json, enum log_level level,
			const char *module, const char *event,
			const struct log_kv kv[])
{
	struct body b = { .to = to, .cap = LOG_BODY - 16, .json = json };

	put_fmt(&b,
		json ? "\"level\":\"%s\",\"module\":\"%s\",\"event\":\"%s\""
		     : "%s %s %s",
		level_name[level], module, event);
	for (; kv->type != LOG_END && !b.cut; kv++) {
		size_t before = b.len;

		put_kv(&b, kv);
		/* A string may be cut; another value is whole or absent. */
		if (b.cut && kv->type != LOG_STR && kv->type != LOG_BYTES)
			b.len = before;
	}
	if (b.cut) {
		b.cut = false;
		b.cap = LOG_BODY;
		put_text(&b, json ? ",\"cut\":1" : " cut=1");
	}
	return b.len;
}

/* ---- what is written, and what only counted ---- */

static void refill(struct logger *g, uint64_t now_ns)
{
	uint64_t most = LOG_BURST * TOKEN;
	uint64_t passed = now_ns - g->refill_ns;

	if (now_ns < g->refill_ns)
		return;
	g->refill_ns = now_ns;
	if (passed > most / LOG_RATE)
		passed = most / LOG_RATE;
	g->tokens += passed * LOG_RATE;
	if (g->tokens > most)
		g->tokens = most;
}

static void drop(struct logger *g, uint64_t now_ns)
{
	if (g->dropped++ == 0)
		g->dropped_ns = now_ns;
}

static bool write_now(const struct logger *g, const char *line, size_t len)
{
	struct pollfd p = { .fd = g->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	return write(g->fd, line, len) == (ssize_t)len;
}

/* emit writes a body with the time and, where it stands for more than one
 * line, their number. */
static bool emit(struct logger *g, uint64_t now_ns, uint64_t unix_ms,
		 const char *body, size_t len, uint64_t repeated)
{
	char line[LOG_LINE], when[32];
	struct body b = { .to = line, .cap = sizeof(line) };
	time_t sec = (time_t)(unix_ms / 1000);
	struct tm tm = { 0 };

	refill(g, now_ns);
	if (g->tokens < TOKEN) {
		drop(g, now_ns);
		return false;
	}
	gmtime_r(&sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	put_fmt(&b, g->json ? "{\"time\":\"%s.%03uZ\"," : "%s.%03uZ ", when,
		(unsigned)(unix_ms % 1000));
	put(&b, body, len);
	if (repeated > 0)
		put_fmt(&b,
			g->json ? ",\"repeated\":%" PRIu64
				: " repeated=%" PRIu64,
			repeated);
	put_text(&b, g->json ? "}\n" : "\n");
	if (!write_now(g, line, b.len)) {
		drop(g, now_ns);
		return false;
	}
	g->tokens -= TOKEN;
	return true;
}

static struct log_slot *find_slot(struct logger *g, const char *body,
				  size_t len)
{
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		struct log_slot *s = &g->slot[i];

		if (s->until_ns != 0 && s->len == len &&
		    memcmp(s->body, body, len) == 0)
			return s;
	}
	return NULL;
}

/* expire writes what a slot has counted, and empties it.  A line that goes
 * on coming is so written once in LOG_AGAIN. */
static void expire(struct logger *g, struct log_slot *s, uint64_t now_ns,
		   uint64_t unix_ms)
{
	uint64_t repeated = s->repeated;

	s->until_ns = 0;
	s->repeated = 0;
	if (repeated > 0 && emit(g, now_ns, unix_ms, s->body, s->len, repeated))
		s->until_ns = now_ns + LOG_AGAIN;
}

static void remember(struct logger *g, const char *body, size_t len,
		     uint64_t now_ns, uint64_t unix_ms)
{
	struct log_slot *oldest = &g->slot[0];

	for (unsigned i = 1; i < LOG_SLOTS; i++)
		if (g->slot[i].until_ns < oldest->until_ns)
			oldest = &g->slot[i];
	if (oldest->until_ns != 0)
		expire(g, oldest, now_ns, unix_ms);
	memcpy(oldest->body, body, len);
	oldest->len = len;
	oldest->repeated = 0;
	oldest->until_ns = now_ns + LOG_AGAIN;
}

static void report_dropped(struct logger *g, uint64_t now_ns, uint64_t unix_ms)
{
	struct log_kv kv[] = { log_u64("lines", g->dropped),
			       { .type = LOG_END } };
	uint64_t lines = g->dropped;
	char body[LOG_BODY];
	size_t len = make_body(body, g->json, LOG_LEVEL_WARN, "log", "dropped",
			       kv);

	g->dropped = 0;
	if (!emit(g, now_ns, unix_ms, body, len, 0))
		g->dropped = lines; /* without that one; dropped_ns is new */
}

void logger_init(struct logger *g, int fd, uint64_t now_ns)
{
	memset(g, 0, sizeof(*g));
	g->fd = fd;
	g->level = LOG_LEVEL_INFO;
	g->refill_ns = now_ns;
	g->tokens = LOG_BURST * TOKEN;
}

uint64_t logger_due(const struct logger *g)
{
	uint64_t due = VX6_NEVER;

	if (g->dropped > 0)
		due = g->dropped_ns + LOG_REPORT;
	for (unsigned i = 0; i < LOG_SLOTS; i++)
		if (g->slot[i].repeated > 0 && g->slot[i].until_ns < due)
			due = g->slot[i].until_ns;
	return due;
}

void logger_tick(struct logger *g, uint64_t now_ns, uint64_t unix_ms)
{
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		struct log_slot *s = &g->slot[i];

		if (s->until_ns != 0 && s->until_ns <= now_ns)
			expire(g, s, now_ns, unix_ms);
	}
	if (g->dropped > 0 && now_ns - g->dropped_ns >= LOG_REPORT)
		report_dropped(g, now_ns, unix_ms);
}

void logger_write(struct logger *g, uint64_t now_ns, uint64_t unix_ms,
		  enum log_level level, const char *module, const char *event,
		  const struct log_kv kv[])
{
	char body[LOG_BODY];
	struct log_slot *s;
	size_t len;

	if (level > g->level)
		return;
	logger_tick(g, now_ns, unix_ms);
	len = make_body(body, g->json, level, module, event, kv);
	s = find_slot(g, body, len);
	if (s)
		s->repeated++;
	else if (emit(g, now_ns, unix_ms, body, len, 0))
		remember(g, body, len, now_ns, unix_ms);
}
