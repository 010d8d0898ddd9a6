/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_PLANE_H
#define VX6_CONTROLPLANE_NODE_PLANE_H

/* plane: where this node's links and cells are, in one of two forms.
 *
 *   own  (plane_own.c)  no data plane on this node: vx6d holds the links
 *                       itself and sends and receives cells on its control
 *                       port.  Only circuits that begin or end here.
 *   dp   (plane_dp.c)   vx6-dataplane holds them; commands go over its
 *                       socket, cells of local half-circuits over the
 *                       shared ring.
 *
 * The rest of vx6d sees one interface and does not ask which.  Adds are
 * answered later, once, by their `done` (in the own form before the call
 * returns); when the data plane is lost, every add that is still waiting is
 * answered with VX6_CLOSED.
 *
 * Ownership: the plane copies what it is given and wipes keys when they
 * have been handed on.  Threads: the loop's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "dataplane/abi/abi.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

struct adopt;
struct loop;
struct plane;

struct plane_events {
	/* cell: one for a LOCAL half-circuit; its header is in clear and
	 * parsed well, p may be changed, size is the whole datagram's. */
	void (*cell)(void *ctx, uint32_t id, uint8_t *p, size_t size);
	/* control: P of a kind-2 cell for us as a relay of circuit id. */
	void (*control)(void *ctx, uint32_t id, const uint8_t *body,
			size_t len);
	void (*link)(void *ctx, uint32_t index, unsigned events);
	void (*half)(void *ctx, uint32_t id, enum abi_half_event event);
	/* up: links may be added now.  found, NULL in the own form, is what
	 * the data plane has installed already; rows whose verdict is not
	 * ADOPT_KEEP when this returns are taken out.  Otherwise: all links
	 * and circuits of this node are dead; found is NULL. */
	void (*state)(void *ctx, bool up, struct adopt *found);
};

typedef void plane_done(void *ctx, enum vx6_status st);

struct plane_link_info {   /* as the dump or our own table says */
	uint8_t state;     /* enum vx6_link_state */
	uint16_t u_proved; /* largest datagram that got through; 0: none yet */
	struct vx6_addr addr;
	uint64_t srtt_ns;
	uint64_t cells_in, cells_out, bytes_in, bytes_out;
};

struct plane_half_info {
	uint64_t cells, bytes, dropped;
};

struct plane_ops {
	enum vx6_status (*link_add)(struct plane *p, const struct abi_link *l,
				    plane_done *done, void *ctx);
	void (*link_remove)(struct plane *p, uint32_t index);
	/* link_afresh: an address of ours is another one, so the link's
	 * peer shall see at once where we are now. */
	void (*link_afresh)(struct plane *p, uint32_t index);
	enum vx6_status (*half_add)(struct plane *p, const struct abi_half *h,
				    plane_done *done, void *ctx);
	void (*half_remove)(struct plane *p, uint32_t id);
	enum vx6_status (*inject)(struct plane *p, uint32_t id,
				  const uint8_t *body, size_t len);
	enum vx6_status (*send)(struct plane *p, uint32_t link, uint32_t circ,
				uint16_t cell_size, const uint8_t *h8,
				size_t len);
	void (*flush)(struct plane *p);
	bool (*link_info)(struct plane *p, uint32_t index,
			  struct plane_link_info *info);
	bool (*half_info)(struct plane *p, uint32_t id,
			  struct plane_half_info *info);
	/* refresh: what link_info and half_info say is as of `done`. */
	enum vx6_status (*refresh)(struct plane *p, plane_done *done,
				   void *ctx);
	void (*close)(struct plane *p);
};

struct plane {
	const struct plane_ops *ops;
	struct plane_events ev;
	void *ctx;
	bool up;                /* links may be added */
	bool coming;            /* not up yet, but nothing says it is away */
	bool relays;            /* FORWARD and BACKWARD halves are possible */
	struct vx6_addr listen; /* where cells arrive; ip may be any */
	uint16_t u_v4, u_v6;    /* largest UDP payload */
	uint32_t halves_max, links_max;
	uint64_t instance; /* another in each life of the data plane */
	uint64_t dropped[VX6_STATUS_CNT]; /* by us, of local cells */
};

/* plane_u is the largest UDP payload towards addr. */
VX6_NONNULL static inline uint16_t plane_u(const struct plane *p,
					   const struct vx6_addr *addr)
{
	return vx6_addr_is_v4(addr) ? p->u_v4 : p->u_v6;
}

/* ---- own ---- */

struct plane_own_options {
	struct plane_events events;
	void *ctx;
	struct loop *loop;
	/* send: as struct quic_events.send, for cells; false = dropped. */
	bool (*send)(void *ctx, const struct vx6_addr *to, const uint8_t *data,
		     size_t len, size_t segment);
	struct vx6_addr listen;
	uint32_t links_max, halves_max;
	uint16_t mtu; /* of the links below IP, 1500 */
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
plane_own_open(struct plane **p, const struct plane_own_options *opt);

/* plane_own_input takes a datagram that is no QUIC packet (first byte 1). */
VX6_NONNULL void plane_own_input(struct plane *p, const struct vx6_addr *from,
				 uint8_t *data, size_t len, uint64_t now_ns);

/* ---- dp ---- */

struct plane_dp_options {
	struct plane_events events;
	void *ctx;
	struct loop *loop;
	const char *path;         /* of dataplane.sock */
	struct abi_limits limits; /* on what is relayed */
};

/* plane_dp_open returns at once; `state` tells when the data plane is
 * there, and it is looked for again whenever it went. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
plane_dp_open(struct plane **p, const struct plane_dp_options *opt);

/* plane_dp_stats asks for the data plane's counters. VX6_UNREACHABLE when
 * it is not there. */
typedef void plane_stats(void *ctx, const struct abi_stats *stats);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
plane_dp_stats(struct plane *p, plane_stats *done, void *ctx);

/* plane_dp_workers is what each worker said with the counters, in order;
 * NULL never.  For a plane_stats, before it returns. */
VX6_MUST_CHECK VX6_NONNULL const struct abi_worker *
plane_dp_workers(const struct plane *p, unsigned *cnt);

/* plane_dp_budget asks what relaying came to since the data plane started,
 * NULL: it was lost meanwhile.  VX6_UNREACHABLE when it is not there. */
typedef void plane_budget(void *ctx, const struct abi_budget *b);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
plane_dp_budget(struct plane *p, plane_budget *done, void *ctx);

#endif
