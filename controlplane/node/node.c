/* SPDX-License-Identifier: GPL-2.0-or-later */

/* node: start, stop, and who hears what. */

#include "controlplane/node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "controlplane/loop/log.h"
#include "controlplane/node/adopt.h"
#include "controlplane/node/circuit.h"
#include "controlplane/node/commands.h"
#include "controlplane/node/connect.h"
#include "controlplane/node/endpoints.h"
#include "controlplane/node/peer.h"
#include "controlplane/node/relay.h"
#include "controlplane/node/tunnel.h"

#define OWN_LINKS_MAX  256u
#define OWN_HALVES_MAX 8192u
#define CHANS_MAX      65536u
#define SWEEP_NS       VX6_SEC

uint32_t node_wall(void)
{
	return (uint32_t)vx6_unix_s();
}

const char *node_suite_name(unsigned suite)
{
	switch (suite) {
	case VX6_SUITE_AES256_GCM: return "aes256gcm";
	case VX6_SUITE_CHACHA20_POLY1305: return "chacha20";
	case VX6_SUITE_AEGIS128L: return "aegis128l";
	default: return "";
	}
}

void node_bury(struct node *n, struct node_grave *g)
{
	g->next = n->graves;
	n->graves = g;
}

static void empty_graves(struct node *n)
{
	while (n->graves) {
		struct node_grave *g = n->graves;

		n->graves = g->next;
		free(g);
	}
}

const char *node_label(struct node *n, const uint8_t id[32],
		       char out[VX6_ID_TEXT])
{
	struct registry_node rn;

	if (memcmp(id, n->id.id, 32) == 0 && n->cfg.node.name[0])
		snprintf(out, VX6_ID_TEXT, "%s", n->cfg.node.name);
	else if (registry_find(n->reg, id, &rn) == VX6_OK && rn.name[0])
		snprintf(out, VX6_ID_TEXT, "%s", rn.name);
	else
		vx6_id_text(id, out);
	return out;
}

/* ---- quic ---- */

static struct loop_udp *socket_for(struct node *n, const struct vx6_addr *from)
{
	for (unsigned i = 0; i < n->udp_cnt; i++)
		if (vx6_addr_eq(&n->listen[i], from))
			return n->udp[i];
	for (unsigned i = 0; i < n->udp_cnt; i++)
		if (n->listen[i].port == from->port)
			return n->udp[i];
	return n->udp[0];
}

static bool send_real(struct node *n, const struct quic_path *path,
		      const uint8_t *data, size_t len, size_t segment,
		      unsigned ecn)
{
	return loop_udp_send(socket_for(n, &path->local), &path->local,
			     &path->remote, data, len, segment, ecn);
}

static bool on_send(void *ctx, struct quic_conn *c,
		    const struct quic_path *path, const uint8_t *data,
		    size_t len, size_t segment, unsigned ecn)
{
	struct node *n = ctx;

	if (!chan_is_pseudo(&path->remote))
		return send_real(n, path, data, len, segment, ecn);
	/* Resets and Retries belong to no connection. */
	struct chan *ch = tunnel_chan(n, c ? quic_user(c) : NULL,
				      &path->remote);

	for (size_t at = 0; ch && at < len; at += segment ? segment : len) {
		size_t one = segment && len - at > segment ? segment : len - at;
		enum vx6_status st = chan_send(ch, data + at, one);

		if (st != VX6_OK)
			n->stats.cell_drop[st]++;
	}
	return true; /* what a circuit cannot take is lost, as on a wire */
}

/* A prefix that shakes hands too often, and everybody while many are half
 * open, proves its address first. */
static enum vx6_status on_admit(void *ctx, const struct quic_path *path)
{
	struct node *n = ctx;
	bool ok;

	if (chan_is_pseudo(&path->remote))
		return VX6_OK; /* the circuit's CREATE was paid for */
	ok = prefixes_take(&n->shakes, &path->remote, n->cfg.limits.prefix_rate,
			   n->cfg.limits.prefix_rate * 2u, loop_now(n->loop));
	ok = ok && quic_half_open(n->quic) <= n->cfg.limits.retry_above;
	return ok ? VX6_OK : VX6_RATE;
}

static uint16_t on_path_d(void *ctx, const struct quic_path *path)
{
	const struct chan *ch = chan_of(ctx, &path->remote);

	return ch ? ch->d : 0;
}

static void on_ready(void *ctx, struct quic_conn *c)
{
	if (quic_alpn(c) == QUIC_SESSION)
		peer_ready(ctx, c);
	else
		tunnel_ready(ctx, c);
}

static struct peer *session(struct quic_conn *c)
{
	return quic_alpn(c) == QUIC_SESSION ? quic_user(c) : NULL;
}

static struct mux *mux_of(struct quic_conn *c)
{
	struct tunnel *t = quic_alpn(c) == QUIC_TUNNEL ? quic_user(c) : NULL;

	return t ? tunnel_mux(t) : NULL;
}

static void on_stream_open(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct peer *p = session(c);
	struct mux *m = mux_of(c);

	(void)ctx;
	if (p)
		peer_stream_open(p, stream);
	else if (m)
		mux_stream_open(m, stream);
}

static void on_stream_data(void *ctx, struct quic_conn *c, int64_t stream,
			   const uint8_t *data, size_t len, bool fin)
{
	struct peer *p = session(c);
	struct mux *m = mux_of(c);

	(void)ctx;
	if (p)
		peer_data(p, stream, data, len, fin);
	else if (m)
		mux_stream_data(m, stream, data, len, fin);
}

static void on_stream_room(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct mux *m = mux_of(c);

	(void)ctx;
	if (m)
		mux_stream_room(m, stream);
}

/* A session without its control stream is none. */
static void control_ended(struct quic_conn *c, int64_t stream, const char *why)
{
	struct peer *p = session(c);

	if (p && stream == p->stream)
		quic_close(c, VX6_BAD_STATE, why, loop_now(p->node->loop));
}

static void on_stream_reset(void *ctx, struct quic_conn *c, int64_t stream,
			    uint64_t code)
{
	struct mux *m = mux_of(c);

	(void)ctx;
	(void)code;
	if (m)
		mux_stream_reset(m, stream);
	else
		control_ended(c, stream, "control stream was reset");
}

static void on_stream_stop(void *ctx, struct quic_conn *c, int64_t stream,
			   uint64_t code)
{
	struct mux *m = mux_of(c);

	(void)ctx;
	(void)code;
	if (m)
		mux_stream_stop(m, stream);
	else
		control_ended(c, stream, "control stream was stopped");
}

static void on_stream_closed(void *ctx, struct quic_conn *c, int64_t stream)
{
	struct mux *m = mux_of(c);

	(void)ctx;
	if (m)
		mux_stream_closed(m, stream);
}

static void on_datagram(void *ctx, struct quic_conn *c, const uint8_t *data,
			size_t len)
{
	(void)ctx;
	(void)c;
	(void)data;
	(void)len; /* UDP targets are not served yet */
}

static void on_moved(void *ctx, struct quic_conn *c,
		     const struct quic_path *path, bool validated)
{
	struct tunnel *t = quic_alpn(c) == QUIC_TUNNEL ? quic_user(c) : NULL;
	struct peer *p = session(c);

	(void)ctx;
	/* a source can be forged until it has answered */
	if (p && validated)
		p->proved = path->remote;
	if (t)
		tunnel_moved(t, path);
}

static void on_closed(void *ctx, struct quic_conn *c,
		      const struct quic_close *why)
{
	void *user = quic_user(c);

	(void)ctx;
	if (!user)
		return;
	if (quic_alpn(c) == QUIC_SESSION)
		peer_closed(user, c, why);
	else
		tunnel_closed(user, why);
}

/* ---- datagrams ---- */

static void on_udp(void *ctx, const struct vx6_addr *from,
		   const struct vx6_addr *to, uint8_t *data, size_t len,
		   unsigned ecn)
{
	struct node *n = ctx;
	struct quic_path path = { .local = *to, .remote = *from };
	enum vx6_status st;

	if (len == 0 || chan_is_pseudo(from)) {
		n->stats.udp_strange++;
		return;
	}
	if ((data[0] & 0xc0u) == 0) { /* no QUIC packet: PROTOCOL.md 2 */
		if (n->plane->relays)
			n->stats.udp_strange++;
		else
			plane_own_input(n->plane, from, data, len,
					loop_now(n->loop));
		return;
	}
	st = quic_read(n->quic, &path, ecn, data, len, loop_now(n->loop));
	if (st != VX6_OK)
		n->stats.quic_drop[st]++;
}

static void on_writable(void *ctx)
{
	quic_writable(((struct node *)ctx)->quic);
}

static bool own_send(void *ctx, const struct vx6_addr *to, const uint8_t *data,
		     size_t len, size_t segment)
{
	struct node *n = ctx;
	struct vx6_addr none = { .port = n->listen[0].port };

	for (unsigned i = 0; i < n->udp_cnt; i++)
		if (vx6_addr_is_v4(&n->listen[i]) == vx6_addr_is_v4(to))
			return loop_udp_send(n->udp[i], &none, to, data, len,
					     segment, 0);
	return loop_udp_send(n->udp[0], &none, to, data, len, segment, 0);
}

static bool kernels_choice(const struct vx6_addr *to, struct vx6_addr *local)
{
	struct sockaddr_storage sa;
	socklen_t len = vx6_addr_to(to, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = connect(fd, (struct sockaddr *)&sa, len) == 0;
	len = sizeof(sa);
	ok = ok && getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	     vx6_addr_from(local, (struct sockaddr *)&sa) == VX6_OK;
	close(fd);
	return ok;
}

/* A port that is bound to an address sends from that one; on a port that
 * is bound to any, the kernel says which it would take. */
bool node_route(const struct node *n, const struct vx6_addr *to,
		struct vx6_addr *local)
{
	for (unsigned i = 0; i < n->udp_cnt; i++) {
		const struct vx6_addr *at = &n->listen[i];

		bool any = endpoints_any(at), v4 = vx6_addr_is_v4(at);

		if (v4 != vx6_addr_is_v4(to) && (v4 || !any))
			continue;
		*local = *at;
		if (any && !kernels_choice(to, local))
			continue;
		local->port = at->port;
		return true;
	}
	return false;
}

/* ---- plane ---- */

static void on_cell(void *ctx, uint32_t id, uint8_t *p, size_t size)
{
	struct node *n = ctx;
	struct ids_slot *s = ids_find(&n->ids, id);

	if (!s)
		n->stats.cell_drop[VX6_NO_CIRCUIT]++;
	else if (s->what == NODE_ID_CIRCUIT)
		circuit_cell(n, s->owner, p, size);
	else
		relay_cell(n, s->owner, p, size);
}

static void on_control(void *ctx, uint32_t id, const uint8_t *body, size_t len)
{
	struct node *n = ctx;
	struct ids_slot *s = ids_find(&n->ids, id);

	if (s && s->what == NODE_ID_RELAY_FORWARD)
		relay_control(n, s->owner, body, len);
}

static void on_link(void *ctx, uint32_t index, unsigned events)
{
	link_on_event(ctx, index, events);
}

static void on_half(void *ctx, uint32_t id, enum abi_half_event event)
{
	struct node *n = ctx;
	struct ids_slot *s = ids_find(&n->ids, id);

	if (s && s->what == NODE_ID_CIRCUIT)
		circuit_half(n, s->owner, event);
	else if (s)
		relay_half(n, s->owner, event);
}

static bool take_tables(struct node *n)
{
	struct plane *p = n->plane;
	uint32_t cnt = p->halves_max > ABI_IDX_MASK ? ABI_IDX_MASK
						    : p->halves_max;

	free(n->link); /* all links are gone when this is called */
	n->link = calloc(p->links_max, sizeof(struct peer *));
	if (n->id_slot && n->ids.cnt == cnt)
		return n->link != NULL;
	free(n->id_slot);
	n->id_slot = calloc(cnt, sizeof(*n->id_slot));
	if (!n->id_slot || !n->link || cnt < 2)
		return false;
	ids_init(&n->ids, n->id_slot, cnt,
		 (uint16_t)vx6_rand_below(&n->rnd, 4096));
	return true;
}

static void plane_down(struct node *n)
{
	struct peer *next;

	n->in_plane = true;
	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		link_give_up(p);
	}
	n->in_plane = false;
	node_publish(n);
}

/* What a data plane has of this life was told dead when it was lost. */
static void on_state(void *ctx, bool up, struct adopt *found)
{
	struct node *n = ctx;
	struct peer *next;

	if (!up) {
		plane_down(n);
		return;
	}
	if (!take_tables(n)) {
		log_error("node", "no-memory");
		loop_stop(n->loop);
		return;
	}
	if (found && !n->adopted)
		adopt_found(n, found);
	n->adopted = true;
	node_publish(n);
	for (struct peer *p = n->peers; p; p = next) {
		next = p->next;
		if (p->state == PEER_READY && p->hello_got)
			link_plane_up(p);
	}
}

/* ---- the loop's turn ---- */

static void on_quic_timer(void *ctx)
{
	struct node *n = ctx;

	quic_tick(n->quic, loop_now(n->loop));
}

static void on_sweep(void *ctx)
{
	struct node *n = ctx;

	peers_sweep(n);
	tunnels_sweep(n);
	relay_sweep(n);
	budget_tick(n);
	upkeep_tick(n);
	loop_timer_set(&n->sweep_timer, loop_now(n->loop) + SWEEP_NS);
}

void node_prepare(struct node *n)
{
	tunnels_prepare(n);
	quic_flush(n->quic, loop_now(n->loop));
	n->plane->ops->flush(n->plane);
	loop_timer_set(&n->quic_timer, quic_due(n->quic));
	empty_graves(n);
}

/* ---- start and stop ---- */

static enum vx6_status open_state(struct node *n, struct state_why *why)
{
	struct onion_options onion = {
		.run = n->cfg.run,
		.replay_keys = n->cfg.limits.replay_keys,
		.rotate_s = (uint32_t)(n->cfg.timers.onion_rotate_ns / VX6_SEC),
	};
	struct registry_limits lim = { .nodes = n->cfg.limits.nodes,
				       .services = n->cfg.limits.services,
				       .hint_days = n->cfg.limits.hint_days };
	enum vx6_status st;
	bool made;

	st = state_dir(n->cfg.state, 0700, why);
	if (st == VX6_OK)
		st = state_dir(n->cfg.run, 0750, why);
	if (st == VX6_OK)
		st = state_lock(n->cfg.state, &n->lock_fd, why);
	if (st == VX6_OK)
		st = identity_open(n->cfg.state, &n->id, &made, why);
	if (st == VX6_OK)
		st = onion_open(&n->onion, &onion, node_wall(), why);
	if (st == VX6_OK)
		st = registry_open(&n->reg, n->cfg.state, &lim, why);
	return st;
}

static enum vx6_status open_ports(struct node *n, struct state_why *why)
{
	struct loop_udp_hooks hooks = { .recv = on_udp,
					.writable = on_writable,
					.ctx = n };

	for (; n->udp_cnt < n->cfg.control.listen_cnt; n->udp_cnt++) {
		const struct vx6_addr *at = &n->cfg.control.listen[n->udp_cnt];
		char text[VX6_ADDR_TEXT];
		enum vx6_status st = loop_udp_open(
			n->loop, &(struct net_opts){ .bind = *at }, &hooks,
			&n->udp[n->udp_cnt]);

		if (st == VX6_OK) {
			n->listen[n->udp_cnt] =
				loop_udp_sock(n->udp[n->udp_cnt])->at;
			continue;
		}
		vx6_addr_text(at, text);
		if (errno == EADDRINUSE)
			snprintf(why->text, sizeof(why->text),
				 "UDP port %s is in use: end the program that "
				 "has it, or set control.listen to another",
				 text);
		else
			snprintf(why->text, sizeof(why->text),
				 "cannot listen on UDP %s: %s; set "
				 "control.listen to an address of this host",
				 text, strerror(errno));
		return st;
	}
	return VX6_OK;
}

static enum vx6_status open_quic(struct node *n)
{
	const struct config_limits *l = &n->cfg.limits;
	const struct config_timers *t = &n->cfg.timers;
	struct quic_options opt = {
		.limits = { .conns = l->sessions,
                           .half_open = l->half_open,
                           .streams = l->streams,
                           .handshake_ns = t->handshake_ns,
                           .session_idle_ns = t->session_idle_ns,
                           .session_ping_ns = t->session_ping_ns,
                           .tunnel_idle_ns = t->tunnel_idle_ns,
                           .stream_window = l->stream_window,
                           .conn_window = l->conn_window,
                           .stream_buffer = l->stream_buffer },
		.events = { .send = on_send,
                           .admit = on_admit,
                           .path_d = on_path_d,
                           .ready = on_ready,
                           .stream_open = on_stream_open,
                           .stream_data = on_stream_data,
                           .stream_room = on_stream_room,
                           .stream_reset = on_stream_reset,
                           .stream_stop = on_stream_stop,
                           .stream_closed = on_stream_closed,
                           .datagram = on_datagram,
                           .moved = on_moved,
                           .closed = on_closed },
		.ctx = n,
	};
	struct mux_limits mux = { .streams = l->streams,
				  .total = l->connections,
				  .target_ns = t->target_connect_ns,
				  .buffer = l->stream_window };
	struct mux_hooks hooks = { .authorise = node_authorise, .ctx = n };
	enum vx6_status st;

	memcpy(opt.identity.seed, n->id.seed, sizeof(opt.identity.seed));
	memcpy(opt.identity.public_key, n->id.public_key,
	       sizeof(opt.identity.public_key));
	st = quic_open(&n->quic, &opt);
	sodium_memzero(&opt.identity, sizeof(opt.identity));
	if (st == VX6_OK)
		st = mux_hub_open(&n->hub, n->loop, &mux, &hooks);
	if (st == VX6_OK)
		st = access_init(&n->access, l->services);
	return st;
}

static enum vx6_status open_plane(struct node *n)
{
	struct plane_events ev = { .cell = on_cell,
				   .control = on_control,
				   .link = on_link,
				   .half = on_half,
				   .state = on_state };
	enum vx6_status st;

	if (n->cfg.data.enabled) {
		struct plane_dp_options dp = { .events = ev,
					       .ctx = n,
					       .loop = n->loop,
					       .path = n->dp_path,
					       .limits = budget_limits(n) };

		snprintf(n->dp_path, sizeof(n->dp_path), "%s/dataplane.sock",
			 n->cfg.run);
		return plane_dp_open(&n->plane, &dp);
	}
	struct plane_own_options own = { .events = ev,
					 .ctx = n,
					 .loop = n->loop,
					 .send = own_send,
					 .listen = n->listen[0],
					 .links_max = OWN_LINKS_MAX,
					 .halves_max = OWN_HALVES_MAX,
					 .mtu = 1500 };

	st = plane_own_open(&n->plane, &own);
	if (st == VX6_OK && !take_tables(n))
		st = VX6_NO_MEMORY;
	return st;
}

static enum vx6_status open_all(struct node *n, struct state_why *why)
{
	enum vx6_status st = open_state(n, why);

	if (st == VX6_OK)
		st = open_ports(n, why);
	if (st != VX6_OK)
		return st;
	n->chan_slot = calloc(CHANS_MAX, sizeof(*n->chan_slot));
	n->service = calloc(n->cfg.limits.services, sizeof(*n->service));
	n->admit_one = calloc(n->cfg.limits.create_jobs, sizeof(*n->admit_one));
	if (!n->chan_slot || !n->service || !n->admit_one)
		return VX6_NO_MEMORY;
	admit_init(&n->admit, n->admit_one, n->cfg.limits.create_jobs);
	ids_init(&n->chans, n->chan_slot, CHANS_MAX, 0);
	st = open_quic(n);
	if (st == VX6_OK)
		st = open_plane(n);
	if (st != VX6_OK)
		return st;
	budget_open(n);
	loop_timer_init(&n->quic_timer, n->loop, on_quic_timer, n);
	node_records_open(n);
	loop_timer_init(&n->sweep_timer, n->loop, on_sweep, n);
	on_sweep(n);
	if (interfaces_watch(&n->interfaces, n->loop, node_interfaces_changed,
			     n) != VX6_OK)
		log_warn("node", "not-watched", log_str("what", "addresses"),
			 log_str("why", strerror(errno)));
	node_publish(n);
	node_services_changed(n);
	st = commands_open(n, why);
	if (st == VX6_OK)
		peers_open(n);
	return st;
}

static void open_prefixes(struct node *n)
{
	struct prefixes *const all[] = { &n->shakes, &n->creates,
					 &n->relay_creates };
	uint8_t key[PREFIXES_KEY];

	_Static_assert(VX6_COUNT(all) == VX6_COUNT(n->prefix), "one each");
	for (unsigned i = 0; i < VX6_COUNT(all); i++) {
		randombytes_buf(key, sizeof(key));
		prefixes_init(all[i], n->prefix[i], NODE_PREFIX_SETS, key);
	}
}

enum vx6_status node_open(struct node **out, struct loop *loop,
			  const struct node_options *opt, struct state_why *why)
{
	struct node *n = calloc(1, sizeof(*n));
	enum vx6_status st;

	snprintf(why->text, sizeof(why->text), "out of memory");
	if (!n)
		return VX6_NO_MEMORY;
	n->loop = loop;
	n->cfg = opt->cfg;
	n->lock_fd = -1;
	n->start_ns = loop_now(loop);
	n->start_s = vx6_unix_s();
	vx6_rand_init(&n->rnd);
	open_prefixes(n);
	st = open_all(n, why);
	if (st != VX6_OK) {
		node_close(n);
		return st;
	}
	log_info("node", "up", log_node("id", n->id.id),
		 log_str("name", n->cfg.node.name),
		 log_addr("control", &n->listen[0]));
	*out = n;
	return VX6_OK;
}

/* Goodbyes travel inside circuits, which DESTROY takes down another way:
 * they get a head start. */
static void close_tunnels(struct node *n)
{
	struct timespec head_start = { .tv_nsec = (long)(100 * VX6_MS) };
	bool any = n->tunnels != NULL;

	connects_close(n);
	while (n->tunnels)
		tunnel_close(n->tunnels);
	if (any && n->circuits)
		nanosleep(&head_start, NULL);
}

static void close_traffic(struct node *n)
{
	if (n->plane && n->quic) {
		close_tunnels(n);
		while (n->circuits)
			circuit_destroy(n->circuits);
		relay_close_all(n);
		quic_flush(n->quic, loop_now(n->loop));
		peers_close(n);
	}
	if (n->quic)
		quic_shut(n->quic, loop_now(n->loop));
	n->quic = NULL;
	mux_hub_close(n->hub);
	if (n->plane) {
		n->plane->ops->flush(n->plane);
		n->plane->ops->close(n->plane);
	}
}

void node_hand_over(struct node *n)
{
	n->handover = true;
}

void node_close(struct node *n)
{
	n->closing = true;
	if (n->api)
		commands_close(n);
	close_traffic(n);
	loop_work_end(n->loop); /* what jobs work on is freed below */
	interfaces_close(&n->interfaces);
	if (n->quic_timer.loop)
		loop_timer_clear(&n->quic_timer);
	if (n->record_timer.loop)
		loop_timer_clear(&n->record_timer);
	if (n->sweep_timer.loop)
		loop_timer_clear(&n->sweep_timer);
	for (unsigned i = 0; i < n->udp_cnt; i++)
		loop_udp_close(n->udp[i]);
	access_free(&n->access);
	budget_close(n);
	registry_close(n->reg);
	empty_graves(n);
	onion_close(n->onion);
	free(n->id_slot);
	free(n->chan_slot);
	free(n->admit_one);
	free(n->service);
	free(n->link);
	if (n->lock_fd >= 0)
		close(n->lock_fd);
	identity_wipe(&n->id);
	sodium_memzero(n, sizeof(*n));
	free(n);
}
