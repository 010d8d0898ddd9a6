/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_CONFIG_CONFIG_H
#define VX6_CONFIG_CONFIG_H

/* config: the whole configuration, one JSON document, as one plain struct.
 *
 *                     +--> checks and defaults  config_load, config_parse
 *     table (table.c) +--> JSON Schema          config_schema
 *     one row a field +--> reference            config_reference
 *                     +--> example              config_example
 *
 * A field exists because it has a row in the table: path, type, unit,
 * range, default, whether a running node takes a change, help.  Nothing
 * about a field is said a second time.
 *
 * A document is taken whole or refused with one sentence that names file,
 * line, column, path, what was found and what would be right.  Unknown
 * keys and keys written twice are errors.  Every key may be left out.
 *
 * Secrets are never in here, only paths of files.
 *
 * Ownership: struct config is the caller's, holds no pointer, and may be
 * copied by assignment.  It is about 6 KiB: not for a small stack.
 * Threads: the functions are pure but for config_load's file.
 * Cost: start-up only; a document has at most 1 MiB. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/name.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/base/text.h"

#define CONFIG_LISTEN_MAX     4u
#define CONFIG_ADVERTISE_MAX  8u
#define CONFIG_PEERS_MAX      64u
#define CONFIG_VIA_MAX        3u
#define CONFIG_PATH_TEXT      256u /* a file's or directory's name, NUL */
#define CONFIG_WORKERS_MAX    16u
#define CONFIG_RUN_MAX        90u /* RUN/dataplane.sock must fit sun_path */
#define CONFIG_GROUP_TEXT     33u
#define CONFIG_IFS_MAX        8u
#define CONFIG_IF_TEXT        16u /* an interface's name, NUL */
#define CONFIG_DPDK_PORTS_MAX 4u
#define CONFIG_DPDK_PORT_TEXT 128u /* a device and its arguments, NUL */
#define CONFIG_DPDK_ARGS_MAX  16u
#define CONFIG_DPDK_ARG_TEXT  64u
#define CONFIG_FILE_MAX       (1u << 20)

enum config_backend {
	CONFIG_BACKEND_UDP,
	CONFIG_BACKEND_AF_XDP,
	CONFIG_BACKEND_DPDK
};
enum config_xdp_copy { CONFIG_XDP_AUTO, CONFIG_XDP_COPY, CONFIG_XDP_ZEROCOPY };
enum config_idle { CONFIG_IDLE_ADAPTIVE, CONFIG_IDLE_SPIN };
enum config_suite { /* but for the first as on the wire */
		    CONFIG_SUITE_AUTO,
		    CONFIG_SUITE_AES256_GCM,
		    CONFIG_SUITE_CHACHA20_POLY1305,
		    CONFIG_SUITE_AEGIS128L
};
enum config_log_level {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARN,
	CONFIG_LOG_INFO,
	CONFIG_LOG_DEBUG
};
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

struct config_peer {
	struct vx6_addr address; /* control port of the peer */
	uint8_t id[VX6_ID_LEN];  /* node ID; what it proves must be this */
};

struct config_node {
	char name[NAME_TEXT];     /* "" = none */
	char family[FAMILY_TEXT]; /* "" = none */
	bool relay;               /* forward for others */
	uint32_t capacity;        /* Mbit/s claimed; 0 = not said */
	uint8_t via[CONFIG_VIA_MAX][VX6_ID_LEN];
	uint32_t via_cnt; /* 0: chosen from the sessions at hand */
};

struct config_control {
	struct vx6_addr listen[CONFIG_LISTEN_MAX];
	uint32_t listen_cnt; /* at least 1 */
	struct vx6_addr advertise[CONFIG_ADVERTISE_MAX];
	uint32_t advertise_cnt; /* 0: from the interfaces */
};

struct config_data {
	bool enabled;
	struct vx6_addr listen;
	enum config_backend backend;
	char interfaces[CONFIG_IFS_MAX][CONFIG_IF_TEXT];
	uint32_t interfaces_cnt; /* 0: chosen */
	enum config_xdp_copy xdp_copy;
	char dpdk_ports[CONFIG_DPDK_PORTS_MAX][CONFIG_DPDK_PORT_TEXT];
	uint32_t dpdk_ports_cnt;
	char dpdk_eal[CONFIG_DPDK_ARGS_MAX][CONFIG_DPDK_ARG_TEXT];
	uint32_t dpdk_eal_cnt;
	enum config_idle idle;
	uint32_t halves; /* half-circuits in the table */
	uint32_t links;
	uint32_t workers; /* 0: by cpus, or by the host's CPUs and queues */
	uint32_t cpus[CONFIG_WORKERS_MAX], cpus_cnt;
};

/* All in nanoseconds; the document says seconds. */
struct config_timers {
	uint64_t dial_ns;
	uint64_t handshake_ns;
	uint64_t create_hop_ns;
	uint64_t create_ns;
	uint64_t redial_min_ns;
	uint64_t redial_max_ns;
	uint64_t session_idle_ns; /* QUIC's own */
	uint64_t session_ping_ns;
	uint64_t session_unused_ns; /* without link, stream or sync */
	uint64_t link_ask_ns;
	uint64_t link_ask_busy_ns;
	uint64_t link_orphan_ns; /* a link without its session */
	uint64_t circuit_unused_ns;
	uint64_t tunnel_idle_ns;
	uint64_t target_connect_ns;
	uint64_t drain_ns;
	uint64_t record_life_ns;
	uint64_t record_refresh_ns;
	uint64_t onion_rotate_ns;
	uint64_t channel_ping_ns;   /* on a quiet channel */
	uint64_t silence_min_ns;    /* survival: q is at least this */
	uint64_t silence_expect_ns; /* survival: data expected after receipt */
	uint64_t clock_skew_ns;     /* HELLO times further apart are told */
};

struct config_limits {
	uint32_t sessions;
	uint32_t half_open;
	uint32_t retry_above;    /* half-open; more means Retry first */
	uint32_t prefix_rate;    /* handshakes/s from one /56 or IPv4 /24 */
	uint32_t prefix_packets; /* their packets/s from one /56 or IPv4 /24;
				    0 = no limit */
	uint32_t streams;        /* a peer may have open at once */
	uint32_t stream_buffer;  /* bytes */
	uint32_t stream_window;  /* bytes */
	uint32_t conn_window;    /* bytes */
	uint32_t circuits;       /* own, as origin */
	uint32_t ends;           /* circuits that end here */
	uint32_t create_rate;    /* per session and second */
	uint32_t create_burst;
	uint32_t create_relay_rate;  /* from a peer with a relay record */
	uint32_t create_prefix_rate; /* from one /56 or IPv4 /24 and second */
	uint32_t create_prefix_burst;
	uint32_t create_prefix_relay_rate; /* of its relays together */
	uint32_t create_jobs;              /* on the thread pool at once */
	uint32_t create_session_jobs;      /* of one session */
	uint32_t create_prefix_jobs;       /* from one /56 or IPv4 /24 */
	uint32_t replay_keys;
	uint32_t nodes; /* records and hints in the registry */
	uint32_t hint_days;
	uint32_t relays_sent; /* relay records after HELLO */
	uint32_t services;
	uint32_t forwarders;  /* local listeners */
	uint32_t connections; /* forwarded, both roles together */
	uint32_t commands;    /* clients of vx6d's socket at once */
	/* what relaying may take; rates in bytes/s, 0 = no limit */
	uint64_t circuit_rate, circuit_burst;
	uint64_t link_rate, link_burst;
	uint64_t relay_rate, relay_burst; /* bytes; 0 = 50 ms of the rate */
	uint32_t queue;         /* cells that wait; 0 = what there is */
	uint32_t circuit_queue; /* of one half-circuit */
	uint64_t month_bytes;   /* 0 = no limit */
	uint32_t month_day;     /* that a month begins on, UTC */
};

struct config {
	struct config_node node;
	struct config_control control;
	struct config_data data;
	struct config_peer peers[CONFIG_PEERS_MAX];
	uint32_t peers_cnt;
	struct config_timers timers;
	struct config_limits limits;
	uint32_t redial_jitter;  /* percent, either way */
	bool dial_private;       /* dial private ranges from records */
	uint32_t spares;         /* warm circuits beside the one in use */
	uint32_t cell_size;      /* of circuits that begin here; 0 = any */
	enum config_suite suite; /* asked of hops that offer it */
	enum config_log_level log_level;
	enum config_log_format log_format;
	char api_group[CONFIG_GROUP_TEXT]; /* owns vx6d.sock */
	char state[CONFIG_PATH_TEXT];      /* "" until config_dirs */
	char run[CONFIG_PATH_TEXT];        /* "" until config_dirs */
};

struct config_error {
	unsigned line, column; /* from 1; 0 = no place in the document */
	char path[128];        /* of the field, "" where there is none */
	char found[64];        /* as written there, shortened */
	char expected[192];    /* what would be right */
	char text[768];        /* the whole sentence, one line */
};

/* config_defaults fills out as the empty document {} would. */
VX6_NONNULL void config_defaults(struct config *out);

/* config_load reads the document in the file at path.  VX6_CONFIG with err
 * filled for everything that is wrong with it, also when it cannot be
 * read; VX6_NO_MEMORY.  out is untouched unless VX6_OK. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
config_load(const char *path, struct config *out, struct config_error *err);

/* config_parse is config_load on text[0..len); name stands for the file in
 * messages. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
config_parse(const char *text, size_t len, const char *name, struct config *out,
	     struct config_error *err);

/* config_dirs fills state and run where they are "": /var/lib/vx6 and
 * /run/vx6 for root; $XDG_STATE_HOME/vx6 (or ~/.local/state/vx6) and
 * $XDG_RUNTIME_DIR/vx6 for others.  VX6_CONFIG with err->text when the
 * environment does not say. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
config_dirs(struct config *c, struct config_error *err);

/* What comes from the table, written to f. */
VX6_NONNULL void config_schema(FILE *f);    /* JSON Schema, 2020-12 */
VX6_NONNULL void config_reference(FILE *f); /* Markdown */
VX6_NONNULL void config_example(FILE *f);   /* a document, valid as it is */

#endif
