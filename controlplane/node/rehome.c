/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rehome: what follows when an address of this host, or of a peer, is
 * another one.
 *
 * Links are asked at once: their probes leave from the new address and the
 * far end challenges it (PROTOCOL.md section 6).  A session that we dialled
 * moves as QUIC does (RFC 9000 section 9); one that was dialled to an
 * address which is gone cannot, and is made again from our side. */

#include <string.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/peer.h"
#include "controlplane/node/tunnel.h"

static bool migrate(struct node *n, struct quic_conn *c)
{
	struct quic_path path;

	quic_path(c, &path);
	return node_route(n, &path.remote, &path.local) &&
	       quic_migrate(c, &path, loop_now(n->loop)) == VX6_OK;
}

static void rehome_session(struct peer *p)
{
	struct quic_path path;

	quic_path(p->conn, &path);
	if (interfaces_has(&path.local))
		return;
	bool moved = migrate(p->node, p->conn);

	log_info("session", moved ? "moved" : "left", log_node("peer", p->id));
	if (!moved && p->conn)
		peer_renew(p, "this node's address is another one");
}

static void rehome_links(struct node *n)
{
	for (uint32_t i = 1; n->plane->up && i < n->plane->links_max; i++)
		if (n->link[i] && n->link[i]->link == PEER_LINK_OPEN)
			n->plane->ops->link_afresh(n->plane, i);
}

void node_rehome(struct node *n, bool addresses)
{
	struct peer *next;

	if (addresses)
		rehome_links(n);
	for (struct peer *p = n->peers; p; p = next) {
		peer_hold(p);
		if (p->conn)
			rehome_session(p);
		next = p->next;
		peer_drop(p);
	}
	tunnels_rehome(n);
}

static bool has_endpoint(const struct node_record *rec,
			 const struct vx6_addr *a)
{
	for (unsigned i = 0; i < rec->endpoint_cnt; i++)
		if (rec->endpoint[i].control_port == a->port &&
		    memcmp(rec->endpoint[i].ip, a->ip, sizeof(a->ip)) == 0)
			return true;
	return false;
}

/* An address that never was in the record (a NAT's, or one that only our
 * configuration knows) is no business of the record's. */
void peer_moved_home(struct peer *p, const struct node_record *was,
		     const struct node_record *is, bool by_itself)
{
	struct quic_path path;

	if (has_endpoint(was, &p->place) && !has_endpoint(is, &p->place))
		p->place = (struct vx6_addr){ 0 };
	if (by_itself || !p->conn || !quic_is_client(p->conn))
		return;
	quic_path(p->conn, &path);
	if (!has_endpoint(was, &path.remote) || has_endpoint(is, &path.remote))
		return;
	log_info("session", "left", log_node("peer", p->id));
	peer_renew(p, "its address is another one");
}
