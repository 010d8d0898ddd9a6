/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SERVICE_MUX_H
#define VX6_CONTROLPLANE_SERVICE_MUX_H

/* mux: the service streams of one tunnel, at either end.
 *
 *     client                                   owner
 *     mux_connect(fd)                          stream_open
 *        | OPEN {name, tcp}  ----------------->  | authorise
 *        |                                       | connect the target
 *        | <--------------- OPEN_OK or OPEN_FAIL |
 *     bridge(fd, stream) <--- bytes --->  bridge(stream, target)
 *
 * Each forwarded connection is one bidirectional stream that begins with
 * OPEN and its answer (PROTOCOL.md section 6a), and is a bridge (bridge.h)
 * from then on.  What the local program sends before the answer stays in
 * its socket.
 *
 * "No such service" and "not allowed" are one answer, OPEN_FAIL 1, given at
 * the same moment; whether there is room is asked before either.  Anything
 * but an OPEN at the head of a stream closes the whole tunnel.
 *
 * The owner of a tunnel's QUIC connection passes its stream events on, and
 * in `closed` calls mux_gone.
 *
 * Ownership: a hub owns limits, memory and counters of all tunnels; a mux
 * is the hub's, made for one connection and freed by mux_gone.
 * Threads: the loop's.  Limits: struct mux_limits; who comes over one is
 * answered OPEN_FAIL 4 or VX6_NO_ROOM, and counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "controlplane/record/message.h"
#include "controlplane/session/quic.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct mux_hub;
struct mux;

/* Application error codes on the wire; any of them means RST. */
enum mux_code {
	MUX_CODE_RST = 1,      /* a TCP connection was reset */
	MUX_CODE_BAD_OPEN = 2, /* no OPEN at the head of a stream */
	MUX_CODE_TIME = 3      /* no OPEN, or no answer, in time */
};

struct mux_limits {         /* 0 takes the default in brackets */
	uint32_t streams;   /* [256] of one tunnel */
	uint32_t total;     /* [4096] of all tunnels */
	uint32_t waiting;   /* [64] connects of one tunnel that wait until
				the peer allows another stream */
	uint64_t target_ns; /* [5 s] to connect a target */
	uint64_t open_ns;   /* [10 s] until OPEN is whole */
	uint64_t answer_ns; /* [15 s] until OPEN is answered */
	size_t buffer;      /* [4 MiB] of one stream; not less than the
				endpoint's stream_window */
};

struct mux_hooks {
	/* authorise is asked at every OPEN: may c's peer open name?  VX6_OK
	 * with the target's address, or anything else for "no".  It does the
	 * same work for every "no" (access_find does).  NULL: this end
	 * offers nothing. */
	enum vx6_status (*authorise)(void *ctx, struct quic_conn *c,
				     const char *name, enum msg_proto proto,
				     struct vx6_addr *target);
	void *ctx;
};

/* Why streams ended before they carried bytes. */
enum mux_refusal {
	MUX_REFUSED_DENIED, /* not allowed, or no such service: OPEN_FAIL 1 */
	MUX_REFUSED_TARGET, /* target refused or silent: OPEN_FAIL 3 */
	MUX_REFUSED_BUSY,   /* a limit: OPEN_FAIL 4, or here */
	MUX_REFUSED_TIME,   /* open_ns or answer_ns passed */
	MUX_REFUSED_BAD,    /* no OPEN, or no answer, but other bytes */
	MUX_REFUSED_GONE,   /* reset, or the connection was lost, before */
	MUX_REFUSED_CNT
};

struct mux_stats {
	uint32_t open;    /* streams carrying bytes now */
	uint32_t opening; /* in the OPEN dialogue, or waiting for a stream */
	uint64_t opened;  /* ever, both roles */
	uint64_t closed;  /* FIN both ways */
	uint64_t reset;   /* opened, and ended by RST from either side */
	uint64_t refused[MUX_REFUSED_CNT];
	uint64_t up_bytes, down_bytes; /* sockets to streams, and back */
	uint64_t buffered;             /* bytes held for slow readers */
};

/* mux_refusal_name: "denied", "target", ..; static, for counters. */
const char *mux_refusal_name(enum mux_refusal why);

/* mux_hub_open: VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
mux_hub_open(struct mux_hub **hub, struct loop *l,
	     const struct mux_limits *limits, const struct mux_hooks *hooks);

/* mux_hub_close ends every stream with RST, each mux as by mux_gone, and
 * frees the hub.  NULL: nothing. */
void mux_hub_close(struct mux_hub *hub);
VX6_NONNULL void mux_hub_stats(const struct mux_hub *hub, struct mux_stats *s);

/* mux_open makes the mux of a connection that is ready.  VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
mux_open(struct mux_hub *hub, struct quic_conn *c, struct mux **mux);

/* mux_gone says that the connection is closed: sockets get RST (but those
 * whose streams were complete get the rest of their bytes), results that
 * are due come as VX6_CLOSED, and mux is freed. */
VX6_NONNULL void mux_gone(struct mux *mux);

VX6_NONNULL void mux_stats(const struct mux *mux, struct mux_stats *s);

/* How mux_connect went, told once:
 *   VX6_OK           bytes flow
 *   VX6_DENIED       no such service, or not allowed
 *   VX6_UNREACHABLE  the target refuses, or does not answer its owner
 *   VX6_NO_ROOM      the owner, or the peer's stream limit, is full
 *   VX6_EXPIRED      no answer in time
 *   VX6_MALFORMED    the answer was none
 *   VX6_CLOSED       stream or connection was lost, or the local program
 *                    left
 * But for VX6_OK the socket was closed with RST. */
typedef void (*mux_result_fn)(void *ctx, enum vx6_status how);

/* mux_connect opens service `name` for an accepted, non-blocking socket,
 * which the mux owns when it returns VX6_OK.  result (may be NULL) never
 * comes from inside mux_connect.  VX6_NO_ROOM at a limit, VX6_NO_MEMORY,
 * VX6_MALFORMED for a name that is none, VX6_SYS for a socket that is
 * none, VX6_CLOSED inside mux_gone: fd is the caller's still. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 3) enum vx6_status
	mux_connect(struct mux *mux, int fd, const char *name,
		    mux_result_fn result, void *ctx);

/* mux_probe opens service `name`, hears the answer, and resets the stream
 * with nothing sent: whether mux_connect would work.  result as there. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3) enum vx6_status
	mux_probe(struct mux *mux, const char *name, mux_result_fn result,
		  void *ctx);

/* What QUIC's events tell, one to one. */
VX6_NONNULL void mux_stream_open(struct mux *mux, int64_t stream);
VX6_NONNULL_ARGS(1)
void mux_stream_data(struct mux *mux, int64_t stream, const uint8_t *data,
		     size_t len, bool fin);
VX6_NONNULL void mux_stream_room(struct mux *mux, int64_t stream);
VX6_NONNULL void mux_stream_reset(struct mux *mux, int64_t stream);
VX6_NONNULL void mux_stream_stop(struct mux *mux, int64_t stream);
VX6_NONNULL void mux_stream_closed(struct mux *mux, int64_t stream);

#endif
