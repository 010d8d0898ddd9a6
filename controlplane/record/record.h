/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_RECORD_H
#define VX6_CONTROLPLANE_RECORD_RECORD_H

/* record: the signed envelope around everything that nodes publish
 * (envelope.cddl, PROTOCOL.md section 12).
 *
 *     [ h'signed', h'signature' ]
 *          |
 *          +-- {1 type, 2 version, 3 publisher key, 4 sequence, 5 issued,
 *               6 expires, 7 body, 8 signing-key certificate or null}
 *
 * The signature is Ed25519 over "vx6/1 record" || 0x00 || the exact bytes
 * inside the first byte string.  Nothing is re-encoded: what was received
 * is what is checked, stored and passed on, fields that we do not know
 * included.  An unknown version is refused.  Sizes are bounded before
 * anything is looked at.
 *
 * Encoding: RFC 8949 section 4.2.1 (definite lengths, shortest integers,
 * map keys ascending, so no key comes twice), no tags, no floats, at most 8
 * levels deep.
 *
 * Pure: bytes and time in, a struct out.  A parsed struct points into the
 * bytes it was parsed from.
 * Threads: any.  Cost: a check is one Ed25519 verification, about 0.1 ms:
 * for the thread pool when there are many. */

#include <stddef.h>
#include <stdint.h>

#include "controlplane/record/identity.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define RECORD_MAX      8192u /* bytes of any record */
#define RECORD_VERSION  1u
#define RECORD_SKEW_S   600u /* issued may be so far ahead of our clock */
#define RECORD_OVERHEAD 192u /* at most, of the envelope around a body */

enum record_type {
	RECORD_NODE = 1,
	RECORD_SERVICE = 2,
	RECORD_NAME = 3,
	RECORD_CATALOG = 4,
	RECORD_DESCRIPTOR = 5
};

struct record_env {
	const uint8_t *bytes; /* the whole record */
	size_t len;
	const uint8_t *body;
	size_t body_len;
	uint64_t sequence;
	uint64_t issued, expires; /* unix seconds */
	uint32_t type;            /* enum record_type, or one we do not know */
	uint8_t publisher[32];    /* Ed25519 public key */
	uint8_t id[32];           /* its BLAKE2b-256: the node ID of a node */
};

/* record_sign writes a whole record to out[0..cap); *len is its length.
 * VX6_BAD_SIZE when it does not fit; VX6_MALFORMED for expires <= issued. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
record_sign(const struct identity *id, enum record_type type, uint64_t sequence,
	    uint64_t issued, uint64_t expires, const uint8_t *body,
	    size_t body_len, uint8_t *out, size_t cap, size_t *len);

/* record_verify checks everything but the time: size, form, version,
 * signature.  For hints, which may be expired.  VX6_BAD_SIZE, VX6_TRUNCATED,
 * VX6_MALFORMED, VX6_BAD_VERSION, VX6_BAD_SIGNATURE, VX6_UNSUPPORTED (signed
 * by a signing key, which this version does not follow). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
record_verify(const uint8_t *bytes, size_t len, struct record_env *env);

/* record_open is record_verify and the time: VX6_EXPIRED when now_s is not
 * before expires, or more than RECORD_SKEW_S before issued.  env is filled
 * for VX6_EXPIRED, too. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status record_open(const uint8_t *bytes,
						       size_t len,
						       uint64_t now_s,
						       struct record_env *env);

#endif
