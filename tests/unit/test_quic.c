/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic: how connections begin, who is let in, and how they end.
 *
 * Method: two endpoints over pipes in virtual time.  What an honest end
 * would never do (another certificate, no certificate, another protocol)
 * is done through internal.h to the end that plays the villain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ed25519.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/text.h"
#include "tests/support/pair.h"

static struct pair p;

static int set_up(void **state)
{
	(void)state;
	pair_open(&p, NULL, NULL, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static void assert_words(const struct pair_end *e, const char *part)
{
	if (!strstr(e->why.reason, part))
		fail_msg("\"%s\" does not say \"%s\"", e->why.reason, part);
	for (const char *c = e->why.reason; *c; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
}

/* ---- who is let in ---- */

static void both_ends_know_each_other(void **state)
{
	static const enum quic_alpn alpn[] = { QUIC_SESSION, QUIC_TUNNEL };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(pair_connect(&p, alpn[i], 0));
		struct quic_conn *c = p.end[0].conn, *s = p.end[1].conn;

		assert_true(quic_is_client(c));
		assert_false(quic_is_client(s));
		assert_true(quic_is_ready(c) && quic_is_ready(s));
		assert_int_equal(quic_alpn(c), alpn[i]);
		assert_int_equal(quic_alpn(s), alpn[i]);
		assert_memory_equal(quic_peer(c), p.end[1].node, 32);
		assert_memory_equal(quic_peer(s), p.end[0].node, 32);
		assert_memory_equal(quic_peer_key(s), p.end[0].id.public_key,
				    32);
		quic_set_user(s, &p);
		assert_ptr_equal(quic_user(s), &p);
	}
	assert_int_equal(p.end[0].ready_cnt, 2);
	assert_int_equal(p.end[0].closed_cnt, 0);
}

static void a_dial_may_learn(void **state)
{
	(void)state;
	assert_non_null(pair_dial(&p, QUIC_SESSION, false, 0));
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 1);
	assert_memory_equal(quic_peer(p.end[0].conn), p.end[1].node, 32);
}

static void a_dial_may_have_another_identity(void **state)
{
	struct quic_identity id;
	struct quic_dial dial = { .alpn = QUIC_TUNNEL, .identity = &id };
	struct quic_conn *c;
	uint8_t node[32];

	(void)state;
	quic_identity_fresh(&id);
	quic_node_id(id.public_key, node);
	pipes_path(&dial.path, 0, 0);
	assert_int_equal(quic_dial(p.end[0].ep, &dial, p.now_ns, &c), VX6_OK);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].ready_cnt, 1);
	assert_memory_equal(quic_peer(p.end[1].conn), node, 32);
}

static void saw_no_key(void *ctx, struct quic_conn *c,
		       const struct quic_close *why)
{
	(void)ctx;
	(void)why;
	assert_false(c->key_seen);
}

static void the_wrong_node_is_named(void **state)
{
	struct quic_dial dial = { .alpn = QUIC_SESSION };
	struct quic_conn *c;
	uint8_t expect[32];
	char id[VX6_ID_TEXT];

	(void)state;
	memcpy(expect, p.end[1].node, 32);
	expect[31] ^= 1;
	dial.expect = expect;
	p.end[1].hooks.closed = saw_no_key;
	pipes_path(&dial.path, 0, 0);
	assert_int_equal(quic_dial(p.end[0].ep, &dial, p.now_ns, &c), VX6_OK);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].closed_cnt, 1);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_IDENTITY);
	assert_memory_equal(p.end[0].why.proved, p.end[1].node, 32);
	assert_words(&p.end[0], vx6_id_text(p.end[1].node, id));
	assert_false(p.end[0].why.was_ready);
	/* and the wrong one was told nothing: not even who asked */
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[1], "not the identity that was named");
}

/* The key in the form that carries its public half too: with the other,
 * wolfSSL takes that from the certificate and notices by itself. */
static void own_key(struct quic_cert *c, const struct quic_identity *id)
{
	ed25519_key key;

	assert_int_equal(wc_ed25519_init(&key), 0);
	assert_int_equal(wc_ed25519_import_private_key(
				 id->seed, 32, id->public_key, 32, &key),
			 0);
	int n = wc_Ed25519KeyToDer(&key, c->key, sizeof(c->key));
	assert_true(n > 48);
	c->key_len = (size_t)n;
	wc_ed25519_free(&key);
}

/* Gives end i another context: a certificate of somebody else with our
 * own key, or none. */
static void disguise(unsigned i, bool certificate)
{
	struct quic_endpoint *ep = p.end[i].ep;
	WOLFSSL_CTX **at = i == 0 ? &ep->client_ctx : &ep->server_ctx;
	WOLFSSL_CTX *ctx =
		wolfSSL_CTX_new(i == 0 ? wolfTLSv1_3_client_method()
				       : wolfTLSv1_3_server_method());
	struct quic_identity other;
	struct quic_cert foreign;

	assert_non_null(ctx);
	assert_true(quic_tls_ctx(ctx));
	quic_identity_fresh(&other);
	assert_int_equal(quic_cert_make(&foreign, &other), VX6_OK);
	own_key(&foreign, &p.end[i].id);
	if (certificate)
		assert_true(quic_tls_cert(ctx, &foreign));
	wolfSSL_CTX_free(*at);
	*at = ctx;
}

static void a_client_without_the_key(void **state)
{
	(void)state;
	disguise(0, true);
	pair_dial(&p, QUIC_SESSION, true, 0);
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[1], "signature");
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[0], "signature");
}

static void a_server_without_the_key(void **state)
{
	(void)state;
	disguise(1, true);
	pair_dial(&p, QUIC_SESSION, false, 0);
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[0], "signature");
}

static void a_client_without_certificate(void **state)
{
	(void)state;
	disguise(0, false);
	assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[1], "no certificate");
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[0], "no certificate");
}

/* A server without one cannot even begin to answer. */
static void a_server_without_certificate(void **state)
{
	(void)state;
	disguise(1, false);
	assert_non_null(pair_dial(&p, QUIC_SESSION, false, 0));
	pair_run(&p, 6 * VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].closed_cnt, 1);
}

/* A client that speaks another protocol: quic_tls_new with a name of its
 * own. */
static void speak(struct quic_conn *c, const char *name)
{
	char text[16];
	uint8_t params[512];

	snprintf(text, sizeof(text), "%s", name);
	wolfSSL_free(c->ssl);
	c->ssl = wolfSSL_new(c->ep->client_ctx);
	assert_non_null(c->ssl);
	wolfSSL_KeepArrays(c->ssl);
	wolfSSL_SetCertCbCtx(c->ssl, c);
	wolfSSL_set_quic_transport_version(c->ssl, 0x39);
	wolfSSL_set_app_data(c->ssl, c);
	if (*text)
		wolfSSL_UseALPN(c->ssl, text, (unsigned)strlen(text),
				WOLFSSL_ALPN_FAILED_ON_MISMATCH);
	ngtcp2_conn_set_tls_native_handle(c->q, c->ssl);
	wolfSSL_set_connect_state(c->ssl);
	wolfSSL_UseKeyShare(c->ssl, WOLFSSL_ECC_X25519);
	ngtcp2_ssize n = ngtcp2_conn_encode_local_transport_params(
		c->q, params, sizeof(params));
	assert_true(n > 0);
	wolfSSL_set_quic_transport_params(c->ssl, params, (size_t)n);
}

/* The client asks for what the server does not speak. */
static void a_server_refuses_other_protocols(void **state)
{
	static const char *const name[] = { "vx6/2", "h3", "vx6", "vx6/10",
					    "" };

	(void)state;
	for (size_t i = 0; i < VX6_COUNT(name); i++) {
		struct quic_conn *c = pair_dial(&p, QUIC_SESSION, true, 0);

		assert_non_null(c);
		speak(c, name[i]);
		pair_run(&p, 2 * VX6_SEC);
		assert_int_equal(p.end[0].ready_cnt, 0);
		assert_int_equal(p.end[1].ready_cnt, 0);
		assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_REFUSED);
		assert_words(&p.end[1], "ALPN");
		assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_REFUSED);
		assert_int_equal(p.end[0].why.code, 0x178);
		assert_words(&p.end[0], "ALPN");
	}
}

/* The server says another protocol than was asked for. */
static void a_client_refuses_other_protocols(void **state)
{
	struct quic_conn *c = pair_dial(&p, QUIC_SESSION, true, 0);

	(void)state;
	c->alpn = QUIC_TUNNEL; /* what it meant, not what it said */
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_REFUSED);
	assert_words(&p.end[0], "ALPN");
}

/* ---- address validation ---- */

static void retry_first(void **state)
{
	(void)state;
	p.end[1].admits = VX6_RATE;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	assert_int_equal(p.end[1].refused[VX6_RATE], 1);
	assert_memory_equal(quic_peer(p.end[1].conn), p.end[0].node, 32);
	assert_memory_equal(quic_peer(p.end[0].conn), p.end[1].node, 32);
}

static void silence_when_denied(void **state)
{
	(void)state;
	p.end[1].admits = VX6_DENIED;
	assert_false(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_HANDSHAKE);
	assert_words(&p.end[0], "nobody there");
	assert_int_equal(p.end[1].closed_cnt, 0);
}

static uint8_t kept[1500];
static size_t kept_len;

/* Keeps the client's Initial that has a token in it. */
static bool keep_token(struct pair *pr, unsigned end, unsigned leg,
		       uint8_t *data, size_t *len)
{
	(void)leg;
	if (end == 1 && pr->end[1].refused[VX6_RATE] == 1 && kept_len == 0 &&
	    (data[0] & 0xf0) == 0xc0) {
		memcpy(kept, data, *len);
		kept_len = *len;
	}
	return true;
}

static void a_token_is_bound(void **state)
{
	struct quic_path path;
	uint8_t copy[1500];

	(void)state;
	kept_len = 0;
	p.tamper = keep_token;
	p.end[1].admits = VX6_RATE;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	assert_int_equal(kept_len, 1200);
	struct quic_endpoint *ep = p.end[1].ep;
	uint32_t conns = ep->conn_cnt;
	/* from another address it is worth nothing: Retry again */
	memcpy(copy, kept, kept_len);
	copy[6] ^= 1; /* another id, or it is the connection that is there */
	pipes_path(&path, 1, 5);
	assert_int_equal(quic_read(ep, &path, 0, copy, kept_len, p.now_ns),
			 VX6_RATE);
	pipes_path(&path, 1, 0);
	memcpy(copy, kept, kept_len);
	copy[6] ^= 1;
	assert_int_equal(quic_read(ep, &path, 0, copy, kept_len, p.now_ns),
			 VX6_RATE);
	/* the connection gone, the same token at another address */
	quic_close(p.end[1].conn, 0, "", p.now_ns);
	pair_run(&p, 4 * VX6_SEC);
	assert_int_equal(ep->conn_cnt, conns - 1);
	pipes_path(&path, 1, 5);
	memcpy(copy, kept, kept_len);
	assert_int_equal(quic_read(ep, &path, 0, copy, kept_len, p.now_ns),
			 VX6_RATE);
	/* at its own it is good once more, and too old soon */
	pipes_path(&path, 1, 0);
	memcpy(copy, kept, kept_len);
	assert_int_equal(quic_read(ep, &path, 0, copy, kept_len,
				   p.now_ns + 11 * VX6_SEC),
			 VX6_BAD_TAG);
	assert_int_equal(ep->conn_cnt, conns - 1);
}

static void other_versions(void **state)
{
	static const uint32_t version[] = { 2, 0x6b3343cf, 0x0a0a0a0a };
	uint8_t d[1200];
	struct quic_path path;

	(void)state;
	pipes_path(&path, 1, 0);
	for (size_t i = 0; i < VX6_COUNT(version); i++) {
		memset(d, 0, sizeof(d));
		d[0] = 0xc0;
		d[1] = (uint8_t)(version[i] >> 24);
		d[2] = (uint8_t)(version[i] >> 16);
		d[3] = (uint8_t)(version[i] >> 8);
		d[4] = (uint8_t)version[i];
		d[5] = 8;
		d[14] = 8;
		uint64_t sent = p.net.sent;
		assert_int_equal(quic_read(p.end[1].ep, &path, 0, d, sizeof(d),
					   p.now_ns),
				 VX6_BAD_VERSION);
		assert_int_equal(p.net.sent, sent + 1);
		/* a short one is not answered: that would amplify */
		assert_int_not_equal(
			quic_read(p.end[1].ep, &path, 0, d, 100, p.now_ns),
			VX6_OK);
		assert_int_equal(p.net.sent, sent + 1);
	}
}

/* ---- handshakes that do not come to an end ---- */

static void handshake_over_a_bad_line(void **state)
{
	unsigned ok = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 10; seed++) {
		pair_close(&p);
		pair_open(&p, NULL, NULL, seed);
		p.net.cfg[0].loss = 200000;
		ok += pair_connect(&p, QUIC_SESSION, 0);
	}
	assert_true(ok >= 8);
}

static void nobody_there(void **state)
{
	(void)state;
	uint64_t from = p.now_ns;
	pipes_cut(&p.net, 0, true);
	assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	while (p.end[0].closed_cnt == 0)
		assert_true(pair_step(&p, from + 60 * VX6_SEC));
	assert_int_equal(p.now_ns - from, 5 * VX6_SEC);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_HANDSHAKE);
	assert_false(p.end[0].why.was_ready);
	assert_int_equal(p.end[0].ep->conn_cnt, 0);
}

static void client_vanishes(void **state)
{
	(void)state;
	assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	pair_run(&p, 15 * VX6_MS);
	pipes_cut_from(&p.net, 0, 0, true);
	assert_int_equal(p.end[1].ep->half_open_cnt, 1);
	pair_run(&p, 6 * VX6_SEC);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_HANDSHAKE);
	assert_int_equal(p.end[1].ep->half_open_cnt, 0);
	assert_int_equal(p.end[1].ep->conn_cnt, 0);
	/* the client was done with TLS, and yet never ready */
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_HANDSHAKE);
	assert_words(&p.end[0], "not confirmed");
}

/* Until the client's proof is in, the server's owner hears of nothing,
 * and nothing of it can be sent. */
static bool first_only(struct pair *pr, unsigned end, unsigned leg,
		       uint8_t *data, size_t *len)
{
	(void)leg;
	(void)data;
	(void)len;
	return end == 0 || pr->end[1].refused[VX6_OK] == 0;
}

static void nothing_before_proof(void **state)
{
	int64_t id;

	(void)state;
	p.tamper = first_only;
	struct quic_conn *c = pair_dial(&p, QUIC_SESSION, true, 0);
	uint8_t secret[32];
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(p.end[1].ready_cnt, 0);
	assert_int_equal(p.end[0].ready_cnt, 0);
	assert_false(quic_is_ready(c));
	assert_int_equal(quic_stream_new(c, &id), VX6_BAD_STATE);
	assert_int_equal(quic_export(c, "x", (const uint8_t *)"", 0, secret),
			 VX6_BAD_STATE);
	assert_int_equal(quic_datagram_send(c, (const uint8_t *)"a", 1),
			 VX6_BAD_STATE);
	struct quic_path path;
	pipes_path(&path, 0, 9);
	assert_int_equal(quic_migrate(c, &path, p.now_ns), VX6_BAD_STATE);
	struct quic_conn *s = p.end[1].ep->all;
	assert_non_null(s);
	assert_int_equal(quic_stream_new(s, &id), VX6_BAD_STATE);
	assert_int_equal(quic_datagram_send(s, (const uint8_t *)"a", 1),
			 VX6_BAD_STATE);
}

/* ---- limits ---- */

static void limits_hold(void **state)
{
	struct quic_limits l = { .conns = 6, .half_open = 3 };

	(void)state;
	pair_close(&p);
	pair_open(&p, &l, &l, 1);
	pipes_cut_from(&p.net, 0, 1, true); /* the server is not heard */
	for (unsigned i = 0; i < 6; i++)
		assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	assert_null(pair_dial(&p, QUIC_SESSION, true, 0));
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].ep->half_open_cnt, 3);
	assert_true(p.end[1].refused[VX6_NO_ROOM] >= 3);
	pair_run(&p, 6 * VX6_SEC);
	assert_int_equal(p.end[0].ep->conn_cnt, 0);
	pipes_cut(&p.net, 0, false);
	for (unsigned i = 0; i < 6; i++)
		assert_true(pair_connect(&p, QUIC_SESSION, 0));
	assert_int_equal(p.end[1].ep->conn_cnt, 6);
	assert_int_equal(p.end[1].ep->half_open_cnt, 0);
}

/* ---- the exporter ---- */

static void exporter(void **state)
{
	static const uint8_t ctx[32] = { 1, 2, 3 };
	uint8_t a[32], b[32], c[32];

	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	struct quic_conn *cl = p.end[0].conn, *sv = p.end[1].conn;
	assert_int_equal(quic_export(cl, "EXPORTER-vx6-link-1", ctx, 32, a),
			 VX6_OK);
	assert_int_equal(quic_export(sv, "EXPORTER-vx6-link-1", ctx, 32, b),
			 VX6_OK);
	assert_memory_equal(a, b, 32);
	assert_int_equal(quic_export(cl, "EXPORTER-vx6-link-2", ctx, 32, c),
			 VX6_OK);
	assert_memory_not_equal(a, c, 32);
	assert_int_equal(quic_export(cl, "EXPORTER-vx6-link-1", ctx, 31, c),
			 VX6_OK);
	assert_memory_not_equal(a, c, 32);
	quic_settle(cl);
	assert_int_equal(quic_export(cl, "EXPORTER-vx6-link-1", ctx, 32, c),
			 VX6_BAD_STATE);
	/* by itself after 30 s; and both go on without TLS */
	pair_run(&p, 29 * VX6_SEC);
	assert_int_equal(quic_export(sv, "EXPORTER-vx6-link-1", ctx, 32, c),
			 VX6_OK);
	pair_run(&p, 2 * VX6_SEC);
	assert_int_equal(quic_export(sv, "EXPORTER-vx6-link-1", ctx, 32, c),
			 VX6_BAD_STATE);
	assert_int_equal(p.end[0].closed_cnt + p.end[1].closed_cnt, 0);

	assert_true(pair_connect(&p, QUIC_SESSION, 0)); /* another session */
	assert_int_equal(
		quic_export(p.end[0].conn, "EXPORTER-vx6-link-1", ctx, 32, c),
		VX6_OK);
	assert_memory_not_equal(a, c, 32);

	assert_true(pair_connect(&p, QUIC_TUNNEL, 0)); /* settled at once */
	assert_int_equal(
		quic_export(p.end[0].conn, "EXPORTER-vx6-link-1", ctx, 32, c),
		VX6_BAD_STATE);
}

/* ---- ends ---- */

static void the_peer_closes(void **state)
{
	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	quic_close(p.end[0].conn, 77, "enough\n\x01 of\x7f it", p.now_ns);
	assert_int_equal(p.end[0].closed_cnt, 1);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_LOCAL);
	assert_true(p.end[0].why.was_ready);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_PEER);
	assert_int_equal(p.end[1].why.code, 77);
	assert_true(p.end[1].why.application);
	assert_true(p.end[1].why.was_ready);
	assert_string_equal(p.end[1].why.reason, "enough?? of? it");
	/* what lingered is gone after three PTO */
	pair_run(&p, 4 * VX6_SEC);
	assert_int_equal(p.end[0].ep->conn_cnt, 0);
	assert_int_equal(p.end[1].ep->conn_cnt, 0);
}

/* The CONNECTION_CLOSE gets lost; who still talks is told again. */
static void a_lost_close_is_said_again(void **state)
{
	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, 200 * VX6_MS);
	pipes_cut_from(&p.net, 0, 0, true);
	quic_close(p.end[0].conn, 3, "bye", p.now_ns);
	pipes_cut(&p.net, 0, false);
	int64_t id;
	assert_int_equal(quic_stream_new(p.end[1].conn, &id), VX6_OK);
	quic_stream_send(p.end[1].conn, id, (const uint8_t *)"hello", 5, true);
	quic_flush(p.end[1].ep, p.now_ns);
	pair_run(&p, 50 * VX6_MS);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_PEER);
	assert_int_equal(p.end[1].why.code, 3);
}

static void idle_sessions(void **state)
{
	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, 3600 * VX6_SEC); /* kept by pings */
	assert_int_equal(p.end[0].closed_cnt + p.end[1].closed_cnt, 0);
	pipes_cut(&p.net, 0, true);
	uint64_t from = p.now_ns;
	while (p.end[0].closed_cnt == 0 || p.end[1].closed_cnt == 0)
		assert_true(pair_step(&p, from + 100 * VX6_SEC));
	assert_in_range(p.now_ns - from, 20 * VX6_SEC, 45 * VX6_SEC);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_IDLE);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_IDLE);
	assert_true(p.end[1].why.was_ready);
}

static void idle_tunnels(void **state)
{
	int64_t id;

	(void)state;
	assert_true(pair_connect(&p, QUIC_TUNNEL, 0));
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	quic_stream_send(p.end[0].conn, id, (const uint8_t *)"x", 1, false);
	pair_run(&p, 5 * 3600 * VX6_SEC); /* an open stream keeps it */
	assert_int_equal(p.end[0].closed_cnt + p.end[1].closed_cnt, 0);
	quic_stream_reset(p.end[0].conn, id, 0);
	quic_stream_stop(p.end[0].conn, id, 0);
	quic_stream_reset(p.end[1].conn, id, 0);
	quic_flush(p.end[0].ep, p.now_ns);
	quic_flush(p.end[1].ep, p.now_ns);
	uint64_t from = p.now_ns;
	while (p.end[0].closed_cnt == 0 || p.end[1].closed_cnt == 0)
		assert_true(pair_step(&p, from + 2 * 3600 * VX6_SEC));
	assert_in_range(p.now_ns - from, 3600 * VX6_SEC, 3602 * VX6_SEC);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_IDLE);
}

/* The server's process was killed and started again: the same identity,
 * no memory.  Its stateless reset ends the client's half. */
static void a_restarted_server(void **state)
{
	struct quic_options opt = { 0 };

	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	pair_run(&p, VX6_SEC);
	opt.identity = p.end[1].ep->identity;
	opt.events = p.end[1].ep->events;
	opt.ctx = &p.end[1];
	pipes_cut(&p.net, 0, true); /* nothing is said at the end */
	quic_shut(p.end[1].ep, p.now_ns);
	pipes_cut(&p.net, 0, false);
	assert_int_equal(quic_open(&p.end[1].ep, &opt), VX6_OK);
	int64_t id;
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	uint8_t text[200] = "is anybody there";
	quic_stream_send(p.end[0].conn, id, text, sizeof(text), false);
	quic_flush(p.end[0].ep, p.now_ns);
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[0].closed_cnt, 1);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_ERROR);
	assert_words(&p.end[0], "restarted");
}

static void close_in_ready(void *ctx, struct quic_conn *c)
{
	struct pair_end *e = ctx;

	quic_close(c, 9, "not you", e->pair->now_ns);
	assert_int_equal(e->closed_cnt, 0); /* not before the event is over */
}

static void closing_inside_an_event(void **state)
{
	(void)state;
	p.end[1].hooks.ready = close_in_ready;
	assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	pair_run(&p, VX6_SEC);
	assert_int_equal(p.end[1].closed_cnt, 1);
	assert_int_equal(p.end[1].why.kind, QUIC_CLOSE_LOCAL);
	assert_int_equal(p.end[0].why.kind, QUIC_CLOSE_PEER);
	assert_int_equal(p.end[0].closed_cnt, 1);
}

static void shut_closes_all(void **state)
{
	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	assert_true(pair_connect(&p, QUIC_TUNNEL, 0));
	assert_non_null(pair_dial(&p, QUIC_SESSION, true, 0));
	quic_shut(p.end[0].ep, p.now_ns);
	p.end[0].ep = NULL;
	assert_int_equal(p.end[0].closed_cnt, 3);
	pipes_run(&p.net, p.now_ns + VX6_SEC);
	assert_int_equal(p.end[1].closed_cnt, 2);
	assert_string_equal(p.end[1].why.reason, "shutting down");
}

static void clocks_may_run_backwards(void **state)
{
	(void)state;
	assert_true(pair_connect(&p, QUIC_SESSION, 0));
	int64_t id;
	assert_int_equal(quic_stream_new(p.end[0].conn, &id), VX6_OK);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t t = p.now_ns;

		/* half of all calls see a clock that stands or went back */
		if (i & 1)
			p.now_ns = t > VX6_SEC ? t - VX6_SEC : 0;
		quic_stream_send(p.end[0].conn, id, (const uint8_t *)"tick", 4,
				 false);
		quic_tick(p.end[0].ep, p.now_ns);
		quic_flush(p.end[0].ep, p.now_ns);
		quic_tick(p.end[1].ep, p.now_ns / 2);
		quic_flush(p.end[1].ep, p.now_ns / 3);
		p.now_ns = t;
		pair_step(&p, t + VX6_MS);
	}
	assert_int_equal(p.end[0].closed_cnt + p.end[1].closed_cnt, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest test[] = {
		TEST(both_ends_know_each_other),
		TEST(a_dial_may_learn),
		TEST(a_dial_may_have_another_identity),
		TEST(the_wrong_node_is_named),
		TEST(a_client_without_the_key),
		TEST(a_server_without_the_key),
		TEST(a_client_without_certificate),
		TEST(a_server_without_certificate),
		TEST(a_server_refuses_other_protocols),
		TEST(a_client_refuses_other_protocols),
		TEST(retry_first),
		TEST(silence_when_denied),
		TEST(a_token_is_bound),
		TEST(other_versions),
		TEST(handshake_over_a_bad_line),
		TEST(nobody_there),
		TEST(client_vanishes),
		TEST(nothing_before_proof),
		TEST(limits_hold),
		TEST(exporter),
		TEST(the_peer_closes),
		TEST(a_lost_close_is_said_again),
		TEST(idle_sessions),
		TEST(idle_tunnels),
		TEST(a_restarted_server),
		TEST(closing_inside_an_event),
		TEST(shut_closes_all),
		TEST(clocks_may_run_backwards),
	};

	return cmocka_run_group_tests_name("quic", test, NULL, NULL);
}
