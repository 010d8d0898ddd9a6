/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/evil.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"

static struct {
	evil_mangle mangle;
	void *ctx;
	struct pair *pair;
	bool serving;
} evil;

static int seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
		const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,
		size_t len, const uint8_t *nonce, size_t nonce_len,
		const uint8_t *ad, size_t ad_len)
{
	uint8_t copy[2048];

	if (len <= sizeof(copy) && len > 0 && evil.mangle) {
		memcpy(copy, text, len);
		evil.mangle(evil.ctx, copy, len, (ad[0] & 0x80) == 0);
		text = copy;
	}
	return quic_crypto_seal(dest, aead, ctx, text, len, nonce, nonce_len,
				ad, ad_len);
}

static void make(ngtcp2_callbacks *cb, ngtcp2_settings *s,
		 ngtcp2_transport_params *params, struct quic_conn *c)
{
	quic_conn_callbacks(cb);
	cb->encrypt = seal;
	quic_conn_settings(c, s);
	quic_conn_params(c, params);
	ngtcp2_conn_del(c->q);
	c->q = NULL;
	quic_tls_free(c);
	quic_cids_drop_all(&c->ep->cids, &c->cids);
}

static void cid(struct quic_conn *c, ngtcp2_cid *out)
{
	vx6_rand_fill(&c->ep->rand, out->data, QUIC_CID_LEN);
	out->datalen = QUIC_CID_LEN;
}

struct quic_conn *evil_dial(struct pair *p, enum quic_alpn alpn,
			    evil_mangle mangle, void *ctx)
{
	struct quic_conn *c = pair_dial(p, alpn, true, 0);
	ngtcp2_callbacks cb;
	ngtcp2_settings s;
	ngtcp2_transport_params params;
	ngtcp2_path_storage ps;
	ngtcp2_cid dcid, scid;

	evil.mangle = mangle;
	evil.ctx = ctx;
	if (!c)
		abort();
	make(&cb, &s, &params, c);
	cid(c, &dcid);
	cid(c, &scid);
	quic_from_path(&ps, &c->path);
	if (ngtcp2_conn_client_new(&c->q, &dcid, &scid, &ps.path,
				   NGTCP2_PROTO_VER_V1, &cb, &s, &params, NULL,
				   c) != 0 ||
	    quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_ID, scid.data,
			  scid.datalen) != VX6_OK ||
	    !quic_crypto_retry(c) || quic_tls_new(c, NULL) != VX6_OK)
		abort();
	quic_touch(c);
	quic_mark_dirty(c);
	return c;
}

/* The server's connection, remade as it comes into being. */
static void swap_server(struct quic_conn *c, const ngtcp2_pkt_hd *hd)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings s;
	ngtcp2_transport_params params;
	ngtcp2_path_storage ps;
	ngtcp2_cid scid;

	make(&cb, &s, &params, c);
	cid(c, &scid);
	params.original_dcid = hd->dcid;
	params.original_dcid_present = 1;
	quic_from_path(&ps, &c->path);
	if (ngtcp2_conn_server_new(&c->q, &hd->scid, &scid, &ps.path,
				   NGTCP2_PROTO_VER_V1, &cb, &s, &params, NULL,
				   c) != 0 ||
	    quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_ID, scid.data,
			  scid.datalen) != VX6_OK ||
	    quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_ID, hd->dcid.data,
			  hd->dcid.datalen) != VX6_OK ||
	    quic_tls_new(c, NULL) != VX6_OK)
		abort();
	quic_touch(c);
}

static bool on_first(struct pair *p, unsigned end, unsigned leg, uint8_t *data,
		     size_t *len)
{
	struct quic_endpoint *ep = p->end[1].ep;
	struct quic_accept a = { 0 };
	struct quic_conn *c;
	ngtcp2_pkt_hd hd;

	if (end != 1 || !evil.serving || ngtcp2_accept(&hd, data, *len) != 0)
		return true;
	evil.serving = false;
	pipes_path(&a.path, 1, leg);
	a.dcid.len = (uint8_t)hd.dcid.datalen;
	memcpy(a.dcid.data, hd.dcid.data, hd.dcid.datalen);
	a.scid.len = (uint8_t)hd.scid.datalen;
	memcpy(a.scid.data, hd.scid.data, hd.scid.datalen);
	if (quic_conn_accept(ep, &a, &c) != VX6_OK)
		abort();
	swap_server(c, &hd);
	return true;
}

void evil_serve(struct pair *p, evil_mangle mangle, void *ctx)
{
	evil.mangle = mangle;
	evil.ctx = ctx;
	evil.serving = true;
	p->tamper = on_first;
}

static size_t varint_len(uint8_t first)
{
	return (size_t)1 << (first >> 6);
}

void evil_no_acks(uint8_t *text, size_t len)
{
	size_t at = 0;

	while (at < len && text[at] == 0)
		at++;
	if (at >= len || (text[at] != 2 && text[at] != 3))
		return;
	size_t from = at++;
	size_t cnt = 4, i = 0;
	bool ecn = text[from] == 3;
	while (i < cnt && at < len) {
		if (i == 2)
			cnt += 2 * (size_t)(text[at] & 0x3f) + (ecn ? 3 : 0);
		at += varint_len(text[at]);
		i++;
	}
	if (at <= len)
		memset(text + from, 0, at - from);
}
