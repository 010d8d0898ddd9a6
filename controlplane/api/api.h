/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_API_API_H
#define VX6_CONTROLPLANE_API_API_H

/* api: the socket on which vx6d is asked, RUN/vx6d.sock.
 *
 *     client                              server
 *       {"id":1,"cmd":"connect",..}  -->    command's run()
 *       {"id":1,"event":"hop",..}    <--    api_event()   any number
 *       {"id":1,"ok":true,..}        <--    api_done()    exactly one of
 *       {"id":1,"ok":false,..}       <--    api_fail()    these two
 *       (closes)                     -->    the call's cancel()
 *
 * One JSON object a line, both ways; API.md beside this file describes
 * every command.  Several requests of one connection run at once, and
 * answers carry the request's id.
 *
 * Who may ask: root, the user that the server runs as, and members of
 * options.group, as SO_PEERCRED tells; anybody else reads one line that
 * says so.  The socket is 0660 and of that group where it exists.
 *
 * What this does not do: know any command.  The owner brings a table.
 *
 * Ownership: a call is the server's.  It is good until api_done, api_fail
 * or its cancel() returned, whichever is first; each of them ends it, and
 * after that the owner forgets the pointer.  JSON given to api_event and
 * api_done is taken over, also when it cannot be sent any more.
 *
 * Limits: struct api_options.  A line that is too long or not JSON ends the
 * connection with a sentence, and so does a client that does not read what
 * it asked for.  Threads: the loop's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct loop;
struct api_server;
struct api_call;

#define API_LINE_MAX 65536u /* bytes of one request, its newline included */

/* Why a request failed; the numbers are the CLI's exit codes. */
enum api_code {
	API_FAILED = 1,      /* tried, and it did not work */
	API_USAGE = 2,       /* the request makes no sense */
	API_UNREACHABLE = 3, /* somebody who is needed does not answer */
	API_DENIED = 4       /* not allowed */
};

/* run answers, now or later, by exactly one api_done or api_fail.  args is
 * the whole request object and lives as long as the call. */
struct api_command {
	const char *name; /* "peer.list" */
	void (*run)(void *ctx, struct api_call *call, const json_t *args);
};

struct api_options {
	const char *path;                   /* of the socket */
	const char *group;                  /* "vx6"; NULL: nobody's */
	const struct api_command *commands; /* static */
	size_t command_cnt;
	void *ctx;            /* handed to every run() */
	uint32_t clients;     /* [64] connections; 0 takes the default */
	uint32_t calls;       /* [64] running calls of a connection */
	size_t queue_len_max; /* [8 MiB] bytes waiting for a slow reader */
};

/* api_open listens.  A socket file that nobody answers on is replaced.
 * VX6_EXISTS: a living server answers there; VX6_NO_MEMORY; VX6_SYS with
 * errno. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
api_open(struct loop *loop, const struct api_options *opt,
	 struct api_server **server);

/* api_close cancels every call, closes every connection after handing the
 * kernel what was queued, and removes the socket file. */
VX6_NONNULL void api_close(struct api_server *server);

/* api_args takes the arguments apart, by jansson's json_unpack format:
 *
 *     if (!api_args(call, args, "{s:s, s?b}", "name", &name, "public", &p))
 *             return;
 *
 * False: they do not fit, the call has been failed with API_USAGE. */
VX6_MUST_CHECK bool api_args(struct api_call *call, const json_t *args,
			     const char *fmt, ...);

/* api_event sends {"id":.., "event":kind} and the members of more, which is
 * taken over and may be NULL. */
VX6_NONNULL_ARGS(1, 2)
void api_event(struct api_call *call, const char *kind, json_t *more);

/* api_done ends a call with a result; NULL is {}. */
VX6_NONNULL_ARGS(1) void api_done(struct api_call *call, json_t *result);

/* api_fail ends a call.  The message is one sentence on what happened, hint
 * one on what to do next ("" where there is nothing to do); both begin with
 * a small letter and have no full stop. */
VX6_NONNULL VX6_PRINTF(4, 5) void api_fail(struct api_call *call,
					   enum api_code code, const char *hint,
					   const char *fmt, ...);

/* api_on_cancel names who is told when the client went away before the call
 * was answered; without it the call just ends and a later api_done would be
 * a use after free, so every run() that answers later must name one. */
VX6_NONNULL_ARGS(1, 2)
void api_on_cancel(struct api_call *call,
		   void (*cancel)(void *user, struct api_call *call),
		   void *user);

/* api_user returns what api_on_cancel was given. */
VX6_NONNULL void *api_user(const struct api_call *call);

/* api_from_owner: root or the server's own user asks, not just a member of
 * the group. */
VX6_NONNULL bool api_from_owner(const struct api_call *call);

/* api_code_name returns "failed", "usage", "unreachable" or "denied". */
const char *api_code_name(enum api_code code);

/* api_code_of reads such a name; API_FAILED for any other. */
VX6_NONNULL enum api_code api_code_of(const char *name);

#endif
