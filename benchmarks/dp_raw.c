/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-mb's direct GCM call where the host has it, else what our own calls
 * lead to; one message a call. */
#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "benchmarks/dp.h"

#define AHEAD 4u
#define HUGE  ((size_t)2 << 20)
#define LINES 4u /* of a frame, fetched ahead: the CPU sees the rest itself */

struct dp_raw {
	struct dp_case c;
	IMB_MGR *mgr;             /* NULL: no such call */
	struct gcm_key_data *gcm; /* one a half-circuit that opens or seals, */
	struct vx6_aead *aead;    /* or these */
	uint8_t (*key)[32];       /* what gcm is made of */
	uint8_t *at[DP_FRAMES];   /* where H8 lies */
};

static uint32_t keys_of(const struct dp_case *c)
{
	return c->role == DP_SPLICE ? 2 * c->circuits : c->circuits;
}

/* A key's half-circuit: the other legs stand behind. */
static struct abi_half half_of(const struct dp_case *c, uint32_t key)
{
	return key < c->circuits ? dp_half_of(c, key)
				 : dp_leg_of(c, key - c->circuits);
}

/* In large pages, as the pipeline has its tables. */
static void *room(const struct dp_case *c, size_t each)
{
	size_t len = keys_of(c) * ((each + 63) / 64 * 64);
	void *mem = aligned_alloc(HUGE, (len + HUGE - 1) / HUGE * HUGE);

	if (mem == NULL)
		dp_fail("no memory for the baseline's keys");
	(void)madvise(mem, len, MADV_HUGEPAGE);
	return mem;
}

static enum vx6_alg alg_of(unsigned suite)
{
	switch (suite) {
	case VX6_SUITE_AES256_GCM: return VX6_ALG_AES256_GCM;
	case VX6_SUITE_AEGIS128L: return VX6_ALG_AEGIS128L;
	default: return VX6_ALG_CHACHA20_POLY1305;
	}
}

struct dp_raw *dp_raw_open(const struct dp_rig *rig)
{
	struct dp_raw *raw = calloc(1, sizeof(*raw));
	const struct dp_case *c = &rig->c;
	uint32_t n = keys_of(c);

	if (raw == NULL)
		dp_fail("no memory");
	raw->c = *c;
	if (c->suite == VX6_SUITE_AES256_GCM &&
	    strstr(vx6_aead_impl_name(), "ipsec-mb") != NULL) {
		raw->mgr = alloc_mb_mgr(0);
		if (raw->mgr == NULL)
			dp_fail("no ipsec-mb");
		init_mb_mgr_auto(raw->mgr, NULL);
		raw->gcm = room(c, sizeof(*raw->gcm));
		raw->key = room(c, sizeof(*raw->key));
		for (uint32_t i = 0; i < n; i++) {
			memcpy(raw->key[i], half_of(c, i).key, 32);
			IMB_AES256_GCM_PRE(raw->mgr, raw->key[i], &raw->gcm[i]);
		}
		return raw;
	}
	raw->aead = room(c, sizeof(*raw->aead));
	for (uint32_t i = 0; i < n; i++)
		dp_need(vx6_aead_init(&raw->aead[i], alg_of(c->suite),
				      half_of(c, i).key) == VX6_OK,
			"no AEAD");
	return raw;
}

void dp_raw_close(struct dp_raw *raw)
{
	if (raw == NULL)
		return;
	if (raw->mgr != NULL)
		free_mb_mgr(raw->mgr);
	free(raw->gcm);
	free(raw->key);
	free(raw->aead);
	free(raw);
}

bool dp_raw_can(const struct dp_raw *raw, enum dp_raw_how how)
{
	return how != DP_RAW_EXPAND || raw->key != NULL;
}

const char *dp_raw_name(const struct dp_raw *raw)
{
	return raw->mgr != NULL ? "ipsec-mb, direct" : "raw AEAD";
}

/* With the key's tables, or with those made of it now. */
static void direct(const struct dp_raw *raw, const struct gcm_key_data *k,
		   uint8_t *h8, const uint8_t *nonce, size_t len, bool open)
{
	struct gcm_context_data ctx;
	uint8_t tag[16], *p = h8 + 8;

	if (open)
		IMB_AES256_GCM_DEC(raw->mgr, k, &ctx, p, p, len, nonce, h8, 8,
				   tag, 16);
	else
		IMB_AES256_GCM_ENC(raw->mgr, k, &ctx, p, p, len, nonce, h8, 8,
				   tag, 16);
}

static void one(const struct dp_raw *raw, uint32_t key, uint8_t *h8,
		uint32_t no, size_t len, bool open, enum dp_raw_how how)
{
	uint8_t nonce[16] = { 0 }, *p = h8 + 8;
	struct gcm_key_data made;

	memcpy(nonce, &no, sizeof(no));
	if (how == DP_RAW_EXPAND) {
		IMB_AES256_GCM_PRE(raw->mgr, raw->key[key], &made);
		direct(raw, &made, h8, nonce, len, open);
	} else if (raw->mgr != NULL) {
		direct(raw, &raw->gcm[key], h8, nonce, len, open);
	} else if (!open)
		vx6_aead_seal(&raw->aead[key], nonce, h8, 8, p, p, len);
	else if (vx6_aead_open(&raw->aead[key], nonce, h8, 8, p, p, len + 16) ==
		 VX6_OK)
		abort(); /* cannot be: these bytes are no ciphertext */
}

static void fetch(const struct dp_raw *raw, uint32_t key, const uint8_t *h8,
		  enum dp_raw_how how)
{
	const uint8_t *k = raw->mgr != NULL ? (const uint8_t *)&raw->gcm[key]
					    : raw->aead[key].state;
	size_t len = raw->mgr != NULL ? sizeof(*raw->gcm) : 64;

	if (how == DP_RAW_EXPAND) {
		k = raw->key[key];
		len = 32;
	}

	for (size_t i = 0; i < LINES; i++)
		vx6_prefetch_w(h8 + i * VX6_CACHELINE);
	for (size_t i = 0; i < len; i += VX6_CACHELINE)
		vx6_prefetch(k + i);
}

static void all(struct dp_raw *raw, const struct dp_rig *rig, uint32_t first,
		size_t len, bool open, enum dp_raw_how how)
{
	for (uint32_t i = 0; i < DP_FRAMES; i++) {
		uint32_t next = i + AHEAD;

		if (how != DP_RAW_PLAIN && next < DP_FRAMES)
			fetch(raw, first + rig->circuit[next], raw->at[next],
			      how);
		one(raw, first + rig->circuit[i], raw->at[i], i, len, open,
		    how);
	}
}

double dp_raw_pass(struct dp_raw *raw, struct dp_rig *rig, enum dp_raw_how how)
{
	const struct dp_case *c = &raw->c;
	/* what the relay opens is the layer's plaintext; it seals H8 as well */
	size_t plain = c->size - VX6_CELL_HDR - VX6_LEN_MIN;
	size_t whole = c->size - 8;
	double t;

	dp_rig_fill(rig);
	for (unsigned i = 0; i < DP_FRAMES; i++)
		raw->at[i] = rig->order[i]->data + 8;
	t = dp_cpu_ns();
	if (c->role == DP_BACKWARD)
		all(raw, rig, 0, whole, false, how);
	else
		all(raw, rig, 0, plain, true, how);
	if (c->role == DP_SPLICE)
		all(raw, rig, c->circuits, plain, false, how);
	return dp_cpu_ns() - t;
}
