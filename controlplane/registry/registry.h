/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_REGISTRY_REGISTRY_H
#define VX6_CONTROLPLANE_REGISTRY_REGISTRY_H

/* registry: what this node knows about others and offers itself, in
 * STATE/registry.db (SQLite, WAL).  It survives power loss.
 *
 *     nodes     the newest record of each node, when it was first and last
 *               seen, how it was learnt; expired ones stay as hints (node
 *               ID and endpoint may be dialled, nothing else is used)
 *     services  of our own, with target and access
 *     pins      name -> node ID, once somebody chose between candidates
 *     health    of relays: the last dials and how long they took
 *
 * Room: at most limits.nodes nodes.  A full registry sheds the newest
 * (VX6_NO_ROOM), unless somebody may go for it: for a node that we only
 * heard of, an expired hint of the same kind; for one that proved itself to
 * us, also a live one that we only heard of, then an expired one that had
 * proved itself.  The longest unseen goes first; what the operator added
 * (keep) never does.  So strangers cannot flush out what we know by
 * telling us of nodes.
 *
 * Durability: pins, services and kept peers are what a person asked for:
 * synchronous=FULL, on disk when the call returns (one or two fsync, some
 * milliseconds).  Records and health come again by themselves:
 * synchronous=NORMAL, consistent after power loss but perhaps some seconds
 * old (about 0.1 ms a write; a checkpoint of some 4 MB every thousand pages).
 *
 * A disk that refuses while we run is VX6_NO_ROOM, and registry_trouble
 * says in words what it said: the node goes on with what it knows.
 *
 * One process: take state_lock first.
 * Ownership: registry_open allocates; results are copied to the caller.
 * Threads: one.  Cost: a read by ID or name takes some 10 us, 256 relays 3 ms;
 * nothing here waits for anybody but the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/name.h"
#include "controlplane/record/node.h"
#include "controlplane/record/state.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define REGISTRY_FILE        "registry.db"
#define REGISTRY_CLAIMS_MAX  8u  /* candidates of one name */
#define REGISTRY_ALLOW_MAX   64u /* node IDs in one access list */
#define REGISTRY_HEALTH_KEEP 32u /* dials remembered per relay */

struct registry;

struct registry_limits {    /* 0 takes the default in brackets */
	uint32_t nodes;     /* [4096] */
	uint32_t services;  /* [256] */
	uint32_t hint_days; /* [30] */
};

/* registry_open opens or makes dir/registry.db.  VX6_CONFIG: not a
 * database of ours, damaged, or of a newer version; VX6_SYS; with why. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_open(struct registry **r, const char *dir,
	      const struct registry_limits *limits, struct state_why *why);

/* registry_close checkpoints.  Harmless on NULL. */
void registry_close(struct registry *r);

/* registry_trouble counts refusals of the disk since the start and tells the
 * last one, or "". */
VX6_NONNULL const char *registry_trouble(const struct registry *r,
					 uint64_t *cnt);

/* What is known of the month's quota (core/quota.h).  registry_quota fills
 * zeros where nothing was kept; registry_keep_quota replaces it whole. */
struct registry_quota {
	uint64_t start_s, used, seen, instance;
};

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_quota(struct registry *r, struct registry_quota *q);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_keep_quota(struct registry *r, const struct registry_quota *q);

/* registry_sequence gives the next sequence of our own record: higher than
 * every one it gave before, also across restarts and clock changes. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_sequence(struct registry *r, uint64_t unix_ms, uint64_t *sequence);

/* ---- nodes ---- */

struct registry_node {
	uint8_t id[32];
	char name[NAME_TEXT];
	uint64_t sequence, expires;     /* unix seconds */
	uint64_t first_seen, last_seen; /* unix seconds; to a minute */
	bool relay;                     /* its record has the relay role */
	bool proved;                    /* we had a session with it */
	bool keep;                      /* added by the operator */
	size_t len;
	uint8_t bytes[NODE_RECORD_MAX]; /* the record as received */
};

/* registry_put stores the record that env (from record_open) and n (from
 * node_record_parse) describe; proved: it came from the node itself, on its
 * session.  VX6_OK: new or newer, tell others; VX6_EXISTS: the same one,
 * last_seen moved; VX6_STALE: a lower sequence, or the same with other
 * bytes; VX6_BAD_SIZE: over NODE_RECORD_MAX; VX6_NO_ROOM. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_put(struct registry *r, const struct record_env *env,
	     const struct node_record *n, bool proved, uint64_t now_s);

/* registry_proved notes that id was seen on a session.  VX6_NOT_FOUND. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_proved(struct registry *r, const uint8_t id[32], uint64_t now_s);

/* registry_find: VX6_NOT_FOUND.  Whether the record is expired is for the
 * caller to compare. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_find(struct registry *r, const uint8_t id[32],
	      struct registry_node *n);

/* registry_by_name gives every node that claims name, live ones first, then
 * by who claimed it first: all candidates, at most REGISTRY_CLAIMS_MAX.
 * More than one live is a conflict, never resolved here.  VX6_OK with
 * *cnt 0 when there is none. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_by_name(struct registry *r, const char *name, uint64_t now_s,
		 struct registry_node n[REGISTRY_CLAIMS_MAX], unsigned *cnt);

/* registry_relays calls each for live records with the relay role, last
 * seen first, at most max.  each must not call the registry. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 4) enum vx6_status
	registry_relays(struct registry *r, uint64_t now_s, unsigned max,
			void (*each)(void *ctx, const struct registry_node *n),
			void *ctx);

/* registry_nodes does so for all, hints included. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2) enum vx6_status
	registry_nodes(struct registry *r,
		       void (*each)(void *ctx, const struct registry_node *n),
		       void *ctx);

/* registry_keep marks a node as the operator's: kept for ever, dialled at
 * start.  keep false takes the mark away.  VX6_NOT_FOUND. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_keep(struct registry *r, const uint8_t id[32], bool keep);

/* registry_expire drops hints older than hint_days; *cnt says how many.
 * Call it at start and once an hour. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_expire(struct registry *r, uint64_t now_s, unsigned *cnt);

/* ---- our services ---- */

enum registry_proto { REGISTRY_TCP = 1, REGISTRY_UDP = 2 };

struct registry_service {
	char name[NAME_TEXT];
	struct vx6_addr target;
	enum registry_proto proto;
	bool is_public; /* else allow[] says who */
	uint32_t allow_cnt;
	uint8_t allow[REGISTRY_ALLOW_MAX][32];
};

/* registry_service_add: VX6_EXISTS; VX6_NO_ROOM; VX6_MALFORMED for a bad
 * name, a public service with an access list, or neither. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_service_add(struct registry *r, const struct registry_service *s);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_service_remove(struct registry *r, const char *name);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_service_find(struct registry *r, const char *name,
		      struct registry_service *s);
/* registry_services calls each in the order of names. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(1, 2) enum vx6_status
	registry_services(struct registry *r,
			  void (*each)(void *ctx,
				       const struct registry_service *s),
			  void *ctx);

/* ---- pins ---- */

VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_pin(struct registry *r, const char *name, const uint8_t id[32]);
VX6_MUST_CHECK VX6_NONNULL enum vx6_status registry_unpin(struct registry *r,
							  const char *name);
/* registry_pinned: VX6_NOT_FOUND. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_pinned(struct registry *r, const char *name, uint8_t id[32]);

/* ---- health ---- */

struct registry_dial {
	uint64_t at_ms; /* unix */
	bool ok;
	uint32_t rtt_us; /* of the handshake; 0 when it failed */
};

/* registry_dialled notes how a dial ended; the oldest beyond
 * REGISTRY_HEALTH_KEEP is forgotten.  VX6_NOT_FOUND for a node not here. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_dialled(struct registry *r, const uint8_t id[32],
		 const struct registry_dial *d);
/* registry_dials gives them, newest first. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
registry_dials(struct registry *r, const uint8_t id[32],
	       struct registry_dial d[REGISTRY_HEALTH_KEEP], unsigned *cnt);

#endif
