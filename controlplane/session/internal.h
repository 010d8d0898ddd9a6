/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_INTERNAL_H
#define VX6_CONTROLPLANE_SESSION_INTERNAL_H

/* internal: what the files of quic share.
 *
 *     endpoint.c  open, shut, read: which connection, or a new one, or a
 *                 Retry; timers; what runs when the outermost call ends
 *     conn.c      a connection's life up to `ready`, and its paths
 *     close.c     how it ends, and in which words
 *     tls.c       wolfSSL: contexts, handshake, proof, exporter
 *     crypto.c    ngtcp2's callbacks that seal and open
 *     stream.c    streams and datagrams, the owner's side
 *     write.c     packets out, in batches
 *
 * A connection's states:
 *
 *     HANDSHAKE --confirmed--> READY
 *         |                      |
 *         +--- close, fail ------+--> LINGER --3 PTO--> (freed)
 *
 * LINGER keeps the connection ids, and the CONNECTION_CLOSE packet where
 * we closed, but neither ngtcp2's state nor wolfSSL's; `closed` has been
 * raised and the owner has forgotten the pointer.
 *
 * Re-entrance: `busy` counts ngtcp2 calls on a connection's stack; what
 * must not happen inside one (closing, resetting, freeing TLS) leaves a
 * note and is done by quic_conn_leave when the last returns.  `depth`
 * counts public calls; connections are freed when it is back at 0. */

#include <ngtcp2/ngtcp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "controlplane/session/cert.h"
#include "controlplane/session/cids.h"
#include "controlplane/session/frames.h"
#include "controlplane/session/protect.h"
#include "controlplane/session/quic.h"
#include "controlplane/session/sendbuf.h"
#include "controlplane/session/token.h"
#include "dataplane/base/rand.h"

#define QUIC_CID_LEN    8u    /* of ours, both ends (PROTOCOL.md 10) */
#define QUIC_MIN_PACKET 1200u /* RFC 9000 section 14.1 */
#define QUIC_UDP_PACKET 1452u /* IPv6 in 1500 */
#define QUIC_MAX_PACKET 1472u
#define QUIC_BATCH      (44u * QUIC_MAX_PACKET)
#define QUIC_BATCH_CNT  44u
#define QUIC_BUCKETS    64u    /* of a connection's streams */
#define QUIC_DGRAMS     8u     /* queued datagrams */
#define QUIC_DGRAM_ROOM 44u    /* what a packet with a datagram adds at most */
#define QUIC_PADS       3u     /* full datagrams beside a migration */
#define QUIC_TLS_MSG    16384u /* the longest handshake message taken */
#define QUIC_REASON     128u

enum quic_conn_state { CONN_HANDSHAKE, CONN_READY, CONN_LINGER };

struct quic_stream {
	struct quic_stream *next;       /* in its bucket */
	struct quic_stream *ready_next; /* in the round of those to write */
	struct quic_conn *conn;
	int64_t id;
	struct quic_sendbuf out;
	uint64_t unread; /* given to the owner, not yet consumed */
	bool fin;        /* the owner ended it */
	bool fin_sent;
	bool in_round;    /* on the list of streams to write */
	bool blocked;     /* by the peer's stream window */
	bool dead;        /* no more writing: reset or stopped */
	bool stopped;     /* the peer's STOP_SENDING was told of */
	bool want_room;   /* owner waits for stream_room */
	bool reset, stop; /* notes to be carried out */
	uint64_t reset_code, stop_code;
	uint64_t lost; /* packets */
};

struct quic_dgram {
	uint16_t len;
	uint8_t data[QUIC_MAX_PACKET];
};

struct quic_dgrams {
	uint8_t at, cnt;
	struct quic_dgram slot[QUIC_DGRAMS];
};

/* Whole TLS messages only go to wolfSSL: it believes a message's length
 * before it has the message (up to 1 MiB), we do not. */
struct quic_tls_in {
	uint8_t *buf;
	size_t len, cap;
	ngtcp2_encryption_level level;
};

struct quic_linger {
	uint8_t *packet; /* NULL: silence */
	size_t len;
	uint32_t heard; /* datagrams since; answered at powers of two */
};

struct quic_conn {
	struct quic_endpoint *ep;
	ngtcp2_conn *q;
	WOLFSSL *ssl;
	void *user;
	struct quic_conn *next, *prev; /* all connections */
	struct quic_conn *dirty_next;
	struct quic_conn *dead_next;
	struct quic_cid *cids;
	uint32_t heap_idx; /* place in the timer heap, UINT32_MAX: none */
	uint64_t due_ns;
	enum quic_conn_state state;
	enum quic_alpn alpn;
	bool client;
	bool dirty;     /* has something to write */
	bool doomed;    /* on the dead list */
	bool close_req; /* quic_close was called inside an event */
	bool settle_req;
	bool half_open; /* counted as such */
	bool completed; /* TLS is done */
	unsigned busy;
	uint64_t ready_by_ns;
	uint64_t settle_ns;

	/* the peer */
	bool expects, key_seen, proved, mismatch, was_reset, hoards;
	uint8_t expect[32], peer_key[32], peer_id[32];
	int tls_err;
	struct quic_tls_in tls_in;
	uint8_t has_keys; /* bit 2 level + direction: installed once */
	const struct quic_suite *suite;

	/* packets */
	struct quic_cidwatch watch;
	struct quic_stops *stops; /* of the datagram being read, */
	bool fresh, replayed;     /* a packet of which was ours, for the */
	bool forged;              /* first time or again; or was not ours */
	uint8_t tx_iv[QUIC_IV_LEN];
	uint64_t last_rx_ns, unanswered_ns;
	uint64_t rx_bytes, tx_bytes, sent_packets, lost_packets;

	/* paths */
	struct quic_path path;
	uint16_t d;
	bool no_shaping;
	uint64_t probe_until_ns; /* server: full size until the path is sure */
	unsigned pads;

	/* streams */
	struct quic_stream *bucket[QUIC_BUCKETS];
	struct quic_stream *round_head, *round_tail;
	uint32_t stream_cnt, local_cnt;
	bool has_notes; /* some stream has reset or stop set */
	struct quic_dgrams *dgrams;

	/* the end */
	uint64_t close_code;
	char close_reason[QUIC_REASON];
	struct quic_linger linger;
};

struct quic_batch { /* datagrams of one path, assembled for `send` */
	struct quic_conn *conn; /* NULL: none of a connection */
	struct quic_path path;
	size_t len, segment;
	unsigned cnt, ecn;
	bool held; /* send did not take it */
	/* what did not go with the held ones lies behind them */
	struct quic_path next_path;
	size_t next_len;
	unsigned next_ecn;
	uint8_t data[QUIC_BATCH];
};

struct quic_endpoint {
	struct quic_identity identity;
	struct quic_limits limits;
	struct quic_events events;
	void *ctx;
	WOLFSSL_CTX *server_ctx, *client_ctx;
	struct quic_tokens tokens;
	struct quic_cids cids;
	struct vx6_rand rand;
	struct quic_conn *all, *dirty_head, *dirty_tail, *dead;
	struct quic_conn **heap;
	uint32_t heap_cnt, heap_cap, dirty_cnt;
	uint32_t conn_cnt, half_open_cnt, linger_cnt;
	uint64_t now_ns;
	unsigned depth, in_event;
	bool has_closes;       /* some connection has close_req set */
	uint64_t stateless_ns; /* token bucket of resets and negotiations */
	uint32_t stateless_left;
	struct quic_batch batch;
};

/* ---- endpoint.c ---- */
/* quic_enter clamps the clock; quic_leave does what waited. */
void quic_enter(struct quic_endpoint *ep, uint64_t now_ns);
void quic_leave(struct quic_endpoint *ep);
void quic_heap_set(struct quic_conn *c, uint64_t due_ns);
/* quic_touch brings c's timer up to date. */
void quic_touch(struct quic_conn *c);
void quic_mark_dirty(struct quic_conn *c);
bool quic_raises(const struct quic_conn *c);
void quic_from_path(ngtcp2_path_storage *ps, const struct quic_path *path);
void quic_to_path(struct quic_path *path, const ngtcp2_path *from);
bool quic_same_path(const struct quic_path *a, const struct quic_path *b);

/* ---- conn.c ---- */
struct quic_accept {
	struct quic_path path;
	struct quic_cid_bytes dcid, scid, odcid; /* odcid: after a Retry */
	const uint8_t *token;
	size_t token_len;
	bool retried;
};
enum vx6_status quic_conn_accept(struct quic_endpoint *ep,
				 const struct quic_accept *a,
				 struct quic_conn **out);
/* What an ngtcp2 connection is made with. */
void quic_conn_callbacks(ngtcp2_callbacks *cb);
void quic_conn_settings(const struct quic_conn *c, ngtcp2_settings *s);
void quic_conn_params(const struct quic_conn *c,
		      ngtcp2_transport_params *params);
/* quic_conn_receive hands one datagram to c. */
enum vx6_status quic_conn_receive(struct quic_conn *c,
				  const struct quic_path *path, unsigned ecn,
				  uint8_t *data, size_t len);
void quic_conn_expire(struct quic_conn *c);
/* quic_conn_ready raises `ready` if it has not been. */
void quic_conn_ready(struct quic_conn *c);
/* quic_conn_enter and _leave surround every call into ngtcp2 that may
 * call back. */
void quic_conn_enter(struct quic_conn *c);
void quic_conn_leave(struct quic_conn *c);
void quic_conn_free(struct quic_conn *c);
uint64_t quic_conn_due(const struct quic_conn *c);
/* quic_local_params fills what differs between a session and a tunnel. */
void quic_local_params(const struct quic_conn *c,
		       ngtcp2_transport_params *params);

/* ---- close.c ---- */
/* quic_conn_fail ends c because an ngtcp2 call returned err. */
void quic_conn_fail(struct quic_conn *c, int err);
/* quic_conn_end raises `closed`; with say, CONNECTION_CLOSE goes out. */
void quic_conn_end(struct quic_conn *c, const struct quic_close *why,
		   const ngtcp2_ccerr *say);
void quic_conn_end_local(struct quic_conn *c);
enum vx6_status quic_linger_receive(struct quic_conn *c);

/* ---- tls.c ---- */
enum vx6_status quic_tls_open(struct quic_endpoint *ep);
void quic_tls_shut(struct quic_endpoint *ep);
/* quic_tls_ctx sets what holds for every connection of a context, and
 * quic_tls_cert what it shows of itself. */
bool quic_tls_ctx(WOLFSSL_CTX *ctx);
bool quic_tls_cert(WOLFSSL_CTX *ctx, const struct quic_cert *cert);
enum vx6_status quic_tls_new(struct quic_conn *c,
			     const struct quic_identity *own);
void quic_tls_free(struct quic_conn *c);
int quic_tls_receive(struct quic_conn *c, ngtcp2_encryption_level level,
		     const uint8_t *data, size_t len);

/* ---- crypto.c ---- */
void quic_crypto_callbacks(ngtcp2_callbacks *cb);
bool quic_crypto_retry(struct quic_conn *c);
/* quic_crypto_install installs one direction of one level; rx and tx may
 * each be NULL. */
bool quic_crypto_install(struct quic_conn *c, ngtcp2_encryption_level level,
			 const uint8_t *rx, const uint8_t *tx);
int quic_crypto_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
		     const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text,
		     size_t len, const uint8_t *nonce, size_t nonce_len,
		     const uint8_t *ad, size_t ad_len);

/* ---- stream.c ---- */
void quic_stream_callbacks(ngtcp2_callbacks *cb);
void quic_stream_notes(struct quic_conn *c);
/* quic_stream_stops raises stream_stop for what frames noted. */
void quic_stream_stops(struct quic_conn *c, const struct quic_stops *stops);
void quic_stream_stopped(struct quic_stream *s, uint64_t code);
void quic_stream_free_all(struct quic_conn *c);
void quic_stream_join_round(struct quic_stream *s);
void quic_stream_leave_round(struct quic_stream *s);

/* ---- write.c ---- */
void quic_conn_write(struct quic_conn *c);
/* quic_packet_room is how long a packet to c's path may be now. */
size_t quic_packet_room(const struct quic_conn *c);
/* quic_datagram_room is how long a datagram may be. */
size_t quic_datagram_room(const struct quic_conn *c);
/* quic_batch_send hands the batch out; false: held. */
bool quic_batch_send(struct quic_endpoint *ep);
/* quic_send_now hands out one datagram that belongs to no batch. */
bool quic_send_now(struct quic_endpoint *ep, struct quic_conn *c,
		   const struct quic_path *path, const uint8_t *data,
		   size_t len);

#endif
