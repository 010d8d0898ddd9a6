/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_CLI_ASK_H
#define VX6_CONTROLPLANE_CLI_ASK_H

/* ask: one question to vx6d, its answer or the reason why there is none.
 *
 * Every function returns CLI_OK or an exit code after saying why.  JSON
 * that comes out is the caller's to release. */

#include <jansson.h>

#include "controlplane/api/client.h"
#include "controlplane/cli/cli.h"
#include "dataplane/base/compiler.h"

#define ASK_WAIT_MS 30000 /* for an answer that needs no other node */

/* ask_open reads the configuration, if that was not done, and connects. */
VX6_MUST_CHECK VX6_NONNULL int ask_open(struct cli *cli, struct api_client *c);

/* ask_send sends a request; args is taken over and may be NULL. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 3) int ask_send(struct cli *cli,
						      struct api_client *c,
						      const char *cmd,
						      json_t *args);

/* ask_next waits for an event or an answer: either *event or *result is
 * set, the other NULL. */
VX6_MUST_CHECK VX6_NONNULL int ask_next(struct cli *cli, struct api_client *c,
					int wait_ms, json_t **event,
					json_t **result);

/* ask is all of it for a request without events. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2, 4) int ask(struct cli *cli,
						 const char *cmd, json_t *args,
						 json_t **result);

/* ask_list gets a list whole, however many pages it has: {key: [..],
 * "total": N}. */
VX6_MUST_CHECK VX6_NONNULL int ask_list(struct cli *cli, const char *cmd,
					const char *key, json_t **result);

#endif
