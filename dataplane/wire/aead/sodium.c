/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libsodium: AES-256-GCM where the CPU has AES instructions,
 * ChaCha20-Poly1305 everywhere, AES-128-GCM never. */
#include "dataplane/wire/aead/impl.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= VX6_AEAD_STATE,
	       "libsodium's key fits the state");
_Static_assert(_Alignof(crypto_aead_aes256gcm_state) <=
		       _Alignof(struct vx6_aead),
	       "and its alignment");

static const crypto_aead_aes256gcm_state *gcm_key(struct vx6_aead_ref a)
{
	return (const crypto_aead_aes256gcm_state *)a.state;
}

bool vx6_sodium_offers(enum vx6_alg alg)
{
	return alg == VX6_ALG_CHACHA20_POLY1305 ||
	       (alg == VX6_ALG_AES256_GCM &&
		crypto_aead_aes256gcm_is_available() == 1);
}

void vx6_sodium_init(void *state, enum vx6_alg alg, const uint8_t *key)
{
	if (alg == VX6_ALG_AES256_GCM)
		crypto_aead_aes256gcm_beforenm(
			(crypto_aead_aes256gcm_state *)state, key);
	else
		memcpy(state, key, 32);
}

void vx6_sodium_seal(struct vx6_aead_ref a, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len)
{
	if (a.alg == VX6_ALG_AES256_GCM)
		crypto_aead_aes256gcm_encrypt_afternm(dst, NULL, src, len, ad,
						      ad_len, NULL, nonce,
						      gcm_key(a));
	else
		crypto_aead_chacha20poly1305_ietf_encrypt(
			dst, NULL, src, len, ad, ad_len, NULL, nonce, a.state);
}

bool vx6_sodium_open(struct vx6_aead_ref a, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len)
{
	size_t all = len + VX6_AEAD_TAG;

	if (a.alg == VX6_ALG_AES256_GCM)
		return crypto_aead_aes256gcm_decrypt_afternm(
			       dst, NULL, NULL, src, all, ad, ad_len, nonce,
			       gcm_key(a)) == 0;
	return crypto_aead_chacha20poly1305_ietf_decrypt(dst, NULL, NULL, src,
							 all, ad, ad_len, nonce,
							 a.state) == 0;
}
