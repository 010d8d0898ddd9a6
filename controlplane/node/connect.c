/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/node/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/resolve.h"
#include "controlplane/node/tunnel.h"
#include "controlplane/service/forward.h"

#define AGAIN_MIN_NS (500 * VX6_MS)
#define AGAIN_MAX_NS (10 * VX6_SEC)
#define HOPS_NS      (2 * VX6_SEC) /* that `ready` waits for PONGs and spares */

struct forward_job {
	struct node_grave grave;
	struct forward_job *next;
	struct node *node;
	struct api_call *call; /* NULL: runs in the background */
	struct tunnel_plan plan;
	char name[NAME_TEXT];    /* of the service, without owner */
	char owner[VX6_ID_TEXT]; /* label */
	struct vx6_addr listen;
	bool any, background;
	struct tunnel *tunnel;
	struct forward *forward;
	bool ready; /* the tunnel stands and OPEN was answered once */
	bool dead;
	struct loop_timer again, hops;
	uint64_t took_ns; /* from the request until it could be used */
	uint64_t backoff_ns, start_ns, down_ns;
	uint64_t served, moves, gap_ns;
	char reason[256];
};

static void dial(struct forward_job *j);

/* ---- the end of a job ---- */

static void let_go(struct forward_job *j)
{
	if (j->dead)
		return;
	j->dead = true;
	for (struct forward_job **at = &j->node->forwards; *at;
	     at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	loop_timer_clear(&j->again);
	loop_timer_clear(&j->hops);
	if (j->tunnel)
		tunnel_close(j->tunnel);
	j->tunnel = NULL;
	forward_close(j->forward);
	j->forward = NULL;
	node_bury(j->node, &j->grave);
}

static void fail(struct forward_job *j, enum api_code code, const char *hint,
		 const char *text)
{
	struct api_call *call = j->call;

	j->call = NULL;
	let_go(j);
	if (call)
		api_fail(call, code, hint, "%s", text);
}

static void cancelled(void *user, struct api_call *call)
{
	struct forward_job *j = user;

	(void)call;
	j->call = NULL;
	if (!j->background || !j->ready)
		let_go(j);
}

static void event(struct forward_job *j, const char *kind, json_t *more)
{
	if (j->call)
		api_event(j->call, kind, more);
	else
		json_decref(more);
}

/* ---- the port ---- */

static void refused(void *ctx, enum vx6_status how)
{
	struct forward_job *j = ctx;
	char text[256];

	if (how == VX6_OK) {
		j->served++;
		return;
	}
	snprintf(text, sizeof(text), "a connection to %s could not be made: %s",
		 j->plan.service, vx6_status_text(how));
	event(j, "refused",
	      json_pack("{s:s, s:s, s:s}", "code",
			api_code_name(how == VX6_DENIED        ? API_DENIED
				      : how == VX6_UNREACHABLE ? API_UNREACHABLE
							       : API_FAILED),
			"message", text, "hint", "others go on"));
}

static enum vx6_status offer(void *ctx, int fd)
{
	struct forward_job *j = ctx;
	struct mux *m = j->ready && j->tunnel ? tunnel_mux(j->tunnel) : NULL;

	if (!m)
		return VX6_AGAIN;
	return mux_connect(m, fd, j->name, refused, j);
}

static bool listen_now(struct forward_job *j)
{
	struct forward_opts opt = {
		.listen = j->listen, .any = j->any, .offer = offer, .ctx = j
	};
	char why[FORWARD_WHY];
	enum vx6_status st;

	if (j->forward)
		return true;
	st = forward_open(j->node->loop, &opt, &j->forward, why);
	if (st == VX6_OK)
		return true;
	j->forward = NULL;
	/* "what is wrong: what to do" */
	char *hint = strstr(why, ": ");

	if (hint)
		*hint = '\0';
	fail(j, st == VX6_DENIED ? API_DENIED : API_FAILED,
	     hint ? hint + 2 : "choose another address or port", why);
	return false;
}

static void say_ready(struct forward_job *j)
{
	struct api_call *call = j->call;
	char at[VX6_ADDR_TEXT];

	vx6_addr_text(forward_addr(j->forward), at);
	event(j, "ready",
	      json_pack("{s:s, s:s, s:o, s:o, s:f, s:f}", "listen", at, "mode",
			j->plan.direct ? "direct" : "relay", "path",
			tunnel_json_path(j->tunnel), "spares",
			tunnel_json_spares(j->tunnel), "build_ms",
			(double)tunnel_build_ns(j->tunnel) / 1e6, "connect_ms",
			(double)j->took_ns / 1e6));
	if (!j->background || !call)
		return;
	j->call = NULL;
	api_done(call, json_pack("{s:s, s:s, s:o}", "listen", at, "mode",
				 j->plan.direct ? "direct" : "relay", "path",
				 tunnel_json_path(j->tunnel)));
}

static void say_back(struct forward_job *j)
{
	j->gap_ns = loop_now(j->node->loop) - j->down_ns;
	j->moves++;
	event(j, "moved",
	      json_pack("{s:f, s:s, s:o}", "gap_ms", (double)j->gap_ns / 1e6,
			"reason", j->reason, "path",
			tunnel_json_path(j->tunnel)));
}

/* ---- what the first OPEN said ---- */

static void no_service(struct forward_job *j, enum vx6_status how)
{
	char text[256];

	switch ((unsigned)how) {
	case VX6_DENIED:
		snprintf(text, sizeof(text),
			 "%s offers no service %s to this node", j->owner,
			 j->name);
		fail(j, API_DENIED,
		     j->plan.identify
			     ? "ask the owner to allow this node's ID "
			       "(`vx6 identity show`)"
			     : "check the name; a service with an access list "
			       "needs --identify, which shows who you are",
		     text);
		return;
	case VX6_UNREACHABLE:
		snprintf(text, sizeof(text), "the target of %s does not answer",
			 j->plan.service);
		fail(j, API_UNREACHABLE,
		     "the owner has to start the program behind it", text);
		return;
	case VX6_NO_ROOM:
		snprintf(text, sizeof(text),
			 "%s has no room for another connection", j->owner);
		fail(j, API_FAILED, "try again later", text);
		return;
	default:
		snprintf(text, sizeof(text), "%s did not answer an OPEN: %s",
			 j->owner, vx6_status_text(how));
		fail(j, API_UNREACHABLE, "try again", text);
		return;
	}
}

static void use_tunnel(struct forward_job *j);

static void probed(void *ctx, enum vx6_status how)
{
	struct forward_job *j = ctx;
	bool again = j->forward != NULL;

	if (j->dead || !j->tunnel)
		return;
	if (how != VX6_OK && !again) {
		no_service(j, how);
		return;
	}
	j->took_ns = loop_now(j->node->loop) - j->start_ns;
	if (again || !tunnel_settling(j->tunnel))
		use_tunnel(j);
	else
		loop_timer_set(&j->hops, loop_now(j->node->loop) + HOPS_NS);
}

static void on_hops_late(void *ctx)
{
	use_tunnel(ctx);
}

static void use_tunnel(struct forward_job *j)
{
	bool again = j->forward != NULL;

	loop_timer_clear(&j->hops);
	if (j->dead || !j->tunnel || !listen_now(j))
		return;
	j->ready = true;
	j->backoff_ns = 0;
	if (again)
		say_back(j);
	else
		say_ready(j);
	if (!j->dead)
		forward_ready(j->forward);
}

/* ---- the tunnel ---- */

static void on_hop(void *ctx, struct tunnel *t, struct circuit *c, unsigned i,
		   uint64_t rtt_ns, bool spare)
{
	struct forward_job *j = ctx;
	char label[VX6_ID_TEXT];
	json_t *o;

	(void)t;
	if (i + 1 >= c->hops)
		return; /* the end is no relay */
	o = json_pack("{s:i, s:i, s:s, s:f}", "n", (int)i + 1, "of",
		      (int)c->hops - 1, "node",
		      node_label(j->node, c->id[i], label), "ms",
		      (double)rtt_ns / 1e6);
	if (spare)
		json_object_set_new(o, "spare", json_true());
	event(j, "hop", o);
}

static void on_settled(void *ctx, struct tunnel *t)
{
	struct forward_job *j = ctx;

	(void)t;
	if (j->hops.due_ns != VX6_NEVER)
		loop_timer_set(&j->hops, 0);
}

static void on_ready(void *ctx, struct tunnel *t)
{
	struct forward_job *j = ctx;
	enum vx6_status st = mux_probe(tunnel_mux(t), j->name, probed, j);

	if (st != VX6_OK)
		probed(j, st);
}

static void on_moved(void *ctx, struct tunnel *t, uint64_t gap_ns,
		     const char *reason)
{
	struct forward_job *j = ctx;

	j->moves++;
	j->gap_ns = gap_ns;
	event(j, "moved",
	      json_pack("{s:f, s:s, s:o}", "gap_ms", (double)gap_ns / 1e6,
			"reason", reason, "path", tunnel_json_path(t)));
}

static void on_down(void *ctx, struct tunnel *t, const char *reason)
{
	(void)t;
	event(ctx, "down", json_pack("{s:s}", "reason", reason));
}

static void again_later(struct forward_job *j)
{
	j->backoff_ns = loop_backoff(j->backoff_ns, AGAIN_MIN_NS, AGAIN_MAX_NS);
	loop_timer_set(&j->again, loop_now(j->node->loop) + j->backoff_ns);
}

static void never_stood(struct forward_job *j, enum tunnel_fail how,
			const char *text)
{
	struct resolve_why clock;
	char words[512];

	if (resolve_clock(j->node, &clock)) {
		fail(j, clock.code, clock.hint, clock.text);
		return;
	}
	snprintf(words, sizeof(words), "%s cannot be reached: %s", j->owner,
		 text);
	fail(j, how == TUNNEL_FAIL_LOCAL ? API_FAILED : API_UNREACHABLE,
	     how == TUNNEL_FAIL_IDENTITY
		     ? "the address belongs to another node: bring the owner's "
		       "newest record"
		     : "`vx6 peer list` shows who answers",
	     words);
}

static void on_ended(void *ctx, struct tunnel *t, enum tunnel_fail how,
		     const char *text)
{
	struct forward_job *j = ctx;

	(void)t;
	j->tunnel = NULL;
	if (!j->forward) {
		never_stood(j, how, text);
		return;
	}
	if (j->ready) {
		j->down_ns = loop_now(j->node->loop);
		event(j, "down", json_pack("{s:s}", "reason", text));
	}
	snprintf(j->reason, sizeof(j->reason), "%s", text);
	j->ready = false;
	again_later(j);
}

static void dial(struct forward_job *j)
{
	static const struct tunnel_events ev = { .hop = on_hop,
						 .settled = on_settled,
						 .ready = on_ready,
						 .moved = on_moved,
						 .down = on_down,
						 .ended = on_ended };
	char why[256];
	enum vx6_status st = tunnel_open(j->node, &j->plan, &ev, j, &j->tunnel,
					 why);

	if (st == VX6_OK)
		return;
	j->tunnel = NULL;
	if (j->forward)
		again_later(j);
	else
		never_stood(j, TUNNEL_FAIL_UNREACHABLE, why);
}

static void on_again(void *ctx)
{
	dial(ctx);
}

/* ---- the command ---- */

static bool is_owner(struct node *n, const char *text, const uint8_t owner[32])
{
	struct resolve_why ignored;
	uint8_t id[32];

	return resolve_node(n, text, id, &ignored) &&
	       memcmp(id, owner, 32) == 0;
}

static bool usage(struct resolve_why *why, const char *hint, const char *text)
{
	return resolve_no(why, API_USAGE, hint, text);
}

static bool take_path(struct node *n, const json_t *list,
		      const uint8_t owner[32], uint8_t to[][32], unsigned *cnt,
		      struct resolve_why *why)
{
	size_t len = json_array_size(list);

	if (len > TUNNEL_HOPS_MAX)
		return usage(why, "name fewer", "a path has at most 7 relays");
	for (size_t i = 0; i < len; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s && is_owner(n, s, owner))
			return usage(why, "leave it out: it is the end",
				     "the path has the owner itself in it");
		if (!resolve_relay(n, s ? s : "", to[i], why))
			return false;
		for (size_t k = 0; k < i; k++)
			if (memcmp(to[k], to[i], 32) == 0) {
				why->code = API_USAGE;
				snprintf(why->text, sizeof(why->text),
					 "%.60s is twice in the path", s);
				snprintf(why->hint, sizeof(why->hint),
					 "name each relay once");
				return false;
			}
	}
	*cnt = (unsigned)len;
	return true;
}

static bool take_service(struct forward_job *j, const char *service,
			 struct resolve_why *why)
{
	const char *dot = strrchr(service, '.');
	char owner[72];

	if (!dot || (size_t)(dot - service) >= sizeof(owner) ||
	    strlen(service) >= sizeof(j->plan.service) ||
	    !name_ok(dot + 1, strlen(dot + 1)))
		return usage(why, "for example alice.ssh",
			     "a service is named owner.service");
	memcpy(owner, service, (size_t)(dot - service));
	owner[dot - service] = '\0';
	snprintf(j->plan.service, sizeof(j->plan.service), "%s", service);
	snprintf(j->name, sizeof(j->name), "%s", dot + 1);
	if (!resolve_node(j->node, owner, j->plan.owner, why))
		return false;
	node_label(j->node, j->plan.owner, j->owner);
	if (memcmp(j->plan.owner, j->node->id.id, 32) == 0)
		return usage(why, "connect to its target",
			     "that is this node's own service");
	return true;
}

static bool take_plan(struct forward_job *j, const json_t *via,
		      const json_t *spare, int hops, struct resolve_why *why)
{
	struct tunnel_plan *p = &j->plan;

	if (hops < 0 || hops > (int)TUNNEL_HOPS_MAX)
		return usage(why, "from 1 to 7",
			     "that many hops are not possible");
	p->hops = (unsigned)hops;
	if (via && !take_path(j->node, via, p->owner, p->via, &p->via_cnt, why))
		return false;
	if (spare && json_array_size(spare) == 0)
		p->no_spare = true;
	else if (spare && !take_path(j->node, spare, p->owner, p->spare_via,
				     &p->spare_cnt, why))
		return false;
	p->direct = p->hops == 0 && p->via_cnt == 0;
	if (p->direct && spare)
		return usage(why, "add --hops or --via",
			     "a direct connection has no spare path");
	return true;
}

static bool take_cell_size(struct forward_job *j, int asked,
			   struct resolve_why *why)
{
	uint32_t size = asked >= 0 ? (uint32_t)asked : j->node->cfg.cell_size;

	if (size > UINT16_MAX || !vx6_cell_size_ok((uint16_t)size))
		return usage(why, "0, 1232 or 1452",
			     "there are no cells of that size");
	if (asked > 0 && j->plan.direct)
		return usage(why, "add --hops or --via",
			     "a direct connection has no cells");
	j->plan.cell_size = (uint16_t)size;
	return true;
}

static bool take_listen(struct forward_job *j, const char *listen,
			struct resolve_why *why)
{
	if (vx6_addr_parse(&j->listen, listen) != VX6_OK)
		return usage(why, "for example 127.0.0.1:2222",
			     "listen is no address with a port");
	if (!j->any && !vx6_addr_is_loopback(&j->listen)) {
		why->code = API_DENIED;
		snprintf(why->hint, sizeof(why->hint),
			 "listen on 127.0.0.1, or say --listen-any");
		snprintf(why->text, sizeof(why->text),
			 "%.50s is open to other hosts", listen);
		return false;
	}
	return true;
}

void connect_run(void *ctx, struct api_call *call, const json_t *args)
{
	struct node *n = ctx;
	struct resolve_why why = { .code = API_FAILED };
	const char *service, *listen;
	json_t *via = NULL, *spare = NULL;
	int hops = 0, identify = 0, background = 0, any = 0, cell_size = -1;

	if (!api_args(call, args,
		      "{s:s, s:s, s?i, s?o, s?o, s?b, s?b, s?b, s?i}",
		      "service", &service, "listen", &listen, "hops", &hops,
		      "via", &via, "spare_via", &spare, "identify", &identify,
		      "background", &background, "listen_any", &any,
		      "cell_size", &cell_size))
		return;
	struct forward_job *j = connect_count(n) < n->cfg.limits.forwarders
					? calloc(1, sizeof(*j))
					: NULL;

	if (!j) {
		api_fail(call, API_FAILED, "end one with `vx6 disconnect`",
			 "there are as many forwarders as allowed");
		return;
	}
	j->node = n;
	j->call = call;
	j->any = any != 0;
	j->background = background != 0;
	j->plan.identify = identify != 0;
	j->start_ns = loop_now(n->loop);
	if (!take_service(j, service, &why) ||
	    !take_plan(j, via, spare, hops, &why) ||
	    !take_cell_size(j, cell_size, &why) ||
	    !take_listen(j, listen, &why)) {
		free(j);
		api_fail(call, why.code, why.hint, "%s", why.text);
		return;
	}
	loop_timer_init(&j->again, n->loop, on_again, j);
	loop_timer_init(&j->hops, n->loop, on_hops_late, j);
	j->next = n->forwards;
	n->forwards = j;
	api_on_cancel(call, cancelled, j);
	dial(j);
}

void connect_disconnect(void *ctx, struct api_call *call, const json_t *args)
{
	struct node *n = ctx;
	const char *listen;
	struct vx6_addr at;
	struct mux_stats m = { 0 };

	if (!api_args(call, args, "{s:s}", "listen", &listen))
		return;
	struct forward_job *j = n->forwards;

	if (vx6_addr_parse(&at, listen) != VX6_OK)
		j = NULL;
	while (j && !(j->forward && vx6_addr_eq(forward_addr(j->forward), &at)))
		j = j->next;
	if (!j) {
		api_fail(call, API_FAILED, "`vx6 forward list` shows them",
			 "nothing is forwarded from %.60s", listen);
		return;
	}
	if (j->tunnel && tunnel_mux(j->tunnel))
		mux_stats(tunnel_mux(j->tunnel), &m);
	struct api_call *other = j->call;

	j->call = NULL;
	let_go(j);
	if (other)
		api_done(other, json_pack("{s:s}", "reason", "disconnected"));
	api_done(call, json_pack("{s:I}", "streams", (json_int_t)m.open));
}

uint32_t connect_count(const struct node *n)
{
	uint32_t cnt = 0;

	for (const struct forward_job *j = n->forwards; j; j = j->next)
		cnt++;
	return cnt;
}

void connect_list(struct node *n, json_t *to)
{
	for (struct forward_job *j = n->forwards; j; j = j->next) {
		char at[VX6_ADDR_TEXT];
		struct mux_stats m = { 0 };
		struct forward_stats f = { 0 };
		uint64_t away;

		if (j->forward)
			forward_stats(j->forward, &f);
		away = f.refused + f.full + f.expired + f.no_files;
		vx6_addr_text(
			j->forward ? forward_addr(j->forward) : &j->listen, at);
		if (j->tunnel && tunnel_mux(j->tunnel))
			mux_stats(tunnel_mux(j->tunnel), &m);
		json_array_append_new(
			to,
			json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:I, "
				  "s:I, s:I, s:I, s:I, s:o}",
				  "listen", at, "service", j->plan.service,
				  "state",
				  j->ready     ? "ready"
				  : j->forward ? "down"
					       : "opening",
				  "mode", j->plan.direct ? "direct" : "relay",
				  "path",
				  j->tunnel ? tunnel_json_path(j->tunnel)
					    : json_array(),
				  "tunnel",
				  j->tunnel ? json_integer(
						      tunnel_number(j->tunnel))
					    : json_null(),
				  "background", j->background, "streams",
				  (json_int_t)m.open, "served",
				  (json_int_t)j->served, "waiting",
				  (json_int_t)f.waiting, "turned_away",
				  (json_int_t)away, "moves",
				  (json_int_t)j->moves, "last_gap_ms",
				  j->moves ? json_real((double)j->gap_ns / 1e6)
					   : json_null()));
	}
}

void connects_close(struct node *n)
{
	while (n->forwards)
		let_go(n->forwards);
}
