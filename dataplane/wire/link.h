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
 * Whoever owns the socket owns the link: a data-plane worker, or vx6d
 * itself on a node without a data plane.  No I/O here: datagrams to send
 * and what became of the link come out; time comes in.
 *
 * Ownership: the caller's struct; secret (wipe it).  Threads: one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/rand.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/aead/aead.h"
#include "dataplane/wire/cell.h"
#include "dataplane/wire/window.h"

#define VX6_LINK_INDEX_MAX 0xffffffu /* 24 bits; 0 is not used */

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
	uint64_t ask_ns;      /* between asks on a quiet link: 15 s */
	uint64_t ask_busy_ns; /* when cells went out and none came: 1 s */
	uint32_t index;       /* ours: cells to us carry it */
	uint32_t peer_index;  /* theirs: cells to them carry it */
	uint16_t u;           /* largest UDP payload claimed, 32..1472 */
	bool behind_nat;      /* we said "learn": ask at least every 20 s */
};

enum vx6_link_state { VX6_LINK_NEW, VX6_LINK_UP, VX6_LINK_DOWN };

enum vx6_link_event { /* bits of vx6_link_out.events */
		      VX6_LINK_EV_UP = 1,
		      VX6_LINK_EV_DOWN = 2,
		      VX6_LINK_EV_MOVED = 4
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
	uint64_t probe_top; /* newest valid one received */
	struct vx6_window probe_win;
	uint64_t ask_ns, ask_busy_ns;
	uint64_t due_ns, last_ask_ns, srtt_ns, min_rtt_ns;
	uint64_t asks, answers; /* counted since the start */
	uint64_t ask_token;
	uint8_t unanswered;
	bool behind_nat;
	struct vx6_addr candidate;
	uint64_t candidate_token, challenge_ns;
	struct vx6_addr observed; /* where the peer sees us */
	uint16_t u_peer;          /* what the peer claimed last */
};

/* vx6_link_init; VX6_MALFORMED for an index of 0 or over 24 bits, or a u
 * out of range. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_link_init(struct vx6_link *l, const struct vx6_link_setup *setup,
	      uint64_t now_ns);

/* vx6_link_probe takes a cell of kind 4 on circuit 0 whose header is
 * unprotected and parsed (p: whole UDP payload of size bytes).  out is
 * always filled.  DROP statuses change nothing.  rnd draws tokens. */
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
 * unanswered one.  Call it at vx6_link_due, earlier is harmless. */
VX6_NONNULL void vx6_link_tick(struct vx6_link *l, uint64_t now_ns,
			       struct vx6_rand *rnd, struct vx6_link_out *out);
VX6_NONNULL uint64_t vx6_link_due(const struct vx6_link *l);

VX6_NONNULL void vx6_link_wipe(struct vx6_link *l);

#endif
