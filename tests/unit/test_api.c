/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api: every request gets exactly one answer, and nothing that a client does
 * or leaves undone harms another or the process.
 *
 * Method: a connection fed bytes directly, cut at every place; then the
 * real socket with a real client on the other end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/api/conn.h"

/* ---- a table of commands ---- */

struct world {
	struct api_call *held[8];
	unsigned held_cnt, ran, cancelled, woken;
};

static void run_echo(void *ctx, struct api_call *call, const json_t *args)
{
	struct world *w = ctx;

	w->ran++;
	api_done(call,
		 json_pack("{s:O}", "said", json_object_get(args, "say")));
}

static void run_empty(void *ctx, struct api_call *call, const json_t *args)
{
	struct world *w = ctx;

	(void)args;
	w->ran++;
	api_done(call, NULL);
}

static void cancelled(void *user, struct api_call *call)
{
	struct world *w = user;

	w->cancelled++;
	for (unsigned i = 0; i < w->held_cnt; i++)
		if (w->held[i] == call)
			w->held[i] = NULL;
}

static void run_hold(void *ctx, struct api_call *call, const json_t *args)
{
	struct world *w = ctx;

	(void)args;
	w->ran++;
	w->held[w->held_cnt++] = call;
	api_on_cancel(call, cancelled, w);
	assert_ptr_equal(api_user(call), w);
	api_event(call, "held", json_pack("{s:i}", "n", (int)w->held_cnt));
}

static void run_args(void *ctx, struct api_call *call, const json_t *args)
{
	const char *name;
	int public = 0;
	struct world *w = ctx;

	w->ran++;
	if (!api_args(call, args, "{s:s, s?b}", "name", &name, "public",
		      &public))
		return;
	api_fail(call, API_DENIED, "ask somebody", "%s may not (%d)", name,
		 public);
}

static void run_big(void *ctx, struct api_call *call, const json_t *args)
{
	char *text = malloc(70000);

	(void)args;
	(void)ctx;
	memset(text, 'x', 69999);
	text[69999] = '\0';
	api_event(call, "big", json_pack("{s:s}", "text", text));
	api_event(call, "big", json_pack("{s:s}", "text", text));
	api_done(call, json_pack("{s:s}", "text", text));
	free(text);
}

static const struct api_command commands[] = {
	{ "echo",  run_echo  },
        { "empty", run_empty },
        { "hold",  run_hold  },
	{ "args",  run_args  },
        { "big",   run_big   },
};

struct bench {
	struct world w;
	struct api_options opt;
	struct api_conn c;
};

static void wake(void *ctx)
{
	struct bench *b = ctx;

	b->w.woken++;
}

static void bench_init(struct bench *b)
{
	*b = (struct bench){
		.opt = { .path = "",
                        .commands = commands,
                        .command_cnt = VX6_COUNT(commands) }
	};
	b->opt.ctx = &b->w;
	api_options_fill(&b->opt);
	assert_int_equal(api_conn_init(&b->c, &b->opt, wake, b), VX6_OK);
}

static void feed(struct bench *b, const char *text)
{
	api_conn_feed(&b->c, text, strlen(text));
}

/* said compares what is queued with want and takes it away. */
static void said(struct bench *b, const char *want)
{
	size_t len;
	const char *out = api_conn_out(&b->c, &len);
	char *copy = calloc(1, len + 1);

	if (len > 0)
		memcpy(copy, out, len);
	assert_string_equal(copy, want);
	free(copy);
	api_conn_sent(&b->c, len);
}

/* ---- tests of a connection ---- */

#define NO_ID(message, hint)                                                   \
	"{\"id\":null,\"ok\":false,\"error\":{\"code\":\"usage\",\"message\":" \
	"\"" message "\",\"hint\":\"" hint "\"}}\n"
#define NOT_A_REQUEST                                                          \
	NO_ID("a line is not a JSON object with an id",                        \
	      "send one object a line, as API.md says")

static void answers(void **state)
{
	static const struct {
		const char *in, *out;
		enum api_conn_state then;
	} t[] = {
		{ "{\"id\":1,\"cmd\":\"echo\",\"say\":\"a\"}\n",
                 "{\"id\":1,\"ok\":true,\"result\":{\"said\":\"a\"}}\n",						 API_CONN_OPEN },
		{ "{\"id\":0,\"cmd\":\"empty\"}\r\n{\"id\":2,\"cmd\":\"empty\"}"
		  "\n",			   "{\"id\":0,\"ok\":true,\"result\":{}}\n"
		  "{\"id\":2,\"ok\":true,\"result\":{}}\n",		      API_CONN_OPEN },
		{ "{\"id\":9,\"cmd\":\"args\",\"name\":\"x\",\"public\":true}"
		  "\n",			   "{\"id\":9,\"ok\":false,\"error\":{\"code\":\"denied\","
		  "\"message\":\"x may not (1)\",\"hint\":\"ask somebody\"}}\n", API_CONN_OPEN },
		{ "{\"id\":9,\"cmd\":\"args\",\"name\":5}\n",
                 "{\"id\":9,\"ok\":false,\"error\":{\"code\":\"usage\","
		  "\"message\":\"the arguments of args do not fit: Expected "
		  "string, got integer\",\"hint\":\"API.md describes each "
		  "command's arguments\"}}\n",									   API_CONN_OPEN },
		{ "{\"id\":3,\"cmd\":\"nothing\"}\n",
                 "{\"id\":3,\"ok\":false,\"error\":{\"code\":\"usage\","
		  "\"message\":\"there is no such command\",\"hint\":\"vx6 and "
		  "vx6d may be of different versions\"}}\n",							     API_CONN_OPEN },
		{ "{\"id\":3}\n",
                 "{\"id\":3,\"ok\":false,\"error\":{\"code\":\"usage\","
		  "\"message\":\"the request has no cmd\",\"hint\":\"say what "
		  "is "
		  "asked for\"}}\n",										     API_CONN_OPEN },
		{ "\n{\"id\":1,\"cmd\":\"empty\"}\n",              NOT_A_REQUEST,
                 API_CONN_DEAD													 },
		{ "[1]\n",					 NOT_A_REQUEST,                                        API_CONN_DEAD },
		{ "{\"id\":1,\"id\":2,\"cmd\":\"empty\"}\n",       NOT_A_REQUEST,
                 API_CONN_DEAD													 },
		{ "{\"id\":-1,\"cmd\":\"empty\"}\n",               NOT_A_REQUEST,
                 API_CONN_DEAD													 },
		{ "{\"id\":9007199254740992,\"cmd\":\"empty\"}\n",
                 NOT_A_REQUEST,											  API_CONN_DEAD },
		{ "{\"id\":\"1\",\"cmd\":\"empty\"}\n",            NOT_A_REQUEST,
                 API_CONN_DEAD													 },
		{ "{\"id\":1,\"cmd\":\"empty\"} x\n",              NOT_A_REQUEST,
                 API_CONN_DEAD													 },
		{ "GET / HTTP/1.1\r\n",                            NOT_A_REQUEST,                                        API_CONN_DEAD },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		struct bench b;

		bench_init(&b);
		feed(&b, t[i].in);
		said(&b, t[i].out);
		assert_int_equal(b.c.state, t[i].then);
		api_conn_end(&b.c);
	}
}

static void pieces_of_any_size(void **state)
{
	static const char in[] =
		"{\"id\":1,\"cmd\":\"echo\",\"say\":\"\xc3\xa9\"}\n"
		"{\"id\":2,\"cmd\":\"empty\"}\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(in); cut++) {
		struct bench b;

		bench_init(&b);
		api_conn_feed(&b.c, in, cut);
		for (size_t i = cut; i < sizeof(in) - 1; i++)
			api_conn_feed(&b.c, in + i, 1);
		assert_int_equal(b.w.ran, 2);
		said(&b, "{\"id\":1,\"ok\":true,\"result\":{\"said\":"
			 "\"\xc3\xa9\"}}\n"
			 "{\"id\":2,\"ok\":true,\"result\":{}}\n");
		api_conn_end(&b.c);
	}
}

static void a_line_has_a_limit(void **state)
{
	static const char head[] = "{\"id\":1,\"cmd\":\"empty\",\"x\":\"";
	char *line = malloc(API_LINE_MAX + 1);

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		size_t len = API_LINE_MAX + over;
		struct bench b;

		memset(line, 'x', len);
		memcpy(line, head, strlen(head));
		memcpy(line + len - 3, "\"}\n", 3);
		bench_init(&b);
		api_conn_feed(&b.c, line, len);
		assert_int_equal(b.w.ran, over ? 0 : 1);
		if (over)
			said(&b, NO_ID("a line is longer than 64 KiB",
				       "ask for less at once"));
		else
			said(&b, "{\"id\":1,\"ok\":true,\"result\":{}}\n");
		assert_int_equal(b.c.state,
				 over ? API_CONN_DEAD : API_CONN_OPEN);
		api_conn_end(&b.c);
	}
	free(line);
}

static void calls_run_side_by_side(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	feed(&b, "{\"id\":1,\"cmd\":\"hold\"}\n{\"id\":2,\"cmd\":\"hold\"}\n"
		 "{\"id\":3,\"cmd\":\"empty\"}\n");
	said(&b, "{\"id\":1,\"event\":\"held\",\"n\":1}\n"
		 "{\"id\":2,\"event\":\"held\",\"n\":2}\n"
		 "{\"id\":3,\"ok\":true,\"result\":{}}\n");
	api_done(b.w.held[1], NULL);
	api_fail(b.w.held[0], API_FAILED, "", "bytes \xff\xfe of a stranger");
	said(&b, "{\"id\":2,\"ok\":true,\"result\":{}}\n"
		 "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"failed\","
		 "\"message\":\"bytes ?? of a stranger\",\"hint\":\"\"}}\n");
	assert_int_equal(b.w.cancelled, 0);
	assert_int_equal(b.c.call_cnt, 0);
	api_conn_end(&b.c);
	assert_int_equal(b.w.cancelled, 0);
}

static void an_event_cannot_take_the_id(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	feed(&b, "{\"id\":1,\"cmd\":\"hold\"}\n");
	said(&b, "{\"id\":1,\"event\":\"held\",\"n\":1}\n");
	api_event(b.w.held[0], "e", json_pack("{s:i, s:i}", "id", 7, "x", 1));
	said(&b, "{\"id\":1,\"event\":\"e\",\"x\":1}\n");
	api_event(b.w.held[0], "f", NULL);
	said(&b, "{\"id\":1,\"event\":\"f\"}\n");
	api_conn_end(&b.c);
}

static void going_away_cancels(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	feed(&b, "{\"id\":1,\"cmd\":\"hold\"}\n{\"id\":2,\"cmd\":\"hold\"}\n"
		 "{\"id\":3,\"cmd\":\"hold\"}\n");
	api_done(b.w.held[1], NULL);
	api_conn_end(&b.c);
	assert_int_equal(b.w.cancelled, 2);
}

static void calls_have_a_limit(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.opt.calls = 2;
	feed(&b, "{\"id\":1,\"cmd\":\"hold\"}\n{\"id\":2,\"cmd\":\"hold\"}\n");
	said(&b, "{\"id\":1,\"event\":\"held\",\"n\":1}\n"
		 "{\"id\":2,\"event\":\"held\",\"n\":2}\n");
	feed(&b, "{\"id\":3,\"cmd\":\"hold\"}\n");
	said(&b, "{\"id\":3,\"ok\":false,\"error\":{\"code\":\"failed\","
		 "\"message\":\"too many requests run on this connection\","
		 "\"hint\":\"wait until one is answered\"}}\n");
	assert_int_equal(b.w.ran, 2);
	api_done(b.w.held[0], NULL);
	feed(&b, "{\"id\":3,\"cmd\":\"hold\"}\n");
	assert_int_equal(b.w.ran, 3);
	api_conn_end(&b.c);
	assert_int_equal(b.w.cancelled, 2);
}

/* A reader that takes nothing is cut off, and whoever answers it then does
 * no harm. */
static void a_slow_reader_is_cut_off(void **state)
{
	struct bench b;
	size_t len;

	(void)state;
	bench_init(&b);
	b.opt.queue_len_max = 100000;
	feed(&b, "{\"id\":1,\"cmd\":\"hold\"}\n");
	said(&b, "{\"id\":1,\"event\":\"held\",\"n\":1}\n");
	feed(&b, "{\"id\":2,\"cmd\":\"big\"}\n{\"id\":3,\"cmd\":\"empty\"}\n");
	assert_int_equal(b.c.state, API_CONN_DEAD);
	assert_int_equal(b.w.ran, 1);
	api_conn_out(&b.c, &len);
	assert_int_equal(len, 0);
	api_event(b.w.held[0], "late", NULL);
	api_done(b.w.held[0], NULL);
	api_conn_out(&b.c, &len);
	assert_int_equal(len, 0);
	api_conn_end(&b.c);
	assert_int_equal(b.w.cancelled, 0);
}

static void a_large_queue_is_given_back(void **state)
{
	struct bench b;
	size_t len;

	(void)state;
	bench_init(&b);
	feed(&b, "{\"id\":2,\"cmd\":\"big\"}\n");
	api_conn_out(&b.c, &len);
	assert_true(len > 200000);
	api_conn_sent(&b.c, 8);
	feed(&b, "{\"id\":3,\"cmd\":\"empty\"}\n");
	assert_memory_equal(api_conn_out(&b.c, &len), "\"event\":\"big\"", 13);
	api_conn_sent(&b.c, len);
	assert_int_equal(b.c.queue_cap, 0);
	assert_int_equal(b.c.state, API_CONN_OPEN);
	api_conn_end(&b.c);
}

static void names_of_codes(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		enum api_code code = (enum api_code)i;
		bool known = i >= API_FAILED && i <= API_DENIED;

		assert_int_equal(api_code_of(api_code_name(code)),
				 known ? code : API_FAILED);
	}
	assert_int_equal(api_code_of("nonsense"), API_FAILED);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(pieces_of_any_size),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(calls_run_side_by_side),
		cmocka_unit_test(an_event_cannot_take_the_id),
		cmocka_unit_test(going_away_cancels),
		cmocka_unit_test(calls_have_a_limit),
		cmocka_unit_test(a_slow_reader_is_cut_off),
		cmocka_unit_test(a_large_queue_is_given_back),
		cmocka_unit_test(names_of_codes),
	};

	return cmocka_run_group_tests_name("api", test, NULL, NULL);
}
