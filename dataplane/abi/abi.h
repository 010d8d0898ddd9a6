/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_ABI_ABI_H
#define VX6_DATAPLANE_ABI_ABI_H

/* abi: the one door between the planes.
 *
 * One Unix SOCK_SEQPACKET; vx6-dataplane listens, vx6d connects, one
 * client at a time.  Every message is one struct abi_msg of 1,152 bytes in
 * host order (both ends are one host), whatever it says: a shorter or
 * longer one closes the connection.  Commands carry a seq that the answer
 * repeats; events have seq 0.
 *
 *     vx6d                                   vx6-dataplane
 *       HELLO ------------------------------->
 *       <------------- WELCOME + 3 descriptors (ring memfd, two eventfds)
 *       LINK_ADD, HALF_ADD, .. --------------->  done whole, or refused
 *       <---------------------- DONE {status}
 *       DUMP --------------------------------->
 *       <--- LINK_IS .., HALF_IS .., DUMP_END     never a key
 *       LIMITS ------------------------------->
 *       BUDGET ------------------------------->
 *       <---------------------- BUDGET_IS        what relaying came to
 *       STATS -------------------------------->
 *       <--- WORKER_IS .., STATS_ARE
 *       <--- CONTROL, LINK_EVENT, HALF_EVENT, STALL   after SUBSCRIBE
 *
 * The data plane believes nothing: every index is range-checked, every
 * enum compared, reserved bytes must be zero.  Keys are installed once: a
 * HALF_ADD on a slot in use is VX6_EXISTS.  Who receives DONE for an add
 * wipes its own copy of the keys.
 *
 * Circuit ids: vx6d assigns them, index in the low 20 bits, generation in
 * the high 12, index 0 unused, so a stale id of a reused slot is refused.
 * Links: vx6d assigns the index too, 1..links_max-1. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/addr.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/wire/create.h"
#include "dataplane/wire/link.h"

#define ABI_VERSION   6u
#define ABI_MSG_LEN   1152u
#define ABI_NOTE_LEN  96u
#define ABI_CTL_LEN   512u /* body of a control cell's message */
#define ABI_IDX_BITS  20u
#define ABI_IDX_MASK  ((UINT32_C(1) << ABI_IDX_BITS) - 1u)
#define ABI_WORKERS   16u
#define ABI_FD_CNT    3u   /* WELCOME: ring memfd, up eventfd, down eventfd */
#define ABI_WHY_LEN   256u /* a sentence, with its NUL */
#define ABI_STACK_LEN 384u /* where a worker stands, with its NUL */
#define ABI_IF_CNT    8u
#define ABI_IF_NAME   16u
#define ABI_XDP_CNT   16u /* reasons of xdp/abi.h, those that there are */

/* of LIMITS */
#define ABI_RATE_MAX          UINT64_C(12500000000) /* bytes/s: 100 Gbit/s */
#define ABI_BURST_MIN         4096u                 /* room for any cell */
#define ABI_BURST_MAX         (UINT64_C(1) << 34)
#define ABI_QUEUE_MAX         (UINT32_C(1) << 20)
#define ABI_CIRCUIT_QUEUE_MAX 1024u

enum abi_type {
	/* commands, vx6d to data plane */
	ABI_HELLO = 1,
	ABI_LINK_ADD,
	ABI_LINK_CHANGE, /* address and note; no address: ours is another */
	ABI_LINK_REMOVE, /* and every half-circuit on it, both ways */
	ABI_HALF_ADD,
	ABI_HALF_REMOVE,
	ABI_SPLICE, /* a forward half without way out and a backward one */
	ABI_UNSPLICE,
	ABI_INJECT, /* control cell on a backward half-circuit */
	ABI_DUMP,
	ABI_SUBSCRIBE,
	ABI_STATS,
	ABI_LIMITS, /* from now on; none until it is said */
	ABI_BUDGET,
	/* answers */
	ABI_WELCOME = 64,
	ABI_DONE,
	ABI_LINK_IS,
	ABI_HALF_IS,
	ABI_DUMP_END,
	ABI_STATS_ARE,
	ABI_BUDGET_IS,
	ABI_WORKER_IS, /* one for each, before STATS_ARE */
	/* events */
	ABI_CONTROL = 128,
	ABI_LINK_EVENT,
	ABI_HALF_EVENT,
	ABI_STALL
};

enum abi_half_kind {
	ABI_HALF_FORWARD = 1, /* opens with key, sends on */
	ABI_HALF_BACKWARD,    /* seals with key under its own counter */
	ABI_HALF_LOCAL        /* no key: cells go up the ring unopened */
};

enum abi_half_event { ABI_HALF_IDLE = 1, ABI_HALF_EXHAUSTED, ABI_HALF_EXPIRED };

enum abi_backend { ABI_BACKEND_UDP = 1, ABI_BACKEND_AF_XDP, ABI_BACKEND_DPDK };

struct abi_welcome {
	uint8_t instance[16]; /* random per start of the data plane */
	struct vx6_addr data; /* where cells arrive; ip may be any */
	uint32_t links_max, halves_max;
	uint32_t workers;    /* 1..ABI_WORKERS */
	uint16_t u_v6, u_v4; /* largest UDP payload over each family */
	uint8_t suites;      /* bit (1 << suite) for each suite it runs */
	uint8_t backend;     /* abi_backend: what carries the cells */
	uint8_t asked;       /* likewise: what was asked for */
	uint8_t zero;
	char why[ABI_WHY_LEN]; /* why these differ, or not all is well; NUL */
};

struct abi_link { /* LINK_ADD, LINK_CHANGE; LINK_IS with keys zero */
	struct vx6_link_keys keys;
	struct vx6_addr peer; /* none = learn */
	uint64_t ask_ns, ask_busy_ns;
	uint32_t index, peer_index;
	uint16_t u;
	uint8_t behind_nat;
	uint8_t state;    /* LINK_IS: vx6_link_state */
	uint64_t srtt_ns; /* LINK_IS */
	uint64_t cells_in, cells_out, bytes_in, bytes_out; /* LINK_IS */
	struct vx6_addr observed; /* LINK_IS, LINK_EVENT */
	uint8_t events;           /* LINK_EVENT: vx6_link_event */
	uint8_t zero;
	uint16_t u_proved; /* LINK_IS, LINK_EVENT; 0 = not yet */
	uint8_t note[ABI_NOTE_LEN];
};

struct abi_half { /* HALF_ADD; HALF_IS with key and iv zero */
	uint8_t key[32];
	uint8_t iv[16];
	uint64_t start_rx; /* first counter valid on receipt */
	uint64_t start_tx; /* BACKWARD: first counter sealed */
	uint64_t life_ns;  /* from now; 0 = no end */
	uint32_t id;       /* cells carry it to us */
	uint32_t in_link;
	uint32_t out_link; /* 0 for LOCAL */
	uint32_t out_id;   /* 0 for LOCAL */
	uint16_t cell_size_in, cell_size_out;
	uint8_t kind;  /* abi_half_kind */
	uint8_t suite; /* 0 for LOCAL */
	uint8_t zero[2];
	uint64_t cells, bytes, dropped; /* HALF_IS */
	uint8_t note[ABI_NOTE_LEN];
	uint32_t splice; /* HALF_IS: the half it is spliced with, or 0 */
	uint32_t zero4;
};

/* SPLICE joins two legs that end here, one direction of them: what comes
 * in on the forward half `id` goes out on the backward half `to`, which
 * belongs to the other leg.  UNSPLICE parts them again; so does the end of
 * either. */
struct abi_splice {
	uint32_t id;
	uint32_t to; /* UNSPLICE: 0 */
};

struct abi_control {  /* INJECT and CONTROL: P of PROTOCOL.md section 9 */
	uint32_t id;  /* INJECT: the backward half; CONTROL: that it came on */
	uint16_t len; /* of body, <= ABI_CTL_LEN */
	uint16_t zero;
	uint8_t body[ABI_CTL_LEN];
};

enum abi_if_bits { ABI_IF_ZEROCOPY = 1, ABI_IF_DISPATCHER = 2 };

struct abi_if {                 /* an interface that AF_XDP works on */
	char name[ABI_IF_NAME]; /* NUL; empty: the list ends before it */
	uint32_t mtu;
	uint16_t queues;
	uint8_t bits; /* abi_if_bits */
	uint8_t zero;
};

struct abi_stats {
	uint64_t drop[VX6_STATUS_CNT]; /* by reason, all workers */
	uint64_t rx_cells, rx_bytes, tx_cells, tx_bytes;
	uint64_t forwarded; /* those that crossed a splice among them */
	uint64_t backwarded, up, down, injected;
	uint64_t busy_ns, spin_ns, blocked_ns;
	uint64_t ring_full; /* cells for vx6d dropped */
	uint32_t links, halves;
	uint64_t handed;           /* to the worker that they belong to */
	uint64_t rx_xsk, tx_xsk;   /* frames by AF_XDP .. */
	uint64_t rx_sock, tx_sock; /* .. and by the socket */
	uint64_t xdp[ABI_XDP_CNT]; /* the classifier's, by reason */
	struct abi_if interface[ABI_IF_CNT];
	uint64_t refused; /* questions to who keeps AF_XDP's privileges, of what
			     the configuration does not name */
	uint64_t longest_ns;    /* of all workers' turns */
	uint64_t rx_most;       /* frames that waited for a worker at once, in a
				ring of AF_XDP */
	uint8_t backend, asked; /* now; as in WELCOME */
	uint8_t zero[6];
	char why[ABI_WHY_LEN]; /* likewise */
};

/* LIMITS: what cells of others may take, in bytes a second; 0 = as much as
 * there is.  Bursts are in bytes; 0 = 50 ms of the rate, 64 KiB at least. */
struct abi_limits {
	uint64_t circuit_rate, circuit_burst; /* each half-circuit */
	uint64_t link_rate, link_burst;       /* each link */
	uint64_t relay_rate, relay_burst;     /* all of them together */
	uint32_t queue;         /* cells that wait at most; 0 = what there is */
	uint32_t circuit_queue; /* of one half-circuit; 0 = 128 */
};

struct abi_budget { /* BUDGET_IS: of cells of others, since the start */
	uint64_t sent_bytes;
	uint64_t held;                 /* cells that had to wait */
	uint64_t lost_rate, lost_full; /* of them, by their own rate; by the
					  others' */
	uint32_t waiting, most;        /* now; together at any time */
	uint32_t room;                 /* for cells that wait */
	uint32_t zero;
};

enum abi_pages { ABI_PAGES_SMALL, ABI_PAGES_TRANSPARENT, ABI_PAGES_HUGE };

struct abi_worker { /* a worker: where it is, and what it did */
	uint64_t rx_cells, tx_cells;
	uint64_t handed, hand_full; /* cells of other workers' links */
	uint64_t busy_ns, spin_ns, blocked_ns;
	uint64_t queues; /* bit for each queue that it has, of any interface */
	uint64_t stalls; /* how often it had work and got no further */
	uint64_t longest_ns, rx_most; /* as in STATS_ARE */
	uint32_t index;
	int32_t cpu, node; /* -1: any */
	uint32_t page_len; /* of its tables, in bytes */
	uint32_t halves;
	uint8_t spin;
	uint8_t pages; /* abi_pages */
	uint8_t zero[2];
};

struct abi_stall { /* a worker has work and gets no further */
	uint64_t stalled_ns;
	uint32_t worker;
	uint32_t zero;
	char stack[ABI_STACK_LEN]; /* where it stands; NUL */
};

struct abi_msg {
	uint16_t version; /* ABI_VERSION */
	uint16_t type;    /* enum abi_type */
	uint32_t seq;
	uint32_t status; /* DONE: enum vx6_status */
	uint32_t zero;
	union {
		struct abi_welcome welcome;
		struct abi_link link;
		struct abi_half half;
		struct abi_control control;
		struct abi_splice splice;
		struct abi_stats stats;
		struct abi_limits limits;
		struct abi_budget budget;
		struct abi_worker worker;
		struct abi_stall stall;
		struct {
			uint32_t index; /* LINK_REMOVE */
			uint32_t id;    /* HALF_REMOVE, HALF_EVENT */
			uint32_t event; /* HALF_EVENT */
			uint32_t zero;
		} ref;
		uint8_t raw[ABI_MSG_LEN - 16];
	} u;
};

_Static_assert(sizeof(struct abi_msg) == ABI_MSG_LEN, "one size for all");

/* abi_type_name is a word for logs ("half-add"); "unknown" for others. */
const char *abi_type_name(unsigned type);

/* abi_check judges a message by itself, before anything is done with it.
 * from_client: vx6d said it.  VX6_BAD_VERSION; VX6_BAD_KIND for a type that
 * this side may not say; VX6_MALFORMED for anything else:
 *
 *   seq     not 0 in commands and answers, 0 in events
 *   status  0 but in DONE, which knows no status out of the list
 *   indices 24 bits and not 0; ids with an index that is not 0
 *   enums, booleans, sizes, intervals (<= 1 h), starts (< 2^46), rates,
 *   bursts (0, or room for any cell) and queues in range
 *   zero    reserved bytes, what is not said in this direction (keys in
 *           LINK_IS and HALF_IS, counters in LINK_ADD ..; in LINK_CHANGE
 *           all but index, peer and note), what a LOCAL half has not,
 *           and everything behind the member that the type uses
 *
 * Whether an index is in use or below links_max is the receiver's to
 * know. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_check(const struct abi_msg *m,
						     bool from_client);

/* abi_text copies a text into a message's member of cap bytes, cut where it
 * has no room: printable characters as they are, others as '?'.  Returns its
 * length. */
VX6_NONNULL size_t abi_text(char *to, size_t cap, const char *from);

/* abi_wipe zeroes a message that may have carried keys. */
VX6_NONNULL void abi_wipe(struct abi_msg *m);

/* ---- the socket: all descriptors are non-blocking and close-on-exec ---- */

/* abi_listen binds path with mode 0600 and listens.  A socket file that
 * nobody listens on is removed first, and nothing else ever is: VX6_EXISTS
 * when somebody listens (or is about to: the directory is locked while this
 * is decided), VX6_DENIED when path is no socket, or another
 * user's and we are not root,
 * VX6_MALFORMED for an empty path or one over 107 bytes, VX6_SYS with
 * errno.  The file stays when the process ends. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_listen(int *fd,
						      const char *path);

/* abi_accept takes the next client; VX6_AGAIN when there is none.  Who may
 * connect is decided by the socket file's owner and mode. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_accept(int listen_fd, int *fd);

/* abi_connect: VX6_UNREACHABLE when nobody listens (yet), VX6_AGAIN when
 * too many wait, VX6_DENIED, VX6_MALFORMED as above, VX6_SYS. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status abi_connect(int *fd,
						       const char *path);

/* abi_send sends one message whole, with n descriptors (0..ABI_FD_CNT; they
 * stay the caller's).  VX6_AGAIN: not now, poll for writing; VX6_CLOSED:
 * the other side went. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(2) enum vx6_status
	abi_send(int sock, const struct abi_msg *m, const int fds[],
		 unsigned n);

/* abi_recv takes one message, and with a WELCOME exactly `want` descriptors
 * (0..ABI_FD_CNT), which become the caller's; otherwise fds are -1.
 * VX6_AGAIN: none there; VX6_CLOSED: end of stream; VX6_BAD_SIZE: shorter
 * or longer than one message; VX6_MALFORMED: another number of descriptors,
 * or any with another message.  After anything but OK and AGAIN close the
 * connection; descriptors that came are closed already.  abi_check is the
 * caller's next step. */
VX6_MUST_CHECK VX6_NONNULL_ARGS(2) enum vx6_status
	abi_recv(int sock, struct abi_msg *m, int fds[], unsigned want);

#endif
