/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: a connection from its first packet to `ready`, and its paths. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"

#define INITIAL_RTT_NS (150 * VX6_MS) /* PROTOCOL.md section 10 */
#define SETTLE_NS      (30 * VX6_SEC)
#define PROBE_NS       (3 * VX6_SEC)
#define CID_LIMIT      8u
#define DGRAM_MAX      65535u

/* No path probe fits 65,535, so there are none; path MTU discovery itself
 * must stay on: ngtcp2 1.11 starts it without asking when a client returns
 * to its former path, and asserts where it is off. */
static const uint16_t no_probes[] = { UINT16_MAX };

/* What IPv6 leaves of 1280, of a tunnel's 1420, of PPPoE and of 1500; the
 * least first, so that one which the path cannot take is the last. */
static const uint16_t probes[] = { 1232, 1372, 1444, 1452 };

void quic_conn_enter(struct quic_conn *c)
{
	c->busy++;
}

void quic_conn_leave(struct quic_conn *c)
{
	if (--c->busy > 0 || !c->q)
		return;
	if (c->has_notes)
		quic_stream_notes(c);
	if (c->settle_req) {
		c->settle_req = false;
		quic_tls_free(c);
	}
}

void quic_conn_ready(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;

	if (c->state != CONN_HANDSHAKE || !c->proved || c->mismatch)
		return;
	c->state = CONN_READY;
	c->half_open = false;
	ep->half_open_cnt--;
	c->settle_ns = ep->now_ns + SETTLE_NS;
	c->settle_req = c->alpn == QUIC_TUNNEL;
	if (c->alpn == QUIC_SESSION)
		ngtcp2_conn_set_keep_alive_timeout(c->q,
						   ep->limits.session_ping_ns);
	if (quic_raises(c) && ep->events.ready) {
		ep->in_event++;
		ep->events.ready(ep->ctx, c);
		ep->in_event--;
	}
}

/* ---- ngtcp2's callbacks ---- */

static int on_completed(ngtcp2_conn *q, void *user)
{
	(void)q;
	/* For a server this is confirmation (RFC 9001 section 4.1.2). */
	if (!((struct quic_conn *)user)->client)
		quic_conn_ready(user);
	return 0;
}

static int on_confirmed(ngtcp2_conn *q, void *user)
{
	(void)q;
	quic_conn_ready(user);
	return 0;
}

static int on_reset(ngtcp2_conn *q, const ngtcp2_pkt_stateless_reset *sr,
		    void *user)
{
	(void)q;
	(void)sr;
	((struct quic_conn *)user)->was_reset = true;
	return 0;
}

static int on_new_cid(ngtcp2_conn *q, ngtcp2_cid *cid, uint8_t *token,
		      size_t len, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	vx6_rand_fill(&c->ep->rand, cid->data, len);
	cid->datalen = len;
	quic_reset_token(&c->ep->tokens, cid->data, len, token);
	return quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_ID, cid->data,
			     len) == VX6_OK
		       ? 0
		       : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_old_cid(ngtcp2_conn *q, const ngtcp2_cid *cid, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	quic_cids_drop(&c->ep->cids, &c->cids, QUIC_CID_ID, cid->data,
		       cid->datalen);
	return 0;
}

/* The peer's ids come and go, each with the token of its reset. */
static int on_peer_cid(ngtcp2_conn *q, ngtcp2_connection_id_status_type type,
		       uint64_t seq, const ngtcp2_cid *cid,
		       const uint8_t *token, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	(void)seq;
	(void)cid;
	if (!token)
		return 0;
	if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_DEACTIVATE) {
		quic_cids_drop(&c->ep->cids, &c->cids, QUIC_CID_RESET, token,
			       QUIC_RESET_TOKEN);
		return 0;
	}
	/* A token that another connection has is no reason to fail: that
	 * one merely cannot be reset any more. */
	if (quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_RESET, token,
			  QUIC_RESET_TOKEN) == VX6_NO_MEMORY)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
	struct quic_endpoint *ep = ctx->native_handle;

	vx6_rand_fill(&ep->rand, dest, len);
}

static int on_challenge(ngtcp2_conn *q, uint8_t *data, void *user)
{
	struct quic_conn *c = user;

	(void)q;
	vx6_rand_fill(&c->ep->rand, data, NGTCP2_PATH_CHALLENGE_DATALEN);
	return 0;
}

static void raise_moved(struct quic_conn *c, const struct quic_path *path,
			bool validated)
{
	struct quic_endpoint *ep = c->ep;

	if (!quic_raises(c) || c->state != CONN_READY || !ep->events.moved)
		return;
	ep->in_event++;
	ep->events.moved(ep->ctx, c, path, validated);
	ep->in_event--;
}

static int on_path(ngtcp2_conn *q, uint32_t flags, const ngtcp2_path *path,
		   const ngtcp2_path *old, ngtcp2_path_validation_result res,
		   void *user)
{
	struct quic_path p;

	(void)q;
	(void)flags;
	(void)old;
	if (res != NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
		return 0;
	quic_to_path(&p, path);
	raise_moved(user, &p, true);
	return 0;
}

void quic_conn_callbacks(ngtcp2_callbacks *cb)
{
	*cb = (ngtcp2_callbacks){
		.handshake_completed = on_completed,
		.handshake_confirmed = on_confirmed,
		.recv_stateless_reset = on_reset,
		.rand = on_rand,
		.get_new_connection_id = on_new_cid,
		.remove_connection_id = on_old_cid,
		.dcid_status = on_peer_cid,
		.get_path_challenge_data = on_challenge,
		.path_validation = on_path,
	};
	quic_crypto_callbacks(cb);
	quic_stream_callbacks(cb);
}

/* ---- making one ---- */

void quic_conn_settings(const struct quic_conn *c, ngtcp2_settings *s)
{
	const struct quic_limits *l = &c->ep->limits;

	ngtcp2_settings_default(s);
	s->cc_algo = NGTCP2_CC_ALGO_CUBIC;
	s->initial_ts = c->ep->now_ns;
	s->initial_rtt = INITIAL_RTT_NS;
	s->max_window = l->conn_window;
	s->max_stream_window = l->stream_window;
	s->rand_ctx.native_handle = c->ep;
	s->max_tx_udp_payload_size = QUIC_UDP_PACKET;
	s->pmtud_probes = probes;
	s->pmtud_probeslen = VX6_COUNT(probes);
	if (c->no_shaping) {
		/* The write buffer alone says how long a packet is. */
		s->no_tx_udp_payload_size_shaping = 1;
		s->max_tx_udp_payload_size = QUIC_MAX_PACKET;
		s->pmtud_probes = no_probes;
		s->pmtud_probeslen = VX6_COUNT(no_probes);
	}
}

void quic_local_params(const struct quic_conn *c,
		       ngtcp2_transport_params *params)
{
	const struct quic_limits *l = &c->ep->limits;

	params->max_idle_timeout = c->alpn == QUIC_SESSION ? l->session_idle_ns
							   : l->tunnel_idle_ns;
}

void quic_conn_params(const struct quic_conn *c,
		      ngtcp2_transport_params *params)
{
	const struct quic_limits *l = &c->ep->limits;

	ngtcp2_transport_params_default(params);
	params->initial_max_stream_data_bidi_local = l->stream_window;
	params->initial_max_stream_data_bidi_remote = l->stream_window;
	params->initial_max_data = l->conn_window;
	params->initial_max_streams_bidi = l->streams;
	params->active_connection_id_limit = CID_LIMIT;
	params->max_datagram_frame_size = DGRAM_MAX;
	quic_local_params(c, params);
}

static struct quic_conn *conn_new(struct quic_endpoint *ep,
				  const struct quic_path *path, bool client)
{
	struct quic_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ep = ep;
	c->client = client;
	c->path = *path;
	c->state = CONN_HANDSHAKE;
	c->heap_idx = UINT32_MAX;
	c->due_ns = VX6_NEVER;
	c->ready_by_ns = ep->now_ns + ep->limits.handshake_ns;
	c->last_rx_ns = ep->now_ns;
	c->unanswered_ns = VX6_NEVER;
	c->next = ep->all;
	if (ep->all)
		ep->all->prev = c;
	ep->all = c;
	ep->conn_cnt++;
	c->half_open = true;
	ep->half_open_cnt++;
	return c;
}

static void fresh_cid(struct quic_endpoint *ep, ngtcp2_cid *cid)
{
	vx6_rand_fill(&ep->rand, cid->data, QUIC_CID_LEN);
	cid->datalen = QUIC_CID_LEN;
}

static void to_cid(ngtcp2_cid *cid, const struct quic_cid_bytes *b)
{
	ngtcp2_cid_init(cid, b->data, b->len);
}

/* What a client and a server connection have in common once ngtcp2's part
 * is there. */
static enum vx6_status set_going(struct quic_conn *c, const ngtcp2_cid *scid,
				 const struct quic_identity *own)
{
	enum vx6_status st;

	st = quic_cids_add(&c->ep->cids, &c->cids, c, QUIC_CID_ID, scid->data,
			   scid->datalen);
	if (st != VX6_OK)
		return st;
	if (c->client && !quic_crypto_retry(c))
		return VX6_NO_MEMORY;
	if (c->client)
		st = quic_tls_new(c, own);
	if (st != VX6_OK)
		return st;
	quic_touch(c);
	return VX6_OK;
}

enum vx6_status quic_conn_accept(struct quic_endpoint *ep,
				 const struct quic_accept *a,
				 struct quic_conn **out)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid dcid, scid;
	ngtcp2_path_storage ps;
	enum vx6_status st = VX6_NO_MEMORY;
	struct quic_conn *c = conn_new(ep, &a->path, false);

	if (!c)
		return st;
	c->d = ep->events.path_d ? ep->events.path_d(ep->ctx, &a->path) : 0;
	c->no_shaping = c->d > 0;
	quic_conn_callbacks(&cb);
	quic_conn_settings(c, &settings);
	quic_conn_params(c, &params);
	settings.token = a->token;
	settings.tokenlen = a->token_len;
	settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
	fresh_cid(ep, &scid);
	to_cid(&dcid, &a->scid);
	to_cid(&params.original_dcid, a->retried ? &a->odcid : &a->dcid);
	params.original_dcid_present = 1;
	if (a->retried) {
		to_cid(&params.retry_scid, &a->dcid);
		params.retry_scid_present = 1;
	}
	quic_reset_token(&ep->tokens, scid.data, scid.datalen,
			 params.stateless_reset_token);
	params.stateless_reset_token_present = 1;
	quic_from_path(&ps, &a->path);
	if (ngtcp2_conn_server_new(&c->q, &dcid, &scid, &ps.path,
				   NGTCP2_PROTO_VER_V1, &cb, &settings, &params,
				   NULL, c) != 0)
		goto fail;
	st = set_going(c, &scid, NULL);
	if (st == VX6_OK)
		st = quic_cids_add(&ep->cids, &c->cids, c, QUIC_CID_ID,
				   a->dcid.data, a->dcid.len);
	if (st != VX6_OK)
		goto fail;
	*out = c;
	return VX6_OK;
fail:
	quic_conn_free(c);
	return st;
}

enum vx6_status quic_dial(struct quic_endpoint *ep,
			  const struct quic_dial *dial, uint64_t now_ns,
			  struct quic_conn **out)
{
	ngtcp2_callbacks cb;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid dcid, scid;
	ngtcp2_path_storage ps;
	enum vx6_status st = VX6_NO_ROOM;
	struct quic_conn *c;

	if (ep->conn_cnt >= ep->limits.conns)
		return VX6_NO_ROOM;
	quic_enter(ep, now_ns);
	c = conn_new(ep, &dial->path, true);
	if (!c)
		goto out;
	c->alpn = dial->alpn;
	c->user = dial->user;
	c->d = dial->d;
	c->no_shaping = c->d > 0;
	c->expects = dial->expect != NULL;
	if (dial->expect)
		memcpy(c->expect, dial->expect, sizeof(c->expect));
	quic_conn_callbacks(&cb);
	quic_conn_settings(c, &settings);
	quic_conn_params(c, &params);
	fresh_cid(ep, &scid);
	fresh_cid(ep, &dcid);
	quic_from_path(&ps, &dial->path);
	if (ngtcp2_conn_client_new(&c->q, &dcid, &scid, &ps.path,
				   NGTCP2_PROTO_VER_V1, &cb, &settings, &params,
				   NULL, c) != 0) {
		st = VX6_NO_MEMORY;
		goto fail;
	}
	st = set_going(c, &scid, dial->identity);
	if (st != VX6_OK)
		goto fail;
	quic_mark_dirty(c);
	*out = c;
	goto out;
fail:
	quic_conn_free(c);
out:
	quic_leave(ep);
	return st;
}

/* Takes everything from c but its place in the endpoint's lists that only
 * quic_leave may touch. */
void quic_conn_free(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;

	quic_heap_set(c, VX6_NEVER);
	quic_cids_drop_all(&ep->cids, &c->cids);
	quic_stream_free_all(c);
	if (c->state == CONN_LINGER)
		ep->linger_cnt--;
	if (c->half_open)
		ep->half_open_cnt--;
	ep->conn_cnt--;
	if (c->q)
		ngtcp2_conn_del(c->q);
	c->q = NULL;
	quic_tls_free(c);
	free(c->dgrams);
	free(c->linger.packet);
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		ep->all = c->next;
	if (ep->batch.conn == c)
		ep->batch.conn = NULL;
	sodium_memzero(c, sizeof(*c));
	free(c);
}

/* ---- a datagram, a timer ---- */

/* A server follows its client by itself; here it notices, and keeps to
 * full-size packets until both the new path and the old have been asked
 * (PROTOCOL.md section 10): a shorter PATH_CHALLENGE proves nothing, and
 * ngtcp2 would ask for ever. */
static void follow(struct quic_conn *c, uint64_t pto_before)
{
	struct quic_endpoint *ep = c->ep;
	struct quic_path now;

	quic_to_path(&now, ngtcp2_conn_get_path(c->q));
	if (c->client || quic_same_path(&now, &c->path))
		return;
	c->path = now;
	c->probe_until_ns = ep->now_ns + PROBE_NS + 3 * pto_before;
	if (ep->events.path_d)
		c->d = ep->events.path_d(ep->ctx, &now);
	raise_moved(c, &now, false);
}

enum vx6_status quic_conn_receive(struct quic_conn *c,
				  const struct quic_path *path, unsigned ecn,
				  uint8_t *data, size_t len)
{
	ngtcp2_pkt_info pi = { .ecn = (uint8_t)(ecn & NGTCP2_ECN_MASK) };
	ngtcp2_path_storage ps;
	struct quic_stops stops;
	uint64_t pto;

	if (c->state == CONN_LINGER)
		return quic_linger_receive(c);
	if (c->busy > 0)
		return VX6_AGAIN;
	quic_from_path(&ps, path);
	pto = ngtcp2_conn_get_pto(c->q);
	stops.cnt = 0;
	c->stops = &stops;
	c->fresh = c->replayed = c->forged = false;
	quic_conn_enter(c);
	int r = ngtcp2_conn_read_pkt(c->q, &ps.path, &pi, data, len,
				     c->ep->now_ns);
	c->stops = NULL;
	if (r == 0 && stops.cnt > 0)
		quic_stream_stops(c, &stops);
	quic_conn_leave(c);
	c->rx_bytes += len;
	if (r != 0) {
		quic_conn_fail(c, r);
		return r == NGTCP2_ERR_DROP_CONN ? VX6_MALFORMED : VX6_OK;
	}
	follow(c, pto);
	quic_mark_dirty(c);
	quic_touch(c);
	if (c->fresh || (!c->replayed && !c->forged))
		return VX6_OK;
	return c->replayed ? VX6_REPLAYED : VX6_BAD_TAG;
}

uint64_t quic_conn_due(const struct quic_conn *c)
{
	uint64_t due;

	if (c->state == CONN_LINGER)
		return c->due_ns;
	due = ngtcp2_conn_get_expiry(c->q);
	if (c->state == CONN_HANDSHAKE && c->ready_by_ns < due)
		due = c->ready_by_ns;
	if (c->state == CONN_READY && c->ssl && c->settle_ns < due)
		due = c->settle_ns;
	return due;
}

static void give_up(struct quic_conn *c)
{
	struct quic_close why = { .kind = QUIC_CLOSE_HANDSHAKE };

	snprintf(why.reason, sizeof(why.reason), "%s",
		 c->completed ? "the handshake was not confirmed in time"
			      : "no handshake within its time: nobody there, "
				"or UDP does not get through");
	quic_conn_end(c, &why, NULL);
}

void quic_conn_expire(struct quic_conn *c)
{
	uint64_t now = c->ep->now_ns;

	if (c->state == CONN_HANDSHAKE && now >= c->ready_by_ns) {
		give_up(c);
		return;
	}
	if (c->state == CONN_READY && c->ssl && now >= c->settle_ns)
		quic_tls_free(c);
	quic_conn_enter(c);
	int r = ngtcp2_conn_handle_expiry(c->q, now);
	quic_conn_leave(c);
	if (r != 0) {
		quic_conn_fail(c, r);
		return;
	}
	quic_mark_dirty(c);
	quic_touch(c);
}

/* ---- the owner's side ---- */

void quic_settle(struct quic_conn *c)
{
	if (c->state != CONN_READY)
		return;
	if (c->busy > 0)
		c->settle_req = true;
	else
		quic_tls_free(c);
}

enum vx6_status quic_migrate(struct quic_conn *c, const struct quic_path *path,
			     uint64_t now_ns)
{
	ngtcp2_path_storage ps;
	int r;

	if (c->state != CONN_READY || !c->client || c->close_req)
		return VX6_BAD_STATE;
	if (c->busy > 0)
		return VX6_AGAIN;
	quic_enter(c->ep, now_ns);
	quic_from_path(&ps, path);
	quic_conn_enter(c);
	r = ngtcp2_conn_initiate_immediate_migration(c->q, &ps.path,
						     c->ep->now_ns);
	quic_conn_leave(c);
	enum vx6_status st = VX6_OK;
	if (r == 0) {
		c->path = *path;
		c->pads = QUIC_PADS;
		quic_conn_write(c);
	} else if (r == NGTCP2_ERR_CONN_ID_BLOCKED) {
		st = VX6_NO_ROOM;
	} else if (ngtcp2_err_is_fatal(r)) {
		quic_conn_fail(c, r);
		st = VX6_CLOSED;
	} else {
		st = VX6_BAD_STATE;
	}
	quic_leave(c->ep);
	return st;
}

void quic_set_d(struct quic_conn *c, uint16_t d)
{
	if (d != 0 && d < 512)
		d = 512;
	c->d = d > QUIC_MAX_PACKET ? QUIC_MAX_PACKET : d;
}

void quic_set_user(struct quic_conn *c, void *user)
{
	c->user = user;
}

void *quic_user(const struct quic_conn *c)
{
	return c->user;
}

bool quic_is_client(const struct quic_conn *c)
{
	return c->client;
}

bool quic_is_ready(const struct quic_conn *c)
{
	return c->state == CONN_READY;
}

enum quic_alpn quic_alpn(const struct quic_conn *c)
{
	return c->alpn;
}

/* Whoever asks too early gets nobody, not somebody unproved. */
static const uint8_t nobody[32];

const uint8_t *quic_peer(const struct quic_conn *c)
{
	return c->proved ? c->peer_id : nobody;
}

const uint8_t *quic_peer_key(const struct quic_conn *c)
{
	return c->proved ? c->peer_key : nobody;
}

void quic_path(const struct quic_conn *c, struct quic_path *path)
{
	*path = c->path;
}
