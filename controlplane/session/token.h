/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_TOKEN_H
#define VX6_CONTROLPLANE_SESSION_TOKEN_H

/* token: what an endpoint can prove later without remembering anything.
 *
 * A Retry token (RFC 9000 section 8.1.2) says: whoever returns this was
 * reachable at that address, at that time, and first asked for this
 * connection id.  It is sealed under a key of this process, bound to the
 * address and to the Retry's own connection id, and good for 10 s.
 *
 *     nonce 24 || XChaCha20-Poly1305(len 1, odcid 20, time 8)
 *
 * A stateless reset token (section 10.3) is a keyed hash of a connection
 * id.  Its key comes from the node's identity, so that a restarted node
 * can still tell its old peers that their connections are gone; so an
 * identity may serve one endpoint at a time (section 10.3.2: a second one
 * would give away the tokens of the first).
 *
 * Ownership: values; struct quic_tokens is secret.  Threads: one. */

#include <stddef.h>
#include <stdint.h>

#include "controlplane/session/quic.h"

#define QUIC_TOKEN_LEN   (24u + 29u + 16u)
#define QUIC_TOKEN_NS    (UINT64_C(10) * 1000000000)
#define QUIC_RESET_TOKEN 16u
#define QUIC_CID_MAX     20u

struct quic_tokens {
	uint8_t retry_key[32];
	uint8_t reset_key[32];
};

struct quic_cid_bytes {
	uint8_t len;
	uint8_t data[QUIC_CID_MAX];
};

VX6_NONNULL void quic_tokens_init(struct quic_tokens *t,
				  const struct quic_identity *id);

/* quic_token_make writes a Retry token for the client at remote, which
 * asked for odcid and will be known as scid. */
VX6_NONNULL void quic_token_make(const struct quic_tokens *t,
				 uint8_t out[QUIC_TOKEN_LEN],
				 const struct quic_cid_bytes *odcid,
				 const struct quic_cid_bytes *scid,
				 const struct vx6_addr *remote,
				 uint64_t now_ns);

/* quic_token_check opens one.  VX6_BAD_TAG: not ours, or another address
 * or connection id; VX6_EXPIRED: too old; VX6_MALFORMED: ours, and not such
 * a one. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_token_check(const struct quic_tokens *t, const uint8_t *token, size_t len,
		 const struct quic_cid_bytes *scid,
		 const struct vx6_addr *remote, uint64_t now_ns,
		 struct quic_cid_bytes *odcid);

/* quic_reset_token is the stateless reset token of cid. */
VX6_NONNULL void quic_reset_token(const struct quic_tokens *t,
				  const uint8_t *cid, size_t len,
				  uint8_t out[QUIC_RESET_TOKEN]);

#endif
