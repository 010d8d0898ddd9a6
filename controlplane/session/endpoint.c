/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoint: which connection a datagram is for, and whose turn it is. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/session/internal.h"
#include "dataplane/base/clock.h"

#define STATELESS_BURST 64u /* resets and version negotiations */
#define STATELESS_NS    (VX6_SEC / 64)
#define RESET_LEAST     21u /* RFC 9000 section 10.3 */
#define RESET_RAND_MAX  24u

bool quic_raises(const struct quic_conn *c)
{
	return !c->close_req && c->state != CONN_LINGER;
}

/* ---- addresses: all of them as sockaddr_in6 inside ngtcp2 ---- */

void quic_from_path(ngtcp2_path_storage *ps, const struct quic_path *path)
{
	struct sockaddr_in6 local, remote;

	vx6_addr_to6(&path->local, &local);
	vx6_addr_to6(&path->remote, &remote);
	ngtcp2_path_storage_init(
		ps, (const ngtcp2_sockaddr *)&local, sizeof(local),
		(const ngtcp2_sockaddr *)&remote, sizeof(remote), NULL);
}

void quic_to_path(struct quic_path *path, const ngtcp2_path *from)
{
	*path = (struct quic_path){ 0 };
	if (vx6_addr_from(&path->local, from->local.addr) != VX6_OK ||
	    vx6_addr_from(&path->remote, from->remote.addr) != VX6_OK)
		*path = (struct quic_path){ 0 };
}

bool quic_same_path(const struct quic_path *a, const struct quic_path *b)
{
	return vx6_addr_eq(&a->local, &b->local) &&
	       vx6_addr_eq(&a->remote, &b->remote);
}

/* ---- timers: a heap of connections by due time ---- */

static void heap_put(struct quic_endpoint *ep, uint32_t i, struct quic_conn *c)
{
	ep->heap[i] = c;
	c->heap_idx = i;
}

static void heap_up(struct quic_endpoint *ep, uint32_t i)
{
	struct quic_conn *c = ep->heap[i];

	while (i > 0 && ep->heap[(i - 1) / 2]->due_ns > c->due_ns) {
		heap_put(ep, i, ep->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(ep, i, c);
}

static void heap_down(struct quic_endpoint *ep, uint32_t i)
{
	struct quic_conn *c = ep->heap[i];

	for (;;) {
		uint32_t k = 2 * i + 1;

		if (k >= ep->heap_cnt)
			break;
		if (k + 1 < ep->heap_cnt &&
		    ep->heap[k + 1]->due_ns < ep->heap[k]->due_ns)
			k++;
		if (ep->heap[k]->due_ns >= c->due_ns)
			break;
		heap_put(ep, i, ep->heap[k]);
		i = k;
	}
	heap_put(ep, i, c);
}

static void heap_remove(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;
	uint32_t i = c->heap_idx;
	struct quic_conn *last = ep->heap[--ep->heap_cnt];

	c->heap_idx = UINT32_MAX;
	if (last == c)
		return;
	heap_put(ep, i, last);
	heap_up(ep, i);
	heap_down(ep, last->heap_idx);
}

void quic_heap_set(struct quic_conn *c, uint64_t due_ns)
{
	struct quic_endpoint *ep = c->ep;

	c->due_ns = due_ns;
	if (due_ns == VX6_NEVER) {
		if (c->heap_idx != UINT32_MAX)
			heap_remove(c);
		return;
	}
	if (c->heap_idx == UINT32_MAX) {
		assert(ep->heap_cnt < ep->heap_cap);
		heap_put(ep, ep->heap_cnt++, c);
	}
	heap_up(ep, c->heap_idx);
	heap_down(ep, c->heap_idx);
}

void quic_touch(struct quic_conn *c)
{
	if (c->state != CONN_LINGER && !c->doomed)
		quic_heap_set(c, quic_conn_due(c));
}

void quic_mark_dirty(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;

	if (c->dirty || c->state == CONN_LINGER)
		return;
	c->dirty = true;
	c->dirty_next = NULL;
	if (ep->dirty_tail)
		ep->dirty_tail->dirty_next = c;
	else
		ep->dirty_head = c;
	ep->dirty_tail = c;
	ep->dirty_cnt++;
}

/* ---- the outermost call ---- */

void quic_enter(struct quic_endpoint *ep, uint64_t now_ns)
{
	if (now_ns > ep->now_ns)
		ep->now_ns = now_ns;
	ep->depth++;
}

static void run_closes(struct quic_endpoint *ep)
{
	while (ep->has_closes) {
		ep->has_closes = false;
		for (struct quic_conn *c = ep->all; c; c = c->next) {
			if (c->close_req && c->state != CONN_LINGER)
				quic_conn_end_local(c);
		}
	}
}

/* A connection on the way to be freed may still stand in the line of
 * those to be written. */
static void leave_line(struct quic_conn *c)
{
	struct quic_endpoint *ep = c->ep;
	struct quic_conn *before = NULL;

	if (!c->dirty)
		return;
	for (struct quic_conn *x = ep->dirty_head; x != c; x = x->dirty_next)
		before = x;
	if (before)
		before->dirty_next = c->dirty_next;
	else
		ep->dirty_head = c->dirty_next;
	if (ep->dirty_tail == c)
		ep->dirty_tail = before;
	ep->dirty_cnt--;
	c->dirty = false;
}

void quic_leave(struct quic_endpoint *ep)
{
	if (ep->depth > 1) {
		ep->depth--;
		return;
	}
	run_closes(ep);
	while (ep->dead) {
		struct quic_conn *c = ep->dead;

		ep->dead = c->dead_next;
		leave_line(c);
		quic_conn_free(c);
	}
	ep->depth--;
}

/* ---- open and shut ---- */

static void set_limits(struct quic_limits *l)
{
	static const struct quic_limits standard = {
		.conns = 4096,
		.half_open = 256,
		.streams = 256,
		.handshake_ns = 5 * VX6_SEC,
		.session_idle_ns = 30 * VX6_SEC,
		.session_ping_ns = 10 * VX6_SEC,
		.tunnel_idle_ns = 3600 * VX6_SEC,
		.stream_window = UINT64_C(4) << 20,
		.conn_window = UINT64_C(16) << 20,
		.stream_buffer = (size_t)1 << 20,
	};

#define TAKE(f) l->f = l->f ? l->f : standard.f
	TAKE(conns);
	TAKE(half_open);
	TAKE(streams);
	TAKE(handshake_ns);
	TAKE(session_idle_ns);
	TAKE(session_ping_ns);
	TAKE(tunnel_idle_ns);
	TAKE(stream_window);
	TAKE(conn_window);
	TAKE(stream_buffer);
#undef TAKE
}

enum vx6_status quic_open(struct quic_endpoint **out,
			  const struct quic_options *opt)
{
	struct quic_endpoint *ep;
	enum vx6_status st;

	if (sodium_init() < 0)
		return VX6_UNSUPPORTED;
	ep = calloc(1, sizeof(*ep));
	if (!ep)
		return VX6_NO_MEMORY;
	ep->identity = opt->identity;
	ep->limits = opt->limits;
	ep->events = opt->events;
	ep->ctx = opt->ctx;
	set_limits(&ep->limits);
	quic_tokens_init(&ep->tokens, &ep->identity);
	vx6_rand_init(&ep->rand);
	ep->stateless_left = STATELESS_BURST;
	ep->heap_cap = ep->limits.conns;
	ep->heap = calloc(ep->heap_cap, sizeof(*ep->heap));
	st = ep->heap ? quic_cids_init(&ep->cids, ep->limits.conns)
		      : VX6_NO_MEMORY;
	if (st == VX6_OK)
		st = quic_tls_open(ep);
	if (st == VX6_OK) {
		*out = ep;
		return VX6_OK;
	}
	if (ep->cids.bucket)
		quic_cids_free(&ep->cids);
	free((void *)ep->heap);
	sodium_memzero(ep, sizeof(*ep));
	free(ep);
	return st;
}

void quic_shut(struct quic_endpoint *ep, uint64_t now_ns)
{
	quic_enter(ep, now_ns);
	for (struct quic_conn *c = ep->all; c; c = c->next) {
		if (c->state == CONN_LINGER || c->close_req)
			continue;
		static const char text[] = "shutting down";
		memcpy(c->close_reason, text, sizeof(text));
		c->close_code = 0;
		c->close_req = true;
		ep->has_closes = true;
	}
	quic_leave(ep);
	while (ep->all) {
		leave_line(ep->all);
		quic_conn_free(ep->all);
	}
	quic_tls_shut(ep);
	quic_cids_free(&ep->cids);
	free((void *)ep->heap);
	sodium_memzero(ep, sizeof(*ep));
	free(ep);
}

/* ---- answers without a connection ---- */

static bool may_answer(struct quic_endpoint *ep)
{
	uint64_t add = (ep->now_ns - ep->stateless_ns) / STATELESS_NS;

	if (add > 0) {
		uint64_t have = ep->stateless_left + add;

		ep->stateless_left = have > STATELESS_BURST ? STATELESS_BURST
							    : (uint32_t)have;
		ep->stateless_ns = ep->now_ns;
	}
	if (ep->stateless_left == 0)
		return false;
	ep->stateless_left--;
	return true;
}

static void send_version(struct quic_endpoint *ep, const struct quic_path *path,
			 const ngtcp2_version_cid *vc)
{
	static const uint32_t versions[] = { NGTCP2_PROTO_VER_V1 };
	uint8_t out[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
	uint8_t any;

	if (!may_answer(ep))
		return;
	vx6_rand_fill(&ep->rand, &any, 1);
	/* 0x40 set: seven random bits must not look like a cell */
	ngtcp2_ssize n = ngtcp2_pkt_write_version_negotiation(
		out, sizeof(out), any | 0x40u, vc->scid, vc->scidlen, vc->dcid,
		vc->dcidlen, versions, VX6_COUNT(versions));
	if (n > 0)
		quic_send_now(ep, NULL, path, out, (size_t)n);
}

/* Shorter than what provoked it, so that two who have both forgotten do
 * not go on for ever (RFC 9000 section 10.3.3). */
static void send_reset(struct quic_endpoint *ep, const struct quic_path *path,
		       const uint8_t *cid, size_t len)
{
	uint8_t token[QUIC_RESET_TOKEN], noise[RESET_RAND_MAX];
	uint8_t out[QUIC_RESET_TOKEN + RESET_RAND_MAX];
	size_t rand_len;

	if (len <= RESET_LEAST || !may_answer(ep))
		return;
	rand_len = len - 1 - QUIC_RESET_TOKEN;
	if (rand_len > sizeof(noise))
		rand_len = sizeof(noise);
	vx6_rand_fill(&ep->rand, noise, rand_len);
	quic_reset_token(&ep->tokens, cid, QUIC_CID_LEN, token);
	ngtcp2_ssize n = ngtcp2_pkt_write_stateless_reset(
		out, sizeof(out), token, noise, rand_len);
	if (n > 0)
		quic_send_now(ep, NULL, path, out, (size_t)n);
}

static void to_bytes(struct quic_cid_bytes *b, const ngtcp2_cid *cid)
{
	*b = (struct quic_cid_bytes){ .len = (uint8_t)cid->datalen };
	memcpy(b->data, cid->data, cid->datalen);
}

/* No connection, so no callback: the sealer of quic_crypto_seal wants a
 * struct of its own; a Retry's tag is one call. */
static int seal_retry(uint8_t *dest, const ngtcp2_crypto_aead *aead,
		      const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,
		      size_t len, const uint8_t *nonce, size_t nonce_len,
		      const uint8_t *ad, size_t ad_len)
{
	(void)aead;
	(void)nonce_len;
	return quic_aead_seal(ctx->native_handle, nonce, ad, ad_len, dest, text,
			      len) == VX6_OK
		       ? 0
		       : NGTCP2_ERR_CALLBACK_FAILURE;
}

static enum vx6_status send_retry(struct quic_endpoint *ep,
				  const struct quic_path *path,
				  const ngtcp2_pkt_hd *hd)
{
	uint8_t token[QUIC_TOKEN_LEN], out[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
	struct quic_cid_bytes odcid, scid = { .len = QUIC_CID_LEN };
	struct quic_aead *key = quic_retry_aead();
	ngtcp2_crypto_aead aead = { NULL, QUIC_TAG_LEN };
	ngtcp2_crypto_aead_ctx ctx = { key };
	ngtcp2_cid s;

	if (!key)
		return VX6_NO_ROOM;
	to_bytes(&odcid, &hd->dcid);
	vx6_rand_fill(&ep->rand, scid.data, scid.len);
	ngtcp2_cid_init(&s, scid.data, scid.len);
	quic_token_make(&ep->tokens, token, &odcid, &scid, &path->remote,
			ep->now_ns);
	ngtcp2_ssize n = ngtcp2_pkt_write_retry(
		out, sizeof(out), NGTCP2_PROTO_VER_V1, &hd->scid, &s, &hd->dcid,
		token, sizeof(token), seal_retry, &aead, &ctx);
	quic_aead_free(key);
	if (n > 0)
		quic_send_now(ep, NULL, path, out, (size_t)n);
	return VX6_RATE;
}

/* ---- datagrams in ---- */

/* What an Initial of a new connection gets: VX6_OK, and a is filled. */
static enum vx6_status admit(struct quic_endpoint *ep,
			     const struct quic_path *path,
			     const ngtcp2_pkt_hd *hd, struct quic_accept *a)
{
	enum vx6_status st;

	if (ep->conn_cnt >= ep->limits.conns ||
	    ep->half_open_cnt >= ep->limits.half_open)
		return VX6_NO_ROOM;
	*a = (struct quic_accept){ .path = *path };
	to_bytes(&a->dcid, &hd->dcid);
	to_bytes(&a->scid, &hd->scid);
	if (hd->tokenlen > 0) {
		st = quic_token_check(&ep->tokens, hd->token, hd->tokenlen,
				      &a->dcid, &path->remote, ep->now_ns,
				      &a->odcid);
		if (st == VX6_OK) {
			a->token = hd->token;
			a->token_len = hd->tokenlen;
			a->retried = true;
			return VX6_OK;
		}
		/* not ours: as if there were none (RFC 9000 section 8.1.3) */
		if (st == VX6_EXPIRED)
			return VX6_BAD_TAG;
	}
	if (hd->dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN)
		return VX6_MALFORMED;
	st = ep->events.admit ? ep->events.admit(ep->ctx, path) : VX6_OK;
	return st == VX6_RATE ? send_retry(ep, path, hd) : st;
}

static enum vx6_status first_packet(struct quic_endpoint *ep,
				    const struct quic_path *path, unsigned ecn,
				    uint8_t *data, size_t len)
{
	ngtcp2_pkt_hd hd;
	struct quic_accept a;
	struct quic_conn *c;
	enum vx6_status st;

	if (ngtcp2_accept(&hd, data, len) != 0 ||
	    hd.version != NGTCP2_PROTO_VER_V1)
		return VX6_NO_CIRCUIT;
	st = admit(ep, path, &hd, &a);
	if (st != VX6_OK)
		return st;
	st = quic_conn_accept(ep, &a, &c);
	if (st != VX6_OK)
		return st == VX6_NO_MEMORY ? VX6_NO_ROOM : st;
	return quic_conn_receive(c, path, ecn, data, len);
}

static struct quic_conn *conn_of(struct quic_endpoint *ep,
				 const ngtcp2_version_cid *vc,
				 const uint8_t *data, size_t len)
{
	struct quic_conn *c = quic_cids_find(&ep->cids, QUIC_CID_ID, vc->dcid,
					     vc->dcidlen);

	if (c || (data[0] & 0x80) || len < RESET_LEAST)
		return c;
	/* noise with a token at its end may be a peer's stateless reset */
	return quic_cids_find(&ep->cids, QUIC_CID_RESET,
			      data + len - QUIC_RESET_TOKEN, QUIC_RESET_TOKEN);
}

static enum vx6_status take(struct quic_endpoint *ep,
			    const struct quic_path *path, unsigned ecn,
			    uint8_t *data, size_t len)
{
	ngtcp2_version_cid vc;
	int r;

	if (len == 0)
		return VX6_TRUNCATED;
	r = ngtcp2_pkt_decode_version_cid(&vc, data, len, QUIC_CID_LEN);
	if (r == NGTCP2_ERR_VERSION_NEGOTIATION ||
	    (r == 0 && (data[0] & 0x80) && vc.version != 0 &&
	     vc.version != NGTCP2_PROTO_VER_V1)) {
		if (len >= QUIC_MIN_PACKET)
			send_version(ep, path, &vc);
		return VX6_BAD_VERSION;
	}
	if (r != 0 || vc.dcidlen > QUIC_CID_MAX)
		return VX6_MALFORMED;
	struct quic_conn *c = conn_of(ep, &vc, data, len);
	if (c)
		return quic_conn_receive(c, path, ecn, data, len);
	if (data[0] & 0x80)
		return first_packet(ep, path, ecn, data, len);
	send_reset(ep, path, vc.dcid, len);
	return VX6_NO_CIRCUIT;
}

enum vx6_status quic_read(struct quic_endpoint *ep,
			  const struct quic_path *path, unsigned ecn,
			  uint8_t *data, size_t len, uint64_t now_ns)
{
	enum vx6_status st;

	quic_enter(ep, now_ns);
	st = take(ep, path, ecn, data, len);
	quic_leave(ep);
	return st;
}

/* ---- the loop's calls ---- */

uint64_t quic_due(struct quic_endpoint *ep)
{
	uint64_t due = ep->heap_cnt > 0 ? ep->heap[0]->due_ns : VX6_NEVER;

	if (ep->batch.held)
		return due < ep->now_ns + 10 * VX6_MS ? ep->now_ns + 10 * VX6_MS
						      : due;
	return ep->dirty_head ? ep->now_ns : due;
}

void quic_tick(struct quic_endpoint *ep, uint64_t now_ns)
{
	uint32_t turns = ep->heap_cnt;

	quic_enter(ep, now_ns);
	while (turns-- > 0 && ep->heap_cnt > 0 &&
	       ep->heap[0]->due_ns <= ep->now_ns) {
		struct quic_conn *c = ep->heap[0];

		if (c->state != CONN_LINGER) {
			quic_conn_expire(c);
			continue;
		}
		quic_heap_set(c, VX6_NEVER);
		c->doomed = true;
		c->dead_next = ep->dead;
		ep->dead = c;
	}
	quic_leave(ep);
}

void quic_flush(struct quic_endpoint *ep, uint64_t now_ns)
{
	quic_enter(ep, now_ns);
	/* One turn each: who wants another stands at the end again. */
	uint32_t turns = ep->dirty_cnt;
	while (turns-- > 0 && ep->dirty_head && !ep->batch.held) {
		struct quic_conn *c = ep->dirty_head;

		ep->dirty_head = c->dirty_next;
		if (!ep->dirty_head)
			ep->dirty_tail = NULL;
		ep->dirty_cnt--;
		c->dirty = false;
		quic_conn_write(c);
	}
	quic_leave(ep);
}

void quic_writable(struct quic_endpoint *ep)
{
	if (ep->batch.held)
		quic_batch_send(ep);
}

uint32_t quic_half_open(const struct quic_endpoint *ep)
{
	return ep->half_open_cnt;
}
