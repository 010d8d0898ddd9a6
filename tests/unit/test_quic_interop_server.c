/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic_interop_server: an endpoint on a real socket.
 *
 *     test_quic_interop_server                the test: our own client
 *     test_quic_interop_server serve [retry]  for tests/e2e
 *
 * `serve` prints "port N", then a line for each thing that happens, echoes
 * every stream, and ends with its standard input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/session/quic.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/aead/aead.h"
#include "tests/support/pair.h"

struct peer { /* one endpoint on one socket */
	int fd;
	struct vx6_addr at;
	struct quic_endpoint *ep;
	struct quic_identity id;
	struct quic_conn *conn;
	enum vx6_status admits;
	bool talks; /* prints what happens */
	unsigned ready, closed, bad;
	uint64_t sent, got;
};

#define CONTENT 3000000u

/* ---- the socket ---- */

static bool on_send(void *ctx, struct quic_conn *c,
		    const struct quic_path *path, const uint8_t *data,
		    size_t len, size_t segment, unsigned ecn)
{
	struct peer *p = ctx;
	struct sockaddr_storage to;
	socklen_t to_len = vx6_addr_to(&path->remote, &to);

	(void)c;
	(void)ecn;
	for (size_t at = 0; at < len; at += segment ? segment : len) {
		size_t n = len - at;

		if (segment && n > segment)
			n = segment;
		/* a datagram that the kernel refuses is a lost one */
		(void)!sendto(p->fd, data + at, n, 0,
			      (const struct sockaddr *)&to, to_len);
	}
	return true;
}

static bool open_socket(struct peer *p)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int room = 4 << 20;

	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return false;
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return bind(p->fd, (const struct sockaddr *)&in, sizeof(in)) == 0 &&
	       getsockname(p->fd, (struct sockaddr *)&in, &len) == 0 &&
	       vx6_addr_from(&p->at, (const struct sockaddr *)&in) == VX6_OK;
}

static void receive(struct peer *p)
{
	uint8_t data[2048];
	struct sockaddr_storage from;

	for (unsigned i = 0; i < 64; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(p->fd, data, sizeof(data), 0,
				     (struct sockaddr *)&from, &len);
		struct quic_path path = { .local = p->at };

		if (n < 0)
			return;
		if (vx6_addr_from(&path.remote,
				  (const struct sockaddr *)&from) == VX6_OK)
			quic_read(p->ep, &path, 0, data, (size_t)n,
				  vx6_now_ns());
	}
}

/* ---- events ---- */

static enum vx6_status on_admit(void *ctx, const struct quic_path *path)
{
	(void)path;
	return ((struct peer *)ctx)->admits;
}

static void on_ready(void *ctx, struct quic_conn *c)
{
	struct peer *p = ctx;

	p->ready++;
	p->conn = c;
	if (!p->talks)
		return;
	printf("ready alpn=%s key=",
	       quic_alpn(c) == QUIC_SESSION ? "vx6/1" : "vx6-t/1");
	for (unsigned i = 0; i < 32; i++)
		printf("%02x", quic_peer_key(c)[i]);
	uint8_t out[32];
	if (quic_export(c, "EXPORTER-vx6-test", (const uint8_t *)"", 0, out) ==
	    VX6_OK) {
		printf(" exporter=");
		for (unsigned i = 0; i < 32; i++)
			printf("%02x", out[i]);
	}
	printf("\n");
	fflush(stdout);
}

static void on_closed(void *ctx, struct quic_conn *c,
		      const struct quic_close *why)
{
	struct peer *p = ctx;

	p->closed++;
	if (p->conn == c)
		p->conn = NULL;
	if (!p->talks)
		return;
	printf("closed kind=%d ready=%d code=%llu %s\n", (int)why->kind,
	       why->was_ready, (unsigned long long)why->code, why->reason);
	fflush(stdout);
}

static void echo(void *ctx, struct quic_conn *c, int64_t id,
		 const uint8_t *data, size_t len, bool fin)
{
	(void)ctx;
	/* the test's streams fit the buffer */
	if (quic_stream_send(c, id, data, len, fin) < len)
		quic_stream_reset(c, id, 1);
	quic_stream_consumed(c, id, len);
}

static void compare(void *ctx, struct quic_conn *c, int64_t id,
		    const uint8_t *data, size_t len, bool fin)
{
	struct peer *p = ctx;

	(void)fin;
	p->bad += !pair_same(1, p->got, data, len);
	p->got += len;
	quic_stream_consumed(c, id, len);
}

static bool open_peer(struct peer *p, bool client)
{
	struct quic_options opt = {
		.events = { .send = on_send,
                           .admit = on_admit,
                           .ready = on_ready,
                           .closed = on_closed,
                           .stream_data = client ? compare : echo },
		.limits = { .stream_buffer = 8u << 20 },
		.ctx = p,
	};

	quic_identity_fresh(&p->id);
	opt.identity = p->id;
	return open_socket(p) && quic_open(&p->ep, &opt) == VX6_OK;
}

static void close_peer(struct peer *p)
{
	quic_shut(p->ep, vx6_now_ns());
	close(p->fd);
}

/* ---- the loop ---- */

static int wait_ms(struct peer *const *peer, unsigned cnt)
{
	uint64_t now = vx6_now_ns(), least = 100 * VX6_MS;

	for (unsigned i = 0; i < cnt; i++) {
		uint64_t due = quic_due(peer[i]->ep);
		uint64_t left = due > now ? due - now : 0;

		least = left < least ? left : least;
	}
	return (int)((least + VX6_MS - 1) / VX6_MS);
}

static void turn(struct peer *const *peer, unsigned cnt, struct pollfd *extra)
{
	struct pollfd fds[3];
	nfds_t n = 0;

	for (unsigned i = 0; i < cnt; i++)
		fds[n++] = (struct pollfd){ peer[i]->fd, POLLIN, 0 };
	if (extra)
		fds[n++] = *extra;
	poll(fds, n, wait_ms(peer, cnt));
	for (unsigned i = 0; i < cnt; i++) {
		receive(peer[i]);
		quic_tick(peer[i]->ep, vx6_now_ns());
		quic_flush(peer[i]->ep, vx6_now_ns());
	}
	if (extra)
		extra->revents = fds[n - 1].revents;
}

static int serve(bool retry)
{
	struct peer p = { .talks = true, .admits = retry ? VX6_RATE : VX6_OK };
	struct peer *const list[] = { &p };
	struct pollfd input = { STDIN_FILENO, POLLIN, 0 };
	char text[64];

	if (!open_peer(&p, false))
		return 1;
	printf("port %u\n", p.at.port);
	printf("key ");
	for (unsigned i = 0; i < 32; i++)
		printf("%02x", p.id.public_key[i]);
	printf("\n");
	fflush(stdout);
	do {
		turn(list, 1, &input);
	} while (!(input.revents & (POLLIN | POLLHUP)) ||
		 read(STDIN_FILENO, text, sizeof(text)) > 0);
	close_peer(&p);
	return 0;
}

/* ---- the test ---- */

static void over_real_sockets(void **state)
{
	static uint8_t buf[65536];
	struct peer client = { 0 }, server = { .admits = VX6_RATE };
	struct peer *const both[] = { &client, &server };
	struct quic_dial dial = { .alpn = QUIC_TUNNEL };
	struct quic_conn *c;
	int64_t id = -1;

	(void)state;
	assert_true(open_peer(&client, true));
	assert_true(open_peer(&server, false));
	dial.path = (struct quic_path){ client.at, server.at };
	assert_int_equal(quic_dial(client.ep, &dial, vx6_now_ns(), &c), VX6_OK);
	while (client.closed == 0 && client.got < CONTENT) {
		turn(both, 2, NULL);
		if (!client.ready)
			continue;
		if (id < 0)
			assert_int_equal(quic_stream_new(c, &id), VX6_OK);
		while (client.sent < CONTENT) {
			size_t n = CONTENT - client.sent < sizeof(buf)
					   ? (size_t)(CONTENT - client.sent)
					   : sizeof(buf);

			pair_fill(1, client.sent, buf, n);
			size_t took = quic_stream_send(
				c, id, buf, n, client.sent + n == CONTENT);
			client.sent += took;
			if (took < n)
				break;
		}
	}
	assert_int_equal(client.closed + server.closed, 0);
	assert_int_equal(client.got, CONTENT);
	assert_int_equal(client.bad, 0);
	close_peer(&client);
	close_peer(&server);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest test[] = {
		cmocka_unit_test(over_real_sockets),
	};

	if (vx6_aead_start() != VX6_OK)
		return 1;
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve(argc > 2 && strcmp(argv[2], "retry") == 0);
	return cmocka_run_group_tests_name("quic_interop_server", test, NULL,
					   NULL);
}
