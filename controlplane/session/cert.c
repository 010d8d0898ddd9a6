/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/cert.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

/* The subject says nothing, and the same for everybody. */
static int sign_cert(struct quic_cert *c, ed25519_key *key, WC_RNG *rng)
{
	Cert *x = calloc(1, sizeof(*x));
	int n;

	if (!x)
		return MEMORY_E;
	n = wc_InitCert(x);
	if (n != 0)
		goto out;
	memcpy(x->subject.commonName, "n", 2);
	x->sigType = CTC_ED25519;
	x->daysValid = 3650;
	x->selfSigned = 1;
	n = wc_MakeCert_ex(x, c->der, sizeof(c->der), ED25519_TYPE, key, rng);
	if (n < 0)
		goto out;
	n = wc_SignCert_ex(x->bodySz, x->sigType, c->der, sizeof(c->der),
			   ED25519_TYPE, key, rng);
out:
	free(x);
	return n;
}

enum vx6_status quic_cert_make(struct quic_cert *c,
			       const struct quic_identity *id)
{
	enum vx6_status st = VX6_BAD_KEY;
	ed25519_key key;
	WC_RNG rng;
	int n;

	*c = (struct quic_cert){ 0 };
	if (wc_InitRng(&rng) != 0)
		return VX6_NO_MEMORY;
	if (wc_ed25519_init(&key) != 0)
		goto out_rng;
	if (wc_ed25519_import_private_key(id->seed, sizeof(id->seed),
					  id->public_key,
					  sizeof(id->public_key), &key) != 0 ||
	    wc_ed25519_check_key(&key) != 0)
		goto out;
	n = wc_Ed25519PrivateKeyToDer(&key, c->key, sizeof(c->key));
	if (n <= 0)
		goto out;
	c->key_len = (size_t)n;
	n = sign_cert(c, &key, &rng);
	if (n <= 0)
		goto out;
	c->der_len = (size_t)n;
	st = VX6_OK;
out:
	wc_ed25519_free(&key);
out_rng:
	wc_FreeRng(&rng);
	if (st != VX6_OK)
		sodium_memzero(c, sizeof(*c));
	return st;
}

enum vx6_status quic_cert_key(const uint8_t *der, size_t len, uint8_t key[32])
{
	enum vx6_status st = VX6_BAD_KEY;
	DecodedCert *dc;

	if (len == 0 || len > UINT16_MAX)
		return VX6_MALFORMED;
	dc = malloc(sizeof(*dc));
	if (!dc)
		return VX6_MALFORMED;
	wc_InitDecodedCert(dc, der, (word32)len, NULL);
	if (wc_ParseCert(dc, CERT_TYPE, NO_VERIFY, NULL) != 0) {
		st = VX6_MALFORMED;
	} else if (dc->keyOID == ED25519k && dc->publicKey &&
		   dc->pubKeySize == ED25519_PUB_KEY_SIZE) {
		memcpy(key, dc->publicKey, ED25519_PUB_KEY_SIZE);
		st = VX6_OK;
	}
	wc_FreeDecodedCert(dc);
	free(dc);
	return st;
}

void quic_node_id(const uint8_t key[32], uint8_t id[32])
{
	crypto_generichash(id, 32, key, 32, NULL, 0);
}

void quic_identity_fresh(struct quic_identity *id)
{
	uint8_t whole[crypto_sign_SECRETKEYBYTES];

	randombytes_buf(id->seed, sizeof(id->seed));
	crypto_sign_seed_keypair(id->public_key, whole, id->seed);
	sodium_memzero(whole, sizeof(whole));
}
