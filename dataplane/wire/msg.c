/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/wire/msg.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire/link.h"

#define START_BITS 46u /* section 4: 48 with the two top bits cleared */

enum state { ST_HEADER, ST_ASKED, ST_BODY, ST_SKIP, ST_BROKEN };

static const struct {
	const char *name;
	uint32_t least, most;
} kind[] = {
#define X(word, no, fewest, longest)                                           \
	[no] = { .name = #word, .least = (fewest), .most = (longest) },
	VX6_MSG_LIST(X)
#undef X
};

static bool is_known(unsigned type)
{
	return type < VX6_COUNT(kind) && kind[type].name != NULL;
}

const char *vx6_msg_name(unsigned type)
{
	return is_known(type) ? kind[type].name : "unknown";
}

/* ---- framing ---- */

void vx6_msg_reader_init(struct vx6_msg_reader *r)
{
	*r = (struct vx6_msg_reader){ .state = ST_HEADER };
}

static bool len_fits(unsigned type, uint32_t len)
{
	if (len > VX6_MSG_MAX)
		return false;
	if (!is_known(type))
		return true;
	if (type == VX6_MSG_CIRCUITS && len % 8u != 0)
		return false;
	return len >= kind[type].least && len <= kind[type].most;
}

static uint32_t least(uint32_t want, size_t have)
{
	return have < want ? (uint32_t)have : want;
}

static enum vx6_status header(struct vx6_msg_reader *r, const uint8_t *in,
			      size_t len, size_t *used, enum vx6_msg_step *step)
{
	uint32_t n = least(VX6_MSG_HDR - r->got, len);

	if (n > 0)
		memcpy(r->hdr + r->got, in, n);
	r->got += n;
	*used += n;
	if (r->got < VX6_MSG_HDR)
		return VX6_OK;
	r->got = 0;
	r->type = vx6_get16(r->hdr);
	r->len = vx6_get32(r->hdr + 2);
	if (!len_fits(r->type, r->len)) {
		r->state = ST_BROKEN;
		return VX6_BAD_SIZE;
	}
	if (is_known(r->type)) {
		r->state = ST_ASKED;
		*step = VX6_MSG_HEAD;
		return VX6_OK;
	}
	r->skipped++;
	r->state = r->len > 0 ? ST_SKIP : ST_HEADER;
	return VX6_OK;
}

static void body(struct vx6_msg_reader *r, const uint8_t *in, size_t len,
		 size_t *used, enum vx6_msg_step *step)
{
	uint32_t n = least(r->len - r->got, len);

	if (r->state == ST_BODY && n > 0)
		memcpy(r->body + r->got, in, n);
	r->got += n;
	*used += n;
	if (r->got < r->len)
		return;
	if (r->state == ST_BODY) {
		r->messages++;
		*step = VX6_MSG_DONE;
	}
	r->got = 0;
	r->state = ST_HEADER;
}

enum vx6_status vx6_msg_read(struct vx6_msg_reader *r, const uint8_t *in,
			     size_t len, size_t *used, enum vx6_msg_step *step)
{
	enum vx6_status st = VX6_OK;

	*used = 0;
	*step = VX6_MSG_MORE;
	if (r->state == ST_BROKEN || r->state == ST_ASKED)
		return VX6_BAD_STATE;
	while (st == VX6_OK && *step == VX6_MSG_MORE && *used < len) {
		const uint8_t *at = in + *used;
		size_t left = len - *used;

		switch ((enum state)r->state) {
		case ST_HEADER: st = header(r, at, left, used, step); break;
		case ST_BODY:
		case ST_SKIP: body(r, at, left, used, step); break;
		case ST_ASKED:
		case ST_BROKEN: return VX6_BAD_STATE;
		}
	}
	return st;
}

void vx6_msg_into(struct vx6_msg_reader *r, uint8_t *to)
{
	assert(r->state == ST_ASKED);
	r->body = to;
	r->state = to != NULL ? ST_BODY : ST_SKIP;
}

void vx6_msg_header(uint8_t out[VX6_MSG_HDR], enum vx6_msg_type type,
		    uint32_t len)
{
	assert(len_fits(type, len));
	vx6_put16(out, (uint16_t)type);
	vx6_put32(out + 2, len);
}

/* ---- reasons ---- */

static const char *text_of(const char *const text[], unsigned n,
			   unsigned reason)
{
	if (reason < n && text[reason] != NULL)
		return text[reason];
	return "reason not known here";
}

#define X(name, no, str) [no] = (str),
const char *vx6_fail_text(unsigned reason)
{
	static const char *const text[] = { VX6_FAIL_LIST(X) };

	return text_of(text, VX6_COUNT(text), reason);
}

const char *vx6_destroy_text(unsigned reason)
{
	static const char *const text[] = { VX6_DESTROY_LIST(X) };

	return text_of(text, VX6_COUNT(text), reason);
}
#undef X

enum vx6_created_code vx6_fail_code(unsigned reason)
{
	return reason == VX6_FAIL_UNKNOWN_KEY ? VX6_CREATED_NEXT_NO_KEY
					      : VX6_CREATED_NEXT_REFUSED;
}

/* ---- fixed bodies ---- */

static bool is_link(uint32_t index)
{
	return index != 0 && index <= VX6_LINK_INDEX_MAX;
}

enum vx6_status vx6_msg_create_parse(struct vx6_msg_create *m, const uint8_t *p,
				     size_t len)
{
	if (len != VX6_MSG_CREATE_LEN)
		return VX6_BAD_SIZE;
	*m = (struct vx6_msg_create){ .link = vx6_get32(p),
				      .handshake = p[4],
				      .kid = vx6_get32(p + 5),
				      .back_id = vx6_get32(p + 9),
				      .onion = p + 13 };
	return is_link(m->link) && m->back_id != 0 ? VX6_OK : VX6_MALFORMED;
}

void vx6_msg_create_emit(uint8_t p[VX6_MSG_CREATE_LEN],
			 const struct vx6_msg_create *m)
{
	vx6_put32(p, m->link);
	p[4] = m->handshake;
	vx6_put32(p + 5, m->kid);
	vx6_put32(p + 9, m->back_id);
	memmove(p + 13, m->onion, VX6_ONION_LEN);
}

enum vx6_status vx6_msg_created_parse(struct vx6_msg_created *m,
				      const uint8_t *p, size_t len)
{
	if (len != VX6_MSG_CREATED_LEN)
		return VX6_BAD_SIZE;
	*m = (struct vx6_msg_created){ .back_id = vx6_get32(p),
				       .forward_id = vx6_get32(p + 4),
				       .back_start = vx6_get48(p + 8),
				       .reply = p + 14 };
	if (m->back_id == 0 || m->forward_id == 0 ||
	    m->back_start >> START_BITS != 0)
		return VX6_MALFORMED;
	return VX6_OK;
}

void vx6_msg_created_emit(uint8_t p[VX6_MSG_CREATED_LEN],
			  const struct vx6_msg_created *m)
{
	vx6_put32(p, m->back_id);
	vx6_put32(p + 4, m->forward_id);
	vx6_put48(p + 8, m->back_start);
	memmove(p + 14, m->reply, VX6_REPLY_LEN);
}

enum vx6_status vx6_msg_fail_parse(struct vx6_msg_fail *m, const uint8_t *p,
				   size_t len)
{
	if (len != VX6_MSG_FAIL_LEN)
		return VX6_BAD_SIZE;
	*m = (struct vx6_msg_fail){ .back_id = vx6_get32(p), .reason = p[4] };
	return m->back_id != 0 ? VX6_OK : VX6_MALFORMED;
}

void vx6_msg_fail_emit(uint8_t p[VX6_MSG_FAIL_LEN],
		       const struct vx6_msg_fail *m)
{
	vx6_put32(p, m->back_id);
	p[4] = m->reason;
}

enum vx6_status vx6_msg_destroy_parse(struct vx6_msg_destroy *m,
				      const uint8_t *p, size_t len)
{
	if (len != VX6_MSG_DESTROY_LEN)
		return VX6_BAD_SIZE;
	*m = (struct vx6_msg_destroy){ .id = vx6_get32(p), .reason = p[4] };
	return m->id != 0 ? VX6_OK : VX6_MALFORMED;
}

void vx6_msg_destroy_emit(uint8_t p[VX6_MSG_DESTROY_LEN],
			  const struct vx6_msg_destroy *m)
{
	vx6_put32(p, m->id);
	p[4] = m->reason;
}

enum vx6_status vx6_msg_destroyed_parse(uint32_t *id, const uint8_t *p,
					size_t len)
{
	if (len != VX6_MSG_DESTROYED_LEN)
		return VX6_BAD_SIZE;
	*id = vx6_get32(p);
	return *id != 0 ? VX6_OK : VX6_MALFORMED;
}

void vx6_msg_destroyed_emit(uint8_t p[VX6_MSG_DESTROYED_LEN], uint32_t id)
{
	vx6_put32(p, id);
}

enum vx6_status vx6_msg_circuits_parse(struct vx6_msg_circuits *m,
				       const uint8_t *p, size_t len)
{
	if (len < VX6_MSG_CIRCUITS_HDR || len > VX6_MSG_MAX || len % 8u != 0)
		return VX6_BAD_SIZE;
	*m = (struct vx6_msg_circuits){
		.link = vx6_get32(p),
		.part = vx6_get16(p + 4),
		.parts = vx6_get16(p + 6),
		.n = (uint32_t)(len - VX6_MSG_CIRCUITS_HDR) / 8u,
		.pairs = p + VX6_MSG_CIRCUITS_HDR,
	};
	if (!is_link(m->link) || m->part >= m->parts ||
	    m->parts > VX6_MSG_PARTS_MAX)
		return VX6_MALFORMED;
	return VX6_OK;
}

enum vx6_status vx6_msg_pair_at(const struct vx6_msg_circuits *m, uint32_t i,
				struct vx6_msg_pair *pair)
{
	if (i >= m->n)
		return VX6_TRUNCATED;
	pair->in = vx6_get32(m->pairs + 8u * (size_t)i);
	pair->out = vx6_get32(m->pairs + 8u * (size_t)i + 4u);
	return pair->in != 0 && pair->out != 0 ? VX6_OK : VX6_MALFORMED;
}

size_t vx6_msg_circuits_emit(uint8_t *p, const struct vx6_msg_circuits *m,
			     const struct vx6_msg_pair pair[], uint32_t n)
{
	assert(n <= VX6_MSG_PAIRS_MAX);
	vx6_put32(p, m->link);
	vx6_put16(p + 4, m->part);
	vx6_put16(p + 6, m->parts);
	p += VX6_MSG_CIRCUITS_HDR;
	for (uint32_t i = 0; i < n; i++, p += 8) {
		vx6_put32(p, pair[i].in);
		vx6_put32(p + 4, pair[i].out);
	}
	return VX6_MSG_CIRCUITS_HDR + 8u * (size_t)n;
}
