/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONTROLPLANE_RECORD_NODE_H
#define VX6_CONTROLPLANE_RECORD_NODE_H

/* node: the record in which a node says who and where it is (node.cddl).
 *
 * A node without endpoints is reached by its `via` relays only; one without
 * onion key ends and forwards no circuit.  Ports and addresses are claims:
 * only a session proves that the node is there, and vx6_addr_is_private
 * addresses of strangers are not dialled.
 *
 * Ownership: struct node_record is the caller's and holds no pointer.
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/name.h"
#include "controlplane/record/record.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"

#define NODE_RECORD_MAX    2048u
#define NODE_ENDPOINTS_MAX 8u
#define NODE_VIA_MAX       3u
#define NODE_SOFTWARE_TEXT 32u  /* with NUL; printable ASCII */
#define NODE_OWNER_MAX     256u /* bytes of an owner certificate */
#define NODE_LIFE_S        1200u

enum node_role { NODE_ROLE_RELAY = 1 }; /* bits; unknown ones are ignored */
enum node_transport {                   /* bits */
		      NODE_TRANSPORT_QUIC = 1,
		      NODE_TRANSPORT_TLS = 2
};

struct node_endpoint {
	uint8_t ip[16]; /* IPv4 mapped */
	uint16_t control_port;
	uint16_t data_port; /* 0: cells arrive at the control port */
	uint8_t transports; /* enum node_transport; not 0 */
};

struct node_onion {
	uint8_t public_key[32];
	uint32_t from, until; /* unix seconds */
};

struct node_record {
	char name[NAME_TEXT];     /* "" = none */
	char family[FAMILY_TEXT]; /* "" = none */
	char software[NODE_SOFTWARE_TEXT];
	struct node_endpoint endpoint[NODE_ENDPOINTS_MAX];
	uint8_t via[NODE_VIA_MAX][32]; /* node IDs */
	uint8_t enc_public[32];        /* X25519 */
	struct node_onion onion, next_onion;
	uint8_t owner[NODE_OWNER_MAX]; /* certificate, not interpreted yet */
	uint16_t owner_len;            /* 0 = the node owns itself */
	uint8_t endpoint_cnt, via_cnt;
	bool has_onion, has_next;
	uint32_t roles;    /* enum node_role */
	uint32_t suites;   /* bit (1 << suite) */
	uint32_t capacity; /* Mbit/s, self-claimed; 0 = not said */
	/* from the envelope; set by node_record_parse */
	uint8_t id[32], publisher[32];
	uint64_t sequence, issued, expires;
};

/* node_record_sign writes the record of fields, which lives life_s from
 * issued (unix seconds; at most NODE_LIFE_S).  id, publisher, sequence,
 * issued and expires of fields are not read.  cap of NODE_RECORD_MAX is
 * always enough.  VX6_MALFORMED for what node_record_parse would refuse. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
node_record_sign(const struct identity *id, const struct node_record *fields,
		 uint64_t sequence, uint64_t issued, uint32_t life_s,
		 uint8_t *out, size_t cap, size_t *len);

/* node_record_parse reads the body of a verified envelope.  VX6_BAD_KIND
 * when it is no node record, VX6_BAD_SIZE over NODE_RECORD_MAX,
 * VX6_MALFORMED, VX6_TRUNCATED; n is then of no use. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
node_record_parse(const struct record_env *env, struct node_record *n);

/* node_record_onion returns the key to use at now_s, or NULL. */
VX6_NONNULL const struct node_onion *
node_record_onion(const struct node_record *n, uint64_t now_s);

#endif
