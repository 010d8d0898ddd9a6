/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_LOOP_APP_H
#define VX6_TESTS_SUPPORT_LOOP_APP_H

/* loop_app: a program with one TCP connection, as a test wants it: it
 * sends so many bytes of a pattern, checks what comes against the other
 * pattern, ends in this way or that.
 *
 * loop_target: a listening program whose connections are loop_apps. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/loop/loop.h"
#include "dataplane/base/addr.h"

struct app_script {
	uint64_t send; /* bytes */
	bool fin;      /* shutdown(SHUT_WR) after them */
	bool wait_fin; /* send only after the peer's end was seen */
	bool deaf;     /* read nothing until app_listen */
};

struct loop_app {
	struct loop *loop;
	int fd; /* -1: closed */
	struct loop_fd *watch;
	struct app_script script;
	uint8_t tag; /* which pattern it sends; expects tag ^ 0x80 */
	uint64_t sent, got;
	bool fin_sent, got_fin, got_rst;
	bool wrong; /* other bytes than expected */
};

/* app_connect connects to at. */
void app_connect(struct loop_app *a, struct loop *l, const struct vx6_addr *at,
		 uint8_t tag, const struct app_script *script);

/* app_listen ends deafness; app_more adds bytes to send. */
void app_listen(struct loop_app *a);
void app_more(struct loop_app *a, uint64_t bytes, bool fin);

/* app_rst ends with RST, app_close in the ordinary way. */
void app_rst(struct loop_app *a);
void app_close(struct loop_app *a);

/* app_over: both ends said FIN, or RST came. */
bool app_over(const struct loop_app *a);

#define TARGET_APPS 256u

struct loop_target {
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	struct vx6_addr at;
	struct app_script script; /* of each connection */
	unsigned cnt;
	struct loop_app app[TARGET_APPS];
};

void target_open(struct loop_target *t, struct loop *l,
		 const struct app_script *script);
void target_close(struct loop_target *t);

#endif
