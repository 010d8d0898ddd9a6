/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_create: a node that sends CREATEs, and one that answers them.
 *
 *     load_create --config .. --next
 *             is the hop behind: answers each CREATE at once, unopened
 *     load_create --config .. --relay ID --behind ID
 *             is the hop before, and does what stdin says, line by line
 *
 *       before --CREATE--> relay --CREATE--> behind
 *              <-CREATED--       <-CREATED--
 *
 * Both are whole vx6d's, with real sessions and links, but for what they do
 * with CREATE, CREATED and CREATE_FAIL: those functions of the node's are
 * replaced when this is linked.  CREATEs are made before they are sent, so
 * that a batch costs its sender nothing but sending.  Lines, N <= 65536:
 *
 *     make N [PACE]      N good ones       \
 *     copy N [PACE]      one, N times       > says {"ready":N}
 *     garbage N [PACE]   none that opens   /
 *     go                 sends them; says {"ok":..,"failed":{..},"ns":..}
 *     stop               ends that before all are answered
 *     end                destroys the circuits that stand
 *
 * PACE is per second; without it WINDOW are under way at once.  Answers are
 * one JSON object a line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "config/config.h"
#include "controlplane/loop/log.h"
#include "controlplane/loop/loop.h"
#include "controlplane/node/node.h"
#include "controlplane/node/peer.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/text.h"
#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/kdf.h"

#define WINDOW 256u
#define MOST   65536u
#define LATE   (20 * VX6_SEC) /* without an answer: counted as lost */

enum sort { MAKE, COPY, GARBAGE };

static struct load {
	struct loop *loop;
	struct node *node;
	struct loop_fd *in;
	struct loop_timer timer;
	bool is_next, going;
	uint8_t relay[32], behind[32];
	uint8_t (*onion)[VX6_ONION_LEN]; /* cnt of them */
	uint32_t *forward;               /* ids of the circuits that stand */
	uint32_t cnt, sent, answered, ok, ok_all, kid, turn;
	uint32_t pace;
	uint32_t failed[VX6_FAIL_CNT + 1u];
	uint64_t begin_ns, heard_ns;
	char line[128];
	size_t line_len;
} load;

/* The linker gives the node these instead of its own. */
void __wrap_relay_on_create(struct peer *p, const uint8_t *body, size_t len);
void __wrap_relay_on_created(struct peer *p, const uint8_t *body, size_t len);
void __wrap_relay_on_fail(struct peer *p, const uint8_t *body, size_t len);

void __wrap_relay_on_create(struct peer *p, const uint8_t *body, size_t len)
{
	static uint32_t next_id;
	uint8_t out[VX6_MSG_CREATED_LEN], reply[VX6_REPLY_LEN] = { 0 };
	struct vx6_msg_create m;

	if (vx6_msg_create_parse(&m, body, len) != VX6_OK)
		return;
	vx6_msg_created_emit(out,
			     &(struct vx6_msg_created){ .back_id = m.back_id,
							.forward_id = ++next_id,
							.back_start = 1,
							.reply = reply });
	peer_send(p, VX6_MSG_CREATED, out, sizeof(out));
}

/* ---- what is sent ---- */

static const struct node_onion *key_of(const uint8_t id[32],
				       struct node_record *rec)
{
	return node_record(load.node, id, rec) == VX6_OK
		       ? node_record_onion(rec, node_wall())
		       : NULL;
}

static bool make_one(uint8_t onion[VX6_ONION_LEN], const struct node_onion *key,
		     const uint8_t far[32])
{
	struct vx6_create_hop hop[2] = {
		{ .expires = node_wall() + 90,
                 .lifetime_min = 10,
                 .role = VX6_ROLE_RELAY,
                 .suite = 1 },
		{ .expires = node_wall() + 90,
                 .lifetime_min = 10,
                 .role = VX6_ROLE_END,
                 .suite = 1 },
	};
	struct vx6_create_random rnd;
	struct vx6_create_origin o;

	memcpy(hop[0].node_id, load.relay, 32);
	memcpy(hop[0].onion_public, key->public_key, 32);
	memcpy(hop[1].node_id, load.behind, 32);
	memcpy(hop[1].onion_public, far, 32); /* opened by nobody */
	randombytes_buf(&rnd, sizeof(rnd));
	return vx6_create_build(onion, &o, hop, 2, NULL, 0, &rnd) == VX6_OK;
}

static bool make(enum sort sort, uint32_t n)
{
	struct node_record rec;
	const struct node_onion *key = key_of(load.relay, &rec);
	uint8_t secret[32], far[32];
	bool ok = key != NULL;

	randombytes_buf(secret, sizeof(secret));
	crypto_scalarmult_base(far, secret);
	load.kid = ok ? vx6_kid(key->public_key) : 0u;
	load.cnt = n;
	for (uint32_t i = 0; ok && i < n; i++) {
		if (sort == GARBAGE)
			randombytes_buf(load.onion[i], VX6_ONION_LEN);
		else if (sort == COPY && i > 0)
			memcpy(load.onion[i], load.onion[0], VX6_ONION_LEN);
		else
			ok = make_one(load.onion[i], key, far);
	}
	return ok;
}

static uint32_t may_send(uint64_t now)
{
	if (load.pace == 0)
		return load.answered + WINDOW;
	uint64_t n = (now - load.begin_ns) / VX6_US * load.pace / 1000000u;

	return n < load.cnt ? (uint32_t)n : load.cnt;
}

static void over(void)
{
	const char *comma = "";

	load.going = false;
	loop_timer_clear(&load.timer);
	printf("{\"ok\":%u,\"failed\":{", load.ok);
	for (unsigned i = 1; i < VX6_COUNT(load.failed); i++)
		if (load.failed[i]) {
			printf("%s\"%u\":%u", comma, i, load.failed[i]);
			comma = ",";
		}
	printf("},\"lost\":%u,\"ns\":%llu}\n", load.sent - load.answered,
	       (unsigned long long)(load.heard_ns - load.begin_ns));
	fflush(stdout);
}

static void pump(void)
{
	uint64_t now = loop_now(load.loop);
	struct peer *p = peer_find(load.node, load.relay);
	uint32_t until = may_send(now);
	uint8_t body[VX6_MSG_CREATE_LEN];

	for (; p && load.sent < load.cnt && load.sent < until; load.sent++) {
		vx6_msg_create_emit(body,
				    &(struct vx6_msg_create){
					    .link = p->peer_index,
					    .kid = load.kid,
					    .back_id = 1u + load.turn++ % MOST,
					    .handshake = VX6_HANDSHAKE,
					    .onion = load.onion[load.sent] });
		peer_send(p, VX6_MSG_CREATE, body, sizeof(body));
	}
	if (load.answered >= load.cnt || now > load.heard_ns + LATE || !p)
		over();
	else
		loop_timer_set(&load.timer,
			       now + (load.pace ? VX6_MS : VX6_SEC));
}

static void on_timer(void *ctx)
{
	(void)ctx;
	if (load.going)
		pump();
}

static void answer(void)
{
	load.answered++;
	load.heard_ns = loop_now(load.loop);
	if (load.going && (load.pace == 0 || load.answered == load.cnt))
		pump();
}

void __wrap_relay_on_created(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_created m;

	(void)p;
	if (vx6_msg_created_parse(&m, body, len) != VX6_OK)
		return;
	if (load.ok_all < MOST)
		load.forward[load.ok_all++] = m.forward_id;
	load.ok++;
	answer();
}

void __wrap_relay_on_fail(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_fail m;

	(void)p;
	if (vx6_msg_fail_parse(&m, body, len) != VX6_OK)
		return;
	load.failed[m.reason < VX6_FAIL_CNT ? m.reason : VX6_FAIL_CNT]++;
	answer();
}

static void destroy_all(void)
{
	struct peer *p = peer_find(load.node, load.relay);
	uint8_t body[VX6_MSG_DESTROY_LEN];

	for (; p && load.ok_all > 0; load.ok_all--) {
		vx6_msg_destroy_emit(
			body, &(struct vx6_msg_destroy){
				      .id = load.forward[load.ok_all - 1],
				      .reason = VX6_DESTROY_DONE });
		peer_send(p, VX6_MSG_DESTROY, body, sizeof(body));
	}
	puts("{\"ended\":true}");
	fflush(stdout);
}

/* ---- stdin ---- */

static void go(void)
{
	struct peer *p = peer_find(load.node, load.relay);

	memset(load.failed, 0, sizeof(load.failed));
	load.sent = load.answered = load.ok = 0;
	if (!p || p->link != PEER_LINK_OPEN) {
		puts("{\"error\":\"no link to the relay\"}");
		fflush(stdout);
		return;
	}
	load.going = true;
	load.begin_ns = load.heard_ns = loop_now(load.loop);
	pump();
}

static void command(const char *line)
{
	static const char *const word[] = { "make", "copy", "garbage" };
	size_t len = strcspn(line, " ");
	char name[16] = "", *at;
	unsigned long n, pace;

	if (len == 0 || len >= sizeof(name))
		return;
	memcpy(name, line, len);
	n = strtoul(line + len, &at, 10);
	pace = strtoul(at, NULL, 10);
	if (strcmp(name, "go") == 0)
		go();
	else if (strcmp(name, "stop") == 0 && load.going)
		over();
	else if (strcmp(name, "end") == 0)
		destroy_all();
	for (unsigned i = 0; i < VX6_COUNT(word); i++) {
		if (strcmp(name, word[i]) != 0)
			continue;
		load.pace = (unsigned)pace;
		if (n > 0 && n <= MOST && make((enum sort)i, (unsigned)n))
			printf("{\"ready\":%lu}\n", n);
		else
			puts("{\"error\":\"no key of the relay, or 1 to 65536 "
			     "are meant\"}");
		fflush(stdout);
	}
}

static void on_input(void *ctx, unsigned events)
{
	char c;
	ssize_t got;

	(void)ctx;
	(void)events;
	while ((got = read(STDIN_FILENO, &c, 1)) == 1) {
		if (c != '\n' && load.line_len + 1 < sizeof(load.line)) {
			load.line[load.line_len++] = c;
			continue;
		}
		load.line[load.line_len] = '\0';
		load.line_len = 0;
		command(load.line);
	}
	if (got == 0)
		loop_stop(load.loop);
}

/* ---- the process ---- */

static void on_prepare(void *ctx)
{
	(void)ctx;
	if (load.node)
		node_prepare(load.node);
}

static void on_signal(void *ctx, int signo)
{
	(void)ctx;
	(void)signo;
	loop_stop(load.loop);
}

static bool options(int argc, char **argv, struct config *cfg)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "relay", required_argument, NULL, 'r' },
		{ "behind", required_argument, NULL, 'b' },
		{ "next", no_argument, NULL, 'n' },
		{ 0 },
	};
	struct config_error err = { .text = "--config is missing" };
	bool ok = false;
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (o == 'c')
			ok = config_load(optarg, cfg, &err) == VX6_OK;
		else if (o == 'n')
			load.is_next = true;
		else if (o == '?' ||
			 vx6_id_parse(o == 'r' ? load.relay : load.behind,
				      optarg) != VX6_OK)
			return false;
	}
	if (!ok)
		fprintf(stderr, "load_create: %s\n", err.text);
	return ok;
}

static bool start(const struct node_options *opt)
{
	struct loop_opts lo = { .prepare = on_prepare, .signalled = on_signal };
	struct state_why why = { "" };

	load.onion = calloc(MOST, VX6_ONION_LEN);
	load.forward = calloc(MOST, sizeof(*load.forward));
	if (!load.onion || !load.forward ||
	    loop_open(&load.loop, &lo) != VX6_OK)
		return false;
	loop_timer_init(&load.timer, load.loop, on_timer, NULL);
	if (node_open(&load.node, load.loop, opt, &why) != VX6_OK) {
		fprintf(stderr, "load_create: %s\n", why.text);
		return false;
	}
	if (load.is_next)
		return true;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	if (loop_fd_open(load.loop, STDIN_FILENO, on_input, NULL, &load.in) !=
	    VX6_OK)
		return false;
	loop_fd_watch(load.in, LOOP_READ);
	return true;
}

int main(int argc, char **argv)
{
	static struct node_options opt;

	signal(SIGPIPE, SIG_IGN);
	if (!options(argc, argv, &opt.cfg)) {
		fputs("usage: load_create --config FILE (--next | --relay ID "
		      "--behind ID)\n",
		      stderr);
		return 2;
	}
	log_setup((enum log_level)opt.cfg.log_level, false);
	if (sodium_init() < 0 || vx6_aead_start() != VX6_OK || !start(&opt))
		return 1;
	loop_run(load.loop);
	struct node *n = load.node;

	load.node = NULL;
	node_close(n);
	loop_close(load.loop);
	free(load.onion);
	free(load.forward);
	return 0;
}
