/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_FRAMES_H
#define VX6_CONTROLPLANE_SESSION_FRAMES_H

/* frames: the little of 1-RTT packets that quic reads itself, as they pass
 * through packet protection (RFC 9000 section 19), for two things which
 * ngtcp2 1.11 does not do.
 *
 * It does not tell of a peer's STOP_SENDING.  So that is noted here.
 *
 * And it gives up the process over a peer that hoards connection ids.  It
 * remembers at most 16 ids that it has retired and whose retirement the
 * peer has not acknowledged.  The 17th is an error, and on the way a
 * server takes when a packet comes from a new address, an error that is
 * not "no id left" is an assertion.  Any peer that finished a handshake
 * can get there: it hands out ids, has them retired (by moving, or by
 * retire_prior_to) and never acknowledges the retirements.
 *
 * An honest peer cannot: it may have 8 ids in use (our
 * active_connection_id_limit), and hands out another only for one whose
 * retirement it received.  So this counts
 *
 *     ids handed out - 1 - retirements known to be acknowledged
 *
 * which bounds what ngtcp2 remembers, and says no at 16, before ngtcp2
 * sees the packet.
 *
 * Ownership: values.  Cost: a compare for a packet that is one STREAM
 * frame; else some tens of nanoseconds. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

#define QUIC_CIDS_OWED 15u
#define QUIC_CIDS_SENT 64u
#define QUIC_STOPS     64u /* of one datagram; more are not told of */

struct quic_cidwatch {
	uint64_t issued;  /* ids the peer handed out beside the first */
	uint64_t retired; /* retirements it acknowledged */
	struct {
		uint64_t pkt; /* packet that said so */
		uint64_t seq;
	} sent[QUIC_CIDS_SENT]; /* not acknowledged, oldest first */
	unsigned sent_cnt;
	uint64_t acked[QUIC_CIDS_SENT]; /* the latest: one counts once */
	uint64_t acked_cnt;
};

struct quic_stops { /* STOP_SENDING frames that came */
	unsigned cnt;
	struct {
		int64_t id;
		uint64_t code;
	} of[QUIC_STOPS];
};

/* quic_frames_out reads the plaintext of packet number pkt that leaves. */
VX6_NONNULL_ARGS(1)
void quic_frames_out(struct quic_cidwatch *w, uint64_t pkt,
		     const uint8_t *frames, size_t len);

/* quic_frames_in reads the plaintext of a packet that came and was
 * authenticated, and adds to stops.  False: close the connection and do
 * not let ngtcp2 read it.  Frames that it cannot read end its reading;
 * ngtcp2 judges them. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1,
				2) bool quic_frames_in(struct quic_cidwatch *w,
						       struct quic_stops *stops,
						       const uint8_t *frames,
						       size_t len);

#endif
