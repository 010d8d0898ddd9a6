/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_ONE_RELAY_H
#define VX6_TESTS_SUPPORT_ONE_RELAY_H

/* one_relay: the relay of dp_kit that a program's tests have, for cmocka
 * programs, which it fails where something does not go as it should.
 *
 *     one_arrives --> [ node ] --> one_out, one_give
 *                         '------> nothing, one drop: one_refuses
 *
 * A worker may stand over it, without a thread: the test turns it. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dp_kit.h"

extern struct dp_node node;

/* one_open makes it, with links 1 to cnt.  one_close, a fixture, ends it;
 * every frame is back by then. */
VX6_NONNULL void one_open(const struct relay_opts *opts, uint32_t cnt);
int one_close(void **state);

VX6_NONNULL void one_add(const struct abi_half *h);

/* one_drops is how often it dropped something as st. */
uint64_t one_drops(enum vx6_status st);

/* one_arrives puts a datagram of a link's neighbour into the port. */
VX6_NONNULL void one_arrives(const uint8_t *p, size_t len, uint32_t from_link);

/* one_out relays what has arrived; the frame that left for it, which is the
 * caller's until one_give, or NULL. */
struct net_frame *one_out(void);
VX6_NONNULL void one_give(struct net_frame *f);

/* one_refuses: a datagram in, nothing out, one drop of that kind. */
VX6_NONNULL void one_refuses(const uint8_t *p, size_t len, uint32_t from_link,
			     enum vx6_status why);

/* one_worker makes a worker over it, on any CPU; one_worker_end ends both:
 * every frame is back by then. */
struct worker *one_worker(void);
VX6_NONNULL void one_worker_end(struct worker *w);

#endif
