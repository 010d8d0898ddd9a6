/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_dataplane_null: everything but the AEAD (dp.h).
 *
 *     bench_dataplane_null [name]     only figures whose name holds this
 *
 * The functions below are all of aead.h that moves bulk bytes.  They are
 * linked in aead.o's place, so the pipeline is the product's own to the last
 * call, and that call leaves text and tag as they are.  It reads them once,
 * and sums them for the UDP checksum, as the AEAD itself does with bytes that
 * it has in registers: without, nothing would fetch the cell at all.  Nonces,
 * bins of equal length and prefetching, and header protection's AES, are
 * live.  Keys are suite 3's, whose pipeline has the least beside its AEAD.
 *
 * JSON Lines on stdout, a table on stderr. */
#include <sodium.h>
#include <string.h>

#include "benchmarks/dp.h"
#include "dataplane/base/sum.h"
#include "dataplane/wire/aead/impl.h"

enum vx6_status vx6_aead_start(void)
{
	vx6_aes_start();
	return sodium_init() < 0 ? VX6_UNSUPPORTED : VX6_OK;
}

const char *vx6_aead_impl_name(void)
{
	return "null";
}

enum vx6_status vx6_aead_force(enum vx6_aead_impl impl)
{
	(void)impl;
	return VX6_OK;
}

bool vx6_aead_offers(enum vx6_alg alg)
{
	(void)alg;
	return true;
}

size_t vx6_aead_state_len(enum vx6_alg alg)
{
	(void)alg;
	return 16;
}

enum vx6_status vx6_aead_ref_init(struct vx6_aead_ref *r, enum vx6_alg alg,
				  const uint8_t *key, void *state)
{
	*r = (struct vx6_aead_ref){ .state = state,
				    .alg = (uint8_t)alg,
				    .impl = VX6_IMPL_OWN };
	memcpy(state, key, 16);
	return VX6_OK;
}

void vx6_aead_ref_seal(struct vx6_aead_ref r, const uint8_t *nonce,
		       const void *ad, size_t ad_len, uint8_t *dst,
		       const uint8_t *src, size_t len)
{
	(void)r;
	(void)nonce;
	(void)ad;
	(void)ad_len;
	(void)dst;
	(void)src;
	(void)len;
}

enum vx6_status vx6_aead_ref_open(struct vx6_aead_ref r, const uint8_t *nonce,
				  const void *ad, size_t ad_len, uint8_t *dst,
				  const uint8_t *src, size_t len)
{
	vx6_aead_ref_seal(r, nonce, ad, ad_len, dst, src, len);
	return VX6_OK;
}

enum vx6_status vx6_aead_init(struct vx6_aead *a, enum vx6_alg alg,
			      const uint8_t *key)
{
	struct vx6_aead_ref r;

	a->alg = (uint8_t)alg;
	return vx6_aead_ref_init(&r, alg, key, a->state);
}

void vx6_aead_seal(const struct vx6_aead *a, const uint8_t *nonce,
		   const void *ad, size_t ad_len, uint8_t *dst,
		   const uint8_t *src, size_t len)
{
	const struct vx6_aead_ref r = { a->state, a->alg, a->impl };

	vx6_aead_ref_seal(r, nonce, ad, ad_len, dst, src, len);
}

enum vx6_status vx6_aead_open(const struct vx6_aead *a, const uint8_t *nonce,
			      const void *ad, size_t ad_len, uint8_t *dst,
			      const uint8_t *src, size_t len)
{
	vx6_aead_seal(a, nonce, ad, ad_len, dst, src, len);
	return VX6_OK;
}

void vx6_aead_wipe(struct vx6_aead *a)
{
	memset(a, 0, sizeof(*a));
}

/* The one pass over the text that there has to be: the AEAD's, which sums it
 * on the way.  Here it fetches what comes next, as the AEAD does, and sums. */
static void pass(struct vx6_aead_lane *m, size_t len)
{
	for (size_t at = 0; m->ahead != NULL && at < len; at += VX6_CACHELINE)
		vx6_prefetch_w(m->ahead + at);
	m->sum = vx6_sum(m->text, len);
	m->summed = true;
	m->ok = true;
}

enum vx6_aead_impl vx6_aead_burst_impl(enum vx6_alg alg)
{
	(void)alg;
	return VX6_IMPL_OWN;
}

enum vx6_status vx6_aead_burst_keys(struct vx6_aead_ref r[], enum vx6_alg alg,
				    const uint8_t *const key[],
				    void *const state[], unsigned n)
{
	enum vx6_status st = VX6_OK;

	for (unsigned i = 0; i < n && st == VX6_OK; i++)
		st = vx6_aead_ref_init(&r[i], alg, key[i], state[i]);
	return st;
}

enum vx6_status vx6_aead_burst_init(struct vx6_aead_ref *r, enum vx6_alg alg,
				    const uint8_t *key, void *state)
{
	return vx6_aead_ref_init(r, alg, key, state);
}

void vx6_aead_seal_gcm(struct vx6_aead_lane *m, size_t len)
{
	pass(m, len + VX6_AEAD_TAG);
}

void vx6_aead_open_gcm(struct vx6_aead_lane *m, size_t len)
{
	pass(m, len);
}

void vx6_aead_seal_lanes(struct vx6_aead_lane m[], unsigned n, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		pass(&m[i], len + VX6_AEAD_TAG);
}

void vx6_aead_open_lanes(struct vx6_aead_lane m[], unsigned n, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		pass(&m[i], len);
}

#define ROW(role, size, circuits)                                              \
	{                                                                      \
		{ role, VX6_SUITE_AEGIS128L, size, circuits }, \
                DP_NOTHING      \
}

static const struct dp_figure figures[] = {
	ROW(DP_FORWARD, 1200, 1024),    ROW(DP_BACKWARD, 1200, 1024),
	ROW(DP_SPLICE, 1200, 1024),     ROW(DP_FORWARD, 128, 1024),
	ROW(DP_FORWARD, 512, 1024),     ROW(DP_FORWARD, 1400, 1024),
	ROW(DP_FORWARD, 1200, 1),       ROW(DP_FORWARD, 1200, 32768),
	ROW(DP_FORWARD, 1200, 1048575),
};

int main(int argc, char **argv)
{
	(void)argc;
	return dp_main(figures, VX6_COUNT(figures), "null", argv);
}
