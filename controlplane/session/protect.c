/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/protect.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/kdf.h>

#define INITIAL_KEY_LEN 16u

/* Confidentiality and integrity limits are RFC 9001 section 6.6's; the
 * ChaCha20 confidentiality limit is beyond what packet numbers reach. */
static const struct quic_suite suites[] = {
	{ 0x1301, VX6_ALG_AES128_GCM,        16, 32, WC_SHA256, UINT64_C(1) << 23,
         UINT64_C(1) << 52									   },
	{ 0x1302, VX6_ALG_AES256_GCM,        32, 48, WC_SHA384, UINT64_C(1) << 23,
         UINT64_C(1) << 52									   },
	{ 0x1303, VX6_ALG_CHACHA20_POLY1305, 32, 32, WC_SHA256,
         UINT64_C(1) << 62,							UINT64_C(1) << 36 },
};

/* Same cipher, but limits do not apply to Initial packets (ngtcp2 wants
 * zeros there). */
static const struct quic_suite initial = {
	0x1301, VX6_ALG_AES128_GCM, INITIAL_KEY_LEN, 32, WC_SHA256, 0, 0
};

static const uint8_t salt_v1[20] = { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34,
				     0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
				     0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a };
static const uint8_t retry_key_v1[16] = { 0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66,
					  0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54,
					  0xe3, 0x68, 0xc8, 0x4e };

struct quic_aead {
	struct vx6_aead fast;
	Aes slow;
	bool is_slow;
};

struct quic_hp {
	struct vx6_aes aes;
	uint8_t chacha[32];
	bool is_chacha;
};

/* malloc does not promise 64. */
static void *take(size_t len)
{
	size_t whole = (len + 63u) & ~(size_t)63u;
	void *p = aligned_alloc(64, whole);

	if (p)
		memset(p, 0, whole);
	return p;
}

const struct quic_suite *quic_suite_of(uint16_t tls)
{
	for (size_t i = 0; i < VX6_COUNT(suites); i++) {
		if (suites[i].tls == tls && vx6_aead_offers(suites[i].alg))
			return &suites[i];
	}
	return NULL;
}

const struct quic_suite *quic_suite_initial(void)
{
	return &initial;
}

const char *quic_suites_text(void)
{
	if (vx6_aead_offers(VX6_ALG_AES128_GCM))
		return "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"
		       "TLS13-CHACHA20-POLY1305-SHA256";
	if (vx6_aead_offers(VX6_ALG_AES256_GCM))
		return "TLS13-AES256-GCM-SHA384:"
		       "TLS13-CHACHA20-POLY1305-SHA256";
	return "TLS13-CHACHA20-POLY1305-SHA256";
}

struct quic_aead *quic_aead_new(const struct quic_suite *suite,
				const uint8_t *key)
{
	struct quic_aead *a = take(sizeof(*a));

	if (!a)
		return NULL;
	if (vx6_aead_offers(suite->alg)) {
		if (vx6_aead_init(&a->fast, suite->alg, key) == VX6_OK)
			return a;
	} else if (suite->alg == VX6_ALG_AES128_GCM) {
		a->is_slow = true;
		if (wc_AesInit(&a->slow, NULL, INVALID_DEVID) == 0 &&
		    wc_AesGcmSetKey(&a->slow, key, suite->key_len) == 0)
			return a;
	}
	quic_aead_free(a);
	return NULL;
}

void quic_aead_free(struct quic_aead *a)
{
	if (!a)
		return;
	if (a->is_slow)
		wc_AesFree(&a->slow);
	sodium_memzero(a, sizeof(*a));
	free(a);
}

enum vx6_status quic_aead_seal(struct quic_aead *a,
			       const uint8_t nonce[QUIC_IV_LEN],
			       const uint8_t *ad, size_t ad_len, uint8_t *dst,
			       const uint8_t *src, size_t len)
{
	if (!src) /* the Retry tag seals nothing but the data beside it */
		src = dst;
	if (!a->is_slow) {
		vx6_aead_seal(&a->fast, nonce, ad, ad_len, dst, src, len);
		return VX6_OK;
	}
	int r = wc_AesGcmEncrypt(&a->slow, dst, src, (word32)len, nonce,
				 QUIC_IV_LEN, dst + len, QUIC_TAG_LEN, ad,
				 (word32)ad_len);
	return r == 0 ? VX6_OK : VX6_BAD_STATE;
}

enum vx6_status quic_aead_open(struct quic_aead *a,
			       const uint8_t nonce[QUIC_IV_LEN],
			       const uint8_t *ad, size_t ad_len, uint8_t *dst,
			       const uint8_t *src, size_t len)
{
	if (!a->is_slow)
		return vx6_aead_open(&a->fast, nonce, ad, ad_len, dst, src,
				     len);
	if (len < QUIC_TAG_LEN)
		return VX6_TRUNCATED;
	size_t text = len - QUIC_TAG_LEN;
	int r = wc_AesGcmDecrypt(&a->slow, dst, src, (word32)text, nonce,
				 QUIC_IV_LEN, src + text, QUIC_TAG_LEN, ad,
				 (word32)ad_len);
	return r == 0 ? VX6_OK : VX6_BAD_TAG;
}

struct quic_hp *quic_hp_new(const struct quic_suite *suite, const uint8_t *key)
{
	struct quic_hp *hp = take(sizeof(*hp));

	if (!hp)
		return NULL;
	hp->is_chacha = suite->alg == VX6_ALG_CHACHA20_POLY1305;
	if (hp->is_chacha)
		memcpy(hp->chacha, key, sizeof(hp->chacha));
	else
		vx6_aes_init(&hp->aes, key, suite->key_len);
	return hp;
}

void quic_hp_free(struct quic_hp *hp)
{
	if (!hp)
		return;
	sodium_memzero(hp, sizeof(*hp));
	free(hp);
}

void quic_hp_mask(const struct quic_hp *hp,
		  const uint8_t sample[QUIC_SAMPLE_LEN],
		  uint8_t mask[QUIC_MASK_LEN])
{
	static const uint8_t zero[QUIC_MASK_LEN];
	uint8_t block[16];

	if (!hp->is_chacha) {
		vx6_aes_encrypt(&hp->aes, block, sample);
		memcpy(mask, block, QUIC_MASK_LEN);
		return;
	}
	/* RFC 9001 section 5.4.4: a little-endian block counter, a nonce */
	uint32_t counter = (uint32_t)sample[0] | (uint32_t)sample[1] << 8 |
			   (uint32_t)sample[2] << 16 |
			   (uint32_t)sample[3] << 24;
	crypto_stream_chacha20_ietf_xor_ic(mask, zero, sizeof(zero), sample + 4,
					   counter, hp->chacha);
}

bool quic_expand(const struct quic_suite *suite, const uint8_t *secret,
		 const char *label, uint8_t *out, size_t out_len)
{
	return wc_Tls13_HKDF_Expand_Label(
		       out, (word32)out_len, secret, suite->hash_len,
		       (const byte *)"tls13 ", 6, (const byte *)label,
		       (word32)strlen(label), (const byte *)"", 0,
		       suite->digest) == 0;
}

bool quic_initial_secrets(const uint8_t *dcid, size_t len, uint8_t client[32],
			  uint8_t server[32])
{
	uint8_t secret[32];
	bool ok = wc_HKDF_Extract(WC_SHA256, salt_v1, sizeof(salt_v1), dcid,
				  (word32)len, secret) == 0 &&
		  quic_expand(&initial, secret, "client in", client, 32) &&
		  quic_expand(&initial, secret, "server in", server, 32);

	sodium_memzero(secret, sizeof(secret));
	return ok;
}

bool quic_keys_make(struct quic_keys *k, const struct quic_suite *suite,
		    const uint8_t *secret, bool hp)
{
	uint8_t key[32];
	bool ok = false;

	*k = (struct quic_keys){ 0 };
	if (!quic_expand(suite, secret, "quic key", key, suite->key_len) ||
	    !quic_expand(suite, secret, "quic iv", k->iv, QUIC_IV_LEN))
		goto out;
	k->aead = quic_aead_new(suite, key);
	if (!k->aead)
		goto out;
	ok = true;
	if (!hp)
		goto out;
	ok = quic_expand(suite, secret, "quic hp", key, suite->key_len);
	k->hp = ok ? quic_hp_new(suite, key) : NULL;
	ok = k->hp != NULL;
out:
	sodium_memzero(key, sizeof(key));
	if (!ok)
		quic_keys_free(k);
	return ok;
}

void quic_keys_free(struct quic_keys *k)
{
	quic_aead_free(k->aead);
	quic_hp_free(k->hp);
	sodium_memzero(k, sizeof(*k));
}

struct quic_aead *quic_retry_aead(void)
{
	return quic_aead_new(&initial, retry_key_v1);
}
