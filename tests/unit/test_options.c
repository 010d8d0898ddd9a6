/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options: what vx6-dataplane takes from its command line, how many workers
 * that makes, and how its log says things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/workers.h"
#include "dataplane/worker/count.h"
#include "dataplane/worker/log.h"
#include "dataplane/worker/options.h"

static enum vx6_status parse(struct dp_options *o, const char *a, const char *b)
{
	char text[3][80] = { "vx6-dataplane" }, why[DP_WHY] = "";
	char *argv[4] = { text[0], text[1], text[2], NULL };
	enum vx6_status st;

	snprintf(text[1], sizeof(text[1]), "%s", a);
	snprintf(text[2], sizeof(text[2]), "%s", b);
	dp_options_init(o);
	snprintf(o->run, sizeof(o->run), "/nowhere");
	st = dp_options_parse(o, *b == '\0' ? 2 : 3, argv, why);
	/* a refusal says what is wrong and names the option */
	if (st != VX6_OK)
		assert_non_null(strstr(why, "--"));
	return st;
}

/* CPUs, queues, workers. */
static void workers_are_counted(void **state)
{
	static const uint32_t want[][3] = {
		{ 0,  CONFIG_QUEUES_ANY, 1             },
		{ 1,  CONFIG_QUEUES_ANY, 1             },
		{ 2,  CONFIG_QUEUES_ANY, 1             },
		{ 3,  CONFIG_QUEUES_ANY, 2             },
		{ 4,  CONFIG_QUEUES_ANY, 3             },
		{ 5,  CONFIG_QUEUES_ANY, 3             },
		{ 8,  CONFIG_QUEUES_ANY, 6             },
		{ 9,  CONFIG_QUEUES_ANY, 6             },
		{ 16, CONFIG_QUEUES_ANY, 12            },
		{ 64, CONFIG_QUEUES_ANY, RELAY_WORKERS },
		{ 8,  1,                 1             },
		{ 8,  4,                 4             },
		{ 8,  0,                 1             },
		{ 64, 64,                RELAY_WORKERS },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(want); i++)
		assert_int_equal(config_workers(0, 0, want[i][0], want[i][1]),
				 want[i][2]);
	/* what is said counts, whatever there is */
	assert_int_equal(config_workers(16, 2, 1, 1), 16);
	assert_int_equal(config_workers(0, 2, 1, 1), 2);
	assert_in_range(count_cpus(), 1, sysconf(_SC_NPROCESSORS_CONF));
}

static void options_are_read(void **state)
{
	struct dp_options o;
	struct vx6_addr a;

	(void)state;
	assert_int_equal(vx6_addr_parse(&a, "192.0.2.1:99"), VX6_OK);
	assert_int_equal(parse(&o, "--listen", "192.0.2.1:99"), VX6_OK);
	assert_memory_equal(&o.listen, &a, sizeof(a));
	assert_int_equal(parse(&o, "--listen=192.0.2.1:99", ""), VX6_OK);
	assert_memory_equal(&o.listen, &a, sizeof(a));
	assert_int_equal(parse(&o, "--run", "/tmp/x"), VX6_OK);
	assert_string_equal(o.run, "/tmp/x");
	assert_int_equal(parse(&o, "--halves", "1048576"), VX6_OK);
	assert_int_equal(o.halves, 1048576);
	assert_int_equal(parse(&o, "--links", "2"), VX6_OK);
	assert_int_equal(o.links, 2);
	assert_false(o.spin);
	assert_int_equal(parse(&o, "--idle", "spin"), VX6_OK);
	assert_true(o.spin);
	assert_int_equal(dp_options_workers(&o),
			 config_workers(0, 0, count_cpus(), CONFIG_QUEUES_ANY));
	o.backend = CONFIG_BACKEND_DPDK;
	assert_int_equal(dp_options_workers(&o), 1);
	assert_int_equal(parse(&o, "--cpus", "3,0"), VX6_OK);
	assert_int_equal(o.cpu_cnt, 2);
	assert_int_equal(o.cpus[0], 3);
	assert_int_equal(dp_options_workers(&o), 2);
	assert_int_equal(parse(&o, "--workers", "16"), VX6_OK);
	assert_int_equal(dp_options_workers(&o), 16);
	assert_int_equal(parse(&o, "--log", "json"), VX6_OK);
	assert_true(o.json);
	assert_int_equal(parse(&o, "--port", "udp"), VX6_OK);
	assert_int_equal(parse(&o, "--help", ""), VX6_OK);
	assert_true(o.help);
	assert_int_equal(o.listen.port, 4243);
}

static void wrong_options_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "--bogus",   ""                  },
                { "--listen",  "here"              },
		{ "--listen",  ""                  },
                { "--halves",  "1"                 },
		{ "--halves",  "1048577"           },
                { "--halves",  "12x"               },
		{ "--halves",  "-5"                },
                { "--links",   "99999999999999999" },
		{ "--idle",    "lazy"              },
                { "--cpus",    "1,one"             },
		{ "--cpus",    "1,,2"              },
                { "--workers", "17"                },
		{ "--log",     "xml"               },
                { "--port",    "pigeon"            },
		{ "--run=",    ""                  },
                { "extra",     ""                  },
		{ "--runs",    "/tmp"              },
                { "--",        ""                  },
	};
	struct dp_options o;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++)
		assert_int_equal(parse(&o, bad[i][0], bad[i][1]), VX6_CONFIG);
}

/* ---- log ---- */

static void read_log(int fd, char *to, size_t room)
{
	ssize_t n = read(fd, to, room - 1);

	assert_true(n > 0);
	to[n] = '\0';
}

static void log_lines_have_a_form(void **state)
{
	char text[2000], num[LOG_NUM];
	struct log l;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	log_init(&l, fd[1], false);
	log_say(&l, LOG_INFO, "worker", "start", "cpu", log_num(num, 3), "why",
		"two words", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text, "Z info worker start cpu=3 "
				     "why=\"two words\"\n"));
	/* repeats are counted, and told with the next */
	for (unsigned i = 0; i < 5; i++)
		log_say(&l, LOG_WARN, "a", "b", LOG_END);
	log_say(&l, LOG_ERROR, "c", "d", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text, " warning a b\n"));
	assert_non_null(strstr(text, " warning a b repeated=4\n"));
	assert_non_null(strstr(text, " error c d\n"));
	log_init(&l, fd[1], true);
	log_say(&l, LOG_INFO, "m", "e", "k", "q\"\\\n", LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_non_null(strstr(text,
			       "\"level\":\"info\",\"module\":\"m\",\"event\":"
			       "\"e\",\"k\":\"q\\\"\\\\\\u000a\"}\n"));
	/* too long is cut, and still a line */
	memset(text, 'x', 900);
	text[900] = '\0';
	log_say(&l, LOG_INFO, "m", text, LOG_END);
	read_log(fd[0], text, sizeof(text));
	assert_true(strlen(text) < LOG_LINE);
	assert_int_equal(text[strlen(text) - 1], '\n');
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(workers_are_counted),
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(log_lines_have_a_form),
	};

	return cmocka_run_group_tests_name("options", test, NULL, NULL);
}
