/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/table.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"

#define AT(m)   .offset = offsetof(struct config, m), .size = SIZE(m)
#define SIZE(m) sizeof(((struct config *)NULL)->m)
#define LIST(m)                                                                \
	.offset = offsetof(struct config, m),                                  \
	.size = sizeof(((struct config *)NULL)->m[0]),                         \
	.cnt_offset = offsetof(struct config, m##_cnt)
#define ITEM(m)                                                                \
	.offset = offsetof(struct config_peer, m),                             \
	.size = sizeof(((struct config_peer *)NULL)->m)
#define LIVE        .live = true
#define RANGE(a, b) .min = (a), .max = (b)
#define TIME(key, m, dflt, a, b, text)                                         \
	{ .path = "timers." key,                                               \
	  .type = FIELD_SECONDS,                                               \
	  .preset = dflt,                                                      \
	  RANGE(a, b),                                                         \
	  .unit = "seconds",                                                   \
	  LIVE,                                                                \
	  AT(timers.m),                                                        \
	  .help = text }
#define LIMIT(key, m, dflt, a, b, what, is_live, text)                         \
	{ .path = "limits." key,                                               \
	  .type = FIELD_INT,                                                   \
	  .preset = dflt,                                                      \
	  RANGE(a, b),                                                         \
	  .unit = what,                                                        \
	  .live = is_live,                                                     \
	  AT(limits.m),                                                        \
	  .help = text }

static const char *const backends[] = { "udp", "af_xdp", "dpdk", NULL };
static const char *const copies[] = { "auto", "copy", "zerocopy", NULL };
static const char *const idles[] = { "adaptive", "spin", NULL };
static const char *const suites[] = { "auto", "aes256gcm", "chacha20",
				      "aegis128l", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const formats[] = { "text", "json", NULL };

const struct section config_section[] = {
	{ "node",     "Who this node is and what it does for others."        },
	{ "control",  "The port of sessions with other nodes (UDP and TCP)." },
	{ "data",     "The data plane, which forwards cells for others."     },
	{ "dial",     "Which addresses may be dialled."                      },
	{ "circuits", "Circuits that begin here."                            },
	{ "timers",   "How long to wait. Numbers may have a fraction."       },
	{ "limits",   "How much of everything there may be."                 },
	{ "log",      "What is written to standard error."                   },
	{ "api",      "The socket that the vx6 command uses."                },
};
const unsigned config_section_cnt = VX6_COUNT(config_section);

/* clang-format off */
const struct field config_field[] = {
	{ .path = "node.name", .type = FIELD_NAME, LIVE, AT(node.name),
	  .example = "\"alice\"",
	  .help = "The name that this node claims. Left out: none; services "
		  "are then reached by node ID only." },
	{ .path = "node.family", .type = FIELD_FAMILY, LIVE, AT(node.family),
	  .help = "Nodes of one operator say the same family in their "
		  "records. Paths do not go by it yet." },
	{ .path = "node.relay", .type = FIELD_BOOL, .preset = "false",
	  AT(node.relay), .example = "true",
	  .help = "Forward cells for others. Needs data.enabled." },
	{ .path = "node.capacity_mbit", .type = FIELD_INT, .preset = "0",
	  RANGE(0, 10000000), .unit = "Mbit/s", LIVE, AT(node.capacity),
	  .example = "1000",
	  .help = "What the node record claims to carry; 0 claims nothing." },
	{ .path = "node.via", .type = FIELD_ID, .preset = "[]", LIVE,
	  LIST(node.via), .list_max = CONFIG_VIA_MAX,
	  .help = "Relays through which this node is reached. Empty: chosen "
		  "among the sessions at hand." },

	{ .path = "control.listen", .type = FIELD_ADDR,
	  .preset = "[\"[::]:4242\"]", RANGE(0, 65535), LIST(control.listen),
	  .list_min = 1, .list_max = CONFIG_LISTEN_MAX,
	  .example = "\"[::]:4242\"",
	  .help = "Where sessions arrive. [::] takes IPv4, too; port 0 takes "
		  "a free one." },
	{ .path = "control.advertise", .type = FIELD_ADDR, .preset = "[]",
	  RANGE(1, 65535), LIVE, LIST(control.advertise),
	  .list_max = CONFIG_ADVERTISE_MAX,
	  .example = "[\"203.0.113.7:4242\", \"[2001:db8::7]:4242\"]",
	  .help = "Where others reach this node, for its record. Empty: the "
		  "addresses of the interfaces." },

	{ .path = "data.enabled", .type = FIELD_BOOL, .preset = "false",
	  AT(data.enabled), .example = "true",
	  .help = "Use vx6-dataplane. A node that only uses or offers "
		  "services needs none." },
	{ .path = "data.listen", .type = FIELD_ADDR,
	  .preset = "\"[::]:4243\"", RANGE(0, 65535), AT(data.listen),
	  .example = "\"[::]:4243\"",
	  .help = "Where cells arrive; another port than control.listen's." },
	{ .path = "data.backend", .type = FIELD_WORD, .preset = "\"udp\"",
	  .words = backends, AT(data.backend),
	  .help = "How packets come in and go out. udp: sockets, needs no "
		  "privilege. af_xdp: the interfaces' own queues, past the "
		  "kernel's network stack; needs privilege, and goes by udp "
		  "where it cannot be had. dpdk: devices of DPDK, with the "
		  "package vx6-dpdk." },
	{ .path = "data.interfaces", .type = FIELD_IFNAME, .preset = "[]",
	  LIST(data.interfaces), .list_max = CONFIG_IFS_MAX,
	  .help = "The interfaces that af_xdp takes. Empty: those of the "
		  "default routes, or where there are none every Ethernet "
		  "interface that is up." },
	{ .path = "data.xdp_copy", .type = FIELD_WORD, .preset = "\"auto\"",
	  .words = copies, AT(data.xdp_copy),
	  .help = "How af_xdp and the driver share packets. auto: zero-copy "
		  "where the driver can, else copy. copy, zerocopy: only "
		  "that." },
	{ .path = "data.dpdk_ports", .type = FIELD_WORDY, .preset = "[]",
	  .max = CONFIG_DPDK_PORT_TEXT - 1, LIST(data.dpdk_ports),
	  .list_max = CONFIG_DPDK_PORTS_MAX,
	  .help = "The devices that dpdk takes, as DPDK names them, with "
		  "their arguments: 0000:03:00.0 (a NIC), "
		  "net_af_packet0,iface=eth0 (an interface)." },
	{ .path = "data.dpdk_eal", .type = FIELD_WORDY, .preset = "[]",
	  .max = CONFIG_DPDK_ARG_TEXT - 1, LIST(data.dpdk_eal),
	  .list_max = CONFIG_DPDK_ARGS_MAX,
	  .help = "Arguments of DPDK's EAL, one an entry, besides those that "
		  "VX6 gives: devices, memory, the one core that it may use." },
	{ .path = "data.idle", .type = FIELD_WORD, .preset = "\"adaptive\"",
	  .words = idles, AT(data.idle),
	  .help = "What a worker does without packets. adaptive: waits in "
		  "the kernel after 50 us. spin: never waits, for a core "
		  "that is its own." },
	{ .path = "data.halves", .type = FIELD_INT, .preset = "65536",
	  RANGE(64, 1048575), .unit = "half-circuits", AT(data.halves),
	  .help = "Room in the table; a circuit takes two." },
	{ .path = "data.links", .type = FIELD_INT, .preset = "4096",
	  RANGE(16, 65536), .unit = "links", AT(data.links),
	  .help = "Room for neighbours." },
	{ .path = "data.workers", .type = FIELD_INT, .preset = "0",
	  RANGE(0, CONFIG_WORKERS_MAX), .unit = "threads", AT(data.workers),
	  .help = "Threads that forward cells, each worth a core of its "
		  "own. 0: one for each of data.cpus; where that is empty one "
		  "for each CPU that it may run on, but for one of each four "
		  "begun, which are the kernel's and vx6d's: 1 of 2, 3 of 4, "
		  "6 of 8; under af_xdp no more than queues of the interface "
		  "that has most, under dpdk one. Under af_xdp queue q of an "
		  "interface is worker q modulo their number's. vx6 doctor says "
		  "where CPUs or queues are too few for them." },
	{ .path = "data.cpus", .type = FIELD_INT, .preset = "[]",
	  RANGE(0, 1023), .unit = "CPU numbers", LIST(data.cpus),
	  .list_max = CONFIG_WORKERS_MAX,
	  .help = "The CPU that each worker stays on, in order. Workers "
		  "beyond the list are left to the kernel." },

	{ .path = "dial.private", .type = FIELD_BOOL, .preset = "false", LIVE,
	  AT(dial_private),
	  .help = "Dial loopback, private and link-local addresses that "
		  "records of others name. For laboratories." },

	{ .path = "circuits.spares", .type = FIELD_INT, .preset = "1",
	  RANGE(0, 4), .unit = "circuits", LIVE, AT(spares), .example = "1",
	  .help = "Circuits kept warm beside the one in use, so that a relay "
		  "may die." },

	{ .path = "circuits.cell_size", .type = FIELD_INT, .preset = "0",
	  RANGE(0, 1452), .unit = "bytes", LIVE, AT(cell_size),
	  .help = "1232 or 1452: every cell of a circuit has this size, so "
		  "that none tells what it carries. 0: as many bytes as it "
		  "needs." },
	{ .path = "circuits.suite", .type = FIELD_WORD, .preset = "\"auto\"",
	  .words = suites, LIVE, AT(suite),
	  .help = "The cipher asked of each hop that offers it; others are "
		  "asked as with auto: aes256gcm where both ends have "
		  "AES instructions, else chacha20." },

	TIME("dial_s", dial_ns, "5", 0.1, 300,
	     "Until a dial fails."),
	TIME("handshake_s", handshake_ns, "5", 0.1, 300,
	     "Until a handshake that others began is given up."),
	TIME("create_hop_s", create_hop_ns, "2", 0.1, 60,
	     "Until a relay gives up on the next hop."),
	TIME("create_s", create_ns, "10", 0.1, 300,
	     "Until a whole circuit must stand."),
	TIME("redial_min_s", redial_min_ns, "1", 0.05, 3600,
	     "Before the first re-dial; doubles up to redial_max_s."),
	TIME("redial_max_s", redial_max_ns, "60", 0.05, 86400,
	     "The longest wait between two dials."),
	{ .path = "timers.redial_jitter_percent", .type = FIELD_INT,
	  .preset = "20", RANGE(0, 100), .unit = "percent", LIVE,
	  AT(redial_jitter),
	  .help = "Drawn at random, either way, on every re-dial." },
	TIME("session_idle_s", session_idle_ns, "30", 0.5, 3600,
	     "A session without a packet for so long is dead."),
	TIME("session_ping_s", session_ping_ns, "10", 0.1, 3600,
	     "A quiet session is pinged so often."),
	TIME("session_unused_s", session_unused_ns, "120", 0.5, 86400,
	     "A session without link, stream or sync is closed."),
	TIME("link_ask_s", link_ask_ns, "15", 0.1, 600,
	     "A quiet link is probed so often."),
	TIME("link_ask_busy_s", link_ask_busy_ns, "1", 0.05, 600,
	     "Probed so often when cells went out and none came."),
	TIME("link_orphan_s", link_orphan_ns, "900", 1, 900,
	     "How long a link outlives its session."),
	TIME("circuit_unused_s", circuit_unused_ns, "600", 1, 86400,
	     "A circuit without channel is closed."),
	TIME("tunnel_idle_s", tunnel_idle_ns, "3600", 1, 604800,
	     "A tunnel without open stream is closed."),
	TIME("target_connect_s", target_connect_ns, "5", 0.1, 300,
	     "Until the connection to a service's target fails."),
	TIME("drain_s", drain_ns, "10", 0, 3600,
	     "How long a stopping node lets streams end."),
	TIME("record_life_s", record_life_ns, "1200", 10, 1200,
	     "How long our node record is valid."),
	TIME("record_refresh_s", record_refresh_ns, "900", 5, 1200,
	     "When it is published anew."),
	TIME("onion_rotate_s", onion_rotate_ns, "86400", 60, 2592000,
	     "How long an onion key is used."),
	TIME("channel_ping_s", channel_ping_ns, "15", 0.1, 600,
	     "A quiet channel is pinged so often."),
	TIME("silence_min_s", silence_min_ns, "0.05", 0.01, 10,
	     "Silence while data is expected that alarms at the earliest."),
	TIME("silence_expect_s", silence_expect_ns, "2", 0.1, 60,
	     "Data is expected for so long after the last came."),
	TIME("clock_skew_s", clock_skew_ns, "60", 1, 86400,
	     "Clocks further apart are reported."),

	LIMIT("sessions", sessions, "4096", 8, 65536, "sessions", false,
	      "Sessions and tunnels together."),
	LIMIT("half_open", half_open, "256", 1, 65536, "handshakes", false,
	      "Handshakes that are not done."),
	LIMIT("retry_above", retry_above, "64", 0, 65536, "handshakes", true,
	      "More half-open ones must show their address first."),
	LIMIT("prefix_rate", prefix_rate, "32", 1, 100000, "per second", true,
	      "Handshakes from one IPv6 /56 or IPv4 /24."),
	LIMIT("prefix_packets", prefix_packets, "256", 0, 1000000,
	      "per second", false,
	      "Handshake packets that the classifier of af_xdp lets through "
	      "from one IPv6 /56 or IPv4 /24; 0: all."),
	LIMIT("streams", streams, "256", 1, 65536, "streams", false,
	      "Streams that a peer may have open on one connection."),
	LIMIT("stream_buffer_bytes", stream_buffer, "1048576", 4096,
	      67108864, "bytes", false, "Kept to be sent on one stream."),
	LIMIT("stream_window_bytes", stream_window, "4194304", 16384,
	      67108864, "bytes", false,
	      "A peer may send ahead on one stream."),
	LIMIT("connection_window_bytes", conn_window, "16777216", 16384,
	      268435456, "bytes", false,
	      "A peer may send ahead on one connection."),
	LIMIT("circuits", circuits, "1024", 1, 65536, "circuits", true,
	      "Circuits that begin here."),
	LIMIT("ends", ends, "4096", 1, 65536, "circuits", true,
	      "Circuits of others that end here."),
	LIMIT("create_rate", create_rate, "64", 1, 100000, "per second", true,
	      "CREATE on one session."),
	LIMIT("create_burst", create_burst, "256", 1, 100000, "messages",
	      true, "CREATE at once on one session."),
	LIMIT("create_relay_rate", create_relay_rate, "2048", 1, 1000000,
	      "per second", true, "CREATE on one session with a relay."),
	LIMIT("create_prefix_rate", create_prefix_rate, "256", 1, 1000000,
	      "per second", true,
	      "CREATE from one IPv6 /56 or IPv4 /24, on all its sessions."),
	LIMIT("create_prefix_burst", create_prefix_burst, "1024", 1, 1000000,
	      "messages", true, "CREATE at once from one such prefix."),
	LIMIT("create_prefix_relay_rate", create_prefix_relay_rate, "4096", 1,
	      1000000, "per second", true,
	      "CREATE from one such prefix, on its sessions with relays."),
	LIMIT("create_jobs", create_jobs, "256", 1, 4096, "messages", false,
	      "CREATE whose public-key work is under way."),
	LIMIT("create_session_jobs", create_session_jobs, "128", 1, 4096,
	      "messages", true, "The same, of one session."),
	LIMIT("create_prefix_jobs", create_prefix_jobs, "192", 1, 4096,
	      "messages", true, "The same, from one IPv6 /56 or IPv4 /24."),
	LIMIT("replay_keys", replay_keys, "131072", 1024, 2097152, "keys",
	      false, "CREATE remembered until it expires, 32 bytes each."),
	LIMIT("nodes", nodes, "4096", 16, 65536, "nodes", false,
	      "Records and hints in the registry."),
	LIMIT("hint_days", hint_days, "30", 1, 3650, "days", false,
	      "How long an expired record is kept as a hint."),
	LIMIT("relays_sent", relays_sent, "256", 0, 4096, "records", true,
	      "Relay records told to a peer after HELLO."),
	LIMIT("services", services, "256", 1, 4096, "services", false,
	      "Services that this node offers."),
	LIMIT("forwarders", forwarders, "256", 1, 4096, "listeners", true,
	      "Local listeners of vx6 connect."),
	LIMIT("connections", connections, "4096", 1, 65536, "connections",
	      true, "Forwarded connections, of forwarders and services."),
	LIMIT("commands", commands, "32", 1, 1024, "clients", true,
	      "vx6 commands at once."),
	LIMIT("circuit_rate", circuit_rate, "0", 0, 12500000000, "bytes/s", false,
	      "Sent on each half-circuit of others, as a relay. 0: no limit."),
	LIMIT("circuit_burst", circuit_burst, "0", 0, 17179869184, "bytes", false,
	      "Sent at once on it, after a pause; at least 4096. 0: what "
	      "the rate gives in 50 ms, at least 65536."),
	LIMIT("link_rate", link_rate, "0", 0, 12500000000, "bytes/s", false,
	      "Sent for others to each neighbour, as a relay. 0: no limit."),
	LIMIT("link_burst", link_burst, "0", 0, 17179869184, "bytes", false,
	      "Sent at once to it, after a pause; at least 4096. 0: what "
	      "the rate gives in 50 ms, at least 65536."),
	LIMIT("relay_rate", relay_rate, "0", 0, 12500000000, "bytes/s", false,
	      "Sent for others, all together: what this node gives as a relay. 0: no limit."),
	LIMIT("relay_burst", relay_burst, "0", 0, 17179869184, "bytes", false,
	      "Sent at once, after a pause; at least 4096. 0: what "
	      "the rate gives in 50 ms, at least 65536."),
	LIMIT("queue_cells", queue, "0", 0, 1048576, "cells", false,
	      "Cells of others that may wait for their turn. 0: a quarter of "
	      "the packet buffers, which is also the most."),
	LIMIT("circuit_queue_cells", circuit_queue, "128", 1, 1024, "cells",
	      false, "Of one half-circuit. More lose their oldest."),
	LIMIT("month_bytes", month_bytes, "0", 0, 9007199254740991, "bytes",
	      false,
	      "Sent for others in a month; then this node is no relay until "
	      "the next begins. 0: no limit."),
	LIMIT("month_day", month_day, "1", 1, 28, "day of the month", false,
	      "The day that a month begins on, at 00:00 UTC."),

	{ .path = "log.level", .type = FIELD_WORD, .preset = "\"info\"",
	  .words = levels, LIVE, AT(log_level), .example = "\"info\"",
	  .help = "The least important lines that are written." },
	{ .path = "log.format", .type = FIELD_WORD, .preset = "\"text\"",
	  .words = formats, LIVE, AT(log_format), .example = "\"text\"",
	  .help = "text for people, json for programs; one line an event." },

	{ .path = "api.group", .type = FIELD_GROUP, .preset = "\"vx6\"",
	  AT(api_group),
	  .help = "Members may use the socket; where there is no such group, "
		  "only the user who runs vx6d." },

	{ .path = "peers", .type = FIELD_OBJECTS, .preset = "[]", LIVE,
	  LIST(peers), .list_max = CONFIG_PEERS_MAX, .example = "",
	  .help = "Nodes to keep a session with. Any live node can be the "
		  "first." },
	{ .path = "peers[].address", .type = FIELD_IP, .required = true, LIVE,
	  ITEM(address), .example = "\"192.0.2.10\"",
	  .help = "IPv4 or IPv6 address." },
	{ .path = "peers[].port", .type = FIELD_INT, .preset = "4242",
	  RANGE(1, 65535), LIVE, ITEM(address.port), .example = "4242",
	  .help = "Its control port." },
	{ .path = "peers[].id", .type = FIELD_ID, .required = true, LIVE,
	  ITEM(id),
	  .example = "\"vx6aebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4"
		     "qa\"",
	  .help = "Its node ID; whoever proves another one is hung up on." },

	{ .path = "state", .type = FIELD_PATH, RANGE(1, CONFIG_PATH_TEXT - 1),
	  AT(state),
	  .help = "The directory of what must not be lost: identity and "
		  "registry. Left out: /var/lib/vx6 for root, else "
		  "$XDG_STATE_HOME/vx6 or ~/.local/state/vx6." },
	{ .path = "run", .type = FIELD_PATH, RANGE(1, CONFIG_RUN_MAX),
	  AT(run),
	  .help = "The directory of sockets and onion keys, in memory "
		  "(tmpfs). Left out: /run/vx6 for root, else "
		  "$XDG_RUNTIME_DIR/vx6." },
};
/* clang-format on */
const unsigned config_field_cnt = VX6_COUNT(config_field);

bool field_is_in(const struct field *f, const char *key)
{
	const char *dot = strchr(f->path, '.');
	size_t len = strlen(key);

	if (strchr(f->path, '[') != NULL)
		return false;
	if (len == 0)
		return dot == NULL;
	return strncmp(f->path, key, len) == 0 && f->path[len] == '.';
}

bool field_is_item(const struct field *f, const char *key)
{
	size_t len = strlen(key);

	return strncmp(f->path, key, len) == 0 &&
	       strncmp(f->path + len, "[].", 3) == 0;
}

const char *field_key(const struct field *f)
{
	const char *dot = strrchr(f->path, '.');

	return dot != NULL ? dot + 1 : f->path;
}

static const char *rule_words(const struct field *f, char *out, size_t cap)
{
	size_t n = 0;

	for (unsigned i = 0; f->words[i] != NULL && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s\"%s\"",
				      i == 0                    ? ""
				      : f->words[i + 1] == NULL ? " or "
								: ", ",
				      f->words[i]);
	return out;
}

const char *field_rule(const struct field *f, char *out, size_t cap)
{
	switch (f->type) {
	case FIELD_BOOL: snprintf(out, cap, "true or false"); break;
	case FIELD_INT:
		snprintf(out, cap, "a whole number from %.0f to %.0f", f->min,
			 f->max);
		break;
	case FIELD_SECONDS:
		snprintf(out, cap, "a number of seconds from %g to %.9g",
			 f->min, f->max);
		break;
	case FIELD_NAME: snprintf(out, cap, "a text of " NAME_RULE); break;
	case FIELD_FAMILY:
		snprintf(out, cap,
			 "a text of 1 to %u of the characters a-z, "
			 "0-9 and -",
			 FAMILY_MAX_LEN);
		break;
	case FIELD_GROUP:
		snprintf(out, cap,
			 "the name of a group, of at most %u "
			 "characters",
			 CONFIG_GROUP_TEXT - 1);
		break;
	case FIELD_IFNAME:
		snprintf(out, cap,
			 "the name of a network interface, of at most %u "
			 "characters",
			 CONFIG_IF_TEXT - 1);
		break;
	case FIELD_WORDY:
		snprintf(out, cap,
			 "a text of 1 to %.0f printable characters without "
			 "spaces",
			 f->max);
		break;
	case FIELD_WORD: return rule_words(f, out, cap);
	case FIELD_ADDR:
		snprintf(out, cap,
			 "an address and a port from %.0f to 65535, "
			 "as in \"192.0.2.1:80\" or \"[::]:80\"",
			 f->min);
		break;
	case FIELD_IP:
		snprintf(out, cap,
			 "an address, as in \"192.0.2.1\" or "
			 "\"2001:db8::1\"");
		break;
	case FIELD_ID:
		snprintf(out, cap,
			 "a node ID: vx6 and 52 characters, as vx6 "
			 "identity show prints it");
		break;
	case FIELD_PATH:
		snprintf(out, cap,
			 "a path that starts with / and has at most "
			 "%.0f characters",
			 f->max);
		break;
	case FIELD_OBJECTS: snprintf(out, cap, "an object {..}"); break;
	}
	return out;
}
