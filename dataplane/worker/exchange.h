/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WORKER_EXCHANGE_H
#define VX6_DATAPLANE_WORKER_EXCHANGE_H

/* exchange: a worker's side of the rings between workers.
 *
 *     port --rx--> exchange_sort --ours--> relay_burst --away--+
 *                     | others'                                |
 *                     v                                        v
 *                  hand_put ------> ring of the pair <--- exchange_join
 *                                      |
 *     relay_burst, relay_join <-- exchange_take
 *
 * Which link a cell is of stands in its readable bytes; nothing of it is
 * changed before it is with the link's owner.
 *
 * A worker that sleeps is woken once for all that a call handed it.  It sets
 * `asleep` and looks at its rings once more before it sleeps; whoever hands
 * over writes the ring first and reads `asleep` then.  Both are
 * read-modify-writes of that one word, so one of them comes first, and
 * either sees what the other did.
 *
 * Threads: the worker's. */

#include "dataplane/worker/worker.h"

/* exchange_sort keeps the frames that are ours in f and returns how many;
 * the others are handed over, or dropped and counted. */
VX6_MUST_CHECK VX6_NONNULL unsigned
exchange_sort(struct worker *w, struct net_frame *f[], unsigned n);

/* exchange_join hands over what went away, each frame to the worker in its
 * link field; exchange_up what is for vx6d, to the first worker. */
VX6_NONNULL void exchange_join(struct worker *w, struct net_frame *const f[],
			       unsigned n);
VX6_NONNULL void exchange_up(struct worker *w, struct net_frame *const f[],
			     unsigned n);

/* exchange_parted looks at what relay_join has refused of what `from` handed
 * us, as it came: whose splice is no more is told, so that no further cell is
 * opened and copied for nothing.  Who is not told, because its ring is full,
 * hands over again. */
VX6_NONNULL void exchange_parted(struct worker *w, unsigned from,
				 struct net_frame *const f[], unsigned n);

/* exchange_take takes at most RELAY_BURST things that `from` handed us;
 * what it says of links is done.  Returns how many there were. */
struct exchange_in {
	struct net_frame *cell[RELAY_BURST], *join[RELAY_BURST],
		*up[RELAY_BURST];
	unsigned cell_cnt, join_cnt, up_cnt;
};
VX6_MUST_CHECK VX6_NONNULL unsigned
exchange_take(struct worker *w, unsigned from, struct exchange_in *in);

/* exchange_news tells the others of links what they must know. */
VX6_NONNULL void exchange_news(struct worker *w);

/* exchange_sleep says that we are about to sleep; true when that is right.
 * exchange_awake takes it back. */
VX6_MUST_CHECK VX6_NONNULL bool exchange_sleep(struct worker *w);
VX6_NONNULL void exchange_awake(struct worker *w);

#endif
