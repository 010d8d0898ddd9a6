/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/ctl.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/cell.h"
#include "dataplane/wire/zero.h"

_Static_assert(VX6_CTL_MAX == VX6_CELL_MAX - VX6_CELL_HDR - 16u,
	       "one layer's plaintext in the longest cell");

/* The lengths that a body may have, by type; DHT with its own header. */
static const struct {
	const char *name;
	uint16_t least, most;
} kind[VX6_CTL_TYPE_CNT] = {
	/* clang-format off */
	[VX6_CTL_MET]         = { "met",         64,  64 },
	[VX6_CTL_INTRODUCED]  = { "introduced", 496, 496 },
	[VX6_CTL_FAILED]      = { "failed",       1,   1 },
	[VX6_CTL_PING]        = { "ping",         8,   8 },
	[VX6_CTL_PONG]        = { "pong",         8,   8 },
	[VX6_CTL_DHT_ASK]     = { "dht-ask",    VX6_CTL_DHT_HDR,
				  VX6_CTL_MAX - VX6_CTL_HDR },
	[VX6_CTL_DHT_ANSWER]  = { "dht-answer", VX6_CTL_DHT_HDR,
				  VX6_CTL_MAX - VX6_CTL_HDR },
	[VX6_CTL_ESTABLISHED] = { "established", 16,  16 },
	[VX6_CTL_ACK]         = { "ack",         16,  16 },
	/* clang-format on */
};

static bool is_known(unsigned type)
{
	return type != 0 && type < VX6_CTL_TYPE_CNT;
}

static bool is_dht(unsigned type)
{
	return type == VX6_CTL_DHT_ASK || type == VX6_CTL_DHT_ANSWER;
}

const char *vx6_ctl_name(unsigned type)
{
	return is_known(type) ? kind[type].name : "unknown";
}

static enum vx6_status fields_hold(const struct vx6_ctl *c)
{
	if (is_dht(c->type) && (c->parts == 0 || c->parts > VX6_CTL_DHT_PART ||
				c->part >= c->parts))
		return VX6_MALFORMED;
	if (c->type == VX6_CTL_FAILED && c->code == 0)
		return VX6_MALFORMED;
	return VX6_OK;
}

enum vx6_status vx6_ctl_parse(struct vx6_ctl *c, const uint8_t *p, size_t len)
{
	struct vx6_ctl got = { 0 };
	enum vx6_status st;

	if (len > VX6_CTL_MAX)
		return VX6_BAD_SIZE;
	if (len < VX6_CTL_HDR)
		return VX6_TRUNCATED;
	got.type = p[0];
	got.len = vx6_get16(p + 1);
	got.body = p + VX6_CTL_HDR;
	if (!is_known(got.type))
		return VX6_BAD_KIND;
	if (got.len < kind[got.type].least || got.len > kind[got.type].most)
		return VX6_BAD_SIZE;
	if (got.len > len - VX6_CTL_HDR)
		return VX6_TRUNCATED;
	if (!vx6_all_zero(got.body + got.len, len - VX6_CTL_HDR - got.len))
		return VX6_MALFORMED;
	if (got.type == VX6_CTL_FAILED)
		got.code = got.body[0];
	if (is_dht(got.type)) {
		got.id = vx6_get16(got.body);
		got.part = got.body[2];
		got.parts = got.body[3];
		got.body += VX6_CTL_DHT_HDR;
		got.len = (uint16_t)(got.len - VX6_CTL_DHT_HDR);
	}
	st = fields_hold(&got);
	if (st == VX6_OK)
		*c = got;
	return st;
}

enum vx6_status vx6_ctl_emit(uint8_t *p, size_t cap, size_t size,
			     const struct vx6_ctl *c, size_t *out)
{
	size_t head = VX6_CTL_HDR + (is_dht(c->type) ? VX6_CTL_DHT_HDR : 0);
	size_t body = c->type == VX6_CTL_FAILED ? 1 : c->len;
	size_t whole = head + body;
	enum vx6_status st;

	if (!is_known(c->type))
		return VX6_BAD_KIND;
	if (whole - VX6_CTL_HDR < kind[c->type].least ||
	    whole - VX6_CTL_HDR > kind[c->type].most)
		return VX6_BAD_SIZE;
	if (size == 0)
		size = whole;
	if (size < whole || size > cap || size > VX6_CTL_MAX)
		return VX6_BAD_SIZE;
	st = fields_hold(c);
	if (st != VX6_OK)
		return st;
	if (c->type == VX6_CTL_FAILED)
		p[head] = c->code;
	else if (body > 0 && c->body != p + head)
		memmove(p + head, c->body, body);
	p[0] = c->type;
	vx6_put16(p + 1, (uint16_t)(whole - VX6_CTL_HDR));
	if (is_dht(c->type)) {
		vx6_put16(p + 3, c->id);
		p[5] = c->part;
		p[6] = c->parts;
	}
	memset(p + whole, 0, size - whole);
	*out = size;
	return VX6_OK;
}
