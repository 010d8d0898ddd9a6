/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keeper: what it does for a data plane, and what it does for nobody.
 *
 * Method: a real keeper over a real veth.  What is asked is said on its socket
 * as anybody's code would say it who has got into the data plane; the kernel
 * tells what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/clock.h"
#include "dataplane/port/keeper.h"
#include "dataplane/port/keeper_own.h"
#include "dataplane/port/xsk.h"
#include "dataplane/worker/sandbox_table.h"
#include "tests/support/twonet.h"

#define AREA_LEN (64u * 4096u)
#define FRAME    2048u
#define LOST     2u /* a number that no interface has */

static struct rights *rights;
static uint8_t *area;
static struct sandbox box;
static int sock;
static unsigned t0, t1;
static uint64_t refused;

static void say(void *ctx, bool warn, const char *event, const char *interface,
		const char *text)
{
	(void)ctx;
	(void)warn;
	(void)event;
	(void)interface;
	(void)text;
}

static const struct xdp_opts options = {
	.links = 16, .data_port = 4243, .len_min = 32, .len_max = 1500
};

/* A keeper of so many of its names, in the copying mode, with one area. */
static int start_with(unsigned names)
{
	struct rights_law law = {
		.interface = { "t0", "away0" },
		.interface_cnt = names,
		.area_cnt = 1,
		.copy = true,
		.say = say
	};
	char why[XDP_WHY] = "";

	if (!twonet_is(&net))
		return 0;
	box = dp_sandbox_keeper(false);
	area = mmap(NULL, AREA_LEN, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	law.area[0] = (struct rights_umem){ area, AREA_LEN, FRAME };
	assert_int_equal(rights_open(&rights, &options, why), VX6_OK);
	if (rights_keep(rights, &law, &box, why) != VX6_OK)
		fail_msg("%s", why);
	sock = rights_fd(rights);
	t0 = if_nametoindex("t0");
	t1 = if_nametoindex("t1");
	refused = 0;
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(2);
}

static int start_nameless(void **state)
{
	(void)state;
	return start_with(0);
}

static int stop(void **state)
{
	(void)state;
	if (!twonet_is(&net))
		return 0;
	rights_close(rights);
	rights = NULL;
	munmap(area, AREA_LEN);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

/* ---- as anybody would say it ---- */

static struct keeper_answer tell(const struct keeper_ask *a, int give, int *get)
{
	struct keeper_answer to;
	int fd;

	assert_true(keeper_send(sock, a, sizeof(*a), give));
	assert_int_equal(keeper_recv(sock, &to, sizeof(to), &fd), 1);
	if (get != NULL)
		*get = fd;
	else
		assert_int_equal(fd, -1);
	return to;
}

static void is_refused(const char *what, const struct keeper_ask *a, int give)
{
	struct keeper_answer to = tell(a, give, NULL);

	if (to.status != VX6_DENIED || to.err != EPERM ||
	    to.refused != ++refused)
		fail_msg("%s: status %u, refused %llu", what, to.status,
			 (unsigned long long)to.refused);
}

static void is_done(const struct keeper_ask *a, int give, int *get)
{
	struct keeper_answer to = tell(a, give, get);

	if (to.status != VX6_OK)
		fail_msg("kind %u: %u, %s, %s", a->kind, to.status,
			 strerror(to.err), to.why);
	assert_int_equal(to.refused, refused);
}

static struct keeper_ask attach(unsigned slot, unsigned ifindex)
{
	return (struct keeper_ask){ .kind = KEEPER_ATTACH,
				    .slot = slot,
				    .ifindex = ifindex };
}

static uint32_t program_on(unsigned ifindex)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)ifindex, 0, &id), 0);
	return id;
}

/* ---- the law ---- */

static void only_interfaces_of_the_configuration(void **state)
{
	struct keeper_ask a;

	(void)state;
	twonet_need();
	a = attach(0, t1);
	is_refused("another Ethernet interface", &a, -1);
	assert_int_equal(program_on(t1), 0);
	a = attach(0, if_nametoindex("lo"));
	is_refused("lo", &a, -1);
	a = attach(0, 0);
	is_refused("none", &a, -1);
	a = attach(0, 100000);
	is_refused("one that is not there", &a, -1);
	a = attach(XDP_IFS, t0);
	is_refused("a slot too many", &a, -1);
	a = attach(UINT32_MAX, t0);
	is_refused("no slot at all", &a, -1);
	a = attach(3, t0);
	is_done(&a, -1, NULL);
	assert_int_not_equal(program_on(t0), 0);
	a = attach(3, t0);
	is_refused("twice", &a, -1);
	a = attach(4, t0);
	is_refused("twice, elsewhere", &a, -1);
	a = (struct keeper_ask){ .kind = KEEPER_DETACH, .slot = 4 };
	is_refused("off where it is not", &a, -1);
	a.slot = XDP_IFS;
	is_refused("off nowhere", &a, -1);
	a.slot = 3;
	is_done(&a, -1, NULL);
	assert_int_equal(program_on(t0), 0);
	is_refused("off twice", &a, -1);
}

/* What comes under a name of the configuration may be taken. */
static void the_name_counts_when_it_is_asked(void **state)
{
	struct keeper_ask a;

	(void)state;
	twonet_need();
	twonet_run(&net, false,
		   "ip link set t1 down; ip link set t1 name away0; "
		   "ip link set away0 up");
	a = attach(0, t1);
	is_done(&a, -1, NULL);
	twonet_run(&net, false,
		   "ip link set away0 down; ip link set away0 name t1; "
		   "ip link set t1 up");
	a = (struct keeper_ask){ .kind = KEEPER_DETACH };
	is_done(&a, -1, NULL);
	a = attach(0, t1);
	is_refused("under its old name", &a, -1);
}

/* Where none is named, those that are chosen now: it is not taken, and whose
 * news is old is blamed for nothing. */
static void is_not_chosen(unsigned ifindex)
{
	struct keeper_ask a = attach(0, ifindex);
	struct keeper_answer to = tell(&a, -1, NULL);

	assert_int_equal(to.status, VX6_NOT_FOUND);
	assert_non_null(strstr(to.why, "data.interfaces"));
	assert_int_equal(to.refused, refused);
	assert_int_equal(program_on(ifindex), 0);
}

static void is_chosen(unsigned ifindex)
{
	const struct keeper_ask off = { .kind = KEEPER_DETACH };
	struct keeper_ask a = attach(0, ifindex);

	is_done(&a, -1, NULL);
	assert_int_not_equal(program_on(ifindex), 0);
	is_done(&off, -1, NULL);
}

static void without_names_what_is_chosen(void **state)
{
	struct keeper_ask a;

	(void)state;
	twonet_need();
	a = attach(0, if_nametoindex("lo"));
	is_refused("lo", &a, -1);
	a = attach(0, 100000);
	is_refused("one that is not there", &a, -1);
	is_chosen(t0); /* no default route is there */
	is_chosen(t1);
	twonet_run(&net, false, "ip link set t1 down");
	is_not_chosen(t1);
	twonet_run(&net, false, "ip link set t1 up");
	is_chosen(t1);
	/* of either family, whoever it leads to */
	twonet_run(&net, false, "ip route add default via 10.77.1.2");
	is_chosen(t1);
	is_not_chosen(t0);
	twonet_run(&net, false, "ip -6 route add default dev t0 metric 9");
	is_chosen(t0);
	twonet_run(&net, false, "ip route del default");
	is_not_chosen(t1);
	is_chosen(t0);
	/* not one that is for others than all, or of a table of its own */
	twonet_run(&net, false,
		   "ip -6 route del default; ip route add 0.0.0.0/1 dev t0; "
		   "ip route add default dev t0 table 7");
	is_chosen(t1);
	twonet_run(&net, false,
		   "ip route del 0.0.0.0/1; ip route flush table 7");
}

#define NOT(name, ...)                                                         \
	{                                                                      \
		name,                                                          \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}

/* A message says what its kind uses, and nothing else. */
static void a_message_is_judged_whole(void **state)
{
	static const struct {
		const char *what;
		struct keeper_ask a;
	} bad[] = {
		NOT("no kind", 0),
		NOT("a kind that is none", .kind = KEEPER_END + 1),
		NOT("a large kind", .kind = UINT32_MAX),
		NOT("counts of a slot", .kind = KEEPER_COUNTS, .slot = 1),
		NOT("counts with an address", .kind = KEEPER_COUNTS,
		    .ip = { [255] = { [15] = 1 } }),
		NOT("reserved", .kind = KEEPER_COUNTS, .zero = 1),
		NOT("an end with a queue", .kind = KEEPER_END, .queue = 1),
		NOT("too many addresses", .kind = KEEPER_LOCALS,
		    .cnt = VX6_XDP_LOCALS + 1),
		NOT("no end of addresses", .kind = KEEPER_LOCALS,
		    .cnt = UINT32_MAX),
		NOT("an address behind the last", .kind = KEEPER_LOCALS,
		    .cnt = 1, .ip = { [1] = { 1 } }),
		NOT("a socket in a slot", .kind = KEEPER_SOCK, .slot = 1),
		NOT("frames that are not there", .kind = KEEPER_SOCK,
		    .area = 1),
		NOT("frames nowhere", .kind = KEEPER_SOCK, .area = UINT32_MAX),
		NOT("a place without an interface", .kind = KEEPER_ENTER),
		NOT("a place left without one", .kind = KEEPER_LEAVE),
		NOT("no socket to bind", .kind = KEEPER_BIND, .ifindex = LOST),
	};
	uint64_t count[VX6_XDP_REASON_CNT];

	(void)state;
	twonet_need();
	for (unsigned i = 0; i < VX6_COUNT(bad); i++)
		is_refused(bad[i].what, &bad[i].a, -1);
	rights_counts(rights, count);
	assert_int_equal(rights_refused(rights), VX6_COUNT(bad));
}

/* Neither what is too short or long, nor descriptors where none belong, or
 * too many. */
static void other_shapes_are_refused(void **state)
{
	const struct keeper_ask counts = { .kind = KEEPER_COUNTS };
	static uint8_t much[sizeof(counts) + 1];
	static const size_t len[] = { 1, sizeof(counts) - 1, sizeof(much) };
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(2 * sizeof(int))];
	} c = {
		.head = { .cmsg_level = SOL_SOCKET,
                         .cmsg_type = SCM_RIGHTS,
                         .cmsg_len = CMSG_LEN(2 * sizeof(int)) }
	};
	struct iovec iov = { (void *)(uintptr_t)&counts, sizeof(counts) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &c,
			      .msg_controllen = sizeof(c) };
	const int two[2] = { STDERR_FILENO, STDERR_FILENO };
	struct keeper_answer to;
	int fd;

	(void)state;
	twonet_need();
	memcpy(much, &counts, sizeof(counts));
	for (unsigned i = 0; i < VX6_COUNT(len); i++) {
		assert_true(keeper_send(sock, much, len[i], -1));
		assert_int_equal(keeper_recv(sock, &to, sizeof(to), &fd), 1);
		assert_int_equal(to.status, VX6_DENIED);
		assert_int_equal(to.refused, ++refused);
	}
	memcpy(CMSG_DATA(&c.head), two, sizeof(two));
	assert_int_equal(sendmsg(sock, &msg, 0), sizeof(counts));
	assert_int_equal(keeper_recv(sock, &to, sizeof(to), &fd), 1);
	assert_int_equal(to.refused, ++refused);
	is_refused("counts with a descriptor", &counts, STDERR_FILENO);
	is_done(&counts, -1, NULL);
}

/* ---- sockets ---- */

static int made(void)
{
	const struct keeper_ask a = { .kind = KEEPER_SOCK };
	int fd = -1;

	is_done(&a, -1, &fd);
	assert_true(fd >= 0);
	return fd;
}

static struct keeper_ask binding(unsigned ifindex, unsigned queue)
{
	return (struct keeper_ask){ .kind = KEEPER_BIND,
				    .ifindex = ifindex,
				    .queue = queue };
}

/* The queue of a socket that has just been closed may be busy for a moment. */
static void is_bound(unsigned queue)
{
	const struct keeper_ask a = binding(t0, queue);
	uint64_t end = vx6_now_ns() + 10 * VX6_SEC;
	struct keeper_answer to;

	for (;;) {
		int fd = made();

		to = tell(&a, -1, NULL);
		if (to.status == VX6_OK) {
			close(fd);
			return;
		}
		assert_int_equal(to.err, EBUSY);
		assert_true(vx6_now_ns() < end);
		close(fd);
	}
}

static void sockets_are_bound_where_the_classifier_is(void **state)
{
	struct keeper_ask a;
	int fd;

	(void)state;
	twonet_need();
	fd = made();
	a = binding(t0, 0);
	is_refused("before it is attached", &a, -1);
	a = attach(0, t0);
	is_done(&a, -1, NULL);
	a = binding(t1, 0);
	is_refused("another interface", &a, -1);
	a = binding(t0, VX6_XDP_QUEUES);
	is_refused("a queue too many", &a, -1);
	a = binding(t0, 0);
	a.zerocopy = 1;
	is_refused("a mode that is not allowed", &a, -1);
	a.zerocopy = 2;
	is_refused("a mode that is none", &a, -1);
	close(fd);
	is_bound(0);
	a = binding(t0, 0);
	is_refused("a second time", &a, -1); /* that one is let go */
}

static void only_its_own_socket_enters_a_queue(void **state)
{
	struct keeper_ask a = { .kind = KEEPER_ENTER };
	int fd, other, any = eventfd(0, EFD_CLOEXEC);
	struct keeper_ask at = attach(0, t0), b;

	(void)state;
	twonet_need();
	at = attach(0, t0);
	is_done(&at, -1, NULL);
	fd = made();
	is_refused("not bound yet", &a, fd);
	b = binding(t0, 0);
	for (uint64_t end = vx6_now_ns() + 10 * VX6_SEC;;) {
		struct keeper_answer to = tell(&b, -1, NULL);

		if (to.status == VX6_OK)
			break;
		assert_int_equal(to.err, EBUSY);
		assert_true(vx6_now_ns() < end);
		close(fd);
		fd = made();
	}
	other = made();
	is_refused("nothing", &a, -1);
	is_refused("no socket", &a, any);
	is_refused("its own end", &a, sock);
	is_refused("a socket of another queue", &a, other);
	a.queue = 1;
	is_refused("another queue", &a, fd);
	a.queue = VX6_XDP_QUEUES;
	is_refused("a queue too many", &a, fd);
	a.queue = 0;
	a.slot = 1;
	is_refused("another slot", &a, fd);
	a.slot = 0;
	is_done(&a, fd, NULL);
	a = (struct keeper_ask){ .kind = KEEPER_LEAVE };
	is_done(&a, -1, NULL);
	close(fd);
	close(other);
	close(any);
	/* and what was bound before it was detached has no place any more */
	a = (struct keeper_ask){ .kind = KEEPER_DETACH };
	is_done(&a, -1, NULL);
	a.kind = KEEPER_LEAVE;
	is_refused("a slot that is free", &a, -1);
}

/* A queue is free when the data plane closes its socket: the keeper has none
 * of it. */
static void a_closed_queue_is_free(void **state)
{
	struct keeper_ask a;

	(void)state;
	twonet_need();
	a = attach(0, t0);
	is_done(&a, -1, NULL);
	for (unsigned i = 0; i < 3; i++)
		is_bound(0);
}

/* ---- addresses ---- */

/* The classifier's map of addresses, of the program on t0. */
static int locals_map(void)
{
	int prog = bpf_prog_get_fd_by_id(program_on(t0));
	uint32_t ids[16] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = VX6_COUNT(ids),
				      .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof(info);
	int found = -1;

	assert_true(prog >= 0);
	assert_int_equal(bpf_prog_get_info_by_fd(prog, &info, &len), 0);
	close(prog);
	for (unsigned i = 0; i < info.nr_map_ids && found < 0; i++) {
		struct bpf_map_info mi = { 0 };
		int map = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(mi);
		assert_true(map >= 0);
		assert_int_equal(bpf_map_get_info_by_fd(map, &mi, &len), 0);
		if (strcmp(mi.name, "vx6_local") == 0)
			found = map;
		else
			close(map);
	}
	assert_true(found >= 0);
	return found;
}

static void addresses_of_others_are_left_out(void **state)
{
	struct vx6_addr at[] = { twonet_at(0, true, true, 0),
				 twonet_at(0, false, true, 0),
				 twonet_at(0, true, false, 0),
				 twonet_at(0, false, false, 0) };
	const struct keeper_ask counts = { .kind = KEEPER_COUNTS };
	struct keeper_ask a;
	uint8_t one;
	int map;

	(void)state;
	twonet_need();
	a = attach(0, t0);
	is_done(&a, -1, NULL);
	assert_int_equal(keeper_locals(sock, at, VX6_COUNT(at)), VX6_OK);
	map = locals_map();
	for (unsigned i = 0; i < VX6_COUNT(at); i++)
		assert_int_equal(bpf_map_lookup_elem(map, at[i].ip, &one) == 0,
				 i % 2);
	assert_int_equal(keeper_locals(sock, at, 0), VX6_OK);
	assert_int_not_equal(bpf_map_lookup_elem(map, at[1].ip, &one), 0);
	close(map);
	is_done(&counts, -1, NULL);
}

/* ---- neither outlives the other ---- */

static pid_t its_pid(void)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (f == NULL || fgets(text, sizeof(text), f) == NULL)
		fail_msg("%s: nothing to read", path);
	fclose(f);
	return (pid_t)strtol(text, NULL, 10);
}

static void it_ends_with_the_data_plane(void **state)
{
	struct keeper_ask a;
	int status;
	pid_t pid;

	(void)state;
	twonet_need();
	pid = its_pid();
	a = attach(0, t0);
	is_done(&a, -1, NULL);
	/* as the kernel does to the dead: nothing is said */
	assert_int_equal(shutdown(sock, SHUT_RDWR), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(program_on(t0), 0);
}

static void its_end_is_seen(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct rights_if is;
	char why[XDP_WHY];
	pid_t pid;

	(void)state;
	twonet_need();
	pid = its_pid();
	assert_false(rights_lost(rights));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	p.fd = rights_fd(rights);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(rights_lost(rights));
	/* what is asked of nobody is refused, and no fault */
	assert_int_equal(rights_attach(rights, 0, t0, &is, why), VX6_CLOSED);
	assert_non_null(strstr(why, "restart vx6-dataplane"));
	assert_int_equal(
		rights_sock(rights,
			    &(struct rights_umem){ area, AREA_LEN, FRAME }),
		-1);
	assert_int_equal(errno, EPIPE);
}

/* It is confined to no call at all, so that it cannot even say how it is. */
static void one_that_dies_at_once_is_told(void **state)
{
	const struct rights_law law = { .say = say };
	struct sandbox none = box;
	char why[XDP_WHY] = "";
	pid_t pid;
	int end;

	(void)state;
	twonet_need();
	pid = its_pid();
	none.call_cnt = none.more_cnt = 0;
	assert_int_equal(keeper_start(&end, rights, &law, &none, why), VX6_SYS);
	assert_non_null(strstr(why, "ended at once"));
	assert_int_equal(end, -1);
	/* and nothing of it is left */
	assert_int_equal(its_pid(), pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(-1, NULL, 0), pid);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static int lay(void **state)
{
	(void)twonet_lay(state);
	for (unsigned i = 0; i < 2 && twonet_is(&net); i++)
		twonet_cable(&net, i, 2);
	return 0;
}

#define keeper_test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest test[] = {
		keeper_test(only_interfaces_of_the_configuration),
		keeper_test(the_name_counts_when_it_is_asked),
		cmocka_unit_test_setup_teardown(without_names_what_is_chosen,
						start_nameless, stop),
		keeper_test(a_message_is_judged_whole),
		keeper_test(other_shapes_are_refused),
		keeper_test(sockets_are_bound_where_the_classifier_is),
		keeper_test(only_its_own_socket_enters_a_queue),
		keeper_test(a_closed_queue_is_free),
		keeper_test(addresses_of_others_are_left_out),
		keeper_test(it_ends_with_the_data_plane),
		keeper_test(its_end_is_seen),
		keeper_test(one_that_dies_at_once_is_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("keeper", test, lay, twonet_unlay);
}
