/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_DPJSON_H
#define VX6_CONTROLPLANE_NODE_DPJSON_H

/* dpjson: what the data plane says of itself, as the local socket's JSON
 * (controlplane/api/API.md). */

#include <jansson.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"

/* dpjson_drops: the reasons that occurred, by name. */
VX6_NONNULL json_t *dpjson_drops(const uint64_t drop[VX6_STATUS_CNT]);

/* dpjson_backend adds to o what carries the cells: "backend", "asked",
 * "why" (null: all is as asked) and "interfaces". */
VX6_NONNULL void dpjson_backend(json_t *o, const struct abi_stats *s);

/* dpjson_stats is all counters. */
VX6_NONNULL json_t *dpjson_stats(const struct abi_stats *s);

/* dpjson_workers is where each worker is, and what it did. */
VX6_NONNULL json_t *dpjson_workers(const struct abi_worker w[], unsigned cnt);

#endif
