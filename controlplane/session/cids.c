/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/session/cids.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum vx6_status quic_cids_init(struct quic_cids *t, size_t conns)
{
	size_t n = 64;

	while (n < conns * 4)
		n *= 2;
	*t = (struct quic_cids){ .mask = n - 1 };
	t->bucket = calloc(n, sizeof(*t->bucket));
	if (!t->bucket)
		return VX6_NO_MEMORY;
	randombytes_buf(t->key, sizeof(t->key));
	return VX6_OK;
}

void quic_cids_free(struct quic_cids *t)
{
	free((void *)t->bucket);
	sodium_memzero(t, sizeof(*t));
}

static struct quic_cid **bucket_of(const struct quic_cids *t,
				   enum quic_cid_kind kind, const uint8_t *data,
				   size_t len)
{
	uint8_t h[crypto_shorthash_BYTES];
	uint64_t v;

	crypto_shorthash(h, data, len, t->key);
	memcpy(&v, h, sizeof(v));
	return &t->bucket[(v + kind) & t->mask];
}

static bool is_same(const struct quic_cid *c, enum quic_cid_kind kind,
		    const uint8_t *data, size_t len)
{
	return c->kind == kind && c->len == len &&
	       memcmp(c->data, data, len) == 0;
}

enum vx6_status quic_cids_add(struct quic_cids *t, struct quic_cid **mine,
			      struct quic_conn *conn, enum quic_cid_kind kind,
			      const uint8_t *data, size_t len)
{
	unsigned cnt = 0;

	if (len > sizeof(((struct quic_cid *)NULL)->data))
		return VX6_BAD_SIZE;
	if (quic_cids_find(t, kind, data, len))
		return VX6_EXISTS;
	for (const struct quic_cid *c = *mine; c; c = c->mine)
		cnt++;
	if (cnt >= QUIC_CIDS_PER_CONN)
		return VX6_NO_ROOM;
	struct quic_cid *c = calloc(1, sizeof(*c));
	if (!c)
		return VX6_NO_MEMORY;
	struct quic_cid **b = bucket_of(t, kind, data, len);
	*c = (struct quic_cid){ .next = *b,
				.mine = *mine,
				.conn = conn,
				.kind = (uint8_t)kind,
				.len = (uint8_t)len };
	memcpy(c->data, data, len);
	*b = c;
	*mine = c;
	return VX6_OK;
}

static void take_out(struct quic_cids *t, struct quic_cid *c)
{
	struct quic_cid **at = bucket_of(t, (enum quic_cid_kind)c->kind,
					 c->data, c->len);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

void quic_cids_drop(struct quic_cids *t, struct quic_cid **mine,
		    enum quic_cid_kind kind, const uint8_t *data, size_t len)
{
	for (struct quic_cid **at = mine; *at; at = &(*at)->mine) {
		struct quic_cid *c = *at;

		if (!is_same(c, kind, data, len))
			continue;
		*at = c->mine;
		take_out(t, c);
		return;
	}
}

void quic_cids_drop_all(struct quic_cids *t, struct quic_cid **mine)
{
	while (*mine) {
		struct quic_cid *c = *mine;

		*mine = c->mine;
		take_out(t, c);
	}
}

struct quic_conn *quic_cids_find(const struct quic_cids *t,
				 enum quic_cid_kind kind, const uint8_t *data,
				 size_t len)
{
	for (const struct quic_cid *c = *bucket_of(t, kind, data, len); c;
	     c = c->next) {
		if (is_same(c, kind, data, len))
			return c->conn;
	}
	return NULL;
}
