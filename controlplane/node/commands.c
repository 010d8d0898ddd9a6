/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "controlplane/api/api.h"
#include "controlplane/api/version.h"
#include "controlplane/loop/log.h"
#include "controlplane/node/circuit.h"
#include "controlplane/node/connect.h"
#include "controlplane/node/dpjson.h"
#include "controlplane/node/peer.h"
#include "controlplane/node/relay.h"
#include "controlplane/node/resolve.h"
#include "controlplane/node/tunnel.h"

#define LIST_MAX 1000u

/* ---- lists ---- */

/* send_list answers with at most LIST_MAX entries from `offset` on. */
static void send_list(struct api_call *call, const json_t *args,
		      const char *kind, json_t *all)
{
	size_t total = json_array_size(all), from = 0;
	json_t *offset = json_object_get(args, "offset"), *part = json_array();

	if (json_is_integer(offset) && json_integer_value(offset) > 0)
		from = (size_t)json_integer_value(offset);
	for (size_t i = from; i < total && i < from + LIST_MAX; i++)
		json_array_append(part, json_array_get(all, i));
	json_decref(all);
	api_done(call, json_pack("{s:o, s:I}", kind, part, "total",
				 (json_int_t)total));
}

/* ---- what the data plane knows ---- */

typedef void plane_said(struct node *n, struct api_call *call,
			const struct abi_stats *s);

struct plane_call {
	struct node *n;
	struct api_call *call; /* NULL: nobody waits any more */
	plane_said *then;
};

static void plane_call_cancelled(void *user, struct api_call *call)
{
	(void)call;
	((struct plane_call *)user)->call = NULL;
}

static void plane_answered(void *ctx, const struct abi_stats *s)
{
	struct plane_call *w = ctx;

	if (w->call)
		w->then(w->n, w->call, s->backend != 0 ? s : NULL);
	free(w);
}

/* Asks the data plane, then goes on; with NULL where there is none. */
static void ask_plane(struct node *n, struct api_call *call, plane_said *then)
{
	struct plane_call *w = calloc(1, sizeof(*w));

	if (w && n->plane->relays &&
	    plane_dp_stats(n->plane, plane_answered, w) == VX6_OK) {
		*w = (struct plane_call){ n, call, then };
		api_on_cancel(call, plane_call_cancelled, w);
		return;
	}
	free(w);
	then(n, call, NULL);
}

/* ---- status ---- */

static const char *plane_state(const struct node *n)
{
	if (!n->cfg.data.enabled)
		return "off";
	return n->plane->up ? "connected" : "waiting";
}

static json_t *json_workers(const struct node *n)
{
	unsigned cnt;
	const struct abi_worker *w = plane_dp_workers(n->plane, &cnt);

	return dpjson_workers(w, cnt);
}

/* s: what it said just now; NULL: it is not there to be asked. */
static json_t *json_dataplane(const struct node *n, const struct abi_stats *s)
{
	json_t *o = json_pack("{s:s}", "state", plane_state(n)), *placement;
	char at[VX6_ADDR_TEXT];

	if (!n->cfg.data.enabled || !n->plane->up || s == NULL)
		return o;
	json_object_set_new(o, "listen",
			    json_string(vx6_addr_text(&n->plane->listen, at)));
	dpjson_backend(o, s);
	placement = json_workers(n);
	json_object_set_new(
		o, "workers",
		json_integer((json_int_t)json_array_size(placement)));
	json_object_set_new(o, "placement", placement);
	return o;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static json_t *json_clock(struct node *n)
{
	int64_t off[CONFIG_PEERS_MAX], median = 0;
	size_t cnt = 0;
	struct resolve_why why;

	for (struct peer *p = n->peers; p && cnt < VX6_COUNT(off); p = p->next)
		if (p->state == PEER_READY && p->hello_got)
			off[cnt++] = p->clock_ms;
	if (cnt > 0) {
		qsort(off, cnt, sizeof(off[0]), by_value);
		median = off[cnt / 2] / 1000;
	}
	return json_pack("{s:I, s:I, s:o}", "offset_s", (json_int_t)median,
			 "peers", (json_int_t)cnt, "warning",
			 resolve_clock(n, &why) ? json_string(why.text)
						: json_null());
}

static void count_relay(void *ctx, const struct registry_node *rn)
{
	(void)rn;
	++*(unsigned *)ctx;
}

static unsigned relays_known(struct node *n)
{
	unsigned cnt = 0;

	if (registry_relays(n->reg, node_wall(), n->cfg.limits.nodes,
			    count_relay, &cnt) != VX6_OK)
		log_warn("registry", "not-read", log_str("what", "relays"));
	return cnt;
}

static void count_peers(const struct node *n, unsigned *sessions,
			unsigned *links)
{
	*sessions = *links = 0;
	for (const struct peer *p = n->peers; p; p = p->next) {
		*sessions += p->state == PEER_READY;
		*links += p->link == PEER_LINK_OPEN;
	}
}

static unsigned count_tunnels(struct node *n)
{
	json_t *all = json_array();
	unsigned cnt;

	tunnel_list(n, all);
	cnt = (unsigned)json_array_size(all);
	json_decref(all);
	return cnt;
}

static void done_status(struct node *n, struct api_call *call,
			const struct abi_stats *s)
{
	char id[VX6_ID_TEXT], at[VX6_ADDR_TEXT];
	unsigned sessions, links;
	json_t *control = json_array(), *o;

	for (unsigned i = 0; i < n->udp_cnt; i++)
		json_array_append_new(
			control, json_string(vx6_addr_text(&n->listen[i], at)));
	count_peers(n, &sessions, &links);
	o = json_pack("{s:s, s:s, s:s, s:i, s:I, s:o, s:o, s:b, s:{s:I, s:I}, "
		      "s:o}",
		      "name", n->cfg.node.name, "id", vx6_id_text(n->id.id, id),
		      "version", VX6_VERSION, "pid", (int)getpid(), "uptime_s",
		      (json_int_t)((loop_now(n->loop) - n->start_ns) / VX6_SEC),
		      "control", control, "dataplane", json_dataplane(n, s),
		      "relay", node_is_relay(n), "record", "sequence",
		      (json_int_t)n->sequence, "expires_unix_s",
		      (json_int_t)n->expires_s, "clock", json_clock(n));
	json_t *more = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sessions",
		(json_int_t)sessions, "links", (json_int_t)links, "circuits",
		(json_int_t)n->relay_cnt + (json_int_t)n->circuit_cnt,
		"tunnels", (json_int_t)count_tunnels(n), "services",
		(json_int_t)n->access.cnt, "forwards",
		(json_int_t)connect_count(n), "relays_known",
		(json_int_t)relays_known(n));

	json_object_update(o, more);
	json_decref(more);
	json_object_set_new(o, "budget", budget_json(n));
	api_done(call, o);
}

static void run_status(void *ctx, struct api_call *call, const json_t *args)
{
	(void)args;
	ask_plane(ctx, call, done_status);
}

/* ---- peers ---- */

static json_t *json_session(struct node *n, const struct peer *p)
{
	struct quic_stats q;
	struct quic_path path;
	char at[VX6_ADDR_TEXT];
	uint64_t now = loop_now(n->loop);

	quic_stats(p->conn, &q);
	quic_path(p->conn, &path);
	return json_pack("{s:s, s:s, s:f, s:I, s:I}", "address",
			 vx6_addr_text(&path.remote, at), "transport", "quic",
			 "rtt_ms", (double)q.srtt_ns / 1e6, "since_s",
			 (json_int_t)((now - p->since_ns) / VX6_SEC),
			 "clock_offset_s", (json_int_t)(p->clock_ms / 1000));
}

static json_t *json_peer(struct node *n, struct peer *p)
{
	static const char *const word[] = { [PEER_IDLE] = "known",
					    [PEER_OPENING] = "connecting",
					    [PEER_READY] = "connected" };
	struct node_record rec;
	enum vx6_status st = node_record(n, p->id, &rec);
	char id[VX6_ID_TEXT], at[VX6_ADDR_TEXT] = "";
	uint64_t now = loop_now(n->loop);
	json_t *o;

	if (!vx6_addr_is_none(&p->place))
		vx6_addr_text(&p->place, at);
	o = json_pack(
		"{s:s, s:s, s:s, s:s, s:n, s:b, s:b, s:b, s:n, s:n, s:n, s:o, "
		"s:o, s:o}",
		"name", st == VX6_NOT_FOUND ? "" : rec.name, "id",
		vx6_id_text(p->id, id), "state",
		p->state == PEER_IDLE && p->wanted ? "waiting" : word[p->state],
		"address", at, "transport", "configured", p->configured,
		"dialled", p->dialled, "relay",
		st == VX6_OK && (rec.roles & NODE_ROLE_RELAY), "rtt_ms",
		"since_s", "clock_offset_s", "record",
		st == VX6_OK
			? json_pack("{s:I, s:I}", "sequence",
				    (json_int_t)rec.sequence, "expires_unix_s",
				    (json_int_t)rec.expires)
			: json_null(),
		"retry_s",
		p->retry_ns > now
			? json_integer(
				  (json_int_t)((p->retry_ns - now) / VX6_SEC))
			: json_null(),
		"error", p->error[0] ? json_string(p->error) : json_null());
	if (p->state == PEER_READY) {
		json_t *more = json_session(n, p);

		json_object_update(o, more);
		json_decref(more);
	}
	return o;
}

struct known {
	struct node *n;
	json_t *all;
};

static void add_known(void *ctx, const struct registry_node *rn)
{
	struct known *k = ctx;
	char id[VX6_ID_TEXT];

	if (peer_find(k->n, rn->id))
		return;
	json_array_append_new(
		k->all,
		json_pack("{s:s, s:s, s:s, s:s, s:n, s:b, s:b, s:b, s:n, s:n, "
			  "s:n, s:o, s:n, s:n}",
			  "name", rn->name, "id", vx6_id_text(rn->id, id),
			  "state", "known", "address", "", "transport",
			  "configured", 0, "dialled", 0, "relay", rn->relay,
			  "rtt_ms", "since_s", "clock_offset_s", "record",
			  rn->expires > node_wall()
				  ? json_pack("{s:I, s:I}", "sequence",
					      (json_int_t)rn->sequence,
					      "expires_unix_s",
					      (json_int_t)rn->expires)
				  : json_null(),
			  "retry_s", "error"));
}

static void run_peer_list(void *ctx, struct api_call *call, const json_t *args)
{
	struct node *n = ctx;
	struct known k = { .n = n, .all = json_array() };

	for (struct peer *p = n->peers; p; p = p->next)
		json_array_append_new(k.all, json_peer(n, p));
	if (registry_nodes(n->reg, add_known, &k) != VX6_OK)
		log_warn("registry", "not-read", log_str("what", "nodes"));
	send_list(call, args, "peers", k.all);
}

static void add_refused(struct api_call *call, const struct record_env *env,
			enum vx6_status st)
{
	uint64_t now = node_wall();

	if (st == VX6_EXPIRED && env->issued > now)
		api_fail(call, API_FAILED, "compare the two hosts' clocks",
			 "the record is issued %" PRIu64 " s in the future",
			 env->issued - now);
	else if (st == VX6_EXPIRED)
		api_fail(call, API_FAILED,
			 "make it again with `vx6 identity show --record FILE`",
			 "the record expired %" PRIu64 " s ago",
			 now - env->expires);
	else if (st == VX6_BAD_SIGNATURE)
		api_fail(call, API_FAILED,
			 "have it made and sent again by its owner",
			 "the record's signature does not hold");
	else
		api_fail(call, API_FAILED,
			 "it is what `vx6 identity show --record FILE` wrote",
			 "that is no node record: %s", vx6_status_text(st));
}

static void run_peer_add(void *ctx, struct api_call *call, const json_t *args)
{
	struct node *n = ctx;
	struct record_env env = { 0 };
	struct node_record rec;
	const char *text;
	uint8_t bytes[RECORD_MAX];
	char id[VX6_ID_TEXT];
	size_t len;
	enum vx6_status st;
	bool had;

	if (!api_args(call, args, "{s:s}", "record", &text))
		return;
	if (sodium_base642bin(bytes, sizeof(bytes), text, strlen(text), "\n ",
			      &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0) {
		api_fail(call, API_USAGE, "send the record in base64",
			 "the record is not base64, or too long");
		return;
	}
	st = record_open(bytes, len, node_wall(), &env);
	if (st != VX6_OK) {
		add_refused(call, &env, st);
		return;
	}
	if (memcmp(env.id, n->id.id, 32) == 0) {
		api_fail(call, API_FAILED, "say that on another node",
			 "this is this node's own record");
		return;
	}
	had = node_record(n, env.id, &rec) != VX6_NOT_FOUND;
	st = node_learn(n, NULL, bytes, len, &rec);
	if (st != VX6_OK && st != VX6_EXISTS && st != VX6_STALE) {
		add_refused(call, &env, st);
		return;
	}
	if (registry_keep(n->reg, env.id, true) != VX6_OK)
		log_warn("registry", "not-kept", log_node("peer", env.id));
	/* Others are dialled when they are needed: a session would tell them
	 * who we are. */
	struct peer *p = rec.roles & NODE_ROLE_RELAY
				 ? peer_want(n, env.id, NULL)
				 : peer_find(n, env.id);

	if (p)
		p->kept = true;
	api_done(call, json_pack("{s:s, s:s, s:s, s:I}", "name", rec.name, "id",
				 vx6_id_text(env.id, id), "state",
				 st != VX6_OK ? "known"
				 : had        ? "updated"
					      : "new",
				 "expires_unix_s", (json_int_t)env.expires));
}

/* ---- links, circuits, tunnels ---- */

static json_t *json_link(struct node *n, const struct peer *p)
{
	static const char *const word[] = { [VX6_LINK_NEW] = "up",
					    [VX6_LINK_UP] = "up",
					    [VX6_LINK_DOWN] = "silent" };
	struct plane_link_info info = { 0 };
	char label[VX6_ID_TEXT], id[VX6_ID_TEXT], at[VX6_ADDR_TEXT];
	bool open = p->link == PEER_LINK_OPEN;

	n->plane->ops->link_info(n->plane, p->index, &info);
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:o, s:s, s:s, s:o, s:I, s:b, s:I, s:I, "
		"s:I, s:I, s:I, s:I}",
		"node", node_label(n, p->id, label), "id",
		vx6_id_text(p->id, id), "index", (json_int_t)p->index,
		"peer_index", (json_int_t)p->peer_index, "address",
		vx6_addr_is_none(&info.addr)
			? json_null()
			: json_string(vx6_addr_text(&info.addr, at)),
		"at", n->plane->relays ? "dataplane" : "control", "state",
		open ? word[info.state % 3] : "opening", "rtt_ms",
		info.srtt_ns ? json_real((double)info.srtt_ns / 1e6)
			     : json_null(),
		"u", (json_int_t)p->u, "session", p->state == PEER_READY,
		"age_s",
		(json_int_t)(open ? (loop_now(n->loop) - p->link_since_ns) /
					     VX6_SEC
				  : 0),
		"moves", (json_int_t)p->link_moves, "cells_in",
		(json_int_t)info.cells_in, "cells_out",
		(json_int_t)info.cells_out, "bytes_in",
		(json_int_t)info.bytes_in, "bytes_out",
		(json_int_t)info.bytes_out);
}

struct list_call { /* waits until the plane's counters are fresh */
	struct node *n;
	struct api_call *call; /* NULL: nobody waits any more */
	const json_t *args;
	void (*answer)(struct list_call *w);
};

static void list_cancelled(void *user, struct api_call *call)
{
	(void)call;
	((struct list_call *)user)->call = NULL;
}

static void list_now(void *ctx, enum vx6_status st)
{
	struct list_call *w = ctx;

	(void)st; /* without fresh counters the list is still right */
	if (w->call)
		w->answer(w);
	free(w);
}

static void list_fresh(struct node *n, struct api_call *call,
		       const json_t *args, void (*answer)(struct list_call *w))
{
	struct list_call *w = malloc(sizeof(*w));

	if (!w) {
		api_fail(call, API_FAILED, "", "out of memory");
		return;
	}
	*w = (struct list_call){ n, call, args, answer };
	api_on_cancel(call, list_cancelled, w);
	if (n->plane->ops->refresh(n->plane, list_now, w) != VX6_OK)
		list_now(w, VX6_UNREACHABLE);
}

static void answer_links(struct list_call *w)
{
	json_t *all = json_array();

	for (struct peer *p = w->n->peers; p; p = p->next)
		if (p->index)
			json_array_append_new(all, json_link(w->n, p));
	send_list(w->call, w->args, "links", all);
}

static void run_link_list(void *ctx, struct api_call *call, const json_t *args)
{
	list_fresh(ctx, call, args, answer_links);
}

static void answer_circuits(struct list_call *w)
{
	json_t *all = json_array();

	circuit_list(w->n, all);
	relay_list(w->n, all);
	send_list(w->call, w->args, "circuits", all);
}

static void run_circuit_list(void *ctx, struct api_call *call,
			     const json_t *args)
{
	list_fresh(ctx, call, args, answer_circuits);
}

static void run_tunnel_list(void *ctx, struct api_call *call,
			    const json_t *args)
{
	json_t *all = json_array();

	tunnel_list(ctx, all);
	send_list(call, args, "tunnels", all);
}

static void run_forward_list(void *ctx, struct api_call *call,
			     const json_t *args)
{
	json_t *all = json_array();

	connect_list(ctx, all);
	send_list(call, args, "forwards", all);
}

/* ---- identity ---- */

static json_t *json_base64(const uint8_t *p, size_t len)
{
	char text[sodium_base64_ENCODED_LEN(NODE_RECORD_MAX,
					    sodium_base64_VARIANT_ORIGINAL)];

	sodium_bin2base64(text, sizeof(text), p, len,
			  sodium_base64_VARIANT_ORIGINAL);
	return json_string(text);
}

static void run_identity_show(void *ctx, struct api_call *call,
			      const json_t *args)
{
	struct node *n = ctx;
	char id[VX6_ID_TEXT];
	int record = 0;

	if (!api_args(call, args, "{s?b}", "record", &record))
		return;
	if (record && n->expires_s < vx6_unix_s() + NODE_LIFE_S / 2)
		node_publish(n);
	json_t *o = json_pack("{s:s, s:s, s:o, s:I, s:I}", "name",
			      n->cfg.node.name, "id", vx6_id_text(n->id.id, id),
			      "public_key", json_base64(n->id.public_key, 32),
			      "sequence", (json_int_t)n->sequence,
			      "expires_unix_s", (json_int_t)n->expires_s);

	if (record)
		json_object_set_new(o, "record",
				    json_base64(n->record, n->record_len));
	api_done(call, o);
}

/* ---- services ---- */

static json_t *json_service(const struct node *n,
			    const struct registry_service *s)
{
	struct node_service count = { 0 };

	char at[VX6_ADDR_TEXT], id[VX6_ID_TEXT];
	json_t *allow = json_array();

	for (uint32_t i = 0; i < s->allow_cnt; i++)
		json_array_append_new(
			allow, json_string(vx6_id_text(s->allow[i], id)));
	for (uint32_t i = 0; i < n->cfg.limits.services; i++)
		if (strcmp(n->service[i].name, s->name) == 0)
			count = n->service[i];
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:I, s:I}", "name", s->name,
			 "proto", s->proto == REGISTRY_TCP ? "tcp" : "udp",
			 "target", vx6_addr_text(&s->target, at), "public",
			 s->is_public, "allow", allow, "served",
			 (json_int_t)count.served, "refused",
			 (json_int_t)count.refused);
}

static bool take_allow(struct api_call *call, const json_t *allow,
		       struct registry_service *s)
{
	size_t len = json_array_size(allow);

	if (len > REGISTRY_ALLOW_MAX) {
		api_fail(call, API_USAGE, "make it shorter",
			 "an access list has at most %u nodes",
			 REGISTRY_ALLOW_MAX);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		const char *t = json_string_value(json_array_get(allow, i));

		if (!t || vx6_id_parse(s->allow[i], t) != VX6_OK) {
			api_fail(call, API_USAGE,
				 "`vx6 identity show` on that node prints it",
				 "%.60s is no node ID", t ? t : "an entry");
			return false;
		}
	}
	s->allow_cnt = (uint32_t)len;
	return true;
}

static bool take_service(struct api_call *call, const json_t *args,
			 struct registry_service *s)
{
	const char *name, *target, *proto = "tcp";
	int is_public = 0, any = 0;
	json_t *allow = NULL;

	if (!api_args(call, args, "{s:s, s:s, s?s, s?b, s?o, s?b}", "name",
		      &name, "target", &target, "proto", &proto, "public",
		      &is_public, "allow", &allow, "target_any", &any))
		return false;
	*s = (struct registry_service){ .proto = REGISTRY_TCP,
					.is_public = is_public != 0 };
	if (!name_ok(name, strlen(name))) {
		api_fail(call, API_USAGE, "a name is " NAME_RULE,
			 "%.60s is no name for a service", name);
		return false;
	}
	if (vx6_addr_parse(&s->target, target) != VX6_OK ||
	    s->target.port == 0) {
		api_fail(call, API_USAGE, "for example 127.0.0.1:22",
			 "%.60s is no address with a port", target);
		return false;
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (strcmp(proto, "tcp") != 0) {
		api_fail(call, API_USAGE, "use tcp", "%.20s is not served",
			 proto);
		return false;
	}
	if (s->is_public == (json_array_size(allow) > 0)) {
		api_fail(call, API_USAGE, "say --public, or --allow NODE,..",
			 "a service is either public or for the nodes named");
		return false;
	}
	if (!any && !vx6_addr_is_loopback(&s->target)) {
		api_fail(call, API_DENIED, "say --target-any if that is meant",
			 "%.50s is not on this host's loopback", target);
		return false;
	}
	return take_allow(call, allow, s);
}

static void run_service_add(void *ctx, struct api_call *call,
			    const json_t *args)
{
	struct node *n = ctx;
	struct registry_service s;
	enum vx6_status st;

	if (!take_service(call, args, &s))
		return;
	st = registry_service_add(n->reg, &s);
	if (st == VX6_EXISTS) {
		api_fail(call, API_FAILED,
			 "`vx6 service remove NAME` makes room for it",
			 "a service is called %s already", s.name);
		return;
	}
	if (st != VX6_OK) {
		api_fail(call, API_FAILED, "vx6d's log says more",
			 "it could not be kept: %s", vx6_status_text(st));
		return;
	}
	node_services_changed(n);
	api_done(call, json_service(n, &s));
}

static void run_service_remove(void *ctx, struct api_call *call,
			       const json_t *args)
{
	struct node *n = ctx;
	const char *name;

	if (!api_args(call, args, "{s:s}", "name", &name))
		return;
	if (registry_service_remove(n->reg, name) != VX6_OK) {
		api_fail(call, API_FAILED, "`vx6 service list` shows them",
			 "no service is called %.60s", name);
		return;
	}
	node_service_gone(n, name);
	node_services_changed(n);
	api_done(call, NULL);
}

struct services {
	const struct node *n;
	json_t *all;
};

static void add_service(void *ctx, const struct registry_service *s)
{
	struct services *to = ctx;

	json_array_append_new(to->all, json_service(to->n, s));
}

static void run_service_list(void *ctx, struct api_call *call,
			     const json_t *args)
{
	struct node *n = ctx;
	struct services to = { .n = n, .all = json_array() };

	if (registry_services(n->reg, add_service, &to) != VX6_OK)
		log_warn("registry", "not-read", log_str("what", "services"));
	send_list(call, args, "services", to.all);
}

/* ---- counters ---- */

/* CREATE_FAILs by their reason's number, and what the pool has to do. */
static json_t *json_creates(const struct node *n)
{
	static const char *const name[] = {
#define X(word, no, text) [no] = #word,
		VX6_FAIL_LIST(X)
#undef X
	};
	json_t *failed = json_object();
	struct onion_stats o;

	for (unsigned i = 0; i < VX6_COUNT(name); i++)
		if (name[i] && n->stats.create_fail[i])
			json_object_set_new(
				failed, name[i],
				json_integer(
					(json_int_t)n->stats.create_fail[i]));
	onion_stats(n->onion, &o);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i}",
			 "failed", failed, "over_session",
			 (json_int_t)n->stats.create_over_session +
				 (json_int_t)n->admit.session,
			 "over_prefix",
			 (json_int_t)n->creates.refused +
				 (json_int_t)n->relay_creates.refused +
				 (json_int_t)n->admit.prefix,
			 "prefixes_crowded",
			 (json_int_t)n->creates.crowded +
				 (json_int_t)n->relay_creates.crowded,
			 "opened", (json_int_t)n->admit.in, "jobs",
			 n->admit.cnt, "jobs_most", n->admit.most, "jobs_max",
			 n->admit.max, "replay_keys", o.keys, "replay_keys_max",
			 o.keys_max);
}

static json_t *json_streams(const struct node *n)
{
	json_t *refused = json_object();
	struct mux_stats m;

	mux_hub_stats(n->hub, &m);
	for (unsigned i = 0; i < MUX_REFUSED_CNT; i++)
		if (m.refused[i] > 0)
			json_object_set_new(
				refused, mux_refusal_name((enum mux_refusal)i),
				json_integer((json_int_t)m.refused[i]));
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "open",
		(json_int_t)m.open, "opening", (json_int_t)m.opening, "opened",
		(json_int_t)m.opened, "closed", (json_int_t)m.closed, "reset",
		(json_int_t)m.reset, "refused", refused, "up_bytes",
		(json_int_t)m.up_bytes, "down_bytes", (json_int_t)m.down_bytes,
		"buffered_bytes", (json_int_t)m.buffered);
}

static json_t *json_own(const struct node *n)
{
	const struct node_stats *s = &n->stats;
	uint64_t drop[VX6_STATUS_CNT];
	struct net_sock sum = { 0 };

	for (unsigned i = 0; i < VX6_STATUS_CNT; i++)
		drop[i] = s->cell_drop[i] + s->quic_drop[i] +
			  n->plane->dropped[i];
	for (unsigned i = 0; i < n->udp_cnt; i++) {
		const struct net_sock *k = loop_udp_sock(n->udp[i]);

		sum.rx_dgrams += k->rx_dgrams;
		sum.tx_dgrams += k->tx_dgrams;
		sum.rx_bytes += k->rx_bytes;
		sum.tx_bytes += k->tx_bytes;
	}
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:I, "
		"s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"rx_datagrams", (json_int_t)sum.rx_dgrams, "tx_datagrams",
		(json_int_t)sum.tx_dgrams, "rx_bytes", (json_int_t)sum.rx_bytes,
		"tx_bytes", (json_int_t)sum.tx_bytes, "drops",
		dpjson_drops(drop), "strange", (json_int_t)s->udp_strange,
		"quic_replayed", (json_int_t)s->quic_drop[VX6_REPLAYED],
		"creates_in", (json_int_t)s->create_in, "creates_ok",
		(json_int_t)s->create_ok, "creates_refused",
		(json_int_t)s->create_refused, "creates", json_creates(n),
		"circuits_built", (json_int_t)s->circuits_built,
		"circuits_failed", (json_int_t)s->circuits_failed, "control_in",
		(json_int_t)s->control_in, "control_out",
		(json_int_t)s->control_out, "records_in",
		(json_int_t)s->records_in, "records_refused",
		(json_int_t)s->records_refused, "moves", (json_int_t)s->moves,
		"circuit_ids", (json_int_t)n->ids.used, "streams",
		json_streams(n));
}

static void done_stats(struct node *n, struct api_call *call,
		       const struct abi_stats *s)
{
	json_t *dataplane = s != NULL ? dpjson_stats(s) : json_null();

	if (s != NULL)
		json_object_set_new(dataplane, "placement", json_workers(n));
	api_done(call,
		 json_pack("{s:o, s:o, s:o}", "vx6d", json_own(n), "dataplane",
			   dataplane, "budget", budget_json(n)));
}

static void run_stats(void *ctx, struct api_call *call, const json_t *args)
{
	(void)args;
	ask_plane(ctx, call, done_stats);
}

static void run_shutdown(void *ctx, struct api_call *call, const json_t *args)
{
	struct node *n = ctx;

	(void)args;
	if (!api_from_owner(call)) {
		api_fail(call, API_DENIED, "say it as root, or as vx6d's user",
			 "a member of the group may not end vx6d");
		return;
	}
	api_done(call, NULL);
	log_info("node", "shutdown", log_str("by", "command"));
	loop_stop(n->loop);
}

/* ---- the socket ---- */

enum vx6_status commands_open(struct node *n, struct state_why *why)
{
	static const struct api_command table[] = {
		{ "status",         run_status         },
		{ "peer.list",      run_peer_list      },
		{ "peer.add",       run_peer_add       },
		{ "link.list",      run_link_list      },
		{ "circuit.list",   run_circuit_list   },
		{ "tunnel.list",    run_tunnel_list    },
		{ "identity.show",  run_identity_show  },
		{ "service.add",    run_service_add    },
		{ "service.remove", run_service_remove },
		{ "service.list",   run_service_list   },
		{ "connect",        connect_run        },
		{ "disconnect",     connect_disconnect },
		{ "forward.list",   run_forward_list   },
		{ "stats",          run_stats          },
		{ "shutdown",       run_shutdown       },
	};
	char path[CONFIG_PATH_TEXT + 16];
	struct api_options opt = { .path = path,
				   .group = n->cfg.api_group,
				   .commands = table,
				   .command_cnt = VX6_COUNT(table),
				   .ctx = n,
				   .clients = n->cfg.limits.commands };

	snprintf(path, sizeof(path), "%s/vx6d.sock", n->cfg.run);
	enum vx6_status st = api_open(n->loop, &opt, &n->api);

	if (st != VX6_OK)
		snprintf(
			why->text, sizeof(why->text),
			st == VX6_EXISTS
				? "another vx6d answers on %s: end it, or give "
				  "this one another --run directory"
				: "cannot listen on %s: is its directory ours?",
			path);
	return st;
}

void commands_close(struct node *n)
{
	api_close(n->api);
	n->api = NULL;
}
