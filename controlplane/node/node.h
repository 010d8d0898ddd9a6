/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_NODE_NODE_H
#define VX6_CONTROLPLANE_NODE_NODE_H

/* node: one VX6 node's control plane, where the rooms meet.
 *
 *     api/ --commands--> node <--events-- session/quic   (node.c)
 *                          |
 *        peer     sessions, HELLO, records, links         (peer.c, link.c)
 *        relay    circuits of others through or to here   (relay.c)
 *        circuit  circuits that we chose                  (circuit.c)
 *        chan     what is said inside a circuit           (chan.c)
 *        tunnel   QUIC between a client and an owner      (tunnel.c)
 *        connect  local ports and the tunnels they need   (connect.c)
 *        rehome   sessions when an address is another     (rehome.c)
 *        plane    where links and cells are               (plane.h)
 *        records  what nodes say of themselves, we too    (records.c)
 *        adopt    what an earlier vx6d left in the plane  (adopt.c)
 *        compare  circuits after a lost session           (compare.c)
 *        budget   what relaying may take, in a month too  (budget.c)
 *        upkeep   what the registry wants in between      (upkeep.c)
 *
 * The state machines are in core/; here are their sockets, timers and
 * memory.  Everything runs on the loop's thread; public-key work of CREATE
 * goes to the thread pool and comes back as an event.
 *
 * Ownership: struct node owns all of it.  Objects that others may hold on
 * to (peers) are counted; the rest is freed by whoever made it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/core/admit.h"
#include "controlplane/core/ids.h"
#include "controlplane/core/prefixes.h"
#include "controlplane/loop/loop.h"
#include "controlplane/loop/loop_udp.h"
#include "controlplane/node/budget.h"
#include "controlplane/node/interfaces.h"
#include "controlplane/node/plane.h"
#include "controlplane/node/upkeep.h"
#include "controlplane/record/identity.h"
#include "controlplane/record/node.h"
#include "controlplane/record/onion.h"
#include "controlplane/registry/registry.h"
#include "controlplane/service/access.h"
#include "controlplane/service/mux.h"
#include "controlplane/session/quic.h"
#include "dataplane/base/rand.h"
#include "dataplane/wire/msg.h"

struct peer;
struct relay_circ;
struct circuit;
struct tunnel;
struct forward_job;
struct api_server;

#define NODE_PREFIX_SETS 128u /* of buckets, for each of what is counted */

enum node_id_use {
	NODE_ID_CIRCUIT = 1,
	NODE_ID_RELAY_FORWARD,
	NODE_ID_RELAY_BACKWARD
};

/* First in what is freed when the loop's turn is over: a callback deeper in
 * the stack may still look at it. */
struct node_grave {
	struct node_grave *next;
};

struct node_stats {
	uint64_t udp_strange; /* datagrams that are neither QUIC nor cells */
	uint64_t quic_drop[VX6_STATUS_CNT];
	uint64_t create_in, create_ok, create_refused;
	uint64_t create_fail[VX6_FAIL_CNT]; /* by enum vx6_fail */
	uint64_t create_over_session;       /* of RATE: its bucket was empty */
	uint64_t circuits_built, circuits_failed;
	uint64_t cell_drop[VX6_STATUS_CNT]; /* of circuits that end here */
	uint64_t control_in, control_out;
	uint64_t records_in, records_refused;
	uint64_t moves;
};

struct node {
	struct loop *loop;
	struct config cfg;
	struct identity id;
	struct onion *onion;
	struct admit admit; /* CREATEs on the thread pool */
	struct admit_one *admit_one;
	struct registry *reg;
	struct quic_endpoint *quic;
	struct loop_udp *udp[CONFIG_LISTEN_MAX];
	struct vx6_addr listen[CONFIG_LISTEN_MAX]; /* as bound */
	unsigned udp_cnt;
	struct plane *plane;
	struct api_server *api;
	struct mux_hub *hub;
	struct access_table access; /* our services */
	struct node_service {
		char name[NAME_TEXT];
		uint64_t served, refused; /* OPENs since start */
	} *service; /* limits.services; counts outlive changes of the table */
	struct vx6_rand rnd;

	struct ids ids;   /* circuit ids told to neighbours */
	struct ids chans; /* channels, for pseudo-addresses */
	struct ids_slot *id_slot, *chan_slot;
	uint32_t chan_serial;
	struct peer **link; /* by our index */

	struct peer *peers;
	struct relay_circ *relays;
	struct circuit *circuits;
	struct tunnel *tunnels;
	struct forward_job *forwards;
	uint32_t relay_cnt, end_cnt, circuit_cnt, next_n;
	uint32_t compare_n; /* of the last list of circuits that came */

	struct loop_timer quic_timer, record_timer, sweep_timer;
	struct interfaces interfaces;
	struct node_endpoint endpoint[NODE_ENDPOINTS_MAX]; /* in our record */
	uint8_t endpoint_cnt;
	uint8_t record[NODE_RECORD_MAX];
	size_t record_len;
	uint64_t sequence, expires_s; /* of our record */
	uint64_t start_ns, start_s;
	struct node_grave *graves;
	bool closing;
	bool handover; /* relayed circuits are the next vx6d's */
	bool in_plane; /* state callback: links are being torn down */
	bool adopted;  /* the plane was up once: no earlier life's any more */
	int lock_fd;
	char dp_path[CONFIG_PATH_TEXT + 32];
	uint8_t via[NODE_VIA_MAX][32]; /* in the record now */
	unsigned via_cnt;
	/* what comes from one prefix: handshakes, CREATEs, those of relays */
	struct prefixes shakes, creates, relay_creates;
	struct prefixes_one prefix[3][NODE_PREFIX_SETS * PREFIXES_WAYS];
	struct node_stats stats;
	struct budget budget;
	struct upkeep upkeep;
};

struct node_options {
	struct config cfg; /* with directories filled in */
};

/* node_open starts everything; the loop must then be run.  On failure why
 * says in one sentence what to do, and nothing is left behind. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
node_open(struct node **n, struct loop *loop, const struct node_options *opt,
	  struct state_why *why);

/* node_hand_over says that node_close leaves the circuits that go through
 * this node, and their links, where they are: in the data plane, for the
 * next vx6d.  Neighbours are told nothing of them. */
VX6_NONNULL void node_hand_over(struct node *n);

/* node_close tells peers, drains what is queued and frees all. */
VX6_NONNULL void node_close(struct node *n);

/* node_prepare does what a turn of the loop left to do: packets and cells
 * out, timers, memory.  Call it from the loop's prepare hook. */
VX6_NONNULL void node_prepare(struct node *n);

/* node_rehome moves or makes again what goes over an address that this host
 * has no more, and where links are concerned, asks anew when one came or
 * went. */
VX6_NONNULL void node_rehome(struct node *n, bool addresses);

/* node_records_open readies the timer that makes our record anew;
 * node_interfaces_changed (ctx: the node) looks whether it should tell other
 * addresses. */
VX6_NONNULL void node_records_open(struct node *n);
VX6_NONNULL void node_interfaces_changed(void *ctx, bool addresses);

/* node_is_relay: takes part in other nodes' circuits now. */
VX6_NONNULL bool node_is_relay(const struct node *n);

/* node_publish signs a fresh record and tells it to every session. */
VX6_NONNULL void node_publish(struct node *n);

/* node_learn takes a record that came over a session or from the operator:
 * verifies and stores it, and passes news on to other sessions.  from and
 * rec may be NULL; rec is filled where it verifies.  VX6_OK: news;
 * VX6_EXISTS: known, or our own; VX6_STALE: an older one; else as record_open,
 * node_record_parse and registry_put say. */
VX6_NONNULL_ARGS(1, 3)
enum vx6_status node_learn(struct node *n, const struct peer *from,
			   const uint8_t *bytes, size_t len,
			   struct node_record *rec);

/* node_record finds the live record of id.  VX6_NOT_FOUND, VX6_EXPIRED: only
 * a hint is known (rec is filled, but only id and endpoints may be used). */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
node_record(struct node *n, const uint8_t id[32], struct node_record *rec);

/* node_services_changed reads our services again; node_service_gone forgets
 * the counters of one that was removed. */
VX6_NONNULL void node_services_changed(struct node *n);
VX6_NONNULL void node_service_gone(struct node *n, const char *name);

/* node_authorise is mux_hooks.authorise; ctx is the node. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
node_authorise(void *ctx, struct quic_conn *c, const char *name,
	       enum msg_proto proto, struct vx6_addr *target);

/* node_label is a node's name where one is known, else its ID; out must hold
 * VX6_ID_TEXT.  Returns out. */
VX6_NONNULL const char *node_label(struct node *n, const uint8_t id[32],
				   char out[VX6_ID_TEXT]);

/* node_bury frees what begins with g when this turn is over. */
VX6_NONNULL void node_bury(struct node *n, struct node_grave *g);

/* node_route tells which local address reaches `to` from the control port.
 * False: there is no route. */
VX6_MUST_CHECK VX6_NONNULL bool node_route(const struct node *n,
					   const struct vx6_addr *to,
					   struct vx6_addr *local);

/* node_via_changed looks whether our record should name other relays. */
VX6_NONNULL void node_via_changed(struct node *n);

/* node_suite_name is a suite's word in the API. */
const char *node_suite_name(unsigned suite);

/* node_wall is the wall clock in seconds. */
uint32_t node_wall(void);

#endif
