/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_RELAY_RELAY_H
#define VX6_DATAPLANE_RELAY_RELAY_H

/* relay: bursts of cells in, the same frames, one layer less or more, out.
 *
 * A burst walks through phases.  Each is a short loop over the survivors of
 * the one before, and each touches one kind of memory:
 *
 *   parse      cell headers     refuse what is not a cell of a link
 *   unprotect  link keys        one AES block each
 *   route      half-circuits    refuse what has no circuit here
 *   fresh      windows          forward: test; backward: test and record
 *   crypt      payloads, keys   forward: open; backward: seal
 *   judge      windows          forward: record, the first of twins wins
 *   splice     payloads, keys   what was opened is sealed for the other leg
 *   send       headers          for the next hop
 *
 *                      +--> tx    rewritten, to be sent
 *     frames in -------+--> up    header unprotected, for vx6d's ring
 *     spares used      +--> free  dropped, or read and done with
 *
 * A frame of tx says what its payload sums to where the layer that wrote it
 * has told (vx6_layer_op): its cell is not read again for a checksum.
 *
 * Every frame ends in exactly one of the lists: in + spares used =
 * tx + up + away + free, and every test checks it after every call.  Drops are
 * counted by status, by half-circuit where there is one, and never logged.
 *
 *     half-circuit    a cell that came in is
 *     FORWARD         opened: kind 1 goes on, 2 becomes an event, 3 ends
 *     BACKWARD        sealed whole under the half's own counter
 *     LOCAL           handed up unopened; vx6d has its key and window
 *
 * A FORWARD half may have no out_link (this node is the terminal), and a
 * BACKWARD half no in_link (nothing comes in, control cells are injected).
 * Two legs that end here are joined by splicing such halves crosswise:
 *
 *     leg a   FORWARD --- open ---> P --- seal ---> BACKWARD   leg b
 *             BACKWARD <-- seal --- P <-- open --- FORWARD
 *
 * P, the ends' own cell, lies where it lay and keeps its length; each leg
 * has its key, its counter and its cell size.  A kind 1 cell on a terminal
 * that is not spliced has nowhere to go (VX6_NO_ROUTE).
 *
 * Several workers have a relay each, of one size, and nothing in common.
 * Each knows every link: keys, address, what it may carry.  But one alone,
 * the link's owner, hears its probes, asks, and says what became of it; the
 * others follow where it is (relay_link_follow) and tell the owner what they
 * have sent (relay_link_tell, relay_link_heard).
 *
 *     link           index modulo the number of workers
 *     half-circuit   the owner of its in_link, because there its cells are
 *                    handed; of its out_link where nothing comes in
 *
 * So a window, a key and a counter have one writer.  A cell that is opened
 * here and sealed by another worker ends in a fourth list, `away`, and goes
 * on there with relay_join.
 *
 * No I/O, clock, allocation or lock here: memory, time, randomness and
 * frames come in.  What vx6d should know waits as struct abi_msg in a
 * short queue that the caller drains; a control cell that finds it full is
 * dropped and counted, everything else is said again later.  Links whose
 * address changed are noted, for a port that filters by it.
 *
 * Ownership: struct relay and its memory are the caller's and secret: wipe
 * with relay_wipe.  Threads: one worker writes and reads it.
 * Cost: 128 bytes a half-circuit that every cell reads and writes, 400 more
 * that few do (the window's ring: one cell in 32, and those out of order),
 * and 4.5 KiB a link, when used.
 *
 * AES-256-GCM's tables, the key schedule and the powers of the hash key, are
 * 1,280 bytes a key, and twenty lines of them go with each cell.  While they
 * are in a cache that is the fastest way.  Among more keys than that, to
 * make them anew from 32 bytes of key is faster than to fetch them, so only
 * the first RELAY_TABLES half-circuits have any, and a million cost no
 * more.  bench_dataplane measures both (expand_value in its lines). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/status.h"
#include "dataplane/net/frame.h"
#include "dataplane/wire/layer.h"
#include "dataplane/wire/link.h"
#include "dataplane/wire/window.h"

#define RELAY_BURST   NET_BURST
#define RELAY_STEP    8u  /* cells of a burst that pass the phases together */
#define RELAY_SPARES  16u /* frames for probes and control cells of our own */
#define RELAY_OUT     (RELAY_BURST + RELAY_SPARES)
#define RELAY_WORKERS 16u  /* that share the links at most */
#define RELAY_EVENTS  256u /* a power of two */

#define RELAY_HALVES     65536u /* by default */
#define RELAY_TABLES     4096u  /* of AES-256-GCM: 5 MiB */
#define RELAY_HALVES_MAX (1u << ABI_IDX_BITS)
#define RELAY_LINKS      4096u /* by default */
#define RELAY_LINKS_MAX  65536u
#define RELAY_IDLE_NS    (600 * VX6_SEC)
#define RELAY_BAD_TAGS   (UINT64_C(1) << 36) /* close a half-circuit */
#define RELAY_CTL_NS     (VX6_SEC / 32)      /* control cells: 32/s .. */
#define RELAY_CTL_BURST  64u                 /* .. in bursts of 64 */

struct relay_opts {
	uint32_t links_max;  /* indices 1..links_max-1; 0 = RELAY_LINKS */
	uint32_t halves_max; /* likewise; 0 = RELAY_HALVES */
	uint64_t idle_ns;    /* without a cell: HALF_EVENT; 0 = default */
	uint64_t bad_tags;   /* failed tags that close a half; 0 = default */
	uint32_t workers;    /* that share the links; 0 = 1 */
	uint32_t worker;     /* which of them this is, from 0 */
};

struct VX6_ALIGNED(VX6_CACHELINE) relay_link {
	struct vx6_link link;
	bool used;
	struct vx6_addr self; /* ours that the peer proved; none = any */
	uint64_t cells_in, cells_out, bytes_in, bytes_out;
	uint64_t told_cells, told_bytes; /* of those out, by who follows */
	uint8_t events;                  /* vx6_link_event not yet said */
	uint8_t note[ABI_NOTE_LEN];
};

/* One line that admits and counts a cell, and one with the key and the
 * window's head: a pair, which the CPU fetches as one where it can. */
struct VX6_ALIGNED(2 * VX6_CACHELINE) relay_half {
	uint32_t id; /* 0 = free */
	uint32_t in_link, out_link;
	uint32_t out_id; /* out_link 0: the half that it is spliced to, or 0 */
	uint64_t expires_ns;
	uint64_t tx_next;           /* BACKWARD: the next counter to seal, */
	uint32_t tx_left;           /* and how many there still are */
	uint32_t last_ms;           /* last cell accepted, modulo 2^32 */
	uint16_t size_in, size_out; /* cell sizes, as in PROTOCOL.md 2 */
	uint8_t kind;               /* abi_half_kind */
	uint8_t said;  /* bit (1 << abi_half_event): event is out */
	uint8_t seals; /* spliced: the worker that has the other half */
	uint8_t zero;
	uint64_t cells, bytes;
	struct vx6_layer_key key; /* LOCAL: zeros */
	struct vx6_window_head win;
};

struct relay_cold { /* the rest: what few cells touch, or none */
	struct vx6_window_ring ring;
	uint32_t spliced_from; /* BACKWARD: the FORWARD half, or 0 */
	uint64_t dropped;
	uint64_t bad_tags;
	uint64_t ctl_ns; /* when the control cells' bucket is full again */
	uint64_t start_tx;
	uint8_t note[ABI_NOTE_LEN];
};

struct VX6_ALIGNED(VX6_CACHELINE) relay {
	struct relay_opts opts;
	struct relay_link *link;
	uint64_t *link_due;
	uint32_t *link_note; /* by index: 0 not noted, else the next noted */
	struct relay_half *half;
	struct vx6_layer_gcm *gcm; /* tables, of suite 1: RELAY_TABLES */
	struct relay_cold *cold;
	struct vx6_rand *rnd;
	uint32_t links, halves;    /* in use */
	uint32_t link_hi, half_hi; /* no index at or above was ever used */
	uint64_t links_ns;         /* the earliest of link_due */
	uint32_t noted;            /* first of the noted links */
	uint64_t sweep_ns;         /* next look at all half-circuits */
	uint32_t sweep_at;         /* where that look is; 0 = not looking */
	bool moved;                /* cells since the last sweep */
	struct abi_stats n;        /* what is counted here */
	uint64_t probes_in, probes_out, control_in, drop_cells;
	uint64_t relayed_bytes; /* of cells of others, sent */
	/* the caller tops it up before each call */
	struct net_frame *spare[RELAY_SPARES];
	unsigned spare_cnt;
	uint32_t ev_head, ev_cnt;
	struct abi_msg ev[RELAY_EVENTS];
};

struct relay_out { /* every call fills it anew */
	struct net_frame *tx[RELAY_OUT], *up[RELAY_BURST], *free[RELAY_OUT];
	struct net_frame *away[RELAY_BURST];
	unsigned tx_cnt, up_cnt, free_cnt, away_cnt;
};

/* relay_owner is the worker of a link; relay_half_owner that of a
 * half-circuit, by its links. */
static inline uint32_t relay_owner(uint32_t workers, uint32_t link)
{
	return vx6_likely(workers <= 1) ? 0 : link % workers;
}

static inline uint32_t relay_half_owner(uint32_t workers, uint32_t in_link,
					uint32_t out_link)
{
	return relay_owner(workers, in_link != 0 ? in_link : out_link);
}

/* relay_need is the memory that relay_init wants, zeroed and aligned to a
 * page; untouched slots are never written.  0: limits out of range. */
VX6_NONNULL size_t relay_need(const struct relay_opts *opts);

/* relay_init; VX6_CONFIG where relay_need says 0. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_init(struct relay *r, const struct relay_opts *opts, void *mem,
	   struct vx6_rand *rnd);

/* relay_wipe zeroes every key that was ever put into the tables. */
VX6_NONNULL void relay_wipe(struct relay *r);

/* ---- cells ---- */

/* relay_burst takes n <= RELAY_BURST received frames, of links that are
 * ours or nobody's, RELAY_STEP at a time: the tags of a step are judged
 * before its windows move.  An up frame holds the whole datagram, header
 * unprotected, and link the index it came on.  An away frame holds what
 * relay_join wants, and link the worker to join it. */
VX6_NONNULL void relay_burst(struct relay *r, struct net_frame *const f[],
			     unsigned n, uint64_t now_ns,
			     struct relay_out *out);

/* relay_join takes n <= RELAY_BURST frames that went away from other
 * workers, byte for byte, and seals them for the leg that is ours; refuses
 * VX6_NO_CIRCUIT (no such half, or not spliced to that one), VX6_EXPIRED,
 * VX6_EXHAUSTED, VX6_BAD_SIZE, VX6_NO_ROUTE. */
VX6_NONNULL void relay_join(struct relay *r, struct net_frame *const f[],
			    unsigned n, uint64_t now_ns, struct relay_out *out);

/* A cell that went away begins with the two halves of its splice, in
 * RELAY_AWAY bytes, which relay_join leaves as they are where it refuses.
 * relay_joined says whether they are joined here: false, the half that is
 * ours has ended, or was never joined to that one.  relay_parted tells the
 * worker that opens: `by`, which was to seal, has no such half, and cells go
 * nowhere (VX6_NO_ROUTE) as where both are one worker's.  Old news, of a
 * splice that was made anew meanwhile, is passed over. */
#define RELAY_AWAY 8u
VX6_MUST_CHECK VX6_NONNULL bool relay_joined(const struct relay *r,
					     const uint8_t away[RELAY_AWAY]);
VX6_NONNULL void relay_parted(struct relay *r, const uint8_t away[RELAY_AWAY],
			      uint32_t by);

/* A cell of tx may wait before it is sent.  relay_again says where it goes
 * when its time has come; false: nowhere, its half-circuit or the link is
 * gone.  relay_lost counts one that is not sent after all. */
VX6_MUST_CHECK VX6_NONNULL bool relay_again(const struct relay *r,
					    struct net_frame *f);
VX6_NONNULL void relay_lost(struct relay *r, const struct net_frame *f,
			    enum vx6_status why);

/* One cell of a LOCAL half-circuit to send: f holds H8 | C and nothing
 * before it that matters. */
struct relay_down {
	struct net_frame *f;
	uint32_t link, circ; /* goes out on; the receiver's id */
	uint16_t cell_size;
};

/* relay_down gives n <= RELAY_BURST cells link header, pad, protection and
 * addresses; refuses VX6_NO_LINK, VX6_NO_CIRCUIT (id 0), VX6_BAD_SIZE,
 * VX6_BAD_KIND, VX6_NO_ROUTE. */
VX6_NONNULL void relay_down(struct relay *r, const struct relay_down d[],
			    unsigned n, uint64_t now_ns, struct relay_out *out);

/* relay_tick does what is due: probes, expiry, idle half-circuits, events
 * that found no room.  A bounded piece of work; call it when relay_due has
 * come, after the frames that have arrived. */
VX6_NONNULL void relay_tick(struct relay *r, uint64_t now_ns,
			    struct relay_out *out);
VX6_NONNULL uint64_t relay_due(const struct relay *r);

/* relay_event returns the oldest event, seq 0, or NULL; relay_event_done
 * takes it off. */
VX6_NONNULL const struct abi_msg *relay_event(const struct relay *r);
VX6_NONNULL void relay_event_done(struct relay *r);

/* relay_noted takes a link off the list of those whose proved address is
 * another than when they were taken off last: true with its index, and its
 * address (none: not proved yet) or NULL for a link that is no more.  Any
 * call may note links, each at most once, so the list is bounded.  Links of
 * other workers are noted when relay_link_tell has something to tell. */
VX6_MUST_CHECK VX6_NONNULL bool relay_noted(struct relay *r, uint32_t *index,
					    const struct vx6_addr **addr);

/* ---- a link that several workers know ---- */

struct relay_sent { /* by a worker that follows, since it told last */
	uint64_t cells, bytes, last_ns;
};

/* relay_link_tell is what the owner of a link, not ours, has to be told;
 * relay_link_heard tells it.  An index that is no link is passed over. */
VX6_MUST_CHECK VX6_NONNULL struct relay_sent relay_link_tell(struct relay *r,
							     uint32_t index);
VX6_NONNULL void relay_link_heard(struct relay *r, uint32_t index,
				  const struct relay_sent *s);

/* relay_link_follow takes what the owner of a link, not ours, says: its
 * proved address, and ours towards it. */
VX6_NONNULL void relay_link_follow(struct relay *r, uint32_t index,
				   const struct vx6_addr *addr,
				   const struct vx6_addr *self);

/* ---- commands: done whole, or refused with the tables as they were.
 * Messages have passed abi_check; indices are judged here. ---- */

/* VX6_NO_ROOM: index beyond the limit; VX6_EXISTS; VX6_MALFORMED.  Every
 * worker is told of every link, its owner last. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_link_add(struct relay *r, const struct abi_link *l, uint64_t now_ns);

/* Takes the note, and the address where it is another: the link is asked
 * there at once.  No address: ours is another one, the link is asked at
 * once where it is, from whichever address leads there, and keeps its note.
 * For the owner.  VX6_NO_LINK. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_link_change(struct relay *r, const struct abi_link *l, uint64_t now_ns);

/* Ends the link and every half-circuit that touches it.  VX6_NO_LINK.
 * Cost: looks at each half-circuit once. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status relay_link_remove(struct relay *r,
							     uint32_t index);

/* VX6_NO_ROOM, VX6_EXISTS (slot in use), VX6_NO_LINK, VX6_UNSUPPORTED
 * (suite), VX6_MALFORMED (a start over 46 bits, links a kind cannot have,
 * id 0 to send under, a cell size that does not exist).  For the owner. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_half_add(struct relay *r, const struct abi_half *h, uint64_t now_ns);

/* VX6_NO_CIRCUIT. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status relay_half_remove(struct relay *r,
							     uint32_t id);

/* relay_splice joins `id`, FORWARD without out_link, to `to`, BACKWARD
 * without in_link.  VX6_NO_CIRCUIT (either), VX6_MALFORMED (not such
 * halves), VX6_EXISTS (either is spliced). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_splice(struct relay *r, uint32_t id, uint32_t to);

/* relay_splice_across does this worker's part where one of the two is
 * another worker's: `to` first, where it is, then `id`.  What either was
 * spliced to before is taken for gone, which the caller knows: a half that
 * ends tells no other worker, but whoever still opens cells for it hears so
 * by the first that it hands over (relay_parted).  VX6_NO_CIRCUIT (the one
 * here), VX6_MALFORMED. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_splice_across(struct relay *r, uint32_t id, uint32_t to, uint32_t other);

/* VX6_NO_CIRCUIT; VX6_NOT_FOUND: it is not spliced to anything. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status relay_unsplice(struct relay *r,
							  uint32_t id);

/* relay_inject seals body as a kind-2 cell on a BACKWARD half, under its
 * own counter, in a spare.  VX6_NO_CIRCUIT, VX6_EXPIRED, VX6_EXHAUSTED,
 * VX6_NO_ROUTE, VX6_BAD_SIZE, VX6_NO_ROOM (no spare). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
relay_inject(struct relay *r, const struct abi_control *c, uint64_t now_ns,
	     struct relay_out *out);

/* relay_dump writes the next LINK_IS or HALF_IS, never a key; *cursor is 0
 * at first.  False: that was all.  Cost: bounded, may answer true with
 * m->type 0 when it only got on. */
VX6_MUST_CHECK VX6_NONNULL bool relay_dump(const struct relay *r,
					   uint64_t now_ns, uint64_t *cursor,
					   struct abi_msg *m);

#endif
