/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intel-ipsec-mb's direct calls: no jobs, no queues, one call a packet.
 *
 * They take no manager, so the pointers are copied out of one which is
 * freed again.  Threads: the library keeps a process-wide error word that
 * every call reads, and writes only when it is not zero already or when an
 * argument is NULL or absurd; ours never are, so nothing is shared. */
#include "dataplane/wire/aead/impl.h"

#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct gcm_key_data) <= VX6_AEAD_STATE,
	       "ipsec-mb's key fits the state");
_Static_assert(_Alignof(struct gcm_key_data) <= _Alignof(struct vx6_aead),
	       "and its alignment");

#define NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

static struct {
	aes_gcm_pre_t pre128, pre256;
	aes_gcm_enc_dec_t enc128, dec128, enc256, dec256;
	chacha_poly_init_t init;
	chacha_poly_enc_dec_update_t enc, dec;
	chacha_poly_finalize_t final;
	bool clean; /* built with SAFE_DATA: leaves no key stream behind */
	char name[32];
} imb;

static void take(const IMB_MGR *mb, IMB_ARCH arch)
{
	static const char *const word[IMB_ARCH_NUM] = {
		[IMB_ARCH_SSE] = "sse",
		[IMB_ARCH_AVX2] = "avx2",
		[IMB_ARCH_AVX512] = "avx512",
	};
	bool vaes = (mb->features & IMB_FEATURE_VAES) != 0 &&
		    arch > IMB_ARCH_SSE;

	imb.clean = (mb->features & IMB_FEATURE_SAFE_DATA) != 0;
	imb.pre128 = mb->gcm128_pre;
	imb.pre256 = mb->gcm256_pre;
	imb.enc128 = mb->gcm128_enc;
	imb.dec128 = mb->gcm128_dec;
	imb.enc256 = mb->gcm256_enc;
	imb.dec256 = mb->gcm256_dec;
	imb.init = mb->chacha20_poly1305_init;
	imb.enc = mb->chacha20_poly1305_enc_update;
	imb.dec = mb->chacha20_poly1305_dec_update;
	imb.final = mb->chacha20_poly1305_finalize;
	snprintf(imb.name, sizeof(imb.name), "ipsec-mb %s%s", word[arch],
		 vaes ? " vaes" : "");
}

bool vx6_imb_start(void)
{
	IMB_MGR *mb = alloc_mb_mgr(0);
	IMB_ARCH arch = IMB_ARCH_NONE;
	bool ok = false;

	if (mb == NULL)
		return false;
	if ((mb->features & NEEDED) != NEEDED)
		goto out;
	init_mb_mgr_auto(mb, &arch);
	if (imb_get_errno(mb) != 0 || arch <= IMB_ARCH_NONE ||
	    arch >= IMB_ARCH_NUM)
		goto out;
	if ((mb->features & IMB_FEATURE_SELF_TEST) != 0 &&
	    (mb->features & IMB_FEATURE_SELF_TEST_PASS) == 0)
		goto out;
	take(mb, arch);
	ok = true;
out:
	free_mb_mgr(mb);
	return ok;
}

const char *vx6_imb_name(void)
{
	return imb.name;
}

void vx6_imb_init(void *state, enum vx6_alg alg, const uint8_t *key)
{
	switch (alg) {
	case VX6_ALG_AES128_GCM: imb.pre128(key, state); break;
	case VX6_ALG_AES256_GCM: imb.pre256(key, state); break;
	case VX6_ALG_CHACHA20_POLY1305: memcpy(state, key, 32); break;
	case VX6_ALG_AEGIS128L: break; /* aead.c never asks */
	}
}

static void gcm(aes_gcm_enc_dec_t call, struct vx6_aead_ref a,
		const uint8_t *nonce, const void *ad, size_t ad_len,
		uint8_t *dst, const uint8_t *src, size_t len, uint8_t *tag)
{
	struct gcm_context_data ctx;

	call(a.state, &ctx, dst, src, len, nonce, ad, ad_len, tag,
	     VX6_AEAD_TAG);
	if (vx6_unlikely(!imb.clean))
		sodium_memzero(&ctx, sizeof(ctx));
}

static void chacha(chacha_poly_enc_dec_update_t call, struct vx6_aead_ref a,
		   const uint8_t *nonce, const void *ad, size_t ad_len,
		   uint8_t *dst, const uint8_t *src, size_t len, uint8_t *tag)
{
	struct chacha20_poly1305_context_data ctx;

	imb.init(a.state, &ctx, nonce, ad, ad_len);
	call(a.state, &ctx, dst, src, len);
	imb.final(&ctx, tag, VX6_AEAD_TAG);
	sodium_memzero(&ctx, sizeof(ctx));
}

void vx6_imb_seal(struct vx6_aead_ref a, const uint8_t *nonce, const void *ad,
		  size_t ad_len, uint8_t *dst, const uint8_t *src, size_t len)
{
	uint8_t *tag = dst + len;

	switch ((enum vx6_alg)a.alg) {
	case VX6_ALG_AES128_GCM:
		gcm(imb.enc128, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_AES256_GCM:
		gcm(imb.enc256, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_CHACHA20_POLY1305:
		chacha(imb.enc, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_AEGIS128L: break;
	}
}

bool vx6_imb_open(struct vx6_aead_ref a, const uint8_t *nonce, const void *ad,
		  size_t ad_len, uint8_t *dst, const uint8_t *src, size_t len)
{
	uint8_t tag[VX6_AEAD_TAG];

	switch ((enum vx6_alg)a.alg) {
	case VX6_ALG_AES128_GCM:
		gcm(imb.dec128, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_AES256_GCM:
		gcm(imb.dec256, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_CHACHA20_POLY1305:
		chacha(imb.dec, a, nonce, ad, ad_len, dst, src, len, tag);
		break;
	case VX6_ALG_AEGIS128L:
	default: return false;
	}
	/* The tag that came lies behind what was written. */
	return vx6_tag_eq(tag, src + len);
}
