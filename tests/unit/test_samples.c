/* SPDX-License-Identifier: GPL-2.0-or-later */
/* samples: the two C ends of tests/e2e/test_cddl.py, which compares what we
 * write and take with the published CDDL.
 *
 * VX6_SAMPLES=DIR writes real bodies there, named RULE.anything.
 * VX6_JUDGE=DIR judges bodies of such names and writes to DIR.verdict.
 * Without them: each sample is one that our own parsers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/record/item.h"
#include "controlplane/record/message.h"
#include "controlplane/record/node.h"
#include "tests/support/full_node.h"

#define NOW UINT64_C(1800000000)

static uint8_t buf[MSG_HEAD_LEN + MSG_BODY_MAX];
static size_t buf_len;

static struct identity me;

static uint8_t sealed[2 * RECORD_MAX];

/* Signs inner[0..len) into sealed; returns its size. */
static size_t seal_inner(const uint8_t *inner, size_t len)
{
	static const char prefix[] = "vx6/1 record"; /* with its NUL */
	static uint8_t msg[sizeof(prefix) + RECORD_MAX];
	uint8_t signature[64];
	struct item_out o;
	size_t n;

	memcpy(msg, prefix, sizeof(prefix));
	memcpy(msg + sizeof(prefix), inner, len);
	identity_sign(&me, msg, sizeof(prefix) + len, signature);
	item_begin(&o, sealed, sizeof(sealed));
	item_put_array(&o, 2);
	item_put_bytes(&o, inner, len);
	item_put_bytes(&o, signature, 64);
	item_put_up(&o);
	assert_int_equal(item_finish(&o, &n), VX6_OK);
	return n;
}

/* Whoever parses that message's body; what was parsed is thrown away. */
static enum vx6_status judge_message(const char *rule, const uint8_t *p,
				     size_t len)
{
	static union {
		struct msg_hello hello;
		struct msg_records records;
		struct msg_wanted wanted;
		struct msg_link link;
		struct msg_link_close close;
		struct msg_goaway goaway;
		struct msg_open open;
		struct msg_channel channel;
		uint32_t code;
	} u;

#define RULE(name, call)                                                       \
	do {                                                                   \
		if (strcmp(rule, name) == 0)                                   \
			return call;                                           \
	} while (0)
	RULE("hello", msg_hello_parse(p, len, &u.hello));
	RULE("records", msg_records_parse(p, len, &u.records));
	RULE("records-wanted", msg_wanted_parse(p, len, &u.wanted));
	RULE("link", msg_link_parse(p, len, &u.link));
	RULE("link-close", msg_link_close_parse(p, len, &u.close));
	RULE("goaway", msg_goaway_parse(p, len, &u.goaway));
	RULE("open", msg_open_parse(p, len, &u.open));
	RULE("open-ok", msg_open_ok_parse(p, len));
	RULE("open-fail", msg_open_fail_parse(p, len, &u.code));
	RULE("channel", msg_channel_parse(p, len, &u.channel));
#undef RULE
	return VX6_UNSUPPORTED;
}

/* What the parser for that CDDL rule says. */
static enum vx6_status judge(const char *rule, const uint8_t *p, size_t len)
{
	struct record_env env = { .type = RECORD_NODE,
				  .body = p,
				  .body_len = len,
				  .issued = NOW,
				  .expires = NOW + 1 };
	struct node_record n;

	if (strcmp(rule, "node") == 0)
		return node_record_parse(&env, &n);
	if (strcmp(rule, "record") == 0)
		return record_verify(p, len, &env);
	if (strcmp(rule, "signed-part") == 0) {
		if (len > RECORD_MAX)
			return VX6_BAD_SIZE;
		len = seal_inner(p, len);
		return record_verify(sealed, len, &env);
	}
	return judge_message(rule, p, len);
}

/* A sample is one that we take ourselves; it is written where asked. */
static void write_sample(const char *dir, const char *name, const uint8_t *data,
			 size_t len)
{
	char path[256], rule[64];

	snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(name, "."), name);
	assert_int_equal(judge(rule, data, len), VX6_OK);
	if (dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (f == NULL) {
		fail_msg("%s", path);
		return;
	}
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void write_body(const char *dir, const char *name)
{
	write_sample(dir, name, buf + MSG_HEAD_LEN, buf_len - MSG_HEAD_LEN);
}

/* The inside of the record in buf. */
static void write_signed_part(const char *dir, const char *name)
{
	const uint8_t *p = NULL;
	struct item_in in;
	size_t len = 0;

	item_open_array(&in, buf, buf_len);
	if (item_next(&in))
		item_bytes(&in, 1, RECORD_MAX, &p, &len);
	if (p == NULL)
		fail_msg("%s", name);
	else
		write_sample(dir, name, p, len);
}

static void sample_records(const char *dir)
{
	const struct node_record full = full_node(&me, NOW), bare = { 0 };
	static uint8_t keep[2][NODE_RECORD_MAX];
	static struct msg_wanted w = { .n = 2 };
	struct msg_bytes list[2] = { 0 };
	struct msg_hello h = { .unix_ms = NOW * 1000 };
	struct record_env env;
	unsigned took;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(node_record_sign(&me, i == 0 ? &full : &bare,
						  42, NOW, NODE_LIFE_S, buf,
						  NODE_RECORD_MAX, &buf_len),
				 VX6_OK);
		memcpy(keep[i], buf, buf_len);
		list[i] = (struct msg_bytes){ keep[i], buf_len };
		write_sample(dir, i == 0 ? "record.full" : "record.bare", buf,
			     buf_len);
		assert_int_equal(record_verify(buf, buf_len, &env), VX6_OK);
		write_sample(dir, i == 0 ? "node.full" : "node.bare", env.body,
			     env.body_len);
		write_signed_part(dir, i == 0 ? "signed-part.full"
					      : "signed-part.bare");
	}
	assert_int_equal(
		msg_records_emit(list, 2, buf, sizeof(buf), &buf_len, &took),
		VX6_OK);
	write_body(dir, "records.two");
	for (unsigned i = 0; i < 2; i++) {
		h.record = list[i].data;
		h.record_len = list[i].len;
		h.create_rate = i;
		h.create_burst = 256 * i;
		h.circuits = 65536 * i;
		assert_int_equal(msg_hello_emit(&h, buf, sizeof(buf), &buf_len),
				 VX6_OK);
		write_body(dir, i == 0 ? "hello.bare" : "hello.full");
	}
	assert_int_equal(msg_wanted_emit(&w, buf, sizeof(buf), &buf_len),
			 VX6_OK);
	write_body(dir, "records-wanted.two");
}

static void sample_links(const char *dir)
{
	struct msg_link link = {
		.index = 0xffffff,
		.nonce = { 1, 2, 3 },
		.u = 1472,
		.adopt = true,
		.adopt_own = 1,
		.adopt_peer = 0xffffff
	};
	const struct msg_link_close c = { 5, MSG_LINK_DEAD };
	const struct msg_goaway g = { MSG_GOAWAY_UNUSED, "nothing to do" };

	assert_int_equal(vx6_addr_parse(&link.addr, "192.0.2.1:65535"), VX6_OK);
	assert_int_equal(
		msg_link_emit(MSG_LINK_OPEN, &link, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	write_body(dir, "link.full");
	link.learn = true;
	link.adopt = false;
	assert_int_equal(
		msg_link_emit(MSG_LINK_OPEN, &link, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	write_body(dir, "link.learn");
	assert_int_equal(msg_link_close_emit(&c, buf, MSG_SMALL, &buf_len),
			 VX6_OK);
	write_body(dir, "link-close.dead");
	assert_int_equal(msg_goaway_emit(&g, buf, MSG_SMALL, &buf_len), VX6_OK);
	write_body(dir, "goaway.unused");
}

static void sample_streams(const char *dir)
{
	const struct msg_open tcp = { .name = "ssh", .proto = MSG_TCP };
	const struct msg_open udp = {
		.name = "dns", .proto = MSG_UDP, .has_flow = true, .flow = 70000
	};
	const struct msg_channel ch = { 1322 };

	assert_int_equal(msg_open_emit(&tcp, buf, MSG_SMALL, &buf_len), VX6_OK);
	write_body(dir, "open.tcp");
	assert_int_equal(msg_open_emit(&udp, buf, MSG_SMALL, &buf_len), VX6_OK);
	write_body(dir, "open.udp");
	assert_int_equal(msg_open_ok_emit(buf, MSG_SMALL, &buf_len), VX6_OK);
	write_body(dir, "open-ok.ok");
	assert_int_equal(
		msg_open_fail_emit(MSG_OPEN_REFUSED, buf, MSG_SMALL, &buf_len),
		VX6_OK);
	write_body(dir, "open-fail.refused");
	assert_int_equal(msg_channel_emit(&ch, buf, MSG_CHANNEL_MAX, &buf_len),
			 VX6_OK);
	write_sample(dir, "channel.d", buf, buf_len);
}

static void samples_for_other_readers(void **state)
{
	const char *dir = getenv("VX6_SAMPLES");

	(void)state;
	sample_records(dir);
	sample_links(dir);
	sample_streams(dir);
}

/* DIR/RULE.anything -> a line "RULE.anything STATUS" in DIR.verdict */
static void judge_others(void **state)
{
	const char *dir = getenv("VX6_JUDGE");
	static uint8_t in[MSG_BODY_MAX];
	char path[512], rule[64];

	(void)state;
	if (dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s.verdict", dir);
	FILE *out = fopen(path, "w");
	DIR *d = opendir(dir);
	if (out == NULL || d == NULL) {
		fail_msg("%s", path);
		return;
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		FILE *f = fopen(path, "rb");
		if (f == NULL)
			continue;
		size_t len = fread(in, 1, sizeof(in), f);
		fclose(f);
		snprintf(rule, sizeof(rule), "%.*s",
			 (int)strcspn(e->d_name, "."), e->d_name);
		fprintf(out, "%s %s\n", e->d_name,
			vx6_status_name(judge(rule, in, len)));
	}
	closedir(d);
	fclose(out);
}

int main(void)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(samples_for_other_readers),
		cmocka_unit_test(judge_others),
	};
	static const uint8_t seed[32] = { 0x42 };

	if (sodium_init() < 0)
		return 1;
	identity_from_seed(&me, seed);
	return cmocka_run_group_tests_name("samples", test, NULL, NULL);
}
