/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/base/rand.h"

#include <sodium.h>
#include <string.h>

static void refill(struct vx6_rand *r)
{
	static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];

	crypto_stream_chacha20_ietf(r->pool, sizeof(r->pool), nonce, r->key);
	memcpy(r->key, r->pool, sizeof(r->key));
	sodium_memzero(r->pool, sizeof(r->key));
	r->used = sizeof(r->key);
}

void vx6_rand_init(struct vx6_rand *r)
{
	randombytes_buf(r->key, sizeof(r->key));
	refill(r);
}

void vx6_rand_seed(struct vx6_rand *r, const uint8_t seed[32])
{
	memcpy(r->key, seed, sizeof(r->key));
	refill(r);
}

void vx6_rand_fill(struct vx6_rand *r, void *to, size_t len)
{
	uint8_t *out = to;

	while (len > 0) {
		if (r->used == sizeof(r->pool))
			refill(r);
		size_t n = sizeof(r->pool) - r->used;
		if (n > len)
			n = len;
		memcpy(out, r->pool + r->used, n);
		memset(r->pool + r->used, 0, n);
		r->used += (uint32_t)n;
		out += n;
		len -= n;
	}
}

uint32_t vx6_rand_below(struct vx6_rand *r, uint32_t n)
{
	uint32_t floor = (0u - n) % n; /* 2^32 mod n */
	uint32_t v;

	do
		vx6_rand_fill(r, &v, sizeof(v));
	while (v < floor);
	return v % n;
}
