/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/aead/aead.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/sum.h"
#include "dataplane/wire/aead/aegis.h"
#include "dataplane/wire/aead/gcm.h"

_Static_assert(sizeof(struct vx6_gcm_key) <= VX6_AEAD_STATE &&
		       offsetof(struct vx6_gcm_key, h[VX6_GCM_POWERS]) ==
			       VX6_AEAD_OWN_STATE,
	       "our own tables fit the state");
_Static_assert(VX6_AEAD_BURST_MAX == VX6_GCM_MAX, "one limit");

/* Written by vx6_aead_start and vx6_aead_force, before threads. */
static enum vx6_aead_impl picked = VX6_IMPL_SODIUM; /* of the libraries */
static bool have_imb, have_lanes, have_gcm, own_gcm;
static char name_own[48];

enum vx6_status vx6_aead_start(void)
{
	if (sodium_init() < 0)
		return VX6_UNSUPPORTED;
	vx6_aes_start();
	have_imb = vx6_imb_start();
	have_lanes = vx6_aegis_has_lanes();
	have_gcm = own_gcm = vx6_gcm_offers();
	picked = have_imb ? VX6_IMPL_IPSEC_MB : VX6_IMPL_SODIUM;
	if (have_imb)
		snprintf(name_own, sizeof(name_own), "own vaes, %s",
			 vx6_imb_name());
	return VX6_OK;
}

const char *vx6_aead_impl_name(void)
{
	if (picked == VX6_IMPL_IPSEC_MB)
		return own_gcm ? name_own : vx6_imb_name();
	return vx6_sodium_offers(VX6_ALG_AES256_GCM) ? "libsodium aes-ni"
						     : "libsodium";
}

enum vx6_status vx6_aead_force(enum vx6_aead_impl impl)
{
	if (impl > VX6_IMPL_OWN || (impl == VX6_IMPL_IPSEC_MB && !have_imb) ||
	    (impl == VX6_IMPL_OWN && !have_gcm))
		return VX6_UNSUPPORTED;
	own_gcm = impl == VX6_IMPL_OWN;
	if (own_gcm)
		picked = have_imb ? VX6_IMPL_IPSEC_MB : VX6_IMPL_SODIUM;
	else
		picked = impl;
	return VX6_OK;
}

bool vx6_aead_offers(enum vx6_alg alg)
{
	if (alg == VX6_ALG_AEGIS128L)
		return vx6_aegis_offers();
	if (alg < VX6_ALG_AES128_GCM || alg > VX6_ALG_AEGIS128L)
		return false;
	return picked == VX6_IMPL_IPSEC_MB || vx6_sodium_offers(alg);
}

size_t vx6_aead_state_len(enum vx6_alg alg)
{
	switch (alg) {
	case VX6_ALG_AEGIS128L: return VX6_AEGIS_KEY;
	case VX6_ALG_CHACHA20_POLY1305: return 32;
	case VX6_ALG_AES128_GCM:
	case VX6_ALG_AES256_GCM: break;
	}
	return VX6_AEAD_STATE;
}

enum vx6_status vx6_aead_ref_init(struct vx6_aead_ref *r, enum vx6_alg alg,
				  const uint8_t *key, void *state)
{
	if (!vx6_aead_offers(alg))
		return VX6_UNSUPPORTED;
	*r = (struct vx6_aead_ref){
		.state = state,
		.alg = (uint8_t)alg,
		.impl = (uint8_t)(alg == VX6_ALG_AEGIS128L ? VX6_IMPL_OWN
							   : picked),
	};
	switch ((enum vx6_aead_impl)r->impl) {
	case VX6_IMPL_SODIUM: vx6_sodium_init(state, alg, key); break;
	case VX6_IMPL_IPSEC_MB: vx6_imb_init(state, alg, key); break;
	case VX6_IMPL_OWN: memcpy(state, key, VX6_AEGIS_KEY); break;
	}
	return VX6_OK;
}

/* A message outside of a burst, under a key that was made for them. */
static struct vx6_aead_lane lone(struct vx6_aead_ref r, const uint8_t *nonce,
				 const void *ad, size_t ad_len, uint8_t *dst,
				 const uint8_t *src, size_t len)
{
	assert(dst == src && ad_len == 8 && len <= VX6_GCM_MAX);
	return (struct vx6_aead_lane){
		.key = r.state,
		.nonce = nonce,
		.ad = ad,
		.text = dst,
	};
}

static void own_seal(struct vx6_aead_ref r, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len)
{
	struct vx6_aead_lane m;

	if (r.alg == VX6_ALG_AEGIS128L) {
		vx6_aegis_seal(r.state, nonce, ad, ad_len, dst, src, len);
		return;
	}
	m = lone(r, nonce, ad, ad_len, dst, src, len);
	vx6_gcm_seal(&m, len);
}

static bool own_open(struct vx6_aead_ref r, const uint8_t *nonce,
		     const void *ad, size_t ad_len, uint8_t *dst,
		     const uint8_t *src, size_t len)
{
	struct vx6_aead_lane m;

	if (r.alg == VX6_ALG_AEGIS128L)
		return vx6_aegis_open(r.state, nonce, ad, ad_len, dst, src,
				      len);
	m = lone(r, nonce, ad, ad_len, dst, src, len);
	vx6_gcm_open(&m, len);
	return m.ok;
}

void vx6_aead_ref_seal(struct vx6_aead_ref r, const uint8_t *nonce,
		       const void *ad, size_t ad_len, uint8_t *dst,
		       const uint8_t *src, size_t len)
{
	assert(r.alg != 0);
	if (ad_len == 0)
		ad = ""; /* the libraries dislike NULL, even for nothing */
	if (vx6_likely(r.impl == VX6_IMPL_IPSEC_MB))
		vx6_imb_seal(r, nonce, ad, ad_len, dst, src, len);
	else if (r.impl == VX6_IMPL_OWN)
		own_seal(r, nonce, ad, ad_len, dst, src, len);
	else
		vx6_sodium_seal(r, nonce, ad, ad_len, dst, src, len);
}

enum vx6_status vx6_aead_ref_open(struct vx6_aead_ref r, const uint8_t *nonce,
				  const void *ad, size_t ad_len, uint8_t *dst,
				  const uint8_t *src, size_t len)
{
	bool ok;

	assert(r.alg != 0);
	if (vx6_unlikely(len < VX6_AEAD_TAG))
		return VX6_TRUNCATED;
	len -= VX6_AEAD_TAG;
	if (ad_len == 0)
		ad = "";
	if (vx6_likely(r.impl == VX6_IMPL_IPSEC_MB))
		ok = vx6_imb_open(r, nonce, ad, ad_len, dst, src, len);
	else if (r.impl == VX6_IMPL_OWN)
		ok = own_open(r, nonce, ad, ad_len, dst, src, len);
	else
		ok = vx6_sodium_open(r, nonce, ad, ad_len, dst, src, len);
	return vx6_likely(ok) ? VX6_OK : VX6_BAD_TAG;
}

/* ---- a key and its state in one ---- */

static struct vx6_aead_ref ref_of(const struct vx6_aead *a)
{
	return (struct vx6_aead_ref){ a->state, a->alg, a->impl };
}

enum vx6_status vx6_aead_init(struct vx6_aead *a, enum vx6_alg alg,
			      const uint8_t *key)
{
	struct vx6_aead_ref r;
	enum vx6_status st = vx6_aead_ref_init(&r, alg, key, a->state);

	if (st != VX6_OK)
		return st;
	a->alg = r.alg;
	a->impl = r.impl;
	return VX6_OK;
}

void vx6_aead_seal(const struct vx6_aead *a, const uint8_t *nonce,
		   const void *ad, size_t ad_len, uint8_t *dst,
		   const uint8_t *src, size_t len)
{
	vx6_aead_ref_seal(ref_of(a), nonce, ad, ad_len, dst, src, len);
}

enum vx6_status vx6_aead_open(const struct vx6_aead *a, const uint8_t *nonce,
			      const void *ad, size_t ad_len, uint8_t *dst,
			      const uint8_t *src, size_t len)
{
	return vx6_aead_ref_open(ref_of(a), nonce, ad, ad_len, dst, src, len);
}

void vx6_aead_wipe(struct vx6_aead *a)
{
	sodium_memzero(a, sizeof(*a));
}

/* ---- bursts ---- */

/* Places that are over do the first one's key once more. */
static void own_keys(struct vx6_aead_ref r[], const uint8_t *const key[],
		     void *const state[], unsigned n)
{
	struct vx6_gcm_key *to[VX6_GCM_KEYS];
	const uint8_t *of[VX6_GCM_KEYS];

	for (unsigned i = 0; i < VX6_GCM_KEYS; i++) {
		to[i] = state[i < n ? i : 0];
		of[i] = key[i < n ? i : 0];
	}
	vx6_gcm_keys(to, of);
	for (unsigned i = 0; i < n; i++)
		r[i] = (struct vx6_aead_ref){ state[i], VX6_ALG_AES256_GCM,
					      VX6_IMPL_OWN };
}

enum vx6_aead_impl vx6_aead_burst_impl(enum vx6_alg alg)
{
	bool own = alg == VX6_ALG_AEGIS128L ||
		   (alg == VX6_ALG_AES256_GCM && own_gcm);

	return own ? VX6_IMPL_OWN : picked;
}

enum vx6_status vx6_aead_burst_keys(struct vx6_aead_ref r[], enum vx6_alg alg,
				    const uint8_t *const key[],
				    void *const state[], unsigned n)
{
	assert(n >= 1 && n <= VX6_AEAD_LANES);
	if (alg == VX6_ALG_AES256_GCM && own_gcm) {
		own_keys(r, key, state, n);
		return VX6_OK;
	}
	for (unsigned i = 0; i < n; i++) {
		enum vx6_status st = vx6_aead_ref_init(&r[i], alg, key[i],
						       state[i]);

		if (st != VX6_OK)
			return st;
	}
	return VX6_OK;
}

enum vx6_status vx6_aead_burst_init(struct vx6_aead_ref *r, enum vx6_alg alg,
				    const uint8_t *key, void *state)
{
	return vx6_aead_burst_keys(r, alg, &key, &state, 1);
}

void vx6_aead_seal_gcm(struct vx6_aead_lane *m, size_t len)
{
	assert(len <= VX6_GCM_MAX);
	vx6_gcm_seal(m, len);
}

void vx6_aead_open_gcm(struct vx6_aead_lane *m, size_t len)
{
	assert(len <= VX6_GCM_MAX);
	vx6_gcm_open(m, len);
}

/* An empty lane does the first one's work once more: each reads a block
 * before any writes it, so both write the same. */
static void fill(struct vx6_aead_lane *lane[VX6_AEAD_LANES],
		 struct vx6_aead_lane m[], unsigned n)
{
	assert(n >= 1 && n <= VX6_AEAD_LANES);
	for (unsigned i = 0; i < VX6_AEAD_LANES; i++)
		lane[i] = &m[i < n ? i : 0];
}

void vx6_aead_seal_lanes(struct vx6_aead_lane m[], unsigned n, size_t len)
{
	struct vx6_aead_lane *lane[VX6_AEAD_LANES];
	bool wide = n > 1 && have_lanes;

	fill(lane, m, n);
	if (vx6_likely(wide))
		vx6_aegis_seal_lanes(lane, len);
	for (unsigned i = 0; i < n; i++) {
		m[i].summed = true;
		if (vx6_likely(wide)) {
			m[i].sum += vx6_tag_sum(m[i].text + len, len);
			continue;
		}
		vx6_aegis_seal(m[i].key, m[i].nonce, m[i].ad, 8, m[i].text,
			       m[i].text, len);
		m[i].sum = vx6_sum(m[i].text, len + VX6_AEAD_TAG);
	}
}

void vx6_aead_open_lanes(struct vx6_aead_lane m[], unsigned n, size_t len)
{
	struct vx6_aead_lane *lane[VX6_AEAD_LANES];
	bool wide = n > 1 && have_lanes;

	fill(lane, m, n);
	if (vx6_likely(wide))
		vx6_aegis_open_lanes(lane, len);
	for (unsigned i = 0; i < n; i++) {
		if (!wide) {
			m[i].ok = vx6_aegis_open(m[i].key, m[i].nonce, m[i].ad,
						 8, m[i].text, m[i].text, len);
			m[i].sum = vx6_sum(m[i].text, len);
		}
		m[i].summed = m[i].ok;
	}
}
