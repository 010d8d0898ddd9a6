/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is only looked at: status, counters, and every list. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/cli/ask.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/say.h"
#include "controlplane/cli/show.h"

static json_int_t int_of(const json_t *doc, const char *member)
{
	return json_integer_value(json_object_get(doc, member));
}

/* ---- lists ---- */

struct list {
	const char *cmd, *key;
	const char *none; /* said where there is nothing to list */
	void (*prepare)(json_t *entry);
	size_t cnt;
	struct show_column col[10];
};

static int run_list(struct cli *cli, const struct list *l)
{
	json_t *doc = NULL, *entries, *entry;
	size_t i;
	int code = ask_list(cli, l->cmd, l->key, &doc);

	if (code != CLI_OK)
		return code;
	entries = json_object_get(doc, l->key);
	if (cli->json) {
		cli_json(cli, doc);
	} else if (json_array_size(entries) == 0) {
		cli_note(cli, "%s", l->none);
	} else {
		if (l->prepare != NULL)
			json_array_foreach(entries, i, entry) l->prepare(entry);
		show_list(cli, entries, l->col, l->cnt);
	}
	json_decref(doc);
	return CLI_OK;
}

/* clang-format off */
CLI_RUN(cli_peer_list)
{
	static const struct list l = {
		"peer.list", "peers",
		"no other node is known; `vx6 peer add FILE` adds one",
		NULL, 9, {
			{ "NAME",    "name",      SHOW_TEXT },
			{ "NODE ID", "id",        SHOW_ID },
			{ "STATE",   "state",     SHOW_STATE },
			{ "ADDRESS", "address",   SHOW_TEXT },
			{ "VIA",     "transport", SHOW_TEXT },
			{ "RELAY",   "relay",     SHOW_YES },
			{ "RTT",     "rtt_ms",    SHOW_MS },
			{ "SINCE",   "since_s",   SHOW_SPAN },
			{ "ERROR",   "error",     SHOW_TEXT },
		},
	};

	(void)args;
	return run_list(cli, &l);
}

CLI_RUN(cli_link_list)
{
	static const struct list l = {
		"link.list", "links",
		"there is no link; they are made with other nodes' sessions",
		NULL, 9, {
			{ "NODE",    "node",      SHOW_TEXT },
			{ "STATE",   "state",     SHOW_STATE },
			{ "ADDRESS", "address",   SHOW_TEXT },
			{ "AT",      "at",        SHOW_TEXT },
			{ "RTT",     "rtt_ms",    SHOW_MS },
			{ "CELLS IN",  "cells_in",  SHOW_COUNT },
			{ "CELLS OUT", "cells_out", SHOW_COUNT },
			{ "IN",      "bytes_in",  SHOW_BYTES },
			{ "OUT",     "bytes_out", SHOW_BYTES },
		},
	};

	(void)args;
	return run_list(cli, &l);
}
/* clang-format on */

/* route_of makes one column of what a circuit's role lets us know. */
static void route_of(json_t *entry)
{
	const char *role = say_text(entry, "role");
	char route[512], path[400];
	json_t *text;

	show_value(json_object_get(entry, "path"), path, sizeof(path),
		   SHOW_PATH);
	if (strcmp(role, "origin") == 0)
		snprintf(route, sizeof(route), "here > %s > %s", path,
			 say_text(entry, "end"));
	else if (strcmp(role, "relay") == 0)
		snprintf(route, sizeof(route), "%s > here > %s",
			 say_text(entry, "previous"), say_text(entry, "next"));
	else
		snprintf(route, sizeof(route), "%s > here",
			 say_text(entry, "previous"));
	text = json_string(route);
	if (text != NULL)
		json_object_set_new(entry, "route", text);
}

static void count_allowed(json_t *entry)
{
	size_t n = json_array_size(json_object_get(entry, "allow"));

	json_object_set_new(entry, "allow_cnt", json_integer((json_int_t)n));
}

/* clang-format off */
CLI_RUN(cli_circuit_list)
{
	static const struct list l = {
		"circuit.list", "circuits",
		"no circuit begins, passes or ends here now",
		route_of, 9, {
			{ "N",       "n",       SHOW_COUNT },
			{ "ROLE",    "role",    SHOW_TEXT },
			{ "STATE",   "state",   SHOW_STATE },
			{ "ROUTE",   "route",   SHOW_TEXT },
			{ "SUITE",   "suite",   SHOW_TEXT },
			{ "SPARE",   "spare",   SHOW_YES },
			{ "FORWARD", "cells_forward",  SHOW_COUNT },
			{ "BACKWARD", "cells_backward", SHOW_COUNT },
			{ "AGE",     "age_s",   SHOW_SPAN },
		},
	};

	(void)args;
	return run_list(cli, &l);
}

CLI_RUN(cli_tunnel_list)
{
	static const struct list l = {
		"tunnel.list", "tunnels",
		"no tunnel is open; `vx6 connect` opens one",
		NULL, 10, {
			{ "N",       "n",       SHOW_COUNT },
			{ "SIDE",    "side",    SHOW_TEXT },
			{ "SERVICE", "service", SHOW_TEXT },
			{ "STATE",   "state",   SHOW_STATE },
			{ "PATH",    "path",    SHOW_PATH },
			{ "STREAMS", "streams", SHOW_COUNT },
			{ "RTT",     "rtt_ms",  SHOW_MS },
			{ "IN",      "rx_bytes", SHOW_BYTES },
			{ "OUT",     "tx_bytes", SHOW_BYTES },
			{ "MOVES",   "moves",   SHOW_COUNT },
		},
	};

	(void)args;
	return run_list(cli, &l);
}

CLI_RUN(cli_service_list)
{
	static const struct list l = {
		"service.list", "services",
		"this node offers no service; `vx6 service add` adds one",
		count_allowed, 6, {
			{ "NAME",    "name",    SHOW_TEXT },
			{ "TARGET",  "target",  SHOW_TEXT },
			{ "PUBLIC",  "public",  SHOW_YES },
			{ "ALLOWED", "allow_cnt", SHOW_COUNT },
			{ "SERVED",  "served",  SHOW_COUNT },
			{ "REFUSED", "refused", SHOW_COUNT },
		},
	};

	(void)args;
	return run_list(cli, &l);
}

CLI_RUN(cli_forward_list)
{
	static const struct list l = {
		"forward.list", "forwards",
		"nothing is connected; `vx6 connect` brings a service here",
		NULL, 8, {
			{ "LISTEN",  "listen",  SHOW_TEXT },
			{ "SERVICE", "service", SHOW_TEXT },
			{ "STATE",   "state",   SHOW_STATE },
			{ "MODE",    "mode",    SHOW_TEXT },
			{ "PATH",    "path",    SHOW_PATH },
			{ "STREAMS", "streams", SHOW_COUNT },
			{ "SERVED",  "served",  SHOW_COUNT },
			{ "MOVES",   "moves",   SHOW_COUNT },
		},
	};

	(void)args;
	return run_list(cli, &l);
}
/* clang-format on */

/* ---- status ---- */

static void line(struct cli *cli, const char *title, enum show_style style,
		 const char *text)
{
	fprintf(cli->out, "  %s%-11s%s %s%s%s\n",
		show_on(cli->out_colour, SHOW_DIM), title,
		show_off(cli->out_colour, SHOW_DIM),
		show_on(cli->out_colour, style), text,
		show_off(cli->out_colour, style));
}

/* The interfaces that AF_XDP works on, a line each. */
static void show_interfaces(struct cli *cli, const json_t *plane)
{
	const json_t *all = json_object_get(plane, "interfaces");
	char text[256];

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *f = json_array_get(all, i);

		snprintf(text, sizeof(text),
			 "%s, %s, %s, %" PRId64 " queue%s, MTU %" PRId64
			 ", by %s",
			 say_text(f, "name"), say_text(f, "mode"),
			 say_text(f, "packets"), (int64_t)int_of(f, "queues"),
			 int_of(f, "queues") == 1 ? "" : "s",
			 (int64_t)int_of(f, "mtu"), say_text(f, "attached"));
		line(cli, i == 0 ? "interfaces" : "", SHOW_PLAIN, text);
	}
}

static const char *number_or_any(const json_t *w, const char *member,
				 char text[24])
{
	const json_t *v = json_object_get(w, member);

	if (!json_is_integer(v))
		return "any";
	snprintf(text, 24, "%" PRId64, (int64_t)json_integer_value(v));
	return text;
}

/* ", queues 0 2", or nothing: sockets have none. */
static const char *queues_of(const json_t *w, char *text, size_t cap)
{
	const json_t *all = json_object_get(w, "queues");
	size_t n = json_array_size(all), at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && at < cap; i++)
		at += (size_t)snprintf(
			text + at, cap - at, "%s%" PRId64,
			i > 0    ? " "
			: n == 1 ? ", queue "
				 : ", queues ",
			(int64_t)json_integer_value(json_array_get(all, i)));
	return text;
}

/* Where each worker is, a line each, where there are several. */
static void show_placement(struct cli *cli, const json_t *plane)
{
	const json_t *all = json_object_get(plane, "placement");
	char text[512], queues[256], cpu[24], node[24];

	if (json_array_size(all) < 2)
		return;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *w = json_array_get(all, i);

		snprintf(text, sizeof(text),
			 "%" PRId64 "%s, CPU %s, node %s, %s pages, %s",
			 (int64_t)int_of(w, "worker"),
			 queues_of(w, queues, sizeof(queues)),
			 number_or_any(w, "cpu", cpu),
			 number_or_any(w, "node", node), say_text(w, "pages"),
			 say_text(w, "idle"));
		line(cli, i == 0 ? "workers" : "", SHOW_PLAIN, text);
	}
}

/* A worker that had cells and did not get on is a fault. */
static void show_stalls(struct cli *cli, const json_t *plane)
{
	const json_t *all = json_object_get(plane, "placement"), *w;
	char text[128];
	size_t i;

	json_array_foreach(all, i, w)
	{
		int64_t n = (int64_t)int_of(w, "stalls");

		if (n == 0)
			continue;
		snprintf(text, sizeof(text),
			 "worker %" PRId64 " stalled %" PRId64
			 " time%s: the log says where",
			 (int64_t)int_of(w, "worker"), n, n == 1 ? "" : "s");
		line(cli, "", SHOW_BAD, text);
	}
}

static void show_plane(struct cli *cli, const json_t *plane)
{
	const char *state = say_text(plane, "state");
	const char *why = say_text(plane, "why");
	char text[256];

	if (strcmp(state, "connected") == 0)
		snprintf(text, sizeof(text),
			 "connected, %s, back end %s, %" PRId64 " worker%s",
			 say_text(plane, "listen"), say_text(plane, "backend"),
			 (int64_t)int_of(plane, "workers"),
			 int_of(plane, "workers") == 1 ? "" : "s");
	else if (strcmp(state, "waiting") == 0)
		snprintf(text, sizeof(text),
			 "waiting for vx6-dataplane, which is not there");
	else
		snprintf(text, sizeof(text),
			 "off: vx6d itself carries what begins or ends here");
	line(cli, "data plane", show_state_style(state), text);
	if (why[0] != '\0')
		line(cli, "", SHOW_BAD, why);
	show_placement(cli, plane);
	show_stalls(cli, plane);
	show_interfaces(cli, plane);
}

static void show_counts(struct cli *cli, const json_t *doc)
{
	static const char *const member[] = { "sessions",    "links",
					      "circuits",    "tunnels",
					      "services",    "forwards",
					      "relays_known" };
	static const char *const title[] = { "sessions",    "links",
					     "circuits",    "tunnels",
					     "services",    "forwards",
					     "relays known" };
	char text[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < VX6_COUNT(member); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s%s %" PRId64, i > 0 ? ", " : "",
				       title[i],
				       (int64_t)int_of(doc, member[i]));
	line(cli, "now", SHOW_PLAIN, text);
}

/* Whether it relays, and what of the month's bytes is used. */
static void show_relay(struct cli *cli, const json_t *doc)
{
	const json_t *b = json_object_get(doc, "budget");
	bool sleeps = json_is_true(json_object_get(b, "hibernating"));
	int64_t percent = (int64_t)int_of(b, "month_used_percent");
	char used[SHOW_TEXT_LEN], most[SHOW_TEXT_LEN], text[256];

	if (sleeps)
		line(cli, "relay", SHOW_WAIT,
		     "no: it hibernates, this month's bytes are spent");
	else
		line(cli, "relay", SHOW_PLAIN,
		     json_is_true(json_object_get(doc, "relay"))
			     ? "yes, for other nodes' circuits"
			     : "no");
	if (!json_is_integer(json_object_get(b, "month_bytes")))
		return;
	snprintf(text, sizeof(text),
		 "%s of %s relayed (%" PRId64 " %%), until %s",
		 show_bytes(used, (uint64_t)int_of(b, "month_used_bytes")),
		 show_bytes(most, (uint64_t)int_of(b, "month_bytes")), percent,
		 say_text(b, "month_ends"));
	line(cli, "month", percent >= 90 ? SHOW_WAIT : SHOW_PLAIN, text);
}

CLI_RUN(cli_status)
{
	json_t *doc = NULL;
	char span[SHOW_TEXT_LEN], text[256];
	const char *name, *warning;
	int code = ask(cli, "status", NULL, &doc);

	(void)args;
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_json(cli, doc);
		json_decref(doc);
		return CLI_OK;
	}
	name = say_text(doc, "name");
	fprintf(cli->out, "%s%s%s\n", show_on(cli->out_colour, SHOW_BOLD),
		name[0] == '\0' ? "(no name)" : name,
		show_off(cli->out_colour, SHOW_BOLD));
	line(cli, "node ID", SHOW_PLAIN, say_text(doc, "id"));
	snprintf(text, sizeof(text), "%s, up %s, pid %" PRId64,
		 say_text(doc, "version"),
		 show_span(span, (uint64_t)int_of(doc, "uptime_s")),
		 (int64_t)int_of(doc, "pid"));
	line(cli, "vx6d", SHOW_PLAIN, text);
	show_value(json_object_get(doc, "control"), text, sizeof(text),
		   SHOW_PATH);
	line(cli, "control", SHOW_PLAIN, text);
	show_plane(cli, json_object_get(doc, "dataplane"));
	show_relay(cli, doc);
	show_counts(cli, doc);
	warning = say_text(json_object_get(doc, "clock"), "warning");
	if (warning[0] != '\0')
		line(cli, "clock", SHOW_BAD, warning);
	json_decref(doc);
	return CLI_OK;
}

/* ---- counters ---- */

static void show_counters(struct cli *cli, const char *title,
			  const json_t *group)
{
	const char *member;
	json_t *v;
	void *it;
	char text[SHOW_TEXT_LEN];

	fprintf(cli->out, "%s%s%s\n", show_on(cli->out_colour, SHOW_BOLD),
		title, show_off(cli->out_colour, SHOW_BOLD));
	if (!json_is_object(group))
		fputs("  not connected\n", cli->out);
	/* jansson's iterator reads, but its prototype is older than const */
	it = json_object_iter((json_t *)(uintptr_t)group);
	for (; it != NULL;
	     it = json_object_iter_next((json_t *)(uintptr_t)group, it)) {
		size_t len;

		member = json_object_iter_key(it);
		v = json_object_iter_value(it);
		len = strlen(member);
		if (!json_is_number(v))
			continue;
		if (len > 6 && strcmp(member + len - 6, "_bytes") == 0)
			show_value(v, text, sizeof(text), SHOW_BYTES);
		else
			show_value(v, text, sizeof(text), SHOW_COUNT);
		fprintf(cli->out, "  %-18s %14s\n", member, text);
	}
}

static void show_drops(struct cli *cli, const char *title, json_t *drops)
{
	const char *reason;
	json_t *v;

	json_object_foreach(drops, reason, v)
		fprintf(cli->out, "  %sdropped by %s%s: %s %" PRId64 "\n",
			show_on(cli->out_colour, SHOW_WAIT), title,
			show_off(cli->out_colour, SHOW_WAIT), reason,
			(int64_t)json_integer_value(v));
}

static void show_streams(struct cli *cli, const json_t *streams)
{
	json_t *refused = json_object_get(streams, "refused"), *v;
	const char *why;

	if (!json_is_object(streams))
		return;
	show_counters(cli, "streams", streams);
	json_object_foreach(refused, why, v)
		fprintf(cli->out, "  %srefused%s: %s %" PRId64 "\n",
			show_on(cli->out_colour, SHOW_WAIT),
			show_off(cli->out_colour, SHOW_WAIT), why,
			(int64_t)json_integer_value(v));
}

static void show_classifier(struct cli *cli, const json_t *plane)
{
	json_t *all = json_object_get(plane, "classifier"), *v;
	const char *reason;

	if (json_object_size(all) == 0)
		return;
	fprintf(cli->out, "%sclassifier%s\n",
		show_on(cli->out_colour, SHOW_BOLD),
		show_off(cli->out_colour, SHOW_BOLD));
	json_object_foreach(all, reason, v)
		fprintf(cli->out, "  %-12s %-8s %14" PRId64 "\n", reason,
			say_text(v, "verdict"), (int64_t)int_of(v, "packets"));
	show_interfaces(cli, plane);
}

CLI_RUN(cli_stats)
{
	json_t *doc = NULL, *own, *plane;
	int code = ask(cli, "stats", NULL, &doc);

	(void)args;
	if (code != CLI_OK)
		return code;
	own = json_object_get(doc, "vx6d");
	plane = json_object_get(doc, "dataplane");
	if (cli->json) {
		cli_json(cli, doc);
	} else {
		show_counters(cli, "vx6d", own);
		show_drops(cli, "vx6d", json_object_get(own, "drops"));
		show_streams(cli, json_object_get(own, "streams"));
		show_counters(cli, "vx6-dataplane", plane);
		show_drops(cli, "vx6-dataplane",
			   json_object_get(plane, "drops"));
		show_classifier(cli, plane);
		if (json_is_object(json_object_get(doc, "budget")))
			show_counters(cli, "budget of relaying",
				      json_object_get(doc, "budget"));
	}
	json_decref(doc);
	return CLI_OK;
}
