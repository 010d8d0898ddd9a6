/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_SENDBUF_H
#define VX6_CONTROLPLANE_SESSION_SENDBUF_H

/* sendbuf: bytes of a stream from when they were handed over until the
 * peer acknowledged them.
 *
 *     acked           sent              end
 *       |   in flight   |    to send     |
 *
 * Bytes never move: QUIC points into them until they are acknowledged.
 * They lie in chunks, each freed when its last byte was acknowledged.
 *
 * Ownership: the caller's struct, its own chunks.  Bounded by `limit`. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"

struct quic_chunk {
	struct quic_chunk *next;
	size_t len, cap;
	uint8_t data[];
};

struct quic_sendbuf {
	struct quic_chunk *head, *tail;
	struct quic_chunk *sent_chunk; /* where `sent` is; NULL: at the end */
	size_t sent_at;                /* in it */
	uint64_t acked, sent, end;     /* stream offsets */
	uint64_t base;                 /* offset of head's first byte */
	size_t limit;
};

struct quic_span {
	uint8_t *base;
	size_t len;
};

VX6_NONNULL void quic_sendbuf_init(struct quic_sendbuf *b, size_t limit);
VX6_NONNULL void quic_sendbuf_free(struct quic_sendbuf *b);

VX6_NONNULL size_t quic_sendbuf_space(const struct quic_sendbuf *b);
/* quic_sendbuf_put copies what fits and returns how much that was. */
VX6_NONNULL_ARGS(1)
size_t quic_sendbuf_put(struct quic_sendbuf *b, const uint8_t *data,
			size_t len);
/* quic_sendbuf_peek points at bytes not yet sent; returns the spans used. */
VX6_NONNULL size_t quic_sendbuf_peek(const struct quic_sendbuf *b,
				     struct quic_span *span, size_t cnt);
/* quic_sendbuf_sent moves on by len bytes that were peeked at. */
VX6_NONNULL void quic_sendbuf_sent(struct quic_sendbuf *b, size_t len);
/* quic_sendbuf_acked frees what lies before offset. */
VX6_NONNULL void quic_sendbuf_acked(struct quic_sendbuf *b, uint64_t offset);

#endif
