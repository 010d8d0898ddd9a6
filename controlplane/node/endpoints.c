/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/endpoints.h"

#include <string.h>

#include "controlplane/node/interfaces.h"
#include "controlplane/node/plane.h"

struct found { /* on their way into a record */
	const struct vx6_addr *listen;
	unsigned v6_cnt, v4_cnt;
	struct vx6_addr v6[NODE_ENDPOINTS_MAX], v4[NODE_ENDPOINTS_MAX];
};

static void keep(struct found *f, const struct vx6_addr *a)
{
	bool v4 = vx6_addr_is_v4(a);
	unsigned *cnt = v4 ? &f->v4_cnt : &f->v6_cnt;

	if (*cnt < NODE_ENDPOINTS_MAX)
		(v4 ? f->v4 : f->v6)[(*cnt)++] = *a;
}

static void keep_found(void *ctx, const struct vx6_addr *a)
{
	struct found *f = ctx;
	struct vx6_addr at = *a;

	if (vx6_addr_is_v4(f->listen) && !vx6_addr_is_v4(a))
		return; /* 0.0.0.0 takes no IPv6 */
	at.port = f->listen->port;
	keep(f, &at);
}

bool endpoints_any(const struct vx6_addr *a)
{
	static const uint8_t any[16], any4[16] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->ip, any, 16) == 0 || memcmp(a->ip, any4, 16) == 0;
}

static void find_all(const struct node *n, struct found *f)
{
	for (uint32_t i = 0; i < n->cfg.control.advertise_cnt; i++)
		keep(f, &n->cfg.control.advertise[i]);
	for (unsigned i = 0; i < n->udp_cnt && !n->cfg.control.advertise_cnt;
	     i++) {
		f->listen = &n->listen[i];
		if (!endpoints_any(f->listen))
			keep(f, f->listen);
		else
			interfaces_each(keep_found, f);
	}
}

static void add(const struct node *n, struct node_record *rec,
		const struct vx6_addr *a)
{
	struct node_endpoint *e = &rec->endpoint[rec->endpoint_cnt];

	if (rec->endpoint_cnt == NODE_ENDPOINTS_MAX)
		return;
	memcpy(e->ip, a->ip, sizeof(e->ip));
	e->control_port = a->port;
	e->data_port = n->plane->relays ? n->plane->listen.port : 0;
	e->transports = NODE_TRANSPORT_QUIC;
	rec->endpoint_cnt++;
}

void endpoints_fill(const struct node *n, struct node_record *rec)
{
	const unsigned half = NODE_ENDPOINTS_MAX / 2;
	struct found f = { 0 };

	find_all(n, &f);
	unsigned room = NODE_ENDPOINTS_MAX -
			(f.v4_cnt < half ? f.v4_cnt : half);

	for (unsigned i = 0; i < f.v6_cnt && i < room; i++)
		add(n, rec, &f.v6[i]);
	for (unsigned i = 0; i < f.v4_cnt; i++)
		add(n, rec, &f.v4[i]);
}

unsigned endpoints_of(const struct node_record *rec,
		      struct vx6_addr to[NODE_ENDPOINTS_MAX])
{
	struct found f = { 0 };

	for (unsigned i = 0; i < rec->endpoint_cnt; i++) {
		const struct node_endpoint *e = &rec->endpoint[i];
		struct vx6_addr a = { .port = e->control_port };

		memcpy(a.ip, e->ip, sizeof(a.ip));
		if (e->transports & NODE_TRANSPORT_QUIC)
			keep(&f, &a);
	}
	memcpy(to, f.v6, f.v6_cnt * sizeof(to[0]));
	memcpy(to + f.v6_cnt, f.v4, f.v4_cnt * sizeof(to[0]));
	return f.v6_cnt + f.v4_cnt;
}
