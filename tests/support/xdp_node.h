/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_XDP_NODE_H
#define VX6_TESTS_SUPPORT_XDP_NODE_H

/* xdp_node: what a node does with its classifier, on a veth; for cmocka
 * programs, which it fails where something does not go as it should.
 *
 * Its data port, control port, address (XK_SELF6) and link 1 (XK_PEER6) are
 * those of xdp_kit, so that pkt_make's packets are for it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/base/compiler.h"
#include "tests/support/veth.h"
#include "tests/support/xdp_kit.h"
#include "xdp/xdp.h"

extern char xn_why[XDP_WHY]; /* what was said last */

/* xn_wire is the cable of a program; below are cmocka's fixtures for the
 * group, and what each test begins with: it skips where there is none. */
extern struct veth xn_wire;
int xn_set_up(void **state);
int xn_tear_down(void **state);
void xn_need(void);

struct xdp *xn_open(bool no_dispatcher);
VX6_NONNULL struct xdp_if *xn_attach(struct xdp *x, unsigned ifindex);
VX6_NONNULL uint64_t xn_counted(struct xdp *x, unsigned reason);

/* xn_gets sends p and waits until x has counted it as reason. */
VX6_NONNULL void xn_gets(struct xdp *x, const struct veth *v,
			 const struct pkt *p, unsigned reason);

/* xn_refused: attaching must end with st and say `part` in its sentence. */
VX6_NONNULL void xn_refused(struct xdp *x, unsigned ifindex, enum vx6_status st,
			    const char *part);

/* xn_program is the id of the XDP program of an interface in native mode;
 * 0 = none. */
uint32_t xn_program(unsigned ifindex);

/* xn_has_dispatcher: what libxdp's dispatcher stands on is here; else a
 * line for tests/run says that it is not. */
bool xn_has_dispatcher(void);

/* xn_child runs f in a child: 0 where f says true and nothing was written
 * to stderr.  xn_holder runs f in a child that then stays as it is until
 * xn_kill kills it (SIGKILL).  f must not use cmocka. */
VX6_NONNULL int xn_child(bool (*f)(void));
VX6_NONNULL pid_t xn_holder(bool (*f)(void));
void xn_kill(pid_t child);

#endif
