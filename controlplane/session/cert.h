/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_CERT_H
#define VX6_CONTROLPLANE_SESSION_CERT_H

/* cert: an Ed25519 key dressed as the self-signed X.509 certificate that
 * TLS wants, and undressed again.
 *
 * Nothing in a certificate is believed but its key: no name, no date, no
 * signature of an issuer.  Possession is proved by TLS's CertificateVerify
 * (RFC 8446 section 4.4.3), not here.
 *
 * Ownership: values.  A quic_cert is secret: wipe it. */

#include <stddef.h>
#include <stdint.h>

#include "controlplane/session/quic.h"

#define QUIC_CERT_MAX 512u
#define QUIC_DER_KEY  96u

struct quic_cert {
	uint8_t der[QUIC_CERT_MAX]; /* the certificate */
	size_t der_len;
	uint8_t key[QUIC_DER_KEY]; /* the private key, PKCS #8 */
	size_t key_len;
};

/* quic_cert_make signs a certificate for id.  VX6_BAD_KEY where the two
 * halves of id do not belong together, VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_cert_make(struct quic_cert *c, const struct quic_identity *id);

/* quic_cert_key takes the Ed25519 key out of a certificate of len bytes.
 * VX6_BAD_KEY for any other kind of key, VX6_MALFORMED for no certificate. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_cert_key(const uint8_t *der, size_t len, uint8_t key[32]);

/* quic_node_id is BLAKE2b-256 of the key (PROTOCOL.md section 1). */
VX6_NONNULL void quic_node_id(const uint8_t key[32], uint8_t id[32]);

#endif
