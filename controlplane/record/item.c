/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/item.h"

#include <assert.h>
#include <string.h>

/* ---- the check ---- */

struct head { /* of one item */
	uint64_t arg;
	unsigned major;
};

/* Reads a head at p[0..len); returns its size, or 0 with *st. */
static size_t read_head(const uint8_t *p, size_t len, struct head *h,
			enum vx6_status *st)
{
	/* the smallest argument that needs 1, 2, 4 or 8 bytes */
	static const uint64_t least[] = { 24, 0x100, 0x10000, 0x100000000 };

	*st = VX6_TRUNCATED;
	if (len == 0)
		return 0;
	unsigned info = p[0] & 31u;
	h->major = p[0] >> 5;
	h->arg = info;
	if (info < 24)
		return 1;
	*st = VX6_MALFORMED;
	if (info > 27 || h->major == 7)
		return 0; /* indefinite, reserved, a float, an odd simple */
	size_t n = (size_t)1 << (info - 24);
	if (len < 1 + n) {
		*st = VX6_TRUNCATED;
		return 0;
	}
	h->arg = 0;
	for (size_t i = 0; i < n; i++)
		h->arg = h->arg << 8 | p[1 + i];
	return h->arg < least[info - 24] ? 0 : 1 + n;
}

/* How many items follow inside; VX6_MALFORMED for what may not be there. */
static enum vx6_status inside(const struct head *h, uint64_t left,
			      uint64_t *items, uint64_t *skip)
{
	*items = 0;
	*skip = 0;
	switch (h->major) {
	case 0:
	case 1: return VX6_OK;
	case 2:
	case 3: *skip = h->arg; break;
	case 4: *items = h->arg; break;
	case 5:
		if (h->arg > left)
			return VX6_TRUNCATED;
		*items = 2 * h->arg;
		break;
	case 7: /* false, true, null */
		return h->arg >= 20 && h->arg <= 22 ? VX6_OK : VX6_MALFORMED;
	default: return VX6_MALFORMED; /* a tag */
	}
	return *skip > left || *items > left ? VX6_TRUNCATED : VX6_OK;
}

enum vx6_status item_check(const uint8_t *p, size_t len)
{
	uint64_t todo[ITEM_DEPTH + 1] = { 1 };
	unsigned depth = 0;
	size_t pos = 0;

	for (;;) {
		while (todo[depth] == 0) {
			if (depth == 0)
				return pos == len ? VX6_OK : VX6_MALFORMED;
			depth--;
		}
		struct head h;
		enum vx6_status st;
		uint64_t items, skip;
		size_t n = read_head(p + pos, len - pos, &h, &st);

		if (n == 0)
			return st;
		pos += n;
		todo[depth]--;
		st = inside(&h, len - pos, &items, &skip);
		if (st != VX6_OK)
			return st;
		pos += (size_t)skip;
		if (h.major == 4 || h.major == 5) {
			if (depth == ITEM_DEPTH)
				return VX6_MALFORMED;
			todo[++depth] = items;
		}
	}
}

/* ---- reading ---- */

void item_fail(struct item_in *in)
{
	if (in->st == VX6_OK)
		in->st = VX6_MALFORMED;
}

static void start(struct item_in *in, bool is_map)
{
	in->is_map = is_map;
	in->key = 0;
	in->seen = 0;
	in->cnt = 0;
	in->on_value = false;
}

static void open_item(struct item_in *in, const uint8_t *p, size_t len,
		      bool is_map)
{
	CborValue top;

	start(in, is_map);
	in->st = item_check(p, len);
	if (in->st != VX6_OK)
		return;
	if (cbor_parser_init(p, len, 0, &in->parser, &top) != CborNoError ||
	    cbor_value_get_type(&top) !=
		    (is_map ? CborMapType : CborArrayType) ||
	    cbor_value_enter_container(&top, &in->at) != CborNoError)
		item_fail(in);
}

void item_open(struct item_in *in, const uint8_t *p, size_t len)
{
	open_item(in, p, len, true);
}

void item_open_array(struct item_in *in, const uint8_t *p, size_t len)
{
	open_item(in, p, len, false);
}

static void child_of(struct item_in *in, struct item_in *child, bool is_map)
{
	start(child, is_map);
	child->parser = in->parser;
	child->at = in->at;
	if (in->st == VX6_OK &&
	    (cbor_value_get_type(&in->at) !=
		     (is_map ? CborMapType : CborArrayType) ||
	     cbor_value_enter_container(&in->at, &child->at) != CborNoError))
		item_fail(in);
	child->st = in->st;
}

void item_map(struct item_in *in, struct item_in *child)
{
	child_of(in, child, true);
}

void item_array(struct item_in *in, struct item_in *child)
{
	child_of(in, child, false);
}

void item_done(struct item_in *in, struct item_in *child, uint64_t need)
{
	enum vx6_status st = item_end(child, need);

	if (in->st == VX6_OK)
		in->st = st;
}

/* Takes the key at hand: unsigned, and above the one before. */
static bool take_key(struct item_in *in)
{
	uint64_t key;

	if (!cbor_value_is_unsigned_integer(&in->at) ||
	    cbor_value_get_uint64(&in->at, &key) != CborNoError ||
	    (in->cnt > 0 && key <= in->key) ||
	    cbor_value_advance_fixed(&in->at) != CborNoError) {
		item_fail(in);
		return false;
	}
	in->key = key;
	if (key < 64)
		in->seen |= ITEM_NEED(key);
	return true;
}

bool item_next(struct item_in *in)
{
	if (in->st == VX6_OK && in->on_value &&
	    cbor_value_advance(&in->at) != CborNoError)
		item_fail(in);
	in->on_value = false;
	if (in->st != VX6_OK || cbor_value_at_end(&in->at))
		return false;
	if (in->is_map) {
		if (!take_key(in))
			return false;
	} else {
		in->key = in->cnt;
	}
	in->cnt++;
	in->on_value = true;
	return true;
}

enum vx6_status item_end(struct item_in *in, uint64_t need)
{
	if (in->st == VX6_OK && (in->seen & need) != need)
		item_fail(in);
	return in->st;
}

void item_u64(struct item_in *in, uint64_t min, uint64_t max, uint64_t *v)
{
	uint64_t got;

	if (in->st != VX6_OK)
		return;
	if (!cbor_value_is_unsigned_integer(&in->at) ||
	    cbor_value_get_uint64(&in->at, &got) != CborNoError || got < min ||
	    got > max)
		item_fail(in);
	else
		*v = got;
}

void item_u32(struct item_in *in, uint32_t min, uint32_t max, uint32_t *v)
{
	uint64_t got = *v;

	item_u64(in, min, max, &got);
	*v = (uint32_t)got;
}

void item_u16(struct item_in *in, uint16_t min, uint16_t max, uint16_t *v)
{
	uint64_t got = *v;

	item_u64(in, min, max, &got);
	*v = (uint16_t)got;
}

/* The string at hand, of that type; item_check has seen that it is whole
 * and in one piece. */
static bool take_string(struct item_in *in, CborType type, const void **p,
			size_t *len)
{
	CborValue it = in->at;

	if (in->st != VX6_OK)
		return false;
	if (cbor_value_get_type(&it) != type ||
	    cbor_value_begin_string_iteration(&it) != CborNoError ||
	    _cbor_value_get_string_chunk(&it, p, len, &it) != CborNoError) {
		item_fail(in);
		return false;
	}
	return true;
}

void item_bytes(struct item_in *in, size_t min, size_t max, const uint8_t **p,
		size_t *len)
{
	const void *got;
	size_t n;

	if (!take_string(in, CborByteStringType, &got, &n))
		return;
	if (n < min || n > max) {
		item_fail(in);
		return;
	}
	*p = got;
	*len = n;
}

void item_fixed(struct item_in *in, uint8_t *out, size_t len)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	item_bytes(in, len, len, &p, &n);
	if (p != NULL)
		memcpy(out, p, len);
}

void item_text(struct item_in *in, char *out, size_t cap)
{
	const void *got;
	size_t n;

	if (!take_string(in, CborTextStringType, &got, &n))
		return;
	const uint8_t *p = got;
	if (n == 0 || n >= cap)
		item_fail(in);
	for (size_t i = 0; in->st == VX6_OK && i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			item_fail(in);
	if (in->st != VX6_OK)
		return;
	memcpy(out, p, n);
	out[n] = '\0';
}

bool item_is_null(struct item_in *in)
{
	return in->st == VX6_OK && cbor_value_is_null(&in->at);
}

bool item_is_text(const struct item_in *in)
{
	return in->st == VX6_OK && cbor_value_is_text_string(&in->at);
}

/* ---- writing ---- */

static CborEncoder *top(struct item_out *o)
{
	return &o->level[o->depth];
}

static void note(struct item_out *o, CborError err)
{
	o->full = o->full || err != CborNoError;
}

void item_begin(struct item_out *o, uint8_t *buf, size_t cap)
{
	o->start = buf;
	o->depth = 0;
	o->full = false;
	cbor_encoder_init(top(o), buf, cap, 0);
}

enum vx6_status item_finish(struct item_out *o, size_t *len)
{
	assert(o->depth == 0); /* every map and array was ended */
	if (o->full)
		return VX6_BAD_SIZE;
	*len = cbor_encoder_get_buffer_size(top(o), o->start);
	return VX6_OK;
}

void item_put_map(struct item_out *o, size_t pairs)
{
	assert(o->depth + 1 < ITEM_DEPTH);
	note(o, cbor_encoder_create_map(top(o), top(o) + 1, pairs));
	o->depth++;
}

void item_put_array(struct item_out *o, size_t n)
{
	assert(o->depth + 1 < ITEM_DEPTH);
	note(o, cbor_encoder_create_array(top(o), top(o) + 1, n));
	o->depth++;
}

void item_put_up(struct item_out *o)
{
	assert(o->depth > 0);
	o->depth--;
	note(o, cbor_encoder_close_container_checked(top(o), top(o) + 1));
}

void item_put_u64(struct item_out *o, uint64_t v)
{
	note(o, cbor_encode_uint(top(o), v));
}

void item_put_null(struct item_out *o)
{
	note(o, cbor_encode_null(top(o)));
}

void item_put_bytes(struct item_out *o, const uint8_t *p, size_t len)
{
	static const uint8_t none;

	note(o, cbor_encode_byte_string(top(o), p != NULL ? p : &none, len));
}

void item_put_text(struct item_out *o, const char *s)
{
	note(o, cbor_encode_text_stringz(top(o), s));
}
