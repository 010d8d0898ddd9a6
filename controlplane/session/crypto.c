/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crypto: ngtcp2's view of protect.  Its "native handles" are our objects:
 * of an aead the suite, of an aead context a struct sealer, of a cipher
 * context a struct quic_hp. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/wire/window.h"

struct sealer {
	struct quic_aead *aead;
	struct quic_conn *conn;
	bool app;      /* 1-RTT packets */
	bool heard;    /* one has come, and seen counts from there */
	uint64_t next; /* above the highest packet number that came */
	struct vx6_window seen;
	uint8_t iv[QUIC_IV_LEN];
};

static struct sealer *sealer_new(struct quic_conn *c, struct quic_aead *aead,
				 const uint8_t iv[QUIC_IV_LEN], bool app)
{
	struct sealer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->aead = aead;
	s->conn = c;
	s->app = app;
	memcpy(s->iv, iv, sizeof(s->iv));
	return s;
}

static void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	quic_aead_free(s->aead);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

static uint64_t packet_number(const struct sealer *s, const uint8_t *nonce)
{
	return vx6_get64(nonce + 4) ^ vx6_get64(s->iv + 4);
}

int quic_crypto_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
		     const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,
		     size_t len, const uint8_t *nonce, size_t nonce_len,
		     const uint8_t *ad, size_t ad_len)
{
	struct sealer *s = ctx->native_handle;

	(void)aead;
	if (nonce_len != QUIC_IV_LEN)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (s->app)
		quic_frames_out(&s->conn->watch, packet_number(s, nonce), text,
				len);
	if (quic_aead_seal(s->aead, nonce, ad, ad_len, dest, text, len) !=
	    VX6_OK)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

/* ngtcp2 throws away what it has had before, and does not say so; but a
 * packet comes by here first, and with its number.  Numbers go on from key to
 * key, so where a key's begin is known when its first one comes. */
static void note_twins(struct sealer *s, uint64_t pkt)
{
	if (!s->heard)
		vx6_window_init(&s->seen,
				pkt > VX6_WINDOW ? pkt - VX6_WINDOW : 0);
	s->heard = true;
	if (vx6_window_record(&s->seen, pkt) == VX6_REPLAYED)
		s->conn->replayed = true;
	else
		s->conn->fresh = true;
}

/* A replayed packet authenticates too, and must not look like a sign of
 * life: only a higher packet number is one. */
static void note_heard(struct sealer *s, uint64_t pkt)
{
	if (s->app && pkt < s->next)
		return;
	s->next = pkt + 1;
	s->conn->last_rx_ns = s->conn->ep->now_ns;
	s->conn->unanswered_ns = VX6_NEVER;
}

static int open_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
		   const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,
		   size_t len, const uint8_t *nonce, size_t nonce_len,
		   const uint8_t *ad, size_t ad_len)
{
	struct sealer *s = ctx->native_handle;
	uint64_t pkt;

	(void)aead;
	if (nonce_len != QUIC_IV_LEN || len < QUIC_TAG_LEN)
		return NGTCP2_ERR_DECRYPT;
	if (quic_aead_open(s->aead, nonce, ad, ad_len, dest, text, len) !=
	    VX6_OK) {
		s->conn->forged = true;
		return NGTCP2_ERR_DECRYPT;
	}
	pkt = packet_number(s, nonce);
	note_twins(s, pkt);
	note_heard(s, pkt);
	if (s->app && !quic_frames_in(&s->conn->watch, s->conn->stops, dest,
				      len - QUIC_TAG_LEN)) {
		s->conn->hoards = true;
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	return 0;
}

static int mask_cb(uint8_t *dest, const ngtcp2_crypto_cipher *hp,
		   const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample)
{
	(void)hp;
	quic_hp_mask(ctx->native_handle, sample, dest);
	return 0;
}

static void delete_aead(ngtcp2_conn *q, ngtcp2_crypto_aead_ctx *ctx, void *user)
{
	(void)q;
	(void)user;
	sealer_free(ctx->native_handle);
	ctx->native_handle = NULL;
}

static void delete_hp(ngtcp2_conn *q, ngtcp2_crypto_cipher_ctx *ctx, void *user)
{
	(void)q;
	(void)user;
	quic_hp_free(ctx->native_handle);
	ctx->native_handle = NULL;
}

/* ngtcp2 keeps pointers that it never writes through. */
static void *handle_of(const struct quic_suite *suite)
{
	return (void *)(uintptr_t)suite;
}

static ngtcp2_crypto_ctx context_of(const struct quic_suite *suite)
{
	return (ngtcp2_crypto_ctx){
		.aead = { handle_of(suite), QUIC_TAG_LEN },
		.md = { handle_of(suite) },
		.hp = { handle_of(suite) },
		.max_encryption = suite->max_seal,
		.max_decryption_failure = suite->max_bad,
	};
}

struct direction { /* keys in the shape that ngtcp2 installs */
	ngtcp2_crypto_aead_ctx aead;
	ngtcp2_crypto_cipher_ctx hp;
	uint8_t iv[QUIC_IV_LEN];
};

static void direction_free(struct direction *d)
{
	sealer_free(d->aead.native_handle);
	quic_hp_free(d->hp.native_handle);
	sodium_memzero(d, sizeof(*d));
}

static bool direction_make(struct quic_conn *c, struct direction *d,
			   const struct quic_suite *suite,
			   const uint8_t *secret, bool app, bool hp)
{
	struct quic_keys k;

	*d = (struct direction){ 0 };
	if (!quic_keys_make(&k, suite, secret, hp))
		return false;
	d->aead.native_handle = sealer_new(c, k.aead, k.iv, app);
	if (!d->aead.native_handle) {
		quic_keys_free(&k);
		return false;
	}
	d->hp.native_handle = k.hp;
	memcpy(d->iv, k.iv, sizeof(d->iv));
	sodium_memzero(&k, sizeof(k));
	return true;
}

static bool install_initial(struct quic_conn *c, const ngtcp2_cid *dcid)
{
	const struct quic_suite *suite = quic_suite_initial();
	ngtcp2_crypto_ctx ctx = context_of(suite);
	uint8_t client[32], server[32];
	struct direction rx = { 0 }, tx = { 0 };
	bool ok = quic_initial_secrets(dcid->data, dcid->datalen, client,
				       server) &&
		  direction_make(c, &rx, suite, c->client ? server : client,
				 false, true) &&
		  direction_make(c, &tx, suite, c->client ? client : server,
				 false, true);

	sodium_memzero(client, sizeof(client));
	sodium_memzero(server, sizeof(server));
	if (ok) {
		ngtcp2_conn_set_initial_crypto_ctx(c->q, &ctx);
		ok = ngtcp2_conn_install_initial_key(c->q, &rx.aead, rx.iv,
						     &rx.hp, &tx.aead, tx.iv,
						     &tx.hp, QUIC_IV_LEN) == 0;
	}
	if (!ok) {
		direction_free(&rx);
		direction_free(&tx);
	}
	return ok;
}

static int install_rx(struct quic_conn *c, ngtcp2_encryption_level level,
		      const struct direction *d, const uint8_t *secret)
{
	if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
		return ngtcp2_conn_install_rx_handshake_key(
			c->q, &d->aead, d->iv, QUIC_IV_LEN, &d->hp);
	return ngtcp2_conn_install_rx_key(c->q, secret, c->suite->hash_len,
					  &d->aead, d->iv, QUIC_IV_LEN, &d->hp);
}

static int install_tx(struct quic_conn *c, ngtcp2_encryption_level level,
		      const struct direction *d, const uint8_t *secret)
{
	if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
		return ngtcp2_conn_install_tx_handshake_key(
			c->q, &d->aead, d->iv, QUIC_IV_LEN, &d->hp);
	return ngtcp2_conn_install_tx_key(c->q, secret, c->suite->hash_len,
					  &d->aead, d->iv, QUIC_IV_LEN, &d->hp);
}

static bool install_one(struct quic_conn *c, ngtcp2_encryption_level level,
			const uint8_t *secret, bool is_rx)
{
	bool app = level == NGTCP2_ENCRYPTION_LEVEL_1RTT;
	uint8_t bit = (uint8_t)(1u
				<< (2u * (app ? 1u : 0u) + (is_rx ? 0u : 1u)));
	struct direction d;

	/* Once only: a TLS KeyUpdate, which QUIC forbids (RFC 9001 section
	 * 6), would come here a second time, and ngtcp2 asserts. */
	if (c->has_keys & bit)
		return false;
	if (!direction_make(c, &d, c->suite, secret, app, true))
		return false;
	int r = is_rx ? install_rx(c, level, &d, secret)
		      : install_tx(c, level, &d, secret);
	if (r != 0) {
		direction_free(&d);
		return false;
	}
	c->has_keys |= bit;
	return true;
}

bool quic_crypto_install(struct quic_conn *c, ngtcp2_encryption_level level,
			 const uint8_t *rx, const uint8_t *tx)
{
	if (!ngtcp2_conn_get_crypto_ctx(c->q)->aead.native_handle) {
		ngtcp2_crypto_ctx ctx = context_of(c->suite);

		ngtcp2_conn_set_crypto_ctx(c->q, &ctx);
	}
	if (rx && !install_one(c, level, rx, true))
		return false;
	return !tx || install_one(c, level, tx, false);
}

bool quic_crypto_retry(struct quic_conn *c)
{
	static const uint8_t unused[QUIC_IV_LEN];
	ngtcp2_crypto_aead aead = { handle_of(quic_suite_initial()),
				    QUIC_TAG_LEN };
	struct quic_aead *key = quic_retry_aead();
	struct sealer *s = key ? sealer_new(c, key, unused, false) : NULL;

	if (!s) {
		quic_aead_free(key);
		return false;
	}
	ngtcp2_crypto_aead_ctx ctx = { s };
	ngtcp2_conn_set_retry_aead(c->q, &aead, &ctx);
	return true;
}

static int client_initial(ngtcp2_conn *q, void *user)
{
	struct quic_conn *c = user;

	if (!install_initial(c, ngtcp2_conn_get_dcid(q)))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return quic_tls_receive(c, NGTCP2_ENCRYPTION_LEVEL_INITIAL, NULL, 0) ==
			       0
		       ? 0
		       : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int recv_client_initial(ngtcp2_conn *q, const ngtcp2_cid *dcid,
			       void *user)
{
	(void)q;
	return install_initial(user, dcid) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int recv_retry(ngtcp2_conn *q, const ngtcp2_pkt_hd *hd, void *user)
{
	(void)q;
	return install_initial(user, &hd->scid) ? 0
						: NGTCP2_ERR_CALLBACK_FAILURE;
}

static int recv_crypto(ngtcp2_conn *q, ngtcp2_encryption_level level,
		       uint64_t offset, const uint8_t *data, size_t len,
		       void *user)
{
	(void)q;
	(void)offset;
	return quic_tls_receive(user, level, data, len);
}

/* Called by ngtcp2 when it or the peer starts a key update. */
static int update_key(ngtcp2_conn *q, uint8_t *rx_secret, uint8_t *tx_secret,
		      ngtcp2_crypto_aead_ctx *rx_ctx, uint8_t *rx_iv,
		      ngtcp2_crypto_aead_ctx *tx_ctx, uint8_t *tx_iv,
		      const uint8_t *rx_now, const uint8_t *tx_now, size_t len,
		      void *user)
{
	struct quic_conn *c = user;
	struct direction rx = { 0 }, tx = { 0 };

	(void)q;
	if (!c->suite || len != c->suite->hash_len ||
	    !quic_expand(c->suite, rx_now, "quic ku", rx_secret, len) ||
	    !quic_expand(c->suite, tx_now, "quic ku", tx_secret, len) ||
	    !direction_make(c, &rx, c->suite, rx_secret, true, false) ||
	    !direction_make(c, &tx, c->suite, tx_secret, true, false)) {
		direction_free(&rx);
		direction_free(&tx);
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	*rx_ctx = rx.aead;
	*tx_ctx = tx.aead;
	memcpy(rx_iv, rx.iv, QUIC_IV_LEN);
	memcpy(tx_iv, tx.iv, QUIC_IV_LEN);
	return 0;
}

/* QUIC v1 is the only version that we offer or take. */
static int version_negotiation(ngtcp2_conn *q, uint32_t version,
			       const ngtcp2_cid *dcid, void *user)
{
	(void)q;
	(void)version;
	(void)dcid;
	(void)user;
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

void quic_crypto_callbacks(ngtcp2_callbacks *cb)
{
	cb->client_initial = client_initial;
	cb->recv_client_initial = recv_client_initial;
	cb->recv_retry = recv_retry;
	cb->recv_crypto_data = recv_crypto;
	cb->encrypt = quic_crypto_seal;
	cb->decrypt = open_cb;
	cb->hp_mask = mask_cb;
	cb->delete_crypto_aead_ctx = delete_aead;
	cb->delete_crypto_cipher_ctx = delete_hp;
	cb->update_key = update_key;
	cb->version_negotiation = version_negotiation;
}
