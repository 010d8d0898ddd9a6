/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/aead/aead.h"

#include <assert.h>
#include <sodium.h>

#include "dataplane/wire/aead/impl.h"

/* Written by vx6_aead_start and vx6_aead_force, before threads. */
static enum vx6_aead_impl picked = VX6_IMPL_SODIUM;
static bool have_imb;

enum vx6_status vx6_aead_start(void)
{
	if (sodium_init() < 0)
		return VX6_UNSUPPORTED;
	vx6_aes_start();
	have_imb = vx6_imb_start();
	picked = have_imb ? VX6_IMPL_IPSEC_MB : VX6_IMPL_SODIUM;
	return VX6_OK;
}

const char *vx6_aead_impl_name(void)
{
	if (picked == VX6_IMPL_IPSEC_MB)
		return vx6_imb_name();
	return vx6_sodium_offers(VX6_ALG_AES256_GCM) ? "libsodium aes-ni"
						     : "libsodium";
}

enum vx6_status vx6_aead_force(enum vx6_aead_impl impl)
{
	if (impl == VX6_IMPL_IPSEC_MB && !have_imb)
		return VX6_UNSUPPORTED;
	picked = impl;
	return VX6_OK;
}

bool vx6_aead_offers(enum vx6_alg alg)
{
	if (alg < VX6_ALG_AES128_GCM || alg > VX6_ALG_CHACHA20_POLY1305)
		return false;
	return picked == VX6_IMPL_IPSEC_MB || vx6_sodium_offers(alg);
}

enum vx6_status vx6_aead_init(struct vx6_aead *a, enum vx6_alg alg,
			      const uint8_t *key)
{
	if (!vx6_aead_offers(alg))
		return VX6_UNSUPPORTED;
	a->alg = (uint8_t)alg;
	a->impl = (uint8_t)picked;
	if (picked == VX6_IMPL_IPSEC_MB)
		vx6_imb_init(a, key);
	else
		vx6_sodium_init(a, key);
	return VX6_OK;
}

void vx6_aead_seal(const struct vx6_aead *a, const uint8_t nonce[VX6_NONCE_LEN],
		   const void *ad, size_t ad_len, uint8_t *dst,
		   const uint8_t *src, size_t len)
{
	assert(a->alg != 0);
	if (ad_len == 0)
		ad = ""; /* the libraries dislike NULL, even for nothing */
	if (vx6_likely(a->impl == VX6_IMPL_IPSEC_MB))
		vx6_imb_seal(a, nonce, ad, ad_len, dst, src, len);
	else
		vx6_sodium_seal(a, nonce, ad, ad_len, dst, src, len);
}

enum vx6_status vx6_aead_open(const struct vx6_aead *a,
			      const uint8_t nonce[VX6_NONCE_LEN],
			      const void *ad, size_t ad_len, uint8_t *dst,
			      const uint8_t *src, size_t len)
{
	bool ok;

	assert(a->alg != 0);
	if (vx6_unlikely(len < VX6_AEAD_TAG))
		return VX6_TRUNCATED;
	len -= VX6_AEAD_TAG;
	if (ad_len == 0)
		ad = "";
	if (vx6_likely(a->impl == VX6_IMPL_IPSEC_MB))
		ok = vx6_imb_open(a, nonce, ad, ad_len, dst, src, len);
	else
		ok = vx6_sodium_open(a, nonce, ad, ad_len, dst, src, len);
	return vx6_likely(ok) ? VX6_OK : VX6_BAD_TAG;
}

void vx6_aead_wipe(struct vx6_aead *a)
{
	sodium_memzero(a, sizeof(*a));
}
