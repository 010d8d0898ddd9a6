/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/kdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "dataplane/base/bytes.h"

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

static void absorb(crypto_generichash_state *st, const void *data, size_t len)
{
	if (len > 0)
		crypto_generichash_update(st, data, len);
}

static void hash(uint8_t *out, size_t out_len, const char *label,
		 const struct vx6_part part[], size_t n)
{
	crypto_generichash_state st;
	size_t label_len = strlen(label);
	uint8_t len1 = (uint8_t)label_len;

	assert(label_len <= UINT8_MAX);
	crypto_generichash_init(&st, NULL, 0, out_len);
	absorb(&st, &len1, sizeof(len1));
	absorb(&st, label, label_len);
	for (size_t i = 0; i < n; i++) {
		uint8_t len2[2];

		assert(part[i].len <= UINT16_MAX);
		vx6_put16(len2, (uint16_t)part[i].len);
		absorb(&st, len2, sizeof(len2));
		absorb(&st, part[i].data, part[i].len);
	}
	crypto_generichash_final(&st, out, out_len);
	sodium_memzero(&st, sizeof(st));
}

void vx6_hash(uint8_t out[VX6_HASH_LEN], const char *label,
	      const struct vx6_part part[], size_t n)
{
	hash(out, VX6_HASH_LEN, label, part, n);
}

void vx6_hash64(uint8_t out[64], const char *label,
		const struct vx6_part part[], size_t n)
{
	hash(out, 64, label, part, n);
}

void vx6_extract(uint8_t out[32], const uint8_t h[32], const void *ikm,
		 size_t len)
{
	crypto_generichash(out, 32, ikm, len, h, 32);
}

void vx6_key(uint8_t *out, size_t len, const uint8_t prk[32], const char ctx[8],
	     uint64_t id)
{
	assert(len >= crypto_kdf_BYTES_MIN && len <= crypto_kdf_BYTES_MAX);
	crypto_kdf_derive_from_key(out, len, id, ctx, prk);
}

enum vx6_status vx6_dh(uint8_t out[32], const uint8_t secret[32],
		       const uint8_t point[32])
{
	if (crypto_scalarmult(out, secret, point) != 0) {
		sodium_memzero(out, 32);
		return VX6_BAD_KEY;
	}
	return VX6_OK;
}

/* The points of order 1, 2, 4 and 8 on the curve and its twist, little
 * endian, as curve25519's authors list them; p - 1, p and p + 1 last. */
static const uint8_t small_point[][32] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

bool vx6_point_is_small(const uint8_t point[32])
{
	for (size_t i = 0; i < VX6_COUNT(small_point); i++)
		if (memcmp(point, small_point[i], 31) == 0 &&
		    (point[31] & 0x7f) == small_point[i][31])
			return true; /* RFC 7748: the top bit is masked */
	return false;
}

void vx6_seal(uint8_t *out, const uint8_t k[32], const void *ad, size_t ad_len,
	      const void *p, size_t len)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, p, len, ad, ad_len,
						  NULL, zero_nonce, k);
}

enum vx6_status vx6_open(uint8_t *out, const uint8_t k[32], const void *ad,
			 size_t ad_len, const void *c, size_t len)
{
	if (len < VX6_TAG_LEN)
		return VX6_TRUNCATED;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, c, len, ad, ad_len, zero_nonce, k) != 0)
		return VX6_BAD_TAG;
	return VX6_OK;
}

void vx6_stream_xor(uint8_t *buf, size_t len, const uint8_t k[32], size_t skip)
{
	uint32_t block = (uint32_t)(skip / 64u);
	size_t inside = skip % 64u;

	if (inside > 0 && len > 0) {
		uint8_t head[64] = { 0 };
		size_t n = sizeof(head) - inside;

		if (n > len)
			n = len;
		crypto_stream_chacha20_ietf_xor_ic(head, head, sizeof(head),
						   zero_nonce, block, k);
		for (size_t i = 0; i < n; i++)
			buf[i] ^= head[inside + i];
		sodium_memzero(head, sizeof(head));
		buf += n;
		len -= n;
		block++;
	}
	if (len > 0)
		crypto_stream_chacha20_ietf_xor_ic(buf, buf, len, zero_nonce,
						   block, k);
}

void vx6_node_id(uint8_t id[32], const uint8_t public_key[32])
{
	crypto_generichash(id, 32, public_key, 32, NULL, 0);
}

uint32_t vx6_kid(const uint8_t onion_public[32])
{
	uint8_t h[32];

	crypto_generichash(h, sizeof(h), onion_public, 32, NULL, 0);
	return vx6_get32(h);
}
