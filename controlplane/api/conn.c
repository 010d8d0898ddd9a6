/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/api/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX     ((json_int_t)1 << 53)
#define QUEUE_STEP 4096u
#define QUEUE_KEEP 65536u /* a larger empty queue is given back */

struct api_call {
	struct api_call *next, *prev;
	struct api_conn *conn;
	json_t *request;
	json_int_t id;
	void (*cancel)(void *user, struct api_call *call);
	void *user;
};

static const char *const code_names[] = {
	[API_FAILED] = "failed",
	[API_USAGE] = "usage",
	[API_UNREACHABLE] = "unreachable",
	[API_DENIED] = "denied",
};

const char *api_code_name(enum api_code code)
{
	size_t i = (size_t)code;

	if (i < API_FAILED || i >= VX6_COUNT(code_names))
		i = API_FAILED;
	return code_names[i];
}

enum api_code api_code_of(const char *name)
{
	for (size_t i = API_FAILED; i < VX6_COUNT(code_names); i++)
		if (strcmp(code_names[i], name) == 0)
			return (enum api_code)i;
	return API_FAILED;
}

void api_options_fill(struct api_options *opt)
{
	if (opt->clients == 0)
		opt->clients = 64;
	if (opt->calls == 0)
		opt->calls = 64;
	if (opt->queue_len_max == 0)
		opt->queue_len_max = (size_t)8 << 20;
}

enum vx6_status api_conn_init(struct api_conn *c, const struct api_options *opt,
			      void (*wake)(void *ctx), void *wake_ctx)
{
	*c = (struct api_conn){ .opt = opt,
				.wake = wake,
				.wake_ctx = wake_ctx };
	c->line = malloc(API_LINE_MAX);
	return c->line == NULL ? VX6_NO_MEMORY : VX6_OK;
}

/* ---- what goes out ---- */

static void die(struct api_conn *c)
{
	c->state = API_CONN_DEAD;
	c->queue_len = c->queue_at = 0;
	c->wake(c->wake_ctx);
}

static int queue_grow(struct api_conn *c, size_t need)
{
	size_t cap = c->queue_cap == 0 ? QUEUE_STEP : c->queue_cap;
	char *more;

	if (need > c->opt->queue_len_max)
		return -1;
	while (cap < need)
		cap *= 2;
	if (cap == c->queue_cap)
		return 0;
	more = realloc(c->queue, cap);
	if (more == NULL)
		return -1;
	c->queue = more;
	c->queue_cap = cap;
	return 0;
}

/* queue_add is jansson's writer. */
static int queue_add(const char *bytes, size_t len, void *to)
{
	struct api_conn *c = to;

	if (c->queue_at > 0) {
		memmove(c->queue, c->queue + c->queue_at,
			c->queue_len - c->queue_at);
		c->queue_len -= c->queue_at;
		c->queue_at = 0;
	}
	if (queue_grow(c, c->queue_len + len) != 0)
		return -1;
	memcpy(c->queue + c->queue_len, bytes, len);
	c->queue_len += len;
	return 0;
}

/* say sends one object, which is taken over. */
static void say(struct api_conn *c, json_t *line)
{
	if (c->state == API_CONN_DEAD) {
		json_decref(line);
		return;
	}
	if (line == NULL ||
	    json_dump_callback(line, queue_add, c,
			       JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0 ||
	    queue_add("\n", 1, c) != 0)
		die(c);
	else
		c->wake(c->wake_ctx);
	json_decref(line);
}

static void say_error(struct api_conn *c, json_t *id, enum api_code code,
		      const char *message, const char *hint)
{
	say(c, json_pack("{s:o, s:b, s:{s:s, s:s, s:s}}", "id", id, "ok", 0,
			 "error", "code", api_code_name(code), "message",
			 message, "hint", hint));
}

void api_conn_refuse(struct api_conn *c, enum api_code code,
		     const char *message, const char *hint)
{
	if (c->state == API_CONN_OPEN)
		c->state = API_CONN_LAST;
	say_error(c, json_null(), code, message, hint);
}

const char *api_conn_out(const struct api_conn *c, size_t *len)
{
	*len = c->queue_len - c->queue_at;
	return c->queue == NULL ? "" : c->queue + c->queue_at;
}

void api_conn_sent(struct api_conn *c, size_t len)
{
	c->queue_at += len;
	if (c->queue_at < c->queue_len)
		return;
	c->queue_at = c->queue_len = 0;
	if (c->queue_cap > QUEUE_KEEP) {
		free(c->queue);
		c->queue = NULL;
		c->queue_cap = 0;
	}
	if (c->state == API_CONN_LAST)
		die(c);
}

/* ---- calls ---- */

static void call_release(struct api_call *call)
{
	call->conn->call_cnt--;
	json_decref(call->request);
	free(call);
}

static void call_free(struct api_call *call)
{
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		call->conn->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	call_release(call);
}

static struct api_call *call_new(struct api_conn *c, json_t *request,
				 json_int_t id)
{
	struct api_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->conn = c;
	call->request = json_incref(request);
	call->id = id;
	call->next = c->calls;
	if (c->calls != NULL)
		c->calls->prev = call;
	c->calls = call;
	c->call_cnt++;
	return call;
}

void api_on_cancel(struct api_call *call,
		   void (*cancel)(void *user, struct api_call *call),
		   void *user)
{
	call->cancel = cancel;
	call->user = user;
}

void *api_user(const struct api_call *call)
{
	return call->user;
}

void api_event(struct api_call *call, const char *kind, json_t *more)
{
	json_t *line = json_pack("{s:I, s:s}", "id", call->id, "event", kind);

	if (line != NULL && more != NULL &&
	    json_object_update_missing(line, more) != 0) {
		json_decref(line);
		line = NULL;
	}
	json_decref(more);
	say(call->conn, line);
}

void api_done(struct api_call *call, json_t *result)
{
	struct api_conn *c = call->conn;
	json_int_t id = call->id;

	call_free(call);
	if (result == NULL)
		result = json_object();
	say(c,
	    json_pack("{s:I, s:b, s:o}", "id", id, "ok", 1, "result", result));
}

bool api_from_owner(const struct api_call *call)
{
	return call->conn->owner;
}

/* make_text: JSON is UTF-8, and a message may quote somebody's bytes. */
static void make_text(char *message)
{
	json_t *text = json_string(message);

	if (text == NULL)
		for (char *p = message; *p != '\0'; p++)
			if (*p < ' ' || *p > '~')
				*p = '?';
	json_decref(text);
}

void api_fail(struct api_call *call, enum api_code code, const char *hint,
	      const char *fmt, ...)
{
	struct api_conn *c = call->conn;
	json_int_t id = call->id;
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	make_text(message);
	call_free(call);
	say_error(c, json_integer(id), code, message, hint);
}

bool api_args(struct api_call *call, const json_t *args, const char *fmt, ...)
{
	json_error_t err;
	va_list ap;
	int r;

	va_start(ap, fmt);
	/* json_vunpack_ex only reads; its prototype is older than const */
	r = json_vunpack_ex((json_t *)(uintptr_t)args, &err, 0, fmt, ap);
	va_end(ap);
	if (r == 0)
		return true;
	api_fail(call, API_USAGE, "API.md describes each command's arguments",
		 "the arguments of %s do not fit: %s",
		 json_string_value(json_object_get(args, "cmd")), err.text);
	return false;
}

/* ---- what comes in ---- */

static const struct api_command *find(const struct api_conn *c,
				      const char *name)
{
	for (size_t i = 0; i < c->opt->command_cnt; i++)
		if (strcmp(c->opt->commands[i].name, name) == 0)
			return &c->opt->commands[i];
	return NULL;
}

static void start(struct api_conn *c, json_t *request, json_int_t id)
{
	const char *name = json_string_value(json_object_get(request, "cmd"));
	const struct api_command *cmd = name == NULL ? NULL : find(c, name);
	struct api_call *call;

	if (name == NULL) {
		say_error(c, json_integer(id), API_USAGE,
			  "the request has no cmd", "say what is asked for");
		return;
	}
	if (cmd == NULL) {
		say_error(c, json_integer(id), API_USAGE,
			  "there is no such command",
			  "vx6 and vx6d may be of different versions");
		return;
	}
	if (c->call_cnt >= c->opt->calls) {
		say_error(c, json_integer(id), API_FAILED,
			  "too many requests run on this connection",
			  "wait until one is answered");
		return;
	}
	call = call_new(c, request, id);
	if (call == NULL)
		die(c);
	else
		cmd->run(c->opt->ctx, call, call->request);
}

static void take_line(struct api_conn *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *id = json_object_get(request, "id");

	if (json_is_integer(id) && json_integer_value(id) >= 0 &&
	    json_integer_value(id) < ID_MAX)
		start(c, request, json_integer_value(id));
	else
		api_conn_refuse(c, API_USAGE,
				"a line is not a JSON object with an id",
				"send one object a line, as API.md says");
	json_decref(request);
}

void api_conn_feed(struct api_conn *c, const char *in, size_t len)
{
	while (len > 0 && c->state == API_CONN_OPEN) {
		const char *end = memchr(in, '\n', len);
		size_t part = end == NULL ? len : (size_t)(end - in);

		if (part >= API_LINE_MAX - c->line_len) {
			api_conn_refuse(c, API_USAGE,
					"a line is longer than 64 KiB",
					"ask for less at once");
			return;
		}
		memcpy(c->line + c->line_len, in, part);
		c->line_len += part;
		if (end == NULL)
			return;
		part++;
		in += part;
		len -= part;
		part = c->line_len;
		c->line_len = 0;
		take_line(c, c->line, part);
	}
}

void api_conn_end(struct api_conn *c)
{
	c->state = API_CONN_DEAD;
	while (c->calls != NULL) {
		struct api_call *call = c->calls;

		c->calls = call->next;
		if (call->next != NULL)
			call->next->prev = NULL;
		if (call->cancel != NULL)
			call->cancel(call->user, call);
		call_release(call);
	}
	free(c->line);
	free(c->queue);
	*c = (struct api_conn){ .state = API_CONN_DEAD };
}
