/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/node.h"

#include <sodium.h>
#include <string.h>

#include "controlplane/record/item.h"

enum { /* node.cddl */
       KEY_NAME = 1,
       KEY_OWNER = 2,
       KEY_ENDPOINTS = 3,
       KEY_VIA = 4,
       KEY_ROLES = 5,
       KEY_ENCRYPTION = 6,
       KEY_ONION = 7,
       KEY_NEXT_ONION = 8,
       KEY_SUITES = 9,
       KEY_CAPACITY = 10,
       KEY_FAMILY = 11,
       KEY_SOFTWARE = 12
};

enum { EP_ADDRESS = 1, EP_CONTROL = 2, EP_DATA = 3, EP_TRANSPORTS = 4 };
enum { ONION_PUBLIC = 1, ONION_FROM = 2, ONION_UNTIL = 3 };

#define NEEDED                                                                 \
	(ITEM_NEED(KEY_ENDPOINTS) | ITEM_NEED(KEY_VIA) |                       \
	 ITEM_NEED(KEY_ROLES) | ITEM_NEED(KEY_ENCRYPTION) |                    \
	 ITEM_NEED(KEY_SUITES))
#define EP_NEEDED                                                              \
	(ITEM_NEED(EP_ADDRESS) | ITEM_NEED(EP_CONTROL) | ITEM_NEED(EP_DATA) |  \
	 ITEM_NEED(EP_TRANSPORTS))
#define ONION_NEEDED                                                           \
	(ITEM_NEED(ONION_PUBLIC) | ITEM_NEED(ONION_FROM) |                     \
	 ITEM_NEED(ONION_UNTIL))

/* ---- what holds for a record, whoever made it ---- */

static bool onion_ok(const struct node_onion *k)
{
	return k->from < k->until && !sodium_is_zero(k->public_key, 32);
}

static bool endpoint_ok(const struct node_endpoint *e)
{
	return e->control_port != 0 && e->transports != 0;
}

static bool software_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static bool sizes_ok(const struct node_record *n)
{
	return n->endpoint_cnt <= NODE_ENDPOINTS_MAX &&
	       n->via_cnt <= NODE_VIA_MAX && n->owner_len <= NODE_OWNER_MAX &&
	       memchr(n->name, '\0', sizeof(n->name)) != NULL &&
	       memchr(n->family, '\0', sizeof(n->family)) != NULL &&
	       memchr(n->software, '\0', sizeof(n->software)) != NULL;
}

static bool record_ok(const struct node_record *n)
{
	if (!sizes_ok(n))
		return false;
	for (unsigned i = 0; i < n->endpoint_cnt; i++)
		if (!endpoint_ok(&n->endpoint[i]))
			return false;
	return (n->name[0] == '\0' || name_ok(n->name, strlen(n->name))) &&
	       (n->family[0] == '\0' ||
		family_ok(n->family, strlen(n->family))) &&
	       software_ok(n->software) &&
	       (!n->has_onion || onion_ok(&n->onion)) &&
	       (!n->has_next || (n->has_onion && onion_ok(&n->next_onion)));
}

/* ---- writing ---- */

static void emit_endpoints(struct item_out *o, const struct node_record *n)
{
	item_put_u64(o, KEY_ENDPOINTS);
	item_put_array(o, n->endpoint_cnt);
	for (unsigned i = 0; i < n->endpoint_cnt; i++) {
		const struct node_endpoint *e = &n->endpoint[i];

		item_put_map(o, 4);
		item_put_u64(o, EP_ADDRESS);
		item_put_bytes(o, e->ip, sizeof(e->ip));
		item_put_u64(o, EP_CONTROL);
		item_put_u64(o, e->control_port);
		item_put_u64(o, EP_DATA);
		item_put_u64(o, e->data_port);
		item_put_u64(o, EP_TRANSPORTS);
		item_put_u64(o, e->transports);
		item_put_up(o);
	}
	item_put_up(o);
	item_put_u64(o, KEY_VIA);
	item_put_array(o, n->via_cnt);
	for (unsigned i = 0; i < n->via_cnt; i++)
		item_put_bytes(o, n->via[i], sizeof(n->via[i]));
	item_put_up(o);
}

static void emit_onion(struct item_out *o, unsigned key,
		       const struct node_onion *k)
{
	item_put_u64(o, key);
	item_put_map(o, 3);
	item_put_u64(o, ONION_PUBLIC);
	item_put_bytes(o, k->public_key, sizeof(k->public_key));
	item_put_u64(o, ONION_FROM);
	item_put_u64(o, k->from);
	item_put_u64(o, ONION_UNTIL);
	item_put_u64(o, k->until);
	item_put_up(o);
}

static void emit_text(struct item_out *o, unsigned key, const char *s)
{
	if (s[0] == '\0')
		return;
	item_put_u64(o, key);
	item_put_text(o, s);
}

static size_t field_cnt(const struct node_record *n)
{
	return 6u + (n->name[0] != '\0') + (n->owner_len != 0) +
	       (n->has_onion ? 1u : 0u) + (n->has_next ? 1u : 0u) +
	       (n->family[0] != '\0') + (n->software[0] != '\0');
}

static enum vx6_status emit_body(const struct node_record *n, uint8_t *out,
				 size_t cap, size_t *len)
{
	struct item_out o;

	item_begin(&o, out, cap);
	item_put_map(&o, field_cnt(n));
	emit_text(&o, KEY_NAME, n->name);
	if (n->owner_len != 0) {
		item_put_u64(&o, KEY_OWNER);
		item_put_bytes(&o, n->owner, n->owner_len);
	}
	emit_endpoints(&o, n);
	item_put_u64(&o, KEY_ROLES);
	item_put_u64(&o, n->roles);
	item_put_u64(&o, KEY_ENCRYPTION);
	item_put_bytes(&o, n->enc_public, sizeof(n->enc_public));
	if (n->has_onion)
		emit_onion(&o, KEY_ONION, &n->onion);
	if (n->has_next)
		emit_onion(&o, KEY_NEXT_ONION, &n->next_onion);
	item_put_u64(&o, KEY_SUITES);
	item_put_u64(&o, n->suites);
	item_put_u64(&o, KEY_CAPACITY);
	item_put_u64(&o, n->capacity);
	emit_text(&o, KEY_FAMILY, n->family);
	emit_text(&o, KEY_SOFTWARE, n->software);
	item_put_up(&o);
	return item_finish(&o, len);
}

enum vx6_status node_record_sign(const struct identity *id,
				 const struct node_record *fields,
				 uint64_t sequence, uint64_t issued,
				 uint32_t life_s, uint8_t *out, size_t cap,
				 size_t *len)
{
	uint8_t body[NODE_RECORD_MAX];
	size_t body_len;

	if (!record_ok(fields) || life_s == 0 || life_s > NODE_LIFE_S)
		return VX6_MALFORMED;
	enum vx6_status st = emit_body(fields, body, sizeof(body), &body_len);
	if (st != VX6_OK)
		return st;
	return record_sign(id, RECORD_NODE, sequence, issued, issued + life_s,
			   body, body_len, out,
			   cap < NODE_RECORD_MAX ? cap : NODE_RECORD_MAX, len);
}

/* ---- reading ---- */

static void parse_endpoint(struct item_in *list, struct node_endpoint *e)
{
	struct item_in in;
	uint32_t transports = 0;

	item_map(list, &in);
	while (item_next(&in)) {
		switch (in.key) {
		case EP_ADDRESS: item_fixed(&in, e->ip, sizeof(e->ip)); break;
		case EP_CONTROL:
			item_u16(&in, 1, UINT16_MAX, &e->control_port);
			break;
		case EP_DATA:
			item_u16(&in, 0, UINT16_MAX, &e->data_port);
			break;
		case EP_TRANSPORTS:
			item_u32(&in, 1, UINT8_MAX, &transports);
			break;
		}
	}
	e->transports = (uint8_t)transports;
	item_done(list, &in, EP_NEEDED);
}

static void parse_endpoints(struct item_in *body, struct node_record *n)
{
	struct item_in list;

	item_array(body, &list);
	while (item_next(&list)) {
		if (n->endpoint_cnt == NODE_ENDPOINTS_MAX)
			item_fail(&list);
		else
			parse_endpoint(&list, &n->endpoint[n->endpoint_cnt++]);
	}
	item_done(body, &list, 0);
}

static void parse_via(struct item_in *body, struct node_record *n)
{
	struct item_in list;

	item_array(body, &list);
	while (item_next(&list)) {
		if (n->via_cnt == NODE_VIA_MAX)
			item_fail(&list);
		else
			item_fixed(&list, n->via[n->via_cnt++], 32);
	}
	item_done(body, &list, 0);
}

static void parse_onion(struct item_in *body, struct node_onion *k)
{
	struct item_in in;

	item_map(body, &in);
	while (item_next(&in)) {
		switch (in.key) {
		case ONION_PUBLIC: item_fixed(&in, k->public_key, 32); break;
		case ONION_FROM: item_u32(&in, 0, UINT32_MAX, &k->from); break;
		case ONION_UNTIL:
			item_u32(&in, 0, UINT32_MAX, &k->until);
			break;
		}
	}
	item_done(body, &in, ONION_NEEDED);
}

static void parse_owner(struct item_in *body, struct node_record *n)
{
	const uint8_t *p = NULL;
	size_t len = 0;

	item_bytes(body, 1, NODE_OWNER_MAX, &p, &len);
	if (p != NULL)
		memcpy(n->owner, p, len);
	n->owner_len = (uint16_t)len;
}

static void parse_field(struct item_in *in, struct node_record *n)
{
	switch (in->key) {
	case KEY_NAME: item_text(in, n->name, sizeof(n->name)); break;
	case KEY_OWNER: parse_owner(in, n); break;
	case KEY_ENDPOINTS: parse_endpoints(in, n); break;
	case KEY_VIA: parse_via(in, n); break;
	case KEY_ROLES: item_u32(in, 0, UINT32_MAX, &n->roles); break;
	case KEY_ENCRYPTION: item_fixed(in, n->enc_public, 32); break;
	case KEY_ONION:
		n->has_onion = true;
		parse_onion(in, &n->onion);
		break;
	case KEY_NEXT_ONION:
		n->has_next = true;
		parse_onion(in, &n->next_onion);
		break;
	case KEY_SUITES: item_u32(in, 0, UINT32_MAX, &n->suites); break;
	case KEY_CAPACITY: item_u32(in, 0, UINT32_MAX, &n->capacity); break;
	case KEY_FAMILY: item_text(in, n->family, sizeof(n->family)); break;
	case KEY_SOFTWARE:
		item_text(in, n->software, sizeof(n->software));
		break;
	}
}

enum vx6_status node_record_parse(const struct record_env *env,
				  struct node_record *n)
{
	struct item_in in;

	if (env->type != RECORD_NODE)
		return VX6_BAD_KIND;
	if (env->len > NODE_RECORD_MAX)
		return VX6_BAD_SIZE;
	*n = (struct node_record){ .sequence = env->sequence,
				   .issued = env->issued,
				   .expires = env->expires };
	memcpy(n->id, env->id, sizeof(n->id));
	memcpy(n->publisher, env->publisher, sizeof(n->publisher));
	if (env->expires - env->issued > NODE_LIFE_S)
		return VX6_MALFORMED;
	item_open(&in, env->body, env->body_len);
	while (item_next(&in))
		parse_field(&in, n);
	enum vx6_status st = item_end(&in, NEEDED);
	if (st != VX6_OK)
		return st;
	return record_ok(n) ? VX6_OK : VX6_MALFORMED;
}

const struct node_onion *node_record_onion(const struct node_record *n,
					   uint64_t now_s)
{
	if (!n->has_onion)
		return NULL;
	if (n->has_next && now_s >= n->next_onion.from)
		return now_s < n->next_onion.until ? &n->next_onion : NULL;
	return now_s < n->onion.until ? &n->onion : NULL;
}
