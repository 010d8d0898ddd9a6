/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli: what is typed is understood or refused with a sentence, and what is
 * shown is aligned, has its unit, and carries nobody's escape sequences.
 *
 * Method: argument lists against what they should give; the table of
 * commands against its own rules; output into memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/cli/cli.h"
#include "controlplane/cli/notify.h"
#include "controlplane/cli/say.h"
#include "controlplane/cli/show.h"
#include "dataplane/base/addr.h"

#include <unistd.h>

#define ARGS_MAX 16

struct bench {
	struct cli cli;
	char *out, *err;
	size_t out_len, err_len;
};

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->cli.out = open_memstream(&b->out, &b->out_len);
	b->cli.err = open_memstream(&b->err, &b->err_len);
}

static void bench_flush(struct bench *b)
{
	fflush(b->cli.out);
	fflush(b->cli.err);
}

static void bench_close(struct bench *b)
{
	fclose(b->cli.out);
	fclose(b->cli.err);
	free(b->out);
	free(b->err);
}

/* parse splits line at blanks; "" stands for an empty word. */
static int parse(struct bench *b, const char *line, struct cli_args *args)
{
	static char copy[512];
	char *argv[ARGS_MAX] = { copy }, *rest = NULL;
	int argc = 1;

	snprintf(copy, sizeof(copy), "vx6");
	snprintf(copy + 4, sizeof(copy) - 4, "%s", line);
	for (char *w = strtok_r(copy + 4, " ", &rest); w != NULL;
	     w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	return cli_parse(&b->cli, argc, argv, args);
}

/* ---- arguments ---- */

static void understood(void **state)
{
	static const struct {
		const char *line, *cmd, *pos;
		const char *opt, *val;
	} t[] = {
		{ "status",			      "status",      NULL,       NULL,       NULL    },
		{ "peer list",                           "peer list",   NULL,       NULL,       NULL    },
		{ "peer add x.record",                   "peer add",    "x.record", NULL,       NULL    },
		{ "peer add -",                          "peer add",    "-",        NULL,       NULL    },
		{ "peer add -- --odd",                   "peer add",    "--odd",    NULL,       NULL    },
		{ "--json peer --run /r list",           "peer list",   NULL,       NULL,       NULL    },
		{ "init --name alice",                   "init",        NULL,       "name",     "alice" },
		{ "init --name=alice",                   "init",        NULL,       "name",     "alice" },
		{ "init --name=",                        "init",        NULL,       "name",     ""      },
		{ "connect a.b --listen 0",              "connect",     "a.b",      "listen",   "0"     },
		{ "connect --listen 0 a.b --identify",   "connect",     "a.b",
                 "identify",								    ""      },
		{ "connect --listen 0 a.b",              "connect",     "a.b",      "identify",
                 NULL										   },
		{ "service add web --public --target 1", "service add", "web",
                 "public",								      ""      },
		{ "help service add",                    "help",        "service",  NULL,       NULL    },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		struct cli_args args;
		struct bench b;

		bench_open(&b);
		assert_int_equal(parse(&b, t[i].line, &args), CLI_OK);
		assert_string_equal(args.cmd->name, t[i].cmd);
		if (t[i].pos == NULL)
			assert_int_equal(args.pos_cnt, 0);
		else
			assert_string_equal(args.pos[0], t[i].pos);
		if (t[i].opt != NULL && t[i].val == NULL)
			assert_null(cli_opt(&args, t[i].opt));
		else if (t[i].opt != NULL)
			assert_string_equal(cli_opt(&args, t[i].opt), t[i].val);
		bench_close(&b);
	}
}

static void globals_stand_anywhere(void **state)
{
	struct cli_args args;
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(
		parse(&b,
		      "--config C connect --state=S a.b --run R --listen 1 "
		      "--json",
		      &args),
		CLI_OK);
	assert_string_equal(b.cli.config, "C");
	assert_string_equal(b.cli.state, "S");
	assert_string_equal(b.cli.run, "R");
	assert_true(b.cli.json);
	assert_false(args.help);
	assert_int_equal(parse(&b, "connect -h", &args), CLI_OK);
	assert_true(args.help);
	bench_close(&b);
}

static void refused(void **state)
{
	static const struct {
		const char *line, *why, *hint;
	} t[] = {
		{ "frobnicate",            "there is no command frobnicate", "vx6 help"            },
		{ "stattus",               "did you mean status?",           "vx6 help"            },
		{ "conect",                "did you mean connect?",          "vx6 help"            },
		{ "peer",                  "peer needs a second word",       "`vx6 peer list`"     },
		{ "peer lst",              "there is no command peer lst",
                 "`vx6 peer add`"								  },
		{ "status now",            "now is too much",                "usage: vx6 status"   },
		{ "peer add",              "peer add needs FILE",            "usage: vx6 peer add" },
		{ "connect a.b",           "connect needs --listen ADDR",
                 "usage: vx6 connect SERVICE --listen ADDR [--hops N]"                             },
		{ "connect a.b --lisen 1", "did you mean --listen?",         ""                    },
		{ "status --listen 1",     "there is no option --listen",
                 "usage: vx6 status"							       },
		{ "--frob status",         "there is no option --frob",      "vx6 help"            },
		{ "status -j",             "there is no option -j",          "two dashes"          },
		{ "status --json=yes",     "--json takes no value",          ""                    },
		{ "connect a.b --listen",  "--listen needs its ADDR",        ""                    },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		struct cli_args args;
		struct bench b;

		bench_open(&b);
		assert_int_equal(parse(&b, t[i].line, &args), CLI_USAGE);
		bench_flush(&b);
		if (strstr(b.err, t[i].why) == NULL ||
		    strstr(b.err, t[i].hint) == NULL)
			fail_msg("%s: %s", t[i].line, b.err);
		assert_int_equal(b.out_len, 0);
		bench_close(&b);
	}
}

/* What parsing, help and completion take for granted about the table. */
static void the_table_is_sound(void **state)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);

	(void)state;
	for (size_t i = 0; i < cnt; i++) {
		unsigned n = 0;

		assert_non_null(c[i].run);
		assert_true(c[i].args_max <= CLI_POS_MAX);
		assert_true(c[i].args_min <= c[i].args_max);
		assert_true((c[i].args[0] == '\0') == (c[i].args_max == 0));
		assert_true(strlen(c[i].name) <= 18 && strlen(c[i].help) <= 56);
		while (n < CLI_OPTS_MAX && c[i].opts[n].name != NULL) {
			/* a flag cannot be required */
			assert_true(!c[i].opts[n].required ||
				    c[i].opts[n].value != NULL);
			for (unsigned g = 0; cli_globals[g].name != NULL; g++)
				assert_string_not_equal(c[i].opts[n].name,
							cli_globals[g].name);
			n++;
		}
		for (size_t k = 0; k < i; k++) {
			size_t len = strlen(c[k].name);

			/* no command's name begins another's */
			assert_true(strncmp(c[i].name, c[k].name, len) != 0 ||
				    (c[i].name[len] != ' ' &&
				     c[i].name[len] != '\0'));
		}
	}
}

static void help_is_complete(void **state)
{
	size_t cnt;
	const struct cli_command *c = cli_commands(&cnt);
	char *argv[] = { (char[]){ "vx6" } };
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(cli_main(&b.cli, 1, argv), CLI_OK);
	bench_flush(&b);
	for (size_t i = 0; i < cnt; i++)
		assert_non_null(strstr(b.out, c[i].help));
	for (const char *p = b.out; *p != '\0';) {
		size_t len = strcspn(p, "\n");

		assert_true(len <= 80);
		p += len + (p[len] == '\n');
	}
	bench_close(&b);
	for (size_t i = 0; i < cnt; i++) {
		struct cli_args args = { .pos = { c[i].name }, .pos_cnt = 1 };

		bench_open(&b);
		assert_int_equal(cli_help(&b.cli, &args), CLI_OK);
		bench_flush(&b);
		assert_memory_equal(b.out, "usage: vx6 ", 11);
		for (unsigned n = 0;
		     n < CLI_OPTS_MAX && c[i].opts[n].name != NULL; n++)
			assert_non_null(strstr(b.out, c[i].opts[n].help));
		bench_close(&b);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {
		{ "8080",         "127.0.0.1:8080" },
		{ ":8080",        "127.0.0.1:8080" },
		{ "0",            "127.0.0.1:0"    },
		{ "localhost:22", "127.0.0.1:22"   },
		{ "[::1]:22",     "[::1]:22"       },
		{ "192.0.2.1:22", "192.0.2.1:22"   },
		{ "65536",        NULL             },
		{ "99999999999",  NULL             },
		{ "host:22",      NULL             },
		{ "127.0.0.1",    NULL             },
		{ "",             NULL             },
		{ ":",            NULL             },
		{ "-1",           NULL             },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		char out[VX6_ADDR_TEXT];
		struct bench b;

		bench_open(&b);
		assert_int_equal(say_addr(&b.cli, "listen", t[i].text, out),
				 t[i].want == NULL ? CLI_USAGE : CLI_OK);
		if (t[i].want != NULL)
			assert_string_equal(out, t[i].want);
		bench_close(&b);
	}
}

static void counts(void **state)
{
	static const struct {
		const char *text;
		int code;
		unsigned n;
	} t[] = {
		{ "0",          CLI_OK,    0  },
		{ "7",          CLI_OK,    7  },
		{ "007",        CLI_OK,    7  },
		{ "8",          CLI_USAGE, 99 },
		{ "-1",         CLI_USAGE, 99 },
		{ "",           CLI_USAGE, 99 },
		{ "1 ",         CLI_USAGE, 99 },
		{ "three",      CLI_USAGE, 99 },
		{ "4294967297", CLI_USAGE, 99 },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		unsigned n = 99;
		struct bench b;

		bench_open(&b);
		assert_int_equal(say_count(&b.cli, "hops", t[i].text, 0, 7, &n),
				 t[i].code);
		assert_int_equal(n, t[i].n);
		bench_close(&b);
	}
}

static void lists_are_split(void **state)
{
	static const struct {
		const char *text, *json;
	} t[] = {
		{ "a",     "[\"a\"]"                 },
		{ "a,b,c", "[\"a\",\"b\",\"c\"]"     },
		{ "",      "[\"\"]"                  },
		{ "a,,b,", "[\"a\",\"\",\"b\",\"\"]" },
	};

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		json_t *j = say_split(t[i].text);
		char *text = json_dumps(j, JSON_COMPACT);

		assert_string_equal(text, t[i].json);
		free(text);
		json_decref(j);
	}
}

/* ---- output ---- */

static void units(void **state)
{
	static const struct {
		uint64_t v;
		const char *bytes, *span;
	} t[] = {
		{ 0,          "0 B",      "0 s"                   },
		{ 59,         "59 B",     "59 s"                  },
		{ 60,         "60 B",     "1 min"                 },
		{ 61,         "61 B",     "1 min 1 s"             },
		{ 1023,       "1023 B",   "17 min 3 s"            },
		{ 1024,       "1.0 KiB",  "17 min 4 s"            },
		{ 3599,       "3.5 KiB",  "59 min 59 s"           },
		{ 3600,       "3.5 KiB",  "1 h"                   },
		{ 7500,       "7.3 KiB",  "2 h 5 min"             },
		{ 86400,      "84.4 KiB", "1 d"                   },
		{ 1048550,    "1.0 MiB",  "12 d 3 h"              },
		{ 1048576,    "1.0 MiB",  "12 d 3 h"              },
		{ UINT64_MAX, "16.0 EiB", "213503982334601 d 7 h" },
	};
	static const struct {
		double v;
		const char *text;
	} m[] = {
		{ 0,     "0.00 ms" },
                { 0.414, "0.41 ms" },
		{ 9.994, "9.99 ms" },
                { 9.999, "10.0 ms" },
		{ 99.94, "99.9 ms" },
                { 99.99, "100 ms"  },
		{ 999.4, "999 ms"  },
                { 999.6, "1.00 s"  },
		{ 61000, "61.00 s" },
	};
	char text[SHOW_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(t); i++) {
		assert_string_equal(show_bytes(text, t[i].v), t[i].bytes);
		assert_string_equal(show_span(text, t[i].v), t[i].span);
	}
	for (size_t i = 0; i < VX6_COUNT(m); i++)
		assert_string_equal(show_ms(text, m[i].v), m[i].text);
}

static const struct show_column columns[] = {
	{ "NAME",  "name",   SHOW_TEXT  },
        { "ID",    "id",     SHOW_ID    },
	{ "STATE", "state",  SHOW_STATE },
        { "RELAY", "relay",  SHOW_YES   },
	{ "PATH",  "path",   SHOW_PATH  },
        { "CELLS", "cells",  SHOW_COUNT },
	{ "RTT",   "rtt_ms", SHOW_MS    },
};

static void show(struct bench *b, const char *json)
{
	json_t *list = json_loads(json, 0, NULL);

	assert_non_null(list);
	show_list(&b->cli, list, columns, VX6_COUNT(columns));
	json_decref(list);
	bench_flush(b);
}

static void tables_are_aligned(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	show(&b, "[{\"name\":\"r1\",\"id\":\"vx6aaaaaaaaaaaaaaaa\",\"state\":"
		 "\"up\",\"relay\":true,\"path\":[\"a\",\"b\"],\"cells\":12345,"
		 "\"rtt_ms\":0.4},"
		 "{\"name\":\"caf\xc3\xa9\",\"id\":\"\",\"state\":\"down\","
		 "\"relay\":false,\"path\":[],\"cells\":7,\"rtt_ms\":null}]");
	assert_string_equal(
		b.out,
		"NAME  ID              STATE  RELAY  PATH   CELLS      RTT\n"
		"r1    vx6aaaaaaaaa..  up     yes    a > b  12345  0.40 ms\n"
		"caf\xc3\xa9  -               down   -      -          7"
		"        -\n");
	bench_close(&b);
}

static void colour_takes_no_room(void **state)
{
	static const char row[] = "[{\"name\":\"r1\",\"state\":\"up\"},"
				  "{\"name\":\"r2\",\"state\":\"building\"}]";
	char plain[1024] = "";
	struct bench b, c;
	size_t n = 0;

	(void)state;
	bench_open(&b);
	show(&b, row);
	bench_open(&c);
	c.cli.out_colour = true;
	show(&c, row);
	assert_non_null(strstr(c.out, "\033[32mup\033[0m"));
	for (const char *p = c.out; *p != '\0'; p++)
		if (*p == '\033')
			p += strcspn(p, "m");
		else
			plain[n++] = *p;
	assert_string_equal(plain, b.out);
	bench_close(&c);
	bench_close(&b);
}

static void strangers_bytes_are_harmless(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	show(&b, "[{\"name\":\"\\u001b[2Jx\\u0007\\n\",\"path\":[\"\\r\",3]}]");
	assert_null(strchr(b.out, '\033'));
	assert_null(strchr(b.out, '\r'));
	assert_non_null(strstr(b.out, "?[2Jx??"));
	bench_close(&b);
}

static void errors_have_two_forms(void **state)
{
	struct bench b;
	json_t *doc, *j;

	(void)state;
	bench_open(&b);
	assert_int_equal(
		cli_fail(&b.cli, CLI_DENIED, "ask r1", "%s \"no\"", "x"),
		CLI_DENIED);
	bench_flush(&b);
	assert_string_equal(b.err, "vx6: x \"no\"\n     ask r1\n");
	bench_close(&b);
	bench_open(&b);
	b.cli.json = true;
	assert_int_equal(
		cli_fail(&b.cli, CLI_UNREACHABLE, "", "%s \"no\"", "x"),
		CLI_UNREACHABLE);
	cli_note(&b.cli, "only for people");
	bench_flush(&b);
	doc = json_loads(b.err, 0, NULL);
	j = json_object_get(doc, "error");
	assert_string_equal(say_text(j, "code"), "unreachable");
	assert_string_equal(say_text(j, "message"), "x \"no\"");
	json_decref(doc);
	bench_close(&b);
}

/* ---- sd_notify ---- */

static void notifications(void **state)
{
	char name[NOTIFY_NAME];
	int fd = notify_open("test", name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(notify_read(fd, getpid()), 0);
	notify_send(name, "STATUS=well\nREADY=1");
	assert_int_equal(notify_read(fd, getpid()), NOTIFY_READY);
	notify_send(name, "WATCHDOG=1");
	notify_send(name, "READY=1\n");
	assert_int_equal(notify_read(fd, getpid()),
			 NOTIFY_READY | NOTIFY_WATCHDOG);
	/* another process's word counts for nothing */
	notify_send(name, "READY=1");
	assert_int_equal(notify_read(fd, getpid() + 1), 0);
	notify_send(name, "READY=10\nREADY");
	assert_int_equal(notify_read(fd, getpid()), 0);
	notify_send(NULL, "READY=1");
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(understood),
		cmocka_unit_test(globals_stand_anywhere),
		cmocka_unit_test(refused),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(help_is_complete),
		cmocka_unit_test(addresses),
		cmocka_unit_test(counts),
		cmocka_unit_test(lists_are_split),
		cmocka_unit_test(units),
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(colour_takes_no_room),
		cmocka_unit_test(strangers_bytes_are_harmless),
		cmocka_unit_test(errors_have_two_forms),
		cmocka_unit_test(notifications),
	};

	return cmocka_run_group_tests_name("cli", test, NULL, NULL);
}
