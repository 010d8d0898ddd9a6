/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/dp_path.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/clock.h"

#define WAIT_MS 10000

/* ---- one data plane ---- */

static void *run(void *arg)
{
	struct dp_box *b = arg;
	char why[DP_WHY];

	if (dp_run(b->dp, b->stop_fd, why) != VX6_OK)
		fprintf(stderr, "# %s\n", why);
	return NULL;
}

bool dp_box_start(struct dp_box *b, const struct dp_options *o)
{
	struct dp_options own = *o;
	char why[DP_WHY];

	memset(b, 0, sizeof(*b));
	b->client = -1;
	snprintf(b->dir, sizeof(b->dir), "/tmp/vx6-test-XXXXXX");
	if (mkdtemp(b->dir) == NULL)
		return false;
	snprintf(own.run, sizeof(own.run), "%s", b->dir);
	log_init(&b->log, -1, false); /* into nothing */
	b->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (dp_open(&b->dp, &own, &b->log, why) != VX6_OK) {
		fprintf(stderr, "# %s\n", why);
		return false;
	}
	b->running = pthread_create(&b->thread, NULL, run, b) == 0;
	return b->running;
}

void dp_box_stop(struct dp_box *b)
{
	const uint64_t one = 1;

	dp_box_leave(b);
	if (b->running && write(b->stop_fd, &one, sizeof(one)) > 0)
		pthread_join(b->thread, NULL);
	b->running = false;
	dp_close(b->dp);
	b->dp = NULL;
	if (b->stop_fd > 0)
		close(b->stop_fd);
	if (b->dir[0] != '\0')
		rmdir(b->dir);
}

static bool wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, WAIT_MS) == 1;
}

static bool say(struct dp_box *b, struct abi_msg *m)
{
	m->version = ABI_VERSION;
	m->seq = ++b->seq;
	for (;;) {
		enum vx6_status st = abi_send(b->client, m, NULL, 0);

		if (st != VX6_AGAIN)
			return st == VX6_OK;
		if (!wait_for(b->client, POLLOUT))
			return false;
	}
}

bool dp_box_recv(struct dp_box *b, struct abi_msg *m)
{
	return wait_for(b->client, POLLIN) &&
	       abi_recv(b->client, m, b->fd, ABI_FD_CNT) == VX6_OK &&
	       abi_check(m, false) == VX6_OK;
}

bool dp_box_connect(struct dp_box *b)
{
	struct abi_msg m = { .type = ABI_HELLO };
	char path[100];

	snprintf(path, sizeof(path), "%s/dataplane.sock", b->dir);
	if (abi_connect(&b->client, path) != VX6_OK || !say(b, &m) ||
	    !dp_box_recv(b, &m) || m.type != ABI_WELCOME)
		return false;
	b->welcome = m.u.welcome;
	b->event_cnt = 0;
	return abi_shm_attach(&b->shm, b->fd) == VX6_OK;
}

void dp_box_leave(struct dp_box *b)
{
	if (b->client < 0)
		return;
	abi_shm_close(&b->shm);
	for (unsigned i = 0; i < ABI_FD_CNT; i++)
		close(b->fd[i]);
	close(b->client);
	b->client = -1;
}

/* Takes messages until the answer to the last command; keeps events. */
static bool next_answer(struct dp_box *b, struct abi_msg *m)
{
	int keep[ABI_FD_CNT];
	bool ok;

	memcpy(keep, b->fd, sizeof(keep));
	for (;;) {
		ok = dp_box_recv(b, m);
		if (!ok || m->seq != 0)
			break;
		if (b->event_cnt < DP_EVENTS)
			b->event[b->event_cnt++] = *m;
	}
	memcpy(b->fd, keep, sizeof(keep));
	return ok && m->seq == b->seq;
}

enum vx6_status dp_box_call(struct dp_box *b, struct abi_msg *m)
{
	struct abi_msg a;

	if (!say(b, m) || !next_answer(b, &a) || a.type != ABI_DONE)
		return VX6_CLOSED;
	return (enum vx6_status)a.status;
}

enum vx6_status dp_box_link(struct dp_box *b, const struct abi_link *l)
{
	struct abi_msg m = { .type = ABI_LINK_ADD, .u.link = *l };

	return dp_box_call(b, &m);
}

enum vx6_status dp_box_half(struct dp_box *b, const struct abi_half *h)
{
	struct abi_msg m = { .type = ABI_HALF_ADD, .u.half = *h };

	return dp_box_call(b, &m);
}

bool dp_box_stats(struct dp_box *b, struct abi_stats *s)
{
	struct abi_msg m = { .type = ABI_STATS };

	if (!say(b, &m))
		return false;
	b->worker_cnt = 0;
	do {
		if (!next_answer(b, &m))
			return false;
		if (m.type == ABI_WORKER_IS && b->worker_cnt < ABI_WORKERS)
			b->worker[b->worker_cnt++] = m.u.worker;
	} while (m.type == ABI_WORKER_IS);
	if (m.type != ABI_STATS_ARE)
		return false;
	*s = m.u.stats;
	return true;
}

/* ---- a path ---- */

/* Our own indices: the left end of a link has its number, the right end
 * that plus 100. */
static bool add_links(struct dp_path *p, unsigned i)
{
	struct abi_link in = dp_far(i + 1), out = dp_link(i + 2);

	in.peer = i == 0 ? p->left.at : dp_at(p->box[i - 1].dp);
	out.peer = i + 1 == p->n ? p->right.at : dp_at(p->box[i + 1].dp);
	in.ask_ns = out.ask_ns = 3600 * VX6_SEC; /* the ends answer nothing */
	in.ask_busy_ns = out.ask_busy_ns = 3600 * VX6_SEC;
	return dp_box_link(&p->box[i], &in) == VX6_OK &&
	       dp_box_link(&p->box[i], &out) == VX6_OK;
}

static bool add_halves(struct dp_path *p, unsigned i)
{
	return dp_box_half(&p->box[i], &p->fwd[i]) == VX6_OK &&
	       dp_box_half(&p->box[i], &p->bwd[i]) == VX6_OK;
}

static uint32_t fwd_id(unsigned i)
{
	return 0x00500010u + i;
}

static uint32_t bwd_id(unsigned i)
{
	return 0x00600040u + i;
}

/* The half-circuits of relay i; i == n are the right end's own keys. */
static void make_halves(struct dp_path *p)
{
	for (unsigned i = 0; i <= p->n; i++) {
		struct abi_half *f = &p->fwd[i], *b = &p->bwd[i];

		*f = dp_half(ABI_HALF_FORWARD, fwd_id(i), i + 101, i + 2,
			     fwd_id(i + 1));
		*b = dp_half(ABI_HALF_BACKWARD, bwd_id(i), i + 2, i + 101,
			     i == 0 ? 77 : bwd_id(i - 1));
		f->cell_size_in = f->cell_size_out = p->cell_size;
		b->cell_size_in = b->cell_size_out = p->cell_size;
		p->lf[i] = dp_layer(f);
		p->lb[i] = dp_layer(b);
		/* a relay expects what its neighbour seals first */
		if (i > 0)
			p->bwd[i - 1].start_rx = b->start_tx;
	}
}

static bool open_ends(struct dp_path *p)
{
	struct net_opts o = { .no_gro = true };

	return vx6_addr_parse(&o.bind, "127.0.0.1:0") == VX6_OK &&
	       net_open(&p->left, &o) == VX6_OK &&
	       net_open(&p->right, &o) == VX6_OK;
}

struct dp_options dp_path_options(uint32_t workers)
{
	struct dp_options o;

	dp_options_init(&o);
	if (vx6_addr_parse(&o.listen, "127.0.0.1:0") != VX6_OK)
		abort();
	o.halves = 1024;
	o.links = 256;
	o.workers = workers;
	return o;
}

bool dp_path_open(struct dp_path *p, unsigned n, uint16_t cell_size,
		  const struct dp_options *o)
{
	memset(p, 0, sizeof(*p));
	p->n = n;
	p->cell_size = cell_size;
	p->left.fd = p->right.fd = -1;
	if (!open_ends(p))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!dp_box_start(&p->box[i], o) || !dp_box_connect(&p->box[i]))
			return false;
	make_halves(p); /* vx6_aead_start has been called by now */
	for (unsigned i = 0; i < n; i++)
		if (!add_links(p, i) || !add_halves(p, i))
			return false;
	return true;
}

void dp_path_close(struct dp_path *p)
{
	for (unsigned i = 0; i < p->n; i++)
		dp_box_stop(&p->box[i]);
	net_close(&p->left);
	net_close(&p->right);
}

/* Link header, pad and protection of a cell that an end sends. */
static size_t dress(uint8_t *q, size_t len, uint16_t cell_size,
		    const struct abi_link *l, uint32_t circ)
{
	size_t end = VX6_CELL_HDR + len;
	struct vx6_aes hp;

	vx6_cell_put(q, l->peer_index, circ);
	if (end < cell_size)
		memset(q + end, 0x5a, cell_size - end);
	vx6_aes_init(&hp, l->keys.hdr_tx, 16);
	vx6_cell_protect(&hp, q);
	return end < cell_size ? cell_size : end;
}

size_t dp_path_cell(struct dp_path *p, bool to_left, uint8_t buf[DP_BUF],
		    const void *text, size_t len, uint8_t **at)
{
	uint8_t *h8 = buf + 128;
	unsigned i = p->n;

	memcpy(h8 + 8, text, len);
	if (to_left) {
		struct abi_link l = dp_far(p->n + 1);

		vx6_layer_seal(&p->lb[i], p->bwd[i].start_tx + p->sent_b++,
			       VX6_KIND_DATA, h8, len);
		*at = h8 - 8;
		return dress(*at, len + 16, p->cell_size, &l, bwd_id(i - 1));
	}
	for (;; i--) {
		vx6_layer_seal(&p->lf[i], p->fwd[i].start_rx + p->sent_f[i]++,
			       VX6_KIND_DATA, h8, len);
		if (i == 0)
			break;
		len += 24;
		h8 -= 8;
	}
	struct abi_link l = dp_link(1);

	*at = h8 - 8;
	return dress(*at, len + 16, p->cell_size, &l, fwd_id(0));
}

static bool open_header(uint8_t *data, size_t size, const struct abi_link *l,
			struct vx6_cell *c)
{
	struct vx6_aes hp;
	uint32_t index;

	if (vx6_cell_link(data, size, &index) != VX6_OK || index != l->index)
		return false;
	vx6_aes_init(&hp, l->keys.hdr_rx, 16);
	vx6_cell_unprotect(&hp, data);
	return vx6_cell_parse(c, data, size) == VX6_OK;
}

bool dp_path_open_cell(struct dp_path *p, bool at_left, uint8_t *data,
		       size_t size, uint8_t **text, size_t *len)
{
	struct abi_link l = at_left ? dp_link(1) : dp_far(p->n + 1);
	uint8_t *h8 = data + 8;
	struct vx6_cell c;
	size_t plain = 0;

	if (!open_header(data, size, &l, &c) ||
	    !vx6_cell_fits(p->cell_size, size, c.len) ||
	    c.circ != (at_left ? 77 : fwd_id(p->n)))
		return false;
	for (unsigned i = at_left ? 0 : p->n; i <= p->n; i++, h8 += 8) {
		const struct vx6_layer *layer = at_left ? &p->lb[i] : &p->lf[i];

		if (vx6_layer_open(layer, h8, size - (size_t)(h8 - data),
				   &plain) != VX6_OK)
			return false;
	}
	*text = h8;
	*len = plain;
	return true;
}

bool dp_path_send(struct dp_path *p, bool from_left, const uint8_t *data,
		  size_t len)
{
	struct iovec v = { .iov_base = (void *)(uintptr_t)data,
			   .iov_len = len };
	struct net_out o = { .to = from_left ? dp_at(p->box[0].dp)
					     : dp_at(p->box[p->n - 1].dp),
			     .iov = &v,
			     .iov_cnt = 1 };

	return net_send(from_left ? &p->left : &p->right, &o, 1) == 1 &&
	       o.err == 0;
}

/* Probes are for circuit 0: seen only once the header is open, so that is
 * done on a copy. */
static bool is_probe(const struct dp_path *p, bool at_left, const uint8_t *data,
		     size_t size)
{
	struct abi_link l = at_left ? dp_link(1) : dp_far(p->n + 1);
	uint8_t copy[DP_BUF];
	struct vx6_cell c;

	memcpy(copy, data, size);
	return open_header(copy, size, &l, &c) && c.circ == 0;
}

bool dp_path_recv(struct dp_path *p, bool at_left, uint8_t buf[DP_BUF],
		  size_t *len)
{
	struct net_sock *s = at_left ? &p->left : &p->right;

	for (;;) {
		struct iovec v = { buf, DP_BUF };
		struct net_pkt pkt = { .iov = &v, .iov_cnt = 1 };

		if (net_recv(s, &pkt, 1) == 0) {
			if (!wait_for(s->fd, POLLIN))
				return false;
			continue;
		}
		if (pkt.len == 0 || is_probe(p, at_left, buf, pkt.len))
			continue;
		*len = pkt.len;
		return true;
	}
}

/* Where it went wrong stands on stderr: they are many. */
static bool lost(unsigned i, const char *how)
{
	fprintf(stderr, "# cell %u: %s\n", i, how);
	return false;
}

bool dp_path_carries(struct dp_path *p, unsigned n)
{
	static uint8_t buf[DP_BUF], text[1000];

	for (unsigned i = 0; i < n; i++) {
		size_t len = i * 7 % sizeof(text), size, got_len;
		bool to_left = i % 2 != 0;
		uint8_t *at, *got;

		for (size_t k = 0; k < len; k++)
			text[k] = (uint8_t)(k * 3 + i);
		size = dp_path_cell(p, to_left, buf, text, len, &at);
		if (!dp_path_send(p, !to_left, at, size))
			return lost(i, "could not be sent");
		if (!dp_path_recv(p, to_left, buf, &size))
			return lost(i, "did not arrive");
		if (!dp_path_open_cell(p, to_left, buf, size, &got, &got_len))
			return lost(i, "could not be opened");
		if (got_len != len || memcmp(got, text, len) != 0)
			return lost(i, "is not the one that was sent");
	}
	return true;
}
