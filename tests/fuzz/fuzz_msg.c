/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_msg: any stream, cut where the input says, falls into the messages
 * that it falls into when it is read whole; no body is asked for that its
 * type cannot have; fixed bodies that parse are emitted as they were. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/wire/msg.h"

struct seen {
	uint64_t messages, skipped, sum;
	enum vx6_status st;
};

static uint8_t body[VX6_MSG_MAX], copy[VX6_MSG_MAX];

static void same(size_t len)
{
	if (memcmp(body, copy, len) != 0)
		abort();
}

static void circuits(const struct vx6_msg_reader *r)
{
	static struct vx6_msg_pair pair[VX6_MSG_PAIRS_MAX];
	struct vx6_msg_circuits m;

	if (vx6_msg_circuits_parse(&m, body, r->len) != VX6_OK)
		return;
	for (uint32_t i = 0; i < m.n; i++)
		if (vx6_msg_pair_at(&m, i, &pair[i]) != VX6_OK)
			return;
	if (vx6_msg_circuits_emit(copy, &m, pair, m.n) != r->len)
		abort();
	same(r->len);
}

static void fixed(const struct vx6_msg_reader *r)
{
	struct vx6_msg_create create;
	struct vx6_msg_created created;
	struct vx6_msg_fail fail;
	struct vx6_msg_destroy destroy;
	uint32_t id;

	if (r->type == VX6_MSG_CREATE &&
	    vx6_msg_create_parse(&create, body, r->len) == VX6_OK)
		vx6_msg_create_emit(copy, &create);
	else if (r->type == VX6_MSG_CREATED &&
		 vx6_msg_created_parse(&created, body, r->len) == VX6_OK)
		vx6_msg_created_emit(copy, &created);
	else if (r->type == VX6_MSG_CREATE_FAIL &&
		 vx6_msg_fail_parse(&fail, body, r->len) == VX6_OK)
		vx6_msg_fail_emit(copy, &fail);
	else if (r->type == VX6_MSG_DESTROY &&
		 vx6_msg_destroy_parse(&destroy, body, r->len) == VX6_OK)
		vx6_msg_destroy_emit(copy, &destroy);
	else if (r->type == VX6_MSG_DESTROYED &&
		 vx6_msg_destroyed_parse(&id, body, r->len) == VX6_OK)
		vx6_msg_destroyed_emit(copy, id);
	else
		return;
	same(r->len);
}

static void done(const struct vx6_msg_reader *r, struct seen *s)
{
	s->sum = s->sum * 31 + r->type;
	for (uint32_t i = 0; i < r->len; i++)
		s->sum = s->sum * 131 + body[i];
	if (r->type == VX6_MSG_CIRCUITS)
		circuits(r);
	else
		fixed(r);
}

/* Reads in pieces of the sizes that `cut` says; 0 pieces: all at once. */
static struct seen read_all(const uint8_t *p, size_t len, const uint8_t *cut,
			    size_t cuts)
{
	struct vx6_msg_reader r;
	struct seen s = { .st = VX6_OK };

	vx6_msg_reader_init(&r);
	for (size_t at = 0, c = 0; len > 0 && s.st == VX6_OK; c++) {
		size_t piece = cuts > 0 ? 1u + cut[c % cuts] % 17u : len;
		enum vx6_msg_step step;
		size_t used;

		piece = piece < len ? piece : len;
		s.st = vx6_msg_read(&r, p + at, piece, &used, &step);
		if (used > piece || (s.st == VX6_OK && used == 0))
			abort();
		at += used;
		len -= used;
		if (s.st != VX6_OK || step == VX6_MSG_MORE)
			continue;
		if (r.len > VX6_MSG_MAX)
			abort();
		if (step == VX6_MSG_HEAD)
			vx6_msg_into(&r, body);
		else
			done(&r, &s);
	}
	s.messages = r.messages;
	s.skipped = r.skipped;
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t cuts = len > 0 ? data[0] % 8u : 0;

	if (len < 1 + cuts)
		return 0;
	const uint8_t *p = data + 1 + cuts;
	struct seen whole = read_all(p, len - 1 - cuts, NULL, 0);
	struct seen cut = read_all(p, len - 1 - cuts, data + 1, cuts);
	if (whole.st != cut.st || whole.messages != cut.messages ||
	    whole.skipped != cut.skipped || whole.sum != cut.sum)
		abort();
	return 0;
}
