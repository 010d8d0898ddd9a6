/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/support/pipes.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"

struct pipes_packet {
	uint64_t at_ns, order;
	unsigned to, leg, kind, pipe;
	size_t len;
	uint8_t data[];
};

void pipes_init(struct pipes *p, uint64_t seed)
{
	*p = (struct pipes){ .rng = seed * 2 + 1 };
	for (unsigned i = 0; i < 16; i++)
		p->rng = p->rng * UINT64_C(6364136223846793005) + 1;
}

void pipes_free(struct pipes *p)
{
	for (size_t i = 0; i < p->heap_cnt; i++)
		free(p->heap[i]);
	free((void *)p->heap);
	p->heap = NULL;
	p->heap_cnt = 0;
}

/* fd00::leg:end, so that two legs differ in the address itself */
static void address(struct vx6_addr *a, unsigned end, unsigned leg)
{
	*a = (struct vx6_addr){ .port = 4242 };
	a->ip[0] = 0xfd;
	vx6_put16(a->ip + 12, (uint16_t)leg);
	vx6_put16(a->ip + 14, (uint16_t)(end + 1));
}

void pipes_path(struct quic_path *path, unsigned end, unsigned leg)
{
	address(&path->local, end, leg);
	address(&path->remote, 1 - end, leg);
}

static unsigned leg_of(const struct quic_path *path)
{
	return vx6_get16(path->remote.ip + 12);
}

static bool is_before(const struct pipes_packet *a,
		      const struct pipes_packet *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct pipes *p, struct pipes_packet *k)
{
	if (p->heap_cnt == p->heap_cap) {
		size_t cap = p->heap_cap ? 2 * p->heap_cap : 1024;
		struct pipes_packet **more = realloc((void *)p->heap,
						     cap * sizeof(*more));

		if (!more)
			abort();
		p->heap = more;
		p->heap_cap = cap;
	}
	size_t i = p->heap_cnt++;
	while (i > 0 && is_before(k, p->heap[(i - 1) / 2])) {
		p->heap[i] = p->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	p->heap[i] = k;
}

static struct pipes_packet *pop(struct pipes *p)
{
	struct pipes_packet *top = p->heap[0];
	struct pipes_packet *k = p->heap[--p->heap_cnt];
	size_t i = 0;

	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= p->heap_cnt)
			break;
		if (c + 1 < p->heap_cnt &&
		    is_before(p->heap[c + 1], p->heap[c]))
			c++;
		if (is_before(k, p->heap[c]))
			break;
		p->heap[i] = p->heap[c];
		i = c;
	}
	p->heap[i] = k;
	return top;
}

static bool draw_loss(struct pipes *p, uint32_t per_million)
{
	p->rng = p->rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (p->rng >> 33) % 1000000u < per_million;
}

void pipes_send(struct pipes *p, unsigned end, unsigned leg, unsigned kind,
		const void *data, size_t len)
{
	unsigned n = p->leg_pipe[leg % PIPES_LEGS];
	const struct pipe_cfg *cfg = &p->cfg[n];
	uint64_t *busy = &p->busy_ns[n][end];
	struct pipes_packet *k;

	p->sent++;
	if (*busy < p->now_ns)
		*busy = p->now_ns;
	bool full = cfg->queue_ns > 0 && *busy - p->now_ns > cfg->queue_ns;
	if (full || p->cut[n][end] || draw_loss(p, cfg->loss)) {
		p->lost++;
		return;
	}
	/* 28 bytes are IP's and UDP's */
	if (cfg->rate > 0)
		*busy += (len + 28) * VX6_SEC / cfg->rate;
	k = malloc(sizeof(*k) + len);
	if (!k)
		abort();
	*k = (struct pipes_packet){ .at_ns = *busy + cfg->delay_ns,
				    .order = p->order++,
				    .to = 1 - end,
				    .leg = leg,
				    .kind = kind,
				    .pipe = n,
				    .len = len };
	memcpy(k->data, data, len);
	push(p, k);
}

void pipes_send_batch(struct pipes *p, unsigned end,
		      const struct quic_path *path, unsigned kind,
		      const uint8_t *data, size_t len, size_t segment)
{
	unsigned leg = leg_of(path);
	size_t step = segment ? segment : len;

	for (size_t at = 0; at < len; at += step)
		pipes_send(p, end, leg, kind, data + at,
			   len - at < step ? len - at : step);
}

uint64_t pipes_next(const struct pipes *p)
{
	return p->heap_cnt > 0 ? p->heap[0]->at_ns : VX6_NEVER;
}

void pipes_run(struct pipes *p, uint64_t now_ns)
{
	if (now_ns > p->now_ns)
		p->now_ns = now_ns;
	while (p->heap_cnt > 0 && p->heap[0]->at_ns <= p->now_ns) {
		struct pipes_packet *k = pop(p);

		/* what was under way when the pipe broke is gone */
		if (p->cut[k->pipe][1 - k->to]) {
			p->lost++;
		} else {
			p->delivered++;
			p->deliver(p->ctx, k->to, k->leg, k->kind, k->data,
				   k->len);
		}
		free(k);
	}
}

void pipes_cut_from(struct pipes *p, unsigned pipe, unsigned end, bool cut)
{
	p->cut[pipe][end] = cut;
}

void pipes_cut(struct pipes *p, unsigned pipe, bool cut)
{
	pipes_cut_from(p, pipe, 0, cut);
	pipes_cut_from(p, pipe, 1, cut);
}
