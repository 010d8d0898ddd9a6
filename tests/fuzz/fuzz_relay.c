/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole worker without a thread, over the mem port: datagrams, commands
 * and slots of the ring as the input says, time too.
 *
 *     op u8, then:  0 datagram     from u8, len u16, bytes
 *                   1 cell         link u8, id u8, counter u16, kind u8,
 *                                  len u16, bytes of C
 *                   2 sealed cell  id u8, counter u16, kind u8, len u16,
 *                                  plaintext
 *                   3 command      which u8, a u8, b u8, patches u8 of
 *                                  {offset u16, value u8}
 *                   4 ring slot    link u8, id u8, size u16, cell_size u16,
 *                                  len u16, bytes
 *                   5 time         milliseconds u16
 *                   6 one turn
 *
 * After each turn: no frame is lost or made up, what is sent is a cell by
 * its size and version, and what goes up the socket is well said. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/worker/worker.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/dp_kit.h"

static struct dp_node node;
static struct worker *w;
static struct abi_shm ours, theirs;
static int shm_fd[ABI_FD_CNT];
static uint64_t arrived; /* datagrams, taken up or not */

static uint8_t get8(struct fuzz_input *in)
{
	return (uint8_t)fuzz_take(in, 1);
}

static uint16_t get16(struct fuzz_input *in)
{
	return (uint16_t)fuzz_take(in, 2);
}

/* Copies what there is of len bytes; the rest is zero. */
static void get_bytes(struct fuzz_input *in, uint8_t *to, size_t len)
{
	size_t n = len < in->len ? len : in->len;

	memset(to, 0, len);
	memcpy(to, in->p, n);
	in->p += n;
	in->len -= n;
}

/* Ids that a table of eight may know: index 1..8, generation 0 or 1. */
static uint32_t id_of(uint8_t b)
{
	return (uint32_t)(b & 8) << 17 | (b & 7);
}

static void check_message(const struct abi_msg *m)
{
	assert(abi_check(m, false) == VX6_OK);
}

static void turn(void)
{
	const struct abi_msg *m;
	struct net_frame *f;

	(void)worker_turn(w, node.now);
	while ((f = port_mem_get(node.port)) != NULL) {
		assert(f->len >= VX6_CELL_MIN && f->len <= VX6_CELL_MAX);
		assert(f->data[0] == VX6_CELL_VERSION);
		assert(!vx6_addr_is_none(&f->peer));
		port_give(node.port, &f, 1);
	}
	while ((m = queue_peek(&w->ans)) != NULL) {
		check_message(m);
		queue_pop(&w->ans);
	}
	while ((m = queue_peek(&w->ev)) != NULL) {
		check_message(m);
		queue_pop(&w->ev);
	}
	while (abi_ring_peek(&theirs.up) != NULL)
		abi_ring_pop(&theirs.up);
	assert(node.port->pool_cnt + node.relay->spare_cnt + arrived -
		       node.port->rx_frames ==
	       node.frames);
}

static void arrive(const uint8_t *p, size_t len, uint32_t from)
{
	struct vx6_addr peer = dp_peer(from);

	if (port_mem_put(node.port, p, len, &peer))
		arrived++;
	else
		turn();
}

static void op_datagram(struct fuzz_input *in)
{
	uint8_t from = get8(in), p[NET_FRAME_CAP];
	size_t len = get16(in) % (NET_FRAME_CAP + 1);

	get_bytes(in, p, len);
	arrive(p, len, from);
}

static void op_cell(struct fuzz_input *in)
{
	static uint8_t text[VX6_LEN_MAX], p[VX6_CELL_MAX];
	uint8_t link = get8(in) & 3, id = get8(in);
	struct abi_half h = dp_half(ABI_HALF_BACKWARD, id_of(id), 1, 2, 1);
	struct dp_cell c = { .circ = h.id };
	size_t len;

	c.ctr = h.start_rx + get16(in);
	c.kind = get8(in);
	len = get16(in) % (VX6_LEN_MAX + 1);
	if (id & 0x10)
		c.size = id & 0x20 ? 1232 : 1452;
	if (c.size != 0 && c.size < 16 + len)
		c.size = 0;
	if (len < 4) /* the protected block needs them */
		len = 4;
	get_bytes(in, text, len);
	arrive(p, dp_raw(p, link, &c, text, len), link);
}

static void op_sealed(struct fuzz_input *in)
{
	struct abi_half h = dp_half(ABI_HALF_FORWARD, id_of(get8(in)), 1, 2, 1);
	struct vx6_layer layer = dp_layer(&h);
	static uint8_t text[VX6_LEN_MAX], p[VX6_CELL_MAX];
	struct dp_cell c = { .circ = h.id };
	size_t len;

	c.ctr = h.start_rx + get16(in);
	c.kind = get8(in) & 15;
	len = get16(in) % (VX6_LEN_MAX - 16 + 1);
	get_bytes(in, text, len);
	arrive(p, dp_seal(p, 1, &layer, &c, text, len), 1);
}

static struct abi_msg message(uint8_t which, uint8_t a, uint8_t b)
{
	struct abi_msg m = { .version = ABI_VERSION, .seq = 1 };

	m.type = (uint16_t)(which % (ABI_STATS + 1));
	switch (m.type) {
	case ABI_LINK_ADD: m.u.link = dp_link(a & 7); break;
	case ABI_LINK_CHANGE:
		m.u.link.index = a & 7;
		m.u.link.peer = dp_peer(b);
		break;
	case ABI_LINK_REMOVE: m.u.ref.index = a & 7; break;
	case ABI_HALF_ADD:
		m.u.half = dp_half(1 + b % 3, id_of(a), 1 + (b >> 2 & 1),
				   b % 3 == 2 ? 0 : 2 - (b >> 2 & 1),
				   b % 3 == 2 ? 0 : 9);
		m.u.half.life_ns = b & 8 ? VX6_SEC : 0;
		m.u.half.cell_size_out = b & 16 && b % 3 != 2 ? 1232 : 0;
		if (b & 32 && b % 3 == 0) /* a terminal, */
			m.u.half.out_link = m.u.half.out_id = 0;
		if (b & 32 && b % 3 == 1) /* and its way back */
			m.u.half.in_link = 0;
		break;
	case ABI_HALF_REMOVE: m.u.ref.id = id_of(a); break;
	case ABI_SPLICE:
		m.u.splice = (struct abi_splice){ id_of(a), id_of(b) };
		break;
	case ABI_UNSPLICE: m.u.splice.id = id_of(a); break;
	case ABI_INJECT:
		m.u.control.id = id_of(a);
		m.u.control.len = b;
		memset(m.u.control.body, 7, b);
		break;
	default: break;
	}
	return m;
}

static void op_command(struct fuzz_input *in)
{
	uint8_t which = get8(in), a = get8(in), b = get8(in);
	struct abi_msg m = message(which, a, b), *slot;
	unsigned patches = get8(in) & 7;

	for (unsigned i = 0; i < patches; i++) {
		uint16_t at = get16(in) % sizeof(m);

		((uint8_t *)&m)[at] = get8(in);
	}
	if (abi_check(&m, true) != VX6_OK || m.type == ABI_HELLO ||
	    m.type == ABI_SUBSCRIBE)
		return; /* the control thread keeps these */
	slot = queue_room(&w->cmd);
	if (slot == NULL) {
		turn();
		return;
	}
	*slot = m;
	queue_push(&w->cmd);
}

static void op_slot(struct fuzz_input *in)
{
	struct abi_slot *s = abi_ring_room(&theirs.down);
	size_t len;

	if (s == NULL) {
		turn();
		return;
	}
	s->link = get8(in);
	s->circ = get8(in);
	s->size = get16(in);
	s->cell_size = get16(in);
	s->zero = 0;
	len = get16(in) % (ABI_SLOT_DATA + 1);
	get_bytes(in, s->data, len);
	abi_ring_push(&theirs.down);
}

static void open_all(void)
{
	const struct relay_opts ro = { .links_max = 8,
				       .halves_max = 8,
				       .bad_tags = 4 };
	const struct worker_opts wo = { .cpu = WORKER_ANY_CPU };

	assert(dp_node_open(&node, &ro));
	if (w == NULL) {
		w = aligned_alloc(_Alignof(struct worker), sizeof(*w));
		assert(w != NULL);
		assert(abi_shm_create(&ours, shm_fd) == VX6_OK);
	}
	arrived = 0;
	abi_shm_reset(&ours);
	assert(abi_shm_attach(&theirs, shm_fd) == VX6_OK);
	assert(worker_init(w, &wo, node.port, node.relay) == VX6_OK);
	worker_offer_ring(w, &ours);
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, len };

	open_all();
	while (in.len > 0) {
		switch (get8(&in) % 7) {
		case 0: op_datagram(&in); break;
		case 1: op_cell(&in); break;
		case 2: op_sealed(&in); break;
		case 3: op_command(&in); break;
		case 4: op_slot(&in); break;
		case 5: node.now += get16(&in) * VX6_MS; break;
		default: turn(); break;
		}
	}
	for (unsigned i = 0; i < 70; i++) /* whatever is still queued */
		turn();
	worker_free(w);
	assert(node.port->pool_cnt == node.frames);
	abi_shm_close(&theirs);
	dp_node_close(&node);
	return 0;
}
