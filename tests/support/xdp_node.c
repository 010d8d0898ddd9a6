/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/xdp_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/if_link.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char xn_why[XDP_WHY];
struct veth xn_wire;
static bool have_wire;

int xn_set_up(void **state)
{
	(void)state;
	have_wire = veth_open(&xn_wire);
	return 0;
}

int xn_tear_down(void **state)
{
	(void)state;
	veth_close(&xn_wire);
	return 0;
}

void xn_need(void)
{
	if (have_wire)
		return;
	(void)veth_may(); /* says why */
	skip();
}

static struct vx6_addr addr(const char *text)
{
	struct vx6_addr a;

	assert_int_equal(vx6_addr_parse(&a, text), VX6_OK);
	return a;
}

struct xdp *xn_open(bool no_dispatcher)
{
	const struct xdp_opts o = {
		.links = XK_LINKS,
		.data_port = XK_DATA,
		.control_port = { XK_CTRL },
		.len_min = XK_LEN_MIN,
		.len_max = XK_LEN_MAX,
		.shake_ns = 1000000000,
		.shake_most = 4,
		.no_dispatcher = no_dispatcher,
	};
	struct vx6_addr self = addr("[" XK_SELF6 "]:1");
	struct vx6_addr peer = addr("[" XK_PEER6 "]:5000");
	struct xdp *x;

	if (xdp_open(&x, &o, xn_why) != VX6_OK)
		fail_msg("%s", xn_why);
	assert_int_equal(xdp_local_set(x, &self, 1), VX6_OK);
	xdp_link_set(&xdp_links(x)[1], &peer);
	return x;
}

struct xdp_if *xn_attach(struct xdp *x, unsigned ifindex)
{
	struct xdp_if *i;

	if (xdp_attach(x, ifindex, &i, xn_why) != VX6_OK)
		fail_msg("%s", xn_why);
	assert_int_equal(i->ifindex, ifindex);
	return i;
}

uint64_t xn_counted(struct xdp *x, unsigned reason)
{
	uint64_t c[VX6_XDP_REASON_CNT];

	xdp_counts(x, c);
	return c[reason];
}

void xn_gets(struct xdp *x, const struct veth *v, const struct pkt *p,
	     unsigned reason)
{
	uint64_t had = xn_counted(x, reason);

	veth_send(v, p->b, p->len);
	while (xn_counted(x, reason) == had)
		poll(NULL, 0, 1);
	assert_int_equal(xn_counted(x, reason), had + 1);
}

void xn_refused(struct xdp *x, unsigned ifindex, enum vx6_status st,
		const char *part)
{
	enum vx6_status got;
	struct xdp_if *i;

	got = xdp_attach(x, ifindex, &i, xn_why);
	if (got != st || strstr(xn_why, part) == NULL)
		fail_msg("%s: '%s'", vx6_status_name(got), xn_why);
}

uint32_t xn_program(unsigned ifindex)
{
	uint32_t id = 0;

	assert_int_equal(
		bpf_xdp_query_id((int)ifindex, XDP_FLAGS_DRV_MODE, &id), 0);
	return id;
}

bool xn_has_dispatcher(void)
{
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1)
		return true;
	printf("# SKIP dispatcher: this kernel loads no BPF_PROG_TYPE_EXT\n");
	fflush(stdout);
	return false;
}

/* ---- children ---- */

/* cmocka in a child would report for its parent. */
int xn_child(bool (*f)(void))
{
	int out[2], status;
	char text[256];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		_exit(f() ? 0 : 1);
	}
	close(out[1]);
	n = read(out[0], text, sizeof(text) - 1);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (n > 0) {
		text[n] = '\0';
		print_message("# on stderr: %s\n", text);
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

pid_t xn_holder(bool (*f)(void))
{
	int out[2];
	char ready = 0;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(out[0]);
		ready = f() ? 'y' : 'n';
		if (write(out[1], &ready, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(out[1]);
	if (read(out[0], &ready, 1) != 1 || ready != 'y') {
		xn_kill(pid);
		fail_msg("the child is not ready");
	}
	close(out[0]);
	return pid;
}

void xn_kill(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) != child)
		;
}
