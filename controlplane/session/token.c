/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/token.h"

#include <sodium.h>
#include <string.h>

#include "dataplane/base/bytes.h"

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TEXT_LEN  (1u + QUIC_CID_MAX + 8u)
#define AD_LEN    (16u + 2u + 1u + QUIC_CID_MAX)

void quic_tokens_init(struct quic_tokens *t, const struct quic_identity *id)
{
	static const char label[] = "vx6/1 stateless reset";
	crypto_generichash_state h;

	randombytes_buf(t->retry_key, sizeof(t->retry_key));
	crypto_generichash_init(&h, NULL, 0, sizeof(t->reset_key));
	crypto_generichash_update(&h, (const uint8_t *)label,
				  sizeof(label) - 1);
	crypto_generichash_update(&h, id->seed, sizeof(id->seed));
	crypto_generichash_final(&h, t->reset_key, sizeof(t->reset_key));
	sodium_memzero(&h, sizeof(h));
}

static void bound_to(uint8_t ad[AD_LEN], const struct quic_cid_bytes *scid,
		     const struct vx6_addr *remote)
{
	memset(ad, 0, AD_LEN);
	memcpy(ad, remote->ip, 16);
	vx6_put16(ad + 16, remote->port);
	ad[18] = scid->len;
	memcpy(ad + 19, scid->data, scid->len);
}

void quic_token_make(const struct quic_tokens *t, uint8_t out[QUIC_TOKEN_LEN],
		     const struct quic_cid_bytes *odcid,
		     const struct quic_cid_bytes *scid,
		     const struct vx6_addr *remote, uint64_t now_ns)
{
	uint8_t text[TEXT_LEN] = { 0 };
	uint8_t ad[AD_LEN];

	text[0] = odcid->len;
	memcpy(text + 1, odcid->data, odcid->len);
	vx6_put64(text + 1 + QUIC_CID_MAX, now_ns);
	bound_to(ad, scid, remote);
	randombytes_buf(out, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_LEN, NULL, text,
						   sizeof(text), ad, sizeof(ad),
						   NULL, out, t->retry_key);
}

enum vx6_status quic_token_check(const struct quic_tokens *t,
				 const uint8_t *token, size_t len,
				 const struct quic_cid_bytes *scid,
				 const struct vx6_addr *remote, uint64_t now_ns,
				 struct quic_cid_bytes *odcid)
{
	uint8_t text[TEXT_LEN];
	uint8_t ad[AD_LEN];

	if (len != QUIC_TOKEN_LEN)
		return VX6_BAD_TAG;
	bound_to(ad, scid, remote);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    text, NULL, NULL, token + NONCE_LEN, len - NONCE_LEN, ad,
		    sizeof(ad), token, t->retry_key) != 0)
		return VX6_BAD_TAG;
	uint64_t made = vx6_get64(text + 1 + QUIC_CID_MAX);
	if (made > now_ns || now_ns - made > QUIC_TOKEN_NS)
		return VX6_EXPIRED;
	if (text[0] > QUIC_CID_MAX)
		return VX6_MALFORMED;
	odcid->len = text[0];
	memcpy(odcid->data, text + 1, QUIC_CID_MAX);
	return VX6_OK;
}

void quic_reset_token(const struct quic_tokens *t, const uint8_t *cid,
		      size_t len, uint8_t out[QUIC_RESET_TOKEN])
{
	crypto_generichash(out, QUIC_RESET_TOKEN, cid, len, t->reset_key,
			   sizeof(t->reset_key));
}
