/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/compare.h"

#include <stdlib.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/circuit.h"
#include "controlplane/node/relay.h"

#define PART VX6_MSG_PAIRS_MAX

/* Parts are of one size but the last; a node with more circuits on one
 * link than all parts hold does not exist: ids have 20 bits. */
static void send_parts(struct peer *p, const struct vx6_msg_pair *pair,
		       uint32_t n)
{
	struct vx6_msg_circuits m = {
		.link = p->peer_index,
		.parts = (uint16_t)(n == 0 ? 1u : (n + PART - 1u) / PART),
	};
	uint8_t *body = malloc(VX6_MSG_MAX);

	for (; body && m.part < m.parts && p->conn; m.part++) {
		uint32_t left = n - m.part * PART;
		uint32_t now = left < PART ? left : PART;

		peer_send(p, VX6_MSG_CIRCUITS, body,
			  vx6_msg_circuits_emit(body, &m, pair + m.part * PART,
						now));
	}
	free(body);
}

void compare_send(struct peer *p)
{
	const struct node *n = p->node;
	uint32_t cap = 2u * n->relay_cnt + n->circuit_cnt + 1u;
	struct vx6_msg_pair *pair = calloc(cap, sizeof(*pair));
	uint32_t cnt;

	p->compare.due = true;
	p->compare.part = 0;
	if (!pair)
		return; /* the other end keeps what it has */
	cnt = relay_pairs(p, pair, cap);
	cnt += circuit_pairs(p, pair + cnt, cap - cnt);
	send_parts(p, pair, cnt);
	free(pair);
}

static bool take(struct peer *p, const struct vx6_msg_circuits *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		struct vx6_msg_pair pair;

		if (vx6_msg_pair_at(m, i, &pair) != VX6_OK)
			return false;
		/* what goes in there comes out here */
		relay_told(p, pair.out, pair.in, p->compare.stamp);
		circuit_told(p, pair.out, pair.in, p->compare.stamp);
	}
	return true;
}

/* Whoever says nonsense has no list, and loses no circuit by it. */
void compare_on_circuits(struct peer *p, const uint8_t *body, size_t len)
{
	struct vx6_msg_circuits m;
	unsigned ended;

	if (!p->compare.due || p->link != PEER_LINK_OPEN ||
	    vx6_msg_circuits_parse(&m, body, len) != VX6_OK ||
	    m.link != p->index || m.part != p->compare.part)
		return;
	if (m.part == 0)
		p->compare.stamp = ++p->node->compare_n;
	p->compare.part++;
	p->compare.due = false;
	if (!take(p, &m))
		return;
	p->compare.due = m.part + 1u < m.parts;
	if (p->compare.due)
		return;
	ended = relay_lacked(p, p->since_ns, p->compare.stamp) +
		circuit_lacked(p, p->since_ns, p->compare.stamp);
	log_info("link", "compared", log_node("peer", p->id),
		 log_u64("lacked", ended));
}
