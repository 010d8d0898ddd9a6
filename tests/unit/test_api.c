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
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controlplane/api/client.h"
#include "controlplane/api/conn.h"
#include "controlplane/loop/loop.h"

/* ---- a table of commands ---- */

struct world {
	struct loop *loop;
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

static void run_stop(void *ctx, struct api_call *call, const json_t *args)
{
	struct world *w = ctx;

	(void)args;
	api_done(call, json_pack("{s:b}", "owner", api_from_owner(call)));
	loop_stop(w->loop);
}

static const struct api_command commands[] = {
	{ "echo",  run_echo  },
        { "empty", run_empty },
        { "hold",  run_hold  },
	{ "args",  run_args  },
        { "big",   run_big   },
        { "stop",  run_stop  },
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

	assert_non_null(copy);
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

/* ---- tests of the socket: the server here, clients in a thread ---- */

struct house {
	struct bench b; /* its connection is not used */
	char dir[32], path[64];
	struct api_server *server;
	void (*visit)(struct house *h);
	bool failed; /* the thread may not assert */
};

#define CHECK(h, what)                                                         \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__,     \
				#what);                                        \
			(h)->failed = true;                                    \
			return;                                                \
		}                                                              \
	} while (0)

static void house_open(struct house *h)
{
	memset(h, 0, sizeof(*h));
	snprintf(h->dir, sizeof(h->dir), "/tmp/test_api.XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->path, sizeof(h->path), "%s/vx6d.sock", h->dir);
	h->b.opt = (struct api_options){ .path = h->path,
					 .commands = commands,
					 .command_cnt = VX6_COUNT(commands),
					 .ctx = &h->b.w };
	assert_int_equal(loop_open(&h->b.w.loop, &(struct loop_opts){ 0 }),
			 VX6_OK);
}

static void house_close(struct house *h)
{
	loop_close(h->b.w.loop);
	rmdir(h->dir);
	assert_false(h->failed);
}

/* ask sends one request on its own connection; the result, or NULL. */
static json_t *ask(const struct house *h, const char *cmd)
{
	struct api_client c;
	json_t *msg = NULL, *result = NULL;

	if (api_client_open(&c, h->path) != VX6_OK)
		return NULL;
	if (api_client_ask(&c, cmd, NULL) == VX6_OK &&
	    api_client_next(&c, 20000, &msg) == VX6_OK)
		result = json_incref(json_object_get(msg, "result"));
	json_decref(msg);
	api_client_close(&c);
	return result;
}

static void *visitor(void *ctx)
{
	struct house *h = ctx;
	json_t *r = NULL;

	h->visit(h);
	/* a limit may still count the visit's last client */
	while (r == NULL)
		r = ask(h, "stop");
	json_decref(r);
	return NULL;
}

/* visited runs the server until visit, in its thread, has returned. */
static void visited(struct house *h, void (*visit)(struct house *h))
{
	pthread_t t;

	h->visit = visit;
	assert_int_equal(api_open(h->b.w.loop, &h->b.opt, &h->server), VX6_OK);
	assert_int_equal(pthread_create(&t, NULL, visitor, h), 0);
	loop_run(h->b.w.loop);
	api_close(h->server); /* which hands out the last answer */
	pthread_join(t, NULL);
}

static void visit_echo(struct house *h)
{
	struct api_client c;
	json_t *msg = NULL;
	struct stat st;

	CHECK(h, stat(h->path, &st) == 0 && (st.st_mode & 0777) == 0660);
	CHECK(h, api_client_open(&c, h->path) == VX6_OK);
	for (int i = 0; i < 3; i++) {
		json_t *args = json_pack("{s:i}", "say", i);

		CHECK(h, api_client_ask(&c, "echo", args) == VX6_OK);
		CHECK(h, api_client_next(&c, 20000, &msg) == VX6_OK);
		CHECK(h, json_integer_value(json_object_get(
				 json_object_get(msg, "result"), "said")) == i);
		json_decref(msg);
	}
	CHECK(h, api_client_ask(&c, "big", NULL) == VX6_OK);
	for (int i = 0; i < 3; i++) {
		CHECK(h, api_client_next(&c, 20000, &msg) == VX6_OK);
		json_decref(msg);
	}
	CHECK(h, api_client_ask(&c, "hold", NULL) == VX6_OK);
	CHECK(h, api_client_next(&c, 20000, &msg) == VX6_OK);
	json_decref(msg);
	CHECK(h, api_client_next(&c, 1, &msg) == VX6_EXPIRED);
	api_client_close(&c);
	/* the server hears of it: only then may it be stopped */
	while (json_decref(ask(h, "empty")), h->b.w.cancelled == 0)
		;
}

static void the_socket_answers(void **state)
{
	struct house h;
	struct api_client c;

	(void)state;
	house_open(&h);
	visited(&h, visit_echo);
	assert_int_equal(h.b.w.cancelled, 1);
	assert_int_equal(api_client_open(&c, h.path), VX6_UNREACHABLE);
	assert_int_not_equal(access(h.path, F_OK), 0);
	house_close(&h);
}

static void only_dead_sockets_are_replaced(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct api_server *second;
	struct house h;
	FILE *f;
	int fd;

	(void)state;
	house_open(&h);
	memcpy(sa.sun_path, h.path, strlen(h.path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(api_open(h.b.w.loop, &h.b.opt, &h.server), VX6_OK);
	assert_int_equal(api_open(h.b.w.loop, &h.b.opt, &second), VX6_EXISTS);
	api_close(h.server);
	f = fopen(h.path, "w");
	if (f == NULL)
		fail();
	else
		fclose(f);
	errno = 0;
	assert_int_equal(api_open(h.b.w.loop, &h.b.opt, &second), VX6_SYS);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(unlink(h.path), 0);
	house_close(&h);
}

static int raw(const struct house *h)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sa.sun_path, h->path, strlen(h->path));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One that never reads asks for more than its queue may hold. */
static void visit_slowly(struct house *h)
{
	static const char line[] = "{\"id\":1,\"cmd\":\"big\"}\n";
	int fd = raw(h);
	json_t *r;

	CHECK(h, fd >= 0);
	while (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0)
		;
	r = ask(h, "empty");
	CHECK(h, r != NULL);
	json_decref(r);
	close(fd);
}

static void a_slow_client_is_cut_off(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);
	h.b.opt.queue_len_max = 300000;
	visited(&h, visit_slowly);
	house_close(&h);
}

static size_t read_all(int fd, char *out, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	return len;
}

/* More than a socket holds: three lines for each big one. */
static void visit_half(struct house *h)
{
	static const char big[] = "{\"id\":5,\"cmd\":\"big\"}\n";
	int fd = raw(h), lines = 0;
	char text[4096];
	ssize_t n;

	CHECK(h, fd >= 0);
	for (int i = 0; i < 8; i++)
		CHECK(h, write(fd, big, sizeof(big) - 1) > 0);
	CHECK(h, shutdown(fd, SHUT_WR) == 0);
	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	CHECK(h, n == 0 && lines == 24);
	close(fd);
}

static void who_stops_sending_is_answered(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);
	visited(&h, visit_half);
	house_close(&h);
}

static void visit_in_numbers(struct house *h)
{
	int first = raw(h), second = raw(h);
	char text[256];

	CHECK(h, first >= 0 && second >= 0);
	read_all(second, text, sizeof(text));
	CHECK(h, strstr(text, "as many clients as it allows") != NULL);
	close(second);
	close(first);
	/* as soon as the server has noticed, there is room again */
	for (json_t *r = NULL; r == NULL; json_decref(r))
		r = ask(h, "empty");
}

static void clients_have_a_limit(void **state)
{
	struct house h;

	(void)state;
	house_open(&h);
	h.b.opt.clients = 1;
	visited(&h, visit_in_numbers);
	house_close(&h);
}

static void visit_as_nobody(struct house *h)
{
	char text[256] = "";
	int p[2], status;
	pid_t pid;

	CHECK(h, chmod(h->path, 0666) == 0 && chmod(h->dir, 0755) == 0);
	CHECK(h, pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		int fd = setgroups(0, NULL) == 0 && setgid(65534) == 0 &&
					 setuid(65534) == 0
				 ? raw(h)
				 : -1;
		size_t n = fd < 0 ? 0 : read_all(fd, text, sizeof(text));

		_exit(write(p[1], text, n) == (ssize_t)n ? 0 : 1);
	}
	close(p[1]);
	read_all(p[0], text, sizeof(text));
	close(p[0]);
	CHECK(h, waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(h, strstr(text, "\"code\":\"denied\"") != NULL);
}

static void others_are_turned_away(void **state)
{
	struct house h;

	(void)state;
	if (geteuid() != 0) {
		printf("# SKIP root: only root can be somebody else\n");
		skip();
	}
	house_open(&h);
	/* a group that is not theirs opens nothing */
	h.b.opt.group = "root";
	visited(&h, visit_as_nobody);
	house_close(&h);
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
		cmocka_unit_test(the_socket_answers),
		cmocka_unit_test(only_dead_sockets_are_replaced),
		cmocka_unit_test(a_slow_client_is_cut_off),
		cmocka_unit_test(who_stops_sending_is_answered),
		cmocka_unit_test(clients_have_a_limit),
		cmocka_unit_test(others_are_turned_away),
	};

	return cmocka_run_group_tests_name("api", test, NULL, NULL);
}
