/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SERVICE_BRIDGE_H
#define VX6_CONTROLPLANE_SERVICE_BRIDGE_H

/* bridge: one TCP connection and one QUIC stream, tied together.
 *
 *     socket --read--> quic_stream_send       up:   OPEN -> FIN
 *     socket <-write-- buffer <--stream_data  down: OPEN -> DRAIN -> SHUT
 *
 * What TCP says is carried as it is:
 *   FIN        half-close: FIN of the stream, and back shutdown(SHUT_WR)
 *              after the last byte
 *   RST        RESET_STREAM and STOP_SENDING, and back a close with RST
 *   a full     the socket is not read while the stream takes nothing; the
 *   window     stream's window is opened only by what the socket took
 *
 * So at most `buffer` bytes wait here for a slow reader: the QUIC stream
 * window bounds them, and a bridge that got more than that ends in RST.
 * There is no idle timer: a connection may be silent for as long as it
 * likes.
 *
 * Bytes for the socket are gathered during a turn of the loop and written
 * at its end (or at 64 KiB), because a packet holds a thousandth of what
 * one write can.
 *
 * A stream that has ended both ways may be forgotten by QUIC while a slow
 * reader still gets its last bytes: the bridge goes on by itself then, and
 * outlives even the connection.
 *
 * Ownership: struct bridge is its owner's, who frees it in `over`, the
 * last thing a bridge says.  `over` may come from inside any bridge_ call
 * and from the loop.  The socket belongs to the bridge from bridge_start
 * on.  Threads: the loop's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "controlplane/session/quic.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define BRIDGE_READ   65536u /* one read, one write without copying twice */
#define BRIDGE_CHUNK  16384u
#define BRIDGE_BUFFER (4u << 20) /* default: the stream window */

/* What all bridges of a process share. */
struct bridge_chunk;
struct bridge_env {
	struct loop *loop;
	size_t buffer;              /* most bytes one bridge holds */
	uint8_t *scratch;           /* BRIDGE_READ bytes */
	struct bridge_chunk *spare; /* chunks for use again */
	uint32_t spare_cnt;
	uint64_t buffered;             /* bytes held now, in all bridges */
	uint64_t buffered_max;         /* the most one bridge ever held */
	uint64_t up_bytes, down_bytes; /* socket to stream, and back */
};

enum bridge_end {
	BRIDGE_DONE,      /* FIN both ways, everything delivered */
	BRIDGE_RST_LOCAL, /* the socket broke, or the local end reset it */
	BRIDGE_RST_PEER,  /* RESET_STREAM or STOP_SENDING came */
	BRIDGE_GONE,      /* the connection was lost */
	BRIDGE_OVERRUN    /* more bytes than the window allows, or no memory */
};

struct bridge {
	struct bridge_env *env;
	struct quic_conn *conn; /* NULL: lost */
	int64_t stream;
	int fd; /* -1 before bridge_start */
	struct loop_fd *watch;
	struct loop_task flush;
	struct bridge_chunk *head, *tail;
	size_t buffered;
	uint64_t up_bytes, down_bytes;
	bool up_fin;    /* the socket's end is sent */
	bool blocked;   /* the stream takes nothing: wait for room */
	bool eager;     /* read the socket at the end of this turn */
	bool down_fin;  /* the stream's end is seen */
	bool down_shut; /* and written */
	bool full;      /* the socket takes nothing: wait for writable */
	bool deaf;      /* LOOP_HUP is of no use on this socket */
	bool forgotten; /* by QUIC: both directions are over for it */
	void (*over)(void *ctx, struct bridge *b, enum bridge_end how);
	void *ctx;
};

/* bridge_env_init: buffer 0 = BRIDGE_BUFFER; it must not be less than the
 * endpoint's stream_window.  VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
bridge_env_init(struct bridge_env *env, struct loop *l, size_t buffer);
VX6_NONNULL void bridge_env_free(struct bridge_env *env);

/* bridge_init ties b to a stream; bytes that come are kept until a socket
 * is there. */
VX6_NONNULL_ARGS(1, 2, 3, 5)
void bridge_init(struct bridge *b, struct bridge_env *env,
		 struct quic_conn *conn, int64_t stream,
		 void (*over)(void *ctx, struct bridge *b, enum bridge_end how),
		 void *ctx);

/* bridge_start takes a connected, non-blocking TCP socket and begins to
 * carry bytes.  VX6_NO_MEMORY or VX6_SYS: fd is the caller's still. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status bridge_start(struct bridge *b,
							int fd);

/* bridge_drop ends b without `over`: memory and descriptor are released,
 * the socket gets RST, the stream is not touched. */
VX6_NONNULL void bridge_drop(struct bridge *b);

/* What QUIC's events tell.  data may be NULL when len is 0. */
VX6_NONNULL_ARGS(1)
void bridge_data(struct bridge *b, const uint8_t *data, size_t len, bool fin);
VX6_NONNULL void bridge_room(struct bridge *b);
VX6_NONNULL void bridge_reset(struct bridge *b);  /* RESET or STOP came */
VX6_NONNULL void bridge_closed(struct bridge *b); /* the id is forgotten */
VX6_NONNULL void bridge_lost(struct bridge *b);   /* so is the connection */

/* bridge_rst closes a TCP socket so that its peer sees RST. */
void bridge_rst(int fd);

#endif
