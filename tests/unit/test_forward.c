/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/service/bridge.h"
#include "controlplane/service/forward.h"
#include "tests/support/loop_app.h"

struct port {
	struct loop *loop;
	struct forward *f;
	enum vx6_status say; /* what offer answers */
	int offered;
	int taken[64];
	int cnt;
};

static enum vx6_status on_offer(void *ctx, int fd)
{
	struct port *p = ctx;

	p->offered++;
	if (p->say == VX6_OK)
		p->taken[p->cnt++] = fd;
	return p->say;
}

static void open_port(struct port *p, enum vx6_status say, uint32_t waiting,
		      uint64_t wait_ns)
{
	struct forward_opts o = { .offer = on_offer,
				  .ctx = p,
				  .waiting = waiting,
				  .wait_ns = wait_ns };
	char why[FORWARD_WHY];

	*p = (struct port){ .say = say };
	assert_int_equal(loop_open(&p->loop, &(struct loop_opts){ 0 }), VX6_OK);
	assert_int_equal(vx6_addr_parse(&o.listen, "127.0.0.1:0"), VX6_OK);
	assert_int_equal(forward_open(p->loop, &o, &p->f, why), VX6_OK);
	assert_true(forward_addr(p->f)->port != 0);
}

static void close_port(struct port *p)
{
	forward_close(p->f);
	for (int i = 0; i < p->cnt; i++)
		close(p->taken[i]);
	loop_close(p->loop);
}

static void dial(struct port *p, struct loop_app *a)
{
	app_connect(a, p->loop, forward_addr(p->f), 0,
		    &(struct app_script){ 0 });
}

static struct forward_stats stats_of(const struct port *p)
{
	struct forward_stats s;

	forward_stats(p->f, &s);
	return s;
}

#define UNTIL(p, cond)                                                         \
	do {                                                                   \
		while (!(cond))                                                \
			loop_turn((p)->loop, true);                            \
	} while (0)

static void connections_are_handed_over(void **state)
{
	struct port p;
	struct loop_app a[20];

	(void)state;
	open_port(&p, VX6_OK, 0, 0);
	for (int i = 0; i < 20; i++)
		dial(&p, &a[i]);
	UNTIL(&p, p.cnt == 20);
	assert_true(fcntl(p.taken[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p.taken[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stats_of(&p).accepted, 20);
	assert_int_equal(stats_of(&p).taken, 20);
	for (int i = 0; i < 20; i++)
		app_close(&a[i]);
	close_port(&p);
}

/* A refusal is RST, and does not close the port. */
static void refusals_are_rst(void **state)
{
	struct port p;
	struct loop_app a;

	(void)state;
	open_port(&p, VX6_NO_ROOM, 0, 0);
	for (int i = 0; i < 3; i++) {
		dial(&p, &a);
		UNTIL(&p, a.got_rst);
		assert_false(a.got_fin);
	}
	assert_int_equal(stats_of(&p).refused, 3);
	close_port(&p);
}

/* Without a tunnel connections wait, in order; those over the limit get
 * RST; when the tunnel is there the others go on. */
static void connections_wait_for_the_tunnel(void **state)
{
	struct port p;
	struct loop_app a[6];

	(void)state;
	open_port(&p, VX6_AGAIN, 4, 0);
	for (int i = 0; i < 6; i++) {
		dial(&p, &a[i]);
		UNTIL(&p, stats_of(&p).accepted == (uint64_t)i + 1);
	}
	UNTIL(&p, a[4].got_rst && a[5].got_rst);
	assert_int_equal(stats_of(&p).waiting, 4);
	assert_int_equal(stats_of(&p).full, 2);
	assert_int_equal(p.offered, 1); /* nobody overtakes */
	forward_ready(p.f);             /* not yet, after all */
	assert_int_equal(stats_of(&p).waiting, 4);
	p.say = VX6_OK;
	forward_ready(p.f);
	assert_int_equal(stats_of(&p).waiting, 0);
	assert_int_equal(p.cnt, 4);
	for (int i = 0; i < 4; i++) { /* oldest first */
		struct sockaddr_in there, here;
		socklen_t len = sizeof(there);

		getpeername(p.taken[i], (struct sockaddr *)&there, &len);
		getsockname(a[i].fd, (struct sockaddr *)&here, &len);
		assert_int_equal(there.sin_port, here.sin_port);
		assert_false(a[i].got_rst);
		app_close(&a[i]);
	}
	close_port(&p);
}

static void waiting_ends(void **state)
{
	struct port p;
	struct loop_app a[3];

	(void)state;
	open_port(&p, VX6_AGAIN, 0, 20 * VX6_MS);
	for (int i = 0; i < 3; i++)
		dial(&p, &a[i]);
	for (int i = 0; i < 3; i++)
		UNTIL(&p, a[i].got_rst);
	assert_int_equal(stats_of(&p).expired, 3);
	assert_int_equal(stats_of(&p).waiting, 0);
	close_port(&p);

	open_port(&p, VX6_AGAIN, 0, 0);
	for (int i = 0; i < 3; i++)
		dial(&p, &a[i]);
	UNTIL(&p, stats_of(&p).waiting == 3);
	forward_flush(p.f);
	for (int i = 0; i < 3; i++)
		UNTIL(&p, a[i].got_rst);
	dial(&p, &a[0]);
	UNTIL(&p, stats_of(&p).waiting == 1);
	forward_close(p.f); /* ends those who wait as well */
	p.f = NULL;
	UNTIL(&p, a[0].got_rst);
	close_port(&p);
}

static enum vx6_status try_open(struct loop *l, const char *at, bool any,
				char why[FORWARD_WHY])
{
	struct forward_opts o = { .offer = on_offer, .any = any };
	struct forward *f = NULL;
	enum vx6_status st;

	assert_int_equal(vx6_addr_parse(&o.listen, at), VX6_OK);
	memset(why, 0, FORWARD_WHY);
	st = forward_open(l, &o, &f, why);
	forward_close(f);
	return st;
}

static void what_may_be_listened_on(void **state)
{
	struct port p;
	char at[VX6_ADDR_TEXT], why[FORWARD_WHY];

	(void)state;
	open_port(&p, VX6_OK, 0, 0);
	vx6_addr_text(forward_addr(p.f), at);
	assert_int_equal(try_open(p.loop, at, false, why), VX6_EXISTS);
	assert_non_null(strstr(why, at));
	assert_non_null(strstr(why, "in use"));
	assert_non_null(strstr(why, "port 0"));
	assert_int_equal(try_open(p.loop, "0.0.0.0:0", false, why), VX6_DENIED);
	assert_non_null(strstr(why, "--listen-any"));
	assert_int_equal(try_open(p.loop, "[::]:0", false, why), VX6_DENIED);
	assert_int_equal(try_open(p.loop, "0.0.0.0:0", true, why), VX6_OK);
	assert_int_equal(try_open(p.loop, "192.0.2.77:0", true, why),
			 VX6_NOT_FOUND);
	assert_non_null(strstr(why, "does not have"));
	close_port(&p);
}

/* Without a descriptor left the port neither spins nor dies. */
static void out_of_descriptors(void **state)
{
	struct port p;
	struct loop_app a;
	struct loop_stats before, after;
	struct rlimit was, now;
	int probe;

	(void)state;
	open_port(&p, VX6_OK, 0, 0);
	loop_turn(p.loop, false);
	dial(&p, &a);
	probe = dup(0);
	assert_true(probe >= 0);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	now = was;
	now.rlim_cur = (rlim_t)probe;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	UNTIL(&p, stats_of(&p).no_files == 1);
	loop_stats(p.loop, &before);
	UNTIL(&p, stats_of(&p).no_files == 2);
	loop_stats(p.loop, &after);
	assert_true(after.turns - before.turns < 20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	UNTIL(&p, p.cnt == 1);
	app_close(&a);
	close_port(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_handed_over),
		cmocka_unit_test(refusals_are_rst),
		cmocka_unit_test(connections_wait_for_the_tunnel),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(what_may_be_listened_on),
		cmocka_unit_test(out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
