/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_PORT_AF_XDP_H
#define VX6_DATAPLANE_PORT_AF_XDP_H

/* af_xdp: ports on the queues of interfaces, each with a UDP socket beside.
 *
 *     interface's driver
 *       | classifier (xdp/xdp.h)
 *       |-- cells -----> xsk of the queue --+--> rx
 *       +-- the rest --> kernel --> socket -+
 *
 *     tx -- the link has a way (neigh.h) --> xsk of the way's interface
 *        +- none, or it is to be renewed --> socket --> kernel
 *
 * The socket reserves the data port, takes what the classifier passes
 * (fragments, options, loopback, interfaces without XDP) and sends whatever
 * has no Ethernet way.  So there is never a hole: a port works from its
 * first packet, even with no interface at all, and gets fast as interfaces
 * are attached and neighbours are known.
 *
 * Queue q of each interface is worker q % N's, of N.  Whose link a cell is of
 * does not matter to the driver's choice of a queue: what lands at another
 * worker is handed over (worker/exchange.h).  A worker without a queue on an
 * interface sends there by its socket.
 *
 *     queues    0   1   2   3        one host: interfaces, classifier, links
 *               |   |   |   |
 *     workers   0   1   0   1        one port each: frames, sockets, ways
 *
 * Interfaces come and go while the ports work, and may get more queues.  All
 * of that, and every privileged call, is the host's, on the control thread
 * (af_xdp_step); a worker takes sockets over and lets go of them between
 * bursts:
 *
 *              control        worker        control        worker
 *     FREE ------------> OFFERED ----> LIVE -------> ASKED ----> LEFT
 *      ^                                                          |
 *      |    worker: frames back to the pool        control:       |
 *      +------------------------------- CLOSED <-- closes it -----+
 *
 * Cells are let into a socket (vx6_xsk) when the worker has it, and no more
 * before the worker is asked to leave it, so that none is lost on the way.
 *
 * What arrives while a worker has no core waits in the frames that its
 * socket has: AF_XDP_POSTED last 4 ms at a million cells a second, which is
 * less than another program's turn on the core takes.  More of them cost
 * speed at full load, because a frame that comes round later has left the
 * caches.  So a socket begins with those, and from the first time that
 * AF_XDP_PAUSE cells have come since it was last read, which only a pause of
 * the worker makes happen, it gets all that its ring takes (XSK_FILL, 16 ms),
 * as long as a quarter of the pool stays for cells that wait to be sent.
 *
 * Whose a frame is, is written in a table, a byte each: what a socket's
 * rings held when it ended comes back to the pool.
 *
 * The host's privileges may be another process's, so that the one that has
 * the cells gives up its own (keeper.h).
 *
 * What an operator should know is said by `say`, one sentence each, once.
 *
 * Threads: rx, tx, link and fds are the worker's; open and close nobody
 * else's at the time; all else the control thread's, who may name any of the
 * ports for all of them where it says host. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/clock.h"
#include "dataplane/base/compiler.h"
#include "dataplane/base/status.h"
#include "dataplane/port/port.h"
#include "dataplane/port/xsk.h"
#include "xdp/xdp.h"

#define AF_XDP_IFS     XDP_IFS /* interfaces at once */
#define AF_XDP_WORKERS 16u     /* ports beside each other */
#define AF_XDP_SOCKS   16u     /* of one port at once */
#define AF_XDP_QUEUES  8u      /* of an interface, for each worker */
#define AF_XDP_NAME    16u     /* of an interface, with its NUL */
#define AF_XDP_FRAMES  32768u  /* in the pool by default: 64 MiB */
#define AF_XDP_POSTED  4096u   /* of them to each socket, to receive with */
#define AF_XDP_PAUSE   512u    /* cells since it was last read: a pause */
#define AF_XDP_MTU     1280u   /* below this no path of cells goes */
#define AF_XDP_FDS     (2u * AF_XDP_WORKERS + 2u) /* on the control thread */
#define AF_XDP_WHY     (XDP_WHY + 80u) /* a sentence, and what runs instead */

#define AF_XDP_BUSY_NS  (20 * VX6_MS)  /* before a busy queue is tried again */
#define AF_XDP_BUSY     150u           /* so many times */
#define AF_XDP_RETRY_NS (10 * VX6_SEC) /* before a refused interface is */
#define AF_XDP_QUIET_NS (1 * VX6_SEC)  /* a zero-copy driver is done by then */

_Static_assert(PORT_FDS >= AF_XDP_SOCKS + 1, "each socket, and the kernel's");

struct sandbox; /* dataplane/sandbox/sandbox.h */

struct af_xdp_opts {
	char interface[AF_XDP_IFS][AF_XDP_NAME];
	unsigned interface_cnt; /* 0: those of the default routes, or where
				   there are none all that are up */
	enum xsk_mode mode;
	uint16_t control_port[VX6_XDP_CONTROLS];
	unsigned workers;              /* ports; 0 as 1 */
	uint32_t links;                /* indices 1..links-1 */
	uint64_t shake_ns, shake_most; /* as xdp/abi.h has them */
	bool no_dispatcher;
	const struct sandbox *keeper; /* of a process that keeps the privileges
					 (keeper.h); NULL: this one does */
	/* one sentence for people; about an interface, or "" */
	void (*say)(void *ctx, bool warn, const char *event,
		    const char *interface, const char *text);
	void *ctx;
};

/* port_open_af_xdp opens a worker's port: the socket and netlink, and the
 * first of them the classifier.  The others are opened beside the first, in
 * order and with the same xo; the last makes the keeper, before there is a
 * second thread, and tries the interfaces once.  Interfaces
 * that cannot be had are no failure: they are said, and tried again.  VX6_SYS
 * with errno where the socket cannot be had, why empty: as port_open_udp.
 * Otherwise with a sentence in why, as xdp_open: this host or user cannot
 * have AF_XDP at all.  The first is closed last. */
VX6_MUST_CHECK VX6_NONNULL enum vx6_status
port_open_af_xdp(struct port **out, const struct port_opts *opts,
		 const struct af_xdp_opts *xo, char why[XDP_WHY]);

/* af_xdp_is says whether p is such a port. */
VX6_NONNULL bool af_xdp_is(const struct port *p);

/* af_xdp_fds: what to poll for POLLIN for the host; af_xdp_step does what is
 * to be done, true: wake the workers; af_xdp_due_ns: the latest time for the
 * next step. */
VX6_NONNULL unsigned af_xdp_fds(const struct port *p, int fd[AF_XDP_FDS]);
VX6_NONNULL bool af_xdp_step(struct port *p, uint64_t now_ns);
VX6_NONNULL uint64_t af_xdp_due_ns(const struct port *p);

/* af_xdp_lost: the keeper has ended, and nothing can be taken any more: end,
 * and be started again. */
VX6_MUST_CHECK VX6_NONNULL bool af_xdp_lost(const struct port *p);

/* af_xdp_settled is false while an interface of the host waits for a worker,
 * or for a queue that is busy: soon it will work, or be refused. */
VX6_NONNULL bool af_xdp_settled(const struct port *p);

struct af_xdp_if {
	char name[AF_XDP_NAME];
	uint32_t mtu;
	uint16_t queues; /* with a socket each */
	bool zerocopy;
	bool dispatcher; /* beside other programs; else a plain link */
};

struct af_xdp_state {
	struct af_xdp_if interface[AF_XDP_IFS]; /* those that work */
	unsigned interface_cnt;
	char why[AF_XDP_WHY]; /* about one that does not; "": all do */
	uint64_t counts[VX6_XDP_REASON_CNT]; /* of the classifier */
	uint64_t refused; /* by the keeper: asked for and not allowed */
};

/* af_xdp_describe tells how things are with the host; af_xdp_queues which
 * queues this port has: a bit each, of any interface. */
VX6_NONNULL void af_xdp_describe(const struct port *p, struct af_xdp_state *s);
VX6_NONNULL uint64_t af_xdp_queues(const struct port *p);

/* Counted by the worker, besides what the port has. */
struct af_xdp_count {
	uint64_t kicks;
	uint64_t
		renewed; /* frames given to the socket for a neighbour's sake */
	uint64_t strange; /* descriptors that are none of ours */
};
VX6_NONNULL const struct af_xdp_count *af_xdp_counted(const struct port *p);

/* af_xdp_in_kernel is how many frames are in sockets' rings: with those of
 * the pool and of the worker, all there are. */
VX6_NONNULL uint32_t af_xdp_in_kernel(const struct port *p);

#endif
