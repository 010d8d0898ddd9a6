/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/layer.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Suite to algorithm; 0 where this implementation has none. */
static enum vx6_alg alg_of(unsigned suite)
{
	switch (suite) {
	case VX6_SUITE_AES256_GCM: return VX6_ALG_AES256_GCM;
	case VX6_SUITE_CHACHA20_POLY1305: return VX6_ALG_CHACHA20_POLY1305;
	case VX6_SUITE_AEGIS128L: return VX6_ALG_AEGIS128L;
	default: return (enum vx6_alg)0;
	}
}

/* PROTOCOL.md section 3: the counter, which H8 begins with, in bytes 6..11
 * of a nonce of 12 bytes, in 10..15 of suite 3's 16. */
static void nonce_of(uint8_t nonce[VX6_NONCE_MAX],
		     const struct vx6_layer_key *k, const uint8_t h8[8])
{
	unsigned at = k->suite == VX6_SUITE_AEGIS128L ? 8 : 4;

	memcpy(nonce, k->b, 8);
	vx6_put64(nonce + at, vx6_get64(k->b + at) ^ vx6_h8_ctr(h8));
}

/* Where in b the key lies, behind iv; 0: it is in GCM's tables. */
static unsigned key_at(unsigned suite)
{
	switch (suite) {
	case VX6_SUITE_CHACHA20_POLY1305: return 12;
	case VX6_SUITE_AEGIS128L: return 16;
	default: return 0;
	}
}

#define BARE_AT 12u /* of suite 1's key, where it has no tables */

static struct vx6_aead_ref ref_of(const struct vx6_layer_key *k,
				  const struct vx6_layer_gcm *gcm)
{
	unsigned at = key_at(k->suite);

	return (struct vx6_aead_ref){ at == 0 ? gcm->state : k->b + at, k->alg,
				      k->impl };
}

bool vx6_suite_offers(unsigned suite)
{
	enum vx6_alg alg = alg_of(suite);

	return alg != 0 && vx6_aead_offers(alg);
}

enum vx6_status vx6_layer_key_init(struct vx6_layer_key *k,
				   struct vx6_layer_gcm *gcm, unsigned suite,
				   const uint8_t key[32], const uint8_t iv[16])
{
	unsigned at = key_at(suite);
	struct vx6_aead_ref r;
	enum vx6_status st;

	if (!vx6_suite_offers(suite))
		return VX6_UNSUPPORTED;
	*k = (struct vx6_layer_key){ .suite = (uint8_t)suite };
	memcpy(k->b, iv, at == 0 ? 12 : at);
	if (at == 0 && gcm == NULL) {
		memcpy(k->b + BARE_AT, key, 32);
		k->alg = (uint8_t)alg_of(suite);
		k->impl = (uint8_t)vx6_aead_burst_impl(alg_of(suite));
		return VX6_OK;
	}
	st = vx6_aead_burst_init(&r, alg_of(suite), key,
				 at == 0 ? gcm->state : k->b + at);
	if (st != VX6_OK)
		return st;
	k->alg = r.alg;
	k->impl = r.impl;
	return VX6_OK;
}

enum vx6_status vx6_layer_init(struct vx6_layer *l, unsigned suite,
			       const uint8_t key[32], const uint8_t iv[16])
{
	return vx6_layer_key_init(&l->key, &l->gcm, suite, key, iv);
}

enum vx6_status vx6_layer_open(const struct vx6_layer *l, uint8_t *h8,
			       size_t room, size_t *plain_len)
{
	uint8_t nonce[VX6_NONCE_MAX];
	size_t len;

	if (vx6_unlikely(room < 8u + VX6_LEN_MIN))
		return VX6_BAD_SIZE;
	len = vx6_h8_len(h8);
	if (vx6_unlikely(len < VX6_LEN_MIN || len > room - 8u))
		return VX6_BAD_SIZE;
	nonce_of(nonce, &l->key, h8);
	*plain_len = len - VX6_LEN_MIN;
	return vx6_aead_ref_open(ref_of(&l->key, &l->gcm), nonce, h8, 8, h8 + 8,
				 h8 + 8, len);
}

void vx6_layer_seal(const struct vx6_layer *l, uint64_t ctr, enum vx6_kind kind,
		    uint8_t *h8, size_t plain_len)
{
	uint8_t nonce[VX6_NONCE_MAX];

	assert(plain_len <= VX6_LEN_MAX - VX6_LEN_MIN);
	vx6_h8_put(h8, ctr, (unsigned)kind, plain_len + VX6_LEN_MIN);
	nonce_of(nonce, &l->key, h8);
	vx6_aead_ref_seal(ref_of(&l->key, &l->gcm), nonce, h8, 8, h8 + 8,
			  h8 + 8, plain_len);
}

/* ---- bursts ---- */

enum { CHUNK = 64, BINS = 4, AHEAD = 3, FETCH = 12 * VX6_CACHELINE };
enum { OWN_AHEAD = 2 }; /* of AHEAD, where the cipher itself fetches */

/* Cells of suite 3 that wait for others of their length.  A burst knows few
 * lengths: full ones, and those of acknowledgements. */
struct bin {
	size_t len; /* of the plaintext */
	unsigned n;
	struct vx6_aead_lane lane[VX6_AEAD_LANES];
	struct vx6_layer_op *op[VX6_AEAD_LANES];
};

struct bins {
	struct bin of[BINS];
	unsigned used;
	bool opening;
};

static void bin_run(const struct bins *b, struct bin *bin)
{
	if (bin->n > 0 && b->opening)
		vx6_aead_open_lanes(bin->lane, bin->n, bin->len);
	else if (bin->n > 0)
		vx6_aead_seal_lanes(bin->lane, bin->n, bin->len);
	for (unsigned i = 0; i < bin->n; i++) {
		struct vx6_layer_op *o = bin->op[i];
		bool ok = !b->opening || bin->lane[i].ok;

		o->st = ok ? VX6_OK : VX6_BAD_TAG;
		o->summed = ok && bin->lane[i].summed;
		o->sum = bin->lane[i].sum;
	}
	bin->n = 0;
}

static struct bin *bin_for(struct bins *b, size_t len)
{
	struct bin *bin;

	for (unsigned i = 0; i < b->used; i++)
		if (b->of[i].len == len)
			return &b->of[i];
	if (b->used < BINS) {
		bin = &b->of[b->used++];
		bin->n = 0;
	} else {
		bin = &b->of[len % BINS];
		bin_run(b, bin);
	}
	bin->len = len;
	return bin;
}

/* next: whose memory is fetched meanwhile, or NULL. */
static void bin_add(struct bins *b, struct vx6_layer_op *o,
		    const uint8_t *nonce, const struct vx6_layer_op *next)
{
	struct bin *bin = bin_for(b, o->len);

	bin->lane[bin->n] = (struct vx6_aead_lane){
		.key = o->key->b + 16,
		.nonce = nonce,
		.ad = o->h8,
		.text = o->h8 + 8,
		.ahead = o->ahead,
	};
	if (o->ahead == NULL && next != NULL)
		bin->lane[bin->n].ahead = next->h8 - 16;
	bin->op[bin->n++] = o;
	if (bin->n == VX6_AEAD_LANES)
		bin_run(b, bin);
}

static void bins_run(struct bins *b)
{
	for (unsigned i = 0; i < b->used; i++)
		bin_run(b, &b->of[i]);
}

/* What the cipher itself fetches on the way. */
static bool fetches(const struct vx6_layer_op *o)
{
	return o->key->suite == VX6_SUITE_AEGIS128L ||
	       o->key->impl == VX6_IMPL_OWN;
}

/* From 16 bytes before H8, where the header of what leaves will begin.
 * Twelve lines: by then the CPU sees where this goes and fetches the rest by
 * itself; where memory is slow, four left it waiting. */
static void fetch(const struct vx6_layer_op *o)
{
	const uint8_t *p = o->h8 - 16;
	size_t tables = 0;

	if (o->key->suite == VX6_SUITE_AES256_GCM && o->gcm != NULL)
		tables = o->key->impl == VX6_IMPL_OWN ? VX6_AEAD_OWN_STATE
						      : VX6_AEAD_STATE;
	for (size_t at = 0; at < FETCH; at += VX6_CACHELINE)
		vx6_prefetch(p + at);
	for (size_t at = 0; at < tables; at += VX6_CACHELINE)
		vx6_prefetch(o->gcm->state + at);
}

/* Whom nobody else would fetch; the sooner the better.  Who knows what comes
 * in a later call had these fetched in the one before. */
static void fetch_first(const struct vx6_layer_op op[], unsigned n)
{
	for (unsigned i = 0; i < n && i < AHEAD; i++)
		if (op[i].ahead == NULL || !fetches(&op[i]))
			fetch(&op[i]);
}

/* ---- suite 1 without tables: they are made for some cells at a time ---- */

struct bare {
	struct vx6_layer_gcm made[VX6_AEAD_LANES];
	struct vx6_aead_ref ref[VX6_AEAD_LANES];
	unsigned at, n;
	bool used;
};

static bool is_bare(const struct vx6_layer_op *o)
{
	return o->key->suite == VX6_SUITE_AES256_GCM && o->gcm == NULL;
}

/* For o, and for those behind it. */
static void bare_make(struct bare *b, const struct vx6_layer_op *o,
		      const struct vx6_layer_op *end)
{
	const uint8_t *key[VX6_AEAD_LANES];
	void *state[VX6_AEAD_LANES];

	b->used = true;
	b->at = b->n = 0;
	for (; o < end && b->n < VX6_AEAD_LANES; o++) {
		if (!is_bare(o) || o->st != VX6_OK)
			continue;
		key[b->n] = o->key->b + BARE_AT;
		state[b->n] = b->made[b->n].state;
		b->n++;
	}
	if (vx6_aead_burst_keys(b->ref, VX6_ALG_AES256_GCM, key, state, b->n) !=
	    VX6_OK)
		abort(); /* it was offered when the key came */
}

static struct vx6_aead_ref ref_with(struct bare *b,
				    const struct vx6_layer_op *o,
				    const struct vx6_layer_op *end)
{
	if (vx6_likely(!is_bare(o)))
		return ref_of(o->key, o->gcm);
	if (b->at == b->n)
		bare_make(b, o, end);
	return b->ref[b->at++];
}

static void bare_wipe(struct bare *b)
{
	if (b->used)
		sodium_memzero(b->made, sizeof(b->made));
}

/* Judges what H8 says of the size, and leaves that of P in len. */
static void look(struct vx6_layer_op *o, uint8_t nonce[VX6_NONCE_MAX])
{
	size_t len;

	o->summed = false;
	o->st = VX6_BAD_SIZE;
	if (vx6_unlikely(o->len < 8u + VX6_LEN_MIN))
		return;
	len = vx6_h8_len(o->h8);
	if (vx6_unlikely(len < VX6_LEN_MIN || len > o->len - 8u))
		return;
	nonce_of(nonce, o->key, o->h8);
	o->len = len - VX6_LEN_MIN;
	o->st = VX6_OK;
}

/* The op that stands in the same place of the next four, or NULL. */
static const struct vx6_layer_op *next_of(const struct vx6_layer_op op[],
					  unsigned i, unsigned n)
{
	return i + VX6_AEAD_LANES < n ? &op[i + VX6_AEAD_LANES] : NULL;
}

static struct vx6_aead_lane own_lane(const struct vx6_layer_op *o,
				     struct vx6_aead_ref r,
				     const uint8_t *nonce,
				     const struct vx6_layer_op *end)
{
	struct vx6_aead_lane m = {
		.key = r.state, .nonce = nonce, .ad = o->h8, .text = o->h8 + 8
	};

	if (vx6_likely(o->ahead != NULL)) {
		m.ahead = o->ahead;
		if (o->ahead_gcm != NULL)
			m.ahead_key = o->ahead_gcm->state;
	} else if (vx6_likely(end - o > OWN_AHEAD)) {
		m.ahead = o[OWN_AHEAD].h8 - 16;
		if (o[OWN_AHEAD].gcm != NULL)
			m.ahead_key = o[OWN_AHEAD].gcm->state;
	}
	return m;
}

static void open_one(struct vx6_layer_op *o, struct vx6_aead_ref r,
		     const uint8_t *nonce, const struct vx6_layer_op *end)
{
	struct vx6_aead_lane m;

	if (r.impl != VX6_IMPL_OWN) {
		o->st = vx6_aead_ref_open(r, nonce, o->h8, 8, o->h8 + 8,
					  o->h8 + 8, o->len + VX6_LEN_MIN);
		return;
	}
	m = own_lane(o, r, nonce, end);
	vx6_aead_open_gcm(&m, o->len);
	o->st = vx6_likely(m.ok) ? VX6_OK : VX6_BAD_TAG;
	o->summed = m.summed;
	o->sum = m.sum;
}

static void seal_one(struct vx6_layer_op *o, struct vx6_aead_ref r,
		     const uint8_t *nonce, const struct vx6_layer_op *end)
{
	struct vx6_aead_lane m;

	if (r.impl != VX6_IMPL_OWN) {
		vx6_aead_ref_seal(r, nonce, o->h8, 8, o->h8 + 8, o->h8 + 8,
				  o->len);
		return;
	}
	m = own_lane(o, r, nonce, end);
	vx6_aead_seal_gcm(&m, o->len);
	o->summed = m.summed;
	o->sum = m.sum;
}

/* Each op's len is its plaintext's now, its st OK unless it is refused. */
static void chunk(struct vx6_layer_op op[], unsigned n,
		  const uint8_t nonce[][VX6_NONCE_MAX], bool opening)
{
	struct bins bins = { .opening = opening };
	struct bare bare;

	bare.at = bare.n = 0;
	bare.used = false;
	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		if (i + AHEAD < n && !fetches(&o[AHEAD]))
			fetch(&o[AHEAD]);
		if (vx6_unlikely(o->st != VX6_OK))
			continue;
		if (o->key->suite == VX6_SUITE_AEGIS128L)
			bin_add(&bins, o, nonce[i], next_of(op, i, n));
		else if (opening)
			open_one(o, ref_with(&bare, o, op + n), nonce[i],
				 op + n);
		else
			seal_one(o, ref_with(&bare, o, op + n), nonce[i],
				 op + n);
	}
	bins_run(&bins);
	bare_wipe(&bare);
}

static void open_chunk(struct vx6_layer_op op[], unsigned n)
{
	uint8_t nonce[CHUNK][VX6_NONCE_MAX];

	fetch_first(op, n);
	for (unsigned i = 0; i < n; i++)
		look(&op[i], nonce[i]);
	chunk(op, n, nonce, true);
}

static void seal_chunk(struct vx6_layer_op op[], unsigned n)
{
	uint8_t nonce[CHUNK][VX6_NONCE_MAX];

	fetch_first(op, n);
	for (unsigned i = 0; i < n; i++) {
		struct vx6_layer_op *o = &op[i];

		assert(o->len <= VX6_LEN_MAX - VX6_LEN_MIN);
		o->st = VX6_OK;
		o->summed = false;
		vx6_h8_put(o->h8, o->ctr, (unsigned)o->kind,
			   o->len + VX6_LEN_MIN);
		nonce_of(nonce[i], o->key, o->h8);
	}
	chunk(op, n, nonce, false);
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
