/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/layer.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Suite to algorithm; 0 where this implementation has none. */
static enum vx6_alg alg_of(unsigned suite)
{
	switch (suite) {
	case VX6_SUITE_AES256_GCM: return VX6_ALG_AES256_GCM;
	case VX6_SUITE_CHACHA20_POLY1305: return VX6_ALG_CHACHA20_POLY1305;
	default: return (enum vx6_alg)0;
	}
}

/* iv[0..12) with the counter, which H8 begins with, in bytes 6..11. */
static void nonce_of(uint8_t nonce[VX6_NONCE_LEN], const uint8_t iv[16],
		     const uint8_t h8[8])
{
	memcpy(nonce, iv, 4);
	vx6_put64(nonce + 4, vx6_get64(iv + 4) ^ vx6_h8_ctr(h8));
}

bool vx6_suite_offers(unsigned suite)
{
	enum vx6_alg alg = alg_of(suite);

	return alg != 0 && vx6_aead_offers(alg);
}

enum vx6_status vx6_layer_init(struct vx6_layer *l, unsigned suite,
			       const uint8_t key[32], const uint8_t iv[16])
{
	if (!vx6_suite_offers(suite))
		return VX6_UNSUPPORTED;
	memcpy(l->iv, iv, sizeof(l->iv));
	l->suite = (uint8_t)suite;
	return vx6_aead_init(&l->aead, alg_of(suite), key);
}

enum vx6_status vx6_layer_open(const struct vx6_layer *l, uint8_t *h8,
			       size_t room, size_t *plain_len)
{
	uint8_t nonce[VX6_NONCE_LEN];
	size_t len;

	if (vx6_unlikely(room < 8u + VX6_LEN_MIN))
		return VX6_BAD_SIZE;
	len = vx6_h8_len(h8);
	if (vx6_unlikely(len < VX6_LEN_MIN || len > room - 8u))
		return VX6_BAD_SIZE;
	nonce_of(nonce, l->iv, h8);
	*plain_len = len - VX6_LEN_MIN;
	return vx6_aead_open(&l->aead, nonce, h8, 8, h8 + 8, h8 + 8, len);
}

void vx6_layer_seal(const struct vx6_layer *l, uint64_t ctr, enum vx6_kind kind,
		    uint8_t *h8, size_t plain_len)
{
	uint8_t nonce[VX6_NONCE_LEN];

	assert(plain_len <= VX6_LEN_MAX - VX6_LEN_MIN);
	vx6_h8_put(h8, ctr, (unsigned)kind, plain_len + VX6_LEN_MIN);
	nonce_of(nonce, l->iv, h8);
	vx6_aead_seal(&l->aead, nonce, h8, 8, h8 + 8, h8 + 8, plain_len);
}

void vx6_layer_wipe(struct vx6_layer *l)
{
	sodium_memzero(l, sizeof(*l));
}
