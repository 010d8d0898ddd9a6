/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/record.h"

#include <sodium.h>
#include <string.h>

#include "controlplane/record/item.h"
#include "dataplane/wire/kdf.h"

#define PREFIX_LEN 13u

/* with its NUL: section 12 of PROTOCOL.md */
static const char prefix[PREFIX_LEN] = "vx6/1 record";

enum { /* envelope.cddl */
       KEY_TYPE = 1,
       KEY_VERSION = 2,
       KEY_PUBLISHER = 3,
       KEY_SEQUENCE = 4,
       KEY_ISSUED = 5,
       KEY_EXPIRES = 6,
       KEY_BODY = 7,
       KEY_CERTIFICATE = 8
};

#define NEEDED                                                                 \
	(ITEM_NEED(KEY_TYPE) | ITEM_NEED(KEY_VERSION) |                        \
	 ITEM_NEED(KEY_PUBLISHER) | ITEM_NEED(KEY_SEQUENCE) |                  \
	 ITEM_NEED(KEY_ISSUED) | ITEM_NEED(KEY_EXPIRES) |                      \
	 ITEM_NEED(KEY_BODY) | ITEM_NEED(KEY_CERTIFICATE))

/* ---- writing ---- */

static enum vx6_status emit_signed(const struct identity *id,
				   const struct record_env *e, uint8_t *out,
				   size_t cap, size_t *len)
{
	struct item_out o;

	item_begin(&o, out, cap);
	item_put_map(&o, 8);
	item_put_u64(&o, KEY_TYPE);
	item_put_u64(&o, e->type);
	item_put_u64(&o, KEY_VERSION);
	item_put_u64(&o, RECORD_VERSION);
	item_put_u64(&o, KEY_PUBLISHER);
	item_put_bytes(&o, id->public_key, sizeof(id->public_key));
	item_put_u64(&o, KEY_SEQUENCE);
	item_put_u64(&o, e->sequence);
	item_put_u64(&o, KEY_ISSUED);
	item_put_u64(&o, e->issued);
	item_put_u64(&o, KEY_EXPIRES);
	item_put_u64(&o, e->expires);
	item_put_u64(&o, KEY_BODY);
	item_put_bytes(&o, e->body, e->body_len);
	item_put_u64(&o, KEY_CERTIFICATE);
	item_put_null(&o);
	item_put_up(&o);
	return item_finish(&o, len);
}

enum vx6_status record_sign(const struct identity *id, enum record_type type,
			    uint64_t sequence, uint64_t issued,
			    uint64_t expires, const uint8_t *body,
			    size_t body_len, uint8_t *out, size_t cap,
			    size_t *len)
{
	const struct record_env e = { .type = type,
				      .sequence = sequence,
				      .issued = issued,
				      .expires = expires,
				      .body = body,
				      .body_len = body_len };
	uint8_t msg[PREFIX_LEN + RECORD_MAX];
	uint8_t signature[crypto_sign_BYTES];
	struct item_out o;
	size_t n;

	if (expires <= issued)
		return VX6_MALFORMED;
	memcpy(msg, prefix, PREFIX_LEN);
	enum vx6_status st = emit_signed(id, &e, msg + PREFIX_LEN, RECORD_MAX,
					 &n);
	if (st != VX6_OK)
		return st;
	identity_sign(id, msg, PREFIX_LEN + n, signature);
	item_begin(&o, out, cap < RECORD_MAX ? cap : RECORD_MAX);
	item_put_array(&o, 2);
	item_put_bytes(&o, msg + PREFIX_LEN, n);
	item_put_bytes(&o, signature, sizeof(signature));
	item_put_up(&o);
	return item_finish(&o, len);
}

/* ---- reading ---- */

/* Finds the two byte strings of the outer array. */
static enum vx6_status parse_outer(const uint8_t *bytes, size_t len,
				   const uint8_t **part, size_t *part_len,
				   uint8_t signature[crypto_sign_BYTES])
{
	struct item_in in;

	item_open_array(&in, bytes, len);
	while (item_next(&in)) {
		if (in.key == 0)
			item_bytes(&in, 1, RECORD_MAX, part, part_len);
		else if (in.key == 1)
			item_fixed(&in, signature, crypto_sign_BYTES);
		else
			item_fail(&in);
	}
	if (in.st == VX6_OK && in.cnt != 2)
		item_fail(&in);
	return in.st;
}

static enum vx6_status parse_signed(const uint8_t *p, size_t len,
				    struct record_env *env)
{
	struct item_in in;
	uint32_t version = 0;
	bool certified = false;

	item_open(&in, p, len);
	while (item_next(&in)) {
		switch (in.key) {
		case KEY_TYPE: item_u32(&in, 0, UINT32_MAX, &env->type); break;
		case KEY_VERSION: item_u32(&in, 0, UINT32_MAX, &version); break;
		case KEY_PUBLISHER: item_fixed(&in, env->publisher, 32); break;
		case KEY_SEQUENCE:
			item_u64(&in, 0, INT64_MAX, &env->sequence);
			break;
		case KEY_ISSUED:
			item_u64(&in, 0, UINT32_MAX, &env->issued);
			break;
		case KEY_EXPIRES:
			item_u64(&in, 0, UINT32_MAX, &env->expires);
			break;
		case KEY_BODY:
			item_bytes(&in, 0, RECORD_MAX, &env->body,
				   &env->body_len);
			break;
		case KEY_CERTIFICATE: certified = !item_is_null(&in); break;
		}
		/* What a later version means by its fields is not ours. */
		if (in.key == KEY_VERSION && in.st == VX6_OK &&
		    version != RECORD_VERSION)
			return VX6_BAD_VERSION;
	}
	enum vx6_status st = item_end(&in, NEEDED);
	if (st != VX6_OK)
		return st;
	if (env->expires <= env->issued)
		return VX6_MALFORMED;
	return certified ? VX6_UNSUPPORTED : VX6_OK;
}

static enum vx6_status check_signature(const uint8_t *p, size_t len,
				       const uint8_t publisher[32],
				       const uint8_t signature[64])
{
	uint8_t msg[PREFIX_LEN + RECORD_MAX];

	memcpy(msg, prefix, PREFIX_LEN);
	memcpy(msg + PREFIX_LEN, p, len);
	if (crypto_sign_verify_detached(signature, msg, PREFIX_LEN + len,
					publisher) != 0)
		return VX6_BAD_SIGNATURE;
	return VX6_OK;
}

enum vx6_status record_verify(const uint8_t *bytes, size_t len,
			      struct record_env *env)
{
	uint8_t signature[crypto_sign_BYTES] = { 0 };
	const uint8_t *part = bytes;
	size_t part_len = 0;

	if (len > RECORD_MAX)
		return VX6_BAD_SIZE;
	*env = (struct record_env){ .bytes = bytes, .len = len };
	enum vx6_status st = parse_outer(bytes, len, &part, &part_len,
					 signature);
	if (st == VX6_OK)
		st = parse_signed(part, part_len, env);
	if (st == VX6_OK)
		st = check_signature(part, part_len, env->publisher, signature);
	if (st == VX6_OK)
		vx6_node_id(env->id, env->publisher);
	return st;
}

enum vx6_status record_open(const uint8_t *bytes, size_t len, uint64_t now_s,
			    struct record_env *env)
{
	enum vx6_status st = record_verify(bytes, len, env);

	if (st != VX6_OK)
		return st;
	if (now_s >= env->expires || env->issued > now_s + RECORD_SKEW_S)
		return VX6_EXPIRED;
	return VX6_OK;
}
