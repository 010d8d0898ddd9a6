/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls: wolfSSL does the handshake, and is freed when that is over. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/bytes.h"

#define TP_MAX        512u
#define TP_CODE_POINT 0x39 /* RFC 9001 section 8.2 */

static const char alpn_session[] = "vx6/1";
static const char alpn_tunnel[] = "vx6-t/1";
static const char alpn_both[] = "vx6/1,vx6-t/1";

/* ---- what wolfSSL asks of QUIC (RFC 9001 section 4) ---- */

static ngtcp2_encryption_level level_of(WOLFSSL_ENCRYPTION_LEVEL level)
{
	switch (level) {
	case wolfssl_encryption_initial:
	case wolfssl_encryption_early_data:
		return NGTCP2_ENCRYPTION_LEVEL_INITIAL;
	case wolfssl_encryption_handshake:
		return NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE;
	case wolfssl_encryption_application: break;
	}
	return NGTCP2_ENCRYPTION_LEVEL_1RTT;
}

static WOLFSSL_ENCRYPTION_LEVEL wolf_level(ngtcp2_encryption_level level)
{
	switch (level) {
	case NGTCP2_ENCRYPTION_LEVEL_INITIAL: return wolfssl_encryption_initial;
	case NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE:
		return wolfssl_encryption_handshake;
	case NGTCP2_ENCRYPTION_LEVEL_1RTT:
	case NGTCP2_ENCRYPTION_LEVEL_0RTT: break;
	}
	return wolfssl_encryption_application;
}

/* Which protocol was agreed on.  None at all is a refusal. */
static bool take_alpn(struct quic_conn *c)
{
	char *name = NULL;
	unsigned short len = 0;

	if (wolfSSL_ALPN_GetProtocol(c->ssl, &name, &len) != WOLFSSL_SUCCESS ||
	    !name)
		return false;
	bool session = len == strlen(alpn_session) &&
		       memcmp(name, alpn_session, len) == 0;
	bool tunnel = len == strlen(alpn_tunnel) &&
		      memcmp(name, alpn_tunnel, len) == 0;
	if (!session && !tunnel)
		return false;
	enum quic_alpn alpn = session ? QUIC_SESSION : QUIC_TUNNEL;
	if (c->client && alpn != c->alpn)
		return false;
	c->alpn = alpn;
	return true;
}

static bool take_peer_params(struct quic_conn *c)
{
	const uint8_t *data = NULL;
	size_t len = 0;
	int r;

	wolfSSL_get_peer_quic_transport_params(c->ssl, &data, &len);
	if (!data || len == 0) {
		ngtcp2_conn_set_tls_alert(c->q, 109); /* missing_extension */
		return false;
	}
	r = ngtcp2_conn_decode_and_set_remote_transport_params(c->q, data, len);
	if (r != 0)
		ngtcp2_conn_set_tls_error(c->q, r);
	return r == 0;
}

static bool give_params(struct quic_conn *c)
{
	uint8_t buf[TP_MAX];
	ngtcp2_ssize n = ngtcp2_conn_encode_local_transport_params(c->q, buf,
								   sizeof(buf));

	return n > 0 && wolfSSL_set_quic_transport_params(
				c->ssl, buf, (size_t)n) == WOLFSSL_SUCCESS;
}

/* The server learns the protocol, and with it its own parameters, from
 * the ClientHello; this is the last moment to say them. */
static bool settle_params(struct quic_conn *c)
{
	ngtcp2_transport_params params =
		*ngtcp2_conn_get_local_transport_params(c->q);

	if (!take_alpn(c)) {
		ngtcp2_conn_set_tls_alert(c->q, 120);
		return false;
	}
	quic_local_params(c, &params);
	return ngtcp2_conn_set_local_transport_params(c->q, &params) == 0;
}

static int on_secrets(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL at,
		      const uint8_t *rx, const uint8_t *tx, size_t len)
{
	struct quic_conn *c = wolfSSL_get_app_data(ssl);
	ngtcp2_encryption_level level = level_of(at);

	if (at != wolfssl_encryption_handshake &&
	    at != wolfssl_encryption_application)
		return 0;
	if (!c->suite)
		c->suite = quic_suite_of(
			(uint16_t)wolfSSL_get_current_cipher_suite(ssl));
	if (!c->suite || len != c->suite->hash_len)
		return 0;
	if (!c->client && !ngtcp2_conn_get_negotiated_version(c->q) &&
	    (!take_peer_params(c) || !settle_params(c)))
		return 0;
	if (c->client && rx && at == wolfssl_encryption_application &&
	    !take_peer_params(c))
		return 0;
	if (!quic_crypto_install(c, level, rx, tx))
		return 0;
	if (!c->client && tx && at == wolfssl_encryption_handshake &&
	    !give_params(c))
		return 0;
	return 1;
}

static int on_handshake_data(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level,
			     const uint8_t *data, size_t len)
{
	struct quic_conn *c = wolfSSL_get_app_data(ssl);

	return ngtcp2_conn_submit_crypto_data(c->q, level_of(level), data,
					      len) == 0;
}

static int on_flush(WOLFSSL *ssl)
{
	(void)ssl;
	return 1;
}

static int on_alert(WOLFSSL *ssl, WOLFSSL_ENCRYPTION_LEVEL level, uint8_t alert)
{
	struct quic_conn *c = wolfSSL_get_app_data(ssl);

	(void)level;
	ngtcp2_conn_set_tls_alert(c->q, alert);
	return 1;
}

static const WOLFSSL_QUIC_METHOD method = { on_secrets, on_handshake_data,
					    on_flush, on_alert };

/* ---- who the peer is ---- */

/* Takes the key out of the one certificate.  That the peer has the key is
 * shown by CertificateVerify, later; whether it is the right one is asked
 * when that has passed. */
static int on_cert(int pre, WOLFSSL_X509_STORE_CTX *store)
{
	struct quic_conn *c = store->userCtx;

	(void)pre;
	if (!c || c->key_seen || store->totalCerts != 1 ||
	    store->error_depth != 0 || !store->certs)
		return 0;
	if (quic_cert_key(store->certs[0].buffer, store->certs[0].length,
			  c->peer_key) != VX6_OK)
		return 0;
	quic_node_id(c->peer_key, c->peer_id);
	c->key_seen = true;
	return 1;
}

static bool is_expected(const struct quic_conn *c)
{
	return !c->expects || sodium_memcmp(c->expect, c->peer_id, 32) == 0;
}

/* The handshake is over for TLS.  A resumed session would come here
 * without a certificate; there are no tickets, and it would fail here. */
static int finish(struct quic_conn *c)
{
	if (!c->key_seen) {
		ngtcp2_conn_set_tls_alert(c->q, 116);
		return NGTCP2_ERR_CRYPTO;
	}
	if (c->client && !take_alpn(c)) {
		ngtcp2_conn_set_tls_alert(c->q, 120);
		return NGTCP2_ERR_CRYPTO;
	}
	c->proved = true;
	if (!is_expected(c)) {
		c->mismatch = true;
		ngtcp2_conn_set_tls_alert(c->q, 42); /* bad_certificate */
		return NGTCP2_ERR_CRYPTO;
	}
	c->completed = true;
	ngtcp2_conn_tls_handshake_completed(c->q);
	return 0;
}

/* ---- handshake bytes in ---- */

static int tls_failed(struct quic_conn *c, int r)
{
	int liberr = ngtcp2_conn_get_tls_error(c->q);

	c->tls_err = r;
	return liberr ? liberr : NGTCP2_ERR_CRYPTO;
}

static int drive(struct quic_conn *c)
{
	int r = wolfSSL_quic_do_handshake(c->ssl);

	if (r > 0)
		return finish(c);
	int e = wolfSSL_get_error(c->ssl, r);
	if (e == WOLFSSL_ERROR_WANT_READ || e == WOLFSSL_ERROR_WANT_WRITE)
		return 0;
	return tls_failed(c, e);
}

static bool has_room(struct quic_tls_in *in, size_t want)
{
	size_t cap = in->cap ? in->cap : 1024;

	if (want <= in->cap)
		return true;
	while (cap < want)
		cap *= 2;
	uint8_t *p = realloc(in->buf, cap);
	if (!p)
		return false;
	in->buf = p;
	in->cap = cap;
	return true;
}

/* After the handshake only a server's tickets may come, and nobody wants
 * them.  A KeyUpdate above all is forbidden (RFC 9001 section 6). */
static bool is_ticket(const struct quic_conn *c, const uint8_t *message)
{
	return c->client && message[0] == 4;
}

static int give_messages(struct quic_conn *c)
{
	struct quic_tls_in *in = &c->tls_in;
	size_t at = 0;

	while (in->len - at >= 4) {
		size_t n = 4 + (size_t)vx6_get24(in->buf + at + 1);

		if (n > QUIC_TLS_MSG)
			return NGTCP2_ERR_CRYPTO;
		if (c->completed && !is_ticket(c, in->buf + at)) {
			ngtcp2_conn_set_tls_alert(c->q, 10);
			return NGTCP2_ERR_CRYPTO;
		}
		if (in->len - at < n)
			break;
		if (!c->completed &&
		    wolfSSL_provide_quic_data(c->ssl, wolf_level(in->level),
					      in->buf + at,
					      n) != WOLFSSL_SUCCESS)
			return NGTCP2_ERR_CRYPTO;
		at += n;
	}
	in->len -= at;
	if (at > 0)
		memmove(in->buf, in->buf + at, in->len);
	return 0;
}

static void forget_messages(struct quic_tls_in *in)
{
	if (in->buf)
		sodium_memzero(in->buf, in->cap);
	free(in->buf);
	*in = (struct quic_tls_in){ 0 };
}

int quic_tls_receive(struct quic_conn *c, ngtcp2_encryption_level level,
		     const uint8_t *data, size_t len)
{
	struct quic_tls_in *in = &c->tls_in;

	/* A server's TLS begins with the first authentic bytes, so that noise
	 * that looks like an Initial costs no 57 KiB. */
	if (!c->ssl && !c->completed && quic_tls_new(c, NULL) != VX6_OK)
		return NGTCP2_ERR_NOMEM;
	if (in->len > 0 && in->level != level)
		return NGTCP2_ERR_PROTO;
	in->level = level;
	while (len > 0) {
		size_t n = len < QUIC_TLS_MSG ? len : QUIC_TLS_MSG;

		if (!has_room(in, in->len + n))
			return NGTCP2_ERR_NOMEM;
		memcpy(in->buf + in->len, data, n);
		in->len += n;
		data += n;
		len -= n;
		int r = give_messages(c);
		if (r != 0)
			return r;
	}
	if (in->len == 0)
		forget_messages(in);
	return c->completed ? 0 : drive(c);
}

/* ---- making and freeing ---- */

bool quic_tls_ctx(WOLFSSL_CTX *ctx)
{
	int groups[] = { WOLFSSL_ECC_X25519 };

	wolfSSL_CTX_set_verify(
		ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		on_cert);
	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	return wolfSSL_CTX_set_cipher_list(ctx, quic_suites_text()) ==
		       WOLFSSL_SUCCESS &&
	       wolfSSL_CTX_set_groups(ctx, groups, 1) == WOLFSSL_SUCCESS &&
	       wolfSSL_CTX_set1_sigalgs_list(ctx, "ED25519") ==
		       WOLFSSL_SUCCESS &&
	       wolfSSL_CTX_set_quic_method(ctx, &method) == WOLFSSL_SUCCESS;
}

bool quic_tls_cert(WOLFSSL_CTX *ctx, const struct quic_cert *cert)
{
	return wolfSSL_CTX_use_certificate_buffer(
		       ctx, cert->der, (long)cert->der_len,
		       WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
	       wolfSSL_CTX_use_PrivateKey_buffer(
		       ctx, cert->key, (long)cert->key_len,
		       WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
}

enum vx6_status quic_tls_open(struct quic_endpoint *ep)
{
	struct quic_cert cert;
	enum vx6_status st;

	if (wolfSSL_Init() != WOLFSSL_SUCCESS)
		return VX6_UNSUPPORTED;
	st = quic_cert_make(&cert, &ep->identity);
	if (st != VX6_OK) {
		wolfSSL_Cleanup();
		return st;
	}
	ep->server_ctx = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
	ep->client_ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
	if (!ep->server_ctx || !ep->client_ctx ||
	    !quic_tls_ctx(ep->server_ctx) || !quic_tls_ctx(ep->client_ctx) ||
	    !quic_tls_cert(ep->server_ctx, &cert) ||
	    !quic_tls_cert(ep->client_ctx, &cert) ||
	    wolfSSL_CTX_no_ticket_TLSv13(ep->server_ctx) != 0) {
		st = VX6_UNSUPPORTED;
		quic_tls_shut(ep);
	}
	sodium_memzero(&cert, sizeof(cert));
	return st;
}

void quic_tls_shut(struct quic_endpoint *ep)
{
	wolfSSL_CTX_free(ep->server_ctx);
	wolfSSL_CTX_free(ep->client_ctx);
	ep->server_ctx = NULL;
	ep->client_ctx = NULL;
	wolfSSL_Cleanup();
}

static bool use_other(WOLFSSL *ssl, const struct quic_identity *own)
{
	struct quic_cert cert;
	bool ok = quic_cert_make(&cert, own) == VX6_OK &&
		  wolfSSL_use_certificate_buffer(
			  ssl, cert.der, (long)cert.der_len,
			  WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
		  wolfSSL_use_PrivateKey_buffer(
			  ssl, cert.key, (long)cert.key_len,
			  WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;

	sodium_memzero(&cert, sizeof(cert));
	return ok;
}

static bool set_alpn(const struct quic_conn *c)
{
	const char *names = alpn_both;
	char list[sizeof(alpn_both)];

	if (c->client)
		names = c->alpn == QUIC_SESSION ? alpn_session : alpn_tunnel;
	memcpy(list, names, strlen(names) + 1);
	return wolfSSL_UseALPN(c->ssl, list, (unsigned)strlen(names),
			       WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
	       WOLFSSL_SUCCESS;
}

enum vx6_status quic_tls_new(struct quic_conn *c,
			     const struct quic_identity *own)
{
	struct quic_endpoint *ep = c->ep;

	c->ssl = wolfSSL_new(c->client ? ep->client_ctx : ep->server_ctx);
	if (!c->ssl)
		return VX6_NO_ROOM;
	wolfSSL_KeepArrays(c->ssl);
	wolfSSL_SetCertCbCtx(c->ssl, c);
	wolfSSL_set_quic_transport_version(c->ssl, TP_CODE_POINT);
	if (wolfSSL_set_app_data(c->ssl, c) != WOLFSSL_SUCCESS ||
	    !set_alpn(c) || (own && !use_other(c->ssl, own)))
		return VX6_UNSUPPORTED;
	ngtcp2_conn_set_tls_native_handle(c->q, c->ssl);
	if (!c->client) {
		wolfSSL_set_accept_state(c->ssl);
		return VX6_OK;
	}
	wolfSSL_set_connect_state(c->ssl);
	if (wolfSSL_UseKeyShare(c->ssl, WOLFSSL_ECC_X25519) !=
		    WOLFSSL_SUCCESS ||
	    !give_params(c))
		return VX6_UNSUPPORTED;
	return VX6_OK;
}

void quic_tls_free(struct quic_conn *c)
{
	if (c->q)
		ngtcp2_conn_set_tls_native_handle(c->q, NULL);
	if (c->ssl)
		wolfSSL_free(c->ssl);
	c->ssl = NULL;
	forget_messages(&c->tls_in);
}

enum vx6_status quic_export(const struct quic_conn *c, const char *label,
			    const uint8_t *context, size_t len, uint8_t out[32])
{
	if (c->state != CONN_READY || !c->ssl)
		return VX6_BAD_STATE;
	if (wolfSSL_export_keying_material(c->ssl, out, 32, label,
					   strlen(label), context, len,
					   1) != WOLFSSL_SUCCESS)
		return VX6_BAD_STATE;
	return VX6_OK;
}
