/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/chan.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/node/tunnel.h"
#include "controlplane/record/message.h"
#include "dataplane/base/bytes.h"

#define BUF_LEN (VX6_LEG_FRONT + VX6_CHANNEL_MAX + VX6_LEG_BACK)

static const uint8_t prefix[7] = { 0xfd, 0x76, 0x78, 0x36, 0, 0, 0 };

enum { SIDE_HERE = 1, SIDE_THERE = 2 };

enum vx6_status chan_open(struct chan *ch, struct node *n,
			  const struct chan_ops *ops, void *owner, uint16_t d)
{
	*ch = (struct chan){ .node = n, .ops = ops, .owner = owner, .d = d };
	ch->id = ids_take(&n->chans, ch, 0);
	if (ch->id == 0)
		return VX6_NO_ROOM;
	chan_renew(ch);
	ch->rx_ns = loop_now(n->loop);
	return VX6_OK;
}

void chan_close(struct chan *ch)
{
	if (ch->id == 0)
		return;
	ids_give(&ch->node->chans, ch->id);
	ch->id = 0;
	free(ch->joiner);
	ch->joiner = NULL;
}

void chan_renew(struct chan *ch)
{
	ch->serial = ++ch->node->chan_serial;
}

static void pseudo(const struct chan *ch, uint8_t side, struct vx6_addr *a)
{
	*a = (struct vx6_addr){ .port = 1 };
	memcpy(a->ip, prefix, sizeof(prefix));
	a->ip[7] = side;
	vx6_put32(a->ip + 8, ch->serial);
	vx6_put32(a->ip + 12, ch->id);
}

void chan_path(const struct chan *ch, struct quic_path *path)
{
	pseudo(ch, SIDE_HERE, &path->local);
	pseudo(ch, SIDE_THERE, &path->remote);
}

bool chan_is_pseudo(const struct vx6_addr *addr)
{
	return memcmp(addr->ip, prefix, sizeof(prefix)) == 0;
}

struct chan *chan_of(struct node *n, const struct vx6_addr *addr)
{
	struct ids_slot *s;

	if (!chan_is_pseudo(addr))
		return NULL;
	s = ids_find(&n->chans, vx6_get32(addr->ip + 12));
	return s ? s->owner : NULL;
}

static enum vx6_status seal(struct chan *ch, uint8_t *buf, size_t len)
{
	ch->cells_out++;
	return ch->ops->seal(ch->owner, VX6_KIND_DATA, buf, len);
}

static enum vx6_status send_half(struct chan *ch, const uint8_t *data,
				 size_t len, bool second)
{
	uint8_t buf[BUF_LEN];
	size_t half = second ? len / 2 : (len + 1) / 2;
	enum vx6_status st;

	st = vx6_channel_emit_half(buf + VX6_LEG_FRONT, VX6_CHANNEL_HDR + half,
				   data, len, second);
	if (st != VX6_OK)
		return st;
	return seal(ch, buf, VX6_CHANNEL_HDR + half);
}

enum vx6_status chan_send(struct chan *ch, const uint8_t *data, size_t len)
{
	uint8_t buf[BUF_LEN];
	enum vx6_status st;

	switch (vx6_channel_cells(len, ch->d)) {
	case 1:
		st = vx6_channel_emit(buf + VX6_LEG_FRONT,
				      VX6_CHANNEL_HDR + len,
				      VX6_CHANNEL_DATAGRAM, data, len);
		return st == VX6_OK ? seal(ch, buf, VX6_CHANNEL_HDR + len) : st;
	case 2:
		st = send_half(ch, data, len, false);
		return st == VX6_OK ? send_half(ch, data, len, true) : st;
	default: return VX6_BAD_SIZE;
	}
}

static enum vx6_status send_token(struct chan *ch, enum vx6_channel_type type,
				  uint32_t token)
{
	uint8_t buf[BUF_LEN];
	enum vx6_status st = vx6_channel_emit_token(
		buf + VX6_LEG_FRONT, VX6_CHANNEL_HDR + 4u, type, token);

	return st == VX6_OK ? seal(ch, buf, VX6_CHANNEL_HDR + 4u) : st;
}

enum vx6_status chan_ping(struct chan *ch, uint32_t token)
{
	return send_token(ch, VX6_CHANNEL_PING, token);
}

enum vx6_status chan_tell_d(struct chan *ch)
{
	struct msg_channel m = { .d = ch->d };
	uint8_t buf[BUF_LEN], cbor[MSG_CHANNEL_MAX];
	size_t len;
	enum vx6_status st = msg_channel_emit(&m, cbor, sizeof(cbor), &len);

	if (st == VX6_OK)
		st = vx6_channel_emit(buf + VX6_LEG_FRONT,
				      VX6_CHANNEL_HDR + len,
				      VX6_CHANNEL_CONTROL, cbor, len);
	return st == VX6_OK ? seal(ch, buf, VX6_CHANNEL_HDR + len) : st;
}

static enum vx6_status to_quic(struct chan *ch, uint8_t *data, size_t len)
{
	struct node *n = ch->node;
	struct tunnel *t = ch->tunnel;
	struct quic_path path;
	enum vx6_status st;

	tunnel_path(t, ch, &path);
	st = quic_read(n->quic, &path, 0, data, len, loop_now(n->loop));
	if (st == VX6_OK && t && ch->id)
		tunnel_received(t, ch);
	return st;
}

static enum vx6_status half_in(struct chan *ch, const struct vx6_channel_msg *m,
			       uint64_t ctr)
{
	uint8_t whole[VX6_DATAGRAM_MAX];
	const uint8_t *dgram;
	size_t len;
	enum vx6_status st;

	if (!ch->joiner) {
		ch->joiner = malloc(sizeof(*ch->joiner));
		if (!ch->joiner)
			return VX6_NO_ROOM;
		vx6_joiner_init(ch->joiner);
	}
	st = vx6_joiner_put(ch->joiner, m, ctr, loop_now(ch->node->loop),
			    &dgram, &len);
	if (st != VX6_OK || !dgram)
		return st;
	memcpy(whole, dgram, len);
	return to_quic(ch, whole, len);
}

/* The other end says how much fits: we may use no more than that. */
static enum vx6_status control_in(struct chan *ch,
				  const struct vx6_channel_msg *m)
{
	struct msg_channel c;
	enum vx6_status st = msg_channel_parse(m->data, m->len, &c);

	if (st != VX6_OK || c.d == 0 || ch->tunnel)
		return st; /* a client knows its own circuit better */
	ch->d = c.d;
	tunnel_d_known(ch->node, ch);
	return VX6_OK;
}

enum vx6_status chan_input(struct chan *ch, uint8_t *plain, size_t len,
			   uint64_t ctr)
{
	struct vx6_channel_msg m;
	enum vx6_status st = vx6_channel_parse(&m, plain, len);

	if (st != VX6_OK)
		return st;
	ch->cells_in++;
	ch->rx_ns = loop_now(ch->node->loop);
	switch ((enum vx6_channel_type)m.type) {
	case VX6_CHANNEL_DATAGRAM:
		return to_quic(ch, plain + (m.data - plain), m.len);
	case VX6_CHANNEL_FIRST:
	case VX6_CHANNEL_SECOND: return half_in(ch, &m, ctr);
	case VX6_CHANNEL_CONTROL: return control_in(ch, &m);
	case VX6_CHANNEL_PING: return send_token(ch, VX6_CHANNEL_PONG, m.token);
	case VX6_CHANNEL_PONG:
		if (ch->tunnel)
			tunnel_pong(ch->tunnel, ch, m.token);
		return VX6_OK;
	case VX6_CHANNEL_COVER:
	case VX6_CHANNEL_TYPE_CNT: break;
	}
	return VX6_OK;
}
