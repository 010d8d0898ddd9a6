/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_IDENTITY_H
#define VX6_CONTROLPLANE_RECORD_IDENTITY_H

/* identity: the one Ed25519 key that a node is.
 *
 * STATE/identity.key holds 64 bytes, seed || public key, mode 0600.  It is
 * made once, whole or not at all: a temporary file of another name is
 * written and synced, then linked to its place, which fails where there is
 * one already; the directory is synced last.  It is never overwritten, by
 * anything.  A file with other permissions, another owner, another size,
 * or whose two halves do not belong together is refused in words.
 *
 * The node ID is BLAKE2b-256 of the public key (PROTOCOL.md 1).  The
 * encryption key of the node's record is X25519 and follows from the seed:
 * secret = HASH("vx6/1 encryption key"; seed).
 *
 * Ownership: the caller's struct.  Secret: wipe it with identity_wipe.
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/record/state.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define IDENTITY_FILE     "identity.key"
#define IDENTITY_FILE_LEN 64u

struct identity {
	uint8_t seed[32];
	uint8_t public_key[32];
	uint8_t id[32]; /* node ID */
	uint8_t enc_secret[32], enc_public[32];
};

/* identity_from_seed fills id. */
VX6_NONNULL void identity_from_seed(struct identity *id,
				    const uint8_t seed[32]);

/* identity_create draws a key and makes dir/identity.key of it.
 * VX6_EXISTS when there is one; VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
identity_create(const char *dir, struct identity *id, struct state_why *why);

/* identity_load reads dir/identity.key.  VX6_NOT_FOUND; VX6_CONFIG for
 * owner, mode, type and size; VX6_BAD_KEY when it is damaged; VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
identity_load(const char *dir, struct identity *id, struct state_why *why);

/* identity_open loads the key, or makes it where there is none; *made says
 * which. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status identity_open(const char *dir,
							 struct identity *id,
							 bool *made,
							 struct state_why *why);

/* identity_sign writes an Ed25519 signature of msg. */
VX6_NONNULL void identity_sign(const struct identity *id, const uint8_t *msg,
			       size_t len, uint8_t signature[64]);

VX6_NONNULL void identity_wipe(struct identity *id);

#endif
