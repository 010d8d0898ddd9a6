/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_VETHNET_H
#define VX6_TESTS_SUPPORT_VETHNET_H

/* vethnet: two namespaces with two veths between them, and a neigh here that
 * looks on while a test changes things with ip(8).
 *
 *     here (this process)            there (a child that waits)
 *     10.8.0.1, fd08::1   v0 ====== v0   10.8.0.2, fd08::2
 *     10.7.0.1, fd07::1   v1 ====== v1   10.7.0.2, fd07::2
 *
 * Made anew for each test; both end with their processes, and nothing leaves
 * them.  Time is the test's own; only the kernel's events are waited for.
 *
 * For unit tests: what fails here fails the test. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/port/neigh.h"

#define VN_LINKS 512u

struct vn {
	pid_t there;
	struct neigh *n; /* NULL: no namespace could be had */
	uint64_t now_ns;
};
extern struct vn vn;

/* cmocka's fixtures, and what each test begins with: it skips where there
 * can be no namespace. */
int vn_set_up(void **state);
int vn_tear_down(void **state);
void vn_need(void);

#define VN_TEST(f) cmocka_unit_test_setup_teardown(f, vn_set_up, vn_tear_down)

/* vn_shell runs a shell's script here, and returns its status; vn_here and
 * vn_there fail where that is not 0. */
int vn_shell(const char *script);
VX6_PRINTF(1, 2) void vn_here(const char *format, ...);
void vn_there(const char *script);

struct vx6_addr vn_ip(const char *text, uint16_t port);

/* vn_if is the interface as neigh lists it, until the next call; NULL: none. */
const struct neigh_if *vn_if(const char *name);
void vn_attach(unsigned slot, const char *name);

/* vn_send has the kernel resolve a neighbour, as the port's socket would. */
void vn_send(const struct vx6_addr *to);

/* vn_pass is time and a step; vn_settle takes what the kernel has told by
 * now, and lets what that started happen. */
void vn_pass(uint64_t ns);
void vn_settle(void);

/* until waits for a condition; each turn is some of the test's time. */
#define until(condition)                                                       \
	do {                                                                   \
		unsigned turns_ = 0;                                           \
		while (!(condition)) {                                         \
			if (turns_++ == 1000)                                  \
				fail_msg("never: %s", #condition);             \
			vn_turn();                                             \
		}                                                              \
	} while (0)
void vn_turn(void);

/* vn_find: with no source named. */
bool vn_find(uint32_t link, const struct vx6_addr *peer, struct neigh_way *way);
bool vn_finds(uint32_t link, const struct vx6_addr *peer);

/* vn_event: one of these has come since it was last asked, and is forgotten. */
bool vn_event(unsigned events);

#endif
