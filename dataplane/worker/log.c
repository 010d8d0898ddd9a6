/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/worker/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/clock.h"

static const char *const level_name[] = { "error", "warning", "info" };

struct text { /* grows until it is full, then stays */
	char at[LOG_LINE];
	size_t len;
};

static void put(struct text *t, const char *s)
{
	while (*s != '\0' && t->len + 1 < sizeof(t->at))
		t->at[t->len++] = *s++;
	t->at[t->len] = '\0';
}

/* s between quotes, as JSON wants it. */
static void put_quoted(struct text *t, const char *s)
{
	char one[8];

	put(t, "\"");
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			snprintf(one, sizeof(one), "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			snprintf(one, sizeof(one), "\\u%04x", c);
		else
			snprintf(one, sizeof(one), "%c", c);
		put(t, one);
	}
	put(t, "\"");
}

static bool is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s == '"' || *s == 0x7f || *s == '=')
			return false;
	return true;
}

static void put_pair(struct text *t, bool json, const char *key,
		     const char *value)
{
	put(t, json ? "," : " ");
	if (json)
		put_quoted(t, key);
	else
		put(t, key);
	put(t, json ? ":" : "=");
	if (json || !is_plain(value))
		put_quoted(t, value);
	else
		put(t, value);
}

static void put_head(struct text *t, bool json, const char *level,
		     const char *module, const char *event)
{
	if (!json) {
		put(t, level);
		put(t, " ");
		put(t, module);
		put(t, " ");
		put(t, event);
		return;
	}
	put(t, "\"level\":");
	put_quoted(t, level);
	put_pair(t, true, "module", module);
	put_pair(t, true, "event", event);
}

static void put_time(struct text *t, bool json)
{
	uint64_t ms = vx6_unix_ms();
	time_t s = (time_t)(ms / 1000);
	char day[32], all[48];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(all, sizeof(all), "%s.%03uZ", day, (unsigned)(ms % 1000));
	if (!json) {
		put(t, all);
		put(t, " ");
		return;
	}
	put(t, "{\"time\":");
	put_quoted(t, all);
	put(t, ",");
}

static void write_line(const struct log *l, const char *line, uint64_t repeated)
{
	struct text t = { .len = 0 };
	char n[LOG_NUM];
	ssize_t done;

	put_time(&t, l->json);
	put(&t, line);
	if (repeated > 0)
		put_pair(&t, l->json, "repeated", log_num(n, repeated));
	t.len = t.len < sizeof(t.at) - 3 ? t.len : sizeof(t.at) - 3;
	t.at[t.len] = '\0';
	put(&t, l->json ? "}\n" : "\n");
	done = write(l->fd, t.at, t.len);
	(void)done; /* nobody reads it: there is no one to tell */
}

void log_init(struct log *l, int fd, bool json)
{
	*l = (struct log){ .fd = fd, .json = json };
}

void log_say(struct log *l, enum log_level level, const char *module,
	     const char *event, ...)
{
	struct text t = { .len = 0 };
	const char *key;
	va_list ap;

	put_head(&t, l->json, level_name[level], module, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL)
		put_pair(&t, l->json, key, va_arg(ap, const char *));
	va_end(ap);
	if (strcmp(t.at, l->last) == 0) {
		l->repeated++;
		return;
	}
	if (l->repeated > 0)
		write_line(l, l->last, l->repeated);
	l->repeated = 0;
	memcpy(l->last, t.at, sizeof(l->last));
	write_line(l, t.at, 0);
}

const char *log_num(char out[LOG_NUM], uint64_t n)
{
	snprintf(out, LOG_NUM, "%llu", (unsigned long long)n);
	return out;
}
