/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_SERVICE_MUX_OWN_H
#define VX6_CONTROLPLANE_SERVICE_MUX_OWN_H

/* mux_own: what mux.c (tables, QUIC's events) and open.c (the dialogue at
 * the head of a stream) share.  Nobody else includes it.
 *
 *   client  QUEUED --stream id--> ASKED ------OPEN_OK----+
 *                                                        v
 *   owner   OPENING ---OPEN---> CONNECTING --connected-> OPEN --> freed
 *
 * Any state ends in `freed` by refusal, reset, deadline or loss. */

#include <sys/queue.h>

#include "controlplane/service/bridge.h"
#include "controlplane/service/mux.h"

#define MUX_BUCKETS 64u

enum stream_state {
	STREAM_QUEUED,
	STREAM_ASKED,
	STREAM_OPENING,
	STREAM_CONNECTING,
	STREAM_OPEN
};

TAILQ_HEAD(stream_list, mux_stream);

struct mux_stream {
	TAILQ_ENTRY(mux_stream) at;
	struct stream_list *in;
	struct mux_hub *hub;
	struct mux *mux; /* NULL: the connection is gone, bytes drain */
	enum stream_state state;
	int64_t id;
	/* until OPEN; from then on the bridge has them */
	int fd;
	struct loop_fd *watch;
	struct loop_timer deadline;
	mux_result_fn result;
	void *ctx;
	char name[NAME_TEXT];
	uint8_t head[MSG_HEAD_LEN + MSG_OPEN_MAX];
	size_t got;
	struct bridge bridge;
};

struct mux {
	TAILQ_ENTRY(mux) at;
	struct mux_hub *hub;
	struct quic_conn *conn; /* NULL: gone */
	uint32_t streams;       /* in all states */
	uint32_t queued;
	struct stream_list bucket[MUX_BUCKETS]; /* by id */
	struct stream_list queue;               /* STREAM_QUEUED, in order */
	struct loop_timer retry;                /* of the queue */
	struct mux_stats stats;
};

TAILQ_HEAD(mux_list, mux);

struct mux_hub {
	struct loop *loop;
	struct mux_limits limits;
	struct mux_hooks hooks;
	struct bridge_env env;
	struct mux_list muxes;
	struct stream_list orphans; /* of connections that are gone */
	struct mux_stats stats;
};

/* stream_new makes a stream, or NULL at a limit (or without memory). */
VX6_NONNULL struct mux_stream *stream_new(struct mux *mux,
					  enum stream_state state);
/* mux_insert tells s its id and puts it into the table. */
VX6_NONNULL void mux_insert(struct mux_stream *s, int64_t id);
VX6_NONNULL void stream_put(struct mux_stream *s, struct stream_list *in);
VX6_NONNULL void stream_set_state(struct mux_stream *s,
				  enum stream_state state);

/* stream_free forgets s; a socket it still has gets RST.  QUIC's stream is
 * not touched. */
VX6_NONNULL void stream_free(struct mux_stream *s);

/* mux_refused counts. */
VX6_NONNULL void mux_refused(struct mux *mux, enum mux_refusal why);

/* mux_abort resets both directions of a stream. */
VX6_NONNULL void mux_abort(struct mux *mux, int64_t id, enum mux_code code);

/* ---- open.c ---- */

/* mux_queue_try gives stream ids to queued connects while there are any. */
VX6_NONNULL void mux_queue_try(struct mux *mux);

/* mux_answer_fail answers OPEN_FAIL on a stream that has no mux_stream. */
VX6_NONNULL void mux_answer_fail(struct mux *mux, int64_t id,
				 enum msg_open_code code);

/* open_data takes bytes for a stream that is not OPEN yet; open_end is for
 * one that was reset, lost, or forgotten meanwhile: s is freed. */
VX6_NONNULL_ARGS(1)
void open_data(struct mux_stream *s, const uint8_t *data, size_t len, bool fin);
VX6_NONNULL void open_end(struct mux_stream *s);

/* open_begin readies a stream that the peer opened. */
VX6_NONNULL void open_begin(struct mux_stream *s);

#endif
