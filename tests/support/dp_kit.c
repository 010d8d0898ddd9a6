/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/dp_kit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/port/packet.h"

/* len bytes that follow from a label and a number. */
static void derive(void *out, size_t len, const char *label, uint64_t no)
{
	uint8_t seed[randombytes_SEEDBYTES] = { 0 };

	memcpy(seed, &no, sizeof(no));
	memcpy(seed + sizeof(no), label, strlen(label));
	randombytes_buf_deterministic(out, len, seed);
}

bool dp_node_open(struct dp_node *n, const struct relay_opts *opts)
{
	struct relay_opts o = *opts;
	const struct port_opts po = { .frames = 4 * PORT_FRAMES,
				      .bind = dp_peer(0) };
	static const uint8_t seed[32] = "dp_kit";

	if (o.links_max == 0)
		o.links_max = 64;
	if (o.halves_max == 0)
		o.halves_max = 4096;
	memset(n, 0, sizeof(*n));
	if (vx6_aead_start() != VX6_OK)
		return false;
	n->now = 1000 * VX6_SEC;
	vx6_rand_seed(&n->rnd, seed);
	n->mem_len = relay_need(&o);
	n->relay = aligned_alloc(VX6_CACHELINE, sizeof(*n->relay));
	n->mem = mmap(NULL, n->mem_len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (n->relay == NULL || n->mem == MAP_FAILED)
		return false;
	if (relay_init(n->relay, &o, n->mem, &n->rnd) != VX6_OK ||
	    port_open_mem(&n->port, &po) != VX6_OK)
		return false;
	n->frames = n->port->frame_cnt;
	return true;
}

void dp_node_close(struct dp_node *n)
{
	relay_wipe(n->relay);
	munmap(n->mem, n->mem_len);
	free(n->relay);
	port_close(n->port);
}

struct vx6_addr dp_peer(uint32_t link)
{
	struct vx6_addr a = { .ip = { [0] = 0xfd }, .port = 4243 };

	vx6_put32(a.ip + 12, link);
	return a;
}

struct abi_link dp_link(uint32_t link)
{
	struct abi_link l = { .peer = dp_peer(link),
			      .index = link,
			      .peer_index = link + 100,
			      .u = VX6_CELL_MAX };

	derive(&l.keys, sizeof(l.keys), "link", link);
	memset(l.note, (int)link, sizeof(l.note));
	return l;
}

struct abi_link dp_far(uint32_t link)
{
	struct abi_link near = dp_link(link), l = near;

	memcpy(l.keys.hdr_tx, near.keys.hdr_rx, 16);
	memcpy(l.keys.hdr_rx, near.keys.hdr_tx, 16);
	memcpy(l.keys.probe_tx, near.keys.probe_rx, 32);
	memcpy(l.keys.probe_rx, near.keys.probe_tx, 32);
	l.index = near.peer_index;
	l.peer_index = near.index;
	return l;
}

bool dp_links(struct dp_node *n, uint32_t cnt)
{
	for (uint32_t i = 1; i <= cnt; i++) {
		struct abi_link l = dp_link(i);

		if (relay_link_add(n->relay, &l, n->now) != VX6_OK)
			return false;
	}
	return true;
}

struct abi_half dp_half(unsigned kind, uint32_t id, uint32_t in, uint32_t out,
			uint32_t out_id)
{
	struct abi_half h = { .id = id,
			      .in_link = in,
			      .out_link = out,
			      .out_id = out_id,
			      .kind = (uint8_t)kind };

	derive(&h.start_rx, sizeof(h.start_rx), "rx", id);
	if (kind == ABI_HALF_BACKWARD)
		derive(&h.start_tx, sizeof(h.start_tx), "tx", id);
	h.start_rx &= (UINT64_C(1) << 46) - 1;
	h.start_tx &= (UINT64_C(1) << 46) - 1;
	memset(h.note, (int)id, sizeof(h.note));
	if (kind == ABI_HALF_LOCAL)
		return h;
	derive(h.key, sizeof(h.key), "key", id);
	derive(h.iv, sizeof(h.iv), "iv", id);
	h.suite = vx6_suite_offers(VX6_SUITE_AES256_GCM)
			  ? VX6_SUITE_AES256_GCM
			  : VX6_SUITE_CHACHA20_POLY1305;
	return h;
}

struct vx6_layer dp_layer(const struct abi_half *h)
{
	struct vx6_layer l;

	if (vx6_layer_init(&l, h->suite, h->key, h->iv) != VX6_OK)
		abort();
	return l;
}

/* Link header, pad and protection around H8 | C that lies at out + 8. */
static size_t dress(uint8_t *out, uint32_t link, const struct dp_cell *c,
		    size_t len)
{
	struct abi_link l = dp_link(link);
	struct vx6_aes hp;
	size_t end = VX6_CELL_HDR + len, size = c->size ? c->size : end;

	vx6_cell_put(out, link, c->circ);
	if (end < size)
		memset(out + end, 0xa5, size - end); /* to be recognised */
	vx6_aes_init(&hp, l.keys.hdr_rx, 16);
	vx6_cell_protect(&hp, out);
	return size;
}

size_t dp_seal(uint8_t out[VX6_CELL_MAX], uint32_t link,
	       const struct vx6_layer *layer, const struct dp_cell *c,
	       const uint8_t *plain, size_t len)
{
	memcpy(out + VX6_CELL_HDR, plain, len);
	vx6_layer_seal(layer, c->ctr, (enum vx6_kind)c->kind, out + 8, len);
	return dress(out, link, c, len + VX6_LEN_MIN);
}

size_t dp_raw(uint8_t out[VX6_CELL_MAX], uint32_t link, const struct dp_cell *c,
	      const uint8_t *text, size_t len)
{
	memcpy(out + VX6_CELL_HDR, text, len);
	vx6_h8_put(out + 8, c->ctr, c->kind, len);
	return dress(out, link, c, len);
}

bool dp_unprotect(uint8_t *p, size_t len, uint32_t link, struct vx6_cell *c)
{
	struct abi_link l = dp_link(link);
	struct vx6_aes hp;
	uint32_t index;

	if (vx6_cell_link(p, len, &index) != VX6_OK || index != l.peer_index)
		return false;
	vx6_aes_init(&hp, l.keys.hdr_tx, 16);
	vx6_cell_unprotect(&hp, p);
	if (vx6_cell_parse(c, p, len) != VX6_OK)
		return false;
	c->link = index;
	return true;
}

void dp_spares(struct dp_node *n)
{
	struct relay *r = n->relay;

	while (r->spare_cnt < RELAY_SPARES) {
		struct net_frame *f = port_take(n->port);

		if (f == NULL)
			return;
		r->spare[r->spare_cnt++] = f;
	}
}

static void keep_up(struct dp_node *n)
{
	for (unsigned i = 0; i < n->out.up_cnt; i++) {
		const struct net_frame *f = n->out.up[i];
		struct dp_up *u = &n->up[n->up_cnt];

		if (n->up_cnt == DP_UP_MAX || f->len > sizeof(u->data))
			continue;
		n->up_cnt++;
		u->link = f->link;
		u->len = f->len;
		memcpy(u->data, f->data, f->len);
	}
	n->up_all += n->out.up_cnt;
	port_give(n->port, n->out.up, n->out.up_cnt);
}

bool dp_sums_up(const uint8_t *payload, size_t len)
{
	const uint8_t *ip = payload - PACKET_UDP - PACKET_IP6;
	uint32_t sum = (uint32_t)(len + PACKET_UDP) + IPPROTO_UDP;

	for (size_t i = 8; i < PACKET_IP6 + PACKET_UDP + len; i++)
		sum += i % 2 == 0 ? (uint32_t)ip[i] << 8 : ip[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffffu) + (sum >> 16);
	return sum == 0xffffu;
}

/* Whatever is known of a frame's sum is right: as AF_XDP would send it. */
static bool sums_are_right(const struct relay_out *o)
{
	static const uint8_t mac[6] = { 2 };
	const struct vx6_addr self = dp_peer(0), peer = dp_peer(1);
	struct packet_head head;

	packet_head_make(&head, mac, mac, &self, &peer);
	for (unsigned i = 0; i < o->tx_cnt; i++) {
		const struct net_frame *f = o->tx[i];

		packet_write(&head, f->data, f->len, f->sum);
		if (!dp_sums_up(f->data, f->len))
			return false;
	}
	return true;
}

bool dp_finish(struct dp_node *n, unsigned in, unsigned spares)
{
	struct relay_out *o = &n->out;
	unsigned used = spares - n->relay->spare_cnt;
	bool ok = in + used == o->tx_cnt + o->up_cnt + o->free_cnt;

	ok = sums_are_right(o) && ok;
	keep_up(n);
	port_tx(n->port, o->tx, o->tx_cnt);
	port_give(n->port, o->free, o->free_cnt);
	return ok;
}

bool dp_step(struct dp_node *n, unsigned *sent)
{
	struct net_frame *f[RELAY_BURST];
	unsigned got, spares;

	dp_spares(n);
	spares = n->relay->spare_cnt;
	got = port_rx(n->port, f, RELAY_BURST);
	relay_burst(n->relay, f, got, n->now, &n->out);
	*sent = n->out.tx_cnt;
	return dp_finish(n, got, spares);
}

bool dp_tick(struct dp_node *n, unsigned *sent)
{
	unsigned spares;

	dp_spares(n);
	spares = n->relay->spare_cnt;
	relay_tick(n->relay, n->now, &n->out);
	*sent = n->out.tx_cnt;
	return dp_finish(n, 0, spares);
}

bool dp_down(struct dp_node *n, const struct relay_down d[], unsigned cnt,
	     unsigned *sent)
{
	unsigned spares = n->relay->spare_cnt;

	n->down_in += cnt;
	relay_down(n->relay, d, cnt, n->now, &n->out);
	*sent = n->out.tx_cnt;
	return dp_finish(n, cnt, spares);
}

bool dp_balanced(const struct dp_node *n)
{
	const struct relay *r = n->relay;
	const struct abi_stats *s = &r->n;
	uint64_t drops = 0;

	if (n->port->pool_cnt + r->spare_cnt != n->frames)
		return false;
	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		drops += s->drop[i];
	/* what came in, and what became of it */
	return s->rx_cells + n->down_in ==
		       s->forwarded + s->backwarded + s->down + n->up_all +
			       r->control_in + r->drop_cells + r->probes_in +
			       drops &&
	       s->tx_cells == s->forwarded + s->backwarded + s->down +
				      s->injected + r->probes_out;
}
