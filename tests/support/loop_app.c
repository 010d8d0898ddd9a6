/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/loop_app.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 32768u

/* What byte n of pattern `tag` is: no short period, so a lost, repeated
 * or moved byte shows. */
static uint8_t pattern(uint8_t tag, uint64_t n)
{
	uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint8_t)(x >> 56 ^ tag);
}

static void update(struct loop_app *a)
{
	bool may = !a->script.wait_fin || a->got_fin;
	bool todo = a->sent < a->script.send || (a->script.fin && !a->fin_sent);
	unsigned want = 0;

	if (!a->script.deaf && !a->got_fin)
		want |= LOOP_READ;
	if (may && todo)
		want |= LOOP_WRITE;
	loop_fd_watch(a->watch, want);
}

static void broken(struct loop_app *a)
{
	a->got_rst = true;
	app_close(a);
}

static bool app_write(struct loop_app *a)
{
	uint8_t buf[CHUNK];

	while (a->sent < a->script.send) {
		uint64_t left = a->script.send - a->sent;
		size_t len = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(a->tag, a->sent + i);
		n = send(a->fd, buf, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			broken(a);
			return false;
		}
		a->sent += (uint64_t)n;
	}
	if (a->script.fin && !a->fin_sent) {
		a->fin_sent = true;
		shutdown(a->fd, SHUT_WR);
	}
	return true;
}

static bool app_read(struct loop_app *a)
{
	uint8_t buf[CHUNK];
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		n = recv(a->fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			broken(a);
			return false;
		}
		if (n == 0) {
			a->got_fin = true;
			return true;
		}
		for (ssize_t k = 0; k < n; k++)
			a->wrong |= buf[k] != pattern(a->tag ^ 0x80, a->got++);
	}
	return true;
}

static void on_ready(void *ctx, unsigned events)
{
	struct loop_app *a = ctx;

	if (events & LOOP_READ && !app_read(a))
		return;
	if (events & LOOP_WRITE && !app_write(a))
		return;
	update(a);
}

static void adopt(struct loop_app *a, struct loop *l, int fd, uint8_t tag,
		  const struct app_script *script)
{
	*a = (struct loop_app){
		.loop = l, .fd = fd, .tag = tag, .script = *script
	};
	if (script->deaf) /* or it grows to 32 MiB, where the kernel likes */
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF,
					    &(int){ 64 << 10 }, sizeof(int)),
				 0);
	assert_int_equal(loop_fd_open(l, fd, on_ready, a, &a->watch), VX6_OK);
	update(a);
}

void app_connect(struct loop_app *a, struct loop *l, const struct vx6_addr *at,
		 uint8_t tag, const struct app_script *script)
{
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	adopt(a, l, fd, tag, script);
}

void app_listen(struct loop_app *a)
{
	a->script.deaf = false;
	if (a->fd >= 0)
		update(a);
}

void app_more(struct loop_app *a, uint64_t bytes, bool fin)
{
	a->script.send += bytes;
	a->script.fin = fin;
	if (a->fd >= 0)
		update(a);
}

void app_close(struct loop_app *a)
{
	if (a->fd < 0)
		return;
	loop_fd_close(a->watch);
	a->watch = NULL;
	close(a->fd);
	a->fd = -1;
}

void app_rst(struct loop_app *a)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	app_close(a);
}

bool app_over(const struct loop_app *a)
{
	return a->got_rst || (a->got_fin && a->fin_sent);
}

/* ---- target ---- */

static void on_accept(void *ctx, unsigned events)
{
	struct loop_target *t = ctx;
	int fd;

	(void)events;
	while ((fd = accept4(t->fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		assert_true(t->cnt < TARGET_APPS);
		adopt(&t->app[t->cnt++], t->loop, fd, 0x80, &t->script);
	}
}

void target_open(struct loop_target *t, struct loop *l,
		 const struct app_script *script)
{
	struct sockaddr_storage sa;
	socklen_t len;

	*t = (struct loop_target){ .loop = l, .script = *script };
	assert_int_equal(vx6_addr_parse(&t->at, "127.0.0.1:0"), VX6_OK);
	len = vx6_addr_to(&t->at, &sa);
	t->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	assert_true(t->fd >= 0);
	assert_int_equal(bind(t->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(t->fd, 512), 0);
	assert_int_equal(getsockname(t->fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(vx6_addr_from(&t->at, (struct sockaddr *)&sa), VX6_OK);
	assert_int_equal(loop_fd_open(l, t->fd, on_accept, t, &t->watch),
			 VX6_OK);
	loop_fd_watch(t->watch, LOOP_READ);
}

void target_close(struct loop_target *t)
{
	for (unsigned i = 0; i < t->cnt; i++)
		app_close(&t->app[i]);
	loop_fd_close(t->watch);
	close(t->fd);
}
