/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/sendbuf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 1024u
#define CHUNK_MAX 16384u

void quic_sendbuf_init(struct quic_sendbuf *b, size_t limit)
{
	*b = (struct quic_sendbuf){ .limit = limit };
}

void quic_sendbuf_free(struct quic_sendbuf *b)
{
	while (b->head) {
		struct quic_chunk *c = b->head;

		b->head = c->next;
		free(c);
	}
	*b = (struct quic_sendbuf){ .limit = b->limit };
}

size_t quic_sendbuf_space(const struct quic_sendbuf *b)
{
	uint64_t held = b->end - b->acked;

	return held < b->limit ? b->limit - (size_t)held : 0;
}

static struct quic_chunk *add_chunk(struct quic_sendbuf *b, size_t want)
{
	size_t cap = want < CHUNK_MIN   ? CHUNK_MIN
		     : want > CHUNK_MAX ? CHUNK_MAX
					: want;
	struct quic_chunk *c = malloc(sizeof(*c) + cap);

	if (!c)
		return NULL;
	c->next = NULL;
	c->len = 0;
	c->cap = cap;
	if (b->tail) {
		b->tail->next = c;
	} else {
		b->head = c;
		b->base = b->end;
	}
	b->tail = c;
	return c;
}

size_t quic_sendbuf_put(struct quic_sendbuf *b, const uint8_t *data, size_t len)
{
	size_t space = quic_sendbuf_space(b);
	size_t done = 0;

	if (len > space)
		len = space;
	while (done < len) {
		struct quic_chunk *c = b->tail;

		if (!c || c->len == c->cap)
			c = add_chunk(b, len - done);
		if (!c)
			break;
		size_t n = c->cap - c->len;
		if (n > len - done)
			n = len - done;
		memcpy(c->data + c->len, data + done, n);
		if (!b->sent_chunk) {
			b->sent_chunk = c;
			b->sent_at = c->len;
		}
		c->len += n;
		done += n;
		b->end += n;
	}
	return done;
}

size_t quic_sendbuf_peek(const struct quic_sendbuf *b, struct quic_span *span,
			 size_t cnt)
{
	struct quic_chunk *c = b->sent_chunk;
	size_t at = b->sent_at;
	size_t n = 0;

	while (c && n < cnt) {
		if (c->len > at)
			span[n++] = (struct quic_span){ c->data + at,
							c->len - at };
		c = c->next;
		at = 0;
	}
	return n;
}

void quic_sendbuf_sent(struct quic_sendbuf *b, size_t len)
{
	assert(len <= b->end - b->sent);
	b->sent += len;
	while (b->sent_chunk && len >= b->sent_chunk->len - b->sent_at) {
		len -= b->sent_chunk->len - b->sent_at;
		b->sent_chunk = b->sent_chunk->next;
		b->sent_at = 0;
	}
	b->sent_at += len;
}

void quic_sendbuf_acked(struct quic_sendbuf *b, uint64_t offset)
{
	assert(offset <= b->sent);
	if (offset > b->acked)
		b->acked = offset;
	while (b->head && b->base + b->head->len <= b->acked) {
		struct quic_chunk *c = b->head;

		b->base += c->len;
		b->head = c->next;
		if (!b->head)
			b->tail = NULL;
		if (b->sent_chunk == c)
			b->sent_chunk = NULL;
		free(c);
	}
}
