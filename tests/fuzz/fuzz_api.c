/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the local socket that sends anything, in any pieces, reads in
 * any pieces or not at all, and goes away at any time.
 *
 * The first byte of the input sets the limits; after each 0xff in the rest,
 * which UTF-8 has not, some of the queue is read, and a call that is held
 * gets an answer.  Whatever comes out has to be lines of JSON with an id. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/api/conn.h"
#include "tests/fuzz/fuzz.h"

#define HELD 8u

struct world {
	struct api_call *held[HELD];
	char *line; /* what was read of one that is not whole yet */
	size_t line_len, line_cap;
};

static void let_go(void *user, struct api_call *call)
{
	struct world *w = user;

	for (unsigned i = 0; i < HELD; i++)
		if (w->held[i] == call)
			w->held[i] = NULL;
}

static void run_hold(void *ctx, struct api_call *call, const json_t *args)
{
	struct world *w = ctx;

	for (unsigned i = 0; i < HELD; i++)
		if (w->held[i] == NULL) {
			w->held[i] = call;
			api_on_cancel(call, let_go, w);
			api_event(call, "held", json_deep_copy(args));
			return;
		}
	api_fail(call, API_FAILED, "", "%s",
		 json_string_value(json_object_get(args, "say")) == NULL
			 ? "no room"
			 : json_string_value(json_object_get(args, "say")));
}

static void run_args(void *ctx, struct api_call *call, const json_t *args)
{
	const char *text = NULL;
	json_t *list = NULL;

	(void)ctx;
	if (api_args(call, args, "{s:s, s?o}", "say", &text, "list", &list))
		api_done(call, json_pack("{s:s}", "said", text));
}

static void wake(void *ctx)
{
	(void)ctx;
}

/* check aborts unless line[0..len) is an object with an id. */
static void check(const char *line, size_t len)
{
	json_t *doc = json_loadb(line, len, 0, NULL);

	if (json_object_get(doc, "id") == NULL)
		abort();
	json_decref(doc);
}

static void read_some(struct api_conn *c, struct world *w, size_t most)
{
	size_t len, from = 0;
	const char *out = api_conn_out(c, &len);

	if (len > most)
		len = most;
	if (len == 0)
		return;
	if (w->line_len + len > w->line_cap) {
		char *more = realloc(w->line, w->line_len + len);

		if (more == NULL)
			return;
		w->line = more;
		w->line_cap = w->line_len + len;
	}
	memcpy(w->line + w->line_len, out, len);
	w->line_len += len;
	api_conn_sent(c, len);
	for (size_t i = 0; i < w->line_len; i++)
		if (w->line[i] == '\n') {
			check(w->line + from, i - from);
			from = i + 1;
		}
	memmove(w->line, w->line + from, w->line_len - from);
	w->line_len -= from;
}

static void answer_one(struct world *w)
{
	for (unsigned i = 0; i < HELD; i++) {
		struct api_call *call = w->held[i];

		if (call == NULL)
			continue;
		w->held[i] = NULL;
		api_done(call, NULL);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct api_command commands[] = {
		{ "hold", run_hold },
		{ "args", run_args },
	};
	struct world w = { 0 };
	struct api_options opt = { .path = "",
				   .commands = commands,
				   .command_cnt = VX6_COUNT(commands),
				   .ctx = &w };
	struct api_conn c;

	if (len == 0)
		return 0;
	opt.calls = 1 + (data[0] & 15u);
	opt.queue_len_max = 256u << (data[0] >> 5);
	api_options_fill(&opt);
	if (api_conn_init(&c, &opt, wake, NULL) != VX6_OK)
		return 0;
	for (size_t at = 1; at < len && c.state != API_CONN_DEAD;) {
		const uint8_t *end = memchr(data + at, 0xff, len - at);
		size_t part = end == NULL ? len - at
					  : (size_t)(end - data) - at;

		api_conn_feed(&c, (const char *)data + at, part);
		at += part + 1;
		if (end == NULL)
			break;
		read_some(&c, &w, part + 1);
		answer_one(&w);
	}
	api_conn_end(&c);
	for (unsigned i = 0; i < HELD; i++)
		if (w.held[i] != NULL)
			abort();
	free(w.line);
	return 0;
}
