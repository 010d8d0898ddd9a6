/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_PROTECT_H
#define VX6_CONTROLPLANE_SESSION_PROTECT_H

/* protect: what QUIC packets are sealed with (RFC 9001 section 5).
 *
 * The keys come out of TLS secrets by HKDF, which wolfCrypt does; the bulk
 * work is dataplane/wire/aead's.  Initial packets and Retry tags are
 * AES-128-GCM whatever the CPU can (RFC 9001 sections 5.2 and 5.8), so
 * where aead does not offer that, wolfCrypt's own AES does those few.
 *
 * Ownership: *_new takes memory, *_free wipes it and gives it back.
 * Threads: one.  Cost: a key about 1 us and 1.3 KiB. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/aead/aead.h"

#define QUIC_TAG_LEN    16u
#define QUIC_IV_LEN     12u
#define QUIC_SAMPLE_LEN 16u
#define QUIC_MASK_LEN   5u

struct quic_suite {
	uint16_t tls; /* RFC 8446 appendix B.4 */
	enum vx6_alg alg;
	uint8_t key_len;
	uint8_t hash_len;
	int digest;        /* wolfCrypt's name of the hash */
	uint64_t max_seal; /* packets a key may seal (RFC 9001 section 6.6) */
	uint64_t max_bad;  /* failed tags before the connection ends */
};

/* quic_suite_of returns the suite that TLS calls so, or NULL. */
const struct quic_suite *quic_suite_of(uint16_t tls);
/* quic_suite_initial is that of Initial packets and of Retry. */
const struct quic_suite *quic_suite_initial(void);

/* quic_suites_text lists, in order of preference and in wolfSSL's form,
 * what this host is fast at; static. */
const char *quic_suites_text(void);

struct quic_aead;
struct quic_hp;

/* quic_aead_new expands a key of suite->key_len bytes; NULL where memory
 * is out or the suite is not offered. */
VX6_NONNULL struct quic_aead *quic_aead_new(const struct quic_suite *suite,
					    const uint8_t *key);
void quic_aead_free(struct quic_aead *a);

/* quic_aead_seal writes len + 16 bytes; dst == src is fine. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 5) enum vx6_status
	quic_aead_seal(struct quic_aead *a, const uint8_t nonce[QUIC_IV_LEN],
		       const uint8_t *ad, size_t ad_len, uint8_t *dst,
		       const uint8_t *src, size_t len);
/* quic_aead_open takes len bytes with the tag, writes len - 16. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 5, 6) enum vx6_status
	quic_aead_open(struct quic_aead *a, const uint8_t nonce[QUIC_IV_LEN],
		       const uint8_t *ad, size_t ad_len, uint8_t *dst,
		       const uint8_t *src, size_t len);

/* quic_hp_new makes a header protection key (RFC 9001 section 5.4). */
VX6_NONNULL struct quic_hp *quic_hp_new(const struct quic_suite *suite,
					const uint8_t *key);
void quic_hp_free(struct quic_hp *hp);
VX6_NONNULL void quic_hp_mask(const struct quic_hp *hp,
			      const uint8_t sample[QUIC_SAMPLE_LEN],
			      uint8_t mask[QUIC_MASK_LEN]);

/* quic_expand is HKDF-Expand-Label with an empty context (RFC 8446
 * section 7.1); out_len at most 48. */
VX6_MUST_CHECK VX6_NONNULL bool quic_expand(const struct quic_suite *suite,
					    const uint8_t *secret,
					    const char *label, uint8_t *out,
					    size_t out_len);

/* quic_initial_secrets derives both ends' Initial secrets from the
 * client's first destination connection id (RFC 9001 section 5.2). */
VX6_MUST_CHECK VX6_NONNULL bool quic_initial_secrets(const uint8_t *dcid,
						     size_t len,
						     uint8_t client[32],
						     uint8_t server[32]);

struct quic_keys { /* of one direction */
	struct quic_aead *aead;
	struct quic_hp *hp; /* NULL where not asked for */
	uint8_t iv[QUIC_IV_LEN];
};

/* quic_keys_make derives a direction's keys from its secret; without hp
 * for a key update (RFC 9001 section 6).  False: k is then empty. */
VX6_MUST_CHECK VX6_NONNULL bool quic_keys_make(struct quic_keys *k,
					       const struct quic_suite *suite,
					       const uint8_t *secret, bool hp);
VX6_NONNULL void quic_keys_free(struct quic_keys *k);

/* quic_retry_aead makes the key of the Retry integrity tag (section 5.8). */
struct quic_aead *quic_retry_aead(void);

#endif
