/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_SAY_H
#define VX6_CONTROLPLANE_RECORD_SAY_H

/* say: how this room and registry fill struct state_why, in one line:
 *
 *     return state_say(why, VX6_CONFIG, "%s is not a directory", dir);
 */

#include "controlplane/record/state.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

/* state_say writes the sentence and returns st. */
VX6_NONNULL_ARGS(1, 3)
VX6_PRINTF(3, 4)
enum vx6_status state_say(struct state_why *why, enum vx6_status st,
			  const char *format, ...);

#endif
