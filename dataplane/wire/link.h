/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_WIRE_LINK_H
#define VX6_DATAPLANE_WIRE_LINK_H

/* link: one adjacency between two nodes, as a value that is told things
 * (PROTOCOL.md section 6).
 *
 *        answer to our ask, from where it should be
 *     NEW ------------------------------------------> UP <---+
 *      |                                               |     | answer
 *      |  no address: wait for the first valid ask     |     |
 *      |                     3 asks without answer     v     |
 *      +--------------------------------------------> DOWN --+
 *
 * A link that says "learn" has no address until a valid ask came; a valid
 * newest probe from another address is challenged there, and the link
 * moves when the response comes from there.  Cells are accepted only from
 * the proved address.
 *
 * Probes, and what section 6 leaves to us:
 *
 * Asks that keep the link alive are as small as probes get, 70 bytes, and
 * so are answers, challenges and responses: nothing we send to an address
 * that is not proved is larger than what came from it.  An ask is repeated
 * after gap = max(1 s, 4 RTT), at most 15 s, and the third that stays
 * unanswered means DOWN; from then on the gap doubles up to the ask
 * interval.  A late answer to any of the last eight still counts.
 *
 * Path MTU (in the manner of RFC 8899): next to an ask, a second one is
 * sent now and then, padded to a size on trial.  Its answer proves that
 * size; when the small one is answered and the padded one is not, three
 * times running, the size is lost, and the next smaller one is tried, down
 * to 1232.  So a path that swallows large datagrams is a link with a small
 * u_proved and not a dead one.  A proved size is tried again every minute,
 * a larger one every 10 minutes.
 *
 * A probe from elsewhere starts a challenge, and a response counts, only
 * when it is newer than every probe before it; so one that was held back
 * moves nothing.  A challenge from elsewhere is answered and challenged
 * later, by the next probe, so that what we send stays within what came.
 * An ask from elsewhere is answered to the proved address: whoever races
 * the peer's probes from an address of his own must not kill the link.
 *
 * The clock in a probe starts at 0 with the link: it tells the peer no
 * uptime, by which two identities of one host could be matched.
 *
 * Whoever owns the socket owns the link: a data-plane worker, or vx6d
 * itself on a node without a data plane.  No I/O here: datagrams to send
 * and what became of the link come out; time comes in.
 *
 * Ownership: the caller's struct; secret (wipe it).  Threads: one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/cell.h"
#include "dataplane/wire/window.h"

#define VX6_LINK_INDEX_MAX 0xffffffu /* 24 bits; 0 is not used */

#define VX6_PROBE_MIN     70u            /* header, 38 bytes of probe, tag */
#define VX6_LINK_U_BASE   1232u          /* what every path is taken to carry */
#define VX6_LINK_ASKS     3u             /* this many unanswered: DOWN */
#define VX6_LINK_RECALL   8u             /* asks whose late answer counts */
#define VX6_LINK_ASK_NS   (15 * VX6_SEC) /* where setup says 0 */
#define VX6_LINK_BUSY_NS  (1 * VX6_SEC)  /* where setup says 0 */
#define VX6_LINK_NAT_NS   (20 * VX6_SEC) /* behind NAT: at least so often */
#define VX6_LINK_GAP_NS   (1 * VX6_SEC)  /* least before an ask's repeat */
#define VX6_LINK_TEST_NS  (60 * VX6_SEC) /* a proved size is tried again */
#define VX6_LINK_RAISE_NS (600 * VX6_SEC) /* and a larger one */

struct vx6_link_keys { /* secret */
	uint8_t hdr_tx[16], hdr_rx[16];
	uint8_t probe_tx[32], probe_rx[32];
};

/* vx6_link_context is the exporter's context for both indices and nonces:
 * HASH("vx6/1 link"; ..).  The exporter's label is below; it gives prk. */
#define VX6_LINK_EXPORTER "EXPORTER-vx6-link-1"
VX6_NONNULL void vx6_link_context(uint8_t out[32], uint32_t opener_index,
				  const uint8_t opener_nonce[16],
				  uint32_t answerer_index,
				  const uint8_t answerer_nonce[16]);

/* vx6_link_derive splits prk into our four keys. */
VX6_NONNULL void vx6_link_derive(struct vx6_link_keys *k, const uint8_t prk[32],
				 bool opener);

struct vx6_link_setup {
	struct vx6_link_keys keys;
	struct vx6_addr peer; /* none = learn it from its first ask */
	uint64_t ask_ns;      /* between asks on a quiet link; 0 = 15 s */
	uint64_t ask_busy_ns; /* when cells went out and none came; 0 = 1 s */
	uint32_t index;       /* ours: cells to us carry it */
	uint32_t peer_index;  /* theirs: cells to them carry it */
	uint16_t u;           /* largest UDP payload claimed, 70..1472 */
	bool behind_nat;      /* we said "learn": ask at least every 20 s */
};

enum vx6_link_state { VX6_LINK_NEW, VX6_LINK_UP, VX6_LINK_DOWN };

enum vx6_link_event { /* bits of vx6_link_out.events */
		      VX6_LINK_EV_UP = 1,
		      VX6_LINK_EV_DOWN = 2,
		      VX6_LINK_EV_MOVED = 4,
		      VX6_LINK_EV_SIZE = 8 /* u_proved is another */
};

struct vx6_link_out {
	unsigned events;
	unsigned n;
	struct {
		struct vx6_addr to;
		uint16_t len;
		uint8_t data[VX6_CELL_MAX]; /* whole UDP payload, protected */
	} pkt[2];                           /* no event asks for more */
};

struct vx6_link {
	/* hot: read for every cell */
	struct vx6_aes hp_rx, hp_tx;
	struct vx6_addr addr; /* proved; none until learnt */
	uint32_t index, peer_index;
	uint16_t u;
	uint8_t state;
	/* told by the owner once per burst: plain stores */
	uint64_t cell_rx_ns, cell_tx_ns;
	/* cold */
	struct vx6_aead probe_tx, probe_rx;
	uint64_t probe_ctr; /* next to seal */
	uint64_t probe_top; /* newest valid one received, plus 1; 0 = none */
	struct vx6_window probe_win;
	uint64_t ask_ns, ask_busy_ns;
	uint64_t due_ns; /* what vx6_link_due starts from */
	uint64_t last_ask_ns;
	uint64_t heard_ns;            /* last answer */
	uint64_t srtt_ns, min_rtt_ns; /* 0 = no sample yet */
	uint64_t asks, answers;       /* counted since the start, no tests */
	uint64_t born_ns;
	struct vx6_link_ask {
		uint64_t token, sent_ns;
		bool open; /* not answered yet */
	} ask[VX6_LINK_RECALL], test;
	uint8_t ask_at;     /* place of the newest */
	uint8_t unanswered; /* running, since the last answer */
	bool waiting;       /* the newest ask may still be answered */
	bool behind_nat;
	struct vx6_addr candidate; /* none = no challenge is open */
	uint64_t candidate_token, challenge_ns;
	bool challenged;          /* challenge_ns says something */
	struct vx6_addr observed; /* where the peer sees us */
	uint16_t u_peer;          /* what the peer claimed last; 0 = never */
	uint16_t u_proved; /* largest datagram that arrived; 0 = untested */
	uint16_t u_trial;  /* size on trial */
	uint8_t test_lost; /* running */
	uint64_t test_ns;  /* when the trial goes on */
	uint64_t raise_ns; /* when a larger size is tried again */
};

/* vx6_link_init; VX6_MALFORMED for an index of 0 or over 24 bits, or a u
 * out of range.  Ask intervals are taken between 10 ms and an hour. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_link_init(struct vx6_link *l, const struct vx6_link_setup *setup,
	      uint64_t now_ns);

/* vx6_link_probe takes a cell of kind 4 on circuit 0 whose header is
 * unprotected and parsed (p: whole UDP payload of size bytes).  out is
 * always filled.  rnd draws tokens.
 *
 * DROP and SHED statuses change nothing but, where the tag was right, the
 * window: VX6_BAD_SIZE, VX6_BAD_KIND, VX6_REPLAYED, VX6_OUT_OF_RANGE,
 * VX6_BAD_TAG, VX6_MALFORMED (an op, size or byte that cannot be),
 * VX6_BAD_SOURCE (authentic, from elsewhere, and too old to be heeded),
 * VX6_RATE (likewise, challenged less than 1 s ago). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_link_probe(struct vx6_link *l, uint8_t *p, size_t size,
	       const struct vx6_addr *from, uint64_t now_ns,
	       struct vx6_rand *rnd, struct vx6_link_out *out);

/* vx6_link_from says whether a cell that is no probe may come from there:
 * VX6_OK or VX6_BAD_SOURCE. */
VX6_MUST_CHECK VX6_NONNULL static inline enum vx6_status
vx6_link_from(const struct vx6_link *l, const struct vx6_addr *from)
{
	return vx6_likely(vx6_addr_eq(&l->addr, from)) ? VX6_OK
						       : VX6_BAD_SOURCE;
}

/* vx6_link_tick does what is due at now_ns: an ask, DOWN after the third
 * unanswered one.  Call it at vx6_link_due, earlier is harmless.  First
 * take the probes that have arrived, so that a stalled owner does not take
 * unread answers for missing ones; one call counts one ask, however late. */
VX6_NONNULL void vx6_link_tick(struct vx6_link *l, uint64_t now_ns,
			       struct vx6_rand *rnd, struct vx6_link_out *out);

/* vx6_link_due is when to call vx6_link_tick, VX6_NEVER while there is no
 * address to ask.  Probes and ticks change it, and so do the stores to
 * cell_tx_ns and cell_rx_ns: who keeps it in a timer looks again at least
 * once a second. */
VX6_NONNULL uint64_t vx6_link_due(const struct vx6_link *l);

/* vx6_link_redirect is for an address that the control plane was told by
 * the proved peer, and, with the address that the link has, for a change at
 * our own end (LINK_CHANGE): the link forgets what it knew of the path and
 * asks there at once, so that the peer sees where we are.  It stays UP until
 * asks stay unanswered. */
VX6_NONNULL void vx6_link_redirect(struct vx6_link *l,
				   const struct vx6_addr *peer,
				   uint64_t now_ns);

/* vx6_link_usable is the largest datagram to count on: u_proved, or the
 * smaller of u and 1232 while nothing is proved. */
VX6_NONNULL static inline uint16_t vx6_link_usable(const struct vx6_link *l)
{
	if (l->u_proved != 0)
		return l->u_proved;
	return l->u < VX6_LINK_U_BASE ? l->u : (uint16_t)VX6_LINK_U_BASE;
}

VX6_NONNULL void vx6_link_wipe(struct vx6_link *l);

#endif
