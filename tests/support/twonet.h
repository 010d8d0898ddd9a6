/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_TWONET_H
#define VX6_TESTS_SUPPORT_TWONET_H

/* twonet: two network namespaces of this process, and cables between them.
 *
 *     here                                 there
 *     t0  fd00:0::1  10.77.0.1  ========  t0  fd00:0::2  10.77.0.2
 *     t1  fd00:1::1  10.77.1.1  ========  t1  fd00:1::2  10.77.1.2
 *
 * The process stands in `here`.  Neither has a name: both end with it,
 * however that ends.  No packet leaves them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"

struct twonet {
	int here, there; /* descriptors of the namespaces; -1 = none */
};

/* net is what a program's tests share; twonet_lay and twonet_unlay are
 * cmocka's fixtures for the group. */
extern struct twonet net;
int twonet_lay(void **state);
int twonet_unlay(void **state);

/* twonet_open: false where it may not be made; a line for tests/run says
 * why. */
VX6_MUST_CHECK VX6_NONNULL bool twonet_open(struct twonet *t);
VX6_NONNULL void twonet_close(struct twonet *t);

/* twonet_is: it could be made. */
VX6_NONNULL static inline bool twonet_is(const struct twonet *t)
{
	return t->here >= 0;
}

/* twonet_need skips the test that calls it, with that line, where there is
 * none. */
void twonet_need(void);

/* twonet_cable lays cable i with q queues at each end, and takes it out. */
VX6_NONNULL void twonet_cable(const struct twonet *t, unsigned i, unsigned q);
void twonet_cut(unsigned i);

/* twonet_channels has so many of those queues used at one end, as ethtool -L
 * does. */
VX6_NONNULL void twonet_channels(const struct twonet *t, bool there, unsigned i,
				 unsigned rx, unsigned tx);

/* twonet_run runs a shell command here or there; what it says is shown only
 * when it fails, and then the test ends. */
VX6_NONNULL void twonet_run(const struct twonet *t, bool there,
			    const char *command);

/* twonet_at is an address with port of an end of cable i. */
struct vx6_addr twonet_at(unsigned i, bool there, bool v4, uint16_t port);

/* twonet_udp is a UDP socket there, bound to `at`; reading it waits no
 * longer than 10 s.  twonet_wire is a packet socket there on cable i. */
VX6_NONNULL int twonet_udp(const struct twonet *t, const struct vx6_addr *at);
VX6_NONNULL int twonet_wire(const struct twonet *t, unsigned i);

/* twonet_stranger puts an XDP program of somebody else before an interface
 * here; it is there as long as the descriptor that is returned is open. */
VX6_NONNULL int twonet_stranger(const char *interface);

#endif
