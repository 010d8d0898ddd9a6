/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_DP_PATH_H
#define VX6_TESTS_SUPPORT_DP_PATH_H

/* dp_path: real data planes in this process, a control client for each,
 * and the two ends of a circuit that runs through them.
 *
 *     left --link 1--> relay 0 --link 2--> relay 1 .. --link n+1--> right
 *
 * A relay is a dp with threads of its own and a socket in a directory that
 * is removed afterwards.  The ends are sockets here; every layer, the
 * right end's too, is made with the wire room's functions.
 *
 * Nothing here knows cmocka; what returns bool is to be checked. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/abi.h"
#include "dataplane/abi/ring.h"
#include "dataplane/worker/dataplane.h"
#include "tests/support/dp_kit.h"

#define DP_HOPS   3u
#define DP_EVENTS 64u
#define DP_BUF    2048u

struct dp_box { /* a data plane and its client */
	char dir[64];
	struct dp *dp;
	struct log log;
	pthread_t thread;
	int stop_fd;
	bool running;
	int client; /* -1 = none */
	uint32_t seq;
	struct abi_welcome welcome;
	int fd[ABI_FD_CNT];
	struct abi_shm shm;
	struct abi_msg event[DP_EVENTS];
	unsigned event_cnt;
	struct abi_worker worker[ABI_WORKERS]; /* by dp_box_stats */
	unsigned worker_cnt;
};

struct dp_path {
	unsigned n;
	struct dp_box box[DP_HOPS];
	struct net_sock left, right;
	struct abi_half fwd[DP_HOPS + 1], bwd[DP_HOPS + 1]; /* last: right's */
	struct vx6_layer lf[DP_HOPS + 1], lb[DP_HOPS + 1];
	uint64_t sent_f[DP_HOPS + 1]; /* by the left end, for each layer */
	uint64_t sent_b;              /* by the right end */
	uint16_t cell_size;
};

/* ---- one data plane ---- */

bool dp_box_start(struct dp_box *b, const struct dp_options *o);
void dp_box_stop(struct dp_box *b);

/* dp_box_connect says HELLO, takes WELCOME and maps the ring. */
bool dp_box_connect(struct dp_box *b);
void dp_box_leave(struct dp_box *b);

/* dp_box_recv waits up to 10 s for the next message. */
bool dp_box_recv(struct dp_box *b, struct abi_msg *m);

/* dp_box_call sends a command and returns the status of its DONE; events
 * that come meanwhile are kept.  VX6_CLOSED where nobody answers. */
enum vx6_status dp_box_call(struct dp_box *b, struct abi_msg *m);

enum vx6_status dp_box_link(struct dp_box *b, const struct abi_link *l);
enum vx6_status dp_box_half(struct dp_box *b, const struct abi_half *h);
bool dp_box_stats(struct dp_box *b, struct abi_stats *s);

/* ---- a path of them ---- */

/* dp_path_options is a small data plane of so many workers, on loopback. */
struct dp_options dp_path_options(uint32_t workers);

/* dp_path_open starts n relays, connects, adds links and half-circuits of
 * cell_size.  false: see stderr. */
bool dp_path_open(struct dp_path *p, unsigned n, uint16_t cell_size,
		  const struct dp_options *o);
void dp_path_close(struct dp_path *p);

/* dp_path_cell writes the datagram that carries len bytes to the right end
 * over all relays, or (to_left) the other way; *at points into buf. */
size_t dp_path_cell(struct dp_path *p, bool to_left, uint8_t buf[DP_BUF],
		    const void *text, size_t len, uint8_t **at);

/* dp_path_open_cell opens what arrived at an end; false where it is no cell
 * of this circuit.  *text points into the datagram. */
bool dp_path_open_cell(struct dp_path *p, bool at_left, uint8_t *data,
		       size_t size, uint8_t **text, size_t *len);

/* dp_path_send sends one datagram from an end. */
bool dp_path_send(struct dp_path *p, bool from_left, const uint8_t *data,
		  size_t len);

/* dp_path_recv waits up to 10 s for one cell at an end (probes are passed
 * over). */
bool dp_path_recv(struct dp_path *p, bool at_left, uint8_t buf[DP_BUF],
		  size_t *len);

/* dp_path_carries sends n cells, from either end in turn and of every length
 * below 1,000, and compares what arrives; false: see stderr. */
bool dp_path_carries(struct dp_path *p, unsigned n);

#endif
