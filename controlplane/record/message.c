/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/message.h"

#include <string.h>

#include "controlplane/record/item.h"
#include "controlplane/record/node.h"
#include "dataplane/base/bytes.h"
#include "dataplane/wire/link.h"

#define U_MIN 32u
#define U_MAX 1472u

/* ---- the head ---- */

void msg_head_emit(uint8_t out[MSG_HEAD_LEN], enum msg_type type, uint32_t len)
{
	vx6_put16(out, (uint16_t)type);
	vx6_put32(out + 2, len);
}

enum vx6_status msg_head_parse(const uint8_t in[MSG_HEAD_LEN],
			       struct msg_head *h)
{
	uint32_t len = vx6_get32(in + 2);

	if (len > MSG_BODY_MAX)
		return VX6_BAD_SIZE;
	h->type = vx6_get16(in);
	h->len = len;
	return VX6_OK;
}

/* A message under way: the head's room, then the body. */
struct draft {
	struct item_out o;
	uint8_t *out;
	bool full;
};

static struct item_out *begin(struct draft *d, uint8_t *out, size_t cap)
{
	d->out = out;
	d->full = cap < MSG_HEAD_LEN;
	size_t room = d->full ? 0 : cap - MSG_HEAD_LEN;
	item_begin(&d->o, d->full ? out : out + MSG_HEAD_LEN,
		   room < MSG_BODY_MAX ? room : MSG_BODY_MAX);
	return &d->o;
}

static enum vx6_status finish(struct draft *d, enum msg_type type, size_t *len)
{
	size_t n;
	enum vx6_status st = item_finish(&d->o, &n);

	if (d->full || st != VX6_OK)
		return VX6_BAD_SIZE;
	msg_head_emit(d->out, type, (uint32_t)n);
	*len = MSG_HEAD_LEN + n;
	return VX6_OK;
}

/* ---- HELLO ---- */

enum { HELLO_PROTOCOL = 1, HELLO_TIME = 2, HELLO_RECORD = 3, HELLO_LIMITS = 4 };
enum { LIMIT_RATE = 1, LIMIT_BURST = 2, LIMIT_CIRCUITS = 3 };

static void put_limit(struct item_out *o, unsigned key, uint32_t v)
{
	if (v == 0)
		return;
	item_put_u64(o, key);
	item_put_u64(o, v);
}

enum vx6_status msg_hello_emit(const struct msg_hello *m, uint8_t *out,
			       size_t cap, size_t *len)
{
	size_t limits = (size_t)(m->create_rate != 0) +
			(size_t)(m->create_burst != 0) +
			(size_t)(m->circuits != 0);
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if (m->record_len == 0 || m->record_len > NODE_RECORD_MAX)
		return VX6_MALFORMED;
	item_put_map(o, 4);
	item_put_u64(o, HELLO_PROTOCOL);
	item_put_u64(o, MSG_PROTOCOL);
	item_put_u64(o, HELLO_TIME);
	item_put_u64(o, m->unix_ms);
	item_put_u64(o, HELLO_RECORD);
	item_put_bytes(o, m->record, m->record_len);
	item_put_u64(o, HELLO_LIMITS);
	item_put_map(o, limits);
	put_limit(o, LIMIT_RATE, m->create_rate);
	put_limit(o, LIMIT_BURST, m->create_burst);
	put_limit(o, LIMIT_CIRCUITS, m->circuits);
	item_put_up(o);
	item_put_up(o);
	return finish(&d, MSG_HELLO, len);
}

static void parse_limits(struct item_in *body, struct msg_hello *m)
{
	struct item_in in;

	item_map(body, &in);
	while (item_next(&in)) {
		switch (in.key) {
		case LIMIT_RATE:
			item_u32(&in, 1, UINT32_MAX, &m->create_rate);
			break;
		case LIMIT_BURST:
			item_u32(&in, 1, UINT32_MAX, &m->create_burst);
			break;
		case LIMIT_CIRCUITS:
			item_u32(&in, 1, UINT32_MAX, &m->circuits);
			break;
		}
	}
	item_done(body, &in, 0);
}

enum vx6_status msg_hello_parse(const uint8_t *body, size_t len,
				struct msg_hello *m)
{
	struct item_in in;
	uint32_t protocol = 0;

	*m = (struct msg_hello){ 0 };
	item_open(&in, body, len);
	while (item_next(&in)) {
		switch (in.key) {
		case HELLO_PROTOCOL:
			item_u32(&in, 0, UINT32_MAX, &protocol);
			if (in.st == VX6_OK && protocol != MSG_PROTOCOL)
				return VX6_BAD_VERSION;
			break;
		case HELLO_TIME:
			item_u64(&in, 0, INT64_MAX, &m->unix_ms);
			break;
		case HELLO_RECORD:
			item_bytes(&in, 1, NODE_RECORD_MAX, &m->record,
				   &m->record_len);
			break;
		case HELLO_LIMITS: parse_limits(&in, m); break;
		}
	}
	return item_end(&in, ITEM_NEED(HELLO_PROTOCOL) | ITEM_NEED(HELLO_TIME) |
				     ITEM_NEED(HELLO_RECORD) |
				     ITEM_NEED(HELLO_LIMITS));
}

/* ---- RECORDS, RECORDS_WANTED ---- */

enum { RECORDS_LIST = 1, WANTED_LIST = 1 };

/* What a byte string takes: a head of 1 to 3 bytes, and itself. */
static size_t bytes_cost(size_t len)
{
	return len + (len < 24 ? 1u : len < 256 ? 2u : 3u);
}

enum vx6_status msg_records_emit(const struct msg_bytes record[], unsigned n,
				 uint8_t *out, size_t cap, size_t *len,
				 unsigned *took)
{
	/* of the message: head, map, key, an array of up to 256 */
	size_t used = MSG_HEAD_LEN + 1u + 1u + 3u;
	size_t room = cap < MSG_HEAD_LEN + MSG_BODY_MAX
			      ? cap
			      : MSG_HEAD_LEN + MSG_BODY_MAX;
	unsigned fit = 0;
	struct draft d;

	for (; fit < n && fit < MSG_RECORDS_MAX; fit++) {
		if (record[fit].len == 0 || record[fit].len > NODE_RECORD_MAX)
			return VX6_MALFORMED;
		used += bytes_cost(record[fit].len);
		if (used > room)
			break;
	}
	if (fit == 0)
		return n == 0 ? VX6_MALFORMED : VX6_BAD_SIZE;
	struct item_out *o = begin(&d, out, cap);
	item_put_map(o, 1);
	item_put_u64(o, RECORDS_LIST);
	item_put_array(o, fit);
	for (unsigned i = 0; i < fit; i++)
		item_put_bytes(o, record[i].data, record[i].len);
	item_put_up(o);
	item_put_up(o);
	*took = fit;
	return finish(&d, MSG_RECORDS, len);
}

enum vx6_status msg_records_parse(const uint8_t *body, size_t len,
				  struct msg_records *m)
{
	struct item_in in, list;

	m->n = 0;
	item_open(&in, body, len);
	while (item_next(&in)) {
		if (in.key != RECORDS_LIST)
			continue;
		item_array(&in, &list);
		while (item_next(&list)) {
			if (m->n == MSG_RECORDS_MAX) {
				item_fail(&list);
				break;
			}
			item_bytes(&list, 1, NODE_RECORD_MAX,
				   &m->record[m->n].data, &m->record[m->n].len);
			m->n++;
		}
		item_done(&in, &list, 0);
	}
	return item_end(&in, ITEM_NEED(RECORDS_LIST));
}

enum vx6_status msg_wanted_emit(const struct msg_wanted *m, uint8_t *out,
				size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if (m->n > MSG_RECORDS_MAX)
		return VX6_MALFORMED;
	item_put_map(o, 1);
	item_put_u64(o, WANTED_LIST);
	item_put_array(o, m->n);
	for (unsigned i = 0; i < m->n; i++)
		item_put_bytes(o, m->id[i], sizeof(m->id[i]));
	item_put_up(o);
	item_put_up(o);
	return finish(&d, MSG_RECORDS_WANTED, len);
}

enum vx6_status msg_wanted_parse(const uint8_t *body, size_t len,
				 struct msg_wanted *m)
{
	struct item_in in, list;

	m->n = 0;
	item_open(&in, body, len);
	while (item_next(&in)) {
		if (in.key != WANTED_LIST)
			continue;
		item_array(&in, &list);
		while (item_next(&list)) {
			if (m->n == MSG_RECORDS_MAX) {
				item_fail(&list);
				break;
			}
			item_fixed(&list, m->id[m->n++], 32);
		}
		item_done(&in, &list, 0);
	}
	return item_end(&in, ITEM_NEED(WANTED_LIST));
}

/* ---- links ---- */

enum {
	LINK_INDEX = 1,
	LINK_NONCE = 2,
	LINK_ADDRESS = 3,
	LINK_PORT = 4,
	LINK_U = 5,
	LINK_ADOPT = 6
};

static bool index_ok(uint32_t index)
{
	return index >= 1 && index <= VX6_LINK_INDEX_MAX;
}

enum vx6_status msg_link_emit(enum msg_type type, const struct msg_link *m,
			      uint8_t *out, size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if ((type != MSG_LINK_OPEN && type != MSG_LINK_OK) ||
	    !index_ok(m->index) || m->addr.port == 0 || m->u < U_MIN ||
	    m->u > U_MAX ||
	    (m->adopt && (!index_ok(m->adopt_own) || !index_ok(m->adopt_peer))))
		return VX6_MALFORMED;
	item_put_map(o, m->adopt ? 6 : 5);
	item_put_u64(o, LINK_INDEX);
	item_put_u64(o, m->index);
	item_put_u64(o, LINK_NONCE);
	item_put_bytes(o, m->nonce, sizeof(m->nonce));
	item_put_u64(o, LINK_ADDRESS);
	if (m->learn)
		item_put_text(o, "learn");
	else
		item_put_bytes(o, m->addr.ip, sizeof(m->addr.ip));
	item_put_u64(o, LINK_PORT);
	item_put_u64(o, m->addr.port);
	item_put_u64(o, LINK_U);
	item_put_u64(o, m->u);
	if (m->adopt) {
		item_put_u64(o, LINK_ADOPT);
		item_put_array(o, 2);
		item_put_u64(o, m->adopt_own);
		item_put_u64(o, m->adopt_peer);
		item_put_up(o);
	}
	item_put_up(o);
	return finish(&d, type, len);
}

static void parse_address(struct item_in *in, struct msg_link *m)
{
	char word[8];

	m->learn = item_is_text(in);
	if (!m->learn) {
		item_fixed(in, m->addr.ip, sizeof(m->addr.ip));
		return;
	}
	item_text(in, word, sizeof(word));
	if (in->st == VX6_OK && strcmp(word, "learn") != 0)
		item_fail(in);
}

static void parse_adopt(struct item_in *body, struct msg_link *m)
{
	struct item_in list;

	item_array(body, &list);
	while (item_next(&list)) {
		if (list.key > 1)
			item_fail(&list);
		item_u32(&list, 1, VX6_LINK_INDEX_MAX,
			 list.key == 0 ? &m->adopt_own : &m->adopt_peer);
	}
	if (list.st == VX6_OK && list.cnt != 2)
		item_fail(&list);
	item_done(body, &list, 0);
	m->adopt = true;
}

enum vx6_status msg_link_parse(const uint8_t *body, size_t len,
			       struct msg_link *m)
{
	struct item_in in;

	*m = (struct msg_link){ 0 };
	item_open(&in, body, len);
	while (item_next(&in)) {
		switch (in.key) {
		case LINK_INDEX:
			item_u32(&in, 1, VX6_LINK_INDEX_MAX, &m->index);
			break;
		case LINK_NONCE: item_fixed(&in, m->nonce, 16); break;
		case LINK_ADDRESS: parse_address(&in, m); break;
		case LINK_PORT:
			item_u16(&in, 1, UINT16_MAX, &m->addr.port);
			break;
		case LINK_U: item_u16(&in, U_MIN, U_MAX, &m->u); break;
		case LINK_ADOPT: parse_adopt(&in, m); break;
		}
	}
	return item_end(&in, ITEM_NEED(LINK_INDEX) | ITEM_NEED(LINK_NONCE) |
				     ITEM_NEED(LINK_ADDRESS) |
				     ITEM_NEED(LINK_PORT) | ITEM_NEED(LINK_U));
}

enum { CLOSE_INDEX = 1, CLOSE_REASON = 2 };

enum vx6_status msg_link_close_emit(const struct msg_link_close *m,
				    uint8_t *out, size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if (!index_ok(m->index))
		return VX6_MALFORMED;
	item_put_map(o, 2);
	item_put_u64(o, CLOSE_INDEX);
	item_put_u64(o, m->index);
	item_put_u64(o, CLOSE_REASON);
	item_put_u64(o, m->reason);
	item_put_up(o);
	return finish(&d, MSG_LINK_CLOSE, len);
}

enum vx6_status msg_link_close_parse(const uint8_t *body, size_t len,
				     struct msg_link_close *m)
{
	struct item_in in;

	*m = (struct msg_link_close){ 0 };
	item_open(&in, body, len);
	while (item_next(&in)) {
		switch (in.key) {
		case CLOSE_INDEX:
			item_u32(&in, 1, VX6_LINK_INDEX_MAX, &m->index);
			break;
		case CLOSE_REASON:
			item_u32(&in, 0, UINT32_MAX, &m->reason);
			break;
		}
	}
	return item_end(&in, ITEM_NEED(CLOSE_INDEX) | ITEM_NEED(CLOSE_REASON));
}

/* ---- GOAWAY ---- */

enum { GOAWAY_REASON = 1, GOAWAY_TEXT = 2 };

enum vx6_status msg_goaway_emit(const struct msg_goaway *m, uint8_t *out,
				size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if (memchr(m->text, '\0', sizeof(m->text)) == NULL)
		return VX6_MALFORMED;
	for (const char *s = m->text; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			return VX6_MALFORMED;
	item_put_map(o, m->text[0] != '\0' ? 2 : 1);
	item_put_u64(o, GOAWAY_REASON);
	item_put_u64(o, m->reason);
	if (m->text[0] != '\0') {
		item_put_u64(o, GOAWAY_TEXT);
		item_put_text(o, m->text);
	}
	item_put_up(o);
	return finish(&d, MSG_GOAWAY, len);
}

enum vx6_status msg_goaway_parse(const uint8_t *body, size_t len,
				 struct msg_goaway *m)
{
	struct item_in in;

	*m = (struct msg_goaway){ 0 };
	item_open(&in, body, len);
	while (item_next(&in)) {
		switch (in.key) {
		case GOAWAY_REASON:
			item_u32(&in, 0, UINT32_MAX, &m->reason);
			break;
		case GOAWAY_TEXT:
			item_text(&in, m->text, sizeof(m->text));
			break;
		}
	}
	return item_end(&in, ITEM_NEED(GOAWAY_REASON));
}

/* ---- service streams ---- */

enum { OPEN_NAME = 1, OPEN_PROTO = 2, OPEN_FLOW = 3 };
enum { FAIL_CODE = 1 };

enum vx6_status msg_open_emit(const struct msg_open *m, uint8_t *out,
			      size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	if (memchr(m->name, '\0', sizeof(m->name)) == NULL ||
	    !name_ok(m->name, strlen(m->name)) ||
	    (m->proto != MSG_TCP && m->proto != MSG_UDP) ||
	    (m->has_flow && m->proto != MSG_UDP))
		return VX6_MALFORMED;
	item_put_map(o, m->has_flow ? 3 : 2);
	item_put_u64(o, OPEN_NAME);
	item_put_text(o, m->name);
	item_put_u64(o, OPEN_PROTO);
	item_put_u64(o, m->proto);
	if (m->has_flow) {
		item_put_u64(o, OPEN_FLOW);
		item_put_u64(o, m->flow);
	}
	item_put_up(o);
	return finish(&d, MSG_OPEN, len);
}

enum vx6_status msg_open_parse(const uint8_t *body, size_t len,
			       struct msg_open *m)
{
	struct item_in in;
	uint32_t proto = 0;

	*m = (struct msg_open){ 0 };
	if (len > MSG_OPEN_MAX)
		return VX6_BAD_SIZE;
	item_open(&in, body, len);
	while (item_next(&in)) {
		switch (in.key) {
		case OPEN_NAME: item_text(&in, m->name, sizeof(m->name)); break;
		case OPEN_PROTO: item_u32(&in, MSG_TCP, MSG_UDP, &proto); break;
		case OPEN_FLOW:
			m->has_flow = true;
			item_u32(&in, 0, UINT32_MAX, &m->flow);
			break;
		}
	}
	enum vx6_status st = item_end(&in, ITEM_NEED(OPEN_NAME) |
						   ITEM_NEED(OPEN_PROTO));
	if (st != VX6_OK)
		return st;
	m->proto = proto == MSG_UDP ? MSG_UDP : MSG_TCP;
	if (!name_ok(m->name, strlen(m->name)) ||
	    (m->has_flow && m->proto != MSG_UDP))
		return VX6_MALFORMED;
	return VX6_OK;
}

enum vx6_status msg_open_ok_emit(uint8_t *out, size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	item_put_map(o, 0);
	item_put_up(o);
	return finish(&d, MSG_OPEN_OK, len);
}

enum vx6_status msg_open_ok_parse(const uint8_t *body, size_t len)
{
	struct item_in in;

	if (len > MSG_OPEN_MAX)
		return VX6_BAD_SIZE;
	item_open(&in, body, len);
	while (item_next(&in))
		;
	return item_end(&in, 0);
}

enum vx6_status msg_open_fail_emit(enum msg_open_code code, uint8_t *out,
				   size_t cap, size_t *len)
{
	struct draft d;
	struct item_out *o = begin(&d, out, cap);

	item_put_map(o, 1);
	item_put_u64(o, FAIL_CODE);
	item_put_u64(o, code);
	item_put_up(o);
	return finish(&d, MSG_OPEN_FAIL, len);
}

enum vx6_status msg_open_fail_parse(const uint8_t *body, size_t len,
				    uint32_t *code)
{
	struct item_in in;

	if (len > MSG_OPEN_MAX)
		return VX6_BAD_SIZE;
	*code = 0;
	item_open(&in, body, len);
	while (item_next(&in))
		if (in.key == FAIL_CODE)
			item_u32(&in, 1, UINT32_MAX, code);
	return item_end(&in, ITEM_NEED(FAIL_CODE));
}

/* ---- channel control ---- */

enum { CHANNEL_D = 1 };

enum vx6_status msg_channel_emit(const struct msg_channel *m, uint8_t *out,
				 size_t cap, size_t *len)
{
	struct item_out o;

	if (m->d != 0 && (m->d < MSG_D_MIN || m->d > MSG_D_MAX))
		return VX6_MALFORMED;
	item_begin(&o, out, cap);
	item_put_map(&o, m->d != 0 ? 1 : 0);
	if (m->d != 0) {
		item_put_u64(&o, CHANNEL_D);
		item_put_u64(&o, m->d);
	}
	item_put_up(&o);
	return item_finish(&o, len);
}

enum vx6_status msg_channel_parse(const uint8_t *body, size_t len,
				  struct msg_channel *m)
{
	struct item_in in;

	m->d = 0;
	item_open(&in, body, len);
	while (item_next(&in))
		if (in.key == CHANNEL_D)
			item_u16(&in, MSG_D_MIN, MSG_D_MAX, &m->d);
	return item_end(&in, 0);
}
