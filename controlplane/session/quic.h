/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SESSION_QUIC_H
#define VX6_CONTROLPLANE_SESSION_QUIC_H

/* quic: proved, encrypted connections, over whatever moves datagrams.
 *
 * One endpoint serves both things that speak QUIC v1 here (RFC 9000): the
 * sessions between nodes (ALPN vx6/1) on the control port, and the tunnels
 * between a client and an owner (ALPN vx6-t/1), whose packets travel over
 * plain UDP or inside circuits.  ngtcp2 does the protocol, wolfSSL the
 * handshake, dataplane/wire/aead the packet protection; no other file than
 * this room's names them.
 *
 *     datagrams in  --quic_read-->  endpoint  --events-->  owner
 *     owner --quic_stream_send..-->    |      --send-->    datagrams out
 *                              quic_tick at quic_due
 *
 * Sans-I/O: no socket and no clock in here.  A path is a pair of addresses
 * which the owner understands: real ones, or pseudo-addresses that stand
 * for a circuit.  Both ends of a connection prove an Ed25519 key in TLS by
 * self-signed certificates; nothing but the key is looked at.
 *
 * Nothing is sent to, and no event but `closed` is raised for, a peer
 * before its proof is in: `ready` comes when the handshake is *confirmed*.
 *
 * Events are raised only from inside quic_read, quic_tick, quic_flush and
 * quic_close.  Inside an event the owner may call any quic_ function on
 * this or another connection of the endpoint; a connection is freed after
 * the outermost call returned, so a pointer given to an event stays good
 * for its duration.  After `closed` the owner forgets the pointer.
 *
 * Work is batched: sends queue up; quic_flush writes them out.  The owner
 * calls it once after each batch of input and before it waits.
 *
 * Ownership: the endpoint owns its connections.  Threads: one.
 * Limits: struct quic_limits.  Time: monotonic nanoseconds. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct quic_endpoint;
struct quic_conn;

enum quic_alpn { QUIC_SESSION, QUIC_TUNNEL };

struct quic_identity { /* an Ed25519 key pair.  Secret. */
	uint8_t seed[32];
	uint8_t public_key[32];
};

/* quic_identity_fresh draws a key pair that nothing else knows. */
VX6_NONNULL void quic_identity_fresh(struct quic_identity *id);

struct quic_path {
	struct vx6_addr local, remote;
};

enum quic_close_kind {
	QUIC_CLOSE_LOCAL,     /* we called quic_close */
	QUIC_CLOSE_PEER,      /* the peer closed, code and reason are its */
	QUIC_CLOSE_IDLE,      /* idle timeout */
	QUIC_CLOSE_HANDSHAKE, /* no handshake within its deadline */
	QUIC_CLOSE_IDENTITY,  /* the peer proved another identity than named */
	QUIC_CLOSE_REFUSED,   /* TLS refused: certificate, ALPN, .. */
	QUIC_CLOSE_ERROR      /* a protocol error, ours or theirs */
};

struct quic_close {
	enum quic_close_kind kind;
	uint64_t code;      /* application or transport error code */
	bool application;   /* code is the application's */
	bool was_ready;     /* `ready` had been raised */
	char reason[128];   /* for people; printable */
	uint8_t proved[32]; /* IDENTITY: the node ID that it proved */
};

struct quic_events {
	/* send hands out one datagram, or several of `segment` bytes each
	 * (the last may be shorter) when segment > 0.  ecn is the two IP
	 * bits.  False: not taken, the owner calls quic_writable later.  c
	 * is NULL for what belongs to no connection (Retry, stateless
	 * reset, version negotiation, the echo of a CONNECTION_CLOSE). */
	bool (*send)(void *ctx, struct quic_conn *c,
		     const struct quic_path *path, const uint8_t *data,
		     size_t len, size_t segment, unsigned ecn);
	/* admit is asked for an Initial of a new connection: VX6_OK, or
	 * VX6_RATE for a Retry first (RFC 9000 section 8.1.2), or VX6_DENIED
	 * for silence.  NULL admits all. */
	enum vx6_status (*admit)(void *ctx, const struct quic_path *path);
	/* path_d says how many bytes a datagram to path may have: 0 for real
	 * UDP, else D of a circuit (512..1472).  Asked of a server when a
	 * connection comes or moves over path.  NULL: all is real UDP. */
	uint16_t (*path_d)(void *ctx, const struct quic_path *path);
	/* ready: handshake confirmed; quic_peer, quic_alpn are good. */
	void (*ready)(void *ctx, struct quic_conn *c);
	/* stream_open: the peer opened a bidirectional stream. */
	void (*stream_open)(void *ctx, struct quic_conn *c, int64_t stream);
	/* stream_data: in order.  The window grows by quic_stream_consumed
	 * only.  fin: nothing follows (len may be 0). */
	void (*stream_data)(void *ctx, struct quic_conn *c, int64_t stream,
			    const uint8_t *data, size_t len, bool fin);
	/* stream_room: after quic_stream_send took less than it was given,
	 * there is room again. */
	void (*stream_room)(void *ctx, struct quic_conn *c, int64_t stream);
	/* stream_reset: the peer's RESET_STREAM; stream_stop: its
	 * STOP_SENDING. */
	void (*stream_reset)(void *ctx, struct quic_conn *c, int64_t stream,
			     uint64_t code);
	void (*stream_stop)(void *ctx, struct quic_conn *c, int64_t stream,
			    uint64_t code);
	/* stream_closed: both directions are over, the id is forgotten. */
	void (*stream_closed)(void *ctx, struct quic_conn *c, int64_t stream);
	/* datagram: RFC 9221. */
	void (*datagram)(void *ctx, struct quic_conn *c, const uint8_t *data,
			 size_t len);
	/* moved: (server) the client moved to this path, or (both) a path
	 * was validated. */
	void (*moved)(void *ctx, struct quic_conn *c,
		      const struct quic_path *path, bool validated);
	void (*closed)(void *ctx, struct quic_conn *c,
		       const struct quic_close *why);
};

struct quic_limits {              /* 0 takes the default in brackets */
	uint32_t conns;           /* [4096] in all */
	uint32_t half_open;       /* [256] handshakes not confirmed */
	uint32_t streams;         /* [256] a peer may have open at once */
	uint64_t handshake_ns;    /* [5 s] */
	uint64_t session_idle_ns; /* [30 s] */
	uint64_t session_ping_ns; /* [10 s] */
	uint64_t tunnel_idle_ns;  /* [1 h] */
	uint64_t stream_window;   /* [4 MiB] */
	uint64_t conn_window;     /* [16 MiB] also caps the cwnd */
	size_t stream_buffer;     /* [1 MiB] bytes quic_stream_send keeps */
};

struct quic_options {
	struct quic_identity identity; /* of the node */
	struct quic_limits limits;
	struct quic_events events;
	void *ctx;
};

/* quic_open makes an endpoint.  VX6_UNSUPPORTED or VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_open(struct quic_endpoint **ep, const struct quic_options *opt);

/* quic_shut closes every connection (its `closed` is raised, CONNECTION_
 * CLOSE is sent) and frees the endpoint. */
VX6_NONNULL void quic_shut(struct quic_endpoint *ep, uint64_t now_ns);

/* quic_read takes one datagram that arrived on path; data may be changed.
 * DROP and SHED statuses are for counting.  VX6_NO_CIRCUIT: no connection
 * knows it and it opens none.  VX6_BAD_TAG: it names one, and its peer did
 * not send it, or somebody changed it.  VX6_REPLAYED: its peer sent it, and
 * all of it had come before, or is older than a window tells. */
VX6_NONNULL enum vx6_status quic_read(struct quic_endpoint *ep,
				      const struct quic_path *path,
				      unsigned ecn, uint8_t *data, size_t len,
				      uint64_t now_ns);

struct quic_dial {
	struct quic_path path;
	enum quic_alpn alpn;
	const uint8_t *expect;                /* node ID (32), or NULL: learn */
	const struct quic_identity *identity; /* NULL: the endpoint's */
	uint16_t d; /* tunnels over circuits: first D; 0: real UDP, PMTUD */
	void *user;
};

/* quic_dial starts a connection; its first packets leave by quic_flush.
 * VX6_NO_ROOM at the limit. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_dial(struct quic_endpoint *ep, const struct quic_dial *dial,
	  uint64_t now_ns, struct quic_conn **c);

/* quic_due is when quic_tick wants to be called; VX6_NEVER for no time. */
VX6_NONNULL uint64_t quic_due(struct quic_endpoint *ep);
VX6_NONNULL void quic_tick(struct quic_endpoint *ep, uint64_t now_ns);
VX6_NONNULL void quic_flush(struct quic_endpoint *ep, uint64_t now_ns);

/* quic_writable says that `send` may be tried again. */
VX6_NONNULL void quic_writable(struct quic_endpoint *ep);

/* quic_close sends CONNECTION_CLOSE with an application code and raises
 * `closed` before it returns (or, inside an event, when that is over). */
VX6_NONNULL void quic_close(struct quic_conn *c, uint64_t code,
			    const char *reason, uint64_t now_ns);

VX6_NONNULL_ARGS(1) void quic_set_user(struct quic_conn *c, void *user);
VX6_NONNULL void *quic_user(const struct quic_conn *c);
VX6_NONNULL bool quic_is_client(const struct quic_conn *c);
VX6_NONNULL bool quic_is_ready(const struct quic_conn *c);
VX6_NONNULL enum quic_alpn quic_alpn(const struct quic_conn *c);

/* quic_peer returns the proved node ID (32 bytes); only once ready. */
VX6_NONNULL const uint8_t *quic_peer(const struct quic_conn *c);
/* quic_peer_key returns the proved Ed25519 public key. */
VX6_NONNULL const uint8_t *quic_peer_key(const struct quic_conn *c);

/* quic_export is the TLS exporter (RFC 8446 section 7.5, RFC 9001): 32
 * bytes, from `ready` until quic_settle.  VX6_BAD_STATE outside of that. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_export(const struct quic_conn *c, const char *label,
	    const uint8_t *context, size_t len, uint8_t out[32]);

/* quic_settle frees the TLS state of a connection that needs no exporter
 * any more (about 60 of its 100 KiB).  Tunnels are settled by themselves,
 * sessions by their owner once the link is open, and after 30 s in any case. */
VX6_NONNULL void quic_settle(struct quic_conn *c);

/* quic_stream_new opens a bidirectional stream.  VX6_AGAIN when the peer, or
 * our own limit, allows no more for now; VX6_BAD_STATE: not ready yet, or
 * closing; VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status quic_stream_new(struct quic_conn *c,
							   int64_t *stream);

/* quic_stream_send queues bytes (copied) and, with fin, the end.  Returns
 * how many were taken; fin counts only when all were.  quic_stream_space
 * tells how many would be taken now. */
VX6_NONNULL_ARGS(1)
size_t quic_stream_send(struct quic_conn *c, int64_t stream,
			const uint8_t *data, size_t len, bool fin);
VX6_NONNULL size_t quic_stream_space(const struct quic_conn *c, int64_t stream);

/* quic_stream_consumed opens the peer's window by len bytes: call it when
 * what stream_data brought has gone on. */
VX6_NONNULL void quic_stream_consumed(struct quic_conn *c, int64_t stream,
				      size_t len);

/* quic_stream_reset sends RESET_STREAM, quic_stream_stop STOP_SENDING. */
VX6_NONNULL void quic_stream_reset(struct quic_conn *c, int64_t stream,
				   uint64_t code);
VX6_NONNULL void quic_stream_stop(struct quic_conn *c, int64_t stream,
				  uint64_t code);

/* quic_datagram_send queues a datagram: VX6_AGAIN while the queue (8) is
 * full, VX6_BAD_SIZE when it does not fit the path, VX6_BAD_STATE as above,
 * VX6_NO_MEMORY.  It has a first byte, which may not be 0 (VX6_MALFORMED):
 * such datagrams are the padding of quic_migrate and are dropped on
 * arrival. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_datagram_send(struct quic_conn *c, const uint8_t *data, size_t len);

/* Moving (client only).  quic_migrate switches to path at once, whose
 * addresses must be new, and sends three full datagrams beside the probes.
 * VX6_NO_ROOM: no connection id is left, map the current path onto a
 * living circuit instead.  VX6_BAD_STATE: not ready yet.  VX6_AGAIN: from
 * inside an event of c itself.  VX6_CLOSED: c ended over it. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
quic_migrate(struct quic_conn *c, const struct quic_path *path,
	     uint64_t now_ns);

/* quic_set_d tells how many bytes a datagram of this tunnel may have from
 * now on (512..1472; 0: real UDP); below 1200 the rules of PROTOCOL.md
 * section 10 are kept inside.  A tunnel that began over a circuit keeps to
 * 1200 when it comes to real UDP.  Beside a migration: before it. */
VX6_NONNULL void quic_set_d(struct quic_conn *c, uint16_t d);

/* quic_half_open counts handshakes that are not confirmed. */
VX6_NONNULL uint32_t quic_half_open(const struct quic_endpoint *ep);

struct quic_stats {
	uint64_t srtt_ns, latest_rtt_ns; /* latest 0: none on this path yet */
	uint64_t pto_ns;
	uint64_t cwnd, in_flight; /* bytes */
	uint64_t rx_bytes, tx_bytes, lost_packets, sent_packets;
	uint64_t last_rx_ns;          /* last packet that authenticated */
	uint64_t first_unanswered_ns; /* first ack-eliciting send after
					  last_rx_ns; VX6_NEVER if none */
	uint32_t streams;
};
VX6_NONNULL void quic_stats(const struct quic_conn *c, struct quic_stats *s);
VX6_NONNULL void quic_path(const struct quic_conn *c, struct quic_path *path);

#endif
