/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_TEXT_H
#define VX6_DATAPLANE_BASE_TEXT_H

/* text: bytes as people type them: lower-case base32 (RFC 4648 section 6
 * alphabet, no padding) and node IDs ("vx6" and 52 characters). */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define VX6_ID_LEN      32u
#define VX6_ID_TEXT     56u /* "vx6", 52 characters, NUL */
#define VX6_BASE32(len) (((len) * 8u + 4u) / 5u + 1u) /* with NUL */

/* vx6_base32 writes VX6_BASE32(len) characters to out; returns out. */
VX6_NONNULL const char *vx6_base32(const uint8_t *in, size_t len, char *out);

/* vx6_unbase32 reads exactly len bytes from text, either case, whose
 * spare bits are zero.  VX6_MALFORMED otherwise. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
vx6_unbase32(const char *text, uint8_t *out, size_t len);

/* vx6_id_text writes a node ID; returns out. */
VX6_NONNULL const char *vx6_id_text(const uint8_t id[VX6_ID_LEN],
				    char out[VX6_ID_TEXT]);

/* vx6_id_parse reads a whole node ID.  VX6_MALFORMED otherwise. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status vx6_id_parse(uint8_t id[VX6_ID_LEN],
							const char *text);

#endif
