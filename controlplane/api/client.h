/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_API_CLIENT_H
#define VX6_CONTROLPLANE_API_CLIENT_H

/* client: the asking end of RUN/vx6d.sock, blocking, one request at a time.
 *
 *     api_client_open -> api_client_ask -> api_client_next .. -> close
 *
 * Closing cancels what still runs.  Ownership: the caller's struct; JSON
 * that comes out is the caller's to release.  Threads: one. */

#include <stddef.h>

#include <jansson.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct api_client {
	int fd; /* -1: not open */
	json_int_t id;
	char *buf;
	size_t len, cap, at; /* of buf: filled, allocated, already read */
};

/* api_client_open connects.  VX6_UNREACHABLE: nobody is there; VX6_DENIED:
 * the socket is not for us; VX6_MALFORMED: path is over 107 bytes; VX6_SYS
 * with errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status api_client_open(struct api_client *c,
							   const char *path);

VX6_NONNULL void api_client_close(struct api_client *c);

/* api_client_ask sends one request; args, an object with the arguments, is
 * taken over and may be NULL.  VX6_CLOSED: the other end went away. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2) enum vx6_status
	api_client_ask(struct api_client *c, const char *cmd, json_t *args);

/* api_client_next waits for the next event or answer to that request, at
 * most wait_ms (-1: for ever).  VX6_EXPIRED: nothing came in time;
 * VX6_CLOSED; VX6_MALFORMED: not what API.md describes.  A refusal of the
 * connection as a whole (its id is null) counts as the answer. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
api_client_next(struct api_client *c, int wait_ms, json_t **msg);

#endif
