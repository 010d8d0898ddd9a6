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

enum { CHUNK = 32 };

struct nonces {
	uint8_t of[CHUNK][16];
};

/* From 16 bytes before H8, where the header of what leaves will begin, to
 * the end of the tag. */
static void fetch(const struct vx6_layer_op *op)
{
	const struct vx6_layer *l = op->l;
	const uint8_t *p = op->h8 - 16, *end = op->h8 + op->len + 24;

	for (; p < end; p += VX6_CACHELINE)
		vx6_prefetch_w(p);
	vx6_prefetch_w(end);
	for (size_t at = 0;
	     l->suite == VX6_SUITE_AES256_GCM && at < VX6_AEAD_STATE;
	     at += VX6_CACHELINE)
		vx6_prefetch(l->aead.state + at);
}

static void open_chunk(struct vx6_layer_op op[], unsigned n)
{
	struct nonces nonce;

	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		o->st = VX6_BAD_SIZE;
		if (vx6_unlikely(o->len < 8u + VX6_LEN_MIN))
			continue;

		size_t len = vx6_h8_len(o->h8);

		if (vx6_unlikely(len < VX6_LEN_MIN || len > o->len - 8u))
			continue;
		nonce_of(nonce.of[i], o->l->iv, o->h8);
		o->len = len;
		o->st = VX6_OK;
	}
	fetch(&op[0]);
	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		if (i + 1 < n)
			fetch(&op[i + 1]);
		if (vx6_unlikely(o->st != VX6_OK))
			continue;
		o->st = vx6_aead_open(&o->l->aead, nonce.of[i], o->h8, 8,
				      o->h8 + 8, o->h8 + 8, o->len);
		o->len -= VX6_LEN_MIN;
	}
}

static void seal_chunk(struct vx6_layer_op op[], unsigned n)
{
	struct nonces nonce;

	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		assert(o->len <= VX6_LEN_MAX - VX6_LEN_MIN);
		vx6_h8_put(o->h8, o->ctr, (unsigned)o->kind,
			   o->len + VX6_LEN_MIN);
		nonce_of(nonce.of[i], o->l->iv, o->h8);
	}
	fetch(&op[0]);
	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		if (i + 1 < n)
			fetch(&op[i + 1]);
		vx6_aead_seal(&o->l->aead, nonce.of[i], o->h8, 8, o->h8 + 8,
			      o->h8 + 8, o->len);
	}
}

void vx6_layer_open_burst(struct vx6_layer_op op[], unsigned n)
{
	for (unsigned at = 0; at < n; at += CHUNK)
		open_chunk(op + at, n - at < CHUNK ? n - at : CHUNK);
}

void vx6_layer_seal_burst(struct vx6_layer_op op[], unsigned n)
{
	for (unsigned at = 0; at < n; at += CHUNK)
		seal_chunk(op + at, n - at < CHUNK ? n - at : CHUNK);
}

void vx6_layer_wipe(struct vx6_layer *l)
{
	sodium_memzero(l, sizeof(*l));
}
