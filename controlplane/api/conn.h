/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_API_CONN_H
#define VX6_CONTROLPLANE_API_CONN_H

/* conn: one client of the socket, as a value that is fed bytes.
 *
 *     bytes --api_conn_feed--> lines --> requests --> the command's run()
 *     bytes <--api_conn_out---- lines <-- events and answers
 *
 *     OPEN ---- a line that is no request ----> LAST
 *       \                                         \  queue is empty
 *        +-- out of memory, or queue too long ----> DEAD
 *
 * There is no I/O here; server.c moves the bytes, tests and the fuzz target
 * feed them directly.  In LAST nothing more is read, what is queued still
 * goes out.  In DEAD the owner calls api_conn_end as soon as it is outside
 * of every call that it made into this file: never from wake().
 *
 * Ownership: the caller's struct; api_conn_end frees what is behind it.
 * Cost: one buffer of API_LINE_MAX, a queue up to options.queue_len_max. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/api/api.h"

enum api_conn_state { API_CONN_OPEN, API_CONN_LAST, API_CONN_DEAD };

struct api_conn {
	const struct api_options *opt; /* no field 0 */
	void (*wake)(void *ctx);       /* queue or state changed */
	void *wake_ctx;
	struct api_call *calls; /* running */
	char *line;             /* API_LINE_MAX */
	char *queue;
	size_t line_len, queue_len, queue_cap, queue_at;
	uint32_t call_cnt;
	enum api_conn_state state;
	bool owner; /* who asks is root or our own user */
};

/* api_conn_init; VX6_NO_MEMORY. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3) enum vx6_status
	api_conn_init(struct api_conn *c, const struct api_options *opt,
		      void (*wake)(void *ctx), void *wake_ctx);

/* api_conn_end cancels what runs and frees; c is then as good as new. */
VX6_NONNULL void api_conn_end(struct api_conn *c);

/* api_conn_feed takes any number of bytes, in order. */
VX6_NONNULL void api_conn_feed(struct api_conn *c, const char *in, size_t len);

/* api_conn_out returns what waits to be sent and its length, 0 for nothing;
 * good until the next call with this connection. */
VX6_NONNULL const char *api_conn_out(const struct api_conn *c, size_t *len);

/* api_conn_sent says that the first len bytes of it have gone. */
VX6_NONNULL void api_conn_sent(struct api_conn *c, size_t len);

/* api_conn_refuse queues one error without id and takes nothing more. */
VX6_NONNULL void api_conn_refuse(struct api_conn *c, enum api_code code,
				 const char *message, const char *hint);

/* api_options_fill replaces the zeros in opt by the defaults. */
VX6_NONNULL void api_options_fill(struct api_options *opt);

#endif
