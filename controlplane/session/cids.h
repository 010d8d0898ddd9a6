/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_CIDS_H
#define VX6_CONTROLPLANE_SESSION_CIDS_H

/* cids: which connection a datagram belongs to.
 *
 * Keys are the connection ids that we gave out (8 bytes), the ids that
 * clients chose for a first flight (8 to 20), and the stateless reset
 * tokens that peers may send (16 bytes at the end of what looks like
 * noise).  Strangers choose some of them, so the hash is keyed.
 *
 * Ownership: the table owns its entries; each connection chains its own
 * so that they go with it.  At most CIDS_PER_CONN each. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define QUIC_CIDS_PER_CONN 64u

struct quic_conn;

enum quic_cid_kind { QUIC_CID_ID, QUIC_CID_RESET };

struct quic_cid {
	struct quic_cid *next; /* in the bucket */
	struct quic_cid *mine; /* of the same connection */
	struct quic_conn *conn;
	uint8_t kind, len;
	uint8_t data[20];
};

struct quic_cids {
	struct quic_cid **bucket;
	size_t mask;
	uint8_t key[16];
};

/* quic_cids_init makes room for about conns connections. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status quic_cids_init(struct quic_cids *t,
							  size_t conns);
VX6_NONNULL void quic_cids_free(struct quic_cids *t);

/* quic_cids_add puts an id into the table and in front of *mine.
 * VX6_EXISTS for one that is there, VX6_NO_ROOM at the limit, VX6_BAD_SIZE
 * for one too long, VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_cids_add(struct quic_cids *t, struct quic_cid **mine,
	      struct quic_conn *conn, enum quic_cid_kind kind,
	      const uint8_t *data, size_t len);

/* quic_cids_drop removes one of *mine, if it is there. */
VX6_NONNULL void quic_cids_drop(struct quic_cids *t, struct quic_cid **mine,
				enum quic_cid_kind kind, const uint8_t *data,
				size_t len);
/* quic_cids_drop_all removes all of *mine. */
VX6_NONNULL void quic_cids_drop_all(struct quic_cids *t,
				    struct quic_cid **mine);

/* quic_cids_find returns NULL for an id that nobody has. */
VX6_NONNULL struct quic_conn *quic_cids_find(const struct quic_cids *t,
					     enum quic_cid_kind kind,
					     const uint8_t *data, size_t len);

#endif
