/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_TESTS_SUPPORT_DP_KIT_H
#define VX6_TESTS_SUPPORT_DP_KIT_H

/* dp_kit: a relay over the mem port, and the neighbours that speak to it.
 *
 *        peer 1            relay             peer 2
 *     dp_send ---> link 1 [ table ] link 2 ---> dp_sent
 *
 * Keys follow from a number, so a test says "link 7" and both ends agree.
 * Cells are made and read with the wire room's own functions.  Nothing here
 * knows cmocka: unit tests, fuzz targets and benchmarks share it. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/port/port.h"
#include "dataplane/relay/relay.h"

#define DP_UP_MAX 256u

struct dp_up { /* a cell that went to vx6d */
	uint32_t link;
	uint16_t len;
	uint8_t data[VX6_CELL_MAX];
};

struct dp_node {
	struct relay *relay;
	struct relay_out out;
	struct port *port;
	void *mem;
	size_t mem_len;
	struct vx6_rand rnd;
	uint64_t now;
	uint32_t frames; /* of the pool, all of them */
	struct dp_up up[DP_UP_MAX];
	unsigned up_cnt;
	uint64_t up_all, down_in; /* cells handed up, given to dp_down */
};

/* dp_node_open makes a node; limits of 0 are small ones.  False: no memory. */
bool dp_node_open(struct dp_node *n, const struct relay_opts *opts);
void dp_node_close(struct dp_node *n);

/* dp_peer is the address of the neighbour on a link. */
struct vx6_addr dp_peer(uint32_t link);

/* dp_link says what LINK_ADD carries for our link; the neighbour calls it
 * link + 100.  dp_far is the same link as the neighbour has it. */
struct abi_link dp_link(uint32_t link);
struct abi_link dp_far(uint32_t link);

/* dp_links gives a node its links 1 to cnt.  False: it would not have one. */
bool dp_links(struct dp_node *n, uint32_t cnt);

/* dp_half says what HALF_ADD carries; key, iv and starts follow from id. */
struct abi_half dp_half(unsigned kind, uint32_t id, uint32_t in, uint32_t out,
			uint32_t out_id);

/* dp_layer is the layer of that half-circuit. */
struct vx6_layer dp_layer(const struct abi_half *h);

/* A cell as a neighbour makes it.  size 0: exactly 16 + len. */
struct dp_cell {
	uint64_t ctr;
	uint32_t circ;
	uint16_t size;
	uint8_t kind;
};

/* dp_seal writes the datagram that carries plain, sealed by layer, over
 * link `link` towards the relay; returns its size. */
size_t dp_seal(uint8_t out[VX6_CELL_MAX], uint32_t link,
	       const struct vx6_layer *layer, const struct dp_cell *c,
	       const uint8_t *plain, size_t len);

/* dp_raw writes one whose C is the bytes given (len of them). */
size_t dp_raw(uint8_t out[VX6_CELL_MAX], uint32_t link, const struct dp_cell *c,
	      const uint8_t *text, size_t len);

/* dp_unprotect undoes header protection of what the relay sent on a link;
 * false where it is no cell for that neighbour. */
bool dp_unprotect(uint8_t *p, size_t len, uint32_t link, struct vx6_cell *c);

/* dp_step receives one burst, relays it, sends; false where a frame was
 * lost or made up, which is what every caller checks.  *sent is what the
 * burst put on the wire. */
bool dp_step(struct dp_node *n, unsigned *sent);

/* dp_tick and dp_down do the same with timers and cells from vx6d. */
bool dp_tick(struct dp_node *n, unsigned *sent);
bool dp_down(struct dp_node *n, const struct relay_down d[], unsigned cnt,
	     unsigned *sent);

/* dp_spares tops up the relay's spares, as a worker does. */
void dp_spares(struct dp_node *n);

/* dp_finish sends and gives back what a call left in n->out; `in` frames
 * went in, `spares` were there before.  Each frame gets its packet's headers,
 * and is judged by dp_sums_up. */
bool dp_finish(struct dp_node *n, unsigned in, unsigned spares);

/* dp_sums_up judges a UDP checksum (RFC 768) before a payload that has IPv6
 * headers in front (RFC 8200 section 8.1), 16 bits at a time. */
bool dp_sums_up(const uint8_t *payload, size_t len);

/* dp_balanced: all frames are in the pool or the spares (take what was sent
 * first), and every cell that came in is accounted for. */
bool dp_balanced(const struct dp_node *n);

#endif
