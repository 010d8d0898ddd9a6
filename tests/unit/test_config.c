/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config: a good document is read whole, a bad one gets one sentence.
 *
 * Method: each bad document is a row with its exact sentence.  With
 * VX6_SAMPLES=DIR the rows and everything that is made from the table are
 * written there, for tests/e2e/test_schema.py to judge the schema by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/place.h"
#include "config/table.h"

#define ID_A    "vx6aebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4qa"
#define PEER(x) "{\"peers\": [{" x "}]}"

enum schema { REFUSES, CANNOT_SAY, NOT_JSON }; /* what a schema can see */

/* clang-format off */
static const struct {
	const char *doc;
	enum schema schema;
	const char *text;
} bad[] = {
	{ "", NOT_JSON, "f:1:1: not JSON: unexpected token near end of file" },
	{ "{\"node\": ]", NOT_JSON,
	  "f:1:10: not JSON: unexpected token near ']'" },
	{ "{} {}", NOT_JSON,
	  "f:1:4: not JSON: end of file expected near '{'" },
	{ "[]", REFUSES, "f:1:1: found a list [..], expected an object {..}" },
	{ "7", REFUSES, "f:1:1: found 7, expected an object {..}" },
	{ "{\"node\": 7}", REFUSES,
	  "f:1:10: node: found 7, expected an object {..}" },
	{ "{\n  \"nod\": {}\n}", REFUSES,
	  "f:2:3: nod: there is no such field; did you mean \"node\"?" },
	{ "{\"node\": {\"nmae\": \"a\"}}", REFUSES,
	  "f:1:11: node.nmae: there is no such field; did you mean \"name\"?" },
	{ "{\"timers\":\n {\"dial_s\": 5,\n  \"dail_s\": 5}}", REFUSES,
	  "f:3:3: timers.dail_s: there is no such field; did you mean "
	  "\"dial_s\"?" },
	{ "{\"log\": {\"colour\": 1}}", REFUSES,
	  "f:1:10: log.colour: there is no such field here; there are level, "
	  "format" },
	{ "{\"xyzzy\": 1}", REFUSES,
	  "f:1:2: xyzzy: there is no such field here; there are node, control, "
	  "data, dial, circuits, timers, limits, log, api, peers, state, "
	  "run" },
	{ "{\"node\": {\"name\": \"a\",\n \"name\": \"b\"}}", NOT_JSON,
	  "f:2:2: node.name: written twice, first on line 1" },
	{ "{\"node\":{},\"log\":{},\n\n\"node\":{}}", NOT_JSON,
	  "f:3:1: node: written twice, first on line 1" },
	{ "{\"node\": {\"n\\u0061me\": \"a\"}}", CANNOT_SAY,
	  "f:1:11: the key \"n\\u0061me\" is written with a \\: no key needs "
	  "one" },
	{ "{\"a\":[[[[[[[[[]]]]]]]]]}", REFUSES,
	  "f:1:13: nested deeper than 8 levels" },
	{ "{\"node\": {\"name\": \"Alice\"}}", REFUSES,
	  "f:1:19: node.name: found \"Alice\", expected a text of 1 to 15 of "
	  "the characters a-z, 0-9 and -" },
	{ "{\"node\": {\"name\": \"\"}}", REFUSES,
	  "f:1:19: node.name: found \"\", expected a text of 1 to 15 of the "
	  "characters a-z, 0-9 and -" },
	{ "{\"node\": {\"name\": \"a234567890123456\"}}", REFUSES,
	  "f:1:19: node.name: found \"a234567890123456\", expected a text of 1 "
	  "to 15 of the characters a-z, 0-9 and -" },
	{ "{\"node\": {\"family\": \"a b\"}}", REFUSES,
	  "f:1:21: node.family: found \"a b\", expected a text of 1 to 31 of "
	  "the characters a-z, 0-9 and -" },
	{ "{\"node\": {\"relay\": \"yes\"}}", REFUSES,
	  "f:1:20: node.relay: found \"yes\", expected true or false" },
	{ "{\"node\": {\"relay\": 1}}", REFUSES,
	  "f:1:20: node.relay: found 1, expected true or false" },
	{ "{\"node\": {\"relay\": null}}", REFUSES,
	  "f:1:20: node.relay: found null, expected true or false" },
	{ "{\"limits\": {\"streams\": 0}}", REFUSES,
	  "f:1:24: limits.streams: found 0, expected a whole number from 1 "
	  "to 65536" },
	{ "{\"limits\": {\"streams\": 65537}}", REFUSES,
	  "f:1:24: limits.streams: found 65537, expected a whole number from 1 "
	  "to 65536" },
	{ "{\"limits\": {\"streams\": 2.5}}", REFUSES,
	  "f:1:24: limits.streams: found 2.5, expected a whole number from 1 "
	  "to 65536" },
	{ "{\"limits\": {\"streams\": \"3\"}}", REFUSES,
	  "f:1:24: limits.streams: found \"3\", expected a whole number from "
	  "1 to 65536" },
	{ "{\"data\": {\"workers\": 17}}", REFUSES,
	  "f:1:22: data.workers: found 17, expected a whole number from 0 to "
	  "16" },
	{ "{\"limits\": {\"replay_keys\": 2097153}}", REFUSES,
	  "f:1:28: limits.replay_keys: found 2097153, expected a whole number "
	  "from 1024 to 2097152" },
	{ "{\"limits\": {\"sessions\": 9223372036854775807}}", REFUSES,
	  "f:1:25: limits.sessions: found 9223372036854775807, expected a whole "
	  "number from 8 to 65536" },
	{ "{\"timers\": {\n\t\"dial_s\": \"5s\"}}", REFUSES,
	  "f:2:12: timers.dial_s: found \"5s\", expected a number of seconds "
	  "from 0.1 to 300" },
	{ "{\"timers\": {\"dial_s\": 0}}", REFUSES,
	  "f:1:23: timers.dial_s: found 0, expected a number of seconds from "
	  "0.1 to 300" },
	{ "{\"timers\": {\"link_orphan_s\": 900.1}}", REFUSES,
	  "f:1:30: timers.link_orphan_s: found 900.1, expected a number of "
	  "seconds from 1 to 900" },
	{ "{\"timers\": {\"dial_s\": 1e300}}", REFUSES,
	  "f:1:23: timers.dial_s: found 1e300, expected a number of seconds "
	  "from 0.1 to 300" },
	{ "{\"log\": {\"level\": \"loud\"}}", REFUSES,
	  "f:1:19: log.level: found \"loud\", expected \"error\", \"warn\", "
	  "\"info\" or \"debug\"" },
	{ "{\"data\": {\"backend\": \"quic\"}}", REFUSES,
	  "f:1:22: data.backend: found \"quic\", expected \"udp\", "
	  "\"af_xdp\" or \"dpdk\"" },
	{ "{\"data\": {\"dpdk_eal\": [\"-n\", \"a b\"]}}", REFUSES,
	  "f:1:30: data.dpdk_eal[1]: found \"a b\", expected a text of 1 to "
	  "63 printable characters without spaces" },
	{ "{\"data\": {\"interfaces\": [\"a\", \"b/c\"]}}", REFUSES,
	  "f:1:31: data.interfaces[1]: found \"b/c\", expected the name of a "
	  "network interface, of at most 15 characters" },
	{ "{\"data\": {\"interfaces\": \"0123456789abcdef\"}}", REFUSES,
	  "f:1:25: data.interfaces: found \"0123456789abcdef\", expected the "
	  "name of a network interface, of at most 15 characters" },
	{ "{\"api\": {\"group\": \"a b\"}}", REFUSES,
	  "f:1:19: api.group: found \"a b\", expected the name of a group, of "
	  "at most 32 characters" },
	{ "{\"control\": {\"listen\": \"4242\"}}", REFUSES,
	  "f:1:24: control.listen: found \"4242\", expected an address and a "
	  "port from 0 to 65535, as in \"192.0.2.1:80\" or \"[::]:80\"" },
	{ "{\"control\": {\"listen\": [\"[::]:1\", \"1.2.3.4:65536\"]}}", REFUSES,
	  "f:1:35: control.listen[1]: found \"1.2.3.4:65536\", expected an "
	  "address and a port from 0 to 65535, as in \"192.0.2.1:80\" or "
	  "\"[::]:80\"" },
	{ "{\"control\": {\"listen\": \"[:::]:1\"}}", CANNOT_SAY,
	  "f:1:24: control.listen: found \"[:::]:1\", expected an address and "
	  "a port from 0 to 65535, as in \"192.0.2.1:80\" or \"[::]:80\"" },
	{ "{\"control\": {\"advertise\": \"[2001:db8::1]:0\"}}", CANNOT_SAY,
	  "f:1:27: control.advertise: found \"[2001:db8::1]:0\", expected an "
	  "address and a port from 1 to 65535, as in \"192.0.2.1:80\" or "
	  "\"[::]:80\"" },
	{ "{\"control\": {\"listen\": []}}", REFUSES,
	  "f:1:24: control.listen: found a list [..], expected a list of at "
	  "least 1" },
	{ "{\"control\": {\"listen\": [\"[::]:1\",\"[::]:2\",\"[::]:3\","
	  "\"[::]:4\",\"[::]:5\"]}}", REFUSES,
	  "f:1:24: control.listen: found a list [..], expected a list of at "
	  "most 4" },
	{ "{\"control\": {\"listen\": [[\"[::]:1\"]]}}", REFUSES,
	  "f:1:25: control.listen[0]: found a list [..], expected an address "
	  "and a port from 0 to 65535, as in \"192.0.2.1:80\" or \"[::]:80\"" },
	{ "{\"node\": {\"via\": [\"" ID_A "\", \"vx6abc\"]}}", REFUSES,
	  "f:1:78: node.via[1]: found \"vx6abc\", expected a node ID: vx6 and "
	  "52 characters, as vx6 identity show prints it" },
	{ "{\"peers\": {}}", REFUSES,
	  "f:1:11: peers: found an object {..}, expected a list [..]" },
	{ "{\"peers\": [7]}", REFUSES,
	  "f:1:12: peers[0]: found 7, expected an object {..}" },
	{ PEER("\"id\": \"" ID_A "\""), REFUSES,
	  "f:1:12: peers[0]: found an object {..}, expected one that has "
	  "\"address\"" },
	{ PEER("\"address\": \"::1\""), REFUSES,
	  "f:1:12: peers[0]: found an object {..}, expected one that has "
	  "\"id\"" },
	{ PEER("\"adress\": \"::1\""), REFUSES,
	  "f:1:13: peers[0].adress: there is no such field; did you mean "
	  "\"address\"?" },
	{ PEER("\"colour\": \"::1\""), REFUSES,
	  "f:1:13: peers[0].colour: there is no such field here; there are "
	  "address, port, id" },
	{ PEER("\"address\": \"example.org\""), REFUSES,
	  "f:1:24: peers[0].address: found \"example.org\", expected an "
	  "address, as in \"192.0.2.1\" or \"2001:db8::1\"" },
	{ PEER("\"address\": \"192.0.2.1:4242\""), REFUSES,
	  "f:1:24: peers[0].address: found \"192.0.2.1:4242\", expected an "
	  "address, as in \"192.0.2.1\" or \"2001:db8::1\"" },
	{ PEER("\"port\": 0"), REFUSES,
	  "f:1:21: peers[0].port: found 0, expected a whole number from 1 to "
	  "65535" },
	{ "{\"peers\": [{\"address\": \"::1\", \"id\": \"" ID_A "\"},\n"
	  "           {\"address\": \"::2\", \"id\": \"" ID_A "\"}]}", CANNOT_SAY,
	  "f:2:37: peers[1].id: found \"vx6aebagbafaydqqcikbmga2dqpcaireeyuculb"
	  "..\", expected another ID than peers[0] has" },
	{ "{\"state\": \"var/lib\"}", REFUSES,
	  "f:1:11: state: found \"var/lib\", expected a path that starts with "
	  "/ and has at most 255 characters" },
	{ "{\"run\": \"/a234567890123456789012345678901234567890123456789012345"
	  "67890123456789012345678901234567890\"}", REFUSES,
	  "f:1:9: run: found \"/a2345678901234567890123456789012345678"
	  "..\", expected a path that starts with / and has at most 90 "
	  "characters" },
	{ "{\"state\": \"/a\\u0000b\"}", NOT_JSON,
	  "f:1:21: a text must not hold \\u0000" },
	/* between fields */
	{ "{\"timers\": {\"create_s\": 3, \"create_hop_s\": 3.5}}", CANNOT_SAY,
	  "f:1:44: timers.create_hop_s: found 3.5, expected at most "
	  "timers.create_s, which is 3" },
	{ "{\"timers\": {\"create_s\": 1}}", CANNOT_SAY,
	  "f: timers.create_hop_s has its default, expected at most "
	  "timers.create_s, which is 1" },
	{ "{\"timers\": {\"session_idle_s\": 10}}", CANNOT_SAY,
	  "f: timers.session_ping_s has its default, expected less than "
	  "timers.session_idle_s, which is 10" },
	{ "{\"timers\": {\"record_refresh_s\": 1200}}", CANNOT_SAY,
	  "f:1:33: timers.record_refresh_s: found 1200, expected less than "
	  "timers.record_life_s, which is 1200" },
	{ "{\"limits\": {\"half_open\": 5000}}", CANNOT_SAY,
	  "f:1:26: limits.half_open: found 5000, expected at most "
	  "limits.sessions, which is 4096" },
	{ "{\"node\": {\"relay\": true}}", CANNOT_SAY,
	  "f:1:20: node.relay: found true, expected false, or data.enabled set "
	  "to true: relays forward in the data plane" },
	{ "{\"data\": {\"enabled\": true, \"listen\": \"127.0.0.1:4242\"}}",
	  CANNOT_SAY,
	  "f:1:38: data.listen: found \"127.0.0.1:4242\", expected another port "
	  "than control.listen has" },
	{ "{\"limits\": {\"link_burst\": 4095}}", CANNOT_SAY,
	  "f:1:27: limits.link_burst: found 4095, expected 0, or at least "
	  "4096: room for any cell" },
	{ "{\"limits\": {\"relay_rate\": 12500000001}}", REFUSES,
	  "f:1:27: limits.relay_rate: found 12500000001, expected a whole "
	  "number from 0 to 12500000000" },
	{ "{\"limits\": {\"month_day\": 29}}", REFUSES,
	  "f:1:26: limits.month_day: found 29, expected a whole number from 1 "
	  "to 28" },
};
/* clang-format on */

static struct config cfg;
static struct config_error err;

static enum vx6_status parse(const char *doc)
{
	return config_parse(doc, strlen(doc), "f", &cfg, &err);
}

static void each_bad_one_has_its_sentence(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		struct config before;

		config_defaults(&cfg);
		cfg.spares = 77;
		before = cfg;
		if (parse(bad[i].doc) != VX6_CONFIG)
			fail_msg("taken: %s", bad[i].doc);
		if (strcmp(err.text, bad[i].text) != 0) {
			print_error("%s\n  says  %s\n  wants %s\n", bad[i].doc,
				    err.text, bad[i].text);
			wrong++;
		}
		assert_memory_equal(&cfg, &before, sizeof(cfg));
	}
	assert_int_equal(wrong, 0);
}

static void errors_have_parts(void **state)
{
	(void)state;
	assert_int_equal(parse("{\n \"circuits\": {\n  \"spares\": 99}}"),
			 VX6_CONFIG);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 13);
	assert_string_equal(err.path, "circuits.spares");
	assert_string_equal(err.found, "99");
	assert_string_equal(err.expected, "a whole number from 0 to 4");
	assert_int_equal(parse("{\"dial\": {\"pirvate\": 99}}"), VX6_CONFIG);
	assert_string_equal(err.found, "\"pirvate\"");
	assert_string_equal(err.expected, "private");
}

static void columns_count_characters(void **state)
{
	(void)state;
	/* u umlaut is two bytes and one column */
	assert_int_equal(parse("{\"state\": \"/\xc3\xbc\", \"run\": 7}"),
			 VX6_CONFIG);
	assert_int_equal(err.column, 24);
	/* brackets, quotes and commas inside strings are no structure */
	assert_int_equal(parse("{\"state\": \"/}],\\\"{\", \"run\": 7}"),
			 VX6_CONFIG);
	assert_int_equal(err.column, 29);
}

static void empty_means_defaults(void **state)
{
	struct config d;

	(void)state;
	config_defaults(&d);
	assert_int_equal(parse("{}"), VX6_OK);
	assert_memory_equal(&cfg, &d, sizeof(d));
	assert_string_equal(d.node.name, "");
	assert_false(d.node.relay);
	assert_int_equal(d.control.listen_cnt, 1);
	assert_int_equal(d.control.listen[0].port, 4242);
	assert_int_equal(d.data.listen.port, 4243);
	assert_int_equal(d.data.halves, 65536);
	assert_int_equal(d.data.workers, 0);
	assert_int_equal(d.data.cpus_cnt, 0);
	assert_int_equal(d.data.idle, CONFIG_IDLE_ADAPTIVE);
	assert_int_equal(d.peers_cnt, 0);
	assert_int_equal(d.spares, 1);
	assert_int_equal(d.limits.relay_rate, 0);
	assert_int_equal(d.limits.month_bytes, 0);
	assert_int_equal(d.limits.month_day, 1);
	assert_int_equal(d.redial_jitter, 20);
	assert_int_equal(d.log_level, CONFIG_LOG_INFO);
	assert_string_equal(d.api_group, "vx6");
	assert_int_equal(d.timers.dial_ns, 5000000000);
	assert_int_equal(d.timers.tunnel_idle_ns, 3600000000000);
	assert_int_equal(d.timers.silence_min_ns, 50000000);
	assert_int_equal(d.timers.link_orphan_ns, 900000000000);
	assert_int_equal(d.limits.create_rate, 64);
	assert_int_equal(d.limits.conn_window, 16777216);
}

static void every_default_is_in_its_row(void **state)
{
	(void)state;
	/* A field that no row fills would keep these bytes. */
	memset(&cfg, 0xa5, sizeof(cfg));
	config_defaults(&cfg);
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *f = &config_field[i];
		char doc[256];

		if (f->preset == NULL || strchr(f->path, '[') != NULL)
			continue;
		const char *dot = strchr(f->path, '.');
		if (dot != NULL)
			snprintf(doc, sizeof(doc), "{\"%.*s\": {\"%s\": %s}}",
				 (int)(dot - f->path), f->path, dot + 1,
				 f->preset);
		else
			snprintf(doc, sizeof(doc), "{\"%s\": %s}", f->path,
				 f->preset);
		struct config d;
		config_defaults(&d);
		if (parse(doc) != VX6_OK)
			fail_msg("%s", err.text);
		assert_memory_equal(&cfg, &d, sizeof(d));
	}
}

static void everything_is_read(void **state)
{
	static const char doc[] =
		"{\"node\": {\"name\": \"al-1\", \"family\": \"house\","
		" \"relay\": true, \"capacity_mbit\": 900,"
		" \"via\": [\"" ID_A "\"]},"
		"\"control\": {\"listen\": [\"127.0.0.1:1\", \"[::1]:0\"],"
		" \"advertise\": \"192.0.2.9:5\"},"
		"\"data\": {\"enabled\": true, \"listen\": \"127.0.0.1:2\","
		" \"idle\": \"spin\", \"workers\": 4, \"cpus\": [3, 5], "
		"\"halves\": 128,"
		" \"backend\": \"af_xdp\", \"interfaces\": [\"eth0.7\","
		" \"br-1\"], \"xdp_copy\": \"zerocopy\","
		" \"links\": 17},"
		"\"dial\": {\"private\": true},"
		"\"peers\": [{\"address\": \"2001:db8::5\", \"port\": 9,"
		" \"id\": \"" ID_A "\"}],"
		"\"timers\": {\"dial_s\": 0.25, \"redial_jitter_percent\": 5,"
		" \"drain_s\": 0},"
		"\"limits\": {\"stream_window_bytes\": 65536},"
		"\"log\": {\"level\": \"debug\", \"format\": \"json\"},"
		"\"circuits\": {\"spares\": 0},"
		"\"api\": {\"group\": \"ops\"},"
		"\"state\": \"/s\", \"run\": \"/r\"}";
	char text[VX6_ADDR_TEXT], id[VX6_ID_TEXT];

	(void)state;
	if (parse(doc) != VX6_OK)
		fail_msg("%s", err.text);
	assert_string_equal(cfg.node.name, "al-1");
	assert_string_equal(cfg.node.family, "house");
	assert_true(cfg.node.relay);
	assert_int_equal(cfg.node.capacity, 900);
	assert_int_equal(cfg.node.via_cnt, 1);
	assert_string_equal(vx6_id_text(cfg.node.via[0], id), ID_A);
	assert_int_equal(cfg.control.listen_cnt, 2);
	assert_string_equal(vx6_addr_text(&cfg.control.listen[1], text),
			    "[::1]:0");
	assert_int_equal(cfg.control.advertise_cnt, 1);
	assert_string_equal(vx6_addr_text(&cfg.control.advertise[0], text),
			    "192.0.2.9:5");
	assert_true(cfg.data.enabled);
	assert_int_equal(cfg.data.idle, CONFIG_IDLE_SPIN);
	assert_int_equal(cfg.data.workers, 4);
	assert_int_equal(cfg.data.cpus_cnt, 2);
	assert_int_equal(cfg.data.cpus[1], 5);
	assert_int_equal(cfg.data.halves, 128);
	assert_int_equal(cfg.data.backend, CONFIG_BACKEND_AF_XDP);
	assert_int_equal(cfg.data.interfaces_cnt, 2);
	assert_string_equal(cfg.data.interfaces[0], "eth0.7");
	assert_string_equal(cfg.data.interfaces[1], "br-1");
	assert_int_equal(cfg.data.xdp_copy, CONFIG_XDP_ZEROCOPY);
	assert_int_equal(cfg.data.links, 17);
	assert_true(cfg.dial_private);
	assert_int_equal(cfg.peers_cnt, 1);
	assert_string_equal(vx6_addr_text(&cfg.peers[0].address, text),
			    "[2001:db8::5]:9");
	assert_string_equal(vx6_id_text(cfg.peers[0].id, id), ID_A);
	assert_int_equal(cfg.timers.dial_ns, 250000000);
	assert_int_equal(cfg.timers.drain_ns, 0);
	assert_int_equal(cfg.redial_jitter, 5);
	assert_int_equal(cfg.limits.stream_window, 65536);
	assert_int_equal(cfg.log_level, CONFIG_LOG_DEBUG);
	assert_int_equal(cfg.log_format, CONFIG_LOG_JSON);
	assert_int_equal(cfg.spares, 0);
	assert_string_equal(cfg.api_group, "ops");
	assert_string_equal(cfg.state, "/s");
	assert_string_equal(cfg.run, "/r");
}

static void a_peer_has_the_usual_port(void **state)
{
	(void)state;
	assert_int_equal(
		parse(PEER("\"address\": \"192.0.2.1\", \"id\": \"" ID_A "\"")),
		VX6_OK);
	assert_int_equal(cfg.peers[0].address.port, 4242);
	assert_true(vx6_addr_is_v4(&cfg.peers[0].address));
}

/* Each number at both ends of its range, and just outside. */
static void ranges_hold(void **state)
{
	(void)state;
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *f = &config_field[i];
		const char *dot = strchr(f->path, '.');
		double step = f->type == FIELD_INT ? 1 : 0.001;
		const double v[] = { f->min, f->max, f->min - step,
				     f->max + step };

		if ((f->type != FIELD_INT && f->type != FIELD_SECONDS) ||
		    dot == NULL || strchr(f->path, '[') != NULL)
			continue;
		for (unsigned k = 0; k < VX6_COUNT(v); k++) {
			char doc[128];

			snprintf(doc, sizeof(doc), "{\"%.*s\": {\"%s\": %.*f}}",
				 (int)(dot - f->path), f->path, dot + 1,
				 f->type == FIELD_INT ? 0 : 3, v[k]);
			bool taken = parse(doc) == VX6_OK;
			/* rules between fields may refuse an end */
			bool ranged = strstr(err.text, " from ") == NULL;

			if (k < 2 ? !taken && !ranged : taken || ranged)
				fail_msg("%s: %s", doc, err.text);
		}
	}
}

static void the_text_need_not_end_in_nul(void **state)
{
	static const char doc[] = "{\"circuits\": {\"spares\": 2}}xxxx";
	char *exact = malloc(sizeof(doc) - 5);

	(void)state;
	memcpy(exact, doc, sizeof(doc) - 5);
	assert_int_equal(config_parse(exact, sizeof(doc) - 5, "f", &cfg, &err),
			 VX6_OK);
	assert_int_equal(cfg.spares, 2);
	exact[24] = '9'; /* the scan for a place, too */
	assert_int_equal(config_parse(exact, sizeof(doc) - 5, "f", &cfg, &err),
			 VX6_CONFIG);
	free(exact);
}

/* ---- files and directories ---- */

static void files(void **state)
{
	char path[] = "/tmp/vx6-test-XXXXXX", want[256];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{\"circuits\":{\"spares\":9}}", 25), 25);
	assert_int_equal(config_load(path, &cfg, &err), VX6_CONFIG);
	snprintf(want, sizeof(want),
		 "%s:1:23: circuits.spares: found 9, expected a whole number "
		 "from 0 to 4",
		 path);
	assert_string_equal(err.text, want);
	assert_int_equal(pwrite(fd, "{\"circuits\":{\"spares\":3}}", 25, 0),
			 25);
	assert_int_equal(config_load(path, &cfg, &err), VX6_OK);
	assert_int_equal(cfg.spares, 3);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	assert_int_equal(config_load(path, &cfg, &err), VX6_CONFIG);
	snprintf(want, sizeof(want), "%s: has more than 1048576 bytes", path);
	assert_string_equal(err.text, want);
	close(fd);
	unlink(path);
	assert_int_equal(config_load(path, &cfg, &err), VX6_CONFIG);
	snprintf(want, sizeof(want),
		 "%s: cannot be read: No such file or directory", path);
	assert_string_equal(err.text, want);
	assert_int_equal(config_load("/tmp", &cfg, &err), VX6_CONFIG);
	assert_string_equal(err.text, "/tmp: cannot be read: Is a directory");
}

static void directories_of_root(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("# SKIP root: this is another user\n");
		skip();
	}
	config_defaults(&cfg);
	assert_int_equal(config_dirs(&cfg, &err), VX6_OK);
	assert_string_equal(cfg.state, "/var/lib/vx6");
	assert_string_equal(cfg.run, "/run/vx6");
	memcpy(cfg.state, "/elsewhere", 11);
	assert_int_equal(config_dirs(&cfg, &err), VX6_OK);
	assert_string_equal(cfg.state, "/elsewhere");
}

static void directories_of_users(void **state)
{
	static const struct {
		const char *state, *home, *run; /* NULL: not set */
		const char *want_state, *want_run, *text;
	} row[] = {
		{ "/x", "/h", "/r", "/x/vx6",              "/r/vx6", NULL   },
		{ NULL, "/h", "/r", "/h/.local/state/vx6", "/r/vx6", NULL   },
		{ "",   "/h", "/r", "/h/.local/state/vx6", "/r/vx6", NULL   },
		{ NULL, NULL, "/r", NULL,                  NULL,
                 "no directory for state: HOME is not set; use --state DIR" },
		{ "/x", NULL, NULL, NULL,                  NULL,
                 "no directory for run: XDG_RUNTIME_DIR is not set; use --run "
		  "DIR"						     },
		{ "/x", NULL, "r",  NULL,                  NULL,
                 "no directory for run: the environment says \"r/vx6\", which "
		  "is not an absolute path of at most 90 characters; use --run "
		  "DIR"						     },
	};

	(void)state;
	if (geteuid() == 0 && seteuid(12345) != 0) {
		print_message("# SKIP root: cannot become another user\n");
		skip();
	}
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		const char *const v[] = { row[i].state, row[i].home,
					  row[i].run };
		static const char *const name[] = { "XDG_STATE_HOME", "HOME",
						    "XDG_RUNTIME_DIR" };

		for (unsigned k = 0; k < 3; k++)
			if (v[k] != NULL)
				setenv(name[k], v[k], 1);
			else
				unsetenv(name[k]);
		config_defaults(&cfg);
		enum vx6_status st = config_dirs(&cfg, &err);
		assert_int_equal(st, row[i].text != NULL ? VX6_CONFIG : VX6_OK);
		if (row[i].text != NULL) {
			assert_string_equal(err.text, row[i].text);
		} else {
			assert_string_equal(cfg.state, row[i].want_state);
			assert_string_equal(cfg.run, row[i].want_run);
		}
	}
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

/* ---- what is made from the table ---- */

static char *made(void (*make)(FILE *f))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL) {
		fail();
		return NULL;
	}
	make(f);
	fclose(f);
	return text;
}

static void the_example_is_good(void **state)
{
	char *text = made(config_example);

	(void)state;
	if (parse(text) != VX6_OK)
		fail_msg("%s", err.text);
	assert_string_equal(cfg.node.name, "alice");
	assert_true(cfg.node.relay && cfg.data.enabled);
	assert_int_equal(cfg.peers_cnt, 1);
	free(text);
}

static void schema_and_reference_name_every_field(void **state)
{
	char *schema = made(config_schema);
	char *reference = made(config_reference);
	json_t *doc = json_loads(schema, JSON_REJECT_DUPLICATES, NULL);

	(void)state;
	assert_true(json_is_object(doc));
	for (unsigned i = 0; i < config_field_cnt; i++) {
		char word[96];

		snprintf(word, sizeof(word), "| `%s` |", config_field[i].path);
		assert_non_null(strstr(reference, word));
		snprintf(word, sizeof(word), "\"%s\": {",
			 field_key(&config_field[i]));
		assert_non_null(strstr(schema, word));
	}
	json_decref(doc);
	free(schema);
	free(reference);
}

static void write_made(const char *dir, const char *name, void (*make)(FILE *f))
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (f == NULL) {
		fail_msg("%s", path);
		return;
	}
	make(f);
	fclose(f);
}

static void put_cases(FILE *f)
{
	static const char *const word[] = { "refuses", "cannot say",
					    "not json" };

	for (unsigned i = 0; i < VX6_COUNT(bad); i++) {
		json_t *o = json_pack("{s:s, s:s, s:s}", "doc", bad[i].doc,
				      "schema", word[bad[i].schema], "text",
				      bad[i].text);
		assert_non_null(o);
		json_dumpf(o, f, JSON_COMPACT);
		fputc('\n', f);
		json_decref(o);
	}
}

static void samples_for_other_readers(void **state)
{
	const char *dir = getenv("VX6_SAMPLES");

	(void)state;
	if (dir == NULL)
		return;
	write_made(dir, "schema.json", config_schema);
	write_made(dir, "REFERENCE.md", config_reference);
	write_made(dir, "example.json", config_example);
	write_made(dir, "cases.jsonl", put_cases);
}

static void names(void **state)
{
	static const struct {
		const char *s;
		bool name, family;
	} row[] = {
		{ "a",				true,  true  },
		{ "",				 false, false },
		{ "a-0-z",			    true,  true  },
		{ "-",				true,  true  },
		{ "A",				false, false },
		{ "a_b",			      false, false },
		{ "a.b",			      false, false },
		{ "a b",			      false, false },
		{ "\xc3\xa4",                         false, false },
		{ "a23456789012345",                  true,  true  },
		{ "a234567890123456",                 false, true  },
		{ "a234567890123456789012345678901",  false, true  },
		{ "a2345678901234567890123456789012", false, false },
	};

	(void)state;
	for (unsigned i = 0; i < VX6_COUNT(row); i++) {
		assert_int_equal(name_ok(row[i].s, strlen(row[i].s)),
				 row[i].name);
		assert_int_equal(family_ok(row[i].s, strlen(row[i].s)),
				 row[i].family);
	}
	assert_false(name_ok("a\0b", 3));
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(each_bad_one_has_its_sentence),
		cmocka_unit_test(errors_have_parts),
		cmocka_unit_test(columns_count_characters),
		cmocka_unit_test(empty_means_defaults),
		cmocka_unit_test(every_default_is_in_its_row),
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(a_peer_has_the_usual_port),
		cmocka_unit_test(ranges_hold),
		cmocka_unit_test(the_text_need_not_end_in_nul),
		cmocka_unit_test(files),
		cmocka_unit_test(directories_of_root),
		cmocka_unit_test(directories_of_users),
		cmocka_unit_test(the_example_is_good),
		cmocka_unit_test(schema_and_reference_name_every_field),
		cmocka_unit_test(names),
		cmocka_unit_test(samples_for_other_readers),
	};

	return cmocka_run_group_tests_name("config", test, NULL, NULL);
}
