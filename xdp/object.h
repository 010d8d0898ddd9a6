/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_XDP_OBJECT_H
#define VX6_XDP_OBJECT_H

/* object: the classifier as this binary carries it, opened with its maps.
 *
 * The compiled classifier.bpf.c is part of the program: no file is read at
 * run time.  Every interface has an object of its own, because a program
 * that libxdp puts behind its dispatcher can be in one place only; what
 * belongs to the whole data plane is taken over from the first.
 *
 *     object_open    parsed, nothing in the kernel yet
 *     object_load    as a plain XDP program; or libxdp loads it
 *     object_map     afterwards: its maps
 *
 * Ownership: the caller ends each with bpf_object__close.  Threads: one.
 * All return 0 or an errno. */

#include <bpf/libbpf.h>
#include <stdint.h>

#include "dataplane/base/compiler.h"
#include "xdp/abi.h"

#define OBJECT_PROGRAM "vx6_classify"
#define OBJECT_SECTION "xdp"

/* object_silence keeps libbpf and libxdp from writing to stderr: what is to
 * be said of their errors is said in xdp.h's sentences. */
void object_silence(void);

/* object_open.  shared: an object that is loaded, whose vx6_config,
 * vx6_local, vx6_link and vx6_chance this one uses too; NULL: it has its own,
 * with room for so many links. */
VX6_MUST_CHECK int object_open(struct bpf_object **out,
			       const struct bpf_object *shared, uint32_t links);

/* object_load lets the kernel check and take it. */
VX6_MUST_CHECK VX6_NONNULL int object_load(struct bpf_object *o);

/* object_map is a map's descriptor, -1 before it was loaded; the object's. */
VX6_MUST_CHECK VX6_NONNULL int object_map(const struct bpf_object *o,
					  const char *name);

/* object_configure fills vx6_config. */
VX6_MUST_CHECK VX6_NONNULL int object_configure(const struct bpf_object *o,
						const struct vx6_xdp_config *c);

#endif
